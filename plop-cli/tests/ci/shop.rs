//! A checkout of the shop, with a PATH on which plop and Python are, and nothing of this machine's environment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{Ended, ended, executable, finish, in_ci, skipped, tempdir};

/// A verdict that no noise changes: nothing that is not six tenths slower fails.
pub(crate) const STEADY: &str = "min_effect = \"60%\"\n";
/// No verdict, whatever is measured: time is budgeted by work, and the shop counts none.
pub(crate) const BLIND: &str = "min_effect = \"60%\"
[[budget]]
function = \"discount\"
max = \"2 s\"
";
/// A short piece of work of the shop: a second or less.
pub(crate) const WORK: &str = "python3 bench.py 8000";

/// Stands for cargo: puts plop where it was to be installed, and writes down how it was called.
const CARGO: &str = r#"#!/usr/bin/env bash
echo "$*" >>"$HOME/cargo-calls"
root=$HOME/.cargo
while (($#)); do [[ $1 != --root ]] || root=$2; shift; done
mkdir -p "$root/bin" && ln -s "$(command -v plop)" "$root/bin/plop"
"#;

pub(crate) struct Shop {
    folder: TempDir,
}

impl Shop {
    /// The shop with all its branches, `main` checked out; none without Python.
    pub(crate) fn new() -> Option<Shop> {
        let python = python()?;
        let shop = Shop { folder: tempdir() };
        let bin = shop.folder.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir(shop.folder.path().join("home")).unwrap();
        std::os::unix::fs::symlink(python, bin.join("python3")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_plop"), bin.join("plop")).unwrap();
        executable(&bin.join("cargo"), "755", CARGO.as_bytes());
        let script = root().join("testdata/programs/deploys/history.sh");
        finish(Command::new(script).arg(shop.path()));
        shop.git(&["switch", "-q", "main"]);
        Some(shop)
    }

    /// The checkout.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    /// A folder in which nothing is cached yet.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.path().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    /// A program in the checkout.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.path())
            .env_clear()
            .env(
                "PATH",
                format!("{}/bin:{path}", self.folder.path().display()),
            )
            .env("HOME", self.home())
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    }

    /// Runs a script of `ci/` in the checkout.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> Ended {
        ended(self.command(script(name)).args(arguments))
    }

    /// Runs git in the checkout; what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut git = self.command("git");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Ann");
            git.env(format!("GIT_{who}_EMAIL"), "ann@shop.example");
        }
        finish(git.args(arguments)).trim().to_owned()
    }

    /// Commits the shop on a new branch, one text of its program replaced by another; returns the commit.
    pub(crate) fn change(&self, branch: &str, from: &str, to: &str) -> String {
        self.git(&["switch", "-q", "-c", branch]);
        let before = self.file("shop.py");
        assert!(before.contains(from));
        self.write("shop.py", &before.replacen(from, to, 1));
        self.git(&["commit", "-q", "-a", "-m", "A change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits a discount that takes ten times as many steps, on a new branch.
    pub(crate) fn much_slower(&self, branch: &str) -> String {
        self.change(branch, "range(24)", "range(240)")
    }

    /// Commits a change of no consequence, on a new branch.
    pub(crate) fn harmless(&self, branch: &str) -> String {
        self.change(branch, "    rate = 0\n", "    rate = 0  # per cent\n")
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap()
}

pub(crate) fn script(name: &str) -> PathBuf {
    root().join("ci").join(name)
}

/// The interpreter itself, and not what may stand for it on the PATH: 3.11, or else the last one from 3.8 on.
fn python() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let named = std::env::var_os("PLOP_PYTHONS").filter(|paths| !paths.is_empty());
        assert!(
            named.is_some() || !in_ci(),
            "CI is set, but PLOP_PYTHONS is not"
        );
        let print = "import sys; print(*sys.version_info[:2], sys.executable, end='')";
        let mut found: Vec<(u32, PathBuf)> =
            std::env::split_paths(&named.unwrap_or("python3".into()))
                .filter_map(|path| {
                    let told = Command::new(path).args(["-c", print]).output().ok()?.stdout;
                    let told = String::from_utf8(told).ok()?;
                    let [major, minor, path] = told.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                        return None;
                    };
                    (major == "3").then_some((minor.parse().ok()?, path.into()))
                })
                .filter(|(minor, _)| *minor >= 8)
                .collect();
        found.sort();
        let usual = found.iter().position(|(minor, _)| *minor == 11);
        let place = usual.or(found.len().checked_sub(1));
        if place.is_none() {
            skipped("the recipes, since there is no Python from 3.8 on");
            assert!(!in_ci(), "CI is set, but there is no Python");
        }
        place.map(|place| found.swap_remove(place).1)
    });
    found.as_deref()
}
