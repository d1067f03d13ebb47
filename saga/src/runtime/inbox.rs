//! What has been seen: the first statement of every transaction that an event causes.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{EventId, store::StoreError};

/// What the inbox says to some events.
#[derive(Debug)]
pub(crate) struct Entry {
    /// A duplicate, also one that another instance is just processing, is not among them: the insert waits for the other
    /// transaction to end.
    pub(crate) new: HashSet<EventId>,
    /// False if certainly no event is parked that one of these would overtake.
    pub(crate) perhaps_parked: bool,
}

/// Writes the ids down and tells which are new.
pub(crate) async fn admit(db: &mut PgConnection, ids: &[EventId]) -> Result<Entry, StoreError> {
    // In key order, so that two instances never wait for each other.
    let mut ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    // Whether anything is parked is asked along with it, for that saves a round trip.
    let new: Vec<(Uuid, bool)> = sqlx::query_as(
        "insert into inbox (event_id) select unnest($1::uuid[]) on conflict do nothing
         returning event_id, exists (select from parked_events where status <> 'settled')",
    )
    .bind(&ids)
    .fetch_all(db)
    .await?;
    // A duplicate may have been parked by the very transaction that the insert waited for: too late for the statement to see.
    let perhaps_parked = new.len() < ids.len() || new.iter().any(|(_, parked)| *parked);
    Ok(Entry { new: new.into_iter().map(|(id, _)| EventId(id)).collect(), perhaps_parked })
}
