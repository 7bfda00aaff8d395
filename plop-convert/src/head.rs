//! The beginning of an input, as the detectors see it.

use memchr::memchr;
use plop_core::Result;

use crate::source::{Source, unreadable};

/// How many bytes detectors look at.
const HEAD_BYTES: usize = 64 << 10;

/// How many lines detectors look at.
const HEAD_LINES: usize = 200;

/// The first bytes of an input, already inflated and without a byte order mark, and its first
/// lines. Made once for all detectors.
///
/// The first line is there in full, however long; after it, only lines that end within the head.
pub struct Head<'a> {
    /// The first bytes.
    pub bytes: &'a [u8],
    /// The first lines, without their line ends.
    pub lines: Vec<&'a [u8]>,
    /// Whether the head is the whole input.
    pub whole: bool,
}

impl<'a> Head<'a> {
    /// The head of an input.
    pub fn of(input: &'a [u8]) -> Self {
        Head::of_start(input, input.len() as u64)
    }

    /// The head of an input that begins with these bytes, of `len` in all: at least as many as [`Head::start`]
    /// gives.
    pub(crate) fn of_start(start: &'a [u8], len: u64) -> Self {
        let bytes = &start[..start.len().min(HEAD_BYTES)];
        let whole = bytes.len() as u64 == len;
        let mut lines = Vec::new();
        let mut at = 0;
        while at < bytes.len() && lines.len() < HEAD_LINES {
            let end = match memchr(b'\n', &start[at..]) {
                Some(n) => at + n,
                None if at > 0 && !whole => break,
                None => start.len(),
            };
            if at > 0 && end > bytes.len() && !whole {
                break;
            }
            let line = &start[at..end];
            lines.push(line.strip_suffix(b"\r").unwrap_or(line));
            at = end + 1;
        }
        Head {
            bytes,
            lines,
            whole,
        }
    }

    /// As much of a source as its head needs.
    pub(crate) fn start(source: &dyn Source) -> Result<Vec<u8>> {
        let mut start = Vec::new();
        let mut wanted = HEAD_BYTES as u64;
        loop {
            let from = start.len();
            start.resize(usize::try_from(wanted.min(source.len())).unwrap_or(0), 0);
            source
                .read_at(from as u64, &mut start[from..])
                .map_err(unreadable)?;
            if start.len() as u64 == source.len() || memchr(b'\n', &start[from..]).is_some() {
                return Ok(start);
            }
            wanted = wanted.saturating_mul(4);
        }
    }

    /// The first bytes without white space before them.
    pub fn trimmed(&self) -> &'a [u8] {
        self.bytes.trim_ascii_start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_off_is_not_shown() {
        let long = "x".repeat(1000) + "\n";
        let input = long.repeat(100);
        let head = Head::of(input.as_bytes());
        assert_eq!(head.lines.len(), HEAD_BYTES / 1001);
        assert!(head.lines.iter().all(|line| line.len() == 1000));
        assert_eq!(Head::of(b"a\r\n\nb").lines, [&b"a"[..], b"", b"b"]);
        assert_eq!(Head::of(b"a\n").lines, [b"a"]);
        let deep = ["x;".repeat(100_000), "y 1\nshort 2\n".into()].concat();
        let lines = Head::of(deep.as_bytes()).lines;
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with(b";y 1"));
    }
}
