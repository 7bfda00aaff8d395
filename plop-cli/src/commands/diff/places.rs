//! Where a function is in the repository of whoever reads a report: a path from its root, never one of the host on
//! which a profile was recorded.

use std::path::{Path, PathBuf};

use plop_diff::Function;

use super::text::shown;

/// What stands for a file where none is known and a format has to have one.
pub(super) const NOWHERE: &str = "no-file";

/// The repository.
pub(super) struct Places {
    root: PathBuf,
}

/// A file of the repository, and the line in it; 0 where that is not known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) line: i64,
}

impl Places {
    /// Of the repository around the working folder, or of that folder where there is none.
    pub(super) fn here() -> Places {
        let folder = std::env::current_dir().unwrap_or_default();
        let root = folder
            .ancestors()
            .find(|folder| folder.join(".git").exists());
        Places {
            root: root.unwrap_or(&folder).to_owned(),
        }
    }

    /// Where a function is defined; none where its file is not known, or is no file of the program's own.
    pub(super) fn of(&self, function: &Function) -> Option<Place> {
        let raw = function.shown_file().replace('\\', "/");
        let is_own = !raw.contains("-packages/") && !raw.contains("/lib/python");
        let path = Some(raw).filter(|_| is_own).and_then(|raw| {
            let own = [raw.as_str(), &function.file];
            self.in_repository(own[0])
                .or_else(|| own.into_iter().find_map(relative))
        })?;
        let line = function.line.max(0);
        Some(Place { path, line })
    }

    /// The longest end of a path that is a file of the repository: what lies in `/app` of a container may be
    /// anywhere on the host.
    fn in_repository(&self, file: &str) -> Option<String> {
        if !file.starts_with('/') {
            return None;
        }
        if let Ok(path) = Path::new(file).strip_prefix(&self.root) {
            return path.to_str().and_then(relative);
        }
        let ends = file.match_indices('/').map(|(at, _)| &file[at + 1..]);
        // A name without any folder may be that of any file.
        let mut ends = ends.filter(|end| end.contains('/'));
        ends.find_map(|end| relative(end).filter(|path| self.root.join(path).is_file()))
    }
}

/// A path from the root of a repository, if it can be one.
fn relative(file: &str) -> Option<String> {
    let mut path = file;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let is_path = shown(path) == path
        && !path.starts_with('<')
        && path.as_bytes().get(1) != Some(&b':')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_path.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(raw: &str, canonical: &str) -> Function {
        Function {
            file: canonical.into(),
            line: 7,
            raw_file: ["/before.py".into(), raw.into()],
            ..Function::default()
        }
    }

    #[test]
    fn paths_are_those_of_the_repository() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let root = folder.path().to_owned();
        std::fs::create_dir_all(root.join("shop/src")).expect("made");
        std::fs::write(root.join("shop/src/cart.py"), "").expect("written");
        std::fs::write(root.join("__init__.py"), "").expect("written");
        let places = Places { root: root.clone() };
        let inside = root.join("shop/views.py").display().to_string();
        for (raw, canonical, path) in [
            ("src/cart.py", "src/cart.py", Some("src/cart.py")),
            ("./a/../b.py", "./a/../b.py", None),
            (".//b.py", "b.py", Some("b.py")),
            (&inside, "views.py", Some("shop/views.py")),
            // Elsewhere on the host, with the folders that it has here.
            ("/app/shop/src/cart.py", "cart.py", Some("shop/src/cart.py")),
            // Not here at all: as the side's own files have it in common.
            ("/srv/shop/shop.py", "shop.py", Some("shop.py")),
            ("/srv/x/__init__.py", "x/__init__.py", Some("x/__init__.py")),
            ("/srv/calc.py", "/srv/calc.py", None),
            ("C:\\srv\\calc.py", "C:/srv/calc.py", None),
            (
                "/usr/lib/python3.11/json/encoder.py",
                "<python>/json/encoder.py",
                None,
            ),
            ("/x/site-packages/requests/api.py", "requests/api.py", None),
            ("<string>", "<string>", None),
            ("", "", None),
            ("a\nb.py", "a\nb.py", None),
            ("/etc/../../x.py", "../../x.py", None),
        ] {
            let found = places.of(&function(raw, canonical));
            assert_eq!(found.map(|place| place.path).as_deref(), path, "{raw}");
        }
    }
}
