//! What reports say of functions that somebody touched (`--changed-since`).

use plop_diff::{Comparison, Finding, LastChange, TouchedFunction};

use super::places::Place;
use super::text::shown;

/// So many touched functions are named.
const NAMES: usize = 4;

/// What was touched, and what that does to the error rate; nothing where it was not asked.
pub(super) fn summary(comparison: &Comparison) -> Option<String> {
    let here = comparison.touched.as_ref()?;
    let range = shown(&here.range);
    let names: Vec<String> = (here.functions.iter().take(NAMES))
        .map(|(id, _)| shown(comparison.tree.functions[*id as usize].shown()))
        .collect();
    let mut names = names.join(", ");
    if here.functions.len() > NAMES {
        names += &format!(" and {} more", here.functions.len() - NAMES);
    }
    let count = match here.functions.len() {
        0 => {
            return Some(format!(
                "no function of the profiles was touched by {range}: all share the error rate"
            ));
        }
        1 => "1 function".to_owned(),
        more => format!("{more} functions"),
    };
    let what = match here.hypotheses {
        0 => {
            "have hardly any samples or are as many as all others, and share the error rate with them"
        }
        _ => "half of the error rate is for what was touched",
    };
    Some(format!("{count} touched by {range} ({names}): {what}"))
}

/// Whether a cause was touched, where, and by whom; nothing where it was not asked.
pub(super) fn of_finding(comparison: &Comparison, finding: &Finding) -> Option<String> {
    let here = comparison.touched.as_ref()?;
    let Some((id, function)) = finding.touched.and_then(|n| here.functions.get(n)) else {
        return Some(format!("not touched by {}", shown(&here.range)));
    };
    let is_itself = *id == finding.function || finding.also.contains(id);
    let caller = match is_itself {
        true => String::new(),
        false => {
            let name = comparison.tree.functions[*id as usize].shown();
            format!("called by {}, ", shown(name))
        }
    };
    let place = place_of(function);
    let place = match place.line {
        0 => shown(&place.path),
        line => format!("{}:{line}", shown(&place.path)),
    };
    Some(match &function.last {
        LastChange::Commit { id, subject } => {
            format!("{caller}touched by {id} at {place}: {}", shown(subject))
        }
        LastChange::Uncommitted => format!("{caller}touched at {place}, which is not committed"),
        LastChange::Unknown => {
            format!("{caller}touched by {} at {place}", shown(&here.range))
        }
    })
}

/// Where a cause was touched.
pub(super) fn place(comparison: &Comparison, finding: &Finding) -> Option<Place> {
    let here = comparison.touched.as_ref()?;
    let (_, function) = here.functions.get(finding.touched?)?;
    Some(place_of(function))
}

fn place_of(function: &TouchedFunction) -> Place {
    Place {
        path: function.path.clone(),
        line: function.line,
    }
}
