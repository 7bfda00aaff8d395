//! The comments behind the dictionary of a version 2 file: `#f` for frames, `#l` for label sets,
//! `# slices`, and `#@` for the samples behind the dictionary's sums.

use plop_core::{
    Error, Frame, FrameId, FrameKind, Function, LabelSet, LabelSetId, LabelValue, Mapping,
    MappingId, Notes, Place, Profile, Result, Sample, SliceId, StrId, ThreadId, quoted,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::{self, Row};
use crate::formats::header::{self, Header, unknown_member};
use crate::formats::json::{Members, Text, of, plain};
use crate::formats::{slices, weight};

/// Adds to the profile what header and comments say; `rows` are the dictionary's, by `entries` in
/// the order of the text.
pub(super) fn apply(
    profile: &mut Profile,
    header: &Header,
    rows: &[Row],
    entries: &[usize],
    text: &[u8],
    first_line: u64,
    notes: &mut Notes,
) -> Result<()> {
    profile.default_value = header.default_value;
    profile.meta = header.meta.clone();
    let threads = header::threads(profile, &header.threads);
    let mappings: Vec<MappingId> = (header.mappings.iter())
        .map(|(file, build_id, start, limit, offset)| {
            let file = profile.strings.intern(&file.0);
            let build_id = profile.strings.intern(&build_id.0);
            profile.mappings.intern(Mapping {
                file,
                build_id,
                start: *start,
                limit: *limit,
                offset: *offset,
            })
        })
        .collect();
    if header.definition_lines {
        *profile = read::with_definition_lines(std::mem::take(profile));
    }
    let mut blocks = Blocks {
        header,
        threads,
        mappings,
        labels: Vec::new(),
        changed: Vec::new(),
        left: rows
            .iter()
            .map(|row| row.weight.at(profile.values[0].scale))
            .collect(),
        named: vec![false; rows.len()],
        rounded: 0,
    };
    for (n, line) in text.split(|b| *b == b'\n').enumerate() {
        let line = line.trim_ascii_end();
        let place = Place::Line {
            line: first_line + n as u64,
            column: 0,
        };
        blocks
            .line(profile, rows, entries, line, &place, notes)
            .map_err(|error| error.at(place))?;
    }
    blocks.finish(profile, rows, notes)
}

struct Blocks<'h> {
    header: &'h Header,
    threads: Vec<ThreadId>,
    mappings: Vec<MappingId>,
    /// Label sets by number; one without labels is none.
    labels: Vec<Option<LabelSetId>>,
    /// What `#f` lines say of frames.
    changed: Vec<(FrameId, Function, Frame)>,
    /// What of each row's first value no `#@` line has accounted for yet.
    left: Vec<Option<i64>>,
    /// Which rows a `#@` line has named.
    named: Vec<bool>,
    rounded: u64,
}

impl Blocks<'_> {
    fn line(
        &mut self,
        profile: &mut Profile,
        rows: &[Row],
        entries: &[usize],
        line: &[u8],
        place: &Place,
        notes: &mut Notes,
    ) -> Result<()> {
        if let Some(rest) = line.strip_prefix(b"#f ") {
            self.frame(profile, rest, place, notes)
        } else if let Some(rest) = line.strip_prefix(b"#l ") {
            self.label_set(profile, rest)
        } else if let Some(rest) = line.strip_prefix(b"# slices ") {
            if !profile.slices.is_empty() {
                return Err(Error::new("a second line of slices"));
            }
            profile.slices.0 = slices::read(rest, Some(place), notes)?;
            Ok(())
        } else if let Some(rest) = line.strip_prefix(b"#@ ") {
            self.samples(profile, rows, entries, rest)
        } else {
            if line.starts_with(b"#") && line.len() > 1 {
                notes.add("unknown-comment", Some(place.clone()), || {
                    "comments that this version does not know were passed over".into()
                });
            }
            Ok(())
        }
    }

    /// `#f [file, line, function] {…}`
    fn frame(
        &mut self,
        profile: &mut Profile,
        text: &[u8],
        place: &Place,
        notes: &mut Notes,
    ) -> Result<()> {
        let broken = |error: serde_json::Error| Error::new(format!("#f: {}", plain(&error)));
        let mut stream = serde_json::Deserializer::from_slice(text);
        let (file, line, name) = <(Text, i64, Text)>::deserialize(&mut stream).map_err(broken)?;
        let Members(members) = Members::deserialize(&mut stream).map_err(broken)?;
        stream.end().map_err(broken)?;
        let attrs = Attrs::of(members, place, notes).map_err(broken)?;
        let definition = self.header.definition_lines;
        let before = profile.frames.len();
        let id = match definition {
            false => read::frame(profile, &file.0, line, &name.0),
            true => {
                let function = Function {
                    name: profile.strings.intern(&name.0),
                    system_name: StrId::EMPTY,
                    file: profile.strings.intern(&file.0),
                    start_line: line,
                };
                let function = profile.functions.intern(function);
                profile.frames.intern(Frame::of(function))
            }
        };
        if id.index() >= before {
            notes.add("unknown-frame", Some(place.clone()), || {
                "#f lines about frames that no stack has".into()
            });
        }
        let frame = *profile.frames.get(id);
        let function = *profile.functions.get(frame.function);
        let mapping = match attrs.mapping {
            None => None,
            Some(n) => Some(*self.mappings.get(n).ok_or_else(|| {
                Error::new(format!(
                    "mapping {n} is not among the header's {}",
                    self.mappings.len()
                ))
            })?),
        };
        let kind = match attrs.kind.as_deref() {
            None => FrameKind::Unknown,
            Some(word) => FrameKind::from_word(word).unwrap_or_else(|| {
                notes.add("unknown-kind", Some(place.clone()), || {
                    format!("frames of a kind that this version does not know, such as `{word}`")
                });
                FrameKind::Unknown
            }),
        };
        let function = Function {
            system_name: profile.strings.intern(&attrs.system.0),
            start_line: attrs.first.unwrap_or(function.start_line),
            ..function
        };
        let frame = Frame {
            line: attrs.line.unwrap_or(frame.line),
            column: attrs.column,
            address: attrs.address,
            inlined: attrs.inlined,
            mapping,
            kind,
            ..frame
        };
        self.changed.push((id, function, frame));
        Ok(())
    }

    /// `#l NUMBER [[key, value] or [key, number, unit], …]`, or an object where every key is there
    /// once and every value text.
    fn label_set(&mut self, profile: &mut Profile, text: &[u8]) -> Result<()> {
        let broken = |error: serde_json::Error| Error::new(format!("#l: {}", plain(&error)));
        let (number, json) = split_word(text);
        if std::str::from_utf8(number)
            .ok()
            .and_then(|n| n.parse().ok())
            != Some(self.labels.len())
        {
            return Err(Error::expected(
                &format!("#l {}", self.labels.len()),
                &quoted(number),
            ));
        }
        let mut set: LabelSet = Vec::new();
        if json.starts_with(b"{") {
            let Members(members) = serde_json::from_slice(json).map_err(broken)?;
            for (key, raw) in members {
                let key = profile.strings.intern(key.as_bytes());
                let value = match of::<i64>(raw) {
                    Ok(number) => LabelValue::Number(number, StrId::EMPTY),
                    Err(_) => {
                        let text: Text = of(raw).map_err(broken)?;
                        LabelValue::Text(profile.strings.intern(&text.0))
                    }
                };
                set.push((key, value));
            }
        } else {
            let labels: Vec<&RawValue> = serde_json::from_slice(json).map_err(broken)?;
            for raw in labels {
                let (key, value) = match of::<(Text, Text)>(raw) {
                    Ok((key, text)) => (key, LabelValue::Text(profile.strings.intern(&text.0))),
                    Err(_) => {
                        let (key, number, unit): (Text, i64, Text) = of(raw).map_err(broken)?;
                        let unit = profile.strings.intern(&unit.0);
                        (key, LabelValue::Number(number, unit))
                    }
                };
                set.push((profile.strings.intern(&key.0), value));
            }
        }
        let labels = (!set.is_empty()).then(|| profile.label_sets.intern(set));
        self.labels.push(labels);
        Ok(())
    }

    /// `#@ SLICE THREAD LABELS STACK:V[,V…] …`
    fn samples(
        &mut self,
        profile: &mut Profile,
        rows: &[Row],
        entries: &[usize],
        text: &[u8],
    ) -> Result<()> {
        let mut words = text.split(|b| *b == b' ').filter(|word| !word.is_empty());
        let mut index = |what: &str, len: usize| -> Result<Option<usize>> {
            let word = words.next().unwrap_or(b"");
            if word == b"-" {
                return Ok(None);
            }
            let number = std::str::from_utf8(word)
                .ok()
                .and_then(|n| n.parse::<usize>().ok());
            match number {
                Some(number) if number < len => Ok(Some(number)),
                _ => Err(Error::expected(
                    &format!("#@ with a {what} below {len}, or `-`"),
                    &quoted(word),
                )),
            }
        };
        let slice = index("slice", profile.slices.len())?.map(SliceId::new);
        let thread = index("thread", self.threads.len())?.map(|n| self.threads[n]);
        let labels = index("label set", self.labels.len())?.and_then(|n| self.labels[n]);
        let mut values = Vec::with_capacity(profile.values.len());
        for word in words {
            let broken = || {
                let each = profile.values.len();
                Error::expected(&format!("STACK:VALUE with {each} values"), &quoted(word))
            };
            let colon = word.iter().position(|b| *b == b':').ok_or_else(broken)?;
            let entry = std::str::from_utf8(&word[..colon])
                .ok()
                .and_then(|n| n.parse::<usize>().ok());
            let row = entry.and_then(|n| entries.get(n)).copied().ok_or_else(|| {
                Error::expected(
                    &format!("a stack below {}", entries.len()),
                    &quoted(&word[..colon]),
                )
            })?;
            values.clear();
            for (n, digits) in word[colon + 1..].split(|b| *b == b',').enumerate() {
                let scale = profile.values.get(n).ok_or_else(broken)?.scale;
                let weight = weight::parse(digits).map_err(|_| broken())?;
                self.rounded += u64::from(weight.rounded);
                let value = weight.at(scale);
                values.push(value.ok_or_else(broken)?);
            }
            if values.len() != profile.values.len() {
                return Err(broken());
            }
            self.named[row] = true;
            self.left[row] = self.left[row].and_then(|left| left.checked_sub(values[0]));
            profile.samples.push(Sample {
                thread,
                labels,
                slice,
                ..Sample::of(rows[row].stack, &values)
            });
        }
        Ok(())
    }

    fn finish(self, profile: &mut Profile, rows: &[Row], notes: &mut Notes) -> Result<()> {
        if self.rounded > 0 {
            notes.add_many("rounded", self.rounded, None, || read::ROUNDED.into());
        }
        let mut values = vec![0; profile.values.len()];
        let any_named = self.named.contains(&true);
        for (n, row) in rows.iter().enumerate() {
            values[0] = self.left[n].ok_or_else(|| {
                Error::new(format!(
                    "the value of {} has more decimal places than the header says, or does not fit 64 bits",
                    quoted(row.key)
                ))
            })?;
            if self.named[n] && values[0] == 0 {
                continue;
            }
            if any_named && values[0] != 0 {
                notes.add("sums-differ", None, || {
                    format!(
                        "stacks whose #@ values do not add up to the dictionary's, such as {}; the \
                         difference became a sample of its own",
                        quoted(row.key)
                    )
                });
            }
            profile.samples.push(Sample::of(row.stack, &values));
        }
        if !self.changed.is_empty() {
            let mut new: Vec<(Function, Frame)> = (profile.frames.iter())
                .map(|(_, frame)| (*profile.functions.get(frame.function), *frame))
                .collect();
            for (id, function, frame) in self.changed {
                new[id.index()] = (function, frame);
            }
            *profile = std::mem::take(profile).with_frames(|_, id| new[id.index()]);
        }
        Ok(())
    }
}

/// What a `#f` line says of a frame.
#[derive(Default)]
struct Attrs {
    first: Option<i64>,
    line: Option<i64>,
    column: u32,
    kind: Option<String>,
    inlined: bool,
    system: Text,
    address: u64,
    mapping: Option<usize>,
}

impl Attrs {
    fn of(
        members: Vec<(String, &RawValue)>,
        place: &Place,
        notes: &mut Notes,
    ) -> serde_json::Result<Self> {
        let mut attrs = Attrs::default();
        for (key, raw) in members {
            match key.as_str() {
                "first" => attrs.first = of(raw)?,
                "line" => attrs.line = of(raw)?,
                "column" => attrs.column = of(raw)?,
                "kind" => attrs.kind = of(raw)?,
                "inlined" => attrs.inlined = of(raw)?,
                "system" => attrs.system = of(raw)?,
                "address" => attrs.address = of(raw)?,
                "mapping" => attrs.mapping = of(raw)?,
                _ => unknown_member(Some(place), notes),
            }
        }
        Ok(attrs)
    }
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|b| *b == b' ') {
        Some(space) => (&text[..space], text[space + 1..].trim_ascii()),
        None => (text, b""),
    }
}
