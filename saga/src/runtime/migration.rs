//! Bringing a service's database up to date.

use std::time::Duration;

use anyhow::Context;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    migrate::{MigrateError, Migration, Migrator},
};

/// Inbox, attempts, parked work; the outbox has migrations of its own.
static OWN: Migrator = sqlx::migrate!("./migrations");
/// Those of earlier versions, whose databases have versions from 1 on. They make the same tables as the outbox's and ours.
static FORMER: Migrator = sqlx::migrate!("./migrations/former");

/// What the former migrations make as well; later ones have work to do in a database of an earlier version, too.
const MADE_BY_FORMER: [i64; 4] = [101, 201, 202, 203];

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

/// Applies the outbox's migrations and this crate's first (versions below 1000), then the service's own, without the time-outs
/// that sessions have. A database of an earlier version keeps its tables, and is only brought up to date.
///
/// # Errors
/// If one fails, or differs from what was applied.
pub async fn migrate(pool: &PgPool, migrations: &Migrator) -> anyhow::Result<()> {
    // Not given back: what is set here would hold for whoever takes it next.
    let mut db = pool.acquire().await.context("connecting to migrate")?.detach();
    without_timeouts(&mut db).await.context("preparing to migrate")?;
    if is_of_an_earlier_version(&mut db).await.context("looking for migrations")? {
        run(&mut db, &FORMER).await.context("migrating the tables of an earlier version")?;
        let all = outbox::MIGRATIONS.iter().chain(OWN.iter());
        let made: Vec<&Migration> = all.filter(|migration| MADE_BY_FORMER.contains(&migration.version)).collect();
        note(&mut db, &made).await.context("noting that the tables of an earlier version are up to date")?;
    }
    run(&mut db, &outbox::MIGRATIONS).await.context("migrating the outbox")?;
    run(&mut db, &OWN).await.context("migrating the inbox and what belongs to it")?;
    // So that a program of an earlier version finds done what it would do: it may run beside this one, or come back.
    let former: Vec<&Migration> = FORMER.iter().collect();
    note(&mut db, &former).await.context("noting the migrations of earlier versions")?;
    run(&mut db, migrations).await.context("migrating the service's tables")
}

/// Tells whether every migration has been applied as it is here: the usual case, which need not wait for a lock.
pub(crate) async fn is_done(pool: &PgPool, migrations: &Migrator) -> sqlx::Result<bool> {
    let applied = Applied::load(&mut *pool.acquire().await?).await?;
    let all = outbox::MIGRATIONS.iter().chain(OWN.iter()).chain(migrations.iter());
    Ok(all.filter(|wanted| !wanted.migration_type.is_down_migration()).all(|wanted| applied.has(wanted)))
}

/// Versions and checksums of all that has been applied to a database.
struct Applied(Vec<(i64, Vec<u8>)>);

impl Applied {
    async fn load(db: &mut PgConnection) -> sqlx::Result<Self> {
        match sqlx::query_as("select version, checksum from _sqlx_migrations where success").fetch_all(db).await {
            // No such table: nothing has ever been applied.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(Applied(Vec::new())),
            applied => applied.map(Applied),
        }
    }

    /// Tells whether this very migration is among them: somebody else's may have the same version.
    fn has(&self, migration: &Migration) -> bool {
        self.0.iter().any(|(version, checksum)| *version == migration.version && **checksum == *migration.checksum)
    }
}

/// Tells whether the tables were made by an earlier version, and have not been taken over yet.
async fn is_of_an_earlier_version(db: &mut PgConnection) -> sqlx::Result<bool> {
    let applied = Applied::load(db).await?;
    Ok(FORMER.iter().any(|former| applied.has(former)) && !OWN.iter().any(|own| applied.has(own)))
}

/// Notes migrations as applied whose work is done. All of them or none: replicas start at the same time.
async fn note(db: &mut PgConnection, migrations: &[&Migration]) -> sqlx::Result<()> {
    let mut transaction = db.begin().await?;
    for migration in migrations {
        sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values ($1, $2, true, $3, 0) on conflict (version) do nothing",
        )
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
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
