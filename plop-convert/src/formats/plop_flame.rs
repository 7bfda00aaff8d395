//! The `.flame` files of the original Plop: folded stacks whose first line is always `None 1`, which
//! is no sample, and in which only equal neighbours are added together.

use plop_core::{Error, Features, Notes, Profile, Result, ValueType, quoted};

use super::collapsed::{self, reader};
use crate::format::{Confidence, Content, Format, Read, ReadOptions, fits};
use crate::head::Head;

pub(super) const FORMAT: Format = Format {
    name: "plop-flame",
    aliases: &[],
    about: "folded stacks as the original Plop wrote them, with a first line `None 1`",
    extensions: &["flame"],
    content: Content::Text,
    keeps: collapsed::KEEPS.and(Features::NONE),
    detect,
    read: Read::Whole(read),
    fit: fits,
    write: None,
};

/// Plop begins with the stack before the first, of which there is none.
const FIRST_LINE: &[u8] = b"None 1";

pub(super) fn is_first_line(line: &[u8]) -> bool {
    line == FIRST_LINE
}

fn detect(head: &Head) -> Confidence {
    match head.lines.first() {
        Some(line) if is_first_line(line) => Confidence::Certain,
        _ => Confidence::No,
    }
}

fn read(text: &[u8], options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let first = text[..end].trim_ascii_end();
    if !is_first_line(first) {
        return Err(Error::expected("a first line `None 1`", &quoted(first)).at_line(1, 0));
    }
    let rest = &text[(end + 1).min(text.len())..];
    if rest.trim_ascii().is_empty() {
        notes.add("no-samples", None, || "Plop recorded no samples".into());
    }
    let layout = reader::Layout {
        values: vec![ValueType::samples()],
        first_line: 2,
    };
    Ok(vec![reader::read(&rest, &layout, options, notes)?])
}
