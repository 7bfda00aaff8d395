//! Settings and rules of a team: which file holds, what counts more, and what rules do to a verdict.

mod budgets;
mod documentation;
mod errors;
mod rules;
mod settings;

use crate::support::{Ended, ended};
use crate::{Place, deploys};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Growth of the function that the slower deploy made slower, ignored until a day.
fn ignore(until: &str) -> String {
    format!(
        "[[ignore]]\nfunction = \"discount\"\nfile = \"shop.py\"\nreason = \"wanted so\"\nuntil = {until}\n"
    )
}

impl Place {
    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs plop diff in a folder, with variables of the environment.
    fn diff_in(&self, folder: &str, variables: &[(&str, &str)], words: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command
            .arg("diff")
            .args(words.split_whitespace())
            .current_dir(self.0.path().join(folder))
            .envs(variables.iter().copied());
        ended(&mut command)
    }

    fn slower(&self) -> (Value, i32) {
        self.judged("")
    }

    /// The slower deploy as JSON, and the exit code.
    fn judged(&self, words: &str) -> (Value, i32) {
        let files = format!("{} {}", deploys("before"), deploys("slower"));
        let told = self.diff(&format!("--json {words} {files}"));
        let document =
            serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr));
        (document, told.status.code().unwrap())
    }

    /// What is refused of a configuration.
    fn refused(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        self.write(name, text);
        let told = self.diff("--explain-config");
        assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
        assert_eq!(told.stdout, "");
        told.stderr
    }
}

fn codes(document: &Value) -> Vec<&str> {
    let warnings = document["warnings"].as_array().unwrap();
    warnings
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}
