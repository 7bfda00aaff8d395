//! Causes that are a large part of the whole, so that all else changes its share as well.

use plop_diff::{Options, Verdict, compare};

use crate::runs::*;

#[test]
fn a_kind_of_request_that_costs_more_is_no_noise_of_the_mix() {
    let mut before = vec![("main;hot".to_owned(), 840.0)];
    for part in 0..3 {
        before.extend(alike(
            &format!("main;part_{part}"),
            &format!("step_{part}"),
            8,
            630.0,
        ));
    }
    let after = times(&before, |path| if path == "main;hot" { 5.0 } else { 1.0 });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    let told = told(&comparison);
    assert_eq!(told[0].0, "hot", "{told:?}");
    assert!((told[0].1 - 21.0).abs() < 1.0, "{told:?}");
}

#[test]
fn a_growth_of_most_is_not_told_as_the_rest_shrinking() {
    // One function of nearly half beside many: sooner has one grown than fifteen shrunk alike.
    let mut before = vec![("main;hot".to_owned(), 9000.0)];
    before.extend(alike("main;rest", "step", 15, 740.0));
    let after = times(&before, |path| if path == "main;hot" { 2.0 } else { 1.0 });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(told(&comparison)[0].0, "hot");

    // Of two functions shares do not tell which; counted work does.
    let before = vec![
        ("main;io".to_owned(), 4800.0),
        ("main;hot".to_owned(), 11_200.0),
    ];
    let after = times(&before, |path| if path == "main;hot" { 2.0 } else { 1.0 });
    let of = |counts: &Counts, seconds: i64| {
        let mut run = run(counts, 80);
        run.meta.cpu_ns = Some(seconds * 1_000_000_000);
        run.meta.work = vec![("requests".into(), 1000)];
        run
    };
    let (before, after) = (of(&before, 160), of(&after, 272));
    let comparison = compare(&[&before], &[&after], &Options::default()).expect("they compare");
    assert_eq!(comparison.verdict, Verdict::Regressed);
    let told = told(&comparison);
    assert_eq!(told[0].0, "hot");
    assert!((told[0].1 - 70.0).abs() < 3.0, "{told:?}");
}

#[test]
fn a_hot_function_beside_one_branch_is_no_kind_of_request() {
    // However many samples there are, and however large it is already.
    for (samples, share, factor) in [
        (160_000.0, 0.3, 2.0),
        (16_000.0, 0.45, 1.3),
        (16_000.0, 0.7, 1.4),
        (160_000.0, 0.85, 1.3),
    ] {
        let mut before = vec![("main;hot".to_owned(), samples * share)];
        let step = samples * (1.0 - share) / 15.0;
        before.extend(alike("main;rest", "step", 15, step));
        let after = times(
            &before,
            |path| if path == "main;hot" { factor } else { 1.0 },
        );
        let comparison = compared(&before, &after);
        assert_eq!(comparison.verdict, Verdict::Regressed, "{share} {factor}");
        let told = told(&comparison);
        assert_eq!((told.len(), told[0].0), (1, "hot"), "{told:?}");
        let added = 100.0 * share * (factor - 1.0);
        assert!(
            (told[0].1 - added).abs() < 0.05 * added,
            "{told:?}, {added}"
        );
        // Without slices, too.
        let (before, after) = (run(&before, 0), run(&after, 0));
        let counts = compare(&[&before], &[&after], &Options::default()).expect("they compare");
        let told = self::told(&counts);
        assert_eq!((told.len(), told[0].0), (1, "hot"), "{told:?}");
    }
}

#[test]
fn most_of_the_whole_beside_branches_of_many_sizes_is_named() {
    for (share, factor) in [(0.6, 1.5), (0.6, 2.0), (0.75, 1.5), (0.6, 0.5), (0.83, 0.7)] {
        let mut before = Counts::new();
        for (branch, size) in [14.0, 9.0, 6.0, 4.0, 3.0, 2.0].into_iter().enumerate() {
            for (step, part) in [5.0, 3.0, 2.0, 1.0, 1.0].into_iter().enumerate() {
                before.push((
                    format!("main;branch_{branch};step_{branch}_{step}"),
                    40.0 * size * part,
                ));
            }
        }
        let rest: f64 = before.iter().map(|(_, samples)| samples).sum();
        before.push(("main;hot".into(), rest * share / (1.0 - share)));
        let after = times(
            &before,
            |path| if path == "main;hot" { factor } else { 1.0 },
        );
        let comparison = compared(&before, &after);
        let told = told(&comparison);
        assert_eq!(
            (told.len(), told[0].0),
            (1, "hot"),
            "{share} {factor}: {told:?}"
        );
        assert_eq!(comparison.verdict == Verdict::Regressed, factor > 1.0);
        // The whole as most functions tell it went the same way.
        if comparison.mode == plop_diff::Mode::Bulk {
            let change = comparison.total.as_ref().expect("it is told").change();
            assert!(
                (change - share * (factor - 1.0)).abs() < 0.1 * change.abs(),
                "{change}"
            );
        }
    }
}

#[test]
fn most_of_the_whole_beside_many_kinds_of_requests_is_named() {
    for (kinds, factor) in [(4, 1.5), (5, 1.5), (3, 2.0)] {
        let mut before = Counts::new();
        for kind in 0..kinds {
            before.extend(alike(
                &format!("main;kind_{kind}"),
                &format!("step_{kind}"),
                8,
                400.0,
            ));
        }
        let rest: f64 = before.iter().map(|(_, samples)| samples).sum();
        before.push(("main;hot".into(), 2.0 * rest));
        let after = times(
            &before,
            |path| if path == "main;hot" { factor } else { 1.0 },
        );
        let comparison = compared(&before, &after);
        assert!(comparison.kinds > 2);
        assert_eq!(comparison.verdict, Verdict::Regressed, "{kinds} {factor}");
        assert_eq!(told(&comparison)[0].0, "hot");
    }
}

#[test]
fn the_kind_of_request_that_there_is_most_of_is_one_beside_the_others() {
    // More requests of one kind are no growth of anything.
    for (parts, kinds) in [
        (&[10.0, 90.0][..], 2),
        (&[5.0, 5.0, 90.0], 3),
        (&[4.0, 3.0, 3.0, 90.0], 4),
    ] {
        let run = |more: f64| -> Counts {
            (parts.iter().enumerate())
                .flat_map(|(kind, part)| {
                    let more = if kind == 0 { more } else { 1.0 };
                    let caller = format!("main;route_{kind}");
                    alike(
                        &caller,
                        &format!("step_{kind}"),
                        7,
                        160.0 * part * more / 7.0,
                    )
                })
                .collect()
        };
        let comparison = compared(&run(1.0), &run(1.12));
        assert_eq!(comparison.kinds, kinds);
        assert_eq!(
            comparison.verdict,
            Verdict::Ok,
            "{kinds}: {:?}",
            told(&comparison)
        );
    }
}

#[test]
fn the_whole_is_told_by_all_functions_however_small() {
    let mut before = alike("main;rest", "step", 400, 16.0);
    before.push(("main;hot".into(), 25_600.0));
    let after = times(&before, |path| if path == "main;hot" { 2.0 } else { 1.0 });
    let (one, other) = (drawn(&before, 1), drawn(&after, 2));
    let comparison = compare(&[&one], &[&other], &Options::default()).expect("they compare");
    assert_eq!(comparison.mode, plop_diff::Mode::Bulk);
    let change = comparison.total.as_ref().expect("it is told").change();
    assert!((change - 0.8).abs() < 0.08, "{change}");
}
