//! Profiles of one program by different interpreters and profilers: the functions are found to be the same.

use std::path::Path;

use crate::Place;

/// For both sides, the share of samples in stacks that the other side has, too; and all that was written.
fn matched(before: &str, after: &str) -> ([f64; 2], String) {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let [before, after] = [before, after].map(|name| testdata.join(name).display().to_string());
    let told = Place::new().diff(&format!("-q -f folded-diff {before} {after}"));
    let (mut all, mut common) = ([0.0; 2], [0.0; 2]);
    for line in told.stdout.lines() {
        let mut words = line.rsplitn(3, ' ');
        let mut number = || -> f64 { words.next().unwrap().parse().unwrap() };
        let counts = [number(), number()];
        for (side, count) in [counts[1], counts[0]].into_iter().enumerate() {
            all[side] += count;
            if counts[0] > 0.0 && counts[1] > 0.0 {
                common[side] += count;
            }
        }
    }
    assert!(
        all[0] > 0.0 && all[1] > 0.0,
        "{before} {after}: {}",
        told.stderr
    );
    ([common[0] / all[0], common[1] / all[1]], told.stdout)
}

#[test]
fn one_program_has_the_same_stacks_whoever_recorded_it() {
    for (before, after) in [
        // Python 2.7 and 3.11, by the original Plop, whose own frames differ as well.
        ("plop/work-0.3.0-py27.plop", "plop/work-py311.plop"),
        ("plop/names-py27.plop", "plop/names-py311.plop"),
        // Bare names and whole paths; qualified names and the ends of paths.
        ("plop/work-0.3.0-py27.plop", "folded/work.folded"),
        ("folded/work.folded", "plop/work-py311.plop"),
        ("folded/work.folded", "speedscope/work.speedscope.json"),
        ("folded/work.folded", "austin/work-wall.austin"),
        ("plop/work-py311.plop", "austin/work-wall.austin"),
        ("plop-flame/work-py311.flame", "plop/work-py311.plop"),
        (
            "pprof/austin-wall.pprof",
            "speedscope/austin-wall.speedscope.json",
        ),
    ] {
        for (before, after) in [(before, after), (after, before)] {
            let (shares, stacks) = matched(before, after);
            // What was met once or twice is not in both.
            assert!(
                shares.iter().all(|share| *share > 0.9),
                "{before} {after}: {shares:?}\n{stacks}"
            );
        }
    }
}

#[test]
fn frames_of_profilers_and_launchers_are_left_out() {
    let (_, stacks) = matched("plop/work-0.3.0-py27.plop", "plop/work-py311.plop");
    for gone in ["collector.py", "runpy", "__bootstrap", "listcomp"] {
        assert!(!stacks.contains(gone), "{gone}: {stacks}");
    }
    assert!(
        stacks.contains("_bootstrap ("),
        "threads begin alike: {stacks}"
    );
}
