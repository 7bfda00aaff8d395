//! Matching of functions by name, callers, callees and cost, in rounds: whom a match settles tells something of those
//! around it in the next.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::between::{find_between, find_inlined};
use super::words::{Words, product};
use super::{Between, LEAST, Names, Pair};
use crate::tree::{NO_FUNCTION, Side};

/// At most so many rounds.
const ROUNDS: usize = 6;
/// A pair that scores so much is one.
const SURE: f64 = 0.6;
/// One that scores less needs to be so much better than any other pair of either.
const LIKELY: f64 = 0.45;
const MARGIN: f64 = 0.08;
/// So much alike in name and in callers, two are no wrappers.
const CALLED_LIKE: f64 = 0.5;
/// Samples that every share is drawn together by.
const DRAWN: f64 = 3.0;
/// Two functions are one only if both together have so many samples, and by position alone only with more: what has
/// few may be on one side by chance.
const NAMED: f64 = 10.0;
const PLACED: f64 = 20.0;
/// Of the functions around one that is known, so many are looked at for each, the nearest by cost.
const AROUND: usize = 10;

/// In the place of a function's own number among its callers and callees.
const ITSELF: u32 = u32::MAX - 1;

pub(super) fn match_all(names: &mut Names, between: &mut Vec<Between>) {
    let of_side = |names: &Names, side: Side| -> Vec<u32> {
        let ids = 0..names.only.len() as u32;
        ids.filter(|id| names.only[*id as usize] == Some(side) && names.is_open(*id))
            .collect()
    };
    let (before, after) = (of_side(names, Side::Before), of_side(names, Side::After));
    let words = Words::of(&names.tree.functions, before.iter().chain(&after).copied());
    let by_name = words.nearest(&before, &after);
    for round in 0..ROUNDS {
        let around = Around::of(names);
        let mut pairs = by_name.clone();
        pairs.extend(around.pairs(names));
        pairs.retain(|(before, after)| names.is_open(*before) && names.is_open(*after));
        pairs.sort_unstable();
        pairs.dedup();
        let mut scored: Vec<Scored> = (pairs.into_iter())
            .map(|(before, after)| around.scored(names, &words, before, after))
            .filter(|pair| pair.samples >= NAMED)
            .collect();
        let score = |pair: &Scored| pair.score;
        let mut found = accept(names, &mut scored, &score, &|pair| pair.score >= SURE);
        // Wrappers look like one another, and like what they are wrapped around; but what another at its place is called
        // like is none.
        let known = between.len();
        let is_named = |pair: &&Scored| pair.name >= CALLED_LIKE && pair.callers >= CALLED_LIKE;
        let named = scored.iter().filter(is_named);
        let named: HashSet<u32, FixedState> =
            named.flat_map(|pair| [pair.before, pair.after]).collect();
        find_between(names, &named, between);
        scored.retain(|pair| names.is_open(pair.before) && names.is_open(pair.after));
        found += accept(names, &mut scored, &score, &Scored::is_likely);
        if round > 0 {
            scored.retain(|pair| names.is_open(pair.before) && names.is_open(pair.after));
            scored.retain(|pair| pair.is_in_place());
            let place = |pair: &Scored| pair.place();
            found += accept(names, &mut scored, &place, &|_| true);
            if found == 0 && between.len() == known {
                break;
            }
        }
    }
    find_inlined(names, between);
}

/// Two functions that may be one, and how alike they are.
struct Scored {
    before: u32,
    after: u32,
    name: f64,
    callers: f64,
    /// None where neither calls anything.
    callees: Option<f64>,
    /// Whether what they call is known, and none of it the same.
    calls_others: bool,
    cost: f64,
    score: f64,
    /// What they have together, before and after.
    samples: f64,
    /// What each of them has itself at least.
    own: f64,
    /// How much better the score is than any other pair of either.
    margin: f64,
}

impl Scored {
    /// Whether the two are at one place, whatever they are called.
    fn is_in_place(&self) -> bool {
        let callees = self.callees.unwrap_or(1.0);
        let around = self.callers >= 0.5 && callees >= 0.3 && self.cost >= 0.25;
        let alike = self.cost >= 0.6
            && !self.calls_others
            && (self.callers >= 0.6 || self.callees.is_some_and(|callees| callees >= 0.6));
        self.samples >= PLACED && (around || alike)
    }

    /// Whether the two are one since no others are as alike. They call the same, or work themselves: two wrappers do
    /// neither.
    fn is_likely(&self) -> bool {
        let is_around = self.callers >= 0.3 && self.callees.is_none_or(|callees| callees >= 0.3);
        self.score >= LIKELY && self.margin >= MARGIN && (is_around || self.own >= LEAST)
    }

    fn place(&self) -> f64 {
        0.45 * self.callers + 0.25 * self.callees.unwrap_or(1.0) + 0.3 * self.cost
    }
}

/// Pairs up what scores best and is good enough, each function once.
fn accept(
    names: &mut Names,
    scored: &mut [Scored],
    score: &dyn Fn(&Scored) -> f64,
    is_good: &dyn Fn(&Scored) -> bool,
) -> usize {
    scored.sort_by(|a, b| {
        (score(b).total_cmp(&score(a))).then((a.before, a.after).cmp(&(b.before, b.after)))
    });
    // The two best scores of each function; below zero where there is none.
    let mut best: HashMap<u32, [f64; 2], FixedState> = HashMap::default();
    for pair in &*scored {
        for id in [pair.before, pair.after] {
            let [first, second] = best.entry(id).or_insert([-1.0; 2]);
            let free = if *first < 0.0 { first } else { second };
            *free = free.max(score(pair));
        }
    }
    for pair in &mut *scored {
        let value = score(pair);
        // The best pair of a function is held against its second best, and any other against the best.
        let margin = |id: &u32| match best[id] {
            [first, second] if value >= first => value - second,
            [first, _] => value - first,
        };
        pair.margin = margin(&pair.before).min(margin(&pair.after));
    }
    let mut found = 0;
    for pair in &*scored {
        if names.is_open(pair.before) && names.is_open(pair.after) && is_good(pair) {
            names.pair(Pair {
                before: pair.before,
                after: pair.after,
                score: score(pair),
                name: pair.name,
            });
            found += 1;
        }
    }
    found
}

type Vector = Vec<(u32, f64)>;

/// Who calls the functions that have no counterpart so far, and whom they call, with how many samples.
struct Around {
    callers: Vec<Vector>,
    callees: Vec<Vector>,
}

impl Around {
    fn of(names: &Names) -> Around {
        let tree = names.tree;
        let mut around = Around {
            callers: vec![Vec::new(); tree.functions.len()],
            callees: vec![Vec::new(); tree.functions.len()],
        };
        let callers = callers(names);
        for (node, caller) in callers.iter().enumerate().skip(1) {
            let function = tree.node_functions[node];
            if names.between[function as usize] {
                continue;
            }
            let caller = tree.node_functions[*caller as usize];
            let number = |of: u32, other: u32| match of == other {
                true => ITSELF,
                false => names.same(other),
            };
            if let Some(side) = names.only[function as usize]
                && names.is_open(function)
            {
                let samples = names.totals[side as usize][node];
                around.callers[function as usize].push((number(function, caller), samples));
            }
            if caller != NO_FUNCTION
                && let Some(side) = names.only[caller as usize]
                && names.is_open(caller)
            {
                let samples = names.totals[side as usize][node];
                around.callees[caller as usize].push((number(caller, function), samples));
            }
        }
        for vector in around.callers.iter_mut().chain(&mut around.callees) {
            vector.sort_unstable_by_key(|(id, _)| *id);
            vector.dedup_by(|next, one| {
                let same = next.0 == one.0;
                if same {
                    one.1 += next.1;
                }
                same
            });
            let norm = (vector.iter().map(|(_, samples)| samples * samples))
                .sum::<f64>()
                .sqrt();
            vector.iter_mut().for_each(|(_, samples)| *samples /= norm);
        }
        around
    }

    fn scored(&self, names: &Names, words: &Words, before: u32, after: u32) -> Scored {
        let alike = |vectors: &[Vector]| {
            let (one, other) = (&vectors[before as usize], &vectors[after as usize]);
            product(one, other)
        };
        let (callers, name) = (alike(&self.callers), words.alike(before, after));
        let calls_nothing = |id: u32| self.callees[id as usize].is_empty();
        let callees =
            (!calls_nothing(before) || !calls_nothing(after)).then(|| alike(&self.callees));
        let is_known = |id: &u32| {
            let callees = &self.callees[*id as usize];
            let is_open = |(other, _): &(u32, f64)| *other != ITSELF && names.is_open(*other);
            !callees.is_empty() && !callees.iter().any(is_open)
        };
        let near = |of: &dyn Fn(Side) -> f64| {
            let [one, other] = [Side::Before, Side::After]
                .map(|side| (of(side) + DRAWN) / (names.samples[side as usize] + DRAWN));
            (one / other).min(other / one)
        };
        let id = |side: Side| match side {
            Side::Before => before as usize,
            Side::After => after as usize,
        };
        let samples = [Side::Before, Side::After]
            .map(|side| names.costs[side as usize].all[id(side)])
            .iter()
            .sum();
        let cost = 0.5 * near(&|side| names.costs[side as usize].own[id(side)])
            + 0.5 * near(&|side| names.costs[side as usize].all[id(side)]);
        Scored {
            before,
            after,
            name,
            callers,
            callees,
            calls_others: callees == Some(0.0) && [before, after].iter().all(is_known),
            cost,
            samples,
            own: (names.costs[0].own[before as usize]).min(names.costs[1].own[after as usize]),
            margin: 0.0,
            score: match callees {
                Some(callees) => 0.35 * name + 0.25 * callers + 0.25 * callees + 0.15 * cost,
                None => 0.4 * name + 0.4 * callers + 0.2 * cost,
            },
        }
    }

    /// Functions that have a caller or a callee in common.
    fn pairs(&self, names: &Names) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for vectors in [&self.callers, &self.callees] {
            let mut with: BTreeMap<u32, [Vec<(f64, u32)>; 2]> = BTreeMap::new();
            for (id, vector) in vectors.iter().enumerate() {
                let Some(side) = names.only[id].filter(|_| names.is_open(id as u32)) else {
                    continue;
                };
                let side = side as usize;
                let share = names.costs[side].all[id] / names.samples[side];
                for (other, _) in vector.iter().filter(|(other, _)| *other != ITSELF) {
                    with.entry(*other).or_default()[side].push((share, id as u32));
                }
            }
            for [before, mut after] in with.into_values() {
                after.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                for (share, id) in before {
                    let at = after.partition_point(|(other, _)| *other < share);
                    let near = at.saturating_sub(AROUND / 2)..after.len().min(at + AROUND / 2);
                    pairs.extend(after[near].iter().map(|(_, other)| (id, *other)));
                }
            }
        }
        pairs
    }
}

/// The caller of each node, but for those that are looked through.
pub(super) fn callers(names: &Names) -> Vec<u32> {
    let tree = names.tree;
    let mut callers = tree.parents.clone();
    for node in 1..tree.len() {
        let parent = tree.parents[node];
        let function = tree.node_functions[parent as usize];
        if function != NO_FUNCTION && names.between[function as usize] {
            callers[node] = callers[parent as usize];
        }
    }
    callers
}
