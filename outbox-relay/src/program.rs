//! What the program calls itself.

/// To databases, to the broker and in the lease.
pub(crate) const PROGRAM: &str = "outbox-relay";
