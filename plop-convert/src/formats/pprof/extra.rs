//! The comment in which plop notes what pprof has no field for.
//!
//! `plop {"guard":…,"run":{…},"thread_label":…,"slice_label":…,"slices":{…},"kinds":[…]}`, the first
//! of the file's comments. `run` is the header of a `.plop` file. `guard` is a check sum of samples
//! and locations: when another program has rewritten the file, the comment no longer fits and is
//! passed over.

use flate2::Crc;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use plop_core::{FrameKind, Notes, Profile, Slices, Thread, ThreadId};
use serde_json::value::RawValue;

use crate::formats::header::{self, Header};
use crate::formats::json::{Members, Text, of};
use crate::formats::slices;

/// What plop's own comment begins with.
pub(super) const MARK: &str = "plop {";

/// What the comment says.
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

/// Takes plop's comment off the profile.
pub(super) fn take(profile: &mut Profile, notes: &mut Notes) -> Option<Extra> {
    let comments = &mut profile.meta.comments;
    let json = comments.first()?.strip_prefix(&MARK[..MARK.len() - 1])?;
    let extra = parse(json, notes)?;
    comments.remove(0);
    Some(extra)
}

/// What a comment says, if it is plop's.
fn parse(json: &str, notes: &mut Notes) -> Option<Extra> {
    let Members(members) = serde_json::from_str(json).ok()?;
    let mut extra = Extra::default();
    let mut has_guard = false;
    for (key, raw) in members {
        match key.as_str() {
            "guard" => {
                extra.guard = of(raw).ok()?;
                has_guard = true;
            }
            "run" => extra.header = header::read(raw.get().as_bytes(), 0, notes).ok()?,
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

/// Thread id, name and process id, as the header has them.
pub(super) type ThreadRow = (i64, Text, i64);

/// The threads of the header in the profile.
pub(super) fn threads(profile: &mut Profile, rows: &[ThreadRow]) -> Vec<ThreadId> {
    (rows.iter())
        .map(|(tid, name, pid)| {
            let name = profile.strings.intern(&name.0);
            profile.threads.intern(Thread {
                pid: *pid,
                tid: *tid,
                name,
            })
        })
        .collect()
}

/// A text for each thread, different from all others': its name where that is enough. A row that is
/// there a second time, as plop writes none, has none.
pub(super) fn thread_texts(rows: &[ThreadRow]) -> Vec<Option<Vec<u8>>> {
    let mut named: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for (_, Text(name), _) in rows {
        *named.entry(name).or_default() += 1;
    }
    let mut seen: HashSet<(i64, &[u8], i64), RandomState> = HashSet::default();
    let mut taken: HashSet<Vec<u8>, RandomState> = HashSet::default();
    (rows.iter())
        .map(|(tid, Text(name), pid)| {
            if !seen.insert((*tid, name, *pid)) {
                return None;
            }
            let mut text = name.clone();
            if name.is_empty() {
                text = format!("thread {tid}").into_bytes();
            } else if named[&name[..]] > 1 {
                text.extend_from_slice(format!(" ({tid})").as_bytes());
            }
            if taken.contains(&text) {
                text.extend_from_slice(format!(" of process {pid}").as_bytes());
            }
            while !taken.insert(text.clone()) {
                text.push(b'\'');
            }
            Some(text)
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_threads_are_their_names_or_else_told_apart() {
        let row = |name: &str, tid, pid| (tid, Text(name.into()), pid);
        let rows = [
            row("main", 1, 0),
            row("", 2, 0),
            row("pool", 3, 7),
            row("pool", 4, 7),
            row("pool (3)", 5, 7),
            row("pool", 3, 7),
        ];
        let texts = thread_texts(&rows).into_iter().map(|text| {
            let text = text.unwrap_or_default();
            String::from_utf8(text).expect("the names are UTF-8")
        });
        assert_eq!(
            texts.collect::<Vec<_>>(),
            [
                "main",
                "thread 2",
                "pool (3)",
                "pool (4)",
                "pool (3) of process 7",
                ""
            ]
        );
    }

    #[test]
    fn a_thread_that_is_there_over_and_over_takes_no_cubic_time() {
        let rows = vec![(1, Text(b"main".to_vec()), 1); 100_000];
        assert_eq!(thread_texts(&rows).iter().flatten().count(), 1);
    }
}
