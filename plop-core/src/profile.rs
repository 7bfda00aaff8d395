//! The profile: its tables, and the invariants that hold between them.

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use crate::{
    Error, Frame, FrameId, Frames, Function, Functions, LabelSets, LabelValue, Mappings, Meta,
    Result, Samples, Slices, Stacks, StrId, Strings, Threads, ValueType, meta::MAX_RUN,
    values::MAX_SCALE,
};

/// One profile: the samples of a program's run and everything known about them.
///
/// ```
/// use plop_core::{Frame, Function, Profile, Sample, StackId, StrId, ValueType};
///
/// let mut profile = Profile::new(vec![ValueType::samples()]);
/// let main = profile.function(b"main", b"app.py");
/// let frame = profile.frames.intern(Frame { line: 12, ..Frame::of(main) });
/// let stack = profile.stacks.push(StackId::ROOT, frame);
/// profile.samples.push(Sample::of(stack, &[331]));
/// profile.check().unwrap();
/// assert_eq!(profile.total(0), 331);
/// ```
#[derive(Clone, Default)]
pub struct Profile {
    /// Every byte string once.
    pub strings: Strings,
    /// Functions.
    pub functions: Functions,
    /// Binaries.
    pub mappings: Mappings,
    /// Frames.
    pub frames: Frames,
    /// The trie of stacks.
    pub stacks: Stacks,
    /// Threads.
    pub threads: Threads,
    /// Label sets.
    pub label_sets: LabelSets,
    /// What each value of a sample means.
    pub values: Vec<ValueType>,
    /// Which of `values` is shown when nobody asks for another.
    pub default_value: usize,
    /// The samples.
    pub samples: Samples,
    /// Stretches of the run.
    pub slices: Slices,
    /// How it was recorded.
    pub meta: Meta,
}

impl Profile {
    /// A profile without samples, whose samples will have these values.
    pub fn new(values: Vec<ValueType>) -> Self {
        Profile {
            samples: Samples::new(values.len()),
            values,
            ..Profile::default()
        }
    }

    /// The id of the function of this name in this file, of which nothing more is known.
    pub fn function(&mut self, name: &[u8], file: &[u8]) -> crate::FunctionId {
        let name = self.strings.intern(name);
        let file = self.strings.intern(file);
        self.functions.intern(Function {
            name,
            system_name: StrId::EMPTY,
            file,
            start_line: 0,
        })
    }

    /// The function of a frame.
    #[inline]
    pub fn function_of(&self, frame: FrameId) -> &Function {
        self.functions.get(self.frames.get(frame).function)
    }

    /// The name of a frame's function.
    #[inline]
    pub fn name_of(&self, frame: FrameId) -> &[u8] {
        self.strings.get(self.function_of(frame).name)
    }

    /// The source file of a frame's function.
    #[inline]
    pub fn file_of(&self, frame: FrameId) -> &[u8] {
        self.strings.get(self.function_of(frame).file)
    }

    /// The line to show for a frame: the one that ran, or else the one of the definition.
    #[inline]
    pub fn line_of(&self, frame: FrameId) -> i64 {
        match self.frames.get(frame) {
            Frame {
                line: 0, function, ..
            } => self.functions.get(*function).start_line,
            frame => frame.line,
        }
    }

    /// The sum of value `value` over all samples.
    pub fn total(&self, value: usize) -> i64 {
        let stride = self.samples.stride();
        self.samples
            .values()
            .iter()
            .skip(value)
            .step_by(stride.max(1))
            .fold(0, |sum, v| sum.wrapping_add(*v))
    }

    /// Tells whether the profile keeps its invariants; every reader ends with this.
    ///
    /// 1. Every id lies inside its table, no table had to refuse a row, and no label set is empty.
    /// 2. Parents come before children (so built by [`Stacks::push`]).
    /// 3. Every sample has as many values as there are value types, at least one; no two have the same
    ///    kind and unit, and one of them is the default; decimal places are at most 18; the magnitudes of each value add up
    ///    within an `i64`, so that no sum of samples can overflow.
    /// 4. Samples stand in time order if they have times; runs are numbered up to 999,999,999.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn check(&self) -> Result<()> {
        self.check_tables()?;
        self.check_values()?;
        self.check_samples()
    }

    fn check_tables(&self) -> Result<()> {
        let full = [
            (self.strings.is_full(), "strings"),
            (self.functions.is_full(), "functions"),
            (self.mappings.is_full(), "mappings"),
            (self.frames.is_full(), "frames"),
            (self.stacks.is_full(), "stacks"),
            (self.threads.is_full(), "threads"),
            (self.label_sets.is_full(), "label sets"),
        ];
        if let Some((_, table)) = full.iter().find(|(full, _)| *full) {
            return Err(Error::new(format!("more than 4,294,967,293 {table}")));
        }
        let known = |id: StrId| id.index() < self.strings.len();
        let functions = self.functions.iter().all(|(_, function)| {
            known(function.name) && known(function.system_name) && known(function.file)
        });
        let mappings = self
            .mappings
            .iter()
            .all(|(_, mapping)| known(mapping.file) && known(mapping.build_id));
        let frames = self.frames.iter().all(|(_, frame)| {
            frame.function.index() < self.functions.len()
                && frame
                    .mapping
                    .is_none_or(|id| id.index() < self.mappings.len())
        });
        let stacks = self
            .stacks
            .iter()
            .all(|(_, _, frame)| frame.index() < self.frames.len());
        let threads = self.threads.iter().all(|(_, thread)| known(thread.name));
        let labels = self.label_sets.iter().all(|(_, set)| {
            !set.is_empty()
                && set.iter().all(|(key, value)| {
                    let text = match value {
                        LabelValue::Text(text) | LabelValue::Number(_, text) => text,
                    };
                    known(*key) && known(*text)
                })
        });
        for (holds, table) in [
            (functions, "a function"),
            (mappings, "a mapping"),
            (frames, "a frame"),
            (stacks, "a stack"),
            (threads, "a thread"),
            (labels, "a label set"),
        ] {
            if !holds {
                return Err(Error::new(format!(
                    "{table} is empty or refers to a row that does not exist"
                )));
            }
        }
        Ok(())
    }

    fn check_values(&self) -> Result<()> {
        let stride = self.values.len();
        if stride == 0 || self.samples.stride() != stride {
            return Err(Error::new(format!(
                "{} values a sample, but {stride} value types",
                self.samples.stride()
            )));
        }
        let mut seen: HashSet<(&str, &str), RandomState> = HashSet::default();
        for value in &self.values {
            if !seen.insert((&value.kind, &value.unit)) {
                return Err(Error::new(format!(
                    "two values are called {}/{}",
                    value.kind, value.unit
                )));
            }
        }
        if self.default_value >= stride {
            return Err(Error::new(format!(
                "value {} is the default, but there are {stride}",
                self.default_value
            )));
        }
        if let Some(wide) = self.values.iter().find(|v| v.scale > MAX_SCALE) {
            return Err(Error::new(format!(
                "{} decimal places; at most {MAX_SCALE} fit",
                wide.scale
            )));
        }
        let mut sums = vec![0u128; stride];
        for row in self.samples.values().chunks_exact(stride) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += u128::from(value.unsigned_abs());
            }
        }
        match sums.iter().position(|sum| *sum > i64::MAX as u128) {
            Some(n) => Err(Error::new(format!(
                "the magnitudes of the {} values add up to {}, past the largest whole number of 64 bits",
                self.values[n].kind, sums[n]
            ))
            .hint("split the input and convert the parts")),
            None => Ok(()),
        }
    }

    fn check_samples(&self) -> Result<()> {
        if let Some(slice) = self.slices.0.iter().find(|slice| slice.run > MAX_RUN) {
            return Err(Error::new(format!(
                "a slice of run {}; runs go up to {MAX_RUN}",
                slice.run
            )));
        }
        let mut last = i64::MIN;
        for (row, sample) in self.samples.iter().enumerate() {
            let known = sample.stack.index() < self.stacks.len()
                && sample
                    .thread
                    .is_none_or(|id| id.index() < self.threads.len())
                && sample
                    .labels
                    .is_none_or(|id| id.index() < self.label_sets.len())
                && sample.slice.is_none_or(|id| id.index() < self.slices.len());
            if !known {
                return Err(Error::new(format!(
                    "sample {row} refers to a row that does not exist"
                )));
            }
            if let Some(time) = sample.time_ns {
                if time < last {
                    return Err(Error::new(format!(
                        "sample {row} is earlier than the one before it"
                    )));
                }
                last = time;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sample, StackId, ThreadId};

    fn one_sample(values: &[i64]) -> Profile {
        let kinds = (0..values.len()).map(|n| ValueType::new(&format!("v{n}"), "count"));
        let mut profile = Profile::new(kinds.collect());
        profile.samples.push(Sample::of(StackId::ROOT, values));
        profile
    }

    fn refusal(profile: &Profile) -> String {
        profile
            .check()
            .expect_err("an invariant is broken")
            .to_string()
    }

    #[test]
    fn sums_that_leave_64_bits_are_refused() {
        let mut profile = one_sample(&[i64::MAX]);
        assert!(profile.check().is_ok());
        profile.samples.push(Sample::of(StackId::ROOT, &[-1]));
        assert!(refusal(&profile).contains("9223372036854775808"));
        assert!(refusal(&one_sample(&[i64::MIN])).contains("add up"));
    }

    #[test]
    fn broken_references_are_found() {
        let mut profile = one_sample(&[1]);
        profile.samples.push(Sample {
            thread: Some(ThreadId::new(0)),
            ..Sample::of(StackId::ROOT, &[1])
        });
        assert!(refusal(&profile).contains("sample 1 refers"));
        let mut profile = one_sample(&[1]);
        profile.default_value = 1;
        assert!(refusal(&profile).contains("default"));
        assert!(refusal(&Profile::default()).contains("0 value types"));
    }

    #[test]
    fn times_must_not_run_backwards() {
        let mut profile = one_sample(&[1]);
        for time in [5, 5, 4] {
            profile.samples.push(Sample {
                time_ns: Some(time),
                ..Sample::of(StackId::ROOT, &[1])
            });
        }
        assert!(refusal(&profile).contains("sample 3 is earlier"));
    }

    #[test]
    fn two_values_of_one_name_are_refused() {
        let mut profile = one_sample(&[1, 2]);
        profile.values[1] = profile.values[0].clone();
        assert!(refusal(&profile).contains("two values are called v0/count"));
    }

    #[test]
    fn runs_have_sensible_numbers() {
        let mut profile = one_sample(&[1]);
        profile.slices.0.push(crate::Slice {
            run: u32::MAX,
            ..crate::Slice::default()
        });
        assert!(refusal(&profile).contains("run 4294967295"));
        assert_eq!(profile.slices.runs(), u32::MAX);
    }

    #[test]
    fn the_definition_line_stands_in_for_a_missing_line() {
        let mut profile = Profile::new(vec![ValueType::samples()]);
        let function = profile.functions.intern(Function {
            name: StrId::EMPTY,
            system_name: StrId::EMPTY,
            file: StrId::EMPTY,
            start_line: 80,
        });
        let known = profile.frames.intern(Frame {
            line: 88,
            ..Frame::of(function)
        });
        let unknown = profile.frames.intern(Frame::of(function));
        assert_eq!((profile.line_of(known), profile.line_of(unknown)), (88, 80));
    }
}
