//! One batch, one transaction: admit → load → decide → save → say.
//!
//! Every change goes through here: events from Kafka by way of the inbox, answers from outside by way of their attempts,
//! people and deadlines directly. All meet the same decisions.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use chrono::Utc;
use process::crash;
use sqlx::{PgConnection, PgPool};

use crate::{
    record::ABSENT,
    runtime::{
        admission::{self, Admission},
        attempts,
        journal::Journal,
        trace_context,
    },
    says::Says,
    service::Service,
    sessions::{Session, Sessions},
    store::{Remedy, StoreError},
};

pub use crate::runtime::{
    incoming::{Incoming, Origin, Outcome},
    wake::{Wake, notify_relay},
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

/// Entry point for every change to a service's database.
pub struct UnitOfWork<S> {
    service: Arc<S>,
    sessions: Sessions,
    wake: Wake,
}

impl<S> Clone for UnitOfWork<S> {
    fn clone(&self) -> Self {
        UnitOfWork { service: self.service.clone(), sessions: self.sessions.clone(), wake: self.wake.clone() }
    }
}

impl<S: Service> UnitOfWork<S> {
    /// `sessions` are [`Sessions`], or an existing pool.
    pub fn new(service: Arc<S>, sessions: impl Into<Sessions>, wake: Wake) -> Self {
        UnitOfWork { service, sessions: sessions.into(), wake }
    }

    /// The same unit of work over other connections.
    pub(crate) fn over(&self, sessions: Sessions) -> Self {
        UnitOfWork { sessions, ..self.clone() }
    }

    /// Pool for single statements; bound them by [`sessions`](Self::sessions).
    pub fn pool(&self) -> &PgPool {
        self.sessions.pool()
    }

    /// Database sessions with bounds.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Decides on a batch and writes all results, but does not commit.
    ///
    /// # Errors
    /// None of the batch has taken effect then. If the database did not answer in time, its connections are replaced.
    pub async fn stage(&self, batch: &[Incoming<S::Command>]) -> Result<Staged, StoreError> {
        let staged = async {
            let mut transaction = self.sessions.begin().await?;
            let outcomes = self.work(&mut transaction, batch).await?;
            Ok::<_, StoreError>((transaction, outcomes))
        };
        let (transaction, outcomes) = self.sessions.bounded(staged).await?;
        let (sessions, wake) = (self.sessions.clone(), self.wake.clone());
        Ok(Staged { transaction, sessions, outcomes, journal: Journal::of::<S>(batch), wake })
    }

    /// Carries out a command of a person or a deadline, and returns the decision.
    pub async fn submit(
        &self,
        what: &str,
        command: S::Command,
        traceparent: Option<String>,
    ) -> Result<Says, StoreError> {
        let batch = [Incoming {
            origin: Origin::Direct,
            event_id: None,
            what: what.to_owned(),
            traceparent,
            expects: None,
            command,
        }];
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
    }

    async fn work(&self, db: &mut PgConnection, batch: &[Incoming<S::Command>]) -> Result<Vec<Outcome>, StoreError> {
        let mut admissions = admission::admit::<S>(db, batch).await?;
        let admitted = batch.iter().zip(&admissions).filter(|(_, admission)| **admission == Admission::New);
        let commands: Vec<&S::Command> = admitted.map(|(incoming, _)| &incoming.command).collect();
        if commands.is_empty() {
            return Ok(admissions.into_iter().map(not_decided).collect());
        }
        let mut rows = self.service.load(db, &commands).await?;
        // After the load: domain rows are locked before attempts, here as everywhere.
        admission::settle(db, batch, &mut admissions).await?;

        let now = Utc::now();
        let mut outcomes = Vec::with_capacity(batch.len());
        for (incoming, admission) in batch.iter().zip(admissions) {
            outcomes.push(match admission {
                Admission::New if !self.is_expected(&rows, incoming) => Outcome::Decided(Says::ignored(MOVED_ON)),
                Admission::New => Outcome::Decided(self.decide(&mut rows, &incoming.command, now)?),
                Admission::Known | Admission::Held => not_decided(admission),
            });
        }
        self.service.save(db, &rows).await?;
        say(db, batch, &outcomes).await?;
        Ok(outcomes)
    }

    /// Returns whether the saga's state here is the one that the command's sender expects.
    fn is_expected(&self, rows: &S::Rows, incoming: &Incoming<S::Command>) -> bool {
        let Some(expected) = &incoming.expects else { return true };
        self.service.standing(rows, S::saga_of(&incoming.command)).unwrap_or(ABSENT) == expected
    }

    fn decide(&self, rows: &mut S::Rows, command: &S::Command, now: chrono::DateTime<Utc>) -> Result<Says, StoreError> {
        // A panic concerns one event; the rest of the batch must not fail with it. The rows are dropped with the batch.
        let says = catch_unwind(AssertUnwindSafe(|| self.service.decide(rows, command, now))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            StoreError::Panicked(
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned(),
            )
        })?;
        match says.impossible {
            Some(why) => Err(StoreError::Impossible(why)),
            None => Ok(says),
        }
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
async fn say<C>(db: &mut PgConnection, batch: &[Incoming<C>], outcomes: &[Outcome]) -> Result<(), StoreError> {
    let mut outgoing = Vec::new();
    let mut attempts = Vec::new();
    for (incoming, outcome) in batch.iter().zip(outcomes) {
        let Outcome::Decided(says) = outcome else { continue };
        let cause = incoming.cause();
        let parent = incoming.traceparent.as_deref();
        outgoing.extend(says.events.iter().map(|said| said.outgoing(cause, trace_context::child_of(parent))));
        attempts.extend(says.attempts.iter().map(|new| (new, cause, trace_context::child_of(parent))));
    }
    attempts::write(db, &attempts).await?;
    Ok(outbox::write(db, &outgoing).await?)
}
