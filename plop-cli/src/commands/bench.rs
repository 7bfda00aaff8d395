//! `plop bench`: two commands, run in turns under the sampler, as two sets of profiles.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Zoned;
use plop_core::duration;
use serde_json::{Value, json};

use super::record::{Mode, Once, once};
use crate::args::Settings;
use crate::tell::tell;

/// Run two commands in turns under the sampler, for plop diff
///
/// Before and after take turns, so that whatever the machine does meanwhile meets both: before,
/// after, after, before, and so on. Every run leaves a profile. What the commands write to stdout is
/// thrown away.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    plop bench --before 'python3 old.py' --after 'python3 new.py' -n 8 -o runs\n  \
    plop diff runs/before-*.plop --vs runs/after-*.plop")]
pub(crate) struct Args {
    /// The command before the change, in one word for the shell; it is split as a shell does
    #[arg(long, value_name = "COMMAND", value_parser = words)]
    before: Words,
    /// The command after the change
    #[arg(long, value_name = "COMMAND", value_parser = words)]
    after: Words,
    /// Runs of each
    #[arg(short = 'n', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// The folder for before-1.plop, after-1.plop and so on; without it a new one in profiles/
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Samples a second, of each thread
    #[arg(short, long, value_name = "HZ", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// What is measured
    #[arg(long, value_name = "MODE", default_value = "cpu+wall")]
    mode: Mode,
    /// Print what was measured as JSON
    #[arg(long)]
    json: bool,
}

/// A command, split into words.
#[derive(Clone)]
struct Words(Vec<String>);

fn words(text: &str) -> Result<Words, String> {
    match shlex::split(text) {
        Some(words) if !words.is_empty() => Ok(Words(words)),
        Some(_) => Err("expected a command, found nothing".into()),
        None => Err(format!("a quote is not closed in `{text}`")),
    }
}

/// All runs of one of the two.
struct Side<'a> {
    name: &'static str,
    command: &'a Words,
    runs: Vec<Once>,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let folder = match &args.output {
        Some(folder) => folder.clone(),
        None => {
            Path::new("profiles").join(Zoned::now().strftime("bench-%Y%m%d-%H%M-%S").to_string())
        }
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let side = |name, command| Side {
        name,
        command,
        runs: Vec::new(),
    };
    let mut sides = [side("before", &args.before), side("after", &args.after)];
    for n in 0..2 * args.runs {
        // Before, after, after, before: none of them is always the first.
        let which = usize::from(n % 4 == 1 || n % 4 == 2);
        let side = &mut sides[which];
        let file = folder.join(format!("{}-{}.plop", side.name, side.runs.len() + 1));
        if settings.verbose {
            tell!("{}", file.display());
        }
        let command = side.command.0.iter().map(OsString::from).collect();
        let once = once(command, file, args.rate, args.mode, settings)?;
        if let Some(signal) = once.finished.status.signal() {
            bail!(
                "run {} of {} was killed by signal {signal}; the profiles so far are in {}",
                side.runs.len() + 1,
                side.name,
                folder.display()
            );
        }
        side.runs.push(once);
    }
    if sides
        .iter()
        .flat_map(|side| &side.runs)
        .any(|run| run.samples.is_none())
    {
        bail!(
            "runs without samples: there is nothing to compare (was it Python? was it too fast?)"
        );
    }
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", answer(&sides, &folder))?,
        false => table(&sides, &folder, &mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table(sides: &[Side], folder: &Path, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{:<7} {:>5}  {:<36} {:<36} {:>8}  status",
        "", "runs", "elapsed: median (all)", "CPU: median (all)", "samples"
    )?;
    for side in sides {
        let samples: i64 = side.runs.iter().filter_map(|run| run.samples).sum();
        writeln!(
            out,
            "{:<7} {:>5}  {:<36} {:<36} {:>8}  {}",
            side.name,
            side.runs.len(),
            spread(side.runs.iter().map(|run| run.wall)),
            spread(side.runs.iter().map(|run| run.finished.cpu)),
            samples,
            statuses(side)
        )?;
    }
    let folder = folder.display();
    writeln!(
        out,
        "\nplop diff {folder}/before-*.plop --vs {folder}/after-*.plop"
    )?;
    Ok(())
}

/// The median of times, and the least and the most of them.
fn spread(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    let text = |time: Duration| duration(time.as_nanos() as f64);
    match times[..] {
        [] => String::new(),
        [least, .., most] => {
            format!(
                "{} ({} to {})",
                text(median(&times)),
                text(least),
                text(most)
            )
        }
        [only] => text(only),
    }
}

/// The middle of times in order.
fn median(times: &[Duration]) -> Duration {
    let middle = times.len() / 2;
    match times.len() % 2 {
        0 => (times[middle - 1] + times[middle]) / 2,
        _ => times[middle],
    }
}

/// The exit codes that runs had, each once.
fn statuses(side: &Side) -> String {
    let mut codes: Vec<i32> = side
        .runs
        .iter()
        .filter_map(|run| run.finished.status.code())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
        .iter()
        .map(i32::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn answer(sides: &[Side], folder: &Path) -> Value {
    let mut answer = json!({"schema": "plop.bench/1", "folder": folder.display().to_string()});
    for side in sides {
        let runs = side.runs.iter().enumerate().map(|(n, run)| {
            json!({
                "file": folder.join(format!("{}-{}.plop", side.name, n + 1)).display().to_string(),
                "wall_ns": run.wall.as_nanos() as u64,
                "cpu_ns": run.finished.cpu.as_nanos() as u64,
                "samples": run.samples,
                "dropped": run.dropped,
                "status": run.finished.status.code(),
            })
        });
        answer[side.name] = json!({"command": side.command.0, "runs": runs.collect::<Vec<_>>()});
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_as_a_shell_does() {
        let split = |text| words(text).map(|words| words.0);
        assert_eq!(
            split("a 'b c' \"d\" e\\ f").unwrap(),
            ["a", "b c", "d", "e f"]
        );
        assert!(split("").is_err() && split("a 'b").is_err());
    }

    #[test]
    fn the_middle_of_times_is_told_with_their_spread() {
        let spread = |times: &[u64]| spread(times.iter().map(|ms| Duration::from_millis(*ms)));
        assert_eq!(spread(&[3, 1, 2]), "2.00 ms (1.00 ms to 3.00 ms)");
        assert_eq!(spread(&[4, 1]), "2.50 ms (1.00 ms to 4.00 ms)");
        assert_eq!(spread(&[7]), "7.00 ms");
    }
}
