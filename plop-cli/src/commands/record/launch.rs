//! Running the program: with the agent in its environment, in the same process group and with the same
//! descriptors, while plop waits.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use plop_core::Meta;
use plop_sampler::launch::{Forwarding, OWN_PID, spawn};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::environment::Orders;
use super::finish::plop_beside;
use super::spool::Spool;
use super::target::Target;
use super::Args;
use crate::agent;

/// The longest path that the agent takes.
const LONGEST: usize = 4000;

/// How the program ended.
pub(super) enum Ended {
    /// It ran.
    Status(ExitStatus),
    /// It could not be started; the exit code that shells have for that.
    NotStarted(u8),
}

/// Runs the program to its end.
pub(super) fn run(
    args: &Args,
    target: &Target,
    about: &Meta,
    preload: bool,
) -> Result<(Spool, Ended)> {
    let cannot = || format!("cannot write {}", target.output.name());
    let spool = Spool::beside(&target.file).with_context(cannot)?;
    let started = spool
        .describe(about)
        .with_context(cannot)
        .and_then(|()| environment(args, target, Some(&spool), OWN_PID.into(), preload));
    let environment = match started {
        Ok(environment) => environment,
        Err(error) => {
            spool.remove();
            return Err(error);
        }
    };
    // Never put back: what interrupts the program must not interrupt saving either.
    let forwarding = Box::leak(Box::new(Forwarding::begin()));
    let child = match spawn(&args.command, environment) {
        Ok(child) => child,
        Err(error) => {
            spool.remove();
            let name = args.command[0].to_string_lossy();
            eprintln!("plop: cannot start {name}: {error}");
            let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            return Ok((spool, Ended::NotStarted(code)));
        }
    };
    forwarding.to(child.id());
    let status = wait(child, forwarding).context("cannot wait for the program")?;
    Ok((spool, Ended::Status(status)))
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
    match exec(&args.command, environment) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("plop: cannot start {}: {error}", args.command[0].to_string_lossy());
            let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            Ok(ExitCode::from(code))
        }
    }
}

fn exec(words: &[OsString], environment: Vec<(OsString, OsString)>) -> io::Result<Infallible> {
    let mut command = Command::new(&words[0]);
    Err(command.args(&words[1..]).env_clear().envs(environment).exec())
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
    if [Some(out.as_path()), folder].into_iter().flatten().any(|path| path.as_os_str().len() > LONGEST) {
        bail!("cannot write {}: its path is longer than {LONGEST} bytes", target.output.name());
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

/// Waits for the end, and stops sending signals on before the process id is free for another.
fn wait(mut child: Child, forwarding: &Forwarding) -> Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.context("a process has an id")?;
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Error::from(io::Error::from(error))),
            Ok(_) => break,
        }
    }
    forwarding.ended();
    Ok(child.wait()?)
}
