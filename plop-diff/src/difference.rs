//! A comparison as a profile, for tools that draw before and after, or their difference, but weigh nothing.
//!
//! What before has is scaled to after as the comparison has it: to the same work or time where the whole is measured
//! by that, otherwise so that what did not change is the same in both. Without it a longer run would look slower
//! everywhere, and one function that grew would make all others look faster.

use plop_core::{Frame, Function, LabelValue, Profile, Sample, StackId, StrId, ValueType};

use crate::comparison::{Comparison, Mode};
use crate::tree::{Side, is_count};

/// What pprof calls the samples that it subtracts.
const BASE: (&[u8], &[u8]) = (b"pprof::base", b"true");

impl Comparison {
    /// Both sides on one call tree, with two values: before and after.
    pub fn both(&self) -> Profile {
        let unit = |kind: &str| ValueType {
            kind: kind.into(),
            unit: match is_count(&self.value) {
                true => "count".into(),
                false => self.value.unit.clone(),
            },
            scale: self.value.scale,
        };
        let (mut profile, stacks) = self.on_stacks(vec![unit("before"), unit("after")]);
        profile.default_value = 1;
        let amounts = [Side::Before, Side::After].map(|side| whole(self.amounts(side), self.worth));
        let rows = stacks.iter().zip(amounts[0].iter().zip(&amounts[1]));
        for (stack, (before, after)) in rows.filter(|(_, of)| *of != (&0, &0)) {
            profile.samples.push(Sample::of(*stack, &[*before, *after]));
        }
        profile
    }

    /// After less before: what before has is below zero, and labelled as pprof labels what it subtracts.
    pub fn difference(&self) -> Profile {
        // A number of samples is a time, too, if the time between two of them is known.
        let period = self.sides[Side::After as usize].environment.period_ns;
        let period = period.filter(|ns| {
            let largest = [Side::Before, Side::After].map(|side| self.amounts(side).sum::<f64>());
            *ns > 0 && is_count(&self.value) && largest[0].max(largest[1]) * (*ns as f64) < 1e18
        });
        let (values, worths) = match period {
            None => (vec![self.value.clone()], vec![self.worth]),
            Some(ns) => {
                let samples = ValueType {
                    scale: self.value.scale,
                    ..ValueType::samples()
                };
                let kind = match self.value.kind.as_str() {
                    "samples" | "" => "time",
                    kind => kind,
                };
                let time = ValueType::new(kind, "nanoseconds");
                (vec![samples, time], vec![self.worth, ns as f64])
            }
        };
        let (mut profile, stacks) = self.on_stacks(values);
        profile.default_value = worths.len() - 1;
        let [key, text] = [BASE.0, BASE.1].map(|text| profile.strings.intern(text));
        let base = profile
            .label_sets
            .intern(vec![(key, LabelValue::Text(text))]);
        for (side, sign, labels) in [(Side::Before, -1, Some(base)), (Side::After, 1, None)] {
            let columns: Vec<Vec<i64>> = (worths.iter())
                .map(|worth| whole(self.amounts(side), *worth))
                .collect();
            for (node, stack) in stacks.iter().enumerate() {
                let values: Vec<i64> = columns.iter().map(|column| sign * column[node]).collect();
                if values.iter().any(|value| *value != 0) {
                    profile.samples.push(Sample {
                        labels,
                        ..Sample::of(*stack, &values)
                    });
                }
            }
        }
        profile
    }

    /// A profile with the stack of every node and no samples.
    fn on_stacks(&self, values: Vec<ValueType>) -> (Profile, Vec<StackId>) {
        let mut profile = Profile::new(values);
        let frames: Vec<_> = (self.tree.functions.iter())
            .map(|function| {
                let name = profile.strings.intern(function.shown().as_bytes());
                let file = profile.strings.intern(function.shown_file().as_bytes());
                let function = profile.functions.intern(Function {
                    name,
                    system_name: StrId::EMPTY,
                    file,
                    start_line: function.line,
                });
                profile.frames.intern(Frame::of(function))
            })
            .collect();
        let mut stacks = vec![StackId::ROOT];
        let nodes = self.tree.parents.iter().zip(&self.tree.node_functions);
        for (parent, function) in nodes.skip(1) {
            let (parent, frame) = (stacks[*parent as usize], frames[*function as usize]);
            stacks.push(profile.stacks.push(parent, frame));
        }
        let [before, after] = &self.sides;
        profile.meta.name = format!("{} → {}", before.name, after.name);
        profile.meta.comments = vec![format!(
            "plop diff: {} less {:.4} times {}",
            after.name,
            self.scale(),
            before.name,
        )];
        (profile, stacks)
    }

    /// Own samples of each node, those of before scaled to after.
    fn amounts(&self, side: Side) -> impl Iterator<Item = f64> + '_ {
        let scale = match side {
            Side::Before => self.scale(),
            Side::After => 1.0,
        };
        (self.selfs(side).into_iter()).map(move |samples| samples * scale)
    }

    /// By what factor there would be more samples before, had as much work been done, or had what did not change cost
    /// as much.
    fn scale(&self) -> f64 {
        let of_samples = self.sides[1].samples / self.sides[0].samples;
        let total = self.total.as_ref().map(|total| total.after / total.before);
        let growth = match self.mode {
            Mode::Work | Mode::Time if self.value.kind == "cpu" => {
                return of_samples / total.unwrap_or(1.0);
            }
            Mode::Bulk => total.unwrap_or(1.0),
            _ => of_samples / self.rest,
        };
        // Of sides that have next to nothing in common, nobody knows what did not change.
        match (0.1..=10.0).contains(&growth) {
            true => of_samples / growth,
            false => of_samples,
        }
    }
}

/// Whole numbers for parts that stand in the order of a tree, each so rounded that the sum over a branch is off by
/// less than one.
fn whole(parts: impl Iterator<Item = f64>, worth: f64) -> Vec<i64> {
    let (mut sum, mut given) = (0.0, 0.0);
    parts
        .map(|part| {
            sum += part * worth;
            let rounded = f64::round(sum) - given;
            given += rounded;
            rounded as i64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_loses_nothing_of_a_branch() {
        let parts = [0.4; 1000];
        let rounded = whole(parts.into_iter(), 1.0);
        assert_eq!(rounded.iter().sum::<i64>(), 400);
        assert!(rounded.iter().all(|part| (0..=1).contains(part)));
        assert_eq!(whole([3.0, 0.0, 4.0].into_iter(), 2.0), [6, 0, 8]);
    }
}
