//! Profiles made at random, for the laws, and where fixtures are found.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use plop_core::{
    Attribute, Frame, FrameKind, Function, LabelValue, Mapping, Period, Profile, Sample, Slice,
    SliceId, StackId, Thread, Ticks, ValueType,
};
use proptest::prelude::*;

/// The project's `testdata`.
pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

/// Every file below a folder that is a fixture: broken ones and dumps have folders of their own.
pub(crate) fn fixtures(format: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(testdata().join(format))
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

/// Names that have caused trouble somewhere, and any bytes.
fn name() -> BoxedStrategy<Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"main",
        b"<module>",
        b"f",
        b"None",
        b"a;b",
        b"two\nlines",
        b"cr\r",
        b" spaced ",
        b"worker 5",
        b"5",
        b"1.5",
        b"-3",
        b"call (x.py:7)",
        b"bare (x.py)",
        b"read_[k]",
        b"f_[i]",
        b"f_[j]_[i]",
        b"thread (12): main",
        b"thread (0x1f)",
        b"process 9",
        b"process 7:\"python app.py\"",
        b"it's",
        b"\"q\"",
        b"it's \"both\"",
        b"back\\slash",
        "modé".as_bytes(),
        "😀\u{85}\u{a0}\u{2028}".as_bytes(),
        b"\xff\xfe",
        b"\xef\xbb\xbfbom",
        b"\xed\xa0\x80",
        b"\xed\xb2\x80",
        b"\x1f\x8b",
        b"nul\0",
        b"tab\tbed",
        b"worker +4",
        b"worker 1e3",
        b"req 18446744073709551616",
        b"process 7:foo",
        b"7\tx",
        b"# austin: 3",
        b"coding: latin-1",
        b"goroutine profile: total",
        b"heap_v2/5",
        b"--- mutex:",
        b"samples/count",
        b"{(",
        b"[unknown]",
        b"ns::f<T>::{closure#0}",
        b"%41",
        b"0x1f",
        b"0x0",
        b"thread 12",
        b"plop {}",
        b"",
    ];
    prop_oneof![
        6 => proptest::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
        1 => "[a-z_]{1,8}".prop_map(String::into_bytes),
    ]
    .boxed()
}

fn text() -> impl Strategy<Value = String> {
    name().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        0i64..100,
        -5i64..0,
        Just(1i64 << 53),
        Just(1 << 33),
        Just(i64::MIN),
        Just(i64::MAX)
    ]
}

fn kind() -> impl Strategy<Value = FrameKind> {
    proptest::sample::select(FrameKind::ALL.map(|(kind, _)| kind).to_vec())
}

#[derive(Debug, Clone)]
struct AnyFrame {
    name: Vec<u8>,
    file: Vec<u8>,
    system: Vec<u8>,
    start_line: i64,
    line: i64,
    column: u32,
    address: u64,
    mapping: bool,
    inlined: bool,
    kind: FrameKind,
}

fn rarely<T: std::fmt::Debug + Clone + Default>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = T> {
    prop_oneof![3 => Just(T::default()), 1 => strategy]
}

fn frame() -> BoxedStrategy<AnyFrame> {
    (
        (
            name(),
            rarely(name()),
            rarely(name()),
            rarely(number()),
            rarely(number()),
        ),
        (
            rarely(any::<u32>()),
            rarely(any::<u64>()),
            rarely(any::<bool>()),
            rarely(any::<bool>()),
        ),
        prop_oneof![3 => Just(FrameKind::Unknown), 1 => kind()],
    )
        .prop_map(
            |(
                (name, file, system, start_line, line),
                (column, address, mapping, inlined),
                kind,
            )| {
                AnyFrame {
                    name,
                    file,
                    system,
                    start_line,
                    line,
                    column,
                    address,
                    mapping,
                    inlined,
                    kind,
                }
            },
        )
        .boxed()
}

#[derive(Debug, Clone)]
struct AnySample {
    stack: Vec<usize>,
    values: [i64; 3],
    thread: Option<usize>,
    labels: Option<usize>,
    slice: Option<usize>,
    /// How long after the sample before it was taken, if the profile has times.
    after_ns: Option<i64>,
}

fn sample() -> impl Strategy<Value = AnySample> {
    let value = || prop_oneof![4 => 0i64..1000, 1 => -50i64..0, 1 => Just(1i64 << 40)];
    (
        proptest::collection::vec(0usize..100, 0..6),
        [value(), value(), value()],
        proptest::option::of(0usize..4),
        proptest::option::of(0usize..4),
        proptest::option::of(0usize..4),
        proptest::option::weighted(0.9, 0i64..3),
    )
        .prop_map(
            |(stack, values, thread, labels, slice, after_ns)| AnySample {
                stack,
                values,
                thread,
                labels,
                slice,
                after_ns,
            },
        )
}

fn value_type() -> impl Strategy<Value = ValueType> {
    let kind = prop_oneof![
        Just("samples".to_owned()),
        Just("cpu".into()),
        Just("wall".into()),
        text()
    ];
    let unit = prop_oneof![Just("count".to_owned()), Just("nanoseconds".into()), text()];
    (kind, unit, rarely(0u8..7)).prop_map(|(kind, unit, scale)| ValueType { kind, unit, scale })
}

fn attribute() -> impl Strategy<Value = (String, Attribute)> {
    let value = prop_oneof![
        text().prop_map(Attribute::Text),
        number().prop_map(Attribute::Number),
        Just(Attribute::Json("[1.50,null,\"x\"]".into())),
        Just(Attribute::Json("{\"a\":{\"b\":true}}".into())),
    ];
    (text(), value)
}

fn unique<T>(list: Vec<(String, T)>) -> Vec<(String, T)> {
    let mut seen = Vec::new();
    list.into_iter()
        .filter(|(key, _)| {
            let new = !seen.contains(key);
            seen.push(key.clone());
            new
        })
        .collect()
}

/// A profile that uses whatever a profile can hold.
pub(crate) fn profile() -> BoxedStrategy<Profile> {
    let tables = (
        proptest::collection::vec(frame(), 1..8),
        proptest::collection::vec(value_type(), 1..4),
        proptest::collection::vec((rarely(number()), number(), name()), 1..4),
        proptest::collection::vec(
            proptest::collection::vec(
                (
                    name(),
                    prop_oneof![name().prop_map(Err), (number(), name()).prop_map(Ok),],
                ),
                1..3,
            ),
            1..4,
        ),
    );
    let counter = || proptest::option::of(number());
    let slices = proptest::collection::vec(
        (
            0u32..3,
            rarely(number()),
            counter(),
            counter(),
            counter(),
            counter(),
        ),
        0..4,
    );
    let attributes =
        || rarely(proptest::collection::vec(attribute(), 0..3).prop_map(unique)).boxed();
    let texts = || rarely(proptest::collection::vec(text(), 0..3)).boxed();
    let meta = (
        (
            rarely(text()),
            counter(),
            counter(),
            rarely(text()),
            counter(),
            counter(),
        ),
        proptest::option::of((value_type(), number())),
        proptest::option::of((number(), number(), number())),
        (attributes(), attributes(), attributes()),
        (
            texts(),
            texts(),
            texts(),
            rarely(text()),
            rarely(text()),
            rarely(text()),
            rarely(text()),
        ),
    );
    let plain = any::<[bool; 6]>();
    (
        tables,
        proptest::collection::vec(sample(), 0..12),
        slices,
        meta,
        plain,
        0usize..3,
    )
        .prop_map(
            |((frames, mut values, threads, labels), samples, slices, meta, plain, default)| {
                // Without some of the columns in most profiles, every format would always lose something.
                let [no_threads, no_labels, no_slices, no_meta, no_times, even] = plain;
                for n in (0..values.len()).rev() {
                    if values[..n]
                        .iter()
                        .any(|value| value.same_quantity(&values[n]))
                    {
                        values.remove(n);
                    }
                }
                let stride = values.len();
                let mut profile = Profile::new(values);
                profile.default_value = default % stride;
                let file = profile.strings.intern(b"libx.so");
                let build_id = profile.strings.intern(b"ab12");
                let mapping = profile.mappings.intern(Mapping {
                    file,
                    build_id,
                    start: 4096,
                    limit: 8192,
                    offset: 16,
                });
                let frames: Vec<_> = frames
                    .iter()
                    .map(|frame| {
                        let name = profile.strings.intern(&frame.name);
                        let file = profile.strings.intern(&frame.file);
                        let system_name = profile.strings.intern(&frame.system);
                        let function = profile.functions.intern(Function {
                            name,
                            system_name,
                            file,
                            start_line: frame.start_line,
                        });
                        profile.frames.intern(Frame {
                            function,
                            line: frame.line,
                            column: frame.column,
                            address: frame.address,
                            mapping: frame.mapping.then_some(mapping),
                            inlined: frame.inlined,
                            kind: frame.kind,
                        })
                    })
                    .collect();
                let threads: Vec<_> = threads
                    .iter()
                    .map(|(pid, tid, name)| {
                        let name = profile.strings.intern(name);
                        profile.threads.intern(Thread {
                            pid: *pid,
                            tid: *tid,
                            name,
                        })
                    })
                    .collect();
                let labels: Vec<_> = labels
                    .into_iter()
                    .map(|set| {
                        let set = set
                            .into_iter()
                            .map(|(key, value)| {
                                let key = profile.strings.intern(&key);
                                let value = match value {
                                    Ok((number, unit)) => {
                                        LabelValue::Number(number, profile.strings.intern(&unit))
                                    }
                                    Err(text) => LabelValue::Text(profile.strings.intern(&text)),
                                };
                                (key, value)
                            })
                            .collect();
                        profile.label_sets.intern(set)
                    })
                    .collect();
                if !no_slices {
                    for (run, length_ns, ticks, cpu_ns, wall_ns, work) in slices {
                        let work = work
                            .map(|amount| vec![("requests".to_owned(), amount)])
                            .unwrap_or_default();
                        profile.slices.0.push(Slice {
                            run,
                            length_ns,
                            ticks,
                            cpu_ns,
                            wall_ns,
                            work,
                        });
                    }
                }
                let mut now = 0;
                for sample in samples {
                    // Half of the times, each sample follows the one before it without a gap.
                    let after = match even {
                        true => sample.after_ns.map(|_| sample.values[0].max(0)),
                        false => sample.after_ns,
                    };
                    let time_ns = after.filter(|_| !no_times).map(|_| now);
                    now += after.unwrap_or(0);
                    let stacks = &mut profile.stacks;
                    let stack = (sample.stack.iter()).fold(StackId::ROOT, |at, n| {
                        stacks.push(at, frames[n % frames.len()])
                    });
                    let slices = profile.slices.len();
                    profile.samples.push(Sample {
                        thread: sample
                            .thread
                            .filter(|_| !no_threads)
                            .map(|n| threads[n % threads.len()]),
                        labels: sample
                            .labels
                            .filter(|_| !no_labels)
                            .map(|n| labels[n % labels.len()]),
                        slice: sample
                            .slice
                            .filter(|_| slices > 0)
                            .map(|n| SliceId::new(n % slices)),
                        time_ns,
                        ..Sample::of(stack, &sample.values[..stride])
                    });
                }
                if !no_meta {
                    let ((name, start, duration, clock, cpu, wall), period, ticks, lists, texts) =
                        meta;
                    let m = &mut profile.meta;
                    (m.name, m.start_ns, m.duration_ns) = (name, start, duration);
                    (m.clock, m.cpu_ns, m.wall_ns) = (clock, cpu, wall);
                    m.period = period.map(|(of, every)| Period {
                        of: ValueType { scale: 0, ..of },
                        every,
                    });
                    m.ticks = ticks.map(|(asked, delivered, dropped)| Ticks {
                        asked,
                        delivered,
                        dropped,
                    });
                    (m.host, m.build, m.extra) = lists;
                    m.sampler = m.build.iter().rev().cloned().collect();
                    (m.command, m.prefixes, m.comments) = (texts.0, texts.1, texts.2);
                    (m.runtime, m.drop_frames, m.keep_frames, m.doc_url) =
                        (texts.3, texts.4, texts.5, texts.6);
                    m.work = ticks
                        .map(|(asked, ..)| vec![("requests".to_owned(), asked)])
                        .unwrap_or_default();
                }
                let profile = profile.compact();
                profile
                    .check()
                    .expect("a made-up profile keeps the invariants");
                profile
            },
        )
        .boxed()
}
