//! The threads of the process: finding them, arming them, and looking at what they do.
//!
//! Threads are found by the link count of `/proc/self/task`, which costs a microsecond; only when it
//! changes, or once a second, is the folder read. Under `plop record` a thread arms itself besides, as
//! soon as it starts, so that short ones are not missed.

use core::sync::atomic::{
    AtomicI32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::config::{Mode, Text};
use crate::guard::{Copied, Direct, Memory, guarded};
use crate::interpreter::{self, Interpreter};
use crate::memory::{Map, Vector};
use crate::slots::{self, ARMED, FREE, RETIRED, Slot};
use crate::state::{GIL, IDLE, LOCK, ON_CPU, RUNNABLE, State};
use crate::walk::{self, Sample};
use crate::{codes, handler, names, sys, trigger};

/// The agent's own thread, which is not sampled; 0 when there is none.
pub(crate) static OWN: AtomicI32 = AtomicI32::new(0);
/// A thread of a test's, which is not sampled either.
pub(crate) static OTHER: AtomicI32 = AtomicI32::new(0);
/// Visits of threads that stood still in the middle of a call.
pub(crate) static DEFERRED: AtomicU64 = AtomicU64::new(0);
/// Visits of threads that ran on, so that their stack was read while it may have changed.
pub(crate) static UNPROVEN: AtomicU64 = AtomicU64::new(0);

/// How soon names are asked for again.
const NAMES_NS: u64 = 250_000_000;

const TASKS: &core::ffi::CStr = c"/proc/self/task";

/// What is known of the threads as a whole. Of the agent's thread alone.
pub(crate) struct Threads {
    links: u64,
    scans: u32,
    scanned_ns: u64,
    scan_cost_ns: u64,
    /// Threads that were seen once and have no slot yet.
    new: Vector<i32>,
    by_tid: Map,
    listed_ns: u64,
    /// When names were asked for last, and how far apart that is: less and less often, as names that
    /// are given late are given soon after the thread has begun.
    named_ns: u64,
    name_every_ns: u64,
    /// Where the round of visits goes on.
    next: usize,
    /// The slot whose ring takes what visits find.
    own: Option<(usize, &'static Slot)>,
}

impl Threads {
    pub(crate) const fn new() -> Self {
        Threads {
            links: 0,
            scans: 0,
            scanned_ns: 0,
            scan_cost_ns: 0,
            new: Vector::new(),
            by_tid: Map::new(),
            listed_ns: 0,
            named_ns: 0,
            name_every_ns: NAMES_NS,
            next: 0,
            own: None,
        }
    }

    /// Begins, with all threads that there are.
    pub(crate) fn begin(&mut self, looks: bool) {
        let own = self.own;
        self.free();
        if looks {
            self.own = own.or_else(slots::claim);
        }
        self.scan(sys::now(), true);
    }

    /// Gives the memory back.
    pub(crate) fn free(&mut self) {
        self.new.free();
        self.by_tid.free();
        *self = Threads::new();
    }

    /// Looks whether threads have come or gone; whether any may have.
    pub(crate) fn watch(&mut self, now: u64, state: &mut State) -> bool {
        let links = sys::links(TASKS);
        let since = now.saturating_sub(self.scanned_ns);
        let due = since > 1_000_000_000
            || (links != self.links || self.new.len() > 0)
                && since > (50 * self.scan_cost_ns).max(5_000_000);
        if due {
            if links != self.links {
                self.name_every_ns = NAMES_NS;
            }
            self.links = links;
            self.scan(now, false);
        }
        self.rename(now, state);
        self.bury(state);
        due
    }

    /// Reads the list of threads: arms those that are new and retires those that are gone.
    fn scan(&mut self, now: u64, at_once: bool) {
        self.scans = self.scans.wrapping_add(1);
        self.by_tid.free();
        for (index, slot) in slots::all() {
            let tid = slot.tid.load(Acquire);
            if slot.state.load(Acquire) != ARMED {
                continue;
            }
            // A thread that armed itself just as it was found here has two slots: one goes.
            match self.by_tid.get(tid as u64) {
                Some(_) => retire(slot),
                None => _ = self.by_tid.insert(tid as u64, index as u32),
            }
        }
        let mut seen_before = core::mem::replace(&mut self.new, Vector::new());
        let mut again = false;
        let complete = each_task(|tid| {
            if tid == OWN.load(Relaxed) || tid == OTHER.load(Relaxed) {
                return;
            }
            if let Some(slot) = self
                .by_tid
                .get(tid as u64)
                .and_then(|index| slots::get(index as usize))
            {
                slot.seen.store(self.scans, Relaxed);
                return;
            }
            // A thread that has just begun may be about to arm itself: it has until the next scan.
            if !at_once && !seen_before.as_slice().contains(&tid) {
                self.new.push(tid);
                return;
            }
            match arm(tid) {
                Some((_, slot)) => slot.seen.store(self.scans, Relaxed),
                None => again = true,
            }
        });
        seen_before.free();
        if complete {
            for (_, slot) in slots::all() {
                let tid = slot.tid.load(Relaxed) as u64;
                let known = self.by_tid.get(tid).is_some();
                if slot.state.load(Acquire) == ARMED
                    && known
                    && slot.seen.load(Relaxed) != self.scans
                {
                    retire(slot);
                }
            }
        }
        if again {
            rearm();
        }
        self.scanned_ns = now;
        self.scan_cost_ns = sys::now().saturating_sub(now);
    }

    /// Asks Python again what it calls its threads: a thread may get its name after its first sample.
    fn rename(&mut self, now: u64, state: &mut State) {
        let Some(interpreter) = interpreter::running() else {
            return;
        };
        if now.saturating_sub(self.named_ns) < self.name_every_ns {
            return;
        }
        self.named_ns = now;
        self.name_every_ns = (self.name_every_ns * 2).min(32 * NAMES_NS);
        let mut rows = Map::new();
        for (_, slot) in slots::all().filter(|(_, slot)| slot.state.load(Acquire) == ARMED) {
            let row = slot.thread.load(Relaxed);
            if row > 0 {
                rows.insert(slot.tid.load(Relaxed) as u64, row - 1);
            }
        }
        names::each(
            interpreter,
            |tid| rows.get(tid as u64).is_some(),
            |tid, name| {
                if let Some(row) = rows.get(tid as u64) {
                    state.name_thread(row, name);
                }
            },
        );
        rows.free();
    }

    /// Takes all threads' slots from them, for good.
    pub(crate) fn retire_all(&mut self, state: &mut State) {
        for (_, slot) in slots::all() {
            retire(slot);
        }
        state.advance();
        state.drain();
        self.bury(state);
    }

    /// Frees the slots of threads that are gone, once all they recorded has been read.
    fn bury(&mut self, state: &mut State) {
        for (_, slot) in slots::all() {
            if slot.state.load(Relaxed) != RETIRED {
                continue;
            }
            let (read, written) = slot.unread();
            if read != written || slot.busy.load(Acquire) != 0 {
                continue;
            }
            settle(slot, state);
            state.past.add(slot);
            crate::state::clear_counts(slot);
            slot.tid.store(0, Relaxed);
            slot.state.store(FREE, Release);
        }
    }

    /// Looks at threads, for as long as the budget of a tick lasts, and goes on with the others at the
    /// next.
    pub(crate) fn visit(&mut self, state: &mut State) {
        let Some((own, own_slot)) = self.own else {
            return;
        };
        let Some(interpreter) = interpreter::running() else {
            return;
        };
        let now = sys::now();
        if now.saturating_sub(self.listed_ns) > 1_000_000_000 || self.listed_ns < self.scanned_ns {
            self.listed_ns = now;
            list(interpreter);
        }
        let made = slots::made() as usize;
        let began = sys::cycles();
        // Half a percent of a processor.
        let budget = handler::PERIOD_CYCLES.load(Relaxed) / 200;
        for n in 0..made {
            let index = (self.next + n) % made.max(1);
            let Some(slot) = slots::get(index).filter(|slot| slot.state.load(Acquire) == ARMED)
            else {
                continue;
            };
            look_at(interpreter, state, index, slot, own, own_slot);
            if sys::cycles().wrapping_sub(began) > budget {
                self.next = (index + 1) % made.max(1);
                return;
            }
        }
        self.next = 0;
    }
}

/// Whether the agent's thread is the only one that still runs. A process ends with its last thread: ours
/// must not keep it.
pub(crate) fn is_alone() -> bool {
    // Ours, and at most the first thread, which stays as long as the process.
    if sys::links(TASKS) > 4 {
        return false;
    }
    let mut others = false;
    let complete = each_task(|tid| {
        if tid == OWN.load(Relaxed) {
            return;
        }
        let mut path = Text::<64>::new();
        path.push(b"/proc/self/task/");
        path.push_number(tid as u64);
        path.push(b"/stat");
        let mut buffer = [0; 512];
        let stat = sys::slurp(path.as_c_str(), &mut buffer);
        // The name may have parentheses of its own.
        let end = stat.iter().rposition(|byte| *byte == b')');
        let state = end.and_then(|end| stat.get(end + 2)).copied();
        others |= !matches!(state, Some(b'Z' | b'X'));
    });
    complete && !others
}

/// Calls `each` with the id of every thread; whether the list was whole.
fn each_task(mut each: impl FnMut(i32)) -> bool {
    let fd = sys::open(TASKS);
    if fd < 0 {
        return false;
    }
    let mut buffer = [0u8; 4096];
    let complete = loop {
        let read = sys::plain!(GETDENTS64, fd, buffer.as_mut_ptr(), buffer.len());
        if read <= 0 {
            break read == 0;
        }
        let mut rest = buffer.get(..read as usize).unwrap_or_default();
        while let Some([low, high]) = rest.get(16..18) {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let name = rest.get(19..length).unwrap_or_default();
            let digits = name.split(|byte| *byte == 0).next().unwrap_or_default();
            if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
                each(digits.iter().fold(0, |tid: i32, digit| {
                    tid.wrapping_mul(10) + i32::from(digit - b'0')
                }));
            }
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
    };
    sys::close(fd as i32);
    complete
}

/// Gives a thread a slot and arms it; `None` when the trigger has changed, so that all must be armed
/// anew.
pub(crate) fn arm(tid: i32) -> Option<(usize, &'static Slot)> {
    let (index, slot) = slots::claim()?;
    slots::prepare(slot, tid);
    slot.state.store(ARMED, Release);
    if trigger::arm(slot, index, tid) {
        return Some((index, slot));
    }
    rearm();
    Some((index, slot))
}

/// Arms the first thread of the process.
pub(crate) fn arm_first() {
    let first = sys::getpid();
    if slots::of(first).is_none() && sys::clock(sys::cpu_clock_of(first)).is_some() {
        arm(first);
    }
}

/// Arms all threads with what has become the trigger.
pub(crate) fn rearm() {
    for _ in 0..3 {
        let all_armed = slots::all()
            .filter(|(_, slot)| {
                slot.state.load(Acquire) == ARMED
                    && slot.timer.load(Relaxed) == 0
                    && slot.event.load(Relaxed) == 0
            })
            .all(|(index, slot)| trigger::arm(slot, index, slot.tid.load(Relaxed)));
        if all_armed {
            return;
        }
    }
}

/// Takes a slot from its thread.
pub(crate) fn retire(slot: &Slot) {
    if slot
        .state
        .compare_exchange(ARMED, RETIRED, Release, Relaxed)
        .is_ok()
    {
        trigger::disarm(slot);
    }
}

/// Counts the elapsed time that a thread's next sample would have carried, when there is no next.
pub(crate) fn settle(slot: &Slot, state: &mut State) {
    let pending = slot.pending_ns.swap(0, Relaxed);
    let node = slot.ran.load(Relaxed);
    if pending == 0 || node == 0 {
        return;
    }
    let thread = state.thread_of(slot, slot.tid.load(Relaxed));
    state.account(slot, thread, node, ON_CPU, sys::now(), 0, pending);
}

/// The name of a thread, as Python or else the kernel knows it.
pub(crate) fn name_of(tid: i32) -> Text<128> {
    // Each look-up goes through the list of threads, so that of very many threads only those get their
    // name that live until all are asked for together. At the process's end the interpreter has gone.
    if sys::gettid() == OWN.load(Relaxed)
        && slots::made() < 64
        && let Some(interpreter) = interpreter::running()
        && let Some(name) = names::of(interpreter, tid)
    {
        return name;
    }
    let mut name = Text::new();
    if tid == sys::getpid() {
        name.push(b"MainThread");
        return name;
    }
    let mut path = Text::<64>::new();
    path.push(b"/proc/self/task/");
    path.push_number(tid as u64);
    path.push(b"/comm");
    let mut buffer = [0; 32];
    name.push(sys::slurp(path.as_c_str(), &mut buffer).trim_ascii_end());
    name
}

/// Notes the Python thread state of every thread that has one.
fn list(interpreter: &Interpreter) {
    if guarded() {
        list_with(interpreter, &Direct);
    } else {
        list_with(interpreter, &Copied::new());
    }
}

fn list_with(interpreter: &Interpreter, memory: &impl Memory) {
    let layout = &interpreter.layout;
    let at = |base: u64, offset: i32| {
        memory
            .pointer(base.wrapping_add(offset as u64))
            .unwrap_or(0)
    };
    for (_, slot) in slots::all() {
        slot.tstate.store(0, Relaxed);
    }
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
                slot.tstate.store(tstate, Relaxed);
            }
            tstate = at(tstate, layout.tstate.next);
        }
        left = left.saturating_sub(1);
        interp = at(interp, layout.interp.next);
    }
    by_tid.free();
}

/// Looks at one thread. If it has not run since the last look, it is where it was. If it does not run
/// while its stack is read, that is where it is. Otherwise it runs, and its next CPU sample says where.
fn look_at(
    interpreter: &Interpreter,
    state: &mut State,
    index: usize,
    slot: &Slot,
    own: usize,
    own_slot: &Slot,
) {
    let tid = slot.tid.load(Relaxed);
    let now = sys::now();
    let last = slot.visited.swap(now, Relaxed);
    // The first look has no stretch of time behind it but the tick's own.
    let elapsed = if last == 0 {
        state.period_ns
    } else {
        now.saturating_sub(last)
    };
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
            guarded(),
        )
    };
    let put = |walked: &walk::Walked, doing: u8| {
        let sample = Sample {
            generation: codes::generation(),
            state: doing,
            cpu: 0,
            cycles: sys::cycles(),
            wall_ns: elapsed,
            tid,
        };
        if !walk::put_sample(own_slot, own, index, walked, sample) {
            own_slot.counts.dropped.fetch_add(1, Relaxed);
        }
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
    if trigger::kind() == trigger::WALL || slot.masked.load(Relaxed) != 0 {
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
    let address = address.iter().fold(0u64, |number, digit| {
        number << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0))
    });
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

/// The agent's thread should not wait behind the threads that it looks at.
pub(crate) fn be_prompt(mode: Mode) {
    if mode.looks() {
        // size, policy 0, flags, nice 0, priority 0, then a slice of 100 microseconds.
        let attributes = [48u32 as u64, 0, 0, 100_000, 0, 0];
        sys::plain!(SCHED_SETATTR, 0, attributes.as_ptr(), 0);
    }
}
