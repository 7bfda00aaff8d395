//! The same work done eight times a side: every run's cost is known exactly, and differs by 1 % from run to run.
//! The runs can be written as folded stacks, for other programs to compare.

use std::path::Path;

use plop_core::Profile;
use plop_diff::{Options, Verdict, compare, stats::share_interval};
use rayon::prelude::*;

use crate::cell::{Noise, programs};
use crate::program::{Change, Program, name};
use crate::random::Random;
use crate::truth::names;

const RUNS: usize = 8;
const SAMPLES: f64 = 3000.0;
/// Nanoseconds between two samples.
const PERIOD: f64 = 1e7;
/// The standard deviation of the logarithm of a run's cost.
const NOISE: f64 = 0.01;
/// Growths that are tried, in points of the whole cost.
const POINTS: [f64; 4] = [0.0, 0.75, 1.5, 3.0];
/// The guilty function's own share.
const SIZE: f64 = 0.06;

const HEAD: &str = "\
| grown by | comparisons | alarm | a function named | the cause named first | the whole | verdict regressed |
|---|---|---|---|---|---|---|";

struct Trial {
    alarm: bool,
    named: bool,
    is_first: bool,
    total: bool,
    failed: bool,
}

pub(crate) fn fixed_work(count: usize, alpha: f64, folder: Option<&Path>) {
    println!("{HEAD}");
    let programs = programs();
    for points in POINTS {
        let trials: Vec<Trial> = (0..count)
            .into_par_iter()
            .map(|trial| {
                run(
                    &programs[trial % programs.len()],
                    points / 100.0,
                    alpha,
                    trial,
                    folder,
                )
            })
            .collect();
        let share = |of: &dyn Fn(&Trial) -> bool| {
            let found = trials.iter().filter(|trial| of(trial)).count();
            let [low, high] = share_interval(found, count, 0.95);
            let percent = 100.0 * found as f64 / count as f64;
            format!("{percent:.1} % ({:.1}–{:.1})", 100.0 * low, 100.0 * high)
        };
        println!(
            "| {points} | {count} | {} | {} | {} | {} | {} |",
            share(&|trial| trial.alarm),
            share(&|trial| trial.named),
            share(&|trial| trial.is_first),
            share(&|trial| trial.total),
            share(&|trial| trial.failed),
        );
    }
}

fn run(program: &Program, points: f64, alpha: f64, trial: usize, folder: Option<&Path>) -> Trial {
    let guilty = program.function_of(SIZE);
    let change = Change::Slower(guilty, 1.0 + points / program.own_share(guilty));
    let mut random = Random::new(0xf1ed_0000 + (1e5 * points) as u64 * 10_000 + trial as u64);
    let sides = [("before", None), ("after", Some(change))].map(|(side, change)| {
        let growth = if change.is_some() { points } else { 0.0 };
        let record = |n: usize| {
            let cost = (1.0 + growth) * (NOISE * random.normal()).exp();
            let samples = (SAMPLES * cost).round() as usize;
            let counts = program.record(Noise::Run, samples, change, &mut random);
            if let Some(folder) = folder {
                let folder = folder.join(format!("{}/{trial:04}/{side}", 100.0 * points));
                write(&folder, n, &program.folded(&counts));
            }
            let mut profile = program.profile(&counts);
            profile.meta.cpu_ns = Some((SAMPLES * cost * PERIOD) as i64);
            profile.meta.work = vec![("requests".into(), 15_000)];
            profile
        };
        (0..RUNS).map(record).collect::<Vec<Profile>>()
    });
    if let Some(folder) = folder {
        let folder = folder.join(format!("{}/{trial:04}", 100.0 * points));
        std::fs::write(folder.join("guilty"), name(guilty)).expect("the folder can be written");
    }
    let [before, after] = sides.each_ref().map(|side| side.iter().collect::<Vec<_>>());
    let options = Options {
        alpha,
        ..Options::default()
    };
    let comparison = compare(&before, &after, &options).expect("runs compare");
    let grown: Vec<_> = (comparison.findings.iter())
        .filter(|finding| finding.grew())
        .collect();
    let total = comparison
        .total
        .as_ref()
        .is_some_and(|total| total.grew(0.0));
    Trial {
        alarm: total || !grown.is_empty(),
        named: !grown.is_empty(),
        // A cause that is told as the likeliest is told.
        is_first: (grown.first().copied())
            .or(comparison.likely.as_ref())
            .is_some_and(|finding| names(&comparison, finding, guilty)),
        total,
        failed: comparison.verdict == Verdict::Regressed,
    }
}

fn write(folder: &Path, run: usize, folded: &str) {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    std::fs::write(folder.join(format!("{run}.folded")), folded)
        .expect("the folder can be written");
}
