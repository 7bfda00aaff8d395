//! A folder of deploys, looked through: what a name on the command line stands for, and which files are of it.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};

use super::FolderArgs;
use super::index::{Index, NAME, Of, Settled, alike};
use crate::args::Settings;
use crate::commands::diff::baseline::commits::is_same as is_same_commit;
use crate::commands::diff::baseline::found::{Filed, Found, Place, service};
use crate::commands::diff::baseline::short;
use crate::input::is_same;

/// With fewer letters than this a commit is told by its whole name only.
const FEWEST_LETTERS: usize = 4;

/// What a folder holds.
pub(super) struct Shelf<'f> {
    folder: &'f Path,
    service: Option<&'f str>,
    /// What its index names as good or dropped, though it may be gone.
    named: Vec<Of>,
    pub(super) place: Place,
    pub(super) found: Found,
}

/// What a name stands for.
pub(super) enum Named {
    Commit(Of),
    /// A file that lies in the folder or below.
    Here(PathBuf),
    /// A file elsewhere.
    New(PathBuf),
    /// A file that the index names, and that is not there.
    Gone(Of),
}

impl<'f> Shelf<'f> {
    pub(super) fn read(
        args: &'f FolderArgs,
        index: &mut Index,
        settings: &Settings,
    ) -> Result<Shelf<'f>> {
        let mut place = Place::of(&args.folder)?;
        let found = Found::read(&mut place, None, &args.reading, settings)?;
        index.write_out(&found.commits);
        let services = found.services();
        let service = args.service.as_deref();
        if let Some(service) = service {
            ensure!(
                services.iter().any(|of| of == service),
                "{} has no profile of {service} (it has {})",
                args.folder.display(),
                match services.is_empty() {
                    true => "none that names its service".to_owned(),
                    false => services.join(", "),
                }
            );
        }
        let named = index.good.iter().chain(&index.dropped);
        Ok(Shelf {
            folder: &args.folder,
            service,
            named: named.map(|settled| settled.of.clone()).collect(),
            place,
            found,
        })
    }

    /// What the folder is called.
    pub(super) fn name(&self) -> String {
        self.folder.display().to_string()
    }

    /// All profiles, those that are dropped too.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Filed> {
        self.found.runs.iter().chain(&self.found.dropped)
    }

    /// What a name stands for: a file, otherwise a commit that profiles in the folder are of.
    ///
    /// # Errors
    /// When there is nothing of that name, or several commits begin with it.
    pub(super) fn named(&self, name: &Path) -> Result<Named> {
        let inside = self.folder.join(name);
        let lies_here = |path: &Path| self.place.files.iter().find(|file| is_same(file, path));
        let is_file = [name, &inside].into_iter().filter(|path| path.is_file());
        if let Some(here) = is_file.into_iter().find_map(lies_here) {
            return Ok(Named::Here(here.clone()));
        }
        let text = name.to_str().unwrap_or_default();
        if let Some(commit) = self.commit(text)? {
            return Ok(Named::Commit(commit));
        }
        if name.is_file() {
            return Ok(Named::New(name.to_owned()));
        }
        let gone = name.file_name().and_then(|name| name.to_str());
        let gone = (self.named.iter()).find(|of| of.file().is_some() && of.file() == gone);
        if let Some(of) = gone {
            return Ok(Named::Gone(of.clone()));
        }
        ensure!(
            !name.is_dir(),
            "{} is a folder (name the files in it)",
            name.display()
        );
        bail!(
            "there is no file {0}, and no profile in {1} is of a commit {0} (plop baseline list {1} shows what is there)",
            name.display(),
            self.name()
        )
    }

    /// The commit of a name, or of a name that begins so.
    fn commit(&self, name: &str) -> Result<Option<Of>> {
        let mut commits: Vec<String> = (self.runs())
            .filter(|filed| alike(self.service, service(&filed.run).as_deref()))
            .filter_map(|filed| filed.commit.clone())
            .collect();
        // What was dropped can come back, though its files may be gone.
        let dropped = self.named.iter().filter(|of| of.file().is_none());
        commits.extend(dropped.map(|of| of.commit().to_owned()));
        commits.sort();
        commits.dedup();
        let begins = |commit: &&String| {
            let is_beginning = name.len() >= FEWEST_LETTERS && commit.starts_with(name);
            is_beginning || is_same_commit(commit, name)
        };
        let exact = commits.iter().find(|commit| *commit == name);
        let found: Vec<&String> = match exact {
            Some(exact) => vec![exact],
            None => commits.iter().filter(begins).collect(),
        };
        let commit = match found[..] {
            [] => return Ok(None),
            [commit] => commit,
            [one, other, ..] => bail!("{name} may be {one} or {other} (write more of it)"),
        };
        let mut services: Vec<Option<String>> = (self.runs())
            .filter(|filed| filed.commit.as_ref() == Some(commit))
            .map(|filed| service(&filed.run))
            .filter(|of| of.is_some() && alike(self.service, of.as_deref()))
            .collect();
        services.sort();
        services.dedup();
        ensure!(
            services.len() < 2,
            "{} is a commit of {} (choose one with --service)",
            short(commit),
            services
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", ")
        );
        Ok(Some(Of::Commit {
            commit: commit.clone(),
            service: services.pop().flatten(),
        }))
    }

    /// The entry of a file.
    ///
    /// # Errors
    /// When it lies in a folder below, which has an index of its own, or its name cannot stand in one.
    pub(super) fn file(&self, path: PathBuf) -> Result<Of> {
        let folder = path.parent().unwrap_or(Path::new(""));
        ensure!(
            folder == self.folder,
            "{} lies in {}, and the index of a folder names its own files (name that folder in place of {})",
            path.display(),
            folder.display(),
            self.name()
        );
        let name = path.file_name().and_then(|name| name.to_str());
        let unreadable = || {
            anyhow!(
                "{}: its name is not UTF-8, which {NAME} is (give it another)",
                path.display()
            )
        };
        let file = name.ok_or_else(unreadable)?.to_owned();
        let its = self.runs().find(|filed| filed.path == path);
        let commit = its.and_then(|filed| filed.commit.clone());
        let commit = commit.unwrap_or_default();
        Ok(Of::File { file, commit })
    }

    /// The entries of the files in the folder itself that an entry is about.
    pub(super) fn files_of(&self, of: &Of) -> Vec<Of> {
        let Of::Commit { .. } = of else {
            return vec![of.clone()];
        };
        (self.runs())
            .filter(|filed| is_of(of, filed))
            .filter_map(|filed| self.file(filed.path.clone()).ok())
            .collect()
    }

    /// Whether a file of a commit is not dropped.
    pub(super) fn counts(&self, of: &Of) -> bool {
        self.found.runs.iter().any(|filed| is_of(of, filed))
    }

    /// Whether a file is the only one of a pinned deploy that is not dropped.
    pub(super) fn is_last_of(&self, pin: &Settled, file: &str) -> bool {
        let mut its = self.found.runs.iter().filter(|filed| is_of(&pin.of, filed));
        let is_file = |filed: &Filed| filed.path == self.folder.join(file);
        its.next().is_some_and(is_file) && its.next().is_none()
    }
}

fn is_of(of: &Of, filed: &Filed) -> bool {
    let its = filed.commit.as_deref();
    its.is_some_and(|commit| of.is_of(commit, service(&filed.run).as_deref()))
}
