//! What a pprof file does to a profile: inlined functions stand in the location of the function they
//! were inlined into.

use plop_core::{Frame, FrameId, Function, Notes, Profile, StrId};

use crate::formats::header;

/// The profile with keys and names that the file can hold, and with inlined frames only where their
/// caller is at the same address; `None` when it is like that already.
pub(super) fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let meta = header::fit(&profile.meta, notes);
    let nameless =
        |function: &Function| function.name == StrId::EMPTY && function.system_name != StrId::EMPTY;
    let names = (profile.functions.iter())
        .filter(|(_, function)| nameless(function))
        .count() as u64;
    let alone = has_lone_inlined(profile);
    let rounded = super::values::in_nanoseconds(profile, notes);
    let is_odd = |text: &[u8]| std::str::from_utf8(text).is_err();
    let odd = profile
        .strings
        .iter()
        .filter(|(_, text)| is_odd(text))
        .count() as u64;
    // Where all binaries say nothing they would be read back as none.
    let silent = !profile.mappings.is_empty()
        && (profile.mappings.iter()).all(|(_, mapping)| super::says_nothing(mapping));
    if meta.is_none() && names + odd == 0 && !alone && rounded.is_none() && !silent {
        return None;
    }
    let mut profile = rounded.unwrap_or_else(|| profile.clone());
    if silent {
        profile = profile.with_frames(|profile, id| {
            let frame = Frame {
                mapping: None,
                ..*profile.frames.get(id)
            };
            (*profile.function_of(id), frame)
        });
    }
    if odd > 0 {
        notes.add_many("not-utf8", odd, None, || {
            "texts that are not UTF-8 have \\xNN for such bytes: most readers of pprof refuse a file \
             with them"
                .into()
        });
        profile = profile.with_texts(|text| match is_odd(text) {
            true => escaped(text),
            false => text.to_vec(),
        });
    }
    if let Some(meta) = meta {
        profile.meta = meta;
    }
    if names > 0 {
        notes.add_many("no-name", names, None, || super::NO_NAME.into());
        profile = profile.with_frames(|profile, id| {
            let mut function = *profile.function_of(id);
            if nameless(&function) {
                function.name = function.system_name;
            }
            (function, *profile.frames.get(id))
        });
    }
    if alone {
        profile = with_callers(profile, notes);
    }
    Some(profile.compact())
}

/// Text with `\xNN` for every byte that is not UTF-8.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    out
}

/// Whether `frame` can stand in the location of its caller.
fn lies_in(frame: &Frame, caller: Option<&Frame>) -> bool {
    caller.is_some_and(|caller| caller.address == frame.address && caller.mapping == frame.mapping)
}

/// Whether some frame was inlined into a function that is not at the same address, or not there.
fn has_lone_inlined(profile: &Profile) -> bool {
    if !profile.frames.iter().any(|(_, frame)| frame.inlined) {
        return false;
    }
    let frame = |id: FrameId| profile.frames.get(id);
    profile.stacks.iter().any(|(_, parent, leaf)| {
        let caller = profile.stacks.frame(parent).map(frame);
        frame(leaf).inlined && !lies_in(frame(leaf), caller)
    })
}

/// The profile with frames no longer inlined that have no caller to lie in.
fn with_callers(mut profile: Profile, notes: &mut Notes) -> Profile {
    let mut changed = 0;
    let frames = &mut profile.frames;
    let (stacks, went) = profile.stacks.rewrite(|caller, id| {
        let frame = *frames.get(id);
        let lies = !frame.inlined || lies_in(&frame, caller.map(|id| frames.get(id)));
        if lies {
            return Some(id);
        }
        changed += 1;
        Some(frames.intern(Frame {
            inlined: false,
            ..frame
        }))
    });
    notes.add_many("not-inlined", changed, None, || {
        "inlined frames whose caller is at another address, or missing, are like any other frame"
            .into()
    });
    profile.with_stacks(stacks, &went)
}
