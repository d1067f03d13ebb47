//! Records in flight, counted by batch.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum number of batches that wait for acknowledgements.
pub(crate) const BATCHES: usize = 4;

/// Number of records without an acknowledgement, by the slot of their batch. Shared with the thread that receives delivery
/// reports.
#[derive(Debug, Default)]
pub(crate) struct Slots([AtomicUsize; BATCHES]);

impl Slots {
    pub(crate) fn add(&self, slot: usize) {
        self.0[slot].fetch_add(1, Ordering::AcqRel);
    }

    /// True if it was the last one of its batch.
    pub(crate) fn remove(&self, slot: usize) -> bool {
        self.0[slot].fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(crate) fn is_empty(&self, slot: usize) -> bool {
        self.0[slot].load(Ordering::Acquire) == 0
    }

    pub(crate) fn are_all_empty(&self) -> bool {
        (0..BATCHES).all(|slot| self.is_empty(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_batch_is_counted_by_itself() {
        let slots = Slots::default();
        assert!(slots.are_all_empty());
        slots.add(1);
        slots.add(1);
        slots.add(3);
        assert!(slots.is_empty(0) && !slots.is_empty(1) && !slots.is_empty(3));
        assert!(!slots.remove(1));
        assert!(slots.remove(1) && slots.is_empty(1));
        assert!(!slots.are_all_empty());
        assert!(slots.remove(3) && slots.are_all_empty());
    }
}
