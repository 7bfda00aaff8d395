//! The life of a recording in this process: it begins, goes on in a thread of its own, is handed to
//! children, and is saved, whatever ends it.

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::config::{self, Config, Mode, Text, deflected};
use crate::global::Global;
use crate::guard::{self, Copied, Direct, guarded};
use crate::handler::{self, ACTIVE};
use crate::image::{self, Facts};
use crate::memory::Vector;
use crate::state::State;
use crate::threads::{self, Threads};
use crate::{codes, interpreter, signals, slots, sys, text, trigger};

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
    setup_ns: u64,
    own_cpu_ns: u64,
    /// The number of this process's file, from 0.
    file: u32,
    saved_ns: u64,
    save_every_ns: u64,
    saved_samples: u64,
    save_error: u64,
    asked_ns: u64,
    ended: &'static str,
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
    setup_ns: 0,
    own_cpu_ns: 0,
    file: u32::MAX,
    saved_ns: 0,
    save_every_ns: FIRST_SAVE_NS,
    saved_samples: 0,
    save_error: 0,
    asked_ns: 0,
    ended: "",
    refused: "",
});

/// How soon the first checkpoint is, and how far apart later ones are at least.
const FIRST_SAVE_NS: u64 = 50_000_000;
const SAVE_NS: u64 = 1_000_000_000;
/// At most this part of the time goes into checkpoints.
const SAVE_SHARE: u64 = 500;

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
    if is_recording() {
        return Err("the sampler runs already");
    }
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    recording.config = *config;
    recording.file = u32::MAX;
    recording.refused = refused;
    let result = begin(recording);
    drop(held);
    result
}

fn begin(recording: &mut Recording) -> Result<(), &'static str> {
    let entered = sys::now();
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
    recording.asked_ns = 0;
    recording.ended = "";
    STOP.store(0, Release);
    DONE.store(false, Release);
    if !recording.refused.is_empty() {
        // There is nothing to sample, but that has to be told.
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
    recording.state.ticks_are_wall = matches!(mode, Mode::Wall | Mode::Real);
    handler::ELAPSED.store(mode == Mode::Real, Relaxed);
    slots::set_ring(config.rate);
    // SAFETY: no handler has run yet in this process.
    if !unsafe { codes::next_generation() } {
        return Err("there is no memory");
    }
    if !watch_for_children() {
        return Err("there is no memory");
    }
    signals::guard_loads();
    // Whoever started us may have blocked the guard's signals.
    interpreter::learn_threads(&Copied::new());
    KILLING.store(kills_system_calls(), Relaxed);
    trigger::begin(config, KILLING.load(Relaxed));
    signals::take(trigger::signal(mode), handler::on_signal, sys::SA_RESTART);
    if trigger::kind() == trigger::PERF || trigger::kind() == trigger::TIMER {
        // Should timers be refused, the process's own is next, which sends the same signal.
        signals::take(signals::SIGPROF, handler::on_signal, sys::SA_RESTART);
    }
    if !run_thread() {
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
        sys::exit(0);
    }
    child > 0 && sys::wait_silently(child as i32) != 0
}

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
    let mask = sys::block(!(sys::bit(signals::SIGSEGV) | sys::bit(signals::SIGBUS)));
    sys::set_mask(!(sys::bit(signals::SIGSEGV) | sys::bit(signals::SIGBUS)));
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

fn run_thread() -> bool {
    RUNNING.store(true, Release);
    if spawn(main) {
        return true;
    }
    RUNNING.store(false, Release);
    false
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
        if sys::now() >= until {
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
        recording.state.resume();
        ACTIVE.store(true, Release);
        recording.threads.begin(config.mode.looks());
        threads::rearm();
        if let Some((which, _)) = config.mode.itimer()
            && !trigger::arm_process(which)
        {
            recording.refused = "its timer, setitimer, is refused";
        }
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
    loop {
        let now = sys::now();
        let tick = match config.mode.looks() {
            true => config.period_ns().max(1_000_000),
            false => (slots::ring_words() * 1_000_000_000 / u64::from(config.rate.max(1)) / 64)
                .clamp(5_000_000, 100_000_000),
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
        let now = sys::now();
        let ended = now >= ends;
        let (write, done) = {
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
            let write = (due || ended) && image_of(recording, image, ended);
            recording.saved_ns = if due { now } else { recording.saved_ns };
            WRITING.store(u32::from(write), Release);
            (write, ended)
        };
        if write {
            let path = path_of();
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
            let cost = sys::now().saturating_sub(now);
            let least = (recording.save_every_ns * 2).min(SAVE_NS);
            recording.save_every_ns = least.max(cost * SAVE_SHARE);
        }
        if done {
            return;
        }
    }
}

/// How far apart the rest of the work is where threads are looked at more often.
const HOUSEKEEPING_NS: u64 = 40_000_000;

/// What is done each time.
fn tick_once(recording: &mut Recording, config: &Config, now: u64) {
    let Recording { state, threads, .. } = recording;
    if config.mode.looks() {
        threads.visit(state);
        if now.saturating_sub(recording.kept_ns) < HOUSEKEEPING_NS {
            return;
        }
    }
    recording.kept_ns = now;
    threads.watch(now, state);
    state.advance();
    state.drain();
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

/// Stops taking samples, and reads what there is.
fn stop_sampling(recording: &mut Recording, why: &'static str) {
    ACTIVE.store(false, Release);
    trigger::disarm_all();
    if trigger::kind() == trigger::ITIMER {
        trigger::disarm_process(recording.config.mode.itimer().map_or(2, |(which, _)| which));
    }
    recording.state.advance();
    recording.state.drain();
    for (_, slot) in slots::all() {
        if slot.state.load(Acquire) == slots::ARMED {
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
    if DONE.swap(true, AcqRel) {
        return;
    }
    // SAFETY: the lock is held.
    let recording = unsafe { RECORDING.get() };
    STOP.store(1, Release);
    sys::wake(&STOP);
    if recording.ended.is_empty() {
        stop_sampling(recording, why);
    }
    let until = sys::now() + 1_000_000_000;
    while WRITING.load(Acquire) == 1 && sys::now() < until {
        sys::wait_until(&WRITING, 1, until);
    }
    recording.setup_ns += sys::now().saturating_sub(entered);
    let mut image = Vector::new();
    if image_of(recording, &mut image, true) {
        recording.save_error = put_locked(recording, image.as_slice());
    }
    image.free();
    drop(held);
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
    run_thread();
}

impl Recording {
    fn totals(&self) -> crate::state::Totals {
        let mut totals = self.state.past;
        for (_, slot) in slots::all() {
            totals.add(slot);
        }
        totals
    }

    fn samples(&self) -> u64 {
        let totals = self.totals();
        totals.delivered + self.state.rows.len() as u64
    }
}

/// The facts of a recording.
struct Told<'r>(&'r Recording, bool);

impl Facts for Told<'_> {
    fn tell(&self, number: &mut dyn FnMut(&str, u64), text: &mut dyn FnMut(&str, &[u8])) {
        let Told(recording, finished) = *self;
        let Recording { config, state, .. } = recording;
        let totals = recording.totals();
        let now = if recording.ended_ns > 0 {
            recording.ended_ns
        } else {
            sys::now()
        };
        let since = |at: u64| at.saturating_sub(config.origin_ns);
        number("version", 1);
        number("pid", sys::getpid() as u64);
        number("ppid", sys::getppid() as u64);
        number("root", u64::from(sys::getpid() == config.root));
        number("started", recording.started_unix_ns);
        number("begin_ns", since(recording.began_ns));
        number("end_ns", since(now));
        number("duration_ns", now.saturating_sub(recording.began_ns));
        number("slice_ns", state.slice_ns);
        number("rate", u64::from(config.rate));
        number("period_ns", config.period_ns());
        text("mode", config.mode.name().as_bytes());
        text(
            "trigger",
            if recording.refused.is_empty() {
                trigger::name()
            } else {
                "none"
            }
            .as_bytes(),
        );
        text("trigger_why", trigger::why().as_bytes());
        if let Some(interpreter) = interpreter::get() {
            text("runtime", interpreter.name.as_bytes());
        }
        let asked = match config.mode {
            Mode::Wall | Mode::Real => state.wall_ns,
            _ => state.cpu_ns,
        };
        number("asked", asked / config.period_ns().max(1));
        number("delivered", totals.delivered);
        number("dropped", totals.dropped + state.dropped);
        number("overruns", totals.overruns);
        number("rejected", totals.rejected);
        number("cut", totals.cut);
        number("no_python", totals.no_python);
        number("unproven", threads::UNPROVEN.load(Relaxed));
        number("deferred", threads::DEFERRED.load(Relaxed));
        number("nested", handler::NESTED.load(Relaxed));
        number("faults", guard::FAULTS.load(Relaxed));
        number("guarded", u64::from(guarded()));
        number("cpu_ns", state.cpu_ns);
        number("wall_ns", state.wall_ns);
        number("own_cpu_ns", recording.own_cpu_ns);
        number(
            "handler_ns",
            state.cycles_to_ns(totals.cycles, recording.began_cycles, recording.began_ns),
        );
        number("signals", totals.signals);
        number("setup_ns", recording.setup_ns);
        number("threads_seen", totals.threads);
        number("memory_bytes", state.bytes() as u64);
        number("timeline_dropped", state.times_dropped);
        number("finished", u64::from(finished));
        text("ended", recording.ended.as_bytes());
        if !recording.refused.is_empty() {
            text("refused", recording.refused.as_bytes());
        }
        if recording.save_error != 0 {
            number("save_error", recording.save_error);
        }
    }
}

/// Builds what is to be saved; whether there is something, and memory for it.
fn image_of(recording: &mut Recording, out: &mut Vector<u8>, finished: bool) -> bool {
    // A process that has not been sampled, because it was over so soon, has nothing to tell; but for
    // the first one, of which is to be known that it was there.
    let samples = recording.samples();
    let first = sys::getpid() == recording.config.root;
    let last = finished && first && recording.ended != "exec";
    if samples == 0 && recording.refused.is_empty() && !last {
        return false;
    }
    if !finished && samples == recording.saved_samples {
        return false;
    }
    recording.saved_samples = samples;
    let spooled = !recording.config.spool.as_bytes().is_empty()
        && sys::exists(recording.config.spool.as_c_str());
    let told = Told(recording, finished);
    if spooled {
        image::build(&recording.state, &told, out)
    } else {
        text::build(&recording.state, &recording.config, &told, out)
    }
}

/// Where this process saves.
fn path_of() -> Text<4096> {
    let Some(_held) = lock() else {
        return Text::new();
    };
    // SAFETY: the lock is held.
    path_of_locked(unsafe { RECORDING.get() })
}

fn path_of_locked(recording: &mut Recording) -> Text<4096> {
    let config = &recording.config;
    let pid = sys::getpid();
    let spooled = !config.spool.as_bytes().is_empty() && sys::exists(config.spool.as_c_str());
    let mut path = Text::new();
    let whole = if spooled {
        if recording.file == u32::MAX {
            recording.file = first_free(config, pid);
        }
        spool_path(config, pid, recording.file, &mut path)
    } else {
        let out = config.out.as_bytes();
        let stem = out.strip_suffix(b".plop").unwrap_or(out);
        match pid == config.root && recording.ended != "exec" {
            true => path.push(out),
            false => {
                path.push(stem)
                    && path.push(b"-")
                    && path.push_number(pid as u64)
                    && path.push(b".plop")
            }
        }
    };
    if whole { path } else { Text::new() }
}

fn spool_path(config: &Config, pid: i32, file: u32, path: &mut Text<4096>) -> bool {
    path.push(config.spool.as_bytes())
        && path.push(b"/")
        && path.push_number(pid as u64)
        && path.push(b"-")
        && path.push_number(u64::from(file))
        && path.push(b".rec")
}

/// A process that was another program before has files already.
fn first_free(config: &Config, pid: i32) -> u32 {
    for file in 0..100_000 {
        let mut path = Text::new();
        spool_path(config, pid, file, &mut path);
        if !sys::exists(path.as_c_str()) {
            return file;
        }
    }
    0
}

fn put_locked(recording: &mut Recording, bytes: &[u8]) -> u64 {
    let path = path_of_locked(recording);
    put(&path, bytes)
}

/// Writes a file beside its place and puts it there; 0, or the error's number.
fn put(path: &Text<4096>, bytes: &[u8]) -> u64 {
    let mut beside = Text::<4096>::new();
    if path.as_bytes().is_empty() || !beside.push(path.as_bytes()) || !beside.push(b".partial") {
        return 36;
    }
    let fd = sys::create(beside.as_c_str());
    if fd < 0 {
        return -fd as u64;
    }
    let mut result = sys::write_all(fd as i32, bytes);
    sys::close(fd as i32);
    if result == 0 {
        result = sys::rename(beside.as_c_str(), path.as_c_str());
    }
    if result < 0 {
        sys::unlink(beside.as_c_str());
    }
    result.unsigned_abs() as u64
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
    let mut image = Vector::new();
    if image_of(recording, &mut image, true) {
        put_locked(recording, image.as_slice());
    }
    image.free();
    recording.state.free();
}

/// Before a fork: what the lock guards is whole.
pub(crate) extern "C" fn before_fork() {
    if is_ours() {
        core::mem::forget(lock());
    }
}

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
    // SAFETY: the lock is ours, and the child has one thread, in which no handler runs.
    let recording = unsafe { RECORDING.get() };
    let over = DONE.load(Acquire) || !recording.config.children || !recording.refused.is_empty();
    trigger::disarm_all();
    recording.threads.free();
    recording.state.free();
    // SAFETY: as above.
    unsafe {
        slots::forget();
        codes::forget();
    }
    guard::FAULTS.store(0, Relaxed);
    handler::NESTED.store(0, Relaxed);
    threads::UNPROVEN.store(0, Relaxed);
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
    trigger::end(mode);
    // Signals that are on their way are taken before the program's disposition is back.
    let mask = sys::block(sys::bit(trigger::signal(mode)));
    sys::swallow(sys::bit(trigger::signal(mode)));
    sys::set_mask(mask);
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
