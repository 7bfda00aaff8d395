//! What lies in folders of deploys: the profiles, the other files, and what the indexes beside them drop.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plop_core::{Attribute, LabelValue, Profile, one_run};

use super::commits::{self, Commits};
use super::short;
use crate::args::Settings;
use crate::commands::baseline::index::{Index, NAME, Of, alike};
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
            if entry.file_name() == NAME {
                self.indexes.push(Index::read(folder)?);
            } else if kind.is_dir() {
                self.add(&entry.path())?;
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
    /// The whole name of its commit, as far as it is known.
    pub(in crate::commands) commit: Option<String>,
    pub(in crate::commands) run: Profile,
}

/// What the files of a place hold.
pub(in crate::commands) struct Found {
    pub(in crate::commands) runs: Vec<Filed>,
    /// Profiles that somebody dropped.
    pub(in crate::commands) dropped: Vec<Filed>,
    /// The names of files that are no profiles.
    pub(in crate::commands) foreign: Vec<String>,
    pub(in crate::commands) commits: Commits,
    /// What indexes pin and drop, and no profile is, for people.
    pub(in crate::commands) unmatched: Vec<(Of, String)>,
}

impl Found {
    /// Reads all files. Names of commits in the indexes become the whole ones. `judged` is the commit of what is judged,
    /// which may lie in none of them.
    pub(in crate::commands) fn read(
        place: &mut Place,
        judged: Option<&str>,
        reading: &ReadArgs,
        settings: &Settings,
    ) -> Result<Found> {
        let mut found = Found {
            runs: Vec::new(),
            dropped: Vec::new(),
            foreign: Vec::new(),
            commits: Commits::default(),
            unmatched: Vec::new(),
        };
        let mut runs = Vec::new();
        let files = &place.files;
        for (path, read) in files.iter().zip(reading.read_these(files, settings)?) {
            let name = path.display().to_string();
            let Ok(run) = read.and_then(|read| Ok(one_run(read.loaded.profiles)?)) else {
                found.foreign.push(name);
                continue;
            };
            runs.push(Filed {
                path: path.clone(),
                name,
                commit: commit(&run),
                run,
            });
        }
        let settled = place.indexes.iter().flat_map(Index::commits);
        let known = (runs.iter().filter_map(|filed| filed.commit.clone()))
            .chain(settled.map(str::to_owned))
            .chain(judged.map(str::to_owned));
        found.commits = Commits::of(known);
        for index in &mut place.indexes {
            index.write_out(&found.commits);
        }
        for mut filed in runs {
            let full = |name: String| found.commits.full(&name).to_owned();
            filed.commit = filed.commit.map(full);
            let (commit, service) = (filed.commit.as_deref(), service(&filed.run));
            let drops = |index: &Index| {
                index
                    .drops(&filed.path, commit, service.as_deref())
                    .is_some()
            };
            match place.indexes.iter().any(drops) {
                true => found.dropped.push(filed),
                false => found.runs.push(filed),
            }
        }
        found.unmatched = place
            .indexes
            .iter()
            .flat_map(|index| found.unmatched(index, judged))
            .collect();
        Ok(found)
    }

    /// What an index pins and drops, and no profile is.
    fn unmatched(&self, index: &Index, judged: Option<&str>) -> Vec<(Of, String)> {
        let pinned = index.pinned.iter().map(|settled| ("pins", settled));
        let dropped = index.dropped.iter().map(|settled| ("drops", settled));
        let mut unmatched = Vec::new();
        for (does, settled) in pinned.chain(dropped) {
            let why = match &settled.of {
                Of::File { file, .. } if index.folder.join(file).is_file() => continue,
                Of::File { .. } => "there is no such file".to_owned(),
                Of::Commit { commit, .. }
                    if judged.is_some_and(|of| commits::is_same(of, commit)) =>
                {
                    continue;
                }
                Of::Commit { commit, service } => {
                    match self.why_unmatched(index, commit, service.as_deref()) {
                        Some(why) => why,
                        None => continue,
                    }
                }
            };
            let service = match &settled.of {
                Of::Commit {
                    service: Some(service),
                    ..
                } => format!(" of {service}"),
                _ => String::new(),
            };
            let name = settled.of.file().unwrap_or(short(settled.of.commit()));
            let text = format!(
                "{} {does} {name}{service}, which does nothing: {why}",
                index.path().display()
            );
            unmatched.push((settled.of.clone(), text));
        }
        unmatched
    }

    /// Why no profile is of a commit and a service, if it is so.
    fn why_unmatched(&self, index: &Index, commit: &str, of: Option<&str>) -> Option<String> {
        let all = self.runs.iter().chain(&self.dropped);
        let here: Vec<&Filed> = all.filter(|filed| index.governs(&filed.path)).collect();
        let its = here
            .iter()
            .filter(|filed| filed.commit.as_deref() == Some(commit));
        let services: Vec<Option<String>> = its.map(|filed| service(&filed.run)).collect();
        if services.iter().any(|service| alike(of, service.as_deref())) {
            return None;
        }
        let mut services: Vec<String> = services.into_iter().flatten().collect();
        services.sort();
        services.dedup();
        let begin = here.iter().filter_map(|filed| filed.commit.as_deref());
        let mut begin: Vec<&str> = begin.filter(|name| name.starts_with(commit)).collect();
        begin.sort_unstable();
        begin.dedup();
        Some(match (&services[..], &begin[..]) {
            ([_, ..], _) => format!("the profiles of that commit are of {}", services.join(", ")),
            (_, []) => "no profile there is of that commit".to_owned(),
            (_, [one]) => format!("no profile there is of that commit (write {one} in full)"),
            (_, [one, other, ..]) => format!("it may be {one} or {other} (write more of it)"),
        })
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
