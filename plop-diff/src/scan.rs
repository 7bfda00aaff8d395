//! The scan: which sets changed more than chance would have any of them change, one line for each cause.
//!
//! One threshold for all sets together is the quantile of the largest change when slices are dealt to the sides
//! at random. Then the largest change is taken for a cause and divided out, until none is left over the
//! threshold (the sequential scan of Zhang, Assunção & Kulldorff 2010, on a call tree).

use rayon::prelude::*;

use crate::comparison::TotalTest;
use crate::limits::{Largest, Limits};
use crate::noise::{self, Prior};
use crate::random::Random;
use crate::replicates::{Dealt, Replicates};
use crate::runs::Runs;
use crate::sets::{Kind, Set};
use crate::stats::upper_quantile;
use crate::tree::Side;
use crate::weigh::{Between, Change, Evidence, FEWEST, Pooled, Spread, Sums, Weights};

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

impl Cause {
    /// Whether nothing is left of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }
}

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

/// What explains the changes.
struct Explained {
    causes: Vec<Cause>,
    alike: f64,
    cut: bool,
    rest: f64,
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

/// At most so many causes are looked for.
pub(crate) const MOST_CAUSES: usize = 40;
/// The whole grew or shrank if the logarithm of its cost differs by more.
const AGAINST: f64 = 0.02;
/// How much weaker a change is taken to be that does not explain what became of the whole, and by how much the
/// whole varies anyway.
const MISFIT: f64 = 0.5;
const WHOLE_VARIES: f64 = 0.05;
/// Of a change the other way that is so nearly as strong it is looked at which of both leaves less, so much less.
const NEARLY_OPPOSITE: f64 = 0.7;
const LEAVES_LESS: f64 = 0.8;
/// How often one function may be blamed for what changed all of them alike.
const BLAMED: f64 = 0.05;
/// A set inside the best one that is nearly as good is the better name.
const NEARLY: f64 = 0.97;
/// One around it is, if it is so good and the rest of it changed as well, by so many standard errors.
const NEARLY_AROUND: f64 = 0.9;
const CLEARLY: f64 = 4.0;

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
    let likely = strongest(
        weights,
        sides,
        &weights.pooled,
        &spread,
        &changes,
        Wanted {
            size: |z| z.max(0.0),
            limits: Limits { own: 0.0, ..limits },
            whole: rules.whole,
        },
    );
    let Explained {
        causes,
        alike,
        cut,
        rest,
    } = explain(weights, &spread, sums.total, limits, rules.whole);
    Scan {
        limits,
        total_limit,
        is_likelier: likely
            .is_some_and(|set| weights.against_all(&weights.pooled, &sums, &spread, set) > 0.0),
        causes,
        alike,
        cut,
        rest,
        likely: likely.map(|set| cause(weights, set, &changes, &weights.before, &weights.after)),
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

/// Takes the largest change for a cause and divides it out of the side after, all causes together fitted anew
/// each time, until nothing is over the threshold. `total` is by how much the logarithm of the exact cost
/// differs.
fn explain(
    weights: &Weights,
    spread: &Spread,
    total: f64,
    limits: Limits,
    whole: Option<f64>,
) -> Explained {
    let (tree, sets) = (weights.tree, weights.sets);
    let functions = sets.iter().filter(|set| set.kind == Kind::Own).count();
    let apart = upper_quantile(BLAMED / functions.max(1) as f64);
    let mut alike = 0.0;
    let (mut before, mut after) = (weights.before.clone(), weights.after.clone());
    let sum = |selfs: &[f64]| selfs.iter().sum::<f64>();
    let all = [sum(&before), sum(&after)];
    let mut causes: Vec<Cause> = Vec::new();
    let mut cut = false;
    loop {
        let both: Vec<f64> = before.iter().zip(&after).map(|(a, b)| a + b).collect();
        let pooled = Pooled::of(tree, sets, weights.strata, &both);
        let mut sums = sums_of(weights, &pooled, &before, &after);
        if sums.before.min(sums.after) < FEWEST {
            break;
        }
        // What causes explain of the whole is no change of it any more.
        let explained = alike - (sums.after / all[1]).ln() + (sums.before / all[0]).ln();
        sums.total = total - explained;
        let mut changes = weights.changes(&pooled, &sums, spread);
        for cause in &causes {
            changes[cause.set].z = 0.0;
        }
        let sides = [&before[..], &after];
        let set = strongest(
            weights,
            sides,
            &pooled,
            spread,
            &changes,
            Wanted {
                size: f64::abs,
                limits,
                whole: whole.map(|whole| whole - explained),
            },
        );
        let of_all = (sums.total / spread.total.sqrt()).abs();
        let of_set = |set: usize| limits.size(weights.classes[set], changes[set].z.abs());
        let is_all = match set {
            // How far the whole went is told as well by any set. The set's own stacks have to tell that it was this.
            Some(set) if of_all >= limits.own => {
                weights.against_all(&pooled, &sums, spread, set) < apart.powi(2)
            }
            Some(set) => of_all >= of_set(set),
            None => of_all >= limits.own,
        };
        if is_all {
            // No set tells it better than that everything changed alike.
            alike += sums.total;
            continue;
        }
        let Some(set) = set else {
            break;
        };
        if causes.len() == MOST_CAUSES {
            cut = true;
            break;
        }
        // What grew makes all else a smaller share, of which a part may look as strong. The better name is what leaves the
        // least when it is taken out.
        let size = |n: usize| limits.size(weights.classes[n], changes[n].z.abs());
        let opposite = (0..sets.len())
            .filter(|n| changes[*n].z * changes[set].z < 0.0)
            .filter(|n| size(*n) >= limits.own.max(NEARLY_OPPOSITE * size(set)))
            .max_by(|a, b| size(*a).total_cmp(&size(*b)).then(b.cmp(a)));
        let cause = |n: usize| cause(weights, n, &changes, &before, &after);
        let left = |n: usize| {
            let (mut before, mut after) = (before.clone(), after.clone());
            take_out(weights, &cause(n), [&mut before, &mut after]);
            let known = causes.iter().map(|cause| cause.set).chain([n]);
            strongest_left(weights, spread, limits, [&before, &after], known)
        };
        let set = match opposite {
            Some(other) => {
                let [one, other_left] = [set, other].map(left);
                match one >= limits.own && other_left < LEAVES_LESS * one {
                    true => other,
                    false => set,
                }
            }
            None => set,
        };
        let cause = cause(set);
        take_out(weights, &cause, [&mut before, &mut after]);
        causes.push(cause);
        refit(weights, &mut causes, &before, &mut after);
    }
    let [left_before, left_after] = [sum(&before), sum(&after)];
    Explained {
        causes,
        alike,
        cut,
        // Where causes are all there is, nothing tells how much more was sampled.
        rest: match left_before.min(left_after) > 0.0 {
            true => left_after / left_before,
            false => all[1] / all[0],
        },
    }
}

/// Takes a cause out of both sides.
fn take_out(weights: &Weights, cause: &Cause, [before, after]: [&mut [f64]; 2]) {
    let set = &weights.sets[cause.set];
    if cause.gone {
        for (from, to) in set.ranges(weights.tree) {
            before[from..to].fill(0.0);
            after[from..to].fill(0.0);
        }
    } else {
        divide(weights.tree, set, after, cause.odds);
    }
}

/// The strongest change that is left but for those that are known, by shares alone.
fn strongest_left(
    weights: &Weights,
    spread: &Spread,
    limits: Limits,
    [before, after]: [&[f64]; 2],
    known: impl Iterator<Item = usize>,
) -> f64 {
    let both: Vec<f64> = before.iter().zip(after).map(|(a, b)| a + b).collect();
    let pooled = Pooled::of(weights.tree, weights.sets, weights.strata, &both);
    let sums = sums_of(weights, &pooled, before, after);
    if sums.before.min(sums.after) < FEWEST {
        return 0.0;
    }
    let by_shares = Spread {
        total: f64::INFINITY,
        ..spread.clone()
    };
    let mut changes = weights.changes(&pooled, &sums, &by_shares);
    for set in known {
        changes[set].z = 0.0;
    }
    (changes.iter().zip(&weights.classes))
        .map(|(change, class)| limits.size(*class, change.z.abs()))
        .fold(0.0, f64::max)
}

/// What makes a change the strongest.
struct Wanted {
    /// How large it is by its z.
    size: fn(f64) -> f64,
    limits: Limits,
    /// Where the whole went, if that was counted.
    whole: Option<f64>,
}

/// The set that changed most, if that is enough. Of sets inside one another that changed nearly as much the
/// smallest one is the better name, as long as nothing else of the larger one changed like it.
fn strongest(
    weights: &Weights,
    sides: [&[f64]; 2],
    pooled: &Pooled,
    spread: &Spread,
    changes: &[Change],
    Wanted {
        size,
        limits,
        whole,
    }: Wanted,
) -> Option<usize> {
    let (tree, sets) = (weights.tree, weights.sets);
    // A set and its complement are the same change. The one that explains what became of the whole, if that was
    // counted, is the better name; the one of fewer functions, since few change sooner than many alike; the smaller one.
    let size = |n: usize| limits.size(weights.classes[n], size(changes[n].z));
    let strength = |n: usize| {
        let mut strength = size(n);
        if let Some(whole) = whole.filter(|whole| whole.abs() > AGAINST) {
            strength *= 1.0 - MISFIT * misfit(pooled.share[n], changes[n].delta, whole);
        }
        if !weights.is_plain[n] {
            strength *= 0.997;
        }
        if pooled.share[n] > 0.5 {
            strength *= 0.999;
        }
        strength
    };
    let best = (0..sets.len())
        .filter(|n| size(*n) >= limits.own && strength(*n) > 0.0)
        .max_by(|a, b| strength(*a).total_cmp(&strength(*b)).then(b.cmp(a)))?;
    let nearly = |part: f64| {
        let least = limits.own.max(part * size(best));
        (0..sets.len())
            .filter(move |n| *n != best && size(*n) >= least)
            .filter(|n| (changes[*n].z > 0.0) == (changes[best].z > 0.0))
    };
    let rest = |inner: usize, outer: usize| {
        rest_changed(weights, sides, pooled, spread, [inner, outer]) * changes[outer].z.signum()
            > CLEARLY
    };
    let around = nearly(NEARLY_AROUND)
        .filter(|n| sets[*n].contains(&sets[best], tree) && rest(best, *n))
        .max_by(|a, b| strength(*a).total_cmp(&strength(*b)).then(b.cmp(a)));
    let outer = around.unwrap_or(best);
    nearly(NEARLY)
        .filter(|n| *n != outer && sets[outer].contains(&sets[*n], tree))
        .filter(|n| !rest(*n, outer))
        .chain([outer])
        .min_by(|a, b| pooled.share[*a].total_cmp(&pooled.share[*b]).then(a.cmp(b)))
}

/// How badly a change of a share explains by itself by how much the logarithm of the whole changed: from 0 to 1.
fn misfit(share: f64, delta: f64, whole: f64) -> f64 {
    let before = share - 0.5 * delta;
    let after_of_rest = (1.0 - before - delta).max(1e-3);
    let explained = (1.0 + delta / after_of_rest).max(1e-3).ln();
    ((explained - whole).abs() / (whole.abs() + WHOLE_VARIES)).min(1.0)
}

/// By how many standard errors what is in the outer of two sets and not in the inner one changed.
fn rest_changed(
    weights: &Weights,
    sides: [&[f64]; 2],
    pooled: &Pooled,
    spread: &Spread,
    [inner, outer]: [usize; 2],
) -> f64 {
    let share = pooled.share[outer] - pooled.share[inner];
    if share * pooled.samples < FEWEST {
        return 0.0;
    }
    let [before, after] = sides.map(|selfs| {
        let [inner, outer] = [inner, outer].map(|n| -> f64 {
            let ranges = weights.sets[n].ranges(weights.tree);
            ranges
                .map(|(from, to)| selfs[from..to].iter().sum::<f64>())
                .sum()
        });
        let outside = selfs.iter().sum::<f64>() - outer;
        ((outer - inner + 0.5) / (outside + 0.5)).ln()
    });
    let weight =
        pooled.within[outer] / spread.within[outer] + pooled.mix[outer] / spread.mix[outer];
    // A smaller set is less precise.
    (after - before) * (weight * share / pooled.share[outer]).sqrt()
}

fn cause(
    weights: &Weights,
    set: usize,
    changes: &[Change],
    before: &[f64],
    after: &[f64],
) -> Cause {
    let change = changes[set];
    let left: f64 = weights.sets[set]
        .ranges(weights.tree)
        .map(|(from, to)| after[from..to].iter().sum::<f64>())
        .sum();
    Cause {
        set,
        change,
        odds: odds(weights, set, before, after, change),
        gone: left < 1.0,
    }
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
        total: 0.0,
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
            cause.odds = odds(weights, cause.set, before, after, cause.change);
            divide(weights.tree, set, after, cause.odds);
        }
    }
}

/// By what factor a set grew against everything else: the odds ratio of Mantel and Haenszel over the kinds, or
/// over all together where the mix carries the change. Of what the whole tells, shares tell nothing.
fn odds(weights: &Weights, set: usize, before: &[f64], after: &[f64], change: Change) -> f64 {
    if change.by == Evidence::Total {
        return change.factor;
    }
    let within = change.by == Evidence::Within;
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
