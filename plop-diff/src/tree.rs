//! The runs of both sides on one call tree, with a column for every slice of every run.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use plop_core::{FrameId, FrameKind, Profile, Sample, StackId, Stacks, ValueType};
use rayon::prelude::*;

use crate::groups::{By, Groups};
use crate::matching::match_names;
use crate::names::{Canonical, canonical, root_of};
use crate::renames::{Between, Done, Pair, Renamed, Renames, rename};

/// Which side of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// What is compared with.
    Before,
    /// What is judged.
    After,
}

impl Side {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Side::Before => "before",
            Side::After => "after",
        }
    }
}

/// A function, as either side knows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Function {
    /// Its canonical name.
    pub name: String,
    /// Its canonical file.
    pub file: String,
    /// The line of its definition, after if it is known there; 0 when it is not known.
    pub line: i64,
    /// Its names as they came, before and after; empty where it did not come.
    pub raw: [String; 2],
    /// Its files as they came.
    pub raw_file: [String; 2],
}

impl Function {
    /// Its name for people: as it came after, or before where it is gone.
    pub fn shown(&self) -> &str {
        newest(&self.raw)
    }

    /// Its file as it came.
    pub fn shown_file(&self) -> &str {
        newest(&self.raw_file)
    }
}

fn newest([before, after]: &[String; 2]) -> &str {
    if after.is_empty() { before } else { after }
}

/// A stretch of a run: one column of the table whose rows are the nodes.
#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    /// Which side it belongs to.
    pub side: Side,
    /// Which run, or which deploy of several profiles, numbered through both sides.
    pub run: usize,
    /// Which profile, numbered through both sides.
    pub profile: usize,
    /// How many samples are in it.
    pub samples: f64,
    /// CPU time the process used in it, if that was counted.
    pub cpu_ns: Option<i64>,
    /// Elapsed time, if that was counted.
    pub wall_ns: Option<i64>,
    /// Whether it is a slice; otherwise it is a whole run without slices.
    pub is_slice: bool,
}

/// How many samples of one column are at one node.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cell {
    /// The node.
    pub node: u32,
    /// Samples whose leaf it is.
    pub samples: f64,
}

/// Everything that was sampled on both sides. Nodes stand in the order of a walk that goes down first, so
/// that what is below a node stands right behind it.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// All functions.
    pub functions: Vec<Function>,
    /// The caller of each node; the root, which is node 0 and no function, is its own.
    pub parents: Vec<u32>,
    /// The function of each node; [`NO_FUNCTION`] of the root.
    pub node_functions: Vec<u32>,
    /// One behind the last node below each.
    pub ends: Vec<u32>,
    /// The columns, run by run, those of the side before first.
    pub columns: Vec<Column>,
    /// The cells of each column, by node.
    pub cells: Vec<Vec<Cell>>,
    /// Functions that have another name after than before, the dearest first.
    pub renamed: Vec<Renamed>,
    /// Functions of one side only, which callers and callees of the other side do without.
    pub between: Vec<Between>,
    /// Functions that stand for groups of samples.
    pub(crate) groups: HashSet<u32, FixedState>,
    /// What is to be said of names that were said to be the same.
    pub(crate) unknown_names: Vec<String>,
    /// The nodes that have samples themselves, in order: of a large tree these are few. What is weighed is counted by
    /// place in this list.
    pub(crate) stacks: Vec<u32>,
    /// How many of them stand before each node, and how many there are.
    pub(crate) places: Vec<u32>,
}

/// The function of the root.
pub const NO_FUNCTION: u32 = u32::MAX;

/// A run and the value of it that is compared.
pub(crate) struct Run<'p> {
    pub(crate) side: Side,
    /// Those of one deploy have one number; the sides have none in common.
    pub(crate) number: usize,
    pub(crate) profile: &'p Profile,
    pub(crate) value: usize,
}

impl Run<'_> {
    /// How much of the value makes a sample: statistics count samples, whatever they are worth.
    pub(crate) fn worth(&self) -> f64 {
        let profile = self.profile;
        let value = &profile.values[self.value];
        if is_count(value) {
            return 10f64.powi(value.scale.into());
        }
        if let Some(period) = &profile.meta.period
            && period.every > 0
            && period.of.same_quantity(value)
        {
            return period.every as f64;
        }
        // Nothing is known of how it was sampled: records are taken for samples.
        let records = profile.samples.len().max(1);
        (profile.total(self.value) as f64 / records as f64)
            .abs()
            .max(f64::MIN_POSITIVE)
    }
}

/// How many samples a profile has of its default value, as far as it tells.
pub fn samples_of(profile: &Profile) -> f64 {
    let value = profile.default_value;
    let run = Run {
        side: Side::Before,
        number: 0,
        profile,
        value,
    };
    profile.total(value) as f64 / run.worth()
}

/// Whether a value counts samples.
pub(crate) fn is_count(value: &ValueType) -> bool {
    matches!(
        value.unit.as_str(),
        "samples" | "count" | "sample" | "counts" | ""
    )
}

/// Puts runs onto one tree. Runs of the side before come first.
pub(crate) fn align(runs: &[Run], by: &By, renames: &Renames) -> Tree {
    let mut grown = Grown::default();
    let mut columns = Vec::new();
    let mut cells: Vec<Vec<Cell>> = Vec::new();
    let mut names: Vec<Vec<Option<Canonical>>> = runs.par_iter().map(names_of).collect();
    match_names(&mut names);
    let mut of_groups: HashSet<u32, FixedState> = HashSet::default();
    for (number, (run, names)) in runs.iter().zip(names).enumerate() {
        let profile = run.profile;
        let mut grafted = grown.graft(run, names);
        let groups = Groups::of(profile, by, &mut |group| {
            let name = group.name.clone();
            let id = grown.function(group, &name, "", 0, run.side);
            of_groups.insert(id);
            id
        });
        if groups.is_empty() {
            grown.graft_stacks(&mut grafted, run);
        }
        let worth = run.worth();
        let first = columns.len();
        let slices = profile.slices.len();
        let is_sliced = slices > 1 && profile.samples.have_slices();
        for n in 0..if is_sliced { slices } else { 1 } {
            let slice = profile.slices.0.get(n).filter(|_| is_sliced);
            columns.push(Column {
                side: run.side,
                run: run.number,
                profile: number,
                samples: 0.0,
                cpu_ns: slice.map_or(profile.meta.cpu_ns, |slice| slice.cpu_ns),
                wall_ns: slice.map_or(profile.meta.wall_ns, |slice| slice.wall_ns),
                is_slice: is_sliced,
            });
            cells.push(Vec::new());
        }
        for sample in profile.samples.iter() {
            let samples = sample.values[run.value] as f64 / worth;
            let column = first
                + match sample.slice {
                    Some(slice) if is_sliced => slice.index(),
                    _ => 0,
                };
            if samples > 0.0 {
                let node = grown.node(&mut grafted, run, &groups, &sample);
                cells[column].push(Cell { node, samples });
            }
        }
    }
    let (order, tree) = grown.in_order();
    (columns.par_iter_mut().zip(&mut cells)).for_each(|(column, cells)| {
        in_order(cells, |node| order[node as usize]);
        column.samples = cells.iter().map(|cell| cell.samples).sum();
    });
    let tree = Tree {
        columns,
        cells,
        groups: of_groups,
        ..tree
    };
    rename(tree, renames).with_places()
}

/// Brings cells to where their nodes went.
fn in_order(cells: &mut Vec<Cell>, went: impl Fn(u32) -> u32) {
    for cell in cells.iter_mut() {
        cell.node = went(cell.node);
    }
    cells.sort_by_key(|cell| cell.node);
    cells.dedup_by(|next, cell| {
        let same = next.node == cell.node;
        if same {
            cell.samples += next.samples;
        }
        same
    });
}

/// The canonical name of each function of a run.
fn names_of(run: &Run) -> Vec<Option<Canonical>> {
    let profile = run.profile;
    let files: Vec<_> = (profile.functions.iter())
        .map(|(_, function)| profile.strings.text(function.file))
        .collect();
    let root = root_of(files.iter().map(AsRef::as_ref));
    let mut names: Vec<Option<Canonical>> = (profile.functions.iter().zip(&files))
        .map(|((_, function), file)| canonical(&profile.strings.text(function.name), file, &root))
        .collect();
    // Frames that stand for threads and processes have numbers in them, and most formats have none.
    for (_, frame) in profile.frames.iter() {
        if matches!(frame.kind, FrameKind::Thread | FrameKind::Process) {
            names[frame.function.index()] = None;
        }
    }
    names
}

/// A tree that grows run by run.
#[derive(Default)]
struct Grown {
    functions: Vec<Function>,
    by_name: HashMap<Canonical, u32, FixedState>,
    /// The nodes; a frame here is a function's number.
    nodes: Stacks,
    /// The stacks of a sample that are not on the tree yet.
    missing: Vec<StackId>,
}

/// Where a run's functions and stacks are on the tree.
struct Grafted {
    /// The function of each frame; none of one that is part of its caller.
    functions: Vec<Option<u32>>,
    /// For each group that was met, the node of each stack, as far as it is there.
    groups: HashMap<Option<u32>, Vec<u32>, FixedState>,
}

/// The node of a stack that is not on the tree yet.
const NO_NODE: u32 = u32::MAX;

impl Grown {
    /// Knows the functions of a run by their names.
    fn graft(&mut self, run: &Run, names: Vec<Option<Canonical>>) -> Grafted {
        let profile = run.profile;
        let functions: Vec<Option<u32>> = (profile.functions.iter().zip(names))
            .map(|((_, function), canonical)| {
                let name = profile.strings.text(function.name);
                let file = profile.strings.text(function.file);
                Some(self.function(canonical?, &name, &file, function.start_line, run.side))
            })
            .collect();
        let of_frames = profile.frames.iter();
        Grafted {
            functions: of_frames
                .map(|(_, frame)| functions[frame.function.index()])
                .collect(),
            groups: HashMap::default(),
        }
    }

    /// Puts all stacks of a run that have samples on the tree, which is quicker than one after the other as samples come:
    /// those that are near in memory come together.
    fn graft_stacks(&mut self, grafted: &mut Grafted, run: &Run) {
        let profile = run.profile;
        let mut is_used = vec![false; profile.stacks.len()];
        for sample in profile.samples.iter() {
            is_used[sample.stack.index()] |= sample.values[run.value] > 0;
        }
        for (stack, caller, _) in profile.stacks.iter().rev() {
            is_used[caller.index()] |= is_used[stack.index()];
        }
        // The first run brings most of the tree.
        if self.nodes.len() == 1 {
            self.nodes.reserve(profile.stacks.len());
        }
        let mut nodes = vec![NO_NODE; profile.stacks.len()];
        nodes[StackId::ROOT.index()] = 0;
        for (stack, caller, frame) in profile.stacks.iter() {
            if is_used[stack.index()] {
                let caller = nodes[caller.index()];
                nodes[stack.index()] = match grafted.functions[frame.index()] {
                    Some(function) => child(&mut self.nodes, caller, function),
                    None => caller,
                };
            }
        }
        grafted.groups.insert(None, nodes);
    }

    /// The node of a sample's stack, below that of its group.
    fn node(&mut self, grafted: &mut Grafted, run: &Run, groups: &Groups, sample: &Sample) -> u32 {
        let profile = run.profile;
        let group = groups.get(sample);
        let functions = &grafted.functions;
        let nodes = grafted.groups.entry(group).or_insert_with(|| {
            let mut nodes = vec![NO_NODE; profile.stacks.len()];
            nodes[StackId::ROOT.index()] = match group {
                Some(group) => child(&mut self.nodes, 0, group),
                None => 0,
            };
            nodes
        });
        let mut at = sample.stack;
        while nodes[at.index()] == NO_NODE {
            self.missing.push(at);
            at = profile.stacks.parent(at);
        }
        let mut node = nodes[at.index()];
        while let Some(stack) = self.missing.pop() {
            let frame = profile.stacks.frame(stack);
            let function = frame.and_then(|frame| functions[frame.index()]);
            if let Some(function) = function {
                node = child(&mut self.nodes, node, function);
            }
            nodes[stack.index()] = node;
        }
        node
    }

    fn function(&mut self, key: Canonical, name: &str, file: &str, line: i64, side: Side) -> u32 {
        let functions = &mut self.functions;
        let id = *self.by_name.entry(key).or_insert_with_key(|key| {
            functions.push(Function {
                name: key.name.clone(),
                file: key.file.clone(),
                ..Function::default()
            });
            functions.len() as u32 - 1
        });
        let function = &mut functions[id as usize];
        let side = side as usize;
        if function.raw[side].is_empty() {
            function.raw[side] = name.into();
            function.raw_file[side] = file.into();
        }
        if line > 0 {
            function.line = line;
        }
        id
    }

    /// The tree in the order of a walk, children in the order in which they came; where each node went.
    fn in_order(self) -> (Vec<u32>, Tree) {
        let nodes = &self.nodes;
        // Callers come before what they call: how many nodes are below each, itself among them, is known from the back.
        let mut sizes = vec![1u32; nodes.len()];
        for (node, caller, _) in nodes.iter().rev() {
            sizes[caller.index()] += sizes[node.index()];
        }
        let mut order = vec![0u32; nodes.len()];
        let mut tree = Tree {
            functions: self.functions,
            parents: vec![0; nodes.len()],
            node_functions: vec![NO_FUNCTION; nodes.len()],
            ends: vec![nodes.len() as u32; nodes.len()],
            ..Tree::default()
        };
        // Once a node has its place, its size is known from that, and where the next thing goes that it calls is kept
        // instead.
        let mut next = sizes;
        next[0] = 1;
        for (node, caller, function) in nodes.iter() {
            let (node, caller) = (node.index(), caller.index());
            let (place, size) = (next[caller], next[node]);
            next[caller] += size;
            next[node] = place + 1;
            order[node] = place;
            tree.parents[place as usize] = order[caller];
            tree.node_functions[place as usize] = function.index() as u32;
            tree.ends[place as usize] = place + size;
        }
        (order, tree)
    }
}

fn child(nodes: &mut Stacks, parent: u32, function: u32) -> u32 {
    let child = nodes.push(
        StackId::new(parent as usize),
        FrameId::new(function as usize),
    );
    child.index() as u32
}

impl Tree {
    /// The tree on which functions of before have the names of after (each pair with its score), and what is between
    /// others does not stand between them. `selfs` are the own samples of each node, by side.
    pub(crate) fn rewritten(
        self,
        selfs: &[Vec<f64>; 2],
        renamed: &[Pair],
        between: &[Between],
    ) -> Tree {
        let totals = selfs.each_ref().map(|selfs| self.totals(selfs));
        let mut grown = Grown::default();
        let mut functions = self.functions;
        let mut called: Vec<u32> = (0..functions.len() as u32).collect();
        for Pair { before, after, .. } in renamed {
            called[*before as usize] = *after;
            let [name, file] = {
                let old = &mut functions[*before as usize];
                [&mut old.raw, &mut old.raw_file].map(|[before, _]| std::mem::take(before))
            };
            let new = &mut functions[*after as usize];
            [new.raw[0], new.raw_file[0]] = [name, file];
        }
        let mut done: Vec<Option<Done>> = vec![None; functions.len()];
        for between in between {
            done[between.function as usize] = Some(between.done);
        }
        // By side, where a node went as a caller, and where its own samples went.
        let went = [Side::Before, Side::After].map(|side| {
            let (selfs, totals) = (&selfs[side as usize], &totals[side as usize]);
            let mut went = vec![(0u32, 0u32); totals.len()];
            for node in (1..totals.len()).filter(|node| totals[*node] > 0.0) {
                let (caller, _) = went[self.parents[node] as usize];
                let function = self.node_functions[node];
                let name = match side {
                    Side::Before => called[function as usize],
                    Side::After => function,
                };
                let mut itself = || child(&mut grown.nodes, caller, name);
                went[node] = match done[function as usize] {
                    None => {
                        let node = itself();
                        (node, node)
                    }
                    // What it takes itself is still its own.
                    Some(Done::Inserted | Done::Removed) if selfs[node] > 0.0 => (caller, itself()),
                    Some(_) => (caller, caller),
                };
            }
            went
        });
        let (order, mut tree) = grown.in_order();
        tree.cells = self.cells;
        for (column, cells) in self.columns.iter().zip(&mut tree.cells) {
            let went = &went[column.side as usize];
            in_order(cells, |node| order[went[node as usize].1 as usize]);
        }
        tree.columns = self.columns;
        tree.unknown_names = self.unknown_names;
        // Names that no node has any more are gone.
        let mut is_used: Vec<bool> = done.iter().map(Option::is_some).collect();
        for function in &tree.node_functions[1..] {
            is_used[*function as usize] = true;
        }
        let mut number = vec![NO_FUNCTION; functions.len()];
        for (id, function) in functions
            .into_iter()
            .enumerate()
            .filter(|(id, _)| is_used[*id])
        {
            number[id] = tree.functions.len() as u32;
            tree.functions.push(function);
        }
        let number = |id: u32| number[id as usize];
        for function in &mut tree.node_functions[1..] {
            *function = number(*function);
        }
        tree.groups = (self.groups.into_iter().map(number))
            .filter(|id| *id != NO_FUNCTION)
            .collect();
        tree.between = (between.iter())
            .map(|between| Between {
                function: number(between.function),
                ..*between
            })
            .collect();
        tree.renamed = (renamed.iter().copied())
            .map(|pair| Renamed {
                function: number(pair.after),
                score: pair.score,
                name: pair.name,
            })
            .filter(|renamed| renamed.function != NO_FUNCTION)
            .collect();
        tree
    }

    /// The tree with the places of its stacks.
    pub(crate) fn with_places(self) -> Tree {
        let mut has_samples = vec![false; self.len()];
        for cell in self.cells.iter().flatten() {
            has_samples[cell.node as usize] = true;
        }
        let mut stacks = Vec::new();
        let mut places = Vec::with_capacity(self.len() + 1);
        for (node, has_samples) in has_samples.into_iter().enumerate() {
            places.push(stacks.len() as u32);
            if has_samples {
                stacks.push(node as u32);
            }
        }
        places.push(stacks.len() as u32);
        Tree {
            stacks,
            places,
            ..self
        }
    }

    /// How many nodes there are, the root included.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether nothing was sampled.
    pub fn is_empty(&self) -> bool {
        self.parents.len() <= 1
    }

    /// The samples of each node itself, of the columns that are chosen.
    pub fn selfs(&self, choose: impl Fn(&Column) -> bool) -> Vec<f64> {
        let mut selfs = vec![0.0; self.len()];
        for (column, cells) in self.columns.iter().zip(&self.cells) {
            if choose(column) {
                for cell in cells {
                    selfs[cell.node as usize] += cell.samples;
                }
            }
        }
        selfs
    }

    /// The samples of each stack, of the columns that are chosen.
    pub(crate) fn of_stacks(&self, choose: impl Fn(&Column) -> bool) -> Vec<f64> {
        let columns = self.columns.iter().zip(&self.cells);
        let chosen = columns.filter(|(column, _)| choose(column));
        let mut samples = vec![0.0; self.stacks.len()];
        for cell in chosen.flat_map(|(_, cells)| cells) {
            samples[self.places[cell.node as usize] as usize] += cell.samples;
        }
        samples
    }

    /// Whether a node has samples itself.
    pub(crate) fn is_stack(&self, node: usize) -> bool {
        self.places[node] < self.places[node + 1]
    }

    /// The samples of all stacks below a node and its own, by prefix sums over stacks.
    pub(crate) fn below(&self, node: usize, prefix: &[f64]) -> f64 {
        let place = |node: usize| prefix[self.places[node] as usize];
        place(self.ends[node] as usize) - place(node)
    }

    /// Of what there is of each stack, that of all stacks below a node and its own.
    pub(crate) fn of_below<'s>(&self, node: usize, of_stacks: &'s [f64]) -> &'s [f64] {
        let place = |node: usize| self.places[node] as usize;
        &of_stacks[place(node)..place(self.ends[node] as usize)]
    }

    /// The sum over each node and all below it.
    pub fn totals(&self, selfs: &[f64]) -> Vec<f64> {
        let mut totals = selfs.to_vec();
        for node in (1..totals.len()).rev() {
            totals[self.parents[node] as usize] += totals[node];
        }
        totals
    }

    /// How many samples both sides together have at and below a node.
    pub fn samples_below(&self, node: u32) -> f64 {
        let below = |cells: &[Cell]| -> f64 {
            let first = cells.partition_point(|cell| cell.node < node);
            let cells = cells[first..].iter();
            let below = cells.take_while(|cell| cell.node < self.ends[node as usize]);
            below.map(|cell| cell.samples).sum()
        };
        self.cells.iter().map(|cells| below(cells)).sum()
    }

    /// How many profiles a run has.
    pub(crate) fn profiles(&self, run: usize) -> usize {
        let first = self.columns.partition_point(|column| column.run < run);
        let of_run = self.columns[first..]
            .iter()
            .take_while(|column| column.run == run);
        let mut profiles: Vec<usize> = of_run.map(|column| column.profile).collect();
        profiles.dedup();
        profiles.len()
    }

    /// How many samples a side has.
    pub fn samples(&self, side: Side) -> f64 {
        let columns = self.columns.iter().filter(|column| column.side == side);
        columns.map(|column| column.samples).sum()
    }

    /// The functions from the root to a node.
    pub fn path(&self, node: u32) -> Vec<u32> {
        let mut path = Vec::new();
        let mut at = node;
        while at != 0 {
            path.push(self.node_functions[at as usize]);
            at = self.parents[at as usize];
        }
        path.reverse();
        path
    }
}
