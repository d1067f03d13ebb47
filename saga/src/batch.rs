//! The records of one poll, as far as they can be read.

use crate::{
    dead_letter::Letter, incoming::Incoming, positions::Positions, reading::Unread, record::Record, unread::Gap,
};

/// What one poll brought.
pub(crate) struct Batch<C> {
    pub(crate) incoming: Vec<Incoming<C>>,
    /// In step with `incoming`.
    pub(crate) records: Vec<Record>,
    /// Events that cannot be read, each with the place in `incoming` before which it came.
    pub(crate) unread: Vec<(usize, Unread, Record)>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) positions: Positions,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) bytes: usize,
}

impl<C> Default for Batch<C> {
    fn default() -> Self {
        Batch {
            incoming: Vec::new(),
            records: Vec::new(),
            unread: Vec::new(),
            letters: Vec::new(),
            positions: Positions::new(),
            gaps: Vec::new(),
            bytes: 0,
        }
    }
}
