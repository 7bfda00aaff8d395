//! The stacks of all threads at one moment: `--- threadz 1 ---`, and `--- Thread 7f… (name: main/25)
//! stack: ---` before each.

use memchr::memmem;
use plop_core::{Notes, Period, Result, ValueType};

use super::lines::{Line, Lines};
use super::recorded::{Labels, Recorded};
use super::scan::{self, Scan};
use super::symbols::Symbol;

/// Whether a profile whose first line of note is this one holds the stacks of threads.
pub(super) fn is_start(line: &[u8]) -> bool {
    is_header(line) || is_thread(line)
}

fn is_header(line: &[u8]) -> bool {
    let number = (line.strip_prefix(b"--- threadz ")).and_then(|rest| rest.strip_suffix(b" ---"));
    number.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

fn is_thread(line: &[u8]) -> bool {
    let mut scan = Scan(line);
    scan.literal("--- Thread ").is_some()
        && !scan.take(|b| b.is_ascii_hexdigit()).is_empty()
        && scan.literal(" (name: ").is_some()
        && line.ends_with(b") stack: ---")
}

pub(super) fn read<'t>(lines: &mut Lines<'t>, notes: &mut Notes) -> Result<Recorded<'t>> {
    let first = lines.clone().find(|line| !line.is_comment());
    if first.is_some_and(|line| is_header(line.text)) {
        lines.find(|line| !line.is_comment());
    }
    skip_while(lines, |line| {
        !line.announces_maps() && !line.text.starts_with(b"-")
    });
    let period = Period {
        of: ValueType::new("thread", "count"),
        every: 1,
    };
    let mut recorded = Recorded::new(&[("thread", "count")], Some(period));
    recorded.leaf_may_repeat = true;
    while let Some(line) = lines.peek() {
        if line.announces_maps() || line.text.starts_with(b"---- no stack trace for") {
            break;
        }
        if !is_thread(line.text) {
            return Err(line.is_not("`--- Thread 7f00 (name: main/1) stack: ---`"));
        }
        lines.next();
        thread(lines, &mut recorded)?;
        if recorded.samples.is_empty() {
            notes.add("bad-line", Some(line.place()), || {
                "threads like the one before, before which there is none, were passed over".into()
            });
        }
    }
    Ok(recorded)
}

fn skip_while<'t>(lines: &mut Lines<'t>, skipped: impl Fn(Line<'t>) -> bool) {
    while lines.peek().is_some_and(&skipped) {
        lines.next();
    }
}

/// Reads the stack of a thread. One that says it is the same as the one before it, or has no address,
/// counts as another of that.
fn thread<'t>(lines: &mut Lines<'t>, recorded: &mut Recorded<'t>) -> Result<()> {
    let leaf = recorded.addresses.len();
    let mut same = false;
    while let Some(line) = lines.peek() {
        let text = line.trimmed();
        if text.starts_with(b"---") {
            break;
        }
        lines.next();
        if memmem::find(text, b"same as previous thread").is_some() {
            same = true;
            continue;
        }
        let before = recorded.addresses.len();
        scan::addresses(text, line, &mut recorded.addresses)?;
        if let ([address], Some(symbol)) = (&recorded.addresses[before..], symbol(text)) {
            let call = u64::from(before > leaf);
            recorded.symbols.add(address.wrapping_sub(call), symbol);
        }
    }
    if same || recorded.addresses.len() == leaf {
        recorded.addresses.truncate(leaf);
        if let Some(count) = recorded.amounts.last_mut() {
            *count += 1;
        }
        return Ok(());
    }
    recorded.move_into_calls(leaf + 1);
    recorded.push(&[1], Labels::None);
    Ok(())
}

/// The function of a line `0x40be31: main`, or `PC:  0x40be31: main` for a leaf.
fn symbol(line: &[u8]) -> Option<Symbol<'_>> {
    let mut scan = Scan(line.strip_prefix(b"PC:").unwrap_or(line));
    scan.blanks()?;
    scan.literal("0x")?;
    scan.take(|b| b.is_ascii_hexdigit());
    scan.literal(": ")?;
    let name = scan.0.trim_ascii();
    (!name.is_empty()).then(|| Symbol::named(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_announce_threads() {
        assert!(is_start(b"--- threadz 1 ---"));
        assert!(is_start(b"--- Thread 7e (name: a b/12) stack: ---"));
        assert!(!is_start(b"--- threadz 1 --- 5"));
        assert!(!is_start(b"--- Thread  (name: a/1) stack: ---"));
    }

    #[test]
    fn a_name_belongs_to_the_address_before_it() {
        assert_eq!(symbol(b"PC:  0x0b: f(int)"), Some(Symbol::named(b"f(int)")));
        assert_eq!(symbol(b"PC: 0x0b 0x0c"), None);
        assert_eq!(symbol(b"creator: 0x0b: f"), None);
    }
}
