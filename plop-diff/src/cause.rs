//! A cause of what changed: a set of stacks with the factor by which it changed, which can be taken out of the side
//! after.

use rayon::prelude::*;

use crate::pooled::Pooled;
use crate::sets::{Set, prefix_sums};
use crate::weigh::{Change, Evidence, Sums, Weights};

/// Samples of each stack, before and after.
pub(crate) type Selfs = [Vec<f64>; 2];

/// A change that is too large for chance.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    /// The set, by its number.
    pub(crate) set: usize,
    pub(crate) change: Change,
    /// By what factor it changed, all else being equal.
    pub(crate) odds: f64,
    /// Whether nothing is left of it, so that no factor can bring it back.
    gone: bool,
    /// The factor when it was found.
    first_odds: f64,
    /// Whether the factor is what the whole tells, which does not change by what other causes there are.
    is_fixed: bool,
}

impl Cause {
    /// A set as a cause, with the factor that the whole tells, or else its share.
    pub(crate) fn of(
        weights: &Weights,
        set: usize,
        selfs: &Selfs,
        change: Change,
        by_whole: Option<f64>,
    ) -> Cause {
        let odds = by_whole.unwrap_or_else(|| odds(weights, set, selfs, change));
        Cause {
            set,
            change,
            odds,
            first_odds: odds,
            gone: weights.sets[set].sum_of(&selfs[1]) < 1.0,
            is_fixed: by_whole.is_some(),
        }
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Which part of its factor, as a logarithm, is left now that all causes are fitted together.
    pub(crate) fn left_of_factor(&self) -> f64 {
        match self.gone || self.is_fixed {
            true => 1.0,
            false => self.odds.ln().abs() / self.first_odds.ln().abs().max(f64::MIN_POSITIVE),
        }
    }

    /// Takes it out of both sides.
    pub(crate) fn take_out(&self, weights: &Weights, [before, after]: &mut Selfs) {
        let set = &weights.sets[self.set];
        if self.gone {
            for (from, to) in set.spans() {
                before[from..to].fill(0.0);
                after[from..to].fill(0.0);
            }
        } else {
            divide(set, after, self.odds);
        }
    }

    /// Puts one of which something is left back to where it was taken out.
    pub(crate) fn put_back(&self, weights: &Weights, [_, after]: &mut Selfs) {
        divide(&weights.sets[self.set], after, 1.0 / self.odds);
    }
}

pub(crate) fn sum(selfs: &[f64]) -> f64 {
    selfs.iter().sum()
}

/// The within and mix parts of every set, straight from the stacks.
pub(crate) fn sums_of(weights: &Weights, pooled: &Pooled, [before, after]: &Selfs) -> Sums {
    let prefix = prefix_sums(after);
    let kinds = weights.by_kind(after);
    let sets = weights.sets.len();
    let within = (weights.sets.par_iter().enumerate())
        .map(|(n, set)| {
            let expected: f64 = (kinds.iter().enumerate())
                .map(|(kind, samples)| samples * pooled.in_kind[kind * sets + n])
                .sum();
            set.sum(&prefix) - expected
        })
        .collect();
    Sums {
        before: sum(before),
        after: sum(after),
        mix: weights.mix(pooled, &kinds),
        within,
        total: 0.0,
    }
}

fn divide(set: &Set, after: &mut [f64], odds: f64) {
    for (from, to) in set.spans() {
        after[from..to]
            .iter_mut()
            .for_each(|samples| *samples /= odds);
    }
}

/// Fits the factors of all causes together, a few times over.
pub(crate) fn refit(weights: &Weights, causes: &mut [Cause], selfs: &mut Selfs) {
    if causes.len() < 2 {
        return;
    }
    for _ in 0..3 {
        let free = |cause: &&mut Cause| !cause.gone && !cause.is_fixed;
        for cause in causes.iter_mut().filter(free) {
            cause.put_back(weights, selfs);
            cause.odds = odds(weights, cause.set, selfs, cause.change);
            cause.take_out(weights, selfs);
        }
    }
}

/// By what factor a set grew against everything else: the odds ratio of Mantel and Haenszel over the kinds, or
/// over all together where the mix carries the change.
fn odds(weights: &Weights, set: usize, [before, after]: &Selfs, change: Change) -> f64 {
    let within = change.by == Evidence::Within;
    let kinds = if within { weights.strata.count } else { 1 };
    let kind_of = |stack: usize| match within {
        true => usize::from(weights.strata.of[stack]),
        false => 0,
    };
    let mut table = vec![[0.0f64; 4]; kinds];
    for stack in 0..before.len() {
        let row = &mut table[kind_of(stack)];
        row[1] += before[stack];
        row[3] += after[stack];
    }
    for (from, to) in weights.sets[set].spans() {
        for stack in from..to {
            let row = &mut table[kind_of(stack)];
            row[0] += before[stack];
            row[2] += after[stack];
        }
    }
    let (mut over, mut under) = (0.0, 0.0);
    let (mut n1, mut all) = (0.0, 0.0);
    for [y1, of1, y2, of2] in table {
        let of = (of1 + of2).max(1e-9);
        over += y2 * (of1 - y1) / of;
        under += y1 * (of2 - y2) / of;
        n1 += of1;
        all += of;
    }
    let half = (0.5 * n1 / all).max(1e-9);
    ((over + half) / (under + half)).clamp(1e-6, 1e6)
}
