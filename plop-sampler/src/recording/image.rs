//! The sections of an image: where each begins and ends, and its rows as numbers. What the numbers
//! mean together, and whether ids lie within their tables, is checked where they are used.
//!
//! An image is little endian: the 8 bytes `PLOPREC1`, its length in bytes, then sections in any
//! order, each a tag, a zero, the length of its payload, and the payload padded to 8 bytes. Sections
//! of unknown tags are passed over.

use plop_core::{Error, Place, Result, quoted};

/// "No frame" and "no function", where an id stands.
pub(super) const NONE: u32 = u32::MAX;

const MAGIC: &[u8; 8] = b"PLOPREC1";

/// What a thread was doing when it was sampled.
pub(super) struct State;

impl State {
    /// The words for the states, by their numbers.
    pub(super) const WORDS: [&'static str; 5] = ["on CPU", "GIL", "idle", "runnable", "lock"];
}

/// An image, taken apart.
pub(super) struct Image<'i> {
    /// Lines `key=value`.
    pub(super) meta: &'i [u8],
    /// The strings; the first is empty.
    pub(super) strings: Vec<&'i [u8]>,
    /// Name, file and first line.
    pub(super) functions: Rows<'i, 12, [u32; 3]>,
    /// Function, line and kind.
    pub(super) frames: Rows<'i, 12, [u32; 3]>,
    /// Parent and frame.
    pub(super) nodes: Rows<'i, 8, [u32; 2]>,
    /// Thread id and name.
    pub(super) threads: Rows<'i, 8, [u32; 2]>,
    /// Samples, added up.
    pub(super) rows: Rows<'i, 32, Row>,
    /// Ticks, CPU time and time that passed.
    pub(super) slices: Rows<'i, 24, [u64; 3]>,
    /// Samples with their times.
    pub(super) timeline: Rows<'i, 40, Moment>,
}

/// Samples of one slice, thread, stack and state.
pub(super) struct Row {
    pub(super) slice: u32,
    pub(super) thread: u32,
    pub(super) node: u32,
    pub(super) state: u32,
    pub(super) cpu: i64,
    pub(super) wall: i64,
}

/// Samples of one moment.
pub(super) struct Moment {
    pub(super) time_ns: u64,
    pub(super) thread: u32,
    pub(super) node: u32,
    pub(super) state: u32,
    pub(super) cpu: i64,
    pub(super) wall: i64,
}

impl<'i> Image<'i> {
    /// Takes an image apart.
    pub(super) fn parse(image: &'i [u8]) -> Result<Self> {
        let Some((magic, rest)) = image.split_first_chunk::<8>() else {
            return Err(cut_short(image.len()));
        };
        if magic != MAGIC {
            return Err(Error::expected("`PLOPREC1`", &quoted(magic)).at(Place::Byte(0)));
        }
        let Some((length, _)) = rest.split_first_chunk::<8>() else {
            return Err(cut_short(image.len()));
        };
        let length = u64::from_le_bytes(*length);
        if length > image.len() as u64 {
            return Err(cut_short(image.len()));
        }
        if length < image.len() as u64 {
            return Err(Error::expected(
                &format!("{length} bytes"),
                &image.len().to_string(),
            ));
        }
        let mut payloads: [Option<&[u8]>; 9] = [None; 9];
        let mut at = 16;
        while at < image.len() {
            let (tag, payload) = section(image, at)?;
            let known = (tag as usize)
                .checked_sub(1)
                .and_then(|n| payloads.get_mut(n));
            if let Some(place) = known
                && place.replace(payload).is_some()
            {
                let twice = Error::new(format!("section {tag} is there twice"));
                return Err(twice.at(Place::Byte(at as u64)));
            }
            at += 16 + payload.len().next_multiple_of(8);
        }
        let [
            meta,
            strings,
            functions,
            frames,
            nodes,
            threads,
            rows,
            slices,
            timeline,
        ] = payloads.map(Option::unwrap_or_default);
        Ok(Image {
            meta,
            strings: texts(strings)?,
            functions: Rows::of(functions, "functions")?,
            frames: Rows::of(frames, "frames")?,
            nodes: Rows::of(nodes, "nodes")?,
            threads: Rows::of(threads, "threads")?,
            rows: Rows::of(rows, "samples")?,
            slices: Rows::of(slices, "slices")?,
            timeline: Rows::of(timeline, "times")?,
        })
    }
}

/// The tag and the payload of the section that begins at byte `at`.
fn section(image: &[u8], at: usize) -> Result<(u32, &[u8])> {
    let place = Place::Byte(at as u64);
    let rest = &image[at..];
    let Some((head, rest)) = rest.split_first_chunk::<16>() else {
        let found = format!("{} bytes", rest.len());
        return Err(Error::expected("the 16 bytes that begin a section", &found).at(place));
    };
    let [tag, zero, low, high] = <[u32; 4]>::of(head);
    if zero != 0 {
        return Err(Error::expected("a zero behind the tag", &zero.to_string()).at(place));
    }
    let length = u64::from(high) << 32 | u64::from(low);
    let fits = |length: &usize| {
        let padded = length.checked_next_multiple_of(8);
        padded.is_some_and(|padded| padded <= rest.len())
    };
    match usize::try_from(length).ok().filter(fits) {
        Some(length) => Ok((tag, &rest[..length])),
        None => Err(Error::new(format!(
            "section {tag} of {length} bytes is longer than the image"
        ))
        .at(place)),
    }
}

/// Strings, each behind its length.
fn texts(mut payload: &[u8]) -> Result<Vec<&[u8]>> {
    let mut texts = Vec::new();
    while !payload.is_empty() {
        let cut = || Error::new(format!("string {} is longer than its section", texts.len()));
        let (length, rest) = payload.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        texts.push(text);
        payload = rest;
    }
    match texts.first() {
        Some(first) if !first.is_empty() => {
            Err(Error::expected("an empty first string", &quoted(first)))
        }
        _ => Ok(texts),
    }
}

/// Rows of `SIZE` bytes each.
pub(super) struct Rows<'i, const SIZE: usize, T> {
    rows: &'i [[u8; SIZE]],
    of: std::marker::PhantomData<T>,
}

impl<'i, const SIZE: usize, T: FromBytes<SIZE>> Rows<'i, SIZE, T> {
    fn of(payload: &'i [u8], what: &str) -> Result<Self> {
        match payload.as_chunks() {
            (rows, []) => Ok(Rows {
                rows,
                of: std::marker::PhantomData,
            }),
            (_, rest) => Err(Error::new(format!(
                "{} bytes too many behind the {what}, which have {SIZE} each",
                rest.len()
            ))),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = T> + use<'i, SIZE, T> {
        self.rows.iter().map(T::of)
    }
}

/// What is made of the bytes of a row.
pub(super) trait FromBytes<const SIZE: usize> {
    fn of(bytes: &[u8; SIZE]) -> Self;
}

impl<const SIZE: usize, const N: usize> FromBytes<SIZE> for [u32; N] {
    fn of(bytes: &[u8; SIZE]) -> Self {
        let (words, _) = bytes.as_chunks();
        std::array::from_fn(|n| u32::from_le_bytes(words[n]))
    }
}

impl FromBytes<24> for [u64; 3] {
    fn of(bytes: &[u8; 24]) -> Self {
        let (words, _) = bytes.as_chunks();
        std::array::from_fn(|n| u64::from_le_bytes(words[n]))
    }
}

impl FromBytes<32> for Row {
    fn of(bytes: &[u8; 32]) -> Self {
        let [slice, thread, node, state, cpu, cpu_high, wall, wall_high] = <[u32; 8]>::of(bytes);
        Row {
            slice,
            thread,
            node,
            state,
            cpu: joined(cpu, cpu_high) as i64,
            wall: joined(wall, wall_high) as i64,
        }
    }
}

impl FromBytes<40> for Moment {
    fn of(bytes: &[u8; 40]) -> Self {
        let [
            time,
            time_high,
            thread,
            node,
            state,
            _,
            cpu,
            cpu_high,
            wall,
            wall_high,
        ] = <[u32; 10]>::of(bytes);
        Moment {
            time_ns: joined(time, time_high),
            thread,
            node,
            state,
            cpu: joined(cpu, cpu_high) as i64,
            wall: joined(wall, wall_high) as i64,
        }
    }
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn cut_short(length: usize) -> Error {
    Error::new("the image is cut short").at(Place::Byte(length as u64))
}
