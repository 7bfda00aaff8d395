//! The agent: the library that travels inside this program and is loaded into the process to be
//! recorded. It has to lie in a file for that, where the dynamic loader may map it and nobody else
//! may change it.
//!
//! The file is named by its contents, shared by all recordings, and never removed: a daemon that was
//! recorded once may start a child at any time later.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, bail};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::geteuid;

/// The library itself.
static AGENT: &[u8] = include_bytes!(env!("PLOP_AGENT_FILE"));

/// Puts the agent into the first folder that will do; returns where it lies.
pub(crate) fn place() -> Result<PathBuf> {
    let mut refusals = Vec::new();
    match place_in(&folders(), &mut refusals) {
        Some(file) => Ok(file),
        None => bail!(
            "there is no folder to put the sampler's library into: {} (name one with XDG_CACHE_HOME)",
            refusals.join("; ")
        ),
    }
}

/// The folders that may hold it, the best first.
fn folders() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = (variable("XDG_CACHE_HOME").map(PathBuf::from))
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    let own = format!("plop-{}", geteuid().as_raw());
    let shared = ["/var/tmp", "/tmp", "/dev/shm"].map(|folder| Path::new(folder).join(&own));
    cache
        .map(|cache| cache.join("plop"))
        .into_iter()
        .chain(shared)
        .collect()
}

fn place_in(folders: &[PathBuf], refusals: &mut Vec<String>) -> Option<PathBuf> {
    // A program that root starts may become another user, who has to reach the file, too.
    let rounds: &[bool] = if geteuid().is_root() {
        &[true, false]
    } else {
        &[false]
    };
    for for_everyone in rounds {
        for folder in folders {
            let placed = usable(folder)
                .and_then(|folder| match *for_everyone && !is_open(&folder) {
                    true => Err("other users cannot reach it".into()),
                    false => Ok(folder),
                })
                .and_then(|folder| put(&folder).map_err(|error| error.to_string()));
            match placed {
                Ok(file) => return Some(file),
                Err(why) => refusals.push(format!("{}: {why}", folder.display())),
            }
        }
        if rounds.len() > 1 && *for_everyone {
            refusals.clear();
        }
    }
    None
}

/// Makes the folder where it is not there, and tells its real path if it is ours alone, on a disk from
/// which code may be run, with a name that the dynamic loader can take.
fn usable(folder: &Path) -> Result<PathBuf, String> {
    if !folder.is_absolute() {
        return Err("not an absolute path".into());
    }
    let words = |error: io::Error| error.to_string();
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err("not a folder".into());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(words)?;
    let folder = parent.canonicalize().map_err(words)?.join(name);
    // What LD_PRELOAD is split at, and what the loader puts something else for.
    if (folder.as_os_str().as_bytes().iter()).any(|byte| b" :$\t\n".contains(byte)) {
        return Err("LD_PRELOAD cannot name it".into());
    }
    match DirBuilder::new().mode(0o755).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(words(error)),
        _ => {}
    }
    let meta = fs::symlink_metadata(&folder).map_err(words)?;
    if !meta.is_dir() {
        return Err("not a folder".into());
    }
    if meta.uid() != geteuid().as_raw() {
        return Err("it belongs to another user".into());
    }
    if meta.mode() & 0o777 != 0o755 {
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).map_err(words)?;
    }
    if let Some(loose) = folder.ancestors().skip(1).find(|above| !is_guarded(above)) {
        return Err(format!("others may replace what is in {}", loose.display()));
    }
    let mount = statvfs(&folder).map_err(|error| words(error.into()))?;
    if mount.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err("it is mounted noexec".into());
    }
    Ok(folder)
}

/// Whether only its owner, who is us or root, or the owners of its entries may replace what is in a folder.
fn is_guarded(folder: &Path) -> bool {
    let Ok(meta) = fs::symlink_metadata(folder) else {
        return false;
    };
    let (everyone, sticky) = (meta.mode() & 0o002 != 0, meta.mode() & 0o1000 != 0);
    [0, geteuid().as_raw()].contains(&meta.uid()) && (!everyone || sticky)
}

/// Whether every user may pass through to a folder.
fn is_open(folder: &Path) -> bool {
    let open = |above: &Path| fs::metadata(above).is_ok_and(|meta| meta.mode() & 0o001 != 0);
    folder.ancestors().all(open)
}

/// The file in the folder, written unless it is there as it should be.
fn put(folder: &Path) -> io::Result<PathBuf> {
    let file = folder.join(concat!("agent-", env!("PLOP_AGENT_HASH"), ".so"));
    if is_ours(&file) {
        // What cleans up temporary folders goes by this.
        if let Ok(opened) = fs::OpenOptions::new().append(true).open(&file) {
            let _ = opened.set_modified(SystemTime::now());
        }
        return Ok(file);
    }
    let mut partial = tempfile::Builder::new()
        .prefix(".agent-")
        .tempfile_in(folder)?;
    partial.write_all(AGENT)?;
    partial
        .as_file()
        .set_permissions(Permissions::from_mode(0o644))?;
    partial.persist(&file).map_err(|error| error.error)?;
    Ok(file)
}

/// Whether the file is there, whole, and nobody else may write to it.
fn is_ours(file: &Path) -> bool {
    let sound = |meta: fs::Metadata| {
        meta.is_file()
            && meta.uid() == geteuid().as_raw()
            && meta.mode() & 0o777 == 0o644
            && meta.len() == AGENT.len() as u64
    };
    fs::symlink_metadata(file).is_ok_and(sound) && fs::read(file).is_ok_and(|bytes| bytes == AGENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn placed(folder: &Path) -> Result<PathBuf, String> {
        let mut refusals = Vec::new();
        place_in(&[folder.to_owned()], &mut refusals).ok_or_else(|| refusals.join("; "))
    }

    fn tempdir() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn the_library_can_be_loaded_and_needs_no_other() {
        let folder = tempdir();
        let file = placed(&folder.path().join("plop")).unwrap();
        let output = Command::new("cat")
            .arg("/proc/self/maps")
            .env("LD_PRELOAD", &file)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let maps = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(maps.contains(&file.display().to_string()), "{maps}");
    }

    #[test]
    fn it_is_written_once_and_mended_when_it_is_not_as_it_should_be() {
        let folder = tempdir();
        let inside = folder.path().join("cache/plop");
        let file = placed(&inside).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&inside), mode(&file)), (0o755, 0o644));
        let inode = fs::metadata(&file).unwrap().ino();
        assert_eq!(placed(&inside).unwrap(), file);
        assert_eq!(fs::metadata(&file).unwrap().ino(), inode);
        for spoil in [
            |file: &Path| fs::write(file, "half").unwrap(),
            |file: &Path| fs::set_permissions(file, Permissions::from_mode(0o666)).unwrap(),
            |file: &Path| {
                fs::remove_file(file).unwrap();
                std::os::unix::fs::symlink("/etc/passwd", file).unwrap();
            },
        ] {
            spoil(&file);
            assert_eq!(placed(&inside).unwrap(), file);
            assert!(is_ours(&file));
        }
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 1);
    }

    #[test]
    fn folders_that_will_not_do_are_passed_over() {
        let folder = tempdir();
        let inside = |name: &str| folder.path().join(name);
        let spaced = placed(&inside("with space/plop")).unwrap_err();
        assert!(spaced.contains("LD_PRELOAD cannot name it"), "{spaced}");
        assert!(placed(&inside("with:colon/plop")).is_err());
        assert!(placed(Path::new("relative/plop")).is_err());
        let real = inside("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, inside("link")).unwrap();
        assert!(
            placed(&inside("link"))
                .unwrap_err()
                .contains("not a folder")
        );
        fs::write(inside("file"), "").unwrap();
        assert!(placed(&inside("file/plop")).is_err());
        let loose = inside("loose");
        fs::create_dir(&loose).unwrap();
        fs::set_permissions(&loose, Permissions::from_mode(0o777)).unwrap();
        let refused = placed(&loose.join("plop")).unwrap_err();
        assert!(refused.contains("others may replace"), "{refused}");
        // Mounted noexec wherever there is such a thing.
        assert!(placed(Path::new("/proc/plop")).is_err());
        let second = [inside("with space/plop"), inside("fine/plop")];
        let found = place_in(&second, &mut Vec::new()).unwrap();
        assert!(found.starts_with(folder.path().canonicalize().unwrap().join("fine/plop")));
    }
}
