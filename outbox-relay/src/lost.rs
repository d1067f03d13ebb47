//! Why a relay does not lead, or leads no longer.

use std::{future::Future, time::Duration};

use rdkafka::error::KafkaError;

/// None of these ends the process: [`Relay::run`](crate::Relay::run) connects again and stands by.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("another relay leads: the epoch is no longer {epoch}")]
    Replaced { epoch: i64 },
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database has not answered for {0:?}")]
    NoAnswer(Duration),
    #[error("making the Kafka client: {0}")]
    Client(#[from] KafkaError),
}

impl Lost {
    /// Whether the tables are missing: their service has not been started yet.
    pub(crate) fn is_not_migrated(&self) -> bool {
        const UNDEFINED_TABLE: &str = "42P01";
        matches!(self, Lost::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE))
    }
}

/// The answer of a database; one that says nothing for a whole lease is as good as gone.
pub(crate) async fn answered<T>(lease: Duration, question: impl Future<Output = sqlx::Result<T>>) -> Result<T, Lost> {
    match tokio::time::timeout(lease, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Lost::NoAnswer(lease)),
    }
}
