//! Tells whoever embeds the agent where its source is, and the compiler about the agent's cfg.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:dir={folder}");
    println!("cargo:rustc-check-cfg=cfg(plop_agent)");
    println!("cargo:rerun-if-changed=build.rs");
}
