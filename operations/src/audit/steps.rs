//! What each service did for each order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use events::{Kind, Order, OrderId};
use order::Status;
use serde::{Deserialize, de::DeserializeOwned};
use sqlx::{PgPool, postgres::PgRow, prelude::FromRow};
use uuid::Uuid;

use super::{dossier::Dossier, tables::Table};
use crate::{Database, databases::Databases};

/// An order as the order service has it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OrderRow {
    pub id: Uuid,
    pub status: String,
    pub reason: Option<String>,
    pub currency: String,
    pub total_amount: i64,
    /// None for an order that was rejected before it began.
    pub deadline: Option<DateTime<Utc>>,
    pub physical: bool,
    pub digital: bool,
}

/// An order's hold on a balance.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Deserialize)]
pub struct Reservation {
    pub order_id: Uuid,
    pub user_id: i64,
    pub currency: String,
    pub amount: i64,
    pub status: String,
}

/// An order's payment.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Deserialize)]
pub struct Transaction {
    pub order_id: Uuid,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    /// The method at the time of authorization; None if it was never authorized.
    pub method_type: Option<String>,
}

/// Everything, by order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    pub orders: HashMap<OrderId, OrderRow>,
    pub reservations: HashMap<OrderId, Reservation>,
    pub payments: HashMap<OrderId, Transaction>,
    /// The statuses of its rows; more than one is itself a finding.
    pub stock: HashMap<OrderId, Vec<String>>,
    pub shipments: HashMap<OrderId, Vec<String>>,
    pub entitlements: HashMap<OrderId, Vec<String>>,
    /// The kinds of the mails that were sent.
    pub mails: HashMap<OrderId, Vec<String>>,
}

impl Steps {
    pub async fn load(databases: &Databases) -> sqlx::Result<Self> {
        let pool = |database| databases.of_service(database);
        Ok(Steps {
            orders: rows(
                pool(Database::ORDERS),
                // From what was ordered, not from today's catalogue.
                r#"select id, status, reason, currency, total_amount, deadline,
                          facts @> '{"items": [{"kind": "physical"}]}' as physical,
                          facts @> '{"items": [{"kind": "digital"}]}' as digital
                   from orders"#,
                |row: &OrderRow| row.id,
            )
            .await?,
            reservations: rows(
                pool(Database::ACCOUNTS),
                "select order_id, user_id, currency, amount, status from balance_reservations",
                |row: &Reservation| row.order_id,
            )
            .await?,
            payments: rows(
                pool(Database::PAYMENTS),
                "select order_id, amount, currency, status, method_type from payment_transactions",
                |row: &Transaction| row.order_id,
            )
            .await?,
            stock: words(
                pool(Database::INVENTORY),
                "select order_id, array_agg(distinct status) from stock_reservations group by order_id",
            )
            .await?,
            shipments: words(
                pool(Database::SHIPPING),
                "select order_id, array_agg(status) from shipments group by order_id",
            )
            .await?,
            entitlements: words(
                pool(Database::ENTITLEMENTS),
                "select order_id, array_agg(distinct status) from entitlements group by order_id",
            )
            .await?,
            mails: words(
                pool(Database::NOTIFICATIONS),
                "select order_id, array_agg(kind) from notifications where sent_at is not null group by order_id",
            )
            .await?,
        })
    }
}

/// A row of `orders` in its wire form.
#[derive(Deserialize)]
struct Stored {
    id: Uuid,
    status: String,
    reason: Option<String>,
    currency: String,
    total_amount: i64,
    deadline: Option<DateTime<Utc>>,
    facts: Order,
}

/// A row that has a status or, for a mail, a kind.
#[derive(Deserialize)]
struct Word {
    #[serde(alias = "kind")]
    status: String,
    #[serde(default)]
    sent_at: Option<DateTime<Utc>>,
}

impl Steps {
    /// The steps of the orders of these dossiers.
    pub(super) fn of(dossiers: &[Dossier]) -> Self {
        let mut steps = Steps::default();
        for dossier in dossiers {
            let id = dossier.order;
            steps.orders.extend(of_table(dossier, Table::Orders).map(|row: Stored| (id, row.into())));
            steps.reservations.extend(of_table(dossier, Table::BalanceReservations).map(|row| (id, row)));
            steps.payments.extend(of_table(dossier, Table::PaymentTransactions).map(|row| (id, row)));
            let words = |table: Table| {
                let mut words: Vec<String> = of_table(dossier, table)
                    .filter(|row: &Word| table != Table::Notifications || row.sent_at.is_some())
                    .map(|row| row.status)
                    .collect();
                words.sort_unstable();
                words.dedup();
                (!words.is_empty()).then_some((id, words))
            };
            steps.stock.extend(words(Table::StockReservations));
            steps.shipments.extend(words(Table::Shipments));
            steps.entitlements.extend(words(Table::Entitlements));
            steps.mails.extend(words(Table::Notifications));
        }
        steps
    }
}

/// The readable rows of one table.
fn of_table<T: DeserializeOwned>(dossier: &Dossier, table: Table) -> impl Iterator<Item = T> {
    dossier.rows_of(table).filter_map(|row| serde_json::from_str(row.get()).ok())
}

impl From<Stored> for OrderRow {
    fn from(stored: Stored) -> OrderRow {
        let Stored { id, status, reason, currency, total_amount, deadline, facts } = stored;
        let (physical, digital) = (facts.has(Kind::Physical), facts.has(Kind::Digital));
        OrderRow { id, status, reason, currency, total_amount, deadline, physical, digital }
    }
}

impl OrderRow {
    /// Tells whether nothing more will happen to it.
    pub fn is_finished(&self) -> bool {
        matches!(self.status.parse(), Ok(Status::Completed | Status::Cancelled | Status::Rejected))
    }
}

async fn rows<T>(pool: &PgPool, query: &'static str, key: impl Fn(&T) -> Uuid) -> sqlx::Result<HashMap<OrderId, T>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let rows: Vec<T> = sqlx::query_as(query).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (OrderId(key(&row)), row)).collect())
}

async fn words(pool: &PgPool, query: &'static str) -> sqlx::Result<HashMap<OrderId, Vec<String>>> {
    let rows: Vec<(Uuid, Vec<String>)> = sqlx::query_as(query).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(order, words)| (OrderId(order), words)).collect())
}
