//! Values by number.

use std::hash::Hash;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

/// Values by number, each once.
#[derive(Debug)]
pub(crate) struct Numbered<T>(IndexSet<T, FxBuildHasher>);

impl<T: Eq + Hash> Numbered<T> {
    pub(crate) fn new() -> Self {
        Numbered(IndexSet::default())
    }

    /// The number of a value, which is new if it was not there.
    pub(crate) fn number(&mut self, value: T) -> u32 {
        u32::try_from(self.0.insert_full(value).0).expect("fewer values than a search can hold")
    }

    pub(crate) fn find(&self, value: &T) -> Option<u32> {
        self.0.get_index_of(value).and_then(|number| u32::try_from(number).ok())
    }

    pub(crate) fn get(&self, number: u32) -> &T {
        &self.0[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
