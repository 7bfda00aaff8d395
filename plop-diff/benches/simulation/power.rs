//! What is found of a function that is slower by some points of the whole cost.

use plop_diff::Comparison;
use rayon::prelude::*;

use crate::cell::{Bench, Cell};
use crate::oracle::fair;
use crate::probit::{Point, at_four_in_five};
use crate::program::Change;
use crate::random::Random;
use crate::truth::{Truth, names};

/// Growths that are tried, as multiples of what the fair oracle finds four times in five.
const OF_FAIR: [f64; 7] = [0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0];
/// The same, of what a comparison says it could have seen.
const OF_PRINTED: [f64; 7] = [0.6, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5];
/// The least growth that a gate fails for.
const MIN_EFFECT: f64 = 0.005;

pub(crate) const HEAD: &str = "\
| noise, samples | compared | function | fair oracle | found ÷ fair | first is the cause | findings | interval holds | gate: printed | printed ÷ measured |
|---|---|---|---|---|---|---|---|---|---|";

/// What one comparison with a guilty function came to.
struct Trial {
    found: bool,
    failed: bool,
    is_first: bool,
    findings: usize,
    /// Whether the interval of the first finding holds the truth, where it names the cause.
    holds: Option<bool>,
    /// The growth that it says it would have failed for.
    printed: f64,
}

pub(crate) fn power(cell: Cell, count: usize) {
    let bench = Bench::of(cell);
    for size in [0.02, 0.06] {
        let guilty: Vec<usize> = (bench.programs.iter())
            .map(|program| program.function_of(size))
            .collect();
        let fair: Vec<f64> = (0..guilty.len())
            .map(|n| fair(cell, &bench.programs[n], guilty[n], bench.hypotheses[n]))
            .collect();
        let at = |step: f64, points: f64, trial: usize| {
            let seed = (1000.0 * step) as u64 * 1_000_000 + (1000.0 * size) as u64 * 1000;
            run(
                &bench,
                guilty[trial % guilty.len()],
                step * points,
                seed,
                trial,
            )
        };
        let trials: Vec<Vec<Trial>> = (OF_FAIR.iter())
            .map(|step| {
                let trials = (0..count).into_par_iter();
                trials
                    .map(|trial| at(*step, fair[trial % fair.len()], trial))
                    .collect()
            })
            .collect();
        let points = points(&OF_FAIR, &trials, |trial| trial.found);
        let ratio = at_four_in_five(&points);
        let detected: Vec<&Trial> = trials
            .iter()
            .flatten()
            .filter(|trial| trial.found)
            .collect();
        let share = |of: &dyn Fn(&Trial) -> bool| {
            let count = detected.iter().filter(|trial| of(trial)).count();
            100.0 * count as f64 / detected.len().max(1) as f64
        };
        let holds = detected.iter().filter_map(|trial| trial.holds);
        let known = holds.clone().count();
        // The gate's own growth, around what is printed.
        let printed: Vec<f64> = (0..guilty.len())
            .map(|n| run(&bench, guilty[n], 0.0, 7, n).printed)
            .collect();
        let gate: Vec<Vec<Trial>> = (OF_PRINTED.iter())
            .map(|step| {
                let trials = (0..count).into_par_iter();
                trials
                    .map(|trial| at(*step, printed[trial % printed.len()], trial))
                    .collect()
            })
            .collect();
        let measured = at_four_in_five(&self::points(&OF_PRINTED, &gate, |trial| trial.failed));
        let told = gate.iter().flatten().count() as f64;
        let told = (gate.iter().flatten().enumerate())
            .map(|(n, trial)| trial.printed / printed[n % count % printed.len()])
            .sum::<f64>()
            / told;
        let mean = |values: &[f64]| 100.0 * values.iter().sum::<f64>() / values.len() as f64;
        println!(
            "| {cell} | {:.0} % | {:.2} | **{:.2}** ± {:.2} | {:.1} % of {} | {:.2} | {:.1} % of {known} | {:.2} | \
             {:.2} ± {:.2} |",
            100.0 * size,
            mean(&fair),
            ratio.value,
            ratio.error,
            share(&|trial| trial.is_first),
            detected.len(),
            detected.iter().map(|trial| trial.findings).sum::<usize>() as f64
                / detected.len().max(1) as f64,
            100.0 * holds.filter(|holds| *holds).count() as f64 / known.max(1) as f64,
            mean(&printed),
            told / measured.value,
            told / measured.value * measured.error / measured.value,
        );
    }
}

fn points(steps: &[f64], trials: &[Vec<Trial>], is_found: impl Fn(&Trial) -> bool) -> Vec<Point> {
    (steps.iter().zip(trials))
        .map(|(effect, trials)| Point {
            effect: *effect,
            found: trials.iter().filter(|trial| is_found(trial)).count(),
            trials: trials.len(),
        })
        .collect()
}

/// Compares with runs in which a function is slower by so many points.
fn run(bench: &Bench, guilty: usize, points: f64, seed: u64, trial: usize) -> Trial {
    let program = bench.program(trial);
    let own = program.own_share(guilty);
    let changes = [None, Some(Change::Slower(guilty, 1.0 + points / own))];
    let mut random = Random::new(0x90_0000_0000 + seed + trial as u64);
    let sides = bench.sides(trial, changes, &mut random);
    let comparison = bench.compare_told(trial, &sides, MIN_EFFECT, Some(guilty));
    let grown: Vec<_> = (comparison.findings.iter())
        .filter(|finding| finding.grew())
        .collect();
    let first = (grown.first()).filter(|finding| names(&comparison, finding, guilty));
    let truth = Truth::of(program, changes, program.nodes_of(guilty));
    Trial {
        found: !grown.is_empty(),
        failed: comparison.regressions().next().is_some(),
        is_first: first.is_some(),
        findings: grown.len(),
        holds: first.map(|finding| {
            let points = truth.points(&comparison, finding);
            (finding.interval[0]..=finding.interval[1]).contains(&points)
        }),
        printed: printed(&comparison, own),
    }
}

/// What a comparison says of a function of some size.
fn printed(comparison: &Comparison, share: f64) -> f64 {
    let sensitivity = &comparison.sensitivity;
    let of_touched = sensitivity.detectable_of_touched(share);
    of_touched
        .or_else(|| sensitivity.detectable(share))
        .expect("the sides were compared")
}
