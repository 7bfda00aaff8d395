//! `plop convert`: from one format to another.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use plop_core::{Features, Notes, Profile, one_run};
use serde_json::{Value, json};

use crate::args::Settings;
use crate::input::{Input, InputArgs};
use crate::output::{Output, OutputArgs};
use crate::progress::Progress;
use crate::report;
use crate::select::SelectArgs;
use crate::tell::tell;

/// Convert profiles between formats
///
/// Reads any format plop knows, recognised by its content, and writes another. What the output's
/// format has no room for is listed on stderr. Several inputs go into one output if its format holds
/// several profiles; with `-o FOLDER/` each becomes a file of its own. The several profiles of one file
/// become the threads of one where the output's format holds one.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plop convert in.plop -f flamegraph            folded stacks, as the original Plop's -f flamegraph\n  \
    plop convert in.plop -o out.folded            the same, the format told by the name\n  \
    plop convert in.plop -o out.svg               a drawn flame graph, by function\n  \
    plop convert in.plop -o out.pb.gz             for `go tool pprof -top out.pb.gz`\n  \
    plop convert in.pprof -o out.speedscope.json  for the viewer speedscope\n  \
    plop convert heap.pb.gz --value alloc_space -o heap.svg   one of several values\n  \
    plop convert a.folded --focus parse -o b.plop only stacks through `parse`\n  \
    plop convert *.plop -f folded -o out/         each into out/NAME.folded")]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    select: SelectArgs,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let folder = args.output.output.clone().filter(|path| is_folder(path));
    let output = args.output.settle(None)?;
    let mut inputs = args.input.read_all(settings)?;
    for input in &mut inputs {
        join(input, &output, &args.select)?;
        report::print_notes(&input.name, &input.loaded.notes, settings);
    }
    let outputs = match folder {
        None => vec![(output, inputs)],
        Some(folder) => one_each(&folder, &output, inputs)?,
    };
    for (output, inputs) in outputs {
        let mut told: Vec<Value> = Vec::new();
        let mut profiles = Vec::new();
        let mut strict = args.output.strict.then(Vec::new);
        for input in inputs {
            if let Some(changes) = &mut strict {
                changes.extend(report::changes(&input.loaded.notes));
            }
            told.push(json!({
                "file": input.name,
                "format": input.loaded.format.name,
                "profiles": input.holds,
                "notes": report::notes_json(&input.loaded.notes),
            }));
            profiles.extend(input.loaded.profiles);
        }
        let had_samples = profiles.iter().any(|profile| !profile.samples.is_empty());
        let profiles = {
            let _progress = Progress::start("transforming", &Arc::default(), 0, settings);
            args.select.apply(profiles, output.format)?
        };
        if had_samples && profiles.iter().all(|p| p.samples.is_empty()) && !settings.quiet {
            tell!("{}: note: the transforms left no samples", output.name());
        }
        let mut answer = write(&profiles, &output, strict, "plop.convert/1", settings)?;
        if args.output.json {
            answer["inputs"] = Value::Array(told);
            writeln!(std::io::stdout().lock(), "{answer}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes profiles and tells what was lost, as JSON too. `strict` holds what reading passed over or
/// changed, and makes that, and a loss, an error.
pub(crate) fn write(
    profiles: &[Profile],
    output: &Output,
    strict: Option<Vec<String>>,
    schema: &str,
    settings: &Settings,
) -> Result<Value> {
    let name = output.name();
    let started = Instant::now();
    let mut notes = Notes::new();
    let prepared = (output.format)
        .prepare(profiles, &mut notes)
        .with_context(|| format!("cannot write {name}"))?;
    report::print_losses(&name, output.format.name, prepared.losses, settings);
    report::print_notes(&name, &notes, settings);
    if let Some(mut changes) = strict {
        changes.extend(prepared.losses.words().map(str::to_owned));
        changes.extend(notes.iter().map(ToString::to_string));
        if !changes.is_empty() {
            bail!(
                "--strict: {name} was not written, since this would be lost or changed: {}",
                changes.join("; ")
            );
        }
    }
    let bytes = output.write(&prepared, settings)?;
    if settings.verbose {
        tell!(
            "{name}: {bytes} bytes written in {:.3} s",
            started.elapsed().as_secs_f64()
        );
    }
    Ok(json!({
        "schema": schema,
        "output": {"file": name, "format": output.format.name, "bytes": bytes},
        "lost": report::losses_json(prepared.losses),
        "notes": report::notes_json(&notes),
    }))
}

/// Where the output holds only one profile, makes one of the several of a file, which are parts of one
/// run, unless one of them was chosen.
fn join(input: &mut Input, output: &Output, select: &SelectArgs) -> Result<()> {
    let loaded = &mut input.loaded;
    let holds_one = !output.format.keeps.contains(Features::MANY);
    if loaded.profiles.len() < 2 || !holds_one || select.chooses_profile() {
        return Ok(());
    }
    let (count, format) = (loaded.profiles.len(), output.format.name);
    loaded.notes.add("profiles-joined", None, || {
        format!("its {count} profiles become the threads of one, since {format} holds one (--profile N chooses)")
    });
    let one = one_run(std::mem::take(&mut loaded.profiles))
        .with_context(|| format!("cannot put the profiles of {} together", input.name))?;
    input.loaded.profiles = vec![one];
    Ok(())
}

pub(crate) fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// An output of its own for every input: its name in the folder, with the ending of the format.
fn one_each(
    folder: &Path,
    output: &Output,
    inputs: Vec<Input>,
) -> Result<Vec<(Output, Vec<Input>)>> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut taken: Vec<PathBuf> = Vec::new();
    inputs
        .into_iter()
        .map(|input| {
            let name = Path::new(&input.name)
                .file_name()
                .unwrap_or("stdin".as_ref());
            let name = name.to_string_lossy();
            let stem = name.strip_suffix(".gz").unwrap_or(&name);
            let known = input.loaded.format.extension_of(stem);
            let stem = known.map_or(stem, |end| &stem[..stem.len() - end.len() - 1]);
            let ending = output.ending();
            let file = folder.join(format!("{stem}.{ending}"));
            if taken.contains(&file) {
                bail!("two inputs would both become {}", file.display());
            }
            taken.push(file.clone());
            Ok((output.to_file(file), vec![input]))
        })
        .collect()
}
