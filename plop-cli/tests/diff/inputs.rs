//! What cannot be compared, what is compared with a warning, and what only looks as if it could not be.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::{FILED, Filed, Place, deploys};

fn testdata(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    folder.join(name).display().to_string()
}

/// Compares, and must exit with this code; what was printed, on one line.
fn told(place: &Place, words: &str, code: i32) -> String {
    let told = place.diff(words);
    let text = if code == 2 {
        &told.stderr
    } else {
        &told.stdout
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        told.status.code(),
        Some(code),
        "{words}: {text}{}",
        told.stderr
    );
    if code == 2 {
        assert_eq!(told.stdout, "", "{words}");
    }
    text
}

/// The codes of the warnings of a comparison.
fn codes(place: &Place, words: &str) -> Vec<String> {
    let told = place.diff(&format!("--json {words}"));
    let document: Value = serde_json::from_str(&told.stdout)
        .unwrap_or_else(|error| panic!("{words}: {error}: {}", told.stderr));
    let code = |warning: &Value| warning["code"].as_str().unwrap().to_owned();
    document["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(code)
        .collect()
}

#[test]
fn sides_without_a_common_value_are_an_error_that_tells_what_they_have() {
    let place = Place::new();
    let text = told(
        &place,
        &format!("{} {}", testdata("pprof/go-heap.pprof"), deploys("before")),
        2,
    );
    assert!(
        text.ends_with(
            "the sides have no value in common: before has alloc_objects, alloc_space, inuse_objects, inuse_space, \
             after cpu"
        ),
        "{text}"
    );
}

#[test]
fn an_empty_side_is_an_error_and_an_empty_profile_beside_others_is_left_out() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("more.folded", 20_100.0, 1.0);
    place.folded("after.folded", 20_000.0, 1.0);
    fs::write(place.0.path().join("empty.folded"), "").unwrap();
    let text = told(&place, "before.folded empty.folded", 2);
    assert!(
        text.ends_with("cannot compare before.folded with empty.folded: after has no samples"),
        "{text}"
    );
    let text = told(&place, "empty.folded after.folded", 2);
    assert!(text.ends_with("before has no samples"), "{text}");
    let words = "before.folded empty.folded more.folded --vs after.folded";
    let text = told(&place, words, 0);
    assert!(
        text.contains("1 of 3 profiles of before have no samples and are left out"),
        "{text}"
    );
    assert!(text.contains("(2 profiles, "), "{text}");
}

#[test]
fn one_file_on_both_sides_is_an_error_whatever_leads_to_it() {
    let place = Place::new();
    let before = place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 1.0);
    symlink(&before, place.0.path().join("soft.folded")).unwrap();
    fs::hard_link(&before, place.0.path().join("hard.folded")).unwrap();
    for name in ["before.folded", "./before.folded"] {
        let text = told(&place, &format!("before.folded {name}"), 2);
        assert!(
            text.contains("is on both sides: there is nothing to compare"),
            "{text}"
        );
    }
    for name in ["soft.folded", "hard.folded"] {
        let text = told(&place, &format!("before.folded {name}"), 2);
        let said = format!("{name}, which is before.folded, is on both sides");
        assert!(text.contains(&said), "{text}");
        let text = told(
            &place,
            &format!("before.folded --vs after.folded {name}"),
            2,
        );
        assert!(text.contains("is on both sides"), "{text}");
        let text = told(
            &place,
            &format!("before.folded {name} --vs after.folded"),
            2,
        );
        assert!(text.contains("is named twice on one side"), "{text}");
    }
    // A copy is another file, and looks like a mistake all the same.
    fs::copy(&before, place.0.path().join("copy.folded")).unwrap();
    assert!(codes(&place, "before.folded copy.folded").contains(&"same-samples".into()));
    place.folded("other.folded", 20_000.0, 1.01);
    assert!(!codes(&place, "before.folded other.folded").contains(&"same-samples".into()));
}

#[test]
fn a_before_that_is_younger_is_told_and_changes_no_verdict() {
    let place = Place::new();
    let [before, slower] = ["before", "slower"].map(deploys);
    let said = "before was recorded later than after: are the sides mixed up?";
    let text = told(&place, &format!("{slower} {before}"), 0);
    assert!(text.contains(said), "{text}");
    let text = told(&place, &format!("{before} {slower}"), 1);
    assert!(!text.contains(said), "{text}");
    // Sides that were recorded in turns are in order.
    let refactored = deploys("refactored");
    let words = format!("{before} {slower} --vs {refactored}");
    assert!(!codes(&place, &words).contains(&"order".into()));
}

/// Writes a profile of version 2 of two threads.
fn threaded(place: &Place, name: &str, threads: [&str; 2], functions: [&str; 2]) {
    let text = format!(
        "# plop 2 {{\"values\":[[\"cpu\",\"samples\"]],\"threads\":[[7,\"{}\"],[8,\"{}\"]]}}\n{{\n\
         (('app.py', 7, '{}'), ('app.py', 1, 'main')): 3000,\n(('app.py', 9, '{}'), ('app.py', 1, 'main')): 2000,\n}}\n\
         #@ - 0 - 0:3000\n#@ - 1 - 1:2000\n",
        threads[0], threads[1], functions[0], functions[1]
    );
    fs::write(place.0.path().join(name), text).unwrap();
}

#[test]
fn other_threads_are_no_verdict_and_other_numbers_of_threads_are() {
    let place = Place::new();
    let functions = ["parse", "render"];
    threaded(&place, "before.plop", ["pool-1_0", "pool-1_1"], functions);
    threaded(&place, "same.plop", ["pool-4_7", "extra"], functions);
    threaded(&place, "other.plop", ["collector", "writer 2"], functions);
    let text = told(&place, "before.plop same.plop", 0);
    assert!(!text.contains("no thread"), "{text}");
    let text = told(&place, "before.plop other.plop", 3);
    assert!(
        text.contains("no thread of before is in after: pool before, collector, writer after"),
        "{text}"
    );
    assert!(text.contains("INCONCLUSIVE"), "{text}");
    let text = told(&place, "--allow-env-change before.plop other.plop", 0);
    assert!(text.contains("no thread of before"), "{text}");
    // py-spy writes threads as frames.
    let names = ["folded/work-threads.folded", "folded/work.folded"].map(testdata);
    assert!(!codes(&place, &names.join(" ")).contains(&"env-threads".into()));
}

#[test]
fn different_programs_are_no_verdict() {
    let place = Place::new();
    let text = told(
        &place,
        &format!(
            "{} {}",
            testdata("folded/work.folded"),
            testdata("pprof/rust-cpu.pprof")
        ),
        3,
    );
    assert!(
        text.contains(
            "hardly any sample is in functions that both sides call alike: are they of one program?"
        ),
        "{text}"
    );
    threaded(&place, "before.plop", ["main", "pool"], ["parse", "render"]);
    threaded(&place, "after.plop", ["main", "pool"], ["parse", "draw"]);
    // Three fifths are, and what is gone costs what is new does.
    let text = told(&place, "before.plop after.plop", 0);
    assert!(!text.contains("of one program"), "{text}");
    assert!(text.contains("renamed: render → draw"), "{text}");
}

#[test]
fn cost_that_moved_fails_only_where_that_is_asked_for() {
    let place = Place::new();
    for (name, [one, other]) in [("before", [6000, 2000]), ("after", [2000, 6000])] {
        let mut lines = format!("main;parse {one}\nmain;render {other}\n");
        for n in 0..20 {
            lines += &format!("main;step_{n} 3000\n");
        }
        fs::write(place.0.path().join(name), lines).unwrap();
    }
    let text = told(&place, "before after", 0);
    assert!(
        text.contains("cost moved: parse → render; together"),
        "{text}"
    );
    assert!(text.contains("which does not fail"), "{text}");
    let text = told(&place, "--fail-on-shift before after", 1);
    assert!(
        text.contains("fails all the same (--fail-on-shift)"),
        "{text}"
    );
}

#[test]
fn what_is_no_profile_of_a_run_is_an_error() {
    let place = Place::new();
    place.folded("before.folded", 1000.0, 1.0);
    fs::create_dir(place.0.path().join("runs")).unwrap();
    fs::write(place.0.path().join("text.folded"), "no profile at all\n").unwrap();
    let difference = testdata("pprof/go-cpu-diff_base.pprof");
    let profile = testdata("pprof/go-cpu.pprof");
    for (words, said) in [
        (
            "before.folded runs",
            "cannot read runs: it is a folder; name the files in it",
        ),
        (
            "before.folded nowhere.folded",
            "cannot read nowhere.folded: there is no such file",
        ),
        ("before.folded text.folded", "cannot read text.folded"),
        ("- -", "- is on both sides"),
        (
            &format!("{difference} {profile}"),
            "before has values below zero, as a difference of two profiles has",
        ),
    ] {
        let text = told(&place, words, 2);
        assert!(text.contains(said), "{words}: {text}");
    }
}

#[test]
fn a_calibration_that_is_none_is_an_error() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 1.0);
    fs::create_dir(place.0.path().join("folder.json")).unwrap();
    let whole = "{\"schema\":\"plop.calibration/1\",\"functions\":0.01,\"functions_error\":0.1,\"mix\":0.001,\"mix_error\":0.5,\"uneven\":0.5}";
    for (name, content, said) in [
        (
            "none.json",
            None,
            "cannot read the calibration none.json: No such file",
        ),
        (
            "folder.json",
            None,
            "cannot read the calibration folder.json: it is a folder",
        ),
        ("cut.json", Some(&whole[..60]), "broken: EOF while parsing"),
        (
            "text.json",
            Some("calibrated\n"),
            "not what plop calibrate writes",
        ),
        (
            "other.json",
            Some("{\"schema\":\"plop.diff/1\"}"),
            "not what plop calibrate writes",
        ),
        (
            "later.json",
            Some("{\"schema\":\"plop.calibration/2\"}"),
            "it is plop.calibration/2, and this plop reads plop.calibration/1",
        ),
        (
            "less.json",
            Some("{\"schema\":\"plop.calibration/1\",\"functions\":0.01}"),
            "broken: `functions_error` is no positive number",
        ),
        (
            "text2.json",
            Some("{\"schema\":\"plop.calibration/1\",\"functions\":\"0.01\"}"),
            "broken: `functions` is no positive number",
        ),
    ] {
        if let Some(content) = content {
            fs::write(place.0.path().join(name), content).unwrap();
        }
        let words = format!("--calibration {name} before.folded after.folded");
        let text = told(&place, &words, 2);
        assert!(text.contains(said), "{name}: {text}");
    }
    fs::write(place.0.path().join("whole.json"), whole).unwrap();
    told(
        &place,
        "--calibration whole.json before.folded after.folded",
        0,
    );
}

#[test]
fn files_of_different_formats_compare() {
    let place = Place::new();
    let before = deploys("before");
    // With slices, as a .plop file has them; without; with names and counts only.
    for (name, code) in [
        ("after.pb.gz", 1),
        ("after.plop.gz", 1),
        ("after.speedscope.json", 1),
        ("after.folded", 1),
    ] {
        let mut convert = std::process::Command::new(env!("CARGO_BIN_EXE_plop"));
        convert
            .args(["convert", "-q", &deploys("slower"), "-o", name])
            .current_dir(place.0.path());
        crate::support::finish(&mut convert);
        // Counts alone are taken to vary much more, unless it is said how much.
        let text = told(
            &place,
            &format!("--design-effect 1.5 {before} {name}"),
            code,
        );
        assert!(text.contains("▲ discount (shop.py"), "{name}: {text}");
        assert!(!text.contains("of one program"), "{name}: {text}");
    }
}

/// Writes runs of two functions with what is known of them.
fn with_meta(place: &Place, name: &str, meta: &str) {
    let text = format!(
        "# plop 2 {{{meta}\"values\":[[\"cpu\",\"samples\"]]}}\n{{\n(('app.py', 7, 'query'), ('app.py', 1, 'main')): \
         5000,\n(('app.py', 9, 'render'), ('app.py', 1, 'main')): 4000,\n}}\n"
    );
    fs::write(place.0.path().join(name), text).unwrap();
}

/// A mode that cannot be had is not shown: shares are compared, and why is said.
#[test]
fn a_mode_without_its_counters_is_told() {
    let place = Place::new();
    let (cpu, wall, work) = (
        "\"cpu_ns\":2000000000,",
        "\"wall_ns\":9000000000,",
        "\"work\":{\"requests\":1000},",
    );
    for (name, meta) in [
        ("none", String::new()),
        ("cpu", cpu.to_owned()),
        ("wall", wall.to_owned()),
        ("work", format!("{wall}{work}")),
        ("all", format!("{cpu}{wall}{work}")),
    ] {
        with_meta(&place, &format!("{name}.plop"), &meta);
        with_meta(&place, &format!("{name}2.plop"), &meta);
    }
    for (mode, files, said) in [
        (
            "time",
            "none.plop none2.plop",
            "not every profile tells its CPU time, so shares",
        ),
        (
            "time",
            "wall.plop all.plop",
            "not every profile tells its CPU time, so shares",
        ),
        (
            "time",
            "cpu.plop all.plop",
            "not every profile tells how long it took, so shares",
        ),
        (
            "work",
            "none.plop all.plop",
            "the sides count no work in common, so shares",
        ),
        (
            "work",
            "work.plop all.plop",
            "not every profile tells its CPU time, so shares",
        ),
    ] {
        let text = told(&place, &format!("--mode {mode} {files}"), 0);
        assert!(text.contains("mode: shares of the whole"), "{text}");
        assert!(text.contains(said), "{mode} {files}: {text}");
    }
    for (mode, shown) in [
        ("time", "mode: CPU time per elapsed time"),
        ("work", "mode: CPU time per unit of work"),
    ] {
        let text = told(&place, &format!("--mode {mode} all.plop all2.plop"), 0);
        assert!(
            text.contains(shown) && !text.contains("so shares"),
            "{text}"
        );
    }
}

#[test]
fn a_value_that_only_some_have_is_told_from_one_that_none_has() {
    let place = Place::new();
    let pprof = testdata("pprof/go-heap.pprof");
    let text = told(
        &place,
        &format!("--value inuse_space {pprof} {}", deploys("before")),
        2,
    );
    assert!(
        text.contains("after does not have the value `inuse_space`: before has alloc_objects"),
        "{text}"
    );
    let (before, after) = (deploys("before"), deploys("slower"));
    let text = told(
        &place,
        &format!("--value inuse_space {before} {after} --vs {pprof}"),
        2,
    );
    assert!(
        text.contains("before does not have the value `inuse_space`"),
        "{text}"
    );
    let text = told(
        &place,
        &format!("--value inuse_space {before} --vs {pprof} {after}"),
        2,
    );
    assert!(text.contains("before does not have"), "{text}");
    let text = told(
        &place,
        &format!("--value cpu {before} --vs {pprof} {after}"),
        2,
    );
    assert!(
        text.contains("not every profile of after has the value `cpu`"),
        "{text}"
    );
}

#[test]
fn a_label_that_no_sample_has_is_told() {
    let place = Place::new();
    for (name, commit, hour) in [("a.plop", "a", 1), ("b.plop", "b", 2)] {
        let run = Filed {
            commit,
            hour,
            ..FILED
        };
        run.put(&place, name);
    }
    for (by, expected) in [
        ("--by nolabel", &["no-label"][..]),
        ("--by thread", &["no-label"]),
        // Every sample has the same.
        ("--by service", &["one-kind"]),
        ("--by tree", &[]),
        ("", &[]),
    ] {
        assert_eq!(
            codes(&place, &format!("{by} a.plop b.plop")),
            expected,
            "{by}"
        );
    }
}
