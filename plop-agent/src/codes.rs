//! Which code object a frame runs, as a small number.
//!
//! A handler looks a code object up by what it is made of, without a lock. One that is not known yet is
//! defined: its names and its line table are copied into the thread's ring at once, so that nothing of
//! it is ever read after the handler has returned. Code objects may come and go as they like.
//!
//! When a table fills up, as in a program that compiles code for ever, the next generation gets an
//! empty one. A sample says which generation its numbers belong to.

use core::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::sys;

/// Stands for a code object that found no room.
pub(crate) const UNKNOWN: u32 = u32::MAX;

struct Table {
    at: AtomicPtr<AtomicU64>,
    len: AtomicU32,
    used: AtomicU32,
}

static TABLES: [Table; 2] = [const {
    Table {
        at: AtomicPtr::new(core::ptr::null_mut()),
        len: AtomicU32::new(0),
        used: AtomicU32::new(0),
    }
}; 2];
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The smallest and the largest table: what a small program needs, and what fits 64 megabytes with
/// everything that belongs to it.
const SMALLEST: u32 = 1 << 14;
const LARGEST: u32 = 1 << 16;

/// The generation that handlers are to use.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Acquire)
}

fn table(generation: u32) -> Option<(&'static Table, &'static [AtomicU64])> {
    let table = TABLES.get(generation as usize & 1)?;
    let at = table.at.load(Acquire);
    if at.is_null() {
        return None;
    }
    // SAFETY: a table stays while anybody can have its generation; see `next_generation`.
    Some((table, unsafe {
        core::slice::from_raw_parts(at, table.len.load(Relaxed) as usize)
    }))
}

/// What a look-up found.
pub(crate) enum Found {
    /// The number of a code object that is defined.
    Known(u32),
    /// It has to be defined; then [`publish`] it at this number.
    New(u32),
    /// There is no room.
    Full,
}

/// How far a key may stand from its place.
const PROBES: u32 = 32;

/// Looks a key up, from a number on.
#[inline]
pub(crate) fn find(generation: u32, key: u64, from: Option<u32>) -> Found {
    let Some((table, keys)) = table(generation) else {
        return Found::Full;
    };
    let mask = keys.len() as u32 - 1;
    let mut at = from.unwrap_or((key >> 7) as u32 & mask);
    for _ in 0..PROBES {
        match keys.get(at as usize).map(|place| place.load(Acquire)) {
            Some(known) if known == key => return Found::Known(at),
            Some(0) if u64::from(table.used.load(Relaxed)) * 4 >= keys.len() as u64 * 3 => {
                return Found::Full;
            }
            Some(0) => return Found::New(at),
            _ => at = (at + 1) & mask,
        }
    }
    Found::Full
}

/// Makes a definition known to all threads; whether the number is the key's now.
#[inline]
pub(crate) fn publish(generation: u32, key: u64, at: u32) -> bool {
    let Some((table, keys)) = table(generation) else {
        return false;
    };
    let Some(place) = keys.get(at as usize) else {
        return false;
    };
    match place.compare_exchange(0, key, AcqRel, Acquire) {
        Ok(_) => {
            table.used.fetch_add(1, Relaxed);
            true
        }
        Err(other) => other == key,
    }
}

/// The key of a number.
pub(crate) fn key_of(generation: u32, number: u32) -> Option<u64> {
    let (_, keys) = table(generation)?;
    keys.get(number as usize)
        .map(|key| key.load(Acquire))
        .filter(|key| *key != 0)
}

/// Whether the table is so full that a new generation should begin.
pub(crate) fn is_full() -> bool {
    table(generation()).is_some_and(|(table, keys)| {
        u64::from(table.used.load(Relaxed)) * 16 >= keys.len() as u64 * 11
    })
}

/// Begins a generation with an empty table; whether there was memory for it. The table of the one
/// before the last goes.
///
/// # Safety
/// No handler runs that began before the present generation did, and all that was recorded in the
/// generation before it has been read.
pub(crate) unsafe fn next_generation() -> bool {
    let now = generation();
    let next = if table(now).is_none() {
        now
    } else {
        now.wrapping_add(1)
    };
    let Some(place) = TABLES.get(next as usize & 1) else {
        return false;
    };
    let len = match table(now) {
        Some((_, keys)) => (keys.len() as u32 * 2).min(LARGEST),
        None => SMALLEST,
    };
    let fresh = sys::map(len as usize * 8);
    if fresh.is_null() {
        return false;
    }
    let old = place.at.swap(fresh.cast(), AcqRel);
    let old_len = place.len.swap(len, Relaxed);
    place.used.store(0, Relaxed);
    // SAFETY: nobody can have the table's generation any more.
    unsafe { sys::unmap(old.cast(), old_len as usize * 8) };
    GENERATION.store(next, Release);
    true
}

/// Forgets all tables, for a child.
///
/// # Safety
/// No handler runs.
pub(crate) unsafe fn forget() {
    for table in &TABLES {
        let at = table.at.swap(core::ptr::null_mut(), Relaxed);
        let len = table.len.swap(0, Relaxed);
        table.used.store(0, Relaxed);
        // SAFETY: nobody uses it.
        unsafe { sys::unmap(at.cast(), len as usize * 8) };
    }
    GENERATION.store(0, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, since there is one set of tables.
    #[test]
    fn codes_are_found_again_until_the_next_generation() {
        let _alone = crate::walk::tests::ALONE.lock();
        // SAFETY: nobody else uses the tables in this test.
        unsafe { forget() };
        // SAFETY: as above.
        assert!(unsafe { next_generation() });
        let generation = generation();
        let mut full = 0;
        for key in 1..20_000u64 {
            let key = key << 7;
            let mut from = None;
            loop {
                match find(generation, key, from) {
                    Found::New(at) if publish(generation, key, at) => break,
                    Found::New(at) => from = Some(at),
                    Found::Known(_) => panic!("never defined"),
                    Found::Full => {
                        full += 1;
                        break;
                    }
                }
            }
        }
        assert!(is_full() && full > 0, "{full}");
        let Found::Known(at) = find(generation, 5 << 7, None) else {
            panic!("lost")
        };
        assert_eq!(key_of(generation, at), Some(5 << 7));
        // SAFETY: as above.
        assert!(unsafe { next_generation() });
        assert!(matches!(find(generation + 1, 5 << 7, None), Found::New(_)));
        assert_eq!(key_of(generation, at), Some(5 << 7));
    }
}
