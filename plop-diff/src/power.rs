//! What a comparison could have seen: the growth of a function of a given size that it finds four times in
//! five; and how much more sampling, or how many more profiles, it takes to see less.

use crate::comparison::{Method, NamedPower, Plan, Power};
use crate::scan::{Rules, Scan};
use crate::sets::{Kind, prefix_sums};
use crate::stats::{FOUR_IN_FIVE, t_upper_quantile, upper_quantile};
use crate::touched::Class;
use crate::tree::Side;
use crate::weigh::Weights;

/// Sizes that people ask for.
pub(crate) const SIZES: [f64; 4] = [0.01, 0.02, USUAL, 0.2];
/// The size for which people ask how much can be seen, if they name none.
pub(crate) const USUAL: f64 = 0.05;
/// A function of more is told by its name what could have been seen of it.
const LARGE: f64 = 0.3;
/// A change in one of the two runs also makes the noise look larger that is learnt from them.
const LEARNT: f64 = 1.1;
/// A plan is for half of what can be seen now, but for no less than this many times what fails.
const NEAR: f64 = 1.2;
/// Plans are for so many times the sampling at most: what runs differ by shows in longer ones only, so that nobody
/// knows what even longer ones would see.
const LONGEST: f64 = 8.0;
/// Plans for more profiles are none.
const MOST: usize = 1000;
/// How many degrees of freedom count for the variance of a set beside those of its runs.
const PRIOR_DF: f64 = 40.0;

/// The gate as it stands.
pub(crate) struct Gate<'g> {
    pub(crate) rules: &'g Rules<'g>,
    pub(crate) method: Method,
    /// The runs of each side.
    pub(crate) runs: [usize; 2],
    /// How long each side was sampled, all its runs together, where it is known.
    pub(crate) wall_ns: [Option<i64>; 2],
    pub(crate) min_effect: f64,
    /// What has to be seen of a function of the usual size.
    pub(crate) required: Option<f64>,
}

/// What growth of functions of any size a comparison finds; [`Power`] is of sizes that people ask for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sensitivity {
    /// A function that nobody touched.
    untouched: Option<Typical>,
    /// One that was touched, where that has a part of the error rate of its own.
    touched: Option<Typical>,
}

impl Sensitivity {
    pub(crate) fn of(weights: &Weights, scan: &Scan, gate: &Gate) -> Sensitivity {
        if weights.sets.is_empty() {
            return Sensitivity::default();
        }
        let typical = Typical::of(weights, scan, gate);
        let is_touched = weights.classes.contains(&Class::TouchedOwn);
        Sensitivity {
            untouched: Some(typical),
            touched: is_touched.then(|| Typical {
                threshold: scan.limits.at(Class::TouchedOwn),
                ..typical
            }),
        }
    }

    /// The growth that is found four times in five of a function that is this share of the whole, in shares of the
    /// whole; none where nothing was weighed.
    pub fn detectable(&self, share: f64) -> Option<f64> {
        let typical = self.untouched.as_ref()?;
        Some(typical.detectable(share, &More::default()))
    }

    /// The same of one that was touched; none where nobody said what was.
    pub fn detectable_of_touched(&self, share: f64) -> Option<f64> {
        let typical = self.touched.as_ref()?;
        Some(typical.detectable(share, &More::default()))
    }

    /// What the scan could have seen, and what it takes to see more.
    pub(crate) fn powers(&self, gate: &Gate) -> Vec<Power> {
        let of_size = |share: f64| {
            let detectable = self.detectable(share)?;
            Some(Power {
                share,
                detectable,
                touched: self.detectable_of_touched(share),
                plan: self.untouched.as_ref()?.plan(share, detectable, gate),
            })
        };
        SIZES.into_iter().filter_map(of_size).collect()
    }
}

/// What growth of each function is found that is by itself a large part of the whole: its share can hardly become
/// larger. What the whole costs tells of it, where that is counted.
pub(crate) fn of_large(weights: &Weights, scan: &Scan, gate: &Gate) -> Vec<NamedPower> {
    if scan.spread.total.is_finite() {
        return Vec::new();
    }
    let (pooled, spread) = (&weights.pooled, &scan.spread);
    let caution = Typical::of(weights, scan, gate).caution;
    let prefix = prefix_sums(&weights.before);
    let samples = weights.side_samples(Side::Before);
    let mut powers: Vec<NamedPower> = (weights.sets.iter().enumerate())
        .filter(|(n, set)| set.kind == Kind::Own && pooled.share[*n] > LARGE)
        .map(|(n, set)| {
            let weight = pooled.within[n] / spread.within[n] + pooled.mix[n] / spread.mix[n];
            let error = caution * pooled.variance(n) / weight.sqrt();
            let delta = (scan.limits.at(weights.classes[n]) + FOUR_IN_FIVE) * error;
            let share = set.sum(&prefix) / samples;
            NamedPower {
                function: set.function,
                share,
                detectable: delta / (1.0 - share - delta).max(0.01),
            }
        })
        .collect();
    powers.sort_by(|a, b| b.share.total_cmp(&a.share));
    powers
}

/// More of the same.
struct More {
    /// How many times as long each run is sampled.
    time: f64,
    /// How many more runs of the same length each side has.
    runs: usize,
}

impl Default for More {
    fn default() -> Self {
        More { time: 1.0, runs: 0 }
    }
}

/// What a function of this service is like, and what is asked of it.
#[derive(Clone, Copy, Debug)]
struct Typical {
    /// The variance of a change within kinds of requests, over that of a single sample: by sampling, and by what
    /// differs between runs. Of the latter there is more the larger a function is.
    sampled: f64,
    of_runs: f64,
    /// Which part of its variance is within kinds of requests.
    within: f64,
    /// The same variances of the part by the mix.
    mix_sampled: f64,
    mix_of_runs: f64,
    threshold: f64,
    /// The threshold for more runs, without what variances that were estimated add to it.
    threshold_of_runs: f64,
    /// How likely a growth may pass it by chance, for each set alone.
    alpha_of_one: f64,
    method: Method,
    runs: [f64; 2],
    /// What is added to errors for caution.
    caution: f64,
    min_effect: f64,
    samples: f64,
}

impl Typical {
    fn of(weights: &Weights, scan: &Scan, gate: &Gate) -> Typical {
        let own: Vec<usize> = (0..weights.sets.len())
            .filter(|n| weights.sets[*n].kind == Kind::Own)
            .collect();
        let median = |of: &dyn Fn(usize) -> f64, otherwise: f64| {
            let mut values: Vec<f64> = own.iter().map(|n| of(*n)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(otherwise)
        };
        let pooled = &weights.pooled;
        let sides = [Side::Before, Side::After].map(|side| weights.side_samples(side));
        let v = 1.0 / sides[0] + 1.0 / sides[1];
        let sampled = |n: usize| scan.effects[n] * weights.long_run * v;
        let runs = gate.runs.map(|runs| runs as f64);
        let of_runs = |n: usize| (1.0 / runs[0] + 1.0 / runs[1]) * scan.between_runs(n).powi(2);
        // Where variances are estimated from few runs, more is asked for than the two.
        let asked = |n: usize| {
            let of_runs = of_runs(n) * pooled.within[n] * weights.composition[n].herfindahl;
            scan.spread.within[n] / (sampled(n) + of_runs)
        };
        let asked = median(&asked, 1.0);
        // Of the variance of the mix, what slices show is by sampling.
        let kinds_effect = (gate.rules.assumed_effect).unwrap_or(weights.kinds_effect);
        let of_mix = (1.0 / runs[0] + 1.0 / runs[1]) * scan.usual_mix();
        let spread_of_mix = median(&|n| scan.spread.mix[n], 1.0);
        let by_sampling = kinds_effect * v / (kinds_effect * v + of_mix).max(f64::MIN_POSITIVE);
        // Half of alpha is for functions themselves, and half of that for those that were touched.
        let is_touched = weights.classes.contains(&Class::TouchedOwn);
        let part = if is_touched { 0.25 } else { 0.5 };
        let alpha_of_one = part * gate.rules.alpha_of_sets() / own.len().max(1) as f64;
        Typical {
            sampled: asked * median(&sampled, v),
            of_runs: asked * median(&of_runs, 0.0),
            within: median(&|n| pooled.within[n] / pooled.variance(n), 1.0).min(1.0),
            mix_sampled: spread_of_mix * by_sampling,
            mix_of_runs: spread_of_mix * (1.0 - by_sampling),
            threshold: scan.limits.own,
            threshold_of_runs: match gate.method {
                Method::Slices => upper_quantile(alpha_of_one),
                Method::Runs | Method::Counts => scan.limits.own,
            },
            alpha_of_one,
            method: gate.method,
            runs,
            caution: match gate.rules.prior.measured || gate.method == Method::Runs {
                true => 1.0,
                false => LEARNT,
            },
            min_effect: gate.min_effect,
            samples: 0.5 * (sides[0] + sides[1]),
        }
    }

    /// The growth of a function of this size that is found four times in five, in shares of the whole.
    fn detectable(&self, share: f64, more: &More) -> f64 {
        let threshold = self.threshold(more);
        let error = |delta: f64| self.error(share + 0.5 * delta, more) * self.caution;
        let points = |delta: f64| delta / (1.0 - share - delta).max(0.01);
        // What is found depends a little on how large it is.
        let (mut at_threshold, mut delta) = (0.0, 0.0);
        for _ in 0..20 {
            at_threshold = threshold * error(delta);
            delta = (at_threshold + FOUR_IN_FIVE * error(delta)).min(0.9 - share);
        }
        let (found, least) = (points(delta), points(at_threshold));
        found + (self.min_effect - least).max(0.0)
    }

    /// The threshold with more runs, whose variances are known from the runs themselves.
    fn threshold(&self, more: &More) -> f64 {
        let of_runs = |runs: usize| {
            let df = self.runs[0] + self.runs[1] + 2.0 * runs as f64 - 2.0;
            t_upper_quantile(self.alpha_of_one, PRIOR_DF + df) / upper_quantile(self.alpha_of_one)
        };
        match (more.runs, self.method) {
            (0, _) => self.threshold,
            (_, Method::Counts) => self.threshold,
            (runs, Method::Slices) => self.threshold_of_runs * of_runs(runs),
            (runs, Method::Runs) => self.threshold_of_runs * of_runs(runs) / of_runs(0),
        }
    }

    /// The standard error of the share of a function of this size.
    fn error(&self, share: f64, more: &More) -> f64 {
        let variance = share * (1.0 - share);
        let (within, mix) = (variance * self.within, variance * (1.0 - self.within));
        let per = |runs: f64| 1.0 / (self.runs[0] + runs) + 1.0 / (self.runs[1] + runs);
        let fewer = per(more.runs as f64) / per(0.0);
        let of_within = (self.sampled / more.time + self.of_runs * within) * fewer;
        let of_mix = (self.mix_sampled / more.time + self.mix_of_runs) * fewer;
        variance / (within / of_within + mix / of_mix).sqrt()
    }

    /// What it takes to see half of what can be seen now, or what is required.
    fn plan(&self, share: f64, detectable: f64, gate: &Gate) -> Option<Plan> {
        let usual = (0.5 * detectable).max(NEAR * self.min_effect);
        let target = match gate.required.filter(|_| share == USUAL) {
            Some(required) if required < detectable => required,
            _ => usual,
        };
        if target >= detectable {
            return None;
        }
        let with_time = |time: f64| self.detectable(share, &More { time, runs: 0 });
        let with_runs = |runs: usize| self.detectable(share, &More { time: 1.0, runs });
        let time = (with_time(LONGEST) <= target).then(|| {
            let (mut low, mut high) = (0.0, LONGEST.ln());
            for _ in 0..40 {
                let middle = 0.5 * (low + high);
                match with_time(middle.exp()) <= target {
                    true => high = middle,
                    false => low = middle,
                }
            }
            high.exp() - 1.0
        });
        let profiles = (with_runs(MOST) <= target).then(|| {
            let (mut low, mut high) = (0, MOST);
            while high - low > 1 {
                let middle = (low + high) / 2;
                match with_runs(middle) <= target {
                    true => high = middle,
                    false => low = middle,
                }
            }
            high
        });
        let [before, after] = gate.wall_ns;
        let seconds = before
            .zip(after)
            .map(|(before, after)| (before + after) as f64 / 2e9);
        Some(Plan {
            target,
            seconds: time.zip(seconds).map(|(more, seconds)| more * seconds),
            samples: time.map(|more| more * self.samples),
            profiles,
            floor: with_time(1e9),
        })
    }
}
