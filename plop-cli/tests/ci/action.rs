//! `ci/action.yml` as GitHub reads it: its inputs, what its step is given, and the files that it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use crate::shop::{root, script};

/// A file of `ci/` that must be YAML.
pub(crate) fn yaml(name: &str) -> Yaml {
    let text = std::fs::read_to_string(script(name)).unwrap();
    let [document] = &YamlLoader::load_from_str(&text).unwrap()[..] else {
        panic!("{name} is not one document");
    };
    document.clone()
}

/// The one step of the action.
pub(crate) struct Step {
    /// What the shell is given.
    pub(crate) run: String,
    env: BTreeMap<String, String>,
    defaults: BTreeMap<String, String>,
}

pub(crate) fn step() -> Step {
    let action = yaml("action.yml");
    let inputs = action["inputs"].as_hash().unwrap();
    let defaults = inputs.iter().filter_map(|(name, input)| {
        let default = input["default"].as_str()?;
        Some((name.as_str().unwrap().to_owned(), default.to_owned()))
    });
    let [step] = &action["runs"]["steps"].as_vec().unwrap()[..] else {
        panic!("the action has more steps than one");
    };
    assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
    assert_eq!(step["shell"].as_str(), Some("bash"));
    let env = step["env"].as_hash().unwrap().iter();
    Step {
        run: step["run"].as_str().unwrap().to_owned(),
        env: env.map(|(name, value)| (text(name), text(value))).collect(),
        defaults: defaults.collect(),
    }
}

fn text(yaml: &Yaml) -> String {
    yaml.as_str().unwrap().to_owned()
}

/// What stands in `${{ }}` of a text, one after the other.
fn expressions(text: &str) -> Vec<&str> {
    let parts = text.split("${{ ").skip(1);
    parts
        .map(|part| part.split_once(" }}").unwrap().0)
        .collect()
}

impl Step {
    /// The variables of the step, for these inputs and this event.
    pub(crate) fn variables(
        &self,
        inputs: &BTreeMap<&str, &str>,
        event: &Value,
        token: &str,
    ) -> BTreeMap<String, String> {
        let evaluate = |expression: &str| match expression.split_once('.').unwrap() {
            ("inputs", name) => match (
                inputs.get(name),
                self.defaults.get(name).map(String::as_str),
            ) {
                (Some(given), _) => (*given).to_owned(),
                (None, Some("${{ github.token }}")) => token.to_owned(),
                (None, default) => default.unwrap().to_owned(),
            },
            ("github", path) => {
                let path = path.strip_prefix("event.").unwrap().replace('.', "/");
                match event.pointer(&format!("/{path}")) {
                    None => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                }
            }
            _ => panic!("what is {expression}?"),
        };
        let variables = self.env.iter().map(|(name, value)| {
            let [expression] = expressions(value)[..] else {
                panic!("{name} is {value}");
            };
            (name.clone(), evaluate(expression))
        });
        variables.collect()
    }
}

#[test]
fn every_input_is_used_and_every_variable_is_set() {
    let step = step();
    let action = yaml("action.yml");
    let inputs: BTreeSet<String> = (action["inputs"].as_hash().unwrap().keys())
        .map(text)
        .collect();
    let used: BTreeSet<String> = (step.env.values())
        .flat_map(|value| expressions(value))
        .filter_map(|expression| expression.strip_prefix("inputs.").map(str::to_owned))
        .collect();
    assert_eq!(inputs, used);

    let scripts =
        ["github.sh", "github.py"].map(|name| std::fs::read_to_string(script(name)).unwrap());
    let scripts = scripts.concat();
    let read: BTreeSet<String> = (scripts.split("GATE_").skip(1))
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_uppercase() && c != '_')
                .unwrap();
            format!("GATE_{}", &rest[..end])
        })
        .collect();
    let set: BTreeSet<String> = step
        .env
        .keys()
        .filter(|name| *name != "PLOP")
        .cloned()
        .collect();
    assert_eq!(read, set);

    for (name, output) in action["outputs"].as_hash().unwrap() {
        let name = name.as_str().unwrap();
        let value = output["value"].as_str().unwrap();
        assert_eq!(value, format!("${{{{ steps.gate.outputs.{name} }}}}"));
        assert!(
            scripts.contains(&format!("\"{name}=$")),
            "{name} is not written"
        );
    }
}

/// What GitHub puts into a script is run by the shell, whatever it is; so there is nothing of the kind.
#[test]
fn nothing_from_outside_is_part_of_a_script() {
    let run = step().run;
    assert!(!run.contains("${{"), "{run}");
    let name = run.strip_prefix("\"$GITHUB_ACTION_PATH/").unwrap();
    let file = script(name.strip_suffix('"').unwrap());
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "{} is not executable", file.display());
    assert!(
        root().join("plop-cli/Cargo.toml").exists(),
        "github.sh builds it"
    );
}
