//! What a function of a profile is called in the source: `app::Cart<T>::total::{{closure}}` is `total` of `Cart`.

use super::source::Language;

/// What a name of a profile stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Called {
    /// A function, by its name behind those of what it is in.
    Named(Vec<String>),
    /// A function without a name.
    Anonymous,
    /// What a file does outside of functions.
    Module,
}

/// What a name stands for in a language.
pub(super) fn called(language: Language, name: &str) -> Called {
    let parts = match language {
        Language::Python if name == "<module>" => return Called::Module,
        Language::Python => python(name),
        Language::Rust => rust(name),
        Language::Go => go(name),
        Language::C => c(name),
        Language::Java => java(name),
        Language::Script => script(name),
    };
    match parts.is_empty() {
        true => Called::Anonymous,
        false => Called::Named(parts),
    }
}

/// How many names two functions have in common from the last one on, if one is all that the other is called by.
pub(super) fn common(one: &[String], other: &[String]) -> usize {
    let same = one.iter().rev().zip(other.iter().rev());
    let same = same.take_while(|(a, b)| a == b).count();
    match same == one.len().min(other.len()) {
        true => same,
        false => 0,
    }
}

fn owned<'p>(parts: impl Iterator<Item = &'p str>) -> Vec<String> {
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn python(name: &str) -> Vec<String> {
    // A lambda or a comprehension is part of the function around it.
    owned(name.split('.').filter(|part| !part.starts_with('<')))
}

fn rust(name: &str) -> Vec<String> {
    let mut name = name.to_owned();
    // `<Cart as Shape>::area` is of Cart.
    while name.starts_with('<') {
        let Some(end) = closing(&name, 0, '<', '>') else {
            break;
        };
        let inner = &name[1..end];
        let of = inner.split(" as ").next().unwrap_or(inner);
        let of = of.trim_start_matches(['&', '*']).trim_start_matches("mut ");
        name = format!("{of}{}", &name[end + 1..]);
    }
    let name = without(&name, '<', '>');
    let is_hash = |part: &str| {
        part.len() == 17
            && part.starts_with('h')
            && part[1..].bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    owned(
        name.split("::")
            .filter(|part| !part.starts_with('{') && !is_hash(part)),
    )
}

fn go(name: &str) -> Vec<String> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = without(name, '[', ']');
    let name = name.strip_suffix("-fm").unwrap_or(&name);
    let mut parts = owned(
        name.split('.')
            .map(|part| part.trim_matches(['(', ')', '*'])),
    );
    // A function without a name is part of the one around it.
    let is_inner = |part: &str| {
        let number = ["func", "gowrap", "deferwrap"]
            .iter()
            .find_map(|word| part.strip_prefix(word))
            .unwrap_or(part);
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    while parts.len() > 1 && parts.last().is_some_and(|last| is_inner(last)) {
        parts.pop();
    }
    parts
}

fn c(name: &str) -> Vec<String> {
    let name = name.replace("(anonymous namespace)::", "");
    if let Some(at) = name.find("operator") {
        let (scope, operator) = name.split_at(at);
        let arguments = operator[8..].trim_start();
        let skip = if arguments.starts_with("()") { 2 } else { 0 };
        let end = arguments[skip..]
            .find('(')
            .map_or(arguments.len(), |at| at + skip);
        let sign: String = arguments[..end].split_whitespace().collect();
        let scope = without(scope, '<', '>');
        let scope = scope.rsplit(' ').next().unwrap_or_default().to_owned();
        let mut parts = owned(scope.split("::"));
        parts.push(format!("operator{sign}"));
        return parts;
    }
    let name = without(&name, '<', '>');
    let name = name.split('(').next().unwrap_or_default();
    // Before the name of a template stands what it returns; behind that of a copy, what the compiler made of it.
    let name = name.trim().rsplit(' ').next().unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    owned(name.split("::"))
}

fn java(name: &str) -> Vec<String> {
    let name = name.split('(').next().unwrap_or_default();
    let (class, method) = match name.rsplit_once(['.', '#']) {
        Some((class, method)) => (class, method),
        None => ("", name),
    };
    // `lambda$total$0` is part of `total`.
    let method = match method.strip_prefix("lambda$") {
        Some(rest) => rest.split('$').next().unwrap_or(rest),
        None => method,
    };
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let class = class.split(['/', '.', '$']).filter(|part| !is_number(part));
    owned(class.chain([method]))
}

fn script(name: &str) -> Vec<String> {
    let mut name = name.split([' ', '[']).next_back().unwrap_or_default();
    if name.ends_with(']') || name.is_empty() {
        name = "";
    }
    let name = match name.starts_with(['(', '<']) {
        true => "",
        false => name,
    };
    owned(name.split(['.', '#']))
}

/// A text without what stands in brackets; a bracket without its other half stays.
fn without(text: &str, open: char, close: char) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(open) {
        let Some(end) = closing(rest, at, open, close) else {
            break;
        };
        kept += &rest[..at];
        rest = &rest[end + 1..];
    }
    kept + rest
}

/// Where the bracket is closed that opens here. The head of an arrow closes none.
fn closing(text: &str, from: usize, open: char, close: char) -> Option<usize> {
    let (mut depth, mut last) = (0usize, ' ');
    for (at, letter) in text[from..].char_indices() {
        if letter == open {
            depth += 1;
        } else if letter == close && last != '-' {
            depth -= 1;
            if depth == 0 {
                return Some(from + at);
            }
        }
        last = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        for (language, name, parts) in [
            (Language::Python, "Cart.total", "Cart total"),
            (
                Language::Python,
                "total.<locals>.inner.<locals>.<lambda>",
                "total inner",
            ),
            (
                Language::Rust,
                "app::cart::Cart<T>::total::h0123456789abcdef",
                "app cart Cart total",
            ),
            (
                Language::Rust,
                "<app::Cart<A, B> as core::fmt::Display>::fmt",
                "app Cart fmt",
            ),
            (
                Language::Rust,
                "app::run::{{closure}}::{closure#0}",
                "app run",
            ),
            (
                Language::Rust,
                "app::map::<fn(u8) -> u8>::call",
                "app map call",
            ),
            (
                Language::Go,
                "github.com/me/shop/cart.(*Cart[...]).Total.func1.2",
                "cart Cart Total",
            ),
            (Language::Go, "main.Cart.Total-fm", "main Cart Total"),
            (Language::Go, "main.main.gowrap1", "main main"),
            (Language::C, "parse.isra.0", "parse"),
            (
                Language::C,
                "void a::Cart<int>::total<long>(long, int) const",
                "a Cart total",
            ),
            (
                Language::C,
                "(anonymous namespace)::parse(char const*)",
                "parse",
            ),
            (
                Language::C,
                "bool Cart::operator()(int) const",
                "Cart operator()",
            ),
            (Language::C, "Cart::operator<<(int)", "Cart operator<<"),
            (
                Language::Java,
                "com/shop/Cart$Item.total",
                "com shop Cart Item total",
            ),
            (
                Language::Java,
                "com.shop.Cart.lambda$total$0(int)",
                "com shop Cart total",
            ),
            (
                Language::Java,
                "com.shop.Cart.<init>",
                "com shop Cart <init>",
            ),
            (Language::Script, "Cart.total", "Cart total"),
            (Language::Script, "async total", "total"),
            (Language::Script, "new Cart", "Cart"),
            (Language::Script, "get #size", "size"),
        ] {
            let expected = parts.split(' ').map(str::to_owned).collect();
            assert_eq!(called(language, name), Called::Named(expected), "{name}");
        }
        assert_eq!(called(Language::Python, "<module>"), Called::Module);
        for (language, name) in [
            (Language::Python, "<lambda>"),
            (Language::Script, "(anonymous)"),
            (Language::Script, "<anonymous>"),
            (Language::Script, ""),
        ] {
            assert_eq!(called(language, name), Called::Anonymous, "{name}");
        }
        for hostile in [
            "<<<",
            ">>>",
            "operator",
            "lambda$",
            "(",
            "[",
            "é<",
            "h0123456789abcdeé",
            "-->",
            "<a> as",
        ] {
            for file in ["a.py", "a.rs", "a.go", "a.c", "a.java", "a.js"] {
                let language = Language::of(file).expect("it is one");
                called(language, hostile);
            }
        }
    }

    #[test]
    fn one_name_may_be_the_end_of_the_other() {
        let parts = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        for (one, other, same) in [
            ("app Cart total", "Cart total", 2),
            ("total", "Cart total", 1),
            ("app Order total", "Cart total", 0),
            ("total", "sum", 0),
        ] {
            assert_eq!(common(&parts(one), &parts(other)), same, "{one}, {other}");
        }
    }
}
