//! SQL of `order_items`: written with the order, never changed. The service itself reads the items from the order's facts.

use events::{Item, OrderId};
use saga::StoreError;
use sqlx::PgConnection;

use crate::purchase::Purchase;

pub(super) async fn insert(db: &mut PgConnection, orders: &[(&OrderId, &Purchase)]) -> Result<(), StoreError> {
    let rows: Vec<(&OrderId, &Item)> =
        orders.iter().flat_map(|(order, row)| row.facts.items.iter().map(move |item| (*order, item))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into order_items (order_id, product_id, quantity, unit_price)
         select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[])",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, item)| item.product_id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, item)| item.quantity).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, item)| item.unit_price).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}
