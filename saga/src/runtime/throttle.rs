//! Maximum transaction size, adapted to what succeeds.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::health::Progress;

/// Consecutive successful transactions before the size doubles.
const GROW_AFTER: u32 = 4;
/// Failures of the same part before it is halved or, if it is a single event, parked.
const TRIES: u32 = 3;
/// Time that a single failing event is retried before it is parked, in multiples of the database's bound.
const PATIENCE: u32 = 6;
/// As [`PATIENCE`], where the cause is a lock that another session holds.
const PATIENCE_FOR_LOCKS: u32 = 24;
/// Time after which a failure is forgotten, in multiples of the database's bound.
const FORGOTTEN: u32 = 60;

/// Transaction size of one loop, the events suspected of failures, and that loop's progress. It outlives the batch: a
/// database that rejects large transactions is not tried again with each batch, and a failure that costs the connection
/// ends the batch, which is then read again.
#[derive(Debug)]
pub(crate) struct Throttle {
    pub(crate) progress: Progress,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    portion: Portion,
    suspicion: Suspicion,
}

impl Throttle {
    pub(crate) fn new(progress: Progress) -> Self {
        Throttle { progress, state: Mutex::default() }
    }

    /// Maximum number of events that may share a transaction now.
    pub(crate) fn size(&self) -> usize {
        self.lock().portion.size
    }

    /// Notes that a transaction of these events succeeded, `fresh` of which were not duplicates.
    pub(crate) fn passed(&self, ids: impl ExactSizeIterator<Item = Uuid>, fresh: usize) {
        let State { portion, suspicion } = &mut *self.lock();
        let events = ids.len();
        suspicion.acquit(ids);
        // Duplicates prove nothing, and a suspect would only make a larger part fail again.
        if fresh > 0 && suspicion.is_clear() {
            portion.passed(events);
        }
    }

    /// Notes that an event has been put aside.
    pub(crate) fn put_aside(&self, id: Uuid) {
        self.lock().suspicion.acquit([id].into_iter());
    }

    /// Judges a failed transaction of these events. `bound` is the database's.
    pub(crate) fn judge(&self, ids: &[Uuid], is_lock: bool, bound: Duration, why: &str) -> Treatment {
        let State { portion, suspicion } = &mut *self.lock();
        let verdict = suspicion.judge(ids, is_lock, bound, Instant::now());
        match verdict {
            Treatment::Again => {}
            Treatment::Halve => portion.too_large(ids.len()),
            Treatment::Condemn => suspicion.condemned = ids.first().map(|id| (*id, why.to_owned())),
        }
        verdict
    }

    /// The event that is condemned but not parked yet, and why.
    pub(crate) fn condemned(&self) -> Option<(Uuid, String)> {
        self.lock().suspicion.condemned.clone()
    }

    /// Notes that the database broke off a connection within a transaction, although it accepts writes. Returns true
    /// after several times in a row: then the events may be the cause.
    pub(crate) fn broke_off(&self) -> bool {
        let suspicion = &mut self.lock().suspicion;
        suspicion.broken_off += 1;
        suspicion.broken_off >= TRIES
    }

    /// Notes that the database is unavailable as a whole, which no event has caused.
    pub(crate) fn is_away(&self) {
        self.lock().suspicion.broken_off = 0;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Portion {
    size: usize,
    /// Consecutive successful transactions of full size.
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

/// Failures that some events may have caused.
#[derive(Debug, Default)]
struct Suspicion {
    /// Events of the part that failed last, except those that have succeeded since.
    suspects: HashSet<Uuid>,
    failures: u32,
    /// The event that failed alone, since when, and how often.
    alone: Option<(Uuid, Instant, u32)>,
    condemned: Option<(Uuid, String)>,
    broken_off: u32,
    last: Option<Instant>,
}

/// Treatment after one more such failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Retry the same part.
    Again,
    /// Retry half of it.
    Halve,
    /// Park the event, provided that the database accepts other writes.
    Condemn,
}

impl Suspicion {
    fn judge(&mut self, ids: &[Uuid], is_lock: bool, bound: Duration, now: Instant) -> Treatment {
        let forgotten = self.last.is_some_and(|last| now.saturating_duration_since(last) > bound * FORGOTTEN);
        if forgotten || !ids.iter().any(|id| self.suspects.contains(id)) {
            *self = Suspicion { broken_off: self.broken_off, ..Suspicion::default() };
        }
        self.last = Some(now);
        self.suspects = ids.iter().copied().collect();
        let &[id] = ids else {
            self.failures += 1;
            return if self.failures < TRIES { Treatment::Again } else { Treatment::Halve };
        };
        let (_, since, tries) = match &mut self.alone {
            Some(alone) if alone.0 == id => alone,
            other => other.insert((id, now, 0)),
        };
        *tries += 1;
        let patience = bound * if is_lock { PATIENCE_FOR_LOCKS } else { PATIENCE };
        if *tries >= TRIES && now.saturating_duration_since(*since) >= patience {
            Treatment::Condemn
        } else {
            Treatment::Again
        }
    }

    /// Clears events that have succeeded or have been put aside.
    fn acquit(&mut self, ids: impl Iterator<Item = Uuid>) {
        self.broken_off = 0;
        if self.is_clear() {
            return;
        }
        for id in ids {
            self.suspects.remove(&id);
        }
        if self.suspects.is_empty() {
            *self = Suspicion::default();
        }
    }

    fn is_clear(&self) -> bool {
        self.suspects.is_empty()
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

    fn ids(numbers: std::ops::Range<u128>) -> Vec<Uuid> {
        numbers.map(Uuid::from_u128).collect()
    }

    #[test]
    fn a_batch_is_tried_as_it_is_and_then_halved_and_its_last_event_is_condemned_after_a_while_only() {
        let (mut suspicion, start) = (Suspicion::default(), Instant::now());
        let verdicts: Vec<_> =
            [8, 8, 8, 4, 2].map(|events| suspicion.judge(&ids(0..events), false, BOUND, start)).to_vec();
        use Treatment::{Again, Condemn, Halve};
        assert_eq!(verdicts, [Again, Again, Halve, Halve, Halve]);
        let mut alone =
            |is_lock, after| suspicion.judge(&ids(0..1), is_lock, BOUND, start + Duration::from_secs(after));
        for after in [0, 10, 20] {
            assert_eq!(alone(false, after), Again);
        }
        assert_eq!(alone(true, 31), Again, "locks are let go");
        assert_eq!(alone(false, 31), Condemn);
        assert_eq!(alone(true, 121), Condemn);
    }

    #[test]
    fn what_is_suspected_stays_so_until_it_goes_through_itself_or_is_put_aside() {
        let throttle = Throttle::new(Progress::unwatched());
        let judge = |numbers| throttle.judge(&ids(numbers), false, BOUND, "silence");
        assert_eq!([judge(0..8), judge(0..8), judge(0..8)], [Treatment::Again, Treatment::Again, Treatment::Halve]);
        // The batch is read again: other events succeed meanwhile, and so do those before it.
        for _ in 0..2 * GROW_AFTER {
            throttle.passed(ids(0..4).into_iter(), 4);
            throttle.passed(ids(20..24).into_iter(), 4);
        }
        assert_eq!(throttle.size(), 4, "nothing larger is tried while one is suspected");
        assert_eq!(judge(4..8), Treatment::Halve, "at once");
        throttle.passed(ids(4..6).into_iter(), 0);
        throttle.put_aside(Uuid::from_u128(6));
        throttle.put_aside(Uuid::from_u128(7));
        assert_eq!(judge(30..32), Treatment::Again, "others are suspected anew");
        throttle.passed(ids(30..32).into_iter(), 2);
        for _ in 0..2 * GROW_AFTER {
            throttle.passed(ids(0..4).into_iter(), 0);
        }
        assert_eq!(throttle.size(), 2, "duplicates prove nothing");
        for _ in 0..GROW_AFTER {
            throttle.passed(ids(40..42).into_iter(), 1);
        }
        assert_eq!(throttle.size(), 4);
    }

    #[test]
    fn a_connection_that_breaks_off_again_and_again_while_the_database_is_there_is_suspicious() {
        let throttle = Throttle::new(Progress::unwatched());
        assert_eq!([throttle.broke_off(), throttle.broke_off()], [false; 2]);
        throttle.is_away();
        assert_eq!([throttle.broke_off(), throttle.broke_off(), throttle.broke_off()], [false, false, true]);
        throttle.passed(ids(0..1).into_iter(), 1);
        assert!(!throttle.broke_off());
    }
}
