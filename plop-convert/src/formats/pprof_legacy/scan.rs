//! Numbers, addresses and signs, taken off the front of a line.

use plop_core::{Error, Notes, Result, quoted};

use super::lines::Line;

/// What is left of a line.
pub(super) struct Scan<'t>(pub(super) &'t [u8]);

impl<'t> Scan<'t> {
    /// Takes this text off, if it comes next.
    pub(super) fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text.as_bytes())?;
        Some(())
    }

    /// Takes blanks off, however many there are.
    pub(super) fn blanks(&mut self) -> Option<()> {
        self.take(|b| b.is_ascii_whitespace());
        Some(())
    }

    /// Takes off bytes as long as they are of a sort.
    pub(super) fn take(&mut self, of_the_sort: impl Fn(u8) -> bool) -> &'t [u8] {
        let end = self.0.iter().position(|b| !of_the_sort(*b));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Takes off the digits of a whole number that may have a minus sign. They need not fit.
    pub(super) fn whole(&mut self) -> Option<&'t [u8]> {
        let before = self.0;
        let sign = usize::from(before.first() == Some(&b'-'));
        self.0 = &before[sign..];
        let digits = self.take(|b| b.is_ascii_digit()).len();
        (digits > 0).then(|| &before[..sign + digits])
    }

    /// Takes off `objects: bytes [objects: bytes]`: those in use, then all that were allocated.
    pub(super) fn objects_and_bytes(&mut self) -> Option<[&'t [u8]; 4]> {
        let in_use = self.whole()?;
        self.literal(":")?;
        self.blanks()?;
        let in_use_bytes = self.whole()?;
        self.blanks()?;
        self.literal("[")?;
        self.blanks()?;
        let allocated = self.whole()?;
        self.literal(":")?;
        self.blanks()?;
        let allocated_bytes = self.whole()?;
        self.blanks()?;
        self.literal("]")?;
        self.blanks()?;
        Some([in_use, in_use_bytes, allocated, allocated_bytes])
    }
}

/// A decimal number that stands on a line.
pub(super) fn number(digits: &[u8], line: Line) -> Result<i64> {
    let text = std::str::from_utf8(digits).unwrap_or("");
    text.parse()
        .map_err(|_| Error::expected("a whole number of 64 bits", &quoted(digits)).at(line.place()))
}

/// The value of an attribute: decimal, or hexadecimal behind `0x`.
pub(super) fn attribute_number(value: &[u8], line: Line) -> Result<i64> {
    let text = std::str::from_utf8(value).unwrap_or("");
    let digits = text.strip_prefix("0x").unwrap_or("");
    match i64::from_str_radix(digits, 16) {
        Ok(number) if digits.as_bytes()[0].is_ascii_hexdigit() => Ok(number),
        _ => number(value, line),
    }
}

/// A number in hexadecimal digits without a prefix, if it fits.
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Appends every `0x…` of a text, in lower case as the writers have it.
pub(super) fn addresses(text: &[u8], line: Line, found: &mut Vec<u64>) -> Result<()> {
    let mut scan = Scan(text);
    while !scan.0.is_empty() {
        if scan.literal("0x").is_none() {
            scan.0 = &scan.0[1..];
            continue;
        }
        let digits = scan.take(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !digits.is_empty() {
            let address = hexadecimal(digits).ok_or_else(|| {
                Error::expected("an address of 64 bits", &quoted(digits)).at(line.place())
            })?;
            found.push(address);
        }
    }
    Ok(())
}

/// Appends the addresses of a stack. They end where something other than an address begins; text
/// that is none is noted.
pub(super) fn stack(
    text: &[u8],
    line: Line,
    found: &mut Vec<u64>,
    notes: &mut Notes,
) -> Result<()> {
    if !is_stack(text) {
        notes.add("odd-stack", Some(line.place()), || {
            format!(
                "text among the addresses of a stack was passed over, such as in {}",
                quoted(line.trimmed())
            )
        });
    }
    let stack = Scan(text).take(|b| matches!(b, b' ' | b'x' | b'0'..=b'9' | b'a'..=b'f'));
    addresses(stack, line, found)
}

/// Whether a text is nothing but addresses.
pub(super) fn is_stack(text: &[u8]) -> bool {
    let mut words = text.split(|b| *b == b' ').filter(|word| !word.is_empty());
    words.all(|word| {
        let mut scan = Scan(word);
        let is_digit = |b| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        scan.literal("0x").is_some() && !scan.take(is_digit).is_empty() && scan.0.is_empty()
    })
}
