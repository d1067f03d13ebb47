//! Reads what the topics retain, up to their current ends.

use saga::outbox::kafka::{Cluster, NO_GROUP};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use events::publisher::{self, dead_letter_topic, service_of_topic};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    metadata::MetadataTopic,
    types::RDKafkaErrorCode,
};
use saga::record::Record;

const TIMEOUT: Duration = Duration::from_secs(15);

/// Time without any record after which reading is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Offset ranges, by topic and partition.
pub type Offsets = BTreeMap<(String, i32), Range<i64>>;

/// A consumer without a group: it takes no partition from another consumer and moves no offset.
pub(crate) fn consumer(brokers: &Cluster) -> anyhow::Result<BaseConsumer> {
    brokers
        .client("scenarios")
        .set("group.id", brokers.group(NO_GROUP).real())
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("allow.auto.create.topics", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "50")
        .create()
        .context("creating the Kafka consumer")
}

/// The names of all readable topics of this system: the broker reports no error for them, and each partition has a leader.
/// Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer.
pub fn readable_topics(brokers: &Cluster) -> anyhow::Result<Vec<String>> {
    let metadata = consumer(brokers)?
        .fetch_metadata(None, TIMEOUT)
        .with_context(|| format!("fetching the topics from {brokers}"))?;
    let is_readable = |topic: &&MetadataTopic| {
        let partitions = topic.partitions();
        let all_led = partitions.iter().all(|partition| partition.error().is_none() && partition.leader() >= 0);
        topic.error().is_none() && !partitions.is_empty() && all_led
    };
    let own = metadata.topics().iter().filter(is_readable).filter_map(|topic| own_name(brokers, topic.name()));
    Ok(own.map(str::to_owned).collect())
}

/// The name of a topic, if it is this system's.
pub(crate) fn own_name<'a>(brokers: &Cluster, real: &'a str) -> Option<&'a str> {
    brokers.prefix().name_of(real).filter(|name| !has_prefix(name))
}

/// Returns whether a name has a prefix, which is another system's then: no service's name contains a `.`.
fn has_prefix(name: &str) -> bool {
    let name = name.strip_suffix(dead_letter_topic("").as_str()).unwrap_or(name);
    let before_requests = name.strip_suffix(publisher::CLIENT.topic());
    service_of_topic(name).is_some_and(|service| service.contains('.'))
        || before_requests.is_some_and(|prefix| !prefix.is_empty())
}

/// The offsets that each partition of `topics` retains now; an empty range where it retains nothing. Blocking.
pub(crate) fn kept_by(brokers: &Cluster, consumer: &BaseConsumer, topics: &[String]) -> anyhow::Result<Offsets> {
    let metadata = consumer.fetch_metadata(None, TIMEOUT).context("fetching the topics' metadata")?;
    let mut kept = Offsets::new();
    for topic in metadata.topics() {
        let named = brokers.prefix().name_of(topic.name());
        let Some(name) = named.filter(|name| topics.iter().any(|wanted| wanted == name)) else { continue };
        let real = brokers.topic(name);
        if let Some(error) = topic.error() {
            bail!("fetching the metadata of {}: {}", topic.name(), RDKafkaErrorCode::from(error));
        }
        for partition in topic.partitions() {
            let (low, high) = consumer
                .fetch_watermarks(real.real(), partition.id(), TIMEOUT)
                .with_context(|| format!("fetching the first and last offset of {real}/{}", partition.id()))?;
            kept.insert((name.to_owned(), partition.id()), low..high);
        }
    }
    Ok(kept)
}

/// The offsets that each partition of `topics` retains now. Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer.
pub fn kept(brokers: &Cluster, topics: &[String]) -> anyhow::Result<Offsets> {
    kept_by(brokers, &consumer(brokers)?, topics).with_context(|| format!("reading offsets from {brokers}"))
}

/// Passes every record of `topics` to `look`, up to the current ends. Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer, or stops answering before the end.
pub fn read(brokers: &Cluster, topics: &[String], look: impl FnMut(Record)) -> anyhow::Result<()> {
    read_from(brokers, kept(brokers, topics)?, look)
}

/// Passes every record at these offsets to `look`, in order within each partition. Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer, or stops answering before the end.
pub fn read_from(brokers: &Cluster, offsets: Offsets, mut look: impl FnMut(Record)) -> anyhow::Result<()> {
    read_while(brokers, offsets, |record| {
        look(record);
        true
    })
}

/// Passes the first record of each partition within these offsets to `look`. Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer.
pub(crate) fn read_firsts(brokers: &Cluster, offsets: Offsets, mut look: impl FnMut(Record)) -> anyhow::Result<()> {
    read_while(brokers, offsets, |record| {
        look(record);
        false
    })
}

/// The partitions that have a record within these offsets. Some offsets hold only a transaction marker or aborted records, which
/// no consumer ever reads. Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer.
pub fn with_records(brokers: &Cluster, offsets: Offsets) -> anyhow::Result<BTreeSet<(String, i32)>> {
    let mut with_records = BTreeSet::new();
    read_firsts(brokers, offsets, |record| {
        with_records.insert((record.topic, record.partition));
    })?;
    Ok(with_records)
}

/// Passes every record of `topics` to `look`, up to the current ends. Returns false if `until` passed first. Blocking; run on a
/// thread of its own.
///
/// # Errors
/// If the broker does not answer, or stops answering before the end.
pub fn read_until(
    brokers: &Cluster,
    topics: &[String],
    until: Instant,
    mut look: impl FnMut(Record),
) -> anyhow::Result<bool> {
    let more = |record| {
        look(record);
        true
    };
    read_while_until(brokers, kept(brokers, topics)?, Some(until), more)
}

/// Passes the records of each partition to `look` until it returns false.
fn read_while(brokers: &Cluster, offsets: Offsets, look: impl FnMut(Record) -> bool) -> anyhow::Result<()> {
    read_while_until(brokers, offsets, None, look).map(drop)
}

/// As [`read_while`]; returns false if `until` passed first.
fn read_while_until(
    brokers: &Cluster,
    offsets: Offsets,
    until: Option<Instant>,
    mut look: impl FnMut(Record) -> bool,
) -> anyhow::Result<bool> {
    let consumer = consumer(brokers)?;
    let mut ends: BTreeMap<(String, i32), i64> = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for ((topic, partition), offsets) in offsets.into_iter().filter(|(_, offsets)| !offsets.is_empty()) {
        assignment.add_partition_offset(brokers.topic(&topic).real(), partition, Offset::Offset(offsets.start))?;
        ends.insert((topic, partition), offsets.end);
    }
    consumer.assign(&assignment).context("assigning partitions")?;
    let mut last = Instant::now();
    while !ends.is_empty() {
        if until.is_some_and(|until| Instant::now() > until) {
            return Ok(false);
        }
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let record = Record::read(&message, brokers.prefix());
                let place = (record.topic.clone(), record.partition);
                let Some(end) = ends.get(&place).copied() else { continue };
                let offset = record.offset;
                let wants_more = offset < end && look(record);
                if !wants_more || offset + 1 >= end {
                    finish(brokers, &consumer, &mut ends, &place)?;
                }
            }
            // Also if it returns nothing but errors, for example for a record that the client cannot decode.
            Some(Err(error)) if last.elapsed() > PATIENCE => {
                return Err(error).with_context(|| format!("reading {} partitions to their ends", ends.len()));
            }
            Some(Err(error)) => tracing::debug!(%error, "reading from Kafka failed; retrying"),
            None => {
                // The last offsets of a partition may hold no record (only a transaction marker): the position shows it.
                if let Ok(positions) = consumer.position() {
                    for element in positions.elements() {
                        let Some(topic) = brokers.prefix().name_of(element.topic()) else { continue };
                        let place = (topic.to_owned(), element.partition());
                        if let (Some(end), Some(position)) = (ends.get(&place), element.offset().to_raw())
                            && position >= *end
                        {
                            finish(brokers, &consumer, &mut ends, &place)?;
                        }
                    }
                }
                if last.elapsed() > PATIENCE && !ends.is_empty() {
                    bail!("the broker stopped answering before the end of {} partitions", ends.len());
                }
            }
        }
    }
    Ok(true)
}

/// Stops fetching from partitions that are finished.
fn finish(
    brokers: &Cluster,
    consumer: &BaseConsumer,
    ends: &mut BTreeMap<(String, i32), i64>,
    place: &(String, i32),
) -> anyhow::Result<()> {
    ends.remove(place);
    let mut done = TopicPartitionList::new();
    done.add_partition(brokers.topic(&place.0).real(), place.1);
    consumer.pause(&done).context("pausing a partition")
}

#[cfg(test)]
mod tests {
    use transport::Transport;

    use super::*;

    #[test]
    fn a_name_with_anothers_prefix_is_not_ours() {
        let at = |prefix: &str| Cluster::at("", &Transport::plain()).prefixed(prefix.parse().expect("a prefix"));
        let (none, staging) = (at(""), at("staging."));
        for name in ["order.events", "order.requests", "order.requests-dlt", "points.events-dlt", "my.own.requests"] {
            assert_eq!(own_name(&none, name), Some(name));
            assert_eq!(own_name(&staging, &format!("staging.{name}")), Some(name));
            assert_eq!(own_name(&staging, name), None);
            assert_eq!(own_name(&staging, &format!("test.{name}")), None);
        }
        for name in ["staging.order.events", "staging.order.requests", "staging.order.events-dlt"] {
            assert_eq!(own_name(&none, name), None, "{name}");
        }
    }
}
