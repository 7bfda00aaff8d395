//! The note in which plop keeps what pprof has no field for: JSON in a field that other readers pass
//! over, so that no viewer shows it and no program that rewrites the file takes it along by accident.
//!
//! `{"guard":…,"run":{…},"thread_label":…,"slice_label":…,"slices":{…},"kinds":[…]}`. `run` is the
//! header of a `.plop` file. `guard` is a check sum of samples and locations: where a program has
//! changed those and kept the note, it no longer fits and is passed over.

use flate2::Crc;
use plop_core::{FrameKind, Notes, Slices};
use serde_json::value::RawValue;

use crate::formats::header::{self, Header};
use crate::formats::json::{Members, Text, of};
use crate::formats::slices;

/// What the note says.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) guard: u32,
    pub(super) header: Header,
    pub(super) thread_label: Option<Vec<u8>>,
    pub(super) slice_label: Option<Vec<u8>>,
    pub(super) slices: Slices,
    /// The kinds of all lines of all locations, run by run, in the order of the file; one for a location
    /// without lines.
    pub(super) kinds: Vec<(FrameKind, usize)>,
}

/// What a note says; `None` if it is not one of plop's.
pub(super) fn parse(json: &[u8], notes: &mut Notes) -> Option<Extra> {
    let Members(members) = serde_json::from_slice(json).ok()?;
    let mut extra = Extra::default();
    let mut has_guard = false;
    for (key, raw) in members {
        match key.as_str() {
            "guard" => {
                extra.guard = of(raw).ok()?;
                has_guard = true;
            }
            "run" => {
                extra.header = header::read(raw.get().as_bytes(), 0, &mut Notes::new()).ok()?
            }
            "thread_label" => extra.thread_label = Some(of::<Text>(raw).ok()?.0),
            "slice_label" => extra.slice_label = Some(of::<Text>(raw).ok()?.0),
            "slices" => extra.slices.0 = slices::read(raw.get().as_bytes(), None, notes).ok()?,
            "kinds" => extra.kinds = kinds(raw)?,
            _ => header::unknown_member(None, notes),
        }
    }
    has_guard.then_some(extra)
}

/// `[["python",12],["native",3],…]`
fn kinds(raw: &RawValue) -> Option<Vec<(FrameKind, usize)>> {
    let runs: Vec<(String, usize)> = of(raw).ok()?;
    let kind = |word: &str| FrameKind::from_word(word).unwrap_or_default();
    Some(
        runs.iter()
            .map(|(word, count)| (kind(word), *count))
            .collect(),
    )
}

/// The check sum of a file's samples and locations.
pub(super) struct Guard(Crc);

impl Guard {
    pub(super) fn new() -> Self {
        Guard(Crc::new())
    }

    /// Takes in a location that has this many lines.
    pub(super) fn location(&mut self, address: u64, lines: usize) {
        self.0.update(&address.to_le_bytes());
        self.0.update(&(lines as u64).to_le_bytes());
    }

    /// Takes in a line of the location. Of a long name the beginning suffices, since it may be that of
    /// every line.
    pub(super) fn line(&mut self, name: &[u8], line: i64) {
        self.0.update(&name[..name.len().min(256)]);
        self.0.update(&line.to_le_bytes());
    }

    /// The sum, for so many samples.
    pub(super) fn sum(mut self, samples: usize) -> u32 {
        self.0.update(&(samples as u64).to_le_bytes());
        self.0.sum()
    }
}
