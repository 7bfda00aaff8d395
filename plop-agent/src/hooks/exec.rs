//! Becoming another program. Pending signals of ours would kill it, and where our file cannot be read,
//! the dynamic linker would complain.

use core::ffi::{CStr, c_char, c_int};

use super::behind::in_front;
use super::environment::{preload_without, variable};
use crate::config::{Config, Text};
use crate::{life, signals, sys, trigger};

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
    // One that is pending because the program has it blocked would end the new program, once that
    // lets it through.
    trigger::swallow(ours);
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

/// Calls `exec` as this process's last deed, and goes on if it returns.
fn exec_or_go_on(exec: impl FnOnce() -> c_int) -> c_int {
    let was_recording = before_exec();
    let result = exec();
    if was_recording {
        life::go_on();
    }
    result
}

in_front! {
    /// Becomes another program.
    execve(path: *const c_char, arguments: Words, environment: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, path, arguments, environment| {
        exec_or_go_on(|| with_environment(environment, |environment| behind(path, arguments, environment)))
    }
}

in_front! {
    /// Becomes another program, with this environment.
    execv(path: *const c_char, arguments: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _) -> c_int, path, arguments| exec_or_go_on(|| behind(path, arguments))
}

in_front! {
    /// Becomes another program, which is looked for.
    execvp(path: *const c_char, arguments: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _) -> c_int, path, arguments| exec_or_go_on(|| behind(path, arguments))
}

in_front! {
    /// Becomes another program, which is looked for, with another environment.
    execvpe(path: *const c_char, arguments: Words, environment: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, path, arguments, environment| {
        exec_or_go_on(|| with_environment(environment, |environment| behind(path, arguments, environment)))
    }
}

in_front! {
    /// Becomes the program of an open file.
    fexecve(file: c_int, arguments: Words, environment: Words) -> c_int, else -1,
    |behind: unsafe extern "C" fn(_, _, _) -> c_int, file, arguments, environment| {
        exec_or_go_on(|| with_environment(environment, |environment| behind(file, arguments, environment)))
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

// The `execl` family has no fixed number of arguments. Their registers are put into a row, and the words
// are gathered from it and from the stack, for the function that takes a list.
#[cfg(target_arch = "x86_64")]
macro_rules! listed_in_front {
    ($($name:ident as $with_list:ident;)*) => {
        $(
            /// Becomes another program, whose arguments stand one by one.
            ///
            /// # Safety
            /// As for libc's.
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name() {
                core::arch::naked_asm!(
                    // Where the words on the stack begin, behind the address to return to.
                    "lea rax, [rsp + 8]",
                    "push r9", "push r8", "push rcx", "push rdx", "push rsi", "push rdi",
                    "mov rdi, rsp", "mov rsi, rax",
                    "sub rsp, 8",
                    "call {listed}",
                    "add rsp, 56",
                    "ret",
                    listed = sym $with_list,
                )
            }
        )*
    };
}
#[cfg(target_arch = "x86_64")]
listed_in_front! {
    execl as listed_execv;
    execlp as listed_execvp;
    execle as listed_execve;
}

/// The words of such a call: the program's name is the first, a null pointer ends the others, and for
/// `execle` the environment follows.
#[cfg(target_arch = "x86_64")]
struct Listed {
    registers: *const usize,
    stack: *const usize,
}

#[cfg(target_arch = "x86_64")]
impl Listed {
    /// # Safety
    /// There are so many words.
    unsafe fn word(&self, n: usize) -> *const c_char {
        // SAFETY: six words are in registers, the others on the stack.
        unsafe {
            match n {
                0..6 => self.registers.add(n).read() as *const c_char,
                _ => self.stack.add(n - 6).read() as *const c_char,
            }
        }
    }

    /// Calls `exec` with the name, the list of arguments, and what stands behind them.
    ///
    /// # Safety
    /// These are the words of such a call.
    unsafe fn exec(
        &self,
        exec: impl FnOnce(*const c_char, Words, *const c_char) -> c_int,
        behind: bool,
    ) -> c_int {
        // In a child of vfork the memory is the parent's: only a very long list takes any of it.
        let mut few = [core::ptr::null(); 128];
        let mut many = crate::memory::Vector::new();
        let mut n = 1;
        loop {
            // SAFETY: the list ends with a null pointer.
            let word = unsafe { self.word(n) };
            if n > few.len() {
                let moved = many.len() > 0 || many.extend(&few);
                if !moved || !many.push(word) {
                    return -1;
                }
            } else if let Some(place) = few.get_mut(n - 1) {
                *place = word;
            }
            n += 1;
            if word.is_null() {
                break;
            }
        }
        let arguments = match many.len() {
            0 => few.as_ptr(),
            _ => many.as_slice().as_ptr(),
        };
        // SAFETY: the caller's promise.
        let (name, last) = unsafe {
            (
                self.word(0),
                if behind {
                    self.word(n)
                } else {
                    core::ptr::null()
                },
            )
        };
        let result = exec(name, arguments, last);
        many.free();
        result
    }
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn listed_execv(registers: *const usize, stack: *const usize) -> c_int {
    // SAFETY: the words of `execl`.
    unsafe { Listed { registers, stack }.exec(|name, arguments, _| execv(name, arguments), false) }
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn listed_execvp(registers: *const usize, stack: *const usize) -> c_int {
    // SAFETY: the words of `execlp`.
    unsafe { Listed { registers, stack }.exec(|name, arguments, _| execvp(name, arguments), false) }
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn listed_execve(registers: *const usize, stack: *const usize) -> c_int {
    // SAFETY: the words of `execle`.
    unsafe {
        Listed { registers, stack }.exec(
            |name, arguments, last| execve(name, arguments, last.cast()),
            true,
        )
    }
}
