//! Several runs on both sides: which run was on which side is dealt out at random, and everything is measured
//! anew each time, so that nothing need be assumed of how runs differ.
//!
//! The exact cost of each run counts as well where it is known. A set of stacks that grows moves the whole by
//! its share, and a whole that was counted is far more precise than any set of samples: so it says little of
//! where, and much of whether.

use rayon::prelude::*;

use crate::limits::{Largest, Limits, rank_beside};
use crate::random::Random;
use crate::runs::{Learnt, Runs};
use crate::scan::Rules;
use crate::sets::Kind;
use crate::stats::t_upper_tail;
use crate::tree::Side;
use crate::weigh::{Spread, Sums, Weights};

/// How many degrees of freedom the trend counts for beside a set's own runs.
const PRIOR_DF: f64 = 30.0;
/// No set varies less than this part of the trend.
const LEAST: f64 = 0.9;
/// Samples vary no less than this part of what independent ones do.
const LEAST_OF_SAMPLES: f64 = 0.3;
/// So many ways of dealing there are at least, for each chance in `alpha`.
const ENOUGH: f64 = 2.0;

/// The runs of both sides, as far as dealing them does not change it.
pub(crate) struct Replicates<'w> {
    weights: &'w Weights<'w>,
    /// Run by run, the within part of each set, a sample; those before first.
    within: Vec<f32>,
    /// Run by run, the share of each kind.
    kinds: Vec<f64>,
    /// The logarithm of each run's cost, where that was counted.
    logs: Option<Vec<f64>>,
    before: usize,
    after: usize,
    /// The variance of each set if samples were independent.
    independent: Vec<f64>,
    mix_sampled: f64,
    /// Of each set, how a relative difference of functions between runs shows in its variance.
    shows: Vec<f64>,
    /// The sets that tell how much functions differ.
    witnesses: Vec<usize>,
    /// The sums of squares about the mean of all runs, of which those between sides are a part.
    squares: Vec<f64>,
}

/// How the sides differ and how much of that is chance, for one way of dealing the runs.
pub(crate) struct Dealt {
    pub(crate) sums: Sums,
    pub(crate) spread: Spread,
}

/// What a deal shows by chance: the largest growths of sets, and the probability of that of the whole.
struct Reached {
    sets: Largest,
    total: f64,
}

/// Which parts of alpha sets and the whole have.
struct Parts {
    sets: f64,
    total: f64,
}

impl<'w> Replicates<'w> {
    /// None where there are too few ways of dealing the runs for the error rate that is wanted, or where those of the
    /// sides are of different lengths: shorter ones vary more.
    pub(crate) fn of(
        weights: &'w Weights<'w>,
        runs: &Runs,
        learnt: &Learnt,
        logs: Option<&[Vec<f64>; 2]>,
        alpha: f64,
    ) -> Option<Replicates<'w>> {
        let [before, after] = [Side::Before, Side::After].map(|side| runs.count(side) as usize);
        if ways(before + after, after) < ENOUGH / alpha || !runs.are_alike() {
            return None;
        }
        let sets = weights.sets.len();
        let parts = runs.parts(weights);
        let within: Vec<f32> = (parts.iter())
            .flat_map(|part| part.within.iter().map(|part| *part as f32))
            .collect();
        let count = parts.len() as f64;
        let squares = (0..sets)
            .map(|n| {
                let of_set = || (0..parts.len()).map(|run| f64::from(within[run * sets + n]));
                let mean = of_set().sum::<f64>() / count;
                of_set().map(|part| (part - mean).powi(2)).sum()
            })
            .collect();
        let pooled = &weights.pooled;
        let per_run = pooled.samples / count;
        Some(Replicates {
            weights,
            within,
            kinds: parts.into_iter().flat_map(|part| part.kinds).collect(),
            logs: logs.map(|logs| logs.concat()),
            before,
            after,
            independent: pooled
                .within
                .iter()
                .map(|within| within / per_run)
                .collect(),
            mix_sampled: learnt.mix_sampled,
            shows: (pooled.within.iter().zip(&weights.composition))
                .map(|(within, of)| within * within * of.herfindahl)
                .collect(),
            witnesses: (0..sets)
                .filter(|n| weights.sets[*n].kind == Kind::Own)
                .filter(|n| pooled.share[*n] * pooled.samples > 30.0)
                .collect(),
            squares,
        })
    }

    /// The sides as they are.
    pub(crate) fn as_recorded(&self) -> Dealt {
        let runs: Vec<usize> = (self.before..self.before + self.after).collect();
        self.dealt(&runs)
    }

    /// These runs being the side after.
    fn dealt(&self, after: &[usize]) -> Dealt {
        let weights = self.weights;
        let (sets, kinds) = (weights.sets.len(), weights.strata.count);
        let (k, m) = (self.before as f64, self.after as f64);
        let (df, per) = (k + m - 2.0, 1.0 / k + 1.0 / m);
        let is_after = |run: usize| after.contains(&run);
        // The mean after less the mean before; over all runs the within parts need not add up to nothing,
        // since runs are of different lengths.
        let mut change = vec![0.0f32; sets];
        for run in 0..self.before + self.after {
            let share = if is_after(run) { 1.0 / m } else { -1.0 / k } as f32;
            let row = &self.within[run * sets..(run + 1) * sets];
            (change.iter_mut().zip(row)).for_each(|(sum, part)| *sum += share * part);
        }
        let change: Vec<f64> = change.into_iter().map(f64::from).collect();
        let own: Vec<f64> = (self.squares.iter().zip(&change))
            .map(|(squares, change)| (squares - change * change / per).max(0.0) / df)
            .collect();
        let [of_samples, of_functions] = self.trend(&own);
        let within = (0..sets)
            .map(|n| {
                let trend = of_samples * self.independent[n] + of_functions * self.shows[n];
                let variance = (PRIOR_DF * trend + df * own[n]) / (PRIOR_DF + df);
                variance.max(LEAST * trend) * per / weights.pooled.within[n]
            })
            .collect();
        let (mut moved, mut mix) = (vec![0.0; kinds], 0.0);
        for (kind, moved) in moved.iter_mut().enumerate() {
            let of_runs = |run: usize| self.kinds[run * kinds + kind];
            let (squares, difference) = self.two_means(of_runs, &is_after);
            *moved = difference;
            mix += squares / df / weights.pooled.kinds[kind].max(1e-9);
        }
        let mix = match kinds {
            1 => self.mix_sampled,
            _ => (mix / (kinds as f64 - 1.0)).max(0.5 * self.mix_sampled),
        };
        let (total, of_total) = match &self.logs {
            Some(logs) => {
                let (squares, difference) = self.two_means(|run| logs[run], &is_after);
                (difference, (squares / df * per).max(1e-12))
            }
            None => (0.0, f64::INFINITY),
        };
        let (before, after) = (
            weights.side_samples(Side::Before),
            weights.side_samples(Side::After),
        );
        // Sums over the side after tell the difference of the sides' shares so.
        let v = 1.0 / before + 1.0 / after;
        let moved: Vec<f64> = moved.iter().map(|difference| difference / v).collect();
        Dealt {
            sums: Sums {
                before,
                after,
                within: change.iter().map(|change| change / v).collect(),
                mix: weights.mix(&weights.pooled, &moved),
                total,
            },
            spread: Spread {
                within,
                mix: vec![mix * per; sets],
                total: of_total,
            },
        }
    }

    /// The squares about each side's mean, and the difference of the means.
    fn two_means(
        &self,
        of: impl Fn(usize) -> f64,
        is_after: &impl Fn(usize) -> bool,
    ) -> (f64, f64) {
        let runs = 0..self.before + self.after;
        let mean = |side: bool| {
            let values = runs.clone().filter(|run| is_after(*run) == side).map(&of);
            let count = if side { self.after } else { self.before };
            values.sum::<f64>() / count as f64
        };
        let means = [mean(false), mean(true)];
        let squares = runs
            .clone()
            .map(|run| (of(run) - means[usize::from(is_after(run))]).powi(2))
            .sum();
        (squares, means[1] - means[0])
    }

    /// What the variance between runs consists of, over all functions: how many times as much samples vary as
    /// independent ones, and the relative variance of a function's cost. Least squares, each set weighed by how
    /// precise it is. Slices are not asked: a program that does one thing after the other has slices that
    /// differ, and runs that do not.
    fn trend(&self, own: &[f64]) -> [f64; 2] {
        let [mut of_samples, mut of_functions] = [1.0, 0.0];
        for _ in 0..3 {
            let (mut aa, mut ab, mut bb, mut ay, mut by) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for n in self.witnesses.iter().copied() {
                let (a, b, y) = (self.independent[n], self.shows[n], own[n]);
                let weight = (of_samples * a + of_functions * b).powi(-2);
                aa += weight * a * a;
                ab += weight * a * b;
                bb += weight * b * b;
                ay += weight * a * y;
                by += weight * b * y;
            }
            let determinant = aa * bb - ab * ab;
            if determinant > 1e-9 * aa * bb {
                of_samples = (ay * bb - by * ab) / determinant;
                of_functions = (by * aa - ay * ab) / determinant;
            }
            // Neither can be negative, and a timer's ticks are not much more even than chance.
            if of_functions <= 0.0 {
                [of_samples, of_functions] = [ay / aa.max(f64::MIN_POSITIVE), 0.0];
            }
            if of_samples < LEAST_OF_SAMPLES {
                of_samples = LEAST_OF_SAMPLES;
                of_functions = ((by - of_samples * ab) / bb.max(f64::MIN_POSITIVE)).max(0.0);
            }
        }
        [of_samples, of_functions]
    }

    /// What the growths of sets and of the whole must reach, so that one of them does by chance with probability
    /// alpha: of the smaller of both probabilities, each as a multiple of its part of alpha, the quantile over
    /// deals. What one part does not need the other has, and all once one has been reached (Westfall and Young
    /// 1993, with Holm's step).
    pub(crate) fn limits(&self, rules: &Rules) -> (Limits, Option<f64>) {
        let count = rules.permutations.max(1);
        let runs: Vec<usize> = (0..self.before + self.after).collect();
        // The sides themselves, and the sides in each other's place, tell what is to be judged. Where there are few ways
        // to deal they come often, and a change would set its own limit. They are taken to be above it.
        let deals: Vec<Reached> = (0..count)
            .into_par_iter()
            .filter_map(|n| {
                let mut runs = runs.clone();
                Random::of(rules.seed, n).shuffle(&mut runs);
                let after = &runs[self.before..];
                let of_after = after.iter().filter(|run| **run >= self.before).count();
                let are_sides =
                    of_after == self.after || of_after == 0 && self.before == self.after;
                (!are_sides).then(|| self.reached(after))
            })
            .collect();
        let left_out = count - deals.len();
        let of_sets: Vec<Largest> = deals.iter().map(|deal| deal.sets).collect();
        let all = Limits::of(&of_sets, left_out, rules.alpha);
        let Some(test) = rules.total else {
            return (all, None);
        };
        let mut largest: Vec<f64> = of_sets.iter().map(|sets| all.largest(sets)).collect();
        largest.sort_by(|a, b| b.total_cmp(a));
        let parts = Parts {
            sets: 1.0 - test.limit / rules.alpha,
            total: test.limit / rules.alpha,
        };
        let mut smaller: Vec<f64> = (deals.iter())
            .map(|deal| {
                let set = all.largest(&deal.sets);
                let as_large = largest.partition_point(|other| *other >= set);
                let of_sets = (left_out + as_large) as f64 / (count + 1) as f64;
                (of_sets / parts.sets).min(deal.total / parts.total)
            })
            .collect();
        smaller.sort_by(f64::total_cmp);
        let limit = smaller[rank_beside(rules.alpha, deals.len(), left_out) - 1]
            .min(rules.alpha / parts.sets)
            .min(rules.alpha / parts.total);
        let mut sets = Limits {
            own: largest[rank_beside(parts.sets * limit, deals.len(), left_out) - 1],
            ..all
        };
        let mut total = parts.total * limit;
        let reached = self.reached(&runs[self.before..]);
        let is_total = test.p < total;
        if all.largest(&reached.sets) >= sets.own {
            total = rules.alpha;
        }
        if is_total {
            sets = all;
        }
        (sets, Some(total))
    }

    fn reached(&self, after: &[usize]) -> Reached {
        let dealt = self.dealt(after);
        let df = (self.before + self.after) as f64 - 2.0;
        Reached {
            sets: self.largest_growth(&dealt),
            total: t_upper_tail(dealt.sums.total / dealt.spread.total.sqrt(), df),
        }
    }

    fn largest_growth(&self, Dealt { sums, spread }: &Dealt) -> Largest {
        let weights = self.weights;
        let mut largest = Largest::default();
        for n in 0..weights.sets.len() {
            let class = weights.classes[n];
            // Most are nowhere near, which shows without logarithms.
            let (x, weight, _) = weights.combined(&weights.pooled, sums, spread, n);
            if x * weight.sqrt() > 0.8 * largest.of(class) {
                largest.add(class, weights.change(&weights.pooled, sums, spread, n).z);
            }
        }
        largest
    }
}

/// How many ways there are to choose so many of so many.
fn ways(of: usize, choose: usize) -> f64 {
    (0..choose).fold(1.0, |ways, n| ways * (of - n) as f64 / (n + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::ways;

    #[test]
    fn ways_of_dealing_are_counted() {
        assert_eq!(ways(16, 8).round(), 12_870.0);
        assert_eq!(ways(9, 1).round(), 9.0);
        assert_eq!(ways(10, 5).round(), 252.0);
    }
}
