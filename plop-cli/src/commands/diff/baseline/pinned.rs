//! The deploy that somebody pinned, and what is compared with because of it: the deploy, and the first ones after it.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use super::commits::is_same;
use super::found::{Filed, Found, service};
use super::{Deploy, Judged, short};
use crate::commands::baseline::index::{Index, Settled};
use crate::commands::diff::text::visible;

/// A pin that holds for what is judged.
pub(super) struct Pinned {
    pub(super) commit: String,
    /// Whose reason it is, and where it stands.
    reason: String,
    index: PathBuf,
    /// When the first of its profiles was recorded.
    since: i64,
}

impl Pinned {
    /// The pin among indexes.
    ///
    /// # Errors
    /// When several deploys are pinned, or none of the pinned one's profiles is there: to go on without would compare with
    /// something else than was asked for.
    pub(super) fn of(found: &Found, indexes: &[Index], judged: &Judged) -> Result<Option<Pinned>> {
        let of = judged.service.as_deref();
        let governed = |index: &Index, filed: &Filed| {
            index.governs(&filed.path) && judged.may_be_of(service(&filed.run).as_deref())
        };
        let mut pins: Vec<(&Index, &Settled, &str)> = Vec::new();
        for index in indexes {
            let holds = found.runs.iter().any(|filed| governed(index, filed));
            for pin in index.pinned.iter().filter(|_| holds) {
                let pinned = pin.of.commit();
                if pin.of.is_of(pinned, of) && !pins.iter().any(|(.., other)| *other == pinned) {
                    pins.push((index, pin, pinned));
                }
            }
        }
        let (index, pin, pinned) = match pins[..] {
            [] => return Ok(None),
            [pin] => pin,
            [(one, _, pinned), (other, _, another), ..] => bail!(
                "{} is pinned in {}, and {} in {} (name the folder of one, or take a pin away with \
                 plop baseline pin FOLDER --remove)",
                visible(short(pinned)),
                one.path().display(),
                visible(short(another)),
                other.path().display()
            ),
        };
        let is_its = |filed: &&Filed| {
            governed(index, filed)
                && (filed.commit.as_deref())
                    .is_some_and(|of| pin.of.is_of(of, service(&filed.run).as_deref()))
        };
        let its: Vec<&Filed> = found.runs.iter().filter(is_its).collect();
        let since = its.iter().filter_map(|filed| filed.run.meta.start_ns).min();
        let is_judged = judged
            .commit
            .as_deref()
            .is_some_and(|of| is_same(of, pinned));
        ensure!(
            !its.is_empty() || is_judged,
            "{} pins {}, and no profile there is of it (pin another with plop baseline pin {} COMMIT, or none with \
             --remove)",
            index.path().display(),
            visible(short(pinned)),
            index.folder.display()
        );
        Ok(Some(Pinned {
            commit: pinned.to_owned(),
            reason: pin.reason.clone(),
            index: index.path(),
            // Where nothing tells when it was, and of what is judged itself, nothing is known to be later.
            since: since.filter(|_| !is_judged).unwrap_or(i64::MAX),
        }))
    }

    /// Whether a deploy is the pinned one, or is later.
    pub(super) fn counts(&self, deploy: &Deploy) -> bool {
        deploy.name == self.commit || deploy.start_ns() >= Some(self.since)
    }

    /// Why the others do not count.
    pub(super) fn objection(&self) -> String {
        format!("are not after the pinned deploy {}", short(&self.commit))
    }

    /// The first of deploys in the order of time, no more than `count`: the pinned one, even if it was recorded again
    /// later, and those that came next.
    pub(super) fn first(&self, deploys: &mut Vec<Deploy>, count: usize) -> String {
        deploys.sort_by_key(|deploy| deploy.name != self.commit);
        let later = deploys.len().saturating_sub(count);
        deploys.truncate(count);
        let is_there = (deploys.first()).is_some_and(|deploy| deploy.name == self.commit);
        let after = deploys.len() - usize::from(is_there);
        let with = match (is_there, after) {
            (true, 0) => "it is what is compared with".to_owned(),
            (true, after) => format!("it and the {after} after it are what is compared with"),
            (false, 0) => "it is left out itself, and nothing after it counts".to_owned(),
            (false, after) => {
                format!("it is left out itself, and the {after} after it are what is compared with")
            }
        };
        match later {
            0 => format!("{}: {with}", self.told()),
            _ => format!(
                "{}: {with}, and {later} later than these are not",
                self.told()
            ),
        }
    }

    /// That it is pinned, why and where, for people.
    pub(super) fn told(&self) -> String {
        let reason = match &self.reason[..] {
            "" => String::new(),
            reason => format!("{reason}; "),
        };
        format!(
            "{} is pinned ({reason}{})",
            short(&self.commit),
            self.index.display()
        )
    }
}
