//! The rows that a batch works on and their changes, so that each row is written once however many events touch it.

mod declared;

use std::collections::BTreeMap;

pub use declared::Statements;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Mark {
    /// Unchanged since it was loaded.
    Loaded,
    /// In the database with other values.
    Changed,
    /// Not in the database yet.
    New,
}

/// Rows of one table by key, in key order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rows<K, V>(BTreeMap<K, (Mark, V)>);

impl<K: Ord, V> Default for Rows<K, V> {
    fn default() -> Self {
        Rows(BTreeMap::new())
    }
}

impl<K: Ord, V> Rows<K, V> {
    /// Rows as loaded and locked.
    pub fn loaded(rows: impl IntoIterator<Item = (K, V)>) -> Self {
        Rows(rows.into_iter().map(|(key, row)| (key, (Mark::Loaded, row))).collect())
    }

    /// The row with this key, if any.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|(_, row)| row)
    }

    /// Inserts or replaces the row with this key.
    pub fn put(&mut self, key: K, row: V) {
        match self.0.entry(key) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert((Mark::New, row));
            }
            std::collections::btree_map::Entry::Occupied(mut taken) => {
                let (mark, old) = taken.get_mut();
                *mark = if *mark == Mark::New { Mark::New } else { Mark::Changed };
                *old = row;
            }
        }
    }

    /// A row to change in place.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key).map(|(mark, row)| {
            if *mark == Mark::Loaded {
                *mark = Mark::Changed;
            }
            row
        })
    }

    /// All rows, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, (_, row))| (key, row))
    }

    /// Rows to insert, in key order.
    pub fn new_rows(&self) -> Vec<(&K, &V)> {
        self.marked(Mark::New)
    }

    /// Rows to update, in key order.
    pub fn changed_rows(&self) -> Vec<(&K, &V)> {
        self.marked(Mark::Changed)
    }

    fn marked(&self, wanted: Mark) -> Vec<(&K, &V)> {
        self.0.iter().filter(|(_, (mark, _))| *mark == wanted).map(|(key, (_, row))| (key, row)).collect()
    }

    /// Returns whether each of these rows is among `all`, with the same values.
    pub fn is_part_of(&self, all: &Self) -> bool
    where
        V: PartialEq,
    {
        self.iter().all(|(key, row)| all.get(key) == Some(row))
    }

    /// The rows as if they had been written and loaded again.
    #[must_use]
    pub fn saved(self) -> Self {
        Rows(self.0.into_iter().map(|(key, (_, row))| (key, (Mark::Loaded, row))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_written_once_and_only_if_it_changed() {
        let mut rows = Rows::loaded([(1, "a"), (2, "b")]);
        rows.put(2, "B");
        rows.put(3, "c");
        rows.put(3, "C");
        assert_eq!(rows.changed_rows(), [(&2, &"B")]);
        assert_eq!(rows.new_rows(), [(&3, &"C")]);
        *rows.get_mut(&1).expect("there") = "A";
        assert_eq!(rows.changed_rows(), [(&1, &"A"), (&2, &"B")]);
    }

    #[test]
    fn rows_are_found_by_their_keys_and_saved_ones_are_not_written_again() {
        let mut rows = Rows::loaded([(2, "b"), (1, "a")]);
        rows.put(3, "c");
        *rows.get_mut(&3).expect("there") = "C";
        assert_eq!((rows.get(&1), rows.get(&3), rows.get(&4)), (Some(&"a"), Some(&"C"), None));
        assert_eq!(rows.get_mut(&4), None);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [(&1, &"a"), (&2, &"b"), (&3, &"C")]);
        assert_eq!((rows.new_rows(), rows.changed_rows()), (vec![(&3, &"C")], vec![]), "what is new stays new");
        let saved = rows.saved();
        assert_eq!((saved.new_rows(), saved.changed_rows()), (vec![], vec![]));
        assert_eq!(saved.get(&3), Some(&"C"));
        assert_eq!(saved, Rows::loaded([(1, "a"), (2, "b"), (3, "C")]));
        assert!(Rows::loaded([(2, "b")]).is_part_of(&saved) && saved.is_part_of(&saved));
        assert!(!Rows::loaded([(2, "B")]).is_part_of(&saved) && !saved.is_part_of(&Rows::loaded([(2, "b")])));
        assert_eq!(Rows::<i32, &str>::default().iter().count(), 0);
    }
}
