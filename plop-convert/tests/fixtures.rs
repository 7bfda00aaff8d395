//! Every fixture of `testdata`, held against counts that other programs made, and against dumps.
//!
//! `BLESS=1 cargo test -p plop-convert` writes the dumps anew; their difference is reviewed like
//! code.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use plop_convert::{ReadOptions, formats, read};
use plop_core::{Profile, StackId, decimal};

use support::{fixtures, testdata};

fn load(file: &Path) -> plop_convert::Loaded {
    let bytes = std::fs::read(file).unwrap();
    let name = file.to_string_lossy();
    let options = ReadOptions {
        name: &name,
        ..ReadOptions::default()
    };
    read(&bytes, None, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn distinct_stacks(profile: &Profile) -> usize {
    let mut stacks: Vec<StackId> = profile.samples.stacks().to_vec();
    stacks.sort_unstable();
    stacks.dedup();
    stacks.len()
}

#[test]
fn every_format_has_a_fixture_that_is_detected_as_its_own() {
    for format in formats().iter().filter(|format| format.is_read()) {
        let files = fixtures(format.name);
        assert!(
            !files.is_empty(),
            "testdata/{} holds no fixture",
            format.name
        );
        for file in files {
            assert_eq!(load(&file).format.name, format.name, "{}", file.display());
        }
    }
}

#[test]
fn totals_are_those_that_other_programs_counted() {
    let table = std::fs::read_to_string(testdata().join("totals.tsv")).unwrap();
    let mut seen = 0;
    for line in table.lines().skip(1) {
        let [file, stacks, total] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("totals.tsv: {line}");
        };
        let loaded = load(&testdata().join(file));
        let profile = &loaded.profiles[0];
        let value = profile.default_value;
        let sum = decimal(profile.total(value), profile.values[value].scale);
        assert_eq!(to_nine_places(&sum), total, "{file}");
        // Austin's stacks stand there once a thread; a thread is no part of our stacks.
        if !file.starts_with("austin/") {
            assert_eq!(distinct_stacks(profile).to_string(), stacks, "{file}");
        }
        seen += 1;
    }
    let fixtures: usize = formats()
        .iter()
        .map(|format| fixtures(format.name).len())
        .sum();
    assert_eq!(
        seen, fixtures,
        "totals.tsv does not list every fixture: run testdata/count.py"
    );
}

/// A decimal number with at most nine places: speedscope's app writes times that it has added up.
fn to_nine_places(number: &str) -> String {
    match number.split_once('.') {
        Some((_, fraction)) if fraction.len() > 9 => {
            let rounded = format!("{:.9}", number.parse::<f64>().unwrap());
            rounded.trim_end_matches('0').trim_end_matches('.').into()
        }
        _ => number.into(),
    }
}

#[test]
fn dumps_are_as_they_were() {
    for format in formats() {
        let repaired = format!("{}/repaired", format.name);
        for file in [fixtures(format.name), fixtures(&repaired)].concat() {
            let loaded = load(&file);
            let mut dump: String = loaded.profiles.iter().map(Profile::dump).collect();
            for note in loaded.notes.iter() {
                dump += &format!("note {}: {note}\n", note.code);
            }
            matches_golden(&file, &dump);
        }
    }
}

#[test]
fn broken_files_are_refused_as_they_were() {
    for format in formats() {
        let folder = testdata().join(format.name).join("broken");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.is_file());
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let Err(error) = read(&bytes, Some(format), &ReadOptions::default()) else {
                panic!("{} was read", file.display());
            };
            matches_golden(&file, &format!("{error}\n"));
        }
    }
}

/// Compares with `dumps/NAME.txt` beside the file.
fn matches_golden(file: &Path, found: &str) {
    let name = format!("{}.txt", file.file_name().unwrap().to_string_lossy());
    let golden = file.parent().unwrap().join("dumps").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_else(|_| {
        panic!(
            "{} is missing: run with BLESS=1 and review it",
            golden.display()
        )
    });
    assert!(
        expected == found,
        "{} differs; run with BLESS=1 and look at the difference.\nfound:\n{}",
        golden.display(),
        &found[..found.len().min(1000)]
    );
}
