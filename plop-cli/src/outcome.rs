//! Exit codes, which are an interface, and how an error is told.

use std::process::ExitCode;

use crate::tell::tell;

/// All well.
pub(crate) const FINE: u8 = 0;

/// A comparison found a regression.
pub(crate) const REGRESSED: u8 = 1;

/// Usage, unreadable or incompatible input, or a loss under `--strict`.
pub(crate) const ERROR: u8 = 2;

/// Two sides cannot be compared honestly.
pub(crate) const NO_VERDICT: u8 = 3;

/// Tells an error and gives the exit code for it. A reader of our output that went away is no
/// error: nobody is left to be told.
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::from(FINE);
    }
    tell!("{error:#}");
    ExitCode::from(ERROR)
}

/// Whether a reader of our output went away.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
