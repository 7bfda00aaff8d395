//! A comparison as commands of a GitHub workflow, which become annotations of the files: a line for each, in what
//! the job prints.

use plop_diff::{Comparison, Verdict};

use super::places::Places;
use super::remarks::{Level, remarks};
use super::seen::seen;
use super::text::{sentence, shown};

/// GitHub shows so many of each kind for one step.
const MOST: usize = 10;

pub(super) fn document(comparison: &Comparison, places: &Places) -> String {
    let mut lines = String::new();
    let remarks = remarks(comparison, places);
    for (level, command) in [
        (Level::Fails, "error"),
        (Level::Doubtful, "warning"),
        (Level::Minor, "notice"),
    ] {
        let of_level: Vec<_> = remarks.iter().filter(|one| one.level == level).collect();
        let fit = match of_level.len() > MOST {
            true => MOST - 1,
            false => of_level.len(),
        };
        for remark in &of_level[..fit] {
            let place = remark.place.as_ref();
            let file = place.map(|place| ("file", place.path.clone()));
            let line = place.filter(|place| place.line > 0);
            let line = line.map(|place| ("line", place.line.to_string()));
            let title = ("title", format!("plop: {}", remark.title));
            let properties = file.into_iter().chain(line).chain([title]);
            lines += &self::line(command, properties, &remark.text);
        }
        if fit < of_level.len() {
            let title = ("title", "plop: more".to_owned());
            let text = format!("and {} more", of_level.len() - fit);
            lines += &self::line(command, [title], &text);
        }
    }
    if comparison.verdict == Verdict::Ok {
        let [before, after] = comparison.sides.each_ref().map(|side| shown(&side.name));
        let seen: Vec<String> = seen(comparison).iter().map(|text| sentence(text)).collect();
        let text = format!("nothing slower, {before} → {after}; {}", seen.join("; "));
        lines += &line("notice", [("title", "plop: ok".to_owned())], &text);
    }
    lines
}

fn line(
    command: &str,
    properties: impl IntoIterator<Item = (&'static str, String)>,
    text: &str,
) -> String {
    let properties: Vec<String> = (properties.into_iter())
        .map(|(name, value)| format!("{name}={}", property(&value)))
        .collect();
    format!("::{command} {}::{}\n", properties.join(","), data(text))
}

/// A text as the runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
