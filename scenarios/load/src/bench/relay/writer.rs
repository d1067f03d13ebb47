//! Writes rows into an outbox, as services do.

use events::{Event, EventId, OrderId, account::BalanceReserved, publisher};
use saga::{Said, outbox::Outgoing};
use sqlx::PgPool;
use testbed::Database;
use uuid::Uuid;

use crate::bench::{ground::Ground, raw};

/// Rows per transaction of the backlog.
const BATCH: u64 = 2_000;

/// Writes `rows` rows; reports progress through `tell`.
pub(super) async fn backlog(ground: &Ground, rows: u64, tell: impl Fn(u64)) -> anyhow::Result<()> {
    let accounts = ground.pool(Database::ACCOUNTS, 1)?;
    let mut written = 0;
    while written < rows {
        let batch = BATCH.min(rows - written);
        write(&accounts, (0..batch).map(|_| OrderId(Uuid::now_v7()))).await?;
        written += batch;
        tell(written);
    }
    accounts.close().await;
    Ok(())
}

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Writes an event about each order, in one transaction; returns after the commit.
pub(super) async fn write(accounts: &PgPool, orders: impl IntoIterator<Item = OrderId>) -> anyhow::Result<()> {
    let said: Vec<Said> = orders
        .into_iter()
        .map(|order_id| Said {
            event_type: BalanceReserved::TYPE,
            version: BalanceReserved::VERSION,
            aggregatetype: publisher::ACCOUNT.name(),
            saga_id: order_id,
            payload: raw::value(),
        })
        .collect();
    let outgoing: Vec<Outgoing<'_>> =
        said.iter().map(|said| said.outgoing(Some(EventId::new()), TRACEPARENT.to_owned())).collect();
    let mut transaction = accounts.begin().await?;
    saga::outbox::write(&mut transaction, &outgoing).await?;
    transaction.commit().await?;
    Ok(())
}
