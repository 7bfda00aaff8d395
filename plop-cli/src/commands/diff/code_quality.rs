//! A comparison as GitLab's code quality report: a list of what a merge request makes worse. What is faster is not
//! in it, and an empty list is a comparison in which nothing grew.

use plop_diff::Comparison;
use serde_json::{Value, json};

use super::places::{NOWHERE, Places};
use super::remarks::{Level, remarks};

pub(super) fn document(comparison: &Comparison, places: &Places) -> String {
    let issues: Vec<Value> = (remarks(comparison, places).iter())
        .filter_map(|remark| {
            let severity = match remark.level {
                Level::Fails => "critical",
                Level::Doubtful => "major",
                Level::Minor => "info",
                Level::Better => return None,
            };
            let place = remark.place.as_ref();
            Some(json!({
                "type": "issue",
                "check_name": remark.rule.id(),
                "description": remark.text,
                "categories": ["Performance"],
                "severity": severity,
                "fingerprint": remark.id,
                "location": {
                    "path": place.map_or(NOWHERE, |place| &place.path),
                    "lines": {"begin": place.map_or(1, |place| place.line.max(1))},
                },
            }))
        })
        .collect();
    format!("{:#}\n", Value::from(issues))
}
