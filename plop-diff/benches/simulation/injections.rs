//! Whether what was done to a program is what a comparison says was done.

use plop_diff::{Reason, stats::share_interval};
use rayon::prelude::*;

use crate::cell::{Bench, Cell};
use crate::program::Change;
use crate::random::Random;
use crate::truth::Truth;

pub(crate) const HEAD: &str = "\
| noise, samples | compared | done | found | growths a detection | shrinkings | alike (Jaccard) | said rightly | not wrongly |
|---|---|---|---|---|---|---|---|---|";

/// What is done to a program.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Deed {
    /// A function of 6 % takes half as much again.
    Slower,
    /// A call whose subtree has 1.5 to 5 % comes 60 % more often.
    Called,
    /// A function of 2 % takes 20 points more.
    Composition,
    /// A call whose subtree has 1.5 to 5 % was not there before.
    New,
}

impl Deed {
    fn words(self) -> &'static str {
        match self {
            Deed::Slower => "6 % function, +3 points",
            Deed::Called => "calls of a 1.5–5 % subtree, +60 %",
            Deed::Composition => "2 % function, +20 points",
            Deed::New => "new call of a 1.5–5 % subtree",
        }
    }

    fn reason(self) -> Reason {
        match self {
            Deed::Slower | Deed::Composition => Reason::SelfCost,
            Deed::Called => Reason::CalledMore,
            Deed::New => Reason::NewPath,
        }
    }
}

struct Trial {
    growths: usize,
    shrinkings: usize,
    alike: f64,
    reason: Option<Reason>,
}

pub(crate) fn injections(cell: Cell, count: usize) {
    let bench = Bench::of(cell);
    for deed in [Deed::Slower, Deed::Called, Deed::Composition, Deed::New] {
        let trials: Vec<Trial> = (0..count)
            .into_par_iter()
            .map(|trial| run(&bench, deed, trial))
            .collect();
        let found: Vec<&Trial> = trials.iter().filter(|trial| trial.growths > 0).collect();
        let each = found.len().max(1) as f64;
        let said = |reasons: &[Reason]| {
            let right = found
                .iter()
                .filter(|trial| trial.reason.is_some_and(|r| reasons.contains(&r)));
            let right = right.count();
            let [low, high] = share_interval(right, found.len(), 0.95);
            format!(
                "{:.1} % ({:.0}–{:.0})",
                100.0 * right as f64 / each,
                100.0 * low,
                100.0 * high
            )
        };
        let honest = match deed {
            Deed::New => Reason::NewPath,
            _ => Reason::SelfOrCalledMore,
        };
        println!(
            "| {cell} | {} | {} of {count} | {:.2} | {:.2} | {:.3} | {} | {} |",
            deed.words(),
            found.len(),
            found.iter().map(|trial| trial.growths).sum::<usize>() as f64 / each,
            found.iter().map(|trial| trial.shrinkings).sum::<usize>() as f64 / each,
            found.iter().map(|trial| trial.alike).sum::<f64>() / each,
            said(&[deed.reason()]),
            said(&[deed.reason(), honest]),
        );
    }
}

fn run(bench: &Bench, deed: Deed, trial: usize) -> Trial {
    let program = bench.program(trial);
    let mut random = Random::new(0x1713_0000 + 10_000 * deed as u64 + trial as u64);
    let slower = |size: f64, points: f64| {
        let function = program.function_of(size);
        let factor = 1.0 + points / program.own_share(function);
        let changes = [None, Some(Change::Slower(function, factor))];
        (changes, program.nodes_of(function))
    };
    let calls = program.calls_of(0.015, 0.05);
    let call = calls[random.below(calls.len())];
    let (changes, cause) = match deed {
        Deed::Slower => slower(0.06, 0.03),
        Deed::Composition => slower(0.02, 0.2),
        Deed::Called => (
            [None, Some(Change::Called(call, 1.6))],
            program.all_below(call),
        ),
        Deed::New => ([Some(Change::Without(call)), None], program.all_below(call)),
    };
    let sides = bench.sides(trial, changes, &mut random);
    let comparison = bench.compare(trial, &sides, 0.0);
    let truth = Truth::of(program, changes, cause);
    let grown: Vec<_> = (comparison.findings.iter())
        .filter(|finding| finding.grew())
        .collect();
    Trial {
        growths: grown.len(),
        shrinkings: comparison.findings.len() - grown.len(),
        alike: grown
            .first()
            .map_or(0.0, |first| truth.alike(&comparison, first)),
        reason: grown.first().map(|first| first.reason),
    }
}
