//! Memory of our own: vectors and maps on fresh mappings, so that the program's allocator is never
//! entered. Every growth can be refused, and then nothing has changed.

use crate::sys;

/// A growable array of plain values.
pub(crate) struct Vector<T: Copy> {
    at: *mut T,
    len: usize,
    bytes: usize,
    /// Whether the memory is somebody else's, and cannot grow.
    lent: bool,
}

/// What a vector takes at first: a page.
const FIRST: usize = 4096;

impl<T: Copy> Vector<T> {
    pub(crate) const fn new() -> Self {
        Vector {
            at: core::ptr::null_mut(),
            len: 0,
            bytes: 0,
            lent: false,
        }
    }

    /// A vector in memory that is there already, for when there may be no other.
    ///
    /// # Safety
    /// Nobody else uses the memory while the vector is used.
    pub(crate) unsafe fn lent(memory: &mut [T]) -> Self {
        Vector {
            at: memory.as_mut_ptr(),
            len: 0,
            bytes: size_of_val(memory),
            lent: true,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes room for `more` values; whether there is.
    pub(crate) fn reserve(&mut self, more: usize) -> bool {
        let size = size_of::<T>().max(1);
        let needed = (self.len + more) * size;
        if needed <= self.bytes {
            return true;
        }
        if self.lent {
            return false;
        }
        let bytes = needed.next_power_of_two().max(FIRST);
        let at = if self.bytes == 0 {
            sys::map(bytes)
        } else {
            // SAFETY: the memory is this vector's alone.
            unsafe { sys::remap(self.at.cast(), self.bytes, bytes) }
        };
        if at.is_null() {
            return false;
        }
        self.at = at.cast();
        self.bytes = bytes;
        true
    }

    /// Adds a value; whether there was room.
    pub(crate) fn push(&mut self, value: T) -> bool {
        if !self.reserve(1) {
            return false;
        }
        // SAFETY: there is room for one more; mappings are aligned to pages.
        unsafe { self.at.add(self.len).write(value) };
        self.len += 1;
        true
    }

    /// Adds values; whether there was room for all of them.
    pub(crate) fn extend(&mut self, values: &[T]) -> bool {
        if !self.reserve(values.len()) {
            return false;
        }
        // SAFETY: there is room for them, and a slice of others does not overlap it.
        unsafe {
            core::ptr::copy_nonoverlapping(values.as_ptr(), self.at.add(self.len), values.len());
        }
        self.len += values.len();
        true
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        if self.at.is_null() {
            return &[];
        }
        // SAFETY: the first `len` values were written.
        unsafe { core::slice::from_raw_parts(self.at, self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        if self.at.is_null() {
            return &mut [];
        }
        // SAFETY: the first `len` values were written.
        unsafe { core::slice::from_raw_parts_mut(self.at, self.len) }
    }

    pub(crate) fn get(&self, n: usize) -> Option<T> {
        self.as_slice().get(n).copied()
    }

    pub(crate) fn get_mut(&mut self, n: usize) -> Option<&mut T> {
        self.as_mut_slice().get_mut(n)
    }

    /// Sorts by a number: a heap sort, since those of the standard library can panic.
    pub(crate) fn sort_by_key(&mut self, key: impl Fn(&T) -> u64) {
        let values = self.as_mut_slice();
        for root in (0..values.len() / 2).rev() {
            sift(values, root, values.len(), &key);
        }
        for end in (1..values.len()).rev() {
            swap(values, 0, end);
            sift(values, 0, end, &key);
        }
    }

    /// Forgets the values and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Gives the memory back.
    pub(crate) fn free(&mut self) {
        if !self.lent {
            // SAFETY: the memory is this vector's alone, and nothing borrows it here.
            unsafe { sys::unmap(self.at.cast(), self.bytes) };
        }
        *self = Vector::new();
    }
}

fn swap<T: Copy>(values: &mut [T], one: usize, other: usize) {
    if let (Some(first), Some(second)) = (values.get(one).copied(), values.get(other).copied()) {
        for (at, value) in [(one, second), (other, first)] {
            if let Some(place) = values.get_mut(at) {
                *place = value;
            }
        }
    }
}

/// Moves a value down the heap until both below it are no larger.
fn sift<T: Copy>(values: &mut [T], mut root: usize, end: usize, key: &impl Fn(&T) -> u64) {
    let key_at = |values: &[T], at: usize| match values.get(at) {
        Some(value) if at < end => Some(key(value)),
        _ => None,
    };
    loop {
        let (left, right) = (2 * root + 1, 2 * root + 2);
        let larger = if key_at(values, right) > key_at(values, left) {
            right
        } else {
            left
        };
        if key_at(values, larger) <= key_at(values, root) || larger >= values.len() {
            return;
        }
        swap(values, root, larger);
        root = larger;
    }
}

/// A map from numbers that are not 0 to ids.
pub(crate) struct Map {
    entries: Vector<Entry>,
    used: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    key: u64,
    value: u32,
}

impl Map {
    pub(crate) const fn new() -> Self {
        Map {
            entries: Vector::new(),
            used: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.bytes()
    }

    fn start(&self, key: u64) -> usize {
        mix(key) as usize & self.entries.len().wrapping_sub(1)
    }

    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        let entries = self.entries.as_slice();
        let mut at = self.start(key);
        for _ in 0..entries.len() {
            match entries.get(at) {
                Some(entry) if entry.key == key => return Some(entry.value),
                Some(entry) if entry.key != 0 => at = (at + 1) & (entries.len() - 1),
                _ => return None,
            }
        }
        None
    }

    /// Puts a key in, or gives it another value; whether there was room.
    pub(crate) fn insert(&mut self, key: u64, value: u32) -> bool {
        if (self.used + 1) * 8 > self.entries.len() * 5 && !self.grow() {
            return false;
        }
        self.place(key, value)
    }

    fn place(&mut self, key: u64, value: u32) -> bool {
        let mut at = self.start(key);
        let entries = self.entries.as_mut_slice();
        let last = entries.len().wrapping_sub(1);
        for _ in 0..entries.len() {
            let Some(entry) = entries.get_mut(at) else {
                return false;
            };
            if entry.key == 0 || entry.key == key {
                self.used += usize::from(entry.key == 0);
                *entry = Entry { key, value };
                return true;
            }
            at = (at + 1) & last;
        }
        false
    }

    fn grow(&mut self) -> bool {
        let len = (self.entries.len() * 2).max(FIRST / size_of::<Entry>());
        let mut larger = Map::new();
        if !larger.entries.reserve(len) {
            return false;
        }
        // Fresh mappings are zeros, and zeros are empty entries.
        larger.entries.len = len;
        for entry in self.entries.as_slice() {
            if entry.key != 0 {
                larger.place(entry.key, entry.value);
            }
        }
        self.free();
        *self = larger;
        true
    }

    /// Empties it, giving the memory back.
    pub(crate) fn free(&mut self) {
        self.entries.free();
        self.used = 0;
    }
}

/// Spreads the bits of a number.
#[inline]
pub(crate) fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (key ^ (key >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (key >> 32)
}

/// A hash of bytes; never 0.
pub(crate) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut at = mix(seed ^ bytes.len() as u64 ^ 0x51_7c_c1_b7_27_22_0a_95);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let mut buffer = [0u8; 8];
        buffer.copy_from_slice(word);
        at = mix(at ^ u64::from_le_bytes(buffer)).rotate_left(23);
    }
    for byte in words.remainder() {
        at = mix(at ^ u64::from(*byte)).rotate_left(7);
    }
    at.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_grows_and_keeps_what_is_in_it() {
        let mut vector = Vector::new();
        for n in 0..100_000u32 {
            assert!(vector.push(n));
        }
        assert!(vector.as_slice().iter().copied().eq(0..100_000));
        assert!(vector.extend(&[7; 3]));
        assert_eq!(
            (vector.len(), vector.get(100_002), vector.get(100_003)),
            (100_003, Some(7), None)
        );
        vector.free();
        assert_eq!(vector.as_slice(), &[]);
    }

    #[test]
    fn a_vector_is_sorted() {
        for len in [0, 1, 2, 3, 10, 1000] {
            let mut vector = Vector::new();
            let mut number = 7u64;
            for _ in 0..len {
                number = mix(number + 1);
                vector.push(number % 500);
            }
            let mut sorted = vector.as_slice().to_vec();
            sorted.sort();
            vector.sort_by_key(|number| *number);
            assert_eq!(vector.as_slice(), sorted);
        }
    }

    #[test]
    fn a_map_finds_what_was_put_in() {
        let mut map = Map::new();
        assert_eq!(map.get(1), None);
        for n in 1..50_000u64 {
            assert!(map.insert(n << 20, n as u32));
        }
        assert!((1..50_000u64).all(|n| map.get(n << 20) == Some(n as u32)));
        assert!(map.insert(1 << 20, 9));
        assert_eq!((map.get(1 << 20), map.get(5)), (Some(9), None));
        map.free();
        assert_eq!(map.get(1 << 20), None);
    }

    #[test]
    fn bytes_that_differ_hash_differently() {
        let texts: [&[u8]; 6] = [b"", b"a", b"b", b"aaaaaaaa", b"aaaaaaaab", b"aaaaaaaaa"];
        for (n, text) in texts.iter().enumerate() {
            assert!(
                texts[..n]
                    .iter()
                    .all(|other| hash(other, 0) != hash(text, 0))
            );
        }
        assert_ne!(hash(b"a", 0), hash(b"a", 1));
    }
}
