//! What a finding says, held against what was done.

use plop_diff::{Comparison, Finding};

use crate::program::{Change, Program, name};

/// What two builds really cost.
pub(crate) struct Truth<'p> {
    program: &'p Program,
    /// The share of each node before and after, on average over runs.
    shares: [Vec<f64>; 2],
    /// Which nodes are the cause.
    is_cause: Vec<bool>,
}

impl Truth<'_> {
    pub(crate) fn of(
        program: &Program,
        changes: [Option<Change>; 2],
        cause: Vec<usize>,
    ) -> Truth<'_> {
        let mut is_cause = vec![false; program.nodes.len()];
        cause.into_iter().for_each(|node| is_cause[node] = true);
        Truth {
            program,
            shares: changes.map(|change| program.usual(change)),
            is_cause,
        }
    }

    /// How alike the stacks of a finding and those of the cause are, by their cost after: Jaccard's index.
    pub(crate) fn alike(&self, comparison: &Comparison, finding: &Finding) -> f64 {
        let is_found = self.found(comparison, finding);
        let (mut both, mut either) = (0.0, 0.0);
        for (node, cost) in self.shares[1].iter().enumerate() {
            let (found, cause) = (is_found[node], self.is_cause[node]);
            if found && cause {
                both += cost;
            }
            if found || cause {
                either += cost;
            }
        }
        both / either
    }

    /// By how many points of the whole cost before the stacks of a finding really grew.
    pub(crate) fn points(&self, comparison: &Comparison, finding: &Finding) -> f64 {
        let is_found = self.found(comparison, finding);
        let [before, after] = self.shares.each_ref().map(|shares| {
            let found = shares.iter().zip(&is_found).filter(|(_, found)| **found);
            found.map(|(share, _)| share).sum::<f64>()
        });
        (after - before) / (1.0 - after)
    }

    /// Which nodes of the program a finding is about.
    fn found(&self, comparison: &Comparison, finding: &Finding) -> Vec<bool> {
        let mut found = vec![false; self.program.nodes.len()];
        let tree = &comparison.tree;
        for node in &finding.nodes {
            let path = tree.path(*node);
            let names = path
                .iter()
                .map(|id| tree.functions[*id as usize].name.as_str());
            let Some(node) = self.program.node_at(names) else {
                continue;
            };
            match finding.kind {
                plop_diff::Kind::Own => found[node] = true,
                _ => (self.program.all_below(node).into_iter()).for_each(|node| found[node] = true),
            }
        }
        found
    }
}

/// Whether a finding names a function.
pub(crate) fn names(comparison: &Comparison, finding: &Finding, function: usize) -> bool {
    let wanted = name(function);
    let mut ids = std::iter::once(finding.function).chain(finding.also.iter().copied());
    ids.any(|id| comparison.tree.functions[id as usize].name == wanted)
}
