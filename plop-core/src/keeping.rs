//! What is left of a profile when some of its features go, and putting it back in order after.

use std::borrow::Cow;

use crate::features::feature_of;
use crate::{
    Features, Frame, FrameId, FrameKind, Function, LabelSetId, LabelSets, LabelValue, Mapping,
    Mappings, Meta, Profile, Sample, Samples, Slices, StackId, StrId, Thread, ThreadId, Threads,
    ValueType,
};
use hashbrown::HashMap;

impl Profile {
    /// What a format that keeps `keeps` has room for. Stacks and the default value always stay; of
    /// several values the default one stays; a definition line stands in for the running line where
    /// only lines are kept; decimal places that go are rounded half away from zero.
    ///
    /// [`Features::NEGATIVE`] and [`Features::MANY`] are not applied here: a format that lacks them
    /// must refuse.
    pub fn keeping(&self, keeps: Features) -> Profile {
        let gone = |feature| !keeps.contains(feature);
        let mut kept = self.clone();
        if gone(Features::VALUES) && self.values.len() > 1 {
            kept = kept.choosing(self.default_value);
        }
        if gone(Features::FRACTIONS) {
            kept.round_to_whole();
        }
        if gone(Features::UNITS) {
            for value in &mut kept.values {
                *value = ValueType {
                    scale: value.scale,
                    ..ValueType::samples()
                };
            }
        }
        kept = kept.with_frames(|profile, id| {
            let frame = *profile.frames.get(id);
            let function = *profile.functions.get(frame.function);
            let line = match profile.line_of(id) {
                line if gone(Features::START_LINES) => line,
                _ => frame.line,
            };
            let kind = match feature_of(frame.kind) {
                feature if gone(feature) && feature != Features::NONE => FrameKind::Unknown,
                _ => frame.kind,
            };
            let unless = |feature, id: StrId| if gone(feature) { StrId::EMPTY } else { id };
            let function = Function {
                name: function.name,
                system_name: unless(Features::SYSTEM_NAMES, function.system_name),
                file: unless(Features::FILES, function.file),
                start_line: if gone(Features::START_LINES) {
                    0
                } else {
                    function.start_line
                },
            };
            let frame = Frame {
                function: frame.function,
                line: if gone(Features::LINES) { 0 } else { line },
                column: if gone(Features::COLUMNS) {
                    0
                } else {
                    frame.column
                },
                address: if gone(Features::ADDRESSES) {
                    0
                } else {
                    frame.address
                },
                mapping: frame.mapping.filter(|_| !gone(Features::MAPPINGS)),
                inlined: frame.inlined && !gone(Features::INLINES),
                kind,
            };
            (function, frame)
        });
        kept.samples.drop_columns(keeps);
        if gone(Features::THREADS) {
            kept.threads = Threads::new();
        }
        if gone(Features::LABELS) {
            kept.label_sets = LabelSets::new();
        }
        if gone(Features::MAPPINGS) {
            kept.mappings = Mappings::new();
        }
        if gone(Features::SLICES) {
            kept.slices = Slices::default();
        }
        kept.meta = kept_meta(&kept.meta, keeps);
        kept
    }

    /// The profile with every frame, and its function, as `to` returns them. Frames that become
    /// equal become one, and so do the stacks in which they stand.
    pub fn with_frames(mut self, to: impl Fn(&Profile, FrameId) -> (Function, Frame)) -> Profile {
        let new: Vec<(Function, Frame)> = (0..self.frames.len())
            .map(|n| to(&self, FrameId::new(n)))
            .collect();
        self.functions = crate::Functions::new();
        self.frames = crate::Frames::new();
        let frames: Vec<FrameId> = new
            .into_iter()
            .map(|(function, frame)| {
                let function = self.functions.intern(function);
                self.frames.intern(Frame { function, ..frame })
            })
            .collect();
        let merges = self.frames.len() < frames.len();
        let moved = frames.iter().enumerate().any(|(n, id)| id.index() != n);
        if merges || moved {
            let (stacks, went) = self.stacks.rewrite(|_, frame| Some(frames[frame.index()]));
            self.stacks = stacks;
            self.samples.move_stacks(&went);
        }
        self
    }

    fn round_to_whole(&mut self) {
        let stride = self.values.len();
        for (column, value) in self.values.iter_mut().enumerate() {
            let unit = 10i64.pow(value.scale.into());
            value.scale = 0;
            for number in self
                .samples
                .values_mut()
                .iter_mut()
                .skip(column)
                .step_by(stride)
            {
                let (whole, rest) = (*number / unit, *number % unit);
                let away = i64::from(rest.unsigned_abs() * 2 >= unit.unsigned_abs() && rest != 0);
                *number = whole + away * rest.signum();
            }
        }
    }

    /// The profile without the times of its samples.
    pub fn without_times(mut self) -> Profile {
        let all = Features::ALL.iter().map(|(feature, ..)| *feature);
        self.samples
            .drop_columns(all.collect::<Features>() - Features::TIMES);
        self
    }

    /// The profile with the labels of every set in the order of their keys, texts before numbers.
    pub(crate) fn with_sorted_labels(mut self) -> Profile {
        if !self.samples.have_labels() {
            return self;
        }
        let mut sets = LabelSets::new();
        let went: Vec<LabelSetId> = (self.label_sets.iter())
            .map(|(_, set)| {
                let mut set = set.clone();
                set.sort_by_key(|(key, value)| {
                    (
                        matches!(value, LabelValue::Number(..)),
                        self.strings.get(*key),
                    )
                });
                sets.intern(set)
            })
            .collect();
        let stride = self.values.len();
        self.samples = self.samples.filter_map(stride, |sample, _| {
            Some(Sample {
                labels: sample.labels.map(|id| went[id.index()]),
                ..sample
            })
        });
        self.label_sets = sets;
        self
    }

    /// The profile with samples that differ in nothing but their values added together. The order
    /// is that of first appearance; samples with a time are left alone.
    pub fn summed(mut self) -> Profile {
        if let Cow::Owned(samples) = self.summed_samples() {
            self.samples = samples;
        }
        self
    }

    /// The samples of [`Profile::summed`]; borrowed where no two are alike.
    pub fn summed_samples(&self) -> Cow<'_, Samples> {
        let samples = &self.samples;
        if samples.have_times() {
            return Cow::Borrowed(samples);
        }
        let bare = !(samples.have_threads() || samples.have_labels() || samples.have_slices());
        let mut rows = match bare {
            true => RowOf::Stack(vec![u32::MAX; self.stacks.len()]),
            false => RowOf::Key(HashMap::with_capacity_and_hasher(
                samples.len(),
                foldhash::fast::RandomState::default(),
            )),
        };
        let first = (0..samples.len()).find(|n| rows.of(&samples.get(*n), *n) != *n);
        let Some(first) = first else {
            return Cow::Borrowed(samples);
        };
        let stride = self.values.len();
        let mut summed = samples.first(first);
        for n in first..samples.len() {
            let sample = samples.get(n);
            let next = summed.len();
            let row = rows.of(&sample, next);
            if row == next {
                summed.push(sample);
            } else {
                let into = &mut summed.values_mut()[row * stride..(row + 1) * stride];
                for (sum, value) in into.iter_mut().zip(sample.values) {
                    *sum = sum.saturating_add(*value);
                }
            }
        }
        Cow::Owned(summed)
    }

    /// The profile without whatever no sample refers to: stacks, frames, functions, names, threads.
    /// What stays keeps its order. Slices stay, since an empty stretch of the run is a fact.
    pub fn compact(self) -> Profile {
        let mut used = vec![false; self.stacks.len()];
        for stack in self.samples.stacks() {
            used[stack.index()] = true;
        }
        for stack in (1..used.len()).rev() {
            if used[stack] {
                used[self.stacks.parent(StackId::new(stack)).index()] = true;
            }
        }
        let mut frame_used = vec![false; self.frames.len()];
        for (stack, _, frame) in self.stacks.iter() {
            frame_used[frame.index()] |= used[stack.index()];
        }
        let mut compact = Profile::new(self.values.clone());
        compact.default_value = self.default_value;
        let mut strings = Mapper::new(self.strings.len(), |id: StrId| id.index());
        let mut functions = Mapper::new(self.functions.len(), crate::FunctionId::index);
        let mut mappings = Mapper::new(self.mappings.len(), crate::MappingId::index);
        // Binaries keep their order among each other: the first may be the main one.
        let mut mapping_used = vec![false; self.mappings.len()];
        for (_, frame) in self.frames.iter().filter(|(id, _)| frame_used[id.index()]) {
            if let Some(mapping) = frame.mapping {
                mapping_used[mapping.index()] = true;
            }
        }
        for (id, mapping) in self
            .mappings
            .iter()
            .filter(|(id, _)| mapping_used[id.index()])
        {
            mappings.get(id, |_| {
                compact.mappings.intern(Mapping {
                    file: compact.strings.intern(self.strings.get(mapping.file)),
                    build_id: compact.strings.intern(self.strings.get(mapping.build_id)),
                    ..*mapping
                })
            });
        }
        let mut frames = vec![None; self.frames.len()];
        for (id, frame) in self.frames.iter().filter(|(id, _)| frame_used[id.index()]) {
            let function = functions.get(frame.function, |id| {
                let function = *self.functions.get(id);
                let mut text =
                    |id| strings.get(id, |id| compact.strings.intern(self.strings.get(id)));
                compact.functions.intern(Function {
                    name: text(function.name),
                    system_name: text(function.system_name),
                    file: text(function.file),
                    start_line: function.start_line,
                })
            });
            let mapping = frame.mapping.map(|id| {
                mappings.get(id, |id| {
                    let mapping = *self.mappings.get(id);
                    compact.mappings.intern(Mapping {
                        file: compact.strings.intern(self.strings.get(mapping.file)),
                        build_id: compact.strings.intern(self.strings.get(mapping.build_id)),
                        ..mapping
                    })
                })
            });
            frames[id.index()] = Some(compact.frames.intern(Frame {
                function,
                mapping,
                ..*frame
            }));
        }
        let mut went = vec![StackId::ROOT; self.stacks.len()];
        for (stack, parent, frame) in self.stacks.iter().filter(|(id, ..)| used[id.index()]) {
            if let Some(frame) = frames[frame.index()] {
                went[stack.index()] = compact.stacks.push(went[parent.index()], frame);
            }
        }
        let mut threads = Mapper::new(self.threads.len(), ThreadId::index);
        let mut label_sets = Mapper::new(self.label_sets.len(), LabelSetId::index);
        compact.samples = self.samples.filter_map(self.values.len(), |sample, _| {
            let thread = sample.thread.map(|id| {
                threads.get(id, |id| {
                    let thread = *self.threads.get(id);
                    let name = compact.strings.intern(self.strings.get(thread.name));
                    compact.threads.intern(Thread { name, ..thread })
                })
            });
            let labels = sample.labels.map(|id| {
                label_sets.get(id, |id| {
                    let set = self.label_sets.get(id).iter().map(|(key, value)| {
                        let key = compact.strings.intern(self.strings.get(*key));
                        let mut text = |id| compact.strings.intern(self.strings.get(id));
                        let value = match *value {
                            LabelValue::Text(t) => LabelValue::Text(text(t)),
                            LabelValue::Number(n, unit) => LabelValue::Number(n, text(unit)),
                        };
                        (key, value)
                    });
                    let set = set.collect();
                    compact.label_sets.intern(set)
                })
            });
            Some(Sample {
                stack: went[sample.stack.index()],
                thread,
                labels,
                ..sample
            })
        });
        compact.slices = self.slices;
        compact.meta = self.meta;
        compact
    }
}

/// In which row samples of each kind are added up.
enum RowOf {
    /// Where only the stack tells samples apart; `u32::MAX` is no row.
    Stack(Vec<u32>),
    Key(HashMap<Key, usize, foldhash::fast::RandomState>),
}

type Key = (
    StackId,
    Option<ThreadId>,
    Option<LabelSetId>,
    Option<crate::SliceId>,
);

impl RowOf {
    /// The row of a sample; `next` where it is the first of its kind.
    #[inline]
    fn of(&mut self, sample: &Sample, next: usize) -> usize {
        match self {
            RowOf::Stack(rows) => {
                let row = &mut rows[sample.stack.index()];
                if *row == u32::MAX {
                    *row = next as u32;
                }
                *row as usize
            }
            RowOf::Key(rows) => {
                let key = (sample.stack, sample.thread, sample.labels, sample.slice);
                *rows.entry(key).or_insert(next)
            }
        }
    }
}

/// Old ids to new ones, each made when it is first asked for.
struct Mapper<Id, Index> {
    new: Vec<Option<Id>>,
    index: Index,
}

impl<Id: Copy, Index: Fn(Id) -> usize> Mapper<Id, Index> {
    fn new(len: usize, index: Index) -> Self {
        Mapper {
            new: vec![None; len],
            index,
        }
    }

    fn get(&mut self, old: Id, make: impl FnOnce(Id) -> Id) -> Id {
        let slot = (self.index)(old);
        if let Some(new) = self.new[slot] {
            return new;
        }
        let new = make(old);
        self.new[slot] = Some(new);
        new
    }
}

fn kept_meta(meta: &Meta, keeps: Features) -> Meta {
    let gone = |feature| !keeps.contains(feature);
    let mut kept = meta.clone();
    if gone(Features::META) {
        kept = Meta {
            name: kept.name,
            start_ns: kept.start_ns,
            duration_ns: kept.duration_ns,
            period: kept.period,
            comments: kept.comments,
            ..Meta::default()
        };
    }
    if gone(Features::TIMING) {
        (kept.start_ns, kept.duration_ns) = (None, None);
    }
    if gone(Features::PERIOD) {
        kept.period = None;
    }
    if gone(Features::COMMENTS) {
        kept.comments.clear();
    }
    if gone(Features::NAME) {
        kept.name.clear();
    }
    kept
}
