//! What a tenure has seen of the sequence, and when it looks for numbers that were used twice.
//!
//! Nothing in here asks the database or the clock; [`sequence`](crate::sequence) does.

use std::time::{Duration, Instant};

use crate::{Lost, sequence::Numbers};

/// When a look for numbers that were used twice has taken too long.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Numbers that are known to have been used once.
#[derive(Debug)]
pub(crate) struct UsedOnce {
    /// What the sequence stood at when the lease was last renewed.
    last_value: i64,
    /// Numbers up to here have been looked at.
    checked: i64,
    /// When the next look at those after them is due.
    check_at: Instant,
}

impl UsedOnce {
    /// Everything up to `last_seq` has been looked at.
    pub(crate) fn new(last_seq: i64, now: Instant) -> Self {
        UsedOnce { last_value: last_seq, checked: last_seq, check_at: now }
    }

    /// Compares what the database says of its numbers with the cursor, and with what it said the last time.
    pub(crate) fn compare(&mut self, numbers: Numbers, cursor: i64) -> Result<(), Lost> {
        numbers.check(cursor)?;
        numbers.check_since(self.last_value)?;
        self.last_value = numbers.last_value;
        Ok(())
    }

    /// After which number and up to which one to look; None if it is too soon.
    pub(crate) fn due(&self, now: Instant, cursor: i64) -> Option<(i64, i64)> {
        (now >= self.check_at).then_some((self.checked, cursor))
    }

    /// Numbers up to `cursor` were looked at. A look that took too long is not repeated soon: it would take the time that
    /// publishing needs; nor are its numbers looked at again.
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

    /// The sequence is seen at any two places around a cursor.
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
