//! A profile as the file has it, stacks of addresses, and the profile that becomes of it.

use hashbrown::HashMap;
use plop_core::{
    Error, Frame, FrameId, Function, LabelSetId, LabelValue, MappingId, Notes, Period, Profile,
    Result, Sample, StackId, StrId, ValueType,
};

use super::Symbols;
use super::maps::{self, Region};

/// Samples in the order of the file, and what is known of all of them.
#[derive(Default)]
pub(super) struct Recorded<'t> {
    pub(super) values: Vec<ValueType>,
    pub(super) period: Option<Period>,
    pub(super) duration_ns: Option<i64>,
    pub(super) symbols: Symbols<'t>,
    /// Whether the leaf may stand twice in a stack: once as the handler found it in the registers,
    /// once as a caller.
    pub(super) leaf_may_repeat: bool,
    /// Whether the addresses are only the numbers by which the file calls its places.
    pub(super) addresses_are_ids: bool,
    /// The addresses of all stacks, each from its leaf.
    pub(super) addresses: Vec<u64>,
    /// The values of all samples.
    pub(super) amounts: Vec<i64>,
    pub(super) samples: Vec<Stack>,
}

/// Which of the addresses are a sample's.
pub(super) struct Stack {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) labels: Labels,
}

/// What the file says of a sample besides stack and values.
pub(super) enum Labels {
    None,
    /// The average size of the objects.
    Bytes(i64),
    /// Keys and values.
    Texts(Vec<(Vec<u8>, Vec<u8>)>),
}

type ByAddress<T> = HashMap<u64, T, foldhash::fast::RandomState>;

impl Recorded<'_> {
    pub(super) fn new(values: &[(&str, &str)], period: Option<Period>) -> Self {
        let values = values.iter().map(|(kind, unit)| ValueType::new(kind, unit));
        Recorded {
            values: values.collect(),
            period,
            ..Recorded::default()
        }
    }

    /// The first address that belongs to no sample yet.
    pub(super) fn next_stack(&self) -> usize {
        self.samples.last().map_or(0, |stack| stack.end)
    }

    /// Makes a sample of the addresses that have been appended since the last.
    pub(super) fn push(&mut self, amounts: &[i64], labels: Labels) {
        self.amounts.extend_from_slice(amounts);
        self.samples.push(Stack {
            start: self.next_stack(),
            end: self.addresses.len(),
            labels,
        });
    }

    /// Moves return addresses into the calls before them: the last addresses, from one of them on.
    pub(super) fn move_into_calls(&mut self, from: usize) {
        for address in self.addresses.iter_mut().skip(from) {
            *address = address.wrapping_sub(1);
        }
    }

    /// Takes the second address off a stack.
    pub(super) fn remove_second(&mut self, sample: usize) {
        let start = self.samples[sample].start;
        self.addresses[start + 1] = self.addresses[start];
        self.samples[sample].start += 1;
    }

    /// The second address of a stack.
    pub(super) fn second(&self, sample: usize) -> Option<u64> {
        let stack = &self.samples[sample];
        (stack.end - stack.start > 1).then(|| self.addresses[stack.start + 1])
    }

    /// The profile, in which the addresses lie in these binaries.
    pub(super) fn into_profile(
        mut self,
        mut regions: Vec<Region>,
        notes: &mut Notes,
    ) -> Result<Profile> {
        let used = (self.samples.iter()).flat_map(|stack| &self.addresses[stack.start..stack.end]);
        let named = |address: u64| !self.symbols.at(address).is_empty();
        let ids = self.addresses_are_ids;
        let region_of = maps::locate(
            used.copied().filter(|address| !(ids && named(*address))),
            &mut regions,
        );
        if self.leaf_may_repeat {
            self.remove_repeated_leaves();
        }
        if self.symbols.disputed() > 0 {
            notes.add_many("two-names", self.symbols.disputed() as u64, None, || {
                "addresses that the file calls by two names have none".into()
            });
        }
        let mut profile = Profile::new(self.values);
        profile.default_value = profile.values.len().saturating_sub(1);
        profile.meta.period = self.period;
        profile.meta.duration_ns = self.duration_ns;
        let mappings: Vec<MappingId> = regions
            .iter()
            .map(|region| region.intern(&mut profile))
            .collect();
        let mut frames: ByAddress<Vec<FrameId>> = HashMap::default();
        // A symbol of many functions that stands in many stacks would fill any memory.
        let mut inlined_left = (16 << 20) + 32 * self.addresses.len();
        let amounts = self.amounts.chunks_exact(profile.values.len().max(1));
        for (stack, amounts) in self.samples.iter().zip(amounts) {
            let mut at = StackId::ROOT;
            for address in self.addresses[stack.start..stack.end].iter().rev() {
                let frames = frames.entry(*address).or_insert_with(|| {
                    let mapping = region_of.get(address).map(|region| mappings[*region]);
                    frames_of(&mut profile, *address, mapping, &self.symbols, ids)
                });
                let inlined = frames.len().saturating_sub(1);
                inlined_left = inlined_left.checked_sub(inlined).ok_or_else(|| {
                    Error::new("symbols of many functions stand in too many stacks")
                })?;
                for frame in frames.iter() {
                    at = profile.stacks.push(at, *frame);
                }
            }
            let labels = label_set(&mut profile, &stack.labels);
            profile.samples.push(Sample {
                labels,
                ..Sample::of(at, amounts)
            });
        }
        Ok(profile)
    }

    fn remove_repeated_leaves(&mut self) {
        for sample in 0..self.samples.len() {
            let leaf = self.samples[sample].start;
            if let Some(second) = self.second(sample)
                && second.wrapping_add(1) == self.addresses[leaf]
            {
                self.remove_second(sample);
            }
        }
    }
}

/// The frames at an address, the outermost first. Without a symbol it is one, named by the address.
fn frames_of(
    profile: &mut Profile,
    address: u64,
    mapping: Option<MappingId>,
    symbols: &Symbols,
    address_is_id: bool,
) -> Vec<FrameId> {
    let symbols = symbols.at(address);
    if symbols.is_empty() {
        let function = profile.function(format!("{address:#x}").as_bytes(), b"");
        let frame = Frame {
            address,
            mapping,
            ..Frame::of(function)
        };
        return vec![profile.frames.intern(frame)];
    }
    let mut frames = Vec::with_capacity(symbols.len());
    for (depth, symbol) in symbols.iter().enumerate() {
        let function = Function {
            name: profile.strings.intern(symbol.name),
            system_name: StrId::EMPTY,
            file: profile.strings.intern(symbol.file),
            start_line: 0,
        };
        let function = profile.functions.intern(function);
        frames.push(profile.frames.intern(Frame {
            line: symbol.line,
            address: if address_is_id { 0 } else { address },
            mapping,
            inlined: depth > 0,
            ..Frame::of(function)
        }));
    }
    frames
}

fn label_set(profile: &mut Profile, labels: &Labels) -> Option<LabelSetId> {
    let strings = &mut profile.strings;
    let set = match labels {
        Labels::None => return None,
        Labels::Bytes(size) => {
            vec![(
                strings.intern(b"bytes"),
                LabelValue::Number(*size, StrId::EMPTY),
            )]
        }
        Labels::Texts(texts) => texts
            .iter()
            .map(|(key, value)| {
                let value = LabelValue::Text(strings.intern(value));
                (strings.intern(key), value)
            })
            .collect(),
    };
    Some(profile.label_sets.intern(set))
}
