//! The lines of a text profile, with their numbers.

use memchr::memmem;
use plop_core::{Error, Place, quoted};

/// The lines that are still to be read.
#[derive(Clone)]
pub(super) struct Lines<'t> {
    rest: &'t [u8],
    at: At,
}

/// Where a line is. Behind binary words there are no line numbers.
#[derive(Clone, Copy)]
enum At {
    Line(u64),
    Byte(u64),
}

/// A line without the white space at its end.
#[derive(Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) text: &'t [u8],
    at: At,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t [u8]) -> Self {
        Lines {
            rest: text,
            at: At::Line(1),
        }
    }

    /// The lines of a text that begins with this byte of a binary file.
    pub(super) fn at_byte(text: &'t [u8], byte: usize) -> Self {
        Lines {
            rest: text,
            at: At::Byte(byte as u64),
        }
    }

    /// The next line, which stays the next.
    pub(super) fn peek(&self) -> Option<Line<'t>> {
        self.clone().next()
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'t [u8] {
        self.rest
    }

    /// Where the next line is.
    pub(super) fn place(&self) -> Place {
        self.at.place()
    }

    /// Reads up to and including the line that announces the list of mapped binaries.
    pub(super) fn skip_to_maps(&mut self) {
        self.find(|line| line.announces_maps());
    }
}

impl At {
    fn place(self) -> Place {
        match self {
            At::Line(line) => Place::Line { line, column: 0 },
            At::Byte(byte) => Place::Byte(byte),
        }
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let length = memchr::memchr(b'\n', self.rest).map_or(self.rest.len(), |end| end + 1);
        let (text, rest) = self.rest.split_at(length);
        let line = Line {
            text: text.trim_ascii_end(),
            at: self.at,
        };
        self.rest = rest;
        self.at = match self.at {
            At::Line(number) => At::Line(number + 1),
            At::Byte(byte) => At::Byte(byte + length as u64),
        };
        Some(line)
    }
}

impl<'t> Line<'t> {
    /// The line without the white space around it.
    pub(super) fn trimmed(self) -> &'t [u8] {
        self.text.trim_ascii_start()
    }

    pub(super) fn is_comment(self) -> bool {
        matches!(self.trimmed().first(), None | Some(b'#'))
    }

    pub(super) fn announces_maps(self) -> bool {
        let holds = |mark: &str| memmem::find(self.text, mark.as_bytes()).is_some();
        holds("--- Memory map: ---") || holds("MAPPED_LIBRARIES:")
    }

    pub(super) fn place(self) -> Place {
        self.at.place()
    }

    /// The error of a line that is not what it should be.
    pub(super) fn is_not(self, expected: &str) -> Error {
        Error::expected(expected, &quoted(self.trimmed())).at(self.place())
    }
}
