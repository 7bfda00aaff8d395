//! How a flame graph looks: its title, its colours, and what its numbers are called.

use inferno::flamegraph::color::{BasicPalette, MultiPalette};
use inferno::flamegraph::{Options, Palette, TextTruncateDirection};
use plop_core::{FrameId, FrameKind, Profile, ValueType, nanoseconds_in};

use super::{drawable, shortened};
use crate::formats::folded_diff;

/// The most characters of a title.
const MAX_TITLE: usize = 100;

/// Whether a profile holds a before and an after.
pub(super) fn is_comparison(profile: &Profile) -> bool {
    let names = folded_diff::values();
    let [before, after] = &profile.values[..] else {
        return false;
    };
    before.kind == names[0].kind && after.kind == names[1].kind && before.unit == after.unit
}

/// What inferno has to be told.
pub(super) fn options(profile: &Profile, counts: &Counts, palette: Palette) -> Options<'static> {
    let mut options = Options::default();
    let compared = is_comparison(profile);
    let title = match (profile.meta.name.as_str(), compared) {
        ("", true) => "Differential flame graph",
        ("", false) => "Flame graph",
        (name, _) => name,
    };
    options.title = shortened(&drawable(title.as_bytes()), MAX_TITLE).into_owned();
    options.subtitle =
        compared.then(|| "widths: after; red: more than before, blue: less".to_owned());
    options.colors = palette;
    options.deterministic = true;
    options.min_width = 0.0;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.count_name = counts.name.clone();
    options.factor = counts.factor;
    options
}

/// The numbers of a picture: whole ones are drawn, and shown times a factor under a name.
pub(super) struct Counts {
    /// Decimal places of the whole numbers that are drawn; below 0 they are in tens, hundreds, …
    scale: i32,
    /// What to multiply them with for people.
    factor: f64,
    /// What they are called then.
    name: String,
}

/// Inferno multiplies a count by 150.
const MOST: i128 = i64::MAX as i128 / 150;

/// A total of this many units or more is shown in that unit: percentages, which are worked out from
/// rounded numbers, are then still right.
const ENOUGH: f64 = 10_000.0;

impl Counts {
    pub(super) fn of(profile: &Profile) -> Counts {
        let columns = || profile.values.iter().enumerate();
        let finest = columns().map(|(_, value)| value.scale).max();
        let finest = i32::from(finest.unwrap_or(0));
        let fits = |scale: &i32| {
            columns().all(|(n, value)| rescaled(profile.total(n), value.scale, *scale) <= MOST)
        };
        let scale = (-19..=finest).rev().find(fits).unwrap_or(finest);
        let value = &profile.values[profile.default_value];
        let total = rescaled(profile.total(profile.default_value), value.scale, scale) as f64;
        let one = 10f64.powi(-scale);
        if is_comparison(profile) {
            // The difference that inferno shows knows of no factor.
            let name = match value.unit.as_str() {
                "count" => "samples",
                unit => unit,
            };
            let name = multiple(scale, &drawable(name.as_bytes()));
            return Counts {
                scale,
                factor: 1.0,
                name,
            };
        }
        let (one, units) = units(value, one, scale);
        let is_whole = |size: f64| one / size > 0.999;
        let is_right = |(_, size): &&(String, f64)| is_whole(*size) || total * one / size >= ENOUGH;
        let (name, size) = units
            .iter()
            .find(is_right)
            .unwrap_or(&units[units.len() - 1]);
        Counts {
            scale,
            factor: one / size,
            name: name.clone(),
        }
    }

    /// A stored value of so many decimal places as it is drawn.
    pub(super) fn drawn(&self, value: i64, scale: u8) -> i64 {
        rescaled(value, scale, self.scale) as i64
    }
}

/// A value with other decimal places; those that go are cut off.
fn rescaled(value: i64, from: u8, to: i32) -> i128 {
    let places = to - i32::from(from);
    let power = 10i128.pow(places.unsigned_abs().min(19));
    match places < 0 {
        true => i128::from(value) / power,
        false => i128::from(value) * power,
    }
}

/// The units that a value can be shown in, largest first, and what one of the drawn numbers, `one` in
/// the value's own unit, is in the same measure.
fn units(value: &ValueType, one: f64, scale: i32) -> (f64, Vec<(String, f64)>) {
    let list = |units: &[(&str, f64)]| {
        units
            .iter()
            .map(|(name, size)| ((*name).to_owned(), *size))
            .collect()
    };
    if let Some(nanoseconds) = nanoseconds_in(&value.unit) {
        let units = [("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0)];
        return (one * nanoseconds as f64, list(&units));
    }
    let name = match value.unit.as_str() {
        "B" | "byte" | "bytes" => {
            let power = |n| 1024f64.powi(n);
            let units = [
                ("GiB", power(3)),
                ("MiB", power(2)),
                ("KiB", power(1)),
                ("bytes", 1.0),
            ];
            return (one, list(&units));
        }
        "count" | "" if value.kind.is_empty() => "samples",
        "count" | "" => &value.kind,
        unit => unit,
    };
    let name = drawable(name.as_bytes());
    let sizes = (0..=scale.max(0)).map(|places| (multiple(places, &name), 10f64.powi(-places)));
    (one, sizes.collect())
}

/// The name of a unit's part with so many decimal places; below 0 they are tens, hundreds, …
fn multiple(places: i32, name: &str) -> String {
    match places {
        0 => name.to_owned(),
        _ => format!(
            "× {:.*} {name}",
            places.max(0) as usize,
            10f64.powi(-places)
        ),
    }
}

/// A language whose frames inferno knows how to colour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    Java,
    JavaScript,
    Rust,
    Perl,
}

const LANGUAGES: [(Language, MultiPalette); 5] = [
    (Language::Python, MultiPalette::Python),
    (Language::Java, MultiPalette::Java),
    (Language::JavaScript, MultiPalette::Js),
    (Language::Rust, MultiPalette::Rust),
    (Language::Perl, MultiPalette::Perl),
];

/// The colours for the language of most frames, if it is that of a third of them; otherwise those
/// that flame graphs have their name from.
pub(super) fn palette(profile: &Profile) -> Palette {
    let languages: Vec<Option<Language>> = (profile.frames.iter())
        .map(|(id, _)| language(profile, id))
        .collect();
    let votes = |language| languages.iter().filter(|l| **l == Some(language)).count();
    let best = LANGUAGES
        .iter()
        .rev()
        .max_by_key(|(language, _)| votes(*language));
    match best {
        Some((language, palette)) if votes(*language) * 3 >= languages.len().max(1) => {
            Palette::Multi(*palette)
        }
        _ => Palette::Basic(BasicPalette::Hot),
    }
}

/// Whether a palette shows by its colours what the marks `_[k]`, `_[j]` and `_[i]` say.
pub(super) fn colours_marks(palette: Palette) -> bool {
    matches!(
        palette,
        Palette::Multi(MultiPalette::Java | MultiPalette::Js)
    )
}

/// What language a frame is in, going by its kind, its file, or else its name.
fn language(profile: &Profile, id: FrameId) -> Option<Language> {
    let name = String::from_utf8_lossy(profile.name_of(id));
    let file = String::from_utf8_lossy(profile.file_of(id));
    let kind = profile.frames.get(id).kind;
    match kind {
        FrameKind::Python => return Some(Language::Python),
        FrameKind::Kernel | FrameKind::Thread | FrameKind::Process => return None,
        _ => {}
    }
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "py" | "pyx" | "pyw" => return Some(Language::Python),
        "java" | "kt" | "scala" | "groovy" | "clj" => return Some(Language::Java),
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" => return Some(Language::JavaScript),
        "rs" => return Some(Language::Rust),
        "pl" | "pm" => return Some(Language::Perl),
        _ => {}
    }
    if file.starts_with("<frozen ") || name.starts_with("<frozen ") || name == "<module>" {
        return Some(Language::Python);
    }
    if file.starts_with("node:") || name.contains(".js:") || name.contains(" node:") {
        return Some(Language::JavaScript);
    }
    let starts = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if starts(&["core::", "alloc::", "<core::", "<alloc::"]) || name.contains("::{{closure}}") {
        return Some(Language::Rust);
    }
    let compiled = matches!(
        kind,
        FrameKind::Jit | FrameKind::Interpreted | FrameKind::Baseline
    );
    let packages = [
        "java/", "java.", "javax/", "javax.", "jdk/", "jdk.", "sun/", "sun.",
    ];
    (compiled || starts(&packages)).then_some(Language::Java)
}
