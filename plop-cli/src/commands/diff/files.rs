//! The files that `plop diff` writes: reports, and both sides for tools that draw. Which are asked for, in which
//! formats, and writing them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};
use plop_convert::{Format, formats};
use plop_diff::Comparison;

use super::places::Places;
use super::reports::{self, REPORTS, Report};
use crate::args::Settings;
use crate::commands::convert;
use crate::input::is_same;
use crate::output::{self, Output, OutputArgs};
use crate::select::as_drawn;

/// Files beside the report.
#[derive(clap::Args)]
#[command(next_help_heading = "Files, for people and for other tools")]
pub(super) struct FileArgs {
    /// The format of what is written, where the file's name does not tell; without -o it goes to standard output, in
    /// the place of the report
    #[arg(short, long, value_name = "FORMAT", value_parser = names())]
    format: Option<String>,
    /// Write a file, in the format that its name ends in (.md, .json, .sarif, .xml, .codequality.json, .svg, .pb.gz,
    /// .folded-diff) or that stands before it, as in markdown=FILE; as often as files are wanted. `-` is standard
    /// output, which then has no report. In pictures and profiles before is scaled to after
    #[arg(short, long, value_name = "[FORMAT=]FILE")]
    output: Vec<PathBuf>,
    /// Compress the picture or the profile with gzip, whatever its name; pprof always is
    #[arg(long)]
    gzip: bool,
}

/// A file to write.
pub(super) enum Wanted {
    Report {
        report: &'static Report,
        /// `None` is standard output.
        file: Option<PathBuf>,
    },
    /// Both sides, or their difference.
    Sides(Output),
}

impl Wanted {
    fn file(&self) -> Option<&Path> {
        match self {
            Wanted::Report { file, .. } => file.as_deref(),
            Wanted::Sides(output) => output.file.as_deref(),
        }
    }
}

/// Whether standard output is taken by one of the files.
pub(super) fn take_stdout(wanted: &[Wanted]) -> bool {
    wanted.iter().any(|one| one.file().is_none())
}

/// Makes sure that no file that was read is written over.
pub(super) fn spare<'p>(wanted: &[Wanted], read: impl Iterator<Item = &'p Path>) -> Result<()> {
    for input in read {
        for file in wanted.iter().filter_map(Wanted::file) {
            ensure!(
                !is_same(file, input),
                "-o {} would write over what is compared (name another file)",
                file.display()
            );
        }
    }
    Ok(())
}

/// The formats that can hold both sides of a comparison.
fn holds_sides(format: &Format) -> bool {
    ["folded-diff", "svg", "pprof"].contains(&format.name)
}

fn sides() -> impl Iterator<Item = &'static Format> {
    formats()
        .iter()
        .copied()
        .filter(|format| holds_sides(format))
}

fn names() -> PossibleValuesParser {
    let reports = REPORTS
        .iter()
        .map(|report| PossibleValue::new(report.name).help(report.about));
    let sides = sides().map(|format| {
        PossibleValue::new(format.name)
            .aliases(format.aliases)
            .help(format.about)
    });
    PossibleValuesParser::new(reports.chain(sides))
}

/// What a format is called by a name that can be typed.
fn called(name: &str) -> Option<&'static str> {
    let side = || {
        let mut sides = sides();
        sides.find(|format| format.name == name || format.aliases.contains(&name))
    };
    reports::find(name)
        .map(|report| report.name)
        .or_else(|| side().map(|format| format.name))
}

impl FileArgs {
    /// The files that are asked for. `json` is whether standard output is taken.
    pub(super) fn settle(&self, json: bool) -> Result<Vec<Wanted>> {
        ensure!(
            self.format.is_none() || self.output.len() < 2,
            "-f is the format of one file; of several each has its own, as in -o markdown=FILE"
        );
        let format = self.format.as_deref();
        let wanted: Vec<Wanted> = match &self.output[..] {
            [] => match format {
                Some(_) => vec![self.one(format, None, json)?],
                None => Vec::new(),
            },
            [one] if format.is_some() => vec![self.one(format, Some(one), json)?],
            files => (files.iter())
                .map(|file| {
                    let (format, file) = split(file);
                    self.one(format, Some(file), json)
                })
                .collect::<Result<_>>()?,
        };
        for (n, one) in wanted.iter().enumerate() {
            let file = one.file();
            ensure!(
                wanted[..n].iter().all(|other| other.file() != file),
                "{} is named twice with -o",
                file.map_or("standard output".into(), |file| file.display().to_string())
            );
        }
        let compresses = |one: &Wanted| matches!(one, Wanted::Sides(_));
        ensure!(
            !self.gzip || wanted.iter().any(compresses),
            "--gzip: say what to write with -f, or where with -o: a picture or a profile"
        );
        Ok(wanted)
    }

    fn one(&self, format: Option<&str>, file: Option<&Path>, json: bool) -> Result<Wanted> {
        let named = file.filter(|file| !output::is_stdout(file));
        let name = named.map(|file| file.to_string_lossy()).unwrap_or_default();
        let report = match format {
            Some(format) => reports::find(format),
            None => reports::for_file(&name)
                // `.speedscope.json` is more than `.json`.
                .filter(|(_, length)| {
                    let other = plop_convert::for_file(&name);
                    let other = other.and_then(|format| format.extension_of(&name));
                    other.is_none_or(|ending| ending.len() < *length)
                })
                .map(|(report, _)| report),
        };
        if let Some(report) = report {
            ensure!(
                !json || named.is_some(),
                "--json prints its answer on stdout, so the report must go elsewhere (name a file with -o)"
            );
            let file = named.map(Path::to_owned);
            return Ok(Wanted::Report { report, file });
        }
        if format.is_none() && plop_convert::for_file(&name).is_none() {
            let reports = REPORTS.iter().map(|report| report.name);
            let all: Vec<&str> = reports.chain(sides().map(|format| format.name)).collect();
            let what = match named {
                Some(file) => format!("cannot tell the format from the name {}", file.display()),
                None => "say which format to write".into(),
            };
            bail!(
                "{what} (choose one with -f, or before the name as in -o markdown=FILE: {})",
                all.join(", ")
            );
        }
        let output = OutputArgs {
            output: file.map(Path::to_owned),
            format: format.map(str::to_owned),
            gzip: self.gzip,
            strict: false,
            json,
        };
        let output = output.settle(None)?;
        ensure!(
            holds_sides(output.format),
            "plop diff writes folded-diff, svg and pprof, not {} (choose one with -f)",
            output.format.name
        );
        Ok(Wanted::Sides(output))
    }
}

/// A format and a file. What stands before `=` and is no format belongs to the name.
fn split(file: &Path) -> (Option<&'static str>, &Path) {
    let text = file.to_str().and_then(|text| text.split_once('='));
    let found = text.and_then(|(format, file)| Some((called(format)?, file)));
    match found {
        Some((format, file)) if !file.is_empty() => (Some(format), Path::new(file)),
        _ => (None, file),
    }
}

/// Writes the files.
pub(super) fn write(comparison: &Comparison, wanted: &[Wanted], settings: &Settings) -> Result<()> {
    let places = Places::here();
    for one in wanted {
        match one {
            Wanted::Report { report, file } => {
                let text = (report.draw)(comparison, &places);
                output::write_text(file.as_deref(), &text)?;
            }
            // There is nothing to draw where nothing was compared.
            Wanted::Sides(_) if comparison.tree.columns.is_empty() => {}
            Wanted::Sides(output) => write_sides(comparison, output, settings)?,
        }
    }
    Ok(())
}

/// Writes both sides for other tools, or their difference.
fn write_sides(comparison: &Comparison, output: &Output, settings: &Settings) -> Result<()> {
    let profile = match output.format.name {
        "pprof" => comparison.difference(),
        _ => comparison.both(),
    };
    // What only some of the formats hold is no loss.
    let profile = as_drawn(profile.keeping(output.format.keeps), output.format);
    convert::write(&[profile], output, None, "", settings)?;
    Ok(())
}
