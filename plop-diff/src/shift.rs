//! Cost that only moved: what some functions do less, others do more, and together they cost what they did. A
//! growth that is paid for like that is no regression, unless one wants it to be.
//!
//! Which growths and which shrinkings belong together is tried for all of them. The change of both together is
//! measured over the union of their stacks by the same formula as that of each, so what they have in common is
//! counted once, and its error is smaller than theirs: what went from the one to the other is no chance of the sum.

use crate::cause::Cause;
use crate::comparison::Shift;
use crate::scan::Scan;
use crate::weigh::Weights;

/// So many growths and shrinkings are tried, the largest.
const MOST: [usize; 2] = [5, 4];
/// The sum is taken for nothing if it is within so many standard errors of it,
const WITHIN: f64 = 3.3;
/// and within this part of what moved, however much chance there is: noise is no reason to forgive a growth.
const PART: f64 = 0.3;
/// Where other shrinkings are more than this part of what moved, that some of them pay for a growth is chance.
const OTHERS: f64 = 1.0;
/// What has more of a kind of request is taken for all of it.
const ALL: f64 = 0.9;
/// The relative standard deviation between runs that functions are taken to have at least here.
const LEAST_BETWEEN: f64 = 0.01;

/// The cost that moved, if some did: of all that can be taken for it, what moves most and leaves least.
pub(crate) fn shift(weights: &Weights, scan: &Scan, runs: [usize; 2]) -> Option<Shift> {
    let causes = &scan.causes;
    let of_sign = |grew: bool, most: usize| -> Vec<usize> {
        let mut of_sign: Vec<usize> = (0..causes.len())
            .filter(|n| (causes[*n].change.z > 0.0) == grew)
            .collect();
        of_sign.sort_by(|a, b| {
            let size = |n: usize| causes[n].change.delta.abs();
            size(*b).total_cmp(&size(*a)).then(a.cmp(b))
        });
        of_sign.truncate(most);
        of_sign
    };
    let (growths, shrinkings) = (of_sign(true, MOST[0]), of_sign(false, MOST[1]));
    if growths.is_empty() || shrinkings.is_empty() {
        return None;
    }
    let parts = Parts::of(weights, causes);
    let best = |inside: bool| {
        let mut best: Option<(f64, Shift)> = None;
        for grew in subsets(&growths) {
            for shrank in subsets(&shrinkings) {
                let balance = parts.balance(weights, scan, runs, [&grew, &shrank], inside);
                let Some((moved, left)) = balance else {
                    continue;
                };
                let others: f64 = (causes.iter().enumerate())
                    .filter(|(n, cause)| cause.change.z < 0.0 && !shrank.contains(n))
                    .map(|(_, cause)| cause.change.delta.abs())
                    .sum();
                if others > OTHERS * moved {
                    continue;
                }
                let gain = moved - left.delta.abs();
                if best.as_ref().is_none_or(|(most, _)| gain > *most) {
                    best = Some((gain, left.shift(scan, &grew, shrank)));
                }
            }
        }
        best.map(|(_, shift)| shift)
    };
    // Inside kinds of requests, as a cause's own change is measured; where that finds nothing, over all of them,
    // which is less precise, since cost may have moved from one kind to another.
    best(true).or_else(|| best(false))
}

/// All choices of some of these, each in their order.
fn subsets(of: &[usize]) -> Vec<Vec<usize>> {
    (1..1usize << of.len())
        .map(|chosen| {
            let is_chosen = |(n, _): &(usize, &usize)| chosen >> n & 1 == 1;
            (of.iter().enumerate())
                .filter(is_chosen)
                .map(|(_, cause)| *cause)
                .collect()
        })
        .collect()
}

/// What is left when growths and shrinkings are added up.
struct Left {
    delta: f64,
    error: f64,
    /// The share of both together before.
    share: f64,
}

impl Left {
    fn shift(&self, scan: &Scan, grew: &[usize], shrank: Vec<usize>) -> Shift {
        let margin = scan.limits.own * self.error;
        let bounds = [self.delta - margin, self.delta, self.delta + margin];
        let [low, points, high] = bounds.map(|delta| delta / (1.0 - self.share - delta).max(1e-3));
        Shift {
            grew: grew.to_vec(),
            shrank,
            points,
            interval: [low, high],
        }
    }
}

/// The stacks, those together that are of the same causes, with their samples in each kind of request.
struct Parts {
    /// For each: of which causes it is, a bit for each; and kind by kind the samples before and after.
    parts: Vec<(u64, Vec<[f64; 2]>)>,
    kinds: usize,
    /// For each cause, the factor that takes it back; none where nothing was left of it.
    odds: Vec<Option<f64>>,
    /// For each cause, its share of both sides.
    shares: Vec<f64>,
    /// For each cause, its set.
    sets: Vec<usize>,
}

impl Parts {
    fn of(weights: &Weights, causes: &[Cause]) -> Parts {
        let mut is_of = vec![0u64; weights.tree.stacks.len()];
        for (n, cause) in causes.iter().enumerate() {
            for (from, to) in weights.sets[cause.set].spans() {
                is_of[from..to].iter_mut().for_each(|of| *of |= 1 << n);
            }
        }
        let kinds = weights.strata.count;
        let mut parts: Vec<(u64, Vec<[f64; 2]>)> = Vec::new();
        for (stack, of) in is_of.into_iter().enumerate() {
            let at = match parts.iter().position(|(other, _)| *other == of) {
                Some(at) => at,
                None => {
                    parts.push((of, vec![[0.0; 2]; kinds]));
                    parts.len() - 1
                }
            };
            let samples = &mut parts[at].1[usize::from(weights.strata.of[stack])];
            samples[0] += weights.before[stack];
            samples[1] += weights.after[stack];
        }
        Parts {
            parts,
            kinds,
            odds: (causes.iter())
                .map(|cause| (!cause.is_gone()).then_some(cause.odds))
                .collect(),
            shares: (causes.iter())
                .map(|cause| weights.pooled.share[cause.set])
                .collect(),
            sets: causes.iter().map(|cause| cause.set).collect(),
        }
    }

    /// How much moved from shrinkings to growths, and what is left, if both may be one shift.
    fn balance(
        &self,
        weights: &Weights,
        scan: &Scan,
        runs: [usize; 2],
        [grew, shrank]: [&[usize]; 2],
        inside: bool,
    ) -> Option<(f64, Left)> {
        // Stacks of both are of the smaller one.
        let is_growth = |of: u64| {
            let chosen = grew.iter().chain(shrank).filter(|n| of >> **n & 1 == 1);
            let smallest = chosen.min_by(|a, b| self.shares[**a].total_cmp(&self.shares[**b]))?;
            Some(grew.contains(smallest))
        };
        let mut all = vec![[0.0f64; 2]; self.kinds];
        let mut sums = [vec![[0.0f64; 2]; self.kinds], vec![[0.0f64; 2]; self.kinds]];
        for (of, samples) in &self.parts {
            // Other causes are taken back, so that they do not count as what is left.
            let others = (0..self.odds.len())
                .filter(|n| of >> n & 1 == 1 && !grew.contains(n) && !shrank.contains(n));
            let Some(odds) = others.map(|n| self.odds[n]).product::<Option<f64>>() else {
                continue;
            };
            let to = is_growth(*of).map(|is_growth| usize::from(!is_growth));
            for (kind, [before, after]) in samples.iter().enumerate() {
                let samples = [*before, after / odds];
                for side in 0..2 {
                    all[kind][side] += samples[side];
                    if let Some(to) = to {
                        sums[to][kind][side] += samples[side];
                    }
                }
            }
        }
        let sides = [0, 1].map(|side| all.iter().map(|kind| kind[side]).sum::<f64>());
        if sides[0].min(sides[1]) < 1.0 {
            return None;
        }
        // What is all of a kind of request has all of its share, whatever it costs.
        let is_all = |kind: usize| {
            let part = |samples: &[[f64; 2]]| samples[kind].iter().sum::<f64>();
            part(&sums[0]) + part(&sums[1]) > ALL * part(&all)
        };
        if inside && self.kinds > 1 && (0..self.kinds).any(is_all) {
            return None;
        }
        let v = 1.0 / sides[0] + 1.0 / sides[1];
        let total = sides[0] + sides[1];
        let both = |kind: usize| [0, 1].map(|side| sums[0][kind][side] + sums[1][kind][side]);
        let chosen = || grew.iter().chain(shrank).map(|n| self.sets[*n]);
        let effect = chosen().map(|set| scan.effects[set]).fold(1.0, f64::max);
        let sampled = effect * weights.long_run * v;
        let per = runs
            .map(|runs| 1.0 / runs.max(1) as f64)
            .iter()
            .sum::<f64>();
        // What differs between runs in each cause does so by itself.
        let between: f64 = chosen()
            .map(|set| {
                let within = weights.pooled.within[set];
                let sampled = scan.effects[set] * weights.long_run * v;
                let found = (scan.spread.within[set] - sampled) * within;
                found.max(LEAST_BETWEEN.powi(2) * per * within * within)
            })
            .sum();
        let spread_of_mix = chosen().map(|set| scan.spread.mix[set]).fold(0.0, f64::max);
        let change = |of: &dyn Fn(usize) -> [f64; 2]| {
            let (mut delta, mut within, mut mix, mut p) = (0.0, 0.0, 0.0, 0.0);
            for (kind, [all_before, all_after]) in all.iter().enumerate() {
                let [before, after] = of(kind);
                let of_kind = all_before + all_after;
                let q = (before + after) / of_kind.max(1e-9);
                delta += match inside {
                    true => v * (after - q * all_after),
                    false => after / sides[1] - before / sides[0],
                };
                within += of_kind / total * q * (1.0 - q);
                mix += of_kind / total * q * q;
                p += of_kind / total * q;
            }
            let mix = if inside { 0.0 } else { (mix - p * p).max(0.0) };
            (delta, sampled * within + spread_of_mix * mix)
        };
        let (grown, _) = change(&|kind| sums[0][kind]);
        let (shrunk, _) = change(&|kind| sums[1][kind]);
        let (delta, variance) = change(&both);
        let left = Left {
            delta,
            error: (variance + between).sqrt(),
            share: (0..self.kinds).map(|kind| both(kind)[0]).sum::<f64>() / sides[0],
        };
        let moved = grown.min(-shrunk);
        let is_nothing = delta.abs() <= WITHIN * left.error && delta.abs() <= PART * moved;
        (grown > 0.0 && shrunk < 0.0 && is_nothing).then_some((moved, left))
    }
}
