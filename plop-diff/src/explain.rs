//! The fewest causes that explain what changed: the largest change is taken for one and divided out, all causes
//! together fitted anew each time, until none is left over the limit (the sequential scan of Zhang, Assunção &
//! Kulldorff 2010, on a call tree).

use crate::cause::{Cause, Selfs, refit, sum, sums_of};
use crate::limits::Limits;
use crate::pooled::Pooled;
use crate::sets::Kind;
use crate::stats::upper_quantile;
use crate::strongest::{AGAINST, Wanted, strongest};
use crate::weigh::{Change, FEWEST, Spread, Sums, Weights};

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
    /// The samples of each kind of request before and after, without the causes.
    pub(crate) kinds: [Vec<f64>; 2],
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
/// Where several causes were found, so many of the functions that changed most are looked at, and so many tried, whether
/// they make a simpler explanation.
const SUSPECTS: usize = 8;
const TRIED: usize = 3;
/// At most so many callers are left out to find what in them changed.
const MOST_WITHOUT: usize = 3;
/// A cause that takes back a part of another makes an explanation worse than one cause more does.
const MAKES_UP: f64 = 1.5;
/// That everything changed alike makes it worse than so many causes more do.
const ALIKE: f64 = 2.0;
/// So few causes are looked through for such.
const FEW: usize = 16;

/// A function that may have changed the other way instead has at least this share of the whole, and leaves less than
/// this part of the change when it is taken out.
const LEAST_RIVAL: f64 = 0.05;
const RIVAL_LEAVES: f64 = 0.8;

/// A cause of whose factor less than this is left when all are fitted together may be needless.
const NEEDLESS: f64 = 0.5;

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

impl Explaining<'_> {
    /// The fewest causes. `changes` are those of the sides as they are.
    pub(crate) fn explain(&self, sums: &Sums, changes: &[Change]) -> Explained {
        let mut best = self.explain_from(&[], &[], MOST_CAUSES);
        if !(2..=FEW).contains(&best.causes.len()) {
            return best;
        }
        // What is beside those that changed has changed shares, and may have looked stronger.
        for suspects in self.suspects(sums, changes) {
            if suspects.len() < best.causes.len() {
                let other = self.explain_from(&suspects, &[], FEW);
                best = self.simpler(best, other);
            }
        }
        // A caller that changed while what it calls changed the other way may be but some of what it calls.
        let mut without = Vec::new();
        while let Some((outer, _)) = self.nested_opposites(&best.causes).first()
            && without.len() < MOST_WITHOUT
            && !without.contains(outer)
        {
            without.push(*outer);
            best = self.simpler(best, self.explain_from(&[], &without, FEW));
        }
        best
    }

    /// Functions that may be what changed: each of which, taken out alone, leaves least, and those together that grew most
    /// or shrank most.
    fn suspects(&self, sums: &Sums, changes: &[Change]) -> Vec<Vec<usize>> {
        let size = |n: usize| self.size(n, changes[n].z);
        let mut suspects: Vec<usize> = (0..changes.len())
            .filter(|n| self.weights.sets[*n].kind == Kind::Own && size(*n) >= self.limits.own)
            .collect();
        let most = |grew: bool| {
            let mut most: Vec<usize> = (suspects.iter().copied())
                .filter(|n| (changes[*n].z > 0.0) == grew)
                .collect();
            most.sort_by(|a, b| {
                let delta = |n: &usize| changes[*n].delta.abs();
                delta(b).total_cmp(&delta(a)).then(a.cmp(b))
            });
            most
        };
        let most = [most(true), most(false)];
        suspects.sort_by(|a, b| size(*b).total_cmp(&size(*a)).then(a.cmp(b)));
        suspects.truncate(SUSPECTS);
        let selfs = self.selfs();
        let left = |set: usize| self.left_without(&selfs, &self.alone(set, sums, changes), &[]);
        let mut left: Vec<(f64, usize)> =
            suspects.into_iter().map(|set| (left(set), set)).collect();
        left.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        left.truncate(TRIED);
        let alone = left.into_iter().map(|(_, set)| vec![set]);
        let together = (2..=TRIED).flat_map(|count| {
            let first = |most: &Vec<usize>| most.get(..count).map(<[usize]>::to_vec);
            most.each_ref().map(first).into_iter().flatten()
        });
        alone.chain(together).collect()
    }

    /// The explanation that is simpler, if both say as much of the whole: the one of fewer causes, of which few make up
    /// for others.
    fn simpler(&self, best: Explained, other: Explained) -> Explained {
        let complexity = |explained: &Explained| {
            let nested = self.nested_opposites(&explained.causes);
            let alike = if explained.alike == 0.0 { 0.0 } else { ALIKE };
            explained.causes.len() as f64 + MAKES_UP * nested.len() as f64 + alike
        };
        let is_better = !other.cut
            && complexity(&other) < complexity(&best)
            && other.apart <= best.apart + AGAINST;
        if is_better { other } else { best }
    }

    /// Causes inside of one that changed the other way, behind that one.
    fn nested_opposites(&self, causes: &[Cause]) -> Vec<(usize, usize)> {
        if causes.len() > FEW {
            return Vec::new();
        }
        let sets = self.weights.sets;
        let pairs =
            (causes.iter()).flat_map(|outer| causes.iter().map(move |inner| (outer, inner)));
        pairs
            .filter(|(outer, inner)| outer.change.z * inner.change.z < 0.0)
            .map(|(outer, inner)| (outer.set, inner.set))
            .filter(|(outer, inner)| sets[*outer].contains(&sets[*inner]))
            .collect()
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

    /// The causes, so many at most, the first of them given and the others the strongest, but for some sets.
    fn explain_from(&self, first: &[usize], without: &[usize], most: usize) -> Explained {
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
        let (mut alike, mut cut, mut is_alike) = (0.0, false, false);
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
            for set in causes
                .iter()
                .map(|cause| cause.set)
                .chain(without.iter().copied())
            {
                changes[set].z = 0.0;
            }
            let given = first.get(causes.len()).copied();
            let set = given.or_else(|| {
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
                // What is left of the whole after that is no change.
                _ if given.is_some() || is_alike => false,
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
                is_alike = true;
                continue;
            }
            let Some(set) = set else {
                break;
            };
            if causes.len() == most {
                cut = true;
                break;
            }
            let cause = |set: usize| self.cause(set, &selfs, &pooled, &sums, &changes);
            let set = match given {
                Some(set) => set,
                None => self.or_opposite(set, &changes, &causes, &selfs, &cause),
            };
            let cause = cause(set);
            cause.take_out(weights, &mut selfs);
            causes.push(cause);
            refit(weights, &mut causes, &mut selfs);
            is_alike = false;
        }
        self.drop_needless(&mut causes, &mut selfs);
        let left = selfs.each_ref().map(|selfs| sum(selfs));
        Explained {
            kinds: selfs.each_ref().map(|selfs| weights.by_kind(selfs)),
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

    /// Drops causes that only made up for others before these were found, so that nothing is over the limit without them.
    fn drop_needless(&self, causes: &mut Vec<Cause>, selfs: &mut Selfs) {
        if !(2..=FEW).contains(&causes.len()) {
            return;
        }
        for n in (0..causes.len()).rev() {
            if causes[n].left_of_factor() >= NEEDLESS || causes.len() < 2 {
                continue;
            }
            let (mut fewer, mut others) = (selfs.clone(), causes.clone());
            others.remove(n).put_back(self.weights, &mut fewer);
            refit(self.weights, &mut others, &mut fewer);
            if self.left(&fewer, &others) < self.limits.own {
                (*selfs, *causes) = (fewer, others);
            }
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
        let by_whole = (self.weights).factor_by_whole(pooled, sums, self.spread, set);
        Cause::of(self.weights, set, selfs, changes[set], by_whole)
    }

    /// The strongest change that is left when a cause is taken out, but for those that are known.
    fn left_without(&self, selfs: &Selfs, cause: &Cause, known: &[Cause]) -> f64 {
        let mut selfs = selfs.clone();
        cause.take_out(self.weights, &mut selfs);
        let known: Vec<Cause> = known.iter().chain([cause]).cloned().collect();
        self.left(&selfs, &known)
    }

    /// The strongest change that is left but for those that are known, by shares alone.
    fn left(&self, selfs: &Selfs, known: &[Cause]) -> f64 {
        let weights = self.weights;
        let both: Vec<f64> = selfs[0].iter().zip(&selfs[1]).map(|(a, b)| a + b).collect();
        let pooled = Pooled::of(weights.sets, weights.strata, &both);
        let sums = sums_of(weights, &pooled, selfs);
        if sums.before.min(sums.after) < FEWEST {
            return 0.0;
        }
        let by_shares = Spread {
            total: f64::INFINITY,
            ..self.spread.clone()
        };
        let mut changes = weights.changes(&pooled, &sums, &by_shares);
        for cause in known {
            changes[cause.set].z = 0.0;
        }
        (changes.iter().enumerate())
            .map(|(set, change)| self.size(set, change.z))
            .fold(0.0, f64::max)
    }
}
