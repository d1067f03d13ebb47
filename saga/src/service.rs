//! What a service is: rows to load, a decision to make, rows to save.

use std::future::Future;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Publisher, SagaId, says::Says, store::StoreError, table::Table};

/// A participant of a choreographed saga.
///
/// This crate does the rest: it reads Kafka, keeps duplicates out, folds a whole batch through [`decide`](Service::decide)
/// in one transaction and says what has to be said. A service cannot commit, publish, or look at the clock.
pub trait Service: Send + Sync + 'static {
    /// What an event, an answer from outside or a person asks the service to do.
    type Command: Send + Sync + 'static;
    /// The publisher of all that it says.
    const PUBLISHER: Publisher;
    /// The service's name, its publisher's: its consumer group, `aggregatetype` in its outbox and the source of its events.
    const NAME: &'static str = Self::PUBLISHER.name();

    /// The rows that some commands need, and what has become of them.
    type Rows: Send;

    /// What the service consumes, decides and says.
    fn table() -> Table<Self::Command>;

    /// The saga that a command is about.
    fn saga_of(command: &Self::Command) -> SagaId;

    /// The rows that `commands` need, locked in key order: one statement per table.
    fn load(
        &self,
        db: &mut PgConnection,
        commands: &[&Self::Command],
    ) -> impl Future<Output = Result<Self::Rows, StoreError>> + Send;

    /// Plain Rust: no await, no SQL, no randomness, and no clock but `now`.
    fn decide(&self, rows: &mut Self::Rows, command: &Self::Command, now: DateTime<Utc>) -> Says;

    /// How a saga stands here, in one word that changes whenever anything of consequence does; none if it was never heard
    /// of. What operators say again counts only while this is what they have seen. By default the service knows no saga.
    fn standing(&self, _rows: &Self::Rows, _saga: SagaId) -> Option<&'static str> {
        None
    }

    /// Writes what has changed: one or two statements per table.
    fn save(&self, db: &mut PgConnection, rows: &Self::Rows) -> impl Future<Output = Result<(), StoreError>> + Send;
}
