//! speedscope's files, read by the importer of speedscope itself.

use std::ffi::OsStr;
use std::path::PathBuf;

use serde_json::Value;

use crate::expected::{self, Stacks, add, amount, compare, same};
use crate::support::{tempdir, variable};
use crate::{Arg, converted, corpus, files, lines, list, node, plop, root, text};

#[test]
fn speedscope_reads_the_stacks_that_plop_has() {
    let Some(speedscope) = variable("PLOP_SPEEDSCOPE") else {
        return;
    };
    let folder = tempdir();
    let inputs = expected::all(folder.path());
    let files: Vec<PathBuf> = (inputs.iter())
        .map(|input| converted(&input.file, folder.path(), "speedscope.json"))
        .collect();
    for (expected, imported) in inputs.iter().zip(import(&speedscope, &files)) {
        let shown = expected.file.display();
        assert_eq!(imported["error"], Value::Null, "{shown}");
        let width = expected.values.len();
        let mut found = Stacks::new();
        for profile in list(&imported, "profiles") {
            let (value, sign) = value_of(profile, &expected.values);
            let unit = text(profile, "unit");
            assert_eq!(
                unit,
                unit_of(&expected.values[value].1),
                "{shown}: {profile}"
            );
            for stack in list(profile, "stacks") {
                let mut amounts = vec![0.0; width];
                amounts[value] = sign * amount(&stack["weight"].to_string(), unit);
                let frames = list(stack, "stack").iter().map(|frame| {
                    let line = frame["line"].as_i64().unwrap();
                    (
                        text(frame, "name").into(),
                        text(frame, "file").into(),
                        line,
                        false,
                    )
                });
                add(&mut found, frames.collect(), &amounts);
            }
            let total = profile["total"].as_f64().unwrap();
            assert!(same(sum_of(profile), total), "{shown}: {profile}");
        }
        compare(&expected.file, &expected.stacks, &found, false);
        let active = imported["active"].as_u64().unwrap() as usize;
        let (shown_first, _) = value_of(&list(&imported, "profiles")[active], &expected.values);
        assert_eq!(shown_first, expected.default, "{shown}");
    }
}

#[test]
fn every_thread_is_a_profile_of_its_own() {
    let Some(speedscope) = variable("PLOP_SPEEDSCOPE") else {
        return;
    };
    let folder = tempdir();
    let everything = root().join("docs/examples/everything.plop");
    let file = converted(&everything, folder.path(), "speedscope.json");
    let imported = import(&speedscope, &[file]).remove(0);
    for (thread, value, total) in [
        ("MainThread", "wall", 0.54),
        ("pool-1", "wall", 0.081),
        ("thread 4102", "wall", 0.5),
        ("MainThread", "cpu", 54.0),
    ] {
        let named: Vec<&Value> = (list(&imported, "profiles").iter())
            .filter(|profile| {
                let name = text(profile, "name");
                name.contains(thread) && name.contains(value)
            })
            .collect();
        let [one] = named[..] else {
            panic!("{thread}, {value}: {named:?}")
        };
        assert!(same(one["total"].as_f64().unwrap(), total), "{one}");
    }
}

#[test]
fn real_files_have_the_totals_that_speedscope_finds() {
    let Some(speedscope) = variable("PLOP_SPEEDSCOPE") else {
        return;
    };
    let Some(folder) = corpus("speedscope") else {
        return;
    };
    let files = files(&folder);
    let mut checked = 0;
    for (file, imported) in files.iter().zip(import(&speedscope, &files)) {
        // Some are written by tools that speedscope itself does not understand.
        if imported["error"] != Value::Null {
            continue;
        }
        let profiles = list(&imported, "profiles");
        let info = lines(&plop(&[&"info", &"--json", &"-q", file]));
        assert_eq!(info.len(), profiles.len(), "{}", file.display());
        for (ours, theirs) in info.iter().zip(profiles) {
            let value = &ours["values"][0];
            let found = amount(&value["total"].to_string(), text(value, "unit"));
            // Its own total is what the file says about its end.
            let total = amount(&sum_of(theirs).to_string(), text(theirs, "unit"));
            assert!(same(found, total), "{}: {found}, {total}", file.display());
        }
        checked += 1;
    }
    assert!(checked > 7, "{checked}");
}

/// What speedscope finds in each of the files.
fn import(speedscope: &OsStr, files: &[PathBuf]) -> Vec<Value> {
    let mut args: Vec<Arg> = vec![&speedscope];
    args.extend(files.iter().map(|file| file as Arg));
    let imported = lines(&node("speedscope.js", &args));
    assert_eq!(imported.len(), files.len());
    imported
}

/// The sum of a profile's weights.
fn sum_of(profile: &Value) -> f64 {
    let weights = list(profile, "stacks")
        .iter()
        .map(|stack| stack["weight"].as_f64());
    weights.map(Option::unwrap).sum()
}

/// Which value a profile is of, by its name: it ends in the value's type, and the unit where
/// speedscope has none for it, and then says whether weights were taken off.
fn value_of(profile: &Value, values: &[(String, String)]) -> (usize, f64) {
    let name = text(profile, "name");
    let (name, sign) = match (name.strip_suffix(", gain"), name.strip_suffix(", loss")) {
        (Some(name), _) => (name, 1.0),
        (_, Some(name)) => (name, -1.0),
        _ => (name, 1.0),
    };
    if values.len() == 1 {
        return (0, sign);
    }
    let is_named = |(kind, unit): &(String, String)| {
        name.ends_with(kind) || name.ends_with(&format!("{kind} ({unit})"))
    };
    let value = values.iter().position(is_named);
    (
        value.unwrap_or_else(|| panic!("which value is {name}?")),
        sign,
    )
}

/// What speedscope calls a unit.
fn unit_of(unit: &str) -> &'static str {
    let known = [
        "nanoseconds",
        "microseconds",
        "milliseconds",
        "seconds",
        "bytes",
    ];
    (known.into_iter().find(|known| *known == unit)).unwrap_or("none")
}
