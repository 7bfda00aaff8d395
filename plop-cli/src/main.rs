//! The `plop` command: arguments, files, terminals and exit codes. Everything worth reusing is in
//! the crates below.
#![forbid(unsafe_code)]

mod agent;
mod args;
mod commands;
mod config;
mod input;
mod outcome;
mod output;
mod progress;
mod report;
mod select;
mod tell;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

fn main() -> ExitCode {
    let command = args::Cli::command().color(args::help_color(
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()),
    ));
    let cli = match args::Cli::from_arg_matches(&command.get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let settings = match cli.global.settings() {
        Ok(settings) => settings,
        Err(error) => return outcome::failed(&error),
    };
    match commands::run(cli.command, &settings) {
        Ok(code) => code,
        Err(error) => outcome::failed(&error),
    }
}
