//! The sampler inside a process: threads take samples of their own Python stacks, a thread of the
//! agent's adds them up, and what is known is saved whatever ends the process.
//!
//! You give it a [`Config`]; you get an image, bytes that the crate `plop-sampler` makes a profile of.
//! It is built twice: as a library for Rust programs, and, with the cfg `plop_agent`, as the shared
//! library that `plop record` has loaded into a program, which is told what to do by the environment
//! variable `PLOP_AGENT`.
//!
//! # What holds
//! - The program is not changed: what cannot be done safely is not done, counted and told.
//! - It depends on nothing, not even on libc, and never enters the program's allocator.
//! - No code that runs in a signal handler allocates, locks, or has thread-local variables.
//! - Memory is bounded, whatever the run's length.
//!
//! # What it is not for
//! Reading what it writes, and being used as it is: see `plop-sampler`.
#![cfg_attr(not(test), no_std)]
// Whatever could panic, could do so in a program of somebody else's.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
// What only a process that may fork or become another program needs.
#![cfg_attr(not(plop_agent), allow(dead_code))]

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("plop samples on Linux, on x86-64 and aarch64");

mod codes;
mod config;
mod global;
mod guard;
mod handler;
#[cfg(plop_agent)]
mod hooks;
mod image;
mod interpreter;
mod layout;
mod life;
mod linetable;
mod looks;
mod memory;
mod names;
mod signals;
mod slots;
mod state;
mod symbols;
mod sys;
mod text;
mod threads;
mod trigger;
mod walk;

pub use config::{Config, Mode, Text};

/// Begins to sample this process. The error is a sentence.
///
/// # Errors
/// When it is sampled already, when its CPython is one that cannot be sampled, and when memory or a
/// thread is refused.
pub fn start(config: &Config) -> Result<(), &'static str> {
    interpreter::look_for()?;
    let mut config = *config;
    if config.origin_ns == 0 {
        config.origin_ns = sys::now();
    }
    life::start(&config, "")
}

/// Stops sampling, and gives back what was installed.
///
/// # Errors
/// When it does not run.
pub fn stop() -> Result<(), &'static str> {
    life::stop()
}

/// Hands `take` an image of what has been sampled so far, or until it was stopped.
///
/// # Errors
/// When there is no memory for it.
pub fn snapshot(take: &mut dyn FnMut(&[u8])) -> Result<(), &'static str> {
    life::snapshot(take)
}
