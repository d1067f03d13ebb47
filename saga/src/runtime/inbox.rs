//! The inbox: ids of the events already processed. It is the first statement of every transaction that an event causes.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{EventId, store::StoreError};

/// Result of inserting event ids.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Ids seen for the first time. The insert waits for other transactions, so an event that another instance is still
    /// processing counts as a duplicate once that transaction commits.
    pub(crate) new: HashSet<EventId>,
    /// False if certainly no parked event would be overtaken.
    pub(crate) perhaps_parked: bool,
}

/// Inserts the ids and returns which are new.
pub(crate) async fn admit(db: &mut PgConnection, ids: &[EventId]) -> Result<Entry, StoreError> {
    // In key order, so that two instances never deadlock.
    let mut ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    // The same statement asks whether anything is parked, which saves a round trip.
    let new: Vec<(Uuid, bool)> = sqlx::query_as(
        "insert into inbox (event_id) select unnest($1::uuid[]) on conflict do nothing
         returning event_id, exists (select from parked_events where status <> 'settled')",
    )
    .bind(&ids)
    .fetch_all(db)
    .await?;
    // A duplicate may have been parked by the very transaction that the insert waited for; this statement cannot see
    // that.
    let perhaps_parked = new.len() < ids.len() || new.iter().any(|(_, parked)| *parked);
    Ok(Entry { new: new.into_iter().map(|(id, _)| EventId(id)).collect(), perhaps_parked })
}
