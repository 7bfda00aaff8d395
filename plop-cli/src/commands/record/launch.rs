//! Running the program: with the agent in its environment, in the same process group and with the same
//! descriptors, while plop waits.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plop_core::Meta;
use plop_sampler::launch::{
    Finished, Forwarding, OWN_PID, ends_within, spawn, survive_file_limit, wait,
};

use super::Args;
use super::environment::Orders;
use super::finish::plop_beside;
use super::program::Missing;
use super::spool::Spool;
use super::target::Target;
use crate::agent;
use crate::tell::tell;

/// The longest path that the agent takes.
const LONGEST: usize = 4000;

/// A program that has run to its end, and what it left.
pub(super) struct Ran {
    pub(super) spool: Spool,
    pub(super) finished: Finished,
    /// How long it took.
    pub(super) wall: Duration,
}

/// A program that runs, being recorded.
pub(super) struct Started {
    pub(super) spool: Spool,
    child: Child,
    forwarding: &'static Forwarding,
    began: Instant,
}

/// Runs the program to its end. The inner error is why it could not be started.
pub(super) fn run(
    args: &Args,
    target: &Target,
    about: &Meta,
    preload: bool,
    stdout: Stdio,
) -> Result<Result<Ran, Missing>> {
    match start(args, target, about, preload, stdout)? {
        Ok(started) => Ok(Ok(started.wait()?)),
        Err(missing) => Ok(Err(missing)),
    }
}

/// Starts the program. The inner error is why that was not possible.
pub(super) fn start(
    args: &Args,
    target: &Target,
    about: &Meta,
    preload: bool,
    stdout: Stdio,
) -> Result<Result<Started, Missing>> {
    let cannot = || format!("cannot write {}", target.output.name());
    survive_file_limit();
    let spool = Spool::beside(&target.file).with_context(cannot)?;
    let described = spool.describe(about).with_context(cannot);
    let environment = described
        .and_then(|()| environment(args, target, Some(&spool), OWN_PID.into(), preload))
        .inspect_err(|_| spool.remove())?;
    // Never put back: what interrupts the program must not interrupt saving either.
    let forwarding: &Forwarding = Box::leak(Box::new(Forwarding::begin()));
    let began = Instant::now();
    let child = match spawn(&args.command, environment, stdout) {
        Ok(child) => child,
        Err(error) => {
            spool.remove();
            return Ok(Err(missing(args, &error)));
        }
    };
    forwarding.to(child.id());
    Ok(Ok(Started {
        spool,
        child,
        forwarding,
        began,
    }))
}

impl Started {
    /// Waits for the program's end, but no longer than until so much time has passed since it was
    /// started: whether it has ended.
    pub(super) fn ends_within(&self, time: Duration) -> Result<bool> {
        let left = time.saturating_sub(self.began.elapsed());
        ends_within(&self.child, left).context("cannot wait for the program")
    }

    /// Waits for the program's end.
    pub(super) fn wait(self) -> Result<Ran> {
        let finished = wait(self.child, self.forwarding).context("cannot wait for the program")?;
        Ok(Ran {
            spool: self.spool,
            finished,
            wall: self.began.elapsed(),
        })
    }
}

fn missing(args: &Args, error: &io::Error) -> Missing {
    let name = args.command[0].to_string_lossy();
    Missing {
        code: match error.kind() {
            io::ErrorKind::NotFound => 127,
            _ => 126,
        },
        why: format!("cannot start {name}: {error}"),
    }
}

/// Becomes the program, which saves what it records itself.
pub(super) fn become_it(args: &Args, target: &Target, preload: bool) -> Result<ExitCode> {
    // That the folder can be written to shows only when something is.
    let folder = target.file.parent().context("a file lies in a folder")?;
    tempfile::Builder::new()
        .prefix(".plop-")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write {}", target.output.name()))?;
    let environment = environment(args, target, None, std::process::id().to_string(), preload)?;
    let mut command = Command::new(&args.command[0]);
    command
        .args(&args.command[1..])
        .env_clear()
        .envs(environment);
    let missing = missing(args, &command.exec());
    tell!("{}", missing.why);
    Ok(ExitCode::from(missing.code))
}

fn environment(
    args: &Args,
    target: &Target,
    spool: Option<&Spool>,
    root: String,
    preload: bool,
) -> Result<Vec<(OsString, OsString)>> {
    if !preload {
        return Ok(std::env::vars_os().collect());
    }
    let agent = agent::place()?;
    let out = plop_beside(&target.file, &target.output);
    let folder = spool.map(|spool| spool.folder.as_path());
    if [Some(out.as_path()), folder]
        .into_iter()
        .flatten()
        .any(|path| path.as_os_str().len() > LONGEST)
    {
        bail!(
            "cannot write {}: its path is longer than {LONGEST} bytes",
            target.output.name()
        );
    }
    let orders = Orders {
        agent: &agent,
        spool: folder,
        out: &out,
        root,
        rate: args.rate,
        mode: args.mode,
        delay: args.delay.unwrap_or(Duration::ZERO),
        duration: args.duration.unwrap_or(Duration::ZERO),
        children: !args.no_subprocesses,
        timeline: args.timeline,
        labels: &args.label,
        deflect: &args.deflect,
    };
    Ok(orders.environment())
}
