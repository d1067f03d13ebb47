//! Removes single rows past their retention: a bounded number in each transaction, so that no lock is held for long, and
//! never a row that is in use.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use uuid::Uuid;

use super::{Retention, clocks::Clocks, step::Steps};

/// Maximum number of rows removed in one transaction; the functions remove no more than that.
const CHUNK: i64 = 1000;

/// Removes rows past their retention.
pub(super) async fn remove(steps: &mut Steps<'_>, clocks: Clocks, retention: Retention) {
    let inbox = clocks.cutoff(retention.inbox_hours);
    let outbox = clocks.cutoff(retention.outbox_hours);
    by_age(steps, "removing seen ids", "select upkeep_remove_seen($1, $2)", inbox).await;
    by_age(steps, "removing published events", "select upkeep_remove_published($1, $2)", outbox).await;
    by_age(steps, "removing settled events", "select upkeep_remove_settled($1, $2)", inbox).await;
    ended_attempts(steps, inbox).await;
}

async fn by_age(steps: &mut Steps<'_>, what: &str, statement: &'static str, cutoff: DateTime<Utc>) {
    loop {
        let removed = steps.run(what, move |db| {
            sqlx::query_scalar::<_, i64>(statement).bind(cutoff).bind(CHUNK).fetch_one(db).boxed()
        });
        if removed.await.unwrap_or_default() < CHUNK {
            return;
        }
    }
}

/// Removes finished calls. A finished call is needed for as long as the event that asked for it could be redelivered.
async fn ended_attempts(steps: &mut Steps<'_>, cutoff: DateTime<Utc>) {
    let mut after = Uuid::nil();
    loop {
        // Starts where the last chunk ended, so that removed rows are not scanned again.
        let last = steps.run("removing ended calls", move |db| {
            sqlx::query_scalar::<_, Option<Uuid>>("select upkeep_remove_ended($1, $2, $3)")
                .bind(after)
                .bind(cutoff)
                .bind(CHUNK)
                .fetch_one(db)
                .boxed()
        });
        match last.await.flatten() {
            Some(last) => after = last,
            None => return,
        }
    }
}
