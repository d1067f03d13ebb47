//! Looking at everything, and making cases of what does not agree.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Context;
use events::{Order, OrderId};
use kit::parked::desk;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Case, Remedy, Standing, charges, lost, next};
use crate::{
    audit::{self, Steps},
    databases::Databases,
    stack::{Database, Environment},
};

/// All that does not agree now. What is under way may be among it: let the system come to rest first.
///
/// # Errors
/// If something cannot be read.
pub async fn find(environment: &Environment, databases: &Databases) -> anyhow::Result<Vec<Case>> {
    let mut cases = lost::find(&environment.brokers, databases).await?;
    cases.extend(of_rows(environment, databases).await?);
    Ok(cases)
}

/// As [`find`], but without Kafka.
pub(super) async fn of_rows(environment: &Environment, databases: &Databases) -> anyhow::Result<Vec<Case>> {
    let steps = Steps::load(databases).await.context("reading what each service did for each order")?;
    let parked = parked(databases).await?;
    let mut busy: HashSet<OrderId> = parked.keys().copied().collect();
    busy.extend(calling(databases).await?);

    let mut in_doubt: BTreeMap<OrderId, String> = BTreeMap::new();
    for finding in audit::orders_in_doubt(&steps) {
        if let Some(order) = finding.order {
            in_doubt.entry(order).or_insert(finding.what);
        }
    }
    let facts = facts(databases, in_doubt.keys().copied()).await?;
    let mut cases: Vec<Case> = in_doubt
        .into_iter()
        .map(|(order, what)| {
            let remedy = match (parked.get(&order), facts.get(&order)) {
                (Some(parked), _) => Remedy::Person(parked.clone()),
                (None, None) => Remedy::Person("nobody has said what was ordered".to_owned()),
                (None, Some(facts)) => standing(&steps, order).map_or_else(Remedy::Person, |s| next(&s, facts)),
            };
            Case { order: Some(order), what, remedy }
        })
        .collect();
    cases.extend(charges::find(&steps, &audit::bookings(environment).await?, &busy));
    Ok(cases)
}

/// The orders that have parked work, and what to say about it.
async fn parked(databases: &Databases) -> anyhow::Result<HashMap<OrderId, String>> {
    let mut parked = HashMap::new();
    for database in Database::ALL {
        for work in desk::list(databases.of_service(database)).await? {
            let why = format!("{} is parked in {database}, see `scenarios parked show {}`", work.what, work.id);
            parked.entry(OrderId(work.order_id)).or_insert(why);
        }
    }
    Ok(parked)
}

/// The orders with calls that are still to be made.
async fn calling(databases: &Databases) -> anyhow::Result<HashSet<OrderId>> {
    let orders: Vec<Uuid> = sqlx::query_scalar("select order_id from attempts where status in ('open', 'parked')")
        .fetch_all(databases.of_service(Database::Payments))
        .await?;
    Ok(orders.into_iter().map(OrderId).collect())
}

/// What was ordered: as the order service has it, or else as anybody has said it.
async fn facts(
    databases: &Databases,
    orders: impl Iterator<Item = OrderId>,
) -> anyhow::Result<HashMap<OrderId, Order>> {
    let ids: Vec<Uuid> = orders.map(|order| order.0).collect();
    let known: Vec<(Uuid, Json<Order>)> = sqlx::query_as("select id, facts from orders where id = any($1)")
        .bind(&ids)
        .fetch_all(databases.of_service(Database::Orders))
        .await
        .context("reading what was ordered")?;
    let mut facts: HashMap<OrderId, Order> = known.into_iter().map(|(id, facts)| (OrderId(id), facts.0)).collect();
    let mut texts: Vec<String> =
        ids.iter().filter(|id| !facts.contains_key(&OrderId(**id))).map(Uuid::to_string).collect();
    for database in Database::ALL {
        if texts.is_empty() {
            break;
        }
        let said: Vec<Json<Order>> = sqlx::query_scalar(
            "select distinct on (aggregateid) payload -> 'order' from outbox
             where aggregateid = any($1) and payload ? 'order' order by aggregateid, seq",
        )
        .bind(&texts)
        .fetch_all(databases.of_service(database))
        .await
        .with_context(|| format!("reading what was ordered in the outbox of {database}"))?;
        for Json(order) in said {
            texts.retain(|text| *text != order.order_id.to_string());
            facts.insert(order.order_id, order);
        }
    }
    Ok(facts)
}

/// How an order stands with everybody; or else why that cannot be told.
fn standing(steps: &Steps, order: OrderId) -> Result<Standing, String> {
    let row = steps.orders.get(&order);
    let one = |step: &str, statuses: Option<&Vec<String>>| match statuses.map(Vec::as_slice) {
        None | Some([]) => Ok(None),
        Some([status]) => status.parse().map(Some),
        Some(_) => Err(format!("its {step} is in two minds")),
    };
    let payment = match steps.payments.get(&order).map(|row| row.status.as_str()) {
        None => None,
        Some("PENDING") => return Err("its payment waits for the gateway's answer".to_owned()),
        Some(status) => Some(status.parse()?),
    };
    Ok(Standing {
        order: row.map(|row| row.status.clone()),
        reason: row.and_then(|row| row.reason.as_deref()).and_then(|reason| reason.parse().ok()),
        balance: steps.reservations.get(&order).map(|row| row.status.parse()).transpose()?,
        payment,
        stock: one("stock", steps.stock.get(&order))?,
        shipment: one("shipment", steps.shipments.get(&order))?,
        entitlement: one("entitlement", steps.entitlements.get(&order))?,
    })
}
