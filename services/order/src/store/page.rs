//! SQL of the list of one buyer's orders.

use chrono::{DateTime, Utc};
use events::UserId;
use saga::{StoreError, sessions::Sessions};
use uuid::Uuid;

/// An order in a list.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Listed {
    pub(crate) id: Uuid,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) currency: String,
    pub(crate) total_amount: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// Position of an order in a list. Unique, and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) id: Uuid,
}

/// Up to `limit` of a buyer's orders, newest first, that come after this position.
pub(crate) async fn page(
    sessions: &Sessions,
    buyer: UserId,
    after: Option<Position>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    // One statement for both: the greatest values stand before the first order.
    let asking = sqlx::query_as(
        "select id, status, reason, currency, total_amount, created_at, updated_at from orders
         where user_id = $1
           and (created_at, id) < (coalesce($2, 'infinity'::timestamptz), coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
         order by created_at desc, id desc limit $4",
    )
    .bind(buyer.0)
    .bind(after.map(|position| position.created_at))
    .bind(after.map(|position| position.id))
    .bind(limit);
    Ok(sessions.bounded(asking.fetch_all(sessions.pool())).await?)
}
