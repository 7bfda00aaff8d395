//! Threads arm themselves as they start.

use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::behind::in_front;
use crate::{life, slots, sys, threads, trigger};

type Routine = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

in_front! {
    /// Starts a thread.
    pthread_create(thread: *mut usize, attributes: *const c_void, routine: Routine, argument: *mut c_void) -> c_int,
    else 11,
    |behind: unsafe extern "C" fn(_, _, _, _) -> c_int, thread, attributes, routine: Routine, argument: *mut c_void| {
        let slot = if life::is_recording() { slots::claim() } else { None };
        let Some((index, slot)) = slot else { return behind(thread, attributes, routine, argument) };
        slot.routine.store(routine as usize as u64, Relaxed);
        slot.argument.store(argument as u64, Release);
        let start: Routine = thread_starts;
        let result = behind(thread, attributes, start, index as *mut c_void);
        if result != 0 {
            slots::free(index, slot);
        }
        result
    }
}

unsafe extern "C" fn thread_starts(index: *mut c_void) -> *mut c_void {
    // SAFETY: a slot that was claimed for this thread, with what it is to run, unless a fork came
    // between, in which this thread is not.
    unsafe {
        let Some(slot) = slots::get(index as usize) else {
            return core::ptr::null_mut();
        };
        let routine: Routine = core::mem::transmute(slot.routine.load(Acquire) as usize);
        let argument = slot.argument.load(Acquire) as *mut c_void;
        let tid = sys::gettid();
        threads::arm_in(slot, index as usize);
        let result = routine(argument);
        // A fork may have come between: then this is another thread, and the slot is no more.
        if sys::gettid() == tid
            && life::is_ours()
            && let Some(slot) = slots::get(index as usize)
            && slot.tid.load(Relaxed) == tid
        {
            threads::retire(slot);
        }
        result
    }
}

/// Calls `change`, which gives the thread another mask of signals: a thread that has ours blocked is to
/// have no timer, lest it find them pending.
unsafe fn with_mask(how: c_int, set: *const u64, change: impl FnOnce() -> c_int) -> c_int {
    const SIG_UNBLOCK: c_int = 1;
    // Between an exec that failed and going on, a mask counts as well.
    if set.is_null() || !life::is_under_way() {
        return change();
    }
    let ours = sys::bit(trigger::THREADS);
    // SAFETY: a program gives a set of signals, of which the kernel's are the first 64.
    let named = unsafe { set.read_unaligned() } & ours != 0;
    let Some((index, slot)) = slots::of(sys::gettid()) else {
        return change();
    };
    if named && how != SIG_UNBLOCK && slot.masked.swap(slots::BLOCKED, Release) == slots::OPEN {
        trigger::pause(slot);
    }
    let result = change();
    let blocked = sys::block(0) & ours != 0;
    if !blocked
        && slot.masked.swap(slots::OPEN, Release) != slots::OPEN
        && !trigger::go_on(slot, index)
    {
        threads::rearm();
    }
    result
}

in_front! {
    /// Changes which signals this thread takes.
    pthread_sigmask(how: c_int, set: *const u64, old: *mut c_void) -> c_int, else 22,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, how, set, old| {
        with_mask(how, set, || behind(how, set, old))
    }
}

in_front! {
    /// The same.
    sigprocmask(how: c_int, set: *const u64, old: *mut c_void) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, how, set, old| {
        with_mask(how, set, || behind(how, set, old))
    }
}
