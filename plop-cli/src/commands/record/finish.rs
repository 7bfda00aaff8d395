//! From what processes recorded to profiles in files.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plop_convert::Format;
use plop_core::{Attribute, Features, Meta, Profile};
use plop_sampler::recording::{Recording, join};
use serde_json::Value;

use crate::args::Settings;
use crate::commands::convert;
use crate::output::Output;
use crate::select::as_drawn;

/// Keys under which a recording's folder notes down what the profile itself does not say.
pub(super) const LABEL: &str = "record.label.";
pub(super) const FORMAT: &str = "record.format";
pub(super) const PER_PROCESS: &str = "record.per_process";

/// What belongs in every profile of a recording, and how they are written.
pub(super) struct Plan<'p> {
    pub(super) about: &'p Meta,
    pub(super) output: &'p Output,
    /// Whether the output's name was made up, so that a file that is there is left alone.
    pub(super) fresh: bool,
    pub(super) strict: bool,
}

/// A profile that was written.
pub(super) struct Written {
    pub(super) file: PathBuf,
    pub(super) profile: Profile,
    /// What was written and lost, as JSON.
    pub(super) answer: Value,
}

/// Writes one profile of all processes, or one for each. Nothing is written where there are no samples.
pub(super) fn write(
    recordings: Vec<Recording>,
    plan: &Plan,
    settings: &Settings,
) -> Result<Vec<Written>> {
    let per_process = plan.about.extra.iter().any(|(key, _)| key == PER_PROCESS);
    let groups = match per_process {
        false => vec![(None, recordings)],
        true => by_process(recordings),
    };
    let mut written = Vec::new();
    for (pid, recordings) in groups {
        if recordings
            .iter()
            .all(|recording| recording.profile.samples.is_empty())
        {
            continue;
        }
        let profile = described(join(recordings)?, plan.about);
        let profile = as_drawn(
            without_zeros(profile, plan.output.format),
            plan.output.format,
        );
        let file = plan
            .output
            .file
            .clone()
            .context("a recording goes into a file")?;
        let file = match pid {
            Some(pid) => of_process(&file, plan.output, pid),
            None => file,
        };
        written.push(write_one(profile, file, plan, settings)?);
    }
    Ok(written)
}

/// The profile for a format that holds one value only: without what has none of the default one, which
/// would be there with a count of 0.
fn without_zeros(profile: Profile, format: &Format) -> Profile {
    let value = profile.default_value;
    match format.keeps.contains(Features::VALUES) || profile.total(value) == 0 {
        true => profile,
        false => profile.retain(|sample| sample.values[value] != 0),
    }
}

/// Writes a profile; beside a file that is there where the name was made up.
fn write_one(profile: Profile, file: PathBuf, plan: &Plan, settings: &Settings) -> Result<Written> {
    let strict = plan.strict.then(Vec::new);
    let profiles = [profile];
    for n in 1.. {
        let file = numbered(&file, plan.output, n);
        let output = plan.output.to_file(file.clone()).replacing(!plan.fresh);
        match convert::write(
            &profiles,
            &output,
            strict.clone(),
            "plop.record/1",
            settings,
        ) {
            Err(error) if plan.fresh && is_taken(&error) => {}
            answer => {
                let [profile] = profiles;
                return Ok(Written {
                    file,
                    profile,
                    answer: answer?,
                });
            }
        }
    }
    unreachable!("numbers do not end")
}

fn is_taken(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::AlreadyExists)
}

/// The recordings of each process; none as the id of the one that was started.
fn by_process(recordings: Vec<Recording>) -> Vec<(Option<i64>, Vec<Recording>)> {
    let mut groups: Vec<(Option<i64>, Vec<Recording>)> = Vec::new();
    for recording in recordings {
        let process = &recording.process;
        let pid = (!process.root).then_some(process.pid);
        match groups.iter_mut().find(|(known, _)| *known == pid) {
            Some((_, group)) => group.push(recording),
            None => groups.push((pid, vec![recording])),
        }
    }
    groups.sort_by_key(|(pid, _)| *pid);
    groups
}

/// The profile with what is known of its recording.
fn described(mut profile: Profile, about: &Meta) -> Profile {
    let meta = &mut profile.meta;
    meta.command.clone_from(&about.command);
    meta.host.clone_from(&about.host);
    meta.build.clone_from(&about.build);
    for (key, value) in about.extra.iter().rev() {
        if let (Some(key), Attribute::Text(value)) = (key.strip_prefix(LABEL), value) {
            profile = profile.with_label(key.as_bytes(), value.as_bytes());
        }
    }
    profile
}

/// A file's name without the ending that tells its format, and that ending.
fn parted(file: &Path, output: &Output) -> (OsString, String) {
    let name = file.file_name().unwrap_or_default().to_owned();
    let Some(text) = name.to_str() else {
        let ending = format!(".{}", output.ending());
        let bytes = name.as_encoded_bytes();
        return match bytes.strip_suffix(ending.as_bytes()) {
            Some(stem) => {
                use std::os::unix::ffi::OsStrExt;
                (std::ffi::OsStr::from_bytes(stem).to_owned(), ending)
            }
            None => (name, String::new()),
        };
    };
    let plain = text.strip_suffix(".gz").unwrap_or(text);
    let known = output
        .format
        .extension_of(plain)
        .map_or(0, |ending| ending.len() + 1);
    let (stem, _) = plain.split_at(plain.len() - known);
    (stem.into(), text[stem.len()..].to_owned())
}

fn with_suffix(file: &Path, output: &Output, suffix: &str) -> PathBuf {
    let (mut name, ending) = parted(file, output);
    name.push(suffix);
    name.push(ending);
    file.with_file_name(name)
}

/// The file for a child: `NAME-PID` with the same ending.
pub(super) fn of_process(file: &Path, output: &Output, pid: i64) -> PathBuf {
    with_suffix(file, output, &format!("-{pid}"))
}

/// The n-th name for a file: itself, then `NAME-2` and so on.
pub(super) fn numbered(file: &Path, output: &Output, n: u32) -> PathBuf {
    match n {
        1 => file.to_owned(),
        n => with_suffix(file, output, &format!("-{n}")),
    }
}

/// The `.plop` file that processes write themselves, beside this one.
pub(super) fn plop_beside(file: &Path, output: &Output) -> PathBuf {
    let (mut name, ending) = parted(file, output);
    match output.format.name {
        "plop" if ending == ".plop" => return file.to_owned(),
        _ => name.push(".plop"),
    }
    file.with_file_name(name)
}
