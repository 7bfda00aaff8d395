//! What a `.plop` file does to a profile: its frames are file, line and function.

use hashbrown::HashMap;
use plop_core::{FrameId, Notes, Profile};

use crate::formats::header;

/// The profile with frames of the same file, line and function made one, and without keys of
/// others' that mean something of ours; `None` when there are none of either.
pub(super) fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let meta = header::fit(&profile.meta, notes);
    let mut first: HashMap<_, FrameId, foldhash::fast::RandomState> = HashMap::default();
    let stands_for: Vec<FrameId> = (0..profile.frames.len())
        .map(|n| {
            let id = FrameId::new(n);
            let function = profile.function_of(id);
            *first
                .entry((function.file, profile.line_of(id), function.name))
                .or_insert(id)
        })
        .collect();
    let merged = stands_for
        .iter()
        .enumerate()
        .filter(|(n, id)| id.index() != *n)
        .count() as u64;
    if merged == 0 && meta.is_none() {
        return None;
    }
    if merged > 0 {
        notes.add_many("frames-merged", merged, None, || {
            "frames are not told apart from others of the same file, line and function".into()
        });
    }
    let mut profile = profile.clone();
    if let Some(meta) = meta {
        profile.meta = meta;
    }
    let profile = profile.with_frames(|profile, id| {
        let id = stands_for[id.index()];
        (*profile.function_of(id), *profile.frames.get(id))
    });
    Some(profile.compact())
}
