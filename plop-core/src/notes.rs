//! What a reader or writer had to put up with, told to the user instead of passed over.

use crate::Place;

/// A thing worth telling, how often it happened, and where first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// A stable word for programs: `bad-line`.
    pub code: &'static str,
    /// How often.
    pub count: u64,
    /// A sentence for people, without the count.
    pub text: String,
    /// Where it happened first.
    pub first: Option<Place>,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.count > 1 {
            write!(f, "{}: ", self.count)?;
        }
        f.write_str(&self.text)?;
        match &self.first {
            Some(place) if self.count > 1 => write!(f, " (first at {place})"),
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// Notes, one for each code, in the order in which they first came up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notes(Vec<Note>);

impl Notes {
    /// No notes.
    pub fn new() -> Self {
        Notes::default()
    }

    /// Tells that something happened once. `text` is asked for only the first time.
    pub fn add(&mut self, code: &'static str, place: Option<Place>, text: impl FnOnce() -> String) {
        self.add_many(code, 1, place, text);
    }

    /// Tells that something happened `count` times, first at `place`.
    pub fn add_many(
        &mut self,
        code: &'static str,
        count: u64,
        place: Option<Place>,
        text: impl FnOnce() -> String,
    ) {
        match self.0.iter_mut().find(|note| note.code == code) {
            Some(note) => note.count += count,
            None => self.0.push(Note {
                code,
                count,
                text: text(),
                first: place,
            }),
        }
    }

    /// Adds the notes of a later piece of the same input, which began `lines` lines into it.
    pub fn append(&mut self, later: Notes, lines: u64) {
        for note in later.0 {
            let place = match note.first {
                Some(Place::Line { line, column }) => Some(Place::Line {
                    line: line + lines,
                    column,
                }),
                place => place,
            };
            self.add_many(note.code, note.count, place, || note.text);
        }
    }

    /// How often the thing of this code happened.
    pub fn count(&self, code: &str) -> u64 {
        self.iter()
            .find(|note| note.code == code)
            .map_or(0, |note| note.count)
    }

    /// All notes.
    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_one_code_are_counted_and_keep_the_first_place() {
        let line = |line| Some(Place::Line { line, column: 0 });
        let mut notes = Notes::new();
        notes.add("bad-line", line(3), || "no count".into());
        let mut later = Notes::new();
        later.add("bad-line", line(1), || "never shown".into());
        later.add("other", line(2), || "shown".into());
        notes.append(later, 10);
        let texts: Vec<_> = notes.iter().map(Note::to_string).collect();
        assert_eq!(texts, ["2: no count (first at line 3)", "shown (line 12)"]);
        assert_eq!(notes.count("bad-line"), 2);
    }
}
