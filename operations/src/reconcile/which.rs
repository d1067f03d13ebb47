//! Selects some orders, or all of them in chunks.

use events::OrderId;
use uuid::Uuid;

use crate::{Database, databases::Databases};

/// The orders to look at.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    These(&'a [Uuid]),
    /// From the first id inclusive to the second exclusive.
    Between(Option<Uuid>, Option<Uuid>),
}

/// Number of orders in a chunk.
const AT_ONCE: i64 = 5_000;

impl Which<'_> {
    pub const ALL: Which<'static> = Which::Between(None, None);

    /// All orders in chunks, so that memory is bounded.
    pub(super) async fn some_at_a_time(databases: &Databases) -> sqlx::Result<Vec<Which<'static>>> {
        let bounds: Vec<Uuid> = sqlx::query_scalar(
            "select id from (select id, row_number() over (order by id) as place from orders) numbered
             where place % $1 = 0 order by id",
        )
        .bind(AT_ONCE)
        .fetch_all(databases.of_service(Database::ORDERS))
        .await?;
        let begins = [None].into_iter().chain(bounds.iter().copied().map(Some));
        let ends = bounds.iter().copied().map(Some).chain([None]);
        Ok(begins.zip(ends).map(|(begin, end)| Which::Between(begin, end)).collect())
    }

    /// Tells whether the order is selected. Anything without an order belongs to the first chunk.
    pub(super) fn has(&self, order: Option<OrderId>) -> bool {
        match (self, order) {
            (Which::These(_), None) => true,
            (Which::These(orders), Some(order)) => orders.contains(&order.0),
            (Which::Between(begin, _), None) => begin.is_none(),
            (Which::Between(begin, end), Some(order)) => {
                begin.is_none_or(|begin| order.0 >= begin) && end.is_none_or(|end| order.0 < end)
            }
        }
    }

    /// Three SQL parameters: ids, from, to.
    pub(super) fn parameters(&self) -> (Option<&[Uuid]>, Option<Uuid>, Option<Uuid>) {
        match self {
            Which::These(orders) => (Some(orders), None, None),
            Which::Between(begin, end) => (None, *begin, *end),
        }
    }
}
