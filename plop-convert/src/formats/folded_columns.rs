//! Folded stacks with a header line that names the values, and a number for each of them at the end
//! of every line: what pprofutils writes with `--headers`.

use std::io::{self, Write};

use plop_core::{Error, Features, Notes, Profile, Result, ValueType, quoted};

use super::collapsed::{self, reader, writer};
use super::pprof_legacy;
use crate::format::{Confidence, Content, Format, Read, ReadOptions};
use crate::head::Head;

pub(super) const FORMAT: Format = Format {
    name: "folded-columns",
    aliases: &["pprofutils"],
    about: "folded stacks with several values under a header: samples/count cpu/nanoseconds",
    extensions: &["columns.folded", "folded-columns"],
    content: Content::Text,
    keeps: collapsed::KEEPS.and(Features::VALUES).and(Features::UNITS),
    detect,
    read: Read::Whole(read),
    fit,
    write: Some(write),
};

fn detect(head: &Head) -> Confidence {
    match head.lines.first() {
        Some(line) if is_header(line) && !pprof_legacy::is_jemalloc(head) => Confidence::Certain,
        _ => Confidence::No,
    }
}

/// Whether a line is a header: `type/unit` for every value, and no count at its end.
pub(super) fn is_header(line: &[u8]) -> bool {
    header(line).is_some()
}

fn header(line: &[u8]) -> Option<Vec<ValueType>> {
    let line = std::str::from_utf8(line).ok()?;
    let values: Option<Vec<ValueType>> = line
        .split_ascii_whitespace()
        .map(|word| {
            let (kind, unit) = word.split_once('/')?;
            let plain = |text: &str| {
                !text.is_empty()
                    && text
                        .chars()
                        .all(|c| c.is_alphanumeric() || "_-%".contains(c))
            };
            (plain(kind) && plain(unit)).then(|| ValueType::new(kind, unit))
        })
        .collect();
    values.filter(|values| !values.is_empty())
}

fn read(text: &[u8], options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let values = header(text[..end].trim_ascii()).ok_or_else(|| {
        Error::expected(
            "a header such as `samples/count cpu/nanoseconds`",
            &quoted(text[..end].trim_ascii()),
        )
        .at_line(1, 0)
    })?;
    let layout = reader::Layout {
        values,
        first_line: 2,
    };
    let rest = &text[(end + 1).min(text.len())..];
    if rest.trim_ascii().is_empty() {
        notes.add("no-samples", None, || {
            "a header and no stacks: a profile without samples".into()
        });
    }
    Ok(vec![reader::read(&rest, &layout, options, notes)?])
}

/// Value types whose names cannot stand in a header get `_` for what is in the way; the default
/// value comes first, since nothing else says which it is.
fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    if profile.default_value > 0 {
        notes.add("value-order", None, || {
            "the default value comes first, since nothing else says which it is".into()
        });
    }
    let mut profile = profile.clone().with_default_first();
    let word = |text: &str| -> String {
        match text {
            "" => "count".into(),
            _ => (text.chars())
                .map(|c| {
                    if c.is_alphanumeric() || "_-%".contains(c) {
                        c
                    } else {
                        '_'
                    }
                })
                .collect(),
        }
    };
    let (mut renamed, mut taken) = (0, Vec::new());
    for value in &mut profile.values {
        let (mut kind, unit) = (word(&value.kind), word(&value.unit));
        while taken.contains(&(kind.clone(), unit.clone())) {
            kind.push('_');
        }
        taken.push((kind.clone(), unit.clone()));
        renamed += u64::from(kind != value.kind || unit != value.unit);
        (value.kind, value.unit) = (kind, unit);
    }
    if renamed > 0 {
        notes.add_many("value-renamed", renamed, None, || {
            "value types have `_` where a header cannot have what stood there".into()
        });
    }
    let names = collapsed::fit::fit(&profile, notes);
    Some(names.unwrap_or(profile))
}

fn write(profiles: &[&Profile], out: &mut dyn Write) -> io::Result<()> {
    for profile in profiles {
        let words: Vec<String> = (profile.values.iter())
            .map(|value| format!("{}/{}", value.kind, value.unit))
            .collect();
        writeln!(out, "{}", words.join(" "))?;
        writer::write(profile, out, writer::First::InOrder, |_| false)?;
    }
    Ok(())
}
