//! Profiles with symbols before them, as gperftools' `pprof --raw` writes them: `--- symbol`, a line
//! `0x… name` for each address, `---`, then `--- profile` and the profile itself.
//!
//! google/pprof does not know them; gperftools' own pprof reads them back. The addresses of its dump
//! are those of calls already, and the period is lost: 1 stands for it, so there is no CPU time. A
//! profile that came over the network is in the file as it came.

use plop_core::{Error, Result};

use super::lines::Lines;
use super::scan;
use super::symbols::{Symbol, Symbols};

const FIRST_LINE: &[u8] = b"--- symbol";

/// What stands before the profile.
pub(super) struct Section<'t> {
    pub(super) symbols: Symbols<'t>,
    /// Path of the program.
    pub(super) binary: Option<&'t [u8]>,
}

/// Whether an input has symbols before the profile.
pub(super) fn is_marked(bytes: &[u8]) -> bool {
    Lines::of(bytes)
        .next()
        .is_some_and(|line| line.text == FIRST_LINE)
}

/// Reads the symbols; returns them and the lines of the profile.
pub(super) fn read(mut lines: Lines<'_>) -> Result<(Section<'_>, Lines<'_>)> {
    lines.next();
    let mut section = Section {
        symbols: Symbols::default(),
        binary: None,
    };
    loop {
        let Some(line) = lines.next() else {
            return Err(
                Error::expected("`---` behind the symbols", "the end of the file")
                    .at(lines.place()),
            );
        };
        if line.text.starts_with(b"---") {
            break;
        }
        if let Some(path) = line.text.strip_prefix(b"binary=") {
            section.binary = Some(path);
        } else if let Some((address, names)) = address_and_names(line.text) {
            section.symbols.set(address, functions(names));
        }
    }
    match lines.next() {
        Some(line) if line.text.starts_with(b"--- ") => Ok((section, lines)),
        Some(line) => Err(line.is_not("`--- profile`")),
        None => Err(Error::expected("`--- profile`", "the end of the file").at(lines.place())),
    }
}

fn address_and_names(line: &[u8]) -> Option<(u64, &[u8])> {
    let line = line.strip_prefix(b"0x")?;
    let space = line.iter().position(u8::is_ascii_whitespace)?;
    let names = line[space..].trim_ascii();
    Some((scan::hexadecimal(&line[..space])?, names)).filter(|_| !names.is_empty())
}

/// The functions in `outer--inner--innermost`: calls that were inlined have several.
fn functions(names: &[u8]) -> Vec<Symbol<'_>> {
    let mut functions = Vec::new();
    let mut start = 0;
    for end in memchr::memmem::find_iter(names, b"--") {
        // The dashes of C++'s `operator--` separate nothing.
        if end > start && !names[start..end].ends_with(b"operator") {
            functions.push(Symbol::named(without_address(&names[start..end])));
            start = end + 2;
        }
    }
    if start < names.len() {
        functions.push(Symbol::named(without_address(&names[start..])));
    }
    functions
}

/// A name without the address of the function that may stand behind it in `<>`, to tell functions of
/// one name apart.
fn without_address(name: &[u8]) -> &[u8] {
    let parts = name.strip_suffix(b">").and_then(|rest| {
        let open = memchr::memrchr(b'<', rest)?;
        Some((&rest[..open], &rest[open + 1..]))
    });
    match parts {
        Some((short, digits))
            if matches!(digits.len(), 8 | 16) && digits.iter().all(u8::is_ascii_hexdigit) =>
        {
            short
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inlined_functions_stand_behind_their_caller() {
        let names = |text: &'static str| -> Vec<_> {
            let functions = functions(text.as_bytes());
            let text = |symbol: &Symbol<'static>| std::str::from_utf8(symbol.name).unwrap();
            functions.iter().map(text).collect()
        };
        assert_eq!(names("main<0000000000001269>--inl"), ["main", "inl"]);
        assert_eq!(
            names("It::operator--(int)--f"),
            ["It::operator--(int)", "f"]
        );
        assert_eq!(names("f<int>"), ["f<int>"]);
        assert_eq!(names("f--"), ["f"]);
    }
}
