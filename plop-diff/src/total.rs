//! The whole of each side: what it cost by exact counters, or by shares if most functions did not change.

use std::f64::consts::FRAC_PI_2;

use plop_core::Profile;

use crate::compare::Options;
use crate::comparison::{Mode, Total, TotalTest, Warning};
use crate::scan::Scan;
use crate::sets::Kind;
use crate::stats::{t_upper_quantile, t_upper_tail};
use crate::tree::Side;
use crate::weigh::{FEWEST, Weights};

/// Which part of the error rate is spent on the whole, where it is tested: most, since a growth that no function
/// shows is there to be found as well.
pub(crate) const TOTAL_SHARE: f64 = 0.7;

/// The whole.
pub(crate) struct Whole {
    pub(crate) total: Total,
    /// What it is a cost of, if the program counts that.
    pub(crate) counter: Option<String>,
    /// The logarithms of the costs of the runs of each side.
    pub(crate) logs: [Vec<f64>; 2],
    /// By how much their means differ, the standard error of that, and its degrees of freedom, where it is tested.
    means: Option<Means>,
}

#[derive(Clone, Copy)]
struct Means {
    change: f64,
    error: f64,
    df: f64,
}

impl Whole {
    /// Tests the whole at this part of the error rate.
    pub(crate) fn test_at(&mut self, limit: f64) {
        self.total.tested = self.means.map(|Means { change, error, df }| {
            let margin = t_upper_quantile(limit, df) * error;
            TotalTest {
                interval: [(change - margin).exp(), (change + margin).exp()],
                p: t_upper_tail(change / error, df),
                limit,
            }
        });
    }
}

/// The mode that is meant, and the whole by exact counters.
pub(crate) fn normalized(
    before: &[Vec<&Profile>],
    after: &[Vec<&Profile>],
    options: &Options,
    said: &mut Vec<Warning>,
) -> (Mode, Option<Whole>) {
    let mut all = before.iter().chain(after).flatten();
    let counter = all.next().and_then(|first| {
        let names = first.meta.work.iter().map(|(name, _)| name);
        let all = || before.iter().chain(after).flatten();
        let mut common = names.filter(|name| all().all(|profile| work_of(profile, name) > 0.0));
        common.next()
    });
    let cpu = |profile: &Profile| profile.meta.cpu_ns.map(|ns| ns as f64);
    let by_work = || {
        let name = counter?;
        let per = |profile: &Profile| Some(work_of(profile, name));
        let mut whole = whole([before, after], &cpu, &per, Some(options.alpha))?;
        whole.total.unit = format!("ns/{name}");
        whole.counter = Some(name.clone());
        Some(whole)
    };
    let wall = |profile: &Profile| {
        let wall = profile.meta.wall_ns.or(profile.meta.duration_ns)?;
        Some(wall as f64)
    };
    let by_time = |tested: bool| {
        let alpha = tested.then_some(options.alpha);
        let mut whole = whole([before, after], &cpu, &wall, alpha)?;
        whole.total.unit = "CPU".to_owned();
        Some(whole)
    };
    let lacks = |of: &dyn Fn(&Profile) -> Option<f64>| {
        let mut all = before.iter().chain(after).flatten();
        all.any(|profile| of(profile).is_none_or(|amount| amount <= 0.0))
    };
    let mut instead = |code: &'static str, text: &str| {
        said.push(Warning {
            code,
            text: format!("{text}, so shares are compared"),
            forbids: false,
        });
        (Mode::Share, by_time(false))
    };
    match options.mode {
        Mode::Share => (Mode::Share, by_time(false)),
        Mode::Time => match by_time(true) {
            Some(whole) => (Mode::Time, Some(whole)),
            None if lacks(&cpu) => instead("no-time", "not every profile tells its CPU time"),
            None => instead("no-time", "not every profile tells how long it took"),
        },
        Mode::Bulk => (Mode::Bulk, None),
        Mode::Work | Mode::Auto => match by_work() {
            Some(whole) => (Mode::Work, Some(whole)),
            None if options.mode == Mode::Auto => (Mode::Share, by_time(false)),
            None if counter.is_some() => instead("no-time", "not every profile tells its CPU time"),
            None => instead("no-work", "the sides count no work in common"),
        },
    }
}

/// How much of a counter a run has.
fn work_of(profile: &Profile, name: &str) -> f64 {
    let amounts = profile.meta.work.iter().filter(|(other, _)| other == name);
    amounts.map(|(_, amount)| *amount as f64).sum()
}

/// What both sides cost, and a t test of it where there are several runs and it is asked for.
fn whole(
    sides: [&[Vec<&Profile>]; 2],
    cost: &dyn Fn(&Profile) -> Option<f64>,
    per: &dyn Fn(&Profile) -> Option<f64>,
    alpha: Option<f64>,
) -> Option<Whole> {
    let mut all = [0.0; 2];
    let mut logs: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for (side, deploys) in sides.into_iter().enumerate() {
        let (mut costs, mut units) = (0.0, 0.0);
        for profiles in deploys {
            let sum = |of: &dyn Fn(&Profile) -> Option<f64>| -> Option<f64> {
                profiles.iter().map(|profile| of(profile)).sum()
            };
            let (cost, per) = (sum(cost)?, sum(per)?);
            if cost <= 0.0 || per <= 0.0 {
                return None;
            }
            costs += cost;
            units += per;
            logs[side].push((cost / per).ln());
        }
        all[side] = costs / units;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means = [mean(&logs[0]), mean(&logs[1])];
    let squares: f64 = (logs.iter().zip(means))
        .flat_map(|(values, mean)| values.iter().map(move |value| (value - mean).powi(2)))
        .sum();
    let df = (logs[0].len() + logs[1].len()) as f64 - 2.0;
    let counts = 1.0 / logs[0].len() as f64 + 1.0 / logs[1].len() as f64;
    let mut whole = Whole {
        total: Total {
            unit: String::new(),
            before: all[0],
            after: all[1],
            tested: None,
            alike: None,
        },
        counter: None,
        logs,
        means: (df >= 1.0).then(|| Means {
            change: means[1] - means[0],
            error: (squares / df * counts).sqrt().max(1e-12),
            df,
        }),
    };
    if let Some(alpha) = alpha {
        whole.test_at(TOTAL_SHARE * alpha);
    }
    Some(whole)
}

/// The whole as shares alone tell it.
pub(crate) struct Bulk {
    pub(crate) whole: Whole,
    /// By how much the logarithm of its change may be wrong: by sampling, and since functions of one kind of request come
    /// more or less often together.
    pub(crate) unsure: f64,
}

/// It is sure to so many standard errors by sampling.
const SURELY: f64 = 3.0;
/// Twice the standard deviation of the median of kinds of requests, over that of a sample's kind.
const MIDDLE_OF_KINDS: f64 = 2.5;

/// The whole as shares alone tell it, if most functions did not change: their shares shrank by what it grew
/// (the median of ratios of Anders and Huber 2010, weighed by how precise each ratio is, up to the middle one: the
/// function that changed may be most of all samples).
pub(crate) fn bulk(weights: &Weights, scan: &Scan) -> Option<Bulk> {
    let tree = weights.tree;
    let samples = [Side::Before, Side::After].map(|side| weights.side_samples(side));
    // All functions, also those that are too small to be weighed: there may be very many.
    let mut functions = vec![[0.0f64; 2]; tree.functions.len()];
    for (place, node) in tree.stacks.iter().enumerate() {
        if let Some(of) = functions.get_mut(tree.node_functions[*node as usize] as usize) {
            of[0] += weights.before[place];
            of[1] += weights.after[place];
        }
    }
    let mut effects: Vec<Option<f64>> = vec![None; functions.len()];
    let own = (weights.sets.iter().enumerate()).filter(|(_, set)| set.kind == Kind::Own);
    for (n, set) in own {
        effects[set.function as usize] = Some(scan.effects[n]);
    }
    let known = effects.iter().flatten();
    let usual = known.clone().sum::<f64>() / known.count().max(1) as f64;
    let mut ratios: Vec<(f64, f64)> = (functions.iter().zip(&effects))
        .filter(|([before, after], _)| before + after >= FEWEST)
        .map(|([before, after], effect)| {
            let (before, after) = (before + 0.5, after + 0.5);
            let ratio = (after / samples[1]).ln() - (before / samples[0]).ln();
            let effect = effect.unwrap_or(usual.max(1.0));
            (ratio, 1.0 / (effect * (1.0 / before + 1.0 / after)))
        })
        .collect();
    if ratios.is_empty() {
        return None;
    }
    let precision: f64 = ratios.iter().map(|(_, weight)| weight).sum();
    let by_sampling = SURELY * (FRAC_PI_2 / precision).sqrt();
    let by_mix = match weights.strata.count {
        1 => 0.0,
        _ => MIDDLE_OF_KINDS * (2.0 * scan.usual_mix()).sqrt(),
    };
    let middle = crate::stats::even_median(&mut ratios);
    let whole = Whole {
        total: Total {
            unit: "bulk".to_owned(),
            before: 1.0,
            after: (-middle).exp(),
            tested: None,
            alike: None,
        },
        counter: None,
        logs: [Vec::new(), Vec::new()],
        means: None,
    };
    Some(Bulk {
        whole,
        unsure: by_sampling + by_mix,
    })
}
