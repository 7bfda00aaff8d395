//! What a team says of single functions: growth that is known and no failure for a while, another least growth
//! that fails, and how much of the whole a function may be.
//!
//! Whoever reads them from a file knows the date, and says which ones are over.

use plop_core::{Error, Result};

use crate::comparison::Warning;
use crate::tree::{Function, Tree};

/// So many ignores are named in a sentence.
const NAMED: usize = 3;

/// A name with `*` for any characters and `?` for one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern of a name.
    ///
    /// ```
    /// use plop_diff::Pattern;
    ///
    /// assert!(Pattern::new("Cart.*")?.is_of("Cart.total"));
    /// assert!(!Pattern::new("total")?.is_of("Cart.total"));
    /// assert!(Pattern::new("").is_err());
    /// # Ok::<(), plop_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(text: &str) -> Result<Pattern> {
        match text.trim().is_empty() {
            true => Err(Error::new(
                "expected a name, `*` standing for any characters and `?` for one, found nothing",
            )),
            false => Ok(Pattern(text.to_owned())),
        }
    }

    /// The text that it was made of.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether every name is of the pattern.
    pub fn is_of_all(&self) -> bool {
        self.0.chars().all(|sign| sign == '*')
    }

    /// Whether a whole name is of the pattern.
    pub fn is_of(&self, name: &str) -> bool {
        let (pattern, name): (Vec<char>, Vec<char>) =
            (self.0.chars().collect(), name.chars().collect());
        let (mut at, mut from) = (0, 0);
        // The last `*`, and how much of the name it has taken.
        let mut star: Option<(usize, usize)> = None;
        while from < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(sign) if *sign == '?' || *sign == name[from] => {
                    (at, from) = (at + 1, from + 1)
                }
                _ => match star {
                    Some((place, taken)) => {
                        star = Some((place, taken + 1));
                        (at, from) = (place + 1, taken + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|sign| *sign == '*')
    }

    /// Whether a path, or what stands behind one of its slashes, is of the pattern.
    fn ends(&self, path: &str) -> bool {
        let behind = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
        std::iter::once(path)
            .chain(behind)
            .any(|part| self.is_of(part))
    }
}

/// Which functions something is said of: those of which all holds that is named.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Functions {
    /// The name, as a report shows it or without what a build put into it.
    pub name: Option<Pattern>,
    /// The end of the path of the file, from a slash on.
    pub file: Option<Pattern>,
    /// Where that is said, for people: `plop.toml:7`.
    pub place: String,
}

impl Functions {
    /// Whether a function is one of them.
    pub fn has(&self, function: &Function) -> bool {
        let is_named = self.name.as_ref().is_none_or(|pattern| {
            let [before, after] = &function.raw;
            [&function.name, before, after]
                .into_iter()
                .any(|name| pattern.is_of(name))
        });
        is_named
            && self.file.as_ref().is_none_or(|pattern| {
                let [before, after] = &function.raw_file;
                [&function.file, before, after]
                    .into_iter()
                    .any(|path| pattern.ends(path))
            })
    }

    /// The names of all of them in a tree.
    pub(crate) fn of(&self, tree: &Tree) -> Vec<bool> {
        tree.functions
            .iter()
            .map(|function| self.has(function))
            .collect()
    }

    /// What they are called in a sentence.
    pub fn told(&self) -> String {
        match (&self.name, &self.file) {
            (Some(name), Some(file)) => format!("{} in {}", name.text(), file.text()),
            (Some(name), None) => name.text().to_owned(),
            (None, Some(file)) => format!("all of {}", file.text()),
            (None, None) => "every function".to_owned(),
        }
    }
}

/// Growth that is known, and no failure until a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ignore {
    /// Whose.
    pub of: Functions,
    /// Why.
    pub reason: String,
    /// The last day, as people write it.
    pub until: String,
    /// Whether that is over.
    pub expired: bool,
}

/// Functions with a least growth of their own that fails.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnEffect {
    /// Which.
    pub of: Functions,
    /// In shares of the whole cost.
    pub min_effect: f64,
}

/// How much functions may cost, all of them together.
#[derive(Clone, PartialEq, Debug)]
pub struct Budget {
    /// Which.
    pub of: Functions,
    /// Whether only what they do themselves counts, or what they call as well.
    pub own: bool,
    /// How much.
    pub most: Most,
}

/// An upper bound of a cost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Most {
    /// A share of the whole.
    Share(f64),
    /// Nanoseconds of CPU time per unit of work.
    Ns(f64),
}

/// All that is said of single functions. Of several sentences about one function the last counts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FunctionRules {
    /// Growth that does not fail.
    pub ignores: Vec<Ignore>,
    /// Other least growths.
    pub effects: Vec<OwnEffect>,
    /// Upper bounds.
    pub budgets: Vec<Budget>,
}

impl FunctionRules {
    /// What makes the growth of a set of stacks no failure. It goes by any of the functions that have these stacks.
    pub(crate) fn ignore(&self, tree: &Tree, names: &[u32]) -> Option<&Ignore> {
        let counts = |ignore: &&Ignore| !ignore.expired && has_any(&ignore.of, tree, names);
        self.ignores.iter().rev().find(counts)
    }

    /// The least growth of a set of stacks that fails.
    pub(crate) fn min_effect(&self, tree: &Tree, names: &[u32], otherwise: f64) -> f64 {
        let own = |effect: &&OwnEffect| has_any(&effect.of, tree, names);
        self.effects
            .iter()
            .rev()
            .find(own)
            .map_or(otherwise, |effect| effect.min_effect)
    }
}

/// What is said of sentences that are over, or about no function of either side.
pub(crate) fn remarks(rules: &FunctionRules, tree: &Tree) -> Vec<Warning> {
    let over = rules.ignores.iter().filter(|ignore| ignore.expired);
    let over = over.map(|ignore| Warning {
        code: "ignore-expired",
        text: format!(
            "{} was ignored until {} ({}: {}) and counts again: take that out, or give it another day",
            ignore.of.told(),
            ignore.until,
            ignore.of.place,
            ignore.reason
        ),
        forbids: false,
    });
    let ignores = rules.ignores.iter().filter(|ignore| !ignore.expired);
    let all = (ignores.map(|ignore| ("ignore", &ignore.of)))
        .chain(rules.effects.iter().map(|effect| ("rule", &effect.of)))
        .chain(rules.budgets.iter().map(|budget| ("budget", &budget.of)));
    let unmatched = all
        .filter(|(_, of)| !tree.functions.iter().any(|function| of.has(function)))
        .map(|(what, of)| Warning {
            code: "rule-unmatched",
            text: format!(
                "the {what} for {} ({}) is about no function of either side: it may be misspelt, renamed or gone",
                of.told(),
                of.place
            ),
            forbids: false,
        });
    over.chain(unmatched).chain(of_all(rules, tree)).collect()
}

/// What is said where ignores are about every function, one of them or all together.
fn of_all(rules: &FunctionRules, tree: &Tree) -> Vec<Warning> {
    let all = |counts: &dyn Fn(&Function) -> bool| {
        tree.functions.len() > 1 && tree.functions.iter().all(counts)
    };
    let ignores: Vec<&Ignore> = (rules.ignores.iter())
        .filter(|ignore| !ignore.expired)
        .collect();
    let warning = |which: String| Warning {
        code: "ignore-all",
        text: format!(
            "{which} about every function, so that nothing would fail: name those that it is about"
        ),
        forbids: true,
    };
    let told = |ignore: &Ignore| format!("{} ({})", ignore.of.told(), ignore.of.place);
    let alone: Vec<Warning> = (ignores.iter())
        .filter(|ignore| all(&|function| ignore.of.has(function)))
        .map(|ignore| warning(format!("the ignore for {} is", told(ignore))))
        .collect();
    if !alone.is_empty() || !all(&|function| ignores.iter().any(|one| one.of.has(function))) {
        return alone;
    }
    let mut names: Vec<String> = ignores.iter().map(|ignore| told(ignore)).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    vec![warning(format!(
        "the ignores for {} are together",
        names.join(", ")
    ))]
}

fn has_any(of: &Functions, tree: &Tree, names: &[u32]) -> bool {
    names.iter().any(|id| of.has(&tree.functions[*id as usize]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(name: &str, file: &str) -> Functions {
        let pattern = |text: &str| Pattern::new(text).ok();
        Functions {
            name: pattern(name),
            file: pattern(file),
            place: String::new(),
        }
    }

    fn function(name: &str, file: &str) -> Function {
        Function {
            name: name.into(),
            file: file.into(),
            ..Function::default()
        }
    }

    #[test]
    fn patterns_are_of_whole_names() {
        for (pattern, name, is_of) in [
            ("parse", "parse", true),
            ("parse", "parser", false),
            ("parse*", "parser", true),
            ("*parse", "Calc.parse", true),
            ("*a*b*", "xaxbx", true),
            ("*a*b*", "xbxax", false),
            ("*ab", "aab", true),
            ("pars?", "parse", true),
            ("pars?", "pars", false),
            ("größe?", "größen", true),
            ("f[int]", "f[int]", true),
        ] {
            let pattern = Pattern::new(pattern).expect("a pattern");
            assert_eq!(pattern.is_of(name), is_of, "{pattern:?} {name}");
        }
        assert!(Pattern::new(" ").is_err());
    }

    #[test]
    fn files_are_told_by_the_end_of_their_path() {
        let shop = function("f", "app/shop.py");
        for (file, has) in [
            ("shop.py", true),
            ("app/shop.py", true),
            ("app/*", true),
            ("*.py", true),
            ("op.py", false),
            ("shop", false),
        ] {
            assert_eq!(functions("", file).has(&shop), has, "{file}");
        }
        assert!(functions("f", "shop.py").has(&shop));
        assert!(!functions("g", "shop.py").has(&shop), "both have to hold");
    }

    #[test]
    fn ignores_that_are_about_every_function_are_told_alone_and_together() {
        let tree = Tree {
            functions: vec![function("parse", "a.py"), function("walk", "b.py")],
            ..Tree::default()
        };
        let said = |names: &[(&str, bool)]| -> Vec<String> {
            let ignores = names.iter().map(|(name, expired)| Ignore {
                of: functions(name, ""),
                reason: "r".into(),
                until: "2026-01-01".into(),
                expired: *expired,
            });
            let rules = FunctionRules {
                ignores: ignores.collect(),
                ..FunctionRules::default()
            };
            let all = remarks(&rules, &tree).into_iter();
            let forbids = all.filter(|one| one.forbids && one.code == "ignore-all");
            forbids.map(|one| one.text).collect()
        };
        assert_eq!(said(&[("parse", false)]).len(), 0);
        assert_eq!(said(&[("parse", false), ("walk", true)]).len(), 0);
        let together = said(&[("parse", false), ("w*", false)]);
        assert!(
            together.len() == 1 && together[0].contains("parse (), w* () are together about every"),
            "{together:?}"
        );
        let alone = said(&[("parse", false), ("*a*", false)]);
        assert!(
            alone.len() == 1 && alone[0].starts_with("the ignore for *a* () is about every"),
            "{alone:?}"
        );
    }

    #[test]
    fn the_last_sentence_about_a_function_counts() {
        let tree = Tree {
            functions: vec![function("parse", "a.py"), function("walk", "a.py")],
            ..Tree::default()
        };
        let effect = |name: &str, min_effect| OwnEffect {
            of: functions(name, ""),
            min_effect,
        };
        let ignore = |name: &str, reason: &str, expired| Ignore {
            of: functions(name, ""),
            reason: reason.into(),
            until: "2026-01-01".into(),
            expired,
        };
        let rules = FunctionRules {
            effects: vec![effect("*", 0.1), effect("parse", 0.2)],
            ignores: vec![
                ignore("parse", "first", false),
                ignore("p*", "last", false),
                ignore("*", "over", true),
            ],
            budgets: Vec::new(),
        };
        assert_eq!(rules.min_effect(&tree, &[0], 0.5), 0.2);
        assert_eq!(rules.min_effect(&tree, &[1], 0.5), 0.1);
        assert_eq!(
            rules.ignore(&tree, &[0]).map(|one| &one.reason[..]),
            Some("last")
        );
        assert_eq!(
            rules.ignore(&tree, &[1]),
            None,
            "what is over ignores nothing"
        );
        assert!(
            rules.ignore(&tree, &[1, 0]).is_some(),
            "another name of the same stacks"
        );
    }
}
