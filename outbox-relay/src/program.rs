//! The name of the program.

/// Its name for databases and the broker, and in the lease.
pub(crate) const PROGRAM: &str = "outbox-relay";
