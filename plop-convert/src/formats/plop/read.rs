//! Reads `.plop` files of either version.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use plop_core::{
    Attribute, Error, Frame, FrameId, Function, Notes, Profile, Result, Sample, StackId, StrId,
    ValueType, quoted,
};

use super::MARK;
use super::extras;
use crate::format::ReadOptions;
use crate::formats::header::{self, Header};
use crate::formats::python::{RawString, Scanner};
use crate::formats::weight::{self, NoWeight, Places, Weight};

/// Plop kept this many stacks and dropped the rest.
const CAP: usize = 50;

pub(super) fn read(text: &[u8], options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let first_line = text.split(|b| *b == b'\n').next().unwrap_or(b"");
    let header = match version_and_json(first_line)? {
        Some(json) => Some(header::read(json, first_line.len() - json.len(), notes)?),
        None => None,
    };
    let mut scanner = Scanner::new(text);
    let mut dict = Dict::new(header.as_ref());
    dict.read(&mut scanner, options, notes)?;
    let after = scanner.at();
    if scanner.peek().is_some() {
        return Err(scanner.unexpected("nothing but comments after the dictionary"));
    }
    let Dict {
        mut profile,
        rows,
        entries,
        ..
    } = dict;
    if let Some(header) = &header {
        let first_line = 1 + memchr::memchr_iter(b'\n', &text[..after]).count() as u64;
        extras::apply(
            &mut profile,
            header,
            &rows,
            &entries,
            &text[after..],
            first_line,
            notes,
        )?;
    } else {
        let before = &text[..text.iter().position(|b| *b == b'{').unwrap_or(0)];
        if memchr::memmem::find(before, MARK).is_some() {
            notes.add("header-not-first", None, || {
                "a header that is not in the first line was passed over, and so is all it announces".into()
            });
        }
        profile = version_1(profile, &rows, notes);
    }
    if rows.is_empty() {
        notes.add("no-samples", None, || {
            "an empty dictionary: a profile without samples".into()
        });
    }
    Ok(vec![profile])
}

/// The JSON of a version 2 header; `None` for version 1, which has none.
fn version_and_json(first_line: &[u8]) -> Result<Option<&[u8]>> {
    let Some(rest) = first_line.strip_prefix(MARK) else {
        return Ok(None);
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    match &rest[..digits] {
        b"2" => Ok(Some(&rest[digits..])),
        b"" => Ok(None),
        version => Err(Error::expected("version 2 or no header", &quoted(version))
            .at_line(1, MARK.len() as u64 + 1)
            .hint("a newer plop may read it")),
    }
}

/// Said of numbers that lost digits.
pub(super) const ROUNDED: &str = "numbers rounded to the decimal places that fit 64 bits";

/// What a stack of the dictionary has.
pub(super) struct Row<'t> {
    /// The stack as it stands in the text.
    pub(super) key: &'t [u8],
    pub(super) stack: StackId,
    pub(super) weight: Weight,
}

/// The dictionary as it is read.
struct Dict<'t> {
    profile: Profile,
    rows: Vec<Row<'t>>,
    /// For every entry as it stands in the text, its row; two if the text names a stack twice.
    entries: Vec<usize>,
    row_of: HashMap<StackId, usize, RandomState>,
    /// Of stacks that stand there more than once, the count of every key that Python tells apart.
    spellings: HashMap<StackId, HashMap<Vec<u8>, Weight, RandomState>, RandomState>,
    frames: HashMap<&'t [u8], FrameId, RandomState>,
    /// The frame that stands for no frames: file, line and function.
    empty: Option<(&'t [u8], i64, &'t [u8])>,
    path: Vec<FrameId>,
}

impl<'t> Dict<'t> {
    fn new(header: Option<&'t Header>) -> Self {
        let values = header.map_or_else(|| vec![ValueType::samples()], |h| h.values.clone());
        let profile = Profile::new(values);
        let empty = header
            .and_then(|header| header.empty_stack.as_ref())
            .map(|(file, line, name)| (&file.0[..], *line, &name.0[..]));
        Dict {
            profile,
            rows: Vec::new(),
            entries: Vec::new(),
            row_of: HashMap::default(),
            spellings: HashMap::default(),
            frames: HashMap::default(),
            empty,
            path: Vec::new(),
        }
    }

    fn read(
        &mut self,
        scanner: &mut Scanner<'t>,
        options: &ReadOptions,
        notes: &mut Notes,
    ) -> Result<()> {
        scanner.expect(b'{', "a dictionary, `{`")?;
        let (mut told, mut rounded) = (0, 0);
        while !scanner.take(b'}') {
            scanner.peek();
            let start = scanner.at();
            let stack = self.stack(scanner, notes)?;
            let key = scanner.since(start);
            scanner.expect(b':', "`:` and a count")?;
            let weight = weight_of(scanner)?;
            rounded += u64::from(weight.rounded);
            self.entry(Row { key, stack, weight }, scanner, options, notes)?;
            if scanner.at() - told > 1 << 20 {
                options.advance(scanner.at() - told);
                told = scanner.at();
            }
            if !scanner.take(b',') {
                scanner.expect(b'}', "`,` or `}`")?;
                break;
            }
        }
        if rounded > 0 {
            notes.add_many("rounded", rounded, None, || ROUNDED.into());
        }
        Ok(())
    }

    /// Takes in one entry. Of a key that stands there twice, Python keeps the last count. Keys that
    /// differ to Python and not to us, as `'a'` and `b'a'` do, are added up.
    fn entry(
        &mut self,
        entry: Row<'t>,
        scanner: &Scanner,
        options: &ReadOptions,
        notes: &mut Notes,
    ) -> Result<()> {
        let next = self.rows.len();
        let row = *self.row_of.entry(entry.stack).or_insert(next);
        self.entries.push(row);
        if row == next {
            self.rows.push(entry);
            return Ok(());
        }
        let kept = &mut self.rows[row];
        let spellings = self.spellings.entry(entry.stack).or_insert_with(|| {
            let first = (python_identity(kept.key), kept.weight);
            HashMap::from_iter([first])
        });
        let before = spellings.insert(python_identity(entry.key), entry.weight);
        let code = if before.is_some() {
            "duplicate-stack"
        } else {
            "stacks-alike"
        };
        // Finding a place takes time, and only the first is told.
        let place = (notes.count(code) == 0).then(|| scanner.place(scanner.at()));
        notes.add(code, place, || match (before, options.sum_duplicates) {
            (None, _) => {
                "stacks that differ only in how their names are written were added up".into()
            }
            (Some(_), true) => "stacks that stand there twice were added up".into(),
            (Some(_), false) => "stacks that stand there twice have the last count, as in Python \
                 (--sum-duplicates adds them up)"
                .into(),
        });
        let gone = before.filter(|_| !options.sum_duplicates);
        let decimals = kept.weight.decimals;
        if entry.weight.decimals != decimals || gone.is_some_and(|gone| gone.decimals != decimals) {
            // The only spelling of a stack may still change its decimal places.
            if spellings.len() == 1 && gone.is_some() {
                kept.weight = entry.weight;
                return Ok(());
            }
            return Err(scanner.fail(Error::new(
                "a stack stands there twice, with numbers of different decimal places",
            )));
        }
        let sum = (kept
            .weight
            .mantissa
            .checked_sub(gone.map_or(0, |gone| gone.mantissa)))
        .and_then(|rest| rest.checked_add(entry.weight.mantissa));
        kept.weight.mantissa = sum.ok_or_else(|| {
            scanner.fail(Error::new(
                "the sum of a stack's counts does not fit 64 bits",
            ))
        })?;
        Ok(())
    }

    /// A key: a tuple of frames, leaf first.
    fn stack(&mut self, scanner: &mut Scanner<'t>, notes: &mut Notes) -> Result<StackId> {
        scanner.expect(b'(', "a stack, a tuple of frames")?;
        self.path.clear();
        // The frame that stands for no frames, as long as it is alone.
        let mut none = None;
        while !scanner.take(b')') {
            if let Some(frame) = self.known_frame(scanner, none.is_some()) {
                self.path.push(frame);
            } else {
                let triple = Triple::read(scanner)?;
                if self.path.is_empty() && self.stands_for_none(&triple) {
                    none = Some(triple);
                } else {
                    if let Some(triple) = none.take() {
                        let frame = self.frame(&triple, scanner, notes)?;
                        self.path.push(frame);
                    }
                    let frame = self.frame(&triple, scanner, notes)?;
                    self.path.push(frame);
                }
            }
            if !scanner.take(b',') {
                scanner.expect(b')', "`,` or `)` after a frame")?;
                if self.path.len() + usize::from(none.is_some()) == 1 {
                    return Err(scanner.fail(Error::expected(
                        "a comma after the only frame of a stack",
                        "`)`",
                    )));
                }
                break;
            }
        }
        let stacks = &mut self.profile.stacks;
        Ok((self.path.iter().rev()).fold(StackId::ROOT, |at, frame| stacks.push(at, *frame)))
    }

    /// Takes a frame that was seen before, letter for letter, up to its first closing parenthesis:
    /// what most frames are, and quicker than reading one. `None`, and nothing taken, for any other.
    #[inline]
    fn known_frame(&self, scanner: &mut Scanner<'t>, after_none: bool) -> Option<FrameId> {
        if after_none || (self.empty.is_some() && self.path.is_empty()) {
            return None;
        }
        let literal = scanner.up_to(b')')?;
        let frame = *self.frames.get(literal)?;
        scanner.skip(literal.len());
        Some(frame)
    }

    /// The id of a frame.
    fn frame(
        &mut self,
        triple: &Triple<'t>,
        scanner: &Scanner<'t>,
        notes: &mut Notes,
    ) -> Result<FrameId> {
        if let Some(frame) = self.frames.get(triple.literal) {
            return Ok(*frame);
        }
        let line = match triple.line {
            None => {
                let first = notes.count("no-line") == 0;
                let place = first.then(|| scanner.place(triple.line_start));
                notes.add("no-line", place, || "lines that are None became 0".into());
                0
            }
            Some(digits) => line_number(digits).ok_or_else(|| {
                Error::expected("a line that fits 64 bits", &quoted(digits))
                    .at(scanner.place(triple.line_start))
            })?,
        };
        let broken = |text: String| Error::new(text).at(scanner.place(triple.start));
        let file = triple.file.bytes().map_err(broken)?;
        let name = triple.name.bytes().map_err(broken)?;
        let id = frame(&mut self.profile, &file, line, &name);
        self.frames.insert(triple.literal, id);
        Ok(id)
    }

    /// Whether a frame is the one that stands for no frames.
    fn stands_for_none(&self, triple: &Triple) -> bool {
        let Some((file, line, name)) = self.empty else {
            return false;
        };
        triple.line.and_then(line_number) == Some(line)
            && triple.file.bytes().is_ok_and(|bytes| *bytes == *file)
            && triple.name.bytes().is_ok_and(|bytes| *bytes == *name)
    }
}

/// A frame as it stands in the text: a tuple of file, line and function.
struct Triple<'t> {
    literal: &'t [u8],
    start: usize,
    file: RawString<'t>,
    /// The digits; `None` if the text says so.
    line: Option<&'t [u8]>,
    line_start: usize,
    name: RawString<'t>,
}

impl<'t> Triple<'t> {
    fn read(scanner: &mut Scanner<'t>) -> Result<Self> {
        scanner.peek();
        let start = scanner.at();
        scanner.expect(b'(', "a frame, a tuple of file, line and function")?;
        let file = scanner.string()?;
        scanner.expect(b',', "`,` and a line")?;
        scanner.peek();
        let line_start = scanner.at();
        let line = match scanner.take_word(b"None") {
            true => None,
            false => Some(scanner.number()?),
        };
        scanner.expect(b',', "`,` and a function")?;
        let name = scanner.string()?;
        scanner.take(b',');
        scanner.expect(b')', "`)` after file, line and function")?;
        Ok(Triple {
            literal: scanner.since(start),
            start,
            file,
            line,
            line_start,
            name,
        })
    }
}

/// What Python tells a key by, as bytes: the same for keys that are equal to Python 3.
fn python_identity(key: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::new(key);
    let mut identity = Vec::with_capacity(key.len());
    scanner.take(b'(');
    while let Ok(triple) = Triple::read(&mut scanner) {
        triple.file.push_identity(&mut identity);
        identity.extend_from_slice(triple.line.map_or(&b"None"[..], |line| line));
        triple.name.push_identity(&mut identity);
        scanner.take(b',');
    }
    identity
}

fn line_number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The frame of a file, line and function.
pub(super) fn frame(profile: &mut Profile, file: &[u8], line: i64, name: &[u8]) -> FrameId {
    let function = profile.function(name, file);
    profile.frames.intern(Frame {
        line,
        ..Frame::of(function)
    })
}

fn weight_of(scanner: &mut Scanner) -> Result<Weight> {
    scanner.peek();
    let start = scanner.at();
    let digits = scanner.number()?;
    weight::parse(digits).map_err(|problem| {
        let expected = match problem {
            NoWeight::TooLarge => "a count that fits 64 bits",
            NoWeight::NotANumber | NoWeight::Notation => "a count in plain digits",
        };
        Error::expected(expected, &quoted(digits)).at(scanner.place(start))
    })
}

/// Finishes a file without a header.
fn version_1(mut profile: Profile, rows: &[Row], notes: &mut Notes) -> Profile {
    let mut places = Places::default();
    for (n, row) in rows.iter().enumerate() {
        places.note(n, row.weight);
        let value = [row.weight.mantissa];
        profile.samples.push(Sample::of(row.stack, &value));
    }
    let scale = Places::common(std::iter::once(&places));
    let rounded = places.bring_to(scale, profile.samples.values_mut().iter_mut());
    profile.values[0].scale = scale;
    if rounded > 0 {
        notes.add_many("rounded", rounded, None, || ROUNDED.into());
    }
    if rows.len() == CAP {
        profile
            .meta
            .extra
            .push(("capped".into(), Attribute::Number(CAP as i64)));
        notes.add("capped", None, || {
            format!("exactly {CAP} stacks: Plop keeps the {CAP} heaviest and drops the rest, so the total may be too small")
        });
    }
    if has_definition_lines(&profile) {
        notes.add("definition-lines", None, || {
            "the lines are those of definitions, as Plop up to 0.3 recorded them".into()
        });
        profile = with_definition_lines(profile);
    }
    profile
}

/// Whether the lines of a version 1 file are those of the definitions, as Plop up to 0.3 recorded
/// them, rather than those that ran.
///
/// A module's code begins before its functions are defined, and runs on to call them after: where
/// every `<module>` stands before all other functions of its file, the lines are definitions. Since a
/// short file proves little, there must be ten functions, and nearly every one have a single line.
fn has_definition_lines(profile: &Profile) -> bool {
    let mut frames = vec![0u32; profile.functions.len()];
    let mut first: HashMap<StrId, i64, RandomState> = HashMap::default();
    let mut modules = Vec::new();
    for (id, frame) in profile.frames.iter() {
        frames[frame.function.index()] += 1;
        let file = profile.function_of(id).file;
        if profile.name_of(id) == b"<module>" {
            modules.push((file, frame.line));
        } else {
            let line = first.entry(file).or_insert(i64::MAX);
            *line = frame.line.min(*line);
        }
    }
    let several = frames.iter().filter(|count| **count > 1).count();
    let compared: Vec<bool> = (modules.iter())
        .filter_map(|(file, line)| Some(line <= first.get(file)?))
        .collect();
    frames.len() >= 10
        && several * 6 <= frames.len()
        && !compared.is_empty()
        && compared.iter().all(|before| *before)
}

pub(super) fn with_definition_lines(profile: Profile) -> Profile {
    profile.with_frames(|profile, id| {
        let frame = *profile.frames.get(id);
        let function = Function {
            start_line: frame.line,
            ..*profile.functions.get(frame.function)
        };
        (function, Frame { line: 0, ..frame })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(text: &str, sum_duplicates: bool) -> (i64, Vec<&'static str>) {
        let options = ReadOptions {
            sum_duplicates,
            ..ReadOptions::default()
        };
        let mut notes = Notes::new();
        let profiles = read(text.as_bytes(), &options, &mut notes).unwrap();
        (
            profiles[0].total(0),
            notes.iter().map(|note| note.code).collect(),
        )
    }

    /// A dictionary of one-frame stacks, given by their file as it is written, and counts.
    fn dict(entries: &[(&str, i64)]) -> String {
        let entries: Vec<String> = (entries.iter())
            .map(|(file, count)| format!("(({file}, 1, 'f'),): {count}"))
            .collect();
        format!("{{{}}}", entries.join(", "))
    }

    #[test]
    fn of_a_key_that_stands_there_twice_the_last_count_stands() {
        let same = [r"'a'", r#""a""#, r"u'a'", r"'\x61'", r"'\141'"];
        for file in same {
            let text = dict(&[("'a'", 1), (file, 2)]);
            assert_eq!(total(&text, false), (2, vec!["duplicate-stack"]), "{text}");
            assert_eq!(total(&text, true), (3, vec!["duplicate-stack"]), "{text}");
        }
    }

    #[test]
    fn keys_that_python_tells_apart_are_added_up() {
        for (a, b) in [
            ("'a'", "b'a'"),
            (r"'\xc3\xa9'", r"u'\xe9'"),
            (r"'\udcc3\udca9'", "'é'"),
        ] {
            let text = dict(&[(a, 1), (b, 2)]);
            assert_eq!(total(&text, false), (3, vec!["stacks-alike"]), "{text}");
        }
        let text = dict(&[("'a'", 1), ("b'a'", 2), ("'a'", 4)]);
        assert_eq!(total(&text, false).0, 6);
        assert_eq!(total(&text, true).0, 7);
        let none = "{(('a', None, 'f'),): 1, (('a', 0, 'f'),): 2}";
        assert_eq!(total(none, false).0, 3);
    }

    #[test]
    fn the_cap_is_remembered() {
        let entries: Vec<(String, i64)> = (0..50).map(|n| (format!("'{n}'"), 1)).collect();
        let entries: Vec<(&str, i64)> = entries.iter().map(|(file, n)| (&file[..], *n)).collect();
        assert_eq!(total(&dict(&entries), false).1, ["capped"]);
        assert_eq!(total(&dict(&entries[..49]), false).1, [""; 0]);
        assert_eq!(
            total("# plop 2 {\"capped\":50}\n{(('a', 1, 'f'),): 1}", false).1,
            ["capped"]
        );
    }
}
