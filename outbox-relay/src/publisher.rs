//! Handing rows to Kafka in order, and knowing up to which one they have arrived.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use kit::config::Kafka;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::BaseRecord,
};

use crate::{
    client::Client,
    in_flight::{BATCHES, InFlight, Refusal},
    outbox::OutboxRow,
    program::PROGRAM,
    record::{Record, Routes},
    timing::Timing,
};

/// A producer for one database. After a refusal it is of no use any more: everything in it is discarded with it.
pub(crate) struct Publisher {
    client: Client,
    in_flight: Arc<InFlight>,
    batches: VecDeque<Batch>,
    next_slot: usize,
    routes: Routes,
    acknowledged_within: Duration,
}

struct Batch {
    slot: usize,
    rows: usize,
    last_seq: i64,
    handed_over_at: Instant,
}

/// Why a row was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The client has enough to do; later.
    Full,
    /// The client refuses it; noted as a [`Refusal`].
    Refused,
}

/// Rows that have arrived.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) rows: usize,
    pub(crate) last_seq: Option<i64>,
}

impl Publisher {
    /// Sends at most `batch_max` records to a partition in one request.
    pub(crate) fn new(kafka: &Kafka, timing: Timing, batch_max: i64) -> Result<Self, KafkaError> {
        let in_flight = Arc::new(InFlight::default());
        let mut config = kafka.producer(PROGRAM);
        config
            .set("message.timeout.ms", timing.message_timeout().as_millis().to_string())
            // A record that fails takes all that follow it along.
            .set("enable.gapless.guarantee", "true")
            .set("batch.num.messages", batch_max.to_string())
            // Bounds the memory of a relay whose broker is away.
            .set("queue.buffering.max.kbytes", "65536");
        let client = Client::new(&config, Arc::clone(&in_flight))?;
        Ok(Publisher {
            client,
            in_flight,
            batches: VecDeque::with_capacity(BATCHES),
            next_slot: 0,
            routes: Routes::default(),
            acknowledged_within: timing.acknowledged_within(),
        })
    }

    /// Batches that wait for acknowledgements; at most [`BATCHES`].
    pub(crate) fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Opens a batch. The rows that follow belong to it until it is sealed.
    pub(crate) fn open(&mut self) {
        self.in_flight.add(self.next_slot);
    }

    /// All that there is to hand over for a row.
    pub(crate) fn record<'r>(&mut self, row: &'r OutboxRow<'r>) -> Record<'r> {
        self.routes.record(row)
    }

    /// Hands a record to the client; returns at once.
    pub(crate) fn send(&mut self, Record { row, topic, headers }: Record<'_>) -> Result<(), NotTaken> {
        let slot = self.next_slot;
        let record =
            BaseRecord::with_opaque_to(&topic, slot).key(row.aggregateid).payload(row.payload).headers(headers);
        self.in_flight.add(slot);
        let Err(error) = self.client.send(record) else {
            return Ok(());
        };
        self.in_flight.remove(slot);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) {
            return Err(NotTaken::Full);
        }
        let (topic, event_id) = (topic.to_string(), Some(row.id.to_string()));
        self.in_flight.refuse(Refusal { topic, event_id, error: error.to_string() });
        Err(NotTaken::Refused)
    }

    /// Closes the batch, which ends with `last_seq`.
    pub(crate) fn seal(&mut self, rows: usize, last_seq: i64) {
        let slot = self.next_slot;
        self.in_flight.remove(slot);
        if rows > 0 {
            self.batches.push_back(Batch { slot, rows, last_seq, handed_over_at: Instant::now() });
            self.next_slot = (slot + 1) % BATCHES;
            self.client.listen();
        }
    }

    /// Takes off the batches that have arrived whole, oldest first. An error is the end of this publisher.
    pub(crate) fn arrived(&mut self, now: Instant) -> (Arrived, Result<(), Refusal>) {
        let mut arrived = Arrived::default();
        while let Some(batch) = self.batches.pop_front_if(|batch| self.in_flight.is_empty(batch.slot)) {
            arrived.rows += batch.rows;
            arrived.last_seq = Some(batch.last_seq);
        }
        let refusal = self.in_flight.refusal().or_else(|| {
            let overdue = self.overdue_at().is_some_and(|at| at <= now);
            overdue.then(|| Refusal {
                topic: self.routes.topics(),
                event_id: None,
                error: format!(
                    "no acknowledgement within {:?}: is the broker there, and the topic?",
                    self.acknowledged_within
                ),
            })
        });
        (arrived, refusal.map_or(Ok(()), Err))
    }

    /// When the oldest batch will have waited too long.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        self.batches.front().map(|batch| batch.handed_over_at + self.acknowledged_within)
    }

    /// Returns when [`arrived`](Self::arrived) may have something to say.
    pub(crate) async fn changed(&self) {
        self.in_flight.changed().await;
    }

    /// Discards everything that has not arrived. Returns when none of it can be sent any more.
    pub(crate) async fn discard(self) {
        // Dropping purges queue and requests and waits for the client's threads. A panic in there has been reported.
        let _ = tokio::task::spawn_blocking(move || drop(self.client)).await;
    }
}
