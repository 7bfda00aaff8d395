//! The profile model of plop, and the pure functions on it.
//!
//! You give it the samples of a run, as whatever reads or records them found them; you get a
//! [`Profile`]: tables of strings, functions, frames and threads, a trie of stacks, and columns of
//! samples that refer to them by dense ids. On it work [measures](Profile::totals) (self and total),
//! transforms ([`Profile::focus`], [`Profile::hide`], …), [`merge`], and a canonical
//! [text dump](Profile::dump).
//!
//! # What holds
//! - Same input, same result: nothing depends on a hash seed, the number of threads, or the time.
//! - Nothing recurses on the depth of a stack.
//! - Names are bytes. A value is an `i64` in a stated unit.
//! - [`Profile::check`] tells whether a profile keeps its invariants.
//!
//! # What it is not for
//! This crate opens no file, starts no thread, knows no format, and derives no serialization: the
//! model is not a wire format.
//!
//! ```
//! use plop_core::{Frame, Profile, Sample, StackId, ValueType};
//!
//! let mut profile = Profile::new(vec![ValueType::samples()]);
//! let mut stack = StackId::ROOT;
//! for name in ["main", "parse"] {
//!     let function = profile.function(name.as_bytes(), b"app.py");
//!     let frame = profile.frames.intern(Frame::of(function));
//!     stack = profile.stacks.push(stack, frame);
//! }
//! profile.samples.push(Sample::of(stack, &[3]));
//! profile.check()?;
//! assert_eq!(profile.totals(0), [3, 3, 3]);
//! # Ok::<(), plop_core::Error>(())
//! ```
#![forbid(unsafe_code)]

mod absorb;
mod dump;
mod error;
mod features;
mod frames;
mod ids;
mod keeping;
mod measure;
mod meta;
mod names;
mod notes;
mod profile;
mod samples;
mod stacks;
mod strings;
mod table;
mod threads;
mod transform;
mod values;

pub use absorb::{merge, merge_without_runs, one_run};
pub use error::{Error, Place, Result, escape, quoted};
pub use features::Features;
pub use frames::{Frame, FrameKind, Frames, Function, Functions, Mapping, Mappings};
pub use ids::{FrameId, FunctionId, LabelSetId, MappingId, SliceId, StackId, StrId, ThreadId};
pub use measure::{Measure, Measures};
pub use meta::{
    Attribute, Attributes, LabelSet, LabelSets, LabelValue, Meta, Period, Slice, Slices, Thread,
    Threads, Ticks,
};
pub use notes::{Note, Notes};
pub use profile::Profile;
pub use samples::{Sample, Samples};
pub use stacks::{Children, Stacks};
pub use strings::Strings;
pub use transform::{FrameSet, Granularity};
pub use values::{MAX_SCALE, ValueType, amount, decimal, duration, nanoseconds_in};
