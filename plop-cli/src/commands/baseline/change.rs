//! Changing an index: one at a time, and whole or not at all, since two jobs may file their deploys in one moment.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::index::Index;
use crate::output::write_text;

/// What is locked; it is there only as long as somebody works on the folder.
const LOCK: &str = ".plop-baseline.lock";
/// So long it is waited for, and looked again so often.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Reads the index of a folder, has it changed, and writes it; nobody else does meanwhile.
///
/// # Errors
/// When the folder cannot be written to, the index is broken, another keeps it for too long, or `edit` fails: then
/// nothing is written.
pub(super) fn change<T>(folder: &Path, edit: impl FnOnce(&mut Index) -> Result<T>) -> Result<T> {
    ensure!(
        folder.is_dir(),
        "{}: there is no such folder",
        folder.display()
    );
    let _lock = Lock::take(folder, PATIENCE)?;
    let old = Index::read(folder)?;
    let mut new = old.clone();
    let answer = edit(&mut new)?;
    if new != old {
        write_text(Some(&new.path()), &new.checked_text()?)?;
    }
    Ok(answer)
}

/// A lock that ends with its process, however that ends.
struct Lock {
    path: PathBuf,
    /// What is locked; closing it is what lets others in.
    _file: File,
}

impl Lock {
    fn take(folder: &Path, patience: Duration) -> Result<Lock> {
        let path = folder.join(LOCK);
        let began = Instant::now();
        loop {
            let file = (OpenOptions::new().create(true).truncate(false).write(true))
                .open(&path)
                .with_context(|| format!("cannot write into {}", folder.display()))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Whoever had it before may have taken the file away, and a third may have another one.
                Ok(()) if is_at(&file, &path) => return Ok(Lock { path, _file: file }),
                Ok(()) | Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if began.elapsed() < patience => std::thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => bail!(
                    "another plop baseline has been at work on {} for {} s (try again when it has ended)",
                    folder.display(),
                    patience.as_secs()
                ),
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Where it cannot be taken away it stays, and does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a file is the one that a path leads to.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(here), Ok(there)) => (here.dev(), here.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::baseline::index::{Of, Settled};

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder can be made")
    }

    #[test]
    fn changes_at_the_same_time_are_all_there() {
        let folder = folder();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    for n in 0..20 {
                        change(folder, |index| {
                            let of = Of::File {
                                file: format!("{thread}-{n}.plop"),
                                commit: "c".into(),
                            };
                            index.good.push(Settled::new(of, None));
                            Ok(())
                        })
                        .expect("it can be written");
                    }
                });
            }
        });
        let index = Index::read(folder.path()).expect("it can be read");
        assert_eq!(index.good.len(), 160);
        let left = std::fs::read_dir(folder.path()).expect("it is there");
        assert_eq!(left.count(), 1, "nothing but the index");
    }

    #[test]
    fn what_fails_changes_nothing_and_a_lock_is_not_waited_for_without_end() {
        let folder = folder();
        let failed = change(folder.path(), |index| -> Result<()> {
            index.dropped.clear();
            bail!("no")
        });
        assert!(failed.is_err() && !folder.path().join("plop-baseline.toml").exists());
        let held = Lock::take(folder.path(), PATIENCE).expect("nobody has it");
        let refused = Lock::take(folder.path(), Duration::ZERO).err();
        let refused = refused.expect("somebody has it").to_string();
        assert!(refused.contains("another plop baseline"), "{refused}");
        drop(held);
        // One that was left behind is nobody's.
        std::fs::write(folder.path().join(LOCK), "").expect("it can be written");
        assert!(Lock::take(folder.path(), Duration::ZERO).is_ok());
    }
}
