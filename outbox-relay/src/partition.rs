//! Which partition a key goes to, and which partitions know our producer.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::{Duration, Instant},
};

const NEW: u8 = 0;
const OPENING: u8 = 1;
const OPEN: u8 = 2;

/// A broker forgets a producer that has been silent in a partition (`producer.id.expiration.ms`, a day unless it is set).
/// One that has been silent for this long counts as forgotten.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// The partitions of a topic as one producer knows them.
///
/// A partition that has never met a producer id takes whatever it accepts first for the beginning. If the first request is
/// refused and the second is already on its way, the second is accepted and the first has been passed. So a partition gets
/// one record, and nothing more until it has accepted that one.
#[derive(Debug)]
pub(crate) struct Partitions {
    since: Instant,
    partitions: Vec<Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    state: AtomicU8,
    /// When it last accepted a record, in milliseconds since [`Partitions::since`].
    accepted_at: AtomicU64,
}

impl Partitions {
    /// # Panics
    /// If `count` is 0.
    pub(crate) fn new(count: usize) -> Self {
        assert!(count > 0, "a topic has partitions");
        Partitions { since: Instant::now(), partitions: (0..count).map(|_| Partition::default()).collect() }
    }

    /// The partition of a key.
    pub(crate) fn of(&self, key: &[u8]) -> usize {
        partition_of(key, self.partitions.len())
    }

    /// Tells whether a record may be handed over; if it is the first one, no other may until [`opened`](Self::opened).
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

    /// The client did not take the first record after all.
    pub(crate) fn not_begun(&self, partition: usize) {
        let state = &self.partitions[partition].state;
        let _ = state.compare_exchange(OPENING, NEW, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The partition has accepted a record.
    pub(crate) fn opened(&self, partition: usize, now: Instant) {
        let partition = &self.partitions[partition];
        partition.accepted_at.store(self.millis(now), Ordering::Relaxed);
        if partition.state.load(Ordering::Relaxed) != OPEN {
            partition.state.store(OPEN, Ordering::Release);
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

/// The partition of a key in a topic of `count` partitions: the one that the Java client and librdkafka's `murmur2` choose.
///
/// # Panics
/// If `count` is 0.
pub fn partition_of(key: &[u8], count: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % count
}

/// Austin Appleby's MurmurHash2 with Kafka's seed.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the Java client's own tests.
    #[test]
    fn the_hash_is_kafkas() {
        let known = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn a_partition_gets_one_record_until_it_has_accepted_it() {
        let (partitions, now) = (Partitions::new(2), Instant::now());
        assert!(partitions.admits(0, now));
        assert!(!partitions.admits(0, now));
        assert!(partitions.admits(1, now), "each partition by itself");
        partitions.opened(0, now);
        assert!(partitions.admits(0, now) && partitions.admits(0, now));
        partitions.not_begun(1);
        assert!(partitions.admits(1, now) && !partitions.admits(1, now));
    }

    #[test]
    fn a_partition_that_may_have_forgotten_the_producer_is_opened_anew() {
        let (partitions, now) = (Partitions::new(1), Instant::now());
        partitions.admits(0, now);
        partitions.opened(0, now);
        let later = now + REMEMBERED_FOR - Duration::from_secs(1);
        assert!(partitions.admits(0, later) && partitions.admits(0, later), "not yet");
        partitions.opened(0, later);
        let next_day = later + REMEMBERED_FOR;
        assert!(partitions.admits(0, next_day) && !partitions.admits(0, next_day), "one record, then none");
        partitions.opened(0, next_day);
        assert!(partitions.admits(0, next_day) && partitions.admits(0, next_day));
    }
}
