//! Progress: on a terminal, and only once a job has taken a second.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Settings;

/// How long a job goes on before it shows progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the display is brought up to date.
const TICK: Duration = Duration::from_millis(100);

/// Shows how many of the bytes of a job are done, until it is dropped.
pub(crate) struct Progress {
    /// Dropping the sender ends the display.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to watch `done`; of `total` bytes, or of nobody knows how many when that is 0.
    pub(crate) fn start(
        doing: &'static str,
        done: &Arc<AtomicU64>,
        total: u64,
        settings: &Settings,
    ) -> Self {
        if settings.quiet || !std::io::stderr().is_terminal() {
            return Progress {
                stop: None,
                thread: None,
            };
        }
        let (stop, stopped) = mpsc::channel::<()>();
        let done = Arc::clone(done);
        let thread = std::thread::spawn(move || {
            if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = bar(doing, total);
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                // What was compressed comes out longer than it went in.
                let done = done.load(Ordering::Relaxed);
                if total > 0 {
                    bar.set_length(total.max(done));
                }
                bar.set_position(done);
            }
            bar.finish_and_clear();
        });
        Progress {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

fn bar(doing: &'static str, total: u64) -> ProgressBar {
    let (bar, template) = match total {
        0 => (
            ProgressBar::no_length(),
            "{spinner} {msg} {bytes} ({elapsed})",
        ),
        total => (
            ProgressBar::new(total),
            "{msg} {bytes}/{total_bytes} [{bar:30}] {elapsed}",
        ),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_message(doing)
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
