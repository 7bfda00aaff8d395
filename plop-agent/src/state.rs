//! What has been sampled so far, added up: tables of strings, functions, frames and threads, a trie of
//! stacks, and rows that count. Its memory is bounded, whatever the run's length.
//!
//! Only the thread that holds the agent's lock touches it.

mod rings;
mod rows;
mod tables;

use core::sync::atomic::Ordering::Relaxed;

pub(crate) use rows::{Row, Slice, Timed};

use crate::memory::{Map, Vector};
use crate::slots::Slot;
use crate::{codes, sys};

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
    /// Whether threads are looked at, so that all of their elapsed time is counted.
    pub(crate) looks: bool,
    /// When sampling began, or went on.
    pub(crate) resumed_ns: u64,
    /// How often something was counted, by which a checkpoint tells whether there is anything new.
    pub(crate) counted: u64,
    /// The most words that a ring had when it was read last.
    pub(crate) fullest: u64,
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
            looks: false,
            resumed_ns: 0,
            counted: 0,
            fullest: 0,
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
        self.resumed_ns = self.last_wall_ns;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots;
    use crate::walk::tests::ALONE;
    use crate::walk::{DEFINITION, SAMPLE};
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
        let (index, _) = slots::all()
            .find(|(_, other)| core::ptr::eq(*other, slot))
            .unwrap();
        slot.tid.store(0, Release);
        slots::free(index, slot);
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

    /// The stacks, root first, with their counts in all slices.
    fn stacks(state: &State) -> Vec<(String, u64)> {
        let mut stacks = std::collections::BTreeMap::new();
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
            *stacks.entry(names.join(";")).or_default() += row.cpu;
        }
        stacks.into_iter().collect()
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
