//! Whether we still lead, judged by our own clock.

use std::time::{Duration, Instant};

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

    /// Whether a record that is handed to the client now has left it, or has been given up, when the lease ends.
    pub(crate) fn covers_a_send(&self, now: Instant) -> bool {
        self.left(now) > self.timing.message_timeout()
    }

    fn left(&self, now: Instant) -> Duration {
        (self.since + self.timing.lease).saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_send_is_covered_while_its_timeout_ends_before_the_lease() {
        let start = Instant::now();
        let mut lease = Lease::new(Timing { lease: seconds(10), ..Timing::default() }, start);
        assert!(lease.covers_a_send(start + seconds(4)));
        assert!(!lease.covers_a_send(start + seconds(5)));
        assert!(!lease.covers_a_send(start + seconds(60)));
        lease.renewed(start + seconds(4));
        assert!(lease.covers_a_send(start + seconds(8)));
    }

    #[test]
    fn renewal_our_own_deadline_and_the_clients_come_in_this_order() {
        let timing = Timing::default();
        assert!(timing.renew_after() < timing.acknowledged_within());
        assert!(timing.acknowledged_within() < timing.message_timeout());
        assert!(timing.message_timeout() < timing.lease);
        // A renewal that is late by as much again still covers the next send.
        let start = Instant::now();
        assert!(Lease::new(timing, start).covers_a_send(start + timing.renew_after() * 2));
    }
}
