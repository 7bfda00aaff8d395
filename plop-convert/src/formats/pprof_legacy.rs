//! The profiles that pprof knew before its protocol buffers, and still reads: the binary CPU profiles
//! of gperftools and of Go before 1.9, and texts of heaps, growth, contention and threads by
//! gperftools, tcmalloc, Java agents and `debug=1` of Go's net/http/pprof.
//!
//! What google/pprof makes of such a file is what is read here: totals, stacks, addresses, binaries.
//! Callers' addresses are return addresses and become one less, to lie in the call. Where there is
//! more to read than pprof does, it is read:
//! - Go's `debug=1` texts name functions, files and lines in comments, and so do lines of `threadz`
//!   (`0x40be31: main`). The frames get these names and keep their addresses. Go leaves out frames of
//!   its runtime, which stay addresses, and so does an address that has two names.
//! - The labels of goroutines stand in a comment as well.
//! - In Java's profiles every place keeps its own file, where pprof gives all places of a function
//!   the first one's.
//! - A list of threads need not end in a list of binaries.
//! - `pprof --raw` of gperftools puts symbols before a profile (`symbolized`), and jemalloc has heap
//!   profiles of its own (`jemalloc`). google/pprof refuses both; the readers of the tools that write
//!   them, gperftools' and jemalloc's, say what they mean.
//!
//! pprof's expressions for frames to leave out are kept in the profile and not applied.

mod comments;
mod contention;
mod counts;
mod cpu;
mod drop_frames;
mod heap;
mod java;
mod jemalloc;
mod lines;
mod maps;
mod recorded;
mod scan;
mod symbolized;
mod symbols;
mod threads;

use plop_core::{Attribute, Error, Features, Notes, Profile, Result, quoted};

use crate::format::{Confidence, Content, Format, Read, ReadOptions, fits};
use crate::head::Head;
use lines::Lines;
use symbols::Symbols;

pub(super) const FORMAT: Format = Format {
    name: "pprof-legacy",
    aliases: &["gperftools"],
    about: "profiles of gperftools, tcmalloc and jemalloc, and the debug=1 texts of Go",
    extensions: &["prof", "heap"],
    content: Content::Text,
    keeps: Features::NONE,
    detect,
    read: Read::Whole(read),
    fit: fits,
    write: None,
};

/// Which of the profiles it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Cpu,
    Heap,
    Jemalloc,
    Counts,
    Threads,
    Contention,
    Java,
}

fn detect(head: &Head) -> Confidence {
    let known = match kind(head.bytes) {
        Some(Kind::Counts) => counts::is_sure(head),
        Some(Kind::Jemalloc) => is_jemalloc(head),
        Some(_) => true,
        None => symbolized::is_marked(head.bytes),
    };
    match known {
        true => Confidence::Certain,
        false => Confidence::No,
    }
}

/// Whether an input is a heap profile of jemalloc, whose first line could also name the values of
/// folded stacks.
pub(super) fn is_jemalloc(head: &Head) -> bool {
    jemalloc::is_sure(head)
}

/// Whether folded stacks could begin with this line, and be taken for counts of Go.
pub(super) fn is_first_line(line: &[u8]) -> bool {
    counts::kind_in_header(line).is_some()
}

/// The kind of a profile by its beginning.
fn kind(bytes: &[u8]) -> Option<Kind> {
    if cpu::Header::of(bytes).is_some() {
        return Some(Kind::Cpu);
    }
    let mut lines = Lines::of(bytes);
    let first = lines.peek()?.text;
    let first_of_note = lines.find(|line| !line.is_comment()).map(|line| line.text);
    if heap::is_header(first) {
        Some(Kind::Heap)
    } else if jemalloc::rate_in_header(first).is_some() {
        Some(Kind::Jemalloc)
    } else if first_of_note.is_some_and(|line| counts::kind_in_header(line).is_some()) {
        Some(Kind::Counts)
    } else if first_of_note.is_some_and(threads::is_start) {
        Some(Kind::Threads)
    } else if java::is_start(bytes) {
        Some(Kind::Java)
    } else if contention::is_header(first) {
        Some(Kind::Contention)
    } else {
        None
    }
}

fn read(bytes: &[u8], options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let profile = match symbolized::is_marked(bytes) {
        false => profile(bytes, Lines::of(bytes), None, notes)?,
        true => {
            let (symbols, rest) = symbolized::read(Lines::of(bytes))?;
            let at = bytes.len() - rest.rest().len();
            profile(&bytes[at..], rest, Some((symbols, at)), notes)?
        }
    };
    options.advance(bytes.len());
    Ok(vec![profile])
}

/// Reads a profile; `symbolized` are the symbols that stood before it, and how many bytes of them.
fn profile<'t>(
    bytes: &'t [u8],
    mut lines: Lines<'t>,
    symbolized: Option<(symbolized::Section<'t>, usize)>,
    notes: &mut Notes,
) -> Result<Profile> {
    let Some(kind) = kind(bytes) else {
        return Err(Error::expected(
            "the first line or words of a profile of gperftools, tcmalloc, jemalloc or Go",
            &quoted(bytes),
        )
        .at(lines.place()));
    };
    let mut recorded = match kind {
        Kind::Cpu => {
            let at = symbolized.as_ref().map(|(_, at)| *at);
            let (recorded, rest) = cpu::read(bytes, at, notes)?;
            let byte = at.unwrap_or(0) + bytes.len() - rest.len();
            lines = Lines::at_byte(rest, byte);
            recorded
        }
        Kind::Heap => heap::read(&mut lines, notes)?,
        Kind::Jemalloc => jemalloc::read(&mut lines, notes)?,
        Kind::Counts => counts::read(&mut lines, notes)?,
        Kind::Threads => threads::read(&mut lines, notes)?,
        Kind::Contention => contention::read(&mut lines, notes)?,
        Kind::Java => java::read(&mut lines, notes)?,
    };
    let mut binary = None;
    if let Some((section, _)) = symbolized {
        recorded.symbols = section.symbols;
        binary = section.binary;
    }
    let regions = match (kind, recorded.addresses_are_ids) {
        (_, true) => {
            java::read_places(&mut lines, &mut recorded)?;
            Vec::new()
        }
        // A binary profile has no line that announces the list.
        (Kind::Cpu, false) => maps::read(lines, notes),
        (_, false) => {
            lines.skip_to_maps();
            maps::read(lines, notes)
        }
    };
    let mut profile = recorded.into_profile(regions, notes)?;
    if let Some(binary) = binary {
        let path = String::from_utf8_lossy(binary).into_owned();
        (profile.meta.extra).push(("binary".into(), Attribute::Text(path)));
    }
    (profile.meta.drop_frames, profile.meta.keep_frames) = drop_frames::of(&profile.values);
    if profile.samples.is_empty() {
        notes.add("no-samples", None, || {
            "the profile is in order and holds no samples".into()
        });
    }
    Ok(profile)
}

#[cfg(test)]
mod tests;
