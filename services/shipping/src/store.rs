//! The shipping's SQL.

use events::{OrderId, Reason, erasure::Scrubs};
use personal_data::Vault;
use saga::{
    Rows, StoreError,
    store::{all_inserted, erase_kept, parse, update_steps},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Ask, Command, Depot, Shipment};

pub(crate) async fn load(db: &mut PgConnection, commands: &[&Command], vault: &Vault) -> Result<Depot, StoreError> {
    // First, before any row is locked: the keys are elsewhere.
    let buyer = |command: &&Command| match command {
        Command::About { order, ask: Ask::Arrange } if order.ship_to.is_some() => Some(order.user_id.0),
        Command::About { .. } | Command::Scrub(_) => None,
    };
    let buyers: Vec<i64> = commands.iter().filter_map(buyer).collect();
    let keys = vault.keys_of(&buyers).await?.usable()?;
    let orders: Vec<Uuid> = commands.iter().map(|command| command.order_id().0).collect();
    let (shipments, no_service) = (shipments(db, &orders).await?, no_service(db).await?);
    Ok(Depot { keys, shipments, no_service, scrubs: Scrubs::default() })
}

async fn no_service(db: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar("select place from no_service order by place").fetch_all(db).await?)
}

/// Order, address, status, tracking number and reason.
type Row = (Uuid, Option<String>, String, Option<String>, Option<String>);

async fn shipments(db: &mut PgConnection, orders: &[Uuid]) -> Result<Rows<OrderId, Shipment>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select order_id, ship_to, status, tracking_no, reason from shipments
         where order_id = any($1) order by order_id for update",
    )
    .bind(orders)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(order, ship_to, status, tracking_no, reason)| {
            let row = Shipment {
                ship_to,
                status: parse("shipments", order, &status)?,
                tracking_no,
                reason: reason.map(|reason| parse("shipments", order, &reason)).transpose()?,
            };
            Ok((OrderId(order), row))
        })
        .collect::<Result<Vec<_>, StoreError>>()
        .map(Rows::loaded)
}

pub(crate) async fn save(db: &mut PgConnection, depot: &Depot) -> Result<(), StoreError> {
    insert_shipments(db, &depot.shipments.new_rows()).await?;
    update_shipments(db, &depot.shipments.changed_rows()).await?;
    for (_, orders) in depot.scrubs.iter() {
        let ids: Vec<Uuid> = orders.iter().map(|order| order.0).collect();
        sqlx::query("select erase_addresses($1)").bind(ids).execute(&mut *db).await?;
        erase_kept(db, orders).await?;
    }
    Ok(())
}

async fn insert_shipments(db: &mut PgConnection, rows: &[(&OrderId, &Shipment)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let inserted = sqlx::query(
        "insert into shipments (order_id, ship_to, status, tracking_no, reason)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.ship_to.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.tracking_no.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.reason.as_ref().map(Reason::as_str)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    all_inserted("shipments", rows.len(), inserted.rows_affected())
}

async fn update_shipments(db: &mut PgConnection, rows: &[(&OrderId, &Shipment)]) -> Result<(), StoreError> {
    update_steps(
        db,
        "update shipments s set status = n.status, reason = n.reason, updated_at = now()
         from unnest($1::uuid[], $2::text[], $3::text[]) n (order_id, status, reason) where s.order_id = n.order_id",
        rows.iter().map(|(order, row)| (**order, row.status, row.reason)),
    )
    .await
}
