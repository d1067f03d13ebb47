//! Looks at everything, and makes cases of the disagreements.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use anyhow::Context;
use events::{Order, OrderId};
use saga::parked::desk;
use uuid::Uuid;

use super::{
    Case, Look, Remedy, Seen, Which,
    case::Evidence,
    charges::{self, Charge},
    facts::facts,
    lost, next,
    whole::arrived,
};
use crate::{Database, Environment, databases::Databases};

/// Timeout for a look at all databases and the gateway: a frozen one never answers.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// Scope and thoroughness of a look.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub environment: &'a Environment,
    pub databases: &'a Databases,
    /// HTTP client for the gateway, see [`client`](super::client).
    pub http: &'a reqwest::Client,
    /// Maximum time to wait for what is in flight.
    pub patience: Duration,
    /// Seconds for which an order is left alone after its deadline, and after its last change.
    pub grace: i64,
}

/// Disagreements.
#[derive(Debug)]
pub struct Picture {
    pub cases: Vec<Case>,
    /// Err with what was still in flight: then nothing may be done.
    pub whole: Result<(), String>,
}

impl Scope<'_> {
    /// All disagreements, on Kafka and in two looks at the rows.
    ///
    /// # Errors
    /// If something cannot be read.
    pub async fn find(&self) -> anyhow::Result<Picture> {
        self.find_after(&HashSet::new()).await
    }

    /// As [`find`](Self::find). Orders in `touched` need not have been quiet.
    pub(super) async fn find_after(&self, touched: &HashSet<OrderId>) -> anyhow::Result<Picture> {
        let mut cases = lost::find(&self.environment.brokers, self.databases).await?;
        let Picture { cases: on_rows, whole } = self.of_rows(touched).await?;
        cases.extend(on_rows);
        Ok(Picture { cases, whole })
    }

    /// As [`find_after`](Self::find_after), but without Kafka.
    pub(super) async fn of_rows(&self, touched: &HashSet<OrderId>) -> anyhow::Result<Picture> {
        let first = self.look(None, touched).await?;
        let whole = self.arrived().await?;
        let orders: Vec<Uuid> = first.iter().filter_map(concerned).collect();
        let second = self.look(Some(&orders), touched).await?;
        let seen_twice = |case: &Case| first.iter().any(|before| case.is_unchanged_since(before));
        Ok(Picture { cases: second.into_iter().filter(seen_twice).collect(), whole })
    }

    pub(super) async fn arrived(&self) -> anyhow::Result<Result<(), String>> {
        arrived(&self.environment.brokers, self.databases, self.patience).await
    }

    /// Tells whether a case still holds.
    pub(super) async fn is_still_so(&self, case: &Case, touched: &HashSet<OrderId>) -> anyhow::Result<bool> {
        if case.evidence == Evidence::Lost {
            return Ok(true);
        }
        let orders: Vec<Uuid> = concerned(case).into_iter().collect();
        let now = self.look(Some(&orders), touched).await?;
        Ok(now.iter().any(|now| now.is_unchanged_since(case)))
    }

    async fn look(&self, orders: Option<&[Uuid]>, touched: &HashSet<OrderId>) -> anyhow::Result<Vec<Case>> {
        let look = tokio::time::timeout(LONGEST, self.look_unbounded(orders, touched)).await;
        look.with_context(|| format!("reading the databases and the gateway took longer than {} s", LONGEST.as_secs()))?
    }

    /// One look at all orders and charges, or at these orders. The ledger first: our payments already know whatever it has
    /// booked.
    async fn look_unbounded(&self, orders: Option<&[Uuid]>, touched: &HashSet<OrderId>) -> anyhow::Result<Vec<Case>> {
        let one = match orders {
            Some([order]) => Some(order.to_string()),
            _ => None,
        };
        let charges = charges::all(self.http, self.environment, one.as_deref()).await?;
        let parked = parked(self.databases).await?;
        let all = match orders {
            Some(orders) => vec![Which::These(orders)],
            None => Which::some_at_a_time(self.databases).await.context("counting the orders")?,
        };
        let mut cases = Vec::new();
        for some in all {
            let charges = charges.iter().filter(|charge| some.has(charge.order())).cloned().collect();
            cases.extend(self.look_at(some, charges, &parked, touched).await?);
        }
        Ok(cases)
    }

    async fn look_at(
        &self,
        orders: Which<'_>,
        charges: Vec<Charge>,
        parked: &HashMap<OrderId, String>,
        touched: &HashSet<OrderId>,
    ) -> anyhow::Result<Vec<Case>> {
        let look = Look::at(self.databases, orders).await?;
        let mut doubtful: Vec<(OrderId, &Seen, String)> = look
            .orders
            .iter()
            .filter(|(order, _)| touched.contains(order) || look.is_quiet(**order, self.grace))
            .filter_map(|(order, seen)| Some((*order, seen, seen.standing.doubt(self.grace)?)))
            .collect();
        doubtful.sort_by_key(|(order, ..)| *order);
        let facts = facts(self.databases, doubtful.iter().map(|(order, ..)| *order)).await?;
        let mut cases: Vec<Case> = doubtful
            .into_iter()
            .map(|(order, seen, what)| {
                let remedy = remedy(seen, parked.get(&order), facts.get(&order));
                Case { order: Some(order), what, remedy, evidence: Evidence::Order(Box::new(seen.clone())) }
            })
            .collect();
        cases.extend(charges::find(&look, charges, self.grace, touched, |order| parked.contains_key(&order)));
        Ok(cases)
    }
}

/// The order that a case concerns, or would concern.
fn concerned(case: &Case) -> Option<Uuid> {
    match &case.evidence {
        Evidence::Lost => None,
        Evidence::Order(_) => case.order.map(|order| order.0),
        Evidence::Charge(charge, _) => charge.order().map(|order| order.0),
    }
}

fn remedy(seen: &Seen, parked: Option<&String>, facts: Option<&Result<Order, String>>) -> Remedy {
    match (parked.or(seen.obstacle.as_ref()), facts) {
        (Some(why), _) | (None, Some(Err(why))) => Remedy::Person(why.clone()),
        (None, None) => Remedy::Person("nobody has said what was ordered".to_owned()),
        (None, Some(Ok(facts))) => next(&seen.standing, facts),
    }
}

/// Orders with parked work in one of the shop's databases, and a description of it.
async fn parked(databases: &Databases) -> anyhow::Result<HashMap<OrderId, String>> {
    let mut parked = HashMap::new();
    for database in Database::OF_THE_SHOP {
        for work in desk::list(databases.of_service(database)).await? {
            let why = format!("{} is parked in {database}, see `scenarios parked show {}`", work.what, work.id);
            parked.entry(OrderId(work.saga_id)).or_insert(why);
        }
    }
    Ok(parked)
}
