//! A single step: a short transaction that blocks nobody for long, and whose failure affects nothing else.

use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::{Acquire, PgConnection, PgPool};

/// Lock timeout in milliseconds. While the step waits, all others queue up behind it.
const LOCK_TIMEOUT_MS: u32 = 250;
const STATEMENT_TIMEOUT_MS: u32 = 60_000;
/// Time after which the connection is taken for dead.
const TIMEOUT: Duration = Duration::from_secs(90);
/// Number of tries: the holder of a lock may be done a moment later.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// The steps of a round.
pub(super) struct Steps<'a> {
    pool: &'a PgPool,
    failed: Vec<String>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(pool: &'a PgPool) -> Self {
        Steps { pool, failed: Vec::new() }
    }

    /// Names of the steps that failed.
    pub(super) fn failed(self) -> Vec<String> {
        self.failed
    }

    /// Runs a step that changes something. `None` if it failed, or if another instance is doing upkeep on this database.
    pub(super) async fn run<T: Send>(&mut self, what: impl Into<String>, work: impl Work<T>) -> Option<T> {
        let what = what.into();
        self.attempt(what, true, work).await
    }

    /// Runs a step that changes nothing.
    pub(super) async fn query<T: Send>(&mut self, what: impl Into<String>, work: impl Work<T>) -> Option<T> {
        let what = what.into();
        self.attempt(what, false, work).await
    }

    async fn attempt<T: Send>(&mut self, what: String, alone: bool, work: impl Work<T>) -> Option<T> {
        let mut tries = 0;
        let error = loop {
            tries += 1;
            match in_transaction(self.pool, alone, &work).await {
                Ok(done) => return done,
                Err(error) if tries < TRIES && is_lock_timeout(&error) => tokio::time::sleep(PAUSE).await,
                Err(error) => break error,
            }
        };
        tracing::warn!(step = what, %error, "a step of the upkeep failed; continuing with the others");
        metrics::counter!("upkeep_failures_total").increment(1);
        self.failed.push(what);
        None
    }
}

/// Work of a step, within its transaction.
pub(super) trait Work<T>: Fn(&mut PgConnection) -> BoxFuture<'_, sqlx::Result<T>> + Send + Sync {}
impl<T, F: Fn(&mut PgConnection) -> BoxFuture<'_, sqlx::Result<T>> + Send + Sync> Work<T> for F {}

/// `None` if another instance is doing upkeep.
async fn in_transaction<T: Send>(pool: &PgPool, alone: bool, work: &impl Work<T>) -> sqlx::Result<Option<T>> {
    let mut connection = pool.acquire().await?;
    let whole = async {
        let mut transaction = connection.begin().await?;
        // Servers before version 17 lack this setting; the step as a whole is bounded here.
        let whole = "(select set_config(name, '0', true) from pg_settings where name = 'transaction_timeout')";
        let bounds = "set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)";
        sqlx::query(sqlx::AssertSqlSafe(format!("select {bounds}, {whole}")))
            .bind(LOCK_TIMEOUT_MS.to_string())
            .bind(STATEMENT_TIMEOUT_MS.to_string())
            .execute(&mut *transaction)
            .await?;
        if alone {
            let granted: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtext('saga partitions'))")
                .fetch_one(&mut *transaction)
                .await?;
            if !granted {
                return Ok(None);
            }
        }
        let done = work(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Some(done))
    };
    match tokio::time::timeout(TIMEOUT, whole).await {
        Ok(done) => done,
        Err(_) => {
            // The connection does not answer, so it does not go back to the pool.
            drop(connection.detach());
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from the database")))
        }
    }
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| ["55P03", "40P01"].contains(&&*code))
}
