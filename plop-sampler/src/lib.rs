//! The sampler of plop for Rust programs, and what it records as profiles.
//!
//! A program samples itself with a [`Sampler`], and gets a [`Profile`](plop_core::Profile). What does the
//! work is `plop-agent`. `plop record` loads that alone into programs in Python; it then leaves
//! *images*, bytes that hold stacks, samples and counters of one process. [`recording`] makes profiles of
//! images, and one of those of all processes of a recording. [`launch`] starts a program to be
//! recorded, and knows what a launcher does with signals.
//!
//! Frames are those of Python for now: see [`Sampler`].
//!
//! ```
//! let running = plop_sampler::Sampler::new().hertz(250).start()?;
//! // … run some Python in this process …
//! let profile = running.stop()?.into_profile();
//! println!("{} samples", profile.total(0));
//! # Ok::<(), plop_core::Error>(())
//! ```
//!
//! # What it is not for
//! It knows no file format: `plop-convert` writes what is recorded here. It is also the only crate but
//! the agent that may contain `unsafe`.

pub mod launch;
pub mod recording;
mod sampler;

pub use sampler::{Mode, Running, Sampler};
