//! The pauses between reads of the outbox.

use std::time::Duration;

/// The first pause after rows were found.
const SOON: Duration = Duration::from_millis(1);
/// Maximum pause between reads while rows keep arriving.
const LONGEST_BREATH: Duration = Duration::from_millis(10);
/// Maximum pause at a gap. A commit that closes it is announced; a rollback is not.
const LONGEST_AT_GAP: Duration = Duration::from_millis(25);

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// As many rows as requested.
    Full,
    Some,
    Gap,
    Nothing,
}

/// The pause before the next read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) length: Duration,
    /// True if a notification of a commit ends it.
    pub(crate) wakeable: bool,
}

/// Poll intervals that double while nothing is found, and gather rows that arrive one by one.
#[derive(Debug)]
pub(crate) struct Pace {
    longest: Duration,
    next: Duration,
}

impl Pace {
    pub(crate) fn new(longest: Duration) -> Self {
        Pace { longest, next: SOON }
    }

    /// The pause after a read that took `took`.
    pub(crate) fn after(&mut self, found: Found, took: Duration) -> Pause {
        match found {
            Found::Full => {
                self.next = SOON;
                Pause { length: Duration::ZERO, wakeable: true }
            }
            // Reading again at once would find one row at a time. A pause in proportion to the cost of a read gathers more rows
            // the busier the machine is.
            Found::Some => {
                self.next = SOON;
                Pause { length: (took * 2).clamp(SOON, LONGEST_BREATH), wakeable: false }
            }
            Found::Gap => Pause { length: self.double(LONGEST_AT_GAP), wakeable: true },
            Found::Nothing => Pause { length: self.double(self.longest), wakeable: true },
        }
    }

    /// Records that a notification ended a pause: more rows are likely to follow.
    pub(crate) fn woken(&mut self) {
        self.next = SOON;
    }

    fn double(&mut self, longest: Duration) -> Duration {
        let pause = self.next.min(longest);
        self.next = (self.next * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn polls_double_while_nothing_comes_and_start_anew_with_the_first_row() {
        let mut pace = Pace::new(200 * MS);
        let lengths = [1, 2, 4, 8, 16, 32, 64, 128, 200, 200];
        for length in lengths {
            assert_eq!(pace.after(Found::Nothing, MS), Pause { length: length * MS, wakeable: true });
        }
        pace.after(Found::Some, MS);
        assert_eq!(pace.after(Found::Nothing, MS).length, MS);
        assert_eq!(pace.after(Found::Nothing, MS).length, 2 * MS);
        pace.woken();
        assert_eq!(pace.after(Found::Nothing, MS).length, MS);
    }

    #[test]
    fn a_full_read_is_followed_at_once() {
        assert_eq!(Pace::new(200 * MS).after(Found::Full, 30 * MS).length, Duration::ZERO);
    }

    #[test]
    fn rows_that_come_one_by_one_are_gathered() {
        let mut pace = Pace::new(200 * MS);
        assert_eq!(pace.after(Found::Some, MS / 10), Pause { length: MS, wakeable: false });
        assert_eq!(pace.after(Found::Some, 3 * MS).length, 6 * MS);
        assert_eq!(pace.after(Found::Some, 300 * MS).length, 10 * MS);
    }

    #[test]
    fn a_gap_is_looked_at_more_often_than_silence() {
        let mut pace = Pace::new(200 * MS);
        let lengths: Vec<_> = (0..8).map(|_| pace.after(Found::Gap, MS).length).collect();
        assert_eq!(lengths[..3], [MS, 2 * MS, 4 * MS]);
        assert_eq!(lengths[7], 25 * MS);
    }
}
