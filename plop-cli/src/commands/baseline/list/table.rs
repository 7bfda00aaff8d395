//! The deploys of a folder as a table for the terminal.

use std::collections::BTreeSet;
use std::io::{self, Write};

use jiff::Timestamp;

use super::{Row, Shown, State};
use crate::commands::diff::baseline::{short, some};
use crate::commands::diff::layout::{BETTER, BOLD, PLAIN, QUIET, Style, WORSE, piece};
use crate::commands::diff::text::visible;

pub(super) fn print(out: &mut impl Write, shown: &Shown, style: &Style) -> io::Result<()> {
    let count = shown.rows.len();
    let deploys = if count == 1 { "deploy" } else { "deploys" };
    let mut head = vec![
        piece(PLAIN, shown.folder.display().to_string()),
        piece(QUIET, format!("{count} {deploys}")),
    ];
    head.extend(
        shown
            .service
            .as_ref()
            .map(|service| piece(QUIET, format!("of {service}"))),
    );
    style.put(out, piece(BOLD, "plop baseline  "), 4, &head)?;
    if let Some((_, said)) = &shown.pinned {
        style.put(out, piece(PLAIN, "  "), 4, &[piece(PLAIN, said)])?;
    }
    writeln!(out)?;
    if !shown.rows.is_empty() {
        table(out, shown, style)?;
        let mark = mark(style);
        let text = format!(
            "{mark} what plop diff --baseline --last {} takes for the next deploy, recorded like the last",
            shown.last
        );
        writeln!(out)?;
        style.put(out, piece(PLAIN, ""), 2, &[piece(QUIET, text)])?;
    }
    let gone: Vec<String> = (shown.gone.iter())
        .filter_map(|settled| settled.of.file().map(str::to_owned))
        .collect();
    for (names, what) in [
        (&shown.foreign, "no profile"),
        (
            &gone,
            "named in the index, and gone (plop baseline drop takes a name off it)",
        ),
    ] {
        if !names.is_empty() {
            let text = format!("{what}: {}", some(names));
            style.put(out, piece(QUIET, ""), 2, &[piece(QUIET, text)])?;
        }
    }
    for text in &shown.unmatched {
        style.put(out, piece(WORSE, ""), 2, &[piece(WORSE, text)])?;
    }
    Ok(())
}

fn mark(style: &Style) -> char {
    if style.ascii { '*' } else { '●' }
}

/// What is told of each deploy.
struct Column {
    title: &'static str,
    cells: Vec<String>,
    /// Whether it is of numbers, which stand at the right.
    is_number: bool,
}

impl Column {
    fn of(shown: &Shown, title: &'static str, cell: impl Fn(&Row) -> String) -> Column {
        Column {
            title,
            cells: shown.rows.iter().map(cell).collect(),
            is_number: false,
        }
    }

    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.chars().count());
        cells.chain([self.title.len()]).max().unwrap_or(0)
    }

    /// A cell, and two spaces.
    fn padded(&self, cell: &str) -> String {
        let width = self.width();
        match self.is_number {
            true => format!("{cell:>width$}  "),
            false => format!("{cell:<width$}  "),
        }
    }
}

/// So much room a deploy's state needs.
const STATE: usize = 20;

/// A row for each deploy. Where it is too wide, columns go, those first that matter least.
fn table(out: &mut impl Write, shown: &Shown, style: &Style) -> io::Result<()> {
    let name = |row: &Row| style.cut(&visible(short(&row.name)), 24);
    let start = |row: &Row| row.start_ns().map(time).unwrap_or_default();
    let mut columns = vec![
        Column::of(shown, "deploy", name),
        Column::of(shown, "recorded (UTC)", start),
        Column {
            is_number: true,
            ..Column::of(shown, "files", |row| row.files.len().to_string())
        },
        Column {
            is_number: true,
            ..Column::of(shown, "samples", |row| format!("{:.0}", row.samples()))
        },
        Column::of(shown, "machine", |row| style.cut(&machine(row), 32)),
    ];
    // The mark takes two, and so do the spaces behind each column.
    let used = |columns: &[Column]| -> usize {
        2 + columns
            .iter()
            .map(|column| column.width() + 2)
            .sum::<usize>()
    };
    for title in ["machine", "files", "samples", "recorded (UTC)"] {
        if used(&columns) + STATE > style.width {
            columns.retain(|column| column.title != title);
        }
    }
    let margin = used(&columns);
    let titles: String = columns
        .iter()
        .map(|column| column.padded(column.title))
        .collect();
    writeln!(out, "{}", style.paint(QUIET, &format!("  {titles}state")))?;
    for (n, row) in shown.rows.iter().enumerate() {
        let is_pinned = shown
            .pinned
            .as_ref()
            .is_some_and(|(commit, _)| *commit == row.name);
        let state = row.state();
        let mut words = vec![state.word().replace('-', " ")];
        words.extend(is_pinned.then(|| "pinned".to_owned()));
        let reasons = row.reasons().join("; ");
        let text = match &reasons[..] {
            "" => words.join(", "),
            reasons => format!("{}: {reasons}", words.join(", ")),
        };
        let code = match state {
            State::Dropped => WORSE,
            State::LeftOut => QUIET,
            _ if row.taken() => BETTER,
            _ => PLAIN,
        };
        let cells: String = columns
            .iter()
            .map(|column| column.padded(&column.cells[n]))
            .collect();
        let sign = if row.taken() { mark(style) } else { ' ' };
        let begin = format!("{sign} {cells}");
        style.put(out, piece(PLAIN, begin), margin, &[piece(code, text)])?;
    }
    Ok(())
}

/// The kinds of machine that a deploy was recorded on.
fn machine(row: &Row) -> String {
    let hosts: BTreeSet<&str> = (row.files.iter())
        .map(|file| file.surroundings.host.as_str())
        .collect();
    let hosts: Vec<&str> = hosts.into_iter().filter(|host| !host.is_empty()).collect();
    visible(&hosts.join(", "))
}

fn time(ns: i64) -> String {
    let time = Timestamp::from_nanosecond(ns.into());
    time.map(|time| time.strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
