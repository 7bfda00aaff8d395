//! What makes two sides incomparable: another interpreter, machine, clock or period, ticks that were lost on one
//! side, or sides that were mixed up.

use plop_core::{Attribute, Attributes, Profile, nanoseconds_in};

use crate::comparison::{Environment, Warning};

/// Ticks lost on one side beyond those of the other: more than this share forbids a verdict.
const LOST: f64 = 0.05;
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
    let start = |side: &[&Profile]| {
        side.iter()
            .filter_map(|profile| profile.meta.start_ns)
            .max()
    };
    if let (Some(old), Some(new)) = (start(before), start(after))
        && old > new
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
                format!("{} {}", period.every, period.of.unit)
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
