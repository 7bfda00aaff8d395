//! Functions that go by another name after: they are one, and what grew is found all the same.

use plop_core::{Frame, Profile, Sample, Slice, SliceId, StackId, ValueType};
use plop_diff::{Comparison, Done, Options, Reason, Renames, Side, Verdict, compare};

/// A small service: paths with their weights. Functions are in `service.py` unless a file is said (`parse@csv.py`).
const SERVICE: &[(&str, i64)] = &[
    ("main;loop;list_rows;query_table", 20),
    ("main;loop;list_rows;query_table;fetch_row", 14),
    ("main;loop;list_rows;render_page;escape_text", 11),
    ("main;loop;list_rows;render_page", 7),
    ("main;loop;calc_price;parse_row", 12),
    ("main;loop;calc_price;parse_row;next_token", 5),
    ("main;loop;calc_price;evaluate_tree", 9),
    ("main;loop;calc_price;render_page;escape_text", 4),
    ("main;loop;static_file;read_block", 10),
    ("main;loop;static_file;compress_block", 8),
];

/// A run with that many samples a unit of weight in each of 40 slices; a few more or less, in turns.
fn run(weights: &[(String, i64)]) -> Profile {
    let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
    let stacks: Vec<StackId> = (weights.iter())
        .map(|(path, _)| {
            path.split(';').fold(StackId::ROOT, |caller, name| {
                let (name, file) = name.split_once('@').unwrap_or((name, "service.py"));
                let function = profile.function(name.as_bytes(), file.as_bytes());
                let frame = profile.frames.intern(Frame::of(function));
                profile.stacks.push(caller, frame)
            })
        })
        .collect();
    for slice in 0..40 {
        profile.slices.0.push(Slice::default());
        for (n, (stack, (_, weight))) in stacks.iter().zip(weights).enumerate() {
            let count = 10 * weight + [0, 2, -1, -2, 1][(slice + n) % 5];
            profile.samples.push(Sample {
                slice: Some(SliceId::new(slice)),
                ..Sample::of(*stack, &[count])
            });
        }
    }
    profile
}

/// The service whose paths are written anew by `rewrite`, with the weight of each.
fn service(rewrite: impl Fn(&str, i64) -> (String, i64)) -> Profile {
    let weights: Vec<_> = (SERVICE.iter())
        .map(|(path, weight)| rewrite(path, *weight))
        .collect();
    run(&weights)
}

fn plain() -> Profile {
    service(|path, weight| (path.into(), weight))
}

fn compared(after: &Profile, renames: Renames) -> Comparison {
    let options = Options {
        renames,
        ..Options::default()
    };
    compare(&[&plain()], &[after], &options).expect("they compare")
}

/// What is renamed, as `before → after`, in the order of their names.
fn renamed(comparison: &Comparison) -> Vec<String> {
    let mut names: Vec<String> = (comparison.tree.renamed.iter())
        .map(|one| {
            assert!((0.0..=1.0).contains(&one.score), "{}", one.score);
            let [before, after] = &comparison.tree.functions[one.function as usize].raw;
            format!("{before} → {after}")
        })
        .collect();
    names.sort();
    names
}

/// What grew, by the names of after.
fn grown(comparison: &Comparison) -> Vec<&str> {
    (comparison.findings.iter())
        .filter(|finding| finding.grew())
        .map(|finding| comparison.tree.functions[finding.function as usize].shown())
        .collect()
}

fn churned(path: &str) -> String {
    path.replace("parse_row", "parse_line")
        .replace("escape_text", "quote@html.py")
        .replace("query_table", "query_table@db/query.py")
}

#[test]
fn renamed_and_moved_functions_are_one_and_nothing_changed() {
    let after = service(|path, weight| (churned(path), weight));
    let comparison = compared(&after, Renames::default());
    assert_eq!(comparison.verdict, Verdict::Ok);
    assert!(comparison.findings.is_empty(), "{:?}", comparison.findings);
    assert_eq!(
        renamed(&comparison),
        [
            "escape_text → quote",
            "parse_row → parse_line",
            "query_table → query_table"
        ]
    );
    let names = comparison
        .tree
        .functions
        .iter()
        .map(|one| one.name.as_str());
    assert!(!names.into_iter().any(|name| name == "parse_row"));
    // Both sides have all samples that they had.
    let sides = [Side::Before, Side::After];
    let sums = sides.map(|side| comparison.selfs(side).iter().sum::<f64>());
    assert_eq!(sums, comparison.sides.each_ref().map(|side| side.samples));
}

#[test]
fn what_a_renamed_function_costs_more_is_found_under_its_new_name() {
    let after = service(|path, weight| {
        let dearer = path.ends_with("parse_row");
        (churned(path), weight + if dearer { 4 } else { 0 })
    });
    let comparison = compared(&after, Renames::default());
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(grown(&comparison), ["parse_line"]);
    let finding = &comparison.findings[0];
    assert_ne!(finding.reason, Reason::NewPath);
    // 4 of 100 more.
    assert!((finding.points - 0.04).abs() < 0.004, "{}", finding.points);
}

#[test]
fn a_wrapper_is_looked_through_and_its_own_cost_is_its_own() {
    let wrapped = |own: i64| {
        let mut weights: Vec<_> = (SERVICE.iter())
            .map(|(path, weight)| {
                (
                    path.replace("render_page", "with_cache;render_page"),
                    *weight,
                )
            })
            .collect();
        if own > 0 {
            weights.push(("main;loop;list_rows;with_cache".into(), own));
        }
        run(&weights)
    };
    let comparison = compared(&wrapped(0), Renames::default());
    assert_eq!(comparison.verdict, Verdict::Ok);
    assert!(comparison.findings.is_empty(), "{:?}", comparison.findings);
    let [between] = comparison.tree.between[..] else {
        panic!("{:?}", comparison.tree.between);
    };
    assert_eq!(between.done, Done::Inserted);
    let function = &comparison.tree.functions[between.function as usize];
    assert_eq!(function.shown(), "with_cache");

    let comparison = compared(&wrapped(5), Renames::default());
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(grown(&comparison), ["with_cache"]);

    // The other way round it is gone.
    let options = Options::default();
    let back = compare(&[&wrapped(0)], &[&plain()], &options).expect("they compare");
    assert_eq!(back.verdict, Verdict::Ok);
    assert_eq!(back.tree.between[0].done, Done::Removed);
}

#[test]
fn a_new_way_beside_the_old_is_no_wrapper() {
    let mut weights: Vec<_> = (SERVICE.iter())
        .map(|(path, weight)| ((*path).to_owned(), *weight))
        .collect();
    weights.push(("main;loop;list_rows;again;render_page".into(), 8));
    let comparison = compared(&run(&weights), Renames::default());
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert!(comparison.tree.between.is_empty());
}

#[test]
fn what_is_inlined_is_compared_with_its_callers() {
    let inlined = |more: i64| {
        service(|path, weight| {
            let dearer = path.ends_with("parse_row");
            (
                path.replace(";next_token", ""),
                weight + if dearer { more } else { 0 },
            )
        })
    };
    let comparison = compared(&inlined(0), Renames::default());
    assert_eq!(comparison.verdict, Verdict::Ok);
    assert!(comparison.findings.is_empty(), "{:?}", comparison.findings);
    assert_eq!(comparison.tree.between[0].done, Done::Inlined);
    // What the two cost more together is found.
    let comparison = compared(&inlined(6), Renames::default());
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(grown(&comparison), ["parse_row"]);
}

#[test]
fn what_is_said_of_names_counts() {
    let after = service(|path, weight| (path.replace("parse_row", "xyz"), weight));
    let apart = Renames {
        apart: vec!["service.py:xyz".into()],
        ..Renames::default()
    };
    let comparison = compared(&after, apart);
    assert!(comparison.tree.renamed.is_empty());
    assert!(grown(&comparison).contains(&"xyz"));
    // Two functions then, of which one does the other's work.
    assert!(comparison.shift.is_some());
    assert_eq!(comparison.verdict, Verdict::Ok);

    // Nothing but what was said makes these two one.
    let after = service(|path, weight| {
        let moved = path.replace("compress_block", "deflate@zip.py");
        (
            moved,
            if path.ends_with("compress_block") {
                60
            } else {
                weight
            },
        )
    });
    let same = |before: &str, after: &str| Renames {
        same: vec![(before.into(), after.into())],
        ..Renames::default()
    };
    let comparison = compared(&after, same("compress_block", "zip.deflate"));
    assert_eq!(renamed(&comparison), ["compress_block → deflate"]);
    assert_eq!(comparison.tree.renamed[0].score, 1.0);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(grown(&comparison), ["deflate"]);

    let comparison = compared(&plain(), same("compres_block", "deflate"));
    let said = comparison
        .warnings
        .iter()
        .find(|one| one.code == "rename-unknown");
    assert!(said.is_some_and(|said| {
        said.text
            .contains("before has no function \"compres_block\"")
    }));
}

#[test]
fn a_name_that_both_sides_have_can_be_said_to_be_another() {
    // parse_row became parse_all, and another parse_row was written.
    let mut weights: Vec<_> = (SERVICE.iter())
        .map(|(path, weight)| (path.replace("parse_row", "parse_all"), *weight))
        .collect();
    weights.push(("main;loop;static_file;parse_row".into(), 3));
    let renames = Renames {
        same: vec![("parse_row".into(), "parse_all".into())],
        ..Renames::default()
    };
    let comparison = compared(&run(&weights), renames);
    assert_eq!(renamed(&comparison), ["parse_row → parse_all"]);
    assert_eq!(comparison.verdict, Verdict::Regressed);
    assert_eq!(grown(&comparison), ["parse_row"]);
    assert_eq!(comparison.findings[0].samples[0], 0.0);
}

#[test]
fn what_is_said_of_names_must_agree() {
    let said = |renames: Renames, after: &Profile| -> Vec<String> {
        let comparison = compared(after, renames);
        assert_eq!(comparison.findings, [], "nothing is made of it");
        (comparison.warnings.into_iter())
            .filter(|one| one.code == "rename-unknown")
            .map(|one| one.text)
            .collect()
    };
    let pair = |before: &str, after: &str| (before.to_owned(), after.to_owned());
    // Both sides have both.
    let one = Renames {
        same: vec![pair("parse_row", "next_token")],
        ..Renames::default()
    };
    assert!(said(one, &plain())[0].contains("both sides have both"));
    // One function is two others.
    let after = service(|path, weight| (path.replace("parse_row", "parse_all"), weight));
    let two = Renames {
        same: vec![
            pair("parse_row", "parse_all"),
            pair("parse_row", "escape_text"),
        ],
        ..Renames::default()
    };
    assert!(said(two, &after)[0].contains("two functions"));
    // It is the same as no other, and the same as one.
    let both = Renames {
        same: vec![pair("parse_row", "parse_all")],
        apart: vec!["parse_all".into()],
    };
    let comparison = compared(&after, both);
    assert!(comparison.tree.renamed.is_empty());
    let texts = comparison.warnings.iter().map(|one| &one.text);
    assert_eq!(
        texts.filter(|text| text.contains("apart as well")).count(),
        1
    );
}
