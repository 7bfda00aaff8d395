//! Profile formats: bytes in, [`Profile`](plop_core::Profile)s out, and back.
//!
//! You give [`read`] the bytes of a file, or [`read_source`] something to read them from; you get its profiles, the [`Format`] they were in, and
//! notes of what the reader had to put up with. You give [`Format::write`] profiles and somewhere to
//! write; you get the bytes, and the set of features that the format had no room for.
//!
//! # What holds
//! - Nothing is lost in silence: what a format cannot hold is in the returned
//!   [`Features`](plop_core::Features), what was changed is in the notes.
//! - The law, tested for every format: reading what was written gives the profile back, less exactly
//!   those losses.
//! - Same input, same bytes out, whatever the number of threads.
//! - Any bytes at all may be read: a broken input is an error with a place, never a panic.
//!
//! # What it is not for
//! This crate opens no file. How many threads it uses is decided by the
//! [rayon](https://docs.rs/rayon) pool in which it is called.
//!
//! ```
//! use plop_convert::{ReadOptions, find, read};
//! use plop_core::Notes;
//!
//! let plop = b"{(('app.py', 88, 'parse'), ('app.py', 12, 'main')): 331}";
//! let loaded = read(plop, None, &ReadOptions::default())?;
//! let mut out = Vec::new();
//! find("folded").unwrap().write(&loaded.profiles, &mut out, &mut Notes::new())?;
//! assert_eq!(out, b"main (app.py:12);parse (app.py:88) 331\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod format;
mod formats;
mod head;
mod input;
mod source;

pub use format::{
    Confidence, Content, Format, MAX_INFLATED, Prepared, Read, ReadFn, ReadOptions, ReadPartsFn,
    WriteError, WriteFn, fits,
};
pub use formats::{find, for_file, formats, markdown_table};
pub use head::Head;
pub use input::{Loaded, detect, read, read_source};
pub use source::Source;
