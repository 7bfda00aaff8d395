//! A comparison as SARIF 2.1.0, for GitHub's code scanning and editors: what grew, and that there is no verdict.
//! What is faster is not in it, since readers take every result for a fault.

use plop_diff::Comparison;
use serde_json::{Value, json};

use super::exit;
use super::json::touch;
use super::places::{NOWHERE, Place, Places};
use super::remarks::{Level, Remark, Rule, remarks};
use super::text::sentence;

pub(super) fn document(comparison: &Comparison, places: &Places) -> String {
    let rules = Rule::ALL.map(|rule| {
        json!({
            "id": rule.id(),
            "shortDescription": {"text": rule.about()},
            "defaultConfiguration": {"level": default_level(rule)},
        })
    });
    let results: Vec<Value> = (remarks(comparison, places).iter())
        .filter_map(|remark| result(comparison, remark))
        .collect();
    let notes: Vec<Value> = (comparison.warnings.iter())
        .map(|warning| {
            json!({
                "descriptor": {"id": warning.code},
                "message": {"text": sentence(&warning.text)},
                "level": if warning.forbids { "error" } else { "warning" },
            })
        })
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "plop diff",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "exitCode": exit(comparison.verdict),
                "toolExecutionNotifications": notes,
            }],
            "results": results,
            "properties": {"verdict": comparison.verdict.word()},
        }],
    });
    format!("{document:#}\n")
}

fn default_level(rule: Rule) -> &'static str {
    match rule {
        Rule::Whole | Rule::Budget | Rule::Regression => "error",
        Rule::Inconclusive => "warning",
        Rule::Growth | Rule::Improvement => "note",
    }
}

fn result(comparison: &Comparison, remark: &Remark) -> Option<Value> {
    let level = match remark.level {
        Level::Fails => "error",
        Level::Doubtful => "warning",
        Level::Minor => "note",
        Level::Better => return None,
    };
    let index = Rule::ALL.iter().position(|rule| *rule == remark.rule);
    let numbers = remark.finding.map(|finding| {
        json!({
            "points": 100.0 * finding.points,
            "interval": finding.interval.map(|bound| 100.0 * bound),
            "z": finding.z,
            "cause": finding.reason.word(),
            "touched": touch(comparison, finding),
        })
    });
    let mut result = json!({
        "ruleId": remark.rule.id(),
        "ruleIndex": index,
        "level": level,
        "message": {"text": remark.text},
        "locations": [{"physicalLocation": location(remark.place.as_ref())}],
        // GitHub knows a result again by the first, whatever it is made of; so a cause stays the same when lines move.
        "partialFingerprints": {
            "primaryLocationLineHash": format!("{}:1", remark.id),
            "plopCause/v1": remark.id,
        },
    });
    if let Some(numbers) = numbers {
        result["properties"] = numbers;
    }
    Some(result)
}

/// Where it is. GitHub refuses a whole document for one result without a file.
fn location(place: Option<&Place>) -> Value {
    let path = place.map_or(NOWHERE, |place| &place.path);
    let mut location = json!({"artifactLocation": {"uri": encoded(path)}});
    if let Some(line) = place.map(|place| place.line).filter(|line| *line > 0) {
        location["region"] = json!({"startLine": line});
    }
    location
}

/// A path as a relative URI: everything but letters, digits and `-._~/` as its bytes.
fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            other => uri += &format!("%{other:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_uris() {
        assert_eq!(encoded("src/a-b_c.py"), "src/a-b_c.py");
        assert_eq!(encoded("c:/a b%/é<.py"), "c%3A/a%20b%25/%C3%A9%3C.py");
    }
}
