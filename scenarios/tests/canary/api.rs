//! Requests to everything that the programs serve: good ones, and such as cannot be read, with a canary in each.

use events::OrderId;
use reqwest::{Method, RequestBuilder};
use scenarios::stack::Program;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    search::{Place, canary},
    shop::{DIGITAL, GOOD, PHYSICAL, Shop},
};

/// Names of the canaries that are written here.
pub(crate) const NAMES: &[&str] =
    &["apikey", "body", "path", "query", "apifield", "apiheader", "apilarge", "apitrace", "apibearer", "apitoken"];

/// Sends everything; gives the answers.
pub(crate) async fn everything(shop: &Shop<'_>, placed: OrderId) -> anyhow::Result<Vec<Place>> {
    let mut answers = orders(shop).await?;
    answers.extend(paths(shop, placed).await?);
    answers.extend(operators(shop).await?);
    answers.extend(provider(shop).await?);
    answers.extend(served(shop).await?);
    Ok(answers)
}

/// The answer with its headers, as a place.
async fn answer(name: impl Into<String>, request: RequestBuilder) -> anyhow::Result<Place> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
    Ok(Place::new(name, format!("{status} {headers} {}", answer.text().await?)))
}

async fn orders(shop: &Shop<'_>) -> anyhow::Result<Vec<Place>> {
    let url = format!("{}/orders", shop.environment.order_api()?);
    let posts = |body: String| {
        let request = shop.http.post(&url).bearer_auth(shop.token(GOOD)).header("content-type", "application/json");
        request.body(body)
    };
    let with = |fields: Value| {
        let mut request = GOOD.request(DIGITAL);
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        request.to_string()
    };
    let (body, field, good) = (canary("body"), canary("apifield"), with(json!({})));
    let mut answers = Vec::new();
    for body in [
        with(json!({ "idempotency_key": canary("apikey") })),
        with(json!({ "idempotency_key": canary("apikey").repeat(40) })),
        format!("{{\"user_id\":7001,\"ship_to\":\"{body}"),
        format!("{{\"user_id\":{body}}}"),
        format!("\"{body}\""),
        with(json!({ "user_id": body })),
        with(json!({ "items": body })),
        with(json!({ "items": [{ "product_id": body, "quantity": 1 }] })),
        with(json!({ "items": [{ "product_id": 1, "quantity": 1, &field: body }] })),
        with(json!({ "order_id": body })),
        with(json!({ "ship_to": { &field: body } })),
        with(json!({ &field: body })),
        with(json!({ "ship_to": format!("{body}\u{7}"), "items": [{ "product_id": PHYSICAL, "quantity": 1 }] })),
        with(json!({ "items": [{ "product_id": PHYSICAL, "quantity": 1 }], "idempotency_key": canary("apikey") })),
        with(json!({ "ship_to": canary("apilarge").repeat(20_000) })),
    ] {
        answers.push(answer("answer POST /orders", posts(body)).await?);
    }
    let (header, other) = (canary("apiheader"), format!("é{}", canary("apiheader")));
    for request in [
        posts(good.clone()).header("idempotency-key", &header),
        posts(with(json!({ "idempotency_key": canary("apikey") }))).header("idempotency-key", &header),
        posts(good.clone()).header("idempotency-key", &header).header("idempotency-key", canary("apikey")),
        posts(good.clone()).header("idempotency-key", other.as_bytes()),
        posts(good.clone()).header("traceparent", format!("00-{}", canary("apitrace"))),
        posts(good.clone()).header(&*header, &header),
        shop.http.post(&url).bearer_auth(shop.token(GOOD)).header("content-type", &header).body(good.clone()),
        shop.http.post(&url).bearer_auth(canary("apibearer")).body(good.clone()),
        shop.http.post(&url).header("authorization", canary("apibearer")).body(good.clone()),
        shop.http.post(&url).header("authorization", format!("Basic {}", canary("apibearer"))).body(good),
    ] {
        answers.push(answer("answer POST /orders", request).await?);
    }
    Ok(answers)
}

async fn paths(shop: &Shop<'_>, placed: OrderId) -> anyhow::Result<Vec<Place>> {
    let (base, path) = (shop.environment.order_api()?, canary("path"));
    let mut answers = Vec::new();
    for (method, rest) in [
        (Method::GET, format!("/orders/{path}")),
        (Method::GET, format!("/orders/%ff{path}")),
        (Method::POST, format!("/orders/{path}/cancel")),
        (Method::PATCH, format!("/orders/{path}")),
        (Method::POST, format!("/orders?ship_to={}", canary("query"))),
        (Method::GET, format!("/{path}")),
        (Method::GET, format!("/orders?limit={}", canary("query"))),
        (Method::GET, format!("/orders?after={}", canary("query"))),
        (Method::GET, format!("/orders?{}=1", canary("query"))),
        (Method::GET, format!("/orders?user_id={}", canary("query"))),
    ] {
        let request = shop.http.request(method, format!("{base}{rest}")).bearer_auth(shop.token(GOOD));
        answers.push(answer("answer of a path", request).await?);
    }
    let look = shop.http.get(format!("{base}/orders/{placed}")).bearer_auth(shop.token(GOOD));
    answers.push(answer("answer GET /orders/{id}", look).await?);
    Ok(answers)
}

async fn operators(shop: &Shop<'_>) -> anyhow::Result<Vec<Place>> {
    let (order, payment) = (shop.environment.order_operations()?, shop.environment.payment.as_deref().unwrap());
    let (path, token) = (canary("path"), canary("apitoken"));
    let methods = format!("{payment}/payment-methods");
    let method = |fields: Value| {
        let mut method = json!({ "id": 7100, "user_id": 7100, "method_type": "card", "token": token });
        method.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!([method]).to_string()
    };
    let mut answers = vec![answer("answer POST /erase", shop.http.post(format!("{order}/users/{path}/erase"))).await?];
    for body in [
        format!("[{{\"token\":\"{token}"),
        method(json!({ "id": token })),
        method(json!({ "method_type": token })),
        method(json!({ "method_type": "wallet" })),
        method(json!({ "last4": token })),
        method(json!({ &token: 1 })),
        method(json!({ "token": token.repeat(40) })),
        method(json!({ "id": GOOD.id })),
    ] {
        answers.push(answer("answer POST /payment-methods", shop.http.post(&methods).body(body)).await?);
    }
    Ok(answers)
}

async fn provider(shop: &Shop<'_>) -> anyhow::Result<Vec<Place>> {
    let (base, path, token) = (shop.environment.gateway()?, canary("path"), canary("apitoken"));
    let payment = Uuid::now_v7();
    let authorize = |body: String| {
        let url = format!("{base}/v1/payments/{payment}/authorize");
        shop.http.post(url).header("idempotency-key", Uuid::now_v7().to_string()).body(body)
    };
    let mut answers = Vec::new();
    for request in [
        authorize(format!("{{\"token\":\"{token}")),
        authorize(json!({ "amount": token, "currency": "JPY", "token": token }).to_string()),
        authorize(json!({ "amount": 1, "currency": token, "token": token }).to_string()),
        authorize(json!({ "amount": 1, "currency": "JPY", "token": token, &token: 1 }).to_string()),
        authorize(json!({ "amount": 1, "currency": "JPY", "token": canary("declined") }).to_string()),
        shop.http.post(format!("{base}/v1/payments/{path}/authorize")),
        shop.http.post(format!("{base}/v1/payments/{payment}/{path}")),
        shop.http.get(format!("{base}/v1/payments/{path}")),
        shop.http.get(format!("{base}/v1/ledger?payment_id={path}")),
        shop.http.get(format!("{base}/{path}")),
        shop.http.put(format!("{base}/v1/settings")).body(format!("{{\"delay_ms\":\"{token}\"}}")),
        shop.http.put(format!("{base}/v1/settings")).body(format!("{{\"{token}\":1}}")),
    ] {
        answers.push(answer("answer of the provider", request).await?);
    }
    Ok(answers)
}

/// What each program serves to whoever reaches it.
async fn served(shop: &Shop<'_>) -> anyhow::Result<Vec<Place>> {
    let variables = shop.stack.variables();
    let mut answers = Vec::new();
    for program in shop.environment.manifest.programs() {
        let own = program.variable("OPS_URL");
        let (_, url) = variables.iter().find(|(name, _)| *name == own).unwrap();
        for path in ["livez", "readyz", "metrics", "choreography"] {
            let name = format!("GET /{path} of {}", program.name());
            answers.push(answer(name, shop.http.get(format!("{url}/{path}"))).await?);
        }
        if program == Program::PAYMENT_GATEWAY {
            answers.push(answer("GET /v1/ledger", shop.http.get(format!("{url}/v1/ledger"))).await?);
        }
    }
    let description = format!("{}/openapi.json", shop.environment.order_api()?);
    answers.push(answer("GET /openapi.json", shop.http.get(description)).await?);
    Ok(answers)
}
