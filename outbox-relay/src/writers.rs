//! Open transactions that write to the outbox.
//!
//! `insert` takes a row-exclusive lock on `outbox` before it draws a number and holds it until the transaction has ended and
//! its rows are visible. The query is cheap: every role sees such locks in `pg_locks`, and nothing is written.

use sqlx::{PgConnection, Row};

/// The highest visible number, and the transactions that hold the lock. The statement's snapshot is taken before the locks are
/// listed, so a transaction that has drawn a lower number and has not ended is among them.
pub(crate) async fn open(session: &mut PgConnection) -> sqlx::Result<(i64, Vec<String>)> {
    let row = sqlx::query(
        "select coalesce((select max(seq) from outbox), 0),
                array(select virtualtransaction from pg_locks
                      where locktype = 'relation' and mode = 'RowExclusiveLock' and granted
                        and database = (select oid from pg_database where datname = current_database())
                        and relation = 'outbox'::regclass)",
    )
    .fetch_one(session)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Those of `writers` that have not ended. A prepared transaction has a new name and no process, so each of these counts.
pub(crate) async fn left(session: &mut PgConnection, writers: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select virtualtransaction from pg_locks
         where locktype = 'relation' and mode = 'RowExclusiveLock' and granted
           and database = (select oid from pg_database where datname = current_database())
           and relation = 'outbox'::regclass
           and (virtualtransaction = any($1) or pid is null)",
    )
    .bind(writers)
    .fetch_all(session)
    .await
}

/// A session with such a transaction, as it is logged.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Writer {
    /// None for a prepared transaction.
    pub(crate) pid: Option<i32>,
    pub(crate) application_name: Option<String>,
    pub(crate) database: String,
    pub(crate) state: Option<String>,
    pub(crate) open_seconds: Option<f64>,
    pub(crate) query_start: Option<chrono::DateTime<chrono::Utc>>,
    pub(crate) query: Option<String>,
}

/// The session whose transaction has been open longest.
pub(crate) async fn longest_open(session: &mut PgConnection) -> sqlx::Result<Option<Writer>> {
    sqlx::query_as(
        "select l.pid, a.application_name, current_database()::text as database, a.state,
                extract(epoch from clock_timestamp() - a.xact_start)::float8 as open_seconds,
                a.query_start, left(a.query, 100) as query
         from pg_locks l left join pg_stat_activity a on a.pid = l.pid
         where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
           and l.database = (select oid from pg_database where datname = current_database())
           and l.relation = 'outbox'::regclass
         order by a.xact_start nulls first
         limit 1",
    )
    .fetch_optional(session)
    .await
}
