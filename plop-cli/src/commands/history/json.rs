//! The history of a service as JSON.

use plop_diff::{Estimate, Series, Tracked};
use serde_json::{Value, json};

use crate::commands::diff::baseline::Deploy;

/// The whole of it: `plop.history/1` of docs/json.md.
pub(super) fn document(
    series: &Series,
    deploys: &[Deploy],
    chosen: Option<&[&Tracked]>,
    [left_out, unmatched]: [&[String]; 2],
    pinned: Option<String>,
    exit: u8,
) -> Value {
    let estimate = |of: &Estimate| json!({"value": of.value, "interval": of.interval});
    let function = |of: &plop_diff::Function| json!({"name": of.shown(), "file": of.shown_file(), "line": of.line});
    let name = |n: &usize| deploys[*n].name.as_str();
    let tracked: Vec<&Tracked> = match chosen {
        Some(chosen) => chosen.to_vec(),
        None => series.functions.iter().collect(),
    };
    json!({
        "schema": "plop.history/1",
        "exit": exit,
        "value": series.value,
        "unit": series.unit,
        "total_tested": series.total_tested,
        "deploys": deploys.iter().zip(&series.deploys).map(|(deploy, point)| json!({
            "name": deploy.name,
            "files": deploy.runs.iter().map(|(file, _)| file).collect::<Vec<_>>(),
            "start_ns": deploy.runs.iter().filter_map(|(_, run)| run.meta.start_ns).max(),
            "samples": point.samples,
            "total": point.total.as_ref().map(estimate),
        })).collect::<Vec<_>>(),
        "functions": tracked.iter().map(|of| json!({
            "kind": of.kind.word(),
            "function": function(&of.function),
            "shares": of.shares.iter().map(estimate).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "changes": series.changes.iter().map(|shift| json!({
            "what": shift.what.as_ref().map(|what| json!({
                "kind": what.kind.word(),
                "function": function(&what.function),
                "caller": what.caller.as_ref().map(function),
                "path": what.path,
            })),
            "direction": if shift.grew() { "grew" } else { "shrank" },
            "since": name(&shift.onset),
            "culprits": shift.culprits.iter().map(name).collect::<Vec<_>>(),
            "over": shift.over,
            "z": shift.z,
            "before": shift.before,
            "change": estimate(&shift.change),
        })).collect::<Vec<_>>(),
        "limit_z": series.limit,
        "strongest_z": series.strongest,
        "hypotheses": series.hypotheses,
        "kinds_of_requests": series.kinds,
        "pinned": pinned,
        "left_out": left_out,
        "unmatched": unmatched,
    })
}
