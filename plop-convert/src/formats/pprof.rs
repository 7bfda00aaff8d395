//! pprof: gzipped Protocol Buffers, as Go and many profilers write them and `go tool pprof` reads them.
//!
//! What the format has no field for travels in labels (threads, slices) and in a field of plop's own,
//! from which it is restored.

mod decode;
mod extra;
mod fit;
mod message;
mod read;
mod values;
mod wire;
mod write;

use plop_core::{Features, Mapping, StrId};

use crate::format::{Confidence, Content, Format, Read};
use crate::head::Head;

pub(super) const FORMAT: Format = Format {
    name: "pprof",
    aliases: &[],
    about: "the profiles of Go and of google/pprof, compressed; what other viewers read",
    extensions: &["pb", "pprof"],
    content: Content::Gzip,
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

fn detect(head: &Head) -> Confidence {
    match decode::looks_like_pprof(head.bytes, head.whole) {
        true => Confidence::Certain,
        false => Confidence::No,
    }
}

/// The note on functions that have only the binary's name.
const NO_NAME: &str = "functions without a name have the name that the binary gives them";

/// The name of a frame of which only the address is known.
fn address_name(address: u64) -> String {
    format!("{address:#x}")
}

/// Whether nothing is known of a mapping.
fn says_nothing(mapping: &Mapping) -> bool {
    let nothing = Mapping {
        file: StrId::EMPTY,
        build_id: StrId::EMPTY,
        start: 0,
        limit: 0,
        offset: 0,
    };
    *mapping == nothing
}
