//! Upkeep: creates partitions for the days to come and removes what is past its retention.
//!
//! Every step is a small transaction. A failed step is logged and retried a minute later; the other steps go on, and so
//! does the service. Rows without a partition for their day go to the default partition and are moved when the partition
//! is created.

mod clocks;
mod partitions;
mod removal;
mod step;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use sqlx::PgPool;

use crate::{runtime::config::Config, shutdown::Shutdown};
use clocks::Clocks;
use step::Steps;

const PERIOD: Duration = Duration::from_secs(3600);
const PERIOD_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Retention of rows.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Hours for which the inbox remembers an event.
    pub inbox_hours: u32,
    /// Hours for which a published event stays in the outbox.
    pub outbox_hours: u32,
}

impl From<&Config> for Retention {
    fn from(config: &Config) -> Self {
        Retention { inbox_hours: config.inbox_retention_hours, outbox_hours: config.outbox_retention_hours }
    }
}

/// Runs upkeep now and every hour, until shutdown.
pub(crate) async fn run(pool: PgPool, retention: Retention, shutdown: Shutdown) {
    loop {
        let failed = tokio::select! {
            failed = round(&pool, retention, Utc::now()) => failed,
            () = shutdown.requested() => return,
        };
        let again = if failed.is_empty() { PERIOD } else { PERIOD_AFTER_FAILURE };
        if !shutdown.sleep(again).await {
            return;
        }
    }
}

/// Runs one round of all steps; returns the names of those that failed. `host_now` is this machine's clock: rows and ids
/// are dated by it or by the database's, and only what is old by both is removed.
pub async fn round(pool: &PgPool, retention: Retention, host_now: DateTime<Utc>) -> Vec<String> {
    let mut steps = Steps::new(pool);
    let Some(database_now) = steps.query("reading the database's clock", clocks::database).await else {
        return steps.failed();
    };
    let clocks = Clocks { database: database_now, host: host_now };
    clocks.observe();
    partitions::make(&mut steps, clocks).await;
    partitions::drop_past(&mut steps, clocks, retention).await;
    removal::remove(&mut steps, clocks, retention).await;
    partitions::observe(&mut steps).await;
    steps.run("refusing rows of other publishers", |db| outbox::refuse_others(db).boxed()).await;
    let failed = steps.failed();
    if failed.is_empty() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics::gauge!("upkeep_last_success_timestamp_seconds").set(now.as_secs_f64());
    } else {
        tracing::warn!(failed = failed.join(", "), "some steps of the upkeep failed; retrying in a minute");
    }
    failed
}
