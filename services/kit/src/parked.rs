//! Events that a service could not process: put aside whole, so that a person can look and they can be tried again.

use events::EventId;
use serde_json::Value;
use sqlx::PgPool;

use crate::{record::Record, store::StoreError};

/// Puts an event aside. It counts as seen: the partition goes on.
pub(crate) async fn park(pool: &PgPool, id: EventId, record: &Record, error: &str) -> Result<(), StoreError> {
    let headers: Vec<Value> =
        record.headers.iter().map(|(name, value)| serde_json::json!([name, String::from_utf8_lossy(value)])).collect();
    let mut transaction = pool.begin().await?;
    sqlx::query("insert into inbox (event_id) values ($1) on conflict do nothing")
        .bind(id.0)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "insert into parked_events
            (event_id, topic, partition, record_offset, record_timestamp, key, value, headers, error)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
    )
    .bind(id.0)
    .bind(&record.topic)
    .bind(record.partition)
    .bind(record.offset)
    .bind(i64::try_from(record.timestamp_ms).unwrap_or(0))
    .bind(&record.key)
    .bind(&record.value)
    .bind(Value::Array(headers))
    .bind(error)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}
