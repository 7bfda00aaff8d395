//! Kinds of requests. What differs from run to run is mostly how many requests of each kind there were; what
//! a function takes inside a kind of request is nearly free of that. So shares are compared inside kinds.

use crate::sets::prefix_sums;
use crate::tree::{NO_FUNCTION, Tree};

/// A child of the root with this share of its cost or more is not a kind of request but what runs them, or the kind that
/// there is most of.
const DOMINANT: f64 = 0.8;
/// Smaller kinds are one together.
const SMALL: f64 = 0.01;
/// A kind has at least so many functions of its own: with fewer, one that changes makes the others change so much
/// the other way that it cannot be told from noise.
pub(crate) const FEWEST_FUNCTIONS: usize = 6;
/// Where so many children are kinds, those beside them are, too, with so many functions: left together, how many
/// requests of each there were would look like a change of what they cost.
const CLEARLY: usize = 2;
const FEWEST_BESIDE: usize = 3;
/// A function is a kind's own with this share of its samples in it, and so many samples.
const OWN_SHARE: f64 = 0.7;
pub(crate) const OWN_SAMPLES: f64 = 10.0;
/// So many kinds are told apart.
const MOST: usize = 64;

/// Which kind each stack belongs to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Strata {
    /// The kind of each stack, by its place.
    pub(crate) of: Vec<u16>,
    /// The node at the top of each kind; none of what is beside all others.
    pub(crate) tops: Vec<Option<u32>>,
    /// How many there are, at least 1.
    pub(crate) count: usize,
}

impl Strata {
    /// All stacks are of one kind.
    pub(crate) fn single(tree: &Tree) -> Strata {
        Strata {
            of: vec![0; tree.stacks.len()],
            tops: vec![None],
            count: 1,
        }
    }

    /// The kinds that the tree itself shows: going down from the root while one child has nearly all of the cost, the
    /// children of where that ends, and what stands beside the way; what is in none of them is one more. `samples` are
    /// those of each stack.
    pub(crate) fn of(tree: &Tree, samples: &[f64]) -> Strata {
        let prefix = prefix_sums(samples);
        let total = |node: usize| tree.below(node, &prefix);
        let own = |kind: &usize| own_functions(tree, samples, *kind);
        let (mut kinds, way) = branches(tree, &total);
        kinds.sort_by(|a, b| total(*b).total_cmp(&total(*a)).then(a.cmp(b)));
        let mut owns: Vec<usize> = kinds.iter().map(own).collect();
        let is_few = |own: usize| own < FEWEST_FUNCTIONS;
        let known: Vec<usize> = (kinds.iter().zip(&owns))
            .filter(|(_, own)| !is_few(**own))
            .map(|(kind, _)| *kind)
            .collect();
        // Where nothing in what is most is several kinds, and something beside it is one, it is one as well.
        if let Some(most) = most_beside(tree, &way, &known) {
            let below = most..tree.ends[most] as usize;
            kinds.retain(|kind| !below.contains(kind));
            kinds.push(most);
            owns = kinds.iter().map(own).collect();
        }
        let clearly = owns.iter().filter(|own| !is_few(**own)).count();
        let fewest = match clearly >= CLEARLY {
            true => FEWEST_BESIDE,
            false => FEWEST_FUNCTIONS,
        };
        let mut owns = owns.into_iter();
        kinds.retain(|_| owns.next().is_some_and(|own| own >= fewest));
        kinds.truncate(MOST);
        kinds.sort_unstable();
        // One kind alone is none: what is beside it, when a function there grows, looks like more requests.
        if kinds.len() < 2 {
            return Strata::single(tree);
        }
        let inside: f64 = kinds.iter().map(|kind| total(*kind)).sum();
        // Only if there is something outside of the kinds it is one.
        let outside = usize::from(total(0) - inside > 1e-9 * total(0));
        let mut of = vec![0u16; tree.stacks.len()];
        let mut tops = vec![None; outside];
        for (n, kind) in kinds.iter().enumerate() {
            let place = |node: usize| tree.places[node] as usize;
            of[place(*kind)..place(tree.ends[*kind] as usize)].fill((n + outside) as u16);
            tops.push(Some(*kind as u32));
        }
        Strata {
            count: tops.len(),
            of,
            tops,
        }
    }
}

/// Going down from the root while one child has nearly all of the cost: what is large beside the way or where it ends,
/// and the way.
fn branches(tree: &Tree, total: &impl Fn(usize) -> f64) -> (Vec<usize>, Vec<usize>) {
    let is_large = |node: &usize| total(*node) >= SMALL * total(0);
    let (mut node, mut way, mut branches) = (0, Vec::new(), Vec::new());
    while let Some(child) = largest_child(tree, total, node)
        && total(child) >= DOMINANT * total(node)
    {
        branches.extend(children(tree, node).filter(|other| *other != child && is_large(other)));
        way.push(child);
        node = child;
    }
    branches.extend(children(tree, node).filter(is_large));
    (branches, way)
}

/// The deepest node of the way that a kind stands beside, if no kind is below it.
fn most_beside(tree: &Tree, way: &[usize], kinds: &[usize]) -> Option<usize> {
    let is_beside = |way: usize, kind: usize| tree.parents[kind] == tree.parents[way];
    let mut deepest_first = way.iter().rev();
    let most = *deepest_first.find(|way| kinds.iter().any(|kind| is_beside(**way, *kind)))?;
    let below = most..tree.ends[most] as usize;
    (!kinds.iter().any(|kind| below.contains(kind))).then_some(most)
}

/// The nodes right below a node.
pub(crate) fn children(tree: &Tree, node: usize) -> impl Iterator<Item = usize> + '_ {
    let end = tree.ends[node] as usize;
    let mut next = node + 1;
    std::iter::from_fn(move || {
        let child = next;
        if child >= end {
            return None;
        }
        next = tree.ends[child] as usize;
        Some(child)
    })
}

/// How many functions have most of their samples below a node. What stands for a label is a kind whatever others have as
/// well: the same functions work for all of them.
fn own_functions(tree: &Tree, samples: &[f64], node: usize) -> usize {
    let is_label = tree.groups.contains(&tree.node_functions[node]);
    let own_share = if is_label { 0.0 } else { OWN_SHARE };
    let mut of_functions = vec![[0.0f64; 2]; tree.functions.len()];
    let below = node as u32..tree.ends[node];
    for (node, count) in tree.stacks.iter().zip(samples) {
        let function = tree.node_functions[*node as usize];
        if function == NO_FUNCTION {
            continue;
        }
        let [inside, all] = &mut of_functions[function as usize];
        *all += count;
        if below.contains(node) {
            *inside += count;
        }
    }
    of_functions
        .iter()
        .filter(|[inside, all]| *inside >= OWN_SAMPLES && *inside > own_share * all)
        .count()
}

fn largest_child(tree: &Tree, total: &impl Fn(usize) -> f64, node: usize) -> Option<usize> {
    children(tree, node).reduce(|best, child| {
        if total(child) > total(best) {
            child
        } else {
            best
        }
    })
}
