//! Writes `.plop` files, version 2.

use std::fmt::Write as _;
use std::io::{self, Write};

use hashbrown::HashMap;
use plop_core::{
    FrameId, FrameKind, LabelSetId, LabelValue, MappingId, Profile, SliceId, StackId, StrId,
    ThreadId, decimal,
};

use crate::formats::header::{self, Needed};
use crate::formats::json::{Object, push_attribute, push_list, push_text};
use crate::formats::python::push_repr;
use crate::formats::slices;

/// Past this many bytes a buffer goes out.
const BUFFER: usize = 256 << 10;

pub(super) fn write(profiles: &[&Profile], out: &mut dyn Write) -> io::Result<()> {
    for profile in profiles {
        Writer::of(profile).write(out)?;
    }
    Ok(())
}

struct Writer<'p> {
    profile: &'p Profile,
    /// Every frame as the dictionary writes it.
    frames: Vec<Vec<u8>>,
    /// The frame that stands for no frames, where a stack has none.
    empty: Option<Vec<u8>>,
    empty_name: String,
    /// Stacks with samples and their sums of the first value, in the dictionary's order.
    rows: Vec<(StackId, i64)>,
    definition_lines: bool,
    /// Threads, mappings and label sets in an order of their own, so that the same profile gives the
    /// same bytes whatever the order of its tables.
    threads: Order<ThreadId>,
    mappings: Order<MappingId>,
    labels: Order<LabelSetId>,
}

/// Rows of a table in the order in which they are written.
struct Order<Id> {
    ids: Vec<Id>,
    /// The number of each id.
    numbers: Vec<usize>,
}

impl<Id: Copy> Order<Id> {
    fn by<Key: Ord>(
        ids: impl Iterator<Item = Id>,
        index: impl Fn(Id) -> usize,
        key: impl Fn(Id) -> Key,
    ) -> Self {
        let mut ids: Vec<Id> = ids.collect();
        ids.sort_by_cached_key(|id| key(*id));
        let mut numbers = vec![0; ids.len()];
        for (number, id) in ids.iter().enumerate() {
            numbers[index(*id)] = number;
        }
        Order { ids, numbers }
    }
}

impl<'p> Writer<'p> {
    fn of(profile: &'p Profile) -> Self {
        let frames: Vec<Vec<u8>> = (0..profile.frames.len())
            .map(|n| {
                let id = FrameId::new(n);
                triple(
                    profile.file_of(id),
                    profile.line_of(id),
                    profile.name_of(id),
                )
            })
            .collect();
        let mut empty_name = String::from("(no frames)");
        while frames.contains(&triple(b"", 0, empty_name.as_bytes())) {
            empty_name.insert(0, '(');
            empty_name.push(')');
        }
        let rows = rows(profile, &frames);
        let has_empty = rows.iter().any(|(stack, _)| *stack == StackId::ROOT);
        let definition_lines = profile
            .frames
            .iter()
            .any(|(_, frame)| profile.functions.get(frame.function).start_line != 0)
            && profile.frames.iter().all(|(_, frame)| frame.line == 0);
        let text = |id: StrId| profile.strings.get(id);
        Writer {
            profile,
            threads: Order::by(
                profile.threads.iter().map(|(id, _)| id),
                ThreadId::index,
                |id| {
                    let thread = profile.threads.get(id);
                    (thread.pid, thread.tid, text(thread.name))
                },
            ),
            mappings: Order::by(
                profile.mappings.iter().map(|(id, _)| id),
                MappingId::index,
                |id| {
                    let mapping = profile.mappings.get(id);
                    (
                        mapping.start,
                        mapping.limit,
                        mapping.offset,
                        text(mapping.file),
                        text(mapping.build_id),
                    )
                },
            ),
            labels: Order::by(
                profile.label_sets.iter().map(|(id, _)| id),
                LabelSetId::index,
                |id| label_set(profile, id),
            ),
            empty: has_empty.then(|| triple(b"", 0, empty_name.as_bytes())),
            empty_name,
            frames,
            rows,
            definition_lines,
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.header().as_bytes())?;
        self.dictionary(out)?;
        self.frame_lines(out)?;
        self.label_sets(out)?;
        if !self.profile.slices.is_empty() {
            writeln!(out, "# slices {}", slices::write(&self.profile.slices))?;
        }
        self.samples(out)
    }

    /// The first line.
    fn header(&self) -> String {
        let profile = self.profile;
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        header::push(&mut object, profile, &Needed::ALL);
        header::push_threads(&mut object, profile, &self.threads.ids);
        if !profile.mappings.is_empty() {
            push_list(&self.mappings.ids, object.key("mappings"), |id, out| {
                let mapping = profile.mappings.get(*id);
                out.push('[');
                push_text(profile.strings.get(mapping.file), out);
                out.push(',');
                push_text(profile.strings.get(mapping.build_id), out);
                let _ = write!(
                    out,
                    ",{},{},{}]",
                    mapping.start, mapping.limit, mapping.offset
                );
            });
        }
        if self.definition_lines {
            object.text("lines", b"definition");
        }
        if self.empty.is_some() {
            let out = object.key("empty_stack");
            out.push_str("[\"\",0,");
            push_text(self.empty_name.as_bytes(), out);
            out.push(']');
        }
        for (key, value) in &profile.meta.extra {
            push_attribute(value, object.key(key));
        }
        object.close();
        format!("# plop 2 {json}\n")
    }

    fn dictionary(&self, out: &mut dyn Write) -> io::Result<()> {
        let scale = self.profile.values[0].scale;
        let mut buffer = Vec::with_capacity(BUFFER);
        buffer.extend_from_slice(b"{\n");
        for (stack, sum) in &self.rows {
            buffer.push(b'(');
            let mut count = 0;
            for frame in self.profile.stacks.frames(*stack) {
                if count > 0 {
                    buffer.extend_from_slice(b", ");
                }
                buffer.extend_from_slice(&self.frames[frame.index()]);
                count += 1;
                if buffer.len() >= BUFFER {
                    out.write_all(&buffer)?;
                    buffer.clear();
                }
            }
            if let (0, Some(empty)) = (count, &self.empty) {
                buffer.extend_from_slice(empty);
            }
            if count <= 1 {
                buffer.push(b',');
            }
            let _ = writeln!(&mut buffer, "): {},", decimal(*sum, scale));
        }
        buffer.extend_from_slice(b"}\n");
        out.write_all(&buffer)
    }

    fn frame_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let profile = self.profile;
        let mut order: Vec<FrameId> = (0..self.frames.len()).map(FrameId::new).collect();
        order.sort_unstable_by_key(|id| &self.frames[id.index()]);
        for id in order {
            let frame = profile.frames.get(id);
            let function = profile.functions.get(frame.function);
            let shown = profile.line_of(id);
            let mut json = String::new();
            let mut object = Object::open(&mut json);
            if function.start_line != 0 && !self.definition_lines {
                object.number("first", Some(function.start_line));
            }
            if frame.line != shown && !self.definition_lines {
                object.number("line", Some(frame.line));
            }
            if frame.column != 0 {
                object.number("column", Some(frame.column.into()));
            }
            if frame.kind != FrameKind::Unknown {
                object.text("kind", frame.kind.word().as_bytes());
            }
            if frame.inlined {
                object.key("inlined").push_str("true");
            }
            object.text("system", profile.strings.get(function.system_name));
            if frame.address != 0 {
                object.key("address").push_str(&frame.address.to_string());
            }
            if let Some(mapping) = frame.mapping {
                object.number(
                    "mapping",
                    Some(self.mappings.numbers[mapping.index()] as i64),
                );
            }
            if object.is_empty() {
                continue;
            }
            object.close();
            let mut line = String::from("#f [");
            push_text(profile.file_of(id), &mut line);
            let _ = write!(line, ",{shown},");
            push_text(profile.name_of(id), &mut line);
            writeln!(out, "{line}] {json}")?;
        }
        Ok(())
    }

    fn label_sets(&self, out: &mut dyn Write) -> io::Result<()> {
        for (number, id) in self.labels.ids.iter().enumerate() {
            writeln!(out, "#l {number} {}", label_set(self.profile, *id))?;
        }
        Ok(())
    }

    /// The `#@` lines, where the dictionary does not say everything.
    fn samples(&self, out: &mut dyn Write) -> io::Result<()> {
        let profile = self.profile;
        let samples = &profile.samples;
        let told = !(samples.have_threads() || samples.have_labels() || samples.have_slices());
        if told && profile.values.len() == 1 {
            return Ok(());
        }
        let position: HashMap<StackId, usize, foldhash::fast::RandomState> = self
            .rows
            .iter()
            .enumerate()
            .map(|(n, (stack, _))| (*stack, n))
            .collect();
        let summed = profile.summed_samples();
        // What has no slice, thread or labels comes after what has.
        let number = |n: Option<usize>| n.unwrap_or(usize::MAX);
        let mut order: Vec<_> = (summed.iter())
            .enumerate()
            .map(|(row, sample)| {
                let group = (
                    number(sample.slice.map(SliceId::index)),
                    number(sample.thread.map(|id| self.threads.numbers[id.index()])),
                    number(sample.labels.map(|id| self.labels.numbers[id.index()])),
                );
                (group, position[&sample.stack], row)
            })
            .collect();
        order.sort_unstable();
        let mut buffer = String::new();
        let mut open = None;
        for (group, stack, row) in order {
            if open != Some(group) {
                if open.is_some() {
                    buffer.push('\n');
                }
                buffer.push_str("#@");
                for n in [group.0, group.1, group.2] {
                    match n {
                        usize::MAX => buffer.push_str(" -"),
                        n => {
                            let _ = write!(buffer, " {n}");
                        }
                    }
                }
                open = Some(group);
            }
            let _ = write!(buffer, " {stack}");
            for (n, (value, of)) in summed
                .get(row)
                .values
                .iter()
                .zip(&profile.values)
                .enumerate()
            {
                buffer.push(if n == 0 { ':' } else { ',' });
                buffer.push_str(&decimal(*value, of.scale));
            }
            if buffer.len() >= BUFFER {
                out.write_all(buffer.as_bytes())?;
                buffer.clear();
            }
        }
        if open.is_some() {
            buffer.push('\n');
        }
        out.write_all(buffer.as_bytes())
    }
}

/// A label set as `#l` writes it.
fn label_set(profile: &Profile, id: LabelSetId) -> String {
    let text = |id: StrId| profile.strings.get(id);
    let mut json = String::new();
    push_list(
        profile.label_sets.get(id),
        &mut json,
        |(key, value), out| {
            out.push('[');
            push_text(text(*key), out);
            out.push(',');
            match value {
                LabelValue::Text(value) => push_text(text(*value), out),
                LabelValue::Number(number, unit) => {
                    let _ = write!(out, "{number},");
                    push_text(text(*unit), out);
                }
            }
            out.push(']');
        },
    );
    json
}

/// A frame as the dictionary writes it.
fn triple(file: &[u8], line: i64, name: &[u8]) -> Vec<u8> {
    let mut out = vec![b'('];
    push_repr(file, &mut out);
    out.extend_from_slice(format!(", {line}, ").as_bytes());
    push_repr(name, &mut out);
    out.push(b')');
    out
}

/// Stacks that have samples with their sums: the heaviest first, equal ones by their frames, leaf
/// first.
fn rows(profile: &Profile, frames: &[Vec<u8>]) -> Vec<(StackId, i64)> {
    let selfs = profile.selfs(0);
    let mut sampled = vec![false; profile.stacks.len()];
    for stack in profile.samples.stacks() {
        sampled[stack.index()] = true;
    }
    let mut order: Vec<usize> = (0..frames.len()).collect();
    order.sort_unstable_by(|a, b| frames[*a].cmp(&frames[*b]).then(a.cmp(b)));
    let mut ranks = vec![0; frames.len()];
    for (rank, frame) in order.into_iter().enumerate() {
        ranks[frame] = rank;
    }
    let by_frames = |a: StackId, b: StackId| {
        let (mut a, mut b) = (a, b);
        while a != b {
            let rank = |stack| {
                profile
                    .stacks
                    .frame(stack)
                    .map(|frame| ranks[frame.index()])
            };
            let order = rank(a).cmp(&rank(b));
            if order.is_ne() {
                return order;
            }
            (a, b) = (profile.stacks.parent(a), profile.stacks.parent(b));
        }
        std::cmp::Ordering::Equal
    };
    let mut rows: Vec<(StackId, i64)> = (0..sampled.len())
        .filter(|n| sampled[*n])
        .map(|n| (StackId::new(n), selfs[n]))
        .collect();
    rows.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| by_frames(a.0, b.0)));
    rows
}
