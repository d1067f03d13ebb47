//! The client of the payment gateway: makes the calls that decisions have requested.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use reqwest::{Client, Url, redirect::Policy};
use saga::{
    attempts::{Answer, Attempt, Outside},
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
    lifecycle::Step,
    reply::{self, Reply},
    sealed_details::{self, DetailsKey},
};

/// Settings for the gateway.
#[derive(Debug, Clone, clap::Args)]
pub struct Access {
    /// Address of the payment gateway, https://host:port; http://host:port only for trying out.
    #[arg(long, env = "GATEWAY_URL", hide_env_values = true, value_parser = Unechoed(gateway_url))]
    pub gateway_url: Url,
    /// Timeout of a call, in milliseconds.
    #[arg(long, env = "GATEWAY_TIMEOUT_MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub gateway_timeout_ms: u64,
    /// Key that encrypts the details of payment methods: 32 bytes in base64.
    #[arg(long, env = "PAYMENT_DETAILS_KEY", hide_env_values = true)]
    pub payment_details_key: SecretString,
}

fn gateway_url(text: &str) -> Result<Url, String> {
    text.parse().map_err(|error| format!("not of the form http://host:port: {error}"))
}

/// The service's client of the gateway, behind a circuit breaker.
#[derive(Debug)]
pub struct Gateway {
    client: Client,
    url: Url,
    key: DetailsKey,
    time_out: Duration,
    breaker: Mutex<Breaker>,
}

impl Gateway {
    /// # Errors
    /// A setting that cannot be used, or that the transport does not allow.
    pub fn new(access: &Access, transport: &Transport) -> anyhow::Result<Gateway> {
        let is_http = matches!(access.gateway_url.scheme(), "http" | "https");
        anyhow::ensure!(is_http, "GATEWAY_URL begins neither with https:// nor with http://");
        transport.check_url("GATEWAY_URL", access.gateway_url.as_str())?;
        let key = access.payment_details_key.expose_secret().parse();
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
            key: key.map_err(anyhow::Error::msg).context("PAYMENT_DETAILS_KEY")?,
            time_out,
            breaker: Mutex::new(Breaker::new(Limits::default())),
        })
    }

    /// The body of a call; an error needs an operator.
    fn body(&self, call: Call, request: &Value) -> Result<Value, String> {
        match call {
            Call::Authorize => {
                let charge = Charge::read(request).map_err(|error| format!("the attempt is no charge: {error}"))?;
                let Charge { payment_method_id, sealed_details, amount, currency } = charge;
                let token = sealed_details::open_token(&self.key, payment_method_id, &sealed_details)
                    .map_err(|error| format!("the details of payment method {payment_method_id}: {error}"))?;
                Ok(json!({"amount": amount, "currency": currency, "token": token.expose_secret()}))
            }
            Call::Capture | Call::Void | Call::Refund | Call::VoidInstead | Call::RefundInstead => Ok(json!({})),
        }
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
        let prepared = attempt.kind.parse().and_then(|call| Ok((call, self.body(call, &attempt.request)?)));
        let (call, body) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return Answer::NeedsPerson(why),
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
        let arguments = ["payment", "--payment-details-key", "k", "--gateway-url", "http://user:s3cret@host:port"];
        let error = Args::try_parse_from(arguments).expect_err("no port").to_string();
        assert!(error.contains("--gateway-url") && !error.contains("s3cret"), "{error}");
    }
}
