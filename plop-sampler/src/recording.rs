//! Recordings: the image that the agent leaves of one process, as a profile; and the images of all
//! processes of one recording, as the profile of one run.
//!
//! An image is only bytes: it may come from a process that was killed while it wrote, or from
//! somebody who wishes us ill. Any bytes at all give a recording or an error with a place.
//! Reading and writing files is left to the caller.

mod image;
mod join;
mod process;

pub use join::join;
pub use process::{Counters, Process};

use std::collections::HashMap;

use plop_core::{
    Error, Frame, FrameId, FrameKind, Function, LabelSetId, LabelValue, Period, Profile, Result,
    Sample, Slice, SliceId, StackId, StrId, Thread, ThreadId, Ticks, ValueType,
};

use image::{Image, Moment, NONE, State};

/// What one process recorded.
#[derive(Clone)]
pub struct Recording {
    /// The samples. Slices count from the beginning of the whole recording, not of this process; times
    /// of samples from [`Process::begin_ns`].
    pub profile: Profile,
    /// How the process was sampled.
    pub process: Process,
}

/// Reads an image.
///
/// ```
/// let error = plop_sampler::recording::read(b"PLOPREC1").err().unwrap();
/// assert!(error.to_string().contains("cut short"));
/// ```
///
/// # Errors
/// When the bytes are no image, or one that contradicts itself: what was expected, what was found,
/// and where.
pub fn read(image: &[u8]) -> Result<Recording> {
    let image = Image::parse(image)?;
    let (mut process, told) = process::read(image.meta)?;
    let mut reader = Reader {
        profile: Profile::new(process.values()),
        image,
        labels: [None; State::WORDS.len()],
    };
    reader.profile.meta = told;
    let stacks = reader.stacks()?;
    let threads = reader.threads(process.pid)?;
    reader.slices(&process)?;
    process.timeline_why = reader.samples(&process, &stacks, &threads)?;
    let mut profile = reader.profile.summed().compact();
    describe(&mut profile, &process);
    profile.check()?;
    Ok(Recording { profile, process })
}

/// Thread, stack, labels, slice, time, and counts of a sample.
type Sampled = (
    ThreadId,
    StackId,
    LabelSetId,
    Option<SliceId>,
    Option<i64>,
    [i64; 2],
);

/// An image on its way into a profile.
struct Reader<'i> {
    image: Image<'i>,
    profile: Profile,
    /// The label set of each state that was met.
    labels: [Option<LabelSetId>; State::WORDS.len()],
}

impl Reader<'_> {
    fn text(&mut self, id: u32, what: &str) -> Result<StrId> {
        let text = self
            .image
            .strings
            .get(id as usize)
            .ok_or_else(|| out_of_range(what, "string", id.into(), self.image.strings.len()))?;
        Ok(self.profile.strings.intern(text))
    }

    /// The stack that each node stands for.
    fn stacks(&mut self) -> Result<Vec<StackId>> {
        let frames = self.frames()?;
        let mut stacks: Vec<StackId> = Vec::with_capacity(self.image.nodes.len());
        for (n, [parent, frame]) in self.image.nodes.iter().enumerate() {
            if n == 0 {
                if frame != NONE {
                    return Err(Error::new("the first node must have no frame"));
                }
                stacks.push(StackId::ROOT);
                continue;
            }
            // Of the nodes before this one only: parents come first.
            let caller = stacks.get(parent as usize).ok_or_else(|| {
                out_of_range(&format!("node {n}"), "earlier node", parent.into(), n)
            })?;
            let frame = frames.get(frame as usize).ok_or_else(|| {
                out_of_range(&format!("node {n}"), "frame", frame.into(), frames.len())
            })?;
            stacks.push(self.profile.stacks.push(*caller, *frame));
        }
        Ok(stacks)
    }

    fn frames(&mut self) -> Result<Vec<FrameId>> {
        let mut functions = Vec::with_capacity(self.image.functions.len());
        for [name, file, first] in self.image.functions.iter() {
            let (name, file) = (
                self.text(name, "a function")?,
                self.text(file, "a function")?,
            );
            functions.push(self.profile.functions.intern(Function {
                name,
                system_name: StrId::EMPTY,
                file,
                start_line: first.into(),
            }));
        }
        let mut frames = Vec::with_capacity(self.image.frames.len());
        for [function, line, kind] in self.image.frames.iter() {
            let function = match function {
                NONE => self.profile.function(b"[unknown]", b""),
                n => *functions.get(n as usize).ok_or_else(|| {
                    out_of_range("a frame", "function", n.into(), functions.len())
                })?,
            };
            let kind = match kind {
                0 => FrameKind::Python,
                1 => FrameKind::Unknown,
                other => {
                    return Err(Error::expected(
                        "a kind of frame, 0 or 1",
                        &other.to_string(),
                    ));
                }
            };
            frames.push(self.profile.frames.intern(Frame {
                line: line.into(),
                kind,
                ..Frame::of(function)
            }));
        }
        Ok(frames)
    }

    fn threads(&mut self, pid: i64) -> Result<Vec<ThreadId>> {
        let mut threads = Vec::with_capacity(self.image.threads.len());
        for [tid, name] in self.image.threads.iter() {
            let name = self.text(name, "a thread")?;
            threads.push(self.profile.threads.intern(Thread {
                pid,
                tid: tid.into(),
                name,
            }));
        }
        Ok(threads)
    }

    fn slices(&mut self, process: &Process) -> Result<()> {
        if !self.image.slices.is_empty() && !process.has_sound_slices() {
            return Err(Error::expected(
                "a length of slices of 10 ms times a power of two",
                &format!("{} ns", process.slice_ns),
            ));
        }
        for [ticks, cpu_ns, wall_ns] in self.image.slices.iter() {
            self.profile.slices.0.push(Slice {
                run: 0,
                length_ns: process.slice_ns,
                ticks: Some(whole(ticks, "the ticks of a slice")?),
                cpu_ns: Some(whole(cpu_ns, "the CPU time of a slice")?),
                wall_ns: Some(whole(wall_ns, "the time of a slice")?),
                work: Vec::new(),
            });
        }
        Ok(())
    }

    /// The samples, with their times as far as they are known. Where the timeline is broken the samples are
    /// those of the rows, and the answer is what is wrong with it; else it is empty.
    fn samples(
        &mut self,
        process: &Process,
        stacks: &[StackId],
        threads: &[ThreadId],
    ) -> Result<String> {
        // Looks and ticks come from different threads: each is in order, both together are not.
        let mut moments: Vec<_> = self.image.timeline.iter().collect();
        moments.sort_by_key(|moment| moment.time_ns);
        let timed = self.timed_samples(moments, process, stacks, threads);
        let why = (timed.as_ref().err()).map_or(String::new(), ToString::to_string);
        let samples = match timed {
            Err(_) if !self.image.timeline.is_empty() => {
                self.timed_samples(Vec::new(), process, stacks, threads)
            }
            samples => samples,
        };
        for (thread, stack, labels, slice, time_ns, counts) in samples? {
            let values: &[i64] = process.chosen(&counts);
            if values.iter().any(|count| *count != 0) {
                self.profile.samples.push(Sample {
                    thread: Some(thread),
                    labels: Some(labels),
                    slice,
                    time_ns,
                    ..Sample::of(stack, values)
                });
            }
        }
        Ok(why)
    }

    /// The samples of the timeline with their times, and of the rows what the timeline does not tell of.
    fn timed_samples(
        &mut self,
        moments: Vec<Moment>,
        process: &Process,
        stacks: &[StackId],
        threads: &[ThreadId],
    ) -> Result<Vec<Sampled>> {
        let mut timed: HashMap<_, [i64; 2]> = HashMap::new();
        let slices = self.profile.slices.len();
        let place = |reader: &mut Self, thread: u32, node: u32, state: u32| -> Result<_> {
            let thread = *threads
                .get(thread as usize)
                .ok_or_else(|| out_of_range("a sample", "thread", thread.into(), threads.len()))?;
            let stack = *stacks
                .get(node as usize)
                .ok_or_else(|| out_of_range("a sample", "node", node.into(), stacks.len()))?;
            Ok((thread, stack, reader.state(state)?))
        };
        let rows: Vec<_> = self.image.rows.iter().collect();
        let mut samples = Vec::with_capacity(rows.len() + moments.len());
        for moment in moments {
            let counts = counts(moment.cpu, moment.wall)?;
            let key @ (thread, stack, labels) =
                place(self, moment.thread, moment.node, moment.state)?;
            let at = whole(moment.time_ns, "a time")?;
            let sum = timed.entry(key).or_default();
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum = sum.checked_add(count).ok_or_else(too_large)?;
            }
            let slice = match slices {
                0 => None,
                _ => Some(SliceId::new(process.slice_at(at).min(slices - 1))),
            };
            let time_ns = Some(at.saturating_sub(process.begin_ns).max(0));
            samples.push((thread, stack, labels, slice, time_ns, counts));
        }
        let with_times = samples.len();
        for row in rows {
            let mut counts = counts(row.cpu, row.wall)?;
            let key @ (thread, stack, labels) = place(self, row.thread, row.node, row.state)?;
            if row.slice as usize >= slices {
                return Err(out_of_range("a sample", "slice", row.slice.into(), slices));
            }
            if let Some(told) = timed.get_mut(&key) {
                for (count, told) in counts.iter_mut().zip(told) {
                    let taken = (*count).min(*told);
                    *count -= taken;
                    *told -= taken;
                }
            }
            let slice = Some(SliceId::new(row.slice as usize));
            samples.push((thread, stack, labels, slice, None, counts));
        }
        if timed.values().any(|left| *left != [0, 0]) {
            return Err(Error::new(
                "the timeline has samples that the rows do not have",
            ));
        }
        // Samples without a time first, as in every profile that has been put in order.
        samples.rotate_left(with_times);
        Ok(samples)
    }

    /// The label set of a state.
    fn state(&mut self, state: u32) -> Result<LabelSetId> {
        let (Some(known), Some(word)) = (
            self.labels.get_mut(state as usize),
            State::WORDS.get(state as usize),
        ) else {
            return Err(out_of_range(
                "a sample",
                "state",
                state.into(),
                State::WORDS.len(),
            ));
        };
        Ok(*known.get_or_insert_with(|| {
            let key = self.profile.strings.intern(b"state");
            let value = LabelValue::Text(self.profile.strings.intern(word.as_bytes()));
            self.profile.label_sets.intern(vec![(key, value)])
        }))
    }
}

/// What is known of the run that does not depend on whether it was one process or several.
fn describe(profile: &mut Profile, process: &Process) {
    let meta = &mut profile.meta;
    meta.clock.clone_from(&process.mode);
    meta.period = process.period_ns.map(|every| Period {
        of: ValueType::new(&profile.values[0].kind, "nanoseconds"),
        every,
    });
    let counters = &process.counters;
    meta.ticks = Some(Ticks {
        asked: counters.asked,
        delivered: counters.delivered,
        dropped: counters.dropped,
    });
    meta.cpu_ns = Some(counters.cpu_ns);
    meta.sampler = process.attributes();
}

fn counts(cpu: i64, wall: i64) -> Result<[i64; 2]> {
    match cpu < 0 || wall < 0 {
        true => Err(Error::expected(
            "a number of samples",
            &cpu.min(wall).to_string(),
        )),
        false => Ok([cpu, wall]),
    }
}

fn whole(number: u64, what: &str) -> Result<i64> {
    i64::try_from(number)
        .map_err(|_| Error::expected(&format!("{what} within 64 bits"), &number.to_string()))
}

fn too_large() -> Error {
    Error::new("the samples add up past 64 bits")
}

fn out_of_range(whose: &str, what: &str, id: u64, len: usize) -> Error {
    Error::new(format!(
        "{whose} refers to {what} {id}, but there are {len}"
    ))
}
