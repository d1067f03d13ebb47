//! Adds payment methods: by way of the payment service, which alone has the keys.

use std::time::Duration;

use anyhow::Context;
use events::{PaymentMethodId, UserId};
use payment::{
    method::MethodType,
    sealed_details::{Keys, Place},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use sqlx::PgPool;

use crate::{Environment, cast::Method};

/// Maximum number of methods in a request.
const BATCH: usize = 500;
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A payment method to add.
#[derive(Clone, Serialize)]
pub struct NewMethod {
    id: i64,
    user_id: i64,
    method_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last4: Option<&'static str>,
}

impl NewMethod {
    pub fn of(id: i64, user_id: i64, method: Method) -> Self {
        let (method_type, token) = match method {
            Method::Card(token) => (MethodType::Card, Some(token)),
            Method::Wallet => (MethodType::Wallet, None),
            Method::Points => (MethodType::Points, None),
        };
        NewMethod { id, user_id, method_type: method_type.as_str(), token, last4: token.map(|_| "4242") }
    }
}

/// Adds the methods that are not there. Where the environment names no payment service, as before there was a route for it, they
/// are written into its database, with its key.
pub async fn add(payments: &PgPool, environment: &Environment, methods: &[NewMethod]) -> anyhow::Result<()> {
    if methods.is_empty() {
        return Ok(());
    }
    match &environment.payment {
        Some(url) => {
            let client = environment.transport.http()?.timeout(ANSWERS_WITHIN).build()?;
            for batch in methods.chunks(BATCH) {
                let answer = client.post(format!("{url}/payment-methods")).json(batch).send().await;
                let answer = answer.map_err(reqwest::Error::without_url).context("asking the payment service")?;
                let status = answer.status();
                let why = answer.text().await.unwrap_or_default();
                anyhow::ensure!(status.is_success(), "the payment service adds no payment methods: {why}");
            }
            Ok(())
        }
        None => write(payments, environment, methods).await,
    }
}

async fn write(payments: &PgPool, environment: &Environment, methods: &[NewMethod]) -> anyhow::Result<()> {
    let mut sealed = Vec::with_capacity(methods.len());
    for method in methods {
        sealed.push(match method.token {
            Some(token) => Some(seal(environment, method, token)?),
            None => None,
        });
    }
    sqlx::query(
        "insert into payment_methods (id, user_id, method_type, method_details)
         select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) on conflict do nothing",
    )
    .bind(methods.iter().map(|method| method.id).collect::<Vec<_>>())
    .bind(methods.iter().map(|method| method.user_id).collect::<Vec<_>>())
    .bind(methods.iter().map(|method| method.method_type).collect::<Vec<_>>())
    .bind(sealed)
    .execute(payments)
    .await?;
    Ok(())
}

fn seal(environment: &Environment, method: &NewMethod, token: &str) -> anyhow::Result<String> {
    let key = environment.payment_details_key()?.expose_secret().parse();
    let key = key.map_err(|error| anyhow::anyhow!("PAYMENT_DETAILS_KEY is not 32 bytes in base64: {error}"))?;
    let place = Place {
        method: PaymentMethodId(method.id),
        owner: UserId(method.user_id),
        method_type: method.method_type.parse().map_err(anyhow::Error::msg)?,
    };
    let details = serde_json::json!({ "token": token, "last4": method.last4 });
    Ok(Keys::default().with_first(key).seal(&place, &details.to_string())?)
}
