//! `plop record` on programs that do all that programs do: what it tells of them is true, and they do
//! not notice.
//!
//! The programs are in `testdata/programs/record/`; where one knows the truth, it prints it. The
//! interpreters come from PLOP_PYTHONS, as `./test` finds them, those from 3.8 on; without that variable,
//! `python3` is taken. PLOP_SERVER_PYTHON is one that has gevent and gunicorn. What a test needs and
//! cannot have makes it say SKIPPED, or fail where CI is set.
//!
//! Nothing here is timed. Counts of samples are held against CPU time that the program itself measured,
//! with bounds that no machine, however busy, gets near; how close they come is measured in `bench/`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod harness;
mod life;
mod limits;
mod options;
mod originals;
mod python;
mod servers;
mod signals;
mod truth;
mod unchanged;
