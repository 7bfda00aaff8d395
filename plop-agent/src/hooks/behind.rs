//! How a function stands in front of libc's of the same name.

use core::ffi::CStr;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use crate::symbols;

/// A function of libc's that this library stands in front of.
pub(super) struct Behind(AtomicUsize);

impl Behind {
    pub(super) const fn new() -> Self {
        Behind(AtomicUsize::new(0))
    }

    pub(super) fn find(&self, name: &CStr) -> usize {
        match self.0.load(Acquire) {
            0 => {
                let found = symbols::next(name) as usize;
                self.0.store(found, Release);
                found
            }
            found => found,
        }
    }
}

/// Declares a function that libc has, too: `behind(…)` in its body is libc's.
macro_rules! in_front {
    ($(#[$doc:meta])* $name:ident ($($argument:ident: $type:ty),*) -> $result:ty, else $missing:expr, $body:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As for libc's.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            static BEHIND: $crate::hooks::behind::Behind = $crate::hooks::behind::Behind::new();
            let found = BEHIND.find(
                // SAFETY: the name ends with a zero.
                unsafe { core::ffi::CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes()) },
            );
            if found == 0 {
                return $missing;
            }
            // SAFETY: the function of this name has this signature.
            let behind: unsafe extern "C" fn($($type),*) -> $result = unsafe { core::mem::transmute(found) };
            #[allow(clippy::redundant_closure_call)]
            // SAFETY: the caller's arguments are passed on.
            unsafe { ($body)(behind, $($argument),*) }
        }
    };
}
pub(super) use in_front;
