//! What differs between two runs of one build and is in no slice: learnt from the two runs themselves.
//!
//! Nearly all functions of two builds did not change, so how much they differ beyond what slices explain tells
//! how much runs differ (an empirical null). A cautious prior stands in where there is little to learn from.
//! Whether a function really changed is not known; so the likelihood allows that some did, and the variance
//! of a set is learnt from all functions but its own.

use std::f64::consts::FRAC_PI_2;

use rayon::prelude::*;

use crate::sets::Kind;
use crate::stats::{even_median, upper_tail, weighted_median};
use crate::weigh::{Between, Weights};

/// What is believed before the runs are looked at, or was measured by `plop calibrate`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Prior {
    /// The median of the relative standard deviation of a function's cost between runs.
    pub functions: f64,
    /// How sure that is: the standard deviation of its logarithm.
    pub functions_sd: f64,
    /// The median of the variance of the mix of requests.
    pub mix: f64,
    /// How sure that is.
    pub mix_sd: f64,
    /// How uneven functions are: the standard deviation of the logarithm of their own standard deviations. Two
    /// runs do not tell.
    pub uneven: f64,
    /// Whether this was measured on the service, so that nothing is added for caution.
    pub measured: bool,
}

impl Default for Prior {
    /// For a service of which nothing is known: functions differ by 0.6 % from run to run, give or take a factor
    /// of three, and the mix of requests as if a run had 4,000 of them.
    fn default() -> Self {
        Prior {
            functions: 0.006,
            functions_sd: 1.0,
            mix: 1.0 / 4000.0,
            mix_sd: 1.5,
            uneven: 0.0,
            measured: false,
        }
    }
}

/// The share of functions that may really have changed.
const CHANGED: f64 = 0.01;
/// Kinds of requests with fewer functions than this do not tell which of them changed.
const TOLD_APART: usize = 6;
/// A function is a kind's own with this share of its samples in it.
const MOSTLY: f64 = 0.7;
/// How many standard deviations from nothing the variance has to be right at.
const AT: f64 = 3.3;
/// How many times its variance the square of a middle change has to be, before it counts at all.
const SURELY: f64 = 1.0;
/// What is believed so little has no part in the tail at that place.
const UNBELIEVED: f64 = 1e-8;
/// What is added for caution to what the two runs tell.
pub(crate) const CAUTION: f64 = 1.25;
const CAUTION_MIX: f64 = 2.2;

/// What the two runs tell of what differs between runs.
pub(crate) fn between(
    weights: &Weights,
    effects: &[f64],
    within_after: &[f64],
    prior: &Prior,
) -> Between {
    let (usual_mix, mix) = mixes(weights, prior);
    Between {
        functions: functions(weights, effects, within_after, prior),
        mix,
        usual_mix,
    }
}

/// Values of a parameter, equally far apart in their logarithms.
pub(crate) fn grid(from: f64, to: f64, count: usize) -> Vec<f64> {
    let step = (to / from).ln() / (count - 1) as f64;
    (0..count).map(|n| from * (step * n as f64).exp()).collect()
}

/// Normal quantiles with the probability that each stands for.
pub(crate) const NORMAL: [(f64, f64); 7] = [
    (-1.44, 0.15),
    (-0.674, 0.2),
    (-0.126, 0.2),
    (0.385, 0.2),
    (0.935, 0.15),
    (1.514, 0.07),
    (2.17, 0.03),
];
/// From which to which relative standard deviation a single function's may be.
const SINGLE: [f64; 2] = [0.0001, 1.0];
const SINGLES: usize = 60;

/// The relative standard deviations that single functions may have.
pub(crate) fn singles() -> Vec<f64> {
    grid(SINGLE[0], SINGLE[1], SINGLES)
}

/// At which place of those a value is.
pub(crate) fn place_of_single(value: f64) -> usize {
    let step = (SINGLE[1] / SINGLE[0]).ln() / (SINGLES - 1) as f64;
    let at = ((value / SINGLE[0]).ln() / step).round();
    at.clamp(0.0, (SINGLES - 1) as f64) as usize
}

/// The relative standard deviation of each set's cost between runs.
fn functions(weights: &Weights, effects: &[f64], within_after: &[f64], prior: &Prior) -> Vec<f64> {
    let pooled = &weights.pooled;
    let v = weights.v();
    let middles = grid(0.0003, 0.10, 48);
    let singles = singles();
    let believed: Vec<f64> = (middles.iter())
        .map(|middle| -0.5 * ((middle.ln() - prior.functions.ln()) / prior.functions_sd).powi(2))
        .collect();
    // Functions do not differ alike from run to run: one stays the same, another is a third dearer where memory
    // happens to lie badly, or where the collector of garbage happens to run. Those of single functions are
    // log-normal about the middle; what follows from each middle, by the numbers in the grid.
    let follow: Vec<[(usize, f64); 7]> = (middles.iter())
        .map(|middle| {
            NORMAL.map(|(z, likely)| {
                let single = middle * (prior.uneven * z).exp();
                (place_of_single(single), likely)
            })
        })
        .collect();
    let collapsed = |believed: &[f64]| {
        let mut of_single = vec![0.0; SINGLES];
        for (weight, follow) in believed.iter().zip(&follow) {
            for (at, likely) in follow {
                of_single[*at] += weight * likely;
            }
        }
        of_single
    };
    let witnesses: Vec<usize> = (0..weights.sets.len())
        .filter(|n| weights.sets[*n].kind == Kind::Own)
        .filter(|n| {
            pooled.share[*n] * pooled.samples > 30.0
                && pooled.within[*n] > 0.1 * pooled.variance(*n)
        })
        .collect();
    let variance = |n: usize| effects[n] * weights.long_run * v * pooled.within[n];
    let centres = centres(weights, &witnesses, within_after, v, &variance);
    let groups = groups(weights, &witnesses);
    let likelihoods: Vec<Vec<f64>> = (groups.par_iter())
        .map(|group| {
            let rarely = 1.0 - (1.0 - CHANGED).powi(group.len() as i32);
            // The likelihood of each function's difference, as noise and as a change, at each single deviation.
            let of_single: Vec<Vec<[f64; 2]>> = (group.iter())
                .map(|at| {
                    let n = witnesses[*at];
                    let within = pooled.within[n];
                    let squared = (within_after[n] * v - centres[*at] * within).powi(2);
                    (singles.iter())
                        .map(|sigma| {
                            let usual = variance(n) + 2.0 * (sigma * within).powi(2);
                            [usual, usual + (0.5 * within).powi(2)]
                                .map(|variance| log_density(squared, variance).exp())
                        })
                        .collect()
                })
                .collect();
            (follow.iter())
                .map(|follow| {
                    let of = |which: usize| -> f64 {
                        let of_function = |singles: &Vec<[f64; 2]>| {
                            let of = follow
                                .iter()
                                .map(|(at, likely)| likely * singles[*at][which]);
                            of.sum::<f64>().max(1e-300).ln()
                        };
                        of_single.iter().map(of_function).sum()
                    };
                    log_mixture(of(0), of(1), rarely)
                })
                .collect()
        })
        .collect();
    let all: Vec<f64> = (believed.iter().enumerate())
        .map(|(n, believed)| believed + likelihoods.iter().map(|of| of[n]).sum::<f64>())
        .collect();
    let everyone = collapsed(&posterior(&all));
    // Without the function itself, whose own change must not count as noise.
    let mut without: Vec<Option<Vec<f64>>> = vec![None; weights.tree.functions.len()];
    for (group, own) in groups.iter().zip(&likelihoods) {
        let rest: Vec<f64> = all.iter().zip(own).map(|(all, own)| all - own).collect();
        let rest = collapsed(&posterior(&rest));
        for at in group {
            without[weights.sets[witnesses[*at]].function as usize] = Some(rest.clone());
        }
    }
    (0..weights.sets.len())
        .into_par_iter()
        .map(|n| {
            let own = weights.composition[n]
                .dominant
                .and_then(|function| without[function as usize].as_ref());
            let believed = own.unwrap_or(&everyone);
            let caution = if prior.measured { 1.0 } else { CAUTION };
            let heterogeneity = 2.0 * pooled.within[n].powi(2) * weights.composition[n].herfindahl;
            caution * predictive(&singles, believed, variance(n), heterogeneity)
        })
        .collect()
}

/// Which functions are known to have changed only together: where a kind of request has few of its own, and one of
/// them changes, all others change the other way. Every other function is by itself.
fn groups(weights: &Weights, witnesses: &[usize]) -> Vec<Vec<usize>> {
    let mut of_kind: Vec<Vec<usize>> = vec![Vec::new(); weights.strata.count];
    let mut groups = Vec::new();
    for (at, n) in witnesses.iter().enumerate() {
        match (0..of_kind.len()).find(|kind| share_in(weights, *kind, *n) > MOSTLY) {
            Some(kind) => of_kind[kind].push(at),
            None => groups.push(vec![at]),
        }
    }
    for kind in of_kind {
        match kind.len() < TOLD_APART {
            true => groups.push(kind),
            false => groups.extend(kind.into_iter().map(|at| vec![at])),
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Which part of a set's samples is in a kind.
fn share_in(weights: &Weights, kind: usize, set: usize) -> f64 {
    let pooled = &weights.pooled;
    let in_kind = pooled.in_kind[kind * weights.sets.len() + set];
    pooled.kinds[kind] * in_kind / pooled.share[set].max(1e-12)
}

/// The standard deviation with which a set's change has the tail that the beliefs about it give it, at the
/// place where decisions are made.
pub(crate) fn predictive(grid: &[f64], believed: &[f64], variance: f64, heterogeneity: f64) -> f64 {
    let spread: Vec<(f64, f64)> = (grid.iter().zip(believed))
        .filter(|(_, weight)| **weight > UNBELIEVED)
        .map(|(sigma, weight)| ((variance + heterogeneity * sigma * sigma).sqrt(), *weight))
        .collect();
    let target = upper_tail(AT);
    // By how much too much there is in the tail of this standard deviation.
    let excess = |middle: f64| -> f64 {
        let tails = spread.iter();
        let tail: f64 = tails
            .map(|(spread, weight)| weight * upper_tail(AT * middle / spread))
            .sum();
        (tail / target).ln()
    };
    let (Some((low, _)), Some((high, _))) = (spread.first(), spread.last()) else {
        return 0.0;
    };
    let at = root(&excess, *low, *high);
    ((at * at - variance).max(0.0) / heterogeneity.max(f64::MIN_POSITIVE)).sqrt()
}

/// Where a falling function is 0: false position, in the manner of Illinois.
fn root(of: &impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let (mut low, mut high) = ((low, of(low)), (high, of(high)));
    if low.1 <= 0.0 {
        return low.0;
    }
    if high.1 >= 0.0 {
        return high.0;
    }
    let (mut was_above, mut middle) = (None, low.0);
    for _ in 0..60 {
        middle = (low.0 * high.1 - high.0 * low.1) / (high.1 - low.1);
        let value = of(middle);
        if value.abs() < 1e-6 || high.0 - low.0 < 1e-9 * high.0 {
            break;
        }
        let is_above = value > 0.0;
        if is_above {
            low = (middle, value);
        } else {
            high = (middle, value);
        }
        // An end that stays twice counts for half, so that it is left.
        if was_above == Some(is_above) {
            let stayed = if is_above { &mut high } else { &mut low };
            stayed.1 *= 0.5;
        }
        was_above = Some(is_above);
    }
    middle
}

/// By how much the functions of each witness's kind of request changed in the middle: one that grew makes all
/// others of its kind shrink alike, and that is no noise.
fn centres(
    weights: &Weights,
    witnesses: &[usize],
    within_after: &[f64],
    v: f64,
    variance: &impl Fn(usize) -> f64,
) -> Vec<f64> {
    let pooled = &weights.pooled;
    let kinds = weights.strata.count;
    let mut of_kind = vec![0.0; kinds];
    for (kind, centre) in of_kind.iter_mut().enumerate() {
        let mut changes: Vec<(f64, f64)> = (witnesses.iter())
            .filter(|n| share_in(weights, kind, **n) > MOSTLY)
            .map(|n| {
                let within = pooled.within[*n];
                let weight = within * within / (variance(*n) + 2.0 * (0.01 * within).powi(2));
                (within_after[*n] * v / within, weight)
            })
            .collect();
        if changes.len() < 4 {
            continue;
        }
        let middle = even_median(&mut changes);
        let count = changes.len() as f64;
        let mut apart: Vec<(f64, f64)> = (changes.iter())
            .map(|(change, weight)| ((change - middle).abs(), *weight))
            .collect();
        // The median of so many, which differ by 1.48 times their median deviation. Where it is not surely apart from
        // nothing, it is taken for less (James & Stein, positive part).
        let variance = FRAC_PI_2 * (1.4826 * weighted_median(&mut apart)).powi(2) / (count - 3.0);
        *centre =
            middle * (1.0 - SURELY * variance / (middle * middle).max(f64::MIN_POSITIVE)).max(0.0);
    }
    witnesses
        .iter()
        .map(|n| {
            (0..kinds)
                .map(|kind| share_in(weights, kind, *n) * of_kind[kind])
                .sum()
        })
        .collect()
}

/// How much the mix of kinds varies between runs: in all, and for each set, learnt from all kinds but the one that
/// makes most of its part by the mix. A kind that costs more is more of the mix, and its own change must not count as
/// noise.
fn mixes(weights: &Weights, prior: &Prior) -> (f64, Vec<f64>) {
    let (kinds, sets) = (weights.strata.count, weights.sets.len());
    let caution = if prior.measured { 1.0 } else { CAUTION_MIX };
    if kinds < 2 {
        // There is no mix.
        return (caution * prior.mix, vec![caution * prior.mix; sets]);
    }
    let believed = mix_beliefs(weights, prior, None);
    let mean: f64 = believed.iter().map(|(phi, weight)| phi * weight).sum();
    let usual = caution * mean;
    let without: Vec<f64> = (0..kinds)
        .map(|kind| {
            let (roots, believed): (Vec<f64>, Vec<f64>) = (mix_beliefs(weights, prior, Some(kind))
                .into_iter())
            .map(|(phi, weight)| (phi.sqrt(), weight))
            .unzip();
            let caution = if prior.measured { 1.0 } else { CAUTION };
            predictive(&roots, &believed, weights.kinds_effect * weights.v(), 2.0).powi(2)
                * caution
                * caution
        })
        .collect();
    let pooled = &weights.pooled;
    let of_sets = (0..sets)
        .map(|n| {
            let part = |kind: &usize| {
                let in_kind = pooled.in_kind[kind * sets + n];
                // The kind that it is in, not those that it is not in: these may be more.
                pooled.kinds[*kind] * (in_kind - pooled.share[n]).max(0.0)
            };
            let most = (0..kinds).max_by(|a, b| part(a).total_cmp(&part(b)));
            most.map_or(usual, |kind| without[kind])
        })
        .collect();
    (usual, of_sets)
}

/// What is believed of how much the mix of kinds varies, after the two runs were looked at: values and their
/// probabilities. `without` is a kind that is not looked at, as if its requests had not been.
fn mix_beliefs(weights: &Weights, prior: &Prior, without: Option<usize>) -> Vec<(f64, f64)> {
    let sums = |stacks: &[f64]| {
        let mut kinds = vec![0.0; weights.strata.count];
        for (samples, kind) in stacks.iter().zip(&weights.strata.of) {
            if without != Some(usize::from(*kind)) {
                kinds[usize::from(*kind)] += samples;
            }
        }
        let total: f64 = kinds.iter().sum();
        kinds.iter_mut().for_each(|kind| *kind /= total.max(1.0));
        (kinds, total.max(1.0))
    };
    let ((before, n1), (after, n2)) = (sums(&weights.before), sums(&weights.after));
    let v = 1.0 / n1 + 1.0 / n2;
    let share = |kind: usize| (n1 * before[kind] + n2 * after[kind]) / (n1 + n2);
    let kinds: Vec<usize> = (0..weights.strata.count)
        .filter(|kind| (0.002..0.998).contains(&share(*kind)))
        .collect();
    let count = kinds.len() as f64;
    let grid = grid(1e-7, 2e-2, 60);
    let logs: Vec<f64> = grid
        .iter()
        .map(|phi| {
            let believed = -0.5 * ((phi.ln() - prior.mix.ln()) / prior.mix_sd).powi(2);
            if kinds.len() < 2 {
                return believed;
            }
            let variance = weights.kinds_effect * v + 2.0 * phi;
            let likelihood: f64 = kinds
                .iter()
                .map(|kind| {
                    let share = share(*kind);
                    let squared =
                        (after[*kind] - before[*kind]).powi(2) / share * count / (count - 1.0);
                    let noise = log_density(squared, variance);
                    let changed = log_density(squared, variance + 0.25 * share);
                    log_mixture(noise, changed, CHANGED)
                })
                .sum();
            likelihood * (count - 1.0) / count + believed
        })
        .collect();
    grid.into_iter().zip(posterior(&logs)).collect()
}

/// The logarithm of the likelihood of a squared difference, but for a constant.
fn log_density(squared: f64, variance: f64) -> f64 {
    -0.5 * (squared / variance + variance.ln())
}

/// The logarithm of the likelihood of what is noise, or rarely something that changed.
fn log_mixture(noise: f64, changed: f64, rarely: f64) -> f64 {
    let (noise, changed) = (noise + (1.0 - rarely).ln(), changed + rarely.ln());
    let larger = noise.max(changed);
    larger + ((noise - larger).exp() + (changed - larger).exp()).ln()
}

/// Probabilities from logarithms of what they are proportional to.
pub(crate) fn posterior(logs: &[f64]) -> Vec<f64> {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}
