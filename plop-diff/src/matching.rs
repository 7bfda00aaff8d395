//! Runs that tell functions more or less finely: by whole paths or by the ends of them, by qualified names or by bare
//! ones, with files or without. They are compared as finely as all of them tell. So it is with what builds change,
//! too: hashes and versions in files, numbers of closures and type arguments stay where the runs agree on them.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::ends::Ends;
use crate::files::without_versions;
use crate::names::Canonical;
use crate::plain::{plain, without_numbers, without_type_arguments};
use crate::roots::same_roots;

type Set<T> = HashSet<T, FixedState>;

/// Makes the functions of several runs, each with its canonical name, be called alike. A function that is part of its
/// caller has none.
pub(crate) fn match_names(runs: &mut [Vec<Option<Canonical>>]) {
    same_roots(runs);
    same_versions(runs);
    // Files that a hash kept apart show roots now.
    same_roots(runs);
    same_paths(runs);
    same_files(runs);
    same_names(runs);
    same_numbers(runs);
    same_types(runs);
}

fn functions(run: &[Option<Canonical>]) -> impl Iterator<Item = &Canonical> {
    run.iter().flatten()
}

/// What every run has.
fn in_all<T: Clone + Eq + std::hash::Hash>(
    runs: &[Vec<Option<Canonical>>],
    part: impl Fn(&Canonical) -> &T,
) -> Set<T> {
    let sets = runs
        .iter()
        .map(|run| -> Set<&T> { functions(run).map(&part).collect() });
    let common = sets.reduce(|one, other| one.intersection(&other).copied().collect());
    common.unwrap_or_default().into_iter().cloned().collect()
}

/// Files lose hashes and versions, unless every run has the file with the same one. Two bundles of one profile that
/// differ in nothing else are one then, since there is no telling which of them is which of the other run's.
fn same_versions(runs: &mut [Vec<Option<Canonical>>]) {
    let same = in_all(runs, |function| &function.file);
    for function in runs.iter_mut().flatten().flatten() {
        if !same.contains(&function.file) {
            function.file = without_versions(&function.file);
        }
    }
}

/// A file that one run names by the end of its path only becomes the one file of another run that ends so.
fn same_paths(runs: &mut [Vec<Option<Canonical>>]) {
    let mut number_of: HashMap<String, usize, FixedState> = HashMap::default();
    // The runs that have each file.
    let mut runs_of: Vec<Vec<usize>> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for function in functions(run) {
            let next = runs_of.len();
            let file = *number_of.entry_ref(&function.file).or_insert(next);
            if file == next {
                runs_of.push(Vec::new());
            }
            if runs_of[file].last() != Some(&number) {
                runs_of[file].push(number);
            }
        }
    }
    let mut files = vec![""; runs_of.len()];
    for (file, number) in &number_of {
        files[*number] = file;
    }
    let ends = Ends::of(&files);
    let mut longer: Vec<Vec<usize>> = vec![Vec::new(); files.len()];
    for (number, file) in files.iter().enumerate() {
        for end in ends.ends_of(file) {
            // Runs that know the file by its end have another file of the longer path.
            let is_meant = !runs_of[end].iter().any(|run| runs_of[number].contains(run));
            if is_meant && !files[end].starts_with('<') && longer[end].len() < 2 {
                longer[end].push(number);
            }
        }
    }
    let went: HashMap<&str, &str, FixedState> = (files.iter().zip(&longer))
        .filter_map(|(file, longer)| match longer[..] {
            [only] if !file.is_empty() => Some((*file, files[only])),
            _ => None,
        })
        .collect();
    for function in runs.iter_mut().flatten().flatten() {
        if let Some(file) = went.get(function.file.as_str()) {
            function.file = (*file).to_owned();
        }
    }
}

/// Where some runs tell no files at all, the others' functions of the same names lose theirs.
fn same_files(runs: &mut [Vec<Option<Canonical>>]) {
    let has_none = |run: &[Option<Canonical>]| functions(run).all(|one| one.file.is_empty());
    let known: Set<String> = (runs.iter())
        .filter(|run| has_none(run))
        .flat_map(|run| functions(run))
        .map(|function| bare(&plain(&function.name)).to_owned())
        .collect();
    for run in runs.iter_mut().filter(|run| !has_none(run)) {
        for function in run.iter_mut().flatten() {
            if known.contains(bare(&plain(&function.name))) {
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

/// Closures of one function lose their numbers, unless every run has the same ones: one more and all others are
/// counted anew. They are one function then, and cost that went from one to the other is not told.
fn same_numbers(runs: &mut [Vec<Option<Canonical>>]) {
    let without = |function: &Canonical| Canonical {
        name: without_numbers(&function.name).into_owned(),
        file: function.file.clone(),
    };
    let same = in_all(runs, |function| function);
    let changed: Set<Canonical> = (runs.iter())
        .flat_map(|run| functions(run))
        .filter(|function| !same.contains(*function))
        .map(without)
        .collect();
    for function in runs.iter_mut().flatten().flatten() {
        let other = without(function);
        if changed.contains(&other) {
            *function = other;
        }
    }
}

/// Functions lose their type arguments, unless every run has the function with the same ones. Those that do are one,
/// and cost that went from one to the other is not told.
fn same_types(runs: &mut [Vec<Option<Canonical>>]) {
    let same = in_all(runs, |function| function);
    for function in runs.iter_mut().flatten().flatten() {
        if !same.contains(function) {
            function.name = without_type_arguments(&function.name).into_owned();
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::names::{canonical, root_of};

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

    #[test]
    fn hashes_of_bundles_go_where_they_changed() {
        let vendor = "f https://x.io/vendor.0a1b2c3d.js";
        let [before, after] = called(
            [vendor, "f https://x.io/main.3f2a1b4c.js"],
            [vendor, "f https://x.io/main.9d8e7f6a.js"],
        );
        assert_eq!(before, after);
        assert_eq!(before, [vendor, "f https://x.io/main.js"]);
        // Both on another host.
        let [before, after] = called(
            ["f /home/ann/main.3f2a1b4c.js"],
            ["f /srv/www/main.9d8e7f6a.js"],
        );
        assert_eq!(before, after);
        let [before, after] = called(["F x.org/y@v1.2.3/w.go"], ["F x.org/y@v1.2.4/w.go"]);
        assert_eq!(before, after);
    }

    #[test]
    fn closures_keep_numbers_that_did_not_change() {
        let run = ["run.func1", "run.func2", "go.func1"];
        assert_eq!(called(run, run)[0], run);
        // One came before the others.
        let [before, after] = called(run, ["run.func2", "run.func3", "go.func1"]);
        assert_eq!(before, ["run.func", "run.func", "go.func1"]);
        assert_eq!(before, after);
        let [legacy, newer] = called(["run::{{closure}}"], ["run::{closure#0}"]);
        assert_eq!(legacy, newer);
    }

    #[test]
    fn type_arguments_that_both_have_keep_functions_apart() {
        let [before, after] = called(["sort<int>", "sort<long>"], ["sort<int>", "sort<char>"]);
        assert_eq!(before, after);
        assert_eq!(before, ["sort<int>", "sort"]);
        // Also where only one run has files.
        let [before, after] = called(["sort<int>"], ["sort<long> sort.cpp"]);
        assert_eq!(before, after);
    }

    #[test]
    fn many_files_of_one_last_name_take_one_pass() {
        // Each with each other these were thousands of millions of comparisons.
        let run = |root: &str| -> Vec<Option<Canonical>> {
            (0..40_000)
                .map(|n| {
                    Some(Canonical {
                        name: "f".into(),
                        file: format!("{root}p{n}/__init__.py"),
                    })
                })
                .collect()
        };
        for roots in [["app/", "x/app/"], ["/home/ann/", "/srv/"]] {
            let mut runs = roots.map(run);
            match_names(&mut runs);
            assert!(runs[0] == runs[1], "{roots:?}");
        }
    }

    #[test]
    fn what_hosts_and_builds_change_is_no_change() {
        // Functions as (name, file): {n} is the number of each, {m} one that the side after counts on from another.
        type Frames<'f> = &'f [(&'f str, &'f str)];
        let pairs: [(Frames, Frames); 8] = [
            (
                &[
                    ("<module>", "/opt/venv/bin/gunicorn"),
                    (
                        "run",
                        "/opt/venv/lib/python3.11/site-packages/gunicorn/app.py",
                    ),
                    ("work{n}", "/home/ann/shop/app/work.py"),
                ],
                &[
                    ("<module>", "/usr/local/bin/gunicorn"),
                    (
                        "run",
                        "/usr/local/lib/python3.11/site-packages/gunicorn/app.py",
                    ),
                    ("work{n}", "/srv/www/app/work.py"),
                ],
            ),
            (
                &[
                    ("main", "/home/ann/shop/app.py"),
                    ("eval", "/usr/src/python/Python/ceval.c"),
                    ("work{n}", "/home/ann/shop/w.py"),
                ],
                &[
                    ("main", "/srv/web/app.py"),
                    ("eval", "/usr/src/python/Python/ceval.c"),
                    ("work{n}", "/srv/web/w.py"),
                ],
            ),
            (
                &[
                    ("main", r"C:\Users\ann\shop\app.py"),
                    ("work{n}", r"C:\Users\ann\shop\w.py"),
                ],
                &[
                    ("main", r"D:\build\shop\app.py"),
                    ("work{n}", r"D:\build\shop\w.py"),
                ],
            ),
            (
                &[
                    ("main", "file:///home/ann/app/main.js"),
                    ("work{n}", "file:///home/ann/app/w.js"),
                ],
                &[
                    ("main", "file:///srv/app/main.js"),
                    ("work{n}", "file:///srv/app/w.js"),
                ],
            ),
            (
                &[
                    ("main.main", "/home/ann/svc/main.go"),
                    ("y.Work{n}", "/home/ann/go/pkg/mod/x.org/y@v1.2.3/w.go"),
                    ("runtime.mallocgc", "/usr/local/go/src/runtime/malloc.go"),
                ],
                &[
                    ("main.main", "/build/svc/main.go"),
                    ("y.Work{n}", "/root/go/pkg/mod/x.org/y@v1.2.4/w.go"),
                    ("runtime.mallocgc", "/opt/go1.22/src/runtime/malloc.go"),
                ],
            ),
            (
                &[
                    ("app::main", "/home/ann/app/src/main.rs"),
                    (
                        "core::work{n}",
                        "/rustc/a28077b28a02b92985b3/library/core/src/iter.rs",
                    ),
                ],
                &[
                    ("app::main", "/build/app/src/main.rs"),
                    (
                        "core::work{n}",
                        "/rustc/9fc6b43126469e3858e2/library/core/src/iter.rs",
                    ),
                ],
            ),
            (
                &[("work{n}", "https://x.io/static/main.3f2a1b4c.js")],
                &[("work{n}", "https://x.io/static/main.9d8e7f6a.js")],
            ),
            (
                &[
                    ("void sort<std::vector<int>, {n}>(int)", ""),
                    ("run()::{lambda(int)#{m}}::operator()(int) const", ""),
                    ("Cart+<>c__DisplayClass{m}_0.<Price>b__{n}(int32)", ""),
                    ("Cart.price$lambda${m}", ""),
                    ("Cart.lambda$price${m}", ""),
                    ("Cart$$Lambda${m}/0x00007f.run", ""),
                    ("Cart$$EnhancerBySpringCGLIB$$a1b2c{m}.run", ""),
                    ("reflect.GeneratedMethodAccessor{m}.invoke", ""),
                    ("proxy.$Proxy{m}.get", ""),
                    ("[unknown <40>]", ""),
                ],
                &[
                    ("void sort<std::vector<long>, {n}>(int)", ""),
                    ("run()::{lambda(int)#{m}}::operator()(int) const", ""),
                    ("Cart+<>c__DisplayClass{m}_0.<Price>b__{n}(int32)", ""),
                    ("Cart.price$lambda${m}", ""),
                    ("Cart.lambda$price${m}", ""),
                    ("Cart$$Lambda${m}/0x00008a.run", ""),
                    ("Cart$$EnhancerBySpringCGLIB$$f9e8d{m}.run", ""),
                    ("reflect.GeneratedMethodAccessor{m}.invoke", ""),
                    ("proxy.$Proxy{m}.get", ""),
                    ("[unknown]", ""),
                ],
            ),
        ];
        let named = |frames: Frames, first: usize| -> Vec<Option<Canonical>> {
            let root = root_of(frames.iter().map(|(_, file)| *file));
            let of = |n: usize| {
                let root = &root;
                frames.iter().map(move |(name, file)| {
                    let name = name.replace("{n}", &n.to_string());
                    canonical(&name.replace("{m}", &(n + first).to_string()), file, root)
                })
            };
            (0..12).flat_map(of).collect()
        };
        for (before, after) in pairs {
            let mut runs = [named(before, 1), named(after, 21)];
            match_names(&mut runs);
            let [one, other] = runs.map(|run| run.into_iter().flatten().collect::<BTreeSet<_>>());
            assert_eq!(one, other);
        }
    }
}
