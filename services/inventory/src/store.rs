//! The inventory's SQL.

use std::collections::{BTreeMap, BTreeSet};

use events::{OrderId, ProductId, Reason};
use saga::{
    Rows, StoreError,
    store::{all_inserted, parse, update_steps},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Command, Reservation, Stock, Warehouse};

pub(crate) async fn load(db: &mut PgConnection, commands: &[&Command]) -> Result<Warehouse, StoreError> {
    let orders: Vec<Uuid> = commands.iter().map(|command| command.order.order_id.0).collect();
    let reservations = reservations(db, &orders).await?;
    // The reserved products count, even if an event names others.
    let held = reservations.iter().flat_map(|(_, held)| held.items.keys().copied());
    let asked = commands.iter().flat_map(|command| command.order.items.iter().map(|item| item.product_id));
    let products: BTreeSet<ProductId> = held.chain(asked).collect();
    Ok(Warehouse { stock: stock(db, &products).await?, reservations })
}

async fn reservations(db: &mut PgConnection, orders: &[Uuid]) -> Result<Rows<OrderId, Reservation>, StoreError> {
    let rows: Vec<(Uuid, i64, i64, String, Option<String>)> = sqlx::query_as(
        "select order_id, product_id, quantity, status, reason from stock_reservations
         where order_id = any($1) order by order_id, product_id for update",
    )
    .bind(orders)
    .fetch_all(db)
    .await?;
    let mut reservations: BTreeMap<OrderId, Reservation> = BTreeMap::new();
    for (order, product, quantity, status, reason) in rows {
        let status = parse("stock_reservations", order, &status)?;
        let reason = reason.map(|reason| parse("stock_reservations", order, &reason)).transpose()?;
        // All rows of an order are written together, so the first one has the values of all.
        let held = reservations.entry(OrderId(order)).or_insert(Reservation { items: BTreeMap::new(), status, reason });
        held.items.insert(ProductId(product), quantity);
    }
    Ok(Rows::loaded(reservations))
}

async fn stock(db: &mut PgConnection, products: &BTreeSet<ProductId>) -> Result<Rows<ProductId, Stock>, StoreError> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select product_id, stock_quantity, reserved_quantity from stock
         where product_id = any($1) order by product_id for update",
    )
    .bind(products.iter().map(|product| product.0).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(Rows::loaded(
        rows.into_iter().map(|(product, quantity, reserved)| (ProductId(product), Stock { quantity, reserved })),
    ))
}

pub(crate) async fn save(db: &mut PgConnection, warehouse: &Warehouse) -> Result<(), StoreError> {
    insert_reservations(db, &warehouse.reservations.new_rows()).await?;
    update_reservations(db, &warehouse.reservations.changed_rows()).await?;
    update_stock(db, &warehouse.stock.changed_rows()).await
}

async fn insert_reservations(db: &mut PgConnection, rows: &[(&OrderId, &Reservation)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let items: Vec<_> = rows
        .iter()
        .flat_map(|(order, row)| row.items.iter().map(move |(product, quantity)| (order.0, product.0, *quantity, row)))
        .collect();
    let inserted = sqlx::query(
        "insert into stock_reservations (order_id, product_id, quantity, status, reason)
         select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
         on conflict do nothing",
    )
    .bind(items.iter().map(|(order, ..)| *order).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, product, ..)| *product).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, _, quantity, _)| *quantity).collect::<Vec<_>>())
    .bind(items.iter().map(|(.., row)| row.status.as_str()).collect::<Vec<_>>())
    .bind(items.iter().map(|(.., row)| row.reason.as_ref().map(Reason::as_str)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    all_inserted("stock_reservations", items.len(), inserted.rows_affected())
}

async fn update_reservations(db: &mut PgConnection, rows: &[(&OrderId, &Reservation)]) -> Result<(), StoreError> {
    update_steps(
        db,
        "update stock_reservations r set status = n.status, reason = n.reason, updated_at = now()
         from unnest($1::uuid[], $2::text[], $3::text[]) n (order_id, status, reason) where r.order_id = n.order_id",
        rows.iter().map(|(order, row)| (**order, row.status, row.reason)),
    )
    .await
}

async fn update_stock(db: &mut PgConnection, rows: &[(&ProductId, &Stock)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update stock s set stock_quantity = n.quantity, reserved_quantity = n.reserved
         from unnest($1::bigint[], $2::bigint[], $3::bigint[]) n (product_id, quantity, reserved)
         where s.product_id = n.product_id",
    )
    .bind(rows.iter().map(|(product, _)| product.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.quantity).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.reserved).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}
