//! What is known of a run, as JSON: the header of a `.plop` file, and part of what plop notes for
//! itself in pprof and speedscope files.

use std::fmt::Write as _;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use plop_core::{
    Attribute, Attributes, Error, MAX_SCALE, Meta, Notes, Period, Place, Profile, Result, Thread,
    ThreadId, Ticks, ValueType,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{
    Members, Object, Text, attribute, of, one_line, plain, push_attribute, push_list, push_text,
};

/// The keys of the header that mean something to this version.
pub(super) const KNOWN_KEYS: [&str; 26] = [
    "build",
    "clock",
    "command",
    "comments",
    "cpu_ns",
    "default",
    "doc_url",
    "drop_frames",
    "duration_ns",
    "empty_stack",
    "host",
    "keep_frames",
    "lines",
    "mappings",
    "name",
    "period",
    "period_ns",
    "prefixes",
    "runtime",
    "sampler",
    "started",
    "threads",
    "ticks",
    "values",
    "wall_ns",
    "work",
];

/// What the first line says.
#[derive(Default)]
pub(super) struct Header {
    pub(super) values: Vec<ValueType>,
    /// Whether it says what the values are.
    pub(super) told_values: bool,
    pub(super) default_value: usize,
    pub(super) empty_stack: Option<(Text, i64, Text)>,
    /// Whether the dictionary's lines are those of definitions.
    pub(super) definition_lines: bool,
    /// Thread id, name, process id.
    pub(super) threads: Vec<ThreadRow>,
    /// File, build id, start, limit, offset.
    pub(super) mappings: Vec<(Text, Text, u64, u64, u64)>,
    pub(super) meta: Meta,
}

/// Reads the JSON of the first line, which begins at byte `start` of it.
pub(super) fn read(json: &[u8], start: usize, notes: &mut Notes) -> Result<Header> {
    let start = start + json.len() - json.trim_ascii_start().len();
    let broken = |error: serde_json::Error| {
        Error::new(format!("the header is not JSON: {}", plain(&error)))
            .at_line(1, (start + error.column()) as u64)
    };
    let json = match json.trim_ascii() {
        b"" => &b"{}"[..],
        json => json,
    };
    let Members(members) = serde_json::from_slice(json).map_err(broken)?;
    let mut header = Header {
        values: vec![ValueType::samples()],
        ..Header::default()
    };
    let (mut period_ns, mut unknown) = (None, 0);
    for (key, raw) in members {
        let known = header.member(&key, raw, &mut period_ns).map_err(|error| {
            Error::new(format!("header key `{key}`: {}", plain(&error))).at_line(1, 0)
        })?;
        if !known {
            unknown += u64::from(key != "capped");
            header.meta.extra.push((key, attribute(raw)));
        }
    }
    if let Some(value) = header.values.iter().find(|value| value.scale > MAX_SCALE) {
        let scale = value.scale.to_string();
        return Err(Error::expected("at most 18 decimal places in `values`", &scale).at_line(1, 0));
    }
    let replaced = || format!("{:?}", header.meta).contains(char::REPLACEMENT_CHARACTER);
    if json.windows(6).any(is_lone_byte) && replaced() {
        notes.add("not-utf8", None, || {
            "texts of the header that are not UTF-8 have U+FFFD where they are not".into()
        });
    }
    if header.values.is_empty() || header.default_value >= header.values.len() {
        return Err(Error::new(
            "header key `values`: there must be one, and the default among them",
        )
        .at_line(1, 0));
    }
    if let Some(every) = period_ns {
        let of = ValueType::new(&header.values[0].kind, "nanoseconds");
        header.meta.period = Some(Period { of, every });
    }
    if header.meta.extra.iter().any(|(key, _)| key == "capped") {
        notes.add("capped", None, || {
            "made from a file of which Plop kept only the heaviest stacks, so the total may be too small".into()
        });
    }
    if unknown > 0 {
        notes.add_many("unknown-key", unknown, None, || {
            "keys of the header that this version does not know are kept as they came".into()
        });
    }
    Ok(header)
}

impl Header {
    /// Takes in one key; says whether it is known.
    fn member(
        &mut self,
        key: &str,
        raw: &RawValue,
        period_ns: &mut Option<i64>,
    ) -> serde_json::Result<bool> {
        let meta = &mut self.meta;
        let text = || -> serde_json::Result<String> { Ok(of::<Text>(raw)?.lossy()) };
        let texts = || -> serde_json::Result<Vec<String>> {
            Ok(of::<Vec<Text>>(raw)?.iter().map(Text::lossy).collect())
        };
        match key {
            "values" => {
                self.told_values = true;
                let values: Vec<(Text, Text, u8)> = lists(raw)?;
                self.values = values
                    .into_iter()
                    .map(|(kind, unit, scale)| ValueType {
                        scale,
                        ..ValueType::new(&kind.lossy(), &unit.lossy())
                    })
                    .collect();
            }
            "default" => self.default_value = of(raw)?,
            "empty_stack" => self.empty_stack = Some(of(raw)?),
            "lines" => self.definition_lines = text()? == "definition",
            "threads" => self.threads = lists(raw)?,
            "mappings" => self.mappings = of(raw)?,
            "name" => meta.name = text()?,
            "clock" => meta.clock = text()?,
            "period_ns" => *period_ns = Some(of(raw)?),
            "period" => {
                let (kind, unit, every): (Text, Text, i64) = of(raw)?;
                let of = ValueType::new(&kind.lossy(), &unit.lossy());
                meta.period = Some(Period { of, every });
            }
            "started" => meta.start_ns = Some(started(&text()?)?),
            "duration_ns" => meta.duration_ns = of(raw)?,
            "cpu_ns" => meta.cpu_ns = of(raw)?,
            "wall_ns" => meta.wall_ns = of(raw)?,
            "ticks" => {
                let mut ticks = Ticks::default();
                let Members(members) = of(raw)?;
                for (key, raw) in members {
                    let count = match key.as_str() {
                        "asked" => &mut ticks.asked,
                        "delivered" => &mut ticks.delivered,
                        "dropped" => &mut ticks.dropped,
                        _ => {
                            meta.extra.push((format!("ticks.{key}"), attribute(raw)));
                            continue;
                        }
                    };
                    *count = of(raw)?;
                }
                meta.ticks = Some(ticks);
            }
            "work" => {
                let Members(counters) = of(raw)?;
                for (counter, amount) in counters {
                    meta.work.push((counter, of(amount)?));
                }
            }
            "command" => meta.command = texts()?,
            "prefixes" => meta.prefixes = texts()?,
            "comments" => meta.comments = texts()?,
            "runtime" => meta.runtime = text()?,
            "drop_frames" => meta.drop_frames = text()?,
            "keep_frames" => meta.keep_frames = text()?,
            "doc_url" => meta.doc_url = text()?,
            "sampler" => meta.sampler = attributes(raw)?,
            "host" => meta.host = attributes(raw)?,
            "build" => meta.build = attributes(raw)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Which of the things that another place may tell, too, the JSON has to tell.
pub(super) struct Needed {
    /// Start of the run.
    pub(super) start: bool,
    /// How long it lasted.
    pub(super) duration: bool,
    /// The distance between two samples.
    pub(super) period: bool,
    /// Value types and which is the default.
    pub(super) values: bool,
    /// Comments, pprof's expressions and the address of the documentation.
    pub(super) texts: bool,
}

impl Needed {
    /// Everything.
    pub(super) const ALL: Needed = Needed {
        start: true,
        duration: true,
        period: true,
        values: true,
        texts: true,
    };
}

/// Writes what is known of a run, apart from its threads and the keys of others.
pub(super) fn push(object: &mut Object, profile: &Profile, needed: &Needed) {
    let meta = &profile.meta;
    object.text("name", meta.name.as_bytes());
    object.text("clock", meta.clock.as_bytes());
    if let Some(period) = (meta.period.as_ref()).filter(|_| needed.period) {
        let in_ns = needed.values
            && period.of.unit == "nanoseconds"
            && period.of.kind == profile.values[0].kind;
        if in_ns && period.of.scale == 0 {
            object.number("period_ns", Some(period.every));
        } else {
            let out = object.key("period");
            out.push('[');
            push_text(period.of.kind.as_bytes(), out);
            out.push(',');
            push_text(period.of.unit.as_bytes(), out);
            let _ = write!(out, ",{}]", period.every);
        }
    }
    if let Some(start) = meta.start_ns.filter(|_| needed.start) {
        let time = jiff::Timestamp::from_nanosecond(start.into());
        object.text("started", time.unwrap_or_default().to_string().as_bytes());
    }
    object.number("duration_ns", meta.duration_ns.filter(|_| needed.duration));
    if let Some(ticks) = meta.ticks {
        let mut counts = Object::open(object.key("ticks"));
        counts.number("asked", Some(ticks.asked));
        counts.number("delivered", Some(ticks.delivered));
        counts.number("dropped", Some(ticks.dropped));
        counts.close();
    }
    object.number("cpu_ns", meta.cpu_ns);
    object.number("wall_ns", meta.wall_ns);
    if !meta.work.is_empty() {
        let mut counters = Object::open(object.key("work"));
        for (counter, amount) in &meta.work {
            counters.number(counter, Some(*amount));
        }
        counters.close();
    }
    if needed.values {
        push_list(&profile.values, object.key("values"), |value, out| {
            out.push('[');
            push_text(value.kind.as_bytes(), out);
            out.push(',');
            push_text(value.unit.as_bytes(), out);
            if value.scale > 0 {
                let _ = write!(out, ",{}", value.scale);
            }
            out.push(']');
        });
    }
    if needed.values && profile.default_value > 0 {
        object.number("default", Some(profile.default_value as i64));
    }
    for (key, attributes) in [
        ("sampler", &meta.sampler),
        ("host", &meta.host),
        ("build", &meta.build),
    ] {
        if !attributes.is_empty() {
            let mut members = Object::open(object.key(key));
            for (key, value) in attributes {
                push_attribute(value, members.key(key));
            }
            members.close();
        }
    }
    object.text("runtime", meta.runtime.as_bytes());
    for (key, texts) in [
        ("command", &meta.command),
        ("prefixes", &meta.prefixes),
        ("comments", &meta.comments),
    ] {
        if !texts.is_empty() && (needed.texts || key != "comments") {
            push_list(texts, object.key(key), |text, out| {
                push_text(text.as_bytes(), out)
            });
        }
    }
    if needed.texts {
        object.text("drop_frames", meta.drop_frames.as_bytes());
        object.text("keep_frames", meta.keep_frames.as_bytes());
        object.text("doc_url", meta.doc_url.as_bytes());
    }
}

/// Writes threads in the order of `ids`.
pub(super) fn push_threads(object: &mut Object, profile: &Profile, ids: &[ThreadId]) {
    if !ids.is_empty() {
        push_list(ids, object.key("threads"), |id, out| {
            let thread = profile.threads.get(*id);
            let _ = write!(out, "[{},", thread.tid);
            push_text(profile.strings.get(thread.name), out);
            if thread.pid != 0 {
                let _ = write!(out, ",{}", thread.pid);
            }
            out.push(']');
        });
    }
}

/// Thread id, name and process id, as the header has them.
pub(super) type ThreadRow = (i64, Text, i64);

/// The threads that a header lists, in a profile.
pub(super) fn threads(profile: &mut Profile, rows: &[ThreadRow]) -> Vec<ThreadId> {
    (rows.iter())
        .map(|(tid, name, pid)| {
            let name = profile.strings.intern(&name.0);
            profile.threads.intern(Thread {
                pid: *pid,
                tid: *tid,
                name,
            })
        })
        .collect()
}

/// A text for each thread, different from all others': its name where that is enough. A row that is
/// there a second time, as plop writes none, has none.
pub(super) fn thread_texts(rows: &[ThreadRow]) -> Vec<Option<Vec<u8>>> {
    let mut named: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for (_, Text(name), _) in rows {
        *named.entry(name).or_default() += 1;
    }
    let mut seen: HashSet<(i64, &[u8], i64), RandomState> = HashSet::default();
    let mut taken: HashSet<Vec<u8>, RandomState> = HashSet::default();
    (rows.iter())
        .map(|(tid, Text(name), pid)| {
            if !seen.insert((*tid, name, *pid)) {
                return None;
            }
            let mut text = name.clone();
            if name.is_empty() {
                text = format!("thread {tid}").into_bytes();
            } else if named[&name[..]] > 1 {
                text.extend_from_slice(format!(" ({tid})").as_bytes());
            }
            if taken.contains(&text) {
                text.extend_from_slice(format!(" of process {pid}").as_bytes());
            }
            while !taken.insert(text.clone()) {
                text.push(b'\'');
            }
            Some(text)
        })
        .collect()
}

/// The run as JSON can hold it: without keys of others' that mean something of ours, and their JSON
/// on one line; `None` when nothing changes.
pub(super) fn fit(meta: &Meta, notes: &mut Notes) -> Option<Meta> {
    let ours = |key: &String| KNOWN_KEYS.contains(&key.as_str());
    let renamed = meta.extra.iter().filter(|(key, _)| ours(key)).count() as u64;
    if renamed > 0 {
        notes.add_many("key-renamed", renamed, None, || {
            "keys of the header are called other_…, since version 2 has keys of the same name"
                .into()
        });
    }
    let mut fitted = meta.clone();
    for attributes in [
        &mut fitted.sampler,
        &mut fitted.host,
        &mut fitted.build,
        &mut fitted.extra,
    ] {
        for (_, value) in attributes {
            if let Attribute::Json(json) = value {
                *json = one_line(json);
            }
        }
    }
    let mut taken: HashMap<String, usize, RandomState> = HashMap::default();
    for (key, _) in &fitted.extra {
        *taken.entry_ref(key.as_str()).or_default() += 1;
    }
    // How often a key was renamed.
    let mut times: HashMap<String, usize, RandomState> = HashMap::default();
    for (key, _) in &mut fitted.extra {
        if taken[key] == 1 && !ours(key) {
            continue;
        }
        *taken.entry_ref(key.as_str()).or_default() -= 1;
        let times = times.entry_ref(key.as_str()).or_default();
        let other = loop {
            *times += 1;
            let other = match *times {
                1 => format!("other_{key}"),
                more => format!("other_{more}_{key}"),
            };
            if !ours(&other) && taken.get(&other).is_none_or(|count| *count == 0) {
                break other;
            }
        };
        taken.insert(other.clone(), 1);
        *key = other;
    }
    (fitted != *meta).then_some(fitted)
}

/// A list of lists of two or three, the third being 0 where there are two.
fn lists<A, B, C>(raw: &RawValue) -> serde_json::Result<Vec<(A, B, C)>>
where
    A: for<'a> Deserialize<'a>,
    B: for<'a> Deserialize<'a>,
    C: for<'a> Deserialize<'a> + Default,
{
    let items: Vec<&RawValue> = of(raw)?;
    items
        .into_iter()
        .map(|item| match of::<(A, B)>(item) {
            Ok((a, b)) => Ok((a, b, C::default())),
            Err(_) => of(item),
        })
        .collect()
}

/// Whether six bytes of JSON are the escape of a byte that is not UTF-8.
fn is_lone_byte(escape: &[u8]) -> bool {
    escape.starts_with(b"\\ud")
        && matches!(escape[3], b'c' | b'C')
        && matches!(escape[4], b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F')
}

fn attributes(raw: &RawValue) -> serde_json::Result<Attributes> {
    let Members(members) = of(raw)?;
    Ok(members
        .into_iter()
        .map(|(key, raw)| (key, attribute(raw)))
        .collect())
}

fn started(text: &str) -> serde_json::Result<i64> {
    use serde::de::Error as _;
    let time: jiff::Timestamp = text.parse().map_err(serde_json::Error::custom)?;
    i64::try_from(time.as_nanosecond())
        .map_err(|_| serde_json::Error::custom("a time outside 1677 to 2262"))
}

/// Notes a member of JSON that this version does not know.
pub(super) fn unknown_member(place: Option<&Place>, notes: &mut Notes) {
    notes.add("unknown-member", place.cloned(), || {
        "members of #f and slices that this version does not know were passed over".into()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_threads_are_their_names_or_else_told_apart() {
        let row = |name: &str, tid, pid| (tid, Text(name.into()), pid);
        let rows = [
            row("main", 1, 0),
            row("", 2, 0),
            row("pool", 3, 7),
            row("pool", 4, 7),
            row("pool (3)", 5, 7),
            row("pool", 3, 7),
        ];
        let texts = thread_texts(&rows).into_iter().map(|text| {
            let text = text.unwrap_or_default();
            String::from_utf8(text).expect("the names are UTF-8")
        });
        assert_eq!(
            texts.collect::<Vec<_>>(),
            [
                "main",
                "thread 2",
                "pool (3)",
                "pool (4)",
                "pool (3) of process 7",
                ""
            ]
        );
    }

    #[test]
    fn a_thread_that_is_there_over_and_over_takes_no_cubic_time() {
        let rows = vec![(1, Text(b"main".to_vec()), 1); 100_000];
        assert_eq!(thread_texts(&rows).iter().flatten().count(), 1);
    }
}
