//! What a comparison tells: the findings with their numbers, and both sides in a few words.

use plop_core::Profile;

use crate::cause::Cause;
use crate::compare::Options;
use crate::comparison::{Finding, Noise, Summary};
use crate::environment::{environment, word_of};
use crate::reason::reason;
use crate::scan::Scan;
use crate::sets::{Kind, Set};
use crate::total::Whole;
use crate::tree::{Side, Tree};
use crate::weigh::{Change, Evidence, Weights};

pub(crate) fn finding(
    weights: &Weights,
    scan: &Scan,
    cause: &Cause,
    samples: [f64; 2],
    options: &Options,
) -> Finding {
    let set = &weights.sets[cause.set];
    let (tree, names) = (weights.tree, set.names());
    let counts = [&weights.before, &weights.after].map(|samples| set.sum_of(samples));
    let share = [counts[0] / samples[0], counts[1] / samples[1]];
    let change = cause.change;
    let limit = scan.limits.at(weights.classes[cause.set]);
    let alone = without_larger(weights, scan, cause);
    let of_others = match change.by {
        // What the whole tells of it is told as it is.
        Evidence::Total => 1.0,
        _ if counts[1] > 0.0 => alone / counts[1],
        _ => 1.0,
    };
    let [below, above] = change.margins(limit).map(|margin| margin * of_others);
    let points = |delta: f64| delta / (1.0 - share[0] - delta).max(1e-3);
    // Beside other causes, what their joint fit leaves for this one: its cost after in terms of what did not change,
    // less the same without its factor. Of the share that brings that.
    let fit = match scan.causes.len() {
        1 => change.delta,
        _ if change.by == Evidence::Total => change.delta,
        _ => {
            let [in_all, alone] = [counts[1], alone].map(|count| count / (scan.rest * samples[0]));
            let added = match cause.is_gone() {
                true => -share[0],
                false => (1.0 - 1.0 / cause.odds) * alone,
            };
            // What only makes up for a part of another cause has not grown.
            let makes_up = scan.causes.iter().any(|outer| {
                outer.change.z < 0.0 && outer.set != cause.set && {
                    weights.sets[outer.set].contains(set)
                }
            });
            let added = match makes_up {
                true => added.min(in_all - share[0]),
                false => added,
            };
            added * (1.0 - share[0]) / (1.0 + added).max(1e-3)
        }
    };
    // What has a larger share of a whole that is known to have shrunk by more costs no more.
    let net = (scan.whole_at_most)
        .map_or(f64::INFINITY, |whole| share[1] * whole - share[0])
        .max(-share[0]);
    let most = net * (1.0 - share[0]) / (1.0 + net);
    let delta = match change.z > 0.0 && net.is_finite() {
        true => fit.min(most),
        false => fit,
    };
    Finding {
        kind: set.kind,
        reason: reason(
            weights.tree,
            set,
            [&weights.before, &weights.after],
            samples,
            scan.effects[cause.set],
            scan.between.functions[cause.set],
        ),
        function: set.function,
        caller: set.caller,
        also: set.also.clone(),
        nodes: set.nodes().to_vec(),
        samples: counts,
        share,
        points: points(delta),
        interval: [points(delta - below), points(delta + above)],
        z: change.z,
        limit,
        factor: cause.odds,
        design_effect: scan.effects[cause.set],
        moved: false,
        min_effect: (options.functions).min_effect(tree, &names, options.min_effect),
        ignored: (change.z > 0.0)
            .then(|| options.functions.ignore(tree, &names))
            .flatten()
            .cloned(),
        touched: None,
    }
}

/// The samples after of a cause, as many as there would be if the larger causes that have some of them as well had not
/// changed. Each is told like that: the larger ones have what became of the smaller, and all together come to what the
/// whole changed by.
fn without_larger(weights: &Weights, scan: &Scan, cause: &Cause) -> f64 {
    let size = |cause: &Cause| (weights.pooled.share[cause.set], cause.set);
    let mut after = weights.after.clone();
    for other in scan.causes.iter().filter(|other| !other.is_gone()) {
        if size(other) > size(cause) {
            for (from, to) in weights.sets[other.set].spans() {
                let samples = after[from..to].iter_mut();
                samples.for_each(|samples| *samples /= other.odds);
            }
        }
    }
    weights.sets[cause.set].sum_of(&after)
}

pub(crate) fn summary(
    deploys: &[Vec<&Profile>],
    tree: &Tree,
    which: Side,
    options: &Options,
    whole: Option<&Whole>,
) -> Summary {
    let side = &deploys.concat()[..];
    let sum = |of: &dyn Fn(&Profile) -> Option<i64>| -> Option<i64> {
        side.iter().map(|profile| of(profile)).sum()
    };
    let commits: Vec<String> = (side.iter())
        .filter_map(|profile| word_of(&profile.meta.build, "commit"))
        .collect();
    let name = options.names[which as usize].clone();
    let name = name.or_else(|| {
        let first = commits.first()?;
        let same = commits.len() == side.len() && commits.iter().all(|commit| commit == first);
        same.then(|| first.chars().take(12).collect())
    });
    let counter = whole.and_then(|whole| whole.counter.clone());
    Summary {
        name: name.unwrap_or_default(),
        runs: deploys.len(),
        profiles: side.len(),
        samples: tree.samples(which),
        slices: slices(tree, which),
        cpu_ns: sum(&|p| p.meta.cpu_ns),
        wall_ns: sum(&|p| p.meta.wall_ns.or(p.meta.duration_ns)),
        work: counter.map(|counter| {
            let amounts = side
                .iter()
                .flat_map(|p| &p.meta.work)
                .filter(|(name, _)| *name == counter);
            let amount = amounts.map(|(_, amount)| amount).sum();
            (counter, amount)
        }),
        ticks: side.iter().try_fold((0, 0), |sum, profile| {
            let ticks = profile.meta.ticks?;
            Some((sum.0 + ticks.asked, sum.1 + ticks.delivered))
        }),
        environment: environment(side),
    }
}

pub(crate) fn slices(tree: &Tree, side: Side) -> usize {
    let of_side = |column: &&crate::tree::Column| {
        column.side == side && column.is_slice && column.samples > 0.0
    };
    tree.columns.iter().filter(of_side).count()
}

pub(crate) fn noise_of(weights: &Weights, scan: &Scan, options: &Options) -> Noise {
    let mut own: Vec<f64> = (weights.sets.iter().enumerate())
        .filter(|(_, set)| set.kind == Kind::Own)
        .map(|(n, _)| scan.between_runs(n))
        .collect();
    own.sort_by(f64::total_cmp);
    Noise {
        functions: own.get(own.len() / 2).copied().unwrap_or(0.0),
        mix: scan.usual_mix(),
        measured: options.prior.measured,
    }
}

/// For each node, what there is to say of how the set changed that is the stacks below it.
pub(crate) fn of_nodes<T: Copy>(
    tree: &Tree,
    sets: &[Set],
    scan: &Scan,
    otherwise: T,
    what: &dyn Fn(&Change) -> T,
) -> Vec<T> {
    let mut of_nodes = vec![otherwise; tree.len()];
    for (set, change) in sets.iter().zip(&scan.changes) {
        if set.kind != Kind::Own
            && let [node] = *set.nodes()
        {
            of_nodes[node as usize] = what(change);
        }
    }
    of_nodes
}
