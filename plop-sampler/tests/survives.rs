//! Everything that is recorded survives being written as `.plop` and read again, but for the times of
//! samples, for which the format has no room.
#![allow(clippy::unwrap_used)]

#[path = "support/image.rs"]
mod image;

use image::Image;
use plop_convert::{ReadOptions, find};
use plop_core::{Features, Notes, Profile};
use plop_sampler::recording::{join, read};

/// Writes a profile as `.plop` and reads it; neither may have anything to say.
fn through_plop(profile: &Profile) -> Profile {
    let plop = find("plop").unwrap();
    let mut notes = Notes::new();
    let mut bytes = Vec::new();
    let lost = plop
        .write(std::slice::from_ref(profile), &mut bytes, &mut notes)
        .unwrap();
    assert!(lost.is_empty(), "lost: {lost}");
    let loaded = plop_convert::read(&bytes, None, &ReadOptions::default()).unwrap();
    assert_eq!(loaded.format.name, "plop");
    notes.append(loaded.notes, 0);
    assert!(notes.is_empty(), "{notes:?}");
    let [profile] = loaded.profiles.try_into().unwrap();
    profile
}

/// Two processes with names that are hard to write.
fn recorded(timeline: bool) -> Profile {
    let mut root = Image::sample(70).with("trigger_why", "the kernel's tick is 250 Hz; \"perf\"");
    root.strings[1] = b"<listcomp> it's \"quoted\"".to_vec();
    root.strings[2] = b"caf\xe9/\xf0\x9f\x90\x8d.py".to_vec();
    root.strings[6] = b"io; \x00\x1b".to_vec();
    root.frames.push([2, 0, 1]);
    root.nodes.push([0, 3]);
    root.rows.push(([0, 1, 4, 3], [0, 1]));
    root.rows.push(([0, 1, 0, 4], [0, 2]));
    if timeline {
        root.timeline = vec![(2_000_000, [0, 2, 0], [1, 1])];
    }
    let child = Image::sample(90)
        .with("root", 0)
        .with("slice_ns", 20_000_000);
    let recordings = [root, child].map(|image| read(&image.bytes()).unwrap());
    let mut profile = join(recordings.to_vec()).unwrap();
    profile.meta.command = vec!["python".into(), "app.py".into(), "caf\u{e9}".into()];
    profile.with_label(b"deploy", b"9bd07e; \"x\"")
}

#[test]
fn what_is_recorded_survives_a_file() {
    let profile = recorded(false);
    assert_eq!(through_plop(&profile).dump(), profile.dump());
}

#[test]
fn times_are_all_that_is_lost() {
    let timed = recorded(true);
    assert!(timed.samples.have_times());
    let plop = find("plop").unwrap();
    assert_eq!(plop.losses(std::slice::from_ref(&timed)), Features::TIMES);
    let profile = timed.without_times().summed();
    assert_eq!(through_plop(&profile).dump(), recorded(false).dump());
}
