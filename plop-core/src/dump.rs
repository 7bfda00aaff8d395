//! The canonical text of a profile: everything it holds, independent of ids and table order.
//!
//! Two profiles mean the same exactly when their dumps are equal, which makes the dump the language
//! of golden tests and of the laws. It is not a format: nothing reads it.

use std::fmt::Write;

use crate::{
    Attribute, FrameId, LabelSetId, LabelValue, Profile, StrId, ThreadId, ValueType, decimal,
    escape,
};

impl Profile {
    /// The canonical text. Samples without times that differ in nothing but their values are added up.
    /// They are sorted by time, and by their text where they have none or the same.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        self.dump_meta(&mut out);
        for (n, value) in self.values.iter().enumerate() {
            let default = if n == self.default_value {
                " (default)"
            } else {
                ""
            };
            let _ = writeln!(out, "value {}{default}", value_text(value));
        }
        for (n, slice) in self.slices.0.iter().enumerate() {
            let _ = write!(out, "slice {n}: run {}, {} ns", slice.run, slice.length_ns);
            for (name, counter) in [
                ("ticks", slice.ticks),
                ("cpu_ns", slice.cpu_ns),
                ("wall_ns", slice.wall_ns),
            ] {
                if let Some(counter) = counter {
                    let _ = write!(out, ", {name} {counter}");
                }
            }
            let mut work: Vec<_> = slice.work.iter().collect();
            work.sort();
            for (counter, amount) in work {
                let _ = write!(out, ", work {} {amount}", escape(counter.as_bytes()));
            }
            out.push('\n');
        }
        let frames: Vec<String> = (0..self.frames.len())
            .map(|n| self.frame_text(FrameId::new(n)))
            .collect();
        let samples = self.summed_samples();
        let mut rows: Vec<(Option<i64>, String)> = (samples.iter())
            .map(|sample| {
                let mut row = String::new();
                let mut path: Vec<FrameId> = self.stacks.frames(sample.stack).collect();
                path.reverse();
                for frame in path {
                    row.push_str(&frames[frame.index()]);
                    row.push_str("; ");
                }
                row.push('=');
                for (value, of) in sample.values.iter().zip(&self.values) {
                    row.push(' ');
                    row.push_str(&decimal(*value, of.scale));
                }
                if let Some(thread) = sample.thread {
                    row.push_str(&self.thread_text(thread));
                }
                if let Some(labels) = sample.labels {
                    row.push_str(&self.labels_text(labels));
                }
                if let Some(slice) = sample.slice {
                    let _ = write!(row, ", slice {}", slice.index());
                }
                if let Some(time) = sample.time_ns {
                    let _ = write!(row, ", at {time} ns");
                }
                (sample.time_ns, row)
            })
            .collect();
        rows.sort_unstable();
        for (_, row) in rows {
            out.push_str(&row);
            out.push('\n');
        }
        out
    }

    fn dump_meta(&self, out: &mut String) {
        let meta = &self.meta;
        let mut line = |key: &str, value: String| {
            if !value.is_empty() {
                let _ = writeln!(out, "{key}: {value}");
            }
        };
        let number = |n: Option<i64>| n.map_or(String::new(), |n| n.to_string());
        let text = |s: &str| escape(s.as_bytes());
        line("name", text(&meta.name));
        line("start_ns", number(meta.start_ns));
        line("duration_ns", number(meta.duration_ns));
        if let Some(period) = &meta.period {
            line(
                "period",
                format!("{} of {}", period.every, value_text(&period.of)),
            );
        }
        line("clock", text(&meta.clock));
        if let Some(ticks) = meta.ticks {
            let counts = (ticks.asked, ticks.delivered, ticks.dropped);
            line(
                "ticks",
                format!(
                    "{} asked, {} delivered, {} dropped",
                    counts.0, counts.1, counts.2
                ),
            );
        }
        line("cpu_ns", number(meta.cpu_ns));
        line("wall_ns", number(meta.wall_ns));
        for (counter, amount) in &meta.work {
            line("work", format!("{} {amount}", text(counter)));
        }
        for word in &meta.command {
            line("command", format!("\"{}\"", text(word)));
        }
        line("runtime", text(&meta.runtime));
        for (name, attributes) in [
            ("host", &meta.host),
            ("build", &meta.build),
            ("sampler", &meta.sampler),
            ("extra", &meta.extra),
        ] {
            for (key, value) in attributes {
                let value = match value {
                    Attribute::Text(t) => format!("\"{}\"", text(t)),
                    Attribute::Number(n) => n.to_string(),
                    Attribute::Json(json) => text(json),
                };
                line(name, format!("{} = {value}", text(key)));
            }
        }
        for prefix in &meta.prefixes {
            line("prefix", format!("\"{}\"", text(prefix)));
        }
        for comment in &meta.comments {
            line("comment", format!("\"{}\"", text(comment)));
        }
        line("drop_frames", text(&meta.drop_frames));
        line("keep_frames", text(&meta.keep_frames));
        line("doc_url", text(&meta.doc_url));
    }

    /// `name (file:line:column) [first 80, system _Z3f, at 0x12 in libc.so (id ab), inlined, kernel]`
    fn frame_text(&self, id: FrameId) -> String {
        let frame = self.frames.get(id);
        let function = self.functions.get(frame.function);
        let text = |id: StrId| escape(self.strings.get(id));
        let mut out = text(function.name);
        if function.file != StrId::EMPTY || frame.line != 0 || frame.column != 0 {
            let _ = write!(out, " ({}:{}", text(function.file), frame.line);
            if frame.column != 0 {
                let _ = write!(out, ":{}", frame.column);
            }
            out.push(')');
        }
        let mut more = Vec::new();
        if function.start_line != 0 {
            more.push(format!("first {}", function.start_line));
        }
        if function.system_name != StrId::EMPTY {
            more.push(format!("system {}", text(function.system_name)));
        }
        if frame.address != 0 {
            more.push(format!("at {:#x}", frame.address));
        }
        if let Some(mapping) = frame.mapping.map(|id| self.mappings.get(id)) {
            more.push(format!(
                "in {} {:#x}-{:#x} from {:#x} id {}",
                text(mapping.file),
                mapping.start,
                mapping.limit,
                mapping.offset,
                text(mapping.build_id)
            ));
        }
        if frame.inlined {
            more.push("inlined".into());
        }
        if frame.kind != crate::FrameKind::Unknown {
            more.push(frame.kind.word().into());
        }
        if !more.is_empty() {
            let _ = write!(out, " [{}]", more.join(", "));
        }
        out
    }

    fn thread_text(&self, id: ThreadId) -> String {
        let thread = self.threads.get(id);
        let name = escape(self.strings.get(thread.name));
        format!(", thread {}/{} \"{name}\"", thread.pid, thread.tid)
    }

    fn labels_text(&self, id: LabelSetId) -> String {
        let mut out = String::new();
        for (key, value) in self.label_sets.get(id) {
            let text = |id: StrId| escape(self.strings.get(id));
            let _ = match value {
                LabelValue::Text(t) => write!(out, ", {}=\"{}\"", text(*key), text(*t)),
                LabelValue::Number(n, unit) => write!(out, ", {}={n} {}", text(*key), text(*unit)),
            };
        }
        out
    }
}

/// The dump: what a test that failed, or a debugger, should show.
impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Profile:\n")?;
        f.write_str(&self.dump())
    }
}

fn value_text(value: &ValueType) -> String {
    format!(
        "{}/{}",
        escape(value.kind.as_bytes()),
        escape(value.unit.as_bytes())
    )
}

#[cfg(test)]
mod tests {
    use crate::{Frame, FrameKind, Profile, Sample, StackId, ValueType};

    #[test]
    fn the_dump_does_not_depend_on_the_order_of_tables() {
        let build = |weights: &[(&str, i64)]| {
            let mut profile = Profile::new(vec![ValueType::samples()]);
            for (name, weight) in weights {
                let function = profile.function(name.as_bytes(), b"");
                let frame = profile.frames.intern(Frame {
                    kind: FrameKind::Kernel,
                    ..Frame::of(function)
                });
                let stack = profile.stacks.push(StackId::ROOT, frame);
                profile.samples.push(Sample::of(stack, &[*weight]));
            }
            profile.dump()
        };
        let dump = build(&[("b", 1), ("a\n", 2), ("b", 3)]);
        assert_eq!(
            dump,
            "value samples/count (default)\na\\n [kernel]; = 2\nb [kernel]; = 4\n"
        );
        assert_eq!(dump, build(&[("a\n", 2), ("b", 4)]));
    }
}
