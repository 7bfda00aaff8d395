//! How strongly a set has to change to count. The functions themselves, of which there are few, share one half of
//! the error rate, and all other places where something can have changed the other (weighted hypotheses:
//! Genovese, Roeder & Wasserman 2006). So a function that became slower need not pay for the many sets of stacks
//! that it is a part of, and these pay little for it. Where the others are not more than the functions, all have
//! one limit.

use crate::sets::{Kind, Set};
use crate::stats::upper_quantile;

/// How many standard deviations a change must be.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Limits {
    /// That of a function itself.
    pub(crate) own: f64,
    /// How much more that of any other set must be.
    pub(crate) extra: f64,
}

/// The largest change of functions themselves, and of all other sets.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Largest {
    pub(crate) own: f64,
    pub(crate) other: f64,
}

/// Which share of deals tells how much more the others need: rare enough to be about the limits, and frequent
/// enough to be known well.
const TELLING: f64 = 0.1;

impl Limits {
    /// The bound of Bonferroni, where nothing is dealt out.
    pub(crate) fn bound(sets: &[Set], alpha: f64) -> Limits {
        let own = sets.iter().filter(|set| set.kind == Kind::Own).count();
        let other = sets.len() - own;
        if own == 0 || other <= own {
            return Limits {
                own: upper_quantile(alpha / sets.len().max(1) as f64),
                extra: 0.0,
            };
        }
        let [own, other] = [own, other].map(|count| upper_quantile(0.5 * alpha / count as f64));
        Limits {
            own,
            extra: other - own,
        }
    }

    /// How much more than functions themselves others need, by what chance does; nothing where there are no
    /// functions, or the others are not more.
    pub(crate) fn extra(deals: &[Largest]) -> f64 {
        let reached = |of: &dyn Fn(&Largest) -> f64| {
            let mut largest: Vec<f64> = deals.iter().map(of).collect();
            largest.sort_by(|a, b| b.total_cmp(a));
            largest[rank(TELLING, largest.len()) - 1]
        };
        let (own, other) = (reached(&|of| of.own), reached(&|of| of.other));
        if own > 0.0 {
            (other - own).max(0.0)
        } else {
            0.0
        }
    }

    /// What deals reach in all but a share of alpha. `left_out` more were dealt, and are taken to reach it.
    pub(crate) fn of(deals: &[Largest], left_out: usize, alpha: f64) -> Limits {
        let extra = Limits::extra(deals);
        let mut largest: Vec<f64> = deals.iter().map(|deal| deal.with(extra)).collect();
        largest.sort_by(|a, b| b.total_cmp(a));
        Limits {
            own: largest[rank_beside(alpha, largest.len(), left_out) - 1],
            extra,
        }
    }

    /// That of a set of some kind.
    pub(crate) fn at(&self, kind: Kind) -> f64 {
        self.own + self.extra_of(kind)
    }

    /// How much more a set needs than a function itself.
    pub(crate) fn extra_of(&self, kind: Kind) -> f64 {
        match kind {
            Kind::Own => 0.0,
            Kind::Inclusive | Kind::Subtree | Kind::Edge => self.extra,
        }
    }
}

impl Largest {
    /// Takes a set's change in.
    pub(crate) fn add(&mut self, kind: Kind, z: f64) {
        let largest = self.of(kind);
        *largest = largest.max(z);
    }

    /// The largest of the kind of a set.
    pub(crate) fn of(&mut self, kind: Kind) -> &mut f64 {
        match kind {
            Kind::Own => &mut self.own,
            Kind::Inclusive | Kind::Subtree | Kind::Edge => &mut self.other,
        }
    }

    /// The larger of both, when others need so much more.
    pub(crate) fn with(&self, extra: f64) -> f64 {
        self.own.max(self.other - extra)
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

    fn sets(own: usize, other: usize) -> Vec<Set> {
        let kinds =
            std::iter::repeat_n(Kind::Own, own).chain(std::iter::repeat_n(Kind::Edge, other));
        let set = |kind| Set {
            kind,
            function: 0,
            caller: None,
            nodes: Vec::new(),
            also: Vec::new(),
        };
        kinds.map(set).collect()
    }

    #[test]
    fn functions_and_all_other_sets_have_half_of_the_error_rate_each() {
        let limits = Limits::bound(&sets(100, 900), 0.01);
        assert!((limits.at(Kind::Own) - upper_quantile(0.005 / 100.0)).abs() < 1e-12);
        assert!((limits.at(Kind::Edge) - upper_quantile(0.005 / 900.0)).abs() < 1e-12);
        let alone = Limits::bound(&sets(100, 0), 0.01);
        assert!((alone.at(Kind::Own) - upper_quantile(0.01 / 100.0)).abs() < 1e-12);
    }

    #[test]
    fn limits_are_what_deals_reach_in_all_but_a_share() {
        // Chance moves others by one more than functions themselves.
        let deals: Vec<Largest> = (0..999)
            .map(|n| Largest {
                own: n as f64 / 100.0,
                other: ((n * 7) % 999) as f64 / 100.0 + 1.0,
            })
            .collect();
        let limits = Limits::of(&deals, 0, 0.01);
        assert!((limits.extra - 1.0).abs() < 0.02, "{limits:?}");
        let beyond = deals
            .iter()
            .filter(|deal| deal.own > limits.own || deal.other > limits.at(Kind::Subtree));
        // A hundredth of them and one, of which the last is at the limit; some are at it together.
        assert!((8..=9).contains(&beyond.count()));
    }
}
