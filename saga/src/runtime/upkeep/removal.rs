//! Removal of single rows that are past their retention: a bounded number in each transaction, so that no lock is held for
//! long, and never one that somebody is just working on.

use chrono::{DateTime, Utc};
use futures::{FutureExt, TryFutureExt};
use uuid::Uuid;

use super::{Retention, clocks::Clocks, step::Steps};

/// Rows removed in one transaction at most.
const CHUNK: i64 = 1000;

/// Removes what is past its retention.
pub(super) async fn remove(steps: &mut Steps<'_>, clocks: Clocks, retention: Retention) {
    let inbox = clocks.cutoff(retention.inbox_hours);
    let outbox = clocks.cutoff(retention.outbox_hours);
    // Ids that are not UUIDv7 of our days go by their date of arrival.
    by_age(
        steps,
        "removing seen ids",
        "delete from inbox_default where event_id in
             (select event_id from inbox_default where received_at < $1 order by received_at limit $2 for update skip locked)",
        inbox,
    )
    .await;
    // As with whole days: published, and past the time for which it can be replayed.
    by_age(
        steps,
        "removing published events",
        "delete from outbox_default where id in
             (select id from outbox_default where created_at < $1 and seq <= (select last_seq from relay_cursor)
              order by seq limit $2 for update skip locked)",
        outbox,
    )
    .await;
    // What people did about them stays in `parked_actions`.
    by_age(
        steps,
        "removing settled events",
        "delete from parked_events where event_id in
             (select event_id from parked_events where status = 'settled' and settled_at < $1
              order by settled_at limit $2 for update skip locked)",
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

/// A call that has ended is needed for as long as the event that asked for it could come again. Its id is a UUIDv7 and so tells
/// when it was asked for: the primary key leads to the oldest, and no other index has to be kept for that.
async fn ended_attempts(steps: &mut Steps<'_>, cutoff: DateTime<Utc>) {
    let asked_before = Uuid::from_u128(u128::from(u64::try_from(cutoff.timestamp_millis()).unwrap_or(0)) << 80);
    let mut after = Uuid::nil();
    loop {
        let removed = steps.run("removing ended calls", move |db| {
            // From where the last one ended: what it removed need not be passed over again.
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
