//! What shares of one pair of runs leave open, and is said before nothing found is taken for nothing changed.
//!
//! Where the whole is two things, one of them has a larger share when it became slower and just as well when the
//! other became faster. Where they are two kinds of requests, it may also have been asked for more often. Work that
//! is counted, or several runs a side, tell; one pair of shares does not.

use crate::comparison::{Finding, KindPower, Method, Warning};
use crate::scan::Scan;
use crate::sets::{Set, prefix_sums};
use crate::stats::FOUR_IN_FIVE;
use crate::tree::{Side, Tree};
use crate::weigh::Weights;

/// The smaller of two things has this share of the whole, so that the other may have doubled as well as it halved.
const LEAST_SHARE: f64 = 0.2;
/// Both together are so much of all that the rest does not tell which of them changed.
const NEARLY_ALL: f64 = 0.95;

/// A shrinking that may as well be the growth of everything else, which is one thing.
pub(crate) fn direction(
    weights: &Weights,
    findings: &[Finding],
    min_effect: f64,
) -> Option<Warning> {
    let (tree, pooled) = (weights.tree, &weights.pooled);
    let shrank = |one: &&Finding| !one.grew() && !one.moved && one.share[1] > 0.0;
    findings.iter().filter(shrank).find_map(|one| {
        let set = (weights.sets.iter())
            .position(|set| (set.kind, &set.nodes) == (one.kind, &one.nodes))?;
        let left = 1.0 - pooled.share[set];
        let grown = one.share[0] / one.share[1] - 1.0;
        if pooled.share[set] < LEAST_SHARE || !weights.has_few_beside[set] || grown < min_effect {
            return None;
        }
        let other = (0..weights.sets.len()).find(|other| {
            pooled.share[*other] > NEARLY_ALL * left
                && pooled.share[*other] < 1.0 - NEARLY_ALL * pooled.share[set]
                && are_apart(tree, [&weights.sets[set], &weights.sets[*other]])
        })?;
        let [shrank, grew] = [set, other].map(|set| name(weights, set));
        Some(Warning {
            code: "either-changed",
            text: format!(
                "{shrank} and {grew} are all there is, and shares do not tell whether the one became faster or the \
                 other slower: work that is counted would"
            ),
            forbids: true,
        })
    })
}

fn name(weights: &Weights, set: usize) -> String {
    let function = weights.sets[set].function as usize;
    format!("`{}`", weights.tree.functions[function].shown())
}

/// Whether two sets have no stack in common.
fn are_apart(tree: &Tree, [one, other]: [&Set; 2]) -> bool {
    one.ranges(tree).all(|(from, to)| {
        other
            .ranges(tree)
            .all(|(start, end)| to <= start || end <= from)
    })
}

/// Of two kinds of requests one has more of the samples than a usual service explains, and that was not told from
/// noise.
pub(crate) fn mix(
    weights: &Weights,
    scan: &Scan,
    method: Method,
    usual_mix: f64,
    min_effect: f64,
) -> Option<Warning> {
    if method != Method::Slices || weights.strata.count != 2 || !scan.causes.is_empty() {
        return None;
    }
    let samples = [Side::Before, Side::After].map(|side| weights.side_samples(side));
    let v = 1.0 / samples[0] + 1.0 / samples[1];
    let of_kinds = [&weights.before, &weights.after].map(|selfs| samples_of_kinds(weights, selfs));
    let share = |side: usize, kind: usize| of_kinds[side][kind] / samples[side];
    let grew = (0..2).max_by(|a, b| {
        let change = |kind: usize| share(1, kind) - share(0, kind);
        change(*a).total_cmp(&change(*b))
    })?;
    let [before, after] = [0, 1].map(|side| share(side, grew));
    let pooled = weights.pooled.kinds[grew];
    let variance = (weights.kinds_effect * v + 2.0 * usual_mix) * pooled * (1.0 - pooled);
    let points = (after - before) / (1.0 - after).max(1e-3);
    if after - before < scan.limits.own * variance.sqrt() || points < min_effect {
        return None;
    }
    let who = match kind_names(weights)[grew] {
        Some(function) => format!("`{}`", weights.tree.functions[function as usize].shown()),
        None => "what is beside it".to_owned(),
    };
    Some(Warning {
        code: "mix-changed",
        text: format!(
            "there are two kinds of requests, and {who} has {:.1} % of the samples after {:.1} %: one run a side does \
             not tell whether there were more of them or each cost more. Work that is counted, several runs a side or \
             plop calibrate would",
            100.0 * after,
            100.0 * before
        ),
        forbids: true,
    })
}

fn samples_of_kinds(weights: &Weights, selfs: &[f64]) -> Vec<f64> {
    let mut kinds = vec![0.0; weights.strata.count];
    for (samples, kind) in selfs.iter().zip(&weights.strata.of) {
        kinds[usize::from(*kind)] += samples;
    }
    kinds
}

/// The function at the top of each kind of request; none for what is beside all of them.
fn kind_names(weights: &Weights) -> Vec<Option<u32>> {
    let (tree, of) = (weights.tree, &weights.strata.of);
    let mut names = vec![None; weights.strata.count];
    // Nodes come before what is below them. The root is of what is beside all kinds, if there is anything.
    for node in (1..tree.len()).filter(|node| of[*node] != of[0]) {
        names[usize::from(of[node])].get_or_insert(tree.node_functions[node]);
    }
    names
}

/// What growth of a whole kind of request is found, the largest first.
pub(crate) fn of_kinds(weights: &Weights, scan: &Scan) -> Vec<KindPower> {
    let prefix = prefix_sums(&weights.before);
    let names = kind_names(weights);
    let mut powers: Vec<KindPower> = (names.into_iter().enumerate())
        .filter_map(|(kind, function)| {
            let function = function?;
            let node = weights
                .strata
                .of
                .iter()
                .position(|of| usize::from(*of) == kind)? as u32;
            let share = weights.pooled.kinds[kind];
            let set = (0..weights.sets.len()).find(|n| {
                let set = &weights.sets[*n];
                set.nodes.contains(&node) && (weights.pooled.share[*n] - share).abs() < 1e-9
            })?;
            let set_of = &weights.sets[set];
            let error = (scan.spread.mix[set] * share * (1.0 - share)).sqrt();
            let delta = (scan.limits.at(set_of.kind) + FOUR_IN_FIVE) * error;
            let before = set_of.sum(weights.tree, &prefix) / prefix.last()?.max(1.0);
            Some(KindPower {
                function,
                share: before,
                detectable: delta / (1.0 - before - delta).max(0.01),
            })
        })
        .collect();
    powers.sort_by(|a, b| {
        b.share
            .total_cmp(&a.share)
            .then(a.function.cmp(&b.function))
    });
    powers
}
