//! The report as it is printed: its width, its signs, its colours.

use std::process::Command;

use crate::support::ended;
use crate::{Place, deploys};

fn printed(place: &Place, words: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
    command
        .arg("diff")
        .args(words.split_whitespace())
        .current_dir(place.0.path())
        .envs(variables.iter().copied());
    ended(&mut command).stdout
}

/// Words of comparisons of every kind.
fn comparisons(place: &Place) -> Vec<String> {
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("after.folded", 20_000.0, 4.0);
    let (old, new) = (place.counted("old", 5, 1.0), place.counted("new", 5, 1.5));
    vec![
        format!("--tree {} {}", deploys("before"), deploys("slower")),
        format!("--tree {} {}", deploys("before"), deploys("refactored")),
        "--tree before.folded after.folded".into(),
        format!("--tree {old} --vs {new}"),
        format!(
            "--require-power 0.9% {} {}",
            deploys("before"),
            deploys("refactored")
        ),
    ]
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let place = Place::new();
    for words in comparisons(&place) {
        for width in [50, 60, 80, 120] {
            let text = printed(&place, &words, &[("COLUMNS", &width.to_string())]);
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(
                longest.is_some_and(|longest| longest <= width && 2 * longest > width),
                "{width}: {longest:?}\n{text}"
            );
            assert!(!text.contains('\u{a0}'), "{text}");
            assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        }
    }
}

#[test]
fn ascii_will_do() {
    let place = Place::new();
    for words in comparisons(&place) {
        let text = printed(&place, &format!("--ascii {words}"), &[]);
        assert!(text.is_ascii(), "{text}");
    }
    let text = printed(
        &place,
        &format!("--ascii {} {}", deploys("before"), deploys("slower")),
        &[],
    );
    assert!(text.contains("\n + discount  (shop.py:36)"), "{text}");
    assert!(text.contains("     <module> > serve > handle"), "{text}");
}

#[test]
fn colour_adds_nothing_to_the_words() {
    let place = Place::new();
    for words in comparisons(&place) {
        let plain = printed(&place, &words, &[("NO_COLOR", "1")]);
        let coloured = printed(&place, &format!("--color always {words}"), &[]);
        assert!(coloured.contains("\x1b[1") && !plain.contains('\x1b'));
        let mut without = String::new();
        for part in coloured.split('\x1b') {
            match part.strip_prefix('[').and_then(|rest| rest.split_once('m')) {
                Some((_, text)) => without.push_str(text),
                None => without.push_str(part),
            }
        }
        assert_eq!(without, plain);
    }
}

/// What has another share only since something else grew is not in the tree.
#[test]
fn the_call_tree_shows_causes_and_the_way_to_them() {
    let place = Place::new();
    let words = format!("--tree {} {}", deploys("before"), deploys("slower"));
    let text = printed(&place, &words, &[]);
    let (_, tree) = text.split_once("before    after    change\n").unwrap();
    let names: Vec<&str> = (tree.lines())
        .map(|line| line.split_whitespace().last().unwrap())
        .collect();
    let way = [
        "all", "<module>", "serve", "handle", "cart", "price", "discount",
    ];
    assert_eq!(names, way);
}
