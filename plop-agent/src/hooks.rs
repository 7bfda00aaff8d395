//! The agent as a library that is loaded before a program: what happens when it is loaded and when the
//! process ends, and the functions of libc that it stands in front of.
//!
//! In a process without the environment variable, or without CPython, all of them do what libc's do.

mod behind;
mod dispositions;
mod environment;
mod exec;
mod forks;
mod memory;
mod threads;
mod timers;

use core::ffi::{c_char, c_int, c_void};

use crate::config::Config;
use crate::{interpreter, life, signals, symbols, sys};
use behind::in_front;
use environment::{forget_variables, variable};

#[used]
#[unsafe(link_section = ".init_array")]
static LOADED: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = loaded;
#[used]
#[unsafe(link_section = ".fini_array")]
static ENDS: extern "C" fn() = ends;

// What unwinding would need, were there any.
core::arch::global_asm!(
    ".hidden rust_eh_personality",
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    "ret"
);

/// A panic has nobody to tell. There should be none; should there be one, its thread stops, and the
/// program goes on.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        sys::wait_until(&core::sync::atomic::AtomicU32::new(0), 0, u64::MAX / 2);
    }
}

extern "C" fn loaded(_: c_int, _: *const *const c_char, environment: *const *const c_char) {
    // Only glibc calls initialisers with arguments.
    if symbols::find(c"gnu_get_libc_version").is_null() {
        return;
    }
    // SAFETY: and the third is the environment.
    let Some(told) = (unsafe { variable(environment, b"PLOP_AGENT=") }) else {
        return;
    };
    let mut config = Config::new();
    config.parse(told);
    if !config.children && sys::getpid() != config.root {
        return;
    }
    match interpreter::look_for() {
        Ok(false) => {}
        Ok(true) => {
            if !config.children {
                // SAFETY: it is the process's environment, which nobody else has looked at yet.
                unsafe { forget_variables(environment.cast_mut(), &config) };
            }
            on_fork();
            match life::start(&config, "") {
                Ok(()) => signals::save_before_ending(),
                Err(refused) => refuse(&config, refused),
            }
        }
        Err(refused) => refuse(&config, refused),
    }
}

fn refuse(config: &Config, refused: &'static str) {
    if life::start(config, refused).is_ok() {
        life::tell_refusal();
    }
}

fn on_fork() {
    type Handler = extern "C" fn();
    let register = symbols::find(c"__register_atfork");
    // SAFETY: the signatures of glibc and of POSIX.
    unsafe {
        if !register.is_null() {
            let register: extern "C" fn(Handler, Handler, Handler, *mut c_void) -> c_int =
                core::mem::transmute(register);
            register(
                life::before_fork,
                after_fork_in_parent,
                life::after_fork_in_child,
                core::ptr::null_mut(),
            );
            return;
        }
        let register = symbols::find(c"pthread_atfork");
        if !register.is_null() {
            let register: extern "C" fn(Handler, Handler, Handler) -> c_int =
                core::mem::transmute(register);
            register(
                life::before_fork,
                after_fork_in_parent,
                life::after_fork_in_child,
            );
        }
    }
}

extern "C" fn after_fork_in_parent() {
    forks::has_forked();
    life::after_fork_in_parent();
}

extern "C" fn ends() {
    life::finish("exit");
}

/// Ends the process at once, but for what was sampled.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn _exit(status: c_int) -> ! {
    life::finish("_exit");
    sys::exit(status)
}

/// The same.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn _Exit(status: c_int) -> ! {
    life::finish("_exit");
    sys::exit(status)
}

// A process that sends itself a signal may end by it.

/// Whether a signal, as things are, ends the process.
fn ends_process(signal: c_int) -> bool {
    const IGNORED_BY_DEFAULT: [c_int; 8] = [17, 18, 19, 20, 21, 22, 23, 28];
    (1..=64).contains(&signal)
        && !IGNORED_BY_DEFAULT.contains(&signal)
        && sys::action(signal).handler == 0
}

in_front! {
    /// Sends a signal to a process.
    kill(process: c_int, signal: c_int) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _) -> c_int, process, signal| {
        if process == sys::getpid() && ends_process(signal) {
            life::checkpoint();
        }
        behind(process, signal)
    }
}

in_front! {
    /// Sends a signal to this thread.
    raise(signal: c_int) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_) -> c_int, signal| {
        if ends_process(signal) {
            life::checkpoint();
        }
        behind(signal)
    }
}

in_front! {
    /// Ends the process as one that has failed.
    abort() -> c_int, else -1,
    |behind: unsafe extern "C" fn() -> c_int| {
        life::checkpoint();
        behind()
    }
}
