//! Transforms: what `focus`, `ignore`, `hide` and their kin make of a profile.
//!
//! Each is one pass over the trie, or over the samples, and returns a [compact](Profile::compact)
//! profile. Which frames are meant is decided once for each distinct frame, as a [`FrameSet`]; how
//! names are matched (regular expressions, globs) is the caller's business.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::{
    Attribute, Error, Frame, FrameId, Function, LabelSetId, LabelSets, LabelValue, Profile, Result,
    Sample, Slice, SliceId, StackId, StrId,
};

/// Some of the frames of one profile.
#[derive(Clone, Debug)]
pub struct FrameSet(pub(crate) Vec<bool>);

impl FrameSet {
    #[inline]
    fn has(&self, frame: FrameId) -> bool {
        self.0[frame.index()]
    }
}

/// What counts as one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granularity {
    /// A function, which is a name in a file: lines, those of definitions too, columns and addresses
    /// go.
    Functions,
    /// A source file: functions become their file, which is then their name, and calls within a
    /// file one frame.
    Files,
    /// A line: columns and addresses go.
    Lines,
}

impl Profile {
    /// The frames whose function name or file `matches`.
    pub fn frames_where(&self, mut matches: impl FnMut(&[u8]) -> bool) -> FrameSet {
        let matched: Vec<bool> = (self.functions.iter())
            .map(|(_, function)| {
                matches(self.strings.get(function.name))
                    || (function.file != StrId::EMPTY && matches(self.strings.get(function.file)))
            })
            .collect();
        let of = |(_, frame): (FrameId, &Frame)| matched[frame.function.index()];
        FrameSet(self.frames.iter().map(of).collect())
    }

    /// Only the samples in whose stack one of `frames` stands.
    pub fn focus(self, frames: &FrameSet) -> Profile {
        let holds = self.stacks_with(frames);
        self.retain(|sample| holds[sample.stack.index()])
    }

    /// Without the samples in whose stack one of `frames` stands.
    pub fn ignore(self, frames: &FrameSet) -> Profile {
        let holds = self.stacks_with(frames);
        self.retain(|sample| !holds[sample.stack.index()])
    }

    /// Without `frames`: what they called is called by their callers, and their own cost becomes
    /// their callers'.
    pub fn hide(self, frames: &FrameSet) -> Profile {
        self.rewritten(|_, frame| (!frames.has(frame)).then_some(frame))
    }

    /// Every stack from the first of `frames` on; samples without one of them go.
    pub fn show_from(self, frames: &FrameSet) -> Profile {
        let holds = self.stacks_with(frames);
        let profile = self.retain_stacks(&holds);
        let (stacks, went) = profile
            .stacks
            .rewrite_nodes(|_, stack, _, frame| holds[stack.index()].then_some(frame));
        profile.with_stacks(stacks, &went)
    }

    /// With a function that calls itself directly, once or many times over, as a single frame: the
    /// outermost.
    pub fn fold_recursion(self) -> Profile {
        let function: Vec<_> = self
            .frames
            .iter()
            .map(|(_, frame)| frame.function)
            .collect();
        self.rewritten(|caller, frame| {
            let same = caller.is_some_and(|c| function[c.index()] == function[frame.index()]);
            (!same).then_some(frame)
        })
    }

    /// Only the samples with a label that `keep` is true for. It is given the key and the value as
    /// text, a number in decimal digits.
    pub fn by_label(self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) -> Profile {
        let kept: Vec<bool> = (self.label_sets.iter())
            .map(|(_, set)| {
                set.iter().any(|(key, value)| {
                    let key = self.strings.get(*key);
                    match value {
                        LabelValue::Text(text) => keep(key, self.strings.get(*text)),
                        LabelValue::Number(n, _) => keep(key, n.to_string().as_bytes()),
                    }
                })
            })
            .collect();
        self.retain(|sample| sample.labels.is_some_and(|id: LabelSetId| kept[id.index()]))
    }

    /// The profile with one more label on every sample, before those that it has.
    pub fn with_label(mut self, key: &[u8], value: &[u8]) -> Profile {
        let label = (
            self.strings.intern(key),
            LabelValue::Text(self.strings.intern(value)),
        );
        let mut sets = LabelSets::new();
        let went: Vec<LabelSetId> = (self.label_sets.iter())
            .map(|(_, set)| {
                let more = [label].into_iter().chain(set.iter().copied());
                sets.intern(more.collect())
            })
            .collect();
        let alone = sets.intern(vec![label]);
        let stride = self.values.len();
        self.samples = self.samples.filter_map(stride, |sample, _| {
            Some(Sample {
                labels: Some(sample.labels.map_or(alone, |id| went[id.index()])),
                ..sample
            })
        });
        self.label_sets = sets;
        self.compact()
    }

    /// Only the samples of slices `from` up to but not with `to`, counted from 0. The counters of the
    /// run become those of these slices.
    ///
    /// # Errors
    /// When the profile has no slices, or none in that range.
    pub fn by_slices(mut self, from: usize, to: usize) -> Result<Profile> {
        let len = self.slices.len();
        if len == 0 {
            return Err(Error::new("this profile has no slices to choose from"));
        }
        if from >= to.min(len) {
            return Err(Error::new(format!(
                "no slice in {from}..{to}; there are {len}, from 0"
            )));
        }
        let to = to.min(len);
        self.slices.0 = self.slices.0[from..to].to_vec();
        self.count_slices_only();
        let stride = self.values.len();
        self.samples = self.samples.filter_map(stride, |sample, _| {
            let slice = sample.slice?.index();
            (from..to).contains(&slice).then(|| Sample {
                slice: Some(SliceId::new(slice - from)),
                ..sample
            })
        });
        Ok(self.compact())
    }

    /// Makes the run's counters those of the slices that are left: their sums, where every slice has
    /// the counter. What slices do not tell is not known then.
    fn count_slices_only(&mut self) {
        let slices = &self.slices.0;
        let sum = |counter: fn(&Slice) -> Option<i64>| {
            (slices.iter()).try_fold(0i64, |sum, slice| Some(sum.saturating_add(counter(slice)?)))
        };
        let mut work: Vec<(String, i64)> = Vec::new();
        let mut places: HashMap<&str, usize, RandomState> = HashMap::default();
        for (counter, amount) in slices.iter().flat_map(|slice| &slice.work) {
            let place = *places.entry(counter).or_insert(work.len());
            match work.get_mut(place) {
                Some((_, total)) => *total = total.saturating_add(*amount),
                None => work.push((counter.clone(), *amount)),
            }
        }
        self.meta.duration_ns = sum(|slice| (slice.length_ns != 0).then_some(slice.length_ns));
        self.meta.cpu_ns = sum(|slice| slice.cpu_ns);
        self.meta.wall_ns = sum(|slice| slice.wall_ns);
        (self.meta.work, self.meta.ticks, self.meta.start_ns) = (work, None, None);
        (self.meta.sampler).retain(|(_, value)| !matches!(value, Attribute::Number(_)));
    }

    /// Only value `value`, which becomes the default.
    pub fn choosing(mut self, value: usize) -> Profile {
        self.samples = self.samples.filter_map(1, |sample, values| {
            values.push(sample.values[value]);
            Some(sample)
        });
        self.values = vec![self.values.swap_remove(value)];
        self.default_value = 0;
        self
    }

    /// With places told apart only as finely as `granularity` says.
    pub fn at_granularity(self, granularity: Granularity) -> Profile {
        let profile = self.with_frames(|profile, id| {
            let frame = *profile.frames.get(id);
            let function = *profile.functions.get(frame.function);
            let coarse = Frame {
                column: 0,
                address: 0,
                ..frame
            };
            match granularity {
                Granularity::Lines => (function, coarse),
                Granularity::Functions => (
                    Function {
                        start_line: 0,
                        ..function
                    },
                    Frame { line: 0, ..coarse },
                ),
                Granularity::Files if function.file == StrId::EMPTY => (
                    Function {
                        start_line: 0,
                        ..function
                    },
                    Frame { line: 0, ..coarse },
                ),
                Granularity::Files => (
                    Function {
                        name: function.file,
                        system_name: StrId::EMPTY,
                        file: StrId::EMPTY,
                        start_line: 0,
                    },
                    Frame {
                        line: 0,
                        inlined: false,
                        ..coarse
                    },
                ),
            }
        });
        match granularity {
            Granularity::Files => profile.fold_recursion(),
            _ => profile.compact(),
        }
    }

    /// The profile with its trie rewritten by `keep`, see [`Stacks::rewrite`](crate::Stacks::rewrite).
    pub fn rewritten(
        self,
        keep: impl FnMut(Option<FrameId>, FrameId) -> Option<FrameId>,
    ) -> Profile {
        let (stacks, went) = self.stacks.rewrite(keep);
        self.with_stacks(stacks, &went)
    }

    /// The profile with another trie, every sample where `went` says that its stack went.
    pub fn with_stacks(mut self, stacks: crate::Stacks, went: &[StackId]) -> Profile {
        self.stacks = stacks;
        self.samples.move_stacks(went);
        self.compact()
    }

    /// Only the samples that `keep` is true for.
    pub fn retain(self, mut keep: impl FnMut(&Sample) -> bool) -> Profile {
        let mut profile = self;
        let stride = profile.values.len();
        profile.samples = profile
            .samples
            .filter_map(stride, |sample, _| keep(&sample).then_some(sample));
        profile.compact()
    }

    /// Only samples whose stack is marked, the trie left as it is.
    fn retain_stacks(mut self, marked: &[bool]) -> Profile {
        let stride = self.values.len();
        self.samples = (self.samples).filter_map(stride, |sample, _| {
            marked[sample.stack.index()].then_some(sample)
        });
        self
    }

    /// For every node, whether one of `frames` stands in its stack.
    fn stacks_with(&self, frames: &FrameSet) -> Vec<bool> {
        let mut holds = vec![false; self.stacks.len()];
        for (stack, parent, frame) in self.stacks.iter() {
            holds[stack.index()] = holds[parent.index()] || frames.has(frame);
        }
        holds
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ValueType;

    /// Stacks given as `a;b;c`, root first, each with a weight.
    pub(crate) fn profile(stacks: &[(&str, i64)]) -> Profile {
        let mut profile = Profile::new(vec![ValueType::samples()]);
        for (text, weight) in stacks {
            let mut at = StackId::ROOT;
            for (line, name) in text.split(';').filter(|name| !name.is_empty()).enumerate() {
                let function = profile.function(name.as_bytes(), format!("{name}.py").as_bytes());
                let frame = profile.frames.intern(Frame {
                    line: line as i64 + 1,
                    ..Frame::of(function)
                });
                at = profile.stacks.push(at, frame);
            }
            profile.samples.push(Sample::of(at, &[*weight]));
        }
        profile
    }

    /// The summed stacks of a profile as text, root first.
    pub(crate) fn folded(profile: Profile) -> Vec<String> {
        let profile = profile.summed();
        profile.check().unwrap();
        let mut lines: Vec<String> = (profile.samples.iter())
            .map(|sample| {
                let mut names: Vec<_> = (profile.stacks.frames(sample.stack))
                    .map(|frame| String::from_utf8_lossy(profile.name_of(frame)).into_owned())
                    .collect();
                names.reverse();
                format!("{} {}", names.join(";"), sample.values[0])
            })
            .collect();
        lines.sort();
        lines
    }

    fn sample() -> Profile {
        profile(&[
            ("main;parse;read", 3),
            ("main;work;parse", 4),
            ("main;work", 5),
            ("", 1),
        ])
    }

    fn named(profile: &Profile, name: &str) -> FrameSet {
        profile.frames_where(|text| text == name.as_bytes())
    }

    #[test]
    fn focus_and_ignore_part_the_samples() {
        let set = named(&sample(), "parse");
        assert_eq!(
            folded(sample().focus(&set)),
            ["main;parse;read 3", "main;work;parse 4"]
        );
        assert_eq!(folded(sample().ignore(&set)), [" 1", "main;work 5"]);
    }

    #[test]
    fn hiding_gives_a_frames_cost_to_its_caller() {
        let set = named(&sample(), "parse");
        assert_eq!(
            folded(sample().hide(&set)),
            [" 1", "main;read 3", "main;work 9"]
        );
    }

    #[test]
    fn show_from_cuts_off_the_callers() {
        let set = named(&sample(), "parse");
        assert_eq!(
            folded(sample().show_from(&set)),
            ["parse 4", "parse;read 3"]
        );
    }

    #[test]
    fn folding_recursion_keeps_the_outermost_frame() {
        let recursive = profile(&[("f;f;f;g;f;f", 2), ("f", 1)]);
        let folded_one = recursive.fold_recursion();
        let outermost = folded_one
            .frames
            .iter()
            .map(|(_, f)| f.line)
            .collect::<Vec<_>>();
        assert_eq!(outermost, [1, 4, 5]);
        assert_eq!(folded(folded_one), ["f 1", "f;g;f 2"]);
    }

    #[test]
    fn granularity_merges_what_it_cannot_tell_apart() {
        let two_lines = || profile(&[("a;b", 1), ("b", 2)]);
        assert_eq!(two_lines().frames.len(), 3);
        assert_eq!(
            two_lines().at_granularity(Granularity::Lines).frames.len(),
            3
        );
        assert_eq!(
            two_lines()
                .at_granularity(Granularity::Functions)
                .frames
                .len(),
            2
        );
        let files = two_lines().at_granularity(Granularity::Files);
        assert_eq!(folded(files), ["a.py;b.py 1", "b.py 2"]);
    }

    #[test]
    fn a_label_more_stands_before_the_others() {
        let twice = profile(&[("a", 1), ("b", 2)])
            .by_thread(|_, _| true)
            .with_label(b"never", b"seen");
        assert!(twice.samples.is_empty());
        let labelled = profile(&[("a", 1), ("b", 2)])
            .with_label(b"ring", b"2")
            .with_label(b"deploy", b"9bd07e");
        let both = ", deploy=\"9bd07e\", ring=\"2\"";
        assert_eq!(
            labelled.dump().matches(both).count(),
            2,
            "{}",
            labelled.dump()
        );
        assert_eq!(labelled.label_sets.len(), 1);
        assert_eq!(
            folded(labelled.by_label(|k, v| k == b"ring" && v == b"2")),
            ["a 1", "b 2"]
        );
    }

    #[test]
    fn slices_take_their_counters_along() {
        let mut sliced = profile(&[("a", 1)]);
        let stack = sliced.samples.get(0).stack;
        for n in 0..3 {
            sliced.slices.0.push(Slice {
                length_ns: 10,
                cpu_ns: Some(n),
                wall_ns: (n != 2).then_some(n),
                work: vec![("requests".into(), n)],
                ..Slice::default()
            });
            sliced.samples.push(Sample {
                slice: Some(SliceId::new(n as usize)),
                ..Sample::of(stack, &[n + 10])
            });
        }
        sliced.meta.duration_ns = Some(99);
        let last = sliced.by_slices(1, usize::MAX).unwrap();
        assert_eq!(folded(last.clone()), ["a 11", "a 12"]);
        assert_eq!(
            (last.meta.duration_ns, last.meta.cpu_ns, last.meta.wall_ns),
            (Some(20), Some(3), None)
        );
        assert_eq!(last.meta.work, [("requests".to_owned(), 3)]);
        assert!(last.clone().by_slices(2, 9).is_err());
        assert!(profile(&[("a", 1)]).by_slices(0, 1).is_err());
    }

    #[test]
    fn what_is_not_used_any_more_is_gone() {
        let set = named(&sample(), "read");
        let focused = sample().focus(&set);
        assert_eq!(focused.functions.len(), 3);
        assert_eq!(focused.stacks.len(), 4);
        assert!(focused.strings.iter().all(|(_, text)| text != b"work"));
    }
}
