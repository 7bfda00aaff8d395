//! A comparison for a person at a terminal: the verdict, whether it can be trusted, the causes, and what could
//! not have been seen. Colour says nothing that signs and words do not.

use std::io::{self, Write};

use plop_core::duration;
use plop_diff::{
    BudgetTest, Comparison, Done, Finding, Function, Method, Mode, Most, Reason, Shift, Side,
    Summary, Tree, Verdict,
};

use super::layout::{BETTER, BOLD, PLAIN, Piece, QUIET, Style, WORSE, fixed, piece};
use super::numbers::{amount, brief, count, percent, percent_change, points, signed, unsigned};
use super::seen::seen;
use super::{call_tree, settings, singular, touched};

/// So many ways to a cause are told.
const PATHS: usize = 3;
/// So many other names of the same stacks are told.
const NAMES: usize = 4;

pub(super) fn print(
    out: &mut impl Write,
    comparison: &Comparison,
    tree: bool,
    style: &Style,
) -> io::Result<()> {
    let [before, after] = &comparison.sides;
    let heading = [
        piece(PLAIN, "plop diff"),
        piece(BOLD, side(before)),
        piece(BOLD, format!("→\u{a0}\u{a0}{}", side(after))),
    ];
    style.put(out, piece(PLAIN, ""), 2, &heading)?;
    for warning in &comparison.warnings {
        let text = [piece(PLAIN, &warning.text)];
        style.put(out, piece(BOLD, "⚠ "), 2, &text)?;
    }
    style.put(out, piece(PLAIN, ""), 2, &verdict(comparison))?;
    let trust = [piece(QUIET, trust(comparison))];
    style.put(out, piece(PLAIN, ""), 2, &trust)?;
    if let Some(text) = touched::summary(comparison) {
        style.put(out, piece(PLAIN, ""), 2, &[piece(PLAIN, text)])?;
    }
    if let Some(text) = alike(comparison) {
        style.put(out, piece(PLAIN, ""), 2, &[piece(BOLD, text)])?;
    }
    writeln!(out)?;
    if let Some(likely) = &comparison.likely {
        let text = "If it is a part of the program, most likely it is";
        style.put(out, piece(PLAIN, ""), 2, &[piece(PLAIN, text)])?;
        print_finding(out, comparison, likely, style)?;
        writeln!(out)?;
    }
    for finding in &comparison.findings {
        print_finding(out, comparison, finding, style)?;
    }
    if let Some(shift) = &comparison.shift {
        let text = [piece(BOLD, moved(comparison, shift))];
        style.put(out, piece(PLAIN, ""), 2, &text)?;
    }
    if !comparison.findings.is_empty() {
        writeln!(out)?;
    }
    for text in names_that_changed(comparison) {
        style.put(out, piece(PLAIN, ""), 2, &[piece(QUIET, text)])?;
    }
    for test in &comparison.budgets {
        let (sign, code) = match test.is_broken() {
            true => (" ▲ ", WORSE),
            false => ("   ", QUIET),
        };
        style.put(
            out,
            piece(code, sign),
            5,
            &[piece(PLAIN, budget(test, comparison))],
        )?;
    }
    if !comparison.budgets.is_empty() {
        writeln!(out)?;
    }
    for text in seen(comparison) {
        style.put(out, piece(PLAIN, ""), 2, &[piece(QUIET, text)])?;
    }
    if tree {
        writeln!(out)?;
        call_tree::print(out, comparison, style)?;
    }
    Ok(())
}

fn side(side: &Summary) -> String {
    let profiles = match (side.runs, side.profiles) {
        (1, 1) => String::new(),
        (runs, profiles) if runs == profiles => format!("{runs} profiles, "),
        (1, profiles) => format!("{profiles} profiles of one deploy, "),
        (runs, profiles) => format!("{runs} deploys in {profiles} profiles, "),
    };
    let of = fixed(format!("({profiles}{} samples)", count(side.samples)));
    format!("{} {of}", side.name)
}

fn verdict(comparison: &Comparison) -> Vec<Piece> {
    let (word, code) = match comparison.verdict {
        Verdict::Regressed => ("REGRESSED", WORSE),
        Verdict::Ok if (comparison.findings.iter()).any(|one| !one.grew() && !one.moved) => {
            ("OK, FASTER", BETTER)
        }
        Verdict::Ok => ("OK", BOLD),
        Verdict::Inconclusive => ("INCONCLUSIVE", BOLD),
    };
    let mut pieces = vec![piece(code, fixed(word))];
    let told = whole(comparison).into_iter();
    pieces.extend(told.map(|text| piece(PLAIN, text)));
    let mode = match comparison.mode {
        Mode::Share => "shares of the whole",
        Mode::Bulk => "shares, against what did not change",
        Mode::Time => "CPU time per elapsed time",
        Mode::Work | Mode::Auto => "CPU time per unit of work",
    };
    pieces.push(piece(QUIET, format!("mode: {mode}")));
    pieces
}

/// How the whole changed, by exact counters.
pub(super) fn whole(comparison: &Comparison) -> Vec<String> {
    let Some(total) = &comparison.total else {
        return Vec::new();
    };
    let change = percent_change(total.change());
    let mut texts = match total.unit.as_str() {
        "bulk" => vec![format!(
            "the whole {change}, if most functions did not change"
        )],
        unit => {
            let what = match unit.strip_prefix("ns/") {
                Some(work) => format!("CPU per {}", singular(work)),
                None => "CPU used".to_owned(),
            };
            let [before, after] = [total.before, total.after].map(|number| amount(number, unit));
            vec![fixed(format!("{what} {before} → {after}")), change]
        }
    };
    if let Some(test) = total.tested {
        let [low, high] = test.interval.map(|factor| percent_change(factor - 1.0));
        texts.push(fixed(format!("[{low}, {high}]")));
    }
    texts
}

/// Why one may believe it.
fn trust(comparison: &Comparison) -> String {
    let mut texts = Vec::new();
    let failing: Vec<&Finding> = comparison.regressions().collect();
    let explained: Option<f64> = (failing.iter().map(|one| comparison.explains(one))).sum();
    if let Some(share) = explained.filter(|share| *share > 0.0) {
        let causes = match failing.len() {
            1 => "1 cause explains".to_owned(),
            more => format!("{more} causes explain"),
        };
        let part = fixed(format!("{:.0} %", 100.0 * share.min(1.0)));
        texts.push(format!("{causes} {part} of it"));
    }
    texts.push(format!(
        "false alarms {} over {} sets of stacks",
        brief(comparison.alpha),
        count(comparison.hypotheses as f64)
    ));
    let noise = &comparison.noise;
    let functions = format!("±{}", fixed(format!("{:.1} %", 100.0 * noise.functions)));
    let [before, after] = &comparison.sides;
    match comparison.method {
        Method::Slices => {
            let from = match noise.measured {
                true => "calibrated",
                false => "learnt from this pair",
            };
            texts.push(format!("{} and {} slices", before.slices, after.slices));
            texts.push(format!(
                "between runs functions {functions}, request mix as of {} requests ({from})",
                count(1.0 / noise.mix)
            ));
        }
        Method::Runs => {
            texts.push(format!("{} and {} runs", before.runs, after.runs));
            texts.push(format!("between runs functions {functions}"));
        }
        Method::Counts => texts.push("counts without slices".to_owned()),
    }
    texts.join("; ")
}

fn print_finding(
    out: &mut impl Write,
    comparison: &Comparison,
    finding: &Finding,
    style: &Style,
) -> io::Result<()> {
    let tree = &comparison.tree;
    let of = |id: u32| &tree.functions[id as usize];
    let function = of(finding.function);
    let (sign, code) = match (finding.grew(), comparison.fails(finding)) {
        (true, true) => (" ▲ ", WORSE),
        (true, false) => (" △ ", BOLD),
        (false, _) => (" ▼ ", BETTER),
    };
    let name = match finding.caller {
        Some(caller) => format!("{} → {}", of(caller).shown(), function.shown()),
        None => function.shown().to_owned(),
    };
    let mut heading = vec![piece(BOLD, fixed(name))];
    let place = match (function.file.as_str(), function.line) {
        ("", _) => String::new(),
        (file, 0) => format!("({file})"),
        (file, line) => format!("({file}:{line})"),
    };
    if !place.is_empty() {
        heading.push(piece(PLAIN, fixed(place)));
    }
    heading.push(piece(PLAIN, reason(finding)));
    style.put(out, piece(code, sign), 5, &heading)?;

    let [low, high] = finding.interval.map(signed);
    let interval = fixed(format!("[{low}, {high}]"));
    let points = [
        piece(code, fixed(points(finding.points))),
        piece(PLAIN, interval),
        piece(PLAIN, "of the whole cost before"),
    ];
    style.put(out, piece(PLAIN, "     "), 7, &points)?;

    let [before, after] = finding.share.map(percent);
    let mut numbers = vec![piece(
        PLAIN,
        fixed(format!("{before} → {after} of samples")),
    )];
    if finding.samples[0] > 0.0 && finding.factor < 1e5 {
        let itself = format!("itself {}", percent_change(finding.factor - 1.0));
        numbers.push(piece(PLAIN, fixed(itself)));
    }
    let z = format!("z {:.1} (limit {:.1})", finding.z, finding.limit);
    numbers.push(piece(QUIET, fixed(z)));
    style.put(out, piece(PLAIN, "     "), 7, &numbers)?;

    if let Some(text) = rules(finding, comparison) {
        style.put(out, piece(PLAIN, "     "), 7, &[piece(BOLD, text)])?;
    }
    if let Some(text) = touched::of_finding(comparison, finding) {
        style.put(out, piece(PLAIN, "     "), 7, &[piece(PLAIN, text)])?;
    }
    for text in names(function, finding, comparison) {
        style.put(out, piece(PLAIN, "     "), 7, &[piece(PLAIN, text)])?;
    }
    let nodes = heaviest_first(&finding.nodes, tree);
    let mut quiet = |text: String| style.put(out, piece(PLAIN, "     "), 7, &[piece(QUIET, text)]);
    for node in nodes.iter().take(PATHS) {
        let path = tree.path(*node);
        let path: Vec<&str> = path.iter().map(|id| of(*id).shown()).collect();
        quiet(fixed(style.path(&path, style.width.saturating_sub(5))))?;
    }
    match nodes.len().saturating_sub(PATHS) {
        0 => Ok(()),
        1 => quiet("and 1 other place".into()),
        more => quiet(format!("and {} other places", count(more as f64))),
    }
}

/// What is said of cost that moved.
fn moved(comparison: &Comparison, shift: &Shift) -> String {
    let names = |findings: &[usize]| {
        let name = |n: &usize| {
            let function = comparison.findings[*n].function as usize;
            comparison.tree.functions[function].shown()
        };
        findings.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let [low, high] = shift.interval.map(signed);
    let both = fixed(format!("{} [{low}, {high}]", points(shift.points)));
    let fails = match comparison.shifts_fail {
        true => "fails all the same (--fail-on-shift)",
        false => "does not fail",
    };
    format!(
        "cost moved: {} → {}; together {both}, which {fails}",
        names(&shift.shrank),
        names(&shift.grew)
    )
}

/// What the team says of the cause.
pub(super) fn rules(finding: &Finding, comparison: &Comparison) -> Option<String> {
    if let Some(ignore) = &finding.ignored {
        return Some(format!(
            "ignored until {}: {} ({})",
            ignore.until, ignore.reason, ignore.of.place
        ));
    }
    let is_told = finding.grew() && finding.min_effect != comparison.min_effect;
    is_told.then(|| {
        format!(
            "of it fails what is {} or more",
            unsigned(finding.min_effect)
        )
    })
}

/// What became of a budget.
pub(super) fn budget(test: &BudgetTest, comparison: &Comparison) -> String {
    let of = &test.budget.of;
    let own = if test.budget.own { ", itself" } else { "" };
    let most = fixed(settings::most(test.budget.most));
    // A time where that is what the budget is in.
    let amount = |share| match test.budget.most {
        Most::Ns(_) if comparison.mode == Mode::Work => {
            comparison.amount(share, Side::After).map(duration)
        }
        Most::Ns(_) => None,
        Most::Share(_) => None,
    };
    let told = |share| fixed(amount(share).unwrap_or_else(|| percent(share)));
    let (share, least) = (told(test.share), told(test.least));
    let (what, place) = (of.told(), &of.place);
    match test.word() {
        "broken" => format!(
            "{what}{own}: {share}, at least {least}, is over its budget of {most} ({place})"
        ),
        "kept" => format!("{what}{own}: {share} is within its budget of {most} ({place})"),
        _ => format!("{what}{own}: {share} is not held against its budget of {most} ({place})"),
    }
}

/// Under which other names the cause goes.
fn names(function: &Function, finding: &Finding, comparison: &Comparison) -> Vec<String> {
    let mut texts = Vec::new();
    let [before, after] = &function.raw;
    if !before.is_empty() && !after.is_empty() && before != after {
        texts.push(format!("called {before} before"));
    }
    let also: Vec<&str> = (finding.also.iter())
        .map(|id| comparison.tree.functions[*id as usize].shown())
        .collect();
    if !also.is_empty() {
        let more = match also.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = also[..also.len().min(NAMES)].join(", ");
        texts.push(format!("the same stacks: {shown}{more}"));
    }
    texts
}

/// Nodes, those first at and below which both sides together have most samples.
pub(super) fn heaviest_first(nodes: &[u32], tree: &Tree) -> Vec<u32> {
    let of = |node: &u32| (tree.samples_below(*node), *node);
    let mut weighed: Vec<(f64, u32)> = nodes.iter().map(of).collect();
    weighed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    weighed.into_iter().map(|(_, node)| node).collect()
}

pub(super) fn reason(finding: &Finding) -> &'static str {
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

/// Which functions were taken for one though the sides call them differently, the dearest by name.
fn names_that_changed(comparison: &Comparison) -> Vec<String> {
    let tree = &comparison.tree;
    let of = |id: u32| &tree.functions[id as usize];
    let more = |count: usize| match count {
        0 | 1 => String::new(),
        count => format!(", {} more", count - 1),
    };
    let mut texts = Vec::new();
    if let Some(first) = tree.renamed.first() {
        let Function { raw, raw_file, .. } = of(first.function);
        // Of what only moved, where it was and is.
        let [before, after] = if raw[0] == raw[1] { raw_file } else { raw };
        let moved = match raw[0] == raw[1] {
            true => format!("{}, {before} → {after}", raw[0]),
            false => format!("{before} → {after}"),
        };
        let more = more(tree.renamed.len());
        texts.push(format!("renamed: {moved} ({:.2}){more}", first.score));
    }
    if let Some(first) = tree.between.first() {
        let name = of(first.function).shown();
        let more = more(tree.between.len());
        let text = match first.done {
            Done::Inserted => format!("new between a caller and what it calls: {name}"),
            Done::Removed => format!("gone from between a caller and what it calls: {name}"),
            Done::Inlined => format!("inlined into its callers: {name}"),
            Done::Extracted => format!("extracted from its callers: {name}"),
        };
        texts.push(text + &more);
    }
    texts
}

/// What is said of a whole that grew or shrank where no part of it is told as the cause.
pub(super) fn alike(comparison: &Comparison) -> Option<String> {
    let alike = comparison.total.as_ref().and_then(|total| total.alike);
    match (alike, &comparison.likely) {
        (Some(alike), _) => Some(format!(
            "Everything alike: {}; no part of the program surely tells it better",
            percent_change(alike)
        )),
        (None, Some(_)) => Some("The whole grew, and no cause can be told from chance".to_owned()),
        (None, None) => None,
    }
}
