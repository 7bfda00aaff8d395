//! Builds the agent alone, as the library that `plop record` loads into a process, and tells the
//! compiler where it lies, so that it travels inside the command.
//!
//! A dependency cannot be embedded: cargo builds it for being linked, with the flags and at the
//! optimisation of whatever is being built, and where it puts a dynamic library depends on where the
//! crate came from. So the agent's source is copied and built by a cargo of its own, with nothing of
//! this build in its environment. It is copied since cargo writes a lock file beside the manifest,
//! and the folder of a registry is not to be written to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What belongs to the build of this crate, and would change the agent.
const REMOVED: [&str; 10] = [
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "CLIPPY_ARGS",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTDOCFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_RUSTFLAGS",
];

/// The same, by how the names begin.
const REMOVED_PREFIXES: [&str; 5] = [
    "CARGO_FEATURE_",
    "CARGO_CFG_",
    "CARGO_PKG_",
    "CARGO_PROFILE_",
    "DEP_",
];

/// No agent is smaller than this.
const SMALLEST: usize = 20 * 1024;

fn main() {
    let out = PathBuf::from(variable("OUT_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    let from = PathBuf::from(variable("DEP_PLOP_AGENT_DIR"));
    for part in ["Cargo.toml", "build.rs", "src"] {
        println!("cargo:rerun-if-changed={}", from.join(part).display());
    }
    let source = out.join("agent-src");
    copied(&from, &source);
    let agent = built(&source, &out.join("agent-target"));
    let bytes = fs::read(&agent).expect("the agent was built");
    assert!(
        bytes.starts_with(b"\x7fELF") && bytes.len() > SMALLEST,
        "{} is no agent: {} bytes",
        agent.display(),
        bytes.len()
    );
    println!("cargo:rustc-env=PLOP_AGENT_FILE={}", agent.display());
    println!("cargo:rustc-env=PLOP_AGENT_HASH={:016x}", hash(&bytes));
}

/// FNV-1a: a name for contents that are compared as well.
fn hash(bytes: &[u8]) -> u64 {
    (bytes.iter()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

/// Copies the agent's source, and makes it a workspace of its own.
fn copied(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).expect("what an earlier build left can be removed");
    }
    copy_folder(&from.join("src"), &to.join("src"));
    for file in ["build.rs", "Cargo.lock"] {
        if from.join(file).exists() {
            copy_file(&from.join(file), &to.join(file));
        }
    }
    // A registry's manifest is one that cargo has rewritten; a workspace section it does not have.
    let manifest = fs::read_to_string(from.join("Cargo.toml")).expect("the agent has a manifest");
    fs::write(to.join("Cargo.toml"), manifest + "\n[workspace]\n").expect("it can be copied");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the build's own folder can be written to");
    for entry in fs::read_dir(from).expect("the agent's source can be read") {
        let entry = entry.expect("the agent's source can be read");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => copy_file(&entry.path(), &target),
        }
    }
}

/// Copies the contents and not the permissions: a registry's files may be read-only.
fn copy_file(from: &Path, to: &Path) {
    let bytes = fs::read(from).expect("the agent's source can be read");
    fs::write(to, bytes).expect("the build's own folder can be written to");
}

/// Builds the library.
fn built(source: &Path, target_dir: &Path) -> PathBuf {
    let target = variable("TARGET");
    let mut cargo = Command::new(variable("CARGO"));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let prefixed = REMOVED_PREFIXES
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if prefixed || REMOVED.contains(&&*text) {
            cargo.env_remove(&name);
        }
    }
    // No flags, whatever a configuration file above this folder says.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "");
    cargo
        .current_dir(source)
        .args([
            "rustc",
            "--quiet",
            "--lib",
            "--release",
            "--crate-type",
            "cdylib",
        ])
        .args(["--target", &target])
        .arg("--target-dir")
        .arg(target_dir);
    for setting in [
        "panic=\"abort\"",
        "opt-level=3",
        "lto=\"fat\"",
        "codegen-units=1",
        "strip=\"symbols\"",
    ] {
        cargo.args(["--config", &format!("profile.release.{setting}")]);
    }
    if env::var("CARGO_NET_OFFLINE").is_ok_and(|offline| offline == "true") {
        cargo.arg("--offline");
    }
    // Nothing is linked in, so that the library needs no other: what it uses of the C library is
    // there in every process that can load it.
    cargo.args(["--", "--cfg", "plop_agent"]);
    for argument in ["-nostdlib", "-nostartfiles"] {
        cargo.args(["-C", &format!("link-arg={argument}")]);
    }
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "the agent cannot be built: {cargo:?}");
    target_dir
        .join(target)
        .join("release")
        .join("libplop_agent.so")
}
