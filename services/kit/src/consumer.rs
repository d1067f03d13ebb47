//! The one consumer loop: poll a batch, carry it through, store the offsets.
//!
//! It runs on a thread of its own: while a batch is being carried through, librdkafka goes on fetching, so the next poll
//! returns all that has come meanwhile. The thread waits for the database by itself too, on a runtime and a connection of
//! its own, so that no answer has to be passed from thread to thread. An offset is stored after the commit of everything
//! before it; after a crash the rest comes again and the inbox knows it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use events::envelope::Unreadable;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::BorrowedMessage,
};
use tokio::runtime;

use crate::{
    aside::Aside,
    carry::carry,
    config::{Config, Database},
    crash,
    dead_letter::DeadLetters,
    health::Progress,
    incoming::Incoming,
    reading,
    record::{Record, legible},
    service::Service,
    shutdown::Shutdown,
    standing::{Standing, fatal},
    table::Table,
    throttle::Throttle,
    unit_of_work::UnitOfWork,
};

/// How long a poll waits for a first record, and so how long a shutdown may have to wait. Not shorter: in the last
/// millisecond of its time the client spins.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// One for the batch, one for putting aside what is wrong with it.
const CONNECTIONS: u32 = 2;

/// Offsets up to which everything is done, by topic and partition.
type Positions = HashMap<(&'static str, i32), i64>;

/// What one poll brought.
struct Batch<C> {
    incoming: Vec<Incoming<C>>,
    /// In step with `incoming`.
    records: Vec<Record>,
    unreadable: Vec<(Record, Unreadable)>,
    positions: Positions,
}

impl<C> Default for Batch<C> {
    fn default() -> Self {
        Batch { incoming: Vec::new(), records: Vec::new(), unreadable: Vec::new(), positions: HashMap::new() }
    }
}

/// Reads the topics of a service's table for it.
pub(crate) struct Consumer<S: Service> {
    kafka: BaseConsumer<Standing>,
    table: Table<S::Command>,
    topics: Vec<&'static str>,
    database: Database,
    work: UnitOfWork<S>,
    dead_letters: DeadLetters,
    throttle: Throttle,
    batch_max: usize,
    shutdown: Shutdown,
}

impl<S: Service> Consumer<S> {
    pub(crate) fn new(
        config: &Config,
        work: UnitOfWork<S>,
        dead_letters: DeadLetters,
        progress: Progress,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        let kafka = &config.kafka;
        let mut table = S::table();
        if let Some(event_type) = &config.without_reaction_to {
            tracing::warn!(event_type, "a drill: this service does not react to it");
            table = table.without(event_type).map_err(anyhow::Error::msg)?;
        }
        let topics = table.topics();
        let mut client = kafka.client(S::NAME);
        client
            .set("group.id", S::NAME)
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "500")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "1000")
            .set("fetch.wait.max.ms", "200")
            .set("fetch.queue.backoff.ms", "10")
            .set("enable.partition.eof", "false");
        if let Some(instance) = &kafka.kafka_instance_id {
            // Static membership: a restarted process takes its partitions back at once.
            client.set("group.instance.id", instance);
        }
        let consumer: BaseConsumer<Standing> =
            client.create_with_context(Standing::default()).context("creating the Kafka consumer")?;
        consumer.subscribe(&topics).context("subscribing")?;
        Ok(Consumer {
            kafka: consumer,
            table,
            topics,
            database: config.database.clone(),
            work,
            dead_letters,
            throttle: Throttle::new(progress),
            batch_max: config.batch_max as usize,
            shutdown,
        })
    }

    /// Consumes until shutdown. Blocks: for a thread of its own.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().context("making the consumer's runtime")?;
        let sessions = {
            let _inside = runtime.enter();
            self.database.sessions_at_most(CONNECTIONS, S::NAME)?
        };
        self.work = self.work.over(sessions.clone());
        while !self.shutdown.is_requested() {
            let batch = self.poll()?;
            if !batch.positions.is_empty() {
                if !runtime.block_on(self.process(&batch)) {
                    continue;
                }
                crash::point("consumer.before-offsets");
                self.store(&batch.positions);
                crash::point("consumer.after-offsets");
            }
            match self.kafka.context().hindrance() {
                None => self.throttle.progress.round(),
                Some(why) => {
                    self.throttle.progress.waiting(why);
                    self.kafka.context().look_again(&self.kafka, &self.topics);
                }
            }
        }
        runtime.block_on(sessions.close());
        Ok(())
    }

    /// Everything that is there, up to `batch_max`; waits only for the first.
    ///
    /// # Errors
    /// If this client will never read anything again.
    fn poll(&self) -> anyhow::Result<Batch<S::Command>> {
        let mut batch = Batch::default();
        let mut wait = POLL;
        while batch.incoming.len() + batch.unreadable.len() < self.batch_max {
            match self.kafka.poll(wait) {
                Some(Ok(message)) => self.take(&message, &mut batch),
                Some(Err(error)) => self.kafka.context().failed(error),
                None => break,
            }
            wait = Duration::ZERO;
        }
        if batch.positions.is_empty()
            && let Some((code, reason)) = self.kafka.client().fatal_error()
        {
            return Err(fatal(code, &reason));
        }
        Ok(batch)
    }

    fn take(&self, message: &BorrowedMessage<'_>, batch: &mut Batch<S::Command>) {
        if let Some(topic) = self.topics.iter().copied().find(|topic| *topic == message.topic()) {
            batch.positions.insert((topic, message.partition()), message.offset() + 1);
        }
        // Before anything is copied: most of what a topic carries may be none of our business.
        if !self.concerns_us(message) {
            metrics::counter!("events_skipped_total", "topic" => message.topic().to_owned()).increment(1);
            return;
        }
        let record = Record::from(message);
        match reading::read(&self.table, &record) {
            Some(Ok(incoming)) => {
                batch.incoming.push(incoming);
                batch.records.push(record);
            }
            Some(Err(unreadable)) => batch.unreadable.push((record, unreadable)),
            None => metrics::counter!("events_skipped_total", "topic" => record.topic.clone()).increment(1),
        }
    }

    /// False only if the headers alone show that the table has no line for it.
    fn concerns_us(&self, message: &BorrowedMessage<'_>) -> bool {
        let event_type = message
            .headers()
            .and_then(|headers| legible(headers).find(|header| header.key == "ce_type"))
            .and_then(|header| header.value)
            .and_then(|value| std::str::from_utf8(value).ok());
        event_type.is_none_or(|event_type| self.table.line(event_type, message.topic()).is_some())
    }

    /// Whether everything of the batch is done, so that its offsets may be stored.
    async fn process(&self, batch: &Batch<S::Command>) -> bool {
        for (record, unreadable) in &batch.unreadable {
            if !self.dead_letters.publish(record, "Unreadable", &unreadable.to_string()).await {
                return false;
            }
            crash::point("consumer.after-dead-letter");
        }
        if batch.incoming.is_empty() {
            return true;
        }
        metrics::histogram!("batch_events", "service" => S::NAME).record(batch.incoming.len() as f64);
        let started = Instant::now();
        let exceptions = Aside::<S> {
            sessions: self.work.sessions(),
            dead_letters: &self.dead_letters,
            batch: &batch.incoming,
            records: &batch.records,
            shutdown: &self.shutdown,
        };
        if !carry(&self.work, &batch.incoming, &exceptions, &self.throttle, &self.shutdown).await {
            return false;
        }
        metrics::histogram!("batch_seconds", "service" => S::NAME).record(started.elapsed().as_secs_f64());
        true
    }

    fn store(&self, positions: &Positions) {
        let mut offsets = TopicPartitionList::new();
        for ((topic, partition), offset) in positions {
            // Only a malformed offset could be refused here, and these come from Kafka.
            if let Err(error) = offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset)) {
                tracing::warn!(%error, topic, partition, "offset not stored");
            }
        }
        if let Err(error) = self.kafka.store_offsets(&offsets) {
            // A partition that was revoked meanwhile: its new owner reads from the last committed offset, and the inbox knows the rest.
            tracing::debug!(%error, "offsets not stored");
        }
    }
}
