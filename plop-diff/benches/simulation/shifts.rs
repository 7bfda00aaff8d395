//! Whether cost that only moves is told from cost that grows.

use plop_diff::{Verdict, stats::share_interval};
use rayon::prelude::*;

use crate::cell::{Bench, Cell};
use crate::program::{Change, Program};
use crate::random::Random;
use crate::truth::names;

pub(crate) const HEAD: &str = "\
| noise, samples | compared | done | comparisons | said that cost moved | fails | the slower function fails |
|---|---|---|---|---|---|---|";

/// What is done to a program.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Deed {
    /// Four points go from one function to another.
    Moved,
    /// The same, and a third is slower by two points.
    MovedAndSlower,
    /// A function is slower by three points.
    Slower,
    /// A call whose subtree has 1.5 to 5 % comes 60 % more often.
    Called,
}

impl Deed {
    fn words(self) -> &'static str {
        match self {
            Deed::Moved => "4 points move",
            Deed::MovedAndSlower => "4 points move, another function +2 points",
            Deed::Slower => "6 % function, +3 points",
            Deed::Called => "calls of a 1.5–5 % subtree, +60 %",
        }
    }
}

struct Trial {
    moved: bool,
    failed: bool,
    /// Whether the function that is slower fails.
    found: bool,
}

pub(crate) fn shifts(cell: Cell, count: usize) {
    let bench = Bench::of(cell);
    for deed in [
        Deed::Moved,
        Deed::MovedAndSlower,
        Deed::Slower,
        Deed::Called,
    ] {
        let trials: Vec<Trial> = (0..count)
            .into_par_iter()
            .map(|trial| run(&bench, deed, trial))
            .collect();
        let share = |of: &dyn Fn(&Trial) -> bool| {
            let found = trials.iter().filter(|trial| of(trial)).count();
            let [low, high] = share_interval(found, count, 0.95);
            let percent = 100.0 * found as f64 / count as f64;
            format!("{percent:.1} % ({:.1}–{:.1})", 100.0 * low, 100.0 * high)
        };
        let found = match deed {
            Deed::MovedAndSlower | Deed::Slower => share(&|trial| trial.found),
            Deed::Moved | Deed::Called => String::new(),
        };
        println!(
            "| {cell} | {} | {count} | {} | {} | {found} |",
            deed.words(),
            share(&|trial| trial.moved),
            share(&|trial| trial.failed),
        );
    }
}

fn run(bench: &Bench, deed: Deed, trial: usize) -> Trial {
    let program = bench.program(trial);
    let mut random = Random::new(0x51f7_0000 + 10_000 * deed as u64 + trial as u64);
    let [from, to, third] = chosen(program, &mut random);
    let (change, slower) = match deed {
        Deed::Moved | Deed::MovedAndSlower => {
            let slower = (deed == Deed::MovedAndSlower)
                .then(|| (third, 1.0 + 0.02 / program.own_share(third)));
            let moved = Change::Moved {
                from,
                to,
                points: 0.04,
                slower,
            };
            (moved, Some(third))
        }
        Deed::Slower => {
            let function = program.function_of(0.06);
            let factor = 1.0 + 0.03 / program.own_share(function);
            (Change::Slower(function, factor), Some(function))
        }
        Deed::Called => {
            let calls = program.calls_of(0.015, 0.05);
            (Change::Called(calls[random.below(calls.len())], 1.6), None)
        }
    };
    let sides = bench.sides(trial, [None, Some(change)], &mut random);
    let comparison = bench.compare(trial, &sides, 0.005);
    Trial {
        moved: comparison.shift.is_some(),
        failed: comparison.verdict == Verdict::Regressed,
        found: slower.is_some_and(|slower| {
            (comparison.regressions()).any(|finding| names(&comparison, finding, slower))
        }),
    }
}

/// A function from which cost can move, and two others, all of some size.
fn chosen(program: &Program, random: &mut Random) -> [usize; 3] {
    let of_size = |least: f64, most: f64| -> Vec<usize> {
        (1..program.functions)
            .filter(|function| (least..most).contains(&program.own_share(*function)))
            .collect()
    };
    let (large, any) = (of_size(0.045, 1.0), of_size(0.005, 0.04));
    let from = match &large[..] {
        [] => program.function_of(0.06),
        some => some[random.below(some.len())],
    };
    let to = any[random.below(any.len())];
    loop {
        let third = any[random.below(any.len())];
        if third != to {
            return [from, to, third];
        }
    }
}
