//! `plop record`: runs a program with the sampler in it, and saves what it recorded.
//!
//! This file holds the arguments and what is settled before the program starts. `launch` runs it,
//! `end` makes profiles of what it left.

mod elf;
mod end;
mod environment;
mod finish;
mod launch;
mod living;
mod once;
mod program;
mod spool;
mod surroundings;
mod target;
mod told;

pub(crate) use once::{Once, once};

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use plop_core::{Attribute, Features, Meta};

use crate::args::Settings;
use crate::input::format_names;
use crate::tell::tell;
use end::Request;
use program::Missing;
use target::Target;

/// Record where a Python program spends its time
///
/// Runs the command with the sampler loaded into it and into what it starts. The program
/// is not changed, and its exit status is plop's: killed by a signal, plop ends by the same. What it
/// recorded is saved whatever ends it. CPython 3.8 to 3.15 is sampled; other programs run as they
/// would without plop.
#[derive(clap::Args)]
#[command(
    override_usage = "plop record [OPTIONS] [--] <COMMAND>...\n       plop record [OPTIONS] --recover <FOLDER>"
)]
#[command(after_help = "Examples:\n  \
    plop record -- python app.py                  into profiles/app.py-DATE-TIME.plop\n  \
    plop record -o run.svg -- python -m app       a drawn flame graph\n  \
    plop record -r 1000 -d 30s --show -- gunicorn -w 4 app:app\n  \
    plop record --mode cpu --label deploy=9bd07e -o a.plop -- ./manage.py migrate\n  \
    plop record --exec -o /profiles/app.plop -- python app.py   in a container: the same process\n\n\
    docs/recording.md tells what is recorded, and how. Exit codes: the program's; 127 and 126 if it\n\
    cannot be started; 2 if plop cannot record, said before the program starts, or if saving fails\n\
    at the end of a program that ended with 0.")]
pub(crate) struct Args {
    /// Where to write: a file, or a folder for a name made up from the program's and the time
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format to write; without it, the ending of the output's name decides, or else it is plop
    #[arg(short, long, value_name = "FORMAT", value_parser = format_names(|format| format.write.is_some()))]
    format: Option<String>,
    /// Compress the output with gzip, whatever its name
    #[arg(long)]
    gzip: bool,
    /// Samples a second, of each thread
    #[arg(short, long, value_name = "HZ", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Stop recording after this time, such as 30, 30s, 500ms or 2m. The program runs on
    #[arg(short, long, value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// Begin to record after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    delay: Option<Duration>,
    /// What is measured
    #[arg(long, value_name = "MODE", default_value = "cpu+wall")]
    mode: Mode,
    /// Do not record the processes that the program starts
    #[arg(long)]
    no_subprocesses: bool,
    /// Write a file for each process, NAME-PID, instead of one of all
    #[arg(long)]
    per_process: bool,
    /// Label every sample; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Keep when each sample was taken. Of the formats that are written, speedscope has room for it
    #[arg(long)]
    timeline: bool,
    /// Print the functions that took most when the program has ended, on stderr
    #[arg(long)]
    show: bool,
    /// Become the program instead of being its parent: the same process id. It writes the .plop file
    /// itself
    #[arg(long, conflicts_with_all = ["show", "json", "strict", "per_process"])]
    exec: bool,
    /// Print what was recorded as JSON on stdout, behind what the program writes there
    #[arg(long)]
    json: bool,
    /// Fail with exit code 2 if the format has no room for something that is recorded
    #[arg(long)]
    strict: bool,
    /// Save what a recording that could not be finished left in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["command", "exec", "rate", "duration", "delay", "mode", "timeline", "label"])]
    recover: Option<PathBuf>,
    /// For tests: what the sampler is to pretend
    #[arg(long, hide = true, default_value = "")]
    deflect: String,
    /// The program and its arguments
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "recover"
    )]
    command: Vec<OsString>,
}

/// What drives the sampler, and what it counts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// CPU time and elapsed time of every thread, two values in one profile
    #[value(name = "cpu+wall")]
    CpuWall,
    /// CPU time of every thread
    Cpu,
    /// Elapsed time of every thread, asleep or not
    Wall,
    /// CPU time by the process's one timer ITIMER_PROF, as in the original Plop
    Prof,
    /// User CPU time by ITIMER_VIRTUAL
    Virtual,
    /// Elapsed time by ITIMER_REAL, as long as the program sets no alarm
    Real,
}

impl Mode {
    /// The name that the agent knows it by.
    fn name(self) -> &'static str {
        match self {
            Mode::CpuWall => "cpu+wall",
            Mode::Cpu => "cpu",
            Mode::Wall => "wall",
            Mode::Prof => "prof",
            Mode::Virtual => "virtual",
            Mode::Real => "real",
        }
    }
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    if let Some(folder) = &args.recover {
        return end::recover(folder, &args, settings);
    }
    let preload = match look(&args, settings) {
        Ok(preload) => preload,
        Err(missing) => return Ok(not_started(&missing)),
    };
    let target = Target::settle(&args)?;
    target.check(&args)?;
    if args.exec {
        return launch::become_it(&args, &target, preload);
    }
    let about = about(&args, &target);
    let request = Request {
        target,
        about,
        strict: args.strict,
        show: args.show,
        json: args.json,
    };
    let (target, about) = (&request.target, &request.about);
    let started = match launch::start(&args, target, about, preload, Stdio::inherit())? {
        Ok(started) => started,
        Err(missing) => return Ok(not_started(&missing)),
    };
    if let Some(duration) = args.duration
        && !started.ends_within(args.delay.unwrap_or_default() + duration + GRACE)?
    {
        return end::before_the_program(started, &request, settings);
    }
    let ran = started.wait()?;
    end::end(ran.spool, &request, ran.finished.status, settings)
}

/// How long processes may take to save when the time of `--duration` is over.
const GRACE: Duration = Duration::from_millis(100);

/// Looks at the program; whether the agent is to be named in its environment.
fn look(args: &Args, settings: &Settings) -> Result<bool, Missing> {
    let found = program::find(&args.command[0])?;
    let Some(obstacle) = program::obstacle(&found) else {
        return Ok(true);
    };
    let name = args.command[0].to_string_lossy();
    let rest = match obstacle.preload {
        true => "; what it starts is",
        false => "",
    };
    if !settings.quiet {
        tell!("{name} is not sampled: {}{rest}", obstacle.why);
    }
    Ok(obstacle.preload)
}

fn not_started(missing: &Missing) -> ExitCode {
    tell!("{}", missing.why);
    ExitCode::from(missing.code)
}

/// What is known before the program starts.
fn about(args: &Args, target: &Target) -> Meta {
    let text = |text: &str| Attribute::Text(text.to_owned());
    let labels =
        (args.label.iter()).map(|(key, value)| (format!("{}{key}", finish::LABEL), text(value)));
    let format = (finish::FORMAT.to_owned(), text(target.output.format.name));
    let per_process = (finish::PER_PROCESS.to_owned(), Attribute::Number(1));
    Meta {
        command: (args.command.iter())
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        host: surroundings::host(),
        build: surroundings::build(),
        extra: labels
            .chain([format])
            .chain(args.per_process.then_some(per_process))
            .collect(),
        ..Meta::default()
    }
}

/// What a recording carries.
fn recorded(args: &Args) -> Features {
    let always = Features::FILES
        | Features::LINES
        | Features::START_LINES
        | Features::KINDS
        | Features::THREADS
        | Features::SLICES
        | Features::LABELS
        | Features::UNITS
        | Features::TIMING
        | Features::PERIOD
        | Features::META;
    let sometimes = [
        (args.mode == Mode::CpuWall, Features::VALUES),
        (args.timeline, Features::TIMES),
    ];
    let more = sometimes
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, feature)| feature);
    always | more.collect()
}

/// A time: `30`, `30s`, `500ms`, `2m`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as 30s, 500ms or 2m, found `{text}`");
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|time| *time > Duration::ZERO && time.as_secs() < 1 << 30)
        .ok_or_else(wrong)
}

/// A label: `key=value`.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("state", _)) => Err("the label `state` is the sampler's own".into()),
        Some((key, value)) if !key.is_empty() && !text.contains(['\n', '\0']) => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(format!("expected KEY=VALUE on one line, found `{text}`")),
    }
}

impl Target {
    /// Refuses what would only turn out to be impossible when the program has run.
    fn check(&self, args: &Args) -> Result<()> {
        let format = self.output.format;
        if args.exec && (format.name != "plop" || self.output.ending() != "plop") {
            bail!(
                "--exec: the program itself writes the file, as .plop; `plop convert` makes {} of it",
                self.output.ending()
            );
        }
        if args.timeline && !format.keeps.contains(Features::TIMES) {
            bail!(
                "--timeline: {} has no room for the times of samples (choose -f speedscope)",
                format.name
            );
        }
        let labels: usize = args
            .label
            .iter()
            .map(|(key, value)| key.len() + value.len() + 2)
            .sum();
        if labels > 3000 {
            bail!("--label: {labels} bytes of labels; 3,000 at most");
        }
        let lost = recorded(args) - format.keeps;
        if args.strict && !lost.is_empty() {
            bail!(
                "--strict: {} has no room for what is recorded: {lost}",
                format.name
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(time("30"), Ok(Duration::from_secs(30)));
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for wrong in [
            "",
            "s",
            "0",
            "-1",
            "1 s",
            "1d",
            "1e3",
            "..",
            "99999999999999h",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_have_a_key_that_is_free() {
        assert_eq!(label("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(label("a="), Ok(("a".into(), String::new())));
        for wrong in ["a", "=b", "a=b\nc", "state=x"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }
}
