//! One batch, one transaction: admit → load → decide → save → say.
//!
//! Who wants to change anything goes through here: events from Kafka by the inbox, answers from outside by their attempts,
//! people and deadlines directly. All of them meet the same decisions.

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

const MOVED_ON: &str = "the saga stands otherwise than it did when an operator looked at it";

/// A batch that has been written and not committed.
#[must_use = "without a commit nothing has happened"]
pub struct Staged {
    transaction: Session,
    sessions: Sessions,
    outcomes: Vec<Outcome>,
    journal: Journal,
    wake: Wake,
}

impl Staged {
    /// In the order of the commands.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The outcomes, and the transaction for what else belongs into it.
    pub(crate) fn parts(&mut self) -> (&mut PgConnection, &[Outcome]) {
        (&mut self.transaction, &self.outcomes)
    }

    /// Makes it happen, and wakes the relay and the attempts' worker.
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

/// The way to change something in a service's database.
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
    /// `sessions` are [`Sessions`], or a pool that somebody else has made.
    pub fn new(service: Arc<S>, sessions: impl Into<Sessions>, wake: Wake) -> Self {
        UnitOfWork { service, sessions: sessions.into(), wake }
    }

    /// The same, over connections of the caller's own.
    pub(crate) fn over(&self, sessions: Sessions) -> Self {
        UnitOfWork { sessions, ..self.clone() }
    }

    /// For single statements; bound them by [`sessions`](Self::sessions).
    pub fn pool(&self) -> &PgPool {
        self.sessions.pool()
    }

    /// The way to the database, with bounds.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Decides upon a batch and writes all that follows, but does not commit.
    ///
    /// # Errors
    /// Nothing of the batch has happened then. Where the database did not answer in time, its connections are replaced.
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

    /// Carries out a command of a person or a deadline, and says what was decided.
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

    /// Tells whether the saga stands here as whoever sent the command has seen it.
    fn is_expected(&self, rows: &S::Rows, incoming: &Incoming<S::Command>) -> bool {
        let Some(expected) = &incoming.expects else { return true };
        self.service.standing(rows, S::saga_of(&incoming.command)).unwrap_or(ABSENT) == expected
    }

    fn decide(&self, rows: &mut S::Rows, command: &S::Command, now: chrono::DateTime<Utc>) -> Result<Says, StoreError> {
        // A panic concerns one event; the rest of the batch shall go on without it. The rows are dropped with the batch.
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

/// What becomes of those who are not let in.
fn not_decided(admission: Admission) -> Outcome {
    match admission {
        Admission::Held => Outcome::Held,
        Admission::Known | Admission::New => Outcome::Duplicate,
    }
}

/// Writes down all that was said, in order.
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
