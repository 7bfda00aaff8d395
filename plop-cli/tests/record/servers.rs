//! Servers: gunicorn with workers that come and go, the example, and the script for a deploy.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Python, Record, Seen, programs, python, root, send, shown};
use crate::support::{LIMIT, Started, ended, variable};

/// The interpreter that has gevent and gunicorn.
pub(crate) fn server_python() -> Option<Python> {
    Python::at(PathBuf::from(variable("PLOP_SERVER_PYTHON")?))
}

/// 120 requests to two workers that live for 15 or so: all are answered, and all workers are recorded.
#[test]
fn gunicorn_with_prefork_and_recycling_works() {
    let Some(python) = server_python() else {
        return;
    };
    let port = free_port();
    let mut command: Vec<OsString> = vec![python.path.clone().into()];
    let options = format!(
        "-m gunicorn.app.wsgiapp -w 2 --max-requests 15 --bind 127.0.0.1:{port} --log-level warning \
         --no-control-socket wsgi:application"
    );
    command.extend(options.split_whitespace().map(OsString::from));
    let folder = programs().join("app");
    let record = Record::of(command)
        .with("--mode cpu -r 250")
        .inside(&folder);
    let mut underway = record.env("PYTHONDONTWRITEBYTECODE", "1").start();
    let mut workers = std::collections::BTreeSet::new();
    let started = Instant::now();
    while workers.is_empty() {
        assert!(
            started.elapsed() < LIMIT && underway.started.process.is_alive(),
            "no answer"
        );
        workers.extend(ask(port));
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..120 {
        // A worker that ends may close a connection that it has not yet accepted.
        let answer = (0..50).find_map(|_| ask(port));
        workers.insert(answer.expect("an answer"));
    }
    send("TERM", underway.pid().into());
    let recorded = underway.wait().fine();
    assert!(workers.len() >= 6, "{workers:?}");
    let seen = recorded.seen().is_sound();
    let found = seen
        .rows
        .iter()
        .filter(|row| row.has("answer"))
        .map(|row| row.pid);
    let found: std::collections::BTreeSet<i64> = found.collect();
    assert!(found.is_subset(&workers), "{found:?} {workers:?}");
    // The last worker of each kind may have answered too few for a sample.
    assert!(found.len() + 2 >= workers.len(), "{found:?} of {workers:?}");
    seen.expect_cpu("answer", 0.48, 250.0);
}

/// The process that answered a request.
fn ask(port: u16) -> Option<i64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 OK").then(|| body.trim().parse().ok())?
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The example of the README.
#[test]
fn the_busy_server_of_the_examples_is_recorded() {
    let Some(python) = python() else { return };
    let script = root().join("examples/busy_server.py");
    let mut command: Vec<OsString> = vec![python.path.clone().into(), "-B".into(), script.into()];
    command.extend(["--seconds", "3"].map(OsString::from));
    let recorded = Record::of(command).run().fine();
    assert!(recorded.stdout.contains("0 errors"), "{}", recorded.stdout);
    let seen = recorded.seen().is_sound();
    for name in ["search", "report", "do_GET", "ask"] {
        assert!(seen.wall(name) > 0, "{name}: {:?}", seen.functions());
    }
    assert!(seen.all_cpu() > 20 && seen.all_wall() > seen.all_cpu());
}

/// The script for a deploy: the service runs on, and its profile is filed under its commit.
#[test]
fn a_deploy_is_recorded_under_its_commit() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(folder.path())
            .args(["-c", "user.name=n", "-c", "user.email=e"]);
        let ended = ended(command.args(arguments));
        assert!(ended.status.success(), "{}", ended.stderr);
        ended.stdout.trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let script = root().join("ci/after-push.sh");
    let script = |arguments: &[&str], program: &[OsString]| {
        let mut command = Command::new(&script);
        (command
            .args(arguments)
            .args(program)
            .current_dir(folder.path()))
        .env("PLOP", env!("CARGO_BIN_EXE_plop"));
        command
    };
    let arguments = ["-s", "1.5", "-n", "search", "-d", "profiles", "--"];
    let mut service = script(&arguments, &python.program("burn.py 1 wait"));
    let mut service = Started::new(&mut service);
    let started = Instant::now();
    let file = loop {
        let place = folder.path().join("profiles/search");
        let entries = std::fs::read_dir(place).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut profiles = names.filter(|name| name.ends_with(".plop") && !name.starts_with('.'));
        if let Some(name) = profiles.next() {
            break name;
        }
        assert!(started.elapsed() < LIMIT, "no profile comes");
        std::thread::sleep(Duration::from_millis(20));
    };
    let path = folder.path().join("profiles/search").join(&file);
    assert!(service.process.is_alive(), "the service runs on");
    send("TERM", service.process.0.id().into());
    assert_eq!(shown(service.wait().status), 128 + 15);
    assert!(file.starts_with(&format!("{commit}-")), "{file}");
    let seen = Seen::of_file(&path);
    assert!(seen.cpu("burn") > 0);
    assert!(
        (seen.rows.iter())
            .all(|row| row.label("commit") == commit && row.label("service") == "search")
    );
    for arguments in [
        &["-s", "30"][..],
        &["--unknown", "--", "true"],
        &["-s", "x", "--", "true"],
    ] {
        let refused = ended(&mut script(arguments, &[]));
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{arguments:?}: {}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains("usage"),
            "{arguments:?}: {}",
            refused.stderr
        );
    }
}
