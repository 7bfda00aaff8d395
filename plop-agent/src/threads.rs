//! The threads of the process: finding them, arming them, naming them. Looking at what they do is left to
//! `looks.rs`.
//!
//! Threads are found by the link count of `/proc/self/task`, which costs a microsecond; only when it
//! changes, or once a second, is the folder read. Under `plop record` a thread arms itself besides, as
//! soon as it starts, so that short ones are not missed; so does the one that begins to sample.

use core::sync::atomic::{
    AtomicI32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::config::{Mode, Text};
use crate::interpreter;
use crate::memory::{Map, Vector};
use crate::slots::{self, ARMED, BLOCKED, OPEN, RETIRED, SEEMS_BLOCKED, Slot};
use crate::state::{IDLE, ON_CPU, State};
use crate::{life, names, sys, trigger};

/// The agent's own thread, which is not sampled; 0 when there is none.
pub(crate) static OWN: AtomicI32 = AtomicI32::new(0);
/// A thread of the program's that looks at the others, as the process ends; 0 for none.
pub(crate) static LOOKS: AtomicI32 = AtomicI32::new(0);
/// A thread of a test's, which is not sampled either.
pub(crate) static OTHER: AtomicI32 = AtomicI32::new(0);
/// Visits of threads that stood still in the middle of a call.
pub(crate) static DEFERRED: AtomicU64 = AtomicU64::new(0);
/// Visits of threads that ran on, so that their stack was read while it may have changed.
pub(crate) static UNPROVEN: AtomicU64 = AtomicU64::new(0);

/// How soon names are asked for again.
const NAMES_NS: u64 = 250_000_000;

/// How far apart looks at threads' masks are at least: each reads a file of the kernel's.
const MASKS_NS: u64 = 50_000_000;

const TASKS: &core::ffi::CStr = c"/proc/self/task";

/// What is known of the threads as a whole. Of the agent's thread alone.
pub(crate) struct Threads {
    links: u64,
    scans: u32,
    pub(crate) scanned_ns: u64,
    scan_cost_ns: u64,
    /// Threads that were seen once and have no slot yet.
    new: Vector<i32>,
    by_tid: Map,
    /// When Python's thread states were listed last, which list that was, how long it took, how many threads
    /// had a slot then, and how soon those that were not in it are looked for again.
    pub(crate) listed_ns: u64,
    pub(crate) lists: u32,
    pub(crate) list_cost_ns: u64,
    pub(crate) prepared: u32,
    pub(crate) list_again_ns: u64,
    /// When names were asked for last, and how far apart that is: less and less often, as names that
    /// are given late are given soon after the thread has begun.
    named_ns: u64,
    name_every_ns: u64,
    /// Where the round of visits goes on.
    pub(crate) next: usize,
    /// When threads' masks were looked at last, and where that goes on.
    masks_ns: u64,
    next_mask: usize,
    /// The slot whose ring takes what visits find.
    pub(crate) own: Option<(usize, &'static Slot)>,
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
            lists: 0,
            list_cost_ns: 0,
            prepared: 0,
            list_again_ns: u64::MAX,
            named_ns: 0,
            name_every_ns: NAMES_NS,
            next: 0,
            masks_ns: 0,
            next_mask: 0,
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

    /// Looks whether threads have come or gone.
    pub(crate) fn watch(&mut self, now: u64, state: &mut State) {
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
            if let Some(slot) = arm(tid) {
                slot.seen.store(self.scans, Relaxed);
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

    /// Looks again at threads that had our signal blocked when they were looked at: libc blocks all signals
    /// for a moment in `fork` and `pthread_create`, and tells nobody.
    pub(crate) fn look_at_masks(&mut self, now: u64) {
        const AT_ONCE: usize = 4;
        if now.saturating_sub(self.masks_ns) < MASKS_NS {
            return;
        }
        self.masks_ns = now;
        let seeming = |(index, slot): &(usize, &'static Slot)| {
            *index >= self.next_mask
                && slot.state.load(Acquire) == ARMED
                && slot.masked.load(Relaxed) == SEEMS_BLOCKED
        };
        let mut next = 0;
        for (nth, (index, slot)) in slots::all().filter(seeming).take(AT_ONCE).enumerate() {
            arm_if_open(index, slot);
            if nth + 1 == AT_ONCE {
                next = index + 1;
            }
        }
        self.next_mask = next;
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
        for (index, slot) in slots::all() {
            if slot.state.load(Relaxed) != RETIRED {
                continue;
            }
            let (read, written) = slot.unread();
            trigger::disarm(slot);
            if read != written || slot.busy.load(Acquire) != 0 || !trigger::is_disarmed(slot) {
                continue;
            }
            settle(slot, state);
            state.past.add(slot);
            crate::state::clear_counts(slot);
            slot.tid.store(0, Relaxed);
            slots::free(index, slot);
        }
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

/// Gives another thread a slot and arms it; `None` when there is no slot for it.
fn arm(tid: i32) -> Option<&'static Slot> {
    let (index, slot) = slots::claim()?;
    slots::prepare(slot, tid);
    let clock = sys::clock(sys::cpu_clock_of(tid)).unwrap_or(0);
    slot.paused_at_ns.store(clock, Relaxed);
    slot.masked.store(SEEMS_BLOCKED, Release);
    // What it says of its mask from here on counts.
    slot.state.store(ARMED, Release);
    arm_if_open(index, slot);
    Some(slot)
}

/// Arms a thread that only seemed to have our signal blocked.
fn arm_if_open(index: usize, slot: &Slot) {
    let tid = slot.tid.load(Relaxed);
    let open = || {
        let masked = &slot.masked;
        masked.compare_exchange(SEEMS_BLOCKED, OPEN, AcqRel, Relaxed)
    };
    if !has_blocked_ours(tid) && open().is_ok() {
        let clock = sys::clock(sys::cpu_clock_of(tid)).unwrap_or(0);
        if !trigger::arm_late(slot, index, tid, clock) {
            rearm();
        }
    }
}

/// Whether a thread has the signal blocked that would be sent to it.
fn has_blocked_ours(tid: i32) -> bool {
    let mut path = Text::<64>::new();
    path.push(b"/proc/self/task/");
    path.push_number(tid as u64);
    path.push(b"/status");
    let mut buffer = [0; 4096];
    let status = sys::slurp(path.as_c_str(), &mut buffer);
    let mut lines = status.split(|byte| *byte == b'\n');
    let blocked = lines.find_map(|line| line.strip_prefix(b"SigBlk:\t"));
    hexadecimal(blocked.unwrap_or_default()) & sys::bit(trigger::THREADS) != 0
}

pub(crate) fn hexadecimal(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| {
        number << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0))
    })
}

/// Arms the first thread of the process.
pub(crate) fn arm_first() {
    let first = sys::getpid();
    if slots::of(first).is_none() && sys::clock(sys::cpu_clock_of(first)).is_some() {
        arm(first);
    }
}

/// Arms the calling thread, which may be armed already.
pub(crate) fn arm_caller() {
    let tid = sys::gettid();
    match slots::of(tid) {
        Some((index, slot)) if trigger::is_disarmed(slot) => {
            if !trigger::arm(slot, index, tid) {
                rearm();
            }
        }
        Some(_) => {}
        None => {
            if let Some((index, slot)) = slots::claim() {
                arm_in(slot, index);
            }
        }
    }
}

/// Gives the calling thread a slot that was claimed for it, and arms it.
pub(crate) fn arm_in(slot: &Slot, index: usize) {
    let tid = sys::gettid();
    slots::prepare(slot, tid);
    let blocked = sys::block(0) & sys::bit(trigger::THREADS) != 0;
    let clock = sys::clock(sys::THREAD_CPU).unwrap_or(0);
    slot.paused_at_ns.store(clock, Relaxed);
    let masked = if blocked { BLOCKED } else { OPEN };
    slot.masked.store(masked, Release);
    slot.state.store(ARMED, Release);
    if life::is_recording() && !trigger::arm(slot, index, tid) {
        rearm();
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
        slot.ended_ns.store(sys::now(), Release);
        trigger::lose_blocked(slot, 1);
        trigger::disarm(slot);
    }
}

/// Counts what a thread's next sample would have carried, when there is no next: elapsed time, and ticks
/// that were passed over.
pub(crate) fn settle(slot: &Slot, state: &mut State) {
    let pending = slot.pending_ns.swap(0, Relaxed);
    let skipped = u64::from(slot.skipped.swap(0, Relaxed));
    let (seen, doing) = (slot.node.load(Relaxed), slot.doing.load(Relaxed));
    let ran = slot.ran.load(Relaxed);
    let end = match slot.ended_ns.load(Acquire) {
        0 => sys::now(),
        end => end,
    };
    let rest = match state.looks {
        true => end.saturating_sub(looked_at(slot, state)),
        false => 0,
    };
    slot.visited.store(end, Relaxed);
    if ran != 0 && (pending > 0 || skipped > 0) {
        let thread = state.thread_of(slot, slot.tid.load(Relaxed));
        slot.counts.delivered.fetch_add(skipped, Relaxed);
        slot.counts.overruns.fetch_add(skipped, Relaxed);
        state.account(slot, thread, ran, ON_CPU, end, skipped, pending);
    }
    if rest == 0 {
        return;
    }
    // It was last where it was seen last; one that nobody saw in time was somewhere.
    let (node, doing) = match (seen, ran) {
        (0, 0) => (state.nowhere(), ON_CPU),
        (0, ran) => (ran, ON_CPU),
        (seen, _) if doing != u32::MAX => (seen, doing as u8),
        (_, 0) => (seen, IDLE),
        (_, ran) => (ran, ON_CPU),
    };
    let thread = state.thread_of(slot, slot.tid.load(Relaxed));
    state.account(slot, thread, node, doing, end, 0, rest);
}

/// When a thread was looked at last, or else began, or else sampling did.
pub(crate) fn looked_at(slot: &Slot, state: &State) -> u64 {
    match slot.visited.load(Relaxed) {
        0 => slot.since_ns.load(Relaxed).max(state.resumed_ns),
        visited => visited,
    }
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

/// The agent's thread should not wait behind the threads that it looks at.
pub(crate) fn be_prompt(mode: Mode) {
    if mode.looks() {
        // size, policy 0, flags, nice 0, priority 0, then a slice of 100 microseconds.
        let attributes = [48u32 as u64, 0, 0, 100_000, 0, 0];
        sys::plain!(SCHED_SETATTR, 0, attributes.as_ptr(), 0);
    }
}
