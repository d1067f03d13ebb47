//! The size of one transaction, learned from what went through.

use std::{
    collections::HashSet,
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
/// Times the database's bound after which a failure says nothing about the next one any more.
const FORGOTTEN: u32 = 60;

/// Size of the transactions of one loop, the events that are suspected of failures, and that loop's progress. All of it
/// outlives the batch: a database that takes no large transactions is not asked again with each batch, and a failure that costs
/// the connection ends the batch, which is then read again.
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

    /// Most events that may share a transaction now.
    pub(crate) fn size(&self) -> usize {
        self.lock().portion.size
    }

    /// A transaction of these events went through, and decided upon `fresh` of them.
    pub(crate) fn passed(&self, ids: impl ExactSizeIterator<Item = Uuid>, fresh: usize) {
        let State { portion, suspicion } = &mut *self.lock();
        let events = ids.len();
        suspicion.acquit(ids);
        // Duplicates prove nothing, and what is suspected would only make a larger part fail again.
        if fresh > 0 && suspicion.is_clear() {
            portion.passed(events);
        }
    }

    /// An event has been put aside.
    pub(crate) fn put_aside(&self, id: Uuid) {
        self.lock().suspicion.acquit([id].into_iter());
    }

    /// Judges a failure of a transaction of these events. `bound` is the database's.
    pub(crate) fn judge(&self, ids: &[Uuid], is_lock: bool, bound: Duration, why: &str) -> Verdict {
        let State { portion, suspicion } = &mut *self.lock();
        let verdict = suspicion.judge(ids, is_lock, bound, Instant::now());
        match verdict {
            Verdict::Again => {}
            Verdict::Halve => portion.too_large(ids.len()),
            Verdict::Condemn => suspicion.condemned = ids.first().map(|id| (*id, why.to_owned())),
        }
        verdict
    }

    /// The event that has been condemned and is not parked yet, and why.
    pub(crate) fn condemned(&self) -> Option<(Uuid, String)> {
        self.lock().suspicion.condemned.clone()
    }

    /// The database broke a connection off in the middle of a transaction, and takes writes nevertheless. True if it has done
    /// so several times in a row: then it may be the events that break it.
    pub(crate) fn broke_off(&self) -> bool {
        let suspicion = &mut self.lock().suspicion;
        suspicion.broken_off += 1;
        suspicion.broken_off >= TRIES
    }

    /// The database is away as a whole: nobody's fault.
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

/// Failures that may be the fault of some events.
#[derive(Debug, Default)]
struct Suspicion {
    /// The events of the part that failed last, but for those that have gone through since.
    suspects: HashSet<Uuid>,
    failures: u32,
    /// The event that failed when it stood alone, since when, and how often.
    alone: Option<(Uuid, Instant, u32)>,
    condemned: Option<(Uuid, String)>,
    broken_off: u32,
    last: Option<Instant>,
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
    fn judge(&mut self, ids: &[Uuid], is_lock: bool, bound: Duration, now: Instant) -> Verdict {
        let forgotten = self.last.is_some_and(|last| now.saturating_duration_since(last) > bound * FORGOTTEN);
        if forgotten || !ids.iter().any(|id| self.suspects.contains(id)) {
            *self = Suspicion { broken_off: self.broken_off, ..Suspicion::default() };
        }
        self.last = Some(now);
        self.suspects = ids.iter().copied().collect();
        let &[id] = ids else {
            self.failures += 1;
            return if self.failures < TRIES { Verdict::Again } else { Verdict::Halve };
        };
        let (_, since, tries) = match &mut self.alone {
            Some(alone) if alone.0 == id => alone,
            other => other.insert((id, now, 0)),
        };
        *tries += 1;
        let patience = bound * if is_lock { PATIENCE_FOR_LOCKS } else { PATIENCE };
        if *tries >= TRIES && now.saturating_duration_since(*since) >= patience {
            Verdict::Condemn
        } else {
            Verdict::Again
        }
    }

    /// These have gone through, or have been put aside.
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
        use Verdict::{Again, Condemn, Halve};
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
        assert_eq!([judge(0..8), judge(0..8), judge(0..8)], [Verdict::Again, Verdict::Again, Verdict::Halve]);
        // Read again: others go through meanwhile, and what came before it.
        for _ in 0..2 * GROW_AFTER {
            throttle.passed(ids(0..4).into_iter(), 4);
            throttle.passed(ids(20..24).into_iter(), 4);
        }
        assert_eq!(throttle.size(), 4, "nothing larger is tried while one is suspected");
        assert_eq!(judge(4..8), Verdict::Halve, "at once");
        throttle.passed(ids(4..6).into_iter(), 0);
        throttle.put_aside(Uuid::from_u128(6));
        throttle.put_aside(Uuid::from_u128(7));
        assert_eq!(judge(30..32), Verdict::Again, "others are suspected anew");
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
