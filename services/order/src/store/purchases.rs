//! SQL of `orders`.

use chrono::{DateTime, Utc};
use events::{Order, OrderId, Reason, UserId, order_id::Derivation};
use saga::{
    Rows, StoreError,
    sessions::Sessions,
    store::{all_inserted, parse},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    command::{Command, Former, Placement},
    fingerprint::Fingerprint,
    fulfilment::{Branch, Fulfilment},
    purchase::{Money, Purchase},
    status::Status,
};

/// The columns of a [`Row`], then the rest of the statement.
macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "select id, status, reason, deadline, facts, request_hash, money, refunded, parcel, unlock, created_at, updated_at
             from orders ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    status: String,
    reason: Option<String>,
    deadline: Option<DateTime<Utc>>,
    facts: Json<Order>,
    request_hash: Option<Vec<u8>>,
    money: String,
    refunded: i64,
    parcel: Option<String>,
    unlock: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// An order, and the times at which its row was created and changed.
pub(crate) struct Dated {
    pub(crate) purchase: Purchase,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

pub(super) async fn load(
    db: &mut PgConnection,
    commands: &[&Command],
    derivation: &Derivation,
) -> Result<Rows<OrderId, Purchase>, StoreError> {
    let formers = commands.iter().flat_map(|command| command.former_orders(derivation));
    let ids: Vec<Uuid> =
        commands.iter().map(|command| command.order_id()).chain(formers).map(|order| order.0).collect();
    let rows: Vec<Row> =
        sqlx::query_as(select_rows!("where id = any($1) order by id for update")).bind(ids).fetch_all(db).await?;
    let formers: Vec<Former> = commands.iter().filter_map(|command| command.placement()?.former).collect();
    let rows = rows.into_iter().filter(|row| !is_of_another_topic(row, &formers, commands, derivation));
    let purchases: Result<Vec<_>, StoreError> = rows.map(|row| Ok((OrderId(row.id), row.purchase()?))).collect();
    purchases.map(Rows::loaded)
}

/// Maximum difference between the clocks of the broker and of a service, in milliseconds.
const CLOCKS_DIFFER_BY: i64 = 60_000;

/// Tells whether an order with the former id of a request cannot be that request's, because it is older.
fn is_of_another_topic(row: &Row, formers: &[Former], commands: &[&Command], derivation: &Derivation) -> bool {
    // Only the few requests without any id have formers.
    let Some(former) = formers.iter().find(|former| former.order_id.0 == row.id) else { return false };
    let is_older =
        row.created_at.timestamp_millis().saturating_add(CLOCKS_DIFFER_BY) < former.requested_ms.cast_signed();
    let is_asked_for = |command: &&Command| {
        let by_key = |placement: &Placement| placement.request.former_orders(derivation).contains(&OrderId(row.id));
        command.order_id().0 == row.id || command.placement().is_some_and(by_key)
    };
    is_older && !commands.iter().any(is_asked_for)
}

/// Reads an order without locking it.
pub(crate) async fn find(db: &mut PgConnection, order_id: OrderId) -> Result<Option<Dated>, StoreError> {
    let row: Option<Row> = sqlx::query_as(select_rows!("where id = $1")).bind(order_id.0).fetch_optional(db).await?;
    row.map(|row| {
        let (created_at, updated_at) = (row.created_at, row.updated_at);
        Ok(Dated { purchase: row.purchase()?, created_at, updated_at })
    })
    .transpose()
}

/// An order's status; None if there is no such order.
pub(crate) async fn status(sessions: &Sessions, order_id: OrderId) -> Result<Option<Status>, StoreError> {
    let asking = sqlx::query_scalar("select status from orders where id = $1").bind(order_id.0);
    let status: Option<String> = sessions.bounded(asking.fetch_optional(sessions.pool())).await?;
    status.map(|status| parse("orders", order_id, &status)).transpose()
}

/// The order with this id, else the first one with a former id, and its status.
pub(crate) async fn first_placed(
    sessions: &Sessions,
    order_id: OrderId,
    formers: &[OrderId],
) -> Result<Option<(OrderId, Status)>, StoreError> {
    for id in std::iter::once(&order_id).chain(formers) {
        if let Some(status) = status(sessions, *id).await? {
            return Ok(Some((*id, status)));
        }
    }
    Ok(None)
}

/// An order's buyer; None if there is no such order.
pub(crate) async fn buyer(sessions: &Sessions, order_id: OrderId) -> Result<Option<UserId>, StoreError> {
    let asking = sqlx::query_scalar("select user_id from orders where id = $1").bind(order_id.0);
    let buyer: Option<i64> = sessions.bounded(asking.fetch_optional(sessions.pool())).await?;
    Ok(buyer.map(UserId))
}

impl Row {
    fn purchase(self) -> Result<Purchase, StoreError> {
        let id = self.id;
        let corrupt = |error: String| StoreError::Corrupt { table: "orders", key: id.to_string(), error };
        let reason: Option<Reason> = self.reason.map(|reason| parse("orders", id, &reason)).transpose()?;
        let branch = |text: Option<String>| -> Result<Option<Branch>, StoreError> {
            text.map(|text| parse("orders", id, &text)).transpose()
        };
        let money = match (self.money.as_str(), reason) {
            ("open", _) => Money::Open,
            ("settled", Some(reason)) => Money::Settled { reason, refunded: self.refunded },
            (other, reason) => return Err(corrupt(format!("money is `{other}` for the reason {reason:?}"))),
        };
        let request = match self.request_hash.map(<[u8; 32]>::try_from) {
            None => None,
            Some(Ok(hash)) => Some(Fingerprint(hash)),
            Some(Err(hash)) => return Err(corrupt(format!("request_hash has {} bytes", hash.len()))),
        };
        Ok(Purchase {
            facts: self.facts.0,
            status: parse("orders", id, &self.status)?,
            reason,
            deadline: self.deadline,
            request,
            money,
            fulfilment: Fulfilment { parcel: branch(self.parcel)?, unlock: branch(self.unlock)? },
        })
    }
}

pub(super) async fn insert(db: &mut PgConnection, rows: &[(&OrderId, &Purchase)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let inserted = sqlx::query(
        "insert into orders (id, user_id, payment_method_id, currency, total_amount, deadline, facts, request_hash,
                             status, reason, money, refunded, parcel, unlock)
         select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::timestamptz[],
                              $7::jsonb[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::bigint[],
                              $13::text[], $14::text[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.facts.user_id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.facts.payment_method_id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.facts.currency.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.facts.total).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.deadline).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| Json(&row.facts)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.request.map(|request| request.0.to_vec())).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.reason.as_ref().map(Reason::as_str)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| money(row).0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| money(row).1).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.fulfilment.parcel.map(Branch::as_str)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.fulfilment.unlock.map(Branch::as_str)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    all_inserted("orders", rows.len(), inserted.rows_affected())
}

pub(super) async fn update(db: &mut PgConnection, rows: &[(&OrderId, &Purchase)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update orders o set status = n.status, reason = n.reason, money = n.money, refunded = n.refunded,
                             parcel = n.parcel, unlock = n.unlock, updated_at = now()
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
              n (id, status, reason, money, refunded, parcel, unlock)
         where o.id = n.id",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.reason.as_ref().map(Reason::as_str)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| money(row).0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| money(row).1).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.fulfilment.parcel.map(Branch::as_str)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.fulfilment.unlock.map(Branch::as_str)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// The columns `money` and `refunded`.
fn money(row: &Purchase) -> (&'static str, i64) {
    match row.money {
        Money::Open => ("open", 0),
        Money::Settled { refunded, .. } => ("settled", refunded),
    }
}
