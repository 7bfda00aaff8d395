//! Timers of the process. The one that drives the sampler is the program's as soon as it sets it, until it
//! clears it again; meanwhile there are no samples.

use core::ffi::{c_int, c_uint};

use super::behind::in_front;
use crate::{life, trigger};

/// libc's `struct itimerval`: the interval and what is left, in seconds and microseconds.
type Times = [i64; 4];

/// Around a call of the program's that sets a timer or, with `clears`, takes it away.
fn around<T>(which: u32, clears: bool, none: T, set: impl FnOnce() -> T) -> T {
    if !life::is_recording() || !trigger::is_driven_by(which) {
        return set();
    }
    if clears && !trigger::is_the_programs() {
        // It has none.
        return none;
    }
    trigger::give_to_program(which);
    let result = set();
    if clears {
        trigger::take_from_program(which);
    }
    result
}

in_front! {
    /// Sets a timer of the process.
    setitimer(which: c_int, new: *const Times, old: *mut Times) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, which, new: *const Times, old: *mut Times| {
        let clears = new.as_ref().is_none_or(|[_, _, seconds, micros]| *seconds == 0 && *micros == 0);
        around(which as u32, clears, None, || Some(behind(which, new, old))).unwrap_or_else(|| {
            if let Some(old) = old.as_mut() {
                *old = [0; 4];
            }
            0
        })
    }
}

in_front! {
    /// Sets the timer of elapsed time to go off once.
    alarm(seconds: c_uint) -> c_uint, else 0,
    |behind: unsafe extern "C" fn(_) -> c_uint, seconds| {
        around(0, seconds == 0, 0, || behind(seconds))
    }
}
