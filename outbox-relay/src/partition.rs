//! Which partition a key goes to, and which partitions know our producer.

use std::sync::atomic::{AtomicU8, Ordering};

const NEW: u8 = 0;
const OPENING: u8 = 1;
const OPEN: u8 = 2;

/// The partitions of a topic as one producer knows them.
///
/// A partition that has never met a producer id takes whatever it accepts first for the beginning. If the first request is
/// refused and the second is already on its way, the second is accepted and the first has been passed. So a partition gets
/// one record, and nothing more until it has accepted that one.
#[derive(Debug)]
pub(crate) struct Partitions(Vec<AtomicU8>);

impl Partitions {
    /// # Panics
    /// If `count` is 0.
    pub(crate) fn new(count: usize) -> Self {
        assert!(count > 0, "a topic has partitions");
        Partitions((0..count).map(|_| AtomicU8::new(NEW)).collect())
    }

    /// The partition of a key: the one that the Java client and librdkafka's `murmur2` choose.
    pub(crate) fn of(&self, key: &[u8]) -> usize {
        (murmur2(key) & 0x7fff_ffff) as usize % self.0.len()
    }

    /// Whether a record may be handed over; if it is the first one, no other may until [`opened`](Self::opened).
    pub(crate) fn admits(&self, partition: usize) -> bool {
        match self.0[partition].load(Ordering::Acquire) {
            OPEN => true,
            OPENING => false,
            _ => {
                self.0[partition].store(OPENING, Ordering::Release);
                true
            }
        }
    }

    /// The client did not take the first record after all.
    pub(crate) fn not_begun(&self, partition: usize) {
        let _ = self.0[partition].compare_exchange(OPENING, NEW, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The partition has accepted a record.
    pub(crate) fn opened(&self, partition: usize) {
        let partition = &self.0[partition];
        if partition.load(Ordering::Relaxed) != OPEN {
            partition.store(OPEN, Ordering::Release);
        }
    }
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
        let partitions = Partitions::new(2);
        assert!(partitions.admits(0));
        assert!(!partitions.admits(0));
        assert!(partitions.admits(1), "each partition by itself");
        partitions.opened(0);
        assert!(partitions.admits(0) && partitions.admits(0));
        partitions.not_begun(1);
        assert!(partitions.admits(1) && !partitions.admits(1));
    }
}
