//! What is compared: the runs that have samples, the value that all of them have, and all of it on one tree.

use std::collections::BTreeSet;

use plop_core::{Error, Profile, Result, ValueType, nanoseconds_in};

use crate::candidates::candidates;
use crate::compare::{LEAST_SHARE, Options};
use crate::comparison::Warning;
use crate::sets::Set;
use crate::strata::Strata;
use crate::tree::{Run, Side, Tree, align, is_count};
use crate::weigh::FEWEST;

/// What is no kind of its own in the name of a value.
const OF_NO_KIND: [&str; 6] = ["", "samples", "sample", "time", "weight", "count"];

/// A side without the profiles that have no samples, and what is to be said of them. Deploys, and the profiles of
/// each, come in an order of their own, so that the one in which they were named changes nothing.
pub(crate) fn with_samples<'p>(
    side: &str,
    deploys: &[Vec<&'p Profile>],
) -> Result<(Vec<Vec<&'p Profile>>, Option<Warning>)> {
    let has_samples = |profile: &&Profile| !profile.samples.is_empty();
    let mut filled: Vec<Vec<&Profile>> = (deploys.iter())
        .map(|deploy| deploy.iter().copied().filter(has_samples).collect())
        .filter(|deploy: &Vec<&Profile>| !deploy.is_empty())
        .collect();
    for deploy in &mut filled {
        deploy.sort_by_cached_key(|profile| fingerprint(profile));
    }
    filled.sort_by_cached_key(|deploy| deploy.iter().copied().map(fingerprint).collect::<Vec<_>>());
    let count = |deploys: &[Vec<&Profile>]| deploys.iter().map(Vec::len).sum::<usize>();
    let (all, left) = (count(deploys), count(&filled));
    if left == 0 {
        let what = if all == 0 { "profile" } else { "samples" };
        return Err(Error::new(format!("{side} has no {what}")));
    }
    let said = (left < all).then(|| Warning {
        code: "empty-profile",
        text: format!(
            "{} of {all} profiles of {side} have no samples and are left out",
            all - left
        ),
        forbids: false,
    });
    Ok((filled, said))
}

/// A number that the content of a profile determines.
fn fingerprint(profile: &Profile) -> u64 {
    let mut print = profile.samples.len() as u64;
    let mut add = |number: u64| {
        print = (print.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    };
    for number in [profile.meta.start_ns, profile.meta.cpu_ns] {
        add(number.unwrap_or(0) as u64);
    }
    for (_, text) in profile.strings.iter() {
        text.iter().for_each(|byte| add(u64::from(*byte)));
    }
    for (_, caller, frame) in profile.stacks.iter() {
        add((caller.index() as u64) << 32 | frame.index() as u64);
    }
    for sample in profile.samples.iter() {
        add(sample.stack.index() as u64);
        sample.values.iter().for_each(|value| add(*value as u64));
        add(sample.slice.map_or(0, |slice| slice.index() as u64 + 1));
    }
    print
}

/// Runs on one tree, and what is weighed of it.
pub(crate) struct Prepared {
    /// How many runs there are.
    pub(crate) runs: usize,
    /// The value that is compared, of the last run, and how much of it makes a sample.
    pub(crate) value: ValueType,
    pub(crate) worth: f64,
    pub(crate) tree: Tree,
    pub(crate) sets: Vec<Set>,
    pub(crate) strata: Strata,
}

/// Puts runs on one tree. There may be none after, where runs of one build are looked at.
pub(crate) fn prepared(
    before: &[Vec<&Profile>],
    after: &[Vec<&Profile>],
    options: &Options,
) -> Result<Prepared> {
    let runs = chosen(before, after, options)?;
    let profiles: Vec<&Profile> = runs.iter().map(|run| run.profile).collect();
    let by = options.by.of(&profiles);
    let tree = align(&runs, &by, &options.renames);
    for (side, profiles, which) in [
        ("before", before, Side::Before),
        ("after", after, Side::After),
    ] {
        if !profiles.is_empty() && tree.samples(which) <= 0.0 {
            return Err(Error::new(format!(
                "{side} has no samples of the value that is compared"
            )));
        }
    }
    let (sets, strata) = rayon::join(
        || weighed(&tree),
        || Strata::of(&tree, &tree.of_stacks(|_| true)),
    );
    let last = &runs[runs.len() - 1];
    Ok(Prepared {
        runs: before.len() + after.len(),
        value: last.profile.values[last.value].clone(),
        worth: last.worth(),
        sets,
        strata,
        tree,
    })
}

/// The sets that are weighed. Both sides count alike, however long each was sampled: what a short one alone has would be
/// next to nothing of both.
fn weighed(tree: &Tree) -> Vec<Set> {
    let sides = [Side::Before, Side::After];
    let all = sides.map(|side| tree.samples(side));
    let both = all[0] + all[1];
    let factor = |side: Side| match all[side as usize] {
        samples if samples > 0.0 && samples < both => 0.5 * both / samples,
        _ => 1.0,
    };
    let [before, after] = sides.map(|side| {
        let samples = tree.of_stacks(|column| column.side == side);
        let factor = factor(side);
        samples.into_iter().map(move |samples| factor * samples)
    });
    let alike: Vec<f64> = before.zip(after).map(|(a, b)| a + b).collect();
    // So many that it has the fewest samples also if all are of the shorter side.
    let fewest = FEWEST * factor(Side::Before).max(factor(Side::After));
    candidates(tree, &alike, (LEAST_SHARE * both).max(fewest))
}

/// The runs, with the value of each that is compared.
fn chosen<'p>(
    deploys_before: &[Vec<&'p Profile>],
    deploys_after: &[Vec<&'p Profile>],
    options: &Options,
) -> Result<Vec<Run<'p>>> {
    let (before, after) = (deploys_before.concat(), deploys_after.concat());
    if before.is_empty() {
        return Err(Error::new("before has no profile"));
    }
    let all = || before.iter().chain(&after);
    let kinds = |profile: &Profile| -> Vec<String> {
        let mut kinds: Vec<&plop_core::ValueType> = profile.values.iter().collect();
        let default = profile.default_value;
        // The default first, then counts before amounts.
        if default < kinds.len() {
            let first = kinds.remove(default);
            kinds.insert(0, first);
        }
        kinds.iter().map(|value| value.kind.clone()).collect()
    };
    let first = kinds(before[0]);
    let wanted = match &options.value {
        Some(kind) => vec![kind.clone()],
        None => first,
    };
    let common = wanted
        .iter()
        .find(|kind| all().all(|profile| profile.values.iter().any(|value| value.kind == **kind)));
    // Where every side has one value, they are meant, if they may be the same under two names.
    let are_one =
        options.value.is_none() && all().all(|one| all().all(|other| may_be_one(one, other)));
    let find = |profile: &Profile| match common {
        // Of several units of one kind, a count says how sure a number is.
        Some(kind) => {
            let of_kind =
                || (profile.values.iter().enumerate()).filter(|(_, value)| value.kind == *kind);
            of_kind()
                .find(|(_, value)| is_count(value))
                .or_else(|| of_kind().next())
                .map(|(n, _)| n)
        }
        None if are_one => Some(0),
        None => None,
    };
    let mut runs = Vec::new();
    let deploys = (deploys_before.iter().map(|deploy| (Side::Before, deploy)))
        .chain(deploys_after.iter().map(|deploy| (Side::After, deploy)));
    for (number, (side, profiles)) in deploys.enumerate() {
        for profile in profiles {
            let below = |value: usize| {
                let values = profile.samples.values().iter().skip(value);
                values
                    .step_by(profile.samples.stride())
                    .any(|value| *value < 0)
            };
            if find(profile).is_some_and(below) {
                return Err(Error::new(format!(
                    "{} has values below zero, as a difference of two profiles has",
                    side.word()
                ))
                .hint("compare the two themselves"));
            }
            let Some(value) = find(profile) else {
                let list = |profiles: &[&Profile]| {
                    let mut kinds: Vec<String> =
                        profiles.iter().flat_map(|profile| kinds(profile)).collect();
                    kinds.sort();
                    kinds.dedup();
                    kinds.join(", ")
                };
                let said = match &options.value {
                    Some(kind) => lacking(kind, [&before, &after]),
                    None => "the sides have no value in common".to_owned(),
                };
                let has = match after.is_empty() {
                    true => format!("there is {}", list(&before)),
                    false => format!("before has {}, after {}", list(&before), list(&after)),
                };
                return Err(Error::new(format!("{said}: {has}")));
            };
            runs.push(Run {
                side,
                number,
                profile,
                value,
            });
        }
    }
    Ok(runs)
}

/// Whether two profiles have one value each, of one kind perhaps under two names: `wall` is `Wall time`, and formats that
/// know no kinds have samples, times or weights of whatever it was.
fn may_be_one(one: &Profile, other: &Profile) -> bool {
    let ([one], [other]) = (&one.values[..], &other.values[..]) else {
        return false;
    };
    let of_kind = |of: &ValueType| -> BTreeSet<String> {
        let kind = of.kind.to_lowercase();
        let words = kind.split(|letter: char| !letter.is_alphanumeric());
        words
            .filter(|word| !OF_NO_KIND.contains(word))
            .map(str::to_owned)
            .collect()
    };
    let kinds = [one, other].map(of_kind);
    // Of a count of something unknown it is not known either what it is in.
    let is_unknown = |n: usize, of: &ValueType| kinds[n].is_empty() && is_count(of);
    let is_time = |of: &ValueType| nanoseconds_in(&of.unit).is_some();
    // Samples are taken every so often.
    let are_times = |a, b| is_time(a) && (is_time(b) || is_count(b));
    let have_one_unit = one.unit == other.unit || are_times(one, other) || are_times(other, one);
    (kinds[0].is_subset(&kinds[1]) || kinds[1].is_subset(&kinds[0]))
        && (have_one_unit || is_unknown(0, one) || is_unknown(1, other))
}

/// What is said where a value that was asked for is not in every profile.
fn lacking(kind: &str, sides: [&[&Profile]; 2]) -> String {
    let has = |profile: &&Profile| profile.values.iter().any(|value| value.kind == kind);
    let who = match sides.map(|side| side.iter().any(has)) {
        [false, _] if sides[1].is_empty() => "no profile has".to_owned(),
        [false, false] => "neither side has".to_owned(),
        [false, true] => "before does not have".to_owned(),
        [true, false] if !sides[1].is_empty() => "after does not have".to_owned(),
        _ => {
            let in_all = sides[0].iter().all(has);
            let side = if in_all { Side::After } else { Side::Before };
            format!("not every profile of {} has", side.word())
        }
    };
    format!("{who} the value `{kind}`")
}

/// A number that the samples determine, so that the same input gives the same bytes.
pub(crate) fn seed(tree: &Tree) -> u64 {
    let mut seed = tree.len() as u64;
    for cells in &tree.cells {
        for cell in cells {
            let mixed = u64::from(cell.node) << 32 ^ cell.samples.to_bits();
            seed = (seed.rotate_left(23) ^ mixed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        seed = seed.wrapping_add(1).rotate_left(7);
    }
    seed
}
