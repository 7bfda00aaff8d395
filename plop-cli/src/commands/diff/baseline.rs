//! The deploys of a service, out of a folder that holds a profile of every deploy: the last good ones before one that
//! is judged, or all.

pub(in crate::commands) mod commits;
pub(in crate::commands) mod found;
mod pinned;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use plop_core::Profile;
use plop_diff::Surroundings;

use self::commits::{Commits, is_same as is_same_commit};
use self::found::{Filed, Found, Place, commit, service};
use self::pinned::Pinned;
use crate::args::Settings;
use crate::commands::baseline::index::{Index, Of, alike};
use crate::input::{ReadArgs, is_same};

/// Fewer samples are no baseline.
const FEWEST_SAMPLES: f64 = 500.0;
/// Which share of its ticks a good run may have lost.
const LOST: f64 = 0.05;
/// So many names are told of files that are left out.
const NAMED: usize = 3;
/// What is said of files that an index drops, and of those of another service.
pub(in crate::commands) const DROPPED: &str = "are dropped";
const OF_ANOTHER: &str = "are of another service";
/// So much of a commit's hash is shown.
const SHORT: usize = 12;

/// A run, with its name for people.
pub(crate) type Named = (String, Profile);

/// One commit's runs: those of several hosts, or several of one.
pub(crate) struct Deploy {
    /// The commit, or the file where it names none.
    pub(crate) name: String,
    pub(crate) runs: Vec<Named>,
}

impl Deploy {
    /// When the last of its runs began.
    pub(in crate::commands) fn start_ns(&self) -> Option<i64> {
        (self.runs.iter())
            .filter_map(|(_, run)| run.meta.start_ns)
            .max()
    }
}

/// What was found in a folder.
pub(crate) struct Baseline {
    /// Earlier deploys, the oldest first; none if there is nothing to compare with.
    pub(crate) deploys: Vec<Deploy>,
    /// What was left out and why, for people.
    pub(crate) left_out: Vec<String>,
    /// The commit that is pinned, and what follows from it, for people.
    pub(crate) pinned: Option<(String, String)>,
    /// What indexes pin and drop, and no profile is, for people.
    pub(crate) unmatched: Vec<String>,
}

/// Finds the last `count` deploys before the one that `after` is of, or the first from the pinned one on.
///
/// # Errors
/// When the folder cannot be read, when what is judged is of several commits or services, when the
/// folder holds several services and it is not known which is judged, and when an index is broken.
pub(super) fn find(
    folder: &Path,
    after: &[Named],
    count: usize,
    reading: &ReadArgs,
    settings: &Settings,
) -> Result<Baseline> {
    let judged = Judged::of(after)?;
    ensure!(
        folder.is_dir(),
        "--baseline {}: there is no such folder",
        folder.display()
    );
    let mut place = Place::of(folder)?;
    let is_judged = |file: &PathBuf| (after.iter()).any(|(name, _)| is_same(file, Path::new(name)));
    place.files.retain(|file| !is_judged(file));
    let found = Found::read(&mut place, judged.commit.as_deref(), reading, settings)?;
    let unmatched = told_of(&found.unmatched);
    let services = found.services();
    if judged.service.is_none() && services.len() > 1 {
        bail!(
            "{} holds profiles of {}, and what is judged does not say which of them it is of (record it with \
             --label service=NAME, or name a folder of one service)",
            folder.display(),
            services.join(", ")
        );
    }
    let picked = pick(found, &place.indexes, &judged, count)?;
    Ok(Baseline {
        deploys: picked.deploys,
        left_out: picked.left_out.into_iter().map(told).collect(),
        pinned: picked.pinned,
        unmatched,
    })
}

/// What is compared with of what a folder holds.
pub(in crate::commands) struct Picked {
    /// The oldest first, but for a pinned one, which is the first.
    pub(in crate::commands) deploys: Vec<Deploy>,
    /// Files that do not count, by the reason.
    pub(in crate::commands) left_out: BTreeMap<String, Vec<String>>,
    /// The commit that is pinned, and what follows from it, for people.
    pub(in crate::commands) pinned: Option<(String, String)>,
}

/// Picks what is compared with.
///
/// # Errors
/// When the pinned deploy is not there, or several are pinned.
pub(in crate::commands) fn pick(
    found: Found,
    indexes: &[Index],
    judged: &Judged,
    count: usize,
) -> Result<Picked> {
    let pin = Pinned::of(&found, indexes, judged)?;
    let (mut deploys, mut left_out) = judged.good(found);
    let mut leave_out = |deploy: &Deploy, why: String| {
        let files = deploy.runs.iter().map(|(file, _)| file.clone());
        left_out.entry(why).or_default().extend(files);
    };
    deploys.retain(|deploy| {
        let is_like = judged.is_like(deploy);
        if !is_like {
            let why = "are of deploys that lack an interpreter, kind of machine, clock or period of what is judged";
            leave_out(deploy, why.to_owned());
        }
        is_like
    });
    let mut pinned = None;
    match pin {
        None => drop(deploys.drain(..deploys.len().saturating_sub(count))),
        Some(pin) => {
            deploys.retain(|deploy| {
                let counts = pin.counts(deploy);
                if !counts {
                    leave_out(deploy, pin.objection());
                }
                counts
            });
            let said = pin.first(&mut deploys, count);
            pinned = Some((pin.commit, said));
        }
    }
    Ok(Picked {
        deploys,
        left_out,
        pinned,
    })
}

/// All deploys of one service in folders and files, no more than `count` of the last, and none before the pinned one.
/// Those that are recorded differently from the last are left out.
///
/// # Errors
/// When a folder cannot be read, no file is a profile, they are of several services and none is named, or an index is
/// broken.
pub(crate) fn all(
    places: &[PathBuf],
    service: Option<&str>,
    count: usize,
    reading: &ReadArgs,
    settings: &Settings,
) -> Result<Baseline> {
    let mut place = Place::default();
    for named in places {
        ensure!(
            named.exists(),
            "{}: there is no such file or folder",
            named.display()
        );
        match named.is_dir() {
            true => place.add(named)?,
            false => place.files.push(named.clone()),
        }
    }
    place.files.sort();
    place.files.dedup();
    let name = match places {
        [one] => one.display().to_string(),
        [first, ..] => format!("{} and {} more", first.display(), places.len() - 1),
        [] => String::new(),
    };
    ensure!(
        !place.files.is_empty(),
        "{name}: there is no profile in it (plop record -o FOLDER/NAME.plop puts one there)"
    );
    let found = Found::read(&mut place, None, reading, settings)?;
    let unmatched = told_of(&found.unmatched);
    let judged = Judged::next(&found, service, &name)?;
    let pin = Pinned::of(&found, &place.indexes, &judged)?;
    let (mut deploys, mut left_out) = judged.good(found);
    if let Some(pin) = &pin {
        deploys.retain(|deploy| {
            let counts = pin.counts(deploy);
            if !counts {
                let files = deploy.runs.iter().map(|(file, _)| file.clone());
                left_out.entry(pin.objection()).or_default().extend(files);
            }
            counts
        });
    }
    deploys.drain(..deploys.len().saturating_sub(count));
    Ok(Baseline {
        deploys,
        left_out: left_out.into_iter().map(told).collect(),
        pinned: pin.map(|pin| (pin.commit.clone(), pin.told())),
        unmatched,
    })
}

/// What is known of the side that is judged.
pub(in crate::commands) struct Judged {
    pub(in crate::commands) service: Option<String>,
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
        let commits = Commits::of(after.iter().filter_map(|(_, run)| commit(run)));
        Ok(Judged {
            service: one("service", &service)?,
            commit: one("commit", &|run| {
                commit(run).map(|commit| commits.full(&commit).to_owned())
            })?,
            start_ns: after.iter().filter_map(|(_, run)| run.meta.start_ns).min(),
            surroundings: (after.iter().map(|(_, run)| Surroundings::of(run))).collect(),
        })
    }

    /// The deploy after the last that is there, recorded like it.
    ///
    /// # Errors
    /// When no file is a profile, or there are several services and none is named. `name` is what the place is called.
    pub(in crate::commands) fn next(
        found: &Found,
        service: Option<&str>,
        name: &str,
    ) -> Result<Judged> {
        let profiles = found.runs.len() + found.dropped.len();
        ensure!(
            profiles > 0,
            "{name}: none of its {} files is a profile (plop info FILE tells of each what it is)",
            found.foreign.len()
        );
        let services = found.services();
        ensure!(
            service.is_some() || services.len() < 2,
            "{name} has profiles of {} (choose one with --service)",
            services.join(", ")
        );
        if let Some(service) = service {
            ensure!(
                services.iter().any(|of| of == service),
                "{name} has no profile of {service} (it has {})",
                match services.is_empty() {
                    true => "none that names its service".to_owned(),
                    false => services.join(", "),
                }
            );
        }
        let of_service =
            |run: &Profile| service.is_none() || found::service(run).as_deref() == service;
        let runs = || found.runs.iter().filter(|filed| of_service(&filed.run));
        let last = runs().max_by_key(|filed| (filed.run.meta.start_ns, &filed.name));
        let of_last = runs().filter(|filed| last.is_some_and(|last| filed.commit == last.commit));
        Ok(Judged {
            service: service.map(str::to_owned),
            commit: None,
            start_ns: None,
            surroundings: of_last.map(|filed| Surroundings::of(&filed.run)).collect(),
        })
    }

    /// Whether it may be of a service.
    fn may_be_of(&self, service: Option<&str>) -> bool {
        alike(self.service.as_deref(), service)
    }

    /// The deploys that nothing speaks against, the oldest first, and the files that do not count.
    fn good(&self, found: Found) -> (Vec<Deploy>, BTreeMap<String, Vec<String>>) {
        let mut left_out: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut leave_out = |why: &str, name| {
            left_out.entry(why.to_owned()).or_default().push(name);
        };
        let mut good = Vec::new();
        for filed in found.runs {
            match self.objection(&filed) {
                Some(why) => leave_out(why, filed.name),
                None => good.push(filed),
            }
        }
        for filed in found.dropped {
            let is_meant = self.may_be_of(service(&filed.run).as_deref());
            leave_out(if is_meant { DROPPED } else { OF_ANOTHER }, filed.name);
        }
        for name in found.foreign {
            leave_out("cannot be read", name);
        }
        (deploys(good), left_out)
    }

    /// Why a run is no baseline.
    fn objection(&self, filed: &Filed) -> Option<&'static str> {
        let run = &filed.run;
        if !self.may_be_of(service(run).as_deref()) {
            return Some(OF_ANOTHER);
        }
        if let (Some(judged), Some(its)) = (&self.commit, &filed.commit)
            && is_same_commit(judged, its)
        {
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
        flaw(run)
    }

    /// Whether a deploy has runs of all surroundings that are judged.
    fn is_like(&self, deploy: &Deploy) -> bool {
        let has = |judged: &Surroundings| {
            (deploy.runs.iter()).any(|(_, run)| Surroundings::of(run) == *judged)
        };
        self.surroundings.iter().all(has)
    }
}

/// Why a run is no baseline for anything.
pub(in crate::commands) fn flaw(run: &Profile) -> Option<&'static str> {
    let ticks = run.meta.ticks;
    let is_lossy = ticks.is_some_and(|ticks| {
        ticks.asked > 0 && (ticks.delivered as f64) < (1.0 - LOST) * ticks.asked as f64
    });
    if is_lossy {
        return Some("lost ticks");
    }
    (plop_diff::samples_of(run) < FEWEST_SAMPLES).then_some("have fewer than 500 samples")
}

/// Runs as deploys, the oldest first.
fn deploys(runs: Vec<Filed>) -> Vec<Deploy> {
    let mut deploys: Vec<Deploy> = Vec::new();
    for Filed {
        name: file,
        commit,
        run,
        ..
    } in runs
    {
        let name = commit.unwrap_or_else(|| file.clone());
        match deploys.iter_mut().find(|deploy| deploy.name == name) {
            Some(deploy) => deploy.runs.push((file, run)),
            None => deploys.push(Deploy {
                name,
                runs: vec![(file, run)],
            }),
        }
    }
    // Those of one time, or of none, in the order of their names.
    deploys.sort_by_key(Deploy::start_ns);
    deploys
}

/// The name of a deploy for people: the beginning of a commit's hash, or the end of a path.
pub(in crate::commands) fn short(name: &str) -> &str {
    let is_hash = name.len() >= 20 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_hash {
        true => &name[..SHORT],
        false => name.rsplit('/').next().unwrap_or_default(),
    }
}

fn told_of(unmatched: &[(Of, String)]) -> Vec<String> {
    unmatched.iter().map(|(_, text)| text.clone()).collect()
}

/// A sentence on files that were left out.
pub(in crate::commands) fn told((why, files): (String, Vec<String>)) -> String {
    format!("left out, since they {why}: {}", some(&files))
}

/// The first of some names, and how many more there are.
pub(in crate::commands) fn some(names: &[String]) -> String {
    let first = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
