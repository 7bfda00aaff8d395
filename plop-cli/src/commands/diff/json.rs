//! A comparison as JSON, for programs: `plop.diff/1`, which docs/json.md and docs/plop.diff.schema.json tell
//! about.

use plop_diff::{
    Between, Budget, BudgetTest, Comparison, Environment, Finding, Function, Functions, Ignore,
    LastChange, NamedPower, Power, Renamed, Side, Summary, Total, TouchedHere, Verdict, Warning,
};
use serde_json::{Value, json};

use super::{exit, singular};

/// The whole document.
pub(super) fn document(comparison: &Comparison) -> Value {
    let [before, after] = &comparison.sides;
    json!({
        "schema": "plop.diff/1",
        "verdict": comparison.verdict.word(),
        "exit": exit(comparison.verdict),
        "mode": comparison.mode.word(),
        "value": comparison.value.kind,
        "sides": [side(before), side(after)],
        "alpha": comparison.alpha,
        "min_effect": comparison.min_effect,
        "hypotheses": comparison.hypotheses,
        "critical_z": number(comparison.threshold, 4),
        "method": comparison.method.word(),
        "kinds_of_requests": comparison.kinds,
        "seed": format!("{:016x}", comparison.seed),
        "total": comparison.total.as_ref().map(|one| total(comparison, one)),
        "findings": (comparison.findings.iter().enumerate())
            .map(|(n, one)| finding(comparison, &format!("f{}", n + 1), one))
            .collect::<Vec<_>>(),
        "shift": comparison.shift.as_ref().map(|one| json!({
            "grew": ids(&one.grew),
            "shrank": ids(&one.shrank),
            "delta": number(one.points, 6),
            "ci": one.interval.map(|bound| number(bound, 6)),
        })),
        "likely": comparison.likely.as_ref().map(|one| finding(comparison, "likely", one)),
        "renamed": (comparison.tree.renamed.iter())
            .map(|one| renamed(comparison, one))
            .collect::<Vec<_>>(),
        "between": (comparison.tree.between.iter())
            .map(|one| between(comparison, one))
            .collect::<Vec<_>>(),
        "noise": {
            "functions": number(comparison.noise.functions, 6),
            "mix": number(comparison.noise.mix, 9),
            "measured": comparison.noise.measured,
        },
        "budgets": (comparison.budgets.iter())
            .map(budget)
            .collect::<Vec<_>>(),
        "touched": comparison.touched.as_ref().map(|here| touched(comparison, here)),
        "power": comparison.power.iter().map(power).collect::<Vec<_>>(),
        "power_of_kinds": named_powers(comparison, &comparison.kind_power),
        "power_of_functions": named_powers(comparison, &comparison.large_power),
        "warnings": warnings(&comparison.warnings),
    })
}

fn named_powers(comparison: &Comparison, powers: &[NamedPower]) -> Vec<Value> {
    let told = |power: &NamedPower| {
        json!({
            "function": function(&comparison.tree.functions[power.function as usize]),
            "share": power.share,
            "mde_points": points(power.detectable),
        })
    };
    powers.iter().map(told).collect()
}

fn warnings(said: &[Warning]) -> Vec<Value> {
    let told = |warning: &Warning| {
        json!({
            "code": warning.code, "text": warning.text, "forbids_a_verdict": warning.forbids,
        })
    };
    said.iter().map(told).collect()
}

fn ids(findings: &[usize]) -> Vec<String> {
    findings.iter().map(|n| format!("f{}", n + 1)).collect()
}

fn side(side: &Summary) -> Value {
    let seconds = |ns: Option<i64>| ns.map(|ns| number(ns as f64 / 1e9, 6));
    json!({
        "name": side.name,
        "runs": side.runs,
        "profiles": side.profiles,
        "samples": number(side.samples, 3),
        "slices": side.slices,
        "cpu_s": seconds(side.cpu_ns),
        "wall_s": seconds(side.wall_ns),
        "work": side.work.as_ref().map(|(name, amount)| json!({name: amount})),
        "ticks": side.ticks.map(|(asked, delivered)| json!({"requested": asked, "delivered": delivered})),
        "env": environment(&side.environment),
    })
}

fn environment(environment: &Environment) -> Value {
    let runtime = &environment.runtime;
    let python = runtime
        .strip_prefix("CPython ")
        .or_else(|| runtime.strip_prefix("PyPy "));
    json!({
        "python": python.unwrap_or(""),
        "runtime": runtime,
        "host": environment.host,
        "machine": environment.machine,
        "processors": environment.processors,
        "clock": environment.clock,
        "period_ns": environment.period_ns,
    })
}

fn total(comparison: &Comparison, total: &Total) -> Value {
    let (unit, size) = unit(total);
    json!({
        "unit": unit,
        "before": number(total.before / size, 9),
        "after": number(total.after / size, 9),
        "rel": number(total.change(), 6),
        "alike": total.alike.map(|share| number(share, 6)),
        "ci": total.tested.map(|test| test.interval.map(|factor| number(factor - 1.0, 6))),
        "p_adj": total.tested.map(|test| {
            number((test.p * comparison.alpha / test.limit).min(1.0), 9)
        }),
    })
}

/// The unit of the whole, and how large it is in that of the comparison.
fn unit(total: &Total) -> (String, f64) {
    match total.unit.strip_prefix("ns/") {
        Some(work) => (format!("ms/{}", singular(work)), 1e6),
        None => (total.unit.clone(), 1.0),
    }
}

fn finding(comparison: &Comparison, id: &str, finding: &Finding) -> Value {
    let tree = &comparison.tree;
    let of = |id: u32| &tree.functions[id as usize];
    let paths: Vec<Vec<&str>> = (finding.nodes.iter().take(20))
        .map(|node| tree.path(*node).iter().map(|id| of(*id).shown()).collect())
        .collect();
    let size = comparison.total.as_ref().map_or(1.0, |total| unit(total).1);
    let counts = |side: Side| {
        let share = finding.share[side as usize];
        json!({
            "value": comparison.amount(share, side).map(|amount| number(amount / size, 9)),
            "share": number(share, 6),
            "count": number(finding.samples[side as usize], 3),
        })
    };
    // What was not there cannot have changed by a share of itself.
    let was_there = finding.samples[0] > 0.0;
    json!({
        "id": id,
        "kind": finding.kind.word(),
        "direction": if finding.grew() { "grew" } else { "shrank" },
        "cause": finding.reason.word(),
        "fails": comparison.fails(finding) && comparison.verdict == Verdict::Regressed,
        "function": function(of(finding.function)),
        "caller": finding.caller.map(|id| function(of(id))),
        "also": finding.also.iter().map(|id| function(of(*id))).collect::<Vec<_>>(),
        "paths": paths,
        "before": counts(Side::Before),
        "after": counts(Side::After),
        "delta": number(finding.points, 6),
        "rel": was_there.then(|| number(finding.factor - 1.0, 4)),
        "ci": finding.interval.map(|bound| number(bound, 6)),
        "z": number(finding.z, 3),
        "critical_z": number(finding.limit, 4),
        "p_adj": number(comparison.adjusted_p(finding), 6),
        "design_effect": number(finding.design_effect, 3),
        "explains": comparison.explains(finding).map(|share| number(share, 4)),
        "min_effect": finding.min_effect,
        "ignored": finding.ignored.as_ref().map(ignore),
        "touched": touch(comparison, finding),
    })
}

/// Whom of the functions that were touched a cause is of, or is called by.
pub(super) fn touch(comparison: &Comparison, finding: &Finding) -> Option<Value> {
    let (id, function) = comparison
        .touched
        .as_ref()?
        .functions
        .get(finding.touched?)?;
    let commit = match &function.last {
        LastChange::Commit { id, subject } => Some((id, subject)),
        LastChange::Uncommitted | LastChange::Unknown => None,
    };
    Some(json!({
        "function": comparison.tree.functions[*id as usize].shown(),
        "path": function.path,
        "line": function.line,
        "commit": commit.map(|(id, _)| id),
        "subject": commit.map(|(_, subject)| subject),
        "uncommitted": function.last == LastChange::Uncommitted,
    }))
}

fn touched(comparison: &Comparison, here: &TouchedHere) -> Value {
    let functions = here.functions.iter().map(|(id, touched)| {
        json!({
            "function": function(&comparison.tree.functions[*id as usize]),
            "path": touched.path,
            "line": touched.line,
        })
    });
    json!({
        "range": here.range,
        "hypotheses": here.hypotheses,
        "functions": functions.collect::<Vec<_>>(),
    })
}

/// What a sentence about single functions is about.
pub(super) fn functions(of: &Functions) -> Value {
    json!({
        "function": of.name.as_ref().map(|name| name.text()),
        "file": of.file.as_ref().map(|file| file.text()),
        "place": of.place,
    })
}

pub(super) fn ignore(ignore: &Ignore) -> Value {
    let mut row = functions(&ignore.of);
    row["reason"] = json!(ignore.reason);
    row["until"] = json!(ignore.until);
    row["expired"] = json!(ignore.expired);
    row
}

/// What counts of the functions of a budget.
pub(super) fn of(budget: &Budget) -> &'static str {
    if budget.own { "self" } else { "total" }
}

fn budget(test: &BudgetTest) -> Value {
    let mut row = functions(&test.budget.of);
    row["of"] = json!(of(&test.budget));
    row["state"] = json!(test.word());
    row["functions"] = json!(test.functions);
    row["share"] = number(test.share, 6);
    row["least"] = number(test.least, 6);
    row["most"] = json!(test.most.map(|most| number(most, 6)));
    row
}

fn function(function: &Function) -> Value {
    let (name, before) = (function.shown(), &function.raw[0]);
    json!({
        "name": name,
        "module": module(&function.file),
        "file": function.file,
        "line": function.line,
        "path": function.shown_file(),
        "before_name": (before != name && !before.is_empty()).then_some(before),
    })
}

fn renamed(comparison: &Comparison, renamed: &Renamed) -> Value {
    let function = &comparison.tree.functions[renamed.function as usize];
    let as_it_came = |side: Side| json!({"name": function.raw[side as usize], "path": function.raw_file[side as usize]});
    json!({
        "before": as_it_came(Side::Before),
        "after": as_it_came(Side::After),
        "score": number(renamed.score, 3),
    })
}

fn between(comparison: &Comparison, between: &Between) -> Value {
    json!({
        "function": function(&comparison.tree.functions[between.function as usize]),
        "done": between.done.word(),
    })
}

fn power(power: &Power) -> Value {
    let plan = power.plan.as_ref();
    json!({
        "share": power.share,
        "mde_points": points(power.detectable),
        "mde_points_touched": power.touched.map(points),
        "for_points": plan.map(|plan| points(plan.target)),
        "extra_seconds": plan.and_then(|plan| plan.seconds).map(|more| number(more, 1)),
        "extra_samples": plan.and_then(|plan| plan.samples).map(|more| number(more, 0)),
        "extra_profiles": plan.and_then(|plan| plan.profiles),
        "floor_points": plan.map(|plan| points(plan.floor)),
    })
}

/// The name under which Python imports a file: `calc.expr` of `calc/expr.py`.
fn module(file: &str) -> Option<String> {
    let path = file.strip_suffix(".py")?;
    let path = path.strip_prefix("<python>/").unwrap_or(path);
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    let is_name = |part: &str| part.chars().all(|c| c.is_alphanumeric() || c == '_');
    (path
        .split('/')
        .all(|part| !part.is_empty() && is_name(part)))
    .then(|| path.replace('/', "."))
}

/// Points, which are hundredths of the whole cost before.
fn points(share: f64) -> Value {
    number(100.0 * share, 4)
}

/// A number without the digits that chance decides; a whole one without a decimal point.
fn number(number: f64, digits: i32) -> Value {
    let scale = 10f64.powi(digits);
    let rounded = (number * scale).round() / scale;
    match rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        true => json!(rounded as i64),
        false => json!(rounded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_what_python_imports() {
        for (file, name) in [
            ("calc/expr.py", Some("calc.expr")),
            ("<python>/json/__init__.py", Some("json")),
            ("/srv/calc.py", None),
            ("<string>", None),
            ("my-script.py", None),
            ("main.go", None),
        ] {
            assert_eq!(module(file).as_deref(), name, "{file}");
        }
    }

    #[test]
    fn numbers_have_no_more_digits_than_they_need() {
        assert_eq!(number(3504.0, 3).to_string(), "3504");
        assert_eq!(number(0.123_456_78, 4).to_string(), "0.1235");
        assert_eq!(number(-0.000_01, 3).to_string(), "0");
        assert_eq!(number(f64::INFINITY, 3), Value::Null);
    }
}
