//! The only consumer loop: poll a batch, process it, store the offsets.
//!
//! It runs on its own thread: while a batch is being processed, librdkafka keeps fetching, so the next poll returns
//! everything that has arrived meanwhile. The thread has its own runtime and database connections, so that no answer has
//! to pass between threads. An offset is stored after the commit of everything before it; after a crash the rest is
//! redelivered and the inbox recognises it.

mod replacement;

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use outbox::Prefix;
use process::crash;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::BorrowedMessage,
};
use tokio::runtime;
use transport::Transport;

use self::replacement::subscribed;
use crate::{
    health::Progress,
    record::legible,
    runtime::{
        answers::missing,
        aside::{Aside, Shelf},
        batch::Batch,
        carry::{ComesAgain, carry},
        config::{Cluster, Config, Database},
        dead_letter::DeadLetters,
        erased::ErasedCommand,
        membership::{Membership, fatal},
        positions::{self, Positions, Server, Unsaved},
        taking::Held,
        throttle::Throttle,
        unread::{Expected, Gaps},
        work::Work,
    },
    shutdown::Shutdown,
    table::Table,
};

/// Maximum wait of a poll for a first record, and so the delay of a shutdown. Not shorter: the client spins during the
/// last millisecond of a wait.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// Maximum wait of a poll while the starting offsets are unknown.
const SHORT_POLL: Duration = Duration::from_millis(50);

/// Maximum wait for Kafka or the database when determining the starting offsets.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);

/// Size in bytes at which a batch is full.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Maximum time that a shutdown waits for its partitions to be given back.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// Time without group membership, although Kafka answers, after which a client is replaced. Joining takes a moment, but a
/// rebalance takes as long as its slowest member needs to return from its batch. So the limit doubles each time, up to
/// what the client itself would wait. A static member is readmitted at once under its instance id. A dynamic one leaves a
/// stale member behind until its session times out.
const JOINS_WITHIN: Duration = Duration::from_secs(10);
const JOINS_NAMELESS_WITHIN: Duration = Duration::from_secs(30);

/// Maximum time between two polls. It exceeds the time that an event may wait for another session's lock before it is
/// parked: the wait would be just as long for the next owner of the partition.
const LONGEST_AWAY: Duration = Duration::from_secs(150);

/// One for the batch, one for parking and dead-lettering what is wrong with it.
const CONNECTIONS: u32 = 2;

/// Consumes the topics of a service's table.
pub(crate) struct Consumer {
    kafka: BaseConsumer<Membership>,
    client: ClientConfig,
    transport: Transport,
    /// Version of the certificates that the client was created with.
    certificates: u64,
    /// Thread that closes the previous client.
    former: Option<thread::JoinHandle<()>>,
    /// Time that this client may take to join the group, and the time that the first one may take.
    joins_within: Duration,
    may_join_within: Duration,
    table: Table<ErasedCommand>,
    /// As the broker has them.
    topics: Vec<&'static str>,
    prefix: Prefix,
    database: Database,
    work: Work,
    dead_letters: DeadLetters,
    throttle: Throttle,
    batch_max: usize,
    /// Server that the positions were last compared with.
    server: Server,
    unsaved: Unsaved,
    expected: Expected,
    gaps: Gaps,
    held: Held,
    shutdown: Shutdown,
}

impl Consumer {
    pub(crate) fn new(
        config: &Config,
        cluster: Cluster,
        work: Work,
        dead_letters: DeadLetters,
        progress: Progress,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        let (service, mut table) = (work.name(), work.service().table());
        if let Some(event_type) = config.drill()? {
            tracing::warn!(event_type, "drill: this service does not react to this event type");
            table = table.without(event_type).map_err(anyhow::Error::msg)?;
        }
        // For as long as the process lives.
        let topics: Vec<_> = table.topics().into_iter().map(|topic| cluster.topic(topic).into_static()).collect();
        let mut client = cluster.client(service);
        client
            .set("group.id", cluster.group(service).real())
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "500")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            // A consumer that stays away longer, with a batch that its database does not accept, gives up its partitions.
            // A rebalance waits no longer for it either.
            .set("max.poll.interval.ms", LONGEST_AWAY.as_millis().to_string())
            .set("heartbeat.interval.ms", "1000")
            .set("fetch.wait.max.ms", "200")
            .set("fetch.queue.backoff.ms", "10")
            // Bounds memory: the compressed size of one response, and the local queue.
            .set("fetch.max.bytes", "4000000")
            .set("queued.max.messages.kbytes", "16384")
            .set("enable.partition.eof", "false")
            // Topics exist before they are subscribed to: an unknown one has been deleted.
            .set("topic.metadata.propagation.max.ms", "5000")
            // New partitions are discovered after half a minute instead of five.
            .set("topic.metadata.refresh.interval.ms", "30000");
        if let Some(instance) = &cluster.kafka.kafka_instance_id {
            // Static membership: a restarted process takes its partitions back at once.
            client.set("group.instance.id", instance);
        }
        let may_join_within =
            if cluster.kafka.kafka_instance_id.is_some() { JOINS_WITHIN } else { JOINS_NAMELESS_WITHIN };
        // Before the client reads the files: a change in between is taken up later.
        let certificates = cluster.transport.version();
        Ok(Consumer {
            server: Server::none(),
            unsaved: Unsaved::default(),
            kafka: subscribed(&client, &topics, Membership::default())?,
            client,
            certificates,
            transport: cluster.transport,
            former: None,
            joins_within: may_join_within,
            may_join_within,
            expected: Expected::default(),
            gaps: Gaps::none(),
            held: Held::default(),
            table,
            topics,
            prefix: cluster.kafka.kafka_prefix,
            database: config.database.clone(),
            work,
            dead_letters,
            throttle: Throttle::new(progress),
            batch_max: config.batch_max as usize,
            shutdown,
        })
    }

    /// Consumes until shutdown. Blocks; call it on a separate thread.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().context("creating the consumer's runtime")?;
        let sessions = {
            let _inside = runtime.enter();
            self.database.lasting_sessions(CONNECTIONS, self.work.name(), &self.transport)?
        };
        self.work = self.work.over(sessions.clone());
        while !self.shutdown.is_requested() {
            self.take_up_certificates();
            let refused = self.begin(&runtime).unwrap_or_else(|error| {
                tracing::warn!(error = %format!("{error:#}"), "cannot determine the starting offsets; retrying");
                Some(format!("{error:#}"))
            });
            self.kafka.context().refused(refused);
            let polled = self.poll();
            // Before noting what was read: a partition that was revoked may have been assigned again.
            self.unsaved.leave_out(&self.kafka.context().take_revoked());
            let batch = match polled {
                Ok(batch) => batch,
                Err(error) if self.kafka.context().is_between_sessions() => {
                    tracing::warn!(%error, "the consumer was fenced by its own return to the group after an outage; joining as a new client");
                    self.join_as_a_new_client()?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !batch.positions.is_empty() {
                if let Err(ComesAgain) = runtime.block_on(self.process(&batch)) {
                    continue;
                }
                crash::point("consumer.before-offsets");
                self.store(&batch.positions);
                crash::point("consumer.after-offsets");
                self.unsaved.note(&batch.positions);
                self.expected.advance(&batch.positions);
                self.gaps.note(&batch.gaps);
            }
            self.gaps.tell(&self.kafka, self.work.name(), || self.shutdown.is_requested());
            if self.unsaved.is_due() {
                runtime.block_on(self.save());
            }
            match self.kafka.context().hindrance() {
                None => {
                    self.throttle.progress.round();
                    self.joins_within = self.may_join_within;
                }
                Some(why) => {
                    self.throttle.progress.waiting(why);
                    if self.kafka.context().can_read_again(&self.kafka, &self.topics) {
                        self.leave_group();
                        self.kafka.subscribe(&self.topics).context("subscribing to the topics")?;
                    } else {
                        self.give_way()?;
                    }
                }
            }
        }
        runtime.block_on(self.save());
        self.leave_group();
        runtime.block_on(sessions.close());
        Ok(())
    }

    /// Seeks pending partitions to their starting offsets. A new database connection may lead to another server, so then
    /// all partitions are pending, including when this function opens the connection. Returns why some are still pending.
    fn begin(&mut self, runtime: &runtime::Runtime) -> anyhow::Result<Option<String>> {
        let membership = self.kafka.context().clone();
        if !self.server.is_the_same() {
            self.unsaved.forget();
            membership.pend(&self.kafka, &self.kafka.assignment()?);
        }
        if membership.pending().count() == 0 {
            return Ok(None);
        }
        if let Some(why) = self.held.waits() {
            return Ok(Some(why));
        }
        let sessions = self.work.sessions();
        let (server, saved) = runtime
            .block_on(sessions.bounded(positions::load(sessions, &self.prefix)))
            .context("loading the saved positions")?;
        if !server.is(&self.server) {
            self.unsaved.forget();
            membership.pend(&self.kafka, &self.kafka.assignment()?);
        }
        let pending = membership.pending();
        let asked = pending.count();
        let committed = self.kafka.committed_offsets(pending, BEGIN_WITHIN).context("querying committed offsets")?;
        let anew = membership.made_anew();
        if !anew.is_empty() {
            self.unsaved.forget();
        }
        let beginnings = positions::beginnings(&committed, &saved, &anew);
        anyhow::ensure!(beginnings.count() > 0, "Kafka reports no committed offsets");
        self.expected.begin(&self.topics, &beginnings);
        let starts = positions::of(&self.topics, &beginnings, &anew);
        // Resume before seeking: only that wakes the client's fetcher thread, which otherwise sleeps for up to a second.
        // Records that it has fetched by then are discarded.
        self.kafka.resume(&beginnings)?;
        let sought = self.kafka.seek_partitions(beginnings.clone(), BEGIN_WITHIN);
        // An error means that the partition is still being assigned and stays pending, or was revoked.
        let elements = sought.iter().flat_map(TopicPartitionList::elements);
        let begun: Vec<_> = elements
            .filter(|element| element.error().is_ok())
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        membership.begun(&self.kafka, &beginnings, &begun);
        let refused = [&committed, &sought?].into_iter().find_map(positions::refusal);
        self.server = server;
        self.unsaved.note(&starts);
        if begun.len() == asked {
            membership.begun_anew(&anew);
        }
        Ok(refused)
    }

    async fn save(&mut self) {
        let sessions = self.work.sessions();
        if let Err(error) = sessions.bounded(self.unsaved.save(sessions, &self.server, &self.prefix)).await {
            tracing::debug!(%error, "positions not saved; retrying with the next ones");
        }
    }

    /// Returns everything available, up to `batch_max`; waits only for the first record.
    ///
    /// # Errors
    /// If this client can never read again.
    fn poll(&self) -> anyhow::Result<Batch> {
        let mut batch = Batch::default();
        let waiting = self.kafka.context().hindrance().is_some();
        let mut wait = if waiting { SHORT_POLL } else { POLL };
        while batch.incoming.len() + batch.unread.len() + batch.letters.len() < self.batch_max
            && batch.bytes < BATCH_BYTES
        {
            match self.kafka.poll(wait) {
                Some(Ok(message)) => self.take(&message, &mut batch),
                Some(Err(error)) => self.kafka.context().failed(error, || missing(&self.kafka, &self.topics)),
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

    fn take(&self, message: &BorrowedMessage<'_>, batch: &mut Batch) {
        if self.kafka.context().is_pending(message.topic(), message.partition()) {
            return;
        }
        // Before copying anything: most records on a topic may be irrelevant here.
        if !self.concerns_us(message) {
            metrics::counter!("events_skipped_total", "topic" => message.topic().to_owned()).increment(1);
        } else if let Err(why) = batch.take(&self.table, &self.prefix, message) {
            return self.held.hold(&self.kafka, message, why);
        }
        if let Some(topic) = self.topics.iter().copied().find(|topic| *topic == message.topic()) {
            let after = batch.positions.insert((topic, message.partition()), message.offset() + 1);
            batch.gaps.extend(self.expected.gap(topic, message.partition(), after, message.offset()));
        }
    }

    /// False only if the headers alone show that the table has no line for the record.
    fn concerns_us(&self, message: &BorrowedMessage<'_>) -> bool {
        let event_type = message
            .headers()
            .and_then(|headers| legible(headers).find(|header| header.key == "ce_type"))
            .and_then(|header| header.value)
            .and_then(|value| std::str::from_utf8(value).ok());
        let topic = self.prefix.name_of(message.topic());
        event_type.is_none_or(|event_type| topic.is_some_and(|topic| self.table.line(event_type, topic).is_some()))
    }

    /// Does everything that the batch requires before its offsets may be stored.
    async fn process(&self, batch: &Batch) -> Result<(), ComesAgain> {
        let shelf = Shelf {
            service: self.work.name(),
            sessions: self.work.sessions(),
            dead_letters: &self.dead_letters,
            server: Some(&self.server),
            progress: &self.throttle.progress,
            shutdown: &self.shutdown,
        };
        // An unreadable event is parked after everything before it and before anything after it.
        let mut done = 0;
        for (place, unread, record) in &batch.unread {
            self.carry(&shelf, batch, done..*place).await?;
            shelf.park_unread(unread, record).await?;
            done = *place;
        }
        // Dead letters come last: a batch that is read again after a lost connection would write them twice.
        self.carry(&shelf, batch, done..batch.incoming.len()).await?;
        if batch.letters.is_empty() { Ok(()) } else { shelf.write(&batch.letters).await }
    }

    async fn carry(&self, shelf: &Shelf<'_>, batch: &Batch, part: Range<usize>) -> Result<(), ComesAgain> {
        let (incoming, records) = (&batch.incoming[part.clone()], &batch.records[part]);
        if incoming.is_empty() {
            return Ok(());
        }
        metrics::histogram!("batch_events", "service" => self.work.name()).record(incoming.len() as f64);
        let started = Instant::now();
        let exceptions = Aside { shelf, batch: incoming, records };
        carry(&self.work, incoming, &exceptions, &self.throttle, &self.shutdown).await?;
        self.dead_letters.wake();
        metrics::histogram!("batch_seconds", "service" => self.work.name()).record(started.elapsed().as_secs_f64());
        Ok(())
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
            // The partition was revoked meanwhile: its new owner reads from the last committed offset, and the inbox
            // recognises the rest.
            tracing::debug!(%error, "offsets not stored");
        }
    }
}
