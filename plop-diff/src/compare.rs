//! The whole way from two sides to a verdict.

use plop_core::{Error, Profile, Result};

use crate::comparison::{
    Comparison, Finding, Method, Mode, Noise, Summary, Total, TotalTest, Verdict, Warning,
};
use crate::environment::{warnings, word_of};
use crate::noise::Prior;
use crate::reason::reason;
use crate::scan::{Cause, Rules, Scan, scan};
use crate::sets::{Set, sets};
use crate::stats::{t_upper_quantile, t_upper_tail};
use crate::strata::Strata;
use crate::tree::{Run, Side, Tree, align, is_count};
use crate::weigh::Weights;
use crate::{power, sets::Kind};

/// How to compare.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// How often the verdict is wrong on two runs of one build.
    pub alpha: f64,
    /// The least growth that fails, in shares of the whole cost.
    pub min_effect: f64,
    /// What is compared.
    pub mode: Mode,
    /// The kind of value that is compared; the profiles' default unless it is named.
    pub value: Option<String>,
    /// How many times slices are dealt out.
    pub permutations: usize,
    /// Whether a changed environment is no reason to have no verdict.
    pub allow_environment: bool,
    /// How much more samples vary than independent ones, where there are no slices to tell.
    pub design_effect: Option<f64>,
    /// What is believed of the differences between runs.
    pub prior: Prior,
    /// What the sides are called, in place of their commits.
    pub names: [Option<String>; 2],
}

impl Default for Options {
    fn default() -> Self {
        Options {
            alpha: 0.01,
            min_effect: 0.005,
            mode: Mode::Auto,
            value: None,
            permutations: 999,
            allow_environment: false,
            design_effect: None,
            prior: Prior::default(),
            names: [None, None],
        }
    }
}

/// The share of all samples below which a set of stacks is not weighed.
const LEAST_SHARE: f64 = 0.001;
/// How much samples without slices are taken to vary, and how much they may if a finding is to count.
const ASSUMED_EFFECT: f64 = 5.0;
const HARSH_EFFECT: f64 = 20.0;
/// So many runs do without slices.
const FEW_RUNS: usize = 6;
/// Which part of the error rate is spent on the whole, where it is tested.
const TOTAL_SHARE: f64 = 0.5;
/// Fewer slices do not tell how much samples vary.
const FEW_SLICES: usize = 10;

/// Compares the runs of two sides: of one build each, or of several.
///
/// # Errors
/// When a side has no run or no samples, or the sides have no kind of value in common.
pub fn compare(before: &[&Profile], after: &[&Profile], options: &Options) -> Result<Comparison> {
    if after.is_empty() {
        return Err(Error::new("after has no profile"));
    }
    let Prepared {
        runs,
        tree,
        selfs,
        sets: weighed,
        strata,
    } = prepared(before, after, options)?;
    let samples = [tree.samples(Side::Before), tree.samples(Side::After)];
    let single = Strata::single(&tree);
    let sliced = [Side::Before, Side::After]
        .iter()
        .all(|side| slices(&tree, *side) >= FEW_SLICES);
    let method = match sliced {
        true if runs > 2 => Method::Runs,
        true => Method::Slices,
        // Enough runs tell by themselves how much they differ.
        false if runs >= FEW_RUNS => Method::Runs,
        false => Method::Counts,
    };
    let strata = match method {
        Method::Counts => &single,
        _ => &strata,
    };
    let weights = Weights::of(&tree, &weighed, strata);
    let seed = seed(&tree);
    let mut said = warnings(before, after, samples);
    let (mode, total) = normalized(before, after, options, &mut said);
    let is_tested = total
        .as_ref()
        .is_some_and(|(total, _)| total.tested.is_some());
    let rules = Rules {
        alpha: match is_tested {
            true => (1.0 - TOTAL_SHARE) * options.alpha,
            false => options.alpha,
        },
        permutations: options.permutations,
        seed,
        prior: options.prior,
        assumed_effect: match method {
            Method::Slices | Method::Runs => None,
            Method::Counts => Some(options.design_effect.unwrap_or(ASSUMED_EFFECT)),
        },
    };
    let scan = scan(&weights, &rules);
    if method == Method::Counts {
        said.push(assumption(options));
    }
    let findings: Vec<Finding> = (scan.causes.iter())
        .map(|cause| finding(&weights, &scan, cause, samples))
        .collect();
    let noise = noise_of(&weights, &scan, options);
    let mut comparison = Comparison {
        verdict: Verdict::Ok,
        mode,
        method,
        sides: [
            summary(before, &tree, Side::Before, options, &total),
            summary(after, &tree, Side::After, options, &total),
        ],
        alpha: options.alpha,
        min_effect: options.min_effect,
        hypotheses: weighed.len(),
        threshold: scan.threshold,
        seed,
        kinds: strata.count,
        total: total.map(|(total, _)| total),
        findings,
        power: power::power(&weights, &scan, options.min_effect, options.prior.measured),
        noise,
        warnings: said,
        node_z: node_z(&tree, &weighed, &scan),
        selfs,
        tree: Tree::default(),
    };
    comparison.verdict = judge(&comparison, &weights, &rules, options);
    comparison.tree = tree;
    Ok(comparison)
}

/// Runs on one tree, and what is weighed of it.
pub(crate) struct Prepared {
    /// How many runs there are.
    pub(crate) runs: usize,
    pub(crate) tree: Tree,
    /// Own samples of each node, before and after.
    pub(crate) selfs: [Vec<f64>; 2],
    pub(crate) sets: Vec<Set>,
    pub(crate) strata: Strata,
}

/// Puts runs on one tree. There may be none after, where runs of one build are looked at.
pub(crate) fn prepared(
    before: &[&Profile],
    after: &[&Profile],
    options: &Options,
) -> Result<Prepared> {
    let runs = chosen(before, after, options)?;
    let tree = align(&runs);
    for (side, profiles, which) in [
        ("before", before, Side::Before),
        ("after", after, Side::After),
    ] {
        if !profiles.is_empty() && tree.samples(which) <= 0.0 {
            return Err(Error::new(format!(
                "{side} has no samples of the value that is compared"
            )));
        }
    }
    let selfs = [
        tree.selfs(|column| column.side == Side::Before),
        tree.selfs(|column| column.side == Side::After),
    ];
    let both: Vec<f64> = selfs[0].iter().zip(&selfs[1]).map(|(a, b)| a + b).collect();
    let all: f64 = both.iter().sum();
    Ok(Prepared {
        runs: runs.len(),
        sets: sets(&tree, &both, (LEAST_SHARE * all).max(crate::weigh::FEWEST)),
        strata: Strata::of(&tree, &both),
        tree,
        selfs,
    })
}

/// The runs, with the value of each that is compared.
fn chosen<'p>(
    before: &[&'p Profile],
    after: &[&'p Profile],
    options: &Options,
) -> Result<Vec<Run<'p>>> {
    if before.is_empty() {
        return Err(Error::new("before has no profile"));
    }
    let all = || before.iter().chain(after);
    let kinds = |profile: &Profile| -> Vec<String> {
        let mut kinds: Vec<&plop_core::ValueType> = profile.values.iter().collect();
        let default = profile.default_value;
        // The default first, then counts before amounts.
        if default < kinds.len() {
            let first = kinds.remove(default);
            kinds.insert(0, first);
        }
        kinds.iter().map(|value| value.kind.clone()).collect()
    };
    let first = kinds(before[0]);
    let wanted = match &options.value {
        Some(kind) => vec![kind.clone()],
        None => first,
    };
    let common = wanted
        .iter()
        .find(|kind| all().all(|profile| profile.values.iter().any(|value| value.kind == **kind)));
    let find = |profile: &Profile| match common {
        // Of several units of one kind, a count says how sure a number is.
        Some(kind) => {
            let of_kind =
                || (profile.values.iter().enumerate()).filter(|(_, value)| value.kind == *kind);
            of_kind()
                .find(|(_, value)| is_count(value))
                .or_else(|| of_kind().next())
                .map(|(n, _)| n)
        }
        // Where every side has one value, they are meant.
        None if options.value.is_none() && all().all(|profile| profile.values.len() == 1) => {
            Some(0)
        }
        None => None,
    };
    let mut runs = Vec::new();
    for (side, profiles) in [(Side::Before, before), (Side::After, after)] {
        for profile in profiles {
            let Some(value) = find(profile) else {
                let list = |profiles: &[&Profile]| {
                    let mut kinds: Vec<String> =
                        profiles.iter().flat_map(|profile| kinds(profile)).collect();
                    kinds.sort();
                    kinds.dedup();
                    kinds.join(", ")
                };
                return Err(Error::new(format!(
                    "the sides have no value in common: before has {}, after {}",
                    list(before),
                    list(after)
                )));
            };
            runs.push(Run {
                side,
                profile,
                value,
            });
        }
    }
    Ok(runs)
}

fn slices(tree: &Tree, side: Side) -> usize {
    let of_side = |column: &&crate::tree::Column| {
        column.side == side && column.is_slice && column.samples > 0.0
    };
    tree.columns.iter().filter(of_side).count()
}

/// A number that the samples determine, so that the same input gives the same bytes.
fn seed(tree: &Tree) -> u64 {
    let mut seed = tree.len() as u64;
    for cells in &tree.cells {
        for cell in cells {
            let mixed = u64::from(cell.node) << 32 ^ cell.samples.to_bits();
            seed = (seed.rotate_left(23) ^ mixed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        seed = seed.wrapping_add(1).rotate_left(7);
    }
    seed
}

fn assumption(options: &Options) -> Warning {
    let text = match options.design_effect {
        Some(effect) => format!(
            "without slices it is not known how much samples vary: {effect} times as much as independent ones, as \
             you said"
        ),
        None => format!(
            "without slices it is not known how much samples vary: {ASSUMED_EFFECT} times as much as independent \
             ones is assumed (--design-effect), and a finding must survive {HARSH_EFFECT} times"
        ),
    };
    Warning {
        code: "counts-only",
        text,
        forbids: false,
    }
}

fn finding(weights: &Weights, scan: &Scan, cause: &Cause, samples: [f64; 2]) -> Finding {
    let set = &weights.sets[cause.set];
    let sum = |selfs: &[f64]| -> f64 {
        set.ranges(weights.tree)
            .map(|(from, to)| selfs[from..to].iter().sum::<f64>())
            .sum()
    };
    let counts = [sum(&weights.before), sum(&weights.after)];
    let share = [counts[0] / samples[0], counts[1] / samples[1]];
    let change = cause.change;
    let margin = scan.threshold * change.error;
    let points = |delta: f64| delta / (1.0 - share[0] - delta).max(1e-3);
    Finding {
        kind: set.kind,
        reason: reason(
            weights.tree,
            set,
            [&weights.before, &weights.after],
            samples,
            scan.effects[cause.set],
            scan.between.functions[cause.set],
        ),
        function: set.function,
        caller: set.caller,
        also: set.also.clone(),
        nodes: set.nodes.clone(),
        samples: counts,
        share,
        points: points(change.delta),
        interval: [points(change.delta - margin), points(change.delta + margin)],
        z: change.z,
        factor: cause.odds,
        design_effect: scan.effects[cause.set],
    }
}

/// The mode that is meant, and the whole by exact counters.
fn normalized(
    before: &[&Profile],
    after: &[&Profile],
    options: &Options,
    said: &mut Vec<Warning>,
) -> (Mode, Option<(Total, Option<String>)>) {
    let counter = before.first().and_then(|profile| {
        (profile.meta.work.iter())
            .map(|(name, _)| name)
            .find(|name| {
                let mut all = before.iter().chain(after);
                all.all(|profile| work_of(profile, name) > 0.0)
            })
    });
    let cpu = |profile: &Profile| profile.meta.cpu_ns.map(|ns| ns as f64);
    let by_work = |tested: bool| {
        let name = counter?;
        let per = |profile: &Profile| Some(work_of(profile, name));
        let total = total([before, after], &cpu, &per, tested.then_some(options.alpha))?;
        let unit = format!("ns/{name}");
        Some((Total { unit, ..total }, Some(name.clone())))
    };
    let by_time = |tested: bool| {
        let wall = |profile: &Profile| {
            let wall = profile.meta.wall_ns.or(profile.meta.duration_ns)?;
            Some(wall as f64)
        };
        let total = total(
            [before, after],
            &cpu,
            &wall,
            tested.then_some(options.alpha),
        )?;
        let unit = "CPU".to_owned();
        Some((Total { unit, ..total }, None))
    };
    match options.mode {
        Mode::Share => (Mode::Share, by_time(false)),
        Mode::Time => (Mode::Time, by_time(true)),
        Mode::Work | Mode::Auto => match by_work(true) {
            Some(total) => (Mode::Work, Some(total)),
            None if options.mode == Mode::Auto => (Mode::Share, by_time(false)),
            None => {
                said.push(Warning {
                    code: "no-work",
                    text: "the sides count no work in common, so shares are compared".into(),
                    forbids: false,
                });
                (Mode::Share, by_time(false))
            }
        },
    }
}

/// How much of a counter a run has.
fn work_of(profile: &Profile, name: &str) -> f64 {
    let amounts = profile.meta.work.iter().filter(|(other, _)| other == name);
    amounts.map(|(_, amount)| *amount as f64).sum()
}

/// What both sides cost, and a t test of it where there are several runs and it is asked for.
fn total(
    sides: [&[&Profile]; 2],
    cost: &dyn Fn(&Profile) -> Option<f64>,
    per: &dyn Fn(&Profile) -> Option<f64>,
    alpha: Option<f64>,
) -> Option<Total> {
    let mut whole = [0.0; 2];
    let mut logs: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for (side, profiles) in sides.into_iter().enumerate() {
        let (mut costs, mut units) = (0.0, 0.0);
        for profile in profiles {
            let (cost, per) = (cost(profile)?, per(profile)?);
            if cost <= 0.0 || per <= 0.0 {
                return None;
            }
            costs += cost;
            units += per;
            logs[side].push((cost / per).ln());
        }
        whole[side] = costs / units;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means = [mean(&logs[0]), mean(&logs[1])];
    let squares: f64 = (logs.iter().zip(means))
        .flat_map(|(values, mean)| values.iter().map(move |value| (value - mean).powi(2)))
        .sum();
    let df = (logs[0].len() + logs[1].len()) as f64 - 2.0;
    let tested = alpha.filter(|_| df >= 1.0).map(|alpha| {
        let counts = 1.0 / logs[0].len() as f64 + 1.0 / logs[1].len() as f64;
        let error = (squares / df * counts).sqrt().max(1e-12);
        let change = means[1] - means[0];
        let limit = TOTAL_SHARE * alpha;
        let margin = t_upper_quantile(0.5 * limit, df) * error;
        TotalTest {
            interval: [(change - margin).exp(), (change + margin).exp()],
            p: t_upper_tail(change / error, df),
            limit,
        }
    });
    Some(Total {
        unit: String::new(),
        before: whole[0],
        after: whole[1],
        tested,
    })
}

fn summary(
    side: &[&Profile],
    tree: &Tree,
    which: Side,
    options: &Options,
    total: &Option<(Total, Option<String>)>,
) -> Summary {
    let sum = |of: &dyn Fn(&Profile) -> Option<i64>| -> Option<i64> {
        side.iter().map(|profile| of(profile)).sum()
    };
    let commits: Vec<String> = (side.iter())
        .filter_map(|profile| word_of(&profile.meta.build, "commit"))
        .collect();
    let name = options.names[which as usize].clone();
    let name = name.or_else(|| {
        let first = commits.first()?;
        let same = commits.len() == side.len() && commits.iter().all(|commit| commit == first);
        same.then(|| first.chars().take(12).collect())
    });
    let counter = total.as_ref().and_then(|(_, counter)| counter.clone());
    Summary {
        name: name.unwrap_or_default(),
        runs: side.len(),
        samples: tree.samples(which),
        slices: slices(tree, which),
        cpu_ns: sum(&|p| p.meta.cpu_ns),
        wall_ns: sum(&|p| p.meta.wall_ns.or(p.meta.duration_ns)),
        work: counter.map(|counter| {
            let amounts = side
                .iter()
                .flat_map(|p| &p.meta.work)
                .filter(|(name, _)| *name == counter);
            let amount = amounts.map(|(_, amount)| amount).sum();
            (counter, amount)
        }),
        ticks: side.iter().try_fold((0, 0), |sum, profile| {
            let ticks = profile.meta.ticks?;
            Some((sum.0 + ticks.asked, sum.1 + ticks.delivered))
        }),
        runtime: side
            .first()
            .map(|profile| profile.meta.runtime.clone())
            .unwrap_or_default(),
    }
}

fn noise_of(weights: &Weights, scan: &Scan, options: &Options) -> Noise {
    let mut own: Vec<f64> = (weights.sets.iter().zip(&scan.between.functions))
        .filter(|(set, _)| set.kind == Kind::Own)
        .map(|(_, sigma)| *sigma)
        .collect();
    own.sort_by(f64::total_cmp);
    Noise {
        functions: own.get(own.len() / 2).copied().unwrap_or(0.0),
        mix: scan.between.mix,
        measured: options.prior.measured,
    }
}

/// For each node, the change of the set that is the stacks below it, or else of its function.
fn node_z(tree: &Tree, sets: &[Set], scan: &Scan) -> Vec<f64> {
    let mut z = vec![0.0f64; tree.len()];
    for (set, change) in sets.iter().zip(&scan.changes) {
        if set.kind != Kind::Own
            && let [node] = set.nodes[..]
        {
            z[node as usize] = change.z;
        }
    }
    z
}

fn judge(comparison: &Comparison, weights: &Weights, rules: &Rules, options: &Options) -> Verdict {
    let regressed = comparison.regressions().next().is_some() || comparison.total_regressed();
    let forbidden = comparison.warnings.iter().any(|warning| warning.forbids);
    if forbidden && !options.allow_environment {
        return Verdict::Inconclusive;
    }
    if !regressed {
        return Verdict::Ok;
    }
    if comparison.method == Method::Counts
        && options.design_effect.is_none()
        && !comparison.total_regressed()
    {
        // It has to be there also if samples vary far more than was assumed.
        let harsh = Rules {
            assumed_effect: Some(HARSH_EFFECT),
            prior: rules.prior,
            ..*rules
        };
        let survives = scan(weights, &harsh)
            .causes
            .iter()
            .any(|cause| cause.change.z > 0.0);
        if !survives {
            return Verdict::Inconclusive;
        }
    }
    Verdict::Regressed
}
