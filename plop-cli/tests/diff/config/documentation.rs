//! The documentation of the file, read and tried.

use super::*;

/// The parts of docs/config.md that stand between a line of backticks with this word and the next one.
fn examples(word: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/config.md")).unwrap();
    let fence = format!("```{word}\n");
    let parts = text.split(&fence).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_example_of_the_documentation_does_what_it_says() {
    let place = Place::new();
    let [example, renames] = &examples("toml")[..] else {
        panic!()
    };
    place.write("plop.toml", renames);
    let told = place.diff("--explain-config");
    assert!(
        told.stdout
            .contains("parse_row is called shop.rows.parse now"),
        "{}",
        told.stderr
    );
    assert!(
        told.stdout.contains("render is the same as no other"),
        "{}",
        told.stdout
    );
    place.write("plop.toml", example);
    let [shown] = &examples("console")[..] else {
        panic!()
    };
    let (command, shown) = shown.split_once('\n').unwrap();
    assert_eq!(
        command,
        "$ PLOP_DIFF_LAST=4 plop diff --alpha 2% --explain-config"
    );
    let told = place.diff_in(
        "",
        &[("PLOP_DIFF_LAST", "4")],
        "--alpha 2% --explain-config",
    );
    assert_eq!(told.stdout, shown);
    assert_eq!((&told.stderr[..], told.status.code()), ("", Some(0)));
    let (document, _) = place.slower();
    assert_eq!(document["findings"][0]["ignored"]["place"], "plop.toml:6");
    assert_eq!(document["budgets"].as_array().unwrap().len(), 2);
}

#[test]
fn every_key_is_in_the_documentation() {
    let place = Place::new();
    place.write("plop.toml", &examples("toml")[0]);
    let told = place.diff("--explain-config --json");
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let text = fs::read_to_string(root.join("config.md")).unwrap();
    for setting in document["settings"].as_array().unwrap() {
        let key = setting["key"].as_str().unwrap();
        let option = key.replace('_', "-");
        assert!(
            text.contains(&format!("| `{key}` |")) && text.contains(&format!("`--{option}`")),
            "{key}"
        );
    }
    let text = fs::read_to_string(root.join("json.md")).unwrap();
    let section = text
        .split("`plop.config/1`\n")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let lists = ["settings", "ignores", "budgets", "rules"];
    for list in lists {
        let first = &document[list][0];
        for key in first.as_object().unwrap().keys() {
            assert!(section.contains(&format!(".{key}`")), "{list}: {key}");
        }
    }
    for key in document.as_object().unwrap().keys() {
        assert!(section.contains(&format!("`{key}`")), "{key}");
    }
}
