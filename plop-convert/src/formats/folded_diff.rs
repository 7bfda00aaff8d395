//! Folded stacks with two counts, before and after: what difffolded.pl and inferno-diff-folded
//! write, and differential flame graphs are drawn from.

use std::io::{self, Write};

use plop_core::{Error, Features, Notes, Profile, Result, ValueType};

use super::collapsed::{self, reader, writer};
use crate::format::{Confidence, Content, Format, Read, ReadOptions};
use crate::head::Head;
use crate::source::Source;

pub(super) const FORMAT: Format = Format {
    name: "folded-diff",
    aliases: &["difffolded"],
    about: "folded stacks with two counts, before and after: root;leaf 40 42",
    extensions: &["folded-diff", "diff.folded"],
    content: Content::Text,
    keeps: collapsed::KEEPS.and(Features::VALUES).and(Features::UNITS),
    detect,
    read: Read::Parts(read),
    fit,
    write: Some(write),
};

/// The values of a comparison.
pub(super) fn values() -> Vec<ValueType> {
    vec![
        ValueType::new("before", "count"),
        ValueType::new("after", "count"),
    ]
}

fn detect(head: &Head) -> Confidence {
    let lines = || {
        head.lines
            .iter()
            .filter(|line| !line.trim_ascii().is_empty())
    };
    let both = |line: &&&[u8]| reader::ends_in_weights(line, 2);
    match lines().count() > 0 && lines().all(|line| both(&line)) {
        true => Confidence::Certain,
        false => Confidence::No,
    }
}

fn read(text: &dyn Source, options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let layout = reader::Layout {
        values: values(),
        first_line: 1,
    };
    let mut profile = reader::read(text, &layout, options, notes)?;
    if let Some(note) = notes.iter().find(|note| note.code == "bad-line") {
        let error = Error::new("expected two counts at the end of every line")
            .hint("if the last number of a name was taken for a count, read it with --from folded");
        return Err(match note.first.clone() {
            Some(place) => error.at(place),
            None => error,
        });
    }
    profile.default_value = 1;
    Ok(vec![profile])
}

/// Two values stay as they are and are called before and after; one becomes the after of a before
/// that is 0; of more than two the default one is taken.
fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let mut profile = match profile.values.len() {
        1 | 2 => profile.clone(),
        more => {
            notes.add("values", None, || format!("one of {more} values is kept"));
            let default = profile.default_value;
            profile.clone().choosing(default)
        }
    };
    let wanted = values();
    if profile.values.len() == 1 {
        notes.add("no-before", None, || {
            "there is one value: it is written as after, with 0 before".into()
        });
        profile = profile.with_zero_before(wanted[0].clone());
    }
    if profile
        .values
        .iter()
        .zip(&wanted)
        .any(|(is, wanted)| !is.same_quantity(wanted))
    {
        notes.add("values-renamed", None, || {
            "the two values are called before and after".into()
        });
    }
    for (value, wanted) in profile.values.iter_mut().zip(wanted) {
        *value = ValueType {
            scale: value.scale,
            ..wanted
        };
    }
    profile.default_value = 1;
    let names = collapsed::fit::fit(&profile, notes);
    Some(names.unwrap_or(profile))
}

fn write(profiles: &[&Profile], out: &mut dyn Write) -> io::Result<()> {
    for profile in profiles {
        writer::write(profile, out, writer::First::InOrder, super::folded::is_trap)?;
    }
    Ok(())
}
