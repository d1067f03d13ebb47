//! Records that Kafka removed before they were read.
//!
//! A topic's retention does not wait for a service that was down for too long. The client then silently continues with
//! the oldest remaining record. But the service knows which offset comes next: if another one arrives, and the log starts
//! after the expected one, this service has lost events. It logs an error and goes on, because it cannot recover them
//! itself. Their publisher's outbox still has them for `OUTBOX_RETENTION_HOURS`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
};

use crate::runtime::positions::Positions;

/// Timeout of a query for the start of the log. It is sent only when an offset is missing.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Minimum interval between two rounds of such queries.
const EVERY: Duration = Duration::from_secs(1);

/// Next expected offset of each partition, where known.
#[derive(Debug, Default)]
pub(crate) struct Expected(Positions);

/// A gap in the offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    topic: &'static str,
    partition: i32,
    /// First missing offset.
    from: i64,
    /// Offset that arrived instead.
    to: i64,
}

impl Expected {
    /// Notes the starting offsets.
    pub(crate) fn begin(&mut self, topics: &[&'static str], beginnings: &TopicPartitionList) {
        for element in beginnings.elements() {
            let Some(topic) = topics.iter().copied().find(|topic| *topic == element.topic()) else { continue };
            match element.offset() {
                Offset::Offset(offset) => self.0.insert((topic, element.partition()), offset),
                _ => self.0.remove(&(topic, element.partition())),
            };
        }
    }

    /// The gap before the record at `offset`, if any. `after` is the next offset that the batch expects there, if it
    /// already has a record.
    pub(crate) fn gap(&self, topic: &'static str, partition: i32, after: Option<i64>, offset: i64) -> Option<Gap> {
        let from = after.or_else(|| self.0.get(&(topic, partition)).copied())?;
        (from < offset).then_some(Gap { topic, partition, from, to: offset })
    }

    /// Notes the progress of a batch.
    pub(crate) fn advance(&mut self, positions: &Positions) {
        self.0.extend(positions);
    }
}

impl Gap {
    /// Number of missing offsets before the present start of the log. Gaps after it held no events: transaction markers,
    /// or records that were compacted away.
    fn lost(self, log_begins: i64) -> u64 {
        u64::try_from(log_begins.min(self.to) - self.from).unwrap_or(0)
    }

    fn tell(self, service: &'static str, log_begins: i64) {
        let (lost, Gap { topic, partition, from, to }) = (self.lost(log_begins), self);
        if lost == 0 {
            return;
        }
        metrics::counter!("events_lost_total", "service" => service, "topic" => topic).increment(lost);
        tracing::error!(
            topic,
            partition,
            from,
            to,
            lost,
            "the topic's retention has removed records before this service read them; to publish them again: \
             `outbox-relay replay --since …` for the topic's publisher, or `scenarios reconcile --repair`"
        );
    }
}

/// Gaps that have not been checked with Kafka yet.
#[derive(Debug)]
pub(crate) struct Gaps {
    gaps: BTreeMap<(&'static str, i32), Vec<Gap>>,
    asked: Option<Instant>,
}

impl Gaps {
    pub(crate) fn none() -> Self {
        Gaps { gaps: BTreeMap::new(), asked: None }
    }

    pub(crate) fn note(&mut self, gaps: &[Gap]) {
        for gap in gaps {
            self.gaps.entry((gap.topic, gap.partition)).or_default().push(*gap);
        }
    }

    /// Reports events that this service has lost: with one query per partition, and at most once a second, because
    /// transactional publishers leave a gap with each transaction. Stops at the first query without an answer, and when
    /// `stops` returns true.
    pub(crate) fn tell(
        &mut self,
        kafka: &BaseConsumer<impl ConsumerContext>,
        service: &'static str,
        stops: impl Fn() -> bool,
    ) {
        if self.gaps.is_empty() || self.asked.is_some_and(|asked| asked.elapsed() < EVERY) {
            return;
        }
        while let Some(partition) = self.gaps.first_entry() {
            if stops() {
                return;
            }
            let (topic, number) = *partition.key();
            self.asked = Some(Instant::now());
            match kafka.fetch_watermarks(topic, number, TIMEOUT) {
                Ok((begins, _)) => partition.remove().into_iter().for_each(|gap| gap.tell(service, begins)),
                Err(error) => {
                    let missing = partition.remove();
                    let (from, to) = (missing.first().map(|gap| gap.from), missing.last().map(|gap| gap.to));
                    tracing::error!(%error, topic, partition = number, ?from, ?to, "records are missing and may be lost: Kafka does not report where its log starts");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "hotel.events";

    fn expecting(offset: Offset) -> Expected {
        let mut beginnings = TopicPartitionList::new();
        beginnings.add_partition_offset(TOPIC, 0, offset).expect("an offset");
        let mut expected = Expected::default();
        expected.begin(&[TOPIC], &beginnings);
        expected
    }

    #[test]
    fn a_gap_is_what_was_expected_and_did_not_come() {
        let mut expected = expecting(Offset::Offset(5));
        assert_eq!(expected.gap(TOPIC, 0, None, 5), None);
        assert_eq!(expected.gap(TOPIC, 0, None, 3), None, "read again");
        let gap = |from, to| Some(Gap { topic: TOPIC, partition: 0, from, to });
        assert_eq!(expected.gap(TOPIC, 0, None, 9), gap(5, 9));
        assert_eq!(expected.gap(TOPIC, 0, Some(7), 9), gap(7, 9), "within a batch");
        expected.advance(&[((TOPIC, 0), 10)].into());
        assert_eq!(expected.gap(TOPIC, 0, None, 9), None);
        assert_eq!(expected.gap(TOPIC, 0, None, 11), gap(10, 11));
        assert_eq!(expecting(Offset::Beginning).gap(TOPIC, 0, None, 11), None, "any offset may be the first");
    }

    #[test]
    fn only_what_lay_before_the_logs_beginning_is_lost() {
        let gap = Gap { topic: TOPIC, partition: 0, from: 5, to: 9 };
        for (begins, lost) in [(0, 0), (5, 0), (7, 2), (9, 4), (20, 4)] {
            assert_eq!(gap.lost(begins), lost, "{begins}");
        }
    }
}
