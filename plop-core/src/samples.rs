//! The samples: for every record its stack, its values, and what else is known of it.
//!
//! Stored as columns. A column that no sample uses takes no memory.

use crate::{Features, LabelSetId, SliceId, StackId, ThreadId};

/// One record of a profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample<'a> {
    /// Where the program was.
    pub stack: StackId,
    /// One number for each of [`Profile::values`](crate::Profile::values).
    pub values: &'a [i64],
    /// Which thread.
    pub thread: Option<ThreadId>,
    /// Its labels.
    pub labels: Option<LabelSetId>,
    /// In which stretch of the run.
    pub slice: Option<SliceId>,
    /// When, in nanoseconds since the start of the run.
    pub time_ns: Option<i64>,
}

impl<'a> Sample<'a> {
    /// A sample of which only stack and values are known.
    pub fn of(stack: StackId, values: &'a [i64]) -> Self {
        Sample {
            stack,
            values,
            thread: None,
            labels: None,
            slice: None,
            time_ns: None,
        }
    }
}

/// All samples, in time order if they have times, in file order otherwise.
#[derive(Clone, Default)]
pub struct Samples {
    stride: usize,
    stacks: Vec<StackId>,
    values: Vec<i64>,
    threads: Column<ThreadId>,
    labels: Column<LabelSetId>,
    slices: Column<SliceId>,
    times: Column<i64>,
}

impl Samples {
    /// No samples yet, with `stride` values each.
    pub fn new(stride: usize) -> Self {
        Samples {
            stride,
            ..Samples::default()
        }
    }

    /// Adds a sample.
    ///
    /// # Panics
    /// When it does not have `stride` values.
    pub fn push(&mut self, sample: Sample) {
        assert_eq!(sample.values.len(), self.stride, "values of a sample");
        let row = self.stacks.len();
        self.stacks.push(sample.stack);
        self.values.extend_from_slice(sample.values);
        self.threads.push(row, sample.thread);
        self.labels.push(row, sample.labels);
        self.slices.push(row, sample.slice);
        self.times.push(row, sample.time_ns);
    }

    /// Makes room for `more` samples.
    pub fn reserve(&mut self, more: usize) {
        self.stacks.reserve(more);
        self.values.reserve(more * self.stride);
    }

    /// How many values each sample has.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.stacks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty()
    }

    /// Sample `row`.
    #[inline]
    pub fn get(&self, row: usize) -> Sample<'_> {
        Sample {
            stack: self.stacks[row],
            values: &self.values[row * self.stride..(row + 1) * self.stride],
            thread: self.threads.get(row),
            labels: self.labels.get(row),
            slice: self.slices.get(row),
            time_ns: self.times.get(row),
        }
    }

    /// All samples in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The stack of every sample.
    pub fn stacks(&self) -> &[StackId] {
        &self.stacks
    }

    /// All values, `stride` for each sample.
    pub fn values(&self) -> &[i64] {
        &self.values
    }

    /// All values, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [i64] {
        &mut self.values
    }

    /// Leaves out the columns of features that are not kept.
    pub(crate) fn drop_columns(&mut self, keeps: Features) {
        if !keeps.contains(Features::THREADS) {
            self.threads = Column::default();
        }
        if !keeps.contains(Features::LABELS) {
            self.labels = Column::default();
        }
        if !keeps.contains(Features::SLICES) {
            self.slices = Column::default();
        }
        if !keeps.contains(Features::TIMES) {
            self.times = Column::default();
        }
    }

    /// The samples of these rows, in this order.
    pub fn in_order(&self, rows: &[usize]) -> Samples {
        let mut ordered = Samples::new(self.stride);
        ordered.reserve(rows.len());
        for row in rows {
            ordered.push(self.get(*row));
        }
        ordered
    }

    /// The first `count` samples.
    pub(crate) fn first(&self, count: usize) -> Samples {
        Samples {
            stride: self.stride,
            stacks: self.stacks[..count].to_vec(),
            values: self.values[..count * self.stride].to_vec(),
            threads: self.threads.first(count),
            labels: self.labels.first(count),
            slices: self.slices.first(count),
            times: self.times.first(count),
        }
    }

    /// Sends every sample to where its stack went.
    pub(crate) fn move_stacks(&mut self, went: &[StackId]) {
        for stack in &mut self.stacks {
            *stack = went[stack.index()];
        }
    }

    /// The samples for which `keep` says so, each as `keep` returns it.
    pub(crate) fn filter_map<'a>(
        &'a self,
        stride: usize,
        mut keep: impl FnMut(Sample<'a>, &mut Vec<i64>) -> Option<Sample<'a>>,
    ) -> Samples {
        let mut kept = Samples::new(stride);
        let mut values = Vec::with_capacity(stride);
        for sample in self.iter() {
            values.clear();
            if let Some(sample) = keep(sample, &mut values) {
                kept.push(Sample {
                    values: if values.is_empty() {
                        sample.values
                    } else {
                        &values
                    },
                    ..sample
                });
            }
        }
        kept
    }

    /// Whether any sample names its thread.
    pub fn have_threads(&self) -> bool {
        !self.threads.0.is_empty()
    }

    /// Whether any sample has labels.
    pub fn have_labels(&self) -> bool {
        !self.labels.0.is_empty()
    }

    /// Whether any sample says in which slice it was taken.
    pub fn have_slices(&self) -> bool {
        !self.slices.0.is_empty()
    }

    /// Whether any sample says when it was taken.
    pub fn have_times(&self) -> bool {
        !self.times.0.is_empty()
    }
}

/// A column that stays empty until a sample has something to put there.
#[derive(Clone)]
struct Column<T>(Vec<Option<T>>);

impl<T> Default for Column<T> {
    fn default() -> Self {
        Column(Vec::new())
    }
}

impl<T: Copy> Column<T> {
    #[inline]
    fn push(&mut self, row: usize, value: Option<T>) {
        if value.is_some() || !self.0.is_empty() {
            self.0.resize(row, None);
            self.0.push(value);
        }
    }

    fn first(&self, count: usize) -> Self {
        Column(self.0[..self.0.len().min(count)].to_vec())
    }

    #[inline]
    fn get(&self, row: usize) -> Option<T> {
        self.0.get(row).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_starts_with_the_first_sample_that_needs_it() {
        let mut samples = Samples::new(1);
        samples.push(Sample::of(StackId::ROOT, &[1]));
        assert!(!samples.have_threads());
        samples.push(Sample {
            thread: Some(ThreadId::new(3)),
            ..Sample::of(StackId::ROOT, &[2])
        });
        samples.push(Sample::of(StackId::ROOT, &[3]));
        let threads: Vec<_> = samples
            .iter()
            .map(|s| s.thread.map(ThreadId::index))
            .collect();
        assert_eq!(threads, [None, Some(3), None]);
        assert_eq!(samples.values(), [1, 2, 3]);
    }
}
