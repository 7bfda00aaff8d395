//! Deploys in which functions have the names of the last one: a function that was renamed on the way is one line, and its
//! new name no change.
//!
//! Where functions of a deploy are in no earlier one, and others are in no later one than the deploy before, the few deploys
//! around that place are put side by side as a comparison does, and what it finds renamed has its new name before, too.

use std::collections::{BTreeMap, BTreeSet};

use plop_core::{Function, Functions, Profile, StrId};

use crate::compare::Options;
use crate::prepared::prepared;
use crate::renames::is_named;

/// So many deploys on either side tell of names.
const AROUND: usize = 3;
/// So many places are looked at, the last ones.
const MOST_PLACES: usize = 20;

/// A function's name and file, as they came.
type Name = (Vec<u8>, Vec<u8>);

/// The same deploys, with each function under its last name; nothing where no name changed.
pub(crate) fn renamed(deploys: &[Vec<&Profile>], options: &Options) -> Option<Vec<Vec<Profile>>> {
    let names: Vec<BTreeSet<Name>> = deploys.iter().map(|deploy| names_of(deploy)).collect();
    let places = places(&names);
    let said = said(&names, options);
    if places.is_empty() && said.is_empty() {
        return None;
    }
    let mut all: Vec<Vec<Profile>> = (deploys.iter())
        .map(|deploy| deploy.iter().map(|run| with_names(run, &said)).collect())
        .collect();
    for place in places {
        let near = |from: usize, to: usize| -> Vec<Vec<&Profile>> {
            all[from..to]
                .iter()
                .map(|deploy| deploy.iter().collect())
                .collect()
        };
        let before = near(place.saturating_sub(AROUND), place);
        let after = near(place, all.len().min(place + AROUND));
        // What cannot be compared has no names in common.
        let Ok(compared) = prepared(&before, &after, options) else {
            continue;
        };
        let tree = compared.tree;
        let new: BTreeMap<Name, Name> = (tree.renamed.iter())
            .map(|renamed| &tree.functions[renamed.function as usize])
            .map(|function| {
                let name = |side: usize| {
                    let bytes = |text: &[String; 2]| text[side].clone().into_bytes();
                    (bytes(&function.raw), bytes(&function.raw_file))
                };
                (name(0), name(1))
            })
            .collect();
        for run in all[..place].iter_mut().flatten() {
            *run = with_names(run, &new);
        }
    }
    Some(all)
}

fn names_of(deploy: &[&Profile]) -> BTreeSet<Name> {
    let functions = deploy.iter().flat_map(|run| {
        run.functions
            .iter()
            .map(|(_, function)| name_of(run, function))
    });
    functions.collect()
}

fn name_of(run: &Profile, function: &Function) -> Name {
    let text = |id: StrId| run.strings.get(id).to_vec();
    (text(function.name), text(function.file))
}

/// The deploys at which some functions came that were not there before, and others were gone that had been there. What one
/// deploy alone has may be there by chance.
fn places(names: &[BTreeSet<Name>]) -> Vec<usize> {
    let mut seen: BTreeMap<&Name, (usize, usize, usize)> = BTreeMap::new();
    for (deploy, names) in names.iter().enumerate() {
        for name in names {
            let (_, last, count) = seen.entry(name).or_insert((deploy, deploy, 0));
            (*last, *count) = (deploy, *count + 1);
        }
    }
    let lasting = || seen.values().filter(|(_, _, count)| *count > 1);
    let newest = names.len() - 1;
    // At the newest deploy nothing new can have lasted.
    let came: BTreeSet<usize> = (lasting().map(|(first, ..)| *first))
        .chain(
            seen.values()
                .map(|(first, ..)| *first)
                .filter(|first| *first == newest),
        )
        .collect();
    let mut places: Vec<usize> = (lasting().map(|(_, last, _)| last + 1))
        .filter(|place| came.contains(place))
        .collect();
    places.sort_unstable();
    places.dedup();
    places.split_off(places.len().saturating_sub(MOST_PLACES))
}

/// What was said of names: of each pair the one function that is called so, wherever it is.
fn said(names: &[BTreeSet<Name>], options: &Options) -> BTreeMap<Name, Name> {
    let all: BTreeSet<&Name> = names.iter().flatten().collect();
    let of = |text: &str| {
        let is_it = |(name, file): &&&Name| {
            let [name, file] = [name, file].map(|bytes| String::from_utf8_lossy(bytes));
            is_named(&name, &file, text)
        };
        let mut found = all.iter().filter(is_it);
        match (found.next(), found.next()) {
            (Some(name), None) => Some((*name).clone()),
            _ => None,
        }
    };
    let pairs = options.renames.same.iter();
    pairs
        .filter_map(|(before, after)| Some((of(before)?, of(after)?)))
        .collect()
}

/// A profile whose functions are called otherwise. It stays as it is if two of them would be called alike.
fn with_names(run: &Profile, new: &BTreeMap<Name, Name>) -> Profile {
    let mut renamed = run.clone();
    let mut functions = Functions::new();
    for (id, function) in run.functions.iter() {
        let function = match new.get(&name_of(run, function)) {
            None => *function,
            Some((name, file)) => Function {
                name: renamed.strings.intern(name),
                system_name: StrId::EMPTY,
                file: renamed.strings.intern(file),
                start_line: function.start_line,
            },
        };
        if functions.intern(function) != id {
            return run.clone();
        }
    }
    renamed.functions = functions;
    renamed
}
