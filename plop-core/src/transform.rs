//! Transforms: what `focus`, `ignore`, `hide` and their kin make of a profile.
//!
//! Each is one pass over the trie, or over the samples, and returns a [compact](Profile::compact)
//! profile. Which frames are meant is decided once for each distinct frame, as a [`FrameSet`]; how
//! names are matched (regular expressions, globs) is the caller's business.

use crate::{
    Error, Frame, FrameId, FrameKind, Function, LabelSetId, LabelValue, Profile, Result, Sample,
    Samples, SliceId, StackId, StrId, Thread, ThreadId,
};

/// Some of the frames of one profile.
#[derive(Clone, Debug)]
pub struct FrameSet(Vec<bool>);

impl FrameSet {
    #[inline]
    fn has(&self, frame: FrameId) -> bool {
        self.0[frame.index()]
    }
}

/// What counts as one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granularity {
    /// A function: lines, columns and addresses go.
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

    /// Only the samples of threads that `keep` is true for. It is given the thread's name and its
    /// id; where a root frame names the thread instead, that frame's name and 0.
    pub fn by_thread(self, mut keep: impl FnMut(&[u8], i64) -> bool) -> Profile {
        let kept: Vec<bool> = (self.threads.iter())
            .map(|(_, thread)| keep(self.strings.get(thread.name), thread.tid))
            .collect();
        let roots: Vec<bool> = (self.frames.iter())
            .map(|(id, frame)| frame.kind == FrameKind::Thread && keep(self.name_of(id), 0))
            .collect();
        let mut in_root = vec![false; self.stacks.len()];
        for (stack, parent, frame) in self.stacks.iter() {
            in_root[stack.index()] = in_root[parent.index()] || roots[frame.index()];
        }
        self.retain(|sample| {
            in_root[sample.stack.index()] || sample.thread.is_some_and(|id| kept[id.index()])
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

    /// Only the samples of slices `from` up to but not with `to`, counted from 0.
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
                Granularity::Functions => (function, Frame { line: 0, ..coarse }),
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

    /// With every sample's thread as root frames of its stack, the process first where it is known,
    /// instead of in a column: what formats without threads can show.
    pub fn threads_to_roots(mut self) -> Profile {
        if !self.samples.have_threads() {
            return self;
        }
        let mut stacks = crate::Stacks::new();
        let mut roots: Vec<Option<StackId>> = vec![None; self.threads.len()];
        let several = {
            let mut pids: Vec<i64> = self.threads.iter().map(|(_, t)| t.pid).collect();
            pids.sort_unstable();
            pids.dedup();
            pids.len() > 1
        };
        // The part of the trie under each root is built as samples ask for it.
        let mut went: hashbrown::HashMap<(StackId, StackId), StackId, foldhash::fast::RandomState> =
            hashbrown::HashMap::default();
        let mut path = Vec::new();
        let mut moved = Samples::new(self.values.len());
        for row in 0..self.samples.len() {
            let sample = self.samples.get(row);
            let root = match sample.thread {
                None => StackId::ROOT,
                Some(id) => match roots[id.index()] {
                    Some(root) => root,
                    None => {
                        let thread = *self.threads.get(id);
                        let mut root = StackId::ROOT;
                        for (text, kind) in
                            thread_frames(self.strings.get(thread.name), thread, several)
                        {
                            let name = self.strings.intern(text.as_slice());
                            let function = self.functions.intern(Function {
                                name,
                                system_name: StrId::EMPTY,
                                file: StrId::EMPTY,
                                start_line: 0,
                            });
                            let frame = self.frames.intern(Frame {
                                kind,
                                ..Frame::of(function)
                            });
                            root = stacks.push(root, frame);
                        }
                        roots[id.index()] = Some(root);
                        root
                    }
                },
            };
            let mut at = sample.stack;
            let mut place = root;
            path.clear();
            while let Some(frame) = self.stacks.frame(at) {
                if let Some(known) = went.get(&(root, at)) {
                    place = *known;
                    break;
                }
                path.push((at, frame));
                at = self.stacks.parent(at);
            }
            while let Some((old, frame)) = path.pop() {
                place = stacks.push(place, frame);
                went.insert((root, old), place);
            }
            moved.push(Sample {
                stack: place,
                thread: None,
                ..sample
            });
        }
        self.samples = moved;
        self.stacks = stacks;
        self.compact()
    }

    /// Without threads: the samples of all threads together, root frames that name a thread or a
    /// process left out.
    pub fn without_threads(mut self) -> Profile {
        let named: Vec<bool> = (self.frames.iter())
            .map(|(_, frame)| matches!(frame.kind, FrameKind::Thread | FrameKind::Process))
            .collect();
        let stride = self.values.len();
        self.samples = self.samples.filter_map(stride, |sample, _| {
            Some(Sample {
                thread: None,
                ..sample
            })
        });
        self.hide(&FrameSet(named)).summed()
    }

    /// With whatever folded stacks cannot write in a name percent-encoded: `;`, line ends, `%`
    /// itself, spaces at either end, and brackets or a number that would be read as a place, a mark
    /// or a count. [`Profile::unescaped`] turns it back.
    pub fn escaped(self) -> Profile {
        self.with_names(escape_name)
    }

    /// With every `%` and two hexadecimal digits in a name as the byte they stand for.
    pub fn unescaped(self) -> Profile {
        self.with_names(unescape_name)
    }

    /// With every function name and file as `to` returns it.
    fn with_names(mut self, to: impl Fn(&[u8]) -> Vec<u8>) -> Profile {
        let strings: Vec<StrId> = (0..self.strings.len())
            .map(|n| {
                let text = to(self.strings.get(StrId::new(n)));
                self.strings.intern(&text)
            })
            .collect();
        let profile = self.with_frames(|profile, id| {
            let function = *profile.function_of(id);
            let function = Function {
                name: strings[function.name.index()],
                file: strings[function.file.index()],
                ..function
            };
            (function, *profile.frames.get(id))
        });
        profile.compact()
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

    /// How many threads the profile tells apart: threads of samples, and root frames that name one.
    pub fn thread_count(&self) -> usize {
        let mut seen: Vec<ThreadId> = self.samples.iter().filter_map(|s| s.thread).collect();
        seen.sort_unstable();
        seen.dedup();
        let roots = (self.stacks.iter())
            .filter(|(_, _, frame)| self.frames.get(*frame).kind == FrameKind::Thread)
            .count();
        seen.len() + roots
    }
}

/// A name as [`Profile::escaped`] writes it.
fn escape_name(name: &[u8]) -> Vec<u8> {
    let ends_in = |byte| name.last() == Some(&byte);
    let last_space = name.iter().rposition(|b| *b == b' ');
    let number_last = last_space.is_some_and(|space| {
        let digits = &name[space + 1..];
        !digits.is_empty()
            && digits
                .iter()
                .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'))
    });
    let mut out = Vec::with_capacity(name.len());
    for (n, byte) in name.iter().enumerate() {
        let at_end = n == 0 || n + 1 == name.len();
        let encode = match byte {
            b'%' | b';' | 0..=0x1f | 0x7f => true,
            b' ' => at_end || (number_last && Some(n) == last_space),
            b'(' | b')' => ends_in(b')'),
            b'[' | b']' => ends_in(b']'),
            _ => false,
        };
        match encode {
            true => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            false => out.push(*byte),
        }
    }
    out
}

fn unescape_name(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                out.push(decoded);
                rest = &after[2..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// The frames that stand for a thread: `process 12` where there are several, `thread (34): name`.
fn thread_frames(name: &[u8], thread: Thread, several: bool) -> Vec<(Vec<u8>, FrameKind)> {
    let mut frames = Vec::new();
    if several {
        frames.push((
            format!("process {}", thread.pid).into_bytes(),
            FrameKind::Process,
        ));
    }
    let mut text = format!("thread ({})", thread.tid).into_bytes();
    if !name.is_empty() {
        text.extend_from_slice(b": ");
        text.extend_from_slice(name);
    }
    frames.push((text, FrameKind::Thread));
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ValueType;

    /// Stacks given as `a;b;c`, root first, each with a weight.
    fn profile(stacks: &[(&str, i64)]) -> Profile {
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
    fn folded(profile: Profile) -> Vec<String> {
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
    fn escaping_is_undone_by_unescaping() {
        for name in [
            "a;b",
            "100%",
            "%41",
            " x ",
            "f (x.py:3)",
            "read_[k]",
            "worker 5",
            "a\nb\r",
            "",
            "é",
            "thread (5)",
        ] {
            let escaped = escape_name(name.as_bytes());
            assert!(
                !escaped.contains(&b';') && !escaped.contains(&b'\n'),
                "{name}"
            );
            assert_eq!(unescape_name(&escaped), name.as_bytes());
        }
        assert_eq!(
            escape_name(b"operator()(int) const"),
            b"operator()(int) const"
        );
        assert_eq!(folded(profile(&[("a%3Bb", 1)]).unescaped()), ["a;b 1"]);
        assert_eq!(folded(profile(&[("a%", 1)]).escaped()), ["a%25 1"]);
    }

    #[test]
    fn what_is_not_used_any_more_is_gone() {
        let set = named(&sample(), "read");
        let focused = sample().focus(&set);
        assert_eq!(focused.functions.len(), 3);
        assert_eq!(focused.stacks.len(), 4);
        assert!(focused.strings.iter().all(|(_, text)| text != b"work"));
    }

    #[test]
    fn threads_become_roots_and_go() {
        let mut threaded = profile(&[("main;f", 1)]);
        let name = threaded.strings.intern(b"io");
        let thread = threaded.threads.intern(Thread {
            pid: 0,
            tid: 7,
            name,
        });
        let stack = threaded.samples.get(0).stack;
        threaded.samples.push(Sample {
            thread: Some(thread),
            ..Sample::of(stack, &[2])
        });
        let roots = threaded.clone().threads_to_roots();
        assert_eq!(roots.thread_count(), 1);
        assert_eq!(
            folded(roots.clone()),
            ["main;f 1", "thread (7): io;main;f 2"]
        );
        assert_eq!(
            folded(roots.clone().by_thread(|n, _| n.ends_with(b"io"))),
            ["thread (7): io;main;f 2"]
        );
        assert_eq!(
            folded(threaded.clone().by_thread(|_, tid| tid == 7)),
            ["main;f 2"]
        );
        assert_eq!(folded(roots.without_threads()), ["main;f 3"]);
        assert_eq!(folded(threaded.without_threads()), ["main;f 3"]);
    }
}
