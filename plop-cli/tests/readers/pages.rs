//! Pages in Chromium: speedscope's own with a file in it, and flame graphs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::expected::{Expected, amount, same};
use crate::support::{tempdir, variable};
use crate::{Arg, converted, list, node, root, text};

#[test]
fn speedscope_shows_the_functions() {
    let (Some(browser), Some(speedscope)) = (Browser::find(), variable("PLOP_SPEEDSCOPE")) else {
        return;
    };
    let folder = tempdir();
    for file in [
        "testdata/plop/work-py311.plop",
        "docs/examples/everything.plop",
    ] {
        let expected = Expected::of(&root().join(file));
        let written = converted(&expected.file, folder.path(), "speedscope.json");
        let page = browser.open("speedscope", &[&speedscope, &written]);
        let first = page["shown"].as_u64().unwrap() as usize - 1;
        let profiles = list(&page, "profiles");
        assert!(first < profiles.len(), "{page}");
        // What is shown in each function over all threads; a frame at another line is a row of its
        // own, and no profile here has more rows than the window.
        for (n, (kind, _)) in expected.values.iter().enumerate() {
            for (function, (own, _)) in expected.functions(n) {
                let of_value = |profile: &&Value| {
                    expected.values.len() == 1 || text(profile, "heading").contains(kind)
                };
                let rows = (profiles.iter().filter(of_value)).flat_map(|profile| {
                    let sign = match text(profile, "heading").contains(", loss") {
                        true => -1.0,
                        false => 1.0,
                    };
                    list(profile, "rows").iter().map(move |row| (sign, row))
                });
                let shown: f64 = (rows.filter(|(_, row)| row[2] == function.as_str()))
                    .map(|(sign, row)| sign * shown(row[1].as_str().unwrap()))
                    .sum();
                assert!(
                    same(own, shown),
                    "{file}: {function}: {own}, {shown} {kind}: {page}"
                );
            }
        }
    }
}

#[test]
fn a_flame_graph_can_be_searched_and_zoomed() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let folder = tempdir();
    let expected = Expected::of(&root().join("testdata/plop/work-py311.plop"));
    let file = converted(&expected.file, folder.path(), "svg");
    let page = browser.open("svg", &[&file, &"^sum_squares "]);
    let total = expected.totals[0];
    let (_, found) = expected.functions(0)["sum_squares"];
    let matched = format!("Matched: {:.1}%", 100.0 * found / total);
    assert_eq!(text(&page, "heading"), "Flame graph");
    assert_eq!(
        (text(&page, "matched"), text(&page, "again")),
        (&*matched, &*matched)
    );
    assert_eq!(text(&page, "afterReset"), "");
    assert_eq!(list(&page, "dialogs").len(), 2, "{page}");
    // What is pointed at is told, and what is clicked is as wide as the picture.
    let details = format!("Function: {}", text(&page, "title"));
    assert_eq!(text(&page, "details"), details);
    assert_eq!(text(&page, "zoomed"), "100.0000%");
    let labels = list(&page, "labels");
    for name in ["mixed (/srv/app/work.py) ", "all "] {
        assert!(labels.iter().any(|label| label == name), "{name}: {page}");
    }
}

#[test]
fn a_comparison_is_drawn_with_a_legend() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let folder = tempdir();
    let input = root().join("testdata/folded-diff/work.diff.folded");
    let file = converted(&input, folder.path(), "svg");
    let page = browser.open("svg", &[&file, &"sort_words"]);
    assert_eq!(text(&page, "heading"), "Differential flame graph");
    assert!(text(&page, "matched").starts_with("Matched: "), "{page}");
}

/// A name is text, whatever it looks like.
#[test]
fn nothing_in_a_name_is_run() {
    let (Some(browser), Some(speedscope)) = (Browser::find(), variable("PLOP_SPEEDSCOPE")) else {
        return;
    };
    let folder = tempdir();
    let input = folder.path().join("hostile.folded");
    let lines = [
        "<script>alert(1)</script>;\"><img src=x onerror=alert(2)> 3",
        "]]><script>alert(3)</script>;<!--;--> 4",
        "&lt <b>&amp 'quoted' \"twice\" 5",
    ];
    std::fs::write(&input, lines.join("\n")).unwrap();
    let svg = converted(&input, folder.path(), "svg");
    let page = browser.open("svg", &[&svg, &"alert"]);
    // The two dialogs are those that ask for a term.
    assert_eq!(list(&page, "dialogs").len(), 2, "{page}");
    assert_eq!(text(&page, "matched"), "Matched: 58.3%");
    let shown = |name: &str| list(&page, "labels").iter().any(|label| label == name);
    assert!(shown("&lt <b>&amp 'quoted' \"twice\" "), "{page}");
    assert!(shown("<script>alert(1)</script> "), "{page}");
    let written = converted(&input, folder.path(), "speedscope.json");
    let page = browser.open("speedscope", &[&speedscope, &written]);
    assert_eq!(list(&page, "dialogs").len(), 0, "{page}");
    let rows = list(&list(&page, "profiles")[0], "rows");
    assert!(
        rows.iter().any(|row| row[2] == "<script>alert(1)</script>"),
        "{page}"
    );
}

/// A cell of speedscope's table, `90.00ms (17%)`, as a number.
fn shown(cell: &str) -> f64 {
    let number = cell.split(' ').next().unwrap().replace(',', "");
    let unit = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    amount(number.strip_suffix(unit).unwrap(), unit)
}

/// Chromium and what drives it.
struct Browser {
    playwright: std::ffi::OsString,
    chromium: std::ffi::OsString,
}

impl Browser {
    fn find() -> Option<Browser> {
        Some(Browser {
            playwright: variable("PLOP_PLAYWRIGHT")?,
            chromium: variable("PLOP_CHROMIUM")?,
        })
    }

    /// Opens a page; what it shows. It must have nothing to complain about, and ask nobody else for
    /// anything.
    fn open(&self, what: &str, args: &[Arg]) -> Value {
        let folder = tempdir();
        let pictures = std::env::var_os("PLOP_PICTURES").map(PathBuf::from);
        let pictures = pictures.as_deref().unwrap_or(folder.path());
        let file: &Path = args
            .iter()
            .map(|arg| arg.as_ref().as_ref())
            .find(is_file)
            .unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let picture = pictures.join(format!("{name}.png"));
        let mut all: Vec<Arg> = vec![&self.playwright, &self.chromium, &what];
        all.extend(args);
        all.push(&picture);
        let page = serde_json::from_str(&node("page.js", &all)).unwrap();
        assert_eq!(list(&page, "errors"), [] as [Value; 0], "{page}");
        assert_eq!(list(&page, "elsewhere"), [] as [Value; 0], "{page}");
        let drawn = std::fs::read(&picture).unwrap();
        assert!(drawn.starts_with(b"\x89PNG") && drawn.len() > 4000);
        page
    }
}

fn is_file(path: &&Path) -> bool {
    path.is_file()
}
