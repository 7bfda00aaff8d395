//! `plop baseline drop` and `pin`: what `plop diff` and `plop history` make of them.

use super::*;

/// What is dropped is neither compared with nor shown, by its commit also where a file comes later.
#[test]
fn what_is_dropped_is_left_out_and_told() {
    let place = Place::new();
    for n in 1..=9 {
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, 1.0);
    }
    place.deploy("new.plop", "new", 30, 1.0);
    place.baseline("drop d commit-9 8.plop");
    place.deploy("d/late.plop", "commit-9", 20, 1.0);
    let json = place.judge("d new.plop");
    assert_eq!(json["sides"][0]["name"], "commit-1 and 6 more");
    assert_eq!(
        warning(&json, "left-out"),
        ["left out, since they are dropped: d/8.plop, d/9.plop, d/late.plop"]
    );
    assert!(
        place
            .diff("--baseline d new.plop")
            .stdout
            .contains("they are dropped: d/8.plop")
    );
    let history = place.plop(&["history", "d", "--json"]);
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history["deploys"].as_array().unwrap().len(), 7);
    assert!(
        history["left_out"][0]
            .as_str()
            .unwrap()
            .contains("are dropped: d/8.plop")
    );
    assert_eq!(history["pinned"], Value::Null);
    // Named itself, a file is shown.
    let named = place.plop(&["history", "d/7.plop", "d/8.plop", "--json"]);
    let named: Value = serde_json::from_str(&named.stdout).unwrap();
    assert_eq!(named["deploys"].as_array().unwrap().len(), 2);

    // A file of a dropped commit does not come back alone.
    place.deploy("again.plop", "commit-9", 21, 1.0);
    for file in ["again.plop", "d/late.plop"] {
        let said = place.unchanged(&["baseline", "accept", "d", file]);
        assert!(
            said.contains(
                "is of commit-9, which is dropped (plop baseline accept d commit-9 brings"
            ),
            "{said}"
        );
    }
    place.baseline("accept d commit-9 8.plop");
    let json = place.judge("d new.plop");
    assert_eq!(json["sides"][0]["name"], "commit-2 and 7 more");
    assert_eq!(warning(&json, "left-out"), [""; 0]);
    // The last bad deploy may be of another machine than the good ones.
    let other = Filed {
        commit: "other",
        hour: 25,
        processors: 64,
        ..FILED
    };
    other.put(&place, "d/other.plop");
    place.baseline("drop d other");
    assert_eq!(taken(&place.list("d")).len(), 8);
    let history = place.plop(&["history", "d", "--json"]);
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history["deploys"].as_array().unwrap().len(), 9);
}

/// One function becomes dearer by 1.5 % a deploy. The last eight hide it; the pinned ones do not.
#[test]
fn a_pin_shows_a_creep_that_rolls_along_with_the_last_deploys() {
    let place = Place::new();
    for n in 0..28 {
        let parse = 1.0 + 0.015 * (n - 8).max(0) as f64;
        place.deploy(
            &format!("d/{n:02}.plop"),
            &format!("commit-{n:02}"),
            n,
            parse,
        );
    }
    place.deploy("new.plop", "new", 28, 1.3);
    let rolling = place.judge("d new.plop");
    assert_eq!(
        (&rolling["verdict"], &rolling["sides"][0]["name"]),
        (&json!("ok"), &json!("commit-20 and 7 more"))
    );
    let said = place.plop(&[
        "baseline",
        "pin",
        "d",
        "commit-00",
        "--reason",
        "release 2.0",
    ]);
    assert_eq!(
        said.stdout,
        "commit-00 is pinned: it and the first after it are what is compared with\n"
    );
    let pinned = place.judge("d new.plop");
    assert_eq!(pinned["verdict"], "regressed", "{pinned}");
    assert_eq!(pinned["findings"][0]["function"]["name"], "parse");
    assert_eq!(pinned["sides"][0]["name"], "commit-00 and 7 more");
    assert_eq!(
        warning(&pinned, "pinned"),
        [format!(
            "commit-00 is pinned (release 2.0; d/{INDEX}): it and the 7 after it are what is compared with, and 20 \
             later than these are not"
        )]
    );
    assert!(
        place
            .diff("--baseline d new.plop")
            .stdout
            .contains("commit-00 is pinned (release 2.0")
    );
    assert_eq!(
        taken(&place.list("d --last 3")),
        ["commit-00", "commit-01", "commit-02"]
    );
    let table = place.baseline("list d --ascii");
    assert!(
        table.is_ascii() && table.contains("unlisted, pinned\n"),
        "{table}"
    );

    // Another pin takes its place.
    let said = place.baseline("pin d commit-19");
    assert!(
        said.starts_with("commit-00 (release 2.0) is not pinned any more\n"),
        "{said}"
    );
    let list = place.list("d");
    assert_eq!(list["pinned"]["commit"], "commit-19");
    assert_eq!((taken(&list)[0], taken(&list).len()), ("commit-19", 8));
    let history = place.plop(&["history", "d", "--json"]);
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(
        (&history["pinned"], &history["deploys"][0]["name"]),
        (&json!("commit-19"), &json!("commit-19"))
    );
    assert_eq!(history["deploys"].as_array().unwrap().len(), 9);
    // Even if it was recorded again.
    place.deploy("d/again.plop", "commit-19", 40, 1.165);
    place.deploy("later.plop", "later", 50, 1.3);
    let judged = place.judge("d --last 2 later.plop");
    assert_eq!(judged["sides"][0]["name"], "commit-19 and 1 more");
    // Nothing is compared with itself.
    let told = place.diff("--baseline d --json d/19.plop");
    assert_eq!(told.status.code(), Some(3), "{}", told.stdout);
    assert!(
        told.stdout
            .contains("it is left out itself, and nothing after it counts"),
        "{}",
        told.stdout
    );

    assert_eq!(
        place.baseline("pin d --remove"),
        "commit-19 is not pinned any more\n"
    );
    assert_eq!(place.baseline("pin d --remove"), "nothing was pinned\n");
    fs::remove_file(place.0.path().join("d/again.plop")).unwrap();
    assert_eq!(place.judge("d new.plop"), rolling);
}

/// A growth that was accepted makes deploys differ, so that the next one hides among them; from the pin on it does not.
#[test]
fn a_pin_shows_what_an_accepted_growth_would_hide() {
    let place = Place::new();
    for n in 0..8 {
        let parse = if n < 6 { 1.0 } else { 1.5 };
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, parse);
    }
    place.deploy("same.plop", "same", 9, 1.5);
    place.deploy("slower.plop", "slower", 9, 1.9);
    assert_eq!(place.judge("d slower.plop")["verdict"], "ok");
    place.baseline("pin d commit-6");
    let judged = place.judge("d same.plop");
    assert_eq!(judged["verdict"], "ok", "{judged}");
    let judged = place.judge("d slower.plop");
    assert_eq!(judged["verdict"], "regressed", "{judged}");
    assert_eq!(judged["findings"][0]["function"]["name"], "parse");
    assert_eq!(judged["sides"][0]["name"], "commit-6 and 1 more");
}

#[test]
fn a_pin_and_a_drop_do_not_contradict_each_other() {
    let place = Place::new();
    for n in 1..=3 {
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, 1.0);
    }
    place.deploy("new.plop", "new", 9, 1.0);
    place.baseline("pin d commit-2");
    for name in ["commit-2", "2.plop"] {
        let said = place.unchanged(&["baseline", "drop", "d", name]);
        assert!(
            said.contains("commit-2 is pinned, so it cannot be dropped (pin another"),
            "{said}"
        );
    }
    place.baseline("drop d commit-3 1.plop");
    for (commit, said) in [
        (
            "commit-3",
            "commit-3 is dropped, so it cannot be pinned (plop baseline accept d commit-3",
        ),
        (
            "commit-1",
            "every file of commit-1 is dropped, so it cannot be pinned",
        ),
        ("1.plop", "1.plop is a file, and a commit is pinned"),
        (
            "nosuch",
            "there is no file nosuch, and no profile in d is of a commit nosuch",
        ),
    ] {
        let told = place.unchanged(&["baseline", "pin", "d", commit]);
        assert!(told.contains(said), "{told}");
    }
    // Taken away by hand, the pinned deploy is missed, and nothing else stands in for it.
    fs::remove_file(place.0.path().join("d/2.plop")).unwrap();
    place.baseline("accept d commit-1");
    for words in [
        &["diff", "--baseline", "d", "new.plop"][..],
        &["history", "d"],
    ] {
        let said = place.unchanged(words);
        assert!(
            said.contains("d/plop-baseline.toml pins commit-2, and no profile there is of it (pin another with"),
            "{said}"
        );
    }
    let told = place.plop(&["baseline", "list", "d"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(
        told.stdout.contains("commit-1") && told.stderr.contains("pins commit-2"),
        "{}",
        told.stdout
    );
    place.baseline("pin d --remove");
    assert_eq!(place.diff("--baseline d new.plop").status.code(), Some(0));
}

#[test]
fn the_settings_that_count_name_what_is_pinned_and_dropped() {
    let place = Place::new();
    for n in 1..=3 {
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, 1.0);
    }
    place.write("plop.toml", "baseline = \"d\"\nlast = 1\n");
    place.plop(&["baseline", "pin", "d", "commit-1", "--reason", "release"]);
    place.baseline("drop d commit-3");
    assert_eq!(
        taken(&place.list("d")),
        ["commit-1"],
        "last is what plop.toml says"
    );
    assert_eq!(taken(&place.list("d --last 2")), ["commit-1", "commit-2"]);
    let told = place.plop(&["diff", "--explain-config"]);
    assert!(
        told.stdout.ends_with(&format!(
            "pinned         commit-1 (release) in d/{INDEX}\ndropped        commit-3 in d/{INDEX}\n"
        )),
        "{}",
        told.stdout
    );
    let told = place.plop(&["diff", "--explain-config", "--json"]);
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        json["settled"][0],
        json!({
            "what": "pinned",
            "commit": "commit-1",
            "file": null,
            "reason": "release",
            "place": format!("d/{INDEX}"),
        })
    );
}
