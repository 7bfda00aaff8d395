//! Cost that only moved.

use plop_diff::{Options, Verdict, compare};

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
