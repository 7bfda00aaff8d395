//! Files that are refused, with file, line and key.

use super::*;

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
