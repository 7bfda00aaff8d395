//! From the sheets of a speedscope file to profiles.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use plop_core::{
    Attribute, Error, Frame, FrameId, FrameKind, Function, Notes, Place, Profile, Result, Sample,
    StackId, StrId, Thread, ValueType, nanoseconds_in,
};

use super::file::{Event, File, FrameRow, Sheet};
use super::names;
use super::plops;
use crate::format::ReadOptions;
use crate::formats::collapsed::frame_text::root_kind;
use crate::formats::weight::{Places, Weight};

pub(super) fn read(input: &[u8], options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let mut file = File::parse(input)?;
    options.advance(input.len());
    let nameless = file.frames.iter().filter(|row| row.name.is_none()).count() as u64;
    if nameless > 0 {
        notes.add_many("no-name", nameless, None, || "frames have no name".into());
    }
    if file.sheets.is_empty() {
        return Err(Error::expected("profiles", "none").at(Place::Path("profiles".into())));
    }
    for n in 0..file.sheets.len() {
        let sheet = &mut file.sheets[n];
        match &sheet.kind.0[..] {
            b"sampled" => {}
            b"evented" => sample(sheet, n)?,
            other => {
                let found = plop_core::quoted(other);
                return Err(Error::expected("the type `sampled` or `evented`", &found)
                    .at(Place::Path(format!("profiles[{n}].type"))));
            }
        }
        checked(&file, n)?;
    }
    if file.sheets.iter().all(|sheet| sheet.samples.is_empty()) {
        notes.add("no-samples", None, || "the file has no samples".into());
    }
    let mut room = Room::of(input);
    if let Some(json) = file.plop.take() {
        if let Some(profiles) = plops::restore(&json, &file, &mut room) {
            return Ok(profiles);
        }
        notes.add("rewritten", None, || {
            "what plop had noted in this file does not fit what is there, and is left out".into()
        });
    }
    if file.sheets.len() > MAX_PROFILES {
        let (most, found) = (MAX_PROFILES, file.sheets.len());
        return Err(
            Error::expected(&format!("at most {most} profiles"), &found.to_string())
                .at(Place::Path("profiles".into())),
        );
    }
    let mut room = Room::of(input);
    let earliest = file.sheets.iter().filter_map(start_ns).min().unwrap_or(0);
    (0..file.sheets.len())
        .map(|n| profile(&file, n, earliest, &mut room, notes))
        .collect()
}

/// Every profile has tables of its own, so that many short ones take much memory.
const MAX_PROFILES: usize = 1 << 18;

/// How much may still be made of what stands in the file once: every profile has its own copy of the
/// names it uses, and every sample room for all of its profile's values. Without an end to that, a
/// long name and many profiles would fill any memory.
pub(super) struct Room {
    bytes: usize,
}

impl Room {
    fn of(input: &[u8]) -> Self {
        Room {
            bytes: (256 << 20) + 64 * input.len(),
        }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
        let left = self.bytes.checked_sub(bytes).ok_or_else(|| {
            Error::new("names that many profiles share are too long to be copied for each")
        })?;
        self.bytes = left;
        Ok(())
    }
}

/// That every sample has a weight, and every frame is in the list.
fn checked(file: &File, n: usize) -> Result<()> {
    let sheet = &file.sheets[n];
    let (samples, weights) = (sheet.samples.len(), sheet.weights.len());
    if samples != weights {
        let found = format!("{samples} samples and {weights} weights");
        return Err(Error::expected("a weight for every sample", &found)
            .at(Place::Path(format!("profiles[{n}]"))));
    }
    let past = |frame: FrameId| frame.index() >= file.frames.len();
    let Some((node, _, frame)) = (sheet.stacks.iter()).find(|(_, _, frame)| past(*frame)) else {
        return Ok(());
    };
    let list = match &sheet.kind.0[..] {
        b"evented" => format!("profiles[{n}].events"),
        _ => {
            let row = (sheet.samples.iter()).position(|stack| is_in(sheet, node, *stack));
            format!("profiles[{n}].samples[{}]", row.unwrap_or(0))
        }
    };
    let expected = format!("a frame below {}", file.frames.len());
    Err(Error::expected(&expected, &format!("frame {}", frame.index())).at(Place::Path(list)))
}

/// Whether a stack goes through a node.
fn is_in(sheet: &Sheet, node: StackId, stack: StackId) -> bool {
    let mut at = stack;
    while at != StackId::ROOT {
        if at == node {
            return true;
        }
        at = sheet.stacks.parent(at);
    }
    false
}

/// How far times may run backwards, as a part of the time: floating point numbers that were added up
/// in another order differ by as much.
const TOLERANCE: f64 = 1e-9;

/// Turns the events of a sheet into samples: a stack and the time until the next event, gaps between
/// calls as the empty stack. Time before the first event and after the last is part of no sample.
fn sample(sheet: &mut Sheet, n: usize) -> Result<()> {
    let at = |m: usize| Place::Path(format!("profiles[{n}].events[{m}]"));
    let events = std::mem::take(&mut sheet.events);
    let (start, end) = (sheet.start, sheet.end);
    let times = (events.iter().map(|event| event.at))
        .chain(start)
        .chain(end);
    let places = times.map(|time| time.decimals).max().unwrap_or(0);
    let exact =
        |time: Weight| i128::from(time.mantissa) * 10i128.pow((places - time.decimals).into());
    let mut open: Vec<(u32, StackId)> = Vec::new();
    let mut now = None;
    for (
        m,
        Event {
            opens,
            frame,
            at: time,
        },
    ) in events.iter().enumerate()
    {
        sheet.first.get_or_insert(*time);
        let time = exact(*time);
        let before = now.unwrap_or(time);
        if time < before && (before - time) as f64 > TOLERANCE * before.unsigned_abs() as f64 {
            let shown = |time: i128| Weight::of(time, places).to_string();
            let expected = format!("a time from {} on", shown(before));
            return Err(Error::expected(&expected, &shown(time)).at(at(m)));
        }
        let stack = open.last().map_or(StackId::ROOT, |(_, stack)| *stack);
        if time > before {
            sheet.samples.push(stack);
            sheet.weights.push(Weight::of(time - before, places));
        }
        now = Some(time.max(before));
        if *opens {
            if *frame >= super::file::MAX_FRAMES {
                return Err(Error::new(format!("no file has a frame {frame}")).at(at(m)));
            }
            let deeper = sheet.stacks.push(stack, FrameId::new(*frame as usize));
            open.push((*frame, deeper));
            continue;
        }
        match open.pop() {
            Some((top, _)) if top == *frame => {}
            Some((top, _)) => {
                let expected = format!("the end of frame {top}, which was entered last");
                return Err(Error::expected(&expected, &format!("that of {frame}")).at(at(m)));
            }
            None => {
                let found = format!("the end of frame {frame}");
                return Err(Error::expected("a frame to be entered first", &found).at(at(m)));
            }
        }
    }
    if let Some((top, _)) = open.last() {
        let expected = format!("the end of frame {top}");
        return Err(Error::expected(&expected, "the end of the events")
            .hint("was the recording cut off? how long the frame went on cannot be told")
            .at(Place::Path(format!("profiles[{n}].events"))));
    }
    Ok(())
}

/// The value that a sheet's weights are: its type is made up, since speedscope knows only units.
fn value_type(unit: &[u8]) -> ValueType {
    match std::str::from_utf8(unit) {
        Ok(unit) if nanoseconds_in(unit).is_some() => ValueType::new("time", unit),
        Ok("bytes") => ValueType::new("space", "bytes"),
        Ok("none" | "") | Err(_) => ValueType::samples(),
        Ok(other) => ValueType::new("weight", other),
    }
}

/// Where a sheet begins, in nanoseconds, if its unit is one of time.
pub(super) fn start_ns(sheet: &Sheet) -> Option<i64> {
    let unit = nanoseconds_in(std::str::from_utf8(&sheet.unit.0).ok()?)?;
    sheet.start.map_or(Some(0), |start| start.times(unit))
}

fn profile(
    file: &File,
    n: usize,
    earliest: i64,
    room: &mut Room,
    notes: &mut Notes,
) -> Result<Profile> {
    let sheet = &file.sheets[n];
    room.take(file.name.0.len() + file.exporter.0.len())?;
    let mut of = value_type(&sheet.unit.0);
    let name = sheet.name.lossy();
    let told = names::read(&name);
    if let Some(kind) = told.as_ref().and_then(|told| told.kind) {
        of.kind = kind.into();
    }
    let mut profile = Profile::new(vec![of]);
    let thread = told.map(|told| {
        let name = profile.strings.intern(told.thread.as_bytes());
        profile.threads.intern(Thread {
            pid: told.pid,
            tid: told.tid,
            name,
        })
    });
    let went = stacks(&mut profile, file, sheet, true, room)?;
    let mut places = Places::default();
    let mut values: Vec<i64> = Vec::with_capacity(sheet.weights.len());
    let mut rounded = 0;
    for (row, weight) in sheet.weights.iter().enumerate() {
        places.note(row, *weight);
        values.push(weight.mantissa);
        rounded += u64::from(weight.rounded);
    }
    let scale = Places::common(std::iter::once(&places));
    rounded += places.bring_to(scale, values.iter_mut());
    if rounded > 0 {
        notes.add_many("rounded", rounded, None, || {
            "weights with more digits than fit 64 bits were rounded".into()
        });
    }
    profile.values[0].scale = scale;
    let (start, unit) = (start_ns(sheet), unit_ns(sheet));
    let first = match (sheet.first, unit) {
        (Some(first), Some(unit)) => first.times(unit),
        _ => start,
    };
    let first = first.and_then(|first| first.checked_sub(earliest));
    let times = first.and_then(|first| times(first, &values, &profile.values[0]));
    profile.samples.reserve(values.len());
    for (row, stack) in sheet.samples.iter().enumerate() {
        profile.samples.push(Sample {
            thread,
            time_ns: times.as_ref().map(|times| times[row]),
            ..Sample::of(went[stack.index()], &values[row..=row])
        });
    }
    if thread.is_none() {
        profile.meta.name = match name.as_str() {
            "" => file.name.lossy(),
            _ => name,
        };
    }
    if !file.exporter.0.is_empty() {
        let exporter = Attribute::Text(file.exporter.lossy());
        profile.meta.extra.push(("exporter".into(), exporter));
    }
    let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
    if unit.is_none()
        && sheet
            .end
            .is_some_and(|end| end.is_above(Weight::of(sum, scale)))
    {
        notes.add("longer", None, || {
            "profiles end later than their samples, which is kept only of times".into()
        });
    }
    if let (Some(start), Some(end), Some(unit)) = (start, sheet.end, unit) {
        let lasted = end.times(unit).and_then(|end| end.checked_sub(start));
        profile.meta.duration_ns = lasted.filter(|ns| *ns > 0);
    }
    Ok(profile)
}

fn unit_ns(sheet: &Sheet) -> Option<i64> {
    nanoseconds_in(std::str::from_utf8(&sheet.unit.0).ok()?)
}

/// When each of the values began that follow each other from `start_ns` on, in nanoseconds; `None` if
/// they are no times, or run backwards.
pub(super) fn times(start_ns: i64, values: &[i64], of: &ValueType) -> Option<Vec<i64>> {
    let unit = i128::from(nanoseconds_in(&of.unit)?);
    let parts = 10i128.pow(of.scale.into());
    let mut passed = 0i128;
    values
        .iter()
        .map(|value| {
            if *value < 0 {
                return None;
            }
            let ns = passed.checked_mul(unit)? / parts + i128::from(start_ns);
            passed += i128::from(*value);
            i64::try_from(ns).ok()
        })
        .collect()
}

/// Puts a sheet's stacks into the profile, with the frames they need; returns where they went. With
/// `find_roots`, root frames that name a thread or process are marked as such.
pub(super) fn stacks(
    profile: &mut Profile,
    file: &File,
    sheet: &Sheet,
    find_roots: bool,
    room: &mut Room,
) -> Result<Vec<StackId>> {
    // Frames by their place and whether they are such a root. A table of the whole list would take as
    // long for every profile as the list is.
    let mut frames: HashMap<(usize, bool), FrameId, RandomState> = HashMap::default();
    let mut in_roots = vec![find_roots; 1];
    let mut went = Vec::with_capacity(sheet.stacks.len());
    went.push(StackId::ROOT);
    for (_, parent, frame) in sheet.stacks.iter() {
        let row = &file.frames[frame.index()];
        // py-spy writes them without a file, above all others.
        let bare = row.file.as_ref().is_none_or(|file| file.0.is_empty());
        let root = match in_roots[parent.index()] && bare {
            true => row.name.as_ref().and_then(|name| root_kind(&name.0)),
            false => None,
        };
        in_roots.push(root.is_some());
        let id = match frames.entry((frame.index(), root.is_some())) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(entry) => {
                let texts = [
                    row.name.as_ref(),
                    row.file.as_ref(),
                    row.system_name.as_ref(),
                ];
                room.take(texts.iter().flatten().map(|text| text.0.len()).sum())?;
                *entry.insert(self::frame(profile, row, root))
            }
        };
        went.push(profile.stacks.push(went[parent.index()], id));
    }
    Ok(went)
}

fn frame(profile: &mut Profile, row: &FrameRow, root: Option<FrameKind>) -> FrameId {
    let text = |text: &Option<crate::formats::json::Text>, profile: &mut Profile| match text {
        Some(text) => profile.strings.intern(&text.0),
        None => StrId::EMPTY,
    };
    let function = Function {
        name: text(&row.name, profile),
        system_name: text(&row.system_name, profile),
        file: text(&row.file, profile),
        start_line: row.start_line.unwrap_or(0),
    };
    let function = profile.functions.intern(function);
    let kind = row.kind.as_ref().map(|kind| kind.lossy());
    let line = row.line.filter(|_| row.line_known != Some(false));
    let column = row.col.and_then(|column| u32::try_from(column.0).ok());
    profile.frames.intern(Frame {
        line: line.map_or(0, |line| line.0),
        column: column.unwrap_or(0),
        inlined: row.inlined.unwrap_or(false),
        kind: (kind.and_then(|word| FrameKind::from_word(&word)))
            .or(root)
            .unwrap_or_default(),
        ..Frame::of(function)
    })
}
