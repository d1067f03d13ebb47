//! Metrics and warnings of a tenure; a warning is not repeated with every step.

use std::time::Instant;

use crate::{meters::Meters, progress::SLOW_BROKER, stall::StallReport};

/// Metrics of a tenure, and the state of its warnings.
pub(super) struct Reports {
    pub(super) meters: Meters,
    pub(super) stall: StallReport,
    broker: SlowBroker,
}

/// True if the broker has been reported as slow.
#[derive(Debug, Default)]
struct SlowBroker(bool);

impl Reports {
    /// The reports of a database that is led from now on.
    pub(super) fn new(database: &str) -> Self {
        let meters = Meters::new(database);
        meters.is_active.set(1.0);
        Reports { meters, stall: StallReport::default(), broker: SlowBroker::default() }
    }

    /// True if the broker is to be reported as slow, if the oldest batch has been waiting since `waiting_since`.
    pub(super) fn is_broker_slow_anew(&mut self, waiting_since: Option<Instant>, now: Instant) -> bool {
        self.broker.look(waiting_since, now)
    }
}

impl SlowBroker {
    /// True once each time that it becomes slow.
    fn look(&mut self, waiting_since: Option<Instant>, now: Instant) -> bool {
        let slow = waiting_since.is_some_and(|since| now.saturating_duration_since(since) > SLOW_BROKER);
        let before = std::mem::replace(&mut self.0, slow);
        slow && !before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_broker_is_reported_once_and_again_when_it_was_quick_in_between() {
        let (now, mut broker) = (Instant::now(), SlowBroker::default());
        let slow = now + SLOW_BROKER * 2;
        assert!(!broker.look(None, slow));
        assert!(!broker.look(Some(now), now + SLOW_BROKER), "not yet");
        assert!(broker.look(Some(now), slow));
        assert!(!broker.look(Some(now), slow), "it has been said");
        assert!(!broker.look(Some(slow), slow), "the next batch is young");
        assert!(broker.look(Some(slow), slow + SLOW_BROKER * 2));
    }
}
