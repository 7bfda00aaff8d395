//! Builds of which three in ten functions have another name, file or hash, or a wrapper more or less: what that costs in
//! alarms and in power, beside the same samples without any of it.

use std::collections::HashMap;

use plop_core::Profile;
use plop_diff::{Comparison, stats::share_interval};
use rayon::prelude::*;

use crate::cell::{Bench, Cell};
use crate::program::{Change, Counts, Dress, Program};
use crate::random::Random;

/// The share of functions that are called differently.
const CHURN: f64 = 0.3;
/// The guilty function's own share.
const SIZE: f64 = 0.06;
/// Fewer samples do not tell a function.
const VISIBLE: f64 = 5.0;

pub(crate) const HEAD: &str = "\
| noise, samples | compared | trials | alarms without | alarms | points | untouched found: without, with | renamed found: without, with | matched | of their cost | wrongly | claimed without |
|---|---|---|---|---|---|---|---|---|---|---|---|";

/// What is done to a function's name.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Deed {
    Nothing,
    Moved,
    OneWord,
    /// A suffix that no rule knows.
    Suffix,
    Hash,
    Lambda,
    AllNew,
    Wrapped,
    Unwrapped,
}

const DEEDS: [Deed; 8] = [
    Deed::Moved,
    Deed::OneWord,
    Deed::Suffix,
    Deed::Hash,
    Deed::Lambda,
    Deed::AllNew,
    Deed::Wrapped,
    Deed::Unwrapped,
];

const VERBS: [&str; 24] = [
    "get", "set", "load", "save", "parse", "render", "build", "check", "find", "list", "update",
    "remove", "create", "read", "write", "encode", "decode", "merge", "split", "send", "fetch",
    "apply", "init", "run",
];
const NOUNS: [&str; 40] = [
    "user", "row", "page", "cart", "item", "price", "order", "token", "session", "cache", "query",
    "table", "field", "form", "file", "path", "node", "tree", "list", "map", "key", "value",
    "header", "body", "request", "response", "template", "block", "tag", "filter", "index",
    "record", "batch", "job", "queue", "event", "log", "config", "rule", "stock",
];
const FILES: [&str; 10] = [
    "app/views.py",
    "app/models.py",
    "app/forms.py",
    "core/db.py",
    "core/cache.py",
    "lib/text.py",
    "lib/html.py",
    "jobs/worker.py",
    "api/rest.py",
    "util/misc.py",
];

/// What functions are called, before and after.
struct Names {
    deeds: Vec<Deed>,
    frames: [Vec<Vec<(String, String)>>; 2],
}

impl Names {
    fn random(functions: usize, deeds: Vec<Deed>, random: &mut Random) -> Names {
        let mut taken: HashMap<String, ()> = HashMap::new();
        let mut of = |words: usize, random: &mut Random| -> String {
            loop {
                let mut name = VERBS[random.below(VERBS.len())].to_owned();
                for _ in 0..words {
                    name = format!("{name}_{}", NOUNS[random.below(NOUNS.len())]);
                }
                if taken.insert(name.clone(), ()).is_none() {
                    return name;
                }
            }
        };
        let mut frames = [Vec::new(), Vec::new()];
        for deed in deeds.iter().take(functions) {
            let name = of(1 + random.below(2), random);
            let file = FILES[random.below(FILES.len())].to_owned();
            let letters = |random: &mut Random, from: &str| -> String {
                (0..8)
                    .map(|_| from.as_bytes()[random.below(from.len())] as char)
                    .collect()
            };
            let wrapper = (of(2, random), FILES[random.below(FILES.len())].to_owned());
            let same = (name.clone(), file.clone());
            let [before, after] = match deed {
                Deed::Nothing => [vec![same.clone()], vec![same]],
                Deed::Moved => [
                    vec![same],
                    vec![(name, format!("new/{}", FILES[random.below(FILES.len())]))],
                ],
                Deed::OneWord => {
                    let kept = name.rsplit_once('_').map_or("", |(kept, _)| kept);
                    let other = format!(
                        "{kept}_{}{}",
                        NOUNS[random.below(NOUNS.len())],
                        random.below(90)
                    );
                    [vec![same], vec![(other, file)]]
                }
                Deed::Suffix => [1, 2].map(|_| {
                    vec![(
                        format!("{name}${}", letters(random, "ghijklmnopqr")),
                        file.clone(),
                    )]
                }),
                Deed::Hash => [1, 2].map(|_| {
                    vec![(
                        format!("{name}_1{}", letters(random, "0123456789abcdef")),
                        file.clone(),
                    )]
                }),
                Deed::Lambda => [1, 2]
                    .map(|_| vec![(format!("lambda${name}${}", random.below(50)), file.clone())]),
                Deed::AllNew => [vec![same], vec![(of(2, random), "new/place.py".to_owned())]],
                Deed::Wrapped => [vec![same.clone()], vec![wrapper, same]],
                Deed::Unwrapped => [vec![wrapper, same.clone()], vec![same]],
            };
            frames[0].push(before);
            frames[1].push(after);
        }
        Names { deeds, frames }
    }

    /// What a build calls a function itself.
    fn name(&self, side: usize, function: usize) -> &str {
        let frames = &self.frames[side][function];
        &frames[frames.len() - 1].0
    }

    fn dresses(&self, program: &Program) -> [Dress; 2] {
        [0, 1].map(|side| {
            Dress::of(&program.nodes, |function| {
                self.frames[side][function].clone()
            })
        })
    }
}

/// What became of one pair of runs.
#[derive(Default)]
struct Trial {
    alarm: bool,
    found: bool,
    /// Functions that are there on both sides under two names, and their samples.
    visible: (f64, f64),
    matched: (f64, f64),
    wrongly: usize,
    claimed: usize,
}

pub(crate) fn churn(cell: Cell, count: usize) {
    let bench = Bench::of(cell);
    let points = if cell.samples < 100_000 { 0.06 } else { 0.03 };
    let guilty: Vec<usize> = (bench.programs.iter())
        .map(|program| program.function_of(SIZE))
        .collect();
    let of = |deed: Option<Deed>, seed: u64, count: usize| -> Vec<[Trial; 2]> {
        let trials = (0..count).into_par_iter();
        trials
            .map(|trial| {
                pair(
                    &bench,
                    trial,
                    guilty[trial % guilty.len()],
                    deed.map(|deed| (deed, points)),
                    seed,
                )
            })
            .collect()
    };
    let quiet = of(None, 0xc400_0000, count);
    let untouched = of(Some(Deed::Nothing), 0xc500_0000, count / 2);
    let renamed = of(Some(Deed::OneWord), 0xc600_0000, count / 2);
    let alarms = |n: usize| {
        let alarms = quiet.iter().filter(|trial| trial[n].alarm).count();
        let [low, high] = share_interval(alarms, count, 0.95);
        format!(
            "{:.2} % ({:.1}–{:.1})",
            100.0 * alarms as f64 / count as f64,
            100.0 * low,
            100.0 * high
        )
    };
    let found = |trials: &[[Trial; 2]]| {
        let share = |n: usize| {
            let found = trials.iter().filter(|trial| trial[n].found).count();
            100.0 * found as f64 / trials.len() as f64
        };
        format!("{:.1} %, {:.1} %", share(0), share(1))
    };
    let sum =
        |of: &dyn Fn(&Trial) -> f64, n: usize| quiet.iter().map(|trial| of(&trial[n])).sum::<f64>();
    println!(
        "| {cell} | {count} | {} | {} | {:.0} | {} | {} | {:.1} % | {:.1} % | {:.2} % | {:.3} |",
        alarms(0),
        alarms(1),
        100.0 * points,
        found(&untouched),
        found(&renamed),
        100.0 * sum(&|t| t.matched.0, 1) / sum(&|t| t.visible.0, 1),
        100.0 * sum(&|t| t.matched.1, 1) / sum(&|t| t.visible.1, 1),
        100.0 * sum(&|t| t.wrongly as f64, 1) / sum(&|t| t.claimed as f64, 1),
        sum(&|t| t.claimed as f64, 0) / count as f64,
    );
}

/// The same samples compared without churn and with it. With an injection, the guilty function's name has this done to it.
fn pair(
    bench: &Bench,
    trial: usize,
    guilty: usize,
    injected: Option<(Deed, f64)>,
    seed: u64,
) -> [Trial; 2] {
    let program = bench.program(trial);
    let mut random = Random::new(seed + trial as u64);
    let change = injected
        .map(|(_, points)| Change::Slower(guilty, 1.0 + points / program.own_share(guilty)));
    let counts = bench.counts(trial, [None, change], &mut random);
    let mut deeds: Vec<Deed> = (0..program.functions)
        .map(|_| match random.unit() < CHURN {
            true => DEEDS[random.below(DEEDS.len())],
            false => Deed::Nothing,
        })
        .collect();
    // Nothing calls the first, so that nothing can be wrapped around it.
    deeds[0] = Deed::Nothing;
    if let Some((deed, _)) = injected {
        deeds[guilty] = deed;
    }
    let none = vec![Deed::Nothing; deeds.len()];
    [none, deeds].map(|deeds| {
        let names = Names::random(
            program.functions,
            deeds,
            &mut Random::new(seed ^ trial as u64),
        );
        let dresses = names.dresses(program);
        let sides: [Vec<Profile>; 2] = [0, 1].map(|side| {
            let runs = counts[side].iter();
            runs.map(|counts| program.profile_as(&dresses[side], counts))
                .collect()
        });
        let comparison = bench.compare(trial, &sides, 0.0);
        told(program, &names, &counts, &comparison, guilty)
    })
}

fn told(
    program: &Program,
    names: &Names,
    counts: &[Vec<Counts>; 2],
    comparison: &Comparison,
    guilty: usize,
) -> Trial {
    let of = |id: u32| &comparison.tree.functions[id as usize];
    let grown = || comparison.findings.iter().filter(|finding| finding.grew());
    let mut trial = Trial {
        alarm: grown().next().is_some(),
        found: grown().any(|finding| {
            let mut ids = std::iter::once(finding.function).chain(finding.also.iter().copied());
            ids.any(|id| of(id).raw[1] == names.name(1, guilty))
        }),
        ..Trial::default()
    };
    let mut own = [0, 1].map(|_| vec![0.0; program.functions]);
    for (own, runs) in own.iter_mut().zip(counts) {
        for counts in runs {
            let mut totals = program.totals(counts);
            for node in (0..totals.len()).rev() {
                let (caller, function) = program.nodes[node];
                own[function] += totals[node];
                if node > 0 {
                    totals[caller] += totals[node];
                }
            }
        }
    }
    let by_name: [HashMap<&str, usize>; 2] = [0, 1].map(|side| {
        (0..program.functions)
            .map(|function| (names.name(side, function), function))
            .collect()
    });
    let mut is_matched = vec![false; program.functions];
    for renamed in &comparison.tree.renamed {
        let raw = &of(renamed.function).raw;
        let [before, after] = [0, 1].map(|side| by_name[side].get(raw[side].as_str()));
        trial.claimed += 1;
        match before {
            Some(function) if before == after => is_matched[*function] = true,
            _ => trial.wrongly += 1,
        }
    }
    for function in 0..program.functions {
        let changed = matches!(
            names.deeds[function],
            Deed::Moved | Deed::OneWord | Deed::Suffix | Deed::AllNew
        );
        if changed && own.iter().all(|own| own[function] >= VISIBLE) {
            let samples = own[0][function] + own[1][function];
            trial.visible.0 += 1.0;
            trial.visible.1 += samples;
            if is_matched[function] {
                trial.matched.0 += 1.0;
                trial.matched.1 += samples;
            }
        }
    }
    trial
}
