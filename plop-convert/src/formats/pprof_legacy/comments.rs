//! What Go with `debug=1` says in comments: what is at each address of the stack above, and the labels
//! of goroutines.

use super::lines::Line;
use super::recorded::Recorded;
use super::scan;
use super::symbols::Symbol;

/// Takes the symbol of a comment, if there is one: `# 0x4e4f2b main.work+0x6b /app/main.go:18`, with
/// tabs for the blanks. The address is that of the call.
pub(super) fn read<'t>(line: Line<'t>, recorded: &mut Recorded<'t>) {
    if let Some((address, symbol)) = symbol(line.trimmed()) {
        recorded.symbols.add(address, symbol);
    }
}

fn symbol(line: &[u8]) -> Option<(u64, Symbol<'_>)> {
    let mut columns = line.split(|b| *b == b'\t').filter(|text| !text.is_empty());
    columns.next().filter(|first| *first == b"#")?;
    let address = scan::hexadecimal(columns.next()?.strip_prefix(b"0x")?)?;
    let (name, place) = (columns.next()?, columns.next()?.trim_ascii());
    let name = &name[..memchr::memrchr(b'+', name)?];
    let colon = memchr::memrchr(b':', place)?;
    let line = std::str::from_utf8(&place[colon + 1..])
        .ok()?
        .parse()
        .ok()?;
    let file = &place[..colon];
    (!name.is_empty()).then_some((address, Symbol { name, file, line }))
}

/// The labels in `{"key":"value", "other":"…"}`. Keys and values are quoted as Go quotes strings.
pub(super) fn labels(text: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rest = text.strip_prefix(b"{")?;
    let mut labels = Vec::new();
    while !rest.starts_with(b"}") {
        if !labels.is_empty() {
            rest = rest.strip_prefix(b", ")?;
        }
        let (key, after) = go_string(rest)?;
        let (value, after) = go_string(after.strip_prefix(b":")?)?;
        labels.push((key, value));
        rest = after;
    }
    Some(labels)
}

/// A string in Go's double quotes, and what is behind it.
fn go_string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut string = Vec::new();
    loop {
        let (first, after) = rest.split_first()?;
        rest = after;
        match first {
            b'"' => return Some((string, rest)),
            b'\\' => {
                let (escape, after) = rest.split_first()?;
                let digits = match escape {
                    b'x' => 2,
                    b'u' => 4,
                    b'U' => 8,
                    _ => 0,
                };
                rest = after.get(digits..)?;
                let code = || u32::try_from(scan::hexadecimal(&after[..digits])?).ok();
                match escape {
                    b'a' => string.push(0x07),
                    b'b' => string.push(0x08),
                    b'f' => string.push(0x0c),
                    b'n' => string.push(b'\n'),
                    b'r' => string.push(b'\r'),
                    b't' => string.push(b'\t'),
                    b'v' => string.push(0x0b),
                    b'x' => string.push(u8::try_from(code()?).ok()?),
                    b'u' | b'U' => {
                        let mut utf8 = [0; 4];
                        let c = char::from_u32(code()?)?;
                        string.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                    }
                    other => string.push(*other),
                }
            }
            byte => string.push(*byte),
        }
    }
}
