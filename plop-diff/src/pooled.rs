//! The shares of both sides together, in all and inside kinds of requests.

use rayon::prelude::*;

use crate::sets::{Set, prefix_sums};
use crate::strata::Strata;

/// Shares over both sides together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pooled {
    pub(crate) samples: f64,
    /// Of each kind.
    pub(crate) kinds: Vec<f64>,
    /// Of each set in all.
    pub(crate) share: Vec<f64>,
    /// Of each set in each kind: kind by kind.
    pub(crate) in_kind: Vec<f64>,
    /// The variance of a sample's being in the set: within kinds, and by the mix.
    pub(crate) within: Vec<f64>,
    pub(crate) mix: Vec<f64>,
}

impl Pooled {
    pub(crate) fn of(sets: &[Set], strata: &Strata, stacks: &[f64]) -> Pooled {
        let counts: Vec<(f64, Vec<f64>)> = (0..strata.count)
            .into_par_iter()
            .map(|kind| {
                let of_kind: Vec<f64> = (stacks.iter().zip(&strata.of))
                    .map(|(samples, of)| {
                        if usize::from(*of) == kind {
                            *samples
                        } else {
                            0.0
                        }
                    })
                    .collect();
                let prefix = prefix_sums(&of_kind);
                let sums = sets.par_iter().map(|set| set.sum(&prefix)).collect();
                (prefix.last().copied().unwrap_or(0.0), sums)
            })
            .collect();
        let samples: f64 = counts.iter().map(|(sum, _)| sum).sum();
        let per = samples.max(f64::MIN_POSITIVE);
        let mut pooled = Pooled {
            samples,
            kinds: counts.iter().map(|(sum, _)| sum / per).collect(),
            share: vec![0.0; sets.len()],
            in_kind: Vec::with_capacity(sets.len() * strata.count),
            within: vec![0.0; sets.len()],
            mix: vec![0.0; sets.len()],
        };
        for (of_kind, sums) in &counts {
            for (n, sum) in sums.iter().enumerate() {
                let q = if *of_kind > 0.0 { sum / of_kind } else { 0.0 };
                let e = of_kind / per;
                pooled.in_kind.push(q);
                pooled.share[n] += sum / per;
                pooled.within[n] += e * q * (1.0 - q);
                pooled.mix[n] += e * q * q;
            }
        }
        for (n, share) in pooled.share.iter().enumerate() {
            pooled.within[n] = pooled.within[n].max(1e-12);
            pooled.mix[n] = match strata.count {
                1 => 0.0,
                _ => (pooled.mix[n] - share * share).max(0.0),
            };
        }
        pooled
    }

    /// The variance of a sample's being in the set.
    pub(crate) fn variance(&self, set: usize) -> f64 {
        (self.share[set] * (1.0 - self.share[set])).max(1e-12)
    }
}
