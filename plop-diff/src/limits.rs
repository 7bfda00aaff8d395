//! How strongly a set has to change to count. The functions themselves, of which there are few, share one half of
//! the error rate, and all other places where something can have changed the other (weighted hypotheses:
//! Genovese, Roeder & Wasserman 2006). So a function that became slower need not pay for the many sets of stacks
//! that it is a part of, and these pay little for it. Where the others are not more than the functions, all have
//! one limit.
//!
//! Where it is known what somebody touched between the builds (`touched.rs`), that has half of either half: a change
//! that was looked for there need not pay for all the places in which nobody looked.

use crate::stats::{upper_quantile, upper_tail};
use crate::touched::Class;

/// How many standard deviations a change must be.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Limits {
    /// That of a function itself that nobody touched.
    pub(crate) own: f64,
    /// How much more that of any other set must be.
    pub(crate) extra: f64,
    /// By how much the squares of the limits of touched functions and places are less. Squares are twice the
    /// logarithm of a likelihood, so that a touched set is favoured like one that is likelier beforehand, and not
    /// the more the stronger a change is.
    pub(crate) favour: [f64; 2],
}

/// The largest change of the sets of each class.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Largest([f64; 4]);

/// Which share of deals tells how much more the others need: rare enough to be about the limits, and frequent
/// enough to be known well.
const TELLING: f64 = 0.1;
/// The part of the error rate that each class has where something was touched.
const PART: f64 = 0.25;

impl Limits {
    /// The bound of Bonferroni, where nothing is dealt out.
    pub(crate) fn bound(classes: &[Class], alpha: f64) -> Limits {
        let count = |class: Class| classes.iter().filter(|one| **one == class).count();
        let touched = [Class::TouchedOwn, Class::TouchedOther].map(count);
        let parts = touched.iter().filter(|count| **count > 0).count();
        let rest = alpha * (1.0 - PART * parts as f64);
        let [own, other] = [Class::Own, Class::Other].map(count);
        let mut limits = if own == 0 || other <= own {
            Limits {
                own: upper_quantile(rest / (own + other).max(1) as f64),
                ..Limits::default()
            }
        } else {
            let [own, other] = [own, other].map(|count| upper_quantile(0.5 * rest / count as f64));
            Limits {
                own,
                extra: other - own,
                ..Limits::default()
            }
        };
        let extra = [0.0, limits.extra];
        let limit = |count: usize| upper_quantile(PART * alpha / count as f64);
        limits.favour = [0, 1].map(|n| match touched[n] {
            0 => 0.0,
            count => limits.favour_of(limit(count) - extra[n]),
        });
        limits
    }

    /// How much more than functions themselves others need, by what chance does; nothing where there are no
    /// functions, or the others are not more.
    pub(crate) fn extra(deals: &[Largest]) -> f64 {
        let own = reached(deals, |deal| {
            deal.of(Class::Own).max(deal.of(Class::TouchedOwn))
        });
        let other = reached(deals, |deal| {
            deal.of(Class::Other).max(deal.of(Class::TouchedOther))
        });
        if own > 0.0 {
            (other - own).max(0.0)
        } else {
            0.0
        }
    }

    /// What deals reach in all but a share of alpha. `left_out` more were dealt, and are taken to reach it.
    pub(crate) fn of(deals: &[Largest], left_out: usize, alpha: f64) -> Limits {
        let mut limits = Limits {
            extra: Limits::extra(deals),
            ..Limits::default()
        };
        // The limit of a class alone, if it has as many independent sets as deals show of it.
        let alone = |class: Class| -> Option<f64> {
            let reached = reached(deals, |deal| deal.of(class));
            let sets = -(1.0 - TELLING).ln() / upper_tail(reached);
            let limit = || upper_quantile(PART * alpha / sets) - limits.extra_of(class);
            (reached > 0.0).then(limit)
        };
        let [own, touched @ ..] = [Class::Own, Class::TouchedOwn, Class::TouchedOther].map(alone);
        if let Some(own) = own {
            let guess = Limits { own, ..limits };
            limits.favour =
                touched.map(|touched| touched.map_or(0.0, |limit| guess.favour_of(limit)));
        }
        let mut largest: Vec<f64> = deals.iter().map(|deal| limits.largest(deal)).collect();
        largest.sort_by(|a, b| b.total_cmp(a));
        Limits {
            // Where deals show no chance at all, one set alone needs as much.
            own: largest[rank_beside(alpha, largest.len(), left_out) - 1]
                .max(upper_quantile(alpha)),
            ..limits
        }
    }

    fn favour_of(&self, limit: f64) -> f64 {
        (self.own * self.own - limit * limit).max(0.0)
    }

    /// That of a set of some class.
    pub(crate) fn at(&self, class: Class) -> f64 {
        let square = self.own * self.own - self.favour(class);
        self.extra_of(class) + square.max(0.0).sqrt()
    }

    /// How large a change is, so that it has to be as large as that of a function itself which nobody touched.
    pub(crate) fn size(&self, class: Class, z: f64) -> f64 {
        let z = z - self.extra_of(class);
        let favour = self.favour(class);
        match z > 0.0 && favour > 0.0 {
            true => (z * z + favour).sqrt(),
            false => z,
        }
    }

    /// The size of the largest change of all.
    pub(crate) fn largest(&self, largest: &Largest) -> f64 {
        let sizes = Class::ALL.map(|class| self.size(class, largest.of(class)));
        sizes.into_iter().fold(0.0, f64::max)
    }

    /// How much more a set needs than a function itself.
    fn extra_of(&self, class: Class) -> f64 {
        match class.kind_is_own() {
            true => 0.0,
            false => self.extra,
        }
    }

    fn favour(&self, class: Class) -> f64 {
        match class {
            Class::Own | Class::Other => 0.0,
            Class::TouchedOwn => self.favour[0],
            Class::TouchedOther => self.favour[1],
        }
    }
}

/// What deals reach in a telling share of them.
fn reached(deals: &[Largest], of: impl Fn(&Largest) -> f64) -> f64 {
    let mut largest: Vec<f64> = deals.iter().map(of).collect();
    largest.sort_by(|a, b| b.total_cmp(a));
    largest[rank(TELLING, largest.len()) - 1]
}

impl Largest {
    /// Takes a set's change in.
    pub(crate) fn add(&mut self, class: Class, z: f64) {
        let largest = &mut self.0[class as usize];
        *largest = largest.max(z);
    }

    /// The largest of a class.
    pub(crate) fn of(&self, class: Class) -> f64 {
        self.0[class as usize]
    }
}

/// Which of so many, the largest being 1, all but a share of what chance does are below: exactly,
/// k = ⌊share·(B + 1)⌋.
pub(crate) fn rank(share: f64, count: usize) -> usize {
    let rank = (share * (count + 1) as f64 + 1e-9).floor() as usize;
    rank.clamp(1, count)
}

/// The same where so many more are taken to be above.
pub(crate) fn rank_beside(share: f64, count: usize, left_out: usize) -> usize {
    rank(share, count + left_out)
        .saturating_sub(left_out)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(counts: [usize; 4]) -> Vec<Class> {
        let counts = Class::ALL.into_iter().zip(counts);
        counts
            .flat_map(|(class, count)| std::iter::repeat_n(class, count))
            .collect()
    }

    #[test]
    fn functions_and_all_other_sets_have_half_of_the_error_rate_each() {
        let limits = Limits::bound(&classes([100, 900, 0, 0]), 0.01);
        assert!((limits.at(Class::Own) - upper_quantile(0.005 / 100.0)).abs() < 1e-12);
        assert!((limits.at(Class::Other) - upper_quantile(0.005 / 900.0)).abs() < 1e-12);
        let alone = Limits::bound(&classes([100, 0, 0, 0]), 0.01);
        assert!((alone.at(Class::Own) - upper_quantile(0.01 / 100.0)).abs() < 1e-12);
    }

    #[test]
    fn what_was_touched_has_half_of_the_error_rate_and_all_together_have_no_more() {
        let spent = |counts: [usize; 4]| {
            let limits = Limits::bound(&classes(counts), 0.01);
            Class::ALL.map(|class| counts[class as usize] as f64 * upper_tail(limits.at(class)))
        };
        for part in spent([100, 900, 5, 40]) {
            assert!((part - 0.0025).abs() < 1e-9, "{part}");
        }
        for counts in [
            [100, 900, 1, 0],
            [100, 90, 20, 10],
            [0, 50, 0, 5],
            [50, 0, 3, 0],
        ] {
            let sum: f64 = spent(counts).iter().sum();
            assert!((sum - 0.01).abs() < 1e-9, "{counts:?}: {sum}");
        }
    }

    #[test]
    fn limits_are_what_deals_reach_in_all_but_a_share() {
        // Chance moves others by one more than functions themselves.
        let deals: Vec<Largest> = (0..999)
            .map(|n| {
                let mut deal = Largest::default();
                deal.add(Class::Own, n as f64 / 100.0);
                deal.add(Class::Other, ((n * 7) % 999) as f64 / 100.0 + 1.0);
                deal
            })
            .collect();
        let limits = Limits::of(&deals, 0, 0.01);
        assert!((limits.extra - 1.0).abs() < 0.02, "{limits:?}");
        let beyond = deals.iter().filter(|deal| {
            [Class::Own, Class::Other]
                .iter()
                .any(|class| deal.of(*class) > limits.at(*class))
        });
        // A hundredth of them and one, of which the last is at the limit; some are at it together.
        assert!((8..=9).contains(&beyond.count()));
    }

    /// The largest of many independent normal variables in each deal: a few touched functions among many.
    #[test]
    fn deals_spend_half_of_the_error_rate_on_what_was_touched() {
        let counts: [i32; 4] = [100, 300, 3, 20];
        let mut random = crate::random::Random::of(7, 0);
        let mut deal = || {
            let mut deal = Largest::default();
            for class in Class::ALL {
                // Of the largest of so many uniform numbers.
                let uniform = (random.next() >> 11) as f64 / (1u64 << 53) as f64;
                let p = -(uniform.max(1e-12).ln() / f64::from(counts[class as usize])).exp_m1();
                deal.add(class, upper_quantile(p));
            }
            deal
        };
        let deals: Vec<Largest> = (0..4_000).map(|_| deal()).collect();
        let alpha = 0.05;
        let limits = Limits::of(&deals, 0, alpha);
        let beyond = |classes: &[Class]| {
            let is_beyond = |deal: &&Largest| {
                classes
                    .iter()
                    .any(|class| deal.of(*class) > limits.at(*class))
            };
            deals.iter().filter(is_beyond).count() as f64 / deals.len() as f64
        };
        let all = beyond(&Class::ALL);
        assert!((all - alpha).abs() < 0.001, "{all}");
        let touched = beyond(&[Class::TouchedOwn, Class::TouchedOther]);
        assert!((0.4 * alpha..0.6 * alpha).contains(&touched), "{touched}");
        // Three functions at a quarter of it.
        let expected = upper_quantile(PART * alpha / 3.0);
        let found = limits.at(Class::TouchedOwn);
        assert!((found - expected).abs() < 0.15, "{found} {expected}");
        // A change at its limit is as large as one of any other class at its own.
        for class in Class::ALL {
            assert!((limits.size(class, limits.at(class)) - limits.own).abs() < 1e-9);
        }
    }
}
