//! What somebody changed between the two builds, as whoever has the sources tells it: functions that were touched get
//! a part of the error rate of their own (`limits.rs`), and findings say whether they are of them.
//!
//! This neither reads sources nor asks a version control system.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::sets::{Kind, Set};
use crate::tree::{NO_FUNCTION, Tree};

/// What was touched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    /// Between what, for people: `v1.4..HEAD`.
    pub range: String,
    /// The functions.
    pub functions: Vec<TouchedFunction>,
}

/// A function that was touched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TouchedFunction {
    /// Its name, as a profile of either side has it.
    pub name: String,
    /// Its file, as a profile of either side has it; empty where it has none.
    pub file: String,
    /// Its file in the repository, for people.
    pub path: String,
    /// The first line of it that was touched; 0 when that is not known.
    pub line: i64,
    /// Who did it last.
    pub last: LastChange,
}

/// What last changed a function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum LastChange {
    /// Nobody looked, or it cannot be told.
    #[default]
    Unknown,
    /// What nobody has committed.
    Uncommitted,
    /// A commit.
    Commit {
        /// Its name, as long as it has to be.
        id: String,
        /// The first line of its message.
        subject: String,
    },
}

/// What of it is in the profiles.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TouchedHere {
    /// Between what.
    pub range: String,
    /// The functions, each with its number in the tree, those with the lowest numbers first.
    pub functions: Vec<(u32, TouchedFunction)>,
    /// How many sets of stacks are theirs, which is what half of the error rate is for; none where they are as many
    /// as all others, and have no part of their own.
    pub hypotheses: usize,
}

impl TouchedHere {
    pub(crate) fn of(touched: &Touched, tree: &Tree) -> TouchedHere {
        let mut by_name: HashMap<(&str, &str), &TouchedFunction, FixedState> = HashMap::default();
        for function in &touched.functions {
            let key = (function.name.as_str(), function.file.as_str());
            by_name.entry(key).or_insert(function);
        }
        let functions = (tree.functions.iter().enumerate())
            .filter_map(|(id, function)| {
                // As it is called after, in the first place.
                let found = [1, 0].into_iter().find_map(|side| {
                    let name = function.raw[side].as_str();
                    by_name.get(&(name, function.raw_file[side].as_str()))
                });
                found.map(|found| (id as u32, (*found).clone()))
            })
            .collect();
        TouchedHere {
            range: touched.range.clone(),
            functions,
            hypotheses: 0,
        }
    }

    /// Which of the functions a set of stacks is of: it itself, or what calls it.
    pub(crate) fn of_set(&self, tree: &Tree, set: &Set) -> Option<usize> {
        let place = |id: u32| {
            let found = self.functions.binary_search_by_key(&id, |(id, _)| *id);
            found.ok()
        };
        let itself = || set.also.iter().find_map(|id| place(*id));
        let caller = || {
            let caller = |node: &u32| tree.node_functions[tree.parents[*node as usize] as usize];
            let first = set.nodes().first().map(caller)?;
            let is_all =
                first != NO_FUNCTION && set.nodes().iter().all(|node| caller(node) == first);
            is_all.then(|| place(first))?
        };
        place(set.function).or_else(itself).or_else(caller)
    }

    /// The class of each set, and how many are touched. Where those that are touched are many, they are like all
    /// others.
    pub(crate) fn classes(&mut self, tree: &Tree, sets: &[Set]) -> Vec<Class> {
        let mut classes: Vec<Class> = (sets.iter())
            .map(|set| match self.of_set(tree, set) {
                None => Class::of(set.kind),
                Some(n) if set.kind == Kind::Own && self.is_named(set, n) => Class::TouchedOwn,
                Some(_) => Class::TouchedOther,
            })
            .collect();
        for [rest, touched] in [
            [Class::Own, Class::TouchedOwn],
            [Class::Other, Class::TouchedOther],
        ] {
            let count = |of: Class| classes.iter().filter(|class| **class == of).count();
            if 2 * count(touched) > count(rest) {
                let many = classes.iter_mut().filter(|class| **class == touched);
                many.for_each(|class| *class = rest);
            }
        }
        self.hypotheses = classes.iter().filter(|class| class.is_touched()).count();
        classes
    }

    /// Whether a set is called after one of the functions, and not only called by it.
    fn is_named(&self, set: &Set, touched: usize) -> bool {
        let (id, _) = self.functions[touched];
        set.names().contains(&id)
    }
}

/// Which limit a set of stacks has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A function itself.
    Own,
    /// Any other set.
    Other,
    /// A function itself that was touched.
    TouchedOwn,
    /// Any other set of a function that was touched: itself with what it calls, a place of it, a call of it or from
    /// it.
    TouchedOther,
}

impl Class {
    pub(crate) const ALL: [Class; 4] = [
        Class::Own,
        Class::Other,
        Class::TouchedOwn,
        Class::TouchedOther,
    ];

    /// That of a set of this kind of which nobody touched anything.
    pub(crate) fn of(kind: Kind) -> Class {
        match kind {
            Kind::Own => Class::Own,
            Kind::Inclusive | Kind::Subtree | Kind::Edge => Class::Other,
        }
    }

    pub(crate) fn kind_is_own(self) -> bool {
        matches!(self, Class::Own | Class::TouchedOwn)
    }

    pub(crate) fn is_touched(self) -> bool {
        matches!(self, Class::TouchedOwn | Class::TouchedOther)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Cell, Function};

    /// main calls a and b; a calls leaf.
    fn tree() -> Tree {
        let function = |name: &str| Function {
            name: name.into(),
            raw: [name.into(), name.into()],
            raw_file: ["/srv/1/x.py".into(), "/srv/2/x.py".into()],
            ..Function::default()
        };
        let cell = |node: u32| Cell { node, samples: 9.0 };
        let tree = Tree {
            functions: ["main", "a", "leaf", "b"].map(function).into(),
            parents: vec![0, 0, 1, 2, 1],
            node_functions: vec![NO_FUNCTION, 0, 1, 2, 3],
            ends: vec![5, 5, 4, 4, 5],
            cells: vec![(1..5).map(cell).collect()],
            ..Tree::default()
        };
        tree.with_places()
    }

    fn touched(name: &str, file: &str) -> TouchedHere {
        let function = TouchedFunction {
            name: name.into(),
            file: file.into(),
            ..TouchedFunction::default()
        };
        let touched = Touched {
            range: "x..HEAD".into(),
            functions: vec![function],
        };
        TouchedHere::of(&touched, &tree())
    }

    #[test]
    fn functions_are_known_by_what_either_side_calls_them() {
        for (file, found) in [("/srv/1/x.py", 1), ("/srv/2/x.py", 1), ("x.py", 0)] {
            assert_eq!(touched("a", file).functions.len(), found, "{file}");
        }
        assert_eq!(touched("c", "/srv/1/x.py").functions.len(), 0);
    }

    #[test]
    fn a_set_is_touched_by_its_function_and_by_the_only_one_that_calls_it() {
        let tree = tree();
        let a = touched("a", "/srv/1/x.py");
        let mut sets = crate::candidates::candidates(&tree, &[9.0; 4], 1.0);
        // What is not the one that matters here.
        sets.retain(|set| set.kind == Kind::Own);
        let classes = |mut here: TouchedHere, sets: &[Set]| here.classes(&tree, sets);
        // `leaf` is called from `a` alone: a call that comes more often shows there.
        let untouched = |kind: Kind| Set::new(&tree, kind, 3, sets[0].caller, vec![4]);
        let many: Vec<Set> = (sets.iter().cloned())
            .chain((0..4).map(|_| untouched(Kind::Own)))
            .chain((0..4).map(|_| untouched(Kind::Edge)))
            .collect();
        let found = classes(a.clone(), &many);
        let own = |function: u32| {
            let at = sets.iter().position(|set| set.function == function);
            found[at.expect("it is weighed")]
        };
        assert_eq!(own(0), Class::Own);
        assert_eq!(own(1), Class::TouchedOwn);
        assert_eq!(own(2), Class::TouchedOther);
        assert_eq!(own(3), Class::Own);
        // One of two is as good as all.
        let two: Vec<Set> = sets
            .iter()
            .filter(|set| [1, 3].contains(&set.function))
            .cloned()
            .collect();
        assert_eq!(classes(a, &two), [Class::Own, Class::Own]);
    }
}
