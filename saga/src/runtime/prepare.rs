//! Preparations before a service consumes its first event: tables, partitions, topics.

use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use outbox::kafka::Topics;
use process::Backoff;

use crate::{
    health::Progress,
    runtime::{
        config::{Cluster, Config},
        memory::{self, Sufficiency},
        migration,
        roles::Ownership,
        topics,
        upkeep::{self, Retention},
    },
    sessions::Sessions,
    table::Table,
};

/// Bound for upkeep at the start.
const UPKEEP_WITHIN: Duration = Duration::from_secs(30);

/// Prepares everything that must exist before the first event: tables, partitions, topics. Waits for what is unavailable;
/// an error is a setting that would do harm.
pub(crate) async fn prepare<C>(
    table: &Table<C>,
    config: &Config,
    cluster: &Cluster,
    sessions: &Sessions,
    ownership: Ownership<'_>,
    progress: &Progress,
) -> anyhow::Result<()> {
    let needs = Needs { service: table.service().name(), reads: table.topics(), topics: topics(table, config) };
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
    loop {
        let preparing = prepare_once(&needs, config, cluster, sessions, ownership);
        match alive("not started: preparing", progress, preparing).await {
            Ok(memory) => return accept(needs.service, config, memory),
            Err(error) if is_harmful(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "not started yet; retrying");
                progress.waiting(format!("not started: {error:#}"));
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
}

/// What a service needs from its broker.
struct Needs {
    service: &'static str,
    /// Topics that it reads.
    reads: Vec<&'static str>,
    /// Topics that must exist.
    topics: Vec<String>,
}

fn topics<C>(table: &Table<C>, config: &Config) -> Vec<String> {
    match config.kafka.kafka_topics {
        Topics::Create => topics::needed_by(table),
        Topics::Expect => topics::used_by(table),
    }
}

/// Marks liveness during work that may take long and has a bound of its own.
async fn alive<T>(what: &str, progress: &Progress, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = work.as_mut() => return done,
            () = tokio::time::sleep(Duration::from_secs(1)) => progress.waiting(what),
        }
    }
}

/// Returns whether the error is a setting that no retry changes, such as a database that belongs to another service.
fn is_harmful(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<sqlx::Error>(), Some(sqlx::Error::Configuration(_)))
}

async fn prepare_once(
    needs: &Needs,
    config: &Config,
    cluster: &Cluster,
    sessions: &Sessions,
    ownership: Ownership<'_>,
) -> anyhow::Result<Sufficiency> {
    let pool = sessions.pool();
    let done = sessions.bounded(migration::is_done(pool, ownership.migrations)).await;
    if !done.context("querying the applied migrations")? {
        let allowed = sessions.bounded(migration::is_allowed(pool)).await.context("querying the right to migrate")?;
        anyhow::ensure!(
            allowed,
            "the database is not migrated to this version, or its roles have no rights yet, and this role may not change that: \
             run `{} --migrate-only` with DATABASE_OWNER_URL, the URL of the database for its owner",
            needs.service
        );
        let migrating = async { ownership.take(pool).await.map_err(migration::Failed::Migration) };
        sessions.bounded_by(migration::BOUND, migrating).await?;
    }
    sessions.bounded(outbox::declare(pool, needs.service)).await.context("declaring the outbox's publisher")?;
    // No need to wait: without a partition for its day, a row goes to the default partition.
    let upkeep = tokio::time::timeout(UPKEEP_WITHIN, upkeep::round(pool, Retention::from(config), Utc::now()));
    let compared = async {
        match cluster.kafka.kafka_topics {
            Topics::Create => topics::ensure(cluster, needs.service, &needs.topics).await?,
            Topics::Expect => topics::expect(cluster, needs.service, &needs.topics).await?,
        }
        memory::compare(cluster, needs.service, &needs.reads, Retention::from(config)).await
    };
    let (_, memory) = tokio::join!(upkeep, compared);
    memory
}

/// Refuses to start if redelivered events could be applied twice.
fn accept(service: &'static str, config: &Config, memory: Sufficiency) -> anyhow::Result<()> {
    let hours = config.inbox_retention_hours;
    match memory {
        Sufficiency::Long => {}
        Sufficiency::Unknown => {
            tracing::debug!(service, "the broker does not report its topics' retention; the inbox's is unchecked")
        }
        Sufficiency::NeverLong { topics } => tracing::warn!(
            service,
            topics = topics.join(" "),
            hours,
            "topics retain events for ever, but the inbox only for these hours: an event read again later would be applied twice"
        ),
        Sufficiency::ShortForReplays(why) => {
            tracing::warn!(service, why, "INBOX_RETENTION_HOURS is too short for some replays")
        }
        Sufficiency::TooShort(why) => anyhow::bail!(why),
    }
    Ok(())
}
