//! Migrations of a service's database.

use std::time::Duration;

use anyhow::Context;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    migrate::{MigrateError, Migration, Migrator},
};

/// Inbox, attempts, parked work. The outbox has migrations of its own.
static OWN: Migrator = sqlx::migrate!("./migrations");
/// Migrations of earlier versions, numbered from 1. They create the same tables as the outbox's and ours.
static FORMER: Migrator = sqlx::migrate!("./migrations/former");

/// Migrations whose tables the former ones create as well. Later ones have work to do in a database of an earlier
/// version, too.
const MADE_BY_FORMER: [i64; 4] = [101, 201, 202, 203];

/// Bound for all pending migrations together: some build an index over years of rows.
pub(crate) const BOUND: Duration = Duration::from_secs(3600);

/// Reason why a database is not up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("{0:#}")]
    Migration(anyhow::Error),
}

/// Applies the outbox's and this crate's migrations (versions below 1000), then the service's own, without session
/// timeouts. A database of an earlier version keeps its tables and is brought up to date.
///
/// # Errors
/// If a migration fails, or differs from the applied one.
pub async fn migrate(pool: &PgPool, migrations: &Migrator) -> anyhow::Result<()> {
    // Detached from the pool: the settings made here must not reach other users of the connection.
    let mut db = pool.acquire().await.context("connecting to migrate")?.detach();
    without_timeouts(&mut db).await.context("preparing to migrate")?;
    if is_of_an_earlier_version(&mut db).await.context("querying the applied migrations")? {
        run(&mut db, &FORMER).await.context("migrating the tables of an earlier version")?;
        let all = outbox::MIGRATIONS.iter().chain(OWN.iter());
        let made: Vec<&Migration> = all.filter(|migration| MADE_BY_FORMER.contains(&migration.version)).collect();
        note(&mut db, &made).await.context("recording that the tables of an earlier version are up to date")?;
    }
    run(&mut db, &outbox::MIGRATIONS).await.context("migrating the outbox")?;
    run(&mut db, &OWN).await.context("migrating the inbox and the other tables of the library")?;
    // A program of an earlier version, which may run beside this one or be rolled back to, then finds its migrations
    // done.
    let former: Vec<&Migration> = FORMER.iter().collect();
    note(&mut db, &former).await.context("recording the migrations of earlier versions")?;
    run(&mut db, migrations).await.context("migrating the service's tables")
}

/// Returns whether every migration has been applied unchanged: the usual case, which needs no lock.
pub(crate) async fn is_done(pool: &PgPool, migrations: &Migrator) -> sqlx::Result<bool> {
    let applied = Applied::load(&mut *pool.acquire().await?).await?;
    let all = outbox::MIGRATIONS.iter().chain(OWN.iter()).chain(migrations.iter());
    Ok(all.filter(|wanted| !wanted.migration_type.is_down_migration()).all(|wanted| applied.has(wanted)))
}

/// Returns whether the current role may create tables.
pub(crate) async fn is_allowed(pool: &PgPool) -> sqlx::Result<bool> {
    let allowed = "select coalesce(has_schema_privilege(current_schema(), 'create'), false)";
    sqlx::query_scalar(allowed).fetch_one(pool).await
}

const UNDEFINED_TABLE: &str = "42P01";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

fn has_code<T>(result: &sqlx::Result<T>, code: &str) -> bool {
    matches!(result, Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(code))
}

/// Versions and checksums of the applied migrations.
struct Applied(Vec<(i64, Vec<u8>)>);

impl Applied {
    async fn load(db: &mut PgConnection) -> sqlx::Result<Self> {
        const APPLIED: &str = "select version, checksum from _sqlx_migrations where success";
        // What a role that is not the owner may see.
        const GRANTED: &str = "select version, checksum from granted_migrations";
        let mut applied = sqlx::query_as(APPLIED).fetch_all(&mut *db).await;
        if has_code(&applied, INSUFFICIENT_PRIVILEGE) {
            applied = sqlx::query_as(GRANTED).fetch_all(db).await;
        }
        // Nothing has ever been applied, or no rights have been granted.
        if has_code(&applied, UNDEFINED_TABLE) || has_code(&applied, INSUFFICIENT_PRIVILEGE) {
            return Ok(Applied(Vec::new()));
        }
        applied.map(Applied)
    }

    /// Returns whether this migration has been applied; another one may have the same version.
    fn has(&self, migration: &Migration) -> bool {
        self.0.iter().any(|(version, checksum)| *version == migration.version && **checksum == *migration.checksum)
    }
}

/// Returns whether the tables were created by an earlier version and have not been taken over yet.
async fn is_of_an_earlier_version(db: &mut PgConnection) -> sqlx::Result<bool> {
    let applied = Applied::load(db).await?;
    Ok(FORMER.iter().any(|former| applied.has(former)) && !OWN.iter().any(|own| applied.has(own)))
}

/// Records migrations as applied whose work is done. All of them or none, because replicas start at the same time.
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
    // Libraries and service share one table of versions, so each finds versions there that are not its own.
    let mut migrator = Migrator { migrations: migrations.migrations.clone(), ..Migrator::DEFAULT };
    migrator.set_ignore_missing(true).run_direct(None, db, false).await
}

/// Asks the server for its settings, because each version knows only its own.
async fn without_timeouts(db: &mut PgConnection) -> sqlx::Result<()> {
    let names = "'statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout'";
    let reset = format!("select set_config(name, '0', false) from pg_settings where name in ({names})");
    sqlx::query(AssertSqlSafe(reset)).execute(db).await.map(drop)
}
