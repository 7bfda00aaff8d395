//! A Rust program samples itself. The tests take turns, since there is one sampler in a process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plop_sampler::{Mode, Sampler};

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Uses the processor until so many ticks of 4 ms must have come on any machine.
fn work(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        std::hint::black_box((0..1000u64).sum::<u64>());
    }
}

/// The signals that have handlers, and the timers, as the kernel tells them.
fn installed() -> (String, String) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let caught = status
        .lines()
        .find(|line| line.starts_with("SigCgt:"))
        .unwrap();
    let timers = std::fs::read_to_string("/proc/self/timers").unwrap_or_default();
    (caught.to_owned(), timers)
}

#[test]
fn a_program_without_python_has_ticks_and_no_functions() {
    let _turn = turn();
    let running = Sampler::new().hertz(100).mode(Mode::Cpu).start().unwrap();
    work(Duration::from_millis(300));
    let so_far = running.snapshot().unwrap();
    assert!(!so_far.process.finished);
    let recording = running.stop().unwrap();
    let process = &recording.process;
    assert_eq!(
        (process.mode.as_str(), process.pid),
        ("cpu", std::process::id().into())
    );
    assert!(
        process.counters.signals > 0 && process.counters.no_python > 0,
        "{process:?}"
    );
    let profile = recording.into_profile();
    assert!(
        profile
            .stacks
            .iter()
            .all(|(_, _, frame)| profile.file_of(frame).is_empty())
    );
    assert_eq!(profile.meta.period.unwrap().every, 10_000_000);
}

#[test]
fn there_is_one_sampler_and_it_puts_everything_back() {
    let _turn = turn();
    let before = installed();
    let running = Sampler::new().start().unwrap();
    let second = Sampler::new().start().err().unwrap();
    assert_eq!(second.to_string(), "the sampler runs already");
    work(Duration::from_millis(50));
    drop(running);
    assert_eq!(installed(), before);
    // A duration that is over does not disturb stopping.
    let running = Sampler::new()
        .duration(Duration::from_millis(20))
        .start()
        .unwrap();
    work(Duration::from_millis(200));
    let recording = running.stop().unwrap();
    assert_eq!(recording.process.ended, "duration");
    assert_eq!(installed(), before);
}

/// `cargo test --release -p plop-sampler ten_thousand -- --ignored`
#[test]
#[ignore = "takes a minute"]
fn ten_thousand_starts_and_stops_under_load() {
    let _turn = turn();
    let before = installed();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    work(Duration::from_millis(1));
                }
            });
        }
        for n in 0..10_000 {
            let mode = [Mode::CpuWall, Mode::Cpu, Mode::Wall, Mode::Prof][n % 4];
            let sampler = Sampler::new().hertz(1000).mode(mode);
            let recording = sampler.start().unwrap().stop().unwrap();
            assert_eq!(recording.process.mode, mode.name());
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(installed(), before);
}

#[test]
fn it_can_be_started_and_stopped_again_and_again() {
    let _turn = turn();
    let before = installed();
    for mode in [
        Mode::CpuWall,
        Mode::Cpu,
        Mode::Wall,
        Mode::Prof,
        Mode::Virtual,
        Mode::Real,
    ] {
        for _ in 0..20 {
            let recording = Sampler::new()
                .hertz(1000)
                .mode(mode)
                .timeline()
                .start()
                .unwrap();
            work(Duration::from_millis(2));
            let recording = recording.stop().unwrap();
            assert_eq!(recording.process.mode, mode.name());
        }
    }
    assert_eq!(installed(), before);
}
