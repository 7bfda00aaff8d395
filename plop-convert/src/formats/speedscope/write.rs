//! Writes speedscope files: a sheet for every value of every thread, stacks merged and sorted unless
//! samples have times.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use plop_core::{
    FrameId, FrameKind, Profile, Samples, StackId, StrId, ThreadId, ValueType, decimal,
    nanoseconds_in,
};

use super::read;
use crate::formats::header::{self, Needed};
use crate::formats::json::{Object, Text, push_attribute, push_list};
use crate::formats::weight::Weight;

/// Past this many bytes a buffer goes out.
const BUFFER: usize = 256 << 10;

pub(super) fn write(profiles: &[&Profile], out: &mut dyn Write) -> io::Result<()> {
    let mut frames = FrameList::default();
    let mut plans: Vec<Plan> = (profiles.iter())
        .map(|profile| Plan::of(profile, &mut frames))
        .collect();
    let mut sheets = Vec::new();
    for (n, plan) in plans.iter().enumerate() {
        plan.sheets(n, &mut sheets);
    }
    let mut buffer = String::with_capacity(2 * BUFFER);
    let mut object = Object::open(&mut buffer);
    object.text(
        "$schema",
        b"https://www.speedscope.app/file-format-schema.json",
    );
    object.text(
        "exporter",
        concat!("plop@", env!("CARGO_PKG_VERSION")).as_bytes(),
    );
    // The page opens with the default value of the thread that has most of it.
    let active = (sheets.iter().enumerate())
        .filter(|(_, sheet)| sheet.plan == 0 && sheet.sign > 0)
        .filter(|(_, sheet)| sheet.value == plans[0].profile.default_value)
        .max_by_key(|(n, sheet)| (plans[0].sum(sheet, true), std::cmp::Reverse(*n)))
        .map(|(n, _)| n);
    object.number("activeProfileIndex", active.map(|n| n as i64));
    object.key("plop").push_str(&noted(&plans, &sheets));
    object.key("profiles").push('[');
    for (n, sheet) in sheets.iter().enumerate() {
        if n > 0 {
            buffer.push(',');
        }
        plans[sheet.plan].write(sheet, &mut buffer, out)?;
    }
    buffer.push_str("],\"shared\":{\"frames\":");
    for (n, frame) in frames.texts.iter().enumerate() {
        buffer.push(if n == 0 { '[' } else { ',' });
        buffer.push_str(frame);
        flush(&mut buffer, out)?;
    }
    buffer.push_str(if frames.texts.is_empty() {
        "[]}}\n"
    } else {
        "]}}\n"
    });
    plans.clear();
    out.write_all(buffer.as_bytes())
}

fn flush(buffer: &mut String, out: &mut dyn Write) -> io::Result<()> {
    if buffer.len() >= BUFFER {
        out.write_all(buffer.as_bytes())?;
        buffer.clear();
    }
    Ok(())
}

/// The frames of all profiles, each once, as JSON.
#[derive(Default)]
struct FrameList {
    texts: Vec<String>,
    places: HashMap<String, u32, RandomState>,
}

impl FrameList {
    fn place(&mut self, text: String) -> u32 {
        let next = self.texts.len() as u32;
        *self.places.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            next
        })
    }
}

/// One of the file's profiles: a value of the samples of a thread, the gain or the loss.
struct Sheet {
    plan: usize,
    group: usize,
    value: usize,
    sign: i64,
}

/// How a profile is written.
struct Plan<'p> {
    profile: &'p Profile,
    samples: Cow<'p, Samples>,
    /// Threads with their samples, in the order in which they are written.
    groups: Vec<(Option<ThreadId>, Vec<u32>)>,
    /// The place of each frame in the list.
    frames: Vec<u32>,
    /// What each group's thread is called.
    thread_names: Vec<String>,
    /// Whether any value is below zero.
    has_losses: bool,
}

impl<'p> Plan<'p> {
    fn of(profile: &'p Profile, list: &mut FrameList) -> Self {
        let samples = profile.summed_samples();
        let used = used_frames(profile, &samples);
        let texts: Vec<String> = (0..profile.frames.len())
            .map(|n| frame_text(profile, FrameId::new(n)))
            .collect();
        let mut order: Vec<usize> = (0..texts.len()).filter(|n| used[*n]).collect();
        order.sort_unstable_by(|a, b| texts[*a].cmp(&texts[*b]));
        let mut rows: Vec<u32> = (0..samples.len() as u32).collect();
        if !samples.have_times() {
            let mut ranks = vec![0u32; texts.len()];
            for (rank, frame) in order.iter().enumerate() {
                ranks[*frame] = rank as u32;
            }
            let places = walk(profile, &ranks);
            rows.sort_by_key(|row| places[samples.stacks()[*row as usize].index()]);
        }
        let mut frames = vec![0; texts.len()];
        let mut texts: Vec<Option<String>> = texts.into_iter().map(Some).collect();
        for frame in order {
            frames[frame] = list.place(texts[frame].take().unwrap_or_default());
        }
        let mut groups: Vec<(Option<ThreadId>, Vec<u32>)> = Vec::new();
        if samples.have_threads() {
            let mut group_of: HashMap<Option<ThreadId>, usize, RandomState> = HashMap::default();
            for row in rows {
                let thread = samples.get(row as usize).thread;
                let n = *group_of.entry(thread).or_insert_with(|| {
                    groups.push((thread, Vec::new()));
                    groups.len() - 1
                });
                groups[n].1.push(row);
            }
            groups.sort_by_key(|(thread, _)| thread.map(|id| super::thread_key(profile, id)));
        } else {
            groups.push((None, rows));
        }
        Plan {
            profile,
            thread_names: thread_names(profile, &groups),
            has_losses: samples.values().iter().any(|value| *value < 0),
            samples,
            groups,
            frames,
        }
    }

    /// The sheets it takes, in the order of the file.
    fn sheets(&self, plan: usize, sheets: &mut Vec<Sheet>) {
        let before = sheets.len();
        for (group, (_, rows)) in self.groups.iter().enumerate() {
            for value in 0..self.profile.values.len() {
                for sign in [1, -1] {
                    let sheet = Sheet {
                        plan,
                        group,
                        value,
                        sign,
                    };
                    if rows.iter().any(|row| self.weight(&sheet, *row) > Some(0))
                        || (value == 0 && sign > 0 && self.rows(&sheet).next().is_some())
                    {
                        sheets.push(sheet);
                    }
                }
            }
        }
        if sheets.len() == before {
            sheets.push(Sheet {
                plan,
                group: 0,
                value: self.profile.default_value,
                sign: 1,
            });
        }
    }

    /// The weight of a sample on a sheet; `None` where it does not stand there.
    fn weight(&self, sheet: &Sheet, row: u32) -> Option<i64> {
        let stride = self.profile.values.len();
        let values = &self.samples.values()[row as usize * stride..][..stride];
        let value = values[sheet.value];
        match value.signum() * sheet.sign {
            1 => Some(value.saturating_abs()),
            _ if self.samples.have_times() => Some(0),
            // What has no value at all stands on the first sheet.
            0 if sheet.value == 0 && sheet.sign > 0 && values.iter().all(|v| *v == 0) => Some(0),
            _ => None,
        }
    }

    /// The samples of a sheet with their weights.
    fn rows(&self, sheet: &Sheet) -> impl Iterator<Item = (u32, i64)> {
        let rows = self.groups[sheet.group].1.iter();
        rows.filter_map(move |row| Some((*row, self.weight(sheet, *row)?)))
    }

    fn write(&self, sheet: &Sheet, buffer: &mut String, out: &mut dyn Write) -> io::Result<()> {
        let of = &self.profile.values[sheet.value];
        let mut object = Object::open(buffer);
        object.text("type", b"sampled");
        object.key("name");
        push_string(self.name(sheet).as_bytes(), buffer);
        let _ = write!(
            buffer,
            ",\"unit\":\"{}\",\"startValue\":0,\"endValue\":{},\"samples\":[",
            unit(of),
            self.end(sheet)
        );
        let mut path = Vec::new();
        for (n, (row, _)) in self.rows(sheet).enumerate() {
            let stacks = &self.profile.stacks;
            path.clear();
            path.extend(stacks.frames(self.samples.stacks()[row as usize]));
            buffer.push_str(if n == 0 { "[" } else { ",[" });
            for (depth, frame) in path.iter().rev().enumerate() {
                if depth > 0 {
                    buffer.push(',');
                }
                push_number(self.frames[frame.index()], buffer);
            }
            buffer.push(']');
            flush(buffer, out)?;
        }
        buffer.push_str("],\"weights\":[");
        for (n, (_, weight)) in self.rows(sheet).enumerate() {
            if n > 0 {
                buffer.push(',');
            }
            match (of.scale, u32::try_from(weight)) {
                (0, Ok(small)) => push_number(small, buffer),
                _ => buffer.push_str(&decimal(weight, of.scale)),
            }
            flush(buffer, out)?;
        }
        buffer.push_str("]}");
        Ok(())
    }

    /// The sum of a sheet; with `framed`, of samples that have frames.
    fn sum(&self, sheet: &Sheet, framed: bool) -> i128 {
        let stack = |row: u32| self.samples.stacks()[row as usize];
        self.rows(sheet)
            .filter(|(row, _)| !framed || stack(*row) != StackId::ROOT)
            .map(|(_, weight)| i128::from(weight))
            .sum()
    }

    /// Where the samples of a sheet end; the run, where they have times and it lasted longer.
    fn end(&self, sheet: &Sheet) -> Weight {
        let of = &self.profile.values[sheet.value];
        let sum = Weight::of(self.sum(sheet, false), of.scale);
        let lasted = (self.profile.meta.duration_ns)
            .filter(|_| self.samples.have_times())
            .zip(nanoseconds_in(&of.unit))
            .map(|(ns, unit)| Weight::of(ns.into(), unit.ilog10() as u8));
        match lasted {
            Some(lasted) if lasted.is_above(sum) => lasted,
            _ => sum,
        }
    }

    /// What `times` notes of a sheet.
    fn times(&self, sheet: &Sheet, first_of_thread: bool) -> String {
        if !self.samples.have_times() || !first_of_thread {
            return "null".into();
        }
        let (mut weights, mut times) = (Vec::new(), Vec::new());
        for (row, weight) in self.rows(sheet) {
            weights.push(weight * sheet.sign);
            times.push(self.samples.get(row as usize).time_ns);
        }
        if let Some(first) = times.first().copied().flatten() {
            let of = &self.profile.values[sheet.value];
            let one_by_one = read::times(first, &weights, of);
            if one_by_one.is_some_and(|ns| ns.into_iter().map(Some).eq(times.iter().copied())) {
                return first.to_string();
            }
        }
        let mut out = String::new();
        push_list(times, &mut out, |time, out| match time {
            Some(time) => out.push_str(&time.to_string()),
            None => out.push_str("null"),
        });
        out
    }

    /// What the viewer calls a sheet.
    fn name(&self, sheet: &Sheet) -> String {
        let profile = self.profile;
        let of = &profile.values[sheet.value];
        let mut parts = Vec::new();
        if !profile.meta.name.is_empty() {
            parts.push(profile.meta.name.clone());
        }
        if self.groups[sheet.group].0.is_some() {
            parts.push(self.thread_names[sheet.group].clone());
        }
        let counts_samples = of.same_quantity(&ValueType::samples());
        if profile.values.len() > 1 || (unit(of) == "none" && !counts_samples) || parts.is_empty() {
            parts.push(match unit(of) {
                "none" if !counts_samples && !of.unit.is_empty() => {
                    format!("{} ({})", of.kind, of.unit)
                }
                _ => of.kind.clone(),
            });
        }
        if self.has_losses {
            parts.push(if sheet.sign > 0 { "gain" } else { "loss" }.into());
        }
        parts.join(", ")
    }
}

/// What the threads of groups are called, no two of them the same.
fn thread_names(profile: &Profile, groups: &[(Option<ThreadId>, Vec<u32>)]) -> Vec<String> {
    let rows: Vec<header::ThreadRow> = (groups.iter())
        .filter_map(|(thread, _)| *thread)
        .map(|id| profile.threads.get(id))
        .map(|thread| {
            let name = profile.strings.get(thread.name).to_vec();
            (thread.tid, Text(name), thread.pid)
        })
        .collect();
    let mut texts = header::thread_texts(&rows).into_iter();
    (groups.iter())
        .map(|(thread, _)| match thread {
            Some(_) => texts.next().flatten().unwrap_or_default(),
            None => Vec::new(),
        })
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect()
}

/// Which frames stand in a stack that has samples.
fn used_frames(profile: &Profile, samples: &Samples) -> Vec<bool> {
    let stacks = &profile.stacks;
    let mut in_use = vec![false; stacks.len()];
    for stack in samples.stacks() {
        in_use[stack.index()] = true;
    }
    let mut used = vec![false; profile.frames.len()];
    for n in (1..in_use.len()).rev() {
        if !in_use[n] {
            continue;
        }
        let stack = StackId::new(n);
        in_use[stacks.parent(stack).index()] = true;
        if let Some(frame) = stacks.frame(stack) {
            used[frame.index()] = true;
        }
    }
    used
}

/// The place of every node of the trie in a walk that takes children by the rank of their frames.
fn walk(profile: &Profile, ranks: &[u32]) -> Vec<u32> {
    let stacks = &profile.stacks;
    let mut children = stacks.children();
    children.sort_by_key(|stack| stacks.frame(stack).map(|frame| ranks[frame.index()]));
    let mut places = vec![0; stacks.len()];
    let mut next = 1;
    let mut open = vec![(StackId::ROOT, 0)];
    while let Some((node, n)) = open.last_mut() {
        match children.get(*node, *n) {
            Some(child) => {
                *n += 1;
                places[child.index()] = next;
                next += 1;
                open.push((child, 0));
            }
            None => drop(open.pop()),
        }
    }
    places
}

/// A unit as speedscope knows it.
fn unit(of: &ValueType) -> &'static str {
    match (nanoseconds_in(&of.unit), of.unit.as_str()) {
        (Some(1), _) => "nanoseconds",
        (Some(1_000), _) => "microseconds",
        (Some(1_000_000), _) => "milliseconds",
        (Some(_), _) => "seconds",
        (None, "B" | "byte" | "bytes") => "bytes",
        _ => "none",
    }
}

/// A frame of the list; its first four keys are speedscope's.
fn frame_text(profile: &Profile, id: FrameId) -> String {
    let frame = profile.frames.get(id);
    let function = profile.functions.get(frame.function);
    let text = |id: StrId| profile.strings.get(id);
    let mut out = String::from("{\"name\":");
    push_string(text(function.name), &mut out);
    if function.file != StrId::EMPTY {
        out.push_str(",\"file\":");
        push_string(text(function.file), &mut out);
    }
    let line = profile.line_of(id);
    if line != 0 {
        let _ = write!(out, ",\"line\":{line}");
    }
    if frame.column != 0 {
        let _ = write!(out, ",\"col\":{}", frame.column);
    }
    if function.start_line != 0 {
        let _ = write!(out, ",\"start_line\":{}", function.start_line);
    }
    if frame.line != line {
        out.push_str(",\"line_known\":false");
    }
    if frame.kind != FrameKind::Unknown {
        let _ = write!(out, ",\"kind\":\"{}\"", frame.kind.word());
    }
    if frame.inlined {
        out.push_str(",\"inlined\":true");
    }
    if function.system_name != StrId::EMPTY {
        out.push_str(",\"system_name\":");
        push_string(text(function.system_name), &mut out);
    }
    out.push('}');
    out
}

/// What plop notes of the file for itself.
fn noted(plans: &[Plan], sheets: &[Sheet]) -> String {
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    push_list(plans, object.key("profiles"), |plan, out| {
        let mut run = Object::open(out);
        header::push(&mut run, plan.profile, &Needed::ALL);
        let threads: Vec<ThreadId> = plan.groups.iter().filter_map(|(id, _)| *id).collect();
        header::push_threads(&mut run, plan.profile, &threads);
        for (key, value) in &plan.profile.meta.extra {
            push_attribute(value, run.key(key));
        }
        run.close();
    });
    push_list(sheets, object.key("sheets"), |sheet, out| {
        let groups = &plans[sheet.plan].groups;
        let _ = write!(out, "[{},{},", sheet.plan, sheet.value);
        match groups[sheet.group].0 {
            // Samples without a thread come first, and are none in the list of threads.
            Some(_) => {
                let unknown = usize::from(groups[0].0.is_none());
                let _ = write!(out, "{}", sheet.group - unknown);
            }
            None => out.push_str("null"),
        }
        let _ = write!(out, ",{}]", sheet.sign);
    });
    if plans.iter().any(|plan| plan.samples.have_times()) {
        let mut last = None;
        push_list(sheets, object.key("times"), |sheet, out| {
            let thread = Some((sheet.plan, sheet.group));
            let first = std::mem::replace(&mut last, thread) != thread;
            out.push_str(&plans[sheet.plan].times(sheet, first));
        });
    }
    object.close();
    json
}

fn push_number(number: u32, out: &mut String) {
    let mut digits = [0; 10];
    let (mut rest, mut at) = (number, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

/// Appends a JSON string; a byte that is not UTF-8 as a lone surrogate from `\udc80` to `\udcff`.
fn push_string(bytes: &[u8], out: &mut String) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    let _ = write!(out, "\\u{:04x}", c as u32);
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\udc{byte:02x}");
        }
    }
    out.push('"');
}
