//! The agent's thread: what is done all the while.

use core::ffi::c_void;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::save::{SAVE_NS, SAVE_SHARE, image_of, is_forbidden, path_of, put};
use super::{
    ASKED, DONE, KILLING, NOTHING, RECORDING, RUNNING, Recording, STOP, WRITING, do_as_asked,
    is_ours, lock, stop_sampling,
};
use crate::config::{self, Config, Mode, Text, deflected};
use crate::guard::{Copied, Direct, guarded};
use crate::handler::{self, ACTIVE};
use crate::memory::Vector;
use crate::{codes, interpreter, signals, slots, sys, threads, trigger};

type Routine = extern "C" fn(*mut c_void) -> *mut c_void;

/// Starts a thread of libc's; whether there is one.
fn spawn(routine: Routine) -> bool {
    if deflected(config::NO_THREAD) {
        return false;
    }
    type Create = unsafe extern "C" fn(*mut usize, *const u8, Routine, *mut c_void) -> i32;
    type OnAttributes = unsafe extern "C" fn(*mut u8) -> i32;
    type Sized = unsafe extern "C" fn(*mut u8, usize) -> i32;
    let of = |name| Some(crate::symbols::next(name)).filter(|symbol| !symbol.is_null());
    let or = |name| {
        of(name)
            .or_else(|| Some(crate::symbols::find(name)))
            .filter(|symbol| !symbol.is_null())
    };
    let (Some(create), Some(init), Some(size), Some(detached)) = (
        or(c"pthread_create"),
        or(c"pthread_attr_init"),
        or(c"pthread_attr_setstacksize"),
        or(c"pthread_attr_setdetachstate"),
    ) else {
        return false;
    };
    let mut attributes = [0u64; 16];
    let place: *mut u8 = attributes.as_mut_ptr().cast();
    let mut thread = 0usize;
    // All signals are blocked from the thread's very beginning on, but for those of the guard: a fault
    // while they are blocked is the process's death.
    let mask = sys::block(!signals::GUARDS);
    sys::set_mask(!signals::GUARDS);
    // SAFETY: POSIX's functions under their names, with a detached thread of 256 kilobytes.
    let result = unsafe {
        let init: OnAttributes = core::mem::transmute(init);
        let size: Sized = core::mem::transmute(size);
        let detached: unsafe extern "C" fn(*mut u8, i32) -> i32 = core::mem::transmute(detached);
        let create: Create = core::mem::transmute(create);
        init(place);
        size(place, 256 << 10);
        detached(place, 1);
        create(&raw mut thread, place, routine, core::ptr::null_mut())
    };
    sys::set_mask(mask);
    result == 0
}

/// Starts the agent's thread, unless that is refused. Where there is nothing to wait for, the calling thread is
/// armed: it need not wait until another one runs, and knows best which signals it takes.
pub(super) fn run_thread(recording: &mut Recording) -> bool {
    RUNNING.store(true, Release);
    trigger::share_descriptors();
    if !spawn(main) {
        RUNNING.store(false, Release);
        return false;
    }
    if sys::now() >= recording.began_ns {
        sample_from_now(recording);
        threads::arm_caller();
    }
    true
}

fn sample_from_now(recording: &mut Recording) {
    recording.state.resume();
    ACTIVE.store(true, Release);
    if let Some((which, _)) = recording.config.mode.itimer()
        && !trigger::arm_process(which)
    {
        recording.refused = "its timer, setitimer, is refused";
    }
}

/// The agent's thread.
extern "C" fn main(_: *mut c_void) -> *mut c_void {
    sys::plain!(PRCTL, 15, c"plop".as_ptr());
    threads::OWN.store(sys::gettid(), Release);
    let mut image = Vector::new();
    run(&mut image);
    image.free();
    threads::OWN.store(0, Release);
    RUNNING.store(false, Release);
    core::ptr::null_mut()
}

/// Waits until a moment; whether it came, and nobody said to stop.
fn wait(until: u64) -> bool {
    while STOP.load(Acquire) == 0 {
        if sys::now() >= until || ASKED.load(Acquire) != NOTHING {
            return true;
        }
        sys::wait_until(&STOP, 0, until);
    }
    false
}

fn run(image: &mut Vector<u8>) {
    let (config, starts) = {
        let Some(_held) = lock() else { return };
        // SAFETY: the lock is held.
        let recording = unsafe { RECORDING.get() };
        (recording.config, recording.began_ns)
    };
    if !wait(starts) {
        return;
    }
    {
        let Some(_held) = lock() else { return };
        if STOP.load(Acquire) != 0 {
            return;
        }
        // SAFETY: the lock is held.
        let recording = unsafe { RECORDING.get() };
        if !ACTIVE.load(Acquire) {
            sample_from_now(recording);
            // Whether timers are refused, so that perf events are needed, shows with the first thread.
            threads::arm_first();
        }
        if !KILLING.load(Relaxed) {
            trigger::separate_descriptors();
        }
        recording.threads.begin(config.mode.looks());
        threads::rearm();
        if deflected(config::HAMMER) {
            spawn(hammer);
        }
    }
    if !KILLING.load(Relaxed) {
        threads::be_prompt(config.mode);
    }
    let ends = match config.duration_ns {
        0 => u64::MAX,
        duration => config.origin_ns + config.delay_ns + duration,
    };
    let mut jitter = sys::gettid() as u32 | 1;
    let mut early = 2_000_000;
    let mut look_round = 0;
    let mut drain_every = SELDOM_NS;
    loop {
        let now = sys::now();
        let tick = match config.mode {
            // Waking up costs more than looking. Where CPU samples tell what runs, a look says only what
            // waits, with all the time since the last one as its weight.
            Mode::CpuWall => config.period_ns().max(4_000_000),
            mode if mode.looks() => config.period_ns().max(1_000_000),
            _ => drain_every,
        };
        jitter ^= jitter << 13;
        jitter ^= jitter >> 17;
        jitter ^= jitter << 5;
        let mut next = now + tick - tick / 10 + ((tick / 5 * u64::from(jitter >> 16)) >> 16);
        if early > 0 {
            // Until the interpreter is there, which is soon.
            next = next.min(now + early);
        }
        if !wait(next.min(ends)) {
            return;
        }
        if do_as_asked() {
            return;
        }
        let now = sys::now();
        if now >= look_round {
            look_round = now + SELDOM_NS;
            if threads::is_alone() {
                end_process();
                return;
            }
        }
        let ended = now >= ends;
        let (write, done, path) = {
            let Some(_held) = lock() else { continue };
            if STOP.load(Acquire) != 0 || !is_ours() {
                return;
            }
            // SAFETY: the lock is held.
            let recording = unsafe { RECORDING.get() };
            if early > 0
                && let Some(interpreter) = interpreter::get()
            {
                if guarded() {
                    interpreter.warm_up(&Direct)
                } else {
                    interpreter.warm_up(&Copied::new())
                }
                early = if interpreter::running().is_some() {
                    0
                } else {
                    (early * 2).min(50_000_000)
                };
            } else {
                early = 0;
            }
            tick_once(recording, &config, now);
            if ended {
                stop_sampling(recording, "duration");
            }
            let due = now.saturating_sub(recording.saved_ns) >= recording.save_every_ns;
            drain_every = recording.drain_every_ns;
            let write = (due || ended) && image_of(recording, image, ended);
            recording.saved_ns = if due { now } else { recording.saved_ns };
            let path = if write {
                path_of(recording)
            } else {
                Text::new()
            };
            WRITING.store(u32::from(write), Release);
            (write, ended, path)
        };
        if write {
            let error = if DONE.load(Acquire) && !done {
                0
            } else {
                put(&path, image.as_slice())
            };
            WRITING.store(0, Release);
            sys::wake(&WRITING);
            image.free();
            let Some(_held) = lock() else { continue };
            // SAFETY: the lock is held.
            let recording = unsafe { RECORDING.get() };
            recording.save_error = error;
            recording.is_whole = done && error == 0;
            if is_forbidden(error) {
                recording.file = u32::MAX;
            }
            let cost = sys::now().saturating_sub(now);
            let least = (recording.save_every_ns * 2).min(SAVE_NS);
            recording.save_every_ns = least.max(cost * SAVE_SHARE);
        }
        if done {
            return;
        }
    }
}

/// Ends the process, whose last thread has ended, as libc would have done then.
fn end_process() {
    let exit = crate::symbols::find(c"exit");
    if !exit.is_null() {
        // SAFETY: libc's function of this name.
        unsafe {
            let exit: unsafe extern "C" fn(i32) = core::mem::transmute(exit);
            exit(0);
        }
    }
}

/// How far apart rings are read where they do not fill up, and how far apart at least.
const SELDOM_NS: u64 = 100_000_000;
const OFTEN_NS: u64 = 4_000_000;

/// What is done each time.
fn tick_once(recording: &mut Recording, config: &Config, now: u64) {
    let Recording { state, threads, .. } = recording;
    if config.mode.looks() {
        threads.visit(state);
        if now.saturating_sub(recording.kept_ns) < recording.drain_every_ns.min(SELDOM_NS / 2) {
            return;
        }
    }
    recording.kept_ns = now;
    threads.watch(now, state);
    threads.look_at_masks(now);
    state.advance();
    state.drain();
    recording.drain_every_ns = match state.fullest * 3 > slots::ring_words() {
        true => (recording.drain_every_ns / 4).max(OFTEN_NS),
        false => (recording.drain_every_ns * 5 / 4).clamp(OFTEN_NS, SELDOM_NS),
    };
    state.fullest = 0;
    if !config.mode.looks() {
        // One that unblocks it soon counts with its next sample what it has used; one that ends may not
        // come to that.
        for (_, slot) in slots::all().filter(|(_, slot)| slot.state.load(Relaxed) == slots::ARMED) {
            trigger::lose_blocked(slot, 10);
        }
    }
    signals::check_guard();
    signals::retake(trigger::signal(config.mode), handler::on_signal);
    if trigger::kind() == trigger::PERF {
        for (index, slot) in slots::all() {
            if slot.state.load(Relaxed) == slots::ARMED && !trigger::event_is_there(slot) {
                trigger::disarm(slot);
                trigger::arm(slot, index, slot.tid.load(Relaxed));
            }
        }
    }
    if codes::is_full() || state.tables_are_full() {
        let busy = slots::all().any(|(_, slot)| slot.busy.load(Acquire) != 0);
        if !busy {
            state.drain();
            state.before_generation(codes::generation().wrapping_add(1));
            // SAFETY: no handler runs that could have the generation before this one.
            unsafe { codes::next_generation() };
        }
    }
    recording.own_cpu_ns = sys::clock(sys::THREAD_CPU).unwrap_or(0);
    self_test(recording);
}

/// A layout that is wrong shows at once: then nothing is sampled any more, and that is told.
fn self_test(recording: &mut Recording) {
    let totals = recording.totals();
    if totals.delivered >= 20
        && totals.rejected * 2 > totals.delivered
        && recording.refused.is_empty()
    {
        recording.refused = "the self-test failed: most of its stacks cannot be read (an unknown build of CPython?)";
        stop_sampling(recording, "refused");
    }
}

/// A thread of a test's: signals to all threads as fast as it can.
extern "C" fn hammer(_: *mut c_void) -> *mut c_void {
    let me = sys::gettid();
    threads::OTHER.store(me, Release);
    let pid = sys::getpid();
    while STOP.load(Acquire) == 0 {
        for (index, slot) in slots::all() {
            let tid = slot.tid.load(Acquire);
            if slot.state.load(Acquire) != slots::ARMED || tid == me {
                continue;
            }
            let mut info = [0u64; 16];
            const SI_QUEUE: u64 = u32::MAX as u64;
            let beginning = [
                signals::SIGPROF as u64,
                SI_QUEUE,
                pid as u64,
                trigger::MARK | index as u64,
            ];
            for (place, word) in info.iter_mut().zip(beginning) {
                *place = word;
            }
            sys::plain!(RT_TGSIGQUEUEINFO, pid, tid, signals::SIGPROF, info.as_ptr());
        }
        let until = sys::now() + 20_000;
        while sys::now() < until {
            core::hint::spin_loop();
        }
    }
    core::ptr::null_mut()
}
