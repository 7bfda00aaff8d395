//! What is known of a run besides its samples: threads, labels, slices, and how it was recorded.

use crate::table::public_table;
use crate::{LabelSetId, SliceId, StrId, ThreadId, ValueType};

/// A thread of the profiled program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Thread {
    /// Process id; 0 when it is not known.
    pub pid: i64,
    /// The thread's id; 0 when it is not known.
    pub tid: i64,
    /// Its name, or empty.
    pub name: StrId,
}

public_table!(
    /// Distinct threads.
    Threads of Thread, by ThreadId
);

/// What a label says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LabelValue {
    /// Text.
    Text(StrId),
    /// A number and its unit, which may be empty.
    Number(i64, StrId),
}

/// The labels of a sample as (key, value). A key may stand several times; the order is the file's.
pub type LabelSet = Vec<(StrId, LabelValue)>;

public_table!(
    /// Distinct label sets.
    LabelSets of LabelSet, by LabelSetId
);

/// A stretch of a run, with the exact counters of that stretch. It is not a timestamp: no writer
/// makes times out of slices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slice {
    /// The run it belongs to, from 0. Merging keeps runs apart.
    pub run: u32,
    /// How long it lasted; 0 when it is not known.
    pub length_ns: i64,
    /// Timer ticks that were delivered in it.
    pub ticks: Option<i64>,
    /// CPU time the process used in it.
    pub cpu_ns: Option<i64>,
    /// Time that passed in it.
    pub wall_ns: Option<i64>,
    /// What the program counted in it: (counter, amount), such as requests served.
    pub work: Vec<(String, i64)>,
}

/// All slices, run by run, in time order within a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slices(pub Vec<Slice>);

/// The largest number of a run.
pub(crate) const MAX_RUN: u32 = 999_999_999;

impl Slices {
    /// The slice of an id.
    pub fn get(&self, id: SliceId) -> &Slice {
        &self.0[id.index()]
    }

    /// How many slices there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many runs the slices come from.
    pub fn runs(&self) -> u32 {
        (self.0.iter().map(|slice| slice.run.saturating_add(1)).max()).unwrap_or(0)
    }
}

/// Timer ticks of a whole run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ticks {
    /// How many the timer was asked for.
    pub asked: i64,
    /// How many became samples.
    pub delivered: i64,
    /// How many were lost.
    pub dropped: i64,
}

/// The distance between two samples.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Period {
    /// What is counted between two samples.
    pub of: ValueType,
    /// How much of it.
    pub every: i64,
}

/// A value of a free key, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attribute {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Anything else, as JSON text.
    Json(String),
}

/// Free keys and their values, in the file's order.
pub type Attributes = Vec<(String, Attribute)>;

/// How, when and where a profile was recorded. Every field is optional.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Meta {
    /// The profile's own name, where a file gives it one.
    pub name: String,
    /// Start of the run, in nanoseconds since 1970-01-01T00:00:00Z.
    pub start_ns: Option<i64>,
    /// How long the run lasted.
    pub duration_ns: Option<i64>,
    /// The distance between two samples.
    pub period: Option<Period>,
    /// Which clock drove the sampler: `cpu`, `wall`, `cpu+wall`, `prof`, `virtual`, `real`.
    pub clock: String,
    /// Ticks asked for, delivered and lost.
    pub ticks: Option<Ticks>,
    /// CPU time of the whole run.
    pub cpu_ns: Option<i64>,
    /// Elapsed time of the whole run.
    pub wall_ns: Option<i64>,
    /// What the program counted: (counter, amount).
    pub work: Vec<(String, i64)>,
    /// The command line.
    pub command: Vec<String>,
    /// How the sampler ran and what it counted: `trigger`, `rejected`, `overruns`. Numbers are counters
    /// and add up over processes and runs.
    pub sampler: Attributes,
    /// The machine.
    pub host: Attributes,
    /// The build that ran: commit, version.
    pub build: Attributes,
    /// The language runtime: `CPython 3.13.0`.
    pub runtime: String,
    /// Folders whose files belong to libraries.
    pub prefixes: Vec<String>,
    /// Comments of whoever made the profile.
    pub comments: Vec<String>,
    /// pprof's expression for frames to leave out of reports. Kept, never applied.
    pub drop_frames: String,
    /// pprof's expression for frames to keep in reports all the same. Kept, never applied.
    pub keep_frames: String,
    /// Where the profile's documentation is.
    pub doc_url: String,
    /// Keys we do not know, kept as they came.
    pub extra: Attributes,
}
