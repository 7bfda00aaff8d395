//! Putting profiles together: `absorb` takes another profile's samples in, `merge` adds up runs.
//!
//! Absorbing remaps the other profile's ids table by table. Rows keep the order in which they first
//! appeared, so reading an input in pieces and absorbing the pieces in order gives the very profile
//! that reading it whole gives.

use crate::{
    Attribute, Attributes, Error, Frame, FrameId, Function, FunctionId, LabelSetId, LabelValue,
    Mapping, MappingId, Meta, Notes, Profile, Result, Sample, Slice, SliceId, StackId, StrId,
    Thread, ThreadId, Ticks, ValueType, nanoseconds_in,
};

/// Where the rows of an absorbed profile went.
struct Moved {
    threads: Vec<ThreadId>,
    label_sets: Vec<LabelSetId>,
    stacks: Vec<StackId>,
}

impl Profile {
    /// Takes in the samples of `other`, which belongs to the same run. Its slices follow ours and
    /// keep their run numbers; its value types are matched by kind and unit, a missing one counting
    /// as 0. How it was recorded stays ours.
    ///
    /// # Errors
    /// When decimal places that differ cannot be made equal within 64 bits.
    pub fn absorb(&mut self, other: &Profile) -> Result<()> {
        let first = self.slices.len();
        let slices: Vec<SliceId> = (0..other.slices.len())
            .map(|n| SliceId::new(first + n))
            .collect();
        self.slices.0.extend_from_slice(&other.slices.0);
        self.absorb_into_slices(other, &slices)
    }

    /// Takes in the samples of `other` as [`Profile::absorb`] does, with its slice `n` becoming our
    /// slice `slices[n]`, which is to be there already: for recordings that lie beside each other in
    /// time instead of following each other. Our slices and their counters stay as they are.
    ///
    /// # Errors
    /// As [`Profile::absorb`].
    ///
    /// # Panics
    /// When a sample of `other` is in a slice for which `slices` has no entry.
    pub fn absorb_into_slices(&mut self, other: &Profile, slices: &[SliceId]) -> Result<()> {
        let columns = self.unite_values(other)?;
        let moved = self.absorb_tables(other);
        self.samples.reserve(other.samples.len());
        let mut values = vec![0i64; self.values.len()];
        for sample in other.samples.iter() {
            for (column, factor) in columns.iter().zip(sample.values) {
                let (to, scale) = *column;
                values[to] = factor.checked_mul(scale).ok_or_else(too_many_places)?;
            }
            self.samples.push(Sample {
                stack: moved.stacks[sample.stack.index()],
                values: &values,
                thread: sample.thread.map(|id| moved.threads[id.index()]),
                labels: sample.labels.map(|id| moved.label_sets[id.index()]),
                slice: sample.slice.map(|id| slices[id.index()]),
                time_ns: sample.time_ns,
            });
        }
        Ok(())
    }

    /// The profile with its samples in the order of their times; those without one come first.
    pub fn in_time_order(mut self) -> Profile {
        if self.samples.have_times() {
            let mut order: Vec<usize> = (0..self.samples.len()).collect();
            order.sort_by_key(|row| self.samples.get(*row).time_ns);
            self.samples = self.samples.in_order(&order);
        }
        self
    }

    /// Makes room for the value types of `other`. Returns, for each of them, the column here and
    /// the factor that its numbers need.
    fn unite_values(&mut self, other: &Profile) -> Result<Vec<(usize, i64)>> {
        for theirs in &other.values {
            self.refine(theirs)?;
        }
        let mut columns = Vec::with_capacity(other.values.len());
        let alike = self.values.len() == other.values.len()
            && (self.values.iter().zip(&other.values)).all(|(a, b)| a.same_quantity(b));
        for (n, theirs) in other.values.iter().enumerate() {
            if let Some((column, ratio)) = self.in_finer_unit(theirs) {
                if self.values[column].scale < theirs.scale {
                    self.raise_scale(column, theirs.scale)?;
                }
                let places = u32::from(self.values[column].scale - theirs.scale);
                let factor = (10i64.checked_pow(places)).and_then(|f| f.checked_mul(ratio));
                columns.push((column, factor.ok_or_else(too_many_places)?));
                continue;
            }
            let column = match self
                .values
                .iter()
                .position(|ours| ours.same_quantity(theirs))
            {
                Some(_) if alike => n,
                Some(column) => column,
                None => {
                    self.add_value(theirs.clone());
                    self.values.len() - 1
                }
            };
            if self.values[column].scale < theirs.scale {
                self.raise_scale(column, theirs.scale)?;
            }
            let places = u32::from(self.values[column].scale - theirs.scale);
            columns.push((
                column,
                10i64.checked_pow(places).ok_or_else(too_many_places)?,
            ));
        }
        Ok(columns)
    }

    /// The value that is of the same type as `theirs` in a finer unit of time, and how many of it theirs
    /// is; `None` where the same unit is there, too.
    fn in_finer_unit(&self, theirs: &ValueType) -> Option<(usize, i64)> {
        if self.values.iter().any(|ours| ours.same_quantity(theirs)) {
            return None;
        }
        let their_ns = nanoseconds_in(&theirs.unit)?;
        self.values.iter().enumerate().find_map(|(column, ours)| {
            let our_ns = nanoseconds_in(&ours.unit).filter(|ns| *ns <= their_ns)?;
            (ours.kind == theirs.kind).then_some((column, their_ns / our_ns))
        })
    }

    /// Turns the only value of the type of `theirs` into the unit of theirs, if that is a finer one of
    /// time: 5 milliseconds and 7 nanoseconds are added up in nanoseconds.
    fn refine(&mut self, theirs: &ValueType) -> Result<()> {
        let Some(their_ns) = nanoseconds_in(&theirs.unit) else {
            return Ok(());
        };
        let alike =
            |ours: &ValueType| ours.kind == theirs.kind && nanoseconds_in(&ours.unit).is_some();
        let mut columns = self
            .values
            .iter()
            .enumerate()
            .filter(|(_, ours)| alike(ours));
        let (Some((column, ours)), None) = (columns.next(), columns.next()) else {
            return Ok(());
        };
        let ratio = nanoseconds_in(&ours.unit).unwrap_or(1) / their_ns;
        if ratio <= 1 {
            return Ok(());
        }
        let stride = self.values.len();
        for value in self
            .samples
            .values_mut()
            .iter_mut()
            .skip(column)
            .step_by(stride)
        {
            *value = value.checked_mul(ratio).ok_or_else(too_many_places)?;
        }
        self.values[column].unit.clone_from(&theirs.unit);
        Ok(())
    }

    /// Adds a value type; samples so far have 0 of it.
    fn add_value(&mut self, value: ValueType) {
        self.values.push(value);
        let stride = self.values.len();
        self.samples = self.samples.filter_map(stride, |sample, values| {
            values.extend_from_slice(sample.values);
            values.push(0);
            Some(sample)
        });
    }

    /// The profile with one more value type, before the others; every sample has 0 of it.
    pub fn with_zero_before(mut self, value: ValueType) -> Profile {
        self.values.insert(0, value);
        self.default_value += 1;
        self.samples = self
            .samples
            .filter_map(self.values.len(), |sample, values| {
                values.push(0);
                values.extend_from_slice(sample.values);
                Some(sample)
            });
        self
    }

    /// The profile with its default value type before the others.
    pub fn with_default_first(mut self) -> Profile {
        let default = self.default_value;
        if default > 0 {
            self.values[..=default].rotate_right(1);
            self.samples = self
                .samples
                .filter_map(self.values.len(), |sample, values| {
                    values.extend_from_slice(sample.values);
                    values[..=default].rotate_right(1);
                    Some(sample)
                });
            self.default_value = 0;
        }
        self
    }

    /// Gives value `column` more decimal places, its meaning unchanged.
    ///
    /// # Errors
    /// When a value would leave 64 bits.
    pub fn raise_scale(&mut self, column: usize, scale: u8) -> Result<()> {
        let places = scale.saturating_sub(self.values[column].scale);
        let factor = 10i64
            .checked_pow(places.into())
            .ok_or_else(too_many_places)?;
        let stride = self.values.len();
        for value in self
            .samples
            .values_mut()
            .iter_mut()
            .skip(column)
            .step_by(stride)
        {
            *value = value.checked_mul(factor).ok_or_else(too_many_places)?;
        }
        self.values[column].scale = self.values[column].scale.max(scale);
        Ok(())
    }

    /// Takes in every row of the tables of `other`, and its stacks.
    fn absorb_tables(&mut self, other: &Profile) -> Moved {
        let strings: Vec<StrId> = other
            .strings
            .iter()
            .map(|(_, text)| self.strings.intern(text))
            .collect();
        let text = |id: StrId| strings[id.index()];
        let functions: Vec<FunctionId> = (other.functions.iter())
            .map(|(_, function)| {
                self.functions.intern(Function {
                    name: text(function.name),
                    system_name: text(function.system_name),
                    file: text(function.file),
                    start_line: function.start_line,
                })
            })
            .collect();
        let mappings: Vec<MappingId> = (other.mappings.iter())
            .map(|(_, mapping)| {
                self.mappings.intern(Mapping {
                    file: text(mapping.file),
                    build_id: text(mapping.build_id),
                    ..*mapping
                })
            })
            .collect();
        let frames: Vec<FrameId> = (other.frames.iter())
            .map(|(_, frame)| {
                self.frames.intern(Frame {
                    function: functions[frame.function.index()],
                    mapping: frame.mapping.map(|id| mappings[id.index()]),
                    ..*frame
                })
            })
            .collect();
        let threads = (other.threads.iter())
            .map(|(_, thread)| {
                self.threads.intern(Thread {
                    name: text(thread.name),
                    ..*thread
                })
            })
            .collect();
        let label_sets = (other.label_sets.iter())
            .map(|(_, set)| {
                let moved = set.iter().map(|(key, value)| {
                    let value = match *value {
                        LabelValue::Text(t) => LabelValue::Text(text(t)),
                        LabelValue::Number(n, unit) => LabelValue::Number(n, text(unit)),
                    };
                    (text(*key), value)
                });
                self.label_sets.intern(moved.collect())
            })
            .collect();
        let stacks = self.stacks.absorb(&other.stacks, &frames);
        Moved {
            threads,
            label_sets,
            stacks,
        }
    }
}

fn too_many_places() -> Error {
    Error::new("values with so many decimal places that they do not fit 64 bits side by side")
        .hint("choose one value with --value, or round it first")
}

/// One profile of the several that one file holds, which are parts of one run: the name of each
/// becomes the thread of those of its samples that name none. Samples are in the order of their times.
///
/// # Errors
/// When there is no profile, or the sums leave 64 bits.
pub fn one_run(mut profiles: Vec<Profile>) -> Result<Profile> {
    if profiles.len() == 1 {
        return Ok(profiles.remove(0));
    }
    for profile in &mut profiles {
        if !profile.meta.name.is_empty() {
            let name = profile.strings.intern(profile.meta.name.as_bytes());
            let thread = profile.threads.intern(Thread {
                pid: 0,
                tid: 0,
                name,
            });
            let stride = profile.values.len();
            profile.samples = profile.samples.filter_map(stride, |sample, _| {
                Some(Sample {
                    thread: sample.thread.or(Some(thread)),
                    ..sample
                })
            });
        }
    }
    let mut rest = profiles.into_iter();
    let mut whole = rest.next().ok_or_else(|| Error::new("nothing to merge"))?;
    for profile in rest {
        whole.absorb(&profile)?;
    }
    let whole = whole.in_time_order();
    whole.check()?;
    Ok(whole)
}

/// Notes that times of samples are left out.
fn note_times(profile: &Profile, notes: &mut Notes) {
    if profile.samples.have_times() {
        notes.add("merge-times", None, || {
            "when samples were taken is left out, since the runs did not share a clock".into()
        });
    }
}

/// Adds up runs: the result holds the samples of all of them, and its slices say which slice came
/// from which run. A run without slices becomes a single one. Merging one profile changes nothing;
/// merging is associative. Samples that differ in nothing but their values are added together,
/// and times are left out, since the runs did not share a clock.
///
/// Of the starts the earliest is kept, of equal kinds of period the longest, durations and counters are
/// added up, comments are united, and of everything else the first run's word stands; a word that
/// differs is noted.
///
/// # Errors
/// When there is no profile, or the sums leave 64 bits.
pub fn merge(profiles: &[Profile], notes: &mut Notes) -> Result<Profile> {
    let (first, rest) = profiles
        .split_first()
        .ok_or_else(|| Error::new("nothing to merge"))?;
    if rest.is_empty() {
        return Ok(first.clone());
    }
    note_times(first, notes);
    let mut merged = as_runs(first, 0);
    for profile in rest {
        let run = merged.slices.runs();
        merged.absorb(&as_runs(profile, run))?;
        merge_meta(&mut merged.meta, &profile.meta, notes);
        note_times(profile, notes);
        note_values(&first.values, &profile.values, notes);
    }
    let merged = merged.without_times().summed();
    merged.check()?;
    Ok(merged)
}

/// Adds up runs without telling them apart: as [`merge`], with no slices in the result, so that equal
/// samples of different runs become one, whatever the order of their labels. Samples of which nothing
/// is left are left out.
///
/// # Errors
/// As [`merge`].
pub fn merge_without_runs(profiles: &[Profile], notes: &mut Notes) -> Result<Profile> {
    let (first, rest) = profiles
        .split_first()
        .ok_or_else(|| Error::new("nothing to merge"))?;
    if rest.is_empty() {
        return Ok(first.clone());
    }
    note_times(first, notes);
    let mut merged = without_slices(first).without_times().summed();
    let mut limit = 2 * merged.samples.len();
    for profile in rest {
        match profile.slices.is_empty() && !profile.samples.have_times() {
            true => merged.absorb(profile)?,
            false => merged.absorb(&without_slices(profile).without_times())?,
        }
        merge_meta(&mut merged.meta, &profile.meta, notes);
        note_times(profile, notes);
        note_values(&first.values, &profile.values, notes);
        // Adding up now and then costs little and bounds the memory.
        if merged.samples.len() > limit {
            merged = merged.summed();
            limit = 2 * merged.samples.len();
        }
    }
    let merged = merged.with_sorted_labels().summed();
    let merged = merged.retain(|sample| sample.values.iter().any(|value| *value != 0));
    merged.check()?;
    Ok(merged)
}

/// The profile with no slices, and with samples in none.
fn without_slices(profile: &Profile) -> Profile {
    let mut profile = profile.clone();
    if profile.slices.is_empty() {
        return profile;
    }
    profile.slices = crate::Slices::default();
    let stride = profile.samples.stride();
    profile.samples = profile.samples.filter_map(stride, |sample, _| {
        Some(Sample {
            slice: None,
            ..sample
        })
    });
    profile
}

fn note_values(ours: &[ValueType], theirs: &[ValueType], notes: &mut Notes) {
    if !same_quantities(ours, theirs) {
        notes.add("merge-values", None, || {
            "the runs do not have the same values; what a run lacks counts as 0".into()
        });
    }
}

fn same_quantities(a: &[ValueType], b: &[ValueType]) -> bool {
    a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| x.same_quantity(y)))
}

/// The profile with its runs numbered from `first`, every sample in a slice.
fn as_runs(profile: &Profile, first: u32) -> Profile {
    let mut profile = profile.clone();
    for slice in &mut profile.slices.0 {
        slice.run = slice.run.saturating_add(first);
    }
    if profile.slices.is_empty() {
        profile.slices.0.push(Slice {
            run: first,
            length_ns: profile.meta.duration_ns.unwrap_or(0),
            ticks: profile.meta.ticks.map(|ticks| ticks.delivered),
            cpu_ns: profile.meta.cpu_ns,
            wall_ns: profile.meta.wall_ns,
            work: profile.meta.work.clone(),
        });
        let stride = profile.samples.stride();
        profile.samples = profile.samples.filter_map(stride, |sample, _| {
            Some(Sample {
                slice: Some(SliceId::new(0)),
                ..sample
            })
        });
    }
    profile
}

fn merge_meta(meta: &mut Meta, other: &Meta, notes: &mut Notes) {
    meta.start_ns = match (meta.start_ns, other.start_ns) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    meta.duration_ns = sum(meta.duration_ns, other.duration_ns);
    meta.cpu_ns = sum(meta.cpu_ns, other.cpu_ns);
    meta.wall_ns = sum(meta.wall_ns, other.wall_ns);
    meta.ticks = match (meta.ticks, other.ticks) {
        (Some(a), Some(b)) => Some(Ticks {
            asked: a.asked.saturating_add(b.asked),
            delivered: a.delivered.saturating_add(b.delivered),
            dropped: a.dropped.saturating_add(b.dropped),
        }),
        (a, b) => a.or(b),
    };
    for (counter, amount) in &other.work {
        match meta.work.iter_mut().find(|(name, _)| name == counter) {
            Some((_, total)) => *total = total.saturating_add(*amount),
            None => meta.work.push((counter.clone(), *amount)),
        }
    }
    merge_sampler(&mut meta.sampler, &other.sampler);
    for comment in &other.comments {
        if !meta.comments.contains(comment) {
            meta.comments.push(comment.clone());
        }
    }
    for prefix in &other.prefixes {
        if !meta.prefixes.contains(prefix) {
            meta.prefixes.push(prefix.clone());
        }
    }
    let mut differ = Vec::new();
    match (&mut meta.period, &other.period) {
        (Some(ours), Some(theirs)) if ours.of == theirs.of => {
            ours.every = ours.every.max(theirs.every)
        }
        (ours, theirs) => keep_first(ours, theirs, "period", &mut differ),
    }
    keep_first(&mut meta.name, &other.name, "name", &mut differ);
    keep_first(&mut meta.clock, &other.clock, "clock", &mut differ);
    keep_first(&mut meta.runtime, &other.runtime, "runtime", &mut differ);
    keep_first(
        &mut meta.drop_frames,
        &other.drop_frames,
        "drop_frames",
        &mut differ,
    );
    keep_first(
        &mut meta.keep_frames,
        &other.keep_frames,
        "keep_frames",
        &mut differ,
    );
    keep_first(&mut meta.doc_url, &other.doc_url, "doc_url", &mut differ);
    keep_first(&mut meta.command, &other.command, "command", &mut differ);
    keep_first(&mut meta.host, &other.host, "host", &mut differ);
    keep_first(&mut meta.build, &other.build, "build", &mut differ);
    for (key, value) in &other.extra {
        match meta.extra.iter().find(|(ours, _)| ours == key) {
            Some((_, ours)) if ours == value => {}
            Some(_) => differ.push("extra"),
            None => meta.extra.push((key.clone(), value.clone())),
        }
    }
    if !differ.is_empty() {
        notes.add("merge-differs", None, || {
            format!(
                "the runs differ in {}; the first run's stands",
                differ.join(", ")
            )
        });
    }
}

/// Adds up the counters of samplers; of what is no counter the first run's word stands, since it
/// tells how a profile came about and not what it is of.
fn merge_sampler(ours: &mut Attributes, theirs: &Attributes) {
    for (key, value) in theirs {
        match (ours.iter_mut().find(|(name, _)| name == key), value) {
            (Some((_, Attribute::Number(sum))), Attribute::Number(more)) => {
                *sum = sum.saturating_add(*more);
            }
            (Some(_), _) => {}
            (None, _) => ours.push((key.clone(), value.clone())),
        }
    }
}

fn sum(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

fn keep_first<T: Default + PartialEq + Clone>(
    ours: &mut T,
    theirs: &T,
    what: &'static str,
    differ: &mut Vec<&'static str>,
) {
    if *ours == T::default() {
        ours.clone_from(theirs);
    } else if *theirs != T::default() && ours != theirs {
        differ.push(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with one stack for each name, weighing as the name says.
    fn run(stacks: &[(&str, i64)], kind: &str) -> Profile {
        let mut profile = Profile::new(vec![ValueType::new(kind, "count")]);
        for (name, weight) in stacks {
            let function = profile.function(name.as_bytes(), b"");
            let frame = profile.frames.intern(Frame::of(function));
            let stack = profile.stacks.push(StackId::ROOT, frame);
            profile.samples.push(Sample::of(stack, &[*weight]));
        }
        profile.meta.duration_ns = Some(stacks.len() as i64);
        profile
    }

    fn merged(profiles: &[Profile]) -> Profile {
        merge(profiles, &mut Notes::new()).unwrap()
    }

    /// A run of one sample, of this much time in this unit.
    fn timed(time: i64, unit: &str) -> Profile {
        let mut profile = run(&[("f", time)], "cpu");
        profile.values[0].unit = unit.into();
        let of = ValueType::new("cpu", "nanoseconds");
        profile.meta.period = Some(crate::Period { of, every: time });
        profile
    }

    #[test]
    fn times_in_two_units_are_added_up_in_the_finer_one() {
        for runs in [
            [timed(5, "milliseconds"), timed(7, "ns")],
            [timed(7, "ns"), timed(5, "milliseconds")],
        ] {
            let sum = merge_without_runs(&runs, &mut Notes::new()).unwrap();
            assert_eq!((sum.values.len(), sum.total(0)), (1, 5_000_007));
            assert_eq!(sum.values[0].unit, "ns");
            assert_eq!(sum.meta.period.map(|period| period.every), Some(7));
        }
        let too_many = timed(i64::MAX / 10, "seconds");
        assert!(merge_without_runs(&[too_many, timed(1, "ns")], &mut Notes::new()).is_err());
    }

    #[test]
    fn what_adds_up_to_nothing_goes_and_labels_may_stand_in_any_order() {
        let labelled = |keys: [&str; 2], weight| {
            let mut profile = run(&[("gone", -1)], "cpu");
            let stack = profile.samples.get(0).stack;
            let label = |key: &&str| {
                let key = profile.strings.intern(key.as_bytes());
                (key, LabelValue::Text(key))
            };
            let set = keys.iter().map(label).collect();
            let labels = Some(profile.label_sets.intern(set));
            profile.samples.push(Sample {
                labels,
                ..Sample::of(stack, &[weight])
            });
            profile
        };
        let runs = [
            labelled(["a", "b"], 2),
            labelled(["b", "a"], 3),
            run(&[("gone", 2)], "cpu"),
        ];
        let sum = merge_without_runs(&runs, &mut Notes::new()).unwrap();
        assert_eq!(sum.samples.values(), [5]);
    }

    #[test]
    fn merging_in_any_grouping_gives_the_same() {
        let (a, b, c) = (
            run(&[("f", 1), ("g", 2)], "cpu"),
            run(&[("g", 3)], "wall"),
            run(&[("f", 4), ("h", 5)], "cpu"),
        );
        let all = merged(&[a.clone(), b.clone(), c.clone()]);
        let left = merged(&[merged(&[a.clone(), b.clone()]), c.clone()]);
        let right = merged(&[a, merged(&[b, c])]);
        assert_eq!(all.dump(), left.dump());
        assert_eq!(all.dump(), right.dump());
        assert_eq!(all.slices.runs(), 3);
        assert_eq!((all.total(0), all.total(1)), (12, 3));
        assert_eq!(all.meta.duration_ns, Some(5));
    }

    #[test]
    fn one_profile_merged_is_itself() {
        let one = run(&[("f", 1)], "cpu");
        assert_eq!(merged(std::slice::from_ref(&one)).dump(), one.dump());
        assert!(merge(&[], &mut Notes::new()).is_err());
    }

    #[test]
    fn parts_of_a_run_become_its_threads() {
        let (mut a, mut b) = (run(&[("f", 1)], "cpu"), run(&[("f", 2)], "cpu"));
        a.meta.name = "main".into();
        b.meta.name = "io".into();
        let whole = one_run(vec![a, b]).unwrap();
        assert_eq!(whole.thread_count(), 2);
        assert_eq!((whole.total(0), whole.slices.runs()), (3, 0));
        assert!(one_run(Vec::new()).is_err());
    }

    #[test]
    fn recordings_beside_each_other_share_slices() {
        let slice = |ticks| Slice {
            ticks: Some(ticks),
            ..Slice::default()
        };
        let in_slices = |slices: &[usize]| {
            let mut profile = run(&vec![("f", 1); slices.len()], "cpu");
            let mut slices = slices.iter();
            profile.samples = profile.samples.filter_map(1, |sample, _| {
                Some(Sample {
                    slice: slices.next().map(|n| SliceId::new(*n)),
                    ..sample
                })
            });
            profile
        };
        let mut whole = in_slices(&[0, 1]);
        whole.slices.0 = vec![slice(7), slice(8)];
        let mut fine = in_slices(&[0, 2, 3]);
        fine.slices.0 = vec![slice(1); 4];
        let coarse = [0, 0, 1, 1].map(SliceId::new);
        whole.absorb_into_slices(&fine, &coarse).unwrap();
        assert_eq!(whole.slices.0, [slice(7), slice(8)]);
        let summed = whole.summed();
        let found: Vec<_> = summed
            .samples
            .iter()
            .map(|s| (s.slice, s.values[0]))
            .collect();
        assert_eq!(
            found,
            [(Some(SliceId::new(0)), 2), (Some(SliceId::new(1)), 3)]
        );
    }

    #[test]
    fn decimal_places_are_made_equal_or_refused() {
        let mut tenths = run(&[("f", 15)], "cpu");
        tenths.values[0].scale = 1;
        let mut whole = run(&[("f", 2)], "cpu");
        whole.absorb(&tenths).unwrap();
        assert_eq!((whole.total(0), whole.values[0].scale), (35, 1));
        let mut huge = run(&[("f", i64::MAX)], "cpu");
        assert!(huge.absorb(&tenths).is_err());
    }

    #[test]
    fn counters_of_samplers_add_up() {
        let (mut a, mut b) = (run(&[("f", 1)], "cpu"), run(&[("f", 1)], "cpu"));
        let text = |text: &str| Attribute::Text(text.into());
        a.meta.sampler = vec![
            ("trigger".into(), text("timer")),
            ("rejected".into(), Attribute::Number(1)),
        ];
        b.meta.sampler = vec![
            ("rejected".into(), Attribute::Number(2)),
            ("trigger".into(), text("perf")),
            ("cut".into(), Attribute::Number(4)),
        ];
        let mut notes = Notes::new();
        let sum = merge(&[a, b], &mut notes).unwrap().meta.sampler;
        let told: Vec<_> = sum
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        assert_eq!(
            told,
            [
                ("trigger", &text("timer")),
                ("rejected", &Attribute::Number(3)),
                ("cut", &Attribute::Number(4))
            ]
        );
        assert!(notes.is_empty());
    }

    #[test]
    fn what_differs_between_runs_is_noted() {
        let (mut a, mut b) = (run(&[("f", 1)], "cpu"), run(&[("f", 1)], "wall"));
        a.meta.clock = "cpu".into();
        b.meta.clock = "wall".into();
        let mut notes = Notes::new();
        merge(&[a, b], &mut notes).unwrap();
        assert_eq!(notes.count("merge-differs"), 1);
        assert_eq!(notes.count("merge-values"), 1);
    }
}
