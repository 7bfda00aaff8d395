//! What `plop record` can be asked for.

use std::collections::BTreeSet;

use crate::harness::{Record, Seen, python, pythons, send};

/// Every mode has its values, and samples where the time is.
#[test]
fn every_mode_samples_on_every_version() {
    for (n, python) in pythons().iter().enumerate() {
        for (k, (mode, values)) in [
            ("cpu+wall", &["cpu", "wall"][..]),
            ("cpu", &["cpu"]),
            ("wall", &["wall"]),
            ("prof", &["cpu"]),
            ("virtual", &["cpu"]),
            ("real", &["wall"]),
        ]
        .into_iter()
        .enumerate()
        {
            // Those of the original with every other version.
            if k >= 3 && (n + k) % 2 != 0 {
                continue;
            }
            let recorded = python
                .record("burn.py 0.25")
                .with("--mode")
                .with(mode)
                .run()
                .fine();
            let seen = recorded.seen().is_sound();
            let kinds: Vec<_> = seen
                .profile
                .values
                .iter()
                .map(|value| value.kind.as_str())
                .collect();
            assert_eq!(kinds, values, "{mode}");
            assert_eq!(seen.profile.meta.clock, mode);
            match mode {
                "cpu+wall" | "cpu" | "prof" => drop(seen.expect_cpu("burn", 0.25, 100.0)),
                // The time in the kernel, for the clock, is not counted.
                "virtual" => assert!((4..=32).contains(&seen.cpu("burn")), "{}", seen.cpu("burn")),
                _ => assert!(seen.wall("burn") >= 12, "{mode}: {}", seen.wall("burn")),
            }
            if mode == "cpu+wall" {
                assert!(seen.wall("burn") >= 12, "{}", seen.wall("burn"));
            }
        }
    }
}

/// The end of the duration ends the collecting, never the program.
#[test]
fn the_program_outlives_the_duration() {
    let Some(python) = python() else { return };
    let recorded = python
        .record("burn.py 1.5")
        .with("--mode cpu -d 0.3")
        .run()
        .fine();
    assert_eq!(recorded.stdout, "done\n");
    let samples = recorded.seen().is_sound().all_cpu();
    // 150 were due without it.
    assert!((1..120).contains(&samples), "{samples} samples");
}

/// A service is recorded for a while: its profile is there when the while is over, not when it ends.
#[test]
fn the_profile_of_a_duration_is_there_before_the_program_ends() {
    let Some(python) = python() else { return };
    let text =
        "import time\nend = time.time() + 0.4\nwhile time.time() < end: pass\ntime.sleep(600)";
    let mut underway = Record::of(python.text(text)).with("-d 0.3").start();
    underway.until_it_is_saved();
    assert!(underway.started.process.is_alive());
    send("TERM", underway.pid().into());
    let recorded = underway.wait().ended(128 + 15);
    assert!(recorded.seen().is_sound().all_cpu() > 0);
}

/// Before the delay is over, nothing is collected.
#[test]
fn nothing_is_collected_before_the_delay_is_over() {
    let Some(python) = python() else { return };
    let text = "import time\ndef early():\n    end = time.thread_time() + 0.2\n    while time.thread_time() < end: pass\n\
                early()\ntime.sleep(2)\nend = time.thread_time() + 0.3\n\
                def late():\n    while time.thread_time() < end: pass\nlate()";
    let recorded = Record::of(python.text(text))
        .with("--delay 1.5")
        .run()
        .fine();
    let seen = recorded.seen().is_sound();
    seen.expect_cpu("late", 0.3, 100.0);
    // It would take a machine that gives 0.2 s of CPU time in 1.5 s to see this fail.
    assert_eq!(seen.cpu("early"), 0);
}

/// What was recorded in its time stands when the program ends, with its children in it, and nothing lies beside.
#[test]
fn what_a_duration_recorded_stays() {
    let text = "import os, time\n\
                def burn(seconds):\n    end = time.monotonic() + seconds\n    while time.monotonic() < end: pass\n\
                pid = os.fork()\nburn(2)\n\
                if pid == 0: os._exit(0)\nos.waitpid(pid, 0)\nif os.fork() == 0: burn(0.2)\n";
    for python in [pythons().first(), python()].into_iter().flatten() {
        for name in ["d.plop", "d.folded"] {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join(name);
            let record = Record::of(python.text(text)).with("-d 0.7 --mode cpu");
            let recorded = record.into_file(Some(out.clone())).run_without_reading();
            let files: Vec<_> = (std::fs::read_dir(folder.path()).unwrap())
                .map(|entry| entry.unwrap().file_name())
                .collect();
            assert_eq!(files, [name], "{:?}: {}", python.version, recorded.stderr);
            if name == "d.plop" {
                assert_eq!(Seen::of_file(&out).pids().len(), 2, "{:?}", python.version);
            }
        }
    }
}

#[test]
fn labels_are_on_every_sample() {
    let Some(python) = python() else { return };
    let options = "--label service=search --label commit=9bd07e --mode cpu";
    let recorded = python.record("burn.py 0.2").with(options).run().fine();
    assert!(!recorded.seen().rows.is_empty());
    for row in &recorded.seen().rows {
        assert_eq!(
            (row.label("service"), row.label("commit")),
            ("search", "9bd07e")
        );
        assert_eq!(row.state(), "on CPU");
    }
}

#[test]
fn a_timeline_keeps_the_time_of_each_sample() {
    for python in [pythons().first(), python()].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.speedscope.json");
        let record = python.record("burn.py 0.4").with("--mode cpu --timeline");
        let recorded = record.into_file(Some(file)).run().fine();
        let seen = recorded.seen();
        let times: Vec<i64> = seen
            .profile
            .samples
            .iter()
            .filter_map(|sample| sample.time_ns)
            .collect();
        assert!(times.len() >= 25, "{} times", times.len());
        let distinct: BTreeSet<i64> = times.iter().copied().collect();
        assert!(distinct.len() >= 20);
        let duration = seen.profile.meta.duration_ns.unwrap();
        assert!(
            times
                .iter()
                .all(|time| (0..=duration + 100_000_000).contains(time))
        );
        seen.expect_cpu("burn", 0.4, 100.0);
    }
}

/// Looks are read out at other times than ticks: nothing is lost because of that.
#[test]
fn a_timeline_has_looks_and_ticks() {
    let Some(python) = python() else { return };
    for mode in ["cpu+wall", "wall"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.speedscope.json");
        let text = "import threading, time\ndef burn():\n    end = time.thread_time() + 0.4\n\
                    \x20   while time.thread_time() < end: pass\n\
                    thread = threading.Thread(target=burn)\nthread.start()\ntime.sleep(0.5)\n\
                    thread.join()";
        let record = Record::of(python.text(text)).with(&format!("--timeline --mode {mode}"));
        let recorded = record.into_file(Some(file)).run().fine();
        assert!(!recorded.stderr.contains("no times"), "{}", recorded.stderr);
        let seen = recorded.seen();
        let samples = &seen.profile.samples;
        let timed = samples.iter().filter(|s| s.time_ns.is_some()).count();
        assert!(timed * 10 >= samples.len() * 9 && timed >= 50, "{timed}");
        assert!(seen.wall("burn") >= 25, "{mode}: {}", seen.wall("burn"));
    }
}

/// A timer of the process comes no faster than the kernel's ticks, which loses the others. That is said.
#[test]
fn a_rate_that_a_timer_of_the_process_cannot_have_is_said() {
    let Some(python) = python() else { return };
    let recorded = python
        .record("burn.py 0.6")
        .with("--mode prof -r 10000")
        .run()
        .fine();
    let said = &recorded.stderr;
    assert!(
        said.contains("no faster than the kernel's ticks, "),
        "{said}"
    );
    assert!(said.contains("that were due did not come"), "{said}");
    let recorded = python
        .record("burn.py 0.6")
        .with("--mode prof -r 50")
        .run()
        .fine();
    let said = &recorded.stderr;
    assert!(!said.contains("sampled by"), "{said}");
}

/// Descriptors may be too few for perf events. What takes over, and why, is said as it is.
#[test]
fn where_perf_events_lack_descriptors_timers_take_over() {
    let Some(python) = python() else { return };
    let record = python.record("burn.py 0.6").with("--mode cpu -r 1000");
    let recorded = record
        .through(["sh", "-c", "ulimit -n 20; exec \"$@\"", "sh"])
        .run()
        .fine();
    let seen = recorded.seen().is_sound();
    let why = seen.said("trigger_why");
    // Where they are not permitted at all there is nothing to lack.
    assert!(
        why.contains("lack descriptors") || why.contains("are refused"),
        "{why}"
    );
    assert!(!why.contains("timers on threads"), "{why}");
    assert_eq!(seen.said("trigger"), "timer");
    seen.expect_cpu("burn", 0.6, 1000.0);
}

/// A program that uses the timer of a mode has it, as without plop; that it was not sampled meanwhile is said.
#[test]
fn a_program_has_the_timer_that_it_sets_itself() {
    let Some(python) = python() else { return };
    let set = |mode: &str, timer: &str, signal: &str, clear: &str| {
        let text = format!(
            "import signal, time\ncount = 0\n\
             def tick(*_):\n    global count\n    count += 1\n\
             def burn(seconds):\n    end = time.thread_time() + seconds\n\
             \x20   while time.thread_time() < end: sum(range(5000))\n\
             signal.signal(signal.{signal}, tick)\n\
             assert signal.setitimer(signal.{timer}, 0) == (0.0, 0.0)\n\
             assert signal.alarm(0) == 0\n\
             burn(0.05)\n\
             assert signal.setitimer(signal.{timer}, 0.02, 0.02) == (0.0, 0.0)\n\
             def alone():\n    burn(0.5)\nalone()\n{clear}\nburn(0.5)\nassert count >= 3, count\n\
             signal.signal(signal.{signal}, signal.SIG_IGN)"
        );
        Record::of(python.text(&text))
            .with("--mode")
            .with(mode)
            .run()
            .fine()
    };
    for (mode, timer, signal) in [
        ("prof", "ITIMER_PROF", "SIGPROF"),
        ("virtual", "ITIMER_VIRTUAL", "SIGVTALRM"),
        ("real", "ITIMER_REAL", "SIGALRM"),
    ] {
        let recorded = set(mode, timer, signal, "pass");
        let said = &recorded.stderr;
        assert!(
            said.contains("the program sets this timer itself"),
            "{said}"
        );
        let recorded = set(
            mode,
            timer,
            signal,
            &format!("signal.setitimer(signal.{timer}, 0)"),
        );
        let seen = recorded.seen().is_sound();
        let of = |name| seen.cpu(name) + seen.wall(name);
        assert_eq!(of("alone"), 0, "{mode}");
        assert!(of("burn") >= 3, "{mode}: {}", of("burn"));
    }
    let text = "import signal, time\nsignal.signal(signal.SIGALRM, lambda *_: None)\nsignal.alarm(1)\n\
                time.sleep(0.3)";
    let recorded = Record::of(python.text(text))
        .with("--mode real")
        .run()
        .fine();
    let said = &recorded.stderr;
    assert!(
        said.contains("the program sets this timer itself"),
        "{said}"
    );
    assert!(!said.contains("too fast"), "{said}");
}

/// plop becomes the program: the same process, and the profile is there without a parent.
#[test]
fn exec_keeps_the_process_and_leaves_a_profile() {
    for python in pythons() {
        let text = "import os, sys, time\ndef burn():\n    end = time.thread_time() + 0.3\n\
                    \x20   while time.thread_time() < end: pass\nburn()\nprint(os.getpid())\nsys.exit(3)";
        let underway = Record::of(python.text(text))
            .with("--exec --mode cpu")
            .start();
        let pid = underway.pid();
        let recorded = underway.wait().ended(3);
        assert_eq!(recorded.stdout.trim(), pid.to_string());
        let seen = recorded.seen().is_sound();
        seen.expect_cpu("burn", 0.3, 100.0);
        assert!(seen.rows.iter().all(|row| row.pid == i64::from(pid)));
    }
}

#[test]
fn exec_keeps_what_children_recorded() {
    let Some(python) = python() else { return };
    let recorded = python
        .record("forks.py plain 2 0.2")
        .with("--exec --mode cpu")
        .run()
        .fine();
    assert_eq!(recorded.told()["failed"], 0);
    recorded
        .seen()
        .is_sound()
        .expect_cpu("in_parent", 0.4, 100.0);
    let mut children = 0;
    for entry in std::fs::read_dir(recorded.folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("x-") && name.ends_with(".plop") {
            Seen::of_file(&path)
                .is_sound()
                .expect_cpu("in_child", 0.2, 100.0);
            children += 1;
        }
    }
    assert_eq!(children, 2);
}

/// A program killed in mid-air, with no parent to finish its profile.
#[test]
fn exec_leaves_a_profile_however_it_ends() {
    if let Some(python) = python() {
        for (ending, seconds, status) in [
            ("exception", 0.3, 1),
            ("_exit:4", 0.3, 4),
            ("handled:SIGTERM", 0.3, 7),
            // Nothing runs after these; what was saved in the second before is there.
            ("SIGTERM", 1.4, 128 + 15),
            ("abort", 1.4, 128 + 6),
        ] {
            let words = format!("burn.py {seconds} {ending}");
            let record = python.record(&words).with("--exec --mode cpu");
            let recorded = record.run().ended(status);
            let samples = recorded.seen().is_sound().cpu("burn");
            assert!(samples >= 15, "{ending}: {samples} samples");
        }
    }
}

/// The output is in whatever format its name asks for.
#[test]
fn other_formats_are_written() {
    let Some(python) = python() else { return };
    for ending in ["pb.gz", "folded", "speedscope.json", "svg"] {
        let record = python.record("burn.py 0.2").with("--mode cpu");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("x.{ending}"));
        record
            .into_file(Some(file.clone()))
            .run_without_reading()
            .fine();
        let bytes = std::fs::read(&file).unwrap();
        match ending {
            "svg" => assert!(String::from_utf8(bytes).unwrap().contains("burn")),
            _ => assert!(
                Seen::read(&bytes)
                    .functions()
                    .iter()
                    .any(|name| name.contains("burn"))
            ),
        }
    }
}

/// At the end one line tells how it went.
#[test]
fn one_line_tells_how_it_went() {
    let Some(python) = python() else { return };
    let recorded = python.record("forks.py plain 1 0.2").run().fine();
    let said: Vec<&str> = recorded.stderr.lines().collect();
    let line = said
        .iter()
        .find(|line| line.contains("samples"))
        .expect("it tells of samples");
    for word in ["samples", "threads", "processes", "%"] {
        assert!(line.contains(word), "{word}: {said:?}");
    }
    let quiet = python.record("burn.py 0.1").with("-q").run().fine();
    assert_eq!(quiet.stderr, "");
}

/// Rates that no clock keeps.
#[test]
fn impossible_rates_are_refused() {
    for rate in ["0", "20001", "-5", "fast"] {
        let recorded = Record::of(vec!["true".into()])
            .with("--rate")
            .with(rate)
            .run()
            .ended(2);
        assert!(
            recorded.stderr.contains("rate"),
            "{rate}: {}",
            recorded.stderr
        );
    }
}
