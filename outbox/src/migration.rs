//! The outbox's tables.

use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
};

/// The migrations that make the outbox's tables; their versions lie between 101 and 199.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Applies them, beside whatever other migrations the database has.
///
/// sqlx keeps the versions of all migrations of a database in one table. A migrator of your own that runs in the same database
/// finds these there: have it `set_ignore_missing(true)`, and leave versions 1 to 999 to the libraries.
///
/// # Errors
/// If one fails, or differs from what was applied.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut migrator = Migrator { migrations: MIGRATIONS.migrations.clone(), ..Migrator::DEFAULT };
    migrator.set_ignore_missing(true).run(pool).await
}
