//! Roots of the same files on different hosts: the program in `/home/ann/shop` and in `/srv/www`, the interpreter in
//! `/opt/venv` and in `/usr/local`, Go's library in `/usr/local/go` and in `/opt/go1.22`. Which of them belong
//! together shows in the ends of the paths, and in the functions below.

use foldhash::fast::FixedState;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::ends::Ends;
use crate::files::is_absolute;
use crate::names::Canonical;

type Map<K, V> = HashMap<K, V, FixedState>;
type Set<T> = HashSet<T, FixedState>;

/// How many folders a root is taken to have at most.
const DEEPEST: usize = 64;

/// Gives the files of each run the roots that earlier runs know them by.
///
/// A file that only one run has is taken for the one of the others that ends most alike, if both have a function of the
/// same name; so two files of which each was seen in one run only may become one, and what one of them lost and the
/// other gained is then not told.
pub(crate) fn same_roots(runs: &mut [Vec<Option<Canonical>>]) {
    let Some((first, others)) = runs.split_first_mut() else {
        return;
    };
    let mut known: Set<Canonical> = first.iter().flatten().cloned().collect();
    for run in others {
        let went = moved_files(run, &known);
        for function in run.iter_mut().flatten() {
            if let Some(file) = went.get(&function.file) {
                function.file.clone_from(file);
            }
        }
        known.extend(run.iter().flatten().cloned());
    }
}

/// What files of a run are called by the others.
fn moved_files(run: &[Option<Canonical>], known: &Set<Canonical>) -> Map<String, String> {
    fn absolute(function: &Canonical) -> Option<&str> {
        Some(function.file.as_str()).filter(|file| is_absolute(file))
    }
    let own: Set<&str> = run.iter().flatten().filter_map(absolute).collect();
    let of_others: Set<&str> = known.iter().filter_map(absolute).collect();
    let only = |these: &Set<&str>, those: &Set<&'_ str>| -> Vec<String> {
        let mut files: Vec<String> = (these.iter().filter(|file| !those.contains(**file)))
            .map(|file| (*file).to_owned())
            .collect();
        files.sort_unstable();
        files
    };
    let (lost, found) = (only(&of_others, &own), only(&own, &of_others));
    let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
    let roots = roots(run, known, &found, &lost);
    let mut taken: Set<String> = own.iter().map(|file| (*file).to_owned()).collect();
    let mut went = Map::default();
    for file in &found {
        // The deepest root that is known.
        let slashes = file.match_indices('/').take(DEEPEST);
        let there = slashes.filter_map(|(at, _)| {
            let root = roots.get(&file[..at + 1])?;
            Some(format!("{root}{}", &file[at + 1..]))
        });
        if let Some(there) = there.last()
            && taken.insert(there.clone())
        {
            went.insert(file.clone(), there);
        }
    }
    went
}

/// Roots of a run's files that no other run has, and those of the others that they stand for: the pairs that most
/// functions speak for, each root once.
fn roots<'f>(
    run: &[Option<Canonical>],
    known: &Set<Canonical>,
    found: &'f [String],
    lost: &[&'f str],
) -> Map<&'f str, &'f str> {
    let ends = Ends::of(lost);
    let nearest: Map<&str, (&str, &str, &str)> = (found.iter())
        .filter_map(|file| {
            let (number, before) = ends.nearest(file)?;
            let other = lost[number];
            let shared = file.len() - before;
            let (own, its) = (&file[..before], &other[..other.len() - shared]);
            let are_roots = !own.is_empty() && !its.is_empty();
            are_roots.then_some((file.as_str(), (own, its, other)))
        })
        .collect();
    let mut votes: Map<(&str, &str), usize> = Map::default();
    for function in run.iter().flatten() {
        let Some((own, its, other)) = nearest.get(function.file.as_str()) else {
            continue;
        };
        let there = Canonical {
            name: function.name.clone(),
            file: (*other).to_owned(),
        };
        if known.contains(&there) {
            *votes.entry((own, its)).or_default() += 1;
        }
    }
    let mut votes: Vec<_> = votes.into_iter().collect();
    votes.sort_unstable_by_key(|(pair, votes)| (std::cmp::Reverse(*votes), *pair));
    let mut stands_for = Map::default();
    let mut taken: Set<&str> = Set::default();
    for ((own, its), _) in votes {
        if let Entry::Vacant(vacant) = stands_for.entry(own)
            && taken.insert(its)
        {
            vacant.insert(its);
        }
    }
    stands_for
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of the second run as the first run calls them; functions are `name file`.
    fn called(first: &[&str], second: &[&str]) -> Vec<String> {
        let read = |text: &&str| {
            let (name, file) = text.split_once(' ').expect("a name and a file");
            Some(Canonical {
                name: name.into(),
                file: file.into(),
            })
        };
        let mut runs = [first, second].map(|run| run.iter().map(read).collect::<Vec<_>>());
        same_roots(&mut runs);
        runs[1]
            .iter()
            .flatten()
            .map(|one| one.file.clone())
            .collect()
    }

    #[test]
    fn the_program_and_its_tools_have_roots_of_their_own() {
        let one = [
            "main /home/ann/svc/main.go",
            "malloc /usr/local/go/src/runtime/malloc.go",
            "<module> /opt/venv/bin/gunicorn",
            "eval /usr/src/python/Python/ceval.c",
        ];
        let other = [
            "main /build/svc/main.go",
            "malloc /opt/go1.22/src/runtime/malloc.go",
            "<module> /usr/local/bin/gunicorn",
            "eval /usr/src/python/Python/ceval.c",
        ];
        let files: Vec<&str> = one
            .iter()
            .filter_map(|one| Some(one.split_once(' ')?.1))
            .collect();
        assert_eq!(called(&one, &other), files);
        assert_eq!(
            called(&["f C:/shop/app.py"], &["f D:/build/shop/app.py"]),
            ["C:/shop/app.py"]
        );
    }

    #[test]
    fn a_root_takes_all_its_files_along() {
        let one = ["main /home/ann/app.py", "work /home/ann/w.py"];
        let other = ["main /srv/app.py", "work /srv/w.py", "new /srv/new.py"];
        assert_eq!(called(&one, &other)[2], "/home/ann/new.py");
    }

    #[test]
    fn files_that_only_end_alike_stay_two() {
        // Without a function of the same name.
        assert_eq!(called(&["f /a/util.py"], &["g /b/util.py"]), ["/b/util.py"]);
        // Two for one: the second has no file left to be.
        let two = called(&["f /a/util.py"], &["f /b/util.py", "f /c/util.py"]);
        assert_eq!(two, ["/a/util.py", "/c/util.py"]);
        // One for two.
        assert_eq!(
            called(&["f /a/util.py", "f /b/util.py"], &["f /c/util.py"]),
            ["/c/util.py"]
        );
        // Names without a folder are what they are.
        assert_eq!(
            called(&["f cart/util.py"], &["f shop/util.py"]),
            ["shop/util.py"]
        );
    }
}
