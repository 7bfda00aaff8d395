//! Numbers as text formats write them: whole, or decimal and kept exactly.

/// The most decimal places that are kept; more do not fit 64 bits.
const MAX_DECIMALS: usize = plop_core::MAX_SCALE as usize;

/// A number as it stood in the text: `mantissa` × 10^-`decimals`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Weight {
    pub(super) mantissa: i64,
    pub(super) decimals: u8,
    /// Digits that do not fit 64 bits were rounded off.
    pub(super) rounded: bool,
}

impl Weight {
    /// The number with `scale` decimal places, if it has no more and fits.
    pub(super) fn at(self, scale: u8) -> Option<i64> {
        let more = scale.checked_sub(self.decimals)?;
        self.mantissa.checked_mul(10i64.checked_pow(more.into())?)
    }

    /// `number` × 10^-`decimals`, with as many of the decimal places as fit.
    pub(super) fn of(mut number: i128, mut decimals: u8) -> Self {
        let mut rounded = false;
        while decimals > 0 && (number % 10 == 0 || i64::try_from(number).is_err()) {
            rounded |= number % 10 != 0;
            number /= 10;
            decimals -= 1;
        }
        Weight {
            mantissa: number.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
            decimals,
            rounded,
        }
    }

    /// Whether it is more than another.
    pub(super) fn is_above(self, other: Weight) -> bool {
        let exact = |weight: Weight, places: u8| {
            i128::from(weight.mantissa) * 10i128.pow((places - weight.decimals).into())
        };
        let places = self.decimals.max(other.decimals);
        exact(self, places) > exact(other, places)
    }

    /// The number times a whole one, without its decimal places.
    pub(super) fn times(self, factor: i64) -> Option<i64> {
        let product = i128::from(self.mantissa) * i128::from(factor);
        i64::try_from(product / 10i128.pow(self.decimals.into())).ok()
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&plop_core::decimal(self.mantissa, self.decimals))
    }
}

/// Why a piece of text is no weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoWeight {
    /// It is no number at all.
    NotANumber,
    /// It means a number, in a notation that the readers of folded stacks disagree about.
    Notation,
    /// It does not fit 64 bits.
    TooLarge,
}

/// Reads a weight: digits, with a minus sign before them and a point among them if need be.
pub(super) fn parse(text: &[u8]) -> Result<Weight, NoWeight> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = match digits.iter().position(|b| *b == b'.') {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &b""[..]),
    };
    let numeric = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let empty = whole.is_empty() && fraction.is_empty();
    if empty || !numeric(whole) || !numeric(fraction) {
        return Err(other_notation(text));
    }
    let whole = trim_zeros_before(whole);
    let fraction = trim_zeros_after(fraction);
    let mut mantissa = 0i128;
    for digit in whole {
        mantissa = mantissa * 10 + i128::from(digit - b'0');
        if mantissa > i128::from(u64::MAX) {
            return Err(NoWeight::TooLarge);
        }
    }
    let limit = i128::from(i64::MAX) + i128::from(negative);
    let mut decimals = 0;
    for digit in &fraction[..fraction.len().min(MAX_DECIMALS)] {
        let longer = mantissa * 10 + i128::from(digit - b'0');
        if longer > limit {
            break;
        }
        mantissa = longer;
        decimals += 1;
    }
    let rounded = fraction.len() > decimals;
    if rounded && fraction[decimals] >= b'5' && mantissa < limit {
        mantissa += 1;
    }
    let signed = if negative { -mantissa } else { mantissa };
    Ok(Weight {
        mantissa: i64::try_from(signed).map_err(|_| NoWeight::TooLarge)?,
        decimals: decimals as u8,
        rounded,
    })
}

/// Tells a number in another notation from what is no number.
fn other_notation(text: &[u8]) -> NoWeight {
    let unsigned = text
        .strip_prefix(b"+")
        .or(text.strip_prefix(b"-"))
        .unwrap_or(text);
    let starts_like_one = unsigned
        .first()
        .is_some_and(|b| b.is_ascii_digit() || *b == b'.');
    let parses = std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
    match starts_like_one && parses {
        true => NoWeight::Notation,
        false => NoWeight::NotANumber,
    }
}

fn trim_zeros_before(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros..]
}

fn trim_zeros_after(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|b| **b == b'0').count();
    &digits[..digits.len() - zeros]
}

/// The numbers of a piece of text, column by column, until their decimal places are known and can
/// be made equal.
#[derive(Default)]
pub(super) struct Places {
    /// The decimal places of each value; empty while all are whole.
    decimals: Vec<u8>,
    /// The sum of magnitudes of the values of each number of places.
    sums: Vec<u128>,
}

impl Places {
    /// Takes note of value number `row`.
    #[inline]
    pub(super) fn note(&mut self, row: usize, weight: Weight) {
        if weight.decimals > 0 || !self.decimals.is_empty() {
            self.decimals.resize(row, 0);
            self.decimals.push(weight.decimals);
        }
        let decimals = usize::from(weight.decimals);
        if self.sums.len() <= decimals {
            self.sums.resize(decimals + 1, 0);
        }
        self.sums[decimals] += u128::from(weight.mantissa.unsigned_abs());
    }

    /// The number of places that the values of all pieces can share: as many as any of them has,
    /// or as many as leave the sum of all within 64 bits.
    pub(super) fn common<'a>(pieces: impl Iterator<Item = &'a Places>) -> u8 {
        let mut sums = [0u128; MAX_DECIMALS + 1];
        for piece in pieces {
            for (sum, more) in sums.iter_mut().zip(&piece.sums) {
                *sum += more;
            }
        }
        let most = sums.iter().rposition(|sum| *sum > 0).unwrap_or(0);
        let fits = |places: usize| {
            let total: u128 = (sums.iter().enumerate())
                .map(|(of, sum)| match places >= of {
                    true => sum.saturating_mul(10u128.pow((places - of) as u32)),
                    false => sum / 10u128.pow((of - places) as u32) + 1,
                })
                .fold(0, u128::saturating_add);
            // Rounding up can add to the sum.
            let rounds = sums[places + 1..].iter().any(|sum| *sum > 0);
            total <= i64::MAX as u128 / if rounds { 2 } else { 1 }
        };
        (0..=most).rev().find(|places| fits(*places)).unwrap_or(0) as u8
    }

    /// Brings values to `places` decimal places; returns how many lost digits by it.
    pub(super) fn bring_to<'v>(
        &self,
        places: u8,
        values: impl Iterator<Item = &'v mut i64>,
    ) -> u64 {
        if places == 0 && self.decimals.is_empty() {
            return 0;
        }
        let mut rounded = 0;
        for (row, value) in values.enumerate() {
            let has = self.decimals.get(row).copied().unwrap_or(0);
            if has <= places {
                *value = value.saturating_mul(10i64.pow((places - has).into()));
                continue;
            }
            let unit = 10i64.pow((has - places).into());
            let (whole, rest) = (*value / unit, *value % unit);
            rounded += u64::from(rest != 0);
            let away = i64::from(rest.unsigned_abs() * 2 >= unit.unsigned_abs());
            *value = whole + away * rest.signum();
        }
        rounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<(i64, u8), NoWeight> {
        parse(text.as_bytes()).map(|weight| (weight.mantissa, weight.decimals))
    }

    #[test]
    fn numbers_are_kept_exactly() {
        assert_eq!(of("31"), Ok((31, 0)));
        assert_eq!(of("-5"), Ok((-5, 0)));
        assert_eq!(of("007"), Ok((7, 0)));
        assert_eq!(of("19.0"), Ok((19, 0)));
        assert_eq!(of("274.321"), Ok((274_321, 3)));
        assert_eq!(of(".5"), Ok((5, 1)));
        assert_eq!(of("9007199254740993"), Ok((9_007_199_254_740_993, 0)));
        assert_eq!(of("9223372036854775807"), Ok((i64::MAX, 0)));
        assert_eq!(of("-9223372036854775808"), Ok((i64::MIN, 0)));
        assert_eq!(
            of("9007199254740993.123"),
            Ok((9_007_199_254_740_993_123, 3))
        );
        assert_eq!(of("9.223372036854775807"), Ok((i64::MAX, 18)));
        assert_eq!(of("-9.223372036854775808"), Ok((i64::MIN, 18)));
        let long = parse(b"14.2343983248722834234").unwrap();
        assert_eq!(
            (long.mantissa, long.decimals, long.rounded),
            (1_423_439_832_487_228_342, 17, true)
        );
    }

    #[test]
    fn what_is_no_weight_says_why() {
        for text in [
            "", "-", ".", "V", "12V.43", "1.2.3", "inf", "nan", "0x10", "1,2",
        ] {
            assert_eq!(of(text), Err(NoWeight::NotANumber), "{text}");
        }
        for text in ["1e3", "+4", "1.5E-3"] {
            assert_eq!(of(text), Err(NoWeight::Notation), "{text}");
        }
        for text in [
            "9223372036854775808",
            "99999999999999999999999",
            "-9223372036854775809",
        ] {
            assert_eq!(of(text), Err(NoWeight::TooLarge), "{text}");
        }
    }

    #[test]
    fn places_are_made_equal_across_pieces() {
        let texts = [&["31.23", "6.1"][..], &["7"], &["2.567"]];
        let pieces: Vec<(Places, Vec<i64>)> = texts
            .iter()
            .map(|texts| {
                let mut places = Places::default();
                let weights = texts.iter().enumerate().map(|(row, text)| {
                    let weight = parse(text.as_bytes()).unwrap();
                    places.note(row, weight);
                    weight.mantissa
                });
                let weights = weights.collect();
                (places, weights)
            })
            .collect();
        let common = Places::common(pieces.iter().map(|(places, _)| places));
        assert_eq!(common, 3);
        let mut all = Vec::new();
        for (places, mut values) in pieces {
            assert_eq!(places.bring_to(common, values.iter_mut()), 0);
            all.extend(values);
        }
        assert_eq!(all, [31_230, 6_100, 7_000, 2_567]);
    }

    #[test]
    fn places_give_way_to_magnitude() {
        let mut places = Places::default();
        let mut values = Vec::new();
        for (row, text) in ["4000000000000000000", "0.25", "-0.35"].iter().enumerate() {
            let weight = parse(text.as_bytes()).unwrap();
            places.note(row, weight);
            values.push(weight.mantissa);
        }
        let common = Places::common(std::iter::once(&places));
        assert_eq!(common, 0);
        assert_eq!(places.bring_to(common, values.iter_mut()), 2);
        assert_eq!(values, [4_000_000_000_000_000_000, 0, 0]);
    }
}
