//! docs/ci.md, followed word for word: its first section is run as it stands, and what it shows for GitHub and GitLab
//! fits the action and the template.

use std::fs;
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

use crate::action::yaml;
use crate::shop::{Shop, root};
use crate::support::{ended, finish};

fn document() -> String {
    fs::read_to_string(root().join("docs/ci.md")).unwrap()
}

/// The blocks of one language in a text.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let parts = text
        .split(&format!("\n```{language}\n"))
        .skip(1)
        .collect::<Vec<_>>();
    parts
        .into_iter()
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// A line runs the gate again where it found something in a commit that changed nothing: one in a hundred does.
fn script(lines: &[&str]) -> String {
    let mut script = String::from("run() {\n    eval \"$2\"\n    local code=$?\n");
    script +=
        "    if [[ $1 == 0 && $code == 1 && $2 == *gate.sh* ]]; then eval \"$2\"; code=$?; fi\n";
    script += "    [[ $code == \"$1\" ]] || { echo \"ended with $code: $2\" >&2; exit 99; }\n}\n";
    for line in lines {
        let code = line
            .rsplit_once("# exit code ")
            .map_or("0", |(_, code)| code.trim());
        let quoted = line.replace('\'', "'\\''");
        script += &format!("run {code} '{quoted}'\n");
    }
    script
}

#[test]
fn the_first_gate_is_made_as_it_is_written() {
    let Some(shop) = Shop::new() else { return };
    let text = document();
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with("1. Ten minutes"))
        .unwrap();
    let lines: Vec<&str> = blocks(section, "sh")
        .into_iter()
        .flat_map(str::lines)
        .collect();
    assert!(lines.len() >= 10, "{lines:?}");
    let codes = lines.iter().filter(|line| line.contains("# exit code "));
    assert_eq!(codes.count(), 2, "a gate that passes and one that does not");

    // The checkout of plop, as far as the section needs it.
    let checkout = shop.home().join("plop");
    let programs = checkout.join("testdata/programs");
    fs::create_dir_all(&programs).unwrap();
    finish(
        Command::new("cp")
            .arg("-r")
            .arg(root().join("ci"))
            .arg(&checkout),
    );
    finish(
        Command::new("cp")
            .arg("-r")
            .arg(root().join("testdata/programs/deploys"))
            .arg(&programs),
    );
    let mut bash = shop.command("bash");
    bash.arg("-c").arg(script(&lines)).current_dir(&checkout);
    for (name, value) in [("NAME", "Bea"), ("EMAIL", "bea@shop.example")] {
        bash.env(format!("GIT_AUTHOR_{name}"), value)
            .env(format!("GIT_COMMITTER_{name}"), value);
    }
    let done = ended(&mut bash);
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}{}",
        done.stdout,
        done.stderr
    );
    // As the text says: discount is what became slower, in the report and in gate.md.
    assert!(
        done.stdout.contains("▲ discount  (shop.py:34)"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("`discount` (`shop.py:34`)"),
        "{}",
        done.stdout
    );
    let calls = fs::read_to_string(shop.home().join("cargo-calls")).unwrap();
    assert_eq!(calls, "install --locked --path plop-cli\n");
}

/// All steps of a workflow that use something.
fn uses(yaml: &Yaml, found: &mut Vec<Yaml>) {
    match yaml {
        Yaml::Hash(map) => {
            if yaml["uses"].as_str().is_some() {
                found.push(yaml.clone());
            }
            map.values().for_each(|value| uses(value, found));
        }
        Yaml::Array(list) => list.iter().for_each(|value| uses(value, found)),
        _ => {}
    }
}

#[test]
fn what_is_shown_for_github_and_gitlab_fits_what_is_there() {
    let text = document();
    let inputs = yaml("action.yml")["inputs"].clone();
    let template = yaml("gitlab-ci.yml");
    let (mut actions, mut templates) = (0, 0);
    for block in blocks(&text, "yaml") {
        let shown = &YamlLoader::load_from_str(block).unwrap()[0];
        let mut steps = Vec::new();
        uses(shown, &mut steps);
        for step in steps
            .iter()
            .filter(|step| step["uses"].as_str().unwrap().starts_with("OWNER/"))
        {
            assert_eq!(step["uses"].as_str(), Some("OWNER/plop/ci@main"));
            for name in step["with"].as_hash().unwrap().keys() {
                assert!(
                    !inputs[name.as_str().unwrap()].is_badvalue(),
                    "{name:?} is no input"
                );
            }
            assert!(
                step["with"]["command"].as_str().is_some(),
                "the input that is required"
            );
            actions += 1;
        }
        for job in shown.as_hash().unwrap().values() {
            let Some(name) = job["extends"].as_str() else {
                continue;
            };
            for variable in job["variables"].as_hash().unwrap().keys() {
                let known = &template[name]["variables"][variable.as_str().unwrap()];
                assert!(
                    !known.is_badvalue(),
                    "{variable:?} is no variable of {name}"
                );
            }
            templates += 1;
        }
    }
    assert!(actions >= 1 && templates == 1, "{actions} and {templates}");
}
