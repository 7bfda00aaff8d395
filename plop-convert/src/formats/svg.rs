//! A flame graph as SVG, drawn by the crate inferno: a box for each frame, as wide as what was
//! sampled with it, standing on its caller. It is written and not read.
//!
//! The default value is drawn; of a profile that holds a before and an after, both, as a differential
//! flame graph. What a picture cannot show is taken off here, in `fit`: boxes too narrow to be seen,
//! frames too far up, characters that XML has no room for. What is drawn of a frame is in
//! [`lines`], numbers, colours and titles are in [`look`].

use std::borrow::Cow;
use std::io::{self, Write};

use inferno::flamegraph;
use plop_core::{Features, Frame, Notes, Profile, StackId};

use crate::format::{Confidence, Content, Format, Read};

mod lines;
mod look;

pub(super) const FORMAT: Format = Format {
    name: "svg",
    aliases: &[],
    about: "a drawn flame graph, for a browser; of a before and an after, the differential one",
    extensions: &["svg"],
    content: Content::Picture,
    keeps: Features::FILES
        .and(Features::LINES)
        .and(Features::INLINES)
        .and(Features::KINDS)
        .and(Features::MARKS)
        .and(Features::ROOTS)
        .and(Features::VALUES)
        .and(Features::UNITS)
        .and(Features::FRACTIONS)
        .and(Features::NAME),
    detect: |_| Confidence::No,
    read: Read::Never,
    fit,
    write: Some(write),
};

/// A box narrower than the whole picture by more than this is not drawn: on a usual screen it would
/// be a pixel wide.
const NARROW: i128 = 1000;

/// Frames above this many are not drawn: a box is 16 pixels high.
const MAX_DEPTH: u32 = 1000;

/// Names and files are cut off after this many characters.
const MAX_NAME: usize = 500;

/// What stands in the place of a character that cannot be drawn.
const REPLACEMENT: char = '\u{fffd}';

/// The profile as it is drawn, a note for each kind of change; `None` when all of it is.
fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let chosen = one_value(profile, notes);
    let named = drawable_names(chosen.as_ref().unwrap_or(profile), notes).or(chosen);
    pruned(named.as_ref().unwrap_or(profile), notes).or(named)
}

/// The profile with the default one of several values, unless they are compared.
fn one_value(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let count = profile.values.len();
    if count == 1 || look::is_comparison(profile) {
        return None;
    }
    notes.add("values", None, || format!("one of {count} values is drawn"));
    Some(profile.clone().choosing(profile.default_value))
}

/// The profile with names that XML can hold and a screen can show.
fn drawable_names(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let texts = || {
        (profile.functions.iter())
            .flat_map(|(_, function)| [function.name, function.file])
            .map(|id| profile.strings.get(id))
    };
    let odd = texts().filter(|text| !is_drawable(text)).count();
    let long = texts().filter(|text| is_long(text)).count();
    if odd > 0 {
        notes.add_many("undrawable", odd as u64, None, || {
            format!(
                "names with control characters, or that are not UTF-8, have {REPLACEMENT} there"
            )
        });
    }
    if long > 0 {
        notes.add_many("long-name", long as u64, None, || {
            format!("names of more than {MAX_NAME} characters are cut off")
        });
    }
    let named = || {
        profile.clone().with_names(|name| {
            shortened(&drawable(name), MAX_NAME)
                .into_owned()
                .into_bytes()
        })
    };
    (odd + long > 0).then(named)
}

fn is_drawable(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| !text.contains(is_undrawable))
}

fn is_long(text: &[u8]) -> bool {
    text.len() > MAX_NAME && String::from_utf8_lossy(text).chars().count() > MAX_NAME
}

/// Whether a character is a control character, has no place in XML, or is one of those that
/// [`lines`] sets aside.
fn is_undrawable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}')
}

/// A text with [`REPLACEMENT`] for whatever cannot be drawn.
fn drawable(text: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(text);
    match text.contains(is_undrawable) {
        true => text.replace(is_undrawable, "\u{fffd}").into(),
        false => text,
    }
}

/// The beginning of a text that is longer than `most` characters.
fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// The profile without the boxes that are too narrow or too far up. Their cost stays with their
/// callers; at the root, where there is none, with one box for all.
fn pruned(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let totals = profile.totals(profile.default_value);
    let whole = i128::from(totals[StackId::ROOT.index()]);
    let is_narrow = |stack: StackId| i128::from(totals[stack.index()]) * NARROW < whole;
    let depths = profile.stacks.depths();
    let is_deep = |stack: StackId| depths[stack.index()] > MAX_DEPTH;
    let count = |is: &dyn Fn(StackId) -> bool| {
        profile
            .stacks
            .iter()
            .filter(|(stack, ..)| is(*stack))
            .count() as u64
    };
    let narrow = count(&is_narrow);
    let deep = count(&|stack| is_deep(stack) && !is_narrow(stack));
    if narrow > 0 {
        notes.add_many("narrow", narrow, None, || {
            "boxes narrower than 0.1 % of the picture are not drawn; their cost stays with their callers"
                .into()
        });
    }
    if deep > 0 {
        notes.add_many("too-deep", deep, None, || {
            format!("frames above the first {MAX_DEPTH} of a stack are not drawn; their cost stays with their callers")
        });
    }
    if narrow + deep == 0 {
        return None;
    }
    let mut profile = profile.clone();
    if let [_, _] = profile.values[..] {
        without_difference(&mut profile, notes, |stack| {
            is_narrow(stack) || is_deep(stack)
        });
    }
    let others = profile.function(b"(others)", b"");
    let others = profile.frames.intern(Frame::of(others));
    let (stacks, went) = profile.stacks.rewrite_nodes(|_, stack, _, frame| {
        if is_narrow(stack) {
            return (depths[stack.index()] == 1).then_some(others);
        }
        (!is_deep(stack)).then_some(frame)
    });
    Some(profile.with_stacks(stacks, &went))
}

/// Of a before and an after, makes samples that are not drawn where they stand weigh the same in both: a
/// caller must not be coloured for what became of those that it called.
fn without_difference(profile: &mut Profile, notes: &mut Notes, is_cut: impl Fn(StackId) -> bool) {
    let (before, after) = (1 - profile.default_value, profile.default_value);
    let (mut gone, mut lost) = (0, 0);
    let cut: Vec<bool> = profile
        .samples
        .stacks()
        .iter()
        .map(|stack| is_cut(*stack))
        .collect();
    for (values, _) in (profile.samples.values_mut().chunks_mut(2).zip(cut)).filter(|(_, cut)| *cut)
    {
        if values[after] == 0 && values[before] != 0 {
            gone += 1;
            lost += values[before];
        }
        values[before] = values[after];
    }
    if gone > 0 {
        notes.add_many("vanished", gone, None, || {
            format!("stacks that only the before has, {lost} in all, are not drawn")
        });
    }
}

fn write(profiles: &[&Profile], out: &mut dyn Write) -> io::Result<()> {
    for profile in profiles {
        let counts = look::Counts::of(profile);
        let palette = look::palette(profile);
        let lines = lines::Lines::of(profile, &counts, look::colours_marks(palette));
        let mut options = look::options(profile, &counts, palette);
        // The lines are in the order of the tree, in which no box has to be drawn twice. That is
        // not the order of texts, on which inferno insists, unless it draws over time, from last to
        // first.
        options.flame_chart = true;
        let mut svg = Vec::new();
        flamegraph::from_lines(&mut options, lines.last_to_first(), &mut svg)?;
        lines::put_back(&svg, out)?;
    }
    Ok(())
}
