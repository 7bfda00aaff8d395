//! `plop merge`: several runs into one profile.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use plop_core::{Notes, merge, merge_without_runs, one_run};
use serde_json::{Value, json};

use super::convert;
use crate::args::Settings;
use crate::input::InputArgs;
use crate::output::OutputArgs;
use crate::report;
use crate::select::as_drawn;

/// Add profiles up into one
///
/// Every file is a run; the profiles that one file holds are its threads. In a .plop file slices tell
/// which run each sample came from; in any other format equal samples of all runs become one, unless
/// --keep-runs is given and the format has slices, as pprof does. Values are matched by type and unit; what a run lacks counts as 0.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plop merge run1.plop run2.plop -o both.plop\n  \
    plop merge profiles/*.plop -f flamegraph\n  \
    plop merge host*.pb.gz -o all.pb.gz\n  \
    plop merge host*.pb.gz -o all.svg")]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Tell runs apart by slices in other formats than .plop, too; of these, pprof keeps slices
    #[arg(long)]
    keep_runs: bool,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let output = args.output.settle(Some("plop"))?;
    let inputs = args.input.read_all(settings)?;
    let mut told: Vec<Value> = Vec::new();
    let mut runs = Vec::new();
    let mut strict = args.output.strict.then(Vec::new);
    for input in inputs {
        if let Some(changes) = &mut strict {
            changes.extend(report::changes(&input.loaded.notes));
        }
        report::print_notes(&input.name, &input.loaded.notes, settings);
        told.push(json!({
            "file": input.name,
            "format": input.loaded.format.name,
            "profiles": input.loaded.profiles.len(),
            "notes": report::notes_json(&input.loaded.notes),
        }));
        let run = one_run(input.loaded.profiles)
            .with_context(|| format!("cannot add up the profiles of {}", input.name))?;
        runs.push(run);
    }
    let mut notes = Notes::new();
    let merge = match args.keep_runs || output.format.name == "plop" {
        true => merge,
        false => merge_without_runs,
    };
    let merged = merge(&runs, &mut notes).context("cannot merge")?;
    report::print_notes("merge", &notes, settings);
    if let Some(changes) = &mut strict {
        changes.extend(report::changes(&notes));
    }
    let merged = as_drawn(merged, output.format);
    let mut answer = convert::write(&[merged], &output, strict, "plop.merge/1", settings)?;
    if args.output.json {
        answer["inputs"] = Value::Array(told);
        answer["merge_notes"] = report::notes_json(&notes);
        writeln!(std::io::stdout().lock(), "{answer}")?;
    }
    Ok(ExitCode::SUCCESS)
}
