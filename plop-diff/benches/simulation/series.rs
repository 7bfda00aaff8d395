//! Fifty deploys of a service: how often a quiet service is said to have changed, and after how many deploys a creep
//! and a step are found, beside a fixed rule. A folder, where one is named, gets the same series for other tools.

use std::fmt::Write;
use std::path::Path;

use plop_core::Profile;
use plop_diff::stats::share_interval;
use plop_diff::{ChangePoint, Options, Series};
use rayon::prelude::*;

use crate::cell::{Cell, programs};
use crate::program::{Change, Counts, Program, SLICES, name};
use crate::random::Random;

pub(crate) const HEAD: &str = "\
| noise, samples | series | rule | found or false | after deploys: median, most | names the function | culprits hold the deploy | how many culprits |
|---|---|---|---|---|---|---|---|";

const DEPLOYS: usize = 50;
/// The first deploy that is changed.
const ONSET: usize = 30;
/// Slices of a deploy.
const PARTS: usize = 15;
/// From so many deploys on a quiet series is looked at, and how often.
const FIRST_LOOK: usize = 10;
const EVERY: usize = 5;
/// Deploys that a fixed rule compares with.
const RECENT: usize = 8;
/// A creep grows by so much a deploy, for so many deploys; a step by so much.
const CREEP: f64 = 0.003;
const CREEP_DEPLOYS: usize = 10;
const STEP: f64 = 0.01;
/// Functions with a smaller share of their own are no series for other tools and rules.
const LEAST_SHARE: f64 = 0.002;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Quiet,
    Creep,
    Step,
}

/// One service, deploy after deploy.
struct Service {
    deploys: Vec<Profile>,
    /// The own share of each function in each deploy.
    shares: Vec<Vec<f64>>,
}

pub(crate) fn series(cell: Cell, count: usize, folder: Option<&Path>) {
    let programs = programs();
    let of = |trial: usize| &programs[trial % programs.len()];
    type Quiet = (Vec<f64>, Vec<(usize, f64)>, f64);
    let quiet: Vec<Quiet> = (0..count)
        .into_par_iter()
        .map(|trial| {
            let service = Service::record(of(trial), cell, Kind::Quiet, 0, trial);
            service.write(folder, cell, "quiet", trial, None);
            let looks: Vec<Series> = (FIRST_LOOK..=DEPLOYS)
                .step_by(EVERY)
                .map(|deploys| service.look(deploys))
                .collect();
            let strongest = looks
                .iter()
                .map(|look| look.strongest - look.limit)
                .collect();
            let said = (looks.iter().zip((FIRST_LOOK..).step_by(EVERY)))
                .map(|(look, deploys)| (deploys, look.changes.len() as f64))
                .collect();
            (strongest, said, service.largest_growth(of(trial)))
        })
        .collect();
    let rate = |alarms: usize| {
        let [low, high] = share_interval(alarms, count, 0.95);
        let percent = 100.0 * alarms as f64 / count as f64;
        format!(
            "{alarms} of {count}: {percent:.2} % ({:.2}–{:.2})",
            100.0 * low,
            100.0 * high
        )
    };
    let row =
        |series: &str, rule: &str, rest: &str| println!("| {cell} | {series} | {rule} | {rest}");
    let last = |said: &Vec<(usize, f64)>| said.last().is_some_and(|(_, changes)| *changes > 0.0);
    let any = |said: &Vec<(usize, f64)>| said.iter().any(|(_, changes)| *changes > 0.0);
    let at_last = quiet.iter().filter(|(_, said, _)| last(said)).count();
    let at_any = quiet.iter().filter(|(_, said, _)| any(said)).count();
    row(
        "quiet",
        "plop, looked at once, after 50",
        &format!("{} | | | | |", rate(at_last)),
    );
    row(
        "quiet",
        "plop, at every fifth deploy",
        &format!("{} | | | | |", rate(at_any)),
    );
    for (when, of) in [("once", false), ("every fifth", true)] {
        let mut most: Vec<f64> = (quiet.iter())
            .map(|(strongest, ..)| match of {
                true => strongest.iter().copied().fold(f64::MIN, f64::max),
                false => strongest[strongest.len() - 1],
            })
            .collect();
        most.sort_by(f64::total_cmp);
        let at = |part: f64| most[((part * count as f64) as usize).min(count - 1)];
        let rest = format!(
            "median {:.2}, 90 % {:.2}, 99 % {:.2}, most {:.2} | | | | |",
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
        row("quiet", &format!("plop, z − limit, {when}"), &rest);
    }
    let mut growths: Vec<f64> = quiet.iter().map(|(.., growth)| *growth).collect();
    growths.sort_by(|a, b| b.total_cmp(a));
    let limit = growths[count / 100];
    let one_point = growths.iter().filter(|growth| **growth > 0.01).count();
    row(
        "quiet",
        "share grew by over 1 point",
        &format!("{} | | | | |", rate(one_point)),
    );
    for (kind, what) in [(Kind::Creep, "creep"), (Kind::Step, "step")] {
        for size in [0.02, 0.06] {
            let trials = (count / 10).max(15);
            type Found = (Option<(usize, ChangePoint, String)>, Option<usize>);
            let found: Vec<Found> = (0..trials)
                .into_par_iter()
                .map(|trial| {
                    let program = of(trial);
                    let guilty = program.function_of(size);
                    let service = Service::record(program, cell, kind, guilty, trial);
                    let series = format!("{what}-{:.0}", 100.0 * size);
                    service.write(folder, cell, &series, trial, Some(&name(guilty)));
                    let found = (ONSET + 1..=DEPLOYS).find_map(|deploys| {
                        let look = service.look(deploys);
                        let first = look.changes.into_iter().find(ChangePoint::grew)?;
                        Some((deploys - ONSET, first, name(guilty)))
                    });
                    let fixed = (ONSET + 1..=DEPLOYS)
                        .find(|deploys| service.growth(program, *deploys) > limit);
                    (found, fixed.map(|deploys| deploys - ONSET))
                })
                .collect();
            let ours: Vec<&(usize, ChangePoint, String)> = found
                .iter()
                .filter_map(|(found, _)| found.as_ref())
                .collect();
            let share = |is: &dyn Fn(&ChangePoint, &str) -> bool| {
                let right = ours
                    .iter()
                    .filter(|(_, shift, guilty)| is(shift, guilty))
                    .count();
                format!("{right} of {}", ours.len())
            };
            let named = share(&|shift, guilty| {
                shift
                    .what
                    .as_ref()
                    .is_some_and(|what| what.function.name == guilty)
            });
            let held = share(&|shift, _| shift.culprits.contains(&ONSET));
            let culprits = ours
                .iter()
                .map(|(_, shift, _)| shift.culprits.len())
                .sum::<usize>();
            let culprits = culprits as f64 / ours.len().max(1) as f64;
            let series = format!("{what}, {:.0} % function", 100.0 * size);
            row(
                &series,
                "plop",
                &format!(
                    "{} of {trials} | {} | {named} | {held} | {culprits:.1} |",
                    ours.len(),
                    when(ours.iter().map(|(after, ..)| *after).collect())
                ),
            );
            let fixed: Vec<usize> = found.iter().filter_map(|(_, fixed)| *fixed).collect();
            row(
                &series,
                &format!(
                    "share over the last {RECENT} by {:.1} points (1 % on quiet)",
                    100.0 * limit
                ),
                &format!("{} of {trials} | {} | | | |", fixed.len(), when(fixed)),
            );
        }
    }
}

fn when(mut after: Vec<usize>) -> String {
    after.sort_unstable();
    match after.last() {
        None => String::new(),
        Some(most) => format!("{}, {most}", after[after.len() / 2]),
    }
}

impl Service {
    fn record(program: &Program, cell: Cell, kind: Kind, guilty: usize, trial: usize) -> Service {
        let mut random =
            Random::new(0x5e41_0000 + 100_000 * kind as u64 + 1_000 * guilty as u64 + trial as u64);
        let own = program.own_share(guilty);
        let (mut deploys, mut shares) = (Vec::new(), Vec::new());
        for deploy in 0..DEPLOYS {
            let since = (deploy + 1).saturating_sub(ONSET);
            let points = match kind {
                Kind::Quiet => 0.0,
                Kind::Creep => CREEP * since.min(CREEP_DEPLOYS) as f64,
                Kind::Step => STEP * since.min(1) as f64,
            };
            let change = (points > 0.0).then(|| Change::Slower(guilty, 1.0 + points / own));
            let counts = program.record(cell.noise, cell.samples, change, &mut random);
            let mut own = vec![0.0; program.functions];
            for (count, (_, function)) in program.totals(&counts).iter().zip(&program.nodes) {
                own[*function] += count / cell.samples as f64;
            }
            shares.push(own);
            deploys.push(program.profile(&in_parts(&counts, program.nodes.len())));
        }
        Service { deploys, shares }
    }

    /// What plop makes of the first deploys.
    fn look(&self, deploys: usize) -> Series {
        let deploys: Vec<Vec<&Profile>> = self.deploys[..deploys]
            .iter()
            .map(|one| vec![one])
            .collect();
        plop_diff::series(&deploys, &Options::default()).expect("deploys of one program")
    }

    /// By how much a function's share in the last of so many deploys is over that of those before, at most.
    fn growth(&self, program: &Program, deploys: usize) -> f64 {
        let (last, before) = (
            &self.shares[deploys - 1],
            &self.shares[deploys - 1 - RECENT..deploys - 1],
        );
        (0..program.functions)
            .map(|n| last[n] - before.iter().map(|of| of[n]).sum::<f64>() / RECENT as f64)
            .fold(0.0, f64::max)
    }

    fn largest_growth(&self, program: &Program) -> f64 {
        let all = FIRST_LOOK.max(RECENT + 1)..=DEPLOYS;
        all.map(|deploys| self.growth(program, deploys))
            .fold(0.0, f64::max)
    }

    /// Writes the shares of functions as a table for other tools.
    fn write(
        &self,
        folder: Option<&Path>,
        cell: Cell,
        series: &str,
        trial: usize,
        guilty: Option<&str>,
    ) {
        let Some(folder) = folder else { return };
        let noise = format!("{:?}", cell.noise).to_lowercase();
        let folder = folder.join(noise).join(series);
        std::fs::create_dir_all(&folder).expect("the folder takes files");
        let usual = &self.shares[..ONSET];
        let told: Vec<usize> = (0..usual[0].len())
            .filter(|n| {
                usual.iter().map(|of| of[*n]).sum::<f64>() > LEAST_SHARE * usual.len() as f64
            })
            .collect();
        let names: Vec<String> = told.iter().map(|n| name(*n)).collect();
        let mut text = format!("{}\n", names.join(","));
        for shares in &self.shares {
            let shares: Vec<String> = told.iter().map(|n| format!("{:.6}", shares[*n])).collect();
            writeln!(text, "{}", shares.join(",")).expect("memory takes it");
        }
        std::fs::write(folder.join(format!("{trial:04}.csv")), text)
            .expect("the folder takes files");
        if let Some(guilty) = guilty {
            std::fs::write(folder.join(format!("{trial:04}.guilty")), guilty)
                .expect("the folder takes files");
        }
    }
}

/// The same run in fewer slices.
fn in_parts(counts: &Counts, nodes: usize) -> Counts {
    let mut parts = Vec::with_capacity(PARTS * nodes);
    for slices in counts.0.chunks(SLICES / PARTS * nodes) {
        parts.extend((0..nodes).map(|node| slices.iter().skip(node).step_by(nodes).sum::<u32>()));
    }
    Counts(parts)
}
