//! The lines of a part of a source, of which only a block is in memory.

use std::io;
use std::ops::Range;

use memchr::memchr;

use crate::format::ReadOptions;
use crate::source::Source;

/// The lines of a source that begin within a range.
pub(super) struct Lines<'s> {
    source: &'s dyn Source,
    range: Range<u64>,
    block: Vec<u8>,
    /// What is in the block and was not handed out yet.
    rest: Range<usize>,
    /// Where what is behind the block begins.
    behind: u64,
    /// Whether the line that is being read began before the range.
    skips: bool,
}

impl<'s> Lines<'s> {
    /// Reads blocks of so many bytes, and larger ones where a line is longer.
    pub(super) fn new(source: &'s dyn Source, range: Range<u64>, block: usize) -> Self {
        Lines {
            source,
            // A line begins at the start of the range if there is a line end right before.
            behind: range.start.saturating_sub(1),
            skips: range.start > 0,
            range,
            block: vec![0; block],
            rest: 0..0,
        }
    }

    /// The next line, without its end; it is in the block from here on.
    #[inline]
    pub(super) fn next(&mut self, options: &ReadOptions) -> io::Result<Option<Range<usize>>> {
        let mut searched = 0;
        loop {
            let rest = &self.block[self.rest.clone()];
            match memchr(b'\n', &rest[searched..]) {
                Some(n) => {
                    let start = self.rest.start;
                    let end = start + searched + n;
                    let place = self.behind - (self.rest.end - start) as u64;
                    self.rest.start = end + 1;
                    if std::mem::take(&mut self.skips) {
                        searched = 0;
                        continue;
                    }
                    return Ok((place < self.range.end).then_some(start..end));
                }
                None => {
                    searched = rest.len();
                    if !self.fill(options)? {
                        return Ok(self.last());
                    }
                    if self.skips {
                        searched = 0;
                    }
                }
            }
        }
    }

    /// The bytes that lines are parts of.
    #[inline]
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    /// Reads what follows the rest of the block; whether there was something.
    fn fill(&mut self, options: &ReadOptions) -> io::Result<bool> {
        if self.skips {
            self.rest.start = self.rest.end;
        }
        let place = self.behind - self.rest.len() as u64;
        if place >= self.range.end || self.behind == self.source.len() {
            return Ok(false);
        }
        self.block.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        if self.rest.end == self.block.len() {
            self.block.resize(self.block.len() * 2, 0);
        }
        // Only the last line of a piece goes past its range.
        let until = match self.behind < self.range.end {
            true => self.range.end,
            false => self.source.len(),
        };
        let room = &mut self.block[self.rest.end..];
        let wanted = usize::try_from(until - self.behind).map_or(room.len(), |n| n.min(room.len()));
        self.source.read_at(self.behind, &mut room[..wanted])?;
        self.rest.end += wanted;
        self.behind += wanted as u64;
        options.advance(wanted);
        Ok(true)
    }

    /// The last line, if it has no end.
    fn last(&mut self) -> Option<Range<usize>> {
        let place = self.behind - self.rest.len() as u64;
        let is_ours = !self.skips && !self.rest.is_empty() && place < self.range.end;
        is_ours.then(|| std::mem::replace(&mut self.rest, 0..0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of all parts, one after the other.
    fn lines(text: &[u8], parts: u64, block: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for n in 0..parts {
            let start = |n: u64| text.len() as u64 * n / parts;
            let mut lines = Lines::new(&text, start(n)..start(n + 1), block);
            while let Some(line) = lines.next(&ReadOptions::default()).unwrap() {
                all.push(lines.block()[line].to_vec());
            }
        }
        all
    }

    proptest! {
        #[test]
        fn every_line_is_there_once_however_it_is_cut(
            text in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n')], 0..60),
            parts in 1u64..9,
            block in 1usize..20,
        ) {
            let mut expected: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            prop_assert_eq!(lines(&text, parts, block), expected);
        }
    }

    /// A file that has been cut off since its length was asked for.
    struct CutOff;

    impl Source for CutOff {
        fn len(&self) -> u64 {
            10
        }

        fn read_at(&self, at: u64, part: &mut [u8]) -> io::Result<()> {
            (&b"a 1\nb "[..]).read_at(at, part)
        }
    }

    #[test]
    fn a_source_that_is_cut_off_is_an_error() {
        let mut lines = Lines::new(&CutOff, 0..10, 4);
        let mut next = || lines.next(&ReadOptions::default());
        assert!(next().unwrap().is_some());
        assert_eq!(next().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
