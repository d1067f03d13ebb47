//! Orders whose deadline has passed.

use chrono::Utc;
use events::OrderId;
use saga::Deadlines;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{DEADLINE_PASSED, command::Command};

/// Proposes to time out orders that are still PENDING at their deadline.
#[derive(Debug, Clone, Copy)]
pub struct Overdue;

impl Deadlines<Command> for Overdue {
    const WHAT: &'static str = DEADLINE_PASSED;

    async fn due(&self, pool: &PgPool, aside: &[OrderId]) -> sqlx::Result<Vec<Command>> {
        // By our own clock, which set the deadlines and will decide about them.
        let overdue: Vec<Uuid> = sqlx::query_scalar(
            "select id from orders where status = 'PENDING' and deadline <= $1 and id <> all($2) order by deadline limit 500",
        )
        .bind(Utc::now())
        .bind(aside.iter().map(|order| order.0).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
        Ok(overdue.into_iter().map(|id| Command::TimeOut(OrderId(id))).collect())
    }
}
