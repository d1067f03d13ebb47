//! Time limits of the relay.

use std::time::Duration;

/// The time limits that an operator may set.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Time for which a leader keeps the leadership without renewing it: a frozen relay holds up its database for this long.
    pub lease: Duration,
    /// Maximum pause between two polls of a quiet outbox.
    pub max_poll: Duration,
    /// Maximum time for a broker to acknowledge a record; after it a new client sends the record again. Longer than the cluster
    /// takes to replace a dead broker: 9 s with KRaft's defaults, plus the election. A partition that accepts nothing although
    /// the cluster answers is left behind after a good quarter of it.
    pub acknowledged_within: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            lease: Duration::from_secs(10),
            max_poll: Duration::from_millis(200),
            acknowledged_within: Duration::from_secs(20),
        }
    }
}

impl Timing {
    /// Age of the lease at which it is renewed.
    pub(crate) fn renew_after(self) -> Duration {
        self.lease / 5
    }

    /// Time after which the server cancels a statement. A read that takes longer is retried with fewer rows.
    pub(crate) fn statement_timeout(self) -> Duration {
        self.lease / 2
    }

    /// Time without an acknowledgement, while the cluster answers, after which a partition is stuck.
    pub(crate) fn stuck_after(self) -> Duration {
        self.acknowledged_within / 4
    }

    /// Time for which the cluster has to have answered before a stuck partition is left behind.
    pub(crate) fn settled_after(self) -> Duration {
        self.stuck_after() / 4
    }

    /// Time without an answer after which the cluster counts as away. The leader's loop waits for it.
    pub(crate) fn cluster_answers_within(self) -> Duration {
        self.lease / 20
    }

    /// Time without an answer after which a database connection is discarded.
    pub(crate) fn answered_within(self) -> Duration {
        self.lease * 3 / 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_that_is_late_by_a_whole_read_still_comes_before_the_lease_ends() {
        let timing = Timing::default();
        assert!(timing.statement_timeout() < timing.answered_within());
        assert!(timing.renew_after() + timing.answered_within() + timing.cluster_answers_within() < timing.lease);
    }

    #[test]
    fn a_partition_is_left_behind_long_before_its_producer_is_given_up() {
        let timing = Timing::default();
        assert!(timing.stuck_after() + timing.settled_after() * 2 < timing.acknowledged_within / 2);
    }

    #[test]
    fn a_cluster_has_time_to_replace_a_broker() {
        const KRAFT_SESSION_TIMEOUT: Duration = Duration::from_secs(9);
        assert!(Timing::default().acknowledged_within >= KRAFT_SESSION_TIMEOUT * 2);
    }
}
