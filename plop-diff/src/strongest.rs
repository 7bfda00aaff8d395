//! Which set of stacks is the best name for what changed most.

use crate::limits::Limits;
use crate::pooled::Pooled;
use crate::weigh::{Change, FEWEST, Spread, Weights};

/// The whole grew or shrank if the logarithm of its cost differs by more.
pub(crate) const AGAINST: f64 = 0.02;
/// How much weaker a change is taken to be that does not explain what became of the whole, and by how much the
/// whole varies anyway.
const MISFIT: f64 = 0.5;
const WHOLE_VARIES: f64 = 0.05;
/// A set inside the best one that is nearly as good is the better name.
const NEARLY: f64 = 0.97;
/// One around it is, if it is so good and the rest of it changed as well, by so many standard errors.
const NEARLY_AROUND: f64 = 0.9;
const CLEARLY: f64 = 4.0;

/// What makes a change the strongest.
pub(crate) struct Wanted {
    /// How large it is by its z.
    pub(crate) size: fn(f64) -> f64,
    pub(crate) limits: Limits,
    /// Where the whole went, if that was counted.
    pub(crate) whole: Option<f64>,
}

/// The set that changed most, if that is enough. Of sets inside one another that changed nearly as much the
/// smallest one is the better name, as long as nothing else of the larger one changed like it.
pub(crate) fn strongest(
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
    let sets = weights.sets;
    // A set and its complement are the same change. The one that explains what became of the whole, if that was
    // counted, is the better name; the one of fewer functions, since few change sooner than many alike; the smaller one.
    let size = |n: usize| limits.size(weights.classes[n], size(changes[n].z));
    let strength = |n: usize| {
        let mut strength = size(n);
        if let Some(whole) = whole.filter(|whole| whole.abs() > AGAINST) {
            strength *= 1.0 - MISFIT * misfit(pooled.share[n], changes[n].delta, whole);
        }
        if !weights.composition[n].is_plain {
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
        .filter(|n| sets[*n].contains(&sets[best]) && rest(best, *n))
        .max_by(|a, b| strength(*a).total_cmp(&strength(*b)).then(b.cmp(a)));
    let outer = around.unwrap_or(best);
    nearly(NEARLY)
        .filter(|n| *n != outer && sets[outer].contains(&sets[*n]))
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
        let [inner, outer] = [inner, outer].map(|n| weights.sets[n].sum_of(selfs));
        let outside = selfs.iter().sum::<f64>() - outer;
        ((outer - inner + 0.5) / (outside + 0.5)).ln()
    });
    let weight =
        pooled.within[outer] / spread.within[outer] + pooled.mix[outer] / spread.mix[outer];
    // A smaller set is less precise.
    (after - before) * (weight * share / pooled.share[outer]).sqrt()
}
