//! What the formats of the folded family share: one line a stack, frames joined by `;`, root first,
//! numbers at the end.

pub(super) mod fit;
pub(super) mod frame_text;
mod lines;
pub(super) mod reader;
pub(super) mod writer;

use plop_core::Features;

/// What every member of the family keeps.
pub(super) const KEEPS: Features = Features::FILES
    .and(Features::LINES)
    .and(Features::INLINES)
    .and(Features::MARKS)
    .and(Features::ROOTS)
    .and(Features::FRACTIONS)
    .and(Features::NEGATIVE);
