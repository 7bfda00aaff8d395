//! What a format is: a value that says what it is called, what it keeps, and how to recognise,
//! read and write it.

use std::borrow::Cow;
use std::io::Write;

use plop_core::{Error, Features, Notes, Profile, Result};

use crate::head::Head;
use crate::source::Source;

/// How sure a format is that an input is its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Confidence {
    /// It cannot be.
    No,
    /// Nothing speaks against it.
    Maybe,
    /// It looks like it.
    Likely,
    /// It carries the format's own mark.
    Certain,
}

/// What the bytes of a format are, as far as the rest of the program must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Text.
    Text,
    /// A picture, as text: made for people, and drawn by function unless lines are asked for.
    Picture,
    /// Bytes that are compressed with gzip already.
    Gzip,
}

/// A profile format. Adding one means a value of this type in a file of its own under `formats/`,
/// its name in the list of [`formats`](crate::formats), and a folder of fixtures.
pub struct Format {
    /// The name: what `-f` and `--from` take, and what messages say.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// One line for `plop formats`, `--help` and the README.
    pub about: &'static str,
    /// File name endings, the usual one first, without the leading dot.
    pub extensions: &'static [&'static str],
    /// What its bytes are.
    pub content: Content,
    /// What survives `write` and then `read`.
    pub keeps: Features,
    /// Whether an input looks like this format. It never fails: what cannot be told is `No`.
    pub detect: fn(&Head) -> Confidence,
    /// Reads an input that is known to be of this format. Errors are final and carry a place.
    pub read: Read,
    /// What else writing does to a profile that has already lost what the format does not keep:
    /// names that cannot be written as they are, frames that become one. `None` when the profile
    /// fits as it is. What it changes, it notes. The law is
    /// `read(write(p)) == fit(p.keeping(keeps))`.
    pub fit: fn(&Profile, &mut Notes) -> Option<Profile>,
    /// Writes profiles that fit. Several only if the format keeps [`Features::MANY`].
    pub write: Option<WriteFn>,
}

/// How a format is read.
#[derive(Clone, Copy)]
pub enum Read {
    /// It is not.
    Never,
    /// From all of its bytes.
    Whole(ReadFn),
    /// Part by part, so that a large file never is in memory.
    Parts(ReadPartsFn),
}

/// The reading function of a format that wants all bytes.
pub type ReadFn = fn(&[u8], &ReadOptions, &mut Notes) -> Result<Vec<Profile>>;

/// The reading function of a format that asks for the parts it wants.
pub type ReadPartsFn = fn(&dyn Source, &ReadOptions, &mut Notes) -> Result<Vec<Profile>>;

/// The writing function of a format.
pub type WriteFn = fn(&[&Profile], &mut dyn Write) -> std::io::Result<()>;

/// For formats in which whatever they keep fits as it is.
pub fn fits(_: &Profile, _: &mut Notes) -> Option<Profile> {
    None
}

/// What a reader may have to be told.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions<'a> {
    /// The file's name, which decides between formats only where the content does not.
    pub name: &'a str,
    /// The most bytes that a compressed input may become.
    pub max_inflated: u64,
    /// Add up stacks that a `.plop` file lists twice, where a dictionary keeps the last.
    pub sum_duplicates: bool,
    /// How many inputs are read at the same time, this one among them, by all threads together: each is read in fewer
    /// pieces then, which need not be joined.
    pub at_once: usize,
    /// Counts the bytes that have been read so far, for a progress display.
    pub progress: Option<&'a std::sync::atomic::AtomicU64>,
}

/// The default of [`ReadOptions::max_inflated`]: 1 GiB.
pub const MAX_INFLATED: u64 = 1 << 30;

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        ReadOptions {
            name: "",
            max_inflated: MAX_INFLATED,
            sum_duplicates: false,
            at_once: 1,
            progress: None,
        }
    }
}

impl ReadOptions<'_> {
    /// Tells the progress display that `bytes` more have been read.
    pub fn advance(&self, bytes: usize) {
        if let Some(progress) = self.progress {
            progress.fetch_add(bytes as u64, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

impl Format {
    /// Whether plop reads it.
    pub fn is_read(&self) -> bool {
        !matches!(self.read, Read::Never)
    }

    /// Whether `name` means this format, by its name or an alias.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// The longest of this format's endings that a file name has, a `.gz` behind it left aside.
    pub fn extension_of(&self, file: &str) -> Option<&'static str> {
        let file = file.to_ascii_lowercase();
        let file = file.strip_suffix(".gz").unwrap_or(&file);
        let ends = |extension: &&&str| {
            let stem = file.strip_suffix(**extension);
            stem.is_some_and(|stem| stem.ends_with('.'))
        };
        (self.extensions.iter().filter(ends).copied()).max_by_key(|extension| extension.len())
    }

    /// What writing these profiles in this format loses.
    pub fn losses(&self, profiles: &[Profile]) -> Features {
        let features: Features = profiles.iter().map(Profile::features).collect();
        features - self.keeps
    }

    /// Gets profiles ready to be written: whatever the format cannot hold is taken off, and the
    /// rest made to fit.
    ///
    /// # Errors
    /// When the format cannot be written, cannot hold several profiles or negative values, or is a
    /// picture and there is nothing to draw.
    pub fn prepare<'p>(&self, profiles: &'p [Profile], notes: &mut Notes) -> Result<Prepared<'p>> {
        let write = self
            .write
            .ok_or_else(|| Error::new(format!("plop reads {} but does not write it", self.name)))?;
        if profiles.len() > 1 && !self.keeps.contains(Features::MANY) {
            return Err(Error::new(format!(
                "{} holds one profile, and there are {}",
                self.name,
                profiles.len()
            ))
            .hint("choose one with --profile N, or add them up with `plop merge`"));
        }
        let losses = self.losses(profiles);
        for profile in profiles {
            note_default_of_zero(profile, losses, notes);
        }
        let several = profiles.iter().any(|profile| profile.values.len() > 1);
        if losses.contains(Features::NEGATIVE) {
            let others = match several {
                true => "; or choose another value with --value",
                false => "",
            };
            return Err(
                Error::new(format!("{} cannot hold values below zero", self.name)).hint(format!(
                    "these can: {}{others}",
                    holders(Features::NEGATIVE)
                )),
            );
        }
        let nothing = |profile: &Profile| profile.total(profile.default_value) == 0;
        if self.content == Content::Picture && profiles.iter().all(nothing) {
            let error = Error::new("there is nothing to draw: the samples add up to 0");
            return Err(match several {
                true => error.hint("choose another value with --value; `plop info` lists them"),
                false => error,
            });
        }
        let profiles = profiles
            .iter()
            .map(|profile| {
                let kept = match losses.is_empty() {
                    true => Cow::Borrowed(profile),
                    false => Cow::Owned(profile.keeping(self.keeps)),
                };
                match (self.fit)(&kept, notes) {
                    Some(fitted) => Cow::Owned(fitted),
                    None => kept,
                }
            })
            .collect();
        Ok(Prepared {
            profiles,
            losses,
            write,
        })
    }

    /// Writes profiles; returns what was lost. `notes` says what else was changed.
    ///
    /// # Errors
    /// When the format cannot hold what it is given (see [`Format::prepare`]), or `out` fails.
    pub fn write(
        &self,
        profiles: &[Profile],
        out: &mut dyn Write,
        notes: &mut Notes,
    ) -> std::result::Result<Features, WriteError> {
        let prepared = self.prepare(profiles, notes)?;
        prepared.write(out)?;
        Ok(prepared.losses)
    }
}

/// Notes that only a value is written that is 0 throughout, though another is not.
fn note_default_of_zero(profile: &Profile, losses: Features, notes: &mut Notes) {
    let default = profile.default_value;
    let is_zero = |value: usize| {
        let values = profile.samples.values().iter().skip(value);
        values
            .step_by(profile.values.len())
            .all(|value| *value == 0)
    };
    let others = || (0..profile.values.len()).any(|value| !is_zero(value));
    if losses.contains(Features::VALUES) && profile.values.len() > 1 && is_zero(default) && others()
    {
        notes.add("zero-value", None, || {
            format!(
                "the value that is written, {}, is 0 throughout; --value chooses another",
                profile.values[default].kind
            )
        });
    }
}

/// The names of the formats that can be written and keep a feature.
fn holders(feature: Features) -> String {
    let names: Vec<_> = (crate::formats().iter())
        .filter(|format| format.write.is_some() && format.keeps.contains(feature))
        .map(|format| format.name)
        .collect();
    names.join(", ")
}

/// Profiles that are ready to be written in a format.
pub struct Prepared<'p> {
    /// What reading the output will give back.
    pub profiles: Vec<Cow<'p, Profile>>,
    /// What the format has no room for.
    pub losses: Features,
    write: WriteFn,
}

impl Prepared<'_> {
    /// Writes the profiles.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let profiles: Vec<&Profile> = self.profiles.iter().map(|profile| &**profile).collect();
        (self.write)(&profiles, out)
    }
}

/// Why writing failed.
#[derive(Debug)]
pub enum WriteError {
    /// The format cannot hold what it was given.
    Format(Error),
    /// The output could not take the bytes.
    Output(std::io::Error),
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError::Format(error)
    }
}

impl From<std::io::Error> for WriteError {
    fn from(error: std::io::Error) -> Self {
        WriteError::Output(error)
    }
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WriteError::Format(error) => error.fmt(f),
            WriteError::Output(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WriteError {}
