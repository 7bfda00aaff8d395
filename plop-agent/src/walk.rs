//! Walking the Python frames of a thread, from its leaf, into a record of a ring.
//!
//! Nothing that is read is believed: a pointer has to be aligned, what it points to has to be there,
//! and a frame has to run something whose type is `code`. Where that fails the walk ends, and the
//! sample says so. What the interpreter is in the middle of changing is found out that way.

use core::sync::atomic::Ordering::Relaxed;

use crate::codes::{self, Found};
use crate::guard::{Copied, Direct, Memory};
use crate::interpreter::Interpreter;
use crate::memory::mix;
use crate::slots::{DEEPEST, Record, Slot};

/// Kinds of records: the top byte of their first word. The length is in its low half.
pub(crate) const DEFINITION: u64 = 1;
pub(crate) const SAMPLE: u64 = 2;
/// How many words of a sample stand before its frames.
pub(crate) const BEFORE_FRAMES: u64 = 5;

/// Flags of a sample.
pub(crate) const REJECTED: u64 = 1 << 40;
pub(crate) const CUT: u64 = 1 << 41;

/// The longest texts that are copied, in bytes.
const LONGEST_NAME: u64 = 1024;
const LONGEST_FILE: u64 = 4096;
const LONGEST_TABLE: u64 = 16 << 10;

/// How much of the C stack lies between two calls of the interpreter at most, and how large a thread state
/// is at most.
const FARTHEST_CALL: u64 = 8 << 20;
const LARGEST_TSTATE: u64 = 4 << 10;
/// How large the blocks are at least that frames are put into.
const SMALLEST_CHUNK: u64 = 16 << 10;

/// What a walk came to. The frames are in the scratch words of the slot, the leaf first.
pub(crate) struct Walked {
    pub(crate) depth: usize,
    /// Whether it went on to the root, or to the deepest that is kept.
    pub(crate) plausible: bool,
    pub(crate) cut: bool,
    /// The interpreter's number; 0 is the main one.
    pub(crate) interpreter: u32,
}

/// Walks the frames of a thread state; `safe` says whether loads are guarded here.
#[inline]
pub(crate) fn walk(
    interpreter: &Interpreter,
    tstate: u64,
    slot: &Slot,
    index: usize,
    generation: u32,
    safe: bool,
) -> Walked {
    if safe {
        frames(&Direct, interpreter, tstate, slot, index, generation)
    } else {
        frames(&Copied::new(), interpreter, tstate, slot, index, generation)
    }
}

#[inline]
fn at(base: u64, offset: i32) -> u64 {
    base.wrapping_add(offset as i64 as u64)
}

#[inline]
fn frames<M: Memory>(
    memory: &M,
    interpreter: &Interpreter,
    tstate: u64,
    slot: &Slot,
    index: usize,
    generation: u32,
) -> Walked {
    let layout = &interpreter.layout;
    let mut walked = Walked {
        depth: 0,
        plausible: false,
        cut: false,
        interpreter: 0,
    };
    // At the very beginning of a call its frame has not been written yet, and what is there may be anything.
    // Frames are in the used part of the thread's block; one that is not, since it is a generator's, costs two
    // system calls.
    let trusted = |frame: u64| {
        let chunk = memory.pointer(at(tstate, layout.tstate.chunk))?;
        let top = memory.pointer(at(tstate, layout.tstate.chunk + 8))?;
        let in_chunk = frame.wrapping_sub(chunk) < SMALLEST_CHUNK;
        if frame == 0 || in_chunk && frame < top {
            return Some(frame);
        }
        // What happens to be there instead may lead anywhere, too.
        let is_frame = memory.is_there(frame) && {
            let code = memory.pointer(at(frame, layout.frame.code))?;
            memory.is_there(at(code, layout.object.ob_type))
        };
        is_frame.then_some(frame)
    };
    let first = || {
        let first = memory.pointer(at(tstate, layout.tstate.frame))?;
        match layout.cframe_current {
            -1 => Some(first),
            offset => trusted(memory.pointer(at(first, offset))?),
        }
    };
    let below = || {
        let top = memory.pointer(at(tstate, layout.tstate.frame))?;
        let below = memory.pointer(at(top, layout.cframe_current + 8))?;
        // It is in the call before, further up the stack, or the first one, in the thread state. One that
        // is neither has not been written yet.
        let is_further_up = below.wrapping_sub(top) < FARTHEST_CALL;
        let is_first = below.wrapping_sub(tstate) < LARGEST_TSTATE;
        if !is_further_up && !is_first {
            return None;
        }
        trusted(memory.pointer(at(below, layout.cframe_current))?)
    };
    let number = || {
        let of = memory.pointer(at(tstate, layout.tstate.interp))?;
        memory.word(at(of, layout.interp.id))
    };
    let mut below_is_new = true;
    let Some(mut frame) = first().or_else(|| {
        below_is_new = false;
        below()
    }) else {
        return walked;
    };
    walked.interpreter = number().unwrap_or(0) as u32;
    let mut steps = 0;
    while frame != 0 {
        steps += 1;
        if walked.depth == DEEPEST || steps > 2 * DEEPEST {
            walked.cut = true;
            break;
        }
        match step(memory, interpreter, frame, slot, index, generation) {
            Some((caller, Some(word))) => {
                if let Some(place) = slot.scratch().get(walked.depth) {
                    place.store(word, Relaxed);
                }
                walked.depth += 1;
                frame = caller;
            }
            // The interpreter is about to call, or has just returned: what it will tell of its next
            // frame is not there yet, or no longer. Its caller's is.
            other if walked.depth == 0 && below_is_new && layout.cframe_current >= 0 => {
                below_is_new = false;
                match (below(), other) {
                    (Some(caller), _) => frame = caller,
                    (None, Some((caller, _))) => frame = caller,
                    (None, None) => return walked,
                }
            }
            Some((caller, None)) => frame = caller,
            None => return walked,
        }
    }
    walked.plausible = true;
    walked
}

/// One frame: its caller's, and its word unless it is a shim of the interpreter; `None` where it is
/// implausible.
#[inline(always)]
fn step<M: Memory>(
    memory: &M,
    interpreter: &Interpreter,
    frame: u64,
    slot: &Slot,
    index: usize,
    generation: u32,
) -> Option<(u64, Option<u64>)> {
    let layout = &interpreter.layout;
    let caller = memory.pointer(at(frame, layout.frame.back))?;
    if layout.skip_owner_from != u8::MAX {
        let owner = memory.word(at(frame, layout.frame.owner))? as u8;
        if owner >= layout.skip_owner_from {
            return Some((caller, None));
        }
    }
    let code = memory.word(at(frame, layout.frame.code))?;
    let code = if layout.stackref_tags {
        code & !7
    } else {
        code
    };
    if memory.pointer(at(code, layout.object.ob_type))? != interpreter.code_type {
        return None;
    }
    let name = if layout.code.qualname >= 0 {
        layout.code.qualname
    } else {
        layout.code.name
    };
    let code_object = Code {
        name: memory.pointer(at(code, name))?,
        file: memory.pointer(at(code, layout.code.filename))?,
        first_line: memory.word(at(code, layout.code.firstlineno))? as u32,
        table: memory.pointer(at(code, layout.code.linetable))?,
    };
    let last = memory.word(at(frame, layout.frame.lasti))?;
    let last = if layout.lasti_is_pointer {
        let start = at(code, layout.code.code_adaptive);
        (last.wrapping_sub(start) as i64 >> 1) as u32
    } else {
        last as u32
    };
    let last = if last > 1 << 24 && last != u32::MAX {
        0
    } else {
        last
    };
    // An address, or a name, is used again sooner or later; the line table's size and beginning tell.
    let size = memory.word(at(code_object.table, layout.object.bytes_size))?;
    let begin = memory.word(at(code_object.table, layout.object.bytes_data))?;
    let key = key_of([
        code,
        code_object.name,
        code_object.file,
        code_object.table,
        u64::from(code_object.first_line) ^ size.rotate_left(32),
        begin,
    ]);
    let number = number_of(
        memory,
        interpreter,
        key.max(1),
        &code_object,
        slot,
        index,
        generation,
    );
    Some((caller, Some(u64::from(number) << 32 | u64::from(last))))
}

/// One number for six: wide products of pairs, as in wyhash, which do not wait for each other.
#[inline(always)]
fn key_of([a, b, c, d, e, f]: [u64; 6]) -> u64 {
    let product = |one: u64, other: u64| {
        let product = u128::from(one) * u128::from(other);
        product as u64 ^ (product >> 64) as u64
    };
    // Odd numbers without a pattern: the fractional parts of the square roots of the first primes.
    mix(
        product(a ^ 0x6a09_e667_f3bc_c909, b ^ 0xbb67_ae85_84ca_a73b)
            ^ product(c ^ 0x3c6e_f372_fe94_f82b, d ^ 0xa54f_f53a_5f1d_36f1)
            ^ product(e ^ 0x510e_527f_ade6_82d1, f ^ 0x9b05_688c_2b3e_6c1f),
    )
}

struct Code {
    name: u64,
    file: u64,
    first_line: u32,
    table: u64,
}

#[inline(always)]
fn number_of<M: Memory>(
    memory: &M,
    interpreter: &Interpreter,
    key: u64,
    code: &Code,
    slot: &Slot,
    index: usize,
    generation: u32,
) -> u32 {
    match codes::find(generation, key, None) {
        Found::Known(number) => number,
        Found::Full => codes::UNKNOWN,
        Found::New(place) => {
            if define(memory, interpreter, key, code, slot, index, generation).is_none() {
                return codes::UNKNOWN;
            }
            publish(generation, key, place)
        }
    }
}

#[cold]
fn publish(generation: u32, key: u64, mut place: u32) -> u32 {
    for _ in 0..32 {
        if codes::publish(generation, key, place) {
            return place;
        }
        match codes::find(generation, key, Some(place)) {
            Found::Known(number) => return number,
            Found::New(next) => place = next,
            Found::Full => break,
        }
    }
    codes::UNKNOWN
}

/// Copies what a code object is into the ring.
#[cold]
#[inline(never)]
fn define<M: Memory>(
    memory: &M,
    interpreter: &Interpreter,
    key: u64,
    code: &Code,
    slot: &Slot,
    index: usize,
    generation: u32,
) -> Option<()> {
    let layout = &interpreter.layout;
    let mut record = slot.record();
    record.put(DEFINITION << 56 | u64::from(generation as u8) << 48);
    record.put(key);
    record.put(u64::from(code.first_line));
    put_text(memory, interpreter, code.name, LONGEST_NAME, &mut record)?;
    put_text(memory, interpreter, code.file, LONGEST_FILE, &mut record)?;
    let size = memory.word(at(code.table, layout.object.bytes_size))?;
    let data = at(code.table, layout.object.bytes_data);
    put_bytes(memory, data, size.min(LONGEST_TABLE), 0, &mut record)?;
    record.commit(index).then_some(())
}

/// Copies a `str`: the width of its characters and its bytes.
fn put_text<M: Memory>(
    memory: &M,
    interpreter: &Interpreter,
    text: u64,
    longest: u64,
    record: &mut Record,
) -> Option<()> {
    let (data, bytes, width) = text_at(memory, interpreter, text)?;
    put_bytes(memory, data, bytes.min(longest), width, record)
}

/// Where the characters of a `str` are, how many bytes, and how wide one is: 0 for ASCII, otherwise 1,
/// 2 or 4.
pub(crate) fn text_at<M: Memory>(
    memory: &M,
    interpreter: &Interpreter,
    text: u64,
) -> Option<(u64, u64, u64)> {
    let object = &interpreter.layout.object;
    let length = memory.pointer(at(text, object.str_len))?;
    let state = memory.word(at(text, object.str_state))? >> object.str_kind_shift;
    let (kind, compact, ascii) = (state & 7, state >> 3 & 1, state >> 4 & 1);
    if compact == 0 || !matches!(kind, 1 | 2 | 4) || length > 1 << 24 {
        return None;
    }
    let (offset, width) = match ascii {
        1 => (object.str_ascii_data, 0),
        _ => (object.str_compact_data, kind),
    };
    Some((at(text, offset), length * kind, width))
}

/// Copies bytes, after a word with their number and the width of a character. They have other bytes
/// of their object before them, so that the last word can be read ending where they end.
fn put_bytes<M: Memory>(
    memory: &M,
    data: u64,
    len: u64,
    width: u64,
    record: &mut Record,
) -> Option<()> {
    record.put(len | width << 56);
    for n in 0..len / 8 {
        if !record.fits() {
            return None;
        }
        record.put(memory.word(data + n * 8)?);
    }
    match len % 8 {
        0 => {}
        rest => record.put(memory.word((data + len).wrapping_sub(8))? >> (8 * (8 - rest))),
    }
    record.fits().then_some(())
}

/// Puts a sample, whose frames are in the scratch words of `slot`, into the slot's ring; whether there
/// was room. `subject` is the index of the slot whose thread it is of.
#[inline]
pub(crate) fn put_sample(
    slot: &Slot,
    index: usize,
    subject: usize,
    walked: &Walked,
    sample: Sample,
) -> bool {
    let mut flags = u64::from(sample.generation as u8) << 48 | u64::from(sample.state) << 44;
    if !walked.plausible {
        flags |= REJECTED;
    }
    if walked.cut {
        flags |= CUT;
    }
    let mut record = slot.record();
    record.put(SAMPLE << 56 | flags);
    record.put(u64::from(sample.cpu) << 32 | u64::from(walked.interpreter));
    record.put(sample.cycles);
    record.put(sample.wall_ns);
    record.put((subject as u64) << 32 | u64::from(sample.tid as u32));
    for word in slot.scratch().iter().take(walked.depth) {
        record.put(word.load(Relaxed));
    }
    record.commit(index)
}

/// What a sample has besides its frames.
pub(crate) struct Sample {
    pub(crate) generation: u32,
    pub(crate) state: u8,
    pub(crate) cpu: u32,
    pub(crate) cycles: u64,
    pub(crate) wall_ns: u64,
    pub(crate) tid: i32,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::guard::guarded;
    use crate::{codes, layout, slots};
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    /// The slots and tables are the process's: one test at a time.
    pub(crate) static ALONE: Mutex<()> = Mutex::new(());

    /// Memory with pages that are there and pages that are not.
    #[derive(Default, Clone)]
    struct Fake {
        words: BTreeMap<u64, u64>,
    }

    impl Memory for Fake {
        fn word(&self, at: u64) -> Option<u64> {
            let (low, shift) = (at & !7, 8 * (at & 7));
            let first = self.words.get(&low)?;
            if shift == 0 {
                return Some(*first);
            }
            let second = self.words.get(&(low + 8))?;
            Some(first >> shift | second << (64 - shift))
        }
    }

    const CODE_TYPE: u64 = 0x7000;
    const TSTATE: u64 = 0x10_0000;

    impl Fake {
        fn put(&mut self, at: u64, word: u64) {
            self.words.insert(at, word);
        }

        fn fill(&mut self, at: u64, bytes: u64) {
            (0..bytes / 8).for_each(|n| self.put(at + n * 8, 0));
        }

        fn text(&mut self, at: u64, text: &[u8]) {
            self.fill(at, 96 + text.len() as u64);
            self.put(at + 16, text.len() as u64);
            // Compact, ASCII, one byte a character.
            self.put(at + 32, (1 | 1 << 3 | 1 << 4) << 2);
            for (n, chunk) in text.chunks(8).enumerate() {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                self.put(at + 48 + n as u64 * 8, u64::from_le_bytes(word));
            }
        }

        /// A stack of 3.11 as deep as `depth`; its frames, the leaf's first.
        fn stack(depth: u64) -> (Fake, Vec<u64>) {
            let layout = layout::find(0x030b, false).unwrap();
            let mut fake = Fake::default();
            fake.fill(TSTATE, 512);
            let (cframe, interp) = (0x20_0000, 0x21_0000);
            fake.fill(cframe, 64);
            fake.fill(interp, 512);
            fake.put(at(TSTATE, layout.tstate.frame), cframe);
            fake.put(at(TSTATE, layout.tstate.interp), interp);
            let frames: Vec<u64> = (0..depth).map(|n| 0x100_0000 + n * 256).collect();
            fake.put(at(TSTATE, layout.tstate.chunk), 0x100_0000);
            fake.put(
                at(TSTATE, layout.tstate.chunk + 8),
                0x100_0000 + SMALLEST_CHUNK,
            );
            fake.put(
                at(cframe, layout.cframe_current),
                frames.first().copied().unwrap_or(0),
            );
            for (n, frame) in frames.iter().enumerate() {
                let code = 0x200_0000 + n as u64 * 4096;
                fake.fill(*frame, 128);
                fake.fill(code, 512);
                fake.put(at(*frame, layout.frame.code), code);
                fake.put(
                    at(*frame, layout.frame.back),
                    frames.get(n + 1).copied().unwrap_or(0),
                );
                fake.put(
                    at(*frame, layout.frame.lasti),
                    at(code, layout.code.code_adaptive) + 4,
                );
                fake.put(at(code, layout.object.ob_type), CODE_TYPE);
                fake.put(at(code, layout.code.filename), code + 0x200);
                fake.put(at(code, layout.code.qualname), code + 0x400);
                fake.put(at(code, layout.code.firstlineno), 10 + n as u64);
                fake.put(at(code, layout.code.linetable), code + 0x600);
                fake.text(code + 0x200, b"app.py");
                fake.text(code + 0x400, format!("function_{n}").as_bytes());
                fake.fill(code + 0x600, 64);
                fake.put(code + 0x610, 9);
            }
            (fake, frames)
        }
    }

    fn interpreter() -> Interpreter {
        Interpreter::fake(*layout::find(0x030b, false).unwrap(), CODE_TYPE)
    }

    /// Walks, and reads everything away again.
    fn walked(fake: &Fake) -> Walked {
        let (index, slot) = slots::of(99).unwrap_or_else(|| {
            slots::set_ring(10_000);
            let (index, slot) = slots::claim().unwrap();
            slots::prepare(slot, 99);
            slot.state.store(slots::ARMED, Relaxed);
            (index, slot)
        });
        if codes::is_full() || codes::generation() == 0 {
            // SAFETY: this test alone uses the tables.
            unsafe { codes::next_generation() };
        }
        let walked = frames(
            fake,
            &interpreter(),
            TSTATE,
            slot,
            index,
            codes::generation(),
        );
        slot.read_up_to(slot.unread().1);
        walked
    }

    #[test]
    fn a_stack_is_walked_to_its_root() {
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for depth in [0, 1, 20, 1000] {
            let walked = walked(&Fake::stack(depth).0);
            assert!(walked.plausible && !walked.cut);
            assert_eq!(walked.depth as u64, depth);
        }
        let deep = walked(&Fake::stack(3000).0);
        assert_eq!(
            (deep.depth, deep.cut, deep.plausible),
            (DEEPEST, true, true)
        );
    }

    #[test]
    fn what_is_spoilt_ends_the_walk_and_is_told() {
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let layout = layout::find(0x030b, false).unwrap();
        let spoil = |change: &dyn Fn(&mut Fake, &[u64])| {
            let (mut fake, frames) = Fake::stack(20);
            change(&mut fake, &frames);
            walked(&fake)
        };
        let code_of = |fake: &Fake, frame: u64| fake.word(at(frame, layout.frame.code)).unwrap();

        // A caller that is not mapped, that is not aligned, that no process can have.
        for bad in [0x9000_0000, 0x100_0001, 1 << 60, 8] {
            let walked = spoil(&|fake, frames| fake.put(at(frames[4], layout.frame.back), bad));
            assert_eq!((walked.depth, walked.plausible), (5, false), "{bad:#x}");
        }
        // Code that is something else, or has been freed.
        let walked = spoil(&|fake, frames| {
            let code = code_of(fake, frames[3]);
            fake.put(at(code, layout.object.ob_type), CODE_TYPE + 8);
        });
        assert_eq!((walked.depth, walked.plausible), (3, false));
        let walked = spoil(&|fake, frames| {
            let code = code_of(fake, frames[3]);
            fake.words.retain(|at, _| !(code..code + 4096).contains(at));
        });
        assert_eq!((walked.depth, walked.plausible), (3, false));
        // Callers in a circle.
        let walked = spoil(&|fake, frames| fake.put(at(frames[9], layout.frame.back), frames[2]));
        assert!(walked.cut && walked.depth <= DEEPEST);
        // A line table and a name of impossible length: the frame is there, without a name.
        for place in [layout.object.bytes_size, layout.object.str_len] {
            let walked = spoil(&|fake, frames| {
                let code = code_of(fake, frames[0]);
                fake.put(at(code + 0x600, place), 1 << 40);
                fake.put(at(code + 0x400, place), 1 << 40);
            });
            assert_eq!((walked.depth, walked.plausible), (20, true));
        }
    }

    /// A call that has just begun has a place for its frame, in which nothing is written yet.
    #[test]
    fn frames_that_are_not_written_yet_are_passed_over() {
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let layout = layout::find(0x030b, false).unwrap();
        let (whole, frames) = Fake::stack(20);
        let (new, old) = (0x1f_0000, 0x20_0000);
        for garbage in [0xffff_0000u64, 0x1_0000_0000, 8, 7, u64::MAX, 0x100_0008] {
            for (previous, depth) in [(old, 20), (0xec00, 0), (0, 0), (new - 64, 0)] {
                let mut fake = whole.clone();
                fake.fill(new, 64);
                fake.put(at(TSTATE, layout.tstate.frame), new);
                fake.put(at(new, layout.cframe_current), garbage);
                fake.put(at(new, layout.cframe_current + 8), previous);
                let walked = walked(&fake);
                assert_eq!(
                    (walked.depth, walked.plausible),
                    (depth, depth > 0),
                    "{garbage:#x} {previous:#x}"
                );
            }
        }
        // What is taken for the call before is old memory on the stack.
        let mut fake = whole.clone();
        fake.fill(new, 64);
        fake.put(at(TSTATE, layout.tstate.frame), new);
        fake.put(at(new, layout.cframe_current), 0xffff_0000);
        fake.put(at(new, layout.cframe_current + 8), new + 256);
        fake.fill(new + 256, 64);
        for (old, frames) in [(0x1_0000_0000, 0), (frames[3], 17)] {
            fake.put(at(new + 256, layout.cframe_current), old);
            assert_eq!(walked(&fake).depth, frames, "{old:#x}");
        }
        // The first one stands in the thread state.
        let mut fake = whole.clone();
        fake.put(at(TSTATE, layout.tstate.frame), new);
        fake.fill(new, 64);
        fake.put(at(new, layout.cframe_current), 0xffff_0000);
        fake.put(at(new, layout.cframe_current + 8), TSTATE + 320);
        fake.put(TSTATE + 320 + 8, frames[0]);
        assert_eq!(walked(&fake).depth, 20);
    }

    #[test]
    fn any_memory_at_all_is_walked_in_bounded_time() {
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let (whole, _) = Fake::stack(6);
        let places: Vec<u64> = whole.words.keys().copied().collect();
        let values: Vec<u64> = whole
            .words
            .values()
            .copied()
            .filter(|word| *word != 0)
            .collect();
        for _ in 0..2000 {
            let mut fake = whole.clone();
            for _ in 0..1 + next() % 20 {
                let place = places[next() as usize % places.len()];
                match next() % 4 {
                    0 => _ = fake.words.remove(&place),
                    1 => fake.put(place, next()),
                    2 => fake.put(place, places[next() as usize % places.len()]),
                    _ => fake.put(place, values[next() as usize % values.len()]),
                }
            }
            assert!(walked(&fake).depth <= DEEPEST);
        }
    }

    /// Prints what a walk costs whose frames are known already, of a stack as in 3.11 that lies in memory.
    /// `cargo test --release -p plop-agent how_long -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement, which bench/RESULTS.md has"]
    fn how_long_a_walk_takes() {
        unsafe extern "C" {
            fn mmap(at: u64, bytes: usize, allow: i32, kind: i32, file: i32, from: i64) -> u64;
        }
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (low, bytes) = (TSTATE, 64 << 20);
        // SAFETY: private memory, at addresses where there is nothing else (MAP_FIXED_NOREPLACE).
        assert_eq!(unsafe { mmap(low, bytes, 3, 0x10_0022, -1, 0) }, low);
        crate::signals::guard_loads();
        for depth in [5, 20, 100] {
            let (fake, _) = Fake::stack(depth);
            assert_eq!(walked(&fake).depth as u64, depth);
            for (at, word) in &fake.words {
                // SAFETY: the memory made above.
                unsafe { (*at as *mut u64).write(*word) };
            }
            let (index, slot) = slots::of(99).unwrap();
            let interpreter = interpreter();
            let mut costs: Vec<f64> = (0..200)
                .map(|_| {
                    let began = std::time::Instant::now();
                    for _ in 0..1000 {
                        let interpreter = std::hint::black_box(&interpreter);
                        let generation = codes::generation();
                        let walked = walk(interpreter, TSTATE, slot, index, generation, guarded());
                        assert_eq!(walked.depth as u64, depth);
                    }
                    began.elapsed().as_nanos() as f64 / 1000.0
                })
                .collect();
            costs.sort_by(f64::total_cmp);
            let (least, median) = (costs[0], costs[costs.len() / 2]);
            println!("{depth:>4} frames: {median:.0} ns, at least {least:.0} ns");
        }
    }
}
