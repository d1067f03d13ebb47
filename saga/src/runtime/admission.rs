//! Admission of a batch's events: each counts once, and none overtakes a parked event of its saga.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    EventId,
    runtime::{attempts, erased::ErasedIncoming, inbox, incoming::Origin, parked},
    store::StoreError,
};

/// Result of admitting one command of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    New,
    /// Already processed.
    Known,
    /// New, but an earlier event of its saga is parked.
    Held,
}

/// Admits events by way of the inbox, unless their saga waits. Everything else is admitted for now.
pub(crate) async fn admit(db: &mut PgConnection, batch: &[ErasedIncoming<'_>]) -> Result<Vec<Admission>, StoreError> {
    let ids: Vec<EventId> = batch
        .iter()
        .filter_map(|incoming| match incoming.origin {
            Origin::Event(id) => Some(id),
            Origin::Parked(_) | Origin::Attempt { .. } | Origin::Direct => None,
        })
        .collect();
    if ids.is_empty() {
        return Ok(vec![Admission::New; batch.len()]);
    }
    let mut entry = inbox::admit(db, &ids).await?;
    let mut admissions: Vec<Admission> = batch
        .iter()
        .map(|incoming| match incoming.origin {
            // Removed from the set, so that the second of two equal events in a batch is a duplicate too.
            Origin::Event(id) if !entry.new.remove(&id) => Admission::Known,
            Origin::Event(_) | Origin::Parked(_) | Origin::Attempt { .. } | Origin::Direct => Admission::New,
        })
        .collect();
    if entry.perhaps_parked {
        hold(db, batch, &mut admissions).await?;
    }
    Ok(admissions)
}

async fn hold(
    db: &mut PgConnection,
    batch: &[ErasedIncoming<'_>],
    admissions: &mut [Admission],
) -> Result<(), StoreError> {
    let new_events = || {
        batch
            .iter()
            .enumerate()
            .filter(|(_, incoming)| matches!(incoming.origin, Origin::Event(_)))
            .map(|(place, incoming)| (place, incoming.saga_id.0))
    };
    let sagas: Vec<Uuid> = new_events().map(|(_, saga)| saga).collect();
    let waiting: HashSet<Uuid> = parked::waiting_sagas(db, &sagas).await?;
    for (place, saga) in new_events() {
        if admissions[place] == Admission::New && waiting.contains(&saga) {
            admissions[place] = Admission::Held;
        }
    }
    Ok(())
}

/// Ends the attempts whose answers are in the batch, and settles the parked events that are retried in it. Anything that
/// has ended already counts as a duplicate.
pub(crate) async fn settle(
    db: &mut PgConnection,
    batch: &[ErasedIncoming<'_>],
    admissions: &mut [Admission],
) -> Result<(), StoreError> {
    let (mut calls, mut events) = (Vec::new(), Vec::new());
    for incoming in batch {
        match incoming.origin {
            Origin::Attempt { id, given_up, .. } => calls.push((id, given_up)),
            Origin::Parked(id) => events.push(id.0),
            Origin::Event(_) | Origin::Direct => {}
        }
    }
    let mut calls = if calls.is_empty() { HashSet::new() } else { attempts::settle(db, &calls).await? };
    let mut events = if events.is_empty() { HashSet::new() } else { parked::settle(db, &events).await? };
    for (incoming, admission) in batch.iter().zip(admissions) {
        let settled = match incoming.origin {
            Origin::Attempt { id, .. } => calls.remove(&id),
            Origin::Parked(id) => events.remove(&id.0),
            Origin::Event(_) | Origin::Direct => continue,
        };
        *admission = if settled { Admission::New } else { Admission::Known };
    }
    Ok(())
}
