//! Reading the text of an index. Every error names the file and the line.

use anyhow::{Result, anyhow, bail, ensure};
use jiff::Timestamp;
use toml::de::{DeTable, DeValue};

use super::{DROPPED, GOOD, Index, LIST, Of, PINNED, Settled, alike};
use crate::commands::diff::text::visible;

/// Reads the text of a file into an index; `name` is what it is called in errors.
pub(super) fn fill(index: &mut Index, name: &str, text: &str) -> Result<()> {
    Reader { name, text }.fill(index)
}

/// What is being read.
struct Reader<'f> {
    name: &'f str,
    text: &'f str,
}

/// An entry, and its line.
type Read = (Settled, usize);

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text[..at.min(self.text.len())].matches('\n').count()
    }

    fn wrong(&self, at: usize, what: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("{}:{}: {what}", self.name, self.line(at))
    }

    fn fill(&self, index: &mut Index) -> Result<()> {
        let marks = ["<<<<<<<", "=======", ">>>>>>>"];
        let merged =
            (self.text.lines()).position(|line| marks.iter().any(|mark| line.starts_with(mark)));
        if let Some(line) = merged {
            bail!(
                "{}:{}: left by a merge: keep the lines of both sides and take this one out",
                self.name,
                line + 1
            );
        }
        let document = DeTable::parse(self.text).map_err(|wrong| {
            let at = wrong.span().unwrap_or_default().start;
            self.wrong(at, format!("not TOML: {}", visible(wrong.message())))
        })?;
        let [mut pinned, mut dropped, mut good] = [const { Vec::new() }; 3];
        for (key, value) in document.get_ref() {
            let at = key.span().start;
            let name = key.get_ref();
            let what = || format!("there is no key `{}`; there is {LIST}", visible(name));
            ensure!(name == LIST, self.wrong(at, what()));
            let list = || self.wrong(at, format!("{LIST}: expected a list of entries"));
            for entry in value.get_ref().as_array().ok_or_else(list)?.iter() {
                let at = entry.span().start;
                let expected = || {
                    let example =
                        "{ state = \"dropped\", commit = \"9bd07e\", reason = \"rolled back\" }";
                    self.wrong(at, format!("expected an entry such as {example}"))
                };
                let table = entry.get_ref().as_table().ok_or_else(expected)?;
                let (state, settled) = self.entry(table, at)?;
                let list: &mut Vec<Read> = match (&state[..], settled.of.file()) {
                    (PINNED, None) => &mut pinned,
                    (PINNED, Some(_)) => {
                        return Err(self.wrong(at, "a commit is pinned, not a file"));
                    }
                    (DROPPED, _) => &mut dropped,
                    (GOOD, Some(_)) => &mut good,
                    (GOOD, None) => {
                        let what = "expected a key `file`: the name of a file in this folder";
                        return Err(self.wrong(at, what));
                    }
                    _ => {
                        let what = format!(
                            "expected a key `state`: \"{PINNED}\", \"{DROPPED}\" or \"{GOOD}\""
                        );
                        return Err(self.wrong(at, what));
                    }
                };
                if !list.iter().any(|(other, _)| other.of.is_same(&settled.of)) {
                    list.push((settled, self.line(at)));
                }
            }
        }
        self.agree(&pinned, &dropped, &good)?;
        [index.pinned, index.dropped, index.good] = [pinned, dropped, good]
            .map(|list| list.into_iter().map(|(settled, _)| settled).collect());
        Ok(())
    }

    /// An entry, and the state that it tells.
    fn entry(&self, table: &DeTable, at: usize) -> Result<(String, Settled)> {
        let [mut state, mut file, mut commit, mut service, mut reason] = [const { None }; 5];
        let mut time = None;
        for (key, value) in table {
            let at = value.span().start;
            let key = key.get_ref().as_ref();
            let text = match key {
                "state" => &mut state,
                "file" => &mut file,
                "commit" => &mut commit,
                "service" => &mut service,
                "reason" => &mut reason,
                "at" => {
                    let text = match value.get_ref() {
                        DeValue::Datetime(at) => at.to_string(),
                        _ => String::new(),
                    };
                    let expected = "at: expected a time such as 2026-08-01T12:00:00Z";
                    time = Some(
                        text.parse::<Timestamp>()
                            .map_err(|_| self.wrong(at, expected))?,
                    );
                    continue;
                }
                other => {
                    let what = format!(
                        "there is no key `{}`; there are state, file, commit, service, reason and at",
                        visible(other)
                    );
                    return Err(self.wrong(at, what));
                }
            };
            let DeValue::String(found) = value.get_ref() else {
                return Err(self.wrong(at, format!("{key}: expected a text in quotes")));
            };
            *text = Some(found.to_string());
        }
        let of = match (file, commit) {
            (Some(file), commit) => {
                // Else an index could speak of files that are none of its business.
                let is_plain = !file.contains(['/', '\0']) && !["", ".", ".."].contains(&&file[..]);
                let what = format!(
                    "file: expected the name of a file in this folder, found \"{}\"",
                    visible(&file)
                );
                ensure!(is_plain, self.wrong(at, what));
                Of::File {
                    file,
                    commit: commit.unwrap_or_default(),
                }
            }
            (None, Some(commit)) if !commit.is_empty() => Of::Commit { commit, service },
            _ => return Err(self.wrong(at, "expected a key `commit`, or `file`")),
        };
        let settled = Settled {
            of,
            reason: reason.unwrap_or_default(),
            at: time,
        };
        Ok((state.unwrap_or_default(), settled))
    }

    /// What two branches settled differently is for people to decide.
    fn agree(&self, pinned: &[Read], dropped: &[Read], good: &[Read]) -> Result<()> {
        let name = self.name;
        for (n, (pin, line)) in pinned.iter().enumerate() {
            let Of::Commit { commit, service } = &pin.of else {
                continue;
            };
            let told = visible(commit);
            if let Some((_, other)) = dropped
                .iter()
                .find(|(drop, _)| drop.of.may_be_of(commit, service.as_deref()))
            {
                bail!(
                    "{name}:{line}: {told} is pinned, and dropped in line {other}: take one of them out"
                );
            }
            let again = pinned[..n].iter().find(|(other, _)| match &other.of {
                Of::Commit { service: own, .. } => alike(own.as_deref(), service.as_deref()),
                Of::File { .. } => false,
            });
            if let Some((_, other)) = again {
                bail!(
                    "{name}:{line}: {told} is pinned, and another commit in line {other}: take one of them out"
                );
            }
        }
        for (one, line) in good {
            if let Some((_, other)) = dropped.iter().find(|(drop, _)| drop.of.is_same(&one.of)) {
                let told = visible(one.of.told());
                bail!(
                    "{name}:{line}: {told} is good, and dropped in line {other}: take one of them out"
                );
            }
        }
        Ok(())
    }
}
