//! The command line: what can be typed.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};

use crate::commands::{
    baseline, bench, calibrate, completions, convert, diff, formats, history, info, man, merge,
    record,
};

/// Find out what a program spends its time on, and whether the last deploy made it slower.
#[derive(Parser)]
#[command(name = "plop", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 fine; 1 a regression; 2 usage, unreadable input, or a loss under --strict; \
    3 no verdict. plop record has its program's.\n\
    `plop COMMAND --help` tells more than `plop COMMAND -h`."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Record(Box<record::Args>),
    Convert(Box<convert::Args>),
    Merge(merge::Args),
    Diff(Box<diff::Args>),
    Calibrate(calibrate::Args),
    History(history::Args),
    Baseline(Box<baseline::Args>),
    Bench(bench::Args),
    Info(info::Args),
    Formats(formats::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Options of every command.
#[derive(Args)]
pub(crate) struct Global {
    /// Say nothing but errors and the answer
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    quiet: bool,
    /// Say more: how long each step took
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Everywhere",
        conflicts_with = "quiet"
    )]
    verbose: bool,
    /// Threads to use; 0 for one a processor
    #[arg(
        short,
        long,
        global = true,
        value_name = "N",
        default_value_t = 0,
        help_heading = "Everywhere"
    )]
    jobs: usize,
    /// Colour: auto is on for a terminal unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    color: Color,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// What the options of every command come to.
pub(crate) struct Settings {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    /// Whether to colour what goes to stdout.
    pub(crate) color: bool,
}

impl Global {
    /// Looks at the world once, and sets up the threads.
    pub(crate) fn settings(&self) -> Result<Settings> {
        // Without a number the threads are started when there is work for them.
        if self.jobs > 0 {
            rayon::ThreadPoolBuilder::new()
                .num_threads(self.jobs)
                .build_global()
                .context("cannot start threads")?;
        }
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Ok(Settings {
            quiet: self.quiet,
            verbose: self.verbose,
            color: match self.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => std::io::stdout().is_terminal() && !no_color && !dumb,
            },
        })
    }
}

/// Whether help and usage errors have colour. They are printed before the options are known, so this
/// looks for `--color` on its own.
pub(crate) fn help_color(words: impl Iterator<Item = String>) -> ColorChoice {
    let mut words = words.skip_while(|word| word != "--color" && !word.starts_with("--color="));
    let word = words.next().unwrap_or_default();
    let value = match word.strip_prefix("--color=") {
        Some(value) => value.to_owned(),
        None => words.next().unwrap_or_default(),
    };
    match value.as_str() {
        "never" => ColorChoice::Never,
        "always" => ColorChoice::Always,
        _ => ColorChoice::Auto,
    }
}

/// A number of bytes: `500M`, `8G`, `4096`. K, M, G and T are powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a number of bytes such as 500M or 8G, found `{text}`");
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("2G"), Ok(2 << 30));
        assert_eq!(bytes("3MiB"), Ok(3 << 20));
        for wrong in ["", "G", "1X", "-1", "99999999999T"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
