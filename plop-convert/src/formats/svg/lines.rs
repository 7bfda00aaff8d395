//! The lines of folded stacks that inferno draws from: each box's text, and a way around what such
//! lines cannot say.
//!
//! In a line, `;` ends a frame, and a number behind a space at its end is a count. Two characters that
//! Unicode sets aside for a program's own use, and that no name here holds, stand in: they are
//! put into the lines, and [`put_back`] takes them out of the drawn picture.

use std::io::{self, Write};

use hashbrown::HashMap;
use plop_core::{FrameId, Profile, StackId, Stacks};

use super::look::Counts;
use crate::formats::collapsed::frame_text;

/// Stands for a `;`.
const SEMICOLON: char = '\u{fdd0}';

/// Stands for nothing. It keeps what is beside it from being trimmed, or read as something else.
const NOTHING: char = '\u{fdd1}';

/// What the two have in common as UTF-8: all but the last byte.
const STAND_IN: &[u8] = b"\xef\xb7";

/// The lines, in the order in which their boxes stand beside each other.
pub(super) struct Lines {
    text: String,
    ends: Vec<usize>,
}

impl Lines {
    /// A line for each stack that has something of its own. `colours_marks` says that the marks of
    /// frames are shown by colours, which take them off the text.
    pub(super) fn of(profile: &Profile, counts: &Counts, colours_marks: bool) -> Lines {
        let labels = Labels::of(profile, colours_marks);
        // Frames that are told apart by nothing that is drawn become one.
        let (stacks, went) = (profile.stacks).rewrite(|_, frame| Some(labels.first[frame.index()]));
        let own = own(profile, &stacks, &went, counts);
        let mut totals: Vec<i64> = own.iter().map(|counts| counts[counts.len() - 1]).collect();
        for stack in (1..totals.len()).rev() {
            totals[stacks.parent(StackId::new(stack)).index()] += totals[stack];
        }
        let mut children = stacks.children();
        children.sort_by_key(|stack| Some(&labels.texts[stacks.frame(stack)?.index()]));
        let mut lines = Lines {
            text: String::new(),
            ends: vec![0],
        };
        lines.push("(no frames)", &own[StackId::ROOT.index()]);
        let mut path = String::new();
        let mut open = vec![(StackId::ROOT, 0usize, 0usize)];
        while let Some((node, next, length)) = open.last_mut() {
            path.truncate(*length);
            let Some(child) = children.get(*node, *next) else {
                open.pop();
                continue;
            };
            *next += 1;
            // A box without a width would be drawn as a line.
            let Some(frame) = stacks.frame(child).filter(|_| totals[child.index()] > 0) else {
                continue;
            };
            if *node != StackId::ROOT {
                path.push(';');
            }
            path.push_str(&labels.texts[frame.index()]);
            lines.push(&path, &own[child.index()]);
            open.push((child, 0, path.len()));
        }
        lines
    }

    /// Adds a line, if one of its counts is not 0.
    fn push(&mut self, path: &str, counts: &[i64]) {
        if counts.iter().all(|count| *count == 0) {
            return;
        }
        self.text.push_str(path);
        for count in counts {
            self.text.push(' ');
            self.text.push_str(&count.to_string());
        }
        self.ends.push(self.text.len());
    }

    pub(super) fn last_to_first(&self) -> impl Iterator<Item = &str> {
        (self.ends.windows(2).rev()).map(|ends| &self.text[ends[0]..ends[1]])
    }
}

/// What was sampled with each stack of the new trie, one count or two.
fn own(profile: &Profile, stacks: &Stacks, went: &[StackId], counts: &Counts) -> Vec<Vec<i64>> {
    let mut own = vec![vec![0; profile.values.len()]; stacks.len()];
    for sample in profile.samples.iter() {
        let sums = &mut own[went[sample.stack.index()].index()];
        for (sum, value) in sums.iter_mut().zip(sample.values) {
            *sum += value;
        }
    }
    for sums in &mut own {
        for (sum, value) in sums.iter_mut().zip(&profile.values) {
            *sum = counts.drawn(*sum, value.scale);
        }
    }
    own
}

/// The text of every frame.
struct Labels {
    texts: Vec<String>,
    /// The first frame with the same text.
    first: Vec<FrameId>,
}

impl Labels {
    fn of(profile: &Profile, colours_marks: bool) -> Labels {
        let texts: Vec<String> = (0..profile.frames.len())
            .map(|n| label(profile, FrameId::new(n), colours_marks))
            .collect();
        let mut seen = HashMap::<&str, FrameId, foldhash::fast::RandomState>::default();
        let first = (texts.iter().enumerate())
            .map(|(n, text)| *seen.entry(text).or_insert(FrameId::new(n)))
            .collect();
        drop(seen);
        Labels { texts, first }
    }
}

/// The text of a frame, `name (file:line)_[k]`, with stand-ins.
fn label(profile: &Profile, id: FrameId, colours_marks: bool) -> String {
    let (frame, file) = (profile.frames.get(id), profile.file_of(id));
    let mut text = match profile.name_of(id) {
        b"" => b"[unnamed]".to_vec(),
        name => name.to_vec(),
    };
    if !file.is_empty() || frame.line != 0 {
        text.extend_from_slice(b" (");
        text.extend_from_slice(file);
        if frame.line != 0 {
            text.extend_from_slice(format!(":{}", frame.line).as_bytes());
        }
        text.push(b')');
    }
    let unmarked = text.len();
    frame_text::render_marks(frame, &mut text);
    // A mark is taken off the text for colours to show it.
    let stays = text.len() == unmarked || !colours_marks;
    let mut text = super::drawable(&text).replace(';', SEMICOLON.encode_utf8(&mut [0; 4]));
    if text.starts_with(|c: char| c.is_whitespace() || c == '#') {
        text.insert(0, NOTHING);
    }
    let bare = text.ends_with(char::is_whitespace) || ends_in_count(&text);
    if bare || (stays && text.ends_with(']')) {
        text.push(NOTHING);
    }
    text
}

/// Whether the last word of a text would be taken for a count.
fn ends_in_count(text: &str) -> bool {
    let last = text.rsplit(' ').next().unwrap_or(text);
    last.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Writes a picture with what the stand-ins stand for.
pub(super) fn put_back(svg: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut rest = svg;
    while let Some(at) = memchr::memmem::find(rest, STAND_IN) {
        let (before, after) = (&rest[..at], &rest[at + STAND_IN.len()..]);
        out.write_all(before)?;
        rest = match after.split_first() {
            Some((0x90, rest)) => {
                out.write_all(b";")?;
                rest
            }
            Some((0x91, rest)) => rest,
            _ => {
                out.write_all(STAND_IN)?;
                after
            }
        };
    }
    out.write_all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_put_back_and_their_neighbours_stay() {
        let text = format!("a{SEMICOLON}b{NOTHING}\u{fdf0}\u{fdc0}c{NOTHING}");
        let mut out = Vec::new();
        put_back(text.as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a;b\u{fdf0}\u{fdc0}c");
    }

    #[test]
    fn what_would_be_taken_for_a_count_is_told() {
        for (text, is) in [
            ("worker 5", true),
            ("5", true),
            ("f 1.5", true),
            ("worker5", false),
            ("f -5", false),
            ("f (x.py:5)", false),
        ] {
            assert_eq!(ends_in_count(text), is, "{text}");
        }
    }
}
