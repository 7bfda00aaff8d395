//! CPython 3.12 and later warn of forks in processes with several threads, which they count in
//! `/proc/self/stat`. Ours must not make a program with one thread look like one with two: where it alone
//! would, the file cannot be opened, and Python counts its own threads.

use core::ffi::{CStr, c_char, c_void};
use core::sync::atomic::{
    AtomicI32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use super::behind::in_front;
use crate::{interpreter, life, sys, threads};

/// The thread that has just forked.
static FORKED: AtomicI32 = AtomicI32::new(0);

/// This thread has.
pub(super) fn has_forked() {
    // Earlier versions do not count.
    if interpreter::get().is_some_and(|interpreter| interpreter.layout.version >= 0x030c) {
        FORKED.store(sys::gettid(), Release);
        FORKED_NS.store(sys::now(), Release);
    }
}

/// When it has. CPython counts at once; whoever reads the file later is somebody else.
static FORKED_NS: AtomicU64 = AtomicU64::new(0);
const AT_ONCE_NS: u64 = 50_000_000;

unsafe fn is_thread_count(path: *const c_char) -> bool {
    let me = sys::gettid();
    if FORKED.load(Acquire) != me || path.is_null() {
        return false;
    }
    // SAFETY: a program gives a path.
    if unsafe { CStr::from_ptr(path) } != c"/proc/self/stat" {
        return false;
    }
    FORKED.store(0, Relaxed);
    if sys::now().saturating_sub(FORKED_NS.load(Acquire)) > AT_ONCE_NS {
        return false;
    }
    threads::OWN.load(Acquire) != 0 && life::is_ours() && sys::links(c"/proc/self/task") == 4
}

macro_rules! fopen_in_front {
    ($name:ident) => {
        in_front! {
            /// Opens a file.
            $name(path: *const c_char, mode: *const c_char) -> *mut c_void, else core::ptr::null_mut(),
            |behind: unsafe extern "C" fn(_, _) -> *mut c_void, path, mode| {
                if is_thread_count(path) { core::ptr::null_mut() } else { behind(path, mode) }
            }
        }
    };
}
fopen_in_front!(fopen);
fopen_in_front!(fopen64);
