//! The word that is left to say when a process could not save what it has, and nobody else is there to say
//! it: on the program's stderr, once, at its end.

use super::Recording;
use super::save::path_of;
use crate::config::Text;
use crate::sys;

/// Errors that are met, by their numbers.
const WORDS: [(u64, &str); 7] = [
    (2, "No such file or directory"),
    (5, "Input/output error"),
    (13, "Permission denied"),
    (27, "File too large"),
    (28, "No space left on device"),
    (30, "Read-only file system"),
    (122, "Disk quota exceeded"),
];

const SIGPIPE: i32 = 13;
const EPIPE: isize = -32;
const STDERR: i32 = 2;

/// Says why the last attempt to save failed, if it did. Where plop waits for the process it finds that out
/// itself, and what a child has on stderr may be anything.
pub(super) fn tell(recording: &mut Recording) {
    let config = &recording.config;
    let alone = config.spool.as_bytes().is_empty() && !config.out.as_bytes().is_empty();
    if recording.save_error == 0 || !alone || sys::getpid() != config.root {
        return;
    }
    let line = line(recording.save_error, path_of(recording).as_bytes());
    // Where nobody reads it, that is not the end of the process.
    let mask = sys::block(sys::bit(SIGPIPE));
    if sys::write_all(STDERR, line.as_bytes()) == EPIPE {
        sys::take_pending(sys::bit(SIGPIPE));
    }
    sys::set_mask(mask);
}

/// What is said.
fn line(error: u64, path: &[u8]) -> Text<4608> {
    let mut line = Text::new();
    line.push(b"plop: cannot write ");
    line.push(path);
    line.push(b": ");
    match WORDS.iter().find(|(number, _)| *number == error) {
        Some((_, words)) => line.push(words.as_bytes()),
        None => line.push(b"error ") && line.push_number(error),
    };
    line.push(b"; what was recorded last is not in it\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_words_or_by_number() {
        let text = |error| String::from_utf8(line(error, b"/x.plop").as_bytes().to_vec()).unwrap();
        let full = "plop: cannot write /x.plop: No space left on device; what was recorded last is not in it\n";
        assert_eq!(text(28), full);
        assert!(text(99).contains(": error 99; "), "{}", text(99));
    }
}
