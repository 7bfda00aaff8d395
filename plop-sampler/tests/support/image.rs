//! Writes images as the agent does, for tests: of a program with few functions and many possibilities.
#![allow(dead_code)]

/// The payloads of an image, section by section.
#[derive(Clone, Default, Debug)]
pub(crate) struct Image {
    pub(crate) meta: Vec<(String, String)>,
    pub(crate) strings: Vec<Vec<u8>>,
    /// Name, file, first line.
    pub(crate) functions: Vec<[u32; 3]>,
    /// Function, line, kind.
    pub(crate) frames: Vec<[u32; 3]>,
    /// Parent, frame.
    pub(crate) nodes: Vec<[u32; 2]>,
    /// Thread id, name.
    pub(crate) threads: Vec<[u32; 2]>,
    /// Slice, thread, node, state; CPU and wall samples.
    pub(crate) rows: Vec<([u32; 4], [i64; 2])>,
    /// Ticks, CPU time, time that passed.
    pub(crate) slices: Vec<[u64; 3]>,
    /// Time; thread, node, state; CPU and wall samples.
    pub(crate) timeline: Vec<(u64, [u32; 3], [i64; 2])>,
}

pub(crate) const NONE: u32 = u32::MAX;

impl Image {
    /// Two threads: `main` calls `work` and `wait`. Three slices of 10 ms.
    pub(crate) fn sample(pid: u32) -> Image {
        let text = |text: &str| text.as_bytes().to_vec();
        Image {
            meta: [
                ("version", "1"),
                ("ppid", "1"),
                ("root", "1"),
                ("started", "1800000000000000000"),
                ("duration_ns", "25000000"),
                ("begin_ns", "1000000"),
                ("end_ns", "26000000"),
                ("slice_ns", "10000000"),
                ("period_ns", "10000000"),
                ("mode", "cpu+wall"),
                ("trigger", "timer"),
                ("runtime", "CPython 3.11.7"),
                ("asked", "9"),
                ("delivered", "8"),
                ("dropped", "1"),
                ("overruns", "2"),
                ("rejected", "1"),
                ("cpu_ns", "40000000"),
                ("wall_ns", "25000000"),
                ("own_cpu_ns", "100000"),
                ("handler_ns", "50000"),
                ("signals", "6"),
                ("setup_ns", "10000"),
                ("threads_seen", "2"),
                ("finished", "1"),
                ("ended", "exit"),
            ]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .chain([("pid".to_owned(), pid.to_string())])
            .collect(),
            strings: ["", "main", "app.py", "work", "wait", "MainThread", "io"]
                .map(text)
                .to_vec(),
            functions: vec![[1, 2, 1], [3, 2, 5], [4, 2, 9]],
            frames: vec![[0, 3, 0], [1, 6, 0], [2, 10, 0]],
            nodes: vec![[0, NONE], [0, 0], [1, 1], [1, 2]],
            threads: vec![[pid, 5], [pid + 1, 6]],
            rows: vec![
                ([0, 0, 2, 0], [2, 2]),
                ([1, 0, 2, 0], [1, 1]),
                ([1, 1, 3, 2], [0, 3]),
                ([2, 0, 2, 1], [0, 1]),
                ([2, 0, 2, 0], [2, 2]),
            ],
            slices: vec![
                [3, 12_000_000, 9_000_000],
                [3, 14_000_000, 10_000_000],
                [2, 14_000_000, 6_000_000],
            ],
            timeline: vec![],
        }
    }

    /// The same with another value for a key of META.
    pub(crate) fn with(mut self, key: &str, value: impl ToString) -> Image {
        self.meta.retain(|(known, _)| known != key);
        self.meta.push((key.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let words = |rows: &[Vec<u32>]| -> Vec<u8> {
            rows.iter()
                .flatten()
                .flat_map(|n| n.to_le_bytes())
                .collect()
        };
        let meta: Vec<u8> = (self.meta.iter())
            .flat_map(|(key, value)| {
                let value = value.replace('%', "%25").replace('\n', "%0A");
                format!("{key}={value}\n").into_bytes()
            })
            .collect();
        let mut strings = Vec::new();
        for text in &self.strings {
            strings.extend_from_slice(&(text.len() as u32).to_le_bytes());
            strings.extend_from_slice(text);
        }
        let mut rows = Vec::new();
        for (ids, counts) in &self.rows {
            rows.extend(ids.iter().flat_map(|n| n.to_le_bytes()));
            rows.extend(counts.iter().flat_map(|n| n.to_le_bytes()));
        }
        let slices: Vec<u8> = (self.slices.iter().flatten())
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let mut timeline = Vec::new();
        for (time, ids, counts) in &self.timeline {
            timeline.extend(time.to_le_bytes());
            timeline.extend(ids.iter().flat_map(|n| n.to_le_bytes()));
            timeline.extend([0; 4]);
            timeline.extend(counts.iter().flat_map(|n| n.to_le_bytes()));
        }
        let sections: [(u32, Vec<u8>); 10] = [
            // A section that no reader knows yet.
            (77, vec![1, 2, 3]),
            (2, strings),
            (
                3,
                words(
                    &self
                        .functions
                        .iter()
                        .map(|f| f.to_vec())
                        .collect::<Vec<_>>(),
                ),
            ),
            (
                4,
                words(&self.frames.iter().map(|f| f.to_vec()).collect::<Vec<_>>()),
            ),
            (
                5,
                words(&self.nodes.iter().map(|n| n.to_vec()).collect::<Vec<_>>()),
            ),
            (
                6,
                words(&self.threads.iter().map(|t| t.to_vec()).collect::<Vec<_>>()),
            ),
            (7, rows),
            (8, slices),
            (9, timeline),
            (1, meta),
        ];
        let mut body = Vec::new();
        for (tag, payload) in sections {
            if payload.is_empty() && tag == 9 {
                continue;
            }
            body.extend(tag.to_le_bytes());
            body.extend([0; 4]);
            body.extend((payload.len() as u64).to_le_bytes());
            body.extend_from_slice(&payload);
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let mut image = b"PLOPREC1".to_vec();
        image.extend((body.len() as u64 + 16).to_le_bytes());
        image.extend(body);
        image
    }
}
