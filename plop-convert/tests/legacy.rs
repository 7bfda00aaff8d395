//! Legacy profiles of pprof, held against what google/pprof reads in them.
//!
//! `PLOP_CORPUS` names a folder of real files, with pprof's own dumps of some; `PLOP_GO` a Go whose
//! `go tool pprof -raw` is run on every file, fixtures included. What is not there is skipped, and
//! fails where `CI` is set.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plop_convert::{Loaded, ReadOptions, read};
use plop_core::{Frame, FrameId, LabelValue, Mapping, Profile};

/// Files that google/pprof refuses and plop reads; the module says why.
const REFUSED_BY_PPROF: [&str; 2] = ["gperf.cpu.symbolized.raw", "jemalloc.heap"];

fn corpus() -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus"));
    let folder = std::env::var_os("PLOP_CORPUS").map_or_else(default, PathBuf::from);
    let there = folder.join("MANIFEST.tsv").is_file();
    if !there {
        eprintln!("SKIPPED: no corpus of real files (set PLOP_CORPUS to its folder)");
        assert!(std::env::var_os("CI").is_none(), "the corpus is missing");
    }
    there.then_some(folder)
}

fn load(file: &Path) -> Loaded {
    let name = file.to_string_lossy();
    let options = ReadOptions {
        name: &name,
        ..ReadOptions::default()
    };
    let loaded = read(&std::fs::read(file).unwrap(), None, &options)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(loaded.format.name, "pprof-legacy", "{name}");
    loaded
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

/// What pprof's dump and a profile of ours can both say: a header, and the samples in order.
#[derive(PartialEq, Eq, Debug, Default)]
struct Comparable {
    header: Vec<String>,
    samples: Vec<String>,
    mappings: Vec<String>,
}

/// Our profile as pprof shows it.
fn ours(profile: &Profile) -> Comparable {
    let mut header = Vec::new();
    let period = profile.meta.period.as_ref();
    header.extend(period.map(|p| format!("PeriodType: {} {}", p.of.kind, p.of.unit)));
    header.push(format!("Period: {}", period.map_or(0, |p| p.every)));
    let seconds = profile.meta.duration_ns.map(|ns| ns / 1_000_000_000);
    header.extend(seconds.map(|s| format!("Duration: {}h{}", s / 3600, s % 3600 / 60)));
    let values = profile.values.iter();
    let values: Vec<_> = values.map(|v| format!("{}/{}", v.kind, v.unit)).collect();
    header.push(values.join(" "));
    let samples = profile.samples.iter().map(|sample| {
        let locations = locations(profile, profile.stacks.frames(sample.stack).collect());
        let labels = sample.labels.map(|set| profile.label_sets.get(set));
        let bytes = labels.and_then(|set| match set[..] {
            [(key, LabelValue::Number(size, unit))] => {
                assert!(profile.strings.get(unit).is_empty());
                let key = String::from_utf8_lossy(profile.strings.get(key));
                Some(format!(" {key}:[{size}]"))
            }
            // pprof does not read the labels of goroutines.
            _ => None,
        });
        let values = sample.values.iter().map(|v| format!("{v} "));
        let values: String = values.collect();
        format!("{values}:{}{}", bytes.unwrap_or_default(), locations)
    });
    let mappings = profile.mappings.iter();
    Comparable {
        samples: samples.collect(),
        mappings: mappings.map(|(_, m)| mapping_text(profile, m)).collect(),
        header,
    }
}

/// The places of a stack from its leaf. Functions that were inlined stand at one address with their
/// caller; places without an address are told by function, file and line.
fn locations(profile: &Profile, frames: Vec<FrameId>) -> String {
    let mut text = String::new();
    for frame in frames {
        let Frame {
            address,
            mapping,
            line,
            inlined,
            ..
        } = *profile.frames.get(frame);
        if inlined {
            continue;
        }
        text += &format!(" {address:#x}");
        if let Some(mapping) = mapping {
            text += &format!("@{}", mapping_text(profile, profile.mappings.get(mapping)));
        }
        if address == 0 && profile.name_of(frame) != b"0x0" {
            let name = String::from_utf8_lossy(profile.name_of(frame));
            let file = String::from_utf8_lossy(profile.file_of(frame));
            text += &format!("({name} {file}:{line})");
        }
    }
    text
}

fn mapping_text(profile: &Profile, mapping: &Mapping) -> String {
    let file = String::from_utf8_lossy(profile.strings.get(mapping.file));
    let (start, limit, offset) = (mapping.start, mapping.limit, mapping.offset);
    format!("{start:#x}/{limit:#x}/{offset:#x}/{file}")
}

/// The text of pprof's `Profile.String`, which is also that of `pprof -raw`.
fn pprofs(dump: &str) -> Comparable {
    let (head, rest) = dump.split_once("Samples:\n").unwrap();
    let (samples, rest) = rest.split_once("Locations\n").unwrap();
    let (locations, mappings) = rest.split_once("Mappings\n").unwrap();
    let mappings: BTreeMap<&str, String> = mappings
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (id, rest) = line.split_once(": ").unwrap();
            let mut words = rest.split(' ');
            let (range, file) = (words.next().unwrap(), words.next().unwrap_or_default());
            (id, format!("{range}/{file}"))
        })
        .collect();
    // `    12: 0x42 M=1 function file.go:7:0 s=0`
    let locations: BTreeMap<&str, String> = locations
        .lines()
        .filter_map(|line| {
            let (id, rest) = line.split_once(": ")?;
            let mut words = rest.split(' ').filter(|word| !word.is_empty()).peekable();
            let address = words.next()?;
            let mut text = address.to_owned();
            // The driver of pprof gives profiles without a mapping one of no extent.
            if let Some(mapping) = words.peek().and_then(|word| word.strip_prefix("M="))
                && !mappings[mapping].starts_with("0x0/0x0/")
            {
                text += &format!("@{}", mappings[mapping]);
            }
            let words: Vec<&str> = words.filter(|word| !word.starts_with("M=")).collect();
            if let [function @ .., place, _start] = &words[..]
                && address == "0x0"
            {
                let place = place.strip_suffix(":0").unwrap_or(place);
                text += &format!("({} {place})", function.join(" "));
            }
            Some((id.trim(), text))
        })
        .collect();
    let mut lines = samples.lines();
    let mut header: Vec<String> = (head.lines())
        .filter(|line| line.trim_end() != "PeriodType:")
        .map(str::to_owned)
        .collect();
    header.push(lines.next().unwrap().trim_end().replace("[dflt]", ""));
    let mut samples: Vec<(String, String)> = Vec::new();
    for line in lines {
        if let Some((key, values)) = line.trim().split_once(":[") {
            samples.last_mut().unwrap().0 += &format!(" {key}:[{values}");
            continue;
        }
        let (values, ids) = line.split_once(':').unwrap();
        let values: Vec<&str> = values.split_whitespace().collect();
        let stack = ids
            .split_whitespace()
            .map(|id| format!(" {}", locations[id]));
        samples.push((format!("{} :", values.join(" ")), stack.collect()));
    }
    Comparable {
        header,
        samples: samples.into_iter().map(|(a, b)| a + &b).collect(),
        mappings: mappings.values().cloned().collect(),
    }
}

#[test]
fn legacy_profiles_are_what_pprof_dumps() {
    let Some(folder) = corpus() else { return };
    let mut compared = 0;
    for dump in files(&folder.join("expected-pprof-string")) {
        let name = dump.file_stem().unwrap().to_string_lossy();
        let file = folder.join("pprof-legacy").join(&*name);
        if !file.is_file() {
            continue;
        }
        let ours = ours(&load(&file).profiles[0]);
        let theirs = pprofs(&std::fs::read_to_string(&dump).unwrap());
        assert_eq!(ours.header, theirs.header, "{name}");
        assert_eq!(ours.samples, theirs.samples, "{name}");
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        assert_eq!(sorted(ours.mappings), sorted(theirs.mappings), "{name}");
        compared += 1;
    }
    assert!(compared >= 4, "only {compared} dumps have their file");
}

#[test]
fn legacy_profiles_have_the_totals_that_pprof_counts() {
    let Some(folder) = corpus() else { return };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let mut checked = 0;
    for line in manifest.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (path, format, count) = (fields[0], fields[1], fields[7]);
        if format != "pprof-legacy" {
            continue;
        }
        checked += 1;
        let profile = &load(&folder.join(path)).profiles[0];
        if count.contains("ERROR") {
            assert!(
                REFUSED_BY_PPROF.iter().any(|name| path.ends_with(name)),
                "{path}"
            );
            continue;
        }
        let mut found = BTreeMap::from([
            ("samples", profile.samples.len() as i64),
            ("maps", profile.mappings.len() as i64),
            (
                "period",
                profile.meta.period.as_ref().map_or(0, |p| p.every),
            ),
            (
                "labeled",
                profile
                    .samples
                    .iter()
                    .filter(|s| s.labels.is_some())
                    .count() as i64,
            ),
        ]);
        let kinds: Vec<_> = (profile.values.iter())
            .map(|value| format!("{}/{}", value.kind, value.unit))
            .collect();
        for (n, kind) in kinds.iter().enumerate() {
            found.insert(kind, profile.total(n));
        }
        for (key, number) in found {
            let expected = (count.split_whitespace())
                .find_map(|word| word.strip_prefix(&format!("{key}=")))
                .unwrap_or_else(|| panic!("{path}: no {key}"));
            assert_eq!(number.to_string(), expected, "{path}: {key}");
        }
    }
    assert!(checked >= 19, "only {checked} files were found");
}

#[test]
fn legacy_profiles_are_what_go_tool_pprof_reads() {
    let Some(go) = std::env::var_os("PLOP_GO") else {
        eprintln!("SKIPPED: no Go (set PLOP_GO to its path)");
        assert!(std::env::var_os("CI").is_none(), "Go is missing");
        return;
    };
    let mut files_to_compare = support::fixtures("pprof-legacy");
    if let Some(folder) = corpus() {
        files_to_compare.extend(files(&folder.join("pprof-legacy")));
    }
    for file in files_to_compare {
        let name = file.display();
        let output = std::process::Command::new(&go)
            .args(["tool", "pprof", "-symbolize=none", "-raw"])
            .arg(&file)
            .output()
            .unwrap();
        let dump = String::from_utf8_lossy(&output.stdout);
        let unknown = (REFUSED_BY_PPROF.iter()).any(|end| file.to_string_lossy().ends_with(end));
        assert_eq!(output.status.success(), !unknown, "{name}: {dump}");
        if unknown {
            continue;
        }
        let mut ours = ours(&load(&file).profiles[0]);
        let mut theirs = pprofs(&dump);
        ours.samples.sort();
        theirs.samples.sort();
        assert_eq!(ours.samples, theirs.samples, "{name}");
    }
}
