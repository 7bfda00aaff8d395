//! What Python calls its threads: `threading.current_thread().name`, read from the interpreter's memory.
//!
//! The way there is `sys.modules`, the module `threading`, its `_active`, which has the thread objects by
//! `threading.get_ident()`, and the attribute `_name`. All of it may change while it is read. So each
//! object on the way must be of the type it should be, each key must be the one looked for, every number
//! has a bound, and a name counts when it was read twice. Nothing here runs in a signal handler.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::config::Text;
use crate::guard::{Copied, Direct, Memory, guarded};
use crate::interpreter::Interpreter;
use crate::layout::Layout;
use crate::slots::SLOTS;

/// The most bytes of a name; one that is longer ends with `…`.
const LONGEST: usize = 100;
/// How large a dictionary may be, as a power of two, so that its entries are looked through.
const LARGEST: u64 = 16;

/// Calls `found` with the name of every thread that `wanted` says is of interest, by the kernel's id of
/// it. Those that Python knows no name of are left out. Of a thread that is in two interpreters, the
/// last name is that of the main interpreter.
pub(crate) fn each(
    interpreter: &Interpreter,
    wanted: impl FnMut(i32) -> bool,
    found: impl FnMut(i32, &[u8]),
) {
    if guarded() {
        each_with(interpreter, || Direct, wanted, found);
    } else {
        each_with(interpreter, Copied::new, wanted, found);
    }
}

/// The name of one thread, if Python knows one.
pub(crate) fn of(interpreter: &Interpreter, tid: i32) -> Option<Text<128>> {
    let mut known = None;
    each(
        interpreter,
        |other| other == tid,
        |_, name| {
            let mut text = Text::new();
            text.push(name);
            known = Some(text);
        },
    );
    known
}

fn each_with<M: Memory>(
    interpreter: &Interpreter,
    memory: impl Fn() -> M,
    mut wanted: impl FnMut(i32) -> bool,
    mut found: impl FnMut(i32, &[u8]),
) {
    let Some(names) = &interpreter.names else {
        return;
    };
    let layout = &interpreter.layout;
    let states = memory();
    let first = interpreter.interpreters(&states).unwrap_or(0);
    each_state(&states, layout, first, |interp, tstate, ident| {
        let tid = interpreter.native_id(&states, tstate);
        if tid > 0
            && wanted(tid)
            && let Some(name) = names.twice(&memory, layout, interp, ident)
        {
            found(tid, name.as_bytes());
        }
    });
}

/// Calls `each` with the interpreter, the address and the `pthread_t` of every thread state.
fn each_state(
    memory: &impl Memory,
    layout: &Layout,
    first: u64,
    mut each: impl FnMut(u64, u64, u64),
) {
    let pointer = |base: u64, offset: i32| memory.pointer(at(base, offset)).unwrap_or(0);
    let mut interp = first;
    let mut left = 4 * SLOTS;
    while interp != 0 && left > 0 {
        let mut tstate = pointer(interp, layout.interp.threads_head);
        while tstate != 0 && left > 0 && pointer(tstate, layout.tstate.interp) == interp {
            left -= 1;
            let ident = memory
                .word(at(tstate, layout.tstate.thread_id))
                .unwrap_or(0);
            each(interp, tstate, ident);
            tstate = pointer(tstate, layout.tstate.next);
        }
        left = left.saturating_sub(1);
        interp = pointer(interp, layout.interp.next);
    }
}

/// What must be known of an interpreter to read its threads' names.
pub(crate) struct Names {
    offsets: &'static Offsets,
    types: Types,
}

/// Addresses of types.
struct Types {
    dict: u64,
    int: u64,
    module: u64,
    text: u64,
}

impl Names {
    /// Those of this process's interpreter, if they are known.
    pub(crate) fn look_for(layout: &Layout) -> Option<Names> {
        let find = |name| Some(crate::symbols::find(name) as u64).filter(|address| *address != 0);
        Some(Names {
            offsets: offsets(layout)?,
            types: Types {
                dict: find(c"PyDict_Type")?,
                int: find(c"PyLong_Type")?,
                module: find(c"PyModule_Type")?,
                text: find(c"PyUnicode_Type")?,
            },
        })
    }

    /// A thread's name, if it is the same when it is read again.
    fn twice<M: Memory>(
        &self,
        memory: impl Fn() -> M,
        layout: &Layout,
        interp: u64,
        ident: u64,
    ) -> Option<Text<128>> {
        let once = || {
            let mut name = Text::new();
            self.name_of(&memory(), layout, interp, ident, &mut name)
                .then_some(name)
        };
        let (name, again) = (once()?, once()?);
        (name.as_bytes() == again.as_bytes()).then_some(name)
    }

    /// Adds the name of the thread that `threading.get_ident()` gives a number, as UTF-8; whether there
    /// is one.
    pub(crate) fn name_of(
        &self,
        memory: &impl Memory,
        layout: &Layout,
        interp: u64,
        ident: u64,
        into: &mut Text<128>,
    ) -> bool {
        let reader = Reader {
            memory,
            layout,
            offsets: self.offsets,
            types: &self.types,
        };
        reader.name(interp, ident, into).is_some()
    }
}

/// A key that is looked for, and where it was found last.
struct Key {
    text: &'static [u8],
    place: AtomicU64,
}

impl Key {
    const fn new(text: &'static [u8]) -> Self {
        Key {
            text,
            place: AtomicU64::new(0),
        }
    }
}

static THREADING: Key = Key::new(b"threading");
static ACTIVE: Key = Key::new(b"_active");
static NAME: Key = Key::new(b"_name");

/// The entries of a dictionary's keys.
struct Table {
    indices: u64,
    /// How many indices there are, as a power of two.
    log2_size: u64,
    entries: u64,
    count: u64,
    kind: Kind,
}

/// What an entry of a table is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A hash, a key and a value.
    General,
    /// A key, which is a `str`, and a value.
    Unicode,
    /// The same, but the values are elsewhere.
    Split,
}

impl Table {
    fn entry(&self, n: u64) -> u64 {
        let length = if self.kind == Kind::General { 24 } else { 16 };
        self.entries.wrapping_add(n.wrapping_mul(length))
    }

    /// Where the key of an entry is. Its value is behind it.
    fn key(&self, n: u64) -> u64 {
        self.entry(n)
            .wrapping_add(if self.kind == Kind::General { 8 } else { 0 })
    }
}

struct Reader<'r, M> {
    memory: &'r M,
    layout: &'r Layout,
    offsets: &'r Offsets,
    types: &'r Types,
}

#[inline]
fn at(base: u64, offset: i32) -> u64 {
    base.wrapping_add(offset as i64 as u64)
}

impl<M: Memory> Reader<'_, M> {
    fn name(&self, interp: u64, ident: u64, into: &mut Text<128>) -> Option<()> {
        let modules = self.pointer(interp, self.offsets.modules)?;
        let module = self.of_text(modules, &THREADING)?;
        let module = self.typed(module, self.types.module)?;
        let active = self.of_text(self.pointer(module, self.offsets.module_dict)?, &ACTIVE)?;
        let thread = self.of_int(active, ident)?;
        self.utf8(self.attribute(thread, &NAME)?, into)
    }

    /// A pointer that is not null.
    fn pointer(&self, base: u64, offset: i32) -> Option<u64> {
        self.memory
            .pointer(at(base, offset))
            .filter(|pointer| *pointer != 0)
    }

    /// The object, if its type is the one.
    fn typed(&self, object: u64, expected: u64) -> Option<u64> {
        let found = self.pointer(object, self.layout.object.ob_type)?;
        (found == expected).then_some(object)
    }

    /// The value of a key of text in a `dict`.
    fn of_text(&self, dict: u64, key: &Key) -> Option<u64> {
        let dict = self.typed(dict, self.types.dict)?;
        let table = self.table(self.pointer(dict, self.offsets.dict_keys)?)?;
        let values = self.memory.pointer(at(dict, self.offsets.dict_values))?;
        let place = self.place_of(&table, key)?;
        match (values, table.kind) {
            (0, Kind::General | Kind::Unicode) => self.pointer(table.key(place), 8),
            (0, Kind::Split) => None,
            (values, _) => self.of_values(values, place),
        }
    }

    /// The value of a number in a `dict`, by its hash, which is the number itself.
    fn of_int(&self, dict: u64, number: u64) -> Option<u64> {
        let dict = self.typed(dict, self.types.dict)?;
        let table = self.table(self.pointer(dict, self.offsets.dict_keys)?)?;
        let values = self.memory.pointer(at(dict, self.offsets.dict_values))?;
        if table.kind != Kind::General || values != 0 || number >= (1 << 61) - 1 {
            return None;
        }
        let (mut at, mut rest) = (number, number);
        for _ in 0..(1 << table.log2_size) + 16 {
            match self.index(&table, at)? {
                Index::Entry(place) if place < table.count => {
                    let key = table.key(place);
                    if self.memory.word(table.entry(place))? == number
                        && self.is_int(self.pointer(key, 0)?, number)?
                    {
                        return self.pointer(key, 8);
                    }
                }
                Index::Deleted => {}
                Index::Entry(_) | Index::Empty => return None,
            }
            rest >>= 5;
            at = at.wrapping_mul(5).wrapping_add(rest).wrapping_add(1);
        }
        None
    }

    /// The index at a hash.
    fn index(&self, table: &Table, hash: u64) -> Option<Index> {
        let width = index_width(table.log2_size);
        let at = table
            .indices
            .wrapping_add((hash & ((1 << table.log2_size) - 1)) * width);
        let word = self.memory.word(at & !7)? >> (8 * (at & 7));
        let largest = (1 << (8 * width)) - 1;
        Some(match word & largest {
            empty if empty == largest => Index::Empty,
            deleted if deleted == largest - 1 => Index::Deleted,
            place => Index::Entry(place),
        })
    }

    /// A dictionary's keys.
    fn table(&self, keys: u64) -> Option<Table> {
        let count = self.memory.pointer(at(keys, self.offsets.keys_count))?;
        let indices = at(keys, self.offsets.keys_indices);
        let size = self.memory.pointer(at(keys, self.offsets.keys_size))?;
        let (log2_size, log2_bytes, kind) = match self.offsets.attributes {
            Attributes::Dict => {
                if !size.is_power_of_two() {
                    return None;
                }
                let log2_size = u64::from(size.trailing_zeros());
                (
                    log2_size,
                    log2_size + u64::from(index_width(log2_size).trailing_zeros()),
                    Kind::General,
                )
            }
            _ => {
                let kind = match size >> 16 & 0xff {
                    0 => Kind::General,
                    1 => Kind::Unicode,
                    2 => Kind::Split,
                    _ => return None,
                };
                (size & 0xff, size >> 8 & 0xff, kind)
            }
        };
        if log2_size > LARGEST || log2_bytes > LARGEST + 2 || count > 1 << log2_size {
            return None;
        }
        Some(Table {
            indices,
            log2_size,
            entries: indices.wrapping_add(1 << log2_bytes),
            count,
            kind,
        })
    }

    /// Which entry has a key of text. The place where it was last is looked at first.
    fn place_of(&self, table: &Table, key: &Key) -> Option<u64> {
        let is_it = |place: u64| {
            let text = self.memory.pointer(table.key(place))?;
            if text == 0 {
                Some(false)
            } else {
                self.is_text(text, key.text)
            }
        };
        let last = key.place.load(Relaxed);
        if last < table.count && is_it(last) == Some(true) {
            return Some(last);
        }
        for place in 0..table.count {
            if is_it(place)? {
                key.place.store(place, Relaxed);
                return Some(place);
            }
        }
        None
    }

    /// Whether an object is this `str`, which is short and ASCII.
    fn is_text(&self, object: u64, expected: &[u8]) -> Option<bool> {
        if self
            .memory
            .pointer(at(object, self.layout.object.ob_type))?
            != self.types.text
        {
            return Some(false);
        }
        if self.memory.word(at(object, self.layout.object.str_len))? != expected.len() as u64 {
            return Some(false);
        }
        let Some(text) = self.text(object).filter(|text| text.width == 1) else {
            return Some(false);
        };
        for (n, byte) in expected.iter().enumerate() {
            if self.character(&text, n as u64)? != u32::from(*byte) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Whether an object is the `int` of a number.
    fn is_int(&self, object: u64, expected: u64) -> Option<bool> {
        self.typed(object, self.types.int)?;
        let head = self.offsets.head;
        let size = self.memory.word(at(object, head))?;
        let digits = match self.layout.version {
            // The sign, and since 3.14 whether it is immortal, are below the number of digits.
            0x030c.. if size & 3 != 0 => return Some(false),
            0x030c.. => size >> 3,
            _ => size,
        };
        if !matches!(digits, 1..=3) {
            return Some(false);
        }
        let low = self.memory.word(at(object, head + 8))?;
        let mut number = low & 0x3fff_ffff;
        if digits > 1 {
            number |= (low >> 32 & 0x3fff_ffff) << 30;
        }
        if digits > 2 {
            number |= (self.memory.word(at(object, head + 16))? & 0xf) << 60;
        }
        Some(number == expected)
    }

    /// An attribute of an instance of a class.
    fn attribute(&self, object: u64, key: &Key) -> Option<u64> {
        const INLINE: u64 = 1 << 2;
        const MANAGED: u64 = 1 << 4;
        const CLASS: u64 = 1 << 9 | 1 << 12;
        let class = self.pointer(object, self.layout.object.ob_type)?;
        let flags = self.memory.word(at(class, self.offsets.type_flags))?;
        if flags & CLASS != CLASS {
            return None;
        }
        if self.offsets.attributes == Attributes::Dict || flags & MANAGED == 0 {
            let offset = self
                .memory
                .pointer(at(class, self.offsets.type_dictoffset))?;
            if !(16..1 << 16).contains(&offset) {
                return None;
            }
            return self.of_text(self.pointer(object, offset as i32)?, key);
        }
        let dict = self.memory.word(at(object, self.offsets.managed_dict))?;
        let values = match self.offsets.attributes {
            Attributes::Dict => 0,
            Attributes::Beside => self.memory.pointer(at(object, -32))?,
            Attributes::Tagged if dict & 1 != 0 => dict.wrapping_add(1),
            Attributes::Tagged => 0,
            Attributes::Inline if dict == 0 && flags & INLINE != 0 => {
                let size = self
                    .memory
                    .pointer(at(class, self.offsets.type_basicsize))?;
                let values = object.wrapping_add(size);
                // Whether they are still in use.
                if size >= 1 << 16 || self.memory.pointer(values)? >> 24 & 0xff == 0 {
                    return None;
                }
                values
            }
            Attributes::Inline => 0,
        };
        if values == 0 {
            return self.of_text(dict, key);
        }
        let table = self.table(self.pointer(class, self.offsets.type_cached_keys)?)?;
        if table.kind != Kind::Split {
            return None;
        }
        let place = self.place_of(&table, key)?;
        self.of_values(values, place)
    }

    /// A value of a dictionary that has its keys in common with others.
    fn of_values(&self, values: u64, place: u64) -> Option<u64> {
        let room = match self.offsets.attributes {
            Attributes::Dict => 1 << LARGEST,
            // The byte before them counts the bytes before them: two, and one for each value.
            Attributes::Beside | Attributes::Tagged => {
                (self.memory.pointer(at(values, -8))? >> 56).saturating_sub(2)
            }
            Attributes::Inline => self.memory.pointer(values)? & 0xff,
        };
        if place >= room {
            return None;
        }
        self.pointer(at(values, self.offsets.values).wrapping_add(8 * place), 0)
    }

    /// Where the characters of a `str` are.
    fn text(&self, object: u64) -> Option<Characters> {
        let layout = &self.layout.object;
        let object = self.typed(object, self.types.text)?;
        let len = self.memory.pointer(at(object, layout.str_len))?;
        let state = self.memory.pointer(at(object, layout.str_state))? >> layout.str_kind_shift;
        let (width, compact, ascii) = (state & 7, state >> 3 & 1, state >> 4 & 1);
        if compact == 0 || !matches!(width, 1 | 2 | 4) || ascii == 1 && width != 1 || len > 1 << 24
        {
            return None;
        }
        let data = if ascii == 1 {
            layout.str_ascii_data
        } else {
            layout.str_compact_data
        };
        Some(Characters {
            data: at(object, data),
            len,
            width,
        })
    }

    /// One of them. No character goes over the border of a word.
    fn character(&self, text: &Characters, n: u64) -> Option<u32> {
        let at = text.data.wrapping_add(n * text.width);
        let word = self.memory.word(at & !7)? >> (8 * (at & 7));
        Some((word & ((1 << (8 * text.width)) - 1)) as u32)
    }

    /// Adds a `str` that is not empty.
    fn utf8(&self, object: u64, into: &mut Text<128>) -> Option<()> {
        let text = self.text(object).filter(|text| text.len > 0)?;
        let mut bytes = 0;
        for n in 0..text.len {
            let mut buffer = [0; 4];
            let utf8: &[u8] = match self.character(&text, n)? {
                // What was no UTF-8 when Python decoded it.
                byte @ 0xdc80..0xdd00 => &[byte as u8],
                0 => b"?",
                other => char::from_u32(other)
                    .map_or(b"?", |other| other.encode_utf8(&mut buffer).as_bytes()),
            };
            bytes += utf8.len();
            if bytes > LONGEST {
                return into.push("…".as_bytes()).then_some(());
            }
            if !into.push(utf8) {
                return None;
            }
        }
        Some(())
    }
}

/// The characters of a `str`, and how many bytes one has.
struct Characters {
    data: u64,
    len: u64,
    width: u64,
}

/// What is in a dictionary's table of hashes.
enum Index {
    Empty,
    Deleted,
    /// The number of an entry.
    Entry(u64),
}

/// How many bytes an index has in a table of so many.
fn index_width(log2_size: u64) -> u64 {
    match log2_size {
        ..8 => 1,
        8..16 => 2,
        _ => 4,
    }
}

/// Where a version keeps what is read here, besides what is in its [`Layout`]. Bytes from the start of
/// each structure, those of release builds for 64-bit Linux; `layouts/names.c` prints them.
#[derive(Clone, Copy, Debug)]
struct Offsets {
    version: u16,
    free_threaded: bool,
    /// The length of `PyObject`.
    head: i32,
    /// Where the pointer to an instance's dictionary is that is not among its attributes.
    managed_dict: i32,
    /// In `PyInterpreterState`: `sys.modules`.
    modules: i32,
    module_dict: i32,
    type_basicsize: i32,
    type_flags: i32,
    type_dictoffset: i32,
    /// The keys that instances have in common.
    type_cached_keys: i32,
    dict_keys: i32,
    dict_values: i32,
    /// In `PyDictKeysObject`: the size of the table of hashes; since 3.11 as a power of two, with its
    /// length in bytes as a power of two and the kind of the entries behind it.
    keys_size: i32,
    keys_count: i32,
    keys_indices: i32,
    attributes: Attributes,
    /// In `PyDictValues`: the first value.
    values: i32,
}

/// Where the attributes of an instance are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attributes {
    /// In a `dict`.
    Dict,
    /// As values that a pointer before the object points to, or in a `dict` as the next one does.
    Beside,
    /// The same with one pointer, whose lowest bit says which it is.
    Tagged,
    /// As values behind the object, unless there is a `dict`.
    Inline,
}

/// Those of a version.
fn offsets(layout: &Layout) -> Option<&'static Offsets> {
    let build = (layout.version, layout.free_threaded);
    OFFSETS
        .iter()
        .find(|offsets| (offsets.version, offsets.free_threaded) == build)
}

/// Each says how it differs from the one before.
static OFFSETS: [Offsets; 9] = [PY38, PY39, PY310, PY311, PY312, PY313, PY314, PY315, PY313T];

const PY38: Offsets = Offsets {
    version: 0x0308,
    free_threaded: false,
    head: 16,
    managed_dict: -24,
    modules: 56,
    module_dict: 16,
    type_basicsize: 32,
    type_flags: 168,
    type_dictoffset: 288,
    type_cached_keys: 872,
    dict_keys: 32,
    dict_values: 40,
    keys_size: 8,
    keys_count: 32,
    keys_indices: 40,
    attributes: Attributes::Dict,
    values: 0,
};
const PY39: Offsets = Offsets {
    version: 0x0309,
    modules: 856,
    type_cached_keys: 864,
    ..PY38
};
const PY310: Offsets = Offsets {
    version: 0x030a,
    type_cached_keys: 872,
    ..PY39
};
const PY311: Offsets = Offsets {
    version: 0x030b,
    modules: 888,
    keys_count: 24,
    keys_indices: 32,
    attributes: Attributes::Beside,
    ..PY310
};
const PY312: Offsets = Offsets {
    version: 0x030c,
    modules: 944,
    type_cached_keys: 880,
    attributes: Attributes::Tagged,
    ..PY311
};
const PY313: Offsets = Offsets {
    version: 0x030d,
    modules: 7656,
    attributes: Attributes::Inline,
    values: 8,
    ..PY312
};
const PY314: Offsets = Offsets {
    version: 0x030e,
    modules: 7688,
    ..PY313
};
const PY315: Offsets = Offsets {
    version: 0x030f,
    modules: 7592,
    type_cached_keys: 888,
    ..PY314
};
/// What lies behind the head of an object, or behind that of a type, has moved.
const PY313T: Offsets = Offsets {
    free_threaded: true,
    head: 32,
    managed_dict: -8,
    modules: 7664,
    module_dict: 32,
    type_basicsize: 48,
    type_flags: 184,
    type_dictoffset: 304,
    type_cached_keys: 896,
    dict_keys: 48,
    dict_values: 56,
    ..PY313
};

#[cfg(test)]
mod tests;
