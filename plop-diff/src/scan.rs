//! The scan: which sets changed more than chance would have any of them change, one line for each cause.
//!
//! One threshold for all sets together is the quantile of the largest change when slices are dealt to the sides
//! at random. Then the largest change is taken for a cause and divided out, until none is left over the
//! threshold (the sequential scan of Zhang, Assunção & Kulldorff 2010, on a call tree).

use rayon::prelude::*;

use crate::noise::{self, Prior};
use crate::random::Random;
use crate::runs::Runs;
use crate::sets::{Kind, Set};
use crate::tree::Side;
use crate::weigh::{Between, Change, FEWEST, Pooled, Spread, Sums, Weights};

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
}

/// What a scan found.
pub(crate) struct Scan {
    /// How many standard deviations a change must be.
    pub(crate) threshold: f64,
    /// Every set's change, before anything was explained.
    pub(crate) changes: Vec<Change>,
    /// In the order in which they were found, growth and shrinking alike.
    pub(crate) causes: Vec<Cause>,
    pub(crate) effects: Vec<f64>,
    pub(crate) spread: Spread,
    pub(crate) between: Between,
}

/// What a scan is told.
pub(crate) struct Rules {
    pub(crate) alpha: f64,
    pub(crate) permutations: usize,
    pub(crate) seed: u64,
    pub(crate) prior: Prior,
    /// A design effect for profiles without slices, in place of the one that slices show.
    pub(crate) assumed_effect: Option<f64>,
}

/// At most so many causes are looked for.
const MOST_CAUSES: usize = 8;
/// A set inside the best one that is nearly as good is the better name.
const NEARLY: f64 = 0.97;

pub(crate) fn scan(weights: &Weights, rules: &Rules) -> Scan {
    let (before, after) = (
        weights.side_samples(Side::Before),
        weights.side_samples(Side::After),
    );
    let (within, kinds) = weights.sums(weights.slices_before..weights.slices());
    let mix = weights.mix(&weights.pooled, &kinds);
    let runs = Runs::of(weights);
    let by_runs = rules.assumed_effect.is_none() && runs.df() >= 1.0;
    let effects = match rules.assumed_effect {
        Some(effect) => vec![effect; weights.sets.len()],
        None if by_runs => runs.design_effects(weights),
        None => weights.design_effects(&within, 1.0 / before + 1.0 / after),
    };
    let (spread, between) = if by_runs {
        runs.spread(weights, &effects, rules.alpha, &rules.prior)
    } else {
        let between = noise::between(weights, &effects, &within, &rules.prior);
        let kinds_effect = rules.assumed_effect.unwrap_or(weights.kinds_effect);
        (weights.spread(&effects, kinds_effect, &between), between)
    };
    let sums = Sums {
        before,
        after,
        within,
        mix,
    };
    let changes = weights.changes(&weights.pooled, &sums, &spread);
    let threshold = match rules.assumed_effect.is_some() || by_runs {
        // Nothing can be dealt out: the bound of Bonferroni.
        true => crate::stats::upper_quantile(rules.alpha / weights.sets.len().max(1) as f64),
        false => threshold(weights, rules),
    };
    let causes = explain(weights, &spread, threshold);
    Scan {
        threshold,
        changes,
        causes,
        effects,
        spread,
        between,
    }
}

/// The largest growth that permutations reach in all but a share of alpha: exactly, the k-th largest of B
/// maxima with k = ⌊alpha·(B + 1)⌋.
fn threshold(weights: &Weights, rules: &Rules) -> f64 {
    let count = rules.permutations.max(1);
    let mut largest: Vec<f64> = (0..count)
        .into_par_iter()
        .map(|n| {
            let mut random =
                Random::new(rules.seed ^ (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut slices: Vec<usize> = (0..weights.slices()).collect();
            random.shuffle(&mut slices);
            largest_growth(weights, &slices[weights.slices_before..])
        })
        .collect();
    largest.sort_by(|a, b| b.total_cmp(a));
    let k = (rules.alpha * (count + 1) as f64 + 1e-9).floor().max(1.0) as usize;
    largest[k.min(count) - 1]
}

/// The largest growth of any set when these slices are the side after.
fn largest_growth(weights: &Weights, slices: &[usize]) -> f64 {
    let pooled = &weights.pooled;
    let total: f64 = weights.slice_samples.iter().sum();
    let after: f64 = slices
        .iter()
        .map(|slice| weights.slice_samples[*slice])
        .sum();
    let before = total - after;
    let v = 1.0 / before + 1.0 / after;
    let (within, kinds) = weights.sums(slices.iter().copied());
    let mut mix = weights.mix(pooled, &kinds);
    let scale = (weights.kinds_effect / weights.kinds_effect_of_slices).sqrt();
    mix.iter_mut().for_each(|part| *part *= scale);
    let effects = weights.design_effects(&within, v);
    let spread = Spread {
        within: effects.iter().map(|effect| effect * v).collect(),
        mix: weights.kinds_effect * v,
    };
    let sums = Sums {
        before,
        after,
        within,
        mix,
    };
    let mut largest = 0.0f64;
    for (n, effect) in effects.iter().enumerate() {
        // Most are nowhere near: their part alone tells, without logarithms.
        let rough = sums.within[n].max(0.0) * v / (effect * v * pooled.within[n]).sqrt()
            + sums.mix[n].max(0.0) * v
                / (weights.kinds_effect * v * pooled.mix[n].max(1e-12)).sqrt();
        if rough > 0.5 * largest {
            largest = largest.max(weights.change(pooled, &sums, &spread, n).z);
        }
    }
    largest
}

/// Takes the largest change for a cause and divides it out of the side after, all causes together fitted anew
/// each time, until nothing is over the threshold.
fn explain(weights: &Weights, spread: &Spread, threshold: f64) -> Vec<Cause> {
    let (tree, sets) = (weights.tree, weights.sets);
    let (mut before, mut after) = (weights.before.clone(), weights.after.clone());
    let mut causes: Vec<Cause> = Vec::new();
    while causes.len() < MOST_CAUSES {
        let both: Vec<f64> = before.iter().zip(&after).map(|(a, b)| a + b).collect();
        let pooled = Pooled::of(tree, sets, weights.strata, &both);
        let sums = sums_of(weights, &pooled, &before, &after);
        if sums.before.min(sums.after) < FEWEST {
            break;
        }
        let mut changes = weights.changes(&pooled, &sums, spread);
        for cause in &causes {
            changes[cause.set].z = 0.0;
        }
        // A set and its complement are the same change; the smaller one is the better name.
        let strength = |n: &usize| {
            let z = changes[*n].z.abs();
            if pooled.share[*n] <= 0.5 {
                z
            } else {
                z * 0.999
            }
        };
        let Some(best) =
            (0..sets.len()).max_by(|a, b| strength(a).total_cmp(&strength(b)).then(b.cmp(a)))
        else {
            break;
        };
        if changes[best].z.abs() < threshold {
            break;
        }
        let nearly = NEARLY * strength(&best);
        let set = (0..sets.len())
            .filter(|n| {
                let z = changes[*n].z;
                z.abs() >= threshold.max(nearly) && (z > 0.0) == (changes[best].z > 0.0)
            })
            .filter(|n| *n == best || sets[best].contains(&sets[*n], tree))
            .min_by(|a, b| pooled.share[*a].total_cmp(&pooled.share[*b]).then(a.cmp(b)))
            .unwrap_or(best);
        let odds = odds(weights, set, &before, &after, changes[set].within);
        let left: f64 = sets[set]
            .ranges(tree)
            .map(|(from, to)| after[from..to].iter().sum::<f64>())
            .sum();
        let gone = left < 1.0;
        causes.push(Cause {
            set,
            change: changes[set],
            odds,
            gone,
        });
        if gone {
            for (from, to) in sets[set].ranges(tree) {
                before[from..to].fill(0.0);
                after[from..to].fill(0.0);
            }
        } else {
            divide(tree, &sets[set], &mut after, odds);
        }
        refit(weights, &mut causes, &before, &mut after);
    }
    causes
}

/// The within and mix parts of every set, straight from the nodes.
fn sums_of(weights: &Weights, pooled: &Pooled, before: &[f64], after: &[f64]) -> Sums {
    let prefix = crate::sets::prefix_sums(after);
    let mut kinds = vec![0.0; weights.strata.count];
    for (samples, kind) in after.iter().zip(&weights.strata.of) {
        kinds[usize::from(*kind)] += samples;
    }
    let sets = weights.sets.len();
    let within = (weights.sets.iter().enumerate())
        .map(|(n, set)| {
            let expected: f64 = (kinds.iter().enumerate())
                .map(|(kind, samples)| samples * pooled.in_kind[kind * sets + n])
                .sum();
            set.sum(weights.tree, &prefix) - expected
        })
        .collect();
    Sums {
        before: before.iter().sum(),
        after: after.iter().sum(),
        mix: weights.mix(pooled, &kinds),
        within,
    }
}

fn divide(tree: &crate::tree::Tree, set: &Set, after: &mut [f64], odds: f64) {
    for (from, to) in set.ranges(tree) {
        after[from..to]
            .iter_mut()
            .for_each(|samples| *samples /= odds);
    }
}

/// Fits the factors of all causes together, a few times over.
fn refit(weights: &Weights, causes: &mut [Cause], before: &[f64], after: &mut [f64]) {
    if causes.len() < 2 {
        return;
    }
    for _ in 0..3 {
        for cause in causes.iter_mut().filter(|cause| !cause.gone) {
            let set = &weights.sets[cause.set];
            divide(weights.tree, set, after, 1.0 / cause.odds);
            cause.odds = odds(weights, cause.set, before, after, cause.change.within);
            divide(weights.tree, set, after, cause.odds);
        }
    }
}

/// By what factor a set grew against everything else: the odds ratio of Mantel and Haenszel over the kinds, or
/// over all together where the mix carries the change.
fn odds(weights: &Weights, set: usize, before: &[f64], after: &[f64], within: bool) -> f64 {
    let kinds = if within { weights.strata.count } else { 1 };
    let kind_of = |node: usize| {
        if within {
            usize::from(weights.strata.of[node])
        } else {
            0
        }
    };
    let mut table = vec![[0.0f64; 4]; kinds];
    for node in 0..before.len() {
        let row = &mut table[kind_of(node)];
        row[1] += before[node];
        row[3] += after[node];
    }
    for (from, to) in weights.sets[set].ranges(weights.tree) {
        for node in from..to {
            let row = &mut table[kind_of(node)];
            row[0] += before[node];
            row[2] += after[node];
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

impl Kind {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Own => "self",
            Kind::Inclusive => "inclusive",
            Kind::Subtree => "subtree",
            Kind::Edge => "edge",
        }
    }
}
