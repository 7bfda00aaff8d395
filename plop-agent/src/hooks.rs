//! The agent as a library that is loaded before a program: what happens when it is loaded and when the
//! process ends, and the functions of libc that it stands in front of.
//!
//! In a process without the environment variable, or without CPython, all of them do what libc's do.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{
    AtomicI32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::config::{Config, Text};
use crate::signals;
use crate::sys::{self, Action};
use crate::{interpreter, life, slots, symbols, threads, trigger};

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
    // SAFETY: glibc calls initialisers with the environment; other libcs leave the argument as it is,
    // which is then not followed.
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
            if let Err(refused) = life::start(&config, "") {
                refuse(&config, refused);
            }
        }
        Err(refused) => refuse(&config, refused),
    }
}

/// Takes what loads the agent out of the environment, so that no child gets it.
///
/// # Safety
/// `environment` is the process's, and nobody reads it meanwhile.
unsafe fn forget_variables(environment: *mut *const c_char, config: &Config) {
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
fn preload_without(variable: &[u8], config: &Config, into: &mut Text<8192>) {
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

fn refuse(config: &Config, refused: &'static str) {
    if life::start(config, refused).is_ok() {
        life::tell_refusal();
    }
}

/// The value of a variable.
///
/// # Safety
/// `environment` is an environment, or null.
unsafe fn variable(mut environment: *const *const c_char, name: &[u8]) -> Option<&'static [u8]> {
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
    FORKED.store(sys::gettid(), Release);
    life::after_fork_in_parent();
}

extern "C" fn ends() {
    life::finish("exit");
}

/// A function of libc's that this library stands in front of.
struct Behind(AtomicUsize);

impl Behind {
    const fn new() -> Self {
        Behind(AtomicUsize::new(0))
    }

    fn find(&self, name: &CStr) -> usize {
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
            static BEHIND: Behind = Behind::new();
            let found = BEHIND.find(
                // SAFETY: the name ends with a zero.
                unsafe { CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes()) },
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

// Becoming another program. Pending signals of ours would kill it, and where our file cannot be read,
// the dynamic linker would complain.

type Words = *const *const c_char;

fn before_exec() -> bool {
    if !life::is_under_way() {
        return false;
    }
    let ours =
        sys::bit(signals::SIGPROF) | sys::bit(14) & itimer_bit(14) | sys::bit(26) & itimer_bit(26);
    let mask = sys::block(ours);
    life::finish("exec");
    signals::ignore_what_is_ignored();
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

// Dispositions of signals. The kernel keeps our handlers; the program is told, and gets, its own.

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
                signals::program_sets(signal, Some(action));
                0
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
        loop {
            let arrived = wait_for_others(core::ptr::null_mut(), |info| {
                sys::wait_for_signal(*set, info)
            });
            match arrived {
                // Interrupted by a handler: libc's goes on, too.
                -4 => {}
                arrived if arrived < 0 => return -arrived,
                arrived => {
                    *signal = arrived;
                    return 0;
                }
            }
        }
    }
}

// Threads arm themselves as they start.

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
            slot.state.store(slots::FREE, Release);
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
        slots::prepare(slot, tid);
        slot.state.store(slots::ARMED, Release);
        if life::is_recording() && !trigger::arm(slot, index as usize, tid) {
            threads::rearm();
        }
        let result = routine(argument);
        if slot.tid.load(Relaxed) == tid && life::is_ours() {
            threads::retire(slot);
        }
        result
    }
}

// CPython 3.12 and later warn of forks in processes with several threads, which it counts in
// /proc/self/stat. Ours must not make a program with one thread look like one with two: where it alone
// would, the file cannot be opened, and Python counts its own threads.

/// The thread that has just forked.
static FORKED: AtomicI32 = AtomicI32::new(0);

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
