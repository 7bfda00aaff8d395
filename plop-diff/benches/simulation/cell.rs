//! One kind of comparison of the table: which noise, how many samples, what is known of the service.

use std::fmt;

use plop_core::Profile;
use plop_diff::{Comparison, Options, Prior, Touched, TouchedFunction, calibrate, compare};
use rayon::prelude::*;

use crate::program::{Change, Counts, Program, name};
use crate::random::Random;

const PROGRAMS: u64 = 3;
/// How many calibrations of each program are made, and of how many runs each.
const CALIBRATIONS: usize = 6;
const CALIBRATED_BY: usize = 8;
/// How many functions a commit touches.
const TOUCHED: usize = 5;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Noise {
    Iid,
    Sticky,
    Run,
}

/// What is compared with what.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Design {
    /// One run with one, of which nothing else is known.
    Plain,
    /// One run with one, after `plop calibrate` of others.
    Calibrated,
    /// One run with eight of earlier deploys.
    History,
    /// Eight runs with eight.
    Replicates,
}

/// What is told of functions that were touched.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Told {
    Nothing,
    /// Some, the guilty one among them.
    Guilty,
    /// Some others.
    Others,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cell {
    pub(crate) noise: Noise,
    /// Samples of a run before.
    pub(crate) samples: usize,
    /// Samples of a run after.
    pub(crate) samples_after: usize,
    pub(crate) design: Design,
    pub(crate) told: Told,
}

impl Cell {
    pub(crate) fn parse(text: &str) -> Option<Cell> {
        let told = |ending, told| Some((text.strip_suffix(ending)?, told));
        let (text, told) = told(":touched", Told::Guilty)
            .or_else(|| told(":elsewhere", Told::Others))
            .unwrap_or((text, Told::Nothing));
        let (text, design) = text.split_once(':').unwrap_or((text, "plain"));
        let (noise, samples) = text.split_once('-')?;
        let (before, after) = samples.split_once('/').unwrap_or((samples, samples));
        let thousands = |text: &str| Some(text.strip_suffix('k')?.parse::<usize>().ok()? * 1000);
        Some(Cell {
            noise: match noise {
                "iid" => Noise::Iid,
                "sticky" => Noise::Sticky,
                "run" => Noise::Run,
                _ => return None,
            },
            samples: thousands(before)?,
            samples_after: thousands(after)?,
            design: match design {
                "plain" => Design::Plain,
                "calibrated" => Design::Calibrated,
                "history" => Design::History,
                "replicates" => Design::Replicates,
                _ => return None,
            },
            told,
        })
    }

    /// How many runs there are on each side.
    pub(crate) fn runs(self) -> [usize; 2] {
        match self.design {
            Design::Plain | Design::Calibrated => [1, 1],
            Design::History => [8, 1],
            Design::Replicates => [8, 8],
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let noise = match self.noise {
            Noise::Iid => "iid",
            Noise::Sticky => "sticky",
            Noise::Run => "run",
        };
        let design = match self.design {
            Design::Plain => "plain",
            Design::Calibrated => "calibrated",
            Design::History => "history",
            Design::Replicates => "replicates",
        };
        let told = match self.told {
            Told::Nothing => "",
            Told::Guilty => ", touched",
            Told::Others => ", touched elsewhere",
        };
        let [before, after] = [self.samples, self.samples_after].map(|samples| samples / 1000);
        let samples = match before == after {
            true => format!("{before}k"),
            false => format!("{before}k and {after}k"),
        };
        write!(f, "{noise} {samples} | {design}{told}")
    }
}

/// The programs of a cell, and what is known of each.
pub(crate) struct Bench {
    pub(crate) cell: Cell,
    pub(crate) programs: Vec<Program>,
    /// For each program, what calibrations tell.
    priors: Vec<Vec<Prior>>,
    /// For each program, how many sets of stacks a comparison weighs.
    pub(crate) hypotheses: Vec<usize>,
}

impl Bench {
    pub(crate) fn of(cell: Cell) -> Bench {
        let programs = programs();
        let priors = programs
            .iter()
            .map(|program| priors(cell, program))
            .collect();
        let mut bench = Bench {
            cell,
            programs,
            priors,
            hypotheses: Vec::new(),
        };
        bench.hypotheses = (0..bench.programs.len())
            .map(|n| {
                let sides = bench.sides(n, [None, None], &mut Random::new(0x5e7));
                bench.compare(n, &sides, 0.0).hypotheses
            })
            .collect();
        bench
    }

    /// The program of a trial.
    pub(crate) fn program(&self, trial: usize) -> &Program {
        &self.programs[trial % self.programs.len()]
    }

    /// Runs of both sides, of builds that do these things differently.
    pub(crate) fn sides(
        &self,
        trial: usize,
        changes: [Option<Change>; 2],
        random: &mut Random,
    ) -> [Vec<Profile>; 2] {
        let program = self.program(trial);
        let counts = self.counts(trial, changes, random);
        counts.map(|side| side.iter().map(|counts| program.profile(counts)).collect())
    }

    /// The samples of these.
    pub(crate) fn counts(
        &self,
        trial: usize,
        changes: [Option<Change>; 2],
        random: &mut Random,
    ) -> [Vec<Counts>; 2] {
        let program = self.program(trial);
        let [before, after] = self.cell.runs();
        let Cell {
            noise,
            samples,
            samples_after,
            ..
        } = self.cell;
        [
            (before, samples, changes[0]),
            (after, samples_after, changes[1]),
        ]
        .map(|(runs, samples, change)| {
            (0..runs)
                .map(|_| program.record(noise, samples, change, random))
                .collect()
        })
    }

    pub(crate) fn compare(
        &self,
        trial: usize,
        sides: &[Vec<Profile>; 2],
        min_effect: f64,
    ) -> Comparison {
        self.compare_told(trial, sides, min_effect, None)
    }

    /// The same where a function was changed: where touched ones are told, it is among them.
    pub(crate) fn compare_told(
        &self,
        trial: usize,
        sides: &[Vec<Profile>; 2],
        min_effect: f64,
        changed: Option<usize>,
    ) -> Comparison {
        let priors = &self.priors[trial % self.programs.len()];
        let prior = match priors.len() {
            0 => Prior::default(),
            count => priors[trial / self.programs.len() % count],
        };
        let options = Options {
            permutations: 299,
            min_effect,
            prior,
            touched: match self.cell.told {
                Told::Nothing => None,
                Told::Guilty => Some(self.touched(trial, changed)),
                Told::Others => Some(self.touched(trial, None)),
            },
            ..Options::default()
        };
        let [before, after] = sides.each_ref().map(|side| side.iter().collect::<Vec<_>>());
        compare(&before, &after, &options).expect("runs of one program compare")
    }
}

impl Bench {
    /// So many functions by chance, and the one that was changed in the place of one.
    fn touched(&self, trial: usize, changed: Option<usize>) -> Touched {
        let functions = self.program(trial).functions;
        let mut random = Random::new(0x70_c4ed_0000 + trial as u64);
        let mut chosen: Vec<usize> = (0..TOUCHED).map(|_| random.below(functions)).collect();
        chosen.splice(..usize::from(changed.is_some()), changed);
        let touched = chosen.into_iter().map(|function| TouchedFunction {
            name: name(function),
            file: "app.py".into(),
            ..TouchedFunction::default()
        });
        Touched {
            range: String::new(),
            functions: touched.collect(),
        }
    }
}

pub(crate) fn programs() -> Vec<Program> {
    (0..PROGRAMS).map(Program::random).collect()
}

/// What calibrations of a program tell, each of other runs.
fn priors(cell: Cell, program: &Program) -> Vec<Prior> {
    if cell.design != Design::Calibrated {
        return Vec::new();
    }
    (0..CALIBRATIONS)
        .into_par_iter()
        .map(|n| {
            let mut random = Random::new(0xca11_0000 + n as u64);
            let runs: Vec<Profile> = (0..CALIBRATED_BY)
                .map(|_| {
                    let counts = program.record(cell.noise, cell.samples, None, &mut random);
                    program.profile(&counts)
                })
                .collect();
            let runs: Vec<&Profile> = runs.iter().collect();
            let calibration = calibrate(&runs, &Options::default()).expect("there are enough runs");
            calibration.prior()
        })
        .collect()
}
