//! The tables that keep something for each order, and how they are read.

use std::fmt;

use anyhow::Context;
use events::OrderId;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::dossier::{Item, Json, Row, Written};
use crate::stack::Database;

/// A table with rows of single orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Table {
    Orders,
    OrderItems,
    OrderHistory,
    BalanceReservations,
    PaymentTransactions,
    StockReservations,
    Shipments,
    Entitlements,
    Notifications,
}

impl Table {
    pub const ALL: [Table; 9] = [
        Table::Orders,
        Table::OrderItems,
        Table::OrderHistory,
        Table::BalanceReservations,
        Table::PaymentTransactions,
        Table::StockReservations,
        Table::Shipments,
        Table::Entitlements,
        Table::Notifications,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Table::Orders => "orders",
            Table::OrderItems => "order_items",
            Table::OrderHistory => "order_history",
            Table::BalanceReservations => "balance_reservations",
            Table::PaymentTransactions => "payment_transactions",
            Table::StockReservations => "stock_reservations",
            Table::Shipments => "shipments",
            Table::Entitlements => "entitlements",
            Table::Notifications => "notifications",
        }
    }

    pub fn database(self) -> Database {
        match self {
            Table::Orders | Table::OrderItems | Table::OrderHistory => Database::Orders,
            Table::BalanceReservations => Database::Accounts,
            Table::PaymentTransactions => Database::Payments,
            Table::StockReservations => Database::Inventory,
            Table::Shipments => Database::Shipping,
            Table::Entitlements => Database::Entitlements,
            Table::Notifications => Database::Notifications,
        }
    }

    /// The column with the order's id.
    pub fn order_column(self) -> &'static str {
        if self == Table::Orders { "id" } else { "order_id" }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the rows of all orders, and then the outbox, row by row. In one transaction, if the session is in one.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn read(
    db: &mut PgConnection,
    database: Database,
    mut put: impl FnMut(OrderId, Item) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for table in Table::ALL.into_iter().filter(|table| table.database() == database) {
        // Every column, so that a new one is compared too.
        let select = format!(
            "select {}, (to_jsonb(t) - '{{created_at,updated_at}}'::text[])::text from {table} t",
            table.order_column()
        );
        let mut rows = sqlx::query_as::<_, (Uuid, String)>(AssertSqlSafe(select)).fetch(&mut *db);
        while let Some((order, row)) = rows.try_next().await.with_context(|| format!("reading {table}"))? {
            put(OrderId(order), Item::Row(Row { table, row: Json::new(row) }))?;
        }
    }
    let mut rows = sqlx::query_as::<_, OutboxRow>(
        "select seq, id, aggregatetype, aggregateid, type, causationid, traceparent, created_at,
                encode(substring(sha256(convert_to(payload::text, 'UTF8')) for 8), 'hex') as digest
         from outbox",
    )
    .fetch(db);
    while let Some(row) = rows.try_next().await.with_context(|| format!("reading the outbox of {database}"))? {
        // What names no order goes to one that nobody has.
        let order = row.aggregateid.parse().unwrap_or(OrderId(Uuid::nil()));
        put(order, Item::Written(row.of(database)))?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct OutboxRow {
    seq: i64,
    id: Uuid,
    aggregatetype: String,
    aggregateid: String,
    #[sqlx(rename = "type")]
    event_type: String,
    causationid: Option<Uuid>,
    traceparent: Option<String>,
    created_at: chrono::DateTime<chrono::Utc>,
    digest: String,
}

impl OutboxRow {
    fn of(self, database: Database) -> Written {
        let OutboxRow {
            seq,
            id,
            aggregatetype,
            aggregateid,
            event_type,
            causationid,
            traceparent,
            created_at: at,
            digest,
        } = self;
        let (publisher, causation_id) = (database.publisher(), causationid);
        Written { publisher, seq, id, aggregatetype, aggregateid, event_type, digest, causation_id, traceparent, at }
    }
}
