//! The last known state of the sequence, and the schedule of checks for numbers that were used twice.
//!
//! This module uses no database and no clock; [`sequence`](crate::sequence) queries the database.

use std::time::{Duration, Instant};

use crate::{Lost, sequence::Numbers};

/// Pause after a check that took too long.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The numbers that have been checked for double use.
#[derive(Debug)]
pub(crate) struct UsedOnce {
    /// Value of the sequence at the last renewal of the lease.
    last_value: i64,
    /// Numbers up to here have been checked.
    checked: i64,
    /// When the next check is due.
    check_at: Instant,
}

impl UsedOnce {
    /// All numbers up to `last_seq` have been checked.
    pub(crate) fn new(last_seq: i64, now: Instant) -> Self {
        UsedOnce { last_value: last_seq, checked: last_seq, check_at: now }
    }

    /// Compares the numbers with the cursor, and the sequence with its previous value.
    pub(crate) fn compare(&mut self, numbers: Numbers, cursor: i64) -> Result<(), Lost> {
        numbers.check(cursor)?;
        numbers.check_since(self.last_value)?;
        self.last_value = numbers.last_value;
        Ok(())
    }

    /// The number after which, and the one up to which, to check now; None if no check is due.
    pub(crate) fn due(&self, now: Instant, cursor: i64) -> Option<(i64, i64)> {
        (now >= self.check_at).then_some((self.checked, cursor))
    }

    /// Records a check of the numbers up to `cursor`. One that took too long is not repeated soon, since it would take the time
    /// that publishing needs; nor are its numbers checked again.
    pub(crate) fn looked(&mut self, cursor: i64, in_time: bool, now: Instant) {
        if !in_time {
            self.check_at = now + AGAIN_AFTER;
        }
        self.checked = cursor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(last_value: i64) -> Numbers {
        Numbers { last_value, cache: 1, highest: last_value }
    }

    #[test]
    fn each_renewal_looks_at_what_came_since_the_one_before() {
        let now = Instant::now();
        let mut used_once = UsedOnce::new(10, now);
        for (checked, cursor) in [(10, 10), (10, 25), (25, 25), (25, 40)] {
            assert_eq!(used_once.due(now, cursor), Some((checked, cursor)));
            used_once.looked(cursor, true, now);
        }
    }

    #[test]
    fn a_look_that_took_too_long_is_not_repeated_soon() {
        let now = Instant::now();
        let mut used_once = UsedOnce::new(10, now);
        used_once.looked(20, false, now);
        assert_eq!(used_once.due(now + AGAIN_AFTER - Duration::from_nanos(1), 30), None);
        assert_eq!(used_once.due(now + AGAIN_AFTER, 30), Some((20, 30)));
        used_once.looked(30, true, now + AGAIN_AFTER);
        assert_eq!(used_once.due(now + AGAIN_AFTER, 31), Some((30, 31)), "and then with each renewal again");
    }

    /// The sequence stands at any two places around a cursor, one after the other.
    #[test]
    fn the_sequence_is_never_behind_the_cursor_nor_behind_itself() {
        for (first, second) in (0..6).flat_map(|first| (0..6).map(move |second| (first, second))) {
            let (cursor, mut used_once) = (3, UsedOnce::new(2, Instant::now()));
            let expected = first >= cursor;
            assert_eq!(used_once.compare(numbers(first), cursor).is_ok(), expected, "{first}");
            let last = if expected { first } else { 2 };
            let renewed = used_once.compare(numbers(second), cursor);
            assert_eq!(renewed.is_ok(), second >= cursor && second >= last, "{first}, then {second}");
            let set_back = matches!(renewed, Err(Lost::SequenceSetBack { from, to }) if (from, to) == (last, second));
            assert_eq!(set_back, second >= cursor && second < last, "{first}, then {second}");
        }
    }

    #[test]
    fn a_sequence_that_is_cached_is_not_gone_on_with() {
        let mut used_once = UsedOnce::new(0, Instant::now());
        let cached = used_once.compare(Numbers { cache: 20, ..numbers(5) }, 0);
        assert!(matches!(cached, Err(Lost::SequenceCached { cache: 20 })));
        assert!(used_once.compare(numbers(1), 0).is_ok(), "what it stood at then counts for nothing");
    }
}
