//! What plop writes as `.plop` is read by others: by `ast.literal_eval` of every Python from 2.7 on,
//! and by the original Plop and its viewer.
//!
//! The scripts in `python/` know what to expect, and nothing of plop. The interpreters come from the
//! environment, as `./test` finds them: PLOP_PYTHONS has paths with colons between them,
//! PLOP_PEER_PYTHON is one that has the original Plop 0.4.0. Without them the tests here say SKIPPED,
//! or fail where CI is set. PLOP_SEEDS is a folder with `plop-sample.out`, Plop's own example.

mod support;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{LIMIT, Running, finish, in_ci, skipped, tempdir, variable};

/// The versions that must be there where CI is set.
const VERSIONS: [&str; 8] = ["2.7", "3.6", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"];

/// What would declare an encoding stands wherever a name can. DEEP stands for a stack too long to write
/// here.
const WHOLE: &str = r##"# plop 2 {"clock":"cpu+wall","period_ns":10000000,"started":"2026-11-20T08:22:11Z","values":[["cpu","samples"],["wall","samples"]],"threads":[[12,"MainThread"],[13,"coding: utf-7"],[14,"# -*- coding: latin-1 -*-",12]],"host":{"coding":"coding=utf-16"},"new key":{"coding: latin-1":["coding: latin-1"]}}
{
(('app/expr.py', 88, 'parse_expr'), ('app/main.py', 12, '<module>')): 331,
((u'mod\xe9.py', 3, 'été'), ('日本語.py', 4, '😀')): 20,
(('bad \udcff.py', 5, 'coding: latin-1'),): 7,
(("it's \"q\".py", 6, 'line\nfeed\ttab\\end'),): 0,
(('less.py', -1, 'less'), ('app/main.py', 12, '<module>')): -4,
(): 2,
DEEP: 1,
}
#f ["app/expr.py",88,"parse_expr"] {"first":80,"kind":"python"}
#l 0 {"route":"/search"}
#l 1 [["bytes",512,"B"],["user","é\u00e9"]]
# slices {"length_ns":250000000,"ticks":[25,24],"cpu_ns":[240000000,null],"work":{"requests":[3,4]},"run":[0,0]}
#@ 0 0 - 0:300,310 1:20,20
#@ 1 1 0 0:31,40 4:-4,0
#@ 1 2 1 2:7,7 3:0,9 5:2,2
#@ - - - 6:1,1
"##;

/// The first value has decimals, lines are those of definitions, and the stack without frames goes by
/// another name, since its usual one is taken.
const DECIMAL: &str = r##"# plop 2 {"values":[["time","seconds",3],["samples","count"]],"empty_stack":["",0,"<none>"],"lines":"definition"}
{
(('', 0, '(no frames)'),): 2.5,
(('', 0, '<none>'),): 0.1,
(('a.py', 1, 'f'),): -0.5,
(('a.py', 2, 'g'), ('a.py', 1, 'f')): 3,
}
#@ - - - 0:2.5,1 1:0.1,2 2:-0.5,3 3:3,4
"##;

#[test]
fn every_python_reads_the_dictionary_of_the_original() {
    let Some(pythons) = pythons() else { return };
    let folder = tempdir();
    let mut files = originals();
    for (n, mut file) in originals().into_iter().enumerate() {
        files[n].convert(folder.path());
        file.ours = folder.path().join(format!("{}.gz", file.name()));
        plop(&[&file.original, &"-o", &file.ours]);
        files.push(file);
    }
    for python in &pythons {
        script(python, "same.py", &arguments(&files));
    }
}

#[test]
fn every_python_reads_it_after_a_visit_to_folded_stacks() {
    let Some(pythons) = pythons() else { return };
    let folder = tempdir();
    let mut files = originals();
    for file in &mut files {
        let folded = folder.path().join("visited.folded");
        file.ours = folder.path().join(file.name());
        let mut there: Vec<Arg> = vec![&file.original, &"-o", &folded];
        let mut back: Vec<Arg> = vec![&folded, &"--from=folded", &"-o", &file.ours];
        // Folded stacks have room for any name, if it is escaped.
        if file.name().starts_with("names-") {
            there.push(&"--escape");
            back.push(&"--unescape");
        }
        plop(&there);
        plop(&back);
    }
    for python in &pythons {
        script(python, "same.py", &arguments(&files));
    }
}

#[test]
fn every_python_reads_it_after_a_journey_through_other_formats() {
    let Some(pythons) = pythons() else { return };
    let folder = tempdir();
    let mut files = originals();
    for file in &mut files {
        file.ours = folder.path().join(file.name());
        // pprof has no room for names that are not UTF-8, as some of these are.
        let odd = file.name().starts_with("names-");
        let stops = match odd {
            true => vec!["on.speedscope.json", "on.folded"],
            false => vec!["on.pb.gz", "on.speedscope.json", "on.folded"],
        };
        let mut from = file.original.clone();
        for (n, stop) in stops.iter().enumerate() {
            let to = folder.path().join(stop);
            let mut step: Vec<Arg> = vec![&from, &"-o", &to];
            if odd && n == 0 {
                step.push(&"--escape");
            }
            plop(&step);
            from = to;
        }
        let mut back: Vec<Arg> = vec![&from, &"--from=folded", &"-o", &file.ours];
        if odd {
            back.push(&"--unescape");
        }
        plop(&back);
    }
    for python in &pythons {
        script(python, "same.py", &arguments(&files));
    }
}

#[test]
fn every_python_reads_all_that_version_2_holds() {
    let Some(pythons) = pythons() else { return };
    let folder = tempdir();
    for (name, text) in rich() {
        let file = write_rich(folder.path(), name, &text);
        for python in &pythons {
            script(python, "rich.py", &[&"check", &name, &file]);
        }
    }
}

#[test]
fn random_dictionaries_mean_what_python_meant() {
    let Some(pythons) = pythons() else { return };
    let python2 = pythons.iter().find(|python| python.is_2());
    let newest = pythons.iter().rfind(|python| !python.is_2());
    for (seed, writer) in pythons.iter().enumerate() {
        for kind in ["plain", "all"] {
            let readers = match kind {
                "plain" => vec![python2, newest],
                _ if writer.is_2() => vec![newest],
                _ => vec![Some(writer)],
            };
            let folder = tempdir();
            let [written, ours] = ["written", "ours"].map(|name| folder.path().join(name));
            for folder in [&written, &ours] {
                std::fs::create_dir(folder).expect("a folder can be made");
            }
            let seed = seed.to_string();
            script(
                writer,
                "differential.py",
                &[&"write", &written, &seed, &"100", &kind],
            );
            let files = plop_files(&written);
            let mut args: Vec<Arg> = vec![&"-f", &"plop", &"-o", &ours];
            args.extend(files.iter().map(|file| file as Arg));
            plop(&args);
            for reader in readers.into_iter().flatten() {
                script(reader, "differential.py", &[&"check", &written, &ours]);
            }
        }
    }
}

#[test]
fn the_original_plop_makes_the_same_graph() {
    let Some(peer) = peer() else { return };
    let folder = tempdir();
    let mut files = originals();
    for file in &mut files {
        file.convert(folder.path());
    }
    for (name, text) in rich() {
        files.push(rich_file(&peer, folder.path(), name, &text));
    }
    script(&peer, "graphs.py", &arguments(&files));
}

#[test]
fn the_original_viewer_serves_the_same_data() {
    let Some(peer) = peer() else { return };
    let folder = tempdir();
    let mut files = originals();
    for file in &mut files {
        file.convert(folder.path());
        let copy = folder.path().join(format!("original-{}", file.name()));
        std::fs::copy(&file.original, &copy).expect("a fixture can be copied");
        file.original = copy;
    }
    files.push(rich_file(&peer, folder.path(), "DECIMAL", DECIMAL));
    // The viewer wants names in its folder.
    for path in files
        .iter_mut()
        .flat_map(|file| [&mut file.original, &mut file.ours])
    {
        *path = path.file_name().expect("a file has a name").into();
    }
    let viewer = Viewer::start(&peer, folder.path());
    let address = format!("http://127.0.0.1:{}", viewer.port);
    let mut args: Vec<Arg> = vec![&address];
    args.extend(arguments(&files));
    script(&peer, "viewer.py", &args);
}

/// An argument of a command.
type Arg<'a> = &'a dyn AsRef<OsStr>;

/// A file of another Plop, and what plop made of it.
struct File {
    original: PathBuf,
    ours: PathBuf,
}

impl File {
    fn name(&self) -> String {
        let name = self.original.file_stem().expect("a file has a name");
        format!("{}.plop", name.to_string_lossy())
    }

    /// The major version of the Python that wrote the original.
    fn dialect(&self) -> &'static &'static str {
        match self.name().contains("py27") {
            true => &"2",
            false => &"3",
        }
    }

    fn convert(&mut self, folder: &Path) {
        self.ours = folder.join(self.name());
        plop(&[&self.original, &"-o", &self.ours]);
    }
}

/// Every recording of another Plop.
fn originals() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = plop_files(&root.join("testdata/plop"));
    assert!(!paths.is_empty(), "there are fixtures");
    let seeds = std::env::var_os("PLOP_SEEDS").unwrap_or_else(|| "../shared/seed-samples".into());
    let sample = root.join(seeds).join("plop-sample.out");
    match sample.exists() {
        true => paths.push(sample),
        false => skipped("plop-sample.out, which is not in the folder PLOP_SEEDS"),
    }
    (paths.into_iter())
        .map(|original| File {
            original,
            ours: PathBuf::new(),
        })
        .collect()
}

fn plop_files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = (std::fs::read_dir(folder).expect("a folder can be listed"))
        .map(|entry| entry.expect("a folder lists its files").path())
        .filter(|path| path.extension() == Some("plop".as_ref()))
        .collect();
    paths.sort();
    paths
}

/// What the scripts want to know of files.
fn arguments(files: &[File]) -> Vec<Arg<'_>> {
    assert!(files.iter().all(|file| file.original != file.ours));
    (files.iter())
        .flat_map(|file| [&file.original as Arg, file.dialect(), &file.ours])
        .collect()
}

/// Files written by hand, by the names that `rich.py` has for what they hold.
fn rich() -> [(&'static str, String); 2] {
    let mut deep = String::from("(");
    for line in 0..100_000 {
        let _ = write!(deep, "('deep.py', {line}, 'down'), ");
    }
    deep.push(')');
    [
        ("WHOLE", WHOLE.replace("DEEP", &deep)),
        ("DECIMAL", DECIMAL.into()),
    ]
}

/// What plop makes of a text.
fn write_rich(folder: &Path, name: &str, text: &str) -> PathBuf {
    let input = folder.join(format!("{name}.in"));
    let file = folder.join(format!("{name}.plop"));
    std::fs::write(&input, text).expect("a file can be written");
    plop(&[&input, &"-o", &file]);
    file
}

/// What plop makes of a text, and what the original Plop would have written.
fn rich_file(peer: &Python, folder: &Path, name: &str, text: &str) -> File {
    let ours = write_rich(folder, name, text);
    let original = folder.join(format!("original-{name}.plop"));
    script(peer, "rich.py", &[&"plain", &name, &original]);
    File { original, ours }
}

struct Python {
    path: PathBuf,
    version: String,
}

/// The interpreters of PLOP_PYTHONS.
fn pythons() -> Option<Vec<Python>> {
    let paths = variable("PLOP_PYTHONS")?;
    let pythons: Vec<Python> = std::env::split_paths(&paths).map(Python::at).collect();
    for version in VERSIONS {
        let here = pythons.iter().any(|python| python.version == version);
        assert!(here || !in_ci(), "PLOP_PYTHONS has no Python {version}");
    }
    Some(pythons)
}

/// The interpreter that has the original Plop.
fn peer() -> Option<Python> {
    variable("PLOP_PEER_PYTHON").map(|path| Python::at(path.into()))
}

impl Python {
    fn at(path: PathBuf) -> Python {
        let mut python = Python {
            path,
            version: String::new(),
        };
        let print = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])";
        python.version = finish(python.command().args(["-c", print]));
        python
    }

    fn is_2(&self) -> bool {
        self.version.starts_with("2.")
    }

    /// The interpreter, which takes warnings for errors and leaves nothing beside the scripts.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        (command.args(["-B", "-W", "error"]))
            .env("PYTHONIOENCODING", "utf-8")
            .env("PYTHONUTF8", "1")
            .env_remove("PYTHONPATH");
        command
    }
}

/// Runs a script from beside this file, which must be content.
fn script(python: &Python, name: &str, args: &[Arg]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(name);
    finish(python.command().arg(path).args(args));
}

/// Runs `plop convert`.
fn plop(args: &[Arg]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
    finish(command.args(["convert", "-q"]).args(args));
}

/// The original's viewer, which runs until this is dropped.
struct Viewer {
    port: u16,
    _process: Running,
}

impl Viewer {
    fn start(peer: &Python, folder: &Path) -> Viewer {
        let log = tempfile::NamedTempFile::new().expect("a file can be made");
        // Another process may take the port before the viewer does.
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
            let port = (listener.local_addr().expect("a listener has an address")).port();
            drop(listener);
            let child = Command::new(&peer.path)
                .args(["-B", "-m", "plop.viewer", "--address=127.0.0.1"])
                .arg(format!("--port={port}"))
                .arg(format!("--datadir={}", folder.display()))
                .env("PYTHONUTF8", "1")
                .env_remove("PYTHONPATH")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log.reopen().expect("a file can be opened"))
                .spawn()
                .expect("the viewer starts");
            let mut process = Running(child);
            let started = Instant::now();
            while started.elapsed() < LIMIT && process.is_alive() {
                if listens(port) {
                    return Viewer {
                        port,
                        _process: process,
                    };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let said = std::fs::read_to_string(log).unwrap_or_default();
        panic!("the viewer does not listen: {said}");
    }
}

fn listens(port: u16) -> bool {
    let stream = TcpStream::connect(("127.0.0.1", port));
    // Where nobody listens, a connection may get this very port and meet itself.
    stream.is_ok_and(|stream| stream.local_addr().ok() != stream.peer_addr().ok())
}
