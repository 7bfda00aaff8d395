//! The repository as the program `git` tells of it. Whatever git's settings, what it prints is the same; and
//! whatever it does, it takes no longer than a person waits.

use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use plop_diff::LastChange;

use super::hunks::{self, ChangedFile, Hunk, Lines};
use super::source::{LONGEST, Language};

/// How long git may take for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may look for the commit of a function, without which there is an answer as well.
const BRIEFLY: Duration = Duration::from_secs(10);
/// How much of an answer is read that is kept whole.
const LARGEST: u64 = 256 << 20;

/// A repository with files.
pub(super) struct Repository {
    root: PathBuf,
}

/// What is asked for in vain.
enum Failed {
    /// What git says of it.
    Said(String),
    Other(anyhow::Error),
}

impl Failed {
    fn told(self) -> anyhow::Error {
        match self {
            Failed::Said(text) => anyhow!("git says: {text}"),
            Failed::Other(error) => error,
        }
    }
}

impl Repository {
    /// The one around the working folder.
    pub(super) fn here() -> Result<Repository> {
        let here = Path::new(".");
        let root = text(here, &["rev-parse", "--show-toplevel"]).map_err(|failed| match failed {
            Failed::Said(text) if text.contains("not a git repository") => anyhow!(
                "the working folder is in no repository of git (change to one whose files are those of the program)"
            ),
            other => other.told(),
        })?;
        Ok(Repository {
            root: PathBuf::from(root.strip_suffix('\n').unwrap_or(&root)),
        })
    }

    /// The commit that is meant by a revision.
    pub(super) fn commit(&self, revision: &str) -> Result<String> {
        ensure!(
            !revision.starts_with('-') && !revision.trim().is_empty() && !revision.contains('\n'),
            "expected a revision such as origin/main or v1.4, found `{}`",
            revision.escape_debug()
        );
        ensure!(
            !revision.contains(".."),
            "expected one revision, the older one, found the range `{revision}`"
        );
        let asked = format!("{revision}^{{commit}}");
        match text(&self.root, &["rev-parse", "--verify", "--quiet", &asked]) {
            Ok(id) => Ok(id.trim().to_owned()),
            Err(Failed::Said(_)) => {
                let shallow = text(&self.root, &["rev-parse", "--is-shallow-repository"]);
                let is_shallow = shallow.is_ok_and(|answer| answer.trim() == "true");
                match is_shallow {
                    true => bail!(
                        "there is no revision `{revision}` in this clone, which is a shallow one (fetch it first: git \
                         fetch --unshallow, or git fetch --depth 1000; for actions/checkout set fetch-depth: 0)"
                    ),
                    false => bail!(
                        "there is no revision `{revision}` in this repository (git branch -a lists the branches; what \
                         is on the server alone has to be fetched: git fetch)"
                    ),
                }
            }
            Err(other) => Err(other.told()),
        }
    }

    /// The commit that is checked out; none in a repository without one.
    pub(super) fn head(&self) -> Option<String> {
        let id = text(
            &self.root,
            &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"],
        );
        id.ok().map(|id| id.trim().to_owned())
    }

    /// All files that git knows of.
    pub(super) fn files(&self) -> Result<Vec<String>> {
        let answer = text(&self.root, &["ls-files", "-z"]).map_err(Failed::told)?;
        let paths = answer.split_terminator('\0').map(str::to_owned);
        Ok(paths.collect())
    }

    /// What differs between a commit and the files that are there.
    pub(super) fn diff(&self, commit: &str) -> Result<Vec<ChangedFile>> {
        // One by one, what settings of people and of the repository could change.
        let words = [
            "diff",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--ignore-submodules=all",
            "--submodule=short",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--patch",
            "--unified=0",
            "--inter-hunk-context=0",
            "--find-renames",
            "-O/dev/null",
            commit,
            "--",
        ];
        let is_wanted = |path: &str| Language::of(path).is_some();
        let read = move |out: &mut dyn Read| hunks::read(&mut BufReader::new(out), is_wanted);
        git(&self.root, &words, PATIENCE, read).map_err(Failed::told)
    }

    /// The text of a file as it is now; none where there is none that somebody wrote.
    pub(super) fn now(&self, path: &str) -> Option<String> {
        let file = self.root.join(path);
        let about = std::fs::symlink_metadata(&file).ok()?;
        if !about.is_file() || about.len() > LONGEST {
            return None;
        }
        let bytes = std::fs::read(file).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text of a file in a commit.
    pub(super) fn then(&self, commit: &str, path: &str) -> Option<String> {
        let file = format!("{commit}:{path}");
        let text = text(&self.root, &["cat-file", "blob", &file]).ok()?;
        (text.len() as u64 <= LONGEST).then_some(text)
    }

    /// Files that are not as they were committed, and those that git does not know of and need not leave out.
    pub(super) fn uncommitted(&self) -> Result<Uncommitted> {
        let words = [
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--ignore-submodules=all",
        ];
        let answer = text(&self.root, &words).map_err(Failed::told)?;
        let mut found = Uncommitted::default();
        for entry in answer.split_terminator('\0') {
            let Some((kind, path)) = entry.split_at_checked(3) else {
                continue;
            };
            if Language::of(path).is_some() {
                let paths = match kind {
                    "?? " => &mut found.untracked,
                    _ => &mut found.changed,
                };
                paths.push(path.to_owned());
            }
        }
        Ok(found)
    }

    /// What last changed a function of a file since a commit; where its lines are only gone, and several commits may
    /// have taken them, the last one that changed its range. `is_clean` says that the file is as it was committed.
    pub(super) fn last_change(
        &self,
        since: &str,
        path: &str,
        hunks: &[Hunk],
        range: Option<Lines>,
        is_clean: bool,
    ) -> LastChange {
        self.blamed(since, path, hunks)
            .or_else(|| self.only_commit(since, path, is_clean))
            .or_else(|| self.last_of_range(since, path, range.filter(|_| is_clean)?))
            .unwrap_or_default()
    }

    /// Who changed a file, if that was one commit, or nobody's.
    fn only_commit(&self, since: &str, path: &str, is_clean: bool) -> Option<LastChange> {
        let range = format!("{since}..HEAD");
        let answer = self.log(&["-2", "--follow", &range, "--", path], PATIENCE)?;
        let mut lines = answer.lines();
        match (lines.next(), lines.next()) {
            (None, _) => Some(LastChange::Uncommitted),
            (Some(one), None) if is_clean => told(one),
            _ => None,
        }
    }

    fn last_of_range(&self, since: &str, path: &str, lines: Lines) -> Option<LastChange> {
        let commits = format!("{since}..HEAD");
        let last = lines.first + lines.count.checked_sub(1)?;
        let range = format!("-L{},{last}:{path}", lines.first);
        let answer = self.log(
            &["-1", &range, "--no-ext-diff", "--no-textconv", &commits],
            BRIEFLY,
        )?;
        told(answer.lines().next()?)
    }

    fn log(&self, words: &[&str], patience: Duration) -> Option<String> {
        let head = [
            "--literal-pathspecs",
            "log",
            "--no-show-signature",
            "--no-color",
            "--encoding=UTF-8",
            "--format=%H%x00%s",
        ];
        text_within(&self.root, &[&head, words].concat(), patience).ok()
    }

    /// The youngest of the commits that the lines are of.
    fn blamed(&self, since: &str, path: &str, hunks: &[Hunk]) -> Option<LastChange> {
        let ranges: Vec<String> = (hunks.iter())
            .filter(|hunk| hunk.after.count > 0)
            .map(|hunk| format!("-L{},+{}", hunk.after.first, hunk.after.count))
            .take(MOST_RANGES)
            .collect();
        if ranges.is_empty() {
            return None;
        }
        let not = format!("^{since}");
        let mut words = vec!["blame", "--porcelain", "--encoding=UTF-8"];
        words.extend(ranges.iter().map(String::as_str));
        words.extend([not.as_str(), "--", path]);
        youngest(&text(&self.root, &words).ok()?)
    }
}

/// So many changes of one function are looked at.
const MOST_RANGES: usize = 200;

/// Files of sources that are not as they were committed.
#[derive(Default)]
pub(super) struct Uncommitted {
    pub(super) changed: Vec<String>,
    pub(super) untracked: Vec<String>,
}

/// A commit by a line of the log.
fn told(line: &str) -> Option<LastChange> {
    let (id, subject) = line.split_once('\0')?;
    Some(commit(id, subject.trim_end()))
}

fn commit(id: &str, subject: &str) -> LastChange {
    LastChange::Commit {
        id: id.chars().take(12).collect(),
        subject: subject.to_owned(),
    }
}

/// The youngest commit of what `git blame --porcelain` prints.
fn youngest(porcelain: &str) -> Option<LastChange> {
    let mut found: Option<(i64, LastChange)> = None;
    let (mut id, mut time, mut subject) = ("", 0, "");
    for line in porcelain.lines() {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            _ if line.starts_with('\t') => {}
            _ if key.len() >= 40 && key.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                if key.bytes().all(|byte| byte == b'0') {
                    return Some(LastChange::Uncommitted);
                }
                id = key;
            }
            "committer-time" => time = rest.parse().unwrap_or(0),
            "summary" => subject = rest,
            // Where history ends, nobody knows who it was.
            "boundary" => id = "",
            // The last line of what is told of a commit.
            "filename" if !id.is_empty() && !subject.is_empty() => {
                if found.as_ref().is_none_or(|(youngest, _)| time > *youngest) {
                    found = Some((time, commit(id, subject)));
                }
                subject = "";
            }
            "filename" => subject = "",
            _ => {}
        }
    }
    found.map(|(_, change)| change)
}

/// What git prints, as text.
fn text(folder: &Path, words: &[&str]) -> Result<String, Failed> {
    text_within(folder, words, PATIENCE)
}

fn text_within(folder: &Path, words: &[&str], patience: Duration) -> Result<String, Failed> {
    git(folder, words, patience, |out| {
        let mut bytes = Vec::new();
        let read = out.take(LARGEST + 1).read_to_end(&mut bytes);
        read.context("cannot read what git prints")?;
        ensure!(
            bytes.len() as u64 <= LARGEST,
            "git prints more than anyone reads"
        );
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// Runs git and reads what it prints.
fn git<T: Send + 'static>(
    folder: &Path,
    words: &[&str],
    patience: Duration,
    read: impl FnOnce(&mut dyn Read) -> Result<T> + Send + 'static,
) -> Result<T, Failed> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .arg("--no-pager")
        .args(["-c", "core.quotePath=false", "-c", "core.fsmonitor=false"])
        .args(["-c", "diff.relative=false"])
        .args(words)
        // It would count more than --unified.
        .env_remove("GIT_DIFF_OPTS")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    ran(&mut command, patience, read)
}

fn ran<T: Send + 'static>(
    command: &mut Command,
    patience: Duration,
    read: impl FnOnce(&mut dyn Read) -> Result<T> + Send + 'static,
) -> Result<T, Failed> {
    let other = |error: anyhow::Error| Failed::Other(error);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| {
        other(match error.kind() {
            ErrorKind::NotFound => anyhow!(
                "there is no git on PATH, and it is asked what changed (install it, or leave --changed-since out)"
            ),
            _ => anyhow!("cannot run git: {error}"),
        })
    })?;
    let (mut out, errors) = (child.stdout.take(), child.stderr.take());
    let (send, answer) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody waits any more where that fails.
        let _ = send.send(out.as_mut().map(|out| read(out)));
    });
    let (send, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut errors) = errors {
            let _ = errors.by_ref().take(64 << 10).read_to_end(&mut text);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
        }
        let _ = send.send(String::from_utf8_lossy(&text).into_owned());
    });
    let until = Instant::now() + patience;
    let left = || until.saturating_duration_since(Instant::now());
    let stop = |child: &mut Child, why: anyhow::Error| {
        let _ = child.kill();
        let _ = child.wait();
        Err(Failed::Other(why))
    };
    let too_long = || {
        anyhow!(
            "git took longer than {} s (name a revision that is nearer)",
            patience.as_secs()
        )
    };
    let answer = match answer.recv_timeout(left()) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => return stop(&mut child, too_long()),
        Err(RecvTimeoutError::Disconnected) => {
            return stop(&mut child, anyhow!("cannot read what git prints"));
        }
    };
    let answer = match answer {
        Some(Ok(answer)) => Ok(answer),
        // Git need not print to the end what is not read.
        Some(Err(wrong)) => {
            let _ = child.kill();
            Err(wrong)
        }
        None => return stop(&mut child, anyhow!("cannot read what git prints")),
    };
    let said = said.recv_timeout(left()).unwrap_or_default();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if left().is_zero() => return stop(&mut child, too_long()),
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return stop(&mut child, anyhow!("cannot wait for git: {error}")),
        }
    };
    let answer = answer.map_err(other)?;
    if status.success() {
        return Ok(answer);
    }
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(Failed::Said(match said.is_empty() {
        true => format!("nothing, and ended with {status}"),
        false => said,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_ended() {
        let began = Instant::now();
        let answer = ran(
            Command::new("sleep").arg("100"),
            Duration::from_millis(100),
            |out| Ok(out.read(&mut [0])?),
        );
        let told = answer.map_err(Failed::told).expect_err("it does not end");
        assert!(told.to_string().contains("git took longer than"), "{told}");
        assert!(began.elapsed() < Duration::from_secs(60));
        // One that closes its output, and does not end.
        let answer = ran(
            Command::new("sh").args(["-c", "exec >&- 2>&-; sleep 100"]),
            Duration::from_millis(100),
            |out| Ok(out.read(&mut [0])?),
        );
        let told = answer.map_err(Failed::told).expect_err("it does not end");
        assert!(told.to_string().contains("git took longer than"), "{told}");
    }

    #[test]
    fn the_youngest_commit_of_some_lines_is_told() {
        let block = |id: &str, time: i64, subject: &str, extra: &str| {
            format!(
                "{} 4 4 1\nauthor Ann\ncommitter-time {time}\nsummary {subject}\n{extra}filename x.py\n\tsummary of a line\n",
                id.repeat(40)
            )
        };
        let told = |text: &str| youngest(text);
        let two = block("a", 10, "old", "") + &block("b", 20, "new", "previous c x.py\n");
        assert_eq!(told(&two), Some(commit(&"b".repeat(40), "new")));
        // Where history ends, nobody knows who wrote the line.
        assert_eq!(told(&block("a", 10, "old", "boundary\n")), None);
        let uncommitted = two + &block("0", 30, "Version of x.py", "");
        assert_eq!(told(&uncommitted), Some(LastChange::Uncommitted));
    }
}
