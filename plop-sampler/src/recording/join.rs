//! The processes of one recording as one run.
//!
//! Every process counts slices from the beginning of the whole recording, in a length of its own that
//! is 10 ms times a power of two. So the slices of one lie exactly within those of another, and
//! bringing all to the longest length is adding up.

use std::collections::BTreeMap;

use plop_core::{Attribute, Error, Meta, Profile, Result, Sample, Slice, SliceId, Ticks};

use super::{Counters, Recording};

/// Puts the recordings of all processes of one recording together.
///
/// Samples of the same slice, thread, stack and labels are added up. Of a slice, ticks and CPU time are the
/// sum of all processes, and the time that passed is that of the process that saw most of it.
/// Stretches before the first and after the last moment of sampling are left out.
///
/// # Errors
/// When there is no recording, or the sums leave 64 bits.
pub fn join(mut recordings: Vec<Recording>) -> Result<Profile> {
    recordings.sort_by_key(|recording| {
        let process = &recording.process;
        (!process.root, process.begin_ns, process.pid)
    });
    let values = (recordings.iter())
        .max_by_key(|recording| !recording.profile.samples.is_empty())
        .ok_or_else(|| Error::new("there is nothing to put together"))?;
    let mut whole = Profile::new(values.profile.values.clone());
    whole.meta = meta(&recordings);
    let began = began(&recordings);
    let grid = Grid::over(&recordings)?;
    whole.slices.0 = grid.slices(&recordings);
    for Recording { profile, process } in recordings {
        let slices: Vec<SliceId> = (0..profile.slices.len())
            .map(|n| SliceId::new(grid.place(n, process.slice_ns).unwrap_or(0)))
            .collect();
        let later = process.begin_ns.saturating_sub(began);
        whole.absorb_into_slices(&shifted(profile, later), &slices)?;
    }
    let whole = whole.in_time_order().summed().compact();
    whole.check()?;
    Ok(whole)
}

/// The profile with its times counted from a moment that lay so much earlier.
fn shifted(profile: Profile, later_ns: i64) -> Profile {
    if !profile.samples.have_times() || later_ns == 0 {
        return profile;
    }
    let mut samples = plop_core::Samples::new(profile.values.len());
    for sample in profile.samples.iter() {
        samples.push(Sample {
            time_ns: sample.time_ns.map(|ns| ns.saturating_add(later_ns)),
            ..sample
        });
    }
    Profile { samples, ..profile }
}

/// The first moment of sampling of any process, counted from the beginning of the recording.
fn began(recordings: &[Recording]) -> i64 {
    let sampled = recordings.iter().filter(|r| r.process.end_ns > 0);
    (sampled.map(|r| r.process.begin_ns).min()).unwrap_or(0)
}

/// The slices that all processes are brought to.
struct Grid {
    length_ns: i64,
    /// The first that has something, of those that begin with the recording.
    first: usize,
    /// One past the last that has something.
    end: usize,
}

impl Grid {
    fn over(recordings: &[Recording]) -> Result<Grid> {
        let with_slices = || recordings.iter().filter(|r| !r.profile.slices.is_empty());
        let lengths = with_slices().map(|r| r.process.slice_ns);
        let length_ns = lengths.max().unwrap_or(0);
        if with_slices().any(|r| !r.process.has_sound_slices()) {
            return Err(Error::new(
                "the slices of the processes do not lie within each other",
            ));
        }
        let mut grid = Grid {
            length_ns,
            first: 0,
            end: usize::MAX,
        };
        let (mut first, mut end) = (usize::MAX, 0);
        for recording in with_slices() {
            let profile = &recording.profile;
            let counted = profile.slices.0.iter().map(has_something).enumerate();
            let sampled = profile.samples.iter().filter_map(|s| s.slice);
            let used = (counted.filter(|(_, used)| *used).map(|(n, _)| n))
                .chain(sampled.map(SliceId::index));
            for place in used.filter_map(|n| grid.place(n, recording.process.slice_ns)) {
                (first, end) = (first.min(place), end.max(place + 1));
            }
        }
        (grid.first, grid.end) = (first.min(end), end);
        Ok(grid)
    }

    /// Where the slice `n` of a process lies whose slices have this length; `None` outside.
    fn place(&self, n: usize, length_ns: i64) -> Option<usize> {
        let ratio = usize::try_from(self.length_ns / length_ns.max(1)).ok()?;
        let place = n / ratio.max(1);
        (place < self.end).then(|| place.checked_sub(self.first))?
    }

    /// The slices with the counters of all processes.
    fn slices(&self, recordings: &[Recording]) -> Vec<Slice> {
        // A process that became another program by exec has several recordings, one after the other:
        // their times add up. Those of different processes lie beside each other.
        let mut by_process: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        let mut slices = vec![
            Slice {
                length_ns: self.length_ns,
                ticks: Some(0),
                cpu_ns: Some(0),
                wall_ns: Some(0),
                ..Slice::default()
            };
            self.end - self.first
        ];
        for Recording { profile, process } in recordings {
            let wall = by_process
                .entry(process.pid)
                .or_insert_with(|| vec![0; slices.len()]);
            for (n, slice) in profile.slices.0.iter().enumerate() {
                let Some(place) = self.place(n, process.slice_ns) else {
                    continue;
                };
                let into = &mut slices[place];
                into.ticks = added(into.ticks, slice.ticks);
                into.cpu_ns = added(into.cpu_ns, slice.cpu_ns);
                wall[place] = wall[place].saturating_add(slice.wall_ns.unwrap_or(0));
            }
        }
        for wall in by_process.values() {
            for (slice, wall) in slices.iter_mut().zip(wall) {
                slice.wall_ns = slice.wall_ns.max(Some(*wall));
            }
        }
        slices
    }
}

fn has_something(slice: &Slice) -> bool {
    [slice.ticks, slice.cpu_ns, slice.wall_ns]
        .iter()
        .any(|counter| counter.unwrap_or(0) != 0)
}

fn added(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0)))
}

/// What is known of the run as a whole. Where words differ, those of the process that was started
/// stand.
fn meta(recordings: &[Recording]) -> Meta {
    let metas = || recordings.iter().map(|recording| &recording.profile.meta);
    let word = |of: fn(&Meta) -> &String| {
        let mut words = metas().map(of).filter(|word| !word.is_empty());
        words.next().cloned().unwrap_or_default()
    };
    let mut counters = Counters::default();
    for recording in recordings {
        counters.add(&recording.process.counters);
    }
    let (began, ended) = (
        began(recordings),
        recordings.iter().map(|r| r.process.end_ns).max(),
    );
    let duration_ns = match recordings {
        [one] => one.profile.meta.duration_ns,
        _ => ended.map(|ended| ended.saturating_sub(began).max(0)),
    };
    Meta {
        start_ns: metas().filter_map(|meta| meta.start_ns).min(),
        duration_ns,
        period: metas().find_map(|meta| meta.period.clone()),
        clock: word(|meta| &meta.clock),
        runtime: word(|meta| &meta.runtime),
        ticks: Some(Ticks {
            asked: counters.asked,
            delivered: counters.delivered,
            dropped: counters.dropped,
        }),
        cpu_ns: Some(counters.cpu_ns),
        wall_ns: match recordings {
            [one] => one.profile.meta.wall_ns,
            _ => duration_ns,
        },
        sampler: sampler(recordings),
        ..Meta::default()
    }
}

/// What samplers counted, added up; of their words the first.
fn sampler(recordings: &[Recording]) -> plop_core::Attributes {
    let mut sampler = plop_core::Attributes::new();
    let mut pids: Vec<i64> = recordings.iter().map(|r| r.process.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    for recording in recordings {
        for (key, value) in &recording.profile.meta.sampler {
            let ours = sampler.iter_mut().find(|(known, _)| known == key);
            match (ours, value) {
                (Some((_, Attribute::Number(sum))), Attribute::Number(more)) => {
                    *sum = sum.saturating_add(*more);
                }
                (Some(_), _) => {}
                (None, _) => sampler.push((key.clone(), value.clone())),
            }
        }
    }
    for (key, value) in &mut sampler {
        if key == "processes" {
            *value = Attribute::Number(pids.len() as i64);
        }
    }
    sampler
}
