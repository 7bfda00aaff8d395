//! `plop history`: a service over its deploys, and at which of them something changed for good.

mod json;
mod terminal;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use plop_diff::{By, ChangePoint, Options, Series, Tracked, series};
use terminal::Shown;

use super::diff::baseline::{Baseline, all, short};
use super::diff::layout::Style;
use super::diff::text::{seen, shown, visible};
use super::diff::{ModeArg, profiles, share};
use crate::args::Settings;
use crate::config::Config;
use crate::input::InputArgs;
use crate::outcome;
use crate::tell::tell;

/// Show a service over its deploys, and at which of them it changed for good
///
/// Folders stand for the profiles in them and below. Files of one commit are one deploy; deploys stand in the order of
/// time. What changed at a deploy and stayed is looked for in all of them together, so that a creep is found that no two
/// deploys show; in fifty deploys of one build something is found one time in a hundred (--alpha).
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 fine, whatever changed; 1 something grew, with --fail; 2 usage, or input that cannot be \
    read.\n\n\
    Examples:\n  \
    plop history profiles/shop\n  \
    plop history profiles/shop --function parse\n  \
    plop history profiles/shop --last 20 --fail"
)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Show this function
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// How many deploys are looked at, the last ones
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..=200))]
    last: u16,
    /// Which service, where there are several
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Fail with exit code 1 if something grew
    #[arg(long)]
    fail: bool,
    /// What the whole is measured by
    #[arg(long, value_enum, default_value = "auto")]
    mode: ModeArg,
    /// What tells kinds of requests apart, as for plop diff
    #[arg(long, value_name = "LABEL")]
    by: Option<String>,
    /// The kind of value that is looked at, such as cpu or wall; otherwise the files' default
    #[arg(long, value_name = "KIND")]
    value: Option<String>,
    /// How often something is found in deploys of one build
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share)]
    alpha: f64,
    /// Use no signs but those of ASCII, as on a terminal whose locale has no others
    #[arg(long)]
    ascii: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    show(args, settings).map_err(seen)
}

fn show(args: Args, settings: &Settings) -> Result<ExitCode> {
    let places = &args.input.files;
    ensure!(
        !places.is_empty(),
        "no input (name a folder with a profile of every deploy)"
    );
    let Baseline {
        deploys,
        left_out,
        pinned,
        unmatched,
    } = all(
        places,
        args.service.as_deref(),
        usize::from(args.last),
        &args.input.reading,
        settings,
    )?;
    let (pinned, said) = pinned.unzip();
    let said = said.map(|said| format!("{said}: what was before it is not shown"));
    let remarks: Vec<String> = (said.into_iter())
        .chain(unmatched.iter().chain(&left_out).cloned())
        .collect();
    if deploys.is_empty() {
        for said in &remarks {
            tell!("{}", visible(said));
        }
        bail!("there is no deploy to show: every profile is left out");
    }
    if let Some(kind) = &args.value {
        let lacks = (deploys.iter().flat_map(|deploy| &deploy.runs))
            .find(|(_, run)| run.values.iter().all(|value| value.kind != *kind));
        if let Some((file, run)) = lacks {
            let has: Vec<&str> = run.values.iter().map(|value| value.kind.as_str()).collect();
            bail!(
                "{file} has no value {kind} (choose one with --value: {})",
                has.join(", ")
            );
        }
    }
    let options = Options {
        alpha: args.alpha,
        mode: args.mode.into(),
        value: args.value,
        by: match args.by.as_deref() {
            None => By::Usual,
            Some("thread") => By::Thread,
            Some("tree") => By::Tree,
            Some(label) => By::Label(label.to_owned()),
        },
        renames: Config::read(None)?.renames().clone(),
        ..Options::default()
    };
    let series = series(&profiles(&deploys), &options).context("cannot look at these deploys")?;
    let chosen = match &args.function {
        None => None,
        Some(name) => Some(of_name(&series, name)?),
    };
    let grew = series.changes.iter().any(ChangePoint::grew);
    let exit = if args.fail && grew {
        outcome::REGRESSED
    } else {
        outcome::FINE
    };
    let mut out = io::stdout().lock();
    if args.json {
        let document = json::document(
            &series,
            &deploys,
            chosen.as_deref(),
            [&left_out, &unmatched],
            pinned,
            exit,
        );
        writeln!(out, "{document}")?;
    } else {
        let terminal = io::stdout().is_terminal();
        let style = Style::of(settings.color, terminal, args.ascii);
        let report = Shown {
            series: &series,
            names: deploys
                .iter()
                .map(|deploy| shown(short(&deploy.name)))
                .collect(),
            style: &style,
        };
        report.print(&mut out, chosen.as_deref(), &remarks)?;
    }
    Ok(ExitCode::from(exit))
}

/// The function of a name, itself and with what it calls.
fn of_name<'s>(series: &'s Series, name: &str) -> Result<Vec<&'s Tracked>> {
    let all = || series.functions.iter();
    let is_exact = |of: &&Tracked| of.function.shown() == name || of.function.name == name;
    let mut found: Vec<&Tracked> = all().filter(is_exact).collect();
    if found.is_empty() {
        found = all()
            .filter(|of| of.function.shown().contains(name))
            .collect();
    }
    let mut names: Vec<String> = found
        .iter()
        .map(|of| with_file(of.function.shown(), of.function.shown_file()))
        .collect();
    names.dedup();
    names.sort();
    names.dedup();
    ensure!(
        !names.is_empty(),
        "no function {name} has 0.1 % of all samples or more; the largest is {}",
        all().next().map_or("none", |of| of.function.shown())
    );
    ensure!(
        names.len() == 1,
        "--function {name} may be {} (name one)",
        names[..names.len().min(5)].join(", ")
    );
    found.sort_by_key(|of| of.kind);
    Ok(found)
}

fn with_file(name: &str, file: &str) -> String {
    match file {
        "" => name.to_owned(),
        file => format!("{name} ({file})"),
    }
}
