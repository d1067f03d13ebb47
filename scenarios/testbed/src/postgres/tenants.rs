//! One role and one database for each service, closed to all others.

use std::collections::BTreeMap;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use super::{super::Database, password, url};

const WITHOUT_LARGE_OBJECTS: &str =
    "revoke execute on function lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea),
    lo_put(oid, bigint, bytea), lo_open(oid, int), lowrite(int, bytea) from public";

/// Creates them all; returns the URL of each for its role.
pub(super) async fn create(
    options: PgConnectOptions,
    databases: impl IntoIterator<Item = Database>,
) -> anyhow::Result<BTreeMap<Database, SecretString>> {
    without_large_objects(options.clone().database("template1")).await.context("preparing template1")?;
    let mut connection = PgConnection::connect_with(&options).await.context("logging in as superuser")?;
    connection.execute("revoke connect on database postgres from public").await?;
    connection.execute("revoke connect on database template1 from public").await?;
    let mut urls = BTreeMap::new();
    for database in databases {
        let password = password();
        let statements = [
            // A name may be a word of SQL; a password is ours, and has no quotes.
            format!("create role \"{database}\" login password '{}'", password.expose_secret()),
            format!("create database \"{database}\" owner \"{database}\""),
            format!("revoke all on database \"{database}\" from public"),
        ];
        for statement in statements {
            let done = connection.execute(AssertSqlSafe(statement)).await;
            done.with_context(|| format!("creating the database {database} and its role"))?;
        }
        urls.insert(database, url(database.name(), &password, options.get_port(), database.name()));
    }
    connection.close().await?;
    Ok(urls)
}

/// Takes large objects away from everybody in the databases that are created from this one. No right on a table bounds them, so
/// any role could fill the disk.
async fn without_large_objects(template: PgConnectOptions) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect_with(&template).await?;
    connection.execute(WITHOUT_LARGE_OBJECTS).await?;
    Ok(connection.close().await?)
}
