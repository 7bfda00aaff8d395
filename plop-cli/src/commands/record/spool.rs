//! The folder in which the processes of a recording leave their images, beside the profile that is
//! made of them. While it is there, they write into it; once it has gone, each saves a profile of its own.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plop_convert::{ReadOptions, find};
use plop_core::{Meta, Notes, Profile, ValueType};
use plop_sampler::recording::{Process, Recording, read};
use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::living::Living;

/// What comes between the profile's name and the random end of the folder's.
const MARK: &str = ".recording-";

/// A profile without samples: what is known of the recording before it begins.
const ABOUT: &str = "about.plop";

/// The ending of images.
const IMAGE: &str = "rec";

/// The largest image that is read.
const LARGEST: u64 = 1 << 30;

/// As much as a process has to save that has not recorded much.
const PROBE: usize = 256 << 10;

/// How long processes that outlive the program are waited for: workers that are told to go need a moment, and
/// one that has just begun needs one to show that it is sampled.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(super) struct Spool {
    pub(super) folder: PathBuf,
}

/// What was found in a spool.
pub(super) struct Found {
    /// What processes recorded, those that save it themselves left out.
    pub(super) recordings: Vec<Recording>,
    /// The ids of processes that still run and will save what they have themselves.
    pub(super) running: Vec<i64>,
    /// What could not be read.
    pub(super) notes: Notes,
}

impl Found {
    /// Adds the processes in which the agent still runs: all that has not come to its end is theirs to save.
    fn add_living(&mut self, living: &Living) {
        for pid in &living.recorded {
            let of_it = self.recordings.iter().map(|recording| &recording.process);
            let has_ended = of_it
                .filter(|process| process.pid == *pid)
                .any(|process| process.finished && process.ended != "exec");
            if !has_ended && !self.running.contains(pid) {
                self.running.push(*pid);
            }
        }
    }
}

impl Spool {
    /// A new folder beside a file of this path, which is to be absolute.
    pub(super) fn beside(file: &Path) -> Result<Spool> {
        let (Some(parent), Some(name)) = (file.parent(), file.file_name()) else {
            bail!("it is no file's name");
        };
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(MARK);
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(parent)?
            .keep();
        if geteuid().is_root() {
            // The program may become another user: anybody may add files here, nobody see or remove
            // those of others.
            fs::set_permissions(&folder, Permissions::from_mode(0o1733))?;
        }
        Ok(Spool { folder })
    }

    /// Notes down what is known before the program starts, so that the recording can be finished even
    /// if this process is not there at its end.
    pub(super) fn describe(&self, meta: &Meta) -> Result<()> {
        let mut about = Profile::new(vec![ValueType::samples()]);
        about.meta = meta.clone();
        let mut bytes = Vec::new();
        let plop = find("plop").context("there is no format plop")?;
        plop.write(&[about], &mut bytes, &mut Notes::new())
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        fs::write(self.folder.join(ABOUT), bytes)?;
        Ok(())
    }

    /// A folder that a recording left, with what it noted down.
    pub(super) fn left(folder: &Path) -> Result<(Spool, Meta)> {
        let bytes = fs::read(folder.join(ABOUT)).context("it is no folder of a recording")?;
        let loaded = plop_convert::read(&bytes, find("plop"), &ReadOptions::default())?;
        let about = loaded
            .profiles
            .into_iter()
            .next()
            .context("it tells nothing")?;
        let folder = folder.canonicalize()?;
        Ok((Spool { folder }, about.meta))
    }

    /// The profile beside which this folder was made, by its name.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let name = self.folder.file_name()?.as_bytes();
        let name = name.strip_prefix(b".")?;
        let end = name
            .windows(MARK.len())
            .rposition(|part| part == MARK.as_bytes())?;
        let name = std::ffi::OsStr::from_bytes(&name[..end]);
        Some(self.folder.with_file_name(name))
    }

    /// Waits a moment for processes that are about to end, then closes the folder to those that go on,
    /// and reads what is in it.
    pub(super) fn close(&mut self) -> Result<Found> {
        let started = Instant::now();
        let mut living = Living::of(&self.folder);
        while (!living.is_empty() || !self.read().running.is_empty())
            && started.elapsed() < PATIENCE
        {
            std::thread::sleep(Duration::from_millis(20));
            living = Living::of(&self.folder);
        }
        let outlived = !living.is_empty();
        // Of another name it is gone for whoever writes into it.
        let mut closed = self.folder.clone().into_os_string();
        closed.push(".closed");
        fs::rename(&self.folder, &closed)
            .with_context(|| format!("cannot rename {}", self.folder.display()))?;
        let closed = Spool {
            folder: closed.into(),
        };
        let mut found = closed.read();
        if outlived {
            found.add_living(&Living::of(&self.folder));
        }
        self.folder = closed.folder;
        Ok(found)
    }

    /// Gives a closed folder its name back, for the processes that go on and for a second attempt.
    pub(super) fn reopen(&mut self) {
        if let Some(open) = self
            .folder
            .to_str()
            .and_then(|name| name.strip_suffix(".closed"))
        {
            let open = PathBuf::from(open);
            if fs::rename(&self.folder, &open).is_ok() {
                self.folder = open;
            }
        }
    }

    /// Whether something can still be written here. What processes recorded is not here where it could not,
    /// and they had nowhere to say so.
    pub(super) fn probe(&self) -> std::io::Result<()> {
        let file = self.folder.join("probe");
        let written = fs::write(&file, vec![0; PROBE]);
        let _ = fs::remove_file(file);
        written
    }

    /// Removes the folder with all that is in it.
    pub(super) fn remove(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    fn read(&self) -> Found {
        let mut found = Found {
            recordings: Vec::new(),
            running: Vec::new(),
            notes: Notes::new(),
        };
        let mut files: Vec<PathBuf> = (fs::read_dir(&self.folder).into_iter().flatten())
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| file.extension().is_some_and(|end| end == IMAGE))
            .collect();
        files.sort();
        for file in files {
            match image(&file) {
                Ok(recording) if goes_on(&recording) => {
                    found.running.push(recording.process.pid);
                }
                Ok(recording) => found.recordings.push(recording),
                Err(error) => found.notes.add("bad-image", None, || {
                    let name = file.file_name().unwrap_or_default().display();
                    format!("what a process recorded cannot be read: {name}: {error:#}")
                }),
            }
        }
        // A process that has become another user goes on in another file, which has all that the first
        // one has.
        let is_last = |one: &Process, all: &[Recording]| {
            let of_it = |other: &Process| other.pid == one.pid && other.begin_ns == one.begin_ns;
            let later = |other: &Process| of_it(other) && other.end_ns > one.end_ns;
            !all.iter().any(|other| later(&other.process))
        };
        let keep: Vec<bool> = (found.recordings.iter())
            .map(|one| is_last(&one.process, &found.recordings))
            .collect();
        let mut keep = keep.into_iter();
        found.recordings.retain(|_| keep.next().unwrap_or(true));
        found
    }
}

/// Reads an image. Anybody may have put the file there.
fn image(file: &Path) -> Result<Recording> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(file)?;
    if !opened.metadata()?.is_file() {
        bail!("it is no file");
    }
    let mut bytes = Vec::new();
    opened.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(read(&bytes)?)
}

/// Whether a process still runs that has not come to the end of its recording.
fn goes_on(recording: &Recording) -> bool {
    let process = &recording.process;
    let samples = !process.finished && process.refused.is_empty();
    samples && process.pid > 0 && is_running(process.pid)
}

fn is_running(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = (stat.rsplit_once(") ")).and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_knows_its_file_and_what_was_noted_down() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("app.py-1.plop");
        let spool = Spool::beside(&file).unwrap();
        let meta = Meta {
            command: vec!["python".into(), "app.py".into()],
            ..Meta::default()
        };
        spool.describe(&meta).unwrap();
        let (mut left, about) = Spool::left(&spool.folder).unwrap();
        assert_eq!(about.command, meta.command);
        assert_eq!(left.file().unwrap(), file);
        left.close().unwrap();
        assert!(!spool.folder.exists());
        assert_eq!(left.file().unwrap(), file);
        left.reopen();
        assert!(spool.folder.exists());
        left.remove();
        assert!(!spool.folder.exists());
        assert!(Spool::left(folder.path()).is_err());
        assert!(Spool::beside(Path::new("/proc/x.plop")).is_err());
    }

    #[test]
    fn only_images_are_read_and_broken_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::beside(&folder.path().join("x.plop")).unwrap();
        fs::write(spool.folder.join("12-0.rec"), "PLOP").unwrap();
        fs::write(spool.folder.join("12-0.rec.tmp"), "half").unwrap();
        std::os::unix::fs::symlink("/dev/zero", spool.folder.join("13-0.rec")).unwrap();
        fs::create_dir(spool.folder.join("14-0.rec")).unwrap();
        let found = spool.read();
        assert!(found.recordings.is_empty() && found.running.is_empty());
        assert_eq!(found.notes.count("bad-image"), 3);
        assert!(is_running(std::process::id().into()));
        assert!(!is_running(0));
    }
}
