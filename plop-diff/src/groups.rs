//! Kinds of requests that profiles name themselves: by a label of their samples, such as the route, or by
//! threads. Each becomes a node right below the root of the tree, above what the program did for it.

use plop_core::{LabelValue, Profile, Sample};

use crate::comparison::Warning;
use crate::names::Canonical;
use crate::strata::{FEWEST_FUNCTIONS, OWN_SAMPLES};

/// What tells kinds of requests apart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum By {
    /// A label that usually does, where all runs have it; otherwise the call tree alone.
    #[default]
    Usual,
    /// The label of this name.
    Label(String),
    /// Names of threads, without their numbers.
    Thread,
    /// Nothing but the call tree.
    Tree,
}

/// Labels that usually tell kinds of requests apart: those of web frameworks and of OpenTelemetry, then those
/// of workers.
const USUAL: [&str; 10] = [
    "route",
    "http.route",
    "endpoint",
    "handler",
    "view",
    "url_rule",
    "action",
    "task",
    "job",
    "operation",
];
/// A usual label has to be on this share of each run's samples.
const ON: f64 = 0.8;
/// With more values than these a label is no kind of request but an identity.
const MOST: usize = 64;

impl By {
    /// What is meant for these runs.
    pub(crate) fn of(&self, runs: &[&Profile]) -> By {
        if *self != By::Usual {
            return self.clone();
        }
        let is_on_all = |key: &&&str| {
            runs.iter().all(|run| {
                let values = values(run, &By::Label((**key).to_owned()));
                let mut distinct: Vec<&Option<Canonical>> = values.iter().collect();
                distinct.sort_unstable();
                distinct.dedup();
                let labelled = run.samples.iter().filter(|sample| {
                    let set = sample.labels.map(|id| &values[id.index()]);
                    set.is_some_and(Option::is_some)
                });
                distinct.len() <= MOST
                    && labelled.count() as f64 >= ON * run.samples.len().max(1) as f64
            })
        };
        match USUAL.iter().find(is_on_all) {
            Some(key) => By::Label((*key).to_owned()),
            None => By::Tree,
        }
    }
}

/// What is said where no sample of a side has what was asked for to tell kinds of requests apart.
pub(crate) fn unlabelled(before: &[&Profile], after: &[&Profile], by: &By) -> Option<Warning> {
    let what = match by {
        By::Usual | By::Tree => return None,
        By::Label(key) => format!("the label `{key}`"),
        By::Thread => "a thread with a name".to_owned(),
    };
    let has = |profile: &&Profile| {
        let groups = Groups::of(profile, by, &mut |_| 0);
        profile
            .samples
            .iter()
            .any(|sample| groups.get(&sample).is_some())
    };
    let whose = match [before, after].map(|side| side.iter().any(has)) {
        [true, true] => return None,
        [true, false] => " after",
        [false, true] => " before",
        [false, false] => "",
    };
    Some(Warning {
        code: "no-label",
        text: format!("no sample{whose} has {what} (--by), so it tells no kinds of requests apart"),
        forbids: false,
    })
}

/// What is said where what was asked for tells no two kinds of requests apart.
pub(crate) fn one_kind(by: &By) -> Option<Warning> {
    let what = match by {
        By::Usual | By::Tree => return None,
        By::Label(key) => format!("the label `{key}` tells"),
        By::Thread => "names of threads tell".to_owned(),
    };
    Some(Warning {
        code: "one-kind",
        text: format!(
            "{what} no kinds of requests apart (--by): fewer than two have 1 % of the samples and {FEWEST_FUNCTIONS} \
             functions with {OWN_SAMPLES} of them"
        ),
        forbids: false,
    })
}

/// The group of each sample of one profile, by the number that it was given.
pub(crate) struct Groups {
    of_labels: Vec<Option<u32>>,
    of_threads: Vec<Option<u32>>,
}

impl Groups {
    pub(crate) fn of(
        profile: &Profile,
        by: &By,
        number: &mut impl FnMut(Canonical) -> u32,
    ) -> Groups {
        let is_number = |c: char| c.is_ascii_digit() || "-_ #".contains(c);
        let of_threads = match by {
            By::Thread => (profile.threads.iter())
                .map(|(_, thread)| {
                    let name = profile.strings.text(thread.name);
                    let name = name.trim_end_matches(is_number);
                    (!name.is_empty()).then(|| number(named("thread", name)))
                })
                .collect(),
            _ => Vec::new(),
        };
        let of_labels = values(profile, by);
        Groups {
            of_labels: of_labels
                .into_iter()
                .map(|value| value.map(&mut *number))
                .collect(),
            of_threads,
        }
    }

    /// Whether no sample has a group.
    pub(crate) fn is_empty(&self) -> bool {
        self.of_labels.is_empty() && self.of_threads.is_empty()
    }

    pub(crate) fn get(&self, sample: &Sample) -> Option<u32> {
        let of_label = || *self.of_labels.get(sample.labels?.index())?;
        let of_thread = || *self.of_threads.get(sample.thread?.index())?;
        of_label().or_else(of_thread)
    }
}

/// The group of each label set.
fn values(profile: &Profile, by: &By) -> Vec<Option<Canonical>> {
    let By::Label(key) = by else {
        return Vec::new();
    };
    (profile.label_sets.iter())
        .map(|(_, set)| {
            let (_, value) =
                (set.iter()).find(|(name, _)| profile.strings.get(*name) == key.as_bytes())?;
            Some(match value {
                LabelValue::Text(text) => named(key, &profile.strings.text(*text)),
                LabelValue::Number(number, _) => named(key, &number.to_string()),
            })
        })
        .collect()
}

fn named(key: &str, value: &str) -> Canonical {
    Canonical {
        name: format!("{key} {value}"),
        file: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use plop_core::{Sample, StackId, Thread, ValueType};

    use super::*;

    /// The groups of a profile's samples, by name.
    fn groups(profile: &Profile, by: &By) -> Vec<Option<String>> {
        let mut names = Vec::new();
        let groups = Groups::of(profile, by, &mut |group| {
            names.push(group.name);
            names.len() as u32 - 1
        });
        (profile.samples.iter())
            .map(|sample| Some(names[groups.get(&sample)? as usize].clone()))
            .collect()
    }

    #[test]
    fn threads_are_grouped_without_their_numbers() {
        let mut profile = Profile::new(vec![ValueType::samples()]);
        for (tid, name) in [
            (1, "pool-7_12"),
            (2, "pool-7_3"),
            (3, "MainThread"),
            (4, "42"),
        ] {
            let name = profile.strings.intern(name.as_bytes());
            let thread = profile.threads.intern(Thread { pid: 1, tid, name });
            profile.samples.push(Sample {
                thread: Some(thread),
                ..Sample::of(StackId::ROOT, &[1])
            });
        }
        let named = |name: &str| Some(format!("thread {name}"));
        assert_eq!(
            groups(&profile, &By::Thread),
            [named("pool"), named("pool"), named("MainThread"), None]
        );
        assert_eq!(groups(&profile, &By::Tree), [None, None, None, None]);
    }

    #[test]
    fn a_usual_label_counts_where_every_run_has_it() {
        let labelled = |key: &str, values: usize| {
            let mut profile = Profile::new(vec![ValueType::samples()]);
            let key = profile.strings.intern(key.as_bytes());
            for n in 0..values {
                let set = vec![(key, LabelValue::Number(n as i64, plop_core::StrId::EMPTY))];
                let labels = profile.label_sets.intern(set);
                profile.samples.push(Sample {
                    labels: Some(labels),
                    ..Sample::of(StackId::ROOT, &[1])
                });
            }
            profile
        };
        let (route, other) = (labelled("route", 3), labelled("colour", 3));
        let by_route = By::Label("route".into());
        assert_eq!(By::Usual.of(&[&route, &route]), by_route);
        assert_eq!(By::Usual.of(&[&route, &other]), By::Tree);
        // One value for each request tells requests apart, and no kinds of them.
        assert_eq!(By::Usual.of(&[&labelled("route", 70)]), By::Tree);
        assert_eq!(groups(&route, &by_route)[2], Some("route 2".to_owned()));
    }
}
