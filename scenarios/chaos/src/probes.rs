//! Probes of the flow: an order on each partition, through every service, from the request to the mail.

use std::time::Duration;

use catalogue::play::Wish;
use events::OrderId;
use futures::future::join_all;
use operations::{databases::Databases, requests::Client};
use outbox_relay::partition_of;
use testbed::{
    Database, Environment, PARTITIONS,
    cast::{POSTCARD, SYBIL, THEME},
    until,
};
use tokio::time::Instant;
use uuid::Uuid;

/// Places orders that involve every service, and waits until they end.
#[derive(Clone)]
pub struct Probes {
    client: Client,
    databases: Databases,
}

impl Probes {
    /// Uses its own connections, which only faults of the servers themselves affect.
    pub fn new(environment: &Environment) -> anyhow::Result<Self> {
        Ok(Probes { client: Client::of(environment)?, databases: Databases::of(environment)? })
    }

    /// Places an order on each partition and waits until all have ended and their mails are sent. Returns the time since `since`,
    /// and the orders.
    ///
    /// # Errors
    /// If they do not end within `bound`.
    pub async fn flow(&self, since: Instant, bound: Duration) -> (anyhow::Result<Duration>, Vec<OrderId>) {
        let wishes: Vec<Wish> = (0..PARTITIONS as usize).map(wish).collect();
        let orders: Vec<OrderId> = wishes.iter().map(Wish::order_id).collect();
        let ids: Vec<Uuid> = orders.iter().map(|order| order.0).collect();
        let through = async {
            join_all(wishes.iter().map(|wish| self.place(wish))).await;
            until("the probes are through", bound, async || self.are_through(&ids).await.then_some(())).await
        };
        let through = tokio::time::timeout(bound * 2, through).await;
        let flows = match through {
            Ok(through) => through.map(|()| since.elapsed()),
            Err(_) => Err(anyhow::anyhow!("the broker takes no orders")),
        };
        (flows, orders)
    }

    /// Retries until the broker accepts it.
    async fn place(&self, wish: &Wish) {
        while self.client.request(wish.order_id(), wish.data()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn are_through(&self, orders: &[Uuid]) -> bool {
        let ended = sqlx::query_scalar(
            "select count(*) = $2 from orders where id = any($1) and status not in ('PENDING', 'CANCELLING')",
        );
        let mailed = sqlx::query_scalar(
            "select count(*) = $2 from notifications where order_id = any($1) and sent_at is not null",
        );
        for (query, database) in [(ended, Database::ORDERS), (mailed, Database::NOTIFICATIONS)] {
            let there =
                query.bind(orders).bind(orders.len() as i64).fetch_one(self.databases.of_service(database)).await;
            if !matches!(there, Ok(true)) {
                return false;
            }
        }
        true
    }
}

/// A card payment, a parcel and a digital good: every service takes part.
fn wish(partition: usize) -> Wish {
    loop {
        let wish = Wish::of(SYBIL, &[(POSTCARD, 1), (THEME, 1)]).shipped_to("1-1 Chiyoda, Tokyo");
        if partition_of(wish.order_id().to_string().as_bytes(), PARTITIONS as usize) == partition {
            return wish;
        }
    }
}
