//! Sends the requests of a stage when they are due, on a thread of its own, through a client that batches bursts.

use saga::outbox::{RealName, kafka::Cluster};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context;
use events::publisher;
use operations::credentials::Credentials;
use rdkafka::{
    ClientContext,
    error::RDKafkaErrorCode,
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};

use super::{
    plan::{Pace, Stage},
    tally::{End, Tally},
    tokens::Tokens,
};

/// Shorter sleeps cost more than they save.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Publishes a stage's requests; stops when dropped.
#[derive(Debug)]
pub(super) struct Sender {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    /// Starts sending.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn start(mut producer: Requests, stage: Stage, tally: Arc<Tally>) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let send = move || {
            producer.send_all(&stage, &tally, &stopped);
            // A request that the broker never accepts has failed; the tally records it like any other.
            let _ = producer.producer.flush(Duration::from_secs(15));
        };
        let thread =
            std::thread::Builder::new().name("sender".into()).spawn(send).context("starting the sender thread")?;
        Ok(Sender { stop, thread: Some(thread) })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread checks `stop` between requests. A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// A connected client for one stage.
pub(super) struct Requests {
    producer: ThreadedProducer<Deliveries>,
    topic: RealName,
    tokens: Tokens,
}

/// Records the delivery of each request; its number is the opaque value.
struct Deliveries(Arc<Tally>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        if let Err((error, _)) = result {
            tracing::warn!(%error, "a request was not published; it counts as failed");
            self.0.ended(number as u32, Instant::now(), End::Unsent);
            self.0.pulse();
        }
    }
}

impl Requests {
    /// Connects and fetches the topic's metadata, so that the first request is not delayed by it.
    pub(super) async fn connect(
        brokers: &Cluster,
        credentials: Credentials,
        pace: Pace,
        tally: &Arc<Tally>,
    ) -> anyhow::Result<Self> {
        let producer: ThreadedProducer<Deliveries> = brokers
            .client("scenarios")
            .set("client.id", "scenarios-load")
            .set("acks", "all")
            .set("linger.ms", pace.linger().as_millis().to_string())
            .set("partitioner", "murmur2_random")
            .set("allow.auto.create.topics", "false")
            .set("queue.buffering.max.messages", "1000000")
            .create_with_context(Deliveries(Arc::clone(tally)))
            .context("creating the Kafka producer")?;
        let client = producer.clone();
        let topic = brokers.topic(publisher::CLIENT.topic());
        let asked = tokio::task::spawn_blocking({
            let topic = topic.clone();
            move || client.client().fetch_metadata(Some(topic.real()), Duration::from_secs(15)).map(drop)
        });
        asked.await?.with_context(|| format!("fetching the metadata of {topic} from {brokers}"))?;
        Ok(Requests { producer, topic, tokens: Tokens::of(credentials) })
    }

    fn send_all(&mut self, stage: &Stage, tally: &Tally, stop: &AtomicBool) {
        for number in 0..stage.orders {
            let Some(intended) = until_due(stage.pace, number, tally, stop) else { return };
            tally.sent(number, intended);
            if let Err(error) = self.send(stage, number, tally) {
                tracing::warn!(%error, "a request was not published; it counts as failed");
                tally.ended(number, Instant::now(), End::Unsent);
            }
        }
    }

    /// Publishes a bare value, as any client may, with the buyer's token where one is asked for; the key only keeps one order's
    /// requests on one partition.
    fn send(&mut self, stage: &Stage, number: u32, tally: &Tally) -> anyhow::Result<()> {
        let order = tally.tickets().order(number);
        let request = stage.choice.request(order, stage.mix.fate_of(number));
        // Numbers and strings always serialize to JSON.
        let value = serde_json::to_vec(&request).unwrap_or_default();
        let key = order.to_string();
        let mut record = BaseRecord::with_opaque_to(self.topic.real(), number as usize).key(&key).payload(&value);
        if let Some(authorization) = self.tokens.authorization(request.user_id)? {
            let header = Header { key: "authorization", value: Some(authorization) };
            record = record.headers(OwnedHeaders::new_with_capacity(1).insert(header));
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, again)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    record = again;
                    rest(SHORTEST_SLEEP);
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
}

/// Waits until the order is due. Returns its intended time, or `None` when the stage is stopped.
fn until_due(pace: Pace, number: u32, tally: &Tally, stop: &AtomicBool) -> Option<Duration> {
    while !stop.load(Ordering::Relaxed) {
        let now = tally.begun().elapsed();
        match (pace.intended(number), pace) {
            (Some(intended), _) if intended <= now => return Some(intended),
            (Some(intended), _) => {
                let left = intended - now;
                rest(left.clamp(SHORTEST_SLEEP, Duration::from_millis(100)));
            }
            (None, Pace::InFlight(most)) => {
                if tally.until_room(most, Duration::from_millis(100)) {
                    return Some(tally.begun().elapsed());
                }
            }
            (None, Pace::AtOnce | Pace::Rate(_)) => return Some(now),
        }
    }
    None
}

#[expect(clippy::disallowed_methods, reason = "a request is due at its time, not on a condition")]
fn rest(length: Duration) {
    std::thread::sleep(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_late_is_not_forgiven() {
        let (tally, go) = (Tally::new(10), AtomicBool::new(false));
        // However late the sender is, the intended time stays the same.
        while tally.begun().elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        assert_eq!(until_due(Pace::Rate(1_000.0), 3, &tally, &go), Some(Duration::from_millis(3)));
        assert_eq!(until_due(Pace::AtOnce, 3, &tally, &go), Some(Duration::ZERO));
    }

    #[test]
    fn nothing_is_sent_before_it_is_due() {
        let (tally, go) = (Tally::new(100), AtomicBool::new(false));
        let intended = until_due(Pace::Rate(1_000.0), 50, &tally, &go).unwrap();
        assert!(tally.begun().elapsed() >= intended);
    }

    #[test]
    fn a_closed_loop_waits_for_room_and_a_stopped_one_ends() {
        let (tally, go, stop) = (Tally::new(2), AtomicBool::new(false), AtomicBool::new(true));
        assert!(until_due(Pace::InFlight(1), 0, &tally, &go).is_some());
        tally.sent(0, Duration::ZERO);
        assert!(until_due(Pace::InFlight(1), 1, &tally, &stop).is_none());
        tally.ended(0, Instant::now(), End::Completed);
        assert!(until_due(Pace::InFlight(1), 1, &tally, &go).is_some());
    }
}
