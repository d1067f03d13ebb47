//! Counts orders: lost, ended twice, or stuck.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use events::OrderId;
use operations::databases::Databases;
use testbed::{Database, until};
use uuid::Uuid;

/// How the orders ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of orders placed.
    pub orders: usize,
    /// Number of orders by status.
    pub ends: BTreeMap<String, usize>,
    /// Placed, but unknown to the order service.
    pub lost: Vec<OrderId>,
    /// Ended more than once.
    pub doubled: Vec<OrderId>,
    /// Not ended.
    pub stuck: Vec<OrderId>,
}

impl Tally {
    /// Counts once every order has ended, or after `patience`.
    ///
    /// # Errors
    /// If the orders database does not answer at the end.
    pub async fn settled(databases: &Databases, orders: &[OrderId], patience: Duration) -> anyhow::Result<Self> {
        let ended = async || {
            let tally = Tally::count(databases, orders).await.ok()?;
            (tally.lost.is_empty() && tally.stuck.is_empty()).then_some(tally)
        };
        match until("every order has ended", patience, ended).await {
            Ok(tally) => Ok(tally),
            // The count includes what is missing.
            Err(_) => Ok(Tally::count(databases, orders).await?),
        }
    }

    async fn count(databases: &Databases, orders: &[OrderId]) -> sqlx::Result<Self> {
        let ids: Vec<Uuid> = orders.iter().map(|order| order.0).collect();
        let pool = databases.of_service(Database::ORDERS);
        let rows: Vec<(Uuid, String)> =
            sqlx::query_as("select id, status from orders where id = any($1)").bind(&ids).fetch_all(pool).await?;
        let doubled: Vec<String> = sqlx::query_scalar(
            "select aggregateid from outbox where type in ('OrderCompleted', 'OrderCancelled', 'OrderRejected')
             group by aggregateid having count(*) > 1",
        )
        .fetch_all(pool)
        .await?;
        let mut tally = Tally { orders: orders.len(), ..Tally::default() };
        tally.doubled = doubled.iter().filter_map(|order| order.parse().ok()).collect();
        let rows: HashMap<Uuid, String> = rows.into_iter().collect();
        for order in orders {
            match rows.get(&order.0).map(String::as_str) {
                None => tally.lost.push(*order),
                Some("PENDING" | "CANCELLING") => tally.stuck.push(*order),
                Some(end) => *tally.ends.entry(end.to_lowercase()).or_default() += 1,
            }
        }
        Ok(tally)
    }

    /// Tells whether each order ended exactly once.
    pub fn holds(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.stuck.is_empty()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends: Vec<String> = self.ends.iter().map(|(end, orders)| format!("{orders} {end}")).collect();
        let (lost, doubled, stuck) = (self.lost.len(), self.doubled.len(), self.stuck.len());
        write!(f, "{} orders ({}), lost {lost}, doubled {doubled}, stuck {stuck}", self.orders, ends.join(", "))
    }
}
