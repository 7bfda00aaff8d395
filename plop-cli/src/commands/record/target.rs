//! Where a recording goes: the file, its format, and that it can be written at all, before the
//! program starts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Zoned;

use super::finish::numbered;
use super::{Args, program};
use crate::commands::convert::is_folder;
use crate::output::{Output, OutputArgs, is_special};

/// The folder for recordings without a name, as in the original Plop.
const FOLDER: &str = "profiles";

pub(super) struct Target {
    /// The file, as it was named or made up.
    pub(super) output: Output,
    /// The same as an absolute path; beside it lie what belongs to the recording.
    pub(super) file: PathBuf,
    /// Whether the name was made up: then a file that is there is not replaced.
    pub(super) fresh: bool,
}

impl Target {
    /// Settles where it goes, and makes sure of the folder.
    pub(super) fn settle(args: &Args) -> Result<Target> {
        let (folder, named) = match &args.output {
            None => (Some(PathBuf::from(FOLDER)), None),
            Some(path) if is_folder(path) => (Some(path.clone()), None),
            Some(file) => (None, Some(file.clone())),
        };
        let default = if args.timeline { "speedscope" } else { "plop" };
        let output = OutputArgs {
            // Of a name that is made up, the format decides the ending, and not the other way round.
            output: Some(named.clone().unwrap_or_else(|| "recording".into())),
            format: args.format.clone(),
            gzip: args.gzip,
            strict: false,
            json: false,
        }
        .settle(Some(default))?;
        let Some(file) = &output.file else {
            bail!("standard output is the program's (name a file with -o)");
        };
        let output = match folder {
            None => output.to_file(file.clone()),
            Some(folder) => {
                std::fs::create_dir_all(&folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
                let name = made_up(
                    program::name(&args.command),
                    &Zoned::now(),
                    &output.ending(),
                );
                let file = folder.join(name);
                let free = (1..)
                    .map(|n| numbered(&file, &output, n))
                    .find(|file| is_free(file));
                output.to_file(free.unwrap_or(file))
            }
        };
        let file = absolute(&output)?;
        Ok(Target {
            output,
            file,
            fresh: named.is_none(),
        })
    }

    /// A target for a recording that was left behind.
    pub(super) fn named(args: &Args, file: PathBuf, format: Option<String>) -> Result<Target> {
        let output = OutputArgs {
            output: Some(args.output.clone().unwrap_or(file)),
            format: args.format.clone().or(format),
            gzip: args.gzip,
            strict: false,
            json: false,
        }
        .settle(Some("plop"))?;
        Ok(Target {
            file: absolute(&output)?,
            fresh: args.output.is_none(),
            output,
        })
    }
}

/// The absolute path beside which things can be put; for what is no file a path among temporary ones.
fn absolute(output: &Output) -> Result<PathBuf> {
    let file = output
        .file
        .as_ref()
        .context("a recording goes into a file")?;
    let cannot = || format!("cannot write {}", file.display());
    let name = file
        .file_name()
        .context("it has no name")
        .with_context(cannot)?;
    if is_special(file) {
        return Ok(std::env::temp_dir().canonicalize()?.join(name));
    }
    let parent = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        bail!(
            "cannot write {}: there is no folder {}",
            file.display(),
            parent.display()
        );
    }
    Ok(parent.canonicalize().with_context(cannot)?.join(name))
}

/// `app.py-20261120-0831-58.plop`, as in the original Plop.
fn made_up(name: OsString, now: &Zoned, ending: &str) -> OsString {
    let mut file = name;
    file.push(format!("-{}.{ending}", now.strftime("%Y%m%d-%H%M-%S")));
    file
}

/// Whether neither a file of this name is there, nor a recording that will become one.
fn is_free(file: &Path) -> bool {
    let mut recording = OsString::from(".");
    recording.push(file.file_name().unwrap_or_default());
    recording.push(".recording-");
    let recording = recording.as_encoded_bytes();
    let folder = file.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    file.symlink_metadata().is_err()
        && !names.any(|name| name.as_encoded_bytes().starts_with(recording))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_original() {
        let now: Zoned = "2026-11-20T08:31:58[UTC]".parse().unwrap();
        let name = made_up("app.py".into(), &now, "plop");
        assert_eq!(name, "app.py-20261120-0831-58.plop");
    }

    #[test]
    fn a_name_is_free_when_nothing_claims_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.plop");
        assert!(is_free(&file));
        std::fs::create_dir(folder.path().join(".a.plop.recording-Xy12")).unwrap();
        assert!(!is_free(&file));
        std::fs::write(folder.path().join("b.plop"), "").unwrap();
        assert!(!is_free(&folder.path().join("b.plop")));
    }
}
