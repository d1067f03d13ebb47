//! Removes single rows past their retention: a bounded number in each transaction, so that no lock is held for long, and
//! never a row that is in use.

use chrono::{DateTime, Utc};
use futures::{FutureExt, TryFutureExt};
use uuid::Uuid;

use super::{Retention, clocks::Clocks, step::Steps};

/// Maximum number of rows removed in one transaction.
const CHUNK: i64 = 1000;

/// Removes rows past their retention.
pub(super) async fn remove(steps: &mut Steps<'_>, clocks: Clocks, retention: Retention) {
    let inbox = clocks.cutoff(retention.inbox_hours);
    let outbox = clocks.cutoff(retention.outbox_hours);
    // Ids that are not a UUIDv7 of a plausible time expire by their date of arrival.
    by_age(
        steps,
        "removing seen ids",
        "delete from inbox_default where event_id in
             (select event_id from inbox_default where received_at < $1 order by received_at limit $2 for update skip locked)",
        inbox,
    )
    .await;
    // As with whole days: published, and older than the replay window.
    by_age(
        steps,
        "removing published events",
        "delete from outbox_default where id in
             (select id from outbox_default where created_at < $1 and seq <= (select last_seq from relay_cursor)
              order by seq limit $2 for update skip locked)",
        outbox,
    )
    .await;
    // The operators' actions stay in `parked_actions`.
    by_age(
        steps,
        "removing settled events",
        "with old as (select event_id from parked_events where status = 'settled' and settled_at < $1
                      order by settled_at limit $2 for update skip locked),
         gone as (delete from parked_newer where event_id in (select event_id from old))
         delete from parked_events where event_id in (select event_id from old)",
        inbox,
    )
    .await;
    ended_attempts(steps, inbox).await;
}

async fn by_age(steps: &mut Steps<'_>, what: &str, statement: &'static str, cutoff: DateTime<Utc>) {
    loop {
        let removed = steps.run(what, move |db| {
            sqlx::query(statement).bind(cutoff).bind(CHUNK).execute(db).map_ok(|done| done.rows_affected()).boxed()
        });
        if removed.await.unwrap_or_default() < CHUNK as u64 {
            return;
        }
    }
}

/// Removes finished calls. A finished call is needed for as long as the event that asked for it could be redelivered. Its
/// id is a UUIDv7 and tells when it was asked for, so the primary key finds the oldest without another index.
async fn ended_attempts(steps: &mut Steps<'_>, cutoff: DateTime<Utc>) {
    let asked_before = Uuid::from_u128(u128::from(u64::try_from(cutoff.timestamp_millis()).unwrap_or(0)) << 80);
    let mut after = Uuid::nil();
    loop {
        let removed = steps.run("removing ended calls", move |db| {
            // Starts where the last chunk ended, so that removed rows are not scanned again.
            sqlx::query_scalar::<_, Uuid>(
                "delete from attempts where id in
                     (select id from attempts
                      where id > $1 and id < $2 and status in ('done', 'resolved') and updated_at < $3
                      order by id limit $4 for update skip locked)
                 returning id",
            )
            .bind(after)
            .bind(asked_before)
            .bind(cutoff)
            .bind(CHUNK)
            .fetch_all(db)
            .boxed()
        });
        let removed = removed.await.unwrap_or_default();
        match removed.iter().max() {
            Some(last) if removed.len() == CHUNK as usize => after = *last,
            _ => return,
        }
    }
}
