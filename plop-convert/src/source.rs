//! Where the bytes of an input come from: memory, or a file that is read part by part.

use std::io;

use plop_core::Error;

/// Bytes of which any part can be asked for, by several threads at once.
pub trait Source: Sync {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Fills `part` with the bytes from `at` on. All of them are within [`len`](Source::len).
    ///
    /// # Errors
    /// When they cannot be read, or are there no more.
    fn read_at(&self, at: u64, part: &mut [u8]) -> io::Result<()>;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Source for &[u8] {
    fn len(&self) -> u64 {
        (**self).len() as u64
    }

    fn read_at(&self, at: u64, part: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(at)
            .ok()
            .and_then(|at| self.get(at..at.checked_add(part.len())?));
        part.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What is said of a source that cannot be read.
pub(crate) fn unreadable(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::new("it became shorter while it was read"),
        _ => Error::new(error.to_string()),
    }
}
