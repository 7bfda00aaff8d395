//! The seeds of the fuzz targets, run without a fuzzer. A seed called `broken-…` must be refused, any
//! other be read; either way the laws of its target hold.

#[path = "../../fuzz/targets.rs"]
#[expect(unreachable_pub, reason = "it is a library to the fuzzer")]
mod targets;

use std::path::Path;

#[test]
fn read() {
    replay("read", targets::read);
}

#[test]
fn round_trip() {
    replay("round_trip", targets::round_trip);
}

#[test]
fn transforms() {
    replay("transforms", targets::transforms);
}

fn replay(target: &str, run: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut seeds: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of seeds can be listed")
        .map(|entry| entry.expect("a folder lists its files").path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for seed in seeds {
        let name = seed.file_name().unwrap_or_default().to_string_lossy();
        // Shown where a law does not hold: the last name is the culprit's.
        println!("{target}/{name}");
        let bytes = std::fs::read(&seed).expect("a seed can be read");
        let expected = !name.starts_with("broken-");
        assert_eq!(run(&bytes), expected, "{target}/{name} is read");
    }
}
