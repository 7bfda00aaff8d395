//! `plop baseline accept`: a new profile is copied into the folder, one that lies there is called good, and what was
//! dropped comes back.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use plop_core::{Profile, one_run};

use super::change::change;
use super::index::{Index, NAME, Of, Settled};
use super::shelf::{Named, Shelf};
use super::{FolderArgs, print, told};
use crate::args::Settings;
use crate::commands::diff::baseline::found::{commit, service};
use crate::commands::diff::baseline::{flaw, short};
use crate::commands::diff::text::visible;
use crate::output::copy_new;
use crate::tell::tell;

/// The most of a name that becomes part of a file's name.
const LONGEST: usize = 60;

/// Put good deploys into a folder, or bring back what was dropped
///
/// A new profile is copied into the folder, under a name of its service, commit and time; no other file is written over.
/// It has to say which commit it is of, and must be of no other service than what lies there. What is there already is
/// not copied again. Where one name is wrong, nothing is filed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plop baseline accept profiles/shop new.plop\n  \
    plop baseline accept profiles/shop 9bd07e             brings a dropped deploy back")]
pub(super) struct Args {
    #[command(flatten)]
    folder: FolderArgs,
    /// Profiles; or commits of the folder, or the beginnings of their hashes
    #[arg(value_name = "FILE|COMMIT", required = true)]
    names: Vec<PathBuf>,
    /// A remark for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// A profile that is to be filed.
struct New {
    path: PathBuf,
    commit: String,
    /// Its name in the folder, without an ending.
    stem: String,
    ending: String,
}

pub(super) fn run(args: &Args, settings: &Settings) -> Result<()> {
    let folder = &args.folder.folder;
    ensure!(
        folder.is_dir(),
        "{0}: there is no such folder (mkdir -p {0} makes it)",
        folder.display()
    );
    let said = change(folder, |index| {
        let shelf = Shelf::read(&args.folder, index, settings)?;
        let (mut said, mut new) = (Vec::new(), Vec::<New>::new());
        let mut services = shelf.found.services();
        for name in &args.names {
            match shelf.named(name)? {
                Named::Commit(of) => back(&of, &shelf, index, args, &mut said),
                Named::Here(path) => {
                    let run = read(&path, args, settings)?.0;
                    checked(&path, &run, &services, &shelf, index)?;
                    call_good(shelf.file(path)?, index, args, &mut said);
                }
                Named::New(path) => {
                    let (run, ending) = read(&path, args, settings)?;
                    let commit = checked(&path, &run, &services, &shelf, index)?;
                    if let Some(there) = copy_of(&path, &shelf)? {
                        said.push(format!(
                            "{} is there already, as {}",
                            path.display(),
                            there.display()
                        ));
                        call_good(shelf.file(there)?, index, args, &mut said);
                        continue;
                    }
                    let is_same = |other: &New| is_equal(&path, &other.path).is_ok_and(|is| is);
                    if let Some(other) = new.iter().find(|other| is_same(other)) {
                        said.push(format!(
                            "{} is {} once more",
                            path.display(),
                            other.path.display()
                        ));
                        continue;
                    }
                    if let Some(flaw) = flaw(&run) {
                        tell!("{}: {}", visible(&path.display().to_string()), unfit(flaw));
                    }
                    services.extend(service(&run).filter(|of| !services.contains(of)));
                    new.push(New {
                        stem: stem(&run, &commit),
                        commit,
                        path,
                        ending,
                    });
                }
                Named::Gone(of) => bail!("{} is gone from {}", told(&of), shelf.name()),
            }
        }
        for new in new {
            let file = free(folder, &new);
            copy_new(&new.path, &folder.join(&file))?;
            said.push(format!(
                "{} is filed as {}",
                new.path.display(),
                folder.join(&file).display()
            ));
            let of = Of::File {
                file,
                commit: new.commit,
            };
            index.good.push(Settled::new(of, args.reason.as_deref()));
        }
        Ok(said)
    })?;
    print(&said)
}

/// A profile, and how its name should end.
fn read(path: &Path, args: &Args, settings: &Settings) -> Result<(Profile, String)> {
    let mut all = args
        .folder
        .reading
        .read_these(&[path.to_owned()], settings)?;
    let read = all.pop().context("one file is read")??;
    let name = path.to_string_lossy().to_lowercase();
    let format = read.loaded.format;
    let endings = format
        .extensions
        .iter()
        .flat_map(|end| [format!("{end}.gz"), (*end).to_owned()]);
    let ending = endings
        .into_iter()
        .find(|end| name.ends_with(&format!(".{end}")));
    let usual = || (*format.extensions.first().unwrap_or(&format.name)).to_owned();
    let run = one_run(read.loaded.profiles)
        .with_context(|| format!("cannot add up the profiles of {}", read.name))?;
    Ok((run, ending.unwrap_or_else(usual)))
}

/// The commit of a profile that nothing speaks against.
fn checked(
    path: &Path,
    run: &Profile,
    services: &[String],
    shelf: &Shelf,
    index: &Index,
) -> Result<String> {
    let name = path.display();
    let commit = commit(run).filter(|commit| !commit.is_empty());
    let commit = commit.with_context(|| {
        format!(
            "{name} does not say which commit it is of (record it in a checkout, or with --label commit=COMMIT)"
        )
    })?;
    let service = service(run);
    if let Some(service) = &service {
        ensure!(
            services.is_empty() || services.contains(service),
            "{name} is of {service}, and {} holds profiles of {} (name a folder of {service}'s own)",
            shelf.name(),
            services.join(", ")
        );
    }
    let dropped = |settled: &&Settled| settled.of.may_be_of(&commit, service.as_deref());
    if let Some(settled) = index.dropped.iter().find(dropped) {
        bail!(
            "{name} is of {}, which is dropped (plop baseline accept {} {} brings the whole deploy back)",
            settled.with_reason(short(&commit)),
            shelf.name(),
            short(&commit)
        );
    }
    Ok(commit)
}

fn counts_again(settled: &Settled, name: &str) -> String {
    let dropped = settled.with_reason(&format!("{name} was dropped"));
    format!("{dropped}, and counts again")
}

/// Brings a deploy back.
fn back(of: &Of, shelf: &Shelf, index: &mut Index, args: &Args, said: &mut Vec<String>) {
    let its = shelf.files_of(of);
    let is_meant = |settled: &Settled| match &settled.of {
        Of::File { .. } => its.iter().any(|of| of.file() == settled.of.file()),
        Of::Commit { service, .. } => of.is_of(settled.of.commit(), service.as_deref()),
    };
    let dropped: Vec<Settled> = index
        .dropped
        .iter()
        .filter(|settled| is_meant(settled))
        .cloned()
        .collect();
    index.dropped.retain(|settled| !is_meant(settled));
    for settled in &dropped {
        said.push(counts_again(settled, told(&settled.of)));
    }
    for file in its {
        list(file, index, args);
    }
    if dropped.is_empty() {
        said.push(format!("{} is good", told(of)));
    }
}

/// Calls a file of the folder good.
fn call_good(of: Of, index: &mut Index, args: &Args, said: &mut Vec<String>) {
    let is_it = |settled: &&Settled| settled.of.file() == of.file();
    match index.dropped.iter().find(is_it) {
        Some(settled) => said.push(counts_again(settled, told(&of))),
        None => said.push(format!("{} is good", told(&of))),
    }
    index
        .dropped
        .retain(|settled| settled.of.file() != of.file());
    list(of, index, args);
}

/// Names a file as good; one that is named so already keeps its time, unless there is more to say.
fn list(of: Of, index: &mut Index, args: &Args) {
    let reason = args.reason.as_deref();
    match index
        .good
        .iter_mut()
        .find(|settled| settled.of.file() == of.file())
    {
        Some(settled) if reason.is_some() => *settled = Settled::new(of, reason),
        Some(_) => {}
        None => index.good.push(Settled::new(of, reason)),
    }
}

fn unfit(flaw: &str) -> String {
    match flaw {
        "lost ticks" => {
            "it lost more than 5 % of its ticks, so plop diff will leave it out".to_owned()
        }
        _ => "it has fewer than 500 samples, so plop diff will leave it out".to_owned(),
    }
}

/// The file of the folder with the very same bytes.
fn copy_of(path: &Path, shelf: &Shelf) -> Result<Option<PathBuf>> {
    let length = path.metadata().map(|meta| meta.len()).ok();
    let alike = (shelf.place.files.iter())
        .filter(|file| file.metadata().is_ok_and(|meta| Some(meta.len()) == length));
    for file in alike {
        if is_equal(path, file).with_context(|| format!("cannot read {}", file.display()))? {
            return Ok(Some(file.clone()));
        }
    }
    Ok(None)
}

fn is_equal(one: &Path, other: &Path) -> std::io::Result<bool> {
    let mut bytes = [Vec::new(), Vec::new()];
    for (path, bytes) in [one, other].into_iter().zip(&mut bytes) {
        std::fs::File::open(path)?.read_to_end(bytes)?;
    }
    Ok(bytes[0] == bytes[1])
}

/// What a profile is filed as: its service, commit and time.
fn stem(run: &Profile, commit: &str) -> String {
    let time = run
        .meta
        .start_ns
        .and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
    let time = time.map(|time| time.strftime("%Y%m%dT%H%M%SZ").to_string());
    let service = service(run).map(|service| plain(&service));
    let parts = [service, Some(plain(short(commit))), time];
    parts.into_iter().flatten().collect::<Vec<_>>().join("-")
}

/// A text as it can stand in a file's name anywhere.
fn plain(text: &str) -> String {
    let letters = text.chars().take(LONGEST);
    let plain: String = letters
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => letter,
            _ => '-',
        })
        .collect();
    match plain.trim_matches(['.', '-']) {
        "" => "unnamed".to_owned(),
        plain => plain.to_owned(),
    }
}

/// A name that nothing in the folder has.
fn free(folder: &Path, new: &New) -> String {
    let numbers = std::iter::once(String::new()).chain((2u64..).map(|n| format!("-{n}")));
    let mut names = numbers.map(|number| format!("{}{number}.{}", new.stem, new.ending));
    let is_free = |name: &String| name != NAME && folder.join(name).symlink_metadata().is_err();
    names.find(is_free).expect("there is always a number more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain_whatever_they_are_made_of() {
        for (text, plain) in [
            ("shop", "shop"),
            ("../../etc/passwd", "etc-passwd"),
            ("a b\n\u{1b}[31m", "a-b---31m"),
            (".hidden", "hidden"),
            ("größe", "gr--e"),
            ("///", "unnamed"),
            ("", "unnamed"),
        ] {
            assert_eq!(super::plain(text), plain, "{text:?}");
        }
        assert_eq!(super::plain(&"x".repeat(500)).len(), LONGEST);
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_again() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let new = New {
            path: PathBuf::new(),
            commit: "c".into(),
            stem: "shop-c".into(),
            ending: "plop".into(),
        };
        assert_eq!(free(folder.path(), &new), "shop-c.plop");
        std::fs::write(folder.path().join("shop-c.plop"), "").expect("it can be written");
        // A link to nowhere is a name as well.
        std::os::unix::fs::symlink("nowhere", folder.path().join("shop-c-2.plop")).expect("a link");
        assert_eq!(free(folder.path(), &new), "shop-c-3.plop");
    }
}
