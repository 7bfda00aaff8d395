//! Processes: how they begin, multiply, become others and end.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::harness::{Record, Seen, native, python, pythons, send};
use crate::support::{LIMIT, skipped};

#[test]
fn children_of_every_kind_of_fork_end_well() {
    let Some(native) = native() else { return };
    for (n, python) in pythons().iter().enumerate() {
        for (k, (kind, in_children)) in [
            ("threads", 12),
            ("c", 3),
            ("raw", 0),
            ("vfork", 0),
            ("spawn", 0),
        ]
        .into_iter()
        .enumerate()
        {
            if (n + k) % 3 != 0 {
                continue;
            }
            // Python itself warns of a fork among threads since 3.12.
            let words = format!("forks.py {kind} 3 0.06");
            let record = python
                .record(&words)
                .env("PYTHONWARNINGS", "ignore")
                .with_native(native);
            let recorded = record.with("--mode cpu -r 200").run().fine();
            let told = recorded.told();
            assert_eq!(told["failed"], 0, "Python {:?} {kind}", python.version);
            let seen = recorded.seen().is_sound();
            let parents = told["forks"].as_f64().unwrap() * 0.06;
            seen.expect_cpu("in_parent", parents, 200.0);
            match in_children {
                // A child of the kernel's own fork has no one to sample it, or samples of its own: never
                // its parent's.
                0 => assert!(
                    seen.cpu("in_child") <= 60,
                    "{kind}: {}",
                    seen.cpu("in_child")
                ),
                n => {
                    let share = f64::from(n) * 0.06;
                    seen.expect_cpu("in_child", share, 200.0);
                    assert_eq!(seen.pids().len(), n as usize + 1, "{kind}");
                }
            }
        }
    }
}

/// A fork that nobody tells of: 60 children, none of which hangs or brings what its parent had.
#[test]
fn sixty_raw_forks_leave_their_parents_samples_alone() {
    let (Some(python), Some(native)) = (python(), native()) else {
        return;
    };
    let record = python.record("forks.py raw 60 0.005").with_native(native);
    let recorded = record.with("--mode cpu -r 250").run().fine();
    assert_eq!(recorded.told()["forks"], 60);
    assert_eq!(recorded.told()["failed"], 0);
    recorded
        .seen()
        .is_sound()
        .expect_cpu("in_parent", 0.3, 250.0);
}

#[test]
fn processes_of_multiprocessing_are_in_the_profile() {
    for (n, python) in pythons().iter().enumerate() {
        for (k, method) in ["fork", "spawn", "forkserver"].into_iter().enumerate() {
            // Each method with every third version, and all with 3.11.
            if (n + k) % 4 != 0 && python.version != (3, 11) {
                continue;
            }
            let words = format!("processes.py {method} 0.15");
            let record = python.record(&words).env("PYTHONWARNINGS", "ignore");
            let recorded = record.with("--mode cpu").run().fine();
            let told = recorded.told();
            assert_eq!(told["codes"], serde_json::json!([0, 0]), "{method}");
            assert_eq!(told["results"], serde_json::json!([0.15, 0.15]), "{method}");
            let seen = recorded.seen().is_sound();
            seen.expect_cpu("in_worker", 0.6, 100.0);
            let workers = seen
                .rows
                .iter()
                .filter(|row| row.has("in_worker"))
                .map(|row| row.pid);
            let workers: std::collections::BTreeSet<i64> = workers.collect();
            // One worker of the pool may take both of its jobs.
            assert!((3..=4).contains(&workers.len()), "{method}: {workers:?}");
        }
    }
}

#[test]
fn children_are_left_alone_where_that_is_asked() {
    let Some(python) = python() else { return };
    let record = python
        .record("processes.py spawn 0.1")
        .with("--mode cpu --no-subprocesses");
    let recorded = record.run().fine();
    assert_eq!(recorded.seen().cpu("in_worker"), 0);
    assert_eq!(recorded.seen().pids().len(), 1);
    let record = python
        .record("forks.py plain 2 0.1")
        .with("--mode cpu --no-subprocesses");
    let recorded = record.run().fine();
    assert_eq!(recorded.told()["failed"], 0);
    assert_eq!(recorded.seen().cpu("in_child"), 0);
    recorded.seen().expect_cpu("in_parent", 0.2, 100.0);
}

#[test]
fn commands_tell_the_same_as_without_plop() {
    for python in pythons().iter().step_by(2) {
        let recorded = python.record("commands.py").run_beside().fine();
        recorded.seen().is_sound();
    }
}

/// Each exec comes with a signal pending, or as good as.
#[test]
fn hundreds_of_execs_with_signals_pending() {
    let Some(python) = python() else { return };
    // 10,000, as in `./test --soak`, take minutes.
    let recorded = python
        .record("execs.py 100 0.008")
        .with("--mode cpu -r 1000")
        .run()
        .fine();
    assert_eq!(recorded.stdout, "100\n");
    assert!(recorded.seen().is_sound().cpu("burn") > 0);
}

/// The parent has long ended when the daemon saves what it has; its folder for images has gone by then.
#[test]
fn a_daemon_that_closes_all_descriptors_leaves_its_profile() {
    for python in [pythons().first(), python()].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let words = format!("daemon.py {} 0.6", told.display());
        let record = python.record(&words).with("--mode cpu");
        let recorded = record
            .into_file(Some(folder.path().join("d.plop")))
            .run()
            .fine();
        assert_eq!(recorded.stdout, "");
        let text = wait_for(&told, |path| std::fs::read_to_string(path).ok());
        let (pid, status) = text.split_once(' ').unwrap();
        assert_eq!(status, "0");
        let own = folder.path().join(format!("d-{pid}.plop"));
        let joined = folder.path().join("d.plop");
        // Either it was alone when it ended, or somebody was still there to join it to the rest. What is
        // there before the end lacks some.
        let found = wait_for(folder.path(), |_| {
            let files = [&own, &joined].into_iter().filter(|file| file.exists());
            let mut seen = files.map(|file| Seen::of_file(file));
            seen.find(|seen| seen.cpu("in_daemon") >= 36)
        });
        found.is_sound().expect_cpu("in_daemon", 0.6, 100.0);
        assert!(found.rows.iter().any(|row| row.pid.to_string() == pid));
    }
}

/// A daemon that has just been made has saved nothing yet. That it will is said all the same, and not that the
/// program was too fast.
#[test]
fn a_daemon_is_announced_before_it_has_saved_anything() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    for mode in ["cpu", "cpu+wall"] {
        let text = format!(
            "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n\
             os.closerange(0, 100)\ntime.sleep(1.2)\nend = time.thread_time() + 0.3\n\
             while time.thread_time() < end: pass\n\
             open({0:?} + '.part', 'w').write(str(os.getpid()))\nos.rename({0:?} + '.part', {0:?})",
            told.display().to_string()
        );
        let record = Record::of(python.text(&text)).with("--mode").with(mode);
        let file = folder.path().join("d.plop");
        let recorded = record.into_file(Some(file)).run().fine();
        let pid = wait_for(&told, |path| std::fs::read_to_string(path).ok());
        let (said, own) = (
            &recorded.stderr,
            folder.path().join(format!("d-{pid}.plop")),
        );
        let announced = format!("1 process still runs and will save to {}", own.display());
        assert!(said.contains(&announced), "{said}");
        assert!(!said.contains("too fast"), "{said}");
        wait_for(&own, |file| file.exists().then_some(()));
        std::fs::remove_file(&told).unwrap();
    }
}

/// What is left in the background and is no Python will save nothing.
#[test]
fn what_is_not_sampled_is_not_announced() {
    let recorded = Record::of(
        ["sh", "-c", "sleep 2 >/dev/null 2>&1 &"]
            .map(Into::into)
            .into(),
    )
    .run_without_reading()
    .fine();
    assert!(
        !recorded.stderr.contains("still run"),
        "{}",
        recorded.stderr
    );
}

fn wait_for<T>(path: &Path, found: impl Fn(&Path) -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < LIMIT {
        if let Some(found) = found(path) {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let there: Vec<PathBuf> = (std::fs::read_dir(path.parent().unwrap())
        .into_iter()
        .flatten())
    .map(|entry| entry.unwrap().path())
    .collect();
    panic!("{} does not come; there are {there:?}", path.display());
}

/// However a program ends, its profile is there, and it ends as it would have.
#[test]
fn every_ending_keeps_the_profile_and_the_status() {
    let endings = [
        "return",
        "exit:3",
        "exit-in-thread",
        "exception",
        "_exit:4",
        "handled:SIGTERM",
        "handled:SIGINT",
    ];
    for (n, python) in pythons().iter().enumerate() {
        for (k, ending) in endings.into_iter().enumerate() {
            if (n + k) % 4 != 0 && python.version != (3, 11) {
                continue;
            }
            let words = format!("burn.py 0.2 {ending}");
            let recorded = python.record(&words).with("--mode cpu").run_beside();
            recorded.seen().is_sound().expect_cpu("burn", 0.2, 100.0);
        }
    }
}

/// Nothing runs in a process that a signal ends: what was saved in the second before is there.
#[test]
fn every_signal_keeps_the_profile_and_the_status() {
    let signals = [
        ("SIGTERM", 15),
        ("SIGHUP", 1),
        ("SIGINT", 2),
        ("SIGQUIT", 3),
        ("SIGUSR1", 10),
        ("SIGALRM", 14),
        ("SIGSEGV", 11),
        ("abort", 6),
    ];
    for (n, (ending, status)) in signals.into_iter().enumerate() {
        let Some(python) = pythons().get(n % pythons().len().max(1)) else {
            return;
        };
        let words = format!("burn.py 1.4 {ending}");
        let recorded = python
            .record(&words)
            .with("--mode cpu")
            .run()
            .ended(128 + status);
        let samples = recorded.seen().is_sound().cpu("burn");
        assert!(samples >= 15, "{ending}: {samples} samples of 1.4 s");
        assert!(
            !recorded.stderr.contains("did not come to the end"),
            "{}",
            recorded.stderr
        );
    }
}

/// What was saved right before the end lacks nothing, and is not said to.
#[test]
fn a_process_that_ends_itself_by_a_signal_lacks_nothing() {
    let Some(python) = python() else { return };
    for (how, status) in [
        ("raise KeyboardInterrupt", 2),
        (
            "signal.signal(15, signal.SIG_DFL); os.kill(os.getpid(), 15)",
            15,
        ),
        ("import ctypes; ctypes.string_at(0)", 11),
    ] {
        let text = format!(
            "import os, signal, time\ndef burn():\n    end = time.thread_time() + 0.5\n\
             \x20   while time.thread_time() < end: pass\nburn()\n{how}"
        );
        let recorded = Record::of(python.text(&text))
            .with("--mode cpu")
            .run()
            .ended(128 + status);
        recorded.seen().is_sound().expect_cpu("burn", 0.5, 100.0);
        assert!(
            !recorded.stderr.contains("did not come to the end"),
            "{}",
            recorded.stderr
        );
    }
}

/// A signal that asks the process to end, from outside and unhandled: all that was sampled is saved.
#[test]
fn a_request_to_end_loses_nothing() {
    let text = "import os, time\n\
                def burn(seconds):\n    end = time.thread_time() + seconds\n    while time.thread_time() < end: pass\n\
                burn(0.7)\nprint(os.getpid(), flush=True)\nos.read(0, 1)\nwhile True: time.sleep(1)";
    for python in pythons() {
        for (signal, number) in [("TERM", 15), ("HUP", 1)] {
            for mode in ["", "--exec"] {
                let record = Record::of(python.text(text)).with("--mode cpu").with(mode);
                let mut underway = record.start();
                underway.until_it_speaks();
                let pid = underway.started.stdout().trim().parse().unwrap();
                send(signal, pid);
                let recorded = underway.wait().ended(128 + number);
                let seen = recorded.seen().is_sound();
                seen.expect_cpu("burn", 0.7, 100.0);
                let lacks = recorded.stderr.contains("did not come to the end");
                assert!(!lacks, "{:?} {signal}: {}", python.version, recorded.stderr);
            }
        }
    }
}

/// A pool of processes asks its workers to end while they are ending.
#[test]
fn workers_of_a_pool_lose_nothing() {
    let text = "import multiprocessing, time\n\
                def burn(seconds):\n    end = time.process_time() + seconds\n    while time.process_time() < end: pass\n\
                if __name__ == '__main__':\n    \
                with multiprocessing.get_context('fork').Pool(3) as pool: pool.map(burn, [0.3] * 6)\n";
    for python in pythons() {
        for _ in 0..3 {
            let record = Record::of(python.text(text)).with("--mode cpu");
            let recorded = record.run().fine();
            recorded.seen().is_sound().expect_cpu("burn", 1.8, 100.0);
            let lacks = recorded.stderr.contains("did not come to the end");
            assert!(!lacks, "{:?}: {}", python.version, recorded.stderr);
        }
    }
}

/// A crash that nothing in the program handles, on the thread's own stack and on a stack for signals as
/// small as that of Rust's runtime.
#[test]
fn a_crash_loses_nothing_that_was_sampled() {
    let burn = "import ctypes, sys, time\n\
                def burn(seconds):\n    end = time.thread_time() + seconds\n    while time.thread_time() < end: pass\n";
    let stack = "class Stack(ctypes.Structure):\n    \
                 _fields_ = [('at', ctypes.c_void_p), ('flags', ctypes.c_int), ('size', ctypes.c_size_t)]\n\
                 room = ctypes.create_string_buffer(8192)\n\
                 stack = Stack(ctypes.addressof(room), 0, 8192)\n\
                 assert ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None) == 0\n";
    for python in pythons() {
        for stack in ["", stack] {
            let text = format!("{burn}{stack}burn(0.7)\nctypes.string_at(0)");
            let record = Record::of(python.text(&text)).with("--mode cpu");
            let recorded = record.run().ended(128 + 11);
            let seen = recorded.seen().is_sound();
            seen.expect_cpu("burn", 0.7, 100.0);
        }
    }
}

/// Nothing runs in a process that is killed: what was saved before is there.
#[test]
fn sigkill_leaves_what_was_saved_before() {
    for python in [pythons().first(), python()].into_iter().flatten() {
        let words = "burn.py 2 SIGKILL";
        let recorded = python
            .record(words)
            .with("--mode cpu -q")
            .run()
            .ended(128 + 9);
        let samples = recorded.seen().is_sound().cpu("burn");
        assert!(samples >= 30, "{samples} samples of 2 s");
    }
}

/// The terminal sends Ctrl-C to both plop and the program.
#[test]
fn ctrl_c_ends_the_program_and_keeps_the_profile() {
    for python in [pythons().first(), python()].into_iter().flatten() {
        let mut underway = python.record("burn.py 1.4 wait").with("--mode cpu").start();
        underway.until_it_speaks();
        send("INT", -i64::from(underway.pid()));
        let recorded = underway.wait().ended(128 + 2);
        assert!(
            recorded.stderr.contains("KeyboardInterrupt"),
            "{}",
            recorded.stderr
        );
        assert!(recorded.seen().is_sound().cpu("burn") >= 15);
    }
}

/// A service manager sends SIGTERM to plop alone; the program must learn of it.
#[test]
fn a_signal_to_plop_reaches_the_program() {
    let Some(python) = python() else { return };
    let text = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n\
                print('ready', flush=True)\nwhile True: sum(range(10000))";
    let mut underway = Record::of(python.text(text)).with("--mode cpu").start();
    underway.until_it_speaks();
    send("TERM", underway.pid().into());
    let recorded = underway.wait().ended(9);
    assert_eq!(recorded.stdout, "ready\n");
}

/// A program that is stopped and goes on later: its sampler was stopped as well.
#[test]
fn a_program_that_was_stopped_goes_on() {
    let Some(python) = python() else { return };
    let mut underway = python.record("burn.py 0.2 wait").start();
    underway.until_it_speaks();
    let group = -i64::from(underway.pid());
    for _ in 0..3 {
        send("STOP", group);
        std::thread::sleep(std::time::Duration::from_millis(150));
        send("CONT", group);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    send("TERM", group);
    let recorded = underway.wait();
    assert!(recorded.seen().is_sound().cpu("burn") >= 10);
}

/// A process with one thread must not look as if it had more.
#[test]
fn a_fork_warns_of_no_threads_that_are_not_the_programs() {
    for (n, python) in pythons().iter().enumerate() {
        // On both clocks there is a thread of ours for each, on one for the other.
        for mode in ["cpu+wall", "cpu"].into_iter().take(1 + n % 2) {
            let record = python.record("fork_once.py").with("--mode").with(mode);
            let recorded = record.with("-q").run().fine();
            assert_eq!(recorded.stdout, "parent 0\n".repeat(3));
            assert_eq!(recorded.stderr, "");
        }
    }
}

/// A script and a shell around the program are no obstacle.
#[test]
fn programs_behind_shells_are_found() {
    let Some(python) = python() else { return };
    let record = python
        .record("burn.py 0.2")
        .through(["sh", "-c", "true; \"$@\"; exit $?", "sh"]);
    record
        .with("--mode cpu")
        .run()
        .fine()
        .seen()
        .is_sound()
        .expect_cpu("burn", 0.2, 100.0);
    let record = python
        .record("burn.py 0.2 exit:3")
        .through(["env", "-u", "HOME", "nice", "-n", "1"]);
    record
        .with("--mode cpu")
        .run()
        .ended(3)
        .seen()
        .expect_cpu("burn", 0.2, 100.0);
}

/// The stress of `./test --soak`, for a moment.
#[test]
fn a_moment_of_stress_at_twenty_thousand_samples_a_second() {
    for python in pythons() {
        let recorded = python.record("stress.py 0.8").with("-r 20000").run().fine();
        let told = recorded.told();
        assert_eq!(told["failed"], 0, "Python {:?}: {told}", python.version);
        assert!(told["forks"].as_i64().unwrap() > 0);
        let seen = recorded.seen().is_sound();
        assert!(seen.all_cpu() > 100, "{} samples", seen.all_cpu());
    }
}

/// In the child of a fork the forking thread is the only one. When it returns, the process ends: nothing
/// of ours may crash it, or keep it.
#[test]
fn a_child_whose_forking_thread_returns_ends_well() {
    // A fork while another thread ends crashes Python itself now and then, so none ends before all have forked.
    let text = "import os, threading, time\n\
                all_forked = threading.Barrier(3)\n\
                def work():\n    end = time.time() + 0.1\n    while time.time() < end: pass\n    child = os.fork()\n    \
                if child: os.write(1, b'%d\\n' % os.waitpid(child, 0)[1]), all_forked.wait()\n\
                threads = [threading.Thread(target=work) for _ in range(3)]\n\
                [thread.start() for thread in threads]\n[thread.join() for thread in threads]";
    for python in pythons() {
        for options in ["-r 100", "--no-subprocesses", "--mode cpu -r 1000"] {
            let record = Record::of(python.text(text)).env("PYTHONWARNINGS", "ignore");
            let recorded = record.with(options).run().fine();
            assert_eq!(
                recorded.stdout, "0\n0\n0\n",
                "Python {:?}, {options}",
                python.version
            );
        }
    }
}

/// A process may become another user when it has been saved as the first: the rest is not lost.
#[test]
fn a_process_that_becomes_another_user_late_is_recorded_whole() {
    let Some(python) = python() else { return };
    if !rustix::process::geteuid().is_root() {
        skipped("what only root can do: to become another user");
        return;
    }
    let text = "import os, time\n\
                def early():\n    end = time.thread_time() + 0.6\n    while time.thread_time() < end: pass\n\
                def late():\n    end = time.thread_time() + 0.6\n    while time.thread_time() < end: pass\n\
                early()\nos.setgid(65534)\nos.setuid(65534)\nlate()";
    let recorded = Record::of(python.text(text))
        .with("--mode cpu")
        .run()
        .fine();
    let seen = recorded.seen().is_sound();
    seen.expect_cpu("early", 0.6, 100.0);
    seen.expect_cpu("late", 0.6, 100.0);
}
