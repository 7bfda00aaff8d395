//! What an empty signal costs on this machine: the part of a sampler's cost that it cannot measure
//! itself, since it lies before and behind the handler.

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::time::Instant;

/// Signals in a batch, and batches. The cheapest batch counts: the others were disturbed.
const BATCH: u32 = 20;
const BATCHES: u32 = 4;

/// Nanoseconds that it takes to send a signal to a thread, run an empty handler and return. It sends
/// itself SIGURG some eighty times, which takes a quarter of a millisecond.
pub fn empty_signal_ns() -> u64 {
    extern "C" fn nothing(_: i32) {}
    let handler: extern "C" fn(i32) = nothing;
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroes are a valid `sigaction`; the handler does nothing; the kernel fills `before` in,
    // and it is put back below.
    unsafe {
        let mut ours = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        ours.sa_sigaction = handler as usize;
        ours.sa_flags = libc::SA_RESTART;
        if libc::sigaction(libc::SIGURG, &ours, before.as_mut_ptr()) != 0 {
            return 0;
        }
    }
    let cheapest = (0..BATCHES)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..BATCH {
                // SAFETY: the signal has a handler.
                unsafe { libc::raise(libc::SIGURG) };
            }
            started.elapsed().as_nanos() as u64 / u64::from(BATCH)
        })
        .min();
    // SAFETY: what `sigaction` gave.
    unsafe { libc::sigaction(libc::SIGURG, before.as_ptr(), null_mut()) };
    cheapest.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_costs_something_but_not_much() {
        let cost = empty_signal_ns();
        assert!((100..1_000_000).contains(&cost), "{cost} ns");
    }
}
