//! The tables of the state: each string, function, frame and stack once, under a number.

use super::{
    Frame, Function, MOST_FRAMES, MOST_FUNCTIONS, MOST_NODES, MOST_TEXT, MOST_THREADS, Node, State,
    Thread,
};
use crate::memory::hash;

impl State {
    /// The text of a string.
    pub(crate) fn string_at(&self, id: u32) -> &[u8] {
        let end = self.strings.get(id as usize + 1).unwrap_or(0) as usize;
        let start = self.strings.get(id as usize).unwrap_or(0) as usize;
        self.text.as_slice().get(start..end).unwrap_or_default()
    }

    /// How many strings there are.
    pub(crate) fn string_count(&self) -> usize {
        self.strings.len().saturating_sub(1)
    }

    pub(crate) fn string(&mut self, text: &[u8]) -> Option<u32> {
        let mut key = hash(text, 0);
        while let Some(id) = self.string_ids.get(key) {
            if self.string_at(id) == text {
                return Some(id);
            }
            key = key.wrapping_add(1).max(1);
        }
        let end = self.text.len() + text.len();
        if end > MOST_TEXT || !self.text.extend(text) || !self.strings.push(end as u32) {
            return None;
        }
        let id = self.strings.len() as u32 - 2;
        self.string_ids.insert(key, id).then_some(id)
    }

    pub(super) fn function(&mut self, function: Function) -> Option<u32> {
        let Function {
            name,
            file,
            first_line,
        } = function;
        let bytes = (u64::from(name) << 32 | u64::from(file)).to_le_bytes();
        let mut key = hash(&bytes, u64::from(first_line));
        while let Some(id) = self.function_ids.get(key) {
            let known = self.functions.get(id as usize)?;
            if (known.name, known.file, known.first_line) == (name, file, first_line) {
                return Some(id);
            }
            key = key.wrapping_add(1).max(1);
        }
        let id = self.functions.len() as u32;
        let fits = self.functions.len() < MOST_FUNCTIONS
            && self.functions.push(function)
            && self.function_ids.insert(key, id);
        fits.then_some(id)
    }

    pub(super) fn frame(&mut self, function: u32, line: u32, kind: u32) -> Option<u32> {
        let key = 1 << 63 | u64::from(function) << 32 | u64::from(line) << 1 | u64::from(kind);
        if let Some(id) = self.frame_ids.get(key) {
            return Some(id);
        }
        let id = self.frames.len() as u32;
        let fits = self.frames.len() < MOST_FRAMES
            && self.frames.push(Frame {
                function,
                line,
                kind,
            })
            && self.frame_ids.insert(key, id);
        fits.then_some(id)
    }

    /// The frame that stands for what is no Python function.
    pub(super) fn marker(&mut self, name: &[u8]) -> Option<u32> {
        let name = self.string(name)?;
        let function = self.function(Function {
            name,
            file: 0,
            first_line: 0,
        })?;
        self.frame(function, 0, 1)
    }

    pub(super) fn node(&mut self, parent: u32, frame: u32) -> Option<u32> {
        let key = 1 << 63 | u64::from(parent) << 32 | u64::from(frame);
        if let Some(id) = self.node_ids.get(key) {
            return Some(id);
        }
        let id = self.nodes.len() as u32;
        let fits = self.nodes.len() < MOST_NODES
            && self.nodes.push(Node { parent, frame })
            && self.node_ids.insert(key, id);
        fits.then_some(id)
    }

    /// A thread's row. Of very many, those of one name share one.
    pub(crate) fn thread(&mut self, tid: i32, name: &[u8]) -> u32 {
        let name = self.string(name).unwrap_or(0);
        let full = self.threads.len() >= MOST_THREADS;
        let tid = if full { 0 } else { tid };
        let known = self.threads.as_slice().iter();
        let found = match full {
            true => known
                .clone()
                .rposition(|thread| thread.tid == 0 && thread.name == name),
            false => None,
        };
        if let Some(known) = found {
            return known as u32;
        }
        if self.threads.len() < 2 * MOST_THREADS && self.threads.push(Thread { tid, name }) {
            return self.threads.len() as u32 - 1;
        }
        self.threads.len().saturating_sub(1) as u32
    }

    /// Gives a thread its name, which may have become known after its first samples.
    pub(crate) fn name_thread(&mut self, thread: u32, name: &[u8]) {
        let known = self.threads.get(thread as usize).map(|thread| thread.name);
        if known.is_some_and(|known| self.string_at(known) == name) {
            return;
        }
        if let Some(name) = self.string(name)
            && let Some(thread) = self.threads.get_mut(thread as usize)
            && thread.tid != 0
        {
            thread.name = name;
        }
    }
}
