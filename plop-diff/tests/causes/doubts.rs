//! What shares leave open, so that there is no verdict.

use plop_diff::{Comparison, Options, Verdict, compare};

use crate::runs::*;

#[test]
fn of_two_things_that_are_all_there_is_shares_do_not_tell_which_changed() {
    let codes = |comparison: &Comparison| -> Vec<&str> {
        let forbid = comparison.warnings.iter().filter(|warning| warning.forbids);
        forbid.map(|warning| warning.code).collect()
    };
    let before = vec![
        ("main;io".to_owned(), 4800.0),
        ("main;hot".to_owned(), 11_200.0),
    ];
    let after = times(&before, |path| if path == "main;hot" { 2.0 } else { 1.0 });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    assert_eq!(codes(&comparison), ["either-changed"]);

    // Beside many others it is plain that one of them became faster.
    let mut before = alike("main", "step", 20, 500.0);
    before.push(("main;hot".into(), 8000.0));
    let after = times(&before, |path| if path == "main;hot" { 0.5 } else { 1.0 });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Ok);
    assert_eq!(told(&comparison)[0].0, "hot");

    // A kind of request that costs more looks like more of its kind.
    let mut before = alike("main;list", "list", 8, 2000.0);
    before.extend(alike("main;sell", "sell", 8, 2000.0));
    let after = |factor: f64| {
        times(
            &before,
            |path| {
                if path.contains("sell") { factor } else { 1.0 }
            },
        )
    };
    let comparison = compared(&before, &after(1.5));
    assert_eq!(comparison.kinds, 2);
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    assert_eq!(codes(&comparison), ["mix-changed"]);
    let seen = comparison.kind_power.first().expect("there are kinds");
    assert!(seen.detectable > 0.25, "{seen:?}");
    // A little is what any mix differs by.
    assert_eq!(compared(&before, &after(1.03)).verdict, Verdict::Ok);
    // Where work was counted and none of it costs more, there was more of one and less of the other.
    let counted = |counts: &Counts| {
        let mut run = run(counts, 80);
        run.meta.cpu_ns = Some(100_000_000_000);
        run.meta.work = vec![("requests".into(), 1000)];
        run
    };
    let (before, after) = (counted(&before), counted(&after(1.5)));
    let comparison = compare(&[&before], &[&after], &Options::default()).expect("they compare");
    assert_eq!(comparison.verdict, Verdict::Ok);
}

#[test]
fn one_of_two_things_is_no_verdict_whichever_grew() {
    // What grew may as well be what is left of the other.
    let before = vec![
        ("main;io".to_owned(), 4800.0),
        ("main;hot".to_owned(), 11_200.0),
    ];
    let after = times(&before, |path| if path == "main;hot" { 0.6 } else { 1.0 });
    assert_eq!(compared(&before, &after).verdict, Verdict::Inconclusive);
    let before = vec![
        ("main;io".to_owned(), 1600.0),
        ("main;hot".to_owned(), 14_400.0),
    ];
    let after = times(&before, |path| if path == "main;hot" { 1.5 } else { 1.0 });
    assert_eq!(compared(&before, &after).verdict, Verdict::Inconclusive);

    // Two kinds of requests, several runs a side.
    let mut before = alike("main;list", "list", 8, 1000.0);
    before.extend(alike("main;sell", "sell", 8, 1000.0));
    for (factor, runs) in [(0.6, 2), (0.6, 5), (1.5, 2), (1.5, 5)] {
        let after = times(
            &before,
            |path| if path.contains("sell") { factor } else { 1.0 },
        );
        let comparison = compared_runs(
            &uncounted(varied(&before, 0, runs, 100.0)),
            &uncounted(varied(&after, 50, runs, 100.0)),
        );
        assert_eq!(comparison.verdict, Verdict::Inconclusive, "{factor} {runs}");
    }
}

#[test]
fn a_unit_of_work_that_costs_far_more_is_not_ok() {
    // One function is nearly all there is, so shares show nothing.
    let mut before = alike("main;serve", "step", 3, 40.0);
    before.push(("main;serve;hot".into(), 8000.0));
    let counted = |seconds: i64| {
        let mut run = run(&before, 80);
        run.meta.cpu_ns = Some(seconds * 1_000_000_000);
        run.meta.work = vec![("requests".into(), 1000)];
        run
    };
    for (seconds, verdict) in [
        (104, Verdict::Ok),
        (148, Verdict::Inconclusive),
        (60, Verdict::Ok),
    ] {
        let (before, after) = (counted(100), counted(seconds));
        let comparison = compare(&[&before], &[&after], &Options::default()).expect("they compare");
        assert_eq!(comparison.verdict, verdict, "{seconds}");
    }
}

#[test]
fn a_function_or_all_beside_it_may_have_changed() {
    // Beside it are three functions of one caller: that may as well have become faster, but all is not well.
    let mut before: Counts = vec![
        ("main;hot".into(), 8000.0),
        ("main;list;sort".into(), 4020.0),
        ("main;list;page;read".into(), 2230.0),
        ("main;list;page;open".into(), 1750.0),
    ];
    let slower = |path: &str| if path == "main;hot" { 1.5 } else { 1.0 };
    let after = times(&before, slower);
    let mut doubts = 0;
    for seed in 0..30 {
        let (one, other) = (drawn(&before, seed), drawn(&after, 100 + seed));
        let comparison = compare(&[&one], &[&other], &Options::default()).expect("they compare");
        let mut codes = comparison.warnings.iter().map(|warning| warning.code);
        doubts += usize::from(codes.any(|code| code == "either-changed"));
        assert_ne!(comparison.verdict, Verdict::Ok, "{seed}");
    }
    assert!(doubts > 0);
    // Beside as much again that did not change there is no doubt.
    before.extend(alike("main", "part", 20, 800.0));
    let comparison = compared(&before, &times(&before, slower));
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(told(&comparison)[0].0, "hot");
}

#[test]
fn a_function_beside_kinds_of_requests_is_not_passed_over() {
    // A third of the whole, beside two kinds of requests: there may have been fewer of them.
    let mut before = alike("main;list", "list", 9, 600.0);
    before.extend(alike("main;sell", "sell", 8, 60.0));
    before.push(("main;hot".into(), 3000.0));
    let after = times(&before, |path| if path == "main;hot" { 1.4 } else { 1.0 });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.kinds, 3);
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    let codes = comparison.warnings.iter().map(|warning| warning.code);
    assert!(codes.into_iter().any(|code| code == "mix-changed"));
}

#[test]
fn what_could_be_seen_of_what_is_nearly_all_is_said() {
    let mut before = alike("main", "step", 4, 16.0);
    before.push(("main;hot".into(), 3136.0));
    let after = times(&before, |path| if path == "main;hot" { 1.4 } else { 1.0 });
    let comparison = compared(&before, &after);
    let largest = comparison.large_power.first().expect("one is large");
    let function = &comparison.tree.functions[largest.function as usize];
    assert_eq!(function.name, "hot");
    assert!((largest.share - 0.98).abs() < 1e-3, "{}", largest.share);
    // Where it grew by forty points and nothing was found, more is said to be needed.
    assert_eq!(told(&comparison), []);
    assert!(largest.detectable > 0.4, "{}", largest.detectable);
}

#[test]
fn two_programs_of_one_shape_are_not_one_program_with_other_names() {
    const SHOP: [&str; 5] = ["basket", "price", "login", "search", "invoice"];
    const GAME: [&str; 5] = ["physics", "shader", "audio", "pathfind", "particle"];
    let program = |main: &str, words: [&str; 5], more: f64| -> Counts {
        (words.iter().zip([30.0, 20.0, 10.0, 7.0, 5.0]))
            .map(|(word, samples)| {
                let path = format!("{main};{word}_all;{word}");
                (path, 100.0 * samples + more)
            })
            .collect()
    };
    let shop = program("serve", SHOP, 0.0);
    let comparison = compared(&shop, &program("run", GAME, 20.0));
    assert!(comparison.tree.renamed.len() > 3);
    let codes = comparison.warnings.iter().map(|warning| warning.code);
    assert!(codes.into_iter().any(|code| code == "other-program"));
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    // Whose names only have another word is the same program.
    let words = SHOP.map(|word| format!("new_{word}"));
    let words = words.each_ref().map(String::as_str);
    let comparison = compared(&shop, &program("serve", words, 20.0));
    assert_eq!(comparison.verdict, Verdict::Ok);
}

#[test]
fn where_nothing_can_be_weighed_there_is_no_verdict_and_an_end() {
    let one = vec![("main;hot".to_owned(), 3000.0)];
    let nearly = vec![("main;hot".to_owned(), 5000.0), ("main;io".to_owned(), 3.0)];
    let flat = alike("main", "step", 2000, 8.0);
    for counts in [&one, &nearly, &flat] {
        let sides = [varied(counts, 0, 5, 100.0), varied(counts, 50, 5, 100.0)];
        // Counted work tells of the whole, but not what is asked of functions.
        assert_eq!(compared_runs(&sides[0], &sides[1]).verdict, Verdict::Ok);
        let asked = Options {
            require_power: Some(0.05),
            ..Options::default()
        };
        let [one, other] = sides.each_ref().map(|side| side.iter().collect::<Vec<_>>());
        let comparison = compare(&one, &other, &asked).expect("they compare");
        assert_eq!(comparison.verdict, Verdict::Inconclusive);
        let comparison = compared(counts, counts);
        assert_eq!((comparison.hypotheses, comparison.power.len()), (0, 0));
        assert_eq!(comparison.verdict, Verdict::Inconclusive);
        let mut codes = comparison.warnings.iter().map(|warning| warning.code);
        assert!(codes.any(|code| code == "nothing-weighed"));
    }
}

#[test]
fn a_program_that_never_waits_has_no_counted_work_in_its_time() {
    let before = vec![
        ("main;io".to_owned(), 4800.0),
        ("main;hot".to_owned(), 11_200.0),
    ];
    let after = times(&before, |path| if path == "main;hot" { 2.0 } else { 1.0 });
    let options = Options {
        mode: plop_diff::Mode::Time,
        ..Options::default()
    };
    let verdict = |cpu: [i64; 2]| {
        let [mut one, mut other] = [run(&before, 80), run(&after, 80)];
        for (run, cpu) in [(&mut one, cpu[0]), (&mut other, cpu[1])] {
            run.meta.cpu_ns = Some(cpu * 1_000_000_000);
            run.meta.wall_ns = Some(160_000_000_000);
        }
        let comparison = compare(&[&one], &[&other], &options).expect("they compare");
        comparison.verdict
    };
    assert_eq!(verdict([160, 160]), Verdict::Inconclusive);
    // Where it waits in between, the time that it does not wait tells.
    assert_eq!(verdict([40, 68]), Verdict::Regressed);
}

#[test]
fn a_kind_of_request_is_not_passed_over_because_something_became_faster() {
    let mut before = alike("main;list", "list", 8, 1000.0);
    before.extend(alike("main;sell", "sell", 8, 1000.0));
    let after = times(&before, |path| match path {
        "main;list;list_3" => 0.5,
        path if path.contains("sell") => 1.8,
        _ => 1.0,
    });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.kinds, 2);
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
}

#[test]
fn a_whole_that_most_functions_tell_to_have_grown_is_not_faster() {
    // A fifth of three hundred functions, each too small to be seen.
    let before = alike("main", "step", 300, 60.0);
    let after = times(&before, |path| {
        let number: usize = path
            .rsplit('_')
            .next()
            .and_then(|number| number.parse().ok())
            .expect("functions have numbers");
        if number.is_multiple_of(5) { 1.8 } else { 1.0 }
    });
    let comparison = compared(&before, &after);
    assert_ne!(comparison.verdict, Verdict::Ok, "{:?}", told(&comparison));
}

#[test]
fn of_few_samples_most_functions_do_not_tell_of_the_whole() {
    let counts = alike("main", "step", 12, 14.0);
    for seed in 0..40 {
        let (one, other) = (drawn(&counts, seed), drawn(&counts, 100 + seed));
        let comparison = compare(&[&one], &[&other], &Options::default()).expect("they compare");
        let mut codes = comparison.warnings.iter().map(|warning| warning.code);
        assert!(!codes.any(|code| code == "whole-untested"), "{seed}");
    }
}
