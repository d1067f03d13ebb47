//! What is on its way to the broker, counted by batch.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::Headers,
    producer::{DeliveryResult, ProducerContext},
};
use tokio::sync::Notify;

/// So many batches may wait for acknowledgements while the next is read.
pub(crate) const BATCHES: usize = 4;

/// A record that is not on Kafka, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) topic: String,
    pub(crate) event_id: Option<String>,
    pub(crate) error: String,
}

/// Records without an acknowledgement, in one slot per batch. Shared with the thread that hears from the broker; a number
/// per batch, not a future per record.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    records: [AtomicUsize; BATCHES],
    refusal: Mutex<Option<Refusal>>,
    changed: Notify,
}

impl InFlight {
    pub(crate) fn add(&self, slot: usize) {
        self.records[slot].fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn remove(&self, slot: usize) {
        if self.records[slot].fetch_sub(1, Ordering::AcqRel) == 1 {
            self.changed.notify_one();
        }
    }

    pub(crate) fn is_empty(&self, slot: usize) -> bool {
        self.records[slot].load(Ordering::Acquire) == 0
    }

    pub(crate) fn is_all_empty(&self) -> bool {
        (0..BATCHES).all(|slot| self.is_empty(slot))
    }

    /// Notes a refusal; the first one counts, the others follow from it.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(refusal);
        self.changed.notify_one();
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns when a batch is through or a record was refused since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// What librdkafka calls with each acknowledgement.
pub(crate) struct Acknowledgements(pub(crate) std::sync::Arc<InFlight>);

impl ClientContext for Acknowledgements {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "trouble with the broker");
    }

    // The client reconnects by itself; records that suffer from its troubles are refused, and that is reported.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "the Kafka client says");
    }
}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: usize) {
        match result {
            Ok(_) => self.0.remove(slot),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight), _)) => {
            }
            Err((error, record)) => {
                let id = record.headers().and_then(|headers| headers.iter().find(|header| header.key == "ce_id"));
                self.0.refuse(Refusal {
                    topic: record.topic().to_owned(),
                    event_id: id.and_then(|id| id.value).map(|id| String::from_utf8_lossy(id).into_owned()),
                    error: error.to_string(),
                });
            }
        }
    }
}
