//! The text of Austin up to version 3: a line a sample, `P<pid>;T<interpreter>:<tid>;` and then
//! frames `file:function:line`, and one number, or three in full mode: `time,idle,memory`.

use hashbrown::HashMap;
use plop_core::{
    Attribute, Error, Features, Frame, FrameKind, Meta, Notes, Period, Place, Profile, Result,
    Sample, StackId, StrId, Thread, ThreadId, ValueType, quoted,
};

use crate::format::{Confidence, Content, Format, Read, ReadOptions, fits};
use crate::head::Head;

pub(super) const FORMAT: Format = Format {
    name: "austin",
    aliases: &[],
    about: "the text output of Austin 3 and earlier",
    extensions: &["austin"],
    content: Content::Text,
    keeps: Features::NONE,
    detect,
    read: Read::Whole(read),
    fit: fits,
    write: None,
};

fn detect(head: &Head) -> Confidence {
    match head.lines.first() {
        Some(line) if is_first_line(line) => Confidence::Certain,
        _ => Confidence::No,
    }
}

/// Whether a line can only be the first of Austin's: metadata, or a sample with its thread.
pub(super) fn is_first_line(line: &[u8]) -> bool {
    line.starts_with(b"# austin: ") || thread_of(line).is_some()
}

fn read(text: &[u8], options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let mut reader = Reader::default();
    for (n, line) in text.split(|b| *b == b'\n').enumerate() {
        options.advance(line.len() + 1);
        let line = line.trim_ascii();
        let at = Place::Line {
            line: n as u64 + 1,
            column: 0,
        };
        if let Some(pair) = line.strip_prefix(b"# ") {
            reader.metadata(pair);
        } else if !line.is_empty() {
            reader.sample(line, at, notes)?;
        }
    }
    Ok(vec![reader.finish(notes)])
}

#[derive(Default)]
struct Reader<'t> {
    meta: Meta,
    mode: &'t [u8],
    /// Set with the first sample, when it is known how many numbers a line has.
    profile: Option<Profile>,
    frames: HashMap<&'t [u8], plop_core::FrameId, foldhash::fast::RandomState>,
}

impl<'t> Reader<'t> {
    fn metadata(&mut self, pair: &'t [u8]) {
        let text = String::from_utf8_lossy(pair);
        let Some((key, value)) = text.split_once(": ") else {
            return;
        };
        match (key, value.parse::<i64>()) {
            ("austin", _) => self.meta.runtime = format!("austin {value}"),
            ("duration", Ok(us)) => self.meta.duration_ns = us.checked_mul(1000),
            ("interval", Ok(us)) => {
                self.meta.period = us.checked_mul(1000).map(|every| Period {
                    of: ValueType::new("wall", "nanoseconds"),
                    every,
                });
            }
            ("mode", _) => {
                self.mode = pair.strip_prefix(b"mode: ").unwrap_or(b"");
                self.meta.clock = value.into();
            }
            (key, Ok(n)) => self.meta.extra.push((key.into(), Attribute::Number(n))),
            (key, Err(_)) => self
                .meta
                .extra
                .push((key.into(), Attribute::Text(value.into()))),
        }
    }

    fn sample(&mut self, line: &'t [u8], at: Place, notes: &mut Notes) -> Result<()> {
        let parts = memchr::memrchr(b' ', line).map(|space| (&line[..space], &line[space + 1..]));
        let values: Option<Vec<i64>> = parts.and_then(|(_, numbers)| {
            let numbers = numbers.split(|b| *b == b',');
            let number = |n: &[u8]| std::str::from_utf8(n).ok()?.parse().ok();
            numbers.map(number).collect()
        });
        let (Some((stack, _)), Some(values)) = (parts, values) else {
            notes.add("bad-line", Some(at), || {
                format!(
                    "lines without a metric were passed over, such as {}",
                    quoted(line)
                )
            });
            return Ok(());
        };
        let mode = self.mode;
        let profile = self
            .profile
            .get_or_insert_with(|| Profile::new(value_types(mode, values.len())));
        if values.len() != profile.values.len() {
            return Err(Error::expected(
                &format!("{} metrics", profile.values.len()),
                &quoted(line),
            )
            .at(at));
        }
        let Some((thread, frames)) = thread_of(stack) else {
            return Err(Error::expected("P<pid>;T<thread>", &quoted(stack)).at(at));
        };
        let thread: ThreadId = profile.threads.intern(thread);
        let mut at_stack = StackId::ROOT;
        for text in frames.split(|b| *b == b';').filter(|text| !text.is_empty()) {
            let frame = match self.frames.get(text) {
                Some(frame) => *frame,
                None => {
                    let frame = frame_of(profile, text);
                    self.frames.insert(text, frame);
                    frame
                }
            };
            at_stack = profile.stacks.push(at_stack, frame);
        }
        profile.samples.push(Sample {
            thread: Some(thread),
            ..Sample::of(at_stack, &values)
        });
        Ok(())
    }

    fn finish(self, notes: &mut Notes) -> Profile {
        let mut profile = self.profile.unwrap_or_else(|| {
            notes.add("no-samples", None, || "Austin recorded no samples".into());
            Profile::new(value_types(self.mode, 1))
        });
        profile.meta = self.meta;
        profile
    }
}

fn value_types(mode: &[u8], count: usize) -> Vec<ValueType> {
    let one = match mode {
        b"memory" => ValueType::new("memory", "bytes"),
        b"cpu" => ValueType::new("cpu", "microseconds"),
        _ => ValueType::new("wall", "microseconds"),
    };
    match count {
        1 => vec![one],
        3 => vec![
            ValueType::new("wall", "microseconds"),
            ValueType::new("idle", "samples"),
            ValueType::new("memory", "bytes"),
        ],
        more => (0..more)
            .map(|n| ValueType::new(&format!("metric{n}"), "count"))
            .collect(),
    }
}

/// Splits `P<pid>;T<interpreter>:<tid>` off a stack; before version 3.3 there was no interpreter.
fn thread_of(stack: &[u8]) -> Option<(Thread, &[u8])> {
    let mut parts = stack.strip_prefix(b"P")?.splitn(3, |b| *b == b';');
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    let pid = number(parts.next()?)?;
    let thread = parts.next()?.strip_prefix(b"T")?;
    let thread = thread.split(|b| *b == b' ').next()?;
    let tid = number(thread.rsplit(|b| *b == b':').next()?)?;
    let thread = Thread {
        pid,
        tid,
        name: StrId::EMPTY,
    };
    Some((thread, parts.next().unwrap_or(b"")))
}

/// The frame of `file:function:line`, split from the right: paths hold colons of their own. Austin's
/// marks, such as `:INVALID:`, are names.
fn frame_of(profile: &mut Profile, text: &[u8]) -> plop_core::FrameId {
    let mut parts = text.rsplitn(3, |b| *b == b':');
    let line = parts
        .next()
        .and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
    let (name, file, line) = match (line, parts.next(), parts.next()) {
        (Some(line), Some(name), Some(file)) => (name, file, line),
        _ => (text, &b""[..], 0),
    };
    let kind = match file.is_empty() {
        true => FrameKind::Unknown,
        false => FrameKind::Python,
    };
    let function = profile.function(name, file);
    profile.frames.intern(Frame {
        line,
        kind,
        ..Frame::of(function)
    })
}
