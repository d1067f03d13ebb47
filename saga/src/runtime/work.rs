//! One batch, one transaction: admit → load → decide → save → say.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use process::crash;
use sqlx::{PgConnection, PgPool};

use crate::{
    record::ABSENT,
    runtime::{
        admission::{self, Admission},
        attempts,
        erased::{ErasedCommand, ErasedIncoming, ErasedRows, ErasedService, borrowed},
        incoming::{Incoming, Origin, Outcome},
        journal::Journal,
        trace_context,
        wake::Wake,
    },
    says::Says,
    sessions::{Session, Sessions},
    store::{Remedy, StoreError},
};

const MOVED_ON: &str = "the saga's state has changed since the operator looked at it";

/// A batch that has been written but not committed.
#[must_use = "without a commit nothing takes effect"]
pub struct Staged {
    transaction: Session,
    sessions: Sessions,
    outcomes: Vec<Outcome>,
    journal: Journal,
    wake: Wake,
}

impl Staged {
    /// Outcomes, in the order of the commands.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The transaction, for whatever else belongs in it, and the outcomes.
    pub(crate) fn parts(&mut self) -> (&mut PgConnection, &[Outcome]) {
        (&mut self.transaction, &self.outcomes)
    }

    /// Commits the transaction, then wakes the relay and the attempts worker.
    pub async fn commit(self) -> Result<Vec<Outcome>, StoreError> {
        self.sessions.bounded(self.transaction.commit()).await?;
        self.journal.write(&self.outcomes);
        let decided = || {
            self.outcomes.iter().filter_map(|outcome| match outcome {
                Outcome::Decided(says) => Some(says),
                Outcome::Duplicate | Outcome::Held => None,
            })
        };
        if decided().any(|says| !says.events.is_empty()) {
            self.wake.relay();
        }
        if decided().any(|says| !says.attempts.is_empty()) {
            self.wake.attempts();
        }
        Ok(self.outcomes)
    }
}

/// The unit of work of some service.
#[derive(Clone)]
pub(crate) struct Work {
    service: Arc<dyn ErasedService>,
    sessions: Sessions,
    wake: Wake,
    /// Time of all decisions; `None` is the clock's.
    now: Option<DateTime<Utc>>,
}

impl Work {
    pub(crate) fn new(service: Arc<dyn ErasedService>, sessions: Sessions, wake: Wake) -> Self {
        Work { service, sessions, wake, now: None }
    }

    /// Decides everything at this time from now on.
    #[cfg(feature = "testing")]
    pub(crate) fn set_time(&mut self, now: DateTime<Utc>) {
        self.now = Some(now);
    }

    /// The same unit of work over other connections.
    pub(crate) fn over(&self, sessions: Sessions) -> Self {
        Work { sessions, ..self.clone() }
    }

    pub(crate) fn service(&self) -> &dyn ErasedService {
        &*self.service
    }

    pub(crate) fn name(&self) -> &'static str {
        self.service.name()
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.sessions.pool()
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    /// As [`UnitOfWork::stage`](super::unit_of_work::UnitOfWork::stage).
    pub(crate) fn stage<'a>(&'a self, batch: &'a [ErasedIncoming<'a>]) -> BoxFuture<'a, Result<Staged, StoreError>> {
        Box::pin(async move {
            let staged = async {
                let mut transaction = self.sessions.begin().await?;
                let outcomes = self.decided(&mut transaction, batch).await?;
                Ok::<_, StoreError>((transaction, outcomes))
            };
            let (transaction, outcomes) = self.sessions.bounded(staged).await?;
            let (sessions, wake) = (self.sessions.clone(), self.wake.clone());
            let journal = Journal::of(self.name(), batch);
            Ok(Staged { transaction, sessions, outcomes, journal, wake })
        })
    }

    /// As [`UnitOfWork::submit`](super::unit_of_work::UnitOfWork::submit).
    pub(crate) fn submit<'a>(
        &'a self,
        what: &'a str,
        command: ErasedCommand,
        traceparent: Option<String>,
    ) -> BoxFuture<'a, Result<Says, StoreError>> {
        let (origin, what, expects) = (Origin::Direct, what.to_owned(), None);
        let batch = [Incoming { origin, event_id: None, what, traceparent, expects, command }];
        Box::pin(async move {
            let (batch, what) = (borrowed(&batch), &batch[0].what);
            let mut tries = 0;
            loop {
                let done = match self.stage(&batch).await {
                    Ok(staged) => {
                        crash::point_of("request.before-commit", what);
                        staged.commit().await
                    }
                    Err(error) => Err(error),
                };
                crash::point_of("request.after-commit", what);
                tries += 1;
                match done {
                    Ok(outcomes) => {
                        let says = outcomes.into_iter().find_map(|outcome| match outcome {
                            Outcome::Decided(says) => Some(says),
                            Outcome::Duplicate | Outcome::Held => None,
                        });
                        return Ok(says.unwrap_or_default());
                    }
                    Err(error) if error.remedy() == Remedy::Again && tries < 10 => {}
                    Err(error) => return Err(error),
                }
            }
        })
    }

    async fn decided(&self, db: &mut PgConnection, batch: &[ErasedIncoming<'_>]) -> Result<Vec<Outcome>, StoreError> {
        let mut admissions = admission::admit(db, batch).await?;
        let admitted = batch.iter().zip(&admissions).filter(|(_, admission)| **admission == Admission::New);
        let commands: Vec<&(dyn Any + Send + Sync)> = admitted.map(|(incoming, _)| incoming.command).collect();
        if commands.is_empty() {
            return Ok(admissions.into_iter().map(not_decided).collect());
        }
        let mut rows = self.service.load(db, &commands).await?;
        // After the load: domain rows are locked before attempts, here as everywhere.
        admission::settle(db, batch, &mut admissions).await?;

        let now = self.now.unwrap_or_else(Utc::now);
        let mut outcomes = Vec::with_capacity(batch.len());
        for (incoming, admission) in batch.iter().zip(admissions) {
            outcomes.push(match admission {
                Admission::New if !is_expected(&*rows, incoming) => Outcome::Decided(Says::ignored(MOVED_ON)),
                Admission::New => Outcome::Decided(decide(&mut *rows, incoming, now)?),
                Admission::Known | Admission::Held => not_decided(admission),
            });
        }
        rows.save(db).await?;
        say(db, batch, &outcomes).await?;
        Ok(outcomes)
    }
}

/// Returns whether the saga's state here is the one that the command's sender expects.
fn is_expected(rows: &dyn ErasedRows, incoming: &ErasedIncoming<'_>) -> bool {
    let Some(expected) = incoming.expects else { return true };
    rows.standing(incoming.saga_id).unwrap_or(ABSENT) == expected
}

fn decide(rows: &mut dyn ErasedRows, incoming: &ErasedIncoming<'_>, now: DateTime<Utc>) -> Result<Says, StoreError> {
    // A panic concerns one event; the rest of the batch must not fail with it. The rows are dropped with the batch.
    let says = catch_unwind(AssertUnwindSafe(|| rows.decide(incoming.command, now))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        StoreError::Panicked(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned())
    })?;
    match says.impossible {
        Some(why) => Err(StoreError::Impossible(why)),
        None => Ok(says),
    }
}

/// Outcome of a command that was not admitted.
fn not_decided(admission: Admission) -> Outcome {
    match admission {
        Admission::Held => Outcome::Held,
        Admission::Known | Admission::New => Outcome::Duplicate,
    }
}

/// Writes all resulting events and calls, in order.
async fn say(db: &mut PgConnection, batch: &[ErasedIncoming<'_>], outcomes: &[Outcome]) -> Result<(), StoreError> {
    let mut outgoing = Vec::new();
    let mut attempts = Vec::new();
    for (incoming, outcome) in batch.iter().zip(outcomes) {
        let Outcome::Decided(says) = outcome else { continue };
        let (cause, parent) = (incoming.cause, incoming.traceparent);
        outgoing.extend(says.events.iter().map(|said| said.outgoing(cause, trace_context::child_of(parent))));
        attempts.extend(says.attempts.iter().map(|new| (new, cause, trace_context::child_of(parent))));
    }
    attempts::write(db, &attempts).await?;
    Ok(outbox::write(db, &outgoing).await?)
}
