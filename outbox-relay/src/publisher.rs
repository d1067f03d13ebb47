//! Handing rows to Kafka in order, and tracking up to which one they have been acknowledged.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use outbox::kafka::Cluster;
use rdkafka::{error::KafkaError, producer::BaseRecord};

use crate::{
    client::{Client, Rejection},
    in_flight::{InFlight, Refusal},
    partition::Partitions,
    program::PROGRAM,
    record::{Record, Route},
    slots::BATCHES,
    store::OutboxRow,
    timing::Timing,
};

/// The most that keeps a partition's requests in order (KIP-98).
const MAX_IN_FLIGHT: &str = "5";

/// A producer for one database. A refusal ends its use: it is discarded with everything in it.
///
/// It never skips a record: none expires by itself, one that is refused for good stops the producer, and a delivery report
/// without an offset counts as a refusal, since the client has then only inferred that the record must have arrived.
pub(crate) struct Publisher {
    client: Client,
    in_flight: Arc<InFlight>,
    batches: VecDeque<Batch>,
    /// Number of batches sealed so far.
    sealed: u64,
    next_slot: usize,
    route: Route,
    acknowledged_within: Duration,
}

struct Batch {
    slot: usize,
    rows: usize,
    last_seq: i64,
    handed_over_at: Instant,
}

/// Why the client did not take a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The client's queue is full.
    Full,
    /// The client may not send any more.
    Fenced,
    /// Its partition has not accepted the first record yet.
    Opening,
    /// The client refuses it; recorded as a [`Refusal`].
    Refused,
}

/// What has arrived since the last call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Rows that the broker has acknowledged, of whichever batch.
    pub(crate) acknowledged: usize,
    /// Rows of batches that have arrived whole, but for partitions that are left behind, and where the last of them ends.
    pub(crate) rows: usize,
    pub(crate) last_seq: Option<i64>,
}

impl Publisher {
    /// Sends at most `batch_max` records to a partition in one request, and nothing from `fence_at` on.
    pub(crate) fn new(
        kafka: &Cluster,
        route: Route,
        timing: Timing,
        batch_max: i64,
        fence_at: Instant,
    ) -> Result<Self, KafkaError> {
        let in_flight = Arc::new(InFlight::default());
        let mut config = kafka.producer(PROGRAM);
        config
            // A record never expires by itself: those behind it would be sent. The relay takes all of them back together.
            .set("message.timeout.ms", "0")
            .set("topic.metadata.propagation.max.ms", "3600000")
            // A record that is refused for good fails all those behind it.
            .set("enable.gapless.guarantee", "true")
            // A request carries one partition's records, so with one in flight each partition would cost a round trip. What a
            // limit of one would protect from, `Partitions` and the check for an offset do.
            .set("max.in.flight.requests.per.connection", MAX_IN_FLIGHT)
            .set("batch.num.messages", batch_max.to_string())
            // Bounds the memory of a relay whose broker is away.
            .set("queue.buffering.max.kbytes", "65536");
        let client = Client::new(&config, Arc::clone(&in_flight), fence_at)?;
        Ok(Publisher {
            client,
            in_flight,
            batches: VecDeque::with_capacity(BATCHES),
            sealed: 0,
            next_slot: 0,
            route,
            acknowledged_within: timing.acknowledged_within,
        })
    }

    /// The publisher and its topic.
    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    /// Moves the fence, since the lease has been renewed.
    pub(crate) fn fence_at(&self, at: Instant) {
        self.client.fence_at(at);
    }

    /// Learns the partitions of the topic, unless they are known. To be called before the first [`send`](Self::send).
    pub(crate) async fn know_partitions(&self, within: Duration) -> Result<(), Refusal> {
        if self.in_flight.partitions().is_some() {
            return Ok(());
        }
        match self.client.partitions(self.route.topic(), within).await {
            Ok(count) => {
                self.in_flight.know(Partitions::new(count));
                Ok(())
            }
            Err(error) => Err(Refusal { event_id: None, error: format!("requesting the topic's metadata: {error}") }),
        }
    }

    /// True if the cluster answers.
    pub(crate) async fn is_answered(&self, within: Duration) -> bool {
        self.client.partitions(self.route.topic(), within).await.is_ok()
    }

    /// Batches that wait for acknowledgements; at most [`BATCHES`].
    pub(crate) fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Opens a batch. The rows that follow belong to it until it is sealed.
    pub(crate) fn open(&mut self) {
        self.in_flight.add(self.next_slot);
    }

    /// The record of a row; None if the row is not this publisher's.
    pub(crate) fn record<'r>(&self, row: &'r OutboxRow<'r>) -> Option<Record<'r>> {
        self.route.record(row)
    }

    /// The partition of a row.
    ///
    /// # Panics
    /// As long as the partitions are not [known](Self::know_partitions).
    pub(crate) fn partition_of(&self, row: &OutboxRow<'_>) -> usize {
        let partitions = self.in_flight.partitions().expect("the partitions are known before a row is handed over");
        partitions.of(row.aggregateid.as_bytes())
    }

    /// Hands a record to the client, for its partition; returns at once.
    pub(crate) fn send(&mut self, partition: usize, Record { row, headers }: Record<'_>) -> Result<(), NotTaken> {
        let Some(partitions) = self.in_flight.partitions() else {
            return Err(NotTaken::Fenced);
        };
        let now = Instant::now();
        if !partitions.admits(partition, now) {
            return Err(NotTaken::Opening);
        }
        let slot = self.next_slot;
        let record = BaseRecord::with_opaque_to(self.route.topic().real(), slot)
            .partition(i32::try_from(partition).unwrap_or(i32::MAX))
            .key(row.aggregateid)
            .payload(row.payload)
            .headers(headers);
        self.in_flight.add(slot);
        partitions.given(partition, slot, now);
        let Err(rejection) = self.client.send(record) else {
            return Ok(());
        };
        partitions.not_given(partition, slot);
        self.in_flight.remove(slot);
        match rejection {
            Rejection::Full => Err(NotTaken::Full),
            Rejection::Fenced => Err(NotTaken::Fenced),
            Rejection::Error(error) => {
                self.in_flight.refuse(Refusal { event_id: Some(row.id.to_string()), error: error.to_string() });
                Err(NotTaken::Refused)
            }
        }
    }

    /// Seals the open batch, which ends with `last_seq`. One without rows is discarded; rows up to `last_seq` that were left
    /// out are recorded with [`pass`](Self::pass).
    pub(crate) fn seal(&mut self, rows: usize, last_seq: i64) {
        let slot = self.next_slot;
        self.in_flight.remove(slot);
        if rows > 0 {
            self.push(slot, rows, last_seq);
            self.client.listen();
        }
    }

    /// Records that rows up to `last_seq` need no acknowledgement: they count as arrived once all batches before them have.
    pub(crate) fn pass(&mut self, last_seq: i64) {
        self.push(self.next_slot, 0, last_seq);
    }

    fn push(&mut self, slot: usize, rows: usize, last_seq: i64) {
        self.batches.push_back(Batch { slot, rows, last_seq, handed_over_at: Instant::now() });
        self.next_slot = (slot + 1) % BATCHES;
        self.sealed += 1;
    }

    /// Removes the batches that have arrived, oldest first. An error ends the use of this publisher.
    pub(crate) fn arrived(&mut self, now: Instant) -> (Arrived, Result<(), Refusal>) {
        let mut arrived = Arrived { acknowledged: self.in_flight.take_acknowledged(), ..Arrived::default() };
        while let Some(batch) = self.batches.pop_front_if(|batch| self.in_flight.has_arrived(batch.slot)) {
            arrived.rows += batch.rows;
            arrived.last_seq = Some(batch.last_seq);
        }
        let refusal = self.in_flight.refusal().or_else(|| {
            let overdue = self.overdue_at().is_some_and(|at| at <= now);
            overdue.then(|| Refusal {
                event_id: None,
                error: format!(
                    "no acknowledgement within {:?}: is the broker up, and does each partition have a leader?",
                    self.acknowledged_within
                ),
            })
        });
        (arrived, refusal.map_or(Ok(()), Err))
    }

    /// Numbers of batches sealed so far, and of those that have arrived.
    pub(crate) fn sealed_and_arrived(&self) -> (u64, u64) {
        (self.sealed, self.sealed - self.batches.len() as u64)
    }

    /// When the oldest batch is overdue.
    pub(crate) fn overdue_at(&self) -> Option<Instant> {
        self.waiting_since().map(|at| at + self.acknowledged_within)
    }

    /// Since when the oldest batch has been waiting.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.batches.front().map(|batch| batch.handed_over_at)
    }

    /// The topic's partitions, once they are [known](Self::know_partitions).
    pub(crate) fn partitions(&self) -> Option<&Partitions> {
        self.in_flight.partitions()
    }

    /// Returns when [`arrived`](Self::arrived) may have a new result.
    pub(crate) async fn changed(&self) {
        self.in_flight.changed().await;
    }

    /// Discards everything that has not arrived. Returns when none of it can be sent any more.
    pub(crate) async fn discard(self) {
        // Dropping purges queue and requests and waits for the client's threads. A panic of one has been reported by then.
        let _ = tokio::task::spawn_blocking(move || drop(self.client)).await;
    }
}
