//! The entitlement's SQL.

use std::collections::{BTreeMap, BTreeSet};

use events::{OrderId, ProductId, Reason, UserId};
use saga::{
    Rows, StoreError,
    store::{all_inserted, parse, update_steps},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Command, Shelf, Unlock};

pub(crate) async fn load(db: &mut PgConnection, commands: &[&Command]) -> Result<Shelf, StoreError> {
    let orders: Vec<Uuid> = commands.iter().map(|command| command.order.order_id.0).collect();
    let products: Vec<i64> =
        commands.iter().flat_map(|command| command.order.items.iter().map(|item| item.product_id.0)).collect();
    Ok(Shelf { unlocks: unlocks(db, &orders).await?, catalogue: catalogue(db, &products).await? })
}

async fn catalogue(db: &mut PgConnection, products: &[i64]) -> Result<BTreeMap<ProductId, bool>, StoreError> {
    let rows: Vec<(i64, bool)> =
        sqlx::query_as("select product_id, available from catalogue where product_id = any($1)")
            .bind(products)
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().map(|(product, available)| (ProductId(product), available)).collect())
}

async fn unlocks(db: &mut PgConnection, orders: &[Uuid]) -> Result<Rows<OrderId, Unlock>, StoreError> {
    let rows: Vec<(Uuid, i64, i64, String, Option<String>)> = sqlx::query_as(
        "select order_id, user_id, product_id, status, reason from entitlements
         where order_id = any($1) order by order_id, product_id for update",
    )
    .bind(orders)
    .fetch_all(db)
    .await?;
    let mut unlocks: BTreeMap<OrderId, Unlock> = BTreeMap::new();
    for (order, user, product, status, reason) in rows {
        let status = parse("entitlements", order, &status)?;
        let reason = reason.map(|reason| parse("entitlements", order, &reason)).transpose()?;
        // All rows of an order are written together, so the first one has the values of all.
        let unlock = unlocks.entry(OrderId(order)).or_insert(Unlock {
            user_id: UserId(user),
            products: BTreeSet::new(),
            status,
            reason,
        });
        unlock.products.insert(ProductId(product));
    }
    Ok(Rows::loaded(unlocks))
}

pub(crate) async fn save(db: &mut PgConnection, shelf: &Shelf) -> Result<(), StoreError> {
    insert_unlocks(db, &shelf.unlocks.new_rows()).await?;
    update_unlocks(db, &shelf.unlocks.changed_rows()).await
}

async fn insert_unlocks(db: &mut PgConnection, rows: &[(&OrderId, &Unlock)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let items: Vec<_> = rows
        .iter()
        .flat_map(|(order, row)| row.products.iter().map(move |product| (order.0, product.0, *row)))
        .collect();
    let inserted = sqlx::query(
        "insert into entitlements (order_id, user_id, product_id, status, reason)
         select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
         on conflict do nothing",
    )
    .bind(items.iter().map(|(order, ..)| *order).collect::<Vec<_>>())
    .bind(items.iter().map(|(.., row)| row.user_id.0).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, product, _)| *product).collect::<Vec<_>>())
    .bind(items.iter().map(|(.., row)| row.status.as_str()).collect::<Vec<_>>())
    .bind(items.iter().map(|(.., row)| row.reason.as_ref().map(Reason::as_str)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    all_inserted("entitlements", items.len(), inserted.rows_affected())
}

async fn update_unlocks(db: &mut PgConnection, rows: &[(&OrderId, &Unlock)]) -> Result<(), StoreError> {
    update_steps(
        db,
        "update entitlements e set status = n.status, reason = n.reason, updated_at = now()
         from unnest($1::uuid[], $2::text[], $3::text[]) n (order_id, status, reason) where e.order_id = n.order_id",
        rows.iter().map(|(order, row)| (**order, row.status, row.reason)),
    )
    .await
}
