//! Reading memory that may not be there.
//!
//! The fast way is an ordinary load at one of some known instructions: our handler of SIGSEGV and SIGBUS
//! recognises them and has the load give nothing. It is taken only while the kernel still
//! shows that handler. Otherwise the kernel is asked to copy, a line at a time.

use core::arch::asm;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::{config, sys, threads};

/// A word that was loaded, or 0 and that it was not there.
struct Loaded {
    word: u64,
    failed: u32,
}

/// Loads a word. Each copy of this code, for it is put in line, has an entry in the section `plop_faults`:
/// where it loads, and where it goes on when that faults.
///
/// # Safety
/// The handlers of SIGSEGV and SIGBUS are ours, or there is memory.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn load(at: u64) -> Loaded {
    let (word, failed);
    // SAFETY: it reads, and a read that faults is made good by `recover`.
    unsafe {
        asm!(
            "xor {failed:e}, {failed:e}",
            "2: mov {word}, [{at}]",
            "3:",
            ".pushsection plop_faults, \"aR\", @progbits",
            ".balign 4",
            ".long 2b - .",
            ".long 4f - .",
            ".popsection",
            ".pushsection .text.plop_faults, \"ax\", @progbits",
            "4: xor {word:e}, {word:e}",
            "mov {failed:e}, 1",
            "jmp 3b",
            ".popsection",
            at = in(reg) at,
            word = out(reg) word,
            failed = out(reg) failed,
            options(nostack, readonly),
        );
    }
    Loaded { word, failed }
}

/// The same.
///
/// # Safety
/// The same.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn load(at: u64) -> Loaded {
    let (word, failed);
    // SAFETY: it reads, and a read that faults is made good by `recover`.
    unsafe {
        asm!(
            "mov {failed:w}, #0",
            "2: ldr {word}, [{at}]",
            "3:",
            ".pushsection plop_faults, \"aR\", @progbits",
            ".balign 4",
            ".long 2b - .",
            ".long 4f - .",
            ".popsection",
            ".pushsection .text.plop_faults, \"ax\", @progbits",
            "4: mov {word}, #0",
            "mov {failed:w}, #1",
            "b 3b",
            ".popsection",
            at = in(reg) at,
            word = out(reg) word,
            failed = out(reg) failed,
            options(nostack, readonly),
        );
    }
    Loaded { word, failed }
}

unsafe extern "C" {
    // The linker's names for the beginning and the end of the section.
    #[link_name = "__start_plop_faults"]
    static FAULTS_BEGIN: [i32; 2];
    #[link_name = "__stop_plop_faults"]
    static FAULTS_END: [i32; 2];
}

/// Where a load that faulted at an instruction goes on, if it is one of ours.
fn goes_on(pc: usize) -> Option<usize> {
    let mut entry = &raw const FAULTS_BEGIN;
    let end = &raw const FAULTS_END;
    while entry < end {
        // SAFETY: it is an entry of the section.
        let [load, on] = unsafe { entry.read() };
        // Both are told from where they stand.
        if (entry as usize).wrapping_add_signed(load as isize) == pc {
            return Some((entry as usize + 4).wrapping_add_signed(on as isize));
        }
        entry = entry.wrapping_add(1);
    }
    None
}

/// Whether the handlers of SIGSEGV and SIGBUS are ours.
static GUARDED: AtomicBool = AtomicBool::new(false);

/// How many loads found nothing, of threads that looked at themselves and of the agent's.
pub(crate) static FAULTS: AtomicU64 = AtomicU64::new(0);
pub(crate) static FAULTS_OUTSIDE: AtomicU64 = AtomicU64::new(0);

pub(crate) fn set_guarded(guarded: bool) {
    GUARDED.store(guarded && !config::deflected(config::NO_GUARD), Relaxed);
}

pub(crate) fn guarded() -> bool {
    GUARDED.load(Relaxed)
}

/// Called by the handler of SIGSEGV and SIGBUS: whether the fault was our load's. Then it goes on with
/// nothing.
///
/// # Safety
/// `context` is what the kernel gave the handler.
pub(crate) unsafe fn recover(context: *mut u8) -> bool {
    // The saved instruction pointer, in `ucontext_t`.
    #[cfg(target_arch = "x86_64")]
    let offset = 40 + 16 * 8;
    #[cfg(target_arch = "aarch64")]
    let offset = 176 + 8 + 32 * 8;
    // SAFETY: the kernel's layout of `ucontext_t`.
    let pc = unsafe { context.add(offset).cast::<usize>() };
    // SAFETY: as above.
    let Some(on) = goes_on(unsafe { pc.read() }) else {
        return false;
    };
    // SAFETY: as above.
    unsafe { pc.write(on) };
    count_fault();
    true
}

/// Whoever looks at others from outside finds what has just gone; a thread that looks at itself should not.
fn count_fault() {
    let me = sys::gettid();
    let outside = me == threads::OWN.load(Relaxed) || me == threads::LOOKS.load(Relaxed);
    let faults = if outside { &FAULTS_OUTSIDE } else { &FAULTS };
    faults.fetch_add(1, Relaxed);
}

/// What reads the program's memory.
pub(crate) trait Memory {
    /// The word at an address, which need not be aligned.
    fn word(&self, at: u64) -> Option<u64>;

    /// The word at an address that a pointer may have, which is aligned.
    #[inline(always)]
    fn pointer(&self, at: u64) -> Option<u64> {
        if at & 7 != 0 { None } else { self.word(at) }
    }

    /// Whether there is memory at an address that is likely to have none.
    fn is_there(&self, at: u64) -> bool {
        self.word(at).is_some()
    }
}

/// Whether an address can be one of the program's at all.
#[inline(always)]
fn plausible(at: u64) -> bool {
    // 47 bits on x86-64; 48 on aarch64, where the top byte may be a tag.
    let bits = if cfg!(target_arch = "aarch64") {
        48
    } else {
        47
    };
    // The kernel maps nothing lower for anybody, unless vm.mmap_min_addr is changed.
    at >= 1 << 16 && at >> bits == 0
}

/// Ordinary loads, guarded.
pub(crate) struct Direct;

impl Memory for Direct {
    #[inline(always)]
    fn word(&self, at: u64) -> Option<u64> {
        if !plausible(at) {
            return None;
        }
        // SAFETY: where nothing is mapped, our handler has the load give nothing.
        let loaded = unsafe { load(at) };
        if loaded.failed != 0 {
            None
        } else {
            Some(loaded.word)
        }
    }

    /// Asks the kernel, so that nothing faults.
    fn is_there(&self, at: u64) -> bool {
        plausible(at) && sys::is_mapped(at)
    }
}

const LINE: usize = 128;
const LINES: usize = 8;

/// Copies by the kernel. The last few lines are kept, so it is for one walk only.
pub(crate) struct Copied {
    lines: [(Cell<u64>, Cell<[u8; LINE]>); LINES],
}

impl Copied {
    pub(crate) fn new() -> Self {
        Copied {
            lines: [const { (Cell::new(u64::MAX), Cell::new([0; LINE])) }; LINES],
        }
    }

    fn byte_range(&self, at: u64, into: &mut [u8; 8]) -> Option<()> {
        for (n, byte) in into.iter_mut().enumerate() {
            let at = at + n as u64;
            let number = at / LINE as u64;
            let (known, line) = self.lines.get(number as usize % LINES)?;
            if known.get() != number {
                let mut fresh = [0; LINE];
                match sys::copy(number * LINE as u64, &mut fresh) {
                    copied if copied == LINE as isize => {}
                    sys::EFAULT => {
                        count_fault();
                        return None;
                    }
                    _ => return None,
                }
                line.set(fresh);
                known.set(number);
            }
            // SAFETY: the cell is not written while its bytes are looked at.
            let bytes = unsafe { &*line.as_ptr() };
            *byte = *bytes.get(at as usize % LINE)?;
        }
        Some(())
    }
}

impl Memory for Copied {
    fn word(&self, at: u64) -> Option<u64> {
        if !plausible(at) {
            return None;
        }
        let mut word = [0; 8];
        self.byte_range(at, &mut word)?;
        Some(u64::from_le_bytes(word))
    }

    /// Asks the kernel, so that nothing faults.
    fn is_there(&self, at: u64) -> bool {
        plausible(at) && sys::is_mapped(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    unsafe extern "C" {
        fn mprotect(at: *mut u8, bytes: usize, allowed: i32) -> i32;
    }

    /// Changes what may be done with a page of memory.
    fn protect(page: *mut u8, readable: bool) {
        // SAFETY: the page is the test's own.
        assert_eq!(unsafe { mprotect(page, 4096, readable.into()) }, 0);
    }

    /// A page that another thread takes away and gives back all the time is read or not, and nothing else
    /// happens.
    #[test]
    fn memory_that_comes_and_goes_is_read_or_not() {
        crate::signals::guard_loads();
        assert!(guarded());
        let page = sys::map(4096);
        // SAFETY: the page is this test's.
        unsafe { page.cast::<u64>().write(4711) };
        let over = AtomicBool::new(false);
        let (mut there, mut gone) = (0, 0);
        let at = page as u64;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let page = at as *mut u8;
                while !over.load(Relaxed) {
                    protect(page, false);
                    protect(page, true);
                }
            });
            let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
            while (there < 2_000 || gone < 2_000) && std::time::Instant::now() < until {
                for memory in [&Direct as &dyn Memory, &Copied::new()] {
                    match memory.word(at) {
                        Some(word) => {
                            assert_eq!(word, 4711);
                            there += 1;
                        }
                        None => gone += 1,
                    }
                }
            }
            over.store(true, Relaxed);
        });
        assert!(there > 100 && gone > 100, "{there} {gone}");
        protect(page, false);
        assert!(!Direct.is_there(at) && !Direct.is_there(0) && !Direct.is_there(u64::MAX));
        protect(page, true);
        assert!(Direct.is_there(at));
        // SAFETY: nobody reads it any more.
        unsafe { sys::unmap(page, 4096) };
    }
}
