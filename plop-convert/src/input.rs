//! From the bytes of a file to profiles: inflate, take off a byte order mark, detect, read, check.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use plop_core::{Error, Notes, Place, Profile, Result};
use rayon::prelude::*;

use crate::format::{Confidence, Format, Read, ReadOptions, ReadPartsFn};
use crate::formats;
use crate::head::Head;
use crate::source::{Source, unreadable};

/// What was read from one input.
pub struct Loaded {
    /// The format it was in.
    pub format: &'static Format,
    /// Its profiles; at least one.
    pub profiles: Vec<Profile>,
    /// What the reader had to put up with.
    pub notes: Notes,
}

/// Reads the bytes of a profile, in the format `from` or, without it, in the format that they turn
/// out to have.
///
/// ```
/// use plop_convert::{ReadOptions, read};
///
/// let loaded = read(b"main;parse 3\nmain 1\n", None, &ReadOptions::default())?;
/// assert_eq!(loaded.format.name, "folded");
/// assert_eq!(loaded.profiles[0].total(0), 4);
/// # Ok::<(), plop_core::Error>(())
/// ```
///
/// # Errors
/// When no format or several formats recognise the input, when it is broken, or when it inflates
/// past the limit.
pub fn read(input: &[u8], from: Option<&'static Format>, options: &ReadOptions) -> Result<Loaded> {
    let plain = inflate(input, options)?;
    let text = without_byte_order_mark(&plain)?;
    let format = match from {
        Some(format) => format,
        None => detect_head(&Head::of(&text), options.name)?,
    };
    let mut notes = Notes::new();
    let profiles = match format.read {
        Read::Parts(read) => return read_parts(format, read, &&*text, options),
        Read::Whole(read) => read(&text, options, &mut notes),
        Read::Never => {
            let never = format!("plop writes {} but does not read it", format.name);
            return Err(Error::new(never));
        }
    };
    let is_blank = || text.trim_ascii().is_empty();
    let profiles = profiles
        .and_then(|profiles| checked(profiles, text.len() as u64, is_blank, &notes))
        .map_err(|error| error.in_format(format.name))?;
    Ok(Loaded {
        format,
        profiles,
        notes,
    })
}

/// Reads a profile as [`read`] does; where its format allows, its bytes are never all in memory.
///
/// ```
/// use plop_convert::{ReadOptions, read_source};
///
/// let file: &[u8] = b"main;parse 3\nmain 1\n"; // or a type of yours that is a `Source`
/// let loaded = read_source(&file, None, &ReadOptions::default())?;
/// assert_eq!(loaded.profiles[0].total(0), 4);
/// # Ok::<(), plop_core::Error>(())
/// ```
///
/// # Errors
/// As [`read`], and when the source cannot be read.
pub fn read_source(
    source: &dyn Source,
    from: Option<&'static Format>,
    options: &ReadOptions,
) -> Result<Loaded> {
    let start = Head::start(source)?;
    if !is_encoded(&start) {
        let format = match from {
            Some(format) => format,
            None => detect_head(&Head::of_start(&start, source.len()), options.name)?,
        };
        if let Read::Parts(read) = format.read {
            return read_parts(format, read, source, options);
        }
    }
    read(&whole(source)?, from, options)
}

fn read_parts(
    format: &'static Format,
    read: ReadPartsFn,
    source: &dyn Source,
    options: &ReadOptions,
) -> Result<Loaded> {
    let mut notes = Notes::new();
    let profiles = read(source, options, &mut notes);
    // What is no sample and nothing to complain of is white space.
    let is_blank = || notes.count("bad-line") == 0;
    let profiles = profiles
        .and_then(|profiles| checked(profiles, source.len(), is_blank, &notes))
        .map_err(|error| error.in_format(format.name))?;
    Ok(Loaded {
        format,
        profiles,
        notes,
    })
}

/// All bytes of a source, read by as many threads as there are.
fn whole(source: &dyn Source) -> Result<Vec<u8>> {
    let len = usize::try_from(source.len()).map_err(|_| Error::new("larger than memory"))?;
    let mut bytes = vec![0; len];
    let piece = len.div_ceil(rayon::current_num_threads()).max(LARGE);
    (bytes.par_chunks_mut(piece).enumerate())
        .try_for_each(|(n, part)| source.read_at((n * piece) as u64, part))
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Sources below this are read by one thread.
const LARGE: usize = 8 << 20;

/// The profiles, if they keep their invariants and are not empty without a reason.
fn checked(
    profiles: Vec<Profile>,
    len: u64,
    is_blank: impl FnOnce() -> bool,
    notes: &Notes,
) -> Result<Vec<Profile>> {
    for profile in &profiles {
        profile.check()?;
    }
    let nothing = profiles.iter().all(|profile| profile.samples.is_empty());
    if nothing && notes.count("no-samples") == 0 && !is_blank() {
        let found = match notes.iter().find(|note| note.code == "bad-line") {
            Some(note) => format!("none in {len} bytes: {note}"),
            None => format!("none in {len} bytes"),
        };
        return Err(Error::expected("samples", &found)
            .hint("if it is another format, say which with --from"));
    }
    Ok(profiles)
}

/// The format that an input turns out to have, compressed or not. `name`, the file's, decides between
/// formats that are equally sure.
///
/// # Errors
/// When no format recognises the input, or several do and the name does not decide; when it is
/// compressed and broken.
pub fn detect(input: &[u8], name: &str) -> Result<&'static Format> {
    let plain = inflate(input, &ReadOptions::default())?;
    detect_head(&Head::of(&without_byte_order_mark(&plain)?), name)
}

fn detect_head(head: &Head, name: &str) -> Result<&'static Format> {
    let readable = || formats().iter().filter(|format| format.is_read());
    let best = readable()
        .map(|format| (format.detect)(head))
        .max()
        .unwrap_or(Confidence::No);
    if best == Confidence::No {
        let tried: Vec<_> = readable().map(|format| format.name).collect();
        return Err(Error::new(format!(
            "not a profile plop knows; it begins with {}; tried {}",
            plop_core::quoted(head.bytes),
            tried.join(", ")
        ))
        .hint("say which format it is with --from"));
    }
    let candidates: Vec<_> = readable()
        .filter(|format| (format.detect)(head) == best)
        .collect();
    if let [format] = candidates[..] {
        return Ok(format);
    }
    let by_name: Vec<_> = candidates
        .iter()
        .filter(|format| format.extension_of(name).is_some())
        .collect();
    if let [format] = by_name[..] {
        return Ok(format);
    }
    let names: Vec<_> = candidates.iter().map(|format| format.name).collect();
    Err(
        Error::new(format!("it could be {}", names.join(" or "))).hint(format!(
            "say which with --from {}",
            names.join(" or --from ")
        )),
    )
}

/// Whether bytes begin as something that has to be decoded first.
fn is_encoded(start: &[u8]) -> bool {
    start.starts_with(GZIP) || MARKS.iter().any(|mark| start.starts_with(mark))
}

const GZIP: &[u8] = &[0x1f, 0x8b];
/// Byte order marks of UTF-8 and UTF-16.
const MARKS: &[&[u8]] = &[&[0xef, 0xbb, 0xbf], &[0xff, 0xfe], &[0xfe, 0xff]];

/// The input inflated if it is gzip, all members of it.
fn inflate<'a>(input: &'a [u8], options: &ReadOptions) -> Result<Cow<'a, [u8]>> {
    if !input.starts_with(GZIP) {
        return Ok(Cow::Borrowed(input));
    }
    let limit = options.max_inflated;
    let mut inflated = Vec::new();
    MultiGzDecoder::new(input)
        .take(limit.saturating_add(1))
        .read_to_end(&mut inflated)
        .map_err(|error| {
            Error::new(format!(
                "broken gzip after {} inflated bytes: {error}",
                inflated.len()
            ))
            .hint("was the file cut off? gzip -t checks it")
        })?;
    if inflated.len() as u64 > limit {
        return Err(Error::new(format!(
            "{} bytes of gzip inflate to more than the limit of {limit} bytes",
            input.len()
        ))
        .at(Place::Byte(limit))
        .hint("raise it with --max-inflated if you trust the file"));
    }
    Ok(Cow::Owned(inflated))
}

/// Text in UTF-16 as UTF-8, and UTF-8 without its byte order mark.
fn without_byte_order_mark(input: &[u8]) -> Result<Cow<'_, [u8]>> {
    let decode: fn([u8; 2]) -> u16 = match input {
        [0xef, 0xbb, 0xbf, rest @ ..] => return Ok(Cow::Borrowed(rest)),
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return Ok(Cow::Borrowed(input)),
    };
    if input.len() % 2 == 1 {
        return Err(Error::new("UTF-16 text with half a character at its end")
            .at(Place::Byte(input.len() as u64 - 1)));
    }
    let units = input[2..]
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| decode(*pair));
    let mut text = Vec::with_capacity(input.len());
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            // Half of a pair is kept as the bytes it would have in UTF-8.
            Err(half) => {
                let code = half.unpaired_surrogate();
                text.extend_from_slice(&[
                    0xe0 | (code >> 12) as u8,
                    0x80 | (code >> 6 & 0x3f) as u8,
                    0x80 | (code & 0x3f) as u8,
                ]);
            }
        }
    }
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(input: &[u8], options: &ReadOptions) -> String {
        match read(input, None, options) {
            Err(error) => error.to_string(),
            Ok(loaded) => panic!("read as {}", loaded.format.name),
        }
    }

    #[test]
    fn what_nobody_knows_is_refused_with_what_was_tried() {
        let message = refusal(b"\x7fELF\x02\x01", &ReadOptions::default());
        assert!(message.contains("`\\x7fELF"), "{message}");
        assert!(message.contains("plop, folded"), "{message}");
        assert!(message.contains("--from"), "{message}");
    }

    #[test]
    fn gzip_is_inflated_up_to_the_limit_members_and_all() {
        use std::io::Write;
        let gzip = |text: &str| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        let two = [gzip("a;b 1\n"), gzip("a 2\n")].concat();
        let loaded = read(&two, None, &ReadOptions::default()).unwrap();
        assert_eq!(loaded.profiles[0].total(0), 3);
        let bomb = gzip(&"a;b 1\n".repeat(100_000));
        let small = ReadOptions {
            max_inflated: 1000,
            ..ReadOptions::default()
        };
        assert!(refusal(&bomb, &small).contains("more than the limit of 1000 bytes"));
        let cut = &two[..two.len() - 5];
        assert!(refusal(cut, &ReadOptions::default()).contains("broken gzip"));
    }

    #[test]
    fn byte_order_marks_are_understood() {
        let le: Vec<u8> = "\u{feff}é 3\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "\u{feff}é 3\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        for input in [le, be, "\u{feff}é 3\n".into()] {
            let loaded = read(&input, None, &ReadOptions::default()).unwrap();
            let dump = loaded.profiles[0].dump();
            assert!(dump.ends_with("é; = 3\n"), "{dump}");
        }
        let half = read(b"\xff\xfe\x00\xd8 \x001\x00", None, &ReadOptions::default()).unwrap();
        assert_eq!(
            half.profiles[0].name_of(plop_core::FrameId::new(0)),
            b"\xed\xa0\x80"
        );
        assert!(refusal(b"\xff\xfea", &ReadOptions::default()).contains("half a character"));
    }
}
