//! What has been sampled so far, added up: tables of strings, functions, frames and threads, a trie of
//! stacks, and rows that count. Its memory is bounded, whatever the run's length.
//!
//! Only the thread that holds the agent's lock touches it.

use crate::linetable;
use crate::memory::{Map, Vector, hash};
use crate::slots::{self, Slot};
use crate::walk::{BEFORE_FRAMES, CUT, DEFINITION, REJECTED, SAMPLE};
use crate::{codes, handler, interpreter, sys};

use core::sync::atomic::Ordering::Relaxed;

/// How many slices a run has at most; when it has them all, neighbours become one.
pub(crate) const SLICES: usize = 120;
/// How long a slice is at first.
pub(crate) const FIRST_SLICE_NS: u64 = 10_000_000;

/// The bounds. With them everything fits 64 megabytes.
const MOST_ROWS: usize = 400_000;
const MOST_NODES: usize = 600_000;
const MOST_FRAMES: usize = 200_000;
const MOST_FUNCTIONS: usize = 100_000;
const MOST_TEXT: usize = 8 << 20;
const MOST_THREADS: usize = 4096;
const MOST_TABLES: usize = 12 << 20;
const MOST_TIMES: usize = 400_000;

/// States of a sample.
pub(crate) const ON_CPU: u8 = 0;
pub(crate) const GIL: u8 = 1;
pub(crate) const IDLE: u8 = 2;
pub(crate) const RUNNABLE: u8 = 3;
pub(crate) const LOCK: u8 = 4;

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Function {
    pub(crate) name: u32,
    pub(crate) file: u32,
    pub(crate) first_line: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Frame {
    pub(crate) function: u32,
    pub(crate) line: u32,
    /// 0 for Python's, 1 for a marker.
    pub(crate) kind: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Node {
    pub(crate) parent: u32,
    pub(crate) frame: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Thread {
    pub(crate) tid: i32,
    pub(crate) name: u32,
}

/// Counts of one stack of one thread in one slice and state.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) key: u64,
    pub(crate) cpu: u64,
    pub(crate) wall: u64,
}

impl Row {
    fn key_of(slice: usize, thread: u32, node: u32, state: u8) -> u64 {
        1 << 63
            | (slice as u64) << 48
            | u64::from(thread) << 32
            | u64::from(state) << 28
            | u64::from(node)
    }

    pub(crate) fn slice(self) -> u32 {
        (self.key >> 48) as u32 & 0x7f
    }

    pub(crate) fn thread(self) -> u32 {
        (self.key >> 32) as u32 & 0xffff
    }

    pub(crate) fn state(self) -> u32 {
        (self.key >> 28) as u32 & 0xf
    }

    pub(crate) fn node(self) -> u32 {
        self.key as u32 & 0x0fff_ffff
    }
}

/// A sample and when it was taken.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Timed {
    pub(crate) time_ns: u64,
    pub(crate) thread: u32,
    pub(crate) node: u32,
    pub(crate) state: u32,
    pub(crate) padding: u32,
    pub(crate) cpu: i64,
    pub(crate) wall: i64,
}

/// Exact counters of a slice.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Slice {
    pub(crate) ticks: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) wall_ns: u64,
}

#[derive(Clone, Copy)]
struct Code {
    function: u32,
    first_line: u32,
    table: u32,
    table_len: u32,
}

/// See the module.
pub(crate) struct State {
    pub(crate) text: Vector<u8>,
    /// Where each string ends in `text`.
    pub(crate) strings: Vector<u32>,
    string_ids: Map,
    pub(crate) functions: Vector<Function>,
    function_ids: Map,
    pub(crate) frames: Vector<Frame>,
    frame_ids: Map,
    pub(crate) nodes: Vector<Node>,
    node_ids: Map,
    pub(crate) threads: Vector<Thread>,
    pub(crate) rows: Vector<Row>,
    row_ids: Map,
    pub(crate) times: Vector<Timed>,
    pub(crate) slices: [Slice; SLICES],
    pub(crate) slice_ns: u64,

    // By code number, for two generations.
    codes: [Vector<Code>; 2],
    by_key: [Map; 2],
    by_word: [Map; 2],
    tables: [Vector<u8>; 2],

    pub(crate) origin_ns: u64,
    pub(crate) period_ns: u64,
    pub(crate) timeline: bool,
    /// Whether it is elapsed time that ticks.
    pub(crate) ticks_are_wall: bool,
    /// Samples that found no room here.
    pub(crate) dropped: u64,
    pub(crate) times_dropped: u64,
    /// Counts of threads that are gone.
    pub(crate) past: Totals,
    /// CPU and elapsed time of the process while sampling.
    pub(crate) cpu_ns: u64,
    pub(crate) wall_ns: u64,
    last_cpu_ns: u64,
    last_wall_ns: u64,
    /// Cycles and nanoseconds at two moments, for turning one into the other.
    cycles_then: u64,
    then_ns: u64,
    cycles_now: u64,
    now_ns: u64,
}

/// What threads counted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) overruns: u64,
    pub(crate) rejected: u64,
    pub(crate) cut: u64,
    pub(crate) no_python: u64,
    pub(crate) signals: u64,
    pub(crate) cycles: u64,
    pub(crate) threads: u64,
}

impl Totals {
    /// Adds what a slot has counted.
    pub(crate) fn add(&mut self, slot: &Slot) {
        let counts = &slot.counts;
        self.delivered += counts.delivered.load(Relaxed);
        self.dropped += counts.dropped.load(Relaxed);
        self.overruns += counts.overruns.load(Relaxed);
        self.rejected += counts.rejected.load(Relaxed);
        self.cut += counts.cut.load(Relaxed);
        self.no_python += counts.no_python.load(Relaxed);
        self.signals += counts.signals.load(Relaxed);
        self.cycles += counts.cycles.load(Relaxed);
    }
}

/// Sets a slot's counts to zero.
pub(crate) fn clear_counts(slot: &Slot) {
    let counts = &slot.counts;
    for count in [
        &counts.delivered,
        &counts.dropped,
        &counts.overruns,
        &counts.rejected,
        &counts.cut,
        &counts.no_python,
        &counts.signals,
        &counts.cycles,
    ] {
        count.store(0, Relaxed);
    }
}

const NO_FRAME: u32 = u32::MAX;

impl State {
    pub(crate) const fn new() -> Self {
        State {
            text: Vector::new(),
            strings: Vector::new(),
            string_ids: Map::new(),
            functions: Vector::new(),
            function_ids: Map::new(),
            frames: Vector::new(),
            frame_ids: Map::new(),
            nodes: Vector::new(),
            node_ids: Map::new(),
            threads: Vector::new(),
            rows: Vector::new(),
            row_ids: Map::new(),
            times: Vector::new(),
            slices: [Slice {
                ticks: 0,
                cpu_ns: 0,
                wall_ns: 0,
            }; SLICES],
            slice_ns: FIRST_SLICE_NS,
            codes: [const { Vector::new() }; 2],
            by_key: [const { Map::new() }; 2],
            by_word: [const { Map::new() }; 2],
            tables: [const { Vector::new() }; 2],
            origin_ns: 0,
            period_ns: 1,
            timeline: false,
            ticks_are_wall: false,
            dropped: 0,
            times_dropped: 0,
            past: Totals {
                delivered: 0,
                dropped: 0,
                overruns: 0,
                rejected: 0,
                cut: 0,
                no_python: 0,
                signals: 0,
                cycles: 0,
                threads: 0,
            },
            cpu_ns: 0,
            wall_ns: 0,
            last_cpu_ns: 0,
            last_wall_ns: 0,
            cycles_then: 0,
            then_ns: 0,
            cycles_now: 0,
            now_ns: 0,
        }
    }

    /// Begins: nothing has been sampled. Whether there is memory.
    pub(crate) fn begin(&mut self, origin_ns: u64, period_ns: u64, timeline: bool) -> bool {
        self.free();
        self.origin_ns = origin_ns;
        self.period_ns = period_ns.max(1);
        self.timeline = timeline;
        self.resume();
        self.strings.push(0)
            && self.nodes.push(Node {
                parent: 0,
                frame: NO_FRAME,
            })
            && self.string(b"").is_some()
    }

    /// Goes on measuring the process's time from now.
    pub(crate) fn resume(&mut self) {
        self.last_cpu_ns = sys::clock(sys::PROCESS_CPU).unwrap_or(0);
        self.last_wall_ns = sys::now();
        self.cycles_now = sys::cycles();
        self.now_ns = self.last_wall_ns;
        self.cycles_then = self.cycles_now;
        self.then_ns = self.now_ns;
    }

    /// Gives all memory back.
    pub(crate) fn free(&mut self) {
        self.text.free();
        self.strings.free();
        self.functions.free();
        self.frames.free();
        self.nodes.free();
        self.threads.free();
        self.rows.free();
        self.times.free();
        for map in [
            &mut self.string_ids,
            &mut self.function_ids,
            &mut self.frame_ids,
            &mut self.node_ids,
            &mut self.row_ids,
        ] {
            map.free();
        }
        for generation in 0..2 {
            self.free_generation(generation);
        }
        *self = State::new();
    }

    /// How much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let maps = [
            &self.string_ids,
            &self.function_ids,
            &self.frame_ids,
            &self.node_ids,
            &self.row_ids,
        ];
        self.text.bytes()
            + self.strings.bytes()
            + self.functions.bytes()
            + self.frames.bytes()
            + self.nodes.bytes()
            + self.rows.bytes()
            + self.times.bytes()
            + maps.iter().map(|map| map.bytes()).sum::<usize>()
            + self.codes.iter().map(Vector::bytes).sum::<usize>()
            + self.tables.iter().map(Vector::bytes).sum::<usize>()
            + self
                .by_key
                .iter()
                .chain(&self.by_word)
                .map(Map::bytes)
                .sum::<usize>()
    }

    fn free_generation(&mut self, generation: usize) {
        if let Some(codes) = self.codes.get_mut(generation) {
            codes.free();
        }
        if let Some(tables) = self.tables.get_mut(generation) {
            tables.free();
        }
        for maps in [&mut self.by_key, &mut self.by_word] {
            if let Some(map) = maps.get_mut(generation) {
                map.free();
            }
        }
    }

    /// Whether the line tables of the present generation have taken all their room.
    pub(crate) fn tables_are_full(&self) -> bool {
        let generation = codes::generation() as usize & 1;
        self.tables
            .get(generation)
            .is_some_and(|tables| tables.len() * 4 > MOST_TABLES * 3)
    }

    /// Readies the place of the generation to come.
    pub(crate) fn before_generation(&mut self, next: u32) {
        self.free_generation(next as usize & 1);
    }

    // Interning.

    /// The text of a string.
    pub(crate) fn string_at(&self, id: u32) -> &[u8] {
        let end = self.strings.get(id as usize + 1).unwrap_or(0) as usize;
        let start = self.strings.get(id as usize).unwrap_or(0) as usize;
        self.text.as_slice().get(start..end).unwrap_or_default()
    }

    /// How many strings there are.
    pub(crate) fn string_count(&self) -> usize {
        self.strings.len().saturating_sub(1)
    }

    pub(crate) fn string(&mut self, text: &[u8]) -> Option<u32> {
        let mut key = hash(text, 0);
        while let Some(id) = self.string_ids.get(key) {
            if self.string_at(id) == text {
                return Some(id);
            }
            key = key.wrapping_add(1).max(1);
        }
        let end = self.text.len() + text.len();
        if end > MOST_TEXT || !self.text.extend(text) || !self.strings.push(end as u32) {
            return None;
        }
        let id = self.strings.len() as u32 - 2;
        self.string_ids.insert(key, id).then_some(id)
    }

    fn function(&mut self, function: Function) -> Option<u32> {
        let Function {
            name,
            file,
            first_line,
        } = function;
        let bytes = (u64::from(name) << 32 | u64::from(file)).to_le_bytes();
        let mut key = hash(&bytes, u64::from(first_line));
        while let Some(id) = self.function_ids.get(key) {
            let known = self.functions.get(id as usize)?;
            if (known.name, known.file, known.first_line) == (name, file, first_line) {
                return Some(id);
            }
            key = key.wrapping_add(1).max(1);
        }
        let id = self.functions.len() as u32;
        let fits = self.functions.len() < MOST_FUNCTIONS
            && self.functions.push(function)
            && self.function_ids.insert(key, id);
        fits.then_some(id)
    }

    fn frame(&mut self, function: u32, line: u32, kind: u32) -> Option<u32> {
        let key = 1 << 63 | u64::from(function) << 32 | u64::from(line) << 1 | u64::from(kind);
        if let Some(id) = self.frame_ids.get(key) {
            return Some(id);
        }
        let id = self.frames.len() as u32;
        let fits = self.frames.len() < MOST_FRAMES
            && self.frames.push(Frame {
                function,
                line,
                kind,
            })
            && self.frame_ids.insert(key, id);
        fits.then_some(id)
    }

    /// The frame that stands for what is no Python function.
    fn marker(&mut self, name: &[u8]) -> Option<u32> {
        let name = self.string(name)?;
        let function = self.function(Function {
            name,
            file: 0,
            first_line: 0,
        })?;
        self.frame(function, 0, 1)
    }

    fn node(&mut self, parent: u32, frame: u32) -> Option<u32> {
        let key = 1 << 63 | u64::from(parent) << 32 | u64::from(frame);
        if let Some(id) = self.node_ids.get(key) {
            return Some(id);
        }
        let id = self.nodes.len() as u32;
        let fits = self.nodes.len() < MOST_NODES
            && self.nodes.push(Node { parent, frame })
            && self.node_ids.insert(key, id);
        fits.then_some(id)
    }

    /// A thread's row. Of very many, those of one name share one.
    pub(crate) fn thread(&mut self, tid: i32, name: &[u8]) -> u32 {
        let name = self.string(name).unwrap_or(0);
        let full = self.threads.len() >= MOST_THREADS;
        let tid = if full { 0 } else { tid };
        let known = self.threads.as_slice().iter();
        let found = match full {
            true => known
                .clone()
                .rposition(|thread| thread.tid == 0 && thread.name == name),
            false => None,
        };
        if let Some(known) = found {
            return known as u32;
        }
        if self.threads.len() < 2 * MOST_THREADS && self.threads.push(Thread { tid, name }) {
            return self.threads.len() as u32 - 1;
        }
        self.threads.len().saturating_sub(1) as u32
    }

    /// Gives a thread its name, which may have become known after its first samples.
    pub(crate) fn name_thread(&mut self, thread: u32, name: &[u8]) {
        let known = self.threads.get(thread as usize).map(|thread| thread.name);
        if known.is_some_and(|known| self.string_at(known) == name) {
            return;
        }
        if let Some(name) = self.string(name)
            && let Some(thread) = self.threads.get_mut(thread as usize)
            && thread.tid != 0
        {
            thread.name = name;
        }
    }

    // Time.

    /// Notes the moment, and spreads the CPU time since the last over the slices between.
    pub(crate) fn advance(&mut self) {
        let now = sys::now();
        self.cycles_then = self.cycles_now;
        self.then_ns = self.now_ns;
        self.cycles_now = sys::cycles();
        self.now_ns = now;
        let (cycles, time) = (
            self.cycles_now.wrapping_sub(self.cycles_then),
            now - self.then_ns.min(now),
        );
        let per_period = u128::from(cycles) * u128::from(self.period_ns) / u128::from(time.max(1));
        handler::PERIOD_CYCLES.store(per_period as u64, Relaxed);
        let cpu = sys::clock(sys::PROCESS_CPU).unwrap_or(self.last_cpu_ns);
        let used = cpu.saturating_sub(self.last_cpu_ns);
        let (mut from, to) = (self.last_wall_ns.max(self.origin_ns), now);
        self.last_cpu_ns = cpu;
        self.last_wall_ns = now;
        if to <= from {
            return;
        }
        self.cpu_ns += used;
        self.wall_ns += to - from;
        let (whole, mut left) = (to - from, used);
        self.slice_at(to);
        while from < to {
            let n = self.slice_at(from);
            let end = (self.origin_ns + (n as u64 + 1) * self.slice_ns).clamp(from + 1, to);
            let share = match end == to {
                true => left,
                false => (u128::from(used) * u128::from(end - from) / u128::from(whole)) as u64,
            };
            if let Some(slice) = self.slices.get_mut(n) {
                slice.cpu_ns += share;
                slice.wall_ns += end - from;
            }
            left = left.saturating_sub(share);
            from = end;
        }
    }

    /// The slice of a moment; slices become longer where there would be too many.
    fn slice_at(&mut self, at_ns: u64) -> usize {
        let since = at_ns.saturating_sub(self.origin_ns);
        while since / self.slice_ns.max(1) >= SLICES as u64 {
            self.join_slices();
        }
        (since / self.slice_ns.max(1)) as usize
    }

    /// Makes one slice of every two.
    fn join_slices(&mut self) {
        let mut joined = [Slice::default(); SLICES];
        for (n, slice) in self.slices.iter().enumerate() {
            if let Some(into) = joined.get_mut(n / 2) {
                into.ticks += slice.ticks;
                into.cpu_ns += slice.cpu_ns;
                into.wall_ns += slice.wall_ns;
            }
        }
        self.slices = joined;
        self.slice_ns *= 2;
        let mut old = core::mem::replace(&mut self.rows, Vector::new());
        self.row_ids.free();
        for row in old.as_slice() {
            let key = Row::key_of(
                row.slice() as usize / 2,
                row.thread(),
                row.node(),
                row.state() as u8,
            );
            if !self.add(key, row.cpu, row.wall) {
                self.dropped += row.cpu.max(row.wall);
            }
        }
        old.free();
    }

    fn add(&mut self, key: u64, cpu: u64, wall: u64) -> bool {
        if let Some(row) = self
            .row_ids
            .get(key)
            .and_then(|id| self.rows.get_mut(id as usize))
        {
            row.cpu += cpu;
            row.wall += wall;
            return true;
        }
        let id = self.rows.len() as u32;
        self.rows.push(Row { key, cpu, wall }) && self.row_ids.insert(key, id)
    }

    /// The moment of a count of cycles, between the last two that were noted.
    fn moment(&self, cycles: u64) -> u64 {
        let (span, passed) = (
            self.cycles_now.wrapping_sub(self.cycles_then),
            cycles.wrapping_sub(self.cycles_then),
        );
        let time = self.now_ns - self.then_ns;
        if span == 0 || passed > span {
            // Older than the last but one moment, or from a processor that is ahead.
            return if passed > u64::MAX / 2 {
                self.then_ns
            } else {
                self.now_ns
            };
        }
        self.then_ns + (u128::from(time) * u128::from(passed) / u128::from(span)) as u64
    }

    /// How many nanoseconds so many cycles are.
    pub(crate) fn cycles_to_ns(&self, cycles: u64, began_cycles: u64, began_ns: u64) -> u64 {
        let span = self.cycles_now.wrapping_sub(began_cycles).max(1);
        let time = self.now_ns.saturating_sub(began_ns);
        (u128::from(cycles) * u128::from(time) / u128::from(span)) as u64
    }

    // Reading rings.

    /// Reads everything that threads have recorded.
    pub(crate) fn drain(&mut self) {
        for _ in 0..slots::SLOTS / MARKED {
            if !self.drain_some() {
                return;
            }
        }
    }

    /// Reads what some threads have recorded; whether there are more.
    fn drain_some(&mut self) -> bool {
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

    fn read_definitions(&mut self, slot: &Slot) {
        let (mut at, head) = slot.unread();
        while at < head {
            let first = slot.word(at);
            if first >> 56 == DEFINITION {
                self.define(slot, at, (first >> 48) as usize & 1);
            }
            at += (first & 0xffff_ffff).max(1);
        }
    }

    fn read_samples(&mut self, slot: &Slot, head: u64) {
        let (mut at, _) = slot.unread();
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

    fn define(&mut self, slot: &Slot, at: u64, generation: usize) {
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
    fn frame_of(&mut self, generation: u32, word: u64) -> Option<u32> {
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

    fn count(&mut self, slot: &Slot, at: u64, first: u64, len: u64) {
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

    /// The row of a slot's thread.
    pub(crate) fn thread_of(&mut self, slot: &Slot, tid: i32) -> u32 {
        match slot.thread.load(Relaxed) {
            0 => {
                let name = crate::threads::name_of(tid);
                let row = self.thread(tid, name.as_bytes());
                slot.thread.store(row + 1, Relaxed);
                self.past.threads += 1;
                row
            }
            row => row - 1,
        }
    }

    /// Adds a sample up. Elapsed time counts in whole periods, and what is left stays with the thread.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn account(
        &mut self,
        of: &Slot,
        thread: u32,
        node: u32,
        state: u8,
        moment: u64,
        cpu: u64,
        wall_ns: u64,
    ) {
        let elapsed = of.carry_ns.load(Relaxed) + wall_ns;
        let wall = elapsed / self.period_ns;
        of.carry_ns.store(elapsed % self.period_ns, Relaxed);
        if cpu == 0 && wall == 0 {
            return;
        }
        let slice = self.slice_at(moment);
        if let Some(slice) = self.slices.get_mut(slice) {
            slice.ticks += if self.ticks_are_wall { wall } else { cpu };
        }
        // Longer slices have fewer rows; but some slices there must be.
        while self.rows.len() >= MOST_ROWS && self.slice_at(self.now_ns) >= 16 {
            self.join_slices();
        }
        let slice = self.slice_at(moment);
        let fits = self.rows.len() < MOST_ROWS
            && self.add(Row::key_of(slice, thread, node, state), cpu, wall);
        if !fits {
            self.dropped += cpu.max(wall);
        }
        if self.timeline {
            let time_ns = moment.saturating_sub(self.origin_ns);
            let timed = Timed {
                time_ns,
                thread,
                node,
                state: u32::from(state),
                padding: 0,
                cpu: cpu as i64,
                wall: wall as i64,
            };
            if self.times.len() >= MOST_TIMES || !self.times.push(timed) {
                self.times_dropped += 1;
            }
        }
    }

    /// The node of a sample's stack.
    fn stack(
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
    fn new() -> Self {
        Marked {
            entries: [Entry { index: 0, head: 0 }; MARKED],
            len: 0,
            more: false,
        }
    }

    fn add(&mut self, index: usize, head: u64) {
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

    fn all(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::tests::ALONE;
    use std::sync::PoisonError;
    use std::sync::atomic::Ordering::Release;

    const PERIOD: u64 = 10_000_000;

    /// A state that began some time ago, and a slot.
    fn begun(ago_ns: u64) -> (State, usize, &'static Slot) {
        let mut state = State::new();
        assert!(state.begin(sys::now() - ago_ns, PERIOD, false));
        slots::set_ring(1);
        let (index, slot) = slots::claim().unwrap();
        slots::prepare(slot, 4000 + index as i32);
        slot.state.store(slots::ARMED, Release);
        (state, index, slot)
    }

    fn done(mut state: State, slot: &Slot) {
        slot.read_up_to(slot.unread().1);
        slot.state.store(slots::FREE, Release);
        state.free();
    }

    fn totals(state: &State) -> (u64, u64) {
        (state.rows.as_slice().iter()).fold((0, 0), |sum, row| (sum.0 + row.cpu, sum.1 + row.wall))
    }

    #[test]
    fn slices_become_longer_and_nothing_is_lost() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _, slot) = begun(0);
        let node = state
            .marker(b"f")
            .and_then(|frame| state.node(0, frame))
            .unwrap();
        // A sample each 10 ms for an hour: longer than 120 slices of any length up to 20 s.
        let samples = 3600 * 100;
        for n in 0..samples {
            let moment = state.origin_ns + n * PERIOD;
            state.account(slot, 0, node, ON_CPU, moment, 1, PERIOD);
        }
        assert_eq!(totals(&state), (samples, samples));
        assert_eq!(state.slice_ns % FIRST_SLICE_NS, 0);
        assert!((state.slice_ns / FIRST_SLICE_NS).is_power_of_two());
        let ticks: Vec<u64> = state
            .slices
            .iter()
            .map(|slice| slice.ticks)
            .filter(|ticks| *ticks > 0)
            .collect();
        assert!((60..=120).contains(&ticks.len()), "{}", ticks.len());
        assert_eq!(ticks.iter().sum::<u64>(), samples);
        // Each slice has as many samples as fit its length.
        let whole = state.slice_ns / PERIOD;
        assert!(ticks[..ticks.len() - 1].iter().all(|ticks| *ticks == whole));
        assert_eq!(state.rows.len(), ticks.len());
        done(state, slot);
    }

    #[test]
    fn elapsed_time_is_counted_whole_whatever_the_pieces() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _, slot) = begun(0);
        for n in 0..1000 {
            let moment = state.origin_ns + n * PERIOD / 3;
            state.account(slot, 0, 0, IDLE, moment, 0, PERIOD / 3);
        }
        assert_eq!(totals(&state), (0, 1000 * (PERIOD / 3) / PERIOD));
        done(state, slot);
    }

    #[test]
    fn memory_stays_within_its_bounds() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _, slot) = begun(1_100_000_000);
        state.advance();
        let mut counted = 0;
        for n in 0..1_500_000u64 {
            // Ever new stacks of ever new functions, in all slices.
            if let Some(frame) = state.frame(0, n as u32 + 1, 0) {
                state.node((n / 2) as u32, frame);
            }
            let node = n * 7919 % state.nodes.len() as u64;
            let moment = state.origin_ns + n % 110 * FIRST_SLICE_NS;
            state.account(slot, (n % 50) as u32, node as u32, ON_CPU, moment, 1, 0);
            counted += 1;
        }
        assert!(state.bytes() < 64 << 20, "{}", state.bytes());
        assert_eq!(totals(&state).0 + state.dropped, counted);
        assert!(state.dropped > 0);
        done(state, slot);
    }

    #[test]
    fn very_many_threads_share_rows_by_their_name() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _, slot) = begun(0);
        for tid in 1..50_000 {
            state.thread(tid, if tid % 2 == 0 { b"even" } else { b"odd" });
        }
        assert_eq!(state.threads.len(), MOST_THREADS + 2);
        done(state, slot);
    }

    /// Records a definition of `name` in a ring, and gives its number.
    fn define(index: usize, slot: &Slot, key: u64, name: &[u8]) -> u32 {
        let generation = codes::generation();
        let codes::Found::New(at) = codes::find(generation, key, None) else {
            panic!("known")
        };
        let mut record = slot.record();
        record.put(DEFINITION << 56 | u64::from(generation as u8) << 48);
        record.put(key);
        record.put(7);
        for text in [name, b"app.py", &[]] {
            record.put(text.len() as u64);
            for chunk in text.chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                record.put(u64::from_le_bytes(word));
            }
        }
        assert!(record.commit(index));
        assert!(codes::publish(generation, key, at));
        at
    }

    fn sample(index: usize, slot: &Slot, numbers: &[u32]) {
        let mut record = slot.record();
        record.put(SAMPLE << 56 | u64::from(codes::generation() as u8) << 48);
        record.put(1 << 32);
        record.put(sys::cycles());
        record.put(0);
        record.put((index as u64) << 32 | slot.tid.load(Relaxed) as u64);
        numbers
            .iter()
            .for_each(|number| record.put(u64::from(*number) << 32));
        assert!(record.commit(index));
    }

    /// The stacks, root first, with their counts.
    fn stacks(state: &State) -> Vec<(String, u64)> {
        let mut stacks = Vec::new();
        for row in state.rows.as_slice() {
            let mut names = Vec::new();
            let mut at = row.node();
            while let Some(node) = state.nodes.get(at as usize).filter(|_| at != 0) {
                let frame = state.frames.get(node.frame as usize).unwrap();
                let function = state.functions.get(frame.function as usize).unwrap();
                names.push(String::from_utf8_lossy(state.string_at(function.name)).into_owned());
                at = node.parent;
            }
            names.reverse();
            stacks.push((names.join(";"), row.cpu));
        }
        stacks.sort();
        stacks
    }

    #[test]
    fn names_are_found_that_another_thread_defined_and_after_a_new_generation() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: this test alone uses the tables.
        unsafe { codes::forget() };
        // SAFETY: as above.
        assert!(unsafe { codes::next_generation() });
        let (mut state, first, slot) = begun(1_000_000);
        let (other_state, second, other) = begun(0);
        let main = define(second, other, 0x1000, b"main");
        let leaf = define(first, slot, 0x2000, b"leaf");
        sample(first, slot, &[leaf, main]);
        state.advance();
        state.drain();
        assert_eq!(stacks(&state), [("main;leaf".into(), 1)]);
        // The same numbers mean something else in the next generation, and what is under way still
        // means what it did.
        sample(first, slot, &[leaf, main]);
        state.before_generation(codes::generation() + 1);
        // SAFETY: as above.
        assert!(unsafe { codes::next_generation() });
        let again = define(first, slot, 0x1000, b"again");
        sample(first, slot, &[again]);
        sample(first, slot, &[codes::UNKNOWN]);
        state.advance();
        state.drain();
        assert_eq!(
            stacks(&state),
            [
                ("[unknown]".into(), 1),
                ("again".into(), 1),
                ("main;leaf".into(), 2)
            ]
        );
        done(state, slot);
        done(other_state, other);
    }
}
