//! Mending, round by round: what is said in one round shows its effect in the next.

use std::{collections::HashSet, time::Duration};

use anyhow::Context;
use kit::config::Kafka;
use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep};

use super::{Case, Fresh, Remedy, picture};
use crate::{databases::Databases, requests::Client, stack::Environment};

/// A saga has no more hops than this on its way back.
const ROUNDS: usize = 10;
/// How often the effect of a round is looked for.
const LOOK: Duration = Duration::from_millis(500);
/// Who says what is said anew.
const SOURCE: &str = "/operators/reconcile";

/// What has come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was done, in its order.
    pub done: Vec<Case>,
    /// What is left: for a person, or without effect.
    pub left: Vec<Case>,
}

/// Mends what can be mended.
pub struct Repairs<'a> {
    environment: &'a Environment,
    databases: &'a Databases,
    client: Client,
    http: reqwest::Client,
    /// For how long the effect of a round is waited for.
    patience: Duration,
}

impl<'a> Repairs<'a> {
    /// # Errors
    /// If the Kafka client cannot be made.
    pub fn new(environment: &'a Environment, databases: &'a Databases, patience: Duration) -> anyhow::Result<Self> {
        let client = Client::new(&environment.brokers)?;
        Ok(Repairs { environment, databases, client, http: reqwest::Client::new(), patience })
    }

    /// Carries the remedies out, and those of what is found then, until nothing more can be done.
    ///
    /// # Errors
    /// If a remedy cannot be carried out, or something not be read. What was done until then is done.
    pub async fn carry_out(&self, mut cases: Vec<Case>) -> anyhow::Result<Outcome> {
        let mut done: Vec<Case> = Vec::new();
        let mut tried: HashSet<String> = HashSet::new();
        for _ in 0..ROUNDS {
            // The same remedy twice for the same order would have no other effect the second time.
            let new: Vec<Case> = cases.iter().filter(|case| tried.insert(key(case))).cloned().collect();
            let new: Vec<Case> = new.into_iter().filter(|case| !matches!(case.remedy, Remedy::Person(_))).collect();
            if new.is_empty() {
                break;
            }
            for case in &new {
                self.apply(&case.remedy).await.with_context(|| case.remedy.to_string())?;
            }
            done.extend(new);
            cases = self.after(&cases).await?;
        }
        // Kafka too, now that it is over.
        let left = picture::find(self.environment, self.databases).await?;
        Ok(Outcome { done, left })
    }

    /// What is found when something has changed, or when it has been waited for that in vain.
    async fn after(&self, before: &[Case]) -> anyhow::Result<Vec<Case>> {
        let last = Instant::now() + self.patience;
        let on_rows = before.iter().filter(|case| !matches!(case.remedy, Remedy::Replay { .. }));
        let before: HashSet<String> = on_rows.map(key).collect();
        loop {
            sleep(LOOK).await;
            let now = picture::of_rows(self.environment, self.databases).await?;
            let changed = now.iter().map(key).collect::<HashSet<String>>() != before;
            if changed || before.is_empty() || Instant::now() >= last {
                return Ok(now);
            }
        }
    }

    async fn apply(&self, remedy: &Remedy) -> anyhow::Result<()> {
        match remedy {
            Remedy::Replay { database, span } => {
                let url = self.environment.database(*database)?.expose_secret().parse()?;
                outbox_relay::replay(&url, &self.kafka(), Some(database.publisher().name()), *span).await?;
            }
            Remedy::Say(events) => {
                for Fresh { event_type, topic, order_id, data } in events {
                    self.client.event(topic, SOURCE, event_type, *order_id, data).await?;
                }
            }
            Remedy::LetGo { payment_id, operation } => {
                let url = format!("{}/v1/payments/{payment_id}/{operation}", self.environment.gateway()?);
                let key = format!("reconcile:{payment_id}:{operation}");
                let answer = self.http.post(&url).header("idempotency-key", key).body("{}").send().await?;
                let status = answer.status();
                anyhow::ensure!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
            }
            Remedy::Person(_) => {}
        }
        Ok(())
    }

    fn kafka(&self) -> Kafka {
        let kafka_brokers = self.environment.brokers.split(',').map(str::to_owned).collect();
        Kafka { kafka_brokers, kafka_partitions: 1, kafka_replication: Some(1), kafka_instance_id: None }
    }
}

/// What makes a remedy the same as another.
fn key(case: &Case) -> String {
    let order = case.order.map_or(String::new(), |order| order.to_string());
    format!("{order} {}", case.remedy)
}
