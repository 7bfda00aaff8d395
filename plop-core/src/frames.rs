//! What stands in a stack: functions, the binaries they came from, and frames.

use crate::table::public_table;
use crate::{FrameId, FunctionId, MappingId, StrId};

/// A function as the profiler named it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Function {
    /// The name to show: demangled, qualified where the language has qualified names.
    pub name: StrId,
    /// The name in the binary (mangled), or empty when it is the same or not known.
    pub system_name: StrId,
    /// The source file, or empty when it is not known.
    pub file: StrId,
    /// The line of the definition; 0 when it is not known.
    pub start_line: i64,
}

public_table!(
    /// Distinct functions.
    Functions of Function, by FunctionId
);

/// A binary that was mapped into the profiled process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mapping {
    /// Path of the file that was mapped.
    pub file: StrId,
    /// The linker's build id, in hex, or empty.
    pub build_id: StrId,
    /// First mapped address.
    pub start: u64,
    /// One past the last mapped address.
    pub limit: u64,
    /// Offset of `start` in the file.
    pub offset: u64,
}

public_table!(
    /// Distinct binaries.
    Mappings of Mapping, by MappingId
);

/// What sort of thing a frame is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum FrameKind {
    /// The profiler did not say.
    #[default]
    Unknown,
    /// A Python function.
    Python,
    /// A function of a native binary.
    Native,
    /// A function of the kernel.
    Kernel,
    /// A function compiled at run time.
    Jit,
    /// A function run by an interpreter, in a runtime that also compiles.
    Interpreted,
    /// A function compiled by the first, quick compiler of a runtime with several.
    Baseline,
    /// A function of the thread that woke this one up.
    Waker,
    /// Not code: the frame names the thread all below it ran on.
    Thread,
    /// Not code: the frame names the process all below it ran in.
    Process,
}

impl FrameKind {
    /// Every kind with the word that files and reports use for it.
    pub const ALL: [(FrameKind, &'static str); 10] = [
        (FrameKind::Unknown, "unknown"),
        (FrameKind::Python, "python"),
        (FrameKind::Native, "native"),
        (FrameKind::Kernel, "kernel"),
        (FrameKind::Jit, "jit"),
        (FrameKind::Interpreted, "interpreted"),
        (FrameKind::Baseline, "baseline"),
        (FrameKind::Waker, "waker"),
        (FrameKind::Thread, "thread"),
        (FrameKind::Process, "process"),
    ];

    /// The word for this kind.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("unknown", |(_, word)| word)
    }

    /// The kind that a word stands for.
    pub fn from_word(word: &str) -> Option<FrameKind> {
        Self::ALL
            .iter()
            .find(|(_, w)| *w == word)
            .map(|(kind, _)| *kind)
    }
}

/// One position in a stack: a function, and where in it the program stood.
///
/// `line` is the line that was running, or from which the next frame was called.
/// [`Function::start_line`] is the line of the definition; the two are different facts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// The function.
    pub function: FunctionId,
    /// The line that ran; 0 when it is not known.
    pub line: i64,
    /// The column that ran, from 1; 0 when it is not known.
    pub column: u32,
    /// The instruction's address; 0 when it is not known.
    pub address: u64,
    /// The binary the address lies in.
    pub mapping: Option<MappingId>,
    /// Whether the compiler inlined this function into its caller.
    pub inlined: bool,
    /// What sort of frame this is.
    pub kind: FrameKind,
}

impl Frame {
    /// A frame of which only the function is known.
    pub fn of(function: FunctionId) -> Self {
        Frame {
            function,
            line: 0,
            column: 0,
            address: 0,
            mapping: None,
            inlined: false,
            kind: FrameKind::Unknown,
        }
    }
}

public_table!(
    /// Distinct frames.
    Frames of Frame, by FrameId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for (kind, word) in FrameKind::ALL {
            assert_eq!(kind.word(), word);
            assert_eq!(FrameKind::from_word(word), Some(kind));
        }
        assert_eq!(FrameKind::from_word("Python"), None);
    }
}
