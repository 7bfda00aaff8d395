//! The command in its surroundings: pipes, terminals, full disks, files that must not be harmed.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::skipped;

fn plop() -> Command {
    Command::new(env!("CARGO_BIN_EXE_plop"))
}

fn testdata(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(file)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command through `sh`, with plop as `$PLOP` and testdata as `$DATA`.
fn sh(script: &str) -> Output {
    Command::new("sh")
        .args(["-c", script])
        .env("PLOP", env!("CARGO_BIN_EXE_plop"))
        .env("DATA", testdata(""))
        .output()
        .unwrap()
}

#[test]
fn a_pipe_is_read_and_written_without_naming_it() {
    let mut child = plop()
        .args(["convert", "-f", "folded"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"{(('a.py', 1, 'f'),): 3}")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"f (a.py:1) 3\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for command in [
        "convert $DATA/folded/work-native.folded -f plop",
        "formats",
        "man",
        "completions zsh",
        "info $DATA/plop/*.plop",
    ] {
        // The pipe is closed before plop writes, so that every size of output meets it.
        let output = sh(&format!(
            "{{ sleep 0.2; $PLOP {command}; echo $? >&2; }} | true"
        ));
        assert_eq!(stderr(&output), "0\n", "{command}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.plop").display().to_string();
    for command in ["convert", "merge"] {
        let told = format!("$PLOP {command} $DATA/folded/work.folded -o {file} --json");
        let output = sh(&format!("{{ sleep 0.2; {told}; echo $? >&2; }} | true"));
        assert_eq!(stderr(&output), "0\n", "{command}");
        let output = sh(&format!("{told} > /dev/full"));
        assert_eq!(
            output.status.code(),
            Some(2),
            "{command}: {}",
            stderr(&output)
        );
    }
}

/// Who does not listen changes nothing.
#[test]
fn where_stderr_cannot_be_written_to_the_status_is_the_same() {
    for (command, code) in [
        (
            "convert $DATA/folded/work.folded -f folded -o x.folded -v",
            0,
        ),
        ("convert $DATA/no-such-file -f folded", 2),
        (
            "merge $DATA/folded/work.folded $DATA/folded/work.folded -o x.folded -v",
            0,
        ),
        ("no-such-command", 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().display();
        let output = sh(&format!("cd {folder} && $PLOP {command} 2>/dev/full"));
        assert_eq!(output.status.code(), Some(code), "{command}");
    }
}

#[test]
fn a_file_on_a_memory_disk_is_a_file_like_any_other() {
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
        skipped("there is no /dev/shm");
        return;
    };
    let file = folder.path().join("x.folded");
    std::fs::write(&file, "old 1\n".repeat(100_000)).unwrap();
    for name in ["x.folded", "new.folded"] {
        let target = folder.path().join(name);
        let input = testdata("folded/work.folded");
        assert!(
            plop()
                .arg("convert")
                .arg(&input)
                .arg("-o")
                .arg(&target)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(
            std::fs::read_to_string(&target).unwrap().lines().count(),
            22
        );
    }
}

#[test]
fn standard_output_by_its_other_names_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        std::fs::write(&file, "before\n").unwrap();
        let output = sh(&format!(
            "$PLOP convert $DATA/folded/work.folded -f folded -o {name} >> {}",
            file.display()
        ));
        assert!(output.status.success(), "{}", stderr(&output));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("before\n") && text.lines().count() == 23,
            "{name}"
        );
    }
}

#[test]
fn compressed_output_is_refused_on_a_terminal_and_nowhere_else() {
    // `script` gives the command a terminal for its stdout.
    let on_terminal = sh(
        "script -qec \"$PLOP convert $DATA/folded/work.folded -f plop --gzip\" /dev/null </dev/null",
    );
    let text = String::from_utf8_lossy(&on_terminal.stdout).into_owned();
    if text.is_empty()
        && !on_terminal.status.success()
        && stderr(&on_terminal).contains("not found")
    {
        skipped("there is no `script` to make a terminal with");
        assert!(std::env::var_os("CI").is_none(), "`script` is missing");
        return;
    }
    assert_eq!(on_terminal.status.code(), Some(2), "{text}");
    assert!(text.contains("not for a terminal"), "{text}");
    let piped = sh("$PLOP convert $DATA/folded/work.folded -f plop --gzip | gzip -dc | head -c 8");
    assert_eq!(piped.stdout, b"# plop 2");
}

#[test]
fn progress_is_shown_on_a_terminal_only() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("slow.folded");
    // A pipe that delivers after 1.5 s makes the job long enough.
    let script = format!(
        "mkfifo {0}; {{ sleep 1.5; echo 'a;b 1'; }} >{0} & script -qec \"$PLOP convert {0} -f folded\" /dev/null </dev/null",
        fifo.display()
    );
    let output = sh(&script);
    if stderr(&output).contains("not found") {
        skipped("there is no `script` to make a terminal with");
        assert!(std::env::var_os("CI").is_none(), "`script` is missing");
        return;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("reading"), "{text:?}");
    assert!(text.contains("a;b 1"), "{text:?}");
    let piped = sh("{ sleep 1.2; echo 'a;b 1'; } | $PLOP convert -f folded");
    assert_eq!(piped.stdout, b"a;b 1\n");
    assert_eq!(stderr(&piped), "");
}

#[test]
fn a_disk_that_is_full_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.folded");
    std::fs::write(&target, "old 1\n").unwrap();
    // A limit on the size of files stands in for a full disk: the write fails half-way.
    let output = sh(&format!(
        "ulimit -f 4; trap '' XFSZ; $PLOP convert $DATA/folded/work-native.folded -f folded -o {}",
        target.display()
    ));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("cannot write"),
        "{}",
        stderr(&output)
    );
    assert_eq!(std::fs::read(&target).unwrap(), b"old 1\n");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "a partial file was left");
    let full = sh("$PLOP convert $DATA/folded/work.folded -f folded -o /dev/full");
    assert_eq!(full.status.code(), Some(2));
    assert!(
        stderr(&full).contains("cannot write /dev/full: No space left"),
        "{}",
        stderr(&full)
    );
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let output = sh("$PLOP convert $DATA/folded/work.folded -o /proc/nothing.folded");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("cannot write /proc/nothing.folded"),
        "{}",
        stderr(&output)
    );
}

#[cfg(unix)]
#[test]
fn an_existing_output_keeps_its_mode_and_a_link_stays_a_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (
        folder.path().join("real.folded"),
        folder.path().join("link.folded"),
    );
    std::fs::write(&file, "old 1\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.folded", &link).unwrap();
    let input = testdata("folded/work.folded");
    let status = plop()
        .arg("convert")
        .arg(&input)
        .arg("-qo")
        .arg(&link)
        .status()
        .unwrap();
    assert!(status.success());
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::read(&file).unwrap().len() > 1000);
    let (to_come, dangling) = (
        folder.path().join("to-come"),
        folder.path().join("dangling"),
    );
    symlink("to-come", &dangling).unwrap();
    let status = plop()
        .arg("convert")
        .arg(&input)
        .args(["-qf", "folded", "-o"])
        .arg(&dangling)
        .status()
        .unwrap();
    assert!(status.success());
    assert!(dangling.symlink_metadata().unwrap().is_symlink() && to_come.is_file());
}

#[test]
fn an_input_may_be_its_own_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.plop");
    std::fs::copy(testdata("plop/work-py311.plop"), &file).unwrap();
    let status = plop()
        .arg("convert")
        .arg(&file)
        .arg("-o")
        .arg(&file)
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# plop 2 {"));
}

#[test]
fn names_ending_in_gz_are_compressed_and_bombs_are_not_inflated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.plop.gz");
    let input = testdata("plop/work-py311.plop");
    assert!(
        plop()
            .arg("convert")
            .arg(&input)
            .arg("-o")
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    let packed = std::fs::read(&file).unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < 3000);
    let output = plop().args(["info", "--json"]).arg(&file).output().unwrap();
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(info["values"][0]["total"], 1082);
    assert_eq!(info["format"], "plop");
    let refused = plop()
        .args(["info", "--max-inflated", "1K"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("--max-inflated"),
        "{}",
        stderr(&refused)
    );
    let bomb = folder.path().join("bomb.gz");
    let made = sh(&format!(
        "head -c 100M /dev/zero | gzip -1 > {}",
        bomb.display()
    ));
    assert!(made.status.success());
    let refused = plop()
        .args(["info", "--max-inflated", "10M"])
        .arg(&bomb)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let big = folder.path().join("big.folded");
    let mut text = String::new();
    for n in 0..120_000u64 {
        let k = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        text += &format!(
            "root (main.py:1);some_handler_of_requests_{} (web.py:{});leaf_{} (lib.py:9) {}\n",
            k % 300,
            k % 77,
            k % 5003,
            n % 9
        );
    }
    assert!(text.len() > 8 << 20);
    std::fs::write(&big, text).unwrap();
    let run = |jobs: &str, format: &str| {
        let output = plop()
            .args(["-j", jobs, "convert", "-f", format])
            .arg(&big)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        output.stdout
    };
    for format in ["folded", "plop"] {
        let one = run("1", format);
        assert!(
            one == run("2", format) && one == run("4", format),
            "{format}"
        );
    }
}

#[test]
fn manual_pages_and_completions_come_from_the_same_options() {
    let folder = tempfile::tempdir().unwrap();
    let status = plop()
        .args(["man", "--out"])
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    let page = std::fs::read_to_string(folder.path().join("plop-convert.1")).unwrap();
    assert!(page.contains("fold\\-recursion"), "{page}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = plop().args(["completions", shell]).output().unwrap();
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("fold-recursion"),
            "{shell}"
        );
    }
}

/// A picture is by function unless something else is asked for.
#[test]
fn a_picture_has_lines_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.svg").display().to_string();
    for (options, name, other) in [
        ("", "sort_words (work.py) (", "work.py:"),
        (
            "--granularity lines",
            "sort_words (work.py:33) (",
            "work.py) (",
        ),
        ("--granularity files", ">work.py (", "sort_words"),
    ] {
        for format in [
            "-f svg -o -",
            "-f svg",
            "-f flamegraph -o FILE",
            "-o FILE.gz",
        ] {
            let format = format.replace("FILE", &file);
            let run = format!("$PLOP convert -q $DATA/folded/work.folded {format} {options}");
            let output = sh(&format!(
                "rm -f {file}*; {run} && if test -f {file}.gz; then gzip -dc {file}.gz; \
                 elif test -f {file}; then cat {file}; fi"
            ));
            let svg = String::from_utf8(output.stdout).unwrap();
            assert!(svg.starts_with("<?xml"), "{format} {options}: {svg}");
            assert!(
                svg.contains(name) && !svg.contains(other),
                "{format} {options}"
            );
            assert!(svg.contains("total_samples=\"266\""), "{format} {options}");
        }
    }
    let merged = sh("$PLOP merge -q $DATA/folded/work.folded $DATA/folded/work.folded -f svg");
    let svg = String::from_utf8(merged.stdout).unwrap();
    assert!(svg.contains("total_samples=\"532\"") && !svg.contains("work.py:"));
    let folded = sh("$PLOP convert $DATA/folded/work.folded -f flamegraph | head -n 1");
    assert!(folded.stdout.starts_with(b"<module> (work.py:89)"));
}

/// The README's table of formats is the one that the code has.
#[test]
fn the_readme_lists_the_formats_there_are() {
    let readme = std::fs::read_to_string(testdata("../README.md")).unwrap();
    let table = plop_convert::markdown_table();
    assert!(readme.contains(&table), "put this into README.md:\n{table}");
}

/// Every code that a note can have is explained in docs/json.md, and every one explained exists.
#[test]
fn the_codes_of_notes_are_those_that_are_explained() {
    let docs = std::fs::read_to_string(testdata("../docs/json.md")).unwrap();
    let mut files = vec![
        testdata("../plop-core/src"),
        testdata("../plop-convert/src"),
        testdata("../plop-cli/src"),
    ];
    let mut codes = std::collections::BTreeSet::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        let source = code.split("#[cfg(test)]").next().unwrap();
        for call in ["notes.add(", "notes.add_many(", "changed("] {
            for after in source.split(call).skip(1) {
                if let Some(text) = after.trim_start().strip_prefix('"') {
                    codes.insert(text.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
    codes.extend(["stacks-alike", "duplicate-stack"].map(str::to_owned));
    let explained: std::collections::BTreeSet<String> = docs
        .lines()
        .skip_while(|line| !line.starts_with("Codes of reading"))
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| {
            line.strip_prefix("| `")?
                .split('`')
                .next()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(codes, explained);
}

/// The example of docs/plop-format.md is in the document whole, and comes back byte for byte.
#[test]
fn the_example_of_the_format_is_what_we_write() {
    let file = testdata("../docs/examples/everything.plop");
    let example = std::fs::read_to_string(&file).unwrap();
    let docs = std::fs::read_to_string(testdata("../docs/plop-format.md")).unwrap();
    assert!(docs.contains(&example));
    let output = plop()
        .args(["convert", "-f", "plop"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), example);
}
