//! The commands, each in a file of its own: its arguments, and what it does with them.

pub(crate) mod baseline;
pub(crate) mod bench;
pub(crate) mod calibrate;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod diff;
pub(crate) mod formats;
pub(crate) mod history;
pub(crate) mod info;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod record;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Command, Settings};

pub(crate) fn run(command: Command, settings: &Settings) -> Result<ExitCode> {
    match command {
        Command::Record(args) => record::run(*args, settings),
        Command::Convert(args) => convert::run(*args, settings),
        Command::Merge(args) => merge::run(args, settings),
        Command::Diff(args) => diff::run(*args, settings),
        Command::Calibrate(args) => calibrate::run(args, settings),
        Command::History(args) => history::run(args, settings),
        Command::Baseline(args) => baseline::run(*args, settings),
        Command::Bench(args) => bench::run(args, settings),
        Command::Info(args) => info::run(args, settings),
        Command::Formats(args) => formats::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}
