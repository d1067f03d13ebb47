//! The write side of a transactional outbox in PostgreSQL.
//!
//! A program that changes its database and publishes that change over Kafka must do both or neither. It writes the event
//! into the table `outbox`, in the transaction of the change. A publisher (the crate `outbox-relay`, a [polling
//! publisher], or [Debezium]'s event router, whose columns these are) publishes it once the transaction has committed.
//! The technique is known as the [transactional outbox].
//!
//! ```no_run
//! use outbox::{Outgoing, Publisher, publisher};
//!
//! const HOTEL: Publisher = publisher!("hotel");
//!
//! #[derive(serde::Serialize)]
//! struct RoomHeld {
//!     trip: uuid::Uuid,
//!     /// Whole cents.
//!     price: i64,
//! }
//!
//! async fn hold(pool: &sqlx::PgPool, trip: uuid::Uuid) -> anyhow::Result<()> {
//!     let mut transaction = pool.begin().await?;
//!     sqlx::query("update rooms set held_for = $1 where room = 7").bind(trip).execute(&mut *transaction).await?;
//!     let held = Outgoing::new(HOTEL, "RoomHeld", trip, &RoomHeld { trip, price: 12_000 })?;
//!     outbox::write(&mut transaction, &[held]).await?;
//!     transaction.commit().await?;
//!     // The relay looks by itself now and then; this only shortens the wait.
//!     outbox::notify(&mut *pool.acquire().await?).await?;
//!     Ok(())
//! }
//! ```
//!
//! Once, at start: [`migrate`] creates the tables, and [`declare`] records their owner; the relay publishes nothing from
//! a database without one. The topic, `hotel.events`, must exist: clients are configured not to create topics.
//!
//! The table `outbox` is partitioned by day: `select ensure_day_partition('outbox', day)` creates a day's partition, and
//! a day that has been published (`relay_cursor`) and is past its retention is dropped as a whole. The `saga` crate does
//! both.
//!
//! The record on `hotel.events` is a [CloudEvent](envelope) in binary mode, keyed by its subject.
//!
//! [polling publisher]: https://microservices.io/patterns/data/polling-publisher.html
//! [Debezium]: https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html
//! [transactional outbox]: https://microservices.io/patterns/data/transactional-outbox.html

#![warn(missing_docs)]

pub mod envelope;
pub mod ids;
pub mod kafka;
mod migration;
pub mod prefix;
pub mod publisher;
pub mod roles;
pub mod sasl;
mod unquoted;
mod write;

pub use ids::EventId;
pub use migration::{MIGRATIONS, migrate};
pub use prefix::{Prefix, RealName};
pub use publisher::Publisher;
pub use unquoted::unquoted;
pub use write::{
    CHANNEL, MAX_PAYLOAD_BYTES, Outgoing, WriteError, declare, notify, refuse_others, rendered_at_most, write,
};
