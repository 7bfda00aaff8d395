//! Which functions a source file has, and on which lines: enough to say of a changed line whose it is. Nothing is
//! compiled, so that a file that is half written has functions as well.

use super::{braces, python};

/// Languages that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Language {
    Python,
    Rust,
    Go,
    /// C and C++.
    C,
    Java,
    /// JavaScript and TypeScript.
    Script,
}

/// Files are read up to this size: longer ones nobody wrote.
pub(super) const LONGEST: u64 = 8 << 20;

impl Language {
    /// By the ending of a file.
    pub(super) fn of(path: &str) -> Option<Language> {
        let (_, ending) = path.rsplit_once('.')?;
        Some(match ending {
            "py" | "pyw" | "pyi" | "pyx" => Language::Python,
            "rs" => Language::Rust,
            "go" => Language::Go,
            "c" | "h" | "cc" | "cpp" | "cxx" | "c++" | "hh" | "hpp" | "hxx" | "inl" => Language::C,
            "java" => Language::Java,
            "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" => Language::Script,
            _ => return None,
        })
    }
}

/// A function of a source file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Span {
    /// Its name, behind those of what it is in: `["Cart", "total"]`. Empty where it has none.
    pub(super) parts: Vec<String>,
    /// The first line, with decorators and annotations.
    pub(super) first: u32,
    /// The line where its definition stands.
    pub(super) line: u32,
    pub(super) last: u32,
}

/// The functions of a text, outer ones before those in them.
pub(super) fn spans(language: Language, text: &str) -> Vec<Span> {
    let mut spans = match language {
        Language::Python => python::spans(text),
        other => braces::spans(other, text),
    };
    spans.sort_by_key(|span| (span.first, std::cmp::Reverse(span.last)));
    spans
}

/// For each line, from line 1 on, the innermost function that it is in, by its number.
pub(super) fn owners(spans: &[Span], lines: usize) -> Vec<Option<usize>> {
    let mut next = 0;
    let mut open: Vec<usize> = Vec::new();
    (1..=lines as u32)
        .map(|line| {
            while next < spans.len() && spans[next].first <= line {
                open.push(next);
                next += 1;
            }
            while open.last().is_some_and(|n| spans[*n].last < line) {
                open.pop();
            }
            open.last().copied()
        })
        .collect()
}

#[cfg(test)]
pub(super) fn told(language: Language, text: &str) -> Vec<String> {
    spans(language, text)
        .iter()
        .map(|span| {
            let name = span.parts.join(".");
            format!("{name} {}-{}", span.first, span.last)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_innermost_function() {
        let text = "def f():\n    def g():\n        pass\n    return g\n\nx = 1\n";
        let spans = spans(Language::Python, text);
        let owners = owners(&spans, 6);
        let names = owners
            .iter()
            .map(|owner| owner.map(|n| spans[n].parts.join(".")));
        let names: Vec<String> = names.map(Option::unwrap_or_default).collect();
        assert_eq!(names, ["f", "f.g", "f.g", "f", "", ""]);
    }

    /// Whatever the text is, there is an answer, and lines are those of the text.
    #[test]
    fn any_text_has_an_answer() {
        let pieces = [
            "{", "}", "(", ")", "\"", "'", "`", "/*", "*/", "//", "\n", "fn f", "def f():",
            "class", "#if x\n", "#else\n", "r#\"", "${", "\\", "=>", "func (x", "é", "R\"(", "=",
            "/", "<", ":", ";", "impl ", " ",
        ];
        let languages = ["a.py", "a.rs", "a.go", "a.cc", "a.java", "a.ts"];
        let mut state = 7u64;
        for _ in 0..3_000 {
            let mut text = String::new();
            for _ in 0..30 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text += pieces[(state >> 33) as usize % pieces.len()];
            }
            let lines = text.split('\n').count() as u32;
            for file in languages {
                let language = Language::of(file).expect("it is one");
                for span in spans(language, &text) {
                    let is_sane = 1 <= span.first && span.first <= span.line && span.last <= lines;
                    assert!(is_sane, "{file} {span:?}: {text}");
                }
            }
        }
    }
}
