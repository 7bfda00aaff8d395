//! Other programs that tests need: where they are, and running them.
#![allow(dead_code)]

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempDir};

/// Longer than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// A variable of the environment. Without it a test is skipped, or fails where CI is set.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(!in_ci(), "CI is set, but {name} is not");
        let thread = std::thread::current();
        skipped(&format!(
            "{}, since {name} is not set",
            thread.name().unwrap_or("a test")
        ));
    }
    value
}

pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// Tells that something was not tested, whether or not output is captured.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// Writes a file that can be executed, with this mode. Another process does it: what one of our other
/// threads starts in the same moment would hold the file open for writing, and it could not be executed.
pub(crate) fn executable(file: &Path, mode: &str, content: &[u8]) {
    let mut install = (Command::new("install").args(["-m", mode, "/dev/stdin"]))
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .expect("install runs");
    (install.stdin.take().expect("a pipe"))
        .write_all(content)
        .expect("install reads");
    assert!(install.wait().expect("install ends").success());
}

/// Runs a command, which must succeed; returns its output.
pub(crate) fn finish(command: &mut Command) -> String {
    output(command).0
}

/// Runs a command, which must succeed; returns what it wrote to stdout and to stderr.
pub(crate) fn output(command: &mut Command) -> (String, String) {
    let ended = ended(command);
    let program = command.get_program();
    let args: Vec<_> = command.get_args().take(8).collect();
    let status = ended.status;
    assert!(
        status.success(),
        "{program:?} {args:?}: {status}: {}",
        ended.stderr
    );
    (ended.stdout, ended.stderr)
}

/// How a command ended, and what it wrote.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command, which must end in time.
pub(crate) fn ended(command: &mut Command) -> Ended {
    Started::new(command).wait()
}

/// A command that runs, its output going into files, so that a child that lives on holds up nobody.
pub(crate) struct Started {
    pub(crate) process: Running,
    name: String,
    out: NamedTempFile,
    err: NamedTempFile,
}

impl Started {
    pub(crate) fn new(command: &mut Command) -> Started {
        let [out, err] =
            [(); 2].map(|()| tempfile::NamedTempFile::new().expect("a file can be made"));
        let handles = [&out, &err].map(|file| file.reopen().expect("a file can be opened"));
        let [stdout, stderr] = handles;
        let child = (command.stdin(Stdio::null()).stdout(stdout).stderr(stderr))
            .spawn()
            .unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()));
        Started {
            process: Running(child),
            name: format!("{command:?}"),
            out,
            err,
        }
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        text(&self.out)
    }

    pub(crate) fn wait(self) -> Ended {
        let status = self.process.wait();
        let [stdout, stderr] = [&self.out, &self.err].map(text);
        match status {
            Some(status) => Ended {
                status,
                stdout,
                stderr,
            },
            None => panic!("{}: not done in {LIMIT:?}: {stderr}", self.name),
        }
    }
}

fn text(file: &NamedTempFile) -> String {
    let bytes = std::fs::read(file).expect("a file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn is_alive(&mut self) -> bool {
        let status = self.0.try_wait().expect("a child can be waited for");
        status.is_none()
    }

    /// How it ended, if it does in time.
    fn wait(mut self) -> Option<ExitStatus> {
        let started = Instant::now();
        while started.elapsed() < LIMIT {
            if let Some(status) = self.0.try_wait().expect("a child can be waited for") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // Where it leads a group, all of the group goes with it.
            let group = format!("-{}", self.0.id());
            let mut kill = Command::new("kill");
            let _ = (kill.args(["-KILL", "--", &group]).stderr(Stdio::null())).status();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn tempdir() -> TempDir {
    tempfile::tempdir().expect("a folder can be made")
}
