//! Heap profiles of gperftools, tcmalloc and Go, and those of heap growth and fragmentation. A
//! header; then a line a stack, `objects: bytes [objects: bytes] @ addresses`: what is in use, and
//! what was ever allocated.

use plop_core::{Error, Notes, Period, Result, ValueType};

use super::comments;
use super::lines::{Line, Lines};
use super::recorded::{Labels, Recorded};
use super::scan::{self, Scan};

/// The first line: `heap profile: 1: 2 [3: 4] @ heap/524288`.
struct Header<'t> {
    totals: [&'t [u8]; 4],
    kind: &'t [u8],
    /// The digits behind the kind, or empty.
    rate: &'t [u8],
}

fn header(line: &[u8]) -> Option<Header<'_>> {
    let mut scan = Scan(line);
    scan.literal("heap profile:")?;
    scan.blanks()?;
    let totals = scan.objects_and_bytes()?;
    scan.literal("@")?;
    scan.blanks()?;
    let kind = scan.take(|b| matches!(b, b'_' | b'a'..=b'z' | b'0'..=b'9'));
    let _ = scan.literal("/");
    let rate = scan.take(|b| b.is_ascii_digit());
    scan.0.is_empty().then_some(Header { totals, kind, rate })
}

/// Whether a profile that begins with this line is one of a heap.
pub(super) fn is_header(line: &[u8]) -> bool {
    header(line).is_some()
}

pub(super) fn read<'t>(lines: &mut Lines<'t>, notes: &mut Notes) -> Result<Recorded<'t>> {
    let unknown = || Error::new("no first line of a heap profile");
    let first = lines.next().ok_or_else(unknown)?;
    let header = header(first.text).ok_or_else(unknown)?;
    let rate = match header.rate {
        b"" => 0,
        digits => scan::number(digits, first)?,
    };
    let (period, sampling) = match header.kind {
        b"heap_v2" | b"heapz_v2" => (rate, Sampling::Every(rate)),
        // The first version wrote twice the rate.
        b"heap" => (rate / 2, Sampling::Every(rate / 2)),
        b"heapprofile" | b"growth" | b"growthz" | b"fragmentation" | b"fragmentationz" => {
            (1, Sampling::None)
        }
        _ => {
            return Err(first.is_not(
                "`heap`, `heap_v2`, `heapz_v2`, `heapprofile`, `growth` or `fragmentation` behind `@`",
            ));
        }
    };
    let shown = match header.kind.starts_with(b"heap") {
        true => Shown::by(header.totals),
        false => Shown::InUse,
    };
    let mut recorded = shown.recorded(period);
    while let Some(line) = lines.peek() {
        if line.announces_maps() {
            break;
        }
        lines.next();
        if line.is_comment() {
            comments::read(line, &mut recorded);
            continue;
        }
        let mut scan = Scan(line.trimmed());
        let counts = scan.objects_and_bytes();
        let (Some(counts), Some(())) = (counts, scan.literal("@")) else {
            return Err(line.is_not("`objects: bytes [objects: bytes] @ addresses`"));
        };
        scan::stack(scan.0, line, &mut recorded.addresses, notes)?;
        recorded.move_into_calls(recorded.next_stack());
        shown.push(&mut recorded, counts, sampling, line)?;
    }
    Ok(recorded)
}

/// Which allocations were recorded.
#[derive(Clone, Copy)]
pub(super) enum Sampling {
    /// All of them.
    None,
    /// One in so many bytes on average, at random.
    Every(i64),
}

/// Which of the numbers are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// What is in use. The others say the same, or nothing.
    InUse,
    /// What was allocated, and what is in use.
    Both,
}

impl Shown {
    /// What totals are there to show.
    pub(super) fn by(totals: [&[u8]; 4]) -> Shown {
        let [in_use, in_use_bytes, allocated, allocated_bytes] = totals;
        let says_more = |allocated: &[u8], in_use| allocated != in_use && allocated != b"0";
        match says_more(allocated, in_use) || says_more(allocated_bytes, in_use_bytes) {
            true => Shown::Both,
            false => Shown::InUse,
        }
    }

    /// A profile without samples, with these values.
    pub(super) fn recorded<'t>(self, period: i64) -> Recorded<'t> {
        let values: &[_] = match self {
            Shown::InUse => &[("objects", "count"), ("space", "bytes")],
            Shown::Both => &[
                ("alloc_objects", "count"),
                ("alloc_space", "bytes"),
                ("inuse_objects", "count"),
                ("inuse_space", "bytes"),
            ],
        };
        let period = (period != 0).then(|| Period {
            of: ValueType::new("space", "bytes"),
            every: period,
        });
        Recorded::new(values, period)
    }

    /// Adds the sample of a line, whose addresses are there already.
    pub(super) fn push(
        self,
        recorded: &mut Recorded,
        counts: [&[u8]; 4],
        sampling: Sampling,
        line: Line,
    ) -> Result<()> {
        let [in_use, in_use_bytes, allocated, allocated_bytes] = counts;
        let allocated = [allocated, allocated_bytes];
        let in_use = [in_use, in_use_bytes];
        let both = [allocated, in_use];
        let pairs = match self {
            Shown::InUse => &both[1..],
            Shown::Both => &both[..],
        };
        let mut amounts = Vec::with_capacity(4);
        let mut average = 0;
        for [objects, bytes] in pairs {
            let (objects, bytes) = (scan::number(objects, line)?, scan::number(bytes, line)?);
            if objects == 0 && bytes != 0 {
                return Err(line.is_not("objects where there are bytes"));
            }
            if objects != 0 {
                average = bytes.checked_div(objects).unwrap_or(i64::MAX);
            }
            amounts.extend(unsampled(objects, bytes, sampling).ok_or_else(|| {
                line.is_not("numbers that fit 64 bits when sampling is accounted for")
            })?);
        }
        recorded.push(&amounts, Labels::Bytes(average));
        Ok(())
    }
}

/// How many objects and bytes there were, for those that were recorded: an object of `size` bytes is
/// recorded with a probability of 1 - exp(-size / rate). `None` where that does not fit.
pub(super) fn unsampled(objects: i64, bytes: i64, sampling: Sampling) -> Option<[i64; 2]> {
    match sampling {
        // A rate of 1 records everything, and one of 0 is not known.
        Sampling::Every(rate) if rate > 1 && objects != 0 => {
            if bytes == 0 {
                return Some([0, 0]);
            }
            let average = bytes as f64 / objects as f64;
            let scale = 1.0 / (1.0 - (-average / rate as f64).exp());
            Some([
                truncated(objects as f64 * scale)?,
                truncated(bytes as f64 * scale)?,
            ])
        }
        _ => Some([objects, bytes]),
    }
}

/// A number without its fraction, if it fits.
pub(super) fn truncated(number: f64) -> Option<i64> {
    // 2^63, which no longer fits.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&number).then_some(number as i64)
}
