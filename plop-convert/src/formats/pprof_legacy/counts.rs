//! Counts of Go with `debug=1`: goroutines, threads, and profiles of a program's own. The first line
//! is `goroutine profile: total 7`; then a line a stack, `count @ addresses`.

use plop_core::{Error, Notes, Period, Result, ValueType, quoted};

use super::comments;
use super::lines::Lines;
use super::recorded::{Labels, Recorded};
use super::scan::{self, Scan};
use crate::head::Head;

/// What is counted, if this is the first line of such a profile.
pub(super) fn kind_in_header(line: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan(line);
    let kind = scan.take(|b| !b.is_ascii_whitespace());
    scan.literal(" profile: total ")?;
    let total = scan.take(|b| b.is_ascii_digit());
    (!kind.is_empty() && !total.is_empty() && scan.0.is_empty()).then_some(kind)
}

/// The count and the text of the addresses of a line, if it is a stack.
fn stack_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut scan = Scan(line);
    let count = scan.take(|b| b.is_ascii_digit());
    scan.literal(" @ ")?;
    (!count.is_empty() && !scan.0.is_empty() && scan::is_stack(scan.0)).then_some((count, scan.0))
}

/// Whether an input is such a profile. Folded stacks could begin with a line like the first, so that
/// one alone does not suffice.
pub(super) fn is_sure(head: &Head) -> bool {
    let mut lines = Lines::of(head.bytes).filter(|line| !line.is_comment());
    lines
        .next()
        .is_some_and(|line| kind_in_header(line.text).is_some())
        && match lines.next() {
            Some(line) => stack_line(line.text).is_some() || line.text.starts_with(b"---"),
            None => head.whole,
        }
}

pub(super) fn read<'t>(lines: &mut Lines<'t>, notes: &mut Notes) -> Result<Recorded<'t>> {
    let kind = (lines.find(|line| !line.is_comment()))
        .and_then(|line| kind_in_header(line.text))
        .ok_or_else(|| Error::new("no first line of a count"))?;
    let kind = String::from_utf8_lossy(kind);
    let period = Period {
        of: ValueType::new(&kind, "count"),
        every: 1,
    };
    let mut recorded = Recorded::new(&[(&kind, "count")], Some(period));
    while let Some(line) = lines.peek() {
        if line.text.starts_with(b"---") {
            break;
        }
        lines.next();
        if line.is_comment() {
            match line.trimmed().strip_prefix(b"# labels: ") {
                Some(labels) => match (comments::labels(labels), recorded.samples.last_mut()) {
                    (Some(labels), Some(sample)) => sample.labels = Labels::Texts(labels),
                    _ => notes.add("bad-line", Some(line.place()), || {
                        let text = quoted(line.trimmed());
                        format!("labels that cannot be read were passed over, such as {text}")
                    }),
                },
                None => comments::read(line, &mut recorded),
            }
            continue;
        }
        let (count, addresses) =
            stack_line(line.text).ok_or_else(|| line.is_not("`count @ addresses`"))?;
        let count = scan::number(count, line)?;
        scan::addresses(addresses, line, &mut recorded.addresses)?;
        recorded.move_into_calls(recorded.next_stack());
        recorded.push(&[count], Labels::None);
    }
    Ok(recorded)
}
