//! Keeping time: partitions for the days to come, and whole partitions dropped when they are past keeping.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::{config::Config, shutdown::Shutdown};

const EVERY: Duration = Duration::from_secs(3600);

/// How long rows are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub inbox_hours: u32,
    pub outbox_hours: u32,
}

impl From<&Config> for Retention {
    fn from(config: &Config) -> Self {
        Retention { inbox_hours: config.inbox_retention_hours, outbox_hours: config.outbox_retention_hours }
    }
}

/// Looks after the partitions, now and every hour, until shutdown.
pub(crate) async fn run(pool: PgPool, retention: Retention, shutdown: Shutdown) {
    loop {
        if let Err(error) = keep(&pool, retention).await {
            tracing::warn!(%error, "partitions not looked after; trying again in an hour");
        }
        if !shutdown.sleep(EVERY).await {
            return;
        }
    }
}

/// One round: makes the partitions of today and the next two days, and drops those that nobody needs any more. An outbox
/// partition goes only when the relay has published all of it.
pub async fn keep(pool: &PgPool, retention: Retention) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    // Never make others wait for long: partitions can wait.
    sqlx::query("set local lock_timeout = '2s'").execute(&mut *transaction).await?;
    // One instance at a time.
    sqlx::query("select pg_advisory_xact_lock(hashtext('saga partitions'))").execute(&mut *transaction).await?;
    sqlx::query(
        "select ensure_day_partition(parent, (now() at time zone 'utc')::date + ahead)
         from unnest(array['inbox', 'outbox']) parent, generate_series(0, 2) ahead",
    )
    .execute(&mut *transaction)
    .await?;
    for partition in past(&mut transaction, "inbox", retention.inbox_hours).await? {
        drop_partition(&mut transaction, &partition).await?;
    }
    for partition in past(&mut transaction, "outbox", retention.outbox_hours).await? {
        let unpublished: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "select exists (select from {partition} where seq > (select last_seq from relay_cursor))"
        )))
        .fetch_one(&mut *transaction)
        .await?;
        if !unpublished {
            drop_partition(&mut transaction, &partition).await?;
        }
    }
    // Ids that are no UUIDv7 of our days lie in the default partition and go by their date of arrival.
    sqlx::query("delete from inbox_default where received_at < now() - make_interval(hours => $1)")
        .bind(i32::try_from(retention.inbox_hours).unwrap_or(i32::MAX))
        .execute(&mut *transaction)
        .await?;
    // What was parked and is settled: what people did about it stays in `parked_actions`.
    sqlx::query(
        "delete from parked_events where status = 'settled' and settled_at < now() - make_interval(hours => $1)",
    )
    .bind(i32::try_from(retention.inbox_hours).unwrap_or(i32::MAX))
    .execute(&mut *transaction)
    .await?;
    // A call that has ended is needed for as long as the event that asked for it could come again.
    sqlx::query(
        "delete from attempts where status in ('done', 'resolved') and updated_at < now() - make_interval(hours => $1)",
    )
    .bind(i32::try_from(retention.inbox_hours).unwrap_or(i32::MAX))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Day partitions of `parent` that ended more than `hours` ago. Their names are our own: `inbox_20260102`.
async fn past(db: &mut PgConnection, parent: &'static str, hours: u32) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = $1::regclass and c.relname ~ ('^' || $1 || '_[0-9]{8}$')
           and to_date(right(c.relname, 8), 'YYYYMMDD') + 1 < (now() at time zone 'utc') - make_interval(hours => $2)
         order by 1",
    )
    .bind(parent)
    .bind(i32::try_from(hours).unwrap_or(i32::MAX))
    .fetch_all(db)
    .await
}

async fn drop_partition(db: &mut PgConnection, partition: &str) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(format!("drop table {partition}"))).execute(db).await?;
    tracing::info!(partition, "past keeping: dropped");
    Ok(())
}
