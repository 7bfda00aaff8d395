//! The scan: which sets changed more than chance would have any of them change.
//!
//! One threshold for all sets together is the quantile of the largest change when slices are dealt to the sides
//! at random. What is over it is explained by few causes (`explain.rs`).

use rayon::prelude::*;

use crate::cause::Cause;
use crate::comparison::TotalTest;
use crate::explain::Explaining;
use crate::limits::{Largest, Limits};
use crate::noise::{self, Prior};
use crate::random::Random;
use crate::replicates::{Dealt, Replicates};
use crate::runs::Runs;
use crate::strongest::{Wanted, strongest};
use crate::tree::Side;
use crate::weigh::{Between, Change, Spread, Sums, Weights};

/// What a scan found.
pub(crate) struct Scan {
    /// How many standard deviations a change must be.
    pub(crate) limits: Limits,
    /// What the probability of the whole's growth must be under, where that depends on the sets'.
    pub(crate) total_limit: Option<f64>,
    /// Every set's change, before anything was explained.
    pub(crate) changes: Vec<Change>,
    /// In the order in which they were found, growth and shrinking alike.
    pub(crate) causes: Vec<Cause>,
    /// Whether there are more than were looked for.
    pub(crate) cut: bool,
    /// By what factor what did not change has more samples after than before.
    pub(crate) rest: f64,
    /// The samples of each kind of request before and after, without the causes.
    pub(crate) kinds: [Vec<f64>; 2],
    /// By what factor the whole grew at most, where that is tested by counted work.
    pub(crate) whole_at_most: Option<f64>,
    /// What may as well have changed the other way instead of the causes.
    pub(crate) rival: Option<usize>,
    /// What grew most, whether or not by chance.
    pub(crate) likely: Option<Cause>,
    /// Whether that explains the whole better than that everything changed alike.
    pub(crate) is_likelier: bool,
    /// By how much everything changed alike, as the logarithm of a factor; 0 where sets of stacks tell it better.
    pub(crate) alike: f64,
    pub(crate) effects: Vec<f64>,
    pub(crate) spread: Spread,
    pub(crate) between: Between,
}

impl Scan {
    /// How much a set's cost differs between runs of one build. Where there is a cause, what was learnt without it
    /// is nearer to that than what was learnt with it: what is known to have changed is no noise.
    pub(crate) fn between_runs(&self, set: usize) -> f64 {
        let functions = &self.between.functions;
        let without_cause = self.causes.iter().map(|cause| functions[cause.set]);
        let least = without_cause.min_by(f64::total_cmp);
        least.unwrap_or(functions[set])
    }

    /// The same of the mix of requests.
    pub(crate) fn usual_mix(&self) -> f64 {
        let without_cause = self.causes.iter().map(|cause| self.between.mix[cause.set]);
        without_cause.fold(self.between.usual_mix, f64::min)
    }
}

/// What a scan is told.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'w> {
    pub(crate) alpha: f64,
    /// The test of the whole, where there is one: it has a part of alpha.
    pub(crate) total: Option<TotalTest>,
    pub(crate) permutations: usize,
    pub(crate) seed: u64,
    pub(crate) prior: Prior,
    /// By how much the logarithm of the exact cost of the whole differs, where it is known: not how sure that is.
    pub(crate) whole: Option<f64>,
    /// The logarithms of the exact costs of the runs of each side, where they are known.
    pub(crate) logs: Option<&'w [Vec<f64>; 2]>,
    /// A design effect for profiles without slices, in place of the one that slices show.
    pub(crate) assumed_effect: Option<f64>,
}

pub(crate) fn scan(weights: &Weights, rules: &Rules) -> Scan {
    let (before, after) = (
        weights.side_samples(Side::Before),
        weights.side_samples(Side::After),
    );
    let (within, kinds) = weights.sums(weights.slices_before..weights.slices());
    let mut sums = Sums {
        before,
        after,
        mix: weights.mix(&weights.pooled, &kinds),
        within,
        total: 0.0,
    };
    // The bound of Bonferroni, where nothing is dealt out.
    let bound = || Limits::bound(&weights.classes, rules.alpha_of_sets());
    let mut total_limit = None;
    let runs = Runs::of(weights);
    let (effects, spread, between, limits);
    if let Some(effect) = rules.assumed_effect {
        effects = vec![effect; weights.sets.len()];
        between = noise::between(weights, &effects, &sums.within, &rules.prior);
        spread = weights.spread(&effects, effect, &between);
        limits = bound();
    } else if runs.df() >= 1.0 {
        effects = runs.design_effects(weights);
        let learnt = runs.learn(weights, &effects, &rules.prior);
        between = learnt.between(weights.sets.len());
        match Replicates::of(weights, &runs, &learnt, rules.logs, rules.alpha) {
            Some(replicates) => {
                Dealt { sums, spread } = replicates.as_recorded();
                (limits, total_limit) = replicates.limits(rules);
            }
            None => {
                spread = runs.spread(weights, &learnt, rules.alpha_of_sets());
                limits = bound();
            }
        }
    } else {
        effects = weights.design_effects(&sums.within, 1.0 / before + 1.0 / after);
        between = noise::between(weights, &effects, &sums.within, &rules.prior);
        spread = weights.spread(&effects, weights.kinds_effect, &between);
        limits = of_slices(weights, rules);
    }
    let changes = weights.changes(&weights.pooled, &sums, &spread);
    let sides = [&weights.before[..], &weights.after];
    let wanted = Wanted {
        size: |z| z.max(0.0),
        limits: Limits { own: 0.0, ..limits },
        whole: rules.whole,
    };
    let likely = strongest(weights, sides, &weights.pooled, &spread, &changes, wanted);
    let explaining = Explaining {
        weights,
        spread: &spread,
        limits,
        total: sums.total,
        whole: rules.whole,
    };
    let explained = explaining.explain(&sums, &changes);
    Scan {
        limits,
        total_limit,
        is_likelier: likely
            .is_some_and(|set| weights.against_all(&weights.pooled, &sums, &spread, set) > 0.0),
        rival: match rules.whole {
            None => explaining.rival(&explained, &sums, &changes),
            Some(_) => None,
        },
        likely: likely.map(|set| explaining.alone(set, &sums, &changes)),
        causes: explained.causes,
        alike: explained.alike,
        cut: explained.cut,
        kinds: explained.kinds,
        whole_at_most: rules.whole.and(rules.total).map(|test| test.interval[1]),
        rest: explained.rest,
        changes,
        effects,
        spread,
        between,
    }
}

/// The largest growth that deals of slices reach in all but a share of alpha.
fn of_slices(weights: &Weights, rules: &Rules) -> Limits {
    let largest: Vec<Largest> = (0..rules.permutations.max(1))
        .into_par_iter()
        .map(|n| {
            let mut random = Random::of(rules.seed, n);
            let mut slices: Vec<usize> = (0..weights.slices()).collect();
            random.shuffle(&mut slices);
            largest_growth(weights, &slices[weights.slices_before..])
        })
        .collect();
    Limits::of(&largest, 0, rules.alpha)
}

impl Rules<'_> {
    /// The part of alpha that is for sets of stacks: what is spent on the whole is free again once the whole is
    /// known to have grown (Holm).
    pub(crate) fn alpha_of_sets(&self) -> f64 {
        match self.total {
            Some(test) if test.p >= test.limit => self.alpha - test.limit,
            _ => self.alpha,
        }
    }
}

/// The largest growth of any set when these slices are the side after.
fn largest_growth(weights: &Weights, slices: &[usize]) -> Largest {
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
        mix: vec![weights.kinds_effect * v; weights.sets.len()],
        total: f64::INFINITY,
    };
    let sums = Sums {
        before,
        after,
        within,
        mix,
        total: 0.0,
    };
    let mut largest = Largest::default();
    for (n, effect) in effects.iter().enumerate() {
        let class = weights.classes[n];
        // Most are nowhere near: their part alone tells, without logarithms.
        let rough = sums.within[n].max(0.0) * v / (effect * v * pooled.within[n]).sqrt()
            + sums.mix[n].max(0.0) * v
                / (weights.kinds_effect * v * pooled.mix[n].max(1e-12)).sqrt();
        if rough > 0.5 * largest.of(class) {
            largest.add(class, weights.change(pooled, &sums, &spread, n).z);
        }
    }
    largest
}
