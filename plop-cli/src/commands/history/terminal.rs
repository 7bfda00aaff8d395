//! The history of a service as text: every change, a curve and a table.

use std::io::{self, Write};

use plop_diff::{ChangePoint, Estimate, Kind, Series, Tracked, What};

use super::with_file;
use crate::commands::diff::layout::{BETTER, BOLD, PLAIN, QUIET, Style, WORSE, fixed, piece};
use crate::commands::diff::text::shown;

/// How much of a deploy's name is shown.
const NAME: usize = 12;
/// The columns of a table that functions have, unless one is asked for.
const COLUMNS: usize = 3;
/// The height of the plot.
const ROWS: usize = 8;

/// What is printed.
pub(super) struct Shown<'s> {
    pub(super) series: &'s Series,
    pub(super) names: Vec<String>,
    pub(super) style: &'s Style,
}

impl Shown<'_> {
    pub(super) fn print(
        &self,
        out: &mut impl Write,
        chosen: Option<&[&Tracked]>,
        remarks: &[String],
    ) -> io::Result<()> {
        let (series, style) = (self.series, self.style);
        let count = series.deploys.len();
        let samples: f64 = series.deploys.iter().map(|deploy| deploy.samples).sum();
        style.put(
            out,
            piece(BOLD, "plop history  "),
            4,
            &[
                piece(
                    PLAIN,
                    format!(
                        "{count} deploys, {} to {}",
                        self.names[0],
                        self.names[count - 1]
                    ),
                ),
                piece(QUIET, format!("{samples:.0} samples of {}", series.value)),
            ],
        )?;
        for shift in &series.changes {
            self.change(out, shift)?;
        }
        let text = match (series.changes.is_empty(), count < plop_diff::FEWEST_DEPLOYS) {
            (_, true) => format!(
                "with fewer than {} deploys nothing is looked for",
                plop_diff::FEWEST_DEPLOYS
            ),
            (true, _) => format!(
                "nothing changed for good (largest z {:.1}, limit {:.1}, {} sets of stacks)",
                series.strongest, series.limit, series.hypotheses
            ),
            (false, _) => format!(
                "plop diff says of two deploys all that differs (limit of z {:.1}, {} sets of stacks)",
                series.limit, series.hypotheses
            ),
        };
        style.put(out, piece(PLAIN, "  "), 4, &[piece(QUIET, text)])?;
        for text in remarks {
            style.put(out, piece(QUIET, "  "), 4, &[piece(QUIET, text)])?;
        }
        let own = series.functions.iter().filter(|of| of.kind == Kind::Own);
        let columns: Vec<&Tracked> = match chosen {
            Some(chosen) => chosen.to_vec(),
            None => own.take(COLUMNS).collect(),
        };
        writeln!(out)?;
        self.plot(out, chosen.and_then(|chosen| chosen.first().copied()))?;
        writeln!(out)?;
        self.table(out, &columns)
    }

    fn change(&self, out: &mut impl Write, shift: &ChangePoint) -> io::Result<()> {
        let (sign, code) = match shift.grew() {
            true => (" ▲ ", WORSE),
            false => (" ▼ ", BETTER),
        };
        let what = match &shift.what {
            None => format!("the whole ({})", self.series.unit),
            Some(what) => name_of(what),
        };
        let how = match shift.over {
            1 => "at once".to_owned(),
            over => format!("over some {over} deploys"),
        };
        let since = &self.names[shift.onset];
        let others: Vec<&str> = (shift.culprits.iter())
            .filter(|n| **n != shift.onset)
            .map(|n| self.names[*n].as_str())
            .collect();
        let since = match &others[..] {
            [] => format!("since {since}"),
            _ => format!("since {since}, or {}", others.join(", ")),
        };
        let percent = |share: f64| format!("{:+.2}", 100.0 * share);
        let [low, high] = shift.change.interval.map(percent);
        let (before, unit) = match shift.what {
            None => (cost(shift.before, &self.series.unit), "%"),
            Some(_) => (format!("{:.2} %", 100.0 * shift.before), "pt"),
        };
        let size = format!("{} {unit} [{low}, {high}]", percent(shift.change.value));
        self.style.put(
            out,
            piece(code, sign),
            4,
            &[
                piece(BOLD, what),
                piece(code, fixed(size)),
                piece(PLAIN, format!("from {}", fixed(before))),
                piece(PLAIN, how),
                piece(PLAIN, since),
                piece(QUIET, fixed(format!("z {:.1}", shift.z))),
            ],
        )
    }

    /// The unit of a total, for people: what the program counts has a name of the program's.
    fn unit(&self) -> String {
        shown(&self.series.unit)
    }

    /// The numbers that are plotted: of the function that is asked for, of what changed most surely, of the whole, or
    /// of the largest function; and their name.
    fn plotted(&self, chosen: Option<&Tracked>) -> (String, Vec<Estimate>) {
        let series = self.series;
        let of = |tracked: &Tracked| {
            let shares = tracked.shares.iter().map(|share| scaled(share, 100.0));
            (format!("{}, %", title(tracked)), shares.collect())
        };
        let changed = || {
            let what = series.changes.first()?.what.as_ref()?;
            let same = |of: &&Tracked| of.kind == what.kind && of.function == what.function;
            series.functions.iter().find(same)
        };
        let total = || -> Option<Vec<Estimate>> {
            series.deploys.iter().map(|deploy| deploy.total).collect()
        };
        if let Some(tracked) = chosen.or_else(changed) {
            return of(tracked);
        }
        match total() {
            Some(total) if series.unit.starts_with("ns/") => {
                let unit = self.unit();
                let unit = unit.trim_start_matches("ns/");
                let of_ms = total.iter().map(|total| scaled(total, 1e-6)).collect();
                (format!("ms of CPU for each of {unit}"), of_ms)
            }
            _ => series.functions.first().map(of).unwrap_or_default(),
        }
    }

    /// A column for each deploy: where it may be, and where it is.
    fn plot(&self, out: &mut impl Write, chosen: Option<&Tracked>) -> io::Result<()> {
        let (title, mut values) = self.plotted(chosen);
        let margin = 10;
        let first = values.len().saturating_sub(self.style.width - margin);
        values.drain(..first);
        let low = values
            .iter()
            .map(|value| value.interval[0])
            .fold(f64::INFINITY, f64::min);
        let high = values
            .iter()
            .map(|value| value.interval[1])
            .fold(f64::NEG_INFINITY, f64::max);
        // Of no values neither is a number, and of equal ones there is no height to draw.
        if values.is_empty() || high.partial_cmp(&low) != Some(std::cmp::Ordering::Greater) {
            return Ok(());
        }
        let row =
            |value: f64| (((high - value) / (high - low) * ROWS as f64) as usize).min(ROWS - 1);
        let (dot, bar, axis, mark) = match self.style.ascii {
            true => ('o', ':', '|', '^'),
            false => ('●', '│', '┤', '▴'),
        };
        writeln!(
            out,
            "{}",
            self.style
                .paint(BOLD, &self.style.cut(&title, self.style.width))
        )?;
        for n in 0..ROWS {
            let label = match n {
                0 => format!("{high:.2}"),
                _ if n + 1 == ROWS => format!("{low:.2}"),
                _ => String::new(),
            };
            let line: String = (values.iter())
                .map(|value| match value.interval.map(row) {
                    _ if row(value.value) == n => dot,
                    [from, to] if (to..=from).contains(&n) => bar,
                    _ => ' ',
                })
                .collect();
            writeln!(out, "{label:>8} {axis}{}", line.trim_end())?;
        }
        let culprits = self
            .series
            .changes
            .first()
            .map_or(&[][..], |shift| &shift.culprits);
        if !culprits.is_empty() {
            let marks: String = (first..first + values.len())
                .map(|n| if culprits.contains(&n) { mark } else { ' ' })
                .collect();
            let marks = format!("{:>8}  {}", "", marks.trim_end());
            writeln!(out, "{}", self.style.paint(WORSE, &marks))?;
        }
        Ok(())
    }

    fn table(&self, out: &mut impl Write, functions: &[&Tracked]) -> io::Result<()> {
        let series = self.series;
        let mut columns: Vec<(String, Vec<String>)> = vec![
            (
                "deploy".into(),
                self.names
                    .iter()
                    .map(|name| self.style.cut(name, NAME))
                    .collect(),
            ),
            (
                "samples".into(),
                series
                    .deploys
                    .iter()
                    .map(|deploy| format!("{:.0}", deploy.samples))
                    .collect(),
            ),
        ];
        if !series.unit.is_empty() {
            let told = |total: &Option<Estimate>| {
                total.map_or_else(String::new, |total| {
                    let margin = 0.5 * (total.interval[1] - total.interval[0]);
                    format!(
                        "{} ±{}",
                        cost(total.value, &series.unit),
                        cost(margin, &series.unit)
                    )
                })
            };
            columns.push((
                format!("total, {}", self.unit()),
                series
                    .deploys
                    .iter()
                    .map(|deploy| told(&deploy.total))
                    .collect(),
            ));
        }
        for tracked in functions {
            let told = |share: &Estimate| {
                let margin = 0.5 * (share.interval[1] - share.interval[0]);
                format!("{:.2} ±{:.2}", 100.0 * share.value, 100.0 * margin)
            };
            columns.push((
                self.style.cut(&format!("{}, %", title(tracked)), 24),
                tracked.shares.iter().map(told).collect(),
            ));
        }
        let len = |text: &str| text.chars().count();
        let mut left = self.style.width;
        let fitting: Vec<(usize, &(String, Vec<String>))> = (columns.iter().enumerate())
            .map(|(n, column)| {
                let cells = column.1.iter().map(|cell| len(cell)).max().unwrap_or(0);
                (
                    cells.max(len(&column.0)) + if n == 0 { 0 } else { 2 },
                    column,
                )
            })
            .take_while(|(width, _)| {
                let fits = *width <= left;
                left = left.saturating_sub(*width);
                fits
            })
            .collect();
        let plain = |text: String| match self.style.ascii {
            true => text.replace('±', "+-"),
            false => text,
        };
        type TableColumn = (String, Vec<String>);
        let line = |cell: &dyn Fn(&TableColumn) -> String| -> String {
            let mut line = String::new();
            for (n, (width, column)) in fitting.iter().enumerate() {
                let cell = cell(column);
                let gap = width.saturating_sub(len(&cell));
                match n {
                    0 => line += &format!("{cell}{}", " ".repeat(gap)),
                    _ => line += &format!("{}{cell}", " ".repeat(gap)),
                }
            }
            plain(line)
        };
        writeln!(
            out,
            "{}",
            self.style.paint(QUIET, &line(&|column| column.0.clone()))
        )?;
        for n in 0..series.deploys.len() {
            writeln!(out, "{}", line(&|column| column.1[n].clone()))?;
        }
        Ok(())
    }
}

fn scaled(estimate: &Estimate, factor: f64) -> Estimate {
    Estimate {
        value: factor * estimate.value,
        interval: estimate.interval.map(|end| factor * end),
    }
}

/// What a total is, in its unit.
fn cost(number: f64, unit: &str) -> String {
    match unit.starts_with("ns/") {
        true => format!("{:.3} ms", number / 1e6),
        false => format!("{number:.3}"),
    }
}

fn title(tracked: &Tracked) -> String {
    match tracked.kind {
        Kind::Own => shown(tracked.function.shown()),
        _ => format!("{} and below", shown(tracked.function.shown())),
    }
}

fn name_of(what: &What) -> String {
    let name = with_file(
        &shown(what.function.shown()),
        &shown(what.function.shown_file()),
    );
    match (what.kind, &what.caller) {
        (Kind::Own, _) => name,
        (Kind::Edge, Some(caller)) => format!("{} calling {name}", shown(caller.shown())),
        (Kind::Subtree, _) => format!(
            "{name} as called by {}",
            (what.path[..what.path.len().saturating_sub(1)].iter())
                .map(|name| shown(name))
                .collect::<Vec<_>>()
                .join(" ▸ ")
        ),
        _ => format!("{name} and what it calls"),
    }
}
