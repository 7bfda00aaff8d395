//! A frame as folded stacks write it: `name (file:line)_[k]_[i]`, or a root frame that names a
//! thread or a process.

use plop_core::{Frame, FrameId, FrameKind, Profile};

/// What the text of a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameText<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) file: &'a [u8],
    pub(crate) line: i64,
    pub(crate) inlined: bool,
    pub(crate) kind: FrameKind,
}

/// The suffixes that the collapsing scripts of perf and async-profiler write.
const MARKS: [(&[u8], FrameKind); 5] = [
    (b"_[k]", FrameKind::Kernel),
    (b"_[j]", FrameKind::Jit),
    (b"_[w]", FrameKind::Waker),
    (b"_[0]", FrameKind::Interpreted),
    (b"_[1]", FrameKind::Baseline),
];

/// The suffix of an inlined function.
const INLINED: &[u8] = b"_[i]";

/// Reads the text of a frame. `at_root` says that nothing but threads and processes stands before
/// it.
pub(crate) fn parse(text: &[u8], at_root: bool) -> FrameText<'_> {
    let mut frame = FrameText {
        name: text,
        file: b"",
        line: 0,
        inlined: false,
        kind: FrameKind::Unknown,
    };
    if at_root && let Some(kind) = root_kind(text) {
        frame.kind = kind;
        return frame;
    }
    if let Some(rest) = frame.name.strip_suffix(INLINED) {
        (frame.name, frame.inlined) = (rest, true);
    }
    for (mark, kind) in MARKS {
        if let Some(rest) = frame.name.strip_suffix(mark) {
            (frame.name, frame.kind) = (rest, kind);
            break;
        }
    }
    if let Some((name, file, line)) = split_place(frame.name) {
        (frame.name, frame.file, frame.line) = (name, file, line);
    }
    frame
}

/// Writes the text of a frame, what folded stacks have no room for left out.
pub(crate) fn render(profile: &Profile, id: FrameId, out: &mut Vec<u8>) {
    let frame = profile.frames.get(id);
    let file = profile.file_of(id);
    out.extend_from_slice(profile.name_of(id));
    if frame.line != 0 || !(file.is_empty() || is_bare_file(file)) {
        out.extend_from_slice(b" (");
        out.extend_from_slice(file);
        out.extend_from_slice(format!(":{})", frame.line).as_bytes());
    } else if !file.is_empty() {
        out.extend_from_slice(b" (");
        out.extend_from_slice(file);
        out.push(b')');
    }
    render_marks(frame, out);
}

/// Writes the suffixes of a frame.
pub(crate) fn render_marks(frame: &Frame, out: &mut Vec<u8>) {
    for (mark, kind) in MARKS {
        if frame.kind == kind {
            out.extend_from_slice(mark);
        }
    }
    if frame.inlined {
        out.extend_from_slice(INLINED);
    }
}

/// The id of the frame that a text means.
pub(crate) fn intern(profile: &mut Profile, text: FrameText) -> FrameId {
    let function = profile.function(text.name, text.file);
    profile.frames.intern(Frame {
        line: text.line,
        inlined: text.inlined,
        kind: text.kind,
        ..Frame::of(function)
    })
}

/// Whether a root frame names a process (`process 12:"python app.py"`) or a thread
/// (`thread (34): worker`), as py-spy writes them.
pub(crate) fn root_kind(text: &[u8]) -> Option<FrameKind> {
    if let Some(rest) = text.strip_prefix(b"process ") {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let named = rest[digits..].is_empty() || rest[digits..].starts_with(b":");
        return (digits > 0 && named).then_some(FrameKind::Process);
    }
    let rest = text.strip_prefix(b"thread (")?;
    let close = rest.iter().position(|b| *b == b')')?;
    let id = rest[..close].strip_prefix(b"0x").unwrap_or(&rest[..close]);
    let numeric = !id.is_empty() && id.iter().all(u8::is_ascii_hexdigit);
    let named = rest[close + 1..].is_empty() || rest[close + 1..].starts_with(b": ");
    (numeric && named).then_some(FrameKind::Thread)
}

/// Splits `name (file:line)` or `name (file.py)`.
fn split_place(text: &[u8]) -> Option<(&[u8], &[u8], i64)> {
    let inner_end = text.len().checked_sub(1)?;
    if text[inner_end] != b')' {
        return None;
    }
    let open = opening(text)?;
    let name = text[..open].strip_suffix(b" ")?;
    let place = &text[open + 1..inner_end];
    if let Some(colon) = memchr::memrchr(b':', place)
        && let Some(line) = whole_number(&place[colon + 1..])
    {
        return Some((name, &place[..colon], line));
    }
    is_bare_file(place).then_some((name, place, 0))
}

/// Where the parenthesis opens that the text's last character closes. Parentheses inside must pair
/// up, as in `run (C:\Program Files (x86)\app.py:3)`; where they do not, the last ` (` counts.
fn opening(text: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    for (n, byte) in text.iter().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => {
                depth -= 1;
                if depth == 0 {
                    let spaced = n > 0 && text[n - 1] == b' ';
                    return if spaced { Some(n) } else { last_spaced(text) };
                }
            }
            _ => {}
        }
    }
    last_spaced(text)
}

fn last_spaced(text: &[u8]) -> Option<usize> {
    memchr::memmem::rfind(text, b" (").map(|n| n + 1)
}

/// A file that is written without a line: a Python source, or one of Python's `<string>` and
/// `<frozen importlib._bootstrap>`.
fn is_bare_file(text: &[u8]) -> bool {
    let ending = memchr::memrchr(b'.', text).map(|dot| &text[dot + 1..]);
    ending.is_some_and(|ending| SOURCES.contains(&ending))
        || (text.starts_with(b"<") && text.ends_with(b">"))
}

/// Endings of source files.
const SOURCES: [&[u8]; 24] = [
    b"py", b"pyx", b"go", b"rs", b"c", b"cc", b"cpp", b"cxx", b"h", b"hpp", b"s", b"S", b"js",
    b"mjs", b"cjs", b"ts", b"tsx", b"jsx", b"java", b"kt", b"scala", b"rb", b"php", b"cs",
];

/// A whole number as we write one: no plus sign, no zeros before it.
fn whole_number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let padded = digits.starts_with(b"0") && text != b"0";
    if digits.is_empty() || padded || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plop_core::ValueType;

    fn parts(text: &str) -> (String, String, i64) {
        let frame = parse(text.as_bytes(), true);
        let lossy = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (lossy(frame.name), lossy(frame.file), frame.line)
    }

    #[test]
    fn places_are_found_behind_any_name() {
        for (text, name, file, line) in [
            ("main (app.py:12)", "main", "app.py", 12),
            (
                "run (C:\\Program Files (x86)\\a.py:3)",
                "run",
                "C:\\Program Files (x86)\\a.py",
                3,
            ),
            (
                "(anonymous namespace)::f (a.cc:3)",
                "(anonymous namespace)::f",
                "a.cc",
                3,
            ),
            ("odd (a)b.py:4)", "odd", "a)b.py", 4),
            ("f (x.py:-1)", "f", "x.py", -1),
            ("<module> (<string>)", "<module>", "<string>", 0),
            ("f (x.py)", "f", "x.py", 0),
            (
                "call (x.py:7) (with (1).py:2)",
                "call (x.py:7)",
                "with (1).py",
                2,
            ),
            ("f (:12)", "f", "", 12),
            ("operator()(int)", "operator()(int)", "", 0),
            ("0x7fbe1c (libc.so.6)", "0x7fbe1c (libc.so.6)", "", 0),
            ("f (x.py:007)", "f (x.py:007)", "", 0),
            ("ns::f:12", "ns::f:12", "", 0),
            ("", "", "", 0),
            (")", ")", "", 0),
        ] {
            assert_eq!(parts(text), (name.into(), file.into(), line), "{text}");
        }
    }

    #[test]
    fn suffixes_mark_kernel_compiled_and_inlined_frames() {
        let kind = |text: &str| {
            let frame = parse(text.as_bytes(), false);
            (
                String::from_utf8_lossy(frame.name).into_owned(),
                frame.kind,
                frame.inlined,
            )
        };
        assert_eq!(kind("read_[k]"), ("read".into(), FrameKind::Kernel, false));
        assert_eq!(
            kind("run_[0]"),
            ("run".into(), FrameKind::Interpreted, false)
        );
        assert_eq!(kind("f_[j]_[i]"), ("f".into(), FrameKind::Jit, true));
        assert_eq!(kind("f_[i]"), ("f".into(), FrameKind::Unknown, true));
        assert_eq!(kind("f_[x]"), ("f_[x]".into(), FrameKind::Unknown, false));
    }

    #[test]
    fn only_root_frames_name_threads_and_processes() {
        let kind = |text: &str, at_root| parse(text.as_bytes(), at_root).kind;
        assert_eq!(kind("thread (0x7F01): main", true), FrameKind::Thread);
        assert_eq!(kind("thread (12)", true), FrameKind::Thread);
        assert_eq!(kind("process 7:\"python a.py\"", true), FrameKind::Process);
        assert_eq!(kind("process 7", true), FrameKind::Process);
        assert_eq!(kind("thread (12)", false), FrameKind::Unknown);
        assert_eq!(kind("thread (x)", true), FrameKind::Unknown);
        assert_eq!(kind("process 7x", true), FrameKind::Unknown);
    }

    #[test]
    fn what_is_parsed_renders_as_it_was() {
        for text in [
            "main (app.py:12)",
            "f (x.py)",
            "read_[k]",
            "f (a.rs:1)_[j]_[i]",
            "thread (7): io",
            "f (:12)",
            "f (lib.so:0)",
            "f (lib.rs)",
            "",
        ] {
            let mut profile = Profile::new(vec![ValueType::samples()]);
            let frame = intern(&mut profile, parse(text.as_bytes(), true));
            let mut out = Vec::new();
            render(&profile, frame, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
