//! The reports that `plop diff` writes beside the one at the terminal: their names, and the endings of files that
//! ask for them.

use plop_diff::Comparison;

use super::places::Places;
use super::{annotations, code_quality, json, junit, markdown, sarif};

/// A report.
pub(super) struct Report {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// How the names of its files end, in small letters.
    pub(super) endings: &'static [&'static str],
    pub(super) draw: fn(&Comparison, &Places) -> String,
}

pub(super) const REPORTS: [Report; 6] = [
    Report {
        name: "markdown",
        about: "a comment on a pull request, or the summary of a job",
        endings: &[".md"],
        draw: markdown::document,
    },
    Report {
        name: "json",
        about: "what --json prints",
        endings: &[".json"],
        draw: |comparison, _| format!("{}\n", json::document(comparison)),
    },
    Report {
        name: "sarif",
        about: "SARIF 2.1.0, for GitHub's code scanning and editors",
        endings: &[".sarif", ".sarif.json"],
        draw: sarif::document,
    },
    Report {
        name: "junit",
        about: "JUnit's XML: a test for the verdict and for each cause",
        endings: &[".xml"],
        draw: junit::document,
    },
    Report {
        name: "code-quality",
        about: "GitLab's code quality report",
        endings: &[".codequality.json", "code-quality-report.json"],
        draw: code_quality::document,
    },
    Report {
        name: "annotations",
        about: "commands of a GitHub workflow, for what a job prints",
        endings: &[],
        draw: annotations::document,
    },
];

pub(super) fn find(name: &str) -> Option<&'static Report> {
    REPORTS.iter().find(|report| report.name == name)
}

/// The report that a file's name asks for, and how long the ending is that does.
pub(super) fn for_file(name: &str) -> Option<(&'static Report, usize)> {
    let name = name.to_ascii_lowercase();
    (REPORTS.iter())
        .flat_map(|report| report.endings.iter().map(move |ending| (report, *ending)))
        .filter(|(_, ending)| name.ends_with(ending))
        .map(|(report, ending)| (report, ending.len()))
        .max_by_key(|(_, length)| *length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ending_decides() {
        for (file, name) in [
            ("a.md", "markdown"),
            ("A.MD", "markdown"),
            ("a.json", "json"),
            ("a.sarif", "sarif"),
            ("a.sarif.json", "sarif"),
            ("a.junit.xml", "junit"),
            ("a.codequality.json", "code-quality"),
            ("gl-code-quality-report.json", "code-quality"),
        ] {
            let found = for_file(file).map(|(report, _)| report.name);
            assert_eq!(found, Some(name), "{file}");
        }
        for file in ["a.svg", "a", "md", "a.md.gz"] {
            assert!(for_file(file).is_none(), "{file}");
        }
    }
}
