//! `plop record` as a command, without any Python: what is refused before the program starts, exit
//! statuses, signals, and what is made of images that a program left in the recording's folder.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../../plop-sampler/tests/support/image.rs"]
mod image;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use image::Image;
use support::{Ended, Started, ended, executable, skipped, tempdir};
use tempfile::TempDir;

/// A folder in which `plop record` runs.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempdir())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `plop record` with these words before the command, and a script of `sh` as the command. In it
    /// `$SPOOL` is the recording's folder, and `image NAME` puts an image there.
    fn command(&self, words: &str, script: &str) -> Command {
        let mut command = self.plop(words);
        let prelude = r#"SPOOL=$(printf %s "$PLOP_AGENT" | sed 's/.*;spool=\([^;]*\);.*/\1/')
            image() { cp "$IMAGES/$1.rec" "$SPOOL/.x" && mv "$SPOOL/.x" "$SPOOL/$1.rec"; }
            "#;
        command.args(["--", "sh", "-c", &format!("{prelude}\n{script}"), "sh"]);
        command.env("IMAGES", self.0.path());
        command
    }

    fn plop(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        (command.arg("record").args(words.split_whitespace())).current_dir(self.0.path());
        for name in [
            "LD_PRELOAD",
            "PLOP_AGENT",
            "PLOP_COMMIT",
            "GITHUB_SHA",
            "CI_COMMIT_SHA",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn record(&self, words: &str, script: &str) -> Ended {
        ended(&mut self.command(words, script))
    }

    /// Lays an image that the script can put into the recording.
    fn image(&self, name: &str, image: &Image) {
        fs::write(self.path(&format!("{name}.rec")), image.bytes()).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of the files in the folder, those of images aside.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = (fs::read_dir(self.0.path()).unwrap())
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.ends_with(".rec"))
            .collect();
        names.sort();
        names
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn what_cannot_be_started_has_the_exit_codes_of_a_shell() {
    let place = Place::new();
    fs::write(place.path("plain"), "text").unwrap();
    for (name, code, why) in [
        ("no-such-command-here", 127, "there is no such command"),
        ("./no-such-file", 127, "there is no such file"),
        ("./plain", 126, "not a file that may be executed"),
        ("/", 126, "not a file that may be executed"),
    ] {
        let result = ended(&mut place.plop(&format!("-o x.plop -- {name}")));
        assert_eq!(result.status.code(), Some(code), "{name}");
        assert!(result.stderr.contains(why), "{}", result.stderr);
    }
    // Executable, but what it asks for is not there.
    executable(&place.path("script"), "755", b"#!/no/such/interpreter\n");
    let result = ended(&mut place.plop("-o x.plop -- ./script"));
    assert_eq!(result.status.code(), Some(127), "{}", result.stderr);
    assert_eq!(place.files(), ["plain", "script"]);
}

#[test]
fn what_cannot_be_written_is_refused_before_the_program_starts() {
    let place = Place::new();
    fs::create_dir(place.path("full")).unwrap();
    for (words, why) in [
        (
            "-o no/such/folder/x.plop",
            "there is no folder no/such/folder",
        ),
        ("-o /proc/x.plop", "cannot write /proc/x.plop"),
        ("-o /dev/stdout", "standard output is the program's"),
        ("-o -", "standard output is the program's"),
        ("-o x.plop --timeline", "no room for the times of samples"),
        (
            "-o x.svg --exec",
            "the program itself writes the file, as .plop",
        ),
        (
            "-o x.plop.gz --exec",
            "the program itself writes the file, as .plop",
        ),
        ("-o /proc/x.plop --exec", "cannot write /proc/x.plop"),
        (
            "-o x.folded --strict",
            "no room for what is recorded: definition lines",
        ),
    ] {
        let result = place.record(words, "touch ran");
        assert_eq!(result.status.code(), Some(2), "{words}: {}", result.stderr);
        assert!(result.stderr.contains(why), "{words}: {}", result.stderr);
        assert!(!place.path("ran").exists(), "{words}");
    }
    for words in [
        "-r 0",
        "-r 20001",
        "-d 0",
        "--delay x",
        "--mode lunar",
        "--label x",
        "--label state=x",
        "-f austin",
        "--exec --show",
    ] {
        let result = place.record(words, "touch ran");
        assert_eq!(result.status.code(), Some(2), "{words}");
        assert!(!place.path("ran").exists(), "{words}");
    }
    let home = place.path("with space");
    fs::create_dir(&home).unwrap();
    assert_eq!(place.files(), ["full", "with space"]);
}

#[test]
fn the_exit_status_is_the_programs() {
    let place = Place::new();
    for code in [0, 1, 2, 77, 255] {
        let result = place.record("-o x.plop", &format!("exit {code}"));
        assert_eq!(result.status.code(), Some(code));
        assert_eq!(
            result.stderr,
            "plop: no samples collected; no Python was seen that can be sampled\n"
        );
    }
    for (signal, name) in [
        (9, "SIGKILL"),
        (15, "SIGTERM"),
        (6, "SIGABRT"),
        (2, "SIGINT"),
    ] {
        let result = place.record("-o x.plop", &format!("kill -{signal} $$"));
        assert_eq!(result.status.signal(), Some(signal));
        let said = format!("plop: the program was killed by signal {signal} ({name})\n");
        assert!(result.stderr.starts_with(&said), "{}", result.stderr);
    }
    let quiet = place.record("-q -o x.plop", "kill -9 $$");
    assert_eq!(
        (quiet.status.signal(), quiet.stderr.as_str()),
        (Some(9), "")
    );
    assert!(place.files().is_empty(), "{:?}", place.files());
}

#[test]
fn the_program_has_the_terminal_to_itself() {
    let place = Place::new();
    let command = place.command("-o x.plop", "read line; echo \"got $line\"; echo oops >&2");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "echo hello | \"$@\"", "sh"])
        .arg(command.get_program());
    shell.args(command.get_args()).current_dir(place.0.path());
    let result = ended(&mut shell);
    assert_eq!(result.stdout, "got hello\n");
    assert!(result.stderr.starts_with("oops\n"), "{}", result.stderr);
    let group = "cut -d' ' -f5 /proc/self/stat; cut -d' ' -f5 /proc/$PPID/stat";
    let result = place.record("-o x.plop", group);
    let mut lines = result.stdout.lines();
    assert_eq!(
        lines.next().unwrap(),
        lines.next().unwrap(),
        "the process group is the same"
    );
}

#[test]
fn signals_that_are_sent_to_plop_reach_the_program() {
    let place = Place::new();
    for (signal, name) in [(15, "TERM"), (1, "HUP"), (10, "USR1"), (12, "USR2")] {
        let script =
            format!("trap 'echo caught; exit 5' {name}; echo ready; while :; do sleep 0.01; done");
        let running = Started::new(&mut place.command("-o x.plop", &script));
        until(|| running.stdout().contains("ready"));
        kill(signal, running.process.0.id() as i32);
        let result = running.wait();
        assert_eq!(result.status.code(), Some(5), "{name}: {}", result.stderr);
        assert!(result.stdout.ends_with("caught\n"));
    }
}

#[test]
fn the_keyboard_interrupts_the_program_and_not_plop() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    // As a terminal does, the whole group is interrupted, and plop waits for what the program makes of it.
    let script =
        "trap 'echo caught; image 70-0; exit 5' INT; echo ready; while :; do sleep 0.01; done";
    let running = Started::new(place.command("-o x.plop", script).process_group(0));
    until(|| running.stdout().contains("ready"));
    kill(2, -(running.process.0.id() as i32));
    let result = running.wait();
    assert_eq!(result.status.code(), Some(5), "{}", result.stderr);
    assert_eq!(result.stdout, "ready\ncaught\n");
    assert_eq!(place.files(), ["x.plop"]);
    // The program of somebody who sends it to plop alone goes on.
    let script = "echo ready; sleep 0.3; echo on";
    let running = Started::new(&mut place.command("-o x.plop", script));
    until(|| running.stdout().contains("ready"));
    kill(2, running.process.0.id() as i32);
    let result = running.wait();
    assert_eq!(
        (result.status.code(), result.stdout.as_str()),
        (Some(0), "ready\non\n")
    );
}

fn kill(signal: i32, pid: i32) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), "--", &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

fn until(mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < support::LIMIT, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_has_to_be_said_of_samples_stands_before_the_line() {
    let place = Place::new();
    for (key, number, said) in [
        (
            "rejected",
            6,
            "6 of 8 stacks were cut off at a frame that cannot be one",
        ),
        (
            "blocked_ns",
            30_000_000,
            "30.00 ms of CPU time is in no sample: threads had SIGPROF blocked",
        ),
        (
            "save_error",
            28,
            "a process could not save all that it had: No space left",
        ),
    ] {
        place.image("70-0", &Image::sample(70).with(key, number));
        let told = place.record("-o x.plop", "image 70-0").stderr;
        assert!(told.starts_with(&format!("plop: {said}")), "{told}");
    }
    let blind = Image::sample(70)
        .with("delivered", 22)
        .with("no_python", 20);
    place.image("70-0", &blind);
    let told = place.record("-o x.plop", "image 70-0").stderr;
    assert!(
        told.starts_with("plop: no sample has a Python frame"),
        "{told}"
    );
}

#[test]
fn what_a_process_recorded_becomes_a_profile() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    let mut command = place.command("-o x.plop --label ring=2 --label deploy=a=b", "image 70-0");
    let result = ended(command.env("PLOP_COMMIT", "9bd07e"));
    assert!(result.status.success());
    let (line, overhead) = result.stderr.split_once("; overhead ").unwrap();
    // One stack that was cut off is not worth a word.
    assert_eq!(
        line,
        "plop: x.plop: 5 samples (cpu) and 9 (wall), 2 threads, 1 process, 1 dropped"
    );
    // 160 us that are counted and six signals, of 40 ms.
    let percent: f64 = overhead
        .trim_end()
        .strip_suffix(" %")
        .unwrap()
        .parse()
        .unwrap();
    assert!((0.4..=2.0).contains(&percent), "{overhead}");
    let plop = place.read("x.plop");
    let header = plop.lines().next().unwrap();
    for part in [
        "\"clock\":\"cpu+wall\"",
        "\"period_ns\":10000000",
        "\"started\":\"2027-01-15T08:00:00.001Z\"",
        "\"ticks\":{\"asked\":9,\"delivered\":8,\"dropped\":1}",
        "\"sampler\":{\"trigger\":\"timer\",\"processes\":1,\"overruns\":2,\"rejected\":1",
        "\"build\":{\"commit\":\"9bd07e\"}",
        "\"runtime\":\"CPython 3.11.7\"",
        "\"command\":[\"sh\",\"-c\"",
        "\"host\":{\"name\":",
    ] {
        assert!(header.contains(part), "{part}: {header}");
    }
    let labels = "#l 0 [[\"ring\",\"2\"],[\"deploy\",\"a=b\"],[\"state\",\"GIL\"]]";
    assert!(plop.contains(labels), "{plop}");
    assert_eq!(place.files(), ["x.plop"]);
}

#[test]
fn processes_are_merged_or_have_a_file_each() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    place.image("80-0", &Image::sample(80).with("root", 0));
    place.image("80-1", &Image::sample(80).with("root", 0));
    let images = "image 70-0; image 80-0; image 80-1";
    let result = place.record("-o x.plop", images);
    assert!(
        result
            .stderr
            .contains("15 samples (cpu) and 27 (wall), 4 threads, 2 processes, 3 dropped"),
        "{}",
        result.stderr
    );
    let result = place.record("-o each.pb.gz --per-process", images);
    assert!(
        result
            .stderr
            .contains("plop: each.pb.gz and 1 other: 15 samples"),
        "{}",
        result.stderr
    );
    assert_eq!(place.files(), ["each-80.pb.gz", "each.pb.gz", "x.plop"]);
    let info = ended(
        Command::new(env!("CARGO_BIN_EXE_plop"))
            .args(["info", "--json"])
            .arg(place.path("each-80.pb.gz")),
    );
    assert_eq!(json(&info.stdout)["values"][0]["total"], 10);
}

#[test]
fn any_format_is_written_and_what_it_has_no_room_for_is_told() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    let result = place.record("-o x.folded", "image 70-0");
    assert!(
        result
            .stderr
            .contains("lost, as folded has no room for it: "),
        "{}",
        result.stderr
    );
    assert_eq!(
        place.read("x.folded"),
        "main (app.py:3);work (app.py:6) 5\n"
    );
    assert!(
        place
            .record("-o x.svg --mode cpu", "image 70-0")
            .status
            .success()
    );
    assert!(place.read("x.svg").contains("<svg"));
    let mut timed = Image::sample(70);
    timed.timeline = vec![(2_000_000, [0, 2, 0], [1, 1])];
    place.image("70-0", &timed);
    let result = place.record("--timeline -o out/", "image 70-0");
    assert!(result.status.success(), "{}", result.stderr);
    let name = fs::read_dir(place.path("out"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name();
    assert!(
        name.to_string_lossy().ends_with(".speedscope.json"),
        "{name:?}"
    );
    let result = place.record("-o /dev/null -f plop", "image 70-0");
    assert!(result.status.success(), "{}", result.stderr);
}

#[test]
fn the_answer_for_programs_is_the_last_line_of_stdout() {
    let place = Place::new();
    place.image(
        "70-0",
        &Image::sample(70)
            .with("trigger", "perf")
            .with("trigger_why", "the tick is 250 Hz"),
    );
    place.image(
        "71-0",
        &Image::sample(71)
            .with("refused", "a free-threaded build")
            .with("root", 0),
    );
    let result = place.record(
        "-o x.plop --json",
        "echo mine; image 70-0; image 71-0; exit 3",
    );
    assert_eq!(result.status.code(), Some(3));
    assert!(result.stdout.starts_with("mine\n"));
    let answer = json(&result.stdout);
    assert_eq!(answer["schema"], "plop.record/1");
    assert_eq!(answer["outputs"][0]["file"], "x.plop");
    assert_eq!(
        answer["status"],
        serde_json::json!({"code": 3, "signal": null})
    );
    assert_eq!(
        answer["values"][0],
        serde_json::json!({"type": "cpu", "unit": "samples", "total": 10})
    );
    assert_eq!(answer["counters"]["dropped"], 2);
    assert_eq!(answer["triggers"][0]["why"], "the tick is 250 Hz");
    assert_eq!(answer["refused"][0]["why"], "a free-threaded build");
    assert!(answer["overhead"]["share"].as_f64().unwrap() > 0.0);
    assert!(
        result
            .stderr
            .contains("plop: sampled by perf: the tick is 250 Hz\n")
    );
    assert!(
        result
            .stderr
            .contains("plop: not sampled: a free-threaded build\n")
    );
}

#[test]
fn without_samples_there_is_no_file() {
    let place = Place::new();
    let none = Image {
        meta: Image::sample(70).meta,
        ..Image::default()
    };
    place.image("70-0", &none);
    let result = place.record("-o x.plop --json --show", "image 70-0; exit 4");
    assert_eq!(result.status.code(), Some(4));
    assert_eq!(
        result.stderr.lines().last(),
        Some("plop: no samples collected; program was too fast")
    );
    assert_eq!(json(&result.stdout)["outputs"], serde_json::json!([]));
    assert!(place.files().is_empty());
}

#[test]
fn a_summary_is_shown_on_demand() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    let result = place.record("-o x.plop --show", "image 70-0");
    assert_eq!(result.stdout, "");
    let shown: Vec<&str> = result.stderr.lines().rev().take(3).collect();
    assert_eq!(
        shown,
        [
            "  0.0 % 100.0 %  main (app.py:1)",
            "100.0 % 100.0 %  work (app.py:5)",
            "   self   total  cpu",
        ]
    );
}

#[test]
fn a_process_that_goes_on_saves_for_itself() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    // The image of a process that still runs, and that of one that was killed.
    let running = Started::new(Command::new("sleep").arg("300"));
    let pid = running.process.0.id();
    place.image(
        "80-0",
        &Image::sample(pid).with("root", 0).with("finished", 0),
    );
    place.image(
        "90-0",
        &Image::sample(999_999_999)
            .with("root", 0)
            .with("finished", 0),
    );
    let result = place.record("-o x.plop --json", "image 70-0; image 80-0; image 90-0");
    let said = format!("plop: 1 process still runs and will save to x-{pid}.plop\n");
    assert!(result.stderr.contains(&said), "{}", result.stderr);
    assert!(
        result
            .stderr
            .contains("a process did not come to the end of the recording"),
        "{}",
        result.stderr
    );
    assert!(
        result.stderr.contains("10 samples (cpu)"),
        "{}",
        result.stderr
    );
    assert_eq!(json(&result.stdout)["running"], serde_json::json!([pid]));
    assert_eq!(
        place.files(),
        ["x.plop"],
        "the folder has gone, so that the process notices"
    );
}

#[test]
fn what_cannot_be_saved_is_kept_and_can_be_saved_later() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    // A folder of the name of the file.
    for (exit, code) in [(0, 2), (9, 9)] {
        let result = place.record(
            "-o x.plop --label a=b",
            &format!("image 70-0; mkdir x.plop; exit {exit}"),
        );
        assert_eq!(result.status.code(), Some(code), "{}", result.stderr);
        let kept = place
            .files()
            .into_iter()
            .find(|name| name.starts_with(".x.plop.recording-"))
            .unwrap();
        assert!(
            result
                .stderr
                .contains(&format!("{kept} (plop record --recover ")),
            "{}",
            result.stderr
        );
        fs::remove_dir(place.path("x.plop")).unwrap();
        let result = ended(&mut place.plop(&format!("--recover {kept}")));
        assert!(result.status.success(), "{}", result.stderr);
        assert!(
            result.stderr.contains("5 samples (cpu)"),
            "{}",
            result.stderr
        );
        assert_eq!(place.files(), ["x.plop"]);
        assert!(place.read("x.plop").contains("[\"a\",\"b\"]"));
        fs::remove_file(place.path("x.plop")).unwrap();
    }
    let result = ended(&mut place.plop("--recover ."));
    assert_eq!(result.status.code(), Some(2));
    assert!(
        result.stderr.contains("it is no folder of a recording"),
        "{}",
        result.stderr
    );
}

#[test]
fn a_recording_outlives_plop() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    let script = "echo ready; while [ -d /proc/$PPID/fd ] && [ ! -e go ]; do sleep 0.01; done; image 70-0; touch done";
    let running = Started::new(&mut place.command("-o x.pb.gz", script));
    until(|| running.stdout().contains("ready"));
    kill(9, running.process.0.id() as i32);
    assert_eq!(running.wait().status.signal(), Some(9));
    fs::write(place.path("go"), "").unwrap();
    until(|| place.path("done").exists());
    let kept = place
        .files()
        .into_iter()
        .find(|name| name.starts_with('.'))
        .unwrap();
    let result = ended(&mut place.plop(&format!("--recover {kept} -o y.folded")));
    assert!(
        result.stderr.contains("plop: y.folded: 5 samples"),
        "{}",
        result.stderr
    );
    assert_eq!(place.files(), ["done", "go", "y.folded"]);
}

/// A profile that could not be saved is an error, unless the program has one of its own.
#[test]
fn when_no_image_can_be_read_there_is_an_error() {
    let place = Place::new();
    fs::write(place.path("71-0.rec"), "PLOPREC1 and no more").unwrap();
    for (status, code) in [(0, 2), (3, 3)] {
        let result = place.record("-o x.plop", &format!("image 71-0; exit {status}"));
        assert_eq!(result.status.code(), Some(code), "{}", result.stderr);
        assert!(
            (result.stderr)
                .contains("cannot write x.plop: nothing of what was recorded can be read"),
            "{}",
            result.stderr
        );
        assert!(!result.stderr.contains("too fast"), "{}", result.stderr);
    }
    let files = place.files();
    assert!(files.iter().all(|name| name.starts_with('.')), "{files:?}");
    assert_eq!(files.len(), 2);
}

#[test]
fn an_image_whose_timeline_is_broken_gives_its_samples() {
    let place = Place::new();
    let mut image = Image::sample(70);
    image.timeline = vec![(2_000_000, [0, 2, 0], [1, 9])];
    place.image("70-0", &image);
    let result = place.record("--timeline -o x.speedscope.json", "image 70-0");
    assert!(result.status.success(), "{}", result.stderr);
    for said in [
        "plop: the samples of a process have no times: the timeline has samples that the rows do not have",
        "x.speedscope.json: 5 samples",
    ] {
        assert!(result.stderr.contains(said), "{}", result.stderr);
    }
}

#[test]
fn an_image_that_cannot_be_read_is_told_and_kept() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    fs::write(place.path("71-0.rec"), "PLOPREC1 and no more").unwrap();
    let result = place.record("-o x.plop", "image 70-0; image 71-0");
    assert!(result.status.success());
    assert!(
        result.stderr.contains("cannot be read: 71-0.rec: "),
        "{}",
        result.stderr
    );
    assert!(
        result.stderr.contains("plop: x.plop: 5 samples"),
        "{}",
        result.stderr
    );
    let kept = place
        .files()
        .into_iter()
        .find(|name| name.starts_with('.'))
        .unwrap();
    assert!(place.path(&kept).join("71-0.rec").exists());
}

/// In the original, runs that began in the same second overwrote each other.
#[test]
fn runs_of_the_same_second_do_not_overwrite_each_other() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    let script = "image 70-0; sleep 0.2";
    let running: Vec<Started> = (0..4)
        .map(|_| Started::new(&mut place.command("", script)))
        .collect();
    let mut told: Vec<String> = running
        .into_iter()
        .map(|running| {
            let line = running.wait().stderr;
            let line = line.lines().last().unwrap().to_owned();
            line.strip_prefix("plop: ")
                .unwrap()
                .split(": ")
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 4, "{told:?}");
    for file in told {
        let name = file.strip_prefix("profiles/sh-").unwrap();
        let digits = name
            .bytes()
            .take(16)
            .map(|b| if b.is_ascii_digit() { b'0' } else { b });
        assert_eq!(
            String::from_utf8(digits.collect()).unwrap(),
            "00000000-0000-00",
            "{name}"
        );
        assert!(place.path(&file).is_file());
    }
}

#[test]
fn libraries_that_are_loaded_already_stay() {
    let place = Place::new();
    let script = "printf '%s\n' \"$LD_PRELOAD\"";
    let result = ended(
        place
            .command("-o x.plop", script)
            .env("LD_PRELOAD", "libm.so.6"),
    );
    let (before, ours) = result.stdout.trim_end().split_once(':').unwrap();
    assert_eq!(before, "libm.so.6");
    assert!(
        Path::new(ours).is_absolute() && ours.contains("/agent-"),
        "{ours}"
    );
    // Recorded while it is recorded, a program has one agent.
    let inner = format!(
        "{} record -o y.plop -- sh -c {}",
        env!("CARGO_BIN_EXE_plop"),
        "'echo $LD_PRELOAD'"
    );
    let result = place.record("-o x.plop", &inner);
    assert_eq!(result.stdout.trim_end(), ours);
    assert!(!result.stderr.contains("ld.so"), "{}", result.stderr);
}

#[test]
fn the_agent_goes_where_it_can_be_loaded() {
    let place = Place::new();
    let script = "printf '%s' \"$LD_PRELOAD\"";
    let placed = |cache: &str| {
        let result = ended(
            place
                .command("-o x.plop", script)
                .env("XDG_CACHE_HOME", cache),
        );
        assert!(
            result.status.success() && !result.stderr.contains("ld.so"),
            "{}",
            result.stderr
        );
        PathBuf::from(result.stdout)
    };
    let cache = place.path("cache");
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(&cache).unwrap();
    let file = placed(&cache.display().to_string());
    assert!(
        file.starts_with(cache.canonicalize().unwrap().join("plop")),
        "{file:?}"
    );
    let meta = file.metadata().unwrap();
    assert_eq!(meta.mode() & 0o777, 0o644);
    let spaced = place.path("with space");
    let file = placed(&spaced.display().to_string());
    assert!(!file.starts_with(&spaced), "LD_PRELOAD ends at a space");
}

#[test]
fn a_program_into_which_nothing_can_be_loaded_runs_and_is_named() {
    let place = Place::new();
    for (name, program, why, code) in [
        ("fixed", program(None), "it is linked statically", 5),
        (
            "musl",
            program(Some("/lib/ld-musl-x86_64.so.1")),
            "musl",
            127,
        ),
    ] {
        executable(&place.path(name), "755", &program);
        let script = format!("#!./{name}\n");
        executable(&place.path("script"), "755", script.as_bytes());
        for command in [name, "script"] {
            let result = ended(&mut place.plop(&format!("-o x.plop -- ./{command}")));
            let said = format!("plop: ./{command} is not sampled: ");
            assert!(
                result.stderr.starts_with(&said) && result.stderr.contains(why),
                "{}",
                result.stderr
            );
            if cfg!(target_arch = "x86_64") {
                assert_eq!(result.status.code(), Some(code), "{}", result.stderr);
            }
        }
    }
}

/// A program that exits with 5, linked statically or for a loader.
fn program(loader: Option<&str>) -> Vec<u8> {
    // mov edi, 5; mov eax, 60; syscall
    let code = [0xbf, 5, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    let machine: u16 = if cfg!(target_arch = "aarch64") {
        183
    } else {
        62
    };
    let base = 0x40_0000u64;
    let headers = 2u16;
    let behind = 64 + 56 * u64::from(headers);
    let text = loader.map_or(Vec::new(), |name| [name.as_bytes(), b"\0"].concat());
    let entry = behind + text.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [2, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes());
    for word in [base + entry, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, headers, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    // The loader's name or a note, and everything as code.
    let size = entry + code.len() as u64;
    let kind: u32 = if loader.is_some() { 3 } else { 4 };
    for (kind, flags, offset, size) in [(kind, 4u32, behind, text.len() as u64), (1, 5, 0, size)] {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [offset, base + offset, base + offset, size, size, 0x1000] {
            file.extend(word.to_le_bytes());
        }
    }
    file.extend(&text);
    file.extend(code);
    file
}

#[test]
fn a_setuid_program_is_named() {
    let place = Place::new();
    let file = place.path("other");
    executable(&file, "755", &fs::read("/bin/true").unwrap());
    if std::os::unix::fs::chown(&file, Some(1), Some(1)).is_err() {
        skipped("a setuid program, since only root can make one of another user");
        return;
    }
    fs::set_permissions(&file, Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).unwrap();
    let result = ended(&mut place.plop("-o x.plop -- ./other"));
    assert!(result.status.success());
    if !result.stderr.contains("setuid") {
        // Where the system ignores the mark, nothing is to be said.
        assert!(
            result.stderr.contains("no Python was seen"),
            "{}",
            result.stderr
        );
    }
}

#[test]
fn with_exec_plop_becomes_the_program() {
    let place = Place::new();
    let script = "echo $$; echo \"$PLOP_AGENT\"; exit 6";
    let running = Started::new(&mut place.command("--exec -o x.plop --label a=b", script));
    let pid = running.process.0.id().to_string();
    let result = running.wait();
    assert_eq!(result.status.code(), Some(6));
    let (first, told) = result.stdout.split_once('\n').unwrap();
    assert_eq!(first, pid, "the process is the same");
    let folder = place.0.path().canonicalize().unwrap();
    for part in [
        ";spool=;".to_owned(),
        format!(";out={}/x.plop;", folder.display()),
        format!(";root={pid};"),
        ";label=a%3Db;".to_owned(),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    assert_eq!(result.stderr, "");
    assert!(place.files().is_empty());
    let missing = ended(&mut place.plop("--exec -o x.plop -- no-such-command-here"));
    assert_eq!(missing.status.code(), Some(127));
}

#[test]
fn two_commands_take_turns() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    let script = r#"#!/bin/sh
        SPOOL=$(printf %s "$PLOP_AGENT" | sed 's/.*;spool=\([^;]*\);.*/\1/')
        cp 70-0.rec "$SPOOL/70-0.rec"
        echo "$1" >> log
        echo noise
        exit 3"#;
    executable(&place.path("run"), "755", script.as_bytes());
    let bench = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        let sides = ["bench", "--before", "./run 'b e'", "--after", "./run a"];
        ended(command.args(sides).args(words).current_dir(place.0.path()))
    };
    let result = bench(&["-n", "2", "-o", "runs"]);
    assert!(result.status.success(), "{}", result.stderr);
    assert_eq!(place.read("log"), "b e\na\na\nb e\n");
    let lines: Vec<&str> = result.stdout.lines().collect();
    assert!(
        lines[1].starts_with("before      2  ") && lines[1].ends_with("10  3"),
        "{lines:?}"
    );
    assert_eq!(
        lines[4],
        "plop diff runs/before-*.plop --vs runs/after-*.plop"
    );
    assert_eq!(result.stderr, "");
    let mut files: Vec<_> = (fs::read_dir(place.path("runs")).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "after-1.plop",
            "after-2.plop",
            "before-1.plop",
            "before-2.plop"
        ]
    );
    let result = bench(&["-n", "1", "--json"]);
    let answer = json(&result.stdout);
    assert_eq!(answer["schema"], "plop.bench/1");
    assert_eq!(
        answer["before"]["command"],
        serde_json::json!(["./run", "b e"])
    );
    let run = &answer["after"]["runs"][0];
    assert_eq!((&run["samples"], &run["status"]), (&5.into(), &3.into()));
    assert!(place.path(run["file"].as_str().unwrap()).is_file());
    // Where there is nothing to compare, that is said.
    let mut image = Image::sample(70);
    image.rows.clear();
    place.image("70-0", &image);
    let result = bench(&["-n", "1", "-o", "none"]);
    assert_eq!(result.status.code(), Some(2));
    assert!(
        result.stderr.contains("nothing to compare"),
        "{}",
        result.stderr
    );
}

/// What was asked for and not delivered is counted, and a rate that was out of reach is said.
#[test]
fn samples_that_did_not_come_are_counted() {
    let place = Place::new();
    let image = |asked: u32, mode: &str| {
        let image = Image::sample(70)
            .with("mode", mode)
            .with("trigger", "itimer");
        image
            .with("trigger_why", "no faster than ticks")
            .with("asked", asked)
    };
    for (asked, mode, said) in [
        (
            1_309,
            "prof",
            "plop: 1,300 of 1,309 samples that were due did not come",
        ),
        (
            1_309,
            "cpu+wall",
            "plop: 1,300 of 1,309 samples that were due did not come",
        ),
        (1_309, "real", ""),
        (12, "prof", ""),
    ] {
        place.image("70-0", &image(asked, mode));
        let result = place.record("-o x.plop", "image 70-0");
        let why = "plop: sampled by itimer: no faster than ticks";
        assert!(result.stderr.contains(why), "{}", result.stderr);
        match said {
            "" => assert!(!result.stderr.contains("were due"), "{}", result.stderr),
            said => assert!(result.stderr.contains(said), "{}", result.stderr),
        }
    }
}

/// Who does not listen changes nothing.
#[test]
fn where_stderr_cannot_be_written_to_the_status_is_the_programs() {
    let place = Place::new();
    place.image("70-0", &Image::sample(70));
    for words in ["", "--show", "--show --per-process"] {
        for (status, code) in [(0, 0), (7, 7)] {
            let mut command = place.command(
                &format!("-o x.plop {words}"),
                &format!("image 70-0; exit {status}"),
            );
            let full = fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .unwrap();
            let ended = command.stderr(full).status().unwrap();
            assert_eq!(ended.code(), Some(code), "full: {words}");
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let ended = command.stderr(writer).status().unwrap();
            assert_eq!(ended.code(), Some(code), "closed: {words}");
            assert!(place.path("x.plop").exists());
        }
    }
    let mut missing = place.plop("-o y.plop -- no-such-command-here");
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    assert_eq!(missing.stderr(full).status().unwrap().code(), Some(127));
}

/// A file that may not grow so large is an error to be told, not plop's end; the program gets the signal.
#[test]
fn a_profile_above_the_limit_of_files_is_an_error() {
    let place = Place::new();
    let mut image = Image::sample(70);
    for n in 0..300u32 {
        image
            .strings
            .push(format!("a function of a long name, {n}").into_bytes());
        image.functions.push([7 + n, 2, 1]);
        image.frames.push([3 + n, 1, 0]);
        image.nodes.push([0, 3 + n]);
        image.rows.push(([0, 0, 4 + n, 0], [1, 1]));
    }
    place.image("70-0", &image);
    let script = "grep SigIgn /proc/$$/status > ignored; ulimit -S -f unlimited; image 70-0";
    // The agent is laid into its place without the limit.
    assert!(place.record("-o y.plop", script).status.success());
    let plop = place.command("-o x.plop", script);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -S -f 8; exec \"$@\"", "sh"]);
    limited.arg(plop.get_program()).args(plop.get_args());
    limited
        .current_dir(place.0.path())
        .env("IMAGES", place.0.path());
    let result = ended(&mut limited);
    assert_eq!(result.status.code(), Some(2), "{}", result.stderr);
    assert!(
        result.stderr.contains("File too large"),
        "{}",
        result.stderr
    );
    assert!(
        result.stderr.contains("plop record --recover"),
        "{}",
        result.stderr
    );
    assert!(!place.path("x.plop").exists());
    let ignored = place.read("ignored");
    let ignored = u64::from_str_radix(ignored.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!(ignored >> 24 & 1, 0);
}
