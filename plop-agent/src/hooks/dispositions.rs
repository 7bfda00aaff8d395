//! Dispositions of signals, and waiting for signals. The kernel keeps our handlers; the program is told,
//! and gets, its own.

use core::ffi::{c_int, c_void};

use super::behind::in_front;
use crate::sys::Action;
use crate::{life, signals, sys, trigger};

/// libc's `struct sigaction`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Disposition {
    handler: usize,
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

in_front! {
    /// Asks for or changes what is done with a signal.
    sigaction(signal: c_int, new: *const Disposition, old: *mut Disposition) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, signal, new: *const Disposition, old: *mut Disposition| {
        let wanted = new.as_ref().map(|new| Action {
            handler: new.handler,
            flags: new.flags as u32 as u64,
            restorer: 0,
            mask: new.mask.first().copied().unwrap_or(0),
        });
        match signals::program_sets(signal, wanted) {
            None => behind(signal, new, old),
            Some(before) => {
                if let Some(old) = old.as_mut() {
                    let mut mask = [0; 16];
                    mask[0] = before.mask;
                    let flags = before.flags & !sys::SA_RESTORER;
                    *old = Disposition { handler: before.handler, mask, flags: flags as c_int, restorer: 0 };
                }
                0
            }
        }
    }
}

macro_rules! signal_in_front {
    ($name:ident, $flags:expr) => {
        in_front! {
            /// Changes what is done with a signal.
            $name(signal: c_int, handler: usize) -> usize, else usize::MAX,
            |behind: unsafe extern "C" fn(_, _) -> usize, signal, handler| {
                let action = Action { handler, flags: $flags, ..Action::default() };
                match signals::program_sets(signal, Some(action)) {
                    None => behind(signal, handler),
                    Some(before) => before.handler,
                }
            }
        }
    };
}
signal_in_front!(signal, sys::SA_RESTART);
signal_in_front!(bsd_signal, sys::SA_RESTART);
signal_in_front!(sysv_signal, 0x8000_0000 | sys::SA_NODEFER);

in_front! {
    /// Says whether a signal interrupts system calls.
    siginterrupt(signal: c_int, yes: c_int) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _) -> c_int, signal, yes| {
        match signals::program_sets(signal, None) {
            None => behind(signal, yes),
            Some(mut action) => {
                action.flags = match yes {
                    0 => action.flags | sys::SA_RESTART,
                    _ => action.flags & !sys::SA_RESTART,
                };
                match signals::program_sets(signal, Some(action)) {
                    None => behind(signal, yes),
                    Some(_) => 0,
                }
            }
        }
    }
}

// Waiting for signals. A thread that waits for all of them is not to be given ours.

/// Calls `wait`, which fills in the information, until it gives a signal that is the program's.
unsafe fn wait_for_others(info: *mut u8, mut wait: impl FnMut(*mut u8) -> c_int) -> c_int {
    let mut own = [0u64; 16];
    let info = if info.is_null() {
        own.as_mut_ptr().cast()
    } else {
        info
    };
    loop {
        let signal = wait(info);
        // SAFETY: the kernel has filled it in for the signal that it gave.
        if signal <= 0 || unsafe { trigger::asked(signal, info) }.is_none() {
            return signal;
        }
    }
}

in_front! {
    /// Waits for a signal.
    sigwaitinfo(set: *const c_void, info: *mut u8) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _) -> c_int, set, info| {
        wait_for_others(info, |info| behind(set, info))
    }
}

in_front! {
    /// Waits for a signal, but not for ever.
    sigtimedwait(set: *const c_void, info: *mut u8, timeout: *const c_void) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, set, info, timeout| {
        wait_for_others(info, |info| behind(set, info, timeout))
    }
}

in_front! {
    /// Waits for a signal, of which nothing but its number is asked.
    sigwait(set: *const u64, signal: *mut c_int) -> c_int, else 22,
    |behind: unsafe extern "C" fn(_, _) -> c_int, set: *const u64, signal: *mut c_int| {
        if !life::is_under_way() {
            return behind(set, signal);
        }
        // libc's own, since it is where a thread can be cancelled. It fails where a handler interrupts it.
        for _ in 0..1000 {
            let arrived = wait_for_others(core::ptr::null_mut(), |info| sigwaitinfo(set.cast(), info));
            if arrived > 0 {
                *signal = arrived;
                return 0;
            }
        }
        behind(set, signal)
    }
}
