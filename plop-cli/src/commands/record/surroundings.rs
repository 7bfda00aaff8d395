//! What a profile says of where it was recorded: the machine, and the build that ran.

use std::fs;
use std::path::{Path, PathBuf};

use plop_core::{Attribute, Attributes};

/// Where a commit is named: plop's own word for it first, then those of services that run builds.
const COMMIT: [&str; 3] = ["PLOP_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA"];

/// The machine: its name, processors, kernel, and how busy it is.
pub(super) fn host() -> Attributes {
    let system = rustix::system::uname();
    let text = |text: &std::ffi::CStr| Attribute::Text(text.to_string_lossy().into_owned());
    let mut host = vec![("name".to_owned(), text(system.nodename()))];
    if let Ok(cpus) = std::thread::available_parallelism() {
        host.push(("cpus".to_owned(), Attribute::Number(cpus.get() as i64)));
    }
    host.push(("kernel".to_owned(), text(system.release())));
    host.push(("machine".to_owned(), text(system.machine())));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let numbers: Vec<&str> = load.split(' ').take(3).collect();
    if numbers.len() == 3 && numbers.iter().all(|number| number.parse::<f64>().is_ok()) {
        host.push((
            "load".to_owned(),
            Attribute::Json(format!("[{}]", numbers.join(","))),
        ));
    }
    host
}

/// The build: the commit that the environment names, or the one that is checked out in the current
/// folder or above it. No other program is asked.
pub(super) fn build() -> Attributes {
    let named = COMMIT.iter().filter_map(|name| std::env::var(name).ok());
    let commit = (named.into_iter().find(|commit| !commit.is_empty()))
        .or_else(|| checked_out(&std::env::current_dir().ok()?));
    let commit = commit.map(|commit| ("commit".to_owned(), Attribute::Text(commit)));
    commit.into_iter().collect()
}

/// The commit that is checked out in a folder, or in the nearest one above it that has a repository.
fn checked_out(folder: &Path) -> Option<String> {
    let repository = folder.ancestors().find_map(repository)?;
    let head = line(&repository.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else {
        return is_commit(&head).then_some(head);
    };
    // Branches of a work tree beside the main one lie with the main one's.
    let shared = line(&repository.join("commondir")).map(|common| repository.join(common));
    let places = [Some(repository), shared];
    places.iter().flatten().find_map(|place| {
        let packed = || {
            let packed = fs::read_to_string(place.join("packed-refs")).ok()?;
            let found = packed
                .lines()
                .find_map(|line| line.strip_suffix(name)?.strip_suffix(' '));
            found.map(str::to_owned)
        };
        let commit = line(&place.join(name)).or_else(packed);
        commit.filter(|commit| is_commit(commit))
    })
}

/// The repository of a folder: `.git`, or where the file `.git` says that it is.
fn repository(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    match git.is_dir() {
        true => Some(git),
        false => Some(folder.join(line(&git)?.strip_prefix("gitdir: ")?)),
    }
}

/// The first line of a small file.
fn line(file: &Path) -> Option<String> {
    let small = file
        .metadata()
        .is_ok_and(|meta| meta.is_file() && meta.len() < 4096);
    let text = small.then(|| fs::read_to_string(file).ok())??;
    text.lines().next().map(str::to_owned)
}

fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// Lays files in a folder.
    fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        folder
    }

    fn commit_of(files: &[(&str, String)], inside: &str) -> Option<String> {
        let folder = folder(files);
        checked_out(&folder.path().join(inside))
    }

    #[test]
    fn the_commit_is_found_wherever_git_keeps_it() {
        let text = |text: &str| format!("{text}\n");
        let branch = || (".git/HEAD", text("ref: refs/heads/main"));
        let found = Some(COMMIT.to_owned());
        let loose = (".git/refs/heads/main", text(COMMIT));
        assert_eq!(commit_of(&[branch(), loose, ("a/b", text(""))], "a"), found);
        let packed = format!(
            "# pack-refs\n{0} refs/heads/old\n{COMMIT} refs/heads/main\n",
            "f".repeat(40)
        );
        assert_eq!(
            commit_of(&[branch(), (".git/packed-refs", packed)], ""),
            found
        );
        assert_eq!(commit_of(&[(".git/HEAD", text(COMMIT))], ""), found);
        let tree = [
            ("work/.git", text("gitdir: ../.git/worktrees/work")),
            (".git/worktrees/work/HEAD", text("ref: refs/heads/main")),
            (".git/worktrees/work/commondir", text("../..")),
            (".git/refs/heads/main", text(COMMIT)),
        ];
        assert_eq!(commit_of(&tree, "work"), found);
        assert_eq!(commit_of(&[branch()], ""), None);
        assert_eq!(commit_of(&[(".git/HEAD", text("not a commit"))], ""), None);
    }

    #[test]
    fn the_machine_has_a_name_and_processors() {
        let host = host();
        let keys: Vec<&str> = host.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["name", "cpus", "kernel", "machine", "load"]);
    }
}
