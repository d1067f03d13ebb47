//! A transaction that somebody forgets to end.

use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use crate::stack::{Database, Environment};

/// Writes into the outbox, as a service's transaction would, keeps the number that it drew for a while, and rolls back. The
/// relay stops before the number until then, for it may still appear.
pub(super) async fn hold(environment: &Environment, database: Database, lasting: Duration) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(environment.database(database)?.expose_secret())
        .await
        .with_context(|| format!("connecting to {database}"))?;
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload)
         values ($1, $2, $3, 'NeverSaid', '{}')",
    )
    .bind(uuid::Uuid::now_v7())
    .bind(database.publisher().name())
    .bind(uuid::Uuid::now_v7().to_string())
    .execute(&mut *transaction)
    .await
    .context("writing into the outbox")?;
    tokio::time::sleep(lasting).await;
    transaction.rollback().await.context("rolling back")
}
