//! What `plop diff --json` prints, held against docs/plop.diff.schema.json by a validator, and the schema against
//! docs/json.md.

use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use crate::{FILED, Place, deploys};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The schema, read by whoever validates.
pub(crate) struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
    document: Value,
}

impl Schema {
    pub(crate) fn read() -> Schema {
        let file = root().join("docs/plop.diff.schema.json");
        let document: Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        let name = "plop.diff.schema.json";
        compiler.add_resource(name, document.clone()).unwrap();
        let index = compiler.compile(name, &mut schemas).unwrap();
        Schema {
            schemas,
            index,
            document,
        }
    }

    pub(crate) fn refusal(&self, document: &Value) -> Option<String> {
        let refused = self.schemas.validate(document, self.index).err();
        refused.map(|error| error.to_string())
    }
}

/// Comparisons with every verdict, method and mode.
fn documents() -> Vec<Value> {
    let place = Place::new();
    std::fs::create_dir(place.0.path().join("empty")).unwrap();
    std::fs::write(place.0.path().join("empty/README"), "none yet").unwrap();
    FILED.put(&place, "first.plop");
    place.folded("before.folded", 20_000.0, 1.0);
    place.folded("same.folded", 21_000.0, 1.0);
    place.folded("doubtful.folded", 20_000.0, 1.5);
    place.folded("after.folded", 20_000.0, 4.0);
    place.renamed("before.folded", "renamed.folded");
    let (old, same, new) = (
        place.counted("old", 4, 1.0),
        place.counted("same", 4, 1.0),
        place.counted("new", 4, 1.5),
    );
    let rules = place.0.path().join("rules.toml");
    let rules_of_all = "[[ignore]]\nfunction = \"discount\"\nreason = \"r\"\nuntil = 9999-12-31\n\
                        [[budget]]\nfunction = \"*\"\nmax = \"1%\"\n[[budget]]\nfile = \"*\"\nmax = \"1 s\"\n";
    std::fs::write(rules, rules_of_all).unwrap();
    [
        format!(
            "--config rules.toml {} {}",
            deploys("before"),
            deploys("slower")
        ),
        "--config rules.toml before.folded same.folded".into(),
        format!("{} {}", deploys("before"), deploys("slower")),
        format!("{} {}", deploys("before"), deploys("refactored")),
        "before.folded same.folded".into(),
        "before.folded doubtful.folded".into(),
        "before.folded after.folded".into(),
        "after.folded before.folded".into(),
        "before.folded renamed.folded".into(),
        format!("{old} --vs {new}"),
        format!("{old} --vs {same} --mode time"),
        format!("{old} --vs {new} --mode share"),
        format!("--mode bulk {} {}", deploys("before"), deploys("slower")),
        format!(
            "--require-power 0.9% {} {}",
            deploys("before"),
            deploys("refactored")
        ),
        "--baseline empty first.plop".into(),
    ]
    .iter()
    .map(|words| {
        let told = place.diff(&format!("--json {words}"));
        let document: Value = serde_json::from_str(&told.stdout)
            .unwrap_or_else(|error| panic!("{words}: {error}: {}", told.stderr));
        assert_eq!(
            document["exit"],
            told.status.code().unwrap(),
            "{words}: the exit code is what the document says"
        );
        document
    })
    .collect()
}

#[test]
fn every_document_is_as_the_schema_says() {
    let schema = Schema::read();
    let documents = documents();
    for document in &documents {
        assert_eq!(schema.refusal(document), None, "{document:#}");
    }
    for (key, all) in [
        ("verdict", &["ok", "regressed", "inconclusive"][..]),
        ("method", &["slices", "runs", "counts"]),
        ("mode", &["work", "time", "share", "bulk"]),
    ] {
        for word in all {
            let has = documents.iter().any(|document| document[key] == *word);
            assert!(has, "no document with the {key} {word}");
        }
    }
}

#[test]
fn the_schema_refuses_a_document_that_lacks_a_key() {
    let schema = Schema::read();
    let documents = documents();
    let mut left_out = 0;
    for document in &documents {
        for path in keys(document) {
            // What a program counts has names of its own, and is there or not.
            if path.contains("/work/") {
                continue;
            }
            let mut less = document.clone();
            let (object, key) = path.rsplit_once('/').unwrap();
            let object = less.pointer_mut(object).unwrap().as_object_mut().unwrap();
            object.remove(key).unwrap();
            assert!(schema.refusal(&less).is_some(), "{path} is missing");
            left_out += 1;
        }
    }
    assert!(left_out > 300, "{left_out}");
    let mut wrong = documents[0].clone();
    wrong["exit"] = 3.into();
    assert!(schema.refusal(&wrong).is_some(), "verdict and exit code");
}

#[test]
fn the_first_deploy_has_a_document_without_a_verdict() {
    let documents = documents();
    let first = documents.last().unwrap();
    assert_eq!(
        (&first["verdict"], &first["exit"]),
        (&"inconclusive".into(), &3.into())
    );
    assert_eq!(first["sides"][0]["name"], "no earlier deploy");
    assert_eq!(first["sides"][1]["name"], "first.plop");
    let warnings = first["warnings"].as_array().unwrap();
    let codes: Vec<&Value> = warnings.iter().map(|warning| &warning["code"]).collect();
    assert_eq!(codes, ["no-baseline", "left-out"]);
    assert_eq!(warnings[0]["forbids_a_verdict"], true);
}

#[test]
fn every_key_is_in_the_schema_and_in_the_documentation() {
    let schema = Schema::read();
    let described = described(&schema.document);
    for path in documents().iter().flat_map(keys) {
        let key = path.rsplit_once('/').unwrap().1.to_owned();
        assert!(
            path.contains("/work/") || described.contains(&key),
            "{path}"
        );
    }
    let text = std::fs::read_to_string(root().join("docs/json.md")).unwrap();
    let section = text.split("## `plop diff --json`").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    for key in described {
        let named = [format!("`{key}`"), format!(".{key}`")];
        assert!(
            named.iter().any(|name| section.contains(name)),
            "docs/json.md does not tell of {key}"
        );
    }
}

/// The place of every key of every object, as a JSON pointer.
fn keys(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), document)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let path = format!("{path}/{key}");
                    found.push(path.clone());
                    open.push((path, value));
                }
            }
            Value::Array(values) => {
                let places = values.iter().enumerate();
                open.extend(places.map(|(n, value)| (format!("{path}/{n}"), value)));
            }
            _ => {}
        }
    }
    found
}

/// The keys for which the schema has a description, wherever they are.
fn described(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        if let Value::Object(members) = value {
            if let Some(Value::Object(properties)) = members.get("properties") {
                found.extend(properties.keys().cloned());
            }
            open.extend(members.values());
        }
    }
    found
}
