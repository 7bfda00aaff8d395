//! What folded stacks do to names. There is no escape in them: a `;` ends a frame, a line feed ends
//! a stack, and whatever looks like `name (file:line)` is read as one.

use plop_core::{FrameId, FrameKind, Notes, Profile, StackId};

use super::frame_text;

/// The profile with every name as it will be read back, and a note for each kind of change; `None`
/// when nothing changes.
pub(crate) fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let uses = Uses::of(profile);
    let texts = Texts::of(profile, &uses, notes);
    let same = |n: usize, text: &[u8], at_root| {
        let parsed = frame_text::parse(text, at_root);
        let frame = profile.frames.get(FrameId::new(n));
        let id = FrameId::new(n);
        parsed.name == profile.name_of(id)
            && parsed.file == profile.file_of(id)
            && (parsed.line, parsed.inlined, parsed.kind) == (frame.line, frame.inlined, frame.kind)
    };
    let all_same = |at_root| {
        texts
            .texts
            .iter()
            .enumerate()
            .all(|(n, text)| same(n, text, at_root))
    };
    if all_same(false) && all_same(true) && !texts.unnamed.contains(&true) {
        return None;
    }
    let mut profile = profile.clone();
    let mut read_back = |at_root| -> Vec<FrameId> {
        (texts.texts.iter())
            .map(|text| frame_text::intern(&mut profile, frame_text::parse(text, at_root)))
            .collect()
    };
    let (inner, outer) = (read_back(false), read_back(true));
    let unnamed = frame_text::intern(&mut profile, frame_text::parse(b"[unnamed]", true));
    let kinds: Vec<FrameKind> = profile.frames.iter().map(|(_, frame)| frame.kind).collect();
    let mut unmarked = 0;
    let (stacks, went) = profile.stacks.rewrite_nodes(|stacks, _, caller, frame| {
        if caller == StackId::ROOT && texts.unnamed[frame.index()] {
            return Some(unnamed);
        }
        let caller = stacks.frame(caller);
        let at_root = caller.is_none_or(|frame| names_a_thread(kinds[frame.index()]));
        let new = if at_root {
            outer[frame.index()]
        } else {
            inner[frame.index()]
        };
        unmarked += u64::from(kinds[new.index()] != kinds[frame.index()]);
        Some(new)
    });
    if unmarked > 0 {
        notes.add_many("frame-kind", unmarked, None, || {
            "frames change their kind, since folded stacks tell it by the text".into()
        });
    }
    Some(profile.with_stacks(stacks, &went))
}

fn names_a_thread(kind: FrameKind) -> bool {
    matches!(kind, FrameKind::Thread | FrameKind::Process)
}

/// Where each frame stands: first in a line, last in a line, alone in a line.
struct Uses {
    first: Vec<bool>,
    last: Vec<bool>,
    alone: Vec<bool>,
}

impl Uses {
    fn of(profile: &Profile) -> Self {
        let mut uses = Uses {
            first: vec![false; profile.frames.len()],
            last: vec![false; profile.frames.len()],
            alone: vec![false; profile.frames.len()],
        };
        for (_, parent, frame) in profile.stacks.iter() {
            uses.first[frame.index()] |= parent == StackId::ROOT;
        }
        for stack in profile.samples.stacks() {
            if let Some(frame) = profile.stacks.frame(*stack) {
                uses.last[frame.index()] = true;
                uses.alone[frame.index()] |= profile.stacks.parent(*stack) == StackId::ROOT;
            }
        }
        uses
    }
}

/// The text that each frame is written as, by frame.
struct Texts {
    texts: Vec<Vec<u8>>,
    /// Frames that need a name where they stand at the root.
    unnamed: Vec<bool>,
}

impl Texts {
    fn of(profile: &Profile, uses: &Uses, notes: &mut Notes) -> Self {
        let mut texts: Vec<Vec<u8>> = (0..profile.frames.len())
            .map(|n| {
                let mut text = Vec::new();
                frame_text::render(profile, FrameId::new(n), &mut text);
                text
            })
            .collect();
        let mut changed = |code, count: usize, text: &str| {
            if count > 0 {
                notes.add_many(code, count as u64, None, || text.into());
            }
        };
        changed(
            "semicolon",
            replace(&mut texts, b';', b':'),
            "frames with `;` in a name have `:` instead (--escape keeps it, reversibly)",
        );
        changed(
            "line-feed",
            replace(&mut texts, b'\n', b' '),
            "frames with a line feed in a name have a space instead (--escape keeps it, reversibly)",
        );
        for (n, text) in texts.iter_mut().enumerate() {
            if uses.first[n]
                && text.starts_with(b" (")
                && profile.name_of(FrameId::new(n)).is_empty()
            {
                text.splice(..0, *b"[unnamed]");
            }
        }
        let mut trimmed = 0;
        for (n, text) in texts.iter_mut().enumerate() {
            let len = text.len();
            if uses.last[n] {
                text.truncate(text.trim_ascii_end().len());
            }
            if uses.first[n] {
                let start = text.len() - text.trim_ascii_start().len();
                text.drain(..start);
            }
            trimmed += usize::from(text.len() < len);
        }
        changed(
            "spaces",
            trimmed,
            "names at an end of a stack lose the spaces around them",
        );
        let unnamed: Vec<bool> = (texts.iter().zip(&uses.alone))
            .map(|(text, alone)| *alone && text.is_empty())
            .collect();
        changed(
            "unnamed",
            unnamed.iter().filter(|unnamed| **unnamed).count()
                + texts
                    .iter()
                    .filter(|text| text.starts_with(b"[unnamed] ("))
                    .count(),
            "a frame without a name that stands alone, or at the root of such a stack, is called [unnamed]",
        );
        let leaves = || (0..texts.len()).filter(|n| uses.last[*n]);
        let with_numbers: Vec<usize> = leaves().filter(|n| ends_in_number(&texts[*n])).collect();
        let bare = profile.samples.stacks().contains(&StackId::ROOT);
        if !with_numbers.is_empty() && !bare && with_numbers.len() == leaves().count() {
            for n in &with_numbers {
                if let Some(space) = texts[*n].iter().rposition(u8::is_ascii_whitespace) {
                    texts[*n][space] = b'_';
                }
            }
            changed(
                "second-count",
                with_numbers.len(),
                "every stack ends in a number that would be read as a second count; its space is now `_`",
            );
        }
        let odd = (0..texts.len())
            .filter(|n| {
                let id = FrameId::new(*n);
                let parsed = frame_text::parse(&texts[*n], uses.first[*n]);
                let mut before = Vec::new();
                frame_text::render(profile, id, &mut before);
                before == texts[*n]
                    && (parsed.name != profile.name_of(id) || parsed.file != profile.file_of(id))
            })
            .count();
        changed(
            "name-reads-as-place",
            odd,
            "names will be read back as `name (file:line)` or with a `_[k]` suffix (--escape keeps them)",
        );
        Texts { texts, unnamed }
    }
}

/// Replaces a byte in texts; returns in how many it stood.
fn replace(texts: &mut [Vec<u8>], from: u8, to: u8) -> usize {
    let mut count = 0;
    for text in texts.iter_mut().filter(|text| text.contains(&from)) {
        count += 1;
        for byte in text.iter_mut().filter(|byte| **byte == from) {
            *byte = to;
        }
    }
    count
}

/// Whether a text ends in white space and what detection takes for a number.
fn ends_in_number(text: &[u8]) -> bool {
    super::reader::ends_in_weights(text, 1)
}
