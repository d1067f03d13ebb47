//! Migrations of the outbox's tables.

use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
};

/// Migrations that create the outbox's tables; their versions lie between 101 and 199.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Applies [`MIGRATIONS`], independently of any other migrations in the database.
///
/// sqlx records the versions of all migrations of a database in one table, so a migrator of your own finds these there:
/// call `set_ignore_missing(true)` on it, and leave versions 1 to 999 to the libraries.
///
/// # Errors
/// If a migration fails, or differs from the applied one.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut migrator = Migrator { migrations: MIGRATIONS.migrations.clone(), ..Migrator::DEFAULT };
    migrator.set_ignore_missing(true).run(pool).await
}
