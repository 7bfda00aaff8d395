//! Looking at threads from outside: where one is that does not run, and what it waits for.
//!
//! A thread that has not run since the last look is where it was. One that does not run while its stack is
//! read, which two equal readings of its CPU clock prove, is where that says. The elapsed time of one that
//! runs waits for its next CPU sample. Nothing is sent to any of them.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

use crate::config::Text;
use crate::guard::{Copied, Direct, Memory, guarded};
use crate::interpreter::{self, Interpreter};
use crate::memory::Map;
use crate::slots::{self, ARMED, Slot};
use crate::state::{GIL, IDLE, LOCK, ON_CPU, RUNNABLE, State};
use crate::threads::{DEFERRED, LOOKS, Threads, UNPROVEN, hexadecimal, looked_at};
use crate::walk::{self, Sample};
use crate::{codes, handler, sys, trigger};

impl Threads {
    /// Looks at threads, for as long as the budget of a tick lasts, and goes on with the others at the
    /// next.
    pub(crate) fn visit(&mut self, state: &mut State) {
        let Some((own, own_slot)) = self.own else {
            return;
        };
        let Some(interpreter) = interpreter::running() else {
            return;
        };
        self.list_in_time(interpreter);
        let made = slots::made() as usize;
        let began = sys::cycles();
        // Half a percent of a processor, and two for those that nobody has seen yet.
        let budget = handler::PERIOD_CYCLES.load(Relaxed) / 200;
        for n in 0..made {
            let index = (self.next + n) % made.max(1);
            let Some(slot) = slots::get(index).filter(|slot| slot.state.load(Acquire) == ARMED)
            else {
                continue;
            };
            let share = if slot.visited.load(Relaxed) == 0 {
                4
            } else {
                1
            };
            self.look(interpreter, state, index, slot, (own, own_slot), guarded());
            if sys::cycles().wrapping_sub(began) > share * budget {
                self.next = (index + 1) % made.max(1);
                return;
            }
        }
        self.next = 0;
    }

    /// Looks at the threads that nobody has seen yet, when it is over.
    pub(crate) fn visit_unseen(&mut self, state: &mut State) {
        let (Some((own, own_slot)), Some(interpreter)) = (self.own, interpreter::running()) else {
            return;
        };
        let until = sys::now() + LAST_LOOKS_NS;
        LOOKS.store(sys::gettid(), Relaxed);
        self.list(interpreter);
        let is_unseen = |slot: &Slot| {
            slot.state.load(Acquire) == ARMED
                && slot.node.load(Relaxed) == 0
                && slot.ran.load(Relaxed) == 0
        };
        for (n, (index, slot)) in slots::all().filter(|(_, slot)| is_unseen(slot)).enumerate() {
            if sys::now() > until {
                break;
            }
            self.look(interpreter, state, index, slot, (own, own_slot), false);
            if n % 64 == 63 {
                state.advance();
                state.drain();
            }
        }
        LOOKS.store(0, Relaxed);
        state.advance();
        state.drain();
    }

    fn look(
        &mut self,
        interpreter: &Interpreter,
        state: &mut State,
        index: usize,
        slot: &Slot,
        own: (usize, &Slot),
        direct: bool,
    ) {
        let is_young = || sys::now().saturating_sub(slot.since_ns.load(Relaxed)) < YOUNG_NS;
        if slot.tstate.load(Relaxed) == 0 && is_young() {
            // Python may not have met it yet. All its time counts at the first look.
            let soon = sys::now() + SOON_NS;
            self.list_again_ns = self.list_again_ns.min(soon);
            return;
        }
        look_at(interpreter, state, index, slot, own, direct);
    }

    /// Lists Python's thread states once a second, and whenever there may be new ones, but for a small part of
    /// the time.
    fn list_in_time(&mut self, interpreter: &Interpreter) {
        let now = sys::now();
        let since = now.saturating_sub(self.listed_ns);
        let is_new = self.prepared != slots::PREPARED.load(Acquire) || now >= self.list_again_ns;
        if since > 1_000_000_000 || is_new && since > 100 * self.list_cost_ns {
            self.list(interpreter);
        }
    }

    fn list(&mut self, interpreter: &Interpreter) {
        let began = sys::now();
        self.listed_ns = began;
        self.list_again_ns = u64::MAX;
        self.prepared = slots::PREPARED.load(Acquire);
        self.lists = self.lists.wrapping_add(1);
        // Threads come and go meanwhile, and take their states with them.
        list_with(interpreter, &Copied::new(), self.lists);
        self.list_cost_ns = sys::now().saturating_sub(began);
    }
}

/// So long after its start a thread is taken to be none of Python's if Python does not list it, and so soon it
/// is looked for again.
const YOUNG_NS: u64 = 300_000_000;
const SOON_NS: u64 = 5_000_000;
/// How long the last looks may take.
const LAST_LOOKS_NS: u64 = 50_000_000;

/// Notes the Python thread state of every thread that has one.
fn list_with(interpreter: &Interpreter, memory: &impl Memory, list: u32) {
    let layout = &interpreter.layout;
    let at = |base: u64, offset: i32| {
        memory
            .pointer(base.wrapping_add(offset as u64))
            .unwrap_or(0)
    };
    let note = |slot: &Slot, tstate: u64| {
        if slot.tstate.swap(tstate, Relaxed) != tstate {
            // What was seen of it was something else.
            slot.doing.store(u32::MAX, Relaxed);
        }
    };
    let mut by_tid = Map::new();
    for (index, slot) in slots::all().filter(|(_, slot)| slot.state.load(Acquire) == ARMED) {
        by_tid.insert(slot.tid.load(Relaxed) as u64, index as u32);
    }
    let mut interp = interpreter.interpreters(memory).unwrap_or(0);
    let mut left = 4 * slots::SLOTS;
    while interp != 0 && left > 0 {
        let mut tstate = at(interp, layout.interp.threads_head);
        while tstate != 0 && left > 0 {
            left -= 1;
            let tid = interpreter.native_id(memory, tstate);
            // Of a thread that is in two interpreters, the one whose frames are newest is not known;
            // the main interpreter comes last in the list, and is taken.
            if tid > 0
                && let Some(slot) = by_tid
                    .get(tid as u64)
                    .and_then(|index| slots::get(index as usize))
            {
                note(slot, tstate);
                slot.listed.store(list, Relaxed);
            }
            tstate = at(tstate, layout.tstate.next);
        }
        left = left.saturating_sub(1);
        interp = at(interp, layout.interp.next);
    }
    by_tid.free();
    for (_, slot) in slots::all().filter(|(_, slot)| slot.listed.load(Relaxed) != list) {
        note(slot, 0);
    }
}

/// Looks at one thread. If it has not run since the last look, it is where it was. If it does not run
/// while its stack is read, that is where it is. Otherwise it runs, and its next CPU sample says where.
fn look_at(
    interpreter: &Interpreter,
    state: &mut State,
    index: usize,
    slot: &Slot,
    (own, own_slot): (usize, &Slot),
    direct: bool,
) {
    let tid = slot.tid.load(Relaxed);
    let now = sys::now();
    let last = looked_at(slot, state);
    slot.visited.store(now, Relaxed);
    let elapsed = now.saturating_sub(last);
    let Some(clock) = sys::clock(sys::cpu_clock_of(tid)) else {
        return;
    };
    let ran = clock.saturating_sub(slot.ran_until.swap(clock, Relaxed));
    let doing = slot.doing.load(Relaxed);
    let node = slot.node.load(Relaxed);
    if clock == slot.clock.load(Relaxed) && node != 0 && doing != u32::MAX {
        let thread = state.thread_of(slot, tid);
        state.account(slot, thread, node, doing as u8, now, 0, elapsed);
        return;
    }
    slot.clock.store(clock, Relaxed);
    slot.doing.store(u32::MAX, Relaxed);
    let tstate = slot.tstate.load(Relaxed);
    let walk_it = || {
        if tstate == 0 {
            return walk::Walked {
                depth: 0,
                plausible: true,
                cut: false,
                interpreter: 0,
            };
        }
        walk::walk(
            interpreter,
            tstate,
            own_slot,
            own,
            codes::generation(),
            direct,
        )
    };
    let put = |walked: &walk::Walked, doing: u8| {
        // A thread that takes no signals has nothing else that counts its CPU time.
        let counts_here = doing == ON_CPU
            && slot.masked.load(Relaxed) != slots::OPEN
            && matches!(trigger::kind(), trigger::TIMER | trigger::PERF);
        let cpu = match counts_here {
            true => trigger::take_blocked(slot, clock),
            false => 0,
        };
        let sample = Sample {
            generation: codes::generation(),
            state: doing,
            cpu,
            cycles: sys::cycles(),
            wall_ns: elapsed,
            tid,
        };
        let counts = &own_slot.counts;
        match walk::put_sample(own_slot, own, index, walked, sample) {
            true => counts.delivered.fetch_add(cpu.into(), Relaxed),
            false => counts.dropped.fetch_add(cpu.max(1).into(), Relaxed),
        };
    };
    let mut before = clock;
    for _ in 0..2 {
        let walked = walk_it();
        let Some(after) = sys::clock(sys::cpu_clock_of(tid)) else {
            return;
        };
        if before != after {
            before = after;
            continue;
        }
        if !walked.plausible {
            // It stands still in the middle of a call; its next sample will tell.
            DEFERRED.fetch_add(1, Relaxed);
            slot.pending_ns.fetch_add(elapsed, Relaxed);
            return;
        }
        let doing = match doing_of(interpreter, tid) {
            // One that has run all the while stands still because this thread took its processor.
            RUNNABLE if ran * 2 >= elapsed => ON_CPU,
            doing => doing,
        };
        if sys::clock(sys::cpu_clock_of(tid)) == Some(after) {
            slot.clock.store(after, Relaxed);
            put(&walked, doing);
            return;
        }
        break;
    }
    slot.clock.store(0, Relaxed);
    // A thread that takes no signals will not tell.
    if trigger::kind() == trigger::WALL || slot.masked.load(Relaxed) != slots::OPEN {
        let walked = walk_it();
        UNPROVEN.fetch_add(1, Relaxed);
        put(&walked, ON_CPU);
    } else {
        slot.pending_ns.fetch_add(elapsed, Relaxed);
    }
}

/// What a thread that does not run is doing, by the system call it is in.
fn doing_of(interpreter: &Interpreter, tid: i32) -> u8 {
    const FUTEX: u64 = sys::nr::FUTEX as u64;
    let mut path = Text::<64>::new();
    path.push(b"/proc/self/task/");
    path.push_number(tid as u64);
    path.push(b"/syscall");
    let mut buffer = [0; 160];
    let text = sys::slurp(path.as_c_str(), &mut buffer);
    if text.starts_with(b"running") {
        return RUNNABLE;
    }
    let mut words = text.split(|byte| *byte == b' ');
    let number = words.next().unwrap_or_default();
    let mut digits = [0; 20];
    if number != crate::config::decimal(FUTEX, &mut digits) {
        return IDLE;
    }
    let address = words
        .next()
        .and_then(|word| word.strip_prefix(b"0x"))
        .unwrap_or_default();
    let address = hexadecimal(address);
    if waits_for_gil(interpreter, address) {
        GIL
    } else {
        LOCK
    }
}

/// Whether an address lies in an interpreter's lock.
fn waits_for_gil(interpreter: &Interpreter, address: u64) -> bool {
    if guarded() {
        is_in_gil(interpreter, &Direct, address)
    } else {
        is_in_gil(interpreter, &Copied::new(), address)
    }
}

fn is_in_gil(interpreter: &Interpreter, memory: &impl Memory, address: u64) -> bool {
    let mut interp = interpreter.interpreters(memory).unwrap_or(0);
    for _ in 0..64 {
        if interp == 0 {
            return false;
        }
        if let Some(gil) = interpreter.gil_of(memory, interp)
            && address.wrapping_sub(gil) < interpreter.layout.gil_size.max(0) as u64
        {
            return true;
        }
        let next = interp.wrapping_add(interpreter.layout.interp.next as u64);
        interp = memory.pointer(next).unwrap_or(0);
    }
    false
}
