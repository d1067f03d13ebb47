//! Reading all that the topics keep, up to where they end now.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use kit::record::Record;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};

use crate::listener::{Since, assigned};

/// Longest time without any record before reading is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first offset that each partition still keeps.
///
/// # Errors
/// If the broker does not answer.
pub fn beginnings(brokers: &str, topics: &[String]) -> anyhow::Result<HashMap<(String, i32), i64>> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("client.id", "scenarios")
        .set("group.id", "scenarios-listens-without-a-group")
        .create()
        .context("creating a Kafka client")?;
    let metadata = client.fetch_metadata(None, PATIENCE).with_context(|| format!("asking {brokers} for its topics"))?;
    let mut beginnings = HashMap::new();
    for topic in metadata.topics().iter().filter(|topic| topics.iter().any(|wanted| wanted == topic.name())) {
        for partition in topic.partitions() {
            let (low, _) = client
                .fetch_watermarks(topic.name(), partition.id(), PATIENCE)
                .with_context(|| format!("asking where {}/{} begins", topic.name(), partition.id()))?;
            beginnings.insert((topic.name().to_owned(), partition.id()), low);
        }
    }
    Ok(beginnings)
}

/// Shows every record of `topics` to `look`, up to the ends that the topics have now. Blocks: for a thread of its own.
///
/// # Errors
/// If the broker does not answer, or stops answering before the end.
pub fn read(brokers: &str, topics: &[String], mut look: impl FnMut(Record)) -> anyhow::Result<()> {
    let (consumer, mut ends) = assigned(brokers, topics, Since::Beginning)?;
    let mut last = Instant::now();
    while !ends.is_empty() {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let record = Record::from(&message);
                let place = (record.topic.clone(), record.partition);
                if ends.get(&place).is_some_and(|end| record.offset + 1 >= *end) {
                    ends.remove(&place);
                }
                look(record);
            }
            Some(Err(error)) => tracing::debug!(%error, "Kafka"),
            None => {
                // The last offsets of a partition may hold no record (a transaction's marker): the position tells.
                if let Ok(positions) = consumer.position() {
                    for element in positions.elements() {
                        let place = (element.topic().to_owned(), element.partition());
                        if let (Some(end), Some(position)) = (ends.get(&place), element.offset().to_raw())
                            && position >= *end
                        {
                            ends.remove(&place);
                        }
                    }
                }
                if last.elapsed() > PATIENCE && !ends.is_empty() {
                    bail!("the broker stopped answering before the end of {} partitions", ends.len());
                }
            }
        }
    }
    Ok(())
}
