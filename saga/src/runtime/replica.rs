//! A replica of a service without Kafka: it takes records as the consumer does, one batch after the other.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::{
    EventId,
    health::Health,
    record::Record,
    runtime::{
        aside::{Aside, Shelf},
        attempts,
        carry::carry,
        dead_letter::{Class, DeadLetters, Letter},
        erased::{ErasedCommand, Typed, borrowed},
        incoming::{Incoming, Origin},
        parked,
        reading::{self, Reading, Unread},
        throttle::Throttle,
        unit_of_work::Wake,
        work::{Staged, Work},
    },
    says::Says,
    service::Service,
    sessions::Sessions,
    shutdown::Shutdown,
    store::StoreError,
    table::Table,
};

/// One replica of a service, on its database: its real consumer, units of work and parking, without Kafka and without a
/// clock of its own. Replicas of one service share its database, as instances do.
pub struct Replica {
    work: Work,
    table: Table<ErasedCommand>,
    dead_letters: DeadLetters,
    throttle: Throttle,
    shutdown: Shutdown,
    // Without it, a shutdown is requested.
    _stop: crate::shutdown::Stop,
}

/// An attempt that was claimed, and the claim.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The attempt.
    pub attempt: attempts::Attempt,
    claim: attempts::Claim,
}

impl Replica {
    /// A replica of `service` with this table, which may differ from the service's own.
    pub fn new<S: Service>(service: Arc<S>, table: Table<S::Command>, pool: PgPool) -> Self {
        let work = Work::new(Arc::new(Typed(service)), Sessions::from(pool), Wake::default());
        let (stop, shutdown) = Shutdown::by_hand();
        Replica {
            work,
            table: table.map(ErasedCommand::of::<S>),
            dead_letters: DeadLetters::default(),
            throttle: Throttle::new(Health::default().watch("replica", Duration::from_secs(60))),
            shutdown,
            _stop: stop,
        }
    }

    /// Decides everything at this time from now on.
    pub fn set_time(&mut self, now: DateTime<Utc>) {
        self.work.set_time(now);
    }

    /// Processes a batch of records: all of it, with everything that the consumer does before it stores their offsets.
    ///
    /// # Panics
    /// If a shutdown is requested, which nobody does.
    pub async fn process(&self, records: &[Record]) {
        let (mut incoming, mut kept, mut letters) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            match reading::read(&self.table, record) {
                Reading::Command(command) => {
                    incoming.push(command);
                    kept.push(record.clone());
                }
                Reading::Parks(unread) => {
                    self.carry(&incoming, &kept).await;
                    incoming.clear();
                    kept.clear();
                    self.shelf().park_unread(&unread, record).await.expect("nobody shuts down");
                }
                Reading::DeadLetter(why) => letters.push(Letter::new(record.clone(), None, Class::Unreadable, &why)),
                Reading::Skipped => {}
            }
        }
        self.carry(&incoming, &kept).await;
        self.shelf().write(&letters).await.expect("nobody shuts down");
    }

    async fn carry(&self, batch: &[Incoming<ErasedCommand>], records: &[Record]) {
        if batch.is_empty() {
            return;
        }
        let shelf = self.shelf();
        let aside = Aside { shelf: &shelf, batch, records };
        let carried = carry(&self.work, batch, &aside, &self.throttle, &self.shutdown).await;
        carried.expect("nobody shuts down, and the server is not compared");
    }

    fn shelf(&self) -> Shelf<'_> {
        Shelf {
            service: self.work.name(),
            sessions: self.work.sessions(),
            dead_letters: &self.dead_letters,
            server: None,
            progress: &self.throttle.progress,
            shutdown: &self.shutdown,
        }
    }

    /// Decides on a batch of readable records and writes the results, but does not commit: it may be dropped, as in a crash.
    /// Records that cannot be read are left out.
    ///
    /// # Errors
    /// As for [`UnitOfWork::stage`](crate::unit_of_work::UnitOfWork::stage).
    pub async fn stage(&self, records: &[Record]) -> Result<Staged, StoreError> {
        let read = records.iter().filter_map(|record| match reading::read(&self.table, record) {
            Reading::Command(incoming) => Some(incoming),
            Reading::Parks(_) | Reading::DeadLetter(_) | Reading::Skipped => None,
        });
        let batch: Vec<_> = read.collect();
        self.work.stage(&borrowed(&batch)).await
    }

    /// Parks an event as if it could not be processed. Does nothing if it has been processed.
    ///
    /// # Panics
    /// If the record is no event of the service's table.
    pub async fn park(&self, record: &Record, why: &str) {
        let Reading::Command(incoming) = reading::read(&self.table, record) else {
            panic!("a record that `{}` cannot read: {record:?}", self.work.name());
        };
        let unread = Unread {
            id: EventId(incoming.origin.id()),
            saga_id: incoming.command.saga_id,
            event_type: incoming.what,
            why: why.to_owned(),
            newer: None,
        };
        self.shelf().park_unread(&unread, record).await.expect("nobody shuts down");
    }

    /// Retries the first parked event of each saga whose turn it is; returns their number.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn retry_parked(&self) -> anyhow::Result<usize> {
        parked::retry_due(&self.work, &self.table, &self.dead_letters, &self.throttle, &self.shutdown).await
    }

    /// Carries out a command of a person or a deadline.
    ///
    /// # Errors
    /// As for [`UnitOfWork::submit`](crate::unit_of_work::UnitOfWork::submit).
    pub async fn submit<S: Service>(&self, what: &str, command: S::Command) -> Result<Says, StoreError> {
        self.work.submit(what, ErasedCommand::of::<S>(command), None).await
    }

    /// Claims all attempts that are due, as the worker with this number, until the lease expires.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn claim(&self, claimant: i64, lease: Duration) -> sqlx::Result<Vec<Claimed>> {
        let mut db = self.work.pool().acquire().await?;
        let claimed = attempts::claim_all(&mut db, claimant, lease).await?;
        let claim = |attempt: &attempts::Attempt| attempts::Claim { claimant, tries: attempt.tries };
        Ok(claimed.into_iter().map(|attempt| Claimed { claim: claim(&attempt), attempt }).collect())
    }

    /// Ends an attempt with the command that its answer leads to; returns false if it had ended before. An attempt that is
    /// given up ends only under a claim that still holds.
    ///
    /// # Errors
    /// As for [`UnitOfWork::stage`](crate::unit_of_work::UnitOfWork::stage).
    pub async fn settle<S: Service>(
        &self,
        claimed: &Claimed,
        gives_up: bool,
        command: S::Command,
    ) -> Result<bool, StoreError> {
        let Claimed { attempt, claim } = claimed;
        let given_up = gives_up.then_some(*claim);
        let batch = [Incoming {
            origin: Origin::Attempt { id: attempt.id, cause: attempt.causation_id, given_up },
            event_id: None,
            what: attempt.kind.clone(),
            traceparent: attempt.traceparent.clone(),
            expects: None,
            command: ErasedCommand::of::<S>(command),
        }];
        let outcomes = self.work.stage(&borrowed(&batch)).await?.commit().await?;
        Ok(outcomes.iter().any(|outcome| matches!(outcome, crate::unit_of_work::Outcome::Decided(_))))
    }
}
