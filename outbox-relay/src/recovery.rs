//! Recovery from a refusal: a pause, one row by itself, then more and more.
//!
//! This module uses no clock; the length of a pause is random within bounds.

use std::time::{Duration, Instant};

use process::Backoff;

use crate::slots::BATCHES;

/// Minimum and maximum pause.
const RESTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Limits on how much is handed over, and when.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// Maximum number of rows to hand over at once: one after a refusal, so that nothing passes the refused record; then doubled.
    rows: i64,
    max: i64,
    backoff: Backoff,
    resting_until: Option<Instant>,
}

impl Recovery {
    /// The limits while nothing has been refused.
    pub(crate) fn new(max: i64) -> Self {
        Recovery { rows: max, max, backoff: Backoff::new(RESTS.0, RESTS.1), resting_until: None }
    }

    /// Maximum number of rows to hand over at once.
    pub(crate) fn rows(&self) -> i64 {
        self.rows
    }

    /// Maximum number of batches in flight: one while the relay looks for the refused record.
    pub(crate) fn batches(&self) -> usize {
        if self.rows < self.max { 1 } else { BATCHES }
    }

    /// Records that rows have arrived.
    pub(crate) fn arrived(&mut self) {
        self.rows = (self.rows * 2).min(self.max);
        self.backoff.reset();
    }

    /// Records that all that had not arrived was taken back; it is retried row by row.
    pub(crate) fn begin_again(&mut self) {
        self.rows = 1;
    }

    /// Begins a pause, which is longer each time until rows arrive. Returns its length.
    pub(crate) fn rest(&mut self, now: Instant) -> Duration {
        let rest = self.backoff.delay();
        self.resting_until = Some(now + rest);
        rest
    }

    /// True during a pause; one that is over is forgotten.
    pub(crate) fn is_resting(&mut self, now: Instant) -> bool {
        self.resting_until.take_if(|until| *until <= now);
        self.resting_until.is_some()
    }

    /// End of the pause, until that has been [noticed](Self::is_resting).
    pub(crate) fn resting_until(&self) -> Option<Instant> {
        self.resting_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_refusal_all_is_handed_over_that_may_be() {
        let mut recovery = Recovery::new(2000);
        for _ in 0..3 {
            assert_eq!((recovery.rows(), recovery.batches()), (2000, BATCHES));
            recovery.arrived();
        }
    }

    #[test]
    fn after_a_refusal_one_row_goes_alone_and_then_twice_as_many_each_time() {
        for max in 1..=70 {
            let mut recovery = Recovery::new(max);
            recovery.begin_again();
            let mut expected = 1;
            while expected < max {
                assert_eq!((recovery.rows(), recovery.batches()), (expected, 1), "{max}");
                recovery.arrived();
                expected *= 2;
            }
            assert_eq!((recovery.rows(), recovery.batches()), (max, BATCHES), "{max}");
        }
    }

    /// Arrivals, refusals and pauses in every order of eight.
    #[test]
    fn whatever_happens_one_row_follows_a_refusal_and_the_bounds_hold() {
        let start = Instant::now();
        for program in 0..3_u32.pow(8) {
            let mut recovery = Recovery::new(5);
            for place in 0..8 {
                let before = recovery.rows();
                match program / 3_u32.pow(place) % 3 {
                    0 => {
                        recovery.arrived();
                        assert!(recovery.rows() >= before);
                    }
                    1 => {
                        recovery.begin_again();
                        assert_eq!(recovery.rows(), 1);
                    }
                    _ => {
                        recovery.rest(start);
                        assert_eq!(recovery.rows(), before, "a row of another publisher makes no batch smaller");
                    }
                }
                assert!((1..=5).contains(&recovery.rows()));
                assert_eq!(recovery.batches() == BATCHES, recovery.rows() == 5);
            }
        }
    }

    #[test]
    fn a_rest_lasts_to_its_end_and_is_noticed_once() {
        let start = Instant::now();
        let mut recovery = Recovery::new(2000);
        assert!(!recovery.is_resting(start));
        let until = start + recovery.rest(start);
        assert_eq!(recovery.resting_until(), Some(until));
        assert!(recovery.is_resting(start) && recovery.is_resting(until - Duration::from_nanos(1)));
        assert_eq!(recovery.resting_until(), Some(until));
        assert!(!recovery.is_resting(until));
        assert_eq!(recovery.resting_until(), None);
        assert!(!recovery.is_resting(start), "it is over");
    }

    #[test]
    fn rests_grow_until_rows_arrive() {
        let start = Instant::now();
        let mut recovery = Recovery::new(2000);
        for longest in [100, 200, 400, 800, 1600, 2000, 2000] {
            let longest = Duration::from_millis(longest);
            let rest = recovery.rest(start);
            assert!(rest >= longest / 2 && rest <= longest, "{rest:?} of {longest:?}");
        }
        recovery.begin_again();
        assert!(recovery.rest(start) >= RESTS.1 / 2, "a refusal is no arrival");
        recovery.arrived();
        assert!(recovery.rest(start) <= RESTS.0);
    }
}
