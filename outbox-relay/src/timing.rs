//! How long things may take, all derived from the lease.

use std::time::Duration;

/// The two choices an operator has.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a leader that says nothing still counts as one: so long does a frozen relay hold up its database.
    pub lease: Duration,
    /// The longest pause between two looks at a quiet outbox.
    pub max_poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing { lease: Duration::from_secs(10), max_poll: Duration::from_millis(200) }
    }
}

impl Timing {
    /// The lease is renewed when this much of it has passed.
    pub(crate) fn renew_after(self) -> Duration {
        self.lease / 5
    }

    /// A record that has not been acknowledged after this is taken back by us, with all that follow it. It has to be before
    /// [`message_timeout`](Self::message_timeout): the client gives records up one by one, and might send the next.
    pub(crate) fn acknowledged_within(self) -> Duration {
        self.lease * 2 / 5
    }

    /// After this the client itself gives a record up: what saves us if the whole process was frozen.
    pub(crate) fn message_timeout(self) -> Duration {
        self.lease / 2
    }
}
