//! SQL of `order_history`.

use chrono::{DateTime, Utc};
use events::OrderId;
use saga::StoreError;
use sqlx::PgConnection;

use crate::history::Entry;

pub(super) async fn insert(db: &mut PgConnection, entries: &[Entry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    // `with ordinality … order by` draws the identity numbers in this order.
    sqlx::query(
        "insert into order_history (order_id, at, event, service)
         select order_id, at, event, service
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[])
              with ordinality as h (order_id, at, event, service, place)
         order by place",
    )
    .bind(entries.iter().map(|entry| entry.order_id.0).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.event).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.publisher.name()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Time, type and publisher of each event, in the order in which this service processed them.
pub(crate) async fn timeline(
    db: &mut PgConnection,
    order_id: OrderId,
) -> Result<Vec<(DateTime<Utc>, String, String)>, StoreError> {
    let rows = sqlx::query_as("select at, event, service from order_history where order_id = $1 order by id")
        .bind(order_id.0)
        .fetch_all(db)
        .await?;
    Ok(rows)
}
