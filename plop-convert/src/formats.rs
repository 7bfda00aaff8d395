//! The list of formats. Everything that deals with formats walks this list: detection, the command
//! line, `plop formats`, the table in the README, and the tests.

use crate::format::Format;

macro_rules! formats {
    ($($module:ident)*) => {
        $(mod $module;)*

        /// All formats, in the order in which they are listed to people.
        pub fn formats() -> &'static [&'static Format] {
            &[$(&$module::FORMAT),*]
        }
    };
}

formats! {
    plop
    folded
    pprof
    speedscope
    svg
    folded_diff
    folded_columns
    plop_flame
    pprof_legacy
    austin
}

mod collapsed;
mod header;
mod json;
mod python;
mod slices;
mod weight;

/// The format of a name or an alias.
pub fn find(name: &str) -> Option<&'static Format> {
    formats()
        .iter()
        .copied()
        .find(|format| format.is_called(name))
}

/// The format to write a file of this name in, by its ending: the longest ending, and of equal ones
/// the format that is listed first.
pub fn for_file(name: &str) -> Option<&'static Format> {
    (formats().iter().copied().rev())
        .filter(|format| format.write.is_some())
        .filter_map(|format| Some((format.extension_of(name)?.len(), format)))
        .max_by_key(|(length, _)| *length)
        .map(|(_, format)| format)
}

/// The table of formats in the README, in Markdown.
pub fn markdown_table() -> String {
    let mut table = String::from(
        "| Format | Reads | Writes | What it is | File names |\n|---|---|---|---|---|\n",
    );
    for format in formats() {
        let yes = |does: bool| if does { "yes" } else { "" };
        let mut name = format!("`{}`", format.name);
        for alias in format.aliases {
            name += &format!(", `{alias}`");
        }
        let endings: Vec<_> = format
            .extensions
            .iter()
            .map(|end| format!("`.{end}`"))
            .collect();
        table += &format!(
            "| {name} | {} | {} | {} | {} |\n",
            yes(format.is_read()),
            yes(format.write.is_some()),
            format.about,
            endings.join(" ")
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_means_one_format() {
        let mut names: Vec<_> = formats()
            .iter()
            .flat_map(|format| format.aliases.iter().chain([&format.name]))
            .collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_file_name_chooses_the_format_by_its_ending() {
        let name = |file| for_file(file).map(|format| format.name);
        assert_eq!(name("a.plop"), Some("plop"));
        assert_eq!(name("a.plop.gz"), Some("plop"));
        assert_eq!(name("a.flame"), Some("folded"));
        assert_eq!(name("a.diff.folded"), Some("folded-diff"));
        assert_eq!(name("plop"), None);
        assert_eq!(name("a.xyz"), None);
    }
}
