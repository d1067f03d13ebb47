//! Leading one database: reading, publishing, moving the cursor.

mod catching_up;
mod reading;
mod reports;
mod serving;
mod tending;

use std::{
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::error::KafkaError;
use sqlx::PgConnection;

use self::reports::Reports;
use crate::{
    Lost,
    context::Context,
    cursor::Cursor,
    gap::Gaps,
    leadership::{self, Mandate},
    lease::Lease,
    portion::Portion,
    publisher::Publisher,
    record::Route,
    recovery::Recovery,
    topic::Topic,
    used_once::UsedOnce,
};

/// Time for which a relay that resigns waits for acknowledgements. What is missing then, the successor publishes again.
const FINISHED_WITHIN: Duration = Duration::from_secs(3);

/// One relay's time as the leader of a database. Dropping it ends it as a crash does; [`resign`](Self::resign) ends it cleanly.
pub struct Tenure {
    context: Arc<Context>,
    session: PgConnection,
    lease: Lease,
    publisher: Publisher,
    /// Version of the certificates that the Kafka client was created with.
    certificates: u64,
    topic: Topic,
    gaps: Gaps,
    cursor: Cursor,
    used_once: UsedOnce,
    /// Size of the next read.
    portion: Portion,
    recovery: Recovery,
    reports: Reports,
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Rows were handed to the Kafka client.
    Published {
        /// Number of rows.
        rows: usize,
        /// The read was filled, so there may be more rows.
        more: bool,
    },
    /// Rows wait behind these missing numbers, whose rows may still become visible.
    Gap(RangeInclusive<i64>),
    /// The broker has to acknowledge records before more are handed over.
    Busy,
    /// A record was refused, or the broker is away; the relay retries after a pause.
    Resting,
    /// There is nothing to publish.
    Empty,
}

/// The reason why there is nothing more to publish at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    /// Every visible row has been published and the cursor says so.
    Empty,
    /// As [`Empty`](Self::Empty), but only up to these missing numbers, whose rows may still become visible.
    Gap(RangeInclusive<i64>),
    /// Some rows the broker does not accept at present.
    Refused,
}

impl Tenure {
    pub(crate) fn begin(
        context: Arc<Context>,
        session: PgConnection,
        mandate: Mandate,
        publisher: &str,
    ) -> Result<Self, Lost> {
        let Mandate { epoch, last_seq, asked_at } = mandate;
        let lease = Lease::new(context.timing(), epoch, asked_at);
        let certificates = context.kafka().transport.version();
        let publisher = new_publisher(&context, Route::of(publisher, context.kafka().prefix()), &lease)?;
        let (database, topic) = (context.database(), publisher.route().topic());
        let reports = Reports::new(database);
        tracing::info!(database, epoch, last_seq, %topic, "the relay leads the database and publishes its outbox");
        Ok(Tenure {
            session,
            lease,
            publisher,
            certificates,
            topic: Topic::default(),
            gaps: Gaps::default(),
            cursor: Cursor::new(last_seq, asked_at),
            used_once: UsedOnce::new(last_seq, asked_at),
            portion: Portion::new(context.batch_max()),
            recovery: Recovery::new(context.batch_max()),
            reports,
            context,
        })
    }

    /// The epoch, which fences this tenure off from those before and after.
    pub fn epoch(&self) -> i64 {
        self.lease.epoch()
    }

    /// Handles acknowledgements, cursor and lease, then reads and publishes once. Does not wait for acknowledgements.
    pub async fn step(&mut self) -> Result<Outcome, Lost> {
        self.connect().await;
        self.tend().await?;
        if self.recovery.is_resting(Instant::now()) {
            return Ok(Outcome::Resting);
        }
        let batches = self.recovery.batches();
        if self.publisher.batches() >= batches {
            return Ok(Outcome::Busy);
        }
        let caught_up = self.catch_up().await?;
        match caught_up {
            Some(waits @ (Outcome::Resting | Outcome::Busy)) => return Ok(waits),
            Some(caught_up) if self.publisher.batches() >= batches => return Ok(caught_up),
            _ => {}
        }
        self.look_into_gap().await?;
        let step = self.read_and_publish().await?;
        let waiting = self.gaps.waiting();
        let Reports { stall, meters, .. } = &mut self.reports;
        let look = stall.look(&mut self.session, waiting, self.context.database(), meters);
        self.context.answered(look).await?;
        let mut progress = self.context.progress();
        progress.gap_since = self.gaps.waiting().map(|(_, since)| since);
        if matches!(step, Outcome::Empty | Outcome::Gap(_)) {
            progress.refused = None;
        }
        drop(progress);
        Ok(match (step, caught_up) {
            (Outcome::Empty | Outcome::Gap(_), Some(caught_up)) => caught_up,
            (step, _) => step,
        })
    }

    /// Steps until all visible rows have been published and acknowledged, and the cursor has been saved.
    pub async fn drain(&mut self) -> Result<Drained, Lost> {
        loop {
            let drained = match self.step().await? {
                Outcome::Published { .. } => continue,
                Outcome::Busy => None,
                Outcome::Resting => return Ok(Drained::Refused),
                Outcome::Gap(missing) => Some(Drained::Gap(missing)),
                Outcome::Empty => Some(Drained::Empty),
            };
            match drained {
                Some(drained) if self.publisher.batches() == 0 => {
                    self.save().await?;
                    return Ok(if self.topic.behind.is_empty() { drained } else { Drained::Refused });
                }
                _ => self.something_arrives().await,
            }
        }
    }

    /// Waits a few seconds for what is in flight, writes the cursor and releases the lease.
    pub async fn resign(mut self) -> Result<(), Lost> {
        let until = Instant::now() + FINISHED_WITHIN;
        while self.publisher.batches() > 0 && Instant::now() < until {
            tokio::select! {
                () = self.something_arrives() => self.tend().await?,
                () = tokio::time::sleep_until(until.into()) => {}
            }
        }
        let published = self.published();
        self.publisher.discard().await;
        let release = leadership::release(self.session, self.lease.epoch(), published);
        self.context.answered(release).await?;
        tracing::info!(
            database = self.context.database(),
            epoch = self.lease.epoch(),
            "the relay has resigned; a successor may lead at once"
        );
        Ok(())
    }

    /// The last number up to which every row has been acknowledged.
    fn published(&self) -> i64 {
        self.cursor.published(self.topic.behind.acknowledged())
    }
}

/// A producer for the tenure's route, which sends nothing once the lease has ended.
fn new_publisher(context: &Context, route: Route, lease: &Lease) -> Result<Publisher, KafkaError> {
    Publisher::new(context.kafka(), route, context.timing(), context.batch_max(), lease.ends_at())
}
