//! Explanations: sets of stacks that one cause can have made dearer. A function itself, a function with all it calls, a
//! place in the call tree, a call.

use std::ops::Range;
use std::sync::Arc;

use crate::tree::Tree;

/// What kind of explanation a set is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// The stacks whose leaf the function is.
    Own,
    /// All stacks with the function.
    Inclusive,
    /// All stacks below one node of the call tree.
    Subtree,
    /// All stacks in which one function calls the other.
    Edge,
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

/// A set of stacks.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    /// What it is.
    pub(crate) kind: Kind,
    /// The function that it is about: for an edge, the one that is called.
    pub(crate) function: u32,
    /// For an edge, who calls.
    pub(crate) caller: Option<u32>,
    /// Other functions of which the same set of stacks is.
    pub(crate) also: Vec<u32>,
    /// Its nodes, among those of other sets, and which they are.
    listed: Arc<Listed>,
    from: usize,
    to: usize,
}

/// The nodes of sets, set by set, and for each from which to which place the stacks stand that are in the set. All in
/// one piece: of a large tree they are as many as it has nodes.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) nodes: Vec<u32>,
    pub(crate) spans: Vec<(u32, u32)>,
}

/// From which to which place the stacks stand that a set of this kind has at a node.
pub(crate) fn span(tree: &Tree, kind: Kind, node: u32) -> (u32, u32) {
    let end = match kind {
        Kind::Own => node + 1,
        _ => tree.ends[node as usize],
    };
    (tree.places[node as usize], tree.places[end as usize])
}

impl Set {
    /// A set that has its nodes among others.
    pub(crate) fn of(
        kind: Kind,
        function: u32,
        caller: Option<u32>,
        listed: &Arc<Listed>,
        range: Range<usize>,
    ) -> Set {
        Set {
            kind,
            function,
            caller,
            also: Vec::new(),
            listed: Arc::clone(listed),
            from: range.start,
            to: range.end,
        }
    }

    /// A set that has these nodes.
    pub(crate) fn new(
        tree: &Tree,
        kind: Kind,
        function: u32,
        caller: Option<u32>,
        nodes: Vec<u32>,
    ) -> Set {
        let range = 0..nodes.len();
        let spans = nodes.iter().map(|node| span(tree, kind, *node)).collect();
        let listed = Arc::new(Listed { nodes, spans });
        Set::of(kind, function, caller, &listed, range)
    }

    /// The nodes it is made of: themselves only for [`Kind::Own`], otherwise with all below them. None is below
    /// another.
    pub(crate) fn nodes(&self) -> &[u32] {
        &self.listed.nodes[self.from..self.to]
    }

    /// For each node, the stretch of places of the stacks that are in the set.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let spans = self.listed.spans[self.from..self.to].iter();
        spans.map(|(from, to)| (*from as usize, *to as usize))
    }

    /// The functions that it may be called after.
    pub(crate) fn names(&self) -> Vec<u32> {
        self.also.iter().copied().chain([self.function]).collect()
    }

    /// Whether all stacks of `other` are in this set.
    pub(crate) fn contains(&self, other: &Set) -> bool {
        other.spans().all(|(from, to)| {
            self.spans().any(|(start, end)| start <= from && to <= end)
                || (from..to).all(|place| {
                    self.spans()
                        .any(|(start, end)| (start..end).contains(&place))
                })
        })
    }

    /// Whether two sets have no stack in common.
    pub(crate) fn is_apart_from(&self, other: &Set) -> bool {
        self.spans()
            .all(|(from, to)| other.spans().all(|(start, end)| to <= start || end <= from))
    }

    /// The sum of samples over the set, by prefix sums over stacks.
    pub(crate) fn sum(&self, prefix: &[f64]) -> f64 {
        self.spans()
            .map(|(from, to)| prefix[to] - prefix[from])
            .sum()
    }

    /// The same of samples by stack.
    pub(crate) fn sum_of(&self, samples: &[f64]) -> f64 {
        let of = |(from, to): (usize, usize)| samples[from..to].iter().sum::<f64>();
        self.spans().map(of).sum()
    }
}

/// `prefix[n]`: the sum of the first n.
pub(crate) fn prefix_sums(values: &[f64]) -> Vec<f64> {
    let mut prefix = Vec::with_capacity(values.len() + 1);
    let mut sum = 0.0;
    prefix.push(sum);
    for value in values {
        sum += value;
        prefix.push(sum);
    }
    prefix
}
