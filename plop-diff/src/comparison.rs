//! What a comparison found, complete and plain: reports and pages only draw it.

use plop_core::ValueType;

use crate::budget::BudgetTest;
use crate::power::{Sensitivity, USUAL};
use crate::rules::Ignore;
use crate::sets::Kind;
use crate::stats::upper_tail;
use crate::touched::TouchedHere;
use crate::tree::{Side, Tree};

/// What a gate should do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Something grew, by more than the minimum effect, and not by chance.
    Regressed,
    /// Nothing did that could be seen.
    Ok,
    /// The sides cannot be compared honestly.
    Inconclusive,
}

impl Verdict {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Regressed => "regressed",
            Verdict::Ok => "ok",
            Verdict::Inconclusive => "inconclusive",
        }
    }
}

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Cost per unit of work where both sides count work, shares otherwise.
    #[default]
    Auto,
    /// CPU time per unit of work.
    Work,
    /// CPU time per elapsed time.
    Time,
    /// Shares of the side's total.
    Share,
    /// Shares, and the whole as if most functions had not changed.
    Bulk,
}

impl Mode {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Auto => "auto",
            Mode::Work => "work",
            Mode::Time => "time",
            Mode::Share => "share",
            Mode::Bulk => "bulk",
        }
    }
}

/// Something that has to be said before the verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub text: String,
    /// Whether there is no verdict for it, unless it is allowed.
    pub forbids: bool,
}

/// One side.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// What the side is called: its commit, its name or its file.
    pub name: String,
    /// How many runs, or deploys of several profiles each.
    pub runs: usize,
    /// How many profiles.
    pub profiles: usize,
    /// How many samples.
    pub samples: f64,
    /// In how many slices; 0 where a run has none.
    pub slices: usize,
    /// CPU time by exact counters.
    pub cpu_ns: Option<i64>,
    /// Elapsed time.
    pub wall_ns: Option<i64>,
    /// What the program counted in both sides, and how much of it.
    pub work: Option<(String, i64)>,
    /// Ticks asked for and delivered.
    pub ticks: Option<(i64, i64)>,
    /// Where and how the runs were recorded.
    pub environment: Environment,
}

/// Where and how the runs of a side were recorded. What they do not agree on is all there, with commas between;
/// what is not known is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Environment {
    /// The language runtime: `CPython 3.13.0`.
    pub runtime: String,
    /// The name of the host.
    pub host: String,
    /// The kind of machine: `x86_64`.
    pub machine: String,
    /// How many processors it has.
    pub processors: String,
    /// Which clock drove the sampler.
    pub clock: String,
    /// The time between two samples; not known where the runs differ in it.
    pub period_ns: Option<i64>,
}

/// The whole, by exact counters rather than by samples.
#[derive(Clone, PartialEq, Debug)]
pub struct Total {
    /// The unit of the two numbers: `ns/requests`, `CPU`, or `bulk` where all before is 1.
    pub unit: String,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
    /// What several runs tell of the change; not known from one run a side.
    pub tested: Option<TotalTest>,
    /// By what share everything changed alike, where no set of stacks tells the change better.
    pub alike: Option<f64>,
}

/// Whether the whole changed: a t test of the logarithms of the runs' totals.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TotalTest {
    /// Between which factors the change lies, with the confidence that is spent on it.
    pub interval: [f64; 2],
    /// How likely a growth like this is by chance.
    pub p: f64,
    /// What the growth's probability has to be under to count: a part of the comparison's error rate.
    pub limit: f64,
}

impl Total {
    /// By what share the whole changed.
    pub fn change(&self) -> f64 {
        self.after / self.before - 1.0
    }

    /// Whether it grew, by so much at least, and not by chance.
    pub fn grew(&self, min_effect: f64) -> bool {
        self.change() >= min_effect && self.tested.is_some_and(|test| test.p < test.limit)
    }
}

/// Why a set of stacks costs more or less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The function itself is slower, wherever it is called from.
    SelfCost,
    /// It is called more often, or asked to do more.
    CalledMore,
    /// It was called more, or is slower itself: a function that calls nothing cannot tell.
    SelfOrCalledMore,
    /// It was not there before.
    NewPath,
    /// It is hardly there any more.
    Gone,
    /// What it calls, in many places.
    SpreadBelow,
}

impl Reason {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Reason::SelfCost => "self_cost",
            Reason::CalledMore => "called_more",
            Reason::SelfOrCalledMore => "self_or_called_more",
            Reason::NewPath => "new_path",
            Reason::Gone => "gone",
            Reason::SpreadBelow => "spread_below",
        }
    }
}

/// One cause.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// What kind of set of stacks it is.
    pub kind: Kind,
    /// Why it changed.
    pub reason: Reason,
    /// The function, by its number in the tree.
    pub function: u32,
    /// Who calls it, where it is a call that changed.
    pub caller: Option<u32>,
    /// Other functions with the same stacks.
    pub also: Vec<u32>,
    /// The nodes of the call tree.
    pub nodes: Vec<u32>,
    /// Its samples, before and after.
    pub samples: [f64; 2],
    /// Its share of each side.
    pub share: [f64; 2],
    /// How much cost it added, in shares of the whole cost before.
    pub points: f64,
    /// Between which bounds that lies, for all findings at once.
    pub interval: [f64; 2],
    /// By how many standard deviations.
    pub z: f64,
    /// How many they had to be: a function itself needs fewer than other places, of which there are more.
    pub limit: f64,
    /// By what factor it changed itself.
    pub factor: f64,
    /// How much more its samples vary than independent ones.
    pub design_effect: f64,
    /// Whether it is a part of cost that only moved: see [`Comparison::shift`].
    pub moved: bool,
    /// The least growth of it that fails, in shares of the whole.
    pub min_effect: f64,
    /// What makes it no failure, however much it grew.
    pub ignored: Option<Ignore>,
    /// Which of the functions that were touched it is of, or is called by; see [`Comparison::touched`].
    pub touched: Option<usize>,
}

/// Cost that moved from some functions to others, which together cost what they did.
#[derive(Clone, PartialEq, Debug)]
pub struct Shift {
    /// Which of the findings grew.
    pub grew: Vec<usize>,
    /// Which of them shrank.
    pub shrank: Vec<usize>,
    /// By how much both together changed, in shares of the whole cost before.
    pub points: f64,
    /// Between which bounds that lies.
    pub interval: [f64; 2],
}

impl Shift {
    /// The same when some of the findings are taken out; none if one of them is a part of it.
    pub(crate) fn without(self, is_out: &[bool]) -> Option<Shift> {
        let place = |n: &usize| {
            let before = is_out[..*n].iter().filter(|out| !**out).count();
            (!is_out[*n]).then_some(before)
        };
        Some(Shift {
            grew: self.grew.iter().map(place).collect::<Option<_>>()?,
            shrank: self.shrank.iter().map(place).collect::<Option<_>>()?,
            ..self
        })
    }
}

impl Finding {
    /// Whether it costs more.
    pub fn grew(&self) -> bool {
        self.z > 0.0
    }
}

/// What could have been seen of a function of a given size.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Power {
    /// The function's share.
    pub share: f64,
    /// The growth that is found four times in five, in shares of the whole.
    pub detectable: f64,
    /// The same of one that was touched, where that has a part of the error rate of its own.
    pub touched: Option<f64>,
    /// What it takes to see less; none where nearly all is seen that fails.
    pub plan: Option<Plan>,
}

/// What could have been seen of one function, or of a whole kind of request, if all that it does became slower.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NamedPower {
    /// The function, or the one at the top of the kind of request, by its number in the tree.
    pub function: u32,
    /// Its share before.
    pub share: f64,
    /// The growth that is found four times in five, in shares of the whole.
    pub detectable: f64,
}

/// What it takes to see a smaller growth: more sampling, or more profiles.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Plan {
    /// The growth that is to be found four times in five.
    pub target: f64,
    /// How many seconds longer each side has to be sampled; none where eight times as long will not do, since runs
    /// differ by more than time averages out, and where it is not known how long they were.
    pub seconds: Option<f64>,
    /// The same as samples that each side has more.
    pub samples: Option<f64>,
    /// How many more profiles of the same length each side has to have.
    pub profiles: Option<usize>,
    /// What endless sampling of the same runs would find.
    pub floor: f64,
}

/// What differs between runs and is in no slice.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Noise {
    /// The relative standard deviation of a function's cost.
    pub functions: f64,
    /// The variance of a kind of request's share, over the share.
    pub mix: f64,
    /// Whether it was measured on the service, or only learnt from this pair.
    pub measured: bool,
}

/// How the sides were weighed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// One run a side, with slices.
    Slices,
    /// Several runs on a side, whose differences are in the runs.
    Runs,
    /// Counts without slices; how much they vary was assumed.
    Counts,
}

impl Method {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Method::Slices => "slices",
            Method::Runs => "runs",
            Method::Counts => "counts",
        }
    }
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What a gate should do.
    pub verdict: Verdict,
    /// What is compared; never [`Mode::Auto`].
    pub mode: Mode,
    /// The value that is compared, as after has it.
    pub value: ValueType,
    /// How much of it makes a sample.
    pub worth: f64,
    /// How.
    pub method: Method,
    /// Before and after.
    pub sides: [Summary; 2],
    /// The error rate of the verdict on builds that do not differ.
    pub alpha: f64,
    /// The least growth that fails, in shares of the whole.
    pub min_effect: f64,
    /// How many sets of stacks were weighed.
    pub hypotheses: usize,
    /// How many standard deviations a change of a function itself had to be.
    pub threshold: f64,
    /// What permutations were drawn from.
    pub seed: u64,
    /// How many kinds of requests were told apart.
    pub kinds: usize,
    /// By what factor what did not change has more samples after than before.
    pub rest: f64,
    /// Cost that only moved.
    pub shift: Option<Shift>,
    /// Whether it fails all the same.
    pub shifts_fail: bool,
    /// The whole.
    pub total: Option<Total>,
    /// The causes, the strongest first.
    pub findings: Vec<Finding>,
    /// What most likely made the whole grow, where the whole did and no cause can be told from chance.
    pub likely: Option<Finding>,
    /// What could have been seen of functions.
    pub power: Vec<Power>,
    /// The same of functions of any size.
    pub sensitivity: Sensitivity,
    /// What could have been seen of whole kinds of requests, the largest first.
    pub kind_power: Vec<NamedPower>,
    /// What could have been seen of functions that are by themselves a large part of the whole, the largest first, where
    /// shares are all that tells of them.
    pub large_power: Vec<NamedPower>,
    /// What differs between runs.
    pub noise: Noise,
    /// What became of budgets.
    pub budgets: Vec<BudgetTest>,
    /// What of the functions that somebody touched is in the profiles, where that was told.
    pub touched: Option<TouchedHere>,
    /// What has to be said first.
    pub warnings: Vec<Warning>,
    /// All that was sampled.
    pub tree: Tree,
    /// For each node, how strongly what is below it changed, in standard deviations; 0 where that was not
    /// weighed.
    pub node_z: Vec<f64>,
    /// For each node, between which bounds the change of its share of all samples lies, for all nodes at once; 0
    /// and 0 where that was not weighed.
    pub node_intervals: Vec<[f64; 2]>,
}

impl Comparison {
    /// Own samples of each node on one side.
    pub fn selfs(&self, side: Side) -> Vec<f64> {
        self.tree.selfs(|column| column.side == side)
    }

    /// Whether the whole fails the gate: by more than the growth in it that is ignored.
    pub fn total_regressed(&self) -> bool {
        let Some(total) = self.total.as_ref().filter(|one| one.grew(self.min_effect)) else {
            return false;
        };
        // What moved is paid for by what shrank, and adds nothing.
        let ignored = |one: &&Finding| one.ignored.is_some() && !one.moved;
        let ignored = self.findings.iter().filter(ignored);
        let ignored = ignored.filter_map(|one| self.explains(one));
        let known = ignored.sum::<f64>() * total.change();
        let least = total.tested.map_or(0.0, |test| test.interval[0] - 1.0);
        known == 0.0 || (total.change() - known >= self.min_effect && least > known)
    }

    /// Whether a finding fails the gate.
    pub fn fails(&self, finding: &Finding) -> bool {
        finding.grew()
            && finding.interval[0] > 0.0
            && finding.points >= finding.min_effect
            && finding.ignored.is_none()
            && (self.shifts_fail || !finding.moved)
    }

    /// What could have been seen of a function of a twentieth of the whole, for which people usually ask.
    pub fn usual_power(&self) -> Option<&Power> {
        self.power.iter().find(|power| power.share == USUAL)
    }

    /// The findings that fail the gate.
    pub fn regressions(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| self.fails(finding))
    }

    /// About how likely it is that any set changes as strongly by chance: the error rate at the limit, and
    /// beyond it as much less as the normal distribution has it. Permutations tell nothing under a thousandth.
    pub fn adjusted_p(&self, finding: &Finding) -> f64 {
        let beyond = upper_tail(finding.z.abs()) / upper_tail(finding.limit);
        (self.alpha * beyond).clamp(0.001f64.min(0.1 * self.alpha), 1.0)
    }

    /// What a side's share of samples comes to in the unit of the whole, where what was sampled is what counters
    /// tell of the whole, which is CPU time.
    pub fn amount(&self, share: f64, side: Side) -> Option<f64> {
        let is_told = self.value.kind == "cpu" && self.mode != Mode::Bulk;
        let total = self.total.as_ref().filter(|_| is_told)?;
        Some(match side {
            Side::Before => share * total.before,
            Side::After => share * total.after,
        })
    }

    /// Which part of the change of the whole a finding is, where both are known and went the same way.
    pub fn explains(&self, finding: &Finding) -> Option<f64> {
        let total = self.total.as_ref()?;
        let is_told = match self.mode {
            Mode::Share | Mode::Auto => false,
            Mode::Bulk => true,
            Mode::Work | Mode::Time => self.value.kind == "cpu",
        };
        let change = total.change();
        let is_told = is_told && change.abs() >= self.min_effect;
        (is_told && (change > 0.0) == finding.grew()).then(|| finding.points / change)
    }
}
