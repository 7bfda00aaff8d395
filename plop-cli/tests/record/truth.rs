//! What is recorded is what happened: stacks, lines, CPU time, elapsed time, states.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Place, Record, python, pythons};

/// A stack that is read while it changes is rejected, not mixed.
#[test]
fn no_stack_is_impossible() {
    for python in pythons() {
        for rate in ["100", "10000"] {
            let words = "oracle.py 0.25 1";
            let recorded = python.record(words).with("-r").with(rate).run().fine();
            let seen = recorded.seen().is_sound();
            let mut checked = 0;
            for row in &seen.rows {
                for pair in row.frames.windows(2) {
                    let [caller, callee] = [0, 1].map(|n| pair[n].short());
                    let due = match callee {
                        "leaf_a" => "hot_a",
                        "leaf_b" => "hot_b",
                        "hot_a" | "hot_b" => "main",
                        _ => continue,
                    };
                    assert_eq!(
                        caller,
                        due,
                        "Python {:?}: {:?}",
                        python.version,
                        row.names()
                    );
                    checked += 1;
                }
            }
            assert!(
                checked > 0,
                "Python {:?} at {rate}: nothing seen",
                python.version
            );
        }
    }
}

/// The line of every frame is the one that Python's own traceback tells.
#[test]
fn lines_are_those_of_tracebacks() {
    for python in pythons() {
        let recorded = python
            .record("lines.py 0.8")
            .with("--mode cpu -r 1000")
            .run()
            .fine();
        let told = recorded.told();
        let stacks: Vec<Vec<(String, i64)>> = (told["stacks"].as_array().unwrap().iter())
            .map(|stack| stack.as_array().unwrap().iter().map(place).collect())
            .collect();
        let line = |name: &str| told[name].as_i64().unwrap();
        let (first, busy, last) = (line("first"), line("busy"), line("last"));
        let (mut total, mut on_busy_line) = (0, 0);
        let mut found = BTreeSet::new();
        for row in &recorded.seen().is_sound().rows {
            let [.., leaf] = &row.frames[..] else {
                continue;
            };
            let Some(from) = row.frames.iter().position(|frame| frame.name == "visit") else {
                continue;
            };
            // Before `here` is called and after it has returned, other lines of its caller run.
            if leaf.name != "here" {
                continue;
            }
            assert!(
                (first..=last).contains(&leaf.line),
                "Python {:?}: {leaf:?}",
                python.version
            );
            total += row.cpu;
            if leaf.line == busy {
                on_busy_line += row.cpu;
            }
            let callers: Vec<(String, i64)> = row.frames[from..row.frames.len() - 1]
                .iter()
                .map(|Place { name, line, .. }| (name.clone(), *line))
                .collect();
            let known = stacks.iter().position(|stack| *stack == callers);
            let known = known.unwrap_or_else(|| panic!("Python {:?}: {callers:?}", python.version));
            found.insert(known);
        }
        assert!(
            found.len() * 2 > stacks.len(),
            "{} of {} ways seen",
            found.len(),
            stacks.len()
        );
        assert!(
            on_busy_line * 10 > total * 9,
            "Python {:?}: {on_busy_line} of {total} on the busy line",
            python.version
        );
    }
}

fn place(pair: &Value) -> (String, i64) {
    (pair[0].as_str().unwrap().into(), pair[1].as_i64().unwrap())
}

/// Every period of CPU time is a tick that is delivered, whatever the rate and the kernel's own ticks.
#[test]
fn no_time_is_lost_between_ticks() {
    for (n, python) in pythons().iter().enumerate() {
        // What the sampler's own thread uses is asked for as well; perf loses a little with each change.
        let (rate, most) = [(100, 0.025), (250, 0.025), (1000, 0.05)][n % 3];
        let record = python.record("burn.py 3").with("--mode cpu");
        let recorded = record.with(&format!("-r {rate}")).run().fine();
        let seen = recorded.seen().is_sound();
        let plop_core::Ticks {
            asked, delivered, ..
        } = seen.profile.meta.ticks.unwrap();
        let lost = 1.0 - delivered as f64 / asked as f64;
        assert!(
            (-0.05..most).contains(&lost),
            "Python {:?} at {rate}: {delivered} of {asked}",
            python.version
        );
    }
}

/// The three kinds of code get the shares that the thread's own clock gives them.
#[test]
fn cpu_time_goes_to_the_code_that_used_it() {
    for python in pythons() {
        let recorded = python
            .record("accuracy.py 8")
            .with("--mode cpu -r 250")
            .run()
            .fine();
        let seen = recorded.seen().is_sound();
        let truth = recorded.told();
        let parts = ["python_loop", "many_calls", "c_calls"];
        let seconds: f64 = parts.iter().map(|part| truth[part].as_f64().unwrap()).sum();
        let samples: i64 = parts.iter().map(|part| seen.cpu(part)).sum();
        assert!(
            samples as f64 > seconds * 100.0,
            "{samples} samples in {seconds} s"
        );
        for part in parts {
            let due = truth[part].as_f64().unwrap() / seconds;
            let share = seen.cpu(part) as f64 / samples as f64;
            let sigma = (due * (1.0 - due) / samples as f64).sqrt();
            assert!(
                (share - due).abs() <= 5.0 * sigma + 0.02,
                "Python {:?}: {share} of the samples are in {part}, which had {due} of the time",
                python.version
            );
        }
    }
}

/// Elapsed time goes to where threads waited. The truth is nine tenths of the time, so a half is asked,
/// of all runs together: on a busy machine the sampler is late, and a look has much weight.
#[test]
fn elapsed_time_goes_to_where_threads_wait() {
    let places = [
        ("sleeper", "nap"),
        ("selecter", "poll"),
        ("holder", "hold_lock"),
        ("waiter", "wait_for_lock"),
        ("worker", "think_a_lot"),
    ];
    let mut sums = [(0, 0); 5];
    for python in pythons() {
        for mode in ["cpu+wall", "wall"] {
            let recorded = python
                .record("wall.py 0.6")
                .with("--mode")
                .with(mode)
                .run()
                .fine();
            let seen = recorded.seen().is_sound();
            for ((thread, place), (there, all)) in places.iter().zip(&mut sums) {
                let of = |place: Option<&str>| {
                    seen.sum(|row| {
                        match row.thread == *thread && place.is_none_or(|name| row.has(name)) {
                            true => row.wall,
                            false => 0,
                        }
                    })
                };
                let of_thread = of(None);
                assert!(of_thread > 0, "{thread} has no samples in the mode {mode}");
                *there += of(Some(place));
                *all += of_thread;
            }
        }
    }
    for ((thread, place), (there, all)) in places.iter().zip(sums) {
        assert!(
            pythons().is_empty() || there * 2 > all,
            "{thread}: {there} of {all} in {place}"
        );
    }
}

/// The state tells what a thread waits for.
#[test]
fn states_tell_what_threads_do() {
    for python in pythons() {
        let recorded = python.record("wall.py 1").run().fine();
        let seen = recorded.seen();
        let states: BTreeSet<&str> = seen.rows.iter().map(|row| row.state()).collect();
        let known = ["on CPU", "GIL", "idle", "runnable", "lock"];
        assert!(
            states.iter().all(|state| known.contains(state)),
            "{states:?}"
        );
        let wall = |name: &str, state: &str| {
            seen.sum(|row| {
                if row.has(name) && row.state() == state {
                    row.wall
                } else {
                    0
                }
            })
        };
        for (place, states) in [
            ("nap", &["idle", "GIL", "runnable"][..]),
            ("poll", &["idle", "GIL", "runnable"]),
            ("hold_lock", &["idle", "GIL", "lock", "runnable"]),
            ("wait_for_lock", &["lock", "GIL", "runnable"]),
            ("think_a_lot", &["on CPU", "GIL", "runnable"]),
        ] {
            let all = seen.wall(place);
            let due: i64 = states.iter().map(|state| wall(place, state)).sum();
            let told: Vec<_> = known
                .iter()
                .map(|state| (state, wall(place, state)))
                .collect();
            // A thread that is about to wait or has just been woken is in another state for a moment.
            assert!(
                all > 0 && due * 4 > all * 3,
                "Python {:?}: {place}: {told:?}",
                python.version
            );
        }
        for row in &seen.rows {
            assert!(
                row.cpu == 0 || row.state() == "on CPU",
                "{:?} {}",
                row.names(),
                row.state()
            );
        }
    }
}

/// The lock that all threads of the interpreter share is told from other locks.
#[test]
fn waiting_for_the_interpreter_is_told() {
    for python in pythons() {
        let recorded = python
            .record("threads.py names 4 0.15")
            .with("-r 200")
            .run()
            .fine();
        let seen = recorded.seen().is_sound();
        let of = |state: &str| {
            seen.sum(|row| {
                if row.has("busy") && row.state() == state {
                    row.wall
                } else {
                    0
                }
            })
        };
        let told: Vec<_> = ["on CPU", "GIL", "idle", "runnable", "lock"]
            .map(|state| (state, of(state)))
            .into();
        // Four threads share the interpreter, so three of them wait.
        assert!(of("GIL") > of("on CPU") && of("on CPU") > 0, "{told:?}");
        assert!(of("idle") + of("lock") <= of("GIL") / 4, "{told:?}");
    }
}

/// Slices hold exact counters, and samples know theirs.
#[test]
fn slices_add_up() {
    let Some(python) = python() else { return };
    let recorded = python.record("burn.py 0.6").run().fine();
    let profile = &recorded.seen().profile;
    assert!(
        profile.slices.len() >= 20,
        "{} slices",
        profile.slices.len()
    );
    assert!(profile.samples.iter().all(|sample| sample.slice.is_some()));
    let ticks: i64 = profile
        .slices
        .0
        .iter()
        .filter_map(|slice| slice.ticks)
        .sum();
    let cpu_ns: i64 = profile
        .slices
        .0
        .iter()
        .filter_map(|slice| slice.cpu_ns)
        .sum();
    let delivered = profile.meta.ticks.unwrap().delivered;
    assert_eq!(ticks, delivered);
    let whole = profile.meta.cpu_ns.unwrap();
    assert!((cpu_ns - whole).abs() <= whole / 5, "{cpu_ns} of {whole}");
    assert!(whole >= 500_000_000, "{whole}");
}

/// More threads than any table of ours has room for at the start.
#[test]
fn a_thousand_idle_threads_are_watched() {
    let Some(python) = python() else { return };
    for mode in ["cpu", "cpu+wall"] {
        let recorded = python
            .record("threads.py idle 1000 0.5")
            .with("--mode")
            .with(mode)
            .run()
            .fine();
        let seen = recorded.seen().is_sound();
        seen.expect_cpu("busy", 0.5, 100.0);
        if mode == "cpu+wall" {
            let threads: BTreeSet<i64> = seen.rows.iter().map(|row| row.tid).collect();
            assert!(threads.len() > 100, "{} threads seen", threads.len());
        }
    }
}

/// Threads that live for a moment each.
#[test]
fn threads_that_come_and_go_are_sampled() {
    for python in pythons() {
        let recorded = python
            .record("threads.py short 200 0.2")
            .with("--mode cpu -r 250")
            .run()
            .fine();
        let seen = recorded.seen().is_sound();
        // 200 threads of 2 ms: 100 samples, if each were found at once.
        let brief = seen.cpu("brief");
        assert!(
            brief >= 10,
            "Python {:?}: {brief} samples of short threads",
            python.version
        );
        seen.expect_cpu("busy", 0.2, 250.0);
    }
}

/// A rate above the kernel's tick takes another trigger, and both are told.
#[test]
fn the_trigger_is_told() {
    let Some(python) = python() else { return };
    for (rate, mode) in [
        ("100", "cpu"),
        ("1000", "cpu"),
        ("100", "wall"),
        ("100", "prof"),
    ] {
        let record = Record::of(python.program("burn.py 0.2"))
            .with("-r")
            .with(rate);
        let recorded = record.with("--mode").with(mode).run().fine();
        let seen = recorded.seen();
        let trigger = seen.said("trigger");
        let due: &[&str] = match (mode, rate) {
            // A running thread is settled by its next CPU sample.
            ("wall", _) => &["wall", "timer"],
            ("prof", _) => &["itimer"],
            (_, "100") => &["timer"],
            _ => &["perf", "timer"],
        };
        assert!(due.contains(&trigger), "{mode} {rate}: {trigger}");
        if trigger == "timer" && rate == "1000" {
            assert!(!seen.said("trigger_why").is_empty());
        }
    }
}

/// Threads that begin to wait as soon as they begin are where they wait, and all of their time is there, however
/// short they are and however many: no look need have met them while they ran.
#[test]
fn all_the_time_of_threads_that_only_wait_is_where_they_wait() {
    let text = |wait: f64, threads: u32, rounds: u32| {
        format!(
            "import threading, time\n\
             def rest():\n    time.sleep({wait})\n\
             for _ in range({rounds}):\n    \
             threads = [threading.Thread(target=rest) for _ in range({threads})]\n    \
             for thread in threads: thread.start()\n    \
             for thread in threads: thread.join()\n"
        )
    };
    for python in pythons() {
        for (wait, threads, rounds) in [(1.5, 1, 1), (0.1, 2, 12), (1.0, 300, 1)] {
            for mode in ["wall", "cpu+wall"] {
                let due = wait * f64::from(threads * rounds) * 100.0;
                let found = || {
                    let program = python.text(&text(wait, threads, rounds));
                    let recorded = Record::of(program).with("--mode").with(mode).run().fine();
                    recorded.seen().is_sound().wall("rest") as f64
                };
                // On a busy machine threads are slow to begin to wait, so one of three runs has to have it all.
                let all = (0..3).map(|_| found()).any(|found| {
                    println!(
                        "{:?} {mode}: {found} of {due} samples of {threads} threads",
                        python.version
                    );
                    found > 0.93 * due - 10.0
                });
                assert!(all, "time of waiting threads is missing");
            }
        }
    }
}
