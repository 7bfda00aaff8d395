//! JSON as `.plop` files hold it in comments, and pprof files too: ASCII only, and strings that may
//! be any bytes.
//!
//! A byte that is not UTF-8 is written as the lone surrogate `\udc80` to `\udcff`, as Python 3 does
//! with file names.

use std::fmt;

use plop_core::Attribute;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON string as bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Text(pub(super) Vec<u8>);

impl Text {
    pub(super) fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(without_surrogates(bytes)))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
                self.visit_bytes(text.as_bytes())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Bytes in which the three that stand for a surrogate `\udc80` to `\udcff` are the one byte meant.
fn without_surrogates(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        match rest {
            [0xed, b @ 0xb2..=0xb3, c @ 0x80..=0xbf, after @ ..] => {
                out.push((b & 0x03) << 6 | c & 0x3f);
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// The members of a JSON object, in order, their values not yet looked at.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Object<'a> {
            type Value = Members<'a>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

/// A value that was not yet looked at.
pub(super) fn of<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> serde_json::Result<T> {
    serde_json::from_str(raw.get())
}

/// An error of serde_json without its place, which is one inside a line.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((text, _)) => text.into(),
        None => text,
    }
}

/// A value of a free key.
pub(super) fn attribute(raw: &RawValue) -> Attribute {
    let json = raw.get();
    if let Ok(number) = serde_json::from_str::<i64>(json) {
        return Attribute::Number(number);
    }
    match serde_json::from_str::<String>(json) {
        Ok(text) => Attribute::Text(text),
        Err(_) => Attribute::Json(one_line(json)),
    }
}

/// JSON as it is written: on one line, ASCII only.
pub(super) fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    push_raw(json, &mut line);
    line
}

/// Appends a value of a free key.
pub(super) fn push_attribute(attribute: &Attribute, out: &mut String) {
    match attribute {
        Attribute::Text(text) => push_text(text.as_bytes(), out),
        Attribute::Number(number) => out.push_str(&number.to_string()),
        Attribute::Json(json) => push_raw(json, out),
    }
}

/// Appends JSON that came from elsewhere: on one line, ASCII only. Outside strings, JSON has neither
/// other characters nor line breaks that matter. What is not JSON becomes a string.
fn push_raw(json: &str, out: &mut String) {
    if serde_json::from_str::<&RawValue>(json).is_err() {
        return push_text(json.as_bytes(), out);
    }
    let mut rest = json.trim();
    while let Some(c) = rest.chars().next() {
        // An escape goes out whole, so that the letters in it are not taken for text.
        let escape = match rest.as_bytes() {
            [b'\\', b'u', ..] => 6,
            [b'\\', ..] => 2,
            _ => 0,
        };
        if escape > 0 {
            out.push_str(&rest[..escape]);
            rest = &rest[escape..];
            continue;
        }
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c => push_char(c, rest, out),
        }
        rest = &rest[c.len_utf8()..];
    }
}

/// Appends a string.
pub(super) fn push_text(bytes: &[u8], out: &mut String) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                c => push_char(c, &chunk.valid()[at..], out),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\udc{byte:02x}"));
        }
    }
    out.push('"');
}

/// Appends a character of a string; `rest` begins with it. The word by which Python 2 takes a comment
/// for the declaration of an encoding is broken up.
fn push_char(c: char, rest: &str, out: &mut String) {
    match c {
        'c' if rest.starts_with("coding") => push_escaped(c, out),
        ' '..='~' => out.push(c),
        c => push_escaped(c, out),
    }
}

fn push_escaped(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

/// Appends `[a,b,…]`.
pub(super) fn push_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut push: impl FnMut(T, &mut String),
) {
    out.push('[');
    for (n, item) in items.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        push(item, out);
    }
    out.push(']');
}

/// Writes the members of an object one by one.
pub(super) struct Object<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut String) -> Self {
        out.push('{');
        Object { out, empty: true }
    }

    /// Appends a key; returns where its value goes.
    pub(super) fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::take(&mut self.empty) {
            self.out.push(',');
        }
        push_text(key.as_bytes(), self.out);
        self.out.push(':');
        self.out
    }

    pub(super) fn text(&mut self, key: &str, value: &[u8]) {
        if !value.is_empty() {
            push_text(value, self.key(key));
        }
    }

    pub(super) fn number(&mut self, key: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.key(key).push_str(&value.to_string());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive_as_a_string() {
        for bytes in [
            &b"plain"[..],
            b"\xff\x80\n\"\\",
            "é😀\u{7f}".as_bytes(),
            b"\xed\xa0\x80",
            b"",
        ] {
            let mut json = String::new();
            push_text(bytes, &mut json);
            assert!(json.is_ascii());
            let Text(back) = serde_json::from_str(&json).unwrap();
            assert_eq!(back, bytes, "{json}");
        }
    }

    #[test]
    fn the_declaration_of_an_encoding_is_broken_up_and_escapes_are_not() {
        let mut out = String::new();
        push_text("coding: \u{10c}oding \u{c}oding".as_bytes(), &mut out);
        assert_eq!(out, r#""\u0063oding: \u010coding \u000coding""#);
        out.clear();
        push_raw(r#"["coding","\u010coding","\\coding"]"#, &mut out);
        assert_eq!(out, r#"["\u0063oding","\u010coding","\\\u0063oding"]"#);
        let back: Vec<String> = serde_json::from_str(&out).unwrap();
        assert_eq!(back, ["coding", "\u{10c}oding", "\\coding"]);
    }

    #[test]
    fn foreign_json_is_kept_as_it_came_on_one_ascii_line() {
        let mut out = String::new();
        push_raw("{\"a\":\n [1.50, \"é\"]}", &mut out);
        assert_eq!(out, "{\"a\":  [1.50, \"\\u00e9\"]}");
        out.clear();
        push_raw("not json\n", &mut out);
        assert_eq!(out, "\"not json\\n\"");
    }
}
