//! The files that `plop diff` writes for other tools. What Go makes of the difference is in `tests/readers`.

use std::fs;

use crate::{Place, deploys};

/// The amount before and after of each line of folded stacks with two counts, by stack.
fn rows(text: &str) -> Vec<(&str, i64, i64)> {
    text.lines()
        .map(|line| {
            let mut words = line.rsplitn(3, ' ');
            let mut number = || words.next().unwrap().parse().unwrap();
            let (after, before) = (number(), number());
            (words.next().unwrap(), before, after)
        })
        .collect()
}

fn sum(rows: &[(&str, i64, i64)]) -> (i64, i64) {
    let sum = |of: fn(&(&str, i64, i64)) -> i64| rows.iter().map(of).sum();
    (sum(|row| row.1), sum(|row| row.2))
}

#[test]
fn folded_stacks_have_before_and_after() {
    let place = Place::new();
    // As many requests, half of what `render` costs on top: nothing is to be scaled.
    let (before, after) = (
        place.counted("before", 1, 1.0),
        place.counted("after", 1, 1.5),
    );
    let told = place.diff(&format!("-f folded-diff {before} {after}"));
    assert_eq!(told.stderr, "");
    let mut rows = rows(&told.stdout);
    rows.sort_unstable();
    assert_eq!(
        rows,
        [
            ("main (app.py);compress (app.py)", 800, 800),
            ("main (app.py);escape (app.py)", 700, 700),
            ("main (app.py);query (app.py)", 2000, 2000),
            ("main (app.py);read (app.py)", 1000, 1000),
            ("main (app.py);render (app.py)", 3000, 4500),
            ("main (app.py);row (app.py)", 1500, 1500),
            ("main (app.py);token (app.py)", 1000, 1000),
        ]
    );
    // In shares the same comes of what the report says of the growth.
    let shares = "-f folded-diff --mode share --design-effect 1";
    let told = place.diff(&format!("{shares} {before} {after}"));
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    let (before, after) = sum(&self::rows(&told.stdout));
    assert_eq!(after, 11_500);
    assert!((9_700..=10_300).contains(&before), "{before}");
}

/// Samples without frames are all there is.
#[test]
fn what_has_no_frames_is_written_as_well() {
    let place = Place::new();
    for (name, samples) in [("before.plop", 1000), ("after.plop", 1200)] {
        fs::write(place.0.path().join(name), format!("{{(): {samples}}}")).unwrap();
    }
    let told = place.diff("-f pprof -o x.pb before.plop after.plop");
    assert_eq!(told.status.code(), Some(3), "{}", told.stderr);
    let written = fs::read(place.0.path().join("x.pb")).unwrap();
    assert!(!written.is_empty());
}

#[test]
fn two_runs_of_one_build_are_scaled_to_the_same_whole() {
    let place = Place::new();
    place.folded("before.folded", 10_000.0, 1.0);
    place.folded("after.folded", 30_000.0, 1.0);
    let told = place.diff("-f folded-diff before.folded after.folded");
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    for (stack, before, after) in rows(&told.stdout) {
        assert!((before - after).abs() <= 3, "{stack} {before} {after}");
    }
}

#[test]
fn a_file_stands_beside_the_report() {
    let place = Place::new();
    let words = format!("{} {}", deploys("before"), deploys("slower"));
    let report = place.diff(&words);
    for (name, begins) in [
        ("d.svg", &b"<?xml"[..]),
        ("d.pb.gz", &[0x1f, 0x8b]),
        ("d.folded-diff", b"<module>"),
        ("d.diff.folded.gz", &[0x1f, 0x8b]),
    ] {
        let told = place.diff(&format!("-q {words} -o {name}"));
        assert_eq!(told.status.code(), Some(1), "the verdict is the exit code");
        assert_eq!(told.stdout, report.stdout, "{name}");
        let bytes = fs::read(place.0.path().join(name)).unwrap();
        assert!(bytes.starts_with(begins), "{name}");
    }
    let told = place.diff(&format!("-q {words} -o d.svg --json"));
    assert!(told.stdout.starts_with("{\"schema\":\"plop.diff/1\""));
    let svg = fs::read_to_string(place.0.path().join("d.svg")).unwrap();
    assert!(svg.contains("before → slower"), "the sides are its title");
    // Of a box: red, green, blue.
    let colour = |name: &str| -> Vec<u8> {
        let (_, rest) = svg.split_once(&format!("<title>{name} ")).unwrap();
        let (_, rest) = rest.split_once("fill=\"rgb(").unwrap();
        let numbers = rest.split_once(')').unwrap().0.split(',');
        numbers.map(|number| number.parse().unwrap()).collect()
    };
    let slower = colour("discount");
    assert!(slower[0] > slower[2] + 100, "{slower:?} is red");
    for same in ["tokens", "escape", "encode"] {
        let colour = colour(same);
        let is_pale = colour[0].abs_diff(colour[2]) < 100;
        assert!(is_pale, "{same} did not change: {colour:?}");
    }
}

#[test]
fn what_cannot_be_written_is_an_error_and_nothing_is_left_behind() {
    let place = Place::new();
    place.folded("before.folded", 1000.0, 1.0);
    place.folded("after.folded", 1000.0, 1.0);
    for (words, said) in [
        (
            "-o x.plop",
            "plop diff writes folded-diff, svg and pprof, not plop",
        ),
        (
            "-o x.unknown",
            "cannot tell the format from the name x.unknown",
        ),
        ("-f plop", "invalid value 'plop' for '--format <FORMAT>'"),
        ("-o no/such/x.svg", "there is no folder no/such"),
        ("-f svg -o .", "it is a folder"),
        ("-f svg -o /dev/full", "cannot write /dev/full"),
        ("-f svg --json", "--json prints its answer on stdout"),
        ("-f svg --tree", "--tree is part of the report"),
        ("--gzip", "say what to write with -f"),
    ] {
        let told = place.diff(&format!("-q {words} before.folded after.folded"));
        assert_eq!(told.status.code(), Some(2), "{words}");
        assert!(told.stderr.contains(said), "{words}: {}", told.stderr);
        assert_eq!(told.stdout, "", "{words}");
    }
    let left = fs::read_dir(place.0.path()).unwrap().count();
    assert_eq!(left, 2, "only the inputs are there");
}

#[test]
fn a_reader_that_goes_away_changes_no_verdict() {
    let deploys = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/deploys");
    for (after, status) in [("refactored", 0), ("slower", 1)] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_plop"))
            .args(["diff", "-q", "before.plop"])
            .arg(format!("{after}.plop"))
            .current_dir(deploys)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody reads what has yet to be found out.
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(status), "{after}");
    }
}
