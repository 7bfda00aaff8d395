//! A table of distinct rows, used for functions, frames, mappings, threads and label sets.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// No table grows past this, so that every row number fits an id with two values to spare.
/// A table that had to refuse a row says so to [`Profile::check`](crate::Profile::check).
pub(crate) const MAX_ROWS: usize = u32::MAX as usize - 2;

/// Distinct rows by dense number, in the order in which they first appeared.
#[derive(Clone)]
pub(crate) struct Table<Row> {
    rows: Vec<Row>,
    lookup: HashTable<u32>,
    hasher: RandomState,
    full: bool,
}

impl<Row: Hash + Eq> Table<Row> {
    pub(crate) fn new() -> Self {
        Table {
            rows: Vec::new(),
            lookup: HashTable::new(),
            hasher: RandomState::default(),
            full: false,
        }
    }

    /// The number of the row equal to `row`, which is added when it is new.
    pub(crate) fn intern(&mut self, row: Row) -> usize {
        let hash = self.hasher.hash_one(&row);
        let rows = &self.rows;
        if let Some(&number) = self.lookup.find(hash, |&n| rows[n as usize] == row) {
            return number as usize;
        }
        let number = self.rows.len();
        if number >= MAX_ROWS {
            self.full = true;
            return 0;
        }
        self.rows.push(row);
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.lookup
            .insert_unique(hash, number as u32, |&n| hasher.hash_one(&rows[n as usize]));
        number
    }

    #[inline]
    pub(crate) fn get(&self, number: usize) -> &Row {
        &self.rows[number]
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }
}

/// Gives a public table type its constructor, `intern`, `get`, `len`, `is_empty` and `iter`.
macro_rules! public_table {
    ($(#[$doc:meta])* $table:ident of $row:ty, by $id:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $table(crate::table::Table<$row>);

        impl $table {
            /// An empty table.
            pub fn new() -> Self {
                $table(crate::table::Table::new())
            }

            /// The id of the row equal to `row`, which is added when it is new.
            #[inline]
            pub fn intern(&mut self, row: $row) -> $id {
                $id::new(self.0.intern(row))
            }

            /// The row of an id.
            #[inline]
            pub fn get(&self, id: $id) -> &$row {
                self.0.get(id.index())
            }

            /// How many rows there are.
            pub fn len(&self) -> usize {
                self.0.rows().len()
            }

            /// Whether there is no row.
            pub fn is_empty(&self) -> bool {
                self.0.rows().is_empty()
            }

            /// All rows, in the order of their ids.
            pub fn iter(&self) -> impl ExactSizeIterator<Item = ($id, &$row)> {
                self.0.rows().iter().enumerate().map(|(n, row)| ($id::new(n), row))
            }

            pub(crate) fn is_full(&self) -> bool {
                self.0.is_full()
            }
        }

        impl Default for $table {
            fn default() -> Self {
                $table::new()
            }
        }
    };
}
pub(crate) use public_table;
