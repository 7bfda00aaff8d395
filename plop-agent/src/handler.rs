//! The handler: all that runs when a thread is interrupted to take a sample of itself.
//!
//! It copies numbers into memory that is there already. It allocates nothing, takes no lock, has no
//! thread-local variable, writes to nothing of the program's, and calls nothing but the kernel and
//! `PyGILState_GetThisThreadState`. What it cannot do it counts.

use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

use crate::guard::{Copied, Direct, guarded};
use crate::slots::{self, ARMED, Slot};
use crate::state::{IDLE, ON_CPU};
use crate::walk::{self, Sample, Walked};
use crate::{codes, config, interpreter, life, signals, sys, trigger};

/// Whether samples are taken.
pub(crate) static ACTIVE: AtomicBool = AtomicBool::new(false);
/// Signals that came while the same thread's handler ran.
pub(crate) static NESTED: AtomicU64 = AtomicU64::new(0);

/// Whether the timer counts elapsed time, as in the mode `real`.
pub(crate) static ELAPSED: AtomicBool = AtomicBool::new(false);
/// How many cycles a period has; 0 while it is not known.
pub(crate) static PERIOD_CYCLES: AtomicU64 = AtomicU64::new(0);
/// A handler takes at most this part of the time: very deep stacks are sampled less often, and count
/// for more.
const SHARE: u64 = 8;
/// How many ticks are passed over at most.
const MOST_SKIPPED: u64 = 64;

pub(crate) unsafe extern "C" fn on_signal(signal: i32, info: *mut u8, context: *mut u8) {
    // SAFETY: the kernel's arguments.
    match unsafe { trigger::asked(signal, info) } {
        Some(asked) => {
            if life::is_ours() && ACTIVE.load(Acquire) && !config::deflected(config::EMPTY_HANDLER)
            {
                // SAFETY: as above.
                let safe = guarded() && unsafe { !guard_is_blocked(context) };
                take(asked.index, asked.ticks, safe);
            }
        }
        // A tick of the process's timer that met a thread we do not know is nobody else's. One of the program's
        // own timer may be ignored by it.
        None if trigger::kind() == trigger::ITIMER
            // SAFETY: as above.
            && unsafe { info.add(8).cast::<i32>().read() } == 0x80
            && (!trigger::is_the_programs() || is_ignored(signal)) => {}
        // SAFETY: as above.
        None => unsafe { signals::chain(signal, info, context) },
    }
}

/// Whether the program wants a signal of ours ignored.
fn is_ignored(signal: i32) -> bool {
    const SIG_IGN: usize = 1;
    signals::program_sets(signal, None).is_some_and(|action| action.handler == SIG_IGN)
}

/// Whether the interrupted thread has the signals blocked without which no load is guarded.
///
/// # Safety
/// `context` is what the kernel gave a handler.
unsafe fn guard_is_blocked(context: *const u8) -> bool {
    // Where the kernel's `ucontext_t` has the mask.
    let offset = if cfg!(target_arch = "aarch64") {
        40
    } else {
        296
    };
    // SAFETY: the caller's promise.
    let mask = unsafe { context.add(offset).cast::<u64>().read() };
    mask & signals::GUARDS != 0
}

/// Takes a sample of this thread.
fn take(index: usize, ticks: u32, safe: bool) {
    let began = sys::cycles();
    let Some(slot) = slots::get(index) else {
        return;
    };
    // A signal can still arrive for the thread that had the slot before.
    let tid = sys::gettid();
    if slot.tid.load(Acquire) != tid || slot.state.load(Acquire) != ARMED {
        return;
    }
    if slot.busy.swap(1, SeqCst) != 0 {
        NESTED.fetch_add(1, Relaxed);
        return;
    }
    let counts = &slot.counts;
    let signals = counts.signals.fetch_add(1, Relaxed);
    match slot.skip.load(Relaxed) {
        0 => {
            let ticks = ticks + slot.skipped.swap(0, Relaxed);
            sample(slot, index, tid, ticks, began, safe);
        }
        left => {
            slot.skip.store(left - 1, Relaxed);
            slot.skipped.fetch_add(ticks, Relaxed);
        }
    }
    if signals % 8 == 7 {
        trigger::jitter(slot);
    }
    let cost = sys::cycles().wrapping_sub(began);
    counts.cycles.fetch_add(cost, Relaxed);
    // A handler that was long because another thread had the processor will not be so again.
    let steady = cost.min(slot.cost.swap(cost, Relaxed));
    let period = PERIOD_CYCLES.load(Relaxed);
    if let Some(share) = steady.saturating_mul(SHARE).checked_div(period)
        && share > 0
    {
        slot.skip.store(share.min(MOST_SKIPPED) as u32, Relaxed);
    }
    slot.busy.store(0, Release);
}

fn sample(slot: &Slot, index: usize, tid: i32, ticks: u32, began: u64, safe: bool) {
    let counts = &slot.counts;
    let generation = codes::generation();
    let nothing = Walked {
        depth: 0,
        plausible: true,
        cut: false,
        interpreter: 0,
    };
    let walked = match interpreter::running() {
        None => nothing,
        Some(interpreter) => {
            let tstate = if safe {
                interpreter.current(&Direct)
            } else {
                interpreter.current(&Copied::new())
            };
            match tstate {
                0 => nothing,
                tstate => walk::walk(interpreter, tstate, slot, index, generation, safe),
            }
        }
    };
    let add = |count: &AtomicU64, more: u64| {
        count.store(count.load(Relaxed) + more, Relaxed);
    };
    add(&counts.overruns, u64::from(ticks) - 1);
    add(&counts.rejected, u64::from(!walked.plausible));
    add(&counts.cut, u64::from(walked.cut));
    add(&counts.no_python, u64::from(walked.depth == 0));
    let pending = slot.pending_ns.swap(0, Relaxed);
    let (mut state, mut cpu, mut wall_ns) = (ON_CPU, ticks, pending);
    if ELAPSED.load(Relaxed) {
        // The timer goes on while the thread does not: its CPU clock tells whether it ran.
        let clock = sys::clock(sys::THREAD_CPU).unwrap_or(0);
        let ran = clock.saturating_sub(slot.clock.swap(clock, Relaxed));
        wall_ns = u64::from(ticks) * trigger::period_ns();
        state = if ran * 2 >= wall_ns { ON_CPU } else { IDLE };
        cpu = 0;
    }
    let sample = Sample {
        generation,
        state,
        cpu,
        cycles: began,
        wall_ns,
        tid,
    };
    if walk::put_sample(slot, index, index, &walked, sample) {
        add(&counts.delivered, u64::from(ticks));
    } else {
        slot.pending_ns.fetch_add(pending, Relaxed);
        add(&counts.dropped, u64::from(ticks));
    }
}
