//! From the tables and samples of a pprof file to a profile.

use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use plop_core::{
    Error, Frame, FrameId, FrameKind, Function, FunctionId, LabelSet, LabelSetId, LabelValue,
    Mapping, MappingId, Notes, Period, Place, Profile, Result, Sample, SliceId, StackId, StrId,
    ThreadId, ValueType,
};

use super::decode::{Location, Tables, at};
use super::extra::{self, Extra};
use super::message;
use super::values;
use crate::format::ReadOptions;
use crate::formats::header;

/// The name of a function that a file refers to and does not have.
const UNKNOWN: &[u8] = b"[unknown]";

pub(super) fn read(input: &[u8], options: &ReadOptions, notes: &mut Notes) -> Result<Vec<Profile>> {
    let tables = Tables::decode(input, |bytes| options.advance(bytes))?;
    if let Some(place) = tables.second_profile {
        return Err(
            Error::expected("one profile", "a second one, written behind it")
                .at(Place::Byte(place as u64))
                .hint("cut the file, inflated, there; `plop merge` adds the parts up"),
        );
    }
    if let Some(first) = tables.strings.first().filter(|first| !first.is_empty()) {
        let error = Error::expected(
            "an empty string first in the string table",
            &plop_core::quoted(first),
        );
        return Err(tables.at_entry(error, 6, 0));
    }
    if tables.strings.is_empty() {
        return Err(Error::expected("a string table", "none"));
    }
    if tables.sample_types.is_empty() && tables.sample_count > 0 {
        return Err(Error::expected(
            "the type of at least one value",
            "samples without any",
        ));
    }
    let mut profile = Profile::new(values::read(&tables, notes)?);
    profile.default_value = values::default(
        &profile.values,
        &text(&tables, tables.default_sample_type, "the default", notes)?,
    );
    read_meta(&mut profile, &tables, notes)?;
    if tables.folded > 0 {
        notes.add_many("folded-locations", tables.folded, None, || {
            "locations say that functions of other lines were folded into them, which is not kept".into()
        });
    }
    if tables.sample_count == 0 {
        notes.add("no-samples", None, || "the file has no samples".into());
    }
    let mut builder = Builder::of(&tables, profile, notes)?;
    builder.add_mappings()?;
    let mut restored = None;
    if !tables.plop.is_empty() {
        match extra::parse(tables.plop, notes) {
            Some(extra) if extra.guard == builder.guard()? => {
                restored = builder.restore(extra, notes)?;
            }
            _ => notes.add("rewritten", None, || {
                "another program rewrote this file, so that what plop had noted of frames, threads, \
                 slices and the run does not fit and is left out"
                    .into()
            }),
        }
    }
    builder.samples(notes)?;
    let mut profile = builder.profile;
    if let Some(restored) = restored {
        values::restore(&mut profile, restored);
    }
    Ok(vec![profile])
}

/// A string as text, with a note where it is not UTF-8.
fn text(tables: &Tables, index: i64, what: &str, notes: &mut Notes) -> Result<String> {
    Ok(values::text(tables.string(index, what)?, notes))
}

fn read_meta(profile: &mut Profile, tables: &Tables, notes: &mut Notes) -> Result<()> {
    let meta = &mut profile.meta;
    meta.start_ns = Some(tables.time_nanos).filter(|ns| *ns != 0);
    meta.duration_ns = Some(tables.duration_nanos).filter(|ns| *ns != 0);
    let of = tables.period_type.unwrap_or_default();
    let kind = text(tables, of.kind, "the period", notes)?;
    let unit = text(tables, of.unit, "the period", notes)?;
    if tables.period != 0 || !kind.is_empty() || !unit.is_empty() {
        meta.period = Some(Period {
            of: ValueType::new(&kind, &unit),
            every: tables.period,
        });
    }
    tables.check_size(tables.comments.iter().copied(), "comments")?;
    for comment in &tables.comments {
        meta.comments
            .push(text(tables, *comment, "a comment", notes)?);
    }
    meta.drop_frames = text(tables, tables.drop_frames, "drop_frames", notes)?;
    meta.keep_frames = text(tables, tables.keep_frames, "keep_frames", notes)?;
    meta.doc_url = text(tables, tables.doc_url, "doc_url", notes)?;
    Ok(())
}

/// Rows of a table by the ids that the file gives them, which need be neither dense nor in order.
enum Rows {
    Dense(Vec<u32>),
    Sparse(HashMap<u64, u32, RandomState>),
}

/// "No row", in [`Rows::Dense`].
const NONE: u32 = u32::MAX;

impl Rows {
    /// Ids are told in the order of rows. `Err` is the row of an id that was there before; of several
    /// ids 0, which is reserved, the first counts.
    fn of(ids: impl ExactSizeIterator<Item = u64> + Clone) -> std::result::Result<Self, usize> {
        let largest = ids.clone().max().unwrap_or(0);
        if largest <= 4 * ids.len() as u64 + 1024 {
            let mut rows = vec![NONE; largest as usize + 1];
            for (row, id) in ids.enumerate() {
                match &mut rows[id as usize] {
                    free if *free == NONE => *free = row as u32,
                    _ if id == 0 => {}
                    _ => return Err(row),
                }
            }
            return Ok(Rows::Dense(rows));
        }
        let mut rows = HashMap::with_capacity_and_hasher(ids.len(), RandomState::default());
        for (row, id) in ids.enumerate() {
            if rows.try_insert(id, row as u32).is_err() && id != 0 {
                return Err(row);
            }
        }
        Ok(Rows::Sparse(rows))
    }

    #[inline]
    fn get(&self, id: u64) -> Option<usize> {
        let row = match self {
            Rows::Dense(rows) => usize::try_from(id).ok().and_then(|id| rows.get(id)),
            Rows::Sparse(rows) => rows.get(&id),
        };
        row.filter(|row| **row != NONE).map(|row| *row as usize)
    }
}

/// A profile while samples are added to it.
struct Builder<'t> {
    tables: &'t Tables<'t>,
    profile: Profile,
    locations: Rows,
    functions: Rows,
    mappings: Rows,
    /// The frames of each location once a sample has used it, its caller first: a stretch of `frames`.
    stretches: Vec<Option<Range<usize>>>,
    /// By the id of a location: its frame, where it has just one and was used before.
    single: Vec<u32>,
    frames: Vec<FrameId>,
    /// The strings that were used before; a long one is not to be looked up for every use.
    string_ids: Vec<Option<StrId>>,
    function_ids: Vec<Option<FunctionId>>,
    mapping_ids: Vec<Option<MappingId>>,
    unknown: Option<FunctionId>,
    /// The kind of every line of every location, if plop noted any.
    kinds: Vec<FrameKind>,
    /// Where in `kinds` each location's lines begin.
    kinds_of: Vec<usize>,
    labels: Labels,
}

/// What label sets of the file mean.
#[derive(Default)]
struct Labels {
    known: HashMap<Vec<message::Label>, Marks, RandomState>,
    /// The label by which plop names the thread, and the thread for each of its texts.
    thread: Option<(Vec<u8>, ThreadsByText)>,
    /// The label by which plop names the slice, and how many slices there are.
    slice: Option<(Vec<u8>, usize)>,
    /// What keys with texts mean that were met before.
    meanings: HashMap<(i64, i64), Meaning, RandomState>,
}

/// What a label means besides itself.
struct Meaning {
    thread: Option<ThreadId>,
    /// Of how many slices its number may name one.
    slices: usize,
}

type ThreadsByText = HashMap<Vec<u8>, ThreadId, RandomState>;

/// What the labels of a sample say.
#[derive(Clone, Copy, Default)]
struct Marks {
    labels: Option<LabelSetId>,
    thread: Option<ThreadId>,
    slice: Option<SliceId>,
}

impl<'t> Builder<'t> {
    fn of(tables: &'t Tables<'t>, profile: Profile, notes: &mut Notes) -> Result<Self> {
        let twice = |what: &str, id: u64| {
            Error::expected(
                &format!("every {what} once"),
                &format!("{what} {id} a second time"),
            )
        };
        let locations = Rows::of(tables.locations.iter().map(|location| location.id))
            .map_err(|row| &tables.locations[row])
            .map_err(|again| twice("location", again.id).at(Place::Byte(again.place as u64)))?;
        if let Some(row) = locations.get(0) {
            return Err(Error::expected("a location with an id above 0", "the id 0")
                .at(Place::Byte(tables.locations[row].place as u64)));
        }
        let functions = match (tables.functions.iter()).all(|function| function.id == 0) {
            true => Rows::of((0..tables.functions.len()).map(|row| row as u64 + 1)),
            false => Rows::of(tables.functions.iter().map(|function| function.id)),
        };
        let functions = functions
            .map_err(|row| tables.at_entry(twice("function", tables.functions[row].id), 5, row))?;
        let mappings = Rows::of(tables.mappings.iter().map(|mapping| mapping.id))
            .map_err(|row| tables.at_entry(twice("mapping", tables.mappings[row].id), 3, row))?;
        let zeros = (tables.functions.iter().map(|function| function.id))
            .chain(tables.mappings.iter().map(|mapping| mapping.id))
            .filter(|id| *id == 0)
            .count() as u64;
        if zeros > 0 {
            notes.add_many("id-zero", zeros, None, || {
                "functions or mappings have the id 0, which is reserved; where no function has another, \
                 they are numbered in their order"
                    .into()
            });
        }
        Ok(Builder {
            tables,
            profile,
            functions,
            mappings,
            stretches: vec![None; tables.locations.len()],
            single: match &locations {
                Rows::Dense(rows) => vec![NONE; rows.len()],
                Rows::Sparse(_) => Vec::new(),
            },
            frames: Vec::new(),
            string_ids: vec![None; tables.strings.len()],
            function_ids: vec![None; tables.functions.len()],
            mapping_ids: vec![None; tables.mappings.len()],
            unknown: None,
            kinds: Vec::new(),
            kinds_of: Vec::new(),
            labels: Labels::default(),
            locations,
        })
    }

    /// The check sum that tells whether the file is as plop wrote it.
    fn guard(&self) -> Result<u32> {
        let mut guard = extra::Guard::new();
        for location in &self.tables.locations {
            let lines = &self.tables.lines[location.lines.clone()];
            guard.location(location.address, lines.len());
            for line in lines {
                let name = match self.functions.get(line.function_id) {
                    Some(row) => {
                        let name = self.tables.functions[row].name;
                        self.tables.string(name, "a function")?
                    }
                    None => UNKNOWN,
                };
                guard.line(name, line.line);
            }
        }
        Ok(guard.sum(self.tables.sample_count))
    }

    /// Takes in what plop's own note says; returns the value types, for later.
    fn restore(&mut self, extra: Extra, notes: &mut Notes) -> Result<Option<values::Restored>> {
        let profile = &mut self.profile;
        let native = std::mem::take(&mut profile.meta);
        profile.meta = extra.header.meta;
        let meta = &mut profile.meta;
        meta.start_ns = meta.start_ns.or(native.start_ns);
        meta.duration_ns = meta.duration_ns.or(native.duration_ns);
        meta.period = meta.period.take().or(native.period);
        meta.comments = native.comments;
        meta.drop_frames = native.drop_frames;
        meta.keep_frames = native.keep_frames;
        meta.doc_url = native.doc_url;
        profile.slices = extra.slices;
        let count = profile.slices.len();
        self.labels.slice = extra.slice_label.map(|key| (key, count));
        if let Some(key) = extra.thread_label {
            let texts = header::thread_texts(&extra.header.threads);
            let threads = header::threads(profile, &extra.header.threads);
            let texts = texts.into_iter().zip(threads);
            let texts = texts.filter_map(|(text, thread)| Some((text?, thread)));
            self.labels.thread = Some((key, texts.collect()));
        }
        let mut lines = 0;
        self.kinds_of = (self.tables.locations.iter())
            .map(|location| {
                let first = lines;
                lines += location.lines.len().max(1);
                first
            })
            .collect();
        let counted = (extra.kinds.iter()).try_fold(0usize, |sum, (_, n)| sum.checked_add(*n));
        if counted == Some(lines) {
            let runs = extra.kinds.into_iter();
            self.kinds = runs
                .flat_map(|(kind, n)| std::iter::repeat_n(kind, n))
                .collect();
        } else if !extra.kinds.is_empty() {
            notes.add("rewritten", None, || {
                "plop's note of what sort its frames are does not fit and is left out".into()
            });
        }
        Ok(extra.header.told_values.then_some(values::Restored {
            values: extra.header.values,
            default: extra.header.default_value,
        }))
    }

    fn samples(&mut self, notes: &mut Notes) -> Result<()> {
        let tables = self.tables;
        let stride = tables.sample_types.len();
        self.profile.samples.reserve(tables.most_samples());
        let mut inlined_left = tables.most_inlined();
        // The locations of the sample before, from the root, and how far each led. Neighbours often
        // share their callers.
        let mut path: Vec<(u64, StackId)> = Vec::new();
        let mut last = (Vec::new(), Marks::default());
        tables.each_sample(|place, row| {
            if row.value.len() != stride {
                let found = format!("{} in a sample", row.value.len());
                return Err(Error::expected(&format!("{stride} values"), &found))
                    .map_err(at(place));
            }
            let ids = || row.location_id.iter().rev();
            let shared = (path.iter().zip(ids()))
                .take_while(|((known, _), id)| known == *id)
                .count();
            path.truncate(shared);
            let mut stack = path.last().map_or(StackId::ROOT, |(_, stack)| *stack);
            for id in ids().skip(shared) {
                match self.single.get(*id as usize) {
                    Some(frame) if *frame != NONE => {
                        let frame = FrameId::new(*frame as usize);
                        stack = self.profile.stacks.push(stack, frame);
                    }
                    _ => {
                        let frames = self.location(*id, notes).map_err(at(place))?;
                        inlined_left = (inlined_left.checked_sub(frames.len() - 1))
                            .ok_or_else(|| {
                                Error::new("locations of many lines stand in too many stacks")
                            })
                            .map_err(at(place))?;
                        for frame in frames {
                            stack = self.profile.stacks.push(stack, self.frames[frame]);
                        }
                    }
                }
                path.push((*id, stack));
            }
            if row.label != last.0 {
                last.0.clone_from(&row.label);
                last.1 = self.marks(&row.label, notes).map_err(at(place))?;
            }
            self.profile.samples.push(Sample {
                stack,
                values: &row.value,
                thread: last.1.thread,
                labels: last.1.labels,
                slice: last.1.slice,
                time_ns: None,
            });
            Ok(())
        })
    }

    /// The frames of the location of an id, its caller first.
    fn location(&mut self, id: u64, notes: &mut Notes) -> Result<Range<usize>> {
        let row = (self.locations.get(id)).ok_or_else(|| {
            Error::expected(
                "a location of the file",
                &format!("location {id}, which it lacks"),
            )
        })?;
        if let Some(stretch) = &self.stretches[row] {
            return Ok(stretch.clone());
        }
        self.new_location(row, notes)
    }

    fn new_location(&mut self, row: usize, notes: &mut Notes) -> Result<Range<usize>> {
        let tables = self.tables;
        let location: &Location = &tables.locations[row];
        let first = self.frames.len();
        let mapping = self.mapping(location.mapping_id, notes)?;
        let address = location.address;
        let kinds = self.kinds_of.get(row).copied().unwrap_or(0);
        let lines = &tables.lines[location.lines.clone()];
        for (n, line) in lines.iter().enumerate().rev() {
            let function = self.function(line.function_id, notes)?;
            let frame = Frame {
                function,
                line: line.line,
                column: u32::try_from(line.column).unwrap_or(0),
                address,
                mapping,
                inlined: n + 1 < lines.len(),
                kind: self.kinds.get(kinds + n).copied().unwrap_or_default(),
            };
            self.frames.push(self.profile.frames.intern(frame));
        }
        if lines.is_empty() {
            let name = super::address_name(address);
            let function = self.profile.function(name.as_bytes(), b"");
            let frame = Frame {
                address,
                mapping,
                kind: self.kinds.get(kinds).copied().unwrap_or_default(),
                ..Frame::of(function)
            };
            self.frames.push(self.profile.frames.intern(frame));
        }
        let stretch = first..self.frames.len();
        self.stretches[row] = Some(stretch.clone());
        if let ([frame], Some(single)) = (
            &self.frames[first..],
            self.single.get_mut(location.id as usize),
        ) {
            *single = frame.index() as u32;
        }
        Ok(stretch)
    }

    /// The id of a string of the file.
    fn string(&mut self, index: i64, what: &str) -> Result<StrId> {
        let text = self.tables.string(index, what)?;
        let Some(known) = self.string_ids.get_mut(index as usize) else {
            return Ok(StrId::EMPTY);
        };
        Ok(*known.get_or_insert_with(|| self.profile.strings.intern(text)))
    }

    fn function(&mut self, id: u64, notes: &mut Notes) -> Result<FunctionId> {
        let Some(row) = self.functions.get(id) else {
            notes.add("no-function", None, || {
                "lines name a function that the file does not have; it is called [unknown]".into()
            });
            let profile = &mut self.profile;
            let unknown = self
                .unknown
                .get_or_insert_with(|| profile.function(UNKNOWN, b""));
            return Ok(*unknown);
        };
        if let Some(known) = self.function_ids[row] {
            return Ok(known);
        }
        let of = self.tables.functions[row];
        let name = self.string(of.name, "a function")?;
        let system_name = self.string(of.system_name, "a function")?;
        let file = self.string(of.filename, "a source file")?;
        let nameless = name == StrId::EMPTY && system_name != StrId::EMPTY;
        if nameless {
            notes.add("no-name", None, || super::NO_NAME.into());
        }
        let function = Function {
            name: if nameless { system_name } else { name },
            system_name,
            file,
            start_line: of.start_line,
        };
        let id = self.profile.functions.intern(function);
        self.function_ids[row] = Some(id);
        Ok(id)
    }

    fn mapping(&mut self, id: u64, notes: &mut Notes) -> Result<Option<MappingId>> {
        if id == 0 {
            return Ok(None);
        }
        let Some(row) = self.mappings.get(id) else {
            notes.add("no-mapping", None, || {
                "locations name a binary that the file does not have".into()
            });
            return Ok(None);
        };
        Ok(self.mapping_ids[row])
    }

    /// Takes in all binaries, in their order: the first is the main one.
    fn add_mappings(&mut self) -> Result<()> {
        let tables = self.tables;
        let mut mappings = Vec::with_capacity(tables.mappings.len());
        for (row, of) in tables.mappings.iter().enumerate() {
            let in_place = |error| tables.at_entry(error, 3, row);
            mappings.push(Mapping {
                file: self.string(of.filename, "a binary").map_err(in_place)?,
                build_id: self.string(of.build_id, "a build id").map_err(in_place)?,
                start: of.memory_start,
                limit: of.memory_limit,
                offset: of.file_offset,
            });
        }
        // One that says nothing is there to keep `go tool pprof` from looking for symbols.
        if !mappings.iter().all(super::says_nothing) {
            let ids = mappings
                .into_iter()
                .map(|mapping| Some(self.profile.mappings.intern(mapping)));
            self.mapping_ids = ids.collect();
        }
        Ok(())
    }

    fn marks(&mut self, labels: &[message::Label], notes: &mut Notes) -> Result<Marks> {
        if labels.is_empty() {
            return Ok(Marks::default());
        }
        if let Some(known) = self.labels.known.get(labels) {
            return Ok(*known);
        }
        let mut marks = Marks::default();
        let mut set = LabelSet::new();
        for label in labels {
            let key = self.tables.string(label.key, "a label")?;
            let value = self.tables.string(label.str, "a label")?;
            self.tables.string(label.num_unit, "a label's unit")?;
            let is_text = label.str != 0;
            let meaning = (self.labels.meanings)
                .entry((label.key, label.str))
                .or_insert_with(|| Meaning {
                    thread: (self.labels.thread.as_ref())
                        .filter(|(of, _)| is_text && of == key)
                        .and_then(|(_, threads)| threads.get(value).copied()),
                    slices: (self.labels.slice.as_ref())
                        .filter(|(of, _)| !is_text && of == key)
                        .map_or(0, |(_, count)| *count),
                });
            if meaning.thread.is_some() {
                marks.thread = meaning.thread;
                continue;
            }
            let slices = meaning.slices;
            if let Some(slice) = usize::try_from(label.num).ok().filter(|n| *n < slices) {
                marks.slice = Some(SliceId::new(slice));
                continue;
            }
            if is_text && label.num != 0 {
                notes.add("two-values", None, || {
                    "labels that have text and a number keep the text".into()
                });
            }
            let value = match is_text {
                true => LabelValue::Text(self.string(label.str, "a label")?),
                false => {
                    LabelValue::Number(label.num, self.string(label.num_unit, "a label's unit")?)
                }
            };
            set.push((self.string(label.key, "a label")?, value));
        }
        marks.labels = (!set.is_empty()).then(|| self.profile.label_sets.intern(set));
        self.labels.known.insert(labels.to_vec(), marks);
        Ok(marks)
    }
}
