//! What plop itself says of a file, by way of `plop info --json` and of folded stacks, whose names are
//! escaped so that none can be mistaken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{files, list, plop, root, text};

/// A function, its file, and the line; whether it was inlined, where the reader can tell.
pub(crate) type Frame = (String, String, i64, bool);

/// Stacks from the root, and what was sampled with each: a number for each value type, times in
/// nanoseconds.
pub(crate) type Stacks = BTreeMap<Vec<Frame>, Vec<f64>>;

pub(crate) struct Expected {
    pub(crate) file: PathBuf,
    /// Type and unit of every value.
    pub(crate) values: Vec<(String, String)>,
    pub(crate) totals: Vec<f64>,
    pub(crate) default: usize,
    pub(crate) stacks: Stacks,
}

/// Folded stacks with all that matters to other readers.
const INLINED: &str = "\
main (src/main.rs:10);parse (src/parse.rs:20)_[i];next (src/lex.rs:30)_[i] 5
main (src/main.rs:10);parse (src/parse.rs:20)_[i] 2
main (src/main.rs:11);parse (src/parse.rs:21);next (src/lex.rs:30)_[i] 4
main (src/main.rs:12);std::vec::Vec<T,A>::push (vec.rs:7);core::ptr::write 3
";

impl Expected {
    pub(crate) fn of(file: &Path) -> Expected {
        let info = plop(&[&"info", &"--json", &"-q", &file]);
        assert_eq!(info.lines().count(), 1, "{} profiles", file.display());
        let info = crate::lines(&info).remove(0);
        let values: Vec<(String, String)> = (list(&info, "values").iter())
            .map(|value| (text(value, "type").into(), text(value, "unit").into()))
            .collect();
        let default = (list(&info, "values").iter())
            .position(|value| value["default"] == true)
            .unwrap();
        let totals = (list(&info, "values").iter().zip(&values))
            .map(|(value, (_, unit))| amount(&value["total"].to_string(), unit))
            .collect();
        let folded = plop(&[
            &"convert",
            &"-q",
            &file,
            &"-f",
            &"folded-columns",
            &"--escape",
        ]);
        Expected {
            file: file.into(),
            stacks: parse(&folded, &values),
            values,
            totals,
            default,
        }
    }

    /// By function name, what was sampled in it and what was sampled with it in the stack, of one value.
    pub(crate) fn functions(&self, value: usize) -> BTreeMap<String, (f64, f64)> {
        let mut functions: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for (stack, amounts) in &self.stacks {
            let mut names: Vec<&String> = stack.iter().map(|(name, ..)| name).collect();
            if let Some(leaf) = names.last() {
                functions.entry((*leaf).clone()).or_default().0 += amounts[value];
            }
            names.sort();
            names.dedup();
            for name in names {
                functions.entry(name.clone()).or_default().1 += amounts[value];
            }
        }
        functions
    }

    /// Whether a name could not be told from what is around it in the text that a reader prints.
    pub(crate) fn has_odd_names(&self) -> bool {
        let name = self.file.to_string_lossy();
        name.contains("names") || name.contains("everything")
    }
}

/// Every fixture that other readers can be shown, and more that are made here.
pub(crate) fn all(folder: &Path) -> Vec<Expected> {
    let inlined = folder.join("inlined.folded");
    std::fs::write(&inlined, INLINED).unwrap();
    let mut inputs = vec![inlined, root().join("docs/examples/everything.plop")];
    for format in ["plop", "folded", "folded-columns", "austin"] {
        inputs.extend(files(&root().join("testdata").join(format)));
    }
    let expected: Vec<Expected> = (inputs.iter())
        .filter(|file| !file.ends_with("empty.plop"))
        .map(|file| Expected::of(file))
        .collect();
    assert!(expected.len() > 15);
    expected
}

/// A number in a unit, as other readers have it: times in nanoseconds, and decimal places, which pprof
/// knows only as part of a unit such as `count/100`, undone.
pub(crate) fn amount(number: &str, unit: &str) -> f64 {
    let number = number.trim_matches('"');
    let number: f64 = number.parse().unwrap_or_else(|_| panic!("{number}?"));
    let (unit, parts) = match unit.rsplit_once('/') {
        Some((unit, parts)) => (unit, parts.parse().unwrap_or(1.0)),
        None => (unit, 1.0),
    };
    number / parts * plop_core::nanoseconds_in(unit).unwrap_or(1) as f64
}

/// Whether two numbers are the same but for what binary fractions do to them.
pub(crate) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// Panics with the first stack in which two readings differ. `inlined` says that both tell what was
/// inlined.
pub(crate) fn compare(file: &Path, expected: &Stacks, found: &Stacks, inlined: bool) {
    let [expected, found] = [expected, found].map(|stacks| summed(stacks, inlined));
    for (stack, amounts) in &expected {
        let others = found.get(stack);
        let others = others.unwrap_or_else(|| panic!("{}: no {stack:?}", file.display()));
        let all_same = amounts.iter().zip(others).all(|(a, b)| same(*a, *b));
        assert!(
            all_same,
            "{}: {stack:?}: {amounts:?}, {others:?}",
            file.display()
        );
    }
    let more = found.keys().find(|stack| !expected.contains_key(*stack));
    assert_eq!(more, None, "{}", file.display());
}

/// The stacks that something was sampled with; where inlining is not told, without it.
fn summed(stacks: &Stacks, inlined: bool) -> Stacks {
    let mut summed = Stacks::new();
    for (stack, amounts) in stacks {
        let stack = (stack.iter().cloned())
            .map(|(name, file, line, is)| (name, file, line, is && inlined))
            .collect();
        add(&mut summed, stack, amounts);
    }
    summed.retain(|_, amounts| amounts.iter().any(|amount| *amount != 0.0));
    summed
}

pub(crate) fn add(stacks: &mut Stacks, stack: Vec<Frame>, amounts: &[f64]) {
    let sums = stacks
        .entry(stack)
        .or_insert_with(|| vec![0.0; amounts.len()]);
    for (sum, amount) in sums.iter_mut().zip(amounts) {
        *sum += amount;
    }
}

/// Folded stacks under a header that names the values, in an order of its own.
fn parse(folded: &str, values: &[(String, String)]) -> Stacks {
    let (header, lines) = folded.split_once('\n').unwrap();
    let names: Vec<String> = (values.iter())
        .map(|(kind, unit)| format!("{kind}/{unit}"))
        .collect();
    let columns: Vec<usize> = (names.iter())
        .map(|name| header.split(' ').position(|column| column == name).unwrap())
        .collect();
    let mut stacks = Stacks::new();
    for line in lines.lines() {
        let mut words: Vec<&str> = line.rsplitn(columns.len() + 1, ' ').collect();
        let path = words.pop().unwrap();
        words.reverse();
        let amounts: Vec<f64> = (columns.iter().zip(values))
            .map(|(column, (_, unit))| amount(words[*column], unit))
            .collect();
        let stack = (path.split(';').filter(|_| !path.is_empty()).map(frame)).collect();
        add(&mut stacks, stack, &amounts);
    }
    stacks
}

/// `name (file:line)_[k]_[i]`, in which brackets stand nowhere else.
fn frame(text: &str) -> Frame {
    let (mut text, inlined) = match text.strip_suffix("_[i]") {
        Some(text) => (text, true),
        None => (text, false),
    };
    for mark in ["_[k]", "_[j]", "_[w]", "_[0]", "_[1]"] {
        text = text.strip_suffix(mark).unwrap_or(text);
    }
    let (name, place) = match text.split_once(" (") {
        Some((name, place)) => (name, place.strip_suffix(')').unwrap()),
        None => (text, ""),
    };
    let (file, line) = match place.rsplit_once(':') {
        Some((file, line)) if line.parse::<i64>().is_ok() => (file, line.parse().unwrap()),
        _ => (place, 0),
    };
    (unescaped(name), unescaped(file), line, inlined)
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = std::str::from_utf8(&after[..2]).unwrap();
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        rest = &after[2..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
