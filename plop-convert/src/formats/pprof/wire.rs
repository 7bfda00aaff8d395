//! Protocol Buffers' wire format, read from a slice: tags, varints and what is skipped.
//!
//! It accepts and refuses exactly what prost does; a property test in [`decode`](super::decode) holds
//! it to that.

use plop_core::{Error, Place, Result};

/// How the bytes of a field are cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    Varint,
    Fixed64,
    Bytes,
    StartGroup,
    EndGroup,
    Fixed32,
}

/// How deep groups may nest that are passed over.
const MAX_GROUPS: usize = 100;

/// A place in a slice, and the slice's own place in the input, for messages.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    start: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which stand at byte `start` of the input.
    pub(crate) fn new(bytes: &'a [u8], start: usize) -> Self {
        Reader {
            bytes,
            at: 0,
            start,
        }
    }

    /// Whether everything has been read.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Where in the input it stands.
    #[inline]
    pub(crate) fn place(&self) -> usize {
        self.start + self.at
    }

    /// Moves on to a place of the input, which lies within the slice.
    pub(crate) fn go_to(&mut self, place: usize) {
        self.at = place - self.start;
    }

    fn error(&self, expected: &str, found: &str) -> Error {
        Error::expected(expected, found).at(Place::Byte(self.place() as u64))
    }

    /// A number of up to 64 bits.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut number = 0;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for (n, byte) in rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * n);
            if *byte < 0x80 {
                if n == 9 && *byte > 1 {
                    break;
                }
                self.at += n + 1;
                return Ok(number);
            }
        }
        let found = match rest.len() {
            0..10 => "the end of it",
            _ => "ten bytes or more without an end",
        };
        Err(self.error("a number of at most 64 bits", found))
    }

    /// The number of a field and how it is cut; `None` at the end.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<(u32, Wire)>> {
        if self.is_done() {
            return Ok(None);
        }
        let before = self.at;
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            3 => Wire::StartGroup,
            4 => Wire::EndGroup,
            5 => Wire::Fixed32,
            _ => return Err(self.bad_key(before, key)),
        };
        match u32::try_from(key) {
            Ok(key) if key >= 8 => Ok(Some((key >> 3, wire))),
            _ => Err(self.bad_key(before, key)),
        }
    }

    fn bad_key(&mut self, before: usize, key: u64) -> Error {
        self.at = before;
        self.error("a field", &format!("a key of {key:#x}"))
    }

    /// The bytes of a field that has a length, as a reader of its own.
    #[inline]
    pub(crate) fn nested(&mut self) -> Result<Reader<'a>> {
        let bytes = self.length_delimited()?;
        Ok(Reader::new(bytes, self.place() - bytes.len()))
    }

    /// The bytes of a field that has a length.
    #[inline]
    pub(crate) fn length_delimited(&mut self) -> Result<&'a [u8]> {
        let before = self.at;
        let length = self.varint()?;
        let rest = &self.bytes[self.at..];
        match usize::try_from(length) {
            Ok(length) if length <= rest.len() => {
                self.at += length;
                Ok(&rest[..length])
            }
            _ => {
                self.at = before;
                let found = format!("{} before the end", rest.len());
                Err(self.error(&format!("a field of {length} bytes"), &found))
            }
        }
    }

    /// A whole number, where field `number` has one.
    #[inline]
    pub(crate) fn number(&mut self, number: u32, wire: Wire) -> Result<u64> {
        match wire {
            Wire::Varint => self.varint(),
            _ => Err(self.unexpected(number, wire, "a number")),
        }
    }

    /// A signed number, where field `number` has one.
    #[inline]
    pub(crate) fn signed(&mut self, number: u32, wire: Wire) -> Result<i64> {
        Ok(self.number(number, wire)? as i64)
    }

    /// A message, where field `number` has one.
    #[inline]
    pub(crate) fn message(&mut self, number: u32, wire: Wire) -> Result<Reader<'a>> {
        match wire {
            Wire::Bytes => self.nested(),
            _ => Err(self.unexpected(number, wire, "a message")),
        }
    }

    /// Numbers, packed or one by one, behind those that `into` has.
    #[inline]
    pub(crate) fn numbers<T>(
        &mut self,
        number: u32,
        wire: Wire,
        into: &mut Vec<T>,
        of: impl Fn(u64) -> T,
    ) -> Result<()> {
        if wire != Wire::Bytes {
            into.push(of(self.number(number, wire)?));
            return Ok(());
        }
        let mut packed = self.nested()?;
        into.reserve(packed.bytes.len());
        // Most numbers take one byte or two.
        while let Some(rest) = packed.bytes.get(packed.at..) {
            let (value, length) = match rest {
                [] => break,
                [a, ..] if *a < 0x80 => (u64::from(*a), 1),
                [a, b, ..] if *b < 0x80 => (u64::from(a & 0x7f) | u64::from(*b) << 7, 2),
                [a, b, c, ..] if *c < 0x80 => {
                    let low = u64::from(a & 0x7f) | u64::from(b & 0x7f) << 7;
                    (low | u64::from(*c) << 14, 3)
                }
                _ => {
                    into.push(of(packed.long_varint()?));
                    continue;
                }
            };
            into.push(of(value));
            packed.at += length;
        }
        Ok(())
    }

    pub(crate) fn unexpected(&self, number: u32, wire: Wire, expected: &str) -> Error {
        self.error(
            &format!("{expected} in field {number}"),
            match wire {
                Wire::Varint => "a number",
                Wire::Fixed64 => "eight bytes",
                Wire::Bytes => "a field with a length",
                Wire::StartGroup | Wire::EndGroup => "a group",
                Wire::Fixed32 => "four bytes",
            },
        )
    }

    /// Passes over a field that means nothing to us.
    #[inline]
    pub(crate) fn skip(&mut self, number: u32, wire: Wire) -> Result<()> {
        match wire {
            Wire::Varint => self.varint().map(drop),
            Wire::Bytes => self.length_delimited().map(drop),
            Wire::Fixed64 => self.fixed(8),
            Wire::Fixed32 => self.fixed(4),
            Wire::StartGroup => self.group(number),
            Wire::EndGroup => Err(self.error("a field", "the end of a group that did not begin")),
        }
    }

    fn fixed(&mut self, length: usize) -> Result<()> {
        match self.bytes.len() - self.at {
            rest if rest >= length => {
                self.at += length;
                Ok(())
            }
            rest => Err(self.error(&format!("{length} bytes"), &format!("the last {rest}"))),
        }
    }

    /// Passes over the rest of a group and the groups in it.
    #[cold]
    fn group(&mut self, number: u32) -> Result<()> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            let Some((number, wire)) = self.field()? else {
                return Err(self.error("the end of a group", "the end of the message"));
            };
            match wire {
                Wire::StartGroup if open.len() < MAX_GROUPS => open.push(number),
                Wire::StartGroup => {
                    return Err(self.error("groups in each other", "more than 100 of them"));
                }
                Wire::EndGroup if number == *innermost => {
                    open.pop();
                }
                Wire::EndGroup => return Err(self.error("the end of a group", "another's")),
                _ => self.skip(number, wire)?,
            }
        }
        Ok(())
    }
}
