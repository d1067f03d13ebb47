//! How much goes into one transaction, learned from what went through.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::health::Progress;

/// Transactions in a row that have to go through before the next may be twice as large.
const GROW_AFTER: u32 = 4;
/// Failures of a part as it is, before it is halved or, if it is a single event, parked.
const TRIES: u32 = 3;
/// Times the database's bound that an event which stands alone is tried before it is parked.
const PATIENCE: u32 = 6;
/// The same where the reason is a lock that somebody else holds.
const PATIENCE_FOR_LOCKS: u32 = 24;

/// Size of the transactions of one loop, and that loop's progress. The size outlives the batch: a database that takes no
/// large ones is not asked again with each batch.
#[derive(Debug)]
pub(crate) struct Throttle {
    pub(crate) progress: Progress,
    portion: Mutex<Portion>,
}

impl Throttle {
    pub(crate) fn new(progress: Progress) -> Self {
        Throttle { progress, portion: Mutex::default() }
    }

    /// Most events that may share a transaction now.
    pub(crate) fn size(&self) -> usize {
        self.lock().size
    }

    /// A transaction of that many events went through.
    pub(crate) fn passed(&self, events: usize) {
        self.lock().passed(events);
    }

    /// A transaction of that many events was too large, it seems.
    pub(crate) fn too_large(&self, events: usize) {
        self.lock().too_large(events);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Portion> {
        self.portion.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Portion {
    size: usize,
    /// Transactions of full size that went through in a row.
    passed: u32,
}

impl Default for Portion {
    fn default() -> Self {
        Portion { size: usize::MAX, passed: 0 }
    }
}

impl Portion {
    fn passed(&mut self, events: usize) {
        if events < self.size {
            return;
        }
        self.passed += 1;
        if self.passed >= GROW_AFTER {
            *self = Portion { size: self.size.saturating_mul(2), passed: 0 };
        }
    }

    fn too_large(&mut self, events: usize) {
        *self = Portion { size: (events / 2).max(1), passed: 0 };
    }
}

/// Failures in a row that may be the fault of the events at the head of a batch.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    failures: u32,
    alone: Option<(Instant, u32)>,
}

/// What follows from one more such failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same part again.
    Again,
    /// Half of it.
    Halve,
    /// The event is to be parked, if the database is all right otherwise.
    Condemn,
}

impl Suspicion {
    /// Judges a failure of a part of that many events. `bound` is the database's.
    pub(crate) fn judge(&mut self, events: usize, is_lock: bool, bound: Duration, now: Instant) -> Verdict {
        if events > 1 {
            self.failures += 1;
            return if self.failures < TRIES { Verdict::Again } else { Verdict::Halve };
        }
        let (since, tries) = self.alone.get_or_insert((now, 0));
        *tries += 1;
        let patience = bound * if is_lock { PATIENCE_FOR_LOCKS } else { PATIENCE };
        if *tries >= TRIES && now.saturating_duration_since(*since) >= patience {
            Verdict::Condemn
        } else {
            Verdict::Again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(5);

    #[test]
    fn a_portion_shrinks_at_once_and_grows_slowly() {
        let mut portion = Portion::default();
        portion.too_large(500);
        assert_eq!(portion.size, 250);
        portion.too_large(250);
        portion.too_large(1);
        assert_eq!(portion.size, 1);
        for _ in 0..GROW_AFTER {
            assert_eq!(portion.size, 1);
            portion.passed(1);
        }
        assert_eq!(portion.size, 2);
        for _ in 0..99 {
            portion.passed(1);
        }
        assert_eq!(portion.size, 2, "small batches prove nothing about large ones");
    }

    #[test]
    fn a_batch_is_tried_as_it_is_and_then_halved_and_its_last_event_is_condemned_after_a_while_only() {
        let (mut suspicion, start) = (Suspicion::default(), Instant::now());
        let verdicts: Vec<_> = [8, 8, 8, 4, 2].map(|events| suspicion.judge(events, false, BOUND, start)).to_vec();
        use Verdict::{Again, Condemn, Halve};
        assert_eq!(verdicts, [Again, Again, Halve, Halve, Halve]);
        for after in [0, 10, 20] {
            assert_eq!(suspicion.judge(1, false, BOUND, start + Duration::from_secs(after)), Again);
        }
        assert_eq!(suspicion.judge(1, true, BOUND, start + Duration::from_secs(31)), Again, "locks are let go");
        assert_eq!(suspicion.judge(1, false, BOUND, start + Duration::from_secs(31)), Condemn);
        assert_eq!(suspicion.judge(1, true, BOUND, start + Duration::from_secs(121)), Condemn);
    }
}
