//! A steady flow of orders while faults are injected. A client that gets no answer retries, as clients do.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use catalogue::play::Wish;
use events::OrderId;
use operations::{credentials::Credentials, requests::Client};
use saga::shutdown::{Shutdown, Stop};
use testbed::Environment;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
};

use super::shoppers::Shoppers;

/// One in this many orders is placed through the order API instead of the topic.
const BY_API: u32 = 4;
/// One in this many orders is cancelled, at any step of the saga.
const CANCELLED: u32 = 8;
/// Seconds after which an order is cancelled.
const SECOND_THOUGHTS: std::ops::Range<f64> = 0.0..3.0;
/// Time without an answer after which a client retries.
const AGAIN: Duration = Duration::from_millis(300);

/// A running flow of orders.
pub struct Flow {
    stop: Stop,
    publishing: JoinHandle<JoinSet<OrderId>>,
}

/// Places orders.
struct Counter {
    client: Client,
    http: reqwest::Client,
    orders_url: String,
    credentials: Credentials,
}

impl Flow {
    /// Starts to publish `rate` orders per second, drawn from `seed`.
    pub fn begin(environment: &Environment, seed: u64, rate: u32) -> anyhow::Result<Self> {
        let counter = Arc::new(Counter {
            client: Client::of(environment)?,
            http: environment.transport.http()?.timeout(Duration::from_secs(5)).build()?,
            orders_url: format!("{}/orders", environment.order_api()?),
            credentials: environment.credentials.clone(),
        });
        let (stop, shutdown) = Shutdown::by_hand();
        Ok(Flow { stop, publishing: tokio::spawn(publish(counter, Shoppers::new(seed), rate, shutdown)) })
    }

    /// Ends the flow; returns all orders once they have been accepted.
    ///
    /// # Errors
    /// If some are not accepted within `patience`.
    pub async fn end(self, patience: Duration) -> anyhow::Result<Vec<OrderId>> {
        self.stop.now();
        let last = Instant::now() + patience;
        let mut orders = Vec::new();
        let mut placing = self.publishing.await?;
        while let Ok(Some(order)) = tokio::time::timeout_at(last, placing.join_next()).await {
            orders.push(order?);
        }
        ensure!(placing.is_empty(), "{} orders could not be placed within {} s", placing.len(), patience.as_secs());
        Ok(orders)
    }
}

async fn publish(counter: Arc<Counter>, mut shoppers: Shoppers, rate: u32, shutdown: Shutdown) -> JoinSet<OrderId> {
    let mut placing = JoinSet::new();
    let mut tick = interval(Duration::from_secs(1) / rate.max(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        tokio::select! {
            _ = tick.tick() => {}
            () = shutdown.requested() => break,
        }
        let (counter, wish) = (counter.clone(), shoppers.next_wish());
        placing.spawn(async move {
            counter.place(&wish, number % BY_API == 0).await;
            if number % CANCELLED == 0 {
                tokio::time::sleep(Duration::from_secs_f64(rand::random_range(SECOND_THOUGHTS))).await;
                counter.cancel(wish.order_id()).await;
            }
            wish.order_id()
        });
    }
    placing
}

impl Counter {
    /// Retries until the order is accepted.
    async fn place(&self, wish: &Wish, by_api: bool) {
        loop {
            let taken = if by_api {
                let answer = self.post(&self.orders_url, Some(wish.data())).await;
                answer.is_ok_and(|answer| answer.status().is_success())
            } else {
                self.client.request(wish.order_id(), wish.data()).await.is_ok()
            };
            if taken {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn post(&self, url: &str, data: Option<&serde_json::Value>) -> anyhow::Result<reqwest::Response> {
        let request = self.credentials.authorize(self.http.post(url))?;
        Ok(match data {
            Some(data) => request.json(data),
            None => request,
        }
        .send()
        .await?)
    }

    /// Tries once; if that fails, the order stands.
    async fn cancel(&self, order: OrderId) {
        let url = format!("{}/{order}/cancel", self.orders_url);
        if let Err(error) = self.post(&url, None).await {
            tracing::debug!(%error, %order, "the order could not be cancelled; it stands");
        }
    }
}
