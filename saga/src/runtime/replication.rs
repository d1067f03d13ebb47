//! Replication of a topic: its copies, and those that have to have a record before it counts as written.

use rdkafka::metadata::Metadata;

/// A cluster of so many brokers can lose one and neither lose a record nor stop.
const ENOUGH: usize = 3;

/// Copies of a new topic, with those that have to be there for a record to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) all: i32,
    pub(crate) in_sync: i32,
}

impl Copies {
    /// As many as were asked for; if nothing was, three where there are brokers for them, and else one. Of several, a
    /// majority has to have a record: what one broker alone has taken is lost with it.
    pub(crate) fn choose(wanted: Option<i32>, brokers: usize) -> Self {
        let all = wanted.unwrap_or(if brokers >= ENOUGH { 3 } else { 1 });
        Copies { all, in_sync: all / 2 + 1 }
    }

    /// Why a broker that dies takes something along that need not be lost.
    pub(crate) fn risk(self, brokers: usize) -> Option<&'static str> {
        (self.all == 1 && brokers > 1).then_some(
            "topics are made with a single copy although there are several brokers: one that dies takes its partitions along, \
             and the relay of each database stops at them; unset KAFKA_REPLICATION or set it to 3",
        )
    }
}

/// Finds those of `topics` that have a partition with a single copy, where there are several brokers.
pub(crate) fn single_copies(metadata: &Metadata, topics: &[String]) -> Vec<String> {
    if metadata.brokers().len() < 2 {
        return Vec::new();
    }
    let single = metadata.topics().iter().filter(|topic| {
        topics.iter().any(|ours| ours == topic.name())
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
