//! Several runs on a side: earlier deploys, or replicates of one build. What differs between runs need not be
//! guessed then; it is in the runs, and each set's own variance is drawn towards what all sets show.

use crate::noise::{CAUTION, NORMAL, Prior, grid, place_of_single, posterior, predictive, singles};
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
/// How many standard errors what is known of the mix may be off for longer runs than it was learnt from.
const UNSURE: f64 = 2.0;
/// How much less the samples of a set tell of how much they vary than as many slices would: where they come in bursts of
/// geometric length, E b · E b⁴ / (E b²)², which is six times the mean length, here of 2.5 samples.
const BURSTS: f64 = 15.0;
/// Runs of both sides are alike up to so many times as many samples or profiles.
const ALIKE: f64 = 1.5;

/// The runs of both sides.
pub(crate) struct Runs {
    of: Vec<Run>,
}

struct Run {
    side: Side,
    samples: f64,
    /// How many profiles it has, from several hosts perhaps.
    profiles: f64,
    /// The slices that are of it.
    slices: Vec<usize>,
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
    /// For which run variances are: one over its samples, and one over its profiles.
    usual: [f64; 2],
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
    /// What is believed of the relative standard deviation of a single function: each value with its probability.
    believed: (Vec<f64>, Vec<f64>),
}

impl Learnt {
    /// How much a set may vary between runs, as far as that is known: so much that its change has the tail which what is
    /// believed gives it, when so much is by its samples.
    fn at_most(&self, weights: &Weights, set: usize, sampled: f64) -> f64 {
        let within = weights.pooled.within[set];
        let square = within * within * weights.composition[set].herfindahl;
        let (values, believed) = &self.believed;
        let sigma = CAUTION * predictive(values, believed, sampled, square);
        sigma * sigma * square
    }

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
        let mut of: Vec<Run> = Vec::new();
        let mut last = None;
        for (slice, (side, run)) in weights.slice_runs.iter().enumerate() {
            if last != Some((*side, *run)) {
                of.push(Run {
                    side: *side,
                    samples: 0.0,
                    profiles: weights.tree.profiles(*run) as f64,
                    slices: Vec::new(),
                });
                last = Some((*side, *run));
            }
            if let Some(run) = of.last_mut() {
                run.samples += weights.slice_samples[slice];
                run.slices.push(slice);
            }
        }
        Runs { of }
    }

    fn of_side(&self, side: Side) -> impl Iterator<Item = &Run> {
        self.of.iter().filter(move |run| run.side == side)
    }

    pub(crate) fn count(&self, side: Side) -> f64 {
        self.of_side(side).count() as f64
    }

    /// The mean over the runs of a side, of one over the samples and one over the profiles of each.
    fn means(&self, side: Side) -> [f64; 2] {
        let mean = |of: &dyn Fn(&Run) -> f64| {
            let sum: f64 = self.of_side(side).map(|run| 1.0 / of(run)).sum();
            sum / self.count(side).max(1.0)
        };
        [mean(&|run| run.samples), mean(&|run| run.profiles)]
    }

    /// Whether runs of one side may as well be of the other: samples and profiles of both are about as many.
    pub(crate) fn are_alike(&self) -> bool {
        let [before, after] = [Side::Before, Side::After].map(|side| self.means(side));
        (before.iter().zip(&after)).all(|(a, b)| a.max(*b) <= ALIKE * a.min(*b))
    }

    /// How much of the variance of a change is the side after's.
    pub(crate) fn part_after(&self) -> f64 {
        let [before, after] = [Side::Before, Side::After].map(|side| {
            let samples: f64 = self.of_side(side).map(|run| run.samples).sum();
            [self.count(side), samples]
        });
        let part = |n: usize| before[n] / (before[n] + after[n]);
        part(0).max(part(1))
    }

    /// How many runs there are beyond one a side: what a variance can be told from.
    pub(crate) fn df(&self) -> f64 {
        let sides = [Side::Before, Side::After].map(|side| self.count(side).min(1.0));
        self.of.len() as f64 - sides.iter().sum::<f64>()
    }

    /// The design effect of each set within runs.
    pub(crate) fn design_effects(&self, weights: &Weights) -> Vec<f64> {
        let mut between = vec![0.0; weights.sets.len()];
        for run in &self.of {
            let (within, _) = weights.sums(run.slices.iter().copied());
            for (n, sum) in within.iter().enumerate() {
                between[n] += sum * sum / (run.samples * weights.pooled.within[n]);
            }
        }
        let df = (weights.slices() as f64 - self.of.len() as f64).max(1.0);
        weights.shrunk_effects(&between, df, BURSTS)
    }

    /// How much there is of chance between the sides, when variances have the distribution that theory gives
    /// them.
    pub(crate) fn spread(&self, weights: &Weights, learnt: &Learnt, alpha: f64) -> Spread {
        let (sets, kinds) = (weights.sets.len(), weights.strata.count);
        let df = self.df();
        // How many times the variance of a usual run by its samples, and by what differs between runs, the difference of
        // the sides has.
        let by_samples = weights.v() / learnt.usual[0];
        let by_runs = self.by_runs(learnt);
        let have_slices = weights.slices() > self.of.len();
        let hypotheses = sets.max(1) as f64;
        // Variances that were estimated make tails heavier.
        let limit = |df: f64, p: f64| t_upper_quantile(p, df) / upper_quantile(p);
        // Of longer runs than usual more is by what differs between runs, of which less is known.
        let longer = (by_runs - by_samples).max(0.0);
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
                let own = own.max(LEAST * trend);
                let variance = match have_slices {
                    true if longer > 0.0 => {
                        let sampled = learnt.sampled[n] * by_samples;
                        own * by_samples + longer * own.min(learnt.at_most(weights, n, sampled))
                    }
                    true => own / trend * (learnt.sampled[n] * by_samples + of_runs * by_runs),
                    // It is not known which it is by.
                    false => own * by_samples.max(by_runs),
                };
                variance * heavier * heavier / a
            })
            .collect();
        let freedom = df * (kinds as f64 - 1.0);
        let mix_heavier = match freedom >= 1.0 {
            true => limit(freedom, 0.001),
            false => 1.0,
        };
        let mix = learnt.mix_sampled + learnt.phi;
        let mix = match have_slices {
            true if longer > 0.0 => {
                let unsure = UNSURE * (2.0 / freedom.max(1.0)).sqrt();
                mix * by_samples + longer * mix.min(learnt.phi + unsure * mix)
            }
            true => learnt.mix_sampled * by_samples + learnt.phi * by_runs,
            false => mix * by_samples.max(by_runs),
        };
        Spread {
            within,
            mix: vec![mix * mix_heavier * mix_heavier; sets],
            total: f64::INFINITY,
        }
    }

    /// How many times the variance between usual runs the difference of the sides has, in which runs count by their
    /// samples. Of fewer profiles than usual a run varies more, since hosts differ; of more it need not vary less.
    fn by_runs(&self, learnt: &Learnt) -> f64 {
        let of_side = |side: Side| -> f64 {
            let all: f64 = self.of_side(side).map(|run| run.samples).sum();
            let of_run = |run: &Run| {
                let fewer = (1.0 / run.profiles / learnt.usual[1]).max(1.0);
                (run.samples / all).powi(2) * fewer
            };
            self.of_side(side).map(of_run).sum()
        };
        of_side(Side::Before) + of_side(Side::After)
    }

    /// The within part of each set and the share of each kind, run by run.
    pub(crate) fn parts(&self, weights: &Weights) -> Vec<Part> {
        (self.of.iter())
            .map(|run| {
                let (within, of_kind) = weights.sums(run.slices.iter().copied());
                Part {
                    side: run.side,
                    within: within.iter().map(|sum| sum / run.samples).collect(),
                    kinds: of_kind.iter().map(|sum| sum / run.samples).collect(),
                }
            })
            .collect()
    }

    /// What the runs tell of how functions and the mix of kinds differ between runs.
    pub(crate) fn learn(&self, weights: &Weights, effects: &[f64], prior: &Prior) -> Learnt {
        let (sets, kinds) = (weights.sets.len(), weights.strata.count);
        let df = self.df();
        let usual = self.usual();
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
            .map(|(effect, within)| effect * weights.long_run * within * usual[0])
            .collect();
        let mix_sampled = weights.kinds_effect * usual[0];
        let mix =
            |kind: usize| variance(&|part| part.kinds[kind]) / weights.pooled.kinds[kind].max(1e-9);
        let phi = match kinds {
            1 => 0.0,
            _ => {
                let sum: f64 = (0..kinds).map(mix).sum();
                (sum / (kinds as f64 - 1.0) - mix_sampled).max(0.0)
            }
        };
        let beliefs = self.beliefs(weights, &variances, &sampled, prior);
        let mean = |of: &dyn Fn(&Belief) -> f64| -> f64 {
            beliefs.iter().map(|one| one.likely * of(one)).sum()
        };
        Learnt {
            usual,
            sigma: mean(&|one| one.sigma),
            uneven: mean(&|one| one.uneven),
            believed: single(&beliefs),
            variances,
            sampled,
            mix_sampled,
            phi,
        }
    }

    /// For which run a variance between runs is: the means of one over the samples, and of one over the profiles. A side
    /// counts by its degrees of freedom, so that one that has only one run tells nothing.
    fn usual(&self) -> [f64; 2] {
        let sides = [Side::Before, Side::After].map(|side| {
            let df = (self.count(side) - 1.0).max(0.0);
            (df, self.means(side))
        });
        [0, 1].map(|n| {
            let sum: f64 = sides.iter().map(|(df, means)| df * means[n]).sum();
            sum / self.df()
        })
    }

    /// What is believed after the runs of the relative standard deviations of functions between runs, each function's
    /// variance being a gamma variable around its own.
    fn beliefs(
        &self,
        weights: &Weights,
        variances: &[f64],
        sampled: &[f64],
        prior: &Prior,
    ) -> Vec<Belief> {
        let df = self.df();
        let witnesses: Vec<usize> = (0..weights.sets.len())
            .filter(|n| weights.sets[*n].kind == Kind::Own)
            .filter(|n| weights.pooled.share[*n] * weights.pooled.samples > 30.0)
            .collect();
        let mut beliefs: Vec<Belief> = (UNEVEN.iter())
            .flat_map(|uneven| {
                (grid(0.0003, 0.10, 48).into_iter()).map(move |sigma| Belief {
                    sigma,
                    uneven: *uneven,
                    likely: 0.0,
                })
            })
            .collect();
        let logs: Vec<f64> = beliefs
            .iter()
            .map(|belief| {
                let likelihood: f64 = witnesses
                    .iter()
                    .map(|n| {
                        let of_nodes = belief.single().map(|(sigma, likely)| {
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
                let apart = (belief.sigma.ln() - prior.functions.ln()) / prior.functions_sd;
                likelihood - 0.5 * apart.powi(2)
            })
            .collect();
        for (belief, likely) in beliefs.iter_mut().zip(posterior(&logs)) {
            belief.likely = likely;
        }
        beliefs
    }
}

/// The middle of the relative standard deviations of functions between runs, how uneven those are, and how likely that
/// is.
struct Belief {
    sigma: f64,
    uneven: f64,
    likely: f64,
}

impl Belief {
    /// Those of single functions, each with its probability.
    fn single(&self) -> impl Iterator<Item = (f64, f64)> {
        (NORMAL.iter()).map(|(z, likely)| (self.sigma * (self.uneven * z).exp(), *likely))
    }
}

/// What is believed of single functions.
fn single(beliefs: &[Belief]) -> (Vec<f64>, Vec<f64>) {
    let values = singles();
    let mut likely = vec![0.0; values.len()];
    for belief in beliefs {
        for (sigma, of_function) in belief.single() {
            likely[place_of_single(sigma)] += belief.likely * of_function;
        }
    }
    (values, likely)
}
