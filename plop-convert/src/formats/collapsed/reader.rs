//! Reads lines of folded stacks into a profile, in as many pieces as there are threads, each block by block.
//!
//! Four things make it quick: a block stays in the processor's cache from being read to being taken apart; a
//! line is compared with the one before it and only the frames that differ are looked up; a line whose whole
//! stack was seen before is one look-up; and a frame's text is taken apart once, however often it stands there.

use std::hash::BuildHasher;
use std::io;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use memchr::memchr;
use plop_core::{
    Error, FrameId, FrameKind, Notes, Place, Profile, Result, Sample, StackId, ValueType, quoted,
};
use rayon::prelude::*;

use super::frame_text;
use super::lines::Lines;
use crate::format::ReadOptions;
use crate::formats::weight::{self, NoWeight, Places, Weight};
use crate::source::{Source, unreadable};

/// Inputs below this are read in one piece: starting threads costs more than it saves.
const PIECE_BYTES: u64 = 4 << 20;

/// How much of a piece is in memory; more where a line is longer.
const BLOCK_BYTES: usize = 256 << 10;

/// The deepest stack that is read. Real ones end far below; a hostile line of `;` would take
/// thirty-two times its size in memory.
const MAX_DEPTH: usize = 1 << 24;

/// What distinguishes the members of the family.
pub(crate) struct Layout {
    /// The values at the end of every line.
    pub(crate) values: Vec<ValueType>,
    /// The number of the first line, from 1.
    pub(crate) first_line: u64,
}

/// Reads folded stacks. A line without its numbers is noted and passed over; a number that cannot
/// be kept is an error.
pub(crate) fn read(
    source: &dyn Source,
    layout: &Layout,
    options: &ReadOptions,
    notes: &mut Notes,
) -> Result<Profile> {
    let pieces = pieces(rayon::current_num_threads(), options.at_once) as u64;
    let count = pieces.min(source.len() / PIECE_BYTES).max(1);
    read_pieces(source, count, BLOCK_BYTES, layout, options, notes)
}

/// In how many pieces each of some inputs is read, so that every thread has as much to do.
fn pieces(threads: usize, inputs: usize) -> usize {
    let (mut divisor, mut rest) = (threads, inputs);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    threads / divisor.max(1)
}

fn read_pieces(
    source: &dyn Source,
    count: u64,
    block: usize,
    layout: &Layout,
    options: &ReadOptions,
    notes: &mut Notes,
) -> Result<Profile> {
    let read: Vec<_> = (0..count)
        .into_par_iter()
        .map(|n| {
            let start =
                |n: u64| (u128::from(source.len()) * u128::from(n) / u128::from(count)) as u64;
            let mut lines = Lines::new(source, start(n)..start(n + 1), block);
            let mut reader = Reader::new(layout);
            let result = reader.read(&mut lines, options);
            (reader.lines, result.map(|()| reader.piece))
        })
        .collect();
    let mut lines = layout.first_line - 1;
    let mut whole = Vec::with_capacity(read.len());
    for (count, piece) in read {
        let piece = piece.map_err(|error| match error {
            Broken::Line(error, line) => error.at_line(lines + line, 0),
            Broken::Source(error) => unreadable(error),
        })?;
        whole.push((lines, piece));
        lines += count;
    }
    join(whole, layout, notes)
}

/// Why a piece could not be read.
enum Broken {
    /// What is wrong with which of its lines, from 1.
    Line(Error, u64),
    Source(io::Error),
}

/// Makes one profile of the pieces, in order.
fn join(pieces: Vec<(u64, Piece)>, layout: &Layout, notes: &mut Notes) -> Result<Profile> {
    let columns = layout.values.len();
    let scales: Vec<u8> = (0..columns)
        .map(|column| Places::common(pieces.iter().map(|(_, piece)| &piece.places[column])))
        .collect();
    let mut joined: Option<Profile> = None;
    for (lines, piece) in pieces {
        let mut profile = piece.profile;
        let mut rounded = piece.rounded;
        for (column, (places, scale)) in piece.places.iter().zip(&scales).enumerate() {
            let values = profile.samples.values_mut().iter_mut();
            rounded += places.bring_to(*scale, values.skip(column).step_by(columns));
            profile.values[column].scale = *scale;
        }
        notes.append(piece.notes, lines);
        if rounded > 0 {
            notes.add_many("rounded", rounded, None, || {
                "weights rounded to the decimal places that fit 64 bits".into()
            });
        }
        match &mut joined {
            None => joined = Some(profile),
            Some(joined) => joined.absorb(&profile)?,
        }
    }
    joined.ok_or_else(|| Error::new("nothing to read"))
}

/// What became of one piece of the text.
struct Piece {
    profile: Profile,
    places: Vec<Places>,
    rounded: u64,
    notes: Notes,
}

struct Reader<'l> {
    layout: &'l Layout,
    piece: Piece,
    lines: u64,
    frames: Seen<FrameId>,
    stacks: Seen<StackId>,
    stack_hits: u64,
    /// The stack of the line before, and where each of its frames ends in it.
    before: Vec<u8>,
    ends: Vec<(usize, StackId)>,
    weights: Vec<Weight>,
    values: Vec<i64>,
}

impl<'l> Reader<'l> {
    fn new(layout: &'l Layout) -> Self {
        let columns = layout.values.len();
        Reader {
            layout,
            piece: Piece {
                profile: Profile::new(layout.values.clone()),
                places: (0..columns).map(|_| Places::default()).collect(),
                rounded: 0,
                notes: Notes::new(),
            },
            lines: 0,
            frames: Seen::new(),
            stacks: Seen::new(),
            stack_hits: 0,
            before: Vec::new(),
            ends: Vec::new(),
            weights: Vec::with_capacity(columns),
            values: Vec::with_capacity(columns),
        }
    }

    /// Reads every line.
    fn read(
        &mut self,
        lines: &mut Lines,
        options: &ReadOptions,
    ) -> std::result::Result<(), Broken> {
        while let Some(line) = lines.next(options).map_err(Broken::Source)? {
            self.lines += 1;
            self.line(&lines.block()[line])
                .map_err(|error| Broken::Line(error, self.lines))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<()> {
        let end = trim_end(line);
        let Some(stack) = self.take_weights(end)? else {
            let blank = end.is_empty();
            if !blank {
                let place = Place::Line {
                    line: self.lines,
                    column: 0,
                };
                self.piece.notes.add("bad-line", Some(place), || {
                    format!(
                        "lines without a count were passed over, such as {}",
                        quoted(end)
                    )
                });
            }
            return Ok(());
        };
        let stack = self.stack(trim_start(trim_end(stack)))?;
        self.values.clear();
        let row = self.piece.profile.samples.len();
        for (weight, places) in self.weights.iter().zip(&mut self.piece.places) {
            self.values.push(weight.mantissa);
            self.piece.rounded += u64::from(weight.rounded);
            places.note(row, *weight);
        }
        self.piece
            .profile
            .samples
            .push(Sample::of(stack, &self.values));
        Ok(())
    }

    /// Takes the numbers off the end of a line; returns what stands before them, or `None` when
    /// they are not there.
    fn take_weights<'t>(&mut self, line: &'t [u8]) -> Result<Option<&'t [u8]>> {
        self.weights.clear();
        let mut rest = line;
        for _ in 0..self.layout.values.len() {
            let Some(space) = rest.iter().rposition(|b| is_space(*b)) else {
                return Ok(None);
            };
            let token = &rest[space + 1..];
            match weight::parse(token) {
                Ok(weight) => self.weights.push(weight),
                Err(NoWeight::NotANumber) => return Ok(None),
                Err(NoWeight::Notation) => {
                    return Err(Error::expected("a count in plain digits", &quoted(token))
                        .hint("write it out, such as 1000 or 0.5"));
                }
                Err(NoWeight::TooLarge) => {
                    return Err(Error::expected("a count that fits 64 bits", &quoted(token)));
                }
            }
            rest = &rest[..space];
            if self.weights.len() < self.layout.values.len() {
                rest = trim_end(rest);
            }
        }
        self.weights.reverse();
        Ok(Some(rest))
    }

    /// The id of a stack given as text.
    fn stack(&mut self, text: &[u8]) -> Result<StackId> {
        if text.is_empty() {
            return Ok(StackId::ROOT);
        }
        let shared = shared_prefix(&self.before, text);
        if shared == text.len()
            && shared == self.before.len()
            && let Some((_, stack)) = self.ends.last()
        {
            return Ok(*stack);
        }
        // Where most stacks are new, remembering them whole is not worth its memory.
        let remember = self.stacks.len() < 4096 || self.stack_hits * 4 > self.lines;
        let remembered = remember.then(|| self.stacks.hash(text));
        if let Some(stack) = remembered.and_then(|hash| self.stacks.find(hash, text)) {
            self.stack_hits += 1;
            return Ok(stack);
        }
        while let Some((end, _)) = self.ends.last() {
            let ends_here = *end <= shared && text.get(*end).is_none_or(|b| *b == b';');
            if ends_here {
                break;
            }
            self.ends.pop();
        }
        let (mut start, mut stack) = match self.ends.last() {
            Some((end, stack)) if *end == text.len() => (usize::MAX, *stack),
            Some((end, stack)) => (*end + 1, *stack),
            None => (0, StackId::ROOT),
        };
        if start != usize::MAX {
            loop {
                let end = memchr(b';', &text[start..]).map_or(text.len(), |n| start + n);
                let frame = self.frame(&text[start..end], stack);
                stack = self.piece.profile.stacks.push(stack, frame);
                self.ends.push((end, stack));
                if end == text.len() {
                    break;
                }
                if self.ends.len() >= MAX_DEPTH {
                    return Err(Error::new(format!(
                        "a stack of more than {MAX_DEPTH} frames"
                    )));
                }
                start = end + 1;
            }
        }
        self.before.truncate(shared);
        self.before.extend_from_slice(&text[shared..]);
        if let Some(hash) = remembered {
            self.stacks.insert(hash, text, stack);
        }
        Ok(stack)
    }

    /// The id of a frame given as text, which stands on `caller`.
    #[inline]
    fn frame(&mut self, text: &[u8], caller: StackId) -> FrameId {
        if self.at_root(caller) {
            let parsed = frame_text::parse(text, true);
            if matches!(parsed.kind, FrameKind::Thread | FrameKind::Process) {
                return frame_text::intern(&mut self.piece.profile, parsed);
            }
        }
        let hash = self.frames.hash(text);
        if let Some(frame) = self.frames.find(hash, text) {
            return frame;
        }
        let parsed = frame_text::parse(text, false);
        let frame = frame_text::intern(&mut self.piece.profile, parsed);
        self.frames.insert(hash, text, frame);
        frame
    }

    /// Whether nothing but threads and processes stands in a stack.
    #[inline]
    fn at_root(&self, stack: StackId) -> bool {
        match self.piece.profile.stacks.frame(stack) {
            None => true,
            Some(frame) => matches!(
                self.piece.profile.frames.get(frame).kind,
                FrameKind::Thread | FrameKind::Process
            ),
        }
    }
}

/// Whether a line ends in `count` numbers, each with white space before it.
pub(crate) fn ends_in_weights(line: &[u8], count: usize) -> bool {
    let mut rest = trim_end(line);
    for _ in 0..count {
        let Some(space) = rest.iter().rposition(|b| is_space(*b)) else {
            return false;
        };
        if weight::parse(&rest[space + 1..]) == Err(NoWeight::NotANumber) {
            return false;
        }
        rest = trim_end(&rest[..space]);
    }
    true
}

/// Texts that were seen, and the id of each. The texts stand close together, so that looking one up reads few
/// lines of memory.
struct Seen<Id> {
    table: HashTable<(usize, usize, Id)>,
    texts: Vec<u8>,
    hasher: RandomState,
}

impl<Id: Copy> Seen<Id> {
    fn new() -> Self {
        Seen {
            table: HashTable::new(),
            texts: Vec::new(),
            hasher: RandomState::default(),
        }
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    fn hash(&self, text: &[u8]) -> u64 {
        self.hasher.hash_one(text)
    }

    #[inline]
    fn find(&self, hash: u64, text: &[u8]) -> Option<Id> {
        self.table
            .find(hash, |(start, end, _)| &self.texts[*start..*end] == text)
            .map(|(_, _, id)| *id)
    }

    fn insert(&mut self, hash: u64, text: &[u8], id: Id) {
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        let (texts, hasher) = (&self.texts, &self.hasher);
        let entry = (start, texts.len(), id);
        self.table.insert_unique(hash, entry, |(start, end, _)| {
            hasher.hash_one(&texts[*start..*end])
        });
    }
}

/// How many bytes two texts have in common from their start.
#[inline]
fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let len = a.len().min(b.len());
    let (a, b) = (&a[..len], &b[..len]);
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    for (n, (x, y)) in words.enumerate() {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return n * 8 + (differ.trailing_zeros() / 8) as usize;
        }
    }
    let done = len / 8 * 8;
    let rest = a[done..].iter().zip(&b[done..]);
    done + rest.take_while(|(x, y)| x == y).count()
}

#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

#[inline]
fn trim_end(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take_while(|b| is_space(**b)).count();
    &text[..text.len() - spaces]
}

#[inline]
fn trim_start(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|b| is_space(**b)).count();
    &text[spaces..]
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn every_thread_has_as_much_to_read() {
        for (threads, inputs, each) in [
            (2, 1, 2),
            (2, 2, 1),
            (2, 3, 2),
            (8, 2, 4),
            (1, 5, 1),
            (8, 40, 1),
        ] {
            assert_eq!(
                pieces(threads, inputs),
                each,
                "{threads} threads, {inputs} inputs"
            );
            assert_eq!(pieces(threads, inputs) * inputs % threads, 0);
        }
    }
}
