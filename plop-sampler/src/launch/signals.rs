//! Signals of a launcher: what is sent to it is meant for the program.
//!
//! What a terminal sends goes to the whole process group, so the program has it already; only
//! what a process sends to the launcher alone has to be sent on. The kernel does not tell whether it
//! was sent to the group as well: a program may then get a signal twice.

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};

/// The signals that are sent on.
const SENT_ON: [i32; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];

/// The signals of the keyboard. They are sent on only when they come from another process namespace,
/// as from whoever runs a container.
const KEYBOARD: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// The program; 0 while there is none.
static PROGRAM: AtomicI32 = AtomicI32::new(0);

/// Signals that came when there was no program, as bits.
static WAITING: AtomicU64 = AtomicU64::new(0);

/// While this value lives, signals that are sent to this process go to the program instead. One that was
/// ignored stays ignored, here and by the program. Dropping it puts the signals back.
pub struct Forwarding {
    installed: Vec<(i32, libc::sigaction)>,
}

impl Forwarding {
    /// Begins. Signals that come before [`Forwarding::to`] wait for it.
    pub fn begin() -> Forwarding {
        let mut installed = Vec::new();
        for signal in SENT_ON.into_iter().chain(KEYBOARD) {
            if let Some(before) = handle(signal) {
                installed.push((signal, before));
            }
        }
        Forwarding { installed }
    }

    /// The program that signals go to.
    pub fn to(&self, pid: u32) {
        let pid = pid as i32;
        PROGRAM.store(pid, SeqCst);
        let waiting = WAITING.swap(0, SeqCst);
        for signal in (0..64).filter(|signal| waiting >> signal & 1 == 1) {
            // SAFETY: `kill` takes numbers.
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// The program has ended: nothing is sent to its id any more, which may become that of another.
    pub fn ended(&self) {
        PROGRAM.store(0, SeqCst);
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.ended();
        for (signal, before) in &self.installed {
            // SAFETY: what `sigaction` gave for this signal is put back.
            unsafe { libc::sigaction(*signal, before, null_mut()) };
        }
    }
}

/// Whether SIGXFSZ is ignored here, and is not to be by the program.
static LIMIT_IGNORED: AtomicBool = AtomicBool::new(false);

/// From now on a file that would grow beyond `RLIMIT_FSIZE` is an error that can be told, and not the end of
/// this process. Programs that are started get the signal as it was.
pub fn survive_file_limit() {
    // SAFETY: no handler is installed.
    let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    if before == libc::SIG_DFL {
        LIMIT_IGNORED.store(true, SeqCst);
    }
}

/// Undoes [`survive_file_limit`] in the child of a fork.
pub(super) fn as_it_was() {
    if LIMIT_IGNORED.load(SeqCst) {
        // SAFETY: the kernel's default is what was there.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_DFL) };
    }
}

/// Installs the handler, unless the signal is ignored; returns what was there before.
fn handle(signal: i32) -> Option<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroes are a valid `sigaction`; the kernel fills `before` in; the handler has the
    // type that SA_SIGINFO demands.
    unsafe {
        if libc::sigaction(signal, std::ptr::null(), before.as_mut_ptr()) != 0
            || before.assume_init_ref().sa_sigaction == libc::SIG_IGN
        {
            return None;
        }
        let mut ours = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = send_on;
        ours.sa_sigaction = handler as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(signal, &ours, null_mut());
        Some(before.assume_init())
    }
}

/// The handler. It calls `kill`, which may be called in one, and touches atomics.
extern "C" fn send_on(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let by_process = [libc::SI_USER, libc::SI_QUEUE, libc::SI_TKILL];
    // SAFETY: with SA_SIGINFO the kernel passes a valid `siginfo_t`, and with these codes `si_pid` is
    // there.
    let from = unsafe {
        by_process
            .contains(&(*info).si_code)
            .then(|| (*info).si_pid())
    };
    let ours = match from {
        None => false,
        Some(pid) => pid == 0 || !KEYBOARD.contains(&signal),
    };
    if !ours {
        return;
    }
    match PROGRAM.load(SeqCst) {
        0 => {
            WAITING.fetch_or(1 << signal, SeqCst);
        }
        // SAFETY: `errno` belongs to the code that was interrupted and is put back; `kill` takes
        // numbers.
        pid => unsafe {
            let errno = *libc::__errno_location();
            libc::kill(pid, signal);
            *libc::__errno_location() = errno;
        },
    }
}

/// Ends this process by a signal, as the program was ended, without a core file of its own. Returns if
/// that is not possible.
pub fn die_by(signal: i32) {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain values and pointers to live ones; the signal gets its default action back before
    // it is raised.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        libc::signal(signal, libc::SIG_DFL);
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, null_mut());
        libc::raise(signal);
    }
}
