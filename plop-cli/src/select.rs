//! The transforms as options, and the order in which they are applied.

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use plop_convert::{Content, Format};
use plop_core::{FrameSet, Granularity, Profile};
use regex::bytes::Regex;

/// What to make of a profile before it goes out.
#[derive(clap::Args)]
#[command(next_help_heading = "Transforms, applied in this order")]
pub(crate) struct SelectArgs {
    /// Only profile N of those read, counted from 0 as `plop info` does
    #[arg(long, value_name = "N")]
    profile: Option<usize>,
    /// Only this value: its type (cpu), type and unit (cpu/nanoseconds), or number from 0
    #[arg(long, value_name = "NAME")]
    value: Option<String>,
    /// Only slices A up to but not with B, from 0; `A..`, `..B` and `A` work too
    #[arg(long, value_name = "A..B", value_parser = slice_range)]
    slices: Option<(usize, usize)>,
    /// Only threads whose name matches, or whose id is this number
    #[arg(long, value_name = "REGEX|ID")]
    thread: Option<String>,
    /// Only samples with this label, and this value if one is given
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Option<String>,
    /// Threads: as root frames of their stacks, or all together
    #[arg(long, value_name = "HOW")]
    threads: Option<Threads>,
    /// Only stacks with a function or file that matches
    #[arg(long, value_name = "REGEX")]
    focus: Option<Regex>,
    /// No stacks with a function or file that matches
    #[arg(long, value_name = "REGEX")]
    ignore: Option<Regex>,
    /// Stacks from the first function or file that matches; none without one
    #[arg(long, value_name = "REGEX")]
    show_from: Option<Regex>,
    /// Leave out functions and files that match; their cost goes to their callers
    #[arg(long, value_name = "REGEX")]
    hide: Option<Regex>,
    /// Tell places apart by function, file or line only. Pictures are by function unless told
    #[arg(long, value_name = "HOW")]
    granularity: Option<By>,
    /// A function that calls itself directly becomes one frame
    #[arg(long)]
    fold_recursion: bool,
    /// Percent-encode what folded stacks cannot write in a name, reversibly
    #[arg(long, conflicts_with = "unescape")]
    escape: bool,
    /// Undo --escape
    #[arg(long)]
    unescape: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Threads {
    /// Each thread a root frame: what formats without threads can show.
    Roots,
    /// All threads together.
    Merged,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Functions,
    Files,
    Lines,
}

impl SelectArgs {
    /// Whether one of several profiles is asked for.
    pub(crate) fn chooses_profile(&self) -> bool {
        self.profile.is_some()
    }

    /// Applies what was asked for, to profiles that will be written in `format`.
    pub(crate) fn apply(
        &self,
        mut profiles: Vec<Profile>,
        format: &Format,
    ) -> Result<Vec<Profile>> {
        if let Some(n) = self.profile {
            if n >= profiles.len() {
                bail!(
                    "--profile {n}: the last is {}, counted from 0",
                    profiles.len().saturating_sub(1)
                );
            }
            profiles = vec![profiles.swap_remove(n)];
        }
        if let Some(name) = &self.value {
            // A file may hold profiles of different values.
            let some_have_it = profiles
                .iter()
                .any(|profile| find_value(profile, name).is_ok());
            profiles.retain(|profile| !some_have_it || find_value(profile, name).is_ok());
        }
        let had_samples: Vec<bool> = (profiles.iter())
            .map(|profile| !profile.samples.is_empty())
            .collect();
        let profiles: Vec<Profile> = (profiles.into_iter())
            .map(|profile| self.transform(profile, format))
            .collect::<Result<_>>()?;
        // What the transforms left nothing of goes, unless that is all of them.
        let left = |profile: &Profile| !profile.samples.is_empty();
        if !profiles.iter().any(left) {
            return Ok(profiles);
        }
        let emptied = profiles
            .iter()
            .zip(had_samples)
            .map(|(p, had)| had && !left(p));
        let emptied: Vec<bool> = emptied.collect();
        let kept = profiles.into_iter().zip(emptied);
        Ok(kept
            .filter(|(_, emptied)| !emptied)
            .map(|(profile, _)| profile)
            .collect())
    }

    fn transform(&self, mut profile: Profile, format: &Format) -> Result<Profile> {
        if let Some(name) = &self.value {
            let value = find_value(&profile, name)?;
            profile = profile.choosing(value);
        }
        if let Some((from, to)) = self.slices {
            profile = profile.by_slices(from, to).context("--slices")?;
        }
        if let Some(thread) = &self.thread {
            let id: Option<i64> = thread.parse().ok();
            let name = Regex::new(thread).context("--thread")?;
            profile = profile.by_thread(|text, tid| match id {
                Some(id) => tid == id || holds_number(text, thread),
                None => name.is_match(text),
            });
        }
        if let Some(label) = &self.label {
            let (key, value) = match label.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (label.as_str(), None),
            };
            profile = profile.by_label(|k, v| {
                k == key.as_bytes() && value.is_none_or(|value| v == value.as_bytes())
            });
        }
        profile = match self.threads {
            Some(Threads::Roots) => profile.threads_to_roots(),
            Some(Threads::Merged) => profile.without_threads(),
            None => profile,
        };
        type Frames = fn(Profile, &FrameSet) -> Profile;
        let by_frames: [(&Option<Regex>, Frames); 4] = [
            (&self.focus, Profile::focus),
            (&self.ignore, Profile::ignore),
            (&self.show_from, Profile::show_from),
            (&self.hide, Profile::hide),
        ];
        for (regex, transform) in by_frames {
            if let Some(regex) = regex {
                let frames = profile.frames_where(|text| regex.is_match(text));
                profile = transform(profile, &frames);
            }
        }
        profile = match self.granularity {
            Some(By::Functions) => profile.at_granularity(Granularity::Functions),
            Some(By::Files) => profile.at_granularity(Granularity::Files),
            Some(By::Lines) => profile.at_granularity(Granularity::Lines),
            None => as_drawn(profile, format),
        };
        if self.fold_recursion {
            profile = profile.fold_recursion();
        }
        if self.escape {
            profile = profile.escaped();
        }
        if self.unescape {
            profile = profile.unescaped();
        }
        Ok(profile)
    }
}

/// A profile by function if it goes into a picture, where lines would be boxes of their own.
pub(crate) fn as_drawn(profile: Profile, format: &Format) -> Profile {
    match format.content {
        Content::Picture => profile.at_granularity(Granularity::Functions),
        _ => profile,
    }
}

/// Whether a root frame such as `thread (12): main` has this number in its brackets.
fn holds_number(text: &[u8], number: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    text.starts_with(&format!("thread ({number})"))
}

fn find_value(profile: &Profile, name: &str) -> Result<usize> {
    let by_name = profile
        .values
        .iter()
        .position(|value| value.kind == name || format!("{}/{}", value.kind, value.unit) == name);
    let by_number = || name.parse().ok().filter(|n| *n < profile.values.len());
    by_name.or_else(by_number).with_context(|| {
        let values: Vec<String> = (profile.values.iter())
            .map(|value| format!("{}/{}", value.kind, value.unit))
            .collect();
        format!("--value {name}: there is {}", values.join(", "))
    })
}

fn slice_range(text: &str) -> Result<(usize, usize), String> {
    let wrong = || format!("expected A..B, found `{text}`");
    let number = |part: &str, absent: usize| match part {
        "" => Ok(absent),
        part => part.parse().map_err(|_| wrong()),
    };
    match text.split_once("..") {
        Some((from, to)) => Ok((number(from, 0)?, number(to, usize::MAX)?)),
        None => {
            let one: usize = text.parse().map_err(|_| wrong())?;
            Ok((one, one.checked_add(1).ok_or_else(wrong)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_slices_may_be_open() {
        assert_eq!(slice_range("3..7"), Ok((3, 7)));
        assert_eq!(slice_range("3.."), Ok((3, usize::MAX)));
        assert_eq!(slice_range("..7"), Ok((0, 7)));
        assert_eq!(slice_range("4"), Ok((4, 5)));
        assert!(slice_range("a..b").is_err());
        assert!(slice_range("").is_err());
    }
}
