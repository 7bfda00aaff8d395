//! Files of frames without what depends on the host: where a program, its packages and the library of its language
//! are installed.

use std::borrow::Cow;

use crate::names::is_launchers;

/// Modules of Python 2's library that have another name in Python 3.
const RENAMED: [(&str, &str); 14] = [
    ("BaseHTTPServer.py", "http/server.py"),
    ("ConfigParser.py", "configparser.py"),
    ("Cookie.py", "http/cookies.py"),
    ("HTMLParser.py", "html/parser.py"),
    ("Queue.py", "queue.py"),
    ("SimpleHTTPServer.py", "http/server.py"),
    ("SimpleXMLRPCServer.py", "xmlrpc/server.py"),
    ("SocketServer.py", "socketserver.py"),
    ("UserDict.py", "collections/__init__.py"),
    ("cookielib.py", "http/cookiejar.py"),
    ("httplib.py", "http/client.py"),
    ("urllib2.py", "urllib/request.py"),
    ("urlparse.py", "urllib/parse.py"),
    ("xmlrpclib.py", "xmlrpc/client.py"),
];

/// The part of a path that does not depend on the host.
pub(crate) fn file_of(file: &str, root: &str) -> String {
    // From 3.11 on parts of the library are frozen into the interpreter.
    if let Some(module) = file
        .strip_prefix("<frozen ")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        return format!("<python>/{}.py", module.replace('.', "/"));
    }
    let file = path_of(file);
    match of_library(&file) {
        Some(file) => file,
        None => file.strip_prefix(root).unwrap_or(&file).into(),
    }
}

/// A path with slashes: `C:\shop\app.py`, `file:///srv/app.js`.
fn path_of(file: &str) -> Cow<'_, str> {
    let file = match file.strip_prefix("file://") {
        // `file:///C:/shop` is `C:/shop`.
        Some(path) if has_drive(path.trim_start_matches('/')) => path.trim_start_matches('/'),
        Some(path) => path,
        None => file,
    };
    match file.contains('\\') {
        true => file.replace('\\', "/").into(),
        false => file.into(),
    }
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic())
}

/// Whether a path with slashes begins where a host's files do, or another host's.
pub(crate) fn is_absolute(file: &str) -> bool {
    file.starts_with('/') || has_drive(file) || file.contains("://")
}

/// What a file of an installed package, of a library or of a release is called on every host.
fn of_library(file: &str) -> Option<String> {
    // Python's and Go's packages, and Rust's below the name of a registry.
    for folder in ["/site-packages/", "/dist-packages/", "/pkg/mod/"] {
        if let Some(at) = file.rfind(folder) {
            return Some(file[at + folder.len()..].into());
        }
    }
    if let Some((_, rest)) = file.split_once("/registry/src/")
        && let Some((_, package)) = rest.split_once('/')
    {
        return Some(package.into());
    }
    // Rust's library, as it is compiled in and as rustup installs it.
    let compiled = || file.strip_prefix("/rustc/")?.split_once("/library/");
    let installed = || file.split_once("/lib/rustlib/src/rust/library/");
    if let Some((_, module)) = compiled().or_else(installed) {
        return Some(format!("<rust>/{module}"));
    }
    if let Some(at) = file.rfind("/lib/python") {
        let rest = &file[at + "/lib/python".len()..];
        let module =
            rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        if let Some(module) = module.strip_prefix('/') {
            let renamed = RENAMED.iter().find(|(old, _)| *old == module);
            return Some(format!(
                "<python>/{}",
                renamed.map_or(module, |(_, new)| new)
            ));
        }
    }
    let (_, rest) = file.split_once("/releases/")?;
    rest.split_once('/').map(|(_, file)| file.into())
}

/// The folder in which most of a side's own files lie, with slashes and one at its end: what is not the same on
/// another host. Files of libraries do not count, nor those that are named without a folder. A folder that programs
/// share, such as `/usr`, is none: then it is the one below it that holds more than half of the files, so that a
/// script from elsewhere does not matter.
///
/// ```
/// use plop_diff::names::root_of;
///
/// let files = ["/home/ann/shop/app/views.py", "/home/ann/shop/run.py", "/usr/lib/python3.11/os.py"];
/// assert_eq!(root_of(files), "/home/ann/shop/");
/// assert_eq!(root_of(files.into_iter().chain(["/opt/venv/bin/gunicorn"])), "/home/ann/shop/");
/// ```
pub fn root_of<'a>(files: impl IntoIterator<Item = &'a str>) -> String {
    let mut files: Vec<Cow<str>> = (files.into_iter())
        .map(path_of)
        .filter(|file| is_absolute(file) && of_library(file).is_none() && !is_launchers("", file))
        .collect();
    loop {
        let root = common_folder(&files).to_owned();
        if !is_shared(&root) {
            return root;
        }
        let below = |file: &str| -> Option<String> {
            let (folder, _) = file[root.len()..].split_once('/')?;
            Some(folder.to_owned())
        };
        let mut folders: Vec<Option<String>> = files.iter().map(|file| below(file)).collect();
        folders.sort_unstable();
        let Some(most) = folders
            .chunk_by(|a, b| a == b)
            .max_by_key(|same| same.len())
        else {
            return String::new();
        };
        let folder = match &most[0] {
            Some(folder) if 2 * most.len() > files.len() => format!("{root}{folder}/"),
            _ => return String::new(),
        };
        files.retain(|file| file.starts_with(&folder));
    }
}

/// The folder that all files are in, with a slash at its end.
fn common_folder<'f>(files: &'f [Cow<str>]) -> &'f str {
    let Some((first, others)) = files.split_first() else {
        return "";
    };
    let mut same = first.len();
    for file in others {
        let pairs = first.bytes().zip(file.bytes());
        same = pairs.take(same).take_while(|(a, b)| a == b).count();
    }
    let end = first.as_bytes()[..same]
        .iter()
        .rposition(|byte| *byte == b'/');
    &first[..end.map_or(0, |end| end + 1)]
}

/// Folders in which several programs lie.
fn is_shared(folder: &str) -> bool {
    const FOLDERS: [&str; 10] = [
        "/",
        "/home/",
        "/Users/",
        "/opt/",
        "/usr/",
        "/usr/lib/",
        "/usr/local/",
        "/usr/src/",
        "/var/",
        "/Program Files/",
    ];
    let folder = if has_drive(folder) {
        &folder[2..]
    } else {
        folder
    };
    FOLDERS.contains(&folder)
}

/// A path without hashes of builds and versions of packages: `main.3f2a1b4c.js` is `main.js`, `x/y@v1.2.3/z.go` is
/// `x/y/z.go`, `serde-1.0.190/src/de.rs` is `serde/src/de.rs`.
pub(crate) fn without_versions(file: &str) -> String {
    let mut kept = String::with_capacity(file.len());
    for (n, part) in file.split('/').enumerate() {
        if n > 0 {
            kept.push('/');
        }
        let began = kept.len();
        let mut rest = part;
        while let Some(at) = rest.find(['.', '-', '_', '~', '=', '@']) {
            // What stands before a mark has been looked at; what begins with it follows.
            kept.push_str(&rest[..at]);
            rest = &rest[at..];
            let is_first = kept.len() == began;
            rest = match version_at(rest).filter(|_| !is_first) {
                Some(end) => &rest[end..],
                None => {
                    kept.push_str(&rest[..1]);
                    &rest[1..]
                }
            };
        }
        kept.push_str(rest);
    }
    kept
}

/// How long a version or a hash is that begins with a mark, the mark included.
fn version_at(text: &str) -> Option<usize> {
    let piece = &text[1..];
    let hash = piece.bytes().take_while(u8::is_ascii_hexdigit).count();
    let is_whole = !piece[hash..].starts_with(|c: char| c.is_alphanumeric());
    if is_whole && is_hash(&piece[..hash]) {
        return Some(1 + hash);
    }
    // What follows `@` is a version, whatever it holds.
    let number = piece.strip_prefix('v').unwrap_or(piece);
    if text.starts_with('@') && number.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(text.len());
    }
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let is_version = text.starts_with('-') && piece.bytes().all(is_number) && piece.contains('.');
    is_version.then_some(text.len())
}

/// Six hexadecimal digits or more, a decimal one among them.
pub(crate) fn is_hash(piece: &str) -> bool {
    piece.len() >= 6
        && piece.bytes().all(|byte| byte.is_ascii_hexdigit())
        && piece.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_on_every_host() {
        for (file, root, same) in [
            ("/srv/shop/app.py", "/srv/shop/", "app.py"),
            (
                "/srv/shop/releases/20261128/app/views.py",
                "",
                "app/views.py",
            ),
            (
                "/venv/lib/python3.11/site-packages/flask/app.py",
                "/venv/",
                "flask/app.py",
            ),
            (
                "/usr/lib/python3.11/json/decoder.py",
                "",
                "<python>/json/decoder.py",
            ),
            ("C:\\shop\\app.py", "C:/shop/", "app.py"),
            ("file:///srv/app/main.js", "/srv/app/", "main.js"),
            ("file:///C:/app/main.js", "C:/app/", "main.js"),
            (
                "/root/go/pkg/mod/x.org/y@v1.2.3/w.go",
                "",
                "x.org/y@v1.2.3/w.go",
            ),
            (
                "/rustc/a28077b28a/library/core/src/iter.rs",
                "",
                "<rust>/core/src/iter.rs",
            ),
            (
                "/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/iter.rs",
                "",
                "<rust>/core/src/iter.rs",
            ),
            (
                "/root/.cargo/registry/src/index-6f17/serde-1.0.1/src/de.rs",
                "",
                "serde-1.0.1/src/de.rs",
            ),
            ("<string>", "/srv/", "<string>"),
        ] {
            assert_eq!(file_of(file, root), same, "{file}");
        }
    }

    #[test]
    fn a_root_is_where_most_files_lie() {
        for (files, root) in [
            (&["/app/a.py", "/app/lib/b.py"][..], "/app/"),
            (
                &[
                    "/home/ann/shop/a.py",
                    "/home/ann/shop/b.py",
                    "/home/bob/t.py",
                ],
                "/home/ann/shop/",
            ),
            (
                &[
                    "/srv/web/app.py",
                    "/srv/web/w.py",
                    "/usr/src/python/Python/ceval.c",
                ],
                "/srv/web/",
            ),
            (
                &["C:\\Users\\ann\\shop\\app.py", "C:\\Users\\ann\\shop\\w.py"],
                "C:/Users/ann/shop/",
            ),
            (
                &["file:///srv/app/a.js", "file:///srv/app/b.js", "node:fs"],
                "/srv/app/",
            ),
            // Neither of two is the side's own; both may be.
            (&["/home/ann/a.py", "/opt/tool/b.py"], ""),
            (&["app.py", "<string>"], ""),
            (&["/app.py", "/b.py"], ""),
        ] {
            assert_eq!(root_of(files.iter().copied()), root, "{files:?}");
        }
    }

    #[test]
    fn hashes_and_versions_are_left_out_of_paths() {
        for (file, short) in [
            (
                "https://x.io/static/main.3f2a1b4c.js",
                "https://x.io/static/main.js",
            ),
            ("chunk-9d8e7f6a.min.js", "chunk.min.js"),
            ("main.js?v=3f2a1b4c", "main.js?v"),
            ("x.org/y@v1.2.3/w.go", "x.org/y/w.go"),
            (
                "x.org/y@v0.0.0-20260101120000-abcdef123456/w.go",
                "x.org/y/w.go",
            ),
            (".pnpm/ms@2.1.3/index.js", ".pnpm/ms/index.js"),
            ("serde-1.0.190/src/de.rs", "serde/src/de.rs"),
        ] {
            assert_eq!(without_versions(file), short);
            assert_eq!(without_versions(short), short);
        }
        for same in [
            "decade.facade.js",
            "deadbeef1.js",
            "@types/node/x.ts",
            "app-v2/x.py",
            "utf-8.c",
            "a.12345.js",
        ] {
            assert_eq!(without_versions(same), same);
        }
    }
}
