//! Threads: choosing them, counting them, and showing them as root frames where a format has no other
//! place for them.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::{Frame, FrameKind, FrameSet, Profile, Sample, Samples, StackId, Stacks, Thread};

impl Profile {
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

    /// With every sample's thread as root frames of its stack, the process first where there are
    /// several, instead of in a column: what formats without threads can show. A stack in which a root
    /// frame names the thread already gets no other.
    pub fn threads_to_roots(mut self) -> Profile {
        if !self.samples.have_threads() {
            return self;
        }
        let mut stacks = Stacks::new();
        let roots = self.thread_roots(&mut stacks);
        // Each stack is built anew under the root of each thread that has it. What was built before
        // is looked up from the leaf down, so that a part that stacks share is built once.
        let mut built: HashMap<(StackId, StackId), StackId, RandomState> = HashMap::default();
        let mut path = Vec::new();
        let mut moved = Samples::new(self.values.len());
        let root_of = self.thread_root_of();
        for sample in self.samples.iter() {
            let root = match sample.thread {
                Some(id) if root_of[sample.stack.index()] == StackId::ROOT => roots[id.index()],
                _ => StackId::ROOT,
            };
            let mut at = sample.stack;
            let mut place = root;
            while let Some(frame) = self.stacks.frame(at) {
                if let Some(known) = built.get(&(root, at)) {
                    place = *known;
                    break;
                }
                path.push((at, frame));
                at = self.stacks.parent(at);
            }
            while let Some((old, frame)) = path.pop() {
                place = stacks.push(place, frame);
                built.insert((root, old), place);
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

    /// Pushes the frames that stand for each thread; returns where its stacks go.
    fn thread_roots(&mut self, stacks: &mut Stacks) -> Vec<StackId> {
        let threads: Vec<Thread> = self.threads.iter().map(|(_, thread)| *thread).collect();
        let several = threads.iter().any(|thread| thread.pid != threads[0].pid);
        threads
            .into_iter()
            .map(|thread| {
                let mut texts = Vec::new();
                if several && thread.pid != 0 {
                    let process = format!("process {}", thread.pid).into_bytes();
                    texts.push((process, FrameKind::Process));
                }
                let mut text = format!("thread ({})", thread.tid).into_bytes();
                let name = self.strings.get(thread.name);
                if !name.is_empty() {
                    text.extend_from_slice(b": ");
                    text.extend_from_slice(name);
                }
                texts.push((text, FrameKind::Thread));
                texts.into_iter().fold(StackId::ROOT, |at, (text, kind)| {
                    let function = self.function(&text, b"");
                    let frame = self.frames.intern(Frame {
                        kind,
                        ..Frame::of(function)
                    });
                    stacks.push(at, frame)
                })
            })
            .collect()
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

    /// For every stack the innermost of its frames that names a thread; the root where there is none.
    fn thread_root_of(&self) -> Vec<StackId> {
        let mut root_of = vec![StackId::ROOT; self.stacks.len()];
        for (stack, parent, frame) in self.stacks.iter() {
            root_of[stack.index()] = match self.frames.get(frame).kind {
                FrameKind::Thread => stack,
                _ => root_of[parent.index()],
            };
        }
        root_of
    }

    /// How many threads the profile tells apart: threads of samples, and root frames that name one
    /// where samples do not.
    pub fn thread_count(&self) -> usize {
        let root_of = self.thread_root_of();
        let named = self.samples.iter().map(|sample| match sample.thread {
            Some(thread) => (true, thread.index()),
            None => (false, root_of[sample.stack.index()].index()),
        });
        let mut seen: Vec<(bool, usize)> = named
            .filter(|(by_sample, n)| *by_sample || *n != 0)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::tests::{folded, profile};

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
