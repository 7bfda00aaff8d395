//! Binary CPU profiles: words of 32 or 64 bits in either byte order. A header of five, then a stack
//! after the other: how often it was met, how many addresses, and these from the leaf. A stack of the
//! one address 0, met 0 times, is the end; the list of mapped binaries follows as text, or, in a
//! profile of a Java program, the names of its places.

use std::ops::Range;

use hashbrown::HashMap;
use plop_core::{Error, Notes, Period, Place, Result, ValueType};

use super::recorded::{Labels, Recorded};

/// How the words of a profile are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Words {
    Little32,
    Big32,
    Little64,
    Big64,
}

impl Words {
    fn width(self) -> usize {
        match self {
            Words::Little32 | Words::Big32 => 4,
            Words::Little64 | Words::Big64 => 8,
        }
    }

    /// Word `n` of some bytes.
    fn get(self, bytes: &[u8], n: usize) -> Option<u64> {
        let word = bytes.get(n * self.width()..)?;
        Some(match self {
            Words::Little32 => u32::from_le_bytes(*word.first_chunk()?).into(),
            Words::Big32 => u32::from_be_bytes(*word.first_chunk()?).into(),
            Words::Little64 => u64::from_le_bytes(*word.first_chunk()?),
            Words::Big64 => u64::from_be_bytes(*word.first_chunk()?),
        })
    }
}

/// What the first five words say: 0, 3, then 0 or for Java 1, the period, 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    words: Words,
    java: bool,
    period_us: u64,
}

const HEADER_WORDS: usize = 5;

/// gperftools' `pprof --raw` writes this period, whatever it was.
const PERIOD_UNKNOWN: u64 = 1;

impl Header {
    /// The header, if the bytes begin with one.
    pub(super) fn of(bytes: &[u8]) -> Option<Header> {
        [Words::Little32, Words::Big32, Words::Little64, Words::Big64]
            .into_iter()
            .find_map(|words| {
                let word = |n| words.get(bytes, n);
                let (first, length, java, period_us, last) =
                    (word(0)?, word(1)?, word(2)?, word(3)?, word(4)?);
                let fits = first == 0 && length == 3 && java <= 1 && period_us > 0 && last == 0;
                fits.then_some(Header {
                    words,
                    java: java == 1,
                    period_us,
                })
            })
    }
}

/// Reads the samples; returns them and the text behind them. `symbolized` says how many bytes of
/// symbols stood before the profile.
pub(super) fn read<'t>(
    bytes: &'t [u8],
    symbolized: Option<usize>,
    notes: &mut Notes,
) -> Result<(Recorded<'t>, &'t [u8])> {
    let header = Header::of(bytes).ok_or_else(|| Error::new("no header of a CPU profile"))?;
    let mut stacks = Stacks {
        bytes,
        before: symbolized.unwrap_or(0),
        words: header.words,
        next: HEADER_WORDS,
        marked: false,
    };
    let dumped = symbolized.is_some() && header.period_us == PERIOD_UNKNOWN;
    let period_ns = (i64::try_from(header.period_us).ok())
        .and_then(|us| us.checked_mul(1000))
        .ok_or_else(|| {
            let found = format!("{} microseconds", header.period_us);
            Error::expected("a sampling period", &found).at(stacks.place(3))
        })?;
    let period = Period {
        of: ValueType::new("cpu", "nanoseconds"),
        every: period_ns,
    };
    let mut recorded = match dumped {
        true => Recorded::new(&[("samples", "count")], None),
        false => Recorded::new(
            &[("samples", "count"), ("cpu", "nanoseconds")],
            Some(period),
        ),
    };
    while let Some(stack) = stacks.next()? {
        let leaf = recorded.addresses.len();
        let addresses = (stack.addresses.clone()).filter_map(|n| header.words.get(bytes, n));
        recorded.addresses.extend(addresses);
        // In a dump with symbols the addresses are those of the calls already, and Java has none.
        if !dumped && !header.java {
            recorded.move_into_calls(leaf + 1);
        }
        let count = i64::try_from(stack.count).ok();
        let amounts = count.and_then(|count| Some([count, count.checked_mul(period_ns)?]));
        let amounts = amounts.ok_or_else(|| {
            let found = format!("{} samples of {period_ns} ns", stack.count);
            Error::expected("a time that fits 64 bits", &found)
                .at(stacks.place(stack.addresses.start - 2))
        })?;
        recorded.push(&amounts[..recorded.values.len()], Labels::None);
    }
    if !stacks.marked && !dumped {
        notes.add("no-end", Some(stacks.place(stacks.next)), || {
            "the mark behind the last sample is missing: the file may be cut off".into()
        });
    }
    if header.java {
        recorded.addresses_are_ids = true;
    } else {
        remove_handler_frames(&mut recorded, notes);
        recorded.leaf_may_repeat = true;
    }
    Ok((recorded, &bytes[stacks.next * header.words.width()..]))
}

/// The stacks that are still to be read.
struct Stacks<'t> {
    bytes: &'t [u8],
    /// How many bytes of the file are before these.
    before: usize,
    words: Words,
    /// The next word.
    next: usize,
    /// Whether the mark behind the last stack has been read.
    marked: bool,
}

/// A stack: how often it was met, and which words are its addresses.
struct Stack {
    count: u64,
    addresses: Range<usize>,
}

impl Stacks<'_> {
    /// The next stack; `None` at the mark behind the last one, or the end of the file.
    fn next(&mut self) -> Result<Option<Stack>> {
        let word = |n| self.words.get(self.bytes, n);
        let cut_off = |expected: &str, found: String, at| {
            let error = Error::expected(expected, &found).at(self.place(at));
            Err(error.hint("was the file cut off?"))
        };
        let (Some(count), Some(depth)) = (word(self.next), word(self.next + 1)) else {
            return match self.bytes.len() - self.next * self.words.width() {
                0 => Ok(None),
                left => cut_off("a whole stack", format!("{left} bytes"), self.next),
            };
        };
        let start = self.next + 2;
        let left = self.bytes.len() / self.words.width() - start;
        if depth > left as u64 {
            let found = format!("{left} words");
            return cut_off(&format!("{depth} addresses"), found, start - 1);
        }
        let addresses = start..start + depth as usize;
        self.next = addresses.end;
        self.marked = (count, depth) == (0, 1) && self.words.get(self.bytes, start) == Some(0);
        Ok((!self.marked).then_some(Stack { count, addresses }))
    }

    fn place(&self, word: usize) -> Place {
        Place::Byte((self.before + word * self.words.width()) as u64)
    }
}

/// Takes off a second frame that nearly all samples share, up to twice: the handler of the signal
/// put it there. The leaf is right in any case, since it comes from the registers.
fn remove_handler_frames(recorded: &mut Recorded, notes: &mut Notes) {
    let samples = recorded.samples.len();
    let nearly_all = samples - samples / 32;
    for _ in 0..2 {
        let mut seconds: HashMap<u64, usize, foldhash::fast::RandomState> = HashMap::default();
        for sample in 0..samples {
            if let Some(second) = recorded.second(sample) {
                *seconds.entry(second).or_default() += 1;
            }
        }
        // There is one at most, for it takes more than half of all.
        let shared = seconds.iter().find(|(_, count)| **count >= nearly_all);
        let Some((&shared, &count)) = shared else {
            return;
        };
        notes.add_many("handler-frame", count as u64, None, || {
            "frames behind the leaf, the same in nearly all stacks, were taken for those of the signal \
             handler and taken off, as pprof does"
                .into()
        });
        for sample in 0..samples {
            if recorded.second(sample) == Some(shared) {
                recorded.remove_second(sample);
            }
        }
    }
}
