//! What the rules of other tools make of the same runs, one with one. The rules are written anew from what the
//! tools document and do; none of them tests anything but the last two, which people add by hand.

use plop_diff::stats::{share_interval, upper_tail};
use rayon::prelude::*;

use crate::cell::{Cell, programs};
use crate::oracle::fair;
use crate::probit::{Point, at_four_in_five};
use crate::program::{Change, Program};
use crate::random::Random;

/// The samples of two runs.
struct Pair {
    /// Of each node itself, before and after.
    nodes: [Vec<f64>; 2],
    /// Of each function itself, and with all that it calls.
    own: [Vec<f64>; 2],
    inclusive: [Vec<f64>; 2],
    samples: [f64; 2],
}

/// How many things a rule points at that grew.
type Rule = fn(&Pair) -> usize;

const RULES: [(&str, Rule); 9] = [
    ("share grew by over 1 point", |pair| {
        growths(pair, |b, a| a - b > 0.01)
    }),
    ("pprof -normalize, over nodefraction 0.5 %", normalized),
    ("total of 1 % or more, grew by 10 %", |pair| {
        growths(pair, |b, a| a >= 0.01 && a >= 1.1 * b)
    }),
    ("self of 1 % or more, grew by 10 %", |pair| {
        count(&pair.own, pair.samples, |b, a| a >= 0.01 && a >= 1.1 * b)
    }),
    (
        "difffolded, a frame at least half as red as can be",
        half_red,
    ),
    (
        "Python 3.15's differential flame graph, a path of 1 % or more in the +15 % colour",
        |pair| count(&pair.nodes, pair.samples, |b, a| a >= 0.01 && a >= 1.15 * b),
    ),
    ("z test of each function, p < 0.05", |pair| {
        tests(pair).filter(|(p, grew)| *grew && *p < 0.05).count()
    }),
    ("the same, Benjamini–Hochberg q < 0.05", benjamini_hochberg),
    ("the same, Bonferroni 1 %", |pair| {
        let all = tests(pair).count() as f64;
        tests(pair)
            .filter(|(p, grew)| *grew && *p < 0.01 / all)
            .count()
    }),
];

pub(crate) const HEAD: &str = "\
| noise, samples | rule | alarms | exact 95 % interval | findings a comparison |
|---|---|---|---|---|";

pub(crate) fn peers(cell: Cell, trials: usize) {
    let programs = programs();
    let pairs = |seed: u64, count: usize, change: &(dyn Fn(usize) -> Option<Change> + Sync)| {
        let pair = |trial: usize| {
            let mut random = Random::new(seed + trial as u64);
            Pair::record(
                &programs[trial % programs.len()],
                cell,
                change(trial),
                &mut random,
            )
        };
        (0..count).into_par_iter().map(pair).collect::<Vec<Pair>>()
    };
    let unchanged = pairs(0xa11a_0000, trials, &|_| None);
    for (name, rule) in RULES {
        let found: Vec<usize> = unchanged.par_iter().map(rule).collect();
        let alarms = found.iter().filter(|found| **found > 0).count();
        let [low, high] = share_interval(alarms, trials, 0.95);
        println!(
            "| {cell} | {name} | {:.1} % | {:.1}–{:.1} % | {:.1} |",
            100.0 * alarms as f64 / trials as f64,
            100.0 * low,
            100.0 * high,
            found.iter().sum::<usize>() as f64 / trials as f64,
        );
    }
    // The best that a limit for shares can be, were it known.
    let mut largest: Vec<f64> = unchanged.iter().map(largest_growth).collect();
    largest.sort_by(|a, b| b.total_cmp(a));
    let limit = largest[trials / 100];
    for size in [0.02, 0.06] {
        let guilty: Vec<usize> = programs
            .iter()
            .map(|program| program.function_of(size))
            .collect();
        let points: Vec<Point> = [0.6, 0.8, 0.9, 1.0, 1.15, 1.3, 1.6]
            .into_iter()
            .map(|step| {
                let change = |trial: usize| {
                    let n = trial % programs.len();
                    let own = programs[n].own_share(guilty[n]);
                    Some(Change::Slower(guilty[n], 1.0 + step * limit / own))
                };
                let pairs = pairs(0x9ee0_0000 + (1000.0 * step) as u64 * 1000, 96, &change);
                Point {
                    effect: step * limit,
                    found: pairs
                        .iter()
                        .filter(|pair| largest_growth(pair) > limit)
                        .count(),
                    trials: pairs.len(),
                }
            })
            .collect();
        let found = at_four_in_five(&points);
        let fair = |n: usize| fair(cell, &programs[n], guilty[n], 340);
        let fair = (0..programs.len()).map(fair).sum::<f64>() / programs.len() as f64;
        println!(
            "| {cell} | share grew by over {:.2} points, which has 1 % false alarms here: finds {:.2} ± {:.2} points of a \
             {:.0} % function, {:.1} × fair | | | |",
            100.0 * limit,
            100.0 * found.value,
            100.0 * found.error,
            100.0 * size,
            found.value / fair,
        );
    }
}

impl Pair {
    fn record(program: &Program, cell: Cell, change: Option<Change>, random: &mut Random) -> Pair {
        let nodes = [None, change].map(|change| {
            let counts = program.record(cell.noise, cell.samples, change, random);
            program.totals(&counts)
        });
        let own = nodes.each_ref().map(|nodes| {
            let mut own = vec![0.0; program.functions];
            for (samples, (_, function)) in nodes.iter().zip(&program.nodes) {
                own[*function] += samples;
            }
            own
        });
        let inclusive = nodes.each_ref().map(|nodes| {
            let mut inclusive = vec![0.0; program.functions];
            for (node, samples) in nodes
                .iter()
                .enumerate()
                .filter(|(_, samples)| **samples > 0.0)
            {
                let (mut at, mut met) = (node, Vec::new());
                loop {
                    let function = program.nodes[at].1;
                    if !met.contains(&function) {
                        met.push(function);
                        inclusive[function] += samples;
                    }
                    if at == 0 {
                        break;
                    }
                    at = program.nodes[at].0;
                }
            }
            inclusive
        });
        Pair {
            samples: nodes.each_ref().map(|nodes| nodes.iter().sum()),
            nodes,
            own,
            inclusive,
        }
    }
}

/// How many of some shares grew as is asked.
fn count(values: &[Vec<f64>; 2], samples: [f64; 2], is_growth: impl Fn(f64, f64) -> bool) -> usize {
    let pairs = values[0].iter().zip(&values[1]);
    pairs
        .filter(|(before, after)| is_growth(*before / samples[0], *after / samples[1]))
        .count()
}

/// The same of functions with all that they call, as Pyroscope, Parca and Elastic show them.
fn growths(pair: &Pair, is_growth: impl Fn(f64, f64) -> bool) -> usize {
    count(&pair.inclusive, pair.samples, is_growth)
}

fn largest_growth(pair: &Pair) -> f64 {
    let shares = pair.inclusive[0].iter().zip(&pair.inclusive[1]);
    shares
        .map(|(before, after)| after / pair.samples[1] - before / pair.samples[0])
        .fold(0.0, f64::max)
}

/// Every value of before is scaled to the total of after and rounded; a node is shown from a share of the total
/// on. (The total that the code takes is the difference of the two, which is nothing, so that all would be shown.)
fn normalized(pair: &Pair) -> usize {
    let ratio = pair.samples[1] / pair.samples[0];
    let pairs = pair.inclusive[0].iter().zip(&pair.inclusive[1]);
    pairs
        .filter(|(before, after)| *after - (*before * ratio).round() >= 0.005 * pair.samples[1])
        .count()
}

/// `difffolded.pl -n` and `flamegraph.pl`: the redness of a frame is its own growth over the largest change of any.
fn half_red(pair: &Pair) -> usize {
    let ratio = pair.samples[1] / pair.samples[0];
    let changes: Vec<f64> = (pair.nodes[0].iter().zip(&pair.nodes[1]))
        .map(|(before, after)| after - (before * ratio).trunc())
        .collect();
    let largest = changes
        .iter()
        .fold(0.0f64, |largest, change| largest.max(change.abs()));
    changes
        .iter()
        .filter(|change| **change > 0.0 && **change >= 0.5 * largest)
        .count()
}

/// For each function with what it calls, how likely its change is by chance if samples were independent, and
/// whether it grew.
fn tests(pair: &Pair) -> impl Iterator<Item = (f64, bool)> + '_ {
    let [n1, n2] = pair.samples;
    let counts = pair.inclusive[0].iter().zip(&pair.inclusive[1]);
    counts.filter_map(move |(y1, y2)| {
        let p = (y1 + y2) / (n1 + n2);
        let error = (p * (1.0 - p) * (1.0 / n1 + 1.0 / n2)).sqrt();
        let z = (y2 / n2 - y1 / n1) / error;
        z.is_finite().then(|| (2.0 * upper_tail(z.abs()), z > 0.0))
    })
}

fn benjamini_hochberg(pair: &Pair) -> usize {
    let mut tests: Vec<(f64, bool)> = tests(pair).collect();
    tests.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = tests.len() as f64;
    let last = tests
        .iter()
        .enumerate()
        .rev()
        .find(|(n, (p, _))| *p <= 0.05 * (*n as f64 + 1.0) / all)
        .map_or(0, |(n, _)| n + 1);
    tests[..last].iter().filter(|(_, grew)| *grew).count()
}
