//! The whole way from two sides to a verdict.

use plop_core::{Error, Profile, Result};

use crate::budget::{self, BudgetTest};
use crate::cause::Cause;
use crate::comparison::{Comparison, Finding, Method, Mode, Total, Verdict, Warning};
use crate::doubts;
use crate::environment::{likeness, warnings};
use crate::explain::MOST_CAUSES;
use crate::groups::{By, one_kind, unlabelled};
use crate::noise::Prior;
use crate::power::{self, Gate, Sensitivity};
use crate::prepared::{Prepared, prepared, seed, with_samples};
use crate::renames::{self, Renames};
use crate::rules::{self, FunctionRules};
use crate::scan::{Rules, scan};
use crate::shift::shift;
use crate::strata::Strata;
use crate::told::{finding, noise_of, of_nodes, slices, summary};
use crate::total;
use crate::touched::{Class, Touched, TouchedHere};
use crate::tree::{Side, Tree};
use crate::weigh::Weights;

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
    /// How many times slices and runs are dealt out, at least: an alpha below one in a hundred needs more.
    pub permutations: usize,
    /// What growth of a function of a twentieth of the whole has to be seen four times in five, in shares of the
    /// whole, if nothing found is to be a verdict.
    pub require_power: Option<f64>,
    /// Whether a growth fails although its cost only moved there from another function.
    pub fail_on_shift: bool,
    /// Whether a changed environment is no reason to have no verdict.
    pub allow_environment: bool,
    /// How much more samples vary than independent ones, where there are no slices to tell.
    pub design_effect: Option<f64>,
    /// What is believed of the differences between runs.
    pub prior: Prior,
    /// What tells kinds of requests apart.
    pub by: By,
    /// What is said of single functions.
    pub functions: FunctionRules,
    /// What the sides are called, in place of their commits.
    pub names: [Option<String>; 2],
    /// What is known of functions' names that changed.
    pub renames: Renames,
    /// What somebody touched between the builds: half of the error rate is spent on it.
    pub touched: Option<Touched>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            alpha: 0.01,
            min_effect: 0.005,
            mode: Mode::Auto,
            value: None,
            permutations: 999,
            require_power: None,
            fail_on_shift: false,
            allow_environment: false,
            design_effect: None,
            prior: Prior::default(),
            by: By::default(),
            functions: FunctionRules::default(),
            names: [None, None],
            renames: Renames::default(),
            touched: None,
        }
    }
}

/// What is said where it had to be assumed how much samples vary.
const COUNTS_ONLY: &str = "counts-only";
/// The share of all samples below which a set of stacks is not weighed.
pub(crate) const LEAST_SHARE: f64 = 0.001;
/// How much samples without slices are taken to vary, and how much they may if a finding is to count.
const ASSUMED_EFFECT: f64 = 5.0;
const HARSH_EFFECT: f64 = 20.0;
/// So many runs do without slices.
const FEW_RUNS: usize = 6;
/// With more causes than these, or one of more than this share of the whole, shares alone mislead: what did not
/// change looks smaller.
const MANY_CAUSES: usize = 3;
const LARGE_CAUSE: f64 = 0.3;
/// Exact counters of one run a side differ by so much, though nothing changed.
const UNTESTED: f64 = 0.02;
/// A program that uses so many processors may use one all the time.
const NEVER_WAITS: std::ops::Range<f64> = 0.9..1.05;
/// Fewer slices do not tell how much samples vary.
const FEW_SLICES: usize = 10;
/// With this alpha or more as many deals do as are asked for. For less, so many must reach the limit, that it is
/// known well, and no more are dealt out than take a minute.
const USUAL_ALPHA: f64 = 0.01;
const AT_LIMIT: f64 = 10.0;
const MOST_DEALS: usize = 99_999;

/// Compares the runs of two sides: of one build each, or of several.
///
/// # Errors
/// When a side has no run or no samples, or the sides have no kind of value in common.
pub fn compare(before: &[&Profile], after: &[&Profile], options: &Options) -> Result<Comparison> {
    compare_deploys(&each(before), &each(after), options)
}

/// Each run as a deploy of its own.
pub(crate) fn each<'p>(runs: &[&'p Profile]) -> Vec<Vec<&'p Profile>> {
    runs.iter().map(|run| vec![*run]).collect()
}

/// The same for deploys of which each has several profiles, from several hosts perhaps: what differs between
/// deploys is what counts as noise, and the profiles of one are added up.
///
/// # Errors
/// As of [`compare`].
pub fn compare_deploys(
    deploys_before: &[Vec<&Profile>],
    deploys_after: &[Vec<&Profile>],
    options: &Options,
) -> Result<Comparison> {
    let permutations = permutations(options)?;
    let (deploys_before, empty_before) = with_samples("before", deploys_before)?;
    let (deploys_after, empty_after) = with_samples("after", deploys_after)?;
    let (deploys_before, deploys_after) = (&deploys_before[..], &deploys_after[..]);
    let (before, after) = (&deploys_before.concat()[..], &deploys_after.concat()[..]);
    let Prepared {
        runs,
        value,
        worth,
        tree,
        sets: weighed,
        strata,
    } = prepared(deploys_before, deploys_after, options)?;
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
    let mut weights = Weights::of(&tree, &weighed, strata);
    let mut touched = (options.touched.as_ref()).map(|one| TouchedHere::of(one, &tree));
    if let Some(touched) = &mut touched {
        weights.classes = touched.classes(&tree, &weighed);
    }
    let weights = weights;
    let seed = seed(&tree);
    let mut said = warnings(before, after, samples);
    said.extend([empty_before, empty_after].into_iter().flatten());
    said.extend(likeness(&tree, [&weights.before, &weights.after]));
    if options.allow_environment {
        said.iter_mut().for_each(|warning| warning.forbids = false);
    }
    let untold = || match method {
        Method::Counts => None,
        _ => (strata.count < 2).then(|| one_kind(&options.by)).flatten(),
    };
    said.extend(unlabelled(before, after, &options.by).or_else(untold));
    said.extend(renames::unknown(&tree));
    said.extend(rules::remarks(&options.functions, &tree));
    let (mode, mut whole) = total::normalized(deploys_before, deploys_after, options, &mut said);
    let tested = whole.as_ref().and_then(|whole| whole.total.tested);
    let logs = whole.as_ref().filter(|_| tested.is_some());
    let logs = logs.map(|whole| whole.logs.clone());
    let rules = Rules {
        alpha: options.alpha,
        total: tested,
        whole: (whole.as_ref())
            .filter(|whole| match mode {
                Mode::Work => true,
                // A program that never waits uses its processor whatever it does.
                Mode::Time => ![whole.total.before, whole.total.after]
                    .iter()
                    .any(|cpus| NEVER_WAITS.contains(cpus)),
                Mode::Share | Mode::Bulk | Mode::Auto => false,
            })
            .map(|whole| (whole.total.after / whole.total.before).ln()),
        logs: logs.as_ref(),
        permutations,
        seed,
        prior: options.prior,
        assumed_effect: match method {
            Method::Slices | Method::Runs => None,
            Method::Counts => Some(options.design_effect.unwrap_or(ASSUMED_EFFECT)),
        },
    };
    let scan = scan(&weights, &rules);
    if let (Some(whole), Some(limit)) = (&mut whole, scan.total_limit) {
        whole.test_at(limit);
    }
    if method == Method::Counts {
        said.push(assumption(options));
    }
    if scan.cut {
        said.push(Warning {
            code: "many-causes",
            text: format!(
                "more than {MOST_CAUSES} causes: the others are not listed, and growths may be among them"
            ),
            forbids: !scan.causes.iter().any(|cause| cause.change.z > 0.0),
        });
    }
    let mut findings: Vec<Finding> = (scan.causes.iter())
        .map(|cause| finding(&weights, &scan, cause, samples, options))
        .collect();
    let of_touched = |cause: &Cause| touched.as_ref()?.of_set(&tree, &weighed[cause.set]);
    for (finding, cause) in findings.iter_mut().zip(&scan.causes) {
        finding.touched = of_touched(cause);
    }
    // Neither what went over to another name nor what only made up for another cause changed.
    let is_out: Vec<bool> = (findings.iter())
        .map(|found| {
            renames::is_exchange(&weights, found, options) || found.points * found.z.signum() <= 0.0
        })
        .collect();
    let bulk = total::bulk(&weights, &scan);
    // Where counted work tells that the whole grew, its cost did not only move.
    let by_far = options.min_effect + UNTESTED;
    let grew = match tested {
        Some(_) => {
            let total = whole.as_ref().map(|whole| &whole.total);
            total.is_some_and(|total| total.grew(options.min_effect))
        }
        None => (rules.whole).is_some_and(|whole| whole > by_far),
    };
    let shift = (!grew)
        .then(|| shift(&weights, &scan, [deploys_before.len(), deploys_after.len()]))
        .flatten()
        // Nor where most functions tell that it grew, and nothing else did.
        .filter(|shift| {
            let is_of = |n: &usize| shift.grew.contains(n) || shift.shrank.contains(n);
            let others: f64 = (0..findings.len())
                .filter(|n| !is_of(n))
                .map(|n| findings[n].points)
                .sum();
            let bulk = bulk.as_ref().filter(|_| rules.whole.is_none());
            bulk.is_none_or(|bulk| bulk.whole.total.change() - others <= by_far + bulk.unsure)
        })
        .and_then(|shift| shift.without(&is_out));
    let mut is_out = is_out.into_iter();
    findings.retain(|_| is_out.next() == Some(false));
    for n in (shift.iter()).flat_map(|shift| shift.grew.iter().chain(&shift.shrank)) {
        findings[*n].moved = true;
    }
    let noise = noise_of(&weights, &scan, options);
    let is_unbalanced = || {
        let most = findings.iter().map(|finding| finding.points.abs());
        findings.len() > MANY_CAUSES || most.fold(0.0, f64::max) > LARGE_CAUSE
    };
    let mode = match mode {
        Mode::Share if options.mode == Mode::Auto && is_unbalanced() => Mode::Bulk,
        mode => mode,
    };
    let as_bulk = bulk.as_ref().filter(|_| mode == Mode::Bulk);
    let shown = as_bulk.map(|bulk| &bulk.whole).or(whole.as_ref());
    let sides = [
        summary(deploys_before, &tree, Side::Before, options, shown),
        summary(deploys_after, &tree, Side::After, options, shown),
    ];
    let gate = Gate {
        rules: &rules,
        method,
        runs: sides.each_ref().map(|side| side.runs),
        wall_ns: sides.each_ref().map(|side| side.wall_ns),
        min_effect: options.min_effect,
        required: options.require_power,
    };
    let sensitivity = Sensitivity::of(&weights, &scan, &gate);
    let mut comparison = Comparison {
        verdict: Verdict::Ok,
        mode,
        value,
        worth,
        method,
        sides,
        alpha: options.alpha,
        min_effect: options.min_effect,
        hypotheses: weighed.len(),
        threshold: scan.limits.own,
        seed,
        kinds: strata.count,
        shift,
        shifts_fail: options.fail_on_shift,
        total: shown.map(|whole| Total {
            alike: (scan.alike != 0.0).then(|| scan.alike.exp() - 1.0),
            ..whole.total.clone()
        }),
        likely: None,
        findings,
        power: sensitivity.powers(&gate),
        sensitivity,
        kind_power: doubts::of_kinds(&weights, &scan),
        large_power: power::of_large(&weights, &scan, &gate),
        noise,
        budgets: Vec::new(),
        warnings: said,
        touched: None,
        rest: scan.rest,
        node_z: of_nodes(&tree, &weighed, &scan, 0.0, &|change| change.z),
        node_intervals: of_nodes(&tree, &weighed, &scan, [0.0; 2], &|change| {
            let [below, above] = change.margins(scan.limits.at(Class::Other));
            [change.delta - below, change.delta + above]
        }),
        tree: Tree::default(),
    };
    let is_explained =
        scan.alike != 0.0 && !scan.is_likelier || comparison.findings.iter().any(Finding::grew);
    if comparison.total_regressed() && !is_explained {
        let likely = scan.likely.as_ref();
        // That it is ignored is no reason for the whole to pass: it need not be this.
        comparison.likely = likely.map(|cause| Finding {
            ignored: None,
            touched: of_touched(cause),
            ..finding(&weights, &scan, cause, samples, options)
        });
    }
    let harsh = options.design_effect.unwrap_or(HARSH_EFFECT);
    let rules_of_budgets = Rules {
        assumed_effect: rules.assumed_effect.map(|_| harsh),
        ..rules
    };
    let budgets = &options.functions.budgets;
    comparison.budgets = budget::tests(&comparison, &weights, &rules_of_budgets, budgets);
    comparison.verdict = judge(&mut comparison, &weights, &rules, options);
    // What may as well be the change of something else is no verdict, unless something besides it fails.
    let is_either = match rules.whole {
        Some(_) => vec![None; comparison.findings.len()],
        None => doubts::is_either(&weights, &scan, &comparison.findings),
    };
    let mut found = comparison.findings.iter().zip(&is_either);
    let is_surely = found.any(|(found, either)| either.is_none() && comparison.fails(found))
        || comparison.budgets.iter().any(BudgetTest::is_broken);
    if let Some(two) = is_either.into_iter().flatten().next()
        && !is_surely
        && comparison.verdict != Verdict::Inconclusive
    {
        comparison.verdict = Verdict::Inconclusive;
        comparison.warnings.push(doubts::either(&tree, two));
    }
    if comparison.verdict == Verdict::Ok {
        let runs = [deploys_before.len(), deploys_after.len()];
        let counted = rules.whole.is_some();
        let mix = || doubts::mix(&weights, &scan, runs, options, counted);
        let untested = match (rules.whole, &bulk) {
            (Some(whole), _) if tested.is_none() && mode == Mode::Work => {
                doubts::whole(whole.exp() - 1.0, &comparison.findings, true, 0.0)
            }
            (None, Some(bulk)) => {
                let change = bulk.whole.total.change();
                doubts::whole(change, &comparison.findings, false, bulk.unsure)
            }
            _ => None,
        };
        let unseen = budget::untested(&comparison.budgets)
            .chain(blindness(&comparison, options))
            .chain((!counted || grew).then(mix).flatten())
            .chain(
                (!counted || options.require_power.is_some())
                    .then(|| doubts::nothing_weighed(&weights))
                    .flatten(),
            )
            .chain(untested);
        let unseen: Vec<Warning> = unseen.collect();
        if !unseen.is_empty() {
            comparison.verdict = Verdict::Inconclusive;
            comparison.warnings.extend(unseen);
        }
    }
    comparison.tree = tree;
    comparison.touched = touched;
    Ok(comparison)
}

/// How often slices or runs are dealt out, so that alpha can be told from what the deals reach.
fn permutations(options: &Options) -> Result<usize> {
    if options.alpha >= USUAL_ALPHA {
        return Ok(options.permutations);
    }
    // A little less, so that what divides evenly stays so.
    let needed = ((AT_LIMIT / options.alpha - 1e-6).ceil() as usize).saturating_sub(1);
    if needed > MOST_DEALS {
        return Err(Error::new(format!(
            "an error rate (alpha) of less than {} % cannot be told from {MOST_DEALS} deals, which are as many as there are",
            100.0 * AT_LIMIT / (MOST_DEALS + 1) as f64
        )));
    }
    Ok(needed.max(options.permutations))
}

/// What is said where less could be seen than is required.
fn blindness(comparison: &Comparison, options: &Options) -> Option<Warning> {
    let (power, required) = (comparison.usual_power()?, options.require_power?);
    let text = || {
        format!(
            "a function of {} % of the whole has to grow by {:.2} points to be found, which is more than the {:.2} \
             points that were asked for (--require-power): that no growth was found is no verdict",
            100.0 * power.share,
            100.0 * power.detectable,
            100.0 * required
        )
    };
    (power.detectable > required).then(|| Warning {
        code: "low-power",
        text: text(),
        forbids: true,
    })
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
        code: COUNTS_ONLY,
        text,
        forbids: false,
    }
}

fn judge(
    comparison: &mut Comparison,
    weights: &Weights,
    rules: &Rules,
    options: &Options,
) -> Verdict {
    let regressed = comparison.regressions().next().is_some() || comparison.total_regressed();
    if comparison.warnings.iter().any(|warning| warning.forbids) {
        return Verdict::Inconclusive;
    }
    if comparison.budgets.iter().any(BudgetTest::is_broken) {
        return Verdict::Regressed;
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
        let harsh = scan(weights, &harsh);
        let samples = comparison.sides.each_ref().map(|side| side.samples);
        let survives = (harsh.causes.iter())
            .any(|cause| comparison.fails(&finding(weights, &harsh, cause, samples, options)));
        if !survives {
            let mut said = comparison.warnings.iter_mut();
            if let Some(assumed) = said.find(|warning| warning.code == COUNTS_ONLY) {
                assumed.text = format!(
                    "without slices it is not known how much samples vary: what was found does not survive \
                     {HARSH_EFFECT} times as much as independent ones (--design-effect)"
                );
                assumed.forbids = true;
            }
            return Verdict::Inconclusive;
        }
    }
    Verdict::Regressed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deals_are_as_many_as_alpha_needs() {
        let of = |alpha: f64, permutations: usize| {
            let options = Options {
                alpha,
                permutations,
                ..Options::default()
            };
            super::permutations(&options).ok()
        };
        assert_eq!(of(0.05, 999), Some(999));
        assert_eq!(of(0.01, 299), Some(299));
        // Ten of them and the pair itself are at the limit.
        for alpha in [0.005, 0.001, 0.0003, 0.0001] {
            let count = of(alpha, 999).expect("there are deals enough");
            assert_eq!(crate::limits::rank(alpha, count), 10, "{alpha}");
        }
        assert_eq!(of(0.0001, 999), Some(99_999));
        assert_eq!(of(0.000_09, 999), None);
    }
}
