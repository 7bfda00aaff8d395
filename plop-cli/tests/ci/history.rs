//! The history of the shop: what is said of a deploy names the function that its commit changed.

use std::process::Command;

use serde_json::{Value, json};

use crate::shop::{Shop, root};
use crate::support::{Ended, ended};

/// Compares two recorded deploys in the checkout; the options are words.
fn diff(shop: &Shop, after: &str, options: &str) -> Ended {
    let deploy = |name: &str| root().join(format!("testdata/deploys/{name}.plop"));
    let mut plop = shop.command(env!("CARGO_BIN_EXE_plop"));
    plop.arg("diff").arg(deploy("before")).arg(deploy(after));
    ended(plop.args(options.split_whitespace()))
}

/// The function that a commit of one line changed, and the line of its definition, as git and the text tell them.
fn changed(shop: &Shop, commit: &str) -> (String, usize) {
    let hunks = shop.git(&["show", "-U0", "--format=", commit, "--", "shop.py"]);
    let hunk = hunks.lines().rfind(|line| line.starts_with("@@ ")).unwrap();
    let line: usize = hunk
        .split('+')
        .nth(1)
        .unwrap()
        .split([' ', ','])
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let text = shop.git(&["show", &format!("{commit}:shop.py")]);
    let above = text.lines().take(line).enumerate();
    let (at, definition) = above
        .filter(|(_, line)| line.starts_with("def "))
        .last()
        .unwrap();
    let name = definition["def ".len()..].split('(').next().unwrap();
    (name.to_owned(), at + 1)
}

#[test]
fn every_report_of_the_slower_deploy_names_the_function_that_the_commit_changed() {
    let Some(shop) = Shop::new() else { return };
    shop.git(&["switch", "-q", "slower"]);
    let (name, line) = changed(&shop, "slower");
    assert_eq!(
        shop.git(&["log", "-1", "--format=%s", "slower"]),
        "Discounts in finer steps"
    );
    let told = diff(&shop, "slower", "-o markdown=slower.md -o slower.sarif");
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    let causes: Vec<&str> = told
        .stdout
        .lines()
        .filter(|line| line.contains('▲'))
        .collect();
    assert!(
        matches!(causes[..], [cause] if cause.contains(&format!("▲ {name}  (shop.py:{line})"))),
        "{}",
        told.stdout
    );
    let markdown = shop.file("slower.md");
    let rows: Vec<&str> = markdown
        .lines()
        .filter(|line| line.starts_with("| ▲"))
        .collect();
    assert!(
        matches!(rows[..], [row] if row.contains(&format!("`{name}` (`shop.py:{line}`)"))),
        "{markdown}"
    );
    let sarif: Value = serde_json::from_str(&shop.file("slower.sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let [result] = &results[..] else {
        panic!("{results:?}")
    };
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "shop.py");
    assert_eq!(place["region"]["startLine"], json!(line));
    assert!(
        result["message"]["text"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{name} ("))
    );
}

#[test]
fn a_deploy_that_only_moved_and_renamed_is_fine_and_says_so() {
    let Some(shop) = Shop::new() else { return };
    shop.git(&["switch", "-q", "refactored"]);
    let told = diff(&shop, "refactored", "-f markdown");
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    assert!(
        told.stdout.starts_with("✅ plop: nothing slower"),
        "{}",
        told.stdout
    );
    // The same recording, if functions had other names as well.
    let recorded = root().join("testdata/deploys/refactored.plop");
    let recorded = std::fs::read_to_string(recorded).unwrap();
    let renamed = recorded
        .replace("discount", "discount_of")
        .replace("tokens", "words_of");
    assert_ne!(recorded, renamed);
    shop.write("renamed.plop", &renamed);
    let mut plop = shop.command(env!("CARGO_BIN_EXE_plop"));
    plop.arg("diff")
        .arg(root().join("testdata/deploys/before.plop"));
    let told = ended(plop.args(["renamed.plop", "-v"]));
    assert_eq!(told.status.code(), Some(0), "{}", told.stdout);
    assert!(
        told.stdout.contains("renamed: discount → discount_of ("),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("nothing changed that could be seen"),
        "{}",
        told.stdout
    );
}

/// Whoever follows the documents has the commits that they show.
#[test]
fn the_history_is_the_same_wherever_it_is_made() {
    let Some(shop) = Shop::new() else { return };
    let commits = shop.git(&["rev-parse", "main", "refactored", "slower"]);
    let again = Shop::new().unwrap();
    assert_eq!(
        again.git(&["rev-parse", "main", "refactored", "slower"]),
        commits
    );
    let script = root().join("testdata/programs/deploys/history.sh");
    let refused = ended(Command::new(script).arg(shop.path()));
    assert_eq!(
        refused.status.code(),
        Some(2),
        "a folder with something in it is left alone"
    );
}
