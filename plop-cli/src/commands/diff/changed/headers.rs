//! What begins at a brace, by the words and signs of the statement before it.

use super::script::script;
use super::source::Language;
use super::tokens::Token;

/// What a block is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A function, by its names; by none where it has no name.
    Function(Vec<String>),
    /// A class, a namespace, an `impl`: what stands in it is called after it.
    Scope(Vec<String>),
    /// Properties of an object in JavaScript.
    Object,
    Other,
}

impl What {
    pub(super) fn is_function(&self) -> bool {
        matches!(self, What::Function(_))
    }
}

/// What begins at a brace.
pub(super) struct Found {
    pub(super) what: What,
    /// Where it begins among the tokens before the brace, and where its name is.
    pub(super) from: usize,
    pub(super) at: usize,
    /// Whether the statement goes on behind the brace that closes it.
    pub(super) goes_on: bool,
}

impl Found {
    pub(super) fn other() -> Found {
        Found {
            what: What::Other,
            from: 0,
            at: 0,
            goes_on: false,
        }
    }

    pub(super) fn function(parts: Vec<String>, from: usize, at: usize) -> Found {
        Found {
            what: What::Function(parts),
            from,
            at,
            goes_on: false,
        }
    }

    pub(super) fn scope(parts: Vec<String>) -> Found {
        Found {
            what: What::Scope(parts),
            ..Found::other()
        }
    }

    pub(super) fn in_between() -> Found {
        Found {
            goes_on: true,
            ..Found::other()
        }
    }
}

/// What begins behind this header. `around` is the block that it is in.
pub(super) fn found(
    language: Language,
    header: &[Token],
    around: Option<&What>,
    in_function: bool,
) -> Found {
    match language {
        Language::Python => Found::other(),
        Language::Rust => rust(header),
        Language::Go => go(header),
        Language::C | Language::Java if in_function => Found::other(),
        Language::C | Language::Java => declared(language, header, around),
        Language::Script => script(header, around),
    }
}

pub(super) fn text<'t>(header: &[Token<'t>], at: usize) -> &'t str {
    header.get(at).map_or("", |token| token.text)
}

pub(super) fn is_word(header: &[Token], at: usize) -> bool {
    header.get(at).is_some_and(Token::is_word)
}

fn rust(header: &[Token]) -> Found {
    let named = |n: &usize| text(header, *n) == "fn" && is_word(header, n + 1);
    if let Some(at) = (0..header.len()).rev().find(named) {
        return Found::function(vec![text(header, at + 1).into()], 0, at + 1);
    }
    let scope = |n: &usize| matches!(text(header, *n), "impl" | "trait" | "mod");
    let Some(at) = (0..header.len()).find(scope) else {
        return Found::other();
    };
    let mut from = at + 1;
    if text(header, at) == "impl" {
        // The type stands behind `for`, which also begins the lifetimes of a bound.
        let ends = |n: &usize| text(header, *n) == "where";
        let end = (from..header.len()).find(ends).unwrap_or(header.len());
        let is_for = |n: &usize| text(header, *n) == "for" && text(header, n + 1) != "<";
        from = match (from..end).rev().find(is_for) {
            Some(n) => n + 1,
            None => behind_angles(header, from),
        };
    }
    // The last name of a path.
    let mut name = None;
    for token in &header[from.min(header.len())..] {
        match token.text {
            "::" | "&" | "mut" | "dyn" => {}
            word if token.is_word() => name = Some(word),
            _ => break,
        }
    }
    Found::scope(name.map(str::to_owned).into_iter().collect())
}

/// The place behind `<…>`, if there is one.
fn behind_angles(header: &[Token], from: usize) -> usize {
    if text(header, from) != "<" {
        return from;
    }
    let mut depth = 0usize;
    for (n, token) in header.iter().enumerate().skip(from) {
        match token.text {
            "<" => depth += 1,
            ">" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return n + 1;
        }
    }
    header.len()
}

/// The place behind a parenthesis' end; none where that is not there.
fn behind(header: &[Token], from: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (n, token) in header.iter().enumerate().skip(from) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(n + 1);
        }
    }
    None
}

/// Where the parenthesis begins that ends here.
pub(super) fn opening(header: &[Token], end: usize) -> Option<usize> {
    let mut depth = 0usize;
    for n in (0..=end).rev() {
        match text(header, n) {
            ")" | "]" => depth += 1,
            "(" | "[" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(n);
        }
    }
    None
}

fn go(header: &[Token]) -> Found {
    let last = text(header, header.len().wrapping_sub(1));
    if matches!(last, "interface" | "struct") {
        return Found::in_between();
    }
    // What stands in parentheses are types and values.
    let mut depth = 0usize;
    let mut outside = Vec::new();
    for (n, token) in header.iter().enumerate() {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "func" if depth == 0 => outside.push(n),
            _ => {}
        }
    }
    for at in outside.into_iter().rev() {
        let mut parts = Vec::new();
        let mut name = at + 1;
        if text(header, name) == "(" {
            let Some(end) = behind(header, name) else {
                continue;
            };
            // `t *Tree[K]`, or the type alone.
            let receiver = header[name..end].split(|token| token.text == "[").next();
            let mut words = receiver
                .into_iter()
                .flatten()
                .filter(|token| token.is_word());
            parts.extend(words.next_back().map(|token| token.text.to_owned()));
            name = end;
        }
        if is_word(header, name) && matches!(text(header, name + 1), "(" | "[") {
            parts.push(text(header, name).into());
            return Found::function(parts, at, name);
        }
    }
    Found::other()
}

/// Words before a parenthesis that is none of parameters.
const NO_NAMES: [&str; 9] = [
    "__attribute__",
    "__declspec",
    "alignas",
    "decltype",
    "noexcept",
    "requires",
    "throw",
    "asm",
    "_Alignas",
];
/// Words of statements.
pub(super) const STATEMENTS: [&str; 8] = [
    "if",
    "for",
    "while",
    "switch",
    "catch",
    "return",
    "synchronized",
    "with",
];

/// C, C++ and Java: a function is a name with parentheses, outside of functions.
fn declared(language: Language, header: &[Token], around: Option<&What>) -> Found {
    if language == Language::Java && matches!(around, Some(What::Scope(_))) {
        let initializer = match header {
            [] => Some("<init>"),
            [one] if one.text == "static" => Some("<clinit>"),
            _ => None,
        };
        if let Some(name) = initializer {
            return Found::function(vec![name.into()], 0, 0);
        }
    }
    let is_record = |n: usize| text(header, n) == "record" && is_word(header, n + 1);
    let mut at = 0;
    while at < header.len() {
        match text(header, at) {
            "template" => {
                at = behind_angles(header, at + 1);
                continue;
            }
            "record" if is_record(at) => break,
            "=" => return Found::other(),
            "[" => {
                at = behind(header, at).unwrap_or(header.len());
                continue;
            }
            "operator" if language == Language::C => {
                let open = (at + 1..header.len()).find(|n| text(header, *n) == "(");
                let open = open.map(|n| match text(header, n + 1) {
                    // The call itself.
                    ")" if n == at + 1 => n + 2,
                    _ => n,
                });
                let Some(open) = open else { break };
                let sign = header[at..open.min(header.len())].iter();
                let name: String = sign.map(|token| token.text).collect();
                return named(header, at, name, open);
            }
            "(" => {
                let is_annotation = is_annotation(header, at);
                let word = text(header, at.wrapping_sub(1));
                if is_annotation || NO_NAMES.contains(&word) {
                    at = behind(header, at).unwrap_or(header.len());
                    continue;
                }
                if at == 0 || !is_word(header, at - 1) || STATEMENTS.contains(&word) {
                    return Found::other();
                }
                let is_class = |scope: &What| match scope {
                    What::Scope(parts) => parts.last().is_some_and(|last| last == word),
                    _ => false,
                };
                let name = match language == Language::Java && around.is_some_and(is_class) {
                    true => "<init>",
                    false => word,
                };
                let tilde = at > 1 && text(header, at - 2) == "~";
                let (from, name) = match tilde {
                    true => (at - 2, format!("~{name}")),
                    false => (at - 1, name.to_owned()),
                };
                return named(header, from, name, at);
            }
            _ => at += 1,
        }
    }
    scoped(header)
}

/// Whether a parenthesis is that of `@Cached(…)`, or of `@a.b.Cached(…)`.
fn is_annotation(header: &[Token], open: usize) -> bool {
    let mut at = open;
    while at >= 2 && is_word(header, at - 1) {
        match text(header, at - 2) {
            "@" => return true,
            "." => at -= 2,
            _ => return false,
        }
    }
    false
}

/// A function whose name begins at `at`, with its parameters at `open`.
fn named(header: &[Token], at: usize, name: String, open: usize) -> Found {
    let end = behind(header, open).unwrap_or(header.len());
    let initializes = (end..header.len()).any(|n| text(header, n) == ":");
    let last = header.len() - 1;
    if initializes && last >= end && (is_word(header, last) || text(header, last) == ">") {
        // A member of the class in the list before the body: `Cart(int n) : n_{n} {`.
        return Found::in_between();
    }
    let mut parts = vec![name];
    let mut from = at;
    while from >= 2 && text(header, from - 1) == "::" && is_word(header, from - 2) {
        parts.insert(0, text(header, from - 2).into());
        from -= 2;
    }
    Found::function(parts, 0, at)
}

/// A namespace, a class or the like.
fn scoped(header: &[Token]) -> Found {
    const KEYS: [&str; 7] = [
        "namespace",
        "class",
        "struct",
        "union",
        "enum",
        "interface",
        "record",
    ];
    let Some(at) = header.iter().position(|token| KEYS.contains(&token.text)) else {
        // `extern "C"`.
        return match header {
            [first, ..] if first.text == "extern" => Found::scope(Vec::new()),
            _ => Found::other(),
        };
    };
    let rest = header[at + 1..].iter();
    let ends = |token: &&Token| {
        !matches!(
            token.text,
            ":" | "<" | "(" | "extends" | "implements" | "final" | "permits"
        )
    };
    let words: Vec<String> = rest
        .take_while(ends)
        .filter(|token| token.is_word() && !KEYS.contains(&token.text))
        .map(|token| token.text.to_owned())
        .collect();
    match text(header, at) {
        "namespace" => Found::scope(words),
        // What stands before the name is of no class: `class EXPORT Cart`.
        _ => Found::scope(words.into_iter().last().into_iter().collect()),
    }
}
