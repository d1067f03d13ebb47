//! The state that a relay last reported, and the reason why it is not ready.

use std::time::{Duration, Instant};

/// Time without an acknowledgement after which the broker counts as slow; records are sent again much later.
pub(crate) const SLOW_BROKER: Duration = Duration::from_secs(5);
/// Maximum time that a transaction may hold up publishing before the relay is not ready.
const LONG_GAP: Duration = Duration::from_secs(30);

/// The role of a relay for its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The database is away, its tables are not there yet, or it is in a state in which nothing may be published.
    Away,
    /// Another relay leads.
    StandingBy,
    /// This one leads.
    Leading,
}

/// The state that a relay last reported.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(crate) standing: Standing,
    /// When its database last answered.
    pub(crate) answered_at: Instant,
    /// The reason why it lost leadership or cannot lead; kept by one that leads again until it has saved its cursor.
    pub(crate) lost: Option<String>,
    /// The reason why an event was refused.
    pub(crate) refused: Option<String>,
    /// Partitions that are left behind, and since when the first of them has accepted nothing.
    pub(crate) behind: Vec<usize>,
    pub(crate) behind_since: Option<Instant>,
    /// Since when the oldest batch has been waiting for acknowledgements.
    pub(crate) unacknowledged_since: Option<Instant>,
    /// Since when publishing has been waiting for a transaction.
    pub(crate) gap_since: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(now: Instant) -> Self {
        Progress {
            standing: Standing::Away,
            answered_at: now,
            lost: None,
            refused: None,
            behind: Vec::new(),
            behind_since: None,
            unacknowledged_since: None,
            gap_since: None,
        }
    }

    /// The reason why it is not ready, if any. `patience`: maximum time for the database to answer.
    pub(crate) fn trouble(&self, now: Instant, patience: Duration) -> Option<String> {
        let longer_than = |since: Instant, bound: Duration| now.saturating_duration_since(since) > bound;
        if self.standing == Standing::Away {
            return Some(self.lost.clone().unwrap_or_else(|| "connecting to the database".to_owned()));
        }
        if self.lost.is_some() {
            return self.lost.clone();
        }
        if longer_than(self.answered_at, patience) {
            return Some(format!("the database has not answered for {} s", (now - self.answered_at).as_secs()));
        }
        if let Some(refused) = &self.refused {
            return Some(format!("an event cannot be published: {refused}"));
        }
        if let Some(since) = self.unacknowledged_since.filter(|since| longer_than(*since, SLOW_BROKER)) {
            return Some(format!("the broker has not acknowledged for {} s", (now - since).as_secs()));
        }
        if let Some(since) = self.behind_since {
            let (partitions, seconds) = (&self.behind, now.saturating_duration_since(since).as_secs());
            return Some(format!(
                "the partitions {partitions:?} have accepted nothing for {seconds} s; the others continue"
            ));
        }
        let gap = self.gap_since.filter(|since| longer_than(*since, LONG_GAP))?;
        Some(format!("publishing has waited for a transaction for {} s", (now - gap).as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn leading(now: Instant) -> Progress {
        Progress { standing: Standing::Leading, ..Progress::new(now) }
    }

    #[test]
    fn one_that_is_away_says_why() {
        let now = Instant::now();
        let away = Progress { lost: Some("no such database".into()), ..Progress::new(now) };
        assert_eq!(away.trouble(now, PATIENCE).as_deref(), Some("no such database"));
    }

    #[test]
    fn one_that_leads_again_has_yet_to_show_that_it_can() {
        let now = Instant::now();
        let again = Progress { lost: Some("canceled".into()), ..leading(now) };
        assert_eq!(again.trouble(now, PATIENCE).as_deref(), Some("canceled"));
        assert_eq!(Progress { lost: None, ..again }.trouble(now, PATIENCE), None);
    }

    #[test]
    fn one_that_leads_or_stands_by_has_to_get_answers() {
        let now = Instant::now();
        for standing in [Standing::Leading, Standing::StandingBy] {
            let progress = Progress { standing, ..Progress::new(now) };
            assert_eq!(progress.trouble(now + PATIENCE, PATIENCE), None);
            let trouble = progress.trouble(now + PATIENCE * 2, PATIENCE);
            assert_eq!(trouble.as_deref(), Some("the database has not answered for 20 s"));
        }
    }

    #[test]
    fn a_refused_event_counts_at_once_and_what_may_pass_after_a_while() {
        let now = Instant::now();
        let refused = Progress { refused: Some("too large".into()), ..leading(now) };
        assert!(refused.trouble(now, PATIENCE).is_some_and(|trouble| trouble.contains("too large")));
        for waits in [
            Progress { unacknowledged_since: Some(now), ..leading(now) },
            Progress { gap_since: Some(now), ..leading(now) },
        ] {
            assert_eq!(waits.trouble(now + Duration::from_secs(4), PATIENCE), None);
            let later = now + Duration::from_secs(40);
            assert!(Progress { answered_at: later, ..waits }.trouble(later, PATIENCE).is_some());
        }
    }

    #[test]
    fn partitions_that_are_left_behind_are_named() {
        let now = Instant::now();
        let behind = Progress { behind: vec![3, 5], behind_since: Some(now), ..leading(now) };
        let trouble = behind.trouble(now + Duration::from_secs(7), PATIENCE);
        assert_eq!(
            trouble.as_deref(),
            Some("the partitions [3, 5] have accepted nothing for 7 s; the others continue")
        );
    }
}
