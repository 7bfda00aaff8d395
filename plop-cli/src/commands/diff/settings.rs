//! The settings of a comparison, each with where it comes from, and how `--explain-config` tells them.

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use plop_diff::{Functions, Most};
use serde_json::{Value, json};

use super::baseline::found::Place;
use super::baseline::short;
use super::text::visible;
use super::{Args, ModeArg, share};
use crate::commands::baseline::index::{Index, Settled};
use crate::config::{Config, Origin, Setting};

/// What counts where nothing is said.
const ALPHA: f64 = 0.01;
const MIN_EFFECT: f64 = 0.005;
const LAST: u16 = 8;

/// All settings that a file may have.
pub(super) struct Chosen {
    pub(super) alpha: Setting<f64>,
    pub(super) min_effect: Setting<f64>,
    pub(super) require_power: Setting<Option<f64>>,
    pub(super) mode: Setting<ModeArg>,
    pub(super) by: Setting<Option<String>>,
    pub(super) value: Setting<Option<String>>,
    pub(super) baseline: Setting<Option<PathBuf>>,
    pub(super) last: Setting<u16>,
    pub(super) calibration: Setting<Option<PathBuf>>,
    pub(super) changed_since: Setting<Option<String>>,
}

impl Chosen {
    pub(super) fn of(args: &Args, config: &Config) -> Result<Chosen> {
        let text = |text: &str| match text.trim() {
            "" => Err("expected a name, found nothing".to_owned()),
            text => Ok(Some(text.to_owned())),
        };
        let chosen = Chosen {
            alpha: config.pick("alpha", args.alpha, share, ALPHA)?,
            min_effect: config.pick("min_effect", args.min_effect, share, MIN_EFFECT)?,
            require_power: config.pick(
                "require_power",
                args.require_power.map(Some),
                |text| share(text).map(Some),
                None,
            )?,
            mode: config.pick("mode", args.mode, mode, ModeArg::Auto)?,
            by: config.pick("by", args.by.clone().map(Some), text, None)?,
            value: config.pick("value", args.value.clone().map(Some), text, None)?,
            baseline: config.pick_path("baseline", args.baseline.clone())?,
            last: config.pick("last", args.last, last, LAST)?,
            calibration: config.pick_path("calibration", args.calibration.clone())?,
            changed_since: config.pick(
                "changed_since",
                args.changed_since.clone().map(Some),
                text,
                None,
            )?,
        };
        let (power, least) = (&chosen.require_power, &chosen.min_effect);
        ensure!(
            power.value.is_none_or(|share| share > least.value),
            "--require-power must be more than --min-effect: no growth of less is looked for ({}, {})",
            power.from,
            least.from
        );
        Ok(chosen)
    }

    /// The folder of earlier deploys, where it is one that is compared with. One that is named once for all is meant
    /// where a single file is to be judged: two are before and after.
    pub(super) fn baseline(&self, args: &Args) -> Result<Option<&PathBuf>> {
        let is_named = matches!(self.baseline.from, Origin::Flag(_));
        let is_meant = args.vs.is_empty() && args.input.files.len() < 2;
        let baseline = self
            .baseline
            .value
            .as_ref()
            .filter(|_| is_named || is_meant);
        ensure!(
            args.last.is_none() || baseline.is_some(),
            "--last counts the deploys of --baseline, and there is none"
        );
        Ok(baseline)
    }

    fn rows(&self) -> [(&'static str, Value, &Origin); 10] {
        let path =
            |path: &Option<PathBuf>| json!(path.as_ref().map(|path| path.display().to_string()));
        let mode = self.mode.value.to_possible_value();
        let mode = mode.map_or(Value::Null, |mode| json!(mode.get_name()));
        [
            ("alpha", json!(self.alpha.value), &self.alpha.from),
            (
                "min_effect",
                json!(self.min_effect.value),
                &self.min_effect.from,
            ),
            (
                "require_power",
                json!(self.require_power.value),
                &self.require_power.from,
            ),
            ("mode", mode, &self.mode.from),
            ("by", json!(self.by.value), &self.by.from),
            ("value", json!(self.value.value), &self.value.from),
            ("baseline", path(&self.baseline.value), &self.baseline.from),
            ("last", json!(self.last.value), &self.last.from),
            (
                "calibration",
                path(&self.calibration.value),
                &self.calibration.from,
            ),
            (
                "changed_since",
                json!(self.changed_since.value),
                &self.changed_since.from,
            ),
        ]
    }
}

fn mode(text: &str) -> Result<ModeArg, String> {
    ModeArg::from_str(text, false).map_err(|_| {
        let words = ModeArg::value_variants()
            .iter()
            .filter_map(ModeArg::to_possible_value);
        let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
        format!("expected one of {}, found `{text}`", words.join(", "))
    })
}

/// How many deploys are compared with, where an option may say it.
pub(in crate::commands) fn chosen_last(option: Option<u16>) -> Result<u16> {
    let config = Config::read(None)?;
    Ok(config.pick("last", option, last, LAST)?.value)
}

fn last(text: &str) -> Result<u16, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=200).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to 200, found `{text}`"))
}

/// Prints every setting, its value and where it comes from.
pub(super) fn explain(
    out: &mut impl Write,
    chosen: &Chosen,
    config: &Config,
    as_json: bool,
) -> Result<()> {
    let indexes = indexes(chosen)?;
    if as_json {
        writeln!(out, "{}", document(chosen, config, &indexes))?;
        return Ok(());
    }
    match config.file() {
        Some(file) => writeln!(out, "settings in {file}")?,
        None => writeln!(out, "no plop.toml, and no pyproject.toml with [tool.plop]")?,
    }
    for (key, value, from) in chosen.rows() {
        let value = match (&value, value.as_f64()) {
            (Value::Null, _) => "-".to_owned(),
            (Value::String(text), _) => text.clone(),
            (_, Some(number)) if key != "last" => percent(number),
            _ => value.to_string(),
        };
        writeln!(
            out,
            "{}",
            visible(format!("{key:<14} {value:<16} {from}").trim_end())
        )?;
    }
    let mut row = |key: &str, of: &Functions, what: &dyn Display| {
        let line = format!("{key:<14} {:<16} {}: {what}", of.place, of.told());
        writeln!(out, "{}", visible(&line))
    };
    let rules = config.rules();
    for ignore in &rules.ignores {
        let over = if ignore.expired {
            ", which is over"
        } else {
            ""
        };
        let what = format!("until {}{over}: {}", ignore.until, ignore.reason);
        row("ignore", &ignore.of, &what)?;
    }
    for budget in &rules.budgets {
        let own = if budget.own { " itself" } else { "" };
        row(
            "budget",
            &budget.of,
            &format!("at most {}{own}", most(budget.most)),
        )?;
    }
    for effect in &rules.effects {
        row(
            "rule",
            &effect.of,
            &format!("min_effect {}", percent(effect.min_effect)),
        )?;
    }
    let renames = config.renames();
    for (before, after) in &renames.same {
        let line = format!("{:<14} {before} is called {after} now", "rename");
        writeln!(out, "{}", visible(&line))?;
    }
    for apart in &renames.apart {
        let line = format!("{:<14} {apart} is the same as no other", "rename");
        writeln!(out, "{}", visible(&line))?;
    }
    for (index, what, settled) in all_settled(&indexes) {
        let name = settled.of.file().unwrap_or(settled.of.commit());
        let path = index.path();
        let said = settled.with_reason(short(name));
        writeln!(out, "{what:<14} {} in {}", visible(&said), path.display())?;
    }
    Ok(())
}

/// The indexes in the folder that is compared with, if it is there.
fn indexes(chosen: &Chosen) -> Result<Vec<Index>> {
    match &chosen.baseline.value {
        Some(folder) if folder.is_dir() => Ok(Place::of(folder)?.indexes),
        _ => Ok(Vec::new()),
    }
}

/// What is pinned and what is dropped.
fn all_settled(indexes: &[Index]) -> impl Iterator<Item = (&Index, &'static str, &Settled)> {
    indexes.iter().flat_map(|index| {
        let pinned = index.pinned.iter().map(move |pin| (index, "pinned", pin));
        pinned.chain((index.dropped.iter()).map(move |settled| (index, "dropped", settled)))
    })
}

/// An upper bound for people.
pub(super) fn most(most: Most) -> String {
    match most {
        Most::Share(share) => percent(share),
        Most::Ns(ns) => format!("{} per unit of work", plop_core::duration(ns)),
    }
}

/// A share with the digits that it has.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", 100.0 * share);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The same for programs: `plop.config/1`.
fn document(chosen: &Chosen, config: &Config, indexes: &[Index]) -> Value {
    let settings: Vec<Value> = (chosen.rows().into_iter())
        .map(|(key, value, from)| {
            let word = match from {
                Origin::Flag(_) => "flag",
                Origin::Variable(_) => "variable",
                Origin::File { .. } => "file",
                Origin::Default => "default",
            };
            json!({"key": key, "value": value, "from": word, "place": from.to_string()})
        })
        .collect();
    let rules = config.rules();
    json!({
        "schema": "plop.config/1",
        "file": config.file(),
        "settings": settings,
        "ignores": rules.ignores.iter().map(super::json::ignore).collect::<Vec<_>>(),
        "budgets": (rules.budgets.iter())
            .map(|budget| {
                let mut row = super::json::functions(&budget.of);
                let (share, ns) = match budget.most {
                    Most::Share(share) => (Some(share), None),
                    Most::Ns(ns) => (None, Some(ns)),
                };
                row["of"] = json!(super::json::of(budget));
                row["max_share"] = json!(share);
                row["max_ns"] = json!(ns);
                row
            })
            .collect::<Vec<_>>(),
        "rules": (rules.effects.iter())
            .map(|effect| {
                let mut row = super::json::functions(&effect.of);
                row["min_effect"] = json!(effect.min_effect);
                row
            })
            .collect::<Vec<_>>(),
        "renames": (config.renames().same.iter())
            .map(|(before, after)| json!({"before": before, "after": after, "apart": null}))
            .chain((config.renames().apart.iter()).map(|apart| json!({"before": null, "after": null, "apart": apart})))
            .collect::<Vec<_>>(),
        "settled": all_settled(indexes)
            .map(|(index, what, settled)| json!({
                "what": what,
                "commit": Some(settled.of.commit()).filter(|commit| !commit.is_empty()),
                "file": settled.of.file(),
                "reason": settled.reason,
                "place": index.path().display().to_string(),
            }))
            .collect::<Vec<_>>(),
        "remarks": config.remarks(),
    })
}
