//! Faults of PostgreSQL, and of sessions that misuse it.

use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use testbed::{Database, Environment};
use tokio::time::sleep;
use uuid::Uuid;

use super::{Ended, Ending, Injector, NOT_OURS};

impl Injector<'_> {
    pub(super) async fn crash_postgres(&mut self) -> anyhow::Result<Ending> {
        let foundation = self.stack.foundation().context(NOT_OURS)?;
        foundation.postgres.crash_and_recover().await?;
        self.diary.note("  PostgreSQL is back");
        let ended = Ended::now();
        Ok(async { Ok(ended) }.boxed())
    }

    pub(super) fn hold_transaction(&self, database: Database, time: Duration) -> Ending {
        let (environment, diary) = (self.environment.clone(), self.diary.clone());
        async move {
            // A server crash ends it early; that is fault enough.
            match hold(&environment, database, &write_into_outbox(database), time).await {
                Ok(()) => diary.note(format!("  the transaction in {database} is rolled back")),
                Err(error) => diary.note(format!("  the transaction in {database} is lost: {error:#}")),
            }
            Ok(Ended::now())
        }
        .boxed()
    }

    pub(super) fn lock_table(&self, database: Database, time: Duration) -> Ending {
        let (environment, diary) = (self.environment.clone(), self.diary.clone());
        async move {
            let lock = format!("lock table {} in access exclusive mode", written_table(database));
            match hold(&environment, database, &lock, time).await {
                Ok(()) => diary.note(format!("  the table of {database} is free again")),
                Err(error) => diary.note(format!("  the lock in {database} is lost: {error:#}")),
            }
            Ok(Ended::now())
        }
        .boxed()
    }
}

/// The insert of a service's transaction into its outbox. It keeps the sequence number that it drew, and the relay stops before
/// that number until the transaction ends, because the row may still appear.
fn write_into_outbox(database: Database) -> String {
    // None of these values needs quoting.
    format!(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload)
         values ('{}', '{}', '{}', 'NeverSaid', '{{}}')",
        Uuid::now_v7(),
        database.publisher().name(),
        Uuid::now_v7()
    )
}

/// Executes the statement in a transaction that is left open, and rolls it back after a while.
async fn hold(environment: &Environment, database: Database, statement: &str, lasting: Duration) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(environment.database(database)?.expose_secret())
        .await
        .with_context(|| format!("connecting to {database}"))?;
    let mut transaction = connection.begin().await?;
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *transaction).await?;
    sleep(lasting).await;
    transaction.rollback().await.context("rolling back")
}

/// A table that the service writes for nearly every order.
fn written_table(database: Database) -> &'static str {
    match database {
        Database::ORDERS => "orders",
        Database::ACCOUNTS => "balances",
        Database::PAYMENTS => "payment_transactions",
        Database::INVENTORY => "stock",
        Database::SHIPPING => "shipments",
        Database::ENTITLEMENTS => "entitlements",
        Database::NOTIFICATIONS => "notifications",
        // Every service records there what it has read.
        _ => "inbox",
    }
}
