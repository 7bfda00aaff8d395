//! Budgets: how often one that is kept is said to be broken, and whether one that is broken is found.

use plop_core::{Frame, Profile, Sample, Slice, SliceId, StackId, ValueType};
use plop_diff::{
    Budget, BudgetTest, Comparison, FunctionRules, Functions, Most, Options, Pattern, Prior,
    Verdict, compare,
};

/// Ten functions of a caller each; the first three are of one module.
const SHARES: [f64; 10] = [0.10, 0.05, 0.05, 0.20, 0.15, 0.15, 0.10, 0.08, 0.07, 0.05];

/// A run with the shares above in slices, in which samples come in pairs, so that they vary twice as much as
/// independent ones.
fn run(samples: usize, seed: u64) -> Profile {
    let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
    let stacks: Vec<StackId> = (0..SHARES.len())
        .map(|n| {
            let file = if n < 3 { "vendor/json.py" } else { "app.py" };
            let names = [format!("call_{n}"), format!("step_{n}")];
            names.iter().fold(StackId::ROOT, |caller, name| {
                let function = profile.function(name.as_bytes(), file.as_bytes());
                let frame = profile.frames.intern(Frame::of(function));
                profile.stacks.push(caller, frame)
            })
        })
        .collect();
    const SLICES: usize = 60;
    let mut counts = vec![[0i64; SHARES.len()]; SLICES];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for n in 0..samples / 2 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut at = (state >> 11) as f64 / (1u64 << 53) as f64;
        let chosen = SHARES.iter().position(|share| {
            at -= share;
            at < 0.0
        });
        counts[n * SLICES / (samples / 2)][chosen.unwrap_or(0)] += 2;
    }
    for (slice, counts) in counts.iter().enumerate() {
        profile.slices.0.push(Slice::default());
        for (stack, count) in stacks.iter().zip(counts) {
            profile.samples.push(Sample {
                slice: Some(SliceId::new(slice)),
                ..Sample::of(*stack, &[*count])
            });
        }
    }
    profile
}

fn budget(name: &str, own: bool, most: f64) -> Budget {
    let name = Some(Pattern::new(name).expect("a pattern"));
    Budget {
        of: Functions {
            name,
            ..Functions::default()
        },
        own,
        most: Most::Share(most),
    }
}

fn compared(before: &[&Profile], after: &[&Profile], alpha: f64, budgets: &[Budget]) -> Comparison {
    let options = Options {
        alpha,
        permutations: 99,
        prior: Prior {
            functions: 0.001,
            functions_sd: 0.3,
            measured: true,
            ..Prior::default()
        },
        functions: FunctionRules {
            budgets: budgets.to_vec(),
            ..FunctionRules::default()
        },
        ..Options::default()
    };
    compare(before, after, &options).expect("they compare")
}

/// A function that has just what it may is over its budget about as often as is asked for, and no more.
#[test]
fn a_budget_that_is_kept_is_seldom_said_to_be_broken() {
    let times = 300;
    let broken = (0..times)
        .filter(|n| {
            let (before, after) = (run(4_000, 2 * n + 1), run(4_000, 2 * n + 2));
            let comparison = compared(&[&before], &[&after], 0.1, &[budget("step_3", true, 0.2)]);
            comparison.budgets[0].is_broken()
        })
        .count();
    // A tenth of them are 30; more than 46, or fewer than 8, are one in a thousand.
    assert!((8..=46).contains(&broken), "{broken} of {times}");
}

#[test]
fn all_budgets_together_have_one_error_rate() {
    let budgets: Vec<Budget> = (0..10)
        .map(|n| budget(&format!("step_{n}"), true, SHARES[n]))
        .collect();
    let times = 200;
    let broken = (0..times)
        .filter(|n| {
            let (before, after) = (run(4_000, 2 * n + 1), run(4_000, 2 * n + 2));
            let comparison = compared(&[&before], &[&after], 0.1, &budgets);
            comparison.budgets.iter().any(BudgetTest::is_broken)
        })
        .count();
    // 20 are expected at most; 34 are one in a thousand.
    assert!(broken <= 34, "{broken} of {times}");
}

#[test]
fn runs_tell_by_themselves_how_much_a_share_varies() {
    let times = 60;
    let broken = (0..times)
        .filter(|n| {
            let runs: Vec<Profile> = (0..10)
                .map(|number| run(2_000, 10 * n + number + 1))
                .collect();
            let runs: Vec<&Profile> = runs.iter().collect();
            let comparison = compared(&runs[..5], &runs[5..], 0.1, &[budget("step_3", true, 0.2)]);
            comparison.budgets[0].is_broken()
        })
        .count();
    // A tenth of them are 6; 15 are one in a thousand.
    assert!(broken <= 15, "{broken} of {times}");
}

#[test]
fn what_is_over_its_budget_fails_though_nothing_changed() {
    let (before, after) = (run(20_000, 1), run(20_000, 2));
    let verdict = |budgets: &[Budget]| {
        let comparison = compared(&[&before], &[&after], 0.01, budgets);
        assert!(comparison.findings.is_empty());
        (comparison.verdict, comparison.budgets)
    };
    assert_eq!(verdict(&[]).0, Verdict::Ok);
    let (found, tests) = verdict(&[
        budget("step_3", true, 0.15),
        budget("step_3", true, 0.25),
        budget("call_3", false, 0.15),
        budget("call_3", true, 0.001),
        budget("nobody", false, 0.001),
    ]);
    assert_eq!(found, Verdict::Regressed);
    let words: Vec<&str> = tests.iter().map(BudgetTest::word).collect();
    assert_eq!(words, ["broken", "kept", "broken", "kept", "kept"]);
    assert!((tests[0].share - 0.2).abs() < 0.02);
    assert_eq!(tests[3].share, 0.0, "it does nothing itself");
    assert_eq!(tests[4].functions, 0);
}

/// What several functions have together counts once, also where one of them calls another.
#[test]
fn functions_of_one_budget_count_together() {
    let (before, after) = (run(20_000, 1), run(20_000, 2));
    let vendor = |most| Budget {
        of: Functions {
            file: Pattern::new("vendor/*").ok(),
            ..Functions::default()
        },
        own: false,
        most: Most::Share(most),
    };
    let comparison = compared(
        &[&before],
        &[&after],
        0.01,
        &[vendor(0.15), vendor(0.22), budget("*_3", false, 0.25)],
    );
    let tests = &comparison.budgets;
    assert!((tests[2].share - 0.2).abs() < 0.02, "{}", tests[2].share);
    assert_eq!(tests[2].functions, 2);
    assert_eq!(tests[2].word(), "kept");
    assert!((tests[0].share - 0.2).abs() < 0.02, "{}", tests[0].share);
    assert_eq!(tests[0].word(), "broken");
    assert_eq!(tests[1].word(), "kept");
}
