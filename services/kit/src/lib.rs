//! Everything that a service of a choreographed saga needs and that knows no service and no event by name.
//!
//! A service is a [`Service`]: a [`Table`] of what it consumes and says, rows that it loads and saves, and a pure decision.
//! The kit reads Kafka ([the consumer loop](Program::run)), keeps duplicates out ([`inbox`]), folds a batch through the
//! decisions in one transaction ([`unit_of_work`]), writes what was said ([`outbox`]), makes calls to the outside durable
//! ([`attempts`]) and starts and stops the [`Program`].
//!
//! # A service in forty lines
//! See `services/account`: `lib.rs` has its table, `domain.rs` its decisions, `store.rs` its SQL, `main.rs` its wiring.

pub mod attempts;
pub mod barrier;
mod batch;
pub mod config;
pub mod crash;
pub mod health;
pub mod inbox;
pub mod incoming;
pub mod memory;
pub mod ops;
pub mod outbox;
pub mod parked;
pub mod record;
pub mod rows;
pub mod says;
pub mod service;
pub mod sessions;
pub mod shutdown;
pub mod store;
pub mod table;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timer;
pub mod topics;
pub mod unechoed;
pub mod unit_of_work;
pub mod upkeep;
pub mod wake;

mod admission;
mod answers;
mod aside;
mod backoff;
mod carry;
mod consumer;
mod dead_letter;
mod http;
mod journal;
mod membership;
mod migration;
mod positions;
mod program;
mod reading;
mod replication;
mod stalled;
mod supervision;
mod throttle;
mod trace_context;
mod unread;

pub use backoff::Backoff;
pub use migration::migrate;
pub use program::Program;
pub use rows::Rows;
pub use says::{NewAttempt, Says};
pub use service::Service;
pub use store::StoreError;
pub use supervision::main;
pub use table::Table;
