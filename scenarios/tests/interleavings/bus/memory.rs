//! Memoization of pure functions: there are hundreds of thousands of worlds, but few distinct values in them.

use std::{collections::HashMap, hash::Hash, sync::Mutex};

/// Results of a function so far.
#[derive(Debug)]
pub(crate) struct Memory<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Memory(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    /// The result of `compute` for the key, computed at most once.
    pub(crate) fn recall(&self, key: K, compute: impl FnOnce(&K) -> V) -> V {
        let known = self.0.lock().expect("nobody panicked").get(&key).cloned();
        known.unwrap_or_else(|| {
            let value = compute(&key);
            self.0.lock().expect("nobody panicked").insert(key, value.clone());
            value
        })
    }
}
