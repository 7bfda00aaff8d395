//! Processes of a recording that are alive, whether or not they have saved anything yet. A daemon that has
//! just been made has not.
//!
//! They are known by their environment, which a child has from its parent from its first moment on. A
//! program may write something else where its environment was; then only what it saves tells of it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::environment::escaped;

/// The name of the agent's thread.
const AGENTS_THREAD: &[u8] = b"plop\n";

/// What is alive of a recording.
#[derive(Default, Debug)]
pub(super) struct Living {
    /// The ids of processes in which the agent's thread runs.
    pub(super) recorded: Vec<i64>,
    /// The ids of those in which it does not, or not yet: they are no Python, or have just begun.
    pub(super) others: Vec<i64>,
}

impl Living {
    /// Looks for the processes that were told of this folder. One that was listed may have made another and ended
    /// before it was looked at, as daemons are made; so where nothing is found it is looked again.
    pub(super) fn of(spool: &Path) -> Living {
        let found = Living::at_once(spool);
        match found.is_empty() {
            true => Living::at_once(spool),
            false => found,
        }
    }

    fn at_once(spool: &Path) -> Living {
        let told = format!("spool={};", escaped(spool.as_os_str().as_bytes()));
        let mut living = Living::default();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<i64>().ok()) else {
                continue;
            };
            let process = entry.path();
            // That of another user's process cannot be read, and that of the kernel's is empty.
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let is_told = |variable: &[u8]| {
                variable.starts_with(b"PLOP_AGENT=")
                    && variable
                        .windows(told.len())
                        .any(|part| part == told.as_bytes())
            };
            if !environment.split(|byte| *byte == 0).any(is_told) {
                continue;
            }
            match has_agent(&process) {
                true => living.recorded.push(pid),
                false => living.others.push(pid),
            }
        }
        living.recorded.sort_unstable();
        living
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recorded.is_empty() && self.others.is_empty()
    }
}

/// Whether the agent's thread runs in a process, which is not plop itself.
fn has_agent(process: &Path) -> bool {
    let is_agents =
        |task: PathBuf| fs::read(task.join("comm")).is_ok_and(|name| name == AGENTS_THREAD);
    let tasks = fs::read_dir(process.join("task"))
        .into_iter()
        .flatten()
        .flatten();
    !is_agents(process.to_owned()) && tasks.map(|task| task.path()).any(is_agents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn processes_are_known_by_their_environment() {
        let folder = Path::new("/no/such folder/.x.plop.recording-AbCdEf");
        let order = format!(
            "root=1;spool={};out=x;",
            escaped(folder.as_os_str().as_bytes())
        );
        let mut told = Command::new("sleep")
            .arg("60")
            .env("PLOP_AGENT", order)
            .spawn()
            .unwrap();
        // A moment after exec a process has no environment yet.
        let environment = format!("/proc/{}/environ", told.id());
        while std::fs::read(&environment).unwrap().is_empty() {
            std::thread::yield_now();
        }
        let living = Living::of(folder);
        assert_eq!(living.others, [i64::from(told.id())]);
        assert!(living.recorded.is_empty());
        assert!(Living::of(Path::new("/no/such folder")).is_empty());
        told.kill().unwrap();
        told.wait().unwrap();
        assert!(Living::of(folder).is_empty());
    }
}
