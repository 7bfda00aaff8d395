//! speedscope's own files: JSON with a list of frames and one profile for every thread, sampled or
//! evented.
//!
//! What speedscope has no field for stands in keys of plop's, which other readers pass over.

mod file;
mod fit;
mod names;
mod plops;
mod read;
mod write;

use plop_core::{Features, Profile, ThreadId};

use crate::format::{Confidence, Content, Format, Read};
use crate::head::Head;

pub(super) const FORMAT: Format = Format {
    name: "speedscope",
    aliases: &[],
    about: "the files of the viewer speedscope",
    extensions: &["speedscope.json", "speedscope"],
    content: Content::Text,
    keeps: Features::FILES
        .and(Features::LINES)
        .and(Features::COLUMNS)
        .and(Features::START_LINES)
        .and(Features::SYSTEM_NAMES)
        .and(Features::INLINES)
        .and(Features::KINDS)
        .and(Features::MARKS)
        .and(Features::ROOTS)
        .and(Features::THREADS)
        .and(Features::TIMES)
        .and(Features::VALUES)
        .and(Features::UNITS)
        .and(Features::FRACTIONS)
        .and(Features::NEGATIVE)
        .and(Features::MANY)
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

fn detect(head: &Head) -> Confidence {
    if !head.trimmed().starts_with(b"{") {
        return Confidence::No;
    }
    let has = |text: &str| memchr::memmem::find(head.bytes, text.as_bytes()).is_some();
    let names = |values: &[&str], key: &str| {
        values.iter().any(|value| {
            has(&format!("\"{key}\":\"{value}\"")) || has(&format!("\"{key}\": \"{value}\""))
        })
    };
    if has("www.speedscope.app/file-format-schema.json") {
        return Confidence::Certain;
    }
    match names(&["sampled", "evented"], "type") && (has("\"profiles\"") || has("\"shared\"")) {
        true => Confidence::Likely,
        false => Confidence::No,
    }
}

/// What threads are sorted by.
fn thread_key(profile: &Profile, id: ThreadId) -> (i64, i64, &[u8]) {
    let thread = profile.threads.get(id);
    (thread.pid, thread.tid, profile.strings.get(thread.name))
}
