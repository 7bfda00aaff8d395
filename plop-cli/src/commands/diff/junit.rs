//! A comparison as JUnit's XML: a test for the verdict, and one for each cause. What fails is a failure, what is
//! without verdict is skipped, and all else passed.

use plop_diff::{Comparison, Verdict};

use super::places::Places;
use super::remarks::{Level, Remark, Rule, remarks};
use super::seen::seen;
use super::terminal::whole;
use super::text::sentence;

/// How a test ended.
enum End<'r> {
    Failed(&'r str, &'static str),
    Skipped(&'r str),
    Passed,
}

pub(super) fn document(comparison: &Comparison, places: &Places) -> String {
    let remarks = remarks(comparison, places);
    let reason = match comparison.verdict {
        Verdict::Inconclusive => remarks.iter().find(|one| one.rule == Rule::Inconclusive),
        Verdict::Regressed => remarks.iter().find(|one| one.level == Level::Fails),
        Verdict::Ok => None,
    };
    let reason = reason.map_or("", |remark| &remark.text);
    let end = match comparison.verdict {
        Verdict::Regressed => End::Failed(reason, "regressed"),
        Verdict::Inconclusive => End::Skipped(reason),
        Verdict::Ok => End::Passed,
    };
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    let mut cases = String::new();
    let mut add = |name: &str, end: End, place: &str, told: &str| {
        tests += 1;
        let end = match end {
            End::Passed => String::new(),
            End::Failed(text, kind) => {
                failures += 1;
                format!(
                    "      <failure type=\"{kind}\" message=\"{0}\">{0}</failure>\n",
                    escaped(text)
                )
            }
            End::Skipped(text) => {
                skipped += 1;
                format!("      <skipped message=\"{}\"/>\n", escaped(text))
            }
        };
        cases += &format!(
            "    <testcase classname=\"plop.diff\" name=\"{}\"{place} time=\"0\">\n{end}      \
             <system-out>{}</system-out>\n    </testcase>\n",
            escaped(name),
            escaped(told)
        );
    };
    let mut told = whole(comparison);
    told.extend(
        comparison
            .warnings
            .iter()
            .map(|warning| format!("⚠ {}", warning.text)),
    );
    told.extend(seen(comparison));
    let told: Vec<String> = told.iter().map(|text| sentence(text)).collect();
    add("verdict", end, "", &told.join("\n"));
    for remark in &remarks {
        let Some(finding) = remark.finding else {
            continue;
        };
        let end = match (comparison.verdict, remark.level) {
            (Verdict::Inconclusive, _) => End::Skipped("no verdict"),
            (_, Level::Fails) => End::Failed(&remark.text, "regression"),
            _ => End::Passed,
        };
        let name = format!(
            "{}: {}",
            finding.kind.word(),
            super::remarks::name(comparison, finding)
        );
        add(&name, end, &place(remark), &remark.text);
    }
    let counts = format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\""
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"plop diff\" {}>\n  \
         <testsuite name=\"plop diff\" {counts}>\n{cases}  </testsuite>\n</testsuites>\n",
        // The outer element has no count of what was skipped.
        counts.replace(&format!(" skipped=\"{skipped}\""), ""),
    )
}

fn place(remark: &Remark) -> String {
    let Some(place) = &remark.place else {
        return String::new();
    };
    let line = match place.line {
        0 => String::new(),
        line => format!(" line=\"{line}\""),
    };
    format!(" file=\"{}\"{line}", escaped(&place.path))
}

/// A text in an element or an attribute. What XML cannot hold at all has become a code already, or does here.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&apos;",
            '\n' => safe += "&#10;",
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => {
                safe.push('\u{fffd}');
            }
            other => safe.push(other),
        }
    }
    safe
}
