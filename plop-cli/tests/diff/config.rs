//! Settings and rules of a team: which file holds, what counts more, and what rules do to a verdict.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Ended, ended};
use crate::{Place, deploys};

/// Growth of the function that the slower deploy made slower, ignored until a day.
fn ignore(until: &str) -> String {
    format!(
        "[[ignore]]\nfunction = \"discount\"\nfile = \"shop.py\"\nreason = \"wanted so\"\nuntil = {until}\n"
    )
}

impl Place {
    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs plop diff in a folder, with variables of the environment.
    fn diff_in(&self, folder: &str, variables: &[(&str, &str)], words: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
        command
            .arg("diff")
            .args(words.split_whitespace())
            .current_dir(self.0.path().join(folder))
            .envs(variables.iter().copied());
        ended(&mut command)
    }

    fn slower(&self) -> (Value, i32) {
        self.judged("")
    }

    /// The slower deploy as JSON, and the exit code.
    fn judged(&self, words: &str) -> (Value, i32) {
        let files = format!("{} {}", deploys("before"), deploys("slower"));
        let told = self.diff(&format!("--json {words} {files}"));
        let document =
            serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr));
        (document, told.status.code().unwrap())
    }

    /// What is refused of a configuration.
    fn refused(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        self.write(name, text);
        let told = self.diff("--explain-config");
        assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
        assert_eq!(told.stdout, "");
        told.stderr
    }
}

fn codes(document: &Value) -> Vec<&str> {
    let warnings = document["warnings"].as_array().unwrap();
    warnings
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}

#[test]
fn an_ignored_finding_stays_and_does_not_fail() {
    let place = Place::new();
    let (plain, code) = place.slower();
    assert_eq!(code, 1);
    assert_eq!(plain["findings"][0]["ignored"], Value::Null);
    place.write("plop.toml", ignore("9999-12-31"));
    let (document, code) = place.slower();
    assert_eq!((document["verdict"].as_str(), code), (Some("ok"), 0));
    let finding = &document["findings"][0];
    assert_eq!(finding["function"]["name"], "discount");
    assert_eq!(finding["fails"], false);
    assert_eq!(finding["ignored"]["reason"], "wanted so");
    assert_eq!(finding["ignored"]["place"], "plop.toml:1");
    assert_eq!(
        finding["delta"], plain["findings"][0]["delta"],
        "what was found is the same"
    );
    let told = place.diff(&format!("{} {}", deploys("before"), deploys("slower")));
    assert!(
        told.stdout.contains("△ discount")
            && told
                .stdout
                .contains("ignored until 9999-12-31: wanted so (plop.toml:1)"),
        "{}",
        told.stdout
    );
    assert!(!told.stdout.contains('▲'), "{}", told.stdout);
}

#[test]
fn an_ignore_that_is_over_is_said_and_ignores_nothing() {
    let place = Place::new();
    place.write("plop.toml", ignore("2001-01-31"));
    let (document, code) = place.slower();
    assert_eq!(code, 1);
    assert_eq!(codes(&document), ["ignore-expired"]);
    let text = document["warnings"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("2001-01-31 (plop.toml:1: wanted so)"),
        "{text}"
    );
}

#[test]
fn a_rule_about_no_function_is_said() {
    let place = Place::new();
    place.write(
        "plop.toml",
        "[[ignore]]\nfunction = \"discont\"\nreason = \"r\"\nuntil = 9999-12-31\n\
         [[budget]]\nfunction = \"nobody\"\nmax = \"1%\"\n[[rule]]\nfile = \"no.py\"\nmin_effect = \"1%\"\n",
    );
    let (document, code) = place.slower();
    assert_eq!(code, 1);
    assert_eq!(codes(&document), ["rule-unmatched"; 3]);
    assert_eq!(document["budgets"][0]["state"], "kept");
    assert_eq!(document["budgets"][0]["functions"], 0);
}

#[test]
fn functions_have_least_growths_of_their_own() {
    let place = Place::new();
    let rule =
        |effect: &str| format!("[[rule]]\nfunction = \"disc*\"\nmin_effect = \"{effect}\"\n");
    place.write("plop.toml", rule("90%"));
    let (document, code) = place.slower();
    assert_eq!(code, 0);
    assert_eq!(document["findings"][0]["min_effect"], 0.9);
    assert_eq!(document["min_effect"], 0.005);
    // A rule counts for what it is about, also where the one for all is larger.
    place.write("plop.toml", rule("0.5%"));
    let (_, code) = place.judged("--min-effect 90%");
    assert_eq!(code, 1);
}

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

#[test]
fn an_ignored_growth_of_the_whole_does_not_fail_either() {
    let place = Place::new();
    let (old, new) = (place.counted("old", 6, 1.0), place.counted("new", 6, 1.5));
    let words = format!("--json {old} --vs {new}");
    let told = place.diff(&words);
    assert_eq!(told.status.code(), Some(1), "{}", told.stdout);
    place.write(
        "plop.toml",
        "[[ignore]]\nfunction = \"render\"\nreason = \"r\"\nuntil = 9999-12-31\n",
    );
    let told = place.diff(&words);
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(0), "{document:#}");
    // What is left of the growth of the whole fails by itself.
    let more = place.counted("more", 6, 1.5);
    for name in more.split(' ') {
        let path = place.0.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once("\"cpu_ns\":").unwrap();
        let (ns, rest) = rest.split_once(',').unwrap();
        let ns = 1.2 * ns.parse::<f64>().unwrap();
        fs::write(path, format!("{head}\"cpu_ns\":{ns:.0},{rest}")).unwrap();
    }
    let told = place.diff(&format!("--json {old} --vs {more}"));
    assert_eq!(told.status.code(), Some(1), "{}", told.stdout);
}

#[test]
fn improvements_are_not_marked_as_ignored() {
    let place = Place::new();
    place.write("plop.toml", ignore("9999-12-31"));
    let told = place.diff(&format!(
        "--json {} {}",
        deploys("slower"),
        deploys("before")
    ));
    assert_eq!(told.status.code(), Some(0));
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["findings"][0]["direction"], "shrank");
    assert_eq!(document["findings"][0]["ignored"], Value::Null);
}

/// The value of a setting, and where it comes from.
fn setting(told: &Ended, key: &str) -> (Value, String) {
    let document: Value =
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr));
    let settings = document["settings"].as_array().unwrap();
    let setting = settings.iter().find(|one| one["key"] == key).unwrap();
    (
        setting["value"].clone(),
        setting["place"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn options_count_more_than_variables_and_these_more_than_the_file() {
    let place = Place::new();
    place.write(
        "plop.toml",
        "# ours\nalpha = 0.02\nlast = 5\nmode = \"time\"\n",
    );
    let explain = |variables: &[(&str, &str)], words: &str| {
        place.diff_in("", variables, &format!("--explain-config --json {words}"))
    };
    let alpha = |told: &Ended| setting(told, "alpha");
    assert_eq!(
        alpha(&explain(&[], "")),
        (0.02.into(), "plop.toml:2".into())
    );
    let variables = [("PLOP_DIFF_ALPHA", "3%"), ("PLOP_DIFF_MODE", "")];
    let told = explain(&variables, "");
    assert_eq!(alpha(&told), (0.03.into(), "PLOP_DIFF_ALPHA".into()));
    assert_eq!(
        setting(&told, "mode"),
        ("time".into(), "plop.toml:4".into()),
        "an empty variable is none"
    );
    assert_eq!(
        setting(&told, "min_effect"),
        (0.005.into(), "default".into())
    );
    assert_eq!(
        alpha(&explain(&variables, "--alpha 4%")),
        (0.04.into(), "--alpha".into())
    );
    assert_eq!(
        alpha(&explain(&[], "--config /dev/null")),
        (0.01.into(), "default".into())
    );
    // What is wrong is told though it would not count.
    let told = explain(&[("PLOP_DIFF_ALPHA", "often")], "--alpha 4%");
    assert_eq!(told.status.code(), Some(2));
    assert!(
        told.stderr.contains("PLOP_DIFF_ALPHA: expected a share"),
        "{}",
        told.stderr
    );
    let told = explain(&[("PLOP_DIFF_ALFA", "3%")], "");
    assert!(
        told.stderr.contains("PLOP_DIFF_ALFA is no setting"),
        "{}",
        told.stderr
    );
    // They hold for a comparison.
    let (document, _) = place.slower();
    assert_eq!(
        (&document["alpha"], &document["mode"]),
        (&0.02.into(), &"time".into())
    );
}

#[test]
fn the_nearest_file_holds_up_to_the_root_of_the_repository() {
    let place = Place::new();
    let python =
        |alpha: &str| format!("[project]\nname = \"shop\"\n[tool.plop]\nalpha = \"{alpha}\"\n");
    place.write("plop.toml", "alpha = \"9%\"\n");
    place.write("repo/pyproject.toml", python("3%"));
    place.write(
        "repo/sub/pyproject.toml",
        "[project]\nname = \"part\"\n[tool.other]\nx = 1\n",
    );
    place.write("repo/sub/deep/x", "");
    let alpha = |folder: &str| {
        let told = place.diff_in(folder, &[], "--explain-config --json");
        (setting(&told, "alpha"), told.stderr)
    };
    // A pyproject.toml that does not speak of plop is passed over.
    let (found, said) = alpha("repo/sub/deep");
    assert_eq!(found, (0.03.into(), "../../pyproject.toml:4".into()));
    assert_eq!(said, "");
    // Of two in one folder, which counts is said.
    place.write("repo/plop.toml", "alpha = \"2%\"\n");
    let (found, said) = alpha("repo");
    assert_eq!(found, (0.02.into(), "plop.toml:1".into()));
    assert!(
        said.contains("plop.toml counts, and [tool.plop] in pyproject.toml does not"),
        "{said}"
    );
    // Above the root of the repository nothing is looked for.
    fs::remove_file(place.0.path().join("repo/plop.toml")).unwrap();
    fs::remove_file(place.0.path().join("repo/pyproject.toml")).unwrap();
    assert_eq!(
        alpha("repo/sub/deep").0,
        (0.09.into(), "../../../plop.toml:1".into())
    );
    fs::create_dir(place.0.path().join("repo/.git")).unwrap();
    assert_eq!(alpha("repo/sub/deep").0, (0.01.into(), "default".into()));
}

#[test]
fn a_baseline_of_the_file_starts_from_its_folder_and_is_for_one_profile() {
    let place = Place::new();
    place.write("plop.toml", "baseline = \"old\"\n");
    place.write("sub/x", "");
    place.write("old/before.plop", fs::read(deploys("before")).unwrap());
    let told = place.diff_in("sub", &[], "--explain-config --json");
    assert_eq!(
        setting(&told, "baseline"),
        ("../old".into(), "../plop.toml:1".into())
    );
    for variables in [&[][..], &[("PLOP_DIFF_BASELINE", "../old")]] {
        let alone = place.diff_in("sub", variables, &deploys("slower"));
        assert_eq!(alone.status.code(), Some(1), "{}", alone.stderr);
        assert!(
            alone.stdout.starts_with("plop diff  before ("),
            "{}",
            alone.stdout
        );
    }
    let none = place.diff_in("sub", &[("PLOP_DIFF_BASELINE", ".")], &deploys("slower"));
    assert_eq!(none.status.code(), Some(3), "no earlier deploy is there");
    let pair = place.diff_in(
        "sub",
        &[],
        &format!("{} {}", deploys("before"), deploys("slower")),
    );
    assert_eq!(
        pair.status.code(),
        Some(1),
        "two files are before and after"
    );
    let none = place.diff_in(
        "sub",
        &[],
        &format!("--config /dev/null --last 3 {}", deploys("slower")),
    );
    assert_eq!(none.status.code(), Some(2));
    assert!(
        none.stderr
            .contains("--last counts the deploys of --baseline"),
        "{}",
        none.stderr
    );
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_file_line_and_key() {
    let table = |words: &str| format!("[[ignore]]\nfunction = \"f\"\nreason = \"r\"\n{words}\n");
    for (text, told) in [
        (
            "# a\nmin_efect = 0.01\n",
            "plop.toml:2: min_efect: there is no such key; did you mean `min_effect`?",
        ),
        (
            "speed = 9\n",
            "plop.toml:1: speed: there is no such key; expected one of alpha, min_effect,",
        ),
        (
            "\n[[ignores]]\n",
            "plop.toml:2: ignores: there is no such key; did you mean `ignore`?",
        ),
        (
            "alpha = true\n",
            "plop.toml:1: alpha: expected a share such as \"0.5%\" or 0.005, found true",
        ),
        (
            "mode = 3\n",
            "plop.toml:1: mode: expected a mode such as \"work\", found the number 3",
        ),
        (
            "mode = \"fast\"\n",
            "plop.toml:1: mode: expected one of auto, work, time, share, bulk, found `fast`",
        ),
        (
            "alpha = 7\n",
            "plop.toml:1: alpha: expected a share such as 0.5% or 0.005, found `7`",
        ),
        (
            "last = 0\n",
            "plop.toml:1: last: expected a whole number from 1 to 200, found `0`",
        ),
        (
            "last = \"8\"\n",
            "plop.toml:1: last: expected how many deploys, such as 8, found \"8\"",
        ),
        (
            "last = 2.5\n",
            "plop.toml:1: last: expected a whole number from 1 to 200, found `2.5`",
        ),
        (
            "ignore = \"discount\"\n",
            "plop.toml:1: ignore: expected tables, each below a line [[ignore]], found \"discount\"",
        ),
        (
            "[ignore]\nfunction = \"f\"\n",
            "plop.toml:1: ignore: expected tables, each below a line [[ignore]], found a table",
        ),
        (
            "rule = [1]\n",
            "plop.toml:1: rule: expected tables, each below a line [[rule]], found a list",
        ),
        (
            &table("until = \"2026-02-30\""),
            "plop.toml:4: until: expected a day such as 2026-12-31, found \"2026-02-30\"",
        ),
        (
            &table("until = \"soon\""),
            "plop.toml:4: until: expected a day such as 2026-12-31, found \"soon\"",
        ),
        (
            &table("until = 2026-12-31T12:00:00"),
            "plop.toml:4: until: expected a day such as 2026-12-31, found 2026-12-31T12:00:00",
        ),
        (
            &table("until = 20261231"),
            "plop.toml:4: until: expected a day such as 2026-12-31, found the number 20261231",
        ),
        (
            &table(""),
            "plop.toml:1: ignore: expected a key `until`: the last day",
        ),
        (
            &table("unitl = 2026-12-31"),
            "plop.toml:4: unitl: there is no such key; did you mean `until`?",
        ),
        (
            "[[ignore]]\nfunction = \"f\"\nuntil = 2026-12-31\n",
            "plop.toml:1: ignore: expected a key `reason`: why",
        ),
        (
            "[[ignore]]\nfunction = \"f\"\nreason = \" \"\nuntil = 2026-12-31\n",
            "plop.toml:3: reason: expected why",
        ),
        (
            "[[ignore]]\nfunction = \"**\"\nreason = \"r\"\nuntil = 2026-12-31\n",
            "plop.toml:1: ignore: expected a name, found one that is every function's",
        ),
        (
            "[[rule]]\nfunction = \"\"\nmin_effect = 0.1\n",
            "plop.toml:2: function: expected a name, `*` standing for any characters",
        ),
        (
            "[[rule]]\nfile = 3\nmin_effect = 0.1\n",
            "plop.toml:2: file: expected the end of a path such as \"app/shop.py\", found the number 3",
        ),
        (
            "[[rule]]\nmin_effect = 0.1\n",
            "plop.toml:1: rule: expected a key `function`: a name, or `file`",
        ),
        (
            "[[rule]]\nfile = \"a.py\"\nmin_effect = \"lots\"\n",
            "plop.toml:3: min_effect: expected a share of the whole cost such as \"2%\", found \"lots\"",
        ),
        (
            "[[budget]]\nfunction = \"f\"\nmax = \"3 parsecs\"\n",
            "plop.toml:3: max: expected a share of the whole cost such as \"5%\", or CPU time",
        ),
        (
            "[[budget]]\nfunction = \"f\"\nmax = 5\n",
            "plop.toml:3: max: expected a share of the whole cost such as \"5%\", or CPU time",
        ),
        (
            "[[budget]]\nfunction = \"f\"\n",
            "plop.toml:1: budget: expected a key `max`",
        ),
        (
            "[[budget]]\nfunction = \"f\"\nof = \"all\"\nmax = 0.1\n",
            "plop.toml:3: of: expected \"self\"",
        ),
        (
            "alpha = 0.01\nalpha = 0.02\n",
            "plop.toml:2: not TOML: duplicate key",
        ),
        ("alpha = \n", "plop.toml:1: not TOML: "),
        (
            "require_power = 0.001\n",
            "--require-power must be more than --min-effect: no growth of less is looked for (plop.toml:1, default)",
        ),
    ] {
        let said = Place::new().refused("plop.toml", text);
        assert!(
            said.starts_with(&format!("plop: {told}")),
            "{text}\n{said}\n{told}"
        );
    }
}

#[test]
fn files_that_are_no_text_or_cannot_be_read_are_refused() {
    let said = Place::new().refused("plop.toml", b"alpha = 0.01\nmode = \"\xff\"\n");
    assert!(
        said.starts_with("plop: plop.toml:2: expected UTF-8"),
        "{said}"
    );
    let said = Place::new().refused("pyproject.toml", "[tool.plop]\nalfa = 0.01\n");
    assert!(
        said.starts_with(
            "plop: pyproject.toml:2: alfa: there is no such key; did you mean `alpha`?"
        ),
        "{said}"
    );
    let said = Place::new().refused("pyproject.toml", "[tool]\nplop = 3\n");
    assert!(
        said.starts_with("plop: pyproject.toml:2: plop: expected a table"),
        "{said}"
    );
    let said = Place::new().refused("pyproject.toml", "[tool.plop]\nrule = 1\n");
    assert!(said.contains("[[tool.plop.rule]]"), "{said}");
    let said = Place::new().refused("pyproject.toml", "[project\n");
    assert!(
        said.starts_with("plop: pyproject.toml:1: not TOML: "),
        "{said}"
    );
    let place = Place::new();
    place.write("pyproject.toml", "[project]\n");
    for (file, told) in [
        ("gone.toml", "cannot read gone.toml: "),
        (
            "pyproject.toml",
            "pyproject.toml: there is no [tool.plop] in it",
        ),
    ] {
        let said = place.diff(&format!("--explain-config --config {file}"));
        assert_eq!(said.status.code(), Some(2));
        assert!(
            said.stderr.starts_with(&format!("plop: {told}")),
            "{}",
            said.stderr
        );
    }
}

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

#[test]
fn a_broken_budget_and_what_is_ignored_are_in_the_reports() {
    let place = Place::new();
    let budget = "[[budget]]\nfunction = \"discount\"\nmax = \"20%\"\n";
    place.write("plop.toml", budget.to_owned() + &ignore("2099-12-31"));
    let files = format!("{} {}", deploys("before"), deploys("slower"));
    let told = place.diff(&format!("{files} -o a.md -o annotations=a.txt"));
    assert_eq!(told.status.code(), Some(1), "{}", told.stderr);
    let report = |name: &str| fs::read_to_string(place.0.path().join(name)).unwrap();
    let markdown = report("a.md");
    assert!(
        markdown.starts_with("### 🔴 plop: over budget"),
        "{markdown}"
    );
    assert!(
        markdown.contains("is over its budget of 20 %"),
        "{markdown}"
    );
    assert!(
        markdown.contains("ignored until 2099-12-31: wanted so"),
        "{markdown}"
    );
    let annotations = report("a.txt");
    assert!(
        annotations.contains("::error title=plop%3A discount over budget::"),
        "{annotations}"
    );
    assert!(
        annotations.contains("ignored until 2099-12-31: wanted so"),
        "{annotations}"
    );
}

/// What only turns out to be wrong when profiles are compared is told like what is wrong in the file.
#[test]
fn a_setting_that_does_not_fit_is_told_with_file_line_and_key() {
    let place = Place::new();
    let files = format!("{} {}", deploys("before"), deploys("slower"));
    for (text, said) in [
        (
            "value = \"cpi\"",
            "plop: plop.toml:2: value: cannot compare ",
        ),
        (
            "calibration = \"gone.json\"",
            "plop: plop.toml:2: calibration: cannot read the calibration gone.json: ",
        ),
        (
            "changed_since = \"v9\"",
            "plop: plop.toml:2: changed_since v9: ",
        ),
    ] {
        place.write("plop.toml", format!("# settings\n{text}\n"));
        let told = place.diff(&files);
        assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
        assert!(told.stderr.starts_with(said), "{}", told.stderr);
    }
    // An option is named as itself.
    for (words, said) in [
        ("--value cpi", "plop: cannot compare "),
        ("--calibration no.json", "plop: cannot read the calibration"),
        ("--changed-since v8", "plop: --changed-since v8: "),
    ] {
        let told = place.diff(&format!("--config /dev/null {words} {files}"));
        assert!(told.stderr.starts_with(said), "{}", told.stderr);
    }
}

/// Two ignores hide as much as one.
#[test]
fn ignores_that_are_together_about_every_function_give_no_verdict() {
    let place = Place::new();
    let one = ignore("2099-12-31").replace("file = \"shop.py\"\n", "");
    let rest = one.replace("\"discount\"", "\"*\"");
    let halves: Vec<String> = ('a'..='z')
        .chain('A'..='Z')
        .chain(['_', '<', '['])
        .map(|letter| rest.replace("\"*\"", &format!("\"{letter}*\"")))
        .collect();
    place.write("plop.toml", halves.concat());
    let (document, code) = place.slower();
    assert_eq!(code, 3, "{document}");
    assert!(codes(&document).contains(&"ignore-all"), "{document}");
    place.write("plop.toml", halves[1..].concat());
    assert!(!codes(&place.slower().0).contains(&"ignore-all"));
}

/// A blank line would end what is code in Markdown, and have mentions and links live in the comment.
#[test]
fn a_reason_is_one_line_in_every_report() {
    let place = Place::new();
    let hostile = "wanted\n\n@team [so](https://x.test)\r\n\u{1b}[31m";
    let quoted = "wanted\\n\\n@team [so](https://x.test)\\r\\n\\u001b[31m";
    for until in ["2099-12-31", "2020-12-31"] {
        place.write(
            "plop.toml",
            ignore(until).replace("wanted so", quoted)
                + "[[budget]]\nfunction = \"*\\n\\n@team*\"\nmax = \"1%\"\n",
        );
        let files = format!("{} {}", deploys("before"), deploys("slower"));
        let told = place.diff(&format!(
            "{files} -o a.md -o a.sarif -o annotations=a.txt -o code-quality=a.json -o a.xml"
        ));
        let mut all = vec![told.stdout, told.stderr];
        for name in ["a.md", "a.sarif", "a.txt", "a.json", "a.xml"] {
            all.push(fs::read_to_string(place.0.path().join(name)).unwrap());
        }
        let seen = "wanted @team [so](https://x.test) ";
        let words: Vec<&str> = all[0].split_whitespace().collect();
        assert!(words.join(" ").contains(seen), "{}", all[0]);
        assert!(all[2].contains(seen), "{}", all[2]);
        for text in &all {
            assert!(
                !text.contains(hostile) && !text.contains('\u{1b}'),
                "{text}"
            );
            assert!(
                !text.contains("%0A") && !text.contains("wanted\\n"),
                "{text}"
            );
            assert!(!text.lines().any(|line| line.starts_with('@')), "{text}");
        }
        let told = place.diff(&format!("--explain-config {files}")).stdout;
        assert!(told.contains(&format!("{seen}\\u{{1b}}[31m\n")), "{told}");
    }
}

#[test]
fn names_that_changed_are_what_the_file_says() {
    let place = Place::new();
    let folded = |name: &str, function: &str| {
        let mut lines = format!("main;{function} 6000\n");
        for n in 0..20 {
            lines += &format!("main;step_{n} 3000\n");
        }
        place.write(name, lines);
    };
    folded("before", "parse");
    folded("after", "quite_another");
    let renamed = |words: &str| {
        let told = place.diff(&format!("--json before after {words}"));
        let document: Value = serde_json::from_str(&told.stdout).unwrap();
        document["renamed"].as_array().unwrap().len()
    };
    assert_eq!(renamed(""), 1);
    place.write("plop.toml", "[[rename]]\napart = \"quite_another\"\n");
    assert_eq!(renamed(""), 0);
    let same = "[[rename]]\nbefore = \"parse\"\nafter = \"quite_another\"\n";
    place.write("plop.toml", same);
    assert_eq!(renamed(""), 1);
    let told = place.diff("--explain-config");
    assert!(
        told.stdout.contains("parse is called quite_another now"),
        "{}",
        told.stdout
    );
    let refused = place.refused("plop.toml", "[[rename]]\nbefore = \"parse\"\n");
    assert!(
        refused.contains("plop.toml:1: rename: expected a key `before`"),
        "{refused}"
    );
}

#[test]
fn an_ignore_of_every_function_is_no_verdict() {
    let place = Place::new();
    place.write(
        "plop.toml",
        "[[ignore]]\nfile = \"*.py*\"\nfunction = \"*\"\nreason = \"all\"\nuntil = 2099-12-31\n",
    );
    for name in ["before", "after"] {
        let more = if name == "after" { 9000 } else { 3000 };
        place.write(
            name,
            format!("main (a.py:1);f (a.py:2) {more}\nmain (a.py:1);g (a.py:3) 90000\n"),
        );
    }
    let told = place.diff("before after");
    assert_eq!(
        told.status.code(),
        Some(3),
        "{}{}",
        told.stdout,
        told.stderr
    );
    assert!(
        told.stdout.contains("is about every function"),
        "{}",
        told.stdout
    );
}

#[test]
fn what_is_compared_is_not_written_over() {
    let place = Place::new();
    place.write("before", "main;f 3000\n");
    place.write("after", "main;f 3000\n");
    let told = place.diff("before after -o markdown=./before");
    assert_eq!(told.status.code(), Some(2), "{}", told.stdout);
    assert!(
        told.stderr.contains("would write over what is compared"),
        "{}",
        told.stderr
    );
    assert_eq!(
        fs::read_to_string(place.0.path().join("before")).unwrap(),
        "main;f 3000\n"
    );
}
