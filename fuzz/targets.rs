//! What the fuzz targets do with their bytes. The fuzzer calls it with bytes of its own making;
//! plop-convert's test `fuzz_corpus` includes this file and calls it with the seeds.
//!
//! Each target returns whether its bytes could be read; a law that does not hold is a panic. How
//! the bytes of a seed are laid out is told at each target.

use plop_convert::{Format, ReadOptions, find, formats};
use plop_core::{FrameSet, Granularity, Notes, Profile};

/// No seed needs more, and the fuzzer's machine has no more to give.
const MAX_INFLATED: u64 = 16 << 20;

/// Profiles with more stacks than this are not dumped: each sample's line would hold its whole stack.
const MAX_DUMPED: usize = 10_000;

/// Reading takes any bytes without a panic, and what was read keeps its invariants.
///
/// The first line names the format to read the rest in; it is empty where the rest decides. A line
/// that names none chooses one by its first byte, so that every format is a mutation away.
pub fn read(bytes: &[u8]) -> bool {
    let (choice, input) = first_line(bytes);
    let Ok(loaded) = plop_convert::read(input, from(choice), &options()) else {
        return false;
    };
    for profile in &loaded.profiles {
        profile
            .check()
            .expect("what a reader returns keeps its invariants");
        if profile.stacks.len() <= MAX_DUMPED {
            profile.dump();
        }
    }
    true
}

/// What a format keeps survives it: for every format that writes, what was written is taken for that
/// format, is read back as it was prepared, and is written again as the same bytes.
///
/// All bytes are the input.
pub fn round_trip(bytes: &[u8]) -> bool {
    let Ok(loaded) = plop_convert::read(bytes, None, &options()) else {
        return false;
    };
    for format in formats().iter().copied().filter(|format| format.is_read()) {
        let Some((out, expected)) = written(format, &loaded.profiles) else {
            continue;
        };
        let (name, shown) = (format.name, out.escape_ascii());
        if !out.is_empty() {
            let detected = match plop_convert::detect(&out, "") {
                Ok(detected) => detected.name.into(),
                Err(error) => error.to_string(),
            };
            assert_eq!(
                detected, name,
                "what was written is taken for what it is: {shown}"
            );
        }
        let back = match plop_convert::read(&out, Some(format), &options()) {
            Ok(loaded) => loaded.profiles,
            Err(error) => panic!("{name} reads what it wrote: {error}: {shown}"),
        };
        let dumps: Vec<String> = back.iter().map(Profile::dump).collect();
        assert_eq!(
            dumps, expected,
            "{name} gives back what it was given: {shown}"
        );
        let again = written(format, &back).map(|(out, _)| out.escape_ascii().to_string());
        assert_eq!(
            again,
            Some(shown.to_string()),
            "{name} writes what it read as it was"
        );
    }
    true
}

/// What a format writes of profiles, and the dumps of what it made of them before; `None` if it
/// cannot hold them.
fn written(format: &Format, profiles: &[Profile]) -> Option<(Vec<u8>, Vec<String>)> {
    let prepared = format.prepare(profiles, &mut Notes::new()).ok()?;
    let mut out = Vec::new();
    prepared.write(&mut out).expect("a vector takes all bytes");
    let dumps = prepared
        .profiles
        .iter()
        .map(|profile| profile.dump())
        .collect();
    Some((out, dumps))
}

/// Transforms keep the invariants, and the totals that they say they keep.
///
/// The first line is what to do, two bytes a step: a letter of [`STEPS`], and a byte that chooses,
/// where there is something to choose. The rest is the input, folded stacks if nothing else.
pub fn transforms(bytes: &[u8]) -> bool {
    let (steps, input) = first_line(bytes);
    let loaded = plop_convert::read(input, None, &options())
        .or_else(|_| plop_convert::read(input, find("folded"), &options()));
    let Some(mut profile) = loaded
        .ok()
        .and_then(|loaded| loaded.profiles.into_iter().next())
    else {
        return false;
    };
    for pair in steps.as_chunks::<2>().0.iter().take(MAX_STEPS) {
        let [letter, choice] = *pair;
        let known = STEPS.iter().find(|(name, _)| *name == letter);
        let (_, step) = known.unwrap_or(&STEPS[usize::from(letter) % STEPS.len()]);
        profile = step(profile, choice);
        profile.check().expect("a transform keeps the invariants");
    }
    true
}

/// More steps than this find nothing that fewer do not.
const MAX_STEPS: usize = 16;

/// One transform with its laws; the byte chooses what it is applied to.
type Step = fn(Profile, u8) -> Profile;

/// The steps of [`transforms`] by their letters.
const STEPS: [(u8, Step); 10] = [
    (b'f', |profile, byte| split(profile, byte).0),
    (b'i', |profile, byte| split(profile, byte).1),
    (b'h', |profile, byte| {
        let frames = frames_with(&profile, byte);
        lossless(profile, |profile| profile.hide(&frames))
    }),
    (b's', show_from),
    (b'r', |profile, _| {
        let folded = lossless(profile, Profile::fold_recursion);
        unchanged(folded, Profile::fold_recursion)
    }),
    (b'g', |profile, byte| {
        let granularity = match byte {
            b'f' => Granularity::Functions,
            b'l' => Granularity::Lines,
            _ => Granularity::Files,
        };
        let coarse = lossless(profile, |profile| profile.at_granularity(granularity));
        unchanged(coarse, |profile| profile.at_granularity(granularity))
    }),
    (b't', |profile, _| {
        lossless(profile, Profile::threads_to_roots)
    }),
    (b'w', |profile, _| {
        let without = lossless(profile, Profile::without_threads);
        unchanged(without, Profile::without_threads)
    }),
    (b'e', |profile, _| {
        unchanged(profile, |profile| profile.escaped().unescaped()).escaped()
    }),
    (b'u', |profile, _| lossless(profile, Profile::unescaped)),
];

/// The profile focused on the frames that `byte` chooses, and without them: a whole in two parts.
fn split(profile: Profile, byte: u8) -> (Profile, Profile) {
    let frames = frames_with(&profile, byte);
    let whole = totals(&profile);
    let with = profile.clone().focus(&frames);
    let without = profile.ignore(&frames);
    let parts = totals(&with).into_iter().zip(totals(&without));
    let sums: Vec<i64> = parts.map(|(with, without)| with + without).collect();
    assert_eq!(sums, whole, "focus and ignore add up to the whole");
    (with, without)
}

fn show_from(profile: Profile, byte: u8) -> Profile {
    let frames = frames_with(&profile, byte);
    let focused = totals(&profile.clone().focus(&frames));
    let shown = profile.show_from(&frames);
    assert_eq!(totals(&shown), focused, "show_from keeps what focus keeps");
    shown
}

/// What `transform` makes of the profile; it keeps every total.
fn lossless(profile: Profile, transform: impl Fn(Profile) -> Profile) -> Profile {
    let before = totals(&profile);
    let profile = transform(profile);
    assert_eq!(totals(&profile), before, "every total stays");
    profile
}

/// The profile, which `transform` leaves as it is.
fn unchanged(profile: Profile, transform: impl Fn(Profile) -> Profile) -> Profile {
    if profile.stacks.len() <= MAX_DUMPED {
        let again = transform(profile.clone());
        assert_eq!(again.dump(), profile.dump(), "nothing is left to change");
    }
    profile
}

/// The frames in whose name or file a byte stands.
fn frames_with(profile: &Profile, byte: u8) -> FrameSet {
    profile.frames_where(|text| text.contains(&byte))
}

fn totals(profile: &Profile) -> Vec<i64> {
    (0..profile.values.len())
        .map(|value| profile.total(value))
        .collect()
}

/// The format that a first line chooses, or `None` for detection.
fn from(choice: &[u8]) -> Option<&'static Format> {
    let named = std::str::from_utf8(choice).ok().and_then(find);
    let readers: Vec<_> = formats().iter().filter(|format| format.is_read()).collect();
    let by_byte = || Some(*readers[usize::from(*choice.first()?) % readers.len()]);
    named.or_else(by_byte)
}

/// The first line without its end, and what follows.
fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, b""),
    }
}

fn options() -> ReadOptions<'static> {
    ReadOptions {
        max_inflated: MAX_INFLATED,
        ..ReadOptions::default()
    }
}
