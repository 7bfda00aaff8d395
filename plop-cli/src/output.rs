//! Output files: standard output, or a file that is there whole or not at all.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use flate2::{Compression, write::GzEncoder};
use plop_convert::{Content, Format, Prepared, find, for_file, formats};

use crate::args::Settings;
use crate::input::format_names;
use crate::progress::Progress;

/// Where to write, and in which format.
#[derive(clap::Args)]
pub(crate) struct OutputArgs {
    /// Where to write; `-` is standard output. A name ending in .gz is compressed, pprof always
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format to write; without it, the ending of the output's name decides
    #[arg(short, long, value_name = "FORMAT", value_parser = format_names(|format| format.write.is_some()))]
    pub(crate) format: Option<String>,
    /// Compress the output with gzip, whatever its name
    #[arg(long)]
    pub(crate) gzip: bool,
    /// Fail with exit code 2, and write nothing, if anything is lost or changed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print what was read, written and lost as JSON on stdout (needs -o FILE)
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where output goes, settled.
pub(crate) struct Output {
    pub(crate) format: &'static Format,
    /// `None` is standard output.
    pub(crate) file: Option<PathBuf>,
    gzip: bool,
    /// Whether a file that is there is replaced, or an error.
    replace: bool,
}

impl OutputArgs {
    /// Settles the output; `default` is the format where nothing tells.
    pub(crate) fn settle(&self, default: Option<&str>) -> Result<Output> {
        let file = self.output.clone().filter(|file| !is_stdout(file));
        let by_name = file
            .as_ref()
            .and_then(|file| for_file(&file.to_string_lossy()));
        let format = match (self.format(by_name), &file) {
            (Some(format), _) => format,
            (None, Some(file)) => match (by_name, default.and_then(find)) {
                (Some(format), _) | (None, Some(format)) => format,
                (None, None) => bail!(
                    "cannot tell the format from the name {} (choose one with -f: {})",
                    file.display(),
                    writable()
                ),
            },
            (None, None) => default
                .and_then(find)
                .ok_or_else(|| anyhow!("say which format to write with -f: {}", writable()))?,
        };
        let compressed = format.content == Content::Gzip;
        let gz = |file: &PathBuf| file.extension().is_some_and(|end| end == "gz");
        let gzip = !compressed && (self.gzip || file.as_ref().is_some_and(gz));
        let asked_for_stdout = self.output.is_some();
        if self.json && file.is_none() {
            bail!(
                "--json prints its answer on stdout, so the profile must go elsewhere (name a file with -o)"
            );
        }
        if file.is_none() && (gzip || compressed) && !asked_for_stdout && io::stdout().is_terminal()
        {
            bail!(
                "compressed output is not for a terminal (name a file with -o, or -o - to insist)"
            );
        }
        Ok(Output {
            format,
            file,
            gzip,
            replace: true,
        })
    }

    /// The format that was asked for. `flamegraph` is folded stacks, as in the original Plop, unless
    /// the output is named as a picture is.
    fn format(&self, by_name: Option<&'static Format>) -> Option<&'static Format> {
        let asked = self.format.as_deref()?;
        by_name
            .filter(|format| asked == "flamegraph" && format.content == Content::Picture)
            .or_else(|| find(asked))
    }
}

fn writable() -> String {
    let names: Vec<&str> = formats()
        .iter()
        .filter(|f| f.write.is_some())
        .map(|f| f.name)
        .collect();
    names.join(", ")
}

impl Output {
    /// The name for people.
    pub(crate) fn name(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "<stdout>".into(),
        }
    }

    /// The ending of a file's name that tells format and compression.
    pub(crate) fn ending(&self) -> String {
        let ending = self.format.extensions.first().unwrap_or(&self.format.name);
        format!("{ending}{}", if self.gzip { ".gz" } else { "" })
    }

    /// The same format and compression, into another file.
    pub(crate) fn to_file(&self, file: PathBuf) -> Output {
        Output {
            format: self.format,
            file: Some(file),
            gzip: self.gzip,
            replace: self.replace,
        }
    }

    /// The same, where a file that is there is replaced, or else an error of the kind
    /// [`io::ErrorKind::AlreadyExists`].
    pub(crate) fn replacing(self, replace: bool) -> Output {
        Output { replace, ..self }
    }

    /// Writes what was prepared; returns how many bytes went out.
    pub(crate) fn write(&self, prepared: &Prepared, settings: &Settings) -> Result<u64> {
        let bytes = Arc::new(AtomicU64::new(0));
        // On a terminal, what is written is progress enough.
        let shown = self.file.is_some() || !io::stdout().is_terminal();
        let _progress = shown.then(|| Progress::start("writing", &bytes, 0, settings));
        let put = |out: &mut dyn Write| -> io::Result<u64> {
            let mut counted = Counted { out, bytes: &bytes };
            if self.gzip {
                let mut gzip = GzEncoder::new(&mut counted, Compression::default());
                prepared.write(&mut gzip)?;
                gzip.finish()?;
            } else {
                prepared.write(&mut counted)?;
            }
            counted.flush()?;
            Ok(bytes.load(Ordering::Relaxed))
        };
        put_into(self.file.as_deref(), self.replace, put)
    }
}

/// Writes a text into a file, or to standard output.
pub(crate) fn write_text(file: Option<&Path>, text: &str) -> Result<()> {
    let bytes = put_into(file, true, |out| {
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(text.len() as u64)
    });
    bytes.map(|_| ())
}

/// Copies a file to where there is none yet.
pub(crate) fn copy_new(from: &Path, to: &Path) -> Result<()> {
    let mut from =
        std::fs::File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    let copy = |out: &mut dyn Write| {
        let bytes = io::copy(&mut from, out)?;
        out.flush()?;
        Ok(bytes)
    };
    put_into(Some(to), false, copy).map(|_| ())
}

fn put_into(
    file: Option<&Path>,
    replace: bool,
    put: impl FnOnce(&mut dyn Write) -> io::Result<u64>,
) -> Result<u64> {
    let written = match file {
        None => put(&mut BufWriter::new(io::stdout().lock())).map_err(anyhow::Error::from),
        Some(file) if is_special(file) => {
            let open = std::fs::OpenOptions::new().append(true).open(file);
            open.and_then(|file| put(&mut BufWriter::new(file)))
                .map_err(anyhow::Error::from)
        }
        Some(file) => put_whole(file, replace, put),
    };
    let name = || file.map_or("<stdout>".into(), |file| file.display().to_string());
    written.with_context(|| format!("cannot write {}", name()))
}

/// Whether a path is a device, a pipe or the like, which is written to as it is; a file is replaced.
pub(crate) fn is_special(file: &Path) -> bool {
    is_descriptor(file)
        || file
            .metadata()
            .is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// Whether a path names an open descriptor. What is behind it may be a file that others write to, too:
/// it is added to, never replaced.
fn is_descriptor(file: &Path) -> bool {
    file.starts_with("/dev/fd")
        || file.starts_with("/proc/self/fd")
        || file == Path::new("/dev/stderr")
}

/// Whether a path is another name of standard output.
pub(crate) fn is_stdout(file: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .iter()
        .any(|name| file == Path::new(name))
}

/// Writes a file beside its final place and then puts it there, so that whoever looks finds the old
/// file or the new one, whole.
fn put_whole(
    file: &Path,
    replace: bool,
    put: impl FnOnce(&mut dyn Write) -> io::Result<u64>,
) -> Result<u64> {
    if file.is_dir() {
        bail!("it is a folder; name a file in it");
    }
    // A link stays a link: what it points to is replaced, or made.
    let target = match (file.canonicalize(), file.read_link()) {
        (Ok(target), _) => target,
        (Err(_), Ok(link)) => file.parent().unwrap_or(Path::new("")).join(link),
        (Err(_), Err(_)) => file.to_owned(),
    };
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        bail!("there is no folder {}", folder.display());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".plop-").suffix(".partial");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = target
            .metadata()
            .map_or(0o666, |meta| meta.permissions().mode() & 0o777);
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let mut partial = builder.tempfile_in(folder)?;
    let bytes = put(&mut BufWriter::new(partial.as_file_mut()))?;
    let there = match replace {
        true => partial.persist(&target),
        false => partial.persist_noclobber(&target),
    };
    there.map_err(|error| error.error)?;
    Ok(bytes)
}

/// Counts the bytes that pass.
struct Counted<'w> {
    out: &'w mut dyn Write,
    bytes: &'w AtomicU64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
