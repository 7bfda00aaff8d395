//! Records itself with the crate `pprof` and writes the profile as protobuf.
//!
//! A named thread and the main one compute in recursive, generic and inlined functions.
//! Usage: rustwork SECONDS OUTPUT

use std::hint::black_box;
use std::time::{Duration, Instant};

use pprof::protos::Message;

#[inline]
fn scramble(x: u64) -> u64 {
    (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

#[inline(never)]
fn churn(rounds: u64) -> u64 {
    (0..rounds).map(scramble).fold(0, u64::wrapping_add)
}

#[inline(never)]
fn nest(depth: u32, rounds: u64) -> u64 {
    match depth {
        0 => churn(rounds),
        _ => black_box(nest(depth - 1, rounds)) + 1,
    }
}

#[inline(never)]
fn sorted<T: Ord>(make: impl Fn(u64) -> T) -> Vec<T> {
    let mut values: Vec<T> = (0..500).map(make).collect();
    values.sort();
    values
}

fn compute(end: Instant) {
    while Instant::now() < end {
        black_box(nest(3, black_box(20_000)));
        black_box(sorted(scramble));
        black_box(sorted(|n| scramble(n).to_string()));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().unwrap().parse().unwrap();
    let output = arguments.next().unwrap();

    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let profiler = pprof::ProfilerGuard::new(100).unwrap();
    let worker = std::thread::Builder::new()
        .name("worker; 1".into())
        .spawn(move || compute(end))
        .unwrap();
    compute(end);
    worker.join().unwrap();
    let profile = profiler.report().build().unwrap().pprof().unwrap();
    std::fs::write(output, profile.encode_to_vec()).unwrap();
}
