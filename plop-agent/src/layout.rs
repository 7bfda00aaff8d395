//! Where CPython keeps what a walk of its stacks reads, for each version: the numbers, how to find a
//! version's, and a check of them against those that CPython publishes itself since 3.13. Reading
//! memory with them is left to others.
//!
//! The numbers are those of release builds for 64-bit Linux. `layouts/offsets.c` prints them from a
//! version's headers.

use crate::linetable::Kind;

/// Offsets in bytes from the start of each structure; -1 is a member that the version does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// 0x030b is 3.11.
    pub(crate) version: u16,
    pub(crate) free_threaded: bool,
    pub(crate) tstate: Tstate,
    /// In the structure that `tstate.frame` points to in 3.11 and 3.12; -1 where it points to a frame.
    pub(crate) cframe_current: i32,
    pub(crate) frame: Frame,
    pub(crate) code: Code,
    pub(crate) object: Object,
    pub(crate) runtime: Runtime,
    pub(crate) interp: Interp,
    pub(crate) gil: Gil,
    /// In the GIL: a pointer to the thread state that took it last.
    pub(crate) gil_last_holder: i32,
    /// In the GIL: an `int` that is 1 while it is taken.
    pub(crate) gil_locked: i32,
    /// How long the GIL is. Who waits for it waits at an address inside.
    pub(crate) gil_size: i32,
    pub(crate) line_kind: Kind,
    /// Whether `frame.lasti` is a pointer into the code; else it is an `int` counted as `line_kind`
    /// counts.
    pub(crate) lasti_is_pointer: bool,
    /// Whether the low three bits of `frame.code` are no part of the pointer.
    pub(crate) stackref_tags: bool,
    /// Frames with this `frame.owner` or a greater one stand for a call from C and have no code.
    pub(crate) skip_owner_from: u8,
    /// Where `_PyRuntime` publishes the numbers of [`PUBLISHED`], in words of eight bytes.
    published: &'static [u16],
    /// Where it publishes the offset of the interpreter's own GIL.
    published_own_gil: i32,
}

/// `PyThreadState`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tstate {
    pub(crate) next: i32,
    pub(crate) interp: i32,
    /// The `pthread_t`.
    pub(crate) thread_id: i32,
    /// The kernel's number of the thread.
    pub(crate) native_thread_id: i32,
    pub(crate) frame: i32,
    /// The block that frames are put into, in 3.11 and 3.12.
    pub(crate) chunk: i32,
}

/// `PyFrameObject` up to 3.10, `_PyInterpreterFrame` from then on
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) code: i32,
    pub(crate) back: i32,
    pub(crate) lasti: i32,
    /// One byte.
    pub(crate) owner: i32,
}

/// `PyCodeObject`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code {
    pub(crate) filename: i32,
    pub(crate) name: i32,
    pub(crate) qualname: i32,
    pub(crate) firstlineno: i32,
    pub(crate) linetable: i32,
    /// The first instruction.
    pub(crate) code_adaptive: i32,
}

/// Objects of any type, `str` and `bytes`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    pub(crate) ob_type: i32,
    pub(crate) str_len: i32,
    /// 32 bits; see `str_kind_shift`.
    pub(crate) str_state: i32,
    /// The lowest of three bits of `str_state` that say how many bytes a character has. The next bit
    /// says "compact", and the one after that "ASCII".
    pub(crate) str_kind_shift: i32,
    /// The characters of a string that is compact and ASCII.
    pub(crate) str_ascii_data: i32,
    /// The characters of one that is only compact.
    pub(crate) str_compact_data: i32,
    pub(crate) bytes_size: i32,
    pub(crate) bytes_data: i32,
}

/// `_PyRuntime`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runtime {
    pub(crate) interpreters_head: i32,
    /// The thread state that has the GIL, up to 3.11.
    pub(crate) tstate_current: i32,
}

/// `PyInterpreterState`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interp {
    pub(crate) next: i32,
    pub(crate) threads_head: i32,
    /// 64 bits; the main interpreter is 0.
    pub(crate) id: i32,
}

/// Where the GIL is
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gil {
    /// In `_PyRuntime`.
    Runtime(i32),
    /// Where this pointer in `PyInterpreterState` says.
    InterpPointer(i32),
}

/// The layout of a version, if it is a known one.
pub(crate) fn find(version: u16, free_threaded: bool) -> Option<&'static Layout> {
    LAYOUTS
        .iter()
        .find(|layout| layout.version == version && layout.free_threaded == free_threaded)
}

/// Compares a layout with the numbers that CPython 3.13 and later put at the start of `_PyRuntime`, of
/// which `runtime` is a copy. Earlier versions publish nothing, and pass. The error names what differs.
pub(crate) fn check_published(layout: &Layout, runtime: &[u8]) -> Result<(), &'static str> {
    if layout.published.is_empty() {
        return Ok(());
    }
    let word = |at: i32| -> Option<i64> {
        let start = usize::try_from(at).ok()?.checked_mul(8)?;
        let bytes = runtime.get(start..)?.first_chunk()?;
        Some(i64::from_le_bytes(*bytes))
    };
    if word(0) != Some(i64::from_le_bytes(*b"xdebugpy")) {
        return Err("cookie");
    }
    if word(1).map(|version| version >> 16) != Some(i64::from(layout.version)) {
        return Err("version");
    }
    if word(2) != Some(i64::from(layout.free_threaded)) {
        return Err("free_threaded");
    }
    let Some(own_gil) = word(layout.published_own_gil) else {
        return Err("interpreter_state.gil_runtime_state");
    };
    for (&at, &(name, ours)) in layout.published.iter().zip(&PUBLISHED) {
        if word(i32::from(at)) != Some(ours(layout, own_gil)) {
            return Err(name);
        }
    }
    Ok(())
}

/// What a published number must be, by our numbers and the offset of the interpreter's own GIL.
type Expected = fn(&Layout, i64) -> i64;

/// What is published, under the names it has there.
#[rustfmt::skip]
static PUBLISHED: [(&str, Expected); 28] = [
    ("runtime_state.interpreters_head", |our, _| our.runtime.interpreters_head.into()),
    ("interpreter_state.id", |our, _| our.interp.id.into()),
    ("interpreter_state.next", |our, _| our.interp.next.into()),
    ("interpreter_state.threads_head", |our, _| our.interp.threads_head.into()),
    ("interpreter_state.ceval_gil", |our, _| match our.gil {
        Gil::InterpPointer(at) => at.into(),
        Gil::Runtime(_) => -1,
    }),
    ("thread_state.next", |our, _| our.tstate.next.into()),
    ("thread_state.interp", |our, _| our.tstate.interp.into()),
    ("thread_state.current_frame", |our, _| our.tstate.frame.into()),
    ("thread_state.thread_id", |our, _| our.tstate.thread_id.into()),
    ("thread_state.native_thread_id", |our, _| our.tstate.native_thread_id.into()),
    ("interpreter_frame.previous", |our, _| our.frame.back.into()),
    ("interpreter_frame.executable", |our, _| our.frame.code.into()),
    ("interpreter_frame.instr_ptr", |our, _| our.frame.lasti.into()),
    ("interpreter_frame.owner", |our, _| our.frame.owner.into()),
    ("code_object.filename", |our, _| our.code.filename.into()),
    ("code_object.name", |our, _| our.code.name.into()),
    ("code_object.qualname", |our, _| our.code.qualname.into()),
    ("code_object.linetable", |our, _| our.code.linetable.into()),
    ("code_object.firstlineno", |our, _| our.code.firstlineno.into()),
    ("code_object.co_code_adaptive", |our, _| our.code.code_adaptive.into()),
    ("pyobject.ob_type", |our, _| our.object.ob_type.into()),
    ("bytes_object.ob_size", |our, _| our.object.bytes_size.into()),
    ("bytes_object.ob_sval", |our, _| our.object.bytes_data.into()),
    ("unicode_object.state", |our, _| our.object.str_state.into()),
    ("unicode_object.length", |our, _| our.object.str_len.into()),
    ("unicode_object.asciiobject_size", |our, _| our.object.str_ascii_data.into()),
    ("interpreter_state.gil_runtime_state_locked", |our, gil| gil.wrapping_add(our.gil_locked.into())),
    ("interpreter_state.gil_runtime_state_holder", |our, gil| gil.wrapping_add(our.gil_last_holder.into())),
];

/// All of them; each says how it differs from one before. Free-threaded 3.14 and 3.15 are not among
/// them: their instruction pointers may point into a thread's own copy of the code.
static LAYOUTS: [Layout; 9] = [PY38, PY39, PY310, PY311, PY312, PY313, PY313T, PY314, PY315];

const PY38: Layout = Layout {
    version: 0x0308,
    free_threaded: false,
    tstate: Tstate {
        next: 8,
        interp: 16,
        thread_id: 176,
        native_thread_id: -1,
        frame: 24,
        chunk: -1,
    },
    cframe_current: -1,
    frame: Frame {
        code: 32,
        back: 24,
        lasti: 104,
        owner: -1,
    },
    code: Code {
        filename: 104,
        name: 112,
        qualname: -1,
        firstlineno: 40,
        linetable: 120,
        code_adaptive: -1,
    },
    object: Object {
        ob_type: 8,
        str_len: 16,
        str_state: 32,
        str_kind_shift: 2,
        str_ascii_data: 48,
        str_compact_data: 72,
        bytes_size: 16,
        bytes_data: 32,
    },
    runtime: Runtime {
        interpreters_head: 32,
        tstate_current: 1368,
    },
    interp: Interp {
        next: 0,
        threads_head: 8,
        id: 16,
    },
    gil: Gil::Runtime(1152),
    gil_last_holder: 8,
    gil_locked: 16,
    gil_size: 208,
    line_kind: Kind::Lnotab38,
    lasti_is_pointer: false,
    stackref_tags: false,
    skip_owner_from: u8::MAX,
    published: &[],
    published_own_gil: -1,
};

const PY39: Layout = Layout {
    version: 0x0309,
    runtime: Runtime {
        tstate_current: 568,
        ..PY38.runtime
    },
    interp: Interp {
        id: 24,
        ..PY38.interp
    },
    gil: Gil::Runtime(352),
    ..PY38
};

const PY310: Layout = Layout {
    version: 0x030a,
    frame: Frame {
        lasti: 96,
        ..PY39.frame
    },
    line_kind: Kind::Linetable310,
    ..PY39
};

const PY311: Layout = Layout {
    version: 0x030b,
    tstate: Tstate {
        thread_id: 152,
        native_thread_id: 160,
        frame: 56,
        chunk: 296,
        ..PY310.tstate
    },
    cframe_current: 8,
    frame: Frame {
        code: 32,
        back: 48,
        lasti: 56,
        owner: 69,
    },
    code: Code {
        filename: 112,
        name: 120,
        qualname: 128,
        firstlineno: 72,
        linetable: 136,
        code_adaptive: 184,
    },
    runtime: Runtime {
        interpreters_head: 40,
        tstate_current: 576,
    },
    interp: Interp {
        next: 0,
        threads_head: 16,
        id: 48,
    },
    gil: Gil::Runtime(360),
    line_kind: Kind::Locations311,
    lasti_is_pointer: true,
    ..PY310
};

const PY312: Layout = Layout {
    version: 0x030c,
    tstate: Tstate {
        thread_id: 136,
        native_thread_id: 144,
        chunk: 232,
        ..PY311.tstate
    },
    cframe_current: 0,
    frame: Frame {
        code: 0,
        back: 8,
        lasti: 56,
        owner: 70,
    },
    code: Code {
        firstlineno: 68,
        code_adaptive: 192,
        ..PY311.code
    },
    object: Object {
        str_ascii_data: 40,
        str_compact_data: 56,
        ..PY311.object
    },
    runtime: Runtime {
        interpreters_head: 40,
        tstate_current: -1,
    },
    interp: Interp {
        next: 0,
        threads_head: 72,
        id: 8,
    },
    gil: Gil::InterpPointer(384),
    skip_owner_from: 3,
    ..PY311
};

const PY313: Layout = Layout {
    version: 0x030d,
    tstate: Tstate {
        thread_id: 152,
        native_thread_id: 160,
        frame: 72,
        chunk: -1,
        ..PY312.tstate
    },
    cframe_current: -1,
    code: Code {
        code_adaptive: 200,
        ..PY312.code
    },
    runtime: Runtime {
        interpreters_head: 632,
        ..PY312.runtime
    },
    interp: Interp {
        next: 7264,
        threads_head: 7344,
        id: 7272,
    },
    gil: Gil::InterpPointer(16),
    published: &[
        5, 7, 8, 9, 14, 21, 22, 23, 24, 25, 29, 30, 31, 33, 35, 36, 37, 38, 39, 43, 45, 65, 66, 68,
        69, 70, 17, 18,
    ],
    published_own_gil: 15,
    ..PY312
};

const PY313T: Layout = Layout {
    free_threaded: true,
    code: Code {
        filename: 128,
        name: 136,
        qualname: 144,
        firstlineno: 84,
        linetable: 152,
        code_adaptive: 216,
    },
    object: Object {
        ob_type: 24,
        str_len: 32,
        str_state: 48,
        str_kind_shift: 2,
        str_ascii_data: 56,
        str_compact_data: 72,
        bytes_size: 32,
        bytes_data: 48,
    },
    gil_last_holder: 16,
    gil_locked: 24,
    gil_size: 216,
    ..PY313
};

const PY314: Layout = Layout {
    version: 0x030e,
    frame: Frame {
        owner: 74,
        ..PY313.frame
    },
    code: Code {
        code_adaptive: 208,
        ..PY313.code
    },
    runtime: Runtime {
        interpreters_head: 808,
        ..PY313.runtime
    },
    interp: Interp {
        next: 7272,
        threads_head: 7344,
        id: 7280,
    },
    stackref_tags: true,
    published: &[
        5, 7, 8, 9, 15, 24, 25, 26, 27, 28, 32, 33, 34, 36, 40, 41, 42, 43, 44, 48, 51, 75, 76, 78,
        79, 80, 18, 19,
    ],
    published_own_gil: 16,
    ..PY313
};

const PY315: Layout = Layout {
    version: 0x030f,
    tstate: Tstate {
        thread_id: 176,
        native_thread_id: 184,
        ..PY314.tstate
    },
    runtime: Runtime {
        interpreters_head: 936,
        ..PY314.runtime
    },
    interp: Interp {
        next: 7264,
        threads_head: 7336,
        id: 7272,
    },
    published: &[
        5, 7, 8, 9, 15, 24, 25, 26, 30, 31, 40, 41, 42, 44, 48, 49, 50, 51, 52, 56, 59, 87, 88, 90,
        91, 92, 18, 19,
    ],
    published_own_gil: 16,
    ..PY314
};

#[cfg(test)]
mod tests {
    extern crate std;

    use std::path::Path;
    use std::process::Command;
    use std::string::{String, ToString};
    use std::vec::Vec;
    use std::{env, eprintln, format, fs};

    use super::{LAYOUTS, Layout, PUBLISHED, check_published, find};
    use crate::linetable::tests::pythons;

    /// What a script prints.
    fn run(python: &str, script: &str) -> String {
        let output = Command::new(python)
            .args(["-I", "-B", "-c", script])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{python}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    }

    /// The interpreters that can be had, from `oldest` on, with the layout of each.
    fn layouts(oldest: u16) -> Vec<(String, &'static Layout)> {
        let script =
            "import sysconfig; print(int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))))";
        let mut found = Vec::new();
        for (python, version) in pythons(oldest) {
            let free_threaded = run(&python, script) == "1";
            match find(version, free_threaded) {
                Some(layout) => found.push((python, layout)),
                None => eprintln!("SKIPPED: there is no layout for {python}"),
            }
        }
        found
    }

    #[test]
    fn each_version_is_found_and_no_other() {
        for layout in &LAYOUTS {
            let found = find(layout.version, layout.free_threaded).unwrap();
            assert!(core::ptr::eq(found, layout));
        }
        for (version, free_threaded) in [
            (0x0307, false),
            (0x0310, false),
            (0x030c, true),
            (0x030e, true),
            (0, false),
        ] {
            assert!(find(version, free_threaded).is_none());
        }
    }

    #[test]
    fn numbers_are_those_of_the_headers() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("layouts/offsets.c");
        let script =
            "import sysconfig\nprint(*{sysconfig.get_path(n) for n in ('include', 'platinclude')})";
        for (python, layout) in layouts(0x0308) {
            let folders = run(&python, script);
            let mut compile = Command::new(env::var_os("CC").unwrap_or("cc".into()));
            let mut internal = false;
            for folder in folders.split(' ').map(Path::new) {
                internal |= folder.join("internal/pycore_gil.h").exists();
                compile
                    .arg("-I")
                    .arg(folder)
                    .arg("-I")
                    .arg(folder.join("internal"));
                compile.arg("-I").arg(folder.parent().unwrap());
            }
            if !internal {
                eprintln!("SKIPPED: {python} has no headers");
                continue;
            }
            let name = format!("plop-offsets-{}-{:x}", std::process::id(), layout.version);
            let program = env::temp_dir().join(name);
            let status = compile
                .arg("-w")
                .arg("-o")
                .arg(&program)
                .arg(&source)
                .status()
                .unwrap();
            assert!(status.success(), "{python}");
            let printed = Command::new(&program).output().unwrap().stdout;
            fs::remove_file(&program).unwrap();
            let hex = format!("version: {:#06x},", layout.version);
            let decimal = format!("version: {},", layout.version);
            let expected = String::from_utf8(printed).unwrap().replace(&hex, &decimal);
            assert_eq!(format!("{layout:?}"), expected.trim(), "{python}");
        }
    }

    /// Reads its own interpreter's memory by the numbers of `LAYOUT`, and compares with what Python says.
    const READ_OWN_MEMORY: &str = r#"
import ctypes, re, sys, threading

for found, made in ((r'\w+ \{', '{'), (r'(\w+):', r'"\1":'), (r'(\w+)\((\d+)\)', r'("\1", \2)'),
                    ('true', 'True'), ('false', 'False'), (r'": (\w*[A-Z]\w*\d\w*)', r'": "\1"')):
    LAYOUT = re.sub(found, made, LAYOUT)
layout = eval(LAYOUT)
tstate, frame, code, object_, runtime, interp = (
    layout[name] for name in ('tstate', 'frame', 'code', 'object', 'runtime', 'interp'))

def load(type, base, offset):
    assert offset >= 0 and base
    return type.from_address(base + offset).value or 0
def pointer(base, offset): return load(ctypes.c_void_p, base, offset)
def int32(base, offset): return load(ctypes.c_int32, base, offset)

def string(at):
    assert pointer(at, object_['ob_type']) == id(str)
    state = int32(at, object_['str_state']) >> object_['str_kind_shift']
    kind, compact, is_ascii = state & 7, state >> 3 & 1, state >> 4 & 1
    assert compact, at
    data = at + object_['str_ascii_data' if is_ascii else 'str_compact_data']
    size = load(ctypes.c_ssize_t, at, object_['str_len']) * kind
    encoding = {1: 'latin-1', 2: 'utf-16-le', 4: 'utf-32-le'}[kind]
    return ctypes.string_at(data, size).decode(encoding, 'surrogatepass')

for text in ('plain', 'caf\xe9', 'snow\u2603', 'clef\U0001d11e', '', 'x' * 1000):
    assert string(id(text)) == text, text

def check_code(at, seen):
    assert pointer(at, object_['ob_type']) == id(type(seen))
    assert string(pointer(at, code['filename'])) == seen.co_filename
    assert string(pointer(at, code['name'])) == seen.co_name
    assert int32(at, code['firstlineno']) == seen.co_firstlineno
    if sys.version_info >= (3, 11):
        assert string(pointer(at, code['qualname'])) == seen.co_qualname
    else:
        assert code['qualname'] == -1
    table = pointer(at, code['linetable'])
    assert pointer(table, object_['ob_type']) == id(bytes)
    size = load(ctypes.c_ssize_t, table, object_['bytes_size'])
    table = ctypes.string_at(table + object_['bytes_data'], size)
    assert table == (seen.co_linetable if sys.version_info >= (3, 10) else seen.co_lnotab)

def line(at, lasti):
    line_of = ctypes.pythonapi.PyCode_Addr2Line
    line_of.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return line_of(at, lasti if layout['line_kind'] == 'Lnotab38' else 2 * lasti)

# The frames of this thread, by memory and by Python.
def walk():
    this = ctypes.pythonapi.PyThreadState_Get
    this.restype = ctypes.c_void_p
    this = this()
    frames = []
    # Without a call of pointer(), whose frame would be found.
    at = ctypes.c_void_p.from_address(this + tstate['frame']).value
    if layout['cframe_current'] >= 0:
        at = ctypes.c_void_p.from_address(at + layout['cframe_current']).value
    while at:
        if frame['owner'] < 0 or load(ctypes.c_uint8, at, frame['owner']) < layout['skip_owner_from']:
            found = pointer(at, frame['code'])
            if layout['stackref_tags']:
                found &= ~7
            if layout['lasti_is_pointer']:
                lasti = pointer(at, frame['lasti']) - found - code['code_adaptive']
                assert lasti % 2 == 0
                lasti //= 2
            else:
                lasti = int32(at, frame['lasti'])
            frames.append((found, lasti))
        at = pointer(at, frame['back'])
    seen = sys._getframe()
    for number, (found, lasti) in enumerate(frames):
        assert found == id(seen.f_code)
        check_code(found, seen.f_code)
        # The first frame, of this function, has moved on since.
        assert number == 0 or line(found, lasti) == seen.f_lineno, (line(found, lasti), seen.f_lineno)
        assert number == 0 or lasti * (1 if layout['line_kind'] == 'Lnotab38' else 2) == seen.f_lasti
        seen = seen.f_back
    assert seen is None
    return this, [frame[0] for frame in frames]

class Deep:
    def method(self, depth):
        return (lambda: self.method(depth - 1))() if depth else next(iter(self))
    def __iter__(self):
        yield sorted([1], key=lambda _: found.append(walk()))

found = []
Deep().method(5)
thread = threading.Thread(target=Deep().method, args=[3])
thread.start()
thread.join()
main, other = found
assert len(main[1]) == 5 * 2 + 1 + 1 + 1 + 1 + 1 and len(other[1]) == 3 * 2 + 1 + 1 + 1 + 1 + 3, found

# The thread states, with another thread alive. It may wait for the GIL, but it does not hold it.
ready, done = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: (ready.set(), done.wait()), daemon=True)
thread.start()
ready.wait()
base = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, '_PyRuntime'))
interpreter = pointer(base, runtime['interpreters_head'])
get = ctypes.pythonapi.PyInterpreterState_Main
get.restype = ctypes.c_void_p
assert interpreter == get()
assert pointer(interpreter, interp['next']) == 0
assert load(ctypes.c_int64, interpreter, interp['id']) == 0
states = []
at = pointer(interpreter, interp['threads_head'])
while at:
    assert pointer(at, tstate['interp']) == interpreter
    states.append(at)
    at = pointer(at, tstate['next'])
assert len(states) == 2 and main[0] in states
ids = {pointer(at, tstate['thread_id']): at for at in states}
assert set(ids) == {thread.ident, threading.get_ident()}
assert ids[threading.get_ident()] == main[0]
if tstate['native_thread_id'] >= 0:
    natives = {int32(at, tstate['native_thread_id']) for at in states}
    assert natives == {thread.native_id, threading.get_native_id()}

# The GIL, which this thread holds while Python runs.
where, offset = layout['gil']
gil = base + offset if where == 'Runtime' else pointer(interpreter, offset)
if not layout['free_threaded']:
    assert int32(gil, layout['gil_locked']) == 1
    assert pointer(gil, layout['gil_last_holder']) == main[0]
if runtime['tstate_current'] >= 0:
    assert pointer(base, runtime['tstate_current']) == main[0]
done.set()
thread.join()

# A second interpreter has the next number, and is in the list.
try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        interpreters = None
if interpreters:
    second = interpreters.create()
    at, numbers = pointer(base, runtime['interpreters_head']), []
    while at:
        numbers.append(load(ctypes.c_int64, at, interp['id']))
        at = pointer(at, interp['next'])
    assert sorted(numbers) == [0, int(second)], numbers
    interpreters.destroy(second)
print('read')
"#;

    #[test]
    fn numbers_are_those_of_the_running_interpreter() {
        for (python, layout) in layouts(0x0308) {
            let script = format!("LAYOUT = '{layout:?}'{READ_OWN_MEMORY}");
            assert_eq!(run(&python, &script), "read", "{python}");
            eprintln!("{python}: as its layout says");
        }
    }

    #[test]
    fn published_numbers_agree_and_each_is_compared() {
        let script = "import ctypes\n\
            print((ctypes.c_char * 2048).in_dll(ctypes.pythonapi, '_PyRuntime').raw.hex())";
        for (python, layout) in layouts(0x030d) {
            let hex = run(&python, script);
            let mut runtime: Vec<u8> = (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            assert_eq!(check_published(layout, &runtime), Ok(()), "{python}");
            let head = [(0, "cookie"), (1, "version"), (2, "free_threaded")];
            let numbers = layout.published.iter().zip(&PUBLISHED);
            let numbers = numbers.map(|(&word, &(name, _))| (usize::from(word), name));
            for (word, name) in head.into_iter().chain(numbers) {
                // Of the version, the bytes that say which minor version it is.
                let byte = 8 * word + if word == 1 { 2 } else { 1 };
                runtime[byte] ^= 0x40;
                assert_eq!(check_published(layout, &runtime), Err(name), "{python}");
                runtime[byte] ^= 0x40;
            }
        }
    }

    #[test]
    fn a_runtime_that_is_cut_short_does_not_agree() {
        let layout = find(0x030d, false).unwrap();
        let mut runtime = *b"xdebugpy\0\0\x0d\x03\0\0\0\0\0\0\0\0\0\0\0\0";
        runtime[8] = 0xf0;
        for length in 0..runtime.len() {
            let name = ["cookie", "version", "free_threaded"][length / 8];
            assert_eq!(check_published(layout, &runtime[..length]), Err(name));
        }
        let name = "interpreter_state.gil_runtime_state";
        assert_eq!(check_published(layout, &runtime), Err(name));
    }

    #[test]
    fn versions_that_publish_nothing_pass() {
        for version in 0x0308..=0x030c {
            assert_eq!(check_published(find(version, false).unwrap(), &[]), Ok(()));
        }
    }
}
