//! Comparisons whose answer is known: what fails, what does not, and what is named.

use plop_core::{Frame, LabelValue, Profile, Sample, Slice, SliceId, StackId, Ticks, ValueType};
use plop_diff::{
    By, Comparison, Kind, Method, Mode, Options, Power, Prior, Reason, Verdict, Warning, calibrate,
    compare, compare_deploys,
};
use proptest::prelude::*;

/// A function that calls others, each path with its weight: `main;handle;parse`.
type Weights<'w> = &'w [(&'w str, f64)];

/// A small service: three kinds of requests, a function that two of them share.
const SERVICE: Weights = &[
    ("main;loop;list;query", 20.0),
    ("main;loop;list;query;row", 14.0),
    ("main;loop;list;render;escape", 11.0),
    ("main;loop;list;render", 7.0),
    ("main;loop;calc;parse", 12.0),
    ("main;loop;calc;parse;token", 5.0),
    ("main;loop;calc;evaluate", 9.0),
    ("main;loop;calc;render;escape", 4.0),
    ("main;loop;static;read", 10.0),
    ("main;loop;static;compress", 8.0),
    ("main;loop", 2.0),
];

/// The service with some paths dearer by a factor.
fn changed(factor: impl Fn(&str) -> f64) -> Vec<(&'static str, f64)> {
    SERVICE
        .iter()
        .map(|(path, weight)| (*path, weight * factor(path)))
        .collect()
}

/// A run of so many samples in so many slices, each drawn by the weights.
fn run(weights: Weights, samples: usize, slices: usize, seed: u64) -> Profile {
    let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
    let stacks: Vec<StackId> = weights
        .iter()
        .map(|(path, _)| stack(&mut profile, path))
        .collect();
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut counts = vec![vec![0i64; weights.len()]; slices.max(1)];
    for n in 0..samples {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut at = (state >> 11) as f64 / (1u64 << 53) as f64 * sum;
        let chosen = weights.iter().position(|(_, weight)| {
            at -= weight;
            at < 0.0
        });
        counts[n * slices.max(1) / samples][chosen.unwrap_or(0)] += 1;
    }
    for (slice, counts) in counts.iter().enumerate() {
        if slices > 0 {
            profile.slices.0.push(Slice::default());
        }
        for (stack, count) in stacks.iter().zip(counts).filter(|(_, count)| **count > 0) {
            let values = [*count];
            profile.samples.push(Sample {
                slice: (slices > 0).then(|| SliceId::new(slice)),
                ..Sample::of(*stack, &values)
            });
        }
    }
    profile.check().expect("the profile is sound");
    profile
}

fn stack(profile: &mut Profile, path: &str) -> StackId {
    path.split(';').fold(StackId::ROOT, |caller, name| {
        let function = profile.function(name.as_bytes(), b"service.py");
        let frame = profile.frames.intern(Frame::of(function));
        profile.stacks.push(caller, frame)
    })
}

/// Options for a service of which it is known that its runs hardly differ, as those of [`run`] do not.
fn known() -> Options {
    Options {
        prior: Prior {
            functions: 0.001,
            functions_sd: 0.3,
            uneven: 0.0,
            measured: true,
            ..Prior::default()
        },
        ..Options::default()
    }
}

fn compared(before: &Profile, after: &Profile) -> Comparison {
    let comparison = compare(&[before], &[after], &known()).expect("they compare");
    // Where there is no verdict, a warning says why.
    let forbids = comparison.warnings.iter().any(|warning| warning.forbids);
    assert_eq!(comparison.verdict == Verdict::Inconclusive, forbids);
    comparison
}

/// What each finding is called, and whether it grew.
fn named(comparison: &Comparison) -> Vec<(&str, bool)> {
    (comparison.findings.iter())
        .map(|finding| {
            let function = &comparison.tree.functions[finding.function as usize];
            (function.name.as_str(), finding.grew())
        })
        .collect()
}

#[test]
fn two_runs_of_one_build_show_nothing() {
    let alarms = (0..40)
        .filter(|n| {
            let (before, after) = (
                run(SERVICE, 20_000, 60, 2 * n + 1),
                run(SERVICE, 20_000, 60, 2 * n + 2),
            );
            let comparison = compared(&before, &after);
            assert_eq!(comparison.method, Method::Slices);
            comparison.verdict != Verdict::Ok
        })
        .count();
    // One in a hundred is the promise: four of forty come by chance once in a few thousand times.
    assert!(alarms < 4, "{alarms} of 40");
}

/// What is rarer than one in a thousand has to be further out than what comes once in a thousand times.
#[test]
fn a_smaller_alpha_has_a_higher_limit() {
    let (before, after) = (run(SERVICE, 6_000, 20, 1), run(SERVICE, 6_000, 20, 2));
    let limit = |alpha| {
        let options = Options { alpha, ..known() };
        let comparison = compare(&[&before], &[&after], &options).expect("they compare");
        comparison.threshold
    };
    let limits = [limit(0.01), limit(0.001), limit(0.0004)];
    assert!(limits.is_sorted_by(|a, b| a < b), "{limits:?}");
    let options = Options {
        alpha: 0.000_01,
        ..known()
    };
    let refused = compare(&[&before], &[&after], &options).expect_err("deals do not tell that");
    assert!(refused.to_string().contains("0.01 %"), "{refused}");
}

/// Replicates have no order: what they are called, and which is named first, is no difference.
#[test]
fn the_order_of_runs_changes_nothing() {
    let runs: Vec<Profile> = (1..=12).map(|n| run(SERVICE, 4_000, 20, n)).collect();
    let compared = |order: [usize; 6]| {
        let side = |from: usize| -> Vec<&Profile> { order.map(|n| &runs[from + n]).to_vec() };
        let comparison = compare(&side(0), &side(6), &known()).expect("they compare");
        assert_eq!(comparison.method, Method::Runs);
        format!("{comparison:?}")
    };
    let first = compared([0, 1, 2, 3, 4, 5]);
    for order in [[5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3], [1, 2, 3, 4, 5, 0]] {
        assert!(compared(order) == first, "{order:?}");
    }
}

#[test]
fn a_run_compared_with_itself_shows_nothing_at_all() {
    let profile = run(SERVICE, 30_000, 60, 7);
    let comparison = compared(&profile, &profile);
    assert_eq!(
        (comparison.verdict, comparison.findings.len()),
        (Verdict::Ok, 0)
    );
    assert!(comparison.node_z.iter().all(|z| z.abs() < 1e-3));
    let holds_nothing = |[low, high]: &[f64; 2]| *low <= 0.0 && 0.0 <= *high;
    assert!(comparison.node_intervals.iter().all(holds_nothing));
    assert!(
        comparison
            .node_intervals
            .iter()
            .any(|[low, high]| low < high)
    );
}

#[test]
fn a_slower_function_is_named_once_and_its_growth_told() {
    let before = run(SERVICE, 100_000, 60, 1);
    let slower = changed(|path| if path.ends_with("parse") { 1.5 } else { 1.0 });
    let after = run(&slower, 106_000, 60, 2);
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(named(&comparison), [("parse", true)]);
    let finding = &comparison.findings[0];
    // 12 of 102 grew by half.
    let truth = 6.0 / 102.0;
    assert!((finding.points - truth).abs() < 0.15 * truth, "{finding:?}");
    let [low, high] = finding.interval;
    assert!(low < truth && truth < high && low > 0.0, "{finding:?}");
    assert!((finding.factor - 1.5).abs() < 0.1, "{finding:?}");
    assert_eq!(finding.kind, Kind::Own);
}

#[test]
fn a_function_that_grows_much_does_not_make_others_look_faster() {
    let before = run(SERVICE, 100_000, 60, 3);
    let slower = changed(|path| if path.ends_with("escape") { 3.0 } else { 1.0 });
    let comparison = compared(&before, &run(&slower, 120_000, 60, 4));
    assert_eq!(named(&comparison), [("escape", true)]);
    // It calls nothing, and only one function calls it: stacks cannot tell which of the two it was.
    assert_eq!(comparison.findings[0].reason, Reason::SelfOrCalledMore);
}

#[test]
fn a_function_that_is_called_more_is_told_from_one_that_is_slower() {
    let before = run(SERVICE, 200_000, 60, 5);
    let more = changed(|path| {
        if path.contains("list;query") {
            1.3
        } else {
            1.0
        }
    });
    let comparison = compared(&before, &run(&more, 220_000, 60, 6));
    assert_eq!(named(&comparison), [("query", true)]);
    assert_eq!(comparison.findings[0].reason, Reason::CalledMore);
}

#[test]
fn what_is_new_and_what_has_gone_is_called_so() {
    let before = run(SERVICE, 50_000, 60, 8);
    let mut paths = SERVICE.to_vec();
    paths.push(("main;loop;calc;check", 6.0));
    let comparison = compared(&before, &run(&paths, 53_000, 60, 9));
    assert_eq!(named(&comparison), [("check", true)]);
    assert_eq!(comparison.findings[0].reason, Reason::NewPath);
    let back = compared(&run(&paths, 53_000, 60, 9), &before);
    assert_eq!(named(&back), [("check", false)]);
    assert_eq!(back.findings[0].reason, Reason::Gone);
    assert_eq!(back.verdict, Verdict::Ok, "what is faster never fails");
}

#[test]
fn a_growth_under_the_minimum_effect_is_told_and_does_not_fail() {
    let before = run(SERVICE, 2_000_000, 60, 10);
    let slower = changed(|path| if path.ends_with("token") { 1.06 } else { 1.0 });
    let comparison = compared(&before, &run(&slower, 2_000_000, 60, 11));
    assert_eq!(named(&comparison), [("token", true)]);
    assert!(comparison.findings[0].points < 0.005);
    assert_eq!(comparison.verdict, Verdict::Ok);
}

#[test]
fn the_other_way_round_signs_turn() {
    let slower = changed(|path| if path.ends_with("compress") { 1.6 } else { 1.0 });
    let (before, after) = (run(SERVICE, 60_000, 60, 12), run(&slower, 60_000, 60, 13));
    let (there, back) = (compared(&before, &after), compared(&after, &before));
    assert_eq!(named(&there), [("compress", true)]);
    assert_eq!(named(&back), [("compress", false)]);
    assert!((there.findings[0].z + back.findings[0].z).abs() < 0.2);
}

#[test]
fn counts_without_slices_need_a_stronger_finding() {
    let before = run(SERVICE, 20_000, 0, 14);
    let slower =
        |factor: f64| changed(move |path| if path.ends_with("parse") { factor } else { 1.0 });
    let clear = compared(&before, &run(&slower(3.0), 24_000, 0, 15));
    assert_eq!(
        (clear.method, clear.verdict),
        (Method::Counts, Verdict::Regressed)
    );
    assert!(
        clear
            .warnings
            .iter()
            .any(|warning| warning.code == "counts-only")
    );
    let doubtful = compared(&before, &run(&slower(1.4), 21_000, 0, 16));
    assert_eq!(doubtful.verdict, Verdict::Inconclusive);
    let told = Options {
        design_effect: Some(1.0),
        ..known()
    };
    let told = compare(&[&before], &[&run(&slower(1.4), 21_000, 0, 16)], &told).unwrap();
    assert_eq!(told.verdict, Verdict::Regressed);
}

#[test]
fn a_changed_environment_is_no_verdict_unless_it_is_allowed() {
    let slower = changed(|path| if path.ends_with("parse") { 1.5 } else { 1.0 });
    let (mut before, mut after) = (run(SERVICE, 50_000, 60, 17), run(&slower, 50_000, 60, 18));
    before.meta.runtime = "CPython 3.11.7".into();
    after.meta.runtime = "CPython 3.12.1".into();
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    assert!(
        comparison
            .warnings
            .iter()
            .any(|warning| warning.code == "env-runtime" && warning.forbids)
    );
    let allowed = Options {
        allow_environment: true,
        ..Options::default()
    };
    let comparison = compare(&[&before], &[&after], &allowed).unwrap();
    assert_eq!(comparison.verdict, Verdict::Regressed);
    let codes = |warning: &Warning| (warning.code, warning.forbids);
    assert_eq!(
        comparison.warnings.iter().map(codes).collect::<Vec<_>>(),
        [("env-runtime", false)]
    );

    after.meta.runtime = before.meta.runtime.clone();
    after.meta.ticks = Some(Ticks {
        asked: 1000,
        delivered: 900,
        dropped: 100,
    });
    before.meta.ticks = Some(Ticks {
        asked: 1000,
        delivered: 998,
        dropped: 2,
    });
    let comparison = compared(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    assert!(
        comparison
            .warnings
            .iter()
            .any(|warning| warning.code == "ticks-lost")
    );
}

/// Formats that know no kinds have samples, times or weights of whatever it was.
#[test]
fn values_of_two_names_are_compared_where_they_may_be_one() {
    let with = |(kind, unit): (&str, &str)| {
        let mut profile = run(SERVICE, 1000, 0, 1);
        profile.values = vec![ValueType::new(kind, unit)];
        profile
    };
    let samples = ("samples", "count");
    for (before, after, may_be) in [
        (("cpu", "samples"), samples, true),
        (("cpu", "samples"), ("cpu", "microseconds"), true),
        (("cpu", "samples"), ("time", "seconds"), true),
        (("wall", "microseconds"), ("time", "milliseconds"), true),
        (("wall", "microseconds"), ("Wall time", "nanoseconds"), true),
        (("CPU time", "nanoseconds"), ("wall", "nanoseconds"), false),
        (("space", "bytes"), samples, true),
        (("weight", "requests"), samples, true),
        (("cpu", "samples"), ("wall", "samples"), false),
        (("cpu", "samples"), ("alloc", "bytes"), false),
        (("space", "bytes"), ("time", "seconds"), false),
        (("space", "bytes"), ("time", "nanoseconds"), false),
        (("weight", "requests"), ("time", "seconds"), false),
    ] {
        let sides = [with(before), with(after)];
        for [a, b] in [[0, 1], [1, 0]] {
            let compared = compare(&[&sides[a]], &[&sides[b]], &Options::default());
            assert_eq!(compared.is_ok(), may_be, "{before:?} {after:?}");
        }
    }
}

#[test]
fn sides_without_anything_in_common_are_an_error() {
    let before = run(SERVICE, 1000, 60, 1);
    let mut other = Profile::new(vec![
        ValueType::new("alloc", "bytes"),
        ValueType::new("free", "bytes"),
    ]);
    let at = stack(&mut other, "main");
    other.samples.push(Sample::of(at, &[1, 1]));
    let error = compare(&[&before], &[&other], &Options::default()).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("no value in common") && said.contains("alloc, free"),
        "{said}"
    );
    let empty = Profile::new(vec![ValueType::new("cpu", "samples")]);
    let error = compare(&[&before], &[&empty], &Options::default()).unwrap_err();
    assert!(
        error.to_string().contains("after has no samples"),
        "{error}"
    );
    assert!(compare(&[], &[&before], &Options::default()).is_err());
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let slower = changed(|path| if path.ends_with("row") { 1.3 } else { 1.0 });
    let (before, after) = (run(SERVICE, 40_000, 60, 19), run(&slower, 40_000, 60, 20));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| format!("{:?}", compared(&before, &after)))
    };
    assert_eq!(with(1), with(4));
}

/// What a service is like is learnt from runs of one build, and a comparison sees more then.
#[test]
fn a_calibrated_service_shows_more() {
    let runs: Vec<Profile> = (0..8).map(|n| run(SERVICE, 100_000, 60, 100 + n)).collect();
    let profiles: Vec<&Profile> = runs.iter().collect();
    let calibration = calibrate(&profiles, &Options::default()).unwrap();
    assert_eq!((calibration.runs, calibration.pairs), (8, 28));
    // These runs differ by nothing but chance.
    assert!(calibration.functions < 0.006, "{calibration:?}");
    assert!(calibration.alarms <= 2, "{calibration:?}");
    let told = Options {
        prior: calibration.prior(),
        ..Options::default()
    };
    let after = run(SERVICE, 100_000, 60, 200);
    let blind = compare(&[&runs[0]], &[&after], &Options::default()).unwrap();
    let seeing = compare(&[&runs[0]], &[&after], &told).unwrap();
    assert!(seeing.noise.measured && !blind.noise.measured);
    for (seeing, blind) in seeing.power.iter().zip(&blind.power) {
        assert!(seeing.detectable < blind.detectable, "{seeing:?} {blind:?}");
    }
    let error = calibrate(&profiles[..2], &Options::default()).unwrap_err();
    assert!(error.to_string().contains("three runs"), "{error}");
}

/// A plan is kept: sampled for so much longer, or with so many more profiles, a comparison sees what was said.
#[test]
fn what_a_plan_promises_is_seen() {
    let timed = |samples: usize, seed: u64| {
        let mut profile = run(SERVICE, samples, 60, seed);
        profile.meta.wall_ns = Some(samples as i64 * 10_000_000);
        profile
    };
    let of_five =
        |comparison: &Comparison| -> Power { *comparison.usual_power().expect("a power") };
    let length = 6_000;
    let few = of_five(&compared(&timed(length, 401), &timed(length, 402)));
    let plan = few.plan.expect("there is more to see");
    assert!((plan.target - 0.5 * few.detectable).abs() < 1e-9);
    assert!(plan.floor < plan.target, "{plan:?}");
    let samples = plan.samples.expect("time will do");
    let seconds = plan.seconds.expect("it is known how long it took");
    assert!((seconds - samples * 0.01).abs() < 1e-6, "{plan:?}");
    let longer = length + samples as usize;
    let seen = of_five(&compared(&timed(longer, 403), &timed(longer, 404)));
    let ratio = seen.detectable / plan.target;
    assert!((0.8..1.2).contains(&ratio), "{seen:?} {plan:?}");

    let profiles = plan.profiles.expect("profiles will do") as u64;
    let side =
        |seed: u64| -> Vec<Profile> { (0..=profiles).map(|n| timed(length, seed + n)).collect() };
    let (before, after) = (side(500), side(600));
    let (before, after): (Vec<&Profile>, Vec<&Profile>) =
        (before.iter().collect(), after.iter().collect());
    let many = compare(&before, &after, &known()).unwrap();
    let ratio = of_five(&many).detectable / plan.target;
    assert!((0.7..1.15).contains(&ratio), "{ratio} {plan:?}");
}

/// Where runs differ by more than slices do, sampling for longer shows no more, and more profiles do.
#[test]
fn no_time_shows_what_differs_between_runs() {
    let uneven = Prior {
        functions: 0.05,
        functions_sd: 0.05,
        mix: 1.0 / 50.0,
        mix_sd: 0.05,
        uneven: 0.0,
        measured: true,
    };
    let options = Options {
        prior: uneven,
        ..Options::default()
    };
    let (before, after) = (
        run(SERVICE, 200_000, 60, 411),
        run(SERVICE, 200_000, 60, 412),
    );
    let comparison = compare(&[&before], &[&after], &options).unwrap();
    let power = comparison.usual_power().unwrap();
    let plan = power.plan.expect("there is more to see");
    assert!(
        plan.floor > plan.target && plan.floor < power.detectable,
        "{plan:?}"
    );
    assert_eq!((plan.samples, plan.seconds), (None, None));
    assert!(
        plan.profiles.is_some_and(|more| (2..20).contains(&more)),
        "{plan:?}"
    );
}

#[test]
fn too_little_to_see_is_no_verdict_where_that_is_asked_for() {
    let options = Options {
        require_power: Some(0.01),
        ..Options::default()
    };
    let before = run(SERVICE, 20_000, 60, 421);
    let same = compare(&[&before], &[&run(SERVICE, 20_000, 60, 422)], &options).unwrap();
    let power = same.usual_power().unwrap();
    assert!(power.detectable > 0.01);
    assert_eq!(power.plan.expect("a plan").target, 0.01);
    assert_eq!(same.verdict, Verdict::Inconclusive);
    let said = same
        .warnings
        .iter()
        .find(|warning| warning.code == "low-power");
    assert!(said.is_some_and(|said| said.forbids), "{:?}", same.warnings);
    // What grew has been seen.
    let slower = changed(|path| if path.ends_with("parse") { 1.8 } else { 1.0 });
    let worse = compare(&[&before], &[&run(&slower, 20_000, 60, 423)], &options).unwrap();
    assert_eq!(worse.verdict, Verdict::Regressed);
    let enough = Options {
        require_power: Some(0.5),
        ..Options::default()
    };
    let same = compare(&[&before], &[&run(SERVICE, 20_000, 60, 422)], &enough).unwrap();
    assert_eq!(same.verdict, Verdict::Ok);
    assert!(
        !same
            .warnings
            .iter()
            .any(|warning| warning.code == "low-power")
    );
}

/// A function that differs from run to run is no finding where several runs show that it does.
#[test]
fn what_differs_from_run_to_run_is_no_finding() {
    let uneven = |side: u64, n: u64| {
        let factor = [0.8, 1.25, 0.9, 1.15, 1.0][n as usize];
        let weights = changed(|path| if path.ends_with("read") { factor } else { 1.0 });
        run(&weights, 50_000, 60, 300 + 10 * side + n)
    };
    let before: Vec<Profile> = (0..5).map(|n| uneven(0, n)).collect();
    let after: Vec<Profile> = (0..5).map(|n| uneven(1, 4 - n)).collect();
    let (before, after): (Vec<&Profile>, Vec<&Profile>) =
        (before.iter().collect(), after.iter().collect());
    let comparison = compare(&before, &after, &Options::default()).unwrap();
    assert_eq!(
        (comparison.method, comparison.verdict),
        (Method::Runs, Verdict::Ok)
    );
    assert_eq!(named(&comparison), []);
}

/// Eight runs of a fixed amount of work, whose exact costs differ by a percent from run to run.
fn replicates(weights: &[(&str, f64)], seed: u64) -> Vec<Profile> {
    let whole = weights.iter().map(|(_, weight)| weight).sum::<f64>() / 102.0;
    (0..8)
        .map(|n| {
            let mut profile = run(weights, (3_000.0 * whole) as usize, 60, seed + n);
            let jitter = [0.3, -1.1, 0.9, -0.4, 1.2, -0.8, 0.1, -0.2][n as usize] / 100.0;
            profile.meta.cpu_ns = Some((30e9 * whole * (1.0 + jitter)) as i64);
            profile.meta.work = vec![("requests".into(), 1_000)];
            profile
        })
        .collect()
}

fn compared_runs(before: &[Profile], after: &[Profile]) -> Comparison {
    let [before, after] = [before, after].map(|side| side.iter().collect::<Vec<_>>());
    compare(&before, &after, &Options::default()).expect("they compare")
}

/// Samples alone do not show two points more in so few of them; the exact cost of the runs does, and samples
/// tell where.
#[test]
fn the_exact_cost_of_runs_helps_to_find_the_cause() {
    let slower = changed(|path| if path.ends_with("parse") { 1.17 } else { 1.0 });
    let before = replicates(SERVICE, 400);
    let comparison = compared_runs(&before, &replicates(&slower, 500));
    assert_eq!(
        (comparison.method, comparison.mode, comparison.verdict),
        (Method::Runs, Mode::Work, Verdict::Regressed)
    );
    assert!(comparison.total_regressed());
    assert_eq!(named(&comparison), [("parse", true)]);
    assert!(comparison.likely.is_none(), "it is known");
    let again = compared_runs(&before, &replicates(SERVICE, 600));
    assert_eq!((again.verdict, named(&again)), (Verdict::Ok, vec![]));
}

/// A program that does one thing after the other has slices that differ altogether, and runs that do not.
#[test]
fn phases_of_a_program_hide_nothing_from_several_runs() {
    // Samples of a run in three phases, one function of the second slower by a factor.
    let phases = |slower: f64, seed: u64| {
        let parts: [Weights; 3] = [
            &[("main;load;read", 2.0), ("main;load;parse", 3.0)],
            &[
                ("main;solve;step", 6.0),
                ("main;solve;step;add", 3.0),
                ("main;solve;sort", 2.0),
            ],
            &[
                ("main;save;format", 3.0),
                ("main;save;write", 2.0),
                ("main;save;pack", 1.0),
            ],
        ];
        let mut whole: Option<Profile> = None;
        for (n, part) in parts.into_iter().enumerate() {
            let weights: Vec<(&str, f64)> = (part.iter())
                .map(|(path, weight)| {
                    (
                        *path,
                        if path.ends_with("sort") {
                            weight * slower
                        } else {
                            *weight
                        },
                    )
                })
                .collect();
            let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
            let samples = (sum * 300.0) as usize;
            let phase = run(&weights, samples, 20, 3 * seed + n as u64);
            whole = Some(match whole {
                None => phase,
                Some(whole) => {
                    plop_core::merge(&[whole, phase], &mut plop_core::Notes::new()).unwrap()
                }
            });
        }
        whole.unwrap()
    };
    let side = |slower: f64, seed: u64| -> Vec<Profile> {
        (0..8).map(|n| phases(slower, seed + n)).collect()
    };
    let (before, same, slower) = (side(1.0, 1_000), side(1.0, 1_100), side(1.12, 1_200));
    assert_eq!(named(&compared_runs(&before, &same)), []);
    assert_eq!(named(&compared_runs(&before, &slower)), [("sort", true)]);
}

/// What shrinks makes everything else a larger share, and that is no growth.
#[test]
fn what_is_left_of_a_faster_function_did_not_grow() {
    let calm = changed(|path| if path == "main;loop" { 8.0 } else { 1.0 });
    let faster = changed(|path| if path == "main;loop" { 5.0 } else { 1.0 });
    let comparison = compared(&run(&calm, 100_000, 60, 51), &run(&faster, 96_000, 60, 52));
    assert_eq!(comparison.verdict, Verdict::Ok);
    assert_eq!(named(&comparison), [("loop", false)]);
    // A single function that is most of the cost can grow, and does so here.
    let large = changed(|path| if path.ends_with("parse") { 15.0 } else { 1.0 });
    let larger = changed(|path| if path.ends_with("parse") { 16.0 } else { 1.0 });
    let before = run(&large, 100_000, 60, 53);
    let after = run(&larger, 104_000, 60, 54);
    let comparison = compared(&before, &after);
    assert_eq!(named(&comparison), [("parse", true)]);
}

/// No share changes where everything is slower by as much, and all the same it is found.
#[test]
fn what_is_uniformly_slower_is_found_by_the_exact_cost() {
    let before = replicates(SERVICE, 700);
    let mut after = replicates(SERVICE, 800);
    for run in &mut after {
        run.meta.cpu_ns = run.meta.cpu_ns.map(|ns| ns * 105 / 100);
    }
    let comparison = compared_runs(&before, &after);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(named(&comparison), []);
    let alike = comparison.total.as_ref().and_then(|total| total.alike);
    let alike = alike.expect("everything changed alike");
    assert!((alike - 0.05).abs() < 0.02, "{alike}");
}

#[test]
fn what_is_uniformly_slower_is_blamed_on_no_function() {
    // The whole is known to a thousandth, and no function differs by more than chance has it.
    for seed in [3, 17, 31] {
        let [before, after] = [(seed, 1.0), (seed + 1000, 1.1)].map(|(seed, growth)| {
            let mut runs = replicates(SERVICE, seed);
            for (n, run) in runs.iter_mut().enumerate() {
                let jitter = [0.3, -1.1, 0.9, -0.4, 1.2, -0.8, 0.1, -0.2][n] / 1000.0;
                run.meta.cpu_ns = Some((30e9 * growth * (1.0 + jitter)) as i64);
            }
            runs
        });
        let comparison = compared_runs(&before, &after);
        assert_eq!(comparison.verdict, Verdict::Regressed);
        assert_eq!(named(&comparison), []);
        let alike = comparison.total.as_ref().and_then(|total| total.alike);
        assert!(
            alike.is_some_and(|alike| (alike - 0.1).abs() < 0.02),
            "{alike:?}"
        );
    }
}

/// Requests of two routes take the same ways through the program, and how many of each came differs. The label
/// tells them apart, which the call tree cannot, also where no function is mostly of one route.
#[test]
fn labels_tell_kinds_of_requests_apart() {
    const STEPS: [&str; 12] = [
        "read", "parse", "check", "find", "sort", "join", "render", "escape", "pack", "sign",
        "send", "log",
    ];
    // A run in which so many in a hundred requests are of the first route, and one step costs more.
    let recorded = |first: usize, slower: f64, contrast: f64, seed: u64| {
        let weights: Vec<(String, f64)> = ["list", "calc"]
            .iter()
            .zip([first, 100 - first])
            .flat_map(|(route, requests)| {
                STEPS.iter().enumerate().map(move |(n, step)| {
                    let dear = match (*route == "list") == (n % 2 == 0) {
                        true => contrast,
                        false => 1.0,
                    };
                    let slower = if *step == "check" { slower } else { 1.0 };
                    (
                        format!("{route};main;{step}"),
                        dear * slower * requests as f64,
                    )
                })
            })
            .collect();
        let weights: Vec<(&str, f64)> = (weights.iter())
            .map(|(path, weight)| (path.as_str(), *weight))
            .collect();
        let with_routes = run(&weights, 60_000, 60, seed);
        // The route becomes a label in place of a frame.
        let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
        profile.slices = with_routes.slices.clone();
        let key = profile.strings.intern(b"route");
        for sample in with_routes.samples.iter() {
            let path: Vec<String> = (with_routes.stacks.frames(sample.stack))
                .map(|frame| {
                    let function = with_routes.frames.get(frame).function;
                    let name = with_routes.functions.get(function).name;
                    with_routes.strings.text(name).into_owned()
                })
                .collect();
            let route = profile.strings.intern(path[2].as_bytes());
            let labels = profile
                .label_sets
                .intern(vec![(key, LabelValue::Text(route))]);
            let stack = stack(&mut profile, &format!("{};{}", path[1], path[0]));
            profile.samples.push(Sample {
                stack,
                labels: Some(labels),
                ..sample
            });
        }
        profile.check().unwrap();
        profile
    };
    for contrast in [3.0, 1.7] {
        let before = recorded(50, 1.0, contrast, 41);
        let mixed = compared(&before, &recorded(58, 1.0, contrast, 42));
        assert_eq!(mixed.kinds, 2);
        // That there are more requests of one route is said as such.
        let mut found = named(&mixed);
        found.retain(|(name, _)| !name.starts_with("route "));
        assert_eq!(found, [], "{:?}", named(&mixed));
        let slower = compared(&before, &recorded(50, 1.5, contrast, 43));
        assert_eq!(named(&slower), [("check", true)]);
        let blind = Options {
            by: By::Tree,
            ..Options::default()
        };
        assert_eq!(compare(&[&before], &[&before], &blind).unwrap().kinds, 1);
    }
}

/// Where a function makes up so much of the whole that all others shrink beside it, the whole is told by the
/// others.
#[test]
fn a_large_growth_is_told_against_what_did_not_change() {
    let before = run(SERVICE, 60_000, 60, 31);
    let slower = changed(|path| if path.ends_with("parse") { 6.0 } else { 1.0 });
    let comparison = compared(&before, &run(&slower, 60_000, 60, 32));
    assert_eq!(comparison.mode, Mode::Bulk);
    let total = comparison.total.as_ref().expect("the whole is told");
    // 60 more than 102.
    assert!(
        (total.change() - 60.0 / 102.0).abs() < 0.02,
        "{}",
        total.change()
    );
    assert_eq!(named(&comparison), [("parse", true)]);
}

/// Two hosts of each deploy see the same deploy: what differs between deploys is the noise, however alike
/// hosts are.
#[test]
fn profiles_of_one_deploy_are_one_run() {
    let uneven = |deploy: u64| {
        let factor = [0.7, 1.4, 0.85, 1.25, 1.0, 1.1][deploy as usize % 6];
        let weights = changed(|path| if path.ends_with("read") { factor } else { 1.0 });
        [0, 1].map(|host| run(&weights, 40_000, 60, 900 + 2 * deploy + host))
    };
    let deploys: Vec<[Profile; 2]> = (0..6).map(uneven).collect();
    let new = uneven(1);
    let before: Vec<Vec<&Profile>> = deploys.iter().map(|runs| runs.iter().collect()).collect();
    let after = vec![new.iter().collect::<Vec<_>>()];
    let comparison = compare_deploys(&before, &after, &Options::default()).unwrap();
    assert_eq!(
        (comparison.sides[0].runs, comparison.sides[0].profiles),
        (6, 12)
    );
    assert_eq!(comparison.verdict, Verdict::Ok);
}

#[test]
fn names_that_a_build_changed_are_the_same_functions() {
    let before = run(SERVICE, 30_000, 60, 21);
    let renamed: Vec<(String, f64)> = (SERVICE.iter())
        .map(|(path, weight)| {
            let path = path
                .replace("parse", "parse.isra.0")
                .replace("query", "query::h0123456789abcdef");
            (path, *weight)
        })
        .collect();
    let renamed: Vec<(&str, f64)> = renamed
        .iter()
        .map(|(path, weight)| (path.as_str(), *weight))
        .collect();
    let comparison = compared(&before, &run(&renamed, 30_000, 60, 22));
    assert_eq!(
        (comparison.verdict, comparison.findings.len()),
        (Verdict::Ok, 0)
    );
    let parse = comparison
        .tree
        .functions
        .iter()
        .find(|function| function.name == "parse")
        .unwrap();
    assert_eq!(parse.raw, ["parse", "parse.isra.0"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is compared: no panic, finite numbers, and identical sides are found to be.
    #[test]
    fn any_two_profiles_compare(
        before in prop::collection::vec((0usize..40, 0i64..1000, 0usize..30), 1..60),
        after in prop::collection::vec((0usize..40, 0i64..1000, 0usize..30), 1..60),
        sliced in any::<bool>(),
    ) {
        let make = |rows: &[(usize, i64, usize)]| {
            let mut profile = Profile::new(vec![ValueType::samples()]);
            if sliced {
                profile.slices.0 = vec![Slice::default(); 30];
            }
            for (path, count, slice) in rows {
                let path: Vec<String> = (0..path % 7).map(|n| format!("f{}", (path * 31 + n * n) % 9)).collect();
                let at = match path.is_empty() {
                    true => StackId::ROOT,
                    false => stack(&mut profile, &path.join(";")),
                };
                let values = [*count];
                profile.samples.push(Sample {
                    slice: sliced.then(|| SliceId::new(*slice)),
                    ..Sample::of(at, &values)
                });
            }
            profile
        };
        let (before, after) = (make(&before), make(&after));
        let options = Options { permutations: 99, ..Options::default() };
        if let Ok(comparison) = compare(&[&before], &[&after], &options) {
            for finding in &comparison.findings {
                prop_assert!(finding.z.is_finite() && finding.points.is_finite() && finding.factor.is_finite(), "{finding:?}");
                prop_assert!(finding.interval.iter().all(|bound| bound.is_finite()));
            }
            prop_assert!(comparison.power.iter().all(|power| power.detectable.is_finite()));
            prop_assert!(comparison.threshold.is_finite());
        }
        if let Ok(comparison) = compare(&[&before], &[&before], &options) {
            prop_assert_eq!(comparison.findings.len(), 0);
        }
    }
}
