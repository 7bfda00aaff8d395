//! The action in a job: what it writes to the pull request, the job and the check.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::job::{GitHub, Job, State, TOKEN, comment};
use crate::shop::{BLIND, STEADY, Shop, WORK, root};

/// The usual work, of a program that looks for what it could misuse.
const CURIOUS: &str = "[[ -z ${GATE_TOKEN-}${GITHUB_OUTPUT-} && $(env) != *ghs_\"\"secret* ]] && python3 bench.py 8000";

/// The event of a pull request.
fn pull(shop: &Shop, head: &str) -> Value {
    let base = shop.git(&["rev-parse", "main"]);
    json!({"pull_request": {
        "number": 7,
        "title": "$(touch pwned)`touch pwned`",
        "head": {"sha": head, "ref": "$(touch pwned)"},
        "base": {"sha": base, "ref": "main"},
    }})
}

/// Checks a pull request out as GitHub does, merged; returns the merge's commit.
fn merged(shop: &Shop, head: &str) -> String {
    shop.git(&["switch", "-q", "--detach", "main"]);
    shop.git(&["merge", "-q", "--no-ff", "-m", "Merge", head]);
    shop.git(&["rev-parse", "HEAD"])
}

#[test]
fn a_slower_pull_request_fails_and_has_one_comment_however_often_it_is_pushed() {
    let Some(shop) = Shop::new() else { return };
    let head = shop.much_slower("change");
    let sha = merged(&shop, &head);
    // A hundred comments fill a page; one of them only looks like ours.
    let marker = "<!-- plop-gate:plop -->";
    let others = (0..100).map(|id| comment(id, "mallory", &format!("{marker} ✅ all is well")));
    let github = GitHub::new(State {
        comments: others.collect(),
        ..State::default()
    });
    let mut job = Job {
        shop: &shop,
        github: &github,
        inputs: [("command", WORK), ("runs", "6")].into(),
        event: pull(&shop, &head),
        sha: sha.clone(),
        token: TOKEN,
    };
    let done = job.run();
    done.has(1, "regressed", "1");
    assert_eq!(
        github.writes(),
        [
            "POST /repos/ann/shop/issues/7/comments",
            "POST /repos/ann/shop/check-runs"
        ]
    );
    let body = github.comment(100);
    assert!(
        body.starts_with(marker) && body.contains("🔴 plop: slower"),
        "{body}"
    );
    assert!(body.contains("`discount` (`shop.py:34`)"), "{body}");
    assert!(
        body.contains("(https://github.example/ann/shop/actions/runs/99)"),
        "{body}"
    );
    assert!(done.summary.contains("🔴 plop: slower"), "{}", done.summary);
    let check = github.last_check();
    assert_eq!(
        (&check["conclusion"], &check["head_sha"]),
        (&json!("failure"), &json!(head))
    );

    // What the program and the report say are no commands; what marks the line is one.
    let commands = done.log.split("::stop-commands::").nth(1).unwrap();
    let (mark, rest) = commands.split_once('\n').unwrap();
    let (told, commands) = rest.split_once(&format!("::{mark}::\n")).unwrap();
    assert!(
        mark.len() == 32 && told.contains("▲ discount"),
        "{}",
        done.log
    );
    assert!(
        commands.contains("::error file=shop.py,line=34,title="),
        "{commands}"
    );

    let folder = &done.outputs["folder"];
    assert_eq!(*folder, shop.path().join("plop-gate").display().to_string());
    let sarif: Value = serde_json::from_str(&shop.file("plop-gate/report.sarif")).unwrap();
    let location =
        sarif.pointer("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri");
    assert_eq!(location, Some(&json!("shop.py")));
    let report = shop.file("plop-gate/report.json");
    let base = shop.git(&["rev-parse", "main"]);
    assert!(
        report.contains(&base[..12]) && report.contains(&sha[..12]),
        "{report}"
    );

    // Another push, with which nothing can be compared: the old verdict does not stay.
    job.inputs = [("command", "exit 1"), ("runs", "1")].into();
    let done = job.run();
    done.has(2, "error", "2");
    assert_eq!(
        github.writes(),
        [
            "PATCH /repos/ann/shop/issues/comments/100",
            "POST /repos/ann/shop/check-runs"
        ]
    );
    assert!(
        github.comment(100).contains("nothing was compared"),
        "{}",
        github.comment(100)
    );
    assert!(!done.log.contains("::error"), "{}", done.log);
    assert!(github.comment(0).ends_with("all is well"), "not ours");
    assert!(!shop.path().join("pwned").exists());
    assert!(!done.log.contains(TOKEN));
}

#[test]
fn no_verdict_is_neutral_and_is_nowhere_called_a_success() {
    let Some(shop) = Shop::new() else { return };
    let head = shop.harmless("change");
    let sha = merged(&shop, &head);
    shop.write("plop.toml", BLIND);
    let github = GitHub::new(State::default());
    let job = Job {
        shop: &shop,
        github: &github,
        inputs: [("command", WORK), ("runs", "1"), ("name", "shop.py")].into(),
        event: pull(&shop, &head),
        sha,
        token: TOKEN,
    };
    let done = job.run();
    done.has(0, "inconclusive", "3");
    let check = github.last_check();
    assert_eq!(
        (&check["conclusion"], &check["name"]),
        (&json!("neutral"), &json!("shop.py"))
    );
    for told in [github.comment(0), done.summary, check.to_string()] {
        assert!(
            told.contains("⚠️") && told.contains("The gate is neutral"),
            "{told}"
        );
        assert!(
            !told.contains('✅') && !told.contains("\"success\""),
            "{told}"
        );
    }
}

#[test]
fn a_pull_request_from_a_fork_has_its_report_in_the_summary() {
    let Some(shop) = Shop::new() else { return };
    let head = shop.harmless("change");
    let sha = merged(&shop, &head);
    shop.write("plop.toml", STEADY);
    let github = GitHub::new(State {
        read_only: true,
        ..State::default()
    });
    let mut job = Job {
        shop: &shop,
        github: &github,
        inputs: [("command", CURIOUS), ("runs", "1")].into(),
        event: pull(&shop, &head),
        sha,
        token: TOKEN,
    };
    let done = job.run();
    done.has(0, "ok", "0");
    let why = "The pull request has no comment of this: the token may not do that, as that of a pull request from a fork";
    assert!(
        done.summary.starts_with("✅ plop: nothing slower"),
        "{}",
        done.summary
    );
    assert!(done.summary.contains(why), "{}", done.summary);
    assert!(
        done.log.contains("no check run: the token may not do that"),
        "{}",
        done.log
    );

    job.token = "";
    job.inputs = [("command", "exit 1"), ("runs", "1")].into();
    let done = job.run();
    done.has(2, "error", "2");
    assert!(
        done.summary
            .contains("no comment of this: there is no token"),
        "{}",
        done.summary
    );
    assert!(github.state.lock().unwrap().comments.is_empty());
}

/// What is pushed to main is filed, and what a pull request is compared with.
#[test]
fn the_mode_baseline_compares_with_what_was_accepted() {
    let Some(shop) = Shop::new() else { return };
    shop.write("plop.toml", STEADY);
    let github = GitHub::new(State::default());
    let mut job = Job {
        shop: &shop,
        github: &github,
        inputs: [
            ("mode", "baseline"),
            ("command", "python3 bench.py 60000"),
            ("runs", "1"),
            ("accept", "true"),
        ]
        .into(),
        event: json!({}),
        sha: shop.git(&["rev-parse", "main"]),
        token: TOKEN,
    };
    job.run().has(0, "inconclusive", "3");
    assert_eq!(github.last_check()["conclusion"], "neutral");
    assert_eq!(github.writes(), ["POST /repos/ann/shop/check-runs"]);

    let head = shop.harmless("change");
    job.sha = merged(&shop, &head);
    job.event = pull(&shop, &head);
    job.inputs.insert("accept", "false");
    let done = job.run();
    done.has(0, "ok", "0");
    let report = shop.file("plop-gate/report.json");
    let main = shop.git(&["rev-parse", "main"]);
    assert!(
        report.contains(&main[..12]) && report.contains(&head[..12]),
        "{report}"
    );
    // Of real runs some function may have grown by chance, by less than what fails.
    let comment = github.comment(0);
    assert!(comment.contains("✅ plop: "), "{comment}");
}

/// What the change is compared with, told by the log of a command that fails.
#[test]
fn the_base_is_what_the_change_is_based_on() {
    let Some(shop) = Shop::new() else { return };
    let first = shop.git(&["rev-parse", "main"]);
    let head = shop.harmless("change");
    shop.git(&["switch", "-q", "main"]);
    shop.write("other.py", "");
    shop.git(&["add", "other.py"]);
    shop.git(&["commit", "-q", "-m", "Meanwhile"]);
    let second = shop.git(&["rev-parse", "main"]);
    let merge = merged(&shop, &head);
    let slower = shop.git(&["rev-parse", "slower"]);
    let github = GitHub::new(State::default());
    let show = "git rev-parse HEAD; exit 1";
    let pull = pull(&shop, &head);
    let push = |before: &str| json!({"before": before});
    let zeros = "0".repeat(40);
    for (checked_out, event, base, expected) in [
        (&merge, pull.clone(), "", Some(&second)),
        // The head of the pull request, and not what its merge would be: what it has in common with main.
        (&head, pull.clone(), "", Some(&first)),
        (&merge, pull, "slower", Some(&slower)),
        (&second, push(&first), "", Some(&first)),
        (&second, push(&zeros), "", None),
        (&second, json!({}), "", None),
    ] {
        shop.git(&["switch", "-q", "--detach", checked_out]);
        let _ = std::fs::remove_dir_all(shop.path().join("plop-gate"));
        let job = Job {
            shop: &shop,
            github: &github,
            inputs: [("command", show), ("runs", "1"), ("base", base)].into(),
            event,
            sha: merge.clone(),
            token: TOKEN,
        };
        let done = job.run();
        done.has(2, "error", "2");
        match expected {
            Some(base) => assert!(
                shop.file("plop-gate/base.log").starts_with(base),
                "{}",
                done.log
            ),
            None => assert!(done.log.contains("name a base"), "{}", done.log),
        }
    }
}

#[test]
fn plop_is_built_once_where_there_is_none() {
    let Some(shop) = Shop::new() else { return };
    let head = shop.harmless("change");
    let github = GitHub::new(State::default());
    let job = Job {
        shop: &shop,
        github: &github,
        inputs: [
            ("command", "exit 1"),
            ("runs", "1"),
            ("plop", "no-plop-here"),
        ]
        .into(),
        event: pull(&shop, &head),
        sha: head.clone(),
        token: TOKEN,
    };
    for _ in 0..2 {
        let done = job.run();
        assert!(
            done.log.contains("ended with 1: bash -c exit 1"),
            "{}",
            done.log
        );
    }
    let calls = std::fs::read_to_string(shop.home().join("cargo-calls")).unwrap();
    let source = format!("--path {}/ci/../plop-cli", root().display());
    assert!(
        calls.lines().count() == 1 && calls.contains(&source),
        "{calls}"
    );
}

#[test]
fn inputs_that_cannot_be_are_refused() {
    let Some(shop) = Shop::new() else { return };
    let head = shop.harmless("change");
    let github = GitHub::new(State::default());
    for (input, value, said) in [
        ("name", "a --> b", "the name may have"),
        ("runs", "many", "is not a number of runs"),
        ("mode", "guess", "mode is ab or baseline"),
        ("command", "", "there is no command"),
    ] {
        let mut inputs: BTreeMap<&str, &str> = [
            ("command", "exit 1"),
            ("comment", "false"),
            ("check", "false"),
        ]
        .into();
        inputs.insert(input, value);
        let job = Job {
            shop: &shop,
            github: &github,
            inputs,
            event: pull(&shop, &head),
            sha: head.clone(),
            token: TOKEN,
        };
        let done = job.run();
        done.has(2, "error", "2");
        assert!(done.log.contains(said), "{input}: {}", done.log);
    }
    assert!(github.writes().is_empty());
}
