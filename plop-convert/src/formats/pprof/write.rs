//! Writes pprof files: samples first, then the tables they turned out to need, the strings last.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use plop_core::{
    Frame, FrameId, FrameKind, FunctionId, LabelSetId, LabelValue, MappingId, Profile, Sample,
    StackId, StrId, Strings, ThreadId,
};
use prost::encoding::message::encode;

use super::extra;
use super::message::{Function, Label, Line, Location, Mapping, PackedSample, ValueType};
use super::values::{self, Written};
use crate::formats::header::{self, Needed};
use crate::formats::json::{Object, Text, push_attribute, push_list, push_text};
use crate::formats::slices;

/// Past this many bytes a buffer goes out.
const BUFFER: usize = 256 << 10;

/// How hard to compress, by measurement: see `bench/RESULTS.md`.
const LEVEL: u32 = 3;

pub(super) fn write(profiles: &[&Profile], out: &mut dyn Write) -> io::Result<()> {
    for profile in profiles {
        let mut gzip = GzBuilder::new().write(&mut *out, Compression::new(LEVEL));
        Writer::of(profile).write(&mut gzip)?;
        gzip.finish()?;
    }
    Ok(())
}

struct Writer<'p> {
    profile: &'p Profile,
    values: Written,
    strings: Table,
    functions: Numbers,
    /// The frames of every location, the innermost first.
    locations: Vec<Vec<FrameId>>,
    /// The location of a frame that stands alone in it; 0 where there is none yet.
    of_frame: Vec<u64>,
    /// The location of several frames, by its frames.
    of_frames: HashMap<Vec<FrameId>, u64, RandomState>,
    /// The labels of every label set.
    labels: Vec<Option<Vec<Label>>>,
    threads: Threads,
    slice_label: Vec<u8>,
}

/// The string table of the file.
struct Table {
    strings: Strings,
    /// 1 where the second string is empty, too: a label whose text is empty needs one that is not
    /// string 0.
    shift: usize,
    /// The profile's strings that are there already; a long one is not to be looked up for every use.
    known: Vec<i64>,
}

impl Table {
    /// The index of a string of the profile.
    fn of(&mut self, profile: &Profile, id: StrId) -> i64 {
        if self.known[id.index()] == 0 {
            self.known[id.index()] = self.index(profile.strings.get(id));
        }
        self.known[id.index()]
    }

    fn index(&mut self, text: &[u8]) -> i64 {
        match self.strings.intern(text).index() {
            0 => 0,
            index => (index + self.shift) as i64,
        }
    }
}

/// Numbers from 1 for rows of a table, in the order in which they are asked for.
struct Numbers {
    of: Vec<u64>,
    rows: Vec<usize>,
}

impl Numbers {
    fn new(rows: usize) -> Self {
        Numbers {
            of: vec![0; rows],
            rows: Vec::new(),
        }
    }

    fn of(&mut self, row: usize) -> u64 {
        if self.of[row] == 0 {
            self.rows.push(row);
            self.of[row] = self.rows.len() as u64;
        }
        self.of[row]
    }
}

/// How stacks go on towards the root, as they were written before: for one node of the trie in eight.
/// Walking up a trie that is larger than the processor's caches is what writing would mostly wait for.
struct Known {
    /// Where in `bytes` it is written how a node goes on, and how long that is; 0 where it is not.
    places: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    /// The nodes of the stack at hand that are to be kept, and where in its text each begins.
    met: Vec<(StackId, usize)>,
}

impl Known {
    /// No stack is kept that takes more bytes.
    const LONGEST: usize = 512;
    /// No more bytes are kept than that.
    const MOST: usize = 64 << 20;

    fn of(nodes: usize) -> Self {
        Known {
            places: vec![(0, 0); nodes / 8 + 1],
            bytes: Vec::new(),
            met: Vec::new(),
        }
    }

    #[inline]
    fn is_kept(node: StackId) -> bool {
        node.index().is_multiple_of(8)
    }

    #[inline]
    fn get(&self, node: StackId) -> Option<&[u8]> {
        match self.places[node.index() / 8] {
            (_, 0) => None,
            (start, length) => Some(&self.bytes[start as usize..][..length as usize]),
        }
    }

    /// Keeps how the nodes that were met go on; `text` is the stack they were met in.
    fn keep(&mut self, text: &[u8]) {
        let Some((_, first)) = self
            .met
            .iter()
            .find(|(_, at)| text.len() - at <= Self::LONGEST)
        else {
            return;
        };
        if self.bytes.len() + text.len() - first > Self::MOST {
            return;
        }
        let (first, start) = (*first, self.bytes.len());
        self.bytes.extend_from_slice(&text[first..]);
        for (node, at) in self.met.iter().filter(|(_, at)| *at >= first) {
            let place = ((start + at - first) as u32, (text.len() - at) as u32);
            self.places[node.index() / 8] = place;
        }
    }
}

fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Threads in the order in which samples name them.
struct Threads {
    ids: Vec<ThreadId>,
    /// What the label of each says, by row of the profile's table.
    texts: Vec<Vec<u8>>,
    /// Those labels that were written already.
    labels: Vec<Option<Label>>,
    label: Vec<u8>,
}

impl<'p> Writer<'p> {
    fn of(profile: &'p Profile) -> Self {
        let is_empty = |(_, value): &(StrId, LabelValue)| *value == LabelValue::Text(StrId::EMPTY);
        let empty_text = (profile.label_sets.iter()).any(|(_, set)| set.iter().any(is_empty));
        Writer {
            values: values::written(profile),
            strings: Table {
                strings: Strings::new(),
                shift: usize::from(empty_text),
                known: vec![0; profile.strings.len()],
            },
            functions: Numbers::new(profile.functions.len()),
            locations: Vec::new(),
            of_frame: vec![0; profile.frames.len()],
            of_frames: HashMap::default(),
            labels: vec![None; profile.label_sets.len()],
            threads: threads(profile),
            slice_label: free_label(profile, b"slice"),
            profile,
        }
    }

    fn write(mut self, out: &mut dyn Write) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(2 * BUFFER);
        for value in self.values.types.clone() {
            let value = self.value_type(&value);
            encode(1, &value, &mut buffer);
        }
        let samples = self.samples(&mut buffer, out)?;
        self.tables(&mut buffer);
        self.run(samples, &mut buffer);
        for (n, (_, text)) in self.strings.strings.iter().enumerate() {
            prost::encoding::bytes::encode(6, &text.to_vec(), &mut buffer);
            if n == 0 && self.strings.shift > 0 {
                prost::encoding::bytes::encode(6, &Vec::new(), &mut buffer);
            }
        }
        out.write_all(&buffer)
    }

    fn value_type(&mut self, value: &plop_core::ValueType) -> ValueType {
        ValueType {
            kind: self.strings.index(value.kind.as_bytes()),
            unit: self.strings.index(value.unit.as_bytes()),
        }
    }

    /// Writes samples, those that differ in nothing but their values as one; returns how many.
    fn samples(&mut self, buffer: &mut Vec<u8>, out: &mut dyn Write) -> io::Result<usize> {
        let profile = self.profile;
        let samples = profile.summed_samples();
        let mut row = PackedSample::default();
        let mut known = Known::of(profile.stacks.len());
        for sample in samples.iter() {
            row.location_id.clear();
            self.locations_of(sample.stack, &mut known, &mut row.location_id);
            row.value.clear();
            row.value.extend(
                (sample.values.iter().zip(&self.values.factors))
                    .map(|(value, factor)| value * factor),
            );
            row.label.clear();
            self.labels_of(&sample, &mut row.label);
            encode(2, &row, buffer);
            if buffer.len() >= BUFFER {
                out.write_all(buffer)?;
                buffer.clear();
            }
        }
        Ok(samples.len())
    }

    /// Appends the ids of a stack's locations as varints, leaf first.
    fn locations_of(&mut self, stack: StackId, known: &mut Known, out: &mut Vec<u8>) {
        let stacks = &self.profile.stacks;
        let mut at = stack;
        known.met.clear();
        while let Some(frame) = stacks.frame(at) {
            if Known::is_kept(at) {
                if let Some(rest) = known.get(at) {
                    out.extend_from_slice(rest);
                    break;
                }
                known.met.push((at, out.len()));
            }
            let mut id = self.of_frame[frame.index()];
            if id == 0 {
                let mut group = Vec::new();
                while let Some(frame) = stacks.frame(at) {
                    group.push(frame);
                    if !self.profile.frames.get(frame).inlined {
                        break;
                    }
                    at = stacks.parent(at);
                }
                id = self.new_location(group);
            }
            at = stacks.parent(at);
            push_varint(id, out);
        }
        known.keep(out);
    }

    fn new_location(&mut self, frames: Vec<FrameId>) -> u64 {
        let next = self.locations.len() as u64 + 1;
        if let [frame] = frames[..] {
            self.of_frame[frame.index()] = next;
        } else {
            let known = *self.of_frames.entry(frames.clone()).or_insert(next);
            if known != next {
                return known;
            }
        }
        self.locations.push(frames);
        next
    }

    fn labels_of(&mut self, sample: &Sample, labels: &mut Vec<Label>) {
        if let Some(set) = sample.labels {
            if self.labels[set.index()].is_none() {
                self.labels[set.index()] = Some(self.label_set(set));
            }
            labels.extend(self.labels[set.index()].iter().flatten());
        }
        if let Some(thread) = sample.thread {
            let known = &mut self.threads.labels[thread.index()];
            labels.push(*known.get_or_insert_with(|| Label {
                key: self.strings.index(&self.threads.label),
                str: self.strings.index(&self.threads.texts[thread.index()]),
                ..Label::default()
            }));
        }
        if let Some(slice) = sample.slice {
            labels.push(Label {
                key: self.strings.index(&self.slice_label),
                num: slice.index() as i64,
                // A number without a unit is lost on Go's readers where it is 0.
                num_unit: self.strings.index(b"index"),
                ..Label::default()
            });
        }
    }

    fn label_set(&mut self, id: LabelSetId) -> Vec<Label> {
        let profile = self.profile;
        (profile.label_sets.get(id).iter())
            .map(|(key, value)| {
                let key = self.strings.of(profile, *key);
                match *value {
                    LabelValue::Text(StrId::EMPTY) => Label {
                        key,
                        str: 1,
                        ..Label::default()
                    },
                    LabelValue::Text(value) => Label {
                        key,
                        str: self.strings.of(profile, value),
                        ..Label::default()
                    },
                    LabelValue::Number(num, unit) => Label {
                        key,
                        num,
                        num_unit: self.strings.of(profile, unit),
                        ..Label::default()
                    },
                }
            })
            .collect()
    }

    /// Writes locations, functions and mappings.
    fn tables(&mut self, buffer: &mut Vec<u8>) {
        let profile = self.profile;
        let locations = std::mem::take(&mut self.locations);
        // A mapping that says nothing keeps `go tool pprof` from looking for symbols where there is no
        // other.
        let physical = |frames: &Vec<FrameId>| profile.frames.get(frames[frames.len() - 1]);
        let silent = profile.mappings.is_empty();
        let mut has_bare = vec![false; profile.mappings.len()];
        for (n, frames) in locations.iter().enumerate() {
            let physical = physical(frames);
            let bare = is_bare(profile, frames);
            if let Some(mapping) = physical.mapping {
                has_bare[mapping.index()] |= bare;
            }
            let line = |id: &FrameId| {
                let frame = profile.frames.get(*id);
                Line {
                    function_id: self.functions.of(frame.function.index()),
                    line: frame.line,
                    column: frame.column.into(),
                }
            };
            let location = Location {
                id: n as u64 + 1,
                mapping_id: match physical.mapping {
                    Some(mapping) => mapping.index() as u64 + 1,
                    None => u64::from(silent),
                },
                address: physical.address,
                line: match bare {
                    true => Vec::new(),
                    false => frames.iter().map(line).collect(),
                },
                is_folded: false,
            };
            encode(4, &location, buffer);
        }
        // All of them, in their order: the first is the main binary.
        for (id, _) in profile.mappings.iter() {
            let mapping = self.mapping(id, has_bare[id.index()]);
            encode(3, &mapping, buffer);
        }
        if silent && !locations.is_empty() {
            encode(
                3,
                &symbolized(Mapping {
                    id: 1,
                    ..Mapping::default()
                }),
                buffer,
            );
        }
        for (n, row) in std::mem::take(&mut self.functions.rows)
            .into_iter()
            .enumerate()
        {
            let function = profile.functions.get(FunctionId::new(row));
            let mut text = |id: StrId| self.strings.of(profile, id);
            let function = Function {
                id: n as u64 + 1,
                name: text(function.name),
                system_name: text(function.system_name),
                filename: text(function.file),
                start_line: function.start_line,
            };
            encode(5, &function, buffer);
        }
        self.locations = locations;
    }

    /// A binary; `has_bare` says that symbols are left to be looked up in it.
    fn mapping(&mut self, id: MappingId, has_bare: bool) -> Mapping {
        let profile = self.profile;
        let of = profile.mappings.get(id);
        let mapping = Mapping {
            id: id.index() as u64 + 1,
            memory_start: of.start,
            memory_limit: of.limit,
            file_offset: of.offset,
            filename: self.strings.of(profile, of.file),
            build_id: self.strings.of(profile, of.build_id),
            ..Mapping::default()
        };
        match has_bare {
            true => mapping,
            false => symbolized(mapping),
        }
    }

    /// Writes what is there once.
    fn run(&mut self, samples: usize, buffer: &mut Vec<u8>) {
        let meta = &self.profile.meta;
        let comments = (meta.comments.iter())
            .map(|comment| self.strings.index(comment.as_bytes()))
            .collect();
        let period_type = (meta.period.as_ref()).map(|period| self.value_type(&period.of));
        let default = match self.profile.values.len() {
            1 => 0,
            _ => {
                let kind = self.values.types[self.profile.default_value].kind.clone();
                self.strings.index(kind.as_bytes())
            }
        };
        let run = super::message::Profile {
            drop_frames: self.strings.index(meta.drop_frames.as_bytes()),
            keep_frames: self.strings.index(meta.keep_frames.as_bytes()),
            time_nanos: meta.start_ns.unwrap_or(0),
            duration_nanos: meta.duration_ns.unwrap_or(0),
            period_type,
            period: meta.period.as_ref().map_or(0, |period| period.every),
            comment: comments,
            default_sample_type: default,
            doc_url: self.strings.index(meta.doc_url.as_bytes()),
            plop: self.note(samples).unwrap_or_default().into_bytes(),
            ..Default::default()
        };
        prost::Message::encode_raw(&run, buffer);
    }

    /// Plop's own note, where there is something to say in it.
    fn note(&self, samples: usize) -> Option<String> {
        let (profile, meta) = (self.profile, &self.profile.meta);
        let needed = Needed {
            start: meta.start_ns == Some(0),
            duration: meta.duration_ns == Some(0),
            period: (meta.period.as_ref()).is_some_and(|period| {
                period.every == 0 && period.of.kind.is_empty() && period.of.unit.is_empty()
            }),
            values: self.values.must_be_told,
            texts: false,
        };
        let mut run = String::new();
        let mut object = Object::open(&mut run);
        header::push(&mut object, profile, &needed);
        header::push_threads(&mut object, profile, &self.threads.ids);
        for (key, value) in &meta.extra {
            push_attribute(value, object.key(key));
        }
        let nothing = object.is_empty();
        object.close();
        let kinds = self.kinds();
        if nothing && profile.slices.is_empty() && kinds.is_empty() {
            return None;
        }
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        object.number("guard", Some(self.guard(samples).into()));
        if !nothing {
            object.key("run").push_str(&run);
        }
        if !self.threads.ids.is_empty() {
            object.text("thread_label", &self.threads.label);
        }
        if !profile.slices.is_empty() {
            object.text("slice_label", &self.slice_label);
            object
                .key("slices")
                .push_str(&slices::write(&profile.slices));
        }
        if !kinds.is_empty() {
            push_list(kinds, object.key("kinds"), |(kind, count), out| {
                out.push('[');
                push_text(kind.word().as_bytes(), out);
                out.push_str(&format!(",{count}]"));
            });
        }
        object.close();
        Some(json)
    }

    /// The kinds of all lines, run by run; empty where plop knows of none.
    fn kinds(&self) -> Vec<(FrameKind, usize)> {
        let mut runs: Vec<(FrameKind, usize)> = Vec::new();
        for frame in self.locations.iter().flatten() {
            let kind = self.profile.frames.get(*frame).kind;
            match runs.last_mut() {
                Some((last, count)) if *last == kind => *count += 1,
                _ => runs.push((kind, 1)),
            }
        }
        match runs[..] {
            [(FrameKind::Unknown, _)] => Vec::new(),
            _ => runs,
        }
    }

    fn guard(&self, samples: usize) -> u32 {
        let mut guard = extra::Guard::new();
        for frames in &self.locations {
            let physical = self.profile.frames.get(frames[frames.len() - 1]);
            let bare = is_bare(self.profile, frames);
            guard.location(physical.address, if bare { 0 } else { frames.len() });
            for frame in frames.iter().filter(|_| !bare) {
                let line = self.profile.frames.get(*frame).line;
                guard.line(self.profile.name_of(*frame), line);
            }
        }
        guard.sum(samples)
    }
}

/// Whether a location is one of which only the address is known.
fn is_bare(profile: &Profile, frames: &[FrameId]) -> bool {
    let [id] = frames[..] else { return false };
    let frame = profile.frames.get(id);
    let function = profile.functions.get(frame.function);
    let nothing_else = plop_core::Function {
        name: function.name,
        system_name: StrId::EMPTY,
        file: StrId::EMPTY,
        start_line: 0,
    };
    let only_an_address = Frame {
        address: frame.address,
        mapping: frame.mapping,
        kind: frame.kind,
        ..Frame::of(frame.function)
    };
    *frame == only_an_address
        && *function == nothing_else
        && profile.strings.get(function.name) == super::address_name(frame.address).as_bytes()
}

/// A mapping of which nothing is left to be looked up.
fn symbolized(mapping: Mapping) -> Mapping {
    Mapping {
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
        ..mapping
    }
}

fn threads(profile: &Profile) -> Threads {
    let mut seen = vec![false; profile.threads.len()];
    let mut ids = Vec::new();
    if profile.samples.have_threads() {
        for id in profile.samples.iter().filter_map(|sample| sample.thread) {
            if !std::mem::replace(&mut seen[id.index()], true) {
                ids.push(id);
            }
        }
    }
    let rows: Vec<header::ThreadRow> = (ids.iter())
        .map(|id| profile.threads.get(*id))
        .map(|thread| {
            let name = profile.strings.get(thread.name).to_vec();
            (thread.tid, Text(name), thread.pid)
        })
        .collect();
    let mut texts = vec![Vec::new(); profile.threads.len()];
    for (id, text) in ids.iter().zip(header::thread_texts(&rows)) {
        texts[id.index()] = text.unwrap_or_default();
    }
    Threads {
        labels: vec![None; texts.len()],
        ids,
        texts,
        label: free_label(profile, b"thread"),
    }
}

/// A key that no label of the profile has.
fn free_label(profile: &Profile, wanted: &[u8]) -> Vec<u8> {
    let keys = (profile.label_sets.iter()).flat_map(|(_, set)| set.iter().map(|(key, _)| *key));
    let taken: HashSet<StrId, RandomState> = keys.collect();
    let taken: HashSet<&[u8], RandomState> = (taken.iter())
        .map(|key| profile.strings.get(*key))
        .collect();
    let mut key = wanted.to_vec();
    while taken.contains(&key[..]) {
        key.push(b'_');
    }
    key
}
