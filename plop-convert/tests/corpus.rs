//! Real files of other people's tools, held against an independent count.
//!
//! They are not part of the project. `PLOP_CORPUS` names the folder they are in, `../shared/corpus`
//! by default; without it the test says so, and fails where `CI` is set.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use plop_convert::{ReadOptions, read};
use plop_core::{Granularity, decimal};

/// Files that are refused, and why that is right.
const REFUSED: [(&str, &str); 1] = [(
    "folded/pprofutils__raw.out.txt",
    // The text of `pprof -raw`: a header, samples as numbers of locations, and a table of locations.
    // Of its 47 lines, two happen to end in a number.
    "not a profile plop knows",
)];

/// Files whose count takes something for a sample that is none, and what our total is instead.
const RECOUNTED: [(&str, &str, &str); 4] = [
    // The count takes Plop's first line `None 1` for a sample.
    ("folded-plop/generated__plop-prof.flame", "32", "`None 1`"),
    ("folded-plop/generated__plop-py3.flame", "559", "`None 1`"),
    // The count does not read UTF-16; speedscope, which does, finds 14 as in the same file in UTF-8.
    ("folded/speedscope__simple-utf16-le.txt", "14", "UTF-16"),
    ("folded/speedscope__simple-utf16-be.txt", "14", "UTF-16"),
];

fn corpus() -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus"));
    let folder = std::env::var_os("PLOP_CORPUS").map_or_else(default, PathBuf::from);
    folder.join("MANIFEST.tsv").is_file().then_some(folder)
}

/// The total that the manifest's count gives: `total=` of Python's, `sum_last_col=` of a regular
/// expression's.
fn independent_total(count: &str) -> Option<&str> {
    count.split_whitespace().find_map(|word| {
        word.strip_prefix("total=")
            .or(word.strip_prefix("sum_last_col="))
    })
}

/// Whether a decimal number rounds to another that has fewer digits.
fn rounds_to(exact: &str, rounded: &str) -> bool {
    let places = rounded
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    exact == rounded
        || exact
            .parse::<f64>()
            .is_ok_and(|number| format!("{number:.places$}") == rounded)
}

#[test]
fn plop_and_folded_files_of_the_corpus_have_their_independent_totals() {
    let Some(folder) = corpus() else {
        eprintln!("SKIPPED: no corpus of real files (set PLOP_CORPUS to its folder)");
        assert!(std::env::var_os("CI").is_none(), "the corpus is missing");
        return;
    };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in manifest.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (path, format, count) = (fields[0], fields[1], fields[7]);
        if format != "plop" && !format.starts_with("folded") {
            continue;
        }
        checked += 1;
        let bytes = std::fs::read(folder.join(path)).unwrap();
        let options = ReadOptions {
            name: path,
            ..ReadOptions::default()
        };
        let loaded = read(&bytes, None, &options);
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == path) {
            match loaded {
                Err(error) if error.to_string().contains(reason) => {}
                Err(error) => wrong.push(format!("{path}: refused for another reason: {error}")),
                Ok(loaded) => wrong.push(format!("{path}: read as {}", loaded.format.name)),
            }
            continue;
        }
        let expected = match RECOUNTED.iter().find(|(recounted, ..)| *recounted == path) {
            Some((_, total, _)) => total,
            None => independent_total(count).expect(path),
        };
        match loaded {
            Err(error) => wrong.push(format!("{path}: {error}")),
            Ok(loaded) => {
                let profile = &loaded.profiles[0];
                let value = profile.default_value;
                let total = decimal(profile.total(value), profile.values[value].scale);
                if !rounds_to(&total, expected) {
                    wrong.push(format!("{path}: total {total}, expected {expected}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {checked} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(checked >= 78, "only {checked} files were found");
}

/// pprof files that Go refuses: ours says this, or reads them all the same, with this total of the
/// first value, and why.
const REFUSED_BY_GO: [(&str, std::result::Result<i64, &str>, &str); 2] = [
    (
        "pprof/generated__austin-mem.austin2pprof.pb",
        Err("expected 2 values, found 1"),
        "Which of the two types the only value has cannot be told.",
    ),
    (
        "pprof/pyroscope__dotnet-pprof-3.pb.gz",
        Ok(PROTOBUF_SUM),
        "No function has an id, but locations number them from 1 in the order in which they stand.",
    ),
];

/// The sum of the first value, cpu/nanoseconds, of `pyroscope__dotnet-pprof-3`, as twenty lines of Python count it that
/// take its Protocol Buffers apart by hand.
const PROTOBUF_SUM: i64 = 5_653_000_000;

#[test]
fn pprof_files_of_the_corpus_have_the_totals_that_go_finds() {
    let Some(files) = manifest("pprof") else {
        return;
    };
    for (path, count, bytes) in &files {
        let options = ReadOptions {
            name: path,
            ..ReadOptions::default()
        };
        let loaded = read(bytes, None, &options);
        if let Some((_, expected, why)) = REFUSED_BY_GO.iter().find(|(file, ..)| file == path) {
            match (loaded, expected) {
                (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{error}"),
                (Ok(loaded), Ok(total)) => {
                    let profile = &loaded.profiles[0];
                    assert_eq!(profile.total(0), *total, "{path}");
                }
                (loaded, _) => panic!("{path}: {why}: {:?}", loaded.map(|_| "read")),
            }
            continue;
        }
        let loaded = loaded.unwrap_or_else(|error| panic!("{path}: {error}"));
        // One of them holds a profile of gperftools, as its name tells.
        let legacy = *path == "pprof/pprof__cppbench.cpu";
        let format = if legacy { "pprof-legacy" } else { "pprof" };
        assert_eq!(loaded.format.name, format, "{path}");
        let profile = &loaded.profiles[0];
        for (n, value) in profile.values.iter().enumerate() {
            let total = format!("{}/{}={}", value.kind, value.unit, profile.total(n));
            assert!(count.contains(&total), "{path}: {total}, Go counts {count}");
        }
        let depths = profile.stacks.depths();
        let inlined = profile.frames.iter().any(|(_, frame)| frame.inlined);
        let deepest = depths.into_iter().max().unwrap_or(0);
        if !inlined {
            assert!(
                count.contains(&format!(" depth={deepest} ")),
                "{path}: {deepest} deep, {count}"
            );
        }
    }
    assert!(files.len() >= 80, "only {} files were found", files.len());
}

/// speedscope files that speedscope refuses: ours says this, or reads them, and why.
const REFUSED_BY_SPEEDSCOPE: [(&str, std::result::Result<&str, &str>, &str); 2] = [
    (
        "speedscope/generated__austin-mem.speedscope.json",
        Ok("5967872|3395584|262144"),
        "It refuses weights below zero, which memory that is given back has; the sums are Python's.",
    ),
    (
        "speedscope/speedscope__incomplete-trace.json",
        Err("expected the end of frame 0"),
        "A frame is never left.",
    ),
];

#[test]
fn speedscope_files_of_the_corpus_have_the_totals_that_speedscope_finds() {
    let Some(files) = manifest("speedscope") else {
        return;
    };
    for (path, told, bytes) in &files {
        let loaded = read(bytes, None, &ReadOptions::default());
        let special = REFUSED_BY_SPEEDSCOPE.iter().find(|(file, ..)| file == path);
        let totals = match special {
            Some((_, Err(reason), _)) => {
                let error = loaded.map(|_| "read").unwrap_err().to_string();
                assert!(error.contains(reason), "{path}: {error}");
                continue;
            }
            Some((_, Ok(totals), _)) => totals,
            // `3 profiles 14|14|52 seconds|seconds|seconds 12 frames …`
            None => told.split_whitespace().nth(2).expect(path),
        };
        let loaded = loaded.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(loaded.format.name, "speedscope", "{path}");
        // The manifest lists six at most.
        for (profile, expected) in loaded.profiles.iter().zip(totals.split('|')) {
            let value = &profile.values[0];
            let expected: f64 = expected.parse().unwrap();
            let sum: f64 = decimal(profile.total(0), value.scale).parse().unwrap();
            let unit = plop_core::nanoseconds_in(&value.unit).unwrap_or(1) as f64;
            let lasted = profile.meta.duration_ns.unwrap_or(0) as f64 / unit;
            // speedscope's total is that of the profile, where it lasts longer than its samples.
            let total = if sum < expected * (1.0 - 1e-9) {
                lasted
            } else {
                sum
            };
            assert!(
                (total - expected).abs() <= 1e-9 * expected,
                "{path}: {total}, speedscope finds {expected}"
            );
        }
    }
    assert!(files.len() >= 11, "only {} files were found", files.len());
}

/// Files of a format with what the manifest says of their totals.
fn manifest(format: &str) -> Option<Vec<(String, String, Vec<u8>)>> {
    let Some(folder) = corpus() else {
        eprintln!("SKIPPED: no corpus of real files (set PLOP_CORPUS to its folder)");
        assert!(std::env::var_os("CI").is_none(), "the corpus is missing");
        return None;
    };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let rows = manifest
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let files = rows.filter(|fields| fields[1] == format).map(|fields| {
        let bytes = std::fs::read(folder.join(fields[0])).unwrap();
        let told = if fields[7].is_empty() {
            fields[8]
        } else {
            fields[7]
        };
        (fields[0].to_owned(), told.to_owned(), bytes)
    });
    Some(files.collect())
}

/// The 2012 profile that came with the original Plop, through folded stacks and back.
#[test]
fn the_demo_profile_of_2012_has_2999_samples_in_354_stacks() {
    let Some(folder) = corpus() else {
        eprintln!("SKIPPED: no corpus of real files (set PLOP_CORPUS to its folder)");
        assert!(std::env::var_os("CI").is_none(), "the corpus is missing");
        return;
    };
    let bytes = std::fs::read(folder.join("plop/plop__sample.out")).unwrap();
    let loaded = read(&bytes, None, &ReadOptions::default()).unwrap();
    let profile = &loaded.profiles[0];
    assert_eq!((profile.total(0), profile.samples.len()), (2999, 354));
    assert_eq!(loaded.notes.count("definition-lines"), 1);
    // 178 nodes as the original viewer counts them: (file, line, function).
    assert_eq!(profile.frames.len(), 178);
    // By function, as Python counts (file, function) in it.
    let by_function = profile
        .clone()
        .at_granularity(Granularity::Functions)
        .summed();
    assert_eq!(by_function.functions.len(), 161);
    assert_eq!(by_function.samples.len(), 347);
    assert_eq!(by_function.total(0), 2999);
}
