//! How often runs of one program are taken for runs of two.

use plop_diff::Verdict;
use plop_diff::stats::share_interval;
use rayon::prelude::*;

use crate::cell::{Bench, Cell};
use crate::random::Random;

pub(crate) const HEAD: &str = "\
| noise, samples | compared | comparisons | alarms | rate | exact 95 % interval | findings an alarm | no verdict |
|---|---|---|---|---|---|---|---|";

pub(crate) fn alarms(cell: Cell, count: usize) {
    let bench = Bench::of(cell);
    let found: Vec<(usize, bool)> = (0..count)
        .into_par_iter()
        .map(|trial| {
            let mut random = Random::new(0xa11a_0000 + trial as u64);
            let sides = bench.sides(trial, [None, None], &mut random);
            let comparison = bench.compare(trial, &sides, 0.0);
            let grown = comparison.findings.iter().filter(|finding| finding.grew());
            (grown.count(), comparison.verdict == Verdict::Inconclusive)
        })
        .collect();
    let alarms = found.iter().filter(|(grown, _)| *grown > 0).count();
    let [low, high] = share_interval(alarms, count, 0.95);
    println!(
        "| {cell} | {count} | {alarms} | {:.2} % | {:.2}–{:.2} % | {:.2} | {:.2} % |",
        100.0 * alarms as f64 / count as f64,
        100.0 * low,
        100.0 * high,
        found.iter().map(|(grown, _)| grown).sum::<usize>() as f64 / alarms.max(1) as f64,
        100.0 * found.iter().filter(|(_, none)| *none).count() as f64 / count as f64,
    );
}
