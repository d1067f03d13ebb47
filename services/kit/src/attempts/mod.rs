//! Durable attempts: calls to the outside that survive every crash.
//!
//! A decision asks for a call by saying a [`NewAttempt`](crate::says::NewAttempt); it is written in the transaction of that
//! decision. The [`worker`] claims what is due, calls through the service's [`Outside`], and hands the answer back to the
//! service as a command: the attempt's end, the decision about it and what it says are one transaction again. The call
//! itself may happen more than once; its idempotency key stays the same.

mod policy;
mod store;
mod worker;

use std::future::Future;

use events::{EventId, OrderId};
use serde_json::Value;
use uuid::Uuid;

pub use policy::{Next, RetryPolicy};
pub use store::{settle, write};
pub use worker::run;
pub(crate) use worker::run_watched;

/// A call that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub id: Uuid,
    pub kind: String,
    pub order_id: OrderId,
    /// The same on every try.
    pub idempotency_key: String,
    pub request: Value,
    /// Whether it is a Try, which ends with [`Outside::gave_up`] when its retries are used up.
    pub gives_up: bool,
    /// This try included.
    pub tries: u32,
    pub causation_id: Option<EventId>,
    pub traceparent: Option<String>,
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

    /// What a Try that has used up its retries means to the service.
    fn gave_up(&self, attempt: &Attempt) -> C;
}
