//! `ci/gitlab-ci.yml`: its script, run line by line in one shell as a runner does, and the reports that it promises.

use std::process::Command;

use serde_json::Value;
use yaml_rust2::Yaml;

use crate::action::yaml;
use crate::shop::{BLIND, Shop, WORK, root};
use crate::support::{Ended, ended, finish};

/// Runs the template's job on the commit that is checked out.
fn job(shop: &Shop, command: &str) -> Ended {
    let template = yaml("gitlab-ci.yml");
    let job = &template[".plop-gate"];
    let lines: Vec<&str> = job["script"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    let mut bash = shop.command("bash");
    for (name, value) in job["variables"].as_hash().unwrap() {
        bash.env(name.as_str().unwrap(), value.as_str().unwrap());
    }
    bash.args(["-eo", "pipefail", "-c", &lines.join("\n")])
        .env("GATE_COMMAND", command)
        .env("GATE_RUNS", "1")
        .env("PLOP_REPOSITORY", source(shop))
        .env(
            "CI_MERGE_REQUEST_DIFF_BASE_SHA",
            shop.git(&["rev-parse", "main"]),
        );
    ended(&mut bash)
}

/// A repository with the recipes as they are here.
fn source(shop: &Shop) -> String {
    let source = shop.home().join("source");
    if !source.exists() {
        std::fs::create_dir(&source).unwrap();
        finish(
            Command::new("cp")
                .arg("-r")
                .arg(root().join("ci"))
                .arg(&source),
        );
        let source = source.display().to_string();
        for words in [
            &["init", "-q", "-b", "main"][..],
            &["add", "."],
            &["commit", "-q", "-m", "plop"],
        ] {
            shop.git(&[&["-C", &source], words].concat());
        }
    }
    format!("file://{}", source.display())
}

#[test]
fn the_template_leaves_the_reports_that_it_names() {
    let Some(shop) = Shop::new() else { return };
    let template = yaml("gitlab-ci.yml");
    let job_of = &template[".plop-gate"];
    // Exit code 3 is a warning; every other one but 0 fails.
    assert_eq!(job_of["allow_failure"]["exit_codes"], Yaml::Integer(3));
    assert_eq!(job_of["artifacts"]["when"].as_str(), Some("always"));

    shop.harmless("change");
    shop.write("plop.toml", BLIND);
    let done = job(&shop, WORK);
    assert_eq!(
        done.status.code(),
        Some(3),
        "{}{}",
        done.stdout,
        done.stderr
    );
    let reports = job_of["artifacts"]["reports"].as_hash().unwrap();
    let report = |name: &str| shop.file(reports[&Yaml::String(name.to_owned())].as_str().unwrap());
    let quality: Value = serde_json::from_str(&report("codequality")).unwrap();
    assert_eq!(quality[0]["check_name"], "plop/inconclusive");
    let junit = report("junit");
    let junit = roxmltree::Document::parse(&junit).unwrap();
    assert!(junit.descendants().any(|node| node.has_tag_name("skipped")));

    // The second job finds what the first one left in the cache.
    let done = job(&shop, "exit 1");
    assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
    assert!(
        done.stderr.contains("ended with 1: bash -c exit 1"),
        "{}",
        done.stderr
    );
}
