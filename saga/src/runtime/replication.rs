//! Replication of a topic: its replicas, and how many must have a record before it counts as written.

use outbox::RealName;
use rdkafka::metadata::Metadata;

/// A cluster of this size can lose a broker without losing a record or stopping.
const ENOUGH: usize = 3;

/// Replicas of a new topic, and how many of them must be in sync for a record to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) all: i32,
    pub(crate) in_sync: i32,
}

impl Copies {
    /// The configured number; by default three if there are brokers for them, else one. With several replicas, a majority
    /// must have a record: one that a single broker has is lost with it.
    pub(crate) fn choose(wanted: Option<i32>, brokers: usize) -> Self {
        let all = wanted.unwrap_or(if brokers >= ENOUGH { 3 } else { 1 });
        Copies { all, in_sync: all / 2 + 1 }
    }

    /// Explains why losing one broker would lose data although the cluster could prevent it.
    pub(crate) fn risk(self, brokers: usize) -> Option<&'static str> {
        (self.all == 1 && brokers > 1).then_some(
            "topics are created with one replica although there are several brokers: a broker that fails takes its partitions down, \
             and the relay of each database stops at them; unset KAFKA_REPLICATION or set it to 3",
        )
    }
}

/// Returns those of `topics` that have a partition with a single replica although there are several brokers.
pub(crate) fn single_copies(metadata: &Metadata, topics: &[RealName]) -> Vec<String> {
    if metadata.brokers().len() < 2 {
        return Vec::new();
    }
    let single = metadata.topics().iter().filter(|topic| {
        topics.iter().any(|ours| ours.real() == topic.name())
            && topic.partitions().iter().any(|partition| partition.replicas().len() < 2)
    });
    single.map(|topic| topic.name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_of_three_keeps_three_copies_unless_somebody_wants_otherwise() {
        assert_eq!(Copies::choose(None, 1), Copies { all: 1, in_sync: 1 });
        assert_eq!(Copies::choose(None, 2), Copies { all: 1, in_sync: 1 });
        assert_eq!(Copies::choose(None, 3), Copies { all: 3, in_sync: 2 });
        assert_eq!(Copies::choose(None, 9), Copies { all: 3, in_sync: 2 });
        assert_eq!(Copies::choose(Some(1), 3), Copies { all: 1, in_sync: 1 });
        assert_eq!(Copies::choose(Some(2), 3), Copies { all: 2, in_sync: 2 });
        assert_eq!(Copies::choose(Some(5), 5), Copies { all: 5, in_sync: 3 });
    }

    #[test]
    fn a_single_copy_among_several_brokers_is_a_risk() {
        assert!(Copies::choose(Some(1), 3).risk(3).is_some());
        assert!(Copies::choose(None, 2).risk(2).is_some());
        assert!(Copies::choose(None, 1).risk(1).is_none());
        assert!(Copies::choose(None, 3).risk(3).is_none());
    }
}
