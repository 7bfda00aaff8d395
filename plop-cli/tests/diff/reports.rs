//! The reports that `plop diff` writes with `-o`: what is in them, that no name can be more than a name there, and
//! what programs of others make of them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use boon::{Compiler, Schemas};
use comrak::{Options, markdown_to_html};
use plop_core::{Attribute, Frame, Notes, Profile, Sample, Slice, SliceId, StackId, ValueType};
use roxmltree::{Document, Node};
use serde_json::Value;

use crate::support::{finish, variable};
use crate::{FILED, Filed, Place, deploys};

/// All reports of one run.
struct Reports {
    code: i32,
    markdown: String,
    json: Value,
    sarif: Value,
    junit: String,
    quality: Value,
    /// Command, properties and text of each line.
    annotations: Vec<(String, HashMap<String, String>, String)>,
    lines: String,
}

impl Place {
    fn reports(&self, words: &str) -> Reports {
        let told = self.diff(&format!(
            "-q {words} -o r.md -o r.json -o r.sarif -o r.xml -o r.codequality.json -o annotations=r.txt"
        ));
        assert!(told.stderr.is_empty(), "{words}: {}", told.stderr);
        assert!(
            told.stdout.contains("plop diff"),
            "the report is there, too"
        );
        let read = |name: &str| fs::read_to_string(self.0.path().join(name)).unwrap();
        let json = |name: &str| serde_json::from_str(&read(name)).unwrap();
        let lines = read("r.txt");
        Reports {
            code: told.status.code().unwrap(),
            markdown: read("r.md"),
            json: json("r.json"),
            sarif: json("r.sarif"),
            junit: read("r.xml"),
            quality: json("r.codequality.json"),
            annotations: lines.lines().map(annotation).collect(),
            lines,
        }
    }
}

/// A workflow command, taken apart as the runner of GitHub does.
fn annotation(line: &str) -> (String, HashMap<String, String>, String) {
    let rest = line.strip_prefix("::").unwrap();
    let (command, text) = rest.split_once("::").unwrap();
    let (command, properties) = command.split_once(' ').unwrap();
    let decoded = |text: &str, all: bool| {
        let mut text = text.replace("%0D", "\r").replace("%0A", "\n");
        if all {
            text = text.replace("%3A", ":").replace("%2C", ",");
        }
        text.replace("%25", "%")
    };
    let properties = (properties.split(','))
        .map(|property| property.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), decoded(value, true)))
        .collect();
    (command.to_owned(), properties, decoded(text, false))
}

/// Markdown as GitHub reads it, in HTML that is XML.
fn html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.render.r#unsafe = true;
    format!("<body>{}</body>", markdown_to_html(markdown, &options))
}

/// The cells of each row of the tables.
fn rows(html: &str) -> Vec<Vec<String>> {
    let document = Document::parse(html).unwrap_or_else(|error| panic!("{error}: {html}"));
    let named = |name: &'static str| move |node: &Node| node.has_tag_name(name);
    let text = |node: Node| -> String {
        let texts = node.descendants().filter(|node| node.is_text());
        texts.filter_map(|node| node.text()).collect()
    };
    (document.descendants().filter(named("tr")))
        .map(|row| {
            let cells = row.children().filter(Node::is_element);
            cells.map(text).collect()
        })
        .collect()
}

fn attribute<'d>(document: &'d Document, element: &str, name: &str) -> Vec<&'d str> {
    (document.descendants())
        .filter(|node| node.has_tag_name(element))
        .filter_map(|node| node.attribute(name))
        .collect()
}

#[test]
fn a_slower_deploy_is_in_every_report() {
    let place = Place::new();
    let reports = place.reports(&format!("{} {}", deploys("before"), deploys("slower")));
    assert_eq!(reports.code, 1);
    let points = reports.json["findings"][0]["delta"].as_f64().unwrap() * 100.0;
    let printed = format!("{points:+.1} pt");
    assert!(points > 10.0);

    let first = reports.markdown.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("### 🔴 plop: slower, 1 cause, {printed}")),
        "{first}"
    );
    assert!(
        reports
            .markdown
            .contains("`before` → `slower` (12,496 → 12,531 samples)")
    );
    let rows = rows(&html(&reports.markdown));
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[1][0], "▲");
    assert!(
        rows[1][1].starts_with("discount (shop.py:36) slower inside itself, or called more"),
        "{rows:?}"
    );
    assert!(
        rows[1][1].ends_with("handle ▸ cart ▸ price ▸ discount"),
        "{rows:?}"
    );
    assert!(rows[1][4].starts_with(&format!("{printed} [")), "{rows:?}");
    assert!(
        reports
            .markdown
            .contains("een four times in five: a function of 5 %")
    );

    let results = reports.sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["ruleId"], "plop/regression");
    assert_eq!(results[0]["level"], "error");
    let location = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "shop.py");
    assert_eq!(location["region"]["startLine"], 36);
    let text = results[0]["message"]["text"].as_str().unwrap();
    assert!(
        text.starts_with(&format!(
            "discount (slower inside itself, or called more): {printed} ["
        )),
        "{text}"
    );
    assert!(text.ends_with("; before → slower"), "{text}");

    let document = Document::parse(&reports.junit).unwrap();
    assert_eq!(
        attribute(&document, "testcase", "name"),
        ["verdict", "self: discount"]
    );
    assert_eq!(attribute(&document, "testsuite", "failures"), ["2"]);
    assert_eq!(attribute(&document, "failure", "message"), [text, text]);
    assert_eq!(attribute(&document, "testcase", "file"), ["shop.py"]);

    let issue = &reports.quality[0];
    assert_eq!(issue["description"], text);
    assert_eq!(issue["severity"], "critical");
    assert_eq!(issue["location"]["path"], "shop.py");
    assert_eq!(issue["location"]["lines"]["begin"], 36);

    let [(command, properties, told)] = &reports.annotations[..] else {
        panic!("{}", reports.lines);
    };
    assert_eq!((command.as_str(), told.as_str()), ("error", text));
    assert_eq!(properties["file"], "shop.py");
    assert_eq!(properties["line"], "36");
    assert_eq!(properties["title"], format!("plop: discount {printed}"));

    // The same finding is known by the same number, though the sides have other samples.
    let back = place.reports(&format!("{} {}", deploys("refactored"), deploys("slower")));
    let known = |reports: &Reports| reports.quality[0]["fingerprint"].clone();
    assert_eq!(known(&back), known(&reports));
}

#[test]
fn what_is_no_slower_is_one_line() {
    let place = Place::new();
    let reports = place.reports(&format!("{} {}", deploys("before"), deploys("refactored")));
    assert_eq!(reports.code, 0);
    assert_eq!(reports.markdown.lines().count(), 1, "{}", reports.markdown);
    assert!(
        reports
            .markdown
            .starts_with("✅ plop: nothing slower, `before` → `refactored`. Nothing changed")
    );
    assert_eq!(
        reports.sarif["runs"][0]["results"],
        Value::Array(Vec::new())
    );
    assert_eq!(reports.quality, Value::Array(Vec::new()));
    let document = Document::parse(&reports.junit).unwrap();
    assert_eq!(attribute(&document, "testsuite", "tests"), ["1"]);
    assert!(!reports.junit.contains("<failure") && !reports.junit.contains("<skipped"));
    let [(command, properties, _)] = &reports.annotations[..] else {
        panic!("{}", reports.lines);
    };
    assert_eq!(
        (command.as_str(), properties["title"].as_str()),
        ("notice", "plop: ok")
    );
}

#[test]
fn what_is_faster_is_no_fault() {
    let place = Place::new();
    let reports = place.reports(&format!("{} {}", deploys("slower"), deploys("before")));
    assert_eq!(reports.code, 0);
    assert!(
        reports.markdown.starts_with("### ✅ plop: faster"),
        "{}",
        reports.markdown
    );
    assert_eq!(rows(&html(&reports.markdown))[1][0], "▼");
    assert_eq!(
        reports.sarif["runs"][0]["results"],
        Value::Array(Vec::new())
    );
    assert_eq!(reports.quality, Value::Array(Vec::new()));
    assert!(!reports.junit.contains("<failure"));
    assert!(
        reports.lines.starts_with("::notice title=plop%3A ok::"),
        "{}",
        reports.lines
    );
}

/// Without a verdict, with a cause that would fail and without any cause.
#[test]
fn no_verdict_looks_like_none() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("doubtful.folded", 20_000.0, 1.5);
    let blind = format!(
        "--require-power 0.6% {} {}",
        deploys("before"),
        deploys("refactored")
    );
    for words in ["before.folded doubtful.folded", &blind] {
        let reports = place.reports(words);
        assert_eq!(reports.code, 3, "{words}");
        assert!(
            reports.markdown.starts_with("### ⚠️ plop: no verdict"),
            "{}",
            reports.markdown
        );
        assert!(reports.markdown.to_lowercase().contains("**no verdict:**"));
        assert!(!reports.markdown.contains('✅') && !reports.markdown.contains('🔴'));
        let results = reports.sarif["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results[0]["ruleId"], "plop/inconclusive");
        assert!(
            results.iter().all(|result| result["level"] == "warning"),
            "{results:#?}"
        );
        let issues = reports.quality.as_array().unwrap();
        assert_eq!(issues[0]["check_name"], "plop/inconclusive");
        assert!(issues.iter().all(|issue| issue["severity"] == "major"));
        assert!(
            reports
                .annotations
                .iter()
                .all(|(command, _, _)| command == "warning")
        );
        assert!(reports.annotations[0].2.starts_with("no verdict: "));
        // Every test is skipped: none failed, and none passed.
        let document = Document::parse(&reports.junit).unwrap();
        let tests = attribute(&document, "testsuite", "tests");
        assert_eq!(attribute(&document, "testsuite", "skipped"), tests);
        assert_eq!(attribute(&document, "testsuite", "failures"), ["0"]);
        let skipped = attribute(&document, "skipped", "message");
        assert_eq!(skipped.len().to_string(), tests[0]);
        assert!(skipped[0].starts_with("no verdict: "));
    }
}

/// Names that want to be more than names.
const HOSTILE: [&str; 16] = [
    "<script>alert(1)</script>",
    "a|b||c\\|d",
    "`code` ``more`` ```",
    "`",
    "ends in\\",
    "line\nfeed\r\n\n# heading\n::error::injected",
    "%0A::error file=x::y%25",
    "@team and #12 and !34",
    "[link](https://example.com) ![image](https://example.com/x.png)",
    "https://example.com www.example.com a@example.com",
    "\u{202e}gnissap\u{2066}\u{200b}",
    "]]> & &amp; &#64;team '\"",
    "\u{0}\u{1b}[31m\u{fffe}",
    "**bold** _it_ ~~no~~ :smile: $x$ <!-- -->",
    "file=a,line=1,title=b: c, d",
    "  ",
];

/// Writes a profile all of whose names are hostile, with a function that costs `factor` times as much.
fn hostile(place: &Place, name: &str, file: &str, commit: &str, factor: f64, host: &str) {
    let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
    let mut push = |caller: StackId, name: &str, file: &str| {
        let function = profile.function(name.as_bytes(), file.as_bytes());
        let frame = profile.frames.intern(Frame::of(function));
        profile.stacks.push(caller, frame)
    };
    let main = push(StackId::ROOT, &format!("main {name}"), file);
    let stacks = [
        (push(main, name, file), 60.0 * factor),
        (push(main, "render", "x.py"), 200.0),
        (push(main, "query", "x.py"), 150.0),
        (push(main, "read", "x.py"), 90.0),
    ];
    for slice in 0..60_usize {
        profile.slices.0.push(Slice::default());
        for (n, (stack, samples)) in stacks.iter().enumerate() {
            // They differ from slice to slice, as much as chance would have it.
            let swing = [0.9, 1.05, 1.0, 1.1, 0.95][(slice + n) % 5];
            profile.samples.push(Sample {
                slice: Some(SliceId::new(slice)),
                ..Sample::of(*stack, &[(samples * swing) as i64])
            });
        }
    }
    let text = |text: &str| Attribute::Text(text.into());
    profile.meta.host = vec![("machine".into(), text(host))];
    profile.meta.build = vec![("commit".into(), text(commit))];
    let mut out = fs::File::create(place.0.path().join(format!("{}.plop", factor))).unwrap();
    let plop = plop_convert::find("plop").unwrap();
    plop.write(&[profile], &mut out, &mut Notes::new()).unwrap();
}

#[test]
fn no_name_is_more_than_a_name() {
    let place = Place::new();
    let long = format!("`|<{}", "é@".repeat(50_000));
    let schema = SarifSchema::read();
    for name in HOSTILE.into_iter().chain([long.as_str()]) {
        for changed in [false, true] {
            let host = if changed { name } else { "x86_64" };
            hostile(
                &place,
                name,
                &format!("src/{name}"),
                &format!("a{name}"),
                1.0,
                "x86_64",
            );
            hostile(
                &place,
                name,
                &format!("src/{name}"),
                &format!("b{name}"),
                2.0,
                host,
            );
            let reports = place.reports("1.plop 2.plop");
            assert_eq!(reports.code, if changed { 3 } else { 1 }, "{name:.80}");
            holds(&reports, name);
            if let Some(schema) = &schema {
                assert_eq!(schema.refusal(&reports.sarif), None, "{name:.80}");
            }
        }
    }
}

/// Whether the reports have only the markup that is ours.
fn holds(reports: &Reports, name: &str) {
    let markdown = &reports.markdown;
    assert!(markdown.len() < 65_000, "{}", markdown.len());
    assert!(
        markdown
            .lines()
            .filter(|line| line.starts_with('#'))
            .count()
            == 1
    );
    let html = html(markdown);
    let document = Document::parse(&html).unwrap_or_else(|error| panic!("{error}: {html}"));
    for node in document.descendants() {
        if node.is_element() {
            let ours = [
                "body", "h3", "p", "code", "ul", "li", "table", "thead", "tbody", "tr", "th", "td",
                "br", "strong",
            ];
            assert!(
                ours.contains(&node.tag_name().name()),
                "{:?} in {markdown}",
                node.tag_name()
            );
            if node.has_tag_name("strong") {
                let text = node.text().unwrap();
                assert!(text == "no verdict:" || text.ends_with(" pt"), "{text}");
            }
        }
        let text = node.text().filter(|_| node.is_text()).unwrap_or_default();
        let is_code = node.ancestors().any(|node| node.has_tag_name("code"));
        let markup = ['@', '#', '<', '[', '`', '*', ':'];
        // Of our own texts, intervals have brackets, and what is seen a colon.
        let own =
            text.starts_with(" [") || text.contains("four times in five") || text == "no verdict:";
        let heading =
            text.trim_start().starts_with("🔴 plop") || text.trim_start().starts_with("⚠️ plop");
        assert!(
            is_code || own || heading || !text.contains(markup),
            "{text} in {markdown}"
        );
    }
    assert!(rows(&html).iter().all(|row| row.len() == 5), "{markdown}");

    let document = Document::parse(&reports.junit).unwrap();
    let ours = [
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "skipped",
        "system-out",
    ];
    for node in document.descendants().filter(Node::is_element) {
        assert!(
            ours.contains(&node.tag_name().name()),
            "{:?}",
            node.tag_name()
        );
    }

    for line in reports.lines.lines() {
        let (command, properties, text) = annotation(line);
        assert!(command == "error" || command == "warning", "{line}");
        for key in properties.keys() {
            assert!(["file", "line", "title"].contains(&key.as_str()), "{line}");
        }
        assert!(
            !text.contains('\n') && !text.contains("::error::injected\n"),
            "{text}"
        );
        assert!(text.chars().count() < 2_000, "{}", text.len());
    }

    for result in reports.sarif["runs"][0]["results"].as_array().unwrap() {
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .unwrap();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        assert!(uri.bytes().all(is_plain) && !uri.starts_with('/'), "{uri}");
    }
    let texts = [
        markdown,
        &reports.junit,
        &reports.lines,
        &reports.sarif.to_string(),
        &reports.quality.to_string(),
    ];
    for text in texts {
        let hidden = |letter: char| {
            letter.is_control() && letter != '\n'
                || ('\u{200b}'..='\u{200f}').contains(&letter)
                || ('\u{202a}'..='\u{202e}').contains(&letter)
                || ('\u{2066}'..='\u{2069}').contains(&letter)
        };
        assert!(!text.contains(hidden), "{text:.2000}");
    }
    // A name of visible letters is there as it is.
    let is_visible = name.len() < 160
        && !name.contains(|letter: char| letter.is_control() || letter as u32 >= 0x2000);
    if is_visible && !name.trim().is_empty() {
        let results = reports.sarif["runs"][0]["results"].as_array().unwrap();
        let mut texts = results
            .iter()
            .map(|result| result["message"]["text"].as_str().unwrap());
        assert!(texts.any(|text| text.contains(name)), "{name}");
        let junit = Document::parse(&reports.junit).unwrap();
        let cases = attribute(&junit, "testcase", "name");
        assert_eq!(cases[1..], [format!("self: {name}")]);
        let mut told = reports.annotations.iter().map(|(_, _, text)| text);
        assert!(told.any(|text| text.contains(name)), "{}", reports.lines);
        let in_table = name.replace("\\|", "\\ |");
        assert!(rows(&html)[1][1].starts_with(&in_table), "{html}");
    }
}

/// The public schema of SARIF 2.1.0, if it is there.
struct SarifSchema {
    schemas: Schemas,
    index: boon::SchemaIndex,
}

impl SarifSchema {
    fn read() -> Option<SarifSchema> {
        let file = variable("PLOP_SARIF_SCHEMA")?;
        let document: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource("sarif.json", document).unwrap();
        let index = compiler.compile("sarif.json", &mut schemas).unwrap();
        Some(SarifSchema { schemas, index })
    }

    fn refusal(&self, document: &Value) -> Option<String> {
        let refused = self.schemas.validate(document, self.index).err();
        refused.map(|error| error.to_string())
    }
}

#[test]
fn the_public_schema_takes_the_sarif() {
    let Some(schema) = SarifSchema::read() else {
        return;
    };
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("doubtful.folded", 20_000.0, 1.5);
    for words in [
        format!("{} {}", deploys("before"), deploys("slower")),
        format!("{} {}", deploys("slower"), deploys("before")),
        "before.folded doubtful.folded".into(),
    ] {
        let mut sarif = place.reports(&words).sarif;
        assert_eq!(schema.refusal(&sarif), None, "{words}");
        sarif["runs"][0]["results"] = "none".into();
        assert!(
            schema.refusal(&sarif).is_some(),
            "it tells right from wrong"
        );
    }
}

/// What GitLab's documentation asks of each issue of a code quality report.
#[test]
fn code_quality_is_as_gitlab_documents_it() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 4.0);
    place.folded("doubtful.folded", 20_000.0, 1.5);
    for after in ["after", "doubtful"] {
        let reports = place.reports(&format!("before.folded {after}.folded"));
        let issues = reports.quality.as_array().unwrap();
        assert!(!issues.is_empty());
        let mut met = Vec::new();
        for issue in issues {
            for key in ["description", "check_name", "fingerprint"] {
                assert!(
                    issue[key].as_str().is_some_and(|text| !text.is_empty()),
                    "{key}"
                );
            }
            let severities = ["info", "minor", "major", "critical", "blocker"];
            assert!(severities.contains(&issue["severity"].as_str().unwrap()));
            let path = issue["location"]["path"].as_str().unwrap();
            assert!(!path.is_empty() && !path.starts_with(['/', '.']), "{path}");
            assert!(issue["location"]["lines"]["begin"].as_i64().unwrap() >= 1);
            assert!(
                !met.contains(&&issue["fingerprint"]),
                "fingerprints are unique"
            );
            met.push(&issue["fingerprint"]);
        }
    }
}

const READ_JUNIT: &str = "
import json, sys
from junitparser import JUnitXml, Failure, Skipped
kinds = {Failure: 'failed', Skipped: 'skipped'}
xml = JUnitXml.fromfile(sys.argv[1])
print(json.dumps([[suite.name, suite.tests, suite.failures, suite.errors, suite.skipped,
    [[case.classname, case.name, [[kinds[type(end)], end.message] for end in case.result]] for case in suite]]
    for suite in xml]))
";

#[test]
fn a_reader_of_junit_reads_the_same() {
    let Some(python) = variable("PLOP_PEER_PYTHON") else {
        return;
    };
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("doubtful.folded", 20_000.0, 1.5);
    let name = "<b>&\"'\n]]>";
    hostile(&place, name, "src/x.py", "a", 1.0, "x");
    hostile(&place, name, "src/x.py", "b", 2.0, "x");
    for (words, end) in [
        ("before.folded doubtful.folded", "skipped"),
        ("1.plop 2.plop", "failed"),
    ] {
        place.reports(words);
        let mut read = Command::new(&python);
        read.args(["-c", READ_JUNIT])
            .arg(place.0.path().join("r.xml"));
        let suites: Value = serde_json::from_str(&finish(&mut read)).unwrap();
        let suite = &suites[0];
        assert_eq!(suite[0], "plop diff");
        let cases = suite[5].as_array().unwrap();
        assert_eq!(suite[1], cases.len());
        let ended = |how: &str| cases.iter().filter(|case| case[2][0][0] == how).count();
        assert_eq!(
            (&suite[2], &suite[3], &suite[4]),
            (&ended("failed").into(), &0.into(), &ended("skipped").into())
        );
        assert_eq!(cases[0][1], "verdict");
        assert_eq!(cases[0][2][0][0], end, "{suite}");
        if end == "failed" {
            assert_eq!(cases[1][1], "self: <b>&\"'\\n]]>");
        }
    }
}

#[test]
fn cost_that_moved_is_told_and_fails_nowhere() {
    let place = Place::new();
    for (file, a, b) in [("before.folded", 3000, 3000), ("after.folded", 2000, 4000)] {
        let text = format!("main;a {a}\nmain;b {b}\nmain;c 14000\n");
        fs::write(place.0.path().join(file), text).unwrap();
    }
    let reports = place.reports("--design-effect 1 before.folded after.folded");
    assert_eq!(reports.code, 0);
    assert!(reports.markdown.starts_with("### ✅ plop: cost only moved"));
    assert!((reports.markdown).contains("\nCost moved: `a` → `b`; together "));
    assert_eq!(reports.sarif["runs"][0]["results"][0]["level"], "note");
    assert_eq!(reports.quality[0]["severity"], "info");
    assert!((reports.annotations.iter()).all(|(command, _, _)| command == "notice"));
    assert!(
        reports.annotations[0]
            .2
            .contains("only moved from other functions")
    );
    assert!(!reports.junit.contains("<failure"));
}

/// Of a baseline without any earlier deploy there is no verdict either, and no file is left from the last time.
#[test]
fn nothing_to_compare_with_is_no_verdict() {
    let place = Place::new();
    let other = Filed {
        service: "other",
        ..FILED
    };
    other.put(&place, "deploys/other.plop");
    Filed { hour: 5, ..FILED }.put(&place, "new.plop");
    let names = [
        "r.md",
        "r.json",
        "r.sarif",
        "r.xml",
        "r.codequality.json",
        "r.txt",
    ];
    for name in names {
        fs::write(place.0.path().join(name), "✅ of the last time").unwrap();
    }
    let words =
        "-o r.md -o r.json -o r.sarif -o r.xml -o r.codequality.json -o annotations=r.txt -o r.svg";
    let told = place.diff(&format!("-q --baseline deploys new.plop {words}"));
    assert_eq!(told.status.code(), Some(3), "{}", told.stderr);
    for name in names {
        let text = fs::read_to_string(place.0.path().join(name)).unwrap();
        assert!(
            text.contains("there is no earlier deploy to compare with"),
            "{name}: {text}"
        );
        assert!(
            !text.contains('✅') && !text.contains("nothing changed"),
            "{name}: {text}"
        );
    }
    let read = |name| fs::read_to_string(place.0.path().join(name)).unwrap();
    let json: Value = serde_json::from_str(&read("r.json")).unwrap();
    assert_eq!(
        (&json["verdict"], &json["exit"]),
        (&"inconclusive".into(), &3.into())
    );
    assert_eq!(crate::schema::Schema::read().refusal(&json), None);
    let told = place.diff("-q --baseline deploys new.plop --json");
    assert_eq!((told.status.code(), told.stdout), (Some(3), read("r.json")));
    assert!(read("r.txt").starts_with("::warning "));
    assert!(read("r.xml").contains("skipped=\"1\""));
    assert!(
        read("r.md").contains("another service"),
        "why what is there does not count"
    );
    assert!(!place.0.path().join("r.svg").exists());
}

#[test]
fn files_are_asked_for_by_ending_or_by_format() {
    let place = Place::new();
    let words = format!("-q {} {}", deploys("before"), deploys("slower"));
    let read = |name: &str| fs::read_to_string(place.0.path().join(name)).unwrap();
    let told = place.diff(&format!(
        "{words} -o a.md -o b.svg -o markdown=summary -o a=b.json -o code-quality=c"
    ));
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    assert!(told.stdout.starts_with("plop diff"));
    assert_eq!(read("summary"), read("a.md"));
    assert!(read("b.svg").starts_with("<?xml"));
    assert!(read("c").starts_with('['));
    let json = place.diff(&format!("{words} --json"));
    assert_eq!(read("a=b.json"), json.stdout, "the name is all of it");
    // In the place of the report.
    let told = place.diff(&format!("{words} -f markdown -o - "));
    assert_eq!((told.status.code(), told.stdout), (Some(1), read("a.md")));
    let told = place.diff(&format!("{words} -f markdown"));
    assert_eq!(told.stdout, read("a.md"));
    let told = place.diff(&format!("{words} -f markdown -o markdown=x"));
    assert_eq!(told.status.code(), Some(1));
    assert_eq!(
        read("markdown=x"),
        read("a.md"),
        "-f tells the format, so the name is all of it"
    );
    // Beside the report, where the runner reads both.
    let told = place.diff(&format!("{words} -o annotations=/dev/stderr"));
    assert!(
        told.stdout.starts_with("plop diff") && told.stderr.starts_with("::error file=shop.py,")
    );
    // A file that is there is replaced whole, or not at all.
    let before = read("a.md");
    let told = place.diff(&format!("{words} -o a.md -o no/such/x.sarif"));
    assert_eq!(told.status.code(), Some(2));
    assert_eq!(read("a.md"), before);
    let left: Vec<String> = (fs::read_dir(place.0.path()).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("partial"))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn files_that_cannot_be_written_are_refused_before_anything_is_compared() {
    let place = Place::new();
    place.folded("before.folded", 1000.0, 1.0);
    place.folded("after.folded", 1000.0, 1.0);
    for (words, said) in [
        ("-o a.md -o a.md", "a.md is named twice with -o"),
        (
            "-o markdown=- -o sarif=-",
            "standard output is named twice with -o",
        ),
        (
            "-f markdown -o a.md -o b.md",
            "-f is the format of one file",
        ),
        ("-o a.md.gz", "cannot tell the format from the name a.md.gz"),
        (
            "-o a.speedscope.json",
            "plop diff writes folded-diff, svg and pprof, not speedscope",
        ),
        (
            "-o markdown=",
            "cannot tell the format from the name markdown=",
        ),
        ("-o -", "say which format to write"),
        ("-f markdown --json", "--json prints its answer on stdout"),
        ("-o markdown=- --tree", "--tree is part of the report"),
        ("-o a.md --gzip", "--gzip: say what to write with -f"),
    ] {
        let told = place.diff(&format!("-q {words} before.folded after.folded"));
        assert_eq!(told.status.code(), Some(2), "{words}");
        assert!(told.stderr.contains(said), "{words}: {}", told.stderr);
        assert_eq!(told.stdout, "", "{words}");
    }
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 2);
}

/// No path of the machine on which a profile was recorded is a place in a repository; what is there, is.
#[test]
fn places_are_those_of_the_repository() {
    let place = Place::new();
    let root = place.0.path();
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::create_dir_all(root.join("services/shop")).unwrap();
    fs::create_dir_all(root.join("ci")).unwrap();
    fs::write(root.join("services/shop/cart.py"), "").unwrap();
    for (file, uri) in [
        ("/app/services/shop/cart.py", "services/shop/cart.py"),
        ("/usr/lib/python3.11/json/encoder.py", "no-file"),
        ("services/shop/own%20.py", "services/shop/own%2520.py"),
        (&root.join("a b.py").display().to_string(), "a%20b.py"),
    ] {
        hostile(&place, "parse", file, "a", 1.0, "x");
        hostile(&place, "parse", file, "b", 2.0, "x");
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command
            .args(["diff", "-q", "../1.plop", "../2.plop", "-f", "sarif"])
            .current_dir(root.join("ci"));
        let told = crate::ended(&mut command);
        let sarif: Value = serde_json::from_str(&told.stdout).unwrap();
        let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], uri, "{file}");
        assert!(Path::new(uri).is_relative());
    }
}

/// The result that docs/reports.md shows is the one of the two deploys.
#[test]
fn the_documentation_shows_what_is_written() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reports.md");
    let text = fs::read_to_string(docs).unwrap();
    let (_, sarif) = text.split_once("## SARIF").unwrap();
    let (_, json) = sarif.split_once("```json").unwrap();
    let (shown, _) = json.split_once("```").unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    let (before, after) = (deploys("before"), deploys("slower"));
    let told = Place::new().diff(&format!("-q -f sarif {before} {after}"));
    let written: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(written["runs"][0]["results"][0], shown);
}
