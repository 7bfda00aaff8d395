//! Which CPython is in this process, and where its things are.

use core::ffi::{CStr, c_char, c_void};
use core::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::config::{self, Text};
use crate::global::Global;
use crate::guard::Memory;
use crate::layout::{self, Gil, Layout};
use crate::names::Names;
use crate::sys;

/// The interpreter of this process.
pub(crate) struct Interpreter {
    pub(crate) layout: Layout,
    /// The address of the type `code`.
    pub(crate) code_type: u64,
    /// The address of `_PyRuntime`.
    pub(crate) runtime: u64,
    current: Option<unsafe extern "C" fn() -> u64>,
    thread_self: Option<unsafe extern "C" fn() -> u64>,
    /// `CPython 3.11.7`.
    pub(crate) name: Text<64>,
    /// What its threads' names are read with, where that is known.
    pub(crate) names: Option<Names>,
}

static INTERPRETER: Global<Option<Interpreter>> = Global::new(None);
static FOUND: AtomicBool = AtomicBool::new(false);
/// Whether it has come so far that threads may be asked for their state.
static READY: AtomicBool = AtomicBool::new(false);

/// The interpreter, if there is one.
#[inline]
pub(crate) fn get() -> Option<&'static Interpreter> {
    if !FOUND.load(Acquire) {
        return None;
    }
    // SAFETY: it is written once, before `FOUND` is set.
    unsafe { INTERPRETER.get() }.as_ref()
}

/// The same, once it is running.
#[inline]
pub(crate) fn running() -> Option<&'static Interpreter> {
    if READY.load(Acquire) { get() } else { None }
}

/// Looks for CPython. `Ok(false)` when there is none, and a sentence when there is one that cannot be
/// sampled.
pub(crate) fn look_for() -> Result<bool, &'static str> {
    if FOUND.load(Acquire) {
        return Ok(true);
    }
    let version_of = crate::symbols::find(c"Py_GetVersion");
    let code_type = crate::symbols::find(c"PyCode_Type");
    let runtime = crate::symbols::find(c"_PyRuntime");
    if version_of.is_null() || code_type.is_null() {
        return Ok(false);
    }
    // SAFETY: the C interface of every CPython; it needs no interpreter.
    let text = unsafe {
        let version_of: unsafe extern "C" fn() -> *const c_char = core::mem::transmute(version_of);
        CStr::from_ptr(version_of()).to_bytes()
    };
    let version = version_in(text).ok_or("its version is not one that plop can read")?;
    let contains = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    let free_threaded = contains(b"free-threading");
    if contains(b"PyPy") {
        return Err("it is PyPy; plop samples CPython");
    }
    if !crate::symbols::find(c"PyModule_Create2TraceRefs").is_null() {
        return Err(
            "this CPython is built with Py_TRACE_REFS, which lays out objects in another way",
        );
    }
    let debug = !crate::symbols::find(c"_Py_NegativeRefcount").is_null();
    if debug && version > 0x030b {
        return Err("this is a debug build of CPython after 3.11, which plop does not know");
    }
    if runtime.is_null() {
        return Err("this CPython does not export _PyRuntime");
    }
    let asked = if config::deflected(config::WRONG_LAYOUT) {
        match version {
            0x030b => 0x030c,
            0x030c => 0x030b,
            ..0x030b => 0x030d,
            _ => 0x0309,
        }
    } else {
        version
    };
    let Some(layout) = layout::find(asked, free_threaded) else {
        return Err(match free_threaded {
            true => "plop does not know this free-threaded CPython",
            false => "plop knows CPython 3.8 to 3.15",
        });
    };
    if asked == version {
        let mut published = [0u8; 2048];
        if version >= 0x030d && sys::copy(runtime as u64, &mut published) == 2048 {
            layout::check_published(layout, &published)?;
        }
    }
    let mut name = Text::new();
    name.push(b"CPython ");
    name.push(text.split(|byte| *byte == b' ').next().unwrap_or_default());
    if free_threaded {
        name.push(b" free-threaded");
    }
    if debug {
        name.push(b" debug");
    }
    // SAFETY: the signatures are those of the C interface and of POSIX. Nobody reads yet.
    unsafe {
        let function = |symbol: *mut c_void| {
            core::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn() -> u64>>(symbol)
        };
        *INTERPRETER.get() = Some(Interpreter {
            layout: *layout,
            code_type: code_type as u64,
            runtime: runtime as u64,
            current: function(crate::symbols::find(c"PyGILState_GetThisThreadState")),
            thread_self: function(crate::symbols::find(c"pthread_self")),
            name,
            names: Names::look_for(layout),
        });
    }
    FOUND.store(true, Release);
    Ok(true)
}

/// `3.11.7 (main, …)` as 0x030b.
fn version_in(text: &[u8]) -> Option<u16> {
    let mut numbers = text.split(|byte| !byte.is_ascii_digit()).map(|digits| {
        digits.iter().fold(0u16, |number, digit| {
            number.wrapping_mul(10) + u16::from(digit - b'0')
        })
    });
    match (numbers.next(), numbers.next()) {
        (Some(major @ 1..=9), Some(minor @ 0..=99)) => Some(major << 8 | minor),
        _ => None,
    }
}

impl Interpreter {
    /// One for tests, of which nothing can be called.
    #[cfg(test)]
    pub(crate) fn fake(layout: Layout, code_type: u64) -> Self {
        Interpreter {
            layout,
            code_type,
            runtime: 0,
            current: None,
            thread_self: None,
            name: Text::new(),
            names: None,
        }
    }

    /// The thread state of the calling thread; 0 when it has none.
    #[inline]
    pub(crate) fn current(&self, memory: &impl Memory) -> u64 {
        let layout = &self.layout;
        // Before 3.12 the key of the thread tells the first interpreter's state, and the runtime knows
        // which one runs; that may be another thread's, which may go while it is looked at.
        if layout.runtime.tstate_current >= 0
            && self.has_several(memory)
            && let Some(thread_self) = self.thread_self
        {
            let running = memory.pointer(
                self.runtime
                    .wrapping_add(layout.runtime.tstate_current as u64),
            );
            let thread = running.filter(|tstate| *tstate != 0).and_then(|tstate| {
                memory.word(tstate.wrapping_add(layout.tstate.thread_id as u64))
            });
            // SAFETY: pthread_self has no preconditions and may be called anywhere.
            if thread.is_some() && thread == Some(unsafe { thread_self() }) {
                return running.unwrap_or(0);
            }
        }
        // SAFETY: it needs no lock and no interpreter; `warm_up` has had its symbols bound.
        self.current.map_or(0, |current| unsafe { current() })
    }

    /// Whether there are sub-interpreters.
    fn has_several(&self, memory: &impl Memory) -> bool {
        let next =
            |interp: u64| memory.pointer(interp.wrapping_add(self.layout.interp.next as u64));
        self.interpreters(memory)
            .and_then(next)
            .is_some_and(|next| next != 0)
    }

    /// Whether the interpreter has come so far that it has a thread, which is then so for good. Asking
    /// once, on a thread that has no state, has the dynamic linker bind what a handler will call.
    pub(crate) fn warm_up(&self, memory: &impl Memory) {
        if READY.load(Relaxed) {
            return;
        }
        let head = self.interpreters(memory);
        let threads = head.and_then(|interp| {
            memory.pointer(interp.wrapping_add(self.layout.interp.threads_head as u64))
        });
        if threads.is_some_and(|thread| thread != 0) {
            self.current(memory);
            READY.store(true, Release);
        }
    }

    /// The first interpreter's address.
    pub(crate) fn interpreters(&self, memory: &impl Memory) -> Option<u64> {
        let head = self
            .runtime
            .wrapping_add(self.layout.runtime.interpreters_head as u64);
        memory.pointer(head).filter(|interp| *interp != 0)
    }

    /// Where the interpreter's lock is.
    pub(crate) fn gil_of(&self, memory: &impl Memory, interp: u64) -> Option<u64> {
        match self.layout.gil {
            Gil::Runtime(offset) => Some(self.runtime.wrapping_add(offset as u64)),
            Gil::InterpPointer(offset) => memory.pointer(interp.wrapping_add(offset as u64)),
        }
        .filter(|gil| *gil != 0)
    }

    /// The id that the kernel knows a thread state's thread by; 0 when it cannot be told.
    pub(crate) fn native_id(&self, memory: &impl Memory, tstate: u64) -> i32 {
        let layout = &self.layout;
        if layout.tstate.native_thread_id >= 0 {
            let id = memory.word(tstate.wrapping_add(layout.tstate.native_thread_id as u64));
            return id.unwrap_or(0) as i32;
        }
        let Some(thread) = memory.word(tstate.wrapping_add(layout.tstate.thread_id as u64)) else {
            return 0;
        };
        let offset = PTHREAD_TID.load(Relaxed);
        if offset == 0 {
            return 0;
        }
        memory
            .word(thread.wrapping_add(u64::from(offset) & !7))
            .map_or(0, |word| (word >> (8 * (offset & 4))) as i32)
    }
}

/// Where libc keeps a thread's id in what `pthread_self` points to; 0 when it is not known. It is
/// found out on our own thread, whose id we know.
static PTHREAD_TID: AtomicU32 = AtomicU32::new(0);

/// Finds that place out, on a thread of libc's.
pub(crate) fn learn_threads(memory: &impl Memory) {
    let Some(thread_self) = get().and_then(|interpreter| interpreter.thread_self) else {
        return;
    };
    // SAFETY: no preconditions.
    let thread = unsafe { thread_self() };
    let tid = sys::gettid() as u32;
    for offset in (600u32..800).step_by(4) {
        let word = memory
            .word(thread.wrapping_add(u64::from(offset) & !7))
            .unwrap_or(0);
        if (word >> (8 * (offset & 4))) as u32 == tid {
            PTHREAD_TID.store(offset, Relaxed);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            version_in(b"3.11.7 (main, Dec  1 2025, 10:00:00) [GCC 12.2.0]"),
            Some(0x030b)
        );
        assert_eq!(version_in(b"3.15.0a2+ (heads/main"), Some(0x030f));
        assert_eq!(version_in(b"experimental"), None);
        assert_eq!(version_in(b""), None);
    }
}
