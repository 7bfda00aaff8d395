//! Becoming another program. Pending signals of ours would kill it, and where our file cannot be read,
//! the dynamic linker would complain.

use core::ffi::{CStr, c_char, c_int};

use super::behind::in_front;
use super::environment::{preload_without, variable};
use crate::config::{Config, Text};
use crate::{life, signals, symbols, sys, trigger};

type Words = *const *const c_char;

fn before_exec() -> bool {
    // Of a child of vfork the dispositions are its own.
    signals::ignore_what_is_ignored();
    if !life::is_under_way() {
        return false;
    }
    let ours =
        sys::bit(signals::SIGPROF) | sys::bit(14) & itimer_bit(14) | sys::bit(26) & itimer_bit(26);
    let mask = sys::block(ours);
    life::finish("exec");
    sys::swallow(ours & !mask);
    sys::set_mask(mask);
    true
}

/// A signal is ours only in the mode that uses it.
fn itimer_bit(signal: i32) -> u64 {
    if trigger::kind() == trigger::ITIMER && signals::is_ours(signal) {
        u64::MAX
    } else {
        0
    }
}

fn after_exec_failed(was_recording: bool) {
    if was_recording {
        life::go_on();
    }
}

in_front! {
    /// Becomes another program.
    execve(path: *const c_char, arguments: Words, environment: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, path, arguments, environment| {
        let was = before_exec();
        let result = with_environment(environment, |environment| behind(path, arguments, environment));
        after_exec_failed(was);
        result
    }
}

in_front! {
    /// Becomes another program, with this environment.
    execv(path: *const c_char, arguments: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _) -> c_int, path, arguments| {
        let was = before_exec();
        let result = behind(path, arguments);
        after_exec_failed(was);
        result
    }
}

in_front! {
    /// Becomes another program, which is looked for.
    execvp(path: *const c_char, arguments: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _) -> c_int, path, arguments| {
        let was = before_exec();
        let result = behind(path, arguments);
        after_exec_failed(was);
        result
    }
}

in_front! {
    /// Becomes another program, which is looked for, with another environment.
    execvpe(path: *const c_char, arguments: Words, environment: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, path, arguments, environment| {
        let was = before_exec();
        let result = with_environment(environment, |environment| behind(path, arguments, environment));
        after_exec_failed(was);
        result
    }
}

in_front! {
    /// Becomes the program of an open file.
    fexecve(file: c_int, arguments: Words, environment: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, file, arguments, environment| {
        let was = before_exec();
        let result = with_environment(environment, |environment| behind(file, arguments, environment));
        after_exec_failed(was);
        result
    }
}

/// Calls `exec` with an environment in which our file does not stand, if it cannot be read here (as
/// behind chroot).
unsafe fn with_environment(environment: Words, exec: impl FnOnce(Words) -> c_int) -> c_int {
    // SAFETY: the caller's is an environment.
    let told = unsafe { variable(environment, b"PLOP_AGENT=") };
    let Some(told) = told else {
        return exec(environment);
    };
    let mut config = Config::new();
    config.parse(told);
    if config.agent.as_bytes().is_empty() || sys::readable(config.agent.as_c_str()) {
        return exec(environment);
    }
    let mut preload = Text::<8192>::new();
    let mut entries = crate::memory::Vector::new();
    let mut at = environment;
    loop {
        // SAFETY: an environment ends with a null pointer.
        let entry = unsafe { at.read() };
        if entry.is_null() {
            break;
        }
        // SAFETY: and what it points to with a zero.
        let text = unsafe { CStr::from_ptr(entry) }.to_bytes();
        match text.strip_prefix(b"LD_PRELOAD=") {
            None if text.starts_with(b"PLOP_AGENT=") => {}
            None => _ = entries.push(entry),
            Some(_) => {
                preload_without(text, &config, &mut preload);
                if preload.as_bytes() != b"LD_PRELOAD=" {
                    entries.push(preload.as_c_str().as_ptr());
                }
            }
        }
        // SAFETY: it was not the last.
        at = unsafe { at.add(1) };
    }
    let result = match entries.push(core::ptr::null()) {
        true => exec(entries.as_slice().as_ptr()),
        false => exec(environment),
    };
    entries.free();
    result
}

// The `execl` family has no fixed number of arguments: they are left where they are, and libc's
// function is jumped to.
#[cfg(target_arch = "x86_64")]
macro_rules! jump_in_front {
    ($($name:ident)*) => {
        $(
            /// Becomes another program, whose arguments stand one by one.
            ///
            /// # Safety
            /// As for libc's.
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name() {
                core::arch::naked_asm!(
                    "push rdi", "push rsi", "push rdx", "push rcx", "push r8", "push r9", "push rax",
                    "lea rdi, [rip + 9f]",
                    "call {before}",
                    "mov r11, rax",
                    "pop rax", "pop r9", "pop r8", "pop rcx", "pop rdx", "pop rsi", "pop rdi",
                    "test r11, r11", "jz 8f", "jmp r11",
                    "8:", "mov eax, -1", "ret",
                    concat!("9: .asciz \"", stringify!($name), "\""),
                    before = sym before_variadic_exec,
                )
            }
        )*
    };
}
#[cfg(target_arch = "x86_64")]
jump_in_front!(execl execle execlp);

/// Readies the process for an exec, and finds libc's function. Should it fail, the agent's thread goes
/// on in a while.
#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn before_variadic_exec(name: *const c_char) -> usize {
    before_exec();
    // SAFETY: one of the names above.
    symbols::next(unsafe { CStr::from_ptr(name) }) as usize
}
