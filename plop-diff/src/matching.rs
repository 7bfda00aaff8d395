//! Runs that tell functions more or less finely: by whole paths or by the ends of them, by qualified names or by bare
//! ones, with files or without. They are compared as finely as all of them tell.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::names::Canonical;

type Set<T> = HashSet<T, FixedState>;

/// Makes the functions of several runs, each with its canonical name, be called alike. A function that is part of its
/// caller has none.
pub(crate) fn match_names(runs: &mut [Vec<Option<Canonical>>]) {
    same_paths(runs);
    same_files(runs);
    same_names(runs);
}

fn functions(run: &[Option<Canonical>]) -> impl Iterator<Item = &Canonical> {
    run.iter().flatten()
}

/// A file that one run names by the end of its path only becomes the one file of another run that ends so.
fn same_paths(runs: &mut [Vec<Option<Canonical>>]) {
    let files: Vec<Set<String>> = (runs.iter())
        .map(|run| {
            functions(run)
                .map(|function| function.file.clone())
                .collect()
        })
        .collect();
    let mut by_last: HashMap<&str, Set<&str>, FixedState> = HashMap::default();
    for file in files.iter().flatten() {
        by_last.entry(last_of_path(file)).or_default().insert(file);
    }
    for (run, of_run) in runs.iter_mut().zip(&files) {
        let longer = |file: &str| -> Option<String> {
            let candidates = by_last.get(last_of_path(file))?;
            // Runs that know the file as this one does have another file of that longer path.
            let is_meant = |other: &&&str| {
                other
                    .strip_suffix(file)
                    .is_some_and(|rest| rest.ends_with('/'))
                    && !(files.iter()).any(|files| files.contains(file) && files.contains(**other))
            };
            let mut meant = candidates.iter().filter(is_meant);
            let only = meant.next()?;
            meant.next().is_none().then(|| (*only).to_owned())
        };
        let went: HashMap<&str, String, FixedState> = (of_run.iter())
            .filter(|file| !file.is_empty() && !file.starts_with('<'))
            .filter_map(|file| Some((file.as_str(), longer(file)?)))
            .collect();
        for function in run.iter_mut().flatten() {
            if let Some(file) = went.get(function.file.as_str()) {
                function.file.clone_from(file);
            }
        }
    }
}

fn last_of_path(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// Where some runs tell no files at all, the others' functions of the same names lose theirs.
fn same_files(runs: &mut [Vec<Option<Canonical>>]) {
    let has_none = |run: &[Option<Canonical>]| functions(run).all(|one| one.file.is_empty());
    let known: Set<String> = (runs.iter())
        .filter(|run| has_none(run))
        .flat_map(|run| functions(run))
        .map(|function| bare(&function.name).to_owned())
        .collect();
    for run in runs.iter_mut().filter(|run| !has_none(run)) {
        for function in run.iter_mut().flatten() {
            if known.contains(bare(&function.name)) {
                function.file.clear();
            }
        }
    }
}

/// Where some runs tell the bare names of Python's functions only, as Python 2 and many profilers do, the others'
/// qualified names of the same files become as bare, if such a name is there: `Grid.step` becomes `step`.
fn same_names(runs: &mut [Vec<Option<Canonical>>]) {
    let is_bare = |run: &[Option<Canonical>]| {
        functions(run).all(|function| !is_python(function) || bare(&function.name) == function.name)
    };
    let known: Set<Canonical> = (runs.iter())
        .filter(|run| is_bare(run))
        .flat_map(|run| functions(run).cloned())
        .collect();
    for run in runs.iter_mut().filter(|run| !is_bare(run)) {
        for function in run.iter_mut().flatten() {
            let other = Canonical {
                name: bare(&function.name).to_owned(),
                file: function.file.clone(),
            };
            if is_python(function) && known.contains(&other) {
                *function = other;
            }
        }
    }
}

/// A function's name without the classes and functions that it is defined in.
fn bare(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((_, last)) if !last.is_empty() => last,
        _ => name,
    }
}

/// Whether a function is Python's, as far as it can be told.
fn is_python(function: &Canonical) -> bool {
    let file = function.file.as_str();
    file.is_empty() || file.starts_with('<') || file.ends_with(".py")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Functions as `name file`, of two runs, as they are called once they are alike.
    fn called<const N: usize, const M: usize>(
        one: [&str; N],
        other: [&str; M],
    ) -> [Vec<String>; 2] {
        let read = |text: &&str| {
            let (name, file) = text.split_once(' ').unwrap_or((text, ""));
            Some(Canonical {
                name: name.into(),
                file: file.into(),
            })
        };
        let mut runs = [
            one.iter().map(read).collect::<Vec<_>>(),
            other.iter().map(read).collect(),
        ];
        match_names(&mut runs);
        runs.map(|run| {
            let text = |one: &Canonical| format!("{} {}", one.name, one.file);
            let names = functions(&run).map(text);
            names.map(|name| name.trim_end().to_owned()).collect()
        })
    }

    #[test]
    fn a_file_may_be_told_by_the_end_of_its_path() {
        let [short, long] = called(
            ["run threading.py", "main app.py", "get json/decoder.py"],
            [
                "run <python>/threading.py",
                "main app.py",
                "get <python>/json/decoder.py",
            ],
        );
        assert_eq!(short, long);
        assert_eq!(short[0], "run <python>/threading.py");
        // Of two that end so, neither is meant.
        let [short, _] = called(["f util.py"], ["f a/util.py", "f b/util.py"]);
        assert_eq!(short, ["f util.py"]);
        // Nor is one that stands beside it.
        let [short, long] = called(["f util.py"], ["f util.py", "f a/util.py"]);
        assert_eq!(
            (short.len(), long),
            (1, vec!["f util.py".into(), "f a/util.py".into()])
        );
        assert_eq!(short, ["f util.py"]);
    }

    #[test]
    fn qualified_names_are_as_bare_as_the_other_run_tells_them() {
        let [python2, python3] = called(
            [
                "step work.py",
                "<lambda> work.py",
                "run <python>/threading.py",
            ],
            [
                "Grid.step work.py",
                "sort_words.<locals>.<lambda> work.py",
                "Thread.run <python>/threading.py",
                "Grid.mean work.py",
            ],
        );
        assert_eq!(python2, python3[..3]);
        assert_eq!(
            python3[3], "Grid.mean work.py",
            "what only one side has stays as it is"
        );
        // The bare name means both, whichever it was.
        let [_, both] = called(["run a.py"], ["A.run a.py", "B.run a.py", "C.run b.py"]);
        assert_eq!(both, ["run a.py", "run a.py", "C.run b.py"]);
        // A side that has qualified names means a bare one to be bare.
        let [one, other] = called(["run a.py", "A.go a.py"], ["A.run a.py", "A.go a.py"]);
        assert_eq!(
            (&one[0], &other[0]),
            (&"run a.py".into(), &"A.run a.py".into())
        );
        let [_, go] = called(
            ["run a.py", "handle main.go"],
            ["A.run a.py", "main.handle main.go"],
        );
        assert_eq!(go[1], "main.handle main.go", "only Python qualifies names");
    }

    #[test]
    fn a_run_without_files_is_compared_by_names() {
        let [without, with] = called(
            ["main", "parse", "step"],
            [
                "main app.py",
                "parse app.py",
                "Grid.step grid.py",
                "other app.py",
            ],
        );
        assert_eq!(without, with[..3]);
        assert_eq!(with[3], "other app.py");
    }
}
