//! What has been seen: the first statement of every transaction that an event causes.

use std::collections::HashSet;

use events::EventId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::StoreError;

/// Writes the ids down and returns those that are new. A duplicate, also one that another instance is just processing, is
/// not among them: the insert waits for the other transaction to end.
pub async fn admit(db: &mut PgConnection, ids: &[EventId]) -> Result<HashSet<EventId>, StoreError> {
    // In key order, so that two instances never wait for each other.
    let mut ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let new: Vec<Uuid> = sqlx::query_scalar(
        "insert into inbox (event_id) select unnest($1::uuid[]) on conflict do nothing returning event_id",
    )
    .bind(&ids)
    .fetch_all(db)
    .await?;
    Ok(new.into_iter().map(EventId).collect())
}
