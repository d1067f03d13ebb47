//! The tables with rows of orders, and how they are read.

use std::fmt;

use anyhow::Context;
use events::OrderId;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{
    dossier::{Item, Json, Row, Written},
    seal::{Doubts, Marks, Wanted},
};
use crate::Database;

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
            Table::Orders | Table::OrderItems | Table::OrderHistory => Database::ORDERS,
            Table::BalanceReservations => Database::ACCOUNTS,
            Table::PaymentTransactions => Database::PAYMENTS,
            Table::StockReservations => Database::INVENTORY,
            Table::Shipments => Database::SHIPPING,
            Table::Entitlements => Database::ENTITLEMENTS,
            Table::Notifications => Database::NOTIFICATIONS,
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

/// Reads the rows of all wanted orders, then those of the outbox, row by row. Uses the session's current transaction, if there is
/// one.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn read(
    db: &mut PgConnection,
    database: Database,
    (wanted, marks): (&Wanted, Marks),
    mut put: impl FnMut(OrderId, Item) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (orders, names, shares) = match wanted {
        Wanted::Everything => Default::default(),
        Wanted::Only(Doubts { orders, names, shares }) => {
            let as_we_write_them = orders.iter().map(OrderId::to_string).filter(|order| !names.contains(order));
            let names: Vec<String> = names.iter().cloned().chain(as_we_write_them).collect();
            let orders: Vec<Uuid> = orders.iter().map(|order| order.0).collect();
            (orders, names, shares.iter().filter_map(|share| share.digits()).collect::<Vec<_>>())
        }
    };
    let era = marks.era_of_row();
    // PostgreSQL must know the parameters' types wherever they occur.
    let is_wanted = |column: &str, wanted_by: &str| {
        let condition = match wanted {
            Wanted::Everything => "true".to_owned(),
            Wanted::Only(_) if shares.is_empty() => format!("{column} = any({wanted_by})"),
            Wanted::Only(_) => format!("({column} = any({wanted_by}) or lower(right({column}::text, 3)) = any($3))"),
        };
        format!("$1::uuid[] is not null and $2::text[] is not null and $3::text[] is not null and {condition}")
    };
    for table in Table::ALL.into_iter().filter(|table| table.database() == database) {
        let column = table.order_column();
        // All columns, so that new ones are compared too.
        let select = format!(
            "select {column}, (to_jsonb(t) - '{{created_at,updated_at}}'::text[])::text, {era} from {table} t where {}",
            is_wanted(column, "$1")
        );
        let rows = sqlx::query_as::<_, (Uuid, String, i32)>(AssertSqlSafe(select));
        let mut rows = rows.bind(&orders).bind(&names).bind(&shares).fetch(&mut *db);
        while let Some((order, row, era)) = rows.try_next().await.with_context(|| format!("reading {table}"))? {
            put(OrderId(order), Item::Row(Row { table, row: Json::new(row), era: Marks::era(era) }))?;
        }
    }
    let select = format!(
        "select seq, id, aggregatetype, aggregateid, type, causationid, traceparent, created_at, dataversion,
                encode(substring(sha256(convert_to(payload::text, 'UTF8')) for 8), 'hex') as digest,
                tableoid::regclass::text as partition, {era} as era
         from outbox where {}",
        is_wanted("aggregateid", "$2")
    );
    let rows = sqlx::query_as::<_, OutboxRow>(AssertSqlSafe(select));
    let mut rows = rows.bind(&orders).bind(&names).bind(&shares).fetch(db);
    while let Some(row) = rows.try_next().await.with_context(|| format!("reading the outbox of {database}"))? {
        // A row that names no order is filed under the nil id.
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
    dataversion: i32,
    digest: String,
    partition: String,
    era: i32,
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
            dataversion,
            digest,
            partition,
            era,
        } = self;
        Written {
            publisher: database.publisher(),
            seq,
            id,
            aggregatetype,
            aggregateid,
            event_type,
            version: dataversion.unsigned_abs(),
            digest,
            causation_id: causationid,
            traceparent,
            at,
            partition,
            era: Marks::era(era),
        }
    }
}
