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
    if meta.is_none() && names == 0 && !alone && rounded.is_none() {
        return None;
    }
    let mut profile = rounded.unwrap_or_else(|| profile.clone());
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
