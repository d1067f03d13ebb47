//! The table of attempts.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{Attempt, Claim};
use crate::{EventId, SagaId, says::NewAttempt, store::StoreError};

/// Writes new attempts. One that is there already (the same call for the same saga) stays as it is.
pub(crate) async fn write(
    db: &mut PgConnection,
    attempts: &[(&NewAttempt, Option<EventId>, String)],
) -> Result<(), StoreError> {
    if attempts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = attempts.iter().map(|_| Uuid::now_v7()).collect();
    let kinds: Vec<&str> = attempts.iter().map(|(new, ..)| new.kind).collect();
    let sagas: Vec<Uuid> = attempts.iter().map(|(new, ..)| new.saga_id.0).collect();
    let keys: Vec<String> = attempts.iter().map(|(new, ..)| new.idempotency_key()).collect();
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
    .bind(sagas)
    .bind(keys)
    .bind(requests)
    .bind(gives_up)
    .bind(causations)
    .bind(traceparents)
    .execute(db)
    .await?;
    Ok(())
}

/// Which of the due attempts may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    All,
    /// Those that end when their tries are used up, and those that people have settled.
    Tries,
}

/// Claims due attempts for `claimant` and `lease`: if it has not ended or renewed them by then, they are due again.
pub(super) async fn claim(
    db: &mut PgConnection,
    claimant: i64,
    due: Due,
    limit: i64,
    lease: Duration,
) -> sqlx::Result<Vec<Attempt>> {
    sqlx::query(
        "update attempts set tries = tries + 1, claimed_by = $3, next_at = now() + make_interval(secs => $4), updated_at = now()
         where id in (select id from attempts where status = 'open' and next_at <= now()
                        and (gives_up or answer is not null or $2) order by next_at limit $1 for update skip locked)
         returning id, kind, order_id, idempotency_key, request, gives_up, tries, causation_id, traceparent, answer",
    )
    .bind(limit)
    .bind(due == Due::All)
    .bind(claimant)
    .bind(lease.as_secs_f64())
    .try_map(|row: PgRow| {
        Ok(Attempt {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            saga_id: SagaId(row.try_get("order_id")?),
            idempotency_key: row.try_get("idempotency_key")?,
            request: row.try_get("request")?,
            gives_up: row.try_get("gives_up")?,
            tries: u32::try_from(row.try_get::<i32, _>("tries")?).unwrap_or(u32::MAX),
            causation_id: row.try_get::<Option<Uuid>, _>("causation_id")?.map(EventId),
            traceparent: row.try_get("traceparent")?,
            settled_as: row.try_get("answer")?,
        })
    })
    .fetch_all(db)
    .await
}

/// Time until the next attempt is due, by the database's clock, which says when it was put off; none if there is none.
pub(super) async fn next_due(db: &mut PgConnection, due: Due) -> sqlx::Result<Option<Duration>> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from min(next_at) - clock_timestamp())::float8
         from attempts where status = 'open' and (gives_up or answer is not null or $1)",
    )
    .bind(due == Due::All)
    .fetch_one(db)
    .await?;
    Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}

/// Takes a claimant's session lock if it does not have it, and returns the number of the server's process.
pub(super) async fn lock(db: &mut PgConnection, claimant: i64) -> sqlx::Result<i32> {
    sqlx::query_scalar("select pg_backend_pid() from pg_try_advisory_lock($1)").bind(claimant).fetch_one(db).await
}

/// Renews claims that still hold.
pub(super) async fn renew(db: &mut PgConnection, claims: &[(Uuid, Claim)], lease: Duration) -> sqlx::Result<()> {
    let (ids, claimants, tries) = columns(claims);
    sqlx::query(
        "update attempts a set next_at = now() + make_interval(secs => $4), updated_at = now()
         from unnest($1::uuid[], $2::bigint[], $3::int[]) c (id, claimant, tries)
         where a.id = c.id and a.status = 'open' and a.claimed_by = c.claimant and a.tries = c.tries",
    )
    .bind(ids)
    .bind(claimants)
    .bind(tries)
    .bind(lease.as_secs_f64())
    .execute(db)
    .await
    .map(drop)
}

/// A claim that nobody seems to hold any more, or an attempt that was put off to a time that no delay leads to.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Abandoned {
    pub(super) id: Uuid,
    /// Changes whenever its claimant gives a sign of life.
    pub(super) updated_at: DateTime<Utc>,
    /// The database's clock has jumped since: nothing is put off for so long.
    pub(super) misdated: bool,
}

/// Looks for attempts whose claimants' session locks are gone, and for those that are put off for longer than `horizon`.
pub(super) async fn abandoned(db: &mut PgConnection, us: i64, horizon: Duration) -> sqlx::Result<Vec<Abandoned>> {
    sqlx::query_as(
        "select id, updated_at, next_at > now() + make_interval(secs => $2) as misdated
         from attempts
         where status = 'open' and next_at > now()
           and (next_at > now() + make_interval(secs => $2)
                or claimed_by is not null and claimed_by <> $1 and not exists (
                    select from pg_locks l
                    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
                      and l.database = (select oid from pg_database where datname = current_database())
                      and (l.classid::bigint << 32 | l.objid::bigint) = claimed_by))
         limit 1000",
    )
    .bind(us)
    .bind(horizon.as_secs_f64())
    .fetch_all(db)
    .await
}

/// Makes attempts due at once, unless something has happened to them since they were looked at. Returns how many.
pub(super) async fn release(db: &mut PgConnection, abandoned: &[Abandoned]) -> sqlx::Result<u64> {
    sqlx::query(
        "update attempts a set next_at = now(), claimed_by = null, updated_at = now()
         from unnest($1::uuid[], $2::timestamptz[]) s (id, seen)
         where a.id = s.id and a.status = 'open' and a.updated_at = s.seen",
    )
    .bind(abandoned.iter().map(|abandoned| abandoned.id).collect::<Vec<_>>())
    .bind(abandoned.iter().map(|abandoned| abandoned.updated_at).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(|done| done.rows_affected())
}

/// An attempt whose call brought no answer, to be tried again.
#[derive(Debug)]
pub(super) struct PutOff {
    pub(super) id: Uuid,
    pub(super) claim: Claim,
    pub(super) delay: Duration,
    pub(super) counts: bool,
    pub(super) error: String,
}

/// Sets attempts back, all of them at once; those that somebody else has claimed meanwhile stay as they are.
pub(super) async fn postpone(db: &mut PgConnection, put_off: &[PutOff]) -> sqlx::Result<u64> {
    let claims: Vec<(Uuid, Claim)> = put_off.iter().map(|put_off| (put_off.id, put_off.claim)).collect();
    let (ids, claimants, tries) = columns(&claims);
    sqlx::query(
        "update attempts a
         set next_at = now() + make_interval(secs => p.delay), tries = a.tries - p.uncounted, last_error = p.error,
             claimed_by = null, updated_at = now()
         from unnest($1::uuid[], $2::bigint[], $3::int[], $4::float8[], $5::int[], $6::text[])
              p (id, claimant, tries, delay, uncounted, error)
         where a.id = p.id and a.status = 'open' and a.claimed_by = p.claimant and a.tries = p.tries",
    )
    .bind(ids)
    .bind(claimants)
    .bind(tries)
    .bind(put_off.iter().map(|put_off| put_off.delay.as_secs_f64()).collect::<Vec<_>>())
    .bind(put_off.iter().map(|put_off| i32::from(!put_off.counts)).collect::<Vec<_>>())
    .bind(put_off.iter().map(|put_off| put_off.error.as_str()).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(|done| done.rows_affected())
}

/// Puts an attempt aside for a person, unless somebody else has claimed it meanwhile.
pub(super) async fn park(db: &mut PgConnection, id: Uuid, claim: Claim, error: &str) -> sqlx::Result<bool> {
    sqlx::query(
        "update attempts set status = 'parked', last_error = $4, answer = null, claimed_by = null, updated_at = now()
         where id = $1 and status = 'open' and claimed_by = $2 and tries = $3",
    )
    .bind(id)
    .bind(claim.claimant)
    .bind(claim.tries())
    .bind(error)
    .execute(db)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Ends attempts about which this transaction decides, and returns those that it ended: an answer that comes twice counts
/// once. An answer counts whoever's claim it came under; giving up is up to the claimant alone, so it comes with its claim.
pub(crate) async fn settle(
    db: &mut PgConnection,
    calls: &[(Uuid, Option<Claim>)],
) -> Result<HashSet<Uuid>, StoreError> {
    let mut answered: Vec<Uuid> = calls.iter().filter(|(_, claim)| claim.is_none()).map(|(id, _)| *id).collect();
    answered.sort_unstable();
    let given_up: Vec<(Uuid, Claim)> = calls.iter().filter_map(|(id, claim)| Some((*id, (*claim)?))).collect();
    let mut settled = HashSet::new();
    if !answered.is_empty() {
        let ended: Vec<Uuid> = sqlx::query_scalar(
            "update attempts set status = 'done', last_error = null, updated_at = now()
             where id in (select id from attempts where id = any($1) and status <> 'done' order by id for update)
             returning id",
        )
        .bind(&answered)
        .fetch_all(&mut *db)
        .await?;
        settled.extend(ended);
    }
    if !given_up.is_empty() {
        let (ids, claimants, tries) = columns(&given_up);
        let ended: Vec<Uuid> = sqlx::query_scalar(
            "update attempts a set status = 'done', last_error = null, updated_at = now()
             from unnest($1::uuid[], $2::bigint[], $3::int[]) c (id, claimant, tries)
             where a.id = c.id and a.status = 'open' and a.claimed_by = c.claimant and a.tries = c.tries
             returning a.id",
        )
        .bind(ids)
        .bind(claimants)
        .bind(tries)
        .fetch_all(db)
        .await?;
        settled.extend(ended);
    }
    Ok(settled)
}

fn columns(claims: &[(Uuid, Claim)]) -> (Vec<Uuid>, Vec<i64>, Vec<i32>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (id, claim) in claims {
        columns.0.push(*id);
        columns.1.push(claim.claimant);
        columns.2.push(claim.tries());
    }
    columns
}
