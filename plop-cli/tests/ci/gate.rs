//! `ci/gate.sh`, for any CI: what it compares, and what it refuses.

use serde_json::Value;

use crate::shop::{STEADY, Shop, WORK};
use crate::support::Ended;

fn code(ended: &Ended) -> i32 {
    ended.status.code().unwrap()
}

/// Runs the gate against `main` with a line of the shell as the command.
fn gate(shop: &Shop, options: &[&str], command: &str) -> Ended {
    let common = ["-b", "main"];
    let command = ["--", "bash", "-c", command];
    shop.script("gate.sh", &[&common, options, &command].concat())
}

#[test]
fn a_slower_commit_is_found_and_its_reports_are_written() {
    let Some(shop) = Shop::new() else { return };
    let slower = shop.much_slower("change");
    let main = shop.git(&["rev-parse", "main"]);
    let options = [
        "-n",
        "6",
        "-o",
        "gate.json",
        "-o",
        "markdown=gate.txt",
        "-s",
        "touch ready",
    ];
    let told = gate(&shop, &options, &format!("test -e ready && {WORK}"));
    assert_eq!(code(&told), 1, "{}{}", told.stdout, told.stderr);
    assert!(
        told.stdout.contains("▲ discount  (shop.py:34)"),
        "{}",
        told.stdout
    );
    assert!(shop.file("gate.txt").starts_with("### 🔴 plop: slower"));
    let report: Value = serde_json::from_str(&shop.file("gate.json")).unwrap();
    assert_eq!(report["verdict"], "regressed");
    let sides = report.to_string();
    assert!(
        sides.contains(&main[..12]) && sides.contains(&slower[..12]),
        "{sides}"
    );
    for side in ["base", "head"] {
        for run in 1..=6 {
            assert!(
                shop.path()
                    .join(format!("plop-gate/{side}-{run}.plop"))
                    .exists()
            );
        }
    }
    assert!(
        !shop.path().join("ready").exists(),
        "the checkout itself is left alone"
    );
    assert_eq!(
        shop.git(&["worktree", "list"]).lines().count(),
        1,
        "none is left behind"
    );
    assert_eq!(shop.git(&["status", "--porcelain", "-uno"]), "");
}

/// Whoever makes a pull request gives the branch its name.
#[test]
fn names_of_branches_are_only_names() {
    let Some(shop) = Shop::new() else { return };
    shop.write("plop.toml", STEADY);
    let hostile = "x$(touch${IFS}pwned)`touch${IFS}pwned`;touch${IFS}pwned;'\"&|<main>";
    shop.git(&["branch", hostile, "main"]);
    shop.harmless("$(touch${IFS}pwned)");
    let command = ["--", "bash", "-c", WORK];
    let told = shop.script(
        "gate.sh",
        &[&["-n", "1", "-b", hostile], &command[..]].concat(),
    );
    assert_eq!(code(&told), 0, "{}{}", told.stdout, told.stderr);
    for name in ["--upload-pack=touch pwned", "$(touch pwned)", "-h", ""] {
        let told = shop.script(
            "gate.sh",
            &[&["-n", "1", "-b", name], &command[..]].concat(),
        );
        assert_eq!(code(&told), 2, "{name}: {}", told.stdout);
        assert!(
            told.stderr.contains("there is no commit"),
            "{name}: {}",
            told.stderr
        );
    }
    assert!(!shop.path().join("pwned").exists());
}

#[test]
fn a_base_that_is_not_here_is_fetched() {
    let Some(shop) = Shop::new() else { return };
    let main = shop.git(&["rev-parse", "main"]);
    shop.harmless("change");
    let shallow = shop.path().with_file_name("shallow");
    let url = format!("file://{}", shop.path().display());
    let target = shallow.display().to_string();
    shop.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    shop.git(&["clone", "-q", "--depth", "1", "-b", "change", &url, &target]);
    let mut gate = shop.command(crate::shop::script("gate.sh"));
    gate.current_dir(&shallow);
    gate.args([
        "-b",
        &main,
        "--",
        "bash",
        "-c",
        "git rev-parse HEAD; exit 7",
    ]);
    let told = crate::support::ended(&mut gate);
    assert_eq!(code(&told), 2, "{}", told.stderr);
    let log = std::fs::read_to_string(shallow.join("plop-gate/base.log")).unwrap();
    assert!(log.starts_with(&main), "{log}");
}

/// What git has of the base is taken first, and nobody's clone is cut off for what has to be fetched.
#[test]
fn a_clone_that_is_complete_stays_so() {
    let Some(shop) = Shop::new() else { return };
    let main = shop.git(&["rev-parse", "main"]);
    shop.harmless("change");
    let clone = shop.path().with_file_name("clone");
    let there = clone.display().to_string();
    let url = format!("file://{}", shop.path().display());
    shop.git(&["clone", "-q", "-b", "change", &url, &there]);
    let later = shop.change(
        "later",
        "    rate = 0  # per cent\n",
        "    rate = 0  # of 100\n",
    );
    let based = |base: &str| {
        let mut gate = shop.command(crate::shop::script("gate.sh"));
        gate.current_dir(&clone);
        let command = ["--", "bash", "-c", "git rev-parse HEAD; exit 7"];
        let told = crate::support::ended(gate.args(["-b", base]).args(command));
        assert_eq!(code(&told), 2, "{}", told.stderr);
        let log = std::fs::read_to_string(clone.join("plop-gate/base.log"));
        log.unwrap_or_else(|_| panic!("{}", told.stderr))
    };
    let history = |of: &str| shop.git(&["-C", &there, "rev-list", "--count", of]);
    assert!(based("later").starts_with(&later));
    let shallow = ["-C", &there, "rev-parse", "--is-shallow-repository"];
    assert_eq!(shop.git(&shallow), "false");
    assert_eq!(
        (history("HEAD"), history("FETCH_HEAD")),
        ("2".into(), "3".into())
    );

    // A branch of origin's that has no branch here: nothing is fetched.
    shop.git(&["-C", &there, "remote", "set-url", "origin", "/nowhere"]);
    assert!(based("main").starts_with(&main));
}

/// A worktree may be on a disk that is not there now.
#[test]
fn worktrees_of_others_are_left_alone() {
    let Some(shop) = Shop::new() else { return };
    shop.harmless("change");
    let other = shop.path().with_file_name("other");
    shop.git(&[
        "worktree",
        "add",
        "-q",
        "--detach",
        &other.display().to_string(),
    ]);
    std::fs::rename(&other, shop.path().with_file_name("away")).unwrap();
    let told = gate(&shop, &["-n", "1"], "exit 7");
    assert_eq!(code(&told), 2, "{}", told.stderr);
    let left = shop.git(&["worktree", "list"]);
    assert!(
        left.lines().count() == 2 && left.contains("/other "),
        "{left}"
    );
}

/// `plop record` of what runs no Python ends with 0, and writes nothing.
#[test]
fn profiles_of_an_earlier_gate_give_no_verdict() {
    let Some(shop) = Shop::new() else { return };
    shop.harmless("change");
    std::fs::create_dir(shop.path().join("plop-gate")).unwrap();
    let recorded = crate::shop::root().join("testdata/deploys/before.plop");
    for side in ["base", "head"] {
        let file = shop.path().join(format!("plop-gate/{side}-1.plop"));
        std::fs::copy(&recorded, file).unwrap();
    }
    let told = gate(&shop, &["-n", "1"], "true");
    assert_eq!(code(&told), 2, "{}", told.stdout);
    for said in [
        "no Python was seen",
        "in the checkout of base this ran, and nothing was recorded: bash -c true",
        "try it alone: plop record --show -- bash -c true",
    ] {
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
}

/// Exit code 1 is a verdict, so nothing that goes wrong may end with it.
#[test]
fn what_goes_wrong_is_no_verdict() {
    let Some(shop) = Shop::new() else { return };
    let told = gate(&shop, &[], WORK);
    assert_eq!(code(&told), 2);
    assert!(
        told.stderr.contains("there is nothing to compare"),
        "{}",
        told.stderr
    );

    shop.harmless("change");
    for (options, command, said) in [
        (&["-n", "1"][..], "echo broken; exit 1", "broken\n"),
        (
            &["-n", "1"],
            "exit 1",
            "in the checkout of base this ended with 1: ",
        ),
        (
            &["-n", "1", "-s", "echo no network; false"],
            "true",
            "no network\n",
        ),
        (&["-n", "0"], WORK, "-n 0 is not a number of runs"),
        (
            &["-n", "x[$(touch pwned)]"],
            WORK,
            "is not a number of runs",
        ),
        (&["-r", "fast"], WORK, "-r fast is not a number of samples"),
        (&["-x", "1"], WORK, "what is -x?"),
        (&["-n", "1", "-d", "/dev/null/x"], WORK, "/dev/null"),
        (
            &["-n", "1", "-o", "no-such-folder/x.md"],
            WORK,
            "no-such-folder",
        ),
    ] {
        let told = gate(&shop, options, command);
        assert_eq!(code(&told), 2, "{options:?}: {}", told.stderr);
        assert!(told.stderr.contains(said), "{options:?}: {}", told.stderr);
    }
    let told = shop.script("gate.sh", &["-b", "main"]);
    assert!(code(&told) == 2 && told.stderr.contains("no command after --"));
    let mut without = shop.command(crate::shop::script("gate.sh"));
    let told = crate::support::ended(
        without
            .args(["-b", "main", "--", "true"])
            .env("PLOP", "none"),
    );
    assert!(
        code(&told) == 2 && told.stderr.contains("there is no none"),
        "{}",
        told.stderr
    );
    assert!(!shop.path().join("pwned").exists());
}

#[test]
fn what_is_not_committed_is_told_to_be_left_out() {
    let Some(shop) = Shop::new() else { return };
    shop.harmless("change");
    shop.write("shop.py", "raise SystemExit(5)\n");
    let told = gate(
        &shop,
        &["-n", "1", "-s", "grep -q discount shop.py"],
        "exit 6",
    );
    assert!(
        told.stderr
            .contains("changes that are not committed are not measured")
    );
    assert!(told.stderr.contains("ended with 6"), "{}", told.stderr);
}
