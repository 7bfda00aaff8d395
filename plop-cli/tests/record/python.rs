//! What is Python's own: frames that come and go in another order, interpreters within the process,
//! deep recursion, names of every kind.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use plop_core::FrameKind;

use crate::harness::{Python, Record, Recorded, pythons};
use crate::servers::server_python;

/// Tasks and generators take turns; a sample must show one of them, whole.
#[test]
fn coroutines_and_generators_give_true_stacks() {
    for python in pythons() {
        for kind in ["asyncio", "generators"] {
            let words = format!("coroutines.py {kind} 0.2");
            taken_turns(
                &python
                    .record(&words)
                    .with("--mode cpu -r 1000")
                    .run()
                    .fine(),
                python,
            );
        }
    }
}

/// Greenlets swap the stack itself.
#[test]
fn greenlets_give_true_stacks() {
    let Some(python) = server_python() else {
        return;
    };
    let record = python
        .record("coroutines.py gevent 0.5")
        .with("--mode cpu -r 2000");
    taken_turns(&record.run().fine(), &python);
}

fn taken_turns(recorded: &Recorded, python: &Python) {
    let seen = recorded.seen();
    let mut found = BTreeSet::new();
    for row in &seen.rows {
        let names = row.names();
        let side = |letter: &str| names.iter().any(|name| name.starts_with(letter));
        let (a, b) = (side("a_"), side("b_"));
        assert!(!(a && b), "Python {:?}: {names:?}", python.version);
        let chain: Vec<&str> = (names.iter().copied())
            .filter(|name| name.starts_with("a_") || name.starts_with("b_"))
            .collect();
        let due: &[&str] = if a {
            &["a_outer", "a_middle", "a_inner", "a_leaf"]
        } else {
            &["b_outer", "b_inner", "b_leaf"]
        };
        // A generator that is closed has the one it waits for run first, which nobody on the stack has called then.
        let is_part = chain.is_empty() || due.windows(chain.len()).any(|part| part == chain);
        assert!(is_part, "Python {:?}: {chain:?}", python.version);
        if names.last().is_some_and(|leaf| *leaf == "spin") {
            assert_eq!(chain, due);
            found.insert(chain[0].to_owned());
        }
    }
    assert_eq!(found.len(), 2, "Python {:?}: {found:?}", python.version);
}

/// An interpreter in the process has its own frames, and says so at the root.
#[test]
fn interpreters_within_the_process_are_told() {
    for python in pythons() {
        let recorded = python
            .record("interpreters.py 0.25")
            .with("--mode cpu")
            .run()
            .fine();
        let seen = recorded.seen().is_sound();
        seen.expect_cpu("inside", 0.5, 100.0);
        let roots: BTreeSet<&str> = (seen.rows.iter())
            .filter(|row| row.has("inside"))
            .map(|row| row.frames[0].name.as_str())
            .collect();
        let told = roots.iter().all(|root| root.starts_with("<interpreter "));
        assert!(
            told && !roots.is_empty(),
            "Python {:?}: {roots:?}",
            python.version
        );
        let marker = (seen.profile.frames.iter())
            .find(|(id, _)| seen.profile.name_of(*id).starts_with(b"<interpreter"));
        assert_eq!(marker.unwrap().1.kind, FrameKind::Unknown);
    }
}

/// Of a stack 10,000 deep the leaf's side is kept, and that it was cut is counted.
#[test]
fn recursion_ten_thousand_deep() {
    for python in pythons() {
        for rate in ["100", "1000"] {
            let record = python
                .record("deep.py 10000 0.3")
                .with("--mode cpu -r")
                .with(rate);
            let recorded = record.run().fine();
            assert_eq!(recorded.stdout, "10000\n");
            let seen = recorded.seen().is_sound();
            let deep = seen
                .rows
                .iter()
                .find(|row| row.leaf() == "burn")
                .expect("the leaf is seen");
            let depth = deep.frames.len();
            assert!((900..=1100).contains(&depth), "{depth} frames");
            assert!(seen.counter("cut") > 0);
            if rate == "100" {
                seen.expect_cpu("burn", 0.3, 100.0);
            }
        }
    }
}

#[test]
fn names_of_ten_thousand_letters_and_of_every_script() {
    for python in pythons() {
        let recorded = python
            .record("odd_names.py 0.8")
            .with("--mode cpu")
            .run()
            .fine();
        assert_eq!(recorded.stdout, "7\n");
        let seen = recorded.seen().is_sound();
        let all = seen.functions();
        for name in ["été", "日本語", "𝓐𝓑"] {
            assert!(all.contains(name), "Python {:?}: {all:?}", python.version);
        }
        assert!(
            all.iter().any(|name| name.starts_with("nnnnnnnn")),
            "{all:?}"
        );
        assert!(all.iter().any(|name| name.starts_with("lone ")), "{all:?}");
        assert!(all.iter().any(|name| name.starts_with("line")), "{all:?}");
        let mut frames = seen.rows.iter().flat_map(|row| &row.frames);
        let long = frames.find(|frame| frame.short() == "in_a_long_file");
        assert!(long.unwrap().file.starts_with("ffffffff"));
        // The parts are equal; that of the function without a name is one of them.
        assert!(seen.cpu("spin") >= 40, "{}", seen.cpu("spin"));
    }
}

/// A path is bytes.
#[test]
fn paths_that_are_not_utf_8() {
    for python in pythons() {
        let folder = tempfile::tempdir().unwrap();
        let name = OsString::from_vec(b"odd \xff\xe9;name.py".to_vec());
        let script = folder.path().join(&name);
        let text = "import time\ndef burn():\n    end = time.thread_time() + 0.2\n    while time.thread_time() < end: pass\nburn()\n";
        std::fs::write(&script, text).unwrap();
        let program = vec![python.path.clone().into(), script.clone().into()];
        let output = folder
            .path()
            .join(OsString::from_vec(b"x\xff.plop".to_vec()));
        let record = Record::of(program)
            .with("--mode cpu")
            .into_file(Some(output));
        let recorded = record.env("PYTHONUTF8", "1").run().fine();
        let seen = recorded.seen().is_sound();
        seen.expect_cpu("burn", 0.2, 100.0);
        let files: Vec<&[u8]> = (seen.profile.frames.iter())
            .map(|(id, _)| seen.profile.file_of(id))
            .collect();
        assert!(
            files.contains(&script.as_os_str().as_bytes()),
            "Python {:?}",
            python.version
        );
    }
}

/// Two versions in one recording, one the child of the other.
#[test]
fn interpreters_of_several_versions_in_one_recording() {
    let [first, .., last] = pythons() else { return };
    let text = format!(
        "import subprocess, time\nend = time.thread_time() + 0.2\ndef parent():\n    while time.thread_time() < end: pass\n\
         parent()\nprint(subprocess.call([{:?}, {:?}, '0.2']))",
        last.path,
        crate::harness::programs().join("burn.py")
    );
    let recorded = Record::of(first.text(&text))
        .with("--mode cpu")
        .run()
        .fine();
    assert_eq!(recorded.stdout, "done\n0\n");
    recorded
        .seen()
        .is_sound()
        .expect_cpu("parent", 0.2, 100.0)
        .expect_cpu("burn", 0.2, 100.0);
}
