//! What shares leave open, and is said before nothing found is taken for nothing changed.
//!
//! Something has a larger share when it became slower and just as well when what is beside it became faster. A kind of
//! request may also have been asked for more often. Work that is counted tells, and of kinds several runs a side do.

use crate::compare::Options;
use crate::comparison::{Finding, NamedPower, Warning};
use crate::scan::Scan;
use crate::sets::prefix_sums;
use crate::stats::FOUR_IN_FIVE;
use crate::tree::{Side, Tree};
use crate::weigh::Weights;

/// What has a smaller share does not tell of the rest: that would have to change by far more than any function does.
const LEAST_SHARE: f64 = 0.05;
/// Both together are so much of all that the rest does not tell which of them changed.
const NEARLY_ALL: f64 = 0.95;
/// By so much does a unit of work not cost more by chance, on a machine that is fit for comparing.
const MUCH: f64 = 0.1;
/// How far the mix of requests of a service may be from what is believed of it, in standard deviations.
const OF_SERVICES: f64 = 1.28;

/// Of each finding, what may as well have changed the other way: a function that alone explains all that was found, or
/// everything else, which is one thing.
pub(crate) fn is_either(
    weights: &Weights,
    scan: &Scan,
    findings: &[Finding],
) -> Vec<Option<[u32; 2]>> {
    let pooled = &weights.pooled;
    let of = |one: &Finding| {
        if let Some(rival) = scan.rival {
            return Some([one.function, weights.sets[rival].function]);
        }
        let set = (weights.sets.iter())
            .position(|set| (set.kind, set.nodes()) == (one.kind, &one.nodes))?;
        let (share, left) = (pooled.share[set], 1.0 - pooled.share[set]);
        if share.min(left) < LEAST_SHARE || !weights.composition[set].has_few_beside {
            return None;
        }
        let other = (0..weights.sets.len()).find(|other| {
            pooled.share[*other] > NEARLY_ALL * left
                && weights.composition[*other].has_few_beside
                && weights.sets[set].is_apart_from(&weights.sets[*other])
        })?;
        Some([set, other].map(|set| weights.sets[set].function))
    };
    findings.iter().map(of).collect()
}

/// What is said of two things of which either changed.
pub(crate) fn either(tree: &Tree, [one, other]: [u32; 2]) -> Warning {
    let [one, other] = [one, other].map(|id| tree.functions[id as usize].shown());
    Warning {
        code: "either-changed",
        text: format!(
            "shares do not tell whether `{one}` changed or `{other}` did, the other way: work that is counted would"
        ),
        forbids: true,
    }
}

/// No part of the program has a share that could change, and nothing tells what the whole costs.
pub(crate) fn nothing_weighed(weights: &Weights) -> Option<Warning> {
    (weights.sets.is_empty()).then(|| Warning {
        code: "nothing-weighed",
        text: "all samples are in one place, or in places too small to be weighed, so that shares tell nothing: work \
               that is counted would"
            .into(),
        forbids: true,
    })
}

/// The whole grew by far more than one run a side differs by, and what was found does not explain it. `counted` says
/// whether that is told by counted work, and not by most functions; `unsure` by how much it may be wrong.
pub(crate) fn whole(
    change: f64,
    findings: &[Finding],
    counted: bool,
    unsure: f64,
) -> Option<Warning> {
    let explained: f64 = findings.iter().map(|found| found.points).sum();
    let change_in_words = format!("{:.1} % more", 100.0 * change);
    let text = match counted {
        true => format!(
            "a unit of work costs {change_in_words}, which is more than what was found explains: one run a side does not \
             tell whether that is chance, several would"
        ),
        false => format!(
            "most functions have so much smaller shares that the whole seems to cost {change_in_words}, which is more \
             than what was found explains: work that is counted would tell"
        ),
    };
    (change > MUCH + unsure && change - explained > MUCH + unsure).then_some(Warning {
        code: "whole-untested",
        text,
        forbids: true,
    })
}

/// A kind of request has more of the samples than other services differ by, and that was not told from noise.
pub(crate) fn mix(
    weights: &Weights,
    scan: &Scan,
    runs: [usize; 2],
    options: &Options,
    counted: bool,
) -> Option<Warning> {
    if weights.strata.count < 2 {
        return None;
    }
    let samples = [Side::Before, Side::After].map(|side| weights.side_samples(side));
    let v = 1.0 / samples[0] + 1.0 / samples[1];
    let per: f64 = runs.iter().map(|runs| 1.0 / *runs as f64).sum();
    // Of what is left without the causes.
    let left = (scan.kinds.each_ref()).map(|kinds| kinds.iter().sum::<f64>().max(1.0));
    let share = |side: usize, kind: usize| scan.kinds[side][kind] / left[side];
    let grew = (0..weights.strata.count).max_by(|a, b| {
        let change = |kind: usize| share(1, kind) - share(0, kind);
        change(*a).total_cmp(&change(*b))
    })?;
    let [before, after] = [0, 1].map(|side| share(side, grew));
    let pooled = weights.pooled.kinds[grew];
    let usual = options.prior.mix * (OF_SERVICES * options.prior.mix_sd).exp();
    let variance = (weights.kinds_effect * v + per * usual) * pooled * (1.0 - pooled);
    let points = (after - before) / (1.0 - after).max(1e-3);
    if after - before < scan.limits.own * variance.sqrt() || points < options.min_effect {
        return None;
    }
    let who = match kind_names(weights)[grew] {
        Some(function) => format!("`{}`", weights.tree.functions[function as usize].shown()),
        None => "what is beside it".to_owned(),
    };
    let would = match counted {
        true => "More runs a side or plop calibrate",
        false => "Work that is counted, more runs a side or plop calibrate",
    };
    Some(Warning {
        code: "mix-changed",
        text: format!(
            "of the kinds of requests {who} has {:.1} % of the samples after {:.1} %: so few runs do not tell \
             whether there were more of them or each cost more. {would} would",
            100.0 * after,
            100.0 * before
        ),
        forbids: true,
    })
}

/// The function at the top of each kind of request; none for what is beside all of them.
fn kind_names(weights: &Weights) -> Vec<Option<u32>> {
    let function = |top: &Option<u32>| top.map(|node| weights.tree.node_functions[node as usize]);
    weights.strata.tops.iter().map(function).collect()
}

/// What growth of a whole kind of request is found, the largest first.
pub(crate) fn of_kinds(weights: &Weights, scan: &Scan) -> Vec<NamedPower> {
    let prefix = prefix_sums(&weights.before);
    let mut powers: Vec<NamedPower> = (weights.strata.tops.iter().enumerate())
        .filter_map(|(kind, top)| {
            let node = (*top)?;
            let function = weights.tree.node_functions[node as usize];
            let share = weights.pooled.kinds[kind];
            let set = (0..weights.sets.len()).find(|n| {
                let set = &weights.sets[*n];
                set.nodes().contains(&node) && (weights.pooled.share[*n] - share).abs() < 1e-9
            })?;
            let set_of = &weights.sets[set];
            let error = (scan.spread.mix[set] * share * (1.0 - share)).sqrt();
            let delta = (scan.limits.at(weights.classes[set]) + FOUR_IN_FIVE) * error;
            let before = set_of.sum(&prefix) / prefix.last()?.max(1.0);
            Some(NamedPower {
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
