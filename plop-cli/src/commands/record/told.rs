//! What `plop record` says at the end: a line for people, the same for programs, and a summary.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use plop_core::{Profile, ValueType, amount, duration, escape};
use plop_sampler::recording::{Counters, Recording};
use serde_json::{Value, json};

use super::finish::Written;
use crate::report;

/// Fewer ticks that did not come than this share are no word worth.
const MISSED: f64 = 0.1;
/// More rejected stacks than this share are worth a word.
const REJECTED: f64 = 0.0003;
/// Fewer of them, or fewer samples, say nothing.
const FEW: i64 = 5;
const FEW_SAMPLES: i64 = 20;

/// What all processes counted and said, kept while their samples go into the profile.
#[derive(Default)]
pub(super) struct Account {
    /// Processes that had something to record, or said why not.
    pub(super) processes: usize,
    pub(super) counters: Counters,
    /// What it cost the program, in nanoseconds of CPU time.
    cost_ns: i64,
    empty_signal_ns: u64,
    /// Ticks that were due by the CPU time of threads, and those that nobody has counted as taken or lost.
    due: i64,
    missed: i64,
    triggers: Vec<(String, String)>,
    /// Why processes were not sampled, and how many.
    pub(super) refused: Vec<(String, usize)>,
    /// Processes of which only a checkpoint is left.
    recovered: usize,
    /// Whether a language runtime was seen that can be sampled.
    pub(super) runtime: bool,
    /// Whether the timer that drives the sampler was not what it was to be.
    pub(super) without_timer: bool,
    /// Error numbers of processes that could not save everything.
    save_errors: Vec<i64>,
    /// Why samples of processes have no times though they were asked for.
    without_times: Vec<String>,
}

impl Account {
    pub(super) fn of(recordings: &[Recording], empty_signal_ns: u64) -> Account {
        let mut account = Account {
            empty_signal_ns,
            ..Account::default()
        };
        let mut pids: Vec<i64> = Vec::new();
        for Recording { profile, process } in recordings {
            if !profile.samples.is_empty() {
                pids.push(process.pid);
            }
            account.counters.add(&process.counters);
            if process.trigger != "wall" && !["wall", "real"].contains(&process.mode.as_str()) {
                let counters = &process.counters;
                let blocked = counters.blocked_ns / process.period_ns.unwrap_or(0).max(1);
                account.due = account.due.saturating_add(counters.asked);
                account.missed = [counters.delivered, counters.dropped, blocked]
                    .iter()
                    .fold(counters.asked, |left, ticks| left.saturating_sub(*ticks))
                    .saturating_add(account.missed);
            }
            let mut trigger = (process.trigger.clone(), process.trigger_why.clone());
            if process.mode == "wall" {
                // Looks drive it, whatever threads would have sampled themselves with.
                trigger = ("wall".to_owned(), String::new());
            }
            account.without_timer |= trigger.0 == "itimer" && !trigger.1.is_empty();
            if !trigger.0.is_empty() && !account.triggers.contains(&trigger) {
                account.triggers.push(trigger);
            }
            if !process.refused.is_empty() {
                let refused = &mut account.refused;
                match refused.iter_mut().find(|(why, _)| *why == process.refused) {
                    Some((_, count)) => *count += 1,
                    None => refused.push((process.refused.clone(), 1)),
                }
            }
            account.runtime |= !profile.meta.runtime.is_empty();
            let is_whole = process.finished || process.ending;
            account.recovered += usize::from(!is_whole && process.refused.is_empty());
            if process.save_error != 0 {
                account.save_errors.push(process.save_error);
            }
            if !process.timeline_why.is_empty() {
                account.without_times.push(process.timeline_why.clone());
            }
        }
        pids.sort_unstable();
        pids.dedup();
        account.processes = pids.len();
        let signals = (account.counters.signals).saturating_mul(empty_signal_ns as i64);
        account.cost_ns = [
            account.counters.handler_ns,
            account.counters.own_cpu_ns,
            account.counters.setup_ns,
            signals,
        ]
        .iter()
        .fold(0, |sum, ns| sum.saturating_add(*ns));
        account
    }

    /// What it cost, as a share of the CPU time of the program.
    fn overhead(&self) -> Option<f64> {
        (self.counters.cpu_ns > 0).then(|| self.cost_ns as f64 / self.counters.cpu_ns as f64)
    }

    /// What has to be said before the line, a sentence each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (why, count) in &self.refused {
            remarks.push(match count {
                1 => format!("not sampled: {why}"),
                count => format!("{count} processes not sampled: {why}"),
            });
        }
        for (trigger, why) in self.triggers.iter().filter(|(_, why)| !why.is_empty()) {
            remarks.push(format!("sampled by {trigger}: {why}"));
        }
        if self.missed > FEW_SAMPLES && self.missed as f64 > self.due as f64 * MISSED {
            remarks.push(format!(
                "{} of {} that were due did not come",
                number(self.missed),
                counted(self.due, "sample")
            ));
        }
        let rejected = self.counters.rejected as f64 / self.counters.delivered.max(1) as f64;
        let sampled = self.refused.is_empty();
        if sampled && self.counters.rejected > FEW && rejected > REJECTED {
            remarks.push(format!(
                "{} of {} stacks were cut off at a frame that cannot be one",
                self.counters.rejected, self.counters.delivered
            ));
        }
        if self.counters.blocked_ns > 0 {
            remarks.push(format!(
                "{} of CPU time is in no sample: threads had SIGPROF blocked",
                duration(self.counters.blocked_ns as f64)
            ));
        }
        if sampled
            && self.runtime
            && self.counters.delivered >= FEW_SAMPLES
            && self.counters.no_python + self.counters.overruns >= self.counters.delivered
        {
            remarks.push(
                "no sample has a Python frame: no Python code ran, or this build of CPython keeps its \
                 frames where plop does not look"
                    .to_owned(),
            );
        }
        if self.recovered > 0 {
            let (who, lacks) = match self.recovered {
                1 => ("a process".to_owned(), "it lacks"),
                count => (format!("{count} processes"), "they lack"),
            };
            remarks.push(format!(
                "{who} did not come to the end of the recording: what was saved last is here, and \
                 {lacks} up to a second"
            ));
        }
        for error in &self.save_errors {
            let error = io::Error::from_raw_os_error(*error as i32);
            remarks.push(format!("a process could not save all that it had: {error}"));
        }
        for why in &self.without_times {
            remarks.push(format!("the samples of a process have no times: {why}"));
        }
        remarks
    }

    /// Samples, threads, processes, drops and overhead.
    pub(super) fn line(&self, profiles: &[&Profile]) -> String {
        let mut line = String::new();
        let values: &[ValueType] = profiles.first().map_or(&[], |profile| &profile.values);
        for (n, value) in values.iter().enumerate() {
            let total = profiles.iter().map(|profile| profile.total(n)).sum();
            let _ = match n {
                0 => write!(line, "{} ({})", counted(total, "sample"), value.kind),
                _ => write!(line, " and {} ({})", number(total), value.kind),
            };
        }
        let threads: usize = profiles.iter().map(|profile| profile.thread_count()).sum();
        let _ = write!(
            line,
            ", {}, {}, {} dropped; overhead {}",
            counted(threads as i64, "thread"),
            counted(self.processes as i64, "process"),
            number(self.counters.dropped),
            match self.overhead() {
                // Of a program that hardly did anything, a share alone would frighten.
                Some(share) if share > 0.05 => format!(
                    "{:.1} % ({} of CPU time)",
                    share * 100.0,
                    duration(self.cost_ns as f64)
                ),
                Some(share) => format!("{:.1} %", share * 100.0),
                None => duration(self.cost_ns as f64),
            }
        );
        line
    }

    /// The same for programs.
    pub(super) fn json(
        &self,
        written: &[Written],
        status: Option<ExitStatus>,
        running: &[i64],
    ) -> Value {
        let profile = written.first().map(|written| &written.profile);
        let values: Vec<Value> = (profile.map_or(&[][..], |profile| &profile.values).iter())
            .enumerate()
            .map(|(n, value)| {
                let total: i64 = written.iter().map(|written| written.profile.total(n)).sum();
                json!({"type": value.kind, "unit": value.unit, "total": total})
            })
            .collect();
        let threads: usize = written.iter().map(|w| w.profile.thread_count()).sum();
        let mut counters = serde_json::Map::new();
        for (name, count) in self.counters.iter() {
            counters.insert(name.into(), count.into());
        }
        let triggers =
            (self.triggers.iter()).map(|(trigger, why)| json!({"trigger": trigger, "why": why}));
        let refused =
            (self.refused.iter()).map(|(why, count)| json!({"why": why, "processes": count}));
        json!({
            "schema": "plop.record/1",
            "outputs": written.iter().map(|w| w.answer["output"].clone()).collect::<Vec<_>>(),
            "status": status.map(|status| json!({"code": status.code(), "signal": status.signal()})),
            "values": values,
            "threads": threads,
            "processes": self.processes,
            "counters": counters,
            "overhead": {
                "share": self.overhead(),
                "cpu_ns": self.cost_ns,
                "empty_signal_ns": self.empty_signal_ns,
            },
            "triggers": triggers.collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
            "recovered": self.recovered,
            "running": running,
            "remarks": self.remarks(),
            "lost": written.first().map_or(report::losses_json(plop_core::Features::NONE), |w| w.answer["lost"].clone()),
            "notes": written.first().map_or(json!([]), |w| w.answer["notes"].clone()),
        })
    }
}

/// `1 thread`, `3 threads`, `3 processes`.
pub(super) fn counted(count: i64, word: &str) -> String {
    let plural = if word.ends_with('s') { "es" } else { "s" };
    match count {
        1 => format!("1 {word}"),
        count => format!("{} {word}{plural}", number(count)),
    }
}

/// A number with its thousands separated.
fn number(count: i64) -> String {
    let text = amount(count, &ValueType::new("", "count"));
    text.trim_end().to_owned()
}

/// How many functions a summary has.
const SHOWN: usize = 12;

/// Prints the functions that took most of the default value, themselves and with what they called.
pub(super) fn show(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    let value = profile.default_value;
    let total = profile.total(value);
    if total == 0 {
        return Ok(());
    }
    let measures = profile.by_function(value);
    let mut rows: Vec<_> = (profile.functions.iter().zip(&measures))
        .filter(|(_, measure)| measure.total != 0)
        .collect();
    rows.sort_by_key(|((id, _), measure)| {
        (std::cmp::Reverse((measure.own, measure.total)), id.index())
    });
    let percent = |part: i64| part as f64 / total as f64 * 100.0;
    writeln!(
        out,
        "{:>7} {:>7}  {}",
        "self", "total", profile.values[value].kind
    )?;
    for ((_, function), measure) in rows.into_iter().take(SHOWN) {
        let name = escape(profile.strings.get(function.name));
        let file = escape(profile.strings.get(function.file));
        let place = match (file.is_empty(), function.start_line) {
            (true, _) => String::new(),
            (false, 0) => format!(" ({file})"),
            (false, line) => format!(" ({file}:{line})"),
        };
        writeln!(
            out,
            "{:>5.1} % {:>5.1} %  {name}{place}",
            percent(measure.own),
            percent(measure.total)
        )?;
    }
    Ok(())
}
