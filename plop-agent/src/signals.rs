//! The signals that the agent handles, and what the program wants done with them.
//!
//! The kernel keeps our handlers; what the program asked for is kept here, told to whoever asks, and
//! done for every signal that is not ours. So a program's own SIGPROF and SIGSEGV handlers go on
//! working, whether they were there first or come later.

use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::sys::{self, Action};
use crate::{guard, life};

pub(crate) const SIGBUS: i32 = 7;
pub(crate) const SIGSEGV: i32 = 11;
pub(crate) const SIGPROF: i32 = 27;
/// The signals without which no load is guarded, as a mask.
pub(crate) const GUARDS: u64 = 1 << (SIGSEGV - 1) | 1 << (SIGBUS - 1);

const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SA_RESETHAND: u64 = 0x8000_0000;

/// A handler of the kind that gets everything the kernel has to tell.
pub(crate) type Handler = unsafe extern "C" fn(i32, *mut u8, *mut u8);

/// A signal that we handle, and the program's disposition of it.
struct Held {
    signal: AtomicU32,
    ours: AtomicUsize,
    handler: AtomicUsize,
    flags: AtomicU64,
    mask: AtomicU64,
    restorer: AtomicUsize,
    /// Odd while the four above are being changed.
    version: AtomicU32,
}

static HELD: [Held; 6] = [const {
    Held {
        signal: AtomicU32::new(0),
        ours: AtomicUsize::new(0),
        handler: AtomicUsize::new(0),
        flags: AtomicU64::new(0),
        mask: AtomicU64::new(0),
        restorer: AtomicUsize::new(0),
        version: AtomicU32::new(0),
    }
}; 6];

impl Held {
    fn wanted(&self) -> Action {
        loop {
            let version = self.version.load(Acquire);
            let action = Action {
                handler: self.handler.load(Acquire),
                flags: self.flags.load(Acquire),
                restorer: self.restorer.load(Acquire),
                mask: self.mask.load(Acquire),
            };
            if version & 1 == 0 && self.version.load(Acquire) == version {
                return action;
            }
        }
    }

    /// Remembers what the program wants; what it wanted before.
    fn want(&self, action: Action) -> Action {
        // A handler on this thread must not find the version odd: it would wait for ever.
        let mask = sys::block(u64::MAX);
        loop {
            let version = self.version.load(Relaxed);
            let odd = self
                .version
                .compare_exchange(version & !1, version | 1, AcqRel, Relaxed);
            if odd.is_ok() {
                break;
            }
            sys::sched_yield();
        }
        let before = Action {
            handler: self.handler.swap(action.handler, Release),
            flags: self.flags.swap(action.flags, Release),
            restorer: self.restorer.swap(action.restorer, Release),
            mask: self.mask.swap(action.mask, Release),
        };
        self.version.fetch_add(1, Release);
        sys::set_mask(mask);
        before
    }
}

fn held(signal: i32) -> Option<&'static Held> {
    HELD.iter()
        .find(|held| held.signal.load(Acquire) == signal as u32)
}

/// Takes a signal over. Ours stays until [`release`].
pub(crate) fn take(signal: i32, handler: Handler, flags: u64) {
    let action = Action {
        handler: handler as usize,
        flags: sys::SA_SIGINFO | sys::SA_ONSTACK | flags,
        ..Action::default()
    };
    let free = || HELD.iter().find(|held| held.signal.load(Acquire) == 0);
    let Some(place) = held(signal).or_else(free) else {
        return;
    };
    let now = sys::action(signal);
    if now.handler != handler as usize {
        place.want(now);
    }
    place.ours.store(handler as usize, Release);
    place.signal.store(signal as u32, Release);
    // SAFETY: the handler is code of this library, which is never unloaded while it runs.
    unsafe { sys::set_action(signal, action) };
}

/// Gives a signal back to the program, if it is still ours.
pub(crate) fn release(signal: i32) {
    let Some(place) = held(signal) else { return };
    if sys::action(signal).handler == place.ours.load(Acquire) {
        let wanted = place.wanted();
        // SAFETY: the program wanted it.
        unsafe { sys::set_action(signal, wanted) };
    }
    place.signal.store(0, Release);
}

/// Whether a signal is ours in the kernel.
pub(crate) fn is_ours(signal: i32) -> bool {
    held(signal).is_some_and(|held| sys::action(signal).handler == held.ours.load(Acquire))
}

/// SIGHUP, SIGINT and SIGTERM, by which others have a process end.
const ENDING: [i32; 3] = [1, 2, 15];

/// The same as bits of a mask.
pub(crate) const ENDS: u64 = 1 << 0 | 1 << 1 | 1 << 14;

/// Where one of these would end the process at once, what was sampled is saved first. A process that is
/// the first of its container is not ended by them, and would be if they were handled.
#[cfg(plop_agent)]
pub(crate) fn save_before_ending() {
    for signal in ENDING {
        if sys::getpid() != 1 && sys::action(signal).handler == SIG_DFL {
            take(signal, on_ending, 0);
        }
    }
}

#[cfg(plop_agent)]
unsafe extern "C" fn on_ending(signal: i32, info: *mut u8, context: *mut u8) {
    life::finish_in_handler();
    // SAFETY: the kernel's arguments are passed on as they came.
    unsafe { chain(signal, info, context) };
}

/// The program's call of `sigaction` for a signal that we hold: what it wanted before, or `None` when
/// the call is none of our business.
pub(crate) fn program_sets(signal: i32, new: Option<Action>) -> Option<Action> {
    let place = held(signal)?;
    if new.is_some() && ENDING.contains(&signal) {
        // Its handler is the kernel's affair: it may want system calls to be interrupted.
        release(signal);
        return None;
    }
    Some(match new {
        Some(new) => place.want(new),
        None => place.wanted(),
    })
}

/// Before an exec, which has the kernel forget handlers, but not what is ignored: what the program wants
/// ignored is, while it is another.
pub(crate) fn ignore_what_is_ignored() {
    for place in &HELD {
        let signal = place.signal.load(Acquire) as i32;
        let wanted = place.wanted();
        if signal != 0 && wanted.handler == SIG_IGN {
            // SAFETY: ignoring needs no handler.
            unsafe { sys::set_action(signal, wanted) };
        }
    }
}

/// Does with a signal that is not ours what the program wants done.
///
/// # Safety
/// Called in a handler, with what the kernel gave it.
pub(crate) unsafe fn chain(signal: i32, info: *mut u8, context: *mut u8) {
    let Some(place) = held(signal) else { return };
    let action = place.wanted();
    // SAFETY: `si_code` stands at the same place for every signal.
    let sent = unsafe { info.add(8).cast::<i32>().read() } <= 0;
    match action.handler {
        // Only a fault cannot be ignored: it would come again at once.
        SIG_IGN if sent || !matches!(signal, SIGSEGV | SIGBUS) => {}
        SIG_DFL | SIG_IGN => {
            // That is the end of the process.
            life::checkpoint_in_handler();
            let default = Action::default();
            // SAFETY: the default needs no handler.
            unsafe { sys::set_action(signal, default) };
            // A fault comes again as soon as we return; a signal that was sent does not.
            if sent || !matches!(signal, SIGSEGV | SIGBUS) {
                sys::plain!(
                    RT_TGSIGQUEUEINFO,
                    sys::getpid(),
                    sys::gettid(),
                    signal,
                    info
                );
            }
        }
        handler => {
            if action.flags & SA_RESETHAND != 0 {
                place.want(Action::default());
            }
            let own = if action.flags & sys::SA_NODEFER != 0 {
                0
            } else {
                sys::bit(signal)
            };
            let before = sys::block(action.mask | own);
            // SAFETY: the program gave this address as a handler of this kind.
            unsafe {
                if action.flags & sys::SA_SIGINFO != 0 {
                    let handler: Handler = core::mem::transmute::<usize, Handler>(handler);
                    handler(signal, info, context);
                } else {
                    let handler: unsafe extern "C" fn(i32) = core::mem::transmute(handler);
                    handler(signal);
                }
            }
            sys::set_mask(before);
        }
    }
}

/// Whether the guard is to be used at all: a program that has its own way with SIGSEGV, behind our
/// back, keeps it.
static GUARDING: AtomicBool = AtomicBool::new(false);

/// Installs the guard of loads.
pub(crate) fn guard_loads() {
    for signal in [SIGSEGV, SIGBUS] {
        take(signal, on_fault, sys::SA_NODEFER);
    }
    GUARDING.store(true, Relaxed);
    guard::set_guarded(is_ours(SIGSEGV) && is_ours(SIGBUS));
}

/// Looks whether the guard is still in place.
pub(crate) fn check_guard() {
    if GUARDING.load(Relaxed) {
        guard::set_guarded(is_ours(SIGSEGV) && is_ours(SIGBUS));
    }
}

unsafe extern "C" fn on_fault(signal: i32, info: *mut u8, context: *mut u8) {
    // SAFETY: the kernel's arguments are passed on as they came.
    unsafe {
        if !guard::recover(context) {
            chain(signal, info, context);
        }
    }
}

/// Takes SIGPROF, or another timer's signal, back when the program has installed a handler behind our
/// back; its handler gets what is not ours.
pub(crate) fn retake(signal: i32, handler: Handler) {
    if held(signal).is_some() && !is_ours(signal) {
        take(signal, handler, sys::SA_RESTART);
    }
}
