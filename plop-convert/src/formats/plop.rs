//! `.plop` files: the original Plop's, in all its dialects, and version 2, which adds to the same
//! dictionary what is known of threads, slices, labels and the run, in comments.
//!
//! `docs/plop-format.md` is the specification of both.

mod extras;
mod fit;
mod read;
mod write;

use plop_core::Features;

use crate::format::{Confidence, Content, Format, Read};
use crate::head::Head;

pub(super) const FORMAT: Format = Format {
    name: "plop",
    aliases: &[],
    about: "Plop's own files: a Python dictionary of stacks; version 2 keeps all plop records",
    extensions: &["plop"],
    content: Content::Text,
    keeps: Features::FILES
        .and(Features::LINES)
        .and(Features::COLUMNS)
        .and(Features::START_LINES)
        .and(Features::SYSTEM_NAMES)
        .and(Features::ADDRESSES)
        .and(Features::MAPPINGS)
        .and(Features::INLINES)
        .and(Features::KINDS)
        .and(Features::MARKS)
        .and(Features::ROOTS)
        .and(Features::THREADS)
        .and(Features::SLICES)
        .and(Features::LABELS)
        .and(Features::VALUES)
        .and(Features::UNITS)
        .and(Features::FRACTIONS)
        .and(Features::NEGATIVE)
        .and(Features::TIMING)
        .and(Features::PERIOD)
        .and(Features::COMMENTS)
        .and(Features::NAME)
        .and(Features::META),
    detect,
    read: Read::Whole(read::read),
    fit: fit::fit,
    write: Some(write::write),
};

/// What the first line begins with from version 2 on; the number follows.
pub(super) const MARK: &[u8] = b"# plop ";

fn detect(head: &Head) -> Confidence {
    let version = head.bytes.strip_prefix(MARK).and_then(|rest| rest.first());
    if version.is_some_and(u8::is_ascii_digit) {
        return Confidence::Certain;
    }
    let mut scanner = super::python::Scanner::new(head.bytes);
    if !scanner.take(b'{') {
        return Confidence::No;
    }
    match scanner.peek() {
        Some(b'}') => match scanner.take(b'}') && scanner.peek().is_none() && !looks_folded(head) {
            true => Confidence::Certain,
            false => Confidence::No,
        },
        // A name in folded stacks may begin like that too.
        Some(b'(') => match begins_a_stack(&mut scanner) && !looks_folded(head) {
            true => Confidence::Certain,
            false => Confidence::Maybe,
        },
        _ => Confidence::No,
    }
}

/// Whether every line ends in a count, as no line of a `.plop` file does.
fn looks_folded(head: &Head) -> bool {
    let mut lines = head
        .lines
        .iter()
        .filter(|line| !line.trim_ascii().is_empty());
    lines.all(|line| super::collapsed::reader::ends_in_weights(line, 1))
}

/// Whether a tuple follows that is empty or holds a tuple that begins with a string.
fn begins_a_stack(scanner: &mut super::python::Scanner) -> bool {
    scanner.take(b'(')
        && (scanner.take(b')')
            || (scanner.take(b'(') && scanner.string().is_ok() && scanner.take(b',')))
}
