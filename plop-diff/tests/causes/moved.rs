//! Cost that only moved.

use plop_diff::{Comparison, Options, Verdict, compare};

use crate::runs::*;

/// A service of which some functions may do another's work.
fn service() -> Counts {
    let mut counts = alike("main;serve", "step", 20, 2000.0);
    counts.extend([
        ("main;serve;old".into(), 6000.0),
        ("main;serve;new".into(), 2000.0),
        ("main;serve;third".into(), 2000.0),
    ]);
    counts
}

#[test]
fn cost_that_moved_is_told_and_does_not_fail() {
    let before = service();
    let moved = |third: f64| {
        times(&before, |path| match path {
            "main;serve;old" => 2.0 / 6.0,
            "main;serve;new" => 3.0,
            "main;serve;third" => third,
            _ => 1.0,
        })
    };
    let comparison = compared(&before, &moved(1.0));
    assert_eq!(comparison.verdict, Verdict::Ok);
    let shift = comparison.shift.as_ref().expect("cost moved");
    assert_eq!((shift.grew.len(), shift.shrank.len()), (1, 1));
    assert!(shift.points.abs() < 0.002 && shift.interval[0] < 0.0 && shift.interval[1] > 0.0);

    // Beside it another function fails as ever.
    let comparison = compared(&before, &moved(2.5));
    assert_eq!(comparison.verdict, Verdict::Regressed);
    let failing: Vec<&str> = (comparison.regressions())
        .map(|finding| {
            comparison.tree.functions[finding.function as usize]
                .name
                .as_str()
        })
        .collect();
    assert_eq!(failing, ["third"]);

    // Where work was counted and each unit of it costs more, cost did not only move.
    let counted = |counts: &Counts, seconds: i64| {
        let mut run = run(counts, 80);
        run.meta.cpu_ns = Some(seconds * 1_000_000_000);
        run.meta.work = vec![("requests".into(), 1000)];
        run
    };
    for (seconds, verdict) in [(100, Verdict::Ok), (104, Verdict::Regressed)] {
        let (before, after) = (counted(&before, 100), counted(&moved(1.0), seconds));
        let comparison = compare(&[&before], &[&after], &Options::default()).expect("they compare");
        assert_eq!(comparison.verdict, verdict, "{seconds} s");
    }

    // And all of it, if that is wanted.
    let (before, after) = (run(&before, 80), run(&moved(1.0), 80));
    let options = Options {
        fail_on_shift: true,
        ..Options::default()
    };
    let comparison = compare(&[&before], &[&after], &options).expect("they compare");
    assert_eq!(comparison.verdict, Verdict::Regressed);
}

#[test]
fn many_improvements_do_not_pay_for_a_growth() {
    let mut before = alike("main", "old", 9, 6000.0);
    before.extend(alike("main", "other", 20, 4000.0));
    before.push(("main;victim".into(), 4000.0));
    let after = times(&before, |path| match path {
        "main;victim" => 1.5,
        path if path.starts_with("main;old") => 0.66,
        _ => 1.0,
    });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.shift, None);
    assert_eq!(comparison.verdict, Verdict::Regressed);
}

#[test]
fn noise_is_no_reason_to_take_a_growth_for_moved() {
    // A third of what one function takes more is not paid for by what the other takes less.
    let mut before = alike("main", "step", 18, 160.0);
    before.extend([("main;grown".into(), 160.0), ("main;shrunk".into(), 160.0)]);
    let after = times(&before, |path| match path {
        "main;grown" => 2.15,
        "main;shrunk" => 0.2,
        _ => 1.0,
    });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.shift, None);
    assert_eq!(comparison.verdict, Verdict::Regressed);
}

/// Three kinds of requests of eight functions each.
fn routes(parts: [f64; 3]) -> Counts {
    let of_route = |(route, part): (usize, &f64)| {
        alike(
            &format!("main;route_{route}"),
            &format!("step_{route}"),
            8,
            part * 20.0,
        )
    };
    parts.iter().enumerate().flat_map(of_route).collect()
}

/// Runs of `routes` before and after a change, with what they cost counted.
fn counted(parts: [f64; 3], factor: impl Fn(&str) -> f64) -> Comparison {
    let before = routes(parts);
    let after = times(&before, factor);
    let sum = |counts: &Counts| counts.iter().map(|(_, samples)| samples).sum::<f64>();
    let seconds = 100.0 * sum(&after) / sum(&before);
    compared_runs(
        &varied(&before, 0, 8, 100.0),
        &varied(&after, 50, 8, seconds),
    )
}

#[test]
fn a_function_that_grew_is_not_paid_for_by_requests_that_did_not_come() {
    let comparison = counted([30.0, 40.0, 30.0], |path| match path {
        "main;route_1;step_1_3" => 0.7 * 3.0,
        path if path.contains("route_1") => 0.7,
        _ => 1.0,
    });
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert!(comparison.shift.is_none());
    let told = told(&comparison);
    assert!(
        told.iter()
            .any(|(name, points)| *name == "step_1_3" && *points > 0.0)
    );
}

#[test]
fn what_costs_no_more_of_a_whole_that_shrank_does_not_fail() {
    let fewer = |path: &str| if path.contains("route_0") { 0.7 } else { 1.0 };
    assert_ne!(
        counted([74.0, 20.0, 6.0], fewer).verdict,
        Verdict::Regressed
    );
    let comparison = counted([34.0, 33.0, 33.0], |path| match path {
        "main;route_1;step_1_3" => 0.5 * 1.5,
        path if path.contains("route_1") => 0.5,
        _ => 1.0,
    });
    assert_ne!(comparison.verdict, Verdict::Regressed);
    // Nothing is listed as grown that is said to have become cheaper, nor the other way round.
    for finding in &comparison.findings {
        assert!(finding.points * finding.z > 0.0, "{:?}", told(&comparison));
    }
}
