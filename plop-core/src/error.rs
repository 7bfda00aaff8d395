//! Why something could not be read or done, and where.

use std::fmt;

/// A place in an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Line and column of a text, both from 1; column 0 when the whole line is meant.
    Line {
        /// Line, from 1.
        line: u64,
        /// Column in bytes, from 1, or 0 for the whole line.
        column: u64,
    },
    /// A byte offset, from 0.
    Byte(u64),
    /// A path in a JSON document: `profiles[2].weights`.
    Path(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { line, column: 0 } => write!(f, "line {line}"),
            Place::Line { line, column } => write!(f, "line {line}, column {column}"),
            Place::Byte(byte) => write!(f, "byte {byte}"),
            Place::Path(path) => f.write_str(path),
        }
    }
}

/// A failure: what was expected, what was found, where, and what to try.
///
/// The text is a lower-case fragment that finishes a sentence such as "cannot read x.plop: …".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(Box<Parts>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Parts {
    format: String,
    message: String,
    place: Option<Place>,
    hint: String,
}

/// The result of whatever can fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Error(Box::new(Parts {
            format: String::new(),
            message: message.into(),
            place: None,
            hint: String::new(),
        }))
    }

    /// Something else stood where `expected` should have.
    pub fn expected(expected: &str, found: &str) -> Self {
        Error::new(format!("expected {expected}, found {found}"))
    }

    /// The same failure at a place. A place already known stays.
    pub fn at(mut self, place: Place) -> Self {
        self.0.place.get_or_insert(place);
        self
    }

    /// The same failure on a line, from 1, and column, from 1 or 0 for the whole line.
    pub fn at_line(self, line: u64, column: u64) -> Self {
        self.at(Place::Line { line, column })
    }

    /// The same failure with advice: what to try.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// The same failure, met while reading the format of this name.
    pub fn in_format(mut self, format: &str) -> Self {
        self.0.format = format.into();
        self
    }

    /// Where it went wrong.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.format.is_empty() {
            write!(f, "{}: ", self.0.format)?;
        }
        if let Some(place) = &self.0.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)?;
        if !self.0.hint.is_empty() {
            write!(f, " ({})", self.0.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Bytes of an input for a message: at most 40 of them, in backquotes, anything odd escaped.
pub fn quoted(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".into();
    }
    let shown = &bytes[..bytes.len().min(40)];
    let dots = if bytes.len() > shown.len() { "…" } else { "" };
    format!("`{}{dots}`", escape(shown))
}

/// Bytes as one line of text from which the bytes can be told: what is not printable or not UTF-8
/// becomes `\n`, `\t` or `\xNN`, and a backslash is doubled.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() => {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_place_what_stood_there_and_what_to_try() {
        let error = Error::expected("a whole number", &quoted(b"1e3"))
            .at_line(3, 7)
            .hint("write it out");
        assert_eq!(
            error.to_string(),
            "line 3, column 7: expected a whole number, found `1e3` (write it out)"
        );
        assert_eq!(error.clone().at(Place::Byte(9)), error);
    }

    #[test]
    fn escaped_bytes_can_be_told_apart() {
        assert_eq!(escape(b"a\\n\n\xff\x00\xc3\xa9"), "a\\\\n\\n\\xff\\x00é");
        assert_eq!(quoted(&[b'x'; 50]), format!("`{}…`", "x".repeat(40)));
    }
}
