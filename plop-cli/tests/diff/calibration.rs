//! `plop calibrate`: which runs it takes, and what it says of them.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use serde_json::Value;

use crate::support::{Ended, ended};
use crate::{FILED, Filed, Place};

fn calibrate(place: &Place, words: &str) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
    command
        .arg("calibrate")
        .args(words.split_whitespace())
        .current_dir(place.0.path());
    ended(&mut command)
}

/// Three runs of one build, one an hour.
fn recorded(place: &Place, processors: [i64; 3]) {
    for (n, processors) in processors.into_iter().enumerate() {
        let run = Filed {
            hour: n as i64 + 1,
            processors,
            ..FILED
        };
        run.put(place, &format!("runs/{n}.plop"));
    }
}

#[test]
fn a_run_that_is_named_twice_is_no_two_runs() {
    let place = Place::new();
    recorded(&place, [2; 3]);
    let told = calibrate(&place, "runs/0.plop runs/0.plop runs/0.plop");
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    assert!(
        told.stderr.contains("runs/0.plop is named twice"),
        "{}",
        told.stderr
    );
    // Nor by a link, nor by the folder that it is in.
    symlink("runs/1.plop", place.0.path().join("link.plop")).unwrap();
    let told = calibrate(&place, "runs link.plop");
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    let said = "link.plop, which is runs/1.plop, is named twice";
    assert!(told.stderr.contains(said), "{}", told.stderr);
}

#[test]
fn what_is_no_profile_is_left_out_of_a_folder() {
    let place = Place::new();
    recorded(&place, [2; 3]);
    fs::write(place.0.path().join("runs/README"), "three runs of the shop").unwrap();
    let told = calibrate(&place, "--json runs");
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    let said = "left out, since they cannot be read: runs/README";
    assert!(told.stderr.contains(said), "{}", told.stderr);
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["runs"], 3);
    // What was named is not left out, and a folder of nothing else is no mistake to pass over.
    let told = calibrate(&place, "runs/0.plop runs/1.plop runs/2.plop runs/README");
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    fs::create_dir(place.0.path().join("notes")).unwrap();
    fs::write(place.0.path().join("notes/README"), "none").unwrap();
    let told = calibrate(&place, "runs notes");
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    assert!(
        told.stderr.contains("notes: there is no profile in it"),
        "{}",
        told.stderr
    );
}

#[test]
fn runs_that_were_not_recorded_alike_are_told() {
    let place = Place::new();
    recorded(&place, [2, 8, 2]);
    let told = calibrate(&place, "--json runs");
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    let said = "the runs are of more than one kind of machine, which counts as a difference between runs: 2, 8";
    assert!(told.stderr.contains(said), "{}", told.stderr);
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["host"], "");
    assert_eq!(document["warnings"][0]["code"], "mixed");
    assert_eq!(document["warnings"][0]["text"], said);
    recorded(&place, [2; 3]);
    let told = calibrate(&place, "--json runs");
    assert_eq!(told.stderr, "");
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["warnings"], Value::Array(Vec::new()));
}

/// Who reads the file meanwhile has the old one, whole: it is another file that takes its place.
#[test]
fn the_file_is_replaced_as_a_whole() {
    let place = Place::new();
    recorded(&place, [2; 3]);
    let file = place.0.path().join("service.json");
    fs::write(&file, "what was there").unwrap();
    let kept = place.0.path().join("kept.json");
    fs::hard_link(&file, &kept).unwrap();
    let told = calibrate(&place, "runs -o service.json");
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "what was there");
    assert_ne!(
        file.metadata().unwrap().ino(),
        kept.metadata().unwrap().ino()
    );
    let document: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(document["schema"], "plop.calibration/1");
    let told = calibrate(&place, "runs -o nowhere/service.json");
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    assert!(
        told.stderr.contains("cannot write nowhere/service.json"),
        "{}",
        told.stderr
    );
}
