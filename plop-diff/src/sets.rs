//! The explanations that are weighed: sets of stacks that one cause can have made dearer. A function itself, a
//! function with all it calls, a place in the call tree, a call. Sets of the same stacks are one, whose names
//! are kept.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

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
}

impl Set {
    /// The stretches of nodes whose own samples are in the set.
    pub fn ranges<'s>(&'s self, tree: &'s Tree) -> impl Iterator<Item = (usize, usize)> + 's {
        self.nodes.iter().map(move |node| {
            let node = *node as usize;
            match self.kind {
                Kind::Own => (node, node + 1),
                _ => (node, tree.ends[node] as usize),
            }
        })
    }

    /// The functions that it may be called after.
    pub(crate) fn names(&self) -> Vec<u32> {
        self.also.iter().copied().chain([self.function]).collect()
    }

    /// Whether all stacks of `other` are in this set.
    pub fn contains(&self, other: &Set, tree: &Tree) -> bool {
        other.ranges(tree).all(|(from, to)| {
            self.ranges(tree)
                .any(|(start, end)| start <= from && to <= end)
                || (from..to).all(|node| {
                    self.ranges(tree)
                        .any(|(start, end)| (start..end).contains(&node))
                })
        })
    }

    /// The sum of own samples over the set, by prefix sums.
    pub(crate) fn sum(&self, tree: &Tree, prefix: &[f64]) -> f64 {
        self.ranges(tree)
            .map(|(from, to)| prefix[to] - prefix[from])
            .sum()
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

/// All distinct sets of which at least `least` samples are, and outside of which so many are. The most telling
/// name comes first: a function itself, a function, a place, a call; of several functions the deepest.
pub(crate) fn sets(tree: &Tree, selfs: &[f64], least: f64) -> Vec<Set> {
    let prefix = prefix_sums(selfs);
    let total = prefix.last().copied().unwrap_or(0.0);
    let marks = prefix_marks(selfs);
    let mut found: Vec<Set> = Vec::new();
    let mut by_mark: HashMap<u128, usize, FixedState> = HashMap::default();
    let mut add = |set: Set| {
        let samples = set.sum(tree, &prefix);
        if samples < least || total - samples < least {
            return;
        }
        let mark = (set.ranges(tree)).fold(0u128, |sum, (from, to)| {
            sum.wrapping_add(marks[to].wrapping_sub(marks[from]))
        });
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
    };
    let walk = walk(tree, &prefix, least);
    for (function, nodes) in walk.own.into_iter().enumerate() {
        add(Set {
            kind: Kind::Own,
            function: function as u32,
            caller: None,
            nodes,
            also: Vec::new(),
        });
    }
    // The deepest first, so that of a chain of functions the last gives the name.
    let mut inclusive: Vec<(usize, Vec<u32>)> = walk.inclusive.into_iter().enumerate().collect();
    inclusive.sort_by_cached_key(|(function, nodes)| {
        let deepest = nodes.iter().map(|node| walk.depths[*node as usize]).max();
        (std::cmp::Reverse(deepest.unwrap_or(0)), *function)
    });
    for (function, nodes) in inclusive {
        add(Set {
            kind: Kind::Inclusive,
            function: function as u32,
            caller: None,
            nodes,
            also: Vec::new(),
        });
    }
    // Of a large tree most places have hardly any samples.
    let mut places: Vec<u32> = (1..tree.len() as u32)
        .filter(|node| prefix[tree.ends[*node as usize] as usize] - prefix[*node as usize] >= least)
        .collect();
    places.sort_by_key(|node| (std::cmp::Reverse(walk.depths[*node as usize]), *node));
    for node in places {
        add(Set {
            kind: Kind::Subtree,
            function: tree.node_functions[node as usize],
            caller: None,
            nodes: vec![node],
            also: Vec::new(),
        });
    }
    for ((caller, function), nodes) in walk.edges {
        add(Set {
            kind: Kind::Edge,
            function,
            caller: Some(caller),
            nodes,
            also: Vec::new(),
        });
    }
    found
}

/// Prefix sums of a random number for every node that has samples: two sets of stacks are equal when these are.
fn prefix_marks(selfs: &[f64]) -> Vec<u128> {
    let mut marks = Vec::with_capacity(selfs.len() + 1);
    let mut sum = 0u128;
    marks.push(sum);
    for (node, samples) in selfs.iter().enumerate() {
        if *samples > 0.0 {
            let mut random = crate::random::Random::of(0, node);
            let (high, low) = (random.next(), random.next());
            sum = sum.wrapping_add(u128::from(high) << 64 | u128::from(low));
        }
        marks.push(sum);
    }
    marks
}

struct Walk {
    depths: Vec<u32>,
    /// For each function, the nodes that are it.
    own: Vec<Vec<u32>>,
    /// For each function, its nodes that are below no other of its nodes.
    inclusive: Vec<Vec<u32>>,
    /// The same for calls that may have enough samples, in the order in which they were met.
    edges: Vec<((u32, u32), Vec<u32>)>,
}

fn walk(tree: &Tree, prefix: &[f64], least: f64) -> Walk {
    let functions = tree.functions.len();
    let mut walk = Walk {
        depths: vec![0; tree.len()],
        own: vec![Vec::new(); functions],
        inclusive: vec![Vec::new(); functions],
        edges: Vec::new(),
    };
    let calls = Calls::of(tree, prefix);
    let mut edge_ids: HashMap<(u32, u32), usize, FixedState> = HashMap::default();
    // Up to which node the walk is below a node of the function, or of the call.
    let mut below = vec![0u32; functions];
    let mut edge_below: Vec<u32> = Vec::new();
    for node in 1..tree.len() as u32 {
        let at = node as usize;
        let (function, parent) = (tree.node_functions[at], tree.parents[at] as usize);
        walk.depths[at] = walk.depths[parent] + 1;
        walk.own[function as usize].push(node);
        if below[function as usize] <= node {
            below[function as usize] = tree.ends[at];
            walk.inclusive[function as usize].push(node);
        }
        let caller = tree.node_functions[parent];
        if caller == NO_FUNCTION || calls.at_most(caller, function) < least {
            continue;
        }
        let id = *edge_ids.entry((caller, function)).or_insert_with(|| {
            walk.edges.push(((caller, function), Vec::new()));
            edge_below.push(0);
            edge_below.len() - 1
        });
        if edge_below[id] <= node {
            edge_below[id] = tree.ends[at];
            walk.edges[id].1.push(node);
        }
    }
    walk
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
            calls.sums[place] += prefix[tree.ends[node] as usize] - prefix[node];
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
