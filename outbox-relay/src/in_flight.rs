//! Records in flight, shared with the thread that receives delivery reports.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::Headers,
    producer::{DeliveryResult, ProducerContext},
};
use tokio::sync::Notify;

use crate::{partition::Partitions, slots::Slots};

/// A record that was not published, and why.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) event_id: Option<String>,
    pub(crate) error: String,
}

/// Records without an acknowledgement: a count per batch, and per batch and partition, instead of a future per record.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    records: Slots,
    /// Number acknowledged since it was last taken.
    acknowledged: AtomicUsize,
    refusal: Mutex<Option<Refusal>>,
    partitions: OnceLock<Partitions>,
    changed: Notify,
}

impl InFlight {
    pub(crate) fn add(&self, slot: usize) {
        self.records.add(slot);
    }

    pub(crate) fn remove(&self, slot: usize) {
        if self.records.remove(slot) {
            self.changed.notify_one();
        }
    }

    /// True if a batch has arrived, except at partitions that are left behind.
    pub(crate) fn has_arrived(&self, slot: usize) -> bool {
        self.records.is_empty(slot) || self.partitions().is_some_and(|partitions| partitions.have_accepted(slot))
    }

    /// True if nothing at all is in flight.
    pub(crate) fn is_all_empty(&self) -> bool {
        self.records.are_all_empty()
    }

    /// Number of records acknowledged since the last call.
    pub(crate) fn take_acknowledged(&self) -> usize {
        self.acknowledged.swap(0, Ordering::AcqRel)
    }

    fn accepted(&self, partition: i32, slot: usize) {
        self.acknowledged.fetch_add(1, Ordering::AcqRel);
        if let (Some(partitions), Ok(partition)) = (self.partitions(), usize::try_from(partition))
            && partitions.accepted(partition, slot, Instant::now())
        {
            self.changed.notify_one();
        }
        self.remove(slot);
    }

    /// The topic's partitions, once the broker has reported them.
    pub(crate) fn partitions(&self) -> Option<&Partitions> {
        self.partitions.get()
    }

    pub(crate) fn know(&self, partitions: Partitions) {
        let _ = self.partitions.set(partitions);
    }

    /// Records a refusal; only the first one, since the others follow from it.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(refusal);
        self.changed.notify_one();
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns when a batch has arrived or a record has been refused since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The callbacks of librdkafka.
pub(crate) struct Acknowledgements(pub(crate) std::sync::Arc<InFlight>);

impl ClientContext for Acknowledgements {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the relay's Kafka client reports an error");
    }

    // The client reconnects by itself; a record that fails meanwhile is refused, and that is logged.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "message of the relay's Kafka client");
    }
}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: usize) {
        let (record, error) = match result {
            // With an offset, the report is the broker's own. Without one, the client has inferred it from the broker's answer
            // to a later record, or to an earlier attempt; it may be wrong.
            Ok(record) if record.offset() >= 0 => return self.0.accepted(record.partition(), slot),
            Ok(record) => (record, "acknowledged without an offset".to_owned()),
            // The relay has taken it back itself.
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight), _)) => {
                return;
            }
            Err((error, record)) => (record, error.to_string()),
        };
        let id = record.headers().and_then(|headers| headers.iter().find(|header| header.key == "ce_id"));
        let event_id = id.and_then(|id| id.value).map(|id| String::from_utf8_lossy(id).into_owned());
        self.0.refuse(Refusal { event_id, error });
    }
}
