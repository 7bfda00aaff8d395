//! What begins at a brace in JavaScript and TypeScript, where functions are values, and objects have braces as well.

use super::headers::{Found, STATEMENTS, What, is_word, opening, text};
use super::tokens::Token;

/// What begins behind this header, in the block that is around it.
pub(super) fn script(header: &[Token], around: Option<&What>) -> Found {
    let Some(last) = header.len().checked_sub(1) else {
        return Found::other();
    };
    if text(header, last) == "=>" {
        return arrow(header, last);
    }
    if IN_BETWEEN.contains(&text(header, last)) {
        // An object, a pattern, or a type with braces.
        return Found {
            what: What::Object,
            ..Found::in_between()
        };
    }
    // The parameters end before the brace, or before the type that is returned.
    let ends = |n: &usize| text(header, *n) == ")" && (*n == last || text(header, n + 1) == ":");
    let is_brief = |n: &usize| last - n < LONG_TYPE;
    let close = (0..=last).rev().take_while(is_brief).find(ends);
    if let Some(open) = close.and_then(|close| opening(header, close))
        && let Some(found) = with_parameters(header, open, around)
    {
        return found;
    }
    let key = |n: &usize| matches!(text(header, *n), "class" | "namespace" | "module");
    let Some(at) = (0..=last).rev().find(key) else {
        return Found::other();
    };
    let name = match is_word(header, at + 1) && text(header, at + 1) != "extends" {
        true => Some(text(header, at + 1).to_owned()),
        false => at.checked_sub(1).and_then(|before| binding(header, before)),
    };
    Found::scope(name.into_iter().collect())
}

/// What stands before braces that are part of a statement.
const IN_BETWEEN: [&str; 13] = [
    "=", "(", ",", ":", "[", "return", "?", "|", "&", ".", "default", "<", "extends",
];
/// So many words and signs a type may have.
const LONG_TYPE: usize = 80;

/// The function whose arrow ends this header and whose body is an expression; none where the arrow is that of a type.
/// `is_property` says whether what stands before a colon is the name of a value.
pub(super) fn brief(header: &[Token], is_property: bool) -> Option<Found> {
    let last = header.len().checked_sub(1)?;
    let found = arrow(header, last);
    let before = found.from.checked_sub(1).map_or("", |at| text(header, at));
    match before {
        ":" if !is_property => None,
        "<" | "|" | "&" => None,
        _ => Some(found),
    }
}

/// `(a, b) =>`, `a =>`, `(a): T =>`.
fn arrow(header: &[Token], arrow: usize) -> Found {
    let Some(before) = arrow.checked_sub(1) else {
        return Found::function(Vec::new(), arrow, arrow);
    };
    let mut from = before;
    if text(header, before) == ")" {
        from = opening(header, before).unwrap_or(before);
    } else if let Some(close) = (0..before)
        .rev()
        .take_while(|n| before - n < LONG_TYPE)
        .find(|n| text(header, *n) == ")" && text(header, n + 1) == ":")
    {
        from = opening(header, close).unwrap_or(close);
    }
    expression(header, from)
}

/// A function that is a value, by what it is assigned to.
fn expression(header: &[Token], mut from: usize) -> Found {
    if let Some(angle) = from.checked_sub(1).and_then(|end| angles(header, end)) {
        from = angle;
    }
    while from > 0 && matches!(text(header, from - 1), "async" | "function" | "*") {
        from -= 1;
    }
    let name = from
        .checked_sub(1)
        .and_then(|before| binding(header, before));
    Found::function(name.into_iter().collect(), from, from)
}

/// The name that stands before `=` or `:`.
fn binding(header: &[Token], at: usize) -> Option<String> {
    let name = at.checked_sub(1)?;
    if !matches!(text(header, at), "=" | ":") {
        return None;
    }
    let name = match text(header, at) {
        "=" => typed(header, at).unwrap_or(name),
        _ => name,
    };
    let text = text(header, name);
    let unquoted = text.trim_matches(['"', '\'']);
    (is_word(header, name) || unquoted.len() < text.len()).then(|| unquoted.to_owned())
}

/// Where the name stands in `const name: Type =`, whatever the type is.
fn typed(header: &[Token], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for n in (1..at).rev().take_while(|n| at - n < LONG_TYPE) {
        match text(header, n) {
            ")" | "]" | "}" | ">" => depth += 1,
            "(" | "[" | "{" | "<" if depth == 0 => return None,
            "(" | "[" | "{" | "<" => depth -= 1,
            ";" | "," | "=" if depth == 0 => return None,
            ":" if depth == 0 => return is_word(header, n - 1).then_some(n - 1),
            _ => {}
        }
    }
    None
}

/// Where the parameters of a type begin that end here: `<T extends Item>`.
fn angles(header: &[Token], end: usize) -> Option<usize> {
    let mut depth = 0usize;
    for n in (0..=end).rev().take_while(|n| end - n < LONG_TYPE) {
        match text(header, n) {
            ">" => depth += 1,
            "<" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (n < end).then_some(n);
        }
    }
    None
}

/// A function of JavaScript whose parameters begin at `open`.
fn with_parameters(header: &[Token], open: usize, around: Option<&What>) -> Option<Found> {
    let name = open.checked_sub(1)?;
    let name = match angles(header, name) {
        Some(angle) => angle.checked_sub(1)?,
        None => name,
    };
    let word = text(header, name);
    let before = |n: usize| name.checked_sub(n).map_or("", |at| text(header, at));
    if word == "function" || word == "*" && before(1) == "function" {
        return Some(expression(header, open));
    }
    let unquoted = word.trim_matches(['"', '\'']);
    let is_name = is_word(header, name) || unquoted.len() < word.len();
    if !is_name || STATEMENTS.contains(&word) {
        return None;
    }
    if before(1) == "function" || before(1) == "*" && before(2) == "function" {
        return Some(Found::function(vec![word.into()], name - 1, name));
    }
    let called = match around {
        Some(What::Scope(parts)) if word == "constructor" => parts.last().cloned(),
        Some(What::Scope(_) | What::Object) => Some(unquoted.to_owned()),
        _ => None,
    };
    Some(Found::function(vec![called?], name, name))
}
