//! Everything that a service of a choreographed saga needs and that knows no service and no event by name.
//!
//! A service is a [`Service`]: a [`Table`] of what it consumes and says, rows that it loads and saves, and a pure decision.
//! This crate reads Kafka ([the consumer loop](Program::run)), keeps duplicates out ([`inbox`]), folds a batch through the
//! decisions in one transaction ([`unit_of_work`]), writes what was said ([`outbox`]), makes calls to the outside durable
//! ([`attempts`]) and starts and stops the [`Program`].
//!
//! # A service in forty lines
//! See `services/account`: `lib.rs` has its table, `domain.rs` its decisions, `store.rs` its SQL, `main.rs` its wiring.

// What the macros write names this crate as others do.
extern crate self as saga;

pub mod attempts;
pub mod barrier;
mod batch;
pub mod choreography;
pub mod config;
mod entry;
mod event;
pub mod inbox;
pub mod incoming;
pub mod memory;
pub mod parked;
pub mod record;
pub mod rows;
mod saga_id;
pub mod says;
pub mod service;
pub mod store;
pub mod table;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timer;
pub mod topics;
pub mod unit_of_work;
pub mod upkeep;
pub mod wake;

mod admission;
mod answers;
mod aside;
mod carry;
mod consumer;
mod dead_letter;
mod journal;
mod membership;
mod migration;
mod positions;
mod program;
mod reading;
mod replication;
mod throttle;
mod trace_context;
mod unread;

pub use entry::{main, main_with};
pub use event::{Event, Facts};
pub use migration::migrate;
pub use outbox::{self, EventId, Publisher, envelope, ids, publisher};
pub use process::{Backoff, crash, health, ops, sessions, shutdown, telemetry, unechoed};
pub use program::Program;
pub use rows::Rows;
pub use saga_id::SagaId;
pub use says::{NewAttempt, Says};
#[doc(hidden)]
pub use serde;
pub use service::Service;
pub use store::StoreError;
pub use table::Table;
