//! Settings of a relay.

use outbox::kafka::Cluster;
use sqlx::postgres::PgConnectOptions;

use crate::Timing;

/// Default of [`Settings::batch_max`].
pub const BATCH_ROWS: i64 = 2000;

/// One database, and where to publish its outbox.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the database in logs and metrics.
    pub database: String,
    /// Address of the database.
    pub options: PgConnectOptions,
    /// Kafka, and the certificates that the relay of this database shows there: it may write this publisher's topic alone.
    pub kafka: Cluster,
    /// The publisher that the database belongs to: a row with another `aggregatetype` is not published, and no later row passes
    /// it. Defaults to the publisher that the database declares, which protects from mistakes, but not from its owner.
    pub publisher: Option<String>,
    /// Time limits.
    pub timing: Timing,
    /// Maximum number of rows read at once, and sent to a partition in one request.
    pub batch_max: i64,
}
