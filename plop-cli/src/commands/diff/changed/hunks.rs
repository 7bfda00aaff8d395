//! What `git diff` prints: which files changed, and which lines of each. It is read as it comes, a line at a time, so
//! that a diff of any length takes no more memory than its hunks, and strictly: what is not understood is an error,
//! since lines that were passed over would be functions that nobody touched.

use std::io::BufRead;

use anyhow::{Context, Result, bail, ensure};

/// A file that changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ChangedFile {
    /// Its path before; none where it is new.
    pub(super) before: Option<String>,
    /// Its path after; none where it is gone.
    pub(super) after: Option<String>,
    pub(super) hunks: Vec<Hunk>,
    /// Whether lines are not told, because git takes it for no text.
    pub(super) is_whole: bool,
}

/// Lines that stand in the place of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hunk {
    pub(super) before: Lines,
    pub(super) after: Lines,
}

/// Some lines, the first and how many. Of none, the first is the one behind which they would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lines {
    pub(super) first: u32,
    pub(super) count: u32,
}

/// More hunks than these are no change that somebody looks at.
const MOST: usize = 2_000_000;
/// So much of a line is looked at: paths are shorter, and what stands in files does not matter.
const LONGEST: usize = 32 << 10;

/// The files of a diff without context. Hunks are kept of files that are `wanted`.
pub(super) fn read(
    input: &mut impl BufRead,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<ChangedFile>> {
    let mut lines = LineReader {
        input,
        line: Vec::new(),
        number: 0,
    };
    let mut files: Vec<ChangedFile> = Vec::new();
    let (mut count, mut is_wanted) = (0, false);
    while lines.next()? {
        let line = String::from_utf8_lossy(&lines.line).into_owned();
        let wrong = || format!("line {} of git diff: ", lines.number);
        if let Some(names) = line.strip_prefix("diff --git ") {
            let both = same_name(names);
            files.push(ChangedFile {
                before: both.clone(),
                after: both,
                ..ChangedFile::default()
            });
            is_wanted = true;
            continue;
        }
        if line.starts_with("* Unmerged path ") {
            bail!("a merge is not finished: {}", &line[2..]);
        }
        let Some(file) = files.last_mut() else {
            bail!("{}expected `diff --git`, found {}", wrong(), brief(&line));
        };
        let name = |text: &str, side: &str| name(text, side).with_context(wrong);
        if let Some(rest) = line.strip_prefix("--- ") {
            file.before = name(rest, "a/")?;
        } else if let Some(rest) = line.strip_prefix("+++ ") {
            file.after = name(rest, "b/")?;
            let paths = [&file.before, &file.after];
            is_wanted = paths.into_iter().flatten().any(|path| wanted(path));
        } else if let Some(rest) = line.strip_prefix("rename from ") {
            file.before = name(rest, "")?;
        } else if let Some(rest) = line.strip_prefix("rename to ") {
            file.after = name(rest, "")?;
        } else if line.starts_with("Binary files ") && line.ends_with(" differ") {
            file.is_whole = true;
        } else if line.starts_with("@@ ") {
            let found = hunk(&line);
            let hunk = found
                .with_context(|| format!("{}expected a hunk, found {}", wrong(), brief(&line)))?;
            lines.skip_changes(hunk)?;
            if is_wanted {
                file.hunks.push(hunk);
                count += 1;
                ensure!(
                    count <= MOST,
                    "there are more than {MOST} changes (name a revision that is nearer)"
                );
            }
        } else {
            const OTHERS: [&str; 9] = [
                "index ",
                "old mode ",
                "new mode ",
                "deleted file mode ",
                "new file mode ",
                "similarity index ",
                "dissimilarity index ",
                "copy from ",
                "copy to ",
            ];
            let known = OTHERS.iter().find(|other| line.starts_with(**other));
            match known {
                Some(&"new file mode ") => file.before = None,
                Some(&"deleted file mode ") => file.after = None,
                Some(_) => {}
                None => bail!(
                    "{}expected what is known of a diff, found {}",
                    wrong(),
                    brief(&line)
                ),
            }
        }
    }
    files.retain(|file| {
        let paths = [&file.before, &file.after];
        paths.into_iter().flatten().any(|path| wanted(path))
    });
    Ok(files)
}

/// A line in an error.
fn brief(line: &str) -> String {
    let start: String = line.chars().take(60).collect();
    format!("`{}`", start.escape_debug())
}

/// `@@ -1,2 +3 @@`: none where it is no such thing.
fn hunk(line: &str) -> Option<Hunk> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (before, after) = ranges.split_once(" +")?;
    let lines = |text: &str| -> Option<Lines> {
        let (first, count) = text.split_once(',').unwrap_or((text, "1"));
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_number)
        };
        let lines = Lines {
            first: number(first)?,
            count: number(count)?,
        };
        lines.first.checked_add(lines.count).map(|_| lines)
    };
    Some(Hunk {
        before: lines(before)?,
        after: lines(after)?,
    })
}

/// The name that stands twice in `a/x b/x`; none where the two differ, which other lines tell.
fn same_name(names: &str) -> Option<String> {
    if let Some(rest) = names.strip_prefix('"') {
        let end = 1 + closing_quote(rest)?;
        let (first, second) = (
            unquoted(&names[..=end])?,
            names[end + 1..].strip_prefix(' ')?,
        );
        let (first, second) = (first, unquoted(second)?);
        let name = first.strip_prefix("a/")?;
        return (second.strip_prefix("b/")? == name).then(|| name.to_owned());
    }
    let middle = names.len() / 2;
    let (first, second) = names.split_at_checked(middle)?;
    let name = first.strip_prefix("a/")?;
    (second.strip_prefix(" b/")? == name).then(|| name.to_owned())
}

/// A path of one side; none for `/dev/null`.
fn name(text: &str, side: &str) -> Result<Option<String>> {
    // Behind a name with spaces stands a tab.
    let text = text.strip_suffix('\t').unwrap_or(text);
    if text == "/dev/null" && !side.is_empty() {
        return Ok(None);
    }
    let path = match text.starts_with('"') {
        true => unquoted(text),
        false => Some(text.to_owned()),
    };
    let path = path.as_deref().and_then(|path| path.strip_prefix(side));
    match path {
        Some(path) if !path.is_empty() => Ok(Some(path.to_owned())),
        _ => bail!("expected a path, found {}", brief(text)),
    }
}

/// Where the quote is that ends a name whose first one is gone.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// A name in quotes, as C writes strings.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::new();
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            sign @ (b'"' | b'\\') => sign,
            first @ b'0'..=b'3' => {
                let digit = |byte: u8| byte.checked_sub(b'0').filter(|digit| *digit < 8);
                let (second, third) = (digit(rest.next()?)?, digit(rest.next()?)?);
                (first - b'0') * 64 + second * 8 + third
            }
            _ => return None,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lines, of which the beginning is kept.
struct LineReader<'i, I> {
    input: &'i mut I,
    line: Vec<u8>,
    number: usize,
}

impl<I: BufRead> LineReader<'_, I> {
    /// Reads a line without its end; false where there is none.
    fn next(&mut self) -> Result<bool> {
        self.line.clear();
        self.number += 1;
        let mut any = false;
        loop {
            let buffer = self
                .input
                .fill_buf()
                .context("cannot read what git prints")?;
            if buffer.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = LONGEST.saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(&part[..room]);
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Passes over the lines of a hunk, which are as many as it says.
    fn skip_changes(&mut self, hunk: Hunk) -> Result<()> {
        let (mut gone, mut new) = (hunk.before.count, hunk.after.count);
        while gone > 0 || new > 0 {
            let is_line = self.next()?;
            match self.line.first() {
                Some(b'-') if gone > 0 => gone -= 1,
                Some(b'+') if new > 0 => new -= 1,
                Some(b'\\') if is_line => {}
                _ => bail!(
                    "line {} of git diff: expected {gone} more lines that are gone and {new} that are new",
                    self.number
                ),
            }
        }
        // That the last line has no end.
        let next = self
            .input
            .fill_buf()
            .context("cannot read what git prints")?;
        if next.first() == Some(&b'\\') {
            self.next()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Result<Vec<ChangedFile>> {
        read(&mut text.as_bytes(), |_| true)
    }

    fn hunk_of(before: (u32, u32), after: (u32, u32)) -> Hunk {
        let lines = |(first, count)| Lines { first, count };
        Hunk {
            before: lines(before),
            after: lines(after),
        }
    }

    #[test]
    fn files_and_lines_are_told() {
        let text = "diff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n@@ -3,0 +4,2 @@ def f():\n+a\n\
            +--- b\n@@ -9 +11,0 @@\n-@@ -1 +1 @@\n\\ No newline at end of file\n\
            diff --git a/old.rs b/new.rs\nsimilarity index 90%\nrename from old.rs\nrename to new.rs\nindex 1..2\n\
            --- a/old.rs\n+++ b/new.rs\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\
            diff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
            diff --git a/a b/c b/a b/c\nindex 1..2\nBinary files a/a b/c and b/a b/c differ\n\
            diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n\
            diff --git \"a/t\\tb\\303\\244\\\"\" \"b/t\\tb\\303\\244\\\"\"\nnew file mode 100644\nindex 0..1\n--- /dev/null\n\
            +++ \"b/t\\tb\\303\\244\\\"\"\n@@ -0,0 +1 @@\n+x\n\
            diff --git a/with space b/with space\nindex 1..2\n--- a/with space\t\n+++ b/with space\t\n@@ -1 +1 @@\n-a\n+b\n";
        let found = files(text).expect("it is a diff");
        let names: Vec<[Option<&str>; 2]> = found
            .iter()
            .map(|file| [file.before.as_deref(), file.after.as_deref()])
            .collect();
        let odd = "t\tbä\"";
        assert_eq!(
            names,
            [
                [Some("x.py"); 2],
                [Some("old.rs"), Some("new.rs")],
                [Some("gone"), None],
                [Some("a b/c"); 2],
                [Some("mode"); 2],
                [None, Some(odd)],
                [Some("with space"); 2]
            ]
        );
        assert_eq!(
            found[0].hunks,
            [hunk_of((3, 0), (4, 2)), hunk_of((9, 1), (11, 0))]
        );
        assert!(found[3].is_whole && !found[0].is_whole);
        assert!(found[3].hunks.is_empty() && found[4].hunks.is_empty());
    }

    #[test]
    fn what_is_no_diff_is_an_error() {
        let head = "diff --git a/x b/x\n--- a/x\n+++ b/x\n";
        for (text, said) in [
            ("hello\n", "line 1 of git diff: expected `diff --git`"),
            ("@@ -1 +1 @@\n", "expected `diff --git`"),
            (
                &format!("{head}@@ -1 +1 @@\n-a\n"),
                "expected 0 more lines that are gone and 1 that are new",
            ),
            (&format!("{head}@@ -1 +1 @@\n-a\n b\n+c\n"), "line 6"),
            (&format!("{head}@@ -1,x +1 @@\n"), "expected a hunk"),
            (&format!("{head}@@ -1 +1\n"), "expected a hunk"),
            (&format!("{head}@@ -99999999999 +1 @@\n"), "expected a hunk"),
            (
                &format!("{head}@@@ -1 -1 +1 @@@\n"),
                "expected what is known of a diff",
            ),
            (
                &format!("{head}more\n"),
                "expected what is known of a diff, found `more`",
            ),
            ("diff --git a/x b/x\n--- \"a/x\n", "expected a path"),
            ("* Unmerged path x.py\n", "a merge is not finished"),
        ] {
            let wrong = files(text).expect_err(text);
            assert!(format!("{wrong:#}").contains(said), "{wrong:#}");
        }
    }

    /// A file of one endless line, and one of a million lines.
    #[test]
    fn long_diffs_take_little_memory() {
        let mut text = String::from(
            "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,1000001 @@\n+",
        );
        text += &"x".repeat(4 << 20);
        text += "\n";
        text += &"+y\n".repeat(1_000_000);
        let found = files(&text).expect("it is a diff");
        assert_eq!(found[0].hunks, [hunk_of((0, 0), (1, 1_000_001))]);
        let many = "diff --git a/x b/x\n--- a/x\n+++ b/x\n".to_owned()
            + &"@@ -1 +1 @@\n-a\n+b\n".repeat(MOST + 1);
        let wrong = files(&many).expect_err("there are too many");
        assert!(wrong.to_string().contains("2000000 changes"), "{wrong}");
        let unwanted = read(&mut many.as_bytes(), |_| false).expect("nobody keeps them");
        assert_eq!(unwanted, []);
    }
}
