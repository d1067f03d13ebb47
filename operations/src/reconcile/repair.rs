//! Repairs round by round: the events of one round take effect before the next.

use std::{collections::HashSet, time::Duration};

use anyhow::Context;
use audit_log::Ended;
use chrono::{DateTime, Utc};
use events::OrderId;
use reqwest::StatusCode;
use secrecy::ExposeSecret;

use super::{Case, Fresh, Picture, Remedy, Scope, case::Evidence};
use crate::{audited::Audited, requests::Client};

/// Upper bound of the hops in a saga's compensation.
const ROUNDS: usize = 10;
/// Timeout for republishing a span, which may be weeks of events.
const REPLAY: Duration = Duration::from_secs(3600);
/// Source of events that are published anew.
const SOURCE: &str = "/operators/reconcile";

/// Result of the repairs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Repairs made, in order.
    pub done: Vec<Case>,
    /// Cases that no longer held when their turn came; nothing was done about them.
    pub moved_on: Vec<Case>,
    /// Orders about which an event was published, or was attempted, and when.
    pub touched: Vec<(OrderId, DateTime<Utc>)>,
    /// Repairs that failed, and why; the next run tries them again.
    pub failed: Vec<(Case, String)>,
    /// Cases that are left: for an operator, or repaired without effect.
    pub left: Vec<Case>,
    /// The reason why repairs stopped, if the picture stayed incomplete. Then `left` may be out of date.
    pub refused: Option<String>,
}

/// Carries out the possible repairs.
pub struct Repairs<'a> {
    scope: Scope<'a>,
    client: Client,
    audited: Audited,
    /// Orders about which an event was published.
    touched: HashSet<OrderId>,
}

impl<'a> Repairs<'a> {
    /// # Errors
    /// If the Kafka client cannot be made.
    pub fn new(scope: Scope<'a>, audited: Audited) -> anyhow::Result<Self> {
        let client = Client::of(scope.environment)?;
        Ok(Repairs { scope, client, audited, touched: HashSet::new() })
    }

    /// Carries out the remedies, and those of the cases found afterwards, until nothing more can be done. A remedy that fails
    /// does not stop the others.
    pub async fn carry_out(mut self, picture: Picture) -> Outcome {
        let mut outcome = Outcome::default();
        if let Err(error) = self.rounds(picture, &mut outcome).await {
            outcome.refused = Some(format!("{error:#}"));
        }
        outcome
    }

    /// Runs the rounds. After an error, `outcome` has what was done and left until then.
    async fn rounds(&mut self, mut picture: Picture, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut tried: HashSet<String> = HashSet::new();
        for _ in 0..ROUNDS {
            outcome.left.clone_from(&picture.cases);
            if let Err(why) = picture.whole {
                outcome.refused = Some(why);
                return Ok(());
            }
            // Repeating a remedy for an order would have no other effect.
            let new: Vec<Case> = picture.cases.iter().filter(|case| tried.insert(key(case))).cloned().collect();
            let new: Vec<Case> = new.into_iter().filter(|case| !matches!(case.remedy, Remedy::Person(_))).collect();
            if new.is_empty() {
                break;
            }
            for case in new {
                self.mend(case, outcome).await;
            }
            picture = match self.scope.arrived().await? {
                Ok(()) => self.scope.of_rows(&self.touched).await?,
                Err(why) => Picture { cases: picture.cases, whole: Err(why) },
            };
        }
        // Includes Kafka, now that the rounds are over.
        let Picture { cases, whole } = self.scope.find_after(&self.touched).await?;
        (outcome.left, outcome.refused) = (cases, whole.err());
        Ok(())
    }

    async fn mend(&mut self, case: Case, outcome: &mut Outcome) {
        match self.scope.is_still_so(&case, &self.touched).await {
            Ok(true) => {}
            Ok(false) => return outcome.moved_on.push(case),
            Err(error) => return outcome.failed.push((case, format!("looking whether it is still so: {error:#}"))),
        }
        let at = Utc::now();
        let applied = self.recorded(&case).await;
        if !matches!(applied, Ok(false)) {
            // Also after a failure: some events may have been published.
            self.touched.extend(case.order);
            outcome.touched.extend(case.order.map(|order| (order, at)));
        }
        match applied {
            Ok(true) => outcome.done.push(case),
            Ok(false) => outcome.moved_on.push(case),
            Err(error) => outcome.failed.push((case, format!("{error:#}"))),
        }
    }

    /// Records what [`apply`](Self::apply) does.
    async fn recorded(&self, case: &Case) -> anyhow::Result<bool> {
        let (kind, id) = match (case.order, &case.remedy) {
            (Some(order), _) => ("order", order.to_string()),
            (None, Remedy::Replay { database, .. }) => ("database", database.to_string()),
            (None, Remedy::LetGo { payment_id, .. }) => ("charge", payment_id.clone()),
            (None, Remedy::Say(_) | Remedy::Person(_)) => ("order", "unknown".to_owned()),
        };
        let act = self.audited.act("reconcile.repair", kind, id).because(&case.what);
        let act = act.with(serde_json::json!({ "remedy": case.remedy.to_string() }));
        let ended = |applied: &bool| {
            if *applied { Ended::done("") } else { Ended::failed("settled by itself: nothing was done") }
        };
        self.audited.carry_out(&act, self.apply(case), ended).await
    }

    /// Applies the remedy; returns false if the case no longer held and nothing was done.
    async fn apply(&self, case: &Case) -> anyhow::Result<bool> {
        match &case.remedy {
            Remedy::Replay { database, span } => {
                let environment = self.scope.environment;
                let url = environment.database(*database)?.expose_secret();
                let url = environment.transport.postgres(&database.variable(), url)?;
                let kafka = &self.scope.environment.brokers;
                let replay = outbox_relay::replay(&url, kafka, Some(database.publisher().name()), *span);
                let replayed = tokio::time::timeout(REPLAY, replay).await;
                replayed.with_context(|| format!("replaying the span took longer than {} s", REPLAY.as_secs()))??;
            }
            Remedy::Say(events) => {
                let Evidence::Order(seen) = &case.evidence else { return Ok(false) };
                let expects = seen.expectation();
                for Fresh { event_type, version, topic, order_id, data } in events {
                    let event = (*event_type, *version);
                    self.client.said_again(topic, SOURCE, event, *order_id, data, &expects).await?;
                }
            }
            Remedy::LetGo { payment_id, operation } => {
                let url = format!("{}/v1/payments/{payment_id}/{operation}", self.scope.environment.gateway()?);
                let key = format!("reconcile:{payment_id}:{operation}");
                let answer = self.scope.http.post(&url).header("idempotency-key", key).body("{}").send().await?;
                let status = answer.status();
                if status == StatusCode::CONFLICT {
                    return Ok(false);
                }
                anyhow::ensure!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
            }
            Remedy::Person(_) => return Ok(false),
        }
        Ok(true)
    }
}

/// Key that identifies equal remedies.
fn key(case: &Case) -> String {
    let order = case.order.map_or(String::new(), |order| order.to_string());
    format!("{order} {}", case.remedy)
}
