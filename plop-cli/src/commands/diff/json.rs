//! A comparison as JSON, for programs: `plop.diff/1`, which docs/json.md and its schema tell about.

use plop_diff::{Comparison, Finding, Function, Summary};
use serde_json::{Value, json};

use super::exit;

/// The whole document.
pub(super) fn document(comparison: &Comparison) -> Value {
    let [before, after] = &comparison.sides;
    json!({
        "schema": "plop.diff/1",
        "verdict": comparison.verdict.word(),
        "exit": exit(comparison.verdict),
        "mode": comparison.mode.word(),
        "method": comparison.method.word(),
        "sides": [side(before), side(after)],
        "alpha": comparison.alpha,
        "min_effect": comparison.min_effect,
        "hypotheses": comparison.hypotheses,
        "critical_z": round(comparison.threshold, 4),
        "kinds_of_requests": comparison.kinds,
        "seed": format!("{:016x}", comparison.seed),
        "total": comparison.total.as_ref().map(|total| json!({
            "unit": total.unit,
            "before": total.before,
            "after": total.after,
            "rel": round(total.change(), 6),
            "alike": total.alike.map(|share| round(share, 6)),
            "ci": total.tested.map(|test| test.interval.map(|factor| round(factor - 1.0, 6))),
            "p": total.tested.map(|test| test.p),
        })),
        "findings": (comparison.findings.iter().enumerate())
            .map(|(n, one)| finding(comparison, n, one))
            .collect::<Vec<_>>(),
        "noise": {
            "functions": round(comparison.noise.functions, 6),
            "mix": comparison.noise.mix,
            "measured": comparison.noise.measured,
        },
        "power": (comparison.power.iter())
            .map(|power| json!({"share": power.share, "detectable": round(power.detectable, 6)}))
            .collect::<Vec<_>>(),
        "warnings": (comparison.warnings.iter())
            .map(|warning| json!({
                "code": warning.code, "text": warning.text, "forbids_a_verdict": warning.forbids,
            }))
            .collect::<Vec<_>>(),
    })
}

fn side(side: &Summary) -> Value {
    json!({
        "name": side.name,
        "profiles": side.runs,
        "samples": round(side.samples, 3),
        "slices": side.slices,
        "cpu_ns": side.cpu_ns,
        "wall_ns": side.wall_ns,
        "work": side.work.as_ref().map(|(name, amount)| json!({name: amount})),
        "ticks": side.ticks.map(|(asked, delivered)| json!({"requested": asked, "delivered": delivered})),
        "runtime": side.runtime,
    })
}

fn finding(comparison: &Comparison, n: usize, finding: &Finding) -> Value {
    let tree = &comparison.tree;
    let name = |id: u32| function(&tree.functions[id as usize]);
    let paths: Vec<Vec<&str>> = (finding.nodes.iter().take(20))
        .map(|node| {
            let path = tree.path(*node);
            path.iter()
                .map(|id| tree.functions[*id as usize].name.as_str())
                .collect()
        })
        .collect();
    json!({
        "id": format!("f{}", n + 1),
        "kind": finding.kind.word(),
        "direction": if finding.grew() { "grew" } else { "shrank" },
        "cause": finding.reason.word(),
        "fails": finding.grew() && finding.points >= comparison.min_effect,
        "function": name(finding.function),
        "caller": finding.caller.map(name),
        "also": finding.also.iter().map(|id| name(*id)).collect::<Vec<_>>(),
        "paths": paths,
        "before": {"samples": round(finding.samples[0], 3), "share": round(finding.share[0], 6)},
        "after": {"samples": round(finding.samples[1], 3), "share": round(finding.share[1], 6)},
        "delta": round(finding.points, 6),
        "rel": round(finding.factor - 1.0, 4),
        "ci": finding.interval.map(|bound| round(bound, 6)),
        "z": round(finding.z, 3),
        "design_effect": round(finding.design_effect, 3),
    })
}

fn function(function: &Function) -> Value {
    let [before, after] = &function.raw;
    let raw = if after.is_empty() { before } else { after };
    let [file_before, file_after] = &function.raw_file;
    let file = if file_after.is_empty() {
        file_before
    } else {
        file_after
    };
    json!({
        "name": raw,
        "file": file,
        "line": function.line,
        "before_name": (before != raw && !before.is_empty()).then_some(before),
    })
}

/// Fewer digits than chance decides.
fn round(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (number * scale).round() / scale
}
