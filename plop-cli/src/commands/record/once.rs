//! One of several runs of a command: recorded into a file of a given name, without a word.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, bail};
use plop_sampler::launch::Finished;

use super::end::{self, Request};
use super::target::Target;
use super::{Args, Mode, about, launch, look};
use crate::args::Settings;

/// What a run came to.
pub(crate) struct Once {
    pub(crate) finished: Finished,
    pub(crate) wall: Duration,
    /// The sum of the profile's default value; none where there is no profile.
    pub(crate) samples: Option<i64>,
    /// Ticks that were lost.
    pub(crate) dropped: i64,
}

/// Records a run into a file, which is replaced. What the program writes to stdout is thrown away.
pub(crate) fn once(
    command: Vec<OsString>,
    file: PathBuf,
    rate: u32,
    mode: Mode,
    settings: &Settings,
) -> Result<Once> {
    let args = Args {
        output: Some(file.clone()),
        format: None,
        gzip: false,
        rate,
        duration: None,
        delay: None,
        mode,
        no_subprocesses: false,
        per_process: false,
        label: Vec::new(),
        timeline: false,
        show: false,
        exec: false,
        json: false,
        strict: false,
        recover: None,
        deflect: String::new(),
        command,
    };
    let preload = match look(&args, settings) {
        Ok(preload) => preload,
        Err(missing) => bail!("{}", missing.why),
    };
    let target = Target::settle(&args)?;
    let about = about(&args, &target);
    let request = Request {
        target,
        about,
        strict: false,
        show: false,
        json: false,
    };
    let (target, about) = (&request.target, &request.about);
    let ran = match launch::run(&args, target, about, preload, Stdio::null())? {
        Ok(ran) => ran,
        Err(missing) => bail!("{}", missing.why),
    };
    let saved = end::save(ran.spool, &request, settings)?;
    let profile = saved.written.first().map(|written| &written.profile);
    Ok(Once {
        finished: ran.finished,
        wall: ran.wall,
        samples: profile.map(|profile| profile.total(profile.default_value)),
        dropped: saved.account.counters.dropped,
    })
}
