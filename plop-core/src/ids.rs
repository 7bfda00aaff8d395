//! The ids by which the tables of one profile refer to each other.
//!
//! Ids are dense, small and `Copy`. An id means something only inside the profile that handed it
//! out; `absorb` is the one place where ids of two profiles meet, and it remaps them.

use std::num::NonZeroU32;

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(u32);

        impl $name {
            /// The id of row `index`. Tables refuse to grow past `u32::MAX - 2` rows, so a row
            /// number always fits.
            #[inline]
            pub fn new(index: usize) -> Self {
                debug_assert!(index < u32::MAX as usize);
                Self(index as u32)
            }

            /// The row number.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

/// Ids that are often absent: `Option<Id>` takes four bytes.
macro_rules! niche_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The id of row `index`. Tables refuse to grow past `u32::MAX - 2` rows, so a row
            /// number always fits.
            #[inline]
            pub fn new(index: usize) -> Self {
                debug_assert!(index < u32::MAX as usize);
                Self(NonZeroU32::new((index as u32).saturating_add(1)).unwrap_or(NonZeroU32::MAX))
            }

            /// The row number.
            #[inline]
            pub fn index(self) -> usize {
                self.0.get() as usize - 1
            }
        }
    };
}

dense_id!(
    /// A string of [`Strings`](crate::Strings).
    StrId
);
dense_id!(
    /// A function of [`Functions`](crate::Functions).
    FunctionId
);
dense_id!(
    /// A frame of [`Frames`](crate::Frames).
    FrameId
);
dense_id!(
    /// A stack of [`Stacks`](crate::Stacks): the node where its leaf stands.
    StackId
);
niche_id!(
    /// A binary of [`Mappings`](crate::Mappings).
    MappingId
);
niche_id!(
    /// A thread of [`Threads`](crate::Threads).
    ThreadId
);
niche_id!(
    /// A label set of [`LabelSets`](crate::LabelSets).
    LabelSetId
);
niche_id!(
    /// A slice of [`Slices`](crate::Slices).
    SliceId
);

impl StrId {
    /// The empty string, present in every profile.
    pub const EMPTY: StrId = StrId(0);
}

impl StackId {
    /// The empty stack: the root of the trie, present in every profile.
    pub const ROOT: StackId = StackId(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_id_costs_nothing() {
        assert_eq!(std::mem::size_of::<Option<ThreadId>>(), 4);
        assert_eq!(ThreadId::new(0).index(), 0);
        assert_eq!(ThreadId::new(7).index(), 7);
    }
}
