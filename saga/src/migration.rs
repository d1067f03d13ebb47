//! Bringing a service's database up to date.

use std::time::Duration;

use anyhow::Context;
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
};

static OWN: Migrator = sqlx::migrate!("./migrations");

/// Bound for all pending migrations together: some build an index over years of rows.
pub(crate) const BOUND: Duration = Duration::from_secs(3600);

/// Why a database is not up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("{0:#}")]
    Migration(anyhow::Error),
}

/// Applies this crate's migrations first (versions below 1000), then the service's own, without the time-outs that sessions have.
///
/// # Errors
/// If one fails, or differs from what was applied.
pub async fn migrate(pool: &PgPool, migrations: &Migrator) -> anyhow::Result<()> {
    // Not given back: what is set here would hold for whoever takes it next.
    let mut db = pool.acquire().await.context("connecting to migrate")?.detach();
    without_timeouts(&mut db).await.context("preparing to migrate")?;
    run(&mut db, &OWN).await.context("migrating the inbox, the outbox and what belongs to them")?;
    run(&mut db, migrations).await.context("migrating the service's tables")
}

/// Tells whether every migration has been applied as it is here: the usual case, which need not wait for a lock.
pub(crate) async fn is_done(pool: &PgPool, migrations: &Migrator) -> sqlx::Result<bool> {
    let applied: Vec<(i64, Vec<u8>)> =
        match sqlx::query_as("select version, checksum from _sqlx_migrations where success").fetch_all(pool).await {
            Ok(applied) => applied,
            // No such table: nothing has ever been applied.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => return Ok(false),
            Err(error) => return Err(error),
        };
    let is_applied = |wanted: &sqlx::migrate::Migration| {
        applied.iter().any(|(version, checksum)| *version == wanted.version && **checksum == *wanted.checksum)
    };
    Ok(OWN.iter().chain(migrations.iter()).filter(|wanted| !wanted.migration_type.is_down_migration()).all(is_applied))
}

async fn run(db: &mut PgConnection, migrations: &Migrator) -> Result<(), MigrateError> {
    // Both keep their versions in one table, so each finds versions there that are not its own.
    let mut migrator = Migrator { migrations: migrations.migrations.clone(), ..Migrator::DEFAULT };
    migrator.set_ignore_missing(true).run_direct(None, db, false).await
}

/// A server knows the settings of its own version only.
async fn without_timeouts(db: &mut PgConnection) -> sqlx::Result<()> {
    let names = "'statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout'";
    let reset = format!("select set_config(name, '0', false) from pg_settings where name in ({names})");
    sqlx::query(AssertSqlSafe(reset)).execute(db).await.map(drop)
}
