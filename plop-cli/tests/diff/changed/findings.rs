//! What is said of findings whose functions were touched, and of those that were not.

use super::*;

#[test]
fn a_finding_tells_who_touched_it() {
    let Some(shop) = shop("a_finding_tells_who_touched_it") else {
        return;
    };
    let json = shop.json("--changed-since v1");
    assert_eq!(names(&json), ["discount"]);
    assert_eq!(json["touched"]["range"], "v1..HEAD");
    assert!(json["touched"]["hypotheses"].as_i64().unwrap() >= 1);
    let commit = shop.git(&["rev-parse", "HEAD~1"]);
    let found = &json["findings"][0];
    assert_eq!(found["function"]["name"], "discount");
    let touch = &found["touched"];
    assert_eq!(touch["path"], "app/shop.py");
    assert_eq!(touch["line"], 4);
    assert_eq!(touch["commit"], &commit[..12]);
    assert_eq!(touch["subject"], "support | `unary` minus");
    assert_eq!(touch["uncommitted"], false);
    // It is looked for at a lower limit, the others at a higher one.
    let plain = shop.json("");
    assert_eq!(plain["touched"], Value::Null);
    assert_eq!(plain["findings"][0]["touched"], Value::Null);
    let limit = |json: &Value| json["findings"][0]["critical_z"].as_f64().unwrap();
    assert!(
        limit(&json) < limit(&plain) - 0.2,
        "{} {}",
        limit(&json),
        limit(&plain)
    );
    let all = |json: &Value| json["critical_z"].as_f64().unwrap();
    assert!(all(&json) > all(&plain), "{} {}", all(&json), all(&plain));
    let five = |json: &Value, key: &str| json["power"][2][key].as_f64();
    let touched = five(&json, "mde_points_touched").unwrap();
    assert!(touched < 0.92 * five(&json, "mde_points").unwrap());
    assert_eq!(five(&plain, "mde_points_touched"), None);

    let schema = crate::schema::Schema::read();
    assert_eq!(schema.refusal(&json), None, "{json:#}");

    let told = shop.diff("--changed-since v1");
    assert_eq!(told.status.code(), Some(1));
    let text = told.stdout.replace('\u{a0}', " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "1 function touched by v1..HEAD (discount): half of the error rate is for what was touched",
        &format!(
            "touched by {} at app/shop.py:4: support | `unary` minus",
            &commit[..12]
        ),
        "; one that was touched, by ",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    shop.diff("--changed-since v1 -o ../out.md -o ../out.sarif -o annotations=../out.txt");
    let read = |name: &str| fs::read_to_string(shop.place.0.path().join(name)).unwrap();
    let markdown = read("out.md");
    let row = markdown
        .lines()
        .find(|line| line.starts_with("| ▲"))
        .unwrap();
    let touched = format!(
        "``touched by {} at app/shop.py:4: support \\| `unary` minus``",
        &commit[..12]
    );
    assert!(row.contains(&touched), "{row}");
    let sarif: Value = serde_json::from_str(&read("out.sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "app/shop.py");
    assert_eq!(place["region"]["startLine"], 4);
    assert_eq!(result["properties"]["touched"]["commit"], &commit[..12]);
    assert!(read("out.txt").contains("file=app/shop.py,line=4"));
}

#[test]
fn what_was_not_touched_is_found_as_well() {
    let Some(shop) = shop("what_was_not_touched_is_found_as_well") else {
        return;
    };
    shop.write("app/shop.py", SHOP);
    shop.write("app/other.py", "def other():\n    return 2\n");
    let json = shop.json("--changed-since v1");
    assert_eq!(
        names(&json),
        ["other"],
        "files as they are, not as they were committed"
    );
    assert_eq!(json["findings"][0]["function"]["name"], "discount");
    assert_eq!(json["findings"][0]["touched"], Value::Null);
    let told = shop.diff("--changed-since v1 -o ../out.md");
    assert!(
        told.stdout.contains("not touched by v1..HEAD"),
        "{}",
        told.stdout
    );
    assert_eq!(told.status.code(), Some(1));
    // Nothing that is in the profiles: all of the error rate is for all, and it is said.
    shop.git(&["checkout", "-q", "--", "."]);
    let nothing = shop.json("--changed-since HEAD~1");
    let plain = shop.json("");
    assert_eq!(nothing["touched"]["functions"], Value::Array(Vec::new()));
    assert_eq!(nothing["critical_z"], plain["critical_z"]);
    let told = shop.diff("--changed-since HEAD~1");
    let said = "no function of the profiles was touched by HEAD~1..HEAD";
    assert!(told.stdout.contains(said), "{}", told.stdout);
}

#[test]
fn what_is_not_certain_is_said() {
    let Some(shop) = shop("what_is_not_certain_is_said") else {
        return;
    };
    shop.write("old/shop.py", SHOP);
    let head = shop.commit("copy");
    shop.profile("before.plop", &[("discount", "shop.py", 3, 60.0)], "");
    shop.profile(
        "after.plop",
        &[("discount", "shop.py", 3, 180.0)],
        "0123456789ab",
    );
    let json = shop.json("--changed-since v1");
    assert_eq!(names(&json), Vec::<&str>::new());
    let text = |code: &str| {
        let warnings = json["warnings"].as_array().unwrap();
        let found = warnings.iter().find(|warning| warning["code"] == code);
        found.unwrap_or_else(|| panic!("{warnings:?}"))["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let said = text("touched-ambiguous");
    assert!(
        said.contains("shop.py may be any of app/shop.py, old/shop.py"),
        "{said}"
    );
    let said = text("touched-commit");
    assert!(
        said.contains("after is of commit 0123456789ab") && said.contains(&head[..12]),
        "{said}"
    );
    // Of the commit that is there nothing is said.
    shop.profile("before.plop", &[("discount", "app/shop.py", 3, 60.0)], "");
    shop.profile(
        "after.plop",
        &[("discount", "app/shop.py", 3, 180.0)],
        &head[..9],
    );
    let json = shop.json("--changed-since v1");
    assert_eq!(
        json["warnings"],
        Value::Array(Vec::new()),
        "{}",
        json["warnings"]
    );
    assert_eq!(names(&json), ["discount"]);
}
