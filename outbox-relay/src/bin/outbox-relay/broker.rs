//! The health check of the broker.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use outbox::kafka::Cluster;
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::KafkaError,
    producer::{BaseProducer, DeliveryResult, Producer, ProducerContext},
};

const PROGRAM: &str = "outbox-relay";
/// Time for which an answer is valid.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Time within which an answer has to come.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Time without an answer after which the client is replaced. A client that was told of no brokers at all, by a cluster whose
/// controller considered all of them dead, has forgotten every address (librdkafka's issue 5301).
const REPLACED_AFTER: Duration = Duration::from_secs(10);

/// Requests the cluster's metadata periodically, with its own client. Logs when the broker stops answering and when it
/// answers again.
pub(crate) struct Broker {
    cluster: Cluster,
    /// Version of the certificates that the client was created with.
    certificates: u64,
    client: Arc<BaseProducer<Quiet>>,
    /// When the client was made, or last answered.
    heard_at: Instant,
    answered_at: Option<Instant>,
    away: bool,
}

impl Broker {
    pub(crate) fn new(cluster: Cluster) -> anyhow::Result<Self> {
        // Before the client reads the files: a change in between is taken up later.
        let certificates = cluster.transport.version();
        let client = Arc::new(cluster.client(PROGRAM).create_with_context(Quiet).context("making the Kafka client")?);
        Ok(Broker { certificates, cluster, client, heard_at: Instant::now(), answered_at: None, away: false })
    }

    /// True if the broker answers; asks again only when the last answer has expired.
    pub(crate) async fn answers(&mut self) -> bool {
        if self.answered_at.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return true;
        }
        if self.cluster.transport.version() != self.certificates {
            self.replace_client();
        }
        let client = Arc::clone(&self.client);
        let asked = tokio::task::spawn_blocking(move || {
            // Nothing else drains the client's error events from its queue.
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
        } else if self.heard_at.elapsed() >= REPLACED_AFTER {
            self.replace_client();
        }
        !self.away
    }

    fn replace_client(&mut self) {
        let version = self.cluster.transport.version();
        if let Ok(another) = self.cluster.client(PROGRAM).create_with_context(Quiet) {
            let old = std::mem::replace(&mut self.client, Arc::new(another));
            (self.heard_at, self.certificates) = (Instant::now(), version);
            tokio::task::spawn_blocking(move || drop(old));
        }
    }
}

/// Demotes the client's own messages to debug; the relay logs what matters.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "message of the relay's Kafka client");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the relay's Kafka client reports an error");
    }
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}
