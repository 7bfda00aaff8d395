//! The functions of a file in a language with braces: at every brace that opens, what stands before it says whether
//! a function begins (`headers.rs`).

use super::headers::{Found, What, found};
use super::script;
use super::source::{Language, Span};
use super::tokens::{Token, tokens};

/// A brace that is open.
struct Block {
    what: What,
    first: u32,
    line: u32,
    /// Where the statement began that the brace is in, where it goes on behind the brace.
    statement: Option<usize>,
    /// How many parentheses were open.
    depth: usize,
}

/// A function of JavaScript without braces, of which the end was not seen yet: `(a) => a * 2`.
struct Brief {
    parts: Vec<String>,
    /// Its arrow, among the tokens.
    arrow: usize,
    first: u32,
    line: u32,
    /// How many braces and parentheses were open.
    level: (usize, usize),
}

/// How a token stands to a function without braces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    In,
    Behind,
    /// The arrow is that of a type.
    OfType,
}

/// So many words before a brace are looked at, at most.
const FAR: usize = 2_000;

pub(super) fn spans(language: Language, text: &str) -> Vec<Span> {
    let tokens = tokens(language, text);
    let mut spans = Vec::new();
    let mut open: Vec<Block> = Vec::new();
    let mut functions = 0;
    let (mut statement, mut depth) = (0, 0usize);
    // How many braces and parentheses were open at each `#if`.
    let mut conditions: Vec<(usize, usize)> = Vec::new();
    let mut briefs: Vec<Brief> = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        while let Some(brief) = briefs.last() {
            let standing = brief.standing(&tokens, n, (open.len(), depth));
            if standing == Standing::In {
                break;
            }
            let brief = briefs.pop().filter(|_| standing == Standing::Behind);
            spans.extend(brief.map(|brief| brief.until(tokens[n - 1].line)));
        }
        let outside = open.last().map_or(0, |block| block.depth);
        match token.text {
            "#if" => conditions.push((open.len(), depth)),
            // Another way to write the same: the braces that the first one opened are opened again.
            "#else" => {
                if let Some((blocks, parentheses)) = conditions.last() {
                    open.truncate(*blocks);
                    functions = open.iter().filter(|one| one.what.is_function()).count();
                    (depth, statement) = (*parentheses, n + 1);
                }
            }
            "#endif" => {
                conditions.pop();
            }
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            ";" if depth <= outside => statement = n + 1,
            "=>" if language == Language::Script
                && tokens.get(n + 1).is_some_and(|next| next.text != "{") =>
            {
                let header = &tokens[statement.max(n.saturating_sub(FAR)).min(n)..=n];
                let around = open.last().map(|block| &block.what);
                let is_property = around == Some(&What::Object) && depth <= outside;
                if let Some(found) = script::brief(header, is_property)
                    && let What::Function(parts) = found.what
                {
                    briefs.push(Brief {
                        parts: qualified(&open, parts),
                        arrow: n,
                        first: header[found.from].line,
                        line: header[found.at].line,
                        level: (open.len(), depth),
                    });
                }
            }
            "{" => {
                let header = &tokens[statement.max(n.saturating_sub(FAR)).min(n)..n];
                let around = open.last().map(|block| &block.what);
                let Found {
                    what,
                    from,
                    at,
                    goes_on,
                } = found(language, header, around, functions > 0);
                let line = |at: usize| header.get(at).map_or(token.line, |one| one.line);
                functions += usize::from(what.is_function());
                open.push(Block {
                    what,
                    first: line(from),
                    line: line(at),
                    statement: (goes_on || depth > outside).then_some(statement),
                    depth,
                });
                statement = n + 1;
            }
            "}" => {
                let Some(block) = open.pop() else {
                    statement = n + 1;
                    continue;
                };
                depth = block.depth;
                statement = block.statement.unwrap_or(n + 1);
                if let What::Function(parts) = block.what {
                    functions -= 1;
                    spans.push(Span {
                        parts: qualified(&open, parts),
                        first: block.first,
                        line: block.line,
                        last: token.line,
                    });
                }
            }
            _ => {}
        }
    }
    let last = tokens.last().map_or(1, |token| token.line);
    spans.extend(briefs.into_iter().rev().map(|brief| brief.until(last)));
    spans
}

impl Brief {
    fn until(self, last: u32) -> Span {
        Span {
            parts: self.parts,
            first: self.first,
            line: self.line,
            last,
        }
    }

    /// Whether the expression ends before a token, with so many braces and parentheses open there.
    fn standing(&self, tokens: &[Token], n: usize, level: (usize, usize)) -> Standing {
        let (token, before) = (&tokens[n], &tokens[n - 1]);
        let (blocks, depth) = self.level;
        let text = token.text;
        let behind = |is_it: bool| {
            if is_it {
                Standing::Behind
            } else {
                Standing::In
            }
        };
        if level.0 < blocks || level.0 == blocks && text == "}" {
            return Standing::Behind;
        }
        if level.0 > blocks || level.1 > depth {
            return Standing::In;
        }
        let first = tokens.get(self.arrow + 1).map_or("", |one| one.text);
        let is_markup = first == "<";
        let is_new_line = token.line > before.line;
        match text {
            ")" | "]" => Standing::Behind,
            // In an element of JSX they may be text.
            "," | ";" => behind(!is_markup || before.text == ">"),
            _ if n == self.arrow + 1 => Standing::In,
            _ if is_new_line && STATEMENT.contains(&text) => Standing::Behind,
            "{" if !is_markup && !matches!(first, "function" | "class" | "async" | "new") => {
                match is_operand(before) || before.text == ">" {
                    true => Standing::OfType,
                    false => Standing::In,
                }
            }
            "in" | "instanceof" | "as" | "satisfies" => Standing::In,
            _ => behind(
                is_new_line
                    && !is_markup
                    && is_operand(before)
                    && (token.is_word() || text == "@" || text == "#"),
            ),
        }
    }
}

/// Words that no expression has, and that begin the next statement where no semicolon ends this one.
const STATEMENT: [&str; 12] = [
    "const", "let", "var", "export", "return", "if", "for", "while", "switch", "try", "throw",
    "type",
];

/// Whether an expression may end with this.
fn is_operand(token: &Token) -> bool {
    const BEFORE_OTHERS: [&str; 12] = [
        "await",
        "new",
        "typeof",
        "void",
        "delete",
        "in",
        "instanceof",
        "as",
        "async",
        "yield",
        "return",
        "function",
    ];
    let ends =
        |letter: char| letter.is_ascii_digit() || matches!(letter, '"' | '\'' | ')' | ']' | '}');
    match token.is_word() {
        true => !BEFORE_OTHERS.contains(&token.text),
        false => token.text.starts_with(ends),
    }
}

/// A name behind those of what it is in; nothing where it has none.
fn qualified(open: &[Block], parts: Vec<String>) -> Vec<String> {
    if parts.is_empty() {
        return parts;
    }
    let outer = open.iter().flat_map(|block| match &block.what {
        What::Function(parts) | What::Scope(parts) => &parts[..],
        What::Object | What::Other => &[],
    });
    outer.cloned().chain(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::{Language, told};

    #[test]
    fn rust() {
        let text = r##"use a::b;
#[inline]
pub fn first<F: Fn(u32) -> u32>(f: F) -> [u8; 2]
where
    F: Copy,
{
    let s = "}"; let c = '}'; let l: &'static str = r#"}"#;
    let g = |x| { x };
    fn inner() { }
}
impl<'a, T: Into<X>> fmt::Display for Cart<'a, T> {
    fn fmt(&self) -> fmt::Result { match self { _ => {} } }
}
mod deep { pub trait Shape { fn area(&self) -> f64 { 1.0 } fn none(&self); } }
const X: fn() -> u8 = { f };
fn last() {}
"##;
        assert_eq!(
            told(Language::Rust, text),
            [
                "first 2-10",
                "first.inner 9-9",
                "Cart.fmt 12-12",
                "deep.Shape.area 14-14",
                "last 16-16"
            ]
        );
    }

    #[test]
    fn go() {
        let text = r#"package main
import "fmt"
var a = 1
// not func b() {
func first(x interface{}, f func(int) string) (n int, err error) {
	go func() {
		fmt.Println(`}`)
	}()
	return
}
type T struct { f func() }
func (t *Tree[K, V]) Walk() interface{} {
	if x := (T{}); x.f != nil {
	}
	return '}'
}
func (Tree) Plain() {}
"#;
        assert_eq!(
            told(Language::Go, text),
            ["first 5-10", "Tree.Walk 12-16", "Tree.Plain 17-17"]
        );
    }

    #[test]
    fn c() {
        let text = r#"#include <x.h>
#define LOOP(x) for (;;) {
static const int table[] = { 1, 2 };
struct point { int x; };
struct point *
first(int a,
      int b)
{
    if (a) { return '}'; }
}
#if A
int second(int a) {
#else
int second(void) {
#endif
    return 0;
}
__attribute__((noinline)) void third(void) {}
"#;
        assert_eq!(
            told(Language::C, text),
            ["first 5-10", "second 14-17", "third 18-18"]
        );
    }

    #[test]
    fn cpp() {
        let text = r#"namespace a::b {
class Cart final : public Base<int> {
  Cart(int n) : n_{n}, m_(n) { n_ = 1; }
  ~Cart() {}
  template <typename T = int>
  auto total(T t) const -> int { return [&] { return 1; }(); }
  bool operator==(const Cart& o) const { return true; }
  int n_{0};
};
}
std::vector<int> a::b::Cart::outside() noexcept
{ for (int i = 0; i < 3; i++) {} }
enum class E { A };
extern "C" { int plain() { return 1; } }
"#;
        assert_eq!(
            told(Language::C, text),
            [
                "a.b.Cart.Cart 3-3",
                "a.b.Cart.~Cart 4-4",
                "a.b.Cart.total 5-6",
                "a.b.Cart.operator== 7-7",
                "a.b.Cart.outside 11-12",
                "plain 14-14"
            ]
        );
    }

    #[test]
    fn java() {
        let text = r#"package com.shop;
@Entity(name = "x")
public class Cart<T> extends Base implements A, B {
  static { load(); }
  int[] sizes = { 1 };
  Runnable r = new Runnable() { public void run() {} };
  public Cart(int n) { super(n); }
  @Override
  @Cached(ttl = 1)
  public <R> List<R> total(Map<String, R> m) throws IOException, X {
    items.forEach(i -> { add(i); });
    switch (x) { case '}': break; }
  }
  record Point(int x, int y) { int sum() { return x + y; } }
  interface Shape { double area(); default void draw() { } }
}
"#;
        assert_eq!(
            told(Language::Java, text),
            [
                "Cart.<clinit> 4-4",
                "Cart.run 6-6",
                "Cart.<init> 7-7",
                "Cart.total 8-13",
                "Cart.Point.sum 14-14",
                "Cart.Shape.draw 15-15"
            ]
        );
    }

    #[test]
    fn script_without_braces() {
        let text = r#"const sq = (a) => a * 2;
const total = (items) =>
  items.reduce((sum, one) => sum + one, 0);
export const App = ({ name }: Props) => (
  <div onClick={() => go(1)}>
    I don't (know), {name}; <b>one</b>
  </div>
);
const o = { p: (b) => b * 3, q(c) { return c; } };
class A {
  run = (e) => this.q(e, 1);
  async load(k) {
    return k;
  }
}
const get = async (k) => ({
  k,
});
const a = x => x + 1
const b = (x: number): Promise<{ y: number }> =>
  other(x)
    .then(one)
const text = (x) => `a ${x}`
const typed: (x: number) => string = (x) => String(x);
const curried = (x) => (y) =>
  x + y
run(1)
const id = <T,>(x: T): T => x;
const make = (x) => function () {
  return x;
};
type Callback = { done: (x: number) => void };
function takes(done: (x: number) => void, m: Map<string, (x: T) => void>): (x: T) => void {
  return done;
}
"#;
        assert_eq!(
            told(Language::Script, text),
            [
                "sq 1-1",
                "total 2-3",
                " 3-3",
                "App 4-8",
                " 5-5",
                "p 9-9",
                "q 9-9",
                "A.run 11-11",
                "A.load 12-14",
                "get 16-18",
                "a 19-19",
                "b 20-22",
                "text 23-23",
                "typed 24-24",
                " 25-26",
                "curried 25-26",
                "id 28-28",
                " 29-31",
                "make 29-31",
                "done 32-32",
                "takes 33-35",
                " 33-33"
            ]
        );
    }

    #[test]
    fn script_with_types() {
        let text = r#"function g<T>(x: T): T {
  return x;
}
class B {
  run<K extends { a: number }>(k: K): K {
    return k;
  }
  find(k: string): { b: number; c: string } {
    return at(k);
  }
}
async function load(): Promise<{ b: number }> {
  return f();
}
const h = <T>(x: T): { b: T } => {
  return { b: x };
};
const w: Map<string, number> | null = function <T>(x: T) {
};
"#;
        assert_eq!(
            told(Language::Script, text),
            [
                "g 1-3",
                "B.run 5-7",
                "B.find 8-10",
                "load 12-14",
                "h 15-17",
                "w 18-19"
            ]
        );
    }

    #[test]
    fn script() {
        let text = r#"import x from 'x';
export async function* first(a = { b: 1 }) {
  if (a) { return `}${b}`; }
}
const second = async (x: number): Promise<number> => {
  return x;
};
export default class Cart extends Base {
  constructor(n) { super(n); }
  static async total(items: Item[]): number {
    items.map(function (i) {
      return i;
    });
    items.map(i => {
      return i;
    });
  }
  get #size() { return 1; }
  handler = () => { };
}
module.exports.third = function () { };
const o = {
  fourth(a) { while (a) { } },
  fifth: function named() { },
  'six-th': (a) => { },
};
"#;
        assert_eq!(
            told(Language::Script, text),
            [
                "first 2-4",
                "second 5-7",
                "Cart.Cart 9-9",
                "Cart.total 10-17",
                " 11-13",
                " 14-16",
                "Cart.size 18-18",
                "Cart.handler 19-19",
                "third 21-21",
                "fourth 23-23",
                "named 24-24",
                "six-th 25-25"
            ]
        );
    }
}
