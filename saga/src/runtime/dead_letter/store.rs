//! SQL for the table of dead letters waiting to be published.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row, postgres::PgRow};

use super::letter::{Digest, Letter};
use crate::{record::Record, store::StoreError};

/// Writes all letters in one statement. If `whole` is false, stores size and hash in place of the values.
pub(super) async fn write(db: &mut PgConnection, letters: &[Letter], whole: bool) -> Result<(), StoreError> {
    let records = || letters.iter().map(|letter| &letter.record);
    let digests: Vec<Option<Digest>> = letters
        .iter()
        .map(|Letter { record, lost, .. }| {
            let dropped = record.value.as_deref().filter(|_| !whole);
            lost.clone().or_else(|| dropped.map(Digest::of))
        })
        .collect();
    // Headers of all letters, concatenated, and for each letter the positions of its first and last, from 1.
    let (mut names, mut values) = (Vec::<&str>::new(), Vec::<&[u8]>::new());
    let (mut first, mut last) = (Vec::<i32>::new(), Vec::<i32>::new());
    for record in records() {
        first.push(place(names.len() + 1));
        for (name, value) in record.headers.iter().filter(|(name, _)| !name.contains('\0')) {
            names.push(name);
            values.push(value);
        }
        last.push(place(names.len()));
    }
    sqlx::query(
        "insert into dead_letters (topic, partition, record_offset, record_timestamp, key, value, value_bytes, value_sha256,
                                   header_names, header_values, class, why)
         select topic, partition, record_offset, record_timestamp, key, value, value_bytes, value_sha256,
                ($13::text[])[first : last], ($14::bytea[])[first : last], class, why
         from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bytea[],
                     $9::text[], $10::text[], $11::int[], $12::int[]) with ordinality
              l (topic, partition, record_offset, record_timestamp, key, value, value_bytes, value_sha256, class, why,
                 first, last, place)
         order by place",
    )
    .bind(records().map(|record| record.topic.as_str()).collect::<Vec<_>>())
    .bind(records().map(|record| record.partition).collect::<Vec<_>>())
    .bind(records().map(|record| record.offset).collect::<Vec<_>>())
    .bind(records().map(|record| i64::try_from(record.timestamp_ms).unwrap_or(0)).collect::<Vec<_>>())
    .bind(records().map(|record| record.key.as_deref()).collect::<Vec<_>>())
    .bind(records().map(|record| record.value.as_deref().filter(|_| whole)).collect::<Vec<_>>())
    .bind(digests.iter().map(|digest| digest.as_ref().map(|digest| digest.bytes)).collect::<Vec<_>>())
    .bind(digests.iter().map(|digest| digest.as_ref().map(|digest| digest.sha256.as_slice())).collect::<Vec<_>>())
    .bind(letters.iter().map(|letter| letter.class.as_str()).collect::<Vec<_>>())
    // Postgres cannot store NUL in text.
    .bind(letters.iter().map(|letter| letter.why.replace('\0', "\u{fffd}")).collect::<Vec<_>>())
    .bind(first)
    .bind(last)
    .bind(names)
    .bind(values)
    .execute(db)
    .await?;
    Ok(())
}

fn place(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A letter to publish.
pub(super) struct Due {
    pub(super) id: i64,
    /// Number of tries, including this one.
    pub(super) tries: i32,
    pub(super) letter: Letter,
}

/// Claims due letters for `lease`; they are due again when it expires.
pub(super) async fn claim(pool: &PgPool, limit: i64, lease: Duration) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query(
        "update dead_letters set tries = tries + 1, next_at = now() + make_interval(secs => $2)
         where id in (select id from dead_letters where next_at <= now() order by next_at, id limit $1 for update skip locked)
         returning *",
    )
    .bind(limit)
    .bind(lease.as_secs_f64())
    .fetch_all(pool)
    .await?;
    rows.iter().map(due).collect()
}

fn due(row: &PgRow) -> sqlx::Result<Due> {
    let (names, values): (Vec<String>, Vec<Vec<u8>>) = (row.try_get("header_names")?, row.try_get("header_values")?);
    let lost = match (row.try_get("value_bytes")?, row.try_get("value_sha256")?) {
        (Some(bytes), Some(sha256)) => Some(Digest { bytes, sha256 }),
        _ => None,
    };
    let record = Record {
        topic: row.try_get("topic")?,
        partition: row.try_get("partition")?,
        offset: row.try_get("record_offset")?,
        timestamp_ms: u64::try_from(row.try_get::<i64, _>("record_timestamp")?).unwrap_or(0),
        key: row.try_get("key")?,
        value: row.try_get("value")?,
        headers: names.into_iter().zip(values).collect(),
    };
    let letter = Letter { record, lost, class: row.try_get("class")?, why: row.try_get("why")? };
    Ok(Due { id: row.try_get("id")?, tries: row.try_get("tries")?, letter })
}

/// Deletes letters that the broker has acknowledged.
pub(super) async fn delete(pool: &PgPool, ids: &[i64]) -> sqlx::Result<()> {
    sqlx::query("delete from dead_letters where id = any($1)").bind(ids).execute(pool).await.map(drop)
}

/// Postpones a letter by `delay`.
pub(super) async fn postpone(pool: &PgPool, id: i64, delay: Duration, error: &str) -> sqlx::Result<()> {
    sqlx::query("update dead_letters set next_at = now() + make_interval(secs => $2), error = $3 where id = $1")
        .bind(id)
        .bind(delay.as_secs_f64())
        .bind(error)
        .execute(pool)
        .await
        .map(drop)
}

/// Counts the waiting letters and the bytes of their values.
pub(super) async fn waiting(pool: &PgPool) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as("select count(*), coalesce(sum(octet_length(value)), 0)::bigint from dead_letters")
        .fetch_one(pool)
        .await
}
