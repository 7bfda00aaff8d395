//! What makes a thread take a sample of itself: a POSIX timer on its CPU clock, a perf event, or a
//! timer of the whole process. Where one is refused the next is tried, and which one runs is told.

use core::sync::atomic::{
    AtomicBool, AtomicU16, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::config::{self, Config, Mode, Text, deflected};
use crate::signals::SIGPROF;
use crate::slots::{self, Slot};
use crate::sys::{self, plain};

/// The triggers, in the order in which they are tried.
pub(crate) const TIMER: u32 = 0;
pub(crate) const PERF: u32 = 1;
pub(crate) const ITIMER: u32 = 2;
pub(crate) const WALL: u32 = 3;

/// Their names.
pub(crate) const NAMES: [&str; 4] = ["timer", "perf", "itimer", "wall"];

/// What a signal of ours carries, with the slot's index in the low half.
pub(crate) const MARK: u64 = 0x706c_6f70_0000_0000;

static KIND: AtomicU32 = AtomicU32::new(TIMER);
/// Why it is this one: the reason's number in [`REASONS`].
static WHY: AtomicU32 = AtomicU32::new(0);
static PERIOD_NS: AtomicU64 = AtomicU64::new(10_000_000);
/// Whether perf events count time in the kernel.
static KERNEL_TOO: AtomicU32 = AtomicU32::new(1);

/// Why a trigger was chosen.
const REASONS: [&str; 10] = [
    "",
    "the rate is above the kernel's ticks, which timers cannot exceed",
    "timers on threads are refused (the limit of pending signals, RLIMIT_SIGPENDING?)",
    "timers on threads are not permitted here (seccomp?)",
    "timers on threads and perf events are refused",
    "no timer is permitted here, so running threads are looked at from outside",
    // The mode asks for it: there is nothing to explain.
    "",
    "the rate is above the kernel's ticks and perf events are refused",
    "the rate is above the kernel's ticks and perf events lack descriptors (RLIMIT_NOFILE)",
    "timers on threads are refused and perf events lack descriptors (RLIMIT_NOFILE)",
];

/// Stands for a timer or an event that is just being made: the thread itself and the agent's may both be at
/// it, and one has to make way.
const BEING_MADE: i32 = i32::MAX;

/// Whether the agent's thread has descriptors of its own. Perf events, which other threads have to
/// close, cannot be among them.
static SEPARATE: AtomicU32 = AtomicU32::new(0);

/// Has the agent's thread open files where the program does not see them, and gets no number of theirs.
/// Called by that thread.
pub(crate) fn separate_descriptors() {
    if kind() != PERF && sys::own_descriptors() {
        SEPARATE.store(1, Relaxed);
    }
}

/// The agent's thread is another, or about to be.
pub(crate) fn share_descriptors() {
    SEPARATE.store(0, Relaxed);
}

/// Which slot a descriptor's event belongs to, and one. Signals can still come from events that are
/// closed: their entries are [`CLOSED`].
const CLOSED: u16 = u16::MAX;
static EVENTS: [AtomicU16; 1 << 16] = [const { AtomicU16::new(0) }; 1 << 16];

pub(crate) fn kind() -> u32 {
    KIND.load(Relaxed)
}

pub(crate) fn period_ns() -> u64 {
    PERIOD_NS.load(Relaxed)
}

pub(crate) fn name() -> &'static str {
    NAMES.get(kind() as usize).copied().unwrap_or("none")
}

pub(crate) fn why() -> Text<256> {
    let reason = REASONS.get(WHY.load(Relaxed) as usize).copied();
    let mut why = Text::new();
    let mut say = |text: &str, number: Option<u64>| {
        if !why.as_bytes().is_empty() {
            why.push(b"; ");
        }
        why.push(text.as_bytes());
        if let Some(number) = number {
            why.push_number(number);
            why.push(b" a second");
        }
    };
    if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
        say(reason, None);
    }
    let is_by_ticks = kind() == TIMER || kind() == ITIMER && WHICH.load(Relaxed) != REAL;
    if is_by_ticks && is_above_ticks(period_ns()) {
        let most = 1_000_000_000 / sys::tick_ns();
        say(
            "samples come no faster than the kernel's ticks, ",
            Some(most),
        );
    }
    if kind() == ITIMER && (PROGRAMS.load(Acquire) != NEVER || is_changed()) {
        say(
            "the program sets this timer itself, and was not sampled while it had it",
            None,
        );
    }
    why
}

/// Whether samples this far apart are more than the kernel's ticks. A timer cannot be later than its tick,
/// so half a tick of tolerance is none.
fn is_above_ticks(period_ns: u64) -> bool {
    period_ns * 10 < sys::tick_ns() * 9
}

fn choose(kind: u32, why: u32) {
    WHY.store(why, Relaxed);
    KIND.store(kind, Release);
}

/// Chooses a trigger. `killing` says that a filter of system calls would kill us for making one.
pub(crate) fn begin(config: &Config, killing: bool) {
    PERIOD_NS.store(config.period_ns(), Relaxed);
    PROGRAMS.store(NEVER, Release);
    WHICH.store(NONE, Release);
    ARMED.store(false, Release);
    match config.mode {
        Mode::Prof | Mode::Virtual | Mode::Real => choose(ITIMER, 6),
        _ if killing => choose(WALL, 5),
        _ if is_above_ticks(config.period_ns()) => {
            if perf_works() {
                choose(PERF, 1)
            } else {
                choose(TIMER, 7)
            }
        }
        _ => choose(TIMER, 0),
    }
}

/// Which slot's sample a signal asks for; `None` when it is not one of ours.
///
/// # Safety
/// `info` is what the kernel gave a handler of `signal`.
#[inline]
pub(crate) unsafe fn asked(signal: i32, info: *const u8) -> Option<Asked> {
    const SI_TIMER: i32 = -2;
    const SI_QUEUE: i32 = -1;
    const SI_KERNEL: i32 = 0x80;
    // SAFETY: the kernel's layout of `siginfo_t`.
    let (code, value, overrun, fd) = unsafe {
        (
            info.add(8).cast::<i32>().read(),
            info.add(24).cast::<u64>().read(),
            info.add(20).cast::<i32>().read(),
            info.add(24).cast::<i32>().read(),
        )
    };
    let index = (value & 0xffff_ffff) as usize;
    let marked = value & !0xffff_ffff == MARK;
    match code {
        SI_TIMER if marked => Some(Asked {
            index,
            ticks: 1 + overrun.max(0) as u32,
        }),
        SI_QUEUE if marked => Some(Asked { index, ticks: 1 }),
        1..=6 if signal == SIGPROF => match EVENTS.get(usize::try_from(fd).ok()?)?.load(Acquire) {
            0 => None,
            entry => Some(Asked {
                index: usize::from(entry) - 1,
                ticks: 1,
            }),
        },
        SI_KERNEL if kind() == ITIMER && !is_the_programs() => {
            let (index, _) = slots::of(sys::gettid())?;
            Some(Asked { index, ticks: 1 })
        }
        _ => None,
    }
}

/// What a signal of ours says.
pub(crate) struct Asked {
    pub(crate) index: usize,
    pub(crate) ticks: u32,
}

/// Arms a thread's own timer or event, if that is the trigger; steps down to the next trigger where it
/// is refused, and then all threads must be armed anew: false.
pub(crate) fn arm(slot: &Slot, index: usize, tid: i32) -> bool {
    let takes_ours = || slot.masked.load(Acquire) == slots::OPEN;
    let is_there = || slot.state.load(Acquire) == slots::ARMED;
    let mut armed = true;
    while takes_ours() {
        armed &= arm_anew(slot, index, tid);
        if takes_ours() && is_there() {
            break;
        }
        // It has blocked our signal meanwhile, or gone. If it takes the signal again by now, it took this for its
        // own timer.
        disarm(slot);
        if !is_there() {
            break;
        }
    }
    armed
}

fn arm_anew(slot: &Slot, index: usize, tid: i32) -> bool {
    match kind() {
        TIMER => match arm_timer(slot, index, tid) {
            // The thread has gone.
            0 | -3 | -22 => true,
            refused => {
                let seccomp = refused != sys::EAGAIN;
                if SEPARATE.load(Relaxed) == 0 && perf_works() {
                    choose(PERF, if seccomp { 3 } else { 2 });
                } else {
                    step_down();
                }
                false
            }
        },
        PERF => match arm_event(slot, index, tid) {
            result if result >= 0 || result == -3 => true,
            refused => {
                // EINVAL: the limit lies below the numbers that are used.
                let few = matches!(refused, -24..=-22 | sys::ENOMEM);
                if WHY.load(Relaxed) == 1 {
                    disarm_all();
                    choose(TIMER, if few { 8 } else { 7 });
                } else {
                    step_down_for(if few { 9 } else { 4 });
                }
                false
            }
        },
        _ => true,
    }
}

/// No timer of each thread, then one of the process.
fn step_down() {
    step_down_for(4);
}

fn step_down_for(why: u32) {
    disarm_all();
    choose(ITIMER, why);
    if !arm_process(2) {
        choose(WALL, 5);
    }
}

/// The timer of the process that is ours: its number, or [`NONE`].
static WHICH: AtomicU32 = AtomicU32::new(NONE);
const NONE: u32 = u32::MAX;
const REAL: u32 = 0;
/// Whether it has been set, and not been taken away since.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Whether the program has, or has had, that timer for itself.
static PROGRAMS: AtomicU32 = AtomicU32::new(NEVER);
const NEVER: u32 = 0;
const NOW: u32 = 1;
const ONCE: u32 = 2;

/// Whether the program has the timer of the process now, and its signals are the program's.
pub(crate) fn is_the_programs() -> bool {
    PROGRAMS.load(Acquire) == NOW
}

/// Whether this timer of the process drives the sampler, or would, had not the program set it.
pub(crate) fn is_driven_by(which: u32) -> bool {
    kind() == ITIMER && WHICH.load(Acquire) == which
}

/// Before the program sets the timer that drives the sampler: it finds none, and its signals are its own.
pub(crate) fn give_to_program(which: u32) {
    let signal = sys::bit(match which {
        0 => 14,
        1 => 26,
        _ => SIGPROF,
    });
    let mask = sys::block(signal);
    if !is_the_programs() {
        disarm_process(which as usize);
        swallow(signal);
        PROGRAMS.store(NOW, Release);
    }
    sys::set_mask(mask);
}

/// The program has cleared the timer: it is ours again.
pub(crate) fn take_from_program(which: u32) {
    PROGRAMS.store(ONCE, Release);
    arm_process(which as usize);
}

/// The interval and what is left of a timer of the process, in microseconds.
fn of_process(which: usize) -> Option<(u64, u64)> {
    let mut times = [0u64; 4];
    let micros = |seconds: u64, micros: u64| seconds.wrapping_mul(1_000_000).wrapping_add(micros);
    (plain!(GETITIMER, which, times.as_mut_ptr()) == 0).then(|| {
        let [every_s, every_us, left_s, left_us] = times;
        (micros(every_s, every_us), micros(left_s, left_us))
    })
}

/// Whether somebody has changed the timer behind our back.
fn is_changed() -> bool {
    let which = WHICH.load(Acquire);
    let tolerance = sys::tick_ns() / 1000;
    ARMED.load(Acquire)
        && of_process(which as usize)
            .is_some_and(|(every, _)| every == 0 || every.abs_diff(period_ns() / 1000) > tolerance)
}

/// Arms the timer of the process; whether there is one now. One that the program has set already stays
/// the program's.
pub(crate) fn arm_process(which: usize) -> bool {
    if deflected(config::NO_ITIMER) {
        return false;
    }
    WHICH.store(which as u32, Release);
    if is_the_programs() {
        return true;
    }
    if of_process(which).is_some_and(|(_, left)| left != 0) {
        PROGRAMS.store(NOW, Release);
        return true;
    }
    let micros = (PERIOD_NS.load(Relaxed) / 1000).max(1);
    let interval = [
        micros / 1_000_000,
        micros % 1_000_000,
        micros / 1_000_000,
        micros % 1_000_000,
    ];
    let armed = plain!(SETITIMER, which, interval.as_ptr(), 0) == 0;
    ARMED.store(armed, Release);
    armed
}

/// Stops the timer of the process, if it is not the program's.
pub(crate) fn disarm_process(which: usize) {
    if is_the_programs() {
        return;
    }
    if is_changed() {
        ARMED.store(false, Release);
        PROGRAMS.store(NOW, Release);
        return;
    }
    ARMED.store(false, Release);
    let never = [0u64; 4];
    plain!(SETITIMER, which, never.as_ptr(), 0);
}

#[repr(C)]
struct Event {
    value: u64,
    signal: i32,
    notify: i32,
    tid: i32,
    padding: [i32; 11],
}

fn arm_timer(slot: &Slot, index: usize, tid: i32) -> isize {
    if deflected(config::NO_TIMER) || nearly_all_pending() {
        return sys::EAGAIN;
    }
    let thread_id = 4;
    let event = Event {
        value: MARK | index as u64,
        signal: SIGPROF,
        notify: thread_id,
        tid,
        padding: [0; 11],
    };
    let mine = slot.timer.compare_exchange(0, BEING_MADE, AcqRel, Relaxed);
    if mine.is_err() {
        return 0;
    }
    let mut timer = 0i32;
    let result = plain!(
        TIMER_CREATE,
        sys::cpu_clock_of(tid) as isize,
        &raw const event,
        &raw mut timer
    );
    if result != 0 {
        slot.timer.store(0, Release);
        return result;
    }
    slot.timer.store(timer + 1, Release);
    // The first tick comes anywhere in a period, so that threads shorter than that count, too.
    let period = PERIOD_NS.load(Relaxed);
    set_timer(
        timer,
        (period * u64::from(slot.next_random() >> 16)) >> 16,
        period,
    )
}

fn set_timer(timer: i32, first_ns: u64, period_ns: u64) -> isize {
    let (first, period) = (
        sys::Timespec::of(first_ns.max(1)),
        sys::Timespec::of(period_ns),
    );
    let times = [
        period.seconds,
        period.nanoseconds,
        first.seconds,
        first.nanoseconds,
    ];
    plain!(TIMER_SETTIME, timer, 0, times.as_ptr(), 0)
}

/// Each timer takes a place among the pending signals that a user may have; most are left to the
/// program.
fn nearly_all_pending() -> bool {
    const RLIMIT_SIGPENDING: usize = 11;
    let limit = sys::limit(RLIMIT_SIGPENDING);
    slots::made() as u64 * 5 > limit.saturating_mul(4)
}

const IOC_ENABLE: usize = 0x2400;
const IOC_PERIOD: usize = 0x4008_2404;
const IOC_ID: usize = 0x8008_2407;

fn open_event(tid: i32, kernel: bool) -> isize {
    if deflected(config::NO_PERF) {
        return -13;
    }
    let mut attributes = [0u64; 16];
    let (software, size) = (1u64, 128u64);
    let cpu_clock = 0;
    let (disabled, exclude_kernel, exclude_hypervisor) = (1u64, 1 << 5, 1 << 6);
    let flags = disabled
        | if kernel {
            0
        } else {
            exclude_kernel | exclude_hypervisor
        };
    let words = [
        software | size << 32,
        cpu_clock,
        PERIOD_NS.load(Relaxed),
        0,
        0,
        flags,
        1,
    ];
    for (place, word) in attributes.iter_mut().zip(words) {
        *place = word;
    }
    let close_on_exec = 8;
    plain!(
        PERF_EVENT_OPEN,
        attributes.as_ptr(),
        tid,
        -1isize,
        -1isize,
        close_on_exec
    )
}

/// Whether perf events are permitted; with the kernel's share if possible.
fn perf_works() -> bool {
    for kernel in [true, false] {
        let fd = open_event(0, kernel);
        if fd >= 0 {
            sys::close(fd as i32);
            KERNEL_TOO.store(u32::from(kernel), Relaxed);
            return true;
        }
    }
    false
}

fn arm_event(slot: &Slot, index: usize, tid: i32) -> isize {
    let mine = slot.event.compare_exchange(0, BEING_MADE, AcqRel, Relaxed);
    if mine.is_err() {
        return 0;
    }
    let result = make_event(slot, index, tid);
    if result < 0 {
        slot.event.store(0, Release);
    }
    result
}

fn make_event(slot: &Slot, index: usize, tid: i32) -> isize {
    let low = open_event(tid, KERNEL_TOO.load(Relaxed) == 1);
    if low < 0 {
        return low;
    }
    // High up, so that the program's own files get the numbers that they would without us.
    const RLIMIT_NOFILE: usize = 7;
    const F_DUPFD_CLOEXEC: usize = 1030;
    const F_SETOWN_EX: usize = 15;
    const F_SETSIG: usize = 10;
    const F_SETFL: usize = 4;
    const ASYNC_NONBLOCK: usize = 0o20000 | 0o4000;
    let from = sys::limit(RLIMIT_NOFILE).clamp(64, 1 << 15) / 2;
    let high = plain!(FCNTL, low, F_DUPFD_CLOEXEC, from);
    sys::close(low as i32);
    if high < 0 {
        return high;
    }
    let Some(entry) = EVENTS.get(high as usize) else {
        sys::close(high as i32);
        return sys::ENOMEM;
    };
    let mut id = 0u64;
    plain!(IOCTL, high, IOC_ID, &raw mut id);
    slot.event_id.store(id, Relaxed);
    entry.store(index as u16 + 1, Release);
    slot.event.store(high as i32 + 1, Release);
    let owner_is_thread = 0;
    let owner = [owner_is_thread, tid];
    plain!(FCNTL, high, F_SETOWN_EX, owner.as_ptr());
    plain!(FCNTL, high, F_SETSIG, SIGPROF);
    plain!(FCNTL, high, F_SETFL, ASYNC_NONBLOCK);
    plain!(IOCTL, high, IOC_ENABLE, 0)
}

/// Whether a slot's event is still behind its descriptor: a program may close what it does not know,
/// and open something else there.
pub(crate) fn event_is_there(slot: &Slot) -> bool {
    if slot.event.load(Acquire) == BEING_MADE {
        return true;
    }
    let fd = slot.event.load(Acquire) - 1;
    let mut id = 0u64;
    fd >= 0 && plain!(IOCTL, fd, IOC_ID, &raw mut id) == 0 && id == slot.event_id.load(Relaxed)
}

/// CPU time of threads that had our signal blocked, and of which no sample tells.
pub(crate) static BLOCKED_NS: AtomicU64 = AtomicU64::new(0);

/// The whole periods that a thread has used since its signal was blocked, which count from now on.
pub(crate) fn take_blocked(slot: &Slot, clock_ns: u64) -> u32 {
    let period = PERIOD_NS.load(Relaxed).max(1);
    let used = clock_ns.saturating_sub(slot.paused_at_ns.load(Relaxed));
    let ticks = (used / period).min(1 << 20);
    slot.paused_at_ns.fetch_add(ticks * period, Relaxed);
    ticks as u32
}

/// Counts as lost what a thread has used with its signal blocked, if it is so many periods.
pub(crate) fn lose_blocked(slot: &Slot, least: u64) {
    if slot.masked.load(Acquire) != slots::OPEN
        && matches!(kind(), TIMER | PERF)
        && let Some(clock) = sys::clock(sys::cpu_clock_of(slot.tid.load(Relaxed)))
        && clock.saturating_sub(slot.paused_at_ns.load(Relaxed)) >= least * period_ns()
    {
        let lost = u64::from(take_blocked(slot, clock)) * period_ns();
        BLOCKED_NS.fetch_add(lost, Relaxed);
    }
}

/// Stops the calling thread's timer while the thread has its signal blocked.
pub(crate) fn pause(slot: &Slot) {
    slot.paused_at_ns
        .store(sys::clock(sys::THREAD_CPU).unwrap_or(0), Relaxed);
    let timer = slot.timer.load(Acquire);
    if timer == 0 {
        disarm(slot);
        return;
    }
    let never = [0i64; 4];
    let mut left = [0i64; 4];
    plain!(
        TIMER_SETTIME,
        timer - 1,
        0,
        never.as_ptr(),
        left.as_mut_ptr()
    );
    let [_, _, seconds, nanoseconds] = left;
    let left = seconds as u64 * 1_000_000_000 + nanoseconds as u64;
    slot.left_ns.store(left, Relaxed);
}

/// Lets it go on. What the thread has used meanwhile counts with its next sample. Whether it is armed.
pub(crate) fn go_on(slot: &Slot, index: usize) -> bool {
    let clock = sys::clock(sys::THREAD_CPU).unwrap_or(0);
    let timer = slot.timer.load(Acquire);
    if timer == 0 {
        return arm_late(slot, index, sys::gettid(), clock);
    }
    let period = PERIOD_NS.load(Relaxed).max(1);
    let used = clock.saturating_sub(slot.paused_at_ns.load(Relaxed));
    let left = slot.left_ns.load(Relaxed).clamp(1, period * 2);
    let late = (used + period).saturating_sub(left) / period;
    slot.skipped.fetch_add(late.min(1 << 20) as u32, Relaxed);
    let first = left + late * period;
    set_timer(timer - 1, first.saturating_sub(used), period);
    true
}

/// Arms a thread that had no timer while its signal was blocked: what it has used meanwhile counts with its
/// next sample. Whether it is armed.
pub(crate) fn arm_late(slot: &Slot, index: usize, tid: i32, clock_ns: u64) -> bool {
    let late = take_blocked(slot, clock_ns);
    slot.skipped.fetch_add(late, Relaxed);
    arm(slot, index, tid)
}

/// Whether a thread has neither timer nor event, and none is just being made.
pub(crate) fn is_disarmed(slot: &Slot) -> bool {
    slot.timer.load(Acquire) == 0 && slot.event.load(Acquire) == 0
}

/// Takes a thread's own timer or event away.
pub(crate) fn disarm(slot: &Slot) {
    // Whoever is making one looks at what has become of the thread when it is made.
    if slot.timer.load(Acquire) == BEING_MADE || slot.event.load(Acquire) == BEING_MADE {
        return;
    }
    let timer = slot.timer.swap(0, AcqRel);
    if timer > 0 {
        plain!(TIMER_DELETE, timer - 1);
    }
    let there = event_is_there(slot);
    let fd = slot.event.swap(0, AcqRel) - 1;
    if let Some(entry) = EVENTS.get(fd as usize) {
        entry.store(CLOSED, Release);
    }
    if there {
        sys::close(fd);
    }
}

pub(crate) fn disarm_all() {
    for (_, slot) in slots::all() {
        disarm(slot);
    }
}

/// Changes the distance of a thread's next ticks a little, so that nothing that is periodic itself runs
/// in step with them. Called in the handler.
#[inline]
pub(crate) fn jitter(slot: &Slot) {
    let period = PERIOD_NS.load(Relaxed);
    let tenth = period / 10;
    let next = period - tenth + ((2 * tenth * u64::from(slot.next_random() >> 16)) >> 16);
    let timer = slot.timer.load(Relaxed);
    if timer > 0 {
        // A timer's signal comes with the kernel's tick, some time after it was due. From when it was due the
        // next distance counts, or each change would lose that time.
        let mut times = [0i64; 4];
        plain!(TIMER_GETTIME, timer - 1, times.as_mut_ptr());
        let [every_s, every_ns, left_s, left_ns] = times;
        let ns = |seconds: i64, ns: i64| (seconds as u64).wrapping_mul(1_000_000_000) + ns as u64;
        let (every, left) = (ns(every_s, every_ns), ns(left_s, left_ns));
        if left > 0 {
            set_timer(timer - 1, (left + next).saturating_sub(every), next);
        }
        return;
    }
    let event = slot.event.load(Relaxed);
    if event > 0 {
        plain!(IOCTL, event - 1, IOC_PERIOD, &raw const next);
    }
}

/// The signal of threads' own timers.
pub(crate) const THREADS: i32 = SIGPROF;

/// The signal that asks for samples, in a mode.
pub(crate) fn signal(mode: Mode) -> i32 {
    mode.itimer().map_or(SIGPROF, |(_, signal)| signal)
}

/// Takes pending signals of ours away from this thread, which must have them blocked. Those that are not
/// ours stay pending.
pub(crate) fn swallow(signals: u64) {
    let mut others = [None; 4];
    let mut kept = others.iter_mut();
    for _ in 0..64 {
        let Some((signal, info)) = sys::take_pending(signals) else {
            break;
        };
        // SAFETY: the kernel has filled it in for this signal.
        let ours = unsafe { asked(signal, info.as_ptr().cast()) }.is_some();
        if !ours && let Some(place) = kept.next() {
            *place = Some((signal, info));
        }
    }
    for (signal, info) in others.into_iter().flatten() {
        plain!(
            RT_TGSIGQUEUEINFO,
            sys::getpid(),
            sys::gettid(),
            signal,
            info.as_ptr()
        );
    }
}
