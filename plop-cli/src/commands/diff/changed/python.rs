//! The functions of a Python file, by how far lines are indented.

use super::source::Span;

/// A definition whose end has not come.
struct Open {
    /// Whether it is a function; otherwise a class.
    is_function: bool,
    name: String,
    indent: usize,
    first: u32,
    line: u32,
    last: u32,
}

pub(super) fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut state = State::default();
    // Where decorators of what comes next began.
    let mut decorated: Option<u32> = None;
    for (n, line) in text.split('\n').enumerate() {
        let number = n as u32 + 1;
        let content = line.trim_start_matches([' ', '\t', '\x0c']);
        let indent = indent(&line[..line.len() - content.len()]);
        let content = content.trim_end();
        let is_new = state.is_between();
        state.read(line);
        if is_new {
            if content.is_empty() {
                continue;
            }
            if content.starts_with('#') {
                // A comment ends nothing, and is of what it is indented below.
                for one in open.iter_mut().filter(|one| one.indent < indent) {
                    one.last = number;
                }
                continue;
            }
            while open.last().is_some_and(|last| last.indent >= indent) {
                close(&mut open, &mut spans);
            }
            match definition(content) {
                Some((is_function, name)) => open.push(Open {
                    is_function,
                    name: name.to_owned(),
                    indent,
                    first: decorated.take().unwrap_or(number),
                    line: number,
                    last: number,
                }),
                None if content.starts_with('@') => {
                    decorated.get_or_insert(number);
                }
                None => decorated = None,
            }
        }
        for one in &mut open {
            one.last = number;
        }
    }
    while !open.is_empty() {
        close(&mut open, &mut spans);
    }
    spans
}

fn close(open: &mut Vec<Open>, spans: &mut Vec<Span>) {
    let Some(last) = open.pop() else { return };
    if !last.is_function {
        return;
    }
    let outer = open.iter().map(|one| one.name.clone());
    spans.push(Span {
        parts: outer.chain([last.name]).collect(),
        first: last.first,
        line: last.line,
        last: last.last,
    });
}

fn indent(spaces: &str) -> usize {
    spaces.chars().fold(0, |width, letter| match letter {
        '\t' => (width / 8 + 1) * 8,
        '\x0c' => 0,
        _ => width + 1,
    })
}

/// Whether a line defines a function or a class, and its name.
fn definition(content: &str) -> Option<(bool, &str)> {
    let word = |text: &'_ str, word: &str| -> Option<usize> {
        let rest = text.strip_prefix(word)?;
        let trimmed = rest.trim_start();
        (trimmed.len() < rest.len()).then_some(text.len() - trimmed.len())
    };
    let rest = word(content, "async").map_or(content, |at| &content[at..]);
    // Cython's functions in C have their type before the name.
    let (is_function, at) = [("def", true), ("class", false)]
        .iter()
        .find_map(|(key, is_function)| Some((*is_function, word(rest, key)?)))?;
    let name = &rest[at..];
    let end = name.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    let name = &name[..end.unwrap_or(name.len())];
    (!name.is_empty()).then_some((is_function, name))
}

/// What goes on over the end of a line: a string, brackets, or a backslash.
#[derive(Default)]
struct State {
    /// The quotes that end the string; empty outside of strings.
    quotes: &'static str,
    brackets: usize,
    continued: bool,
}

impl State {
    /// Whether a statement begins here.
    fn is_between(&self) -> bool {
        self.quotes.is_empty() && self.brackets == 0 && !self.continued
    }

    fn read(&mut self, line: &str) {
        self.continued = false;
        let mut rest = line.trim_end_matches('\r');
        while let Some(letter) = rest.chars().next() {
            if !self.quotes.is_empty() {
                if letter == '\\' {
                    rest = rest.get(1..).unwrap_or_default();
                    // A string of one line may go on behind a backslash.
                    self.continued = rest.is_empty();
                    let skipped = rest.chars().next().map_or(0, char::len_utf8);
                    rest = &rest[skipped..];
                } else if let Some(after) = rest.strip_prefix(self.quotes) {
                    (self.quotes, rest) = ("", after);
                } else {
                    rest = &rest[letter.len_utf8()..];
                }
                continue;
            }
            const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];
            if let Some(quotes) = QUOTES.iter().find(|quotes| rest.starts_with(**quotes)) {
                self.quotes = quotes;
                rest = &rest[quotes.len()..];
                continue;
            }
            match letter {
                '#' => break,
                '(' | '[' | '{' => self.brackets += 1,
                ')' | ']' | '}' => self.brackets = self.brackets.saturating_sub(1),
                '\\' if rest.len() == 1 => self.continued = true,
                _ => {}
            }
            rest = &rest[letter.len_utf8()..];
        }
        // One without its end is broken, and ends with the line.
        if self.quotes.len() == 1 && !self.continued {
            self.quotes = "";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::{Language, told};

    #[test]
    fn functions_end_where_lines_are_indented_less() {
        let text = r#"import os

@cache
@other(
    1,
)
def first(a,
          b):
    """A text:
def not_this():
    '''
    """
    if a:
        return b

    # of it

# of none
class Cart:
    size = 1

    async def total(self):
        x = [
1,
        ]
        def inner(): return 2
        return inner() + \
x

    @property
    def name(self): return "def x(): \
def y():"

def last():
	return '#' # "
x = {"def z():": 1}
"#;
        assert_eq!(
            told(Language::Python, text),
            [
                "first 3-16",
                "Cart.total 22-28",
                "Cart.total.inner 26-26",
                "Cart.name 30-32",
                "last 34-35"
            ]
        );
    }
}
