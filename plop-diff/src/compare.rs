//! The whole way from two sides to a verdict.

use plop_core::{Error, Profile, Result, ValueType};

use crate::budget::{self, BudgetTest};
use crate::comparison::{
    Comparison, Finding, Method, Mode, Noise, Summary, Total, Verdict, Warning,
};
use crate::doubts;
use crate::environment::{environment, likeness, warnings, word_of};
use crate::groups::{By, unlabelled};
use crate::noise::Prior;
use crate::power::{self, Gate};
use crate::reason::reason;
use crate::renames::{self, Renames};
use crate::rules::{self, FunctionRules};
use crate::scan::{Cause, MOST_CAUSES, Rules, Scan, scan};
use crate::sets::{Kind, Set, sets};
use crate::shift::shift;
use crate::strata::Strata;
use crate::total::{self, Whole};
use crate::touched::{Class, Touched, TouchedHere};
use crate::tree::{Run, Side, Tree, align, is_count};
use crate::weigh::{Change, Evidence, Weights};

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

/// The share of all samples below which a set of stacks is not weighed.
const LEAST_SHARE: f64 = 0.001;
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
        selfs,
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
    said.extend(likeness(&tree, &selfs));
    said.extend(unlabelled(before, after, &options.by));
    said.extend(renames::unknown(&tree));
    said.extend(rules::remarks(&options.functions, &tree));
    let (mode, mut whole) = total::normalized(deploys_before, deploys_after, options, &mut said);
    let tested = whole.as_ref().and_then(|whole| whole.total.tested);
    let logs = whole.as_ref().filter(|_| tested.is_some());
    let logs = logs.map(|whole| whole.logs.clone());
    let rules = Rules {
        alpha: options.alpha,
        total: tested,
        whole: (whole
            .as_ref()
            .filter(|_| matches!(mode, Mode::Work | Mode::Time)))
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
    let totals = selfs.each_ref().map(|selfs| tree.totals(selfs));
    let mut findings: Vec<Finding> = (scan.causes.iter())
        .map(|cause| finding(&weights, &scan, cause, samples, options))
        .collect();
    let of_touched = |cause: &Cause| touched.as_ref()?.of_set(&tree, &weighed[cause.set]);
    for (finding, cause) in findings.iter_mut().zip(&scan.causes) {
        finding.touched = of_touched(cause);
    }
    let is_exchange: Vec<bool> = (findings.iter())
        .map(|found| renames::is_exchange(&tree, &totals, found, options))
        .collect();
    // Where counted work tells that the whole grew, its cost did not only move.
    let grew = match tested {
        Some(_) => {
            let total = whole.as_ref().map(|whole| &whole.total);
            total.is_some_and(|total| total.grew(options.min_effect))
        }
        None => (rules.whole).is_some_and(|whole| whole > options.min_effect + UNTESTED),
    };
    let shift = (!grew)
        .then(|| shift(&weights, &scan, [deploys_before.len(), deploys_after.len()]))
        .flatten()
        .and_then(|shift| shift.without(&is_exchange));
    let mut exchanged = is_exchange.into_iter();
    findings.retain(|_| exchanged.next() == Some(false));
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
    let as_bulk = match mode {
        Mode::Bulk => total::bulk(&weights, &scan),
        _ => None,
    };
    let shown = as_bulk.as_ref().or(whole.as_ref());
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
        power: power::power(&weights, &scan, &gate),
        kind_power: doubts::of_kinds(&weights, &scan),
        noise,
        budgets: Vec::new(),
        warnings: said,
        touched: None,
        rest: scan.rest,
        node_z: of_nodes(&tree, &weighed, &scan, 0.0, &|change| change.z),
        node_intervals: of_nodes(&tree, &weighed, &scan, [0.0; 2], &|change| {
            let margin = scan.limits.at(Class::Other) * change.error;
            [change.delta - margin, change.delta + margin]
        }),
        selfs,
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
    comparison.verdict = judge(&comparison, &weights, &rules, options);
    // What may as well be the change of something else is no verdict, unless something besides it fails.
    let is_either = match rules.whole {
        Some(_) => vec![None; comparison.findings.len()],
        None => doubts::is_either(&weights, &comparison.findings),
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
        let change = rules
            .whole
            .filter(|_| tested.is_none() && mode == Mode::Work);
        let untested =
            change.and_then(|change| doubts::whole(change.exp() - 1.0, &comparison.findings));
        let unseen = budget::untested(&comparison.budgets)
            .chain(blindness(&comparison, options))
            .chain((!counted || grew).then(mix).flatten())
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

/// A side without the profiles that have no samples, and what is to be said of them. Deploys, and the profiles of
/// each, come in an order of their own, so that the one in which they were named changes nothing.
fn with_samples<'p>(
    side: &str,
    deploys: &[Vec<&'p Profile>],
) -> Result<(Vec<Vec<&'p Profile>>, Option<Warning>)> {
    let has_samples = |profile: &&Profile| !profile.samples.is_empty();
    let mut filled: Vec<Vec<&Profile>> = (deploys.iter())
        .map(|deploy| deploy.iter().copied().filter(has_samples).collect())
        .filter(|deploy: &Vec<&Profile>| !deploy.is_empty())
        .collect();
    for deploy in &mut filled {
        deploy.sort_by_cached_key(|profile| fingerprint(profile));
    }
    filled.sort_by_cached_key(|deploy| deploy.iter().copied().map(fingerprint).collect::<Vec<_>>());
    let count = |deploys: &[Vec<&Profile>]| deploys.iter().map(Vec::len).sum::<usize>();
    let (all, left) = (count(deploys), count(&filled));
    if left == 0 {
        let what = if all == 0 { "profile" } else { "samples" };
        return Err(Error::new(format!("{side} has no {what}")));
    }
    let said = (left < all).then(|| Warning {
        code: "empty-profile",
        text: format!(
            "{} of {all} profiles of {side} have no samples and are left out",
            all - left
        ),
        forbids: false,
    });
    Ok((filled, said))
}

/// A number that the content of a profile determines.
fn fingerprint(profile: &Profile) -> u64 {
    let mut print = profile.samples.len() as u64;
    let mut add = |number: u64| {
        print = (print.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    };
    for number in [profile.meta.start_ns, profile.meta.cpu_ns] {
        add(number.unwrap_or(0) as u64);
    }
    for (_, text) in profile.strings.iter() {
        text.iter().for_each(|byte| add(u64::from(*byte)));
    }
    for (_, caller, frame) in profile.stacks.iter() {
        add((caller.index() as u64) << 32 | frame.index() as u64);
    }
    for sample in profile.samples.iter() {
        add(sample.stack.index() as u64);
        sample.values.iter().for_each(|value| add(*value as u64));
        add(sample.slice.map_or(0, |slice| slice.index() as u64 + 1));
    }
    print
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

/// Runs on one tree, and what is weighed of it.
pub(crate) struct Prepared {
    /// How many runs there are.
    pub(crate) runs: usize,
    /// The value that is compared, of the last run, and how much of it makes a sample.
    pub(crate) value: ValueType,
    pub(crate) worth: f64,
    pub(crate) tree: Tree,
    /// Own samples of each node, before and after.
    pub(crate) selfs: [Vec<f64>; 2],
    pub(crate) sets: Vec<Set>,
    pub(crate) strata: Strata,
}

/// Puts runs on one tree. There may be none after, where runs of one build are looked at.
pub(crate) fn prepared(
    before: &[Vec<&Profile>],
    after: &[Vec<&Profile>],
    options: &Options,
) -> Result<Prepared> {
    let runs = chosen(before, after, options)?;
    let profiles: Vec<&Profile> = runs.iter().map(|run| run.profile).collect();
    let by = options.by.of(&profiles);
    let tree = align(&runs, &by, &options.renames);
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
    let last = &runs[runs.len() - 1];
    Ok(Prepared {
        runs: before.len() + after.len(),
        value: last.profile.values[last.value].clone(),
        worth: last.worth(),
        sets: sets(&tree, &both, (LEAST_SHARE * all).max(crate::weigh::FEWEST)),
        strata: Strata::of(&tree, &both),
        tree,
        selfs,
    })
}

/// The runs, with the value of each that is compared.
fn chosen<'p>(
    deploys_before: &[Vec<&'p Profile>],
    deploys_after: &[Vec<&'p Profile>],
    options: &Options,
) -> Result<Vec<Run<'p>>> {
    let (before, after) = (deploys_before.concat(), deploys_after.concat());
    if before.is_empty() {
        return Err(Error::new("before has no profile"));
    }
    let all = || before.iter().chain(&after);
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
    let deploys = (deploys_before.iter().map(|deploy| (Side::Before, deploy)))
        .chain(deploys_after.iter().map(|deploy| (Side::After, deploy)));
    for (number, (side, profiles)) in deploys.enumerate() {
        for profile in profiles {
            let below = |value: usize| {
                let values = profile.samples.values().iter().skip(value);
                values
                    .step_by(profile.samples.stride())
                    .any(|value| *value < 0)
            };
            if find(profile).is_some_and(below) {
                return Err(Error::new(format!(
                    "{} has values below zero, as a difference of two profiles has",
                    side.word()
                ))
                .hint("compare the two themselves"));
            }
            let Some(value) = find(profile) else {
                let list = |profiles: &[&Profile]| {
                    let mut kinds: Vec<String> =
                        profiles.iter().flat_map(|profile| kinds(profile)).collect();
                    kinds.sort();
                    kinds.dedup();
                    kinds.join(", ")
                };
                let said = match &options.value {
                    Some(kind) => lacking(kind, [&before, &after]),
                    None => "the sides have no value in common".to_owned(),
                };
                let has = match after.is_empty() {
                    true => format!("there is {}", list(&before)),
                    false => format!("before has {}, after {}", list(&before), list(&after)),
                };
                return Err(Error::new(format!("{said}: {has}")));
            };
            runs.push(Run {
                side,
                number,
                profile,
                value,
            });
        }
    }
    Ok(runs)
}

/// What is said where a value that was asked for is not in every profile.
fn lacking(kind: &str, sides: [&[&Profile]; 2]) -> String {
    let has = |profile: &&Profile| profile.values.iter().any(|value| value.kind == kind);
    let who = match sides.map(|side| side.iter().any(has)) {
        [false, _] if sides[1].is_empty() => "no profile has".to_owned(),
        [false, false] => "neither side has".to_owned(),
        [false, true] => "before does not have".to_owned(),
        [true, false] if !sides[1].is_empty() => "after does not have".to_owned(),
        _ => {
            let in_all = sides[0].iter().all(has);
            let side = if in_all { Side::After } else { Side::Before };
            format!("not every profile of {} has", side.word())
        }
    };
    format!("{who} the value `{kind}`")
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

fn finding(
    weights: &Weights,
    scan: &Scan,
    cause: &Cause,
    samples: [f64; 2],
    options: &Options,
) -> Finding {
    let set = &weights.sets[cause.set];
    let (tree, names) = (weights.tree, set.names());
    let sum = |selfs: &[f64]| -> f64 {
        set.ranges(weights.tree)
            .map(|(from, to)| selfs[from..to].iter().sum::<f64>())
            .sum()
    };
    let counts = [sum(&weights.before), sum(&weights.after)];
    let share = [counts[0] / samples[0], counts[1] / samples[1]];
    let change = cause.change;
    let limit = scan.limits.at(weights.classes[cause.set]);
    let margin = limit * change.error;
    let points = |delta: f64| delta / (1.0 - share[0] - delta).max(1e-3);
    // Beside other causes, what their joint fit leaves for this one: its cost after in terms of what did not change,
    // less the same without its factor. Of the share that brings that.
    let delta = match scan.causes.len() {
        1 => change.delta,
        _ if change.by == Evidence::Total => change.delta,
        _ => {
            let added = match cause.is_gone() {
                true => -share[0],
                false => (1.0 - 1.0 / cause.odds) * counts[1] / (scan.rest * samples[0]),
            };
            added * (1.0 - share[0]) / (1.0 + added)
        }
    };
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
        points: points(delta),
        interval: [points(delta - margin), points(delta + margin)],
        z: change.z,
        limit,
        factor: cause.odds,
        design_effect: scan.effects[cause.set],
        moved: false,
        min_effect: (options.functions).min_effect(tree, &names, options.min_effect),
        ignored: (change.z > 0.0)
            .then(|| options.functions.ignore(tree, &names))
            .flatten()
            .cloned(),
        touched: None,
    }
}

fn summary(
    deploys: &[Vec<&Profile>],
    tree: &Tree,
    which: Side,
    options: &Options,
    whole: Option<&Whole>,
) -> Summary {
    let side = &deploys.concat()[..];
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
    let counter = whole.and_then(|whole| whole.counter.clone());
    Summary {
        name: name.unwrap_or_default(),
        runs: deploys.len(),
        profiles: side.len(),
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
        environment: environment(side),
    }
}

fn noise_of(weights: &Weights, scan: &Scan, options: &Options) -> Noise {
    let mut own: Vec<f64> = (weights.sets.iter().enumerate())
        .filter(|(_, set)| set.kind == Kind::Own)
        .map(|(n, _)| scan.between_runs(n))
        .collect();
    own.sort_by(f64::total_cmp);
    Noise {
        functions: own.get(own.len() / 2).copied().unwrap_or(0.0),
        mix: scan.usual_mix(),
        measured: options.prior.measured,
    }
}

/// For each node, what there is to say of how the set changed that is the stacks below it.
fn of_nodes<T: Copy>(
    tree: &Tree,
    sets: &[Set],
    scan: &Scan,
    otherwise: T,
    what: &dyn Fn(&Change) -> T,
) -> Vec<T> {
    let mut of_nodes = vec![otherwise; tree.len()];
    for (set, change) in sets.iter().zip(&scan.changes) {
        if set.kind != Kind::Own
            && let [node] = set.nodes[..]
        {
            of_nodes[node as usize] = what(change);
        }
    }
    of_nodes
}

fn judge(comparison: &Comparison, weights: &Weights, rules: &Rules, options: &Options) -> Verdict {
    let regressed = comparison.regressions().next().is_some() || comparison.total_regressed();
    let forbidden = comparison.warnings.iter().any(|warning| warning.forbids);
    if forbidden && !options.allow_environment {
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
