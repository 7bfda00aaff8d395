//! `plop baseline`: what it files, drops and pins, what `plop diff` and `plop history` make of it, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use boon::{Compiler, Schemas};
use serde_json::{Value, json};

use crate::support::{Ended, ended, in_ci, skipped};
use crate::{FILED, Filed, Place, deploys};

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
fn commits_go_by_the_beginning_of_their_hashes() {
    let place = Place::new();
    let hashes = [
        "9bd07e4f1c2a3b5d6e7f8091a2b3c4d5e6f70819",
        "9bd0111111111111111111111111111111111111",
    ];
    for (n, hash) in (1..).zip(hashes) {
        place.deploy(&format!("d/{n}.plop"), hash, n, 1.0);
    }
    let said = place.unchanged(&["baseline", "drop", "d", "9bd0"]);
    assert!(
        said.contains("9bd0 may be 9bd01111") && said.contains("(write more of it)"),
        "{said}"
    );
    let said = place.unchanged(&["baseline", "drop", "d", "9bd"]);
    assert!(said.contains("there is no file 9bd"), "{said}");
    assert!(
        place
            .baseline("drop d 9bd07")
            .starts_with("9bd07e4f1c2a is dropped")
    );
    assert!(
        place.index("d").contains(hashes[0]),
        "the index has it whole"
    );
    assert_eq!(taken(&place.list("d")), [hashes[1]]);
}

/// Two services in one folder are told apart, also where they have a commit in common.
#[test]
fn each_service_of_a_folder_has_drops_and_a_pin_of_its_own() {
    let place = Place::new();
    for service in ["mail", "web"] {
        for n in 1..=3 {
            let commit = format!("commit-{n}");
            let deploy = Filed {
                service,
                commit: &commit,
                hour: n,
                ..FILED
            };
            deploy.put(&place, &format!("d/{service}-{n}.plop"));
        }
    }
    let said = place.unchanged(&["baseline", "drop", "d", "commit-3"]);
    assert!(
        said.contains("commit-3 is a commit of mail, web (choose one with --service)"),
        "{said}"
    );
    let said = place.unchanged(&["baseline", "list", "d"]);
    assert!(
        said.contains("d has profiles of mail, web (choose one with --service)"),
        "{said}"
    );
    place.baseline("drop d commit-3 --service mail");
    place.baseline("pin d commit-2 --service mail");
    place.baseline("pin d commit-3 --service web");
    assert_eq!(taken(&place.list("d --service mail")), ["commit-2"]);
    assert_eq!(taken(&place.list("d --service web")), ["commit-3"]);
    for (service, name) in [("mail", "commit-2"), ("web", "commit-3")] {
        Filed {
            service,
            commit: "new",
            hour: 9,
            ..FILED
        }
        .put(&place, "new.plop");
        assert_eq!(place.judge("d new.plop")["sides"][0]["name"], name);
    }
    let said = place.unchanged(&["baseline", "pin", "d", "--remove"]);
    assert!(
        said.contains("d has several pins (choose one with --service)"),
        "{said}"
    );
    place.baseline("pin d --remove --service mail");
    assert_eq!(
        taken(&place.list("d --service mail")),
        ["commit-1", "commit-2"]
    );
    assert_eq!(taken(&place.list("d --service web")), ["commit-3"]);
}

/// The index of a folder below holds as well, and two pins are one too many.
#[test]
fn indexes_of_folders_below_hold_too() {
    let place = Place::new();
    for n in 1..=3 {
        place.deploy(&format!("d/x/{n}.plop"), &format!("commit-{n}"), n, 1.0);
        place.deploy(&format!("d/y/{n}.plop"), &format!("other-{n}"), n, 1.0);
    }
    place.deploy("new.plop", "new", 9, 1.0);
    place.baseline("drop d/x 3.plop");
    let left_out = place.judge("d new.plop");
    assert_eq!(
        warning(&left_out, "left-out"),
        ["left out, since they are dropped: d/x/3.plop"]
    );
    place.baseline("pin d/x commit-2");
    let names = taken(&place.list("d")).join(" ");
    assert_eq!(names, "commit-2 other-2 other-3");
    place.baseline("pin d/y other-1");
    let said = place.unchanged(&["diff", "--baseline", "d", "new.plop"]);
    assert!(
        said.contains("is pinned in d/x/plop-baseline.toml")
            || said.contains("is pinned in d/y/plop-baseline.toml"),
        "{said}"
    );
    assert!(
        said.contains("(name the folder of one, or take a pin away"),
        "{said}"
    );
}

/// A broken index is never taken for none.
#[test]
fn a_broken_index_is_an_error_that_names_the_line() {
    let place = Place::new();
    for n in 1..=2 {
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, 1.0);
    }
    place.deploy("new.plop", "new", 9, 1.0);
    let index = format!("d/{INDEX}");
    for (text, said) in [
        (
            "settled = [\n  { state = \"good\", file = \"../../etc/passwd\" },\n]\n",
            ":2: file: expected the name of a file in this folder",
        ),
        ("settled = [\n  { state = \"good\" \n", ":2: not TOML"),
        ("# a\nbad = []\n", ":2: there is no key `bad`"),
        ("settled = [\n>>>>>>> theirs\n]", ":2: left by a merge"),
    ] {
        place.write(&index, text);
        for words in [
            &["diff", "--baseline", "d", "new.plop"][..],
            &["diff", "--baseline", "d", "--explain-config"],
            &["history", "d"],
            &["baseline", "list", "d"],
            &["baseline", "accept", "d", "new.plop"],
            &["baseline", "drop", "d", "commit-1"],
            &["baseline", "pin", "d", "--remove"],
        ] {
            let told = place.unchanged(words);
            assert!(
                told.contains(&format!("d/{INDEX}{said}")),
                "{words:?}: {told}"
            );
        }
    }
    fs::remove_file(place.0.path().join(&index)).unwrap();
    std::os::unix::fs::symlink("nowhere", place.0.path().join(&index)).unwrap();
    let told = place.diff("--baseline d new.plop");
    assert_eq!(told.status.code(), Some(2));
    assert!(
        told.stderr
            .contains("cannot read d/plop-baseline.toml: it is no file"),
        "{}",
        told.stderr
    );
    // A folder of that name is none either.
    fs::remove_file(place.0.path().join(&index)).unwrap();
    place.mkdir(&index);
    for words in [
        &["diff", "--baseline", "d", "new.plop"][..],
        &["history", "d"],
        &["baseline", "list", "d"],
        &["baseline", "drop", "d", "commit-1"],
    ] {
        let told = place.unchanged(words);
        assert!(
            told.contains("cannot read d/plop-baseline.toml: it is no file"),
            "{words:?}: {told}"
        );
    }
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

/// With one line in `.gitattributes`, what two branches settled is there after a merge.
#[test]
fn git_merges_what_two_branches_settled() {
    let place = Place::new();
    let git = |words: &str| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=n", "-c", "user.email=e"]);
        command.args(words.split(' ')).current_dir(place.0.path());
        ended(&mut command)
    };
    if Command::new("git").arg("--version").output().is_err() {
        assert!(!in_ci(), "git is missing");
        return skipped("git_merges_what_two_branches_settled, since git is missing");
    }
    for n in 1..=4 {
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, 1.0);
    }
    place.write(".gitattributes", format!("{INDEX} merge=union\n"));
    for words in [
        "init -q",
        "checkout -q -b one",
        "add .",
        "commit -q -m first",
        "checkout -q -b two",
    ] {
        assert!(git(words).status.success(), "{words}");
    }
    place.baseline("accept d 1.plop");
    place.baseline("drop d commit-2 --reason slow");
    for words in ["add .", "commit -q -m two", "checkout -q one"] {
        assert!(git(words).status.success(), "{words}");
    }
    place.baseline("accept d 3.plop");
    place.baseline("pin d commit-1");
    place.baseline("drop d 4.plop");
    for words in ["add .", "commit -q -m one", "merge -q -m both two"] {
        let told = git(words);
        assert!(
            told.status.success(),
            "{words}: {}{}",
            told.stdout,
            told.stderr
        );
    }
    let list = place.list("d");
    assert_eq!(
        those(&list, |deploy| deploy["state"] == "good"),
        ["commit-1", "commit-3"]
    );
    assert_eq!(
        those(&list, |deploy| deploy["state"] == "dropped"),
        ["commit-2", "commit-4"]
    );
    assert_eq!(list["pinned"]["commit"], "commit-1");
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

#[test]
fn the_list_is_as_its_schema_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let name = "plop.baseline.schema.json";
    let schema = fs::read_to_string(root.join("docs").join(name)).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler
        .add_resource(name, serde_json::from_str(&schema).unwrap())
        .unwrap();
    let index = compiler.compile(name, &mut schemas).unwrap();
    let place = Place::new();
    for n in 1..=4 {
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, 1.0);
    }
    place.folded("d/nameless.folded", 5_000.0, 1.0);
    place.write("d/README", "none");
    place.baseline("accept d 2.plop 4.plop");
    place.baseline("drop d 1.plop");
    place.baseline("pin d commit-2");
    fs::remove_file(place.0.path().join("d/4.plop")).unwrap();
    place.mkdir("empty");
    for words in ["d", "empty"] {
        let document = place.list(words);
        let refused = schemas.validate(&document, index).err();
        assert!(refused.is_none(), "{words}: {}", refused.unwrap());
        let mut paths = vec![String::new()];
        if words == "d" {
            paths.extend(
                ["/pinned", "/deploys/0", "/deploys/0/files/0", "/gone/0"].map(str::to_owned),
            );
        }
        for path in paths {
            for key in document.pointer(&path).unwrap().as_object().unwrap().keys() {
                let mut less = document.clone();
                less.pointer_mut(&path)
                    .unwrap()
                    .as_object_mut()
                    .unwrap()
                    .remove(key);
                assert!(
                    schemas.validate(&less, index).is_err(),
                    "{path}/{key} is missing"
                );
            }
        }
    }
    let text = fs::read_to_string(root.join("docs/json.md")).unwrap();
    let section = text.split("## `plop baseline list --json`").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    for key in place.list("d").as_object().unwrap().keys() {
        assert!(
            section.contains(&format!("`{key}`")),
            "{key} is not documented"
        );
    }
}

/// An entry that settles nothing looks as if it did.
#[test]
fn what_an_index_names_in_vain_is_told() {
    let place = Place::new();
    let full = "9bd07e4f1c2a3b5d6e7f8091a2b3c4d5e6f70819";
    for n in 1..=3 {
        place.deploy(&format!("d/{n}.plop"), &format!("commit-{n}"), n, 1.0);
    }
    place.deploy("d/4.plop", full, 4, 1.0);
    place.deploy("d/5.plop", "aaaaaaa1", 5, 1.0);
    place.deploy("d/6.plop", "aaaaaaa2", 6, 1.0);
    place.deploy("new.plop", "new", 30, 1.0);
    let all = ["1.plop", "2.plop", "3.plop", "4.plop", "5.plop", "6.plop"];
    for (entry, said) in [
        (
            "commit = \"commit-9\"",
            "drops commit-9, which does nothing: no profile there is of that commit",
        ),
        (
            "commit = \"commit-2\", service = \"wep\"",
            "drops commit-2 of wep, which does nothing: the profiles of that commit are of web",
        ),
        (
            "file = \"7.plop\"",
            "drops 7.plop, which does nothing: there is no such file",
        ),
        (
            "commit = \"9bd07e\"",
            "drops 9bd07e, which does nothing: no profile there is of that commit (write 9bd07e4f1c2a3b5d6e7f8091a2b3c4d5e6f70819 in full)",
        ),
        (
            "commit = \"aaaaaaa\"",
            "drops aaaaaaa, which does nothing: it may be aaaaaaa1 or aaaaaaa2 (write more of it)",
        ),
    ] {
        place.write(
            &format!("d/{INDEX}"),
            format!("settled = [{{ state = \"dropped\", {entry} }}]\n"),
        );
        let said = format!("d/{INDEX} {said}");
        let json = place.judge("d new.plop");
        assert_eq!(warning(&json, "index-unmatched"), [&said[..]], "{entry}");
        assert_eq!(json["sides"][0]["profiles"], all.len(), "{entry}");
        let history = place.plop(&["history", "d", "--json"]).stdout;
        let history: Value = serde_json::from_str(&history).unwrap();
        assert_eq!(history["unmatched"], json!([said]));
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(one_line(place.plop(&["history", "d"]).stdout).contains(&said));
        let list = place.list("d");
        let is_file = entry.starts_with("file");
        let of_commits = if is_file { json!([]) } else { json!([said]) };
        assert_eq!(list["unmatched"], of_commits);
        let table = one_line(place.baseline("list d"));
        assert!(
            table.contains(if is_file { "and gone" } else { &said }),
            "{table}"
        );
    }
    // What is judged may be what is dropped.
    place.write(
        &format!("d/{INDEX}"),
        "settled = [{ state = \"dropped\", commit = \"new\" }]\n",
    );
    assert_eq!(
        warning(&place.judge("d new.plop"), "index-unmatched"),
        [""; 0]
    );
    // Seven digits of a hash are enough, and the whole hash finds the file that has but the beginning of it.
    for (commit, of) in [("9bd07e4", "4.plop"), ("aaaaaaa1bbbb", "5.plop")] {
        place.write(
            &format!("d/{INDEX}"),
            format!("settled = [{{ state = \"dropped\", commit = \"{commit}\" }}]\n"),
        );
        let json = place.judge("d new.plop");
        assert_eq!(warning(&json, "index-unmatched"), [""; 0]);
        let left_out = format!("left out, since they are dropped: d/{of}");
        assert_eq!(warning(&json, "left-out"), [left_out]);
    }
    let said = place.baseline("accept d aaaaaaa1bbbb");
    assert!(said.contains("was dropped, and counts again"), "{said}");
    assert_eq!(taken(&place.list("d")).len(), all.len());
    for words in [
        "drop d 9bd07e4f1c2a3b5d6e7f",
        "accept d 9bd07e4",
        "pin d 9bd07e4f",
    ] {
        place.baseline(words);
        assert!(!place.index("d").contains("\"9bd07e4f\""), "{words}");
    }
    assert!(place.index("d").contains(full));
}

/// A recorder that knows the whole hash and one that knows twelve digits of it speak of one deploy.
#[test]
fn the_beginning_of_a_hash_and_all_of_it_are_one_deploy() {
    let place = Place::new();
    let hash = |n: u32| format!("{n:08x}").repeat(5);
    for n in 1..=4 {
        place.deploy(&format!("d/{n}.plop"), &hash(n)[..12], n.into(), 1.0);
        place.deploy(&format!("d/{n}-b.plop"), &hash(n), n.into(), 1.0);
    }
    place.deploy("d/5.plop", &hash(5), 5, 3.0);
    // A name that is no hash is whole.
    place.deploy("d/6.plop", "release-2026", 6, 1.0);
    place.deploy("d/7.plop", "release-2026-1", 7, 1.0);
    for commit in [&hash(5)[..12], &hash(5)] {
        place.deploy("new.plop", commit, 30, 3.0);
        let json = place.judge("d new.plop");
        assert_eq!(
            warning(&json, "left-out"),
            ["left out, since they are of the commit that is judged: d/5.plop"]
        );
        assert_eq!(json["sides"][0]["runs"], 6, "{json}");
        assert_eq!(json["verdict"], "regressed");
    }
    place.deploy("other.plop", &hash(5)[..7], 31, 3.0);
    let json = place.judge("d new.plop other.plop");
    assert_eq!(json["sides"][0]["runs"], 6, "{json}");
    let names: Vec<String> = (1..=5)
        .map(hash)
        .chain(["release-2026".into(), "release-2026-1".into()])
        .collect();
    let history = place.plop(&["history", "d", "--json"]).stdout;
    let history: Value = serde_json::from_str(&history).unwrap();
    let deploys = history["deploys"].as_array().unwrap().iter();
    let deploys: Vec<&str> = deploys
        .filter_map(|deploy| deploy["name"].as_str())
        .collect();
    assert_eq!(deploys, names);
    assert_eq!(those(&place.list("d"), |_| true), names);
    place.baseline(&format!("drop d {}", &hash(2)[..12]));
    let dropped = those(&place.list("d"), |deploy| deploy["state"] == "dropped").join(" ");
    assert_eq!(dropped, hash(2));
    // A new file of the same deploy does not come back alone.
    place.deploy("again.plop", &hash(2)[..16], 32, 1.0);
    let said = place.unchanged(&["baseline", "accept", "d", "again.plop"]);
    assert!(said.contains("which is dropped"), "{said}");
}
