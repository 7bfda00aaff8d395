//! What reports say where there is nothing to compare with: that there is no verdict. A file that was not written
//! would be taken for one in which all is well, or be that of the last time.

use plop_diff::{
    Comparison, Method, Mode, Noise, Sensitivity, Summary, Tree, Verdict, Warning, samples_of,
};

use super::baseline::Deploy;

/// A comparison in which nothing was weighed.
pub(super) fn comparison(
    after: &[Deploy],
    name: String,
    why: &str,
    remarks: Vec<Warning>,
    alpha: f64,
    min_effect: f64,
) -> Option<Comparison> {
    let runs = || after.iter().flat_map(|deploy| &deploy.runs);
    let (_, last) = runs().last()?;
    let judged = Summary {
        name,
        runs: after.len(),
        profiles: runs().count(),
        samples: runs().map(|(_, run)| samples_of(run)).sum(),
        ..Summary::default()
    };
    let nothing = Summary {
        name: "no earlier deploy".into(),
        ..Summary::default()
    };
    let warnings = std::iter::once(Warning {
        code: "no-baseline",
        text: why.into(),
        forbids: true,
    });
    let warnings = warnings.chain(remarks).collect();
    Some(Comparison {
        verdict: Verdict::Inconclusive,
        mode: Mode::Share,
        value: last.values.get(last.default_value)?.clone(),
        worth: 1.0,
        method: Method::Runs,
        sides: [nothing, judged],
        alpha,
        min_effect,
        hypotheses: 0,
        threshold: 0.0,
        seed: 0,
        kinds: 1,
        rest: 1.0,
        shift: None,
        shifts_fail: false,
        total: None,
        findings: Vec::new(),
        likely: None,
        power: Vec::new(),
        sensitivity: Sensitivity::default(),
        kind_power: Vec::new(),
        large_power: Vec::new(),
        noise: Noise::default(),
        budgets: Vec::new(),
        touched: None,
        warnings,
        tree: Tree::default(),
        node_z: Vec::new(),
        node_intervals: Vec::new(),
    })
}
