//! The table of attempts.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use events::{EventId, OrderId};
use serde_json::Value;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::Attempt;
use crate::{says::NewAttempt, store::StoreError};

/// Writes new attempts. One that is there already (the same call for the same order) stays as it is.
pub async fn write(
    db: &mut PgConnection,
    attempts: &[(&NewAttempt, Option<EventId>, String)],
) -> Result<(), StoreError> {
    if attempts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = attempts.iter().map(|_| Uuid::now_v7()).collect();
    let kinds: Vec<&str> = attempts.iter().map(|(new, ..)| new.kind).collect();
    let orders: Vec<Uuid> = attempts.iter().map(|(new, ..)| new.order_id.0).collect();
    let keys: Vec<String> = attempts.iter().map(|(new, ..)| format!("{}:{}", new.order_id, new.kind)).collect();
    let requests: Vec<&Value> = attempts.iter().map(|(new, ..)| &new.request).collect();
    let gives_up: Vec<bool> = attempts.iter().map(|(new, ..)| new.gives_up).collect();
    let causations: Vec<Option<Uuid>> = attempts.iter().map(|(_, cause, _)| cause.map(|id| id.0)).collect();
    let traceparents: Vec<&str> = attempts.iter().map(|(_, _, traceparent)| traceparent.as_str()).collect();
    sqlx::query(
        "insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, causation_id, traceparent)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::jsonb[], $6::bool[], $7::uuid[], $8::text[])
         on conflict (idempotency_key) do nothing",
    )
    .bind(ids)
    .bind(kinds)
    .bind(orders)
    .bind(keys)
    .bind(requests)
    .bind(gives_up)
    .bind(causations)
    .bind(traceparents)
    .execute(db)
    .await?;
    Ok(())
}

/// Claims due attempts for `lease`: if their claimant dies, they are due again after it.
pub(super) async fn claim(db: &mut PgConnection, limit: i64, lease: Duration) -> sqlx::Result<Vec<Attempt>> {
    sqlx::query(
        "update attempts set tries = tries + 1, next_at = now() + make_interval(secs => $2), updated_at = now()
         where id in (select id from attempts where status = 'open' and next_at <= now()
                      order by next_at limit $1 for update skip locked)
         returning id, kind, order_id, idempotency_key, request, gives_up, tries, causation_id, traceparent",
    )
    .bind(limit)
    .bind(lease.as_secs_f64())
    .try_map(|row: PgRow| {
        Ok(Attempt {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            order_id: OrderId(row.try_get("order_id")?),
            idempotency_key: row.try_get("idempotency_key")?,
            request: row.try_get("request")?,
            gives_up: row.try_get("gives_up")?,
            tries: u32::try_from(row.try_get::<i32, _>("tries")?).unwrap_or(u32::MAX),
            causation_id: row.try_get::<Option<Uuid>, _>("causation_id")?.map(EventId),
            traceparent: row.try_get("traceparent")?,
        })
    })
    .fetch_all(db)
    .await
}

/// When the next attempt is due; none if there is none.
pub(super) async fn next_due(db: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar("select min(next_at) from attempts where status = 'open'").fetch_one(db).await
}

/// Sets an attempt back to be tried after `delay`.
pub(super) async fn postpone(
    db: &mut PgConnection,
    id: Uuid,
    delay: Duration,
    counts: bool,
    error: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update attempts set next_at = now() + make_interval(secs => $2), tries = tries - $3, last_error = $4, updated_at = now()
         where id = $1 and status = 'open'",
    )
    .bind(id)
    .bind(delay.as_secs_f64())
    .bind(i32::from(!counts))
    .bind(error)
    .execute(db)
    .await
    .map(drop)
}

/// Puts an attempt aside for a person.
pub(super) async fn park(db: &mut PgConnection, id: Uuid, error: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update attempts set status = 'parked', last_error = $2, updated_at = now() where id = $1 and status = 'open'",
    )
    .bind(id)
    .bind(error)
    .execute(db)
    .await
    .map(drop)
}

/// Ends attempts whose answer is being decided upon in this transaction, and returns those that this transaction ended: an
/// answer that comes twice counts once.
pub async fn settle(db: &mut PgConnection, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let settled: Vec<Uuid> = sqlx::query_scalar(
        "update attempts set status = 'done', last_error = null, updated_at = now()
         where id in (select id from attempts where id = any($1) and status <> 'done' order by id for update)
         returning id",
    )
    .bind(&ids)
    .fetch_all(db)
    .await?;
    Ok(settled.into_iter().collect())
}
