//! The file of a configuration: where it is, and what stands in it. Every error names the file, the line and the
//! key, what is expected there and what to try.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use jiff::civil::Date;
use plop_diff::{Budget, FunctionRules, Functions, Ignore, Most, OwnEffect, Pattern, Renames};
use toml::de::{DeTable, DeValue};

use super::{Form, KEYS, Key};
use crate::commands::diff::share;
use crate::commands::diff::text::one_line;

/// What a team has of its own.
const OWN: &str = "plop.toml";
/// What Python projects have.
const PYTHON: &str = "pyproject.toml";
/// The tables of sentences about single functions, with the keys of each.
const TABLES: [(&str, &[&str]); 4] = [
    ("ignore", &["function", "file", "reason", "until"]),
    ("budget", &["function", "file", "of", "max"]),
    ("rule", &["function", "file", "min_effect"]),
    ("rename", &["before", "after", "apart"]),
];

/// A file, read.
#[derive(Default)]
pub(super) struct File {
    /// Its name, from the working folder on; empty where there is none.
    pub(super) name: String,
    /// The folder that paths in it start from.
    pub(super) folder: PathBuf,
    /// Settings as text, with the line of each.
    pub(super) settings: Vec<(&'static Key, String, usize)>,
    pub(super) rules: FunctionRules,
    /// What is said of names that changed.
    pub(super) renames: Renames,
    /// Another file beside it that would be read if this one were not there.
    pub(super) beside: Option<String>,
}

/// The file that holds for a folder: the nearest one in it or above it, up to the root of the repository.
pub(super) fn find(from: &Path, today: Date) -> Result<Option<File>> {
    let mut up = PathBuf::new();
    for folder in from.ancestors() {
        let there = |name: &str| match folder.join(name).is_file() {
            true => read(&folder.join(name), &up.join(name), today),
            false => Ok(None),
        };
        if let Some(own) = there(OWN)? {
            // What does not count need not be right.
            let python = there(PYTHON).ok().flatten();
            let beside = python.map(|python| python.name);
            return Ok(Some(File { beside, ..own }));
        }
        if let Some(python) = there(PYTHON)? {
            return Ok(Some(python));
        }
        if folder.join(".git").exists() {
            break;
        }
        up.push("..");
    }
    Ok(None)
}

/// Reads a file that somebody named.
pub(super) fn named(path: &Path, today: Date) -> Result<File> {
    read(path, path, today)?
        .with_context(|| format!("{}: there is no [tool.plop] in it", path.display()))
}

/// Reads a file; there is nothing in a pyproject.toml that does not speak of plop. `shown` is its name for people,
/// from which paths in it start as well.
fn read(path: &Path, shown: &Path, today: Date) -> Result<Option<File>> {
    let name = shown.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|wrong| {
        let line = 1 + bytes[..wrong.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        anyhow!("{name}:{line}: expected UTF-8, which TOML is; save the file in that encoding")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = Reader {
        name: &name,
        text,
        today,
    };
    let document = DeTable::parse(text).map_err(|wrong| {
        let line = reader.line(wrong.span().unwrap_or_default());
        anyhow!("{name}:{line}: not TOML: {}", wrong.message())
    })?;
    let document = document.into_inner();
    let mut table = &document;
    if path.file_name().is_some_and(|file| file == PYTHON) {
        for key in ["tool", "plop"] {
            let entries = reader.entries(table);
            let Some(entry) = entries.iter().find(|entry| entry.key == key) else {
                return Ok(None);
            };
            let expected = || {
                reader.wrong(
                    entry,
                    format!("expected a table, found {}", found(entry.value)),
                )
            };
            table = entry.value.as_table().ok_or_else(expected)?;
        }
    }
    let mut file = File {
        folder: shown.parent().map(Path::to_owned).unwrap_or_default(),
        name: name.clone(),
        ..File::default()
    };
    reader.fill(&mut file, table)?;
    Ok(Some(file))
}

/// What is being read.
struct Reader<'f> {
    name: &'f str,
    text: &'f str,
    today: Date,
}

/// A key with its value, and where they are.
struct Entry<'t> {
    key: &'t str,
    value: &'t DeValue<'t>,
    at: Range<usize>,
}

impl Reader<'_> {
    fn line(&self, at: Range<usize>) -> usize {
        1 + self.text[..at.start.min(self.text.len())]
            .matches('\n')
            .count()
    }

    fn place(&self, at: &Range<usize>) -> String {
        format!("{}:{}", self.name, self.line(at.clone()))
    }

    fn wrong(&self, entry: &Entry, what: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("{}: {}: {what}", self.place(&entry.at), entry.key)
    }

    /// The entries of a table, in the order of the file.
    fn entries<'t>(&self, table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
        let mut entries: Vec<Entry> = (table.iter())
            .map(|(key, value)| Entry {
                key: key.get_ref(),
                value: value.get_ref(),
                at: key.span(),
            })
            .collect();
        entries.sort_by_key(|entry| entry.at.start);
        entries
    }

    fn fill(&self, file: &mut File, table: &DeTable) -> Result<()> {
        for entry in self.entries(table) {
            if let Some((_, known)) = TABLES.iter().find(|(name, _)| *name == entry.key) {
                let tables = entry
                    .value
                    .as_array()
                    .into_iter()
                    .flat_map(|all| all.iter());
                let mut count = 0;
                for one in tables {
                    let table = one.get_ref().as_table();
                    let table = table.ok_or_else(|| self.no_tables(&entry))?;
                    self.sentence(file, &entry, table, one.span(), known)?;
                    count += 1;
                }
                ensure!(
                    count > 0 || entry.value.as_array().is_some(),
                    self.no_tables(&entry)
                );
                continue;
            }
            let Some(key) = KEYS.iter().find(|key| key.name == entry.key) else {
                let tables = TABLES.iter().map(|(name, _)| *name);
                let known = KEYS.iter().map(|key| key.name).chain(tables);
                return Err(self.unknown(&entry, &known.collect::<Vec<_>>()));
            };
            let text = match (entry.value, key.form) {
                (DeValue::String(text), Form::Text | Form::TextOrNumber) => text.to_string(),
                (DeValue::Integer(_) | DeValue::Float(_), Form::Number | Form::TextOrNumber) => {
                    source(entry.value)
                }
                _ => {
                    return Err(self.wrong(
                        &entry,
                        format!("expected {}, found {}", key.expected, found(entry.value)),
                    ));
                }
            };
            file.settings.push((key, text, self.line(entry.at)));
        }
        Ok(())
    }

    fn no_tables(&self, entry: &Entry) -> anyhow::Error {
        let what = format!(
            "expected tables, each below a line [[{0}]], found {1}",
            self.header(entry.key),
            found(entry.value)
        );
        self.wrong(entry, what)
    }

    fn header(&self, key: &str) -> String {
        match self.name.ends_with(PYTHON) {
            true => format!("tool.plop.{key}"),
            false => key.to_owned(),
        }
    }

    fn unknown(&self, entry: &Entry, known: &[&str]) -> anyhow::Error {
        let near = known
            .iter()
            .map(|name| (strsim::damerau_levenshtein(entry.key, name), name));
        let near = near
            .filter(|(distance, name)| *distance <= (name.len() / 2).clamp(1, 3))
            .min();
        let hint = match near {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => format!("expected one of {}", known.join(", ")),
        };
        self.wrong(entry, format!("there is no such key; {hint}"))
    }

    /// One table of what is said of single functions.
    fn sentence(
        &self,
        file: &mut File,
        of: &Entry,
        table: &DeTable,
        at: Range<usize>,
        known: &[&str],
    ) -> Result<()> {
        let entries = self.entries(table);
        if let Some(entry) = entries.iter().find(|entry| !known.contains(&entry.key)) {
            return Err(self.unknown(entry, known));
        }
        let place = self.place(&at);
        let entry = |key: &str| entries.iter().find(|entry| entry.key == key);
        let text = |key: &str, expected: &str| {
            let Some(entry) = entry(key) else {
                return Ok(None);
            };
            match entry.value {
                DeValue::String(text) => Ok(Some((entry, text.to_string()))),
                other => Err(self.wrong(
                    entry,
                    format!("expected {expected}, found {}", found(other)),
                )),
            }
        };
        let needed =
            |key: &str, what: &str| anyhow!("{place}: {}: expected a key `{key}`: {what}", of.key);
        if of.key == "rename" {
            let name = |key: &str| {
                Ok::<_, anyhow::Error>(
                    text(key, "a name such as \"Cart.total\"")?.map(|(_, name)| name),
                )
            };
            match (name("before")?, name("after")?, name("apart")?) {
                (Some(before), Some(after), None) => file.renames.same.push((before, after)),
                (None, None, Some(apart)) => file.renames.apart.push(apart),
                _ => {
                    return Err(needed(
                        "before",
                        "a name, and `after`: what the same function is called now; or `apart` alone: a function that \
                         is the same as no other",
                    ));
                }
            }
            return Ok(());
        }
        let rules = &mut file.rules;
        let pattern = |key: &str, expected: &str| match text(key, expected)? {
            Some((entry, text)) => Pattern::new(&text)
                .map(Some)
                .map_err(|wrong| self.wrong(entry, wrong)),
            None => Ok(None),
        };
        let functions = Functions {
            name: pattern("function", "a name such as \"Cart.*\"")?,
            file: pattern("file", "the end of a path such as \"app/shop.py\"")?,
            place: place.clone(),
        };
        ensure!(
            functions.name.is_some() || functions.file.is_some(),
            needed("function", "a name, or `file`: the end of a path, or both")
        );
        match of.key {
            "ignore" => {
                let all = [&functions.name, &functions.file];
                ensure!(
                    all.into_iter()
                        .flatten()
                        .any(|pattern| !pattern.is_of_all()),
                    "{place}: ignore: expected a name, found one that is every function's: nothing would fail any \
                     more; name what is known to be slower, or raise min_effect"
                );
                let example =
                    "why it is known and fine, such as \"prices are checked twice, #812\"";
                let (reason, reason_text) =
                    text("reason", example)?.ok_or_else(|| needed("reason", example))?;
                ensure!(
                    !reason_text.trim().is_empty(),
                    self.wrong(reason, format!("expected {example}, found nothing"))
                );
                let until = entry("until").ok_or_else(|| {
                    needed(
                        "until",
                        "the last day, such as 2026-12-31, after which it counts again",
                    )
                })?;
                let until = self.date(until)?;
                rules.ignores.push(Ignore {
                    of: functions,
                    // It stands in comments on pull requests, where a blank line would end what is code.
                    reason: one_line(&reason_text),
                    until: until.to_string(),
                    expired: until < self.today,
                });
            }
            "budget" => {
                let own = match text("of", "\"self\" or \"total\"")? {
                    None => false,
                    Some((_, word)) if word == "total" => false,
                    Some((_, word)) if word == "self" => true,
                    Some((entry, word)) => return Err(self.wrong(entry, format!("expected \"self\", what functions do themselves, or \"total\", with what they call, found \"{word}\""))),
                };
                let max = entry("max").ok_or_else(|| needed("max", EXPECTED_MAX))?;
                let most = match max.value {
                    DeValue::String(text) => most(text),
                    value @ DeValue::Float(_) => most(&source(value)),
                    _ => None,
                };
                let most = most.ok_or_else(|| {
                    self.wrong(
                        max,
                        format!("expected {EXPECTED_MAX}, found {}", found(max.value)),
                    )
                })?;
                rules.budgets.push(Budget {
                    of: functions,
                    own,
                    most,
                });
            }
            _ => {
                let what = "a share of the whole cost such as \"2%\"";
                let effect = entry("min_effect").ok_or_else(|| needed("min_effect", what))?;
                let value = match effect.value {
                    DeValue::String(text) => share(text).ok(),
                    value @ DeValue::Float(_) => share(&source(value)).ok(),
                    _ => None,
                };
                let min_effect = value.ok_or_else(|| {
                    self.wrong(
                        effect,
                        format!("expected {what}, found {}", found(effect.value)),
                    )
                })?;
                rules.effects.push(OwnEffect {
                    of: functions,
                    min_effect,
                });
            }
        }
        Ok(())
    }

    fn date(&self, entry: &Entry) -> Result<Date> {
        let text = match entry.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => String::new(),
        };
        // A time of day would be read, too, and passed over.
        let date = text
            .parse::<Date>()
            .ok()
            .filter(|date| date.to_string() == text);
        date.ok_or_else(|| {
            self.wrong(
                entry,
                format!(
                    "expected a day such as 2026-12-31, found {}",
                    found(entry.value)
                ),
            )
        })
    }
}

const EXPECTED_MAX: &str =
    "a share of the whole cost such as \"5%\", or CPU time per unit of work such as \"3 ms\"";

/// An upper bound: a share, or a time.
fn most(text: &str) -> Option<Most> {
    let units = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
    ];
    let Some((number, ns)) = units
        .iter()
        .find_map(|(unit, ns)| Some((text.strip_suffix(unit)?, ns)))
    else {
        return share(text).ok().map(Most::Share);
    };
    let number: f64 = number.trim_end().parse().ok()?;
    (number > 0.0 && number.is_finite()).then_some(Most::Ns(number * ns))
}

/// A number as it stands in the file.
fn source(value: &DeValue) -> String {
    match value {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A value in an error.
fn found(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(_) | DeValue::Float(_) => format!("the number {}", source(value)),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}
