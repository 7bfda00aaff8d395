//! Names without what tells apart functions that come from one place in the source: numbers that compilers count
//! closures with, and type arguments. A build may change these, yet functions of one profile differ by them, so
//! they go only where the runs do not agree on them ([`crate::matching`]).

use std::borrow::Cow;

/// A name without both.
pub(crate) fn plain(name: &str) -> String {
    without_type_arguments(&without_numbers(name)).into_owned()
}

/// Numbers of closures and of classes without a name: Java's `lambda$run$7` and `Cart$1`, Kotlin's `price$lambda$3`,
/// Rust's `{closure#3}`, Go's `.func1.2`, C++'s `{lambda(int)#1}`, `'lambda0'` and `$_0`, C#'s
/// `<>c__DisplayClass0_0` and `<Main>b__0_1`.
pub(crate) fn without_numbers(name: &str) -> Cow<'_, str> {
    let bytes = name.as_bytes();
    let run_of = |from: usize, is_part: fn(&u8) -> bool| {
        bytes[from..]
            .iter()
            .take_while(|byte| is_part(byte))
            .count()
    };
    let mut kept = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let before = &name[..at];
        let ends = |words: &[&str]| words.iter().any(|word| before.ends_with(word));
        let digits = run_of(at, u8::is_ascii_digit);
        let next = bytes.get(at + digits);
        let is_last = next.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        let number = if ends(&[".func", ".gowrap", ".deferwrap"]) {
            let number = run_of(at, |byte| byte.is_ascii_digit() || *byte == b'.');
            // A full stop that other words follow is theirs.
            number - usize::from(at + number < bytes.len() && bytes[at + number - 1] == b'.')
        } else if ends(&["DisplayClass", ">b__", ">d__", "|"]) {
            run_of(at, |byte| byte.is_ascii_digit() || *byte == b'_')
        } else if ends(&["$", "$_"]) && is_last
            || ends(&["#"]) && next == Some(&b'}')
            || ends(&["'lambda"]) && next == Some(&b'\'')
        {
            digits
        } else {
            0
        };
        if number > 0 {
            kept.push_str(&name[copied..at]);
            copied = at + number;
        }
        at += digits.max(number);
    }
    if copied == 0 {
        return name.into();
    }
    kept.push_str(&name[copied..]);
    // As names of older compilers have it.
    kept.replace("{closure#}", "{{closure}}").into()
}

/// Go's `f[...]`, and what stands between `<` and `>` in C++, Rust and Swift. An `impl` is what a function belongs to.
pub(crate) fn without_type_arguments(name: &str) -> Cow<'_, str> {
    let marks = marks(name);
    let mut kept = String::new();
    let mut copied = 0;
    for Mark { at, close } in marks {
        if at < copied {
            continue;
        }
        let before = name[..at].trim_end_matches("::");
        kept.push_str(&name[copied..before.len().max(copied)]);
        copied = close + 1;
    }
    if copied == 0 {
        return name.into();
    }
    kept.push_str(&name[copied..]);
    kept.into()
}

/// Where type arguments stand.
struct Mark {
    at: usize,
    close: usize,
}

/// All type arguments of a name, by where they begin. One pass: what is open waits in a list.
fn marks(name: &str) -> Vec<Mark> {
    const OPERATORS: [&str; 13] = [
        "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "()", "[]", "<", ">",
    ];
    let bytes = name.as_bytes();
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let mut found = Vec::new();
    let (mut angles, mut brackets) = (Vec::new(), Vec::new());
    // Behind the sign of an operator, which is followed by its type arguments.
    let mut operator = 0;
    let mut at = 0;
    while at < bytes.len() {
        let before = at.checked_sub(1).map(|n| bytes[n]);
        let behind_name = before.is_some_and(is_of_name);
        match bytes[at] {
            b'o' if !behind_name && name[at..].starts_with("operator") => {
                at += "operator".len();
                let sign = OPERATORS.iter().find(|sign| name[at..].starts_with(**sign));
                if let Some(sign) = sign {
                    at += sign.len();
                    operator = at + usize::from(bytes.get(at) == Some(&b' '));
                }
                continue;
            }
            b'<' => {
                let is_after = behind_name || name[..at].ends_with("::") && at > 2;
                let is_impl = name[at + 1..].starts_with("impl ");
                let is_operators = operator > 0 && at == operator;
                angles.push((at, (is_after || is_operators) && !is_impl));
            }
            b'[' => {
                let last = found.last();
                let behind_mark = last.is_some_and(|mark: &Mark| mark.close + 1 == at);
                brackets.push((at, behind_name || behind_mark));
            }
            // `->` and `=>` close nothing.
            b'>' if before.is_none_or(|byte| byte != b'-' && byte != b'=') => {
                let open = angles.pop().filter(|(_, is_mark)| *is_mark);
                found.extend(open.map(|(open, _)| Mark {
                    at: open,
                    close: at,
                }));
            }
            b']' => {
                let open = brackets.pop().filter(|(_, is_mark)| *is_mark);
                found.extend(open.map(|(open, _)| Mark {
                    at: open,
                    close: at,
                }));
            }
            _ => (),
        }
        at += 1;
    }
    found.sort_unstable_by_key(|mark| mark.at);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_are_called_without_their_numbers() {
        for (name, short) in [
            ("app::run::{closure#3}", "app::run::{{closure}}"),
            ("app::run::{{closure}}", "app::run::{{closure}}"),
            ("main.handle.func1.2", "main.handle.func"),
            ("main.handle.func1.2.run", "main.handle.func.run"),
            ("main.handle.gowrap1", "main.handle.gowrap"),
            ("Shop.lambda$price$7", "Shop.lambda$price$"),
            ("Cart.price$lambda$30", "Cart.price$lambda$"),
            ("Cart$1.run", "Cart$.run"),
            (
                "run()::{lambda(int)#12}::operator()(int)",
                "run()::{lambda(int)#}::operator()(int)",
            ),
            ("main::$_0::operator()", "main::$_::operator()"),
            (
                "Cart+<>c__DisplayClass0_0.<Price>b__0_1(int32)",
                "Cart+<>c__DisplayClass.<Price>b__(int32)",
            ),
            ("Cart.<Price>g__Tax|3_0", "Cart.<Price>g__Tax|"),
        ] {
            assert_eq!(without_numbers(name), short);
            assert_eq!(without_numbers(short), short);
        }
        for same in [
            "f_123",
            "step_3",
            "handler.func",
            "md5$2a",
            "utf8::decode",
            "x#12",
        ] {
            assert_eq!(without_numbers(same), same);
        }
    }

    #[test]
    fn type_arguments_are_left_out() {
        for (name, short) in [
            ("core::ptr::drop::<alloc::vec::Vec<u8>>", "core::ptr::drop"),
            ("void sort<std::vector<int>, 3>(int)", "void sort(int)"),
            (
                "std::vector<int>::push_back(int&&)",
                "std::vector::push_back(int&&)",
            ),
            ("apply<fn(u8) -> u8>::call", "apply::call"),
            ("slices.SortFunc[...]", "slices.SortFunc"),
            ("main.(*List[go.shape.int]).Add", "main.(*List).Add"),
            ("std::operator<< <char>(int)", "std::operator<< (int)"),
            (
                "<alloc::vec::Vec<T> as Clone>::clone",
                "<alloc::vec::Vec as Clone>::clone",
            ),
            (
                "ops::_<impl FnOnce<A> for F>::call",
                "ops::_<impl FnOnce for F>::call",
            ),
        ] {
            assert_eq!(without_type_arguments(name), short);
            assert_eq!(without_type_arguments(short), short);
        }
        for same in [
            "[anonymous]",
            "-[NSString length]",
            "<module>",
            "f.<locals>.<lambda>",
            "Cart.<init>",
            "<u8 as Clone>::clone",
            "A::operator<(A const&)",
            "A::operator->()",
            "[unknown <40>]",
            "a[",
            "a<b",
        ] {
            assert_eq!(without_type_arguments(same), same);
        }
    }

    #[test]
    fn names_of_nothing_but_brackets_take_one_pass() {
        // In the square of the length these would take hours.
        for (piece, kept) in [("[]", "f"), ("<>", "f<>"), ("[", "f[["), ("::<", "f::<::<")] {
            let name = format!("f{}", piece.repeat(1 << 20));
            assert!(without_type_arguments(&name).starts_with(kept), "{piece}");
        }
        let name = format!("f{}", "$1".repeat(1 << 20));
        assert_eq!(without_numbers(&name).len(), 1 + (1 << 20));
    }
}
