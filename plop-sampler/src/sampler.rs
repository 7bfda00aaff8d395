//! Sampling this very process, from a Rust program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plop_agent::Config;
use plop_core::{Error, Profile, Result};

use crate::recording::{Recording, read};

pub use plop_agent::Mode;

/// Whether there is a [`Running`].
static RUNS: AtomicBool = AtomicBool::new(false);

/// How this process is to be sampled.
///
/// Stacks are those of Python: a program that embeds CPython sees what its scripts do. In a process
/// without it every tick is counted and no stack is there.
///
/// ```
/// use plop_sampler::Sampler;
///
/// let running = Sampler::new().hertz(100).start()?;
/// let sum: u64 = (0..1_000_000).sum();
/// let profile = running.stop()?.into_profile();
/// assert_eq!(profile.meta.clock, "cpu+wall");
/// # assert!(sum > 0);
/// # Ok::<(), plop_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Sampler {
    config: Config,
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler::new()
    }
}

impl Sampler {
    /// A hundred times a second, CPU and elapsed time.
    pub fn new() -> Sampler {
        let mut config = Config::new();
        config.children = false;
        config.root = std::process::id() as i32;
        Sampler { config }
    }

    /// How often a second each thread is sampled: 1 to 20,000.
    pub fn hertz(mut self, hertz: u32) -> Sampler {
        self.config.rate = hertz.clamp(1, 20_000);
        self
    }

    /// What is measured.
    pub fn mode(mut self, mode: Mode) -> Sampler {
        self.config.mode = mode;
        self
    }

    /// Keeps when each sample was taken, up to a bound.
    pub fn timeline(mut self) -> Sampler {
        self.config.timeline = true;
        self
    }

    /// Stops sampling after this time. [`Running::stop`] is to be called all the same.
    pub fn duration(mut self, duration: Duration) -> Sampler {
        self.config.duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// Begins to sample all threads of this process.
    ///
    /// # Errors
    /// When this process is sampled already, by this program or by `plop record`; when it has a CPython
    /// that cannot be sampled; when memory or a thread is refused.
    pub fn start(self) -> Result<Running> {
        if RUNS.swap(true, Ordering::AcqRel) {
            return Err(Error::new("the sampler runs already"));
        }
        // From here on dropping it puts the mark back.
        let mut running = Running { stopped: true };
        plop_agent::start(&self.config).map_err(failed)?;
        running.stopped = false;
        Ok(running)
    }
}

/// A process that is being sampled. There is one in a process at most; dropping it stops the sampling, and
/// what was recorded is lost. Either way timers, signal handlers and threads are as they were.
#[must_use = "sampling ends when this is dropped"]
pub struct Running {
    stopped: bool,
}

impl Running {
    /// What was recorded so far. Sampling goes on.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn snapshot(&self) -> Result<Recording> {
        let mut recording = Err(Error::new("the sampler gave nothing"));
        plop_agent::snapshot(&mut |image| recording = read(image)).map_err(failed)?;
        recording
    }

    /// Stops, and gives what was recorded.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn stop(mut self) -> Result<Recording> {
        self.stopped = true;
        plop_agent::stop().map_err(failed)?;
        self.snapshot()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.stopped {
            // It has ended already where its duration is over.
            let _ = plop_agent::stop();
        }
        RUNS.store(false, Ordering::Release);
    }
}

impl Recording {
    /// The profile, without what is known of the process besides.
    pub fn into_profile(self) -> Profile {
        self.profile
    }
}

fn failed(why: &'static str) -> Error {
    Error::new(why)
}
