//! The outbox's tables.

use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
};

/// The migrations that make the outbox's tables; their versions lie between 101 and 199.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Applies them, beside whatever other migrations the database has.
///
/// # Errors
/// If one fails, or differs from what was applied.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut migrator = Migrator { migrations: MIGRATIONS.migrations.clone(), ..Migrator::DEFAULT };
    migrator.set_ignore_missing(true).run(pool).await
}
