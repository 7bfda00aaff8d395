//! Running a program under `plop record`, and asking what was recorded of it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use plop_core::{Attribute, LabelValue, Profile, Sample};
use tempfile::TempDir;

use crate::support::{self, Ended, Started, in_ci, skipped, tempdir};

/// An interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    pub(crate) path: PathBuf,
    pub(crate) version: (u32, u32),
}

/// The interpreters that are sampled, the oldest first.
pub(crate) fn pythons() -> &'static [Python] {
    static FOUND: OnceLock<Vec<Python>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let paths = std::env::var_os("PLOP_PYTHONS").filter(|paths| !paths.is_empty());
        assert!(
            paths.is_some() || !in_ci(),
            "CI is set, but PLOP_PYTHONS is not"
        );
        let paths = paths.unwrap_or_else(|| "python3".into());
        let mut found: Vec<Python> = std::env::split_paths(&paths)
            .filter_map(Python::at)
            .filter(|python| python.version >= (3, 8))
            .collect();
        found.sort_by_key(|python| python.version);
        if found.is_empty() {
            skipped("recording, since there is no Python from 3.8 on");
            assert!(!in_ci(), "CI is set, but there is no Python");
        }
        found
    })
}

/// The interpreter for what does not depend on the version: 3.11, or else the newest.
pub(crate) fn python() -> Option<&'static Python> {
    let pythons = pythons();
    let usual = pythons.iter().find(|python| python.version == (3, 11));
    usual.or(pythons.last())
}

impl Python {
    pub(crate) fn at(path: PathBuf) -> Option<Python> {
        let print =
            "import sys; sys.stdout.write('%d %d %s' % (sys.version_info[:2] + (sys.executable,)))";
        let told = Command::new(&path).args(["-c", print]).output().ok()?;
        let told = String::from_utf8(told.stdout).ok()?;
        let mut words = told.splitn(3, ' ');
        let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        // A name that stands for an interpreter, by way of a shell, would be recorded, too.
        let path = words.next()?.into();
        Some(Python { path, version })
    }

    /// The words that run a program of `testdata/programs/record`, its name being the first of `words`.
    pub(crate) fn program(&self, words: &str) -> Vec<OsString> {
        let mut words = words.split_whitespace();
        let script = programs().join(words.next().unwrap());
        let mut command: Vec<OsString> = vec![self.path.clone().into(), "-B".into(), script.into()];
        command.extend(words.map(OsString::from));
        command
    }

    /// The words that run a text.
    pub(crate) fn text(&self, text: &str) -> Vec<OsString> {
        vec![
            self.path.clone().into(),
            "-B".into(),
            "-c".into(),
            text.into(),
        ]
    }

    /// A recording of a program.
    pub(crate) fn record(&self, words: &str) -> Record {
        Record::of(self.program(words))
    }
}

/// The folder of the programs.
pub(crate) fn programs() -> PathBuf {
    root().join("testdata/programs/record")
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap()
}

/// `libnative.so` and `launcher`, compiled from beside the programs.
pub(crate) struct Native {
    pub(crate) library: PathBuf,
    pub(crate) launcher: PathBuf,
}

/// What is written in C, if there is a compiler.
pub(crate) fn native() -> Option<&'static Native> {
    static BUILT: OnceLock<Option<Native>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let native = Native {
            library: compile("native.c", "libnative.so", &["-shared", "-fPIC"])?,
            launcher: compile("launcher.c", "launcher", &[])?,
        };
        Some(native)
    });
    built.as_ref()
}

/// Compiles a file of the programs into a name of its own.
pub(crate) fn compile(source: &str, name: &str, options: &[&str]) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("record");
    std::fs::create_dir_all(&folder).unwrap();
    let made = folder.join(format!("{}-{name}", std::process::id()));
    let compiler = (Command::new("cc").args(options).arg("-o").arg(&made))
        .arg(programs().join(source))
        .output();
    let Ok(output) = compiler else {
        skipped("what needs a compiler of C, since there is no cc");
        assert!(!in_ci(), "CI is set, but there is no cc");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{source}: {said}");
    let lasting = folder.join(name);
    std::fs::rename(&made, &lasting).unwrap();
    Some(lasting)
}

/// Runs a command without plop.
pub(crate) fn bare(command: &[OsString], environment: &[(OsString, OsString)]) -> Ended {
    let mut without = Command::new(&command[0]);
    without.args(&command[1..]);
    without.envs(environment.iter().map(|(key, value)| (key, value)));
    support::ended(surroundings(&mut without))
}

/// What is the same for a program with plop and without.
fn surroundings(command: &mut Command) -> &mut Command {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("record-cache");
    (command.env("XDG_CACHE_HOME", cache))
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONIOENCODING", "utf-8")
        .env_remove("PYTHONPATH")
        .process_group(0)
}

/// How a shell would tell a status: 128 and the signal, for one that a signal ended.
pub(crate) fn shown(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// A run of `plop record`, being put together.
pub(crate) struct Record {
    program: Vec<OsString>,
    options: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: TempDir,
    output: Option<PathBuf>,
    current: Option<PathBuf>,
}

impl Record {
    /// A recording of a command, into a file `x.plop` in a folder of its own.
    pub(crate) fn of(program: Vec<OsString>) -> Record {
        let folder = tempdir();
        Record {
            program,
            options: Vec::new(),
            environment: Vec::new(),
            output: Some(folder.path().join("x.plop")),
            folder,
            current: None,
        }
    }

    /// Options of `plop record`, with spaces between them.
    pub(crate) fn with(mut self, options: &str) -> Record {
        self.options
            .extend(options.split_whitespace().map(OsString::from));
        self
    }

    /// A variable of the environment.
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Record {
        self.environment.push((key.into(), value.as_ref().into()));
        self
    }

    /// The path of the library in C, for programs that want it.
    pub(crate) fn with_native(self, native: &Native) -> Record {
        self.env("NATIVE", &native.library)
    }

    /// Puts words before the program.
    pub(crate) fn through<Word: Into<OsString>>(
        mut self,
        words: impl IntoIterator<Item = Word>,
    ) -> Record {
        let program = std::mem::take(&mut self.program);
        self.program = words.into_iter().map(Into::into).chain(program).collect();
        self
    }

    /// The program with the limits that the launcher is told.
    pub(crate) fn limited(self, native: &Native, words: &str) -> Record {
        let words = words.split_whitespace().map(OsString::from);
        let launcher = OsString::from(&native.launcher);
        self.through([launcher].into_iter().chain(words).chain(["--".into()]))
    }

    /// Another output than `x.plop`, or the one that plop chooses.
    pub(crate) fn into_file(mut self, file: Option<PathBuf>) -> Record {
        self.output = file;
        self
    }

    /// Another folder to run in than this process's.
    pub(crate) fn inside(mut self, folder: &Path) -> Record {
        self.current = Some(folder.into());
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command.arg("record").args(&self.options);
        if let Some(file) = &self.output {
            command.arg("-o").arg(file);
        }
        command.arg("--").args(&self.program);
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        if let Some(folder) = &self.current {
            command.current_dir(folder);
        }
        surroundings(&mut command);
        command
    }

    pub(crate) fn start(self) -> Underway {
        let started = Started::new(&mut self.command());
        Underway {
            record: self,
            started,
        }
    }

    pub(crate) fn run(self) -> Recorded {
        self.start().wait()
    }

    /// Runs it, and leaves the output unread.
    pub(crate) fn run_without_reading(self) -> Recorded {
        let mut underway = self.start();
        underway.record.output = None;
        underway.wait()
    }

    /// Runs the same program without plop, which must tell the same, and end in the same way. Returns
    /// the recording.
    pub(crate) fn run_beside(self) -> Recorded {
        let alone = bare(&self.program, &self.environment);
        let (program, options) = (self.program.clone(), self.options.clone());
        let recorded = self.with("-q").run();
        assert_eq!(
            (shown(recorded.status), &recorded.stdout, &recorded.stderr),
            (shown(alone.status), &alone.stdout, &alone.stderr),
            "{program:?} {options:?}: status, stdout, stderr"
        );
        recorded
    }
}

/// A recording that goes on.
pub(crate) struct Underway {
    record: Record,
    pub(crate) started: Started,
}

impl Underway {
    pub(crate) fn pid(&self) -> u32 {
        self.started.process.0.id()
    }

    /// Waits until the program has written a line to stdout.
    pub(crate) fn until_it_speaks(&mut self) {
        let started = std::time::Instant::now();
        while !self.started.stdout().contains('\n') {
            assert!(
                started.elapsed() < support::LIMIT,
                "the program says nothing"
            );
            assert!(self.started.process.is_alive(), "the program has ended");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Waits until the profile is there, which must be while the program runs.
    pub(crate) fn until_it_is_saved(&mut self) {
        let started = std::time::Instant::now();
        while !self
            .record
            .output
            .as_ref()
            .is_some_and(|file| file.exists())
        {
            assert!(started.elapsed() < support::LIMIT, "there is no profile");
            assert!(self.started.process.is_alive(), "the program has ended");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub(crate) fn wait(self) -> Recorded {
        let ended = self.started.wait();
        let file = self.record.output.clone();
        let bytes = file.as_ref().and_then(|file| std::fs::read(file).ok());
        Recorded {
            status: ended.status,
            stdout: ended.stdout,
            stderr: ended.stderr,
            seen: bytes.map(|bytes| Seen::read(&bytes)),
            record: self.record,
        }
    }
}

/// A recording that is over.
pub(crate) struct Recorded {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    seen: Option<Seen>,
    record: Record,
}

impl Recorded {
    /// The program must have ended with success.
    pub(crate) fn fine(self) -> Recorded {
        self.ended(0)
    }

    /// The program must have ended with this status, as a shell tells it.
    pub(crate) fn ended(self, status: i32) -> Recorded {
        let (program, said) = (&self.record.program, &self.stderr);
        assert_eq!(
            shown(self.status),
            status,
            "{program:?}: {said}{}",
            self.stdout
        );
        self
    }

    /// What was recorded.
    pub(crate) fn seen(&self) -> &Seen {
        let (program, options) = (&self.record.program, &self.record.options);
        (self.seen.as_ref())
            .unwrap_or_else(|| panic!("no profile of {program:?} {options:?}: {}", self.stderr))
    }

    pub(crate) fn has_profile(&self) -> bool {
        self.seen.is_some()
    }

    /// The folder that the output was written to.
    pub(crate) fn folder(&self) -> &Path {
        self.record.folder.path()
    }

    /// What the program printed, as JSON.
    pub(crate) fn told(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?} {}", self.stdout, self.stderr))
    }
}

/// A profile, its samples as rows.
pub(crate) struct Seen {
    pub(crate) profile: Profile,
    pub(crate) rows: Vec<Row>,
}

/// A sample.
pub(crate) struct Row {
    /// From the root to the leaf.
    pub(crate) frames: Vec<Place>,
    pub(crate) cpu: i64,
    pub(crate) wall: i64,
    pub(crate) pid: i64,
    pub(crate) tid: i64,
    pub(crate) thread: String,
    pub(crate) labels: Vec<(String, String)>,
}

/// A frame.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: i64,
    pub(crate) start_line: i64,
}

impl Place {
    /// The name without what it is nested in.
    pub(crate) fn short(&self) -> &str {
        let after = self.name.rsplit("<locals>.").next().unwrap();
        after.rsplit('.').next().unwrap()
    }
}

impl Row {
    /// Whether a function is on the stack, by its name without what it is nested in.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.frames.iter().any(|frame| frame.short() == name)
    }

    /// The name of the leaf.
    pub(crate) fn leaf(&self) -> &str {
        self.frames.last().map_or("", Place::short)
    }

    /// The names from the root to the leaf.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.frames.iter().map(Place::short).collect()
    }

    /// What the thread was doing: `on CPU`, `GIL`, `idle`, `runnable` or `lock`.
    pub(crate) fn state(&self) -> &str {
        self.label("state")
    }

    pub(crate) fn label(&self, key: &str) -> &str {
        let label = self.labels.iter().find(|(name, _)| name == key);
        label.map_or("", |(_, value)| value)
    }
}

impl Seen {
    pub(crate) fn read(bytes: &[u8]) -> Seen {
        let options = plop_convert::ReadOptions::default();
        let mut loaded = plop_convert::read(bytes, None, &options).unwrap();
        assert_eq!(loaded.profiles.len(), 1, "a recording is one profile");
        let profile = loaded.profiles.remove(0);
        let rows = (profile.samples.iter())
            .map(|sample| row(&profile, sample))
            .collect();
        Seen { profile, rows }
    }

    pub(crate) fn of_file(path: &Path) -> Seen {
        Seen::read(&std::fs::read(path).unwrap())
    }

    /// CPU samples with a function anywhere on the stack.
    pub(crate) fn cpu(&self, name: &str) -> i64 {
        self.sum(|row| if row.has(name) { row.cpu } else { 0 })
    }

    /// Wall samples with a function anywhere on the stack.
    pub(crate) fn wall(&self, name: &str) -> i64 {
        self.sum(|row| if row.has(name) { row.wall } else { 0 })
    }

    pub(crate) fn all_cpu(&self) -> i64 {
        self.sum(|row| row.cpu)
    }

    pub(crate) fn all_wall(&self) -> i64 {
        self.sum(|row| row.wall)
    }

    pub(crate) fn sum(&self, value: impl Fn(&Row) -> i64) -> i64 {
        self.rows.iter().map(value).sum()
    }

    /// The processes that have samples.
    pub(crate) fn pids(&self) -> BTreeSet<i64> {
        self.rows.iter().map(|row| row.pid).collect()
    }

    /// The distinct functions with CPU samples or wall samples.
    pub(crate) fn functions(&self) -> BTreeSet<&str> {
        let frames = self.rows.iter().flat_map(|row| &row.frames);
        frames.map(Place::short).collect()
    }

    /// A number that the sampler counted; 0 where it told none.
    pub(crate) fn counter(&self, key: &str) -> i64 {
        match self.told(key) {
            Some(Attribute::Number(number)) => *number,
            _ => 0,
        }
    }

    /// What the sampler said of itself.
    pub(crate) fn said(&self, key: &str) -> &str {
        match self.told(key) {
            Some(Attribute::Text(text)) => text,
            _ => "",
        }
    }

    fn told(&self, key: &str) -> Option<&Attribute> {
        let all = &self.profile.meta.sampler;
        all.iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Nothing was read that should not have been.
    pub(crate) fn is_sound(&self) -> &Seen {
        let meta = &self.profile.meta;
        let (rejected, all) = (self.counter("rejected"), meta.ticks.unwrap().delivered);
        // A handful of samples proves nothing about a rate of 0.03 %.
        let sound = self.counter("faults") == 0 && rejected * 1000 <= all + 5000;
        assert!(
            sound,
            "{} {:?} {:?}: {:?}",
            meta.runtime, meta.command, meta.ticks, meta.sampler
        );
        self
    }

    /// As many CPU samples of a function as its CPU time and the rate make, within a third and a few:
    /// timers are due at a tick of the kernel, which comes as rarely as 100 times a second.
    pub(crate) fn expect_cpu(&self, name: &str, seconds: f64, rate: f64) -> &Seen {
        let (found, expected) = (self.cpu(name), seconds * rate);
        assert!(
            self.has_cpu(name, seconds, rate),
            "{found} samples in {name}, where {expected} were due: {} {:?} {:?}\n{}",
            self.profile.meta.runtime,
            self.profile.meta.ticks,
            self.profile.meta.sampler,
            self.cpu_samples()
        );
        self
    }

    /// All CPU samples, a line each: where they come from, how many, and the stack.
    fn cpu_samples(&self) -> String {
        let rows = self.rows.iter().filter(|row| row.cpu > 0);
        let line = |row: &Row| {
            let names: Vec<_> = row.frames.iter().map(Place::short).collect();
            format!("{} {} {}\n", row.pid, row.cpu, names.join(";"))
        };
        rows.map(line).collect()
    }

    /// Whether there are so many.
    pub(crate) fn has_cpu(&self, name: &str, seconds: f64, rate: f64) -> bool {
        let (found, expected) = (self.cpu(name) as f64, seconds * rate);
        (found - expected).abs() <= expected / 3.0 + 5.0
    }
}

fn row(profile: &Profile, sample: Sample) -> Row {
    let value = |kind: &str| {
        let at = profile.values.iter().position(|value| value.kind == kind);
        at.map_or(0, |at| sample.values[at])
    };
    let text = |id| String::from_utf8_lossy(profile.strings.get(id)).into_owned();
    let mut frames: Vec<Place> = (profile.stacks.frames(sample.stack))
        .map(|frame| {
            let function = profile.function_of(frame);
            Place {
                name: text(function.name),
                file: text(function.file),
                line: profile.frames.get(frame).line,
                start_line: function.start_line,
            }
        })
        .collect();
    frames.reverse();
    let thread = sample.thread.map(|id| profile.threads.get(id));
    let labels = sample
        .labels
        .map(|id| profile.label_sets.get(id).as_slice());
    Row {
        frames,
        cpu: value("cpu"),
        wall: value("wall"),
        pid: thread.map_or(0, |thread| thread.pid),
        tid: thread.map_or(0, |thread| thread.tid),
        thread: thread.map_or_else(String::new, |thread| text(thread.name)),
        labels: (labels.unwrap_or_default().iter())
            .map(|(key, value)| match value {
                LabelValue::Text(value) => (text(*key), text(*value)),
                LabelValue::Number(number, unit) => {
                    (text(*key), format!("{number}{}", text(*unit)))
                }
            })
            .collect(),
    }
}

/// Sends a signal to a process, or to a group if the number is negative.
pub(crate) fn send(signal: &str, pid: i64) {
    let arguments = [&format!("-{signal}"), "--", &pid.to_string()];
    assert!(
        Command::new("kill")
            .args(arguments)
            .status()
            .unwrap()
            .success()
    );
}
