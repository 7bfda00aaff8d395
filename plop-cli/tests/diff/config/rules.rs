//! Functions that are ignored, have a least growth of their own or another name.

use super::*;

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
