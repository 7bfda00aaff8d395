//! How much each set differs between the sides, and how sure that is.
//!
//! Shares are compared inside kinds of requests (Cochran–Mantel–Haenszel): a set's change has a part within
//! kinds and a part by their mix, each with a variance that was measured, and the two are combined by how
//! precise they are. Variances come from slices (what repeats within a run) and from `noise` (what differs
//! between runs).

use rayon::prelude::*;

use crate::composition::{Composition, composition};
use crate::pooled::Pooled;
use crate::sets::{Set, prefix_sums};
use crate::stats::signed_root;
use crate::strata::Strata;
use crate::touched::Class;
use crate::tree::{Side, Tree};

/// Sets with fewer samples are not weighed.
pub(crate) const FEWEST: f64 = 8.0;
/// How many degrees of freedom the common design effect counts for beside a set's own.
const PRIOR_DF: f64 = 30.0;
/// A design effect of so many times the middle one is unusual.
const UNUSUAL: f64 = 4.0;
/// So often is the variance at the end of an interval taken anew.
const ROUNDS: usize = 20;
/// What a set tells of itself and what the whole does agree when they are so many standard errors apart at most.
const AGREE: f64 = 3.3;

/// What permutations do not change: the sums of every set over slices, and what follows from them.
pub(crate) struct Weights<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) sets: &'t [Set],
    pub(crate) strata: &'t Strata,
    /// Of each set, which limit it has.
    pub(crate) classes: Vec<Class>,
    /// Samples of each stack, before and after.
    pub(crate) before: Vec<f64>,
    pub(crate) after: Vec<f64>,
    /// Samples of each slice, those of the side before first.
    pub(crate) slice_samples: Vec<f64>,
    /// The side and the run of each slice.
    pub(crate) slice_runs: Vec<(Side, usize)>,
    /// How many slices are of the side before.
    pub(crate) slices_before: usize,
    /// Slice by slice, how many more samples each set has than its share of each kind tells.
    pub(crate) within: Vec<f32>,
    /// Slice by slice, the samples of each kind.
    pub(crate) kinds: Vec<f64>,
    /// The pooled shares, of both sides.
    pub(crate) pooled: Pooled,
    /// What functions each set consists of.
    pub(crate) composition: Vec<Composition>,
    /// For each set, the sum over slices of squared within parts, as multiples of what chance would do.
    squares: Vec<f64>,
    /// How much each set counts for the common design effect, and up to which effect of its own: what happens
    /// once, such as a start, says nothing of the others.
    importance: Vec<f64>,
    most_effect: f64,
    /// How much more the within parts vary over long stretches than over slices.
    pub(crate) long_run: f64,
    /// The design effect of the kinds: over stretches of requests, and over slices.
    pub(crate) kinds_effect: f64,
    pub(crate) kinds_effect_of_slices: f64,
}

/// What differs between runs of one build, beside what slices show.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Between {
    /// The relative standard deviation of each set's cost.
    pub(crate) functions: Vec<f64>,
    /// How much the mix of kinds varies, for each set: the variance of a kind's share over the share.
    pub(crate) mix: Vec<f64>,
    /// The same in all.
    pub(crate) usual_mix: f64,
}

/// How one set differs.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Change {
    /// Standard deviations; positive when the share grew.
    pub(crate) z: f64,
    /// By how much the share changed.
    pub(crate) delta: f64,
    /// The standard error of that, if both sides have the share of both together.
    pub(crate) error: f64,
    /// The share before, and how much a sample of each side adds to the variance.
    before: f64,
    per: [f64; 2],
    /// What tells most of it.
    pub(crate) by: Evidence,
}

impl Change {
    /// How far below and above what was measured the change may be, within so many standard errors. Where the side that was
    /// sampled less has more of it, what varies is more than both together have. Towards no change it is less and less, as
    /// it would be if the change were that small (Wilson's interval).
    pub(crate) fn margins(&self, limit: f64) -> [f64; 2] {
        let error = |delta: f64| {
            let after = (self.before + delta).clamp(0.0, 1.0);
            let of = |share: f64, per: f64| share * (1.0 - share) * per;
            let apart = of(self.before, self.per[0]) + of(after, self.per[1]);
            self.error.max(apart.sqrt())
        };
        let away = limit * error(self.delta);
        let mut towards = away;
        for _ in 0..ROUNDS {
            let least = self.delta - self.delta.signum() * towards;
            towards = limit * error(least);
        }
        match self.delta >= 0.0 {
            true => [towards, away],
            false => [away, towards],
        }
    }
}

/// The parts that a change is told by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Evidence {
    /// Shares inside kinds of requests.
    #[default]
    Within,
    /// The mix of kinds.
    Mix,
    /// The exact cost of the whole.
    Total,
}

impl<'t> Weights<'t> {
    pub(crate) fn of(tree: &'t Tree, sets: &'t [Set], strata: &'t Strata) -> Weights<'t> {
        let (before, after) = rayon::join(
            || tree.of_stacks(|column| column.side == Side::Before),
            || tree.of_stacks(|column| column.side == Side::After),
        );
        let both: Vec<f64> = before.iter().zip(&after).map(|(a, b)| a + b).collect();
        let (pooled, composition) = rayon::join(
            || Pooled::of(sets, strata, &both),
            || composition(tree, sets, &both),
        );
        let slices: Vec<Vec<usize>> = [Side::Before, Side::After]
            .into_iter()
            .flat_map(|side| stretches(tree, side, 60))
            .collect();
        let is_before = |slice: &&Vec<usize>| tree.columns[slice[0]].side == Side::Before;
        let slices_before = slices.iter().filter(is_before).count();
        let mut weights = Weights {
            tree,
            sets,
            strata,
            classes: sets.iter().map(|set| Class::of(set.kind)).collect(),
            before,
            after,
            slice_samples: Vec::new(),
            slice_runs: (slices.iter())
                .map(|columns| {
                    let column = &tree.columns[columns[0]];
                    (column.side, column.run)
                })
                .collect(),
            slices_before,
            within: Vec::new(),
            kinds: Vec::new(),
            composition,
            squares: vec![0.0; sets.len()],
            importance: (pooled.share.iter().zip(&pooled.within))
                .map(|(share, within)| match *within > 1e-9 {
                    true => (share * pooled.samples).min(400.0),
                    false => 0.0,
                })
                .collect(),
            most_effect: f64::INFINITY,
            long_run: 1.0,
            kinds_effect: 1.0,
            kinds_effect_of_slices: 1.0,
            pooled,
        };
        weights.measure_slices(&slices);
        weights.most_effect = UNUSUAL * weights.middle_effect();
        weights.long_run = weights.long_run_factor();
        weights.kinds_effect = weights.effect_of_kinds();
        weights.kinds_effect_of_slices = weights.effect_of_kinds_in_slices();
        weights
    }

    fn measure_slices(&mut self, slices: &[Vec<usize>]) {
        let (tree, count) = (self.tree, self.strata.count);
        let rows: Vec<(f64, Vec<f64>, Vec<f32>)> = slices
            .par_iter()
            .map(|columns| {
                let mut stacks = vec![0.0; tree.stacks.len()];
                let mut kinds = vec![0.0; count];
                for column in columns {
                    for cell in &tree.cells[*column] {
                        let place = tree.places[cell.node as usize] as usize;
                        stacks[place] += cell.samples;
                        kinds[usize::from(self.strata.of[place])] += cell.samples;
                    }
                }
                let prefix = prefix_sums(&stacks);
                let within = (self.sets.iter().enumerate())
                    .map(|(n, set)| {
                        let expected: f64 = (kinds.iter().enumerate())
                            .map(|(kind, samples)| {
                                self.pooled.in_kind[kind * self.sets.len() + n] * samples
                            })
                            .sum();
                        (set.sum(&prefix) - expected) as f32
                    })
                    .collect();
                (prefix.last().copied().unwrap_or(0.0), kinds, within)
            })
            .collect();
        for (samples, kinds, within) in rows {
            for (n, part) in within.iter().enumerate() {
                self.squares[n] += f64::from(*part).powi(2) / (samples * self.pooled.within[n]);
            }
            self.slice_samples.push(samples);
            self.kinds.extend(kinds);
            self.within.extend(within);
        }
    }

    pub(crate) fn slices(&self) -> usize {
        self.slice_samples.len()
    }

    /// Samples of one side.
    pub(crate) fn side_samples(&self, side: Side) -> f64 {
        let (before, after) = self.slice_samples.split_at(self.slices_before);
        match side {
            Side::Before => before.iter().sum(),
            Side::After => after.iter().sum(),
        }
    }

    /// How many times the variance of a single sample the difference of the sides' shares has.
    pub(crate) fn v(&self) -> f64 {
        1.0 / self.side_samples(Side::Before) + 1.0 / self.side_samples(Side::After)
    }

    /// Sums over some slices: the within part of every set, and the samples of each kind.
    pub(crate) fn sums(&self, slices: impl Iterator<Item = usize>) -> (Vec<f64>, Vec<f64>) {
        let (sets, kinds) = (self.sets.len(), self.strata.count);
        let (mut within, mut of_kind) = (vec![0.0f32; sets], vec![0.0; kinds]);
        for slice in slices {
            let row = &self.within[slice * sets..(slice + 1) * sets];
            within
                .iter_mut()
                .zip(row)
                .for_each(|(sum, part)| *sum += part);
            let row = &self.kinds[slice * kinds..(slice + 1) * kinds];
            of_kind
                .iter_mut()
                .zip(row)
                .for_each(|(sum, part)| *sum += part);
        }
        (within.into_iter().map(f64::from).collect(), of_kind)
    }

    /// The mix part of every set, from the samples of each kind on the side after.
    pub(crate) fn mix(&self, pooled: &Pooled, kinds_after: &[f64]) -> Vec<f64> {
        let sets = self.sets.len();
        let mut mix = vec![0.0; sets];
        if kinds_after.len() < 2 {
            return mix;
        }
        for (kind, samples) in kinds_after.iter().enumerate() {
            let in_kind = &pooled.in_kind[kind * sets..(kind + 1) * sets];
            for (n, q) in in_kind.iter().enumerate() {
                mix[n] += samples * (q - pooled.share[n]);
            }
        }
        mix
    }

    /// The design effect of every set, when the within parts of one side add up to these.
    pub(crate) fn design_effects(&self, within: &[f64], v: f64) -> Vec<f64> {
        let df = (self.slices().saturating_sub(2)).max(1) as f64;
        let between: Vec<f64> = (within.iter().zip(&self.pooled.within))
            .map(|(sum, variance)| sum * sum * v / variance)
            .collect();
        // How often samples of a rare set come together is in the limit as well, which these slices set.
        self.shrunk_effects(&between, df, 0.0)
    }

    /// The same, when so much of the squares is between sides or runs, and the rest has so many degrees of
    /// freedom. Samples that come in bursts tell less of it than slices do, where they are few.
    pub(crate) fn shrunk_effects(&self, between: &[f64], df: f64, bursts: f64) -> Vec<f64> {
        let rest: Vec<f64> = (self.squares.iter().zip(between))
            .map(|(squares, between)| (squares - between).max(0.0))
            .collect();
        let important: f64 = self.importance.iter().sum();
        let common = (rest.iter().zip(&self.importance))
            .map(|(rest, importance)| (rest / df).min(self.most_effect) * importance)
            .sum::<f64>()
            / important.max(f64::MIN_POSITIVE);
        (rest.iter().zip(&self.pooled.share))
            .map(|(rest, share)| {
                // The variance of an index of dispersion is 2 / df, and so much more where samples are few.
                let samples = (share * self.pooled.samples).max(1.0);
                let told = 1.0 / (1.0 / df + 0.5 * bursts / samples);
                ((PRIOR_DF * common + told * rest / df) / (PRIOR_DF + told)).max(1.0)
            })
            .collect()
    }

    /// The design effect of which half of all sets, each as it counts, have less.
    fn middle_effect(&self) -> f64 {
        let df = (self.slices().saturating_sub(2)).max(1) as f64;
        let mut effects: Vec<(f64, f64)> = (self.squares.iter().zip(&self.importance))
            .map(|(squares, importance)| (squares / df, *importance))
            .collect();
        effects.sort_by(|a, b| a.0.total_cmp(&b.0));
        let half = 0.5 * self.importance.iter().sum::<f64>();
        let mut sum = 0.0;
        let middle = effects.iter().find(|(_, importance)| {
            sum += importance;
            sum >= half
        });
        middle.map_or(1.0, |(effect, _)| effect.max(1.0))
    }

    /// How much chance there is between two runs: what slices show, and what differs between runs.
    pub(crate) fn spread(&self, effects: &[f64], kinds_effect: f64, between: &Between) -> Spread {
        let v = self.v();
        Spread {
            within: (effects.iter().zip(&between.functions).enumerate())
                .map(|(n, (effect, sigma))| {
                    let of_runs =
                        sigma * sigma * self.pooled.within[n] * self.composition[n].herfindahl;
                    effect * self.long_run * v + 2.0 * of_runs
                })
                .collect(),
            mix: (between.mix.iter())
                .map(|mix| kinds_effect * v + 2.0 * mix)
                .collect(),
            total: f64::INFINITY,
        }
    }

    /// How every set changed, by the sums of its within and mix parts over the side after.
    pub(crate) fn changes(&self, pooled: &Pooled, sums: &Sums, spread: &Spread) -> Vec<Change> {
        (0..self.sets.len())
            .map(|n| self.change(pooled, sums, spread, n))
            .collect()
    }

    /// By what share a set grew, as its parts tell, each counted by how precise it is; and how precise that is, as one
    /// over the variance.
    fn by_parts(&self, pooled: &Pooled, sums: &Sums, spread: &Spread, n: usize) -> (f64, f64) {
        let v = 1.0 / sums.before + 1.0 / sums.after;
        let (within, mix) = (pooled.within[n], pooled.mix[n]);
        // A growth by the share x moves the parts by x times these.
        let weight = within / spread.within[n] + mix / spread.mix[n];
        let mut sum = sums.within[n] * v / spread.within[n];
        if mix > 1e-12 {
            sum += sums.mix[n] * v / spread.mix[n];
        }
        (sum / weight, weight)
    }

    /// The same, together with what the whole tells if this set is all that changed it; and how much of the precision
    /// comes from the whole. It counts only if the set may be all that changed, by what its own parts tell.
    pub(crate) fn combined(
        &self,
        pooled: &Pooled,
        sums: &Sums,
        spread: &Spread,
        n: usize,
    ) -> (f64, f64, f64) {
        let (x, weight) = self.by_parts(pooled, sums, spread, n);
        // A growth by the share x moves the whole by x times the set's share.
        let share = pooled.share[n];
        let of_whole = share * share / spread.total;
        let apart = x - sums.total / share;
        if of_whole > 0.0 && apart.powi(2) <= AGREE.powi(2) * (1.0 / weight + 1.0 / of_whole) {
            let all = weight + of_whole;
            return (
                (x * weight + sums.total * share / spread.total) / all,
                all,
                of_whole,
            );
        }
        (x, weight, 0.0)
    }

    /// How much better it explains all that is known, that a set changed the whole, than that everything changed alike:
    /// twice the logarithm of the ratio of likelihoods.
    pub(crate) fn against_all(
        &self,
        pooled: &Pooled,
        sums: &Sums,
        spread: &Spread,
        n: usize,
    ) -> f64 {
        let (x, weight) = self.by_parts(pooled, sums, spread, n);
        let apart = x - sums.total / pooled.share[n];
        let of_whole = pooled.share[n].powi(2) / spread.total;
        x * x * weight - apart * apart / (1.0 / weight + 1.0 / of_whole)
    }

    pub(crate) fn change(&self, pooled: &Pooled, sums: &Sums, spread: &Spread, n: usize) -> Change {
        if pooled.share[n] * pooled.samples < FEWEST {
            return Change::default();
        }
        if self.composition[n].is_rest && spread.total.is_infinite() {
            return Change::default();
        }
        let Sums { before, after, .. } = *sums;
        let v = 1.0 / before + 1.0 / after;
        let total = before + after;
        let (x, weight, weight_total) = self.combined(pooled, sums, spread, n);
        let variance = pooled.variance(n);
        let delta = x * variance;
        let effect = variance / (weight * v);
        let p1 = (pooled.share[n] - delta * after / total).clamp(0.0, 1.0);
        let p2 = (pooled.share[n] + delta * before / total).clamp(0.0, 1.0);
        let z = signed_root(before * p1, before, after * p2, after) / effect.sqrt();
        let weight_within = pooled.within[n] / spread.within[n];
        Change {
            z,
            delta,
            error: (effect * variance * v).sqrt(),
            before: p1,
            per: [effect / before, effect / after],
            by: match () {
                () if weight_total >= 0.5 * weight => Evidence::Total,
                () if weight_within >= 0.5 * (weight - weight_total) => Evidence::Within,
                () => Evidence::Mix,
            },
        }
    }

    /// By what factor a set changed if it is all that changed the whole, as the whole and the set's share tell, each
    /// counted by how precise its logarithm is; none where the share tells more of it.
    pub(crate) fn factor_by_whole(
        &self,
        pooled: &Pooled,
        sums: &Sums,
        spread: &Spread,
        n: usize,
    ) -> Option<f64> {
        let (_, weight, weight_total) = self.combined(pooled, sums, spread, n);
        if weight_total <= 0.0 {
            return None;
        }
        let parts = sums.within[n] + sums.mix[n];
        let (least, most) = (1e-3, 1.0 - 1e-3);
        let within = |share: f64, samples: f64| share.max(0.5 / samples).min(most);
        let before = within(pooled.share[n] - parts / sums.before, sums.before);
        let after = within(pooled.share[n] + parts / sums.after, sums.after);
        let by_shares = after * (1.0 - before) / (before * (1.0 - after));
        let by_whole = (1.0 + sums.total.exp_m1() / before).max(least);
        // The variance of a logarithm of odds, over what it is when both sides have the common share.
        let of = |share: f64, samples: f64| 1.0 / (samples * share * (1.0 - share));
        let apart = of(before, sums.before) + of(after, sums.after);
        let common = (1.0 / sums.before + 1.0 / sums.after) / pooled.variance(n);
        let of_shares = (weight - weight_total) * common / apart;
        let of_whole = (before * by_shares).powi(2) / spread.total;
        let log = of_whole * by_whole.ln() + of_shares * by_shares.ln();
        let factor = (log / (of_whole + of_shares)).exp();
        (of_whole >= of_shares).then(|| factor.clamp(least, 1.0 / least))
    }

    /// The ratio of the common design effect over stretches of slices to that of slices: 1 where slices do
    /// not depend on each other.
    fn long_run_factor(&self) -> f64 {
        let sets = self.sets.len();
        let pooled = |block: usize| {
            let (mut sum, mut df) = (vec![0.0f64; sets], 0.0);
            for range in [0..self.slices_before, self.slices_before..self.slices()] {
                let blocks: Vec<(Vec<f64>, f64)> = range
                    .collect::<Vec<_>>()
                    .chunks_exact(block)
                    .map(|slices| {
                        let samples = slices.iter().map(|slice| self.slice_samples[*slice]).sum();
                        (self.sums(slices.iter().copied()).0, samples)
                    })
                    .collect();
                let samples: f64 = blocks.iter().map(|(_, samples)| samples).sum();
                for n in 0..sets {
                    let mean = blocks.iter().map(|(part, _)| part[n]).sum::<f64>() / samples;
                    sum[n] += blocks
                        .iter()
                        .map(|(part, m)| (part[n] - m * mean).powi(2) / (m * self.pooled.within[n]))
                        .sum::<f64>();
                }
                df += blocks.len().saturating_sub(1) as f64;
            }
            let important: f64 = self.importance.iter().sum();
            let of_all = sum.iter().zip(&self.importance);
            of_all
                .map(|(sum, importance)| sum / df * importance)
                .sum::<f64>()
                / important
        };
        if self.slices_before < 16 || self.slices() - self.slices_before < 16 {
            return 1.0;
        }
        let (one, two, four) = (pooled(1), pooled(2), pooled(4));
        let factor = (two / one).max(four / one);
        if factor.is_finite() {
            factor.clamp(1.0, 4.0)
        } else {
            1.0
        }
    }

    /// The design effect of the kinds over stretches of a thirtieth and a fifteenth of a run.
    fn effect_of_kinds(&self) -> f64 {
        if self.strata.count < 2 {
            return 1.0;
        }
        let of = |parts: usize| {
            let (mut sum, mut df) = (0.0, 0.0);
            for side in [Side::Before, Side::After] {
                let blocks: Vec<Vec<f64>> = stretches(self.tree, side, parts)
                    .iter()
                    .map(|columns| self.kinds_of(columns))
                    .collect();
                let (squares, freedom) = self.squares_of_kinds(&blocks, &mean_of(&blocks));
                sum += squares;
                df += freedom;
            }
            sum / df / (self.strata.count - 1) as f64
        };
        let largest = of(30).max(of(15));
        if largest.is_finite() {
            largest.max(1.0)
        } else {
            1.0
        }
    }

    /// The same as permutations of slices between the sides would show it.
    fn effect_of_kinds_in_slices(&self) -> f64 {
        if self.strata.count < 2 {
            return 1.0;
        }
        let blocks: Vec<Vec<f64>> = self
            .kinds
            .chunks(self.strata.count)
            .map(<[f64]>::to_vec)
            .collect();
        let (squares, df) = self.squares_of_kinds(&blocks, &mean_of(&blocks));
        (squares / df / (self.strata.count - 1) as f64).max(1e-9)
    }

    /// The samples of each kind of request, of samples by stack.
    pub(crate) fn by_kind(&self, stacks: &[f64]) -> Vec<f64> {
        let mut kinds = vec![0.0; self.strata.count];
        for (samples, kind) in stacks.iter().zip(&self.strata.of) {
            kinds[usize::from(*kind)] += samples;
        }
        kinds
    }

    fn kinds_of(&self, columns: &[usize]) -> Vec<f64> {
        let mut kinds = vec![0.0; self.strata.count];
        for column in columns {
            for cell in &self.tree.cells[*column] {
                let place = self.tree.places[cell.node as usize] as usize;
                kinds[usize::from(self.strata.of[place])] += cell.samples;
            }
        }
        kinds
    }

    fn squares_of_kinds(&self, blocks: &[Vec<f64>], mean: &[f64]) -> (f64, f64) {
        let mut squares = 0.0;
        for block in blocks {
            let samples: f64 = block.iter().sum();
            for (kind, count) in block.iter().enumerate() {
                let share = self.pooled.kinds[kind].max(1e-9);
                squares += (count - samples * mean[kind]).powi(2) / (samples * share);
            }
        }
        (squares, blocks.len().saturating_sub(1) as f64)
    }
}

/// Sums over the side after, and the sizes of the sides.
pub(crate) struct Sums {
    pub(crate) before: f64,
    pub(crate) after: f64,
    pub(crate) within: Vec<f64>,
    pub(crate) mix: Vec<f64>,
    /// By how much the logarithm of the exact cost differs; 0 where it is not known.
    pub(crate) total: f64,
}

/// How much the parts of a change vary by chance.
#[derive(Clone)]
pub(crate) struct Spread {
    /// Of each set, the variance of the part within kinds, over that of a single sample.
    pub(crate) within: Vec<f64>,
    /// The same of the part by the mix.
    pub(crate) mix: Vec<f64>,
    /// The variance of the logarithm of the exact cost; infinite where it is not known.
    pub(crate) total: f64,
}

fn mean_of(blocks: &[Vec<f64>]) -> Vec<f64> {
    let kinds = blocks.first().map_or(0, Vec::len);
    let sums: Vec<f64> = (0..kinds)
        .map(|kind| blocks.iter().map(|block| block[kind]).sum())
        .collect();
    let total: f64 = sums.iter().sum();
    sums.iter().map(|sum| sum / total).collect()
}

/// The columns of a side in about so many stretches of equal length, run by run: only whole ones, and only such
/// as have samples.
pub(crate) fn stretches(tree: &Tree, side: Side, parts: usize) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut last = None;
    for (n, column) in tree.columns.iter().enumerate() {
        if column.side != side || column.samples <= 0.0 {
            continue;
        }
        if last != Some(column.run) {
            runs.push(Vec::new());
            last = Some(column.run);
        }
        if let Some(run) = runs.last_mut() {
            run.push(n);
        }
    }
    runs.iter()
        .flat_map(|columns| {
            let length = (columns.len() as f64 / parts as f64).round().max(1.0) as usize;
            columns
                .chunks_exact(length.min(columns.len()))
                .map(<[usize]>::to_vec)
        })
        .collect()
}
