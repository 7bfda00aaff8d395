//! A value that is one for the process and is guarded by something other than itself.

use core::cell::UnsafeCell;

/// See the place that holds one for what guards it.
pub(crate) struct Global<T>(UnsafeCell<T>);

// SAFETY: `get` is unsafe, and its callers vouch for having it alone or for nobody writing.
unsafe impl<T> Sync for Global<T> {}

impl<T> Global<T> {
    pub(crate) const fn new(value: T) -> Self {
        Global(UnsafeCell::new(value))
    }

    /// The value.
    ///
    /// # Safety
    /// Nobody else has it meanwhile, or nobody writes to it meanwhile.
    #[allow(clippy::mut_from_ref)]
    #[inline]
    pub(crate) unsafe fn get(&self) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.get() }
    }
}
