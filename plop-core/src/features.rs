//! What a profile can carry besides stacks and whole numbers, as a set.
//!
//! A profile has the features it uses; a format keeps the features it can hold. What a conversion
//! loses is the difference of the two sets, computed here once for all formats.

use std::fmt;
use std::ops::{BitOr, Sub};

use crate::{FrameKind, Profile, ValueType};

/// A set of features.
///
/// ```
/// use plop_core::Features;
/// let lost = (Features::FILES | Features::LINES) - Features::FILES;
/// assert_eq!(lost.to_string(), "line numbers");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features(u32);

macro_rules! features {
    ($($bit:literal $name:ident $words:literal $(#[$doc:meta])*)*) => {
        impl Features {
            $($(#[$doc])* pub const $name: Features = Features(1 << $bit);)*

            /// Every feature with its name and the words for people.
            pub const ALL: &'static [(Features, &'static str, &'static str)] =
                &[$((Features::$name, stringify!($name), $words)),*];
        }
    };
}

features! {
    0 FILES "source files" /// Functions name their source file.
    1 LINES "line numbers" /// Frames name the line that ran.
    2 COLUMNS "columns" /// Frames name the column that ran.
    3 START_LINES "definition lines" /// Functions name the line of their definition.
    4 SYSTEM_NAMES "mangled names" /// Functions have a second name, the binary's.
    5 ADDRESSES "addresses" /// Frames have instruction addresses.
    6 MAPPINGS "binaries and build ids" /// Frames name the binary they lie in.
    7 INLINES "inlining" /// Frames say that they were inlined.
    8 KINDS "which frames are Python and which native" /// Frames are marked Python or native.
    9 MARKS "kernel, compiled and waker marks" /// Frames carry one of the marks that folded stacks write as a suffix.
    10 ROOTS "which root frames name a thread or process" /// Root frames stand for a thread or a process.
    11 THREADS "threads" /// Samples name their thread.
    12 TIMES "sample times" /// Samples say when they were taken.
    13 SLICES "slices and their counters" /// Samples say in which slice of the run they were taken.
    14 LABELS "labels" /// Samples have labels.
    15 VALUES "all values but one" /// Samples have several values.
    16 UNITS "value type and unit" /// The values are something other than a count of samples.
    17 FRACTIONS "decimal places" /// Values have decimal places.
    18 NEGATIVE "negative values" /// Some value is below zero.
    19 MANY "all profiles but one" /// There are several profiles.
    20 TIMING "start and duration" /// When the run started and how long it lasted.
    21 PERIOD "sampling period" /// The distance between two samples.
    22 COMMENTS "comments" /// Comments.
    23 NAME "the profile's name" /// The profile has a name.
    24 META "how it was recorded (clock, ticks, host, build, command …)" /// Anything else known of the run.
}

impl Features {
    /// No features.
    pub const NONE: Features = Features(0);

    /// The union of two sets, for constants.
    pub const fn and(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }

    /// Whether every feature of `other` is in this set.
    pub const fn contains(self, other: Features) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The features in the set, with the words for people.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        self.members().map(|(_, words)| words)
    }

    /// The features in the set, with their names for programs: `START_LINES`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.members().map(|(name, _)| name)
    }

    fn members(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        Self::ALL
            .iter()
            .filter(move |(feature, ..)| self.contains(*feature))
            .map(|(_, name, words)| (*name, *words))
    }
}

impl BitOr for Features {
    type Output = Features;
    fn bitor(self, other: Features) -> Features {
        self.and(other)
    }
}

impl Sub for Features {
    type Output = Features;
    fn sub(self, other: Features) -> Features {
        Features(self.0 & !other.0)
    }
}

impl FromIterator<Features> for Features {
    fn from_iter<I: IntoIterator<Item = Features>>(sets: I) -> Features {
        sets.into_iter().fold(Features::NONE, BitOr::bitor)
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, words) in self.words().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            f.write_str(words)?;
        }
        Ok(())
    }
}

/// The feature that a kind of frame belongs to.
pub(crate) fn feature_of(kind: FrameKind) -> Features {
    match kind {
        FrameKind::Unknown => Features::NONE,
        FrameKind::Python | FrameKind::Native => Features::KINDS,
        FrameKind::Kernel
        | FrameKind::Jit
        | FrameKind::Interpreted
        | FrameKind::Baseline
        | FrameKind::Waker => Features::MARKS,
        FrameKind::Thread | FrameKind::Process => Features::ROOTS,
    }
}

impl Profile {
    /// What this profile carries besides stacks and whole numbers. [`Features::MANY`] is never
    /// among it: that is a matter of the file.
    pub fn features(&self) -> Features {
        let on = |yes: bool, feature| if yes { feature } else { Features::NONE };
        let mut found = Features::NONE;
        for (_, function) in self.functions.iter() {
            let empty = crate::StrId::EMPTY;
            found = found
                | on(function.file != empty, Features::FILES)
                | on(function.system_name != empty, Features::SYSTEM_NAMES)
                | on(function.start_line != 0, Features::START_LINES);
        }
        for (_, frame) in self.frames.iter() {
            found = found
                | on(frame.line != 0, Features::LINES)
                | on(frame.column != 0, Features::COLUMNS)
                | on(frame.address != 0, Features::ADDRESSES)
                | on(frame.mapping.is_some(), Features::MAPPINGS)
                | on(frame.inlined, Features::INLINES)
                | feature_of(frame.kind);
        }
        let counts_samples = |value: &ValueType| value.same_quantity(&ValueType::samples());
        let meta = &self.meta;
        let rest = crate::Meta {
            name: String::new(),
            start_ns: None,
            duration_ns: None,
            period: None,
            comments: Vec::new(),
            ..meta.clone()
        };
        found
            | on(self.samples.have_threads(), Features::THREADS)
            | on(self.samples.have_times(), Features::TIMES)
            | on(!self.slices.is_empty(), Features::SLICES)
            | on(self.samples.have_labels(), Features::LABELS)
            | on(self.values.len() > 1, Features::VALUES)
            | on(!self.values.iter().all(counts_samples), Features::UNITS)
            | on(self.values.iter().any(|v| v.scale > 0), Features::FRACTIONS)
            | on(
                self.samples.values().iter().any(|v| *v < 0),
                Features::NEGATIVE,
            )
            | on(
                meta.start_ns.is_some() || meta.duration_ns.is_some(),
                Features::TIMING,
            )
            | on(meta.period.is_some(), Features::PERIOD)
            | on(!meta.comments.is_empty(), Features::COMMENTS)
            | on(!meta.name.is_empty(), Features::NAME)
            | on(rest != crate::Meta::default(), Features::META)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_features_share_a_bit() {
        for (n, (feature, ..)) in Features::ALL.iter().enumerate() {
            assert_eq!(feature.0.count_ones(), 1);
            assert!(
                Features::ALL[..n]
                    .iter()
                    .all(|(other, ..)| other != feature)
            );
        }
    }
}
