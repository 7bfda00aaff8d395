//! `--changed-since`: which functions of the profiles somebody touched since a revision. Git tells the lines, the
//! sources on either side whose they are, and names and paths what they are called in the profiles.

mod braces;
mod git;
mod headers;
mod hunks;
mod names;
mod paths;
mod python;
mod script;
mod source;
mod tokens;
mod touches;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, ensure};
use plop_core::{Attribute, Profile};
use plop_diff::{Comparison, Touched, TouchedFunction, Warning};

use self::git::{Repository, Uncommitted};
use self::hunks::{ChangedFile, Hunk, Lines};
use self::names::{Called, called, common};
use self::paths::{Found, Paths};
use self::source::Language;
use self::touches::{Source, Touch};

/// More files of sources are no change that somebody looks at.
const MOST_FILES: usize = 5_000;
/// More files that git does not know of are not somebody's change, but what was installed or built.
const MOST_UNTRACKED: usize = 1_000;
/// So many names are told of what fits several.
const NAMES: usize = 3;

/// What was touched, and what there is to say of that.
pub(super) struct Changes {
    repository: Repository,
    since: String,
    pub(super) touched: Touched,
    /// What is new in each of the functions, and which lines each has.
    new: Vec<(Vec<Hunk>, Option<Lines>)>,
    /// Files that are not as they were committed.
    changed: Vec<String>,
    pub(super) warnings: Vec<Warning>,
}

/// What changed since a revision, as far as it is in the profiles of the sides.
/// `place` is where the revision is named.
pub(super) fn since(place: &str, revision: &str, sides: [&[&Profile]; 2]) -> Result<Changes> {
    changes(revision, sides).with_context(|| format!("{place} {}", revision.escape_debug()))
}

fn changes(revision: &str, sides: [&[&Profile]; 2]) -> Result<Changes> {
    let repository = Repository::here()?;
    let since = repository.commit(revision)?;
    let mut files = repository.diff(&since)?;
    let Uncommitted {
        changed,
        mut untracked,
    } = repository.uncommitted()?;
    let unlooked = untracked.len();
    if unlooked > MOST_UNTRACKED {
        untracked.clear();
    }
    files.extend(untracked.iter().map(|path| ChangedFile {
        after: Some(path.clone()),
        is_whole: true,
        ..ChangedFile::default()
    }));
    let gone = files.iter().filter_map(|file| file.before.clone());
    let paths = Paths::of(repository.files()?.into_iter().chain(gone), &untracked);
    let mut finder = Finder {
        repository: &repository,
        since: &since,
        files: &files,
        by_path: (files.iter().enumerate())
            .flat_map(|(n, file)| {
                let paths = file.before.iter().chain(&file.after);
                paths.map(move |path| (path.as_str(), n))
            })
            .collect(),
        read: HashMap::new(),
        paths: &paths,
        found: HashMap::new(),
        ambiguous: BTreeMap::new(),
        unread: BTreeSet::new(),
    };
    let mut touched: BTreeMap<(String, String), (String, Touch)> = BTreeMap::new();
    // What is after tells lines that are there.
    for side in [1, 0] {
        let functions = Function::all(sides[side]);
        let (nameless, filed): (Vec<_>, Vec<_>) =
            (functions.into_iter()).partition(|one| one.file.is_empty());
        for function in filed {
            if let Some(found) = finder.in_its_file(&function, side)? {
                let key = (function.name, function.file);
                touched.entry(key).or_insert(found);
            }
        }
        for (name, found) in finder.by_name_alone(&nameless, side)? {
            let key = (name, String::new());
            touched.entry(key).or_insert(found);
        }
    }
    let mut warnings = finder.warnings();
    warnings.extend((unlooked > MOST_UNTRACKED).then(|| Warning {
        code: "touched-untracked",
        text: format!(
            "git does not know of {unlooked} files of sources, which are too many to be somebody's change: their functions \
             count as not touched (git add what is new, and name the others in .gitignore)"
        ),
        forbids: false,
    }));
    let head = repository.head();
    let commits = [(sides[0], Some(&since)), (sides[1], head.as_ref())];
    for (side, (profiles, there)) in ["before", "after"].into_iter().zip(commits) {
        warnings.extend(there.and_then(|there| other_commit(side, profiles, there)));
    }
    let (mut functions, mut new) = (Vec::new(), Vec::new());
    for ((name, file), (path, touch)) in touched {
        functions.push(TouchedFunction {
            name,
            file,
            path,
            line: touch.line.into(),
            ..TouchedFunction::default()
        });
        new.push((touch.hunks, touch.range));
    }
    // Of a whole name of a commit a part is enough.
    let shown = match revision == since {
        true => &since[..12.min(since.len())],
        false => revision,
    };
    let mut range = format!("{shown}..HEAD");
    let is_dirty = !changed.is_empty() || !untracked.is_empty();
    if is_dirty && head.as_ref() == Some(&since) {
        range = "uncommitted changes".to_owned();
    } else if is_dirty {
        range += " and uncommitted changes";
    }
    Ok(Changes {
        repository,
        since,
        touched: Touched { range, functions },
        new,
        changed,
        warnings,
    })
}

impl Changes {
    /// Says of the functions that were found who changed them last.
    pub(super) fn name_last(&self, comparison: &mut Comparison) {
        let findings = comparison.findings.iter().chain(&comparison.likely);
        let found: BTreeSet<usize> = findings.filter_map(|finding| finding.touched).collect();
        let Some(here) = &mut comparison.touched else {
            return;
        };
        for n in found {
            let Some((_, function)) = here.functions.get_mut(n) else {
                continue;
            };
            let all = self.touched.functions.iter().zip(&self.new);
            let mut same = all.filter(|(other, _)| {
                (&other.name, &other.file) == (&function.name, &function.file)
            });
            if let Some((_, (new, range))) = same.next() {
                let path = &function.path;
                let is_clean = !self.changed.contains(path);
                let change = self
                    .repository
                    .last_change(&self.since, path, new, *range, is_clean);
                function.last = change;
            }
        }
    }
}

/// A function of a profile.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Function {
    name: String,
    file: String,
    line: i64,
}

impl Function {
    fn all(profiles: &[&Profile]) -> BTreeSet<Function> {
        let mut all = BTreeSet::new();
        for profile in profiles {
            for (_, function) in profile.functions.iter() {
                all.insert(Function {
                    name: profile.strings.text(function.name).into_owned(),
                    file: profile.strings.text(function.file).into_owned(),
                    line: function.start_line,
                });
            }
        }
        all
    }
}

/// Looks functions up in what changed.
struct Finder<'g> {
    repository: &'g Repository,
    since: &'g str,
    files: &'g [ChangedFile],
    by_path: HashMap<&'g str, usize>,
    /// The sources that were read; none of a file whose lines did not change.
    read: HashMap<usize, Option<Source>>,
    paths: &'g Paths,
    /// What files of profiles are in the repository.
    found: HashMap<String, Found>,
    /// What may be several things of which one changed.
    ambiguous: BTreeMap<String, Vec<String>>,
    /// Files that changed and cannot be read.
    unread: BTreeSet<String>,
}

impl Finder<'_> {
    fn source(&mut self, n: usize) -> Result<Option<&Source>> {
        if !self.read.contains_key(&n) {
            ensure!(
                self.read.len() < MOST_FILES,
                "more than {MOST_FILES} files of sources changed (name a revision that is nearer)"
            );
            let source = self.reading(&self.files[n]);
            self.read.insert(n, source);
        }
        Ok(self.read.get(&n).and_then(Option::as_ref))
    }

    fn reading(&mut self, file: &ChangedFile) -> Option<Source> {
        if file.hunks.is_empty() && !file.is_whole {
            return None;
        }
        let (repository, since) = (self.repository, self.since);
        let before = file.before.as_deref();
        let after = file.after.as_deref();
        let texts = [
            before.and_then(|path| repository.then(since, path)),
            after.and_then(|path| repository.now(path)),
        ];
        for (path, text) in [before, after].into_iter().zip(&texts) {
            if let (Some(path), None) = (path, text) {
                self.unread.insert(path.to_owned());
            }
        }
        Source::of(file, texts)
    }

    /// Whether a function whose file is known was touched, and the path of the file.
    fn in_its_file(&mut self, function: &Function, side: usize) -> Result<Option<(String, Touch)>> {
        let file = &function.file;
        if !self.found.contains_key(file) {
            self.found.insert(file.clone(), self.paths.find(file));
        }
        let path = match &self.found[file] {
            Found::None => return Ok(None),
            Found::One(path) => path.as_str(),
            Found::Several(paths) => match nearest(paths, &function.name) {
                Some(path) => path,
                None => {
                    let is_changed = |path: &String| self.by_path.contains_key(path.as_str());
                    if paths.iter().any(is_changed) {
                        self.ambiguous.insert(file.clone(), paths.clone());
                    }
                    return Ok(None);
                }
            },
        };
        let Some(n) = self.by_path.get(path).copied() else {
            return Ok(None);
        };
        let Some(source) = self.source(n)? else {
            return Ok(None);
        };
        let touch = source.touch(&function.name, function.line, side);
        Ok(touch.map(|touch| (source.path.clone(), touch)))
    }

    /// Those functions of which nothing but a name is known that were touched.
    fn by_name_alone(
        &mut self,
        functions: &[Function],
        side: usize,
    ) -> Result<Vec<(String, (String, Touch))>> {
        if functions.is_empty() {
            return Ok(Vec::new());
        }
        // The functions that were touched, by the last of their names.
        let mut by_last: HashMap<String, Vec<(usize, Vec<String>)>> = HashMap::new();
        let mut languages: Vec<Language> = Vec::new();
        for n in 0..self.files.len() {
            let Some(source) = self.source(n)? else {
                continue;
            };
            if !languages.contains(&source.language) {
                languages.push(source.language);
            }
            let names: BTreeSet<&[String]> = source.touched_names().collect();
            for parts in names {
                let last = parts.last().cloned().unwrap_or_default();
                by_last.entry(last).or_default().push((n, parts.to_owned()));
            }
        }
        // For each of them, what fits it best, as it is called in the source.
        let mut best: BTreeMap<(usize, &[String]), Fitting> = BTreeMap::new();
        for function in functions {
            for language in &languages {
                let Called::Named(parts) = called(*language, &function.name) else {
                    continue;
                };
                let last = parts.last().map_or("", String::as_str);
                for (n, touched) in by_last.get(last).into_iter().flatten() {
                    let source = self.read[n].as_ref();
                    let Some(source) = source.filter(|one| one.language == *language) else {
                        continue;
                    };
                    let same = common(touched, &parts);
                    if same == 0 {
                        continue;
                    }
                    let fit = (same, folders(&parts, &source.path));
                    let fitting = best.entry((*n, touched)).or_default();
                    if fit > fitting.fit {
                        *fitting = Fitting {
                            fit,
                            functions: Vec::new(),
                        };
                    }
                    if fit == fitting.fit {
                        fitting.functions.push((function, parts.clone()));
                    }
                }
            }
        }
        let mut found = Vec::new();
        for ((n, touched), Fitting { functions, .. }) in best {
            let Some(source) = self.read[&n].as_ref() else {
                continue;
            };
            let (first, others) = functions.split_at(1);
            if others.iter().any(|(_, parts)| *parts != first[0].1) {
                let names = functions.iter().map(|(function, _)| function.name.clone());
                let what = format!("{} of {}", touched.join("."), source.path);
                self.ambiguous.insert(what, names.collect());
                continue;
            }
            for (function, _) in functions {
                if let Some(touch) = source.touch(&function.name, function.line, side) {
                    found.push((function.name.clone(), (source.path.clone(), touch)));
                }
            }
        }
        Ok(found)
    }

    /// What is to be said of what is not known.
    fn warnings(&self) -> Vec<Warning> {
        let listed = |names: &[String]| {
            let mut text = names[..names.len().min(NAMES)].join(", ");
            if names.len() > NAMES {
                text += &format!(" and {} more", names.len() - NAMES);
            }
            text
        };
        let warning = |code, text| Warning {
            code,
            text,
            forbids: false,
        };
        let ambiguous = self.ambiguous.iter().next().map(|(what, names)| {
            let more = match self.ambiguous.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more are like it"),
            };
            let text = format!(
                "{what} may be any of {}{more}: it counts as not touched",
                listed(names)
            );
            warning("touched-ambiguous", text)
        });
        let unread: Vec<String> = self.unread.iter().cloned().collect();
        let unread = (!unread.is_empty()).then(|| {
            let text = format!(
                "{} changed and cannot be read, or is longer than sources are: its functions count as not touched",
                listed(&unread)
            );
            warning("touched-unread", text)
        });
        ambiguous.into_iter().chain(unread).collect()
    }
}

/// What fits a function that was touched.
#[derive(Default)]
struct Fitting<'f> {
    /// How many names are the same, and how many of the others are those of folders.
    fit: (usize, usize),
    functions: Vec<(&'f Function, Vec<String>)>,
}

/// Of several files the one whose folders are in the function's name; none where several are.
fn nearest<'p>(paths: &'p [String], name: &str) -> Option<&'p str> {
    let Called::Named(parts) = called(Language::of(paths.first()?)?, name) else {
        return None;
    };
    let most = paths.iter().map(|path| folders(&parts, path)).max()?;
    let mut best = paths.iter().filter(|path| folders(&parts, path) == most);
    let first = best.next()?;
    (most > 0 && best.next().is_none()).then_some(first)
}

/// How many of the names that a function's name begins with are folders of a path, or the file.
fn folders(parts: &[String], path: &str) -> usize {
    let outer = &parts[..parts.len().saturating_sub(1)];
    let is_part = |name: &&String| {
        let mut folders = path.split('/');
        folders.any(|folder| folder == name.as_str() || folder.split('.').next() == Some(name))
    };
    outer.iter().filter(is_part).count()
}

/// That a side is of another commit than the one that its lines are looked up in.
fn other_commit(side: &str, profiles: &[&Profile], there: &str) -> Option<Warning> {
    let commits = profiles.iter().filter_map(|profile| {
        let mut attributes = profile.meta.build.iter();
        match attributes.find(|(name, _)| name == "commit") {
            Some((_, Attribute::Text(commit))) => Some(commit.as_str()),
            _ => None,
        }
    });
    let commits: BTreeSet<&str> = commits.collect();
    let commit = commits.first().filter(|_| commits.len() == 1)?;
    let id: String = (commit.chars())
        .take_while(char::is_ascii_hexdigit)
        .take(there.len())
        .collect();
    // What is no name of a commit tells nothing.
    let is_other = id.len() >= 7 && !there.starts_with(&id.to_ascii_lowercase());
    is_other.then(|| Warning {
        code: "touched-commit",
        text: format!(
            "{side} is of commit {id}, and the sources that are looked at are those of {}: functions may have been on \
             other lines",
            &there[..there.len().min(12)]
        ),
        forbids: false,
    })
}
