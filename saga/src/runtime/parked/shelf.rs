//! SQL for the table of parked events.

use std::collections::HashSet;

use sqlx::{FromRow, PgConnection, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{EventId, SagaId, record::Record, store::StoreError, table::Table};

/// Why an event is parked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Why<'a> {
    pub(crate) error: &'a str,
    /// Version of the event's schema, if a program that reads it can process the event.
    pub(crate) needs_version: Option<u32>,
}

impl Why<'_> {
    fn needs_version(&self) -> Option<i32> {
        self.needs_version.and_then(|version| i32::try_from(version).ok())
    }
}

/// Parks an event and records it in the inbox, so that the partition goes on. Returns false and does nothing if the inbox
/// already has it: another instance has processed or parked it.
pub(crate) async fn park(
    db: &mut PgConnection,
    id: EventId,
    saga_id: SagaId,
    what: &str,
    record: &Record,
    why: Why<'_>,
) -> Result<bool, StoreError> {
    let seen = sqlx::query("insert into inbox (event_id) values ($1) on conflict do nothing")
        .bind(id.0)
        .execute(&mut *db)
        .await?;
    let new = seen.rows_affected() == 1;
    if new {
        insert(db, (id, saga_id, what), record, "parked", Some(why)).await?;
    }
    Ok(new)
}

/// Queues an event behind the parked ones of its saga; its id is in the inbox already.
pub(crate) async fn queue(
    db: &mut PgConnection,
    id: EventId,
    saga_id: SagaId,
    what: &str,
    record: &Record,
) -> Result<(), StoreError> {
    insert(db, (id, saga_id, what), record, "waiting", None).await
}

async fn insert(
    db: &mut PgConnection,
    (id, saga_id, what): (EventId, SagaId, &str),
    record: &Record,
    status: &str,
    why: Option<Why<'_>>,
) -> Result<(), StoreError> {
    let (names, values): (Vec<&str>, Vec<&[u8]>) =
        record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).unzip();
    sqlx::query(
        "insert into parked_events (event_id, order_id, what, topic, partition, record_offset, record_timestamp, key, value,
                                    header_names, header_values, status, error, tries)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(id.0)
    .bind(saga_id.0)
    .bind(what)
    .bind(&record.topic)
    .bind(record.partition)
    .bind(record.offset)
    .bind(i64::try_from(record.timestamp_ms).unwrap_or(0))
    .bind(&record.key)
    .bind(&record.value)
    .bind(names)
    .bind(values)
    .bind(status)
    .bind(why.map(|why| storable(why.error)))
    // A waiting event has not been tried yet.
    .bind(i32::from(why.is_some()))
    .execute(&mut *db)
    .await?;
    if let Some(version) = why.and_then(|why| why.needs_version()) {
        let newer = "insert into parked_newer (event_id, needs_version) values ($1, $2)
                     on conflict (event_id) do update set needs_version = excluded.needs_version";
        sqlx::query(newer).bind(id.0).bind(version).execute(db).await?;
    }
    Ok(())
}

/// Replaces NUL, which Postgres cannot store in text.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Returns those of the sagas that have an unsettled event.
pub(crate) async fn waiting_sagas(db: &mut PgConnection, sagas: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
    let waiting: Vec<Uuid> = sqlx::query_scalar(
        "select distinct order_id from parked_events where order_id = any($1) and status <> 'settled'",
    )
    .bind(sagas)
    .fetch_all(db)
    .await?;
    Ok(waiting.into_iter().collect())
}

/// Settles events that are decided in this transaction; returns the ids that this transaction has settled.
pub(crate) async fn settle(db: &mut PgConnection, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
    let settled: Vec<Uuid> = sqlx::query_scalar(
        "with settled as (
             update parked_events set status = 'settled', settled_at = now(), tries = tries + 1
             where event_id in (select event_id from parked_events e where event_id = any($1)
                                and (status in ('waiting', 'retry')
                                     or status = 'parked' and event_id in (select event_id from parked_newer))
                                order by event_id for update of e)
             returning event_id),
         gone as (delete from parked_newer where event_id in (select event_id from settled))
         select event_id from settled",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    Ok(settled.into_iter().collect())
}

/// Parks an event again after another failed try.
pub(crate) async fn park_again(db: &mut PgConnection, id: EventId, why: Why<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "with again as (
             update parked_events set status = 'parked', tries = tries + 1, error = $2, parked_at = now()
             where event_id = $1
               and (status in ('waiting', 'retry') or status = 'parked' and event_id in (select event_id from parked_newer))
             returning event_id),
         gone as (delete from parked_newer where $3::int is null and event_id in (select event_id from again))
         insert into parked_newer (event_id, needs_version) select event_id, $3 from again where $3::int is not null
         on conflict (event_id) do update set needs_version = excluded.needs_version",
    )
    .bind(id.0)
    .bind(storable(why.error))
    .bind(why.needs_version())
    .execute(db)
    .await?;
    Ok(())
}

/// A parked event to retry.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) id: EventId,
    pub(super) record: Record,
}

/// The latest version that a program reads of each event: topics, wire names and versions, in parallel.
#[derive(Debug)]
pub(super) struct Versions(Vec<&'static str>, Vec<&'static str>, Vec<i32>);

impl Versions {
    pub(super) fn of<C>(table: &Table<C>) -> Self {
        let mut all = Versions(Vec::new(), Vec::new(), Vec::new());
        for (topic, event_type, version) in table.versions() {
            all.0.push(topic);
            all.1.push(event_type);
            all.2.push(i32::try_from(version).unwrap_or(i32::MAX));
        }
        all
    }
}

/// For each saga the first unsettled event, unless it needs an operator or a newer program than this one.
pub(super) async fn due(pool: &PgPool, versions: &Versions, limit: i64) -> sqlx::Result<Vec<Due>> {
    let Versions(topics, types, versions) = versions;
    let rows: Vec<PgRow> = sqlx::query(
        "select event_id, topic, partition, record_offset, record_timestamp, key, value, header_names, header_values
         from parked_events e
         where (status in ('waiting', 'retry')
                or status = 'parked'
                   and exists (select from parked_newer n, unnest($2::text[], $3::text[], $4::int[]) r (topic, what, version)
                               where n.event_id = e.event_id and n.needs_version <= r.version
                                 and r.topic = e.topic and r.what = e.what))
            and not exists (select from parked_events f
                            where f.order_id = e.order_id and f.seq < e.seq and f.status <> 'settled')
         order by seq limit $1",
    )
    .bind(limit)
    .bind(topics)
    .bind(types)
    .bind(versions)
    .fetch_all(pool)
    .await?;
    rows.iter().map(|row| Ok(Due { id: EventId(row.try_get("event_id")?), record: record(row)? })).collect()
}

/// The record as it was read from Kafka.
pub(super) fn record(row: &PgRow) -> sqlx::Result<Record> {
    let names: Vec<String> = row.try_get("header_names")?;
    let values: Vec<Vec<u8>> = row.try_get("header_values")?;
    Ok(Record {
        topic: row.try_get("topic")?,
        partition: row.try_get("partition")?,
        offset: row.try_get("record_offset")?,
        timestamp_ms: u64::try_from(row.try_get::<i64, _>("record_timestamp")?).unwrap_or(0),
        key: row.try_get("key")?,
        value: row.try_get("value")?,
        headers: names.into_iter().zip(values).collect(),
    })
}

/// Numbers of parked and waiting events, and of parked calls.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct Waiting {
    pub(super) events: i64,
    pub(super) attempts: i64,
}

pub(super) async fn waiting(pool: &PgPool) -> sqlx::Result<Waiting> {
    sqlx::query_as(
        "select (select count(*) from parked_events where status <> 'settled') as events,
                (select count(*) from attempts where status = 'parked') as attempts",
    )
    .fetch_one(pool)
    .await
}
