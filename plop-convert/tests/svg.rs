//! Flame graphs: an SVG parser reads every one, its boxes are as wide as what was sampled, and they
//! are the boxes that inferno's own command draws of folded stacks.
//!
//! PLOP_INFERNO names the folder with `inferno-flamegraph` 0.12.8, as `./test` installs it. Without
//! it that comparison says SKIPPED, or fails where `CI` is set.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use plop_convert::{Format, ReadOptions, find, read};
use plop_core::{Features, Frame, Granularity, Notes, Profile, Sample, StackId, ValueType};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What is drawn of a profile: the picture, and the notes.
fn drawn(profile: &Profile) -> (String, Notes) {
    let mut notes = Notes::new();
    let mut svg = Vec::new();
    format("svg")
        .write(std::slice::from_ref(profile), &mut svg, &mut notes)
        .unwrap();
    (String::from_utf8(svg).unwrap(), notes)
}

fn format(name: &str) -> &'static Format {
    find(name).unwrap()
}

fn folded(text: &str) -> Profile {
    let read = read(text.as_bytes(), find("folded"), &ReadOptions::default());
    read.unwrap().profiles.remove(0)
}

/// A box: what its tooltip says, how high it stands from 0 at the root, where it begins, how wide it
/// is, and its colour.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Drawn {
    title: String,
    depth: usize,
    x: u64,
    width: u64,
    colour: String,
}

impl Drawn {
    /// The name, without the numbers behind it.
    fn name(&self) -> &str {
        self.title.rsplit_once(" (").unwrap().0
    }
}

/// The boxes of a picture and its total.
fn boxes(svg: &str) -> (Vec<Drawn>, u64) {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(svg, options)
        .unwrap_or_else(|error| panic!("{error}: {svg}"));
    let frames = (document.descendants())
        .find(|node| node.attribute("id") == Some("frames"))
        .unwrap();
    let number = |node: roxmltree::Node, name: &str| -> u64 {
        let space = "http://github.com/jonhoo/inferno";
        (node.attribute((space, name)).or(node.attribute(name)))
            .and_then(|text| text.parse().ok())
            .unwrap()
    };
    let mut boxes: Vec<Drawn> = (frames.children())
        .filter(|node| node.is_element())
        .map(|group| {
            let part = |name| {
                (group.children())
                    .find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name)))
                    .unwrap()
            };
            let rect = part("rect");
            Drawn {
                title: part("title").text().unwrap_or_default().to_owned(),
                depth: number(rect, "y") as usize,
                x: number(rect, "x"),
                width: number(rect, "w"),
                colour: rect.attribute("fill").unwrap().to_owned(),
            }
        })
        .collect();
    let lowest = boxes.iter().map(|one| one.depth).max().unwrap_or(0);
    for one in &mut boxes {
        one.depth = (lowest - one.depth) / 16;
    }
    boxes.sort();
    (boxes, number(frames, "total_samples"))
}

fn titles(svg: &str) -> Vec<String> {
    boxes(svg).0.into_iter().map(|one| one.title).collect()
}

#[test]
fn a_box_is_as_wide_as_what_was_sampled_with_its_frame() {
    let (svg, notes) = drawn(&folded("main;work;read 3\nmain;work 2\nmain;wait 5\n"));
    assert!(notes.is_empty());
    let (boxes, total) = boxes(&svg);
    assert_eq!(total, 10);
    let found: Vec<_> = boxes
        .iter()
        .map(|one| (one.title.as_str(), one.depth, one.x, one.width))
        .collect();
    assert_eq!(
        found,
        [
            ("all (10 samples, 100%)", 0, 0, 10),
            ("main (10 samples, 100.00%)", 1, 0, 10),
            ("read (3 samples, 30.00%)", 3, 7, 3),
            ("wait (5 samples, 50.00%)", 2, 0, 5),
            ("work (5 samples, 50.00%)", 2, 5, 5),
        ]
    );
}

#[test]
fn the_same_profile_gives_the_same_picture() {
    let lines = ["a;b 3", "a;c;d 4", "b 1", "a 2", "a;c;e 9"];
    let (one, _) = drawn(&folded(&lines.join("\n")));
    let mut other = lines;
    other.reverse();
    assert_eq!(one, drawn(&folded(&other.join("\n"))).0);
    let colours: std::collections::BTreeSet<_> =
        boxes(&one).0.into_iter().map(|one| one.colour).collect();
    assert!(colours.len() > 4, "{colours:?}");
}

/// Names with whatever lines of folded stacks or XML give a meaning to.
#[test]
fn hostile_names_are_drawn_as_they_are() {
    let names = [
        "a;b",
        "worker 5",
        "7",
        "# comment",
        " spaced ",
        "<script>alert(\"x\")</script>",
        "]]>",
        "&amp; 'quoted' --> <!--",
        "\u{a0}",
        "f_[k]",
        "日本語 😀",
        "x (y.py:3)",
        "all",
        "--",
        "1.5",
    ];
    let mut profile = Profile::new(vec![ValueType::samples()]);
    for first in names {
        for last in names {
            let mut stack = StackId::ROOT;
            for name in [first, last] {
                let function = profile.function(name.as_bytes(), b"");
                let frame = profile.frames.intern(Frame::of(function));
                stack = profile.stacks.push(stack, frame);
            }
            profile.samples.push(Sample::of(stack, &[1]));
        }
    }
    let (svg, notes) = drawn(&profile);
    assert!(notes.is_empty(), "{notes:?}");
    let (boxes, total) = boxes(&svg);
    assert_eq!(total, (names.len() * names.len()) as u64);
    let mut expected = BTreeMap::new();
    for name in names {
        expected.insert((name, 1), (1, names.len() as u64));
        expected.insert((name, 2), (names.len(), 1));
    }
    let mut found = BTreeMap::new();
    for one in boxes.iter().filter(|one| one.depth > 0) {
        let (count, _) = *found.get(&(one.name(), one.depth)).unwrap_or(&(0, 0));
        found.insert((one.name(), one.depth), (count + 1, one.width));
    }
    assert_eq!(found, expected);
}

#[test]
fn what_xml_cannot_hold_is_replaced_and_told() {
    let (svg, notes) = drawn(&folded("a\0b;c\x1b[0m;tab\tbed 1\n"));
    assert_eq!(notes.count("undrawable"), 3);
    assert!(titles(&svg).contains(&"c\u{fffd}[0m (1 samples, 100.00%)".to_owned()));
    let mut profile = folded("f 1\n").with_names(|_| b"\xff\xef\xb7\x90\xef\xbf\xbe".to_vec());
    profile.meta.name = "n\0<\n>".into();
    profile.values[0] = ValueType::new("\u{1}k", "\u{2}");
    let (svg, notes) = drawn(&profile);
    assert_eq!(notes.count("undrawable"), 2);
    assert!(svg.contains(">n\u{fffd}&lt;\u{fffd}&gt;<"), "{svg}");
    let name = "\u{fffd}\u{fffd}\u{fffd}";
    let expected = format!("{name} ({name}) (1 \u{fffd}, 100.00%)");
    assert!(titles(&svg).contains(&expected), "{svg}");
    let long = format!("{} 1\n", "x".repeat(100_000));
    let (svg, notes) = drawn(&folded(&long));
    assert_eq!(notes.count("long-name"), 1);
    assert!(titles(&svg)[1].starts_with(&format!("{}… (1 ", "x".repeat(500))));
}

#[test]
fn every_random_profile_gives_a_picture_that_a_parser_reads() {
    let mut runner = TestRunner::new_with_rng(
        Config {
            cases: 1000,
            failure_persistence: None,
            ..Config::default()
        },
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let seen = std::cell::Cell::new(0);
    let result = runner.run(&support::profile(), |profile| {
        let mut notes = Notes::new();
        let profiles = [profile];
        let Ok(prepared) = format("svg").prepare(&profiles, &mut notes) else {
            return Ok(());
        };
        let mut svg = Vec::new();
        prepared.write(&mut svg).unwrap();
        let (boxes, total) = boxes(std::str::from_utf8(&svg).unwrap());
        let value = profiles[0].default_value;
        prop_assert_eq!(total, profiles[0].total(value) as u64);
        let roots = boxes.iter().filter(|one| one.depth == 1);
        prop_assert_eq!(total, roots.map(|one| one.width).sum::<u64>());
        seen.set(seen.get() + 1);
        Ok(())
    });
    result.unwrap();
    assert!(seen.get() > 150, "only {} can be drawn", seen.get());
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let refused = |profile: Profile| {
        let written = format("svg").write(&[profile], &mut Vec::new(), &mut Notes::new());
        written.unwrap_err().to_string()
    };
    assert!(refused(Profile::new(vec![ValueType::samples()])).contains("nothing to draw"));
    assert!(refused(folded("a;b 0\n")).contains("nothing to draw"));
    assert!(refused(folded("a;b -1\nc 5\n")).contains("below zero"));
    let text = "samples/count cpu/ns\na 0 20\n";
    let loaded = read(text.as_bytes(), None, &ReadOptions::default()).unwrap();
    let message = refused(loaded.profiles[0].clone());
    assert!(
        message.contains("nothing to draw") && message.contains("--value"),
        "{message}"
    );
}

#[test]
fn fractions_have_their_widths_and_units_their_names() {
    let shown = |unit: &str, kind: &str, text: &str| {
        let mut profile = folded(text);
        let value = &mut profile.values[0];
        (value.kind, value.unit) = (kind.into(), unit.into());
        let (boxes, _) = boxes(&drawn(&profile).0);
        let last = boxes.iter().find(|one| one.name() == "b").unwrap();
        (last.width, last.title.clone())
    };
    let title = |width, title: &str| (width, title.to_owned());
    for (unit, kind, text, expected) in [
        (
            "count",
            "samples",
            "a 0.0000075\nb 0.0000025\n",
            title(25, "b (25 × 0.0000001 samples, 25.00%)"),
        ),
        (
            "count",
            "samples",
            "a 7.5\nb 2.5\n",
            title(25, "b (25 × 0.1 samples, 25.00%)"),
        ),
        ("count", "", "a 1\nb 1\n", title(1, "b (1 samples, 50.00%)")),
        (
            "samples",
            "cpu",
            "a 1\nb 1\n",
            title(1, "b (1 samples, 50.00%)"),
        ),
        (
            "seconds",
            "cpu",
            "a 7.5\nb 2.5\n",
            title(25, "b (2,500 ms, 25.00%)"),
        ),
        (
            "seconds",
            "cpu",
            "a 75\nb 25\n",
            title(25, "b (25 s, 25.00%)"),
        ),
        (
            "nanoseconds",
            "cpu",
            "a 75000000000\nb 25000000000\n",
            title(25_000_000_000, "b (25,000 ms, 25.00%)"),
        ),
        (
            "bytes",
            "space",
            "a 31457280\nb 10485760\n",
            title(10_485_760, "b (10,240 KiB, 25.00%)"),
        ),
        (
            "bytes",
            "space",
            "a 3\nb 1\n",
            title(1, "b (1 bytes, 25.00%)"),
        ),
    ] {
        assert_eq!(shown(unit, kind, text), expected, "{unit} {kind}");
    }
    // The ends of 64 bits: inferno would overflow.
    let text = format!(
        "a {}\nb 1000000000000000000\n",
        i64::MAX - 1_000_000_000_000_000_000
    );
    let profile = folded(&text);
    let (boxes, total) = boxes(&drawn(&profile).0);
    assert!(total > u64::MAX / 400 / 10 && total < 1 << 57, "{total}");
    assert!(
        boxes.iter().any(|one| one.title.contains("10.84%")),
        "{boxes:?}"
    );
}

#[test]
fn the_language_decides_the_colours() {
    let colour = |text: &str| {
        let (boxes, _) = boxes(&drawn(&folded(text)).0);
        let all = boxes.into_iter().find(|one| one.depth == 1).unwrap();
        let mut parts = all.colour[4..all.colour.len() - 1].split(',');
        [(); 3].map(|()| parts.next().unwrap().parse::<u8>().unwrap())
    };
    let [red, green, blue] = colour("f (/usr/lib/python3.11/threading.py:3) 1\n");
    assert!(
        red == green && blue < 80,
        "Python's library is yellow: {red} {green} {blue}"
    );
    let [red, green, blue] = colour("f (/x/site-packages/y.py:3) 1\n");
    assert!(
        green == blue && red < green,
        "packages are aqua: {red} {green} {blue}"
    );
    let [red, green, blue] = colour("java/lang/Thread.run_[j] 1\n");
    assert!(
        green > red && green > blue,
        "Java is green: {red} {green} {blue}"
    );
    let [red, green, blue] = colour("do_syscall_64_[k];java/lang/Thread.run_[j] 1\n");
    assert!(
        blue == 0 && red > green,
        "the kernel is orange: {red} {green} {blue}"
    );
    let [red, green, blue] = colour("core::fmt::write;alloc::vec::push 1\n");
    assert!(
        blue == 0 && red > green,
        "Rust's library is orange: {red} {green} {blue}"
    );
    let [red, _, blue] = colour("main;work 1\n");
    assert!(
        red >= 205 && blue < 56,
        "without a language it is a fire: {red} {blue}"
    );
}

#[test]
fn marks_stay_where_colours_do_not_tell_them() {
    let (svg, _) = drawn(&folded("main;read_[k] 1\n"));
    assert!(titles(&svg).contains(&"read_[k] (1 samples, 100.00%)".to_owned()));
    let (svg, _) = drawn(&folded("java/lang/Thread.run_[j];read_[k] 1\n"));
    assert!(titles(&svg).contains(&"read (1 samples, 100.00%)".to_owned()));
}

#[test]
fn a_comparison_is_drawn_as_one() {
    let text = "main;a 10 20\nmain;b 30 10\nmain;gone 5 0\nmain;c 4 4\n";
    let loaded = read(
        text.as_bytes(),
        find("folded-diff"),
        &ReadOptions::default(),
    )
    .unwrap();
    let (svg, notes) = drawn(&loaded.profiles[0]);
    assert_eq!(notes.count("narrow"), 1, "{notes:?}");
    let (boxes, total) = boxes(&svg);
    assert_eq!(total, 34);
    let find = |name: &str| boxes.iter().find(|one| one.name() == name);
    let (a, b, c) = (find("a").unwrap(), find("b").unwrap(), find("c").unwrap());
    assert_eq!((a.width, b.width, c.width), (20, 10, 4));
    assert_eq!(a.title, "a (20 samples, 58.82%; +29.41%)");
    assert_eq!(b.title, "b (10 samples, 29.41%; -58.82%)");
    assert_eq!(c.title, "c (4 samples, 11.76%; 0.00%)");
    assert!(
        a.colour.starts_with("rgb(255,"),
        "more is red: {}",
        a.colour
    );
    assert!(b.colour.ends_with(",255)"), "less is blue: {}", b.colour);
    assert!(find("gone").is_none());
    assert!(svg.contains("Differential flame graph"));
    // One of the two alone is drawn as any other.
    let (svg, _) = drawn(&loaded.profiles[0].clone().choosing(0));
    assert!(
        titles(&svg).contains(&"gone (5 before, 10.20%)".to_owned()),
        "{:?}",
        titles(&svg)
    );
    // Other pairs of values are not compared.
    let text = "samples/count cpu/ns\na 1 20\nb 3 10\n";
    let loaded = read(text.as_bytes(), None, &ReadOptions::default()).unwrap();
    let (svg, notes) = drawn(&loaded.profiles[0]);
    assert_eq!(notes.count("values"), 1);
    assert_eq!(boxes_total(&svg), 4);
    // Decimal places of the two may differ.
    let text = "a 1 2.25\nb 2 1\n";
    let loaded = read(text.as_bytes(), find_diff(), &ReadOptions::default()).unwrap();
    let (svg, _) = drawn(&loaded.profiles[0]);
    assert!(
        titles(&svg).contains(&"a (225 × 0.01 samples, 69.23%; +38.46%)".to_owned()),
        "{:?}",
        titles(&svg)
    );
}

fn boxes_total(svg: &str) -> u64 {
    boxes(svg).1
}

fn find_diff() -> Option<&'static Format> {
    find("folded-diff")
}

#[test]
fn narrow_boxes_and_deep_ones_leave_their_cost_below() {
    let mut text = String::from("main;wide 9000\n");
    for n in 0..2000 {
        writeln!(text, "main;wide;narrow{n};more 1").unwrap();
        writeln!(text, "narrow{n};more 1").unwrap();
    }
    let (svg, notes) = drawn(&folded(&text));
    assert_eq!(notes.count("narrow"), 8000);
    let (boxes, total) = boxes(&svg);
    assert_eq!(total, 13_000);
    let found: Vec<_> = boxes.iter().map(|one| (one.name(), one.width)).collect();
    assert_eq!(
        found,
        [
            ("(others)", 2000),
            ("all", 13_000),
            ("main", 11_000),
            ("wide", 11_000)
        ]
    );
    assert!(svg.len() < 40_000, "{}", svg.len());
}

#[test]
fn stacks_of_a_hundred_thousand_frames_are_drawn_as_far_as_can_be_seen() {
    let mut profile = Profile::new(vec![ValueType::samples()]);
    for n in 0..20 {
        let mut stack = StackId::ROOT;
        let mut name = format!("root{n}");
        for depth in 0..100_000 {
            let function = profile.function(name.as_bytes(), b"");
            let frame = profile.frames.intern(Frame::of(function));
            stack = profile.stacks.push(stack, frame);
            name = ["down", "and", "on"][depth % 3].into();
        }
        profile.samples.push(Sample::of(stack, &[1]));
    }
    let (svg, notes) = drawn(&profile);
    assert_eq!(notes.count("too-deep"), 20 * 99_000);
    assert!(svg.len() < 20 << 20, "{}", svg.len());
    assert!(svg.ends_with("</svg></svg>"));
}

/// The same boxes with the same widths as `inferno-flamegraph` draws from plop's folded stacks.
#[test]
fn inferno_draws_the_same_boxes_from_folded_stacks() {
    let Some(folder) = std::env::var_os("PLOP_INFERNO").filter(|folder| !folder.is_empty()) else {
        let why = b"SKIPPED: the comparison with inferno, since PLOP_INFERNO is not set\n";
        let _ = std::io::stderr().write_all(why);
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!ci, "CI is set, but PLOP_INFERNO is not");
        return;
    };
    let program = Path::new(&folder).join("inferno-flamegraph");
    let mut compared = 0;
    for from in ["plop", "folded", "folded-diff", "folded-columns", "austin"] {
        for file in support::fixtures(from) {
            let bytes = std::fs::read(&file).unwrap();
            let loaded = read(&bytes, find(from), &ReadOptions::default()).unwrap();
            let profile = &loaded.profiles[0];
            for granularity in [Granularity::Functions, Granularity::Lines] {
                // Inferno passes over samples without a stack.
                let profile = (profile.clone().at_granularity(granularity))
                    .retain(|sample| sample.stack != StackId::ROOT);
                let is_negative = profile.features().contains(Features::NEGATIVE);
                if is_negative || profile.total(profile.default_value) == 0 {
                    continue;
                }
                compare(&program, &profile, from);
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "{compared}");
}

fn compare(program: &Path, profile: &Profile, from: &str) {
    // Its lines say nothing of units, and change names with `;` or a line feed in them.
    let input = if from == "folded-diff" {
        from
    } else {
        "folded"
    };
    let mut lines = Vec::new();
    let mut notes = Notes::new();
    let prepared = format(input).prepare(std::slice::from_ref(profile), &mut notes);
    let prepared = prepared.unwrap();
    prepared.write(&mut lines).unwrap();
    let expected = boxes(&run(program, &lines));
    let plain = prepared.profiles[0].clone().into_owned();
    let found = boxes(&drawn(&plain).0);
    assert_eq!(found.1, expected.1);
    let total = expected.1;
    let visible = |boxes: Vec<Drawn>| -> Vec<(String, usize, u64)> {
        let boxes = boxes.into_iter().filter(|one| one.width * 1000 >= total);
        let mut boxes: Vec<_> = boxes
            // Without a line, folded stacks have `:0` behind some files; marks are taken off; and the
            // difference of a box holds what was too narrow to stand on it.
            .map(|one| (one.name().replace(":0)", ")"), one.depth, one.width))
            .map(|(name, depth, width)| (unmarked(&name), depth, width))
            .filter(|(name, ..)| name != "(others)")
            .collect();
        boxes.sort();
        boxes
    };
    assert_eq!(visible(found.0), visible(expected.0));
}

/// A name without marks.
fn unmarked(name: &str) -> String {
    let mut name = name
        .replace('\u{fffd}', "?")
        .replace(|c: char| c.is_control(), "?");
    while let Some((rest, mark)) = name.rsplit_once("_[") {
        if mark.len() != 2 {
            break;
        }
        name = rest.to_owned();
    }
    name
}

fn run(program: &Path, lines: &[u8]) -> String {
    let lossy = String::from_utf8_lossy(lines).into_owned();
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(lossy.as_bytes()).unwrap();
    input.rewind().unwrap();
    let output = Command::new(program)
        .args(["--minwidth", "0"])
        .stdin(input)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    // Inferno leaves control characters in, which no parser takes.
    let text = String::from_utf8(output.stdout).unwrap();
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}
