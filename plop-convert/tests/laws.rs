//! The laws that hold for every format there is, on profiles made at random and on every fixture.
#![allow(clippy::unwrap_used)]

mod support;

use plop_convert::{Format, ReadOptions, detect, formats, read};
use plop_core::{Features, Notes, Profile};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn written(format: &Format, profiles: &[Profile]) -> Option<(Vec<u8>, Vec<String>)> {
    let mut notes = Notes::new();
    let prepared = format.prepare(profiles, &mut notes).ok()?;
    let mut bytes = Vec::new();
    prepared.write(&mut bytes).unwrap();
    Some((
        bytes,
        prepared
            .profiles
            .iter()
            .map(|profile| profile.dump())
            .collect(),
    ))
}

/// What is kept comes back, a format detects its own output, and writing again gives the same bytes.
fn obeys(format: &'static Format, profile: &Profile) -> Result<(), String> {
    let Some((bytes, expected)) = written(format, std::slice::from_ref(profile)) else {
        return match format.keeps.contains(Features::NEGATIVE) {
            true => Err("refused".into()),
            false => Ok(()),
        };
    };
    if !format.is_read() {
        return Ok(());
    }
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
    let loaded = read(&bytes, Some(format), &ReadOptions::default())
        .map_err(|error| format!("does not read its own output: {error}\n{shown}"))?;
    let dumps: String = loaded.profiles.iter().map(Profile::dump).collect();
    same("read back", &expected.concat(), &dumps, &shown)?;
    if !bytes.is_empty() {
        let detected =
            detect(&bytes, "").map_err(|error| format!("not detected: {error}\n{shown}"))?;
        same("detected", format.name, detected.name, &shown)?;
    }
    let (again, _) = written(format, &loaded.profiles).ok_or("cannot write what it read")?;
    same(
        "written again",
        &shown,
        &String::from_utf8_lossy(&again[..again.len().min(2000)]),
        "",
    )
}

fn same(what: &str, expected: &str, found: &str, written: &str) -> Result<(), String> {
    match expected == found {
        true => Ok(()),
        false => Err(format!(
            "{what}: expected\n{expected}\nfound\n{found}\nwritten\n{written}"
        )),
    }
}

/// Writing tells what it loses, and where it loses and notes nothing, nothing changes.
fn tells_losses(format: &'static Format, profile: &Profile) -> Result<(), String> {
    let mut notes = Notes::new();
    let Ok(prepared) = format.prepare(std::slice::from_ref(profile), &mut notes) else {
        return Ok(());
    };
    if prepared.losses.is_empty() && notes.is_empty() {
        same(
            "changed in silence",
            &profile.dump(),
            &prepared.profiles[0].dump(),
            "",
        )?;
    }
    let left = prepared.profiles[0].features() - format.keeps;
    same("writes what it does not keep", "", &left.to_string(), "")
}

/// The profile with counters whose sums fit: at the ends of 64 bits they saturate.
fn modest(mut profile: Profile) -> Profile {
    let meta = &mut profile.meta;
    let counters = [&mut meta.duration_ns, &mut meta.cpu_ns, &mut meta.wall_ns];
    for counter in counters.into_iter().flatten() {
        *counter %= 1 << 40;
    }
    for (_, amount) in &mut meta.work {
        *amount %= 1 << 40;
    }
    if let Some(ticks) = &mut meta.ticks {
        for count in [&mut ticks.asked, &mut ticks.delivered, &mut ticks.dropped] {
            *count %= 1 << 40;
        }
    }
    profile
}

fn runner() -> TestRunner {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1500);
    TestRunner::new_with_rng(
        Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        },
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    )
}

fn writers() -> impl Iterator<Item = &'static Format> {
    formats()
        .iter()
        .copied()
        .filter(|format| format.write.is_some())
}

#[test]
fn every_format_obeys_the_law_on_random_profiles() {
    for format in writers() {
        let result = runner().run(&support::profile(), |profile| {
            obeys(format, &profile).map_err(TestCaseError::fail)?;
            tells_losses(format, &profile).map_err(TestCaseError::fail)
        });
        result.unwrap_or_else(|error| panic!("{}: {error}", format.name));
    }
}

#[test]
fn every_format_obeys_the_law_on_every_fixture() {
    for from in formats() {
        for file in support::fixtures(from.name) {
            let bytes = std::fs::read(&file).unwrap();
            let loaded = read(&bytes, Some(from), &ReadOptions::default()).unwrap();
            for profile in &loaded.profiles {
                for format in writers() {
                    let found = obeys(format, profile).and_then(|()| tells_losses(format, profile));
                    found.unwrap_or_else(|why| {
                        panic!("{} as {}: {why}", file.display(), format.name)
                    });
                }
            }
        }
    }
}

#[test]
fn keeping_everything_changes_nothing_and_keeping_nothing_leaves_stacks_and_values() {
    let all = Features::ALL.iter().map(|(feature, ..)| *feature).collect();
    let result = runner().run(&support::profile(), |profile| {
        prop_assert_eq!(profile.keeping(all).dump(), profile.dump());
        let bare = profile.keeping(Features::NEGATIVE);
        prop_assert!((bare.features() - Features::NEGATIVE).is_empty());
        prop_assert!(bare.check().is_ok());
        prop_assert_eq!(bare.samples.len(), profile.samples.len());
        if profile.values[profile.default_value].scale == 0 {
            prop_assert_eq!(bare.total(0), profile.total(profile.default_value));
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn merging_in_any_grouping_gives_the_same() {
    let three = (support::profile(), support::profile(), support::profile());
    let merge = |profiles: &[Profile]| plop_core::merge(profiles, &mut Notes::new());
    let result = runner().run(&three, |(a, b, c)| {
        let [a, b, c] = [a, b, c].map(modest);
        let all = merge(&[a.clone(), b.clone(), c.clone()]);
        let left = merge(&[a.clone(), b.clone()]).and_then(|ab| merge(&[ab, c.clone()]));
        let right = merge(&[b, c]).and_then(|bc| merge(&[a, bc]));
        let dump = |merged: &Result<Profile, _>| merged.as_ref().ok().map(Profile::dump);
        prop_assert_eq!(dump(&all), dump(&left));
        prop_assert_eq!(dump(&all), dump(&right));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn escaped_names_survive_folded_stacks_and_come_back() {
    let folded = plop_convert::find("folded").unwrap();
    let result = runner().run(&support::profile(), |profile| {
        let kept =
            profile.keeping(folded.keeps - Features::ROOTS - Features::MARKS - Features::INLINES);
        let escaped = kept.clone().escaped();
        prop_assert_eq!(escaped.clone().unescaped().dump(), kept.dump());
        let mut notes = Notes::new();
        folded.prepare(&[escaped], &mut notes).unwrap();
        prop_assert_eq!(notes.count("semicolon") + notes.count("line-feed"), 0);
        Ok(())
    });
    result.unwrap();
}
