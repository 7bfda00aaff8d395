//! What the sampler records, as profiles.
//!
//! The sampler itself is `plop-agent`. It runs inside the profiled process and leaves *images*:
//! bytes that hold stacks, samples and counters of one process. This crate turns them into a
//! [`Profile`](plop_core::Profile), and the images of all processes of a recording into one.
//!
//! ```no_run
//! let mut recordings = Vec::new();
//! for file in ["4711-0.rec", "4712-0.rec"] {
//!     recordings.push(plop_sampler::recording::read(&std::fs::read(file)?)?);
//! }
//! let profile = plop_sampler::recording::join(recordings)?;
//! println!("{} samples", profile.total(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`launch`] starts a program to be recorded, and knows what a launcher does with signals.
//!
//! # What it is not for
//! It knows no file format: [`plop-convert`](../plop_convert/index.html) writes what is recorded here.

pub mod launch;
pub mod recording;
