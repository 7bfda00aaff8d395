//! The trie of stacks: every stack is a node, its caller the node's parent.
//!
//! Node 0 is the empty stack and carries no frame. Parents come before their children, so a
//! forward pass meets every caller before what it calls, and a backward pass every callee before
//! its caller. No function here recurses: a stack may be a million frames deep.
//!
//! Looking a child up walks the parent's list of children, the last one found standing first. That
//! is faster than a hash table while lists are short; a node with more than 8 children
//! has them in a hash table instead.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::table::MAX_ROWS;
use crate::{FrameId, StackId};

/// The longest list of children that is searched link by link.
const NARROW: u32 = 8;

/// "No node", in a link.
const NONE: u32 = u32::MAX;

/// "The children are in the hash table", in the link to the first child.
const WIDE: u32 = u32::MAX - 1;

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    frame: u32,
    first_child: u32,
    next_sibling: u32,
}

/// All stacks of a profile.
///
/// ```
/// use plop_core::{FrameId, StackId, Stacks};
///
/// let (main, work) = (FrameId::new(0), FrameId::new(1));
/// let mut stacks = Stacks::new();
/// let caller = stacks.push(StackId::ROOT, main);
/// let leaf = stacks.push(caller, work);
/// assert_eq!(stacks.push(caller, work), leaf);
/// assert_eq!(stacks.frames(leaf).collect::<Vec<_>>(), [work, main]);
/// ```
#[derive(Clone)]
pub struct Stacks {
    nodes: Vec<Node>,
    wide: HashTable<u32>,
    hasher: RandomState,
    full: bool,
}

impl Stacks {
    /// A trie that holds only the empty stack.
    pub fn new() -> Self {
        Stacks {
            nodes: vec![Node {
                parent: 0,
                frame: NONE,
                first_child: NONE,
                next_sibling: NONE,
            }],
            wide: HashTable::new(),
            hasher: RandomState::default(),
            full: false,
        }
    }

    /// Makes room for so many more stacks.
    pub fn reserve(&mut self, more: usize) {
        self.nodes.reserve(more);
    }

    /// The stack that has `frame` called from `caller`; added when it is new.
    #[inline]
    pub fn push(&mut self, caller: StackId, frame: FrameId) -> StackId {
        let (parent, frame) = (caller.index() as u32, frame.index() as u32);
        let first = self.nodes[parent as usize].first_child;
        if first < WIDE {
            let head = self.nodes[first as usize];
            if head.frame == frame {
                return StackId::new(first as usize);
            }
            return self.push_behind(parent, first, head.next_sibling, frame);
        }
        if first == WIDE {
            return self.push_wide(parent, frame);
        }
        self.add(parent, frame, NONE)
    }

    /// Searches the children after the first; one that is found moves to the front.
    fn push_behind(&mut self, parent: u32, first: u32, second: u32, frame: u32) -> StackId {
        let (mut previous, mut current, mut steps) = (first, second, 1);
        while current != NONE {
            let node = self.nodes[current as usize];
            if node.frame == frame {
                if steps >= NARROW {
                    self.widen(parent);
                    return StackId::new(current as usize);
                }
                self.nodes[previous as usize].next_sibling = node.next_sibling;
                self.nodes[current as usize].next_sibling = first;
                self.nodes[parent as usize].first_child = current;
                return StackId::new(current as usize);
            }
            previous = current;
            current = node.next_sibling;
            steps += 1;
        }
        if steps >= NARROW {
            self.widen(parent);
            return self.push_wide(parent, frame);
        }
        self.add(parent, frame, first)
    }

    /// Moves the children of `parent` into the hash table.
    fn widen(&mut self, parent: u32) {
        let mut child = self.nodes[parent as usize].first_child;
        self.nodes[parent as usize].first_child = WIDE;
        while child != NONE {
            let next = self.nodes[child as usize].next_sibling;
            self.nodes[child as usize].next_sibling = NONE;
            self.insert_wide(child);
            child = next;
        }
    }

    fn insert_wide(&mut self, child: u32) {
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        let hash_of = |&n: &u32| {
            let node = &nodes[n as usize];
            hasher.hash_one((node.parent, node.frame))
        };
        self.wide.insert_unique(hash_of(&child), child, hash_of);
    }

    fn push_wide(&mut self, parent: u32, frame: u32) -> StackId {
        let hash = self.hasher.hash_one((parent, frame));
        let nodes = &self.nodes;
        let found = self.wide.find(hash, |&n| {
            let node = &nodes[n as usize];
            node.parent == parent && node.frame == frame
        });
        if let Some(&node) = found {
            return StackId::new(node as usize);
        }
        let before = self.nodes.len();
        let id = self.add_node(parent, frame, NONE);
        if self.nodes.len() > before {
            self.insert_wide(id.index() as u32);
        }
        id
    }

    fn add(&mut self, parent: u32, frame: u32, next_sibling: u32) -> StackId {
        let before = self.nodes.len();
        let id = self.add_node(parent, frame, next_sibling);
        if self.nodes.len() > before {
            self.nodes[parent as usize].first_child = id.index() as u32;
        }
        id
    }

    fn add_node(&mut self, parent: u32, frame: u32, next_sibling: u32) -> StackId {
        let id = self.nodes.len();
        if id >= MAX_ROWS {
            self.full = true;
            return StackId::ROOT;
        }
        self.nodes.push(Node {
            parent,
            frame,
            first_child: NONE,
            next_sibling,
        });
        StackId::new(id)
    }

    /// Takes in every stack of `other`, its frames renamed by `frames`, which must be a different
    /// frame for each. Returns where its nodes went.
    ///
    /// What follows a node that was new cannot have been here before either, and is appended without
    /// looking.
    pub(crate) fn absorb(&mut self, other: &Stacks, frames: &[FrameId]) -> Vec<StackId> {
        let old = self.nodes.len();
        let mut went = Vec::with_capacity(other.nodes.len());
        went.push(StackId::ROOT);
        self.nodes.reserve(other.nodes.len());
        for (_, parent, frame) in other.iter() {
            let (caller, frame) = (went[parent.index()], frames[frame.index()]);
            let first = self.nodes[caller.index()].first_child;
            let place = match caller.index() >= old && first != WIDE {
                true => self.add(caller.index() as u32, frame.index() as u32, first),
                false => self.push(caller, frame),
            };
            went.push(place);
        }
        self.full |= other.full;
        went
    }

    /// The stack without its leaf; the empty stack is its own parent.
    #[inline]
    pub fn parent(&self, stack: StackId) -> StackId {
        StackId::new(self.nodes[stack.index()].parent as usize)
    }

    /// The leaf of a stack; `None` for the empty stack.
    #[inline]
    pub fn frame(&self, stack: StackId) -> Option<FrameId> {
        match self.nodes[stack.index()].frame {
            NONE => None,
            frame => Some(FrameId::new(frame as usize)),
        }
    }

    /// The frames of a stack, leaf first.
    pub fn frames(&self, stack: StackId) -> impl Iterator<Item = FrameId> + '_ {
        let mut at = stack;
        std::iter::from_fn(move || {
            let frame = self.frame(at)?;
            at = self.parent(at);
            Some(frame)
        })
    }

    /// How many nodes there are, the empty stack among them.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Every stack but the empty one as (stack, parent, leaf), callers before what they call.
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = (StackId, StackId, FrameId)> + DoubleEndedIterator + '_ {
        self.nodes[1..].iter().enumerate().map(|(n, node)| {
            (
                StackId::new(n + 1),
                StackId::new(node.parent as usize),
                FrameId::new(node.frame as usize),
            )
        })
    }

    /// The children of every node, in the order of their ids.
    pub fn children(&self) -> Children {
        let len = self.nodes.len();
        let mut starts = vec![0u32; len + 1];
        for (_, parent, _) in self.iter() {
            starts[parent.index() + 1] += 1;
        }
        for n in 0..len {
            starts[n + 1] += starts[n];
        }
        // Filling moves each start to where the next node's is; shifting by one puts them back.
        let mut nodes = vec![StackId::ROOT; len - 1];
        for (stack, parent, _) in self.iter() {
            let slot = &mut starts[parent.index()];
            nodes[*slot as usize] = stack;
            *slot += 1;
        }
        starts.rotate_right(1);
        starts[0] = 0;
        Children { starts, nodes }
    }

    /// How many frames each node's stack has.
    pub fn depths(&self) -> Vec<u32> {
        let mut depths = vec![0u32; self.nodes.len()];
        for (stack, parent, _) in self.iter() {
            depths[stack.index()] = depths[parent.index()] + 1;
        }
        depths
    }

    /// Builds the trie anew, `keep` deciding about each node with its caller's new frame and its
    /// own: `Some(frame)` puts that frame there, `None` leaves the node out and gives its place to
    /// its caller. Returns the new trie and, for each old node, where its stacks went.
    ///
    /// ```
    /// # use plop_core::{FrameId, StackId, Stacks};
    /// # let mut stacks = Stacks::new();
    /// # let f = FrameId::new(0);
    /// # let one = stacks.push(StackId::ROOT, f);
    /// # let two = stacks.push(one, f);
    /// // Direct recursion folded into one frame.
    /// let (folded, went) = stacks.rewrite(|caller, frame| (caller != Some(frame)).then_some(frame));
    /// assert_eq!(went[two.index()], went[one.index()]);
    /// # assert_eq!(folded.len(), 2);
    /// ```
    pub fn rewrite(
        &self,
        mut keep: impl FnMut(Option<FrameId>, FrameId) -> Option<FrameId>,
    ) -> (Stacks, Vec<StackId>) {
        self.rewrite_nodes(|stacks, _, caller, frame| keep(stacks.frame(caller), frame))
    }

    /// As [`Stacks::rewrite`], for decisions that depend on more than the caller's frame: `keep`
    /// gets the trie so far, the old node, its caller in the new trie, and the old frame.
    pub fn rewrite_nodes(
        &self,
        mut keep: impl FnMut(&Stacks, StackId, StackId, FrameId) -> Option<FrameId>,
    ) -> (Stacks, Vec<StackId>) {
        let mut stacks = Stacks::new();
        let mut went = Vec::with_capacity(self.nodes.len());
        went.push(StackId::ROOT);
        for (stack, parent, frame) in self.iter() {
            let caller = went[parent.index()];
            let place = match keep(&stacks, stack, caller, frame) {
                Some(frame) => stacks.push(caller, frame),
                None => caller,
            };
            went.push(place);
        }
        stacks.full |= self.full;
        (stacks, went)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }
}

/// The children of every node of a trie, for walks from the root. Walk with a list of open nodes, not
/// by recursion.
pub struct Children {
    starts: Vec<u32>,
    nodes: Vec<StackId>,
}

impl Children {
    /// Child `n` of a node, from 0.
    #[inline]
    pub fn get(&self, node: StackId, n: usize) -> Option<StackId> {
        let at = self.starts[node.index()] as usize + n;
        (at < self.starts[node.index() + 1] as usize).then(|| self.nodes[at])
    }

    /// Sorts the children of every node by a key.
    pub fn sort_by_key<Key: Ord>(&mut self, key: impl Fn(StackId) -> Key) {
        for bounds in self.starts.windows(2) {
            let siblings = &mut self.nodes[bounds[0] as usize..bounds[1] as usize];
            if siblings.len() > 1 {
                siblings.sort_unstable_by_key(|stack| key(*stack));
            }
        }
    }
}

impl Default for Stacks {
    fn default() -> Self {
        Stacks::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: usize) -> FrameId {
        FrameId::new(n)
    }

    #[test]
    fn a_wide_node_finds_its_children_as_a_narrow_one_does() {
        let mut stacks = Stacks::new();
        let wide: Vec<_> = (0..1000)
            .map(|n| stacks.push(StackId::ROOT, frame(n)))
            .collect();
        let nested: Vec<_> = (0..1000).map(|n| stacks.push(wide[5], frame(n))).collect();
        assert_eq!(stacks.len(), 2001);
        for n in (0..1000).rev() {
            assert_eq!(stacks.push(StackId::ROOT, frame(n)), wide[n]);
            assert_eq!(stacks.push(wide[5], frame(n)), nested[n]);
        }
        assert_eq!(stacks.len(), 2001);
        assert_eq!(stacks.parent(nested[3]), wide[5]);
    }

    #[test]
    fn absorbing_finds_what_is_there_and_adds_what_is_not() {
        let mut ours = Stacks::new();
        let a = ours.push(StackId::ROOT, frame(0));
        let mut theirs = Stacks::new();
        let their_a = theirs.push(StackId::ROOT, frame(1));
        let wide: Vec<_> = (0..200).map(|n| theirs.push(their_a, frame(n))).collect();
        let nested = theirs.push(wide[7], frame(3));
        let renamed: Vec<_> = (0..200).map(|n| frame([1, 0][n % 2] + n / 2 * 2)).collect();
        let went = ours.absorb(&theirs, &renamed);
        assert_eq!(went[their_a.index()], a);
        assert_eq!(ours.len(), 203);
        for (n, child) in wide.iter().enumerate() {
            assert_eq!(ours.push(a, renamed[n]), went[child.index()]);
        }
        assert_eq!(
            ours.push(went[wide[7].index()], renamed[3]),
            went[nested.index()]
        );
        assert_eq!(ours.len(), 203);
    }

    #[test]
    fn rewriting_with_the_identity_changes_nothing() {
        let mut stacks = Stacks::new();
        let mut at = StackId::ROOT;
        for n in [1, 2, 1, 3] {
            at = stacks.push(at, frame(n));
            stacks.push(StackId::ROOT, frame(n));
        }
        let (same, went) = stacks.rewrite(|_, frame| Some(frame));
        assert_eq!(
            same.iter().collect::<Vec<_>>(),
            stacks.iter().collect::<Vec<_>>()
        );
        assert!(went.iter().enumerate().all(|(n, id)| id.index() == n));
    }

    #[test]
    fn children_are_listed_and_sorted() {
        let mut stacks = Stacks::new();
        let a = stacks.push(StackId::ROOT, frame(5));
        let b = stacks.push(StackId::ROOT, frame(3));
        let c = stacks.push(a, frame(3));
        let mut children = stacks.children();
        let list = |children: &Children, node| -> Vec<_> {
            (0..).map_while(|n| children.get(node, n)).collect()
        };
        assert_eq!(list(&children, StackId::ROOT), [a, b]);
        assert_eq!((list(&children, a), list(&children, c)), (vec![c], vec![]));
        children.sort_by_key(|stack| stacks.frame(stack));
        assert_eq!(list(&children, StackId::ROOT), [b, a]);
    }

    #[test]
    fn a_million_frames_are_no_deeper_than_one() {
        let mut stacks = Stacks::new();
        let leaf = (0..1_000_000).fold(StackId::ROOT, |at, n| stacks.push(at, frame(n % 3)));
        assert_eq!(stacks.frames(leaf).count(), 1_000_000);
        assert_eq!(stacks.depths()[leaf.index()], 1_000_000);
        let (hidden, went) = stacks.rewrite(|_, f| (f != frame(1)).then_some(f));
        assert_eq!(hidden.depths()[went[leaf.index()].index()], 666_667);
    }
}
