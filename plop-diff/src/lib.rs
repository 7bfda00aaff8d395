//! Comparing profiles: is the new build slower, where, by how much, and what could not have been seen.
//!
//! [`compare`] puts the runs of two sides onto one call tree, weighs every set of stacks that one cause can
//! have made dearer, and keeps those that changed more than chance would have any of them change: on two
//! runs of one build it names one in a hundred times, however many functions there are.
//!
//! ```
//! use plop_core::{Frame, Profile, Sample, StackId, ValueType};
//! use plop_diff::{Options, Verdict, compare};
//!
//! // Samples of ten functions, without slices: what is assumed of them is said.
//! let profile = |work: i64| {
//!     let mut profile = Profile::new(vec![ValueType::samples()]);
//!     for n in 0..10 {
//!         let function = profile.function(format!("step_{n}").as_bytes(), b"app.py");
//!         let frame = profile.frames.intern(Frame::of(function));
//!         let stack = profile.stacks.push(StackId::ROOT, frame);
//!         let samples = if n == 3 { work } else { 5_000 + 100 * n };
//!         profile.samples.push(Sample::of(stack, &[samples]));
//!     }
//!     profile
//! };
//! let (before, after) = (profile(5_000), profile(9_000));
//! let comparison = compare(&[&before], &[&after], &Options::default())?;
//! assert_eq!(comparison.verdict, Verdict::Regressed);
//! let finding = &comparison.findings[0];
//! assert_eq!(comparison.tree.functions[finding.function as usize].name, "step_3");
//! // 4,000 more than the 54,200 of before.
//! assert!((finding.points - 4_000.0 / 54_200.0).abs() < 0.01);
//! # Ok::<(), plop_core::Error>(())
//! ```
#![forbid(unsafe_code)]

mod budget;
mod calibrate;
mod candidates;
mod cause;
mod compare;
mod comparison;
mod composition;
mod difference;
mod doubts;
mod ends;
mod environment;
mod explain;
mod files;
mod groups;
mod limits;
mod matching;
pub mod names;
mod noise;
mod plain;
mod pooled;
mod power;
mod prepared;
mod random;
mod reason;
mod renames;
mod replicates;
mod roots;
mod rules;
mod runs;
mod scan;
mod series;
mod series_names;
mod sets;
mod shift;
pub mod stats;
mod strata;
mod strongest;
mod told;
mod total;
mod touched;
mod tree;
mod weigh;

pub use budget::BudgetTest;
pub use calibrate::{Calibration, calibrate};
pub use compare::{Options, compare, compare_deploys};
pub use comparison::{
    Comparison, Environment, Finding, Method, Mode, NamedPower, Noise, Plan, Power, Reason, Shift,
    Summary, Total, TotalTest, Verdict, Warning,
};
pub use environment::Surroundings;
pub use groups::By;
pub use noise::Prior;
pub use power::Sensitivity;
pub use renames::{Between, Done, Renamed, Renames};
pub use rules::{Budget, FunctionRules, Functions, Ignore, Most, OwnEffect, Pattern};
pub use series::{ChangePoint, Estimate, FEWEST_DEPLOYS, Series, Tracked, What, series};
pub use sets::Kind;
pub use touched::{LastChange, Touched, TouchedFunction, TouchedHere};
pub use tree::{Cell, Column, Function, NO_FUNCTION, Side, Tree, samples_of};
