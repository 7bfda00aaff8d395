//! Whether functions cost more than they may, whatever they cost before: a test of one side, with the noise that
//! the comparison measured.
//!
//! All budgets together are said to be broken in no more than alpha of comparisons in which none is: each has
//! its part of alpha, which is beside the one for what changed.

use crate::comparison::{Comparison, Method, Mode, Warning};
use crate::noise;
use crate::replicates::Replicates;
use crate::rules::{Budget, Most};
use crate::runs::Runs;
use crate::scan::Rules;
use crate::sets::{Kind, Set, prefix_sums};
use crate::stats::{t_upper_quantile, upper_quantile};
use crate::tree::{NO_FUNCTION, Side, Tree};
use crate::weigh::Weights;

/// How many degrees of freedom count for a variance beside those of the runs.
const PRIOR_DF: f64 = 30.0;

/// What became of a budget.
#[derive(Clone, PartialEq, Debug)]
pub struct BudgetTest {
    /// The budget.
    pub budget: Budget,
    /// How many functions it is about.
    pub functions: usize,
    /// The functions' share of the side after.
    pub share: f64,
    /// The share that they have at least, with the confidence of a budget.
    pub least: f64,
    /// The share that they may have; none where nobody counted what the budget is in.
    pub most: Option<f64>,
}

impl BudgetTest {
    /// Whether they cost more, and not by chance.
    pub fn is_broken(&self) -> bool {
        self.most.is_some_and(|most| self.least > most)
    }

    /// The word for it in reports.
    pub fn word(&self) -> &'static str {
        match (self.most, self.is_broken()) {
            (None, _) => "untested",
            (_, true) => "broken",
            (_, false) => "kept",
        }
    }
}

/// Tests all budgets by the noise that the sets of a comparison show. `rules` are its own, with the design effect
/// at which budgets have to be broken where there are no slices.
pub(crate) fn tests(
    comparison: &Comparison,
    weights: &Weights,
    rules: &Rules,
    budgets: &[Budget],
) -> Vec<BudgetTest> {
    if budgets.is_empty() {
        return Vec::new();
    }
    let tree = weights.tree;
    let mut sets = weights.sets.to_vec();
    let places: Vec<(usize, usize)> = (budgets.iter())
        .map(|budget| {
            let (functions, set) = set(budget, tree);
            let is_same = |other: &Set| other.kind == set.kind && other.nodes() == set.nodes();
            let known = weights.sets.iter().position(is_same);
            let place = known.unwrap_or_else(|| {
                sets.push(set);
                sets.len() - 1
            });
            (functions, place)
        })
        .collect();
    let weights = Weights::of(tree, &sets, weights.strata);
    let noise = Noise::of(comparison, &weights, rules);
    let after = prefix_sums(&weights.after);
    let samples = tree.samples(Side::After);
    let limit = rules.alpha / budgets.len() as f64;
    (budgets.iter().zip(places))
        .map(|(budget, (functions, place))| {
            let share = sets[place].sum(&after) / samples;
            let cost = match comparison.mode {
                Mode::Work => comparison.amount(1.0, Side::After),
                _ => None,
            };
            let (most, error, quantile) = match budget.most {
                Most::Share(most) => (
                    Some(most),
                    noise.of_share(place, share).sqrt(),
                    noise.quantile(limit, PRIOR_DF),
                ),
                Most::Ns(ns) => (
                    cost.map(|cost| ns / cost),
                    (noise.of_share(place, share) + share * share * noise.total).sqrt(),
                    noise.quantile(limit, 0.0),
                ),
            };
            BudgetTest {
                budget: budget.clone(),
                functions,
                share,
                least: (share - quantile * error).max(0.0),
                most,
            }
        })
        .collect()
}

/// How many functions a budget is about, and the stacks that they have.
fn set(budget: &Budget, tree: &Tree) -> (usize, Set) {
    let is_one = budget.of.of(tree);
    let has = |node: usize| {
        let function = tree.node_functions[node];
        function != NO_FUNCTION && is_one[function as usize]
    };
    let function = is_one.iter().position(|is_one| *is_one).unwrap_or(0);
    let kind = if budget.own {
        Kind::Own
    } else {
        Kind::Inclusive
    };
    let mut nodes: Vec<u32> = Vec::new();
    let mut covered = 0;
    for node in (0..tree.len()).filter(|node| has(*node)) {
        let counts = match budget.own {
            true => tree.is_stack(node),
            // What stands below another of them is counted there.
            false => node >= covered,
        };
        if counts {
            nodes.push(node as u32);
            covered = tree.ends[node] as usize;
        }
    }
    let set = Set::new(tree, kind, function as u32, None, nodes);
    (is_one.iter().filter(|is_one| **is_one).count(), set)
}

/// How much the shares of the side after vary.
struct Noise<'w> {
    weights: &'w Weights<'w>,
    /// Of each set, the variance of its part within kinds of requests, over its pooled one.
    within: Vec<f64>,
    /// Of each set, that of its part by their mix.
    mix: Vec<f64>,
    /// The variance of the logarithm of the whole, where runs tell it.
    total: f64,
    /// How many degrees of freedom runs give, where there are several.
    df: Option<f64>,
}

impl<'w> Noise<'w> {
    fn of(comparison: &Comparison, weights: &'w Weights<'w>, rules: &Rules) -> Noise<'w> {
        let [before, after] = [Side::Before, Side::After].map(|side| weights.side_samples(side));
        if comparison.method == Method::Runs {
            return Noise::of_runs(comparison, weights, rules);
        }
        let (within, _) = weights.sums(weights.slices_before..weights.slices());
        let effects = match rules.assumed_effect {
            Some(effect) => vec![effect; weights.sets.len()],
            None => weights.design_effects(&within, 1.0 / before + 1.0 / after),
        };
        let between = noise::between(weights, &effects, &within, &rules.prior);
        let kinds_effect = rules.assumed_effect.unwrap_or(weights.kinds_effect);
        Noise {
            weights,
            within: (effects.iter().zip(&between.functions).enumerate())
                .map(|(n, (effect, sigma))| {
                    let of_runs = sigma
                        * sigma
                        * weights.pooled.within[n]
                        * weights.composition[n].herfindahl;
                    effect * weights.long_run / after + of_runs
                })
                .collect(),
            mix: (between.mix.iter())
                .map(|mix| kinds_effect / after + mix)
                .collect(),
            total: 0.0,
            df: None,
        }
    }

    /// Of what differs between the sides, that which is of the runs of the side after.
    fn of_runs(comparison: &Comparison, weights: &'w Weights<'w>, rules: &Rules) -> Noise<'w> {
        let runs = Runs::of(weights);
        let effects = runs.design_effects(weights);
        let learnt = runs.learn(weights, &effects, &rules.prior);
        let replicates = Replicates::of(weights, &runs, &learnt, rules.logs, rules.alpha);
        let spread = match replicates {
            Some(replicates) => replicates.as_recorded().spread,
            None => runs.spread(weights, &learnt, rules.alpha_of_sets()),
        };
        let [before, after] = comparison.sides.each_ref().map(|side| side.runs as f64);
        let (part, df) = (runs.part_after(), before + after - 2.0);
        Noise {
            weights,
            within: (spread.within.iter())
                .map(|variance| variance * part)
                .collect(),
            mix: spread.mix.iter().map(|variance| variance * part).collect(),
            total: rules.logs.map_or(0.0, |logs| squares(logs) / df / after),
            df: Some(df),
        }
    }

    /// The variance of a set's share.
    fn of_share(&self, set: usize, share: f64) -> f64 {
        let pooled = &self.weights.pooled;
        let both = self.within[set] * pooled.within[set] + self.mix[set] * pooled.mix[set];
        // Both sides together may have less of it than the side after.
        both * (share * (1.0 - share) / pooled.variance(set)).max(1.0)
    }

    fn quantile(&self, limit: f64, prior_df: f64) -> f64 {
        match self.df {
            Some(df) => t_upper_quantile(limit, df + prior_df),
            None => upper_quantile(limit),
        }
    }
}

/// The sum of squares about the mean of each side.
fn squares(logs: &[Vec<f64>; 2]) -> f64 {
    let of_side = |values: &Vec<f64>| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        squares.sum::<f64>()
    };
    logs.iter().map(of_side).sum()
}

/// What is said of budgets that nobody can test.
pub(crate) fn untested(tests: &[BudgetTest]) -> impl Iterator<Item = Warning> {
    tests
        .iter()
        .filter(|test| test.most.is_none())
        .map(|test| Warning {
            code: "budget-untested",
            text: format!(
                "the budget of {} ({}) is a time per unit of work, and the sides do not count CPU time and work: \
                 that it was not broken is no verdict (say it as a share, or record with work counted)",
                test.budget.of.told(),
                test.budget.of.place
            ),
            forbids: true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Functions, Pattern};
    use crate::tree::{Cell, Function};

    #[test]
    fn a_function_with_a_budget_is_the_one_that_is_weighed() {
        // main calls f, which calls g, which calls f, and h: the first f has no samples itself.
        let function = |name: &str| Function {
            name: name.into(),
            raw: [name.into(), name.into()],
            ..Function::default()
        };
        let cell = |node: u32| Cell { node, samples: 9.0 };
        let tree = Tree {
            functions: ["main", "f", "g", "h"].map(function).into(),
            parents: vec![0, 0, 1, 2, 3, 2],
            node_functions: vec![NO_FUNCTION, 0, 1, 2, 1, 3],
            ends: vec![6, 6, 6, 5, 5, 6],
            cells: vec![vec![cell(1), cell(3), cell(4), cell(5)]],
            ..Tree::default()
        };
        let tree = tree.with_places();
        for own in [true, false] {
            let budget = Budget {
                of: Functions {
                    name: Some(Pattern::new("f").expect("a pattern")),
                    ..Functions::default()
                },
                own,
                most: Most::Share(0.1),
            };
            let (functions, of_budget) = set(&budget, &tree);
            assert_eq!(functions, 1);
            let weighed = crate::candidates::candidates(&tree, &[9.0; 4], 1.0);
            let is_same =
                |other: &&Set| (other.kind, other.nodes()) == (of_budget.kind, of_budget.nodes());
            assert!(
                weighed.iter().any(|set| is_same(&set)),
                "{own}: {of_budget:?}"
            );
        }
    }
}
