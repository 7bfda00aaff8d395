//! What a comparison could have seen: the growth of a function of a given size that it finds four times in
//! five.

use crate::comparison::Power;
use crate::scan::Scan;
use crate::sets::Kind;
use crate::tree::Side;
use crate::weigh::Weights;

/// Sizes that people ask for.
pub(crate) const SIZES: [f64; 4] = [0.01, 0.02, 0.05, 0.2];
/// The normal quantile of four in five.
const FOUR_IN_FIVE: f64 = 0.8416;
/// A change in one of the two runs also makes the noise look larger that is learnt from them.
const LEARNT: f64 = 1.1;

/// What the scan could have seen, as the gate stands that asks for a minimum effect.
pub(crate) fn power(weights: &Weights, scan: &Scan, min_effect: f64, measured: bool) -> Vec<Power> {
    let typical = Typical::of(weights, scan);
    let caution = if measured { 1.0 } else { LEARNT };
    SIZES
        .into_iter()
        .map(|share| {
            let error = |delta: f64| typical.error(weights, scan, share + 0.5 * delta) * caution;
            let points = |delta: f64| delta / (1.0 - share - delta).max(0.01);
            // What is found depends a little on how large it is.
            let (mut at_threshold, mut delta) = (0.0, 0.0);
            for _ in 0..20 {
                at_threshold = scan.threshold * error(delta);
                delta = (at_threshold + FOUR_IN_FIVE * error(delta)).min(0.9 - share);
            }
            let (found, least) = (points(delta), points(at_threshold));
            let more = (min_effect - least).max(0.0);
            Power {
                share,
                detectable: found + more,
            }
        })
        .collect()
}

/// What a function of this service is like.
struct Typical {
    /// The variance of a change within kinds of requests, over that of a single sample.
    spread: f64,
    /// Which part of its variance is within kinds of requests.
    within: f64,
}

impl Typical {
    fn of(weights: &Weights, scan: &Scan) -> Typical {
        let own: Vec<usize> = (0..weights.sets.len())
            .filter(|n| weights.sets[*n].kind == Kind::Own)
            .collect();
        let median = |of: &dyn Fn(usize) -> f64, otherwise: f64| {
            let mut values: Vec<f64> = own.iter().map(|n| of(*n)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(otherwise)
        };
        Typical {
            spread: median(&|n| scan.effects[n] * weights.long_run, 1.0),
            within: median(
                &|n| weights.pooled.within[n] / weights.pooled.variance(n),
                1.0,
            )
            .min(1.0),
        }
    }

    /// The standard error of the share of a function of this size.
    fn error(&self, weights: &Weights, scan: &Scan, share: f64) -> f64 {
        let variance = share * (1.0 - share);
        let (within, mix) = (variance * self.within, variance * (1.0 - self.within));
        // Of what differs between runs there is more the larger a function is.
        let own: Vec<usize> = (0..weights.sets.len())
            .filter(|n| weights.sets[*n].kind == Kind::Own)
            .collect();
        let v = 1.0 / weights.side_samples(Side::Before) + 1.0 / weights.side_samples(Side::After);
        let mut rates: Vec<f64> = own
            .iter()
            .map(|n| {
                let sampled = scan.effects[*n] * weights.long_run * v;
                ((scan.spread.within[*n] - sampled) / weights.pooled.within[*n]).max(0.0)
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        let of_runs = rates.get(rates.len() / 2).copied().unwrap_or(0.0) * within;
        let weight_within = within / (self.spread * v + of_runs);
        let weight_mix = mix / scan.spread.mix;
        variance / (weight_within + weight_mix).sqrt()
    }
}
