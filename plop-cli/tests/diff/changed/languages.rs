//! Which functions a change touches, in the languages whose functions are known.

use super::*;

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
