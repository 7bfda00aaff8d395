//! `plop diff --changed-since`: what changed in a real repository of git, and what that does to findings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plop_core::{
    Attribute, Frame, Function, Notes, Profile, Sample, Slice, SliceId, StackId, ValueType,
};
use serde_json::Value;

use crate::Place;
use crate::support::{Ended, ended, executable, finish, in_ci, skipped};

/// A repository, and profiles beside it.
struct Repository {
    place: Place,
}

/// A function of a profile: name, file, line of the definition, and samples of a thousand.
type Row<'r> = (&'r str, &'r str, i64, f64);

impl Repository {
    /// None where there is no git, which is said.
    fn new(test: &str) -> Option<Repository> {
        if Command::new("git").arg("--version").output().is_err() {
            assert!(!in_ci(), "CI is set, but there is no git");
            skipped(&format!("{test}, since there is no git"));
            return None;
        }
        let repository = Repository {
            place: Place::new(),
        };
        fs::create_dir(repository.root()).unwrap();
        repository.git(&["init", "-q", "-b", "main"]);
        Some(repository)
    }

    fn root(&self) -> PathBuf {
        self.place.0.path().join("repo")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.root())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ann")
                .env(format!("GIT_{who}_EMAIL"), "ann@example.org");
        }
        command
    }

    fn git(&self, words: &[&str]) -> String {
        finish(self.command("git").args(words)).trim().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn commit(&self, subject: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes a profile beside the repository; the rest of a thousand samples is of functions of a library.
    fn profile(&self, name: &str, rows: &[Row], commit: &str) {
        let mut profile = Profile::new(vec![ValueType::new("cpu", "samples")]);
        let rest = 1_000.0 - rows.iter().map(|row| row.3).sum::<f64>();
        let library: Vec<String> = (0..8).map(|n| format!("library_{n}")).collect();
        let rows: Vec<Row> = (rows.iter().copied())
            .chain(library.iter().map(|name| {
                (
                    name.as_str(),
                    "/usr/lib/python3.12/json/x.py",
                    9,
                    rest / 8.0,
                )
            }))
            .collect();
        let stacks: Vec<StackId> = (rows.iter())
            .map(|(name, file, line, _)| {
                let function = Function {
                    name: profile.strings.intern(name.as_bytes()),
                    system_name: profile.strings.intern(b""),
                    file: profile.strings.intern(file.as_bytes()),
                    start_line: *line,
                };
                let function = profile.functions.intern(function);
                let frame = profile.frames.intern(Frame::of(function));
                profile.stacks.push(StackId::ROOT, frame)
            })
            .collect();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ name.len() as u64;
        for slice in 0..60 {
            profile.slices.0.push(Slice::default());
            for (stack, row) in stacks.iter().zip(&rows) {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let noise = (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5;
                let mean = row.3 / 3.0;
                let count = (mean + mean.sqrt() * 3.4 * noise).round().max(0.0) as i64;
                profile.samples.push(Sample {
                    slice: Some(SliceId::new(slice)),
                    ..Sample::of(*stack, &[count])
                });
            }
        }
        if !commit.is_empty() {
            profile.meta.build = vec![("commit".into(), Attribute::Text(commit.into()))];
        }
        let mut out = fs::File::create(self.place.0.path().join(name)).unwrap();
        let plop = plop_convert::find("plop").unwrap();
        plop.write(&[profile], &mut out, &mut Notes::new()).unwrap();
    }

    /// Both profiles of functions of which the first one costs three times as much after.
    fn profiles(&self, rows: &[Row]) {
        self.profile("before.plop", rows, "");
        let mut after = rows.to_vec();
        after[0].3 *= 3.0;
        self.profile("after.plop", &after, "");
    }

    fn diff(&self, words: &str) -> Ended {
        let mut command = self.command(env!("CARGO_BIN_EXE_plop"));
        let words = words.split_whitespace();
        ended((command.arg("diff").args(words)).args(["../before.plop", "../after.plop"]))
    }

    fn json(&self, words: &str) -> Value {
        let told = self.diff(&format!("--json {words}"));
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr))
    }

    fn refused(&self, words: &str) -> String {
        let told = self.diff(words);
        assert_eq!(told.status.code(), Some(2), "{words}: {}", told.stdout);
        assert_eq!(told.stdout, "", "{words}");
        told.stderr
    }
}

const SHOP: &str = "\
import os

def discount(price):
    return price * 2

class Cart:
    def total(self):
        return sum(self.items)
";

/// A shop whose second commit changes `discount`, and whose third one changes nothing of it.
fn shop(test: &str) -> Option<Repository> {
    let repository = Repository::new(test)?;
    repository.write("app/shop.py", SHOP);
    repository.write("app/other.py", "def other():\n    return 1\n");
    repository.commit("first");
    repository.git(&["tag", "v1"]);
    repository.write("app/shop.py", &SHOP.replace("price * 2", "price * 3 | 1"));
    repository.commit("support | `unary` minus");
    repository.write("README", "a shop\n");
    repository.commit("a readme");
    repository.profiles(&[
        ("discount", "/srv/releases/7/app/shop.py", 3, 60.0),
        ("Cart.total", "/srv/releases/7/app/shop.py", 7, 90.0),
        ("other", "/srv/releases/7/app/other.py", 1, 80.0),
    ]);
    Some(repository)
}

fn names(json: &Value) -> Vec<&str> {
    let functions = json["touched"]["functions"].as_array().unwrap();
    (functions.iter())
        .map(|one| one["function"]["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_finding_tells_who_touched_it() {
    let Some(shop) = shop("a_finding_tells_who_touched_it") else {
        return;
    };
    let json = shop.json("--changed-since v1");
    assert_eq!(names(&json), ["discount"]);
    assert_eq!(json["touched"]["range"], "v1..HEAD");
    assert!(json["touched"]["hypotheses"].as_i64().unwrap() >= 1);
    let commit = shop.git(&["rev-parse", "HEAD~1"]);
    let found = &json["findings"][0];
    assert_eq!(found["function"]["name"], "discount");
    let touch = &found["touched"];
    assert_eq!(touch["path"], "app/shop.py");
    assert_eq!(touch["line"], 4);
    assert_eq!(touch["commit"], &commit[..12]);
    assert_eq!(touch["subject"], "support | `unary` minus");
    assert_eq!(touch["uncommitted"], false);
    // It is looked for at a lower limit, the others at a higher one.
    let plain = shop.json("");
    assert_eq!(plain["touched"], Value::Null);
    assert_eq!(plain["findings"][0]["touched"], Value::Null);
    let limit = |json: &Value| json["findings"][0]["critical_z"].as_f64().unwrap();
    assert!(
        limit(&json) < limit(&plain) - 0.2,
        "{} {}",
        limit(&json),
        limit(&plain)
    );
    let all = |json: &Value| json["critical_z"].as_f64().unwrap();
    assert!(all(&json) > all(&plain), "{} {}", all(&json), all(&plain));
    let five = |json: &Value, key: &str| json["power"][2][key].as_f64();
    let touched = five(&json, "mde_points_touched").unwrap();
    assert!(touched < 0.92 * five(&json, "mde_points").unwrap());
    assert_eq!(five(&plain, "mde_points_touched"), None);

    let schema = crate::schema::Schema::read();
    assert_eq!(schema.refusal(&json), None, "{json:#}");

    let told = shop.diff("--changed-since v1");
    assert_eq!(told.status.code(), Some(1));
    let text = told.stdout.replace('\u{a0}', " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "1 function touched by v1..HEAD (discount): half of the error rate is for what was touched",
        &format!(
            "touched by {} at app/shop.py:4: support | `unary` minus",
            &commit[..12]
        ),
        "; one that was touched, by ",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    shop.diff("--changed-since v1 -o ../out.md -o ../out.sarif -o annotations=../out.txt");
    let read = |name: &str| fs::read_to_string(shop.place.0.path().join(name)).unwrap();
    let markdown = read("out.md");
    let row = markdown
        .lines()
        .find(|line| line.starts_with("| ▲"))
        .unwrap();
    let touched = format!(
        "``touched by {} at app/shop.py:4: support \\| `unary` minus``",
        &commit[..12]
    );
    assert!(row.contains(&touched), "{row}");
    let sarif: Value = serde_json::from_str(&read("out.sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "app/shop.py");
    assert_eq!(place["region"]["startLine"], 4);
    assert_eq!(result["properties"]["touched"]["commit"], &commit[..12]);
    assert!(read("out.txt").contains("file=app/shop.py,line=4"));
}

#[test]
fn what_was_not_touched_is_found_as_well() {
    let Some(shop) = shop("what_was_not_touched_is_found_as_well") else {
        return;
    };
    shop.write("app/shop.py", SHOP);
    shop.write("app/other.py", "def other():\n    return 2\n");
    let json = shop.json("--changed-since v1");
    assert_eq!(
        names(&json),
        ["other"],
        "files as they are, not as they were committed"
    );
    assert_eq!(json["findings"][0]["function"]["name"], "discount");
    assert_eq!(json["findings"][0]["touched"], Value::Null);
    let told = shop.diff("--changed-since v1 -o ../out.md");
    assert!(
        told.stdout.contains("not touched by v1..HEAD"),
        "{}",
        told.stdout
    );
    assert_eq!(told.status.code(), Some(1));
    // Nothing that is in the profiles: all of the error rate is for all, and it is said.
    shop.git(&["checkout", "-q", "--", "."]);
    let nothing = shop.json("--changed-since HEAD~1");
    let plain = shop.json("");
    assert_eq!(nothing["touched"]["functions"], Value::Array(Vec::new()));
    assert_eq!(nothing["critical_z"], plain["critical_z"]);
    let told = shop.diff("--changed-since HEAD~1");
    let said = "no function of the profiles was touched by HEAD~1..HEAD";
    assert!(told.stdout.contains(said), "{}", told.stdout);
}

#[test]
fn what_is_not_committed_is_said_to_be_so() {
    let Some(shop) = shop("what_is_not_committed_is_said_to_be_so") else {
        return;
    };
    let touch = |since: &str| {
        shop.json(&format!("--changed-since {since}"))["findings"][0]["touched"].clone()
    };
    shop.write("app/shop.py", &SHOP.replace("price * 2", "price * 4"));
    assert_eq!(touch("HEAD")["uncommitted"], true);
    assert_eq!(touch("HEAD")["commit"], Value::Null);
    let told = shop.diff("--changed-since HEAD");
    assert!(
        told.stdout.contains("which is not committed"),
        "{}",
        told.stdout
    );
    // Lines that are only gone have nobody who wrote them last; the file has.
    let longer = SHOP.replace("    return price", "    price += 1\n    return price");
    shop.write("app/shop.py", &longer);
    shop.commit("longer");
    shop.write("app/shop.py", SHOP);
    shop.commit("shorter");
    let gone = touch("HEAD~1");
    assert_eq!(gone["subject"], "shorter");
    assert_eq!(gone["line"], 3);
}

/// The commit that took a line, not the last one of the file; none where that is not certain.
#[test]
fn lines_that_are_gone_are_of_the_commit_that_took_them() {
    let Some(shop) = shop("lines_that_are_gone_are_of_the_commit_that_took_them") else {
        return;
    };
    let touch = || shop.json("--changed-since base")["findings"][0]["touched"].clone();
    let longer = SHOP.replace("    return price", "    price += 1\n    return price");
    shop.write("app/shop.py", &longer);
    shop.commit("longer");
    shop.git(&["tag", "base"]);
    shop.write("app/shop.py", SHOP);
    shop.commit("deleted line");
    let other = SHOP.replace("sum(self.items)", "sum(self.items) + 1");
    shop.write("app/shop.py", &other);
    shop.commit("Cart only");
    assert_eq!(touch()["subject"], "deleted line");
    // In a file that was changed since, lines are others than those that are committed.
    shop.write("app/shop.py", &format!("# new\n{other}"));
    assert_eq!(touch()["commit"], Value::Null);
    assert_eq!(touch()["uncommitted"], false);
    let told = shop.diff("--changed-since base");
    let text = told.stdout.replace('\u{a0}', " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "touched by base..HEAD and uncommitted changes at app/shop.py:4";
    assert!(text.contains(said), "{text}");
}

#[test]
fn a_new_file_is_touched_before_git_knows_of_it() {
    let Some(shop) = shop("a_new_file_is_touched_before_git_knows_of_it") else {
        return;
    };
    shop.write(".gitignore", "build/\n");
    shop.commit("ignore");
    shop.write("app/new.py", "def fresh():\n    return 1\n");
    shop.write("build/made.py", "def made():\n    return 1\n");
    shop.profiles(&[
        ("fresh", "/srv/app/new.py", 1, 60.0),
        ("made", "/srv/build/made.py", 1, 60.0),
        ("discount", "/srv/app/shop.py", 3, 60.0),
    ]);
    let json = shop.json("--changed-since HEAD");
    assert_eq!(names(&json), ["fresh"]);
    assert_eq!(json["touched"]["range"], "uncommitted changes");
    assert_eq!(json["findings"][0]["touched"]["uncommitted"], true);
    for n in 0..1_001 {
        shop.write(&format!("venv/m{n}.py"), "");
    }
    let json = shop.json("--changed-since HEAD");
    assert_eq!(names(&json), Vec::<&str>::new());
    assert_eq!(json["warnings"][0]["code"], "touched-untracked");
}

/// One line of each changes, and the profile calls it as V8 does.
#[test]
fn functions_of_javascript_without_braces_are_known() {
    let Some(repository) = Repository::new("functions_of_javascript_without_braces_are_known")
    else {
        return;
    };
    let texts = [
        ("sq", 1, "const sq = (a) => a * 1;\n"),
        (
            "total",
            1,
            "const total = (items) =>\n  items.reduce((s, i) => s + i, 1);\n",
        ),
        ("App", 1, "export const App = () => (\n  <div>1</div>\n);\n"),
        ("p", 1, "module.exports = { p: (b) => b * 1 };\n"),
        ("run", 2, "class A {\n  run = (e) => this.q(e, 1);\n}\n"),
        ("get", 1, "const get = async (k) => ({\n  k: 1,\n});\n"),
        ("g", 1, "function g<T>(x: T): T {\n  return at(1);\n}\n"),
        (
            "go",
            2,
            "class B {\n  go<K>(k: K): K {\n    return at(1);\n  }\n}\n",
        ),
        (
            "find",
            1,
            "function find(): { b: number } {\n  return at(1);\n}\n",
        ),
        (
            "load",
            1,
            "async function load(): Promise<{ b: number }> {\n  return at(1);\n}\n",
        ),
    ];
    let path = |name: &str| format!("web/{name}.tsx");
    let stays = "const stay = (a) => a;\n";
    for (name, _, text) in texts {
        repository.write(&path(name), &format!("{text}{stays}"));
    }
    repository.commit("first");
    for (name, _, text) in texts {
        repository.write(&path(name), &format!("{}{stays}", text.replace('1', "2")));
    }
    repository.commit("second");
    let files: Vec<String> = texts
        .iter()
        .map(|(name, ..)| format!("file:///srv/{}", path(name)))
        .collect();
    let mut rows: Vec<Row> = Vec::new();
    for ((name, line, text), file) in texts.iter().zip(&files) {
        rows.push((name, file, *line, 20.0));
        rows.push(("stay", file, text.lines().count() as i64 + 1, 20.0));
    }
    repository.profiles(&rows);
    let json = repository.json("--changed-since HEAD~1");
    let mut found = names(&json);
    found.sort_unstable();
    let mut expected = texts.map(|(name, ..)| name);
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// A change of one function in each language, and what profilers call it and its neighbour.
#[test]
fn functions_of_every_language_are_known() {
    let Some(repository) = Repository::new("functions_of_every_language_are_known") else {
        return;
    };
    let files = [
        (
            "py/a.py",
            "class A:\n    def f(self):\n        return 1 # X\n\n    def g(self):\n        return 1\n",
        ),
        (
            "src/b.rs",
            "impl Grid {\n    fn step(&self) -> u32 {\n        1 // X\n    }\n    fn stay(&self) {}\n}\n",
        ),
        (
            "pkg/c.go",
            "package pkg\nfunc (t *Tree[K]) Walk() {\n\tx() // X\n}\nfunc Stay() {\n}\n",
        ),
        (
            "lib/d.c",
            "static int parse(int a)\n{\n    return a; /* X */\n}\nint other(void) { return 1; }\n",
        ),
        (
            "lib/e.cpp",
            "namespace n {\nvoid Cart::total(int a) {\n  a++; // X\n}\nvoid Cart::stay() {}\n}\n",
        ),
        (
            "web/f.ts",
            "export class View {\n  draw(): void {\n    run(); // X\n  }\n  stay() { }\n}\n",
        ),
        (
            "web/g.js",
            "run(() => {\n  a(); // X\n});\nrun(() => {\n  b();\n});\n",
        ),
        (
            "java/com/shop/Cart.java",
            "class Cart {\n  int total() {\n    return 1; // X\n  }\n  int stay() { return 1; }\n}\n",
        ),
    ];
    for (path, text) in files {
        repository.write(path, text);
    }
    repository.commit("first");
    for (path, text) in files {
        repository.write(path, &text.replace('X', "Y"));
    }
    repository.commit("second");
    let rows: Vec<Row> = vec![
        ("A.f", "/srv/py/a.py", 2, 20.0),
        ("A.g", "/srv/py/a.py", 5, 20.0),
        (
            "<app::Grid as app::Shape>::step",
            "/build/src/b.rs",
            0,
            20.0,
        ),
        ("app::Grid::stay", "/build/src/b.rs", 0, 20.0),
        (
            "example.org/x/pkg.(*Tree[...]).Walk.func1",
            "/build/pkg/c.go",
            0,
            20.0,
        ),
        ("example.org/x/pkg.Stay", "/build/pkg/c.go", 0, 20.0),
        // Of perf's names only.
        ("parse.isra.0", "", 0, 20.0),
        ("other", "", 0, 20.0),
        ("void n::Cart::total<int>(int)", "", 0, 20.0),
        ("n::Cart::stay()", "", 0, 20.0),
        ("draw", "file:///srv/web/f.ts", 2, 20.0),
        ("stay", "file:///srv/web/f.ts", 5, 20.0),
        ("(anonymous)", "file:///srv/web/g.js", 1, 20.0),
        ("com/shop/Cart.total", "Cart.java", 0, 20.0),
        ("com/shop/Cart.stay", "Cart.java", 0, 20.0),
    ];
    repository.profiles(&rows);
    let json = repository.json("--changed-since HEAD~1");
    let functions = json["touched"]["functions"].as_array().unwrap();
    let mut found: Vec<String> = (functions.iter())
        .map(|one| format!("{}:{}", one["path"].as_str().unwrap(), one["line"]))
        .collect();
    found.sort();
    let mut expected: Vec<String> = files
        .iter()
        .map(|(path, text)| {
            let line = text.lines().position(|line| line.contains('X')).unwrap() + 1;
            format!("{path}:{line}")
        })
        .collect();
    expected.sort();
    assert_eq!(found, expected, "{:?}", names(&json));
    assert_eq!(names(&json).len(), files.len());
}

#[test]
fn files_that_were_moved_and_have_strange_names_are_known() {
    let Some(repository) =
        Repository::new("files_that_were_moved_and_have_strange_names_are_known")
    else {
        return;
    };
    let long: String = (0..30)
        .map(|n| format!("def f{n}():\n    return {n}\n\n"))
        .collect();
    repository.write("old/moved.py", &long);
    repository.write("a b/tab\tand \"quote\" ä.py", &long);
    repository.write("gone.py", &long);
    repository.write("picture.bin", "\0\u{1}");
    repository.write("dist/-x.js", "function draw() {\n  return 1;\n}\n");
    repository.write(".gitattributes", "dist/* binary\n");
    repository.commit("first");
    repository.git(&["mv", "old", "new"]);
    repository.git(&["rm", "-q", "gone.py"]);
    repository.write("picture.bin", "\0\u{2}");
    repository.write("new/moved.py", &long.replace("return 7\n", "return 70\n"));
    repository.write(
        "a b/tab\tand \"quote\" ä.py",
        &long.replace("return 8\n", "return 80\n"),
    );
    repository.write("dist/-x.js", "function draw() {\n  return 2;\n}\n");
    repository.commit("moved");
    let strange = "/srv/a b/tab\tand \"quote\" ä.py";
    let before: Vec<Row> = vec![
        ("f7", "/srv/old/moved.py", 22, 50.0),
        ("f8", strange, 25, 50.0),
        ("f9", strange, 28, 50.0),
        ("f1", "/srv/gone.py", 4, 50.0),
        ("draw", "/srv/dist/-x.js", 1, 50.0),
    ];
    let mut after = before.clone();
    (after[0].1, after[0].3) = ("/srv/new/moved.py", 150.0);
    after.remove(3);
    repository.profile("before.plop", &before, "");
    repository.profile("after.plop", &after, "");
    let json = repository.json("--changed-since HEAD~1");
    let mut found = names(&json);
    found.sort_unstable();
    assert_eq!(found, ["draw", "f1", "f7", "f8"], "{json:#}");
    let grew = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["direction"] == "grew");
    let touch = &grew.unwrap()["touched"];
    assert_eq!(
        (&touch["path"], &touch["line"]),
        (&"new/moved.py".into(), &23.into())
    );
    assert_eq!(touch["subject"], "moved");
}

/// Whatever people and the repository have set for git, the answer is the same.
#[test]
fn settings_of_git_do_not_matter() {
    let Some(shop) = shop("settings_of_git_do_not_matter") else {
        return;
    };
    let usual = shop.json("--changed-since v1");
    for (key, value) in [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "/bin/false"),
        ("diff.relative", "true"),
        ("diff.context", "9"),
        ("diff.interHunkContext", "9"),
        ("diff.renames", "false"),
        ("diff.submodule", "log"),
        ("diff.wsErrorHighlight", "all"),
        ("color.ui", "always"),
        ("color.diff", "always"),
        ("core.quotePath", "true"),
        ("core.pager", "/bin/false"),
        ("log.showSignature", "true"),
        ("blame.showEmail", "true"),
        ("diff.x.textconv", "tr a-z A-Z"),
        ("diff.x.command", "/bin/false"),
    ] {
        shop.git(&["config", key, value]);
    }
    shop.write(".git/info/attributes", "*.py diff=x\n");
    let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
    let told = ended(
        command
            .args([
                "diff",
                "--json",
                "--changed-since",
                "v1",
                "../../before.plop",
                "../../after.plop",
            ])
            .current_dir(shop.root().join("app"))
            .env("GIT_DIFF_OPTS", "--unified=5")
            .env("GIT_EXTERNAL_DIFF", "/bin/false")
            .env("GIT_PAGER", "/bin/false"),
    );
    let strange: Value =
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr));
    assert_eq!(strange["touched"], usual["touched"]);
    assert_eq!(strange["findings"], usual["findings"]);
}

#[test]
fn what_is_not_certain_is_said() {
    let Some(shop) = shop("what_is_not_certain_is_said") else {
        return;
    };
    shop.write("old/shop.py", SHOP);
    let head = shop.commit("copy");
    shop.profile("before.plop", &[("discount", "shop.py", 3, 60.0)], "");
    shop.profile(
        "after.plop",
        &[("discount", "shop.py", 3, 180.0)],
        "0123456789ab",
    );
    let json = shop.json("--changed-since v1");
    assert_eq!(names(&json), Vec::<&str>::new());
    let text = |code: &str| {
        let warnings = json["warnings"].as_array().unwrap();
        let found = warnings.iter().find(|warning| warning["code"] == code);
        found.unwrap_or_else(|| panic!("{warnings:?}"))["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let said = text("touched-ambiguous");
    assert!(
        said.contains("shop.py may be any of app/shop.py, old/shop.py"),
        "{said}"
    );
    let said = text("touched-commit");
    assert!(
        said.contains("after is of commit 0123456789ab") && said.contains(&head[..12]),
        "{said}"
    );
    // Of the commit that is there nothing is said.
    shop.profile("before.plop", &[("discount", "app/shop.py", 3, 60.0)], "");
    shop.profile(
        "after.plop",
        &[("discount", "app/shop.py", 3, 180.0)],
        &head[..9],
    );
    let json = shop.json("--changed-since v1");
    assert_eq!(
        json["warnings"],
        Value::Array(Vec::new()),
        "{}",
        json["warnings"]
    );
    assert_eq!(names(&json), ["discount"]);
}

#[test]
fn the_revision_may_stand_in_the_settings() {
    let Some(shop) = shop("the_revision_may_stand_in_the_settings") else {
        return;
    };
    shop.write("plop.toml", "changed_since = \"v1\"\n");
    assert_eq!(shop.json("")["touched"]["range"], "v1..HEAD");
    assert_eq!(
        shop.json("--changed-since HEAD")["touched"]["range"],
        "HEAD..HEAD"
    );
    let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
    let told = ended(
        (command.args(["diff", "--explain-config", "--json"]))
            .env("PLOP_DIFF_CHANGED_SINCE", "HEAD~1"),
    );
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    let settings = json["settings"].as_array().unwrap();
    let row = settings
        .iter()
        .find(|row| row["key"] == "changed_since")
        .unwrap();
    assert_eq!(
        (&row["value"], &row["from"]),
        (&"HEAD~1".into(), &"variable".into())
    );
}

#[test]
fn what_git_cannot_tell_is_an_error() {
    let Some(shop) = shop("what_git_cannot_tell_is_an_error") else {
        return;
    };
    for (words, said) in [
        (
            "--changed-since v2",
            "there is no revision `v2` in this repository (git branch -a lists",
        ),
        (
            "--changed-since v1..HEAD",
            "expected one revision, the older one, found the range `v1..HEAD`",
        ),
        (
            "--changed-since=--output=x",
            "expected a revision such as origin/main or v1.4, found `--output=x`",
        ),
        (
            "--changed-since -p",
            "expected a revision such as origin/main or v1.4, found `-p`",
        ),
        (
            "--changed-since HEAD:README",
            "there is no revision `HEAD:README`",
        ),
    ] {
        let told = shop.refused(words);
        assert!(told.contains(said), "{words}: {told}");
    }
    assert!(!shop.root().join("x").exists(), "it was no option");

    // Outside of any repository, and where there is no git.
    let outside = shop.place.diff("--changed-since v1 before.plop after.plop");
    assert_eq!(outside.status.code(), Some(2));
    let said = "the working folder is in no repository of git (change to";
    assert!(outside.stderr.contains(said), "{}", outside.stderr);
    let with_path = |path: &Path| {
        let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
        command.args([
            "diff",
            "--changed-since",
            "v1",
            "../before.plop",
            "../after.plop",
        ]);
        let told = ended(command.env("PATH", path));
        assert_eq!((told.status.code(), told.stdout.as_str()), (Some(2), ""));
        told.stderr
    };
    let bin = shop.place.0.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let told = with_path(&bin);
    assert!(
        told.contains("there is no git on PATH") && told.contains("install it"),
        "{told}"
    );

    // What git says of a repository of somebody else's, and a diff that is none.
    let fake = |answer: &str| {
        let script = format!("#!/bin/sh\ncase \"$*\" in\n{answer}\nesac\n");
        executable(&bin.join("git"), "755", script.as_bytes());
        with_path(&bin)
    };
    let told = fake(
        "*) echo \"fatal: detected dubious ownership in repository at '/x'\" >&2; echo 'To add an exception, call:' >&2; \
         echo '	git config --global --add safe.directory /x' >&2; exit 128;;",
    );
    let said = "git says: fatal: detected dubious ownership in repository at '/x' To add an exception, call: git config \
                --global --add safe.directory /x";
    assert!(told.contains(said), "{told}");
    let found =
        "*show-toplevel*) echo .;; *verify*) echo 0123456789012345678901234567890123456789;;";
    let told = fake(&format!("{found} *) echo 'not a diff';;"));
    assert!(
        told.contains("line 1 of git diff: expected `diff --git`, found `not a diff`"),
        "{told}"
    );
    let told = fake(&format!(
        "{found} *) echo 'fatal: bad object' >&2; exit 128;;"
    ));
    assert!(told.contains("git says: fatal: bad object"), "{told}");
}

#[test]
fn a_shallow_clone_is_told_how_to_get_more() {
    let Some(shop) = shop("a_shallow_clone_is_told_how_to_get_more") else {
        return;
    };
    let from = format!("file://{}", shop.root().display());
    shop.git(&[
        "clone",
        "-q",
        "--depth",
        "1",
        "--no-tags",
        &from,
        "../clone",
    ]);
    let mut command = shop.command(env!("CARGO_BIN_EXE_plop"));
    let told = ended(
        command
            .args([
                "diff",
                "--changed-since",
                "v1",
                "../before.plop",
                "../after.plop",
            ])
            .current_dir(shop.place.0.path().join("clone")),
    );
    assert_eq!(told.status.code(), Some(2));
    for said in [
        "there is no revision `v1` in this clone",
        "git fetch --unshallow",
        "fetch-depth: 0",
    ] {
        assert!(told.stderr.contains(said), "{}", told.stderr);
    }
}

/// A submodule, a link and a file that was never text are no sources.
#[test]
fn what_is_no_file_of_sources_is_passed_over() {
    let Some(shop) = shop("what_is_no_file_of_sources_is_passed_over") else {
        return;
    };
    let from = shop.root().display().to_string();
    shop.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &from,
        "inner.py",
    ]);
    std::os::unix::fs::symlink("app/shop.py", shop.root().join("link.py")).unwrap();
    shop.commit("more");
    let json = shop.json("--changed-since v1");
    assert_eq!(names(&json), ["discount"]);
    assert_eq!(json["warnings"], Value::Array(Vec::new()));
}

/// A million new lines take no time that counts.
#[test]
fn a_large_change_is_read() {
    let Some(shop) = shop("a_large_change_is_read") else {
        return;
    };
    shop.write("data.txt", &"a line of data\n".repeat(1_000_000));
    let mut large = SHOP.replace("price * 2", "price * 5");
    (0..20_000).for_each(|n| large += &format!("\n\ndef f{n}():\n    return {n}\n"));
    shop.write("app/shop.py", &large);
    shop.commit("large");
    let began = std::time::Instant::now();
    let json = shop.json("--changed-since v1");
    assert_eq!(names(&json), ["discount"]);
    assert!(began.elapsed().as_secs() < 60, "git may take so long");
}
