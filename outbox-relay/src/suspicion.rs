//! Tells a partition that accepts nothing from a cluster that is away.

use std::time::{Duration, Instant};

/// The evidence that the cluster is up while partitions accept nothing. A cluster that comes back needs a moment before all of
/// its partitions accept records; so it has to have been up for a while, with the partition still accepting nothing.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    /// When the cluster last answered while some partition was stuck.
    seen: Option<Instant>,
}

impl Suspicion {
    /// Discards the evidence: no partition is stuck, or the cluster does not answer.
    pub(crate) fn none(&mut self) {
        self.seen = None;
    }

    /// True if the cluster is to be asked now: at first, and then every `settled`.
    pub(crate) fn wants_to_know(&self, now: Instant, settled: Duration) -> bool {
        self.seen.is_none_or(|seen| now.saturating_duration_since(seen) >= settled)
    }

    /// Records that the cluster answers. Returns those of the `stuck` partitions, each with the time since when, that are to be
    /// left behind: they had been stuck for `after` already when it last answered.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        after: Duration,
        stuck: Vec<(usize, Instant)>,
    ) -> Vec<(usize, Instant)> {
        let Some(seen) = self.seen.replace(now) else { return Vec::new() };
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
        assert!(suspicion.answered(later, AFTER, stuck.clone()).is_empty(), "it may only just be back");
        assert!(!suspicion.wants_to_know(later + SETTLED / 2, SETTLED));
        assert!(suspicion.wants_to_know(later + SETTLED, SETTLED));
        assert_eq!(suspicion.answered(later + SETTLED, AFTER, stuck.clone()), stuck);
    }

    #[test]
    fn one_that_is_stuck_a_moment_after_another_is_left_behind_a_moment_after_it() {
        let now = Instant::now();
        let (first, second) = ((3, now), (4, now + SETTLED / 2));
        let mut suspicion = Suspicion::default();
        suspicion.answered(now + AFTER, AFTER, vec![first]);
        let at = now + AFTER + SETTLED;
        assert_eq!(suspicion.answered(at, AFTER, vec![first, second]), [first]);
        assert_eq!(suspicion.answered(at + SETTLED, AFTER, vec![second]), [second], "there was no moment without any");
    }

    #[test]
    fn a_cluster_that_was_away_in_between_has_to_be_there_for_a_while_again() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.answered(now, AFTER, vec![(3, now - AFTER)]);
        suspicion.none();
        assert!(suspicion.answered(now + SETTLED, AFTER, vec![(3, now - AFTER)]).is_empty());
    }
}
