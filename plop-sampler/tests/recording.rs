//! Images become recordings, recordings one run, and no bytes at all do harm.
#![allow(clippy::unwrap_used)]

#[path = "support/image.rs"]
mod image;

use image::{Image, NONE};
use plop_core::{Attribute, FrameKind, LabelValue, Profile};
use plop_sampler::recording::{Recording, join, read};
use proptest::prelude::*;

fn recording(image: &Image) -> Recording {
    read(&image.bytes()).unwrap()
}

fn joined(images: &[Image]) -> Profile {
    join(images.iter().map(recording).collect()).unwrap()
}

fn refusal(image: &Image) -> String {
    read(&image.bytes())
        .err()
        .expect("the image is broken")
        .to_string()
}

/// Slice, thread, leaf, state and values of every sample, as text.
fn rows(profile: &Profile) -> Vec<String> {
    let text = |id| profile.strings.text(id).into_owned();
    (profile.samples.iter())
        .map(|sample| {
            let slice = sample.slice.map(|id| id.index().to_string());
            let thread = profile.threads.get(sample.thread.unwrap());
            let leaf = profile.stacks.frame(sample.stack).unwrap();
            let labels = profile.label_sets.get(sample.labels.unwrap());
            let labels: Vec<String> = labels
                .iter()
                .map(|(key, value)| match value {
                    LabelValue::Text(value) => format!("{}={}", text(*key), text(*value)),
                    LabelValue::Number(..) => "a number".into(),
                })
                .collect();
            format!(
                "{} {}/{} {} {}: {:?}{}",
                slice.unwrap_or("-".into()),
                thread.pid,
                text(thread.name),
                String::from_utf8_lossy(profile.name_of(leaf)),
                labels.join(","),
                sample.values,
                sample
                    .time_ns
                    .map_or(String::new(), |ns| format!(" at {ns}")),
            )
        })
        .collect()
}

#[test]
fn an_image_becomes_a_profile() {
    let Recording { profile, process } = recording(&Image::sample(70));
    assert_eq!(
        rows(&profile),
        [
            "0 70/MainThread work state=on CPU: [2, 2]",
            "1 70/MainThread work state=on CPU: [1, 1]",
            "1 70/io wait state=idle: [0, 3]",
            "2 70/MainThread work state=GIL: [0, 1]",
            "2 70/MainThread work state=on CPU: [2, 2]",
        ]
    );
    let values: Vec<_> = profile
        .values
        .iter()
        .map(|v| (&*v.kind, &*v.unit))
        .collect();
    assert_eq!(values, [("cpu", "samples"), ("wall", "samples")]);
    let leaf = profile.stacks.frame(profile.samples.get(0).stack).unwrap();
    let frame = profile.frames.get(leaf);
    assert_eq!((frame.line, frame.kind), (6, FrameKind::Python));
    assert_eq!(profile.function_of(leaf).start_line, 5);
    assert_eq!(profile.file_of(leaf), b"app.py");
    let meta = &profile.meta;
    assert_eq!(meta.start_ns, Some(1_800_000_000_001_000_000));
    assert_eq!(
        (meta.duration_ns, meta.cpu_ns),
        (Some(25_000_000), Some(40_000_000))
    );
    assert_eq!(
        (meta.clock.as_str(), meta.runtime.as_str()),
        ("cpu+wall", "CPython 3.11.7")
    );
    let ticks = meta.ticks.unwrap();
    assert_eq!((ticks.asked, ticks.delivered, ticks.dropped), (9, 8, 1));
    let slice = &profile.slices.0[1];
    assert_eq!((slice.length_ns, slice.ticks), (10_000_000, Some(3)));
    assert_eq!(
        (slice.cpu_ns, slice.wall_ns),
        (Some(14_000_000), Some(10_000_000))
    );
    let rejected = meta.sampler.iter().find(|(key, _)| key == "rejected");
    assert_eq!(rejected.unwrap().1, Attribute::Number(1));
    assert!(process.root && process.finished);
    assert_eq!(
        (process.counters.signals, process.ended.as_str()),
        (6, "exit")
    );
}

#[test]
fn a_mode_with_one_clock_has_one_value() {
    for (mode, kind, total) in [
        ("cpu", "cpu", 5),
        ("prof", "cpu", 5),
        ("virtual", "cpu", 5),
        ("wall", "wall", 9),
        ("real", "wall", 9),
    ] {
        let profile = recording(&Image::sample(1).with("mode", mode)).profile;
        assert_eq!(profile.values.len(), 1, "{mode}");
        assert_eq!(
            (profile.values[0].kind.as_str(), profile.total(0)),
            (kind, total)
        );
        assert_eq!(profile.meta.period.unwrap().of.kind, kind);
    }
}

#[test]
fn a_marker_is_a_frame_of_no_kind_and_may_have_no_function() {
    let mut image = Image::sample(1);
    image.frames.push([NONE, 0, 1]);
    image.nodes.push([0, 3]);
    image.rows = vec![([0, 0, 4, 0], [1, 1])];
    let profile = recording(&image).profile;
    let leaf = profile.stacks.frame(profile.samples.get(0).stack).unwrap();
    assert_eq!(profile.frames.get(leaf).kind, FrameKind::Unknown);
    assert_eq!(profile.name_of(leaf), b"[unknown]");
    assert_eq!(profile.functions.len(), 1, "what no sample has is gone");
}

#[test]
fn names_are_bytes() {
    let mut image = Image::sample(1).with("trigger_why", "100 % more\nthan the tick");
    image.strings[2] = b"caf\xe9.py".to_vec();
    let profile = recording(&image).profile;
    let leaf = profile.stacks.frame(profile.samples.get(0).stack).unwrap();
    assert_eq!(profile.file_of(leaf), b"caf\xe9.py");
    let process = recording(&image).process;
    assert_eq!(process.trigger_why, "100 % more\nthan the tick");
}

#[test]
fn processes_of_one_recording_share_slices() {
    // The child's slices are twice as long, and it began later.
    let mut child = Image::sample(80)
        .with("root", 0)
        .with("slice_ns", 20_000_000)
        .with("begin_ns", 20_000_000)
        .with("end_ns", 60_000_000);
    child.slices = vec![[0, 0, 0], [4, 30_000_000, 20_000_000], [2, 1, 20_000_000]];
    child.rows = vec![([1, 0, 2, 0], [4, 4]), ([2, 0, 2, 0], [2, 2])];
    let whole = joined(&[child, Image::sample(70)]);
    assert_eq!(whole.slices.runs(), 1);
    let slices: Vec<_> = (whole.slices.0.iter())
        .map(|s| {
            (
                s.length_ns,
                s.ticks.unwrap(),
                s.cpu_ns.unwrap(),
                s.wall_ns.unwrap(),
            )
        })
        .collect();
    assert_eq!(
        slices,
        [
            (20_000_000, 6, 26_000_000, 19_000_000),
            (20_000_000, 6, 44_000_000, 20_000_000),
            (20_000_000, 2, 1, 20_000_000),
        ]
    );
    assert_eq!(
        rows(&whole),
        [
            "0 70/MainThread work state=on CPU: [3, 3]",
            "0 70/io wait state=idle: [0, 3]",
            "1 70/MainThread work state=GIL: [0, 1]",
            "1 70/MainThread work state=on CPU: [2, 2]",
            "1 80/MainThread work state=on CPU: [4, 4]",
            "2 80/MainThread work state=on CPU: [2, 2]",
        ]
    );
    let meta = &whole.meta;
    assert_eq!(
        (meta.duration_ns, meta.cpu_ns),
        (Some(59_000_000), Some(80_000_000))
    );
    assert_eq!(meta.ticks.unwrap().delivered, 16);
    let number = |key: &str| {
        meta.sampler
            .iter()
            .find(|(k, _)| k == key)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(number("processes"), Attribute::Number(2));
    assert_eq!(number("rejected"), Attribute::Number(2));
}

#[test]
fn a_program_that_became_another_is_one_process() {
    let after = Image::sample(70).with("begin_ns", 26_000_000);
    let whole = joined(&[Image::sample(70).with("ended", "exec"), after]);
    let processes = whole
        .meta
        .sampler
        .iter()
        .find(|(key, _)| key == "processes");
    assert_eq!(processes.unwrap().1, Attribute::Number(1));
    // One after the other: times add up within a slice.
    assert_eq!(whole.slices.0[1].wall_ns, Some(20_000_000));
}

#[test]
fn stretches_in_which_nothing_was_sampled_yet_are_left_out() {
    let mut late = Image::sample(70).with("begin_ns", 40_000_000);
    for _ in 0..4 {
        late.slices.insert(0, [0, 0, 0]);
    }
    late.slices.push([0, 0, 0]);
    for (ids, _) in &mut late.rows {
        ids[0] += 4;
    }
    let whole = joined(&[late]);
    assert_eq!(whole.slices.len(), 3);
    assert_eq!(rows(&whole), rows(&joined(&[Image::sample(70)])));
}

#[test]
fn a_timeline_gives_samples_their_times() {
    let mut image = Image::sample(70);
    image.timeline = vec![
        (2_000_000, [0, 2, 0], [1, 1]),
        (9_000_000, [0, 2, 0], [1, 1]),
        (12_000_000, [1, 3, 2], [0, 3]),
        // The last one lies a moment behind the last slice.
        (31_000_000, [0, 2, 0], [1, 1]),
    ];
    let profile = recording(&image).profile;
    assert_eq!(
        rows(&profile),
        [
            // What the timeline has not: the two others of slice 2, and those that waited.
            "2 70/MainThread work state=GIL: [0, 1]",
            "2 70/MainThread work state=on CPU: [2, 2]",
            "0 70/MainThread work state=on CPU: [1, 1] at 1000000",
            "0 70/MainThread work state=on CPU: [1, 1] at 8000000",
            "1 70/io wait state=idle: [0, 3] at 11000000",
            "2 70/MainThread work state=on CPU: [1, 1] at 30000000",
        ]
    );
    let mut child = image.clone().with("root", 0).with("begin_ns", 2_000_000);
    child.timeline.truncate(1);
    let whole = joined(&[image.clone(), child]);
    assert_eq!(whole.total(0), 10);
    assert_eq!(
        whole.samples.iter().filter(|s| s.time_ns.is_some()).count(),
        5
    );
}

/// Looks and ticks come from different threads: each is in order, both together are not.
#[test]
fn a_timeline_may_be_in_any_order() {
    let mut image = Image::sample(70);
    image.timeline = vec![
        (2_000_000, [0, 2, 0], [1, 1]),
        (12_000_000, [1, 3, 2], [0, 3]),
        (21_000_000, [0, 2, 0], [1, 1]),
    ];
    let ordered = recording(&image);
    for order in [[0, 2, 1], [1, 0, 2], [2, 1, 0]] {
        let mut other = image.clone();
        other.timeline = order.map(|n| image.timeline[n]).to_vec();
        let other = recording(&other);
        assert_eq!(rows(&other.profile), rows(&ordered.profile), "{order:?}");
        assert_eq!(other.process.timeline_why, "");
    }
}

#[test]
fn a_broken_timeline_costs_the_times_and_not_the_samples() {
    let image = Image::sample(70);
    for (moment, why) in [
        ((2_000_000, [0, 2, 0], [1, 9]), "that the rows do not have"),
        ((2_000_000, [9, 2, 0], [1, 1]), "thread 9"),
        (
            (2_000_000, [0, 2, 0], [-1, 1]),
            "number of samples, found -1",
        ),
        ((u64::MAX, [0, 2, 0], [1, 1]), "a time within 64 bits"),
    ] {
        let mut broken = image.clone();
        broken.timeline = vec![(1_000_000, [0, 2, 0], [1, 1]), moment];
        let Recording { profile, process } = recording(&broken);
        assert!(
            process.timeline_why.contains(why),
            "{}",
            process.timeline_why
        );
        assert_eq!(rows(&profile), rows(&recording(&image).profile));
        broken.rows[0].0[1] = 2;
        assert!(refusal(&broken).contains("thread 2"));
    }
}

#[test]
fn contradictions_are_refused() {
    let broken = |change: fn(&mut Image)| {
        let mut image = Image::sample(1);
        change(&mut image);
        refusal(&image)
    };
    assert!(broken(|i| i.strings[0] = b"x".to_vec()).contains("empty first string"));
    assert!(broken(|i| i.functions[0][0] = 99).contains("string 99"));
    assert!(broken(|i| i.frames[1][0] = 3).contains("function 3, but there are 3"));
    assert!(broken(|i| i.frames[1][2] = 2).contains("kind of frame"));
    assert!(broken(|i| i.nodes[2][0] = 2).contains("earlier node 2"));
    assert!(broken(|i| i.nodes[2][1] = NONE).contains("frame 4294967295"));
    assert!(broken(|i| i.nodes[0][1] = 0).contains("first node"));
    assert!(broken(|i| i.threads[0][1] = 7).contains("string 7"));
    assert!(broken(|i| i.rows[0].0[0] = 3).contains("slice 3"));
    assert!(broken(|i| i.rows[0].0[1] = 2).contains("thread 2"));
    assert!(broken(|i| i.rows[0].0[2] = 4).contains("node 4"));
    assert!(broken(|i| i.rows[0].0[3] = 5).contains("state 5"));
    assert!(broken(|i| i.rows[0].1 = [-1, 0]).contains("number of samples, found -1"));
    assert!(broken(|i| i.rows[0].1 = [i64::MAX, 0]).contains("add up"));
    assert!(broken(|i| i.slices[0][0] = u64::MAX).contains("ticks of a slice"));
    assert!(broken(|i| *i = i.clone().with("version", 2)).contains("version 1"));
    assert!(broken(|i| *i = i.clone().with("slice_ns", 30_000_000)).contains("power of two"));
    assert!(broken(|i| *i = i.clone().with("slice_ns", 0)).contains("power of two"));
    assert!(broken(|i| *i = i.clone().with("mode", "warp")).contains("mode"));
    assert!(broken(|i| *i = i.clone().with("pid", "me")).contains("`pid`"));
    assert!(join(vec![]).is_err());
}

#[test]
fn a_process_that_was_refused_has_no_samples() {
    let image = Image {
        meta: Image::sample(5)
            .with("refused", "a free-threaded build")
            .meta,
        ..Image::default()
    };
    let Recording { profile, process } = recording(&image);
    assert!(profile.samples.is_empty());
    assert_eq!(process.refused, "a free-threaded build");
    assert_eq!(joined(&[image, Image::sample(6)]).total(0), 5);
}

#[test]
fn every_prefix_and_every_changed_byte_is_read_or_refused() {
    let mut image = Image::sample(70);
    image.timeline = vec![(2_000_000, [0, 2, 0], [1, 1])];
    let whole = image.bytes();
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "cut at {end}");
        // The same with a length that agrees.
        if end >= 16 {
            let mut cut = whole[..end].to_vec();
            cut[8..16].copy_from_slice(&(end as u64).to_le_bytes());
            drop(read(&cut));
        }
    }
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            if let Ok(recording) = read(&changed) {
                drop(join(vec![recording]));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_rows_are_read_or_refused(
        nodes in prop::collection::vec((0..6u32, 0..6u32), 0..6),
        rows in prop::collection::vec(((0..4u32, 0..3u32, 0..7u32, 0..6u32), (-1..9i64, 0..9i64)), 0..20),
        slice_ns in prop::sample::select(vec![0, 10_000_000u64, 20_000_000, 15_000_000, i64::MAX as u64, 1 << 62]),
    ) {
        let mut image = Image::sample(1).with("slice_ns", slice_ns);
        image.nodes.extend(nodes.iter().map(|(parent, frame)| [*parent, *frame]));
        image.rows = rows.iter().map(|((a, b, c, d), (cpu, wall))| ([*a, *b, *c, *d], [*cpu, *wall])).collect();
        if let Ok(recording) = read(&image.bytes()) {
            let total: i64 = rows.iter().map(|(_, (cpu, _))| cpu).sum();
            prop_assert_eq!(recording.profile.total(0), total);
            let other = read(&Image::sample(2).bytes()).unwrap();
            let whole = join(vec![recording, other]);
            prop_assert!(whole.is_err() || whole.unwrap().total(0) == total + 5);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut image = b"PLOPREC1".to_vec();
        image.extend((bytes.len() as u64 + 16).to_le_bytes());
        image.extend(&bytes);
        drop(read(&image));
        drop(read(&bytes));
    }
}
