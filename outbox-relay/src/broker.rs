//! Whether the broker answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use kit::config::Kafka;
use rdkafka::producer::{BaseProducer, Producer};

/// An answer is good for this long.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// And has to come within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks for the cluster's metadata now and then, with a client of its own.
pub(crate) struct Broker {
    client: Arc<BaseProducer>,
    answered_at: Option<Instant>,
}

impl Broker {
    pub(crate) fn new(kafka: &Kafka) -> anyhow::Result<Self> {
        let client = kafka.client("outbox-relay").create().context("making the Kafka client")?;
        Ok(Broker { client: Arc::new(client), answered_at: None })
    }

    /// Whether it answers; asks only if it has not for a while.
    pub(crate) async fn answers(&mut self) -> bool {
        if self.answered_at.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return true;
        }
        let client = Arc::clone(&self.client);
        let asked = tokio::task::spawn_blocking(move || {
            // Nobody else takes the client's complaints off its queue.
            client.poll(Duration::ZERO);
            client.client().fetch_metadata(None, ANSWER_WITHIN).map(drop)
        });
        self.answered_at = matches!(asked.await, Ok(Ok(()))).then(Instant::now);
        self.answered_at.is_some()
    }
}
