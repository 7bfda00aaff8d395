//! Causes of which there are many, that are large, or that only moved: what is told of them, and whether it fails.

use plop_core::{Frame, Profile, Sample, Slice, SliceId, StackId, ValueType};
use plop_diff::{Comparison, Options, Verdict, compare};

/// The samples of each path, such as `main;parse`.
type Counts = Vec<(String, f64)>;

/// A run without noise but that of rounding: every slice has its part of the samples of every path.
fn run(counts: &[(String, f64)], slices: usize) -> Profile {
    let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
    for _ in 0..slices {
        profile.slices.0.push(Slice::default());
    }
    for (path, count) in counts {
        let stack = path.split(';').fold(StackId::ROOT, |caller, name| {
            let function = profile.function(name.as_bytes(), b"app.py");
            let frame = profile.frames.intern(Frame::of(function));
            profile.stacks.push(caller, frame)
        });
        let parts = slices.max(1);
        for slice in 0..parts {
            let share = |n: usize| (count * n as f64 / parts as f64).round() as i64;
            let values = [share(slice + 1) - share(slice)];
            profile.samples.push(Sample {
                slice: (slices > 0).then(|| SliceId::new(slice)),
                ..Sample::of(stack, &values)
            });
        }
    }
    profile.check().expect("the profile is sound");
    profile
}

/// `count` functions called by `caller`, each with so many samples.
fn alike(caller: &str, name: &str, count: usize, samples: f64) -> Counts {
    (0..count)
        .map(|n| (format!("{caller};{name}_{n}"), samples))
        .collect()
}

/// The same paths with other samples where `factor` says so.
fn times(counts: &Counts, factor: impl Fn(&str) -> f64) -> Counts {
    (counts.iter())
        .map(|(path, samples)| (path.clone(), samples * factor(path)))
        .collect()
}

fn compared(before: &Counts, after: &Counts) -> Comparison {
    let (before, after) = (run(before, 80), run(after, 80));
    compare(&[&before], &[&after], &Options::default()).expect("they compare")
}

/// Each finding's function, and by how many points it grew.
fn told(comparison: &Comparison) -> Vec<(&str, f64)> {
    (comparison.findings.iter())
        .map(|finding| {
            let function = &comparison.tree.functions[finding.function as usize];
            (function.name.as_str(), 100.0 * finding.points)
        })
        .collect()
}

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

/// Runs of a build that differ by a few hundredths in each function, and by a thousandth in what a unit of work costs.
fn varied(counts: &Counts, first: usize, runs: usize, seconds: f64) -> Vec<Profile> {
    (first..first + runs)
        .map(|n| {
            let place = |path: &str| {
                path.bytes()
                    .fold(7 * n + 3, |sum, byte| 31 * sum % 9973 + usize::from(byte))
            };
            let varied = times(counts, |path| {
                0.99 + 0.02 * (place(path) % 101) as f64 / 100.0
            });
            let mut run = run(&varied, 60);
            let noise = 1.0 + 0.001 * (n % 5) as f64;
            run.meta.cpu_ns = Some((1e9 * seconds * noise) as i64);
            run.meta.work = vec![("requests".into(), 1000)];
            run
        })
        .collect()
}

fn compared_runs(before: &[Profile], after: &[Profile]) -> Comparison {
    let [before, after] = [before, after].map(|runs| runs.iter().collect::<Vec<_>>());
    compare(&before, &after, &Options::default()).expect("they compare")
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
        let mut sides = [
            varied(&before, 0, runs, 100.0),
            varied(&after, 50, runs, 100.0),
        ];
        for run in sides.iter_mut().flatten() {
            run.meta.work.clear();
        }
        let comparison = compared_runs(&sides[0], &sides[1]);
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
