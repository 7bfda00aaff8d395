//! `plop baseline accept`: where it files a deploy, what it refuses, and what counts without it.

use super::*;

/// Real recordings are filed, judged, dropped and brought back.
#[test]
fn a_deploy_is_filed_dropped_and_brought_back() {
    let place = Place::new();
    place.mkdir("shop");
    let [before, refactored, slower] = ["before", "refactored", "slower"].map(deploys);
    let said = place.baseline(&format!("accept shop {before} {refactored}"));
    assert!(
        said.contains("is filed as shop/before-20261128T225347Z.plop"),
        "{said}"
    );
    let filed = place.0.path().join("shop/refactored-20261128T225437Z.plop");
    assert_eq!(fs::read(&filed).unwrap(), fs::read(&refactored).unwrap());
    // Once more, and by its name in the folder: it is said, and there is no second file.
    let files = place.names("shop");
    let index = place.index("shop");
    let said = place.baseline(&format!("accept shop {before}"));
    assert!(
        said.contains("is there already, as shop/before-20261128T225347Z.plop"),
        "{said}"
    );
    let said = place.baseline("accept shop before-20261128T225347Z.plop");
    assert_eq!(said, "before-20261128T225347Z.plop is good\n");
    assert_eq!((place.names("shop"), place.index("shop")), (files, index));

    let judged = place.judge(&format!("shop {slower}"));
    assert_eq!(judged["verdict"], "regressed", "{judged}");
    place.baseline(&format!("accept shop {slower}"));
    let said = place.plop(&[
        "baseline",
        "drop",
        "shop",
        "slower",
        "--reason",
        "rolled back, #8",
    ]);
    assert_eq!(
        said.stdout,
        "slower is dropped: plop diff and plop history leave it out\n"
    );
    assert_eq!(place.names("shop").len(), 4, "no file is deleted");
    let list = place.list("shop");
    assert_eq!(taken(&list), ["before", "refactored"]);
    let dropped = &list["deploys"][2];
    assert_eq!(
        (&dropped["name"], &dropped["state"]),
        (&json!("slower"), &json!("dropped"))
    );
    assert_eq!(dropped["files"][0]["reason"], "rolled back, #8");
    let table = place.baseline("list shop");
    let row = table.lines().find(|line| line.contains("slower")).unwrap();
    assert!(
        row.starts_with("  slower ") && row.contains("dropped: rolled back, #8"),
        "{table}"
    );
    assert!(table.contains("\n● refactored "), "{table}");

    let said = place.baseline("accept shop slow");
    assert_eq!(
        said,
        "slower was dropped (rolled back, #8), and counts again\n"
    );
    assert_eq!(taken(&place.list("shop")).len(), 3);
}

#[test]
fn files_are_filed_under_plain_names_and_over_no_other() {
    let place = Place::new();
    place.mkdir("d");
    let hostile = Filed {
        service: "../w\u{1b}[31m",
        commit: "../../x\n\u{202e}y",
        ..FILED
    };
    hostile.put(&place, "hostile.plop");
    let said = place.baseline("accept d hostile.plop");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    // The same names and another content.
    Filed {
        samples: 6_000,
        ..hostile
    }
    .put(&place, "again.plop");
    place.baseline("accept d again.plop again.plop");
    let stem = "w--31m-x--y-19700101T010000Z";
    let expected = [
        INDEX.to_owned(),
        format!("{stem}-2.plop"),
        format!("{stem}.plop"),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(place.names("d"), expected);
    let first = fs::read(place.0.path().join(format!("d/{stem}.plop"))).unwrap();
    assert_eq!(
        first,
        fs::read(place.0.path().join("hostile.plop")).unwrap()
    );
    assert!(
        !place.index("d").contains(['\u{1b}', '\u{202e}']),
        "{}",
        place.index("d")
    );
    let table = place.baseline("list d");
    assert!(
        table.contains("\\n\\u{202e}y") && !table.contains(['\u{1b}', '\u{202e}']),
        "{table}"
    );
    let commit = "../../x\n\u{202e}y";
    let told = place.plop(&["baseline", "drop", "d", commit, "--reason", "a\u{7}\n\"b"]);
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    let told = place.plop(&["baseline", "pin", "d", commit]);
    assert_eq!(told.status.code(), Some(2));
    assert!(
        told.stderr
            .contains("\\u{202e}y (a\\u{7}\\n\"b) is dropped"),
        "{}",
        told.stderr
    );
    assert!(
        !told.stderr.trim_end().contains(['\n', '\u{7}', '\u{202e}']),
        "{:?}",
        told.stderr
    );
    assert_eq!(
        place.list("d")["deploys"][0]["files"][0]["reason"],
        "a\u{7}\n\"b"
    );
    // A compressed file keeps its ending.
    place.deploy("e.plop", "e", 2, 1.0);
    let zipped = place.plop(&["convert", "e.plop", "-o", "e.plop.gz"]);
    assert_eq!(zipped.status.code(), Some(0), "{}", zipped.stderr);
    place.mkdir("z");
    place.baseline("accept z e.plop.gz");
    assert_eq!(place.names("z"), [INDEX, "web-e-19700101T020000Z.plop.gz"]);
    assert_eq!(taken(&place.list("z")), ["e"]);
}

#[test]
fn what_cannot_be_filed_is_told_with_a_way_out() {
    let place = Place::new();
    place.mkdir("d/below");
    place.deploy("d/a.plop", "a", 1, 1.0);
    place.deploy("d/below/b.plop", "b", 2, 1.0);
    place.deploy("good.plop", "good", 3, 1.0);
    Filed {
        service: "mail",
        ..FILED
    }
    .put(&place, "mail.plop");
    place.folded("nameless.folded", 5_000.0, 1.0);
    place.write("README", "profiles of deploys");
    for (words, said) in [
        (
            "accept nowhere good.plop",
            "nowhere: there is no such folder (mkdir -p nowhere makes it)",
        ),
        ("accept README good.plop", "README: there is no such folder"),
        (
            "accept d good.plop README",
            "cannot read README: not a profile plop knows",
        ),
        (
            "accept d good.plop nosuch.plop",
            "there is no file nosuch.plop, and no profile in d is of a commit",
        ),
        (
            "accept d good.plop mail.plop",
            "mail.plop is of mail, and d holds profiles of web (name a folder of mail's own)",
        ),
        (
            "accept d good.plop nameless.folded",
            "nameless.folded does not say which commit it is of (record it in a checkout, or with --label commit=COMMIT)",
        ),
        ("accept d .", "is a folder (name the files in it)"),
        (
            "accept d d/below/b.plop",
            "d/below/b.plop lies in d/below, and the index of a folder names its own files",
        ),
        ("drop d good.plop", "good.plop does not lie in d"),
        ("drop d goo", "there is no file goo"),
        ("drop nowhere a", "nowhere: there is no such folder"),
        ("drop d below/b.plop", "d/below/b.plop lies in d/below"),
        ("list nowhere", "nowhere: there is no such folder"),
        (
            "list d --service shop",
            "d has no profile of shop (it has web)",
        ),
        (
            "drop d a --service shop",
            "d has no profile of shop (it has web)",
        ),
    ] {
        let words: Vec<&str> = ["baseline"].into_iter().chain(words.split(' ')).collect();
        let told = place.unchanged(&words);
        assert!(told.contains(said), "{words:?}: {told}");
    }
    // An empty folder takes one service only.
    place.mkdir("empty");
    let said = place.unchanged(&["baseline", "accept", "empty", "good.plop", "mail.plop"]);
    assert!(
        said.contains("mail.plop is of mail, and empty holds profiles of web"),
        "{said}"
    );
    // Of a file that will not count it is said.
    Filed {
        commit: "short",
        samples: 300,
        hour: 4,
        ..FILED
    }
    .put(&place, "short.plop");
    let told = place.plop(&["baseline", "accept", "d", "short.plop"]);
    assert_eq!(told.status.code(), Some(0));
    assert!(
        told.stderr
            .contains("short.plop: it has fewer than 500 samples, so plop diff will leave it out")
    );
    assert_eq!(taken(&place.list("d")), ["a", "b"]);
    // What cannot be written to can be read. Not even root makes files there.
    let said = place.unchanged(&["baseline", "drop", "/proc", "a"]);
    assert!(said.contains("cannot write into /proc"), "{said}");
}

#[test]
fn what_lies_in_a_folder_without_being_named_counts_and_what_is_gone_is_told() {
    let place = Place::new();
    place.mkdir("d");
    place.deploy("a.plop", "a", 1, 1.0);
    place.baseline("accept d a.plop --reason checked");
    place.deploy("d/by-hand.plop", "b", 2, 1.0);
    place.write("d/README", "profiles of deploys");
    let list = place.list("d");
    assert_eq!(taken(&list), ["a", "b"]);
    assert_eq!(those(&list, |deploy| deploy["state"] == "unlisted"), ["b"]);
    assert_eq!(those(&list, |deploy| deploy["state"] == "good"), ["a"]);
    assert_eq!(list["deploys"][0]["files"][0]["reason"], "checked");
    assert_eq!(list["foreign"], json!(["d/README"]));
    place.baseline("accept d b");
    assert_eq!(
        those(&place.list("d"), |deploy| deploy["state"] == "good"),
        ["a", "b"]
    );
    fs::remove_file(place.0.path().join("d/by-hand.plop")).unwrap();
    let list = place.list("d");
    assert_eq!(
        (&list["gone"][0]["file"], &list["gone"][0]["commit"]),
        (&json!("by-hand.plop"), &json!("b"))
    );
    let table = place.baseline("list d");
    assert!(table.contains("no profile: d/README\n"), "{table}");
    assert!(
        table.contains("and gone (plop baseline drop takes a name off it): by-hand.plop"),
        "{table}"
    );
    let said = place.unchanged(&["baseline", "accept", "d", "by-hand.plop"]);
    assert!(said.contains("by-hand.plop is gone from d"), "{said}");
    assert_eq!(
        place.baseline("drop d by-hand.plop"),
        "by-hand.plop is gone, and is not named any more\n"
    );
    assert_eq!(place.list("d")["gone"], json!([]));
    place.deploy("d/c.plop", "commit-c", 3, 1.0);
    place.baseline("drop d commit-c");
    fs::remove_file(place.0.path().join("d/c.plop")).unwrap();
    assert_eq!(
        place.baseline("accept d commit-c"),
        "commit-c was dropped, and counts again\n"
    );
    // What somebody wrote by hand is taken back as well, though it says less.
    place.write(
        &format!("d/{INDEX}"),
        "settled = [ { state = \"good\", file = \"a.plop\" } ]\n",
    );
    fs::rename(
        place.0.path().join("d/web-a-19700101T010000Z.plop"),
        place.0.path().join("d/a.plop"),
    )
    .unwrap();
    place.baseline("drop d a.plop");
    assert_eq!(place.list("d")["deploys"][0]["state"], "dropped");
    place.baseline("accept d a.plop");
    assert_eq!(place.list("d")["deploys"][0]["state"], "good");
}

/// Jobs that file their deploys in one moment do not lose each other's.
#[test]
fn deploys_are_filed_at_the_same_time() {
    let place = Place::new();
    place.mkdir("d");
    let children: Vec<_> = (0..6)
        .map(|n| {
            place.deploy(&format!("{n}.plop"), &format!("commit-{n}"), n, 1.0);
            let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
            command.args(["baseline", "accept", "d", &format!("{n}.plop")]);
            command
                .current_dir(place.0.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let list = place.list("d");
    assert_eq!(
        those(&list, |deploy| deploy["state"] == "good").len(),
        6,
        "{list}"
    );
    assert_eq!(place.names("d").len(), 7, "no lock is left");
}
