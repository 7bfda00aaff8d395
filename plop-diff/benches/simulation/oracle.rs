//! The smallest growth that anything could find. The oracle knows which function is guilty and every variance;
//! the fair one pays for all sets of stacks alike, as whoever does not know has to (Bonferroni).

use plop_diff::stats::upper_quantile;

use crate::cell::{Cell, Noise};
use crate::program::{Change, FUNCTION, KINDS, MIX, Program, REQUEST};

/// In shares of the whole cost before: the growth of a function that the fair oracle finds with 80 % power at
/// an error rate of 1 %.
pub(crate) fn fair(cell: Cell, program: &Program, function: usize, hypotheses: usize) -> f64 {
    let limit = upper_quantile(0.01 / hypotheses as f64);
    let four_in_five = upper_quantile(0.2);
    let [before, after] = cell.runs().map(|runs| runs as f64);
    let own = program.own_share(function);
    let of = |samples: usize, factor: f64| variance(cell.noise, samples, program, function, factor);
    let usual = of(cell.samples, 1.0) / before;
    let usual_after = of(cell.samples_after, 1.0) / after;
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..60 {
        let growth: f64 = 0.5 * (low + high);
        let share = (own + growth) / (1.0 + growth);
        let grown = of(cell.samples_after, 1.0 + growth / own) / after;
        let needed = limit * (usual + usual_after).sqrt() + four_in_five * (usual + grown).sqrt();
        if share - own < needed {
            low = growth;
        } else {
            high = growth;
        }
    }
    low
}

/// The variance of a function's own share in one run, exactly but for what happens at the run's ends.
fn variance(noise: Noise, samples: usize, program: &Program, function: usize, factor: f64) -> f64 {
    let shares = program.usual(Some(Change::Slower(function, factor)));
    let mut own = vec![0.0; program.functions];
    let (mut kinds, mut in_kind) = ([0.0; KINDS], [0.0; KINDS]);
    for (node, share) in shares.iter().enumerate() {
        let (of, kind) = (program.nodes[node].1, program.kinds[node]);
        own[of] += share;
        kinds[kind] += share;
        if of == function {
            in_kind[kind] += share;
        }
    }
    let p = own[function];
    let square: f64 = (kinds.iter().zip(in_kind))
        .map(|(kind, y)| y * y / kind)
        .sum();
    // Two samples are of one request with probability r to the power of their distance, and of one stack without
    // a new draw with half of that power.
    let (within, mix) = (p - square, square - p * p);
    let r = 1.0 - 1.0 / REQUEST;
    let (stack, request) = ((1.0 + 0.5 * r) / (1.0 - 0.5 * r), (1.0 + r) / (1.0 - r));
    let sampled = match noise {
        Noise::Iid => p * (1.0 - p),
        Noise::Sticky | Noise::Run => within * stack + mix * request,
    } / samples as f64;
    if noise != Noise::Run {
        return sampled;
    }
    let of_mix: f64 = (0..KINDS)
        .map(|kind| {
            let other = in_kind[kind] / kinds[kind] - p;
            (kinds[kind] * other).powi(2) / program.mix[kind]
        })
        .sum();
    let others: f64 = own.iter().map(|share| share * share).sum::<f64>() - p * p;
    let of_functions = (p * (1.0 - p)).powi(2) + p * p * others;
    sampled + of_mix / (MIX + 1.0) + FUNCTION * FUNCTION * of_functions
}
