//! `plop baseline`: what it files, drops and pins, what `plop diff` and `plop history` make of it, and what it refuses.

mod deploys;
mod filing;
mod indexes;
mod pins;

use crate::support::{Ended, ended, in_ci, skipped};
use crate::{FILED, Filed, Place, deploys};
use boon::{Compiler, Schemas};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const INDEX: &str = "plop-baseline.toml";

impl Place {
    fn plop(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command.args(words).current_dir(self.0.path());
        for name in ["LC_ALL", "COLUMNS", "NO_COLOR"] {
            command.env_remove(name);
        }
        ended(&mut command)
    }

    /// Runs `plop baseline`, which has to be fine; what it says.
    fn baseline(&self, words: &str) -> String {
        let words: Vec<&str> = ["baseline"].into_iter().chain(words.split(' ')).collect();
        let told = self.plop(&words);
        assert_eq!(told.status.code(), Some(0), "{words:?}: {}", told.stderr);
        told.stdout
    }

    /// Runs a command that has to be refused, and changes nothing; what it says.
    fn unchanged(&self, words: &[&str]) -> String {
        let before = self.all_files();
        let told = self.plop(words);
        assert_eq!(told.status.code(), Some(2), "{words:?}: {}", told.stdout);
        assert_eq!(self.all_files(), before, "{words:?}");
        told.stderr
    }

    /// Every file with what is in it.
    fn all_files(&self) -> Vec<(String, Vec<u8>)> {
        let (mut files, mut open) = (Vec::new(), vec![self.0.path().to_owned()]);
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false => files.push((path.display().to_string(), fs::read(&path).unwrap())),
                }
            }
        }
        files.sort();
        files
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn mkdir(&self, folder: &str) {
        fs::create_dir_all(self.0.path().join(folder)).unwrap();
    }

    fn index(&self, folder: &str) -> String {
        fs::read_to_string(self.0.path().join(folder).join(INDEX)).unwrap()
    }

    fn list(&self, words: &str) -> Value {
        let told = self.baseline(&format!("list --json {words}"));
        serde_json::from_str(&told).unwrap()
    }

    /// What a comparison with a folder says.
    fn judge(&self, words: &str) -> Value {
        let told = self.diff(&format!("--json --baseline {words}"));
        serde_json::from_str(&told.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", told.stderr))
    }

    /// A deploy of which one function costs so many times as much.
    fn deploy(&self, file: &str, commit: &str, hour: i64, parse: f64) {
        Filed {
            commit,
            hour,
            parse,
            ..FILED
        }
        .put(self, file);
    }
}

/// The names of the deploys in a list of which something holds.
fn those(list: &Value, holds: impl Fn(&Value) -> bool) -> Vec<&str> {
    let deploys = list["deploys"].as_array().unwrap().iter();
    let holds = deploys.filter(|deploy| holds(deploy));
    holds
        .map(|deploy| deploy["name"].as_str().unwrap())
        .collect()
}

fn taken(list: &Value) -> Vec<&str> {
    those(list, |deploy| deploy["taken"] == true)
}

fn warning<'j>(json: &'j Value, code: &str) -> Vec<&'j str> {
    let warnings = json["warnings"].as_array().unwrap().iter();
    let of_code = warnings.filter(|warning| warning["code"] == code);
    of_code
        .map(|warning| warning["text"].as_str().unwrap())
        .collect()
}
