//! Leading one database: read, publish, move the cursor.

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

/// What a broker has not acknowledged by then when a relay ends is left to the successor, which publishes it again.
const FINISHED_WITHIN: Duration = Duration::from_secs(3);

/// One relay's time as the leader of a database. Dropped, it leaves as a crash does; [`resign`](Self::resign) leaves cleanly.
pub struct Tenure {
    context: Arc<Context>,
    session: PgConnection,
    lease: Lease,
    publisher: Publisher,
    topic: Topic,
    gaps: Gaps,
    cursor: Cursor,
    used_once: UsedOnce,
    /// Size of a read that ends in reasonable time.
    portion: Portion,
    recovery: Recovery,
    reports: Reports,
}

/// What one step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Rows handed to the broker's client; `more` if as many were found as were asked for.
    Published {
        /// Number of rows.
        rows: usize,
        /// There may be more.
        more: bool,
    },
    /// Rows wait behind these numbers, which may still appear.
    Gap(RangeInclusive<i64>),
    /// The broker has to acknowledge before it is handed more.
    Busy,
    /// A record was refused, or the broker is away; it is tried again after a rest.
    Resting,
    /// There is nothing to publish.
    Empty,
}

/// Why there is nothing more to publish at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    /// Every visible row has been published and the cursor says so.
    Empty,
    /// As before, up to these numbers, which may still appear.
    Gap(RangeInclusive<i64>),
    /// There are rows that the broker does not take at present.
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
        let publisher = new_publisher(&context, Route::of(publisher), &lease)?;
        let (database, topic) = (context.database(), publisher.route().topic());
        let reports = Reports::new(database);
        tracing::info!(database, epoch, last_seq, topic, "leading: publishing this database's outbox");
        Ok(Tenure {
            session,
            lease,
            publisher,
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

    /// The number that fences this tenure off from those before and after.
    pub fn epoch(&self) -> i64 {
        self.lease.epoch()
    }

    /// Looks after acknowledgements, cursor and lease, then reads and publishes once. Does not wait for the broker.
    pub async fn step(&mut self) -> Result<Step, Lost> {
        self.connect().await;
        self.tend().await?;
        if self.recovery.is_resting(Instant::now()) {
            return Ok(Step::Resting);
        }
        let batches = self.recovery.batches();
        if self.publisher.batches() >= batches {
            return Ok(Step::Busy);
        }
        let caught_up = self.catch_up().await?;
        match caught_up {
            Some(waits @ (Step::Resting | Step::Busy)) => return Ok(waits),
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
        if matches!(step, Step::Empty | Step::Gap(_)) {
            progress.refused = None;
        }
        drop(progress);
        Ok(match (step, caught_up) {
            (Step::Empty | Step::Gap(_), Some(caught_up)) => caught_up,
            (step, _) => step,
        })
    }

    /// Steps until all that is visible has been published, acknowledged and noted in the cursor.
    pub async fn drain(&mut self) -> Result<Drained, Lost> {
        loop {
            let drained = match self.step().await? {
                Step::Published { .. } => continue,
                Step::Busy => None,
                Step::Resting => return Ok(Drained::Refused),
                Step::Gap(missing) => Some(Drained::Gap(missing)),
                Step::Empty => Some(Drained::Empty),
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

    /// Finishes what is in flight, as far as the broker takes it soon, writes the cursor and makes room for a successor.
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
            "leads no longer: left to a successor"
        );
        Ok(())
    }

    /// Every row up to here has been acknowledged.
    fn published(&self) -> i64 {
        self.cursor.published(self.topic.behind.acknowledged())
    }
}

/// A producer for what the tenure publishes, which sends nothing once the lease is over.
fn new_publisher(context: &Context, route: Route, lease: &Lease) -> Result<Publisher, KafkaError> {
    Publisher::new(context.kafka(), route, context.timing(), context.batch_max(), lease.ends_at())
}
