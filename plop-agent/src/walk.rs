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
    let first = || {
        let first = memory.pointer(at(tstate, layout.tstate.frame))?;
        match layout.cframe_current {
            -1 => Some(first),
            offset => memory.pointer(at(first, offset)),
        }
    };
    let number = || {
        let of = memory.pointer(at(tstate, layout.tstate.interp))?;
        memory.word(at(of, layout.interp.id))
    };
    let Some(mut frame) = first() else {
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
    let key = mix(
        code ^ mix(code_object.name ^ mix(code_object.file ^ code_object.table.rotate_left(17)))
    ) ^ mix(u64::from(code_object.first_line) ^ size.rotate_left(32) ^ mix(begin));
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
