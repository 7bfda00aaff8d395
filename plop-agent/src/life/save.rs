//! Saving: what is told of a recording, where it goes, and how it gets there whole.

use core::sync::atomic::Ordering::Relaxed;

use super::Recording;
use crate::config::{Config, Mode, Text};
use crate::guard::{self, guarded};
use crate::image::{self, Facts};
use crate::memory::Vector;
use crate::{handler, interpreter, sys, text, threads, trigger};

/// How soon the first checkpoint is, and how far apart later ones are at least.
pub(super) const FIRST_SAVE_NS: u64 = 50_000_000;
pub(super) const SAVE_NS: u64 = 1_000_000_000;
/// At most this part of the time goes into checkpoints.
pub(super) const SAVE_SHARE: u64 = 500;

/// The facts of a recording.
pub(super) struct Told<'r>(pub(super) &'r Recording, pub(super) bool);

impl Facts for Told<'_> {
    fn tell(&self, number: &mut dyn FnMut(&str, u64), text: &mut dyn FnMut(&str, &[u8])) {
        let Told(recording, finished) = *self;
        let Recording { config, state, .. } = recording;
        let totals = recording.totals();
        let now = if recording.ended_ns > 0 {
            recording.ended_ns
        } else {
            sys::now()
        };
        let since = |at: u64| at.saturating_sub(config.origin_ns);
        number("version", 1);
        number("pid", sys::getpid() as u64);
        number("ppid", sys::getppid() as u64);
        number("root", u64::from(sys::getpid() == config.root));
        number("started", recording.started_unix_ns);
        number("begin_ns", since(recording.began_ns));
        number("end_ns", since(now));
        number("duration_ns", now.saturating_sub(recording.began_ns));
        number("slice_ns", state.slice_ns);
        number("rate", u64::from(config.rate));
        number("period_ns", config.period_ns());
        text("mode", config.mode.name().as_bytes());
        text(
            "trigger",
            if recording.refused.is_empty() {
                trigger::name()
            } else {
                "none"
            }
            .as_bytes(),
        );
        text("trigger_why", trigger::why().as_bytes());
        if let Some(interpreter) = interpreter::get() {
            text("runtime", interpreter.name.as_bytes());
        }
        let asked = match config.mode {
            Mode::Wall | Mode::Real => state.wall_ns,
            _ => state.cpu_ns,
        };
        number("asked", asked / config.period_ns().max(1));
        number("delivered", totals.delivered);
        number("dropped", totals.dropped + state.dropped);
        number("overruns", totals.overruns);
        number("rejected", totals.rejected);
        number("cut", totals.cut);
        number("no_python", totals.no_python);
        number("unproven", threads::UNPROVEN.load(Relaxed));
        number("deferred", threads::DEFERRED.load(Relaxed));
        number("nested", handler::NESTED.load(Relaxed));
        number("faults", guard::FAULTS.load(Relaxed));
        number("faults_outside", guard::FAULTS_OUTSIDE.load(Relaxed));
        number("guarded", u64::from(guarded()));
        number("blocked_ns", trigger::BLOCKED_NS.load(Relaxed));
        number("cpu_ns", state.cpu_ns);
        number("wall_ns", state.wall_ns);
        number("own_cpu_ns", recording.own_cpu_ns);
        number(
            "handler_ns",
            state.cycles_to_ns(totals.cycles, recording.began_cycles, recording.began_ns),
        );
        number("signals", totals.signals);
        number("setup_ns", recording.setup_ns);
        number("threads_seen", totals.threads);
        number("memory_bytes", state.bytes() as u64);
        number("timeline_dropped", state.times_dropped);
        number("finished", u64::from(finished));
        // It may go on for all that: not everything that is about to end a process does.
        number("ending", u64::from(recording.ending));
        text("ended", recording.ended.as_bytes());
        if !recording.refused.is_empty() {
            text("refused", recording.refused.as_bytes());
        }
        if recording.save_error != 0 {
            number("save_error", recording.save_error);
        }
    }
}

/// Builds what is to be saved; whether there is something, and memory for it.
pub(super) fn image_of(recording: &mut Recording, out: &mut Vector<u8>, finished: bool) -> bool {
    // A process that has not been sampled, because it was over so soon, has nothing to tell; but for
    // the first one, of which is to be known that it was there.
    let samples = recording.state.counted;
    let first = sys::getpid() == recording.config.root;
    let last = (finished || recording.ending) && first && recording.ended != "exec";
    if samples == 0 && recording.refused.is_empty() && !last {
        return false;
    }
    if !finished && !recording.ending && samples == recording.saved_samples {
        return false;
    }
    recording.saved_samples = samples;
    let spooled = !recording.config.spool.as_bytes().is_empty()
        && sys::exists(recording.config.spool.as_c_str());
    let told = Told(recording, finished);
    if spooled {
        image::build(&recording.state, &told, out)
    } else {
        text::build(&recording.state, &recording.config, &told, out)
    }
}

/// Where this process saves.
pub(super) fn path_of(recording: &mut Recording) -> Text<4096> {
    let config = &recording.config;
    let pid = sys::getpid();
    let spooled = !config.spool.as_bytes().is_empty() && sys::exists(config.spool.as_c_str());
    let mut path = Text::new();
    let whole = if spooled {
        if recording.file == u32::MAX {
            recording.file = first_free(config, pid);
        }
        spool_path(config, pid, recording.file, &mut path)
    } else {
        let out = config.out.as_bytes();
        let stem = out.strip_suffix(b".plop").unwrap_or(out);
        match pid == config.root && recording.ended != "exec" {
            true => path.push(out),
            false => {
                path.push(stem)
                    && path.push(b"-")
                    && path.push_number(pid as u64)
                    && path.push(b".plop")
            }
        }
    };
    if whole { path } else { Text::new() }
}

fn spool_path(config: &Config, pid: i32, file: u32, path: &mut Text<4096>) -> bool {
    path.push(config.spool.as_bytes())
        && path.push(b"/")
        && path.push_number(pid as u64)
        && path.push(b"-")
        && path.push_number(u64::from(file))
        && path.push(b".rec")
}

/// A process that was another program before has files already.
fn first_free(config: &Config, pid: i32) -> u32 {
    for file in 0..100_000 {
        let mut path = Text::new();
        spool_path(config, pid, file, &mut path);
        if !sys::exists(path.as_c_str()) {
            return file;
        }
    }
    0
}

pub(super) fn put_locked(recording: &mut Recording, bytes: &[u8]) -> u64 {
    let path = path_of(recording);
    let error = put(&path, bytes);
    if !is_forbidden(error) {
        return error;
    }
    recording.file = u32::MAX;
    let path = path_of(recording);
    put(&path, bytes)
}

/// Whether it is not this user's file: a process that has become another user goes on in another file.
/// Whoever reads them takes the last.
pub(super) fn is_forbidden(error: u64) -> bool {
    const EPERM: u64 = 1;
    const EACCES: u64 = 13;
    matches!(error, EPERM | EACCES)
}

/// The signal of a file that becomes too large, in a mask.
const SIGXFSZ: u64 = 1 << 24;

/// Writes a file beside its place and puts it there; 0, or the error's number.
pub(super) fn put(path: &Text<4096>, bytes: &[u8]) -> u64 {
    let mut beside = Text::<4096>::new();
    if path.as_bytes().is_empty() || !beside.push(path.as_bytes()) || !beside.push(b".partial") {
        return 36;
    }
    let fd = sys::create(beside.as_c_str());
    if fd < 0 {
        return -fd as u64;
    }
    // A write above the limit of files is an error, and no reason to end the program.
    let mask = sys::block(SIGXFSZ);
    let mut result = sys::write_all(fd as i32, bytes);
    if mask & SIGXFSZ == 0 {
        sys::take_pending(SIGXFSZ);
    }
    sys::set_mask(mask);
    sys::close(fd as i32);
    if result == 0 {
        result = sys::rename(beside.as_c_str(), path.as_c_str());
    }
    if result < 0 {
        sys::unlink(beside.as_c_str());
    }
    result.unsigned_abs() as u64
}
