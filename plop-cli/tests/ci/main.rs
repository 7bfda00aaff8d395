//! The recipes of `ci/` and what docs/ci.md says of them: each script is run as it is in a job, on a real program that
//! is really recorded.
//!
//! GitHub is a server on loopback that keeps what is written to it. The interpreter comes from PLOP_PYTHONS, as
//! `./test` finds it, or is `python3`. Without one the tests say SKIPPED, or fail where CI is set.
//!
//! What has to be found is several times as slow, and what must not be found would have to grow by six tenths of the
//! whole, so that no machine, however busy, gives another verdict.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod action;
mod first_gate;
mod gate;
mod github;
mod gitlab;
mod history;
mod job;
mod server;
mod shop;
