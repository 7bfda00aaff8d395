//! Reads a sampled speedscope file into plain structs with serde_json and prints, for each profile,
//! how many samples it has, the sum of their weights and the sum of their depths.
//!
//! The least that a reader does that keeps everything: no stacks are compared, no names looked up.

#![expect(dead_code, reason = "a reader keeps what this one does not print")]

use std::io::Error;

use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    profiles: Vec<Profile>,
    shared: Shared,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    name: String,
    unit: String,
    start_value: f64,
    end_value: f64,
    samples: Vec<Vec<u32>>,
    weights: Vec<f64>,
}

#[derive(Deserialize)]
struct Shared {
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    name: String,
    file: Option<String>,
    line: Option<u32>,
    col: Option<u32>,
}

fn main() -> Result<(), Error> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or_else(|| Error::other("name a file"))?;
    let file: File = serde_json::from_slice(&std::fs::read(path)?)?;
    for profile in &file.profiles {
        let weight: f64 = profile.weights.iter().sum();
        let depths: usize = profile.samples.iter().map(Vec::len).sum();
        println!("{} {weight} {depths}", profile.samples.len());
    }
    println!("{} frames", file.shared.frames.len());
    Ok(())
}
