//! Which functions of a file were touched: those of either version on whose lines something is gone or new.

use std::collections::BTreeMap;

use super::hunks::{ChangedFile, Hunk, Lines};
use super::names::{Called, called, common};
use super::source::{Language, Span, owners, spans};

/// A file of the sources that changed.
pub(super) struct Source {
    pub(super) language: Language,
    /// Its path as it is now, or as it was where it is gone.
    pub(super) path: String,
    hunks: Vec<Hunk>,
    /// Before and after; none of a version that is not there or cannot be read.
    versions: [Option<Version>; 2],
}

/// One version of it.
struct Version {
    spans: Vec<Span>,
    /// The innermost function of each line.
    owners: Vec<Option<usize>>,
    /// Of each function, the first line of it that was touched.
    touched: Vec<Option<u32>>,
    /// The same outside of functions.
    outside: Option<u32>,
}

/// That a function was touched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Touch {
    /// The first line of it that is new, or before which lines are gone; where all of it is gone, the one where it
    /// began.
    pub(super) line: u32,
    /// What is new in it.
    pub(super) hunks: Vec<Hunk>,
    /// Its lines after, where it is there.
    pub(super) range: Option<Lines>,
}

impl Source {
    /// `texts` are those of before and after.
    pub(super) fn of(file: &ChangedFile, texts: [Option<String>; 2]) -> Option<Source> {
        let path = file.after.as_ref().or(file.before.as_ref())?;
        let language = Language::of(path)?;
        let mut sides = [0, 1].into_iter();
        let versions = texts.map(|text| {
            let side = sides.next().unwrap_or(0);
            let lines = file.hunks.iter().map(|hunk| match side {
                0 => hunk.before,
                _ => hunk.after,
            });
            text.map(|text| Version::of(language, &text, lines, file.is_whole))
        });
        Some(Source {
            language,
            path: path.clone(),
            hunks: file.hunks.clone(),
            versions,
        })
    }

    /// Whether a function of a profile of one side was touched. `line` is that of its definition, 0 where it is not
    /// known.
    pub(super) fn touch(&self, name: &str, line: i64, side: usize) -> Option<Touch> {
        let line = u32::try_from(line).unwrap_or(0);
        match called(self.language, name) {
            Called::Module => {
                let [before, after] = self.versions.each_ref().map(Option::as_ref);
                let outside = |version: Option<&Version>| version.and_then(|one| one.outside);
                let line = outside(after).or(outside(before))?;
                Some(Touch {
                    line,
                    hunks: Vec::new(),
                    range: None,
                })
            }
            Called::Named(parts) => self.named(&parts, line, side),
            Called::Anonymous => self.at(line, side),
        }
    }

    /// The functions that were touched, by their names.
    pub(super) fn touched_names(&self) -> impl Iterator<Item = &[String]> {
        let versions = self.versions.iter().flatten();
        versions.flat_map(|version| {
            let spans = version.spans.iter().zip(&version.touched);
            let touched =
                spans.filter(|(span, touched)| touched.is_some() && !span.parts.is_empty());
            touched.map(|(span, _)| &span.parts[..])
        })
    }

    fn named(&self, parts: &[String], line: u32, side: usize) -> Option<Touch> {
        let all = || self.versions.iter().flatten().flat_map(|one| &one.spans);
        let most = all().map(|span| common(&span.parts, parts)).max()?;
        if most == 0 {
            // A name that only a compiler or an interpreter gives: what begins on its line.
            let version = self.versions[side].as_ref()?;
            let begins = |span: &Span| (span.first..=span.line).contains(&line);
            version.spans.iter().find(|span| begins(span))?;
            return self.at(line, side);
        }
        // Of several with the same name, the one that begins on the line.
        let begins = |span: &&Span| {
            common(&span.parts, parts) == most && (span.first..=span.line).contains(&line)
        };
        let own = self.versions[side].iter().flat_map(|one| &one.spans);
        let exact = own.into_iter().find(begins).map(|span| &span.parts);
        let is_it = |span: &Span| match exact {
            Some(exact) => span.parts == *exact,
            None => common(&span.parts, parts) == most,
        };
        self.touch_of(is_it)
    }

    /// What is on a line: a function that begins there, or the one around one that is written where it is used.
    fn at(&self, line: u32, side: usize) -> Option<Touch> {
        let version = self.versions[side].as_ref()?;
        let owner = version.owners.get((line as usize).checked_sub(1)?)?;
        let Some(owner) = owner else {
            let lines = |hunk: &&Hunk| match side {
                0 => hunk.before,
                _ => hunk.after,
            };
            let hunks: Vec<Hunk> = (self.hunks.iter())
                .filter(|hunk| lines(hunk).has(line))
                .copied()
                .collect();
            return (!hunks.is_empty()).then_some(Touch {
                line,
                hunks,
                range: None,
            });
        };
        let span = &version.spans[*owner];
        if !span.parts.is_empty() {
            return self.touch_of(|other| other.parts == span.parts);
        }
        let line = version.touched[*owner]?;
        let hunks = match side {
            0 => Vec::new(),
            _ => self.hunks_in(span),
        };
        let range = (side == 1).then(|| span.lines());
        Some(Touch { line, hunks, range })
    }

    fn touch_of(&self, is_it: impl Fn(&Span) -> bool) -> Option<Touch> {
        let touched = |version: &Option<Version>| -> Option<(u32, Span)> {
            let version = version.as_ref()?;
            let touched = version.spans.iter().zip(&version.touched);
            let mut touched = touched.filter(|(span, _)| is_it(span));
            touched.find_map(|(span, line)| Some(((*line)?, span.clone())))
        };
        let there = || -> Option<&Span> {
            let after = self.versions[1].as_ref()?;
            after.spans.iter().find(|span| is_it(span))
        };
        if let Some((line, span)) = touched(&self.versions[1]) {
            let hunks = self.hunks_in(&span);
            let range = Some(span.lines());
            return Some(Touch { line, hunks, range });
        }
        let (_, span) = touched(&self.versions[0])?;
        let there = there();
        Some(Touch {
            line: there.unwrap_or(&span).line,
            hunks: Vec::new(),
            range: there.map(Span::lines),
        })
    }

    /// The hunks whose new lines are in a function of the version after.
    fn hunks_in(&self, span: &Span) -> Vec<Hunk> {
        let is_in = |hunk: &&Hunk| {
            let Lines { first, count } = hunk.after;
            count > 0 && first <= span.last && first + (count - 1) >= span.first
        };
        let clipped = |hunk: &Hunk| {
            let first = hunk.after.first.max(span.first);
            let last = (hunk.after.first + hunk.after.count - 1).min(span.last);
            let after = Lines {
                first,
                count: last - first + 1,
            };
            Hunk { after, ..*hunk }
        };
        self.hunks.iter().filter(is_in).map(clipped).collect()
    }
}

impl Span {
    fn lines(&self) -> Lines {
        Lines {
            first: self.first,
            count: self.last - self.first + 1,
        }
    }
}

impl Lines {
    fn has(&self, line: u32) -> bool {
        self.count > 0 && (self.first..self.first + self.count).contains(&line)
    }
}

impl Version {
    fn of(
        language: Language,
        text: &str,
        changed: impl Iterator<Item = Lines>,
        is_whole: bool,
    ) -> Version {
        let spans = spans(language, text);
        let lines = text.split('\n').count();
        let of_lines = owners(&spans, lines);
        let mut version = Version {
            touched: vec![None; spans.len()],
            outside: None,
            spans,
            owners: of_lines,
        };
        if is_whole {
            version.outside = Some(1);
            version.touched = version.spans.iter().map(|span| Some(span.line)).collect();
        }
        // Functions that are on one line; of what is longer, whose each line is.
        let (mut brief, mut long) = (BTreeMap::<u32, Vec<usize>>::new(), Vec::new());
        for (n, span) in version.spans.iter().enumerate() {
            match span.first == span.last {
                true => brief.entry(span.first).or_default().push(n),
                false => long.push(n),
            }
        }
        let longer: Vec<Span> = long.iter().map(|n| version.spans[*n].clone()).collect();
        let longer_owners = owners(&longer, lines);
        for Lines { first, count } in changed {
            for line in first..first + count {
                let here = brief.get(&line).map_or(&[][..], Vec::as_slice);
                for n in here {
                    version.touched[*n].get_or_insert(line);
                }
                // Lines behind the end are of a file that was written since.
                let owner = longer_owners.get((line as usize).saturating_sub(1));
                let owner = owner.copied().flatten().map(|n| long[n]);
                // What is around functions with names is another one, but for the line where it begins.
                let begins = owner.is_some_and(|n| version.spans[n].line >= line);
                let is_named = |n: &usize| !version.spans[*n].parts.is_empty();
                if here.iter().any(is_named) && !begins {
                    continue;
                }
                match owner {
                    Some(owner) => version.touched[owner].get_or_insert(line),
                    None => version.outside.get_or_insert(line),
                };
            }
        }
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(first: u32, count: u32) -> Lines {
        Lines { first, count }
    }

    /// A file whose version after has the given lines in the place of those of before.
    fn source(path: &str, texts: [&str; 2], hunks: &[(Lines, Lines)]) -> Source {
        let hunk = |(before, after): &(Lines, Lines)| Hunk {
            before: *before,
            after: *after,
        };
        let file = ChangedFile {
            before: Some(path.into()),
            after: Some(path.into()),
            hunks: hunks.iter().map(hunk).collect(),
            is_whole: false,
        };
        Source::of(&file, texts.map(|text| Some(text.to_owned()))).expect("it is a source")
    }

    const BEFORE: &str = "import os\n\ndef one():\n    a\n    b\n\nclass A:\n    def f(self):\n        x\n\nclass B:\n    def f(self):\n        y\n";

    #[test]
    fn lines_that_are_gone_touch_as_well_as_new_ones() {
        let after = BEFORE
            .replace("    b\n", "")
            .replace("        y\n", "        y\n        z\n");
        let hunks = [(lines(5, 1), lines(4, 0)), (lines(13, 0), lines(13, 1))];
        let source = source("x.py", [BEFORE, &after], &hunks);
        let line = |name: &str, line, side| source.touch(name, line, side).map(|touch| touch.line);
        // Nothing of it is new: the line of its definition.
        assert_eq!(line("one", 3, 0), Some(3));
        assert_eq!(line("one", 0, 1), Some(3));
        assert_eq!(line("A.f", 0, 1), None);
        assert_eq!(line("B.f", 0, 1), Some(13));
        assert_eq!(line("B.f", 12, 0), Some(13));
        assert_eq!(line("<module>", 1, 1), None);
        assert_eq!(line("two", 0, 1), None);
        // Of two with one name, the line tells which.
        assert_eq!(line("f", 7, 1), None);
        assert_eq!(line("f", 11, 1), Some(13));
        assert_eq!(line("f", 0, 1), Some(13));
        // One that is written where it is used is of the function around it.
        assert_eq!(line("B.f.<locals>.<lambda>", 12, 1), Some(13));
        assert_eq!(line("<lambda>", 12, 1), Some(13));
        assert_eq!(line("<lambda>", 8, 1), None);
        let hunks = source.touch("B.f", 0, 1).expect("it is touched").hunks;
        assert_eq!(hunks[0].after, lines(13, 1));
        let names: Vec<&[String]> = source.touched_names().collect();
        assert_eq!(names, [&["one".to_owned()][..], &["B".into(), "f".into()]]);
    }

    #[test]
    fn what_is_outside_of_functions_is_the_modules() {
        let after = BEFORE.replace("import os", "import sys");
        let source = source("x.py", [BEFORE, &after], &[(lines(1, 1), lines(1, 1))]);
        assert_eq!(
            source.touch("<module>", 1, 1).map(|touch| touch.line),
            Some(1)
        );
        assert_eq!(source.touch("one", 3, 1), None);
        assert_eq!(
            source.touch("<lambda>", 1, 1).map(|touch| touch.line),
            Some(1)
        );
        assert_eq!(source.touch("<lambda>", 2, 1), None);
    }

    #[test]
    fn functions_without_a_name_are_known_by_their_lines() {
        let before = "run(function () {\n  a();\n});\nrun(() => {\n  b();\n});\n";
        let after = before.replace("b()", "c()");
        let source = source("x.js", [before, &after], &[(lines(5, 1), lines(5, 1))]);
        assert_eq!(source.touch("(anonymous)", 1, 1), None);
        assert_eq!(
            source.touch("(anonymous)", 4, 1).map(|touch| touch.line),
            Some(5)
        );
        assert_eq!(source.touch("(anonymous)", 0, 1), None);
        // An interpreter may have a name for it that is nowhere in the file.
        assert_eq!(
            source.touch("run.task", 4, 1).map(|touch| touch.line),
            Some(5)
        );
        assert_eq!(source.touch("run.task", 5, 1), None);
    }

    #[test]
    fn functions_on_one_line_are_touched_together_with_it() {
        let before =
            "function outer(xs) {\n  const sq = (a) => a * 2;\n  return xs.map((x) => x.a);\n}\n";
        let of = |line: u32| {
            let after = before.replace('*', "+").replace("x.a", "x.b");
            source(
                "x.js",
                [before, &after],
                &[(lines(line, 1), lines(line, 1))],
            )
        };
        let touched = |source: &Source, name: &str, line| source.touch(name, line, 1).is_some();
        let named = of(2);
        assert!(touched(&named, "sq", 2));
        assert!(!touched(&named, "outer", 1));
        // One without a name may have been made part of what is around it.
        let nameless = of(3);
        assert!(touched(&nameless, "outer", 1) && touched(&nameless, "(anonymous)", 3));
        assert!(!touched(&nameless, "sq", 2));
        assert!(touched(&of(1), "outer", 1));
    }

    #[test]
    fn all_functions_of_a_file_that_is_no_text_are_touched() {
        let file = ChangedFile {
            before: Some("x.py".into()),
            after: Some("x.py".into()),
            hunks: Vec::new(),
            is_whole: true,
        };
        let source = Source::of(&file, [None, Some(BEFORE.into())]).expect("it is a source");
        assert_eq!(source.touch("one", 0, 1).map(|touch| touch.line), Some(3));
        assert_eq!(source.touch("A.f", 0, 1).map(|touch| touch.line), Some(8));
    }
}
