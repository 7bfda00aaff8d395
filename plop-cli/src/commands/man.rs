//! `plop man`: the manual pages.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;

/// Print the manual page, or write one for every command into a folder
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plop man --out ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// The folder to write plop.1, plop-convert.1 and the others into
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let command = crate::args::Cli::command();
    match args.out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            std::io::stdout().lock().write_all(&page)?;
        }
        Some(folder) => {
            std::fs::create_dir_all(&folder)
                .and_then(|()| clap_mangen::generate_to(command, &folder))
                .with_context(|| format!("cannot write manual pages into {}", folder.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
