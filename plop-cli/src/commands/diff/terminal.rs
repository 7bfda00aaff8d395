//! A comparison for a person at a terminal: the verdict, whether it can be trusted, the causes, and what could
//! not have been seen. Colour says nothing that signs and words do not.

use std::io::{self, Write};

use plop_core::duration;
use plop_diff::{Comparison, Finding, Method, Mode, Reason, Side, Verdict};

use super::singular;

/// How it is drawn.
pub(super) struct Style {
    color: bool,
    width: usize,
    ascii: bool,
}

impl Style {
    pub(super) fn of(color: bool, terminal: bool) -> Style {
        let columns = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        let width = match terminal {
            true => rustix::termios::tcgetwinsize(io::stdout())
                .map(|size| usize::from(size.ws_col))
                .ok()
                .filter(|width| *width > 0)
                .or(columns),
            false => columns,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty());
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Style {
            color,
            width: width.unwrap_or(100).clamp(50, 160),
            ascii: terminal && !utf8,
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn sign<'s>(&self, sign: &'s str, ascii: &'s str) -> &'s str {
        if self.ascii { ascii } else { sign }
    }
}

const BOLD: &str = "1";
const WORSE: &str = "1;38;5;208";
const BETTER: &str = "38;5;75";
const QUIET: &str = "2";

pub(super) fn print(
    out: &mut impl Write,
    comparison: &Comparison,
    tree: bool,
    style: &Style,
) -> io::Result<()> {
    let arrow = style.sign("→", "->");
    let [before, after] = &comparison.sides;
    let side = |side: &plop_diff::Summary| {
        let profiles = match (side.runs, side.profiles) {
            (1, 1) => String::new(),
            (runs, profiles) if runs == profiles => format!("{runs} profiles, "),
            (1, profiles) => format!("{profiles} profiles of one deploy, "),
            (runs, profiles) => format!("{runs} deploys in {profiles} profiles, "),
        };
        format!(
            "{} ({profiles}{} samples)",
            style.paint(BOLD, &side.name),
            count(side.samples)
        )
    };
    writeln!(out, "plop diff  {}  {arrow}  {}", side(before), side(after))?;
    for warning in &comparison.warnings {
        let sign = style.sign("⚠", "!");
        for line in wrapped(&warning.text, style.width, 2) {
            writeln!(out, "{} {line}", style.paint(BOLD, sign))?;
        }
    }
    writeln!(out, "{}", verdict(comparison, style))?;
    writeln!(out, "{}", style.paint(QUIET, &trust(comparison)))?;
    if let Some(alike) = comparison.total.as_ref().and_then(|total| total.alike) {
        let change = percent_change(alike);
        let text = format!("everything alike: {change}; no part of the program tells it better");
        writeln!(out, "{}", style.paint(BOLD, &text))?;
    }
    if let Some(likely) = &comparison.likely {
        let text = "the whole grew, and no cause can be told from chance; most likely it is";
        writeln!(out, "\n{text}")?;
        print_finding(out, comparison, likely, style)?;
    }
    if !comparison.findings.is_empty() {
        writeln!(out)?;
    }
    for finding in &comparison.findings {
        print_finding(out, comparison, finding, style)?;
    }
    writeln!(out)?;
    for line in wrapped(&not_seen(comparison, style), style.width, 0) {
        writeln!(out, "{}", style.paint(QUIET, &line))?;
    }
    if tree {
        writeln!(out)?;
        print_tree(out, comparison, style)?;
    }
    Ok(())
}

fn verdict(comparison: &Comparison, style: &Style) -> String {
    let total = comparison.total.as_ref().map(|total| {
        let (before, after) = (
            amount(total.before, &total.unit),
            amount(total.after, &total.unit),
        );
        if total.unit == "bulk" {
            return format!(
                "  the whole {change}, if most functions did not change",
                change = percent_change(total.change())
            );
        }
        let what = match total.unit.strip_prefix("ns/") {
            Some(work) => format!("CPU per {}", singular(work)),
            None => "CPU used".to_owned(),
        };
        let change = percent_change(total.change());
        let interval = total.tested.map_or(String::new(), |test| {
            let [low, high] = test.interval.map(|factor| percent_change(factor - 1.0));
            format!("  [{low}, {high}]")
        });
        format!(
            "  {what} {before} {} {after}  {change}{interval}",
            style.sign("→", "->")
        )
    });
    let (word, code) = match comparison.verdict {
        Verdict::Regressed => ("REGRESSED", WORSE),
        Verdict::Ok if comparison.findings.iter().any(|finding| !finding.grew()) => {
            ("OK, FASTER", BETTER)
        }
        Verdict::Ok => ("OK", BOLD),
        Verdict::Inconclusive => ("INCONCLUSIVE", BOLD),
    };
    format!(
        "{}{}  mode: {}",
        style.paint(code, word),
        total.unwrap_or_default(),
        match comparison.mode {
            Mode::Share => "shares of the whole",
            Mode::Bulk => "shares, against what did not change",
            Mode::Time => "CPU time per elapsed time",
            Mode::Work | Mode::Auto => "CPU time per unit of work",
        }
    )
}

/// Why one may believe it.
fn trust(comparison: &Comparison) -> String {
    let noise = &comparison.noise;
    let how = match comparison.method {
        Method::Slices => {
            let from = if noise.measured {
                "calibrated"
            } else {
                "learnt from this pair"
            };
            format!(
                "{} and {} slices; between runs: functions ±{:.1} %, request mix as of {} requests ({from})",
                comparison.sides[0].slices,
                comparison.sides[1].slices,
                100.0 * noise.functions,
                count(1.0 / noise.mix),
            )
        }
        Method::Runs => format!(
            "{} and {} runs; between runs: functions ±{:.1} %",
            comparison.sides[0].runs,
            comparison.sides[1].runs,
            100.0 * noise.functions,
        ),
        Method::Counts => "counts without slices".to_owned(),
    };
    format!(
        "false alarms {} over {} sets of stacks; {how}",
        percent(comparison.alpha),
        comparison.hypotheses
    )
}

fn print_finding(
    out: &mut impl Write,
    comparison: &Comparison,
    finding: &Finding,
    style: &Style,
) -> io::Result<()> {
    let tree = &comparison.tree;
    let function = &tree.functions[finding.function as usize];
    let [raw_before, raw_after] = &function.raw;
    let name = if raw_after.is_empty() {
        raw_before
    } else {
        raw_after
    };
    let place = match (function.file.is_empty(), function.line) {
        (true, _) => String::new(),
        (false, 0) => format!("  ({})", function.file),
        (false, line) => format!("  ({}:{line})", function.file),
    };
    let fails = finding.grew() && finding.points >= comparison.min_effect;
    let (sign, code) = match (finding.grew(), fails) {
        (true, true) => (style.sign("▲", "+"), WORSE),
        (true, false) => (style.sign("△", "+"), BOLD),
        (false, _) => (style.sign("▼", "-"), BETTER),
    };
    writeln!(
        out,
        " {} {}{place}  {}",
        style.paint(code, sign),
        style.paint(BOLD, name),
        reason(finding)
    )?;
    let [low, high] = finding.interval;
    let factor = match finding.share[0] > 0.0 && finding.factor < 1e5 {
        true => format!("  itself {}", percent_change(finding.factor - 1.0)),
        false => String::new(),
    };
    writeln!(
        out,
        "     {} {} {} of samples{factor}  {}",
        percent(finding.share[0]),
        style.sign("→", "->"),
        percent(finding.share[1]),
        style.paint(
            QUIET,
            &format!("z {:.1} (limit {:.1})", finding.z, comparison.threshold)
        )
    )?;
    writeln!(
        out,
        "     {} of the whole cost before  [{}, {}]",
        style.paint(code, &points(finding.points)),
        points(low),
        points(high)
    )?;
    let arrow = style.sign(" ▸ ", " > ");
    let mut nodes = finding.nodes.clone();
    nodes.sort_by(|a, b| {
        weight(comparison, *b)
            .total_cmp(&weight(comparison, *a))
            .then(a.cmp(b))
    });
    for node in nodes.iter().take(3) {
        let path: Vec<&str> = (tree.path(*node).iter())
            .map(|id| tree.functions[*id as usize].name.as_str())
            .collect();
        let path = shortened(&path, arrow, style.width.saturating_sub(6));
        writeln!(out, "     {}", style.paint(QUIET, &path))?;
    }
    if nodes.len() > 3 {
        writeln!(
            out,
            "     {}",
            style.paint(QUIET, &format!("and {} other places", nodes.len() - 3))
        )?;
    }
    Ok(())
}

/// Samples at and below a node on both sides.
fn weight(comparison: &Comparison, node: u32) -> f64 {
    let range = node as usize..comparison.tree.ends[node as usize] as usize;
    comparison
        .selfs
        .iter()
        .map(|selfs| selfs[range.clone()].iter().sum::<f64>())
        .sum()
}

fn reason(finding: &Finding) -> &'static str {
    match (finding.reason, finding.grew()) {
        (Reason::SelfCost, true) => "slower inside itself",
        (Reason::SelfCost, false) => "faster inside itself",
        (Reason::CalledMore, true) => "called more, or with more to do",
        (Reason::CalledMore, false) => "called less, or with less to do",
        (Reason::SelfOrCalledMore, true) => "slower inside itself, or called more",
        (Reason::SelfOrCalledMore, false) => "faster inside itself, or called less",
        (Reason::NewPath, _) => "was not called here before",
        (Reason::Gone, _) => "is hardly called here any more",
        (Reason::SpreadBelow, true) => "slower in what it calls",
        (Reason::SpreadBelow, false) => "faster in what it calls",
    }
}

fn not_seen(comparison: &Comparison, style: &Style) -> String {
    let sizes: Vec<String> = (comparison.power.iter())
        .map(|power| {
            format!(
                "{} of one of {}",
                points(power.detectable),
                percent(power.share)
            )
        })
        .collect();
    let nothing = match comparison.findings.is_empty() {
        true => "nothing changed that could be seen; ",
        false => "",
    };
    format!(
        "{nothing}a growth of a function is found four times in five from: {}{}",
        sizes.join(", "),
        match comparison.method {
            Method::Slices | Method::Runs => String::new(),
            Method::Counts => format!(" {} if the assumption holds", style.sign("—", "-")),
        }
    )
}

/// The call tree of both sides: what changed, and the way to it.
fn print_tree(out: &mut impl Write, comparison: &Comparison, style: &Style) -> io::Result<()> {
    let tree = &comparison.tree;
    let totals = comparison.selfs.each_ref().map(|selfs| tree.totals(selfs));
    let all = [tree.samples(Side::Before), tree.samples(Side::After)];
    let mut shown = vec![false; tree.len()];
    let found = comparison
        .findings
        .iter()
        .flat_map(|finding| finding.nodes.iter().copied());
    let strong = (0..tree.len() as u32)
        .filter(|node| comparison.node_z[*node as usize].abs() >= comparison.threshold);
    for node in found.chain(strong) {
        let mut at = node as usize;
        while !shown[at] {
            shown[at] = true;
            at = tree.parents[at] as usize;
        }
    }
    if !shown.iter().any(|shown| *shown) {
        return writeln!(out, "the call tree shows no change");
    }
    writeln!(out, "{}", style.paint(QUIET, "  before    after   change"))?;
    let mut depths = vec![0usize; tree.len()];
    for node in 0..tree.len() {
        if node > 0 {
            depths[node] = depths[tree.parents[node] as usize] + 1;
        }
        if !shown[node] {
            continue;
        }
        let share = [totals[0][node] / all[0], totals[1][node] / all[1]];
        let change = share[1] - share[0];
        let name = match node {
            0 => "all",
            _ => tree.functions[tree.node_functions[node] as usize]
                .name
                .as_str(),
        };
        let is_strong = comparison.node_z[node].abs() >= comparison.threshold;
        let text = format!(
            "{:>8} {:>8} {:>8}  {}{name}",
            percent(share[0]),
            percent(share[1]),
            points(change),
            "  ".repeat(depths[node].min(40)),
        );
        let text: String = text.chars().take(style.width).collect();
        let painted = match is_strong {
            true if change > 0.0 => style.paint(WORSE, &text),
            true => style.paint(BETTER, &text),
            false => text,
        };
        writeln!(out, "{painted}")?;
    }
    Ok(())
}

/// A path that fits, without its middle if need be.
fn shortened(path: &[&str], arrow: &str, width: usize) -> String {
    let whole = path.join(arrow);
    if whole.chars().count() <= width || path.len() < 3 {
        return whole.chars().take(width).collect();
    }
    let dots = "…";
    let mut kept = path.len() - 1;
    while kept > 1 {
        let short = format!(
            "{}{arrow}{dots}{arrow}{}",
            path[0],
            path[path.len() - kept + 1..].join(arrow)
        );
        if short.chars().count() <= width {
            return short;
        }
        kept -= 1;
    }
    let short = format!("{dots}{arrow}{}", path[path.len() - 1]);
    short.chars().take(width).collect()
}

/// Lines of a text that are no wider.
fn wrapped(text: &str, width: usize, margin: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &lines[last];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() + margin > width {
            lines.push(word.to_owned());
        } else {
            let space = if line.is_empty() { "" } else { " " };
            lines[last] = format!("{line}{space}{word}");
        }
    }
    lines
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0 => "0 %".into(),
        _ if percent < 0.1 => format!("{percent:.3} %"),
        _ if percent < 10.0 => format!("{percent:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

fn percent_change(change: f64) -> String {
    format!("{:+.1} %", 100.0 * change)
}

fn points(share: f64) -> String {
    let points = 100.0 * share;
    match points.abs() {
        small if small < 0.1 => format!("{points:+.3} pt"),
        small if small < 10.0 => format!("{points:+.2} pt"),
        _ => format!("{points:+.1} pt"),
    }
}

fn amount(number: f64, unit: &str) -> String {
    match unit.starts_with("ns/") {
        true => duration(number),
        false => format!("{number:.2}"),
    }
}

/// A number with commas between thousands.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
