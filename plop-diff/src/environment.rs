//! What makes two sides incomparable: another interpreter, machine, clock or period, ticks that were lost on one
//! side, or sides that were mixed up.

use std::collections::BTreeSet;

use plop_core::{Attribute, Attributes, FrameKind, Profile, decimal, nanoseconds_in};

use crate::comparison::{Environment, Warning};
use crate::tree::{NO_FUNCTION, Tree};

/// Ticks lost on one side beyond those of the other: more than this share forbids a verdict.
const LOST: f64 = 0.05;
/// Sides that have less than this share of their samples in functions of both are of different programs.
const COMMON: f64 = 0.1;
/// Names that are less alike do not tell that two functions are one: only their place does.
const ALIKE: f64 = 0.3;
/// So many samples are not the same twice by chance.
const TELLING: f64 = 1000.0;
/// Fewer samples say nothing.
const FEW_SAMPLES: f64 = 100.0;

/// Everything that has to be said of two sides before they are compared.
pub(crate) fn warnings(before: &[&Profile], after: &[&Profile], samples: [f64; 2]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut differs = |code: &'static str, what: &str, of: &dyn Fn(&Profile) -> String| {
        let (old, new) = (words(before, of), words(after, of));
        if !old.is_empty() && !new.is_empty() && old != new {
            warnings.push(Warning {
                code,
                text: format!(
                    "{what} changed: {} before, {} after",
                    old.join(", "),
                    new.join(", ")
                ),
                forbids: true,
            });
        }
    };
    differs("env-runtime", "the interpreter", &|profile| {
        Surroundings::of(profile).runtime
    });
    differs("env-host", "the kind of machine", &|profile| {
        Surroundings::of(profile).host
    });
    differs("env-clock", "the clock", &|profile| {
        Surroundings::of(profile).clock
    });
    differs("env-period", "the sampling period", &|profile| {
        Surroundings::of(profile).period
    });
    let lost = |side: &[&Profile]| {
        let ticks = side.iter().filter_map(|profile| profile.meta.ticks);
        let (asked, delivered) = ticks.fold((0, 0), |sum, ticks| {
            (sum.0 + ticks.asked, sum.1 + ticks.delivered)
        });
        match asked > 0 {
            true => 1.0 - delivered as f64 / asked as f64,
            false => 0.0,
        }
    };
    let (old, new) = (lost(before), lost(after));
    if (old - new).abs() > LOST {
        warnings.push(Warning {
            code: "ticks-lost",
            text: format!(
                "{:.0} % of the ticks were lost before and {:.0} % after",
                100.0 * old,
                100.0 * new
            ),
            forbids: true,
        });
    }
    if let (Some(old), Some(new)) = (threads(before), threads(after))
        && old.is_disjoint(&new)
    {
        warnings.push(Warning {
            code: "env-threads",
            text: format!(
                "no thread of before is in after: {} before, {} after",
                some(&old),
                some(&new)
            ),
            forbids: true,
        });
    }
    // Where sides were recorded in turns, some run before is later than some after.
    let starts = |side: &[&Profile]| -> Option<Vec<i64>> {
        side.iter().map(|profile| profile.meta.start_ns).collect()
    };
    if let (Some(old), Some(new)) = (starts(before), starts(after))
        && old.iter().min() > new.iter().max()
    {
        warnings.push(Warning {
            code: "order",
            text: "before was recorded later than after: are the sides mixed up?".into(),
            forbids: false,
        });
    }
    for (side, count) in ["before", "after"].into_iter().zip(samples) {
        if count < FEW_SAMPLES {
            warnings.push(Warning {
                code: "few-samples",
                text: format!("{side} has {count:.0} samples, which show next to nothing"),
                forbids: false,
            });
        }
    }
    warnings
}

/// Where and how the runs of a side were recorded.
pub(crate) fn environment(side: &[&Profile]) -> Environment {
    let joined = |of: &dyn Fn(&Profile) -> String| words(side, of).join(", ");
    let of_host =
        |key: &str| joined(&|profile| word_of(&profile.meta.host, key).unwrap_or_default());
    let mut periods = side.iter().map(|profile| {
        let period = profile.meta.period.as_ref()?;
        period.every.checked_mul(nanoseconds_in(&period.of.unit)?)
    });
    let first = periods.next().flatten();
    Environment {
        runtime: joined(&|profile| profile.meta.runtime.clone()),
        host: of_host("name"),
        machine: of_host("machine"),
        processors: of_host("cpus"),
        clock: joined(&|profile| profile.meta.clock.clone()),
        period_ns: first.filter(|_| periods.all(|period| period == first)),
    }
}

/// The names of a side's threads without what numbers them; none where they are not known.
fn threads(side: &[&Profile]) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for profile in side {
        let mut add = |name: &[u8]| {
            let name = String::from_utf8_lossy(name);
            let is_number = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
            let words = name.split(|c: char| !c.is_alphanumeric());
            let words: Vec<&str> = words
                .filter(is_number)
                .filter(|word| !word.is_empty())
                .collect();
            if !words.is_empty() {
                names.insert(words.join(" "));
            }
        };
        for thread in profile.samples.iter().filter_map(|sample| sample.thread) {
            add(profile.strings.get(profile.threads.get(thread).name));
        }
        for (id, frame) in profile.frames.iter() {
            if frame.kind == FrameKind::Thread {
                // `thread (12): name`, as py-spy writes them.
                let text = profile.name_of(id);
                let name = text.iter().position(|byte| *byte == b':');
                add(name.map_or(&[], |at| &text[at..]));
            }
        }
    }
    (!names.is_empty()).then_some(names)
}

/// Some of the names, for people.
fn some(names: &BTreeSet<String>) -> String {
    const FEW: usize = 3;
    let first: Vec<&str> = names.iter().take(FEW).map(String::as_str).collect();
    match names.len().saturating_sub(FEW) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Whether two sides are hardly of one program: the functions in which most samples are on one side are not there on
/// the other. Or whether they are one recording. `sides` are the samples of each stack.
pub(crate) fn likeness(tree: &Tree, sides: [&[f64]; 2]) -> Option<Warning> {
    if sides[0] == sides[1] && sides[0].iter().sum::<f64>() >= TELLING {
        return Some(Warning {
            code: "same-samples",
            text: "before and after have the very same samples: is one a copy of the other?".into(),
            forbids: false,
        });
    }
    // Functions that were paired by their place alone tell nothing: every program has a shape.
    let unlike = tree.renamed.iter().filter(|one| one.name < ALIKE);
    let unlike: BTreeSet<u32> = unlike.map(|one| one.function).collect();
    let common = sides.map(|samples| {
        let (mut all, mut in_both) = (0.0, 0.0);
        for (samples, node) in samples.iter().zip(&tree.stacks) {
            let function = tree.node_functions[*node as usize];
            if function == NO_FUNCTION {
                continue;
            }
            let names = &tree.functions[function as usize].raw;
            all += samples;
            if names.iter().all(|name| !name.is_empty()) && !unlike.contains(&function) {
                in_both += samples;
            }
        }
        if all > 0.0 { in_both / all } else { 1.0 }
    });
    let least = common[0].min(common[1]);
    let part = match (100.0 * least).round() {
        0.0 => "hardly any sample is".to_owned(),
        percent => format!("only {percent} % of the samples are"),
    };
    (least < COMMON).then(|| Warning {
        code: "other-program",
        text: format!("{part} in functions that both sides call alike: are they of one program?"),
        forbids: true,
    })
}

/// What has to be alike for runs to be comparable; a text that is empty is not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// The interpreter: `CPython 3.13.0`.
    pub runtime: String,
    /// The kind of machine: `x86_64 with processors: 2`.
    pub host: String,
    /// Which clock drove the sampler.
    pub clock: String,
    /// The distance between two samples.
    pub period: String,
}

impl Surroundings {
    /// What a profile says of them.
    pub fn of(profile: &Profile) -> Surroundings {
        let meta = &profile.meta;
        let host: Vec<String> = (["machine", "cpus"].iter())
            .filter_map(|key| word_of(&meta.host, key))
            .collect();
        let period = meta.period.as_ref();
        Surroundings {
            runtime: meta.runtime.clone(),
            host: host.join(" with processors: "),
            clock: meta.clock.clone(),
            period: period.map_or(String::new(), |period| {
                match nanoseconds_in(&period.of.unit) {
                    Some(ns) => format!("{} ms", decimal(period.every.saturating_mul(ns), 6)),
                    None => format!("{} {}", period.every, period.of.unit),
                }
            }),
        }
    }
}

/// The distinct words of a side, in order.
fn words(side: &[&Profile], of: &dyn Fn(&Profile) -> String) -> Vec<String> {
    let mut words: Vec<String> = side
        .iter()
        .map(|profile| of(profile))
        .filter(|word| !word.is_empty())
        .collect();
    words.sort();
    words.dedup();
    words
}

/// What a key says, in one word.
pub(crate) fn word_of(attributes: &Attributes, key: &str) -> Option<String> {
    let (_, value) = attributes.iter().find(|(name, _)| name == key)?;
    match value {
        Attribute::Text(text) => Some(text.clone()),
        Attribute::Number(number) => Some(number.to_string()),
        Attribute::Json(_) => None,
    }
}
