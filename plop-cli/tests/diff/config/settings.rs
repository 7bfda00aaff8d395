//! Which setting counts: of an option, a variable or the nearest file.

use super::*;

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
