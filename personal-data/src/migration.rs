//! The keys' own database: its table and functions, and the rights of those who use them.

use anyhow::Context;
use sqlx::{AssertSqlSafe, PgPool, migrate::Migrator};

/// The table and the functions.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// Roles of the database. They exist already; a role that logs in is best a member of one of these.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    /// Makes keys for persons who have none, and reads them: whoever takes texts in.
    pub keeper: &'a str,
    /// Reads keys: whoever opens texts, or seals further ones.
    pub reader: &'a str,
    /// Erases persons, reads their keys to look for what is left, and wraps keys anew: an operator.
    pub eraser: &'a str,
}

impl Default for Roles<'_> {
    fn default() -> Self {
        Roles { keeper: "personal_keeper", reader: "personal_reader", eraser: "personal_eraser" }
    }
}

/// Creates or updates the table in an empty database, as its owner, and gives each role its rights. May be repeated.
///
/// # Errors
/// If a role does not exist, or the owner may not do this.
pub async fn prepare(owner: &PgPool, roles: Roles<'_>) -> anyhow::Result<()> {
    MIGRATIONS.run(owner).await.context("migrating the database of personal keys")?;
    let (keeper, reader, eraser) = (quoted(roles.keeper), quoted(roles.reader), quoted(roles.eraser));
    let grants = format!(
        "grant usage on schema personal to {keeper}, {reader}, {eraser};
         grant execute on function personal.keys_of to {keeper}, {reader}, {eraser};
         grant execute on function personal.offer to {keeper};
         grant execute on function personal.erase, personal.replace, personal.wrapped_otherwise to {eraser};"
    );
    sqlx::raw_sql(AssertSqlSafe(grants)).execute(owner).await.context("granting rights on personal keys")?;
    Ok(())
}

fn quoted(role: &str) -> String {
    format!("\"{}\"", role.replace('"', "\"\""))
}
