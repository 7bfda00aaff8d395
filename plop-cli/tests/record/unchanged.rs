//! What a program can see of itself is what it would see without plop, but for what is documented: two
//! variables of the environment, and a thread of ours in `/proc`.

use std::ffi::OsString;

use serde_json::Value;

use crate::harness::{Record, bare, python, pythons};

/// Small programs whose output, errors and status must be the same.
#[test]
fn output_errors_and_status_are_the_same() {
    let burn =
        "import time\nend = time.thread_time() + 0.05\nwhile time.thread_time() < end: pass\n";
    let scripts = [
        "print('out'); import sys; print('err', file=sys.stderr)",
        "import sys; sys.exit(0)",
        "import sys; sys.exit(17)",
        "import sys; sys.exit('a message')",
        "import sys; sys.exit(None)",
        "raise KeyboardInterrupt",
        "raise SystemExit(300)",
        "1 / 0",
        "import os; os._exit(9)",
        "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os, signal; os.kill(os.getpid(), signal.SIGPIPE); print('ignored')",
        "import atexit; atexit.register(print, 'at exit'); raise ValueError('x')",
        "import threading; threading.Thread(target=lambda: (_ for _ in ()).throw(ValueError('t'))).start()",
        "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "import sys; sys.stdout.close(); sys.exit(4)",
        "import os; os.close(1); os.close(2); os._exit(3)",
        "import sys; print(sys.argv, sys.flags.dev_mode, sys.path[0])",
        "import sys; sys.setrecursionlimit(200)\ndef f(): f()\ntry: f()\nexcept RecursionError: print('deep')",
        "import gc; gc.freeze(); gc.collect(); print(gc.get_freeze_count() > 0)",
        "import sys; print(len(sys._current_frames()), sys.getswitchinterval())",
        "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'import sys; sys.exit(5)']).returncode)",
        "import os; r, w = os.pipe(); os.write(w, b'x'); print(os.read(r, 1), r, w)",
        "print(open('/proc/self/comm').read())",
        "import signal; signal.alarm(1); signal.pause()",
        "import time; before = time.time(); time.sleep(0.2); print(time.time() - before >= 0.2)",
        "import sys; print(sys.stdin.read() == '')",
        "print('x' * 100000)",
        "import ctypes; ctypes.string_at(16)",
    ];
    for (n, python) in pythons().iter().enumerate() {
        for (k, script) in scripts.iter().enumerate() {
            // Each script with every fifth version, and all with 3.11.
            if (n + k) % 5 != 0 && python.version != (3, 11) {
                continue;
            }
            let text = format!("{burn}{script}");
            Record::of(python.text(&text)).with("-r 500").run_beside();
        }
    }
}

/// An address differs from run to run; a number of a process does, too.
#[test]
fn a_program_finds_its_process_as_it_was() {
    for python in pythons() {
        let command: Vec<OsString> = python.program("surroundings.py 0.15 argument");
        let [alone, again] = [(); 2].map(|()| bare(&command, &[]).stdout);
        assert_eq!(alone, again, "the program tells the same each time");
        let recorded = Record::of(command).with("-q").run().fine();
        let alone: Value = serde_json::from_str(&alone).unwrap();
        for when in 0..2 {
            let (with, without) = (&recorded.told()[when], &alone[when]);
            for (key, value) in without.as_object().unwrap() {
                if key != "environment" {
                    assert_eq!(&with[key], value, "Python {:?}: {key}", python.version);
                }
            }
            let (with, without) = (&with["environment"], &without["environment"]);
            let added: Vec<&str> = (with.as_object().unwrap().iter())
                .filter(|(key, value)| without.get(key) != Some(value))
                .map(|(key, _)| key.as_str())
                .collect();
            assert!(
                added
                    .iter()
                    .all(|key| ["LD_PRELOAD", "PLOP_AGENT"].contains(key)),
                "{added:?}"
            );
            let missing = without
                .as_object()
                .unwrap()
                .keys()
                .find(|key| with.get(key).is_none());
            assert_eq!(missing, None);
        }
    }
}

/// Warnings are errors, as some projects have them in their tests.
#[test]
fn no_warning_is_added() {
    for python in pythons() {
        let mut command = python.program("surroundings.py 0.1");
        command.splice(1..1, ["-W", "error", "-X", "dev"].map(Into::into));
        let alone = bare(&command, &[]);
        let recorded = Record::of(command).with("-q").run();
        assert_eq!(
            (recorded.status, &recorded.stderr),
            (alone.status, &alone.stderr)
        );
    }
}

/// A reader of the program's output that goes away early.
#[test]
fn a_pipe_that_closes_is_the_programs_affair() {
    let Some(python) = python() else { return };
    let text = "import sys\nfor n in range(100000): print(n)";
    let shell = "{ \"$@\"; echo $? >&2; } | head -n 1";
    let sh = ["sh", "-c", shell, "sh"].map(OsString::from);
    let program = python.text(text);
    let without: Vec<OsString> = sh.iter().cloned().chain(program.clone()).collect();
    let record = Record::of(program).with("-q");
    let plop = record.command();
    let mut with: Vec<OsString> = sh.into();
    with.push(plop.get_program().into());
    with.extend(plop.get_args().map(Into::into));
    let [with, without] = [with, without].map(|command| bare(&command, &[]));
    assert_eq!((with.stdout, with.stderr), (without.stdout, without.stderr));
}
