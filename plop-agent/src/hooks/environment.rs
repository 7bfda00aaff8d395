//! The environment: what the agent is told in it, and taking the agent out of it.

use core::ffi::{CStr, c_char};

use crate::config::{Config, Text};

/// Takes what loads the agent out of the environment, so that no child gets it.
///
/// # Safety
/// `environment` is the process's, and nobody reads it meanwhile.
pub(super) unsafe fn forget_variables(environment: *mut *const c_char, config: &Config) {
    let (mut from, mut to) = (environment, environment);
    // SAFETY: an environment ends with a null pointer; what is moved stays within it, and texts become
    // no longer.
    unsafe {
        while !from.read().is_null() {
            let entry = from.read();
            let text = CStr::from_ptr(entry).to_bytes();
            let gone = text.starts_with(b"PLOP_AGENT=")
                || text.starts_with(b"LD_PRELOAD=") && {
                    let mut preload = Text::<8192>::new();
                    preload_without(text, config, &mut preload);
                    let rest = preload.as_bytes();
                    if rest.len() < text.len() {
                        let place = entry.cast_mut().cast::<u8>();
                        core::ptr::copy_nonoverlapping(rest.as_ptr(), place, rest.len());
                        place.add(rest.len()).write(0);
                    }
                    rest == b"LD_PRELOAD="
                };
            if !gone {
                to.write(entry);
                to = to.add(1);
            }
            from = from.add(1);
        }
        to.write(core::ptr::null());
    }
}

/// The variable `LD_PRELOAD` without our file.
pub(super) fn preload_without(variable: &[u8], config: &Config, into: &mut Text<8192>) {
    into.push(b"LD_PRELOAD=");
    let list = variable.strip_prefix(b"LD_PRELOAD=").unwrap_or_default();
    let others = list
        .split(|byte| matches!(byte, b':' | b' '))
        .filter(|file| !file.is_empty() && *file != config.agent.as_bytes());
    for (n, file) in others.enumerate() {
        if n > 0 {
            into.push(b":");
        }
        into.push(file);
    }
}

/// The value of a variable.
///
/// # Safety
/// `environment` is an environment, or null.
pub(super) unsafe fn variable(
    mut environment: *const *const c_char,
    name: &[u8],
) -> Option<&'static [u8]> {
    if environment.is_null() {
        return None;
    }
    loop {
        // SAFETY: an environment ends with a null pointer.
        let entry = unsafe { environment.read() };
        if entry.is_null() {
            return None;
        }
        // SAFETY: and what it points to ends with a zero.
        let entry = unsafe { CStr::from_ptr(entry) }.to_bytes();
        if let Some(value) = entry.strip_prefix(name) {
            return Some(value);
        }
        // SAFETY: it was not the last.
        environment = unsafe { environment.add(1) };
    }
}
