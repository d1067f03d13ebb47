//! What each service did for each order, side by side.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use events::OrderId;
use sqlx::{PgPool, postgres::PgRow, prelude::FromRow};
use uuid::Uuid;

use crate::{databases::Databases, stack::Database};

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
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Reservation {
    pub order_id: Uuid,
    pub user_id: i64,
    pub currency: String,
    pub amount: i64,
    pub status: String,
}

/// An order's payment.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Transaction {
    pub order_id: Uuid,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    /// None where the method is unknown.
    pub method_type: Option<String>,
}

/// Everything, by order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    pub orders: HashMap<OrderId, OrderRow>,
    pub reservations: HashMap<OrderId, Reservation>,
    pub payments: HashMap<OrderId, Transaction>,
    /// The statuses of its rows; more than one are a finding by themselves.
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
                pool(Database::Orders),
                "select o.id, o.status, o.reason, o.currency, o.total_amount, o.deadline,
                        coalesce(bool_or(kind = 'physical'), false) as physical, coalesce(bool_or(kind = 'digital'), false) as digital
                 from orders o left join order_items i on i.order_id = o.id left join products p on p.id = i.product_id
                 group by o.id",
                |row: &OrderRow| row.id,
            )
            .await?,
            reservations: rows(
                pool(Database::Accounts),
                "select order_id, user_id, currency, amount, status from balance_reservations",
                |row: &Reservation| row.order_id,
            )
            .await?,
            payments: rows(
                pool(Database::Payments),
                "select t.order_id, t.amount, t.currency, t.status, m.method_type
                 from payment_transactions t left join payment_methods m on m.id = t.payment_method_id",
                |row: &Transaction| row.order_id,
            )
            .await?,
            stock: words(
                pool(Database::Inventory),
                "select order_id, array_agg(distinct status) from stock_reservations group by order_id",
            )
            .await?,
            shipments: words(pool(Database::Shipping), "select order_id, array_agg(status) from shipments group by order_id").await?,
            entitlements: words(
                pool(Database::Entitlements),
                "select order_id, array_agg(distinct status) from entitlements group by order_id",
            )
            .await?,
            mails: words(
                pool(Database::Notifications),
                "select order_id, array_agg(kind) from notifications where sent_at is not null group by order_id",
            )
            .await?,
        })
    }
}

impl OrderRow {
    /// Whether nothing more will happen to it.
    pub fn is_finished(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "CANCELLED" | "REJECTED")
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
