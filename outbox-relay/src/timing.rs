//! Time limits of the relay.

use std::time::Duration;

/// The choices an operator has.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Time for which a leader that says nothing still counts as one: a frozen relay holds up its database for as long.
    pub lease: Duration,
    /// The longest pause between two looks at a quiet outbox.
    pub max_poll: Duration,
    /// A broker that has not acknowledged a record after this is asked again by a new client. Longer than the cluster
    /// takes to replace a broker that has died: 9 s with KRaft's defaults, and the election. A partition that takes nothing
    /// although the cluster is there is left behind after a good quarter of this.
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
    /// The lease is renewed when this much of it has passed.
    pub(crate) fn renew_after(self) -> Duration {
        self.lease / 5
    }

    /// The server gives up a statement after this. A read that takes longer is tried again with fewer rows.
    pub(crate) fn statement_timeout(self) -> Duration {
        self.lease / 2
    }

    /// A partition that has not acknowledged for so long, while the cluster answers, is stuck.
    pub(crate) fn stuck_after(self) -> Duration {
        self.acknowledged_within / 4
    }

    /// One that is still stuck when the cluster has answered for so long is left behind.
    pub(crate) fn settled_after(self) -> Duration {
        self.stuck_after() / 4
    }

    /// A cluster that has not answered within this counts as away. The loop waits for it.
    pub(crate) fn cluster_answers_within(self) -> Duration {
        self.lease / 20
    }

    /// A database that has not answered after this is as good as gone: its connection is thrown away.
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
