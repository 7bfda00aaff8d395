//! What a conversion lost and what readers and writers had to put up with, for people on stderr and
//! for programs as JSON.

use plop_core::{Features, Notes};
use serde_json::{Value, json};

use crate::args::Settings;
use crate::tell::tell;

/// Prints notes about a file.
pub(crate) fn print_notes(file: &str, notes: &Notes, settings: &Settings) {
    if settings.quiet {
        return;
    }
    for note in notes.iter() {
        tell!("{file}: note: {note}");
    }
}

/// Prints what a file's format had no room for.
pub(crate) fn print_losses(file: &str, format: &str, losses: Features, settings: &Settings) {
    if !settings.quiet && !losses.is_empty() {
        tell!("{file}: lost, as {format} has no room for it: {losses}");
    }
}

/// Notes of readers that tell something about the input; all others tell what was passed over or
/// changed.
const HARMLESS: [&str; 5] = [
    "capped",
    "definition-lines",
    "no-samples",
    "profiles-joined",
    "unknown-key",
];

/// What notes of reading say was passed over or changed, for `--strict`.
pub(crate) fn changes(notes: &Notes) -> impl Iterator<Item = String> {
    notes
        .iter()
        .filter(|note| !HARMLESS.contains(&note.code))
        .map(ToString::to_string)
}

/// Notes as `[{code, count, text}]`, with the place of the first where it is known.
pub(crate) fn notes_json(notes: &Notes) -> Value {
    notes
        .iter()
        .map(|note| {
            let mut entry = json!({"code": note.code, "count": note.count, "text": note.text});
            if let Some(place) = &note.first {
                entry["first"] = json!(place.to_string());
            }
            entry
        })
        .collect()
}

/// Losses as `[{feature, text}]`.
pub(crate) fn losses_json(losses: Features) -> Value {
    losses
        .names()
        .zip(losses.words())
        .map(|(name, words)| json!({"feature": name.to_lowercase(), "text": words}))
        .collect()
}
