//! `plop diff --changed-since`: what changed in a real repository of git, and what that does to findings.

mod findings;
mod languages;
mod revisions;

use crate::Place;
use crate::support::{Ended, ended, executable, finish, in_ci, skipped};
use plop_core::{
    Attribute, Frame, Function, Notes, Profile, Sample, Slice, SliceId, StackId, ValueType,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository, and profiles beside it.
struct Repository {
    place: Place,
}

/// A function of a profile: name, file, line of the definition, and samples of a thousand.
type Row<'r> = (&'r str, &'r str, i64, f64);

impl Repository {
    /// None where there is no git, which is said.
    fn new(test: &str) -> Option<Repository> {
        if Command::new("git").arg("--version").output().is_err() {
            assert!(!in_ci(), "CI is set, but there is no git");
            skipped(&format!("{test}, since there is no git"));
            return None;
        }
        let repository = Repository {
            place: Place::new(),
        };
        fs::create_dir(repository.root()).unwrap();
        repository.git(&["init", "-q", "-b", "main"]);
        Some(repository)
    }

    fn root(&self) -> PathBuf {
        self.place.0.path().join("repo")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.root())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ann")
                .env(format!("GIT_{who}_EMAIL"), "ann@example.org");
        }
        command
    }

    fn git(&self, words: &[&str]) -> String {
        finish(self.command("git").args(words)).trim().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn commit(&self, subject: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes a profile beside the repository; the rest of a thousand samples is of functions of a library.
    fn profile(&self, name: &str, rows: &[Row], commit: &str) {
        let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
        let rest = 1_000.0 - rows.iter().map(|row| row.3).sum::<f64>();
        let library: Vec<String> = (0..8).map(|n| format!("library_{n}")).collect();
        let rows: Vec<Row> = (rows.iter().copied())
            .chain(library.iter().map(|name| {
                (
                    name.as_str(),
                    "/usr/lib/python3.12/json/x.py",
                    9,
                    rest / 8.0,
                )
            }))
            .collect();
        let stacks: Vec<StackId> = (rows.iter())
            .map(|(name, file, line, _)| {
                let function = Function {
                    name: profile.strings.intern(name.as_bytes()),
                    system_name: profile.strings.intern(b""),
                    file: profile.strings.intern(file.as_bytes()),
                    start_line: *line,
                };
                let function = profile.functions.intern(function);
                let frame = profile.frames.intern(Frame::of(function));
                profile.stacks.push(StackId::ROOT, frame)
            })
            .collect();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ name.len() as u64;
        for slice in 0..60 {
            profile.slices.0.push(Slice::default());
            for (stack, row) in stacks.iter().zip(&rows) {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let noise = (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5;
                let mean = row.3 / 3.0;
                let count = (mean + mean.sqrt() * 3.4 * noise).round().max(0.0) as i64;
                profile.samples.push(Sample {
                    slice: Some(SliceId::new(slice)),
                    ..Sample::of(*stack, &[count])
                });
            }
        }
        if !commit.is_empty() {
            profile.meta.build = vec![("commit".into(), Attribute::Text(commit.into()))];
        }
        let mut out = fs::File::create(self.place.0.path().join(name)).unwrap();
        let plop = plop_convert::find("plop").unwrap();
        plop.write(&[profile], &mut out, &mut Notes::new()).unwrap();
    }

    /// Both profiles of functions of which the first one costs three times as much after.
    fn profiles(&self, rows: &[Row]) {
        self.profile("before.plop", rows, "");
        let mut after = rows.to_vec();
        after[0].3 *= 3.0;
        self.profile("after.plop", &after, "");
    }

    fn diff(&self, words: &str) -> Ended {
        let mut command = self.command(env!("CARGO_BIN_EXE_plop"));
        let words = words.split_whitespace();
        ended((command.arg("diff").args(words)).args(["../before.plop", "../after.plop"]))
    }

    fn json(&self, words: &str) -> Value {
        let told = self.diff(&format!("--json {words}"));
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr))
    }

    fn refused(&self, words: &str) -> String {
        let told = self.diff(words);
        assert_eq!(told.status.code(), Some(2), "{words}: {}", told.stdout);
        assert_eq!(told.stdout, "", "{words}");
        told.stderr
    }
}

const SHOP: &str = "\
import os

def discount(price):
    return price * 2

class Cart:
    def total(self):
        return sum(self.items)
";

/// A shop whose second commit changes `discount`, and whose third one changes nothing of it.
fn shop(test: &str) -> Option<Repository> {
    let repository = Repository::new(test)?;
    repository.write("app/shop.py", SHOP);
    repository.write("app/other.py", "def other():\n    return 1\n");
    repository.commit("first");
    repository.git(&["tag", "v1"]);
    repository.write("app/shop.py", &SHOP.replace("price * 2", "price * 3 | 1"));
    repository.commit("support | `unary` minus");
    repository.write("README", "a shop\n");
    repository.commit("a readme");
    repository.profiles(&[
        ("discount", "/srv/releases/7/app/shop.py", 3, 60.0),
        ("Cart.total", "/srv/releases/7/app/shop.py", 7, 90.0),
        ("other", "/srv/releases/7/app/other.py", 1, 80.0),
    ]);
    Some(repository)
}

fn names(json: &Value) -> Vec<&str> {
    let functions = json["touched"]["functions"].as_array().unwrap();
    (functions.iter())
        .map(|one| one["function"]["name"].as_str().unwrap())
        .collect()
}
