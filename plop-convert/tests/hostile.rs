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
    formats()
        .iter()
        .copied()
        .filter(|format| format.read.is_some())
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
