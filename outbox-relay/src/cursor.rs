//! Progress along the outbox: what has been handed over, what has been acknowledged, and what has been saved.
//!
//! This module uses no database, broker or clock.

use std::time::{Duration, Instant};

/// Minimum interval between writes of the cursor: about so much is repeated after a crash.
const SAVED_EVERY: Duration = Duration::from_millis(20);
/// Writing the cursor never takes more than this fraction (one fiftieth) of the time. While an old snapshot is open somewhere,
/// every version of the cursor's row is retained, and writing it takes longer and longer.
const SAVING_SHARE: u32 = 50;

/// Positions in the outbox. They do not count the rows of partitions that are left behind.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The last number handed to the client.
    handed: i64,
    /// Every row up to here has been acknowledged.
    acknowledged: i64,
    /// The highest number that was visible when the lease was last renewed.
    highest: i64,
    /// The cursor in the database, when its last write began, and how long that took.
    saved: i64,
    saved_at: Instant,
    saving_took: Duration,
}

impl Cursor {
    /// A cursor at `last_seq`, as the database has it.
    pub(crate) fn new(last_seq: i64, saved_at: Instant) -> Self {
        Cursor {
            handed: last_seq,
            acknowledged: last_seq,
            highest: last_seq,
            saved: last_seq,
            saved_at,
            saving_took: Duration::ZERO,
        }
    }

    pub(crate) fn handed(&self) -> i64 {
        self.handed
    }

    pub(crate) fn acknowledged(&self) -> i64 {
        self.acknowledged
    }

    /// Records that the row was handed to the client, or left out because its partition is left behind.
    pub(crate) fn hand(&mut self, seq: i64) {
        self.handed = seq;
    }

    /// Records that every row up to `seq` has been acknowledged.
    pub(crate) fn acknowledge(&mut self, seq: i64) {
        self.acknowledged = seq;
    }

    /// Takes back what has not been acknowledged.
    pub(crate) fn take_back(&mut self) {
        self.handed = self.acknowledged;
    }

    /// Returns to `seq`: all rows after it are to be handed over and acknowledged again.
    pub(crate) fn return_to(&mut self, seq: i64) {
        (self.handed, self.acknowledged) = (seq, seq);
    }

    /// The number up to which every row has been acknowledged, also those of partitions that are left behind: these have
    /// acknowledged theirs up to `behind`, if there are any.
    pub(crate) fn published(&self, behind: Option<i64>) -> i64 {
        behind.map_or(self.acknowledged, |behind| behind.min(self.acknowledged))
    }

    /// When the cursor is to be written if it stands at `published`; None if the database has it already.
    pub(crate) fn save_at(&self, published: i64) -> Option<Instant> {
        (published > self.saved).then(|| self.saved_at + SAVED_EVERY.max(self.saving_took * SAVING_SHARE))
    }

    /// Records that `published` was saved, with a write that began at `asked_at` and took `took`.
    pub(crate) fn saved(&mut self, published: i64, asked_at: Instant, took: Duration) {
        (self.saved, self.saved_at, self.saving_took) = (published, asked_at, took);
    }

    /// Records the highest visible number.
    pub(crate) fn see(&mut self, highest: i64) {
        self.highest = highest;
    }

    /// Number of rows after `published`, as of the last renewal of the lease.
    pub(crate) fn lag(&self, published: i64) -> i64 {
        (self.highest - published).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_published_passes_neither_what_is_acknowledged_nor_what_those_behind_have_acknowledged() {
        let mut cursor = Cursor::new(0, Instant::now());
        for acknowledged in 0..5 {
            cursor.acknowledge(acknowledged);
            assert_eq!(cursor.published(None), acknowledged);
            for behind in 0..5 {
                let published = cursor.published(Some(behind));
                assert!(published <= acknowledged && published <= behind);
                assert!(published == acknowledged || published == behind, "and stops short of nothing else");
            }
        }
    }

    #[test]
    fn the_cursor_is_written_if_it_has_moved_and_not_too_soon() {
        let start = Instant::now();
        let mut cursor = Cursor::new(7, start);
        assert_eq!(cursor.save_at(7), None);
        assert_eq!(cursor.save_at(6), None, "it moves forward only, but for a renewal of the lease");
        assert_eq!(cursor.save_at(8), Some(start + 20 * MS));
        cursor.saved(8, start + 30 * MS, MS / 10);
        assert_eq!(cursor.save_at(8), None);
        assert_eq!(cursor.save_at(9), Some(start + 50 * MS));
        cursor.saved(8, start + 40 * MS, MS / 10);
        assert_eq!(cursor.save_at(9), Some(start + 60 * MS), "a renewal counts as well");
    }

    #[test]
    fn writing_the_cursor_never_takes_more_than_its_share_of_the_time() {
        let start = Instant::now();
        let mut cursor = Cursor::new(0, start);
        for took in (0..2_000).map(|tenths| tenths * MS / 10) {
            cursor.saved(0, start, took);
            let pause = cursor.save_at(1).expect("it has moved") - start;
            assert!(pause >= SAVED_EVERY && pause >= took * SAVING_SHARE);
            assert!(pause == SAVED_EVERY || pause == took * SAVING_SHARE, "and no longer than needed");
        }
    }

    /// Hands over, acknowledges, takes back and returns in every order of five.
    #[test]
    fn what_is_acknowledged_was_handed_over_and_is_handed_over_once() {
        let steps = 4_u32;
        for program in 0..steps.pow(5) {
            let (mut cursor, mut on_its_way) = (Cursor::new(10, Instant::now()), 0);
            for place in 0..5 {
                match program / steps.pow(place) % steps {
                    0 => {
                        cursor.hand(cursor.handed() + 1);
                        on_its_way += 1;
                    }
                    1 if on_its_way > 0 => {
                        cursor.acknowledge(cursor.acknowledged() + 1);
                        on_its_way -= 1;
                    }
                    1 => {}
                    2 => {
                        cursor.take_back();
                        on_its_way = 0;
                    }
                    _ => {
                        cursor.return_to(cursor.published(Some(10)));
                        on_its_way = 0;
                        assert_eq!(cursor.acknowledged(), 10);
                    }
                }
                assert_eq!(cursor.handed() - cursor.acknowledged(), on_its_way);
                assert!(cursor.published(None) >= 10, "never before the beginning");
            }
        }
    }

    #[test]
    fn the_lag_counts_numbers_that_were_seen() {
        let mut cursor = Cursor::new(10, Instant::now());
        assert_eq!(cursor.lag(10), 0);
        cursor.see(14);
        assert_eq!(cursor.lag(10), 4);
        assert_eq!(cursor.lag(20), 0, "more may be published than was visible at the last renewal");
    }
}
