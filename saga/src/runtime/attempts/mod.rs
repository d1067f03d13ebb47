//! Durable attempts: calls to the outside that survive every crash.
//!
//! A decision asks for a call with a [`NewAttempt`](crate::NewAttempt), which is written in the decision's
//! transaction. The worker claims due attempts, calls through the service's [`Outside`], and hands the answer back to
//! the service as a command: again, one transaction ends the attempt, makes the decision and writes its events. The call
//! itself is at-least-once; its idempotency key stays the same.
//!
//! An operator who has settled a parked call with the other side records the result through the
//! [desk](crate::parked::desk). The worker then uses that word in place of a call; the transaction that follows
//! is the same as after a real answer.
//!
//! # Claims
//! A claim is a lease, renewed while its call is in progress. It belongs to a claimant, whose session lock
//! proves that its process lives. When the process dies, its claims are due again a moment later; when it is frozen, they
//! are due when their leases expire. Only the claimant can postpone, park or give up a claimed attempt; an answer counts
//! whenever it arrives.

mod claimant;
mod conclusion;
mod policy;
mod store;
mod worker;

use std::{future::Future, time::Duration};

use serde_json::Value;
use uuid::Uuid;

use crate::{EventId, SagaId};

pub use policy::RetryPolicy;
pub use worker::run;
pub(crate) use {
    store::{settle, write},
    worker::run_watched,
};

/// Claims all attempts that are due, as the worker does.
#[cfg(feature = "testing")]
pub(crate) async fn claim_all(
    db: &mut sqlx::PgConnection,
    claimant: i64,
    lease: Duration,
) -> sqlx::Result<Vec<Attempt>> {
    store::claim(db, claimant, store::Due::All, i64::MAX, lease).await
}

/// A due call.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Id of the attempt.
    pub id: Uuid,
    /// Kind of call, as the decision named it.
    pub kind: String,
    /// Saga that the call is for.
    pub saga_id: SagaId,
    /// Idempotency key, the same on every try.
    pub idempotency_key: String,
    /// Request, as the decision wrote it.
    pub request: Value,
    /// True for a Try, which ends with [`Outside::gave_up`] when its retries are used up.
    pub gives_up: bool,
    /// Number of tries, including this one.
    pub tries: u32,
    /// Event that asked for the call.
    pub causation_id: Option<EventId>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Word with which an operator has settled the call; then no call is made.
    pub settled_as: Option<String>,
}

#[cfg(test)]
impl Attempt {
    /// An attempt that is due for the first time.
    fn example() -> Self {
        Attempt {
            id: Uuid::nil(),
            kind: "book".into(),
            saga_id: SagaId(Uuid::nil()),
            idempotency_key: "k".into(),
            request: Value::Null,
            gives_up: true,
            tries: 1,
            causation_id: None,
            traceparent: None,
            settled_as: None,
        }
    }
}

/// The claim under which a call was made; valid while the attempt's row says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Key of the claimant's session lock.
    pub claimant: i64,
    /// Number of tries when it was claimed: tells apart two claims by the same claimant.
    pub tries: u32,
}

impl Claim {
    fn tries(self) -> i32 {
        i32::try_from(self.tries).unwrap_or(i32::MAX)
    }
}

/// Result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<C> {
    /// The other side has answered, yes or no; the service decides what follows.
    Done(C),
    /// No usable answer: retry.
    Transient(String),
    /// The call was not made because the circuit is open. For a Try this counts as a try; anything else just waits.
    NotCalled(String),
    /// Retrying will not help: an operator has to look at it.
    NeedsPerson(String),
}

impl<C> Answer<C> {
    /// The same answer with another command.
    pub(crate) fn map<D>(self, to: impl FnOnce(C) -> D) -> Answer<D> {
        match self {
            Answer::Done(command) => Answer::Done(to(command)),
            Answer::Transient(why) => Answer::Transient(why),
            Answer::NotCalled(why) => Answer::NotCalled(why),
            Answer::NeedsPerson(why) => Answer::NeedsPerson(why),
        }
    }
}

/// Client of the outside system.
pub trait Outside<C>: Send + Sync + 'static {
    /// Makes the call, with a timeout of its own.
    fn call(&self, attempt: &Attempt) -> impl Future<Output = Answer<C>> + Send;

    /// Maximum number of concurrent calls. No more are claimed.
    fn concurrency(&self) -> usize {
        64
    }

    /// Number of calls that would be made if asked for now; less than [`concurrency`](Self::concurrency) while the
    /// circuit is open. At 0 only Trys are claimed, because waiting uses up their tries; everything else stays in the
    /// table.
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Maximum duration of a call; after that it counts as failed.
    fn time_out(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Translates the word with which an operator has settled the call, such as `captured`. By default no word is
    /// accepted, and the call is parked again.
    fn settled(&self, attempt: &Attempt, word: &str) -> Answer<C> {
        Answer::NeedsPerson(format!("`{word}` is not an answer to {}", attempt.kind))
    }

    /// The command for a Try that has used up its retries.
    fn gave_up(&self, attempt: &Attempt) -> C;
}
