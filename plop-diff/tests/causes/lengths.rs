//! Sides that were sampled for different times: what is short varies more, and is seen all the same.

use plop_core::Profile;
use plop_diff::{Comparison, Finding, Options, Verdict, compare, compare_deploys};

use crate::runs::{Counts, alike, drawn, run};

/// A program of twenty functions, with so many samples.
fn service(samples: f64) -> Counts {
    alike("serve", "step", 20, samples / 20.0)
}

fn grew(comparison: &Comparison) -> bool {
    comparison.findings.iter().any(Finding::grew)
}

/// How many of some comparisons of one build find that something grew.
fn alarms(of: impl Fn(u64) -> Comparison, count: u64) -> usize {
    (0..count).filter(|trial| grew(&of(*trial))).count()
}

fn runs(samples: f64, count: u64, seed: u64) -> Vec<Profile> {
    (0..count)
        .map(|n| drawn(&service(samples), seed + n))
        .collect()
}

fn compared(before: &[Profile], after: &[Profile]) -> Comparison {
    let [before, after] = [before, after].map(|side| side.iter().collect::<Vec<_>>());
    compare(&before, &after, &Options::default()).expect("both have samples")
}

/// Of five times as many samples, a run varies a fifth as much as the one it is compared with.
#[test]
fn a_short_run_after_long_ones_is_no_alarm() {
    let of = |trial: u64| {
        let before = runs(10_000.0, 8, 1000 + 100 * trial);
        compared(&before, &runs(2_000.0, 1, 1050 + 100 * trial))
    };
    let found = alarms(of, 30);
    assert!(found <= 2, "{found} of 30");
}

/// Where samples come by fours and a function has but a few, they do not tell by themselves how much they vary.
#[test]
fn a_long_run_after_short_ones_is_no_alarm() {
    let by_fours = |samples: f64, seed: u64| {
        let mut counts = alike("serve", "rare", 400, samples / 4.0 / 800.0);
        counts.push(("serve".into(), samples / 8.0));
        let mut run = drawn(&counts, seed);
        for value in run.samples.values_mut() {
            *value *= 4;
        }
        run
    };
    let of = |trial: u64| {
        let before: Vec<Profile> = (0..8)
            .map(|n| by_fours(3_000.0, 9000 + 100 * trial + n))
            .collect();
        compared(&before, &[by_fours(30_000.0, 9050 + 100 * trial)])
    };
    let found = alarms(of, 40);
    assert!(found <= 2, "{found} of 40");
}

/// Eight deploys of ten hosts each, and one host that has the new build.
#[test]
fn a_canary_is_no_alarm_unless_it_is_slower() {
    let of = |trial: u64, canary: &Counts| {
        let before: Vec<Vec<Profile>> = (0..8)
            .map(|deploy| runs(1_000.0, 10, 20_000 + 1000 * trial + 20 * deploy))
            .collect();
        let after = drawn(canary, 20_900 + 1000 * trial);
        let before: Vec<Vec<&Profile>> = (before.iter())
            .map(|deploy| deploy.iter().collect())
            .collect();
        compare_deploys(&before, &[vec![&after]], &Options::default()).expect("both have samples")
    };
    let found = alarms(|trial| of(trial, &service(1_000.0)), 15);
    assert!(found <= 1, "{found} of 15");
    let mut slower = service(1_000.0);
    slower.push(("serve;audit".into(), 150.0));
    let comparison = of(99, &slower);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    let first = &comparison.findings[0];
    assert_eq!(
        comparison.tree.functions[first.function as usize].shown(),
        "audit"
    );
}

/// Of both sides together it is 0.08 %, less than what is weighed.
#[test]
fn what_only_a_short_side_has_is_found() {
    let before = run(&service(1_000_000.0), 0);
    let mut counts = service(9_200.0);
    counts.push(("serve;audit".into(), 800.0));
    let comparison = compared(&[before], &[run(&counts, 0)]);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    let [finding] = &comparison.findings[..] else {
        panic!("one finding: {:?}", comparison.findings);
    };
    // 8 of 100 samples beside 92 that cost as before; that share is known to within 0.3 points where samples are
    // independent, and they are taken to vary five times as much.
    let truth = 8.0 / 92.0;
    assert!((finding.points - truth).abs() < 0.001, "{finding:?}");
    let margin = finding.limit * (5.0 * 0.08 * 0.92 / 10_000.0f64).sqrt();
    let wide = finding.interval[1] - finding.interval[0];
    assert!(wide > 2.0 * margin, "{finding:?}");
}
