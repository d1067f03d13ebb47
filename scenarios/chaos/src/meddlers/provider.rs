//! A provider with a will of its own: it lets go of charges, collects them or gives them back before anybody asks, is slow, or
//! answers with an error, in half of the cases although it has done it.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use saga::shutdown::Shutdown;
use serde_json::{Value, json};
use uuid::Uuid;

use operations::databases::Databases;
use testbed::{Database, Environment};

const PAUSE: Duration = Duration::from_millis(300);
/// Charges at a time.
const CHARGES: i64 = 2;
/// One in so many rounds changes its mood.
const MOODY: u32 = 20;

pub(super) struct Provider {
    gateway: String,
    http: reqwest::Client,
    databases: Databases,
    random: StdRng,
}

impl Provider {
    pub(super) fn new(environment: &Environment, databases: Databases, random: StdRng) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
        Ok(Provider { gateway: environment.gateway()?.to_owned(), http, databases, random })
    }

    /// Goes on until shutdown; the number of charges that it has voided, captured or refunded by itself.
    pub(super) async fn keep_on(mut self, shutdown: Shutdown) -> usize {
        let mut acted = 0;
        while shutdown.sleep(PAUSE).await {
            if self.random.random_ratio(1, MOODY) {
                let mood = self.mood();
                self.feel(&mood).await;
            }
            // Without its books or ours there is nothing to decide upon.
            acted += self.act().await.unwrap_or(0);
        }
        self.feel(&json!({})).await;
        acted
    }

    fn mood(&mut self) -> Value {
        match self.random.random_range(0..4) {
            0 => json!({"failure_rate": 0.2}),
            1 => json!({"delay_ms": 200}),
            _ => json!({}),
        }
    }

    async fn feel(&self, mood: &Value) {
        // A provider that is down has no mood.
        let _ = self.http.put(format!("{}/v1/settings", self.gateway)).json(mood).send().await;
    }

    async fn act(&mut self) -> anyhow::Result<usize> {
        let charges: Vec<(Uuid, String)> = sqlx::query_as(
            "select order_id, phase from payment_transactions
             where method_type = 'card' and phase in ('authorizing', 'authorized', 'capturing', 'voiding', 'refunding')
             order by random() limit $1",
        )
        .bind(CHARGES)
        .fetch_all(self.databases.of_service(Database::PAYMENTS))
        .await?;
        let mut acted = 0;
        for (payment, phase) in charges {
            let Some(operation) = self.deed(&phase) else { continue };
            // What is not there yet is left alone: nobody refuses a charge before it is asked for.
            let url = format!("{}/v1/payments/{payment}", self.gateway);
            if !self.http.get(&url).send().await?.status().is_success() {
                continue;
            }
            let asked = self.http.post(format!("{url}/{operation}"));
            let answer = asked.header("idempotency-key", format!("provider:{payment}:{operation}")).body("{}").send();
            acted += usize::from(answer.await?.status().is_success());
        }
        Ok(acted)
    }

    /// What it does with a charge of ours. What was collected for an order that goes on stays so, or else it were a chargeback,
    /// which is no service's to settle; of an order that is undone, it may be given back before anybody asks.
    fn deed(&mut self, phase: &str) -> Option<&'static str> {
        match (phase, self.random.random_range(0..10)) {
            ("voiding" | "refunding", 0..3) => Some("refund"),
            ("refunding", _) => None,
            ("voiding", 3..6) | (_, 0..3) => Some("void"),
            _ => Some("capture"),
        }
    }
}
