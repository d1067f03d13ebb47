//! How much goes into one transaction, learned from what went through.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

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
    suspicion: Mutex<Suspicion>,
}

impl Throttle {
    pub(crate) fn new(progress: Progress) -> Self {
        Throttle { progress, portion: Mutex::default(), suspicion: Mutex::default() }
    }

    /// Most events that may share a transaction now.
    pub(crate) fn size(&self) -> usize {
        self.lock().size
    }

    /// A transaction of that many events went through, of which this is the first.
    pub(crate) fn passed(&self, events: usize, first: Uuid) {
        self.lock().passed(events);
        self.suspicion().passed(first);
    }

    /// A transaction of that many events failed, and it may be their fault; `bound` is the database's.
    pub(crate) fn failed(&self, events: usize, first: Uuid, is_lock: bool, bound: Duration) -> Verdict {
        let verdict = self.suspicion().judge(events, first, is_lock, bound, Instant::now());
        if verdict == Verdict::Halve {
            self.lock().too_large(events);
        }
        verdict
    }

    fn suspicion(&self) -> std::sync::MutexGuard<'_, Suspicion> {
        self.suspicion.lock().unwrap_or_else(PoisonError::into_inner)
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

/// An event that failed alone: since when, and how often.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    event: Uuid,
    since: Instant,
    tries: u32,
}

/// What follows from a failure that may be the fault of the events at the head of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same part again.
    Again,
    /// Half of it.
    Halve,
    /// The event is to be parked, if the database is all right otherwise.
    Condemn,
}

/// Suspicions outlive the batch as well: one that is given up and read again begins with what went through before.
#[derive(Debug, Default)]
struct Suspicion {
    /// Failures of parts, until some parts in a row have gone through.
    failures: u32,
    passed: u32,
    alone: Option<Suspect>,
}

impl Suspicion {
    /// `bound` is the database's.
    fn judge(&mut self, events: usize, first: Uuid, is_lock: bool, bound: Duration, now: Instant) -> Verdict {
        self.passed = 0;
        if events > 1 {
            self.failures += 1;
            return if self.failures < TRIES { Verdict::Again } else { Verdict::Halve };
        }
        let known = self.alone.filter(|suspect| suspect.event == first);
        let Suspect { since, tries, .. } = known.unwrap_or(Suspect { event: first, since: now, tries: 0 });
        self.alone = Some(Suspect { event: first, since, tries: tries + 1 });
        let patience = bound * if is_lock { PATIENCE_FOR_LOCKS } else { PATIENCE };
        if tries + 1 >= TRIES && now.saturating_duration_since(since) >= patience {
            Verdict::Condemn
        } else {
            Verdict::Again
        }
    }

    fn passed(&mut self, first: Uuid) {
        self.passed += 1;
        if self.passed >= GROW_AFTER {
            self.failures = 0;
        }
        self.alone = self.alone.filter(|suspect| suspect.event != first);
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
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let verdicts = [8, 8, 8, 4, 2].map(|events| {
            // What went through before it, each time that the batch is read again.
            suspicion.passed(other);
            suspicion.judge(events, one, false, BOUND, start)
        });
        use Verdict::{Again, Condemn, Halve};
        assert_eq!(verdicts, [Again, Again, Halve, Halve, Halve]);
        for after in [0, 10, 20] {
            suspicion.passed(other);
            assert_eq!(suspicion.judge(1, one, false, BOUND, start + Duration::from_secs(after)), Again);
        }
        let late = start + Duration::from_secs(31);
        assert_eq!(suspicion.judge(1, one, true, BOUND, late), Again, "locks are let go");
        assert_eq!(suspicion.judge(1, one, false, BOUND, late), Condemn);
        assert_eq!(suspicion.judge(1, one, true, BOUND, start + Duration::from_secs(121)), Condemn);
        assert_eq!(suspicion.judge(1, other, false, BOUND, start + Duration::from_secs(122)), Again, "another event");
    }
}
