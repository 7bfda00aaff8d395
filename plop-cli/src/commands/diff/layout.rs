//! Lines that fit a terminal: what is on them, their colours, and where they are broken.

use std::io::{self, Write};

use super::text::visible;

pub(in crate::commands) const PLAIN: &str = "";
pub(in crate::commands) const BOLD: &str = "1";
pub(in crate::commands) const WORSE: &str = "1;38;5;208";
pub(in crate::commands) const BETTER: &str = "38;5;75";
pub(in crate::commands) const QUIET: &str = "2";

/// A space at which no line is broken.
const FIXED: char = '\u{a0}';

/// How it is drawn.
pub(in crate::commands) struct Style {
    pub(in crate::commands) width: usize,
    color: bool,
    pub(in crate::commands) ascii: bool,
}

/// A piece of a line: what it says, and its colour.
pub(in crate::commands) struct Piece {
    code: &'static str,
    text: String,
}

pub(in crate::commands) fn piece(code: &'static str, text: impl Into<String>) -> Piece {
    // A name with a line feed or an escape in it would be more than a name.
    let text = visible(&text.into());
    Piece { code, text }
}

impl Style {
    /// The style for standard output. `ascii` is asked for.
    pub(in crate::commands) fn of(color: bool, terminal: bool, ascii: bool) -> Style {
        let columns = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        let width = match terminal {
            true => rustix::termios::tcgetwinsize(io::stdout())
                .map(|size| usize::from(size.ws_col))
                .ok()
                .filter(|width| *width > 0)
                .or(columns),
            false => columns,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty());
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Style {
            color,
            width: width.unwrap_or(100).clamp(40, 160),
            ascii: ascii || terminal && !utf8,
        }
    }

    /// Prints pieces, two spaces between them, in as many lines as they need. `first` begins the first line, and so
    /// many spaces the others.
    pub(in crate::commands) fn put(
        &self,
        out: &mut impl Write,
        first: Piece,
        margin: usize,
        pieces: &[Piece],
    ) -> io::Result<()> {
        let shown = |text: &str| match self.ascii {
            true => ascii(text),
            false => text.to_owned(),
        };
        let len = |text: &str| text.chars().count();
        let begin = shown(&first.text);
        let mut line = self.paint(first.code, &begin);
        let mut used = len(&begin);
        let mut is_begun = false;
        for piece in pieces {
            let text = shown(&piece.text);
            let gap = if is_begun { 2 } else { 0 };
            if is_begun && used + gap + len(&text) > self.width {
                writeln!(out, "{line}")?;
                (line, used, is_begun) = (" ".repeat(margin), margin, false);
            }
            if is_begun {
                line.push_str("  ");
                used += 2;
            }
            // What is too long for a line is broken between words.
            let mut words = String::new();
            for word in text.split(' ') {
                if !words.is_empty() && used + 1 + len(word) > self.width {
                    writeln!(out, "{line}{}", self.paint(piece.code, &words))?;
                    (line, used) = (" ".repeat(margin), margin);
                    words.clear();
                }
                if !words.is_empty() {
                    words.push(' ');
                    used += 1;
                }
                words.push_str(word);
                used += len(word);
            }
            line.push_str(&self.paint(piece.code, &words));
            is_begun = true;
        }
        writeln!(out, "{line}")
    }

    pub(in crate::commands) fn paint(&self, code: &str, text: &str) -> String {
        let text = text.replace(FIXED, " ");
        match self.color && !code.is_empty() && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text,
        }
    }

    /// A text that is no longer than the line; what is cut off is told by dots.
    pub(in crate::commands) fn cut(&self, text: &str, width: usize) -> String {
        let dots = if self.ascii { "..." } else { "…" };
        match text.char_indices().nth(width) {
            None => text.to_owned(),
            Some(_) => {
                let kept = width.saturating_sub(dots.chars().count());
                text.chars().take(kept).chain(dots.chars()).collect()
            }
        }
    }

    /// A path that fits, without its middle if need be.
    pub(super) fn path(&self, path: &[&str], width: usize) -> String {
        let (arrow, dots) = match self.ascii {
            true => (" > ", "..."),
            false => (" ▸ ", "…"),
        };
        let whole = path.join(arrow);
        if whole.chars().count() <= width || path.len() < 3 {
            return self.cut(&whole, width);
        }
        for kept in (1..path.len() - 1).rev() {
            let end = path[path.len() - kept..].join(arrow);
            let short = format!("{}{arrow}{dots}{arrow}{end}", path[0]);
            if short.chars().count() <= width {
                return short;
            }
        }
        let short = format!("{dots}{arrow}{}", path[path.len() - 1]);
        self.cut(&short, width)
    }
}

/// A text without the signs that a terminal may lack.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '→' => plain.push_str("->"),
            '▲' | '△' => plain.push('+'),
            '▼' => plain.push('-'),
            '⚠' => plain.push('!'),
            '▸' => plain.push('>'),
            '±' => plain.push_str("+-"),
            '…' => plain.push_str("..."),
            other => plain.push(other),
        }
    }
    plain
}

/// A text at whose spaces no line is broken.
pub(in crate::commands) fn fixed(text: impl Into<String>) -> String {
    text.into().replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(width: usize) -> Style {
        Style {
            width,
            color: false,
            ascii: false,
        }
    }

    fn lines(style: &Style, pieces: &[Piece]) -> Vec<String> {
        let mut out = Vec::new();
        style
            .put(&mut out, piece(PLAIN, "> "), 2, pieces)
            .expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_are_broken_between_pieces_first() {
        let pieces = ["one two", "three four", "five"].map(|text| piece(PLAIN, text));
        assert_eq!(lines(&style(40), &pieces), ["> one two  three four  five"]);
        assert_eq!(
            lines(&style(20), &pieces),
            ["> one two", "  three four  five"]
        );
        assert_eq!(
            lines(&style(9), &pieces),
            ["> one two", "  three", "  four", "  five"]
        );
        let number = [piece(PLAIN, format!("a growth of {}", fixed("5 %")))];
        assert_eq!(lines(&style(16), &number), ["> a growth of", "  5 %"]);
    }

    #[test]
    fn colour_is_put_around_words_only() {
        let style = Style {
            color: true,
            ..style(12)
        };
        let shown = lines(&style, &[piece(BOLD, "one two three")]);
        assert_eq!(shown, ["> \x1b[1mone two\x1b[0m", "  \x1b[1mthree\x1b[0m"]);
    }

    #[test]
    fn a_path_loses_its_middle_and_then_its_end() {
        let path = ["main", "serve", "handle", "parse"];
        assert_eq!(style(80).path(&path, 40), "main ▸ serve ▸ handle ▸ parse");
        assert_eq!(style(80).path(&path, 25), "main ▸ … ▸ handle ▸ parse");
        assert_eq!(style(80).path(&path, 20), "main ▸ … ▸ parse");
        assert_eq!(style(80).path(&path, 12), "… ▸ parse");
        assert_eq!(style(80).path(&path, 7), "… ▸ pa…");
        let plain = Style {
            ascii: true,
            ..style(80)
        };
        assert_eq!(plain.path(&path, 21), "main > ... > parse");
        assert_eq!(ascii("▲ ±1 → 2 ▸ …"), "+ +-1 -> 2 > ...");
    }
}
