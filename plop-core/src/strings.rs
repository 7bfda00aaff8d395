//! The string table: every distinct byte string of a profile once, in one buffer.
//!
//! Strings are bytes. Profilers write names and paths that are not UTF-8, and a profile must
//! not lose them; whoever prints text converts at the edge.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::StrId;
use crate::table::MAX_ROWS;

/// Byte strings by [`StrId`], in the order in which they first appeared. Id 0 is the empty
/// string.
///
/// ```
/// let mut strings = plop_core::Strings::new();
/// let id = strings.intern(b"main");
/// assert_eq!(strings.get(id), b"main");
/// assert_eq!(strings.intern(b"main"), id);
/// ```
#[derive(Clone)]
pub struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    lookup: HashTable<u32>,
    hasher: RandomState,
    full: bool,
}

impl Strings {
    /// A table that holds only the empty string.
    pub fn new() -> Self {
        let mut strings = Strings {
            bytes: Vec::new(),
            ends: Vec::new(),
            lookup: HashTable::new(),
            hasher: RandomState::default(),
            full: false,
        };
        strings.intern(b"");
        strings
    }

    /// The id of `text`, which is added when it is new.
    pub fn intern(&mut self, text: &[u8]) -> StrId {
        let hash = self.hasher.hash_one(text);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&row) = self
            .lookup
            .find(hash, |&row| slice(bytes, ends, row) == text)
        {
            return StrId::new(row as usize);
        }
        let row = self.ends.len();
        if row >= MAX_ROWS {
            self.full = true;
            return StrId::EMPTY;
        }
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.lookup.insert_unique(hash, row as u32, |&row| {
            hasher.hash_one(slice(bytes, ends, row))
        });
        StrId::new(row)
    }

    /// The bytes of a string.
    #[inline]
    pub fn get(&self, id: StrId) -> &[u8] {
        slice(&self.bytes, &self.ends, id.index() as u32)
    }

    /// The string as text, with U+FFFD for whatever is not UTF-8.
    pub fn text(&self, id: StrId) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.get(id))
    }

    /// How many strings there are; at least one.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// All strings, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (StrId, &[u8])> {
        (0..self.len()).map(|row| (StrId::new(row), self.get(StrId::new(row))))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }
}

impl Default for Strings {
    fn default() -> Self {
        Strings::new()
    }
}

#[inline]
fn slice<'a>(bytes: &'a [u8], ends: &[usize], row: u32) -> &'a [u8] {
    let row = row as usize;
    let start = if row == 0 { 0 } else { ends[row - 1] };
    &bytes[start..ends[row]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_share_an_id_and_ids_follow_first_appearance() {
        let mut strings = Strings::new();
        let ids: Vec<_> = [&b"b"[..], b"a", b"b", b"", b"\xff\x00"]
            .iter()
            .map(|text| strings.intern(text).index())
            .collect();
        assert_eq!(ids, [1, 2, 1, 0, 3]);
        assert_eq!(strings.text(StrId::new(3)), "\u{fffd}\0");
        assert_eq!(strings.len(), 4);
    }
}
