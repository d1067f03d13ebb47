//! The facts of orders: what was ordered.

use std::collections::HashMap;

use anyhow::Context;
use events::{Order, OrderId};
use uuid::Uuid;

use crate::{Database, databases::Databases};

/// What was ordered, or why that cannot be read.
pub(super) type Facts = HashMap<OrderId, Result<Order, String>>;

/// What was ordered, from the order service or else from any event that contains it. Read as text, so that an unreadable row
/// becomes a case of its own and does not break the others.
pub(super) async fn facts(databases: &Databases, orders: impl Iterator<Item = OrderId>) -> anyhow::Result<Facts> {
    let ids: Vec<Uuid> = orders.map(|order| order.0).collect();
    let known: Vec<(Uuid, String)> = sqlx::query_as("select id, facts::text from orders where id = any($1)")
        .bind(&ids)
        .fetch_all(databases.of_service(Database::ORDERS))
        .await
        .context("reading what was ordered")?;
    let mut facts: Facts =
        known.into_iter().map(|(id, facts)| (OrderId(id), understood(Database::ORDERS, &facts))).collect();
    let mut texts: Vec<String> =
        ids.iter().filter(|id| !facts.contains_key(&OrderId(**id))).map(Uuid::to_string).collect();
    for database in Database::OF_THE_SHOP {
        if texts.is_empty() {
            break;
        }
        let said: Vec<(String, String)> = sqlx::query_as(
            "select distinct on (aggregateid) aggregateid, (payload -> 'order')::text from outbox
             where aggregateid = any($1) and payload ? 'order' order by aggregateid, seq",
        )
        .bind(&texts)
        .fetch_all(databases.of_service(database))
        .await
        .with_context(|| format!("reading what was ordered in the outbox of {database}"))?;
        for (id, order) in said {
            let order = understood(database, &order);
            // Another event may contain it in readable form.
            texts.retain(|text| order.is_err() || *text != id);
            facts.insert(id.parse().with_context(|| format!("{database} has an event about {id}"))?, order);
        }
    }
    Ok(facts)
}

fn understood(database: Database, order: &str) -> Result<Order, String> {
    serde_json::from_str(order)
        .map_err(|error| format!("nobody can read what was ordered as {database} has it: {error}"))
}
