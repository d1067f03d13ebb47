//! Asks the broker for a sign of life.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use outbox::kafka::Kafka;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::KafkaError,
    producer::{BaseProducer, DeliveryResult, Producer, ProducerContext},
};

/// An answer is good for this long.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// And has to come within this.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A client that is not answered for this long is asked no more, but another: one that was told of no brokers at all, by a
/// cluster whose controller took all of them for dead, has forgotten every address that it knew (librdkafka's issue 5301).
const REPLACED_AFTER: Duration = Duration::from_secs(10);

/// Asks for the cluster's metadata now and then, with a client of its own. Says when the broker goes and when it comes back.
pub(crate) struct Broker {
    settings: ClientConfig,
    client: Arc<BaseProducer<Quiet>>,
    /// When the client was made, or last answered.
    heard_at: Instant,
    answered_at: Option<Instant>,
    away: bool,
}

impl Broker {
    pub(crate) fn new(kafka: &Kafka) -> anyhow::Result<Self> {
        let settings = kafka.client("outbox-relay");
        let client = Arc::new(settings.create_with_context(Quiet).context("making the Kafka client")?);
        Ok(Broker { settings, client, heard_at: Instant::now(), answered_at: None, away: false })
    }

    /// Tells whether it answers; asks only if it has not for a while.
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
        let answer = asked.await.context("asking the broker").and_then(|answer| Ok(answer?));
        self.answered_at = answer.is_ok().then(Instant::now);
        match answer {
            Ok(()) if self.away => tracing::info!("the broker answers again"),
            Err(error) if !self.away => tracing::warn!("the broker does not answer: {error:#}"),
            _ => {}
        }
        self.away = self.answered_at.is_none();
        if !self.away {
            self.heard_at = Instant::now();
        } else if self.heard_at.elapsed() >= REPLACED_AFTER
            && let Ok(another) = self.settings.create_with_context(Quiet)
        {
            let old = std::mem::replace(&mut self.client, Arc::new(another));
            self.heard_at = Instant::now();
            tokio::task::spawn_blocking(move || drop(old));
        }
        !self.away
    }
}

/// Leaves it to us to say what matters.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "the Kafka client says");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "trouble with the broker");
    }
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}
