//! What the programs that plop descends from promised, and where they broke: each test is named after
//! what went wrong there.

use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::harness::{Record, bare, programs, python, pythons, root};

/// A handler written in Python runs between two bytecodes of the main thread: one sample of 215 was left.
#[test]
fn the_main_thread_in_c_code_loses_no_samples() {
    let text = "import time\ndef in_c():\n    sum(range(15_000_000))\nbefore = time.thread_time()\nin_c()\n\
                print(time.thread_time() - before)";
    for python in pythons() {
        let recorded = Record::of(python.text(text))
            .with("--mode cpu")
            .run()
            .fine();
        let seconds: f64 = recorded.stdout.trim().parse().unwrap();
        recorded
            .seen()
            .is_sound()
            .expect_cpu("in_c", seconds, 100.0);
    }
}

/// A child inherits no timer; its `stop` waited for a tick that never came, at 100 % CPU.
#[test]
fn a_forked_child_does_not_spin_at_stop() {
    let mut in_parent = 0;
    for python in pythons() {
        let recorded = python
            .record("forks.py plain 2 0.2")
            .with("--mode cpu")
            .run()
            .fine();
        assert_eq!(recorded.told()["forks"], 2);
        assert_eq!(recorded.told()["failed"], 0);
        let seen = recorded.seen().is_sound();
        seen.expect_cpu("in_child", 0.4, 100.0);
        in_parent += seen.cpu("in_parent");
        assert_eq!(seen.pids().len(), 3);
        // Neither time spent in spinning nor what the parent had recorded is in a child's profile.
        assert!(seen.all_cpu() < 160, "{}", seen.all_cpu());
    }
    // Of all runs together: once in some hundred forks on a busy machine, a parent's ticks come late and at once.
    let due = 40 * pythons().len() as i64;
    assert!(
        (due * 3 / 4..due * 5 / 4).contains(&in_parent),
        "{in_parent} of {due}"
    );
}

/// An interval timer survives `exec`, and its signal's action does not: the new program was killed.
#[test]
fn exec_does_not_die_of_the_timer() {
    for python in pythons().iter().step_by(2) {
        let recorded = python
            .record("execs.py 3 0.1")
            .with("--mode cpu")
            .run()
            .fine();
        assert_eq!(recorded.stdout, "3\n");
        // Four images; in three of them SIGPROF is blocked half of the time.
        let burnt = recorded.seen().is_sound().cpu("burn");
        assert!(
            (20..90).contains(&burnt),
            "{burnt} samples before and after exec"
        );
    }
}

/// Every thread had a sample at every tick: one that slept all the time as many as a busy one.
#[test]
fn idle_threads_do_not_count_as_busy() {
    // Of all runs together: on a busy machine a short one may have few looks at its threads.
    let (mut idle, mut looked) = (0, 0);
    for python in pythons() {
        let recorded = python.record("threads.py idle 20 0.4").run().fine();
        let seen = recorded.seen().is_sound();
        seen.expect_cpu("busy", 0.4, 100.0);
        assert!(
            seen.cpu("rest") <= 3,
            "{} CPU samples of idle threads",
            seen.cpu("rest")
        );
        let rest = |states: &[&str]| {
            seen.sum(
                |row| match row.has("rest") && states.contains(&row.state()) {
                    true => row.wall,
                    false => 0,
                },
            )
        };
        looked += seen.wall("rest");
        idle += rest(&["idle", "lock"]);
    }
    assert!(pythons().is_empty() || looked > 0);
    assert!(idle * 10 >= looked * 8, "{idle} of {looked}");
}

/// A script was compiled from its text, and all its frames were in `<string>`.
#[test]
fn the_script_keeps_its_file_name() {
    for python in pythons() {
        let recorded = python.record("app/main.py").with("--mode cpu").run().fine();
        for (function, name) in [
            ("burn_here", "app/main.py"),
            ("burn_there", "app/sibling.py"),
        ] {
            let frames = recorded.seen().rows.iter().flat_map(|row| &row.frames);
            let files: BTreeSet<&str> = frames
                .filter(|frame| frame.short() == function)
                .map(|frame| frame.file.as_str())
                .collect();
            let path = programs().join(name);
            assert_eq!(Vec::from_iter(files), [path.to_str().unwrap()]);
        }
    }
}

/// The folder of the script was not where modules are looked for, and `pickle` did not find the classes
/// of `__main__`.
#[test]
fn sibling_imports_work_and_classes_of_main_are_pickled() {
    for python in pythons() {
        let recorded = python
            .record("app/main.py one two")
            .with("--mode cpu")
            .run_beside()
            .fine();
        assert!(
            recorded.stdout.starts_with("__main__ "),
            "{}",
            recorded.stdout
        );
        assert!(recorded.seen().cpu("burn_there") > 0);
    }
}

/// Any exception but `SystemExit` lost the profile.
#[test]
fn an_uncaught_exception_keeps_the_profile() {
    for python in pythons() {
        let recorded = python
            .record("burn.py 0.3 exception")
            .with("--mode cpu")
            .run_beside()
            .ended(1);
        assert!(recorded.stderr.contains("ValueError: the end of burn.py"));
        recorded.seen().is_sound().expect_cpu("burn", 0.3, 100.0);
    }
}

/// A script that gave `sys` another meaning broke the profiler, whose globals it shared.
#[test]
fn a_script_that_replaces_modules_keeps_its_profile() {
    for python in pythons() {
        let recorded = python
            .record("replaces.py 0.3")
            .with("--mode cpu")
            .run_beside()
            .fine();
        recorded.seen().is_sound();
        let (before, after) = (recorded.seen().cpu("burn"), recorded.seen().cpu("burnt"));
        assert!(
            before + after > 15 && after > 5,
            "{before} and {after} samples"
        );
    }
}

/// Only the 50 most frequent stacks were stored.
#[test]
fn every_stack_is_kept() {
    let Some(python) = python() else { return };
    let mut command: Vec<OsString> = vec![python.path.clone().into()];
    command.extend([root().join("testdata/programs/many.py").into(), "2".into()]);
    let recorded = Record::of(command).with("--mode cpu -r 500").run().fine();
    let functions = recorded.seen().is_sound().functions();
    let stages = functions
        .iter()
        .filter(|name| name.starts_with("stage_"))
        .count();
    assert!(stages > 50, "{stages} of 90 functions");
}

/// Neither threads nor processes were told apart.
#[test]
fn threads_are_told_apart_by_name_and_id() {
    for python in pythons() {
        let recorded = python
            .record("threads.py names 3 0.2")
            .with("--mode cpu")
            .run()
            .fine();
        let seen = recorded.seen().is_sound();
        for n in 0..3 {
            let name = format!("worker ; {n}é");
            let samples = seen.sum(|row| if row.thread == name { row.cpu } else { 0 });
            let names: BTreeSet<&str> = seen.rows.iter().map(|row| row.thread.as_str()).collect();
            assert!(
                (8..=32).contains(&samples),
                "{samples} samples of {name}: {names:?}"
            );
        }
        let threads: BTreeSet<(i64, &str)> = (seen.rows.iter())
            .filter(|row| row.has("busy"))
            .map(|row| (row.tid, row.thread.as_str()))
            .collect();
        assert_eq!(threads.len(), 3, "{threads:?}");
    }
}

/// Runs of the same second overwrote each other's profile.
#[test]
fn two_runs_in_one_second_leave_two_files() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let record = python.record("burn.py 0.1").with("--mode cpu -q");
        record.into_file(None).inside(folder.path()).start()
    };
    let both = [run(), run(), run()];
    for underway in both {
        underway.wait().fine();
    }
    let mut names: Vec<String> = (std::fs::read_dir(folder.path().join("profiles")).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    // The original's name: burn.py-20261120-0831-58.plop.
    let shape = |name: &str| name.replace(|letter: char| letter.is_ascii_digit(), "0");
    let usual = names
        .iter()
        .any(|name| shape(name) == "burn.py-00000000-0000-00.plop");
    let all = names
        .iter()
        .all(|name| name.starts_with("burn.py-") && name.ends_with(".plop"));
    assert!(usual && all, "{names:?}");
}

/// Every stack ended in frames of the profiler and of `runpy`, and some began in its handler.
#[test]
fn frames_of_the_profiler_never_appear() {
    for python in pythons() {
        let recorded = python.record("burn.py 0.2").run().fine();
        for row in &recorded.seen().rows {
            let odd = row
                .frames
                .iter()
                .find(|frame| frame.name.contains("plop") || frame.file.ends_with("runpy.py"));
            assert_eq!(odd, None);
            if row.has("burn") {
                assert_eq!(row.names()[0], "<module>", "{:?}", row.names());
            }
        }
    }
}

/// The line of the definition was not stored, or, before that, the line that ran was not; the class of
/// a method never was.
#[test]
fn both_lines_and_the_qualified_name_are_kept() {
    for python in pythons() {
        let recorded = python.record("app/main.py").with("--mode cpu").run().fine();
        let frames = recorded.seen().rows.iter().flat_map(|row| &row.frames);
        let work: BTreeSet<_> = frames.filter(|frame| frame.short() == "work").collect();
        assert!(!work.is_empty());
        for frame in work {
            let qualified = python.version >= (3, 11);
            assert_eq!(frame.name, if qualified { "Worker.work" } else { "work" });
            assert_eq!(frame.start_line, 6);
            assert!((7..=9).contains(&frame.line), "{frame:?}");
        }
    }
}

/// In the modes that count CPU time the duration was CPU time as well: an idle program was never done.
#[test]
fn the_duration_is_elapsed_time_even_of_an_idle_program() {
    let Some(python) = python() else { return };
    for mode in ["cpu", "prof", "virtual"] {
        let text = "import time\nfor _ in range(20): time.sleep(0.1)\nprint('slept')";
        let record = Record::of(python.text(text))
            .with("-d 0.2 --mode")
            .with(mode);
        let recorded = record.run().fine();
        assert_eq!(recorded.stdout, "slept\n");
        if !recorded.has_profile() {
            continue; // It had used no CPU time.
        }
        let duration_ns = recorded.seen().profile.meta.duration_ns.unwrap();
        assert!(duration_ns < 1_900_000_000, "{mode}: {duration_ns}");
    }
}

/// The mode `real` took the program's alarm for itself.
#[test]
fn the_programs_own_alarm_rings() {
    let text = "import signal, time\nrung = []\nsignal.signal(signal.SIGALRM, lambda *_: rung.append(1))\n\
                signal.setitimer(signal.ITIMER_REAL, 0.05)\nend = time.thread_time() + 0.3\n\
                while time.thread_time() < end: pass\nprint(rung, signal.getitimer(signal.ITIMER_REAL))";
    for python in pythons() {
        let recorded = Record::of(python.text(text)).run_beside().fine();
        assert_eq!(recorded.stdout, "[1] (0.0, 0.0)\n");
    }
}

/// A fraction was printed with a percent sign, a hundred times too little.
#[test]
fn the_overhead_is_a_percentage_of_what_was_measured() {
    let Some(python) = python() else { return };
    let recorded = python.record("burn.py 0.5").run().fine();
    let seen = recorded.seen();
    let spent = ["own_cpu_ns", "handler_ns", "setup_ns"].map(|key| seen.counter(key));
    let cpu_ns = seen.profile.meta.cpu_ns.unwrap();
    let words: Vec<&str> = recorded.stderr.split_whitespace().collect();
    let sign = words
        .iter()
        .position(|word| *word == "%")
        .expect("a percentage");
    let told: f64 = words[sign - 1].parse().unwrap();
    // What the kernel takes for a signal, some microseconds, is on the bill as well.
    let least = 100.0 * spent.iter().sum::<i64>() as f64 / cpu_ns as f64;
    let most = least + 100.0 * (seen.counter("signals") * 20_000) as f64 / cpu_ns as f64;
    assert!(
        least - 0.06 <= told && told <= most + 0.06,
        "{told} %, not {least} to {most}"
    );
    assert!(spent[0] > 0 && spent[1] > 0, "{spent:?}");
}

/// "no samples collected; program was too fast" was said, and is; the exit status is kept.
#[test]
fn a_program_too_fast_for_a_sample_is_said_to_be() {
    let Some(python) = python() else { return };
    // Its only tick can fall into the few milliseconds that it takes, but hardly three times.
    let none = (0..3).any(|_| {
        let record = Record::of(python.text("import sys; sys.exit(6)")).with("--mode cpu -r 1");
        let recorded = record.run().ended(6);
        println!("{}", recorded.stderr);
        recorded.stderr.contains("no samples")
    });
    assert!(none, "a sample of a program that takes no time");
}

/// What a program prints comes through as it is, and so does its status.
#[test]
fn an_exit_status_is_kept() {
    for (n, python) in pythons().iter().enumerate() {
        for (k, (ending, status)) in [
            ("exit:3", 3),
            ("exit:255", 255),
            ("_exit:4", 4),
            ("exit-in-thread", 0),
        ]
        .into_iter()
        .enumerate()
        {
            if (n + k) % 2 != 0 {
                continue;
            }
            let words = format!("burn.py 0.1 {ending}");
            let recorded = python
                .record(&words)
                .with("--mode cpu")
                .run_beside()
                .ended(status);
            assert!(recorded.seen().cpu("burn") > 0, "{ending}");
        }
    }
}

/// Sleeps in C returned early, and drivers of databases failed.
#[test]
fn a_sleep_in_c_is_not_cut_short() {
    for python in pythons() {
        let recorded = python.record("sleeps.py 0.6 5").run().fine();
        let told = recorded.told();
        assert_eq!(told["interrupted"], 0, "{told}");
        recorded.seen().is_sound();
    }
}

/// A handler was installed and stayed; here the program finds what it would find without.
#[test]
fn the_programs_view_of_its_signals_is_untouched() {
    for python in pythons() {
        let command = python.program("surroundings.py 0.1");
        let alone = bare(&command, &[]);
        let recorded = Record::of(command).with("-q").run().fine();
        let alone: serde_json::Value = serde_json::from_str(&alone.stdout).unwrap();
        for when in 0..2 {
            for what in ["handlers", "blocked", "pending", "timers"] {
                assert_eq!(recorded.told()[when][what], alone[when][what], "{what}");
            }
        }
    }
}
