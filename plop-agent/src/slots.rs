//! A slot for each thread that is sampled: what its handler writes and the agent's thread reads.
//!
//! A slot goes from free over claimed and armed to retired, and is free again only when its ring has
//! been emptied: a slot that is used anew never loses what its last thread left in it.

use core::sync::atomic::{
    AtomicI32, AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::sys;

/// The deepest stack that is kept whole; of a deeper one the leaf side is.
pub(crate) const DEEPEST: usize = 1024;

/// How many threads at once.
pub(crate) const SLOTS: usize = 8192;

/// The states of a slot.
pub(crate) const FREE: u32 = 0;
pub(crate) const CLAIMED: u32 = 1;
pub(crate) const ARMED: u32 = 2;
pub(crate) const RETIRED: u32 = 3;

/// What is counted for each thread, by its handler.
#[derive(Default)]
pub(crate) struct Counts {
    /// Ticks that became samples.
    pub(crate) delivered: AtomicU64,
    /// Samples that found no room.
    pub(crate) dropped: AtomicU64,
    /// Ticks that the kernel says it could not deliver one by one.
    pub(crate) overruns: AtomicU64,
    /// Walks that ended at an implausible frame.
    pub(crate) rejected: AtomicU64,
    /// Stacks deeper than [`DEEPEST`].
    pub(crate) cut: AtomicU64,
    /// Ticks without Python frames.
    pub(crate) no_python: AtomicU64,
    /// Signals handled.
    pub(crate) signals: AtomicU64,
    /// Cycles in the handler.
    pub(crate) cycles: AtomicU64,
}

/// What a slot's `masked` says: the thread takes our signal; the thread has blocked it, by its own word; it was
/// seen from outside to have it blocked, be it in passing.
pub(crate) const OPEN: u32 = 0;
pub(crate) const BLOCKED: u32 = 1;
pub(crate) const SEEMS_BLOCKED: u32 = 2;

/// What is known of one thread.
#[repr(C, align(64))]
pub(crate) struct Slot {
    pub(crate) state: AtomicU32,
    pub(crate) tid: AtomicI32,
    /// Whether its handler is running.
    pub(crate) busy: AtomicU32,
    /// The POSIX timer's id and one; 0 for none.
    pub(crate) timer: AtomicI32,
    /// The perf event's descriptor and one; 0 for none.
    pub(crate) event: AtomicI32,
    /// What tells the event from a file of the program that has got its number.
    pub(crate) event_id: AtomicU64,
    /// State of the generator of jitter.
    pub(crate) random: AtomicU32,
    /// Whether the thread has our signal blocked: [`OPEN`], or else it has no timer.
    pub(crate) masked: AtomicU32,
    /// How much of a period was left when its timer was stopped, and its CPU clock then.
    pub(crate) left_ns: AtomicU64,
    pub(crate) paused_at_ns: AtomicU64,
    /// How many cycles its last handler took.
    pub(crate) cost: AtomicU64,
    /// How many ticks are passed over, so that handlers take no more than their share.
    pub(crate) skip: AtomicU32,
    /// Ticks that were passed over, which the next sample counts.
    pub(crate) skipped: AtomicU32,
    /// Elapsed time that the thread's next CPU sample carries.
    pub(crate) pending_ns: AtomicU64,
    pub(crate) counts: Counts,
    /// The routine that the thread was started with, and its argument.
    pub(crate) routine: AtomicU64,
    pub(crate) argument: AtomicU64,

    // Of the agent's thread alone.
    /// Its row in the table of threads, and one.
    pub(crate) thread: AtomicU32,
    /// The scan that saw it last.
    pub(crate) seen: AtomicU32,
    /// Its CPU clock when it was looked at last.
    pub(crate) clock: AtomicU64,
    /// The same, also where it ran on.
    pub(crate) ran_until: AtomicU64,
    /// When its thread began, as far as is known, and when it ended.
    pub(crate) since_ns: AtomicU64,
    pub(crate) ended_ns: AtomicU64,
    /// When it was looked at last.
    pub(crate) visited: AtomicU64,
    /// The stack, and the state, that were seen then.
    pub(crate) node: AtomicU32,
    pub(crate) doing: AtomicU32,
    /// The stack of its last CPU sample.
    pub(crate) ran: AtomicU32,
    /// Elapsed time that is not yet a whole sample.
    pub(crate) carry_ns: AtomicU64,
    /// Its Python thread state, and the list that had it last.
    pub(crate) tstate: AtomicU64,
    pub(crate) listed: AtomicU32,

    head: AtomicU64,
    tail: AtomicU64,
    mask: u64,
}

impl Slot {
    /// Words that the handler works in.
    pub(crate) fn scratch(&self) -> &[AtomicU64] {
        // SAFETY: a slot is mapped with its scratch words behind it.
        unsafe { core::slice::from_raw_parts((&raw const *self).add(1).cast(), DEEPEST) }
    }

    fn ring(&self) -> &[AtomicU64] {
        let words = self.mask as usize + 1;
        // SAFETY: and with its ring behind these.
        unsafe {
            let scratch: *const AtomicU64 = (&raw const *self).add(1).cast();
            core::slice::from_raw_parts(scratch.add(DEEPEST), words)
        }
    }

    /// The word at a position of the ring.
    #[inline]
    pub(crate) fn word(&self, at: u64) -> u64 {
        self.ring()
            .get((at & self.mask) as usize)
            .map_or(0, |word| word.load(Relaxed))
    }

    /// From where on to read, and how far.
    pub(crate) fn unread(&self) -> (u64, u64) {
        (self.tail.load(Relaxed), self.head.load(Acquire))
    }

    /// Everything before a position has been read.
    pub(crate) fn read_up_to(&self, at: u64) {
        self.tail.store(at, Release);
    }

    /// Begins a record. Only the thread that owns the slot, or rather its handler, writes.
    #[inline]
    pub(crate) fn record(&self) -> Record<'_> {
        let head = self.head.load(Relaxed);
        Record {
            slot: self,
            at: head,
            limit: self.tail.load(Acquire) + self.mask + 1,
            fits: true,
        }
    }

    /// The next number of the generator of jitter.
    #[inline]
    pub(crate) fn next_random(&self) -> u32 {
        let mut x = self.random.load(Relaxed).max(1);
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.store(x, Relaxed);
        x
    }
}

/// A record on its way into a ring: it is there as a whole when it is committed, or not at all.
pub(crate) struct Record<'s> {
    slot: &'s Slot,
    at: u64,
    limit: u64,
    fits: bool,
}

impl Record<'_> {
    #[inline]
    pub(crate) fn put(&mut self, word: u64) {
        if self.at >= self.limit {
            self.fits = false;
            return;
        }
        if let Some(place) = self.slot.ring().get((self.at & self.slot.mask) as usize) {
            place.store(word, Relaxed);
        }
        self.at += 1;
    }

    /// Whether everything has fitted so far.
    #[inline]
    pub(crate) fn fits(&self) -> bool {
        self.fits
    }

    /// Puts the length into the first word and makes the record readable; whether it fitted.
    #[inline]
    pub(crate) fn commit(self, index: usize) -> bool {
        let start = self.slot.head.load(Relaxed);
        if !self.fits {
            return false;
        }
        if let Some(first) = self.slot.ring().get((start & self.slot.mask) as usize) {
            first.store(first.load(Relaxed) | (self.at - start), Relaxed);
        }
        self.slot.head.store(self.at, Release);
        mark(index);
        true
    }
}

static ALL: [AtomicPtr<Slot>; SLOTS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; SLOTS];
/// How many slots there are.
static MADE: AtomicU32 = AtomicU32::new(0);
/// No slot before this one is free. Above it, how many have been given back.
static FIRST_FREE: AtomicU64 = AtomicU64::new(0);
/// Words in a new ring.
static RING: AtomicU32 = AtomicU32::new(1 << 14);
/// Which slots have something unread.
static UNREAD: [AtomicU64; SLOTS / 64] = [const { AtomicU64::new(0) }; SLOTS / 64];

/// Sets the size of new rings, for a rate: room for a tenth of a second of stacks, and for the largest
/// definition.
pub(crate) fn set_ring(rate: u32) {
    RING.store(
        (rate * 16).next_power_of_two().clamp(1 << 14, 1 << 18),
        Relaxed,
    );
}

/// The size of new rings.
pub(crate) fn ring_words() -> u64 {
    RING.load(Relaxed).into()
}

/// The slot of an index.
#[inline]
pub(crate) fn get(index: usize) -> Option<&'static Slot> {
    let slot = ALL.get(index)?.load(Acquire);
    // SAFETY: a slot, once made, stays, until the process is another.
    unsafe { slot.as_ref() }
}

/// How many slots have been made.
pub(crate) fn made() -> u32 {
    MADE.load(Relaxed)
}

/// All slots with their index.
pub(crate) fn all() -> impl Iterator<Item = (usize, &'static Slot)> {
    all_from(0)
}

fn all_from(first: u32) -> impl Iterator<Item = (usize, &'static Slot)> {
    (first..MADE.load(Acquire)).filter_map(|index| Some((index as usize, get(index as usize)?)))
}

/// The slot of a thread that is armed.
pub(crate) fn of(tid: i32) -> Option<(usize, &'static Slot)> {
    all().find(|(_, slot)| slot.tid.load(Relaxed) == tid && slot.state.load(Acquire) == ARMED)
}

/// A free slot, claimed; `None` when there is no memory or there are too many threads.
pub(crate) fn claim() -> Option<(usize, &'static Slot)> {
    let first = FIRST_FREE.load(Acquire);
    let free = all_from(first as u32).find(|(_, slot)| {
        slot.state.load(Relaxed) == FREE
            && slot
                .state
                .compare_exchange(FREE, CLAIMED, AcqRel, Relaxed)
                .is_ok()
    });
    let claimed = free.or_else(make);
    if let Some((index, _)) = claimed {
        // Not if one has been given back meanwhile.
        let next = first >> 32 << 32 | (index as u64 + 1);
        let _ = FIRST_FREE.compare_exchange(first, next, AcqRel, Relaxed);
    }
    claimed
}

/// Gives a slot back.
pub(crate) fn free(index: usize, slot: &Slot) {
    slot.state.store(FREE, Release);
    let _ = FIRST_FREE.fetch_update(AcqRel, Acquire, |first| {
        let lowest = (first as u32).min(index as u32);
        Some(first.wrapping_add(1 << 32) >> 32 << 32 | u64::from(lowest))
    });
}

fn bytes_of(ring: u32) -> usize {
    size_of::<Slot>() + (DEEPEST + ring as usize) * 8
}

fn make() -> Option<(usize, &'static Slot)> {
    let ring = RING.load(Relaxed);
    let slot: *mut Slot = sys::map(bytes_of(ring)).cast();
    if slot.is_null() {
        return None;
    }
    // SAFETY: fresh memory of the right size; zeros are a free slot.
    unsafe {
        (*slot).mask = u64::from(ring) - 1;
        (*slot).state.store(CLAIMED, Relaxed);
    }
    let index = MADE.load(Relaxed);
    for index in index as usize..SLOTS {
        let Some(place) = ALL.get(index) else { break };
        if place
            .compare_exchange(core::ptr::null_mut(), slot, AcqRel, Relaxed)
            .is_ok()
        {
            MADE.fetch_max(index as u32 + 1, AcqRel);
            return Some((index, get(index)?));
        }
    }
    // SAFETY: nobody else has seen it.
    unsafe { sys::unmap(slot.cast(), bytes_of(ring)) };
    None
}

/// Sets a claimed slot up for a thread.
pub(crate) fn prepare(slot: &Slot, tid: i32) {
    begin_again(slot);
    slot.tstate.store(0, Relaxed);
    slot.since_ns.store(sys::now(), Relaxed);
    slot.ended_ns.store(0, Relaxed);
    slot.masked.store(OPEN, Relaxed);
    slot.random
        .store((tid as u32).wrapping_mul(2_654_435_761) | 1, Relaxed);
    slot.tid.store(tid, Release);
    PREPARED.fetch_add(1, Release);
}

/// How many threads have got a slot so far.
pub(crate) static PREPARED: AtomicU32 = AtomicU32::new(0);

/// Forgets what a slot's thread was last seen to do.
pub(crate) fn begin_again(slot: &Slot) {
    for word in [
        &slot.cost,
        &slot.clock,
        &slot.ran_until,
        &slot.visited,
        &slot.pending_ns,
        &slot.carry_ns,
    ] {
        word.store(0, Relaxed);
    }
    for word in [
        &slot.node,
        &slot.ran,
        &slot.skip,
        &slot.skipped,
        &slot.thread,
    ] {
        word.store(0, Relaxed);
    }
    slot.doing.store(u32::MAX, Relaxed);
}

/// Says that a slot has something unread.
#[inline]
pub(crate) fn mark(index: usize) {
    if let Some(word) = UNREAD.get(index / 64) {
        word.fetch_or(1 << (index % 64), AcqRel);
    }
}

/// Calls `visit` with every slot that has something unread, and has them count as read.
pub(crate) fn take_marked(mut visit: impl FnMut(usize, &'static Slot)) {
    let words = MADE.load(Acquire) as usize / 64 + 1;
    for (n, word) in UNREAD.iter().enumerate().take(words) {
        if word.load(Relaxed) == 0 {
            continue;
        }
        let mut bits = word.swap(0, AcqRel);
        while bits != 0 {
            let index = n * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            if let Some(slot) = get(index) {
                visit(index, slot);
            }
        }
    }
}

/// Forgets all slots and gives their memory back: for a child, in which none of their threads is.
///
/// # Safety
/// No handler runs, and nobody holds on to a slot.
pub(crate) unsafe fn forget() {
    FIRST_FREE.store(0, Relaxed);
    for (index, slot) in all() {
        if let Some(place) = ALL.get(index) {
            place.store(core::ptr::null_mut(), Relaxed);
        }
        let bytes = bytes_of(slot.mask as u32 + 1);
        // SAFETY: it was mapped with this size, and nobody has it any more.
        unsafe { sys::unmap((&raw const *slot).cast_mut().cast(), bytes) };
    }
    MADE.store(0, Relaxed);
    for word in &UNREAD {
        word.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn records_are_whole_or_not_there_and_slots_come_back_empty() {
        let _alone = crate::walk::tests::ALONE.lock();
        set_ring(1);
        let (index, slot) = claim().unwrap();
        prepare(slot, 77);
        slot.state.store(ARMED, Release);
        assert_eq!(of(77).unwrap().0, index);
        let mut record = slot.record();
        record.put(1 << 56);
        record.put(42);
        assert!(record.commit(index));
        let (from, to) = slot.unread();
        assert_eq!(
            (to - from, slot.word(from), slot.word(from + 1)),
            (2, 1 << 56 | 2, 42)
        );
        let mut marked = Vec::new();
        take_marked(|index, _| marked.push(index));
        assert_eq!(marked, [index]);

        let mut record = slot.record();
        (0..20_000).for_each(|n| record.put(n));
        assert!(!record.fits() && !record.commit(index));
        assert_eq!(slot.unread(), (from, to));
        slot.read_up_to(to);
        // Around the end of the ring.
        for n in 0..3000 {
            let mut record = slot.record();
            record.put(2 << 56);
            record.put(n);
            record.put(n + 1);
            assert!(record.commit(index));
            let (from, to) = slot.unread();
            assert_eq!(
                (slot.word(from + 1), slot.word(from + 2), to - from),
                (n, n + 1, 3)
            );
            slot.read_up_to(to);
        }
        let (other, other_slot) = claim().unwrap();
        assert_ne!(other, index);
        slot.tid.store(0, Release);
        free(index, slot);
        free(other, other_slot);
    }

    /// Many threads claim and give back: no slot is two threads', and none is lost.
    #[test]
    fn slots_are_one_threads_at_a_time_and_used_again() {
        let _alone = crate::walk::tests::ALONE.lock();
        set_ring(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..300 {
                        let claimed: Vec<_> =
                            (0..round % 7 + 1).map(|_| claim().unwrap()).collect();
                        for (_, slot) in &claimed {
                            assert_eq!(slot.tid.swap(-1, AcqRel), 0);
                        }
                        for (index, slot) in claimed {
                            slot.tid.store(0, Release);
                            free(index, slot);
                        }
                    }
                });
            }
        });
        let slots = made();
        let is_free = |slot: &Slot| slot.state.load(Relaxed) == FREE;
        let count = all().filter(|(_, slot)| is_free(slot)).count();
        let claimed: Vec<_> = (0..count).map(|_| claim().unwrap()).collect();
        let indices: BTreeSet<_> = claimed.iter().map(|(index, _)| index).collect();
        assert_eq!((indices.len(), made()), (count, slots));
        for (index, slot) in claimed {
            free(index, slot);
        }
    }
}
