//! Names for people: of one line, with nothing in them that is not seen, and no longer than one reads.

/// The most letters of a name that are shown.
const NAME: usize = 160;
/// The most letters of a sentence with names in it.
const SENTENCE: usize = 800;

/// A name as it can be shown: what breaks lines, turns the direction of writing, or is not seen at all stands
/// there as a code, `\u{202e}`, and of a long name the middle is left out.
pub(in crate::commands) fn shown(name: &str) -> String {
    cut(name, NAME)
}

/// The same for a sentence.
pub(super) fn sentence(text: &str) -> String {
    cut(&plain(text), SENTENCE)
}

fn cut(text: &str, longest: usize) -> String {
    if text.char_indices().nth(longest).is_none() {
        return visible(text);
    }
    let half = longest / 2;
    let start = text.char_indices().nth(half).map_or(0, |(at, _)| at);
    let mut back = text.char_indices().rev();
    let end = back.nth(half - 2).map_or(0, |(at, _)| at);
    format!("{}…{}", visible(&text[..start]), visible(&text[end..]))
}

/// A text with a code for all in it that is not seen.
pub(in crate::commands) fn visible(text: &str) -> String {
    text.chars().map(letter).collect()
}

/// A text that somebody wrote in several lines, as one, and with a code for all in it that is not seen.
pub(crate) fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// An error with a code for all in it that is not seen: names of commits and services come out of the files.
pub(in crate::commands) fn seen(error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    match visible(&text) {
        seen if seen == text => error,
        seen => anyhow::anyhow!(seen),
    }
}

fn letter(letter: char) -> String {
    let is_hidden = letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
                | '\u{e0000}'..='\u{e0fff}'
        );
    match letter {
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        hidden if is_hidden => hidden.escape_unicode().to_string(),
        other => other.into(),
    }
}

/// Words of the terminal's report without the spaces at which it breaks no line.
pub(super) fn plain(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_shown_as_a_code() {
        assert_eq!(shown("Grid.step<T>"), "Grid.step<T>");
        assert_eq!(shown("a\nb\r\t\0"), "a\\nb\\r\\t\\u{0}");
        assert_eq!(shown("\u{202e}evil\u{2066}"), "\\u{202e}evil\\u{2066}");
        assert_eq!(shown("größe_計算"), "größe_計算");
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(
            one_line(" a\r\n\n@b\u{2028}\tc\u{1b}[31m\n"),
            "a @b c\\u{1b}[31m"
        );
    }

    #[test]
    fn long_names_lose_their_middle() {
        let exact = "n".repeat(NAME);
        assert_eq!(shown(&exact), exact);
        let name = format!("begin{}end", "é".repeat(100_000));
        let short = shown(&name);
        assert_eq!(short.chars().count(), NAME);
        assert!(short.starts_with("beginé") && short.ends_with("éend") && short.contains("é…é"));
    }
}
