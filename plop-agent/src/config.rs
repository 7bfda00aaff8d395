//! What the agent was told to do: the environment variable `PLOP_AGENT`, or a Rust program's own
//! [`Config`].

use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Which clock drives the sampler, and what is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// CPU time by a timer on each thread, and elapsed time by a thread that looks at all of them.
    CpuWall,
    /// CPU time by a timer on each thread.
    Cpu,
    /// Elapsed time of every thread.
    Wall,
    /// CPU time by the process-wide timer `ITIMER_PROF`, as in the original Plop.
    Prof,
    /// User CPU time by `ITIMER_VIRTUAL`.
    Virtual,
    /// Elapsed time by `ITIMER_REAL`, for the thread that the kernel picks.
    Real,
}

impl Mode {
    /// Every mode with its name.
    pub const ALL: [(Mode, &'static str); 6] = [
        (Mode::CpuWall, "cpu+wall"),
        (Mode::Cpu, "cpu"),
        (Mode::Wall, "wall"),
        (Mode::Prof, "prof"),
        (Mode::Virtual, "virtual"),
        (Mode::Real, "real"),
    ];

    /// The mode's name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(mode, _)| *mode == self)
            .map_or("", |(_, name)| name)
    }

    /// Whether elapsed time is measured by looking at threads.
    pub(crate) fn looks(self) -> bool {
        matches!(self, Mode::CpuWall | Mode::Wall)
    }

    /// Which process-wide timer drives it, and the signal that it sends.
    pub(crate) fn itimer(self) -> Option<(usize, i32)> {
        match self {
            Mode::Real => Some((0, 14)),
            Mode::Virtual => Some((1, 26)),
            Mode::Prof => Some((2, 27)),
            _ => None,
        }
    }
}

/// Text of bounded length that ends with a zero for the kernel.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// No text.
    pub const fn new() -> Self {
        Text {
            bytes: [0; N],
            len: 0,
        }
    }

    /// Adds bytes; whether they fit, and nothing is added otherwise.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let end = self.len + bytes.len();
        if end >= N || bytes.contains(&0) {
            return false;
        }
        let Some(place) = self.bytes.get_mut(self.len..end) else {
            return false;
        };
        place.copy_from_slice(bytes);
        self.len = end;
        true
    }

    /// Adds a number in decimal.
    pub fn push_number(&mut self, number: u64) -> bool {
        let mut digits = [0; 20];
        self.push(decimal(number, &mut digits))
    }

    /// What was added.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The same, for the kernel.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }

    /// Forgets what was added from a position on.
    pub fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.bytes.get_mut(len..) {
            rest.fill(0);
            self.len = self.len.min(len);
        }
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Text::new()
    }
}

/// The digits of a number.
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        at -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(at..).unwrap_or_default()
}

/// The longest path.
const PATH: usize = 4096;

/// What to do.
#[derive(Clone, Copy)]
pub struct Config {
    /// The agent's own file, as it stands in `LD_PRELOAD`.
    pub agent: Text<PATH>,
    /// The folder for images; empty when there is none.
    pub spool: Text<PATH>,
    /// The `.plop` file to write where there is no spool.
    pub out: Text<PATH>,
    /// Labels for that file, a line each: `key=value`.
    pub labels: Text<PATH>,
    /// The process that was started first.
    pub root: i32,
    /// Samples a second.
    pub rate: u32,
    /// What drives the sampler.
    pub mode: Mode,
    /// When the recording began, on `CLOCK_MONOTONIC`; slices are counted from it.
    pub origin_ns: u64,
    /// How long after that sampling begins.
    pub delay_ns: u64,
    /// How long it lasts; 0 is for ever.
    pub duration_ns: u64,
    /// Whether children are sampled, too.
    pub children: bool,
    /// Whether the time of each sample is kept.
    pub timeline: bool,
}

impl Config {
    /// Samples a hundred times a second, on both clocks, from now on.
    pub const fn new() -> Self {
        Config {
            agent: Text::new(),
            spool: Text::new(),
            out: Text::new(),
            labels: Text::new(),
            root: 0,
            rate: 100,
            mode: Mode::CpuWall,
            origin_ns: 0,
            delay_ns: 0,
            duration_ns: 0,
            children: true,
            timeline: false,
        }
    }

    /// How far apart two samples are.
    pub fn period_ns(&self) -> u64 {
        1_000_000_000 / u64::from(self.rate.max(1))
    }

    /// Reads the text of the environment variable into this configuration. What is unknown is passed
    /// over; whether a value did not fit.
    pub fn parse(&mut self, text: &[u8]) -> bool {
        let mut fits = true;
        for field in text.split(|byte| *byte == b';') {
            let mut parts = field.splitn(2, |byte| *byte == b'=');
            let (Some(key), Some(raw)) = (parts.next(), parts.next()) else {
                continue;
            };
            let mut value = Text::<PATH>::new();
            if !unescape(raw, &mut value) {
                fits = false;
                continue;
            }
            let value = value.as_bytes();
            match key {
                b"agent" => fits &= self.agent.push(value),
                b"spool" => fits &= self.spool.push(value),
                b"out" => fits &= self.out.push(value),
                b"label" => fits &= self.labels.push(value) && self.labels.push(b"\n"),
                b"root" => self.root = number(value) as i32,
                b"rate" => self.rate = number(value).clamp(1, 20_000) as u32,
                b"origin" => self.origin_ns = number(value),
                b"delay" => self.delay_ns = number(value),
                b"duration" => self.duration_ns = number(value),
                b"children" => self.children = value != b"0",
                b"timeline" => self.timeline = value == b"1",
                b"mode" => {
                    if let Some((mode, _)) =
                        Mode::ALL.iter().find(|(_, name)| name.as_bytes() == value)
                    {
                        self.mode = *mode;
                    }
                }
                b"deflect" => deflect(value),
                _ => {}
            }
        }
        fits
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::new()
    }
}

fn number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0u64, |number, digit| {
            number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'))
        })
}

fn unescape(raw: &[u8], into: &mut Text<PATH>) -> bool {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let mut rest = raw;
    while let Some((first, more)) = rest.split_first() {
        let (byte, after) = match (first, more) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => ((high * 16 + low) as u8, after),
                _ => (b'%', more),
            },
            _ => (*first, more),
        };
        if !into.push(&[byte]) {
            return false;
        }
        rest = after;
    }
    true
}

/// Tests have the agent meet what a machine rarely does: `deflect=` and these words, by commas.
static DEFLECTED: AtomicU32 = AtomicU32::new(0);

/// The handler does nothing but return: what signals alone cost.
pub(crate) const EMPTY_HANDLER: u32 = 1;
/// A thread sends signals to all others as fast as it can.
pub(crate) const HAMMER: u32 = 2;
/// POSIX timers are refused.
pub(crate) const NO_TIMER: u32 = 4;
/// `perf_event_open` is refused.
pub(crate) const NO_PERF: u32 = 8;
/// Memory is refused.
pub(crate) const NO_MEMORY: u32 = 16;
/// Threads are refused.
pub(crate) const NO_THREAD: u32 = 32;
/// Memory is read through the kernel, as when the program has taken SIGSEGV over.
pub(crate) const NO_GUARD: u32 = 64;
/// `setitimer` is refused.
pub(crate) const NO_ITIMER: u32 = 128;
/// The layout of another version is taken, which the self-test must notice.
pub(crate) const WRONG_LAYOUT: u32 = 256;

fn deflect(words: &[u8]) {
    for word in words.split(|byte| *byte == b',') {
        let hook = match word {
            b"empty" => EMPTY_HANDLER,
            b"hammer" => HAMMER,
            b"no-timer" => NO_TIMER,
            b"no-perf" => NO_PERF,
            b"no-memory" => NO_MEMORY,
            b"no-thread" => NO_THREAD,
            b"no-guard" => NO_GUARD,
            b"no-itimer" => NO_ITIMER,
            b"wrong-layout" => WRONG_LAYOUT,
            _ => 0,
        };
        DEFLECTED.fetch_or(hook, Relaxed);
    }
}

/// Whether a test has turned a hook on.
#[inline]
pub(crate) fn deflected(hook: u32) -> bool {
    DEFLECTED.load(Relaxed) & hook != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read() {
        let mut config = Config::new();
        assert!(config.parse(
            b"agent=/a/b.so;spool=/tmp/x%20y%3B;rate=250;mode=cpu;origin=123456789012;duration=5;\
              children=0;timeline=1;label=k%3Dv;label=a%3Db;future=1;root=42"
        ));
        assert_eq!(config.agent.as_c_str(), c"/a/b.so");
        assert_eq!(config.spool.as_bytes(), b"/tmp/x y;");
        assert_eq!(config.labels.as_bytes(), b"k=v\na=b\n");
        assert_eq!(
            (config.rate, config.mode, config.root),
            (250, Mode::Cpu, 42)
        );
        assert_eq!((config.origin_ns, config.duration_ns), (123_456_789_012, 5));
        assert!(!config.children && config.timeline);
        assert_eq!(config.period_ns(), 4_000_000);
    }

    #[test]
    fn nonsense_is_passed_over() {
        let mut config = Config::new();
        assert!(config.parse(b";;=;rate;rate=0;mode=lunar;%=%;x=%zz"));
        assert_eq!((config.rate, config.mode), (1, Mode::CpuWall));
        let mut long = b"out=".to_vec();
        long.resize(5000, b'x');
        assert!(!config.parse(&long));
        assert_eq!(config.out.as_bytes(), b"");
    }

    #[test]
    fn numbers_have_their_digits() {
        for number in [0, 7, 10, 12_345, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
