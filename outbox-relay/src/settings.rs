//! What a relay is told.

use outbox::kafka::Kafka;
use sqlx::postgres::PgConnectOptions;

use crate::Timing;

/// Rows read at once, at most, unless somebody says otherwise.
pub const BATCH_ROWS: i64 = 2000;

/// One database, and where its outbox goes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name in logs and metrics.
    pub database: String,
    /// Where the database is.
    pub options: PgConnectOptions,
    /// Where Kafka is.
    pub kafka: Kafka,
    /// The publisher that the database belongs to: rows that name another `aggregatetype` are not published, and nothing
    /// passes them. None: the one that the database itself declares, which protects from mistakes, not from its owner.
    pub publisher: Option<String>,
    /// Times to wait, and for what.
    pub timing: Timing,
    /// Rows read at once and sent to a partition in one request, at most.
    pub batch_max: i64,
}
