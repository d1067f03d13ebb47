//! Read positions of the services, as saved in their own databases.

use std::collections::HashMap;

use anyhow::Context;

use crate::{Database, databases::Databases};

/// Offsets up to which everything is done, by topic and partition.
pub(crate) type Saved = HashMap<(String, i32), i64>;

/// The positions that one service has saved.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn of(databases: &Databases, database: Database) -> anyhow::Result<Saved> {
    let rows: Vec<(String, i32, i64)> = sqlx::query_as("select topic, partition, next_offset from consumer_offsets")
        .fetch_all(databases.of_service(database))
        .await
        .with_context(|| format!("reading the saved offsets in {database}"))?;
    Ok(rows.into_iter().map(|(topic, partition, next)| ((topic, partition), next)).collect())
}
