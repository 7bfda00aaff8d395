//! The fewest causes that explain what changed: the largest change is taken for one and divided out, all causes
//! together fitted anew each time, until none is left over the limit (the sequential scan of Zhang, Assunção &
//! Kulldorff 2010, on a call tree).

use crate::limits::Limits;
use crate::sets::{Kind, Set, prefix_sums};
use crate::stats::upper_quantile;
use crate::strongest::{AGAINST, Wanted, strongest};
use crate::weigh::{Change, Evidence, FEWEST, Pooled, Spread, Sums, Weights};

/// A change that is too large for chance.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    /// The set, by its number.
    pub(crate) set: usize,
    pub(crate) change: Change,
    /// By what factor it changed, all else being equal.
    pub(crate) odds: f64,
    /// Whether nothing is left of it, so that no factor can bring it back.
    gone: bool,
    /// Whether the factor is what the whole tells, which does not change by what other causes there are.
    is_fixed: bool,
}

impl Cause {
    /// Whether nothing is left of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }
}

/// What explains the changes.
pub(crate) struct Explained {
    /// In the order in which they were found.
    pub(crate) causes: Vec<Cause>,
    /// By how much everything changed alike, as the logarithm of a factor.
    pub(crate) alike: f64,
    /// Whether there are more than were looked for.
    pub(crate) cut: bool,
    /// By what factor what did not change has more samples after than before.
    pub(crate) rest: f64,
    /// How far what is explained is from where the whole went.
    apart: f64,
}

/// At most so many causes are looked for.
pub(crate) const MOST_CAUSES: usize = 40;
/// Of a change the other way that is so nearly as strong it is looked at which of both leaves less, so much less.
const NEARLY_OPPOSITE: f64 = 0.7;
const LEAVES_LESS: f64 = 0.8;
/// How often one function may be blamed for what changed all of them alike.
const BLAMED: f64 = 0.05;
/// Where several causes were found, so many of the functions that changed most may be the only one.
const SUSPECTS: usize = 8;

/// A function that may have changed the other way instead has at least this share of the whole, and leaves less than
/// this part of the change when it is taken out.
const LEAST_RIVAL: f64 = 0.05;
const RIVAL_LEAVES: f64 = 0.8;

/// What changes are explained with.
pub(crate) struct Explaining<'w> {
    pub(crate) weights: &'w Weights<'w>,
    pub(crate) spread: &'w Spread,
    pub(crate) limits: Limits,
    /// By how much the logarithm of the exact cost differs; 0 where it is not known.
    pub(crate) total: f64,
    /// Where the whole went, if that was counted, however sure it is.
    pub(crate) whole: Option<f64>,
}

/// Samples of each stack, before and after.
type Selfs = [Vec<f64>; 2];

impl Explaining<'_> {
    /// The fewest causes. `changes` are those of the sides as they are.
    pub(crate) fn explain(&self, sums: &Sums, changes: &[Change]) -> Explained {
        let found = self.explain_from(None);
        if found.causes.len() < 2 || found.cut {
            return found;
        }
        // What is beside the one that changed has changed shares, and may have looked stronger.
        let size = |n: usize| self.size(n, changes[n].z);
        let mut suspects: Vec<usize> = (0..changes.len())
            .filter(|n| self.weights.sets[*n].kind == Kind::Own && size(*n) >= self.limits.own)
            .collect();
        suspects.sort_by(|a, b| size(*b).total_cmp(&size(*a)).then(a.cmp(b)));
        suspects.truncate(SUSPECTS);
        let selfs = self.selfs();
        let left = |set: usize| {
            let cause = self.alone(set, sums, changes);
            self.left_without(&selfs, &cause, &[])
        };
        let suspect = (suspects.into_iter())
            .map(|set| (left(set), set))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let Some((_, suspect)) = suspect.filter(|(left, _)| *left < self.limits.own) else {
            return found;
        };
        let alone = self.explain_from(Some(suspect));
        match alone.causes.len() < found.causes.len() && alone.apart <= found.apart + AGAINST {
            true => alone,
            false => found,
        }
    }

    /// A function that may as well have changed the other way: taken out alone, it leaves nothing of what was found.
    pub(crate) fn rival(
        &self,
        found: &Explained,
        sums: &Sums,
        changes: &[Change],
    ) -> Option<usize> {
        let (weights, first) = (self.weights, found.causes.first()?);
        let selfs = self.selfs();
        let least = RIVAL_LEAVES * self.size(first.set, changes[first.set].z);
        (0..changes.len())
            .filter(|n| {
                weights.sets[*n].kind == Kind::Own && weights.pooled.share[*n] >= LEAST_RIVAL
            })
            .filter(|n| found.causes.iter().all(|cause| cause.set != *n))
            .filter(|n| changes[*n].z * changes[first.set].z < 0.0)
            .map(|n| {
                (
                    self.left_without(&selfs, &self.alone(n, sums, changes), &[]),
                    n,
                )
            })
            .filter(|(left, _)| *left < least.min(self.limits.own))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            .map(|(_, set)| set)
    }

    /// A set as the only cause.
    pub(crate) fn alone(&self, set: usize, sums: &Sums, changes: &[Change]) -> Cause {
        self.cause(set, &self.selfs(), &self.weights.pooled, sums, changes)
    }

    fn selfs(&self) -> Selfs {
        [self.weights.before.clone(), self.weights.after.clone()]
    }

    fn size(&self, set: usize, z: f64) -> f64 {
        self.limits.size(self.weights.classes[set], z.abs())
    }

    /// The causes, the first of them given or the strongest.
    fn explain_from(&self, mut first: Option<usize>) -> Explained {
        let Explaining {
            weights,
            spread,
            limits,
            ..
        } = *self;
        let sets = weights.sets;
        let functions = sets.iter().filter(|set| set.kind == Kind::Own).count();
        let blamed = upper_quantile(BLAMED / functions.max(1) as f64);
        let mut selfs = self.selfs();
        let all = selfs.each_ref().map(|selfs| sum(selfs));
        let mut causes: Vec<Cause> = Vec::new();
        let (mut alike, mut cut) = (0.0, false);
        // What causes explain of the whole is no change of it any more.
        let explained = |sizes: [f64; 2], alike: f64| {
            alike - (sizes[1] / all[1]).ln() + (sizes[0] / all[0]).ln()
        };
        loop {
            let both: Vec<f64> = selfs[0].iter().zip(&selfs[1]).map(|(a, b)| a + b).collect();
            let pooled = Pooled::of(sets, weights.strata, &both);
            let mut sums = sums_of(weights, &pooled, &selfs);
            if sums.before.min(sums.after) < FEWEST {
                break;
            }
            let explained = explained([sums.before, sums.after], alike);
            sums.total = self.total - explained;
            let mut changes = weights.changes(&pooled, &sums, spread);
            for cause in &causes {
                changes[cause.set].z = 0.0;
            }
            let set = first.or_else(|| {
                let wanted = Wanted {
                    size: f64::abs,
                    limits,
                    whole: self.whole.map(|whole| whole - explained),
                };
                let sides = [&selfs[0][..], &selfs[1]];
                strongest(weights, sides, &pooled, spread, &changes, wanted)
            });
            let of_all = (sums.total / spread.total.sqrt()).abs();
            let is_all = match set {
                _ if first.is_some() => false,
                // How far the whole went is told as well by any set. The set's own stacks have to tell that it was this.
                Some(set) if of_all >= limits.own => {
                    weights.against_all(&pooled, &sums, spread, set) < blamed.powi(2)
                }
                Some(set) => of_all >= self.size(set, changes[set].z),
                None => of_all >= limits.own,
            };
            if is_all {
                // No set tells it better than that everything changed alike.
                alike += sums.total;
                continue;
            }
            let Some(set) = set else {
                break;
            };
            if causes.len() == MOST_CAUSES {
                cut = true;
                break;
            }
            let cause = |set: usize| self.cause(set, &selfs, &pooled, &sums, &changes);
            let set = match first.take() {
                Some(set) => set,
                None => self.or_opposite(set, &changes, &causes, &selfs, &cause),
            };
            let cause = cause(set);
            cause.take_out(weights, &mut selfs);
            causes.push(cause);
            refit(weights, &mut causes, &mut selfs);
        }
        let left = selfs.each_ref().map(|selfs| sum(selfs));
        Explained {
            causes,
            alike,
            cut,
            // Where causes are all there is, nothing tells how much more was sampled.
            rest: match left[0].min(left[1]) > 0.0 {
                true => left[1] / left[0],
                false => all[1] / all[0],
            },
            apart: match self.whole {
                Some(whole) => (whole - explained(left.map(|left| left.max(1.0)), alike)).abs(),
                None => 0.0,
            },
        }
    }

    /// The set, or what changed the other way: what grew makes all else a smaller share, of which a part may look as
    /// strong. The better name is what leaves the least when it is taken out.
    fn or_opposite(
        &self,
        set: usize,
        changes: &[Change],
        causes: &[Cause],
        selfs: &Selfs,
        cause: &dyn Fn(usize) -> Cause,
    ) -> usize {
        let size = |n: usize| self.size(n, changes[n].z);
        let opposite = (0..changes.len())
            .filter(|n| changes[*n].z * changes[set].z < 0.0)
            .filter(|n| size(*n) >= self.limits.own.max(NEARLY_OPPOSITE * size(set)))
            .max_by(|a, b| size(*a).total_cmp(&size(*b)).then(b.cmp(a)));
        let Some(other) = opposite else {
            return set;
        };
        let [one, other_left] =
            [set, other].map(|set| self.left_without(selfs, &cause(set), causes));
        match one >= self.limits.own && other_left < LEAVES_LESS * one {
            true => other,
            false => set,
        }
    }

    /// A set as a cause.
    fn cause(
        &self,
        set: usize,
        selfs: &Selfs,
        pooled: &Pooled,
        sums: &Sums,
        changes: &[Change],
    ) -> Cause {
        let (weights, change) = (self.weights, changes[set]);
        let left = weights.sets[set].sum_of(&selfs[1]);
        let by_whole = weights.factor_by_whole(pooled, sums, self.spread, set);
        Cause {
            set,
            change,
            odds: by_whole.unwrap_or_else(|| odds(weights, set, selfs, change)),
            gone: left < 1.0,
            is_fixed: by_whole.is_some(),
        }
    }

    /// The strongest change that is left when a cause is taken out, but for those that are known, by shares alone.
    fn left_without(&self, selfs: &Selfs, cause: &Cause, known: &[Cause]) -> f64 {
        let weights = self.weights;
        let mut selfs = selfs.clone();
        cause.take_out(weights, &mut selfs);
        let both: Vec<f64> = selfs[0].iter().zip(&selfs[1]).map(|(a, b)| a + b).collect();
        let pooled = Pooled::of(weights.sets, weights.strata, &both);
        let sums = sums_of(weights, &pooled, &selfs);
        if sums.before.min(sums.after) < FEWEST {
            return 0.0;
        }
        let by_shares = Spread {
            total: f64::INFINITY,
            ..self.spread.clone()
        };
        let mut changes = weights.changes(&pooled, &sums, &by_shares);
        for cause in known.iter().chain([cause]) {
            changes[cause.set].z = 0.0;
        }
        (changes.iter().enumerate())
            .map(|(set, change)| self.size(set, change.z))
            .fold(0.0, f64::max)
    }
}

impl Cause {
    /// Takes it out of both sides.
    fn take_out(&self, weights: &Weights, [before, after]: &mut Selfs) {
        let set = &weights.sets[self.set];
        if self.gone {
            for (from, to) in set.spans() {
                before[from..to].fill(0.0);
                after[from..to].fill(0.0);
            }
        } else {
            divide(set, after, self.odds);
        }
    }
}

fn sum(selfs: &[f64]) -> f64 {
    selfs.iter().sum()
}

/// The within and mix parts of every set, straight from the stacks.
fn sums_of(weights: &Weights, pooled: &Pooled, [before, after]: &Selfs) -> Sums {
    let prefix = prefix_sums(after);
    let mut kinds = vec![0.0; weights.strata.count];
    for (samples, kind) in after.iter().zip(&weights.strata.of) {
        kinds[usize::from(*kind)] += samples;
    }
    let sets = weights.sets.len();
    let within = (weights.sets.iter().enumerate())
        .map(|(n, set)| {
            let expected: f64 = (kinds.iter().enumerate())
                .map(|(kind, samples)| samples * pooled.in_kind[kind * sets + n])
                .sum();
            set.sum(&prefix) - expected
        })
        .collect();
    Sums {
        before: sum(before),
        after: sum(after),
        mix: weights.mix(pooled, &kinds),
        within,
        total: 0.0,
    }
}

fn divide(set: &Set, after: &mut [f64], odds: f64) {
    for (from, to) in set.spans() {
        after[from..to]
            .iter_mut()
            .for_each(|samples| *samples /= odds);
    }
}

/// Fits the factors of all causes together, a few times over.
fn refit(weights: &Weights, causes: &mut [Cause], selfs: &mut Selfs) {
    if causes.len() < 2 {
        return;
    }
    for _ in 0..3 {
        let free = |cause: &&mut Cause| !cause.gone && !cause.is_fixed;
        for cause in causes.iter_mut().filter(free) {
            let set = &weights.sets[cause.set];
            divide(set, &mut selfs[1], 1.0 / cause.odds);
            cause.odds = odds(weights, cause.set, selfs, cause.change);
            divide(set, &mut selfs[1], cause.odds);
        }
    }
}

/// By what factor a set grew against everything else: the odds ratio of Mantel and Haenszel over the kinds, or
/// over all together where the mix carries the change.
fn odds(weights: &Weights, set: usize, [before, after]: &Selfs, change: Change) -> f64 {
    let within = change.by == Evidence::Within;
    let kinds = if within { weights.strata.count } else { 1 };
    let kind_of = |stack: usize| match within {
        true => usize::from(weights.strata.of[stack]),
        false => 0,
    };
    let mut table = vec![[0.0f64; 4]; kinds];
    for stack in 0..before.len() {
        let row = &mut table[kind_of(stack)];
        row[1] += before[stack];
        row[3] += after[stack];
    }
    for (from, to) in weights.sets[set].spans() {
        for stack in from..to {
            let row = &mut table[kind_of(stack)];
            row[0] += before[stack];
            row[2] += after[stack];
        }
    }
    let (mut over, mut under) = (0.0, 0.0);
    let (mut n1, mut all) = (0.0, 0.0);
    for [y1, of1, y2, of2] in table {
        let of = (of1 + of2).max(1e-9);
        over += y2 * (of1 - y1) / of;
        under += y1 * (of2 - y2) / of;
        n1 += of1;
        all += of;
    }
    let half = (0.5 * n1 / all).max(1e-9);
    ((over + half) / (under + half)).clamp(1e-6, 1e6)
}
