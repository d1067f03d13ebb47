//! Observes the ends of orders: one thread, one topic, no consumer group, and only the needed parts of each record.
//!
//! It has to keep up with thousands of sagas per second on the cores that it measures, so it copies nothing.

use saga::outbox::kafka::Cluster;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context;
use events::{
    Event, Reason,
    order::{OrderCancelled, OrderCompleted, OrderRejected},
    publisher,
};
use operations::listener::{Since, assigned};
use rdkafka::{Message, consumer::BaseConsumer, message::BorrowedMessage};

use super::tally::{End, Tally};

/// A thread that observes a topic; stops when dropped.
#[derive(Debug)]
pub struct Ear {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Handler for the observed records.
pub trait Hears: Send + 'static {
    /// A record, and the time at which it was observed.
    fn hear(&mut self, message: &BorrowedMessage<'_>, at: Instant);

    /// Called when no more records are available at present.
    fn silence(&mut self) {}
}

impl Ear {
    /// Starts observing. Misses nothing that is published after this returns.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub async fn on(brokers: &Cluster, topic: &str, mut hears: impl Hears) -> anyhow::Result<Self> {
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        let assigned = tokio::task::spawn_blocking(move || assigned(&brokers, &[topic], Since::Now));
        let (consumer, _) = assigned.await??;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("ear".into()).spawn(move || listen(&consumer, &mut hears, &stopped));
        Ok(Ear { stop, thread: Some(thread.context("starting the observer thread")?) })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread checks `stop` several times a second. A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn listen(consumer: &BaseConsumer, hears: &mut impl Hears, stop: &AtomicBool) {
    let mut wait = Duration::from_millis(100);
    while !stop.load(Ordering::Relaxed) {
        wait = match consumer.poll(wait) {
            Some(Ok(message)) => {
                hears.hear(&message, Instant::now());
                Duration::ZERO
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "observing a topic failed; retrying");
                Duration::from_millis(100)
            }
            None => {
                hears.silence();
                Duration::from_millis(100)
            }
        };
    }
}

/// Records the ends of a stage's orders, as published by the order service.
#[derive(Debug)]
pub(super) struct Ends(pub(super) Arc<Tally>);

impl Ends {
    pub(super) async fn heard(brokers: &Cluster, tally: &Arc<Tally>) -> anyhow::Result<Ear> {
        Ear::on(brokers, publisher::ORDER.topic(), Ends(Arc::clone(tally))).await
    }
}

impl Hears for Ends {
    fn hear(&mut self, message: &BorrowedMessage<'_>, at: Instant) {
        let Some(number) = message.key().and_then(|key| self.0.tickets().number(key)) else { return };
        let end = match event_type(message) {
            Some(OrderCompleted::TYPE) => End::Completed,
            Some(OrderCancelled::TYPE | OrderRejected::TYPE) => End::refused(reason(message)),
            _ => return,
        };
        self.0.ended(number, at, end);
    }

    fn silence(&mut self) {
        self.0.pulse();
    }
}

/// The header `ce_type`.
pub(crate) fn event_type<'a>(message: &'a BorrowedMessage<'_>) -> Option<&'a str> {
    let header = saga::record::legible(message.headers()?).find(|header| header.key == "ce_type")?;
    std::str::from_utf8(header.value?).ok()
}

/// Reads the data of refusals only.
fn reason(message: &BorrowedMessage<'_>) -> Reason {
    #[derive(serde::Deserialize)]
    struct Refusal {
        reason: Reason,
    }
    let refusal = message.payload().and_then(|data| serde_json::from_slice::<Refusal>(data).ok());
    refusal.map_or(Reason::InvalidRequest, |refusal| refusal.reason)
}
