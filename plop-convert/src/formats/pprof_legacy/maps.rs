//! The binaries that were mapped into the process, from lines such as those of Linux's
//! `/proc/self/maps`, and in which of them each address lies.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use plop_core::{Mapping, MappingId, Notes, Profile, quoted};

use super::lines::Lines;
use super::scan::{self, Scan};

/// A piece of a binary in memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Region {
    pub(super) start: u64,
    /// One past the last address.
    pub(super) limit: u64,
    pub(super) offset: u64,
    pub(super) file: Vec<u8>,
    pub(super) build_id: Vec<u8>,
}

/// Where Linux put programs that are not position-independent.
const USUAL_START: u64 = 0x40_0000;

impl Region {
    /// The part of the file before this piece.
    fn before(&self) -> Range<u64> {
        self.start.wrapping_sub(self.offset)..self.start
    }

    /// Takes the part of the file before this piece in.
    fn extend_to_file_start(&mut self) {
        self.start = self.start.wrapping_sub(self.offset);
        self.offset = 0;
    }

    /// Whether another piece continues this one.
    fn goes_on_in(&self, next: &Region) -> bool {
        let agree =
            |ours: &[u8], theirs: &[u8]| ours.is_empty() || theirs.is_empty() || ours == theirs;
        let length = self.limit.wrapping_sub(self.start);
        agree(&self.file, &next.file)
            && agree(&self.build_id, &next.build_id)
            && self.limit == next.start
            && (self.offset == 0
                || next.offset == 0
                || self.offset.wrapping_add(length) == next.offset)
    }

    /// Takes a piece in that continues this one.
    fn go_on_in(&mut self, next: Region) {
        self.limit = next.limit;
        if !next.file.is_empty() {
            self.file = next.file;
        }
        if !next.build_id.is_empty() {
            self.build_id = next.build_id;
        }
    }

    /// Whether this may be the program itself: neither a library nor something without a file.
    fn may_be_program(&self) -> bool {
        let file = match memchr::memmem::find(&self.file, b"(deleted)") {
            Some(at) => [&self.file[..at], &self.file[at + b"(deleted)".len()..]].concat(),
            None => self.file.clone(),
        };
        let file = file.trim_ascii();
        let is_library = file.ends_with(b".so")
            || memchr::memmem::find_iter(file, b".so").any(|at| {
                matches!(file.get(at + 3..at + 5), Some([b'.' | b'_', digit]) if digit.is_ascii_digit())
            });
        !file.is_empty() && !is_library && file[0] != b'['
    }

    pub(super) fn intern(&self, profile: &mut Profile) -> MappingId {
        let mapping = Mapping {
            file: profile.strings.intern(&self.file),
            build_id: profile.strings.intern(&self.build_id),
            start: self.start,
            limit: self.limit,
            offset: self.offset,
        };
        profile.mappings.intern(mapping)
    }
}

/// Reads the executable pieces from the lines that are left: pieces that continue one another are
/// one, and the program comes first. Lines of another sort are passed over.
pub(super) fn read(lines: Lines, notes: &mut Notes) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    let mut attributes = Attributes::default();
    for line in lines {
        let Some(text) = attributes.insert_into(without_log_prefix(line.text)) else {
            notes.add("bad-line", Some(line.place()), || {
                let text = quoted(line.trimmed());
                format!("lines of binaries that grow too long were passed over, such as {text}")
            });
            continue;
        };
        match region(&text) {
            Some(Some(region)) => match regions.last_mut() {
                Some(last) if last.goes_on_in(&region) => last.go_on_in(region),
                _ => regions.push(region),
            },
            Some(None) => {}
            None => attributes.define(&text),
        }
    }
    if let Some(program) = regions.iter().position(Region::may_be_program) {
        regions.swap(0, program);
    }
    regions
}

/// Says for each address in which of the regions it lies, by number. Regions are mended on the way,
/// as pprof does it: the first, whose beginning a handler may have left out, and those with addresses
/// before their beginning. What lies in none lies in a region of everything, which is added.
pub(super) fn locate(
    addresses: impl Iterator<Item = u64>,
    regions: &mut Vec<Region>,
) -> HashMap<u64, usize, foldhash::fast::RandomState> {
    if let [first, second, ..] = &regions[..]
        && first.file.starts_with(b"/anon_hugepage")
        && first.limit == second.start
    {
        regions.remove(0);
    }
    if let Some(program) = regions.first_mut()
        && program.start.wrapping_sub(program.offset) == USUAL_START
    {
        program.extend_to_file_start();
    }
    let known = regions.len();
    let bounds = |region: &Region| [region.start, region.limit, region.before().start];
    let bounds: Vec<u64> = regions.iter().flat_map(bounds).collect();
    let mut holding = First::of(bounds.clone());
    let mut before = First::of(bounds);
    for (number, region) in regions.iter().enumerate() {
        holding.add(region.start..region.limit, number);
        before.add(region.before(), number);
    }
    let mut located = HashMap::default();
    for address in addresses.filter(|address| *address != 0) {
        let Entry::Vacant(entry) = located.entry(address) else {
            continue;
        };
        let number = match (holding.at(address), before.at(address)) {
            (Some(number), _) => number,
            // A piece is extended once: from then on it holds all that was before it.
            (None, Some(number)) => {
                holding.add(regions[number].before(), number);
                regions[number].extend_to_file_start();
                number
            }
            (None, None) => known,
        };
        entry.insert(number);
        if number == regions.len() {
            regions.push(Region {
                limit: u64::MAX,
                ..Region::default()
            });
        }
    }
    located
}

/// Which is the first of the ranges that hold an address: a tree over the stretches between all bounds,
/// of which each node has the first range that covers it and not its parent.
struct First {
    /// The stretches: each reaches to the beginning of the next.
    starts: Vec<u64>,
    /// From 1 on, node `n` being the parent of `2 * n` and `2 * n + 1`; the last are the stretches.
    nodes: Vec<usize>,
}

impl First {
    /// No ranges yet; all that are to come have these bounds.
    fn of(mut bounds: Vec<u64>) -> Self {
        bounds.sort_unstable();
        bounds.dedup();
        First {
            nodes: vec![usize::MAX; 2 * bounds.len()],
            starts: bounds,
        }
    }

    fn add(&mut self, range: Range<u64>, number: usize) {
        let stretch = |bound: u64| self.starts.partition_point(|start| *start < bound);
        let (mut from, mut to) = (stretch(range.start), stretch(range.end));
        from += self.starts.len();
        to += self.starts.len();
        while from < to {
            if from % 2 == 1 {
                self.nodes[from] = self.nodes[from].min(number);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                self.nodes[to] = self.nodes[to].min(number);
            }
            (from, to) = (from / 2, to / 2);
        }
    }

    fn at(&self, address: u64) -> Option<usize> {
        let stretch = (self.starts)
            .partition_point(|start| *start <= address)
            .checked_sub(1)?;
        let mut node = self.starts.len() + stretch;
        let mut first = usize::MAX;
        while node > 0 {
            first = first.min(self.nodes[node]);
            node /= 2;
        }
        (first != usize::MAX).then_some(first)
    }
}

/// The piece that a line tells of; `Some(None)` for one that cannot be executed. Either a line of
/// `/proc/self/maps`, `start-end perms offset device inode file`, or the short form,
/// `start-end: file (@offset) build-id`, in which anything but the range may be missing.
fn region(line: &[u8]) -> Option<Option<Region>> {
    let mut scan = Scan(line);
    scan.blanks()?;
    let start = address(&mut scan)?;
    let before = scan.0.len();
    let _ = scan.literal("-");
    scan.blanks()?;
    if scan.0.len() == before {
        return None;
    }
    let limit = address(&mut scan)?;
    let _ = scan.literal(":");
    if start >= limit || !scan.0.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let mut words: Vec<&[u8]> = (scan.0.split(u8::is_ascii_whitespace))
        .filter(|word| !word.is_empty())
        .take(5)
        .collect();
    let is_permissions =
        |word: &[u8]| (word.iter()).all(|b| matches!(b, b'-' | b'r' | b'w' | b'x' | b'p' | b's'));
    if words.first().is_some_and(|word| is_permissions(word)) && !words.remove(0).contains(&b'x') {
        return Some(None);
    }
    let (offset, file, build_id) = match words[..] {
        [offset, device, inode, ..] if is_device(device) && is_number(inode) => {
            (scan::hexadecimal(offset)?, words.get(3), None)
        }
        [device, inode, ..] if is_device(device) && is_number(inode) => (0, words.get(2), None),
        _ => {
            let offset = words
                .get(1)
                .and_then(|word| word.strip_prefix(b"(@")?.strip_suffix(b")"))
                .and_then(scan::hexadecimal);
            let build_id = words.get(if offset.is_some() { 2 } else { 1 });
            (
                offset.unwrap_or(0),
                words.first(),
                build_id.filter(|id| id.iter().all(u8::is_ascii_hexdigit)),
            )
        }
    };
    Some(Some(Region {
        start,
        limit,
        offset,
        file: file.copied().unwrap_or_default().to_vec(),
        build_id: build_id.copied().unwrap_or_default().to_vec(),
    }))
}

fn address(scan: &mut Scan) -> Option<u64> {
    let _ = scan.literal("0x");
    scan::hexadecimal(scan.take(|b| b.is_ascii_hexdigit()))
}

/// Whether a word is `major:minor`.
fn is_device(word: &[u8]) -> bool {
    let mut parts = word.split(|b| *b == b':');
    let mut hexadecimal = || {
        (parts.next())
            .is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_hexdigit))
    };
    hexadecimal() && hexadecimal() && parts.next().is_none()
}

fn is_number(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit)
}

/// A line without what glog puts before it: `I0214 12:00:00.000000 17 profiler.cc:81] `.
fn without_log_prefix(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|b| matches!(b, b'[' | b']'));
    let Some(end) = end.filter(|end| line[*end] == b']') else {
        return line;
    };
    let before = &line[..end];
    let digits = before
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let colon = before.len() - digits;
    match line.get(end + 1) {
        Some(blank) if blank.is_ascii_whitespace() && digits > 0 && colon > 1 => {
            match before[colon - 1] {
                b':' => &line[end + 2..],
                _ => line,
            }
        }
        _ => line,
    }
}

/// Lines `name=text`: `$name` stands for the text in lines that follow.
#[derive(Default)]
struct Attributes {
    of: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many bytes all lines have become that had such names.
    inserted: usize,
}

/// Real lists have one or two.
const MAX_ATTRIBUTES: usize = 100;

/// No line of a list of binaries is longer: paths end at 4096 bytes.
const MAX_LINE: usize = 1 << 16;

/// No list of binaries is longer.
const MAX_INSERTED: usize = 1 << 26;

impl Attributes {
    fn define(&mut self, line: &[u8]) {
        if let Some(equals) = memchr::memchr(b'=', line)
            && self.of.len() < MAX_ATTRIBUTES
            && line.len() <= MAX_LINE
        {
            let name = [b"$", line[..equals].trim_ascii()].concat();
            self.of
                .push((name, line[equals + 1..].trim_ascii().to_vec()));
        }
    }

    /// A line with every `$name` replaced; of two definitions the first counts. `None` for a line that
    /// grows too long.
    fn insert_into<'t>(&mut self, line: &'t [u8]) -> Option<Cow<'t, [u8]>> {
        if self.of.is_empty() || memchr::memchr(b'$', line).is_none() {
            return Some(Cow::Borrowed(line));
        }
        let mut out = Vec::new();
        let mut rest = line;
        while let Some(dollar) = memchr::memchr(b'$', rest) {
            out.extend_from_slice(&rest[..dollar]);
            rest = &rest[dollar..];
            match self.of.iter().find(|(name, _)| rest.starts_with(name)) {
                Some((name, text)) => {
                    out.extend_from_slice(text);
                    rest = &rest[name.len()..];
                }
                None => {
                    out.push(b'$');
                    rest = &rest[1..];
                }
            }
            if out.len() > MAX_LINE || self.inserted + out.len() > MAX_INSERTED {
                return None;
            }
        }
        self.inserted += out.len();
        out.extend_from_slice(rest);
        Some(Cow::Owned(out))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn regions(text: &str) -> Vec<Region> {
        read(Lines::of(text.as_bytes()), &mut Notes::new())
    }

    fn shown(text: &str) -> Vec<String> {
        let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        regions(text)
            .iter()
            .map(|r| {
                let (file, id) = (text_of(&r.file), text_of(&r.build_id));
                format!("{:x} {:x} {:x} {file} {id}", r.start, r.limit, r.offset)
            })
            .collect()
    }

    #[test]
    fn lines_of_proc_maps_and_of_the_short_form_are_read() {
        let list = "\
            00400000-0047b000 r-xp 00001000 fc:00 9984  /bin/prog (deleted)\n\
            0047b000-0047d000 rw-p 00001000 fc:00 9984  /bin/prog\n\
            7f00-7f10 r-xs 00002000 fc:00 1  /lib/libc.so.6\n\
            0x8000-0x9000 /bin/other (@FF00) abc123456\n\
            a000-b000: [vdso]\n\
            c000-d000\n\
            no mapping\n";
        assert_eq!(
            shown(list),
            [
                "400000 47b000 1000 /bin/prog ",
                "7f00 7f10 2000 /lib/libc.so.6 ",
                "8000 9000 ff00 /bin/other abc123456",
                "a000 b000 0 [vdso] ",
                "c000 d000 0  ",
            ]
        );
    }

    #[test]
    fn pieces_are_joined_and_the_program_comes_first() {
        let list = "\
            1000-2000: /lib/liba.so\n\
            5000-6000 r-xp 00001000 0:0 0 /bin/prog\n\
            6000-7000 r-xp 00002000 0:0 0 /bin/prog\n\
            7000-8000 r-xp 00009000 0:0 0 /bin/prog\n";
        assert_eq!(
            shown(list),
            [
                "5000 7000 1000 /bin/prog ",
                "1000 2000 0 /lib/liba.so ",
                "7000 8000 9000 /bin/prog ",
            ]
        );
    }

    #[test]
    fn names_stand_for_texts_and_logs_are_left_off() {
        let list = "\
            build=/path/to/binary\n\
            I0214 12:00:00.000000 17 profiler.cc:81] 40000-80000: $build\n";
        assert_eq!(shown(list), ["40000 80000 0 /path/to/binary "]);
    }

    #[test]
    fn names_that_stand_for_one_another_do_not_grow_without_end() {
        let mut list = String::from("a0=xxxxxxxxxxxxxxxx\n");
        for n in 1..60 {
            let last = format!("$a{}", n - 1);
            list += &format!("a{n}={last}{last}{last}{last}\n");
        }
        list += "1000-2000: $a59\n";
        let mut notes = Notes::new();
        read(Lines::of(list.as_bytes()), &mut notes);
        assert!(notes.count("bad-line") > 0);
    }

    #[test]
    fn addresses_are_found_in_regions_that_are_mended_on_the_way() {
        let mut regions = regions(
            "401000-402000 r-xp 00001000 0:0 0 /bin/prog\n\
             9000-a000 r-xp 00001000 0:0 0 /lib/liba.so\n",
        );
        let located = locate([0x400010, 0x8010, 0x9010, 7, 0].into_iter(), &mut regions);
        assert_eq!((regions[0].start, regions[0].offset), (0x400000, 0));
        assert_eq!((regions[1].start, regions[1].offset), (0x8000, 0));
        assert_eq!(located[&0x400010], 0);
        assert_eq!((located[&0x8010], located[&0x9010]), (1, 1));
        assert_eq!((located[&7], regions[2].limit), (2, u64::MAX));
        assert!(!located.contains_key(&0));
    }

    /// What google/pprof does: it looks at all regions for every address.
    fn one_by_one(address: u64, regions: &mut [Region]) -> Option<usize> {
        let holds = |region: &Region| region.start <= address && address < region.limit;
        let would_hold = |region: &Region| {
            let from = region.start.wrapping_sub(region.offset);
            region.offset != 0 && from <= address && address < region.start
        };
        regions.iter().position(holds).or_else(|| {
            let number = regions.iter().position(would_hold)?;
            regions[number].extend_to_file_start();
            Some(number)
        })
    }

    proptest! {
        #[test]
        fn an_address_lies_in_the_first_region_that_holds_it(
            regions in vec((1u64..60, 1u64..20, 0u64..30), 0..12),
            addresses in vec(1u64..90, 1..60),
        ) {
            let region = |(start, length, offset): (u64, u64, u64)| Region {
                start,
                limit: start + length,
                offset,
                ..Region::default()
            };
            let mut ours: Vec<Region> = regions.into_iter().map(region).collect();
            let mut theirs = ours.clone();
            let known = ours.len();
            let located = locate(addresses.iter().copied(), &mut ours);
            // Each address is looked for once.
            let mut seen = HashSet::new();
            for address in addresses.into_iter().filter(|address| seen.insert(*address)) {
                let expected = one_by_one(address, &mut theirs).unwrap_or(known);
                prop_assert_eq!(located[&address], expected);
            }
            prop_assert_eq!(&ours[..known], &theirs[..]);
        }
    }
}
