//! The life of a recording in this process: it begins, goes on in a thread of its own, is handed to
//! children, and is saved, whatever ends it.

mod loss;
mod run;
mod save;

use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::config::{Config, Mode};
use crate::global::Global;
use crate::guard::{self, Copied, Direct};
use crate::handler::{self, ACTIVE};
use crate::image;
use crate::memory::Vector;
use crate::state::State;
use crate::threads::{self, Threads};
use crate::{codes, interpreter, signals, slots, sys, trigger};
use run::run_thread;
use save::{FIRST_SAVE_NS, Told, image_of, put_locked};

/// What the lock guards.
pub(crate) struct Recording {
    pub(crate) config: Config,
    state: State,
    threads: Threads,
    /// When sampling began here, as nanoseconds and as cycles.
    began_ns: u64,
    began_cycles: u64,
    /// When the recording began, by the calendar.
    started_unix_ns: u64,
    ended_ns: u64,
    /// When the house was last kept.
    kept_ns: u64,
    /// How far apart rings are read at present.
    drain_every_ns: u64,
    setup_ns: u64,
    own_cpu_ns: u64,
    /// The number of this process's file, from 0.
    file: u32,
    saved_ns: u64,
    save_every_ns: u64,
    saved_samples: u64,
    save_error: u64,
    /// Whether the last has been saved before the process ends: its file may have been taken since.
    is_whole: bool,
    ended: &'static str,
    /// Whether what is being saved is all that there is, since the process is about to end.
    ending: bool,
    refused: &'static str,
}

static RECORDING: Global<Recording> = Global::new(Recording {
    config: Config::new(),
    state: State::new(),
    threads: Threads::new(),
    began_ns: 0,
    began_cycles: 0,
    started_unix_ns: 0,
    ended_ns: 0,
    kept_ns: 0,
    drain_every_ns: 0,
    setup_ns: 0,
    own_cpu_ns: 0,
    file: u32::MAX,
    saved_ns: 0,
    save_every_ns: FIRST_SAVE_NS,
    saved_samples: 0,
    save_error: 0,
    is_whole: false,
    ended: "",
    ending: false,
    refused: "",
});

/// The id of the thread that holds the lock of [`RECORDING`]; 0 for none.
static LOCK: AtomicI32 = AtomicI32::new(0);
/// The process whose recording this is. A child that was made behind our back finds another.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// A page that a child finds empty, however it was made; null where the kernel cannot do that.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(core::ptr::null_mut());
/// Whether the agent's thread is to stop; it waits for this.
static STOP: AtomicU32 = AtomicU32::new(0);
/// Whether that thread runs.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// Whether that thread is writing a checkpoint.
static WRITING: AtomicU32 = AtomicU32::new(0);
/// Whether the last of this process has been saved, so that no checkpoint may replace it.
static DONE: AtomicBool = AtomicBool::new(true);
/// What a filter of system calls forbids on pain of death.
static KILLING: AtomicBool = AtomicBool::new(false);

/// Whether this process, and not a child that shares its memory or copied it behind our back, is the
/// one that samples.
#[inline]
pub(crate) fn is_ours() -> bool {
    let page = PAGE.load(Acquire);
    if page.is_null() {
        return OWNER.load(Relaxed) == sys::getpid();
    }
    // SAFETY: the page stays mapped.
    unsafe { (*page).load(Relaxed) != 0 }
}

/// Whether sampling is going on in this very process.
pub(crate) fn is_recording() -> bool {
    ACTIVE.load(Acquire) && is_ours() && OWNER.load(Relaxed) == sys::getpid()
}

/// Whether this very process is being recorded, or is about to be.
pub(crate) fn is_under_way() -> bool {
    !DONE.load(Acquire) && is_ours() && OWNER.load(Relaxed) == sys::getpid()
}

struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        LOCK.store(0, Release);
    }
}

/// Takes the lock; `None` when this thread has it already, or it cannot be had in two seconds.
fn lock() -> Option<Held> {
    let me = sys::gettid();
    let mut until = 0;
    loop {
        match LOCK.compare_exchange(0, me, AcqRel, Relaxed) {
            Ok(_) => return Some(Held),
            Err(owner) if owner == me => return None,
            Err(_) => sys::sched_yield(),
        }
        let now = sys::now();
        if until == 0 {
            until = now + 2_000_000_000;
        }
        if now > until {
            return None;
        }
    }
}

/// Begins to record. The error is a sentence.
///
/// Called on a thread of libc's, in no handler.
pub(crate) fn start(config: &Config, refused: &'static str) -> Result<(), &'static str> {
    let held = lock().ok_or("the sampler is busy")?;
    if is_under_way() {
        return Err("the sampler runs already");
    }
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    recording.config = *config;
    recording.file = u32::MAX;
    recording.refused = refused;
    let result = begin(recording);
    if result.is_err() {
        DONE.store(true, Release);
    }
    drop(held);
    result
}

fn begin(recording: &mut Recording) -> Result<(), &'static str> {
    let entered = sys::now();
    // In another time name space, or after a restart elsewhere, the clock may be behind where plop began.
    recording.config.origin_ns = recording.config.origin_ns.min(entered);
    let config = &recording.config;
    OWNER.store(sys::getpid(), Release);
    recording.began_ns = entered.max(config.origin_ns + config.delay_ns);
    recording.started_unix_ns = sys::clock(sys::REALTIME)
        .unwrap_or(0)
        .saturating_sub(entered.saturating_sub(config.origin_ns));
    recording.began_cycles = sys::cycles();
    recording.ended_ns = 0;
    recording.own_cpu_ns = 0;
    recording.save_every_ns = FIRST_SAVE_NS;
    recording.saved_ns = entered;
    recording.saved_samples = 0;
    recording.save_error = 0;
    recording.is_whole = false;
    recording.ended = "";
    STOP.store(0, Release);
    DONE.store(false, Release);
    let ends = config.origin_ns + config.delay_ns + config.duration_ns;
    let is_over = config.duration_ns > 0 && entered >= ends;
    if is_over || !recording.refused.is_empty() {
        // There is nothing to sample; that something is refused has to be told.
        DONE.store(true, Release);
        return Ok(());
    }
    let period = config.period_ns();
    let mode = config.mode;
    if !recording
        .state
        .begin(config.origin_ns, period, config.timeline)
    {
        return Err("there is no memory");
    }
    for (_, slot) in slots::all() {
        slots::begin_again(slot);
    }
    recording.state.ticks_are_wall = matches!(mode, Mode::Wall | Mode::Real);
    recording.state.looks = mode.looks();
    handler::ELAPSED.store(mode == Mode::Real, Relaxed);
    slots::set_ring(config.rate);
    // SAFETY: no handler runs: none has been installed yet, or the last recording has ended.
    if !unsafe { codes::next_generation() } {
        return Err("there is no memory");
    }
    if !watch_for_children() {
        return Err("there is no memory");
    }
    signals::guard_loads();
    // Whoever started us may have blocked the guard's signals.
    if guard::guarded() && sys::block(0) & signals::GUARDS == 0 {
        interpreter::learn_threads(&Direct);
    } else {
        interpreter::learn_threads(&Copied::new());
    }
    KILLING.store(kills_system_calls(), Relaxed);
    trigger::begin(config, KILLING.load(Relaxed));
    signals::take(trigger::signal(mode), handler::on_signal, sys::SA_RESTART);
    if trigger::kind() == trigger::PERF || trigger::kind() == trigger::TIMER {
        // Should timers be refused, the process's own is next, which sends the same signal.
        signals::take(signals::SIGPROF, handler::on_signal, sys::SA_RESTART);
    }
    if !run_thread(recording) {
        signals::release(trigger::signal(mode));
        return Err("a thread is refused");
    }
    recording.setup_ns = sys::now().saturating_sub(entered);
    Ok(())
}

/// Readies the page that only this process finds filled.
fn watch_for_children() -> bool {
    const BYTES: usize = 4096;
    let mut page = PAGE.load(Acquire);
    if page.is_null() {
        let fresh = sys::map(BYTES);
        if fresh.is_null() {
            return false;
        }
        // SAFETY: the page is ours; zeros are an atomic number.
        if !unsafe { sys::wipe_on_fork(fresh, BYTES) } {
            // SAFETY: nobody has it.
            unsafe { sys::unmap(fresh, BYTES) };
            return true;
        }
        page = fresh.cast();
        PAGE.store(page, Release);
    }
    // SAFETY: it stays mapped.
    unsafe { (*page).store(1, Release) };
    true
}

/// Whether a filter of system calls would kill us for one of ours. Only a child can find out.
fn kills_system_calls() -> bool {
    let mut buffer = [0; 4096];
    let status = sys::slurp(c"/proc/self/status", &mut buffer);
    let filtered = status
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"Seccomp:\t2"));
    if !filtered {
        return false;
    }
    // A child that tells nobody when it ends.
    let child = sys::fork_silently();
    if child == 0 {
        let mut timer = 0i32;
        if sys::plain!(TIMER_CREATE, sys::THREAD_CPU, 0, &raw mut timer) == 0 {
            sys::plain!(TIMER_DELETE, timer);
        }
        let mut word = [0; 8];
        sys::copy(word.as_ptr() as u64, &mut word);
        sys::plain!(SCHED_SETATTR, 0, 0, 0);
        sys::plain!(PERF_EVENT_OPEN, 0, 0, 0, 0, 0);
        sys::own_descriptors();
        sys::exit(0);
    }
    child > 0 && sys::wait_silently(child as i32) != 0
}

/// Stops taking samples, and reads what there is.
fn stop_sampling(recording: &mut Recording, why: &'static str) {
    ACTIVE.store(false, Release);
    trigger::disarm_all();
    if trigger::kind() == trigger::ITIMER {
        trigger::disarm_process(recording.config.mode.itimer().map_or(2, |(which, _)| which));
    }
    recording.state.advance();
    recording.state.drain();
    if recording.state.looks {
        recording.threads.visit_unseen(&mut recording.state);
    }
    for (_, slot) in slots::all() {
        if slot.state.load(Acquire) == slots::ARMED {
            trigger::lose_blocked(slot, 1);
            threads::settle(slot, &mut recording.state);
        }
    }
    recording.ended_ns = sys::now();
    recording.ended = why;
}

/// Saves for the last time, as the process ends or becomes another program. Sampling has stopped when
/// this returns.
pub(crate) fn finish(why: &'static str) {
    if !is_under_way() {
        return;
    }
    let entered = sys::now();
    // What was refused has been told.
    let Some(held) = lock() else { return };
    if DONE.load(Acquire) {
        return;
    }
    // Whoever asks the process to end, as pools do with their workers, asks after this.
    let mask = sys::block(signals::ENDS);
    SAVING.store(1, Release);
    DONE.store(true, Release);
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    STOP.store(1, Release);
    sys::wake(&STOP);
    if recording.ended.is_empty() {
        stop_sampling(recording, why);
    }
    until_nobody_writes();
    recording.setup_ns += sys::now().saturating_sub(entered);
    let mut image = Vector::new();
    if !recording.is_whole && image_of(recording, &mut image, true) {
        recording.save_error = put_locked(recording, image.as_slice());
    }
    image.free();
    loss::tell(recording);
    drop(held);
    SAVING.store(0, Release);
    sys::wake(&SAVING);
    sys::set_mask(mask);
}

/// 1 while the last of this process is being saved.
static SAVING: AtomicU32 = AtomicU32::new(0);

/// What the agent's thread is asked to do for a handler without the room for it.
static ASKED: AtomicU32 = AtomicU32::new(NOTHING);
const NOTHING: u32 = 0;
const TO_FINISH: u32 = 1;
const A_CHECKPOINT: u32 = 2;

/// [`finish`] from a handler of a signal that ends the process.
#[cfg(plop_agent)]
pub(crate) fn finish_in_handler() {
    if !has_thread_do(TO_FINISH) {
        finish("signal");
    }
    // Another thread may be about it already.
    let until = sys::now() + 2_000_000_000;
    while SAVING.load(Acquire) == 1 && is_ours() && sys::now() < until {
        sys::wait_until(&SAVING, 1, until);
    }
}

/// [`checkpoint`] from a handler.
pub(crate) fn checkpoint_in_handler() {
    if !has_thread_do(A_CHECKPOINT) {
        checkpoint();
    }
}

/// Saving takes more room than a program's stack for signals may have; the agent's thread has it. Waits
/// for it, but not for ever. Whether it was that thread's business.
fn has_thread_do(what: u32) -> bool {
    if !sys::on_small_stack(64 << 10) {
        return false;
    }
    if is_under_way() && RUNNING.load(Acquire) {
        ASKED.store(what, Release);
        sys::wake(&STOP);
        let until = sys::now() + 1_000_000_000;
        while ASKED.load(Acquire) == what && sys::now() < until {
            sys::wait_until(&ASKED, what, until);
        }
    }
    true
}

/// What handlers have asked of the agent's thread; whether that ends it.
fn do_as_asked() -> bool {
    let what = ASKED.load(Acquire);
    match what {
        NOTHING => return false,
        TO_FINISH => finish("signal"),
        _ => checkpoint(),
    }
    ASKED.store(NOTHING, Release);
    sys::wake(&ASKED);
    what == TO_FINISH
}

/// Waits until the agent's thread has written its checkpoint, which has the same name: it does so without
/// the lock.
fn until_nobody_writes() {
    let until = sys::now() + 1_000_000_000;
    while WRITING.load(Acquire) == 1 && sys::now() < until {
        sys::wait_until(&WRITING, 1, until);
    }
}

/// Saves what there is, since the process may be about to end in a way that nobody is told of.
pub(crate) fn checkpoint() {
    if !is_under_way() || !ACTIVE.load(Acquire) {
        return;
    }
    let Some(_held) = lock() else { return };
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    until_nobody_writes();
    recording.state.advance();
    recording.state.drain();
    let mut image = Vector::new();
    recording.ending = true;
    if image_of(recording, &mut image, false) {
        recording.save_error = put_locked(recording, image.as_slice());
    }
    recording.ending = false;
    image.free();
}

/// Goes on after an exec that failed.
pub(crate) fn go_on() {
    // The thread that was told to stop may not have gone yet.
    let until = sys::now() + 1_000_000_000;
    while RUNNING.load(Acquire) && sys::now() < until {
        sys::sched_yield();
    }
    let Some(_held) = lock() else { return };
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    if recording.ended != "exec" || RUNNING.load(Acquire) {
        return;
    }
    recording.ended = "";
    recording.began_ns = sys::now();
    STOP.store(0, Release);
    DONE.store(false, Release);
    run_thread(recording);
}

impl Recording {
    fn totals(&self) -> crate::state::Totals {
        let mut totals = self.state.past;
        for (_, slot) in slots::all() {
            totals.add(slot);
        }
        totals
    }
}

/// Tells of a process that is not sampled.
pub(crate) fn tell_refusal() {
    let Some(_held) = lock() else { return };
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    recording.state.begin(
        recording.config.origin_ns,
        recording.config.period_ns(),
        false,
    );
    // It may be memory that was refused.
    let mut room = [0; 8 << 10];
    // SAFETY: the room is used by nothing else, and outlives the vector.
    let mut image = unsafe { Vector::lent(&mut room) };
    if image_of(recording, &mut image, true) {
        put_locked(recording, image.as_slice());
    }
    recording.state.free();
}

/// Before a fork: what the lock guards is whole.
pub(crate) extern "C" fn before_fork() {
    if is_ours() {
        let held = lock();
        WHOLE.store(held.is_some(), Release);
        core::mem::forget(held);
    }
}

/// Whether a fork found what the lock guards whole. The lock may not have been had in time.
static WHOLE: AtomicBool = AtomicBool::new(true);

/// After a fork, in the parent.
pub(crate) extern "C" fn after_fork_in_parent() {
    if LOCK.load(Acquire) == sys::gettid() {
        LOCK.store(0, Release);
    }
}

/// After a fork, in the child: it begins anew, with nothing of the parent's, or not at all.
pub(crate) extern "C" fn after_fork_in_child() {
    if DONE.load(Acquire) && OWNER.load(Relaxed) == 0 {
        return;
    }
    ACTIVE.store(false, Release);
    LOCK.store(sys::gettid(), Release);
    STOP.store(0, Relaxed);
    RUNNING.store(false, Relaxed);
    WRITING.store(0, Relaxed);
    threads::OWN.store(0, Relaxed);
    threads::OTHER.store(0, Relaxed);
    threads::LOOKS.store(0, Relaxed);
    // SAFETY: the lock is ours, and the child has one thread, in which no handler runs.
    let recording = unsafe { RECORDING.get() };
    let over = DONE.load(Acquire) || !recording.config.children || !recording.refused.is_empty();
    trigger::disarm_all();
    if WHOLE.load(Acquire) {
        recording.threads.free();
        recording.state.free();
    } else {
        // What is half changed is left where it is.
        recording.threads = Threads::new();
        recording.state = State::new();
    }
    // SAFETY: as above.
    unsafe {
        slots::forget();
        codes::forget();
    }
    guard::FAULTS.store(0, Relaxed);
    guard::FAULTS_OUTSIDE.store(0, Relaxed);
    handler::NESTED.store(0, Relaxed);
    threads::UNPROVEN.store(0, Relaxed);
    trigger::BLOCKED_NS.store(0, Relaxed);
    ASKED.store(NOTHING, Relaxed);
    SAVING.store(0, Relaxed);
    threads::DEFERRED.store(0, Relaxed);
    DONE.store(true, Release);
    if !over {
        recording.file = u32::MAX;
        if begin(recording).is_err() {
            DONE.store(true, Release);
        }
    }
    LOCK.store(0, Release);
}

/// Ends a recording in a Rust program's own process. What was sampled can then be had with
/// [`snapshot`].
pub(crate) fn stop() -> Result<(), &'static str> {
    let held = lock().ok_or("the sampler is busy")?;
    if DONE.swap(true, AcqRel) {
        return Err("the sampler does not run");
    }
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    STOP.store(1, Release);
    sys::wake(&STOP);
    if recording.ended.is_empty() {
        stop_sampling(recording, "stop");
    }
    let mode = recording.config.mode;
    drop(held);
    let until = sys::now() + 2_000_000_000;
    while RUNNING.load(Acquire) && sys::now() < until {
        sys::sched_yield();
    }
    // Signals that are on their way are taken before the program's disposition is back.
    let mask = sys::block(sys::bit(trigger::signal(mode)));
    trigger::swallow(sys::bit(trigger::signal(mode)));
    sys::set_mask(mask);
    if let Some(_held) = lock() {
        // SAFETY: the lock is held.
        let recording = unsafe { RECORDING.get() };
        recording.threads.retire_all(&mut recording.state);
    }
    for signal in [
        trigger::signal(mode),
        signals::SIGPROF,
        signals::SIGSEGV,
        signals::SIGBUS,
    ] {
        signals::release(signal);
    }
    guard::set_guarded(false);
    Ok(())
}

/// Hands the image of what was sampled to `take`.
pub(crate) fn snapshot(take: &mut dyn FnMut(&[u8])) -> Result<(), &'static str> {
    let _held = lock().ok_or("the sampler is busy")?;
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    if ACTIVE.load(Acquire) {
        recording.state.advance();
        recording.state.drain();
    }
    let mut image = Vector::new();
    let told = Told(recording, DONE.load(Acquire));
    let built = image::build(&recording.state, &told, &mut image);
    if built {
        take(image.as_slice());
    }
    image.free();
    if built {
        Ok(())
    } else {
        Err("there is no memory")
    }
}
