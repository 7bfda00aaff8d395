//! The explanations that are weighed: sets of stacks that one cause can have made dearer. A function itself, a
//! function with all it calls, a place in the call tree, a call. Sets of the same stacks are one, whose names
//! are kept.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

use crate::tree::{NO_FUNCTION, Tree};

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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Set {
    /// What it is.
    pub kind: Kind,
    /// The function that it is about: for an edge, the one that is called.
    pub function: u32,
    /// For an edge, who calls.
    pub caller: Option<u32>,
    /// The nodes it is made of: themselves only for [`Kind::Own`], otherwise with all below them. None is below
    /// another.
    pub nodes: Vec<u32>,
    /// Other functions of which the same set of stacks is.
    pub also: Vec<u32>,
    /// For each node, from which to which place the stacks stand that are in the set.
    spans: Vec<(u32, u32)>,
}

impl Set {
    /// A set of stacks of a tree.
    pub(crate) fn new(
        tree: &Tree,
        kind: Kind,
        function: u32,
        caller: Option<u32>,
        nodes: Vec<u32>,
    ) -> Set {
        let span = |node: &u32| {
            let end = match kind {
                Kind::Own => node + 1,
                _ => tree.ends[*node as usize],
            };
            (tree.places[*node as usize], tree.places[end as usize])
        };
        Set {
            spans: nodes.iter().map(span).collect(),
            kind,
            function,
            caller,
            nodes,
            also: Vec::new(),
        }
    }

    /// For each node, the stretch of places of the stacks that are in the set.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (self.spans.iter()).map(|(from, to)| (*from as usize, *to as usize))
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

/// All distinct sets of which at least `least` samples are, and outside of which so many are; `samples` are those of
/// each stack. The most telling name comes first: a function itself, a function, a place, a call; of several functions
/// the deepest.
pub(crate) fn sets(tree: &Tree, samples: &[f64], least: f64) -> Vec<Set> {
    let prefix = prefix_sums(samples);
    let total = prefix.last().copied().unwrap_or(0.0);
    let marks = prefix_marks(samples.len());
    let (functions, edges) = rayon::join(|| Functions::of(tree), || edges(tree, &prefix, least));
    let depth = |node: u32| functions.depths[node as usize];
    let own = (functions.own.into_iter().enumerate())
        .map(|(function, nodes)| (Kind::Own, function as u32, None, nodes));
    // The deepest first, so that of a chain of functions the last gives the name.
    let mut inclusive: Vec<(usize, Vec<u32>)> =
        functions.inclusive.into_iter().enumerate().collect();
    inclusive.sort_by_cached_key(|(function, nodes)| {
        let deepest = nodes.iter().map(|node| depth(*node)).max();
        (std::cmp::Reverse(deepest.unwrap_or(0)), *function)
    });
    let inclusive = (inclusive.into_iter())
        .map(|(function, nodes)| (Kind::Inclusive, function as u32, None, nodes));
    // Of a large tree most places have hardly any samples.
    let mut places: Vec<u32> = (1..tree.len() as u32)
        .filter(|node| tree.below(*node as usize, &prefix) >= least)
        .collect();
    places.sort_by_key(|node| (std::cmp::Reverse(depth(*node)), *node));
    let subtrees = (places.into_iter()).map(|node| {
        let function = tree.node_functions[node as usize];
        (Kind::Subtree, function, None, vec![node])
    });
    let edges = (edges.into_iter())
        .map(|((caller, function), nodes)| (Kind::Edge, function, Some(caller), nodes));
    let all: Vec<_> = own.chain(inclusive).chain(subtrees).chain(edges).collect();
    // Each with a mark that is the same for equal sets only.
    let marked: Vec<(u128, Set)> = all
        .into_par_iter()
        .filter_map(|(kind, function, caller, nodes)| {
            let set = Set::new(tree, kind, function, caller, nodes);
            let samples = set.sum(&prefix);
            if samples < least || total - samples < least {
                return None;
            }
            let mark = (set.spans()).fold(0u128, |sum, (from, to)| {
                sum.wrapping_add(marks[to].wrapping_sub(marks[from]))
            });
            Some((mark, set))
        })
        .collect();
    let mut found: Vec<Set> = Vec::new();
    let mut by_mark: HashMap<u128, usize, FixedState> = HashMap::default();
    for (mark, set) in marked {
        match by_mark.entry(mark) {
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(found.len());
                found.push(set);
            }
            hashbrown::hash_map::Entry::Occupied(entry) => {
                let known = &mut found[*entry.get()];
                if known.function != set.function && !known.also.contains(&set.function) {
                    known.also.push(set.function);
                }
            }
        }
    }
    found
}

/// Prefix sums of a random number for every stack: two sets of stacks are equal when these are.
fn prefix_marks(stacks: usize) -> Vec<u128> {
    let mut sum = 0u128;
    let of_stack = |stack: usize| {
        let mut random = crate::random::Random::of(0, stack);
        let (high, low) = (random.next(), random.next());
        sum = sum.wrapping_add(u128::from(high) << 64 | u128::from(low));
        sum
    };
    std::iter::once(0)
        .chain((0..stacks).map(of_stack))
        .collect()
}

/// The nodes of functions.
struct Functions {
    depths: Vec<u32>,
    /// For each function, the nodes that are it and have samples themselves.
    own: Vec<Vec<u32>>,
    /// For each function, its nodes that are below no other of its nodes.
    inclusive: Vec<Vec<u32>>,
}

impl Functions {
    fn of(tree: &Tree) -> Functions {
        let functions = tree.functions.len();
        let mut found = Functions {
            depths: vec![0; tree.len()],
            own: vec![Vec::new(); functions],
            inclusive: vec![Vec::new(); functions],
        };
        // Up to which node the walk is below a node of the function.
        let mut below = vec![0u32; functions];
        for node in 1..tree.len() as u32 {
            let at = node as usize;
            let function = tree.node_functions[at] as usize;
            found.depths[at] = found.depths[tree.parents[at] as usize] + 1;
            if tree.is_stack(at) {
                found.own[function].push(node);
            }
            if below[function] <= node {
                below[function] = tree.ends[at];
                found.inclusive[function].push(node);
            }
        }
        found
    }
}

/// Calls that may have enough samples, caller and callee with the nodes that are below no other of their nodes, in the
/// order in which they are met.
fn edges(tree: &Tree, prefix: &[f64], least: f64) -> Vec<((u32, u32), Vec<u32>)> {
    let calls = Calls::of(tree, prefix);
    let mut edges: Vec<((u32, u32), Vec<u32>)> = Vec::new();
    let mut ids: HashMap<(u32, u32), usize, FixedState> = HashMap::default();
    // Up to which node the walk is below a node of the call.
    let mut below: Vec<u32> = Vec::new();
    for node in 1..tree.len() as u32 {
        let at = node as usize;
        let function = tree.node_functions[at];
        let caller = tree.node_functions[tree.parents[at] as usize];
        if caller == NO_FUNCTION || calls.at_most(caller, function) < least {
            continue;
        }
        let id = *ids.entry((caller, function)).or_insert_with(|| {
            edges.push(((caller, function), Vec::new()));
            below.push(0);
            below.len() - 1
        });
        if below[id] <= node {
            below[id] = tree.ends[at];
            edges[id].1.push(node);
        }
    }
    edges
}

/// How many samples calls have at most. A large tree has about as many calls as nodes, and hardly one of them
/// has enough samples to be weighed; sums of several calls together tell which need not be looked at.
struct Calls {
    sums: Vec<f64>,
}

impl Calls {
    fn of(tree: &Tree, prefix: &[f64]) -> Calls {
        let count = tree.len().next_power_of_two().min(1 << 20);
        let mut calls = Calls {
            sums: vec![0.0; count],
        };
        for node in 1..tree.len() {
            let caller = tree.node_functions[tree.parents[node] as usize];
            let place = calls.place(caller, tree.node_functions[node]);
            calls.sums[place] += tree.below(node, prefix);
        }
        calls
    }

    fn place(&self, caller: u32, function: u32) -> usize {
        let call = u64::from(caller) << 32 | u64::from(function);
        let mixed = call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.sums.len() - 1)
    }

    /// Not less than what one call has: differences of sums may be off by their last places.
    fn at_most(&self, caller: u32, function: u32) -> f64 {
        self.sums[self.place(caller, function)] * (1.0 + 1e-6) + 1e-6
    }
}
