//! What plop notes in a speedscope file under the key `plop`, so that it can put the profiles back
//! together: `{"profiles":[RUN,…],"sheets":[[PROFILE,VALUE,THREAD,SIGN],…],"times":[…]}`.
//!
//! `RUN` is the header of a `.plop` file. A sheet, one of the file's profiles, has one value of the
//! samples of one thread (`null` where it is not known): the gain or the loss, `SIGN` being 1 or -1,
//! since speedscope takes no weight below zero. `times` has, for every sheet, when each sample was
//! taken, or only of the first where each follows the one before it, or `null`.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use plop_core::{Notes, Profile, Sample, StackId, ThreadId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::file::{File, Sheet};
use super::read::{self, Room};
use crate::formats::header::{self, Header};

#[derive(Deserialize)]
struct Noted<'a> {
    #[serde(borrow)]
    profiles: Vec<&'a RawValue>,
    sheets: Vec<(usize, usize, Option<usize>, i8)>,
    #[serde(default)]
    times: Vec<Option<Times>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Times {
    Told(Vec<Option<i64>>),
    From(i64),
}

/// Puts the profiles back together; `None` if the file is no longer as plop wrote it.
pub(super) fn restore(json: &str, file: &File, room: &mut Room) -> Option<Vec<Profile>> {
    let noted: Noted = serde_json::from_str(json).ok()?;
    // Every profile has a sheet.
    if noted.sheets.len() != file.sheets.len() || noted.profiles.len() > file.sheets.len() {
        return None;
    }
    let headers: Vec<Header> = (noted.profiles.iter())
        .map(|raw| header::read(raw.get().as_bytes(), 0, &mut Notes::new()).ok())
        .collect::<Option<_>>()?;
    let mut builders: Vec<Builder> = headers.into_iter().map(Builder::of).collect();
    for (n, (profile, value, thread, sign)) in noted.sheets.iter().enumerate() {
        let builder = builders.get_mut(*profile)?;
        let times = noted.times.get(n).and_then(Option::as_ref);
        let sheet = &file.sheets[n];
        let went = read::stacks(&mut builder.profile, file, sheet, false, room).ok()?;
        builder.add(sheet, &went, (*value, *thread, *sign), times, room)?;
    }
    Some(builders.into_iter().map(Builder::finish).collect())
}

/// A profile while its sheets are added.
struct Builder {
    profile: Profile,
    threads: Vec<ThreadId>,
    /// The samples so far.
    rows: Vec<Row>,
    /// Where samples are of which only stack and thread are known.
    row_of: HashMap<(Option<usize>, StackId), usize, RandomState>,
    /// The first row of a thread whose samples have times, and how many there are.
    stretch_of: HashMap<Option<usize>, (usize, usize), RandomState>,
}

struct Row {
    stack: StackId,
    thread: Option<usize>,
    time_ns: Option<i64>,
    values: Vec<i64>,
}

impl Builder {
    fn of(header: Header) -> Self {
        let mut profile = Profile::new(header.values);
        profile.default_value = header.default_value;
        profile.meta = header.meta;
        let threads = header::threads(&mut profile, &header.threads);
        Builder {
            profile,
            threads,
            rows: Vec::new(),
            row_of: HashMap::default(),
            stretch_of: HashMap::default(),
        }
    }

    /// Adds a sheet, the stacks of which went there.
    fn add(
        &mut self,
        sheet: &Sheet,
        went: &[StackId],
        (value, thread, sign): (usize, Option<usize>, i8),
        times: Option<&Times>,
        room: &mut Room,
    ) -> Option<()> {
        let of = self.profile.values.get(value)?.clone();
        if thread.is_some_and(|thread| thread >= self.threads.len()) {
            return None;
        }
        let weights: Option<Vec<i64>> = (sheet.weights.iter())
            .map(|weight| weight.at(of.scale)?.checked_mul(sign.into()))
            .collect();
        let weights = weights?;
        let stride = self.profile.values.len();
        let times = match times {
            None => None,
            Some(Times::Told(times)) => Some(times.clone()),
            Some(Times::From(start)) => Some(
                read::times(*start, &weights, &of)?
                    .into_iter()
                    .map(Some)
                    .collect(),
            ),
        };
        if times
            .as_ref()
            .is_some_and(|times| times.len() != weights.len())
        {
            return None;
        }
        let next = self.rows.len();
        let stretch = match self.stretch_of.get(&thread) {
            Some(known) => Some(*known),
            None if times.is_some() => {
                self.stretch_of.insert(thread, (next, weights.len()));
                None
            }
            None => None,
        };
        for (n, (stack, weight)) in sheet.samples.iter().zip(&weights).enumerate() {
            let stack = went[stack.index()];
            let row = match (&times, stretch) {
                // Another value of the same samples.
                (_, Some((first, count))) if n < count && self.rows[first + n].stack == stack => {
                    first + n
                }
                (_, Some(_)) => return None,
                (Some(_), None) => self.rows.len(),
                (None, None) => *self
                    .row_of
                    .entry((thread, stack))
                    .or_insert(self.rows.len()),
            };
            if row == self.rows.len() {
                room.take(stride * size_of::<i64>()).ok()?;
                self.rows.push(Row {
                    stack,
                    thread,
                    time_ns: times.as_ref().and_then(|times| times[n]),
                    values: vec![0; stride],
                });
            }
            let sum = &mut self.rows[row].values[value];
            *sum = sum.checked_add(*weight)?;
        }
        Some(())
    }

    fn finish(mut self) -> Profile {
        if !self.stretch_of.is_empty() {
            self.rows.sort_by_key(|row| row.time_ns);
        }
        for row in self.rows {
            self.profile.samples.push(Sample {
                thread: row.thread.map(|n| self.threads[n]),
                time_ns: row.time_ns,
                ..Sample::of(row.stack, &row.values)
            });
        }
        self.profile
    }
}
