//! Transcripts of the command line: what is typed, what is printed, and the exit code.
//!
//! Each file of `tests/cmd` holds several commands, run one after the other in `testdata`. A line
//! `$ plop …` is a command; the lines after it are its stdout, those that begin with `! ` its stderr,
//! and `? N` its exit code where that is not 0. `$TMP` is an empty folder. `BLESS=1` writes them anew.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn transcripts_are_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let mut files: Vec<_> = (std::fs::read_dir(&folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in files {
        let expected = std::fs::read_to_string(&file).unwrap();
        let found = replay(&expected);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, found).unwrap();
        } else if found != expected {
            let differ = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
            wrong.push(format!("{}: first difference {differ:#?}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "run with BLESS=1 and look at the difference\n{}",
        wrong.join("\n")
    );
}

/// Runs the commands of a transcript; returns the transcript as it is now.
fn replay(transcript: &str) -> String {
    let tmp = tempfile::tempdir().unwrap();
    let tmp_name = tmp.path().display().to_string();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let mut out = String::new();
    let mut in_command = false;
    for line in transcript.lines() {
        if !line.starts_with("$ plop ") {
            // Lines before the first command are the transcript's own remarks.
            if !in_command {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        }
        in_command = true;
        let words = words(&line["$ plop ".len()..]);
        let args = words.iter().map(|word| word.replace("$TMP", &tmp_name));
        let result = Command::new(env!("CARGO_BIN_EXE_plop"))
            .args(args)
            .current_dir(&testdata)
            .env_remove("NO_COLOR")
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        out.push_str(line);
        out.push('\n');
        out.push_str(&String::from_utf8_lossy(&result.stdout).replace(&tmp_name, "$TMP"));
        for line in String::from_utf8_lossy(&result.stderr)
            .replace(&tmp_name, "$TMP")
            .lines()
        {
            out.push_str(format!("! {line}").trim_end());
            out.push('\n');
        }
        match result.status.code() {
            Some(0) => {}
            code => out.push_str(&format!(
                "? {}\n",
                code.map_or("signal".into(), |c| c.to_string())
            )),
        }
    }
    out
}

/// What these documents show is what is printed: every `$ plop …` in a `console` block, stdout and then
/// stderr. The commands run in the root of the repository; `$TMP` is an empty folder.
#[test]
fn documents_show_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for document in [
        "README.md",
        "docs/baseline.md",
        "docs/pprof-and-speedscope.md",
        "docs/reports.md",
    ] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let tmp = tempfile::tempdir().unwrap();
        let tmp = tmp.path().display().to_string();
        let blocks = text
            .split("```console\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        let mut commands = 0;
        for shown in blocks.flat_map(|block| block.split("$ plop ").skip(1)) {
            let (command, expected) = shown.split_once('\n').unwrap();
            let args = words(command).into_iter();
            let output = Command::new(env!("CARGO_BIN_EXE_plop"))
                .args(args.map(|word| word.replace("$TMP", &tmp)))
                .current_dir(&root)
                .env_remove("COLUMNS")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let printed = [output.stdout, output.stderr].concat();
            assert_eq!(
                String::from_utf8_lossy(&printed).replace(&tmp, "$TMP"),
                expected,
                "{document}: plop {command}"
            );
            commands += 1;
        }
        assert!(commands >= 3, "{document} shows {commands} commands");
    }
}

/// The words of a command line; single quotes hold spaces together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
