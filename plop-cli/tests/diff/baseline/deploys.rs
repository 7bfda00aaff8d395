//! Which files are of one deploy, and of one service.

use super::*;

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
