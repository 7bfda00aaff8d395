//! Functions of one side that the other does without: wrappers that came between a caller and what it calls or went
//! away from there, and functions that went into their callers or came out of them.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::rounds::callers;
use super::{Between, Done, LEAST, Names};
use crate::tree::{NO_FUNCTION, Side};

/// This part of what goes through a function has to be calls that the other side makes without it.
const MOST: f64 = 0.5;
/// And there have to be so many of these calls, by samples.
const LEAST_PART: f64 = 0.25;
/// A function that is part of its callers has so many samples itself, so that they can be found there.
const TELLING: f64 = 20.0;
/// What its callers have more may differ from that by so much, and by so many standard errors.
const PART: f64 = 0.3;
const ERRORS: f64 = 3.0;

type Calls = HashMap<(u32, u32), f64, FixedState>;

/// Finds functions that calls of one side go through and calls of the other do not. A call that is new on a side
/// beside one that is as it was makes no wrapper of what it goes through. Those that are `named` like another are none.
pub(super) fn find_between(
    names: &mut Names,
    named: &HashSet<u32, FixedState>,
    found: &mut Vec<Between>,
) {
    let tree = names.tree;
    let callers = callers(names);
    // Calls between functions of both sides, by side: those that are direct, and those through others.
    let mut direct = [Calls::default(), Calls::default()];
    let mut through = [Calls::default(), Calls::default()];
    // By which call how many samples go through a function.
    let mut ways: Vec<(u32, (u32, u32), f64)> = Vec::new();
    for node in 1..tree.len() {
        let function = tree.node_functions[node];
        if names.is_open(function) || names.between[function as usize] {
            continue;
        }
        let mut at = callers[node];
        let is_open = |node: u32| {
            let function = tree.node_functions[node as usize];
            function != NO_FUNCTION && names.is_open(function)
        };
        let first = at;
        while is_open(at) {
            at = callers[at as usize];
        }
        let call = (
            names.same(tree.node_functions[at as usize]),
            names.same(function),
        );
        for side in [Side::Before, Side::After] {
            let samples = names.totals[side as usize][node];
            if samples == 0.0 {
                continue;
            }
            let calls = if first == at {
                &mut direct
            } else {
                &mut through
            };
            *calls[side as usize].entry(call).or_default() += samples;
            let mut open = first;
            while open != at {
                ways.push((tree.node_functions[open as usize], call, samples));
                open = callers[open as usize];
            }
        }
    }
    ways.sort_by_key(|(function, call, _)| (*function, *call));
    for ways in ways.chunk_by(|a, b| a.0 == b.0) {
        let function = ways[0].0;
        let Some(side) = names.only[function as usize] else {
            continue;
        };
        let (here, there) = match side {
            Side::Before => (0, 1),
            Side::After => (1, 0),
        };
        let get = |calls: &Calls, call| calls.get(&call).copied().unwrap_or(0.0);
        let (mut all, mut explained, mut gone) = (0.0, 0.0, 0.0);
        for (_, call, samples) in ways {
            let (with, without) = (get(&direct[there], *call), get(&direct[here], *call));
            let [n_there, n_here] = [names.samples[there], names.samples[here]];
            all += samples;
            if without == 0.0 && with > 0.0 {
                // What it costs does not matter: that is compared.
                explained += samples;
                gone += with;
                continue;
            }
            let lost = with / n_there - without / n_here;
            let error = (with / n_there.powi(2) + without / n_here.powi(2)).sqrt();
            if lost > 2.0 * ERRORS * error {
                let gained = get(&through[here], *call) / n_here;
                explained += samples * (lost / gained).min(1.0);
                gone += with;
            }
        }
        let is_there = gone >= LEAST && gone >= LEAST_PART * all;
        let is_there = is_there && !named.contains(&function);
        if is_there && all >= LEAST && explained >= MOST * all {
            names.between[function as usize] = true;
            found.push(Between {
                function,
                done: match side {
                    Side::Before => Done::Removed,
                    Side::After => Done::Inserted,
                },
            });
        }
    }
}

/// Finds functions whose cost is in that of their callers on the other side.
pub(super) fn find_inlined(names: &mut Names, found: &mut Vec<Between>) {
    let tree = names.tree;
    let callers = callers(names);
    let mut of: HashMap<u32, Vec<u32>, FixedState> = HashMap::default();
    for (function, caller) in tree.node_functions.iter().zip(&callers).skip(1) {
        let (function, caller) = (*function, tree.node_functions[*caller as usize]);
        let is_own = caller == function;
        if names.only[function as usize].is_some()
            && names.partner[function as usize].is_none()
            && !is_own
        {
            of.entry(function).or_default().push(caller);
        }
    }
    let mut functions: Vec<u32> = of.keys().copied().collect();
    functions.sort_unstable();
    for function in functions {
        let mut callers = of.remove(&function).unwrap_or_default();
        callers.sort_unstable();
        callers.dedup();
        let is_known = |id: &u32| {
            *id != NO_FUNCTION
                && names.only[*id as usize].is_none_or(|_| names.partner[*id as usize].is_some())
        };
        let Some(side) = names.only[function as usize].filter(|_| callers.iter().all(is_known))
        else {
            continue;
        };
        let own = names.costs[side as usize].own[function as usize];
        let samples = names.samples[side as usize];
        // A function with two names has its samples of a side under one of them.
        let of_callers = |side: Side| -> f64 {
            let costs = &names.costs[side as usize].own;
            let both = callers
                .iter()
                .flat_map(|id| [Some(*id), names.partner[*id as usize]]);
            both.flatten().map(|id| costs[id as usize]).sum()
        };
        let [before, after] = [Side::Before, Side::After].map(of_callers);
        let [n_before, n_after] = names.samples;
        let grew = after / n_after - before / n_before;
        let error =
            (before / n_before.powi(2) + after / n_after.powi(2) + own / samples.powi(2)).sqrt();
        let (more, done) = match side {
            Side::Before => (grew, Done::Inlined),
            Side::After => (-grew, Done::Extracted),
        };
        let share = own / samples;
        let is_there =
            more > 2.0 * ERRORS * error && (more - share).abs() <= PART * share + ERRORS * error;
        if own >= TELLING && is_there {
            names.between[function as usize] = true;
            found.retain(|between| between.function != function);
            found.push(Between { function, done });
        }
    }
}
