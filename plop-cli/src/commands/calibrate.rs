//! `plop calibrate`: what runs of one build tell of a service, for comparisons to come.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use plop_core::{Profile, one_run};
use plop_diff::{Calibration, Options, Prior, Surroundings, calibrate};
use serde_json::{Value, json};

use super::baseline::index;
use super::diff::baseline::told;
use super::diff::numbers::count;
use crate::args::Settings;
use crate::input::{InputArgs, NamedTwice, named_twice};
use crate::output;
use crate::report;
use crate::tell::tell;

/// Learn from runs of one build how much runs differ, for plop diff --calibration
///
/// Folders stand for the profiles in them. Every pair of runs is compared, too: how often one would be taken for a
/// regression is the rate of false alarms on this service.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plop bench --before ./service --after ./service -n 8 -o runs && plop calibrate runs -o service.json\n  \
    plop diff --calibration service.json before.plop after.plop")]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Where to write what was learnt
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The kind of value that is compared, such as cpu or wall; otherwise the files' default
    #[arg(long, value_name = "KIND")]
    value: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// What the file says that it is.
const SCHEMA: &str = "plop.calibration/1";

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let runs = runs(&args.input, settings)?;
    let options = Options {
        value: args.value,
        ..Options::default()
    };
    let profiles: Vec<&Profile> = runs.iter().collect();
    let calibration = calibrate(&profiles, &options).context("cannot calibrate")?;
    let mixed = mixed(&runs);
    for said in &mixed {
        tell!("{said}");
    }
    let document = document(&calibration, &mixed);
    if let Some(file) = &args.output {
        output::write_text(Some(file), &format!("{document}\n"))?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{document}")?;
    } else {
        print(&mut out, &calibration)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The runs in files and folders. What is no profile is left out of a folder, which is said.
fn runs(input: &InputArgs, settings: &Settings) -> Result<Vec<Profile>> {
    let named = input.files()?;
    let mut files: Vec<PathBuf> = Vec::new();
    let mut of_folders: Vec<Option<&Path>> = Vec::new();
    for file in &named {
        match file.is_dir() {
            true => files.extend(inside(file)?),
            false => files.push(file.clone()),
        }
        of_folders.resize(files.len(), file.is_dir().then_some(file));
    }
    if let Some(NamedTwice { named, .. }) = named_twice(&files) {
        bail!(
            "{named} is named twice: it is one run, and counts once (record more runs of the same build)"
        );
    }
    let (mut runs, mut left_out) = (Vec::new(), Vec::new());
    let mut filled: BTreeSet<&Path> = BTreeSet::new();
    let read = input.read_these(&files, settings)?;
    for ((file, folder), read) in files.iter().zip(of_folders).zip(read) {
        match (read, folder) {
            (Ok(read), _) => {
                report::print_notes(&read.name, &read.loaded.notes, settings);
                let run = one_run(read.loaded.profiles)
                    .with_context(|| format!("cannot add up the profiles of {}", read.name))?;
                runs.push(run);
                filled.extend(folder);
            }
            (Err(_), Some(_)) => left_out.push(file.display().to_string()),
            (Err(error), None) => return Err(error),
        }
    }
    if !left_out.is_empty() {
        tell!("{}", told(("cannot be read".to_owned(), left_out)));
    }
    let is_empty = |file: &&PathBuf| file.is_dir() && !filled.contains(file.as_path());
    if let Some(folder) = named.iter().find(is_empty) {
        bail!("{}: there is no profile in it", folder.display());
    }
    Ok(runs)
}

/// The files in a folder, hidden ones aside, in the order of their names.
fn inside(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.file_name() != index::NAME && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// What has to be alike, by its name for people, and all that it is.
pub(super) fn surroundings(all: &[Surroundings]) -> [(&'static str, Vec<&str>); 4] {
    type Word = fn(&Surroundings) -> &str;
    let words: [(_, Word); 4] = [
        ("interpreter", |of| &of.runtime),
        ("kind of machine", |of| &of.host),
        ("clock", |of| &of.clock),
        ("sampling period", |of| &of.period),
    ];
    words.map(|(what, word)| {
        let distinct: BTreeSet<&str> = all
            .iter()
            .map(word)
            .filter(|word| !word.is_empty())
            .collect();
        (what, distinct.into_iter().collect())
    })
}

/// What is said of runs that were not recorded alike.
fn mixed(runs: &[Profile]) -> Vec<String> {
    let all: Vec<Surroundings> = runs.iter().map(Surroundings::of).collect();
    (surroundings(&all).into_iter())
        .filter(|(_, words)| words.len() > 1)
        .map(|(what, words)| {
            format!(
                "the runs are of more than one {what}, which counts as a difference between runs: {}",
                words.join(", ")
            )
        })
        .collect()
}

fn document(calibration: &Calibration, mixed: &[String]) -> Value {
    json!({
        "schema": SCHEMA,
        "runs": calibration.runs,
        "functions": calibration.functions,
        "functions_error": calibration.functions_error,
        "uneven": calibration.uneven,
        "mix": calibration.mix,
        "mix_error": calibration.mix_error,
        "design_effect": calibration.design_effect,
        "pairs": calibration.pairs,
        "alarms": calibration.alarms,
        "alarm_rate": calibration.alarm_rate,
        "detectable": calibration.detectable[0],
        "detectable_without": calibration.detectable[1],
        "runtime": calibration.surroundings.runtime,
        "host": calibration.surroundings.host,
        "clock": calibration.surroundings.clock,
        "period": calibration.surroundings.period,
        "warnings": mixed.iter().map(|text| json!({"code": "mixed", "text": text})).collect::<Vec<_>>(),
    })
}

fn print(out: &mut impl Write, calibration: &Calibration) -> Result<()> {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    writeln!(out, "runs               {}", calibration.runs)?;
    writeln!(
        out,
        "functions          ±{} from run to run",
        percent(calibration.functions)
    )?;
    writeln!(
        out,
        "mix of requests    as of {} requests a run",
        count(1.0 / calibration.mix)
    )?;
    writeln!(
        out,
        "design effect      {:.2}: so many times as much do samples vary as independent ones",
        calibration.design_effect
    )?;
    let [low, high] = calibration.alarm_rate;
    writeln!(
        out,
        "false alarms       {} of {} pairs of runs ({} to {}, if no two pairs shared a run)",
        calibration.alarms,
        calibration.pairs,
        percent(low),
        percent(high)
    )?;
    let [with, without] = calibration
        .detectable
        .map(|share| format!("{:.2} pt", 100.0 * share));
    writeln!(
        out,
        "detectable         {with} of a function of 5 % by one run a side; {without} without this"
    )?;
    let advice = match calibration.alarms as f64 > 0.03 * calibration.pairs as f64 + 1.0 {
        true => {
            "these runs differ more than they should for one build: compare several runs a side"
        }
        false => "one run a side will do, within what plop diff says it can see",
    };
    writeln!(out, "{advice}")?;
    Ok(())
}

/// Reads what `plop calibrate -o` wrote: what it learnt, and where.
pub(crate) fn read(file: &Path) -> Result<(Prior, Surroundings)> {
    let cannot = || format!("cannot read the calibration {}", file.display());
    let again = "calibrate again: plop calibrate RUNS... -o FILE";
    if file.is_dir() {
        return Err(anyhow!(
            "it is a folder; name the file that plop calibrate -o wrote"
        ))
        .with_context(cannot);
    }
    let bytes = std::fs::read(file).with_context(cannot)?;
    let document: Value = serde_json::from_slice(&bytes).map_err(|error| match bytes.first() {
        Some(b'{') => anyhow!("{}: broken: {error} ({again})", cannot()),
        _ => anyhow!("{}: not what plop calibrate writes", cannot()),
    })?;
    match document["schema"].as_str() {
        Some(SCHEMA) => {}
        Some(other) if other.starts_with(SCHEMA.trim_end_matches(|c: char| c.is_ascii_digit())) => {
            bail!(
                "{}: it is {other}, and this plop reads {SCHEMA} ({again})",
                cannot()
            )
        }
        _ => bail!("{}: not what plop calibrate writes", cannot()),
    }
    let number = |key: &str| {
        document[key]
            .as_f64()
            .filter(|number| *number > 0.0 && number.is_finite())
            .with_context(|| {
                format!(
                    "{}: broken: `{key}` is no positive number ({again})",
                    cannot()
                )
            })
    };
    let prior = Prior {
        functions: number("functions")?,
        functions_sd: number("functions_error")?,
        mix: number("mix")?,
        mix_sd: number("mix_error")?,
        uneven: document["uneven"]
            .as_f64()
            .filter(|uneven| (0.0..=2.0).contains(uneven))
            .with_context(|| {
                format!(
                    "{}: broken: `uneven` is not from 0 to 2 ({again})",
                    cannot()
                )
            })?,
        measured: true,
    };
    let word = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
    let surroundings = Surroundings {
        runtime: word("runtime"),
        host: word("host"),
        clock: word("clock"),
        period: word("period"),
    };
    Ok((prior, surroundings))
}
