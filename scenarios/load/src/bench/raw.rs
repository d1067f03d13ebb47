//! The broker alone: write and read throughput, and the latency of one record.

use saga::outbox::kafka::Cluster;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use operations::listener::{Since, assigned};
use rdkafka::{
    ClientContext,
    consumer::Consumer,
    error::RDKafkaErrorCode,
    message::{BorrowedMessage, DeliveryResult, Message, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
};
use saga::outbox::kafka;
use uuid::Uuid;

use crate::{
    ear::{Ear, Hears},
    tally::{Course, End, Tally},
    times::{Latency, Times},
};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A value of 500 bytes that compresses about as well as an event.
pub fn value() -> String {
    let (order, user) = (Uuid::now_v7(), rand::random_range(1_000..11_000));
    let start = format!(
        r#"{{"order":{{"order_id":"{order}","user_id":{user},"payment_method_id":{user},"currency":"JPY","total":100,"items":[{{"product_id":{},"quantity":1,"unit_price":100,"kind":"digital"}}],"ship_to":""#,
        rand::random_range(1_001..2_001)
    );
    const END: &str = r#""}}"#;
    let mut filling = String::new();
    while start.len() + filling.len() + END.len() < 500 {
        filling.push_str(&format!("{:x} ", rand::random::<u32>()));
    }
    filling.truncate(500 - start.len() - END.len());
    start + &filling + END
}

fn headers(number: u64) -> OwnedHeaders {
    let number = number.to_string();
    kafka::headers(&[
        ("ce_id", number.as_str()),
        ("ce_type", "BalanceReserved"),
        ("ce_source", "/services/account"),
        ("ce_time", "2025-01-31T12:00:00Z"),
    ])
}

#[derive(Default)]
struct Lost(AtomicU64);

impl ClientContext for Lost {}

impl ProducerContext for Lost {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Records per second that the broker acknowledges at full load: 500 bytes, four headers, lz4, `acks=all`, idempotent. Blocking.
pub fn produce(kafka: &Cluster, topic: &str, records: u64) -> anyhow::Result<f64> {
    let mut config = kafka.producer("scenarios-bench");
    config.set("linger.ms", "5").set("queue.buffering.max.messages", "100000");
    let producer: BaseProducer<Lost> = config.create_with_context(Lost::default())?;
    let topic = kafka.topic(topic);
    producer.client().fetch_metadata(Some(topic.real()), TIMEOUT).with_context(|| format!("metadata of {topic}"))?;
    let values: Vec<String> = (0..1_000).map(|_| value()).collect();
    let begun = Instant::now();
    for number in 0..records {
        let key = number.to_string();
        let value = &values[number as usize % values.len()];
        let mut record = BaseRecord::to(topic.real()).key(&key).payload(value).headers(headers(number));
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((error, again)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    record = again;
                    producer.poll(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error).with_context(|| format!("publishing on {topic}")),
            }
        }
        if number % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(TIMEOUT).context("waiting for the acknowledgements")?;
    let lost = producer.context().0.load(Ordering::Relaxed);
    ensure!(lost == 0, "{lost} of {records} records were not acknowledged");
    Ok(records as f64 / begun.elapsed().as_secs_f64())
}

/// Records per second that one consumer receives, over the whole topic. Blocking.
pub fn consume(brokers: &Cluster, topic: &str) -> anyhow::Result<f64> {
    let (consumer, ends) = assigned(brokers, &[topic.to_owned()], Since::Beginning)?;
    let all: i64 = ends.values().sum();
    let (mut begun, mut seen) = (None, 0_i64);
    let mut last = Instant::now();
    while seen < all {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                // Excludes the time to connect.
                begun.get_or_insert_with(Instant::now);
                seen += i64::from(message.payload().is_some());
                last = Instant::now();
            }
            Some(Err(error)) => tracing::debug!(%error, "reading from Kafka failed; retrying"),
            None => ensure!(last.elapsed() < TIMEOUT, "{seen} of {all} records arrived within {} s", TIMEOUT.as_secs()),
        }
    }
    consumer.unassign()?;
    Ok(begun.map_or(0.0, |begun: Instant| all as f64 / begun.elapsed().as_secs_f64()))
}

/// Latency from sending a record to receiving it, on an idle system.
pub async fn echo(kafka: &Cluster, topic: &str, records: u32) -> anyhow::Result<Latency> {
    let tally = Arc::new(Tally::new(records));
    let ear = Ear::on(kafka, topic, All(Arc::clone(&tally))).await?;
    let producer: BaseProducer = kafka.producer("scenarios-bench").create()?;
    let (echoing, to) = (Arc::clone(&tally), kafka.topic(topic));
    tokio::task::spawn_blocking(move || {
        for number in 0..records {
            let key = echoing.tickets().order(number).to_string();
            let value = value();
            echoing.sent(number, echoing.begun().elapsed());
            let record =
                BaseRecord::<_, _, ()>::to(to.real()).key(&key).payload(&value).headers(headers(number.into()));
            producer.send(record).map_err(|(error, _)| error)?;
            // The first record may wait until the broker has assigned the producer its id.
            let heard = (0..3_000).any(|_| {
                producer.poll(Duration::ZERO);
                echoing.until_room(1, Duration::from_millis(10))
            });
            ensure!(heard, "a record did not arrive within 30 s");
        }
        Ok(())
    })
    .await??;
    tokio::task::spawn_blocking(move || drop(ear)).await?;
    Ok(latencies(tally.courses().skip(1).map(|(_, course)| course)).latency())
}

/// Observes every record whose key belongs to a tally.
pub(crate) struct All(pub(crate) Arc<Tally>);

impl Hears for All {
    fn hear(&mut self, message: &BorrowedMessage<'_>, at: Instant) {
        if let Some(number) = message.key().and_then(|key| self.0.tickets().number(key)) {
            self.0.ended(number, at, End::Completed);
        }
    }

    fn silence(&mut self) {
        self.0.pulse();
    }
}

/// Latencies of all records that were observed.
pub(crate) fn latencies(courses: impl Iterator<Item = Course>) -> Times {
    let mut times = Times::new();
    courses.filter_map(|course| course.latency()).for_each(|latency| times.record(latency));
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_json_of_500_bytes() {
        for _ in 0..100 {
            let value = value();
            assert_eq!(value.len(), 500, "{value}");
            serde_json::from_str::<serde_json::Value>(&value).unwrap();
        }
    }
}
