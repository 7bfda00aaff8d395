//! The index of a folder of deploys, `plop-baseline.toml`: what somebody settled of its profiles. It holds exceptions
//! only, so that what it does not name counts. It says nothing of the profiles themselves, which lie beside it.

mod read;

use std::fmt::Write;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use crate::commands::diff::baseline::commits::{Commits, is_same};
use crate::commands::diff::text::visible;

/// What the file is called.
pub(in crate::commands) const NAME: &str = "plop-baseline.toml";

/// The list of entries in it, and what an entry can say.
const LIST: &str = "settled";
const PINNED: &str = "pinned";
const DROPPED: &str = "dropped";
const GOOD: &str = "good";

/// What stands above it, for whoever opens it.
const ABOVE: &str = "\
# What is settled of the deploys in this folder and below; plop baseline writes it, and keeps no other comments.
# A profile that is not named here counts.
";

/// An index, read.
#[derive(Clone, PartialEq, Debug, Default)]
pub(in crate::commands) struct Index {
    /// The folder that it lies in.
    pub(in crate::commands) folder: PathBuf,
    /// What comparisons start from, one for each service.
    pub(in crate::commands) pinned: Vec<Settled>,
    /// What is not compared with.
    pub(in crate::commands) dropped: Vec<Settled>,
    /// Files that somebody said are good.
    pub(in crate::commands) good: Vec<Settled>,
}

/// What one entry says.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::commands) struct Settled {
    pub(in crate::commands) of: Of,
    /// Why, for people; may be empty.
    pub(in crate::commands) reason: String,
    /// When it was settled.
    pub(in crate::commands) at: Option<Timestamp>,
}

/// What an entry is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::commands) enum Of {
    /// All files of a commit, those that come later too. Without a service, of any.
    Commit {
        commit: String,
        service: Option<String>,
    },
    /// One file in the folder, by its name, and the commit that it says it is of.
    File { file: String, commit: String },
}

impl Of {
    pub(in crate::commands) fn commit(&self) -> &str {
        match self {
            Of::Commit { commit, .. } | Of::File { commit, .. } => commit,
        }
    }

    pub(in crate::commands) fn file(&self) -> Option<&str> {
        match self {
            Of::File { file, .. } => Some(file),
            Of::Commit { .. } => None,
        }
    }

    /// Whether it is about a commit of a service. A run that does not say its service may be of any.
    pub(in crate::commands) fn is_of(&self, of: &str, service: Option<&str>) -> bool {
        match self {
            Of::File { .. } => false,
            Of::Commit {
                commit,
                service: own,
            } => commit == of && alike(own.as_deref(), service),
        }
    }

    /// The same where one of the commits may be the beginning of the other.
    pub(super) fn may_be_of(&self, of: &str, service: Option<&str>) -> bool {
        is_same(self.commit(), of) && self.is_of(self.commit(), service)
    }

    /// Whether two entries are about the same.
    pub(super) fn is_same(&self, other: &Of) -> bool {
        match (self, other) {
            (Of::File { file, .. }, Of::File { file: other, .. }) => file == other,
            (one, other) => one == other,
        }
    }

    /// What it is called, for people.
    fn told(&self) -> &str {
        self.file().unwrap_or(self.commit())
    }
}

/// Whether two may be one service: they are, or one of them is not known.
pub(in crate::commands) fn alike(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

impl Settled {
    pub(in crate::commands) fn new(of: Of, reason: Option<&str>) -> Settled {
        // A fraction of a second tells nobody anything.
        let now = Timestamp::from_second(Timestamp::now().as_second());
        Settled {
            of,
            reason: reason.unwrap_or_default().trim().to_owned(),
            at: now.ok(),
        }
    }

    /// A name, with the reason if there is one, for people.
    pub(in crate::commands) fn with_reason(&self, name: &str) -> String {
        match &self.reason[..] {
            "" => name.to_owned(),
            reason => format!("{name} ({reason})"),
        }
    }
}

impl Index {
    /// Where it stands.
    pub(in crate::commands) fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// The index of a folder; an empty one where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is not as `plop baseline` writes it: with the line. One that is broken never counts as
    /// none, since a deploy that was dropped would be compared with again.
    pub(in crate::commands) fn read(folder: &Path) -> Result<Index> {
        let path = folder.join(NAME);
        let mut index = Index {
            folder: folder.to_owned(),
            ..Index::default()
        };
        if path
            .symlink_metadata()
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
        {
            return Ok(index);
        }
        let cannot = || format!("cannot read {}", path.display());
        ensure!(path.is_file(), "{}: it is no file", cannot());
        let text = std::fs::read_to_string(&path).with_context(cannot)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        read::fill(&mut index, &visible(&path.display().to_string()), text)?;
        Ok(index)
    }

    /// Why a file of a commit and a service is not compared with, if it was dropped.
    pub(in crate::commands) fn drops(
        &self,
        file: &Path,
        commit: Option<&str>,
        service: Option<&str>,
    ) -> Option<&Settled> {
        let name = self.name_of(file);
        let is_meant = |of: &Of| match of {
            Of::File { file, .. } => Some(file.as_str()) == name,
            of => self.governs(file) && commit.is_some_and(|commit| of.is_of(commit, service)),
        };
        self.dropped.iter().find(|settled| is_meant(&settled.of))
    }

    /// What was said of a good file.
    pub(super) fn lists(&self, file: &Path) -> Option<&Settled> {
        let name = self.name_of(file)?;
        self.good
            .iter()
            .find(|settled| settled.of.file() == Some(name))
    }

    /// The commits that it pins and drops.
    pub(in crate::commands) fn commits(&self) -> impl Iterator<Item = &str> {
        let all = self.pinned.iter().chain(&self.dropped);
        all.filter(|settled| settled.of.file().is_none())
            .map(|settled| settled.of.commit())
    }

    /// Puts the whole names of commits for the beginnings of their hashes.
    pub(in crate::commands) fn write_out(&mut self, commits: &Commits) {
        for settled in self.pinned.iter_mut().chain(&mut self.dropped) {
            if let Of::Commit { commit, .. } = &mut settled.of {
                *commit = commits.full(commit).to_owned();
            }
        }
    }

    /// Whether a file lies in its folder or below.
    pub(in crate::commands) fn governs(&self, file: &Path) -> bool {
        file.starts_with(&self.folder)
    }

    /// What a file in its very folder is called.
    fn name_of<'f>(&self, file: &'f Path) -> Option<&'f str> {
        let is_here = file.parent() == Some(&self.folder);
        file.file_name().filter(|_| is_here)?.to_str()
    }

    /// The text of the file.
    ///
    /// # Errors
    /// When it could not be read again.
    pub(super) fn checked_text(&self) -> Result<String> {
        let text = self.text();
        let name = visible(&self.path().display().to_string());
        read::fill(&mut Index::default(), &name, &text)?;
        Ok(text)
    }

    /// The text of the file: one list of lines in the order of the alphabet, so that git can merge what two branches added.
    fn text(&self) -> String {
        let lists = [
            (PINNED, &self.pinned),
            (DROPPED, &self.dropped),
            (GOOD, &self.good),
        ];
        let lines = lists
            .iter()
            .flat_map(|(state, list)| list.iter().map(|settled| line(state, settled)));
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        lines.dedup();
        format!("{ABOVE}\n{LIST} = [\n{}]\n", lines.concat())
    }
}

/// The line of an entry.
fn line(state: &str, settled: &Settled) -> String {
    let mut line = format!("  {{ state = \"{state}\"");
    let mut put = |key: &str, value: &str| {
        let _ = write!(line, ", {key} = {value}");
    };
    match &settled.of {
        Of::Commit { commit, service } => {
            put("commit", &quoted(commit));
            if let Some(service) = service {
                put("service", &quoted(service));
            }
        }
        Of::File { file, commit } => {
            put("file", &quoted(file));
            if !commit.is_empty() {
                put("commit", &quoted(commit));
            }
        }
    }
    if !settled.reason.is_empty() {
        put("reason", &quoted(&settled.reason));
    }
    if let Some(at) = settled.at {
        put("at", &at.to_string());
    }
    line + " },\n"
}

/// A string of TOML, with a code for what would not be seen.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        let is_seen = visible(letter.encode_utf8(&mut [0; 4])).chars().count() == 1;
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if is_seen => quoted.push(letter),
            letter => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Index> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::write(folder.path().join(NAME), text).expect("it can be written");
        let mut index = Index::read(folder.path())?;
        index.folder = PathBuf::new();
        Ok(index)
    }

    fn commit(commit: &str, service: Option<&str>) -> Of {
        Of::Commit {
            commit: commit.into(),
            service: service.map(str::to_owned),
        }
    }

    fn file(file: &str) -> Of {
        Of::File {
            file: file.into(),
            commit: String::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_again_whatever_the_names_are() {
        let settled = |of, reason: &str| Settled {
            of,
            reason: reason.into(),
            at: Timestamp::from_second(1_800_000_000).ok(),
        };
        let hostile = "a\"b\\c\n}, { commit = \"x\" #\u{1b}[31m\u{202e}\u{0}größe 🦀";
        let index = Index {
            folder: PathBuf::new(),
            pinned: vec![settled(commit("4f1c", Some("shop")), "release 2.0")],
            dropped: vec![
                settled(commit("9bd0", None), "rolled back"),
                settled(commit(hostile, Some(hostile)), hostile),
            ],
            good: vec![
                settled(file("a.plop"), ""),
                settled(file(&hostile.replace('\0', "")), ""),
            ],
        };
        let text = index.text();
        let again = read(&text).expect("it is as it was written");
        assert_eq!(again.text(), text);
        assert_eq!(again.pinned, index.pinned);
        for (list, other) in [(&again.dropped, &index.dropped), (&again.good, &index.good)] {
            assert!(
                list.len() == other.len() && list.iter().all(|one| other.contains(one)),
                "{text}"
            );
        }
        let lines = text.lines().filter(|line| line.starts_with("  {"));
        assert_eq!(lines.count(), 5, "{text}");
        // What two branches added, put together by git.
        let twice =
            "{ state = \"good\", file = \"a.plop\" }, { state = \"good\", file = \"z.plop\" },";
        let both = text.replace("settled = [\n", &format!("settled = [\n  {twice}\n"));
        assert_eq!(read(&both).expect("it is one list").good.len(), 3);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        // `{?` begins an entry that drops something.
        for (text, said) in [
            ("settled = [\n", ":1: not TOML"),
            (
                "\n\nbad = []",
                ":3: there is no key `bad`; there is settled",
            ),
            ("settled = 1", ":1: settled: expected a list of entries"),
            ("settled = [\n1]", ":2: expected an entry such as {"),
            (
                "settled = [\n{ commit = \"a\" }]",
                ":2: expected a key `state`: \"pinned\", \"dropped\" or \"good\"",
            ),
            (
                "settled = [\n{ state = \"bad\", commit = \"a\" }]",
                ":2: expected a key `state`",
            ),
            (
                "settled = [\n{ state = \"good\", commit = \"a\" }]",
                ":2: expected a key `file`",
            ),
            (
                "settled = [\n{ state = \"pinned\", file = \"a\" }]",
                ":2: a commit is pinned",
            ),
            ("settled = [{}]", ":1: expected a key `commit`, or `file`"),
            (
                "settled = [{? commit = \"\" }]",
                ":1: expected a key `commit`",
            ),
            ("settled = [{? commit = 7 }]", ":1: commit: expected a text"),
            ("settled = [{? why = \"b\" }]", ":1: there is no key `why`"),
            (
                "settled = [{? commit = \"a\", at = 3 }]",
                ":1: at: expected a time",
            ),
            (
                "settled = [{? file = \"../a\" }]",
                "of a file in this folder, found \"../a\"",
            ),
            (
                "settled = [{? file = \"/a\" }]",
                "expected the name of a file",
            ),
            (
                "settled = [{? file = \"..\" }]",
                "expected the name of a file",
            ),
            (
                "settled = [{? file = \"a/b\" }]",
                "expected the name of a file",
            ),
            (
                "settled = [\n{ state = \"good\", file = \"a\" },\n\n{? file = \"a\" }]",
                ":2: a is good, and dropped in line 4",
            ),
            (
                "settled = [{ state = \"pinned\", commit = \"a\" },\n{? commit = \"a\", service = \"s\" }]",
                ":1: a is pinned, and dropped in line 2",
            ),
            (
                "settled = [{ state = \"pinned\", commit = \"a\" },\n\
                 { state = \"pinned\", commit = \"b\", service = \"s\" }]",
                ":2: b is pinned, and another commit in line 1",
            ),
            ("settled = [\n<<<<<<< HEAD\n]", ":2: left by a merge"),
            ("settled = []\nsettled = []", ":2: not TOML"),
        ] {
            let text = text.replace("{?", "{ state = \"dropped\",");
            let told = read(&text).expect_err(&text).to_string();
            assert!(told.contains(said), "{text}: {told}");
            assert!(told.contains(NAME), "{told}");
        }
        // Two services have a pin each.
        let two = "settled = [{ state = \"pinned\", commit = \"a\", service = \"r\" }, \
                   { state = \"pinned\", commit = \"b\", service = \"s\" }]";
        assert_eq!(read(two).expect("they are two").pinned.len(), 2);
    }
}
