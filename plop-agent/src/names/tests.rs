//! Names of threads of real interpreters, read from another process, and hostile memory.

extern crate std;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::string::String;
use std::vec::Vec;
use std::{env, eprintln, format, fs};

use super::{LONGEST, Layout, Memory, Names, OFFSETS, Text, Types, each_state, offsets};
use crate::layout;
use crate::linetable::tests::pythons;

/// Prints what the test must know, runs until its input ends. `CHURN` is how many short threads
/// there are at a time.
const SCRIPT: &str = r#"
import _thread, ctypes, os, sys, sysconfig, threading, time, types
address = lambda name: ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, name))
print(int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), address('_PyRuntime'),
      id(dict), id(int), id(types.ModuleType), id(str))

class Own(threading.Thread):
    def __init__(self, **arguments):
        self.first, self._before = 1, 2
        super().__init__(**arguments)
        self.after = 3

class Many(threading.Thread):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        for n in range(100):
            setattr(self, 'attribute%d' % n, n)
        del self.attribute50

class Slots(threading.Thread):
    __slots__ = 'one', 'two'

class Both(threading.Thread, dict):
    __hash__ = object.__hash__

class Raised(threading.Thread, Exception):
    pass

ended, started = threading.Event(), threading.Semaphore(0)
def wait():
    started.release()
    ended.wait()
def start(name, kind=threading.Thread):
    thread = kind(target=wait, name=name, daemon=True)
    thread.start()
    return thread

threads = [start(name) for name in (
    'worker-1', 'x', 'exactly8', 'caf\xe9 \xdf', '\u0441\u043d\u0435\u0433', 'thread \U0001f9f5',
    'not UTF-8: \udcff', 'half \ud800', 'zero \0', 'a' * 100, 'a' * 101, 'b' * 5000, '\u2603' * 33,
    '\u2603' * 34, '\xe9' * 50 + '\xe9')]
threads += [start(kind.__name__, kind) for kind in (Own, Many, Slots, Both)]
if sys.version_info >= (3, 9):
    threads.append(start('Raised', Raised))
threads.append(start('before'))
threads[-1].name = 'after'
threads.append(start('seen'))
vars(threads[-1])
threads.append(start('copied'))
threads[-1].__dict__ = dict(vars(threads[-1]))
threads.append(start('number in it'))
vars(threads[-1])[1] = 2
for n in range(300):
    threads.append(start('one of many %d' % n))
names = {thread.ident: thread.name for thread in threads + [threading.main_thread()]}

def unknown():
    names[threading.get_ident()] = ''
    wait()
def dummy():
    names[threading.get_ident()] = threading.current_thread().name
    wait()
_thread.start_new_thread(unknown, ())
_thread.start_new_thread(dummy, ())
for _ in range(len(threads) + 2):
    started.acquire()
# Some go, so that there are gaps.
gone = threading.Event()
short = [threading.Thread(target=gone.wait) for _ in range(20)]
for thread in short: thread.start()
gone.set()
for thread in short: thread.join()

for ident, name in names.items():
    print(ident, name.encode('utf-8', 'surrogateescape' if '\ud800' not in name else 'replace').hex())
print('end', flush=True)

def churn():
    while True:
        alive = [threading.Thread(target=time.sleep, args=[n / 1e4], name='churn-%02d-' % n + 'x' * 40, daemon=True)
                 for n in range(CHURN)]
        for thread in alive: thread.start()
        for n, thread in enumerate(alive):
            if n % 2: thread.name = 'churn-%02d-' % n + 'y' * 40
        for thread in alive: thread.join()
if CHURN:
    threading.Thread(target=churn, name='churn-99-' + 'x' * 40, daemon=True).start()
sys.stdin.read()
os._exit(0)
"#;

/// An interpreter of another process, and what its script printed.
struct Other {
    child: Child,
    layout: &'static Layout,
    names: Names,
    memory: Remote,
    runtime: u64,
    expected: BTreeMap<u64, Vec<u8>>,
}

impl Other {
    /// Runs the script; `None` when it is an interpreter that is not known.
    fn start(python: &str, version: u16, churn: usize) -> Option<Other> {
        let script = SCRIPT.replace("CHURN", &format!("{churn}"));
        let mut child = Command::new(python)
            .args(["-I", "-B", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let first = lines.next().unwrap();
        let numbers: Vec<u64> = first.split(' ').map(|word| word.parse().unwrap()).collect();
        let [free_threaded, runtime, dict, int, module, text] = numbers[..] else {
            panic!("{first}")
        };
        let known = layout::find(version, free_threaded == 1);
        let Some((layout, offsets)) = known.and_then(|layout| Some((layout, offsets(layout)?)))
        else {
            eprintln!("SKIPPED: {python} is not known");
            end(child);
            return None;
        };
        let expected = lines.by_ref().take_while(|line| line != "end").map(|line| {
            let (ident, hex) = line.split_once(' ').unwrap();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (
                ident.parse().unwrap(),
                (0..hex.len()).step_by(2).map(byte).collect(),
            )
        });
        let expected = expected.collect();
        let memory = Remote::of(child.id());
        let names = Names {
            offsets,
            types: Types {
                dict,
                int,
                module,
                text,
            },
        };
        Some(Other {
            child,
            layout,
            names,
            memory,
            runtime,
            expected,
        })
    }

    fn interp(&self) -> u64 {
        let head = self.runtime + self.layout.runtime.interpreters_head as u64;
        self.memory.pointer(head).unwrap()
    }

    fn name(&self, memory: &impl Memory, ident: u64) -> Option<Vec<u8>> {
        let mut name = Text::new();
        let found = self
            .names
            .name_of(memory, self.layout, self.interp(), ident, &mut name);
        found.then(|| name.as_bytes().to_vec())
    }
}

/// Ends a process.
fn end(mut child: Child) {
    drop(child.stdin.take());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The memory of another process.
struct Remote {
    file: File,
    reads: Cell<u64>,
}

impl Remote {
    fn of(pid: u32) -> Remote {
        Remote {
            file: File::open(format!("/proc/{pid}/mem")).unwrap(),
            reads: Cell::new(0),
        }
    }
}

impl Memory for Remote {
    fn word(&self, at: u64) -> Option<u64> {
        self.reads.set(self.reads.get() + 1);
        let mut word = [0; 8];
        let read = at < 1 << 60 && self.file.read_exact_at(&mut word, at).is_ok();
        read.then(|| u64::from_le_bytes(word))
    }
}

/// What a name becomes.
fn shortened(name: &[u8]) -> Vec<u8> {
    let mut name = name.to_vec();
    for byte in &mut name {
        *byte = if *byte == 0 { b'?' } else { *byte };
    }
    if name.len() > LONGEST {
        let text = String::from_utf8(name).unwrap();
        let ends = text
            .char_indices()
            .map(|(at, _)| at)
            .filter(|at| *at <= LONGEST);
        name = format!("{}…", &text[..ends.max().unwrap()]).into_bytes();
    }
    name
}

#[test]
fn names_are_those_that_python_says() {
    for (python, version) in pythons(0x0308) {
        let Some(other) = Other::start(&python, version, 0) else {
            continue;
        };
        assert!(other.expected.len() > 320);
        for (ident, expected) in &other.expected {
            let name = other.name(&other.memory, *ident);
            let expected = Some(shortened(expected)).filter(|name| !name.is_empty());
            assert_eq!(
                name.as_deref().map(String::from_utf8_lossy),
                expected.as_deref().map(String::from_utf8_lossy),
                "{python}"
            );
            assert_eq!(name, expected, "{python}");
            assert_eq!(other.name(&other.memory, ident + 1), None);
        }
        // Where things are is remembered.
        other.memory.reads.set(0);
        other.name(&other.memory, *other.expected.keys().next().unwrap());
        assert!(
            other.memory.reads.get() < 400,
            "{}",
            other.memory.reads.get()
        );
        let mut seen = 0;
        each_state(
            &other.memory,
            other.layout,
            other.interp(),
            |interp, _, ident| {
                assert_eq!(interp, other.interp());
                assert!(other.expected.contains_key(&ident));
                seen += 1;
            },
        );
        assert_eq!(seen, other.expected.len());
        eprintln!("{python}: {seen} threads");
        end(other.child);
    }
}

#[test]
fn threads_that_come_and_go_get_no_name_that_never_was() {
    for (python, version) in pythons(0x0308) {
        let Some(other) = Other::start(&python, version, 60) else {
            continue;
        };
        let (mut lasting, mut passing, mut none) = (0, 0, 0);
        for _ in 0..10_000 {
            let mut idents = Vec::new();
            each_state(
                &other.memory,
                other.layout,
                other.interp(),
                |_, _, ident| idents.push(ident),
            );
            // The newest are first in the list.
            for ident in idents.into_iter().take(80) {
                let memory = || Remote::of(other.child.id());
                let name = other
                    .names
                    .twice(memory, other.layout, other.interp(), ident);
                let Some(name) = name else {
                    none += 1;
                    continue;
                };
                let name = name.as_bytes();
                let Some(rest) = name.strip_prefix(b"churn-") else {
                    let known = other.expected.get(&ident).map(|name| shortened(name));
                    assert_eq!(known.as_deref(), Some(name), "{python}");
                    lasting += 1;
                    continue;
                };
                let (n, rest) = rest.split_at(3);
                assert!(
                    n[0].is_ascii_digit() && n[1].is_ascii_digit() && n[2] == b'-',
                    "{python}"
                );
                assert!(rest == [b'x'; 40] || rest == [b'y'; 40], "{python}");
                passing += 1;
            }
            if passing > 100 && lasting > 100 {
                break;
            }
        }
        assert!(passing > 100, "{python}: {passing}");
        eprintln!(
            "{python}: {passing} of passing threads, {lasting} of lasting ones, {none} not known"
        );
        end(other.child);
    }
}

/// Numbers that look random and are the same each time.
fn random(seed: &Cell<u64>) -> u64 {
    seed.set(seed.get() + 1);
    crate::memory::mix(seed.get())
}

/// Memory of which one word in `one_in` is not what it should be.
struct Spoilt<'m, M> {
    memory: &'m M,
    seed: Cell<u64>,
    one_in: u64,
    reads: Cell<u64>,
}

impl<M: Memory> Memory for Spoilt<'_, M> {
    fn word(&self, at: u64) -> Option<u64> {
        self.reads.set(self.reads.get() + 1);
        let right = self.memory.word(at);
        if !random(&self.seed).is_multiple_of(self.one_in) {
            return right;
        }
        match random(&self.seed) % 8 {
            0 => None,
            1 => Some(random(&self.seed)),
            2 => Some(random(&self.seed) & 0xffff),
            3 => Some(u64::MAX - random(&self.seed) % 3),
            4 => right.map(|right| right + 8),
            5 => right.map(|right| right ^ 1 << (random(&self.seed) % 64)),
            6 => Some(at),
            _ => self.memory.word(at + 8),
        }
    }
}

#[test]
fn spoilt_memory_is_survived() {
    for (python, version) in pythons(0x0308) {
        let Some(other) = Other::start(&python, version, 0) else {
            continue;
        };
        let idents: Vec<u64> = other.expected.keys().copied().collect();
        let (mut right, mut wrong) = (0, 0);
        for round in 0..600u64 {
            let memory = || Spoilt {
                memory: &other.memory,
                seed: Cell::new(round << 32),
                one_in: [5, 50, 500][round as usize % 3],
                reads: Cell::new(0),
            };
            let ident = idents[round as usize % idents.len()];
            let spoilt = memory();
            let Some(name) = other.name(&spoilt, ident) else {
                continue;
            };
            let expected = shortened(&other.expected[&ident]);
            if name == expected {
                right += 1
            } else {
                wrong += 1
            }
            assert!(spoilt.reads.get() < 1_000_000);
        }
        eprintln!("{python}: {right} right and {wrong} wrong from memory of which much is wrong");
        assert!(right > 10);
        end(other.child);
    }
}

/// The same word everywhere.
struct Same(u64, Cell<u64>);

impl Memory for Same {
    fn word(&self, _: u64) -> Option<u64> {
        self.1.set(self.1.get() + 1);
        Some(self.0)
    }
}

/// Random words everywhere, most of them small or pointers.
struct Random(Cell<u64>, Cell<u64>);

impl Memory for Random {
    fn word(&self, at: u64) -> Option<u64> {
        self.1.set(self.1.get() + 1);
        match random(&self.0) % 8 {
            0 => None,
            1 => Some(random(&self.0)),
            2 => Some(random(&self.0) & 0x0101_0303),
            3 => Some(at & !7),
            4 => Some(1 << (random(&self.0) % 64)),
            _ => Some(0x1000),
        }
    }
}

#[test]
fn no_memory_is_too_strange() {
    for offsets in &OFFSETS {
        let layout = layout::find(offsets.version, false).unwrap();
        let names = |word| Names {
            offsets,
            types: Types {
                dict: word,
                int: word,
                module: word,
                text: word,
            },
        };
        let words =
            (0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, u64::MAX << bit, 0x1218 | 1 << bit]);
        for word in words.chain([
            0x1_0303, 0x2_0808, 0x1010, 0x1_1210, 0x2_1210, 0x1210, 0x10000,
        ]) {
            let memory = Same(word, Cell::new(0));
            names(word).name_of(&memory, layout, 0x1000, word, &mut Text::new());
            each_state(&memory, layout, word, |_, _, _| {});
            assert!(memory.1.get() < 1_000_000, "{word:x}");
        }
        for round in 0..20_000u64 {
            let memory = Random(Cell::new(round << 32), Cell::new(0));
            names(0x1000).name_of(&memory, layout, 0x1000, 0x1000, &mut Text::new());
            assert!(memory.1.get() < 1_000_000);
        }
    }
}

#[test]
fn numbers_are_those_of_the_headers() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("layouts/names.c");
    let script = "import sysconfig as s\n\
            print(*{s.get_path(n) for n in ('include', 'platinclude')})";
    for (python, version) in pythons(0x0308) {
        let folders = Command::new(&python)
            .args(["-I", "-c", script])
            .output()
            .unwrap()
            .stdout;
        let folders = String::from_utf8(folders).unwrap();
        let folders: Vec<&Path> = folders.split_whitespace().map(Path::new).collect();
        // The folder of a free-threaded build's headers is `python3.13t`.
        let free_threaded = folders
            .iter()
            .any(|folder| folder.to_string_lossy().ends_with('t'));
        let offsets = (OFFSETS.iter())
            .find(|offsets| (offsets.version, offsets.free_threaded) == (version, free_threaded));
        let internal = folders
            .iter()
            .any(|folder| folder.join("internal/pycore_pystate.h").exists());
        let Some(offsets) = offsets.filter(|_| internal) else {
            eprintln!("SKIPPED: {python} has no headers, or is not known");
            continue;
        };
        let program =
            env::temp_dir().join(format!("plop-names-{}-{version:x}", std::process::id()));
        let mut compile = Command::new(env::var_os("CC").unwrap_or("cc".into()));
        for folder in folders {
            compile
                .arg("-I")
                .arg(folder)
                .arg("-I")
                .arg(folder.join("internal"));
            compile.arg("-I").arg(folder.parent().unwrap());
        }
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
        let hex = format!("version: {version:#06x},");
        let expected = String::from_utf8(printed)
            .unwrap()
            .replace(&hex, &format!("version: {version},"));
        assert_eq!(format!("{offsets:?}"), expected.trim(), "{python}");
    }
}

#[test]
fn every_layout_has_its_numbers() {
    for (version, free_threaded) in (8..=15)
        .map(|minor| (0x0300 + minor, false))
        .chain([(0x030d, true)])
    {
        let layout = layout::find(version, free_threaded).unwrap();
        let found = offsets(layout).unwrap();
        assert_eq!(
            (found.version, found.free_threaded),
            (version, free_threaded)
        );
    }
}
