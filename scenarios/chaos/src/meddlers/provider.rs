//! A provider that acts on its own: it voids, captures or refunds charges without being asked, is slow, or answers with an error,
//! half of the time after doing what was asked.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use saga::shutdown::Shutdown;
use serde_json::{Value, json};
use uuid::Uuid;

use operations::databases::Databases;
use testbed::{Database, Environment};

const PAUSE: Duration = Duration::from_millis(300);
/// Charges per round.
const CHARGES: i64 = 2;
/// One in this many rounds changes its settings.
const MOODY: u32 = 20;

pub(super) struct Provider {
    gateway: String,
    settings: String,
    http: reqwest::Client,
    databases: Databases,
    random: StdRng,
}

impl Provider {
    pub(super) fn new(environment: &Environment, databases: Databases, random: StdRng) -> anyhow::Result<Self> {
        let http = environment.transport.http()?.timeout(Duration::from_secs(2)).build()?;
        let settings = format!("{}/v1/settings", environment.gateway_operations()?);
        Ok(Provider { gateway: environment.gateway()?.to_owned(), settings, http, databases, random })
    }

    /// Runs until shutdown; returns the number of charges voided, captured or refunded on its own.
    pub(super) async fn keep_on(mut self, shutdown: Shutdown) -> usize {
        let mut acted = 0;
        while shutdown.sleep(PAUSE).await {
            if self.random.random_ratio(1, MOODY) {
                let mood = self.mood();
                self.feel(&mood).await;
            }
            // Without its books or ours, there is nothing to act upon.
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
        // Has no effect while the provider is down.
        let _ = self.http.put(&self.settings).json(mood).send().await;
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
            // Charges that do not exist yet are left alone: a provider does not refuse what it was not asked for.
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

    /// The provider's action on one of our charges. A captured charge of an order that goes on is left alone, because refunding
    /// it would be a chargeback, which no service handles; that of an order being undone may be refunded early.
    fn deed(&mut self, phase: &str) -> Option<&'static str> {
        match (phase, self.random.random_range(0..10)) {
            ("voiding" | "refunding", 0..3) => Some("refund"),
            ("refunding", _) => None,
            ("voiding", 3..6) | (_, 0..3) => Some("void"),
            _ => Some("capture"),
        }
    }
}
