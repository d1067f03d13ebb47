//! A simulated operator who settles parked work: retries it, or answers a call from the provider's books.

use std::time::Duration;

use operations::databases::Databases;
use rand::{RngExt, rngs::StdRng};
use saga::{
    parked::desk::{self, Done, Signature, Wish, Work},
    shutdown::Shutdown,
};
use serde_json::Value;
use testbed::{Database, Environment};

const PAUSE: Duration = Duration::from_secs(2);

pub(super) struct Person {
    gateway: String,
    http: reqwest::Client,
    databases: Databases,
    random: StdRng,
}

impl Person {
    pub(super) fn new(environment: &Environment, databases: Databases, random: StdRng) -> anyhow::Result<Self> {
        let http = environment.transport.http()?.timeout(PAUSE).build()?;
        Ok(Person { gateway: environment.gateway()?.to_owned(), http, databases, random })
    }

    /// Runs until shutdown; returns the amount of work retried or answered.
    pub(super) async fn keep_on(mut self, shutdown: Shutdown) -> usize {
        let mut done = 0;
        while shutdown.sleep(PAUSE).await {
            for database in self.databases.all() {
                // An unavailable database is tried again in the next round.
                done += self.work_off(database).await.unwrap_or(0);
            }
        }
        done
    }

    async fn work_off(&mut self, database: Database) -> anyhow::Result<usize> {
        let mut done = 0;
        for work in desk::list(self.databases.of_service(database)).await? {
            // Leave some work for a later round.
            if self.random.random_bool(0.5) {
                done += usize::from(self.act(database, &work).await?);
            }
        }
        Ok(done)
    }

    async fn act(&mut self, database: Database, work: &Work) -> anyhow::Result<bool> {
        let word = match (database, work.kind.as_str()) {
            (Database::PAYMENTS, "call") => answer(&work.what, self.state_of(work).await?.as_deref()),
            _ => None,
        };
        let wish = word.map_or(Wish::Retry, Wish::Answer);
        let signature = Signature { by: "chaos", note: "as the provider's books say" };
        let done = desk::act(self.databases.of_operator(database), work.id, wish, signature).await?;
        Ok(matches!(done, Done::Yes(_)))
    }

    /// The state of the payment at the provider; None if the provider does not know it.
    async fn state_of(&self, work: &Work) -> anyhow::Result<Option<String>> {
        let answer = self.http.get(format!("{}/v1/payments/{}", self.gateway, work.saga_id)).send().await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let payment: Value = answer.error_for_status()?.json().await?;
        Ok(payment["state"].as_str().map(str::to_owned))
    }
}

/// The answer that settles a call of this kind, given the state of the payment; None if the call still has to be made.
fn answer(call: &str, state: Option<&str>) -> Option<&'static str> {
    match (call, state) {
        ("authorize", Some("authorized" | "captured")) => Some("authorized"),
        ("authorize" | "capture", Some("declined")) => Some("refused"),
        ("authorize" | "capture" | "void" | "void-instead", Some("voided")) => Some("voided"),
        ("capture" | "void" | "void-instead", Some("captured")) => Some("captured"),
        ("void" | "void-instead" | "refund" | "refund-instead", Some("refunded")) => Some("refunded"),
        ("refund" | "refund-instead", Some("voided" | "declined")) => Some("voided"),
        ("void" | "void-instead", Some("declined") | None) => Some("voided"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use payment::{by_hand::meaning, calls::Call};

    use super::*;

    #[test]
    fn whoever_answers_says_only_what_can_be_said() {
        let states = [None, Some("authorized"), Some("declined"), Some("captured"), Some("voided"), Some("refunded")];
        for call in Call::ALL.map(Call::as_str) {
            for state in states {
                if let Some(word) = answer(call, state) {
                    assert!(meaning(call, word).is_ok(), "{call} at {state:?}: {word}");
                }
            }
        }
        assert_eq!(answer("capture", Some("authorized")), None, "it is still to be made");
    }
}
