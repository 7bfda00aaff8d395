//! One recording in several formats reads alike, and pprof files read as Go reads them: held against
//! `go tool pprof -raw`, whose text is kept beside the fixtures.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::fmt::Write as _;

use plop_convert::{ReadOptions, read};
use plop_core::{Features, FrameId, LabelValue, Profile, ValueType, one_run};

use support::{fixtures, testdata};

fn profile(file: &str) -> Profile {
    let bytes = std::fs::read(testdata().join(file)).unwrap();
    let loaded = read(&bytes, None, &ReadOptions::default()).unwrap();
    one_run(loaded.profiles).unwrap()
}

/// What all formats keep, of all threads together.
fn common(profile: Profile) -> String {
    let mut profile = profile.without_threads();
    profile.values = vec![ValueType::samples()];
    let keeps = Features::FILES | Features::LINES | Features::NEGATIVE;
    profile.keeping(keeps).dump()
}

#[test]
fn a_recording_of_austin_reads_alike_in_three_formats() {
    let austin = common(profile("austin/work-wall.austin"));
    assert_eq!(austin.lines().count(), 21);
    assert_eq!(common(profile("pprof/austin-wall.pprof")), austin);
    // Austin's converter leaves out samples without frames; of all others it keeps every one.
    let frameless = |line: &&str| line.starts_with("= ");
    assert_eq!(austin.lines().filter(frameless).count(), 1);
    let framed: Vec<&str> = austin.lines().filter(|line| !frameless(line)).collect();
    let speedscope = common(profile("speedscope/austin-wall.speedscope.json"));
    assert_eq!(speedscope.lines().collect::<Vec<_>>(), framed);
}

#[test]
fn what_the_app_of_speedscope_exports_reads_as_what_it_imported() {
    let folded = common(profile("folded/work.folded"));
    assert_eq!(
        profile("speedscope/app-folded.speedscope.json").total(0),
        266
    );
    let app = common(profile("speedscope/app-folded.speedscope.json"));
    assert_eq!(app, folded);
    // Of sums of hundredths the app keeps the last bit, too.
    let threads = |file: &str| {
        let mut profile = profile(file);
        let to_nanoseconds = 10i64.pow(u32::from(profile.values[0].scale) - 9);
        for value in profile.samples.values_mut() {
            *value = (*value + to_nanoseconds / 2) / to_nanoseconds;
        }
        common(profile)
    };
    let recorded = {
        let mut profile = profile("speedscope/work-threads.speedscope.json");
        for value in profile.samples.values_mut() {
            *value *= 10_000_000;
        }
        common(profile)
    };
    assert_eq!(threads("speedscope/app-threads.speedscope.json"), recorded);
}

/// What `go tool pprof -raw` prints of samples: a line of values, labels and locations for each, with
/// what it prints of every location in place of its number.
fn by_go(raw: &str) -> (Vec<String>, bool) {
    let (samples, rest) = raw.split_once("\nLocations\n").unwrap();
    let locations = rest.split("\nMappings\n").next().unwrap();
    let mut texts: HashMap<&str, String> = HashMap::new();
    let mut open = "";
    for line in locations.lines() {
        let numbered = (line.trim_start().split_once(": 0x"))
            .filter(|(id, _)| id.bytes().all(|b| b.is_ascii_digit()));
        if let Some((id, rest)) = numbered {
            let (address, lines) = rest.split_once(' ').unwrap_or((rest, ""));
            let lines = match lines.strip_prefix("M=") {
                Some(mapping) => mapping.split_once(' ').map_or("", |(_, lines)| lines),
                None => lines,
            };
            texts.insert(id, format!("0x{address} {}", lines.trim_end()));
            open = id;
        } else {
            let text = texts.get_mut(open).unwrap();
            let _ = write!(text, " < {}", line.trim());
        }
    }
    let has_names = texts.values().any(|text| text.contains(" s="));
    let mut rows: Vec<String> = Vec::new();
    let (_, samples) = samples.split_once("Samples:\n").unwrap();
    for line in samples.lines().skip(1) {
        let values = line.split_once(':').map(|(values, _)| values.trim_start());
        let is_sample = |values: &str| {
            values
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'-' | b' '))
        };
        match values.filter(|values| is_sample(values)) {
            Some(values) => {
                let ids = line.split_once(':').unwrap().1.split_whitespace();
                let stack: Vec<&str> = ids.map(|id| texts[id].as_str()).collect();
                let values: Vec<&str> = values.split_whitespace().collect();
                rows.push(format!("{} | {}", values.join(" "), stack.join(" | ")));
            }
            None => {
                let row = rows.last_mut().unwrap();
                let _ = write!(row, " {}", line.trim());
            }
        }
    }
    rows.sort();
    (rows, has_names)
}

/// The same of a profile that we have read.
fn by_us(profile: &Profile, names: bool, labels: bool) -> Vec<String> {
    let text = |id| profile.strings.text(id);
    let line = |id: FrameId| {
        let (frame, function) = (profile.frames.get(id), profile.function_of(id));
        let mut out = format!(
            "{} {}:{}:{} s={}",
            text(function.name),
            text(function.file),
            frame.line,
            frame.column,
            function.start_line
        );
        if function.system_name != function.name {
            let _ = write!(out, "({})", text(function.system_name));
        }
        out
    };
    let mut rows: Vec<String> = (profile.samples.iter())
        .map(|sample| {
            let values: Vec<String> = sample.values.iter().map(i64::to_string).collect();
            let mut locations: Vec<String> = Vec::new();
            let mut lines: Vec<String> = Vec::new();
            for id in profile.stacks.frames(sample.stack) {
                let frame = profile.frames.get(id);
                lines.push(line(id));
                if frame.inlined {
                    continue;
                }
                let address = format!("{:#x}", frame.address);
                let bare = text(profile.function_of(id).name) == address;
                locations.push(match names && !bare {
                    true => format!("{address} {}", lines.join(" < ")),
                    false => format!("{address} "),
                });
                lines.clear();
            }
            let mut row = format!("{} | {}", values.join(" "), locations.join(" | "));
            let set = sample.labels.filter(|_| labels);
            let set = set.map(|id| profile.label_sets.get(id));
            for texts in [true, false] {
                let mut keys: Vec<(String, String)> = Vec::new();
                for (key, value) in set.into_iter().flatten() {
                    let value = match value {
                        LabelValue::Text(value) if texts => text(*value).into_owned(),
                        LabelValue::Number(number, unit) if !texts => {
                            format!("{number} {}", text(*unit)).trim_end().into()
                        }
                        _ => continue,
                    };
                    keys.push((text(*key).into_owned(), value));
                }
                keys.sort();
                for (key, value) in keys {
                    let _ = write!(row, " {key}:[{value}]");
                }
            }
            row
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn pprof_fixtures_read_as_go_reads_them() {
    let mut compared = 0;
    for format in ["pprof", "pprof-legacy"] {
        for file in fixtures(format) {
            let name = format!("{}.raw.txt", file.file_name().unwrap().to_string_lossy());
            let raw = file.parent().unwrap().join("expected").join(&name);
            let Ok(raw) = std::fs::read_to_string(raw) else {
                panic!("{}: what Go reads is missing", file.display());
            };
            let bytes = std::fs::read(&file).unwrap();
            let loaded = read(&bytes, None, &ReadOptions::default()).unwrap();
            let (go, names) = by_go(&raw);
            // Labels in Go's texts of goroutines are something Go itself does not read back.
            let labels = format == "pprof" || !name.starts_with("go-goroutine");
            let ours = by_us(&loaded.profiles[0], names, labels);
            for (ours, go) in ours.iter().zip(&go) {
                assert_eq!(ours, go, "{}", file.display());
            }
            assert_eq!(ours.len(), go.len(), "{}", file.display());
            compared += 1;
        }
    }
    assert!(compared >= 28, "only {compared} files were compared");
}
