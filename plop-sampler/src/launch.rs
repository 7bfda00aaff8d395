//! Starting a program to be recorded, and being its parent: what needs the operating system's own
//! interface. Composing the environment is left to the caller.

mod cost;
mod signals;

pub use cost::empty_signal_ns;
pub use signals::{Forwarding, die_by, survive_file_limit};

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Ten bytes in the environment that become the new process's own id, in decimal, with zeros before
/// it: only the process itself can know it before it becomes the program.
pub const OWN_PID: &str = "<own-pid!>";

/// Starts a program, found as a shell finds it, in the same process group and with the same
/// descriptors but for `stdout`. The first of `words` is its name, the others are its arguments.
///
/// In the values of the environment [`OWN_PID`] stands for the new process's id.
///
/// # Errors
/// Those of the operating system; [`io::ErrorKind::InvalidInput`] when there is no word, or a zero byte
/// in one.
pub fn spawn(
    words: &[OsString],
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    stdout: Stdio,
) -> io::Result<Child> {
    let mut program = Program::new(words, environment)?;
    let name = words.first().cloned().unwrap_or_default();
    let mut command = Command::new(name);
    command.stdout(stdout);
    // SAFETY: the closure runs in the child of a fork. It writes to memory that it owns, and calls
    // `signal`, `getpid` and `execvpe`, which allocate nothing and take no lock.
    unsafe {
        command.pre_exec(move || {
            signals::as_it_was();
            Err(program.exec())
        });
    }
    command.spawn()
}

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// The CPU time of it and of those of its children that it has waited for.
    pub cpu: Duration,
}

/// Waits for a program's end for at most a time; whether it has ended. Its status is still there for
/// [`wait`].
///
/// # Errors
/// Those of the operating system.
pub fn ends_within(child: &Child, time: Duration) -> io::Result<bool> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let began = Instant::now();
    loop {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let options = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
        until_not_interrupted(|| {
            // SAFETY: the kernel writes to `info`, which lives.
            unsafe { libc::waitid(libc::P_PID, child.id(), info.as_mut_ptr(), options) }
        })?;
        // SAFETY: zeroes are a valid `siginfo_t`, which has a process's id if the child has ended.
        if unsafe { info.assume_init().si_pid() } != 0 {
            return Ok(true);
        }
        let Some(left) = time.checked_sub(began.elapsed()) else {
            return Ok(false);
        };
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}

/// Waits for a program's end. No signal is sent on any more by the time its id is free for another
/// process.
///
/// # Errors
/// Those of the operating system.
pub fn wait(child: Child, forwarding: &Forwarding) -> io::Result<Finished> {
    let pid = child.id();
    until_not_interrupted(|| {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let options = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: the kernel writes to `info`, which lives.
        unsafe { libc::waitid(libc::P_PID, pid, info.as_mut_ptr(), options) }
    })?;
    forwarding.ended();
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    until_not_interrupted(|| {
        // SAFETY: the kernel writes to both, which live. The child is not waited for anywhere else.
        unsafe { libc::wait4(pid as i32, &mut status, 0, usage.as_mut_ptr()) }
    })?;
    // SAFETY: zeroes are a valid `rusage`, and the kernel has filled it in.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Ok(Finished {
        status: ExitStatus::from_raw(status),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
    })
}

fn until_not_interrupted(mut call: impl FnMut() -> i32) -> io::Result<()> {
    while call() < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

/// A program's name, arguments and environment, as the kernel wants them.
struct Program {
    words: Vec<CString>,
    /// Each entry ends with a zero.
    environment: Vec<Vec<u8>>,
    /// Pointers to the above, ending with a null pointer.
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
}

// SAFETY: the pointers are to memory on the heap that the same value owns, so that it may go to
// another thread as a whole.
unsafe impl Send for Program {}
// SAFETY: nothing can be done with a shared reference.
unsafe impl Sync for Program {}

impl Program {
    fn new(
        words: &[OsString],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Result<Program> {
        if words.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let text = |word: &OsStr| CString::new(word.as_bytes()).map_err(io::Error::from);
        let words: Vec<CString> =
            (words.iter().map(|word| text(word))).collect::<Result<_, _>>()?;
        let environment: Vec<Vec<u8>> = (environment.into_iter())
            .map(|(name, value)| {
                let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
                Ok(CString::new(entry)?.into_bytes_with_nul())
            })
            .collect::<io::Result<_>>()?;
        let null = std::iter::once(std::ptr::null());
        Ok(Program {
            argv: (words.iter().map(|word| word.as_ptr()))
                .chain(null.clone())
                .collect(),
            envp: (environment.iter().map(|entry| entry.as_ptr().cast()))
                .chain(null)
                .collect(),
            words,
            environment,
        })
    }

    /// Becomes the program. Called in the child of a fork: it must not allocate.
    fn exec(&mut self) -> io::Error {
        let pid = digits(std::process::id());
        for entry in &mut self.environment {
            let marker = OWN_PID.as_bytes();
            if let Some(at) = entry
                .windows(marker.len())
                .position(|bytes| bytes == marker)
            {
                entry[at..at + pid.len()].copy_from_slice(&pid);
            }
        }
        if let Some(name) = self.words.first() {
            // SAFETY: a text that ends with a zero, and lists of such texts that end with a null
            // pointer; `self` keeps all of them.
            unsafe { libc::execvpe(name.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
        }
        io::Error::last_os_error()
    }
}

fn digits(mut number: u32) -> [u8; OWN_PID.len()] {
    let mut digits = [b'0'; OWN_PID.len()];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn environment(more: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        let more = more.iter().map(|(name, value)| (name.into(), value.into()));
        std::env::vars_os().chain(more).collect()
    }

    fn run(words_of: &[&str], more: &[(&str, &str)]) -> io::Result<Finished> {
        let forwarding = Forwarding::begin();
        let child = spawn(&words(words_of), environment(more), Stdio::inherit())?;
        forwarding.to(child.id());
        wait(child, &forwarding)
    }

    #[test]
    fn a_program_knows_its_own_id_from_its_environment() {
        let script = "test $X = a$(printf %010d $$)b";
        let value = format!("a{OWN_PID}b");
        let finished = run(&["sh", "-c", script], &[("X", &value)]).unwrap();
        assert!(finished.status.success());
    }

    #[test]
    fn what_cannot_be_started_is_told_to_the_parent() {
        let missing = run(&["no-such-command-here"], &[]);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        let folder = run(&["/"], &[]);
        assert_eq!(folder.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(run(&[], &[]).is_err());
        let zero = run(&["a\0b"], &[]);
        assert_eq!(zero.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_end_tells_status_and_cpu_time() {
        let finished = run(&["sh", "-c", "kill -TERM $$"], &[]).unwrap();
        assert_eq!(finished.status.signal(), Some(libc::SIGTERM));
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3";
        let finished = run(&["sh", "-c", busy], &[]).unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert!(finished.cpu > Duration::ZERO);
    }
}
