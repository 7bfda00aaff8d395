//! `plop history`: deploys in a folder, what changed at one of them, and what it refuses.

use std::fs;
use std::process::Command;

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::support::{Ended, ended};
use crate::{FILED, Filed, Place};

impl Place {
    fn history(&self, words: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command
            .arg("history")
            .args(words.split_whitespace())
            .current_dir(self.0.path());
        for name in ["LC_ALL", "COLUMNS", "NO_COLOR"] {
            command.env_remove(name);
        }
        ended(&mut command)
    }

    /// Files deploys of which one function costs so many times as much.
    fn file(&self, folder: &str, count: i64, parse: impl Fn(i64) -> f64) {
        for n in 0..count {
            let commit = format!("commit-{n:02}");
            let deploy = Filed {
                commit: &commit,
                hour: n,
                parse: parse(n),
                ..FILED
            };
            deploy.put(self, &format!("{folder}/{commit}.plop"));
        }
    }

    fn document(&self, words: &str) -> Value {
        let told = self.history(&format!("--json {words}"));
        serde_json::from_str(&told.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", told.stderr))
    }
}

/// Three points in a hundred of the function a deploy, from the sixteenth on: 0.3 points of the whole.
fn creep(n: i64) -> f64 {
    1.0 + 0.03 * (n - 14).max(0) as f64
}

#[test]
fn a_creep_is_found_that_no_two_deploys_show() {
    let place = Place::new();
    place.file("deploys", 26, creep);
    for n in 15..26 {
        let told = place.diff(&format!(
            "deploys/commit-{:02}.plop deploys/commit-{n:02}.plop",
            n - 1
        ));
        assert_eq!(told.status.code(), Some(0), "{}", told.stdout);
    }
    let json = place.document("deploys");
    let first = &json["changes"][0];
    assert_eq!(first["what"]["function"]["name"], "parse", "{first}");
    assert_eq!(first["direction"], "grew");
    assert!(first["over"].as_u64().unwrap() > 1, "{first}");
    let culprits = first["culprits"].as_array().unwrap();
    assert!(culprits.contains(&"commit-15".into()), "{first}");
    // From 12 parts of 98 to 12 × 1.33 of what it is then.
    let truth = 15.96 / 101.96 - 12.0 / 98.0;
    let [low, high] = [0, 1].map(|end| first["change"]["interval"][end].as_f64().unwrap());
    assert!(low < truth && truth < high, "{first}");
    assert_eq!(place.history("deploys").status.code(), Some(0));
    assert_eq!(place.history("deploys --fail").status.code(), Some(1));
    // What became cheaper does not fail.
    place.file("back", 20, |n| if n < 12 { 1.5 } else { 1.0 });
    let json = place.document("--fail back");
    assert_eq!(json["changes"][0]["direction"], "shrank");
    assert_eq!(
        json["changes"][0]["culprits"],
        serde_json::json!(["commit-12"])
    );
    assert_eq!(json["exit"], 0);
}

#[test]
fn a_function_that_was_renamed_on_the_way_is_one_line() {
    let place = Place::new();
    // At the twelfth deploy it has another name, and at the sixteenth it costs more.
    place.file("deploys", 22, |n| if n < 16 { 1.0 } else { 1.6 });
    for n in 12..22 {
        let file = place.0.path().join(format!("deploys/commit-{n:02}.plop"));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("'parse'"));
        fs::write(&file, text.replace("'parse'", "'read_all_rows'")).unwrap();
    }
    let json = place.document("deploys");
    let changes = json["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0]["what"]["function"]["name"], "read_all_rows");
    assert_eq!(changes[0]["culprits"], serde_json::json!(["commit-16"]));

    // Two names that no words, callers or costs bring together: a person says that they are one.
    place.file("apart", 20, |n| if n < 12 { 1.0 } else { 6.0 });
    for n in 12..20 {
        let file = place.0.path().join(format!("apart/commit-{n:02}.plop"));
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("'parse'", "'zzz'")).unwrap();
    }
    let change = |place: &Place| {
        let json = place.document("apart");
        let changes = json["changes"].as_array().unwrap().clone();
        let is_zzz = |change: &&Value| change["what"]["function"]["name"] == "zzz";
        changes.iter().find(is_zzz).unwrap()["before"]
            .as_f64()
            .unwrap()
    };
    let said = "[[rename]]\nbefore = 'parse'\nafter = 'zzz'\n";
    fs::write(place.0.path().join("plop.toml"), said).unwrap();
    assert!(change(&place) > 0.1);
}

#[test]
fn the_report_fits_its_width_and_has_a_row_for_each_deploy() {
    let place = Place::new();
    place.file("deploys", 14, |n| if n < 8 { 1.0 } else { 1.6 });
    let run = |width: &str, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command
            .arg("history")
            .args(words)
            .current_dir(place.0.path())
            .env_remove("LC_ALL")
            .env("COLUMNS", width);
        ended(&mut command).stdout
    };
    for width in [40, 60, 100] {
        let told = run(&width.to_string(), &["deploys", "--function", "parse"]);
        for line in told.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        let rows = told.lines().filter(|line| line.starts_with("commit-"));
        assert_eq!(rows.count(), 14, "{told}");
        assert!(told.contains("parse"), "{told}");
        assert!(!told.contains('\x1b'));
    }
    let told = run("100", &["deploys", "--ascii"]);
    assert!(told.is_ascii(), "{told}");
    assert!(
        told.contains("since commit-08") && told.contains(" + parse"),
        "{told}"
    );
    let told = run("100", &["deploys", "--color", "always"]);
    assert!(told.contains("\x1b["));
    let told = run("100", &["deploys", "--last", "5"]);
    assert!(told.contains("with fewer than 8 deploys"), "{told}");
    let rows = told.lines().filter(|line| line.starts_with("commit-"));
    assert_eq!(rows.count(), 5);
}

#[test]
fn files_of_one_commit_are_one_deploy_and_strangers_are_told() {
    let place = Place::new();
    place.file("deploys", 9, |_| 1.0);
    let second = Filed {
        commit: "commit-03",
        hour: 3,
        ..FILED
    };
    second.put(&place, "deploys/host-2.plop");
    let big = Filed {
        commit: "big",
        processors: 64,
        hour: 2,
        ..FILED
    };
    big.put(&place, "deploys/big.plop");
    fs::write(place.0.path().join("deploys/README"), "profiles of deploys").unwrap();
    let json = place.document("deploys");
    let deploys = json["deploys"].as_array().unwrap();
    assert_eq!(deploys.len(), 9);
    assert_eq!(deploys[3]["files"].as_array().unwrap().len(), 2);
    assert_eq!(deploys[3]["samples"], 24_000.0);
    let left_out = json["left_out"].to_string();
    assert!(
        left_out.contains("README") && left_out.contains("big.plop"),
        "{left_out}"
    );
}

#[test]
fn what_cannot_be_shown_is_told_with_a_way_out() {
    let place = Place::new();
    place.file("deploys", 3, |_| 1.0);
    let other = Filed {
        service: "mail",
        commit: "m",
        ..FILED
    };
    other.put(&place, "two/mail.plop");
    FILED.put(&place, "two/web.plop");
    fs::create_dir(place.0.path().join("empty")).unwrap();
    fs::create_dir(place.0.path().join("foreign")).unwrap();
    fs::write(place.0.path().join("foreign/README"), "no profile").unwrap();
    for (words, said) in [
        (
            "two",
            "two has profiles of mail, web (choose one with --service)",
        ),
        (
            "two --service shop",
            "two has no profile of shop (it has mail, web)",
        ),
        ("empty", "empty: there is no profile in it (plop record -o"),
        ("foreign", "foreign: none of its 1 files is a profile"),
        (
            "deploys --function x",
            "no function x has 0.1 % of all samples or more; the largest is",
        ),
        (
            "deploys --function r",
            "--function r may be parse (web.py), query (web.py), read (web.py)",
        ),
        (
            "deploys --value wall",
            "has no value wall (choose one with --value: cpu)",
        ),
        ("nowhere", "nowhere: there is no such file or folder"),
    ] {
        let told = place.history(words);
        assert_eq!(told.status.code(), Some(2), "{words}: {}", told.stdout);
        assert!(told.stderr.contains(said), "{words}: {}", told.stderr);
        assert_eq!(told.stdout, "", "{words}");
    }
    assert_eq!(place.history("two --service web").status.code(), Some(0));
}

#[test]
fn the_document_is_as_its_schema_says() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/plop.history.schema.json"
    );
    let schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler
        .add_resource("plop.history.schema.json", schema)
        .unwrap();
    let index = compiler
        .compile("plop.history.schema.json", &mut schemas)
        .unwrap();
    let place = Place::new();
    place.file("deploys", 14, |n| if n < 8 { 1.0 } else { 1.6 });
    place.file("few", 2, |_| 1.0);
    for words in ["deploys", "deploys --fail --function parse", "few"] {
        let document = place.document(words);
        let refused = schemas.validate(&document, index).err();
        assert!(refused.is_none(), "{words}: {}", refused.unwrap());
        for key in document.as_object().unwrap().keys() {
            let mut less = document.clone();
            less.as_object_mut().unwrap().remove(key);
            assert!(schemas.validate(&less, index).is_err(), "{key} is missing");
        }
    }
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md")).unwrap();
    let section = text.split("## `plop history --json`").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    for key in place.document("deploys").as_object().unwrap().keys() {
        assert!(
            section.contains(&format!("`{key}")),
            "{key} is not documented"
        );
    }
}

/// Names of commits and functions come out of the files, and are no commands to a terminal.
#[test]
fn names_are_one_line_of_what_is_seen() {
    let place = Place::new();
    for n in 0..9 {
        let commit = format!("c{n}\u{1b}[2J\nx\u{202e}");
        let file = format!("deploys/{n}.plop");
        Filed {
            commit: &commit,
            hour: n,
            parse: if n < 5 { 1.0 } else { 2.0 },
            ..FILED
        }
        .put(&place, &file);
        let path = place.0.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        let hostile = text.replace("'parse'", "'pa\\x1b[31m\\nrse'");
        assert_ne!(text, hostile);
        fs::write(path, hostile).unwrap();
    }
    let said = |words: &[&str]| {
        let words = ["deploys"].iter().chain(words);
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command.arg("history").args(words);
        command.current_dir(place.0.path());
        let told = ended(&mut command);
        told.stdout + &told.stderr
    };
    for words in [&[][..], &["--function", "rse"], &["--function", "none"]] {
        let told = said(words);
        let is_seen = |letter: char| letter == '\n' || !letter.is_control() && letter != '\u{202e}';
        assert!(told.chars().all(is_seen), "{told:?}");
        assert!(!told.lines().any(|line| line.starts_with("rse")), "{told}");
        assert!(!told.lines().any(|line| line.starts_with('x')), "{told}");
    }
    let told = said(&["--function", "rse"]);
    assert!(told.contains("\npa\\u{1b}[31m\\nrse, %\n"), "{told}");
    let rows = told.lines().filter(|line| line.starts_with('c'));
    assert_eq!(rows.count(), 9, "{told}");
}
