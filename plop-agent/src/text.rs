//! What has been sampled as a `.plop` file, for a process that nobody waits for: see
//! `docs/plop-format.md`.

use crate::config::{Config, Mode, decimal};
use crate::image::Facts;
use crate::memory::Vector;
use crate::state::{Row, Slice, State};
use crate::sys;

/// Words for the states, in the order of their numbers.
const STATES: [&str; 5] = ["on CPU", "GIL", "idle", "runnable", "lock"];

/// Writes the file of a state into `out`; whether there was memory.
pub(crate) fn build(
    state: &State,
    config: &Config,
    facts: &dyn Facts,
    out: &mut Vector<u8>,
) -> bool {
    out.clear();
    let mut rows = Vector::new();
    let mut stacks = Vector::new();
    let fits = rows.extend(state.rows.as_slice())
        && stacks.reserve(state.nodes.len())
        && (0..state.nodes.len()).all(|_| {
            stacks.push(Stack {
                value: 0,
                position: NONE,
            })
        });
    let mut text = Text { out, fits };
    if fits {
        rows.sort_by_key(|row: &Row| row.key);
        text.file(state, config, facts, rows.as_slice(), &mut stacks);
    }
    let fits = text.fits;
    rows.free();
    stacks.free();
    fits
}

/// What becomes of a node: its value in the dictionary, and where it stands there.
#[derive(Clone, Copy)]
struct Stack {
    value: u64,
    position: u32,
}

const NONE: u32 = u32::MAX;

struct Text<'o> {
    out: &'o mut Vector<u8>,
    fits: bool,
}

impl Text<'_> {
    fn put(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.fits &= self.out.extend(bytes);
    }

    fn number(&mut self, number: u64) {
        self.bytes(decimal(number, &mut [0; 20]));
    }

    fn file(
        &mut self,
        state: &State,
        config: &Config,
        facts: &dyn Facts,
        rows: &[Row],
        stacks: &mut Vector<Stack>,
    ) {
        let value = |row: &Row| match config.mode {
            Mode::Wall | Mode::Real => row.wall,
            _ => row.cpu,
        };
        for row in rows {
            if let Some(stack) = stacks.get_mut(row.node() as usize) {
                stack.value += value(row);
                stack.position = 0;
            }
        }
        self.header(state, config, facts);
        self.put("{\n");
        let mut position = 0;
        for node in 0..stacks.len() {
            let Some(stack) = stacks.get_mut(node).filter(|stack| stack.position != NONE) else {
                continue;
            };
            stack.position = position;
            position += 1;
            let value = stack.value;
            self.stack(state, node as u32);
            self.put(": ");
            self.number(value);
            self.put(",\n");
        }
        self.put("}\n");
        let mut used = used_frames(state, stacks);
        for frame in used.as_slice() {
            let Some(frame) = (state.frames.get(*frame as usize)).filter(|frame| frame.kind == 0)
            else {
                continue;
            };
            let Some(function) = state.functions.get(frame.function as usize) else {
                continue;
            };
            self.put("#f [");
            self.json(state.string_at(function.file));
            self.put(",");
            self.number(frame.line.into());
            self.put(",");
            self.json(state.string_at(function.name));
            self.put("] {\"first\":");
            self.number(function.first_line.into());
            self.put(",\"kind\":\"python\"}\n");
        }
        used.free();
        for (n, word) in STATES.iter().enumerate() {
            self.put("#l ");
            self.number(n as u64);
            self.put(" [");
            for label in config.labels.as_bytes().split(|byte| *byte == b'\n') {
                let mut halves = label.splitn(2, |byte| *byte == b'=');
                if let (Some(key), Some(value)) = (halves.next(), halves.next()) {
                    self.put("[");
                    self.json(key);
                    self.put(",");
                    self.json(value);
                    self.put("],");
                }
            }
            self.put("[\"state\",\"");
            self.put(word);
            self.put("\"]]\n");
        }
        self.slices(state);
        self.samples(config, rows, stacks);
    }

    fn header(&mut self, state: &State, config: &Config, facts: &dyn Facts) {
        self.put("# plop 2 {\"clock\":\"");
        self.put(config.mode.name());
        self.put("\",\"values\":[");
        self.put(match config.mode {
            Mode::CpuWall => "[\"cpu\",\"samples\"],[\"wall\",\"samples\"]",
            Mode::Wall | Mode::Real => "[\"wall\",\"samples\"]",
            _ => "[\"cpu\",\"samples\"]",
        });
        self.put("],\"command\":[");
        self.command();
        self.put("],\"threads\":[");
        for (n, thread) in state.threads.as_slice().iter().enumerate() {
            self.put(if n > 0 { ",[" } else { "[" });
            self.number(thread.tid as u64);
            self.put(",");
            self.json(state.string_at(thread.name));
            self.put(",");
            self.number(sys::getpid() as u64);
            self.put("]");
        }
        self.put("]");
        let known = Known::of(facts);
        self.put(",\"started\":\"");
        self.date(known.started);
        self.put("\",\"ticks\":{\"asked\":");
        self.number(known.asked);
        self.put(",\"delivered\":");
        self.number(known.delivered);
        self.put(",\"dropped\":");
        self.number(known.dropped);
        self.put("}");
        for (key, number) in [
            ("period_ns", config.period_ns()),
            ("duration_ns", known.duration_ns),
            ("cpu_ns", state.cpu_ns),
            ("wall_ns", state.wall_ns),
        ] {
            self.put(",\"");
            self.put(key);
            self.put("\":");
            self.number(number);
        }
        self.put(",\"sampler\":{");
        let this = core::cell::RefCell::new((&mut *self, false));
        let member = |key: &str, quoted: bool, value: &[u8]| {
            let Ok(mut text) = this.try_borrow_mut() else {
                return;
            };
            let (text, comma) = &mut *text;
            if core::mem::replace(comma, true) {
                text.put(",");
            }
            text.put("\"");
            text.put(key);
            text.put("\":");
            if quoted {
                text.json(value)
            } else {
                text.bytes(value)
            }
        };
        facts.tell(
            &mut |key, number| member(key, false, decimal(number, &mut [0; 20])),
            &mut |key, value| member(key, true, value),
        );
        self.put("}");
        if let Some(interpreter) = crate::interpreter::get() {
            self.put(",\"runtime\":");
            self.json(interpreter.name.as_bytes());
        }
        self.put("}\n");
    }

    /// The command line, as the kernel has it.
    fn command(&mut self) {
        let mut buffer = [0; 4096];
        let line = sys::slurp(c"/proc/self/cmdline", &mut buffer);
        let line = line.strip_suffix(b"\0").unwrap_or(line);
        for (n, word) in line.split(|byte| *byte == 0).enumerate() {
            if n > 0 {
                self.put(",");
            }
            self.json(word);
        }
    }

    /// A moment of UTC.
    fn date(&mut self, unix_ns: u64) {
        let seconds = unix_ns / 1_000_000_000;
        // Days since the first of March of the year 0, in eras of 400 years (H. Hinnant,
        // "chrono-compatible low-level date algorithms").
        let days = seconds / 86_400 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let (of_month, month) = (
            of_year - (153 * month + 2) / 5 + 1,
            if month < 10 { month + 3 } else { month - 9 },
        );
        let year = era * 400 + year + u64::from(month <= 2);
        let two = |text: &mut Self, number: u64, before: &str| {
            text.put(before);
            if number < 10 {
                text.put("0");
            }
            text.number(number);
        };
        self.number(year);
        two(self, month, "-");
        two(self, of_month, "-");
        two(self, seconds / 3600 % 24, "T");
        two(self, seconds / 60 % 60, ":");
        two(self, seconds % 60, ":");
        let millis = unix_ns / 1_000_000 % 1000;
        self.put(match millis {
            0..10 => ".00",
            10..100 => ".0",
            _ => ".",
        });
        self.number(millis);
        self.put("Z");
    }

    /// A stack as a tuple of frames, the leaf first.
    fn stack(&mut self, state: &State, mut node: u32) {
        self.put("(");
        let mut first = true;
        while let Some(at) = state.nodes.get(node as usize).filter(|_| node != 0) {
            let frame = state.frames.get(at.frame as usize);
            let function = frame.and_then(|frame| state.functions.get(frame.function as usize));
            if let (Some(frame), Some(function)) = (frame, function) {
                self.put(if first { "(" } else { ", (" });
                self.python(state.string_at(function.file));
                self.put(", ");
                self.number(frame.line.into());
                self.put(", ");
                self.python(state.string_at(function.name));
                self.put(")");
            }
            node = at.parent;
            if first && node == 0 {
                self.put(",");
            }
            first = false;
        }
        self.put(")");
    }

    /// A string of Python's.
    fn python(&mut self, text: &[u8]) {
        self.put("'");
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => self.put("\\\\"),
                    '\'' => self.put("\\'"),
                    '\n' => self.put("\\n"),
                    '\r' => self.put("\\r"),
                    '\t' => self.put("\\t"),
                    '\0'..' ' | '\x7f' => {
                        self.put("\\x");
                        self.hex(character as u32, 2);
                    }
                    _ => self.bytes(character.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            for byte in chunk.invalid() {
                self.put("\\udc");
                self.hex((*byte).into(), 2);
            }
        }
        self.put("'");
    }

    /// A string of JSON's, in ASCII, and without the word in which Python sees the declaration of an
    /// encoding.
    fn json(&mut self, text: &[u8]) {
        self.put("\"");
        let mut before = [0; 5];
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                let letter = if character.is_ascii() {
                    character as u8
                } else {
                    0
                };
                match character {
                    '"' => self.put("\\\""),
                    '\\' => self.put("\\\\"),
                    'g' if &before == b"codin" => self.put("\\u0067"),
                    ' '..'\x7f' => self.bytes(&[letter]),
                    _ => {
                        for unit in character.encode_utf16(&mut [0; 2]) {
                            self.put("\\u");
                            self.hex((*unit).into(), 4);
                        }
                    }
                }
                before.rotate_left(1);
                if let Some(last) = before.last_mut() {
                    *last = letter;
                }
            }
            for byte in chunk.invalid() {
                self.put("\\udc");
                self.hex((*byte).into(), 2);
            }
        }
        self.put("\"");
    }

    fn hex(&mut self, number: u32, digits: u32) {
        for n in (0..digits).rev() {
            let digit = char::from_digit(number >> (4 * n) & 15, 16).unwrap_or('0');
            self.bytes(&[digit as u8]);
        }
    }

    fn slices(&mut self, state: &State) {
        let slices = state.used_slices();
        self.put("# slices {\"length_ns\":");
        self.number(state.slice_ns);
        type Column = fn(&Slice) -> u64;
        let columns: [(&str, Column); 3] = [
            ("ticks", |slice| slice.ticks),
            ("cpu_ns", |slice| slice.cpu_ns),
            ("wall_ns", |slice| slice.wall_ns),
        ];
        for (name, column) in columns {
            self.put(",\"");
            self.put(name);
            self.put("\":[");
            for (n, slice) in slices.iter().enumerate() {
                if n > 0 {
                    self.put(",");
                }
                self.number(column(slice));
            }
            self.put("]");
        }
        self.put("}\n");
    }

    fn samples(&mut self, config: &Config, rows: &[Row], stacks: &Vector<Stack>) {
        let mut line = None;
        for row in rows {
            let Some(stack) = stacks.get(row.node() as usize) else {
                continue;
            };
            let this = (row.slice(), row.thread(), row.state());
            if line != Some(this) {
                self.put(if line.is_some() { "\n#@ " } else { "#@ " });
                for (n, number) in [this.0, this.1, this.2].into_iter().enumerate() {
                    if n > 0 {
                        self.put(" ");
                    }
                    self.number(number.into());
                }
                line = Some(this);
            }
            self.put(" ");
            self.number(stack.position.into());
            self.put(":");
            match config.mode {
                Mode::CpuWall => {
                    self.number(row.cpu);
                    self.put(",");
                    self.number(row.wall);
                }
                Mode::Wall | Mode::Real => self.number(row.wall),
                _ => self.number(row.cpu),
            }
        }
        if line.is_some() {
            self.put("\n");
        }
    }
}

/// The frames of the stacks that are in the dictionary, each once.
fn used_frames(state: &State, stacks: &Vector<Stack>) -> Vector<u32> {
    let mut nodes = Vector::new();
    let mut frames = Vector::new();
    let fits = (stacks.as_slice().iter()).all(|stack| nodes.push(stack.position != NONE));
    for at in (1..state.nodes.len()).rev() {
        let (Some(true), Some(node)) = (nodes.get(at), state.nodes.get(at)) else {
            continue;
        };
        frames.push(node.frame);
        if let Some(caller) = nodes.get_mut(node.parent as usize) {
            *caller = true;
        }
    }
    nodes.free();
    frames.sort_by_key(|frame: &u32| u64::from(*frame));
    let mut last = None;
    let mut once = Vector::new();
    for frame in frames.as_slice() {
        if last.replace(*frame) != Some(*frame) && fits {
            once.push(*frame);
        }
    }
    frames.free();
    once
}

/// The facts that the header has keys for.
#[derive(Clone, Copy, Default)]
struct Known {
    started: u64,
    asked: u64,
    delivered: u64,
    dropped: u64,
    duration_ns: u64,
}

impl Known {
    fn of(facts: &dyn Facts) -> Known {
        let mut known = Known::default();
        facts.tell(
            &mut |key, number| match key {
                "started" => known.started = number,
                "asked" => known.asked = number,
                "delivered" => known.delivered = number,
                "dropped" => known.dropped = number,
                "duration_ns" => known.duration_ns = number,
                _ => {}
            },
            &mut |_, _| {},
        );
        known
    }
}
