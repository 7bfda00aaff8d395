//! The kernel's interface, without libc: these calls touch no thread-local `errno`, take no lock and
//! never allocate, so they may be made in a signal handler and in a process in any state.
//!
//! Every call returns what the kernel returns: a result, or a negative error number.

use core::arch::asm;
use core::ffi::CStr;

/// A signal number, a descriptor, a thread id: what the kernel calls `int`.
pub(crate) type Int = i32;

macro_rules! numbers {
    ($($name:ident $x86:literal $arm:literal)*) => {
        /// Numbers of system calls.
        #[allow(missing_docs)]
        pub(crate) mod nr {
            $(
                #[cfg(target_arch = "x86_64")]
                pub(crate) const $name: usize = $x86;
                #[cfg(target_arch = "aarch64")]
                pub(crate) const $name: usize = $arm;
            )*
        }
    };
}

numbers! {
    READ 0 63
    WRITE 1 64
    CLOSE 3 57
    MMAP 9 222
    MUNMAP 11 215
    RT_SIGACTION 13 134
    RT_SIGPROCMASK 14 135
    IOCTL 16 29
    SCHED_YIELD 24 124
    MREMAP 25 216
    MADVISE 28 233
    GETITIMER 36 102
    SETITIMER 38 103
    GETPID 39 172
    CLONE 56 220
    WAIT4 61 260
    FCNTL 72 25
    GETPPID 110 173
    RT_SIGTIMEDWAIT 128 137
    SIGALTSTACK 131 132
    PRCTL 157 167
    GETTID 186 178
    FUTEX 202 98
    GETDENTS64 217 61
    TIMER_CREATE 222 107
    TIMER_SETTIME 223 110
    TIMER_GETTIME 224 108
    TIMER_DELETE 226 111
    CLOCK_GETTIME 228 113
    CLOCK_GETRES 229 114
    EXIT_GROUP 231 94
    OPENAT 257 56
    NEWFSTATAT 262 79
    UNLINKAT 263 35
    RENAMEAT 264 38
    FACCESSAT 269 48
    RT_TGSIGQUEUEINFO 297 240
    PERF_EVENT_OPEN 298 241
    PRLIMIT64 302 261
    PROCESS_VM_READV 310 270
    SCHED_SETATTR 314 274
    CLOSE_RANGE 436 436
}

/// Makes a system call.
///
/// # Safety
/// As the call demands of its arguments.
#[inline(always)]
pub(crate) unsafe fn call(number: usize, a: [usize; 6]) -> isize {
    let [a0, a1, a2, a3, a4, a5] = a;
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel's convention; the caller vouches for the arguments.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a0, in("rsi") a1,
             in("rdx") a2, in("r10") a3, in("r8") a4, in("r9") a5, lateout("rcx") _, lateout("r11") _,
             options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel's convention; the caller vouches for the arguments.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a0 as isize => result, in("x1") a1, in("x2") a2,
             in("x3") a3, in("x4") a4, in("x5") a5, options(nostack));
    }
    result
}

/// A call whose arguments are plain numbers or point to memory that the kernel only reads or that is
/// ours to be written.
macro_rules! plain {
    ($number:ident $(, $argument:expr)*) => {{
        let mut arguments = [0usize; 6];
        let mut _rest = arguments.iter_mut();
        $(if let Some(place) = _rest.next() { *place = $argument as usize; })*
        // SAFETY: the wrappers below pass numbers, and pointers to live values of the right size.
        unsafe { $crate::sys::call($crate::sys::nr::$number, arguments) }
    }};
}
pub(crate) use plain;

/// The error numbers that are told apart.
pub(crate) const EINTR: isize = -4;
pub(crate) const EAGAIN: isize = -11;
pub(crate) const ENOMEM: isize = -12;
pub(crate) const EFAULT: isize = -14;

/// Seconds and nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Timespec {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: i64,
}

impl Timespec {
    pub(crate) fn of(ns: u64) -> Self {
        Timespec {
            seconds: (ns / 1_000_000_000) as i64,
            nanoseconds: (ns % 1_000_000_000) as i64,
        }
    }
}

/// Clocks that are read.
pub(crate) const REALTIME: i32 = 0;
pub(crate) const MONOTONIC: i32 = 1;
pub(crate) const PROCESS_CPU: i32 = 2;
pub(crate) const THREAD_CPU: i32 = 3;
pub(crate) const MONOTONIC_COARSE: i32 = 6;

/// The clock of the CPU time of any thread of the process.
pub(crate) fn cpu_clock_of(tid: Int) -> i32 {
    (!tid) << 3 | 6
}

/// A clock in nanoseconds; `None` when there is no such clock, such as that of a thread that is gone.
pub(crate) fn clock(id: i32) -> Option<u64> {
    let mut at = Timespec::default();
    match plain!(CLOCK_GETTIME, id as isize, &raw mut at) {
        0 => Some(at.seconds as u64 * 1_000_000_000 + at.nanoseconds as u64),
        _ => None,
    }
}

/// Nanoseconds since some fixed moment.
pub(crate) fn now() -> u64 {
    clock(MONOTONIC).unwrap_or(0)
}

/// How far apart the kernel's ticks are, in nanoseconds.
pub(crate) fn tick_ns() -> u64 {
    let mut at = Timespec::default();
    match plain!(CLOCK_GETRES, MONOTONIC_COARSE, &raw mut at) {
        0 => (at.seconds as u64 * 1_000_000_000 + at.nanoseconds as u64).max(1),
        _ => 10_000_000,
    }
}

pub(crate) fn gettid() -> Int {
    plain!(GETTID) as Int
}

pub(crate) fn getpid() -> Int {
    plain!(GETPID) as Int
}

pub(crate) fn getppid() -> Int {
    plain!(GETPPID) as Int
}

pub(crate) fn sched_yield() {
    plain!(SCHED_YIELD);
}

/// A cycle counter that all processors share.
#[inline(always)]
pub(crate) fn cycles() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reading the time stamp counter has no preconditions.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let at: u64;
        // SAFETY: reading the virtual counter has no preconditions on Linux.
        unsafe { asm!("mrs {}, cntvct_el0", out(reg) at, options(nomem, nostack)) };
        at
    }
}

const OPEN_CLOEXEC: usize = 0o2000000;
const CREATE_NEW_TRUNCATED: usize = 0o1 | 0o100 | 0o1000;

/// Opens a file for reading; a descriptor or an error number.
pub(crate) fn open(path: &CStr) -> isize {
    plain!(OPENAT, -100isize, path.as_ptr(), OPEN_CLOEXEC)
}

/// Makes a file, or empties it, for writing.
pub(crate) fn create(path: &CStr) -> isize {
    plain!(
        OPENAT,
        -100isize,
        path.as_ptr(),
        OPEN_CLOEXEC | CREATE_NEW_TRUNCATED,
        0o644
    )
}

pub(crate) fn close(fd: Int) {
    plain!(CLOSE, fd);
}

/// Reads at most what fits; a count or an error number.
pub(crate) fn read(fd: Int, into: &mut [u8]) -> isize {
    plain!(READ, fd, into.as_mut_ptr(), into.len())
}

/// Writes all; 0 or an error number.
pub(crate) fn write_all(fd: Int, mut bytes: &[u8]) -> isize {
    while !bytes.is_empty() {
        match plain!(WRITE, fd, bytes.as_ptr(), bytes.len()) {
            EINTR => {}
            0 => return -5,
            written if written < 0 => return written,
            written => bytes = bytes.get(written as usize..).unwrap_or_default(),
        }
    }
    0
}

/// Gives this thread a table of descriptors of its own, which is empty; whether the kernel can.
pub(crate) fn own_descriptors() -> bool {
    let unshare = 2;
    plain!(CLOSE_RANGE, 0, u32::MAX, unshare) == 0
}

pub(crate) fn rename(from: &CStr, to: &CStr) -> isize {
    plain!(RENAMEAT, -100isize, from.as_ptr(), -100isize, to.as_ptr())
}

pub(crate) fn unlink(path: &CStr) {
    plain!(UNLINKAT, -100isize, path.as_ptr(), 0);
}

/// Whether a path can be read.
pub(crate) fn readable(path: &CStr) -> bool {
    plain!(FACCESSAT, -100isize, path.as_ptr(), 4) == 0
}

/// Whether there is something at a path.
pub(crate) fn exists(path: &CStr) -> bool {
    plain!(FACCESSAT, -100isize, path.as_ptr(), 0) == 0
}

/// How many links a folder has; for `/proc/self/task`, how many threads there are and two.
pub(crate) fn links(path: &CStr) -> u64 {
    let mut stat = [0u64; 32];
    if plain!(NEWFSTATAT, -100isize, path.as_ptr(), stat.as_mut_ptr(), 0) != 0 {
        return 0;
    }
    #[cfg(target_arch = "x86_64")]
    let links = stat.get(2).copied();
    #[cfg(target_arch = "aarch64")]
    let links = stat.get(2).map(|modes| modes >> 32);
    links.unwrap_or(0)
}

/// Reads the beginning of a file of the kernel's, which gives all it has at once; what was read.
pub(crate) fn slurp<'b>(path: &CStr, into: &'b mut [u8]) -> &'b [u8] {
    let fd = open(path);
    if fd < 0 {
        return &[];
    }
    let filled = loop {
        match read(fd as Int, into) {
            EINTR => {}
            count => break count.max(0) as usize,
        }
    };
    close(fd as Int);
    into.get(..filled).unwrap_or_default()
}

/// Fresh memory of our own, or null.
pub(crate) fn map(bytes: usize) -> *mut u8 {
    if crate::config::deflected(crate::config::NO_MEMORY) {
        return core::ptr::null_mut();
    }
    let readable_and_writable = 3;
    let private_and_anonymous = 0x22;
    match plain!(
        MMAP,
        0,
        bytes,
        readable_and_writable,
        private_and_anonymous,
        -1isize,
        0
    ) {
        failed if (-4095..0).contains(&failed) => core::ptr::null_mut(),
        at => at as *mut u8,
    }
}

/// Gives memory back.
///
/// # Safety
/// It came from [`map`] or [`remap`] with this size, and nobody refers to it any more.
pub(crate) unsafe fn unmap(at: *mut u8, bytes: usize) {
    if !at.is_null() {
        plain!(MUNMAP, at, bytes);
    }
}

/// Makes memory larger, moving it; null when there is none, and then the old stays.
///
/// # Safety
/// As for [`unmap`], but for who keeps what `at` was the start of.
pub(crate) unsafe fn remap(at: *mut u8, old: usize, new: usize) -> *mut u8 {
    if crate::config::deflected(crate::config::NO_MEMORY) {
        return core::ptr::null_mut();
    }
    let may_move = 1;
    match plain!(MREMAP, at, old, new, may_move) {
        failed if (-4095..0).contains(&failed) => core::ptr::null_mut(),
        at => at as *mut u8,
    }
}

/// Has a page read as zeros in a child that a fork makes, whoever forks; whether the kernel can.
///
/// # Safety
/// `at` is a page of our own.
pub(crate) unsafe fn wipe_on_fork(at: *mut u8, bytes: usize) -> bool {
    plain!(MADVISE, at, bytes, 18) == 0
}

/// What the kernel holds of a signal's disposition.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Action {
    pub(crate) handler: usize,
    pub(crate) flags: u64,
    pub(crate) restorer: usize,
    pub(crate) mask: u64,
}

pub(crate) const SA_SIGINFO: u64 = 4;
pub(crate) const SA_RESTORER: u64 = 0x0400_0000;
pub(crate) const SA_ONSTACK: u64 = 0x0800_0000;
pub(crate) const SA_RESTART: u64 = 0x1000_0000;
pub(crate) const SA_NODEFER: u64 = 0x4000_0000;

/// The disposition of a signal.
pub(crate) fn action(signal: Int) -> Action {
    let mut now = Action::default();
    plain!(RT_SIGACTION, signal, 0, &raw mut now, 8);
    now
}

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    // What debuggers and unwinders know a signal frame by.
    ".text",
    ".p2align 4",
    ".hidden plop_agent_restorer",
    ".globl plop_agent_restorer",
    "nop",
    "plop_agent_restorer:",
    "mov rax, 15",
    "syscall",
);

/// Sets the disposition of a signal; the one before.
///
/// # Safety
/// `new.handler` stays callable for as long as the process lives.
pub(crate) unsafe fn set_action(signal: Int, mut new: Action) -> Action {
    #[cfg(target_arch = "x86_64")]
    if new.restorer == 0 {
        unsafe extern "C" {
            fn plop_agent_restorer();
        }
        new.restorer = plop_agent_restorer as *const () as usize;
        new.flags |= SA_RESTORER;
    }
    let _ = &mut new;
    let mut old = Action::default();
    plain!(RT_SIGACTION, signal, &raw const new, &raw mut old, 8);
    old
}

/// Blocks signals for this thread; the mask before.
pub(crate) fn block(signals: u64) -> u64 {
    let mut old = 0u64;
    plain!(RT_SIGPROCMASK, 0, &raw const signals, &raw mut old, 8);
    old
}

/// Sets this thread's mask of blocked signals.
pub(crate) fn set_mask(mask: u64) {
    plain!(RT_SIGPROCMASK, 2, &raw const mask, 0, 8);
}

/// Whether this handler runs on a stack of the program's for signals that is smaller than so many bytes.
pub(crate) fn on_small_stack(bytes: u64) -> bool {
    // Where it is, flags, and its size.
    let mut stack = [0u64; 3];
    let on_it = 1;
    let result = plain!(SIGALTSTACK, 0, stack.as_mut_ptr());
    let [_, flags, size] = stack;
    result == 0 && flags as u32 & on_it != 0 && size < bytes
}

/// Whether eight bytes can be read. The kernel is given them as a mask to change in a way that there is
/// not, which it refuses once it has read them; no filter of system calls is without this one.
pub(crate) fn is_mapped(at: u64) -> bool {
    let no_way = 99;
    plain!(RT_SIGPROCMASK, no_way, at, 0, 8) != EFAULT
}

/// The bit of a signal in a mask.
pub(crate) fn bit(signal: Int) -> u64 {
    1 << (signal - 1)
}

/// Takes a pending signal of a set away from this thread, which must have them blocked; what the kernel
/// tells of it.
pub(crate) fn take_pending(signals: u64) -> Option<(Int, [u64; 16])> {
    let at_once = Timespec::default();
    let mut info = [0u64; 16];
    let signal = plain!(
        RT_SIGTIMEDWAIT,
        &raw const signals,
        info.as_mut_ptr(),
        &raw const at_once,
        8
    );
    (signal > 0).then_some((signal as Int, info))
}

/// Waits until a word no longer has a value, or until a moment.
pub(crate) fn wait_until(word: &core::sync::atomic::AtomicU32, value: u32, moment_ns: u64) {
    let until = Timespec::of(moment_ns);
    let wait_bitset_private = 9 | 128;
    plain!(
        FUTEX,
        word.as_ptr(),
        wait_bitset_private,
        value,
        &raw const until,
        0,
        u32::MAX
    );
}

/// Wakes all that wait for a word.
pub(crate) fn wake(word: &core::sync::atomic::AtomicU32) {
    let wake_private = 1 | 128;
    plain!(FUTEX, word.as_ptr(), wake_private, i32::MAX);
}

/// A soft limit of the process.
pub(crate) fn limit(resource: usize) -> u64 {
    let mut limits = [0u64; 2];
    match plain!(PRLIMIT64, 0, resource, 0, limits.as_mut_ptr()) {
        0 => limits.first().copied().unwrap_or(u64::MAX),
        _ => u64::MAX,
    }
}

/// Copies memory of this process that may not be there: how much of it was, or an error number.
pub(crate) fn copy(from: u64, into: &mut [u8]) -> isize {
    let own = [into.as_mut_ptr() as usize, into.len()];
    let other = [from as usize, into.len()];
    plain!(
        PROCESS_VM_READV,
        getpid(),
        own.as_ptr(),
        1,
        other.as_ptr(),
        1,
        0
    )
}

/// Ends this thread, which in a child of [`fork_silently`] is the process.
pub(crate) fn exit(status: i32) -> ! {
    loop {
        plain!(EXIT_GROUP, status);
    }
}

/// Makes a child that sends no signal when it ends and that `wait` does not see: 0 in the child.
pub(crate) fn fork_silently() -> isize {
    plain!(CLONE, 0, 0, 0, 0, 0)
}

/// Waits for such a child; its status, 0 if it ended well.
pub(crate) fn wait_silently(child: Int) -> i32 {
    let mut status = 0i32;
    let any_kind = 0x4000_0000;
    while plain!(WAIT4, child, &raw mut status, any_kind, 0) == EINTR {}
    status
}
