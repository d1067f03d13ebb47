//! Reading all that the topics keep, up to where they end now.

use std::time::{Duration, Instant};

use anyhow::bail;
use kit::record::Record;
use rdkafka::consumer::Consumer;

use crate::listener::{Since, assigned};

/// Longest time without any record before reading is given up.
const PATIENCE: Duration = Duration::from_secs(20);

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
