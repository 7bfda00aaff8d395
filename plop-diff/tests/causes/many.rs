//! Several causes, and one that is taken for several.

use plop_core::Profile;
use plop_diff::{Options, Verdict, compare};

use crate::runs::*;

#[test]
fn improvements_do_not_hide_a_regression() {
    let mut before = alike("main", "old", 12, 6000.0);
    before.extend(alike("main", "other", 20, 4000.0));
    before.push(("main;victim".into(), 4000.0));
    let after = times(&before, |path| match path {
        "main;victim" => 1.5,
        path if path.starts_with("main;old") => 0.1,
        _ => 1.0,
    });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(comparison.findings.len(), 13);
    let told = told(&comparison);
    let victim = told.iter().find(|(name, _)| *name == "victim");
    // Two thousand samples more of 156,000.
    assert!(
        victim.is_some_and(|(_, points)| (points - 1.28).abs() < 0.15),
        "{told:?}"
    );
}

#[test]
fn of_two_causes_each_has_its_own_points() {
    let mut before = alike("main", "other", 20, 2750.0);
    before.extend([
        ("main;large".into(), 40_000.0),
        ("main;small".into(), 5000.0),
    ]);
    let after = times(&before, |path| match path {
        "main;large" => 0.5,
        "main;small" => 2.0,
        _ => 1.0,
    });
    let comparison = compared(&before, &after);
    let mut points = told(&comparison);
    points.sort_by(|a, b| a.0.cmp(b.0));
    assert_eq!(points.len(), 2, "{points:?}");
    assert!((points[0].1 + 20.0).abs() < 0.5, "{points:?}");
    assert!((points[1].1 - 5.0).abs() < 0.2, "{points:?}");
    // What did not change has as many samples before as after.
    assert!((comparison.rest - 1.0).abs() < 0.01, "{}", comparison.rest);
}

#[test]
fn a_growth_that_does_not_fail_makes_no_doubtful_one_certain() {
    let mut before = alike("main", "other", 20, 5000.0);
    before.extend([("main;victim".into(), 2000.0), ("main;tiny".into(), 1.0)]);
    let after = |tiny: f64| {
        times(&before, |path| match path {
            "main;victim" => 1.3,
            "main;tiny" => tiny,
            _ => 1.0,
        })
    };
    for tiny in [1.0, 400.0] {
        let (before, after) = (run(&before, 0), run(&after(tiny), 0));
        let comparison = compare(&[&before], &[&after], &Options::default()).expect("they compare");
        assert_eq!(
            comparison.verdict,
            Verdict::Inconclusive,
            "{:?}",
            told(&comparison)
        );
        let named = told(&comparison).iter().any(|(name, _)| *name == "tiny");
        assert_eq!(named, tiny > 1.0);
    }
}

#[test]
fn counted_work_invents_no_second_cause() {
    let mut before = vec![("main;route_1;render".to_owned(), 2000.0)];
    for route in 0..4 {
        before.extend(alike(
            &format!("main;route_{route}"),
            &format!("step_{route}"),
            8,
            500.0,
        ));
    }
    // Render is a ninth of the whole.
    for (factor, runs) in [(0.3, 8), (0.5, 6), (1.5, 5), (2.0, 8), (3.0, 5)] {
        let after = times(&before, |path| {
            if path.ends_with("render") {
                factor
            } else {
                1.0
            }
        });
        let seconds = 100.0 * (1.0 + (factor - 1.0) / 9.0);
        let comparison = compared_runs(
            &varied(&before, 0, runs, 100.0),
            &varied(&after, 50, runs, seconds),
        );
        let told = told(&comparison);
        assert_eq!((told.len(), told[0].0), (1, "render"), "{factor}: {told:?}");
        assert!(
            (told[0].1 - (seconds - 100.0)).abs() < 1.5,
            "{factor}: {told:?}"
        );
        let fails = comparison.verdict == Verdict::Regressed;
        assert_eq!(fails, factor > 1.0, "{factor}");
    }
}

#[test]
fn a_change_sets_no_limit_of_its_own() {
    // Of 252 ways to deal five and five runs one is the sides in each other's place, where what shrank grows.
    let mut before = alike("main", "step", 24, 600.0);
    before.push(("main;shrunk".into(), 1800.0));
    let after = times(&before, |path| match path {
        "main;shrunk" => 0.4,
        "main;step_3" => 2.0,
        _ => 1.0,
    });
    let comparison = compared_runs(&varied(&before, 0, 5, 100.0), &varied(&after, 50, 5, 97.0));
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert!(
        told(&comparison)
            .iter()
            .any(|(name, points)| *name == "step_3" && *points > 2.0)
    );
    assert!(comparison.threshold < 8.0, "{}", comparison.threshold);
}

#[test]
fn what_changed_alike_is_blamed_on_no_part() {
    let counts = alike("main", "step", 20, 1000.0);
    let runs = |grown: f64| -> Vec<Profile> {
        (0..6)
            .map(|n| {
                // The whole is known to a hundred-thousandth, and its parts to a few hundredths.
                let moved = times(&counts, |path| {
                    let step: usize = path[10..].parse().expect("a number");
                    1.0 + 0.03 * ((7 * step + 5 * n + 3) % 11) as f64 / 11.0
                });
                let mut run = run(&moved, 80);
                run.meta.cpu_ns = Some((32e9 * grown * (1.0 + 1e-5 * n as f64)) as i64);
                run.meta.work = vec![("requests".into(), 1000)];
                run
            })
            .collect()
    };
    for grown in [1.006, 1.03] {
        let (before, after) = (runs(1.0), runs(grown));
        let [before, after] = [&before, &after].map(|runs| runs.iter().collect::<Vec<_>>());
        let comparison = compare(&before, &after, &Options::default()).expect("they compare");
        assert_eq!(comparison.verdict, Verdict::Regressed, "the whole grew");
        assert_eq!(told(&comparison), [], "{grown}");
        let total = comparison.total.as_ref().expect("work is counted");
        let alike = total.alike.expect("everything grew alike");
        assert!((alike - (grown - 1.0)).abs() < 1e-4, "{alike}");
    }
}

/// Paths with their parts of a hundred, as samples.
fn percent(parts: &[(f64, &str)], samples: f64) -> Counts {
    (parts.iter())
        .map(|(part, path)| (format!("main;{path}"), part * samples / 100.0))
        .collect()
}

#[test]
fn one_function_is_one_cause_where_branches_change_their_shares() {
    let two_thirds = [
        (66.67, "hot"),
        (21.67, "h1;p2;p1;p3;util"),
        (5.54, "h2;read"),
        (1.73, "h0;p2;p1;other"),
        (1.36, "h1;p0;p1;parse"),
        (0.64, "h0;p0;copy"),
        (0.39, "h1;p1;p0;sort"),
        (0.38, "h1;p1;p0;p3;find"),
        (0.34, "h1;send"),
        (0.27, "h0;drop"),
        (0.24, "h2;open"),
        (0.19, "h0;lock"),
        (0.17, "h0;wait"),
        (0.16, "h2;p0;p1;scan"),
        (0.14, "h2;p1;poll"),
        (0.12, "h2;free"),
    ];
    let most_of_a_branch = [
        (83.33, "hot"),
        (7.47, "h1;p0;p1;find"),
        (3.55, "h1;p2;p3;sort"),
        (1.57, "h0;p2;read"),
        (1.51, "h0;util"),
        (1.49, "h0;p0;open"),
        (1.08, "h1;p2;p3;p4;scan"),
    ];
    let beside_large_ones = [
        (60.02, "h0;p1;p0;p3;util"),
        (9.09, "hot"),
        (8.66, "h0;p2;read"),
        (8.60, "h0;p1;p2;sort"),
        (7.75, "h0;p0;p3;other"),
        (5.88, "h0;open"),
    ];
    for (parts, samples, name, factor) in [
        (&two_thirds[..], 16_000.0, "hot", 0.3),
        (&two_thirds, 16_000.0, "hot", 0.5),
        (&most_of_a_branch, 160_000.0, "sort", 3.0),
        (&beside_large_ones, 160_000.0, "sort", 3.0),
    ] {
        let before = percent(parts, samples);
        let after = times(&before, |path| match path.ends_with(name) {
            true => factor,
            false => 1.0,
        });
        for first in [50, 51, 52] {
            let comparison = compared_runs(
                &uncounted(varied(&before, 0, 1, 100.0)),
                &uncounted(varied(&after, first, 1, 100.0)),
            );
            let told = told(&comparison);
            assert_eq!((told.len(), told[0].0), (1, name), "{factor}: {told:?}");
            let fails = comparison.verdict == Verdict::Regressed;
            assert_eq!(fails, factor > 1.0, "{name} {factor} {first}: {told:?}");
        }
    }
}

#[test]
fn counted_work_and_shares_count_by_how_sure_they_are() {
    // What the whole tells of a function that lost most of its cost is not as sure as its share, which leaves nothing of
    // it to the function's caller.
    let parts = [
        (38.01, "h1;sort"),
        (29.84, "h0;fast"),
        (9.73, "h1;p1;find"),
        (5.27, "h1;p2;read"),
        (4.09, "h1;scan"),
        (3.25, "h1;p1;p2;open"),
        (2.78, "h2;p2;free"),
        (2.00, "h0;p2;send"),
        (1.55, "h0;p2;p3;poll"),
        (0.81, "h0;util"),
        (0.65, "h0;lock"),
        (2.02, "h2;p0;wait"),
    ];
    let before = percent(&parts, 3200.0);
    let after = times(&before, |path| match path.ends_with("fast") {
        true => 0.3,
        false => 1.0,
    });
    // Of twenty-one points that the function lost, the whole shows a little more or less.
    for seconds in [78.6, 79.1, 79.6] {
        let comparison = compared_runs(
            &varied(&before, 0, 5, 100.0),
            &varied(&after, 50, 5, seconds),
        );
        let told = told(&comparison);
        assert_eq!((told.len(), told[0].0), (1, "fast"), "{seconds}: {told:?}");
        assert_eq!(comparison.verdict, Verdict::Ok);
    }
}

/// Forty functions of 2.3 hundredths each beside those of one caller.
fn beside_forty(parts: &[(f64, &str)]) -> Counts {
    let mut counts = percent(parts, 16_000.0);
    counts.extend(alike("main", "other", 40, 0.023 * 16_000.0));
    counts
}

#[test]
fn of_one_caller_those_are_named_that_changed() {
    let with_own = [(2.0, "p"), (3.0, "p;x"), (3.0, "p;y")];
    let with_one_more = [(3.0, "p;x"), (3.0, "p;y"), (1.0, "p;z")];
    let large = [(10.0, "p;x"), (10.0, "p;y"), (3.0, "p;z")];
    let equal = [(2.0, "p;x"), (2.0, "p;y"), (2.0, "p;v"), (2.0, "p;w")];
    for (parts, factors) in [
        (&with_own[..], &[("x", 0.5), ("y", 0.5)][..]),
        (&with_own, &[("x", 2.0), ("y", 2.0)]),
        (&with_one_more, &[("x", 0.5), ("y", 0.5)]),
        (&with_one_more, &[("x", 2.0), ("y", 2.0)]),
        (&large, &[("x", 3.0), ("y", 1.6)]),
        (&equal, &[("x", 0.5), ("y", 0.5), ("v", 0.5)]),
    ] {
        let before = beside_forty(parts);
        let changed = |name: &str| factors.iter().find(|(other, _)| *other == name);
        let after = times(&before, |path| {
            let name = path.rsplit(';').next().expect("a path has an end");
            changed(name).map_or(1.0, |(_, factor)| *factor)
        });
        let comparison = compared(&before, &after);
        let mut told = told(&comparison);
        told.sort_by(|a, b| a.0.cmp(b.0));
        let mut names: Vec<&str> = factors.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(
            told.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            names,
            "{told:?}"
        );
        let grew = factors[0].1 > 1.0;
        assert!(
            told.iter().all(|(_, points)| (*points > 0.0) == grew),
            "{told:?}"
        );
        assert_eq!(comparison.verdict == Verdict::Regressed, grew);
    }
}

#[test]
fn two_functions_that_grew_are_not_told_as_all_others_shrinking() {
    let mut before: Counts = (0..12)
        .map(|n| (format!("main;other_{n}"), 533.0 * f64::from(1 + n % 3)))
        .collect();
    before.extend(["main;a", "main;b"].map(|path| (path.to_owned(), 3200.0)));
    let after = times(&before, |path| match path {
        "main;a" | "main;b" => 2.0,
        _ => 1.0,
    });
    for seed in 0..20 {
        let (one, other) = (drawn(&before, seed), drawn(&after, 100 + seed));
        let comparison = compare(&[&one], &[&other], &Options::default()).expect("they compare");
        let mut names: Vec<&str> = told(&comparison)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        assert_eq!(names[..2], ["a", "b"], "{seed}");
        assert_eq!(comparison.verdict, Verdict::Regressed, "{seed}");
    }
}

/// `api` is called five times as often, and `parse` in it takes three tenths of what it took: 4 % of the whole become 6 %,
/// and the other 16 % become 80 %.
#[test]
fn causes_inside_of_others_add_up_to_the_whole() {
    let mut before = alike("api", "step", 8, 2_000.0);
    before.push(("api;parse".into(), 4_000.0));
    before.extend(alike("job", "task", 10, 8_000.0));
    let after = times(&before, |path| match path {
        "api;parse" => 5.0 * 0.3,
        path if path.starts_with("api") => 5.0,
        _ => 1.0,
    });
    let (before, after) = (run(&before, 0), run(&after, 0));
    let comparison = compare(&[&before], &[&after], &Options::default()).expect("they compare");
    let found = told(&comparison);
    let points = |name: &str| {
        let of = found.iter().find(|(function, _)| *function == name);
        of.unwrap_or_else(|| panic!("{name} is found: {found:?}")).1
    };
    assert_eq!(found.len(), 2, "{found:?}");
    assert!((points("parse") + 0.7 * 4.0).abs() < 0.1, "{found:?}");
    assert!(
        (points("api") - 4.0 * 16.0 - 4.0 * 1.2).abs() < 1.0,
        "{found:?}"
    );
}
