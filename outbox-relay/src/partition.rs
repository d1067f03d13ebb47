//! The state of a topic's partitions as one producer sees it: which have accepted a record from it, what is in flight to each,
//! and which are left behind.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::{partitioner::partition_of, slots::Slots};

const NEW: u8 = 0;
const OPENING: u8 = 1;
const OPEN: u8 = 2;

/// Time without an accepted record after which a partition is assumed to have forgotten the producer. A broker forgets one that
/// has been silent in a partition (`producer.id.expiration.ms`, by default a day).
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// The partitions of a topic as one producer sees them. Shared with the thread that receives delivery reports.
///
/// A partition that has never seen a producer id accepts any sequence number as the first. If the first request is refused and
/// the second is already in flight, the second is accepted and has passed the first. So a partition gets one record, and no
/// more until it has accepted that one.
#[derive(Debug)]
pub(crate) struct Partitions {
    since: Instant,
    partitions: Vec<Partition>,
    /// Number of partitions left behind, so that the common case of none costs one load.
    left_behind: AtomicUsize,
}

#[derive(Debug, Default)]
struct Partition {
    state: AtomicU8,
    /// When it last accepted a record, in milliseconds since [`Partitions::since`].
    accepted_at: AtomicU64,
    /// When it was given a record while nothing else was in flight to it.
    begun_at: AtomicU64,
    in_flight: Slots,
    /// Batches count as arrived without it.
    left_behind: AtomicBool,
}

impl Partition {
    fn is_quiet(&self) -> bool {
        self.in_flight.are_all_empty()
    }
}

impl Partitions {
    /// # Panics
    /// If `count` is 0.
    pub(crate) fn new(count: usize) -> Self {
        assert!(count > 0, "a topic has partitions");
        Partitions {
            since: Instant::now(),
            partitions: (0..count).map(|_| Partition::default()).collect(),
            left_behind: AtomicUsize::new(0),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.partitions.len()
    }

    /// The partition of a key.
    pub(crate) fn of(&self, key: &[u8]) -> usize {
        partition_of(key, self.partitions.len())
    }

    /// True if a record may be handed over; if it is the first one, no other may until one has been
    /// [`accepted`](Self::accepted).
    pub(crate) fn admits(&self, partition: usize, now: Instant) -> bool {
        let partition = &self.partitions[partition];
        match partition.state.load(Ordering::Acquire) {
            OPEN if !self.is_forgotten(partition, now) => true,
            OPENING => false,
            _ => {
                partition.state.store(OPENING, Ordering::Release);
                true
            }
        }
    }

    /// Counts a record of the batch in `slot` that is about to be handed over.
    pub(crate) fn given(&self, partition: usize, slot: usize, now: Instant) {
        let partition = &self.partitions[partition];
        if partition.is_quiet() {
            partition.begun_at.store(self.millis(now), Ordering::Relaxed);
        }
        partition.in_flight.add(slot);
    }

    /// Takes back the count of a record that the client did not take after all.
    pub(crate) fn not_given(&self, partition: usize, slot: usize) {
        let partition = &self.partitions[partition];
        partition.in_flight.remove(slot);
        let _ = partition.state.compare_exchange(OPENING, NEW, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Records that the partition has accepted a record of the batch in `slot`. True if that may complete a batch by itself: it
    /// was the partition's last record of the batch, and some partition has been left behind.
    pub(crate) fn accepted(&self, partition: usize, slot: usize, now: Instant) -> bool {
        let partition = &self.partitions[partition];
        partition.accepted_at.store(self.millis(now), Ordering::Relaxed);
        if partition.state.load(Ordering::Relaxed) != OPEN {
            partition.state.store(OPEN, Ordering::Release);
        }
        let last = partition.in_flight.remove(slot);
        last && self.left_behind.load(Ordering::Acquire) > 0
    }

    /// True if everything that the partition was given has been acknowledged.
    pub(crate) fn is_quiet(&self, partition: usize) -> bool {
        self.partitions[partition].is_quiet()
    }

    /// True if some partition is left behind, and all of a batch has been acknowledged except by such partitions.
    pub(crate) fn have_accepted(&self, slot: usize) -> bool {
        let waited_for = |partition: &&Partition| !partition.left_behind.load(Ordering::Relaxed);
        self.left_behind.load(Ordering::Acquire) > 0
            && self.partitions.iter().filter(waited_for).all(|partition| partition.in_flight.is_empty(slot))
    }

    /// Partitions that have acknowledged none of what they were given for at least `after`, and since when.
    pub(crate) fn stuck(&self, now: Instant, after: Duration) -> Vec<(usize, Instant)> {
        let waits = |partition: &Partition| !partition.left_behind.load(Ordering::Relaxed) && !partition.is_quiet();
        let since = |partition: &Partition| {
            let [begun, accepted] = [&partition.begun_at, &partition.accepted_at].map(|at| at.load(Ordering::Relaxed));
            self.since + Duration::from_millis(begun.max(accepted))
        };
        let partitions = self.partitions.iter().enumerate().filter(|(_, partition)| waits(partition));
        let waiting = partitions.map(|(number, partition)| (number, since(partition)));
        waiting.filter(|(_, since)| now.saturating_duration_since(*since) >= after).collect()
    }

    /// True if the partition may have forgotten the producer while records were in flight to it: it would accept any of them
    /// as the first.
    pub(crate) fn may_have_forgotten(&self, partition: usize, now: Instant) -> bool {
        let partition = &self.partitions[partition];
        partition.state.load(Ordering::Acquire) == OPEN && !partition.is_quiet() && self.is_forgotten(partition, now)
    }

    /// When any partition last accepted a record; the creation of `self` if none has.
    pub(crate) fn accepted_at(&self) -> Instant {
        let at = self.partitions.iter().map(|partition| partition.accepted_at.load(Ordering::Relaxed)).max();
        self.since + Duration::from_millis(at.unwrap_or(0))
    }

    /// Sets whether batches count as arrived without this partition.
    pub(crate) fn leave_behind(&self, partition: usize, behind: bool) {
        if self.partitions[partition].left_behind.swap(behind, Ordering::Relaxed) != behind {
            let _ = if behind {
                self.left_behind.fetch_add(1, Ordering::AcqRel)
            } else {
                self.left_behind.fetch_sub(1, Ordering::AcqRel)
            };
        }
    }

    fn is_forgotten(&self, partition: &Partition, now: Instant) -> bool {
        let silent_for = self.millis(now).saturating_sub(partition.accepted_at.load(Ordering::Relaxed));
        Duration::from_millis(silent_for) >= REMEMBERED_FOR
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(5);

    fn accept(partitions: &Partitions, partition: usize, at: Instant) {
        partitions.given(partition, 0, at);
        partitions.accepted(partition, 0, at);
    }

    /// Three partitions that have accepted a record each, and when.
    fn open() -> (Partitions, Instant) {
        let (partitions, now) = (Partitions::new(3), Instant::now());
        for partition in 0..3 {
            partitions.admits(partition, now);
            accept(&partitions, partition, now);
        }
        (partitions, now)
    }

    #[test]
    fn a_partition_gets_one_record_until_it_has_accepted_it() {
        let (partitions, now) = (Partitions::new(2), Instant::now());
        assert!(partitions.admits(0, now));
        assert!(!partitions.admits(0, now));
        assert!(partitions.admits(1, now), "each partition by itself");
        partitions.given(0, 0, now);
        partitions.accepted(0, 0, now);
        assert!(partitions.admits(0, now) && partitions.admits(0, now));
        partitions.given(1, 0, now);
        partitions.not_given(1, 0);
        assert!(partitions.admits(1, now) && !partitions.admits(1, now));
    }

    #[test]
    fn a_partition_that_may_have_forgotten_the_producer_is_opened_anew() {
        let (partitions, now) = (Partitions::new(1), Instant::now());
        partitions.admits(0, now);
        accept(&partitions, 0, now);
        let later = now + REMEMBERED_FOR - Duration::from_secs(1);
        assert!(partitions.admits(0, later) && partitions.admits(0, later), "not yet");
        accept(&partitions, 0, later);
        let next_day = later + REMEMBERED_FOR;
        assert!(partitions.admits(0, next_day) && !partitions.admits(0, next_day), "one record, then none");
        accept(&partitions, 0, next_day);
        assert!(partitions.admits(0, next_day) && partitions.admits(0, next_day));
    }

    #[test]
    fn a_partition_is_stuck_if_it_accepts_nothing_of_what_it_was_given() {
        let (partitions, now) = open();
        let later = now + REMEMBERED_FOR / 2;
        partitions.given(1, 0, later);
        accept(&partitions, 0, later);
        assert!(partitions.stuck(later + AFTER - Duration::from_millis(2), AFTER).is_empty(), "not yet");
        let stuck: Vec<usize> = partitions.stuck(later + AFTER, AFTER).into_iter().map(|(number, _)| number).collect();
        assert_eq!(stuck, [1], "those that wait for nothing are not");
        partitions.given(1, 1, later + AFTER);
        assert_eq!(partitions.stuck(later + AFTER, AFTER).len(), 1, "whatever it is given");
        partitions.accepted(1, 0, later + AFTER);
        assert!(partitions.stuck(later + AFTER * 3 / 2, AFTER).is_empty());
        assert_eq!(partitions.stuck(later + AFTER * 2, AFTER).len(), 1, "the second one waits as well");
    }

    #[test]
    fn a_partition_that_was_away_for_long_may_have_forgotten_what_it_was_given_before() {
        let (partitions, now) = open();
        partitions.given(1, 0, now);
        assert!(!partitions.may_have_forgotten(1, now + REMEMBERED_FOR / 2));
        assert!(partitions.may_have_forgotten(1, now + REMEMBERED_FOR));
        assert!(!partitions.may_have_forgotten(0, now + REMEMBERED_FOR), "it was given nothing");
        let new = Partitions::new(1);
        new.admits(0, now);
        new.given(0, 0, now);
        assert!(!new.may_have_forgotten(0, now + REMEMBERED_FOR * 2), "one record can pass none");
    }

    #[test]
    fn a_batch_arrives_without_the_partitions_that_are_left_behind() {
        let (partitions, now) = open();
        partitions.given(0, 2, now);
        partitions.given(1, 2, now);
        assert!(!partitions.accepted(0, 2, now), "no partition is left behind, so the whole batch is waited for");
        assert!(!partitions.have_accepted(2));
        partitions.leave_behind(1, true);
        assert!(partitions.have_accepted(2) && !partitions.is_quiet(1));
        assert!(partitions.stuck(now + AFTER * 10, AFTER).is_empty(), "it is left behind already");
        assert!(partitions.accepted(1, 2, now), "that may complete a batch");
        assert!(partitions.is_quiet(1));
        partitions.leave_behind(1, false);
        assert!(!partitions.have_accepted(2), "no partition is left behind, so the batch itself tells");
    }
}
