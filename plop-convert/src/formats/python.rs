//! Python literals: what `repr` writes in Python 2 and 3, read and written.
//!
//! Only what a `.plop` file can hold: a dictionary, tuples, strings and numbers, with white space
//! and comments between them. Nothing is evaluated, and nothing recurses.

use std::borrow::Cow;

use memchr::memchr2;
use plop_core::{Error, Place, Result, quoted};

/// Reads tokens off a text, and knows where it is.
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

/// A string literal as it stands in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RawString<'t> {
    /// What stands between the quotes.
    body: &'t [u8],
    prefix: Prefix,
    escaped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Prefix {
    None,
    Unicode,
    Bytes,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Scanner { text, at: 0 }
    }

    /// How many bytes have been read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What was read since byte `start`.
    pub(super) fn since(&self, start: usize) -> &'t [u8] {
        &self.text[start..self.at]
    }

    /// Passes over white space and comments; returns the next byte without taking it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => self.at += 1,
                b'#' => {
                    let rest = &self.text[self.at..];
                    self.at += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
                byte => return Some(*byte),
            }
        }
    }

    /// What comes next up to and with `byte`, nothing taken but white space before it.
    #[inline]
    pub(super) fn up_to(&mut self, byte: u8) -> Option<&'t [u8]> {
        self.peek()?;
        let rest = &self.text[self.at..];
        memchr::memchr(byte, rest).map(|end| &rest[..=end])
    }

    /// Takes `len` bytes that [`Scanner::up_to`] returned.
    #[inline]
    pub(super) fn skip(&mut self, len: usize) {
        self.at += len;
    }

    /// Takes `byte` if it comes next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Takes `byte`, which must come next.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, what: &str) -> Result<()> {
        match self.take(byte) {
            true => Ok(()),
            false => Err(self.unexpected(what)),
        }
    }

    /// The error that something else stands here.
    pub(super) fn unexpected(&mut self, expected: &str) -> Error {
        let found = match self.peek() {
            Some(_) => quoted(&self.text[self.at..self.text.len().min(self.at + 20)]),
            None => "the end of the file".into(),
        };
        self.fail(Error::expected(expected, &found))
    }

    /// An error with the place where the scanner is.
    pub(super) fn fail(&self, error: Error) -> Error {
        error.at(self.place(self.at))
    }

    /// Line and column of a byte.
    pub(super) fn place(&self, byte: usize) -> Place {
        let before = &self.text[..byte.min(self.text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
        Place::Line {
            line: memchr::memchr_iter(b'\n', before).count() as u64 + 1,
            column: (before.len() - line_start) as u64 + 1,
        }
    }

    /// Takes a string literal.
    #[inline]
    pub(super) fn string(&mut self) -> Result<RawString<'t>> {
        let prefix = match self.peek() {
            Some(b'u' | b'U') => Prefix::Unicode,
            Some(b'b' | b'B') => Prefix::Bytes,
            _ => Prefix::None,
        };
        let open = self.at + usize::from(prefix != Prefix::None);
        let Some(quote @ (b'\'' | b'"')) = self.text.get(open).copied() else {
            return Err(self.unexpected("a string"));
        };
        let start = open + 1;
        let mut end = start;
        let mut escaped = false;
        loop {
            let Some(found) = memchr2(quote, b'\\', &self.text[end..]) else {
                return Err(self.fail(Error::expected("a closing quote", "the end of the file")));
            };
            end += found;
            if self.text[end] == quote {
                break;
            }
            escaped = true;
            end += 2;
            if end > self.text.len() {
                return Err(self.fail(Error::expected("a closing quote", "the end of the file")));
            }
        }
        self.at = end + 1;
        Ok(RawString {
            body: &self.text[start..end],
            prefix,
            escaped,
        })
    }

    /// Takes a number, as text: digits with a sign before them and a point or an exponent in them.
    /// The `L` of Python 2's long numbers is taken and left out.
    #[inline]
    pub(super) fn number(&mut self) -> Result<&'t [u8]> {
        self.peek();
        let start = self.at;
        let rest = &self.text[start..];
        let len = rest
            .iter()
            .take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        if len == 0 {
            return Err(self.unexpected("a number"));
        }
        let digits = rest.strip_prefix(b"-").unwrap_or(rest);
        if let [b'0', b'0'..=b'9', ..] = digits {
            return Err(
                self.unexpected("a number without zeros before it, which Python 2 takes for octal")
            );
        }
        self.at += len;
        if matches!(self.text.get(self.at), Some(b'L' | b'l')) {
            self.at += 1;
        }
        Ok(&rest[..len])
    }

    /// Takes `word` if it comes next.
    pub(super) fn take_word(&mut self, word: &[u8]) -> bool {
        self.peek();
        let here = self.text[self.at..].starts_with(word);
        self.at += if here { word.len() } else { 0 };
        here
    }
}

impl RawString<'_> {
    /// Appends what Python 3 tells the string by: whether it is bytes, its length, and its characters,
    /// those of `\\x80` and up told from the bytes of UTF-8.
    pub(super) fn push_identity(&self, out: &mut Vec<u8>) {
        out.push(if self.prefix == Prefix::Bytes {
            b'b'
        } else {
            b't'
        });
        let start = out.len();
        let mut rest = self.body;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let code = match (byte, escape(after, self.prefix)) {
                (b'\\', Ok((meaning, after))) => {
                    rest = after;
                    match meaning {
                        Meaning::Byte(byte) | Meaning::High(byte) => u32::from(byte),
                        Meaning::Char(code) => code,
                        Meaning::Nothing => continue,
                        Meaning::AsIs(byte) => {
                            out.push(b'\\');
                            u32::from(byte)
                        }
                    }
                }
                (byte, _) => {
                    out.push(byte);
                    continue;
                }
            };
            match char::from_u32(code) {
                Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => out.extend_from_slice(&[0xff, (code >> 8) as u8, code as u8]),
            }
        }
        out.extend_from_slice(&(out.len() - start).to_le_bytes());
    }

    /// The bytes that the literal means.
    ///
    /// Text becomes UTF-8. A lone surrogate `\udc80` to `\udcff`, by which Python 3 writes a byte of a
    /// file name that is not UTF-8, becomes that byte; any other lone surrogate becomes the three
    /// bytes that UTF-8 would give it, were it allowed. Without a prefix, `\x80` to `\xff` are bytes
    /// if several of them are UTF-8 together, as Python 2 writes text, or if one of them is a letter
    /// or sign that Python 3 would not have escaped; the rest are characters.
    ///
    /// # Errors
    /// A broken escape, in words.
    pub(super) fn bytes(&self) -> std::result::Result<Cow<'_, [u8]>, String> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.body));
        }
        let mut out = Vec::with_capacity(self.body.len());
        let mut high = Vec::new();
        let mut rest = self.body;
        while let Some((&byte, after)) = rest.split_first() {
            if byte != b'\\' {
                self.flush(&mut high, &mut out);
                out.push(byte);
                rest = after;
                continue;
            }
            let (meaning, after) = escape(after, self.prefix)?;
            rest = after;
            match meaning {
                Meaning::High(byte) => high.push(byte),
                other => {
                    self.flush(&mut high, &mut out);
                    match other {
                        Meaning::Byte(byte) => out.push(byte),
                        Meaning::Char(code) => push_code(code, &mut out),
                        Meaning::Nothing | Meaning::High(_) => {}
                        Meaning::AsIs(byte) => out.extend_from_slice(&[b'\\', byte]),
                    }
                }
            }
        }
        self.flush(&mut high, &mut out);
        Ok(Cow::Owned(out))
    }

    /// Writes a run of `\x80` to `\xff` escapes as what they mean.
    fn flush(&self, high: &mut Vec<u8>, out: &mut Vec<u8>) {
        if high.is_empty() {
            return;
        }
        // Of these characters Python 3 escapes only the unprintable: the controls, the no-break space
        // and the soft hyphen.
        let python3_escapes = |byte: &u8| matches!(byte, 0x80..=0xa0 | 0xad);
        let bytes = match self.prefix {
            Prefix::Bytes => true,
            Prefix::Unicode => false,
            Prefix::None => std::str::from_utf8(high).is_ok() || !high.iter().all(python3_escapes),
        };
        if bytes {
            out.extend_from_slice(high);
        } else {
            for byte in high.iter() {
                push_code(u32::from(*byte), out);
            }
        }
        high.clear();
    }
}

enum Meaning {
    /// A byte below 0x80.
    Byte(u8),
    /// `\x80` to `\xff`.
    High(u8),
    /// A code point.
    Char(u32),
    /// A line continued.
    Nothing,
    /// A backslash that escapes nothing, and what follows it.
    AsIs(u8),
}

/// What the escape means whose backslash was just taken, and what follows it.
fn escape(rest: &[u8], prefix: Prefix) -> std::result::Result<(Meaning, &[u8]), String> {
    let Some((&kind, rest)) = rest.split_first() else {
        return Err("a backslash at the end of a string".into());
    };
    let hex = |digits: usize| -> std::result::Result<(u32, &[u8]), String> {
        let text = rest
            .get(..digits)
            .and_then(|text| std::str::from_utf8(text).ok());
        let valid = |text: &&str| text.bytes().all(|b| b.is_ascii_hexdigit());
        text.filter(valid)
            .and_then(|text| u32::from_str_radix(text, 16).ok())
            .map(|code| (code, &rest[digits..]))
            .ok_or_else(|| format!("\\{} without its {digits} hexadecimal digits", kind as char))
    };
    let byte = |byte| Ok((Meaning::Byte(byte), rest));
    match kind {
        b'n' => byte(b'\n'),
        b't' => byte(b'\t'),
        b'r' => byte(b'\r'),
        b'a' => byte(0x07),
        b'b' => byte(0x08),
        b'f' => byte(0x0c),
        b'v' => byte(0x0b),
        b'\\' | b'\'' | b'"' => byte(kind),
        b'\n' => Ok((Meaning::Nothing, rest)),
        b'\r' => Ok((Meaning::Nothing, rest.strip_prefix(b"\n").unwrap_or(rest))),
        b'x' => hex(2).map(|(code, rest)| (low_or_high(code), rest)),
        b'u' | b'U' if prefix == Prefix::Bytes => Ok((Meaning::AsIs(kind), rest)),
        b'u' => hex(4).map(|(code, rest)| (Meaning::Char(code), rest)),
        b'U' => match hex(8)? {
            (code, rest) if code <= 0x10_ffff => Ok((Meaning::Char(code), rest)),
            (code, _) => Err(format!("\\U{code:08x} is past the last character")),
        },
        b'0'..=b'7' => {
            let mut code = u32::from(kind - b'0');
            let mut rest = rest;
            for _ in 0..2 {
                if let Some((&digit @ b'0'..=b'7', after)) = rest.split_first() {
                    code = code * 8 + u32::from(digit - b'0');
                    rest = after;
                }
            }
            Ok((low_or_high(code & 0xff), rest))
        }
        other => Ok((Meaning::AsIs(other), rest)),
    }
}

fn low_or_high(code: u32) -> Meaning {
    match code as u8 {
        byte @ 0..=0x7f => Meaning::Byte(byte),
        byte => Meaning::High(byte),
    }
}

/// Appends a code point, a surrogate as [`RawString::bytes`] says.
fn push_code(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None if (0xdc80..=0xdcff).contains(&code) => out.push((code - 0xdc00) as u8),
        None => out.extend_from_slice(&[
            0xe0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
}

/// The lone surrogate that three bytes stand for, unless it is one that stands for a byte.
fn lone_surrogate(bytes: &[u8]) -> Option<u32> {
    let [0xed, b @ 0xa0..=0xbf, c @ 0x80..=0xbf, ..] = *bytes else {
        return None;
    };
    let code = 0xd000 | u32::from(b & 0x3f) << 6 | u32::from(c & 0x3f);
    (!(0xdc80..=0xdcff).contains(&code)).then_some(code)
}

/// Appends a string, quoted as Python 3's `repr` does: by single quotes, unless the text has some and
/// no double ones.
///
/// Only ASCII is escaped. `repr` escapes some other characters that cannot be seen, such as the
/// no-break space, but as escapes they mean something else in a `str` of Python 2.
pub(super) fn push_repr(text: &[u8], out: &mut Vec<u8>) {
    let quote = match text.contains(&b'\'') && !text.contains(&b'"') {
        true => b'"',
        false => b'\'',
    };
    out.push(quote);
    let mut rest = text;
    while !rest.is_empty() {
        let chunk = rest
            .utf8_chunks()
            .next()
            .expect("a text that is not empty has a chunk");
        for c in chunk.valid().chars() {
            push_char(c, quote, out);
        }
        rest = &rest[chunk.valid().len()..];
        if chunk.invalid().is_empty() {
            continue;
        }
        if let Some(code) = lone_surrogate(rest) {
            out.extend_from_slice(format!("\\u{code:04x}").as_bytes());
            rest = &rest[3..];
        } else {
            out.extend_from_slice(format!("\\udc{:02x}", rest[0]).as_bytes());
            rest = &rest[1..];
        }
    }
    out.push(quote);
}

fn push_char(c: char, quote: u8, out: &mut Vec<u8>) {
    match c {
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        c if c as u32 == u32::from(quote) => out.extend_from_slice(&[b'\\', quote]),
        '\0'..='\x1f' | '\x7f' => {
            out.extend_from_slice(format!("\\x{:02x}", c as u32).as_bytes());
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(literal: &str) -> Vec<u8> {
        let mut scanner = Scanner::new(literal.as_bytes());
        let raw = scanner.string().unwrap();
        assert_eq!(scanner.peek(), None, "{literal}");
        raw.bytes().unwrap().into_owned()
    }

    fn repr(text: &[u8]) -> String {
        let mut out = Vec::new();
        push_repr(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_mean_what_python_means() {
        for (literal, bytes) in [
            (r"'plain'", &b"plain"[..]),
            (r#""it's""#, b"it's"),
            (r#"'q\'uo\"te\\'"#, b"q'uo\"te\\"),
            (r"'\n\t\r\x00\x7f\101\0'", b"\n\t\r\0\x7fA\0"),
            (r"'mod\xc3\xa9'", "modé".as_bytes()),
            (r"u'mod\xe9'", "modé".as_bytes()),
            (r"b'\xe9'", b"\xe9"),
            (r"b'\u00e9'", b"\\u00e9"),
            ("'a\\\r\nb\\\nc'", b"abc"),
            (r"'\xe9'", b"\xe9"),
            (r"'\x85\xa0'", "\u{85}\u{a0}".as_bytes()),
            (r"'\xff\xfe'", b"\xff\xfe"),
            (r"'\u2028\U0001f600'", "\u{2028}\u{1f600}".as_bytes()),
            (r"'\udc80bad'", b"\x80bad"),
            (r"'\ud800'", b"\xed\xa0\x80"),
            (r"'\q'", b"\\q"),
            ("'é'", "é".as_bytes()),
        ] {
            assert_eq!(value(literal), bytes, "{literal}");
        }
    }

    #[test]
    fn what_repr_writes_means_the_same_again() {
        for text in [
            &b"plain"[..],
            b"it's",
            b"both ' and \"",
            b"\\ \n\t\r\0",
            "modé \u{85}\u{a0}\u{2028}😀".as_bytes(),
            b"\x80bad\xff",
            b"\xed\xa0\x80",
            b"\xed\xb2\x80",
            b"",
        ] {
            assert_eq!(value(&repr(text)), text, "{}", repr(text));
        }
        assert_eq!(repr(b"it's"), r#""it's""#);
        assert_eq!(repr("modé\n\u{a0}".as_bytes()), "'modé\\n\u{a0}'");
    }

    #[test]
    fn broken_strings_are_refused_where_they_break() {
        for literal in ["'open", "'open\\", "'\\", "x", "u", ""] {
            assert!(
                Scanner::new(literal.as_bytes()).string().is_err(),
                "{literal}"
            );
        }
        for literal in [r"'\x4'", r"'\u12'", r"'\U00110000'", r"'\xzz'"] {
            let raw = Scanner::new(literal.as_bytes()).string().unwrap();
            assert!(raw.bytes().is_err(), "{literal}");
        }
        let mut scanner = Scanner::new(b"# comment\n  {oops");
        scanner.expect(b'{', "a dictionary").unwrap();
        let error = scanner.expect(b'(', "a stack").unwrap_err().to_string();
        assert_eq!(error, "line 2, column 4: expected a stack, found `oops`");
    }
}
