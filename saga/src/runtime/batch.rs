//! The records of one poll, decoded where possible.

use outbox::Prefix;
use rdkafka::message::BorrowedMessage;

use crate::{
    record::Record,
    runtime::{
        dead_letter::Letter, erased::ErasedCommand, incoming::Incoming, positions::Positions, reading::Unread,
        unread::Gap,
    },
};

/// Result of one poll.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) incoming: Vec<Incoming<ErasedCommand>>,
    /// Parallel to `incoming`.
    pub(crate) records: Vec<Record>,
    /// Events that cannot be read, each with the index in `incoming` before which it came.
    pub(crate) unread: Vec<(usize, Unread, Record)>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) positions: Positions,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) bytes: usize,
}

/// Number of headers stored for a record without its value: as many as any honest record has.
const KEPT_HEADERS: usize = 1_000;

impl Record {
    /// The record without its value, for one that is too large to store, and with only the first [`KEPT_HEADERS`]
    /// headers.
    pub(super) fn without_value(message: &BorrowedMessage<'_>, prefix: &Prefix) -> Self {
        Record::of(message, prefix, None, KEPT_HEADERS)
    }

    /// Size in bytes of all its parts.
    pub(super) fn bytes(&self) -> usize {
        let part = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        part(&self.key) + part(&self.value) + headers
    }
}
