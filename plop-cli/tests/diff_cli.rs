//! `plop diff` as a command: what it prints, its exit codes, and what it refuses.
#![allow(clippy::unwrap_used)]

#[path = "diff/baseline/mod.rs"]
mod baseline;
#[path = "diff/calibration.rs"]
mod calibration;
#[path = "diff/changed/mod.rs"]
mod changed;
#[path = "diff/config/mod.rs"]
mod config;
#[path = "diff/history.rs"]
mod history;
#[path = "diff/inputs.rs"]
mod inputs;
#[path = "diff/names.rs"]
mod names;
#[path = "diff/outputs.rs"]
mod outputs;
#[path = "diff/planning.rs"]
mod planning;
#[path = "diff/renames.rs"]
mod renames;
#[path = "diff/report.rs"]
mod report;
#[path = "diff/reports.rs"]
mod reports;
#[path = "diff/schema.rs"]
mod schema;
mod support;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use plop_core::{Attribute, Frame, Notes, Profile, Sample, Slice, SliceId, StackId, ValueType};
use serde_json::Value;
use support::{Ended, ended, tempdir};
use tempfile::TempDir;

/// A folder with profiles.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempdir())
    }

    /// Writes folded stacks of a service whose function `parse` costs so many times as much.
    fn folded(&self, name: &str, samples: f64, parse: f64) -> PathBuf {
        let shares = [
            ("main;serve;list;query", 20.0),
            ("main;serve;list;query;row", 14.0),
            ("main;serve;list;render;escape", 11.0),
            ("main;serve;list;render", 7.0),
            ("main;serve;calc;parse", 12.0 * parse),
            ("main;serve;calc;parse;token", 5.0),
            ("main;serve;calc;evaluate", 9.0),
            ("main;serve;static;read", 10.0),
            ("main;serve;static;compress", 8.0),
            ("main;serve", 2.0),
        ];
        let mut text = String::new();
        for (stack, share) in shares {
            writeln!(text, "{stack} {:.0}", share / 98.0 * samples).unwrap();
        }
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes folded stacks once more with two functions renamed and a wrapper.
    fn renamed(&self, before: &str, after: &str) {
        let text = fs::read_to_string(self.0.path().join(before)).unwrap();
        let text = text
            .replace("parse", "parse_line")
            .replace("escape", "quote")
            .replace("render", "cached;render");
        fs::write(self.0.path().join(after), text).unwrap();
    }

    /// Writes runs of a service that counts requests and CPU time, in which a part of 30 % costs `factor` times as
    /// much; their names, with spaces between.
    fn counted(&self, name: &str, runs: usize, factor: f64) -> String {
        let names: Vec<String> = (0..runs).map(|n| format!("{name}-{n}.plop")).collect();
        for (n, file) in names.iter().enumerate() {
            let requests = 1_000 + 10 * n;
            let ns = requests as f64 * 2e6 * (0.7 + 0.3 * factor) * (1.0 + 0.002 * n as f64);
            let stacks = [
                ("query", 2_000.0),
                ("render", 3_000.0 * factor),
                ("row", 1_500.0),
                ("escape", 700.0),
                ("read", 1_000.0),
                ("compress", 800.0),
                ("token", 1_000.0),
            ];
            let mut text = format!(
                "# plop 2 {{\"cpu_ns\":{ns:.0},\"wall_ns\":10000000000,\"work\":{{\"requests\":{requests}}},\
                 \"values\":[[\"cpu\",\"samples\"]]}}\n{{\n"
            );
            for (function, samples) in stacks {
                let samples = samples * requests as f64 / 1e3 * (1.0 + 0.002 * n as f64);
                writeln!(
                    text,
                    "(('app.py', 7, '{function}'), ('app.py', 1, 'main')): {samples:.0},"
                )
                .unwrap();
            }
            fs::write(self.0.path().join(file), text + "}\n").unwrap();
        }
        names.join(" ")
    }

    fn diff(&self, words: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command
            .arg("diff")
            .args(words.split_whitespace())
            .current_dir(self.0.path());
        for name in ["LC_ALL", "COLUMNS", "NO_COLOR"] {
            command.env_remove(name);
        }
        ended(&mut command)
    }
}

/// A recording of a deploy of the shop.
fn deploys(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/deploys");
    folder.join(format!("{name}.plop")).display().to_string()
}

/// Real recordings of a service: a deploy that only moved code, and one that made a function slower by half.
#[test]
fn deploys_of_a_service_are_told_apart() {
    let place = Place::new();
    let told = place.diff(&format!("{} {}", deploys("before"), deploys("refactored")));
    assert_eq!(told.status.code(), Some(0), "{}", told.stdout);
    assert!(!told.stdout.contains('▲'), "{}", told.stdout);
    let told = place.diff(&format!("{} {}", deploys("before"), deploys("slower")));
    assert_eq!(told.status.code(), Some(1), "{}", told.stdout);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(
        lines[0].starts_with("plop diff  before (") && lines[0].contains("→  slower ("),
        "{}",
        lines[0]
    );
    let causes: Vec<&&str> = lines.iter().filter(|line| line.starts_with(" ▲")).collect();
    assert!(
        matches!(&causes[..], [cause] if cause.contains("discount  (shop.py:36)")),
        "{}",
        told.stdout
    );
}

#[test]
fn a_regression_is_told_and_exits_with_1() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 4.0);
    let told = place.diff("before.folded after.folded");
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(
        lines[0].starts_with("plop diff  before.folded (")
            && lines[0].contains("→  after.folded (")
    );
    assert!(told.stdout.contains("\nREGRESSED "), "{}", told.stdout);
    assert!(told.stdout.contains("▲ parse"), "{}", told.stdout);
    assert!(
        told.stdout.contains("serve ▸ calc ▸ parse"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("without slices it is not known"),
        "{}",
        told.stdout
    );
    assert!(
        !told.stdout.contains('\x1b'),
        "no colour where nobody sees it"
    );
    // The same input, the same bytes.
    assert_eq!(place.diff("before.folded after.folded").stdout, told.stdout);
    let back = place.diff("after.folded before.folded");
    assert_eq!(back.status.code(), Some(0), "what is faster does not fail");
    assert!(
        back.stdout.contains("OK, FASTER") && back.stdout.contains("▼ parse"),
        "{}",
        back.stdout
    );
}

#[test]
fn nothing_changed_is_said_with_what_could_have_been_seen() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 21_000.0, 1.01);
    let told = place.diff("before.folded after.folded");
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("\nOK "), "{}", told.stdout);
    assert!(
        told.stdout.contains(
            "\nnothing changed that could be seen\nseen four times in five: a function of"
        )
    );
    assert!(!told.stdout.contains('▲'));
}

#[test]
fn a_finding_that_rests_on_an_assumption_is_no_verdict() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 1.5);
    let told = place.diff("before.folded after.folded");
    assert_eq!(told.status.code(), Some(3), "{}", told.stdout);
    assert!(told.stdout.contains("INCONCLUSIVE"), "{}", told.stdout);
    let told = place.diff("--design-effect 1 before.folded after.folded");
    assert_eq!(told.status.code(), Some(1), "{}", told.stdout);
}

#[test]
fn json_holds_the_same() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 4.0);
    let told = place.diff("--json before.folded after.folded");
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["schema"], "plop.diff/1");
    assert_eq!(
        (&document["verdict"], &document["exit"]),
        (&"regressed".into(), &1.into())
    );
    assert_eq!(document["sides"][0]["name"], "before.folded");
    let finding = &document["findings"][0];
    assert_eq!(finding["function"]["name"], "parse");
    assert_eq!(
        (&finding["kind"], &finding["direction"]),
        (&"self".into(), &"grew".into())
    );
    let truth = 36.0 / 98.0;
    let delta = finding["delta"].as_f64().unwrap();
    assert!((delta - truth).abs() < 0.02, "{delta}");
    assert!(
        finding["ci"][0].as_f64().unwrap() < truth && truth < finding["ci"][1].as_f64().unwrap()
    );
    assert_eq!(
        finding["paths"][0],
        serde_json::json!(["main", "serve", "calc", "parse"])
    );
}

#[test]
fn several_runs_a_side_tell_how_much_they_differ() {
    let place = Place::new();
    let names = |side: &str, parse: f64| -> String {
        let names: Vec<String> = (0..5)
            .map(|n| {
                let name = format!("{side}-{n}.folded");
                place.folded(
                    &name,
                    20_000.0 + 300.0 * f64::from(n),
                    parse * (1.0 + 0.01 * f64::from(n)),
                );
                name
            })
            .collect();
        names.join(" ")
    };
    let (old, same, new) = (names("old", 1.0), names("same", 1.0), names("new", 1.5));
    let told = place.diff(&format!("{old} --vs {same}"));
    assert_eq!(told.status.code(), Some(0), "{}", told.stdout);
    let told = place.diff(&format!("{old} --vs {new}"));
    assert_eq!(told.status.code(), Some(1), "{}", told.stdout);
    assert!(
        told.stdout.contains("5 and 5 runs") && told.stdout.contains("▲ parse"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("old-0.folded and 4 more"),
        "{}",
        told.stdout
    );
}

#[test]
fn the_order_of_the_files_of_a_side_changes_nothing() {
    let place = Place::new();
    let (old, new) = (place.counted("old", 6, 1.0), place.counted("new", 6, 1.02));
    let ordered = |files: &str, order: [usize; 6]| {
        let files: Vec<&str> = files.split(' ').collect();
        order.map(|n| files[n]).join(" ")
    };
    let first = place.diff(&format!("--json {old} --vs {new}"));
    assert!(
        first.stdout.contains("\"method\":\"runs\""),
        "{}",
        first.stderr
    );
    for order in [[5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3], [1, 2, 3, 4, 5, 0]] {
        let (old, new) = (ordered(&old, order), ordered(&new, order));
        let told = place.diff(&format!("--json {old} --vs {new}"));
        assert_eq!(told.stdout, first.stdout, "{order:?}");
    }
}

#[test]
fn a_service_is_calibrated_by_a_folder_of_runs() {
    let place = Place::new();
    fs::create_dir(place.0.path().join("runs")).unwrap();
    for n in 0..6 {
        place.folded(
            &format!("runs/{n}.folded"),
            20_000.0 + f64::from(n),
            1.0 + 0.004 * f64::from(n),
        );
    }
    let mut calibrate = Command::new(env!("CARGO_BIN_EXE_plop"));
    calibrate
        .args(["calibrate", "runs", "-o", "service.json"])
        .current_dir(place.0.path());
    let told = ended(&mut calibrate);
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    assert!(
        told.stdout.contains("0 of 15 pairs of runs"),
        "{}",
        told.stdout
    );
    let written = fs::read_to_string(place.0.path().join("service.json")).unwrap();
    let document: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(document["schema"], "plop.calibration/1");
    assert_eq!(document["runs"], 6);
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 4.0);
    let told = place.diff("--calibration service.json before.folded after.folded --json");
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["noise"]["measured"], true);
    // It was learnt on other machines than the one that is judged.
    let elsewhere = written.replace("\"host\":\"\"", "\"host\":\"64\"");
    fs::write(place.0.path().join("elsewhere.json"), elsewhere).unwrap();
    for (name, commit) in [("a.plop", "a"), ("b.plop", "b")] {
        Filed { commit, ..FILED }.put(&place, name);
    }
    let told = place.diff("--calibration elsewhere.json a.plop b.plop");
    assert!(
        (told.stdout).contains("the calibration is of another kind of machine: 64, not 2"),
        "{}",
        told.stdout
    );
    for (text, said) in [
        ("{}", "not what plop calibrate writes"),
        ("x", "cannot read the calibration other.json"),
    ] {
        fs::write(place.0.path().join("other.json"), text).unwrap();
        let told = place.diff("--calibration other.json before.folded after.folded");
        assert_eq!(told.status.code(), Some(2));
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let place = Place::new();
    let before = place.folded("before.folded", 1000.0, 1.0);
    place.folded("after.folded", 1000.0, 1.0);
    fs::write(place.0.path().join("empty.folded"), "").unwrap();
    std::os::unix::fs::symlink(&before, place.0.path().join("link.folded")).unwrap();
    for (words, said) in [
        (
            "before.folded",
            "expected two files, before and after, found 1",
        ),
        (
            "before.folded after.folded link.folded",
            "found 3 (several on a side: BEFORE… --vs AFTER…)",
        ),
        ("before.folded before.folded", "is on both sides"),
        ("before.folded link.folded", "is on both sides"),
        ("before.folded missing.folded", "missing.folded"),
        ("before.folded empty.folded", "empty.folded"),
        (
            "--value nosuch before.folded after.folded",
            "neither side has the value `nosuch`: before has samples, after samples",
        ),
        (
            "--alpha 0.009% before.folded after.folded",
            "less than 0.01 % cannot be told",
        ),
        (
            "--alpha 0 before.folded after.folded",
            "expected a share such as 0.5%",
        ),
        (
            "--design-effect 0.5 before.folded after.folded",
            "expected a number from 1 on",
        ),
    ] {
        let told = place.diff(words);
        assert_eq!(told.status.code(), Some(2), "{words}: {}", told.stdout);
        assert!(told.stderr.contains(said), "{words}: {}", told.stderr);
        assert_eq!(told.stdout, "", "{words}");
    }
}

#[test]
fn the_call_tree_shows_the_way_to_what_changed() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 4.0);
    let told = place.diff("--tree before.folded after.folded");
    let tree = told
        .stdout
        .split("before    after    change\n")
        .nth(1)
        .unwrap();
    let names: Vec<&str> = tree
        .lines()
        .map(|line| line.split_whitespace().last().unwrap())
        .collect();
    assert!(names.contains(&"parse") && names[0] == "all", "{tree}");
}

/// A profile as a deploy leaves it: whose it is, of which commit, when, and on which machine.
struct Filed<'f> {
    service: &'f str,
    commit: &'f str,
    hour: i64,
    processors: i64,
    samples: u64,
    /// How many times as much a function costs.
    parse: f64,
}

const FILED: Filed = Filed {
    service: "web",
    commit: "a",
    hour: 1,
    processors: 2,
    samples: 12_000,
    parse: 1.0,
};

impl Filed<'_> {
    fn put(&self, place: &Place, name: &str) {
        let shares = [
            ("list;query", 34.0),
            ("list;render", 18.0),
            ("calc;parse", 12.0 * self.parse),
            ("calc;evaluate", 14.0),
            ("static;read", 20.0),
        ];
        let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
        let stacks: Vec<StackId> = (shares.iter())
            .map(|(path, _)| {
                path.split(';').fold(StackId::ROOT, |caller, name| {
                    let function = profile.function(name.as_bytes(), b"web.py");
                    let frame = profile.frames.intern(Frame::of(function));
                    profile.stacks.push(caller, frame)
                })
            })
            .collect();
        let sum: f64 = shares.iter().map(|(_, share)| share).sum();
        let mut state = (self.hour as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for slice in 0..60 {
            profile.slices.0.push(Slice::default());
            for _ in 0..self.samples / 60 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let mut at = (state >> 11) as f64 / (1u64 << 53) as f64 * sum;
                let chosen = shares.iter().position(|(_, share)| {
                    at -= share;
                    at < 0.0
                });
                profile.samples.push(Sample {
                    slice: Some(SliceId::new(slice)),
                    ..Sample::of(stacks[chosen.unwrap_or(0)], &[1])
                });
            }
        }
        profile.meta.start_ns = Some(self.hour * 3_600_000_000_000);
        profile.meta.host = vec![("cpus".into(), Attribute::Number(self.processors))];
        profile.meta.build = vec![("commit".into(), Attribute::Text(self.commit.into()))];
        let profile = profile.with_label(b"service", self.service.as_bytes());
        let path = place.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut out = fs::File::create(path).unwrap();
        let plop = plop_convert::find("plop").unwrap();
        plop.write(&[profile], &mut out, &mut Notes::new()).unwrap();
    }
}

/// Of a folder only earlier deploys of the same service on the same kind of machine count, the last ones.
#[test]
fn a_folder_of_deploys_is_a_baseline() {
    let place = Place::new();
    for n in 1..=10 {
        let commit = format!("commit-{n}");
        let deploy = Filed {
            commit: &commit,
            hour: n,
            ..FILED
        };
        deploy.put(&place, &format!("deploys/web/{commit}.plop"));
        if n == 5 {
            let other = Filed { hour: 40, ..deploy };
            // It ran later than the one that is judged.
            other.put(&place, "deploys/web/rerun.plop");
        }
    }
    let others = [
        ("api", "x", 3, 2, 12_000),
        ("web", "big", 4, 64, 12_000),
        ("web", "short", 5, 2, 300),
        ("web", "new", 20, 2, 12_000),
    ];
    for (service, commit, hour, processors, samples) in others {
        let left_out = Filed {
            service,
            commit,
            hour,
            processors,
            samples,
            parse: 9.0,
        };
        left_out.put(&place, &format!("deploys/{commit}.plop"));
    }
    fs::write(place.0.path().join("deploys/README"), "profiles of deploys").unwrap();
    for (parse, code) in [(1.0, 0), (1.5, 1)] {
        let new = Filed {
            commit: "new",
            hour: 30,
            parse,
            ..FILED
        };
        new.put(&place, "new.plop");
        let told = place.diff("--baseline deploys --json new.plop");
        assert_eq!(
            told.status.code(),
            Some(code),
            "{}{}",
            told.stdout,
            told.stderr
        );
        let json: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(json["method"], "runs");
        assert_eq!(json["sides"][0]["name"], "commit-3 and 7 more");
        assert_eq!(json["sides"][0]["profiles"], 8);
        let warnings: Vec<&str> = (json["warnings"].as_array().unwrap().iter())
            .map(|warning| warning["text"].as_str().unwrap())
            .collect();
        for (file, why) in [
            ("x.plop", "another service"),
            ("big.plop", "kind of machine"),
            ("short.plop", "fewer than 500 samples"),
            ("new.plop", "the commit that is judged"),
            ("rerun.plop", "later than what is judged"),
            ("README", "cannot be read"),
        ] {
            let told = (warnings.iter()).any(|text| text.contains(file) && text.contains(why));
            assert!(told, "{file}: {warnings:?}");
        }
    }
    // The last two only; the name of one file stands for its deploy.
    let told = place.diff("--baseline deploys --last 2 --json new.plop");
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(json["sides"][0]["profiles"], 2);
}

/// Two hosts of one earlier deploy are replicates; so are the two of the new one.
#[test]
fn files_of_a_single_earlier_deploy_are_replicates() {
    let place = Place::new();
    for (name, commit, hour) in [
        ("deploys/a-1.plop", "a", 1),
        ("deploys/a-2.plop", "a", 2),
        ("b-1.plop", "b", 5),
        ("b-2.plop", "b", 6),
    ] {
        Filed {
            commit,
            hour,
            ..FILED
        }
        .put(&place, name);
    }
    let told = place.diff("--baseline deploys --json b-1.plop b-2.plop");
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(json["sides"][0]["profiles"], 2);
    assert_eq!(json["sides"][1]["profiles"], 2);
    assert_eq!(json["verdict"], "ok", "{json}");
}

/// Every deploy runs on a small host and a large one. That is no change, in whatever order they are named.
#[test]
fn a_deploy_on_hosts_of_two_kinds_has_a_verdict() {
    let place = Place::new();
    let put = |name: &str, commit: &str, hour, parse| {
        for (host, processors) in [("small", 2), ("large", 8)] {
            let hour = hour + processors;
            Filed {
                commit,
                hour,
                processors,
                parse,
                ..FILED
            }
            .put(&place, &format!("{name}-{host}.plop"));
        }
    };
    for n in 1..=4 {
        put(&format!("fleet/{n}"), &format!("commit-{n}"), 20 * n, 1.0);
    }
    put("same", "new", 200, 1.0);
    put("slower", "new", 200, 2.0);
    // One host of this deploy is not there.
    Filed {
        commit: "half",
        hour: 150,
        ..FILED
    }
    .put(&place, "fleet/half.plop");
    for (name, code) in [("same", 0), ("slower", 1)] {
        let [one, other] = ["small", "large"].map(|host| format!("{name}-{host}.plop"));
        let told = place.diff(&format!("--baseline fleet --json {one} {other}"));
        assert_eq!(told.status.code(), Some(code), "{}", told.stdout);
        let json: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(json["sides"][0]["runs"], 4);
        assert_eq!(json["sides"][0]["profiles"], 8);
        let warnings = json["warnings"].as_array().unwrap();
        assert!(
            matches!(&warnings[..], [one] if one["text"].as_str().unwrap().contains("half.plop")),
            "{warnings:?}"
        );
        let swapped = place.diff(&format!("--baseline fleet --json {other} {one}"));
        assert_eq!(swapped.stdout, told.stdout);
        let twice = place.diff(&format!("--baseline fleet {one} {one}"));
        assert_eq!(twice.status.code(), Some(2), "{}", twice.stdout);
        assert!(twice.stderr.contains("is named twice"), "{}", twice.stderr);
    }
}

#[test]
fn a_folder_without_a_baseline_gives_no_verdict() {
    let place = Place::new();
    FILED.put(&place, "deploys/first.plop");
    let told = place.diff("--baseline deploys deploys/first.plop");
    assert_eq!(told.status.code(), Some(3));
    assert!(told.stderr.contains("no earlier deploy"), "{}", told.stderr);
    assert_eq!(told.stdout, "");
    fs::create_dir(place.0.path().join("empty")).unwrap();
    let told = place.diff("--baseline empty deploys/first.plop");
    assert_eq!(told.status.code(), Some(3), "{}", told.stderr);
    assert!(told.stderr.contains("no earlier deploy"), "{}", told.stderr);
    for name in ["nowhere", "deploys/first.plop"] {
        let missing = place.diff(&format!("--baseline {name} deploys/first.plop"));
        assert_eq!(missing.status.code(), Some(2));
        let said = format!("--baseline {name}: there is no such folder");
        assert!(missing.stderr.contains(&said), "{}", missing.stderr);
    }
    // What is judged must be of one commit, and its service known where there are several.
    Filed {
        commit: "b",
        hour: 2,
        ..FILED
    }
    .put(&place, "second.plop");
    let mixed = place.diff("--baseline deploys second.plop deploys/first.plop");
    assert_eq!(mixed.status.code(), Some(2));
    assert!(mixed.stderr.contains("not of one commit: a, b") || mixed.stderr.contains("b, a"));
    Filed {
        service: "api",
        ..FILED
    }
    .put(&place, "deploys/other.plop");
    place.folded("plain.folded", 20_000.0, 1.0);
    let unknown = place.diff("--baseline deploys plain.folded");
    assert_eq!(unknown.status.code(), Some(2), "{}", unknown.stdout);
    assert!(unknown.stderr.contains("api, web") || unknown.stderr.contains("web, api"));
}
