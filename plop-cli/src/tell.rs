//! What is said to people, on stderr. Somebody who does not listen changes nothing: where stderr is full or
//! closed, what would have been said is lost, and the exit status stays what it is.

use std::fmt;
use std::io::Write;

/// Says a line, behind `plop: `. The arguments are those of `format!`.
macro_rules! tell {
    ($($argument:tt)*) => {
        $crate::tell::line(format_args!($($argument)*))
    };
}
pub(crate) use tell;

/// Writes the line at once, so that no other process's output comes in between.
pub(crate) fn line(text: fmt::Arguments) {
    let _ = std::io::stderr().write_all(format!("plop: {text}\n").as_bytes());
}
