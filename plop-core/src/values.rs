//! What the numbers of a profile mean: value types, units, and amounts for people to read.

/// One column of numbers: what was measured, in which unit, with how many decimal places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueType {
    /// What was measured: `cpu`, `wall`, `samples`, `alloc_space`.
    pub kind: String,
    /// The unit, as the file names it: `samples`, `nanoseconds`, `bytes`.
    pub unit: String,
    /// Decimal places: a stored 1234 with `scale` 2 means 12.34. At most [`MAX_SCALE`].
    pub scale: u8,
}

/// The most decimal places a value type can carry: 10^18 is the largest power of ten in an `i64`.
pub const MAX_SCALE: u8 = 18;

impl ValueType {
    /// Whole numbers of `kind` in `unit`.
    pub fn new(kind: &str, unit: &str) -> Self {
        ValueType {
            kind: kind.into(),
            unit: unit.into(),
            scale: 0,
        }
    }

    /// What a format that names no unit counts.
    pub fn samples() -> Self {
        ValueType::new("samples", "count")
    }

    /// Whether another column counts the same thing, decimal places aside.
    pub fn same_quantity(&self, other: &ValueType) -> bool {
        self.kind == other.kind && self.unit == other.unit
    }
}

/// A stored value as a decimal number, without trailing zeros.
///
/// ```
/// assert_eq!(plop_core::decimal(-1250, 2), "-12.5");
/// assert_eq!(plop_core::decimal(7, 0), "7");
/// ```
pub fn decimal(value: i64, scale: u8) -> String {
    if scale == 0 {
        return value.to_string();
    }
    let digits = format!(
        "{:0>width$}",
        value.unsigned_abs(),
        width = scale as usize + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0 { "-" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// How many nanoseconds a unit of time is, under any of the names profilers give it; `None` for
/// what is not time.
pub fn nanoseconds_in(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" | "nanosecond" | "nanoseconds" => 1,
        // The micro sign and the Greek letter mu are different characters; both are in use.
        "us" | "\u{b5}s" | "\u{3bc}s" | "microsecond" | "microseconds" => 1_000,
        "ms" | "millisecond" | "milliseconds" => 1_000_000,
        "s" | "sec" | "second" | "seconds" => 1_000_000_000,
        _ => return None,
    })
}

/// An amount as a person would say it: times in the largest unit that keeps a whole digit, bytes in
/// powers of 1024, counts with thousands separated.
///
/// ```
/// use plop_core::{ValueType, amount};
/// assert_eq!(amount(1_500_000_000, &ValueType::new("cpu", "nanoseconds")), "1.50 s");
/// assert_eq!(amount(2999, &ValueType::samples()), "2,999 samples");
/// assert_eq!(amount(3 << 20, &ValueType::new("space", "bytes")), "3.00 MiB");
/// ```
pub fn amount(value: i64, value_type: &ValueType) -> String {
    let number = value as f64 / 10f64.powi(value_type.scale.into());
    if let Some(ns) = nanoseconds_in(&value_type.unit) {
        return duration(number * ns as f64);
    }
    match value_type.unit.as_str() {
        "B" | "byte" | "bytes" => bytes(number),
        "count" | "" => format!("{} {}", grouped(value, value_type.scale), value_type.kind),
        unit => format!("{} {unit}", grouped(value, value_type.scale)),
    }
}

/// A number of nanoseconds in the largest unit that keeps a whole digit.
pub fn duration(ns: f64) -> String {
    let (unit, size) = match ns.abs() {
        x if x >= 1e9 => ("s", 1e9),
        x if x >= 1e6 => ("ms", 1e6),
        x if x >= 1e3 => ("us", 1e3),
        _ => return format!("{ns:.0} ns"),
    };
    format!("{:.2} {unit}", ns / size)
}

fn bytes(number: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut scaled = number;
    let mut unit = 0;
    while scaled.abs() >= 1024.0 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{scaled} B"),
        _ => format!("{scaled:.2} {}", units[unit]),
    }
}

/// A decimal number with its thousands separated by commas.
fn grouped(value: i64, scale: u8) -> String {
    let text = decimal(value, scale);
    let (number, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    let mut out = String::from(sign);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_at_the_ends_of_i64() {
        assert_eq!(decimal(i64::MIN, 0), "-9223372036854775808");
        assert_eq!(decimal(i64::MIN, 18), "-9.223372036854775808");
        assert_eq!(decimal(5, 3), "0.005");
        assert_eq!(decimal(-500, 3), "-0.5");
        assert_eq!(decimal(0, 4), "0");
    }

    #[test]
    fn amounts_read_as_a_person_would_say_them() {
        let of = |value, unit: &str| amount(value, &ValueType::new("cpu", unit));
        assert_eq!(of(999, "ns"), "999 ns");
        assert_eq!(of(1_000_000, "\u{3bc}s"), "1.00 s");
        assert_eq!(of(512, "B"), "512 B");
        assert_eq!(of(-1234567, "count"), "-1,234,567 cpu");
        assert_eq!(of(12, "samples"), "12 samples");
        let mut tenths = ValueType::samples();
        tenths.scale = 1;
        assert_eq!(amount(12345, &tenths), "1,234.5 samples");
    }
}
