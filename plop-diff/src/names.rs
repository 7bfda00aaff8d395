//! Which frames of two builds are the same: a name and a file without what a build, a host or a version of
//! the language put into them. The names as they came are kept elsewhere, for people.

use std::borrow::Cow;

pub use crate::files::root_of;
use crate::files::{file_of, is_hash};

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
    Some(Canonical { name, file })
}

/// Frames of profilers, which only some of them take out themselves, and of what `python -m` starts programs with:
/// they tell how a program was started, and nothing of it.
pub(crate) fn is_launchers(name: &str, file: &str) -> bool {
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

fn name_of(name: &str) -> String {
    let name = without_compilers_suffix(name);
    let name = without_rust_hash(name);
    if is_address(name) {
        return "0x".into();
    }
    let name = without_addresses(name);
    let name = without_run_numbers(name);
    without_build_hash(&name).into()
}

/// What compilers add to copies of a function: `.llvm.1234`, `.isra.0`, `.part.1`, `.constprop.0`, `.cold`.
fn without_compilers_suffix(mut name: &str) -> &str {
    const WORDS: [&str; 5] = [".llvm", ".isra", ".part", ".constprop", ".lto_priv"];
    loop {
        let word = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        let is_numbered = name[word.len()..].starts_with('.');
        let before = WORDS
            .iter()
            .filter(|_| is_numbered)
            .chain(&[".cold"])
            .find_map(|suffix| word.strip_suffix(suffix));
        match before {
            Some(before) if !before.is_empty() => name = before,
            _ => return name,
        }
    }
}

/// Rust's legacy names end in `::h` and 16 hexadecimal digits.
fn without_rust_hash(mut name: &str) -> &str {
    while let Some(at) = name.len().checked_sub(19)
        && let Some((before, hash)) = name.split_at_checked(at)
        && let Some(hash) = hash.strip_prefix("::h")
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        name = before;
    }
    name
}

/// Whether a name is the address of a function that has none: hexadecimal digits only, which begin as no name does or
/// are as many as addresses have.
fn is_address(name: &str) -> bool {
    let is_long = matches!(name.len(), 12 | 16);
    is_hash(name) && (is_long || name.starts_with(|first: char| first.is_ascii_digit()))
}

/// Hexadecimal digits behind `0x`, wherever they are, and those of `[unknown <7f12ab>]`.
fn without_addresses(name: &str) -> Cow<'_, str> {
    if let Some((module, address)) = name.rsplit_once(" <")
        && module.starts_with('[')
        && let Some(address) = address.strip_suffix(">]")
        && address.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return format!("{module}]").into();
    }
    without_digits(name.into(), "0x", u8::is_ascii_hexdigit)
}

/// Numbers that a Java machine gives to the classes that it makes as it runs. Which number a class has depends on
/// which came first, so those of one class are one, and all proxies are.
fn without_run_numbers(name: Cow<str>) -> Cow<str> {
    if let Some(at) = name.find("$$Lambda") {
        return format!("{}$$Lambda", &name[..at]).into();
    }
    let name = without_digits(name, "CGLIB$$", u8::is_ascii_hexdigit);
    let name = without_digits(name, "MethodAccessor", u8::is_ascii_digit);
    let name = without_digits(name, "ConstructorAccessor", u8::is_ascii_digit);
    without_digits(name, "$Proxy", u8::is_ascii_digit)
}

/// A name without the digits that stand behind a word.
fn without_digits<'n>(name: Cow<'n, str>, word: &str, is_digit: fn(&u8) -> bool) -> Cow<'n, str> {
    let mut parts = name.split(word);
    let mut kept = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(is_digit).count();
        kept.push_str(word);
        kept.push_str(&part[digits..]);
    }
    if kept.len() == name.len() {
        return name;
    }
    kept.into()
}

/// Hashes at the end, after one of `_.$-`.
fn without_build_hash(mut name: &str) -> &str {
    loop {
        let hash = name.bytes().rev().take_while(u8::is_ascii_hexdigit).count();
        let (kept, hash) = name.split_at(name.len() - hash);
        if !is_hash(hash) || kept.len() < 2 || !kept.ends_with(['_', '.', '$', '-']) {
            return name;
        }
        name = &kept[..kept.len() - 1];
    }
}

/// Names that Python 2 hid by two underscores, as in `__bootstrap` of its threads, and Python 3 by one.
fn without_second_underscore(name: String) -> String {
    match name.strip_prefix("__") {
        Some(rest) if !rest.ends_with("__") => format!("_{rest}"),
        _ => name,
    }
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
            ("parse.isra.0", "parse"),
            ("parse.part.1.cold", "parse"),
            ("sort.llvm.8123456789", "sort"),
            ("Shop$$Lambda$12/0x0000000800c0", "Shop$$Lambda"),
            (
                "Cart$$EnhancerBySpringCGLIB$$a1b2c30.run",
                "Cart$$EnhancerBySpringCGLIB$$.run",
            ),
            (
                "reflect.GeneratedMethodAccessor10.invoke",
                "reflect.GeneratedMethodAccessor.invoke",
            ),
            ("com.sun.proxy.$Proxy12.get", "com.sun.proxy.$Proxy.get"),
            ("object at 0x7f12ab", "object at 0x"),
            ("[unknown <40>]", "[unknown]"),
            ("7f3a12bc", "0x"),
            ("ffffffff81a2b3c4", "0x"),
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
    fn names_of_nothing_but_suffixes_take_one_pass() {
        // In the square of the length these would take hours.
        for piece in [".cold", ".isra.0", "::h0123456789abcdef", "_abcde1"] {
            assert_eq!(
                name_of(&format!("f1{}", piece.repeat(1 << 20))),
                "f1",
                "{piece}"
            );
        }
        for piece in [".part", "0x", "$Proxy", "CGLIB$$a"] {
            assert!(name_of(&format!("f{}", piece.repeat(1 << 20))).starts_with('f'));
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
