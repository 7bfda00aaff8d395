//! `plop formats`: what can be read and written.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use plop_convert::formats;
use serde_json::json;

/// List the formats plop reads and writes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object with everything known of each format
    #[arg(long)]
    json: bool,
    /// Print the table of the README
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if args.json {
        let list: Vec<_> = formats()
            .iter()
            .map(|format| {
                json!({
                    "name": format.name,
                    "aliases": format.aliases,
                    "about": format.about,
                    "extensions": format.extensions,
                    "reads": format.is_read(),
                    "writes": format.write.is_some(),
                    "keeps": format.keeps.names().map(str::to_lowercase).collect::<Vec<_>>(),
                })
            })
            .collect();
        writeln!(
            out,
            "{}",
            json!({"schema": "plop.formats/1", "formats": list})
        )?;
    } else if args.markdown {
        write!(out, "{}", plop_convert::markdown_table())?;
    } else {
        for format in formats() {
            let mut does = Vec::new();
            if format.is_read() {
                does.push("read");
            }
            if format.write.is_some() {
                does.push("write");
            }
            writeln!(
                out,
                "{:<15} {:<11} {}",
                format.name,
                does.join(" "),
                format.about
            )?;
            let mut more = Vec::new();
            if !format.aliases.is_empty() {
                more.push(format!("also called {}", format.aliases.join(", ")));
            }
            let endings: Vec<_> = format
                .extensions
                .iter()
                .map(|end| format!(".{end}"))
                .collect();
            more.push(format!("files end in {}", endings.join(" ")));
            writeln!(out, "{:<27} {}", "", more.join("; "))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
