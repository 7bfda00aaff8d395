//! Which frames of two builds are the same: a name and a file without what a build, a host or a version of
//! the language put into them. The names as they came are kept elsewhere, for people.

use std::borrow::Cow;

/// What two frames must share to be one function.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Canonical {
    /// The function.
    pub name: String,
    /// Where it is from: a path without the part that differs between hosts, or empty.
    pub file: String,
}

/// The canonical name of a function, or `None` for a frame that is part of its caller: a comprehension,
/// which Python before 3.12 ran as a function of its own, or a frame of a profiler, or of what starts programs.
///
/// `root` is the folder in which the side's own files lie ([`root_of`]).
///
/// ```
/// use plop_diff::names::canonical;
///
/// let before = canonical("app::run::h0123456789abcdef", "/srv/releases/41/src/app.rs", "");
/// let after = canonical("app::run::hfedcba9876543210", "/srv/releases/42/src/app.rs", "");
/// assert_eq!(before, after);
/// assert_eq!(canonical("f.<locals>.<listcomp>", "app.py", ""), None);
/// ```
pub fn canonical(name: &str, file: &str, root: &str) -> Option<Canonical> {
    if is_launchers(name, file) || is_comprehension(name) {
        return None;
    }
    let file = file_of(file, root);
    let mut name = name_of(name);
    if file.starts_with("<python>/") {
        name = without_second_underscore(name);
    }
    Some(Canonical {
        name: name.into_owned(),
        file,
    })
}

/// Frames of profilers, which only some of them take out themselves, and of what `python -m` starts programs with:
/// they tell how a program was started, and nothing of it.
fn is_launchers(name: &str, file: &str) -> bool {
    // The original Plop; yappi; austin-python; Python's own.
    const FILES: [&str; 9] = [
        "plop/collector.py",
        "plop/platform.py",
        "yappi.py",
        "yappi/yappi.py",
        "site-packages/austin/simple.py",
        "cProfile.py",
        "<frozen runpy>",
        "profiling/tracing/__init__.py",
        "profiling/tracing/__main__.py",
    ];
    const FOLDERS: [&str; 2] = ["pyinstrument/", "profiling/sampling/"];
    // Names that a program of its own may have, too.
    const OF_PYTHON: [&str; 3] = ["runpy.py", "profile.py", "pstats.py"];
    let is_file = |ending: &&str| {
        let rest = file.strip_suffix(*ending);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    let is_in = |folder: &&str| {
        let at = file.find(*folder);
        at.is_some_and(|at| at == 0 || file[..at].ends_with('/'))
    };
    // pyinstrument's own time of a function; what cProfile calls its own end.
    let is_name = name == "[self]" || name.contains("_lsprof.Profiler");
    is_name
        || FILES.iter().any(&is_file)
        || FOLDERS.iter().any(is_in)
        || is_library(file) && OF_PYTHON.iter().any(is_file)
        || file == "runpy.py"
}

fn is_comprehension(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(last, "<listcomp>" | "<dictcomp>" | "<setcomp>")
}

fn name_of(name: &str) -> Cow<'_, str> {
    let mut name = Cow::Borrowed(name);
    let steps: [fn(&str) -> Option<String>; 6] = [
        without_compilers_suffix,
        without_rust_hash,
        without_type_arguments,
        without_addresses,
        without_lambda_numbers,
        without_build_hash,
    ];
    for step in steps {
        while let Some(other) = step(&name).filter(|other| *other != *name) {
            name = Cow::Owned(other);
        }
    }
    name
}

/// What compilers add to copies of a function: `.llvm.1234`, `.isra.0`, `.part.1`, `.constprop.0`, `.cold`.
fn without_compilers_suffix(name: &str) -> Option<String> {
    const WORDS: [&str; 6] = [
        ".llvm.",
        ".isra.",
        ".part.",
        ".constprop.",
        ".lto_priv.",
        ".cold",
    ];
    let at = WORDS
        .iter()
        .filter_map(|word| {
            let at = name.rfind(word)?;
            let rest = &name[at + word.len()..];
            let is_number = rest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.');
            (at > 0 && is_number).then_some(at)
        })
        .min()?;
    Some(name[..at].into())
}

/// Rust's legacy names end in `::h` and 16 hexadecimal digits.
fn without_rust_hash(name: &str) -> Option<String> {
    let at = name.rfind("::h")?;
    let hash = &name[at + 3..];
    (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| name[..at].into())
}

/// Go's `f[...]`, and what Rust and C++ write between `::<` and `>`.
fn without_type_arguments(name: &str) -> Option<String> {
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    let mut changed = false;
    while let Some(at) = rest.find("::<").or_else(|| rest.find('[')) {
        let (open, close) = match rest[at..].starts_with('[') {
            true => ('[', ']'),
            false => ('<', '>'),
        };
        let start = at + rest[at..].find(open).unwrap_or(0);
        let mut depth = 0i32;
        let end = rest[start..].char_indices().find_map(|(n, letter)| {
            depth += i32::from(letter == open) - i32::from(letter == close);
            (depth == 0).then_some(start + n + 1)
        });
        // `[anonymous]` and the like begin a name, and are one.
        let Some(end) = end.filter(|_| at > 0) else {
            break;
        };
        kept.push_str(&rest[..at]);
        rest = &rest[end..];
        changed = true;
    }
    kept.push_str(rest);
    changed.then_some(kept)
}

/// `0x` and hexadecimal digits, wherever they are.
fn without_addresses(name: &str) -> Option<String> {
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    let mut changed = false;
    while let Some(at) = rest.find("0x") {
        let digits = rest[at + 2..]
            .bytes()
            .take_while(u8::is_ascii_hexdigit)
            .count();
        kept.push_str(&rest[..at + 2]);
        rest = &rest[at + 2 + digits..];
        changed |= digits > 0;
    }
    kept.push_str(rest);
    changed.then_some(kept)
}

/// Numbers that compilers count closures with: Java's `lambda$run$7` and `$$Lambda$12/0x…`, Rust's
/// `{{closure}}` and `{closure#3}`, Go's `.func1.2`.
fn without_lambda_numbers(name: &str) -> Option<String> {
    if let Some(at) = name.find("$$Lambda") {
        return Some(format!("{}$$Lambda", &name[..at]));
    }
    if name.contains("lambda$") {
        let kept = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        return (kept.len() < name.len() && kept.ends_with('$'))
            .then(|| kept[..kept.len() - 1].into());
    }
    if let Some(at) = name.find("{closure#") {
        let rest = &name[at..];
        let end = rest.find('}')? + 1;
        return Some(format!("{}{{{{closure}}}}{}", &name[..at], &rest[end..]));
    }
    let at = name.rfind(".func")?;
    let rest = &name[at + 5..];
    let is_numbers = !rest.is_empty()
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_numbers.then(|| name[..at + 5].into())
}

/// A hash at the end: at least six hexadecimal digits, a decimal one among them, after one of `_.$-`.
fn without_build_hash(name: &str) -> Option<String> {
    let hash = name.bytes().rev().take_while(u8::is_ascii_hexdigit).count();
    let (kept, hash) = name.split_at(name.len() - hash);
    let is_hash = hash.len() >= 6 && hash.bytes().any(|byte| byte.is_ascii_digit());
    let separated = kept.len() > 1 && kept.ends_with(['_', '.', '$', '-']);
    (is_hash && separated).then(|| kept[..kept.len() - 1].into())
}

/// Names that Python 2 hid by two underscores, as in `__bootstrap` of its threads, and Python 3 by one.
fn without_second_underscore(name: Cow<str>) -> Cow<str> {
    match name.strip_prefix("__") {
        Some(rest) if !rest.ends_with("__") => format!("_{rest}").into(),
        _ => name,
    }
}

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
fn file_of(file: &str, root: &str) -> String {
    let file = file.replace('\\', "/");
    // From 3.11 on parts of the library are frozen into the interpreter.
    if let Some(module) = file
        .strip_prefix("<frozen ")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        return format!("<python>/{}.py", module.replace('.', "/"));
    }
    // Installed packages and the standard library, wherever they are.
    for folder in ["/site-packages/", "/dist-packages/"] {
        if let Some(at) = file.rfind(folder) {
            return file[at + folder.len()..].into();
        }
    }
    if let Some(at) = file.rfind("/lib/python") {
        let rest = &file[at + "/lib/python".len()..];
        let digits = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .count();
        if let Some(module) = rest[digits..].strip_prefix('/') {
            let renamed = RENAMED.iter().find(|(old, _)| *old == module);
            return format!("<python>/{}", renamed.map_or(module, |(_, new)| new));
        }
    }
    if let Some(at) = file.find("/releases/")
        && let Some(end) = file[at + 10..].find('/')
    {
        return file[at + 10 + end + 1..].into();
    }
    file.strip_prefix(root).unwrap_or(&file).into()
}

/// The folder that the side's own files have in common, with a slash at its end: what is not the same on
/// another host. Files of libraries do not count, nor those that are named without a folder.
///
/// ```
/// use plop_diff::names::root_of;
///
/// let files = ["/home/ann/shop/app/views.py", "/home/ann/shop/run.py", "/usr/lib/python3.11/os.py"];
/// assert_eq!(root_of(files), "/home/ann/shop/");
/// ```
pub fn root_of<'a>(files: impl IntoIterator<Item = &'a str>) -> String {
    let mut root: Option<&str> = None;
    for file in files {
        let is_own = file.starts_with('/') && !is_library(file) && !is_launchers("", file);
        let Some(end) = file.rfind('/').filter(|_| is_own) else {
            continue;
        };
        let folder = &file[..end + 1];
        root = Some(match root {
            None => folder,
            Some(root) => {
                let same = root
                    .bytes()
                    .zip(folder.bytes())
                    .take_while(|(a, b)| a == b)
                    .count();
                let end = root.as_bytes()[..same]
                    .iter()
                    .rposition(|byte| *byte == b'/');
                &root[..end.map_or(0, |end| end + 1)]
            }
        });
    }
    root.unwrap_or_default().into()
}

fn is_library(file: &str) -> bool {
    file.contains("-packages/") || file.contains("/lib/python")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_adds_to_a_name_is_left_out() {
        for (name, short) in [
            ("app::run::h0123456789abcdef", "app::run"),
            ("app::run::{{closure}}", "app::run::{{closure}}"),
            ("app::run::{closure#3}", "app::run::{{closure}}"),
            ("core::ptr::drop::<alloc::vec::Vec<u8>>", "core::ptr::drop"),
            ("parse.isra.0", "parse"),
            ("parse.part.1.cold", "parse"),
            ("sort.llvm.8123456789", "sort"),
            ("main.handle.func1.2", "main.handle.func"),
            ("slices.SortFunc[...]", "slices.SortFunc"),
            ("Shop.lambda$price$7", "Shop.lambda$price"),
            ("Shop$$Lambda$12/0x0000000800c0", "Shop$$Lambda"),
            ("object at 0x7f12ab", "object at 0x"),
            ("chunk_9f3ab21c", "chunk"),
            ("[anonymous]", "[anonymous]"),
            ("handler.decade", "handler.decade"),
            ("f_123", "f_123"),
            ("deadbeef1", "deadbeef1"),
        ] {
            assert_eq!(name_of(name), short, "{name}");
            assert_eq!(name_of(short), short, "a canonical name is one");
        }
    }

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
            ("<string>", "/srv/", "<string>"),
        ] {
            assert_eq!(file_of(file, root), same, "{file}");
        }
    }

    #[test]
    fn frames_of_profilers_are_part_of_their_caller() {
        for (name, file) in [
            ("profile_timer", "/x/plop/collector.py"),
            ("handler", "plop/collector.py"),
            (
                "<module>",
                "/venv/lib/python3.11/site-packages/pyinstrument/__main__.py",
            ),
            ("_saved", "pyinstrument/stack_sampler.py"),
            ("[self]", ""),
            ("runctx", "/usr/lib/python3.11/cProfile.py"),
            ("run", "/usr/lib/python2.7/profile.py"),
            ("{method 'disable' of '_lsprof.Profiler' objects}", ""),
            ("_callback", "/venv/lib/python3.11/site-packages/yappi.py"),
            ("main", "/usr/lib/python3.15/profiling/sampling/sample.py"),
            ("_run_code", "/usr/lib/python2.7/runpy.py"),
            ("_run_code", "<frozen runpy>"),
            ("<listcomp>", "app.py"),
            ("f.<locals>.<setcomp>", "app.py"),
        ] {
            assert_eq!(canonical(name, file, ""), None, "{name} {file}");
        }
        for (name, file) in [
            ("<genexpr>", "app.py"),
            ("run", "/x/myplop/collector.py"),
            ("run", "app/profile.py"),
            ("run", "mypyinstrument/app.py"),
            ("load", "app/pstats.py"),
        ] {
            assert!(canonical(name, file, "").is_some(), "{name} {file}");
        }
    }

    #[test]
    fn python_2_and_3_call_the_library_the_same() {
        let of = |name: &str, file: &str| {
            let one = canonical(name, file, "").expect("it is a frame");
            format!("{} {}", one.name, one.file)
        };
        let (two, three) = ("/usr/lib/python2.7", "/usr/lib/python3.11");
        for (old, new) in [
            (
                of("__bootstrap", &format!("{two}/threading.py")),
                of("_bootstrap", &format!("{three}/threading.py")),
            ),
            (
                of("get", &format!("{two}/Queue.py")),
                of("get", &format!("{three}/queue.py")),
            ),
            (
                of("urlopen", &format!("{two}/urllib2.py")),
                of("urlopen", &format!("{three}/urllib/request.py")),
            ),
            (
                of("join", &format!("{two}/posixpath.py")),
                of("join", "<frozen posixpath>"),
            ),
            (
                of("__init__", &format!("{two}/threading.py")),
                of("__init__", &format!("{three}/threading.py")),
            ),
        ] {
            assert_eq!(old, new);
        }
        assert_eq!(of("__init__", "<frozen abc>"), "__init__ <python>/abc.py");
        assert_eq!(
            of("__own", "app.py"),
            "__own app.py",
            "a program's own names are its own"
        );
        assert_eq!(of("get", "app/Queue.py"), "get app/Queue.py");
    }
}
