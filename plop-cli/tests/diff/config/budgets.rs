//! Budgets of functions.

use super::*;

#[test]
fn functions_over_their_budget_fail() {
    let place = Place::new();
    let budget = |words: &str| {
        format!(
            "{}[[budget]]\nfunction = \"discount\"\n{words}\n",
            ignore("9999-12-31")
        )
    };
    let (plain, _) = place.slower();
    let share = plain["findings"][0]["after"]["share"].as_f64().unwrap();
    for (most, code) in [(share - 0.05, 1), (share - 0.001, 0), (share + 0.05, 0)] {
        place.write(
            "plop.toml",
            budget(&format!("of = \"self\"\nmax = {most:.4}")),
        );
        let (document, found) = place.slower();
        let test = &document["budgets"][0];
        assert_eq!(found, code, "{test}");
        assert_eq!(
            test["state"],
            if code == 1 { "broken" } else { "kept" },
            "{test}"
        );
        let number = |key: &str| test[key].as_f64().unwrap();
        assert!((number("share") - share).abs() < 1e-3, "{test}, {share}");
        assert!(number("least") < number("share"), "{test}");
        assert!((number("most") - most).abs() < 1e-4, "{test}");
    }
    let files = format!("{} {}", deploys("before"), deploys("slower"));
    place.write("plop.toml", budget("max = \"1%\""));
    let told = place.diff(&files);
    let said = told.stdout.replace('\u{a0}', " ");
    assert!(said.contains("▲ discount: "), "{said}");
    assert!(
        said.contains("is over its budget of 1 % (plop.toml:6)"),
        "{said}"
    );
}

/// A request takes 2 ms, of which render has three tenths.
#[test]
fn a_budget_may_be_a_time_per_unit_of_work() {
    let place = Place::new();
    let (old, new) = (place.counted("old", 6, 1.0), place.counted("new", 6, 1.0));
    for (most, code) in [("0.5 ms", 1), ("700 us", 0), ("0.001 s", 0)] {
        place.write(
            "plop.toml",
            format!("[[budget]]\nfunction = \"render\"\nmax = \"{most}\"\n"),
        );
        let told = place.diff(&format!("--json {old} --vs {new}"));
        let document: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(document["total"]["unit"], "ms/request");
        let budgets = &document["budgets"];
        assert_eq!(told.status.code(), Some(code), "{most}: {budgets}");
    }
    let told = place.diff(&format!("{old} --vs {new}"));
    let said = told.stdout.replace('\u{a0}', " ");
    let within = "us is within its budget of 1.00 ms per unit of work (plop.toml:1)";
    assert!(
        said.contains("render: 60") && said.contains(within),
        "{said}"
    );
}

#[test]
fn a_budget_that_cannot_be_tested_gives_no_verdict() {
    let place = Place::new();
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 1.0);
    place.write(
        "plop.toml",
        "[[budget]]\nfunction = \"parse\"\nmax = \"3 ms\"\n",
    );
    let told = place.diff("--json before.folded after.folded");
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(3), "{document}");
    assert_eq!(document["budgets"][0]["state"], "untested");
    assert_eq!(document["budgets"][0]["most"], Value::Null);
    assert!(codes(&document).contains(&"budget-untested"));
}
