//! Input files: named, or standard input, read and parsed.

use std::collections::HashMap;
use std::io::{IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use plop_convert::{Format, Loaded, ReadOptions, Source, find, formats};
use rayon::prelude::*;

use crate::args::Settings;
use crate::progress::Progress;
use crate::tell::tell;

/// Which files to read, and how.
#[derive(clap::Args)]
pub(crate) struct InputArgs {
    /// Profiles to read; `-` is standard input, which is also read when nothing is named
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: ReadArgs,
}

/// How files are read.
#[derive(clap::Args)]
pub(crate) struct ReadArgs {
    /// The format of the input, where its content does not tell
    #[arg(long, value_name = "FORMAT", value_parser = format_parser(|format| format.is_read()))]
    from: Option<&'static Format>,
    /// Add up the counts of a stack that a .plop file lists twice; Python keeps the last
    #[arg(long)]
    sum_duplicates: bool,
    /// The most that a compressed input may inflate to
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = crate::args::bytes)]
    max_inflated: u64,
}

/// One input, read.
pub(crate) struct Input {
    /// Its name for people: the path, or `<stdin>`.
    pub(crate) name: String,
    pub(crate) loaded: Loaded,
    /// How many profiles it holds.
    pub(crate) holds: usize,
}

impl InputArgs {
    /// The files, standard input where none is named and something is piped in.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        if !self.files.is_empty() {
            return Ok(self.files.clone());
        }
        if std::io::stdin().is_terminal() {
            bail!("no input (name a file, or pipe a profile in)");
        }
        Ok(vec![PathBuf::from("-")])
    }

    /// Reads every input, several at a time; the first that fails is told.
    pub(crate) fn read_all(&self, settings: &Settings) -> Result<Vec<Input>> {
        self.read_each(settings)?.into_iter().collect()
    }

    /// Reads every input, several at a time, in the order of the command line.
    pub(crate) fn read_each(&self, settings: &Settings) -> Result<Vec<Result<Input>>> {
        self.read_these(&self.files()?, settings)
    }

    /// Reads files as if they had been named, several at a time.
    pub(crate) fn read_these(
        &self,
        files: &[PathBuf],
        settings: &Settings,
    ) -> Result<Vec<Result<Input>>> {
        self.reading.read_these(files, settings)
    }
}

impl ReadArgs {
    /// Reads files, several at a time.
    pub(crate) fn read_these(
        &self,
        files: &[PathBuf],
        settings: &Settings,
    ) -> Result<Vec<Result<Input>>> {
        if files.iter().filter(|file| is_stdin(file)).count() > 1 {
            bail!("standard input can be read once, but `-` is named twice");
        }
        let done = Arc::new(AtomicU64::new(0));
        let total = files
            .iter()
            .filter_map(|file| file.metadata().ok())
            .map(|m| m.len())
            .sum();
        let _progress = Progress::start("reading", &done, total, settings);
        Ok(files
            .par_iter()
            .map(|file| self.read(file, files.len(), &done, settings))
            .collect())
    }

    fn read(
        &self,
        file: &Path,
        at_once: usize,
        done: &AtomicU64,
        settings: &Settings,
    ) -> Result<Input> {
        let name = match is_stdin(file) {
            true => "<stdin>".to_owned(),
            false => file.display().to_string(),
        };
        let started = Instant::now();
        let bytes = bytes_of(file).with_context(|| format!("cannot read {name}"))?;
        let options = ReadOptions {
            name: &name,
            max_inflated: self.max_inflated,
            sum_duplicates: self.sum_duplicates,
            at_once,
            progress: Some(done),
        };
        let loaded = plop_convert::read_source(&bytes, self.from, &options)
            .with_context(|| format!("cannot read {name}"))?;
        if settings.verbose {
            tell!(
                "{name}: {} bytes of {} read in {:.3} s",
                bytes.len(),
                loaded.format.name,
                started.elapsed().as_secs_f64()
            );
        }
        Ok(Input {
            name,
            holds: loaded.profiles.len(),
            loaded,
        })
    }
}

/// A file that was named before, perhaps by another name.
pub(crate) struct NamedTwice {
    /// Which of the files it is, both times.
    pub(crate) places: [usize; 2],
    /// What it is called, for people.
    pub(crate) named: String,
}

/// The first file that was named before, whatever links lead there.
pub(crate) fn named_twice(files: &[PathBuf]) -> Option<NamedTwice> {
    let mut met: HashMap<Identity, usize> = HashMap::new();
    files.iter().enumerate().find_map(|(n, file)| {
        let first = met.insert(identity(file), n)?;
        let other = &files[first];
        let named = match other == file {
            true => file.display().to_string(),
            false => format!("{}, which is {},", file.display(), other.display()),
        };
        Some(NamedTwice {
            places: [first, n],
            named,
        })
    })
}

/// Whether two paths are of one file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    identity(one) == identity(other)
}

/// Which file a path names, whatever links lead there.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Inode(u64, u64),
    /// Of a file that cannot be looked at.
    Path(PathBuf),
}

fn identity(file: &Path) -> Identity {
    match file.metadata() {
        Ok(found) => Identity::Inode(found.dev(), found.ino()),
        Err(_) => Identity::Path(file.to_owned()),
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// A file that is read part by part, or what came out of a pipe.
enum Bytes {
    #[cfg(unix)]
    In(std::fs::File, u64),
    Here(Vec<u8>),
}

impl Source for Bytes {
    fn len(&self) -> u64 {
        match self {
            #[cfg(unix)]
            Bytes::In(_, len) => *len,
            Bytes::Here(bytes) => bytes.len() as u64,
        }
    }

    fn read_at(&self, at: u64, part: &mut [u8]) -> std::io::Result<()> {
        match self {
            #[cfg(unix)]
            Bytes::In(file, _) => std::os::unix::fs::FileExt::read_exact_at(file, part, at),
            Bytes::Here(bytes) => bytes.as_slice().read_at(at, part),
        }
    }
}

fn bytes_of(path: &Path) -> Result<Bytes> {
    if is_stdin(path) {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(Bytes::Here(bytes));
    }
    if path.is_dir() {
        bail!("it is a folder; name the files in it");
    }
    open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow!("there is no such file"),
        _ => error.into(),
    })
}

fn open(path: &Path) -> std::io::Result<Bytes> {
    let mut file = std::fs::File::open(path)?;
    #[cfg(unix)]
    if let meta = file.metadata()?
        && meta.is_file()
        && meta.len() > 0
    {
        return Ok(Bytes::In(file, meta.len()));
    }
    // Files of /proc say that they are empty.
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Bytes::Here(bytes))
}

/// A parser of format names, for options: the formats that `fits` is true for, by name or alias.
pub(crate) fn format_parser(
    fits: fn(&Format) -> bool,
) -> impl TypedValueParser<Value = &'static Format> {
    format_names(fits)
        .try_map(|name| find(&name).ok_or_else(|| format!("no format is called `{name}`")))
}

/// The same for options that have to know by which name a format was called.
pub(crate) fn format_names(fits: fn(&Format) -> bool) -> PossibleValuesParser {
    let names = formats()
        .iter()
        .filter(move |format| fits(format))
        .map(|format| {
            PossibleValue::new(format.name)
                .aliases(format.aliases)
                .help(format.about)
        });
    PossibleValuesParser::new(names)
}
