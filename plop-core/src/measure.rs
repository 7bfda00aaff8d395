//! Measures: self and total, for nodes and for functions, files, lines and threads.
//!
//! *Self* is what was sampled with a frame as the leaf; *total* is what was sampled with it anywhere
//! in the stack. A function that stands in a stack several times is counted once.

use hashbrown::HashMap;

use crate::{Profile, StackId, ThreadId};

/// Self and total of one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measure {
    /// What was sampled with it as the leaf.
    pub own: i64,
    /// What was sampled with it anywhere in the stack, recursion counted once.
    pub total: i64,
}

/// Measures by a number that stands for a function, a file or a place.
pub type Measures = Vec<Measure>;

impl Profile {
    /// Self of every node: the sum of value `value` over the samples of exactly that stack.
    pub fn selfs(&self, value: usize) -> Vec<i64> {
        let mut selfs = vec![0i64; self.stacks.len()];
        for sample in self.samples.iter() {
            selfs[sample.stack.index()] += sample.values[value];
        }
        selfs
    }

    /// Total of every node: the sum of value `value` over the samples of that stack and of all that
    /// continue it. The total of node 0 is the profile's.
    pub fn totals(&self, value: usize) -> Vec<i64> {
        let mut totals = self.selfs(value);
        for stack in (1..totals.len()).rev() {
            let parent = self.stacks.parent(StackId::new(stack));
            totals[parent.index()] += totals[stack];
        }
        totals
    }

    /// Measures of every function, by [`FunctionId`](crate::FunctionId).
    pub fn by_function(&self, value: usize) -> Measures {
        let keys: Vec<usize> = self
            .frames
            .iter()
            .map(|(_, f)| f.function.index())
            .collect();
        self.by_key(&keys, self.functions.len(), value)
    }

    /// Measures of every source file, by the [`StrId`](crate::StrId) of its path.
    pub fn by_file(&self, value: usize) -> Measures {
        let keys: Vec<usize> = (self.frames.iter())
            .map(|(id, _)| self.function_of(id).file.index())
            .collect();
        self.by_key(&keys, self.strings.len(), value)
    }

    /// Measures of every line that ran, as ((file, line), measure), in the order in which the lines
    /// first appear among the frames.
    pub fn by_line(&self, value: usize) -> Vec<((crate::StrId, i64), Measure)> {
        let mut lines = Vec::new();
        let mut numbers: HashMap<_, usize, foldhash::fast::RandomState> = HashMap::default();
        let keys: Vec<usize> = (self.frames.iter())
            .map(|(id, _)| {
                let place = (self.function_of(id).file, self.line_of(id));
                *numbers.entry(place).or_insert_with(|| {
                    lines.push(place);
                    lines.len() - 1
                })
            })
            .collect();
        let measures = self.by_key(&keys, lines.len(), value);
        lines.into_iter().zip(measures).collect()
    }

    /// The sum of every thread, by [`ThreadId`]; and of the samples that name none.
    pub fn by_thread_total(&self, value: usize) -> (Vec<i64>, i64) {
        let mut totals = vec![0i64; self.threads.len()];
        let mut unnamed = 0;
        for sample in self.samples.iter() {
            match sample.thread.map(ThreadId::index) {
                Some(thread) => totals[thread] += sample.values[value],
                None => unnamed += sample.values[value],
            }
        }
        (totals, unnamed)
    }

    /// Measures by the key that each frame has.
    ///
    /// One walk through the trie, depth first, with a count of how often each key stands on the way
    /// to the node: a node adds its total to its key only where the key appears for the first time.
    fn by_key(&self, keys: &[usize], len: usize, value: usize) -> Measures {
        let selfs = self.selfs(value);
        let totals = self.totals(value);
        let children = self.stacks.children();
        let mut measures = vec![Measure::default(); len];
        let mut standing = vec![0u32; len];
        let mut path: Vec<(StackId, usize)> = vec![(StackId::ROOT, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node_id = *node;
            if let Some(child) = children.get(node_id, *next) {
                *next += 1;
                if let Some(key) = self.stacks.frame(child).map(|frame| keys[frame.index()]) {
                    measures[key].own += selfs[child.index()];
                    if standing[key] == 0 {
                        measures[key].total += totals[child.index()];
                    }
                    standing[key] += 1;
                }
                path.push((child, 0));
            } else {
                if let Some(frame) = self.stacks.frame(node_id) {
                    standing[keys[frame.index()]] -= 1;
                }
                path.pop();
            }
        }
        measures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, Sample, ValueType};

    /// a calls b calls a calls b; and a alone. Function b has two lines.
    fn recursive() -> Profile {
        let mut profile = Profile::new(vec![ValueType::samples()]);
        let mut stack = StackId::ROOT;
        for (name, line) in [("a", 1), ("b", 2), ("a", 1), ("b", 3)] {
            let function = profile.function(name.as_bytes(), b"x.py");
            let frame = profile.frames.intern(Frame {
                line,
                ..Frame::of(function)
            });
            stack = profile.stacks.push(stack, frame);
            profile.samples.push(Sample::of(stack, &[line]));
        }
        profile
    }

    #[test]
    fn recursion_is_counted_once() {
        let profile = recursive();
        assert_eq!(profile.totals(0), [7, 7, 6, 4, 3]);
        assert_eq!(profile.selfs(0), [0, 1, 2, 1, 3]);
        let [a, b] = profile.by_function(0)[..] else {
            panic!("two functions")
        };
        assert_eq!(a, Measure { own: 2, total: 7 });
        assert_eq!(b, Measure { own: 5, total: 6 });
    }

    #[test]
    fn files_and_lines_are_measured_like_functions() {
        let profile = recursive();
        let file = profile.by_file(0);
        assert_eq!(file.iter().filter(|m| m.total != 0).count(), 1);
        assert_eq!(file.iter().map(|m| m.own).sum::<i64>(), 7);
        let lines: Vec<_> = (profile.by_line(0).into_iter())
            .map(|((_, line), measure)| (line, measure.own, measure.total))
            .collect();
        assert_eq!(lines, [(1, 2, 7), (2, 2, 6), (3, 3, 3)]);
        assert_eq!(profile.by_thread_total(0), (vec![], 7));
    }
}
