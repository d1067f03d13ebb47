//! The trait that a service implements: rows to load, a decision, rows to save.

use std::future::Future;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Publisher, SagaId, says::Says, store::StoreError, table::Table};

/// A participant of a choreographed saga.
///
/// This crate does the rest: it reads Kafka, filters duplicates, folds a whole batch through [`decide`](Service::decide)
/// in one transaction and writes the resulting events to the outbox. A service cannot commit, publish, or read the clock.
pub trait Service: Send + Sync + 'static {
    /// What an event, an answer from outside or a person asks the service to do.
    type Command: Send + Sync + 'static;
    /// Publisher of all its events.
    const PUBLISHER: Publisher;
    /// Name of the service and its publisher: its consumer group, `aggregatetype` in its outbox and the source of its
    /// events.
    const NAME: &'static str = Self::PUBLISHER.name();

    /// The rows that some commands need, with their changes.
    type Rows: Send;

    /// What the service consumes, decides and publishes.
    fn table() -> Table<Self::Command>;

    /// The table that the program reads records with: the same lines, where their reading depends on the service's settings.
    fn table_in_use(&self) -> Table<Self::Command> {
        Self::table()
    }

    /// Saga that a command is about.
    fn saga_of(command: &Self::Command) -> SagaId;

    /// Loads the rows that `commands` need, locked in key order: one statement per table.
    fn load(
        &self,
        db: &mut PgConnection,
        commands: &[&Self::Command],
    ) -> impl Future<Output = Result<Self::Rows, StoreError>> + Send;

    /// Decides on one command. Plain Rust: no await, no SQL, no randomness, and no clock but `now`.
    fn decide(&self, rows: &mut Self::Rows, command: &Self::Command, now: DateTime<Utc>) -> Says;

    /// State of a saga at this service, as one word that changes with every relevant change; `None` if the saga is
    /// unknown here. An event that an operator republishes counts only while this is the word that the operator saw. By
    /// default no saga is known.
    fn standing(&self, _rows: &Self::Rows, _saga: SagaId) -> Option<&'static str> {
        None
    }

    /// Writes the changed rows: one or two statements per table.
    fn save(&self, db: &mut PgConnection, rows: &Self::Rows) -> impl Future<Output = Result<(), StoreError>> + Send;
}
