//! What is counted: rows, in slices of the run that become longer as it goes on.

use core::sync::atomic::Ordering::Relaxed;

use super::{MOST_ROWS, MOST_TIMES, SLICES, State};
use crate::memory::Vector;
use crate::slots::Slot;
use crate::{handler, sys};

/// Counts of one stack of one thread in one slice and state.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) key: u64,
    pub(crate) cpu: u64,
    pub(crate) wall: u64,
}

impl Row {
    pub(super) fn key_of(slice: usize, thread: u32, node: u32, state: u8) -> u64 {
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

impl State {
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
            let end = (self.origin_ns + (n as u64 + 1) * self.slice_ns)
                .max(from + 1)
                .min(to);
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

    /// The slices that there has been anything of.
    pub(crate) fn used_slices(&self) -> &[Slice] {
        let timed = (self.slices.iter()).rposition(|slice| slice.wall_ns > 0 || slice.ticks > 0);
        let counted = self
            .rows
            .as_slice()
            .iter()
            .map(|row| row.slice() as usize + 1)
            .max();
        let used = timed.map_or(0, |last| last + 1).max(counted.unwrap_or(0));
        self.slices.get(..used).unwrap_or(&self.slices)
    }

    /// The slice of a moment; slices become longer where there would be too many.
    pub(super) fn slice_at(&mut self, at_ns: u64) -> usize {
        let since = at_ns.saturating_sub(self.origin_ns);
        while since / self.slice_ns.max(1) >= SLICES as u64 {
            self.join_slices();
        }
        (since / self.slice_ns.max(1)) as usize
    }

    /// Makes one slice of every two.
    pub(super) fn join_slices(&mut self) {
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

    pub(super) fn add(&mut self, key: u64, cpu: u64, wall: u64) -> bool {
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
    pub(super) fn moment(&self, cycles: u64) -> u64 {
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
        let period = self.period_ns.max(1);
        let wall = elapsed / period;
        of.carry_ns.store(elapsed % period, Relaxed);
        if cpu == 0 && wall == 0 {
            return;
        }
        self.counted += 1;
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
}
