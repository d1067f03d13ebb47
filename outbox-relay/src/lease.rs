//! Until when we lead, judged by our own clock.

use std::time::Instant;

use crate::timing::Timing;

/// The lease as its holder sees it. It counts from before the renewal was asked for, so it is over here before it is over
/// in the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    timing: Timing,
    since: Instant,
}

impl Lease {
    pub(crate) fn new(timing: Timing, asked_at: Instant) -> Self {
        Lease { timing, since: asked_at }
    }

    pub(crate) fn renewed(&mut self, asked_at: Instant) {
        self.since = asked_at;
    }

    pub(crate) fn renew_at(&self) -> Instant {
        self.since + self.timing.renew_after()
    }

    /// Nothing is sent from here on.
    pub(crate) fn ends_at(&self) -> Instant {
        self.since + self.timing.lease
    }
}
