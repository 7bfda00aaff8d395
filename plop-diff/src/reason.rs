//! Why a set of stacks changed: by itself, by being called more, or by what it calls.

use crate::comparison::Reason;
use crate::sets::{Kind, Set};
use crate::tree::Tree;

/// Samples before and after, and how many each side has.
struct Counts {
    before: f64,
    after: f64,
}

/// How many standard errors two changes are apart to be different ones.
const APART: f64 = 2.6;

/// Classifies a change. `stacks` are the samples of each stack before and after, `samples` those of the sides.
pub(crate) fn reason(
    tree: &Tree,
    set: &Set,
    stacks: [&[f64]; 2],
    samples: [f64; 2],
    effect: f64,
    sigma: f64,
) -> Reason {
    let count = |choose: &dyn Fn(usize) -> bool, ranges: &[(usize, usize)]| Counts {
        before: sum(stacks[0], choose, ranges),
        after: sum(stacks[1], choose, ranges),
    };
    let inside: Vec<(usize, usize)> = set.spans().collect();
    let everywhere = [(0, tree.stacks.len())];
    let all = count(&|_| true, &inside);
    // As many as before would be expected of a side of this size.
    let ratio = samples[1] / samples[0];
    let is_few = |few: f64, many: f64| few < 4.0 * effect + 0.05 * many;
    if is_few(all.before, all.after / ratio) && all.before < 0.1 * all.after / ratio {
        return Reason::NewPath;
    }
    if is_few(all.after, all.before * ratio) && all.after < 0.1 * all.before * ratio {
        return Reason::Gone;
    }
    // Logarithm of how much the share grew, and its variance.
    let growth = |counts: &Counts| {
        let (y1, y2) = (counts.before + 0.5, counts.after + 0.5);
        let variance = effect * (1.0 / y1 + 1.0 / y2) + 2.0 * sigma * sigma;
        ((y2 / samples[1]).ln() - (y1 / samples[0]).ln(), variance)
    };
    let is_own = |place: usize| tree.node_functions[tree.stacks[place] as usize] == set.function;
    let own = count(&is_own, &inside);
    let rest = Counts {
        before: all.before - own.before,
        after: all.after - own.after,
    };
    let total = all.before + all.after;
    if rest.before + rest.after < 0.03 * total {
        let everywhere_own = count(&is_own, &everywhere);
        let other = Counts {
            before: everywhere_own.before - own.before,
            after: everywhere_own.after - own.after,
        };
        if other.before + other.after < 0.05 * (everywhere_own.before + everywhere_own.after) {
            return match set.kind {
                // A function that several others call, and that is slower in all of them alike, is so itself.
                Kind::Own if has_callers(tree, set) && is_even(set, stacks, samples, effect) => {
                    Reason::SelfCost
                }
                _ => Reason::SelfOrCalledMore,
            };
        }
        let (there, variance) = growth(&own);
        let (elsewhere, other_variance) = growth(&other);
        let error = (variance + other_variance).sqrt();
        return match (there - elsewhere).abs() > APART * error
            && elsewhere.abs() < 2.0 * other_variance.sqrt()
        {
            true => Reason::CalledMore,
            false => Reason::SelfCost,
        };
    }
    let ((itself, variance), (below, below_variance)) = (growth(&own), growth(&rest));
    if (itself - below).abs() < APART * (variance + below_variance).sqrt()
        && below.abs() > 2.0 * below_variance.sqrt()
    {
        Reason::CalledMore
    } else if below.abs() < 0.5 * itself.abs() {
        Reason::SelfCost
    } else {
        Reason::SpreadBelow
    }
}

/// Whether a function is called by more than one other.
fn has_callers(tree: &Tree, set: &Set) -> bool {
    let caller = |node: &u32| tree.node_functions[tree.parents[*node as usize] as usize];
    let mut callers = set
        .nodes()
        .iter()
        .map(caller)
        .filter(|caller| *caller != set.function);
    let first = callers.next();
    callers.any(|caller| Some(caller) != first)
}

/// Whether all ways to a function grew alike, by a test of chi-square at one in a thousand.
fn is_even(set: &Set, stacks: [&[f64]; 2], samples: [f64; 2], effect: f64) -> bool {
    let growths: Vec<(f64, f64)> = set
        .spans()
        .map(|(from, to)| {
            let of = |side: usize| stacks[side][from..to].iter().sum::<f64>();
            (of(0), of(1))
        })
        .filter(|(before, after)| before + after >= 8.0 * effect)
        .map(|(before, after)| {
            let (y1, y2) = (before + 0.5, after + 0.5);
            let change = (y2 / samples[1]).ln() - (y1 / samples[0]).ln();
            (change, 1.0 / (effect * (1.0 / y1 + 1.0 / y2)))
        })
        .collect();
    if growths.len() < 2 {
        return true;
    }
    let weight: f64 = growths.iter().map(|(_, weight)| weight).sum();
    let mean = growths
        .iter()
        .map(|(change, weight)| change * weight)
        .sum::<f64>()
        / weight;
    let squares: f64 = growths
        .iter()
        .map(|(change, weight)| weight * (change - mean).powi(2))
        .sum();
    let df = (growths.len() - 1) as f64;
    // Wilson and Hilferty's approximation of the quantile.
    let at = 1.0 - 2.0 / (9.0 * df) + 3.09 * (2.0 / (9.0 * df)).sqrt();
    squares < df * at.powi(3)
}

fn sum(stacks: &[f64], choose: &dyn Fn(usize) -> bool, ranges: &[(usize, usize)]) -> f64 {
    ranges
        .iter()
        .flat_map(|(from, to)| *from..*to)
        .filter(|place| choose(*place))
        .map(|place| stacks[place])
        .sum()
}
