//! What a comparison has to say to tools that take a list of remarks: which there are, how bad each is, where it
//! belongs, and what it is called from run to run. How they are written down is the formats' own.

use plop_diff::{Comparison, Finding, Function, Verdict};

use super::numbers::{percent, percent_change, points, signed};
use super::places::{Place, Places};
use super::terminal::{budget, reason, rules, whole};
use super::text::{plain, sentence, shown, visible};
use super::touched;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// The comparison fails by it.
    Fails,
    /// There is no verdict, and it is why, or would fail if there were one.
    Doubtful,
    /// Worth knowing.
    Minor,
    /// It is faster.
    Better,
}

/// What kind of remark it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rule {
    Inconclusive,
    Whole,
    Budget,
    Regression,
    Growth,
    Improvement,
}

impl Rule {
    pub(super) const ALL: [Rule; 6] = [
        Rule::Inconclusive,
        Rule::Whole,
        Rule::Budget,
        Rule::Regression,
        Rule::Growth,
        Rule::Improvement,
    ];

    /// Its name for programs.
    pub(super) fn id(self) -> &'static str {
        match self {
            Rule::Inconclusive => "plop/inconclusive",
            Rule::Whole => "plop/whole",
            Rule::Budget => "plop/budget",
            Rule::Regression => "plop/regression",
            Rule::Growth => "plop/growth",
            Rule::Improvement => "plop/improvement",
        }
    }

    /// What it means.
    pub(super) fn about(self) -> &'static str {
        match self {
            Rule::Inconclusive => {
                "The two sides could not be compared honestly, so there is no verdict."
            }
            Rule::Whole => "The whole program costs more than before, and not by chance.",
            Rule::Budget => {
                "Functions cost more than the budget that they have, and not by chance."
            }
            Rule::Regression => {
                "A cause for which the program costs more than before, by the least growth that fails or more, and \
                 not by chance."
            }
            Rule::Growth => {
                "A cause for which the program costs more than before, and which does not fail: it is less than the least \
                 growth that fails, or cost only moved there, or it is ignored for a reason."
            }
            Rule::Improvement => "A cause for which the program costs less than before.",
        }
    }
}

/// One remark. Its texts are for people, with nothing in them that is not seen.
pub(super) struct Remark<'c> {
    pub(super) rule: Rule,
    pub(super) level: Level,
    /// What it is about, in a few words.
    pub(super) title: String,
    /// All of it, on one line.
    pub(super) text: String,
    /// Where in the repository it belongs.
    pub(super) place: Option<Place>,
    /// The same for the same cause, whatever its numbers are in this run, and no other remark's.
    pub(super) id: String,
    pub(super) finding: Option<&'c Finding>,
}

/// All remarks, what matters most first.
pub(super) fn remarks<'c>(comparison: &'c Comparison, places: &Places) -> Vec<Remark<'c>> {
    let inconclusive = comparison.verdict == Verdict::Inconclusive;
    let mut remarks = Vec::new();
    let mut add = |rule, level, title: String, text: String| {
        remarks.push(Remark {
            rule,
            level,
            title: visible(&title),
            text: visible(&plain(&text)),
            place: None,
            id: Rule::id(rule).to_owned(),
            finding: None,
        });
    };
    if inconclusive {
        let text = format!("no verdict: {}", why(comparison));
        add(
            Rule::Inconclusive,
            Level::Doubtful,
            "no verdict".into(),
            text,
        );
    }
    let fails = match inconclusive {
        true => Level::Doubtful,
        false => Level::Fails,
    };
    for test in comparison.budgets.iter().filter(|test| test.is_broken()) {
        let title = format!("{} over budget", test.budget.of.told());
        add(Rule::Budget, fails, plain(&title), budget(test, comparison));
    }
    if comparison.total_regressed() {
        let text = format!("the whole grew: {}", whole(comparison).join(" "));
        add(Rule::Whole, fails, "the whole grew".into(), text);
    }
    if let Some(likely) = &comparison.likely {
        let mut remark = of_finding(comparison, likely, places);
        // It cannot be told from chance; what fails is the whole.
        (remark.rule, remark.level) = (Rule::Growth, Level::Minor);
        remark.text = format!("most likely the whole grew by this: {}", remark.text);
        remarks.push(remark);
    }
    let found = comparison.findings.iter();
    remarks.extend(found.map(|finding| of_finding(comparison, finding, places)));
    for n in 0..remarks.len() {
        let earlier = &remarks[..n];
        let same = earlier.iter().filter(|one| one.id == remarks[n].id).count();
        if same > 0 {
            remarks[n].id.push_str(&format!("/{}", same + 1));
        }
    }
    for remark in &mut remarks {
        remark.id = fingerprint(&remark.id);
    }
    remarks
}

/// Why there is no verdict.
pub(super) fn why(comparison: &Comparison) -> String {
    let forbids = comparison.warnings.iter().filter(|warning| warning.forbids);
    let texts: Vec<String> = forbids.map(|warning| sentence(&warning.text)).collect();
    texts.join("; ")
}

fn of_finding<'c>(comparison: &'c Comparison, finding: &'c Finding, places: &Places) -> Remark<'c> {
    let function = &comparison.tree.functions[finding.function as usize];
    let caller = finding
        .caller
        .map(|id| &comparison.tree.functions[id as usize]);
    let fails = comparison.fails(finding);
    let rule = match (finding.grew(), fails) {
        (true, true) => Rule::Regression,
        (true, false) => Rule::Growth,
        (false, _) => Rule::Improvement,
    };
    let level = match (rule, comparison.verdict) {
        (Rule::Regression, Verdict::Inconclusive) => Level::Doubtful,
        (Rule::Regression, _) => Level::Fails,
        (Rule::Improvement, _) => Level::Better,
        _ => Level::Minor,
    };
    let name = name(comparison, finding);
    let [low, high] = finding.interval.map(signed);
    let [before, after] = numbers(finding);
    let moved = match finding.moved && rule == Rule::Growth {
        true => ", which only moved from other functions".to_owned(),
        false => rules(finding, comparison).map_or(String::new(), |rules| format!(", {rules}")),
    };
    let doubt = match level {
        Level::Doubtful => "no verdict, but ",
        _ => "",
    };
    let text = format!(
        "{doubt}{name} ({}): {} [{low}, {high}] of the whole cost before{moved}; {before} → {after} of samples{}; {} → {}{}",
        reason(finding),
        points(finding.points),
        itself(finding).map_or(String::new(), |change| format!(", itself {change}")),
        shown(&comparison.sides[0].name),
        shown(&comparison.sides[1].name),
        touched::of_finding(comparison, finding).map_or(String::new(), |text| format!("; {text}")),
    );
    let key = |function: &Function| format!("{}\0{}", function.file, function.name);
    Remark {
        rule,
        level,
        title: plain(&format!("{name} {}", points(finding.points))),
        text: visible(&plain(&text)),
        // A remark on lines that a change has is shown beside them.
        place: touched::place(comparison, finding).or_else(|| places.of(function)),
        id: format!(
            "{}\0{}\0{}\0{}",
            rule.id(),
            finding.kind.word(),
            key(function),
            caller.map_or(String::new(), key)
        ),
        finding: Some(finding),
    }
}

/// What a cause is called: a function, or a call.
pub(super) fn name(comparison: &Comparison, finding: &Finding) -> String {
    let of = |id: u32| shown(comparison.tree.functions[id as usize].shown());
    match finding.caller {
        Some(caller) => format!("{} → {}", of(caller), of(finding.function)),
        None => of(finding.function),
    }
}

/// Its shares of the samples, before and after.
pub(super) fn numbers(finding: &Finding) -> [String; 2] {
    finding.share.map(percent)
}

/// By how much it changed itself, where it was there before.
pub(super) fn itself(finding: &Finding) -> Option<String> {
    let was_there = finding.samples[0] > 0.0 && finding.factor < 1e5;
    was_there.then(|| plain(&percent_change(finding.factor - 1.0)))
}

/// A number of 128 bits for a text, the same on every machine: FNV-1a.
fn fingerprint(text: &str) -> String {
    let hash = text.bytes().fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
        |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        },
    );
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of the algorithm's authors.
    #[test]
    fn fingerprints_are_fnv() {
        assert_eq!(fingerprint(""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(fingerprint("a"), "d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(fingerprint("foobar"), "343e1662793c64bf6f0d3597ba446f18");
    }
}
