//! Where records go that nobody can read: the original bytes, key and headers, and why, in Spring Kafka's headers.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use events::publisher::dead_letter_topic;
use rdkafka::{
    ClientConfig,
    error::KafkaResult,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use crate::{backoff::Backoff, record::Record, shutdown::Shutdown};

/// Publishes dead letters for one consumer group.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    config: ClientConfig,
    /// Made for the first letter: a producer costs a thread that polls, and most programs never need it.
    producer: Arc<OnceLock<FutureProducer>>,
    group: String,
    shutdown: Shutdown,
}

impl DeadLetters {
    pub(crate) fn new(config: ClientConfig, group: &str, shutdown: Shutdown) -> Self {
        DeadLetters { config, producer: Arc::default(), group: group.to_owned(), shutdown }
    }

    /// Publishes the record until the broker has it; false if a shutdown came first, and then the record has to be read again.
    pub(crate) async fn publish(&self, record: &Record, class: &str, why: &str) -> bool {
        let topic = dead_letter_topic(&record.topic);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let mut letter = FutureRecord::<[u8], [u8]>::to(&topic).headers(self.headers(record, class, why));
            letter.key = record.key.as_deref();
            letter.payload = record.value.as_deref();
            match self.send(letter).await {
                Ok(()) => {
                    tracing::warn!(
                        topic = record.topic,
                        partition = record.partition,
                        offset = record.offset,
                        why,
                        "dead letter"
                    );
                    metrics::counter!("dead_letters_total", "topic" => record.topic.clone()).increment(1);
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, topic, "the dead letter cannot be published; trying again");
                    if !self.shutdown.sleep(backoff.delay()).await {
                        return false;
                    }
                }
            }
        }
    }

    async fn send(&self, letter: FutureRecord<'_, [u8], [u8]>) -> KafkaResult<()> {
        let producer = match self.producer.get() {
            Some(producer) => producer,
            None => {
                let made = self.config.create()?;
                self.producer.get_or_init(|| made)
            }
        };
        producer.send(letter, Duration::from_secs(5)).await.map(drop).map_err(|(error, _)| error)
    }

    /// The record's own headers, then Spring's: numbers in big-endian bytes, as Spring writes them.
    fn headers(&self, record: &Record, class: &str, why: &str) -> OwnedHeaders {
        let own = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let partition = record.partition.to_be_bytes();
        let offset = record.offset.to_be_bytes();
        let timestamp = record.timestamp_ms.to_be_bytes();
        let about: [(&str, &[u8]); 8] = [
            ("kafka_dlt-original-topic", record.topic.as_bytes()),
            ("kafka_dlt-original-partition", &partition),
            ("kafka_dlt-original-offset", &offset),
            ("kafka_dlt-original-timestamp", &timestamp),
            ("kafka_dlt-original-timestamp-type", b"CreateTime"),
            ("kafka_dlt-original-consumer-group", self.group.as_bytes()),
            ("kafka_dlt-exception-fqcn", class.as_bytes()),
            ("kafka_dlt-exception-message", why.as_bytes()),
        ];
        about.into_iter().fold(own, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }
}
