//! Which file of the repository a file of a profile is. Profiles have paths of another machine or of a container, so
//! that the longest common end of both paths decides.

use std::collections::{HashMap, HashSet};

/// The files of a repository.
pub(super) struct Paths {
    /// By the name without folders.
    by_name: HashMap<String, Vec<String>>,
    /// Those that git does not know of: of several that fit, it is none of them where it may be another.
    untracked: HashSet<String>,
}

/// What a file of a profile is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    One(String),
    /// Any of these.
    Several(Vec<String>),
    None,
}

/// Folders in which files of others lie.
const OF_OTHERS: [&str; 8] = [
    "/pkg/mod/",
    "/registry/src/",
    "/rustc/",
    "/lib/rustlib/",
    "/lib/python",
    "/usr/local/go/src/",
    "/usr/lib/",
    "/usr/include/",
];
/// Folders in which packages are installed, the program's own perhaps.
const PACKAGES: [&str; 3] = ["/site-packages/", "/dist-packages/", "/node_modules/"];

impl Paths {
    pub(super) fn of(files: impl IntoIterator<Item = String>, untracked: &[String]) -> Paths {
        let mut by_name: HashMap<String, Vec<String>> = HashMap::new();
        for file in files.into_iter().chain(untracked.iter().cloned()) {
            let same = by_name.entry(name(&file).to_owned()).or_default();
            if !same.contains(&file) {
                same.push(file);
            }
        }
        by_name.values_mut().for_each(|files| files.sort());
        Paths {
            by_name,
            untracked: untracked.iter().cloned().collect(),
        }
    }

    /// The file with the longest common end. It has to be all of one of the two paths, or two names at least.
    pub(super) fn find(&self, file: &str) -> Found {
        let file = as_path(file);
        let package = PACKAGES.iter().find_map(|folder| file.rsplit_once(folder));
        let (file, is_package) = match package {
            Some((_, inside)) => (inside, true),
            None => (file.as_str(), false),
        };
        if !is_package && OF_OTHERS.iter().any(|folder| file.contains(folder)) {
            return Found::None;
        }
        let Some(same_name) = self.by_name.get(name(file)) else {
            return Found::None;
        };
        let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).count();
        let common = |path: &&String| {
            let count = common_parts(path, file);
            let is_all = count == parts(file) || count == parts(path) && !is_package;
            let is_enough = is_all || count >= 2 && !is_package;
            if is_enough { count } else { 0 }
        };
        let most = same_name.iter().map(|path| common(&path)).max();
        let Some(most) = most.filter(|most| *most > 0) else {
            return Found::None;
        };
        let mut best: Vec<String> = (same_name.iter())
            .filter(|path| common(path) == most)
            .cloned()
            .collect();
        if best.iter().any(|path| !self.untracked.contains(path)) {
            best.retain(|path| !self.untracked.contains(path));
        }
        match best.len() {
            1 => Found::One(best.remove(0)),
            _ => Found::Several(best),
        }
    }
}

/// How many names of two paths are the same from the last one on.
fn common_parts(one: &str, other: &str) -> usize {
    let parts = |path: &str| -> Vec<String> {
        let parts = path.rsplit('/').filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let (one, other) = (parts(one), parts(other));
    one.iter().zip(&other).take_while(|(a, b)| a == b).count()
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path with slashes, without what is no part of it: `file:///srv/app.js?v=1`, `C:\shop\app.py`, `./app.py`.
fn as_path(file: &str) -> String {
    let file = file.replace('\\', "/");
    let file = match file.split_once("://") {
        Some((_, path)) => path.split(['?', '#']).next().unwrap_or(path),
        None => &file,
    };
    file.trim_start_matches("./").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_end_decides() {
        let files = [
            "app.py",
            "shop/cart.py",
            "shop/views.py",
            "api/views.py",
            "src/lib.rs",
            "src/shop/tax.py",
            "json/decoder.py",
            "web/main.js",
        ];
        let untracked = ["dist/cart.py".to_owned(), "new/tool.py".to_owned()];
        let paths = Paths::of(files.map(str::to_owned), &untracked);
        let one = |path: &str| Found::One(path.to_owned());
        for (file, found) in [
            ("/srv/shop/cart.py", one("shop/cart.py")),
            ("shop/cart.py", one("shop/cart.py")),
            ("C:\\build\\shop\\cart.py", one("shop/cart.py")),
            ("file:///srv/web/main.js?v=3", one("web/main.js")),
            ("webpack://shop/./web/main.js", one("web/main.js")),
            ("/srv/app.py", one("app.py")),
            // Another one is not known to git.
            ("cart.py", one("shop/cart.py")),
            ("/srv/new/tool.py", one("new/tool.py")),
            // Of one name only, and of neither path all.
            ("/srv/other/cart.py", Found::None),
            ("/srv/api/views.py", one("api/views.py")),
            (
                "views.py",
                Found::Several(vec!["api/views.py".into(), "shop/views.py".into()]),
            ),
            // Installed, or somebody else's.
            (
                "/venv/lib/python3.12/site-packages/shop/tax.py",
                one("src/shop/tax.py"),
            ),
            (
                "/venv/lib/python3.12/site-packages/other/app.py",
                Found::None,
            ),
            ("/usr/lib/python3.12/json/decoder.py", Found::None),
            (
                "/root/.cargo/registry/src/index-1/serde-1.0/src/lib.rs",
                Found::None,
            ),
            ("<string>", Found::None),
            ("", Found::None),
            ("/", Found::None),
        ] {
            assert_eq!(paths.find(file), found, "{file}");
        }
    }
}
