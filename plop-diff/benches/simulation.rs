//! How often `plop diff` is wrong, and what it finds, on programs whose truth is known.
//!
//! Three random programs of 500 stacks, about 180 functions and 6 kinds of requests are sampled under three kinds
//! of noise: `iid` samples independent of each other; `sticky` requests of ten samples on average, in which the
//! same stack comes again every other time; `run` the same, and from run to run the mix of requests (Dirichlet,
//! 2,000) and the cost of each function (log-normal, 2 %) differ. Prints Markdown for bench/RESULTS.md.
//!
//! ```sh
//! cargo bench -p plop-diff --bench simulation -- alarms 400 iid-3k sticky-3k run-3k iid-300k sticky-300k run-300k
//! cargo bench -p plop-diff --bench simulation -- power 48 iid-300k
//! cargo bench -p plop-diff --bench simulation -- alarms 400 run-3k:8:1 run-3k:8:8
//! ```
//!
//! `:8:1` compares eight runs before with one after, as a history of deploys, `:8:8` replicates.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use plop_core::{Frame, FrameId, Profile, Sample, Slice, SliceId, StackId, ValueType};
use plop_diff::{Comparison, Options, compare};
use rayon::prelude::*;

const SLICES: usize = 120;
const PROGRAMS: u64 = 3;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let usage =
        "usage: simulation alarms|power COUNT CELL... (iid, sticky or run, then -3k or -300k)";
    let [what, count, cells @ ..] = &words[..] else {
        println!("{usage}");
        return;
    };
    let count: usize = count.parse().expect(usage);
    let cells: Vec<Cell> = cells
        .iter()
        .map(|text| Cell::parse(text).expect(usage))
        .collect();
    match what.as_str() {
        "alarms" => cells.iter().for_each(|cell| alarms(*cell, count)),
        "power" => cells.iter().for_each(|cell| power(*cell, count)),
        _ => println!("{usage}"),
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Noise {
    Iid,
    Sticky,
    Run,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    noise: Noise,
    samples: usize,
    /// How many runs there are on each side.
    runs: [usize; 2],
}

impl Cell {
    fn parse(text: &str) -> Option<Cell> {
        let (text, runs) = text.split_once(':').unwrap_or((text, "1:1"));
        let (before, after) = runs.split_once(':')?;
        let runs = [before.parse().ok()?, after.parse().ok()?];
        let (noise, samples) = text.split_once('-')?;
        let noise = match noise {
            "iid" => Noise::Iid,
            "sticky" => Noise::Sticky,
            "run" => Noise::Run,
            _ => return None,
        };
        let samples = samples.strip_suffix('k')?.parse::<usize>().ok()? * 1000;
        Some(Cell {
            noise,
            samples,
            runs,
        })
    }

    /// The smallest growth that a test can find which knows every variance, and pays for all sets alike: with
    /// 80 % power, in points of the whole cost, for a function of 2 % and one of 6 % (notes of the method, §6.3).
    fn fair(self) -> [f64; 2] {
        match (self.noise, self.samples) {
            (Noise::Iid, 3_000) => [1.98, 3.07],
            (Noise::Sticky, 3_000) => [3.94, 6.36],
            (Noise::Run, 3_000) => [3.92, 6.36],
            (Noise::Iid, _) => [0.19, 0.30],
            (Noise::Sticky, _) => [0.39, 0.62],
            (Noise::Run, _) => [0.83, 1.50],
        }
    }
}

/// Compares runs of one program with itself.
fn alarms(cell: Cell, count: usize) {
    let programs: Vec<Program> = (0..PROGRAMS).map(Program::random).collect();
    let began = Instant::now();
    let alarms = AtomicUsize::new(0);
    let findings = AtomicUsize::new(0);
    (0..count).into_par_iter().for_each(|n| {
        let program = &programs[n % programs.len()];
        let mut random = Random::new(0xa11a_0000 + n as u64);
        let [before, after] = program.sides(cell, None, &mut random);
        let comparison = compared(&before, &after);
        let grew = comparison
            .findings
            .iter()
            .filter(|finding| finding.grew())
            .count();
        alarms.fetch_add(usize::from(grew > 0), Ordering::Relaxed);
        findings.fetch_add(grew, Ordering::Relaxed);
    });
    let alarms = alarms.into_inner();
    let share = alarms as f64 / count as f64;
    println!(
        "| {cell:?} | {count} | {alarms} | {:.2} % ± {:.2} | {:.1} ms |",
        100.0 * share,
        100.0 * (share.max(0.01) * (1.0 - share) / count as f64).sqrt(),
        began.elapsed().as_secs_f64() * 1e3 * rayon::current_num_threads() as f64 / count as f64,
    );
}

/// Compares with runs in which one function is slower by some points of the whole cost.
fn power(cell: Cell, count: usize) {
    let programs: Vec<Program> = (0..PROGRAMS).map(Program::random).collect();
    for (size, fair) in [0.02, 0.06].into_iter().zip(cell.fair()) {
        let mut found = Vec::new();
        for step in [0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0] {
            let points = fair * step / 100.0;
            let results: Vec<(bool, bool, usize, f64)> = (0..count)
                .into_par_iter()
                .map(|n| {
                    let program = &programs[n % programs.len()];
                    let guilty = program.function_of(size);
                    let share = program.own_share(guilty);
                    let mut random =
                        Random::new(0x90_0000 + 1000 * (step * 10.0) as u64 + n as u64);
                    let slower = (guilty, 1.0 + points / share);
                    let [before, after] = program.sides(cell, Some(slower), &mut random);
                    let comparison = compared(&before, &after);
                    let grown: Vec<_> = comparison
                        .findings
                        .iter()
                        .filter(|one| one.grew())
                        .collect();
                    let is_guilty =
                        |id: u32| comparison.tree.functions[id as usize].name == name(guilty);
                    let first = grown.first().is_some_and(|one| is_guilty(one.function));
                    let covered = grown.iter().find(|one| is_guilty(one.function)).map(|one| {
                        f64::from(u8::from(
                            one.interval[0] <= points && points <= one.interval[1],
                        ))
                    });
                    (
                        !grown.is_empty(),
                        first,
                        grown.len(),
                        covered.unwrap_or(-1.0),
                    )
                })
                .collect();
            let detected = results.iter().filter(|(any, ..)| *any).count();
            let named = results.iter().filter(|(_, first, ..)| *first).count();
            let lines: usize = results.iter().map(|(_, _, lines, _)| lines).sum();
            let covered: Vec<f64> = results
                .iter()
                .map(|(.., covered)| *covered)
                .filter(|c| *c >= 0.0)
                .collect();
            println!(
                "| {cell:?} | {:.0} % | {:.2} pt | {:.0} % | {:.0} % | {:.2} | {:.0} % of {} |",
                100.0 * size,
                100.0 * points,
                100.0 * detected as f64 / count as f64,
                100.0 * named as f64 / detected.max(1) as f64,
                lines as f64 / detected.max(1) as f64,
                100.0 * covered.iter().sum::<f64>() / covered.len().max(1) as f64,
                covered.len(),
            );
            found.push((points, detected as f64 / count as f64));
        }
        println!(
            "  80 % power at {:.2} of the fair oracle's",
            at_power(&found, 0.8) / (fair / 100.0)
        );
    }
}

/// Where the power reaches a level, between the points that were tried.
fn at_power(found: &[(f64, f64)], level: f64) -> f64 {
    let mut last = (0.0, 0.0);
    for (points, power) in found {
        if *power >= level {
            return last.0 + (points - last.0) * (level - last.1) / (power - last.1).max(1e-9);
        }
        last = (*points, *power);
    }
    f64::INFINITY
}

fn compared(before: &[Profile], after: &[Profile]) -> Comparison {
    let options = Options {
        permutations: 299,
        ..Options::default()
    };
    let [before, after] = [before, after].map(|side| side.iter().collect::<Vec<_>>());
    compare(&before, &after, &options).expect("runs of one program compare")
}

fn name(function: usize) -> String {
    format!("function_{function}")
}

/// A program: a call tree of which every node has a cost of its own.
struct Program {
    /// The caller of each node and its function; node 0 is the root.
    nodes: Vec<(usize, usize)>,
    /// The kind of request of each node.
    kinds: Vec<usize>,
    costs: Vec<f64>,
    /// How many requests of each kind there are, as shares of the cost.
    mix: Vec<f64>,
}

const KINDS: usize = 6;
const SHARED: usize = 30;

impl Program {
    fn random(seed: u64) -> Program {
        let mut random = Random::new(seed + 77);
        // Function 0 runs the requests; then come one for each kind, the shared ones, and those of each kind.
        let own = 24;
        let mut nodes = vec![(0, 0)];
        let mut kinds = vec![0];
        let mut seen = std::collections::HashSet::new();
        for kind in 0..KINDS {
            nodes.push((0, 1 + kind));
            kinds.push(kind);
        }
        while nodes.len() < 500 {
            let caller = 1 + random.below(nodes.len() - 1);
            let kind = kinds[caller];
            let function = match random.below(3) {
                0 => 1 + KINDS + random.below(SHARED),
                _ => 1 + KINDS + SHARED + kind * own + random.below(own),
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
        let sum: f64 = mix.iter().sum();
        mix.iter_mut().for_each(|share| *share /= sum);
        Program {
            nodes,
            kinds,
            costs,
            mix,
        }
    }

    /// The share of the whole cost that each node has itself, when some cost more than usual.
    fn shares(&self, mix: &[f64], factor: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut of_kind = [0.0; KINDS];
        for (node, cost) in self.costs.iter().enumerate() {
            of_kind[self.kinds[node]] += cost;
        }
        let mut shares: Vec<f64> = (self.costs.iter().enumerate())
            .map(|(node, cost)| {
                let kind = self.kinds[node];
                mix[kind] * cost / of_kind[kind] * factor(self.nodes[node].1)
            })
            .collect();
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
        shares
    }

    fn own_share(&self, function: usize) -> f64 {
        let shares = self.shares(&self.mix, |_| 1.0);
        let nodes = shares
            .iter()
            .zip(&self.nodes)
            .filter(|(_, (_, of))| *of == function);
        nodes.map(|(share, _)| share).sum()
    }

    /// The function whose own share is nearest to a size.
    fn function_of(&self, size: f64) -> usize {
        let last = self
            .nodes
            .iter()
            .map(|(_, function)| *function)
            .max()
            .unwrap_or(0);
        let distance = |function: &usize| (self.own_share(*function).max(1e-9) / size).ln().abs();
        (1..=last)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(1)
    }

    /// The runs of both sides, one function being slower after.
    fn sides(
        &self,
        cell: Cell,
        slower: Option<(usize, f64)>,
        random: &mut Random,
    ) -> [Vec<Profile>; 2] {
        let [before, after] = cell.runs;
        [(before, None), (after, slower)].map(|(runs, slower)| {
            (0..runs)
                .map(|_| self.record(cell, slower, random))
                .collect()
        })
    }

    /// Records a run; `slower` is a function and the factor of its own cost.
    fn record(&self, cell: Cell, slower: Option<(usize, f64)>, random: &mut Random) -> Profile {
        let between = cell.noise == Noise::Run;
        let mut mix = self.mix.clone();
        if between {
            mix.iter_mut()
                .for_each(|share| *share = random.gamma(2000.0 * *share));
            let sum: f64 = mix.iter().sum();
            mix.iter_mut().for_each(|share| *share /= sum);
        }
        let last = self
            .nodes
            .iter()
            .map(|(_, function)| *function)
            .max()
            .unwrap_or(0);
        let factors: Vec<f64> = (0..=last)
            .map(|function| {
                let noise = if between {
                    (0.02 * random.normal()).exp()
                } else {
                    1.0
                };
                match slower {
                    Some((guilty, factor)) if guilty == function => noise * factor,
                    _ => noise,
                }
            })
            .collect();
        let shares = self.shares(&mix, |function| factors[function]);
        let mut counts = vec![0i64; SLICES * self.nodes.len()];
        let all = Choice::of(&shares);
        let kinds: Vec<Choice> = (0..KINDS)
            .map(|kind| {
                let of_kind = |node: usize| {
                    if self.kinds[node] == kind {
                        shares[node]
                    } else {
                        0.0
                    }
                };
                Choice::of(&(0..shares.len()).map(of_kind).collect::<Vec<_>>())
            })
            .collect();
        let (mut left, mut kind, mut node) = (0usize, 0, 0);
        for n in 0..cell.samples {
            let at = match cell.noise {
                Noise::Iid => all.draw(random),
                _ => {
                    if left == 0 {
                        left = random.geometric(10.0);
                        kind = self.kinds[all.draw(random)];
                        node = kinds[kind].draw(random);
                    } else if random.unit() >= 0.5 {
                        node = kinds[kind].draw(random);
                    }
                    left -= 1;
                    node
                }
            };
            counts[n * SLICES / cell.samples * self.nodes.len() + at] += 1;
        }
        self.profile(&counts)
    }

    fn profile(&self, counts: &[i64]) -> Profile {
        let mut profile = Profile::new(vec![ValueType::samples()]);
        let frames: Vec<FrameId> = (self.nodes.iter())
            .map(|(_, function)| {
                let function = profile.function(name(*function).as_bytes(), b"app.py");
                profile.frames.intern(Frame::of(function))
            })
            .collect();
        let mut stacks: Vec<StackId> = Vec::new();
        for (node, (caller, _)) in self.nodes.iter().enumerate() {
            let caller = if node == 0 {
                StackId::ROOT
            } else {
                stacks[*caller]
            };
            stacks.push(profile.stacks.push(caller, frames[node]));
        }
        for (slice, counts) in counts.chunks(self.nodes.len()).enumerate() {
            profile.slices.0.push(Slice::default());
            for (node, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let values = [*count];
                profile.samples.push(Sample {
                    slice: Some(SliceId::new(slice)),
                    ..Sample::of(stacks[node], &values)
                });
            }
        }
        profile
    }
}

fn depth(nodes: &[(usize, usize)], mut node: usize) -> usize {
    let mut depth = 0;
    while node != 0 {
        node = nodes[node].0;
        depth += 1;
    }
    depth
}

/// Draws one of several with given weights: the alias method of Walker and Vose.
struct Choice {
    keep: Vec<f64>,
    other: Vec<usize>,
}

impl Choice {
    fn of(weights: &[f64]) -> Choice {
        let count = weights.len();
        let sum: f64 = weights.iter().sum();
        let mut keep: Vec<f64> = weights
            .iter()
            .map(|weight| weight * count as f64 / sum)
            .collect();
        let mut other: Vec<usize> = (0..count).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|n| keep[*n] < 1.0);
        while let (Some(one), Some(rich)) = (small.pop(), large.last().copied()) {
            other[one] = rich;
            keep[rich] -= 1.0 - keep[one];
            if keep[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        for one in small.into_iter().chain(large) {
            keep[one] = 1.0;
        }
        Choice { keep, other }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let at = random.below(self.keep.len());
        if random.unit() < self.keep[at] {
            at
        } else {
            self.other[at]
        }
    }
}

/// SplitMix64, and distributions on it.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
    }

    /// At least 1, with this mean.
    fn geometric(&mut self, mean: f64) -> usize {
        let u = 1.0 - self.unit();
        1 + (u.ln() / (1.0 - 1.0 / mean).ln()) as usize
    }

    /// Gamma of a shape from 1 on, by Marsaglia and Tsang.
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}
