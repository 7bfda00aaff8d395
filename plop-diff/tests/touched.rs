//! What somebody touched between the builds: which limits that has, and what is told of it.

use plop_core::{Frame, Profile, Sample, Slice, SliceId, StackId, ValueType};
use plop_diff::{Comparison, Kind, Method, Options, Touched, TouchedFunction, compare};

/// Functions `f_0` to `f_59`, each of which calls one of its own, `leaf_0` to `leaf_59`. `factor` tells how many
/// times as much one of them costs.
fn run(slices: usize, seed: u64, factor: impl Fn(&str) -> f64) -> Profile {
    let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
    let names: Vec<[String; 2]> = (0..60)
        .map(|n| [format!("f_{n}"), format!("leaf_{n}")])
        .collect();
    let mut stacks = Vec::new();
    for path in &names {
        let mut stack = StackId::ROOT;
        for name in path {
            let function = profile.function(name.as_bytes(), b"/srv/app.py");
            let frame = profile.frames.intern(Frame::of(function));
            stack = profile.stacks.push(stack, frame);
            stacks.push((stack, 10.0 * factor(name)));
        }
    }
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for slice in 0..slices.max(1) {
        if slices > 0 {
            profile.slices.0.push(Slice::default());
        }
        for (stack, mean) in &stacks {
            let mean = if slices > 0 { *mean } else { 60.0 * mean };
            // About as much noise as counts have: the sum of twelve numbers less their mean.
            let sum: f64 = (0..12)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 11) as f64 / (1u64 << 53) as f64
                })
                .sum();
            let count = (mean + mean.sqrt() * (sum - 6.0)).round().max(0.0) as i64;
            profile.samples.push(Sample {
                slice: (slices > 0).then(|| SliceId::new(slice)),
                ..Sample::of(*stack, &[count])
            });
        }
    }
    profile
}

fn touched(names: &[&str]) -> Options {
    let functions = names.iter().map(|name| TouchedFunction {
        name: (*name).to_owned(),
        file: "/srv/app.py".into(),
        path: "app.py".into(),
        line: 7,
        ..TouchedFunction::default()
    });
    Options {
        permutations: 299,
        touched: Some(Touched {
            range: "v1..HEAD".into(),
            functions: functions.collect(),
        }),
        ..Options::default()
    }
}

/// `runs` of either side, with `leaf_3` so many times as dear after.
fn compared(runs: u64, slices: usize, factor: f64, options: &Options) -> Comparison {
    let side = |first: u64, factor: f64| -> Vec<Profile> {
        let factor = |name: &str| if name == "leaf_3" { factor } else { 1.0 };
        (first..first + runs)
            .map(|seed| run(slices, seed, factor))
            .collect()
    };
    let (before, after) = (side(1, 1.0), side(101, factor));
    let [before, after]: [Vec<&Profile>; 2] = [&before, &after].map(|side| side.iter().collect());
    compare(&before, &after, options).expect("they compare")
}

fn plain() -> Options {
    Options {
        touched: None,
        ..touched(&[])
    }
}

#[test]
fn what_was_touched_has_a_lower_limit_whatever_is_compared() {
    for (runs, slices, factor, method) in [
        (1, 60, 1.5, Method::Slices),
        (1, 0, 3.0, Method::Counts),
        (3, 30, 1.4, Method::Runs),
        (8, 30, 1.2, Method::Runs),
    ] {
        let of = |options: &Options| compared(runs, slices, factor, options);
        let (without, told, elsewhere) = (
            of(&plain()),
            of(&touched(&["leaf_3", "f_9"])),
            of(&touched(&["leaf_8", "f_9"])),
        );
        assert_eq!(told.method, method);
        let limit = |comparison: &Comparison| comparison.findings[0].limit;
        let limits = [limit(&told), limit(&without), limit(&elsewhere)];
        assert!(limits[0] < 0.92 * limits[1], "{method:?} {limits:?}");
        assert!(limits[2] < 1.12 * limits[1], "{method:?} {limits:?}");
        assert!(told.threshold >= without.threshold, "{method:?}");
        for comparison in [&without, &told, &elsewhere] {
            assert_eq!(comparison.findings.len(), 1);
            let function = comparison.findings[0].function as usize;
            assert_eq!(comparison.tree.functions[function].name, "leaf_3");
        }
        let here = told.touched.as_ref().expect("it was told");
        let names: Vec<&str> = (here.functions.iter())
            .map(|(id, _)| told.tree.functions[*id as usize].name.as_str())
            .collect();
        assert_eq!(names, ["leaf_3", "f_9"]);
        let found = told.findings[0].touched.expect("it was touched");
        assert_eq!(here.functions[found].1.name, "leaf_3");
        assert_eq!(elsewhere.findings[0].touched, None);
        let power = told.usual_power().expect("it is told");
        assert!(
            power.touched.expect("it is told") < power.detectable,
            "{method:?}"
        );
        assert_eq!(without.usual_power().and_then(|power| power.touched), None);
    }
}

#[test]
fn a_call_of_a_touched_function_is_touched_as_well() {
    let told = compared(1, 60, 3.0, &touched(&["f_3"]));
    let finding = &told.findings[0];
    assert_eq!(finding.kind, Kind::Own);
    let found = finding.touched.expect("it is called by one");
    let (id, _) = told.touched.expect("it was told").functions[found];
    assert_eq!(told.tree.functions[id as usize].name, "f_3");
    assert_ne!(id, finding.function);
    let without = compared(1, 60, 3.0, &plain());
    assert!(finding.limit < without.findings[0].limit);
}

#[test]
fn where_none_was_touched_or_all_were_all_have_one_limit() {
    let without = compared(1, 60, 3.0, &plain());
    let all: Vec<String> = (0..60)
        .flat_map(|n| [format!("f_{n}"), format!("leaf_{n}")])
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for names in [&[][..], &["elsewhere"], &all] {
        let told = compared(1, 60, 3.0, &touched(names));
        assert_eq!(told.findings[0].limit, without.findings[0].limit);
        assert_eq!(told.findings[0].interval, without.findings[0].interval);
        let here = told.touched.expect("it was told");
        assert_eq!(here.hypotheses, 0);
        assert_eq!(here.functions.is_empty(), names.len() < 2);
    }
}
