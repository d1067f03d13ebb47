//! Mutations that were tried, and those that the audit missed.

use std::collections::{BTreeMap, BTreeSet};

/// Table or source, and what was changed there.
pub(crate) type Change = (String, String);

/// Tried and missed mutations.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) tried: BTreeMap<Change, usize>,
    pub(crate) unfound: BTreeSet<Change>,
}

impl Tally {
    pub(crate) fn note(&mut self, place: &str, what: &str, found: bool) {
        let change = (place.to_owned(), what.to_owned());
        *self.tried.entry(change.clone()).or_default() += 1;
        if !found {
            self.unfound.insert(change);
        }
    }
}
