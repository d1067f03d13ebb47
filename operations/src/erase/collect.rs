//! Collects the texts that name a user, before they are gone.

use std::collections::BTreeMap;

use anyhow::Context;
use events::{OrderId, UserId, envelope, publisher, request::OrderRequested};
use uuid::Uuid;

use super::{Needles, Plan, personal};
use crate::{Database, Environment, archive, databases::Databases};

/// What to look for, and the user's orders.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Texts, and what each is.
    texts: BTreeMap<String, &'static str>,
    pub(super) orders: Vec<OrderId>,
}

/// What is read of a user: the database, what the texts are, and the statement that finds them.
const SOURCES: [(Database, &str, &str); 5] = [
    (
        Database::ORDERS,
        "an address of an order",
        "select distinct facts ->> 'ship_to' from orders where user_id = $1 and facts ? 'ship_to'",
    ),
    (Database::ACCOUNTS, "the user's name", "select username from users where id = $1 and username <> 'erased'"),
    (
        Database::PAYMENTS,
        "an address of an order",
        "select distinct facts ->> 'ship_to' from payment_transactions where user_id = $1 and facts ? 'ship_to'",
    ),
    (Database::NOTIFICATIONS, "a mail address", "select address from contacts where user_id = $1"),
    (Database::NOTIFICATIONS, "a former mail address", "select address from former_contacts where user_id = $1"),
];

/// What is read of the user's orders, likewise.
const OF_ORDERS: [(Database, &str, &str); 3] = [
    (
        Database::SHIPPING,
        "an address of a parcel",
        "select distinct ship_to from shipments where order_id = any($1) and ship_to <> 'erased'",
    ),
    (
        Database::NOTIFICATIONS,
        "the recipient of a letter",
        "select distinct recipient from notifications where order_id = any($1) and recipient <> 'erased'",
    ),
    (
        Database::NOTIFICATIONS,
        "the text of a letter",
        "select distinct body from notifications where order_id = any($1) and body <> 'erased'",
    ),
];

impl Wanted {
    pub(super) async fn collect(environment: &Environment, databases: &Databases, plan: &Plan) -> anyhow::Result<Self> {
        let user = plan.user;
        let mut wanted = Wanted { orders: orders_of(databases, user).await?, ..Wanted::default() };
        for (database, what, select) in SOURCES {
            let texts = sqlx::query_scalar(select).bind(user.0).fetch_all(databases.of_service(database)).await;
            let texts: Vec<String> = texts.with_context(|| format!("reading {database}"))?;
            wanted.add(what, personal::opened(databases.vault(), user, texts).await?);
        }
        let orders: Vec<Uuid> = wanted.orders.iter().map(|order| order.0).collect();
        for (database, what, select) in OF_ORDERS {
            let texts = sqlx::query_scalar(select).bind(&orders).fetch_all(databases.of_service(database)).await;
            let texts: Vec<String> = texts.with_context(|| format!("reading {database}"))?;
            wanted.add(what, personal::opened(databases.vault(), user, texts).await?);
        }
        wanted.add_requests(environment, user).await?;
        wanted.add("a text to find", plan.find.clone());
        // Made from the user's number, which stays.
        wanted.texts.retain(|text, _| !text.starts_with(&format!("user-{user}@")));
        Ok(wanted)
    }

    fn add(&mut self, what: &'static str, texts: Vec<String>) {
        for text in texts.into_iter().map(|text| text.trim().to_owned()) {
            self.texts.entry(text).or_insert(what);
        }
    }

    /// The addresses and keys in the user's requests, which no database has.
    async fn add_requests(&mut self, environment: &Environment, user: UserId) -> anyhow::Result<()> {
        let brokers = environment.brokers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let (mut addresses, mut keys) = (Vec::new(), Vec::new());
            let topics = [publisher::CLIENT.topic().to_owned()];
            archive::read(&brokers, &topics, |record| {
                let request: Option<OrderRequested> =
                    record.with_raw(|raw| serde_json::from_slice(&envelope::read(raw).ok()?.1).ok());
                let Some(request) = request.filter(|request| request.user_id == user) else { return };
                addresses.extend(request.ship_to);
                keys.extend(request.idempotency_key);
            })?;
            anyhow::Ok((addresses, keys))
        });
        let (addresses, keys) = reading.await?.context("reading the requests")?;
        self.add("an address of a request", addresses);
        self.add("an idempotency key", keys);
        Ok(())
    }

    /// Adds what another collection has found.
    pub(super) fn add_all(&mut self, other: Wanted) {
        for (text, what) in other.texts {
            self.texts.entry(text).or_insert(what);
        }
        self.orders.extend(other.orders);
        self.orders.sort_unstable();
        self.orders.dedup();
    }

    pub(super) fn needles(&self) -> anyhow::Result<Needles> {
        Needles::new(self.texts.iter().map(|(text, what)| (text.clone(), *what)))
    }
}

pub(super) async fn orders_of(databases: &Databases, user: UserId) -> anyhow::Result<Vec<OrderId>> {
    let orders: Vec<Uuid> = sqlx::query_scalar("select id from orders where user_id = $1 order by id")
        .bind(user.0)
        .fetch_all(databases.of_service(Database::ORDERS))
        .await
        .context("reading the user's orders")?;
    Ok(orders.into_iter().map(OrderId).collect())
}
