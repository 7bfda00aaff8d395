//! What an image says of its process: lines of `key=value`.

use plop_core::{Attribute, Attributes, Error, Meta, Result, ValueType, quoted};

/// The version of images that is read here.
const VERSION: i64 = 1;

/// The shortest slice. All others are this times a power of two.
const SLICE_NS: i64 = 10_000_000;

/// How a process was sampled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Process {
    /// Its id.
    pub pid: i64,
    /// The id of its parent; 0 when it is not known.
    pub ppid: i64,
    /// Whether it is the one that was started to be recorded, and not a child of it.
    pub root: bool,
    /// Its first moment of sampling, counted from the beginning of the recording.
    pub begin_ns: i64,
    /// Its last.
    pub end_ns: i64,
    /// The length of its slices; 0 when it has none.
    pub slice_ns: i64,
    /// `cpu+wall`, `cpu`, `wall`, `prof`, `virtual` or `real`.
    pub mode: String,
    /// The distance between two samples.
    pub period_ns: Option<i64>,
    /// What drove the sampler: `timer`, `perf`, `itimer`, `wall` or `none`; empty when it is not
    /// known.
    pub trigger: String,
    /// Why it was that one; empty when there is nothing to say.
    pub trigger_why: String,
    /// Why the process was not sampled; empty when it was.
    pub refused: String,
    /// Whether this is the end of its recording, and not what it had when it was last looked at.
    pub finished: bool,
    /// Whether it was saved as the process was about to end: if it has, nothing is lacking.
    pub ending: bool,
    /// How the recording ended: `exit`, `exec`, `_exit`, `duration` or `stop`.
    pub ended: String,
    /// The error number of the last attempt to save that failed; 0 when none did.
    pub save_error: i64,
    /// Why its samples have no times though they were kept; empty when there is nothing to say.
    pub timeline_why: String,
    /// What was counted.
    pub counters: Counters,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// What the sampler of a process counted; 0 where it is not known.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl Counters {
            fn of_mut(&mut self, name: &str) -> Option<&mut i64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Every counter with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, i64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// Adds the counters of another process.
            pub fn add(&mut self, other: &Counters) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }
        }
    };
}

counters! {
    /// Ticks for which timers were set.
    asked
    /// Ticks that became samples.
    delivered
    /// Ticks that were lost, since the ring was full or memory was refused.
    dropped
    /// Ticks that a signal delivered besides its own, having come late.
    overruns
    /// Stacks cut off at a frame that cannot be one.
    rejected
    /// Stacks cut off since they were too deep.
    cut
    /// Ticks on threads that ran no Python.
    no_python
    /// Looks at a thread that ran on meanwhile.
    unproven
    /// Reads of memory that was not there.
    faults
    /// CPU time of threads that had the sampler's signal blocked, of which no sample tells.
    blocked_ns
    /// CPU time of the process while it was sampled.
    cpu_ns
    /// Time that passed while it was sampled.
    wall_ns
    /// CPU time of the sampler's own thread.
    own_cpu_ns
    /// Time inside signal handlers.
    handler_ns
    /// Signals handled.
    signals
    /// Time that starting and ending took.
    setup_ns
    /// Threads that were seen.
    threads_seen
    /// Samples whose time was not kept, since there were too many.
    timeline_dropped
}

/// Counters that a profile has a place of its own for.
const ELSEWHERE: [&str; 5] = ["asked", "delivered", "dropped", "cpu_ns", "wall_ns"];

impl Process {
    /// What the numbers of a sample mean in this mode.
    pub(super) fn values(&self) -> Vec<ValueType> {
        let kinds: &[&str] = match self.mode.as_str() {
            "cpu+wall" => &["cpu", "wall"],
            "wall" | "real" => &["wall"],
            _ => &["cpu"],
        };
        kinds
            .iter()
            .map(|kind| ValueType::new(kind, "samples"))
            .collect()
    }

    /// Of the counts of CPU and wall samples those that this mode has.
    pub(super) fn chosen<'c>(&self, counts: &'c [i64; 2]) -> &'c [i64] {
        match self.mode.as_str() {
            "cpu+wall" => counts,
            "wall" | "real" => &counts[1..],
            _ => &counts[..1],
        }
    }

    /// Whether the length of slices is one that can be brought to that of any other process.
    pub(super) fn has_sound_slices(&self) -> bool {
        self.slice_ns > 0
            && self.slice_ns % SLICE_NS == 0
            && (self.slice_ns / SLICE_NS).count_ones() == 1
    }

    /// The slice that a time since the beginning of the recording lies in.
    pub(super) fn slice_at(&self, at_ns: i64) -> usize {
        usize::try_from(at_ns / self.slice_ns.max(1)).unwrap_or(0)
    }

    /// What a profile says of the sampler.
    pub(super) fn attributes(&self) -> Attributes {
        let texts = [
            ("trigger", &self.trigger),
            ("trigger_why", &self.trigger_why),
            ("refused", &self.refused),
        ];
        let texts = (texts.into_iter().filter(|(_, text)| !text.is_empty()))
            .map(|(key, text)| (key.to_owned(), Attribute::Text(text.clone())));
        let counters = (self.counters.iter())
            .filter(|(key, _)| !ELSEWHERE.contains(key))
            .map(|(key, count)| (key.to_owned(), Attribute::Number(count)));
        texts
            .chain([("processes".to_owned(), Attribute::Number(1))])
            .chain(counters)
            .collect()
    }
}

/// Reads the lines; returns also what a profile tells of its run that is here only.
pub(super) fn read(lines: &[u8]) -> Result<(Process, Meta)> {
    let mut process = Process {
        mode: "cpu+wall".into(),
        ..Process::default()
    };
    let mut meta = Meta::default();
    let mut version = None;
    for line in lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            return Err(Error::expected("a line key=value", &quoted(line)));
        };
        let key = String::from_utf8_lossy(&line[..equals]);
        let value = unescaped(&line[equals + 1..]);
        let number = || -> Result<i64> {
            (value.parse().ok())
                .filter(|number| *number >= 0)
                .ok_or_else(|| {
                    Error::expected(&format!("a number for `{key}`"), &quoted(value.as_bytes()))
                })
        };
        match &*key {
            "version" => version = Some(number()?),
            "pid" => process.pid = number()?,
            "ppid" => process.ppid = number()?,
            "root" => process.root = number()? == 1,
            "begin_ns" => process.begin_ns = number()?,
            "end_ns" => process.end_ns = number()?,
            "slice_ns" => process.slice_ns = number()?,
            "mode" => process.mode = value,
            "period_ns" => process.period_ns = Some(number()?),
            "trigger" => process.trigger = value,
            "trigger_why" => process.trigger_why = value,
            "refused" => process.refused = value,
            "finished" => process.finished = number()? == 1,
            "ending" => process.ending = number()? == 1,
            "ended" => process.ended = value,
            "save_error" => process.save_error = number()?,
            "started" => meta.start_ns = Some(number()?),
            "duration_ns" => meta.duration_ns = Some(number()?),
            "runtime" => meta.runtime = value,
            key => {
                if let Some(counter) = process.counters.of_mut(key) {
                    *counter = number()?;
                }
            }
        }
    }
    if version != Some(VERSION) {
        let found = version.map_or("none".into(), |version| version.to_string());
        return Err(Error::expected(
            &format!("version {VERSION} of images"),
            &found,
        ));
    }
    let known = ["cpu+wall", "cpu", "wall", "prof", "virtual", "real"];
    if !known.contains(&process.mode.as_str()) {
        let found = quoted(process.mode.as_bytes());
        return Err(Error::expected("a mode such as cpu+wall", &found));
    }
    // Slices begin with the recording; the run of this process begins with its first moment.
    meta.start_ns = meta.start_ns.map(|ns| ns.saturating_add(process.begin_ns));
    meta.wall_ns = Some(process.counters.wall_ns);
    Ok((process, meta))
}

/// A value with its `%XX` as the bytes they stand for.
fn unescaped(value: &[u8]) -> String {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, behind @ ..] = rest {
        match rest {
            [b'%', high, low, behind @ ..] if digit(*high).is_some() && digit(*low).is_some() => {
                let (high, low) = (digit(*high).unwrap_or(0), digit(*low).unwrap_or(0));
                bytes.push((high << 4 | low) as u8);
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
