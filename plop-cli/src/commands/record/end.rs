//! The end of a recording: profiles out of what the processes left, a line about them, and the program's
//! exit status as plop's own.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use plop_core::{Attribute, Meta, Notes, Profile};
use plop_sampler::launch::{die_by, empty_signal_ns, survive_file_limit};
use serde_json::Value;

use super::Args;
use super::finish::{self, Plan, Written};
use super::launch::Started;
use super::spool::Spool;
use super::target::Target;
use super::told::{self, Account, counted};
use crate::args::Settings;
use crate::outcome;
use crate::report;
use crate::tell::tell;

/// What is to be made of a recording, and said of it.
pub(super) struct Request {
    pub(super) target: Target,
    pub(super) about: Meta,
    pub(super) strict: bool,
    pub(super) show: bool,
    pub(super) json: bool,
}

/// What was saved of a recording.
pub(super) struct Saved {
    pub(super) account: Account,
    pub(super) written: Vec<Written>,
    /// The ids of processes that still run and will save what they have themselves.
    running: Vec<i64>,
    /// What could not be read.
    notes: Notes,
}

/// Ends a recording whose program has ended, and gives its exit status as plop's own.
pub(super) fn end(
    spool: Spool,
    request: &Request,
    status: ExitStatus,
    settings: &Settings,
) -> Result<ExitCode> {
    if let Some(signal) = status.signal()
        && !settings.quiet
    {
        let name = signal_name(signal);
        tell!("the program was killed by signal {signal}{name}");
    }
    let saved = save(spool, request, settings)
        .and_then(|saved| saved.tell(request, Some(status), settings))
        .map_err(|error| outcome::failed(&error));
    pass_on(status, saved)
}

/// Ends a recording whose time is over while its program runs on, and waits for the program.
pub(super) fn before_the_program(
    started: Started,
    request: &Request,
    settings: &Settings,
) -> Result<ExitCode> {
    let saved = save(started.spool.clone(), request, settings)
        .and_then(|saved| saved.tell(request, None, settings))
        .map_err(|error| outcome::failed(&error));
    let status = started.wait()?.finished.status;
    pass_on(status, saved)
}

/// Gives a program's status as plop's own; that of a failure only where the program had none.
fn pass_on(status: ExitStatus, saved: Result<(), ExitCode>) -> Result<ExitCode> {
    if let Some(signal) = status.signal() {
        let _ = std::io::stdout().flush();
        die_by(signal);
        return Ok(ExitCode::from(128u8.saturating_add(signal as u8)));
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match (saved, code.unwrap_or(1)) {
        (Err(failed), 0) => Ok(failed),
        (_, code) => Ok(ExitCode::from(code)),
    }
}

/// `plop record --recover`: ends a recording that plop could not end.
pub(super) fn recover(folder: &Path, args: &Args, settings: &Settings) -> Result<ExitCode> {
    survive_file_limit();
    let cannot = || format!("cannot recover {}", folder.display());
    let (spool, about) = Spool::left(folder).with_context(cannot)?;
    let file = spool
        .file()
        .context("its name is not that of a recording")
        .with_context(cannot)?;
    let format = about.extra.iter().find_map(|(key, value)| match value {
        Attribute::Text(name) if key == finish::FORMAT => Some(name.clone()),
        _ => None,
    });
    // A name that was given decides by its ending.
    let format = format.filter(|_| args.output.is_none());
    let request = Request {
        target: Target::named(args, file, format)?,
        about,
        strict: args.strict,
        show: args.show,
        json: args.json,
    };
    save(spool, &request, settings)?.tell(&request, None, settings)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes profiles of what is in the folder, and removes it. Where that fails, the folder stays.
pub(super) fn save(mut spool: Spool, request: &Request, settings: &Settings) -> Result<Saved> {
    let found = spool.close()?;
    let name = request.target.output.name();
    if found.recordings.is_empty()
        && found.running.is_empty()
        && let Err(error) = spool.probe()
    {
        spool.remove();
        let lost = format!("cannot write {name}, and what was recorded is lost");
        return Err(anyhow::Error::from(error).context(lost));
    }
    report::print_notes(&name, &found.notes, settings);
    let account = Account::of(&found.recordings, empty_signal_ns());
    let plan = Plan {
        about: &request.about,
        output: &request.target.output,
        fresh: request.target.fresh,
        strict: request.strict,
    };
    let written = match finish::write(found.recordings, &plan, settings) {
        Ok(written) => written,
        Err(error) => {
            spool.reopen();
            let folder = spool.folder.display();
            return Err(error.context(format!(
                "what was recorded is kept in {folder} (plop record --recover {folder} saves it)"
            )));
        }
    };
    match found.notes.is_empty() {
        true => spool.remove(),
        // Something is in there that was not understood, and may be worth a look.
        false => spool.reopen(),
    }
    if written.is_empty() && !found.notes.is_empty() {
        bail!(
            "cannot write {name}: nothing of what was recorded can be read; it is kept in {}",
            spool.folder.display()
        );
    }
    Ok(Saved {
        account,
        written,
        running: found.running,
        notes: found.notes,
    })
}

impl Saved {
    /// Says it, to people and to programs.
    fn tell(
        &self,
        request: &Request,
        status: Option<ExitStatus>,
        settings: &Settings,
    ) -> Result<()> {
        if !settings.quiet {
            for remark in self.account.remarks() {
                tell!("{remark}");
            }
            if !self.running.is_empty() {
                tell!("{}", self.still_running(&request.target));
            }
            tell!("{}", self.line());
        }
        if request.show {
            let mut out = std::io::stderr().lock();
            for written in &self.written {
                // Nobody is left to be told when it cannot be written.
                let _ = told::show(&written.profile, &mut out);
            }
        }
        if request.json {
            let mut answer = self.account.json(&self.written, status, &self.running);
            if let (Value::Array(read), Some(written)) = (
                report::notes_json(&self.notes),
                answer["notes"].as_array_mut(),
            ) {
                written.extend(read);
            }
            writeln!(std::io::stdout().lock(), "{answer}")?;
        }
        Ok(())
    }

    fn line(&self) -> String {
        let Some(first) = self.written.first() else {
            return self.nothing().into();
        };
        let profiles: Vec<&Profile> = (self.written.iter()).map(|w| &w.profile).collect();
        let others = match self.written.len() {
            1 => String::new(),
            count => format!(" and {}", counted(count as i64 - 1, "other")),
        };
        let file = first.file.display();
        format!("{file}{others}: {}", self.account.line(&profiles))
    }

    /// Where processes that outlive the recording will save what they have.
    fn still_running(&self, target: &Target) -> String {
        let name = target.output.name();
        let out = finish::plop_beside(Path::new(&name), &target.output);
        let out = out.display().to_string();
        let stem = out.strip_suffix(".plop").unwrap_or(&out);
        match self.running[..] {
            [pid] => format!("1 process still runs and will save to {stem}-{pid}.plop"),
            _ => format!(
                "{} still run and will save to {stem}-PID.plop",
                counted(self.running.len() as i64, "process")
            ),
        }
    }

    /// Why there is no file.
    fn nothing(&self) -> &'static str {
        if !self.running.is_empty() {
            "no samples collected so far"
        } else if !self.account.refused.is_empty() || self.account.without_timer {
            "no samples collected"
        } else if self.account.runtime {
            "no samples collected; program was too fast"
        } else {
            "no samples collected; no Python was seen that can be sampled"
        }
    }
}

fn signal_name(signal: i32) -> String {
    let names = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
    ];
    let name = names.iter().find(|(number, _)| *number == signal);
    name.map_or(String::new(), |(_, name)| format!(" ({name})"))
}
