//! Takes a pprof file apart without copying it: first all tables, then the samples, one at a time.

use std::ops::Range;

use plop_core::{Error, Place, Result};

use super::message::{Function, Label, Line, Mapping, PLOP, Sample, ValueType};
use super::wire::{Reader, Wire};

/// Everything but the samples.
#[derive(Default)]
pub(super) struct Tables<'a> {
    input: &'a [u8],
    pub(super) sample_types: Vec<ValueType>,
    pub(super) mappings: Vec<Mapping>,
    pub(super) locations: Vec<Location>,
    /// The lines of all locations.
    pub(super) lines: Vec<Line>,
    pub(super) functions: Vec<Function>,
    pub(super) strings: Vec<&'a [u8]>,
    pub(super) drop_frames: i64,
    pub(super) keep_frames: i64,
    pub(super) time_nanos: i64,
    pub(super) duration_nanos: i64,
    pub(super) period_type: Option<ValueType>,
    pub(super) period: i64,
    pub(super) comments: Vec<i64>,
    pub(super) default_sample_type: i64,
    pub(super) doc_url: i64,
    /// Plop's own note.
    pub(super) plop: &'a [u8],
    /// How many locations say that others were folded into them.
    pub(super) folded: u64,
    /// Where samples stand in the input, in stretches without anything else between them.
    samples: Vec<Range<usize>>,
    /// How many samples there are.
    pub(super) sample_count: usize,
    /// Where sample types stand again after something else, if a second string table begins, too.
    pub(super) second_profile: Option<usize>,
}

/// A location; its lines are a stretch of [`Tables::lines`].
pub(super) struct Location {
    pub(super) id: u64,
    pub(super) mapping_id: u64,
    pub(super) address: u64,
    pub(super) lines: Range<usize>,
    /// Where it stands in the input.
    pub(super) place: usize,
}

impl<'a> Tables<'a> {
    /// Reads the tables; `advance` hears of every stretch of bytes that has been read.
    pub(super) fn decode(input: &'a [u8], mut advance: impl FnMut(usize)) -> Result<Self> {
        const STEP: usize = 1 << 20;
        let mut tables = Tables {
            input,
            ..Tables::default()
        };
        let mut reader = Reader::new(input, 0);
        let (mut told, mut last) = (0, 0);
        let (mut again, mut second_table) = (None, false);
        loop {
            let place = reader.place();
            if place - told >= STEP {
                advance(place - told);
                told = place;
            }
            let Some((number, wire)) = reader.field()? else {
                break;
            };
            if number == 1 && last != 1 && !tables.sample_types.is_empty() {
                again = again.or(Some(place));
            }
            let first_string = tables.strings.is_empty();
            tables.field(&mut reader, number, wire, place)?;
            second_table |=
                number == 6 && !first_string && tables.strings.last() == Some(&&b""[..]);
            last = number;
        }
        advance(input.len() - told);
        tables.second_profile = again.filter(|_| second_table);
        Ok(tables)
    }

    fn field(
        &mut self,
        reader: &mut Reader<'a>,
        number: u32,
        wire: Wire,
        place: usize,
    ) -> Result<()> {
        match number {
            1 => self.sample_types.push(value_type(
                ValueType::default(),
                reader.message(number, wire)?,
            )?),
            2 => {
                reader.message(number, wire)?;
                self.sample_count += 1;
                match self.samples.last_mut() {
                    Some(run) if run.end == place => run.end = reader.place(),
                    _ => self.samples.push(place..reader.place()),
                }
            }
            3 => self.mappings.push(mapping(reader.message(number, wire)?)?),
            4 => self.location(reader.message(number, wire)?, place)?,
            5 => self
                .functions
                .push(function(reader.message(number, wire)?)?),
            6 if wire == Wire::Bytes => self.strings.push(reader.length_delimited()?),
            6 => return Err(reader.unexpected(number, wire, "text")),
            7 => self.drop_frames = reader.signed(number, wire)?,
            8 => self.keep_frames = reader.signed(number, wire)?,
            9 => self.time_nanos = reader.signed(number, wire)?,
            10 => self.duration_nanos = reader.signed(number, wire)?,
            11 => {
                let known = self.period_type.unwrap_or_default();
                self.period_type = Some(value_type(known, reader.message(number, wire)?)?);
            }
            12 => self.period = reader.signed(number, wire)?,
            13 => reader.numbers(number, wire, &mut self.comments, |n| n as i64)?,
            14 => self.default_sample_type = reader.signed(number, wire)?,
            15 => self.doc_url = reader.signed(number, wire)?,
            PLOP if wire == Wire::Bytes => self.plop = reader.length_delimited()?,
            PLOP => return Err(reader.unexpected(number, wire, "text")),
            _ => reader.skip(number, wire)?,
        }
        Ok(())
    }

    fn location(&mut self, mut reader: Reader<'a>, place: usize) -> Result<()> {
        let first = self.lines.len();
        let mut location = Location {
            id: 0,
            mapping_id: 0,
            address: 0,
            lines: first..first,
            place,
        };
        while let Some((number, wire)) = reader.field()? {
            match number {
                1 => location.id = reader.number(number, wire)?,
                2 => location.mapping_id = reader.number(number, wire)?,
                3 => location.address = reader.number(number, wire)?,
                4 => self.lines.push(line(reader.message(number, wire)?)?),
                5 => self.folded += u64::from(reader.number(number, wire)? != 0),
                _ => reader.skip(number, wire)?,
            }
        }
        location.lines.end = self.lines.len();
        self.locations.push(location);
        Ok(())
    }

    /// Hands over every sample with its place in the input.
    pub(super) fn each_sample(
        &self,
        mut take: impl FnMut(usize, &Sample) -> Result<()>,
    ) -> Result<()> {
        let mut reader = Reader::new(self.input, 0);
        let mut row = Sample::default();
        for run in &self.samples {
            reader.go_to(run.start);
            while reader.place() < run.end {
                let place = reader.place();
                if let Some((number, wire)) = reader.field()? {
                    sample(&mut row, reader.message(number, wire)?)?;
                    take(place, &row)?;
                }
            }
        }
        Ok(())
    }

    /// That some strings, each of which is to be copied, are not much more than the file: they may all
    /// be the same one.
    pub(super) fn check_size(
        &self,
        mut indexes: impl Iterator<Item = i64>,
        what: &str,
    ) -> Result<()> {
        let room = (16 << 20) + 8 * self.input.len();
        let length = |index: i64| Some(self.strings.get(usize::try_from(index).ok()?)?.len());
        let left = indexes.try_fold(room, |left, index| {
            left.checked_sub(length(index).unwrap_or(0))
        });
        match left {
            Some(_) => Ok(()),
            None => Err(Error::expected(
                &format!("{what} of at most {room} bytes"),
                "one long text many times over",
            )),
        }
    }

    /// How many samples can have a number for each value type.
    pub(super) fn most_samples(&self) -> usize {
        self.sample_count
            .min(self.input.len() / self.sample_types.len().max(1))
    }

    /// How many frames stacks may have together that stand in one location with others. Few locations
    /// with many lines, named by many samples, would fill any memory.
    pub(super) fn most_inlined(&self) -> usize {
        (16 << 20) + 8 * self.input.len()
    }

    /// An error at an entry of the top level: the one of its number, from 0, among those of a field.
    pub(super) fn at_entry(&self, error: Error, field: u32, entry: usize) -> Error {
        let mut reader = Reader::new(self.input, 0);
        let mut seen = 0;
        loop {
            let place = reader.place();
            match reader.field() {
                Ok(Some((number, _))) if number == field && seen == entry => {
                    return error.at(Place::Byte(place as u64));
                }
                Ok(Some((number, wire))) if reader.skip(number, wire).is_ok() => {
                    seen += usize::from(number == field);
                }
                _ => return error,
            }
        }
    }

    /// A string of the table; what for is said by `what`.
    pub(super) fn string(&self, index: i64, what: &str) -> Result<&'a [u8]> {
        let found = usize::try_from(index)
            .ok()
            .and_then(|n| self.strings.get(n));
        match (found, index) {
            (Some(string), _) => Ok(string),
            (None, 0) => Ok(b""),
            (None, _) => Err(Error::expected(
                &format!("a string below {} for {what}", self.strings.len()),
                &format!("string {index}"),
            )),
        }
    }
}

#[inline]
fn sample(row: &mut Sample, mut reader: Reader) -> Result<()> {
    row.location_id.clear();
    row.value.clear();
    row.label.clear();
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => reader.numbers(number, wire, &mut row.location_id, |id| id)?,
            2 => reader.numbers(number, wire, &mut row.value, |value| value as i64)?,
            3 => row.label.push(label(reader.message(number, wire)?)?),
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

fn label(mut reader: Reader) -> Result<Label> {
    let mut label = Label::default();
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => label.key = reader.signed(number, wire)?,
            2 => label.str = reader.signed(number, wire)?,
            3 => label.num = reader.signed(number, wire)?,
            4 => label.num_unit = reader.signed(number, wire)?,
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(label)
}

fn value_type(mut value_type: ValueType, mut reader: Reader) -> Result<ValueType> {
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => value_type.kind = reader.signed(number, wire)?,
            2 => value_type.unit = reader.signed(number, wire)?,
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(value_type)
}

fn mapping(mut reader: Reader) -> Result<Mapping> {
    let mut mapping = Mapping::default();
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => mapping.id = reader.number(number, wire)?,
            2 => mapping.memory_start = reader.number(number, wire)?,
            3 => mapping.memory_limit = reader.number(number, wire)?,
            4 => mapping.file_offset = reader.number(number, wire)?,
            5 => mapping.filename = reader.signed(number, wire)?,
            6 => mapping.build_id = reader.signed(number, wire)?,
            7 => mapping.has_functions = reader.number(number, wire)? != 0,
            8 => mapping.has_filenames = reader.number(number, wire)? != 0,
            9 => mapping.has_line_numbers = reader.number(number, wire)? != 0,
            10 => mapping.has_inline_frames = reader.number(number, wire)? != 0,
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(mapping)
}

fn line(mut reader: Reader) -> Result<Line> {
    let mut line = Line::default();
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => line.function_id = reader.number(number, wire)?,
            2 => line.line = reader.signed(number, wire)?,
            3 => line.column = reader.signed(number, wire)?,
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(line)
}

fn function(mut reader: Reader) -> Result<Function> {
    let mut function = Function::default();
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => function.id = reader.number(number, wire)?,
            2 => function.name = reader.signed(number, wire)?,
            3 => function.system_name = reader.signed(number, wire)?,
            4 => function.filename = reader.signed(number, wire)?,
            5 => function.start_line = reader.signed(number, wire)?,
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(function)
}

/// An error at a byte of the input.
pub(super) fn at(place: usize) -> impl FnOnce(Error) -> Error {
    move |error| error.at(Place::Byte(place as u64))
}

/// Whether `bytes` begin like a pprof file: fields of its numbers and kinds at the top level, and one that
/// only it has. `whole` says that nothing follows.
pub(super) fn looks_like_pprof(bytes: &[u8], whole: bool) -> bool {
    let mut reader = Reader::new(bytes, 0);
    let (mut types, mut fields, mut first_string) = (0, 0, None);
    while !reader.is_done() {
        let Ok(Some((number, wire))) = reader.field() else {
            return false;
        };
        let known = match (number, wire) {
            (1..=6 | 11, Wire::Bytes) | (7..=10 | 12 | 14 | 15, Wire::Varint) => true,
            (13, Wire::Bytes | Wire::Varint) => true,
            (0..=15, _) => return false,
            _ => false,
        };
        if matches!((number, wire), (1..=6 | 11, Wire::Bytes)) {
            let Ok(nested) = reader.nested() else {
                // The head ends in the middle of a field, or the file does.
                return types > 0 || (fields > 0 && first_string == Some(true));
            };
            let holds = match number {
                1 => value_type(ValueType::default(), nested).is_ok(),
                2 => sample(&mut Sample::default(), nested).is_ok(),
                6 => {
                    first_string = first_string.or(Some(nested.is_done()));
                    true
                }
                _ => true,
            };
            if !holds {
                return false;
            }
            types += usize::from(number == 1);
        } else if reader.skip(number, wire).is_err() {
            return !whole && types > 0;
        }
        fields += usize::from(known);
    }
    types > 0 || (fields > 0 && first_string == Some(true))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::super::message;
    use super::*;

    /// The file as prost's structs hold it, by our own decoder.
    fn decoded(input: &[u8]) -> Result<message::Profile> {
        let tables = Tables::decode(input, |_| ())?;
        let mut samples = Vec::new();
        tables.each_sample(|_, sample| {
            samples.push(sample.clone());
            Ok(())
        })?;
        Ok(message::Profile {
            sample: samples,
            location: (tables.locations.iter())
                .map(|location| message::Location {
                    id: location.id,
                    mapping_id: location.mapping_id,
                    address: location.address,
                    line: tables.lines[location.lines.clone()].to_vec(),
                    is_folded: false,
                })
                .collect(),
            sample_type: tables.sample_types,
            mapping: tables.mappings,
            function: tables.functions,
            string_table: tables.strings.iter().map(|s| s.to_vec()).collect(),
            drop_frames: tables.drop_frames,
            keep_frames: tables.keep_frames,
            time_nanos: tables.time_nanos,
            duration_nanos: tables.duration_nanos,
            period_type: tables.period_type,
            period: tables.period,
            comment: tables.comments,
            default_sample_type: tables.default_sample_type,
            doc_url: tables.doc_url,
            plop: tables.plop.to_vec(),
        })
    }

    /// Both decoders accept an input and find the same, or both refuse it.
    fn agree(input: &[u8]) -> std::result::Result<(), TestCaseError> {
        let theirs = message::Profile::decode(input).map(|mut profile| {
            for location in &mut profile.location {
                location.is_folded = false;
            }
            profile
        });
        match (decoded(input), theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Err(_), Err(_)) => {}
            (ours, theirs) => {
                let (ours, theirs) = (ours.map(drop), theirs.map(drop));
                return Err(TestCaseError::fail(format!("{ours:?}, prost {theirs:?}")));
            }
        }
        Ok(())
    }

    fn push_varint(mut number: u64, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    fn any_number() -> BoxedStrategy<u64> {
        prop_oneof![0u64..4, any::<u64>(), Just(1 << 63), Just(u64::MAX)].boxed()
    }

    /// A field of a message: any number of field in any way of writing, mostly one that is known.
    fn field(nested: BoxedStrategy<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
        let packed = proptest::collection::vec(any_number(), 0..4).prop_map(|numbers| {
            let mut bytes = Vec::new();
            numbers.into_iter().for_each(|n| push_varint(n, &mut bytes));
            bytes
        });
        let bytes = prop_oneof![2 => nested, 2 => packed, 1 => any::<Vec<u8>>()];
        let number =
            prop_oneof![8 => 1u64..7, 4 => 7u64..16, 1 => 16u64..3000, 1 => Just(u64::from(PLOP))];
        let content = prop_oneof![
            4 => any_number().prop_map(|n| (0, n, Vec::new())),
            6 => bytes.prop_map(|bytes| (2, bytes.len() as u64, bytes)),
            1 => Just((1, 0, vec![0; 8])),
            1 => Just((5, 0, vec![0; 4])),
            1 => Just((3, 0, Vec::new())),
            1 => Just((4, 0, Vec::new())),
        ];
        (number, content)
            .prop_map(|(number, (wire, head, content))| {
                let mut out = Vec::new();
                push_varint(number << 3 | wire, &mut out);
                if matches!(wire, 0 | 2) {
                    push_varint(head, &mut out);
                }
                out.extend_from_slice(&content);
                out
            })
            .boxed()
    }

    fn message(depth: u32) -> BoxedStrategy<Vec<u8>> {
        let nested = match depth {
            0 => Just(Vec::new()).boxed(),
            _ => message(depth - 1),
        };
        proptest::collection::vec(field(nested), 0..8)
            .prop_map(|fields| fields.concat())
            .boxed()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 20_000, ..ProptestConfig::default() })]

        /// What prost makes of an input is what we make of it.
        #[test]
        fn the_decoder_is_equal_to_prosts(input in message(2)) {
            agree(&input)?;
        }

        /// Also where the input is cut or changed.
        #[test]
        fn the_decoder_is_equal_to_prosts_on_broken_input(
            mut input in message(2), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
        ) {
            if !input.is_empty() {
                let at = at.index(input.len());
                if cut { input.truncate(at) } else { input[at] = byte }
            }
            agree(&input)?;
        }
    }

    #[test]
    fn numbers_past_64_bits_and_lengths_that_lie_are_refused() {
        let refusal = |input: &[u8]| decoded(input).map(drop).unwrap_err().to_string();
        let long = [&[0x60][..], &[0xff; 10], &[1]].concat();
        assert!(refusal(&long).contains("byte 1"), "{}", refusal(&long));
        let over = [&[0x60][..], &[0xff; 9], &[2]].concat();
        assert!(refusal(&over).contains("at most 64 bits"));
        assert!(refusal(&[0x32, 5, b'a']).contains("a field of 5 bytes"));
        assert!(refusal(&[0x0f]).contains("a key of 0xf"));
        let groups = [0x83, 0x01].repeat(200);
        assert!(refusal(&groups).contains("more than 100"));
        for input in [&long, &over, &vec![0x32, 5, b'a'], &vec![0x0f], &groups] {
            agree(input).unwrap();
        }
    }

    #[test]
    fn groups_are_passed_over() {
        let input = [
            0xa3, 0x01, 0x08, 1, 0xa3, 0x01, 0xa4, 0x01, 0xa4, 0x01, 0x60, 7,
        ];
        agree(&input).unwrap();
        assert_eq!(decoded(&input).unwrap().period, 7);
        agree(&[0xa3, 0x01, 0xac, 0x01]).unwrap();
        agree(&[0xa3, 0x01]).unwrap();
    }
}
