//! Symbols of the process, by name.
//!
//! The agent is linked against nothing, so that it can be loaded into any process, whatever its libc:
//! all it needs is looked up here, and `dlsym` itself may be missing.

use core::ffi::{CStr, c_char, c_void};

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".text",
    ".p2align 4",
    ".weak dlsym",
    ".hidden plop_agent_dlsym",
    ".globl plop_agent_dlsym",
    "plop_agent_dlsym:",
    "mov rax, qword ptr [rip + dlsym@GOTPCREL]",
    "ret",
);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".text",
    ".p2align 4",
    ".weak dlsym",
    ".hidden plop_agent_dlsym",
    ".globl plop_agent_dlsym",
    "plop_agent_dlsym:",
    "adrp x0, :got:dlsym",
    "ldr x0, [x0, :got_lo12:dlsym]",
    "ret",
);

unsafe extern "C" {
    /// The address of `dlsym`, or null.
    fn plop_agent_dlsym() -> Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void>;
}

fn look(handle: isize, name: &CStr) -> *mut c_void {
    // SAFETY: dlsym with one of its two special handles and the name of a symbol.
    unsafe {
        match plop_agent_dlsym() {
            Some(dlsym) => dlsym(handle as *mut c_void, name.as_ptr()),
            None => core::ptr::null_mut(),
        }
    }
}

/// The first definition of a symbol, or null.
pub(crate) fn find(name: &CStr) -> *mut c_void {
    look(0, name)
}

/// The definition after this library's own, or null.
pub(crate) fn next(name: &CStr) -> *mut c_void {
    look(-1, name)
}
