//! The end of the leadership, judged by the leader's own clock.

use std::time::Instant;

use crate::timing::Timing;

/// The lease of an epoch as its holder sees it. It counts from before the renewal was requested, so it ends here before it ends
/// in the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    timing: Timing,
    epoch: i64,
    since: Instant,
}

impl Lease {
    pub(crate) fn new(timing: Timing, epoch: i64, asked_at: Instant) -> Self {
        Lease { timing, epoch, since: asked_at }
    }

    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    pub(crate) fn renewed(&mut self, asked_at: Instant) {
        self.since = asked_at;
    }

    pub(crate) fn renew_at(&self) -> Instant {
        self.since + self.timing.renew_after()
    }

    /// The time from which nothing may be sent.
    pub(crate) fn ends_at(&self) -> Instant {
        self.since + self.timing.lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_from_when_it_was_asked_for_and_is_renewed_long_before_it_ends() {
        let (timing, asked_at) = (Timing::default(), Instant::now());
        let mut lease = Lease::new(timing, 7, asked_at);
        for asked_at in [asked_at, lease.renew_at(), lease.ends_at()] {
            lease.renewed(asked_at);
            assert_eq!((lease.epoch(), lease.ends_at()), (7, asked_at + timing.lease));
            assert_eq!(lease.renew_at(), asked_at + timing.lease / 5);
        }
    }
}
