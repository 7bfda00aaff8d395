//! Several runs on a side: earlier deploys, or replicates of one build. What differs between runs need not be
//! guessed then; it is in the runs, and each set's own variance is drawn towards what all sets show.

use crate::noise::{NORMAL, Prior, grid};
use crate::sets::Kind;
use crate::stats::{t_upper_quantile, upper_quantile};
use crate::tree::Side;
use crate::weigh::{Between, Spread, Weights};

/// How many degrees of freedom the trend counts for beside a set's own runs, where functions are even, and where
/// they are not.
const PRIOR_DF: [f64; 2] = [3.0, 40.0];
/// How uneven functions may be.
const UNEVEN: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// A variance that is so many times what is expected tells no more than this one.
const MOST_RATIO: f64 = 8.0;
/// No set varies less than this part of the trend.
const LEAST: f64 = 0.9;

/// The runs of both sides.
pub(crate) struct Runs {
    /// Of each run: its side, its samples, and the slices that are of it.
    of: Vec<(Side, f64, Vec<usize>)>,
}

/// One run's part in what varies.
pub(crate) struct Part {
    side: Side,
    /// The within part of each set, a sample.
    pub(crate) within: Vec<f64>,
    /// The share of each kind.
    pub(crate) kinds: Vec<f64>,
}

/// What runs tell.
pub(crate) struct Learnt {
    /// The variance of each set's within part between runs, and what slices say of it.
    variances: Vec<f64>,
    pub(crate) sampled: Vec<f64>,
    /// What slices say of the variance of the mix.
    pub(crate) mix_sampled: f64,
    /// The relative standard deviation of functions between runs, and how much the mix differs beyond what
    /// slices say.
    pub(crate) sigma: f64,
    pub(crate) phi: f64,
    /// How uneven functions are in that.
    pub(crate) uneven: f64,
}

impl Learnt {
    /// The same for every set.
    pub(crate) fn between(&self, sets: usize) -> Between {
        Between {
            functions: vec![self.sigma; sets],
            mix: vec![self.phi; sets],
            usual_mix: self.phi,
        }
    }
}

impl Runs {
    pub(crate) fn of(weights: &Weights) -> Runs {
        let mut of: Vec<(Side, f64, Vec<usize>)> = Vec::new();
        let mut last = None;
        for (slice, (side, run)) in weights.slice_runs.iter().enumerate() {
            if last != Some((*side, *run)) {
                of.push((*side, 0.0, Vec::new()));
                last = Some((*side, *run));
            }
            if let Some((_, samples, slices)) = of.last_mut() {
                *samples += weights.slice_samples[slice];
                slices.push(slice);
            }
        }
        Runs { of }
    }

    pub(crate) fn count(&self, side: Side) -> f64 {
        self.of.iter().filter(|(of, ..)| *of == side).count() as f64
    }

    /// How many runs there are beyond one a side: what a variance can be told from.
    pub(crate) fn df(&self) -> f64 {
        let sides = [Side::Before, Side::After].map(|side| self.count(side).min(1.0));
        self.of.len() as f64 - sides.iter().sum::<f64>()
    }

    /// The design effect of each set within runs.
    pub(crate) fn design_effects(&self, weights: &Weights) -> Vec<f64> {
        let mut between = vec![0.0; weights.sets.len()];
        for (_, samples, slices) in &self.of {
            let (within, _) = weights.sums(slices.iter().copied());
            for (n, sum) in within.iter().enumerate() {
                between[n] += sum * sum / (samples * weights.pooled.within[n]);
            }
        }
        let df = (weights.slices() as f64 - self.of.len() as f64).max(1.0);
        weights.shrunk_effects(&between, df)
    }

    /// How much there is of chance between the sides, when variances have the distribution that theory gives
    /// them.
    pub(crate) fn spread(&self, weights: &Weights, learnt: &Learnt, alpha: f64) -> Spread {
        let (sets, kinds) = (weights.sets.len(), weights.strata.count);
        let df = self.df();
        let (k, m) = (self.count(Side::Before), self.count(Side::After));
        let hypotheses = sets.max(1) as f64;
        // Variances that were estimated make tails heavier.
        let limit = |df: f64, p: f64| t_upper_quantile(p, df) / upper_quantile(p);
        // The mean of squares that are log-normal.
        let square = (learnt.sigma * learnt.uneven.powi(2).exp()).powi(2);
        let within = (0..sets)
            .map(|n| {
                let a = weights.pooled.within[n];
                let of_runs = square * a * a * weights.composition[n].herfindahl;
                let trend = learnt.sampled[n] + of_runs;
                // The trend is worth as much as a set's variance cannot be far from it.
                let share = learnt.uneven * of_runs / trend;
                let prior_df = (0.5 / (share * share)).clamp(PRIOR_DF[0], PRIOR_DF[1]);
                let heavier = limit(prior_df + df, alpha / hypotheses);
                let own = (prior_df * trend + df * learnt.variances[n]) / (prior_df + df);
                own.max(LEAST * trend) * (1.0 / k + 1.0 / m) * heavier * heavier / a
            })
            .collect();
        let freedom = df * (kinds as f64 - 1.0);
        let mix_heavier = match freedom >= 1.0 {
            true => limit(freedom, 0.001),
            false => 1.0,
        };
        let mix = learnt.mix_sampled + learnt.phi;
        Spread {
            within,
            mix: vec![mix * (1.0 / k + 1.0 / m) * mix_heavier * mix_heavier; sets],
            total: f64::INFINITY,
        }
    }

    /// The within part of each set and the share of each kind, run by run.
    pub(crate) fn parts(&self, weights: &Weights) -> Vec<Part> {
        (self.of.iter())
            .map(|(side, samples, slices)| {
                let (within, of_kind) = weights.sums(slices.iter().copied());
                Part {
                    side: *side,
                    within: within.iter().map(|sum| sum / samples).collect(),
                    kinds: of_kind.iter().map(|sum| sum / samples).collect(),
                }
            })
            .collect()
    }

    /// What the runs tell of how functions and the mix of kinds differ between runs.
    pub(crate) fn learn(&self, weights: &Weights, effects: &[f64], prior: &Prior) -> Learnt {
        let (sets, kinds) = (weights.sets.len(), weights.strata.count);
        let df = self.df();
        let all: f64 = self.of.iter().map(|(_, samples, _)| samples).sum();
        let samples = all / self.of.len() as f64;
        let parts = self.parts(weights);
        let variance = |choose: &dyn Fn(&Part) -> f64| {
            let mut squares = 0.0;
            for side in [Side::Before, Side::After] {
                let of_side = parts.iter().filter(|part| part.side == side);
                let values: Vec<f64> = of_side.map(choose).collect();
                let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
                squares += values
                    .iter()
                    .map(|value| (value - mean).powi(2))
                    .sum::<f64>();
            }
            squares / df
        };
        let variances: Vec<f64> = (0..sets)
            .map(|n| variance(&|part| part.within[n]))
            .collect();
        let sampled: Vec<f64> = (effects.iter().zip(&weights.pooled.within))
            .map(|(effect, within)| effect * weights.long_run * within / samples)
            .collect();
        let mix_sampled = weights.kinds_effect / samples;
        let mix =
            |kind: usize| variance(&|part| part.kinds[kind]) / weights.pooled.kinds[kind].max(1e-9);
        let phi = match kinds {
            1 => 0.0,
            _ => {
                let sum: f64 = (0..kinds).map(mix).sum();
                (sum / (kinds as f64 - 1.0) - mix_sampled).max(0.0)
            }
        };
        let (sigma, uneven) = self.sigma(weights, &variances, &sampled, prior);
        Learnt {
            sigma,
            uneven,
            variances,
            sampled,
            mix_sampled,
            phi,
        }
    }

    /// The middle of the relative standard deviations of functions between runs, and how uneven those are: the
    /// means of what is believed after the runs, each function's variance being a gamma variable around its own.
    fn sigma(
        &self,
        weights: &Weights,
        variances: &[f64],
        sampled: &[f64],
        prior: &Prior,
    ) -> (f64, f64) {
        let df = self.df();
        let witnesses: Vec<usize> = (0..weights.sets.len())
            .filter(|n| weights.sets[*n].kind == Kind::Own)
            .filter(|n| weights.pooled.share[*n] * weights.pooled.samples > 30.0)
            .collect();
        let beliefs: Vec<(f64, f64)> = (UNEVEN.iter())
            .flat_map(|uneven| {
                grid(0.0003, 0.10, 48)
                    .into_iter()
                    .map(move |sigma| (sigma, *uneven))
            })
            .collect();
        let logs: Vec<f64> = beliefs
            .iter()
            .map(|(middle, uneven)| {
                let likelihood: f64 = witnesses
                    .iter()
                    .map(|n| {
                        let of_nodes = NORMAL.iter().map(|(z, likely)| {
                            let sigma = middle * (uneven * z).exp();
                            let variance =
                                sampled[*n] + (sigma * weights.pooled.within[*n]).powi(2);
                            // In terms of what slices explain, so that no power of it under- or overflows.
                            let ratio = variance / sampled[*n];
                            let most = (variances[*n] / variance).min(MOST_RATIO);
                            likely * (0.5 * df * (-ratio.ln() - most)).exp()
                        });
                        of_nodes.sum::<f64>().max(1e-300).ln()
                    })
                    .sum();
                likelihood
                    - 0.5 * ((middle.ln() - prior.functions.ln()) / prior.functions_sd).powi(2)
            })
            .collect();
        let believed = crate::noise::posterior(&logs);
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let terms = believed.iter().zip(&beliefs);
            terms
                .map(|(weight, belief)| weight * of(belief))
                .sum::<f64>()
        };
        (mean(&|(sigma, _)| *sigma), mean(&|(_, uneven)| *uneven))
    }
}
