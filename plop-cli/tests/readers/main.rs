//! What plop writes for other programs, read by those programs: `go tool pprof` and Google's protobuf
//! for pprof files, speedscope's importer and its page for its own, Chromium for flame graphs.
//!
//! Each is asked what it finds, and that is held against plop's own totals and folded stacks. The
//! scripts beside this file know nothing of plop. `./test` installs the programs and names them in
//! PLOP_GO (Go's command), PLOP_PEER_PYTHON (a Python with protobuf), PLOP_SPEEDSCOPE and PLOP_PLAYWRIGHT
//! (folders of npm packages) and PLOP_CHROMIUM. Without one, the tests that need it say SKIPPED, or
//! fail where CI is set. PLOP_PICTURES is a folder for pictures of the pages, to be looked at; PLOP_CORPUS
//! one with files of other people's tools.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod expected;
mod pages;
mod pprof;
mod speedscope;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// An argument of a command.
type Arg<'a> = &'a dyn AsRef<OsStr>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs plop, which must succeed; returns its output.
fn plop(args: &[Arg]) -> String {
    support::finish(Command::new(env!("CARGO_BIN_EXE_plop")).args(args))
}

/// What plop makes of a file in another format, in a folder.
fn converted(input: &Path, folder: &Path, ending: &str) -> PathBuf {
    let name = input.file_name().unwrap().to_string_lossy();
    let file = folder.join(format!("{name}.{ending}"));
    plop(&[&"convert", &"-q", &input, &"-o", &file]);
    file
}

/// Runs a script from beside this file with node.
fn node(script: &str, args: &[Arg]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/readers")
        .join(script);
    support::finish(Command::new("node").arg(script).args(args))
}

/// A JSON value for each line.
fn lines(text: &str) -> Vec<Value> {
    (text.lines())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A member that is text.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    (value[key].as_str()).unwrap_or_else(|| panic!("{key} of {value} is no text"))
}

/// A member that is a list.
fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    (value[key].as_array()).unwrap_or_else(|| panic!("{key} of {value} is no list"))
}

/// The folder of real files with one of this name in it.
fn corpus(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PLOP_CORPUS").unwrap_or_else(|| "../shared/corpus".into());
    let folder = root().join(folder).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    support::skipped("real files, which are not in the folder PLOP_CORPUS");
    assert!(!support::in_ci(), "the corpus is missing");
    None
}

/// The files in a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = (std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}
