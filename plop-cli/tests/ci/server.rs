//! Comparing with earlier profiles: `ci/baseline.sh` and the action's mode `baseline`, and the recipe for servers,
//! `ci/after-push.sh` and `ci/after-deploy.sh`. (What after-push.sh records is tested beside `plop record`.)

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::shop::{STEADY, Shop, WORK, root, script};
use crate::support::{Ended, Started, ended, finish};

/// A service with deploys in the past.
struct Service {
    shop: Shop,
}

impl Service {
    fn new() -> Option<Service> {
        let shop = Shop::new()?;
        // The earlier deploys are one recording, so that nothing tells how much deploys differ.
        shop.write("plop.toml", "min_effect = \"5%\"\n");
        fs::create_dir_all(shop.path().join("profiles/web")).unwrap();
        let service = Service { shop };
        for (age, commit) in ["a1a1a1", "b2b2b2", "c3c3c3"].into_iter().enumerate() {
            service.deploy("before", commit, 4000 - age as u64 * 1000);
        }
        Some(service)
    }

    /// Files a recorded deploy as one of this commit that began so many seconds ago; its path.
    fn deploy(&self, recorded: &str, commit: &str, seconds_ago: u64) -> PathBuf {
        let began = SystemTime::now() - Duration::from_secs(seconds_ago);
        let began = began
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let date = |format: &str| {
            let mut date = Command::new("date");
            finish(date.args(["-u", "-d", &format!("@{began}"), format]))
                .trim()
                .to_owned()
        };
        let text =
            fs::read_to_string(root().join(format!("testdata/deploys/{recorded}.plop"))).unwrap();
        let (header, rest) = text.split_once('\n').unwrap();
        let (head, tail) = header.split_once("\"started\":\"").unwrap();
        let tail = tail.split_once('"').unwrap().1;
        let header = format!(
            "{head}\"started\":\"{}\"{tail}",
            date("+%Y-%m-%dT%H:%M:%SZ")
        );
        let header = header.replace(
            &format!("\"commit\":\"{recorded}\""),
            &format!("\"commit\":\"{commit}\""),
        );
        let file = format!("profiles/web/{commit}-{}.plop", date("+%Y%m%dT%H%M%SZ"));
        self.shop.write(&file, &format!("{header}\n{rest}"));
        self.shop.path().join(file)
    }

    fn judge(&self, arguments: &[&str]) -> Ended {
        let common = [
            "-n",
            "web",
            "-r",
            "echo \"$PLOP_COMMIT\" >>rolled-back; cat \"$PLOP_REPORT\" >>rolled-back",
        ];
        self.shop
            .script("after-deploy.sh", &[&common, arguments].concat())
    }
}

#[test]
fn a_bad_deploy_is_rolled_back_and_is_not_compared_with_again() {
    let Some(service) = Service::new() else {
        return;
    };
    let shop = &service.shop;
    let bad = service.deploy("slower", "d4d4d4", 30);
    let told = service.judge(&["-c", "d4d4d4"]);
    assert_eq!(
        told.status.code(),
        Some(1),
        "{}{}",
        told.stdout,
        told.stderr
    );
    let rolled_back = shop.file("rolled-back");
    assert!(
        rolled_back.starts_with("d4d4d4\n### 🔴 plop: slower"),
        "{rolled_back}"
    );
    assert!(
        shop.file("profiles/reports/web/d4d4d4.md")
            .contains("`discount`")
    );
    assert!(bad.exists(), "nothing is deleted");

    // The next one, which is as slow, is compared with the good ones alone; what is as before is fine. The bad one may
    // have been started once more meanwhile.
    service.deploy("slower", "d4d4d4", 25);
    service.deploy("slower", "e5e5e5", 20);
    assert_eq!(
        service.judge(&["-c", "e5e5e5", "-r", "true"]).status.code(),
        Some(1)
    );
    service.deploy("refactored", "f6f6f6", 10);
    let told = service.judge(&["-c", "f6f6f6"]);
    assert_eq!(
        told.status.code(),
        Some(0),
        "{}{}",
        told.stdout,
        told.stderr
    );
    assert!(told.stdout.contains("(3 profiles, "), "{}", told.stdout);
    assert_eq!(shop.file("rolled-back"), rolled_back, "a good one stays");
}

#[test]
fn a_roll_back_that_fails_is_an_error() {
    let Some(service) = Service::new() else {
        return;
    };
    service.deploy("slower", "d4d4d4", 30);
    let told = service.judge(&["-c", "d4d4d4", "-r", "false; true"]);
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    assert!(
        told.stderr
            .contains("rolling it back ended with 1: false; true"),
        "{}",
        told.stderr
    );
    let index = service.shop.file("profiles/web/plop-baseline.toml");
    assert!(
        index.contains("state = \"dropped\", commit = \"d4d4d4\""),
        "{index}"
    );
}

/// What is live counts more than what is filed.
#[test]
fn a_bad_deploy_is_rolled_back_where_nothing_can_be_written() {
    let Some(service) = Service::new() else {
        return;
    };
    let shop = &service.shop;
    // No user, not even root, can write these.
    fs::create_dir(shop.path().join("profiles/web/.plop-baseline.lock")).unwrap();
    shop.write("profiles/reports", "");
    service.deploy("slower", "d4d4d4", 30);
    let told = service.judge(&["-c", "d4d4d4"]);
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    let rolled_back = shop.file("rolled-back");
    assert!(
        rolled_back.starts_with("d4d4d4\n### 🔴 plop: slower"),
        "{rolled_back}"
    );
    for said in [
        "the report cannot be kept beside the profiles, it is /",
        "cannot write into profiles/web",
        "it could not be dropped, so later deploys are compared with it too: d4d4d4",
    ] {
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
    let kept = told.stderr.split_once(" profiles, it is ").unwrap().1;
    fs::remove_file(kept.lines().next().unwrap()).unwrap();
}

#[test]
fn what_was_good_before_stays_so_when_a_start_of_it_is_bad() {
    let Some(service) = Service::new() else {
        return;
    };
    let bad = service.deploy("slower", "c3c3c3", 30);
    let name = bad.file_stem().unwrap().to_str().unwrap();
    // A process of it that lived longer.
    fs::copy(&bad, bad.with_file_name(format!("{name}-17.plop"))).unwrap();
    let told = service.judge(&["-c", "c3c3c3"]);
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    service.deploy("refactored", "f6f6f6", 10);
    let told = service.judge(&["-c", "f6f6f6"]);
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("(3 profiles, "), "{}", told.stdout);
}

#[test]
fn only_the_profile_of_this_start_is_judged() {
    let Some(service) = Service::new() else {
        return;
    };
    // An earlier start of the same commit, a changed tree of it, and a process of it that lived longer.
    let old = service.deploy("slower", "d4d4d4", 900);
    for name in [
        "d4d4d4-changed-20990101T000000Z.plop",
        "d4d4d4-20990101T000000Z-17.plop",
    ] {
        fs::copy(&old, old.with_file_name(name)).unwrap();
    }
    let told = service.judge(&["-c", "d4d4d4", "-w", "2"]);
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    assert!(
        told.stderr
            .contains("d4d4d4-DATE.plop has come in 2 seconds"),
        "{}",
        told.stderr
    );

    // The profile of this start comes while it is waited for.
    let waits = service.shop.command(script("after-deploy.sh"));
    let mut waits = waits;
    let waits = Started::new(waits.args(["-n", "web", "-c", "f6f6f6"]));
    service.deploy("refactored", "f6f6f6", 0);
    let told = waits.wait();
    assert_eq!(
        told.status.code(),
        Some(0),
        "{}{}",
        told.stdout,
        told.stderr
    );
}

#[test]
fn names_with_slashes_and_numbers_that_are_none_are_refused() {
    let Some(service) = Service::new() else {
        return;
    };
    for arguments in [
        &["-c", "../other"][..],
        &["-c", "d4d4d4", "-w", "soon"],
        &["-c", "d4d4d4", "-k", "x[$(touch pwned)]"],
        &["-c", "d4d4d4", "-n", "a/b"],
        &["-x", "1"],
    ] {
        let told = service.judge(arguments);
        assert_eq!(
            told.status.code(),
            Some(2),
            "{arguments:?}: {}",
            told.stdout
        );
    }
    assert!(!service.shop.path().join("pwned").exists());
}

#[test]
fn a_profile_of_an_earlier_job_is_not_compared() {
    let Some(shop) = Shop::new() else { return };
    let commit = shop.git(&["rev-parse", "HEAD"]);
    fs::create_dir(shop.path().join("plop-gate")).unwrap();
    let old = shop.path().join(format!("plop-gate/{commit}-1.plop"));
    fs::copy(root().join("testdata/deploys/before.plop"), old).unwrap();
    let told = shop.script("baseline.sh", &["-a", "profiles", "--", "true"]);
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    for said in [
        "no Python was seen",
        "baseline.sh: this ran, and nothing was recorded: true",
        "try it alone: plop record --show -- true",
    ] {
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
}

/// It was compared, and that is the exit code.
#[test]
fn a_commit_that_was_dropped_has_its_verdict_and_is_not_filed() {
    let Some(shop) = Shop::new() else { return };
    let commit = shop.git(&["rev-parse", "HEAD"]);
    fs::create_dir(shop.path().join("profiles")).unwrap();
    shop.write(
        "profiles/plop-baseline.toml",
        &format!("settled = [\n  {{ state = \"dropped\", commit = \"{commit}\" }},\n]\n"),
    );
    let work: Vec<&str> = WORK.split(' ').collect();
    let told = shop.script(
        "baseline.sh",
        &[&["-a", "profiles", "--"], &work[..]].concat(),
    );
    assert_eq!(told.status.code(), Some(3), "{}", told.stderr);
    for said in ["which is dropped", "this commit is not filed in profiles"] {
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
}

/// Two commits, really recorded; the first one has nothing before it, and is what the second is compared with.
#[test]
fn what_is_accepted_is_what_the_next_commit_is_compared_with() {
    let Some(shop) = Shop::new() else { return };
    shop.write("plop.toml", STEADY);
    let run = |options: &[&str]| {
        let command = [
            "-s", "shop", "profiles", "--", "python3", "bench.py", "60000",
        ];
        shop.script("baseline.sh", &[options, &command].concat())
    };
    let first = shop.git(&["rev-parse", "HEAD"]);
    let told = run(&["-a", "-o", "first.md"]);
    assert_eq!(
        told.status.code(),
        Some(3),
        "{}{}",
        told.stdout,
        told.stderr
    );
    assert!(
        shop.file("first.md").contains("no verdict"),
        "{}",
        shop.file("first.md")
    );

    shop.harmless("change");
    let told = run(&["-o", "second.json"]);
    assert_eq!(
        told.status.code(),
        Some(0),
        "{}{}",
        told.stdout,
        told.stderr
    );
    let report = shop.file("second.json");
    assert!(report.contains(&first[..12]), "{report}");
    let profiles = ended(
        Command::new("find")
            .arg(shop.path().join("profiles"))
            .args(["-name", "*.plop"]),
    );
    assert_eq!(
        profiles.stdout.lines().count(),
        1,
        "without -a none is filed"
    );

    for (options, said) in [
        (&["-n", "0"][..], "-n 0 is not a number of runs"),
        (&["-x", "1"], "what is -x?"),
    ] {
        let told = run(options);
        assert!(
            told.status.code() == Some(2) && told.stderr.contains(said),
            "{}",
            told.stderr
        );
    }
    let told = shop.script(
        "baseline.sh",
        &["profiles", "--", "bash", "-c", "echo broken; exit 1"],
    );
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    assert!(told.stderr.contains("broken\n"), "{}", told.stderr);
}
