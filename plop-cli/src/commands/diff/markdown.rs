//! A comparison in Markdown, for a comment on a pull request or the summary of a job: one line where all is well,
//! otherwise the causes in a table. Names of the program's stand in code, where nothing is markup, a mention or a
//! link.

use plop_diff::{BudgetTest, Comparison, Finding, Verdict};

use super::numbers::{count, points, signed};
use super::places::Places;
use super::remarks::{itself, numbers};
use super::seen::seen;
use super::terminal::{alike, budget, heaviest_first, reason, rules, whole};
use super::text::{plain, sentence, shown};
use super::touched;

/// GitHub takes no comment of 65,536 characters. Counted are bytes, which are more.
const LONGEST: usize = 65_000;
/// What is kept for that which stands behind the table and the warnings.
const KEPT: usize = 4_000;
/// Of a way to a cause, so many callers are told.
const CALLERS: usize = 4;
/// So many functions are named on either side of cost that moved.
const NAMES: usize = 4;
/// A name for those who look for an earlier comment to put the new one in its place; nobody sees it.
const MARK: &str = "<!-- plop-diff -->";

pub(super) fn document(comparison: &Comparison, _: &Places) -> String {
    let sides = comparison.sides.each_ref().map(|side| code(&side.name));
    let causes = comparison.findings.iter().collect::<Vec<_>>();
    let broken = || comparison.budgets.iter().filter(|test| test.is_broken());
    let is_green = comparison.verdict == Verdict::Ok && causes.is_empty();
    let [before, after] = &sides;
    let mut text = if is_green {
        // What it takes to see more is not for a line.
        let seen = sentences(seen(comparison).into_iter().take(2));
        format!("✅ plop: nothing slower, {before} → {after}. {seen}. {MARK}\n")
    } else {
        let told = told(comparison).map_or(String::new(), |told| format!(": {told}"));
        let [samples, of_after] = comparison.sides.each_ref().map(|side| count(side.samples));
        let heading = heading(comparison);
        format!(
            "### {heading} {MARK}\n\n{before} → {after} ({samples} → {of_after} samples){told}\n"
        )
    };
    warnings(&mut text, comparison);
    if let Some(touched) = touched::summary(comparison) {
        text += &format!("\n{}\n", fenced(&plain(&touched)));
    }
    if let Some(alike) = alike(comparison) {
        text += &format!("\n{}.\n", plain(&alike));
    }
    if let Some(likely) = &comparison.likely {
        text += "\nIf it is a part of the program, most likely it is\n";
        table(&mut text, comparison, &[likely]);
    }
    table(&mut text, comparison, &causes);
    for test in broken() {
        text += &format!("\n🔴 {}\n", fenced(&sentence(&budget(test, comparison))));
    }
    for finding in &causes {
        if let Some(rules) = rules(finding, comparison) {
            let name = code(comparison.tree.functions[finding.function as usize].shown());
            text += &format!("\n{name}: {}\n", fenced(&sentence(&rules)));
        }
    }
    text += &moved(comparison).unwrap_or_default();
    let seen = sentences(seen(comparison).into_iter());
    if !is_green && !seen.is_empty() {
        text += &format!("\n{seen}.\n");
    }
    text
}

/// The verdict, and how much all that fails comes to.
fn heading(comparison: &Comparison) -> String {
    let failing: Vec<&Finding> = comparison.regressions().collect();
    let sum = points(failing.iter().map(|finding| finding.points).sum());
    match comparison.verdict {
        Verdict::Inconclusive => "⚠️ plop: no verdict".into(),
        Verdict::Regressed => match failing.len() {
            0 if comparison.budgets.iter().any(BudgetTest::is_broken)
                && !comparison.total_regressed() =>
            {
                "🔴 plop: over budget".into()
            }
            0 => "🔴 plop: slower".into(),
            1 => format!("🔴 plop: slower, 1 cause, {sum}"),
            more => format!("🔴 plop: slower, {more} causes, {sum}"),
        },
        Verdict::Ok if comparison.findings.iter().any(is_faster) => "✅ plop: faster".into(),
        Verdict::Ok if comparison.shift.is_some() => "✅ plop: cost only moved".into(),
        Verdict::Ok => "✅ plop: not slower by as much as fails".into(),
    }
}

fn is_faster(finding: &Finding) -> bool {
    !finding.grew() && !finding.moved
}

/// Between which functions cost moved.
fn moved(comparison: &Comparison) -> Option<String> {
    let shift = comparison.shift.as_ref()?;
    let names = |findings: &[usize]| {
        let function = |n: &usize| comparison.findings[*n].function as usize;
        let names = findings.iter().map(function).take(NAMES);
        let mut names: Vec<String> = names
            .map(|id| code(comparison.tree.functions[id].shown()))
            .collect();
        if findings.len() > NAMES {
            names.push(format!("{} more", findings.len() - NAMES));
        }
        names.join(", ")
    };
    let [low, high] = shift.interval.map(signed);
    let fails = match comparison.shifts_fail {
        true => "fails all the same",
        false => "does not fail",
    };
    Some(format!(
        "\nCost moved: {} → {}; together {} [{low}, {high}], which {fails}.\n",
        names(&shift.shrank),
        names(&shift.grew),
        points(shift.points)
    ))
}

/// Texts as one sentence.
fn sentences(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.map(|text| sentence(&text)).collect();
    let mut told = texts.join("; ");
    if let Some(first) = told.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    told
}

fn warnings(text: &mut String, comparison: &Comparison) {
    if comparison.warnings.is_empty() {
        return;
    }
    text.push('\n');
    let mut ordered: Vec<_> = comparison.warnings.iter().collect();
    ordered.sort_by_key(|warning| !warning.forbids);
    for (n, warning) in ordered.iter().enumerate() {
        let forbids = match warning.forbids && comparison.verdict == Verdict::Inconclusive {
            true => "**no verdict:** ",
            false => "",
        };
        // Names of machines and files are in it: it is code as a whole.
        let line = format!("- ⚠️ {forbids}{}\n", fenced(&sentence(&warning.text)));
        if text.len() + line.len() > LONGEST / 2 {
            *text += &format!("- and {} more\n", count((ordered.len() - n) as f64));
            return;
        }
        *text += &line;
    }
}

fn table(text: &mut String, comparison: &Comparison, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    *text += "\n| | cause | before → after, of samples | itself | points of the whole cost before, interval |\n";
    *text += "|---|---|---|---|---|\n";
    for (n, finding) in findings.iter().enumerate() {
        let row = row(comparison, finding);
        if text.len() + row.len() > LONGEST - KEPT {
            let more = match findings.len() - n {
                1 => "and 1 more cause".to_owned(),
                more => format!("and {} more causes", count(more as f64)),
            };
            *text += &format!("| | {more} | | | |\n");
            return;
        }
        *text += &row;
    }
}

fn row(comparison: &Comparison, finding: &Finding) -> String {
    let functions = &comparison.tree.functions;
    let of = |id: u32| &functions[id as usize];
    let function = of(finding.function);
    let sign = match (finding.grew(), comparison.fails(finding)) {
        (true, true) => "▲",
        (true, false) => "△",
        (false, _) => "▼",
    };
    let mut cause = match finding.caller {
        Some(caller) => format!("{} → {}", code(of(caller).shown()), code(function.shown())),
        None => code(function.shown()),
    };
    match (function.file.as_str(), function.line) {
        ("", _) => {}
        (file, 0) => cause += &format!(" ({})", code(file)),
        (file, line) => cause += &format!(" ({})", code(&format!("{file}:{line}"))),
    }
    cause += " ";
    cause += reason(finding);
    if let Some(node) = heaviest_first(&finding.nodes, &comparison.tree).first() {
        let path = comparison.tree.path(*node);
        let left = path.len().saturating_sub(CALLERS + 1);
        let dots = if left > 0 { "… ▸ " } else { "" };
        let names: Vec<String> = (path[left..].iter())
            .map(|id| shown(of(*id).shown()))
            .collect();
        cause += &format!("<br/>{}", fenced(&format!("{dots}{}", names.join(" ▸ "))));
    }
    if let Some(touched) = touched::of_finding(comparison, finding) {
        cause += &format!("<br/>{}", fenced(&touched));
    }
    let [before, after] = numbers(finding);
    let [low, high] = finding.interval.map(signed);
    let row = format!(
        "| {sign} | {} | {before} → {after} | {} | **{}** [{low}, {high}] |\n",
        cell(&cause),
        itself(finding).unwrap_or_default(),
        points(finding.points),
    );
    plain(&row)
}

/// A name as code.
fn code(name: &str) -> String {
    fenced(&shown(name))
}

/// A text as code: between more backticks than it has in a row.
fn fenced(text: &str) -> String {
    if text.trim().is_empty() {
        return "(no name)".into();
    }
    let longest = text.split(|letter| letter != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or(0) + 1);
    let is_edge = ['`', ' ', '\\'];
    let pad = match text.starts_with(is_edge) || text.ends_with(is_edge) {
        true => " ",
        false => "",
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Code in a table, where a bar would end the cell, and a backslash before it is read in several ways.
fn cell(code: &str) -> String {
    code.replace("\\|", "\\ |").replace('|', "\\|")
}

/// How the whole changed. What the program counts has a name of the program's.
fn told(comparison: &Comparison) -> Option<String> {
    let unit = &comparison.total.as_ref()?.unit;
    let told = sentence(&whole(comparison).join(" "));
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '-';
    let is_plain = unit
        .strip_prefix("ns/")
        .is_none_or(|work| work.chars().all(is_word));
    Some(if is_plain { told } else { fenced(&told) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::diff::annotations;
    use crate::commands::diff::baseline::Deploy;
    use crate::commands::diff::without;
    use plop_core::{Profile, ValueType};
    use plop_diff::{Cell, Column, Function, Kind, NO_FUNCTION, Reason, Side, Warning};

    /// Two thousand causes and as many warnings, all of them with names of 100 kB that cost the most to write.
    fn huge() -> Comparison {
        let name = "|`".repeat(50_000);
        let run = Profile::new(vec![ValueType::new("cpu", "samples")]);
        let runs = vec![("after.plop".to_owned(), run)];
        let after = [Deploy {
            name: name.clone(),
            runs,
        }];
        let why = "nothing was compared";
        let mut comparison =
            without::comparison(&after, name.clone(), why, Vec::new(), 0.01, 0.005)
                .expect("there is a run");
        comparison.sides[0].name.clone_from(&name);
        comparison.tree.functions = vec![Function {
            name: name.clone(),
            file: name.clone(),
            line: 7,
            raw: [name.clone(), name.clone()],
            raw_file: [name.clone(), name.clone()],
        }];
        comparison.tree.parents = vec![0, 0, 1, 2, 3, 4, 5];
        comparison.tree.node_functions = vec![NO_FUNCTION, 0, 0, 0, 0, 0, 0];
        comparison.tree.ends = vec![7; 7];
        for (side, samples) in [(Side::Before, 1.0), (Side::After, 2.0)] {
            let cells = (0..7).map(|node| Cell { node, samples });
            comparison.tree.cells.push(cells.collect());
            comparison.tree.columns.push(Column {
                side,
                run: side as usize,
                profile: side as usize,
                samples: 7.0 * samples,
                cpu_ns: None,
                wall_ns: None,
                is_slice: false,
            });
        }
        let finding = Finding {
            kind: Kind::Own,
            reason: Reason::SelfCost,
            function: 0,
            caller: Some(0),
            also: Vec::new(),
            nodes: vec![6],
            samples: [1.0, 2.0],
            share: [0.1, 0.2],
            points: 0.1,
            interval: [0.05, 0.15],
            z: 9.0,
            limit: 4.0,
            factor: 2.0,
            design_effect: 1.0,
            min_effect: 0.005,
            ignored: None,
            touched: None,
            moved: false,
        };
        comparison.findings = vec![finding; 2_000];
        let warning = Warning {
            code: "env-host",
            text: name,
            forbids: true,
        };
        comparison.warnings = vec![warning; 2_000];
        comparison
    }

    #[test]
    fn a_comment_is_never_too_long() {
        let mut comparison = huge();
        for verdict in [Verdict::Inconclusive, Verdict::Regressed, Verdict::Ok] {
            comparison.verdict = verdict;
            comparison.likely = Some(comparison.findings[0].clone());
            let text = document(&comparison, &Places::here());
            assert!(text.len() < LONGEST, "{}", text.len());
            assert!(
                text.len() > LONGEST / 2,
                "it holds what fits: {}",
                text.len()
            );
            assert!(text.contains("- and 1,9") && text.contains("| | and 1,9"));
        }
    }

    #[test]
    fn no_more_is_annotated_than_is_shown() {
        let mut comparison = huge();
        comparison.verdict = Verdict::Regressed;
        let text = annotations::document(&comparison, &Places::here());
        assert_eq!(text.lines().count(), 10);
        assert!(text.ends_with("::error title=plop%3A more::and 1991 more\n"));
    }

    #[test]
    fn code_is_fenced_by_more_than_it_has() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code("a\\"), "` a\\ `");
        assert_eq!(code("  "), "(no name)");
        assert_eq!(cell(&code("a|b\\|c")), "`a\\|b\\ \\|c`");
    }
}
