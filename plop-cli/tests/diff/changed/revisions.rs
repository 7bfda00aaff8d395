//! What git tells of a change, and what it cannot tell.

use super::*;

#[test]
fn what_is_not_committed_is_said_to_be_so() {
    let Some(shop) = shop("what_is_not_committed_is_said_to_be_so") else {
        return;
    };
    let touch = |since: &str| {
        shop.json(&format!("--changed-since {since}"))["findings"][0]["touched"].clone()
    };
    shop.write("app/shop.py", &SHOP.replace("price * 2", "price * 4"));
    assert_eq!(touch("HEAD")["uncommitted"], true);
    assert_eq!(touch("HEAD")["commit"], Value::Null);
    let told = shop.diff("--changed-since HEAD");
    assert!(
        told.stdout.contains("which is not committed"),
        "{}",
        told.stdout
    );
    // Lines that are only gone have nobody who wrote them last; the file has.
    let longer = SHOP.replace("    return price", "    price += 1\n    return price");
    shop.write("app/shop.py", &longer);
    shop.commit("longer");
    shop.write("app/shop.py", SHOP);
    shop.commit("shorter");
    let gone = touch("HEAD~1");
    assert_eq!(gone["subject"], "shorter");
    assert_eq!(gone["line"], 3);
}

/// The commit that took a line, not the last one of the file; none where that is not certain.
#[test]
fn lines_that_are_gone_are_of_the_commit_that_took_them() {
    let Some(shop) = shop("lines_that_are_gone_are_of_the_commit_that_took_them") else {
        return;
    };
    let touch = || shop.json("--changed-since base")["findings"][0]["touched"].clone();
    let longer = SHOP.replace("    return price", "    price += 1\n    return price");
    shop.write("app/shop.py", &longer);
    shop.commit("longer");
    shop.git(&["tag", "base"]);
    shop.write("app/shop.py", SHOP);
    shop.commit("deleted line");
    let other = SHOP.replace("sum(self.items)", "sum(self.items) + 1");
    shop.write("app/shop.py", &other);
    shop.commit("Cart only");
    assert_eq!(touch()["subject"], "deleted line");
    // In a file that was changed since, lines are others than those that are committed.
    shop.write("app/shop.py", &format!("# new\n{other}"));
    assert_eq!(touch()["commit"], Value::Null);
    assert_eq!(touch()["uncommitted"], false);
    let told = shop.diff("--changed-since base");
    let text = told.stdout.replace('\u{a0}', " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "touched by base..HEAD and uncommitted changes at app/shop.py:4";
    assert!(text.contains(said), "{text}");
}

#[test]
fn a_new_file_is_touched_before_git_knows_of_it() {
    let Some(shop) = shop("a_new_file_is_touched_before_git_knows_of_it") else {
        return;
    };
    shop.write(".gitignore", "build/\n");
    shop.commit("ignore");
    shop.write("app/new.py", "def fresh():\n    return 1\n");
    shop.write("build/made.py", "def made():\n    return 1\n");
    shop.profiles(&[
        ("fresh", "/srv/app/new.py", 1, 60.0),
        ("made", "/srv/build/made.py", 1, 60.0),
        ("discount", "/srv/app/shop.py", 3, 60.0),
    ]);
    let json = shop.json("--changed-since HEAD");
    assert_eq!(names(&json), ["fresh"]);
    assert_eq!(json["touched"]["range"], "uncommitted changes");
    assert_eq!(json["findings"][0]["touched"]["uncommitted"], true);
    for n in 0..1_001 {
        shop.write(&format!("venv/m{n}.py"), "");
    }
    let json = shop.json("--changed-since HEAD");
    assert_eq!(names(&json), Vec::<&str>::new());
    assert_eq!(json["warnings"][0]["code"], "touched-untracked");
}

#[test]
fn files_that_were_moved_and_have_strange_names_are_known() {
    let Some(repository) =
        Repository::new("files_that_were_moved_and_have_strange_names_are_known")
    else {
        return;
    };
    let long: String = (0..30)
        .map(|n| format!("def f{n}():\n    return {n}\n\n"))
        .collect();
    repository.write("old/moved.py", &long);
    repository.write("a b/tab\tand \"quote\" ä.py", &long);
    repository.write("gone.py", &long);
    repository.write("picture.bin", "\0\u{1}");
    repository.write("dist/-x.js", "function draw() {\n  return 1;\n}\n");
    repository.write(".gitattributes", "dist/* binary\n");
    repository.commit("first");
    repository.git(&["mv", "old", "new"]);
    repository.git(&["rm", "-q", "gone.py"]);
    repository.write("picture.bin", "\0\u{2}");
    repository.write("new/moved.py", &long.replace("return 7\n", "return 70\n"));
    repository.write(
        "a b/tab\tand \"quote\" ä.py",
        &long.replace("return 8\n", "return 80\n"),
    );
    repository.write("dist/-x.js", "function draw() {\n  return 2;\n}\n");
    repository.commit("moved");
    let strange = "/srv/a b/tab\tand \"quote\" ä.py";
    let before: Vec<Row> = vec![
        ("f7", "/srv/old/moved.py", 22, 50.0),
        ("f8", strange, 25, 50.0),
        ("f9", strange, 28, 50.0),
        ("f1", "/srv/gone.py", 4, 50.0),
        ("draw", "/srv/dist/-x.js", 1, 50.0),
    ];
    let mut after = before.clone();
    (after[0].1, after[0].3) = ("/srv/new/moved.py", 150.0);
    after.remove(3);
    repository.profile("before.plop", &before, "");
    repository.profile("after.plop", &after, "");
    let json = repository.json("--changed-since HEAD~1");
    let mut found = names(&json);
    found.sort_unstable();
    assert_eq!(found, ["draw", "f1", "f7", "f8"], "{json:#}");
    let grew = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["direction"] == "grew");
    let touch = &grew.unwrap()["touched"];
    assert_eq!(
        (&touch["path"], &touch["line"]),
        (&"new/moved.py".into(), &23.into())
    );
    assert_eq!(touch["subject"], "moved");
}

/// Whatever people and the repository have set for git, the answer is the same.
#[test]
fn settings_of_git_do_not_matter() {
    let Some(shop) = shop("settings_of_git_do_not_matter") else {
        return;
    };
    let usual = shop.json("--changed-since v1");
    for (key, value) in [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "/bin/false"),
        ("diff.relative", "true"),
        ("diff.context", "9"),
        ("diff.interHunkContext", "9"),
        ("diff.renames", "false"),
        ("diff.submodule", "log"),
        ("diff.wsErrorHighlight", "all"),
        ("color.ui", "always"),
        ("color.diff", "always"),
        ("core.quotePath", "true"),
        ("core.pager", "/bin/false"),
        ("log.showSignature", "true"),
        ("blame.showEmail", "true"),
        ("diff.x.textconv", "tr a-z A-Z"),
        ("diff.x.command", "/bin/false"),
    ] {
        shop.git(&["config", key, value]);
    }
    shop.write(".git/info/attributes", "*.py diff=x\n");
    let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
    let told = ended(
        command
            .args([
                "diff",
                "--json",
                "--changed-since",
                "v1",
                "../../before.plop",
                "../../after.plop",
            ])
            .current_dir(shop.root().join("app"))
            .env("GIT_DIFF_OPTS", "--unified=5")
            .env("GIT_EXTERNAL_DIFF", "/bin/false")
            .env("GIT_PAGER", "/bin/false"),
    );
    let strange: Value =
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr));
    assert_eq!(strange["touched"], usual["touched"]);
    assert_eq!(strange["findings"], usual["findings"]);
}

#[test]
fn the_revision_may_stand_in_the_settings() {
    let Some(shop) = shop("the_revision_may_stand_in_the_settings") else {
        return;
    };
    shop.write("plop.toml", "changed_since = \"v1\"\n");
    assert_eq!(shop.json("")["touched"]["range"], "v1..HEAD");
    assert_eq!(
        shop.json("--changed-since HEAD")["touched"]["range"],
        "HEAD..HEAD"
    );
    let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
    let told = ended(
        (command.args(["diff", "--explain-config", "--json"]))
            .env("PLOP_DIFF_CHANGED_SINCE", "HEAD~1"),
    );
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    let settings = json["settings"].as_array().unwrap();
    let row = settings
        .iter()
        .find(|row| row["key"] == "changed_since")
        .unwrap();
    assert_eq!(
        (&row["value"], &row["from"]),
        (&"HEAD~1".into(), &"variable".into())
    );
}

#[test]
fn what_git_cannot_tell_is_an_error() {
    let Some(shop) = shop("what_git_cannot_tell_is_an_error") else {
        return;
    };
    for (words, said) in [
        (
            "--changed-since v2",
            "there is no revision `v2` in this repository (git branch -a lists",
        ),
        (
            "--changed-since v1..HEAD",
            "expected one revision, the older one, found the range `v1..HEAD`",
        ),
        (
            "--changed-since=--output=x",
            "expected a revision such as origin/main or v1.4, found `--output=x`",
        ),
        (
            "--changed-since -p",
            "expected a revision such as origin/main or v1.4, found `-p`",
        ),
        (
            "--changed-since HEAD:README",
            "there is no revision `HEAD:README`",
        ),
    ] {
        let told = shop.refused(words);
        assert!(told.contains(said), "{words}: {told}");
    }
    assert!(!shop.root().join("x").exists(), "it was no option");

    // Outside of any repository, and where there is no git.
    let outside = shop.place.diff("--changed-since v1 before.plop after.plop");
    assert_eq!(outside.status.code(), Some(2));
    let said = "the working folder is in no repository of git (change to";
    assert!(outside.stderr.contains(said), "{}", outside.stderr);
    let with_path = |path: &Path| {
        let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
        command.args([
            "diff",
            "--changed-since",
            "v1",
            "../before.plop",
            "../after.plop",
        ]);
        let told = ended(command.env("PATH", path));
        assert_eq!((told.status.code(), told.stdout.as_str()), (Some(2), ""));
        told.stderr
    };
    let bin = shop.place.0.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let told = with_path(&bin);
    assert!(
        told.contains("there is no git on PATH") && told.contains("install it"),
        "{told}"
    );

    // What git says of a repository of somebody else's, and a diff that is none.
    let fake = |answer: &str| {
        let script = format!("#!/bin/sh\ncase \"$*\" in\n{answer}\nesac\n");
        executable(&bin.join("git"), "755", script.as_bytes());
        with_path(&bin)
    };
    let told = fake(
        "*) echo \"fatal: detected dubious ownership in repository at '/x'\" >&2; echo 'To add an exception, call:' >&2; \
         echo '	git config --global --add safe.directory /x' >&2; exit 128;;",
    );
    let said = "git says: fatal: detected dubious ownership in repository at '/x' To add an exception, call: git config \
                --global --add safe.directory /x";
    assert!(told.contains(said), "{told}");
    let found =
        "*show-toplevel*) echo .;; *verify*) echo 0123456789012345678901234567890123456789;;";
    let told = fake(&format!("{found} *) echo 'not a diff';;"));
    assert!(
        told.contains("line 1 of git diff: expected `diff --git`, found `not a diff`"),
        "{told}"
    );
    let told = fake(&format!(
        "{found} *) echo 'fatal: bad object' >&2; exit 128;;"
    ));
    assert!(told.contains("git says: fatal: bad object"), "{told}");
}

#[test]
fn a_shallow_clone_is_told_how_to_get_more() {
    let Some(shop) = shop("a_shallow_clone_is_told_how_to_get_more") else {
        return;
    };
    let from = format!("file://{}", shop.root().display());
    shop.git(&[
        "clone",
        "-q",
        "--depth",
        "1",
        "--no-tags",
        &from,
        "../clone",
    ]);
    let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
    let told = ended(
        command
            .args([
                "diff",
                "--changed-since",
                "v1",
                "../before.plop",
                "../after.plop",
            ])
            .current_dir(shop.place.0.path().join("clone")),
    );
    assert_eq!(told.status.code(), Some(2));
    for said in [
        "there is no revision `v1` in this clone",
        "git fetch --unshallow",
        "fetch-depth: 0",
    ] {
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
}
