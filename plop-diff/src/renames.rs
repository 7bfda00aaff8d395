//! Functions that the sides call differently: renamed, or moved to another file; and frames that came between others or
//! went away from between them. They are put onto one row of the call tree, and their cost is compared all the same, so
//! that nothing that grew is hidden by it.
//!
//! Only functions that one side alone has enter, so builds with the same names are not looked at any further.

mod between;
mod rounds;
mod words;

use crate::compare::Options;
use crate::comparison::{Finding, Warning};
use crate::stats::signed_root;
use crate::tree::{Function, NO_FUNCTION, Side, Tree};
use crate::weigh::Weights;

/// What is known of names that changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Renames {
    /// Functions that are the same, as they are called before and after. A function goes by its name, by `FILE:NAME`, or
    /// by the name under which Python imports it.
    pub same: Vec<(String, String)>,
    /// Functions that are the same as no other.
    pub apart: Vec<String>,
}

/// A function that has another name after than before, or is in another file.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Renamed {
    /// Its number in the tree; its names are in [`Function::raw`].
    pub function: u32,
    /// How alike the two are in name, callers, callees and cost: at most 1, which is also what was said by
    /// [`Renames::same`].
    pub score: f64,
    /// How alike the names alone are, files and words of them: from 0 to 1, which is also what was said.
    pub name: f64,
}

/// Two names of one function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) before: u32,
    pub(crate) after: u32,
    /// As of [`Renamed`].
    pub(crate) score: f64,
    pub(crate) name: f64,
}

/// A function of one side only, which callers and callees of the other side do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Between {
    /// Its number in the tree.
    pub function: u32,
    /// What was done.
    pub done: Done,
}

/// What was done to a function that one side only has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// It came between a caller and what that calls.
    Inserted,
    /// It went away from between them.
    Removed,
    /// It went into its callers, with its cost.
    Inlined,
    /// It came out of its callers, with a part of their cost.
    Extracted,
}

impl Done {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Done::Inserted => "inserted",
            Done::Removed => "removed",
            Done::Inlined => "inlined",
            Done::Extracted => "extracted",
        }
    }
}

/// Fewer samples tell nothing.
const LEAST: f64 = 5.0;

/// Samples of each function on one side, themselves and with all they call.
struct Costs {
    own: Vec<f64>,
    all: Vec<f64>,
}

/// Functions that one side alone has, and what becomes of them.
struct Names<'t> {
    tree: &'t Tree,
    /// Samples of each node with all below it, by side.
    totals: [Vec<f64>; 2],
    costs: [Costs; 2],
    samples: [f64; 2],
    /// On which side alone a function is; none of the others.
    only: Vec<Option<Side>>,
    /// What a function is called after, or itself.
    partner: Vec<Option<u32>>,
    /// Whether a function is looked through: callers and callees of the other side do without it.
    between: Vec<bool>,
    renamed: Vec<Pair>,
}

impl Names<'_> {
    /// Whether a function has no counterpart so far.
    fn is_open(&self, function: u32) -> bool {
        let function = function as usize;
        self.only[function].is_some() && self.partner[function].is_none() && !self.between[function]
    }

    /// One number for both names of a function.
    fn same(&self, function: u32) -> u32 {
        match self.partner.get(function as usize) {
            Some(Some(partner)) if self.only[function as usize] == Some(Side::Before) => *partner,
            _ => function,
        }
    }

    fn pair(&mut self, pair: Pair) {
        self.partner[pair.before as usize] = Some(pair.after);
        self.partner[pair.after as usize] = Some(pair.before);
        self.renamed.push(pair);
    }
}

/// The tree with functions under one name that the sides call differently. Groups of samples, which stand in the tree
/// as functions, keep their names.
pub(crate) fn rename(tree: Tree, renames: &Renames) -> Tree {
    // Most often both sides have all names.
    let on_both = |function: &Function| function.raw.iter().all(|name| !name.is_empty());
    if renames.same.is_empty() && tree.functions.iter().all(on_both) {
        return tree;
    }
    let sides = [Side::Before, Side::After];
    let selfs = sides.map(|side| tree.selfs(|column| column.side == side));
    let totals = selfs.each_ref().map(|selfs| tree.totals(selfs));
    let costs = [0, 1].map(|side| costs(&tree, &selfs[side], &totals[side]));
    let mut names = Names {
        samples: sides.map(|side| tree.samples(side)),
        only: (0..tree.functions.len())
            .map(|id| {
                let function = &tree.functions[id];
                if tree.groups.contains(&(id as u32)) || is_apart(function, renames) {
                    return None;
                }
                let [before, after] = costs.each_ref().map(|costs| costs.all[id]);
                match () {
                    () if before > 0.0 && after == 0.0 => Some(Side::Before),
                    () if after > 0.0 && before == 0.0 => Some(Side::After),
                    () => None,
                }
            })
            .collect(),
        partner: vec![None; tree.functions.len()],
        between: vec![false; tree.functions.len()],
        renamed: Vec::new(),
        tree: &tree,
        totals,
        costs,
    };
    let mut said = Vec::new();
    let mut asked: Vec<(u32, u32)> = Vec::new();
    for (before, after) in &renames.same {
        match (
            names.called(before, Side::Before),
            names.called(after, Side::After),
        ) {
            (Ok(one), Ok(other))
                if one != other
                    && [one, other]
                        .iter()
                        .all(|id| on_both(&tree.functions[*id as usize])) =>
            {
                said.push(format!("both sides have both `{before}` and `{after}`"));
            }
            (Ok(one), Ok(other)) if (asked.iter()).any(|(a, b)| *a == one || *b == other) => {
                said.push(format!(
                    "`{before}` or `{after}` is said to be two functions"
                ));
            }
            (Ok(one), Ok(other))
                if [one, other]
                    .iter()
                    .any(|id| is_apart(&tree.functions[*id as usize], renames)) =>
            {
                said.push(format!(
                    "`{before}` or `{after}` is said to be apart as well"
                ));
            }
            (Ok(before), Ok(after)) if before != after => {
                asked.push((before, after));
                names.only[before as usize] = None;
                names.only[after as usize] = None;
            }
            (Ok(_), Ok(_)) => {}
            (Err(text), _) | (_, Err(text)) => said.push(text),
        }
    }
    let mut between = Vec::new();
    if names.only.iter().any(Option::is_some) {
        rounds::match_all(&mut names, &mut between);
    }
    let said_so = asked.into_iter().map(|(before, after)| Pair {
        before,
        after,
        score: 1.0,
        name: 1.0,
    });
    names.renamed.extend(said_so);
    let mut renamed = std::mem::take(&mut names.renamed);
    renamed.sort_by(|a, b| {
        let share = |pair: &Pair| {
            names.costs[0].all[pair.before as usize] / names.samples[0]
                + names.costs[1].all[pair.after as usize] / names.samples[1]
        };
        share(b).total_cmp(&share(a)).then(a.after.cmp(&b.after))
    });
    let tree = match renamed.is_empty() && between.is_empty() {
        true => tree,
        false => tree.rewritten(&selfs, &renamed, &between),
    };
    Tree {
        unknown_names: said,
        ..tree
    }
}

/// Samples of each function; of a function that calls itself once.
fn costs(tree: &Tree, selfs: &[f64], totals: &[f64]) -> Costs {
    let count = tree.functions.len();
    let mut costs = Costs {
        own: vec![0.0; count],
        all: vec![0.0; count],
    };
    let mut below = vec![0u32; count];
    for node in 1..tree.len() {
        let function = tree.node_functions[node] as usize;
        costs.own[function] += selfs[node];
        if below[function] <= node as u32 {
            below[function] = tree.ends[node];
            costs.all[function] += totals[node];
        }
    }
    costs
}

fn is_apart(function: &Function, renames: &Renames) -> bool {
    let is_called = |name: &String| {
        [Side::Before, Side::After]
            .into_iter()
            .any(|side| is_called(function, name, side))
    };
    renames.apart.iter().any(is_called)
}

/// Whether a name as it came is what a person means: the name, or `FILE:NAME`.
pub(crate) fn is_named(raw: &str, raw_file: &str, text: &str) -> bool {
    let of_file = || text.rsplit_once(':');
    text == raw || of_file().is_some_and(|(file, name)| name == raw && file == raw_file)
}

/// Whether a function goes by a name, as a person writes it.
fn is_called(function: &Function, text: &str, side: Side) -> bool {
    let (raw, raw_file) = (
        &function.raw[side as usize],
        &function.raw_file[side as usize],
    );
    if raw.is_empty() {
        return false;
    }
    if is_named(raw, raw_file, text) || text == function.name {
        return true;
    }
    if let Some((file, name)) = text.rsplit_once(':')
        && (name == raw || name == function.name)
        && (file == raw_file || file == function.file)
    {
        return true;
    }
    let module = |file: &str| {
        let path = file.strip_suffix(".py")?;
        let path = path.strip_suffix("/__init__").unwrap_or(path);
        Some(path.replace('/', "."))
    };
    module(&function.file).is_some_and(|module| text == format!("{module}.{}", function.name))
}

impl Names<'_> {
    /// The one function that a side calls so.
    fn called(&self, text: &str, side: Side) -> Result<u32, String> {
        let mut ids = (0..self.only.len() as u32).filter(|id| {
            self.costs[side as usize].all[*id as usize] > 0.0
                && is_called(&self.tree.functions[*id as usize], text, side)
        });
        match (ids.next(), ids.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(format!("{} has no function {text:?}", side.word())),
            (Some(_), Some(_)) => Err(format!(
                "{} has several functions {text:?}: say FILE:NAME",
                side.word()
            )),
        }
    }
}

/// What is said of names that were said to be the same and are not there.
pub(crate) fn unknown(tree: &Tree) -> impl Iterator<Item = Warning> + '_ {
    tree.unknown_names.iter().map(|text| Warning {
        code: "rename-unknown",
        text: format!("{text}; what was said of its name does not count"),
        forbids: false,
    })
}

/// Whether a finding is about functions that one side alone has, in the place of others that the other side alone has,
/// and that together cost as before: names too rare to be matched. What counts is what the callers that both sides have
/// spend on all of them.
pub(crate) fn is_exchange(weights: &Weights, finding: &Finding, options: &Options) -> bool {
    let tree = weights.tree;
    let (came, gone) = match finding.grew() {
        true => (Side::After, Side::Before),
        false => (Side::Before, Side::After),
    };
    let is_only = |node: u32, side: Side| {
        let function = match tree.node_functions[node as usize] {
            id if id == NO_FUNCTION || tree.groups.contains(&id) => return false,
            id => &tree.functions[id as usize],
        };
        let other = match side {
            Side::Before => Side::After,
            Side::After => Side::Before,
        };
        function.raw[other as usize].is_empty() && !is_apart(function, &options.renames)
    };
    let mut callers = Vec::new();
    for node in &finding.nodes {
        let (mut at, mut caller) = (*node, None);
        while at != 0 {
            if is_only(at, came) {
                caller = Some(tree.parents[at as usize]);
            }
            at = tree.parents[at as usize];
        }
        match caller {
            Some(caller) => callers.push(caller),
            None => return false,
        }
    }
    callers.sort_unstable();
    callers.dedup();
    let sum = |side: Side| -> f64 {
        let samples = match side {
            Side::Before => &weights.before,
            Side::After => &weights.after,
        };
        let below = callers.iter().map(|caller| {
            let mut sum = 0.0;
            let mut child = caller + 1;
            while child < tree.ends[*caller as usize] {
                if is_only(child, side) {
                    sum += tree.of_below(child as usize, samples).iter().sum::<f64>();
                }
                child = tree.ends[child as usize];
            }
            sum
        });
        below.sum()
    };
    let [before, after] = [Side::Before, Side::After].map(|side| tree.samples(side));
    let counts = match finding.grew() {
        true => [sum(gone), sum(came)],
        false => [sum(came), sum(gone)],
    };
    if sum(gone) < LEAST {
        return false;
    }
    let z = |[y1, y2]: [f64; 2]| signed_root(y1, before, y2, after);
    // What both sides have is measured as strictly as the finding was.
    let left = finding.z.abs() * z(counts) / z(finding.samples);
    let points = (counts[1] / after - counts[0] / before).abs();
    left < finding.limit || points < options.min_effect
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::tree::{Cell, Column};

    /// A tree of 2,000 functions of both sides and 5,000 that the sides call differently: one word of the name is
    /// another, or the file is.
    fn large() -> Tree {
        let mut random = Random::of(5, 0);
        let mut below = |limit: usize| (random.next() % limit as u64) as usize;
        let mut tree = Tree {
            parents: vec![0],
            node_functions: vec![NO_FUNCTION],
            ..Tree::default()
        };
        // Of 2,000 words the first are the commonest.
        let words = |below: &mut dyn FnMut(usize) -> usize| -> Vec<String> {
            (0..3)
                .map(|_| {
                    let most = (0..2).fold(2_000, |most, _| 1 + below(most));
                    format!("w{}", below(most))
                })
                .collect()
        };
        let named = |words: &[String], file: usize, sides: [bool; 2], tree: &mut Tree| {
            let (name, file) = (words.join("_"), format!("app/{file}.py"));
            tree.functions.push(Function {
                raw: sides.map(|is_there| {
                    if is_there {
                        name.clone()
                    } else {
                        String::new()
                    }
                }),
                raw_file: sides.map(|is_there| {
                    if is_there {
                        file.clone()
                    } else {
                        String::new()
                    }
                }),
                name,
                file,
                line: 0,
            });
            tree.functions.len() as u32 - 1
        };
        let mut functions: Vec<[u32; 2]> = Vec::new();
        for n in 0..7_000 {
            let (mut words, file) = (words(&mut below), below(300));
            functions.push(match n % 7 {
                0 | 1 => [named(&words, file, [true, true], &mut tree); 2],
                2 | 3 => [[true, false], [false, true]].map(|sides| {
                    named(
                        &words,
                        if sides[0] { file } else { file + 300 },
                        sides,
                        &mut tree,
                    )
                }),
                _ => [[true, false], [false, true]].map(|sides| {
                    words[2] = format!("x{}", below(2_000));
                    named(&words, file, sides, &mut tree)
                }),
            });
        }
        // Each function is called from three places.
        let mut calls: Vec<(usize, usize)> = Vec::new();
        for n in 0..21_000 {
            calls.push((below(calls.len() / 4 + 1), n % 7_000));
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); calls.len() + 1];
        for (n, (caller, _)) in calls.iter().enumerate() {
            children[*caller].push(n + 1);
        }
        let mut cells = [Vec::new(), Vec::new()];
        let mut open: Vec<(usize, [u32; 2])> = vec![(0, [0, 0])];
        let mut nodes: Vec<(u32, u32, [u32; 2])> = vec![(0, NO_FUNCTION, [0, 0])];
        while let Some((place, [before, after])) = open.pop() {
            for child in &children[place] {
                let [f_before, f_after] = functions[calls[child - 1].1];
                let samples = 5 + below(100) as u32;
                let mut add = |parent: u32, function: u32, samples: [u32; 2]| {
                    nodes.push((parent, function, samples));
                    nodes.len() as u32 - 1
                };
                let at = match before == after && f_before == f_after {
                    true => [add(before, f_before, [samples, samples]); 2],
                    false => [
                        add(before, f_before, [samples, 0]),
                        add(after, f_after, [0, samples]),
                    ],
                };
                open.push((*child, at));
            }
        }
        // In the order of a walk.
        let mut below_of: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
        for (id, (parent, ..)) in nodes.iter().enumerate().skip(1) {
            below_of[*parent as usize].push(id as u32);
        }
        let mut walk: Vec<(u32, u32)> = below_of[0].iter().map(|id| (*id, 0)).collect();
        while let Some((id, parent)) = walk.pop() {
            let (_, function, samples) = nodes[id as usize];
            let at = tree.parents.len() as u32;
            tree.parents.push(parent);
            tree.node_functions.push(function);
            for (cells, samples) in cells.iter_mut().zip(samples) {
                if samples > 0 {
                    let samples = samples.into();
                    cells.push(Cell { node: at, samples });
                }
            }
            walk.extend(below_of[id as usize].iter().map(|id| (*id, at)));
        }
        tree.ends = (1..=tree.parents.len() as u32).collect();
        for node in (1..tree.parents.len()).rev() {
            let parent = tree.parents[node] as usize;
            tree.ends[parent] = tree.ends[parent].max(tree.ends[node]);
        }
        for (side, cells) in [Side::Before, Side::After].into_iter().zip(&cells) {
            tree.columns.push(Column {
                side,
                run: side as usize,
                profile: side as usize,
                samples: cells.iter().map(|cell| cell.samples).sum(),
                cpu_ns: None,
                wall_ns: None,
                is_slice: false,
            });
        }
        tree.cells = cells.into();
        tree
    }

    #[test]
    #[ignore = "prints how long it takes: cargo test --release -p plop-diff --lib five_thousand -- --ignored --nocapture"]
    fn five_thousand_names_are_matched_with_five_thousand() {
        let tree = large();
        let nodes = tree.len();
        let began = std::time::Instant::now();
        let tree = rename(tree, &Renames::default());
        let took = began.elapsed();
        println!(
            "{} of 5,000 matched on {nodes} nodes in {took:.1?}",
            tree.renamed.len()
        );
        assert!(tree.renamed.len() > 4_500);
    }
}
