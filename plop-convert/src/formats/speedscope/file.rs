//! The JSON of a speedscope file, taken in as it passes by: samples go straight into a trie whose
//! frames are places in the file's list of frames.

use std::borrow::Cow;
use std::fmt;

use plop_core::{Error, FrameId, Result, StackId, Stacks};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::formats::json::{Text, plain};
use crate::formats::weight::{self, NoWeight, Weight};

/// A file.
#[derive(Default)]
pub(super) struct File {
    pub(super) name: Text,
    pub(super) exporter: Text,
    pub(super) frames: Vec<FrameRow>,
    pub(super) sheets: Vec<Sheet>,
    /// What plop noted in a file of its own, as JSON.
    pub(super) plop: Option<String>,
}

/// A frame of the list; from `start_line` on, the keys are plop's.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct FrameRow {
    pub(super) name: Option<Text>,
    pub(super) file: Option<Text>,
    pub(super) line: Option<Whole>,
    pub(super) col: Option<Whole>,
    pub(super) start_line: Option<i64>,
    pub(super) line_known: Option<bool>,
    pub(super) kind: Option<Text>,
    pub(super) inlined: Option<bool>,
    pub(super) system_name: Option<Text>,
}

/// One profile of the file.
#[derive(Default)]
pub(super) struct Sheet {
    pub(super) kind: Text,
    pub(super) name: Text,
    pub(super) unit: Text,
    pub(super) start: Option<Weight>,
    pub(super) end: Option<Weight>,
    /// The stacks of samples, of places in the list of frames.
    pub(super) stacks: Stacks,
    pub(super) samples: Vec<StackId>,
    pub(super) weights: Vec<Weight>,
    pub(super) events: Vec<Event>,
    /// When the first event was.
    pub(super) first: Option<Weight>,
}

/// A frame that is entered or left.
pub(super) struct Event {
    pub(super) opens: bool,
    pub(super) frame: u32,
    pub(super) at: Weight,
}

impl File {
    /// Takes a file in.
    pub(super) fn parse(input: &[u8]) -> Result<File> {
        serde_json::from_slice(input).map_err(|error| {
            let found = plain(&error);
            let hint = match error.classify() {
                serde_json::error::Category::Eof => "was the file cut off?",
                _ => "",
            };
            let error = Error::new(found).at_line(error.line() as u64, error.column() as u64);
            match hint {
                "" => error,
                hint => error.hint(hint),
            }
        })
    }
}

/// Writes a visitor for a map whose keys are taken in one by one, unknown ones being passed over and
/// `null` leaving things as they are.
macro_rules! from_object {
    ($type:ident, $what:literal, |$this:ident, $map:ident| { $($key:literal => $take:expr,)* }) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                struct Object;
                impl<'de> Visitor<'de> for Object {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut $map: A,
                    ) -> std::result::Result<$type, A::Error> {
                        let mut $this = $type::default();
                        while let Some(key) = $map.next_key::<Cow<str>>()? {
                            match &*key {
                                $($key => $take,)*
                                _ => drop($map.next_value::<IgnoredAny>()?),
                            }
                        }
                        Ok($this)
                    }
                }
                deserializer.deserialize_map(Object)
            }
        }
    };
}

from_object!(File, "a speedscope file", |file, map| {
    "name" => file.name = map.next_value::<Option<Text>>()?.unwrap_or_default(),
    "exporter" => file.exporter = map.next_value::<Option<Text>>()?.unwrap_or_default(),
    "plop" => file.plop = Some(map.next_value::<&RawValue>()?.get().to_owned()),
    "shared" => file.frames = map.next_value::<Shared>()?.frames,
    "profiles" => file.sheets = map.next_value::<Sheets>()?.0,
});

/// The profiles of a file, up to the first of a type that there is none of.
struct Sheets(Vec<Sheet>);

impl<'de> Deserialize<'de> for Sheets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Sheets;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of profiles")
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> std::result::Result<Sheets, A::Error> {
                let mut sheets: Vec<Sheet> = Vec::new();
                while let Some(sheet) = seq.next_element::<Sheet>()? {
                    if sheets.last().is_none_or(Sheet::has_known_type) {
                        sheets.push(sheet);
                    }
                }
                Ok(Sheets(sheets))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl Sheet {
    fn has_known_type(&self) -> bool {
        matches!(&self.kind.0[..], b"sampled" | b"evented")
    }
}

#[derive(Deserialize)]
struct Shared {
    #[serde(default)]
    frames: Vec<FrameRow>,
}

from_object!(Sheet, "a profile", |sheet, map| {
    "type" => sheet.kind = map.next_value()?,
    "name" => sheet.name = map.next_value::<Option<Text>>()?.unwrap_or_default(),
    "unit" => sheet.unit = map.next_value::<Option<Text>>()?.unwrap_or_default(),
    "startValue" => sheet.start = map.next_value::<Option<&RawValue>>()?.map(number).transpose()?,
    "endValue" => sheet.end = map.next_value::<Option<&RawValue>>()?.map(number).transpose()?,
    "samples" => sheet.samples = map.next_value_seed(Samples(&mut sheet.stacks))?,
    "weights" => sheet.weights = weights(map.next_value()?)?,
    "events" => sheet.events = map.next_value()?,
});

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Row<'a> {
            #[serde(rename = "type", borrow)]
            kind: Cow<'a, str>,
            frame: u32,
            #[serde(borrow)]
            at: &'a RawValue,
        }
        let row = Row::deserialize(deserializer)?;
        let opens = match &*row.kind {
            "O" => true,
            "C" => false,
            _ => {
                let found = format!("expected an event of type O or C, found {:?}", row.kind);
                return Err(D::Error::custom(found));
            }
        };
        let at = number(row.at)?;
        let frame = row.frame;
        Ok(Event { opens, frame, at })
    }
}

/// A number of which whole ones are meant.
#[derive(Clone, Copy)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_i64<E>(self, number: i64) -> std::result::Result<Whole, E> {
                Ok(Whole(number))
            }
            fn visit_u64<E>(self, number: u64) -> std::result::Result<Whole, E> {
                Ok(Whole(i64::try_from(number).unwrap_or(i64::MAX)))
            }
            fn visit_f64<E>(self, number: f64) -> std::result::Result<Whole, E> {
                Ok(Whole(number as i64))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// Takes in a list of stacks, each a list of places in the list of frames, from the root.
struct Samples<'s>(&'s mut Stacks);

impl<'de> DeserializeSeed<'de> for Samples<'_> {
    type Value = Vec<StackId>;
    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Vec<StackId>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Samples<'_> {
    type Value = Vec<StackId>;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of stacks")
    }
    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut seq: A,
    ) -> std::result::Result<Vec<StackId>, A::Error> {
        let mut samples = Vec::new();
        // The stack before, from the root. Neighbours often share their callers.
        let mut path = Vec::new();
        while let Some(stack) = seq.next_element_seed(Stack(self.0, &mut path))? {
            samples.push(stack);
        }
        Ok(samples)
    }
}

struct Stack<'s>(&'s mut Stacks, &'s mut Vec<(u32, StackId)>);

impl<'de> DeserializeSeed<'de> for Stack<'_> {
    type Value = StackId;
    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<StackId, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Stack<'_> {
    type Value = StackId;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of frames")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<StackId, A::Error> {
        let Stack(stacks, path) = self;
        let (mut depth, mut stack) = (0, StackId::ROOT);
        while let Some(frame) = seq.next_element::<u32>()? {
            match path.get(depth) {
                Some((known, at)) if *known == frame => stack = *at,
                _ => {
                    if frame >= MAX_FRAMES {
                        return Err(A::Error::custom(format!("no file has a frame {frame}")));
                    }
                    path.truncate(depth);
                    stack = stacks.push(stack, FrameId::new(frame as usize));
                    path.push((frame, stack));
                }
            }
            depth += 1;
        }
        Ok(stack)
    }
}

/// No list of frames is as long.
pub(super) const MAX_FRAMES: u32 = u32::MAX - 16;

/// The numbers of a list, which is known to be JSON.
fn weights<E: serde::de::Error>(raw: &RawValue) -> std::result::Result<Vec<Weight>, E> {
    let wrong = || E::custom("expected a list of weights");
    let list = raw.get().trim().strip_prefix('[').ok_or_else(wrong)?;
    let list = list.strip_suffix(']').ok_or_else(wrong)?;
    if list.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut weights = Vec::new();
    let mut last = ("", None);
    for (n, text) in list.split(',').enumerate() {
        if let (known, Some(weight)) = last
            && known == text
        {
            weights.push(weight);
            continue;
        }
        let weight = decimal(text.trim())
            .map_err(|why| E::custom(format!("weight {n} of a profile: {why}")))?;
        weights.push(weight);
        last = (text, Some(weight));
    }
    Ok(weights)
}

/// A number with all its digits.
fn number<E: serde::de::Error>(raw: &RawValue) -> std::result::Result<Weight, E> {
    decimal(raw.get()).map_err(E::custom)
}

fn decimal(text: &str) -> std::result::Result<Weight, String> {
    let too_large = || format!("{text} does not fit 64 bits");
    let wrong = || {
        format!(
            "expected a number, found {}",
            plop_core::quoted(text.as_bytes())
        )
    };
    match weight::parse(text.as_bytes()) {
        Ok(weight) => Ok(weight),
        Err(NoWeight::TooLarge) => Err(too_large()),
        Err(NoWeight::NotANumber) => Err(wrong()),
        Err(NoWeight::Notation) => {
            let number: f64 = text.parse().map_err(|_| wrong())?;
            let digits = format!("{number}");
            weight::parse(digits.as_bytes()).map_err(|_| too_large())
        }
    }
}
