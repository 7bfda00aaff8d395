//! Programs whose truth is known: a call tree of which every node has a cost of its own, and runs of it.

use std::collections::{HashMap, HashSet};

use plop_core::{Frame, FrameId, Profile, Sample, Slice, SliceId, StackId, ValueType};

use crate::cell::Noise;
use crate::random::{Choice, Random};

/// In how many slices a run is recorded.
pub(crate) const SLICES: usize = 120;
/// How many kinds of requests there are.
pub(crate) const KINDS: usize = 6;
const NODES: usize = 500;
/// Functions that requests of all kinds call, and those that only one kind does.
const SHARED: usize = 30;
const OWN: usize = 24;
/// Samples in a request, on average.
pub(crate) const REQUEST: f64 = 10.0;
/// The mix of requests in a run is drawn from a Dirichlet distribution of this size.
pub(crate) const MIX: f64 = 2000.0;
/// The standard deviation of the logarithm of a function's cost between runs.
pub(crate) const FUNCTION: f64 = 0.02;

/// What one build does that the other does not.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Change {
    /// A function costs so many times as much itself.
    Slower(usize, f64),
    /// A call, and all below it, happens so many times as often.
    Called(usize, f64),
    /// A call does not happen.
    Without(usize),
    /// A function does so much less of the whole cost, which another does instead; and a third, if there is one,
    /// costs so many times as much.
    Moved {
        from: usize,
        to: usize,
        points: f64,
        slower: Option<(usize, f64)>,
    },
}

pub(crate) struct Program {
    /// The caller of each node and its function; node 0 is the root.
    pub(crate) nodes: Vec<(usize, usize)>,
    /// The kind of request of each node.
    pub(crate) kinds: Vec<usize>,
    /// How many functions there are.
    pub(crate) functions: usize,
    costs: Vec<f64>,
    /// How many requests of each kind there are, as shares of the cost.
    pub(crate) mix: Vec<f64>,
    /// The node of each function below each caller.
    below: HashMap<(usize, usize), usize>,
    usual: Dress,
}

/// What a build calls its functions.
pub(crate) struct Dress {
    /// A profile with all stacks and no samples.
    empty: Profile,
    /// The stack of each node.
    stacks: Vec<StackId>,
}

/// The samples of one run: slice by slice, those of each node.
pub(crate) struct Counts(pub(crate) Vec<u32>);

impl Program {
    pub(crate) fn random(seed: u64) -> Program {
        let mut random = Random::new(seed + 77);
        // Function 0 runs the requests; then come one for each kind, the shared ones, and those of each kind.
        let mut nodes = vec![(0, 0)];
        let mut kinds = vec![0];
        let mut seen = HashSet::new();
        for kind in 0..KINDS {
            nodes.push((0, 1 + kind));
            kinds.push(kind);
        }
        while nodes.len() < NODES {
            let caller = 1 + random.below(nodes.len() - 1);
            let kind = kinds[caller];
            let function = match random.below(3) {
                0 => 1 + KINDS + random.below(SHARED),
                _ => 1 + KINDS + SHARED + kind * OWN + random.below(OWN),
            };
            if depth(&nodes, caller) < 12 && seen.insert((caller, function)) {
                nodes.push((caller, function));
                kinds.push(kind);
            }
        }
        let mut costs: Vec<f64> = nodes
            .iter()
            .map(|_| (1.2 * random.normal()).exp())
            .collect();
        costs[0] *= 0.1;
        let mut mix: Vec<f64> = (0..KINDS).map(|_| (0.6 * random.normal()).exp()).collect();
        normalize(&mut mix);
        let usual = Dress::of(&nodes, |function| vec![(name(function), "app.py".into())]);
        Program {
            functions: 1 + KINDS + SHARED + KINDS * OWN,
            below: (nodes.iter().enumerate().skip(1))
                .map(|(node, place)| (*place, node))
                .collect(),
            nodes,
            kinds,
            costs,
            mix,
            usual,
        }
    }

    /// The share of the whole cost that each node has itself, with this mix of requests, where functions
    /// cost so many times what they usually do.
    pub(crate) fn shares(&self, mix: &[f64], factors: &[f64], change: Option<Change>) -> Vec<f64> {
        let mut of_kind = [0.0; KINDS];
        for (node, cost) in self.costs.iter().enumerate() {
            of_kind[self.kinds[node]] += cost;
        }
        let mut shares: Vec<f64> = (self.costs.iter().enumerate())
            .map(|(node, cost)| {
                let kind = self.kinds[node];
                mix[kind] * cost / of_kind[kind] * factors[self.nodes[node].1]
            })
            .collect();
        let scale = |shares: &mut [f64], function: usize, factor: f64| {
            (shares.iter_mut().zip(&self.nodes))
                .filter(|(_, (_, of))| *of == function)
                .for_each(|(share, _)| *share *= factor);
        };
        match change {
            None => {}
            Some(Change::Slower(function, factor)) => scale(&mut shares, function, factor),
            Some(Change::Moved {
                from,
                to,
                points,
                slower,
            }) => {
                scale(&mut shares, from, 1.0 - points / self.own_share(from));
                scale(&mut shares, to, 1.0 + points / self.own_share(to));
                if let Some((function, factor)) = slower {
                    scale(&mut shares, function, factor);
                }
            }
            Some(Change::Called(top, factor)) => {
                (self.all_below(top).into_iter()).for_each(|node| shares[node] *= factor)
            }
            Some(Change::Without(top)) => {
                (self.all_below(top).into_iter()).for_each(|node| shares[node] = 0.0)
            }
        }
        normalize(&mut shares);
        shares
    }

    /// The same on average over runs.
    pub(crate) fn usual(&self, change: Option<Change>) -> Vec<f64> {
        self.shares(&self.mix, &vec![1.0; self.functions], change)
    }

    /// A node and all below it.
    pub(crate) fn all_below(&self, top: usize) -> Vec<usize> {
        let mut is_below = vec![false; self.nodes.len()];
        is_below[top] = true;
        for (node, (caller, _)) in self.nodes.iter().enumerate().skip(top + 1) {
            is_below[node] = is_below[*caller];
        }
        (0..self.nodes.len())
            .filter(|node| is_below[*node])
            .collect()
    }

    /// The nodes of a function.
    pub(crate) fn nodes_of(&self, function: usize) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|node| self.nodes[*node].1 == function)
            .collect()
    }

    pub(crate) fn own_share(&self, function: usize) -> f64 {
        let shares = self.usual(None);
        self.nodes_of(function)
            .iter()
            .map(|node| shares[*node])
            .sum()
    }

    /// The function whose own share is nearest to a size.
    pub(crate) fn function_of(&self, size: f64) -> usize {
        let distance = |function: &usize| (self.own_share(*function).max(1e-9) / size).ln().abs();
        (1..self.functions)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .expect("there are functions")
    }

    /// The calls whose subtrees have a share between two bounds.
    pub(crate) fn calls_of(&self, least: f64, most: f64) -> Vec<usize> {
        let shares = self.usual(None);
        let share = |top: &usize| -> f64 {
            let below = self.all_below(*top);
            below.iter().map(|node| shares[*node]).sum()
        };
        (1 + KINDS..self.nodes.len())
            .filter(|top| (least..most).contains(&share(top)))
            .collect()
    }

    /// The node that is reached from the root by calling functions of these names.
    pub(crate) fn node_at<'n>(&self, path: impl Iterator<Item = &'n str>) -> Option<usize> {
        let mut at = None;
        for name in path {
            let function = function_of(name)?;
            at = Some(match at {
                None => 0,
                Some(caller) => *self.below.get(&(caller, function))?,
            });
        }
        at
    }

    /// Records a run of so many samples.
    pub(crate) fn record(
        &self,
        noise: Noise,
        samples: usize,
        change: Option<Change>,
        random: &mut Random,
    ) -> Counts {
        let mut mix = self.mix.clone();
        let mut factors = vec![1.0; self.functions];
        if noise == Noise::Run {
            for share in &mut mix {
                *share = random.gamma(MIX * *share);
            }
            normalize(&mut mix);
            for factor in &mut factors {
                *factor = (FUNCTION * random.normal()).exp();
            }
        }
        let shares = self.shares(&mix, &factors, change);
        let all = Choice::of(&shares);
        let mut counted = Counted::new(samples, self.nodes.len());
        if noise == Noise::Iid {
            while counted.left() > 0 {
                counted.add(all.draw(random), 1);
            }
            return Counts(counted.counts);
        }
        let kinds: Vec<Choice> = (0..KINDS)
            .map(|kind| {
                let of_kind = (shares.iter().zip(&self.kinds))
                    .map(|(share, of)| if *of == kind { *share } else { 0.0 });
                Choice::of(&of_kind.collect::<Vec<_>>())
            })
            .collect();
        // Requests, and in each the stretches in which no other stack was drawn: the next sample of a request
        // draws anew with probability ½.
        while counted.left() > 0 {
            let kind = &kinds[self.kinds[all.draw(random)]];
            let mut left = random.geometric(REQUEST);
            while left > 0 {
                let stretch = random.throws().min(left);
                counted.add(kind.draw(random), stretch);
                left -= stretch;
            }
        }
        Counts(counted.counts)
    }

    pub(crate) fn profile(&self, counts: &Counts) -> Profile {
        self.profile_as(&self.usual, counts)
    }

    /// The run of a build that calls its functions so.
    pub(crate) fn profile_as(&self, dress: &Dress, counts: &Counts) -> Profile {
        let mut profile = dress.empty.clone();
        for (slice, counts) in counts.0.chunks(self.nodes.len()).enumerate() {
            profile.slices.0.push(Slice::default());
            for (node, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let values = [i64::from(*count)];
                profile.samples.push(Sample {
                    slice: Some(SliceId::new(slice)),
                    ..Sample::of(dress.stacks[node], &values)
                });
            }
        }
        profile
    }

    /// The run as folded stacks, without slices.
    pub(crate) fn folded(&self, counts: &Counts) -> String {
        let mut lines = String::new();
        for (node, count) in self.totals(counts).into_iter().enumerate() {
            if count > 0.0 {
                let mut path = vec![name(self.nodes[node].1)];
                let mut at = node;
                while at != 0 {
                    at = self.nodes[at].0;
                    path.push(name(self.nodes[at].1));
                }
                path.reverse();
                lines += &format!("{} {count}\n", path.join(";"));
            }
        }
        lines
    }

    /// The samples of each node in the whole run.
    pub(crate) fn totals(&self, counts: &Counts) -> Vec<f64> {
        let mut totals = vec![0.0; self.nodes.len()];
        for counts in counts.0.chunks(self.nodes.len()) {
            for (total, count) in totals.iter_mut().zip(counts) {
                *total += f64::from(*count);
            }
        }
        totals
    }
}

/// What a function is called, and back.
pub(crate) fn name(function: usize) -> String {
    format!("function_{function}")
}

fn function_of(name: &str) -> Option<usize> {
    name.strip_prefix("function_")?.parse().ok()
}

/// Counts samples as they come.
struct Counted {
    counts: Vec<u32>,
    nodes: usize,
    samples: usize,
    next: usize,
    slice: usize,
}

impl Counted {
    fn new(samples: usize, nodes: usize) -> Counted {
        Counted {
            counts: vec![0; SLICES * nodes],
            nodes,
            samples,
            next: 0,
            slice: 0,
        }
    }

    fn left(&self) -> usize {
        self.samples - self.next
    }

    /// Adds samples of one node, as many of them as there is room for.
    fn add(&mut self, node: usize, count: usize) {
        let mut count = count.min(self.left());
        while count > 0 {
            let end = ((self.slice + 1) * self.samples).div_ceil(SLICES);
            let now = count.min(end - self.next);
            self.counts[self.slice * self.nodes + node] += now as u32;
            self.next += now;
            count -= now;
            if self.next == end {
                self.slice += 1;
            }
        }
    }
}

impl Dress {
    /// For each function its frames, name and file, the outermost first.
    pub(crate) fn of(
        nodes: &[(usize, usize)],
        frames_of: impl Fn(usize) -> Vec<(String, String)>,
    ) -> Dress {
        let mut empty = Profile::new(vec![ValueType::samples()]);
        let mut stacks: Vec<StackId> = Vec::new();
        for (node, (caller, function)) in nodes.iter().enumerate() {
            let mut stack = match node {
                0 => StackId::ROOT,
                _ => stacks[*caller],
            };
            for (name, file) in frames_of(*function) {
                let function = empty.function(name.as_bytes(), file.as_bytes());
                let frame: FrameId = empty.frames.intern(Frame::of(function));
                stack = empty.stacks.push(stack, frame);
            }
            stacks.push(stack);
        }
        Dress { empty, stacks }
    }
}

fn normalize(shares: &mut [f64]) {
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
}

fn depth(nodes: &[(usize, usize)], mut node: usize) -> usize {
    let mut depth = 0;
    while node != 0 {
        node = nodes[node].0;
        depth += 1;
    }
    depth
}
