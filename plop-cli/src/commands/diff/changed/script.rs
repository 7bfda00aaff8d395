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
    // The parameters end before the brace, or before the type that is returned.
    let ends = |n: &usize| text(header, *n) == ")" && (*n == last || text(header, n + 1) == ":");
    let is_brief = |n: &usize| last - n < 40;
    let close = (0..=last).rev().take_while(is_brief).find(ends);
    if let Some(open) = close.and_then(|close| opening(header, close))
        && let Some(found) = with_parameters(header, open, around)
    {
        return found;
    }
    match text(header, last) {
        "=" | "(" | "," | ":" | "[" | "return" | "?" | "|" | "&" | "." | "default" => Found {
            what: What::Object,
            ..Found::in_between()
        },
        _ => {
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
        .take_while(|n| before - n < 40)
        .find(|n| text(header, *n) == ")" && text(header, n + 1) == ":")
    {
        from = opening(header, close).unwrap_or(close);
    }
    expression(header, from)
}

/// A function that is a value, by what it is assigned to.
fn expression(header: &[Token], mut from: usize) -> Found {
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
    // `const name: Type =` has the name before the type.
    let is_typed = text(header, at) == "=" && name > 1 && text(header, name - 1) == ":";
    let name = if is_typed { name - 2 } else { name };
    let text = text(header, name);
    let unquoted = text.trim_matches(['"', '\'']);
    (is_word(header, name) || unquoted.len() < text.len()).then(|| unquoted.to_owned())
}

/// A function of JavaScript whose parameters begin at `open`.
fn with_parameters(header: &[Token], open: usize, around: Option<&What>) -> Option<Found> {
    let name = open.checked_sub(1)?;
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
