//! What could have been seen, what it takes to see more, and a gate that insists on it.

use serde_json::Value;

use crate::{Place, deploys};

fn json(place: &Place, words: &str) -> (Value, i32) {
    let told = place.diff(&format!("--json {words}"));
    let document = serde_json::from_str(&told.stdout)
        .unwrap_or_else(|error| panic!("{words}: {error}: {}", told.stderr));
    (document, told.status.code().unwrap())
}

/// What could have been seen of a function of 5 %.
fn of_five(document: &Value) -> &Value {
    let power = document["power"].as_array().unwrap();
    power.iter().find(|power| power["share"] == 0.05).unwrap()
}

#[test]
fn a_plan_is_for_half_of_what_can_be_seen() {
    let place = Place::new();
    let (document, _) = json(
        &place,
        &format!("{} {}", deploys("before"), deploys("refactored")),
    );
    let power = of_five(&document);
    let number = |key: &str| {
        power[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key}: {power}"))
    };
    assert!((number("for_points") - 0.5 * number("mde_points")).abs() < 0.001);
    // Profiles tell what runs differ by; endless sampling of two does not.
    assert!((1.0..20.0).contains(&number("extra_profiles")), "{power}");
    assert!(number("floor_points") < number("mde_points"), "{power}");
    // What is seen well enough needs no plan.
    let (document, _) = json(
        &place,
        &format!(
            "--min-effect 40% {} {}",
            deploys("before"),
            deploys("refactored")
        ),
    );
    assert_eq!(of_five(&document)["for_points"], Value::Null);
}

#[test]
fn too_little_to_see_is_no_verdict_where_that_is_asked_for() {
    let place = Place::new();
    let same = format!("{} {}", deploys("before"), deploys("refactored"));
    let worse = format!("{} {}", deploys("before"), deploys("slower"));
    let (document, code) = json(&place, &format!("--require-power 0.9% {same}"));
    assert_eq!((&document["verdict"], code), (&"inconclusive".into(), 3));
    assert_eq!(of_five(&document)["for_points"], 0.9);
    let told = place.diff(&format!("--require-power 0.9% {same}"));
    assert_eq!(told.status.code(), Some(3));
    assert!(told.stdout.contains("--require-power"), "{}", told.stdout);
    let (_, code) = json(&place, &format!("--require-power 90% {same}"));
    assert_eq!(code, 0);
    let (document, code) = json(&place, &format!("--require-power 0.9% {worse}"));
    assert_eq!(
        (&document["verdict"], code),
        (&"regressed".into(), 1),
        "a regression stays one"
    );
    let told = place.diff(&format!("--require-power 0.5% {same}"));
    assert_eq!(told.status.code(), Some(2));
    assert!(
        told.stderr
            .contains("--require-power must be more than --min-effect"),
        "{}",
        told.stderr
    );
}
