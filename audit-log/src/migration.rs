//! The log's own database: its tables and function, and the rights of those who use it.

use anyhow::Context;
use sqlx::{AssertSqlSafe, PgPool, migrate::Migrator};

/// The log's tables and function.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// Roles of the log. They exist already; a role that logs in is best a member of one of these.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    /// Appends entries, and can do nothing else.
    pub writer: &'a str,
    /// Reads entries.
    pub reader: &'a str,
}

impl Default for Roles<'_> {
    fn default() -> Self {
        Roles { writer: "audit_writer", reader: "audit_reader" }
    }
}

/// Creates or updates the log in an empty database, as its owner, and gives each role its rights. May be repeated.
///
/// # Errors
/// If a role does not exist, or the owner may not do this.
pub async fn prepare(owner: &PgPool, roles: Roles<'_>) -> anyhow::Result<()> {
    let mut session = owner.acquire().await.context("connecting as the owner of the audit log")?;
    // An owner of the same name as the schema looks for the table of migrations there once it exists, and would begin again.
    sqlx::query("set search_path to public").execute(&mut *session).await.context("choosing the schema")?;
    MIGRATIONS.run(&mut *session).await.context("migrating the audit log's database")?;
    let (writer, reader) = (quoted(roles.writer), quoted(roles.reader));
    let grants = format!(
        "grant usage on schema audit to {writer}, {reader};
         grant execute on function audit.append, audit.head_due, audit.head, audit.head_published to {writer};
         grant select on audit.entries, audit.chain, audit.publication to {reader};"
    );
    sqlx::raw_sql(AssertSqlSafe(grants)).execute(&mut *session).await.context("granting rights on the audit log")?;
    sqlx::query("reset search_path").execute(&mut *session).await.context("leaving the session as it was")?;
    Ok(())
}

fn quoted(role: &str) -> String {
    format!("\"{}\"", role.replace('"', "\"\""))
}
