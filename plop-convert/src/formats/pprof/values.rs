//! Value types in pprof files: whole numbers only, so that decimal places go into the unit.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use plop_core::{Notes, Profile, Result, ValueType, nanoseconds_in};

use super::decode::Tables;

/// Text, with a note where it is not UTF-8.
pub(super) fn text(bytes: &[u8], notes: &mut Notes) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            notes.add("not-utf8", None, || {
                "texts that are not UTF-8 have U+FFFD where they are not".into()
            });
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

/// The value types of a file.
pub(super) fn read(tables: &Tables, notes: &mut Notes) -> Result<Vec<ValueType>> {
    let mut types: Vec<ValueType> = Vec::new();
    tables.check_size(
        tables.sample_types.iter().flat_map(|of| [of.kind, of.unit]),
        "value types",
    )?;
    for of in &tables.sample_types {
        let kind = text(tables.string(of.kind, "a value type")?, notes);
        let unit = text(tables.string(of.unit, "a value type")?, notes);
        types.push(ValueType::new(&kind, &unit));
    }
    if types.is_empty() {
        types.push(ValueType::samples());
    }
    if rename_twins(&mut types) {
        notes.add("same-value-type", None, || {
            "values of the same type and unit as one before have a number behind their type".into()
        });
    }
    Ok(types)
}

/// Gives values another type that have the same type and unit as one before them; says whether there
/// were any.
fn rename_twins(types: &mut [ValueType]) -> bool {
    let mut renamed = false;
    // What there is, and the number to try next where there is another of it.
    let mut known: HashMap<(String, String), u64, RandomState> = HashMap::default();
    for value in types {
        let plain = (value.kind.clone(), value.unit.clone());
        let mut number = known.get(&plain).copied().unwrap_or(2);
        let mut twin = plain.clone();
        while known.contains_key(&twin) {
            twin.0 = format!("{}_{number}", plain.0);
            number += 1;
        }
        if twin != plain {
            renamed = true;
            value.kind.clone_from(&twin.0);
            known.insert(plain, number);
        }
        known.insert(twin, 2);
    }
    renamed
}

/// Which value is the default: the one of this type, or else the last.
pub(super) fn default(types: &[ValueType], name: &str) -> usize {
    let named = types.iter().position(|value| value.kind == name);
    (named.filter(|_| !name.is_empty())).unwrap_or(types.len().saturating_sub(1))
}

/// How the values of a profile are written.
pub(super) struct Written {
    /// Their types in the file.
    pub(super) types: Vec<ValueType>,
    /// What each value is multiplied by.
    pub(super) factors: Vec<i64>,
    /// Whether a reader cannot tell from the file what the types were, and which is the default.
    pub(super) must_be_told: bool,
}

/// Decides how the values of a profile are written: times with decimal places in nanoseconds, if they
/// fit, and anything else in a fraction of its unit.
pub(super) fn written(profile: &Profile) -> Written {
    let stride = profile.values.len();
    let mut written = Written {
        types: Vec::with_capacity(stride),
        factors: vec![1; stride],
        must_be_told: false,
    };
    for (n, value) in profile.values.iter().enumerate() {
        let mut native = ValueType::new(&value.kind, &value.unit);
        if value.scale > 0 {
            match factor(profile, n) {
                Some(factor) => {
                    written.factors[n] = factor;
                    native.unit = "nanoseconds".into();
                }
                None => native.unit = format!("{}/1{}", value.unit, "0".repeat(value.scale.into())),
            }
        }
        written.types.push(native);
    }
    for n in 1..stride {
        // Go tells values apart by their type alone.
        let (before, rest) = written.types.split_at_mut(n);
        let is_taken = |kind: &str| before.iter().any(|other| other.kind == kind);
        if is_taken(&rest[0].kind) {
            let kind = format!("{}_{}", rest[0].kind, rest[0].unit);
            let numbered = (2..).map(|number| format!("{kind}_{number}"));
            let mut names = std::iter::once(kind.clone()).chain(numbered);
            rest[0].kind = names.find(|name| !is_taken(name)).unwrap_or_default();
        }
    }
    let name = &written.types[profile.default_value].kind;
    written.must_be_told =
        written.types != profile.values || default(&written.types, name) != profile.default_value;
    written
}

/// The profile with times rounded to nanoseconds, pprof's finest unit; `None` where none is finer.
pub(super) fn in_nanoseconds(profile: &Profile, notes: &mut Notes) -> Option<Profile> {
    let places = |value: &ValueType| {
        nanoseconds_in(&value.unit)
            .map(|unit| unit.ilog10() as u8)
            .filter(|places| *places < value.scale)
    };
    if !profile.values.iter().any(|value| places(value).is_some()) {
        return None;
    }
    let mut profile = profile.clone();
    let stride = profile.values.len();
    let mut rounded = 0;
    for n in 0..stride {
        let Some(places) = places(&profile.values[n]) else {
            continue;
        };
        let parts = 10i64.pow((profile.values[n].scale - places).into());
        profile.values[n].scale = places;
        for value in profile
            .samples
            .values_mut()
            .iter_mut()
            .skip(n)
            .step_by(stride)
        {
            let (whole, rest) = (*value / parts, *value % parts);
            rounded += u64::from(rest != 0);
            let away = i64::from(rest.unsigned_abs() >= parts.unsigned_abs() - rest.unsigned_abs());
            *value = whole + away * rest.signum();
        }
    }
    if rounded > 0 {
        notes.add_many("rounded", rounded, None, || {
            "times were rounded to whole nanoseconds".into()
        });
    }
    Some(profile)
}

/// What turns value `n`, a time with decimal places, into whole nanoseconds; `None` if nothing does.
fn factor(profile: &Profile, n: usize) -> Option<i64> {
    let value = &profile.values[n];
    let unit = nanoseconds_in(&value.unit)?;
    let parts = 10i64.checked_pow(value.scale.into())?;
    let factor = unit
        .checked_div(parts)
        .filter(|factor| factor * parts == unit)?;
    let magnitudes = (profile.samples.values().iter().skip(n)).step_by(profile.values.len());
    let sum: u128 = magnitudes.map(|v| u128::from(v.unsigned_abs())).sum();
    let largest = sum.checked_mul(factor.unsigned_abs().into())?;
    (factor > 0 && largest <= i64::MAX as u128).then_some(factor)
}

/// What plop noted of the value types it wrote.
pub(super) struct Restored {
    pub(super) values: Vec<ValueType>,
    pub(super) default: usize,
}

/// Gives values back the types they had before they were written.
pub(super) fn restore(profile: &mut Profile, restored: Restored) {
    let stride = profile.values.len();
    let factor = |value: &ValueType, native: &ValueType| -> i64 {
        let parts = 10i64.pow(value.scale.into());
        match native.unit == "nanoseconds" && value.scale > 0 {
            true => nanoseconds_in(&value.unit).map_or(1, |unit| (unit / parts).max(1)),
            false => 1,
        }
    };
    if restored.values.len() != stride || restored.default >= stride {
        return;
    }
    let factors: Vec<i64> = (restored.values.iter().zip(&profile.values))
        .map(|(value, native)| factor(value, native))
        .collect();
    let divides = |(n, value): (usize, &i64)| value % factors[n % stride] == 0;
    if !profile.samples.values().iter().enumerate().all(divides) {
        return;
    }
    for (n, value) in profile.samples.values_mut().iter_mut().enumerate() {
        *value /= factors[n % stride];
    }
    profile.values = restored.values;
    profile.default_value = restored.default;
}
