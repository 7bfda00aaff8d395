//! `plop baseline list`: every deploy of a folder, whether it counts, and which ones `plop diff --baseline` takes.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use plop_diff::{Surroundings, samples_of};
use serde_json::{Value, json};

use super::FolderArgs;
use super::index::{Index, Settled, alike};
use crate::args::Settings;
use crate::commands::diff::baseline::found::{Filed, Found, Place, service};
use crate::commands::diff::baseline::{DROPPED, Judged, Picked, pick};
use crate::commands::diff::layout::Style;
use crate::commands::diff::settings::chosen_last;

/// List the deploys of a folder: which count, which do not and why, and which plop diff takes
///
/// What is marked is what plop diff --baseline compares with when it judges the next deploy, recorded like the last one
/// that is there.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plop baseline list profiles/shop\n  \
    plop baseline list profiles/shop --last 20 --json")]
pub(super) struct Args {
    #[command(flatten)]
    folder: FolderArgs,
    /// How many deploys plop diff takes [default: 8, or what plop.toml says]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=200))]
    last: Option<u16>,
    /// Use no signs but those of ASCII, as on a terminal whose locale has no others
    #[arg(long)]
    ascii: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Whether a file counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Somebody said that it is good.
    Good,
    /// Nobody said anything of it, so it counts.
    Unlisted,
    Dropped,
    /// plop diff does not compare with it.
    LeftOut,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Unlisted => "unlisted",
            State::Dropped => "dropped",
            State::LeftOut => "left-out",
        }
    }
}

/// A profile and what is said of it.
struct File {
    name: String,
    commit: Option<String>,
    start_ns: Option<i64>,
    samples: f64,
    surroundings: Surroundings,
    state: State,
    /// Why it is dropped or left out; or a remark on a good one.
    why: String,
    taken: bool,
}

/// The files of a commit.
struct Row {
    name: String,
    files: Vec<File>,
}

impl Row {
    fn start_ns(&self) -> Option<i64> {
        self.files.iter().filter_map(|file| file.start_ns).max()
    }

    fn samples(&self) -> f64 {
        self.files.iter().map(|file| file.samples).sum()
    }

    fn taken(&self) -> bool {
        self.files.iter().any(|file| file.taken)
    }

    /// What holds for the deploy: the best of its files decides.
    fn state(&self) -> State {
        let states = [State::Good, State::Unlisted, State::LeftOut, State::Dropped];
        let has = |state: &State| self.files.iter().any(|file| file.state == *state);
        states.into_iter().find(has).unwrap_or(State::LeftOut)
    }

    /// What there is to say of its files, each thing once.
    fn reasons(&self) -> Vec<String> {
        let state = self.state();
        let mut said: BTreeMap<String, usize> = BTreeMap::new();
        for file in &self.files {
            let text = match (file.state == state, file.state) {
                (true, _) => file.why.clone(),
                (false, other) if file.why.is_empty() => other.word().to_owned(),
                (false, other) => format!("{}: {}", other.word(), file.why),
            };
            *said.entry(text).or_default() += 1;
        }
        let of_all = said.len() == 1;
        let told = said.into_iter().filter(|(text, _)| !text.is_empty());
        told.map(|(text, files)| match (of_all, files) {
            (true, _) => text,
            (false, 1) => format!("1 file {text}"),
            (false, files) => format!("{files} files {text}"),
        })
        .collect()
    }
}

/// All that is shown.
struct Shown {
    folder: PathBuf,
    service: Option<String>,
    last: u16,
    pinned: Option<(String, String)>,
    pins: Vec<Settled>,
    rows: Vec<Row>,
    foreign: Vec<String>,
    /// Files that an index names and that are not there.
    gone: Vec<Settled>,
    /// Commits that an index names and that no profile is of, for people.
    unmatched: Vec<String>,
    /// Why nothing can be compared with, if it is so.
    refused: Option<anyhow::Error>,
}

pub(super) fn run(args: &Args, settings: &Settings) -> Result<()> {
    let FolderArgs {
        folder,
        service,
        reading,
    } = &args.folder;
    ensure!(
        folder.is_dir(),
        "{}: there is no such folder",
        folder.display()
    );
    let last = chosen_last(args.last)?;
    let mut place = Place::of(folder)?;
    let found = Found::read(&mut place, None, reading, settings)?;
    let mut shown = shown(folder, &place, found, service.as_deref(), last)?;
    let refused = shown.refused.take();
    let mut out = io::stdout().lock();
    match refused {
        Some(refused) if args.json => return Err(refused),
        _ if args.json => writeln!(out, "{}", document(&shown))?,
        _ => {
            let style = Style::of(settings.color, io::stdout().is_terminal(), args.ascii);
            table::print(&mut out, &shown, &style)?;
        }
    }
    refused.map_or(Ok(()), Err)
}

fn shown(
    folder: &Path,
    place: &Place,
    found: Found,
    asked: Option<&str>,
    last: u16,
) -> Result<Shown> {
    let indexes = &place.indexes;
    let entries = |of: fn(&Index) -> &Vec<Settled>| {
        indexes
            .iter()
            .flat_map(move |index| of(index).iter().map(move |settled| (index, settled)))
    };
    let gone = entries(|index| &index.good).chain(entries(|index| &index.dropped));
    let gone = gone.filter(|(index, settled)| {
        (settled.of.file()).is_some_and(|file| !place.files.contains(&index.folder.join(file)))
    });
    let gone: Vec<Settled> = gone.map(|(_, settled)| settled.clone()).collect();
    let is_meant = |filed: &&Filed| alike(asked, service(&filed.run).as_deref());
    let mut files: Vec<File> = (found.runs.iter().chain(&found.dropped))
        .filter(is_meant)
        .map(|filed| file(filed, indexes))
        .collect();
    let foreign = found.foreign.clone();
    let named = found.unmatched.iter().filter(|(of, _)| of.file().is_none());
    let unmatched = named.map(|(_, text)| text.clone()).collect();
    let (mut pinned, mut refused, mut services) = (None, None, found.services());
    if !files.is_empty() || asked.is_some() {
        let judged = Judged::next(&found, asked, &folder.display().to_string())?;
        match pick(found, indexes, &judged, usize::from(last)) {
            Ok(picked) => {
                settle(&mut files, &picked);
                pinned = picked.pinned;
            }
            Err(error) => refused = Some(error),
        }
    }
    services.retain(|service| asked.is_none_or(|asked| asked == service));
    let mut rows: Vec<Row> = Vec::new();
    for file in files {
        let name = file.commit.clone().unwrap_or_else(|| file.name.clone());
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.files.push(file),
            None => rows.push(Row {
                name,
                files: vec![file],
            }),
        }
    }
    rows.sort_by_key(Row::start_ns);
    let pins = entries(|index| &index.pinned)
        .map(|(_, pin)| pin.clone())
        .collect();
    Ok(Shown {
        folder: folder.to_owned(),
        service: services.pop(),
        last,
        pinned,
        pins,
        rows,
        foreign,
        gone,
        unmatched,
        refused,
    })
}

/// What the indexes say of a profile.
fn file(filed: &Filed, indexes: &[Index]) -> File {
    let (commit, service) = (filed.commit.clone(), service(&filed.run));
    let dropped = indexes
        .iter()
        .find_map(|index| index.drops(&filed.path, commit.as_deref(), service.as_deref()));
    let listed = indexes.iter().find_map(|index| index.lists(&filed.path));
    let (state, settled) = match (dropped, listed) {
        (Some(dropped), _) => (State::Dropped, Some(dropped)),
        (None, Some(listed)) => (State::Good, Some(listed)),
        (None, None) => (State::Unlisted, None),
    };
    File {
        name: filed.name.clone(),
        commit,
        start_ns: filed.run.meta.start_ns,
        samples: samples_of(&filed.run),
        surroundings: Surroundings::of(&filed.run),
        state,
        why: settled
            .map(|settled| settled.reason.clone())
            .unwrap_or_default(),
        taken: false,
    }
}

/// Puts to files what was picked of them.
fn settle(files: &mut [File], picked: &Picked) {
    let runs = picked.deploys.iter().flat_map(|deploy| &deploy.runs);
    let taken: BTreeSet<&str> = runs.map(|(name, _)| name.as_str()).collect();
    for file in files {
        file.taken = taken.contains(file.name.as_str());
        let mut left_out = picked.left_out.iter().filter(|(why, _)| *why != DROPPED);
        if let Some((why, _)) = left_out.find(|(_, names)| names.contains(&file.name))
            && file.state != State::Dropped
        {
            (file.state, file.why) = (State::LeftOut, why.clone());
        }
    }
}

/// The same for programs: `plop.baseline/1`.
fn document(shown: &Shown) -> Value {
    let settled = |settled: &Settled| {
        json!({
            "file": settled.of.file(),
            "commit": Some(settled.of.commit()).filter(|commit| !commit.is_empty()),
            "reason": settled.reason,
            "at": settled.at.map(|at| at.to_string()),
        })
    };
    let pin = shown.pinned.as_ref().and_then(|(commit, said)| {
        let pin = shown.pins.iter().find(|pin| pin.of.commit() == commit)?;
        Some(json!({
            "commit": commit,
            "reason": pin.reason,
            "at": pin.at.map(|at| at.to_string()),
            "text": said,
        }))
    });
    let file = |file: &File| {
        json!({
            "file": file.name,
            "start_ns": file.start_ns,
            "samples": file.samples,
            "runtime": file.surroundings.runtime,
            "host": file.surroundings.host,
            "clock": file.surroundings.clock,
            "period": file.surroundings.period,
            "state": file.state.word(),
            "reason": file.why,
            "taken": file.taken,
        })
    };
    json!({
        "schema": "plop.baseline/1",
        "folder": shown.folder.display().to_string(),
        "service": shown.service,
        "last": shown.last,
        "pinned": pin,
        "deploys": shown.rows.iter().map(|row| json!({
            "name": row.name,
            "start_ns": row.start_ns(),
            "samples": row.samples(),
            "state": row.state().word(),
            "taken": row.taken(),
            "files": row.files.iter().map(file).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "foreign": shown.foreign,
        "gone": shown.gone.iter().map(settled).collect::<Vec<_>>(),
        "unmatched": shown.unmatched,
    })
}
