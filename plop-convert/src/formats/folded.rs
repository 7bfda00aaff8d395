//! Folded stacks: `root;…;leaf count`, a line a stack. Also called collapsed stacks, and raw by
//! py-spy; what flamegraph.pl, inferno and speedscope read, and nearly every profiler writes.
//!
//! Read with all the habits that tools have grown: `name (file:line)`, the suffixes `_[k]`, `_[i]`,
//! `_[j]`, `_[w]`, `_[0]`, `_[1]`, decimal and negative counts, tabs, CRLF, bytes that are not
//! UTF-8, root frames that name a thread or a process, and stacks without a frame.

use std::io::{self, Write};

use plop_core::{Notes, Profile, Result, ValueType};

use super::collapsed::{self, fit::fit, reader, writer};
use super::{austin, folded_columns, plop, plop_flame, pprof_legacy};
use crate::format::{Confidence, Content, Format, Read, ReadOptions};
use crate::head::Head;
use crate::source::Source;

pub(super) const FORMAT: Format = Format {
    name: "folded",
    aliases: &["flamegraph", "collapsed", "raw"],
    about: "folded stacks, a line each: root;caller;leaf 42",
    extensions: &["folded", "collapsed", "flame", "collapse", "raw", "txt"],
    content: Content::Text,
    keeps: collapsed::KEEPS,
    detect,
    read: Read::Parts(read),
    fit,
    write: Some(write),
};

fn detect(head: &Head) -> Confidence {
    if head.bytes.is_empty() {
        return Confidence::Maybe;
    }
    let lines = || {
        head.lines
            .iter()
            .filter(|line| !line.trim_ascii().is_empty())
    };
    let stacks = lines()
        .filter(|line| reader::ends_in_weights(line, 1))
        .count();
    if stacks == 0 || stacks * 2 < lines().count() {
        return Confidence::No;
    }
    // One stack a line, and a line for every one of them: nothing else has that.
    match stacks == lines().count() {
        true => Confidence::Likely,
        false => Confidence::Maybe,
    }
}

fn read(text: &dyn Source, options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let layout = reader::Layout {
        values: vec![ValueType::samples()],
        first_line: 1,
    };
    let profile = reader::read(text, &layout, options, notes)?;
    if profile.samples.is_empty() && notes.count("bad-line") == 0 {
        notes.add("no-samples", None, || {
            "the input is empty: a profile without samples".into()
        });
    }
    Ok(vec![profile])
}

fn write(profiles: &[&Profile], out: &mut dyn Write) -> io::Result<()> {
    for profile in profiles {
        writer::write(profile, out, writer::First::NotTwoCounts, is_trap)?;
    }
    Ok(())
}

/// Whether a first line would be taken for the mark of another format.
pub(super) fn is_trap(line: &[u8]) -> bool {
    plop_flame::is_first_line(line)
        || line.starts_with(plop::MARK)
        || austin::is_first_line(line)
        || pprof_legacy::is_first_line(line)
        || folded_columns::is_header(line)
}
