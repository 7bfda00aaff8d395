//! What has been sampled as bytes that only plop reads: the tables of the state as they are. What each
//! section holds is told by `plop-sampler`, which reads them.

use crate::memory::Vector;
use crate::state::State;

/// What is known of the recording besides the tables: keys and values.
pub(crate) trait Facts {
    /// Calls `number` and `text` with every fact.
    fn tell(&self, number: &mut dyn FnMut(&str, u64), text: &mut dyn FnMut(&str, &[u8]));
}

/// Writes the image of a state into `out`; whether there was memory.
pub(crate) fn build(state: &State, facts: &dyn Facts, out: &mut Vector<u8>) -> bool {
    out.clear();
    let mut image = Image { out, fits: true };
    image.put(b"PLOPREC1");
    image.put(&0u64.to_le_bytes());

    image.section(1, |image| {
        let fits = core::cell::Cell::new(true);
        let lines = core::cell::RefCell::new(&mut *image.out);
        let line = |key: &str, value: &[u8]| {
            let Ok(mut out) = lines.try_borrow_mut() else {
                return;
            };
            let whole = out.extend(key.as_bytes())
                && out.extend(b"=")
                && value.iter().all(|byte| match byte {
                    b'%' => out.extend(b"%25"),
                    b'\n' => out.extend(b"%0A"),
                    byte => out.push(*byte),
                })
                && out.extend(b"\n");
            fits.set(fits.get() && whole);
        };
        facts.tell(
            &mut |key, value| line(key, crate::config::decimal(value, &mut [0; 20])),
            &mut |key, value| line(key, value),
        );
        image.fits &= fits.get();
    });
    image.section(2, |image| {
        for id in 0..state.string_count() {
            let text = state.string_at(id as u32);
            image.word(text.len() as u32);
            image.put(text);
        }
    });
    image.section(3, |image| {
        for function in state.functions.as_slice() {
            image.words(&[function.name, function.file, function.first_line]);
        }
    });
    image.section(4, |image| {
        for frame in state.frames.as_slice() {
            image.words(&[frame.function, frame.line, frame.kind]);
        }
    });
    image.section(5, |image| {
        for node in state.nodes.as_slice() {
            image.words(&[node.parent, node.frame]);
        }
    });
    image.section(6, |image| {
        for thread in state.threads.as_slice() {
            image.words(&[thread.tid as u32, thread.name]);
        }
    });
    image.section(7, |image| {
        for row in state.rows.as_slice() {
            image.words(&[row.slice(), row.thread(), row.node(), row.state()]);
            image.long(row.cpu);
            image.long(row.wall);
        }
    });
    image.section(8, |image| {
        for slice in state.used_slices() {
            image.long(slice.ticks);
            image.long(slice.cpu_ns);
            image.long(slice.wall_ns);
        }
    });
    if state.timeline {
        image.section(9, |image| {
            for timed in state.times.as_slice() {
                image.long(timed.time_ns);
                image.words(&[timed.thread, timed.node, timed.state, 0]);
                image.long(timed.cpu as u64);
                image.long(timed.wall as u64);
            }
        });
    }
    let len = image.out.len() as u64;
    image.patch(8, len);
    image.fits
}

struct Image<'o> {
    out: &'o mut Vector<u8>,
    fits: bool,
}

impl Image<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.fits &= self.out.extend(bytes);
    }

    fn word(&mut self, word: u32) {
        self.put(&word.to_le_bytes());
    }

    fn words(&mut self, words: &[u32]) {
        words.iter().for_each(|word| self.word(*word));
    }

    fn long(&mut self, word: u64) {
        self.put(&word.to_le_bytes());
    }

    fn patch(&mut self, at: usize, word: u64) {
        if let Some(place) = self.out.as_mut_slice().get_mut(at..at + 8) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }

    fn section(&mut self, tag: u32, fill: impl FnOnce(&mut Self)) {
        self.words(&[tag, 0]);
        let length_at = self.out.len();
        self.long(0);
        let start = self.out.len();
        fill(self);
        let len = self.out.len() - start;
        self.patch(length_at, len as u64);
        let padding = len.wrapping_neg() % 8;
        self.put([0; 8].get(..padding).unwrap_or_default());
    }
}
