//! `plop baseline`: which deploys of a folder count for `plop diff --baseline` and `plop history`.

mod accept;
mod change;
pub(super) mod index;
mod list;
mod shelf;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail, ensure};

use self::change::change;
use self::index::{Of, Settled};
use self::shelf::{Named, Shelf};
use super::diff::baseline::short;
use super::diff::text::{seen, visible};
use crate::args::Settings;
use crate::input::ReadArgs;

/// Say which deploys of a folder are compared with: file good ones, drop bad ones, pin one, list all
///
/// A folder holds a profile of every deploy of a service, and plop diff --baseline compares with the last ones. What is
/// settled here stands in the folder's plop-baseline.toml: exceptions, so that a profile which it does not name counts.
/// No profile is ever deleted.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plop diff --baseline profiles/shop new.plop && plop baseline accept profiles/shop new.plop\n  \
    plop baseline drop profiles/shop 9bd07e --reason 'discount was slower; rolled back'\n  \
    plop baseline accept profiles/shop 9bd07e             brings it back\n  \
    plop baseline pin profiles/shop 4f1c2a --reason 'prices are checked twice from here on'\n  \
    plop baseline list profiles/shop")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Accept(accept::Args),
    Drop(DropArgs),
    Pin(PinArgs),
    List(list::Args),
}

pub(crate) fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let done = match args.what {
        What::Accept(args) => accept::run(&args, settings),
        What::Drop(args) => drop_these(&args, settings),
        What::Pin(args) => pin(&args, settings),
        What::List(args) => list::run(&args, settings),
    };
    done.map_err(seen)?;
    Ok(ExitCode::SUCCESS)
}

/// The folder, and whose deploys are meant.
#[derive(clap::Args)]
struct FolderArgs {
    /// The folder with a profile of every deploy
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Which service, where there are several
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    #[command(flatten)]
    reading: ReadArgs,
}

/// Take deploys, or single files, out of what is compared with; the files stay
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    plop baseline drop profiles/shop 9bd07e --reason 'discount was slower; rolled back'")]
struct DropArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Commits, or the beginnings of their hashes: all files of them, those that come later too; or files in the
    /// folder
    #[arg(value_name = "COMMIT|FILE", required = true)]
    names: Vec<PathBuf>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Start all comparisons from one deploy: with it and the first ones after it, which no later ones push out
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plop baseline pin profiles/shop 4f1c2a --reason 'release 2.0'\n  \
    plop baseline pin profiles/shop --remove")]
struct PinArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// The commit, or the beginning of its hash
    #[arg(value_name = "COMMIT", required_unless_present = "remove")]
    commit: Option<PathBuf>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Pin nothing any more: the last deploys are compared with again
    #[arg(long, conflicts_with_all = ["commit", "reason"])]
    remove: bool,
}

fn drop_these(args: &DropArgs, settings: &Settings) -> Result<()> {
    let reason = args.reason.as_deref();
    let said = change(&args.folder.folder, |index| {
        let shelf = Shelf::read(&args.folder, index, settings)?;
        let mut said = Vec::new();
        for name in &args.names {
            let of = match shelf.named(name)? {
                Named::Commit(of) => of,
                Named::Here(path) => shelf.file(path)?,
                Named::Gone(of) => {
                    index.good.retain(|settled| !settled.of.is_same(&of));
                    index.dropped.retain(|settled| !settled.of.is_same(&of));
                    said.push(format!("{} is gone, and is not named any more", told(&of)));
                    continue;
                }
                Named::New(path) => bail!(
                    "{} does not lie in {} (name a file or a commit that plop baseline list {} shows)",
                    path.display(),
                    shelf.name(),
                    shelf.name()
                ),
            };
            let its = shelf.files_of(&of);
            let pin = index.pinned.iter().find(|pin| match &of {
                Of::Commit { commit, service } => pin.of.is_of(commit, service.as_deref()),
                // The last file of a pinned deploy leaves nothing that is pinned.
                Of::File { file, .. } => shelf.is_last_of(pin, file),
            });
            if let Some(pin) = pin {
                bail!(
                    "{} is pinned, so it cannot be dropped (pin another with plop baseline pin {} COMMIT, or none with \
                     --remove)",
                    told(&pin.of),
                    shelf.name()
                );
            }
            let is_its = |settled: &Settled| its.iter().any(|of| of.is_same(&settled.of));
            index.good.retain(|settled| !is_its(settled));
            let told = told(&of);
            match index
                .dropped
                .iter_mut()
                .find(|settled| settled.of.is_same(&of))
            {
                None => {
                    said.push(format!(
                        "{told} is dropped: plop diff and plop history leave it out"
                    ));
                    index.dropped.push(Settled::new(of, reason));
                }
                Some(settled) => {
                    said.push(settled.with_reason(&format!("{told} was dropped already")));
                    if reason.is_some() {
                        *settled = Settled::new(of, reason);
                    }
                }
            }
        }
        Ok(said)
    })?;
    print(&said)
}

fn pin(args: &PinArgs, settings: &Settings) -> Result<()> {
    let said = change(&args.folder.folder, |index| {
        let shelf = Shelf::read(&args.folder, index, settings)?;
        let Some(commit) = &args.commit else {
            let service = args.folder.service.as_deref();
            let is_meant =
                |pin: &Settled| service.is_none() || pin.of.is_of(pin.of.commit(), service);
            ensure!(
                service.is_some() || index.pinned.len() < 2,
                "{} has several pins (choose one with --service)",
                shelf.name()
            );
            let gone = index.pinned.iter().filter(|pin| is_meant(pin));
            let gone: Vec<String> = gone
                .map(|pin| format!("{} is not pinned any more", pin.with_reason(told(&pin.of))))
                .collect();
            index.pinned.retain(|pin| !is_meant(pin));
            return Ok(match gone.is_empty() {
                true => vec!["nothing was pinned".to_owned()],
                false => gone,
            });
        };
        let Named::Commit(of) = shelf.named(commit)? else {
            bail!(
                "{} is a file, and a commit is pinned (plop baseline list {} shows which it is of)",
                commit.display(),
                shelf.name()
            );
        };
        let Of::Commit { commit, service } = &of else {
            return Err(anyhow!("a commit is pinned, not a file"));
        };
        let dropped = |settled: &&Settled| settled.of.is_of(commit, service.as_deref());
        if let Some(settled) = index.dropped.iter().find(dropped) {
            bail!(
                "{} is dropped, so it cannot be pinned (plop baseline accept {} {} brings it back)",
                settled.with_reason(short(commit)),
                shelf.name(),
                short(commit)
            );
        }
        ensure!(
            shelf.counts(&of),
            "every file of {} is dropped, so it cannot be pinned (plop baseline accept {} {} brings them back)",
            short(commit),
            shelf.name(),
            short(commit)
        );
        let is_other = |pin: &Settled| !index::alike(service_of(pin), service.as_deref());
        let before: Vec<String> = (index.pinned.iter())
            .filter(|pin| !is_other(pin) && pin.of != of)
            .map(|pin| format!("{} is not pinned any more", pin.with_reason(told(&pin.of))))
            .collect();
        index.pinned.retain(is_other);
        let pinned = format!(
            "{} is pinned: it and the first after it are what is compared with",
            short(commit)
        );
        index
            .pinned
            .push(Settled::new(of.clone(), args.reason.as_deref()));
        Ok(before.into_iter().chain([pinned]).collect())
    })?;
    print(&said)
}

fn service_of(pin: &Settled) -> Option<&str> {
    match &pin.of {
        Of::Commit { service, .. } => service.as_deref(),
        Of::File { .. } => None,
    }
}

/// What an entry is about, for people.
fn told(of: &Of) -> &str {
    of.file().unwrap_or(short(of.commit()))
}

/// Prints sentences, each on a line.
fn print(said: &[String]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for text in said {
        writeln!(out, "{}", visible(text))?;
    }
    Ok(())
}
