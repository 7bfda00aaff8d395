//! Builds that call functions differently: the report says so, and nothing fails for it.

use serde_json::Value;

use crate::Place;

#[test]
fn a_deploy_that_only_renames_exits_0_and_says_so() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.renamed("before.folded", "after.folded");
    let told = place.diff("before.folded after.folded");
    assert_eq!(told.status.code(), Some(0), "{}", told.stdout);
    let line = |start: &str| {
        let mut lines = told.stdout.lines();
        let line = lines.find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("{start}: {}", told.stdout))
            .to_owned()
    };
    assert!(line("renamed: parse → parse_line (").ends_with("), 1 more"));
    assert_eq!(
        line("new between"),
        "new between a caller and what it calls: cached"
    );

    let told = place.diff("--json before.folded after.folded");
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    let renamed = document["renamed"].as_array().unwrap();
    let names = |side: &str| -> Vec<&str> {
        let names = renamed
            .iter()
            .map(|one| one[side]["name"].as_str().unwrap());
        names.collect()
    };
    assert_eq!(names("before"), ["parse", "escape"]);
    assert_eq!(names("after"), ["parse_line", "quote"]);
    assert_eq!(document["between"][0]["done"], "inserted");
    assert_eq!(document["between"][0]["function"]["name"], "cached");
}

#[test]
fn a_renamed_function_that_became_slower_fails_under_its_new_name() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("slower.folded", 20_000.0, 4.0);
    place.renamed("slower.folded", "after.folded");
    let told = place.diff("before.folded after.folded");
    assert_eq!(told.status.code(), Some(1), "{}", told.stdout);
    assert!(told.stdout.contains("▲ parse_line"), "{}", told.stdout);
    assert!(
        told.stdout.contains("called parse before"),
        "{}",
        told.stdout
    );

    let told = place.diff("--json before.folded after.folded");
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["findings"][0]["function"]["before_name"], "parse");
}
