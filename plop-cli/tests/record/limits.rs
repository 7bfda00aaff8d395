//! Processes that may do less than usual. The program runs as it would, and what could not be recorded
//! is said.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Python, Record, compile, native, python, pythons};
use crate::support::{executable, skipped};

/// Memory is refused: the program is not harmed by what we would have needed.
#[test]
fn a_program_with_little_address_space_runs() {
    let Some(native) = native() else { return };
    let limits = [60, 80, 100, 150, 250];
    for (n, python) in pythons().iter().enumerate() {
        for (k, megabytes) in limits.into_iter().enumerate() {
            if (n + k) % 3 != 0 && python.version != (3, 11) {
                continue;
            }
            let record = Record::of(python.program("burn.py 0.15"));
            let words = format!("as={}", megabytes * 1024 * 1024);
            let recorded = record.limited(native, &words).run_beside();
            if megabytes >= 150 && recorded.status.success() {
                recorded.seen().is_sound();
            }
        }
    }
}

/// Each timer takes one of the signals that a user may have pending.
#[test]
fn without_pending_signals_other_triggers_take_over() {
    let Some(native) = native() else { return };
    for python in pythons() {
        let record = python
            .record("burn.py 0.3")
            .with("--mode cpu")
            .limited(native, "sigpending=0");
        let recorded = record.run().fine();
        let seen = recorded.seen().is_sound();
        assert_ne!(seen.said("trigger"), "timer");
        assert!(!seen.said("trigger_why").is_empty());
        seen.expect_cpu("burn", 0.3, 100.0);
    }
}

/// A filter of system calls refuses what samplers need, one after the other.
#[test]
fn refused_system_calls_are_said_and_others_take_over() {
    let (Some(python), Some(native)) = (python(), native()) else {
        return;
    };
    for (refused, triggers) in [
        ("refuse=timer_create:EPERM", &["perf", "itimer"][..]),
        (
            "refuse=timer_create:ENOSYS refuse=perf_event_open:EPERM",
            &["itimer"],
        ),
        (
            "refuse=timer_create:EPERM refuse=perf_event_open:EACCES refuse=setitimer:EPERM",
            &["wall", "none"],
        ),
        ("refuse=perf_event_open:EACCES", &["timer"]),
        ("refuse=madvise:EPERM", &["timer"]),
        (
            "refuse=sched_setattr:EPERM refuse=process_vm_readv:EPERM",
            &["timer"],
        ),
    ] {
        let record = Record::of(python.program("burn.py 0.3")).limited(native, refused);
        let recorded = record.run().fine();
        assert_eq!(recorded.stdout, "done\n", "{refused}");
        if refused.contains("madvise") && !recorded.has_profile() {
            continue; // Without it a fork would not be noticed, so refusing to sample is right.
        }
        let seen = recorded.seen().is_sound();
        let trigger = seen.said("trigger");
        assert!(triggers.contains(&trigger), "{refused}: {trigger}");
        match trigger {
            "wall" | "none" => assert!(seen.wall("burn") > 0, "{refused}"),
            _ => drop(seen.expect_cpu("burn", 0.3, 100.0)),
        }
    }
}

/// A filter that kills whoever makes a timer: we must not be the one.
#[test]
fn system_calls_that_kill_are_not_made() {
    let (Some(python), Some(native)) = (python(), native()) else {
        return;
    };
    for filter in [
        "kill=timer_create",
        "trap=timer_create",
        "kill=timer_create kill=perf_event_open",
    ] {
        let record = Record::of(python.program("burn.py 0.3")).limited(native, filter);
        let recorded = record.run().fine();
        assert_eq!(recorded.stdout, "done\n", "{filter}");
        let seen = recorded.seen().is_sound();
        assert_ne!(seen.said("trigger"), "timer", "{filter}");
        assert!(seen.wall("burn") > 0, "{filter}");
    }
}

/// Above the kernel's tick perf is wanted; where it is not permitted, that is said.
#[test]
fn without_perf_a_high_rate_is_said_to_be_out_of_reach() {
    let (Some(python), Some(native)) = (python(), native()) else {
        return;
    };
    let record = python.record("burn.py 0.3").with("--mode cpu -r 1000");
    let recorded = record
        .limited(native, "refuse=perf_event_open:EACCES")
        .run()
        .fine();
    let seen = recorded.seen().is_sound();
    assert_eq!(seen.said("trigger"), "timer");
    assert!(!seen.said("trigger_why").is_empty());
    // 100 a second is the slowest tick there is; overruns are counted and carried.
    assert!(seen.cpu("burn") >= 20);
}

/// A user who may start no more threads.
#[test]
fn where_no_thread_can_be_started_the_program_runs() {
    let (Some(python), Some(native)) = (other_users_python(), native()) else {
        return;
    };
    let record = Record::of(python.program("burn.py 0.3"));
    let recorded = shared(record)
        .limited(native, "nproc=1 uid=65534")
        .run()
        .fine();
    assert_eq!(recorded.stdout, "done\n");
}

/// A server that begins as root and goes on as somebody else.
#[test]
fn a_program_that_becomes_another_user_is_recorded() {
    let (Some(python), Some(native)) = (other_users_python(), native()) else {
        return;
    };
    let record = Record::of(python.program("burn.py 0.3"));
    let recorded = shared(record)
        .limited(native, "uid=65534")
        .run_beside()
        .fine();
    recorded.seen().is_sound().expect_cpu("burn", 0.3, 100.0);
}

/// Where the agent's file cannot be read by the new user, the loader would complain on the program's
/// stderr.
#[test]
fn a_user_who_cannot_read_the_agent_hears_nothing_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let (Some(python), Some(native)) = (other_users_python(), native()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let record = Record::of(python.program("burn.py 0.1")).with("-q");
    let record = record
        .limited(native, "uid=65534")
        .env("XDG_CACHE_HOME", folder.path());
    let alone =
        crate::support::ended(Command::new(&python.path).args(&python.program("burn.py 0.1")[1..]));
    let recorded = record.run().fine();
    assert_eq!(recorded.stdout, alone.stdout);
    assert_eq!(recorded.stderr, "");
}

/// A Python that a user without rights may run, if we are root.
fn other_users_python() -> Option<Python> {
    let id = Command::new("id").arg("-u").output().unwrap();
    let python = Python::at(PathBuf::from("/usr/bin/python3"));
    match python {
        Some(python) if id.stdout == b"0\n" && python.version >= (3, 8) => Some(python),
        _ => {
            skipped("becoming another user, which needs root and a Python for all");
            None
        }
    }
}

/// A recording whose agent every user can read.
fn shared(record: Record) -> Record {
    record.env("XDG_CACHE_HOME", "/var/tmp/plop-test-cache")
}

/// The output's folder is full when the profile is to be saved.
#[test]
fn a_full_disk_is_said_and_changes_no_status() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    // A file system of a few pages, in a name space of its own, for the whole recording.
    let script = "mount -t tmpfs -o size=16k tmpfs \"$1\" && shift && exec \"$@\"";
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["-rm", "sh", "-c", script, "sh"])
            .arg(folder.path());
        command
    };
    let possible = unshared("mount -t tmpfs -o size=16k tmpfs \"$1\"").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skipped("a full disk, since nothing can be mounted");
        return;
    }
    for mode in ["", "--exec"] {
        let full = "head -c 1M /dev/zero > \"$1/full\" 2> /dev/null; shift; exec \"$@\"";
        let program: Vec<_> = (["sh", "-c", full, "sh"].map(Into::into).into_iter())
            .chain([folder.path().into()])
            .chain(python.program("burn.py 0.3 exit:3"))
            .collect();
        let record = Record::of(program)
            .into_file(Some(folder.path().join("x.plop")))
            .with(mode);
        let plop = record.command();
        let mut command = unshared(script);
        (command.arg(plop.get_program()).args(plop.get_args())).envs(
            plop.get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
        let ended = crate::support::ended(&mut command);
        assert_eq!(ended.stdout, "done\n", "{}", ended.stderr);
        let said = ended.stderr.to_lowercase();
        // The program's status says nothing of the profile, but plop's words do, or the agent's.
        assert!(
            said.contains("no space left") && said.contains("x.plop"),
            "{mode}: {said}"
        );
        if mode == "--exec" {
            assert_eq!(ended.status.code(), Some(3), "{said}");
        }
    }
}

/// That the output cannot be written is said before the program starts.
#[test]
fn an_output_that_cannot_be_written_is_said_before_the_program_starts() {
    let Some(python) = python() else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    for output in [PathBuf::from("/proc/x.plop"), file.path().join("x.plop")] {
        let record = Record::of(python.text("print('started')")).into_file(Some(output));
        let recorded = record.run().ended(2);
        assert_eq!(recorded.stdout, "");
        assert!(recorded.stderr.contains("x.plop"), "{}", recorded.stderr);
    }
}

/// A program that cannot be recorded runs, and that is said.
#[test]
fn a_program_without_python_runs_and_that_is_said() {
    let recorded = Record::of(["echo", "here"].map(Into::into).into())
        .run()
        .fine();
    assert_eq!(recorded.stdout, "here\n");
    assert!(
        recorded.stderr.contains("no samples"),
        "{}",
        recorded.stderr
    );
}

/// Nothing is loaded into a static binary.
#[test]
fn a_static_binary_runs_and_that_is_said() {
    let Some(path) = compile("launcher.c", "launcher-static", &["-static"]) else {
        return;
    };
    let mut program = vec![path.into()];
    program.extend(["nothing=1", "--", "echo", "here"].map(Into::into));
    let recorded = Record::of(program).run().fine();
    assert_eq!(recorded.stdout, "here\n");
    assert!(recorded.stderr.contains("static"), "{}", recorded.stderr);
}

/// The loader ignores what we ask of it for a binary that runs as somebody else.
#[test]
fn a_setuid_binary_runs_and_that_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let Some(native) = native() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("setuid");
    executable(&path, "755", &std::fs::read(&native.launcher).unwrap());
    if std::os::unix::fs::chown(&path, Some(65534), None).is_err() {
        skipped("a binary that runs as somebody else, which needs root");
        return;
    }
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let mut program = vec![path.into()];
    program.extend(["nothing=1", "--", "echo", "here"].map(Into::into));
    let recorded = Record::of(program).run().fine();
    assert_eq!(recorded.stdout, "here\n");
    assert!(recorded.stderr.contains("setuid"), "{}", recorded.stderr);
}

/// A program that is not there.
#[test]
fn a_program_that_cannot_be_started_is_an_error() {
    let recorded = Record::of(vec!["./there-is-no-such-program".into()]).run();
    assert!(!recorded.status.success());
    assert!(
        recorded.stderr.contains("there-is-no-such-program"),
        "{}",
        recorded.stderr
    );
    assert!(!recorded.has_profile());
}

/// The program had something preloaded before.
#[test]
fn what_was_preloaded_stays_preloaded() {
    let (Some(python), Some(native)) = (python(), native()) else {
        return;
    };
    let text = "import ctypes, time\nend = time.thread_time() + 0.2\nwhile time.thread_time() < end: pass\n\
                print(ctypes.CDLL(None).handlers_before() in (0, 1))";
    let record = Record::of(python.text(text)).with("--mode cpu");
    let recorded = record
        .env("LD_PRELOAD", &native.library)
        .run_beside()
        .fine();
    assert_eq!(recorded.stdout, "True\n");
    assert!(recorded.seen().all_cpu() >= 10);
}

/// A control group of its own, with so much memory; where the kernel and our rights allow it.
struct Group(PathBuf);

impl Group {
    fn of(megabytes: u64) -> Option<Group> {
        let name = format!("plop-test-{}", std::process::id());
        [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ]
        .into_iter()
        .find_map(|(folder, limit)| {
            // Not a folder that looks like one, on an ordinary file system.
            let controlled = PathBuf::from(folder).join("cgroup.procs").exists();
            let group = Group(PathBuf::from(folder).join(&name));
            (controlled && std::fs::create_dir(&group.0).is_ok()).then_some(())?;
            let bytes = (megabytes << 20).to_string();
            std::fs::write(group.0.join(limit), bytes)
                .ok()
                .map(|()| group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last process has to be quite gone.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// A control group with hardly more memory than Python needs.
#[test]
fn a_control_group_with_little_memory_is_enough() {
    let Some(python) = python() else { return };
    let Some(group) = Group::of(12) else {
        skipped("a control group, which needs root and a controller for memory");
        return;
    };
    let enter = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", group.0.display());
    let record = python
        .record("burn.py 0.5")
        .through(["sh", "-c", &enter, "sh"]);
    let recorded = record.with("--mode cpu").run_beside().fine();
    recorded.seen().is_sound().expect_cpu("burn", 0.5, 100.0);
}

/// A clock that jumps: the program's is far ahead of plop's, or behind it.
#[test]
fn a_clock_that_jumps_loses_no_samples() {
    let Some(python) = python() else { return };
    for offset in ["100000", "-60"] {
        let apart = ["unshare", "-T", "--fork", "--monotonic", offset];
        let mut possible = Command::new(apart[0]);
        possible.args(&apart[1..]).arg("true");
        if !possible
            .output()
            .is_ok_and(|output| output.status.success())
        {
            skipped("another clock, since there can be no name space for it");
            return;
        }
        let record = python.record("burn.py 0.5").through(apart);
        let recorded = record.with("--mode cpu").run_beside().fine();
        recorded.seen().is_sound().expect_cpu("burn", 0.5, 100.0);
    }
}

/// Few descriptors, small files.
#[test]
fn few_descriptors_are_enough() {
    let (Some(python), Some(native)) = (python(), native()) else {
        return;
    };
    for limit in ["nofile=8", "nofile=12"] {
        let record = python.record("burn.py 0.2").limited(native, limit);
        let recorded = record.with("--mode cpu").run_beside().fine();
        recorded.seen().is_sound().expect_cpu("burn", 0.2, 100.0);
    }
    // The kernel sends SIGXFSZ to whoever writes past the limit: not to the program for our sake.
    let record = python.record("burn.py 0.2").limited(native, "fsize=0");
    let recorded = record.with("--mode cpu").run_beside();
    assert!(!recorded.has_profile());
}

/// What we need ourselves is refused to us: the program goes on as without us, and why is told.
#[test]
fn what_is_refused_to_the_agent_is_said() {
    for python in pythons() {
        for (refused, why) in [
            ("no-memory", "not sampled: there is no memory"),
            ("no-thread", "not sampled: a thread is refused"),
        ] {
            let record = python.record("burn.py 0.2 exit:3");
            let deflect = format!("--deflect {refused}");
            let recorded = record.with(&deflect).run().ended(3);
            let Python { version, .. } = python;
            let said = &recorded.stderr;
            assert_eq!(recorded.stdout, "done\n", "{version:?} {refused}");
            assert!(said.contains(why), "{version:?} {refused}: {said}");
            assert!(said.contains("no samples collected"), "{version:?}: {said}");
            assert!(!recorded.has_profile());
        }
    }
}

/// An interpreter that is not what it says it is.
#[test]
fn stacks_that_cannot_be_read_are_said_to_be() {
    for python in pythons() {
        let record = python.record("burn.py 0.5 exit:3");
        let recorded = record.with("--deflect wrong-layout").run().ended(3);
        assert_eq!(recorded.stdout, "done\n");
        let said = &recorded.stderr;
        // By the other version's numbers there is nonsense where frames should be, or nothing at all.
        let why = match python.version {
            (3, 12) => "the self-test failed",
            _ => "no sample has a Python frame",
        };
        assert!(said.contains(why), "{:?}: {said}", python.version);
    }
}

/// Where our handler of faults is not wanted, the kernel copies what is read.
#[test]
fn without_the_guard_stacks_are_as_true() {
    for python in pythons() {
        let record = python.record("burn.py 0.4").with("--deflect no-guard");
        let recorded = record.run_beside().fine();
        let seen = recorded.seen().is_sound();
        assert_eq!(seen.counter("faults"), 0);
        seen.expect_cpu("burn", 0.4, 100.0);
    }
}
