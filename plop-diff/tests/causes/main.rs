//! Causes of which there are many, that are large, or that only moved: what is told of them, and whether it fails.

mod doubts;
mod large;
mod lengths;
mod many;
mod moved;
mod runs;
