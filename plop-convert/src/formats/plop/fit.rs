//! What a `.plop` file does to a profile: its frames are file, line and function.

use hashbrown::HashMap;
use plop_core::{Attribute, FrameId, Notes, Profile};

use super::header::KNOWN_KEYS;
use super::json::one_line;

/// The profile with frames of the same file, line and function made one, and without keys of
/// others' that mean something of ours; `None` when there are none of either.
pub(super) fn fit(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let ours = |key: &String| KNOWN_KEYS.contains(&key.as_str());
    let renamed = profile
        .meta
        .extra
        .iter()
        .filter(|(key, _)| ours(key))
        .count() as u64;
    if renamed > 0 {
        notes.add_many("key-renamed", renamed, None, || {
            "keys of the header are called other_…, since version 2 has keys of the same name"
                .into()
        });
    }
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
    let mut meta = profile.meta.clone();
    for attributes in [&mut meta.host, &mut meta.build, &mut meta.extra] {
        for (_, value) in attributes {
            if let Attribute::Json(json) = value {
                *json = one_line(json);
            }
        }
    }
    if merged == 0 && renamed == 0 && meta == profile.meta {
        return None;
    }
    if merged > 0 {
        notes.add_many("frames-merged", merged, None, || {
            "frames are not told apart from others of the same file, line and function".into()
        });
    }
    let mut profile = profile.clone();
    profile.meta = meta;
    for n in 0..profile.meta.extra.len() {
        let mut key = profile.meta.extra[n].0.clone();
        while ours(&key)
            || profile
                .meta
                .extra
                .iter()
                .enumerate()
                .any(|(m, (other, _))| m != n && *other == key)
        {
            key.insert_str(0, "other_");
        }
        profile.meta.extra[n].0 = key;
    }
    let profile = profile.with_frames(|profile, id| {
        let id = stands_for[id.index()];
        (*profile.function_of(id), *profile.frames.get(id))
    });
    Some(profile.compact())
}
