//! Everything that a service of a choreographed saga needs except its business logic. This crate knows no service and no
//! event by name.
//!
//! A service is a [`Service`]: a [`Table`] of the events it consumes and publishes, rows that it loads and saves, and a
//! pure decision. This crate reads Kafka ([the consumer loop](Program::run)), filters duplicates, folds a batch through
//! the decisions in one transaction ([`unit_of_work`]), writes the resulting events to the [`outbox`], makes durable
//! calls to the outside ([`attempts`]), and starts and stops the [`Program`].
//!
//! # A service
//! It consumes `CarBooked` of another service and publishes `VoucherSent`, once per trip.
//!
//! ```no_run
//! use chrono::{DateTime, Utc};
//! use saga::{Facts, Program, Publisher, Rows, SagaId, Says, Service, StoreError, Table, publisher, says, store::all_inserted};
//! use sqlx::{PgConnection, migrate::Migrator};
//!
//! /// The facts that travel with the saga, reduced to what this service needs.
//! #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
//! pub struct Trip {
//!     pub trip_id: SagaId,
//! }
//!
//! impl Facts for Trip {
//!     fn saga_id(&self) -> SagaId {
//!         self.trip_id
//!     }
//! }
//!
//! mod car {
//!     saga::events! { saga::publisher!("car"), trip: super::Trip, CarBooked { price: i64 } }
//! }
//! mod voucher {
//!     saga::events! { saga::publisher!("voucher"), trip: super::Trip, VoucherSent {} }
//! }
//!
//! struct Vouchers;
//!
//! impl Service for Vouchers {
//!     type Command = Trip;
//!     type Rows = Rows<SagaId, ()>;
//!
//!     const PUBLISHER: Publisher = publisher!("voucher");
//!
//!     fn table() -> Table<Trip> {
//!         Table::of(Self::PUBLISHER).on("send", says![voucher::VoucherSent], |event: car::CarBooked| event.trip)
//!     }
//!
//!     fn saga_of(trip: &Trip) -> SagaId {
//!         trip.trip_id
//!     }
//!
//!     async fn load(&self, db: &mut PgConnection, trips: &[&Trip]) -> Result<Self::Rows, StoreError> {
//!         let ids: Vec<_> = trips.iter().map(|trip| trip.trip_id.0).collect();
//!         let sent = sqlx::query_scalar("select trip_id from vouchers where trip_id = any($1) order by 1 for update");
//!         let sent: Vec<uuid::Uuid> = sent.bind(ids).fetch_all(db).await?;
//!         Ok(Rows::loaded(sent.into_iter().map(|trip| (SagaId(trip), ()))))
//!     }
//!
//!     fn decide(&self, sent: &mut Self::Rows, trip: &Trip, _now: DateTime<Utc>) -> Says {
//!         if sent.get(&trip.trip_id).is_some() {
//!             return Says::ignored("already sent");
//!         }
//!         sent.put(trip.trip_id, ());
//!         Says::event(voucher::VoucherSent { trip: trip.clone() })
//!     }
//!
//!     async fn save(&self, db: &mut PgConnection, sent: &Self::Rows) -> Result<(), StoreError> {
//!         let new: Vec<_> = sent.new_rows().into_iter().map(|(trip, ())| trip.0).collect();
//!         let insert = sqlx::query("insert into vouchers select unnest($1::uuid[]) on conflict do nothing");
//!         let inserted = insert.bind(&new).execute(db).await?.rows_affected();
//!         all_inserted("vouchers", new.len(), inserted)
//!     }
//! }
//!
//! # /*
//! static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
//! # */
//! # static MIGRATIONS: Migrator = Migrator::DEFAULT;
//!
//! fn main() -> anyhow::Result<()> {
//!     saga::main::<Vouchers, _>(async |config| Program::new(Vouchers, config, &MIGRATIONS)?.run().await)
//! }
//! ```
//!
//! # Features
//! `runtime` (default): everything that runs, including the program's command line, HTTP server and metrics. A crate that
//! only declares or reads events sets `default-features = false` and avoids those dependencies. `schema`: JSON Schemas of
//! events, from their types. `testing`: test helpers shared by services.
//!
//! # Further reading
//! For a plain table, [`rows!`] writes `load` and `save`. Steps that are tried, confirmed and cancelled go through the
//! [`barrier`]. Calls to the outside are durable [`attempts`]. The feature `testing` has a conformance suite. A relay (the crate
//! `outbox-relay`, or Debezium) publishes the outbox.

#![warn(missing_docs)]

// The macros expand to paths under `saga`; this makes them resolve inside this crate too.
extern crate self as saga;

pub mod barrier;
pub mod choreography;
mod event;
pub mod record;
mod rows;
#[cfg(feature = "runtime")]
mod runtime;
mod saga_id;
mod says;
#[cfg(feature = "schema")]
pub mod schema;
mod service;
pub mod store;
pub mod table;
#[cfg(feature = "testing")]
pub mod testing;

pub use event::{Event, Facts};
pub use outbox::{self, EventId, Publisher, envelope, ids, publisher};
#[cfg(feature = "runtime")]
pub use process::{health, sessions, shutdown, unechoed};
pub use rows::Rows;
#[doc(hidden)]
pub use rows::Statements;
#[cfg(feature = "runtime")]
pub use runtime::{
    Deadlines, Program, Timer, attempts, config, main, main_with, migrate, parked, roles, topics, unit_of_work,
};
// Public for this crate's own tests only.
#[cfg(feature = "runtime")]
#[doc(hidden)]
pub use runtime::{memory, upkeep};
pub use saga_id::SagaId;
pub use says::{NewAttempt, Said, Says};
#[cfg(feature = "schema")]
#[doc(hidden)]
pub use schemars;
#[doc(hidden)]
pub use serde;
#[doc(hidden)]
pub use serde_json;
pub use service::Service;
#[doc(hidden)]
pub use sqlx;
pub use store::StoreError;
pub use table::Table;
#[cfg(feature = "runtime")]
pub use transport;
