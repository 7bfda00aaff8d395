//! Reading what threads have recorded in their rings.

use core::sync::atomic::Ordering::Relaxed;

use super::{Code, Function, MOST_TABLES, State};
use crate::memory::Vector;
use crate::slots::{self, Slot};
use crate::walk::{BEFORE_FRAMES, CUT, DEFINITION, REJECTED, SAMPLE};
use crate::{codes, interpreter, linetable};

impl State {
    /// Reads everything that threads have recorded.
    pub(crate) fn drain(&mut self) {
        for _ in 0..slots::SLOTS / MARKED {
            if !self.drain_some() {
                return;
            }
        }
    }

    /// Reads what some threads have recorded; whether there are more.
    pub(super) fn drain_some(&mut self) -> bool {
        // A sample may use a code object that another thread has defined just before: so first the
        // heads are noted, then all definitions are read, and then the samples before the noted heads.
        let mut slots = Marked::new();
        slots::take_marked(|index, slot| slots.add(index, slot.unread().1));
        let first = slots.len;
        slots::take_marked(|index, _| slots.add(index, 0));
        if slots.more {
            slots::all().for_each(|(_, slot)| self.read_definitions(slot));
        } else {
            for slot in slots
                .all()
                .iter()
                .filter_map(|entry| slots::get(entry.index))
            {
                self.read_definitions(slot);
            }
        }
        for entry in slots.all().iter().take(first) {
            if let Some(slot) = slots::get(entry.index) {
                self.read_samples(slot, entry.head);
                if slot.unread().1 != entry.head {
                    slots::mark(entry.index);
                }
            }
        }
        for entry in slots.all().iter().skip(first) {
            slots::mark(entry.index);
        }
        slots.more
    }

    pub(super) fn read_definitions(&mut self, slot: &Slot) {
        let (mut at, head) = slot.unread();
        while at < head {
            let first = slot.word(at);
            if first >> 56 == DEFINITION {
                self.define(slot, at, (first >> 48) as usize & 1);
            }
            at += (first & 0xffff_ffff).max(1);
        }
    }

    pub(super) fn read_samples(&mut self, slot: &Slot, head: u64) {
        let (mut at, _) = slot.unread();
        self.fullest = self.fullest.max(head.saturating_sub(at));
        while at < head {
            let first = slot.word(at);
            let len = (first & 0xffff_ffff).max(1);
            if first >> 56 == SAMPLE {
                self.count(slot, at, first, len);
            }
            at += len;
        }
        slot.read_up_to(head);
    }

    pub(super) fn define(&mut self, slot: &Slot, at: u64, generation: usize) {
        let key = slot.word(at + 1);
        if self
            .by_key
            .get(generation)
            .is_none_or(|known| known.get(key).is_some())
        {
            return;
        }
        let first_line = slot.word(at + 2) as u32;
        let mut place = at + 3;
        let mut text = Vector::<u8>::new();
        let mut string = |state: &mut State, place: &mut u64| {
            text.clear();
            read_text(slot, place, &mut text);
            state.string(text.as_slice())
        };
        let name = string(self, &mut place);
        let file = string(self, &mut place);
        let (Some(name), Some(file)) = (name, file) else {
            text.free();
            return;
        };
        let Some(function) = self.function(Function {
            name,
            file,
            first_line,
        }) else {
            text.free();
            return;
        };
        text.clear();
        read_text(slot, &mut place, &mut text);
        if let (Some(tables), Some(codes), Some(by_key)) = (
            self.tables.get_mut(generation),
            self.codes.get_mut(generation),
            self.by_key.get_mut(generation),
        ) {
            let table = tables.len() as u32;
            let fits = tables.len() + text.len() <= MOST_TABLES && tables.extend(text.as_slice());
            let table_len = if fits { text.len() as u32 } else { 0 };
            let id = codes.len() as u32;
            if codes.push(Code {
                function,
                first_line,
                table,
                table_len,
            }) {
                by_key.insert(key, id);
            }
        }
        text.free();
    }

    /// The frame of a word of a sample.
    pub(super) fn frame_of(&mut self, generation: u32, word: u64) -> Option<u32> {
        let side = generation as usize & 1;
        let number = (word >> 32) as u32;
        if number == codes::UNKNOWN {
            return self.marker(b"[unknown]");
        }
        let key = 1 << 63 | word;
        if let Some(frame) = self.by_word.get(side)?.get(key) {
            return Some(frame);
        }
        let code = codes::key_of(generation, number)
            .and_then(|key| self.by_key.get(side)?.get(key))
            .and_then(|id| self.codes.get(side)?.get(id as usize));
        let Some(code) = code else {
            return self.marker(b"[unknown]");
        };
        let (start, end) = (code.table as usize, (code.table + code.table_len) as usize);
        let table = self
            .tables
            .get(side)?
            .as_slice()
            .get(start..end)
            .unwrap_or_default();
        let line = match interpreter::get() {
            Some(interpreter) if !table.is_empty() => linetable::line(
                interpreter.layout.line_kind,
                code.first_line,
                table,
                word as u32,
            ),
            _ => 0,
        };
        let frame = self.frame(code.function, line, 0)?;
        self.by_word.get_mut(side)?.insert(key, frame);
        Some(frame)
    }

    pub(super) fn count(&mut self, slot: &Slot, at: u64, first: u64, len: u64) {
        let counts = slot.word(at + 1);
        let (cpu, interpreter) = (counts >> 32, counts as u32);
        let moment = self.moment(slot.word(at + 2));
        let wall_ns = slot.word(at + 3);
        let subject = slot.word(at + 4);
        let state = (first >> 44) as u8 & 0xf;
        let generation = (first >> 48) as u32 & 0xff;
        let Some(node) = self.stack(slot, at, first, len, interpreter, generation) else {
            self.dropped += cpu.max(1);
            return;
        };
        let Some(of) = slots::get((subject >> 32) as usize) else {
            return;
        };
        let thread = self.thread_of(of, subject as i32);
        if cpu > 0 {
            of.ran.store(node, Relaxed);
        } else {
            of.node.store(node, Relaxed);
            of.doing.store(u32::from(state), Relaxed);
        }
        self.account(of, thread, node, state, moment, cpu, wall_ns);
    }

    /// The node of a stack that nobody saw; 0 without memory for it.
    pub(crate) fn nowhere(&mut self) -> u32 {
        let frame = self.marker(b"[unseen]");
        frame.and_then(|frame| self.node(0, frame)).unwrap_or(0)
    }

    /// The node of a sample's stack.
    pub(super) fn stack(
        &mut self,
        slot: &Slot,
        at: u64,
        first: u64,
        len: u64,
        interpreter: u32,
        generation: u32,
    ) -> Option<u32> {
        let mut node = 0;
        if interpreter != 0 {
            let mut name = crate::config::Text::<32>::new();
            name.push(b"<interpreter ");
            name.push_number(u64::from(interpreter));
            name.push(b">");
            let frame = self.marker(name.as_bytes())?;
            node = self.node(node, frame)?;
        }
        if first & (REJECTED | CUT) != 0 {
            let name: &[u8] = if first & CUT != 0 {
                b"[cut]"
            } else {
                b"[incomplete]"
            };
            let frame = self.marker(name)?;
            node = self.node(node, frame)?;
        } else if len <= BEFORE_FRAMES {
            let frame = self.marker(b"[native]")?;
            return self.node(node, frame);
        }
        for n in (BEFORE_FRAMES..len).rev() {
            let frame = self.frame_of(generation, slot.word(at + n))?;
            node = self.node(node, frame)?;
        }
        Some(node)
    }
}

/// Reads a text that a definition has, as UTF-8; `place` goes on behind it.
fn read_text(slot: &Slot, place: &mut u64, into: &mut Vector<u8>) {
    let head = slot.word(*place);
    *place += 1;
    let (len, width) = (head & 0xffff_ffff, head >> 56);
    let from = *place;
    *place += len.div_ceil(8);
    let byte = |n: u64| (slot.word(from + n / 8) >> (8 * (n % 8))) as u8;
    if !into.reserve(len as usize * 2) {
        return;
    }
    if width == 0 {
        for n in 0..len {
            into.push(byte(n));
        }
        return;
    }
    for n in 0..len / width {
        let mut character = 0u32;
        for k in (0..width).rev() {
            character = character << 8 | u32::from(byte(n * width + k));
        }
        match char::from_u32(character) {
            Some(character) => {
                into.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            // What was no UTF-8 when Python decoded it.
            None if (0xdc80..0xdd00).contains(&character) => {
                into.push(character as u8);
            }
            None => {
                into.push(b'?');
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    index: usize,
    head: u64,
}

/// How many slots are read at a time.
const MARKED: usize = 256;

/// Slots with something unread, and how far it goes.
struct Marked {
    entries: [Entry; MARKED],
    len: usize,
    more: bool,
}

impl Marked {
    pub(super) fn new() -> Self {
        Marked {
            entries: [Entry { index: 0, head: 0 }; MARKED],
            len: 0,
            more: false,
        }
    }

    pub(super) fn add(&mut self, index: usize, head: u64) {
        match self.entries.get_mut(self.len) {
            Some(place) => {
                *place = Entry { index, head };
                self.len += 1;
            }
            None => {
                slots::mark(index);
                self.more = true;
            }
        }
    }

    pub(super) fn all(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or_default()
    }
}
