//! `plop diff`: whether the new build is slower, and where.

mod annotations;
pub(super) mod baseline;
mod call_tree;
mod changed;
mod code_quality;
mod files;
mod json;
mod junit;
pub(super) mod layout;
mod markdown;
pub(super) mod numbers;
mod places;
mod remarks;
mod reports;
mod sarif;
mod seen;
pub(super) mod settings;
mod terminal;
pub(crate) mod text;
mod touched;
mod without;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use plop_core::{Profile, one_run};
use plop_diff::{By, Comparison, Mode, Options, Surroundings, Verdict, Warning, compare_deploys};

use self::baseline::{Deploy, Named};
use self::files::FileArgs;
use self::settings::Chosen;

use crate::args::Settings;
use crate::config::{Config, Origin};
use crate::input::{InputArgs, NamedTwice, named_twice};
use crate::outcome;
use crate::report;
use crate::tell::tell;

/// Tell whether a build is slower than the one before, where, and what could not have been seen
///
/// Every set of stacks that one cause can have made dearer is weighed: a function itself, a function with what
/// it calls, a place in the call tree, a call. What changed more than chance would have any of them change is a
/// finding, one for each cause; on runs of one build there is one in a hundred comparisons (--alpha), if several
/// runs a side, --baseline or --calibration tell how much runs differ: a single pair knows only what its slices and a
/// usual service show, and errs more often. A growth of less than --min-effect does not fail.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 fine, improvements included; 1 a regression; 2 usage, or input that \
    cannot be read or compared; 3 no verdict: the environment changed, one side lost ticks, or the sides are hardly of one program (unless \
    --allow-env-change), a finding in counts without slices that does not survive a harsher assumption, shares that do \
    not tell what changed, a budget that cannot be tested, nothing to compare with, or less to be seen than \
    --require-power asks.\n\n\
    Settings and rules for single functions may stand in plop.toml, or in [tool.plop] of pyproject.toml, in the \
    working folder or above it up to the root of the repository. Options count more than PLOP_DIFF_ALPHA, \
    PLOP_DIFF_MIN_EFFECT, PLOP_DIFF_MODE, PLOP_DIFF_BASELINE, PLOP_DIFF_LAST and PLOP_DIFF_CHANGED_SINCE, and these \
    more than the file.\n\n\
    Examples:\n  \
    plop diff before.plop after.plop\n  \
    plop diff --min-effect 1% before.plop after.plop\n  \
    plop diff runs/before-*.plop --vs runs/after-*.plop\n  \
    plop diff --changed-since v1.4 before.plop after.plop\n  \
    plop diff --json before.plop after.plop\n  \
    plop diff before.plop after.plop -o diff.svg      a differential flame graph, beside the report\n  \
    plop diff before.plop after.plop -o diff.pb.gz    then: go tool pprof -top diff.pb.gz\n  \
    plop diff before.plop after.plop -f folded-diff   folded stacks with two counts, on stdout\n  \
    plop diff before.plop after.plop -o diff.md -o diff.sarif -o junit=report.txt"
)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// What is judged, where a side has several files: replicates of one build, or earlier deploys before it
    #[arg(long, value_name = "FILE", num_args = 1..)]
    vs: Vec<PathBuf>,
    /// Compare with the last good deploys of the service in this folder, by what the profiles say of commit,
    /// time, service and machine, and by what plop baseline settled
    #[arg(long, value_name = "FOLDER", conflicts_with = "vs")]
    baseline: Option<PathBuf>,
    /// How many deploys --baseline takes [default: 8]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=200))]
    last: Option<u16>,
    /// What is compared [default: auto]
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// What tells kinds of requests apart: a label of the samples, `thread` for the names of threads, `tree` for the
    /// call tree alone; otherwise a usual label such as route, if all files have it
    #[arg(long, value_name = "LABEL")]
    by: Option<String>,
    /// The kind of value that is compared, such as cpu or wall; otherwise the files' default
    #[arg(long, value_name = "KIND")]
    value: Option<String>,
    /// How often runs of one build may fail; below 1% the comparison takes longer, below 0.01% it is refused
    /// [default: 1%]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    alpha: Option<f64>,
    /// The least growth that fails, as a share of the whole cost [default: 0.5%]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_effect: Option<f64>,
    /// What growth of a function of 5 % has to be seen four times in five, in shares of the whole cost; where less can
    /// be seen, that nothing grew is no verdict (exit code 3)
    #[arg(long, value_name = "SHARE", value_parser = share)]
    require_power: Option<f64>,
    /// Fail also where cost only moved from one function to another, and both together cost what they did
    #[arg(long)]
    fail_on_shift: bool,
    /// Give a verdict though the interpreter, the machine, the clock, the period or the threads changed, ticks were
    /// lost, or the sides have hardly a function in common
    #[arg(long)]
    allow_env_change: bool,
    /// How much more samples vary than independent ones, for profiles without slices
    #[arg(long, value_name = "FACTOR", value_parser = effect)]
    design_effect: Option<f64>,
    /// Half of the error rate is for the functions that changed since this revision of git, which are found sooner for
    /// it; findings say who changed them last. The working folder has to be in the repository
    #[arg(long, value_name = "REV", allow_hyphen_values = true)]
    changed_since: Option<String>,
    /// What plop calibrate learnt of the service
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// The file of settings, in place of the nearest plop.toml or pyproject.toml; /dev/null for none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print every setting and where it comes from, and compare nothing
    #[arg(long)]
    explain_config: bool,
    /// Print the call tree of both sides, as far as it changed
    #[arg(long)]
    tree: bool,
    /// Use no signs but those of ASCII, as on a terminal whose locale has no others
    #[arg(long)]
    ascii: bool,
    /// Print the comparison as JSON
    #[arg(long, conflicts_with = "tree")]
    json: bool,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ModeArg {
    /// CPU time per unit of work if both sides count work, otherwise shares
    Auto,
    /// CPU time per unit of work
    Work,
    /// CPU time per elapsed time
    Time,
    /// Shares of each side's whole
    Share,
    /// Shares, and how much the whole grew if most functions did not change
    Bulk,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Mode {
        match mode {
            ModeArg::Auto => Mode::Auto,
            ModeArg::Work => Mode::Work,
            ModeArg::Time => Mode::Time,
            ModeArg::Share => Mode::Share,
            ModeArg::Bulk => Mode::Bulk,
        }
    }
}

/// A share: `0.5%` or `0.005`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let wrong = || format!("expected a share such as 0.5% or 0.005, found `{text}`");
    let (number, per) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().map_err(|_| wrong())? / per;
    match share > 0.0 && share < 1.0 {
        true => Ok(share),
        false => Err(wrong()),
    }
}

fn effect(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(effect) if (1.0..=1e6).contains(&effect) => Ok(effect),
        _ => Err(format!("expected a number from 1 on, found `{text}`")),
    }
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let config = Config::read(args.config.as_deref())?;
    let chosen = Chosen::of(&args, &config)?;
    if args.explain_config {
        settings::explain(&mut std::io::stdout().lock(), &chosen, &config, args.json)?;
    }
    if !settings.quiet {
        (config.remarks().iter()).for_each(|remark| tell!("{remark}"));
    }
    if args.explain_config {
        return Ok(ExitCode::from(outcome::FINE));
    }
    let wanted = args.file.settle(args.json)?;
    let is_quiet = files::take_stdout(&wanted);
    ensure!(
        !args.tree || !is_quiet,
        "--tree is part of the report, and stdout has the file (name one with -o)"
    );
    let Sides {
        before,
        after,
        remarks,
    } = sides(&args, &chosen, settings)?;
    let runs = before.iter().chain(&after).flat_map(|deploy| &deploy.runs);
    let read = runs
        .map(|(file, _)| Path::new(file))
        .chain(args.calibration.as_deref());
    files::spare(&wanted, read)?;
    if before.is_empty() {
        for said in &remarks {
            tell!("{}", text::visible(&said.text));
        }
        let why = "there is no earlier deploy to compare with";
        tell!("no verdict: {why}");
        let nothing = without::comparison(
            &after,
            name(&after),
            why,
            remarks,
            chosen.alpha.value,
            chosen.min_effect.value,
        );
        if let Some(nothing) = nothing {
            files::write(&nothing, &wanted, settings)?;
            if args.json {
                writeln!(std::io::stdout().lock(), "{}", json::document(&nothing))?;
            }
        }
        return Ok(ExitCode::from(outcome::NO_VERDICT));
    }
    let (prior, learnt_in) = match &chosen.calibration.value {
        Some(file) if matches!(chosen.calibration.from, Origin::Flag(_)) => {
            super::calibrate::read(file)?
        }
        Some(file) => {
            super::calibrate::read(file).with_context(|| chosen.calibration.place("calibration"))?
        }
        None => Default::default(),
    };
    let flat = [&before, &after].map(|side| profiles(side).concat());
    let [of_before, of_after] = flat.each_ref().map(Vec::as_slice);
    let changes = match &chosen.changed_since.value {
        Some(revision) => {
            let place = chosen.changed_since.place("changed_since");
            Some(changed::since(&place, revision, [of_before, of_after])?)
        }
        None => None,
    };
    let is_settled = !matches!(chosen.value.from, Origin::Flag(_));
    let lacks_value = chosen
        .value
        .value
        .as_deref()
        .filter(|_| is_settled)
        .is_some_and(|kind| {
            let has = |run: &&Profile| run.values.iter().any(|value| value.kind == kind);
            !flat.iter().flatten().all(has)
        });
    let place_of_value = chosen.value.place("value");
    let options = Options {
        alpha: chosen.alpha.value,
        min_effect: chosen.min_effect.value,
        require_power: chosen.require_power.value,
        mode: chosen.mode.value.into(),
        value: chosen.value.value,
        fail_on_shift: args.fail_on_shift,
        allow_environment: args.allow_env_change,
        design_effect: args.design_effect,
        prior,
        functions: config.rules().clone(),
        touched: changes.as_ref().map(|changes| changes.touched.clone()),
        renames: config.renames().clone(),
        by: match chosen.by.value.as_deref() {
            None => By::Usual,
            Some("thread") => By::Thread,
            Some("tree") => By::Tree,
            Some(label) => By::Label(label.to_owned()),
        },
        ..Options::default()
    };
    let mut comparison = compare_deploys(&profiles(&before), &profiles(&after), &options)
        .with_context(|| {
            let what = format!("cannot compare {} with {}", name(&before), name(&after));
            match lacks_value {
                true => format!("{place_of_value}: {what}"),
                false => what,
            }
        })?;
    if let Some(changes) = changes {
        changes.name_last(&mut comparison);
        comparison.warnings.extend(changes.warnings);
    }
    let same_commit = comparison.sides[0].name == comparison.sides[1].name;
    for (side, deploys) in comparison.sides.iter_mut().zip([&before, &after]) {
        if side.name.is_empty() || same_commit {
            side.name = name(deploys);
        }
    }
    comparison.warnings.extend(remarks);
    let judged_in: Vec<Surroundings> = (after.iter().flat_map(|deploy| &deploy.runs))
        .map(|(_, run)| Surroundings::of(run))
        .collect();
    let elsewhere = differences(&learnt_in, &judged_in);
    comparison.warnings.extend(elsewhere);
    files::write(&comparison, &wanted, settings)?;
    if is_quiet {
        return Ok(exit_code(&comparison));
    }
    match print(&comparison, &args, settings) {
        // A reader that had enough changes no verdict.
        Err(error) if !outcome::is_broken_pipe(&error) => Err(error),
        _ => Ok(exit_code(&comparison)),
    }
}

/// The report on standard output.
fn print(comparison: &Comparison, args: &Args, settings: &Settings) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", json::document(comparison))?;
    } else {
        let terminal = std::io::stdout().is_terminal();
        let style = layout::Style::of(settings.color, terminal, args.ascii);
        terminal::print(&mut out, comparison, args.tree, &style)?;
    }
    Ok(())
}

/// What is said of a folder of deploys: which of them is pinned, what its index names in vain, and which files are on
/// neither side.
fn remarks(
    pinned: Option<(String, String)>,
    unmatched: Vec<String>,
    left_out: Vec<String>,
) -> Vec<Warning> {
    let pinned = pinned.map(|(_, text)| ("pinned", text)).into_iter();
    let unmatched = unmatched.into_iter().map(|text| ("index-unmatched", text));
    let all = pinned
        .chain(unmatched)
        .chain(left_out.into_iter().map(|text| ("left-out", text)));
    all.map(|(code, text)| Warning {
        code,
        text,
        forbids: false,
    })
    .collect()
}

/// How a calibration was learnt elsewhere than what is judged.
fn differences(learnt: &Surroundings, judged: &[Surroundings]) -> Vec<Warning> {
    let words = super::calibrate::surroundings(judged);
    super::calibrate::surroundings(std::slice::from_ref(learnt))
        .into_iter()
        .zip(words)
        .filter(|((_, learnt), (_, judged))| {
            !learnt.is_empty() && judged.iter().any(|word| !learnt.contains(word))
        })
        .map(|((what, learnt), (_, judged))| Warning {
            code: "calibration",
            text: format!(
                "the calibration is of another {what}: {}, not {}",
                learnt.join(", "),
                judged.join(", ")
            ),
            forbids: false,
        })
        .collect()
}

/// Both sides, read. There is nothing before where a folder has no earlier deploy.
struct Sides {
    before: Vec<Deploy>,
    after: Vec<Deploy>,
    /// What is said of the folder that earlier deploys are from.
    remarks: Vec<Warning>,
}

/// What is said of a file that is twice on one side.
const TWICE: &str = " is named twice on one side: it is one run, and counts once";

fn sides(args: &Args, chosen: &Chosen, settings: &Settings) -> Result<Sides> {
    let input = &args.input;
    let mut files = input.files()?;
    if let Some(folder) = chosen.baseline(args)? {
        if let Some(NamedTwice { named, .. }) = named_twice(&files) {
            bail!("{named}{TWICE}");
        }
        let after = in_order(read(input, &files, settings)?);
        let last = usize::from(chosen.last.value);
        let found = baseline::find(folder, &after, last, &input.reading, settings)?;
        let after = Deploy {
            name: String::new(),
            runs: after,
        };
        // Of a single deploy the runs tell how much runs differ; of several, the deploys.
        let [before, after] = match &found.deploys[..] {
            [_] => {
                [found.deploys, vec![after]].map(|side| side.into_iter().flat_map(each).collect())
            }
            _ => [found.deploys, vec![after]],
        };
        return Ok(Sides {
            before,
            after,
            remarks: remarks(found.pinned, found.unmatched, found.left_out),
        });
    }
    let split = match args.vs.is_empty() {
        true => {
            ensure!(
                files.len() == 2,
                "expected two files, before and after, found {} (several on a side: BEFORE… --vs AFTER…)",
                args.input.files.len()
            );
            1
        }
        false => files.len(),
    };
    files.extend(args.vs.iter().cloned());
    if let Some(NamedTwice { places, named }) = named_twice(&files) {
        let [first, again] = places.map(|n| n < split);
        ensure!(
            first == again,
            "{named} is on both sides: there is nothing to compare"
        );
        bail!("{named}{TWICE}");
    }
    let mut before = read(input, &files, settings)?;
    let after = before.split_off(split);
    let [before, after] = [before, after].map(|runs| {
        let (name, runs) = (String::new(), in_order(runs));
        each(Deploy { name, runs })
    });
    Ok(Sides {
        before,
        after,
        remarks: Vec::new(),
    })
}

/// The runs of a side, so that it is called the same in whatever order they were named.
fn in_order(mut runs: Vec<Named>) -> Vec<Named> {
    runs.sort_by(|(one, _), (other, _)| one.cmp(other));
    runs
}

/// Each run for itself.
fn each(deploy: Deploy) -> Vec<Deploy> {
    let alone = |run: Named| Deploy {
        name: deploy.name.clone(),
        runs: vec![run],
    };
    deploy.runs.into_iter().map(alone).collect()
}

/// Reads runs, and tells what had to be noted of them.
fn read(input: &InputArgs, files: &[PathBuf], settings: &Settings) -> Result<Vec<Named>> {
    (input.read_these(files, settings)?.into_iter())
        .map(|input| {
            let input = input?;
            report::print_notes(&input.name, &input.loaded.notes, settings);
            let run = one_run(input.loaded.profiles)
                .with_context(|| format!("cannot add up the profiles of {}", input.name))?;
            Ok((input.name, run))
        })
        .collect()
}

pub(super) fn profiles(side: &[Deploy]) -> Vec<Vec<&Profile>> {
    side.iter()
        .map(|deploy| deploy.runs.iter().map(|(_, run)| run).collect())
        .collect()
}

/// What a side is called by its files, or its deploys.
fn name(side: &[Deploy]) -> String {
    let mut names = side.iter().flat_map(|deploy| match &deploy.name[..] {
        "" => deploy.runs.iter().map(|(file, _)| file.as_str()).collect(),
        commit => vec![commit],
    });
    let first = names.next().unwrap_or_default();
    match names.count() {
        0 => first.to_owned(),
        more => format!("{first} and {more} more"),
    }
}

fn exit_code(comparison: &Comparison) -> ExitCode {
    ExitCode::from(exit(comparison.verdict))
}

/// One of what a counter counts: `request` of `requests`.
fn singular(counter: &str) -> String {
    match (counter.strip_suffix("ies"), counter.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(one)) if !one.ends_with('s') => one.to_owned(),
        _ => counter.to_owned(),
    }
}

/// The exit code of a verdict.
fn exit(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ok => outcome::FINE,
        Verdict::Regressed => outcome::REGRESSED,
        Verdict::Inconclusive => outcome::NO_VERDICT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_a_singular() {
        let pairs = [
            ("requests", "request"),
            ("queries", "query"),
            ("process", "process"),
            ("work", "work"),
        ];
        for (counter, one) in pairs {
            assert_eq!(singular(counter), one);
        }
    }

    #[test]
    fn shares_are_read_with_and_without_a_percent_sign() {
        assert_eq!(share("0.5%"), Ok(0.005));
        assert_eq!(share("0.005"), Ok(0.005));
        for wrong in ["", "0", "100%", "-1%", "x", "nan", "1.5"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
