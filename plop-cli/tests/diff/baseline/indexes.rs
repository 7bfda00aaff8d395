//! The index of a folder: where it is looked for, how it is merged, what is wrong with it, and `plop baseline list`.

use super::*;

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
