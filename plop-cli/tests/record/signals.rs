//! Signals that are the program's own: SIGPROF, with which plop samples, and SIGSEGV, which it would
//! notice first.

use crate::harness::{Python, Record, native, python, pythons};

/// A handler in Python or in C, a timer of the program's own, or an action that would end it.
#[test]
fn the_programs_own_sigprof_handler_gets_its_signals_and_no_others() {
    let Some(native) = native() else { return };
    for (n, python) in pythons().iter().enumerate() {
        let mode = ["cpu", "cpu+wall"][n % 2];
        for kind in ["python", "c"] {
            let words = format!("sigprof.py {kind} 0.4");
            let record = python.record(&words).with_native(native);
            let recorded = record.with("--mode").with(mode).run().fine();
            let told = recorded.told();
            let seen = told["seen"].as_i64().unwrap();
            // One that meets a pending one of ours is one with it, as any two signals are.
            let due = format!("Python {:?} {mode} {kind}: {told}", python.version);
            assert!((45..=50).contains(&seen) && told["before"] == 0, "{due}");
            recorded.seen().is_sound().expect_cpu("burn", 0.4, 100.0);
        }
    }
}

#[test]
fn the_programs_own_profiling_timer_goes_on() {
    for python in pythons() {
        let recorded = python
            .record("sigprof.py timer 0.5")
            .with("--mode cpu")
            .run()
            .fine();
        let told = recorded.told();
        let (sent, seen) = (
            told["sent"].as_i64().unwrap(),
            told["seen"].as_i64().unwrap(),
        );
        // The kernel counts this timer's time by whole ticks, on a busy machine too many of them. Signals of ours
        // would make it twice as many.
        assert!(
            seen * 2 >= sent && seen * 2 <= sent * 3,
            "Python {:?}: {told}",
            python.version
        );
        assert_eq!(told["interval"], 0.01);
        recorded.seen().is_sound().expect_cpu("burn", 0.5, 100.0);
    }
}

#[test]
fn a_program_that_sets_sigprof_to_default_or_ignored_lives_and_is_sampled() {
    for python in pythons() {
        for (kind, after) in [("default", 0), ("ignore", 1)] {
            let words = format!("sigprof.py {kind} 0.3");
            let recorded = python.record(&words).with("--mode cpu").run().fine();
            let told = recorded.told();
            assert_eq!([&told["before"], &told["after"]], [0, after]);
            recorded.seen().is_sound().expect_cpu("burn", 0.3, 100.0);
        }
    }
}

/// A thread that blocks all signals and collects them must find none that it did not send.
#[test]
fn no_signal_of_ours_is_pending_where_all_are_blocked() {
    for python in pythons() {
        python
            .record("sigprof.py wait 0.2")
            .with("--mode cpu")
            .run_beside()
            .fine();
    }
}

/// After an exec that failed a thread is sampled again; not if it has blocked the signal meanwhile.
#[test]
fn no_signal_of_ours_is_pending_after_an_exec_that_failed() {
    for python in pythons().iter().step_by(2) {
        let record = python
            .record("sigprof.py failed 0.4")
            .with("--mode cpu -r 1000");
        let told = record.run().fine().told();
        assert_eq!(told["pending"], 0, "Python {:?}", python.version);
    }
}

/// Threads that never take a signal: looks at them count their CPU time, and where there are none, that is
/// said.
#[test]
fn cpu_time_of_threads_with_the_signal_blocked() {
    for python in pythons().iter().step_by(2) {
        for rate in [100, 1000] {
            // On a busy machine looks come late, so one of three runs has to have it all.
            let has_all = (0..3).any(|_| {
                let record = python.record("sigprof.py blocked 0.8");
                let recorded = record.with(&format!("-r {rate}")).run_beside().fine();
                let seen = recorded.seen().is_sound();
                println!("{} samples at {rate} a second", seen.cpu("burn"));
                seen.has_cpu("burn", 0.8, f64::from(rate))
            });
            assert!(has_all, "CPU time is missing");
            let record = python.record("sigprof.py blocked 0.4");
            let recorded = record.with(&format!("--mode cpu -r {rate}")).run().fine();
            let told = "of CPU time is in no sample: threads had SIGPROF blocked";
            let Python { version, .. } = python;
            assert!(
                recorded.stderr.contains(told),
                "{version:?} at {rate}: {}",
                recorded.stderr
            );
            let lost = recorded.seen().counter("blocked_ns") as f64 / 1e9;
            assert!(
                (0.25..0.5).contains(&lost),
                "{version:?} at {rate}: {lost} s"
            );
        }
    }
}

/// libc blocks all signals for a moment in some of its functions and tells nobody: a thread that is met there
/// as sampling begins is sampled all the same.
#[test]
fn a_thread_that_blocks_the_signal_in_passing_is_sampled() {
    let Some(native) = native() else { return };
    for python in pythons().iter().step_by(2) {
        for options in ["--mode cpu", "--mode cpu -r 1000"] {
            let recorded = python
                .record("sigprof.py behind 0.8")
                .with_native(native)
                .with(&format!("{options} --delay 0.5"))
                .run()
                .fine();
            let seen = recorded.seen().is_sound();
            let rate = if options.ends_with("1000") {
                1000.0
            } else {
                100.0
            };
            seen.expect_cpu("burn", 0.8, rate);
            assert_eq!(seen.counter("blocked_ns"), 0);
        }
    }
}

/// The functions of exec that take words one by one: they reach the program, and sampling goes on where
/// there is none.
#[test]
fn words_of_exec_that_are_listed_arrive() {
    let Some(python) = python() else { return };
    for name in ["execl", "execlp", "execle"] {
        for count in [0, 1, 3, 4, 5, 126, 127, 128, 129, 300] {
            let recorded = python
                .record(&format!("exec_lists.py {name} {count} 0.1"))
                .with("--mode cpu")
                .run_beside()
                .fine();
            let words: Vec<_> = (0..count).map(|n| n.to_string()).collect();
            let told = format!("-1 2\n{}\n", words.join(" "));
            assert_eq!(recorded.stdout, told, "{name} of {count}");
            let seen = recorded.seen().is_sound();
            seen.expect_cpu("after_failing", 0.1, 100.0);
        }
    }
}

#[test]
fn children_inherit_the_actions_that_the_program_chose() {
    for python in pythons() {
        python
            .record("sigprof.py children 0.1")
            .with("--mode cpu")
            .run_beside()
            .fine();
    }
}

/// The program faults for real, at a time when the sampler is at work. Its own handlers run, in their
/// order, and it dies of what it would have died of.
#[test]
fn a_real_fault_is_the_programs_own_affair() {
    let Some(native) = native() else { return };
    let kinds = [
        ("plain", ""),
        ("chain", "the program's handler ran"),
        ("faulthandler", "Fatal Python error: Segmentation fault"),
        ("both", "the program's handler ran"),
    ];
    for (n, python) in pythons().iter().enumerate() {
        for (k, (kind, says)) in kinds.into_iter().enumerate() {
            if (n + k) % 2 != 0 && python.version != (3, 11) {
                continue;
            }
            let words = format!("sigsegv.py {kind} 0 0.1");
            let record = python.record(&words).with_native(native);
            let alone = crate::harness::bare(
                &python.program(&words),
                &[("NATIVE".into(), native.library.clone().into())],
            );
            let recorded = record.with("-q -r 500").run().ended(128 + 11);
            let due = format!("Python {:?} {kind}", python.version);
            assert_eq!(crate::harness::shown(alone.status), 128 + 11, "{due}");
            assert_eq!(recorded.stdout, alone.stdout, "{due}");
            // Of faulthandler's text the addresses of threads differ, and the stack in C that it has since
            // 3.14: that of a handler is on it, whoever passed the signal on.
            let lines = |text: &str| -> Vec<String> {
                let is_place =
                    |line: &&str| line.contains("hread 0x") || line.contains("Binary file");
                let lines = text.lines().filter(|line| !is_place(line));
                lines.map(str::to_owned).collect()
            };
            assert_eq!(lines(&recorded.stderr), lines(&alone.stderr), "{due}");
            let said = format!("{}{}", recorded.stdout, recorded.stderr);
            assert!(said.contains(says), "{due}: {said}");
        }
    }
}

/// A runtime that faults on purpose and jumps out of its handler, thousands of times.
#[test]
fn faults_that_the_program_recovers_from_stay_its_own() {
    let Some(native) = native() else { return };
    for python in pythons() {
        let record = python
            .record("sigsegv.py recover 2000 0.1")
            .with_native(native);
        let recorded = record.with("-r 1000").run().fine();
        assert_eq!(recorded.stdout, "2000\n2000\n");
        recorded.seen().is_sound();
    }
}

#[test]
fn a_program_without_a_handler_for_faults_sees_none() {
    let Some(native) = native() else { return };
    for python in pythons() {
        let record = python.record("sigsegv.py before").with_native(native);
        record.with("--mode cpu").run_beside().fine();
    }
}

/// `-X faulthandler` installs its handler before ours or after; both work.
#[test]
fn faulthandler_from_the_start() {
    for python in pythons() {
        let text = "import ctypes, time\nend = time.thread_time() + 0.2\n\
                    while time.thread_time() < end: pass\nprint(1, flush=True)\nctypes.string_at(16)";
        let mut command = python.text(text);
        command.splice(1..1, ["-X", "faulthandler"].map(Into::into));
        let recorded = Record::of(command).with("-q -r 500").run().ended(128 + 11);
        assert_eq!(recorded.stdout, "1\n");
        assert!(
            recorded
                .stderr
                .starts_with("Fatal Python error: Segmentation fault"),
            "{}",
            recorded.stderr
        );
        assert!(recorded.seen().all_cpu() > 0);
    }
}
