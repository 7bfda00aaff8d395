//! The call tree of both sides: what changed, and the way to it.

use std::io::{self, Write};

use plop_diff::{Comparison, Side};

use super::layout::{BETTER, PLAIN, QUIET, Style, WORSE, piece};
use super::numbers::{percent, points};

pub(super) fn print(
    out: &mut impl Write,
    comparison: &Comparison,
    style: &Style,
) -> io::Result<()> {
    let tree = &comparison.tree;
    let totals = [Side::Before, Side::After].map(|side| tree.totals(&comparison.selfs(side)));
    let all = [tree.samples(Side::Before), tree.samples(Side::After)];
    // What changed by itself: shares that changed since others did are no change.
    let mut codes: Vec<Option<&str>> = vec![None; tree.len()];
    let mut shown = vec![false; tree.len()];
    for finding in &comparison.findings {
        let code = if finding.grew() { WORSE } else { BETTER };
        for node in &finding.nodes {
            codes[*node as usize] = Some(code);
            let mut at = *node as usize;
            while !shown[at] {
                shown[at] = true;
                at = tree.parents[at] as usize;
            }
        }
    }
    let mut line = |code, text: String| style.put(out, piece(code, text), 0, &[]);
    if !shown.iter().any(|shown| *shown) {
        return line(PLAIN, "the call tree shows no change".into());
    }
    line(QUIET, "  before    after    change".into())?;
    // Deeper nodes are not indented further, so that their names are still there.
    let deepest = style.width / 6;
    let mut depths = vec![0usize; tree.len()];
    for node in 0..tree.len() {
        if node > 0 {
            depths[node] = depths[tree.parents[node] as usize] + 1;
        }
        if !shown[node] {
            continue;
        }
        let share = [totals[0][node] / all[0], totals[1][node] / all[1]];
        let change = share[1] - share[0];
        let name = match node {
            0 => "all",
            _ => tree.functions[tree.node_functions[node] as usize].shown(),
        };
        let text = format!(
            "{:>8} {:>8} {:>9}  {}{name}",
            percent(share[0]),
            percent(share[1]),
            points(change),
            "  ".repeat(depths[node].min(deepest)),
        );
        line(codes[node].unwrap_or(PLAIN), style.cut(&text, style.width))?;
    }
    Ok(())
}
