//! Runs whose samples are known, and what a comparison of them tells.

use plop_core::{Frame, Profile, Sample, Slice, SliceId, StackId, ValueType};
use plop_diff::{Comparison, Options, Verdict, compare};

/// The samples of each path, such as `main;parse`.
pub(crate) type Counts = Vec<(String, f64)>;

/// A run without noise but that of rounding: every slice has its part of the samples of every path. There may be none.
pub(crate) fn run(counts: &[(String, f64)], slices: usize) -> Profile {
    let parts = slices.max(1);
    let part = |part: usize| {
        let up_to = |count: f64, n: usize| (count * n as f64 / parts as f64).round();
        let of_path = |(path, count): &(String, f64)| {
            (path.clone(), up_to(*count, part + 1) - up_to(*count, part))
        };
        counts.iter().map(of_path).collect()
    };
    of_parts(&(0..parts).map(part).collect::<Vec<_>>(), slices > 0)
}

/// A run with these samples in each slice, or in one whole without slices.
fn of_parts(parts: &[Counts], are_slices: bool) -> Profile {
    let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
    for (part, counts) in parts.iter().enumerate() {
        if are_slices {
            profile.slices.0.push(Slice::default());
        }
        for (path, count) in counts.iter().filter(|(_, count)| *count > 0.0) {
            let stack = path.split(';').fold(StackId::ROOT, |caller, name| {
                let function = profile.function(name.as_bytes(), b"app.py");
                let frame = profile.frames.intern(Frame::of(function));
                profile.stacks.push(caller, frame)
            });
            profile.samples.push(Sample {
                slice: are_slices.then(|| SliceId::new(part)),
                ..Sample::of(stack, &[*count as i64])
            });
        }
    }
    profile.check().expect("the profile is sound");
    profile
}

/// A run of 80 slices whose samples were drawn by chance, each time the same.
pub(crate) fn drawn(counts: &[(String, f64)], seed: u64) -> Profile {
    let all: f64 = counts.iter().map(|(_, count)| count).sum();
    // The generator of Steele, Lea and Flood (SplitMix64).
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as f64 / 2f64.powi(64)
    };
    let slices: Vec<Counts> = (0..80)
        .map(|_| {
            let mut drawn = times(&counts.to_vec(), |_| 0.0);
            for _ in 0..(all / 80.0).round() as usize {
                let mut left = uniform() * all;
                let at = counts.iter().position(|(_, count)| {
                    left -= count;
                    left < 0.0
                });
                drawn[at.unwrap_or(0)].1 += 1.0;
            }
            drawn
        })
        .collect();
    of_parts(&slices, true)
}

/// `count` functions called by `caller`, each with so many samples.
pub(crate) fn alike(caller: &str, name: &str, count: usize, samples: f64) -> Counts {
    (0..count)
        .map(|n| (format!("{caller};{name}_{n}"), samples))
        .collect()
}

/// The same paths with other samples where `factor` says so.
pub(crate) fn times(counts: &Counts, factor: impl Fn(&str) -> f64) -> Counts {
    (counts.iter())
        .map(|(path, samples)| (path.clone(), samples * factor(path)))
        .collect()
}

pub(crate) fn compared(before: &Counts, after: &Counts) -> Comparison {
    let (before, after) = (run(before, 80), run(after, 80));
    let comparison = compare(&[&before], &[&after], &Options::default()).expect("they compare");
    // Where there is no verdict, a warning says why.
    let forbids = comparison.warnings.iter().any(|warning| warning.forbids);
    assert_eq!(comparison.verdict == Verdict::Inconclusive, forbids);
    comparison
}

/// Each finding's function, and by how many points it grew.
pub(crate) fn told(comparison: &Comparison) -> Vec<(&str, f64)> {
    (comparison.findings.iter())
        .map(|finding| {
            let function = &comparison.tree.functions[finding.function as usize];
            (function.name.as_str(), 100.0 * finding.points)
        })
        .collect()
}

/// Runs of a build that differ by a few hundredths in each function, and by a thousandth in what a unit of work costs.
pub(crate) fn varied(counts: &Counts, first: usize, runs: usize, seconds: f64) -> Vec<Profile> {
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

/// The same runs, as of a program that counts no work.
pub(crate) fn uncounted(mut runs: Vec<Profile>) -> Vec<Profile> {
    runs.iter_mut().for_each(|run| run.meta.work.clear());
    runs
}

pub(crate) fn compared_runs(before: &[Profile], after: &[Profile]) -> Comparison {
    let [before, after] = [before, after].map(|runs| runs.iter().collect::<Vec<_>>());
    let comparison = compare(&before, &after, &Options::default()).expect("they compare");
    // Where there is no verdict, a warning says why.
    let forbids = comparison.warnings.iter().any(|warning| warning.forbids);
    assert_eq!(comparison.verdict == Verdict::Inconclusive, forbids);
    comparison
}
