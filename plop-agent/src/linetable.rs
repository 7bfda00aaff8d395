//! Which line an instruction is on, from the table that CPython keeps beside the code. There are
//! three encodings; [`Kind`] names them. The table may have been copied from a process that was
//! changing it: any bytes give an answer in one pass over them, at worst a wrong one.

/// The encoding of a line table, and with it the unit in which it counts instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `co_lnotab` of 3.8 and 3.9; instructions are counted in bytes.
    Lnotab38,
    /// `co_linetable` of 3.10 (PEP 626); instructions are counted by number, two bytes each.
    Linetable310,
    /// `co_linetable` since 3.11; instructions are counted in code units of two bytes.
    Locations311,
}

/// The line of instruction `lasti`, 0 if it has none. `u32::MAX` is a frame that has not begun, which
/// is on the first line.
pub(crate) fn line(kind: Kind, first_line: u32, table: &[u8], lasti: u32) -> u32 {
    if lasti == u32::MAX {
        return first_line;
    }
    let (first, at) = (i64::from(first_line), u64::from(lasti));
    let line = match kind {
        Kind::Lnotab38 => Some(lnotab(first, table, at)),
        Kind::Linetable310 => linetable(first, table, at.wrapping_mul(2)),
        Kind::Locations311 => locations(first, table, at),
    };
    line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
}

/// Pairs of bytes: how far the next step is from the last, and by how much the line changes there.
fn lnotab(first_line: i64, table: &[u8], at: u64) -> i64 {
    let (mut line, mut start) = (first_line, 0_u64);
    for &[bytes, lines] in table.as_chunks().0 {
        start = start.wrapping_add(u64::from(bytes));
        if start > at {
            break;
        }
        line = line.wrapping_add(i64::from(lines.cast_signed()));
    }
    line
}

/// Pairs of bytes: the length of a range, and by how much its line differs from the last range that
/// has one; -128 says that this one has none.
fn linetable(first_line: i64, table: &[u8], at: u64) -> Option<i64> {
    let (mut line, mut end) = (first_line, 0_u64);
    for &[bytes, lines] in table.as_chunks().0 {
        let lines = lines.cast_signed();
        if lines != i8::MIN {
            line = line.wrapping_add(i64::from(lines));
        }
        end = end.wrapping_add(u64::from(bytes));
        if at < end {
            return (lines != i8::MIN).then_some(line);
        }
    }
    None
}

/// Entries of one byte or more, of which only the first has its top bit set. It holds four bits of
/// form and three of length; the forms differ in how they write the line and in the columns after it.
fn locations(first_line: i64, table: &[u8], at: u64) -> Option<i64> {
    let (mut line, mut end) = (first_line, 0_u64);
    let mut next = table.iter();
    while let Some(&head) = next.next() {
        let form = (head >> 3) & 15;
        line = line.wrapping_add(match form {
            10..=12 => i64::from(form).wrapping_sub(10),
            13 | 14 => signed_varint(next.as_slice()),
            _ => 0,
        });
        end = end.wrapping_add(u64::from(head & 7)).wrapping_add(1);
        if at < end {
            return (form != 15).then_some(line);
        }
        while next.as_slice().first().is_some_and(|byte| byte & 0x80 == 0) {
            next.next();
        }
    }
    None
}

/// Six bits in each byte, the lowest first; the lowest bit of all is the sign.
fn signed_varint(bytes: &[u8]) -> i64 {
    let mut value = 0_u32;
    for (&byte, shift) in bytes.iter().zip([0, 6, 12, 18, 24, 30]) {
        value |= u32::from(byte & 63).wrapping_shl(shift);
        if byte & 64 == 0 {
            break;
        }
    }
    let size = i64::from(value >> 1);
    if value & 1 == 0 {
        size
    } else {
        size.wrapping_neg()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;

    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::string::String;
    use std::vec::Vec;
    use std::{env, eprintln, format, vec};

    use super::{Kind, line};

    /// The interpreters of `PLOP_PYTHONS` with their versions (0x030b is 3.11), from `oldest` on.
    pub(crate) fn pythons(oldest: u16) -> Vec<(String, u16)> {
        let list = env::var("PLOP_PYTHONS").unwrap_or_default();
        let script = "import sys; print(sys.version_info[0] << 8 | sys.version_info[1])";
        let mut found = Vec::new();
        for python in list.split(':').filter(|python| !python.is_empty()) {
            let output = Command::new(python).args(["-c", script]).output();
            let output = output.unwrap_or_else(|error| panic!("{python}: {error}"));
            let version = String::from_utf8(output.stdout).unwrap();
            let version = version
                .trim()
                .parse()
                .unwrap_or_else(|_| panic!("{python} does not run"));
            if version >= oldest {
                found.push((python.into(), version));
            }
        }
        if found.is_empty() {
            let minor = oldest & 0xff;
            assert!(
                env::var_os("CI").is_none(),
                "PLOP_PYTHONS names no Python 3.{minor} or newer"
            );
            eprintln!("SKIPPED: PLOP_PYTHONS names no Python 3.{minor} or newer");
        }
        found
    }

    fn kind(version: u16) -> Kind {
        match version {
            ..0x030a => Kind::Lnotab38,
            0x030a => Kind::Linetable310,
            _ => Kind::Locations311,
        }
    }

    #[test]
    fn lnotab_steps_forwards_and_backwards() {
        // 0: line 10, 4: line 11, 10: line 9, 12: line 12.
        let table = [4, 1, 6, 0xfe, 2, 3];
        for (lasti, expected) in [
            (0, 10),
            (2, 10),
            (4, 11),
            (8, 11),
            (10, 9),
            (12, 12),
            (999, 12),
        ] {
            assert_eq!(
                line(Kind::Lnotab38, 10, &table, lasti),
                expected,
                "at {lasti}"
            );
        }
    }

    #[test]
    fn lnotab_spreads_long_steps_over_several_pairs() {
        let table = [255, 0, 45, 127, 0, 127, 0, 46];
        assert_eq!(line(Kind::Lnotab38, 1, &table, 298), 1);
        assert_eq!(line(Kind::Lnotab38, 1, &table, 300), 301);
    }

    #[test]
    fn linetable_has_ranges_without_a_line() {
        // Bytes 0..4 line 6, 4..8 none, 8..10 line 7; a range of no length moves the line as well.
        let table = [4, 1, 4, 0x80, 0, 3, 2, 0xfe];
        for (lasti, expected) in [(0, 6), (1, 6), (2, 0), (3, 0), (4, 7), (5, 0)] {
            assert_eq!(
                line(Kind::Linetable310, 5, &table, lasti),
                expected,
                "at {lasti}"
            );
        }
    }

    #[test]
    fn locations_of_each_form() {
        let table = [
            0x80 | 1,
            0x12, // short form, 2 units: line 20
            0x80 | (11 << 3),
            1,
            2,                    // one line form, 1 unit: line 21
            0x80 | (15 << 3) | 3, // no line, 4 units
            0x80 | (14 << 3),
            0x40 | 0x10,
            0x3,
            0,
            1,
            1, // long form, 1 unit: 104 lines down
            0x80 | (13 << 3),
            0x7, // without columns, 1 unit: 3 lines up
        ];
        let expected = [20, 20, 21, 0, 0, 0, 0, 125, 122, 0];
        for (lasti, expected) in (0..).zip(expected) {
            assert_eq!(
                line(Kind::Locations311, 20, &table, lasti),
                expected,
                "at {lasti}"
            );
        }
    }

    #[test]
    fn a_frame_that_has_not_begun_is_on_the_first_line() {
        for kind in [Kind::Lnotab38, Kind::Linetable310, Kind::Locations311] {
            assert_eq!(line(kind, 7, &[2, 1, 2, 1], u32::MAX), 7);
        }
    }

    #[test]
    fn any_bytes_have_an_answer() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let length = random() % 80;
            let (set, clear) = (
                random() as u8 & random() as u8,
                random() as u8 | random() as u8,
            );
            let table: Vec<u8> = (0..length)
                .map(|_| (random() as u8 | set) & clear)
                .collect();
            let first_line = if random() % 2 == 0 {
                1
            } else {
                random() as u32
            };
            for kind in [Kind::Lnotab38, Kind::Linetable310, Kind::Locations311] {
                for lasti in [
                    0,
                    1,
                    random() as u32 % 100,
                    random() as u32,
                    u32::MAX - 1,
                    u32::MAX,
                ] {
                    line(kind, first_line, &table, lasti);
                }
            }
        }
        for byte in [0, 0x7f, 0x80, 0xff] {
            for kind in [Kind::Lnotab38, Kind::Linetable310, Kind::Locations311] {
                line(kind, u32::MAX - 1, &vec![byte; 1 << 20], u32::MAX - 1);
            }
        }
    }

    /// Prints of each code object of the standard library's files in `PATTERNS`, and of some that the
    /// script makes, the first line, the table, and the line of each instruction as the interpreter
    /// finds it for a traceback (`line*how often in a row`).
    const DUMP: &str = r#"
import ctypes, glob, os, sys

def strange():
    yield '\n' * 70000 + 'a = 1\n' + '\n' * 40000 + 'b = [a,\n' + '\n' * 900 + 'a(\n1)]\n'
    yield 'def f(x):\n' + ''.join('    x = x + %d\n' % i for i in range(700)) + '    return x\n'
    yield 'def f(x):\n    while x:\n' + ''.join('        x = g(x,\n\n   %d)\n' % i for i in range(300))
    yield 'x = (' + ' +\n'.join('f(\n%d,\n a)' % i for i in range(200)) + ')\n'
    yield 'class C:\n def f(s):\n  try:\n   return [g(\n y) for\n y in s if\n y]\n  except E as e:\n   raise\n  finally:\n   s.z()\n'
    yield 'async def f(a):\n async with a as b, \\\n b as c:\n  async for x in c: yield (await\n x)\n else:\n  del x\n'
    yield 'def f(): return lambda: (yield\n)\n@d\n@e(\n1)\ndef g(a=\n2): pass\n'
    yield 'with a(), \\\n b():\n  for i in x:\n    if i: continue\n    elif j: break\n    else: pass\n'
    yield 'f(' + ', '.join('a%d' % i for i in range(400)) + ')'

def sources():
    yield from strange()
    root = os.path.dirname(os.__file__)
    paths = set()
    for pattern in PATTERNS:
        paths.update(glob.glob(os.path.join(root, pattern), recursive=True))
    for path in sorted(paths):
        try:
            with open(path, 'rb') as file:
                yield file.read()
        except OSError:
            pass

line_of = ctypes.pythonapi.PyCode_Addr2Line
line_of.argtypes = [ctypes.py_object, ctypes.c_int]
lnotab = sys.version_info < (3, 10)

def dump(code):
    table = code.co_lnotab if lnotab else code.co_linetable
    runs = []
    for at in range(0, len(code.co_code), 2):
        line = max(line_of(code, at), 0)
        if runs and runs[-1][0] == line:
            runs[-1][1] += 1
        else:
            runs.append([line, 1])
    print(code.co_firstlineno, '+' + table.hex(), ' '.join('%d*%d' % tuple(run) for run in runs))
    for const in code.co_consts:
        if isinstance(const, type(code)):
            dump(const)

import warnings
warnings.simplefilter('ignore')
for source in sources():
    try:
        code = compile(source, 'x', 'exec')
    except (SyntaxError, ValueError):
        continue
    dump(code)
"#;

    fn compare(patterns: &str) {
        for (python, version) in pythons(0x0308) {
            let script = format!("PATTERNS = {patterns}{DUMP}");
            let mut child = Command::new(&python)
                .args(["-I", "-B", "-c", &script])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (mut codes, mut instructions) = (0, 0);
            for row in BufReader::new(child.stdout.take().unwrap()).lines() {
                let row = row.unwrap();
                let mut words = row.split(' ');
                let first_line = words.next().unwrap().parse().unwrap();
                let table = words.next().unwrap().strip_prefix('+').unwrap();
                let table: Vec<u8> = (0..table.len() / 2)
                    .map(|i| u8::from_str_radix(&table[2 * i..2 * i + 2], 16).unwrap())
                    .collect();
                let mut at = 0;
                for run in words {
                    let (expected, count) = run.split_once('*').unwrap();
                    let expected = expected.parse().unwrap();
                    for _ in 0..count.parse::<u32>().unwrap() {
                        let lasti = if version < 0x030a { 2 * at } else { at };
                        let found = line(kind(version), first_line, &table, lasti);
                        assert_eq!(found, expected, "{python}: at {lasti} of {row}");
                        at += 1;
                    }
                }
                codes += 1;
                instructions += at;
            }
            assert!(child.wait().unwrap().success(), "{python}");
            assert!(codes > 300, "{python} has shown only {codes} code objects");
            eprintln!("{python}: {codes} code objects, {instructions} instructions");
        }
    }

    #[test]
    fn lines_are_those_of_the_interpreter() {
        compare("['argparse.py', 'inspect.py', 'pickletools.py', 'asyncio/base_events.py']");
    }

    #[test]
    #[ignore = "takes minutes: the whole standard library with its tests"]
    fn lines_are_those_of_the_interpreter_everywhere() {
        compare("['**/*.py']");
    }
}
