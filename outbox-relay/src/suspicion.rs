//! Whether a partition that takes nothing is to be left behind, or the whole cluster is away.

use std::time::{Duration, Instant};

/// What speaks for the cluster while a partition takes nothing. One that has been away takes a moment to take everything
/// again; so it has to have been there for a while, and the partition must have gone on taking nothing.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    /// Since when the cluster has been seen while some partition was stuck.
    since: Option<Instant>,
}

impl Suspicion {
    /// No partition is stuck.
    pub(crate) fn none(&mut self) {
        self.since = None;
    }

    /// Tells whether it matters now that the cluster answers: at first, and after `settled`.
    pub(crate) fn wants_to_know(&self, now: Instant, settled: Duration) -> bool {
        self.since.is_none_or(|since| now.saturating_duration_since(since) >= settled)
    }

    /// The cluster answers. Of the partitions that are stuck, with the time since when, those that are to be left behind: they
    /// were stuck already when it was first seen.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        (after, settled): (Duration, Duration),
        stuck: Vec<(usize, Instant)>,
    ) -> Vec<(usize, Instant)> {
        let seen = *self.since.get_or_insert(now);
        if now.saturating_duration_since(seen) < settled {
            return Vec::new();
        }
        stuck.into_iter().filter(|(_, since)| *since + after <= seen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(5);
    const SETTLED: Duration = Duration::from_secs(1);

    #[test]
    fn a_partition_is_left_behind_if_it_takes_nothing_while_the_cluster_answers_again_and_again() {
        let now = Instant::now();
        let (stuck, later) = (vec![(3, now)], now + AFTER);
        let mut suspicion = Suspicion::default();
        assert!(suspicion.wants_to_know(later, SETTLED));
        assert!(suspicion.answered(later, (AFTER, SETTLED), stuck.clone()).is_empty(), "it may only just be back");
        assert!(!suspicion.wants_to_know(later + SETTLED / 2, SETTLED));
        assert!(suspicion.wants_to_know(later + SETTLED, SETTLED));
        let new = (4, later);
        assert_eq!(suspicion.answered(later + SETTLED, (AFTER, SETTLED), [stuck.clone(), vec![new]].concat()), stuck);
    }

    #[test]
    fn what_was_stuck_and_is_no_more_is_suspected_anew() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.answered(now, (AFTER, SETTLED), vec![(3, now - AFTER)]);
        suspicion.none();
        assert!(suspicion.answered(now + SETTLED, (AFTER, SETTLED), vec![(3, now - AFTER)]).is_empty());
    }
}
