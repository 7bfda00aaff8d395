//! `plop info`: what is in a file.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use plop_core::{FrameId, Notes, Profile, StackId, amount, duration};
use serde_json::{Value, json};

use crate::args::Settings;
use crate::input::{Input, InputArgs};
use crate::outcome;
use crate::report;

/// Tell what is in profiles: format, totals, values, threads
///
/// With several files, one that cannot be read is reported on stderr, the others are still told, and
/// the exit code is 2.
#[derive(clap::Args)]
#[command(
    after_help = "With --json, one object a line for each profile of each file: schema, file, \
    profile (its index), name, format, samples (records), stacks, functions, max_depth, threads, \
    values [{type, unit, total, default}], period, duration_ns, notes [{code, count, text, first}]. \
    docs/json.md tells what each means."
)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Print one JSON object a line for each profile
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut out = std::io::stdout().lock();
    let mut told = 0;
    for input in args.input.read_each(settings)? {
        match input {
            Err(error) => code = outcome::failed(&error),
            Ok(input) if args.json => {
                for (index, profile) in input.loaded.profiles.iter().enumerate() {
                    writeln!(out, "{}", Summary::of(profile).json(&input, index, profile))?;
                }
            }
            Ok(input) => {
                for (index, profile) in input.loaded.profiles.iter().enumerate() {
                    if told > 0 {
                        writeln!(out)?;
                    }
                    told += 1;
                    print(&mut out, &input, index, profile, settings.color)?;
                }
            }
        }
    }
    Ok(code)
}

/// The counts of a profile.
struct Summary {
    stacks: usize,
    functions: usize,
    max_depth: u32,
    threads: usize,
}

impl Summary {
    fn of(profile: &Profile) -> Self {
        let mut sampled = vec![false; profile.stacks.len()];
        for stack in profile.samples.stacks() {
            sampled[stack.index()] = true;
        }
        let depths = profile.stacks.depths();
        let used = (0..sampled.len()).filter(|n| sampled[*n]);
        let mut functions = vec![false; profile.functions.len()];
        let mut reached = sampled.clone();
        for stack in (1..reached.len()).rev() {
            if reached[stack] {
                let id = StackId::new(stack);
                reached[profile.stacks.parent(id).index()] = true;
                let frame: Option<FrameId> = profile.stacks.frame(id);
                if let Some(frame) = frame {
                    functions[profile.frames.get(frame).function.index()] = true;
                }
            }
        }
        Summary {
            stacks: used.clone().count(),
            functions: functions.iter().filter(|used| **used).count(),
            max_depth: used.map(|n| depths[n]).max().unwrap_or(0),
            threads: profile.thread_count(),
        }
    }

    fn json(&self, input: &Input, index: usize, profile: &Profile) -> Value {
        let values: Vec<Value> = (profile.values.iter().enumerate())
            .map(|(n, value)| {
                json!({
                    "type": value.kind,
                    "unit": value.unit,
                    "total": number(profile.total(n), value.scale),
                    "default": n == profile.default_value,
                })
            })
            .collect();
        let period = profile.meta.period.as_ref().map(
            |period| json!({"type": period.of.kind, "unit": period.of.unit, "value": period.every}),
        );
        json!({
            "schema": "plop.info/1",
            "file": input.name,
            "profile": index,
            "name": profile.meta.name,
            "format": input.loaded.format.name,
            "samples": profile.samples.len(),
            "stacks": self.stacks,
            "functions": self.functions,
            "max_depth": self.max_depth,
            "threads": self.threads,
            "values": values,
            "period": period,
            "duration_ns": profile.meta.duration_ns,
            "notes": report::notes_json(notes_of(input, index)),
        })
    }
}

/// The notes of a file are told once, with its first profile.
fn notes_of(input: &Input, index: usize) -> &Notes {
    static NONE: std::sync::LazyLock<Notes> = std::sync::LazyLock::new(Notes::new);
    match index {
        0 => &input.loaded.notes,
        _ => &NONE,
    }
}

/// A value as a JSON number: whole where it has no decimal places; as text where a number would lose
/// digits.
fn number(value: i64, scale: u8) -> Value {
    match scale {
        0 => json!(value),
        scale => {
            let decimal = plop_core::decimal(value, scale);
            match serde_json::from_str::<serde_json::Number>(&decimal) {
                Ok(number) if number.to_string() == decimal => Value::Number(number),
                // More digits than a program's floating-point number keeps.
                _ => Value::String(decimal),
            }
        }
    }
}

fn print(
    out: &mut impl Write,
    input: &Input,
    index: usize,
    profile: &Profile,
    color: bool,
) -> Result<()> {
    let summary = Summary::of(profile);
    let meta = &profile.meta;
    let (bold, plain) = if color {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    let mut head = format!("{bold}{}{plain}  {}", input.name, input.loaded.format.name);
    if input.loaded.profiles.len() > 1 {
        head += &format!("  profile {index} of {}", input.loaded.profiles.len());
    }
    writeln!(out, "{head}")?;
    let mut line = |key: &str, text: String| -> Result<()> {
        if !text.is_empty() {
            writeln!(out, "  {key:<10} {text}")?;
        }
        Ok(())
    };
    line("name", meta.name.clone())?;
    for (n, value) in profile.values.iter().enumerate() {
        let default = n == profile.default_value && profile.values.len() > 1;
        let mark = if default { ", the default" } else { "" };
        let total = amount(profile.total(n), value);
        line(
            "total",
            format!("{total}  ({}/{}{mark})", value.kind, value.unit),
        )?;
    }
    line("records", profile.samples.len().to_string())?;
    line(
        "stacks",
        format!("{}, up to {} deep", summary.stacks, summary.max_depth),
    )?;
    line("functions", summary.functions.to_string())?;
    if summary.threads > 0 {
        line("threads", summary.threads.to_string())?;
    }
    if !profile.slices.is_empty() {
        let (slices, runs) = (profile.slices.len(), profile.slices.runs());
        line(
            "slices",
            format!("{slices} in {runs} run{}", if runs == 1 { "" } else { "s" }),
        )?;
    }
    if let Some(period) = &meta.period {
        line("period", amount(period.every, &period.of))?;
    }
    if let Some(ns) = meta.duration_ns {
        line("duration", duration(ns as f64))?;
    }
    line("clock", meta.clock.clone())?;
    line("runtime", meta.runtime.clone())?;
    line("command", meta.command.join(" "))?;
    let features = profile.features();
    line("carries", features.to_string())?;
    for note in notes_of(input, index).iter() {
        line("note", note.to_string())?;
    }
    Ok(())
}
