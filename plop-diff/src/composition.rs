//! What functions a set of stacks consists of: how much their noise averages out, and which of them makes most of it.

use rayon::prelude::*;

use crate::sets::Set;
use crate::tree::{NO_FUNCTION, Tree};

/// What is beside a set has hardly more functions if its noise averages out hardly better.
const HARDLY_MORE: f64 = 0.6;
/// The least that independent functions in a set are taken to share of their noise.
const LEAST_HERFINDAHL: f64 = 0.25;

/// What functions a set consists of, and what it leaves out.
pub(crate) struct Composition {
    /// How much the noise of its functions averages out, or that of all others, whichever does less: its share is
    /// what is between both.
    pub(crate) herfindahl: f64,
    /// The function that is most of it, or of what it leaves out if that is more.
    pub(crate) dominant: Option<u32>,
    /// Whether it is most of all samples, and what it leaves out are fewer functions than it has. Shares do not tell
    /// whether it grew or they shrank, and the few are likelier to be what changed.
    pub(crate) is_rest: bool,
    /// Whether it has no more functions than what it leaves out.
    pub(crate) is_plain: bool,
    /// Whether what it leaves out has hardly more functions than it.
    pub(crate) has_few_beside: bool,
}

/// What each set consists of; `samples` are those of each stack.
pub(crate) fn composition(tree: &Tree, sets: &[Set], samples: &[f64]) -> Vec<Composition> {
    let functions: Vec<u32> = (tree.stacks.iter())
        .map(|node| tree.node_functions[*node as usize])
        .collect();
    let stacks = || samples.iter().zip(&functions);
    let mut all = vec![0.0f64; tree.functions.len()];
    for (samples, function) in stacks().filter(|(_, function)| **function != NO_FUNCTION) {
        all[*function as usize] += samples;
    }
    let whole: f64 = samples.iter().sum();
    let squares_of_all: f64 = all.iter().map(|sum| sum * sum).sum();
    let mut largest: Vec<u32> = (0..all.len() as u32).collect();
    largest.sort_by(|a, b| all[*b as usize].total_cmp(&all[*a as usize]).then(a.cmp(b)));
    sets.par_iter()
        .map_init(
            || (vec![0.0f64; tree.functions.len()], Vec::new()),
            |(sums, met), set| {
                for (from, to) in set.spans() {
                    let stacks = samples[from..to].iter().zip(&functions[from..to]);
                    for (samples, function) in stacks.filter(|(_, of)| **of != NO_FUNCTION) {
                        let sum = &mut sums[*function as usize];
                        if *sum == 0.0 {
                            met.push(*function);
                        }
                        *sum += samples;
                    }
                }
                met.sort_unstable();
                let (mut squares, mut total, mut squares_of_rest) = (0.0, 0.0, squares_of_all);
                let mut inside: Option<(u32, f64)> = None;
                for function in &met[..] {
                    let (sum, of_all) = (sums[*function as usize], all[*function as usize]);
                    squares += sum * sum;
                    total += sum;
                    squares_of_rest -= of_all * of_all - (of_all - sum) * (of_all - sum);
                    if inside.is_none_or(|(_, most)| sum > most) {
                        inside = Some((*function, sum));
                    }
                }
                let mut outside: Option<(u32, f64)> = None;
                for function in &largest {
                    let of_all = all[*function as usize];
                    if outside.is_some_and(|(_, most)| most >= of_all) {
                        break;
                    }
                    let left = of_all - sums[*function as usize];
                    if outside.is_none_or(|(_, most)| left > most) {
                        outside = Some((*function, left));
                    }
                }
                met.drain(..)
                    .for_each(|function| sums[function as usize] = 0.0);
                let rest = whole - total;
                let of =
                    |squares: f64, total: f64| squares / (total * total).max(f64::MIN_POSITIVE);
                let [own, others] = [of(squares, total), of(squares_of_rest.max(0.0), rest)];
                let part = |of: Option<(u32, f64)>, total: f64| {
                    of.map(|(function, sum)| (function, sum / total.max(f64::MIN_POSITIVE)))
                };
                let dominant = match (part(inside, total), part(outside, rest)) {
                    (Some(inside), Some(outside)) if outside.1 > inside.1 => Some(outside),
                    (inside, _) => inside,
                };
                let is_plain = own >= others;
                Composition {
                    herfindahl: own.max(others).max(LEAST_HERFINDAHL),
                    dominant: dominant.map(|(function, _)| function),
                    is_rest: total > 0.5 * whole && !is_plain,
                    is_plain,
                    has_few_beside: others > HARDLY_MORE * own,
                }
            },
        )
        .collect()
}
