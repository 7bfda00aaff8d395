//! Which explanations are weighed of a tree: every function itself and with all it calls, every place and every call,
//! if enough samples are inside and outside. Sets of the same stacks are one, whose names are kept.

use std::cmp::Reverse;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rayon::prelude::*;

use crate::sets::{Kind, Listed, Set, prefix_sums, span};
use crate::tree::{NO_FUNCTION, Tree};

/// Calls share so many sums at most. Each then has a fifth of what is weighed where stacks are thirty deep, and all stay
/// in a processor's own cache.
const MOST_SUMS: usize = 1 << 17;

/// All distinct sets of which at least `least` samples are, and outside of which so many are; `samples` are those of
/// each stack. The most telling name comes first: a function itself, a function, a place, a call; of several functions
/// the deepest.
pub(crate) fn candidates(tree: &Tree, samples: &[f64], least: f64) -> Vec<Set> {
    let prefix = prefix_sums(samples);
    let weighed = Weighed {
        tree,
        prefix: &prefix,
        least,
    };
    let (all, (calls, marks)) = rayon::join(
        || functions(&weighed),
        || (calls(&weighed), prefix_marks(samples.len())),
    );
    let all: Vec<Set> = all.into_iter().chain(calls).collect();
    // A mark that is the same for equal sets only.
    let mark = |set: &Set| {
        (set.spans()).fold(0u128, |sum, (from, to)| {
            sum.wrapping_add(marks[to].wrapping_sub(marks[from]))
        })
    };
    let of_sets: Vec<u128> = all.par_iter().map(mark).collect();
    let mut found: Vec<Set> = Vec::new();
    let mut by_mark: HashMap<u128, usize, FixedState> = HashMap::default();
    for (mark, set) in of_sets.into_iter().zip(all) {
        match by_mark.entry(mark) {
            Entry::Vacant(entry) => {
                entry.insert(found.len());
                found.push(set);
            }
            Entry::Occupied(entry) => {
                let known = &mut found[*entry.get()];
                if known.function != set.function && !known.also.contains(&set.function) {
                    known.also.push(set.function);
                }
            }
        }
    }
    found
}

/// A tree, and which sets of its stacks are weighed: those with `least` samples inside and outside, by prefix sums over
/// stacks.
struct Weighed<'t> {
    tree: &'t Tree,
    prefix: &'t [f64],
    least: f64,
}

impl Weighed<'_> {
    fn is_weighed(&self, samples: f64) -> bool {
        let total = self.prefix.last().copied().unwrap_or(0.0);
        samples >= self.least && total - samples >= self.least
    }

    /// The samples at and below a node.
    fn below(&self, node: u32) -> f64 {
        self.tree.below(node as usize, self.prefix)
    }

    /// The own samples of a node that has some.
    fn own(&self, node: u32) -> f64 {
        let place = self.tree.places[node as usize] as usize;
        self.prefix[place + 1] - self.prefix[place]
    }
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

/// The nodes of a set, counted before they are listed: of a large tree functions have as many as there are in all.
#[derive(Clone, Default)]
struct Nodes {
    samples: f64,
    count: usize,
    /// Where the next one is listed, if the set is weighed.
    next: Option<usize>,
}

impl Nodes {
    fn add(&mut self, samples: f64) {
        self.samples += samples;
        self.count += 1;
    }
}

/// The nodes of a function.
#[derive(Clone, Default)]
struct Counted {
    /// Those that have samples themselves.
    own: Nodes,
    /// Those that are below no other of them.
    inclusive: Nodes,
    /// How deep the deepest is.
    deepest: usize,
    /// Up to which node the walk is below a node of the function.
    below: u32,
}

/// The functions themselves that are weighed; then functions with all they call, the deepest first, so that of a chain
/// of functions the last gives the name; then places in the call tree, the deepest first.
fn functions(weighed: &Weighed) -> Vec<Set> {
    let tree = weighed.tree;
    let mut counted = vec![Counted::default(); tree.functions.len()];
    let mut subtrees: Vec<(usize, u32)> = Vec::new();
    // The ends of what the walk is in.
    let mut open: Vec<u32> = Vec::new();
    for (node, function) in (1..).zip(&tree.node_functions[1..]) {
        let end = tree.ends[node as usize];
        while open.last().is_some_and(|end| *end <= node) {
            open.pop();
        }
        open.push(end);
        let (depth, samples) = (open.len(), weighed.below(node));
        let function = &mut counted[*function as usize];
        if tree.is_stack(node as usize) {
            function.own.add(weighed.own(node));
        }
        if function.below <= node {
            function.below = end;
            function.inclusive.add(samples);
            function.deepest = function.deepest.max(depth);
        }
        if weighed.is_weighed(samples) {
            subtrees.push((depth, node));
        }
    }
    let mut len = 0;
    for one in &mut counted {
        one.below = 0;
        for nodes in [&mut one.own, &mut one.inclusive] {
            nodes.next = weighed.is_weighed(nodes.samples).then_some(len);
            len += nodes.next.map_or(0, |_| nodes.count);
        }
    }
    subtrees.sort_by_key(|(depth, _)| Reverse(*depth));
    let (nodes, spans) = rayon::join(
        || listed(tree, counted.clone(), &subtrees, len, |_, node| node),
        || {
            let span = |kind, node| span(tree, kind, node);
            listed(tree, counted.clone(), &subtrees, len, span)
        },
    );
    let listed = Listed { nodes, spans };
    let listed = &Arc::new(listed);
    let set = |kind, function: usize, nodes: &Nodes| {
        let start = nodes.next?;
        let range = start..start + nodes.count;
        Some(Set::of(kind, function as u32, None, listed, range))
    };
    let counted = || counted.iter().enumerate();
    let own = counted().filter_map(|(function, one)| set(Kind::Own, function, &one.own));
    let mut deepest_first: Vec<(usize, &Counted)> = counted().collect();
    deepest_first.sort_by_key(|(_, one)| Reverse(one.deepest));
    let inclusive = (deepest_first.into_iter())
        .filter_map(|(function, one)| set(Kind::Inclusive, function, &one.inclusive));
    let subtrees = (len..).zip(&subtrees).map(|(at, (_, node))| {
        let function = tree.node_functions[*node as usize];
        Set::of(Kind::Subtree, function, None, listed, at..at + 1)
    });
    own.chain(inclusive).chain(subtrees).collect()
}

/// Something of each node of the functions that are weighed, set by set, and behind it of each place.
fn listed<T: Copy + Default>(
    tree: &Tree,
    mut counted: Vec<Counted>,
    subtrees: &[(usize, u32)],
    len: usize,
    of_node: impl Fn(Kind, u32) -> T,
) -> Vec<T> {
    let mut listed = vec![T::default(); len + subtrees.len()];
    let mut put = |nodes: &mut Nodes, kind: Kind, node: u32| {
        if let Some(next) = &mut nodes.next {
            listed[*next] = of_node(kind, node);
            *next += 1;
        }
    };
    for (node, function) in (1..).zip(&tree.node_functions[1..]) {
        let function = &mut counted[*function as usize];
        if tree.is_stack(node as usize) {
            put(&mut function.own, Kind::Own, node);
        }
        if function.below <= node {
            function.below = tree.ends[node as usize];
            put(&mut function.inclusive, Kind::Inclusive, node);
        }
    }
    for (listed, (_, node)) in listed[len..].iter_mut().zip(subtrees) {
        *listed = of_node(Kind::Subtree, *node);
    }
    listed
}

/// The calls that are weighed, in the order in which they are met, each with its nodes that are below no other of its
/// nodes.
fn calls(weighed: &Weighed) -> Vec<Set> {
    let tree = weighed.tree;
    let at_most = AtMost::of(weighed);
    let mut calls: Vec<(u32, u32, Nodes)> = Vec::new();
    let mut ids: HashMap<(u32, u32), usize, FixedState> = HashMap::default();
    // Up to which node the walk is below a node of each call.
    let mut below: Vec<u32> = Vec::new();
    // The nodes of all of them, each with its call.
    let mut met: Vec<(usize, u32)> = Vec::new();
    for node in 1..tree.len() as u32 {
        let function = tree.node_functions[node as usize];
        let caller = tree.node_functions[tree.parents[node as usize] as usize];
        if caller == NO_FUNCTION || !at_most.may_be_weighed(caller, function) {
            continue;
        }
        let id = *ids.entry((caller, function)).or_insert_with(|| {
            calls.push((caller, function, Nodes::default()));
            below.push(0);
            below.len() - 1
        });
        if below[id] <= node {
            below[id] = tree.ends[node as usize];
            calls[id].2.add(weighed.below(node));
            met.push((id, node));
        }
    }
    let mut len = 0;
    for (_, _, nodes) in &mut calls {
        nodes.next = weighed.is_weighed(nodes.samples).then_some(len);
        len += nodes.next.map_or(0, |_| nodes.count);
    }
    let mut listed = Listed {
        nodes: vec![0; len],
        spans: vec![(0, 0); len],
    };
    for (id, node) in met {
        if let Some(next) = &mut calls[id].2.next {
            listed.nodes[*next] = node;
            listed.spans[*next] = span(tree, Kind::Edge, node);
            *next += 1;
        }
    }
    let listed = &Arc::new(listed);
    let sets = calls.into_iter().filter_map(|(caller, function, nodes)| {
        let end = nodes.next?;
        let range = end - nodes.count..end;
        Some(Set::of(Kind::Edge, function, Some(caller), listed, range))
    });
    sets.collect()
}

/// Which calls may have samples enough. A large tree has about as many calls as nodes, and hardly one of them is weighed;
/// what several calls have together tells which need not be looked at.
struct AtMost {
    /// A bit for each sum of several calls: whether it is enough.
    enough: Vec<u64>,
    mask: usize,
}

impl AtMost {
    fn of(weighed: &Weighed) -> AtMost {
        let tree = weighed.tree;
        let count = tree.len().next_power_of_two().clamp(64, MOST_SUMS);
        let mask = count - 1;
        let mut sums = vec![0.0; count];
        for node in 1..tree.len() {
            let caller = tree.node_functions[tree.parents[node] as usize];
            let place = place(caller, tree.node_functions[node], mask);
            sums[place] += weighed.below(node as u32);
        }
        // Differences of sums may be off by their last places.
        let is_enough = |sum: &f64| sum * (1.0 + 1e-6) + 1e-6 >= weighed.least;
        let bits = |sums: &[f64]| {
            let bits = sums.iter().enumerate();
            bits.fold(0u64, |bits, (n, sum)| bits | u64::from(is_enough(sum)) << n)
        };
        AtMost {
            enough: sums.chunks(64).map(bits).collect(),
            mask,
        }
    }

    fn may_be_weighed(&self, caller: u32, function: u32) -> bool {
        let place = place(caller, function, self.mask);
        self.enough[place / 64] >> (place % 64) & 1 == 1
    }
}

/// At which sum of several calls one is.
fn place(caller: u32, function: u32, mask: usize) -> usize {
    let call = u64::from(caller) << 32 | u64::from(function);
    let mixed = call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize & mask
}
