//! The client of the payment gateway: makes the calls that decisions have requested.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use events::UserId;
use reqwest::{Client, Url, redirect::Policy};
use saga::{
    attempts::{Answer, Attempt, Outside},
    outbox::unquoted,
    sessions::Sessions,
    unechoed::Unechoed,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use transport::Transport;

use crate::{
    breaker::{Breaker, Circuit, Limits, Permit},
    by_hand,
    calls::{Call, Charge},
    domain::Command,
    keys::store,
    lifecycle::Step,
    method::MethodType,
    reply::{self, Reply},
    sealed_details::{Keys, Place, Unopened},
};

/// Settings for the gateway.
#[derive(Debug, Clone, clap::Args)]
pub struct Access {
    /// Address of the payment gateway, https://host:port; http://host:port only for trying out.
    #[arg(long, env = "GATEWAY_URL", hide_env_values = true, value_parser = Unechoed(gateway_url))]
    pub gateway_url: Url,
    /// Timeout of a call, in milliseconds.
    #[arg(long, env = "GATEWAY_TIMEOUT_MS", hide_env_values = true, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub gateway_timeout_ms: u64,
}

fn gateway_url(text: &str) -> Result<Url, String> {
    text.parse().map_err(|error| format!("not of the form http://host:port: {error}"))
}

/// The service's client of the gateway, behind a circuit breaker.
#[derive(Debug)]
pub struct Gateway {
    client: Client,
    url: Url,
    keys: Keys,
    /// The service's database, with the present details of methods.
    sessions: Option<Sessions>,
    time_out: Duration,
    breaker: Mutex<Breaker>,
}

impl Gateway {
    /// # Errors
    /// A setting that cannot be used, or that the transport does not allow.
    pub fn new(access: &Access, keys: Keys, transport: &Transport) -> anyhow::Result<Gateway> {
        let is_http = matches!(access.gateway_url.scheme(), "http" | "https");
        anyhow::ensure!(is_http, "GATEWAY_URL begins neither with https:// nor with http://");
        transport.check_url("GATEWAY_URL", access.gateway_url.as_str())?;
        let time_out = Duration::from_millis(access.gateway_timeout_ms);
        let client = transport
            .http()?
            .timeout(time_out)
            .redirect(Policy::none())
            .build()
            .context("creating the HTTP client for the payment gateway")?;
        Ok(Gateway {
            client,
            url: access.gateway_url.clone(),
            keys,
            sessions: None,
            time_out,
            breaker: Mutex::new(Breaker::new(Limits::default())),
        })
    }

    /// The same, which reads details from their rows: those that are not in the attempt, or are under a key that has gone since.
    #[must_use]
    pub fn reading(self, sessions: Sessions) -> Gateway {
        Gateway { sessions: Some(sessions), ..self }
    }

    /// The body of a call.
    async fn body(&self, call: Call, request: &Value) -> Result<Value, Hindered> {
        match call {
            Call::Authorize => {
                let charge = Charge::read(request)
                    .map_err(|error| Hindered::ForPerson(format!("the attempt is no charge: {}", unquoted(&error))))?;
                let token = self.token(&charge).await?;
                let Charge { amount, currency, .. } = charge;
                Ok(json!({"amount": amount, "currency": currency, "token": token.expose_secret()}))
            }
            Call::Capture | Call::Void | Call::Refund | Call::VoidInstead | Call::RefundInstead => Ok(json!({})),
        }
    }

    /// The token of the card to charge. The buyer has to be its owner, by the row and by what the details are bound to.
    async fn token(&self, charge: &Charge) -> Result<SecretString, Hindered> {
        let method = charge.payment_method_id;
        let refuse = |why: Unopened| Hindered::ForPerson(format!("the details of payment method {method}: {why}"));
        let place = |owner| Place { method, owner, method_type: MethodType::Card };
        // Of the first format, which is not bound to an owner.
        let copied = charge.sealed_details.as_deref();
        let copied = copied.map(|sealed| self.keys.open_token(&place(charge.user_id.unwrap_or(NOBODY)), sealed));
        match (copied, &self.sessions) {
            (Some(Ok(token)), _) => return Ok(token),
            (Some(Err(why)), None) => return Err(refuse(why)),
            (Some(Err(why)), Some(_)) if why != Unopened::NoFirstKey => return Err(refuse(why)),
            (Some(Err(_)) | None, _) => {}
        }
        let row = self.present(charge).await?;
        let row = row.ok_or_else(|| Hindered::ForPerson(format!("payment method {method} has no details any more")))?;
        // The row may have been changed since the decision.
        if row.place != place(charge.user_id.unwrap_or(row.place.owner)) {
            return Err(refuse(Unopened::Forged));
        }
        self.keys.open_token(&row.place, &row.details).map_err(refuse)
    }

    /// The method's row as it is now. A database that does not answer is worth another try.
    async fn present(&self, charge: &Charge) -> Result<Option<store::Row>, Hindered> {
        let Some(sessions) = &self.sessions else { return Ok(None) };
        let read = async { store::present(&mut *sessions.acquire().await?, charge.payment_method_id).await };
        sessions
            .bounded::<_, saga::StoreError>(read)
            .await
            .map_err(|error| Hindered::ForNow(format!("the payment method could not be read: {error}")))
    }

    async fn post(&self, call: Call, attempt: &Attempt, body: &Value) -> reqwest::Result<Reply> {
        let mut url = self.url.clone();
        url.set_path(&format!("/v1/payments/{}/{}", attempt.saga_id, call.operation()));
        let mut request = self.client.post(url).header("idempotency-key", &attempt.idempotency_key).json(body);
        if let Some(traceparent) = &attempt.traceparent {
            request = request.header("traceparent", traceparent);
        }
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        // A proxy's error page is not a problem document: then only the status counts.
        Ok(Reply { status, problem: serde_json::from_slice(&body).unwrap_or_default() })
    }

    fn admit(&self) -> Option<Permit> {
        self.with_breaker(|breaker| breaker.admit(Instant::now()))
    }

    fn record(&self, permit: Permit, failed: bool) {
        self.with_breaker(|breaker| breaker.record(permit, Instant::now(), failed));
    }

    fn with_breaker<T>(&self, act: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let before = breaker.circuit();
        let result = act(&mut breaker);
        let after = breaker.circuit();
        if before != after {
            tracing::warn!(?before, ?after, "the circuit to the payment gateway has changed");
        }
        metrics::gauge!("payment_gateway_circuit").set(match after {
            Circuit::Closed => 0.0,
            Circuit::HalfOpen => 1.0,
            Circuit::Open => 2.0,
        });
        result
    }
}

impl Outside<Command> for Gateway {
    async fn call(&self, attempt: &Attempt) -> Answer<Command> {
        let call: Call = match attempt.kind.parse() {
            Ok(call) => call,
            Err(why) => return Answer::NeedsPerson(why),
        };
        let body = match self.body(call, &attempt.request).await {
            Ok(body) => body,
            Err(Hindered::ForPerson(why)) => return Answer::NeedsPerson(why),
            Err(Hindered::ForNow(why)) => return Answer::NotCalled(why),
        };
        let Some(permit) = self.admit() else {
            return Answer::NotCalled("the circuit to the payment gateway is open".to_owned());
        };
        let begun = Instant::now();
        let answer = match self.post(call, attempt, &body).await {
            Ok(reply) => reply::meaning(call, &reply),
            Err(error) => Answer::Transient(chain(&error.without_url())),
        };
        let failed = matches!(answer, Answer::Transient(_));
        self.record(permit, failed);
        let outcome = if failed { "failed" } else { "answered" };
        metrics::histogram!("payment_gateway_call_seconds", "call" => call.as_str(), "outcome" => outcome)
            .record(begun.elapsed().as_secs_f64());
        match answer {
            Answer::Done(step) => Answer::Done(Command::answered(attempt.saga_id, step)),
            Answer::Transient(why) => Answer::Transient(why),
            Answer::NotCalled(why) => Answer::NotCalled(why),
            Answer::NeedsPerson(why) => Answer::NeedsPerson(why),
        }
    }

    fn room(&self) -> usize {
        self.with_breaker(|breaker| breaker.room(Instant::now()))
    }

    fn time_out(&self) -> Duration {
        // The HTTP client's own timeout comes first, and gives more detail.
        self.time_out + Duration::from_secs(1)
    }

    fn settled(&self, attempt: &Attempt, word: &str) -> Answer<Command> {
        match by_hand::meaning(&attempt.kind, word) {
            Ok(step) => Answer::Done(Command::answered(attempt.saga_id, step)),
            Err(why) => Answer::NeedsPerson(why),
        }
    }

    fn gave_up(&self, attempt: &Attempt) -> Command {
        Command::answered(attempt.saga_id, Step::AuthorizeGaveUp)
    }
}

/// The owner in attempts of earlier versions, which name none.
const NOBODY: UserId = UserId(0);

/// The reason why a call cannot be made.
enum Hindered {
    /// Retrying cannot mend it.
    ForPerson(String),
    ForNow(String),
}

/// An error with all its causes: "error sending request: connection refused".
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        access: Access,
    }

    #[test]
    fn a_password_in_the_url_is_not_repeated() {
        let arguments = ["payment", "--gateway-url", "http://user:s3cret@host:port"];
        let error = Args::try_parse_from(arguments).expect_err("no port").to_string();
        assert!(error.contains("--gateway-url") && !error.contains("s3cret"), "{error}");
    }
}
