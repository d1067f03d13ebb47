//! Publishes arbitrary records: any bytes, any key, any headers.

use saga::outbox::{Prefix, kafka::Cluster};
use std::time::Duration;

use anyhow::Context;
use operations::requests::Place;
use rdkafka::producer::{FutureProducer, FutureRecord};
use saga::{outbox::kafka::headers, record::Record};

/// Publishes records unchanged.
#[derive(Clone)]
pub struct Records {
    producer: FutureProducer,
    prefix: Prefix,
}

impl Records {
    pub fn new(brokers: &Cluster) -> anyhow::Result<Self> {
        let producer = brokers
            .client("scenarios")
            .set("client.id", "scenarios-chaos")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            // Records far beyond a topic's limit may be sent: the broker decides about them.
            .set("compression.type", "gzip")
            .set("message.max.bytes", "10000000")
            .set("reconnect.backoff.max.ms", "500")
            .set("message.timeout.ms", "10000")
            .create()
            .context("creating the Kafka producer")?;
        Ok(Records { producer, prefix: brokers.prefix().clone() })
    }

    /// Publishes the record's topic, key, headers and value; its earlier position is ignored.
    pub async fn publish(&self, record: &Record) -> anyhow::Result<Place> {
        let topic = self.prefix.of(&record.topic);
        let mut message = FutureRecord::<[u8], [u8]>::to(topic.real()).headers(headers(&record.headers));
        (message.key, message.payload) = (record.key.as_deref(), record.value.as_deref());
        let delivery = self.producer.send(message, Duration::from_secs(30)).await;
        let delivery =
            delivery.map_err(|(error, _)| error).with_context(|| format!("publishing on {}", record.topic))?;
        Ok(Place { partition: delivery.partition, offset: delivery.offset })
    }
}
