//! What several runs of one build tell of a service: how much runs differ, how often two of them would be taken
//! for different builds, and what a comparison can see then.

use plop_core::{Error, Profile, Result};
use rayon::prelude::*;

use crate::compare::{Options, compare, each};
use crate::comparison::Comparison;
use crate::environment::Surroundings;
use crate::noise::Prior;
use crate::prepared::prepared;
use crate::runs::Runs;
use crate::sets::Kind;
use crate::stats::share_interval;
use crate::weigh::Weights;

/// What is known of a service after its runs were looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct Calibration {
    /// How many runs there were.
    pub runs: usize,
    /// The relative standard deviation of a function's cost between runs, and the standard error of its logarithm.
    pub functions: f64,
    /// See `functions`.
    pub functions_error: f64,
    /// How uneven functions are in that: the standard deviation of the logarithm of their own.
    pub uneven: f64,
    /// The variance of the mix of requests between runs, and the standard error of its logarithm.
    pub mix: f64,
    /// See `mix`.
    pub mix_error: f64,
    /// The middle design effect of functions.
    pub design_effect: f64,
    /// How many pairs of runs were compared, with this calibration.
    pub pairs: usize,
    /// How many of them gave an alarm.
    pub alarms: usize,
    /// Between which bounds the rate of false alarms lies, with 95 % confidence, if pairs did not share runs.
    pub alarm_rate: [f64; 2],
    /// The growth of a function of 5 % that one run a side shows four times in five, with this calibration and
    /// without, in shares of the whole.
    pub detectable: [f64; 2],
    /// Where the runs were recorded; what they differ in is empty.
    pub surroundings: Surroundings,
}

impl Calibration {
    /// What a comparison may believe of the service.
    pub fn prior(&self) -> Prior {
        Prior {
            functions: self.functions,
            functions_sd: self.functions_error,
            mix: self.mix,
            mix_sd: self.mix_error,
            uneven: self.uneven,
            measured: true,
        }
    }
}

/// So many pairs are compared at most.
const MOST_PAIRS: usize = 200;
/// Runs that were recorded to be learnt from are believed more than what is usual: the standard deviation of the
/// logarithm of what functions differ by.
const OPEN: f64 = 2.0;
/// What no number of runs tells better.
const LEAST_ERROR: f64 = 0.05;

/// Learns from runs of one build.
///
/// # Errors
/// When there are fewer than three, or they have nothing in common.
pub fn calibrate(runs: &[&Profile], options: &Options) -> Result<Calibration> {
    if runs.len() < 3 {
        return Err(Error::new(format!(
            "expected three runs of one build or more, found {}",
            runs.len()
        )));
    }
    let prepared = prepared(&each(runs), &[], options)?;
    let weights = Weights::of(&prepared.tree, &prepared.sets, &prepared.strata);
    let by_run = Runs::of(&weights);
    let effects = by_run.design_effects(&weights);
    let open = Prior {
        functions_sd: OPEN,
        ..options.prior
    };
    let learnt = by_run.learn(&weights, &effects, &open);
    let (functions, mix) = (learnt.sigma, learnt.phi);
    let own = prepared
        .sets
        .iter()
        .filter(|set| set.kind == Kind::Own)
        .count()
        .max(1);
    let df = runs.len() as f64 - 1.0;
    let error = |count: f64| (2.0 / (df * count)).sqrt().max(LEAST_ERROR);
    let design: Vec<f64> = (prepared.sets.iter().zip(&effects))
        .filter(|(set, _)| set.kind == Kind::Own)
        .map(|(_, effect)| *effect)
        .collect();
    let mut calibration = Calibration {
        runs: runs.len(),
        functions,
        uneven: learnt.uneven,
        functions_error: error(own as f64),
        mix: mix.max(1e-7),
        mix_error: error((prepared.strata.count as f64 - 1.0).max(1.0)),
        design_effect: if design.is_empty() {
            1.0
        } else {
            median(design)
        },
        pairs: 0,
        alarms: 0,
        alarm_rate: [0.0, 1.0],
        detectable: [0.0, 0.0],
        surroundings: common(runs),
    };
    let mut pairs: Vec<(usize, usize)> = (0..runs.len())
        .flat_map(|a| (a + 1..runs.len()).map(move |b| (a, b)))
        .collect();
    // Those that are far apart in the list first: neighbours may share what the machine did meanwhile.
    pairs.sort_by_key(|(a, b)| (std::cmp::Reverse(b - a), *a));
    pairs.truncate(MOST_PAIRS);
    let told = Options {
        prior: calibration.prior(),
        permutations: 299,
        ..options.clone()
    };
    let found: Vec<(bool, f64)> = pairs
        .par_iter()
        .map(|(a, b)| {
            let comparison = compare(&[runs[*a]], &[runs[*b]], &told)?;
            let grew = comparison.findings.iter().any(|finding| finding.grew());
            Ok((grew, detectable(&comparison)))
        })
        .collect::<Result<_>>()?;
    let untold = compare(&[runs[0]], &[runs[runs.len() - 1]], options)?;
    calibration.detectable = [
        median(found.iter().map(|(_, detectable)| *detectable).collect()),
        detectable(&untold),
    ];
    calibration.pairs = found.len();
    calibration.alarms = found.iter().filter(|(alarm, _)| *alarm).count();
    calibration.alarm_rate = share_interval(calibration.alarms, calibration.pairs, 0.95);
    Ok(calibration)
}

/// What is the same for all runs.
fn common(runs: &[&Profile]) -> Surroundings {
    let of: Vec<Surroundings> = runs.iter().map(|run| Surroundings::of(run)).collect();
    let same = |word: &dyn Fn(&Surroundings) -> &String| {
        let mut words = of.iter().map(word);
        let first = words.next().cloned().unwrap_or_default();
        match words.all(|word| *word == first) {
            true => first,
            false => String::new(),
        }
    };
    Surroundings {
        runtime: same(&|of| &of.runtime),
        host: same(&|of| &of.host),
        clock: same(&|of| &of.clock),
        period: same(&|of| &of.period),
    }
}

fn detectable(comparison: &Comparison) -> f64 {
    let power = &comparison.power;
    let of_five = power.iter().find(|power| power.share == 0.05);
    of_five.map_or(0.0, |power| power.detectable)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
