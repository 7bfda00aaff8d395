//! Names that survive folded stacks: escaped, and back.

use crate::{
    Frame, Function, LabelSetId, LabelValue, Mapping, MappingId, Profile, Sample, StrId, Thread,
    ThreadId,
};

impl Profile {
    /// With whatever folded stacks cannot write in a name percent-encoded: `;`, line ends, `%`
    /// itself, parentheses, spaces at either end, and brackets or a number that would be read as a mark
    /// or a count. [`Profile::unescaped`] turns it back.
    pub fn escaped(self) -> Profile {
        self.with_names(escape_name)
    }

    /// With every `%` and two hexadecimal digits in a name as the byte they stand for.
    pub fn unescaped(self) -> Profile {
        self.with_names(unescape_name)
    }

    /// With every function name and file as `to` returns it. Frames that become equal become one.
    pub fn with_names(mut self, to: impl Fn(&[u8]) -> Vec<u8>) -> Profile {
        let strings: Vec<StrId> = (0..self.strings.len())
            .map(|n| {
                let text = to(self.strings.get(StrId::new(n)));
                self.strings.intern(&text)
            })
            .collect();
        let profile = self.with_frames(|profile, id| {
            let function = *profile.function_of(id);
            let function = Function {
                name: strings[function.name.index()],
                file: strings[function.file.index()],
                ..function
            };
            (function, *profile.frames.get(id))
        });
        profile.compact()
    }

    /// With every text as `to` returns it: names, files, binaries, threads and labels. Frames that
    /// become equal become one.
    pub fn with_texts(mut self, to: impl Fn(&[u8]) -> Vec<u8>) -> Profile {
        let strings: Vec<StrId> = (0..self.strings.len())
            .map(|n| {
                let text = to(self.strings.get(StrId::new(n)));
                self.strings.intern(&text)
            })
            .collect();
        let text = |id: StrId| strings[id.index()];
        let mut tables = Profile::new(Vec::new());
        let mappings: Vec<MappingId> = (self.mappings.iter())
            .map(|(_, mapping)| {
                tables.mappings.intern(Mapping {
                    file: text(mapping.file),
                    build_id: text(mapping.build_id),
                    ..*mapping
                })
            })
            .collect();
        let threads: Vec<ThreadId> = (self.threads.iter())
            .map(|(_, thread)| {
                tables.threads.intern(Thread {
                    name: text(thread.name),
                    ..*thread
                })
            })
            .collect();
        let labels: Vec<LabelSetId> = (self.label_sets.iter())
            .map(|(_, set)| {
                let set = set.iter().map(|(key, value)| {
                    let value = match *value {
                        LabelValue::Text(value) => LabelValue::Text(text(value)),
                        LabelValue::Number(number, unit) => LabelValue::Number(number, text(unit)),
                    };
                    (text(*key), value)
                });
                tables.label_sets.intern(set.collect())
            })
            .collect();
        let stride = self.values.len();
        self.samples = self.samples.filter_map(stride, |sample, _| {
            Some(Sample {
                thread: sample.thread.map(|id| threads[id.index()]),
                labels: sample.labels.map(|id| labels[id.index()]),
                ..sample
            })
        });
        let profile = self.with_frames(|profile, id| {
            let (frame, function) = (*profile.frames.get(id), *profile.function_of(id));
            let function = Function {
                name: text(function.name),
                system_name: text(function.system_name),
                file: text(function.file),
                ..function
            };
            let mapping = frame.mapping.map(|id| mappings[id.index()]);
            (function, Frame { mapping, ..frame })
        });
        let profile = Profile {
            mappings: tables.mappings,
            threads: tables.threads,
            label_sets: tables.label_sets,
            ..profile
        };
        profile.compact()
    }
}

/// A name as [`Profile::escaped`] writes it.
fn escape_name(name: &[u8]) -> Vec<u8> {
    let ends_in = |byte| name.last() == Some(&byte);
    let last_space = name.iter().rposition(|b| *b == b' ');
    let like_a_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
    let number_last =
        last_space.is_some_and(|space| name.get(space + 1).is_some_and(like_a_number));
    let like_a_root = name.starts_with(b"process ") || name.starts_with(b"thread (");
    let first_space = name.iter().position(|b| *b == b' ');
    let mut out = Vec::with_capacity(name.len());
    for (n, byte) in name.iter().enumerate() {
        let at_end = n == 0 || n + 1 == name.len();
        let encode = match byte {
            b'%' | b';' | b'(' | b')' | 0..=0x1f | 0x7f => true,
            b' ' => {
                at_end
                    || (number_last && Some(n) == last_space)
                    || (like_a_root && Some(n) == first_space)
            }
            b'[' | b']' => ends_in(b']'),
            _ => false,
        };
        match encode {
            true => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            false => out.push(*byte),
        }
    }
    out
}

fn unescape_name(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                out.push(decoded);
                rest = &after[2..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::tests::{folded, profile};

    #[test]
    fn escaping_is_undone_by_unescaping() {
        for name in [
            "a;b",
            "100%",
            "%41",
            " x ",
            "f (x.py:3)",
            "read_[k]",
            "worker 5",
            "a\nb\r",
            "",
            "é",
            "thread (5)",
        ] {
            let escaped = escape_name(name.as_bytes());
            assert!(
                !escaped.contains(&b';') && !escaped.contains(&b'\n'),
                "{name}"
            );
            assert_eq!(unescape_name(&escaped), name.as_bytes());
        }
        assert_eq!(escape_name(b"f(int) const"), b"f%28int%29 const");
        assert_eq!(folded(profile(&[("a%3Bb", 1)]).unescaped()), ["a;b 1"]);
        assert_eq!(folded(profile(&[("a%", 1)]).escaped()), ["a%25 1"]);
    }
}
