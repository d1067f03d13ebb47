//! Durable attempts: calls to the outside that survive every crash.
//!
//! A decision asks for a call by saying a [`NewAttempt`](crate::says::NewAttempt); it is written in the transaction of that
//! decision. The [`worker`] claims what is due, calls through the service's [`Outside`], and hands the answer back to the
//! service as a command: the attempt's end, the decision about it and what it says are one transaction again. The call
//! itself may happen more than once; its idempotency key stays the same.
//!
//! A person who has settled a parked call with the other side says so through the [desk](crate::parked::desk). The worker then
//! takes that word in place of a call, and what follows is the same transaction as after a real answer.
//!
//! # Claims
//! A claim is a lease, renewed while its call is under way, in the name of a [claimant](claimant) that proves by a session lock
//! that it lives. The claims of one that is gone are due again a moment later, those of one that is frozen when their lease
//! ends. Only the claimant can put off, park or give up what it has claimed; but an answer counts, whenever it comes.

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

/// A call that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The attempt.
    pub id: Uuid,
    /// What is called, as the decision named it.
    pub kind: String,
    /// The saga that it is for.
    pub saga_id: SagaId,
    /// The same on every try.
    pub idempotency_key: String,
    /// What to call with, as the decision put it.
    pub request: Value,
    /// True for a Try, which ends with [`Outside::gave_up`] when its retries are used up.
    pub gives_up: bool,
    /// This try included.
    pub tries: u32,
    /// The event that asked for the call.
    pub causation_id: Option<EventId>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// How a person has settled it: no call is made.
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

/// The claim under which a call was made: it holds as long as the attempt's row says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The number of the claimant's session lock.
    pub claimant: i64,
    /// As counted when it was claimed: the same claimant may claim it again.
    pub tries: u32,
}

impl Claim {
    fn tries(self) -> i32 {
        i32::try_from(self.tries).unwrap_or(i32::MAX)
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<C> {
    /// The other side has answered, yes or no; the service decides what follows.
    Done(C),
    /// No useful answer: worth another try.
    Transient(String),
    /// The call was not made (the circuit is open): a Try counts it as a try, anything else just waits.
    NotCalled(String),
    /// Retrying will not help: a person has to look.
    NeedsPerson(String),
}

/// The way to the outside.
pub trait Outside<C>: Send + Sync + 'static {
    /// Makes the call, with a time-out of its own.
    fn call(&self, attempt: &Attempt) -> impl Future<Output = Answer<C>> + Send;

    /// Calls that can be under way at once. No more are claimed.
    fn concurrency(&self) -> usize {
        64
    }

    /// Calls that would be made if they were asked for now; fewer than [`concurrency`](Self::concurrency) while the other side
    /// is being left alone. With 0 only Trys are claimed, since waiting uses up their tries; everything else stays as it is.
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Longest time that a call takes; whoever still waits then gives it up for failed.
    fn time_out(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// What it means to the service that a person has settled the call, in a word: `captured`. By default no word means
    /// anything, and the call is parked again.
    fn settled(&self, attempt: &Attempt, word: &str) -> Answer<C> {
        Answer::NeedsPerson(format!("`{word}` is no answer to {}", attempt.kind))
    }

    /// What a Try that has used up its retries means to the service.
    fn gave_up(&self, attempt: &Attempt) -> C;
}
