//! Whatever the bytes: an error with a place or a profile, never a panic, never without bound.
//!
//! Small fixtures are cut at every byte and changed at every byte, for every format that reads; and
//! whatever a format reads from them keeps the invariants and can be written by every other.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::io::Read as _;

use plop_convert::{Format, ReadOptions, find, formats, read};
use plop_core::{Features, Notes, Profile};

/// Reads bytes as a format, or as what they turn out to be; a profile that comes out must be sound.
fn try_read(bytes: &[u8], from: Option<&'static Format>) -> Option<Vec<Profile>> {
    let options = ReadOptions {
        max_inflated: 16 << 20,
        ..ReadOptions::default()
    };
    match read(bytes, from, &options) {
        Ok(loaded) => {
            for profile in &loaded.profiles {
                profile.check().unwrap();
            }
            Some(loaded.profiles)
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 1000, "{text}");
            None
        }
    }
}

/// A small piece of a fixture of a format: whole lines of it, or all of it.
fn small(format: &Format) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = support::fixtures(format.name)
        .iter()
        .map(|file| inflated(std::fs::read(file).unwrap()))
        .map(|bytes| {
            let end = bytes.iter().take(1200).rposition(|b| *b == b'\n');
            bytes[..end.map_or(bytes.len().min(1200), |n| n + 1)].to_vec()
        })
        .collect();
    pieces.sort();
    pieces.dedup();
    pieces.truncate(2);
    pieces.extend(made(format.name));
    pieces
}

/// Bytes without gzip around them: changing that shows nothing of the format.
fn inflated(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..])
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

/// The example that uses everything a profile can hold, in another format.
fn everything_as(format: &str) -> Vec<u8> {
    let example = include_bytes!("../../docs/examples/everything.plop");
    let loaded = read(example, find("plop"), &ReadOptions::default()).unwrap();
    let mut out = Vec::new();
    let format = find(format).unwrap();
    (format.write(&loaded.profiles, &mut out, &mut Notes::new())).unwrap();
    inflated(out)
}

/// What no fixture shows: a version 2 file with everything, every variant of a folded line.
fn made(format: &str) -> Option<Vec<u8>> {
    let text: &[u8] = match format {
        "plop" => include_bytes!("../../docs/examples/everything.plop"),
        "folded" => b"a;b 1\r\nthread (7): x;f (a.py:3)_[k]_[i] 2.5\n;; -3\n 4\n\xff\t5\n",
        "folded-diff" => b"a;b 1 2\nc 0 1.5\n",
        "pprof-legacy" => {
            b"--- symbol\nbinary=x\n0x10 f--g\n---\n--- profile\nheap profile: 2: 9 [3: 9] @ heap_v2/5\n\
              2: 9 [3: 9] @ 0x11 0x21\n#\t0x20\tmain+0x1\t/a.go:7\nMAPPED_LIBRARIES:\n\
              b=/x\n400000-500000 r-xp 00000000 fc:00 9 $b\n10-20 /y (@F) ab12\n"
        }
        "pprof" | "speedscope" => return Some(everything_as(format)),
        "folded-columns" => b"samples/count cpu/ns\na;b 1 2\nc 0 -5\n",
        _ => return None,
    };
    Some(text.to_vec())
}

/// Formats that can write values below zero, as the inputs here have them.
fn writers() -> impl Iterator<Item = &'static Format> {
    let keeps = |format: &&Format| format.keeps.contains(Features::NEGATIVE);
    formats()
        .iter()
        .copied()
        .filter(|format| format.write.is_some())
        .filter(keeps)
}

fn readers() -> impl Iterator<Item = &'static Format> {
    formats().iter().copied().filter(|format| format.is_read())
}

#[test]
fn every_prefix_is_refused_or_read() {
    for format in readers() {
        for piece in small(format) {
            for cut in 0..piece.len() {
                try_read(&piece[..cut], Some(format));
                try_read(&piece[..cut], None);
            }
        }
    }
}

#[test]
fn every_changed_byte_is_refused_or_read() {
    for format in readers() {
        for mut piece in small(format) {
            for at in 0..piece.len() {
                let before = piece[at];
                for changed in [0, b'\n', b'9', b'\\', b'"', before ^ 0x80, before ^ 1] {
                    piece[at] = changed;
                    try_read(&piece, Some(format));
                }
                piece[at] = before;
            }
        }
    }
}

#[test]
fn whatever_is_read_can_be_written_by_every_format() {
    for format in readers() {
        for mut piece in small(format) {
            for at in (0..piece.len()).step_by(7) {
                let before = std::mem::replace(&mut piece[at], b';');
                for profile in try_read(&piece, Some(format)).into_iter().flatten() {
                    for writer in writers() {
                        let mut out = Vec::new();
                        let written = writer.write(
                            std::slice::from_ref(&profile),
                            &mut out,
                            &mut Notes::new(),
                        );
                        written.unwrap();
                    }
                }
                piece[at] = before;
            }
        }
    }
}

fn refused(bytes: &[u8], from: &str) -> String {
    match read(bytes, find(from), &ReadOptions::default()) {
        Ok(_) => panic!("{from} was read"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn sums_past_64_bits_are_refused_with_the_sum() {
    let max = i64::MAX;
    let message = refused(format!("a {max}\nb 1\n").as_bytes(), "folded");
    assert!(message.contains("9223372036854775808"), "{message}");
    let message = refused(format!("{{((('f',1,'g'),),): {max}}}").as_bytes(), "plop");
    assert!(message.contains("column"), "{message}");
    let message = refused(
        format!("{{(('f',1,'g'),): {max}, (('f',2,'g'),): 1}}").as_bytes(),
        "plop",
    );
    assert!(message.contains("9223372036854775808"), "{message}");
    let message = refused(b"a 1\nb 9223372036854775808\n", "folded");
    assert!(
        message.starts_with("folded: line 2: expected a count that fits 64 bits"),
        "{message}"
    );
    let message = refused(b"a 1e3\n", "folded");
    assert!(
        message.contains("line 1") && message.contains("`1e3`"),
        "{message}"
    );
}

#[test]
fn the_ends_of_64_bits_survive_every_writer() {
    let text = format!("a;b {}\nc -1\n", i64::MAX - 1);
    let profiles = try_read(text.as_bytes(), find("folded")).unwrap();
    for format in writers() {
        let mut out = Vec::new();
        format
            .write(&profiles, &mut out, &mut Notes::new())
            .unwrap();
        let back = try_read(&out, Some(format)).unwrap();
        let value = back[0].default_value;
        assert_eq!(back[0].total(value), i64::MAX - 2, "{}", format.name);
    }
}

#[test]
fn a_stack_of_a_million_frames_goes_through_every_format() {
    let mut text = "f;g;".repeat(500_000);
    text.truncate(text.len() - 1);
    text += " 7\n";
    let profiles = try_read(text.as_bytes(), None).unwrap();
    let profile = &profiles[0];
    assert_eq!(profile.stacks.depths().into_iter().max(), Some(1_000_000));
    for format in writers() {
        let mut out = Vec::new();
        format
            .write(&profiles, &mut out, &mut Notes::new())
            .unwrap();
        let back = try_read(&out, None).unwrap();
        assert_eq!(back[0].stacks.len(), 1_000_001, "{}", format.name);
    }
    assert_eq!(
        profile
            .by_function(0)
            .iter()
            .map(|m| m.total)
            .collect::<Vec<_>>(),
        [7, 7]
    );
    let f = profile.frames_where(|name| name == b"f");
    assert_eq!(profile.clone().hide(&f).fold_recursion().stacks.len(), 2);
    assert_eq!(profile.clone().show_from(&f).stacks.len(), 1_000_001);
    assert_eq!(
        profile.clone().escaped().unescaped().stacks.len(),
        1_000_001
    );
}

#[test]
fn a_million_children_of_one_caller_take_no_quadratic_time() {
    let mut text = String::new();
    for n in 0..1_000_000u64 {
        writeln!(text, "root;f{} 1", n * 7919 % 1_000_000).unwrap();
    }
    let profiles = try_read(text.as_bytes(), find("folded")).unwrap();
    assert_eq!(profiles[0].stacks.len(), 1_000_002);
}

#[test]
fn a_hundred_thousand_duplicates_take_no_quadratic_time() {
    let text = format!("{{{}}}", "(('f', None, 'g'),): 1,\n".repeat(100_000));
    let loaded = read(text.as_bytes(), None, &ReadOptions::default()).unwrap();
    assert_eq!(loaded.notes.count("duplicate-stack"), 99_999);
    assert_eq!(loaded.profiles[0].total(0), 1);
    let options = ReadOptions {
        sum_duplicates: true,
        ..ReadOptions::default()
    };
    let loaded = read(text.as_bytes(), None, &options).unwrap();
    assert_eq!(loaded.profiles[0].total(0), 100_000);
}

#[test]
fn a_stack_too_deep_to_hold_is_refused_and_long_names_are_not() {
    let message = refused(&[&vec![b';'; 20 << 20][..], b" 1\n"].concat(), "folded");
    assert!(
        message.contains("line 1: a stack of more than 16777216 frames"),
        "{message}"
    );
    let long = [&vec![b'x'; 64 << 20][..], b" 1\n"].concat();
    let profiles = try_read(&long, find("folded")).unwrap();
    assert_eq!(profiles[0].functions.len(), 1);
}

/// A speedscope file with these samples and weights, of one frame `f`.
fn speedscope(samples: &str, weights: &str) -> String {
    format!(
        "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\
         \"shared\":{{\"frames\":[{{\"name\":\"f\"}}]}},\"profiles\":[{{\"type\":\"sampled\",\
         \"name\":\"p\",\"unit\":\"none\",\"startValue\":0,\"endValue\":1,\
         \"samples\":{samples},\"weights\":{weights}}}]}}"
    )
}

#[test]
fn numbers_that_are_none_are_refused_and_large_ones_kept() {
    for (weight, why) in [
        ("NaN", "expected value"),
        ("1e400", "does not fit"),
        ("-1e19", "does not fit"),
        ("9223372036854775808", "does not fit"),
        ("null", "found `null`"),
        ("[1]", "found `[1]`"),
    ] {
        let error = refused(
            speedscope("[[0]]", &format!("[{weight}]")).as_bytes(),
            "speedscope",
        );
        assert!(error.contains(why), "{weight}: {error}");
    }
    let odd = (1i64 << 53) + 1;
    for (weight, total) in [
        (odd.to_string(), odd),
        (format!("-{odd}"), -odd),
        ("1e3".into(), 1000),
    ] {
        let text = speedscope("[[0]]", &format!("[{weight}]"));
        let loaded = read(text.as_bytes(), None, &ReadOptions::default()).unwrap();
        assert_eq!(loaded.profiles[0].total(0), total);
        for writer in writers() {
            let mut out = Vec::new();
            writer
                .write(&loaded.profiles, &mut out, &mut Notes::new())
                .unwrap();
            let back = read(&out, Some(writer), &ReadOptions::default()).unwrap();
            let back = &back.profiles[0];
            assert_eq!(back.total(back.default_value), total, "{}", writer.name);
        }
    }
}

#[test]
fn json_a_hundred_thousand_deep_is_refused() {
    let deep = "[".repeat(100_000);
    for text in [
        speedscope(&deep, "[]"),
        speedscope("[]", &deep),
        format!(
            "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"x\":{deep}"
        ),
        format!("{{\"plop\":{deep}"),
    ] {
        refused(text.as_bytes(), "speedscope");
    }
}

#[test]
fn frames_that_no_list_can_have_are_refused() {
    for frame in ["4294967295", "4294967296", "1", "1e0"] {
        refused(
            speedscope(&format!("[[{frame}]]"), "[1]").as_bytes(),
            "speedscope",
        );
    }
}

/// One sample after the other of two stacks, as many as a day at 100 Hz has, and more.
#[test]
fn ten_million_samples_are_read() {
    const SAMPLES: usize = 10_000_000;
    // value_type, location and function 1 and 2, strings "", "a", "b"; then the samples.
    let mut pprof = vec![0x0a, 4, 8, 1, 16, 2];
    for id in [1, 2] {
        pprof.extend([0x22, 6, 8, id, 0x22, 2, 8, id, 0x2a, 4, 8, id, 16, id]);
    }
    pprof.extend(b"\x32\x00\x32\x01a\x32\x01b");
    let sample = [0x12, 4, 8, 1, 16, 3, 0x12, 6, 8, 1, 8, 2, 16, 3];
    pprof.extend(sample.repeat(SAMPLES / 2));
    let json = speedscope(
        &format!("[[0]{}]", ",[0]".repeat(SAMPLES - 1)),
        &format!("[3{}]", ",3".repeat(SAMPLES - 1)),
    );
    for bytes in [&pprof[..], json.as_bytes()] {
        let loaded = read(bytes, None, &ReadOptions::default()).unwrap();
        let profile = &loaded.profiles[0];
        assert_eq!(profile.samples.len(), SAMPLES);
        assert_eq!(profile.total(0), 3 * SAMPLES as i64);
        let mut out = Vec::new();
        find("folded")
            .unwrap()
            .write(&loaded.profiles, &mut out, &mut Notes::new())
            .unwrap();
        assert!(out.len() < 100);
    }
}

/// A pprof file field by field. Numbers are fields with a key of one byte.
#[derive(Default)]
struct Pprof(Vec<u8>);

impl Pprof {
    fn message(&mut self, field: u8, fields: &[(u8, u64)]) -> &mut Self {
        let mut message = Vec::new();
        for (field, number) in fields {
            message.push(field << 3);
            push_varint(*number, &mut message);
        }
        self.bytes(field, &message)
    }

    fn bytes(&mut self, field: u8, bytes: &[u8]) -> &mut Self {
        self.0.push(field << 3 | 2);
        push_varint(bytes.len() as u64, &mut self.0);
        self.0.extend_from_slice(bytes);
        self
    }
}

fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A pprof file in which `lines` lines make one location, and `samples` samples stand in it and in
/// another by turns.
fn pprof_of_lines(lines: usize, samples: usize) -> Vec<u8> {
    let mut file = Pprof::default();
    file.message(1, &[(1, 1), (2, 1)]);
    for id in [1, 2] {
        let mut location = vec![8, id];
        for line in 0..lines {
            let mut number = Vec::new();
            push_varint(line as u64 + 1, &mut number);
            location.extend([0x22, 3 + number.len() as u8, 8, 1, 16]);
            location.extend(number);
        }
        file.bytes(4, &location);
    }
    file.message(5, &[(1, 1), (2, 1)]);
    for n in 0..samples {
        file.message(2, &[(1, 1 + n as u64 % 2), (2, 1)]);
    }
    file.bytes(6, b"").bytes(6, b"f");
    file.0
}

#[test]
fn locations_of_many_lines_are_read_and_too_many_of_them_refused() {
    let profiles = try_read(&pprof_of_lines(1_000_000, 10), find("pprof")).unwrap();
    assert_eq!(profiles[0].stacks.len(), 1_000_001);
    let message = refused(&pprof_of_lines(100_000, 100_000), "pprof");
    assert!(message.contains("locations of many lines"), "{message}");
}

#[test]
fn symbols_of_many_functions_in_many_stacks_are_refused() {
    let mut text = String::from("--- symbol\n0x10 f");
    text += &"--f".repeat(100_000);
    text += "\n0x20 g\n---\n--- profile\nheap profile: 0: 0 [0: 0] @ heapprofile\n";
    for n in 0..100_000 {
        // Addresses become one less.
        writeln!(text, "1: 8 [1: 8] @ 0x21 0x11 {:#x}", n + 0x100).unwrap();
    }
    let message = refused(text.as_bytes(), "pprof-legacy");
    assert!(message.contains("symbols of many functions"), "{message}");
}

#[test]
fn samples_without_values_reserve_no_room_for_them() {
    let mut file = Pprof::default();
    for _ in 0..1_000_000 {
        file.bytes(1, b"");
    }
    for _ in 0..1_000_000 {
        file.bytes(2, b"");
    }
    file.bytes(6, b"");
    refused(&file.0, "pprof");
}

#[test]
fn a_hundred_thousand_value_types_take_no_quadratic_time() {
    let mut file = Pprof::default();
    for n in 0..100_000 {
        // Half of them are the same, the others are like the first one of the same renamed.
        file.message(1, &[(1, n % 2 * (n / 2 + 2)), (2, 1)]);
    }
    file.bytes(6, b"").bytes(6, b"u");
    for n in 0..50_000 {
        file.bytes(6, format!("_{}", n + 2).as_bytes());
    }
    let loaded = read(&file.0, find("pprof"), &ReadOptions::default()).unwrap();
    let profile = &loaded.profiles[0];
    profile.check().unwrap();
    assert_eq!(profile.values.len(), 100_000);
    for writer in ["pprof", "plop", "speedscope"] {
        let mut out = Vec::new();
        let written = find(writer)
            .unwrap()
            .write(&loaded.profiles, &mut out, &mut Notes::new());
        written.unwrap();
        let back = read(&out, find(writer), &ReadOptions::default()).unwrap();
        assert_eq!(back.profiles[0].values.len(), 100_000, "{writer}");
    }
}

#[test]
fn one_long_text_is_not_copied_for_every_use() {
    let long = vec![b'x'; 1 << 20];
    let mut comments = Pprof::default();
    comments.message(1, &[(1, 1), (2, 1)]);
    comments.bytes(13, &vec![1; 1_000_000]);
    comments.bytes(6, b"").bytes(6, &long);
    let message = refused(&comments.0, "pprof");
    assert!(message.contains("comments of at most"), "{message}");
    let mut types = Pprof::default();
    for _ in 0..100_000 {
        types.message(1, &[(1, 1), (2, 1)]);
    }
    types.bytes(6, b"").bytes(6, &long);
    let message = refused(&types.0, "pprof");
    assert!(message.contains("value types of at most"), "{message}");
    // Each of these takes its name, its file, its labels from one string.
    let mut uses = Pprof::default();
    uses.message(1, &[(1, 1), (2, 1)]);
    for id in 1..=1_000_000 {
        let label = [8, 1, 16, 1];
        let mut number = vec![8, 1, 24];
        push_varint(id, &mut number);
        let mut location = vec![];
        push_varint(id, &mut location);
        let mut sample = vec![10, location.len() as u8];
        sample.extend(&location);
        sample.extend([16, 1, 0x1a, 4]);
        sample.extend(label);
        sample.extend([0x1a, number.len() as u8]);
        sample.extend(number);
        uses.bytes(2, &sample);
        let mut line = vec![8];
        push_varint(id, &mut line);
        let mut row = vec![8];
        push_varint(id, &mut row);
        row.extend([0x22, line.len() as u8]);
        row.extend(line);
        uses.bytes(4, &row);
        uses.message(5, &[(1, id), (2, 1), (3, 1), (4, 1), (5, id)]);
    }
    uses.bytes(6, b"").bytes(6, &long);
    let profiles = try_read(&uses.0, find("pprof")).unwrap();
    assert_eq!(profiles[0].functions.len(), 1_000_000);
    assert_eq!(profiles[0].label_sets.len(), 1_000_000);
    let mut out = Vec::new();
    (find("pprof")
        .unwrap()
        .write(&profiles, &mut out, &mut Notes::new()))
    .unwrap();
}

#[test]
fn sparse_ids_and_empty_strings_by_the_million_are_read() {
    let mut file = Pprof::default();
    file.message(1, &[(1, 1), (2, 1)]);
    let id = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63;
    for n in 1..=1_000_000 {
        file.message(4, &[(1, id(n)), (3, n)]);
        file.message(2, &[(1, id(n)), (2, 1)]);
    }
    for _ in 0..10_000_000 {
        file.bytes(6, b"");
    }
    let profiles = try_read(&file.0, find("pprof")).unwrap();
    assert_eq!(profiles[0].frames.len(), 1_000_000);
}

#[test]
fn a_hundred_thousand_profiles_share_a_hundred_thousand_frames() {
    const COUNT: usize = 100_000;
    let mut text = String::from(
        "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"shared\":{\"frames\":[",
    );
    for n in 0..COUNT {
        write!(
            text,
            "{}{{\"name\":\"f{n}\"}}",
            if n > 0 { "," } else { "" }
        )
        .unwrap();
    }
    text += "]},\"profiles\":[";
    for n in 0..COUNT {
        let comma = if n > 0 { "," } else { "" };
        write!(
            text,
            "{comma}{{\"type\":\"sampled\",\"name\":\"Thread {n} \\\"a\\\"\",\"unit\":\"none\",\
             \"samples\":[[{n}]],\"weights\":[1]}}"
        )
        .unwrap();
    }
    text += "]}";
    let profiles = try_read(text.as_bytes(), None).unwrap();
    assert_eq!(profiles.len(), COUNT);
    assert_eq!(profiles[COUNT - 1].frames.len(), 1);
    // Names that all of them use have an end.
    let long = format!("\"name\":\"{}\"}}", "f".repeat(1 << 20));
    let text = (text.replace("\"name\":\"f0\"}", &long)).replace("[[", "[[0,");
    let message = refused(text.as_bytes(), "speedscope");
    assert!(
        message.contains("names that many profiles share"),
        "{message}"
    );
}

/// An evented file whose frames are entered one by one, a unit of time apart, and left at the end.
fn entered(depth: usize, frame: &str) -> String {
    let events = |kind: &'static str, open: bool| {
        (0..depth).map(move |n| {
            let at = if open { n } else { depth };
            format!("{{\"type\":\"{kind}\",\"frame\":{},\"at\":{at}}}", 0)
        })
    };
    let events: Vec<String> = events("O", true).chain(events("C", false)).collect();
    let events = events
        .join(",")
        .replacen("\"frame\":0", &format!("\"frame\":{frame}"), 1);
    format!(
        "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\
         \"shared\":{{\"frames\":[{{\"name\":\"f\"}}]}},\"profiles\":[{{\"type\":\"evented\",\
         \"name\":\"p\",\"unit\":\"none\",\"startValue\":0,\"endValue\":{depth},\
         \"events\":[{events}]}}]}}"
    )
}

#[test]
fn a_million_open_frames_are_read_and_one_that_is_not_there_is_refused() {
    let profiles = try_read(entered(1_000_000, "0").as_bytes(), None).unwrap();
    assert_eq!(profiles[0].samples.len(), 1_000_000);
    let mut text = entered(1_000_000, "0");
    let last = text.rfind("\"frame\":0,\"at\"").unwrap();
    text.replace_range(last..last + 9, "\"frame\":7");
    refused(text.as_bytes(), "speedscope");
    // The outermost frame, under which all samples stand.
    let text = text.replacen("\"frame\":0", "\"frame\":7", 1);
    let message = refused(text.as_bytes(), "speedscope");
    assert!(message.contains("profiles[0].events"), "{message}");
}

/// A speedscope file of `samples` samples with this note of plop's.
fn noted_in_speedscope(samples: usize, plop: &str) -> String {
    let list = |item: &str| format!("[{item}{}]", format!(",{item}").repeat(samples - 1));
    let text = speedscope(&list("[0]"), &list("1"));
    text.replacen("\"shared\"", &format!("\"plop\":{plop},\"shared\""), 1)
}

#[test]
fn what_plop_notes_in_speedscope_files_is_not_believed() {
    let many = |item: &str| format!("{item}{}", format!(",{item}").repeat(999_999));
    let values: Vec<String> = (0..100_000).map(|n| format!("[\"v{n}\",\"\"]")).collect();
    let values = values.join(",");
    let times = many("0");
    let told: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    for plop in [
        format!(
            "{{\"profiles\":[{}],\"sheets\":[[0,0,null,1]]}}",
            many("{}")
        ),
        format!(
            "{{\"profiles\":[{{}}],\"sheets\":[{}]}}",
            many("[0,0,null,1]")
        ),
        format!("{{\"profiles\":[{{}}],\"sheets\":[[0,0,null,1]],\"times\":[[{times}]]}}"),
        // Each sample is one of its own, with room for all values.
        format!(
            "{{\"profiles\":[{{\"values\":[{values}]}}],\"sheets\":[[0,0,null,1]],\
             \"times\":[[{}]]}}",
            told.join(",")
        ),
    ] {
        let text = noted_in_speedscope(100_000, &plop);
        let loaded = read(text.as_bytes(), None, &ReadOptions::default()).unwrap();
        assert_eq!(loaded.notes.count("rewritten"), 1);
        assert_eq!(loaded.profiles[0].total(0), 100_000);
    }
}

/// A `.plop` file with this header.
fn with_header(header: &str) -> String {
    format!("# plop 2 {header}\n{{}}\n")
}

#[test]
fn headers_with_the_same_key_over_and_over_take_no_quadratic_time() {
    let members = (0..100_000).map(|n| format!("\"k\":{n},\"name\":\"\",\"other_k{n}\":1"));
    let header = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    let profiles = try_read(with_header(&header).as_bytes(), find("plop")).unwrap();
    for format in ["plop", "pprof", "speedscope"] {
        let format = find(format).unwrap();
        let mut out = Vec::new();
        (format.write(&profiles, &mut out, &mut Notes::new())).unwrap();
        let back = try_read(&out, Some(format)).unwrap();
        assert_eq!(back[0].meta.extra.len(), 200_000, "{}", format.name);
    }
}

#[test]
fn slices_take_no_quadratic_time_and_names_of_counters_no_memory_without_end() {
    let slices = |counters: &[(String, usize)]| {
        let column = |n: usize| format!("[{}]", vec!["1"; n].join(","));
        let work = counters
            .iter()
            .map(|(name, n)| format!("\"{name}\":{}", column(*n)));
        let work = work.collect::<Vec<_>>().join(",");
        let run = vec!["0"; 100_000].join(",");
        with_header("") + &format!("# slices {{\"run\":[{run}],\"work\":{{{work}}}}}\n")
    };
    let empty: Vec<_> = (0..100_000).map(|n| (format!("c{n}"), 0)).collect();
    let profiles = try_read(slices(&empty).as_bytes(), find("plop")).unwrap();
    assert_eq!(profiles[0].slices.len(), 100_000);
    let long = slices(&[("c".repeat(1 << 20), 100_000)]);
    let message = refused(long.as_bytes(), "plop");
    assert!(message.contains("names of work counters"), "{message}");
    // As many counters as slices, and all of them told.
    let row = format!("[{}]", vec!["1"; 3000].join(","));
    let work: Vec<_> = (0..3000)
        .map(|n| format!("\"counter {n:5}\":{row}"))
        .collect();
    let text = with_header("") + &format!("# slices {{\"work\":{{{}}}}}\n", work.join(","));
    let profiles = try_read(text.as_bytes(), find("plop")).unwrap();
    let mut out = Vec::new();
    (find("plop")
        .unwrap()
        .write(&profiles, &mut out, &mut Notes::new()))
    .unwrap();
    let back = try_read(&out, find("plop")).unwrap();
    assert_eq!(back[0].slices, profiles[0].slices);
}

#[test]
fn a_million_addresses_are_found_in_a_hundred_thousand_binaries() {
    let mut text = String::from("heap profile: 0: 0 [0: 0] @ heapprofile\n");
    for n in 0..1_000_000u64 {
        writeln!(text, "1: 8 [1: 8] @ {:#x}", 0x10_0001 + n * 0x1_0000).unwrap();
    }
    text += "MAPPED_LIBRARIES:\n";
    for n in (0..100_000u64).rev() {
        let start = 0x10_0000 + n * 0x8_0000;
        let end = start + 0x1_0000;
        writeln!(text, "{start:x}-{end:x} r-xp 00000000 0:0 0 /lib/{n}.so").unwrap();
    }
    let profiles = try_read(text.as_bytes(), None).unwrap();
    let profile = &profiles[0];
    assert_eq!(profile.frames.len(), 1_000_000);
    // One address in eight lies in one of them, the others in the region of everything.
    let everything = profile
        .mappings
        .iter()
        .find(|(_, of)| of.limit == u64::MAX)
        .unwrap();
    let mapped = profile
        .frames
        .iter()
        .filter(|(_, frame)| frame.mapping != Some(everything.0));
    assert_eq!((mapped.count(), profile.mappings.len()), (100_000, 100_001));
}

#[test]
fn names_that_stand_for_long_texts_have_an_end() {
    let mut text = String::from("heap profile: 0: 0 [0: 0] @ heapprofile\nMAPPED_LIBRARIES:\n");
    writeln!(text, "a=/{}", "x".repeat(60_000)).unwrap();
    for n in 0..1_000_000 {
        writeln!(text, "{:x}-{:x} $a", 2 * n, 2 * n + 1).unwrap();
    }
    let loaded = read(text.as_bytes(), None, &ReadOptions::default()).unwrap();
    assert!(loaded.notes.count("bad-line") > 900_000);
}

#[test]
fn threads_by_the_hundred_thousand_go_through_every_format() {
    let mut text = String::new();
    for n in 0..100_000 {
        writeln!(text, "P1;T0:{};a.py:f:1 1", n + 1).unwrap();
    }
    let text = format!("# austin: 3.7.0\n# interval: 1\n# mode: wall\n\n{text}");
    let profiles = try_read(text.as_bytes(), find("austin")).unwrap();
    assert_eq!(profiles[0].threads.len(), 100_000);
    for format in ["pprof", "speedscope", "plop"] {
        let format = find(format).unwrap();
        let mut out = Vec::new();
        (format.write(&profiles, &mut out, &mut Notes::new())).unwrap();
        let back = try_read(&out, Some(format)).unwrap();
        assert_eq!(back[0].threads.len(), 100_000, "{}", format.name);
    }
}

#[test]
fn labels_named_like_those_of_plop_take_no_quadratic_time() {
    let mut file = Pprof::default();
    file.message(1, &[(1, 1), (2, 1)])
        .message(4, &[(1, 1), (3, 1)]);
    for n in 0..1_000_000u64 {
        let mut label = vec![8];
        push_varint(2 + n % 4000, &mut label);
        label.push(24);
        push_varint(n, &mut label);
        let mut sample = vec![10, 1, 1, 18, 1, 1, 26, label.len() as u8];
        sample.extend(label);
        file.bytes(2, &sample);
    }
    file.bytes(6, b"").bytes(6, b"x");
    for n in 0..4000 {
        file.bytes(6, format!("thread{}", "_".repeat(n)).as_bytes());
    }
    let profiles = try_read(&file.0, find("pprof")).unwrap();
    let mut out = Vec::new();
    (find("pprof")
        .unwrap()
        .write(&profiles, &mut out, &mut Notes::new()))
    .unwrap();
    let back = read(&out, None, &ReadOptions::default()).unwrap();
    assert_eq!(back.profiles[0].samples.len(), 1_000_000);
}

/// A check sum that fits and counts that do not, in plop's own note.
#[test]
fn what_plop_notes_in_pprof_files_is_not_believed() {
    let plain = everything_as("pprof");
    // As long as before, so that the length of the string stays right.
    let at = (plain.windows(8).position(|w| w == b"\"kinds\":")).unwrap();
    let mut changed = plain.clone();
    let digit = at + b"\"kinds\":[[\"unknown\",".len();
    assert_eq!(changed[digit], b'2');
    changed[digit] = b'9';
    let loaded = read(&changed, None, &ReadOptions::default()).unwrap();
    assert_eq!(loaded.notes.count("rewritten"), 1);
}

#[test]
fn nul_bytes_and_bytes_that_are_not_utf8_are_names() {
    let profiles = try_read(b"a\0b;\xff\xfe 3\n", None).unwrap();
    let mut out = Vec::new();
    find("folded")
        .unwrap()
        .write(&profiles, &mut out, &mut Notes::new())
        .unwrap();
    assert_eq!(out, b"a\0b;\xff\xfe 3\n");
}

#[test]
fn one_and_four_threads_read_the_same_and_write_the_same_bytes() {
    let mut text = String::new();
    for n in 0..170_000u64 {
        let frame = |k: u64| {
            format!(
                "a_function_with_a_long_name_{}",
                (n.wrapping_mul(2654435761) >> k) % 97
            )
        };
        let odd = if n % 5000 == 77 { "no count here" } else { "" };
        let weight = if n % 1000 == 3 { "2.25" } else { "3" };
        writeln!(
            text,
            "main;{};{};{} {weight}\n{odd}",
            frame(3),
            frame(9),
            frame(15)
        )
        .unwrap();
    }
    assert!(text.len() > 16 << 20, "too small to be cut in four");
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let loaded = read(text.as_bytes(), None, &ReadOptions::default()).unwrap();
            let written: Vec<Vec<u8>> = formats()
                .iter()
                .filter(|format| format.write.is_some())
                .map(|format| {
                    let mut out = Vec::new();
                    format
                        .write(&loaded.profiles, &mut out, &mut Notes::new())
                        .unwrap();
                    out
                })
                .collect();
            let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
            (
                written,
                notes,
                loaded.profiles[0].stacks.iter().collect::<Vec<_>>(),
            )
        })
    };
    let one = with(1);
    assert!(
        one.1[0].contains("34: lines without a count") && one.1[0].contains("line 156"),
        "{:?}",
        one.1
    );
    assert!(one == with(4));
    assert!(one == with(3));
}
