//! Numbers as reports write them.

use plop_core::duration;

use super::layout::fixed;

/// A share with the digits that it has, as people ask for it.
pub(super) fn brief(share: f64) -> String {
    let text = format!("{:.3}", 100.0 * share);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    fixed(format!("{text} %"))
}

pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0 => "0 %".into(),
        _ if percent < 0.1 => format!("{percent:.3} %"),
        _ if percent < 10.0 => format!("{percent:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

pub(super) fn percent_change(change: f64) -> String {
    fixed(format!("{:+.1} %", 100.0 * change))
}

pub(super) fn points(share: f64) -> String {
    format!("{} pt", signed(share))
}

pub(super) fn unsigned(share: f64) -> String {
    fixed(points(share).trim_start_matches('+'))
}

/// Points without their unit.
pub(super) fn signed(share: f64) -> String {
    let points = 100.0 * share;
    match points.abs() {
        none if none < 0.0005 => "0".into(),
        small if small < 0.1 => format!("{points:+.3}"),
        small if small < 10.0 => format!("{points:+.2}"),
        _ => format!("{points:+.1}"),
    }
}

pub(super) fn amount(number: f64, unit: &str) -> String {
    match unit.starts_with("ns/") {
        true => duration(number),
        false => format!("{number:.2}"),
    }
}

/// A number with commas between thousands.
pub(in crate::commands) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_they_need() {
        let shown = [0.01, 0.005, 0.2, 0.123_456].map(|share| brief(share).replace('\u{a0}', " "));
        assert_eq!(shown, ["1 %", "0.5 %", "20 %", "12.346 %"]);
        assert_eq!(
            [0.0, 0.000_64, -0.0311, 0.116].map(points),
            ["0 pt", "+0.064 pt", "-3.11 pt", "+11.6 pt"]
        );
        assert_eq!(count(1_234_567.0), "1,234,567");
    }
}
