//! Inputs made by hand: what the recorded fixtures do not show.

use plop_core::{Attribute, LabelValue, Notes, Profile};

use super::*;
use crate::head::Head;

fn load(bytes: &[u8]) -> (Profile, Notes) {
    assert_eq!(detect(&Head::of(bytes)), Confidence::Certain);
    let mut notes = Notes::new();
    let mut profiles = read(bytes, &ReadOptions::default(), &mut notes).unwrap();
    profiles[0].check().unwrap();
    (profiles.remove(0), notes)
}

fn refusal(bytes: &[u8]) -> String {
    match read(bytes, &ReadOptions::default(), &mut Notes::new()) {
        Ok(_) => panic!("it was read"),
        Err(error) => error.to_string(),
    }
}

/// The samples in words: the names of the frames from the root, then the values.
fn samples(profile: &Profile) -> Vec<String> {
    (profile.samples.iter())
        .map(|sample| {
            let mut names: Vec<_> = (profile.stacks.frames(sample.stack))
                .map(|frame| String::from_utf8_lossy(profile.name_of(frame)))
                .collect();
            names.reverse();
            format!("{} = {:?}", names.join(" "), sample.values)
        })
        .collect()
}

/// Words in each of the four ways of writing them.
fn in_all_ways(words: &[u64]) -> [Vec<u8>; 4] {
    let small = |n: &u64| u32::try_from(*n).unwrap();
    [
        words.iter().flat_map(|n| small(n).to_le_bytes()).collect(),
        words.iter().flat_map(|n| small(n).to_be_bytes()).collect(),
        words.iter().flat_map(|n| n.to_le_bytes()).collect(),
        words.iter().flat_map(|n| n.to_be_bytes()).collect(),
    ]
}

#[test]
fn cpu_profiles_are_read_in_both_word_sizes_and_byte_orders() {
    let words = [
        0, 3, 0, 10_000, 0, // header
        7, 3, 0x1000, 0x2001, 0x3001, // a leaf and two callers
        2, 1, 0x1008, // a leaf
        0, 1, 0, // the end
    ];
    for mut bytes in in_all_ways(&words) {
        bytes.extend_from_slice(b"1000-4000 r-xp 00000000 0:0 0 /bin/prog\n");
        let (profile, notes) = load(&bytes);
        assert_eq!(
            samples(&profile),
            [
                "0x3000 0x2000 0x1000 = [7, 70000000]",
                "0x1008 = [2, 20000000]"
            ]
        );
        assert!(notes.is_empty());
        assert_eq!(profile.meta.period.as_ref().unwrap().every, 10_000_000);
        assert_eq!(profile.default_value, 1);
        let (_, frame) = profile.frames.iter().next().unwrap();
        let mapping = profile.mappings.get(frame.mapping.unwrap());
        assert_eq!(profile.strings.get(mapping.file), b"/bin/prog");
    }
}

#[test]
fn frames_of_the_handler_and_leaves_that_stand_twice_are_taken_off() {
    let words = [
        0, 3, 0, 1000, 0, //
        1, 5, 0x10, 0x91, 0x81, 0x21, 0x31, // two frames of the handler
        1, 5, 0x12, 0x91, 0x81, 0x12, 0x31, // the same, and the leaf again
        0, 1, 0,
    ];
    let [_, _, bytes, _] = in_all_ways(&words);
    let (profile, notes) = load(&bytes);
    assert_eq!(notes.count("handler-frame"), 4);
    assert_eq!(
        samples(&profile),
        ["0x30 0x20 0x10 = [1, 1000000]", "0x30 0x12 = [1, 1000000]"]
    );
}

#[test]
fn cpu_profiles_of_java_have_places_instead_of_addresses() {
    let words = [0, 3, 1, 1000, 0, 4, 2, 0x3, 0x5, 0, 1, 0];
    let [mut bytes, ..] = in_all_ways(&words);
    bytes.extend_from_slice(b"\n 0x3 a.B.c (B.java:7)\n");
    let (profile, _) = load(&bytes);
    assert_eq!(samples(&profile), ["0x5 a.B.c = [4, 4000000]"]);
    let addresses: Vec<_> = profile.frames.iter().map(|(_, f)| f.address).collect();
    assert_eq!(addresses, [5, 0]);
}

#[test]
fn cpu_profiles_that_are_cut_off_are_refused_or_noted() {
    let words = [0, 3, 0, 1000, 0, 1, 2, 0x10, 0x20, 0, 1, 0];
    let [_, _, bytes, _] = in_all_ways(&words);
    let (profile, notes) = load(&bytes[..9 * 8]);
    assert_eq!((profile.samples.len(), notes.count("no-end")), (1, 1));
    let message = refusal(&bytes[..8 * 8]);
    assert!(
        message.starts_with("byte 48: expected 2 addresses, found 1 words"),
        "{message}"
    );
    let message = refusal(&bytes[..9 * 8 + 3]);
    assert!(
        message.starts_with("byte 72: expected a whole stack"),
        "{message}"
    );
    let mut lying = words;
    lying[6] = u64::MAX;
    let message = refusal(&lying.map(u64::to_le_bytes).concat());
    assert!(
        message.contains("18446744073709551615 addresses"),
        "{message}"
    );
    let mut huge = words;
    huge[5] = u64::MAX / 2;
    let message = refusal(&huge.map(u64::to_le_bytes).concat());
    assert!(
        message.starts_with("byte 40: expected a time that fits"),
        "{message}"
    );
    huge[3] = u64::MAX;
    let message = refusal(&huge.map(u64::to_le_bytes).concat());
    assert!(
        message.starts_with("byte 24: expected a sampling period"),
        "{message}"
    );
}

#[test]
fn the_header_says_what_a_heap_profile_shows() {
    let of = |header: &str, line: &str| {
        let text = format!("heap profile: {header}\n{line}\nMAPPED_LIBRARIES:\n");
        let (profile, _) = load(text.as_bytes());
        let values: Vec<_> = profile
            .values
            .iter()
            .map(|value| value.kind.clone())
            .collect();
        let labels = profile.samples.get(0).labels.unwrap();
        let label = profile.label_sets.get(labels)[0].1;
        assert!(matches!(label, LabelValue::Number(512, _)), "{label:?}");
        let period = profile
            .meta
            .period
            .as_ref()
            .map_or(0, |period| period.every);
        (values.join(" "), samples(&profile).join(""), period)
    };
    let line = "2: 1024 [ 4: 8192] @ 0x11";
    let all = "alloc_objects alloc_space inuse_objects inuse_space";
    let cases = [
        (
            "2: 1024 [4: 8192] @ heapprofile",
            all,
            "0x10 = [4, 8192, 2, 1024]",
            1,
        ),
        // 1 - exp(-512/512) of them were recorded.
        (
            "2: 1024 [2: 1024] @ heap_v2/512",
            "objects space",
            "0x10 = [3, 1619]",
            512,
        ),
        (
            "2: 1024 [2: 1024] @ heap/1024",
            "objects space",
            "0x10 = [3, 1619]",
            512,
        ),
        (
            "2: 1024 [0: 0] @ heapz_v2/1",
            "objects space",
            "0x10 = [2, 1024]",
            1,
        ),
        (
            "2: 1024 [0: 0] @ heapz_v2/",
            "objects space",
            "0x10 = [2, 1024]",
            0,
        ),
        (
            "2: 1024 [4: 8192] @ growthz",
            "objects space",
            "0x10 = [2, 1024]",
            1,
        ),
        (
            "2: 1024 [4: 8192] @ fragmentation",
            "objects space",
            "0x10 = [2, 1024]",
            1,
        ),
    ];
    for (header, values, sample, period) in cases {
        let expected = (values.to_owned(), sample.to_owned(), period);
        assert_eq!(of(header, line), expected, "{header}");
    }
}

#[test]
fn values_below_zero_are_kept_and_impossible_ones_refused() {
    let text = |line: &str| format!("heap profile: 1: 1 [1: 1] @ heap_v2/512\n{line} @ 0x11\n");
    let (profile, _) = load(text("-1: -512 [0: 0]").as_bytes());
    assert_eq!(samples(&profile), ["0x10 = [-1, -809]"]);
    let message = refusal(text("0: 5 [0: 0]").as_bytes());
    assert!(
        message.starts_with("line 2: expected objects where there are bytes"),
        "{message}"
    );
    let message = refusal(text("99999999999999999999: 5 [0: 0]").as_bytes());
    assert!(message.contains("a whole number of 64 bits"), "{message}");
    let message = refusal(text("9223372036854775807: 1 [0: 0]").as_bytes());
    assert!(message.contains("sampling is accounted for"), "{message}");
    let message = refusal(b"heap profile: 1: 1 [1: 1] @ heapy\n");
    assert!(message.starts_with("line 1: expected `heap`"), "{message}");
}

#[test]
fn comments_name_frames_and_change_no_stack() {
    let text = "\
        goroutine profile: total 3\n\
        2 @ 0x11 0x21 0x31\n\
        # labels: {\"pool\":\"a; \\\"b\\\"\", \"n\":\"\\u00e9\\x41\"}\n\
        #\t0x10\tmain.(*T).work+0x10\t/app/main.go:7\n\
        #\t0x20\tmain.main+0x1\t\t/app/main.go:9\n\
        #\t0x30\n\
        \n\
        1 @ 0x21\n\
        #\t0x20\tmain.other+0x1\t/app/main.go:9\n";
    let (profile, notes) = load(text.as_bytes());
    assert_eq!(
        samples(&profile),
        ["0x30 0x20 main.(*T).work = [2]", "0x20 = [1]"]
    );
    assert_eq!(notes.count("two-names"), 1);
    let leaf = profile
        .stacks
        .frames(profile.samples.get(0).stack)
        .next()
        .unwrap();
    let frame = profile.frames.get(leaf);
    assert_eq!((frame.address, frame.line), (0x10, 7));
    assert_eq!(profile.file_of(leaf), b"/app/main.go");
    let set = profile
        .label_sets
        .get(profile.samples.get(0).labels.unwrap());
    let texts: Vec<_> = (set.iter())
        .map(|(key, value)| match value {
            LabelValue::Text(text) => (profile.strings.get(*key), profile.strings.get(*text)),
            LabelValue::Number(..) => panic!("a number"),
        })
        .collect();
    assert_eq!(
        texts,
        [(&b"pool"[..], &b"a; \"b\""[..]), (b"n", "éA".as_bytes())]
    );
}

#[test]
fn contention_is_unsampled_and_told_in_nanoseconds() {
    let text = "--- contentionz 1 ---\ncycles/second = 2000000000\nsampling period = 100\n\
                ms since reset = 7\ndiscarded samples = 0\n  50 3 @ 0x11 0x21\n";
    let (profile, _) = load(text.as_bytes());
    assert_eq!(samples(&profile), ["0x20 0x10 = [300, 2500]"]);
    assert_eq!(profile.meta.duration_ns, Some(7_000_000));
    let (profile, _) = load(b"--- mutex:\n5 3 @ 0x11\n");
    assert_eq!(samples(&profile), ["0x10 = [3, 5]"]);
    let message = refusal(b"--- mutex:\nformat = go\n");
    assert!(
        message.starts_with("line 2: expected `cycles/second`"),
        "{message}"
    );
}

#[test]
fn threads_like_the_one_before_count_for_it() {
    let text = "--- threadz 1 ---\n\n\
                --- Thread 7e (name: main/1) stack: ---\n  PC: 0x11: f\n  0x21: g\n\
                --- Thread 7f (name: a/2) stack: ---\n  [same as previous thread]\n\
                --- Memory map: ---\n  10-30: /bin/prog\n";
    let (profile, _) = load(text.as_bytes());
    assert_eq!(samples(&profile), ["g f = [2]"]);
    let addresses: Vec<_> = profile.frames.iter().map(|(_, f)| f.address).collect();
    assert_eq!(addresses, [0x20, 0x11]);
}

#[test]
fn jemalloc_is_read_by_its_sums_of_all_threads() {
    let text = "heap_v2/512\n  t*: 3: 1024 [0: 0]\n  t0: 3: 1024 [0: 0]\n\
                @ 0x11 0x21\n  t*: 2: 1024 [0: 0]\n  t0: 2: 1024 [0: 0] worker\n\
                @ 0x31\n\nMAPPED_LIBRARIES:\n10-30 r-xp 00000000 0:0 0 /bin/prog\n";
    let (profile, notes) = load(text.as_bytes());
    assert_eq!(samples(&profile), ["0x20 0x10 = [3, 1619]"]);
    assert_eq!(notes.count("thread-shares"), 1);
    assert_eq!(notes.count("bad-line"), 1);
}

#[test]
fn symbols_before_a_profile_name_its_frames() {
    let [_, _, words, _] = in_all_ways(&[0, 3, 0, 1, 0, 4, 2, 0x10, 0x20, 1, 1, 0x20]);
    let symbols = b"--- symbol\nbinary=./prog\n0x10 leaf<0000000000000008>--inlined\n0x20 main\n\
                    ---\n--- profile\n";
    let (profile, notes) = load(&[&symbols[..], &words].concat());
    assert_eq!(samples(&profile), ["main leaf inlined = [4]", "main = [1]"]);
    assert!(notes.is_empty() && profile.meta.period.is_none());
    let binary = ("binary".to_owned(), Attribute::Text("./prog".into()));
    assert_eq!(profile.meta.extra, [binary]);
    let inlined: Vec<_> = profile.frames.iter().map(|(_, f)| f.inlined).collect();
    assert_eq!(inlined, [false, false, true]);
    let heap = b"heap profile: 1: 1 [1: 1] @ heapprofile\n1: 1 [1: 1] @ 0x11\n";
    let (profile, _) = load(&[&symbols[..], heap].concat());
    assert_eq!(samples(&profile), ["leaf inlined = [1, 1]"]);
}

#[test]
fn folded_stacks_are_not_taken_for_counts() {
    let of = |text: &str| detect(&Head::of(text.as_bytes()));
    assert_eq!(of("goroutine profile: total 5\n"), Confidence::Certain);
    assert_eq!(of("goroutine profile: total 5\nmain;f 3\n"), Confidence::No);
    assert_eq!(of(" goroutine profile: total 5\n"), Confidence::No);
    assert_eq!(of("a goroutine profile: total 5\n"), Confidence::No);
    assert_eq!(of("--- mutex: 5\n"), Confidence::No);
    assert_eq!(of("--- contentionz 1 --- 5\n"), Confidence::No);
    assert_eq!(of("heap profile: 1: 1 [1: 1] @ heap 5\n"), Confidence::No);
    assert_eq!(of("heap_v2/5 3\n"), Confidence::No);
    assert_eq!(of("heap_v2/5\nt*: 1: 2 [3: 4] 5\n"), Confidence::No);
    assert!(super::super::folded::is_trap(b"goroutine profile: total 5"));
}
