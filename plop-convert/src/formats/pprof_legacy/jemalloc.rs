//! Heap profiles of jemalloc: `heap_v2/RATE`, the sums of each thread, then for each stack a line of
//! addresses behind `@`, one of all threads together (`t*`), and one of each.
//!
//! google/pprof does not know them. jemalloc's own reader, jeprof, takes the lines of `t*` and unsamples
//! each as tcmalloc's version 2 is unsampled; so it is done here. The lines of single threads are
//! left aside: unsampled one by one, they would add up to something else.

use plop_core::{Error, Notes, Result, quoted};

use super::heap::{Sampling, Shown};
use super::lines::{Line, Lines};
use super::recorded::Recorded;
use super::scan::{self, Scan};
use crate::head::Head;

/// The digits of the rate, if this is the first line of such a profile.
pub(super) fn rate_in_header(line: &[u8]) -> Option<&[u8]> {
    let rate = line.strip_prefix(b"heap_v2/")?;
    (!rate.is_empty() && rate.iter().all(u8::is_ascii_digit)).then_some(rate)
}

/// Whether an input is such a profile: the sum of all threads comes second.
pub(super) fn is_sure(head: &Head) -> bool {
    let mut lines = Lines::of(head.bytes);
    lines
        .next()
        .is_some_and(|line| rate_in_header(line.text).is_some())
        && (lines.next())
            .is_some_and(|line| line.text.ends_with(b"]") && thread_line(line.trimmed()).is_some())
}

pub(super) fn read<'t>(lines: &mut Lines<'t>, notes: &mut Notes) -> Result<Recorded<'t>> {
    let unknown = || Error::new("no first line of a jemalloc profile");
    let first = lines.next().ok_or_else(unknown)?;
    let rate = scan::number(rate_in_header(first.text).ok_or_else(unknown)?, first)?;
    let mut shown = Shown::InUse;
    let mut recorded = shown.recorded(rate);
    let mut stack = None;
    while let Some(line) = lines.peek() {
        if line.announces_maps() {
            break;
        }
        lines.next();
        if line.is_comment() {
            continue;
        }
        if let Some(addresses) = line.trimmed().strip_prefix(b"@") {
            without_sum(stack.replace(line), notes);
            recorded.addresses.truncate(recorded.next_stack());
            scan::stack(addresses, line, &mut recorded.addresses, notes)?;
            recorded.move_into_calls(recorded.next_stack());
            continue;
        }
        let Some((thread, counts)) = thread_line(line.trimmed()) else {
            return Err(line.is_not("`@ addresses` or `t*: objects: bytes [objects: bytes]`"));
        };
        match (thread, stack) {
            (b"*", None) if recorded.samples.is_empty() => {
                shown = Shown::by(counts);
                recorded = shown.recorded(rate);
            }
            (b"*", Some(_)) => {
                shown.push(&mut recorded, counts, Sampling::Every(rate), line)?;
                stack = None;
            }
            (b"*", None) => return Err(line.is_not("one line of `t*` for a stack")),
            _ if recorded.samples.is_empty() => {}
            _ => notes.add("thread-shares", Some(line.place()), || {
                "the shares of single threads were passed over; the sums of all are there".into()
            }),
        }
    }
    without_sum(stack, notes);
    recorded.addresses.truncate(recorded.next_stack());
    Ok(recorded)
}

/// Notes a stack for which no line of all threads came.
fn without_sum(stack: Option<Line>, notes: &mut Notes) {
    if let Some(line) = stack {
        notes.add("bad-line", Some(line.place()), || {
            let text = quoted(line.trimmed());
            format!("stacks without a line of `t*` were passed over, such as {text}")
        });
    }
}

/// The thread, `*` for all, and the numbers of a line. A thread's name may follow.
fn thread_line(line: &[u8]) -> Option<(&[u8], [&[u8]; 4])> {
    let mut scan = Scan(line);
    scan.literal("t")?;
    let thread = scan.take(|b| b == b'*' || b.is_ascii_digit());
    scan.literal(":")?;
    scan.blanks()?;
    Some((thread, scan.objects_and_bytes()?))
}
