//! pprof files, read by `go tool pprof` and by Google's protobuf.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rayon::prelude::*;
use serde_json::Value;

use crate::expected::{self, Expected, Frame, Stacks, add, amount, compare, same};
use crate::support::{output, tempdir, variable};
use crate::{Arg, converted, corpus, files, lines, list, plop, root, text};

#[test]
fn protobuf_reads_what_plop_writes() {
    let Some(python) = variable("PLOP_PEER_PYTHON") else {
        return;
    };
    let folder = tempdir();
    let inputs = expected::all(folder.path());
    for (expected, decoded) in decoded_all(&python, &inputs, folder.path()) {
        let shown = expected.file.display();
        assert_eq!(decoded["error"], Value::Null, "{shown}");
        assert!(
            decoded["utf8"] == true,
            "{shown}: strings that are not UTF-8"
        );
        for (n, total) in totals(&decoded).iter().enumerate() {
            assert!(same(*total, expected.totals[n]), "{shown}: {total}");
        }
        assert_eq!(totals(&decoded).len(), expected.totals.len(), "{shown}");
        let default = &expected.values[expected.default].0;
        if expected.values.len() > 1 {
            assert_eq!(text(&decoded, "default"), default, "{shown}");
        }
        compare(&expected.file, &expected.stacks, &stacks(&decoded), true);
        // Names that are there must not be looked for in a binary.
        let symbolized = list(&decoded, "symbolized");
        assert!(symbolized.iter().all(|is| *is != false), "{shown}");
    }
}

#[test]
fn go_reads_the_samples_that_protobuf_reads() {
    let (Some(go), Some(python)) = (variable("PLOP_GO"), variable("PLOP_PEER_PYTHON")) else {
        return;
    };
    let folder = tempdir();
    let inputs = expected::all(folder.path());
    for (expected, decoded) in decoded_all(&python, &inputs, folder.path()) {
        // What is printed is lines.
        let has_line_feed = |(name, file, ..): &Frame| name.contains('\n') || file.contains('\n');
        if expected.stacks.keys().flatten().any(has_line_feed) {
            continue;
        }
        let file = pprof_of(expected, folder.path());
        let raw = Raw::of(&go, &file);
        let rendered: Vec<(Vec<i64>, Vec<String>, Vec<String>)> = (list(&decoded, "samples")
            .iter())
        .map(|sample| {
            let values = list(sample, "values");
            let values = values.iter().map(|v| v.as_i64().unwrap()).collect();
            let stack = list(sample, "stack").iter().map(line_of_go).collect();
            (values, stack, labels_of_go(&sample["labels"]))
        })
        .collect();
        assert_eq!(raw.samples, rendered, "{}", expected.file.display());
        let names = list(&decoded, "values").iter().map(|value| {
            let [kind, unit] = [0, 1].map(|n| value[n].as_str().unwrap());
            format!("{kind}/{unit}")
        });
        let values = names.collect::<Vec<_>>().join(" ");
        assert_eq!(raw.values, values, "{}", expected.file.display());
    }
}

#[test]
fn go_shows_the_functions_with_what_was_sampled_in_them() {
    let Some(go) = variable("PLOP_GO") else {
        return;
    };
    let folder = tempdir();
    for expected in expected::all(folder.path()) {
        if expected.has_odd_names() && !expected.file.ends_with("everything.plop") {
            continue;
        }
        let file = pprof_of(&expected, folder.path());
        for (n, (kind, unit)) in expected.values.iter().enumerate() {
            let found = top(&go, &file, kind, unit, &[]);
            let functions = expected.functions(n);
            let shown = format!("{}, {kind}", expected.file.display());
            for (name, (flat, cum)) in &functions {
                let (found_flat, found_cum) = found.get(name).copied().unwrap_or_default();
                assert!(
                    same(*flat, found_flat),
                    "{shown}: {name}: {flat}, {found_flat}"
                );
                assert!(same(*cum, found_cum), "{shown}: {name}: {cum}, {found_cum}");
            }
            let more = found.keys().find(|name| !functions.contains_key(*name));
            assert_eq!(more, None, "{shown}");
        }
    }
}

#[test]
fn go_shows_files_and_lines() {
    let Some(go) = variable("PLOP_GO") else {
        return;
    };
    let folder = tempdir();
    let expected = Expected::of(&root().join("testdata/plop/work-py311.plop"));
    let file = pprof_of(&expected, folder.path());
    let found = top(&go, &file, "samples", "count", &[&"-lines"]);
    let mut places: BTreeMap<String, f64> = BTreeMap::new();
    for (stack, amounts) in &expected.stacks {
        let (name, file, line, _) = stack.last().unwrap();
        *places.entry(format!("{name} {file}:{line}")).or_default() += amounts[0];
    }
    for (place, flat) in &places {
        assert_eq!(
            found.get(place).map(|(flat, _)| flat),
            Some(flat),
            "{place}"
        );
    }
    assert!(places.len() > 10, "{places:?}");
}

#[test]
fn go_shows_threads_labels_and_inlined_functions() {
    let Some(go) = variable("PLOP_GO") else {
        return;
    };
    let folder = tempdir();
    let everything = root().join("docs/examples/everything.plop");
    let file = converted(&everything, folder.path(), "pb.gz");
    let shown = pprof(&go, &[&"-tags", &"-unit=ms", &file]);
    let mut tags: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut key = String::new();
    for line in shown.lines() {
        if let Some((name, _)) = line.split_once(": Total") {
            key = name.trim().into();
        } else if let Some((amount, tag)) = line.split_once("): ") {
            let amount = amount.split_whitespace().next().unwrap();
            (tags.entry(key.clone()).or_default()).insert(tag.trim().into(), amount.into());
        }
    }
    let of = |key: &str| -> Vec<(&str, &str)> {
        let tags = tags.get(key).unwrap_or_else(|| panic!("no {key}: {shown}"));
        tags.iter()
            .map(|(tag, amount)| (tag.as_str(), amount.as_str()))
            .collect()
    };
    assert_eq!(of("route"), [("/search", "200ms")]);
    assert_eq!(of("user"), [("é", "60ms")]);
    assert_eq!(of("bytes"), [("512B", "60ms")]);
    assert_eq!(
        of("thread"),
        [
            ("MainThread", "540ms"),
            ("pool-1", "81ms"),
            ("thread 4102", "500ms")
        ]
    );
    let traces = pprof(&go, &[&"-traces", &"-unit=ms", &file]);
    assert!(traces.contains("parse_expr (inline)"), "{traces}");
    assert!(traces.contains("thread:  MainThread"), "{traces}");
    let focused = pprof(
        &go,
        &[&"-top", &"-unit=ms", &"-tagfocus=thread=MainThread", &file],
    );
    assert!(focused.contains("540ms"), "{focused}");
    let comments = pprof(&go, &[&"-comments", &file]);
    assert!(
        comments.contains("after the cache was turned off"),
        "{comments}"
    );
}

/// The main binary, its build id, and that nothing is left to be looked up where nothing was.
#[test]
fn go_shows_the_same_binary_of_what_plop_wrote_anew() {
    let Some(go) = variable("PLOP_GO") else {
        return;
    };
    let folder = tempdir();
    let head = |file: &Path| -> Vec<String> {
        let (out, _) = run(&go, &[&"-top", &"-symbolize=none", &file]);
        let is_head = |line: &&str| {
            ["File: ", "Build ID: ", "Type: "]
                .iter()
                .any(|key| line.starts_with(key))
        };
        out.lines().filter(is_head).map(str::to_owned).collect()
    };
    let fixtures = files(&root().join("testdata/pprof"));
    for file in &fixtures {
        let anew = converted(file, folder.path(), "pb.gz");
        assert_eq!(head(&anew), head(file), "{}", file.display());
    }
    assert!(fixtures.len() > 15);
}

#[test]
fn go_shows_the_difference_of_two_builds() {
    let Some(go) = variable("PLOP_GO") else {
        return;
    };
    let folder = tempdir();
    // Two runs that did as much work, 4 ms between two samples: what differs is what was changed.
    let side = |name: &str, render: i64| -> PathBuf {
        let samples = 7000 + render;
        let text = format!(
            "# plop 2 {{\"period_ns\":4000000,\"cpu_ns\":{},\"wall_ns\":60000000000,\"work\":{{\"requests\":500}},\
             \"values\":[[\"cpu\",\"samples\"]]}}\n{{\n(('app.py', 9, 'query'), ('app.py', 2, 'main')): 5000,\n\
             (('app.py', 5, 'render'), ('app.py', 2, 'main')): {render},\n(('app.py', 2, 'main'),): 2000,\n}}\n",
            samples * 4_000_000
        );
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (before, after) = (side("before.plop", 3000), side("after.plop", 4500));
    let difference = folder.path().join("difference.pb.gz");
    let status = (Command::new(env!("CARGO_BIN_EXE_plop")).args(["diff", "-q", "-o"]))
        .args([&difference, &before, &after])
        .stdout(Stdio::null())
        .status();
    // So few functions tell next to nothing of chance: what is shown is the difference, whatever the verdict.
    assert_ne!(status.unwrap().code(), Some(2));
    let more = 1500.0 * 4e6;
    let time = top(&go, &difference, "cpu", "nanoseconds", &[]);
    assert_eq!(time["render"], (more, more));
    assert_eq!(time["main"], (0.0, more));
    assert_eq!(time.get("query").copied().unwrap_or_default(), (0.0, 0.0));
    let samples = top(&go, &difference, "samples", "count", &[]);
    assert_eq!(samples["render"], (1500.0, 1500.0));
    // Percentages are of the side before, as with -diff_base.
    let shown = pprof(&go, &[&"-top", &difference]);
    assert!(shown.contains("Type: cpu\n"), "{shown}");
    assert!(shown.contains(" of 40s total"), "{shown}");
    assert!(shown.contains("15.00%"), "{shown}");
    let raw = Raw::of(&go, &difference);
    let labelled = raw.samples.iter().filter(|(values, _, labels)| {
        assert_eq!(values[0] < 0, !labels.is_empty());
        labels
            .iter()
            .any(|label| label.contains("pprof::base:[true]"))
    });
    assert_eq!(labelled.count(), 3);

    let deploys = root().join("testdata/deploys");
    let [before, slower] = ["before", "slower"].map(|name| deploys.join(format!("{name}.plop")));
    let status = (Command::new(env!("CARGO_BIN_EXE_plop")).args(["diff", "-q", "-o"]))
        .args([&difference, &before, &slower])
        .stdout(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    let mut flat: Vec<(f64, String)> = (top(&go, &difference, "cpu", "nanoseconds", &[]))
        .into_iter()
        .map(|(name, (flat, _))| (flat, name))
        .collect();
    flat.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert_eq!(flat[0].1, "discount", "{flat:?}");
    assert!(flat[0].0 > 5.0 * flat[1].0, "{flat:?}");
}

#[test]
fn go_reads_values_of_one_type_in_two_units() {
    let Some(go) = variable("PLOP_GO") else {
        return;
    };
    let folder = tempdir();
    let input = folder.path().join("two.columns.folded");
    std::fs::write(&input, "cpu/samples cpu/nanoseconds\na;b 3 30\n").unwrap();
    let raw = pprof(&go, &[&"-raw", &converted(&input, folder.path(), "pb.gz")]);
    assert!(
        raw.contains("cpu/samples[dflt] cpu_nanoseconds/nanoseconds\n"),
        "{raw}"
    );
}

#[test]
fn what_comes_out_of_a_pipe_is_what_a_file_holds() {
    let Some(go) = variable("PLOP_GO") else {
        return;
    };
    let folder = tempdir();
    let input = root().join("testdata/plop/work-py311.plop");
    let file = converted(&input, folder.path(), "pb.gz");
    let expected = pprof(&go, &[&"-raw", &file]);
    for name in ["-", "/dev/stdout"] {
        let piped = folder.path().join("piped.pb.gz");
        let status = Command::new(env!("CARGO_BIN_EXE_plop"))
            .args(["convert", "-q", "-f", "pprof", "-o", name])
            .stdin(std::fs::File::open(&input).unwrap())
            .stdout(std::fs::File::create(&piped).unwrap())
            .stderr(Stdio::inherit())
            .status();
        assert!(status.unwrap().success());
        assert_eq!(pprof(&go, &[&"-raw", &piped]), expected, "{name}");
    }
}

#[test]
fn real_files_have_the_totals_that_go_and_protobuf_find() {
    let (Some(go), Some(python)) = (variable("PLOP_GO"), variable("PLOP_PEER_PYTHON")) else {
        return;
    };
    let Some(folder) = corpus("pprof") else {
        return;
    };
    let files = files(&folder);
    let decoded = decode(&python, &files);
    let checked = (files.par_iter().zip(decoded))
        .filter(|(file, decoded)| has_the_same_totals(&go, file, decoded))
        .count();
    assert!(checked > 75, "{checked}");
}

/// Panics when Go, protobuf and plop find different totals; `false` where protobuf does not read the
/// file.
fn has_the_same_totals(go: &OsStr, file: &Path, decoded: &Value) -> bool {
    let shown = file.display();
    if decoded["error"] != Value::Null {
        return false;
    }
    let raw = Raw::read(&run(go, &[&"-raw", &file]).0);
    let integers = list(decoded, "totals").iter();
    let integers: Vec<i64> = integers.map(|total| total.as_i64().unwrap()).collect();
    if !raw.samples.is_empty() {
        assert_eq!(raw.totals(), integers, "{shown}: Go and protobuf");
    }
    let info = lines(&plop(&[&"info", &"--json", &"-q", &file])).remove(0);
    let ours: Vec<f64> = (list(&info, "values").iter())
        .map(|value| amount(&value["total"].to_string(), text(value, "unit")))
        .collect();
    assert_eq!(ours, totals(decoded), "{shown}: plop and protobuf");
    true
}

/// Inputs with what protobuf finds in the pprof files that plop makes of them.
fn decoded_all<'e>(
    python: &OsStr,
    inputs: &'e [Expected],
    folder: &Path,
) -> Vec<(&'e Expected, Value)> {
    let files: Vec<PathBuf> = inputs.iter().map(|input| pprof_of(input, folder)).collect();
    inputs.iter().zip(decode(python, &files)).collect()
}

fn pprof_of(expected: &Expected, folder: &Path) -> PathBuf {
    converted(&expected.file, folder, "pb.gz")
}

/// What protobuf finds in each of the files.
fn decode(python: &OsStr, files: &[PathBuf]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/decode.py");
    let (out, _) = output(
        Command::new(python)
            .args(["-B", "-W", "error"])
            .arg(script)
            .args(files)
            .env("PYTHONUTF8", "1"),
    );
    let decoded = lines(&out);
    assert_eq!(decoded.len(), files.len());
    decoded
}

/// The sum of each value in a decoded file.
fn totals(decoded: &Value) -> Vec<f64> {
    (list(decoded, "totals").iter().zip(list(decoded, "values")))
        .map(|(total, value)| amount(&total.to_string(), value[1].as_str().unwrap()))
        .collect()
}

/// The stacks of a decoded file.
fn stacks(decoded: &Value) -> Stacks {
    let units: Vec<&str> = (list(decoded, "values").iter())
        .map(|value| value[1].as_str().unwrap())
        .collect();
    let mut stacks = Stacks::new();
    for sample in list(decoded, "samples") {
        let stack = list(sample, "stack").iter().map(frame).collect();
        let amounts: Vec<f64> = (list(sample, "values").iter().zip(&units))
            .map(|(value, unit)| amount(&value.to_string(), unit))
            .collect();
        add(&mut stacks, stack, &amounts);
    }
    stacks
}

/// A frame as plop writes it into folded stacks, where the line of a definition stands in for one
/// that is not known.
fn frame(frame: &Value) -> Frame {
    let line = match frame["line"].as_i64() {
        Some(0) | None => frame["start_line"].as_i64().unwrap_or(0),
        Some(line) => line,
    };
    let inlined = frame["inlined"] == true;
    (
        with_broken_bytes(text(frame, "name")),
        with_broken_bytes(text(frame, "file")),
        line,
        inlined,
    )
}

/// A name in which a byte that is not UTF-8, written as `\xff`, is U+FFFD as it is everywhere else here.
fn with_broken_bytes(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.as_bytes() {
            [b'8'..=b'9' | b'a'..=b'f', digit, ..] if digit.is_ascii_hexdigit() => {
                out.push('\u{fffd}');
                out.push_str(&part[2..]);
            }
            _ => {
                out.push_str("\\x");
                out.push_str(part);
            }
        }
    }
    out
}

/// A frame as Go prints it.
fn line_of_go(frame: &Value) -> String {
    let (name, system_name) = (text(frame, "name"), text(frame, "system_name"));
    let mut line = format!(
        "{name} {}:{}:{} s={}",
        text(frame, "file"),
        frame["line"],
        frame["column"],
        frame["start_line"]
    );
    if name != system_name {
        line += &format!("({system_name})");
    }
    line
}

/// Labels as Go prints them: a line of texts and a line of numbers.
fn labels_of_go(labels: &Value) -> Vec<String> {
    let number = |pair: &Value| match pair[1].as_str() {
        Some("") | None => pair[0].to_string(),
        Some(unit) => format!("{} {unit}", pair[0]),
    };
    let line = |kind: &str, show: &dyn Fn(&Value) -> String| {
        let mut labels: Vec<String> = (labels[kind].as_object().unwrap().iter())
            .map(|(key, values)| {
                let values: Vec<String> = values.as_array().unwrap().iter().map(show).collect();
                format!("{key}:[{}]", values.join(" "))
            })
            .collect();
        labels.sort();
        labels.join(" ")
    };
    let texts = line("texts", &|value| value.as_str().unwrap().into());
    let numbers = line("numbers", &number);
    [texts, numbers]
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect()
}

/// Runs `go tool pprof`, which must have nothing to complain about.
fn pprof(go: &OsStr, args: &[Arg]) -> String {
    let (out, err) = run(go, args);
    assert_eq!(err, "", "go tool pprof");
    out
}

/// Runs `go tool pprof`; returns what it wrote to stdout and to stderr. It asks nobody for symbols or
/// tools.
fn run(go: &OsStr, args: &[Arg]) -> (String, String) {
    output(
        Command::new(go)
            .args(["tool", "pprof"])
            .args(args)
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", "off")
            .env("TZ", "UTC"),
    )
}

/// By name, what `-top` shows of one value: what was sampled there, and in all.
fn top(
    go: &OsStr,
    file: &Path,
    kind: &str,
    unit: &str,
    more: &[Arg],
) -> BTreeMap<String, (f64, f64)> {
    let index = format!("-sample_index={kind}");
    let all: [Arg; 4] = [&"-top", &"-nodecount=1000000", &"-nodefraction=0", &index];
    let mut args = all.to_vec();
    // Large numbers are rounded unless a unit is asked for.
    match unit {
        "bytes" | "B" => args.push(&"-unit=B"),
        unit if plop_core::nanoseconds_in(unit).is_some() => args.push(&"-unit=ns"),
        _ => {}
    }
    args.extend(more);
    args.push(&file);
    let shown = pprof(go, &args);
    let amount = |text: &str| -> f64 {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        digits.parse().unwrap_or_else(|_| panic!("{text}: {shown}"))
    };
    let rows = shown
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("flat "));
    (rows.skip(1))
        .map(|row| {
            let mut words = row.split_whitespace();
            let mut word = || words.next().unwrap_or_else(|| panic!("{row}"));
            let (flat, _, _, cum, _) = (word(), word(), word(), word(), word());
            // Behind the last percentage stands the name, behind two spaces.
            let name = row.rsplit_once("%  ").map_or("", |(_, name)| name);
            let name = name
                .trim_end_matches(" (inline)")
                .trim_end_matches(" (partial-inline)");
            (name.to_owned(), (amount(flat), amount(cum)))
        })
        .collect()
}

/// What `-raw` prints.
struct Raw {
    /// `type/unit` of each value, spaces between them.
    values: String,
    /// Values, frames from the root, and lines of labels.
    samples: Vec<(Vec<i64>, Vec<String>, Vec<String>)>,
}

impl Raw {
    fn of(go: &OsStr, file: &Path) -> Raw {
        Raw::read(&pprof(go, &[&"-raw", &file]))
    }

    fn read(text: &str) -> Raw {
        let (_, text) = text.split_once("Samples:\n").unwrap();
        let (header, text) = text.split_once('\n').unwrap();
        let (samples, text) = text.split_once("Locations\n").unwrap();
        let (locations, _) = text.rsplit_once("Mappings\n").unwrap();
        let locations = Raw::locations(locations);
        let mut raw = Raw {
            values: header.replace("[dflt]", ""),
            samples: Vec::new(),
        };
        for line in samples.lines() {
            if let Some(labels) = line.strip_prefix(&" ".repeat(16))
                && !line
                    .trim_start()
                    .starts_with(|c: char| c.is_ascii_digit() || c == '-')
            {
                raw.samples.last_mut().unwrap().2.push(labels.into());
                continue;
            }
            let (values, ids) = line.split_once(':').unwrap_or_else(|| panic!("{line}"));
            let values = values
                .split_whitespace()
                .map(|value| value.parse().unwrap());
            let stack = (ids.split_whitespace().rev())
                .flat_map(|id| locations[id].iter().rev().cloned())
                .collect();
            raw.samples.push((values.collect(), stack, Vec::new()));
        }
        raw
    }

    /// The lines of every location, the innermost first.
    fn locations(text: &str) -> BTreeMap<String, Vec<String>> {
        let mut locations: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut id = String::new();
        for line in text.lines() {
            // A further line of a location stands behind 13 spaces, and an address is in the first.
            let mut rest = line.trim_start();
            if let Some((number, after)) = rest.split_once(": 0x")
                && number.bytes().all(|b| b.is_ascii_digit())
            {
                id = number.into();
                rest = after.split_once(' ').map_or("", |(_, rest)| rest);
                if let Some((mapping, after)) = rest.split_once(' ')
                    && mapping.starts_with("M=")
                {
                    rest = after;
                }
            }
            locations.entry(id.clone()).or_default().push(rest.into());
        }
        locations
    }

    /// The sum of each value.
    fn totals(&self) -> Vec<i64> {
        let width = self.samples.iter().map(|(values, ..)| values.len()).max();
        (0..width.unwrap_or(0))
            .map(|n| self.samples.iter().map(|(values, ..)| values[n]).sum())
            .collect()
    }
}
