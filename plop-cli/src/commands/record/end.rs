//! The end of a recording: profiles out of what the processes left, a line about them, and the program's
//! exit status as plop's own.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result};
use plop_core::{Attribute, Meta, Profile};
use plop_sampler::launch::{die_by, empty_signal_ns};

use super::finish::{self, Plan, Written};
use super::launch::Ended;
use super::spool::{Found, Spool};
use super::target::Target;
use super::told::{self, Account, counted};
use super::Args;
use crate::args::Settings;
use crate::outcome;
use crate::report;

/// What is to be made of a recording, and said of it.
pub(super) struct Request {
    pub(super) target: Target,
    pub(super) about: Meta,
    pub(super) strict: bool,
    pub(super) show: bool,
    pub(super) json: bool,
}

/// Ends a recording whose program has ended.
pub(super) fn end(
    spool: Spool,
    request: Request,
    ended: Ended,
    settings: &Settings,
) -> Result<ExitCode> {
    let status = match ended {
        Ended::NotStarted(code) => return Ok(ExitCode::from(code)),
        Ended::Status(status) => status,
    };
    if let Some(signal) = status.signal()
        && !settings.quiet
    {
        eprintln!("plop: the program was killed by signal {signal}{}", signal_name(signal));
    }
    let saved = save(spool, &request, Some(status), settings);
    if let Some(signal) = status.signal() {
        if let Err(error) = saved {
            outcome::failed(&error);
        }
        let _ = std::io::stdout().flush();
        die_by(signal);
        return Ok(ExitCode::from(128u8.saturating_add(signal as u8)));
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    match saved {
        Ok(()) => Ok(ExitCode::from(code)),
        Err(error) => match (outcome::failed(&error), code) {
            (failed, 0) => Ok(failed),
            (_, code) => Ok(ExitCode::from(code)),
        },
    }
}

/// `plop record --recover`: ends a recording that plop could not end.
pub(super) fn recover(folder: &Path, args: &Args, settings: &Settings) -> Result<ExitCode> {
    let cannot = || format!("cannot recover {}", folder.display());
    let (spool, about) = Spool::left(folder).with_context(cannot)?;
    let file = spool.file().context("its name is not that of a recording").with_context(cannot)?;
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
    save(spool, &request, None, settings)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes profiles of what is in the folder, and removes it. Where that fails, the folder stays.
fn save(
    mut spool: Spool,
    request: &Request,
    status: Option<ExitStatus>,
    settings: &Settings,
) -> Result<()> {
    let mut found = spool.close()?;
    report::print_notes(&request.target.output.name(), &found.notes, settings);
    let account = Account::of(&found.recordings, empty_signal_ns());
    let plan = Plan {
        about: &request.about,
        output: &request.target.output,
        fresh: request.target.fresh,
        strict: request.strict,
    };
    let written = match finish::write(&mut found, &plan, settings) {
        Ok(written) => written,
        Err(error) => {
            spool.reopen();
            let folder = spool.folder.display();
            return Err(error.context(format!(
                "what was recorded is kept in {folder} (plop record --recover {folder} saves it)"
            )));
        }
    };
    let unread = !found.notes.is_empty();
    match unread {
        // Something is in there that was not understood, and may be worth a look.
        true => spool.reopen(),
        false => spool.remove(),
    }
    if !settings.quiet {
        tell(&account, &written, &found, request);
    }
    if request.show {
        let mut out = std::io::stderr().lock();
        for written in &written {
            // Nobody is left to be told when it cannot be written.
            let _ = told::show(&written.profile, &mut out);
        }
    }
    if request.json {
        let answer = account.json(&written, status, &found.running);
        writeln!(std::io::stdout().lock(), "{answer}")?;
    }
    Ok(())
}

fn tell(account: &Account, written: &[Written], found: &Found, request: &Request) {
    for remark in account.remarks() {
        eprintln!("plop: {remark}");
    }
    let name = request.target.output.name();
    if !found.running.is_empty() {
        let out = finish::plop_beside(Path::new(&name), &request.target.output);
        let example = match found.running[..] {
            [pid] => pid.to_string(),
            _ => "PID".to_owned(),
        };
        let out = out.display().to_string();
        let stem = out.strip_suffix(".plop").unwrap_or(&out);
        let (processes, run) = match found.running.len() {
            1 => ("1 process".to_owned(), "runs"),
            count => (format!("{count} processes"), "run"),
        };
        eprintln!("plop: {processes} still {run} and will save to {stem}-{example}.plop");
    }
    let Some(first) = written.first() else {
        eprintln!("plop: {}", nothing(account, found));
        return;
    };
    let profiles: Vec<&Profile> = written.iter().map(|written| &written.profile).collect();
    let more = match written.len() {
        1 => String::new(),
        count => format!(" and {}", counted(count as i64 - 1, "other")),
    };
    eprintln!("plop: {}{more}: {}", first.file.display(), account.line(&profiles));
}

/// Why there is no file.
fn nothing(account: &Account, found: &Found) -> &'static str {
    if account.runtime || !found.running.is_empty() {
        "no samples collected; program was too fast"
    } else if account.refused.is_empty() {
        "no samples collected; no Python was seen that can be sampled"
    } else {
        "no samples collected"
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
