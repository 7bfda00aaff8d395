//! Contention: time that threads waited for locks. `--- contentionz 1 ---` by gperftools, `--- mutex:`
//! and `--- contention:` by Go with `debug=1`; attributes; then a line a stack, `cycles count @
//! addresses`.

use plop_core::{Error, Notes, Period, Result, ValueType};

use super::comments;
use super::heap::truncated;
use super::lines::{Line, Lines};
use super::recorded::{Labels, Recorded};
use super::scan::{self, Scan};

/// Whether a profile that begins with this line is one of contention.
pub(super) fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"--- contentionz ") && line.ends_with(b" ---")
        || line == b"--- mutex:"
        || line == b"--- contention:"
}

pub(super) fn read<'t>(lines: &mut Lines<'t>, notes: &mut Notes) -> Result<Recorded<'t>> {
    lines.next();
    let mut attributes = Attributes::default();
    while let Some(line) = lines.peek() {
        if !line.is_comment() {
            let Some((key, value)) = attribute(line) else {
                break;
            };
            attributes.set(key, value, line)?;
        }
        lines.next();
    }
    let period = Period {
        of: ValueType::new("contentions", "count"),
        every: attributes.period,
    };
    let values = [("contentions", "count"), ("delay", "nanoseconds")];
    let mut recorded = Recorded::new(&values, Some(period));
    recorded.duration_ns = attributes.duration_ns;
    while let Some(line) = lines.peek() {
        if line.trimmed().starts_with(b"---") {
            break;
        }
        lines.next();
        if line.is_comment() {
            comments::read(line, &mut recorded);
            continue;
        }
        let (cycles, count, addresses) =
            stack_line(line.trimmed()).ok_or_else(|| line.is_not("`cycles count @ addresses`"))?;
        let amounts = attributes.amounts(scan::number(cycles, line)?, scan::number(count, line)?);
        let amounts = amounts.ok_or_else(|| line.is_not("a delay that fits 64 bits"))?;
        scan::stack(addresses, line, &mut recorded.addresses, notes)?;
        recorded.move_into_calls(recorded.next_stack());
        recorded.push(&amounts, Labels::None);
    }
    Ok(recorded)
}

/// Key and value of a line `key = value`. A line that begins with dashes ends the attributes.
pub(super) fn attribute(line: Line<'_>) -> Option<(&[u8], &[u8])> {
    let text = line.trimmed();
    let equals = memchr::memchr(b'=', text).filter(|_| !text.starts_with(b"---"))?;
    Some((text[..equals].trim_ascii(), text[equals + 1..].trim_ascii()))
}

struct Attributes {
    /// 0 where it is not known.
    cycles_per_second: i64,
    period: i64,
    duration_ns: Option<i64>,
}

impl Default for Attributes {
    fn default() -> Self {
        Attributes {
            cycles_per_second: 0,
            period: 1,
            duration_ns: None,
        }
    }
}

impl Attributes {
    fn set(&mut self, key: &[u8], value: &[u8], line: Line) -> Result<()> {
        match key {
            b"cycles/second" => self.cycles_per_second = scan::attribute_number(value, line)?,
            b"sampling period" => self.period = scan::attribute_number(value, line)?,
            b"ms since reset" => self.duration_ns = Some(nanoseconds(value, line)?),
            b"discarded samples" => {}
            _ => {
                return Err(line.is_not(
                    "`cycles/second`, `sampling period`, `ms since reset` or `discarded samples`",
                ));
            }
        }
        Ok(())
    }

    /// How many waits there were and for how many nanoseconds, for those that were recorded.
    fn amounts(&self, cycles: i64, count: i64) -> Option<[i64; 2]> {
        if self.period <= 0 {
            return Some([count, cycles]);
        }
        let delay = match self.cycles_per_second {
            hertz if hertz > 0 => {
                truncated(cycles as f64 * self.period as f64 / (hertz as f64 / 1e9))?
            }
            _ => cycles,
        };
        Some([count.checked_mul(self.period)?, delay])
    }
}

/// A number of milliseconds in nanoseconds.
pub(super) fn nanoseconds(milliseconds: &[u8], line: Line) -> Result<i64> {
    let ms = scan::attribute_number(milliseconds, line)?;
    ms.checked_mul(1_000_000)
        .ok_or_else(|| Error::expected("a time that fits 64 bits", &format!("{ms} ms")))
        .map_err(|error| error.at(line.place()))
}

/// The two numbers and the text of the addresses of `1 2 @ 0x3`.
pub(super) fn stack_line(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut scan = Scan(line);
    let first = scan.take(|b| b.is_ascii_digit());
    scan.blanks()?;
    let second = scan.take(|b| b.is_ascii_digit());
    scan.literal(" ")?;
    scan.blanks()?;
    scan.literal("@")?;
    (!first.is_empty() && !second.is_empty()).then_some((first, second, scan.0))
}
