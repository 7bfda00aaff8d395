//! A service over many deploys: what each cost, and at which of them something changed for good. A creep that no
//! two deploys show is there to be seen when all are looked at together.

use plop_core::{Error, Profile, Result};
use rayon::prelude::*;

use crate::compare::Options;
use crate::comparison::Mode;
use crate::prepared::prepared;
use crate::renames::Renames;
use crate::runs::Runs;
use crate::series_names::renamed;
use crate::sets::{Kind, Set};
use crate::stats::{t_upper_quantile, upper_quantile};
use crate::total;
use crate::tree::{Function, Tree};
use crate::weigh::Weights;

/// So many deploys are needed to look for what changed.
pub const FEWEST_DEPLOYS: usize = 8;
/// A change has so many deploys before it.
const BEFORE: usize = 3;
/// How slowly a change comes: at once, or over so many deploys.
const RAMPS: [usize; 4] = [1, 5, 10, 20];
/// Onsets whose z² is so near to that of the best may be the true one.
const NEAR: f64 = 6.0;
/// How much higher the limit is than independent normal variables would ask for: variances are estimated, and the
/// series is looked at anew after each deploy.
const HEAVIER: f64 = 1.2;
/// Which part of the error rate is spent on the whole.
const TOTAL_SHARE: f64 = 0.2;
/// How many degrees of freedom the trend counts for beside a set's own deploys, and how many each of those does: its
/// variance is told by the middle difference of two deploys, which slow changes do not spoil.
const PRIOR_DF: f64 = 30.0;
const DF_OF_DEPLOY: f64 = 0.5;
/// No set varies less than this part of the trend.
const LEAST: f64 = 0.9;
/// The middle of the absolute values of a normal variable.
const MIDDLE: f64 = 0.6745;
/// So many changes are told.
const MOST_CHANGES: usize = 5;
/// A set within the strongest that is nearly as strong is the better name.
const NEARLY: f64 = 0.97;
/// So many deploys tell what was before.
const RECENT: usize = 8;
/// A normal variable is within this many standard deviations 95 times in 100.
const LIKELY: f64 = 1.96;

/// Deploys in the order of time.
#[derive(Clone, Debug)]
pub struct Series {
    /// The kind of value that is looked at.
    pub value: String,
    /// What totals are in: `ns/requests` or `CPU`; empty where there are none.
    pub unit: String,
    /// Whether changes of the whole are looked for: CPU time an hour says little where the load may differ.
    pub total_tested: bool,
    /// The deploys.
    pub deploys: Vec<Deploy>,
    /// All functions that are looked at, those with the largest share first.
    pub functions: Vec<Tracked>,
    /// What changed, the surest first.
    pub changes: Vec<ChangePoint>,
    /// How many sets of stacks were looked at, with four shapes of change each.
    pub hypotheses: usize,
    /// The limit for z, and the largest z that there was.
    pub limit: f64,
    /// See `limit`.
    pub strongest: f64,
    /// How many kinds of requests were told apart.
    pub kinds: usize,
}

/// One deploy.
#[derive(Clone, PartialEq, Debug)]
pub struct Deploy {
    /// How many samples it has.
    pub samples: f64,
    /// What it cost by exact counters.
    pub total: Option<Estimate>,
}

/// A number and where it is with 95 % confidence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// From where to where it may be.
    pub interval: [f64; 2],
}

/// A function over all deploys.
#[derive(Clone, PartialEq, Debug)]
pub struct Tracked {
    /// The function.
    pub function: Function,
    /// Itself, or with all that it calls.
    pub kind: Kind,
    /// Its share of each deploy, if kinds of requests had come as often as in all deploys together.
    pub shares: Vec<Estimate>,
}

/// Something that changed at a deploy and stayed.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangePoint {
    /// What changed; nothing for the whole.
    pub what: Option<What>,
    /// The first deploy that has it, and all that may be this deploy.
    pub onset: usize,
    /// See `onset`.
    pub culprits: Vec<usize>,
    /// Over how many deploys it came; 1 is at once.
    pub over: usize,
    /// How sure it is, in standard deviations; below zero where it shrank.
    pub z: f64,
    /// The share before, or the cost of the whole.
    pub before: f64,
    /// By how much it changed up to the last deploy, in shares, or relative to `before` for the whole; the interval
    /// holds for all that is looked at together.
    pub change: Estimate,
}

/// The set of stacks that changed.
#[derive(Clone, PartialEq, Debug)]
pub struct What {
    /// What kind of set.
    pub kind: Kind,
    /// The function.
    pub function: Function,
    /// For a call, who calls.
    pub caller: Option<Function>,
    /// For a place, the functions down to it, by their names for people.
    pub path: Vec<String>,
}

impl ChangePoint {
    /// Whether it became dearer.
    pub fn grew(&self) -> bool {
        self.z > 0.0
    }
}

/// Looks at deploys, each of one profile or several, in the order of time.
///
/// # Errors
/// When there is none, one has no samples, or they have no value in common.
pub fn series(deploys: &[Vec<&Profile>], options: &Options) -> Result<Series> {
    if deploys.is_empty() {
        return Err(Error::new("there is no deploy"));
    }
    let renamed = renamed(deploys, options);
    let renamed: Option<Vec<Vec<&Profile>>> =
        (renamed.as_ref()).map(|all| all.iter().map(|deploy| deploy.iter().collect()).collect());
    let deploys = renamed.as_deref().unwrap_or(deploys);
    let ready = prepared(
        deploys,
        &[],
        &Options {
            renames: Renames::default(),
            ..options.clone()
        },
    )?;
    let (tree, sets) = (&ready.tree, &ready.sets[..]);
    let weights = Weights::of(tree, sets, &ready.strata);
    let lines = Lines::of(&weights, deploys.len())?;
    let (mode, whole) = total::normalized(deploys, &[], options, &mut Vec::new());
    // Two deploys hardly tell how much totals differ.
    let whole = whole.filter(|_| deploys.len() > 2);
    let total_tested = whole.is_some() && matches!(mode, Mode::Work | Mode::Time);
    let logs = whole.as_ref().map(|whole| Line::of_logs(&whole.logs[0]));
    let limit = limit(options.alpha * (1.0 - TOTAL_SHARE), sets.len());
    let (mut changes, strongest) = match deploys.len() >= FEWEST_DEPLOYS {
        true => lines.shifts(tree, sets, limit),
        false => (Vec::new(), 0.0),
    };
    if let Some(line) = logs
        .as_ref()
        .filter(|_| total_tested && deploys.len() >= FEWEST_DEPLOYS)
    {
        changes.extend(shift_of_total(line, TOTAL_SHARE * options.alpha));
    }
    changes.sort_by(|a, b| b.z.abs().total_cmp(&a.z.abs()));
    let deploys = (0..deploys.len())
        .map(|n| Deploy {
            samples: lines.samples[n],
            total: logs.as_ref().map(|line| {
                let margin = LIKELY * line.variances[n].sqrt();
                let at = |log: f64| log.exp();
                Estimate {
                    value: at(line.values[n]),
                    interval: [at(line.values[n] - margin), at(line.values[n] + margin)],
                }
            }),
        })
        .collect();
    Ok(Series {
        value: ready.value.kind.clone(),
        unit: whole.map_or_else(String::new, |whole| whole.total.unit),
        total_tested,
        deploys,
        functions: lines.functions(tree, sets),
        changes,
        hypotheses: sets.len(),
        limit,
        strongest,
        kinds: ready.strata.count,
    })
}

/// The limit for z either way, over so many sets, shapes and onsets.
fn limit(alpha: f64, sets: usize) -> f64 {
    upper_quantile(alpha / (2.0 * (sets.max(1) * RAMPS.len()) as f64)) + HEAVIER
}

/// One number over all deploys, with its variance.
struct Line {
    values: Vec<f64>,
    variances: Vec<f64>,
}

/// A change as it comes: how much of it each deploy has.
struct Shape {
    onset: usize,
    over: usize,
    parts: Vec<f64>,
}

/// How well a shape fits a line: z, the size of the change, and the standard error of that.
#[derive(Clone, Copy, Default)]
struct Fit {
    z: f64,
    size: f64,
    error: f64,
}

/// All changes that are looked for among so many deploys.
fn shapes(deploys: usize) -> Vec<Shape> {
    let mut all = Vec::new();
    for onset in BEFORE..deploys {
        for over in RAMPS {
            // One deploy does not tell how a change comes.
            if over == 1 || onset + 1 < deploys {
                let part =
                    |n: usize| ((n + 1).saturating_sub(onset)).min(over) as f64 / over as f64;
                all.push(Shape {
                    onset,
                    over,
                    parts: (0..deploys).map(part).collect(),
                });
            }
        }
    }
    all
}

impl Line {
    /// Logarithms of costs, which nothing but themselves tells the variance of.
    fn of_logs(logs: &[f64]) -> Line {
        let variance = middle_difference(logs, &vec![1.0; logs.len()]).max(1e-12);
        Line {
            values: logs.to_vec(),
            variances: vec![variance; logs.len()],
        }
    }

    /// How each shape fits beside those that were found before.
    fn fits(&self, shapes: &[Shape], found: &[usize]) -> Vec<Fit> {
        let weights: Vec<f64> = self
            .variances
            .iter()
            .map(|variance| 1.0 / variance)
            .collect();
        let dot = |a: &[f64], b: &[f64]| -> f64 {
            (a.iter().zip(b).zip(&weights))
                .map(|((a, b), weight)| a * b * weight)
                .sum()
        };
        // What a shape has in common with a constant, or with what was found, tells nothing of it.
        let mut known: Vec<Vec<f64>> = Vec::new();
        let apart = |of: &[f64], known: &[Vec<f64>]| -> Option<(Vec<f64>, f64)> {
            let mut rest = of.to_vec();
            for one in known {
                let common = dot(&rest, one);
                rest.iter_mut()
                    .zip(one)
                    .for_each(|(rest, one)| *rest -= common * one);
            }
            let norm = dot(&rest, &rest);
            (norm > 1e-6 * dot(of, of)).then(|| (rest, norm.sqrt()))
        };
        let constant = vec![1.0; self.values.len()];
        let before = found.iter().map(|n| &shapes[*n].parts);
        for of in std::iter::once(&constant).chain(before) {
            if let Some((rest, norm)) = apart(of, &known) {
                known.push(rest.into_iter().map(|part| part / norm).collect());
            }
        }
        (shapes.iter())
            .map(|shape| match apart(&shape.parts, &known) {
                None => Fit::default(),
                Some((rest, norm)) => {
                    let z = dot(&rest, &self.values) / norm;
                    Fit {
                        z,
                        size: z / norm,
                        error: 1.0 / norm,
                    }
                }
            })
            .collect()
    }
}

/// The variance that the middle difference of neighbours tells, in multiples of what is expected of each.
fn middle_difference(values: &[f64], expected: &[f64]) -> f64 {
    let mut differences: Vec<f64> = (values.windows(2).zip(expected.windows(2)))
        .map(|(values, expected)| {
            (values[1] - values[0]).abs() / (expected[0] + expected[1]).sqrt()
        })
        .collect();
    if differences.is_empty() {
        return 1.0;
    }
    (middle(&mut differences) / MIDDLE).powi(2)
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() % 2 {
        1 => values[half],
        _ => 0.5 * (values[half - 1] + values[half]),
    }
}

/// The line of every set.
struct Lines {
    of: Vec<Line>,
    /// The pooled share of each set.
    shares: Vec<f64>,
    /// Samples of each deploy.
    samples: Vec<f64>,
}

impl Lines {
    fn of(weights: &Weights, deploys: usize) -> Result<Lines> {
        let runs = Runs::of(weights);
        let mut samples = vec![0.0; deploys];
        for ((_, run), count) in weights.slice_runs.iter().zip(&weights.slice_samples) {
            samples[*run] += count;
        }
        if samples.iter().any(|samples| *samples <= 0.0) {
            return Err(Error::new(
                "a deploy has no samples of the value that is looked at",
            ));
        }
        let parts = runs.parts(weights);
        let mut effects = runs.design_effects(weights);
        let per_deploy = samples.iter().map(|samples| 1.0 / samples).sum::<f64>() / deploys as f64;
        let values: Vec<Vec<f64>> = (0..weights.sets.len())
            .map(|n| parts.iter().map(|part| part.within[n]).collect())
            .collect();
        // Without slices, the middle set tells how much samples vary.
        if weights.slices() < 2 * deploys {
            let mut ratios: Vec<f64> = (values.iter().zip(&weights.pooled.within))
                .map(|(values, within)| {
                    let trend: Vec<f64> = samples.iter().map(|n| within / n).collect();
                    middle_difference(values, &trend)
                })
                .collect();
            if !ratios.is_empty() {
                effects.fill(middle(&mut ratios).max(1.0));
            }
        }
        // What slices say of a sample's part in the variance, and what deploys differ by beyond that.
        let sampled = |n: usize| effects[n] * weights.long_run * weights.pooled.within[n];
        let mut beyond: Vec<f64> = (0..weights.sets.len())
            .filter(|n| weights.sets[*n].kind == Kind::Own)
            .filter(|n| weights.pooled.share[*n] * weights.pooled.samples > 30.0 * deploys as f64)
            .map(|n| {
                let squared = middle_difference(&values[n], &vec![1.0; deploys]);
                (squared - sampled(n) * per_deploy) / weights.pooled.within[n].powi(2)
            })
            .collect();
        let square = match deploys >= FEWEST_DEPLOYS && !beyond.is_empty() {
            true => middle(&mut beyond).max(0.0),
            false => 0.0,
        };
        let of = (values.into_iter().enumerate())
            .map(|(n, values)| {
                let of_runs =
                    square * weights.pooled.within[n].powi(2) * weights.composition[n].herfindahl;
                let trend: Vec<f64> = (samples.iter())
                    .map(|samples| sampled(n) / samples + of_runs)
                    .collect();
                let df = DF_OF_DEPLOY * deploys as f64;
                let own = middle_difference(&values, &trend);
                let ratio = ((PRIOR_DF + df * own) / (PRIOR_DF + df)).max(LEAST);
                Line {
                    values,
                    variances: trend.into_iter().map(|trend| ratio * trend).collect(),
                }
            })
            .collect();
        Ok(Lines {
            of,
            shares: weights.pooled.share.clone(),
            samples,
        })
    }

    /// What changed, the strongest first, and the largest z. A change that was found is taken out of all sets: what
    /// else changed in the same way at the same time is its other side.
    fn shifts(&self, tree: &Tree, sets: &[Set], limit: f64) -> (Vec<ChangePoint>, f64) {
        let shapes = shapes(self.samples.len());
        let mut found: Vec<usize> = Vec::new();
        let (mut shifts, mut strongest) = (Vec::new(), 0.0f64);
        while shifts.len() < MOST_CHANGES {
            let fits: Vec<Vec<Fit>> = (self.of.par_iter())
                .map(|line| line.fits(&shapes, &found))
                .collect();
            let best: Vec<(usize, f64)> = fits.iter().map(|fits| strongest_of(fits)).collect();
            let Some(first) = (0..sets.len()).reduce(|a, b| {
                if best[b].1.abs() > best[a].1.abs() {
                    b
                } else {
                    a
                }
            }) else {
                break;
            };
            strongest = strongest.max(best[first].1.abs());
            if best[first].1.abs() < limit {
                break;
            }
            let named = (0..sets.len())
                .filter(|n| best[*n].1 * best[first].1.signum() >= NEARLY * best[first].1.abs())
                .filter(|n| sets[first].contains(&sets[*n]))
                .min_by(|a, b| self.shares[*a].total_cmp(&self.shares[*b]))
                .unwrap_or(first);
            let (shape, _) = best[named];
            let line = &self.of[named];
            let mut shift = shift(line, &shapes, &fits[named], shape, limit);
            shift.before += self.shares[named];
            shift.what = Some(what(tree, &sets[named]));
            shifts.push(shift);
            found.push(shape);
        }
        (shifts, strongest)
    }

    /// Functions with their shares, those with the largest first.
    fn functions(&self, tree: &Tree, sets: &[Set]) -> Vec<Tracked> {
        let mut order: Vec<usize> = (0..sets.len())
            .filter(|n| matches!(sets[*n].kind, Kind::Own | Kind::Inclusive))
            .collect();
        order.sort_by(|a, b| self.shares[*b].total_cmp(&self.shares[*a]).then(a.cmp(b)));
        (order.into_iter())
            .map(|n| {
                let line = &self.of[n];
                let share = |(value, variance): (&f64, &f64)| {
                    let (value, margin) = (self.shares[n] + value, LIKELY * variance.sqrt());
                    Estimate {
                        value: value.clamp(0.0, 1.0),
                        interval: [(value - margin).max(0.0), (value + margin).min(1.0)],
                    }
                };
                Tracked {
                    function: tree.functions[sets[n].function as usize].clone(),
                    kind: sets[n].kind,
                    shares: line.values.iter().zip(&line.variances).map(share).collect(),
                }
            })
            .collect()
    }
}

/// The strongest fit: which, and its z.
fn strongest_of(fits: &[Fit]) -> (usize, f64) {
    let z = |n: usize| fits[n].z.abs();
    let best = (0..fits.len()).reduce(|a, b| if z(b) > z(a) { b } else { a });
    best.map_or((0, 0.0), |n| (n, fits[n].z))
}

fn shift(line: &Line, shapes: &[Shape], fits: &[Fit], best: usize, limit: f64) -> ChangePoint {
    let (shape, fit) = (&shapes[best], fits[best]);
    let mut culprits: Vec<usize> = (shapes.iter().zip(fits))
        .filter(|(_, other)| other.z * fit.z > 0.0 && other.z.powi(2) >= fit.z.powi(2) - NEAR)
        .map(|(shape, _)| shape.onset)
        .collect();
    culprits.dedup();
    let reached = shape.parts.last().copied().unwrap_or(1.0);
    let (change, margin) = (reached * fit.size, reached * limit * fit.error);
    let recent = &line.values[shape.onset.saturating_sub(RECENT)..shape.onset];
    ChangePoint {
        what: None,
        onset: shape.onset,
        culprits,
        over: shape.over,
        z: fit.z,
        before: recent.iter().sum::<f64>() / recent.len() as f64,
        change: Estimate {
            value: change,
            interval: [change - margin, change + margin],
        },
    }
}

/// The change of the whole, if there is one.
fn shift_of_total(line: &Line, alpha: f64) -> Option<ChangePoint> {
    let shapes = shapes(line.values.len());
    let fits = line.fits(&shapes, &[]);
    let (best, z) = strongest_of(&fits);
    let df = DF_OF_DEPLOY * (line.values.len() as f64 - 1.0);
    let limit = t_upper_quantile(alpha / (2.0 * RAMPS.len() as f64), df) + HEAVIER;
    (z.abs() >= limit).then(|| {
        let shift = shift(line, &shapes, &fits, best, limit);
        let relative = |log: f64| log.exp() - 1.0;
        ChangePoint {
            before: shift.before.exp(),
            change: Estimate {
                value: relative(shift.change.value),
                interval: shift.change.interval.map(relative),
            },
            ..shift
        }
    })
}

fn what(tree: &Tree, set: &Set) -> What {
    let function = |id: u32| tree.functions[id as usize].clone();
    What {
        kind: set.kind,
        function: function(set.function),
        caller: set.caller.map(function),
        path: match (set.kind, set.nodes().first()) {
            (Kind::Subtree, Some(node)) => (tree.path(*node).into_iter())
                .map(|id| tree.functions[id as usize].shown().to_owned())
                .collect(),
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plop_core::{Frame, Sample, Slice, SliceId, StackId, ValueType};

    /// Normal variables with a variance of 1, made of twelve uniform ones each.
    fn noise(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            let mut uniform = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as f64 / (1u64 << 31) as f64
            };
            (0..12).map(|_| uniform()).sum::<f64>() - 6.0
        }
    }

    fn line(values: Vec<f64>) -> Line {
        let variances = vec![1.0; values.len()];
        Line { values, variances }
    }

    #[test]
    fn a_step_of_four_deploys_has_the_z_of_two_means() {
        // Means of 6 and 4 values, which differ by 3: z = 3 / √(1/6 + 1/4).
        let values = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 3.0];
        let shapes = shapes(10);
        let fits = line(values.to_vec()).fits(&shapes, &[]);
        let (best, z) = strongest_of(&fits);
        assert_eq!((shapes[best].onset, shapes[best].over), (6, 1));
        assert!((z - 3.0 / (1.0f64 / 6.0 + 0.25).sqrt()).abs() < 1e-9, "{z}");
        assert!((fits[best].size - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_creep_is_told_as_one_and_where_it_began() {
        let values: Vec<f64> = (0..30)
            .map(|n| (n as f64 - 14.0).clamp(0.0, 10.0))
            .collect();
        let shapes = shapes(30);
        let (best, _) = strongest_of(&line(values).fits(&shapes, &[]));
        assert_eq!((shapes[best].onset, shapes[best].over), (15, 10));
    }

    #[test]
    fn what_was_found_is_not_found_again() {
        let mut noise = noise(3);
        let values: Vec<f64> = (0..40)
            .map(|n| noise() + if n >= 20 { 30.0 } else { 0.0 })
            .collect();
        let (shapes, line) = (shapes(40), line(values));
        let (best, z) = strongest_of(&line.fits(&shapes, &[]));
        assert!(z > 50.0 && shapes[best].onset == 20);
        let (_, again) = strongest_of(&line.fits(&shapes, &[best]));
        assert!(again.abs() < 5.0, "{again}");
    }

    #[test]
    fn a_creep_does_not_make_the_variance_larger() {
        let mut noise = noise(5);
        let quiet: Vec<f64> = (0..50).map(|_| noise()).collect();
        let creeping: Vec<f64> = (quiet.iter().enumerate())
            .map(|(n, value)| value + 0.1 * n as f64)
            .collect();
        let expected = vec![1.0; 50];
        let [quiet, creeping] = [quiet, creeping].map(|of| middle_difference(&of, &expected));
        assert!((creeping / quiet - 1.0).abs() < 0.25, "{quiet} {creeping}");
    }

    /// Of 1,000 quiet totals of 50 deploys hardly one has a change, at a fifth of 1 %.
    #[test]
    fn a_quiet_total_has_no_change() {
        let mut noise = noise(11);
        let found = (0..1_000)
            .filter(|_| {
                let logs: Vec<f64> = (0..50).map(|_| 0.01 * noise()).collect();
                shift_of_total(&Line::of_logs(&logs), 0.002).is_some()
            })
            .count();
        // 2 are expected at the most; 9 would be one chance in 4,000.
        assert!(found < 9, "{found}");
    }

    /// A deploy of ten functions, of which the fourth costs so much; ten slices that differ a little.
    fn deploy(number: usize, cost: i64) -> Profile {
        let mut profile = Profile::new(vec![ValueType::samples()]);
        let mut noise = noise(1_000 + number as u64);
        let stacks: Vec<StackId> = (0..10)
            .map(|n| {
                let function = profile.function(format!("step_{n}").as_bytes(), b"app.py");
                let frame = profile.frames.intern(Frame::of(function));
                profile.stacks.push(StackId::ROOT, frame)
            })
            .collect();
        for slice in 0..10 {
            profile.slices.0.push(Slice::default());
            for (n, stack) in stacks.iter().enumerate() {
                let expected = if n == 3 { cost } else { 300 } as f64;
                let samples = (expected + expected.sqrt() * noise()).round() as i64;
                profile.samples.push(Sample {
                    slice: Some(SliceId::new(slice)),
                    ..Sample::of(*stack, &[samples])
                });
            }
        }
        profile
    }

    fn looked_at(costs: impl Iterator<Item = i64>) -> Series {
        let profiles: Vec<Profile> = costs.enumerate().map(|(n, cost)| deploy(n, cost)).collect();
        let deploys: Vec<Vec<&Profile>> = profiles.iter().map(|profile| vec![profile]).collect();
        series(&deploys, &Options::default()).unwrap()
    }

    #[test]
    fn a_function_that_creeps_is_found_where_it_began() {
        let quiet = looked_at((0..30).map(|_| 300));
        assert_eq!(quiet.changes, []);
        assert!(quiet.strongest < quiet.limit);
        // By 2 % a deploy, from deploy 15 on.
        let creeping = looked_at((0..30).map(|n: i64| 300 + 6 * (n - 14).max(0)));
        let first = &creeping.changes[0];
        assert_eq!(first.what.as_ref().unwrap().function.name, "step_3");
        assert!(first.grew() && first.over > 1);
        assert!(first.culprits.contains(&15), "{:?}", first.culprits);
        // 96 of 3,096 more in the end, in all a share of 300 / 3,000 to 396 / 3,096.
        let truth = 396.0 / 3_096.0 - 0.1;
        let [low, high] = first.change.interval;
        assert!(low < truth && truth < high, "{:?}", first.change);
    }

    #[test]
    fn shares_are_those_of_the_samples() {
        let series = looked_at((0..10).map(|_| 300));
        let step = (series.functions.iter()).find(|of| of.function.name == "step_3");
        for share in &step.unwrap().shares {
            assert!((share.value - 0.1).abs() < 0.02);
            assert!(share.interval[0] < share.value && share.value < share.interval[1]);
        }
    }

    #[test]
    fn few_deploys_are_shown_and_not_judged() {
        let series = looked_at((0..7).map(|n| if n < 4 { 300 } else { 900 }));
        assert_eq!(series.changes, []);
        assert_eq!(series.deploys.len(), 7);
    }
}
