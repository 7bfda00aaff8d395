//! The `plop` command: arguments, files, terminals and exit codes. Everything worth reusing is in
//! the crates below.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod input;
mod outcome;
mod output;
mod progress;
mod report;
mod select;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let settings = match cli.global.settings() {
        Ok(settings) => settings,
        Err(error) => return outcome::failed(&error),
    };
    match commands::run(cli.command, &settings) {
        Ok(code) => code,
        Err(error) => outcome::failed(&error),
    }
}
