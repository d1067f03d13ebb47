//! Waits until every service has scrubbed.

use anyhow::{Context, ensure};
use events::erasure::Erasure;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Plan, collect};
use crate::{Database, Environment, databases::Databases, reconcile, wait};

/// Waits until everything that is written now has been published and read, and no mail to the user is still to be sent.
pub(super) async fn scrubbed(environment: &Environment, databases: &Databases, plan: &Plan) -> anyhow::Result<()> {
    let begun = Instant::now();
    let arrived = reconcile::arrived(&environment.brokers, databases, plan.patience).await?;
    arrived
        .map_err(anyhow::Error::msg)
        .context("not every service has scrubbed yet; run it again, or with a longer --timeout")?;
    let erasure = Erasure::of(plan.user).erasure_id;
    for database in Database::OF_THE_SHOP {
        let parked: Option<Uuid> = sqlx::query_scalar(
            "select event_id from parked_events where order_id = $1 and status <> 'settled' limit 1",
        )
        .bind(erasure.0)
        .fetch_optional(databases.of_service(database))
        .await
        .with_context(|| format!("reading what {database} has parked"))?;
        ensure!(
            parked.is_none(),
            "{database} has parked the event: see `scenarios parked show {}`, then run this again",
            parked.unwrap_or_default()
        );
    }
    let orders = collect::orders_of(databases, plan.user).await?;
    let left = plan.patience.saturating_sub(begun.elapsed());
    let is_quiet = async || {
        let open: Result<i64, _> =
            sqlx::query_scalar("select count(*) from attempts where status = 'open' and order_id = any($1)")
                .bind(orders.iter().map(|order| order.0).collect::<Vec<_>>())
                .fetch_one(databases.of_service(Database::NOTIFICATIONS))
                .await;
        open.ok().filter(|open| *open == 0).map(drop)
    };
    wait::until("no mail to the user is to be sent any more", left, is_quiet).await
}
