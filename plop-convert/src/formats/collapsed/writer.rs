//! Writes folded stacks: each stack once, in the order of their texts.

use std::io::{self, Write};

use plop_core::{Children, FrameId, Profile, StackId, decimal};

use super::frame_text;
use super::reader::ends_in_weights;

/// Past this many bytes a buffer goes out.
const BUFFER: usize = 256 << 10;

/// Which line comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// The first in the order of texts.
    InOrder,
    /// The first that cannot be read as a stack with two counts, if there is one: where all lines of a
    /// file can, it is taken for a differential one.
    NotTwoCounts,
}

/// Writes one line for each stack that has a sample, with a number for each value type. The profile
/// must [fit](super::fit::fit).
///
/// `is_trap` tells of a first line that would be taken for something else than a stack. It is then
/// written with a space before it, which readers leave out.
pub(crate) fn write(
    profile: &Profile,
    out: &mut dyn Write,
    first: First,
    is_trap: impl Fn(&[u8]) -> bool,
) -> io::Result<()> {
    let lines = Lines::of(profile);
    let lead = match first {
        First::InOrder => None,
        First::NotTwoCounts => lines.first_without_two_counts()?,
    };
    let mut buffer = Vec::with_capacity(2 * BUFFER);
    let mut started = false;
    let mut put = |path: &[u8], node: StackId| -> io::Result<()> {
        let start = buffer.len();
        buffer.extend_from_slice(path);
        lines.sums.write(node, profile, &mut buffer);
        if !std::mem::replace(&mut started, true) {
            let line = &buffer[start..];
            if starts_like_no_text(line) || is_trap(line) {
                buffer.insert(start, b' ');
            }
        }
        buffer.push(b'\n');
        if buffer.len() >= BUFFER {
            out.write_all(&buffer)?;
            buffer.clear();
        }
        Ok(())
    };
    if let Some(lead) = lead {
        put(&lines.path(lead), lead)?;
    }
    lines.walk(|path, node| {
        if Some(node) != lead {
            put(path, node)?;
        }
        Ok(true)
    })?;
    out.write_all(&buffer)
}

/// What the lines are made of.
struct Lines<'p> {
    profile: &'p Profile,
    texts: Texts,
    sums: Sums,
    children: Children,
}

impl<'p> Lines<'p> {
    fn of(profile: &'p Profile) -> Self {
        let texts = Texts::of(profile);
        let ranks = texts.ranks();
        let mut children = profile.stacks.children();
        children.sort_by_key(|stack| {
            profile
                .stacks
                .frame(stack)
                .map(|frame| ranks[frame.index()])
        });
        Lines {
            profile,
            texts,
            sums: Sums::of(profile),
            children,
        }
    }

    /// Visits every stack that has a sample, in the order of texts, until a visit returns `false`.
    fn walk(&self, mut visit: impl FnMut(&[u8], StackId) -> io::Result<bool>) -> io::Result<()> {
        let mut path = Vec::new();
        let mut open = vec![(StackId::ROOT, 0usize, 0usize)];
        if self.sums.has(StackId::ROOT) && !visit(&path, StackId::ROOT)? {
            return Ok(());
        }
        while let Some((node, next, length)) = open.last_mut() {
            path.truncate(*length);
            let Some(child) = self.children.get(*node, *next) else {
                open.pop();
                continue;
            };
            *next += 1;
            if *node != StackId::ROOT {
                path.push(b';');
            }
            if let Some(frame) = self.profile.stacks.frame(child) {
                path.extend_from_slice(self.texts.get(frame));
            }
            if self.sums.has(child) && !visit(&path, child)? {
                return Ok(());
            }
            open.push((child, 0, path.len()));
        }
        Ok(())
    }

    /// The first stack whose text does not end in a number; `None` too if it is the first of all.
    fn first_without_two_counts(&self) -> io::Result<Option<StackId>> {
        let (mut seen, mut found) = (0, None);
        self.walk(|path, node| {
            seen += 1;
            found = (!ends_in_weights(path, 1)).then_some(node);
            Ok(found.is_none())
        })?;
        Ok(found.filter(|_| seen > 1))
    }

    /// The text of a stack.
    fn path(&self, node: StackId) -> Vec<u8> {
        let mut frames: Vec<&[u8]> = (self.profile.stacks.frames(node))
            .map(|frame| self.texts.get(frame))
            .collect();
        frames.reverse();
        frames.join(&b';')
    }
}

/// Whether a line would be taken for gzip or for a byte order mark at the start of a file.
fn starts_like_no_text(line: &[u8]) -> bool {
    let marks: [&[u8]; 4] = [b"\x1f\x8b", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    marks.iter().any(|mark| line.starts_with(mark))
}

/// The text of every frame, in one buffer.
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn of(profile: &Profile) -> Self {
        let mut texts = Texts {
            bytes: Vec::new(),
            ends: vec![0],
        };
        for n in 0..profile.frames.len() {
            frame_text::render(profile, FrameId::new(n), &mut texts.bytes);
            texts.ends.push(texts.bytes.len());
        }
        texts
    }

    #[inline]
    fn get(&self, frame: FrameId) -> &[u8] {
        &self.bytes[self.ends[frame.index()]..self.ends[frame.index() + 1]]
    }

    /// For every frame its place in the order of texts, a text ending before all that continue it.
    fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<FrameId> = (0..self.ends.len() - 1).map(FrameId::new).collect();
        order.sort_unstable_by(|a, b| self.get(*a).cmp(self.get(*b)).then(a.cmp(b)));
        let mut ranks = vec![0; order.len()];
        for (rank, frame) in order.iter().enumerate() {
            ranks[frame.index()] = rank as u32;
        }
        ranks
    }
}

/// The sums of every node's own samples.
struct Sums {
    stride: usize,
    /// `stride` sums for each row; the row of a node, or `NO_ROW`.
    rows: Vec<u32>,
    sums: Vec<i64>,
}

const NO_ROW: u32 = u32::MAX;

impl Sums {
    fn of(profile: &Profile) -> Self {
        let stride = profile.values.len();
        let mut rows = vec![NO_ROW; profile.stacks.len()];
        let mut sums: Vec<i64> = Vec::new();
        for sample in profile.samples.iter() {
            let row = &mut rows[sample.stack.index()];
            if *row == NO_ROW {
                *row = (sums.len() / stride) as u32;
                sums.extend_from_slice(sample.values);
                continue;
            }
            let start = *row as usize * stride;
            for (sum, value) in sums[start..start + stride].iter_mut().zip(sample.values) {
                *sum += value;
            }
        }
        Sums { stride, rows, sums }
    }

    #[inline]
    fn has(&self, node: StackId) -> bool {
        self.rows[node.index()] != NO_ROW
    }

    fn write(&self, node: StackId, profile: &Profile, out: &mut Vec<u8>) {
        let start = self.rows[node.index()] as usize * self.stride;
        for (value, of) in self.sums[start..start + self.stride]
            .iter()
            .zip(&profile.values)
        {
            out.push(b' ');
            match of.scale {
                0 => push_number(*value, out),
                scale => out.extend_from_slice(decimal(*value, scale).as_bytes()),
            }
        }
    }
}

/// Appends a whole number without going through a formatter.
fn push_number(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}
