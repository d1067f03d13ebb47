//! Writing rows into an outbox, as the kit does.

use events::{Event, EventId, OrderId, Publisher, account::BalanceReserved};
use kit::{outbox::Outgoing, says::Said};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    bench::{ground::Ground, raw},
    stack::Database,
};

/// Rows of one transaction of the backlog.
const BATCH: u64 = 2_000;

/// Writes `rows` rows; tells now and then how many there are.
pub(super) async fn backlog(ground: &Ground, rows: u64, tell: impl Fn(u64)) -> anyhow::Result<()> {
    let accounts = ground.pool(Database::Accounts, 1)?;
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

/// Writes an event about each order, in one transaction; returns when that is committed.
pub(super) async fn write(accounts: &PgPool, orders: impl IntoIterator<Item = OrderId>) -> anyhow::Result<()> {
    let said: Vec<Said> = orders
        .into_iter()
        .map(|order_id| Said {
            event_type: BalanceReserved::TYPE,
            aggregatetype: Publisher::Account.name(),
            order_id,
            payload: raw::value(),
        })
        .collect();
    let outgoing: Vec<Outgoing<'_>> = said
        .iter()
        .map(|said| Outgoing {
            said,
            causation_id: Some(EventId::new()),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        })
        .collect();
    let mut transaction = accounts.begin().await?;
    kit::outbox::write(&mut transaction, &outgoing).await?;
    transaction.commit().await?;
    Ok(())
}
