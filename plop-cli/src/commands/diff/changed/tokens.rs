//! The words and signs of a file in a language with braces, without its comments and what stands in strings.

use super::source::Language;

/// A word, a sign, or a string with its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    pub(super) line: u32,
}

impl Token<'_> {
    /// Whether it is a name or a keyword.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(is_name_start)
    }
}

fn is_name_start(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_' || letter == '$'
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// Signs of several letters that are one.
const SIGNS: [&str; 16] = [
    "::", "->", "=>", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", ":=",
];
/// Words of JavaScript behind which a slash begins a pattern.
const BEFORE_PATTERN: [&str; 10] = [
    "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else",
];
/// Further words behind which a string may stand without a space.
const BEFORE_STRING: [&str; 9] = [
    "from",
    "import",
    "export",
    "as",
    "default",
    "await",
    "yield",
    "extends",
    "instanceof",
];

/// All of them. Conditions of the C preprocessor are `#if`, `#else` and `#endif`; its other lines are left out.
pub(super) fn tokens(language: Language, text: &str) -> Vec<Token<'_>> {
    let mut reader = Reader {
        language,
        text,
        at: 0,
        line: 1,
        tokens: Vec::new(),
        templates: Vec::new(),
    };
    while reader.at < text.len() {
        reader.step();
    }
    reader.tokens
}

struct Reader<'t> {
    language: Language,
    text: &'t str,
    at: usize,
    line: u32,
    tokens: Vec<Token<'t>>,
    /// For each template of JavaScript whose code is being read, how many braces are open in it.
    templates: Vec<usize>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Goes on by so many bytes.
    fn skip(&mut self, length: usize) {
        let end = self.at + length;
        let lines = self.text.as_bytes()[self.at..end].iter();
        self.line += lines.filter(|byte| **byte == b'\n').count() as u32;
        self.at = end;
    }

    /// Goes on behind the next of what ends something, or to the end of the text.
    fn skip_behind(&mut self, end: &str) {
        let rest = self.rest();
        self.skip(rest.find(end).map_or(rest.len(), |at| at + end.len()));
    }

    fn push(&mut self, length: usize) {
        let text = &self.rest()[..length];
        self.tokens.push(Token {
            text,
            line: self.line,
        });
        self.skip(length);
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(letter) = rest.chars().next() else {
            return;
        };
        match letter {
            _ if letter.is_whitespace() => self.skip(letter.len_utf8()),
            '/' if rest.starts_with("//") => self.skip(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => self.comment(),
            '#' if self.language == Language::C && self.is_first_of_line() => self.directive(),
            '/' if self.language == Language::Script && self.is_before_pattern() => self.pattern(),
            // Text of JSX: `don't`.
            '\'' if self.language == Language::Script && self.is_in_word() => self.skip(1),
            '"' | '\'' | '`' => self.quoted(letter),
            _ if letter.is_ascii_digit() => {
                let is_part = |(n, letter): (usize, char)| {
                    is_name(letter)
                        || letter == '.'
                        || letter == '\''
                            && rest[n + 1..].starts_with(|c: char| c.is_ascii_hexdigit())
                };
                let count = rest.char_indices().take_while(|one| is_part(*one));
                self.push(count.map(|(_, letter)| letter.len_utf8()).sum());
            }
            _ if is_name_start(letter) => self.word(),
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                self.push(sign.map_or(letter.len_utf8(), |sign| sign.len()));
                self.count_braces(letter);
            }
        }
    }

    /// Code in a template ends with the brace that closes it.
    fn count_braces(&mut self, letter: char) {
        let Some(open) = self.templates.last_mut() else {
            return;
        };
        match letter {
            '{' => *open += 1,
            '}' if *open > 0 => *open -= 1,
            '}' => {
                self.templates.pop();
                self.template();
            }
            _ => {}
        }
    }

    fn comment(&mut self) {
        if self.language != Language::Rust {
            self.skip(2);
            return self.skip_behind("*/");
        }
        let mut depth = 0usize;
        while self.at < self.text.len() {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
                if depth == 0 {
                    return;
                }
            } else {
                let next = rest.char_indices().skip(1);
                let mut next = next.filter(|(_, letter)| matches!(letter, '/' | '*'));
                self.skip(next.next().map_or(rest.len(), |(at, _)| at));
            }
        }
    }

    fn is_first_of_line(&self) -> bool {
        let before = self.text[..self.at].trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with('\n')
    }

    fn directive(&mut self) {
        let word = self.rest()[1..].trim_start_matches([' ', '\t']);
        let token = match () {
            () if word.starts_with("if") => Some("#if"),
            () if word.starts_with("el") => Some("#else"),
            () if word.starts_with("endif") => Some("#endif"),
            () => None,
        };
        let line = self.line;
        self.tokens.extend(token.map(|text| Token { text, line }));
        loop {
            let rest = self.rest();
            let end = rest.find('\n').unwrap_or(rest.len());
            let goes_on = rest[..end].trim_end_matches('\r').ends_with('\\');
            self.skip((end + 1).min(rest.len()));
            if !goes_on || self.at == self.text.len() {
                return;
            }
        }
    }

    /// Whether a name ends here that no string can stand behind.
    fn is_in_word(&self) -> bool {
        let before = self.text[..self.at].chars().next_back();
        before.is_some_and(is_name)
            && self.tokens.last().is_some_and(|last| {
                last.is_word()
                    && !BEFORE_STRING.contains(&last.text)
                    && !BEFORE_PATTERN.contains(&last.text)
            })
    }

    /// Whether a slash begins a regular expression, and is no division.
    fn is_before_pattern(&self) -> bool {
        self.tokens.last().is_none_or(|last| match last.text {
            // Behind the last one an element of JSX ends: `</div>`.
            ")" | "]" | "}" | "<" => false,
            word if last.is_word() => BEFORE_PATTERN.contains(&word),
            other => {
                !other.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '"' | '\'' | '`'))
            }
        })
    }

    fn pattern(&mut self) {
        let rest = self.rest();
        let (mut in_class, mut is_escaped) = (false, false);
        for (at, letter) in rest.char_indices().skip(1) {
            match letter {
                '\n' => break,
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => {
                    self.tokens.push(Token {
                        text: "\"/\"",
                        line: self.line,
                    });
                    return self.skip(at + 1);
                }
                _ => {}
            }
        }
        self.push(1);
    }

    fn quoted(&mut self, quote: char) {
        let rest = self.rest();
        match (self.language, quote) {
            (Language::Rust, '\'') => {
                // A lifetime has no end.
                let mut letters = rest[1..].chars();
                let (first, second) = (letters.next(), letters.next());
                match (first, second) {
                    (Some('\\'), _) => self.string('\'', true),
                    (Some(first), Some('\'')) => self.skip(first.len_utf8() + 2),
                    _ => self.skip(1),
                }
            }
            (Language::Rust, '`') => self.skip(1),
            (Language::Java, '"') if rest.starts_with("\"\"\"") => {
                self.skip(3);
                self.skip_behind("\"\"\"");
            }
            (Language::Go, '`') => {
                self.skip(1);
                self.skip_behind("`");
            }
            (Language::Script, '`') => {
                self.skip(1);
                self.template();
            }
            (language, _) => self.string(quote, language == Language::Rust),
        }
    }

    /// A string with its quotes; one that has to end with its line does so also where its end is missing.
    fn string(&mut self, quote: char, over_lines: bool) {
        let rest = self.rest();
        let mut is_escaped = false;
        let end = rest.char_indices().skip(1).find_map(|(at, letter)| {
            if is_escaped {
                is_escaped = false;
                return None;
            }
            is_escaped = letter == '\\';
            match letter {
                _ if letter == quote => Some(at + 1),
                '\n' if !over_lines => Some(at),
                _ => None,
            }
        });
        self.push(end.unwrap_or(rest.len()));
    }

    /// The text of a template up to its end, or to code in it.
    fn template(&mut self) {
        let rest = self.rest();
        let mut is_escaped = false;
        for (at, letter) in rest.char_indices() {
            match letter {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '`' => return self.skip(at + 1),
                '$' if rest[at + 1..].starts_with('{') => {
                    self.skip(at + 1);
                    self.templates.push(0);
                    return self.push(1);
                }
                _ => {}
            }
        }
        self.skip(rest.len());
    }

    fn word(&mut self) {
        let rest = self.rest();
        let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if self.language == Language::Rust
            && matches!(word, "r" | "br" | "cr")
            && behind.starts_with(['"', '#'])
        {
            let marks = behind.bytes().take_while(|byte| *byte == b'#').count();
            if behind[marks..].starts_with('"') {
                self.skip(end + marks + 1);
                let close = format!("\"{}", "#".repeat(marks));
                return self.skip_behind(&close);
            }
        }
        if self.language == Language::C
            && matches!(word, "R" | "LR" | "uR" | "UR" | "u8R")
            && let Some(text) = behind.strip_prefix('"')
            && let Some(open) = text.find('(').filter(|open| *open <= 16)
        {
            let close = format!("){}\"", &text[..open]);
            self.skip(end + 1 + open + 1);
            return self.skip_behind(&close);
        }
        self.push(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(language: Language, text: &str) -> String {
        let tokens = tokens(language, text);
        let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
        texts.join(" ")
    }

    #[test]
    fn what_stands_in_strings_and_comments_is_left_out() {
        for (language, text, words) in [
            (Language::Rust, "a /* /* } */ { */ b // {\nc", "a b c"),
            (
                Language::Rust,
                "f::<'a>('{', '\\'', b'}') r#\"{\"}\"# 'x",
                "f :: < a > ( , '\\'' , b ) x",
            ),
            (
                Language::C,
                "a = '{' + \"{\\\"\" + R\"x(}\" )x\" + 1'000;",
                "a = '{' + \"{\\\"\" + + 1'000 ;",
            ),
            (
                Language::C,
                "#if A\n#define x { \\\n  }\n#elif B\n#endif\nb",
                "#if #else #endif b",
            ),
            (Language::Go, "x := `{\n\"` + '{'", "x := + '{'"),
            (Language::Java, "s = \"\"\"\n } \" \"\"\"; c", "s = ; c"),
            (
                Language::Script,
                "a = b / c; d = /[/}]{/.test(`x${y({})}z{`)",
                "a = b / c ; d = \"/\" . test ( { y ( { } ) } )",
            ),
            (Language::Script, "s = 'open {\nt = 1", "s = 'open { t = 1"),
        ] {
            assert_eq!(told(language, text), words, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let tokens = tokens(Language::C, "/*\n\n*/ a\n#define x \\\n y\nb R\"(\n\n)\" c");
        let lines: Vec<(&str, u32)> = tokens.iter().map(|one| (one.text, one.line)).collect();
        assert_eq!(lines, [("a", 3), ("b", 6), ("c", 8)]);
    }
}
