//! Measures how fast the relay drains a backlog.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use events::publisher;
use operations::listener::{Since, assigned};
use sqlx::PgPool;
use testbed::Database;

use super::{Backlog, process::RelayProcess};
use crate::{bench::ground::Ground, processes::Processes};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const DRAINED_WITHIN: Duration = Duration::from_secs(300);

/// State before the relay starts.
pub(super) struct Before {
    accounts: PgPool,
    cursor: i64,
    rows: i64,
    records: i64,
}

impl Before {
    pub(super) async fn look(ground: &Ground) -> anyhow::Result<Self> {
        let accounts = ground.pool(Database::ACCOUNTS, 1)?;
        let cursor = cursor(&accounts).await?;
        let rows =
            sqlx::query_scalar("select count(*) from outbox where seq > $1").bind(cursor).fetch_one(&accounts).await?;
        Ok(Before { accounts, cursor, rows, records: records(ground).await? })
    }

    /// Waits until the whole backlog is on the broker. The rate is measured from the first published record to the last: starting
    /// a program is not draining.
    pub(super) async fn drain(self, ground: &Ground, relay: &RelayProcess) -> anyhow::Result<Backlog> {
        let last: i64 =
            sqlx::query_scalar("select coalesce(max(seq), 0) from outbox").fetch_one(&self.accounts).await?;
        let spawned = Instant::now();
        let meter = Processes::named([("relay", relay.pid()?)]).meter();
        let mut first = None;
        let (rows, time) = loop {
            let now = cursor(&self.accounts).await?;
            let at = Instant::now();
            if now > self.cursor {
                let (since, from) = *first.get_or_insert((at, now));
                if now >= last {
                    break (last - from, at - since);
                }
            }
            ensure!(spawned.elapsed() < DRAINED_WITHIN, "not drained within {} s", DRAINED_WITHIN.as_secs());
            tokio::time::sleep(LOOK_EVERY).await;
        };
        let usage = meter.read().into_iter().next().context("the relay has ended")?;
        self.accounts.close().await;
        let published = records(ground).await? - self.records;
        ensure!(published == self.rows, "{published} records were published of {} rows", self.rows);
        // For a backlog so small that the first poll saw its end, no meaningful rate can be given.
        let rows_per_second = if time.is_zero() { 0.0 } else { rows as f64 / time.as_secs_f64() };
        Ok(Backlog {
            rows: self.rows.unsigned_abs(),
            rows_per_second,
            cpu_microseconds: usage.cpu_seconds * 1e6 / self.rows.max(1) as f64,
            peak_mib: usage.peak_mib,
        })
    }
}

async fn cursor(accounts: &PgPool) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("select last_seq from relay_cursor").fetch_one(accounts).await?)
}

/// Number of records in the topic.
async fn records(ground: &Ground) -> anyhow::Result<i64> {
    let brokers = ground.kafka();
    let count =
        move || anyhow::Ok(assigned(&brokers, &[publisher::ACCOUNT.topic().to_owned()], Since::Now)?.1.values().sum());
    tokio::task::spawn_blocking(count).await?
}
