//! A client that calls the router without a network.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use payment_gateway::{
    books::Books,
    http::{Gateway, routes, settings_routes},
    settings::Settings,
};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) struct Client(Router);

impl Client {
    pub(crate) fn new(books: Books) -> Client {
        {
            let gateway = std::sync::Arc::new(Gateway::new(books, Settings::default()));
            Client(routes(gateway.clone()).merge(settings_routes(gateway)))
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.0.clone().oneshot(request).await.expect("the router never fails");
        let status = response.status();
        let content_type = response.headers()["content-type"].to_str().expect("plain").to_owned();
        let wanted = if status.is_success() { "application/json" } else { "application/problem+json" };
        assert_eq!(content_type, wanted, "content type of a {status}");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    pub(crate) async fn post(
        &self,
        payment: Uuid,
        operation: &str,
        key: &str,
        body: impl ToString,
    ) -> (StatusCode, Value) {
        let request = Request::post(format!("/v1/payments/{payment}/{operation}")).header("idempotency-key", key);
        self.send(request.body(body.to_string().into()).expect("a request")).await
    }

    pub(crate) async fn authorize(&self, payment: Uuid, key: &str, amount: i64, token: &str) -> (StatusCode, Value) {
        self.post(payment, "authorize", key, json!({"amount": amount, "currency": "JPY", "token": token})).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn set(&self, settings: Value) -> (StatusCode, Value) {
        self.send(Request::put("/v1/settings").body(settings.to_string().into()).expect("a request")).await
    }
}
