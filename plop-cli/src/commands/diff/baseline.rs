//! The deploys of a service, out of a folder that holds a profile of every deploy: the last good ones before one that
//! is judged, or all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use plop_core::{Attribute, LabelValue, Profile, one_run};
use plop_diff::Surroundings;

use crate::args::Settings;
use crate::input::{InputArgs, is_same};

/// Fewer samples are no baseline.
const FEWEST_SAMPLES: f64 = 500.0;
/// Which share of its ticks a good run may have lost.
const LOST: f64 = 0.05;
/// So many names are told of files that are left out.
const NAMED: usize = 3;

/// A run, with its name for people.
pub(crate) type Named = (String, Profile);

/// One commit's runs: those of several hosts, or several of one.
pub(crate) struct Deploy {
    /// The commit, or the file where it names none.
    pub(crate) name: String,
    pub(crate) runs: Vec<Named>,
}

/// What was found in a folder.
pub(crate) struct Baseline {
    /// Earlier deploys, the oldest first; none if there is nothing to compare with.
    pub(crate) deploys: Vec<Deploy>,
    /// What was left out and why, for people.
    pub(crate) left_out: Vec<String>,
}

/// Finds the last `count` deploys before the one that `after` is of.
///
/// # Errors
/// When the folder cannot be read, when what is judged is of several commits or services, and when the
/// folder holds several services and it is not known which is judged.
pub(super) fn find(
    folder: &Path,
    after: &[Named],
    count: usize,
    input: &InputArgs,
    settings: &Settings,
) -> Result<Baseline> {
    let judged = Judged::of(after)?;
    ensure!(
        folder.is_dir(),
        "--baseline {}: there is no such folder",
        folder.display()
    );
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    files.retain(|file| !(after.iter()).any(|(name, _)| is_same(file, Path::new(name))));
    let mut found = Found::read(&files, input, settings)?;
    let services = found.services();
    let good = found.good(&judged);
    let mut left_out = found.left_out;
    if judged.service.is_none() && services.len() > 1 {
        bail!(
            "{} holds profiles of {}, and what is judged does not say which of them it is of (record it with \
             --label service=NAME, or name a folder of one service)",
            folder.display(),
            services.join(", ")
        );
    }
    let mut deploys = deploys(good);
    deploys.retain(|deploy| {
        let is_like = judged.is_like(deploy);
        if !is_like {
            let files = deploy.runs.iter().map(|(file, _)| file.clone());
            let why = "are of deploys that lack an interpreter, kind of machine, clock or period of what is judged";
            left_out.entry(why).or_default().extend(files);
        }
        is_like
    });
    deploys.drain(..deploys.len().saturating_sub(count));
    Ok(Baseline {
        deploys,
        left_out: left_out.into_iter().map(told).collect(),
    })
}

/// All deploys of one service in folders and files, no more than `count` of the last. Those that are recorded
/// differently from the last are left out.
///
/// # Errors
/// When a folder cannot be read, no file is a profile, or they are of several services and none is named.
pub(crate) fn all(
    places: &[PathBuf],
    service: Option<&str>,
    count: usize,
    input: &InputArgs,
    settings: &Settings,
) -> Result<Baseline> {
    let mut files = Vec::new();
    for place in places {
        ensure!(
            place.exists(),
            "{}: there is no such file or folder",
            place.display()
        );
        match place.is_dir() {
            true => collect(place, &mut files)?,
            false => files.push(place.clone()),
        }
    }
    files.sort();
    files.dedup();
    let place = || match places {
        [one] => one.display().to_string(),
        [first, ..] => format!("{} and {} more", first.display(), places.len() - 1),
        [] => String::new(),
    };
    ensure!(
        !files.is_empty(),
        "{}: there is no profile in it (plop record -o FOLDER/NAME.plop puts one there)",
        place()
    );
    let mut found = Found::read(&files, input, settings)?;
    ensure!(
        !found.runs.is_empty(),
        "{}: none of its {} files is a profile (plop info FILE tells of each what it is)",
        place(),
        files.len()
    );
    let services = found.services();
    ensure!(
        service.is_some() || services.len() < 2,
        "{} has profiles of {} (choose one with --service)",
        place(),
        services.join(", ")
    );
    if let Some(service) = service {
        ensure!(
            services.iter().any(|of| of == service),
            "{} has no profile of {service} (it has {})",
            place(),
            match services.is_empty() {
                true => "none that names its service".to_owned(),
                false => services.join(", "),
            }
        );
    }
    let of_service =
        |run: &&Named| service.is_none() || label(&run.1, "service").as_deref() == service;
    let last = (found.runs.iter().filter(of_service))
        .max_by_key(|(file, run)| (run.meta.start_ns, file.clone()))
        .with_context(|| format!("{}: there is no profile in it", place()))?;
    let of_last = (found.runs.iter()).filter(|(_, run)| commit(run) == commit(&last.1));
    let judged = Judged {
        service: service.map(str::to_owned),
        commit: None,
        start_ns: None,
        surroundings: of_last.map(|(_, run)| Surroundings::of(run)).collect(),
    };
    let good = found.good(&judged);
    let mut deploys = deploys(good);
    deploys.drain(..deploys.len().saturating_sub(count));
    Ok(Baseline {
        deploys,
        left_out: found.left_out.into_iter().map(told).collect(),
    })
}

/// What files hold.
struct Found {
    runs: Vec<Named>,
    left_out: BTreeMap<&'static str, Vec<String>>,
}

impl Found {
    fn read(files: &[PathBuf], input: &InputArgs, settings: &Settings) -> Result<Found> {
        let mut found = Found {
            runs: Vec::new(),
            left_out: BTreeMap::new(),
        };
        for (file, read) in files.iter().zip(input.read_these(files, settings)?) {
            let name = file.display().to_string();
            match read.and_then(|read| Ok(one_run(read.loaded.profiles)?)) {
                Ok(run) => found.runs.push((name, run)),
                Err(_) => found.leave_out("cannot be read", name),
            }
        }
        Ok(found)
    }

    fn leave_out(&mut self, why: &'static str, name: String) {
        self.left_out.entry(why).or_default().push(name);
    }

    fn services(&self) -> Vec<String> {
        let mut services: Vec<String> = Vec::new();
        for (_, run) in &self.runs {
            if let Some(service) = label(run, "service")
                && !services.contains(&service)
            {
                services.push(service);
            }
        }
        services
    }

    /// Takes out the runs that nothing speaks against.
    fn good(&mut self, judged: &Judged) -> Vec<Named> {
        let mut good = Vec::new();
        for (name, run) in std::mem::take(&mut self.runs) {
            match judged.objection(&run) {
                Some(why) => self.leave_out(why, name),
                None => good.push((name, run)),
            }
        }
        good
    }
}

/// Every file in a folder and those below it, hidden ones aside.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let cannot = || format!("cannot read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Links to folders are not followed: they may go round in circles.
        let kind = entry.file_type().with_context(cannot)?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// What is known of the side that is judged.
struct Judged {
    service: Option<String>,
    commit: Option<String>,
    start_ns: Option<i64>,
    /// Those of each file.
    surroundings: Vec<Surroundings>,
}

impl Judged {
    fn of(after: &[Named]) -> Result<Judged> {
        let one = |what: &str, of: &dyn Fn(&Profile) -> Option<String>| -> Result<Option<String>> {
            let mut all: Vec<Option<String>> = after.iter().map(|(_, run)| of(run)).collect();
            all.dedup();
            ensure!(
                all.len() <= 1,
                "the files to judge are not of one {what}: {}",
                (all.iter().flatten())
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            Ok(all.pop().flatten())
        };
        ensure!(!after.is_empty(), "no file to judge is named");
        Ok(Judged {
            service: one("service", &|run| label(run, "service"))?,
            commit: one("commit", &commit)?,
            start_ns: after.iter().filter_map(|(_, run)| run.meta.start_ns).min(),
            surroundings: (after.iter().map(|(_, run)| Surroundings::of(run))).collect(),
        })
    }

    /// Why a run is no baseline.
    fn objection(&self, run: &Profile) -> Option<&'static str> {
        let service = label(run, "service");
        if self.service.is_some() && service.is_some() && service != self.service {
            return Some("are of another service");
        }
        if self.commit.is_some() && commit(run) == self.commit {
            return Some("are of the commit that is judged");
        }
        if let (Some(judged), Some(start)) = (self.start_ns, run.meta.start_ns)
            && start >= judged
        {
            return Some("are later than what is judged");
        }
        if !self.surroundings.contains(&Surroundings::of(run)) {
            return Some("have another interpreter, kind of machine, clock or period");
        }
        let ticks = run.meta.ticks;
        let is_lossy = ticks.is_some_and(|ticks| {
            ticks.asked > 0 && (ticks.delivered as f64) < (1.0 - LOST) * ticks.asked as f64
        });
        if is_lossy {
            return Some("lost ticks");
        }
        (plop_diff::samples_of(run) < FEWEST_SAMPLES).then_some("have fewer than 500 samples")
    }

    /// Whether a deploy has runs of all surroundings that are judged.
    fn is_like(&self, deploy: &Deploy) -> bool {
        let has = |judged: &Surroundings| {
            (deploy.runs.iter()).any(|(_, run)| Surroundings::of(run) == *judged)
        };
        self.surroundings.iter().all(has)
    }
}

/// Runs as deploys, the oldest first.
fn deploys(runs: Vec<Named>) -> Vec<Deploy> {
    let mut deploys: Vec<(Option<i64>, Deploy)> = Vec::new();
    for (file, run) in runs {
        let start = run.meta.start_ns;
        let name = commit(&run).unwrap_or_else(|| file.clone());
        match deploys.iter_mut().find(|(_, deploy)| deploy.name == name) {
            Some((last, deploy)) => {
                *last = (*last).max(start);
                deploy.runs.push((file, run));
            }
            None => deploys.push((
                start,
                Deploy {
                    name,
                    runs: vec![(file, run)],
                },
            )),
        }
    }
    // Those of one time, or of none, in the order of their names.
    deploys.sort_by_key(|(start, _)| *start);
    deploys.into_iter().map(|(_, deploy)| deploy).collect()
}

/// A sentence on files that were left out.
pub(in crate::commands) fn told((why, files): (&'static str, Vec<String>)) -> String {
    let names = files[..files.len().min(NAMED)].join(", ");
    let more = match files.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("left out, since they {why}: {names}{more}")
}

/// The commit that a run says it is of: its label, or what was checked out.
fn commit(run: &Profile) -> Option<String> {
    let checked_out = || {
        let (_, commit) = run.meta.build.iter().find(|(key, _)| key == "commit")?;
        match commit {
            Attribute::Text(commit) => Some(commit.clone()),
            _ => None,
        }
    };
    label(run, "commit").or_else(checked_out)
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
