//! What could have been seen of a comparison, and what it takes to see more.

use plop_diff::{Comparison, Method, NamedPower, Plan};

use super::layout::fixed;
use super::numbers::{brief, count, percent, unsigned};
use super::text::shown;

/// What could have been seen, and what it takes to see more.
pub(super) fn seen(comparison: &Comparison) -> Vec<String> {
    let mut texts = Vec::new();
    if comparison.findings.is_empty() && comparison.hypotheses > 0 {
        let what = match comparison.total_regressed() {
            true => "no part changed beside the rest",
            false => "nothing changed",
        };
        texts.push(format!("{what} that could be seen"));
    }
    let Some(usual) = comparison.usual_power() else {
        return texts;
    };
    let others: Vec<String> = (comparison.power.iter())
        .filter(|power| power.share != usual.share)
        .map(|power| format!("of {}: {}", brief(power.share), unsigned(power.detectable)))
        .collect();
    let if_so = match comparison.method {
        Method::Slices | Method::Runs => "",
        Method::Counts => ", if the assumption holds",
    };
    let of_touched = match usual.touched {
        Some(detectable) => format!("; one that was touched, by {}", unsigned(detectable)),
        None => String::new(),
    };
    texts.push(format!(
        "seen four times in five: a function of {} that grows by {} ({}){of_touched}{if_so}",
        brief(usual.share),
        unsigned(usual.detectable),
        others.join(", ")
    ));
    let named = |power: &NamedPower| {
        format!(
            "({}, {}): growth by {}",
            shown(comparison.tree.functions[power.function as usize].shown()),
            fixed(percent(power.share)),
            unsigned(power.detectable)
        )
    };
    if let Some(largest) = comparison.large_power.first() {
        texts.push(format!("seen of the largest function {}", named(largest)));
    }
    if let Some(largest) = comparison.kind_power.first() {
        texts.push(format!(
            "seen of the largest kind of request {}",
            named(largest)
        ));
    }
    if let Some(plan) = &usual.plan {
        texts.push(format!(
            "to see {}: {}",
            unsigned(plan.target),
            steps(plan, comparison.noise.measured)
        ));
    }
    texts
}

/// What to do to see what a plan is for.
fn steps(plan: &Plan, measured: bool) -> String {
    let profiles = plan.profiles.map(|more| match more {
        1 => "1 more profile a side".to_owned(),
        more => format!("{} more profiles a side", count(more as f64)),
    });
    let time = match (plan.seconds, plan.samples) {
        (Some(more), _) => Some(format!("{} more a side", time(more))),
        (None, Some(more)) => Some(format!("{} more samples a side", count(rounded_up(more)))),
        (None, None) => None,
    };
    let calibrate = match measured {
        true => "",
        false => "; plop calibrate measures by how much",
    };
    match (time, profiles) {
        (Some(time), Some(profiles)) => format!("{time}, or {profiles}"),
        (Some(time), None) => time,
        (None, Some(profiles)) => format!(
            "{profiles}; more seconds will not do, since runs differ by more (endless ones would see {}){calibrate}",
            unsigned(plan.floor)
        ),
        (None, None) => format!("nothing will help, since runs differ by more{calibrate}"),
    }
}

/// A number with two digits that count, and no less.
fn rounded_up(number: f64) -> f64 {
    let digits = number.max(1.0).log10().floor();
    let unit = 10f64.powf((digits - 1.0).max(0.0));
    (number / unit).ceil() * unit
}

fn time(seconds: f64) -> String {
    fixed(match seconds {
        few if few < 600.0 => format!("{} s", count(rounded_up(few))),
        more if more < 36_000.0 => format!("{} min", count(rounded_up(more / 60.0))),
        many => format!("{} h", count(rounded_up(many / 3600.0))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_told_in_round_numbers() {
        let plan = Plan {
            target: 0.01,
            seconds: Some(151.2),
            samples: Some(15_120.0),
            profiles: Some(1),
            floor: 0.008,
        };
        let told = |plan: &Plan, measured| steps(plan, measured).replace('\u{a0}', " ");
        assert_eq!(
            told(&plan, false),
            "160 s more a side, or 1 more profile a side"
        );
        let plan = Plan {
            seconds: None,
            profiles: Some(3),
            ..plan
        };
        assert_eq!(
            told(&plan, true),
            "16,000 more samples a side, or 3 more profiles a side"
        );
        let plan = Plan {
            samples: None,
            ..plan
        };
        assert_eq!(
            told(&plan, true),
            "3 more profiles a side; more seconds will not do, since runs differ by more (endless ones would see \
             0.80 pt)"
        );
        let plan = Plan {
            profiles: None,
            ..plan
        };
        assert_eq!(
            told(&plan, false),
            "nothing will help, since runs differ by more; plop calibrate measures by how much"
        );
        let times =
            [12.0, 599.1, 1234.0, 40_000.0].map(|seconds| time(seconds).replace('\u{a0}', " "));
        assert_eq!(times, ["12 s", "600 s", "21 min", "12 h"]);
    }
}
