//! Profiles of Java agents: a heap or contention as text, or a CPU profile in binary. The stacks are
//! of numbers instead of addresses; behind them, a line for each says which place it is.

use plop_core::{Error, Notes, Period, Result, ValueType};

use super::contention::{attribute, nanoseconds, stack_line};
use super::heap::{Sampling, unsampled};
use super::lines::{Line, Lines};
use super::recorded::{Labels, Recorded};
use super::scan::{self, Scan};
use super::symbols::Symbol;

/// The rate at which the agents sample the heap; they do not write it.
const HEAP_SAMPLING: Sampling = Sampling::Every(512 << 10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heap,
    Contention,
}

fn kind(first_line: &[u8]) -> Option<Kind> {
    match first_line {
        b"--- heapz 1 ---" => Some(Kind::Heap),
        b"--- contentionz 1 ---" => Some(Kind::Contention),
        _ => None,
    }
}

/// Whether an input is such a text. C++ programs have the same first line for contention, but name
/// neither format nor resolution.
pub(super) fn is_start(bytes: &[u8]) -> bool {
    let mut lines = Lines::of(bytes);
    match lines.next().and_then(|line| kind(line.text)) {
        None => false,
        Some(Kind::Heap) => true,
        Some(Kind::Contention) => lines
            .filter(|line| !line.is_comment())
            .map_while(attribute)
            .any(|(key, _)| matches!(key, b"format" | b"resolution")),
    }
}

pub(super) fn read<'t>(lines: &mut Lines<'t>, notes: &mut Notes) -> Result<Recorded<'t>> {
    let kind = (lines.next().and_then(|line| kind(line.text)))
        .ok_or_else(|| Error::new("no first line of a Java profile"))?;
    let mut recorded = header(kind, lines)?;
    recorded.addresses_are_ids = true;
    let period = recorded.period.as_ref().map_or(0, |period| period.every);
    while let Some(line) = lines.peek() {
        if line.trimmed().is_empty() {
            lines.next();
            continue;
        }
        let Some((amount, count, places)) = stack_line(line.trimmed()) else {
            break;
        };
        lines.next();
        let (amount, count) = (scan::number(amount, line)?, scan::number(count, line)?);
        scan::stack(places, line, &mut recorded.addresses, notes)?;
        let (amounts, labels) = match kind {
            Kind::Heap if count == 0 => return Err(line.is_not("a second number that is not 0")),
            Kind::Heap => (
                unsampled(count, amount, HEAP_SAMPLING),
                Labels::Bytes(amount / count),
            ),
            Kind::Contention => {
                let times = |n: i64| {
                    if period == 0 {
                        Some(n)
                    } else {
                        n.checked_mul(period)
                    }
                };
                (
                    times(count).zip(times(amount)).map(<[i64; 2]>::from),
                    Labels::None,
                )
            }
        };
        let amounts = amounts.ok_or_else(|| line.is_not("numbers that fit 64 bits"))?;
        recorded.push(&amounts, labels);
    }
    Ok(recorded)
}

/// The lines `key = value` before the samples.
fn header<'t>(kind: Kind, lines: &mut Lines<'t>) -> Result<Recorded<'t>> {
    let mut resolution = None;
    let mut period = None;
    let mut duration_ns = None;
    while let Some(line) = lines.peek() {
        if !line.trimmed().is_empty() {
            let Some((key, value)) = attribute(line) else {
                break;
            };
            match (kind, key) {
                (_, b"format") if value == b"java" => {}
                (_, b"resolution") => resolution = Some(String::from_utf8_lossy(value)),
                (Kind::Contention, b"sampling period") => {
                    period = Some(Period {
                        of: ValueType::new("contentions", "count"),
                        every: scan::attribute_number(value, line)?,
                    });
                }
                (Kind::Contention, b"ms since reset") => {
                    duration_ns = Some(nanoseconds(value, line)?);
                }
                _ => {
                    return Err(line.is_not(
                        "`format = java`, `resolution`, `sampling period` or `ms since reset`",
                    ));
                }
            }
        }
        lines.next();
    }
    let Some(unit) = resolution else {
        return Err(Error::new("no line `resolution = …`, which names the unit").at(lines.place()));
    };
    let values = match kind {
        Kind::Heap => [("inuse_objects", "count"), ("inuse_space", &*unit)],
        Kind::Contention => [("contentions", "count"), ("delay", &*unit)],
    };
    let mut recorded = Recorded::new(&values, period);
    recorded.duration_ns = duration_ns;
    Ok(recorded)
}

/// Reads which place each number is, up to the end. Of two lines about one number the last counts.
pub(super) fn read_places<'t>(lines: &mut Lines<'t>, recorded: &mut Recorded<'t>) -> Result<()> {
    for line in lines {
        if let Some((id, place)) = id_and_place(line)? {
            recorded.symbols.set(id, vec![symbol(place)]);
        }
    }
    Ok(())
}

/// Number and text of a line `0x0000003 function (file:line)`; lines of another sort are passed over.
fn id_and_place<'t>(line: Line<'t>) -> Result<Option<(u64, &'t [u8])>> {
    let mut scan = Scan(line.trimmed());
    if scan.literal("0x").is_none() {
        return Ok(None);
    }
    let digits = scan.take(|b| b.is_ascii_hexdigit());
    let place = scan.0.trim_ascii_start();
    if digits.is_empty() || place.is_empty() || place.len() == scan.0.len() {
        return Ok(None);
    }
    match scan::hexadecimal(digits) {
        Some(id) => Ok(Some((id, place))),
        None => Err(line.is_not("the number of a place, which fits 64 bits")),
    }
}

/// The function at a place: `function (file:line)`, `function (path of a library)`, or a state of the
/// machine such as `GC`.
fn symbol(place: &[u8]) -> Symbol<'_> {
    if let Some(symbol) = in_parentheses(place) {
        return symbol;
    }
    if memchr::memmem::find(place, b"generated stub/JIT").is_some() {
        return Symbol::named(b"STUB");
    }
    Symbol::named(place)
}

fn in_parentheses(place: &[u8]) -> Option<Symbol<'_>> {
    let inner = place.strip_suffix(b")")?;
    let open = memchr::memmem::rfind(inner, b" (")?;
    let (name, inner) = (inner[..open].trim_ascii_end(), &inner[open + 2..]);
    let colon = memchr::memrchr(b':', inner).filter(|colon| *colon > 0);
    let line = colon.and_then(|colon| {
        let digits = &inner[colon + 1..];
        let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
        let is_number = !unsigned.is_empty() && unsigned.iter().all(u8::is_ascii_digit);
        let number = || std::str::from_utf8(digits).ok()?.parse::<i64>().ok();
        is_number.then(|| number().unwrap_or(0).max(0))
    });
    Some(match (colon, line) {
        (Some(colon), Some(line)) => Symbol {
            name,
            file: &inner[..colon],
            line,
        },
        _ => {
            let path = inner.strip_suffix(b"/").unwrap_or(inner);
            let slash = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
            Symbol {
                name,
                file: &path[slash..],
                line: 0,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_libraries_or_states() {
        let of = |place: &'static str| {
            let symbol = symbol(place.as_bytes());
            let text = |bytes| std::str::from_utf8(bytes).unwrap();
            (text(symbol.name), text(symbol.file), symbol.line)
        };
        assert_eq!(of("a.b.C.d (C.java:12)"), ("a.b.C.d", "C.java", 12));
        assert_eq!(of("native (C.java:-2)"), ("native", "C.java", 0));
        assert_eq!(of("read (/lib/libc.so.6)"), ("read", "libc.so.6", 0));
        assert_eq!(of("generated stub/JIT"), ("STUB", "", 0));
        assert_eq!(of("GC"), ("GC", "", 0));
        assert_eq!(of("f(int) (x:y.c:3)"), ("f(int)", "x:y.c", 3));
    }
}
