//! What lies in folders of deploys: the profiles, the other files, and what the indexes beside them drop.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plop_core::{Attribute, LabelValue, Profile, one_run};

use crate::args::Settings;
use crate::commands::baseline::index::{Index, NAME};
use crate::input::ReadArgs;

/// What is in folders and below them, hidden files aside.
#[derive(Default)]
pub(in crate::commands) struct Place {
    pub(in crate::commands) files: Vec<PathBuf>,
    pub(in crate::commands) indexes: Vec<Index>,
}

impl Place {
    pub(in crate::commands) fn of(folder: &Path) -> Result<Place> {
        let mut place = Place::default();
        place.add(folder)?;
        place.files.sort();
        Ok(place)
    }

    pub(super) fn add(&mut self, folder: &Path) -> Result<()> {
        let cannot = || format!("cannot read {}", folder.display());
        for entry in std::fs::read_dir(folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Links to folders are not followed: they may go round in circles.
            let kind = entry.file_type().with_context(cannot)?;
            if kind.is_dir() {
                self.add(&entry.path())?;
            } else if entry.file_name() == NAME {
                self.indexes.push(Index::read(folder)?);
            } else if entry.path().is_file() {
                self.files.push(entry.path());
            }
        }
        Ok(())
    }
}

/// A profile in a folder.
pub(in crate::commands) struct Filed {
    pub(in crate::commands) path: PathBuf,
    /// The path, for people.
    pub(in crate::commands) name: String,
    pub(in crate::commands) run: Profile,
}

/// What the files of a place hold.
pub(in crate::commands) struct Found {
    pub(in crate::commands) runs: Vec<Filed>,
    /// Profiles that somebody dropped.
    pub(in crate::commands) dropped: Vec<Filed>,
    /// The names of files that are no profiles.
    pub(in crate::commands) foreign: Vec<String>,
}

impl Found {
    pub(in crate::commands) fn read(
        place: &Place,
        reading: &ReadArgs,
        settings: &Settings,
    ) -> Result<Found> {
        let mut found = Found {
            runs: Vec::new(),
            dropped: Vec::new(),
            foreign: Vec::new(),
        };
        let files = &place.files;
        for (path, read) in files.iter().zip(reading.read_these(files, settings)?) {
            let name = path.display().to_string();
            let Ok(run) = read.and_then(|read| Ok(one_run(read.loaded.profiles)?)) else {
                found.foreign.push(name);
                continue;
            };
            let (commit, service) = (commit(&run), service(&run));
            let (commit, service) = (commit.as_deref(), service.as_deref());
            let mut indexes = place.indexes.iter();
            let list = match indexes.any(|index| index.drops(path, commit, service).is_some()) {
                true => &mut found.dropped,
                false => &mut found.runs,
            };
            let path = path.clone();
            list.push(Filed { path, name, run });
        }
        Ok(found)
    }

    /// The services that profiles name, in the order of the files.
    pub(in crate::commands) fn services(&self) -> Vec<String> {
        let mut services: Vec<String> = Vec::new();
        for filed in self.runs.iter().chain(&self.dropped) {
            if let Some(service) = service(&filed.run)
                && !services.contains(&service)
            {
                services.push(service);
            }
        }
        services
    }
}

/// The commit that a run says it is of: its label, or what was checked out.
pub(in crate::commands) fn commit(run: &Profile) -> Option<String> {
    let checked_out = || {
        let (_, commit) = run.meta.build.iter().find(|(key, _)| key == "commit")?;
        match commit {
            Attribute::Text(commit) => Some(commit.clone()),
            _ => None,
        }
    };
    label(run, "commit").or_else(checked_out)
}

/// The service that a run says it is of.
pub(in crate::commands) fn service(run: &Profile) -> Option<String> {
    label(run, "service")
}

/// The value of a label that the samples of a run have.
fn label(run: &Profile, key: &str) -> Option<String> {
    let labels = run.samples.iter().next()?.labels?;
    let (_, value) = (run.label_sets.get(labels).iter())
        .find(|(name, _)| run.strings.get(*name) == key.as_bytes())?;
    match value {
        LabelValue::Text(text) => Some(run.strings.text(*text).into_owned()),
        LabelValue::Number(number, _) => Some(number.to_string()),
    }
}
