//! What a file says about its addresses: functions, files, lines.

use hashbrown::HashMap;

/// A function at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Symbol<'t> {
    pub(super) name: &'t [u8],
    /// Empty where it is not known.
    pub(super) file: &'t [u8],
    /// 0 where it is not known.
    pub(super) line: i64,
}

impl<'t> Symbol<'t> {
    /// A function of which only the name is known.
    pub(super) fn named(name: &'t [u8]) -> Self {
        Symbol {
            name,
            file: b"",
            line: 0,
        }
    }
}

/// The functions at each address: several where calls were inlined, the outermost first.
#[derive(Default)]
pub(super) struct Symbols<'t>(HashMap<u64, Vec<Symbol<'t>>, foldhash::fast::RandomState>);

impl<'t> Symbols<'t> {
    /// The functions at an address; none where nothing is known for sure.
    pub(super) fn at(&self, address: u64) -> &[Symbol<'t>] {
        self.0.get(&address).map_or(&[], Vec::as_slice)
    }

    /// Says what is at an address, instead of what was said before.
    pub(super) fn set(&mut self, address: u64, symbols: Vec<Symbol<'t>>) {
        self.0.insert(address, symbols);
    }

    /// Says what is at an address. An address about which two things are said has no symbol.
    pub(super) fn add(&mut self, address: u64, symbol: Symbol<'t>) {
        let known = self.0.entry(address).or_insert_with(|| vec![symbol]);
        if *known != [symbol] {
            known.clear();
        }
    }

    /// How many addresses were given two names.
    pub(super) fn disputed(&self) -> usize {
        self.0.values().filter(|symbols| symbols.is_empty()).count()
    }
}
