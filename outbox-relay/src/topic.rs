//! The state of the topic that a tenure keeps from one producer to the next.

use crate::{behind::Behind, suspicion::Suspicion};

/// The topic's partitions.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    /// Those that are left behind.
    pub(crate) behind: Behind,
    pub(crate) suspicion: Suspicion,
    /// Number of partitions that the last producer was told.
    count: Option<usize>,
    /// The first producer has been made to connect.
    connected: bool,
}

impl Topic {
    /// True on the first call: the first producer has yet to be made to connect.
    pub(crate) fn connects_first(&mut self) -> bool {
        !std::mem::replace(&mut self.connected, true)
    }

    /// Records the number of partitions. True if it has changed.
    pub(crate) fn counted(&mut self, count: usize) -> bool {
        self.count.replace(count).is_some_and(|before| before != count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_is_made_to_connect_once() {
        let mut topic = Topic::default();
        assert!(topic.connects_first());
        assert!(!topic.connects_first() && !topic.connects_first());
    }

    #[test]
    fn keys_have_moved_if_the_number_of_partitions_has_changed() {
        let mut topic = Topic::default();
        let seen = [3, 3, 6, 6, 3].map(|count| topic.counted(count));
        assert_eq!(seen, [false, false, true, false, true]);
    }
}
